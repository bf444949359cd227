//! Quality figures of a calibration, as a product.
//!
//! [`calibrate`] is the batch run: it measures all positions (in parallel), fits all orders, and says of each position and order what was used, rejected
//! and left.

use super::carried::{carried, turn};
use super::edits::Edits;
use super::error::CalibrationError;
use super::field::{OrderField, fit_field, fit_zeroth};
use super::frames::{CalibrationFrame, Nominal};
use super::line_list::Feature;
use super::measure::{OrderMeasurement, PositionMeasurement, measure_position};
use super::settings::Settings;
use super::trace::Fate;
use rayon::prelude::*;
use serde::Serialize;
use sim_core::dispersion::{Grating, Order};
use std::collections::BTreeMap;

/// How well positions are predicted by the others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CrossValidation {
    /// Root mean square residual of positions left out \[pixel\].
    pub rms_px: f64,
    /// Largest residual \[pixel\].
    pub worst_px: f64,
    /// Root mean square in wavelength \[nm\]; none for traces.
    pub rms_nm: Option<f64>,
    /// Root mean square in velocity \[km/s\]; none for traces.
    pub rms_km_s: Option<f64>,
    /// Root mean square of each position \[pixel\].
    pub by_position: Vec<(String, f64)>,
}

/// How a field polynomial was fitted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldReport {
    /// Plain coefficients: for each power of t the terms 1; x, y; x^2, x y, y^2; ...
    pub coefficients: Vec<f64>,
    /// Degree in the field of each power of t.
    pub degrees: Vec<usize>,
    /// Covariance of the coefficients.
    pub covariance: Vec<Vec<f64>>,
    /// Frames used.
    pub positions_used: Vec<String>,
    /// Frames measured and rejected.
    pub positions_rejected: Vec<String>,
    /// Points or lines used.
    pub samples_used: usize,
    /// Points or lines rejected here.
    pub samples_rejected: usize,
    /// Root mean square residual \[pixel\].
    pub rms_px: f64,
    /// Error that all samples of a position share (nm or pixel).
    pub shared_error: f64,
    /// Largest standard error of the fit at any frame's position, also where it was not measured, a tenth inside the ends of the order \[pixel\].
    pub worst_error_px: f64,
    /// Each position predicted by the others.
    pub cross_validation: CrossValidation,
}

/// Figures of an order at a position.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OrderFigures {
    /// Order.
    pub order: i32,
    /// Points of the ridge used.
    pub points_used: usize,
    /// Points of the ridge not used, by fate.
    pub points_left: BTreeMap<String, usize>,
    /// Scatter of the trace \[pixel\].
    pub trace_rms_px: Option<f64>,
    /// Lines used, with residuals \[pixel\].
    pub lines_used: Vec<(String, f64)>,
    /// Lines not used, with their fates.
    pub lines_left: Vec<(String, Fate)>,
    /// Scatter of the lines \[pixel\].
    pub line_rms_px: Option<f64>,
    /// Scatter of the lines \[nm\].
    pub line_rms_nm: Option<f64>,
    /// What is wrong.
    pub problem: Option<String>,
}

impl OrderFigures {
    /// The figures of a measurement.
    #[must_use]
    pub fn of(m: &OrderMeasurement) -> Self {
        let mut points_left = BTreeMap::new();
        let points = m.trace.as_ref().map_or(&[][..], |t| &t.points);
        for p in points.iter().filter(|p| p.fate != Fate::Used) {
            *points_left.entry(format!("{:?}", p.fate).to_lowercase()).or_insert(0) += 1;
        }
        let lines = m.dispersion.as_ref().map_or(&[][..], |d| &d.lines);
        Self {
            order: m.order,
            points_used: points.iter().filter(|p| p.fate == Fate::Used).count(),
            points_left,
            trace_rms_px: m.trace.as_ref().map(|t| t.rms_px),
            lines_used: lines.iter().filter(|l| l.fate == Fate::Used).map(|l| (l.name.clone(), l.residual_px)).collect(),
            lines_left: lines.iter().filter(|l| l.fate != Fate::Used).map(|l| (l.name.clone(), l.fate)).collect(),
            line_rms_px: m.dispersion.as_ref().map(|d| d.rms_px),
            line_rms_nm: m.dispersion.as_ref().map(|d| d.rms_nm),
            problem: m.problem.clone(),
        }
    }
}

/// Standard error of the fit at a frame's position above which an order is flagged \[pixel\]: the accuracy asked of wavelengths left out.
const LOOSE_PX: f64 = 0.3;

/// Figures of a position.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PositionFigures {
    /// Frame.
    pub frame: String,
    /// Column and row of the undispersed image; none when the frame could not be used.
    pub place: (f64, f64),
    /// Orders measured.
    pub orders: Vec<OrderFigures>,
    /// Why the frame could not be used at all.
    pub problem: Option<String>,
}

/// Figures of an order over the field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OrderReport {
    /// Order.
    pub order: i32,
    /// Of its trace.
    pub trace: Option<FieldReport>,
    /// Of its dispersion.
    pub wavelength: Option<FieldReport>,
    /// Why the nominal order is kept, or what to beware of.
    pub problem: Option<String>,
}

/// The product beside a calibrated configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CalibrationReport {
    /// Detector.
    pub detector: String,
    /// Band.
    pub band: String,
    /// Settings of the run.
    pub settings: Settings,
    /// A person's choices that were replayed.
    pub edits: Edits,
    /// All frames.
    pub positions: Vec<PositionFigures>,
    /// All orders.
    pub orders: Vec<OrderReport>,
}

/// A calibrated grating with its measurements and figures.
#[derive(Debug, Clone)]
pub struct Calibration {
    /// The grating: measured orders; orders that could not be fitted are as they were, and the report says so.
    pub grating: Grating,
    /// Measurements of the frames that could be used.
    pub positions: Vec<PositionMeasurement>,
    /// Figures.
    pub report: CalibrationReport,
}

/// Calibrates a grating with frames of nebulae (and stars, for traces). The first order must succeed; others are flagged in the report.
///
/// # Errors
/// [`CalibrationError::WrongDetector`] and [`CalibrationError::Shapes`] of any frame, what [`fit_field`] says of the first order, frames named in edits that are not there.
pub fn calibrate(
    frames: &[CalibrationFrame<'_>],
    nominal: &Nominal,
    list: &[Feature],
    settings: &Settings,
    edits: &Edits,
) -> Result<Calibration, CalibrationError> {
    settings.check()?;
    edits.check(&frames.iter().map(|f| f.name).collect::<Vec<_>>())?;
    frames.iter().try_for_each(|f| f.check(nominal))?;
    let measured: Vec<_> = frames.par_iter().map(|f| measure_position(f, nominal, list, settings, edits)).collect();
    let mut figures = Vec::new();
    let mut positions = Vec::new();
    for (frame, result) in frames.iter().zip(measured) {
        let place = (frame.x0, frame.y0);
        match result {
            Ok(m) => {
                figures.push(PositionFigures {
                    frame: frame.name.into(),
                    place,
                    orders: m.orders.iter().map(OrderFigures::of).collect(),
                    problem: None,
                });
                positions.push(m);
            }
            Err(error) => {
                figures.push(PositionFigures { frame: frame.name.into(), place, orders: Vec::new(), problem: Some(error.to_string()) });
            }
        }
    }
    let mut orders = Vec::new();
    let mut reports = Vec::new();
    for order in &nominal.grating.orders {
        let (fitted, report) = fit_order(&positions, order, settings)?;
        orders.push(fitted);
        reports.push(report);
    }
    carry(&mut orders, &mut reports, &nominal.grating, &positions);
    let report = CalibrationReport {
        detector: nominal.detector.clone(),
        band: nominal.band.clone(),
        settings: settings.clone(),
        edits: edits.clone(),
        positions: figures,
        orders: reports,
    };
    Ok(Calibration { grating: Grating { opening: nominal.grating.opening, orders }, positions, report })
}

/// Orders that could not be measured are turned and scaled with the first.
fn carry(orders: &mut [Order], reports: &mut [OrderReport], nominal: &Grating, positions: &[PositionMeasurement]) {
    let first = |orders: &[Order]| orders.iter().find(|o| o.number == 1).cloned();
    let places: Vec<(f64, f64)> = positions.iter().map(|p| (p.x0, p.y0)).collect();
    let (Some(drawn), Some(measured)) = (first(&nominal.orders), first(orders)) else { return };
    let Some(found) = turn(&drawn, &measured, &places) else { return };
    for (order, report) in orders.iter_mut().zip(reports) {
        if report.trace.is_none() && order.number != 0 {
            *order = carried(order, found);
            let why = report.problem.take().unwrap_or_default();
            report.problem = Some(format!("{why}; follows the first order: scale {:.5}, turn {:.4} deg", found.0, found.1.to_degrees()));
        }
    }
}

fn fit_order(positions: &[PositionMeasurement], order: &Order, settings: &Settings) -> Result<(Order, OrderReport), CalibrationError> {
    let kept = |problem: Option<String>| OrderReport { order: order.number, trace: None, wavelength: None, problem };
    if order.number == 0 {
        return Ok(match fit_zeroth(positions, order, settings) {
            Ok(fitted) => (fitted, kept(None)),
            Err(error) => (order.clone(), kept(Some(error.to_string()))),
        });
    }
    match fit_field(positions, order, settings) {
        Ok(OrderField { order, trace, wavelength }) => {
            let error = trace.worst_error_px.max(wavelength.worst_error_px);
            let problem = (error > LOOSE_PX).then(|| {
                let (used, all) = (wavelength.positions_used.len(), positions.len());
                format!("{used} of {all} positions have lines: the fit is uncertain by {error:.2} pixel at some others")
            });
            let report = OrderReport { order: order.number, trace: Some(trace), wavelength: Some(wavelength), problem };
            Ok((order, report))
        }
        Err(error) if order.number == 1 => Err(error),
        Err(error) => Ok((order.clone(), kept(Some(error.to_string())))),
    }
}
