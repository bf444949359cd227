//! Which flats of a ramp are fit for use: those in which no pixel is full and the converter is not at its ceiling.
//!
//! # Formula
//! In order of the light asked for, `s = L t`, a flat is refused when more than 0.1 % of its pixels are at the converter's
//! ceiling; when its noise falls short: with `r = (V - r_0^2) / m`, `r < 0.85 (a + b m) - 5 sigma_r`, the line through the
//! flats accepted so far (two or fewer: 0.75 of their greatest); or when its mean falls short of the chord through the lowest
//! and the last accepted flat by more than 3 %. All that ask for more light are refused with it.
//! # Symbols
//! `L` lamp, `t` time \[s\], `m` mean \[ADU\], `V` variance of a pixel from exposure to exposure \[ADU^2\], `r_0` read noise \[ADU\]
//! # Source
//! The photon transfer curve turns over where pixels are full: Janesick, Photon Transfer (SPIE 2007), ch. 5. The straight line
//! under `r` is the brighter-fatter effect's (Antilogus et al. 2014, JINST 9, C03048).
//! # Limits
//! A flat in which under 15 % of the pixels are full passes; its mean is then low by less than 0.08 % where the response
//! scatters by 1 %. Traps take noise from flats too, faster at low levels than a straight line says: by 8 % of it three years in orbit, which must
//! not pass for full pixels; where they take more (ten years), flats are refused wrongly. The sum of the variance and of the covariances
//! of neighbours, which traps keep and full pixels do not, would tell them apart.

use crate::flat_ramp::RampLevel;

/// Share of pixels at the converter's ceiling from which a flat is refused.
const CEILING_SHARE: f64 = 1e-3;
/// Noise below this share of the expected one means full pixels.
const NOISE_SHARE: f64 = 0.85;
/// The same while there is no line to expect.
const ROUGH_NOISE_SHARE: f64 = 0.75;
/// Standard deviations of a measured noise.
const SIGMAS: f64 = 5.0;
/// Mean below this share of the chord.
const CHORD_SHARE: f64 = 0.97;

/// Why a flat of the ramp is not used.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No light, or not a number.
    #[error("no signal: mean {mean_adu:.1} ADU, {asked} lamp s asked for")]
    NoSignal {
        /// Mean \[ADU\].
        mean_adu: f64,
        /// Lamp times time.
        asked: f64,
    },
    /// The converter was at its ceiling.
    #[error("{:.2} % of the pixels at the converter's ceiling", 100.0 * share)]
    Converter {
        /// Share of pixels.
        share: f64,
    },
    /// Less noise than its light has.
    #[error("full pixels: noise over mean {ratio:.4} ADU where {expected:.4} is expected")]
    Noise {
        /// Variance over mean \[ADU\].
        ratio: f64,
        /// From the fainter flats \[ADU\].
        expected: f64,
    },
    /// Less signal than the fainter flats let expect.
    #[error("full pixels: mean {mean_adu:.0} ADU where {expected_adu:.0} is expected")]
    Mean {
        /// Mean \[ADU\].
        mean_adu: f64,
        /// From the fainter flats \[ADU\].
        expected_adu: f64,
    },
    /// A fainter flat was refused.
    #[error("a flat with less light is saturated")]
    AboveSaturated,
}

/// Indices of the flats to use, in order of their light, and of those refused, with the reason.
#[must_use]
pub fn choose(levels: &[RampLevel], read_noise_adu: f64) -> (Vec<usize>, Vec<(usize, Refusal)>) {
    let mut order: Vec<usize> = (0..levels.len()).collect();
    order.sort_by(|&a, &b| levels[a].asked().total_cmp(&levels[b].asked()).then(a.cmp(&b)));
    let (mut used, mut refused): (Vec<usize>, Vec<(usize, Refusal)>) = (Vec::new(), Vec::new());
    let mut saturated_from = f64::INFINITY;
    for index in order {
        let level = &levels[index];
        let (asked, mean_adu) = (level.asked(), level.mean_adu());
        let fainter: Vec<&RampLevel> = used.iter().map(|&i| &levels[i]).filter(|l| l.asked() < asked).collect();
        let refusal = if !(asked > 0.0 && mean_adu > 0.0 && level.sums.pixels >= 1.0) {
            Some(Refusal::NoSignal { mean_adu, asked })
        } else if level.at_ceiling() > CEILING_SHARE {
            Some(Refusal::Converter { share: level.at_ceiling() })
        } else if asked > saturated_from {
            Some(Refusal::AboveSaturated)
        } else {
            short_of_noise(level, &fainter, read_noise_adu).or_else(|| short_of_signal(level, &fainter))
        };
        match refusal {
            None => used.push(index),
            Some(reason) => {
                if !matches!(reason, Refusal::NoSignal { .. }) {
                    saturated_from = saturated_from.min(asked);
                }
                refused.push((index, reason));
            }
        }
    }
    // An equal flat that passed by a hair is as full as its refused twin.
    let (fit, twins): (Vec<usize>, Vec<usize>) = used.into_iter().partition(|&i| levels[i].asked() < saturated_from);
    refused.extend(twins.into_iter().map(|i| (i, Refusal::AboveSaturated)));
    refused.sort_by_key(|r| r.0);
    (fit, refused)
}

fn short_of_noise(level: &RampLevel, fainter: &[&RampLevel], read_noise_adu: f64) -> Option<Refusal> {
    let ratio_of = |l: &RampLevel| (l.noise_adu2 - read_noise_adu * read_noise_adu) / l.mean_adu();
    let error_of = |l: &RampLevel| l.noise_adu2 * (2.0 / l.sums.pixels).sqrt() / l.mean_adu();
    let ratio = ratio_of(level);
    let mut distinct: Vec<f64> = fainter.iter().map(|l| l.asked()).collect();
    distinct.dedup();
    let (expected, least) = match distinct.len() {
        0 => return None,
        1 | 2 => {
            let greatest = fainter.iter().map(|l| ratio_of(l)).fold(f64::MIN, f64::max);
            let error = fainter.iter().map(|l| error_of(l)).fold(error_of(level), f64::hypot);
            (greatest, ROUGH_NOISE_SHARE * greatest - SIGMAS * error)
        }
        _ => {
            let (mut w, mut wx, mut wxx, mut wy, mut wxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for l in fainter {
                let (x, y, weight) = (l.mean_adu(), ratio_of(l), error_of(l).powi(-2));
                w += weight;
                wx += weight * x;
                wxx += weight * x * x;
                wy += weight * y;
                wxy += weight * x * y;
            }
            let determinant = w * wxx - wx * wx;
            let (a, b) = ((wxx * wy - wx * wxy) / determinant, (w * wxy - wx * wy) / determinant);
            let x = level.mean_adu();
            let error = (error_of(level).powi(2) + (wxx - 2.0 * x * wx + x * x * w) / determinant).sqrt();
            (a + b * x, NOISE_SHARE * (a + b * x) - SIGMAS * error)
        }
    };
    (ratio < least).then_some(Refusal::Noise { ratio, expected })
}

fn short_of_signal(level: &RampLevel, fainter: &[&RampLevel]) -> Option<Refusal> {
    let (first, last) = (fainter.first()?, fainter.last()?);
    let reach = last.asked() - first.asked();
    if reach <= 0.0 {
        return None;
    }
    let slope = (last.mean_adu() - first.mean_adu()) / reach;
    let expected_adu = last.mean_adu() + slope * (level.asked() - last.asked());
    (level.mean_adu() < CHORD_SHARE * expected_adu).then(|| Refusal::Mean { mean_adu: level.mean_adu(), expected_adu })
}
