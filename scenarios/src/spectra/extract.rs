//! Spectra out of all slitless frames of a folder.

use super::catalogue::Catalogue;
use super::frames::{SlitlessFrame, of_folders};
use super::{configuration, zeroth};
use crate::folder::Folder;
use anyhow::{Context as _, bail};
use instruments::description::Instrument;
use sim_core::dispersion::Grating;
use sim_core::fits::{self, Data, Hdu, Header};
use spectroscopy::extraction::{self, FrameSpectra, Psf, Settings, Source, extract_frame};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// How to extract.
pub struct Plan {
    /// Reduced folder.
    pub folder: PathBuf,
    /// Folder of configurations.
    pub configuration: PathBuf,
    /// Direct-imaging catalogue; without one the folder's own list of objects.
    pub catalogue: Option<PathBuf>,
    /// Faintest AB magnitude.
    pub faintest: f64,
    /// Sum over an aperture instead of the fit of a profile.
    pub boxed: bool,
    /// Width of the PSF across traces where no bright stars tell it \[pixel\].
    pub psf_fwhm_px: f64,
    /// Reduced folder with bright stars on the same detectors (those of a standard) that the PSF is measured on; the frame's own stars without it.
    pub psf: Option<PathBuf>,
}

/// What came out of a frame.
pub struct Extraction {
    /// File of the spectra.
    pub path: PathBuf,
    /// Spectra in it.
    pub spectra: usize,
    /// Zeroth orders that the position was found with; `None` without a position step.
    pub position: Option<(usize, f64)>,
    /// Sources whose first order is on the frame, and share of them whose zeroth order is.
    pub coverage: Option<(usize, f64)>,
    /// Background \[electron / s / pixel\].
    pub background: f64,
}

/// The list of objects of the folder that a level-1 frame is in: what stands for a direct image's catalogue in a closed loop.
///
/// # Errors
/// When there is none.
pub fn own_list(image: &Path) -> anyhow::Result<PathBuf> {
    let folder = image.parent().and_then(Path::parent).map(Folder::at);
    let name = image.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = name.split("_L1_").next().unwrap_or_default().to_string();
    let list = folder.as_ref().map(Folder::truth).into_iter().flat_map(|truth| Folder::fits_files(&truth));
    let mut list = list.filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&stem)));
    let Some(found) = list.next() else { bail!("{}: no catalogue: give one with --catalogue", image.display()) };
    Ok(found)
}

/// Imaging bands and their pivot wavelengths \[nm\]: those a direct catalogue may have magnitudes of.
#[must_use]
pub fn direct_bands(instrument: &Instrument) -> Vec<(String, f64)> {
    instrument.bands.iter().filter(|(_, b)| b.grating.is_none()).map(|(name, b)| (name.clone(), b.bandpass.pivot_nm())).collect()
}

/// What the frames of a detector are extracted with.
pub(super) struct Setup {
    pub(super) gratings: Vec<Grating>,
    pub(super) area_cm2: f64,
    pub(super) pivot_nm: f64,
    detector: String,
    filter: String,
}

impl Setup {
    pub(super) fn read(plan: &Plan, frame: &SlitlessFrame) -> anyhow::Result<Self> {
        let filter = frame.level1.filter.clone();
        let confs = configuration::read(&plan.configuration, &filter, frame.detector)?;
        let area_cm2 = confs[0].area_cm2;
        let gratings: Vec<Grating> = confs.into_iter().map(|c| c.grating).collect();
        let pivot_nm = gratings[0].orders.iter().find(|o| o.number == 1).map_or(700.0, |o| o.efficiency.pivot_nm());
        Ok(Self { gratings, area_cm2, pivot_nm, detector: format!("{:02}", frame.detector), filter })
    }

    pub(super) fn sources(&self, plan: &Plan, frame: &SlitlessFrame, bands: &[(String, f64)]) -> anyhow::Result<Vec<Source>> {
        // A catalogue that was given is of the field, not of the standard's frames.
        let standard = plan.psf.as_ref().is_some_and(|folder| frame.path.starts_with(folder));
        let given = plan.catalogue.clone().filter(|_| !standard);
        let list = given.map_or_else(|| own_list(&frame.path), Ok)?;
        Catalogue::read(&list, self.pivot_nm, bands)?.on(frame)
    }

    /// Extracts a frame; `measure` asks for the PSF of its own stars.
    pub(super) fn extract(
        &self,
        plan: &Plan,
        frame: &SlitlessFrame,
        sources: &[Source],
        psf: Psf,
        measure: bool,
    ) -> anyhow::Result<FrameSpectra> {
        let known = extraction::Instrument {
            configured_detector: &self.detector,
            frame_detector: &self.detector,
            band: &self.filter,
            gratings: &self.gratings,
            area_cm2: self.area_cm2,
            psf,
        };
        let mut settings = Settings { faintest_ab: plan.faintest, measure_psf: measure, ..Settings::default() };
        if plan.boxed {
            settings.method = extraction::Method::Box { share: 0.9 };
        }
        extract_frame(&frame.frame.image(), &known, sources, &settings).with_context(|| frame.path.display().to_string())
    }
}

/// A measured PSF in words.
fn told(frame: &str, psf: &Psf, pivot_nm: f64) -> String {
    let within = psf.within(pivot_nm);
    let wings =
        if within < 1.0 { format!("{:.2} % of the light in its wings", 100.0 * (1.0 - within)) } else { "wings not measured".into() };
    format!("{frame}: PSF of {:.2} pixel FWHM at {pivot_nm:.0} nm, {wings}", psf.fwhm(pivot_nm))
}

/// PSFs measured on the frames of a folder, by detector; those of `detectors` alone.
pub(super) fn measured_psfs(
    plan: &Plan,
    folder: &Path,
    detectors: &BTreeSet<u16>,
    said: &mut dyn FnMut(&str),
) -> anyhow::Result<BTreeMap<u16, Psf>> {
    let mut out = BTreeMap::new();
    for frame in of_folders(&[folder.to_path_buf()])?.into_iter().filter(|f| detectors.contains(&f.detector)) {
        let setup = Setup::read(plan, &frame)?;
        let sources = setup.sources(plan, &frame, &[])?;
        let first = Psf::gaussian(&[(setup.pivot_nm, plan.psf_fwhm_px)])?;
        let found = setup.extract(plan, &frame, &sources, first, true)?;
        if !found.psf_measured {
            bail!("{}: too few bright isolated stars to measure the PSF", frame.path.display());
        }
        said(&told(&frame.name(), &found.psf, setup.pivot_nm));
        out.insert(frame.detector, found.psf);
    }
    Ok(out)
}

/// Extracts the spectra of all slitless frames of a folder into `FOLDER/spectra`.
///
/// # Errors
/// When a frame, a configuration or the catalogue cannot be used, or a file cannot be written.
pub fn run(plan: &Plan, instrument: &Instrument, said: &mut dyn FnMut(&str)) -> anyhow::Result<Vec<Extraction>> {
    let out = plan.folder.join("spectra");
    let bands = direct_bands(instrument);
    let frames = of_folders(std::slice::from_ref(&plan.folder))?;
    let detectors = frames.iter().map(|f| f.detector).collect();
    let psfs = plan.psf.as_deref().map_or_else(|| Ok(BTreeMap::new()), |folder| measured_psfs(plan, folder, &detectors, said))?;
    let mut done = Vec::new();
    for frame in frames {
        let setup = Setup::read(plan, &frame)?;
        let sources = setup.sources(plan, &frame, &bands)?;
        said(&format!("{}: {} sources", frame.name(), sources.len()));
        let (psf, measure) = match psfs.get(&frame.detector) {
            Some(psf) => (psf.clone(), false),
            None => (Psf::gaussian(&[(setup.pivot_nm, plan.psf_fwhm_px)])?, true),
        };
        let found = setup.extract(plan, &frame, &sources, psf, measure)?;
        if found.psf_measured {
            said(&told(&frame.name(), &found.psf, setup.pivot_nm));
        }
        std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
        let path = out.join(format!("{}_spec.fits", frame.name()));
        let mut header = Header::default();
        header.set("L1FILE", frame.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(), "level-1 frame");
        header.set("EXPTIME", frame.level1.exposure_s, "[s] exposure time");
        header.set("FILTER", setup.filter.as_str(), "grating");
        header.set("CHIPID", i64::from(frame.detector), "detector");
        let spectra = extraction::table::table(&found.spectra);
        let mut hdus = vec![Hdu::primary(header), Hdu::new(extraction::table::NAME, Header::default(), Data::Table(spectra))];
        hdus.extend(found.position.as_ref().map(zeroth::table));
        fits::write(&path, &hdus)?;
        done.push(Extraction {
            path,
            spectra: found.spectra.len(),
            position: found.position.as_ref().map(|p| (p.correction.used, p.correction.rms.0.hypot(p.correction.rms.1))),
            coverage: found.position.as_ref().map(|p| (p.coverage.first, p.coverage.fraction())),
            background: found.background.mean(),
        });
    }
    Ok(done)
}
