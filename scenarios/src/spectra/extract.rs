//! Spectra out of all slitless frames of a folder.

use super::catalogue::Catalogue;
use super::configuration;
use super::frames::of_folders;
use crate::folder::Folder;
use anyhow::{Context as _, bail};
use instruments::description::Instrument;
use sim_core::fits::Header;
use spectroscopy::extraction::{self, Psf, Settings, extract_frame};
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
    /// Width of the PSF across traces where the frame has too few bright stars \[pixel\].
    pub psf_fwhm_px: f64,
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

/// The list of objects of the folder that a level-1 image is in: what stands for a direct image's catalogue in a closed loop.
///
/// # Errors
/// When there is none.
pub fn own_list(image: &Path) -> anyhow::Result<PathBuf> {
    let folder = image.parent().and_then(Path::parent).map(Folder::at);
    let name = image.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = name.split("_img_").next().unwrap_or_default().to_string();
    let list = folder.as_ref().map(Folder::truth).into_iter().flat_map(|truth| Folder::fits_files(&truth));
    let mut list = list.filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&stem)));
    let Some(found) = list.next() else { bail!("{}: no catalogue: give one with --catalogue", image.display()) };
    Ok(found)
}

/// Extracts the spectra of all slitless frames of a folder into `FOLDER/spectra`.
///
/// # Errors
/// When a frame, a configuration or the catalogue cannot be used, or a file cannot be written.
pub fn run(plan: &Plan, instrument: &Instrument, said: &mut dyn FnMut(&str)) -> anyhow::Result<Vec<Extraction>> {
    let out = plan.folder.join("spectra");
    let bands: Vec<(String, f64)> =
        instrument.bands.iter().filter(|(_, b)| b.grating.is_none()).map(|(name, b)| (name.clone(), b.bandpass.pivot_nm())).collect();
    let mut done = Vec::new();
    for frame in of_folders(std::slice::from_ref(&plan.folder))? {
        let filter = frame.level1.filter.clone();
        let confs = configuration::read(&plan.configuration, &filter, frame.detector)?;
        let area_cm2 = confs[0].area_cm2;
        let gratings: Vec<_> = confs.into_iter().map(|c| c.grating).collect();
        let pivot_nm = gratings[0].orders.iter().find(|o| o.number == 1).map_or(700.0, |o| o.efficiency.pivot_nm());
        let list = plan.catalogue.clone().map_or_else(|| own_list(&frame.path), Ok)?;
        let sources = Catalogue::read(&list, pivot_nm, &bands)?.on(&frame)?;
        said(&format!("{}: {} sources", frame.name(), sources.len()));
        let detector = format!("{:02}", frame.detector);
        let known = extraction::Instrument {
            configured_detector: &detector,
            frame_detector: &detector,
            band: &filter,
            gratings: &gratings,
            area_cm2,
            psf: Psf::gaussian(&[(pivot_nm, plan.psf_fwhm_px)])?,
        };
        let mut settings = Settings { faintest_ab: plan.faintest, measure_psf: true, ..Settings::default() };
        if plan.boxed {
            settings.method = extraction::Method::Box { share: 0.9 };
        }
        let image = frame.frame.image();
        let found = extract_frame(&image, &known, &sources, &settings).with_context(|| frame.path.display().to_string())?;
        std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
        let path = out.join(format!("{}_spec.fits", frame.name()));
        let mut header = Header::default();
        header.set("L1FILE", frame.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(), "level-1 image");
        header.set("EXPTIME", frame.level1.exposure_s, "[s] exposure time");
        header.set("FILTER", filter.as_str(), "grating");
        header.set("CHIPID", i64::from(frame.detector), "detector");
        extraction::table::save(&path, header, &found.spectra)?;
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
