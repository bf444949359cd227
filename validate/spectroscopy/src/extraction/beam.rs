//! An order of a source as columns of the detector see it.
//!
//! # Formula
//! Column c has the parameter t with `x0 + X(t) = c` (Newton), the row `y0 + Y(t)`, the wavelength `lambda(t)` and the dispersion `|lambda' / X'|`.
//! # Symbols
//! c  middle of a column, 0-based on the whole detector
//! # Source
//! Pirzkal & Ryan 2017 (STScI ISR WFC3 2017-01).
//! # Limits
//! Columns whose middle lies between t = 0 and t = 1 or where the order is sensitive ([`ReadyOrder::span`]). The trace must not turn back along x.

use super::catalogue::Source;
use super::error::ExtractionError;
use super::response::ReadyOrder;
use sim_core::dispersion::Grating;

/// A column of a beam.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BeamColumn {
    /// Column on the whole detector, 0-based.
    pub column: i64,
    /// Row of the trace on the whole detector, 0-based \[pixel\].
    pub row: f64,
    /// Vacuum wavelength \[nm\].
    pub wavelength_nm: f64,
    /// Wavelength per column \[nm / pixel\], above 0.
    pub dispersion: f64,
    /// Response with the share of the opening \[electron / s per erg / s / cm2\].
    pub response: f64,
}

/// An order of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Beam {
    /// Columns, by rising wavelength.
    pub columns: Vec<BeamColumn>,
    /// Share of the source's light in this grating.
    pub share: f64,
    /// Largest response of the order times the share.
    pub peak: f64,
}

impl Beam {
    /// The columns of an order of a source, on the frame or not; `None` where the grating gets none of its light.
    ///
    /// # Errors
    /// A trace shorter than two columns, or that turns back along x.
    pub fn new(order: &ReadyOrder, gratings: &[Grating], source: &Source) -> Result<Option<Self>, ExtractionError> {
        let share = gratings[order.grating].opening.share(source.x);
        if share <= 0.0 {
            return Ok(None);
        }
        let trace = order.order.trace(source.x, source.y);
        let fault = |reason| ExtractionError::Trace { grating: order.grating, order: order.order.number, reason };
        let (first, last) = (trace.offset(0.0).0, trace.offset(1.0).0);
        if (last - first).abs() < 2.0 {
            return Err(fault("the trace is shorter than two columns: nothing to extract along"));
        }
        if (0..=20).any(|i| trace.direction(f64::from(i) / 20.0).0 * (last - first) <= 0.0) {
            return Err(fault("the trace turns back along the columns' axis"));
        }
        let span = order.span(&trace);
        let ends = [0.0, 1.0, span.0, span.1].map(|t| source.x + trace.offset(t).0);
        let (low, high) = (ends.iter().copied().fold(f64::INFINITY, f64::min), ends.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        let mut columns = Vec::with_capacity((high - low) as usize + 1);
        for column in low.ceil() as i64..=high.floor() as i64 {
            let offset = column as f64 - source.x;
            let t = trace.parameter_of_column(offset).ok_or_else(|| fault("a column has no parameter t"))?;
            let wavelength_nm = trace.wavelength_nm(t);
            let dispersion = (trace.wavelength_slope_nm(t) / trace.direction(t).0).abs();
            let response = share * order.response.at(wavelength_nm);
            columns.push(BeamColumn { column, row: source.y + trace.offset(t).1, wavelength_nm, dispersion, response });
        }
        if columns.len() > 1 && columns[0].wavelength_nm > columns[columns.len() - 1].wavelength_nm {
            columns.reverse();
        }
        Ok(Some(Self { columns, share, peak: share * order.peak }))
    }
    /// Whether the order is sensitive in a column: above a thousandth of its peak.
    #[must_use]
    pub fn sensitive(&self, column: &BeamColumn) -> bool {
        column.response > 1e-3 * self.peak
    }
}
