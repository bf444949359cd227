//! Forward: adds the light of all trails.

use super::PARAMETERS;
use super::model::{Line, Optics, Profile};
use super::population::{Population, Trail};
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows;
use sim_core::detector::DetectorGeometry;
use sim_core::effect::{Context, Effect, EffectError, Rows};
use sim_core::exposure::ExposureKind;
use sim_core::frame::{Frame, Window};
use sim_core::ledger::Ledger;
use sim_core::plane::Light;
use sim_core::stream::StreamKey;
use std::f64::consts::PI;

/// The effect.
pub struct Trails {
    population: Population,
    optics: Optics,
    psf_sigma_arcsec: f64,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Light>>, ParameterError> {
    Ok(Box::new(Trails::new(spec)?))
}

impl Trails {
    /// Reads the parameters of a detector.
    ///
    /// # Errors
    /// When one is missing, unknown or out of range.
    pub fn new(spec: &DetectorSpec) -> Result<Self, ParameterError> {
        let [
            field_radius_deg,
            satellite_rate,
            satellite_magnitude,
            satellite_scatter,
            satellite_size_m,
            near,
            far,
            relative_speed_km_s,
            aperture_m,
            psf_sigma_arcsec,
            asteroid_density,
            asteroid_slope,
            bright,
            faint,
            asteroid_rate_arcsec_h,
            asteroid_rate_scatter,
        ] = parameters::read(&spec.parameters, "trails", &PARAMETERS)?;
        let above = |key, value, low, high, unit| ParameterError::Range { effect: "trails", key, value, unit, low, high };
        if far < near {
            return Err(above("range_far", far, near, 1e5, "km"));
        }
        if faint < bright {
            return Err(above("asteroid_faint", faint, bright, 35.0, "mag"));
        }
        let population = Population {
            field_radius_deg,
            satellite_rate,
            satellite_magnitude,
            satellite_scatter,
            satellite_size_m,
            range_km: (near, far),
            relative_speed_km_s,
            aperture_m,
            asteroid_density,
            asteroid_slope,
            asteroid_limits: (bright, faint),
            asteroid_rate_arcsec_h,
            asteroid_rate_scatter,
        };
        let area_cm2 = 0.25 * PI * (100.0 * aperture_m).powi(2);
        Ok(Self { population, optics: Optics { zero_electron_s: spec.band.ab_zero_electron_s(area_cm2) }, psf_sigma_arcsec })
    }
    /// All trails of the exposure; the draws know no detector.
    #[must_use]
    pub fn trails(&self, cx: &Context<'_>) -> Vec<Trail> {
        if cx.exposure.kind != ExposureKind::Science {
            return Vec::new();
        }
        let key = StreamKey::new(cx.seed).with(cx.exposure.id).with_name("trails");
        self.population.trails(key, cx.exposure.time_s, &self.optics)
    }
    /// A trail in pixels of a detector.
    pub(super) fn line(&self, trail: &Trail, geometry: &DetectorGeometry) -> Line {
        let scale = geometry.pixel_scale_arcsec;
        let pixel = |(x, y): (f64, f64)| (x * 3600.0 / scale + geometry.crpix1 - 1.0, y * 3600.0 / scale + geometry.crpix2 - 1.0);
        let profile = Profile::new(0.5 * trail.blur_arcsec / scale, self.psf_sigma_arcsec / scale);
        Line::new(pixel(trail.from_deg), pixel(trail.to_deg), trail.electrons, profile)
    }
    /// The trails that reach a window, with their lines.
    pub(super) fn lines(&self, cx: &Context<'_>) -> Vec<(Trail, Line)> {
        self.trails(cx)
            .into_iter()
            .map(|trail| (trail, self.line(&trail, cx.geometry)))
            .filter(|(_, line)| reaches(line, cx.window))
            .collect()
    }
}

/// Whether a line comes near a window: its distance from the centre against the half diagonal, and its ends.
fn reaches(line: &Line, window: Window) -> bool {
    let centre = (window.x0 as f64 + 0.5 * window.nx as f64, window.y0 as f64 + 0.5 * window.ny as f64);
    let half = 0.5 * (window.nx as f64).hypot(window.ny as f64) + 1.5 * line.profile.reach;
    let (dx, dy) = (centre.0 - line.from.0, centre.1 - line.from.1);
    let across = dx * line.along.1 - dy * line.along.0;
    let along = dx * line.along.0 + dy * line.along.1;
    across.abs() <= half && along >= -half && along <= line.length + half
}

impl Effect<Light> for Trails {
    fn apply(&self, frame: &mut Frame<Light>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::apply("trails", self, frame, cx)
    }

    fn rows<'a>(&'a self, cx: &'a Context<'a>) -> Result<Rows<'a>, EffectError> {
        let lines = self.lines(cx);
        if lines.is_empty() {
            return Ok(Rows::Idle);
        }
        let window = cx.window;
        Ok(Rows::each(window.shape(), move |y, row, _| {
            for (_, line) in &lines {
                line.shine(window.y0 + y, window.x0, row);
            }
        }))
    }
}
