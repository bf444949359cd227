//! The trace of an order relative to the reference point, from one frame.
//!
//! # Formula
//! `y - y0 = f(x - x0)`: a robust polynomial through points of the ridge, one per bin of columns.
//! # Symbols
//! (x0, y0)  undispersed position of the calibrator \[pixel\]
//! # Source
//! The toolkit's first function; see [`super::ridge`], [`super::polynomial`].
//! # Limits
//! Bins without light enough (a nebula between its lines) have no point. With few points the degree is lowered to two below their number.
//! The zeroth order has its own measurement ([`super::zeroth`]).

use super::cutout::Cutout;
use super::edits::OrderEdits;
use super::error::CalibrationError;
use super::frames::{CalibrationFrame, Calibrator};
use super::polynomial::{Point, Polynomial, fit};
use super::ridge::{RidgePoint, fit_ridge};
use super::ridge_search::search;
use super::settings::Settings;
use serde::{Deserialize, Serialize};
use sim_core::dispersion::{Order, Trace};

/// What became of a point or a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Used in the fit.
    Used,
    /// Too little light.
    Faint,
    /// Too many pixels flagged or off the frame.
    Flagged,
    /// The profile is not that of the calibrator: a neighbour or a hit.
    Profile,
    /// Saturated.
    Saturated,
    /// Another order's line lies on it.
    Overlap,
    /// Too far from the fit.
    Outlier,
    /// Rejected by a person.
    Manual,
}

/// A point of the ridge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TracePoint {
    /// First column of its bin: what edits name.
    pub column: i64,
    /// Columns from the reference.
    pub dx: f64,
    /// Rows from the reference.
    pub dy: f64,
    /// Standard error of the row.
    pub error: f64,
    /// Width of the profile (Gaussian sigma) \[pixel\].
    pub width: f64,
    /// Signal to noise.
    pub snr: f64,
    /// Row minus the fit.
    pub residual: f64,
    /// What became of it.
    pub fate: Fate,
    /// Added by a person.
    pub added: bool,
}

/// A measured trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceFit {
    /// `y - y0` over `x - x0`.
    pub polynomial: Polynomial,
    /// Width of the profile (Gaussian sigma) over `x - x0` \[pixel\].
    pub width: Polynomial,
    /// All points.
    pub points: Vec<TracePoint>,
    /// Root mean square of the residuals used \[pixel\].
    pub rms_px: f64,
    /// Score of the best other ridge relative to this one: near 1 the trace may be a neighbour's.
    pub rival: f64,
}

/// Columns of an order relative to the reference, rising.
#[must_use]
pub fn columns_of(trace: &Trace) -> (f64, f64) {
    let (a, b) = (trace.offset(0.0).0, trace.offset(1.0).0);
    (a.min(b), a.max(b))
}

/// Rows from the reference of a configured trace at columns from the reference, continued straight beyond its ends.
#[must_use]
pub fn row_at(trace: &Trace, dx: f64) -> f64 {
    let (a, b) = (trace.offset(0.0).0, trace.offset(1.0).0);
    let mut t = (dx - a) / (b - a);
    for _ in 0..20 {
        let inside = t.clamp(-0.1, 1.1);
        let step = (dx - trace.offset(inside).0) / trace.direction(inside).0;
        t = inside + step;
        if step.abs() < 1e-10 {
            break;
        }
    }
    let inside = t.clamp(-0.1, 1.1);
    trace.offset(inside).1 + (t - inside) * trace.direction(inside).1
}

/// Measures the trace of an order.
///
/// # Errors
/// [`CalibrationError::TraceNotFound`] with too few points.
pub fn measure_trace(
    frame: &CalibrationFrame<'_>,
    order: &Order,
    settings: &Settings,
    edits: &OrderEdits,
) -> Result<TraceFit, CalibrationError> {
    let (cutout, nominal) = (Cutout(frame.image), order.trace(frame.x0, frame.y0));
    let (low, high) = columns_of(&nominal);
    let from = (frame.x0 + low).floor() as i64;
    let to = (frame.x0 + high).ceil() as i64 + 1;
    let centre = |x: f64| frame.y0 + row_at(&nominal, x - frame.x0);
    let needed = 4;
    let missing = |found| CalibrationError::TraceNotFound { frame: frame.name.into(), order: order.number, found, needed };
    let found = search(&cutout, from, to, &centre, settings.search_px, frame.calibrator == Calibrator::Nebula).ok_or_else(|| missing(0))?;
    let pivot = 0.5 * (from + to) as f64;
    let first = |x: f64| centre(x) + found.shift + found.tilt * (x - pivot);
    let mut points = points_along(frame, &cutout, (from, to), &first, 3.0, settings);
    let range = (from as f64 - frame.x0, to as f64 - frame.x0);
    judge_widths(&mut points);
    let rough = fit_points(&mut points, range, settings, &OrderEdits::default()).map_err(missing)?;
    // Once more from the fitted ridge, with what a person added or took back.
    let second = |x: f64| frame.y0 + rough.at(x - frame.x0);
    let mut points = points_along(frame, &cutout, (from, to), &second, 1.5, settings);
    judge_widths(&mut points);
    add_by_hand(frame, &cutout, &mut points, settings, edits);
    let polynomial = fit_points(&mut points, range, settings, edits).map_err(missing)?;
    let used: Vec<&TracePoint> = points.iter().filter(|p| p.fate == Fate::Used).collect();
    let rms_px = (used.iter().map(|p| p.residual * p.residual).sum::<f64>() / used.len() as f64).sqrt();
    let widths: Vec<Point> =
        used.iter().map(|p| Point { x: p.dx, y: p.width, error: p.width / p.snr.max(1.0) + 0.02, kept: false }).collect();
    let width = fit(&widths, usize::from(widths.len() > 5), range, settings.clip, "width of the profile")?.polynomial;
    Ok(TraceFit { polynomial, width, points, rms_px, rival: found.rival })
}

fn points_along(
    frame: &CalibrationFrame<'_>,
    cutout: &Cutout<'_>,
    (from, to): (i64, i64),
    centre: &dyn Fn(f64) -> f64,
    reach: f64,
    settings: &Settings,
) -> Vec<TracePoint> {
    let bin = settings.bin as i64;
    let bins = (from.div_euclid(bin)..=(to - 1).div_euclid(bin)).map(|i| i * bin);
    bins.filter_map(|column| {
        let point = fit_ridge(cutout, column, column + bin, centre, settings.half_window as f64, reach)?;
        Some(to_point(frame, column, &point, centre, settings))
    })
    .collect()
}

fn to_point(frame: &CalibrationFrame<'_>, column: i64, p: &RidgePoint, centre: &dyn Fn(f64) -> f64, settings: &Settings) -> TracePoint {
    let fate = match p {
        p if p.snr < settings.point_snr => Fate::Faint,
        p if p.lost > 0.6 => Fate::Flagged,
        _ => Fate::Used,
    };
    TracePoint {
        column,
        dx: p.x - frame.x0,
        dy: centre(p.x) + p.shift - frame.y0,
        error: p.error.hypot(settings.point_floor_px),
        width: p.width,
        snr: p.snr,
        residual: 0.0,
        fate,
        added: false,
    }
}

/// Points whose profile is much narrower or wider than the median one are not the calibrator's.
fn judge_widths(points: &mut [TracePoint]) {
    let mut widths: Vec<f64> = points.iter().filter(|p| p.fate == Fate::Used).map(|p| p.width).collect();
    let middle = super::cutout::median(&mut widths);
    for p in points.iter_mut().filter(|p| p.fate == Fate::Used && !(0.6 * middle..=1.6 * middle).contains(&p.width)) {
        p.fate = Fate::Profile;
    }
}

/// A person's points: the ridge is measured within two rows of the click; where it has no light the click itself counts, to half a pixel.
fn add_by_hand(frame: &CalibrationFrame<'_>, cutout: &Cutout<'_>, points: &mut Vec<TracePoint>, settings: &Settings, edits: &OrderEdits) {
    for click in &edits.points_added {
        let column = (click.x.round() as i64).div_euclid(settings.bin as i64) * settings.bin as i64;
        let row = |_: f64| click.y;
        let measured = fit_ridge(cutout, column, column + settings.bin as i64, &row, settings.half_window as f64, 2.0)
            .map(|p| to_point(frame, column, &p, &row, settings))
            .filter(|p| p.fate == Fate::Used);
        let by_click = TracePoint {
            column,
            dx: click.x - frame.x0,
            dy: click.y - frame.y0,
            error: 0.5,
            width: 0.0,
            snr: 0.0,
            residual: 0.0,
            fate: Fate::Used,
            added: true,
        };
        points.retain(|p| p.column != column);
        points.push(TracePoint { added: true, ..measured.unwrap_or(by_click) });
    }
    points.sort_by_key(|p| p.column);
}

/// Fits the points that may be used and writes residuals and fates; the number of points when there are too few.
fn fit_points(points: &mut [TracePoint], range: (f64, f64), settings: &Settings, edits: &OrderEdits) -> Result<Polynomial, usize> {
    for p in points.iter_mut() {
        if edits.points_rejected.contains(&p.column) {
            p.fate = Fate::Manual;
        } else if edits.points_kept.contains(&p.column) {
            p.fate = Fate::Used;
        }
    }
    let kept = |p: &TracePoint| p.added || edits.points_kept.contains(&p.column);
    let chosen: Vec<usize> = (0..points.len()).filter(|&i| points[i].fate == Fate::Used).collect();
    let fewest = 4;
    if chosen.len() < fewest {
        return Err(chosen.len());
    }
    // A nebula in a faint order has few points: the field fit takes the points, this polynomial only has to lead there.
    let degree = settings.trace_degree.min(chosen.len() - 2);
    let values: Vec<Point> = chosen
        .iter()
        .map(|&i| &points[i])
        .map(|p| Point { x: p.dx, y: p.dy, error: p.error.max(settings.point_floor_px), kept: kept(p) })
        .collect();
    let got = fit(&values, degree, range, settings.clip, "trace").map_err(|_| chosen.len())?;
    for (k, &i) in chosen.iter().enumerate() {
        points[i].fate = if got.used[k] { Fate::Used } else { Fate::Outlier };
    }
    if got.used.iter().filter(|u| **u).count() < fewest {
        return Err(got.used.iter().filter(|u| **u).count());
    }
    for p in points.iter_mut() {
        p.residual = p.dy - got.polynomial.at(p.dx);
    }
    Ok(got.polynomial)
}
