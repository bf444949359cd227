//! The response of an output amplifier, and its section's full well, from a ramp of flats.
//!
//! # Formula
//! Every flat fit for use ([`crate::ramp_choice`]) gives one equation, linear in what is not known:
//! `R L t + Q L + D = F (P_1 + sum over k = 1..d of b_k P_(k+1))`, solved by weighted least squares for the rate `R`, the
//! shutter's `Q = R e` and the terms `b_k` of the correction `c = m (1 + sum b_k (m / F)^k)`. The degree d is given, or the
//! smallest that no higher one beats by 9 in chi-square per term (3 sigma). Full well: mean of the linear counts of flats that
//! asked for at least 1.1 times as much as they show.
//! # Symbols
//! `L` lamp setting; `t` nominal time \[s\]; `e` excess time of the shutter \[s\]; `D` dark counts \[ADU\]; `m` counts above bias, `P_k` their
//! mean powers, `F` scale ([`crate::flat_ramp`]); `c` linear counts
//! # Source
//! Ramps of flats against known times: Janesick, Photon Transfer (SPIE 2007), ch. 7; with an unknown shutter: Stetson 1989.
//! # Limits
//! The lamp is steady: its error per exposure can be given. What can be told apart: terms from the rate by their powers, the
//! excess time from the terms because it is a constant while they bend (two times at least; with one time it is part of the
//! rate). What cannot: a factor common to all signals, which is why the slope at no signal is 1 by convention and the factor is
//! the gain's; a pedestal left by the bias from `Q`, where the lamp has one setting (harmless: both are constants).
//! Counts beyond the brightest flat used are not calibrated.

use crate::flat_ramp::{POWERS, RampLevel, SCALE_ADU};
use crate::ramp_choice::{Refusal, choose};
use nalgebra::{DMatrix, DVector};
use sim_core::detector::ReadoutLayout;
use sim_core::knowledge::{AmplifierLinearity, FullWell, FullWells, Linearity, Measured};

/// Chi-square that each further term must take off.
const WORTH: f64 = 9.0;
/// A flat is full when it asked for so many times what it shows.
const FULL: f64 = 1.1;
/// Smallest over greatest singular value of the equations, columns normed.
const CONDITION: f64 = 1e-10;
/// Terms tried when no degree is given.
const TERMS_TRIED: usize = 5;

/// What is asked of a fit.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RampOptions {
    /// Terms of the correction; `None`: by chi-square.
    pub degree: Option<usize>,
    /// Relative scatter of the lamp from exposure to exposure.
    pub lamp_error: f64,
    /// Read noise \[ADU\].
    pub read_noise_adu: f64,
}

/// Why a ramp could not be fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RampError {
    /// Too few levels are left.
    #[error("linearity: {levels} levels of light for {unknowns} unknowns, needs {}; refused: {refused}", unknowns + 1)]
    TooFew {
        /// Distinct levels.
        levels: usize,
        /// What is to be fitted.
        unknowns: usize,
        /// Flats refused, with reasons, in words.
        refused: String,
    },
    /// The degree asked for is out of range.
    #[error("linearity: degree = {0} is outside 0..{most}", most = POWERS - 1)]
    Degree(usize),
    /// A weight makes no sense.
    #[error("linearity: flat {index}: noise {noise_adu2} ADU^2 is not above 0")]
    Noise {
        /// Flat.
        index: usize,
        /// Given.
        noise_adu2: f64,
    },
    /// The equations do not determine the unknowns.
    #[error("linearity: the levels do not tell {unknowns} unknowns apart; spread exposure times and lamp settings")]
    Degenerate {
        /// What was to be fitted.
        unknowns: usize,
    },
}

/// What a ramp gave for one amplifier.
#[derive(Debug, Clone, PartialEq)]
pub struct RampFit {
    /// The correction.
    pub linearity: AmplifierLinearity,
    /// Counts per second and lamp unit \[ADU / s\].
    pub rate: Measured,
    /// Excess time of the shutter, mean of the section \[s\]; `None` with a single exposure time.
    pub excess_s: Option<Measured>,
    /// Chi-square per degree of freedom; errors are scaled with it where it is above 1.
    pub reduced_chi2: f64,
    /// Flats used, by their index.
    pub used: Vec<usize>,
    /// Flats not used.
    pub refused: Vec<(usize, Refusal)>,
    /// Full well in linear counts and the scatter of full pixels \[ADU\]; `None` when no flat is full.
    pub full_well_adu: Option<(Measured, f64)>,
}

/// One solution.
struct Solution {
    values: DVector<f64>,
    covariance: DMatrix<f64>,
    chi2: f64,
    residual: f64,
}

struct Problem<'a> {
    levels: Vec<&'a RampLevel>,
    /// Variance of a pixel's share in the mean of each level \[ADU^2\].
    noise_adu2: Vec<f64>,
    lamp_error: f64,
    with_shutter: bool,
}

impl Problem<'_> {
    fn unknowns(&self, degree: usize) -> usize {
        1 + usize::from(self.with_shutter) + degree
    }
    /// Weighted least squares for a degree, in units of the scale.
    fn solve(&self, degree: usize) -> Option<Solution> {
        let (rows, columns) = (self.levels.len(), self.unknowns(degree));
        let mut design = DMatrix::<f64>::zeros(rows, columns);
        let mut right = DVector::<f64>::zeros(rows);
        for (j, level) in self.levels.iter().enumerate() {
            let error = (self.noise_adu2[j] / level.sums.pixels).sqrt().hypot(self.lamp_error * level.mean_adu()) / SCALE_ADU;
            let terms = (0..degree).map(|k| -level.power(k + 2));
            let shutter = self.with_shutter.then_some(level.lamp);
            for (i, value) in std::iter::once(level.asked()).chain(shutter).chain(terms).enumerate() {
                design[(j, i)] = value / error;
            }
            right[j] = (level.power(1) - level.dark_adu / SCALE_ADU) / error;
        }
        let norms: Vec<f64> = design.column_iter().map(|c| c.norm()).collect();
        for (mut column, norm) in design.column_iter_mut().zip(&norms) {
            column /= *norm;
        }
        let svd = design.clone().svd(true, true);
        let (greatest, smallest) = (svd.singular_values.max(), svd.singular_values.min());
        if smallest.is_nan() || smallest <= CONDITION * greatest {
            return None;
        }
        let solution = svd.solve(&right, 0.0).ok()?;
        let residuals = &right - &design * &solution;
        let weight = |j: usize, level: &RampLevel| residuals[j] / right[j] * (1.0 - level.dark_adu / level.mean_adu());
        let residual = self.levels.iter().enumerate().map(|(j, l)| weight(j, l).abs()).fold(0.0, f64::max);
        let v = svd.v_t?.transpose();
        let scaled = DMatrix::from_fn(columns, columns, |i, k| v[(i, k)] / svd.singular_values[k]);
        let covariance = DMatrix::from_fn(columns, columns, |i, k| scaled.row(i).dot(&scaled.row(k)) / (norms[i] * norms[k]));
        let values = DVector::from_fn(columns, |i, _| solution[i] / norms[i]);
        Some(Solution { values, covariance, chi2: residuals.norm_squared(), residual })
    }
    /// The smallest degree that no higher one beats by enough.
    fn degree(&self, most: usize) -> Option<usize> {
        let chi2: Vec<f64> = (0..=most).map_while(|d| self.solve(d).map(|s| s.chi2)).collect();
        let last = chi2.len().checked_sub(1)?;
        let freedom = (self.levels.len() - self.unknowns(last)).max(1) as f64;
        let unit = (chi2[last] / freedom).max(1.0);
        (0..=last).find(|&d| (d + 1..=last).all(|higher| chi2[d] - chi2[higher] <= WORTH * unit * (higher - d) as f64))
    }
}

/// Variance of a pixel's share in the mean of many: that of its light. The scatter of single pixels falls short of it in bright flats, where
/// pixels share electrons with their neighbours (brighter-fatter), and the mean does not gain by that. Variance over mean of the faintest
/// quarter of the levels, where it matters least, stands for all.
fn light_noise_adu2(levels: &[&RampLevel], read_noise_adu: f64) -> Vec<f64> {
    let read2 = read_noise_adu * read_noise_adu;
    let mut ratios: Vec<(f64, f64, f64)> = levels
        .iter()
        .filter(|l| l.mean_adu() > 0.0)
        .map(|l| (l.mean_adu(), (l.noise_adu2 - read2) / l.mean_adu(), l.sums.pixels * (l.mean_adu() / l.noise_adu2).powi(2)))
        .collect();
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    ratios.truncate(levels.len().div_ceil(4).max(2));
    let weight: f64 = ratios.iter().map(|r| r.2).sum();
    let ratio = if weight > 0.0 { ratios.iter().map(|r| r.1 * r.2).sum::<f64>() / weight } else { 0.0 };
    levels.iter().map(|l| l.noise_adu2.max(read2 + ratio * l.mean_adu())).collect()
}

/// Fits the ramp of one amplifier.
///
/// # Errors
/// When too few levels are fit for use, or they do not tell the unknowns apart.
pub fn fit(levels: &[RampLevel], options: &RampOptions) -> Result<RampFit, RampError> {
    if let Some(degree) = options.degree.filter(|&d| d > POWERS - 1) {
        return Err(RampError::Degree(degree));
    }
    let is_positive = |v: f64| v > 0.0 && v.is_finite();
    if let Some((index, level)) = levels.iter().enumerate().find(|(_, l)| !is_positive(l.noise_adu2)) {
        return Err(RampError::Noise { index, noise_adu2: level.noise_adu2 });
    }
    let (used, refused) = choose(levels, options.read_noise_adu);
    let chosen: Vec<&RampLevel> = used.iter().map(|&i| &levels[i]).collect();
    let distinct = |of: &dyn Fn(&RampLevel) -> f64| {
        let mut values: Vec<f64> = chosen.iter().map(|l| of(l)).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        values.len()
    };
    let distinct_levels = distinct(&|l| l.asked());
    let noise_adu2 = light_noise_adu2(&chosen, options.read_noise_adu);
    let problem = Problem { with_shutter: distinct(&|l| l.time_s) > 1, levels: chosen, noise_adu2, lamp_error: options.lamp_error };
    let enough = |degree: usize| distinct_levels > problem.unknowns(degree);
    let least = options.degree.unwrap_or(1);
    if !enough(least) {
        let words: Vec<String> = refused.iter().map(|(i, reason)| format!("flat {i}: {reason}")).collect();
        let refused = if words.is_empty() { "none".into() } else { words.join("; ") };
        return Err(RampError::TooFew { levels: distinct_levels, unknowns: problem.unknowns(least), refused });
    }
    let most = (1..=TERMS_TRIED).take_while(|&d| enough(d)).last().unwrap_or(0);
    let degenerate = RampError::Degenerate { unknowns: problem.unknowns(least) };
    let degree = options.degree.or_else(|| problem.degree(most)).ok_or(degenerate.clone())?;
    let Solution { values, covariance, chi2, residual } = problem.solve(degree).ok_or(degenerate)?;
    let freedom = problem.levels.len() - problem.unknowns(degree);
    let reduced_chi2 = if freedom > 0 { chi2 / freedom as f64 } else { 0.0 };
    let covariance = covariance * reduced_chi2.max(1.0);
    let first = problem.unknowns(0);
    let measured = |i: usize| Measured { value: values[i], error: covariance[(i, i)].sqrt() };
    let terms = covariance.view((first, first), (degree, degree));
    let linearity = AmplifierLinearity {
        coefficients: (first..first + degree).map(measured).collect(),
        covariance: terms.transpose().iter().copied().collect(),
        ceiling_adu: problem.levels.iter().map(|l| l.mean_adu()).fold(0.0, f64::max),
        residual,
    };
    let rate = Measured { value: SCALE_ADU * values[0], error: SCALE_ADU * measured(0).error };
    let excess_s = problem.with_shutter.then(|| {
        let (r, q) = (values[0], values[1]);
        let excess = q / r;
        // Var(q - e r) / r^2.
        let variance = covariance[(1, 1)] - 2.0 * excess * covariance[(0, 1)] + excess * excess * covariance[(0, 0)];
        Measured { value: excess, error: variance.max(0.0).sqrt() / r }
    });
    let full_well_adu = full_well(levels, &refused, &linearity.values(), rate.value);
    Ok(RampFit { linearity, rate, excess_s, reduced_chi2, used, refused, full_well_adu })
}

/// Full well from the flats that are full but not at the converter's ceiling.
fn full_well(levels: &[RampLevel], refused: &[(usize, Refusal)], terms: &[f64], rate: f64) -> Option<(Measured, f64)> {
    let full: Vec<(f64, f64, f64)> = refused
        .iter()
        .map(|&(index, _)| &levels[index])
        .filter(|l| l.at_ceiling() == 0.0 && l.mean_adu() > 0.0)
        .map(|l| (l.linear_adu(terms), rate * l.asked(), l.sums.pixels))
        .filter(|&((mean, _), asked, _)| asked > FULL * mean)
        .map(|((mean, scatter), _, pixels)| (mean, scatter, pixels))
        .collect();
    if full.is_empty() {
        return None;
    }
    let count = full.len() as f64;
    let mean = full.iter().map(|f| f.0).sum::<f64>() / count;
    let scatter = full.iter().map(|f| f.1).fold(0.0, f64::max);
    let between = full.iter().map(|f| (f.0 - mean).powi(2)).sum::<f64>() / count;
    let within = full.iter().map(|f| f.1 * f.1 / f.2).sum::<f64>() / count;
    let error = ((between + within) / count).sqrt();
    Some((Measured { value: mean, error }, scatter))
}

/// What the fits of all tiles of a layout say about the amplifiers' responses.
#[must_use]
pub fn linearity(layout: &ReadoutLayout, fits: &[RampFit]) -> Linearity {
    let mut amplifiers = vec![None; layout.amplifier_count];
    for (tile, fit) in layout.tiles.iter().zip(fits) {
        amplifiers[tile.amplifier] = Some(fit.linearity.clone());
    }
    Linearity { scale_adu: SCALE_ADU, amplifiers }
}

/// The full wells in electrons, with the measured gain of every amplifier.
#[must_use]
pub fn full_wells(layout: &ReadoutLayout, fits: &[RampFit], gain: &[Measured]) -> FullWells {
    let mut amplifiers = vec![None; layout.amplifier_count];
    for (tile, fit) in layout.tiles.iter().zip(fits) {
        // The error of the gain moves full pixels and their level alike: it is not part of this one.
        let gain = gain[tile.amplifier].value;
        amplifiers[tile.amplifier] = fit.full_well_adu.map(|(well, scatter)| FullWell {
            capacity: Measured { value: gain * well.value, error: gain * well.error },
            scatter_electron: gain * scatter,
        });
    }
    FullWells { amplifiers }
}

#[cfg(test)]
mod tests;
