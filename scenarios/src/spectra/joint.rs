//! A group of sources solved together from the pixels of all exposures of a band.
//!
//! The fit is the library's ([`spectroscopy::extraction::forward`]). Each frame is extracted as ever, which gives its background, the place of its sources and the model of
//! all of them; what is not of the group is taken from the model. Products: `STACKS`-like rows in `JOINT`, the choice of the damping in `CURVE`.

use super::extract::{Plan as Extract, Setup, measured_psfs};
use super::frames::{SlitlessFrame, of_folders};
use anyhow::{Context as _, bail};
use instruments::description::Instrument;
use ndarray::Array2;
use sim_core::dispersion::Grating;
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::manifest::sha256_file;
use sim_core::table::{Column, ColumnData, Table};
use spectroscopy::extraction::background::Background;
use spectroscopy::extraction::forward::{Damping, Exposure, Joint, Settings, solve};
use spectroscopy::extraction::model;
use spectroscopy::extraction::response::ready;
use spectroscopy::extraction::{FrameSpectra, Psf, Source};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is to be solved.
pub struct Plan {
    /// Reduced folders.
    pub folders: Vec<PathBuf>,
    /// Sources of the group.
    pub sources: Vec<u64>,
    /// How frames are extracted; its folder is not used.
    pub extract: Extract,
    /// Step of the grid \[nm\]; twice the dispersion when absent.
    pub step_nm: Option<f64>,
    /// Damping; the corner of the L-curve when absent.
    pub damping: Option<f64>,
    /// Draws for the errors (0: errors of elements alone) and their seed.
    pub monte_carlo: (usize, u64),
    /// FITS file to write.
    pub out: PathBuf,
}

/// What a frame gives to the fit.
struct Ready {
    frame: SlitlessFrame,
    gratings: Vec<Grating>,
    area_cm2: f64,
    background: Background,
    psf: Psf,
    others: Array2<f32>,
    group: Vec<Source>,
}

/// Solves the group in each band and writes the product; the fits by band.
///
/// # Errors
/// When a frame, configuration or catalogue cannot be used, a source of the group is not in it, none of its light is on the frames, or the file cannot be written.
pub fn run(plan: &Plan, instrument: &Instrument, said: &mut dyn FnMut(&str)) -> anyhow::Result<Vec<(String, Joint)>> {
    if plan.sources.is_empty() {
        bail!("no sources to solve: --source ID, once for each");
    }
    let found = of_folders(&plan.folders)?;
    let detectors = found.iter().map(|f| f.detector).collect();
    let psfs =
        plan.extract.psf.as_deref().map_or_else(|| Ok(BTreeMap::new()), |folder| measured_psfs(&plan.extract, folder, &detectors, said))?;
    let mut bands: BTreeMap<String, Vec<Ready>> = BTreeMap::new();
    for frame in found {
        said(&frame.name());
        let ready = prepared(plan, frame, psfs.clone(), instrument)?;
        bands.entry(ready.frame.level1.filter.trim().to_string()).or_default().push(ready);
    }
    let mut out = Vec::new();
    for (band, frames) in &bands {
        let grid = grid(&frames[0].gratings, plan.step_nm).with_context(|| format!("{band}: the first order"))?;
        let images: Vec<_> = frames.iter().map(|f| f.frame.frame.image()).collect();
        let exposures: Vec<Exposure> = frames
            .iter()
            .zip(&images)
            .map(|(f, image)| Exposure {
                image,
                gratings: &f.gratings,
                background: &f.background,
                psf: &f.psf,
                others: Some(f.others.view()),
                sources: &f.group,
            })
            .collect();
        let damping = plan.damping.map_or(Damping::LCurve, Damping::Given);
        let settings = Settings { damping, monte_carlo: plan.monte_carlo, ..Settings::default() };
        let joint =
            solve(&exposures, &grid, frames[0].area_cm2, &settings).with_context(|| format!("{band}: {} exposures", frames.len()))?;
        out.push((band.clone(), joint));
    }
    save(plan, &out, &bands)?;
    Ok(out)
}

fn prepared(plan: &Plan, frame: SlitlessFrame, psfs: BTreeMap<u16, Psf>, instrument: &Instrument) -> anyhow::Result<Ready> {
    let setup = Setup::read(&plan.extract, &frame)?;
    let sources = setup.sources(&plan.extract, &frame, &super::extract::direct_bands(instrument))?;
    let (psf, measure) = match psfs.get(&frame.detector) {
        Some(psf) => (psf.clone(), false),
        None => (Psf::gaussian(&[(setup.pivot_nm, plan.extract.psf_fwhm_px)])?, true),
    };
    let found = setup.extract(&plan.extract, &frame, &sources, psf, measure)?;
    let mut group = Vec::new();
    for id in &plan.sources {
        let Some(source) = found.sources.iter().find(|s| s.id == *id) else {
            bail!("source {id} is not in the catalogue of {}", frame.path.display())
        };
        group.push(source.clone());
    }
    let others = without(&found, &setup.gratings, setup.area_cm2, &plan.sources, &frame)?;
    let (gratings, area_cm2) = (setup.gratings, setup.area_cm2);
    Ok(Ready { frame, gratings, area_cm2, background: found.background, psf: found.psf, others, group })
}

/// The model of a frame without the sources of the group.
fn without(found: &FrameSpectra, gratings: &[Grating], area_cm2: f64, group: &[u64], frame: &SlitlessFrame) -> anyhow::Result<Array2<f32>> {
    let orders = ready(gratings, area_cm2)?;
    let window = frame.frame.image().window();
    let window = (window.x0 as i64, window.y0 as i64, window.nx as i64, window.ny as i64);
    let own = found.sources.iter().zip(&found.drawn).filter(|(source, _)| group.contains(&source.id));
    let (sources, spectra): (Vec<_>, Vec<_>) = own.map(|(s, m)| (s.clone(), m.clone())).unzip();
    let drawn = model::frame(&orders, gratings, &sources, &spectra, &found.psf, window, 0.0);
    Ok(&found.model - &drawn)
}

/// Even nodes over the first order's range.
fn grid(gratings: &[Grating], step_nm: Option<f64>) -> anyhow::Result<Vec<f64>> {
    let order = gratings.iter().flat_map(|g| &g.orders).find(|o| o.number == 1).context("there is none")?;
    let (low, high) = order.efficiency.range_nm();
    let trace = order.trace(0.0, 0.0);
    let columns = (trace.offset(trace.parameter(high)).0 - trace.offset(trace.parameter(low)).0).abs();
    let step = step_nm.unwrap_or(2.0 * (high - low) / columns);
    if !(step > 0.0 && step < 0.5 * (high - low)) {
        bail!("--step {step} nm: above 0 and below {} nm", 0.5 * (high - low));
    }
    Ok((0..=((high - low) / step) as usize).map(|k| low + step * k as f64).collect())
}

fn save(plan: &Plan, fits_by_band: &[(String, Joint)], frames: &BTreeMap<String, Vec<Ready>>) -> anyhow::Result<()> {
    let rows: Vec<(&str, u64, f64, f64, f64)> = fits_by_band
        .iter()
        .flat_map(|(band, joint)| {
            joint.spectra.iter().flat_map(move |s| {
                (0..joint.wavelength_nm.len()).map(move |k| (band.as_str(), s.id, joint.wavelength_nm[k], s.flux[k], s.flux_error[k]))
            })
        })
        .collect();
    let flux = "erg / (s cm2 nm)";
    let f64s = |name: &str, unit: &str, text: &str, values: Vec<f64>| Column::new(name, unit, text, ColumnData::F64(values));
    let joint = Table {
        name: "JOINT".into(),
        columns: vec![
            Column::new("ID", "", "number of the source in the catalogue", ColumnData::I64(rows.iter().map(|r| r.1 as i64).collect())),
            Column::new("BAND", "", "band", ColumnData::Text(rows.iter().map(|r| r.0.to_string()).collect())),
            f64s("WAVELENGTH", "nm", "vacuum wavelength of the node", rows.iter().map(|r| r.2).collect()),
            f64s("FLUX", flux, "flux density, NaN where no pixel tells of it", rows.iter().map(|r| r.3).collect()),
            f64s(
                "FLUX_ERR",
                flux,
                "standard error; without draws that of a node with all others known",
                rows.iter().map(|r| r.4).collect(),
            ),
        ],
    };
    let curve: Vec<(&str, (f64, f64, f64))> =
        fits_by_band.iter().flat_map(|(b, j)| j.curve.iter().map(move |c| (b.as_str(), *c))).collect();
    let curve = Table {
        name: "CURVE".into(),
        columns: vec![
            Column::new("BAND", "", "band", ColumnData::Text(curve.iter().map(|c| c.0.to_string()).collect())),
            f64s("DAMPING", "", "damping tried", curve.iter().map(|c| c.1.0).collect()),
            f64s("RESIDUAL", "", "length of the residual vector", curve.iter().map(|c| c.1.1).collect()),
            f64s("NORM", "", "length of the solution's distance from the first guess", curve.iter().map(|c| c.1.2).collect()),
        ],
    };
    let inputs: Vec<&SlitlessFrame> = frames.values().flatten().map(|r| &r.frame).collect();
    let hashes: Vec<String> =
        inputs.iter().map(|f| sha256_file(&f.path).with_context(|| f.path.display().to_string())).collect::<anyhow::Result<_>>()?;
    let names = inputs.iter().map(|f| f.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()).collect();
    let inputs = Table {
        name: "INPUTS".into(),
        columns: vec![
            Column::new("L1FILE", "", "level-1 frame", ColumnData::Text(names)),
            Column::new("SHA256", "", "SHA-256 of the file", ColumnData::Text(hashes)),
        ],
    };
    let mut header = Header::default();
    header.set("CREATOR", concat!("skyloop ", env!("CARGO_PKG_VERSION")), "program");
    header.set("NDRAWS", plan.monte_carlo.0 as i64, "draws for the errors");
    header.set("SEED", plan.monte_carlo.1 as i64, "seed of the draws");
    for (band, joint) in fits_by_band {
        header.set(&format!("DAMP_{band}"), joint.damping, "damping");
        header.set(&format!("CHI2_{band}"), joint.chi2, "chi squared per pixel");
        header.set(&format!("NPIX_{band}"), joint.pixels as i64, "pixels");
    }
    if let Some(folder) = plan.out.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let table = |table: Table| Hdu::new(&table.name.clone(), Header::default(), Data::Table(table));
    let mut hdus = vec![Hdu::primary(header), table(joint), table(inputs)];
    if curve.rows() > 0 {
        hdus.push(table(curve));
    }
    fits::write(Path::new(&plan.out), &hdus)?;
    Ok(())
}
