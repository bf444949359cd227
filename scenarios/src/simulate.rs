//! Making level-0 frames and their truth, unit by unit.

mod products;
mod truth;

pub use products::{Record, UnitManifest, with_meta, write_record, write_unit};
pub use truth::{TruthFile, finish_truth};

use crate::folder::Folder;
use crate::history::Held;
use crate::moving;
use crate::progress::Progress;
use crate::sky::{self, Front, Skipped, Sky};
use crate::slitless_light::{self, Spectra};
use crate::unit::{Plan, Unit};
use anyhow::Context as _;
use instruments::chain::Chain;
use instruments::description::DetectorKind;
use instruments::effects::bright;
use instruments::effects::full_well;
use instruments::effects::trails::{self, TrailTruth, Trails};
use instruments::optics::{Imaging, RenderTolerance};
use psf::blur::Convolved;
use sim_core::detector::ReadoutLayout;
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind};
use sim_core::files::write_atomically;
use sim_core::frame::{Frame, Window};
use sim_core::history::History;
use sim_core::hits::{HitRecord, Keep};
use sim_core::ledger::LedgerLine;
use sim_core::plane::{Counts, Light};
use sim_core::psf::Psf;
use sim_core::sparse::Sparse;
use sim_core::truth::TruthRow;
use sim_core::wcs::Wcs;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use survey::record::{self, State};

/// What became of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunSummary {
    /// Units made now.
    pub made: usize,
    /// Units that were already there, whole and with the same key.
    pub kept: usize,
}

/// Simulates every unit of a plan into `out`, keeping what is already there.
///
/// # Errors
/// On the first unit that fails; finished units stay.
pub fn simulate(plan: &Plan, out: &Path, quiet: bool) -> anyhow::Result<RunSummary> {
    let folder = Folder::create(out)?;
    refuse_strangers(plan, &folder)?;
    folder.sweep();
    for sub in [folder.level0(), folder.truth(), folder.calibration_level0()] {
        std::fs::create_dir_all(&sub).with_context(|| sub.display().to_string())?;
    }
    write_atomically(&folder.scenario(), plan.scenario.to_toml().as_bytes()).with_context(|| folder.scenario().display().to_string())?;
    let scale = plan.instrument.detectors.values().next().map_or(0.074, |d| d.geometry.pixel_scale_arcsec);
    let psf = psf::config::build(&plan.instrument.psf, scale)?;
    let epoch = plan.units.iter().find(|u| u.exposure.kind == ExposureKind::Science).map_or(61_580.0, |u| u.exposure.start_mjd);
    let (sky, filled) = Sky::open(&plan.scenario, epoch)?;
    let progress = Progress::new("simulate", plan.units.len(), quiet);
    if let Some(report) = &filled {
        progress.say(&report.to_string());
        let path = folder.truth().join("catalogue_report.json");
        write_atomically(&path, serde_json::to_string_pretty(report)?.as_bytes()).with_context(|| path.display().to_string())?;
    }
    let mut summary = RunSummary::default();
    let mut held = Held::default();
    for unit in &plan.units {
        let name = unit.name();
        progress.doing(&name);
        if is_whole(plan, unit, &folder) {
            summary.kept += 1;
            progress.done(&format!("{name} kept"));
            continue;
        }
        make(plan, unit, psf.as_ref(), &sky, &mut held, &folder).with_context(|| format!("unit {name}"))?;
        summary.made += 1;
        progress.done(&format!("{name} made"));
    }
    Ok(summary)
}

/// Refuses a folder with frames of another scenario that this one would not replace: the reduction takes all it finds.
fn refuse_strangers(plan: &Plan, folder: &Folder) -> anyhow::Result<()> {
    let Ok(before) = std::fs::read_to_string(folder.scenario()) else { return Ok(()) };
    if before == plan.scenario.to_toml() {
        return Ok(());
    }
    let ours: BTreeSet<PathBuf> = plan.units.iter().map(|unit| unit.level0_path(folder, &plan.instrument.name)).collect();
    let found = [folder.level0(), folder.calibration_level0()].into_iter().flat_map(|level0| Folder::fits_files(&level0));
    let strangers: Vec<PathBuf> = found.filter(|path| !ours.contains(path)).collect();
    match strangers.first() {
        None => Ok(()),
        Some(first) => anyhow::bail!(
            "{}: the folder holds {} raw frames of another scenario, such as {}; give another folder with --out, or empty this one",
            folder.path().display(),
            strangers.len(),
            first.display()
        ),
    }
}

/// Whether a unit's products are there with the same key and unchanged bytes.
fn is_whole(plan: &Plan, unit: &Unit, folder: &Folder) -> bool {
    let product = unit.level0_path(folder, &plan.instrument.name);
    record::state(folder.path(), &product, &plan.key(unit)) == State::Whole
}

/// A unit in memory.
pub struct Made {
    /// Raw frame.
    pub counts: Frame<Counts>,
    /// Objects.
    pub truth: Vec<TruthRow>,
    /// Account of all effects.
    pub ledger: Vec<LedgerLine>,
    /// The truth of the sources, begun.
    pub truth_file: TruthFile,
    /// 1 where the charge is at the full well, else 0, if the scenario's `[truth]` asks for it.
    pub saturated: Option<Sparse>,
    /// Hits of cosmic rays, with their charge if images are asked for; `None` when the effect is off.
    pub cosmic_rays: Option<HitRecord>,
    /// Trails of satellites and asteroids and, if images are asked for, their electrons; `None` when the effect is off.
    pub trails: Option<TrailTruth>,
    /// The exposure with its sky.
    pub exposure: Exposure,
    /// WCS of the whole detector.
    pub wcs: Wcs,
    /// Angles on the sky over the angles seen, of a moving observer; the world coordinates have it.
    pub aberration: Option<f64>,
    /// Raw layout.
    pub layout: ReadoutLayout,
    /// Where the renderer's time went.
    pub optics: instruments::optics::Timings,
    /// Rows of the catalogue that cannot be used, by cause.
    pub skipped: Skipped,
}

impl Made {
    /// The raw frame, which is not here any more then: it is the largest of all.
    pub fn take_counts(&mut self) -> Frame<Counts> {
        let none = Window { nx: 0, ny: 0, ..self.counts.window };
        std::mem::replace(&mut self.counts, Frame::zeros(none))
    }
}

/// The light of the optics on one unit.
pub struct Lit {
    /// Expected electrons of the sources; zeros for calibration exposures.
    pub light: Frame<Light>,
    /// The exposure with its sky.
    pub exposure: Exposure,
    truth: Vec<TruthRow>,
    ledger: Vec<LedgerLine>,
    /// Orders and noiseless spectra of a slitless frame.
    spectra: Option<Spectra>,
    wcs: Wcs,
    /// Angles on the sky over the angles seen, of a moving observer.
    aberration: Option<f64>,
    optics: instruments::optics::Timings,
    skipped: Skipped,
}

/// Draws the sources of a unit, and what else its chain must be told of the sky; `observer` hears the name of each stage. `drawn` is shown the
/// sources' own light, before there is sky.
///
/// # Errors
/// When a stage refuses its input, or what `drawn` says.
pub fn light(
    plan: &Plan,
    unit: &Unit,
    chain: &Chain,
    (psf, sky): (&dyn Psf, &Sky),
    drawn: &mut dyn FnMut(&mut Lit) -> anyhow::Result<()>,
    observer: &mut dyn FnMut(&str),
) -> anyhow::Result<Lit> {
    let spec = plan.spec(unit);
    let nominal = plan.instrument.wcs(spec, &unit.exposure.pointing);
    let mut lit = Lit {
        light: Frame::<Light>::zeros(unit.window),
        exposure: unit.exposure.clone(),
        truth: Vec::new(),
        ledger: Vec::new(),
        spectra: None,
        wcs: nominal.clone(),
        aberration: None,
        optics: instruments::optics::Timings::default(),
        skipped: Skipped::new(),
    };
    if unit.exposure.kind != ExposureKind::Science {
        drawn(&mut lit)?;
        return Ok(lit);
    }
    lit.exposure.sky_electron_s = sky.background(&plan.scenario, &plan.instrument, spec, &lit.exposure)?;
    let view = sky::view(&plan.scenario, &lit.exposure)?;
    if let Some(view) = &view {
        // The optics have the nominal system; the header has the one that leads back to the catalogue.
        lit.wcs = nominal.scaled(view.scale());
        lit.aberration = Some(view.scale());
    }
    let front = Front { wcs: &nominal, view: view.as_ref(), mjd: sky::middle_mjd(&lit.exposure) };
    let (sources, skipped) = sky.sources(&plan.scenario, spec, unit.window, &front)?;
    lit.skipped = skipped;
    observer("catalogue");
    let blurred;
    let psf = match &spec.grating {
        Some(grating) => {
            blurred = Convolved::blurred(psf, grating.blur_arcsec)?;
            &blurred
        }
        None => psf,
    };
    let imaging = Imaging {
        psf,
        band: &spec.band,
        area_cm2: plan.instrument.area_cm2,
        geometry: &spec.geometry,
        window: unit.window,
        wcs: &nominal,
        time_s: lit.exposure.time_s,
        tolerance: RenderTolerance::Electrons(plan.scenario.render.tolerance_electron),
    };
    let rendered = match spec.kind {
        DetectorKind::Imaging => imaging.render(&sources)?,
        DetectorKind::Slitless => {
            let (rendered, truth) = slitless_light::draw(&imaging, spec, &sources, &plan.scenario.truth)?;
            lit.spectra = Some(truth);
            rendered
        }
    };
    lit.light = rendered.light;
    lit.truth = rendered.truth;
    lit.optics = rendered.timings;
    lit.ledger.push(LedgerLine { name: "optics".into(), plane: "light".into(), unit: "electron".into(), ledger: rendered.ledger });
    observer("optics");
    if chain.names().contains(&trails::ENTRY.name) {
        if let Some((movers, skipped)) = moving::movers(plan, unit, sky, &nominal)? {
            lit.light.movers = Some(movers.into());
            lit.skipped.extend(skipped);
        }
        observer("orbits");
    }
    drawn(&mut lit)?;
    observer("truth of the sources");
    if spec.kind == DetectorKind::Slitless && lit.exposure.sky_electron_s > 0.0 {
        let columns = sky.columns(&plan.scenario, spec, unit.window, &lit.exposure)?;
        let ledger = slitless_light::add_borders(&mut lit.light, &lit.exposure, &columns);
        lit.ledger.push(ledger);
        observer("sky of gratings");
    }
    if let Some(reach) = bright::reach_pixel(&chain.names(), spec)? {
        let reach_arcsec = reach * spec.geometry.pixel_scale_arcsec;
        let around = sky.stars_around(&plan.scenario, spec, unit.window, &front, reach_arcsec)?;
        lit.light.bright = Some(imaging.bright_points(&around, bright::LEAST_ELECTRONS)?.into());
        observer("bright stars around");
    }
    Ok(lit)
}

/// Where a unit's effects are.
pub fn context<'a>(plan: &'a Plan, unit: &Unit, exposure: &'a Exposure, layout: &'a ReadoutLayout) -> Context<'a> {
    let spec = plan.spec(unit);
    Context {
        exposure,
        geometry: &spec.geometry,
        layout,
        window: unit.window,
        effect: "chain",
        seed: plan.scenario.seed,
        device_seed: spec.device_seed,
    }
}

/// Renders one unit in memory, but for the truth of its sources, which goes to its file in `folder` at once; `observer` hears the name of each
/// stage when it is finished. `history` is what earlier exposures of the detector left ([`crate::history`]).
///
/// # Errors
/// When a stage refuses its input, or the truth cannot be written.
pub fn render_unit(
    plan: &Plan,
    unit: &Unit,
    front: (&dyn Psf, &Sky),
    history: Option<Arc<History>>,
    folder: &Folder,
    observer: &mut dyn FnMut(&str),
) -> anyhow::Result<Made> {
    let spec = plan.spec(unit);
    let chain = plan.chain(unit)?;
    let mut truth_file = None;
    let mut begin = |lit: &mut Lit| {
        truth_file = Some(TruthFile::begin(plan, unit, lit, folder)?);
        Ok(())
    };
    let lit = light(plan, unit, &chain, front, &mut begin, observer)?;
    let Lit { mut light, exposure, truth, mut ledger, wcs, aberration, optics, skipped, .. } = lit;
    let truth_file = truth_file.context("the light of a unit was drawn without its truth")?;
    light.history = history;
    let movers = light.movers.clone();
    if exposure.kind == ExposureKind::Science && chain.names().contains(&"cosmic_rays") {
        light.hits = Some(HitRecord::new(if plan.scenario.truth.noiseless { Keep::Charge } else { Keep::Rows }));
    }
    let layout = plan.layout(unit);
    let cx = context(plan, unit, &exposure, &layout);
    let (mut saturated, mut cosmic_rays) = (None, None);
    let (counts, lines) = chain.run_inspected(light, &cx, &mut |name| observer(name), &mut |charge| {
        cosmic_rays.clone_from(&charge.hits);
        if plan.scenario.truth.masks && exposure.kind == ExposureKind::Science {
            saturated = spec.parameters.contains_key("full_well").then(|| full_well::full_pixels(charge, spec));
        }
    })?;
    let saturated = saturated.transpose()?;
    ledger.extend(lines);
    let trails = match exposure.kind {
        ExposureKind::Science if chain.names().contains(&"trails") => {
            Some(Trails::new(spec)?.truth(&cx.named("trails"), movers.as_deref(), plan.scenario.truth.noiseless))
        }
        _ => None,
    };
    Ok(Made { counts, truth, ledger, truth_file, saturated, cosmic_rays, trails, exposure, wcs, aberration, layout, optics, skipped })
}

/// Makes a unit and writes its products; the manifest comes last and completes it.
fn make(plan: &Plan, unit: &Unit, psf: &dyn Psf, sky: &Sky, held: &mut Held, folder: &Folder) -> anyhow::Result<()> {
    let history = held.before(plan, unit, psf, sky)?;
    let made = render_unit(plan, unit, (psf, sky), history, folder, &mut |_| {})?;
    write_unit(plan, unit, made, folder, &mut |_| {})
}
