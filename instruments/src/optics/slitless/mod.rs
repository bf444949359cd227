//! Slitless optics: every source drawn out by a grating into its orders.
//!
//! # Effect
//! A source becomes the spectra of its orders, each wavelength where trace and dispersion put it, through the PSF of that wavelength and place.
//! # Formula
//! Faint orders are their light along the trace times profiles across it (`ribbon.rs`). Most others are images laid side by side along the trace (`images.rs`). Short ones, those with wide wings and
//! those with too many lines are cut into straight pieces (`streak.rs`); each piece is drawn as images are ([`super`]), its modes times the transform of the
//! light along it.
//! # Source
//! Positions: Pirzkal & Ryan 2017 (STScI ISR WFC3 2017-01). Drawing: [`super`] and `streak.rs`.
//! # Limits
//! Traces run along the columns' axis, within 45 degrees. Pieces nowhere brighter than a tenth of the tolerance are left out. Shapes are those of the undispersed image. A piece, of 96 pixels at most, has the PSF of its middle: where coma changes by 40 nm a degree its
//! ends are displaced by 0.001 pixel. The electrons that the truth states are a quadrature of 200 intervals an order, those that are drawn are integrated exactly. A source whose undispersed image lies on the border of two gratings gives each its share of
//! the beam's area ([`sim_core::dispersion::Opening`]); the diffraction at the border is left out.
//! # Twin
//! The extraction of spectra.

mod columns;
mod cumulative;
mod cutouts;
mod gratings;
mod images;
mod layout;
mod one_dimensional;
mod plates;
mod ribbon;
mod ruling;
mod spots;
mod streak;
mod stretches;

pub use cutouts::{Cutout, cutout_table, in_a_row};
pub use gratings::{all_orders, gratings, nominal_gratings, sky_columns};
pub use one_dimensional::{SpectrumPixel, one_dimensional, order_table, spectrum_table};
pub use ruling::{Fitted, Ruling};
pub(crate) use streak::{BEND, Piece, Spread, SpreadScratch, Streak};

use super::error::OpticsError;
use super::paint::Stamp;
use super::{Imaging, Rendered, bright, render};
use cutouts::Kept;
use sim_core::dispersion::{Grating, Opening, Order};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::plane::Light;
use sim_core::source::Source;
use sim_core::truth::TruthRow;
use std::collections::BTreeMap;
use std::time::Instant;
use stretches::Stretches;

/// What an order puts on the detector.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderLight {
    /// Number of the source.
    pub id: u64,
    /// Grating, by its place in the list.
    pub grating: usize,
    /// Number of the order.
    pub order: i32,
    /// Columns and rows of the short-wavelength end \[pixel\].
    pub blue: (f64, f64),
    /// Columns and rows of the long-wavelength end \[pixel\].
    pub red: (f64, f64),
    /// Expected electrons.
    pub electrons: f64,
    /// Expected electrons inside the window.
    pub electrons_in_frame: f64,
}

/// What a slitless render gives.
#[derive(Debug, Clone)]
pub struct Dispersed {
    /// All orders together. The truth has one row for each source with light in the window, with the place of its undispersed image and the electrons of
    /// those of its orders that touch it.
    pub rendered: Rendered,
    /// Every order that touches the window, in the order of the catalogue.
    pub orders: Vec<OrderLight>,
    /// Own light of the brighter orders, if asked for.
    pub cutouts: Vec<Cutout>,
}

/// Places at which pieces must be straight: a net over the detector and as far outside as sources can be whose light arrives.
fn places(imaging: &Imaging<'_>) -> Vec<(f64, f64)> {
    let (nx, ny) = (imaging.geometry.nx as f64, imaging.geometry.ny as f64);
    let along = [-0.2, 0.5, 1.2];
    along.iter().flat_map(|v| along.map(|u| (u * nx, v * ny))).collect()
}

/// Wavelengths \[nm\] that any order of these gratings lets through.
fn range_of(gratings: &[Grating]) -> (f64, f64) {
    let ranges = gratings.iter().flat_map(|g| &g.orders).map(|order| order.efficiency.range_nm());
    ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((1.0, 2.0))
}

/// Draws sources through gratings: as [`Imaging::render`]; orders have their own efficiency, the band of `imaging` is what the truth states
/// magnitudes in. Own light is kept of orders with more than `cut_out` expected electrons.
///
/// # Errors
/// As [`Imaging::render`].
pub fn disperse(
    imaging: &Imaging<'_>,
    gratings: &[Grating],
    sources: &[Source],
    cut_out: Option<f64>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Dispersed, OpticsError> {
    let places = places(imaging);
    let clock = Instant::now();
    let mut stretches = Stretches::new(imaging, range_of(gratings))?;
    let psf_s = clock.elapsed().as_secs_f64();
    let lines: Vec<(usize, &Opening, &Order, Vec<Piece<'_>>)> = gratings
        .iter()
        .enumerate()
        .flat_map(|(number, grating)| grating.orders.iter().map(move |order| (number, &grating.opening, order)))
        .map(|(number, opening, order)| (number, opening, order, streak::pieces(order, &places, stretches.borders_nm())))
        .collect();
    for (_, _, order, pieces) in &lines {
        if pieces.iter().any(|piece| places.iter().any(|&(x, y)| !piece.streak(x, y).is_along_x())) {
            let range = "traces within 45 deg of the columns' axis";
            return Err(OpticsError::Setting { key: "order", value: f64::from(order.number), unit: "", range });
        }
    }
    let zero_electrons = imaging.band.ab_zero_electron_s(imaging.area_cm2) * imaging.time_s;
    let direct = bright::electrons(imaging, sources)?;
    let mut rendered = Rendered {
        light: Frame::<Light>::zeros(imaging.window),
        truth: Vec::new(),
        ledger: Ledger::default(),
        timings: super::Timings::default(),
        clipped: 0,
    };
    let mut truth: BTreeMap<usize, TruthRow> = BTreeMap::new();
    let mut orders: BTreeMap<(usize, usize), OrderLight> = BTreeMap::new();
    rendered.timings.psf_s += psf_s;
    let mut kept = cut_out.map(|least| Kept::new(imaging.window, least));
    let (all, mut done) = (lines.iter().map(|l| l.3.len() + 1).sum::<usize>(), 0);
    for (line, (grating, opening, order, pieces)) in lines.iter().enumerate() {
        let whole = bright::electrons(&Imaging { band: &order.efficiency, ..*imaging }, sources)?;
        let (blue_nm, red_nm) = order.efficiency.range_nm();
        let mut book = |at: usize, row: TruthRow| {
            let trace = order.trace(row.x, row.y);
            let end = |nm: f64| {
                let (dx, dy) = trace.offset(trace.parameter(nm));
                (row.x + dx, row.y + dy)
            };
            let light = orders.entry((at, line)).or_insert_with(|| OrderLight {
                id: row.id,
                grating: *grating,
                order: order.number,
                blue: end(blue_nm),
                red: end(red_nm),
                electrons: whole[at].map_or(0.0, |p| p.electrons) * opening.share(row.x),
                electrons_in_frame: 0.0,
            });
            light.electrons_in_frame += row.electrons_in_frame;
            let electrons = direct[at].map_or(0.0, |p| p.electrons);
            let magnitude = -2.5 * (electrons / zero_electrons).log10();
            truth.entry(at).or_insert(TruthRow { magnitude, electrons: 0.0, electrons_in_frame: 0.0, ..row });
        };
        let mut keep = |at: usize, stamps: &[Stamp]| {
            if let (Some(kept), Some(light)) = (&mut kept, whole[at]) {
                stamps.iter().for_each(|stamp| kept.add((at, line), light.electrons, stamp));
            }
        };
        let rough = images::draw(imaging, (order, opening), &mut stretches, sources, &mut rendered, &mut book, &mut keep)?;
        done += 1;
        progress(done, all);
        let in_pieces: Vec<Source> = rough.iter().map(|&at| sources[at].clone()).collect();
        if in_pieces.is_empty() {
            done += pieces.len();
            progress(done, all);
            continue;
        }
        for piece in pieces {
            let band = piece.band();
            let through = Imaging { band: &band, ..*imaging };
            let drawn = render::render(
                &through,
                Some((piece, opening, stretches.whole(piece).filter(|_| pieces.len() > 1))),
                &in_pieces,
                &mut rendered.light,
                &mut |place, stamps| keep(rough[place], stamps),
                &|_, _| {},
            )?;
            rendered.ledger = rendered.ledger.plus(drawn.ledger);
            rendered.timings = rendered.timings.plus(&drawn.timings);
            rendered.clipped += drawn.clipped;
            for (place, row) in drawn.truth {
                book(rough[place], row);
            }
            done += 1;
            progress(done, all);
        }
    }
    for ((at, _), light) in &orders {
        if let Some(row) = truth.get_mut(at) {
            row.electrons += light.electrons;
            row.electrons_in_frame += light.electrons_in_frame;
        }
    }
    rendered.timings.objects = truth.len();
    rendered.truth = truth.into_values().collect();
    let name = |(at, line): (usize, usize)| (sources[at].id, lines[line].0, lines[line].2.number);
    let cutouts = kept.map_or_else(Vec::new, |kept| kept.finish(name));
    Ok(Dispersed { rendered, orders: orders.into_values().collect(), cutouts })
}
