//! The variance of a corrected pixel.
//!
//! # Formula
//! `V' = F^2 V + C (F - 1)^2 V + ((s F)^2 - 1) S`, `F = 1 + (g - 1) k`, `C = 0.4 + 0.15 (V / S)^2`, V' not below `V / 10`
//! # Symbols
//! V variance of the noise of the data, without the shot noise of its charge \[electron^2\]; S its charge, the mean of five packets
//! (in the last term the estimate itself where that is less) \[electron\]; g what an electron more in the estimate adds to the restored packet, k part of a deviation that the estimate holds
//! ([`super::quiet`]); s what of an electron more before the transfer is in the packet after it
//! # Terms
//! The packet's own noise; what its noise does to those behind it; what the transfer took of the charge's shot noise and the correction
//! did not bring back. The last is negative: whoever adds the shot noise of the corrected pixel, S, to V' has the whole.
//! F and S are of a pixel that fluctuates: one that came out high would get the larger variance, and in units of its error a sky would be
//! low by 0.03 (a year in orbit, 12 electrons) to 0.08 (three years, 18 electrons). So V' is the mean over the five packets around, where the pixel agrees with them
//! within three standard deviations; its own in the cores of objects.
//! # Source
//! Derived here to first order, but for C. What a packet's excess has filled is missing from the next higher packet behind it, and for fast
//! species from one or two others: a good part of `(F - 1)^2 V` in one pixel. In a sky that the noise outweighs the traps are filled by the noise and
//! it is more. The two numbers were fitted to flat frames of 3.6, 30 and 200 electrons with a read noise of 5, one, three and ten years old
//! (figures in `FIGURES.md`).
//! # Limits
//! Covariances are not stated. V / S counts up to 7, the faintest sky of the fit.

use super::marks::WIDTH;
use super::restore::Response;

/// Greatest V / S that the fit covers.
const FAINTEST: f32 = 7.0;
/// Share of the noise that stays at least.
const LEAST: f32 = 0.1;
/// Packets on either side whose variance is averaged, those of the mean charge.
const REACH: usize = super::belief::REACH;
/// How far a pixel may lie from the mean and still be one of them, in standard deviations.
const AGREES: f32 = 3.0;

/// Variance of pixel `at` of a line after the correction: the mean of its neighbours' and its `own` where it is one of them. `variance` is
/// that before.
pub(super) fn evened(response: &Response, lane: usize, pixel: f32, variance: f32, own: &[[f32; WIDTH]], at: usize) -> f32 {
    let expected = response.expected[lane] as f32;
    let scatter = variance + if expected > 0.0 { expected } else { 0.0 };
    if (pixel - expected) * (pixel - expected) > AGREES * AGREES * scatter {
        return own[at][lane];
    }
    let near = &own[at.saturating_sub(REACH)..(at + REACH + 1).min(own.len())];
    near.iter().map(|row| row[lane]).sum::<f32>() / near.len() as f32
}

/// Variance after the correction of a pixel of lane `lane`, whose estimate is `pixel`.
pub(super) fn passed_on(response: &Response, lane: usize, pixel: f32, variance: f32) -> f32 {
    let positive = |v: f32| if v > 0.0 { v } else { 0.0 };
    let [gain, through, expected] = [&response.gain, &response.through, &response.expected].map(|row| row[lane] as f32);
    let (signal, charge) = (positive(pixel), positive(expected));
    let k = if variance > 0.0 { (signal / (signal + variance)).sqrt() } else { 1.0 };
    let more = (gain - 1.0) * k;
    let own = 1.0 + more;
    let faint = if variance < FAINTEST * charge { variance / charge } else { FAINTEST };
    let others = (0.4 + 0.15 * faint * faint) * more * more;
    let shot = positive(through) * own;
    // Next to a star the mean of five is not the pixel's own.
    let own_charge = if signal < charge { signal } else { charge };
    let after = variance * (own * own + others) + (shot * shot - 1.0) * own_charge;
    let least = LEAST * variance;
    if after > least { after } else { least }
}
