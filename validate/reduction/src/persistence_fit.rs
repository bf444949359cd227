//! The law of persistence from the darks after saturated flats.
//!
//! # Formula
//! `y_k = sum_s A_s sum_f [exp(-t_kf / tau_s) - exp(-(t_kf + T_k) / tau_s)] + d T_k`, least squares for `A_s`, `d` at given `tau_s`, and the
//! `tau_s` of least chi-square; no species, one or two, as many as take off 9 in chi-square per number (3 sigma).
//! # Symbols
//! `y_k` mean of dark k \[electron\]; `A_s` charge that a full pixel leaves behind in traps of species s \[electron\]; `tau_s` release time \[s\];
//! `t_kf` from the end of saturated flat f to the start of dark k \[s\]; `T_k` exposure time \[s\]; `d` dark current \[electron / s\]
//! # Source
//! Darks after saturated flats with an exponential and a constant: Banovetz, Utsumi & Slater, Rubin DMTN-276.
//! # Limits
//! One law for all pixels of a detector; each full pixel is taken to leave as much. What is released before the first dark is seen only
//! through the decay of the rest: a species faster than a third of the wait is not told from none.

use instruments::effects::persistence::model::released;
use nalgebra::{DMatrix, DVector};
use sim_core::knowledge::{HeldCharge, Measured, PersistenceKnowledge};

/// Chi-square that every further number must take off.
const WORTH: f64 = 9.0;
/// Steps of a search grid in the logarithm of a release time.
const GRID: usize = 24;
/// Times a grid is made finer.
const ROUNDS: usize = 14;
/// Least number of darks.
pub const LEAST_DARKS: usize = 6;

/// The mean of one dark.
#[derive(Debug, Clone, PartialEq)]
pub struct DarkAfter {
    /// From the end of every saturated flat before it \[s\].
    pub since_s: Vec<f64>,
    /// Exposure time \[s\].
    pub time_s: f64,
    /// Mean of its pixels \[electron\].
    pub mean: Measured,
}

/// Why there is no law.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PersistenceError {
    /// Too few darks.
    #[error("persistence: {0} darks after a saturated flat, needs {LEAST_DARKS}")]
    TooFew(usize),
    /// An error of a mean makes no sense.
    #[error("persistence: the error of dark {index} is {error} electron, it must be above 0")]
    Error {
        /// Dark.
        index: usize,
        /// Error given.
        error: f64,
    },
    /// Nothing glows.
    #[error("persistence: none seen after saturated flats, a full pixel leaves less than {most:.2} electron")]
    None {
        /// Three standard errors.
        most: f64,
    },
}

/// A law with its quality.
#[derive(Debug, Clone, PartialEq)]
pub struct PersistenceFit {
    /// The law.
    pub law: PersistenceKnowledge,
    /// Chi-square per degree of freedom; errors are scaled with it where it is above 1.
    pub reduced_chi2: f64,
}

/// Charges, dark current and chi-square for given release times.
struct Linear {
    values: DVector<f64>,
    inverse: DMatrix<f64>,
    chi2: f64,
}

fn part(dark: &DarkAfter, release_s: f64) -> f64 {
    dark.since_s.iter().map(|&since_s| released(release_s, since_s, dark.time_s)).sum()
}

fn solve(darks: &[DarkAfter], times_s: &[f64]) -> Option<Linear> {
    let columns = times_s.len() + 1;
    let design = DMatrix::from_fn(darks.len(), columns, |k, s| {
        let dark = &darks[k];
        times_s.get(s).map_or(dark.time_s, |&tau| part(dark, tau)) / dark.mean.error
    });
    let right = DVector::from_fn(darks.len(), |k, _| darks[k].mean.value / darks[k].mean.error);
    let inverse = (design.transpose() * &design).try_inverse()?;
    let values = &inverse * design.transpose() * &right;
    let chi2 = (&right - &design * &values).norm_squared();
    let physical = values.iter().take(times_s.len()).all(|a| *a > 0.0);
    (physical && chi2.is_finite()).then_some(Linear { values, inverse, chi2 })
}

/// The release times of least chi-square for some species, by ever finer grids in their logarithms.
fn search(darks: &[DarkAfter], species: usize) -> Option<(Vec<f64>, Linear)> {
    if species == 0 {
        return solve(darks, &[]).map(|linear| (Vec::new(), linear));
    }
    let since = darks.iter().flat_map(|d| d.since_s.iter().map(move |s| s + d.time_s));
    let longest = since.clone().fold(0.0, f64::max);
    let shortest = since.fold(f64::INFINITY, f64::min);
    let range = [(shortest / 6.0).ln(), (3.0 * longest).ln()];
    let mut width = (range[1] - range[0]) / 2.0;
    let mut centre = vec![(range[0] + range[1]) / 2.0; species];
    let mut best: Option<(Vec<f64>, Linear)> = None;
    for _ in 0..ROUNDS {
        let step = |s: usize, i: usize| (centre[s] + width * (2.0 * i as f64 / (GRID - 1) as f64 - 1.0)).clamp(range[0], range[1]);
        for index in 0..GRID.pow(species as u32) {
            let logs: Vec<f64> = (0..species).map(|s| step(s, index / GRID.pow(s as u32) % GRID)).collect();
            // The fastest first, and not so near that they cannot be told apart.
            if logs.windows(2).any(|w| w[1] < w[0] + 0.4) {
                continue;
            }
            let times: Vec<f64> = logs.iter().map(|l| l.exp()).collect();
            let Some(linear) = solve(darks, &times) else { continue };
            if best.as_ref().is_none_or(|b| linear.chi2 < b.1.chi2) {
                best = Some((times, linear));
            }
        }
        centre = best.as_ref()?.0.iter().map(|t| t.ln()).collect();
        width *= 0.45;
    }
    best
}

/// Fits the law.
///
/// # Errors
/// With too few darks, or when nothing glows.
pub fn fit(darks: &[DarkAfter]) -> Result<PersistenceFit, PersistenceError> {
    if darks.len() < LEAST_DARKS {
        return Err(PersistenceError::TooFew(darks.len()));
    }
    if let Some((index, dark)) = darks.iter().enumerate().find(|(_, d)| !(d.mean.error > 0.0 && d.mean.error.is_finite())) {
        return Err(PersistenceError::Error { index, error: dark.mean.error });
    }
    let most = if darks.len() > LEAST_DARKS { 2 } else { 1 };
    let fits: Vec<Option<(Vec<f64>, Linear)>> = (0..=most).map(|species| search(darks, species)).collect();
    let chi2 = |species: usize| fits[species].as_ref().map_or(f64::INFINITY, |f| f.1.chi2);
    let freedom = |species: usize| (darks.len() - 1 - 2 * species) as f64;
    let best = (0..=most).rev().find(|&s| s == 0 || chi2(s - 1) - chi2(s) > 2.0 * WORTH * (chi2(s) / freedom(s)).max(1.0)).unwrap_or(0);
    let Some((times, linear)) = fits.into_iter().nth(best).flatten().filter(|_| best > 0) else {
        // One second of release time per second of dark: what would have been seen.
        let seen = part(&darks[0], darks[0].time_s).max(1e-6);
        return Err(PersistenceError::None { most: 3.0 * darks[0].mean.error / seen });
    };
    // All numbers together: charges, release times, dark current.
    let model = |charges: &[f64], times: &[f64], dark: &DarkAfter| -> f64 {
        charges.iter().zip(times).map(|(a, &tau)| a * part(dark, tau)).sum::<f64>()
    };
    let charges: Vec<f64> = linear.values.iter().take(best).copied().collect();
    let jacobian = DMatrix::from_fn(darks.len(), 2 * best + 1, |k, i| {
        let dark = &darks[k];
        let slope = match i {
            i if i < best => part(dark, times[i]),
            i if i < 2 * best => {
                let mut moved = times.clone();
                moved[i - best] *= 1.0 + 1e-5;
                (model(&charges, &moved, dark) - model(&charges, &times, dark)) / (1e-5 * times[i - best])
            }
            _ => dark.time_s,
        };
        slope / dark.mean.error
    });
    let reduced_chi2 = linear.chi2 / freedom(best);
    let inverse = (jacobian.transpose() * &jacobian).try_inverse();
    let error = |i: usize| match &inverse {
        Some(inverse) => (inverse[(i, i)] * reduced_chi2.max(1.0)).sqrt(),
        None => (linear.inverse[(i.min(best), i.min(best))] * reduced_chi2.max(1.0)).sqrt(),
    };
    let species = (0..best)
        .map(|s| HeldCharge {
            electrons: Measured { value: charges[s], error: error(s) },
            release_s: Measured { value: times[s], error: error(best + s) },
        })
        .collect();
    Ok(PersistenceFit { law: PersistenceKnowledge { species }, reduced_chi2 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::noise;
    use sim_core::stream::StreamKey;

    /// Darks of 15 s, 60 s apart, after two flats; `error` of every mean, drawn with `seed`.
    fn darks(species: &[(f64, f64)], error: f64, seed: u64) -> Vec<DarkAfter> {
        let count = 14;
        let mut z = vec![0.0; count];
        noise::normals(&StreamKey::new(seed).stream(0), 0, &mut z);
        (0..count)
            .map(|k| {
                let first = 60.0 + 75.0 * k as f64;
                let mut dark = DarkAfter { since_s: vec![first, first + 150.0], time_s: 15.0, mean: Measured { value: 0.0, error } };
                let glow: f64 = species.iter().map(|&(a, tau)| a * part(&dark, tau)).sum();
                dark.mean.value = glow + 0.02 * 15.0 + error * f64::from(z[k]);
                dark
            })
            .collect()
    }

    #[test]
    fn one_exponential_without_noise_comes_back() {
        let mut exact = darks(&[(25.0, 120.0)], 0.01, 1);
        for dark in &mut exact {
            dark.mean.value = 25.0 * part(dark, 120.0) + 0.3;
        }
        let fit = fit(&exact).unwrap();
        assert_eq!(fit.law.species.len(), 1);
        let HeldCharge { electrons, release_s } = fit.law.species[0];
        assert!((electrons.value - 25.0).abs() < 1e-3 && (release_s.value - 120.0).abs() < 1e-2, "{electrons:?} {release_s:?}");
    }

    #[test]
    fn two_species_come_back_within_their_errors() {
        let truth = [(400.0, 30.0), (100.0, 300.0)];
        let (mut sums, seeds) = ([0.0; 4], 40);
        for seed in 0..seeds {
            let fit = fit(&darks(&truth, 0.02, seed)).unwrap();
            assert_eq!(fit.law.species.len(), 2, "seed {seed}");
            for (s, (held, (electrons, release))) in fit.law.species.iter().zip(truth).enumerate() {
                sums[2 * s] += ((held.electrons.value - electrons) / held.electrons.error).powi(2);
                sums[2 * s + 1] += ((held.release_s.value - release) / held.release_s.error).powi(2);
            }
        }
        // Mean of 40 squared pulls: 1 +- 0.22; errors scaled up where chi-square is above 1 make it smaller, curvature larger.
        for sum in sums {
            let mean = sum / seeds as f64;
            assert!((0.35..2.0).contains(&mean), "mean squared pulls {sums:?} of {seeds}");
        }
    }

    #[test]
    fn no_glow_is_no_law() {
        let error = fit(&darks(&[], 0.02, 5)).unwrap_err();
        assert!(matches!(error, PersistenceError::None { most } if (0.01..10.0).contains(&most)), "{error}");
        assert_eq!(fit(&darks(&[(40.0, 30.0)], 0.02, 5)[..5]).unwrap_err(), PersistenceError::TooFew(5));
        let mut broken = darks(&[(40.0, 30.0)], 0.02, 5);
        broken[3].mean.error = 0.0;
        assert_eq!(fit(&broken).unwrap_err(), PersistenceError::Error { index: 3, error: 0.0 });
    }
}
