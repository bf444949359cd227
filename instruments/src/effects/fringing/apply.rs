//! Forward: multiplies by the fringes of each pixel's thickness.

use super::model::{Film, Nodes, Piece, Sample, Table, samples, shine};
use super::thickness::{Shape, Thickness};
use super::{PARAMETERS, Silicon};
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows;
use crate::effects::sky::unit_position;
use sim_core::bandpass::Bandpass;
use sim_core::effect::{Context, Effect, EffectError, Rows};
use sim_core::exposure::ExposureKind;
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::plane::Light;
use sim_core::stream::StreamKey;
use std::sync::Arc;

/// Fringes weaker than this are left out.
const NOTHING: f64 = 1e-9;

struct Fringing {
    band: Arc<Bandpass>,
    film: Film,
    shape: Shape,
    line_nm: f64,
    line_fraction: f64,
    line_spread: f64,
    lamp_nm: f64,
    lamp_width_nm: f64,
    /// That of the effect `sky`.
    sky_gradient: f64,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Light>>, ParameterError> {
    let [
        mean_um,
        range_um,
        bump_rms_um,
        bump_length,
        front,
        back,
        edge_shift_nm,
        line_nm,
        line_fraction,
        line_spread,
        lamp_nm,
        lamp_width_nm,
    ] = parameters::read(&spec.parameters, "fringing", &PARAMETERS)?;
    Ok(Box::new(Fringing {
        band: Arc::clone(&spec.band),
        film: Film { silicon: Silicon::load(), front, back, edge_shift_nm },
        shape: Shape { mean_um, range_um, bump_rms_um, bump_length },
        line_nm,
        line_fraction,
        line_spread,
        lamp_nm,
        lamp_width_nm,
        sky_gradient: spec.nominal("sky", "gradient").unwrap_or(0.0),
    }))
}

impl Fringing {
    /// Samples for this exposure; `None` when there are no fringes.
    fn samples(&self, cx: &Context<'_>, thickness: &Thickness) -> Option<(Table, Vec<Sample>)> {
        let bounds = thickness.bounds_um();
        let (low_nm, high_nm) = self.band.range_nm();
        let step = Table::step_um(&self.film, low_nm.min(self.line_nm).max(300.0));
        // Phase over wavelength: 4 pi n d / lambda^2 and some 5 % for the dispersion, at the blue end of what is transparent.
        let index = self.film.silicon.index(low_nm);
        let per_nm = 4e3 * std::f64::consts::PI * index * 1.05 * bounds.1 / low_nm.max(600.0).min(high_nm).powi(2);
        let table = |nodes: &Nodes| Table::new(&self.film, nodes, bounds, step);
        let (factor, sky) = match cx.exposure.kind {
            ExposureKind::Flat { .. } => {
                let factor = table(&Nodes::lamp(&self.band, self.lamp_nm, self.lamp_width_nm, per_nm)?);
                let none = vec![0.0; factor.values.len()];
                (factor, none)
            }
            _ => {
                let factor = table(&Nodes::continuum(&self.band, per_nm));
                let line = table(&Nodes::line(self.line_nm));
                // One sky for all detectors: the key has no detector.
                let stream = StreamKey::new(cx.seed).with(cx.exposure.id).with_name("fringing").stream(0);
                let uniform = (f64::from(stream.word(0)) + 0.5) / 4_294_967_296.0;
                let share = (self.line_fraction * (1.0 + self.line_spread * (2.0 * uniform - 1.0))).min(1.0);
                let sky = line.values.iter().zip(&factor.values).map(|(l, c)| share * (l - c)).collect();
                (factor, sky)
            }
        };
        let strongest = sky.iter().map(|v: &f64| v.abs()).fold(factor.deviation(), f64::max);
        if strongest < NOTHING {
            return None;
        }
        let samples = samples(&factor, &sky);
        Some((factor, samples))
    }
}

impl Effect<Light> for Fringing {
    fn apply(&self, frame: &mut Frame<Light>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::apply("fringing", self, frame, cx)
    }

    fn rows<'a>(&'a self, cx: &'a Context<'a>) -> Result<Rows<'a>, EffectError> {
        if !cx.exposure.kind.is_illuminated() {
            return Ok(Rows::Idle);
        }
        let thickness = Thickness::new(self.shape, cx.geometry, &cx.fixed_stream(0));
        let Some((table, samples)) = self.samples(cx, &thickness) else { return Ok(Rows::Idle) };
        let (window, nx, ny) = (cx.window, cx.geometry.nx, cx.geometry.ny);
        let step = thickness.step();
        let (i0, j0, nodes) = thickness.nodes(window);
        let mean = match cx.exposure.kind {
            ExposureKind::Science => cx.exposure.sky_electron_s * cx.exposure.time_s,
            _ => 0.0,
        };
        let half = 0.5 * self.sky_gradient * mean;
        let sky_slope = 2.0 * half / nx as f64;
        Ok(Rows::each(window.shape(), move |y, row, _| {
            let y = window.y0 + y;
            let (j, fy) = (y / step - j0, (y % step) as f64 / step as f64);
            let node = |i: usize| {
                let d = nodes[[j, i]] + fy * (nodes[[j + 1, i]] - nodes[[j, i]]);
                (d - table.low_um) / table.step_um
            };
            let sky_start = mean + half * (unit_position(y, ny) + unit_position(0, nx));
            for i in 0..nodes.ncols() - 1 {
                // Pieces run from node to node of the detector, also where the window cuts them: a cut-out has the bits of the whole.
                let from = (i0 + i) * step;
                let (low, high) = (from.max(window.x0), (from + step).min(window.x0 + window.nx));
                if low >= high {
                    continue;
                }
                let (a, b) = (node(i), node(i + 1));
                let slope = (b - a) / step as f64;
                let piece = Piece {
                    first: low - from,
                    start: a as f32,
                    slope: slope as f32,
                    sky: (sky_start + sky_slope * from as f64) as f32,
                    sky_slope: sky_slope as f32,
                };
                shine(&mut row[low - window.x0..high - window.x0], piece, &samples);
            }
        }))
    }
}
