//! Calibration of gratings on the sky: nebulae give traces and wavelengths, white dwarfs sensitivities.

use super::catalogue::Catalogue;
use super::frames::{SlitlessFrame, of_folders};
use super::{configuration, side};
use crate::scenario::Calibrator as Kind;
use crate::sky::calibrator_sed;
use anyhow::{Context as _, bail};
use catalogs::Library;
use instruments::description::{DetectorSpec, Instrument};
use sim_core::bandpass::Bandpass;
use sim_core::dispersion::Grating;
use sim_core::files::write_atomically;
use sim_core::spectrum::Spectrum;
use sim_core::units::{AB_ZERO_ERG_S_CM2_HZ, Nanometre, SPEED_OF_LIGHT_M_S};
use spectroscopy::calibration::page::{Session, SessionFrame, serve};
use spectroscopy::calibration::report::{Calibration, calibrate};
use spectroscopy::calibration::sensitivity::{Aperture, Sensitivity, Standard, measure_sensitivity, white_dwarf_masks};
use spectroscopy::calibration::{CalibrationFrame, Calibrator, Edits, Nominal, Settings, line_list};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// What to calibrate with.
pub struct Plan {
    /// Reduced folders with frames of planetary nebulae.
    pub nebulae: Vec<PathBuf>,
    /// Reduced folders with frames of a standard star, may be empty.
    pub standards: Vec<PathBuf>,
    /// Its model spectrum (CSV).
    pub model: Option<PathBuf>,
    /// Catalogue of the calibrators' places; without one the objects of each folder's own list stand for it.
    pub catalogue: Option<PathBuf>,
    /// Folder of the configuration one starts from.
    pub nominal: PathBuf,
    /// Where configurations and figures go.
    pub out: PathBuf,
    /// A person's choices, replayed; and where the page saves them.
    pub edits: Option<PathBuf>,
    /// Port of the page, if a person is to look.
    pub page: Option<u16>,
    /// Detectors that are calibrated; all that there are frames of when empty. A standard's model has the magnitude of one band.
    pub detectors: Vec<u16>,
}

/// What came out for one grating.
pub struct Calibrated {
    /// Detector and side.
    pub name: String,
    /// The grating: as measured, or as drawn where nothing was.
    pub grating: Grating,
    /// Traces and wavelengths; `None` when no frame has a calibrator on this side.
    pub calibration: Option<Calibration>,
    /// Sensitivities of the orders that could be measured.
    pub sensitivities: Vec<Sensitivity>,
    /// What could not be done, and why.
    pub notes: Vec<String>,
}

/// Rows shown on either side of a calibrator on the page.
const PAGE_ROWS: usize = 150;
/// A calibrator is of a grating that has at least this share of its beam.
const SHARE: f64 = 0.98;

/// Calibrates every detector that the frames are of and writes configurations, sensitivities and figures.
///
/// # Errors
/// When frames, catalogue or nominal configuration cannot be read, or the first order of a grating cannot be calibrated.
pub fn run(plan: &Plan, instrument: &Instrument, said: &mut dyn FnMut(&str)) -> anyhow::Result<Vec<Calibrated>> {
    let nebulae = of_folders(&plan.nebulae)?;
    let standards = if plan.standards.is_empty() { Vec::new() } else { of_folders(&plan.standards)? };
    let model = plan.model.as_deref().map(read_model).transpose()?;
    if !standards.is_empty() && model.is_none() {
        bail!("frames of a standard star need its model spectrum: --model FILE.csv with wavelength_nm and flux [erg/s/cm2/nm]");
    }
    let mut detectors: Vec<u16> = nebulae.iter().map(|f| f.detector).collect();
    detectors.sort_unstable();
    detectors.dedup();
    if let Some(absent) = plan.detectors.iter().find(|d| !detectors.contains(d)) {
        let there: Vec<String> = detectors.iter().map(u16::to_string).collect();
        bail!("--detector {absent}: no frame of a nebula is of it; there are frames of {}", there.join(", "));
    }
    detectors.retain(|d| plan.detectors.is_empty() || plan.detectors.contains(d));
    let mut out = Vec::new();
    for number in detectors {
        let spec = instrument.detectors.get(&number).with_context(|| format!("{} has no detector {number}", instrument.name))?;
        let confs = configuration::read(&plan.nominal, &spec.geometry.filter, number)?;
        let mut gratings: Vec<Grating> = Vec::new();
        for (grating, conf) in confs.into_iter().enumerate() {
            let name = format!("{}{number:02}_{}", spec.geometry.filter, side(grating));
            said(&format!("{name}: traces and wavelengths"));
            let nominal = Nominal { detector: format!("{number:02}"), band: spec.geometry.filter.clone(), grating: conf.grating };
            let on = |frames: &[SlitlessFrame], kind| placed(plan, frames, &nominal, spec, kind);
            let mut calibrated = one(plan, &name, &on(&nebulae, Calibrator::Nebula)?, &nominal)?;
            if let Some(model) = &model {
                said(&format!("{name}: sensitivities"));
                let stars = on(&standards, Calibrator::WhiteDwarf)?;
                if stars.is_empty() {
                    calibrated.notes.push("no standard star on this side of the border: sensitivities are the nominal ones".into());
                } else {
                    sensitivities(&mut calibrated, &stars, &nominal, model, conf.area_cm2);
                }
            } else {
                calibrated.notes.push("no standard star: sensitivities are the nominal ones".into());
            }
            gratings.push(calibrated.grating.clone());
            write_figures(&plan.out, &calibrated)?;
            out.push(calibrated);
        }
        configuration::write(&plan.out, spec, instrument.area_cm2, &gratings)?;
    }
    Ok(out)
}

/// The calibrators of a grating on frames, as the engine's page keeps them.
fn placed(
    plan: &Plan,
    frames: &[SlitlessFrame],
    nominal: &Nominal,
    spec: &DetectorSpec,
    calibrator: Calibrator,
) -> anyhow::Result<Vec<SessionFrame>> {
    let mut out = Vec::new();
    for frame in frames.iter().filter(|f| f.detector == spec.geometry.number) {
        let list = plan.catalogue.clone().map_or_else(|| super::extract::own_list(&frame.path), Ok)?;
        for source in Catalogue::read(&list, spec.band.pivot_nm(), &[])?.on(frame)? {
            let (ny, y0) = (frame.frame.rate.nrows(), frame.frame.origin.1);
            let row = source.y - y0 as f64;
            if nominal.grating.opening.share(source.x) < SHARE || row < 0.0 || row >= ny as f64 {
                continue;
            }
            // A calibrator whose first order is not on the frame says nothing.
            let nx = frame.frame.rate.ncols();
            let middle = nominal.grating.orders.iter().find(|o| o.number == 1).map(|o| o.trace(source.x, source.y).offset(0.5).0);
            let column = source.x + middle.unwrap_or(0.0) - frame.frame.origin.0 as f64;
            if !(0.0..nx as f64).contains(&column) {
                continue;
            }
            let from = (row as usize).saturating_sub(PAGE_ROWS);
            let to = (row as usize + PAGE_ROWS).min(ny);
            out.push(SessionFrame {
                name: format!("{} in {}", source.id, frame.observation()),
                detector: nominal.detector.clone(),
                calibrator,
                x0: source.x,
                y0: source.y,
                frame: frame.rows(from, to),
            });
        }
    }
    Ok(out)
}

fn one(plan: &Plan, name: &str, frames: &[SessionFrame], nominal: &Nominal) -> anyhow::Result<Calibrated> {
    if frames.is_empty() {
        let notes = vec!["no nebula on this side of the border: the grating is as drawn".into()];
        return Ok(Calibrated { name: name.into(), grating: nominal.grating.clone(), calibration: None, sensitivities: Vec::new(), notes });
    }
    let list = line_list::vacuum_list(0.0);
    let settings = Settings::default();
    let edits_path = plan.edits.as_ref().map(|folder| folder.join(format!("{name}.edits.json")));
    let mut edits = match &edits_path {
        Some(path) if path.exists() => Edits::read(path)?,
        _ => Edits::default(),
    };
    if let Some(port) = plan.page {
        let path = edits_path.clone().unwrap_or_else(|| plan.out.join(format!("{name}.edits.json")));
        std::fs::create_dir_all(&plan.out).with_context(|| plan.out.display().to_string())?;
        let session = Session::new(frames.to_vec(), nominal.clone(), list.clone(), settings.clone(), edits, Some(path))?;
        let address = ([127, 0, 0, 1], port).into();
        let ready = |at| println!("{name}: http://{at} (Finish on the page goes on)");
        edits = serve(session, address, &AtomicBool::new(false), ready)?.edits;
    }
    let views: Vec<CalibrationFrame<'_>> = frames.iter().map(SessionFrame::view).collect();
    let calibration = calibrate(&views, nominal, &list, &settings, &edits).with_context(|| format!("grating {name}"))?;
    let grating = calibration.grating.clone();
    Ok(Calibrated { name: name.into(), grating, calibration: Some(calibration), sensitivities: Vec::new(), notes: Vec::new() })
}

/// Measures the sensitivity of every order and gives it to the grating.
fn sensitivities(out: &mut Calibrated, stars: &[SessionFrame], nominal: &Nominal, model: &Spectrum, area_cm2: f64) {
    let calibrated = Nominal { grating: out.grating.clone(), ..nominal.clone() };
    let standards: Vec<Standard<'_>> = stars.iter().map(|star| Standard { frame: star.view(), model }).collect();
    let masks = white_dwarf_masks();
    for order in &mut out.grating.orders {
        let measured =
            measure_sensitivity(&standards, &calibrated, order.number, area_cm2, &masks, Aperture::Measured, &Settings::default());
        let found = measured.map_err(anyhow::Error::from).and_then(|s| Ok((joined(&order.efficiency, &s)?, s)));
        match found {
            Ok((bandpass, sensitivity)) => {
                order.efficiency = bandpass.into();
                out.sensitivities.push(sensitivity);
            }
            Err(error) => out.notes.push(format!("order {:+}: sensitivity is the nominal one: {error}", order.number)),
        }
    }
}

/// The measured curve where it is valid; beyond, the nominal one scaled to meet it.
fn joined(nominal: &Bandpass, measured: &Sensitivity) -> anyhow::Result<Bandpass> {
    let (low, high) = measured.valid_nm;
    let own = measured.bandpass()?;
    let ratio = |nm: f64| if nominal.at(Nanometre(nm)) > 0.0 { own.at(Nanometre(nm)) / nominal.at(Nanometre(nm)) } else { 1.0 };
    let outside = |keep: &dyn Fn(f64) -> bool, scale: f64| -> Vec<(f64, f64)> {
        let pairs = nominal.wavelength_nm().iter().zip(nominal.efficiency());
        pairs.filter(|(w, _)| keep(**w)).map(|(w, e)| (*w, (e * scale).clamp(0.0, 1.0))).collect()
    };
    let mut rows = outside(&|w| w < low, ratio(low));
    rows.extend(own.wavelength_nm().iter().copied().zip(own.efficiency().iter().copied()));
    rows.extend(outside(&|w| w > high, ratio(high)));
    let (wavelengths, efficiencies) = rows.into_iter().unzip();
    Ok(Bandpass::new(nominal.name.clone(), wavelengths, efficiencies)?)
}

fn write_figures(folder: &Path, calibrated: &Calibrated) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let path = folder.join(format!("CSST_{}.report.json", calibrated.name));
    let json = serde_json::json!({
        "traces_and_wavelengths": calibrated.calibration.as_ref().map(|c| &c.report),
        "sensitivities": calibrated.sensitivities,
        "notes": calibrated.notes,
    });
    write_atomically(&path, serde_json::to_string_pretty(&json)?.as_bytes()).with_context(|| path.display().to_string())
}

/// Reads a model spectrum: a CSV with the columns `wavelength_nm` and `flux` \[erg/s/cm2/nm\].
fn read_model(path: &Path) -> anyhow::Result<Spectrum> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_path(path).with_context(|| path.display().to_string())?;
    let header = reader.headers()?.clone();
    let at = |name: &str| header.iter().position(|h| h == name).with_context(|| format!("{}: column {name} is missing", path.display()));
    let (wave, flux) = (at("wavelength_nm")?, at("flux")?);
    let (mut waves, mut fluxes) = (Vec::new(), Vec::new());
    for (row, record) in reader.records().enumerate() {
        let record = record?;
        let number = |column: usize| {
            let text = record.get(column).unwrap_or_default();
            text.trim().parse::<f64>().with_context(|| format!("{}: row {}: {text:?} is no number", path.display(), row + 1))
        };
        waves.push(number(wave)?);
        fluxes.push(number(flux)?);
    }
    Spectrum::new("standard star", waves, fluxes).with_context(|| path.display().to_string())
}

/// Writes the model spectrum of the simulator's white dwarf at an AB magnitude in a detector's band.
///
/// # Errors
/// When the file cannot be written.
pub fn write_standard(spec: &DetectorSpec, magnitude: f64, path: &Path) -> anyhow::Result<()> {
    let sed = calibrator_sed(Kind::WhiteDwarf, &Library::load())?;
    // f_lambda = f_nu c / lambda^2; the band's mean of S lambda^2 stands for the flux of the magnitude.
    let scale = 10.0_f64.powf(-0.4 * magnitude) * AB_ZERO_ERG_S_CM2_HZ * SPEED_OF_LIGHT_M_S * 1e9 / spec.band.mean_fnu(&sed);
    let mut text = format!(
        "# {}, AB magnitude {magnitude} in {}; wavelength in vacuum [nm], flux [erg/s/cm2/nm]\nwavelength_nm,flux\n",
        sed.template.name, spec.geometry.filter
    );
    for (w, f) in sed.template.wavelength_nm().iter().zip(sed.template.flux_lambda()) {
        text += &format!("{w},{:e}\n", f * scale);
    }
    write_atomically(path, text.as_bytes()).with_context(|| path.display().to_string())
}
