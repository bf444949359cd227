//! What neighbours say of a packet that hardly comes through the traps.
//!
//! # Formula
//! expected = mean of the five packets around it in the data; damping = `FLOOR + STRENGTH V / S`
//! # Symbols
//! V variance of the noise of the data; S variance of the five, at least their mean (shot noise) and one electron
//! # Source
//! Ridge regression (Tikhonov 1963; Hoerl & Kennard 1970) has V / S where the signal scatters by S about what is expected. A
//! fifth of it is taken, chosen on the frames of `cti_quality`: of stars of 1000 electrons at the far end of columns that lose half of their
//! light to ten years of traps, in a sky of 30 electrons, a third leaves 12.5 % of the trail, a fifth 9.0 %, a tenth 5.1 %, and blank sky is
//! 6.2, 7.3, 9.1 electrons from the truth.

use super::marks::{Row, WIDTH};
use super::unwind::Belief;

/// Packets on either side.
pub(super) const REACH: usize = 2;
/// Damping without noise: errors of the model itself are not to grow by more than the inverse of its root.
const FLOOR: f64 = 1e-3;
/// Damping in units of the noise over the signal.
const STRENGTH: f64 = 0.2;

/// The belief about packet `at` of a line; `noise` is the variance of each packet's noise, where there is noise.
pub(super) fn about(data: &[Row], noise: Option<&[Row]>, at: usize) -> Belief {
    let near = &data[at.saturating_sub(REACH)..(at + REACH + 1).min(data.len())];
    let (mut expected, mut spread) = ([0.0; WIDTH], [0.0; WIDTH]);
    let count = near.len() as f64;
    for row in near {
        for l in 0..WIDTH {
            expected[l] += row[l] / count;
        }
    }
    let Some(noise) = noise else { return Belief { expected, damping: [FLOOR; WIDTH] } };
    let degrees = (count - 1.0).max(1.0);
    for row in near {
        for l in 0..WIDTH {
            let d = row[l] - expected[l];
            spread[l] += d * d / degrees;
        }
    }
    let mut damping = [FLOOR; WIDTH];
    for l in 0..WIDTH {
        let least = if expected[l] > 1.0 { expected[l] } else { 1.0 };
        let signal = if spread[l] > least { spread[l] } else { least };
        damping[l] += STRENGTH * noise[at][l] / signal;
    }
    Belief { expected, damping }
}
