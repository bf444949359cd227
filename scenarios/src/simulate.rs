//! Making level-0 frames and their truth, unit by unit.

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
use instruments::effects::trails::{self, TrailTruth, Trails, trail_table};
use instruments::optics::{Imaging, RenderTolerance, slitless};
use instruments::product::level0::{Clocking, Level0Meta, write_level0};
use instruments::product::names::NameStyle;
use psf::blur::Convolved;
use serde::{Deserialize, Serialize};
use sim_core::detector::ReadoutLayout;
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind};
use sim_core::files::write_atomically;
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::frame::Frame;
use sim_core::history::History;
use sim_core::hits::{HitImages, HitRecord, Keep, hit_table};
use sim_core::ledger::LedgerLine;
use sim_core::manifest::{Manifest, PHYSICS, sha256_file};
use sim_core::plane::{Counts, Light};
use sim_core::psf::Psf;
use sim_core::truth::{TruthRow, object_table};
use sim_core::wcs::Wcs;
use std::collections::{BTreeMap, BTreeSet};
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

/// A manifest with the key of its unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitManifest {
    /// Key of the unit.
    pub key: String,
    /// How to make it again.
    #[serde(flatten)]
    pub manifest: Manifest,
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
    /// Expected electrons of the sources, if the scenario's `[truth]` asks for it.
    pub noiseless: Option<ndarray::Array2<f32>>,
    /// 1 where the charge is at the full well, else 0; as above.
    pub saturated: Option<ndarray::Array2<u8>>,
    /// Hits of cosmic rays, with their charge if images are asked for; `None` when the effect is off.
    pub cosmic_rays: Option<HitRecord>,
    /// Orders and noiseless spectra of a slitless frame.
    pub spectra: Option<Spectra>,
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

/// The light of the optics on one unit.
pub struct Lit {
    /// Expected electrons of the sources; zeros for calibration exposures.
    pub light: Frame<Light>,
    /// The exposure with its sky.
    pub exposure: Exposure,
    truth: Vec<TruthRow>,
    ledger: Vec<LedgerLine>,
    noiseless: Option<ndarray::Array2<f32>>,
    spectra: Option<Spectra>,
    wcs: Wcs,
    /// Angles on the sky over the angles seen, of a moving observer.
    aberration: Option<f64>,
    optics: instruments::optics::Timings,
    skipped: Skipped,
}

/// Draws the sources of a unit, and what else its chain must be told of the sky; `observer` hears the name of each stage.
///
/// # Errors
/// When a stage refuses its input.
pub fn light(plan: &Plan, unit: &Unit, chain: &Chain, psf: &dyn Psf, sky: &Sky, observer: &mut dyn FnMut(&str)) -> anyhow::Result<Lit> {
    let spec = plan.spec(unit);
    let mut lit = Lit {
        light: Frame::<Light>::zeros(unit.window),
        exposure: unit.exposure.clone(),
        truth: Vec::new(),
        ledger: Vec::new(),
        noiseless: None,
        spectra: None,
        wcs: plan.instrument.wcs(spec, &unit.exposure.pointing),
        aberration: None,
        optics: instruments::optics::Timings::default(),
        skipped: Skipped::new(),
    };
    if unit.exposure.kind != ExposureKind::Science {
        return Ok(lit);
    }
    lit.exposure.sky_electron_s = sky.background(&plan.scenario, &plan.instrument, spec, &lit.exposure)?;
    let view = sky::view(&plan.scenario, &lit.exposure)?;
    let front = Front { wcs: &lit.wcs, view: view.as_ref(), mjd: sky::middle_mjd(&lit.exposure) };
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
        wcs: &lit.wcs,
        time_s: lit.exposure.time_s,
        tolerance: RenderTolerance::Electrons(plan.scenario.render.tolerance_electron),
    };
    let rendered = match spec.kind {
        DetectorKind::Imaging => imaging.render(&sources)?,
        DetectorKind::Slitless => {
            let (rendered, truth) = slitless_light::draw(&imaging, spec, &sources, plan.scenario.truth.objects)?;
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
        if let Some((movers, skipped)) = moving::movers(plan, unit, sky, &lit.wcs)? {
            lit.light.movers = Some(movers.into());
            lit.skipped.extend(skipped);
        }
        observer("orbits");
    }
    if plan.scenario.truth.noiseless {
        lit.noiseless = Some(sim_core::memory::copy(&lit.light.pixels));
    }
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
    if let Some(view) = view {
        // The optics had the nominal system; the header has the one that leads back to the catalogue.
        lit.wcs = lit.wcs.scaled(view.scale());
        lit.aberration = Some(view.scale());
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

/// Renders one unit in memory; `observer` hears the name of each stage when it is finished. `history` is what earlier exposures of the
/// detector left ([`crate::history`]).
///
/// # Errors
/// When a stage refuses its input.
pub fn render_unit(
    plan: &Plan,
    unit: &Unit,
    psf: &dyn Psf,
    sky: &Sky,
    history: Option<Arc<History>>,
    observer: &mut dyn FnMut(&str),
) -> anyhow::Result<Made> {
    let spec = plan.spec(unit);
    let chain = plan.chain(unit)?;
    let Lit { mut light, exposure, truth, mut ledger, noiseless, spectra, wcs, aberration, optics, skipped } =
        light(plan, unit, &chain, psf, sky, observer)?;
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
    Ok(Made {
        counts,
        truth,
        ledger,
        noiseless,
        saturated,
        cosmic_rays,
        spectra,
        trails,
        exposure,
        wcs,
        aberration,
        layout,
        optics,
        skipped,
    })
}

/// Makes a unit and writes its products; the manifest comes last and completes it.
fn make(plan: &Plan, unit: &Unit, psf: &dyn Psf, sky: &Sky, held: &mut Held, folder: &Folder) -> anyhow::Result<()> {
    let history = held.before(plan, unit, psf, sky)?;
    let made = render_unit(plan, unit, psf, sky, history, &mut |_| {})?;
    write_unit(plan, unit, made, folder, &mut |_| {})
}

/// Writes the products of a unit.
///
/// # Errors
/// When a file cannot be written.
pub fn write_unit(plan: &Plan, unit: &Unit, made: Made, folder: &Folder, observer: &mut dyn FnMut(&str)) -> anyhow::Result<()> {
    let spec = plan.spec(unit);
    let path = unit.level0_path(folder, &plan.instrument.name);
    let mut products: Vec<PathBuf> = vec![path.clone()];
    let amplifiers = made.layout.amplifier_count;
    let meta = Level0Meta {
        instrument: &plan.instrument.name,
        geometry: &spec.geometry,
        exposure: &made.exposure,
        layout: &made.layout,
        wcs: &made.wcs,
        aberration: made.aberration,
        object: &plan.scenario.name,
        nominal_gain: &vec![spec.nominal("digitise", "gain").unwrap_or(1.0); amplifiers],
        nominal_read_noise_electron: &vec![spec.nominal("read_noise", "sigma").unwrap_or(0.0); amplifiers],
        nominal_full_well_electron: spec.nominal("full_well", "capacity"),
        clocking: spec
            .nominal("trap_pumping", "line_time")
            .zip(spec.nominal("trap_pumping", "pumped_fraction"))
            .map(|(line_time_s, pumped_fraction)| Clocking { line_time_s, pumped_fraction }),
        software: concat!("skyloop ", env!("CARGO_PKG_VERSION")),
        style: &NameStyle::default(),
    };
    write_level0(&path, &made.counts, &meta)?;
    observer("write L0");
    let keep = plan.scenario.truth;
    let science = made.exposure.kind == ExposureKind::Science;
    let mut hdus = Vec::new();
    if keep.objects && science {
        hdus.push(Hdu::new("OBJECTS", Header::default(), Data::Table(object_table(&made.truth))));
    }
    if keep.objects
        && let Some(spectra) = &made.spectra
    {
        hdus.push(Hdu::new("ORDERS", Header::default(), Data::Table(slitless::order_table(&spectra.orders))));
        hdus.push(Hdu::new("SPECTRA", Header::default(), Data::Table(slitless::spectrum_table(&spectra.pixels))));
    }
    let mut image_header = Header::default();
    made.wcs.shifted(unit.window.x0 as f64, unit.window.y0 as f64).write(&mut image_header);
    if let Some(pixels) = made.noiseless {
        let mut header = image_header.clone();
        header.set("BUNIT", "electron", "unit of the pixels");
        hdus.push(Hdu::new("NOISELESS", header, Data::F32(pixels)));
    }
    if let Some(mask) = made.saturated {
        hdus.push(Hdu::new("SATURATED", image_header.clone(), Data::U8(mask)));
    }
    if let Some(truth) = made.cosmic_rays {
        if keep.objects {
            hdus.push(Hdu::new("COSMIC_RAYS", Header::default(), Data::Table(hit_table(truth.rows()))));
        }
        if let Some(HitImages { electrons, owner }) = truth.images(unit.window.shape()) {
            let mut header = image_header.clone();
            header.set("BUNIT", "electron", "unit of the pixels");
            hdus.push(Hdu::new("CR_ELECTRONS", header, Data::F32(electrons)));
            hdus.push(Hdu::new("CR_OWNER", image_header.clone(), Data::I32(owner.mapv(|hit| hit as i32))));
        }
    }
    if let Some(truth) = made.trails {
        if keep.objects {
            hdus.push(Hdu::new("TRAILS", Header::default(), Data::Table(trail_table(&truth.rows))));
        }
        if let Some(electrons) = truth.electrons {
            let mut header = image_header.clone();
            header.set("BUNIT", "electron", "unit of the pixels");
            hdus.push(Hdu::new("TRAIL_ELECTRONS", header, Data::F32(electrons)));
        }
    }
    if !hdus.is_empty() {
        let mut header = Header::default();
        header.set(
            "L0FILE",
            path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
            "level-0 file this is the truth of",
        );
        header.set("SKYELEC", made.exposure.sky_electron_s, "[electron/s/pixel] sky before any response");
        header.set("WINX0", unit.window.x0 as i64, "[pixel] first column of the window, 0-based");
        header.set("WINY0", unit.window.y0 as i64, "[pixel] first row of the window, 0-based");
        hdus.insert(0, Hdu::primary(header));
        let truth_path = folder.truth_of(&path);
        fits::write(&truth_path, &hdus)?;
        products.push(truth_path);
        observer("write truth");
    }
    if keep.ledger && science {
        let ledger_path = folder.ledger_of(&path);
        write_atomically(&ledger_path, serde_json::to_string_pretty(&made.ledger)?.as_bytes())
            .with_context(|| ledger_path.display().to_string())?;
        products.push(ledger_path);
    }
    let mut hashes = BTreeMap::new();
    for product in &products {
        let relative = product.strip_prefix(folder.path()).unwrap_or(product).to_string_lossy().into_owned();
        hashes.insert(relative, sha256_file(product).with_context(|| product.display().to_string())?);
    }
    let manifest = UnitManifest {
        key: plan.key(unit),
        manifest: Manifest {
            skyloop: env!("CARGO_PKG_VERSION").into(),
            physics: PHYSICS,
            scenario: plan.scenario.to_toml(),
            unit: unit.name(),
            seed: plan.scenario.seed,
            inputs: plan.inputs.clone(),
            products: hashes,
            skipped: made.skipped,
        },
    };
    let manifest_path = Folder::manifest_of(&path);
    write_atomically(&manifest_path, serde_json::to_string_pretty(&manifest)?.as_bytes())
        .with_context(|| manifest_path.display().to_string())?;
    observer("manifest");
    Ok(())
}
