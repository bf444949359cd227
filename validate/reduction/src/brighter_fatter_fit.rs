//! Shifts of pixel boundaries, and gains, from the covariances of flats at several levels.
//!
//! # Formula
//! `C_ij(m) = v / g^2 [delta_ij + a_ij v + sum over n > 1 of (2 v)^n / (n + 1)! (a * ... * a)_ij] + n_ij`, `v = g m`: least squares by Gauss
//! and Newton, for every lag its `a_ij` and its constant (the variance: its gain), with the derivatives that `a_00` alone gives;
//! `a_ij` common to all amplifiers.
//! # Symbols
//! `C` covariance \[ADU^2\], `m` level \[ADU\], `g` gain \[electron / ADU\], `a` relative change of area per electron, `n_ij` noise of the readout.
//! # Source
//! Astier et al. 2019 (A&A 629, A36): shifts linear in the charge, b = 0.
//! # Limits
//! The gain is common to level and variance: non-linearity of the signal chain is to be taken off before. Lags beyond 4 pixels count as 0.

use crate::boundary_fit::{self, BoundaryFit};
use crate::flat_covariance::{FlatCovariance, LAGS};
use crate::photon_transfer::curve;
use sim_core::knowledge::{BoundaryKnowledge, Measured};

/// Powers of `a` that are followed.
const POWERS: usize = 6;
/// Rounds of the fit.
const ROUNDS: usize = 12;
/// Half width of the grid on which `a` is convolved with itself.
const HALF: usize = 4 * (LAGS - 1);
/// Significance that the effect must have to be corrected.
const SIGNIFICANT: f64 = 5.0;

/// Relative changes of area by lag, `[j][i]`: i columns, j rows.
pub type Areas = [[Measured; LAGS]; LAGS];

/// Why the shifts could not be fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BrighterFatterError {
    /// Nothing measured.
    #[error("brighter-fatter fit: {amplifiers} amplifiers with {noises} read noises; every amplifier needs its own")]
    Amplifiers {
        /// Amplifiers with covariances.
        amplifiers: usize,
        /// Read noises given.
        noises: usize,
    },
    /// Too few levels.
    #[error(
        "brighter-fatter fit: amplifier {amplifier} has flats at {levels} levels, the highest {span:.2} times the lowest; 3 levels over a factor of 3 are needed"
    )]
    Levels {
        /// Amplifier, from 0.
        amplifier: usize,
        /// Levels.
        levels: usize,
        /// Highest over lowest.
        span: f64,
    },
    /// The variance collapses.
    #[error(
        "brighter-fatter fit: amplifier {amplifier} is saturated at {level_adu:.0} ADU: its variance is {ratio:.2} of what the faint flats give"
    )]
    Saturated {
        /// Amplifier, from 0.
        amplifier: usize,
        /// Level \[ADU\].
        level_adu: f64,
        /// Variance over that of a straight line from the lowest level.
        ratio: f64,
    },
    /// No effect to be seen.
    #[error(
        "brighter-fatter fit: no effect: a pixel changes its area by {value:.2e} +- {error:.1e} per electron; it must shrink, by more than 5 errors"
    )]
    NoEffect {
        /// Change.
        value: f64,
        /// Error.
        error: f64,
    },
    /// No shifts make these changes of area.
    #[error("brighter-fatter fit: no shifts of boundaries give the changes of area measured")]
    NoShifts,
}

/// What the covariances give.
#[derive(Debug, Clone, PartialEq)]
pub struct CovarianceFit {
    /// Gain by amplifier \[electron / ADU\].
    pub gain: Vec<Measured>,
    /// Relative change of area by lag \[1 / electron\].
    pub area: Areas,
    /// Chi-square per degree of freedom of all covariances.
    pub reduced_chi2: f64,
    /// Gain that a straight photon transfer line through the same variances would give, over the fitted one, mean over amplifiers.
    pub straight_line: f64,
}

/// Convolutions of `a` with itself at the lags measured: `[n - 2][j][i]` for n = 2.. factors.
fn powers(area: &Areas) -> [[[f64; LAGS]; LAGS]; POWERS - 1] {
    const SIDE: usize = 2 * HALF + 1;
    const REACH: isize = LAGS as isize - 1;
    let of = |j: isize, i: isize| area[j.unsigned_abs()][i.unsigned_abs()].value;
    let mut grid = vec![0.0; SIDE * SIDE];
    for j in -REACH..=REACH {
        for i in -REACH..=REACH {
            grid[(HALF as isize + j) as usize * SIDE + (HALF as isize + i) as usize] = of(j, i);
        }
    }
    std::array::from_fn(|_| {
        let mut next = vec![0.0; SIDE * SIDE];
        for y in REACH as usize..SIDE - REACH as usize {
            for x in REACH as usize..SIDE - REACH as usize {
                let mut sum = 0.0;
                for j in -REACH..=REACH {
                    for i in -REACH..=REACH {
                        sum += of(j, i) * grid[(y as isize - j) as usize * SIDE + (x as isize - i) as usize];
                    }
                }
                next[y * SIDE + x] = sum;
            }
        }
        grid = next;
        std::array::from_fn(|j| std::array::from_fn(|i| grid[(HALF + j) * SIDE + HALF + i]))
    })
}

/// Sum of the terms from the second on, times `v / g^2`.
fn higher(powers: &[[[f64; LAGS]; LAGS]], j: usize, i: usize, v: f64, gain: f64) -> f64 {
    let mut factor = 2.0 * v / 2.0;
    let mut sum = 0.0;
    for (n, power) in powers.iter().enumerate() {
        factor *= 2.0 * v / (n + 3) as f64;
        sum += factor * power[j][i];
    }
    sum * v / (gain * gain)
}

/// Rows and columns apart, of every lag.
fn each_lag() -> impl Iterator<Item = (usize, usize)> {
    (0..LAGS * LAGS).map(|lag| (lag / LAGS, lag % LAGS))
}

/// Covariance at a level, slope and constant.
fn model(level: f64, slope: f64, constant: f64, area: &Areas, powers: &[[[f64; LAGS]; LAGS]], j: usize, i: usize) -> f64 {
    let first = if i + j == 0 { slope * level } else { 0.0 };
    constant + first + area[j][i].value * level * level + higher(powers, j, i, level / slope, 1.0 / slope)
}

/// Weighted least squares of `y = p u + q w`: values and errors of p and q.
fn two_terms(points: impl Iterator<Item = (f64, f64, f64, f64)>) -> [Measured; 2] {
    let (mut uu, mut uw, mut ww, mut uy, mut wy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (u, w, y, error) in points {
        let weight = error.powi(-2);
        uu += weight * u * u;
        uw += weight * u * w;
        ww += weight * w * w;
        uy += weight * u * y;
        wy += weight * w * y;
    }
    let det = uu * ww - uw * uw;
    [
        Measured { value: (ww * uy - uw * wy) / det, error: (ww / det).sqrt() },
        Measured { value: (uu * wy - uw * uy) / det, error: (uu / det).sqrt() },
    ]
}

fn check(amplifiers: &[Vec<FlatCovariance>], read_noise_adu: &[Measured]) -> Result<(), BrighterFatterError> {
    if amplifiers.is_empty() || amplifiers.len() != read_noise_adu.len() {
        return Err(BrighterFatterError::Amplifiers { amplifiers: amplifiers.len(), noises: read_noise_adu.len() });
    }
    for (amplifier, (levels, noise)) in amplifiers.iter().zip(read_noise_adu).enumerate() {
        let of = |pick: fn(f64, f64) -> f64, start| levels.iter().map(|l| l.mean_adu).fold(start, pick);
        let span = of(f64::max, 0.0) / of(f64::min, f64::INFINITY);
        if levels.len() < 3 || span.is_nan() || span < 3.0 {
            return Err(BrighterFatterError::Levels { amplifier, levels: levels.len(), span });
        }
        let slope = |l: &FlatCovariance| (l.lags[0][0].value - noise.value * noise.value) / l.mean_adu;
        let Some(lowest) = levels.iter().min_by(|a, b| a.mean_adu.total_cmp(&b.mean_adu)) else { continue };
        for level in levels {
            let ratio = slope(level) / slope(lowest);
            if ratio.is_nan() || ratio < 0.5 {
                return Err(BrighterFatterError::Saturated { amplifier, level_adu: level.mean_adu, ratio });
            }
        }
    }
    Ok(())
}

/// Gains and changes of area from covariances by amplifier and level.
///
/// # Errors
/// When levels are too few, saturated, or show no effect.
pub fn fit_covariances(amplifiers: &[Vec<FlatCovariance>], read_noise_adu: &[Measured]) -> Result<CovarianceFit, BrighterFatterError> {
    check(amplifiers, read_noise_adu)?;
    let none = Measured { value: 0.0, error: 0.0 };
    let mut area: Areas = [[none; LAGS]; LAGS];
    // Slopes 1 / g, and constants of the lags: the read noise for the variance.
    let mut slope: Vec<f64> = amplifiers
        .iter()
        .zip(read_noise_adu)
        .map(|(levels, r)| {
            let of = |l: &FlatCovariance| (l.lags[0][0].value - r.value * r.value) / l.mean_adu;
            levels.iter().min_by(|a, b| a.mean_adu.total_cmp(&b.mean_adu)).map_or(1.0, of)
        })
        .collect();
    let mut constant = vec![[[0.0; LAGS]; LAGS]; amplifiers.len()];
    constant.iter_mut().zip(read_noise_adu).for_each(|(c, noise)| c[0][0] = noise.value * noise.value);
    for _ in 0..ROUNDS {
        let power = powers(&area);
        let mut sums = [[(0.0, 0.0); LAGS]; LAGS];
        for (n, levels) in amplifiers.iter().enumerate() {
            let p = slope[n];
            for (j, i) in each_lag() {
                let rest = |l: &FlatCovariance| l.lags[j][i].value - model(l.mean_adu, p, constant[n][j][i], &area, &power, j, i);
                let [first, second] = two_terms(levels.iter().map(|l| {
                    let [_, by_slope, by_area] = curve(l.mean_adu, p, area[0][0].value);
                    (if i + j == 0 { by_slope } else { 1.0 }, by_area, rest(l), l.lags[j][i].error)
                }));
                *if i + j == 0 { &mut slope[n] } else { &mut constant[n][j][i] } += first.value;
                let weight = second.error.powi(-2);
                sums[j][i].0 += weight * second.value;
                sums[j][i].1 += weight;
            }
        }
        for (area, (sum, weight)) in area.iter_mut().flatten().zip(sums.into_iter().flatten()) {
            *area = Measured { value: area.value + sum / weight, error: f64::powf(weight, -0.5) };
        }
    }
    let own = area[0][0];
    if own.value.is_nan() || own.value > -SIGNIFICANT * own.error {
        return Err(BrighterFatterError::NoEffect { value: own.value, error: own.error });
    }

    // Gains once more, with the common areas: their error goes with them.
    let power = powers(&area);
    let (mut chi2, mut count, mut straight_line) = (0.0, 0, 0.0);
    let mut gain = Vec::new();
    for (n, levels) in amplifiers.iter().enumerate() {
        let mut error = 0.0;
        for _ in 0..ROUNDS {
            let (mut uu, mut ur, mut uw) = (0.0, 0.0, 0.0);
            for l in levels {
                let [_, by_slope, by_area] = curve(l.mean_adu, slope[n], own.value);
                let weight = l.lags[0][0].error.powi(-2);
                uu += weight * by_slope * by_slope;
                uw += weight * by_slope * by_area;
                ur += weight * by_slope * (l.lags[0][0].value - model(l.mean_adu, slope[n], constant[n][0][0], &area, &power, 0, 0));
            }
            slope[n] += ur / uu;
            error = f64::hypot(uu.powf(-0.5), own.error * uw / uu);
        }
        gain.push(Measured { value: 1.0 / slope[n], error: error / (slope[n] * slope[n]) });
        let (mut mm, mut my) = (0.0, 0.0);
        for l in levels {
            let weight = l.lags[0][0].error.powi(-2);
            mm += weight * l.mean_adu * l.mean_adu;
            my += weight * l.mean_adu * (l.lags[0][0].value - constant[n][0][0]);
            for (j, i) in each_lag() {
                let lag = l.lags[j][i];
                chi2 += ((lag.value - model(l.mean_adu, slope[n], constant[n][j][i], &area, &power, j, i)) / lag.error).powi(2);
                count += 1;
            }
        }
        straight_line += slope[n] * mm / my / amplifiers.len() as f64;
    }
    // One constant or gain per lag and amplifier, one area per lag.
    let freedom = count - LAGS * LAGS * (amplifiers.len() + 1);
    Ok(CovarianceFit { gain, area, reduced_chi2: chi2 / freedom.max(1) as f64, straight_line })
}

/// The fit of the covariances and the shifts of boundaries that make them.
///
/// # Errors
/// As [`fit_covariances`], and when no shifts give the areas measured.
pub fn from_covariances(
    amplifiers: &[Vec<FlatCovariance>],
    read_noise_adu: &[Measured],
    capacity_electron: f64,
    iterations: usize,
) -> Result<(BoundaryKnowledge, CovarianceFit, BoundaryFit), BrighterFatterError> {
    let covariances = fit_covariances(amplifiers, read_noise_adu)?;
    let boundaries = boundary_fit::fit(&covariances.area).ok_or(BrighterFatterError::NoShifts)?;
    let mut knowledge = boundaries.shifts.knowledge(capacity_electron, iterations);
    knowledge.self_area = covariances.area[0][0];
    Ok((knowledge, covariances, boundaries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use instruments::effects::brighter_fatter::electrostatics::Slab;
    use sim_core::noise;
    use sim_core::stream::StreamKey;

    fn truth() -> Areas {
        let slab = Slab { thickness: 1.6, charge_height: 0.1, cloud_width: 0.6, column_barrier: 0.3, row_barrier: 0.1 };
        let shifts = slab.shifts(3e-6).unwrap();
        std::array::from_fn(|j| std::array::from_fn(|i| Measured { value: shifts.area(i, j), error: 0.0 }))
    }

    /// Covariances of closed form at levels of electrons, with the errors of `pixels` and draws of that size.
    fn covariances(gain: f64, pixels: f64, seed: u64) -> Vec<FlatCovariance> {
        let area = truth();
        let power = powers(&area);
        let levels = [2e3, 5e3, 1e4, 2e4, 3e4, 4.5e4, 6e4, 7.5e4];
        let of = |(n, &v): (usize, &f64)| {
            let mut draws = [0.0_f32; LAGS * LAGS];
            noise::normals(&StreamKey::new(seed).stream(n as u64), 0, &mut draws);
            let variance = v / (gain * gain) + area[0][0].value * (v / gain).powi(2) + higher(&power, 0, 0, v, gain) + 16.0;
            let lag = |j: usize, i: usize| {
                let error = variance * (if i + j == 0 { 2.0 } else { 1.0 } / pixels).sqrt();
                let clean = if i + j == 0 { variance } else { area[j][i].value * (v / gain).powi(2) + higher(&power, j, i, v, gain) };
                Measured { value: clean + error * f64::from(draws[j * LAGS + i]), error }
            };
            FlatCovariance { mean_adu: v / gain, lags: std::array::from_fn(|j| std::array::from_fn(|i| lag(j, i))), pixels, clipped: 0.0 }
        };
        levels.iter().enumerate().map(of).collect()
    }

    const NOISE: Measured = Measured { value: 4.0, error: 0.0 };

    #[test]
    fn gains_and_areas_come_back_within_their_errors() {
        let truth = truth();
        let gains = [1.1, 1.16, 1.05, 1.2];
        let measured: Vec<_> = gains.iter().enumerate().map(|(n, &g)| covariances(g, 2e6, n as u64)).collect();
        let fit = fit_covariances(&measured, &[NOISE; 4]).unwrap();
        let mut pulls = Vec::new();
        for (found, gain) in fit.gain.iter().zip(gains) {
            assert!((found.value - gain).abs() < 4.0 * found.error && found.error < 2e-3 * gain, "{found:?} for {gain}");
        }
        for (found, truth) in fit.area.iter().flatten().zip(truth.iter().flatten()) {
            pulls.push((found.value - truth.value) / found.error);
        }
        let scatter = (pulls.iter().map(|p| p * p).sum::<f64>() / pulls.len() as f64).sqrt();
        // 25 pulls: 1 +- 0.14.
        assert!((0.5..1.5).contains(&scatter), "{scatter}: {pulls:?}");
        // 4 x 8 x 25 covariances less 125: chi-square per degree 1 +- 0.054.
        assert!((fit.reduced_chi2 - 1.0).abs() < 0.22, "{}", fit.reduced_chi2);
        // Levels to 75,000 electrons: up to 3e-6 x 7.5e4 = 22 % of the variance is missing.
        assert!((1.05..1.15).contains(&fit.straight_line), "{}", fit.straight_line);
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let good = covariances(1.1, 2e6, 1);
        let refused = |levels: Vec<FlatCovariance>| fit_covariances(&[levels], &[NOISE]).unwrap_err();
        assert!(matches!(refused(good[..2].to_vec()), BrighterFatterError::Levels { levels: 2, .. }));
        assert!(matches!(refused(good[5..].to_vec()), BrighterFatterError::Levels { levels: 3, .. }));
        let mut full = good.clone();
        full[7].lags[0][0].value *= 0.3;
        assert!(matches!(refused(full), BrighterFatterError::Saturated { .. }));
        let mut flat = good.clone();
        for level in &mut flat {
            for lag in level.lags.iter_mut().flatten() {
                lag.value = 0.0;
            }
            level.lags[0][0].value = level.mean_adu / 1.1 + 16.0;
        }
        assert!(matches!(refused(flat), BrighterFatterError::NoEffect { .. }));
        let error = fit_covariances(&[good], &[]).unwrap_err();
        assert_eq!(error.to_string(), "brighter-fatter fit: 1 amplifiers with 0 read noises; every amplifier needs its own");
    }
}
