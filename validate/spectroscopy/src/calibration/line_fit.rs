//! Gaussian fits of lines and blends.
//!
//! # Formula
//! `F(x) = b0 + b1 (x - m) + sum_f A_f sum_c r_c exp(-(x - x_c - delta)^2 / 2 s^2)`: one shift and one width for a group, an amplitude for each feature.
//! # Symbols
//! x_c  columns that the pattern gives to components;  r_c  their strengths, sum 1;  delta  what is measured;  s  width, held near the expected one
//! # Source
//! Levenberg & Marquardt with numerical derivatives.
//! # Limits
//! A Gaussian stands for the line spread. Features closer than 0.8 widths share their light as the list says, with an error of 15 % of their distance.

use super::line_list::Feature;
use super::ridge_spectrum::RidgeSpectrum;
use nalgebra::{DMatrix, DVector};

/// A fitted group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupFit {
    /// Columns from the pattern.
    pub delta: f64,
    /// Its standard error.
    pub error: f64,
    /// Width (Gaussian sigma) \[pixel\].
    pub width: f64,
    /// Light of each feature \[electron / s\].
    pub light: Vec<f64>,
    /// Standard error of each feature's light.
    pub light_error: Vec<f64>,
    /// Chi squared per degree of freedom.
    pub chi2: f64,
}

/// Fits the features (with columns of their components) in one window; `width` is the expected one, held to a tenth; columns within three widths
/// and a half of `others` (lines of other groups) are left out. `None` when fewer than five columns have values or the fit does not settle.
#[must_use]
pub fn fit_group(spectrum: &RidgeSpectrum, components: &[Vec<(f64, f64)>], width: f64, reach: f64, others: &[f64]) -> Option<GroupFit> {
    let columns = || components.iter().flatten().map(|c| c.0);
    let (low, high) = (columns().fold(f64::INFINITY, f64::min), columns().fold(f64::NEG_INFINITY, f64::max));
    let margin = 4.0 * width + reach;
    let data: Vec<(f64, f64, f64)> = ((low - margin).ceil() as i64..=(high + margin).floor() as i64)
        .filter_map(|x| spectrum.index(x).map(|i| (x as f64, spectrum.rate[i], spectrum.error[i])))
        .filter(|(x, f, e)| f.is_finite() && *e > 0.0 && others.iter().all(|o| (x - o).abs() > 3.5 * width))
        .collect();
    let n = components.len() + 4;
    let inside = data.iter().filter(|d| d.0 > low - 1.5 * width && d.0 < high + 1.5 * width).count();
    if data.len() < n + 1 || inside < 3 {
        return None;
    }
    let middle = 0.5 * (low + high);
    let norm = width * (2.0 * std::f64::consts::PI).sqrt();
    let base = data.iter().map(|d| d.1).fold(f64::INFINITY, f64::min);
    let top = data.iter().map(|d| d.1).fold(f64::NEG_INFINITY, f64::max);
    let strengths: Vec<f64> = components.iter().map(|c| c.iter().map(|(_, s)| s).sum()).collect();
    let all: f64 = strengths.iter().sum();
    // Parameters: delta, width, b0, b1, light of each feature.
    let mut p = DVector::from_element(n, 0.0);
    p[1] = width;
    p[2] = base;
    for (k, s) in strengths.iter().enumerate() {
        p[4 + k] = (top - base) * norm * s / all;
    }
    let model = |p: &DVector<f64>, x: f64| {
        let lines: f64 = components
            .iter()
            .enumerate()
            .map(|(k, parts)| {
                let shape: f64 = parts.iter().map(|(c, s)| s * (-0.5 * ((x - c - p[0]) / p[1]).powi(2)).exp()).sum();
                p[4 + k] * shape / strengths[k]
            })
            .sum();
        p[2] + p[3] * (x - middle) + lines / (p[1] * (2.0 * std::f64::consts::PI).sqrt())
    };
    let cost = |p: &DVector<f64>| data.iter().map(|(x, f, e)| ((f - model(p, *x)) / e).powi(2)).sum::<f64>() + prior(p, width, reach);
    let (mut damping, mut now) = (1e-3, cost(&p));
    let mut normal = DMatrix::zeros(n, n);
    for _ in 0..60 {
        let (matrix, right) = normal_equations(&data, &model, &p, width, reach);
        normal = matrix;
        let mut damped = normal.clone();
        for i in 0..n {
            damped[(i, i)] *= 1.0 + damping;
        }
        let mut next = &p + damped.try_inverse()? * right;
        next[1] = next[1].clamp(0.5 * width, 2.0 * width);
        let then = cost(&next);
        if then.is_finite() && then <= now {
            let done = now - then < 1e-6 * now.max(1.0);
            (p, now, damping) = (next, then, damping * 0.2);
            if done {
                break;
            }
        } else {
            damping *= 8.0;
            if damping > 1e8 {
                break;
            }
        }
    }
    let covariance = normal.try_inverse()?;
    let chi2 = now / (data.len() as f64 - n as f64).max(1.0);
    let scale = chi2.max(1.0);
    let error = |i: usize| (covariance[(i, i)] * scale).max(0.0).sqrt();
    let fit = GroupFit {
        delta: p[0],
        error: error(0),
        width: p[1],
        light: p.iter().skip(4).copied().collect(),
        light_error: (4..n).map(error).collect(),
        chi2,
    };
    fit.error.is_finite().then_some(fit)
}

/// Width within a tenth of the expected, shift within the reach.
fn prior(p: &DVector<f64>, width: f64, reach: f64) -> f64 {
    ((p[1] - width) / (0.1 * width)).powi(2) + (p[0] / reach).powi(2)
}

fn normal_equations(
    data: &[(f64, f64, f64)],
    model: &dyn Fn(&DVector<f64>, f64) -> f64,
    p: &DVector<f64>,
    width: f64,
    reach: f64,
) -> (DMatrix<f64>, DVector<f64>) {
    let n = p.len();
    let steps: Vec<f64> = (0..n).map(|i| if i < 2 { 1e-4 } else { 1e-4 * p[i].abs().max(1e-3) }).collect();
    let moved: Vec<DVector<f64>> = (0..n)
        .map(|i| {
            let mut q = p.clone();
            q[i] += steps[i];
            q
        })
        .collect();
    let (mut normal, mut right) = (DMatrix::zeros(n, n), DVector::zeros(n));
    for (x, f, e) in data {
        let at = model(p, *x);
        let row = DVector::from_fn(n, |i, _| (model(&moved[i], *x) - at) / steps[i] / e);
        normal.ger(1.0, &row, &row, 1.0);
        right.axpy((f - at) / e, &row, 1.0);
    }
    normal[(1, 1)] += 1.0 / (0.1 * width).powi(2);
    right[1] -= (p[1] - width) / (0.1 * width).powi(2);
    normal[(0, 0)] += 1.0 / (reach * reach);
    right[0] -= p[0] / (reach * reach);
    (normal, right)
}

/// Features in groups: indices of features whose columns overlap, `(feature, guessed column, weight)` as [`super::identify::Guessed`] has them.
#[must_use]
pub fn groups(guessed: &[(&Feature, f64, f64)], column: &dyn Fn(f64) -> f64, width: f64) -> Vec<Vec<usize>> {
    let extent = |i: usize| {
        let columns = guessed[i].0.components.iter().map(|c| column(c.0));
        columns.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)))
    };
    let mut order: Vec<usize> = (0..guessed.len()).collect();
    order.sort_by(|&a, &b| extent(a).0.total_cmp(&extent(b).0));
    let mut all: Vec<(f64, Vec<usize>)> = Vec::new();
    for i in order {
        let (low, high) = extent(i);
        match all.last_mut() {
            Some((end, members)) if low - *end < 5.0 * width => {
                *end = end.max(high);
                members.push(i);
            }
            _ => all.push((high, vec![i])),
        }
    }
    all.into_iter().map(|(_, members)| members).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blend_of_unknown_ratio_gives_the_shift_and_the_light() {
        // H-alpha with the [N II] pair at 0.82 nm a pixel, moved by 0.37 pixels.
        let x = |w: f64| 100.0 + (w - 656.461) / 0.82;
        let truth = |column: f64| {
            let g = |c: f64| (-0.5 * ((column - c - 0.37) / 1.2).powi(2)).exp() / (1.2 * (2.0 * std::f64::consts::PI).sqrt());
            3.0 + 0.02 * (column - 100.0) + 200.0 * g(x(656.461)) + 90.0 * g(x(658.527)) + 90.0 / 2.96 * g(x(654.986))
        };
        let rate: Vec<f64> = (60..140).map(|c| truth(f64::from(c))).collect();
        let spectrum = RidgeSpectrum { from: 60, error: vec![0.3; rate.len()], flags: vec![0; rate.len()], rate };
        let components = vec![vec![(x(656.461), 290.0)], vec![(x(658.527), 60.0), (x(654.986), 60.0 / 2.96)]];
        let fit = fit_group(&spectrum, &components, 1.15, 2.0, &[]).unwrap();
        assert!((fit.delta - 0.37).abs() < 0.01, "{fit:?}");
        assert!((fit.light[0] - 200.0).abs() < 3.0 && (fit.light[1] - 90.0 * (1.0 + 1.0 / 2.96)).abs() < 3.0, "{fit:?}");
        assert!(fit.error > 0.0 && fit.error < 0.05);
    }
}
