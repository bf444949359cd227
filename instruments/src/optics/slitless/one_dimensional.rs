//! The noiseless spectrum of a source in one dimension: what an order puts on each column of its trace.
//!
//! # Formula
//! `n(column) = integral N(lambda) dlambda` over the wavelengths whose place on the trace lies in the column; N as in `streak.rs`.
//! # Source
//! Geometry of the trace; no PSF, so a line is in one column.
//! # Limits
//! Traces run along the columns' axis; light of columns as in [`super::columns`]. Orders shorter than [`LENGTH_MIN`] have [`STEPS`] steps of the midpoint rule in all.
//! # Twin
//! The extracted spectrum.

use super::super::Imaging;
use super::super::colour::{BandQuadrature, Palette};
use super::super::error::OpticsError;
use super::super::render;
use super::super::scene::{Figure, Resolver};
use super::columns::Columns;
use super::streak::{Photons, Piece};
use rayon::prelude::*;
use sim_core::dispersion::{Opening, Order, Trace};
use sim_core::source::Source;
use sim_core::table::{Column, ColumnData, Table};

/// Steps of an order that is hardly dispersed.
const STEPS: usize = 400;
/// Length of a spectrum from which on it is laid in columns \[pixel\].
const LENGTH_MIN: f64 = 16.0;

/// A column of a spectrum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpectrumPixel {
    /// Column of the detector.
    pub column: i32,
    /// Row of the trace in the middle of the column \[pixel\].
    pub y: f64,
    /// Vacuum wavelength there \[nm\].
    pub wavelength_nm: f64,
    /// Expected electrons.
    pub electrons: f64,
}

/// The spectra of sources in an order, each with its columns rising; empty where the grating has none of the light.
///
/// # Errors
/// As [`Imaging::render`].
pub fn one_dimensional(
    imaging: &Imaging<'_>,
    order: &Order,
    opening: &Opening,
    sources: &[&Source],
) -> Result<Vec<Vec<SpectrumPixel>>, OpticsError> {
    let (low, high) = order.efficiency.range_nm();
    let piece = Piece { order, from_nm: low, to_nm: high };
    let band = BandQuadrature::new(&order.efficiency, 1);
    let references = render::references(sources.iter().copied());
    let through = Imaging { band: &order.efficiency, ..*imaging };
    let resolver = Resolver::new(&through, &band, &references, true, Some((&piece, opening)));
    sources.par_iter().map_init(Palette::default, |palette, source| one(&resolver, order, source, palette)).collect()
}

fn one(resolver: &Resolver<'_>, order: &Order, source: &Source, palette: &mut Palette) -> Result<Vec<SpectrumPixel>, OpticsError> {
    let (low, high) = order.efficiency.range_nm();
    let Some(figure) = resolver.figure(source, palette)? else { return Ok(Vec::new()) };
    let (x0, y0) = (figure.truth.x, figure.truth.y);
    let trace = order.trace(x0, y0);
    let ends = [low, high].map(|nm| x0 + trace.offset(trace.parameter(nm)).0);
    let long = (ends[1] - ends[0]).abs() > LENGTH_MIN;
    let Some(columns) = Columns::lay(&trace, x0, &order.efficiency, 0).filter(|_| long) else {
        return Ok(by_steps(&figure, order, (&trace, ends)));
    };
    let mut pixels: Vec<SpectrumPixel> = (columns.first as i32..)
        .zip(&columns.along)
        .map(|(column, along)| SpectrumPixel { column, y: y0 + along.dy, wavelength_nm: along.nm, electrons: 0.0 })
        .collect();
    for part in &figure.parts {
        let Some((sed, photons)) = &part.sed else { continue };
        let light = columns.fill(sed, part.electrons / photons);
        pixels.iter_mut().zip(light).for_each(|(pixel, moments)| pixel.electrons += moments.light);
    }
    Ok(pixels)
}

/// The spectrum of an order that is hardly dispersed, by the midpoint rule.
fn by_steps(figure: &Figure, order: &Order, (trace, ends): (&Trace, [f64; 2])) -> Vec<SpectrumPixel> {
    let (low, high) = order.efficiency.range_nm();
    let (x0, y0) = (figure.truth.x, figure.truth.y);
    let (first, last) = ((ends[0].min(ends[1]) + 0.5).floor() as i32, (ends[0].max(ends[1]) + 0.5).floor() as i32);
    let mut pixels: Vec<SpectrumPixel> = (first..=last)
        .map(|column| {
            // An order that is not dispersed is in one column.
            let t = trace.parameter_of_column(f64::from(column) - x0).unwrap_or(0.5);
            SpectrumPixel { column, y: y0 + trace.offset(t).1, wavelength_nm: trace.wavelength_nm(t), electrons: 0.0 }
        })
        .collect();
    let width = (high - low) / STEPS as f64;
    for part in &figure.parts {
        let Some((sed, photons)) = &part.sed else { continue };
        let mut density = Photons::new(sed, &order.efficiency);
        let mut t = trace.parameter(low);
        for k in 0..STEPS {
            let nm = low + width * (k as f64 + 0.5);
            t = trace.parameter_near(nm, t);
            let light = density.at(nm) * width;
            let column = (x0 + trace.offset(t).0 + 0.5).floor() as i32 - first;
            if let Some(pixel) = pixels.get_mut(column.max(0) as usize) {
                pixel.electrons += part.electrons * light / photons;
            }
        }
    }
    pixels
}

/// The table of noiseless spectra: one row a column of a source's order.
#[must_use]
pub fn spectrum_table(spectra: &[(u64, i32, usize, Vec<SpectrumPixel>)]) -> Table {
    let rows = || spectra.iter().flat_map(|(id, order, grating, pixels)| pixels.iter().map(move |p| (*id, *order, *grating, p)));
    let column = Column::new;
    Table {
        name: "SPECTRA".into(),
        columns: vec![
            column("OBJ_ID", "", "object number", ColumnData::I64(rows().map(|r| r.0 as i64).collect())),
            column("ORDER", "", "number of the order", ColumnData::I32(rows().map(|r| r.1).collect())),
            column("GRATING", "", "0 before the border, 1 after", ColumnData::I32(rows().map(|r| r.2 as i32).collect())),
            column("COLUMN", "pixel", "column of the detector, from 0", ColumnData::I32(rows().map(|r| r.3.column).collect())),
            column("Y", "pixel", "row of the trace, from 0", ColumnData::F64(rows().map(|r| r.3.y).collect())),
            column("WAVELENGTH", "nm", "vacuum wavelength", ColumnData::F64(rows().map(|r| r.3.wavelength_nm).collect())),
            column("ELECTRONS", "electron", "expected electrons in the column", ColumnData::F64(rows().map(|r| r.3.electrons).collect())),
        ],
    }
}

/// The table of orders: where each lies and what it puts on the detector.
#[must_use]
pub fn order_table(orders: &[super::OrderLight]) -> Table {
    let column = Column::new;
    let f64s = |get: &dyn Fn(&super::OrderLight) -> f64| ColumnData::F64(orders.iter().map(get).collect());
    Table {
        name: "ORDERS".into(),
        columns: vec![
            column("OBJ_ID", "", "object number", ColumnData::I64(orders.iter().map(|o| o.id as i64).collect())),
            column("ORDER", "", "number of the order", ColumnData::I32(orders.iter().map(|o| o.order).collect())),
            column("GRATING", "", "0 before the border, 1 after", ColumnData::I32(orders.iter().map(|o| o.grating as i32).collect())),
            column("X_BLUE", "pixel", "column of the short-wavelength end, from 0", f64s(&|o| o.blue.0)),
            column("Y_BLUE", "pixel", "row of the short-wavelength end, from 0", f64s(&|o| o.blue.1)),
            column("X_RED", "pixel", "column of the long-wavelength end, from 0", f64s(&|o| o.red.0)),
            column("Y_RED", "pixel", "row of the long-wavelength end, from 0", f64s(&|o| o.red.1)),
            column("ELECTRONS", "electron", "expected electrons of the order", f64s(&|o| o.electrons)),
            column("ELECTRONS_IN", "electron", "expected electrons inside the frame", f64s(&|o| o.electrons_in_frame)),
        ],
    }
}
