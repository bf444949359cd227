//! Sensitivity of an order from stars of known flux.
//!
//! # Formula
//! `F(x) = a o integral S(lambda) p(lambda) G(x - x(lambda)) d lambda`, `p = f_lambda A lambda / (h c)`: a penalised spline S through the columns of
//! all stars at once ([`super::spline`]), so that absorption lines and edges of the band are seen through the line spread as the star is.
//! Sensitivity per flux: `S A lambda / (h c)` \[electron/s per (erg/s/cm2/nm) per nm\].
//! # Symbols
//! a  share of the light in the box;  o  share of the beam that passes the grating;  G  Gaussian of the trace's width;  A  collecting area
//! # Source
//! The toolkit's fourth function. Light outside the box: `a = 1 - k / h`, the law of diffraction wings, k from the ring between two boxes.
//! # Limits
//! The reference position is taken as given. Wings steeper than 1/h make `a` too small by up to half of what lies in the ring.

use super::edits::OrderEdits;
use super::error::CalibrationError;
use super::frames::{CalibrationFrame, Nominal};
use super::polynomial::{Point, Polynomial, fit as fit_polynomial};
use super::settings::Settings;
use super::spline::{Knots, SplineFit, fit as fit_spline};
use super::trace::{TraceFit, columns_of, measure_trace};
use super::wide_box::{WideColumn, take};
use serde::Serialize;
use sim_core::bandpass::Bandpass;
use sim_core::dispersion::{Order, Trace};
use sim_core::spectrum::Spectrum;
use sim_core::units::{HC_ERG_NM, Nanometre};

/// A frame of a star with its model.
#[derive(Debug, Clone, Copy)]
pub struct Standard<'a> {
    /// The frame.
    pub frame: CalibrationFrame<'a>,
    /// Flux density \[erg / s / cm2 / nm\] over vacuum wavelength, as it reaches the telescope.
    pub model: &'a Spectrum,
}

/// Share of the light in the wide box.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aperture {
    /// Measured from the ring around it.
    Measured,
    /// Stated, 0 to 1.
    Stated(f64),
}

/// Wavelengths left out: middle and half width \[nm\].
pub type Mask = (f64, f64);

/// Lines of hydrogen (Balmer, Rydberg's formula) and ionised helium in white dwarfs, with half widths that hold their cores.
#[must_use]
pub fn white_dwarf_masks() -> Vec<Mask> {
    // Rydberg constant of hydrogen 1.0967758e7 per metre, reduced mass included: vacuum wavelengths.
    let balmer = |n: f64| 1e9 / (1.096_775_8e7 * (0.25 - 1.0 / (n * n)));
    let mut masks: Vec<Mask> = [(3.0, 5.0), (4.0, 5.0), (5.0, 4.0), (6.0, 3.0), (7.0, 2.0)].map(|(n, half)| (balmer(n), half)).to_vec();
    masks.push((468.70, 2.0));
    masks
}

/// One star's figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StarFigures {
    /// Frame.
    pub frame: String,
    /// Columns used.
    pub used: usize,
    /// Columns masked or rejected.
    pub left: usize,
    /// Light of the star over that of all stars' fit.
    pub ratio: f64,
    /// Scatter of its trace \[pixel\].
    pub trace_rms_px: f64,
    /// Why it is not used.
    pub problem: Option<String>,
}

/// A sensitivity curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sensitivity {
    /// Order.
    pub order: i32,
    /// Band.
    pub band: String,
    /// Vacuum wavelengths, every half nanometre \[nm\].
    pub wavelength_nm: Vec<f64>,
    /// Efficiency: electrons per photon in front of the telescope.
    pub efficiency: Vec<f64>,
    /// Its standard error: fit, scatter of stars and aperture.
    pub efficiency_error: Vec<f64>,
    /// Electron/s per (erg/s/cm2/nm) per nm.
    pub per_flux: Vec<f64>,
    /// First and last wavelength where the error is below 5 % and the efficiency above 1 % of its peak \[nm\].
    pub valid_nm: (f64, f64),
    /// Knots of the spline.
    pub knots: Knots,
    /// Covariance of the spline's coefficients, stars' scatter and aperture included.
    pub covariance: Vec<Vec<f64>>,
    /// Chi squared per degree of freedom.
    pub chi2: f64,
    /// Effective number of parameters.
    pub effective: f64,
    /// Share of the light in the box over wavelength.
    pub aperture: Polynomial,
    /// Scatter of stars about the fit.
    pub grey_scatter: f64,
    /// The stars.
    pub stars: Vec<StarFigures>,
}

impl Sensitivity {
    /// The efficiency as a bandpass, 0 where negative and outside the valid range.
    ///
    /// # Errors
    /// When no wavelength is valid.
    pub fn bandpass(&self) -> Result<Bandpass, sim_core::spectrum::CurveError> {
        let (low, high) = self.valid_nm;
        let within = |w: f64| w >= low && w <= high;
        let pairs = self.wavelength_nm.iter().zip(&self.efficiency);
        let (w, e) = pairs.filter(|(w, _)| within(**w)).map(|(w, e)| (*w, e.clamp(0.0, 1.0))).unzip();
        Bandpass::new(self.band.clone(), w, e)
    }
}

struct Star<'a> {
    standard: Standard<'a>,
    columns: Vec<WideColumn>,
    trace: TraceFit,
    solution: Trace,
    open: f64,
}

struct Row {
    star: usize,
    first: usize,
    values: Vec<f64>,
    wavelength: f64,
    rate: f64,
    error: f64,
    used: bool,
}

/// Photons per erg at a wavelength times an area \[cm2\].
fn per_erg(area_cm2: f64, wavelength_nm: f64) -> f64 {
    area_cm2 * wavelength_nm / HC_ERG_NM
}

/// Measures the sensitivity of an order with a calibrated configuration. Stars whose trace is not found are flagged and not used.
///
/// # Errors
/// Wrong detector, no such order, [`CalibrationError::ModelRange`] when a model does not cover the order, [`CalibrationError::TooFewColumns`].
pub fn measure_sensitivity(
    stars: &[Standard<'_>],
    configuration: &Nominal,
    order: i32,
    area_cm2: f64,
    masks: &[Mask],
    aperture: Aperture,
    settings: &Settings,
) -> Result<Sensitivity, CalibrationError> {
    settings.check()?;
    if let Aperture::Stated(share) = aperture
        && !(share > 0.0 && share <= 1.0)
    {
        return Err(CalibrationError::Setting { key: "aperture share", value: share.to_string(), allowed: "0 to 1" });
    }
    let found = configuration.grating.orders.iter().find(|o| o.number == order);
    let found = found.ok_or_else(|| CalibrationError::NoOrder { detector: configuration.detector.clone(), order })?;
    let mut figures = Vec::new();
    let mut good = Vec::new();
    for standard in stars {
        standard.frame.check(configuration)?;
        match open_star(standard, configuration, found, settings)? {
            Ok(star) => good.push(star),
            Err(problem) => figures.push(StarFigures {
                frame: standard.frame.name.into(),
                used: 0,
                left: 0,
                ratio: f64::NAN,
                trace_rms_px: f64::NAN,
                problem: Some(problem),
            }),
        }
    }
    let ends = good.iter().flat_map(|s| [s.solution.wavelength_nm(0.0), s.solution.wavelength_nm(1.0)]);
    let (low, high) = ends.fold((f64::INFINITY, 0.0), |(a, b): (f64, f64), w| (a.min(w), b.max(w)));
    if good.is_empty() {
        return Err(CalibrationError::TooFewColumns { order, have: 0, need: 50 });
    }
    let knots = Knots::over(low - 2.0, high + 2.0, settings.knot_nm);
    let (share, share_error) = match aperture {
        Aperture::Stated(share) => (Polynomial::constant(share), 0.0),
        Aperture::Measured => measured_share(&good, (low, high), settings)?,
    };
    let mut rows = good.iter().enumerate().flat_map(|(i, s)| rows_of(i, s, &knots, &share, area_cm2, masks)).collect::<Vec<_>>();
    let need = knots.count + 10;
    let few = |have| CalibrationError::TooFewColumns { order, have, need };
    let fit = fit_clipped(&mut rows, knots.count, settings.clip).ok_or_else(|| few(rows.len()))?;
    let used = rows.iter().filter(|r| r.used).count();
    if used < need {
        return Err(few(used));
    }
    let (ratios, grey_scatter) = ratios_of(&rows, &fit, good.len());
    for (i, star) in good.iter().enumerate() {
        let used = rows.iter().filter(|r| r.star == i && r.used).count();
        figures.push(StarFigures {
            frame: star.standard.frame.name.into(),
            used,
            left: (star.columns.len()).saturating_sub(used),
            ratio: ratios[i],
            trace_rms_px: star.trace.rms_px,
            problem: None,
        });
    }
    let grey = (grey_scatter.powi(2) / good.len() as f64 + share_error.powi(2)).sqrt();
    Ok(tabulate(order, configuration, &rows, (knots, fit), (share, grey, grey_scatter), area_cm2, figures))
}

/// The trace of a star; a problem that leaves it out, or an error that ends the run.
fn open_star<'a>(
    standard: &Standard<'a>,
    configuration: &Nominal,
    order: &Order,
    settings: &Settings,
) -> Result<Result<Star<'a>, String>, CalibrationError> {
    let frame = standard.frame;
    let solution = order.trace(frame.x0, frame.y0);
    let (a, b) = (solution.wavelength_nm(0.0), solution.wavelength_nm(1.0));
    let model = standard.model;
    let (low, high) = (model.wavelength_nm()[0], model.wavelength_nm()[model.wavelength_nm().len() - 1]);
    if low > a.min(b) || high < a.max(b) {
        let (name, order) = (model.name.clone(), order.number);
        return Err(CalibrationError::ModelRange { name, low, high, order, from: a.min(b), to: a.max(b) });
    }
    let trace = match measure_trace(&frame, order, settings, &OrderEdits::default()) {
        Ok(trace) => trace,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let (from, to) = columns_of(&solution);
    let range = ((frame.x0 + from).floor() as i64, (frame.x0 + to).ceil() as i64 + 1);
    let columns = take(&frame, &trace, range.0, range.1, settings.wide_half_box, settings.growth_half_box);
    let open = configuration.grating.opening.share(frame.x0);
    if open < 0.02 {
        return Ok(Err(format!("only {open:.3} of the beam passes this grating")));
    }
    Ok(Ok(Star { standard: *standard, columns, trace, solution, open }))
}

/// Share of the light in the wide box over wavelength: rings of all stars in eight pieces of the order, a robust straight line; and its error.
fn measured_share(stars: &[Star<'_>], range: (f64, f64), settings: &Settings) -> Result<(Polynomial, f64), CalibrationError> {
    let (h, far) = (settings.wide_half_box + 0.5, settings.growth_half_box + 0.5);
    let mut points = Vec::new();
    for star in stars {
        let x0 = star.standard.frame.x0;
        for piece in star.columns.chunks((star.columns.len() / 8).max(10)) {
            let sum = |pick: &dyn Fn(&WideColumn) -> f64| piece.iter().map(pick).sum::<f64>();
            let (rate, ring) = (sum(&|c| c.rate), sum(&|c| c.ring));
            let error = sum(&|c| c.ring_error.powi(2)).sqrt() / rate;
            if rate > 0.0 && error < 0.2 {
                // (1 - k / far) / (1 - k / h) = 1 + ring / rate.
                let growth = 1.0 + ring / rate;
                let k = (growth - 1.0) / (growth / h - 1.0 / far);
                let middle = piece[piece.len() / 2].x as f64 - x0;
                let x = star.solution.wavelength_nm(star.solution.parameter_of_column(middle).unwrap_or(f64::NAN));
                points.push(Point { x, y: 1.0 - k / h, error: (error / (1.0 - h / far)).max(1e-4), kept: false });
            }
        }
    }
    let fit = fit_polynomial(&points, 1, range, settings.clip, "share of the light in the box")?;
    let error = fit.polynomial.error(fit.polynomial.centre);
    Ok((fit.polynomial, error))
}

fn rows_of(index: usize, star: &Star<'_>, knots: &Knots, share: &Polynomial, area_cm2: f64, masks: &[Mask]) -> Vec<Row> {
    let x0 = star.standard.frame.x0;
    star.columns
        .iter()
        .filter_map(|column| {
            let dx = column.x as f64 - x0;
            let t = star.solution.parameter_of_column(dx).unwrap_or(f64::NAN);
            let wavelength = star.solution.wavelength_nm(t);
            if !(0.0..=1.0).contains(&t) || masks.iter().any(|(middle, half)| (wavelength - middle).abs() < *half) {
                return None;
            }
            let width = star.trace.width.at(dx).clamp(0.5, 4.0);
            let mut dense = vec![0.0; knots.count];
            let step = 0.1 * width;
            for k in -45..=45 {
                let u = step * f64::from(k);
                let t = star.solution.parameter_of_column(dx + u).unwrap_or(f64::NAN);
                let (w, slope) =
                    (star.solution.wavelength_nm(t), (star.solution.wavelength_slope_nm(t) / star.solution.direction(t).0).abs());
                let spread = (-0.5 * (u / width).powi(2)).exp() / (width * (2.0 * std::f64::consts::PI).sqrt());
                let light = star.standard.model.at(Nanometre(w)) * per_erg(area_cm2, w) * slope * spread * step;
                if let Some((first, values)) = knots.at(w) {
                    for (k, v) in values.iter().enumerate() {
                        dense[first + k] += share.at(w) * star.open * light * v;
                    }
                }
            }
            let first = dense.iter().position(|v| *v > 0.0)?;
            let last = dense.iter().rposition(|v| *v > 0.0)?;
            let values = dense[first..=last].to_vec();
            Some(Row { star: index, first, values, wavelength, rate: column.rate, error: column.error, used: true })
        })
        .collect()
}

fn model_rate(row: &Row, fit: &SplineFit) -> f64 {
    row.values.iter().zip(&fit.coefficients[row.first..]).map(|(a, c)| a * c).sum()
}

fn fit_clipped(rows: &mut [Row], count: usize, clip: f64) -> Option<SplineFit> {
    let mut fit = None;
    for _ in 0..8 {
        let chosen: Vec<(usize, Vec<f64>, f64, f64)> =
            rows.iter().filter(|r| r.used).map(|r| (r.first, r.values.clone(), r.rate, r.error)).collect();
        let now = fit_spline(&chosen, count)?;
        let spread = now.chi2.max(1.0).sqrt();
        let mut same = true;
        for row in rows.iter_mut() {
            let used = (row.rate - model_rate(row, &now)).abs() <= clip * spread * row.error;
            same &= used == row.used;
            row.used = used;
        }
        fit = Some(now);
        if same {
            break;
        }
    }
    fit
}

/// Light of each star over the fit, and the scatter of these above their own errors.
fn ratios_of(rows: &[Row], fit: &SplineFit, stars: usize) -> (Vec<f64>, f64) {
    let sums: Vec<(f64, f64)> = (0..stars)
        .map(|i| {
            rows.iter().filter(|r| r.star == i && r.used).fold((0.0, 0.0), |(top, bottom), r| {
                let (m, w) = (model_rate(r, fit), 1.0 / (r.error * r.error));
                (top + w * m * r.rate, bottom + w * m * m)
            })
        })
        .collect();
    let ratios: Vec<f64> = sums.iter().map(|(top, bottom)| top / bottom).collect();
    let own = sums.iter().map(|s| 1.0 / s.1).sum::<f64>() / stars as f64;
    let scatter = ratios.iter().map(|r| (r - 1.0).powi(2)).sum::<f64>() / (stars as f64 - 1.0).max(1.0);
    (ratios, (scatter - own).max(0.0).sqrt())
}

fn tabulate(
    order: i32,
    configuration: &Nominal,
    rows: &[Row],
    (knots, fit): (Knots, SplineFit),
    (aperture, grey, grey_scatter): (Polynomial, f64, f64),
    area_cm2: f64,
    stars: Vec<StarFigures>,
) -> Sensitivity {
    let c = nalgebra::DVector::from_column_slice(&fit.coefficients);
    let covariance = &fit.covariance + &c * c.transpose() * (grey * grey);
    let seen = rows.iter().filter(|r| r.used).fold((f64::INFINITY, 0.0_f64), |(a, b), r| (a.min(r.wavelength), b.max(r.wavelength)));
    let (first, last) = ((2.0 * seen.0).ceil() as i64, (2.0 * seen.1).floor() as i64);
    let wavelength_nm: Vec<f64> = (first..=last).map(|i| 0.5 * i as f64).collect();
    let efficiency: Vec<f64> = wavelength_nm.iter().map(|w| knots.value(&fit.coefficients, *w)).collect();
    let efficiency_error: Vec<f64> = wavelength_nm
        .iter()
        .map(|w| {
            let Some((i, v)) = knots.at(*w) else { return f64::NAN };
            let mut variance = 0.0;
            for (a, x) in v.iter().enumerate() {
                for (b, y) in v.iter().enumerate() {
                    variance += x * y * covariance[(i + a, i + b)];
                }
            }
            variance.max(0.0).sqrt()
        })
        .collect();
    let peak = efficiency.iter().copied().fold(0.0, f64::max);
    let top = efficiency.iter().position(|e| *e == peak).unwrap_or(0);
    let fine = |i: usize| efficiency[i] > 0.01 * peak && efficiency_error[i] < 0.05 * efficiency[i];
    let from = (0..=top).rev().take_while(|&i| fine(i)).last().unwrap_or(top);
    let to = (top..efficiency.len()).take_while(|&i| fine(i)).last().unwrap_or(top);
    let per_flux = wavelength_nm.iter().zip(&efficiency).map(|(w, e)| e * per_erg(area_cm2, *w)).collect();
    Sensitivity {
        order,
        band: configuration.band.clone(),
        valid_nm: (wavelength_nm.get(from).copied().unwrap_or(0.0), wavelength_nm.get(to).copied().unwrap_or(0.0)),
        wavelength_nm,
        efficiency,
        efficiency_error,
        per_flux,
        knots,
        covariance: covariance.row_iter().map(|r| r.iter().copied().collect()).collect(),
        chi2: fit.chi2,
        effective: fit.effective,
        aperture,
        grey_scatter,
        stars,
    }
}
