//! First-pixel response: what the first packets of a flat lose to traps that nothing has filled yet.
//!
//! # Formula
//! Mean over lines of the first pixels with light; the charge before the transfer is the mean of pixels farther in
//! # Source
//! First-pixel response: Janesick 2001, Scientific Charge-Coupled Devices, section 5.3.
//! # Limits
//! The first rows cross few pixels: a packet k of a column has lost at most k + 1 times what a pixel takes. The flat must be as bright
//! there as farther in, to the same precision: illumination and pixel response go in as they are. Of most use along rows,
//! behind a prescan, and together with [`crate::edge_trails`].

use crate::edge_trails::{Direction, part};
use crate::transfer_lines::TransferLine;
use ndarray::{Array2, s};
use sim_core::detector::ReadoutLayout;
use sim_core::knowledge::Measured;

/// The first `count` pixels of a raw flat, amplifiers averaged. `None` when there is no serial overscan, the part is shorter than
/// eight times `count`, or gain or read noise \[electron\] of an amplifier is missing.
#[must_use]
pub fn measure(
    raw: &Array2<f32>,
    layout: &ReadoutLayout,
    direction: Direction,
    count: usize,
    gain: &[Measured],
    read_noise: &[Measured],
) -> Option<TransferLine> {
    let mut sums = vec![(0.0, 0.0); count];
    let (mut level, mut weight, mut length) = (0.0, 0.0, 0);
    for tile in &layout.tiles {
        let (gain, read) = (gain.get(tile.amplifier)?.value, read_noise.get(tile.amplifier)?.value);
        let (science, scan) = (part(raw, &tile.raw_science, tile), part(raw, &tile.raw_overscan, tile));
        if scan.is_empty() {
            return None;
        }
        let scan = scan.slice_move(s![.., tile.raw_overscan.nx / 2..]);
        let bias = scan.iter().map(|&v| f64::from(v)).sum::<f64>() / scan.len() as f64;
        let lines = match direction {
            Direction::Parallel => science,
            Direction::Serial => science.reversed_axes(),
        };
        if lines.nrows() < 8 * count {
            return None;
        }
        length = lines.nrows();
        let width = lines.ncols() as f64;
        let mean = |k: usize| gain * (lines.row(k).iter().map(|&v| f64::from(v)).sum::<f64>() / width - bias);
        for (k, sum) in sums.iter_mut().enumerate() {
            let value = mean(k);
            sum.0 += width * value;
            sum.1 += width * (value.max(0.0) + read * read);
        }
        level += width * (4 * count..8 * count).map(mean).sum::<f64>() / (4 * count) as f64;
        weight += width;
    }
    let measured = sums.iter().map(|(sum, square)| Measured { value: sum / weight, error: square.sqrt() / weight }).enumerate().collect();
    (weight > 0.0).then(|| TransferLine { charge: vec![level / weight; length], measured })
}
