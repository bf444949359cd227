//! One position measured: traces of all orders, lines of a nebula, the zeroth order.
//!
//! Batch runs and the page call [`measure_position`]; what cannot be measured is a `problem` of its order, so that the rest is there to be looked at.

use super::cutout::Cutout;
use super::dispersion::{DispersionFit, measure_dispersion};
use super::edits::Edits;
use super::error::CalibrationError;
use super::frames::{CalibrationFrame, Calibrator, Nominal};
use super::line_list::Feature;
use super::ridge_spectrum::{RidgeSpectrum, take};
use super::settings::Settings;
use super::trace::{TraceFit, columns_of, measure_trace, row_at};
use super::zeroth::{Zeroth, measure_zeroth};
use serde::Serialize;
use sim_core::dispersion::Order;

/// Least share of an order's columns that must be on the frame.
const LEAST_SHARE: f64 = 0.3;

/// What is known of one order at one position.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OrderMeasurement {
    /// Number of the order.
    pub order: i32,
    /// Its trace.
    pub trace: Option<TraceFit>,
    /// Its dispersion (nebulae alone).
    pub dispersion: Option<DispersionFit>,
    /// The spectrum along the trace.
    pub spectrum: Option<RidgeSpectrum>,
    /// Place of the zeroth order.
    pub zeroth: Option<Zeroth>,
    /// Why something is missing.
    pub problem: Option<String>,
}

/// What is known of one position.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PositionMeasurement {
    /// Name of the frame.
    pub frame: String,
    /// What the calibrator is.
    pub calibrator: Calibrator,
    /// Column of the undispersed image.
    pub x0: f64,
    /// Row of the undispersed image.
    pub y0: f64,
    /// All orders of the configuration, by number.
    pub orders: Vec<OrderMeasurement>,
}

impl PositionMeasurement {
    /// An order's measurement.
    #[must_use]
    pub fn order(&self, number: i32) -> Option<&OrderMeasurement> {
        self.orders.iter().find(|o| o.order == number)
    }
}

/// Share of an order's columns whose row is on the frame.
#[must_use]
pub fn share_on_frame(frame: &CalibrationFrame<'_>, order: &Order) -> f64 {
    let (cutout, trace) = (Cutout(frame.image), order.trace(frame.x0, frame.y0));
    let (low, high) = columns_of(&trace);
    let ((x1, x2), (y1, y2)) = (cutout.columns(), cutout.rows());
    let inside = (0..=40)
        .map(|i| low + (high - low) * f64::from(i) / 40.0)
        .filter(|dx| {
            let (x, y) = (frame.x0 + dx, frame.y0 + row_at(&trace, *dx));
            x >= x1 as f64 && x < x2 as f64 && y >= y1 as f64 && y < y2 as f64
        })
        .count();
    inside as f64 / 41.0
}

/// Measures all orders of a position.
///
/// # Errors
/// Settings out of range, wrong detector, planes that differ, a main order off the frame ([`CalibrationError::OffFrame`]), no first order configured.
pub fn measure_position(
    frame: &CalibrationFrame<'_>,
    nominal: &Nominal,
    list: &[Feature],
    settings: &Settings,
    edits: &Edits,
) -> Result<PositionMeasurement, CalibrationError> {
    settings.check()?;
    frame.check(nominal)?;
    let main = nominal
        .grating
        .orders
        .iter()
        .find(|o| o.number == 1)
        .ok_or_else(|| CalibrationError::NoOrder { detector: nominal.detector.clone(), order: 1 })?;
    if share_on_frame(frame, main) < LEAST_SHARE {
        let cutout = Cutout(frame.image);
        let range = |(a, b): (i64, i64)| (a as usize, b as usize);
        return Err(CalibrationError::OffFrame {
            frame: frame.name.into(),
            x: frame.x0,
            y: frame.y0,
            columns: range(cutout.columns()),
            rows: range(cutout.rows()),
        });
    }
    let orders = nominal.grating.orders.iter().map(|order| measure_order(frame, nominal, order, list, settings, edits)).collect();
    Ok(PositionMeasurement { frame: frame.name.into(), calibrator: frame.calibrator, x0: frame.x0, y0: frame.y0, orders })
}

fn measure_order(
    frame: &CalibrationFrame<'_>,
    nominal: &Nominal,
    order: &Order,
    list: &[Feature],
    settings: &Settings,
    edits: &Edits,
) -> OrderMeasurement {
    let mut out = OrderMeasurement { order: order.number, trace: None, dispersion: None, spectrum: None, zeroth: None, problem: None };
    if share_on_frame(frame, order) < LEAST_SHARE {
        out.problem = Some(format!("order {} is off the frame", order.number));
        return out;
    }
    if order.number == 0 {
        out.zeroth = measure_zeroth(frame, order, settings);
        out.problem = out.zeroth.is_none().then(|| "zeroth order not found".into());
        return out;
    }
    let choices = edits.of(frame.name, order.number);
    let trace = match measure_trace(frame, order, settings, &choices) {
        Ok(trace) => trace,
        Err(error) => {
            out.problem = Some(error.to_string());
            return out;
        }
    };
    let (low, high) = columns_of(&order.trace(frame.x0, frame.y0));
    let margin = settings.search_px + 0.5 * settings.search_scale * (high - low) + 6.0;
    let spectrum =
        take(frame, &trace, (frame.x0 + low - margin).floor() as i64, (frame.x0 + high + margin).ceil() as i64, settings.half_box);
    if frame.calibrator == Calibrator::Nebula {
        match measure_dispersion(frame, (&nominal.grating, order), (&trace, &spectrum), list, settings, &choices) {
            Ok(dispersion) => out.dispersion = Some(dispersion),
            Err(error) => out.problem = Some(error.to_string()),
        }
    }
    // The few lines of a nebula are rivalled by hits more easily than a star's even light; whether they are lines, the identification says.
    let limit = if frame.calibrator == Calibrator::Nebula { 0.8 } else { 0.5 };
    if trace.rival > limit {
        out.problem.get_or_insert_with(|| format!("another ridge within reach scores {:.2} of this one", trace.rival));
    }
    (out.trace, out.spectrum) = (Some(trace), Some(spectrum));
    out
}
