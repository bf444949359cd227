//! Hot and warm pixels of a dark.

use ndarray::Array2;
use rayon::prelude::*;
use sim_core::detector::ReadoutLayout;
use sim_core::knowledge::{DefectPixel, Measured};
use sim_core::median::median;

/// How far a dark must stand out of the median dark to be called hot or warm, in units of its own error.
const SIGNIFICANT: f64 = 4.0;

/// Flags of hot and warm pixels for an exposure time, by the official definitions (csster/csst): hot, dark x t >= RN^2; warm,
/// dark x t above half of it. `variance` of the dark's rate is a function of amplifier, row, column and rate.
///
/// They must also stand out of the median dark by four times the error of their own dark. Without that, the noise of a dark
/// from few frames passes the threshold (0.03-1 % of all pixels), and all pixels are warm in long exposures.
#[must_use]
pub fn hot_and_warm_pixels(
    layout: &ReadoutLayout,
    dark: &Array2<f32>,
    variance: impl Fn(usize, usize, usize, f64) -> f64 + Sync,
    read_noise: &[Measured],
    time_s: f64,
) -> Vec<DefectPixel> {
    use sim_core::flags::{HOT, WARM};
    let usual = f64::from(median_of(dark));
    let of_row = |y: usize| {
        let mut found = Vec::new();
        for (_, tile) in crate::amplifiers::tiles_of_row(layout, y) {
            let noise2 = read_noise[tile.amplifier].value.powi(2);
            for x in crate::amplifiers::columns(tile) {
                let rate = f64::from(dark[(y, x)]);
                let charge = rate * time_s;
                if charge > 0.5 * noise2 && rate - usual > SIGNIFICANT * variance(tile.amplifier, y, x, rate).sqrt() {
                    found.push(DefectPixel { y, x, bits: if charge >= noise2 { HOT } else { WARM } });
                }
            }
        }
        found
    };
    (0..dark.nrows()).into_par_iter().map(of_row).collect::<Vec<_>>().concat()
}

/// Median of an image; of every k-th pixel when there are more than 16 million.
pub(crate) fn median_of(image: &Array2<f32>) -> f32 {
    let stride = image.len().div_ceil(1 << 24).max(1);
    let mut values: Vec<f32> = image.iter().step_by(stride).copied().collect();
    median(&mut values).unwrap_or(f32::NAN)
}
