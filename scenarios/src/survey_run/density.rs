//! How many objects units will hold: counted in a small window of some exposures, which stand for their neighbours in time.

use crate::sky::{self, Front, Sky};
use crate::unit::{Plan, Unit};
use sim_core::frame::Window;
use sim_core::source::Position;

/// Exposures that are looked at, at most.
const SAMPLES: usize = 32;
/// Side of the window that is looked at \[pixel\].
const SIDE: usize = 1024;

/// Objects per pixel in exposures spread over a survey.
pub struct Density {
    /// One value for each part of the survey.
    samples: Vec<f64>,
    exposures: usize,
}

impl Density {
    /// Looks at exposures spread over a survey of so many: `turn` turns the plan to one of them.
    ///
    /// # Errors
    /// When the sky cannot be opened or read.
    pub fn sample(plan: &mut Plan, exposures: usize, mut turn: impl FnMut(&mut Plan, usize) -> anyhow::Result<()>) -> anyhow::Result<Self> {
        let count = exposures.min(SAMPLES);
        let mut samples = Vec::with_capacity(count);
        let mut opened: Option<Sky> = None;
        for k in 0..count {
            turn(plan, (2 * k + 1) * exposures / (2 * count))?;
            let unit = &plan.units[0];
            if opened.is_none() {
                opened = Some(Sky::open(&plan.scenario, unit.exposure.start_mjd)?.0);
            }
            if let Some(sky) = &opened {
                samples.push(per_pixel(plan, unit, sky)?);
            }
        }
        Ok(Self { samples, exposures })
    }

    /// Objects in so many pixels of an exposure, by its place in the survey.
    #[must_use]
    pub fn objects(&self, exposure: usize, pixels: usize) -> f64 {
        self.samples[exposure * self.samples.len() / self.exposures] * pixels as f64
    }
}

/// Objects per pixel in the middle of a unit's window.
fn per_pixel(plan: &Plan, unit: &Unit, sky: &Sky) -> anyhow::Result<f64> {
    let spec = plan.spec(unit);
    let whole = unit.window;
    let (nx, ny) = (whole.nx.min(SIDE), whole.ny.min(SIDE));
    let window = Window { x0: whole.x0 + (whole.nx - nx) / 2, y0: whole.y0 + (whole.ny - ny) / 2, nx, ny };
    let wcs = plan.instrument.wcs(spec, &unit.exposure.pointing);
    let front = Front { wcs: &wcs, view: None, mjd: sky::middle_mjd(&unit.exposure) };
    let (sources, _) = sky.sources(&plan.scenario, spec, window, &front)?;
    let inside = |x: f64, y: f64| {
        let (x, y) = (x - window.x0 as f64, y - window.y0 as f64);
        (0.0..nx as f64).contains(&x) && (0.0..ny as f64).contains(&y)
    };
    let count = sources.iter().filter(|s| match s.position {
        Position::Sky { ra_deg, dec_deg } => wcs.pixel_from_sky(ra_deg, dec_deg).is_some_and(|(x, y)| inside(x, y)),
        Position::Pixel { x, y } => inside(x, y),
    });
    Ok(count.count() as f64 / (nx * ny) as f64)
}
