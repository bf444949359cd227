//! Forward: adds the light of all trails.

use super::PARAMETERS;
use super::model::{Line, Optics, Profile};
use super::population::{Population, Trail};
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows;
use sim_core::effect::{Context, Effect, EffectError};
use sim_core::exposure::ExposureKind;
use sim_core::frame::{Frame, Window};
use sim_core::ledger::Ledger;
use sim_core::moving::{Mover, MoverKind, Movers};
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
    /// The trails that an exposure has where no orbits are given; the draws know no detector.
    #[must_use]
    pub fn trails(&self, cx: &Context<'_>) -> Vec<Trail> {
        if cx.exposure.kind != ExposureKind::Science {
            return Vec::new();
        }
        let key = StreamKey::new(cx.seed).with(cx.exposure.id).with_name("trails");
        self.population.trails(key, cx.exposure.time_s, &self.optics)
    }
    /// All that moves: of each kind the given list, or the population's own where none is given.
    fn movers(&self, cx: &Context<'_>, given: Option<&Movers>) -> Vec<Mover> {
        if cx.exposure.kind != ExposureKind::Science {
            return Vec::new();
        }
        let satellites = given.and_then(|g| g.satellites.as_deref());
        let asteroids = given.and_then(|g| g.asteroids.as_deref());
        let stands_in = |kind| match kind {
            MoverKind::Satellite => satellites.is_none(),
            MoverKind::Asteroid => asteroids.is_none(),
        };
        let drawn = if satellites.is_some() && asteroids.is_some() { Vec::new() } else { self.trails(cx) };
        let drawn = drawn.iter().filter(|trail| stands_in(trail.kind)).map(|trail| trail.mover(cx.geometry));
        drawn.chain([satellites, asteroids].into_iter().flatten().flatten().cloned()).collect()
    }
    /// What reaches a window, with its lines.
    pub(super) fn lines(&self, cx: &Context<'_>, given: Option<&Movers>) -> Vec<(Mover, Vec<Line>)> {
        let scale = cx.geometry.pixel_scale_arcsec;
        let near = |mover: Mover| {
            let profile = Profile::new(0.5 * mover.blur_arcsec / scale, self.psf_sigma_arcsec / scale);
            let lines: Vec<Line> = lines_of(&mover, &profile).into_iter().filter(|line| reaches(line, cx.window)).collect();
            (!lines.is_empty()).then_some((mover, lines))
        };
        self.movers(cx, given).into_iter().filter_map(near).collect()
    }
}

/// The lines of a path: the same light in each step.
fn lines_of(mover: &Mover, profile: &Profile) -> Vec<Line> {
    let steps = mover.path.len().saturating_sub(1).max(1) as f64;
    mover.path.windows(2).map(|ends| Line::new(ends[0], ends[1], mover.electrons / steps, profile.clone())).collect()
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
        rows::need_shape("trails", frame, cx.window.shape())?;
        let lines: Vec<Line> = self.lines(cx, frame.movers.as_deref()).into_iter().flat_map(|(_, lines)| lines).collect();
        if lines.is_empty() {
            return Ok(Ledger::default());
        }
        let window = cx.window;
        Ok(rows::change(frame, |y, row, _| {
            for line in &lines {
                line.shine(window.y0 + y, window.x0, row);
            }
        }))
    }
}
