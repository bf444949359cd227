//! Makes the units of a survey run as `simulate` and `reduce` make those of a scenario: the same bits under the same names.

use super::level1::InUnit;
use super::plan::Exposures;
use super::pointings::Pointing;
use super::spec::Survey;
use crate::folder::Folder;
use crate::history::Held;
use crate::in_words;
use crate::simulate::{Made as RenderedUnit, Record, finish_truth, render_unit, with_meta, write_record, write_unit};
use crate::sky::Sky;
use crate::unit::{Plan, Unit};
use anyhow::Context as _;
use instruments::product::ProductError;
use instruments::product::level0::{keep_level0, level0_of};
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
    in_unit: Option<InUnit>,
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
        let in_unit = survey.reduce.as_ref().map(|reduce| InUnit::open(reduce, &plan.scenario)).transpose()?;
        let level0 = in_unit.as_ref().is_none_or(InUnit::keeps_level0).then(|| folder.level0());
        let level1 = in_unit.is_some().then(|| folder.level1());
        for sub in [level0, level1, Some(folder.truth())].into_iter().flatten() {
            std::fs::create_dir_all(&sub).with_context(|| sub.display().to_string())?;
        }
        let scale = plan.instrument.detectors.values().next().map_or(0.074, |d| d.geometry.pixel_scale_arcsec);
        let psf = psf::config::build(&plan.instrument.psf, scale)?;
        Ok(Self { plan, exposures, psf, folder, in_unit, open: Mutex::default() })
    }

    /// Looks for the references of all these units, before one is begun; products of references are not read.
    ///
    /// # Errors
    /// When one is missing, with the first unit that lacks it.
    pub fn check(&self, rows: &[&UnitRow]) -> anyhow::Result<()> {
        let Some(in_unit) = &self.in_unit else { return Ok(()) };
        for row in rows {
            let of_detector = self.plan.units.iter().find(|unit| unit.detector == row.detector);
            let unit = of_detector.with_context(|| format!("{}: detector {} is not one of the survey's", row.name, row.detector))?;
            in_unit.references(&self.plan, unit, row.start_mjd).with_context(|| format!("unit {}", row.name))?;
        }
        Ok(())
    }

    /// The key that a unit has now.
    fn key(&self, plan: &Plan, unit: &Unit) -> anyhow::Result<String> {
        self.in_unit.as_ref().map_or_else(|| Ok(plan.key(unit)), |in_unit| in_unit.key(plan, unit))
    }

    /// Writes the products of a unit that is reduced too, and its record with its key.
    fn write_reduced(
        &self,
        in_unit: &InUnit,
        (plan, unit): (&Plan, &Unit),
        mut made: RenderedUnit,
        key: &str,
        stop: &Stop,
    ) -> Result<(), UnitError> {
        let failed = classed(ErrorClass::Unit);
        let path = unit.level0_path(&self.folder, &plan.instrument.name);
        let mut products = Vec::new();
        let product = |e: ProductError| failed(e.into());
        let counts = made.take_counts();
        let raw = if in_unit.keeps_level0() { keep_level0 } else { level0_of };
        let level0 = with_meta(plan, unit, &made, |meta| raw(&path, counts, meta)).map_err(product)?;
        if in_unit.keeps_level0() {
            products.push(path.clone());
        }
        let (truth, skipped) = finish_truth(plan, unit, made, &self.folder, &mut |_| {}).map_err(&failed)?;
        products.extend(truth);
        go_on(stop)?;
        products.extend(in_unit.reduce(level0, &self.folder).map_err(&failed)?);
        let mut inputs = plan.inputs.clone();
        inputs.extend(in_unit.inputs(plan, unit).map_err(&failed)?);
        let record = Record { key: key.into(), inputs, products, skipped };
        write_record(plan, unit, &in_unit.beside(plan, unit, &self.folder), record, &self.folder).map_err(&failed)
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

/// Nothing, unless the run is to stop.
fn go_on(stop: &Stop) -> Result<(), UnitError> {
    if stop.is_asked() { Err(UnitError::interrupted()) } else { Ok(()) }
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
        let exposed = self.exposed(row).map_err(classed(ErrorClass::Input))?;
        let Exposed { plan, sky } = exposed.as_ref();
        let unit = plan
            .units
            .iter()
            .find(|unit| unit.detector == row.detector)
            .ok_or_else(|| input(format!("detector {} is not one of the survey's", row.detector)))?;
        if self.key(plan, unit).map_err(classed(ErrorClass::Input))? != row.key {
            return Err(input(format!("{}: what it is made from has changed since `skyloop plan`; plan again", row.name)));
        }
        if let Some(in_unit) = &self.in_unit {
            in_unit.check_content(plan, unit).map_err(classed(ErrorClass::Input))?;
        }
        go_on(stop)?;
        let failed = classed(ErrorClass::Unit);
        let history = Held::default().before(plan, unit, self.psf.as_ref(), sky).map_err(&failed)?;
        go_on(stop)?;
        let made = render_unit(plan, unit, (self.psf.as_ref(), sky), history, &self.folder, &mut |_| {}).map_err(&failed)?;
        go_on(stop)?;
        let objects = made.truth.len() as u64;
        match &self.in_unit {
            Some(in_unit) => self.write_reduced(in_unit, (plan, unit), made, &row.key, stop)?,
            None => write_unit(plan, unit, made, &self.folder, &mut |_| {}).map_err(&failed)?,
        }
        Ok(Made { objects })
    }
}
