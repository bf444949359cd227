//! Shifts of boundaries from changes of area.
//!
//! # Formula
//! Changes of area are fewer than shifts: `a_ij` fixes the divergence of the shifts alone. First a slab of silicon is fitted to them
//! (thickness, height of the charge, two barriers, strength), which says how the shifts divide between columns and rows; then the gradient
//! of a potential `P`, `P(i, j) - P(i + 1, j)`, takes what the slab left of every area, so that all areas are those measured.
//! # Source
//! The slab: Astier & Regnault 2023 (A&A 670, A118), whose fit of electrostatics this follows; the potential: Coulton et al. 2018
//! (AJ 155, 258). Alone, the potential gives the sizes of stars but not their shapes where columns and rows differ.
//! # Limits
//! Weak priors (a factor of 2 to 4) keep parameters that areas do not fix in the range of real devices; the cloud is half a pixel wide.

use crate::flat_covariance::LAGS;
use instruments::effects::brighter_fatter::electrostatics::Slab;
use instruments::effects::brighter_fatter::shifts::{BoundaryShifts, REACH};
use nalgebra::{DMatrix, DVector, SMatrix, SVector};
use sim_core::knowledge::Measured;

/// Logarithms fitted: thickness, height of the charge, barriers of columns and of rows.
const SHAPE: usize = 4;
/// Where they start and how far they may lie from there.
const PRIOR: [(f64, f64); SHAPE] = [(2.0, 1.5), (0.15, 0.7), (0.15, 0.7), (0.15, 0.7)];
/// Width of the cloud of charge \[pixel\].
const CLOUD: f64 = 0.5;
/// Share of an area that is the error of the slab.
const MODEL_ERROR: f64 = 0.01;
/// Rounds of the fit at most.
const ROUNDS: usize = 40;
/// Difference for derivatives.
const DIFFERENCE: f64 = 1e-3;
/// Heights end below the thickness.
const HIGHEST: f64 = 0.8;

type Residuals = SVector<f64, { LAGS * LAGS + SHAPE }>;

/// The shifts and how they were found.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundaryFit {
    /// The shifts.
    pub shifts: BoundaryShifts,
    /// The slab fitted, lengths in pixels.
    pub slab: Slab,
    /// Chi-square per degree of freedom of the slab alone.
    pub slab_chi2: f64,
    /// Root mean square of what the potential had to add, over that of the shifts.
    pub remainder: f64,
}

struct Problem {
    area: [[f64; LAGS]; LAGS],
    error: [[f64; LAGS]; LAGS],
}

impl Problem {
    fn slab(p: &SVector<f64, SHAPE>) -> Slab {
        let [thickness, charge, column, row] = [p[0].exp(), p[1].exp(), p[2].exp(), p[3].exp()];
        let most = HIGHEST * thickness;
        Slab {
            thickness,
            charge_height: charge.min(most),
            cloud_width: CLOUD,
            column_barrier: column.min(most),
            row_barrier: row.min(most),
        }
    }
    /// The shifts of a slab of the strength that fits best.
    fn shifts(&self, p: &SVector<f64, SHAPE>) -> Option<BoundaryShifts> {
        let unit = Self::slab(p).shifts(1.0)?;
        let (mut both, mut own) = (0.0, 0.0);
        for j in 0..LAGS {
            for i in 0..LAGS {
                let (model, weight) = (unit.area(i, j), self.error[j][i].powi(-2));
                both += weight * model * self.area[j][i];
                own += weight * model * model;
            }
        }
        (own > 0.0).then(|| unit.times(both / own))
    }
    fn residuals(&self, p: &SVector<f64, SHAPE>) -> Option<Residuals> {
        let shifts = self.shifts(p)?;
        let mut out = Residuals::zeros();
        for j in 0..LAGS {
            for i in 0..LAGS {
                out[j * LAGS + i] = (self.area[j][i] - shifts.area(i, j)) / self.error[j][i];
            }
        }
        for (k, (centre, width)) in PRIOR.into_iter().enumerate() {
            out[LAGS * LAGS + k] = (p[k] - centre.ln()) / width;
        }
        Some(out)
    }
}

/// The slab that fits best.
fn fit_slab(problem: &Problem) -> Option<(SVector<f64, SHAPE>, f64)> {
    let mut p = SVector::<f64, SHAPE>::from_fn(|k, _| PRIOR[k].0.ln());
    let mut residuals = problem.residuals(&p)?;
    let mut damping = 1e-2;
    for _ in 0..ROUNDS {
        let mut jacobian = SMatrix::<f64, { LAGS * LAGS + SHAPE }, SHAPE>::zeros();
        for k in 0..SHAPE {
            let mut moved = p;
            moved[k] += DIFFERENCE;
            jacobian.set_column(k, &((problem.residuals(&moved)? - residuals) / DIFFERENCE));
        }
        let (curvature, slope) = (jacobian.transpose() * jacobian, jacobian.transpose() * residuals);
        let mut gained = 0.0;
        while damping < 1e8 {
            let mut matrix = curvature;
            for k in 0..SHAPE {
                matrix[(k, k)] *= 1.0 + damping;
            }
            let step = matrix.cholesky()?.solve(&slope);
            let trial = p - step.map(|d| d.clamp(-0.7, 0.7));
            if let Some(found) = problem.residuals(&trial)
                && found.norm_squared() < residuals.norm_squared()
            {
                gained = 1.0 - found.norm_squared() / residuals.norm_squared();
                (p, residuals) = (trial, found);
                damping = (damping * 0.2_f64).max(1e-9);
                break;
            }
            damping *= 6.0;
        }
        if gained < 1e-6 {
            break;
        }
    }
    let chi2 = residuals.rows(0, LAGS * LAGS).norm_squared() / (LAGS * LAGS - SHAPE - 1) as f64;
    Some((p, chi2))
}

/// Shifts that are the gradient of a potential and give changes of area.
#[must_use]
pub fn of_potential(area: &[[f64; LAGS]; LAGS]) -> Option<BoundaryShifts> {
    // A potential of one quadrant, 0 beyond the lags: as many unknowns as areas.
    let index = |i: isize, j: isize| {
        let (i, j) = (i.unsigned_abs(), j.unsigned_abs());
        (i < LAGS && j < LAGS).then_some(j * LAGS + i)
    };
    let mut matrix = DMatrix::zeros(LAGS * LAGS, LAGS * LAGS);
    for j in 0..LAGS as isize {
        for i in 0..LAGS as isize {
            let row = j as usize * LAGS + i as usize;
            for (di, dj, weight) in [(0, 0, -4.0), (1, 0, 1.0), (-1, 0, 1.0), (0, 1, 1.0), (0, -1, 1.0)] {
                if let Some(column) = index(i + di, j + dj) {
                    matrix[(row, column)] += weight;
                }
            }
        }
    }
    let wanted = DVector::from_fn(LAGS * LAGS, |k, _| area[k / LAGS][k % LAGS]);
    let potential = matrix.lu().solve(&wanted)?;
    let at = |i: usize, j: usize| if i < LAGS && j < LAGS { potential[j * LAGS + i] } else { 0.0 };
    let mut shifts = BoundaryShifts::default();
    for k in 0..REACH {
        for l in 0..LAGS.min(REACH + 1) {
            shifts.between_columns[k][l] = at(k, l) - at(k + 1, l);
            shifts.between_rows[k][l] = at(l, k) - at(l, k + 1);
        }
    }
    Some(shifts)
}

fn plus(a: &BoundaryShifts, b: &BoundaryShifts) -> BoundaryShifts {
    let mut out = *a;
    for k in 0..REACH {
        for l in 0..=REACH {
            out.between_columns[k][l] += b.between_columns[k][l];
            out.between_rows[k][l] += b.between_rows[k][l];
        }
    }
    out
}

fn size(shifts: &BoundaryShifts) -> f64 {
    shifts.between_columns.iter().chain(&shifts.between_rows).flatten().map(|v| v * v).sum::<f64>().sqrt()
}

/// Fits shifts to changes of area `[j][i]`; `None` when the areas are not finite or no slab repels.
#[must_use]
pub fn fit(area: &[[Measured; LAGS]; LAGS]) -> Option<BoundaryFit> {
    let own = area[0][0].value.abs();
    let value = area.map(|line| line.map(|m| m.value));
    // No lag is better than a millionth of the greatest.
    let error = area.map(|line| line.map(|m| m.error.hypot(MODEL_ERROR * m.value).max(1e-6 * own)));
    if !(own > 0.0 && value.iter().flatten().all(|v| v.is_finite()) && error.iter().flatten().all(|v| v.is_finite())) {
        return None;
    }
    let problem = Problem { area: value, error };
    let (p, slab_chi2) = fit_slab(&problem)?;
    let slab_shifts = problem.shifts(&p)?;
    let left = std::array::from_fn(|j| std::array::from_fn(|i| value[j][i] - slab_shifts.area(i, j)));
    let rest = of_potential(&left)?;
    let shifts = plus(&slab_shifts, &rest);
    Some(BoundaryFit { shifts, slab: Problem::slab(&p), slab_chi2, remainder: size(&rest) / size(&shifts) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn areas(shifts: &BoundaryShifts) -> [[Measured; LAGS]; LAGS] {
        std::array::from_fn(|j| std::array::from_fn(|i| Measured { value: shifts.area(i, j), error: 1e-11 }))
    }

    fn truth() -> BoundaryShifts {
        // Another cloud than the fit believes in.
        Slab { thickness: 1.6, charge_height: 0.1, cloud_width: 0.6, column_barrier: 0.3, row_barrier: 0.1 }.shifts(3e-6).unwrap()
    }

    #[test]
    fn a_slab_gives_its_shifts_back() {
        let truth = truth();
        let fit = fit(&areas(&truth)).unwrap();
        assert!((fit.slab.thickness / 1.6 - 1.0).abs() < 0.02, "{fit:?}");
        for (found, truth) in [(fit.shifts.between_columns, truth.between_columns), (fit.shifts.between_rows, truth.between_rows)] {
            assert!((found[0][0] / truth[0][0] - 1.0).abs() < 0.01, "{found:?} {truth:?}");
        }
        for j in 0..LAGS {
            for i in 0..LAGS {
                assert!((fit.shifts.area(i, j) - truth.area(i, j)).abs() < 2e-9, "all areas are those measured");
            }
        }
        assert!(fit.slab_chi2 < 2.0 && fit.remainder < 0.02, "{fit:?}");
    }

    #[test]
    fn a_potential_alone_divides_shifts_evenly() {
        let truth = truth();
        let area = areas(&truth).map(|line| line.map(|m| m.value));
        let found = of_potential(&area).unwrap();
        for j in 0..LAGS - 1 {
            for i in 0..LAGS - 1 {
                assert!((found.area(i, j) - truth.area(i, j)).abs() < 1e-15, "lag {i} {j}");
            }
        }
        // Boundaries between columns move 559, those between rows 942 in 1e9: the potential makes them more alike.
        let ratio = |s: &BoundaryShifts| s.between_rows[0][0] / s.between_columns[0][0];
        assert!(ratio(&truth) > 1.6 && ratio(&found) < 1.3, "{} {}", ratio(&truth), ratio(&found));
    }

    #[test]
    fn areas_that_say_nothing_are_refused() {
        let none = [[Measured { value: 0.0, error: 1e-9 }; LAGS]; LAGS];
        assert_eq!(fit(&none), None);
        let mut broken = areas(&truth());
        broken[2][2].value = f64::NAN;
        assert_eq!(fit(&broken), None);
    }
}
