//! Wavelength along a trace from the emission lines of a nebula.
//!
//! # Formula
//! `lambda(x - x0)`: a robust polynomial through fitted lines; errors of lines times the dispersion, with the error of unresolved blends.
//! # Symbols
//! x0  column of the undispersed image
//! # Source
//! The toolkit's second function; the recipe of NICMOS ISR 2009-006 (planetary nebulae, centroids, polynomial).
//! # Limits
//! The line's place is the centre of its Gaussian in the box along the trace: a shift of the PSF's core with wavelength goes into the solution.
//! A nebula whose lines come from different places shifts them: only scatter between positions shows it.

use super::cutout::{Cutout, median};
use super::detect::{peaks, significance};
use super::edits::OrderEdits;
use super::error::CalibrationError;
use super::frames::CalibrationFrame;
use super::identify::{Guessed, Pattern, lay, refine};
use super::line_fit::{fit_group, groups};
use super::line_list::Feature;
use super::polynomial::{Point, Polynomial, fit};
use super::ridge_spectrum::RidgeSpectrum;
use super::settings::Settings;
use super::trace::{Fate, TraceFit};
use serde::{Deserialize, Serialize};
use sim_core::dispersion::{Grating, Order, Trace};
use sim_core::flags;
use sim_core::units::Nanometre;

/// A line as measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineMeasurement {
    /// Name of the strongest feature of its group: what edits name.
    pub name: String,
    /// All features fitted with it.
    pub blended: Vec<String>,
    /// Vacuum wavelength of the strongest component \[nm\].
    pub wavelength_nm: f64,
    /// Columns from the reference.
    pub dx: f64,
    /// Standard error of the column, with what an unresolved blend adds.
    pub error_px: f64,
    /// Light of the feature \[electron / s\].
    pub light: f64,
    /// Signal to noise of the light.
    pub snr: f64,
    /// Width (Gaussian sigma) \[pixel\].
    pub width: f64,
    /// Chi squared per degree of freedom of its fit.
    pub chi2: f64,
    /// Column minus the fit's \[pixel\].
    pub residual_px: f64,
    /// What became of it.
    pub fate: Fate,
    /// Identified by a person.
    pub added: bool,
}

/// A measured dispersion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DispersionFit {
    /// Vacuum wavelength \[nm\] over `x - x0`.
    pub polynomial: Polynomial,
    /// All lines looked for that have data.
    pub lines: Vec<LineMeasurement>,
    /// Root mean square of the residuals used \[pixel\].
    pub rms_px: f64,
    /// The same \[nm\].
    pub rms_nm: f64,
    /// Shift of the order from its guess \[pixel\] and the ratio of its true scale to the guessed.
    pub shift_scale: (f64, f64),
    /// Score of the next best identification relative to this one.
    pub rival: f64,
    /// The degree was lowered because lines were few.
    pub degree_lowered: bool,
}

/// Column on the detector that a configuration gives to a wavelength.
#[must_use]
pub fn guessed_column(trace: &Trace, x0: f64, wavelength_nm: f64) -> f64 {
    x0 + trace.offset(trace.parameter(wavelength_nm)).0
}

/// Features of a list in an order: columns guessed and weights.
#[must_use]
pub fn in_order<'a>(list: &'a [Feature], order: &Order, x0: f64, y0: f64) -> Guessed<'a> {
    let trace = order.trace(x0, y0);
    let (a, b) = (trace.wavelength_nm(0.0), trace.wavelength_nm(1.0));
    let peak = order.efficiency.efficiency().iter().copied().fold(0.0, f64::max).max(1e-12);
    list.iter()
        .filter(|f| f.main_nm() >= a.min(b) && f.main_nm() <= a.max(b))
        .map(|f| (f, f.main_nm(), f.strength() * order.efficiency.at(Nanometre(f.main_nm())) / peak))
        .filter(|(_, _, w)| *w > 0.0)
        .map(|(f, wavelength, w)| (f, guessed_column(&trace, x0, wavelength), w.sqrt()))
        .collect()
}

/// Measures the dispersion of an order from the spectrum along its trace.
///
/// # Errors
/// [`CalibrationError::LinesNotFound`], [`CalibrationError::Ambiguous`], [`CalibrationError::Edit`] for a line not in the list or order.
pub fn measure_dispersion(
    frame: &CalibrationFrame<'_>,
    (grating, order): (&Grating, &Order),
    (trace, spectrum): (&TraceFit, &RidgeSpectrum),
    list: &[Feature],
    settings: &Settings,
    edits: &OrderEdits,
) -> Result<DispersionFit, CalibrationError> {
    let nominal = order.trace(frame.x0, frame.y0);
    let guessed = in_order(list, order, frame.x0, frame.y0);
    let needed = 3;
    let missing = |found| CalibrationError::LinesNotFound { frame: frame.name.into(), order: order.number, found, needed };
    let middle = frame.x0 + nominal.offset(0.5).0;
    let width = trace.width.at(middle - frame.x0).clamp(0.6, 4.0);
    let z = significance(spectrum, width);
    let found = peaks(spectrum, &z, settings.line_snr);
    if found.len() < needed || guessed.len() < needed {
        return Err(missing(found.len().min(guessed.len())));
    }
    let mut pattern = lay(spectrum, &z, &guessed, middle, settings.search_px, settings.search_scale).ok_or_else(|| missing(0))?;
    if edits.lines_added.is_empty() {
        let matched = refine(&mut pattern, &guessed, &found, width);
        if matched < needed {
            return Err(missing(matched));
        }
        if pattern.rival.1 > 0.95 {
            let (frame, order) = (frame.name.into(), order.number);
            return Err(CalibrationError::Ambiguous { frame, order, shift_px: pattern.coefficients[0], other_px: pattern.rival.0 });
        }
    } else {
        anchor(&mut pattern, &guessed, edits)?;
        refine(&mut pattern, &guessed, &found, width);
    }
    let widths: Vec<f64> = fit_lines(frame, (grating, order), spectrum, &guessed, &pattern, (width, &z), settings)
        .into_iter()
        .filter(|l| l.blended.len() == 1 && l.snr > 20.0 && l.fate == Fate::Used)
        .map(|l| l.width)
        .collect();
    let width = if widths.len() >= 3 { median(&mut widths.clone()) } else { width };
    let mut lines = fit_lines(frame, (grating, order), spectrum, &guessed, &pattern, (width, &z), settings);
    choose(&mut lines, edits);
    let scale = pattern.coefficients[1];
    solve_lines(lines, &nominal, settings, edits, &missing).map(|mut fit| {
        fit.shift_scale = (pattern.coefficients[0], scale);
        fit.rival = pattern.rival.1;
        fit
    })
}

/// Starts the pattern from the lines that a person has identified.
fn anchor(pattern: &mut Pattern, guessed: &Guessed<'_>, edits: &OrderEdits) -> Result<(), CalibrationError> {
    let mut shifts = Vec::new();
    for line in &edits.lines_added {
        let (_, x, _) = guessed
            .iter()
            .find(|(f, _, _)| f.name == line.name)
            .ok_or_else(|| CalibrationError::Edit { what: format!("line {} is not in this order's list", line.name) })?;
        shifts.push((x - pattern.middle, line.x - x));
    }
    let at = |p: &Pattern, u: f64| p.at(p.middle + u) - p.middle - u;
    let off = shifts.iter().map(|(u, s)| (s - at(pattern, *u)).abs()).fold(0.0, f64::max);
    if off > 1.5 {
        // The automatic place is not the person's: the mean shift, and the slope of two lines or more.
        let n = shifts.len() as f64;
        let (mean_u, mean_s) = (shifts.iter().map(|s| s.0).sum::<f64>() / n, shifts.iter().map(|s| s.1).sum::<f64>() / n);
        let bottom: f64 = shifts.iter().map(|s| (s.0 - mean_u).powi(2)).sum();
        let top: f64 = shifts.iter().map(|s| (s.0 - mean_u) * (s.1 - mean_s)).sum();
        let slope = if bottom > 100.0 { top / bottom } else { 0.0 };
        pattern.coefficients = [mean_s - slope * mean_u, 1.0 + slope, 0.0];
    }
    Ok(())
}

fn fit_lines(
    frame: &CalibrationFrame<'_>,
    (grating, order): (&Grating, &Order),
    spectrum: &RidgeSpectrum,
    guessed: &Guessed<'_>,
    pattern: &Pattern,
    (width, z): (f64, &[f64]),
    settings: &Settings,
) -> Vec<LineMeasurement> {
    let nominal = order.trace(frame.x0, frame.y0);
    let column = |wavelength: f64| pattern.at(guessed_column(&nominal, frame.x0, wavelength));
    let all = groups(guessed, &column, width);
    let strength = |i: usize| guessed[i].2.powi(2);
    let mut lines = Vec::new();
    for members in &all {
        let strongest = members.iter().copied().max_by(|&a, &b| strength(a).total_cmp(&strength(b))).unwrap_or(members[0]);
        let main = guessed[strongest].0;
        let at = column(main.main_nm());
        let height = (-2..=2).filter_map(|k| spectrum.index(at.round() as i64 + k)).map(|i| z[i]).fold(0.0, f64::max);
        if height < settings.line_snr {
            continue;
        }
        // Features a hundred times fainter than the group's strongest do not help.
        let members: Vec<usize> = members.iter().copied().filter(|&i| strength(i) > 0.01 * strength(strongest)).collect();
        let others: Vec<f64> = guessed
            .iter()
            .enumerate()
            .filter(|(i, _)| !members.contains(i) && strength(*i) > 0.03 * strength(strongest))
            .flat_map(|(_, g)| g.0.components.iter().map(|c| column(c.0)))
            .filter(|x| (x - at).abs() > 3.0 * width)
            .collect();
        let (components, owner, merge_error) = merged(guessed, &members, &column, width);
        let Some(fit) = fit_group(spectrum, &components, width, 2.0, &others) else { continue };
        let Some(place) = owner.iter().position(|o| o.contains(&strongest)) else { continue };
        let dispersion = (column(main.main_nm() + 0.5) - column(main.main_nm() - 0.5)).abs();
        let blend = main.blend_error_nm * dispersion;
        let light = fit.light[place];
        let mut line = LineMeasurement {
            name: main.name.clone(),
            blended: members.iter().map(|&i| guessed[i].0.name.clone()).collect(),
            wavelength_nm: main.main_nm(),
            dx: at + fit.delta - frame.x0,
            error_px: (fit.error.powi(2) + blend * blend + merge_error * merge_error + settings.line_floor_px.powi(2)).sqrt(),
            light,
            snr: light / fit.light_error[place].max(1e-12),
            width: fit.width,
            chi2: fit.chi2,
            residual_px: 0.0,
            fate: Fate::Used,
            added: false,
        };
        line.fate = first_fate(frame, (grating, order), spectrum, guessed, &line, width, settings);
        lines.push(line);
    }
    lines
}

/// Components of features, those closer than 0.8 widths merged; the members in each; the error that merging with the strongest brings \[pixel\].
#[expect(clippy::type_complexity, reason = "one caller takes it apart at once")]
fn merged(
    guessed: &Guessed<'_>,
    members: &[usize],
    column: &dyn Fn(f64) -> f64,
    width: f64,
) -> (Vec<Vec<(f64, f64)>>, Vec<Vec<usize>>, f64) {
    let (mut components, mut owner): (Vec<Vec<(f64, f64)>>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
    let mut error = 0.0_f64;
    for &i in members {
        let parts: Vec<(f64, f64)> = guessed[i].0.components.iter().map(|&(w, s)| (column(w), s)).collect();
        let x = column(guessed[i].0.main_nm());
        let near = owner.iter().position(|o| o.iter().any(|&j| (column(guessed[j].0.main_nm()) - x).abs() < 0.8 * width));
        match near {
            Some(k) => {
                error = error.max(0.15 * (column(guessed[owner[k][0]].0.main_nm()) - x).abs());
                components[k].extend(parts);
                owner[k].push(i);
            }
            None => {
                components.push(parts);
                owner.push(vec![i]);
            }
        }
    }
    (components, owner, error)
}

fn first_fate(
    frame: &CalibrationFrame<'_>,
    (grating, order): (&Grating, &Order),
    spectrum: &RidgeSpectrum,
    guessed: &Guessed<'_>,
    line: &LineMeasurement,
    width: f64,
    settings: &Settings,
) -> Fate {
    let x = frame.x0 + line.dx;
    let near = (x - 1.5 * width).round() as i64..=(x + 1.5 * width).round() as i64;
    let bits = near.filter_map(|c| spectrum.index(c)).fold(0_u16, |all, i| all | spectrum.flags[i]);
    if u32::from(bits) & (flags::SATURATED | flags::BLEED | flags::NONLINEAR) != 0 {
        return Fate::Saturated;
    }
    if line.light <= 0.0 || line.snr < settings.line_snr {
        return Fate::Faint;
    }
    let ratio = line.width / width;
    if !(0.6..=1.6).contains(&ratio) {
        return Fate::Profile;
    }
    let own =
        guessed.iter().find(|g| g.0.name == line.name).map_or(0.0, |g| g.0.strength() * order.efficiency.at(Nanometre(line.wavelength_nm)));
    let row = order.trace(frame.x0, frame.y0);
    let row = super::trace::row_at(&row, line.dx);
    for other in grating.orders.iter().filter(|o| o.number != order.number && o.number != 0) {
        let trace = other.trace(frame.x0, frame.y0);
        for g in guessed {
            let t = trace.parameter(g.0.main_nm());
            let (dx, dy) = trace.offset(t);
            let light = g.0.strength() * other.efficiency.at(Nanometre(g.0.main_nm()));
            if (-0.02..=1.02).contains(&t)
                && (dx - line.dx).abs() < 3.0 * width
                && (dy - row).abs() < settings.half_box + 2.0
                && light > 0.1 * own
            {
                return Fate::Overlap;
            }
        }
    }
    let middle = Cutout(frame.image).columns();
    if x < middle.0 as f64 + 2.0 || x > middle.1 as f64 - 3.0 { Fate::Flagged } else { Fate::Used }
}

fn choose(lines: &mut [LineMeasurement], edits: &OrderEdits) {
    for line in lines {
        line.added = edits.lines_added.iter().any(|l| l.name == line.name);
        if edits.lines_rejected.contains(&line.name) {
            line.fate = Fate::Manual;
        } else if edits.lines_kept.contains(&line.name) || line.added {
            line.fate = Fate::Used;
        }
    }
}

fn solve_lines(
    mut lines: Vec<LineMeasurement>,
    nominal: &Trace,
    settings: &Settings,
    edits: &OrderEdits,
    missing: &dyn Fn(usize) -> CalibrationError,
) -> Result<DispersionFit, CalibrationError> {
    let chosen: Vec<usize> = (0..lines.len()).filter(|&i| lines[i].fate == Fate::Used).collect();
    if chosen.len() < 3 {
        return Err(missing(chosen.len()));
    }
    let (low, high) = super::trace::columns_of(nominal);
    let dispersion = ((nominal.wavelength_nm(1.0) - nominal.wavelength_nm(0.0)) / (high - low)).abs();
    let points: Vec<Point> = chosen
        .iter()
        .map(|&i| &lines[i])
        .map(|l| Point { x: l.dx, y: l.wavelength_nm, error: l.error_px * dispersion, kept: l.added || edits.lines_kept.contains(&l.name) })
        .collect();
    let mut degree = settings.dispersion_degree.min(chosen.len() - 2);
    let mut got = fit(&points, degree, (low, high), settings.clip, "dispersion")?;
    let left = |used: &[bool]| used.iter().filter(|u| **u).count();
    if left(&got.used) < degree + 2 && degree > 1 {
        degree = (left(&got.used).max(3) - 2).min(degree);
        got = fit(&points, degree, (low, high), settings.clip, "dispersion")?;
    }
    if left(&got.used) < 3 {
        return Err(missing(left(&got.used)));
    }
    for (k, &i) in chosen.iter().enumerate() {
        lines[i].fate = if got.used[k] { Fate::Used } else { Fate::Outlier };
    }
    for line in &mut lines {
        line.residual_px = (got.polynomial.at(line.dx) - line.wavelength_nm) / got.polynomial.slope(line.dx);
    }
    let used: Vec<f64> = lines.iter().filter(|l| l.fate == Fate::Used).map(|l| l.residual_px).collect();
    let rms_px = (used.iter().map(|r| r * r).sum::<f64>() / used.len() as f64).sqrt();
    Ok(DispersionFit {
        polynomial: got.polynomial,
        lines,
        rms_px,
        rms_nm: got.rms,
        shift_scale: (0.0, 1.0),
        rival: 0.0,
        degree_lowered: degree < settings.dispersion_degree,
    })
}
