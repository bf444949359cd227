//! Which line is where: the pattern of the list laid over the spectrum.
//!
//! # Formula
//! `x(lambda) = x_g(m) + shift + scale (x_g(lambda) - x_g(m))`; the score is `sum w ln(1 + max(z, 0)) / sum w` over features on the frame, `w = root(strength x
//! efficiency)`, less what the same weight finds at random places; then a quadratic through matched peaks.
//! # Symbols
//! x_g  guessed columns;  m  middle of the order;  z  significance of a line ([`super::detect`])
//! # Source
//! Chosen here: logarithms keep one bright line from deciding, weights keep faint ones from gathering hits.
//! # Limits
//! Shift within the search, scale within 1 -+ search. Two places that score within 5 % are an error.

use super::detect::Peak;
use super::line_list::Feature;
use super::ridge_spectrum::RidgeSpectrum;

/// Where features lie.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    /// Guessed columns x_g(m) of the middle.
    pub middle: f64,
    /// Column = middle + c0 + c1 u + c2 u^2 / 100, u = guessed column - middle.
    pub coefficients: [f64; 3],
    /// Score of the best place.
    pub score: f64,
    /// Shift of the best other place, and its score relative to the best.
    pub rival: (f64, f64),
}

impl Pattern {
    /// Column of a guessed column.
    #[must_use]
    pub fn at(&self, guessed: f64) -> f64 {
        let u = guessed - self.middle;
        self.middle + self.coefficients[0] + self.coefficients[1] * u + self.coefficients[2] * 0.01 * u * u
    }
}

/// Features with their guessed columns and weights.
pub type Guessed<'a> = Vec<(&'a Feature, f64, f64)>;

/// Lays the pattern; `None` when no feature falls on the spectrum.
#[must_use]
pub fn lay(spectrum: &RidgeSpectrum, z: &[f64], guessed: &Guessed<'_>, middle: f64, search_px: f64, search_scale: f64) -> Option<Pattern> {
    let light: Vec<f64> = z.iter().map(|v| (1.0 + v.max(0.0)).ln()).collect();
    let mean = light.iter().sum::<f64>() / light.len().max(1) as f64;
    let score = |shift: f64, scale: f64| {
        let (mut sum, mut weight) = (0.0, 0.0);
        for (_, x, w) in guessed {
            let column = middle + shift + scale * (x - middle);
            weight += w;
            sum += w * interpolate(&light, column - spectrum.from as f64).map_or(0.0, |v| v - mean);
        }
        if weight > 0.0 { sum / weight } else { f64::NEG_INFINITY }
    };
    let mut best_of_shift = Vec::new();
    let steps = (search_px / 0.5).ceil() as i32 + 4;
    for i in -steps..=steps {
        let shift = 0.5 * f64::from(i);
        let best = (-16..=16)
            .map(|j| 1.0 + search_scale * 1.15 * f64::from(j) / 16.0)
            .map(|scale| (score(shift, scale), shift, scale))
            .max_by(|a, b| a.0.total_cmp(&b.0))?;
        best_of_shift.push(best);
    }
    let best = best_of_shift.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0))?;
    if !best.0.is_finite() || best.0 <= 0.0 {
        return None;
    }
    let rival = best_of_shift.iter().filter(|b| (b.1 - best.1).abs() > 4.0).max_by(|a, b| a.0.total_cmp(&b.0));
    let rival = rival.map_or((0.0, 0.0), |r| (r.1, (r.0 / best.0).max(0.0)));
    Some(Pattern { middle, coefficients: [best.1, best.2, 0.0], score: best.0, rival })
}

fn interpolate(values: &[f64], at: f64) -> Option<f64> {
    if !(at >= 0.0 && at < values.len() as f64 - 1.0) {
        return None;
    }
    let (i, f) = (at.floor() as usize, at.fract());
    Some(values[i] * (1.0 - f) + values[i + 1] * f)
}

/// Improves a pattern by the peaks within reach of features that stand alone, with reach 4, 2.5 and 1.8 columns in turn.
/// `width` is a line's width: features within three widths of a tenth as strong a one are not used. Returns the features matched.
pub fn refine(pattern: &mut Pattern, guessed: &Guessed<'_>, peaks: &[Peak], width: f64) -> usize {
    let alone: Vec<&(&Feature, f64, f64)> = guessed
        .iter()
        .filter(|(f, x, _)| {
            let closed = f.components.len() == 1 || f.blend_error_nm > 0.0 && f.blend_error_nm < 0.05;
            closed && guessed.iter().all(|(g, y, _)| f.name == g.name || (x - y).abs() > 3.0 * width || g.strength() < 0.1 * f.strength())
        })
        .collect();
    let mut matched = 0;
    for reach in [4.0, 2.5, 1.8] {
        let pairs: Vec<(f64, f64, f64)> = alone
            .iter()
            .filter_map(|(_, x, w)| {
                let at = pattern.at(*x);
                let peak = peaks.iter().filter(|p| (p.x - at).abs() < reach).max_by(|a, b| a.snr.total_cmp(&b.snr))?;
                Some((x - pattern.middle, peak.x - pattern.middle, w.min(20.0)))
            })
            .collect();
        matched = pairs.len();
        let terms = match matched {
            0 | 1 => return matched,
            2 | 3 => 2,
            _ => 3,
        };
        if let Some(c) = weighted(&pairs, terms, pattern.coefficients) {
            pattern.coefficients = c;
        }
    }
    matched
}

/// Corrections to the coefficients with weak priors (shift 10, scale 0.03, curvature 0.03 per 100 columns).
fn weighted(pairs: &[(f64, f64, f64)], terms: usize, start: [f64; 3]) -> Option<[f64; 3]> {
    let priors = [10.0, 0.03, 0.03];
    let mut normal = nalgebra::Matrix3::zeros();
    let mut right = nalgebra::Vector3::zeros();
    for (i, prior) in priors.iter().enumerate() {
        normal[(i, i)] = if i < terms { 1.0 / (prior * prior) } else { 1e12 };
    }
    for &(u, y, w) in pairs {
        let row = nalgebra::Vector3::new(1.0, u, 0.01 * u * u);
        let residual = y - row.dot(&nalgebra::Vector3::from(start));
        normal += row * row.transpose() * w;
        right += row * (w * residual);
    }
    let step = normal.try_inverse()? * right;
    Some([start[0] + step[0], start[1] + step[1], start[2] + step[2]])
}

#[cfg(test)]
mod tests {
    use super::super::detect::{peaks, significance};
    use super::super::line_list::vacuum_list;
    use super::*;

    #[test]
    fn the_pattern_is_found_shifted_and_stretched_and_among_strangers() {
        let list = vacuum_list(0.0);
        let guess = |w: f64| 100.0 + (w - 400.0) / 0.52;
        let guessed: Guessed<'_> = list
            .iter()
            .filter(|f| f.main_nm() > 402.0 && f.main_nm() < 618.0)
            .map(|f| (f, guess(f.main_nm()), f.strength().sqrt()))
            .collect();
        for (shift, scale) in [(13.0, 1.028), (-14.0, 0.973), (3.0, 1.0)] {
            let true_column = |x: f64| 310.0 + shift + scale * (x - 310.0);
            let mut spectrum = RidgeSpectrum { from: 60, rate: vec![0.5; 520], error: vec![0.3; 520], flags: vec![0; 520] };
            let mut add = |x: f64, a: f64| {
                for i in 0..520 {
                    spectrum.rate[i] += a * (-0.5 * ((60.0 + i as f64 - x) / 1.2).powi(2)).exp();
                }
            };
            for (f, x, _) in &guessed {
                add(true_column(*x), 0.5 * f.strength());
            }
            add(205.3, 60.0);
            add(431.1, 30.0);
            let z = significance(&spectrum, 1.2);
            let mut pattern = lay(&spectrum, &z, &guessed, 310.0, 15.0, 0.03).unwrap();
            let matched = refine(&mut pattern, &guessed, &peaks(&spectrum, &z, 6.0), 1.2);
            assert!(matched >= 7, "{matched}");
            let worst = guessed.iter().map(|(_, x, _)| (pattern.at(*x) - true_column(*x)).abs()).fold(0.0, f64::max);
            assert!(worst < 0.5 && pattern.rival.1 < 0.9, "{shift} {scale}: {worst} {pattern:?}");
        }
    }
}
