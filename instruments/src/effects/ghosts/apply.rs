//! Forward: adds the ghosts of all bright points.

use super::PARAMETERS;
use super::model::{Disc, Path, Surfaces};
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::{bright, rows};
use sim_core::effect::{Context, Effect, EffectError};
use sim_core::exposure::ExposureKind;
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::plane::Light;

struct Ghosts {
    paths: Vec<Path>,
    least_brightness: f64,
}

fn read(spec: &DetectorSpec) -> Result<Ghosts, ParameterError> {
    let [f_number, pupil_mm, pitch_mm, least_brightness, gap_1, fraction_1, x_1, y_1, gap_2, fraction_2, x_2, y_2] =
        parameters::read(&spec.parameters, "ghosts", &PARAMETERS)?;
    let path = |gap_mm, fraction, tilt_deg| Path::new(Surfaces { gap_mm, fraction, tilt_deg }, f_number, pupil_mm, pitch_mm);
    let paths = vec![path(gap_1, fraction_1, (x_1, y_1)), path(gap_2, fraction_2, (x_2, y_2))];
    Ok(Ghosts { paths, least_brightness })
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Light>>, ParameterError> {
    Ok(Box::new(read(spec)?))
}

/// Greatest distance from which a star throws a ghost into a window of the detector \[pixel\].
///
/// # Errors
/// When a parameter is missing or out of range.
pub fn reach_pixel(spec: &DetectorSpec) -> Result<f64, ParameterError> {
    let ghosts = read(spec)?;
    let (x, y) = bright::axis(&spec.geometry);
    let far_x = (x.abs()).max((spec.geometry.nx as f64 - x).abs());
    let far_y = (y.abs()).max((spec.geometry.ny as f64 - y).abs());
    let of = |p: &Path| p.radius + p.shift.0.hypot(p.shift.1) + 1.1 * p.slope.abs() * far_x.hypot(far_y);
    Ok(ghosts.paths.iter().map(of).fold(0.0, f64::max))
}

impl Effect<Light> for Ghosts {
    fn apply(&self, frame: &mut Frame<Light>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::need_shape("ghosts", frame, cx.window.shape())?;
        if cx.exposure.kind != ExposureKind::Science {
            return Ok(Ledger::default());
        }
        let axis = bright::axis(cx.geometry);
        let discs: Vec<Disc> = bright::points(frame)
            .iter()
            .flat_map(|p| self.paths.iter().map(move |path| path.disc(axis, p.x, p.y, p.electrons)))
            .filter(|disc| f64::from(disc.brightness) >= self.least_brightness && disc.reaches(cx.window))
            .collect();
        if discs.is_empty() {
            return Ok(Ledger::default());
        }
        let window = cx.window;
        Ok(rows::change(frame, |y, row, _| {
            for disc in &discs {
                disc.shine(window.y0 + y, window.x0, row);
            }
        }))
    }
}
