//! Makes the units of a survey run as `simulate` makes those of a scenario: the same bits under the same names.

use super::plan::Exposures;
use super::pointings::Pointing;
use super::spec::Survey;
use crate::folder::Folder;
use crate::history::Held;
use crate::in_words;
use crate::simulate::{render_unit, write_unit};
use crate::sky::Sky;
use crate::unit::Plan;
use anyhow::Context as _;
use sim_core::psf::Psf;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use survey::executor::{Made, UnitMaker};
use survey::failure::{ErrorClass, UnitError};
use survey::manifest::UnitRow;
use survey::signals::Stop;

/// Exposures that are kept open: that of the last units, and the next.
const OPEN: usize = 2;

/// Makes units.
pub struct Maker {
    plan: Plan,
    exposures: Exposures,
    psf: Box<dyn Psf>,
    folder: Folder,
    open: Mutex<Vec<(u64, Arc<Exposed>)>>,
}

/// An exposure with its sky.
struct Exposed {
    plan: Plan,
    sky: Sky,
}

impl Maker {
    /// A maker for the run in a folder; `rows` are all units of its manifest.
    ///
    /// # Errors
    /// When the survey cannot be read, or the folders of products cannot be made.
    pub fn new(out: &Path, rows: &[UnitRow]) -> anyhow::Result<Self> {
        let folder = Folder::at(out);
        let survey = Survey::read(&folder.survey())?;
        let plan = Plan::new(survey.scenario)?;
        let list = rows.chunk_by(|a, b| a.obs_id == b.obs_id).map(|units| pointing(&units[0]).exposure()).collect();
        let exposures = Exposures::new(list, &plan)?;
        for sub in [folder.level0(), folder.truth()] {
            std::fs::create_dir_all(&sub).with_context(|| sub.display().to_string())?;
        }
        let scale = plan.instrument.detectors.values().next().map_or(0.074, |d| d.geometry.pixel_scale_arcsec);
        let psf = psf::config::build(&plan.instrument.psf, scale)?;
        Ok(Self { plan, exposures, psf, folder, open: Mutex::default() })
    }

    /// The exposure of a unit, opened once for all its detectors.
    fn exposed(&self, row: &UnitRow) -> anyhow::Result<Arc<Exposed>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, exposed)) = open.iter().find(|(id, _)| *id == row.obs_id) {
            return Ok(Arc::clone(exposed));
        }
        let mut plan = self.plan.clone();
        let place = self.exposures.place(row.obs_id).with_context(|| format!("exposure {} is not in the manifest", row.obs_id))?;
        self.exposures.turn(&mut plan, place)?;
        let (sky, _) = Sky::open(&plan.scenario, row.start_mjd)?;
        let exposed = Arc::new(Exposed { plan, sky });
        if open.len() == OPEN {
            open.remove(0);
        }
        open.push((row.obs_id, Arc::clone(&exposed)));
        Ok(exposed)
    }
}

/// The pointing of a unit.
fn pointing(row: &UnitRow) -> Pointing {
    let UnitRow { obs_id, ra_deg, dec_deg, position_angle_deg, start_mjd, exposure_s, .. } = *row;
    Pointing { obs_id, ra_deg, dec_deg, position_angle_deg, start_mjd, exposure_s }
}

/// An error of a class, or of storage where the medium refused.
fn classed(class: ErrorClass) -> impl Fn(anyhow::Error) -> UnitError {
    move |error| {
        let found = ErrorClass::of(error.as_ref());
        UnitError::new(if found == ErrorClass::Storage { found } else { class }, in_words(&error))
    }
}

impl UnitMaker for Maker {
    fn make(&self, row: &UnitRow, stop: &Stop) -> Result<Made, UnitError> {
        let input = |text: String| UnitError::new(ErrorClass::Input, text);
        let go_on = || if stop.is_asked() { Err(UnitError::interrupted()) } else { Ok(()) };
        let exposed = self.exposed(row).map_err(classed(ErrorClass::Input))?;
        let Exposed { plan, sky } = exposed.as_ref();
        let unit = plan
            .units
            .iter()
            .find(|unit| unit.detector == row.detector)
            .ok_or_else(|| input(format!("detector {} is not one of the survey's", row.detector)))?;
        if plan.key(unit) != row.key {
            return Err(input(format!("{}: what it is made from has changed since `skyloop plan`; plan again", row.name)));
        }
        go_on()?;
        let failed = classed(ErrorClass::Unit);
        let history = Held::default().before(plan, unit, self.psf.as_ref(), sky).map_err(&failed)?;
        go_on()?;
        let made = render_unit(plan, unit, self.psf.as_ref(), sky, history, &mut |_| {}).map_err(&failed)?;
        go_on()?;
        let objects = made.truth.len() as u64;
        write_unit(plan, unit, made, &self.folder, &mut |_| {}).map_err(&failed)?;
        Ok(Made { objects })
    }
}
