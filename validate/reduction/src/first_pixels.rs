//! First-pixel response along rows: what the first pixels of a row lose to traps that nothing has filled since the row before.
//!
//! # Formula
//! Mean over rows and amplifiers of the first pixels of a row of a flat, `m_kl = r_k I_l + b_k - loss_k(I_l)`: I_l the mean of pixels farther
//! in, r_k the response of the k-th pixels and b_k what the shutter and the bias add there, unknown and the same at all levels l
//! ([`crate::transfer_lines::Common::Response`])
//! # Symbols
//! counts less the overscan of their row and the master bias, times the gain \[electron\]; error: shot and read noise of both means
//! # Source
//! First-pixel response: Janesick 2001, Scientific Charge-Coupled Devices, section 5.3; of trap parameters: Israel et al. 2015 (MNRAS 453, 561).
//! # Limits
//! Along rows: the first packet of a row fills the traps of the prescan, `prescan rho v(n)` electrons, whatever their release time, if that is
//! short next to a line. Along columns there is no such response: nothing lies between the first row and the register, and every packet of
//! a flat leaves the same charge in its own pixel, which no comparison of pixels shows; injected lines, with empty rows before
//! them, show it. Windows that do not begin at the output have none. What settles in the amplifier at the start of a line, in proportion to the
//! charge, is taken for response.

use crate::injected_lines::Readout;
use ndarray::{Array2, Axis};
use sim_core::knowledge::Measured;

/// First pixels that are looked at.
pub const FIRST: usize = 12;
/// Pixels farther in, whose mean is the level: from, to.
const FAR: (usize, usize) = (20, 148);

/// The first pixels of the rows of one flat.
#[derive(Debug, Clone, PartialEq)]
pub struct FirstPixels {
    /// Mean of pixels farther in \[electron\].
    pub level_electron: f64,
    /// Means of the first pixels, in reading order \[electron\].
    pub pixels: Vec<Measured>,
}

/// Why the first pixels cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FirstPixelError {
    /// No overscan.
    #[error("no overscan next to the first pixels, or gain or read noise is not known")]
    NoOverscan,
    /// No row begins at its output.
    #[error("no row of the window begins at its output")]
    Inside,
}

/// Measures a raw flat.
///
/// # Errors
/// When no row begins at its output, there is no overscan, or gain or read noise of an amplifier is missing.
pub fn measure(raw: &Array2<f32>, readout: &Readout<'_>) -> Result<FirstPixels, FirstPixelError> {
    let (mut level, mut level_variance, mut weight) = (0.0, 0.0, 0.0);
    let mut sums = [(0.0, 0.0); FIRST];
    let starts = readout.layout.tiles.iter().filter(|t| t.serial_science == t.serial_start && t.science.nx > FAR.0 + FIRST);
    for tile in starts {
        let (electrons, read) = readout.electrons(raw, tile, tile.science.ny).ok_or(FirstPixelError::NoOverscan)?;
        let rows = electrons.nrows() as f64;
        let far = electrons.slice(ndarray::s![.., FAR.0..FAR.1.min(electrons.ncols())]);
        let mean = far.mean().unwrap_or(0.0);
        level += rows * mean;
        level_variance += rows * (mean.max(0.0) + read * read) / far.ncols() as f64;
        weight += rows;
        for (column, sums) in electrons.axis_iter(Axis(1)).zip(&mut sums) {
            let mean = column.mean().unwrap_or(0.0);
            sums.0 += rows * mean;
            sums.1 += rows * (mean.max(0.0) + read * read);
        }
    }
    if weight == 0.0 {
        return Err(FirstPixelError::Inside);
    }
    let of = |(sum, square): &(f64, f64)| Measured { value: sum / weight, error: (square + level_variance).sqrt() / weight };
    Ok(FirstPixels { level_electron: level / weight, pixels: sums.iter().map(of).collect() })
}
