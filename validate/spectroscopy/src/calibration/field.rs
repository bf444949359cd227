//! Trace and dispersion over the field of a grating.
//!
//! # Formula
//! `y - y0 = sum_k t^k P_k(x0, y0)` through all points of all ridges, `lambda = sum_k t^k Q_k(x0, y0)` through all lines, with
//! `x - x0 = X_0 + X_1 t` (X_0, X_1 from the nominal order, moved so that t from 0 to 1 covers its wavelengths). Points of one position share an error of
//! variance tau^2 (its reference position, its nebula), found from the scatter of positions.
//! # Symbols
//! P_k, Q_k  field polynomials, degree `field_degree` for k of 0 and 1, at most `field_degree_high` above
//! # Source
//! The toolkit's third function; the model of Pirzkal & Ryan 2017. Leave-one-out: each position predicted by the others.
//! # Limits
//! One more position than terms of the field at least. Beyond the positions polynomials are continued: the report has the range of positions.

use super::cutout::median;
use super::error::CalibrationError;
use super::field_design::{Design, count};
use super::frames::Calibrator;
use super::linear::{Equation, Solution, solve};
use super::measure::PositionMeasurement;
use super::report::{CrossValidation, FieldReport};
use super::settings::Settings;
use super::trace::Fate;
use nalgebra::{DMatrix, DVector};
use sim_core::dispersion::{FieldPolynomial, Order};

/// Speed of light \[km/s\].
const C_KM_S: f64 = 299_792.458;

/// An order fitted over the field.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderField {
    /// The order, with the nominal efficiency.
    pub order: Order,
    /// How the trace was fitted.
    pub trace: FieldReport,
    /// How the wavelength was fitted.
    pub wavelength: FieldReport,
}

struct Fitted {
    design: Design,
    solution: Solution,
    tau: f64,
    used: Vec<bool>,
    positions: Vec<usize>,
}

/// Fits an order to all positions that measured it; traces come from nebulae and stars, wavelengths from nebulae.
///
/// # Errors
/// [`CalibrationError::TooFewPositions`], [`CalibrationError::Degenerate`] (positions on a line).
pub fn fit_field(positions: &[PositionMeasurement], nominal: &Order, settings: &Settings) -> Result<OrderField, CalibrationError> {
    settings.check()?;
    let mut x = [nominal.x.first().cloned(), Some(sum_of_higher(&nominal.x))].map(|p| p.unwrap_or_else(zero));
    let lines = lines_of(positions, nominal.number);
    let points = points_of(positions, nominal.number);
    let (degree, high) = (settings.field_degree, settings.field_degree_high.min(settings.field_degree));
    let degrees = |powers: usize| (0..=powers).map(|k| if k < 2 { degree } else { high }).collect::<Vec<_>>();
    let setup = Setup { settings, order: nominal.number, centre: field_of(positions) };
    let mut wavelength = setup.fit("dispersion", &lines, &x, degrees(settings.dispersion_degree))?;
    // The parameter again, so that 0 and 1 are the nominal ends in wavelength: the mean over positions, and two pixels.
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    for &p in &wavelength.positions {
        let (x0, y0) = (positions[p].x0, positions[p].y0);
        let trace = nominal.trace(x0, y0);
        let coefficients = at_place(&wavelength, x0, y0);
        starts.push(invert(&coefficients, trace.wavelength_nm(0.0), 0.0));
        ends.push(invert(&coefficients, trace.wavelength_nm(1.0), 1.0));
    }
    let (a, b) = (median(&mut starts), median(&mut ends));
    if a.is_finite() && b.is_finite() && (a.abs() < 0.3) && (b - 1.0).abs() < 0.3 {
        let pad = 2.0 / x[1].at(setup.centre.0.0, setup.centre.0.1).abs();
        let (a, b) = (a - pad, b + pad);
        x = [combine(&x[0], &x[1], a), scaled(&x[1], b - a)];
        wavelength = setup.fit("dispersion", &lines, &x, degrees(settings.dispersion_degree))?;
    }
    let trace = setup.fit("trace", &points, &x, degrees(settings.trace_degree))?;
    let slope = |p: &Sample, fit: &Solution, design: &Design| wavelength_slope(p, fit, design, &x);
    let wavelength_report = setup.report(positions, &lines, &wavelength, &x, &|s, f, d| slope(s, f, d).abs(), true)?;
    let trace_report = setup.report(positions, &points, &trace, &x, &|_, _, _| 1.0, false)?;
    let order = Order {
        number: nominal.number,
        x: x.to_vec(),
        y: polynomials(&trace, "trace")?,
        wavelength_nm: polynomials(&wavelength, "dispersion")?,
        efficiency: nominal.efficiency.clone(),
    };
    Ok(OrderField { order, trace: trace_report, wavelength: wavelength_report })
}

/// The zeroth order over the field: constant dispersion of the nominal order, place from the measured points.
///
/// # Errors
/// [`CalibrationError::TooFewPositions`], [`CalibrationError::Degenerate`].
pub fn fit_zeroth(positions: &[PositionMeasurement], nominal: &Order, settings: &Settings) -> Result<Order, CalibrationError> {
    let setup = Setup { settings, order: 0, centre: field_of(positions) };
    let constant = [zero(), FieldPolynomial::new(vec![1.0]).unwrap_or_else(zero)];
    let sample = |pick: &dyn Fn(&super::zeroth::Zeroth) -> f64| -> Vec<Sample> {
        let measured = positions.iter().enumerate().filter_map(|(i, p)| Some((i, p, p.order(0)?.zeroth?)));
        measured.map(|(position, p, z)| Sample { position, x0: p.x0, y0: p.y0, dx: 0.0, value: pick(&z), error: z.error }).collect()
    };
    let mut fits = Vec::new();
    for samples in [sample(&|z| z.dx), sample(&|z| z.dy)] {
        let fit = setup.fit("zeroth order", &samples, &constant, vec![settings.field_degree])?;
        fits.extend(polynomials(&fit, "zeroth order")?);
    }
    // The nominal order's length about its own middle; its middle goes where it was measured.
    let about_middle = |powers: &[FieldPolynomial], place: FieldPolynomial| {
        let middle = powers.iter().skip(1).enumerate().fold(place, |sum, (k, p)| combine(&sum, p, -(0.5_f64.powi(k as i32 + 1))));
        std::iter::once(middle).chain(powers.iter().skip(1).cloned()).collect::<Vec<_>>()
    };
    let y = fits.pop().unwrap_or_else(zero);
    let x = fits.pop().unwrap_or_else(zero);
    Ok(Order { x: about_middle(&nominal.x, x), y: about_middle(&nominal.y, y), ..nominal.clone() })
}

struct Sample {
    position: usize,
    x0: f64,
    y0: f64,
    dx: f64,
    value: f64,
    error: f64,
}

struct Setup<'a> {
    settings: &'a Settings,
    order: i32,
    centre: ((f64, f64), f64),
}

impl Setup<'_> {
    fn equations(&self, samples: &[Sample], design: &Design, x: &[FieldPolynomial; 2]) -> Vec<Equation> {
        samples
            .iter()
            .map(|s| Equation { row: design.row(s.x0, s.y0, parameter(s, x)), value: s.value, error: s.error, group: s.position })
            .collect()
    }

    fn fit(
        &self,
        what: &'static str,
        samples: &[Sample],
        x: &[FieldPolynomial; 2],
        degrees: Vec<usize>,
    ) -> Result<Fitted, CalibrationError> {
        let need = count(degrees[0]) + 1;
        let few = |have| CalibrationError::TooFewPositions { what, order: self.order, have, need, degree: degrees[0] };
        let all = positions_of(samples, &vec![true; samples.len()]);
        if all.len() < need {
            return Err(few(all.len()));
        }
        let name = format!("{what} of order {} over the field", self.order);
        let design = Design { centre: self.centre.0, half: self.centre.1, degrees: degrees.clone() };
        let equations = self.equations(samples, &design, x);
        let (mut used, mut tau) = (vec![true; samples.len()], 0.0);
        let mut solution = solve(&equations.iter().collect::<Vec<_>>(), tau, &name)?;
        for _ in 0..8 {
            tau = shared_error(&equations, &used, &solution, count(degrees[0]));
            let means = group_means(&equations, &used, &solution);
            let mut sizes: Vec<f64> = means.iter().map(|m| m.1.abs()).collect();
            let spread = 1.4826 * median(&mut sizes);
            let strange: Vec<usize> =
                means.iter().filter(|m| m.1.abs() > 2.0 * self.settings.clip * spread && means.len() > need + 1).map(|m| m.0).collect();
            let now: Vec<bool> = equations
                .iter()
                .map(|e| {
                    let limit = self.settings.clip * e.error.hypot(tau);
                    e.residual(&solution.parameters).abs() <= limit && !strange.contains(&e.group)
                })
                .collect();
            let left = positions_of(samples, &now).len();
            if left < need {
                return Err(few(left));
            }
            let same = now == used;
            used = now;
            let chosen: Vec<&Equation> = equations.iter().zip(&used).filter(|(_, u)| **u).map(|(e, _)| e).collect();
            solution = solve(&chosen, tau, &name)?;
            if same {
                break;
            }
        }
        let positions = positions_of(samples, &used);
        Ok(Fitted { design, solution, tau, used, positions })
    }

    fn report(
        &self,
        positions: &[PositionMeasurement],
        samples: &[Sample],
        fit: &Fitted,
        x: &[FieldPolynomial; 2],
        per_pixel: &dyn Fn(&Sample, &Solution, &Design) -> f64,
        wavelength: bool,
    ) -> Result<FieldReport, CalibrationError> {
        let equations = self.equations(samples, &fit.design, x);
        let chosen: Vec<usize> = (0..samples.len()).filter(|&i| fit.used[i]).collect();
        let residual_px = |i: usize, s: &Solution| equations[i].residual(&s.parameters) / per_pixel(&samples[i], s, &fit.design);
        let rms = |values: &[f64]| (values.iter().map(|v| v * v).sum::<f64>() / values.len().max(1) as f64).sqrt();
        let rms_px = rms(&chosen.iter().map(|&i| residual_px(i, &fit.solution)).collect::<Vec<_>>());
        let (mut px, mut nm, mut km_s, mut by_position) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for &position in &fit.positions {
            let others: Vec<&Equation> = chosen.iter().filter(|&&i| samples[i].position != position).map(|&i| &equations[i]).collect();
            // Without this position the rest may no longer span the field: then it says nothing about the others' power to predict.
            let Ok(without) = solve(&others, fit.tau, "leave one out") else { continue };
            let own: Vec<usize> = chosen.iter().copied().filter(|&i| samples[i].position == position).collect();
            let residuals: Vec<f64> = own.iter().map(|&i| residual_px(i, &without)).collect();
            if wavelength {
                for &i in &own {
                    let r = equations[i].residual(&without.parameters);
                    nm.push(r);
                    km_s.push(C_KM_S * r / samples[i].value);
                }
            }
            by_position.push((positions[position].frame.clone(), rms(&residuals)));
            px.extend(residuals);
        }
        let plain = fit.design.plain();
        let n = fit.design.parameters();
        let scaled = DMatrix::from_fn(n, n, |i, j| fit.solution.covariance[i][j]);
        let covariance = &plain * &scaled * plain.transpose();
        let left = |i: usize| !fit.positions.contains(&i);
        let error_at = |p: &PositionMeasurement, t: f64| {
            let place =
                Sample { position: 0, x0: p.x0, y0: p.y0, dx: x[0].at(p.x0, p.y0) + t * x[1].at(p.x0, p.y0), value: 0.0, error: 0.0 };
            let row = DVector::from_column_slice(&fit.design.row(p.x0, p.y0, t));
            row.dot(&(&scaled * &row)).max(0.0).sqrt() / per_pixel(&place, &fit.solution, &fit.design)
        };
        // A tenth inside the ends: beyond the outermost lines every fit is loose.
        let worst_error_px = positions.iter().flat_map(|p| [0.1, 0.5, 0.9].map(|t| error_at(p, t))).fold(0.0, f64::max);
        let measured = positions_of(samples, &vec![true; samples.len()]);
        Ok(FieldReport {
            coefficients: (plain * DVector::from_column_slice(&fit.solution.parameters)).iter().copied().collect(),
            degrees: fit.design.degrees.clone(),
            covariance: covariance.row_iter().map(|r| r.iter().copied().collect()).collect(),
            positions_used: fit.positions.iter().map(|&p| positions[p].frame.clone()).collect(),
            positions_rejected: measured.into_iter().filter(|&p| left(p)).map(|p| positions[p].frame.clone()).collect(),
            samples_used: chosen.len(),
            samples_rejected: samples.len() - chosen.len(),
            rms_px,
            shared_error: fit.tau,
            worst_error_px,
            cross_validation: CrossValidation {
                rms_px: rms(&px),
                worst_px: px.iter().fold(0.0, |m, v| v.abs().max(m)),
                rms_nm: wavelength.then(|| rms(&nm)),
                rms_km_s: wavelength.then(|| rms(&km_s)),
                by_position,
            },
        })
    }
}

fn zero() -> FieldPolynomial {
    // One finite coefficient is a polynomial of degree zero.
    #[expect(clippy::expect_used, reason = "one finite coefficient always makes a polynomial")]
    FieldPolynomial::new(vec![0.0]).expect("a constant")
}

/// `a + factor b`.
fn combine(a: &FieldPolynomial, b: &FieldPolynomial, factor: f64) -> FieldPolynomial {
    let n = a.coefficients().len().max(b.coefficients().len());
    let get = |p: &FieldPolynomial, i: usize| p.coefficients().get(i).copied().unwrap_or(0.0);
    FieldPolynomial::new((0..n).map(|i| get(a, i) + factor * get(b, i)).collect()).unwrap_or_else(zero)
}

fn scaled(a: &FieldPolynomial, factor: f64) -> FieldPolynomial {
    combine(&zero(), a, factor)
}

fn sum_of_higher(powers: &[FieldPolynomial]) -> FieldPolynomial {
    powers.iter().skip(1).fold(zero(), |sum, p| combine(&sum, p, 1.0))
}

fn parameter(s: &Sample, x: &[FieldPolynomial; 2]) -> f64 {
    (s.dx - x[0].at(s.x0, s.y0)) / x[1].at(s.x0, s.y0)
}

fn lines_of(positions: &[PositionMeasurement], order: i32) -> Vec<Sample> {
    let measured = positions.iter().enumerate().filter_map(|(i, p)| Some((i, p, p.order(order)?.dispersion.as_ref()?)));
    measured
        .flat_map(|(position, p, d)| {
            d.lines.iter().filter(|l| l.fate == Fate::Used).map(move |l| Sample {
                position,
                x0: p.x0,
                y0: p.y0,
                dx: l.dx,
                value: l.wavelength_nm,
                error: l.error_px * d.polynomial.slope(l.dx).abs(),
            })
        })
        .collect()
}

fn points_of(positions: &[PositionMeasurement], order: i32) -> Vec<Sample> {
    // A ridge on which a nebula's lines are not found may be another's.
    let credible = |p: &PositionMeasurement| p.calibrator != Calibrator::Nebula || p.order(order).is_some_and(|o| o.dispersion.is_some());
    let measured =
        positions.iter().enumerate().filter(|(_, p)| credible(p)).filter_map(|(i, p)| Some((i, p, p.order(order)?.trace.as_ref()?)));
    measured
        .flat_map(|(position, p, t)| {
            t.points.iter().filter(|l| l.fate == Fate::Used).map(move |l| Sample {
                position,
                x0: p.x0,
                y0: p.y0,
                dx: l.dx,
                value: l.dy,
                error: l.error,
            })
        })
        .collect()
}

fn positions_of(samples: &[Sample], used: &[bool]) -> Vec<usize> {
    let set: std::collections::BTreeSet<usize> = samples.iter().zip(used).filter(|(_, u)| **u).map(|(s, _)| s.position).collect();
    set.into_iter().collect()
}

fn field_of(positions: &[PositionMeasurement]) -> ((f64, f64), f64) {
    let range = |pick: &dyn Fn(&PositionMeasurement) -> f64| {
        positions.iter().map(pick).fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)))
    };
    let ((x1, x2), (y1, y2)) = (range(&|p| p.x0), range(&|p| p.y0));
    if positions.is_empty() {
        return ((0.0, 0.0), 1.0);
    }
    ((0.5 * (x1 + x2), 0.5 * (y1 + y2)), (0.5 * (x2 - x1).max(y2 - y1)).max(1.0))
}

/// Weighted mean residual and its variance of each group.
fn group_means(equations: &[Equation], used: &[bool], solution: &Solution) -> Vec<(usize, f64, f64)> {
    let mut sums = std::collections::BTreeMap::new();
    for (e, _) in equations.iter().zip(used).filter(|(_, u)| **u) {
        let w = 1.0 / (e.error * e.error);
        let sum = sums.entry(e.group).or_insert((0.0, 0.0));
        *sum = (sum.0 + w * e.residual(&solution.parameters), sum.1 + w);
    }
    sums.into_iter().map(|(group, (top, w))| (group, top / w, 1.0 / w)).collect()
}

/// The error that samples of one position share: what the scatter of positions' means has above their own errors.
fn shared_error(equations: &[Equation], used: &[bool], solution: &Solution, terms: usize) -> f64 {
    let means = group_means(equations, used, solution);
    let squares: f64 = means.iter().map(|m| m.1 * m.1).sum();
    let own = means.iter().map(|m| m.2).sum::<f64>() / means.len().max(1) as f64;
    (squares / (means.len() as f64 - terms as f64).max(1.0) - own).max(0.0).sqrt()
}

fn polynomials(fit: &Fitted, what: &str) -> Result<Vec<FieldPolynomial>, CalibrationError> {
    let plain: Vec<f64> = (fit.design.plain() * DVector::from_column_slice(&fit.solution.parameters)).iter().copied().collect();
    fit.design.polynomials(&plain).ok_or_else(|| CalibrationError::Degenerate { what: what.into(), parameters: fit.design.parameters() })
}

/// Coefficients of powers of t at a place.
fn at_place(fit: &Fitted, x0: f64, y0: f64) -> Vec<f64> {
    let row = fit.design.row(x0, y0, 1.0);
    let mut first = 0;
    fit.design
        .degrees
        .iter()
        .map(|d| {
            let range = first..first + count(*d);
            first = range.end;
            row[range.clone()].iter().zip(&fit.solution.parameters[range]).map(|(a, c)| a * c).sum()
        })
        .collect()
}

/// The parameter of a wavelength, Newton's method.
fn invert(coefficients: &[f64], value: f64, start: f64) -> f64 {
    let mut t = start;
    for _ in 0..20 {
        let at = coefficients.iter().rev().fold(0.0, |sum, c| sum * t + c);
        let slope = coefficients.iter().enumerate().skip(1).rev().fold(0.0, |sum, (k, c)| sum * t + k as f64 * c);
        t += (value - at) / slope;
    }
    t
}

/// Wavelength per column at a sample.
fn wavelength_slope(s: &Sample, fit: &Solution, design: &Design, x: &[FieldPolynomial; 2]) -> f64 {
    let t = parameter(s, x);
    let value = |t: f64| design.row(s.x0, s.y0, t).iter().zip(&fit.parameters).map(|(a, c)| a * c).sum::<f64>();
    (value(t + 1e-4) - value(t - 1e-4)) / 2e-4 / x[1].at(s.x0, s.y0)
}
