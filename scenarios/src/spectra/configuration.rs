//! Configuration files of a detector's two gratings, nominal or calibrated.

use super::side;
use anyhow::{Context as _, bail};
use instruments::description::{DetectorSpec, Instrument};
use instruments::optics::slitless;
use sim_core::dispersion::Grating;
use sim_core::dispersion::configuration::Configuration;
use std::path::{Path, PathBuf};

/// File of a grating in a folder of configurations.
#[must_use]
pub fn path(folder: &Path, filter: &str, detector: u16, grating: usize) -> PathBuf {
    folder.join(format!("CSST_{filter}{detector:02}_{}.conf", side(grating)))
}

/// Writes the gratings of a detector; all files written.
///
/// # Errors
/// When a file cannot be written.
pub fn write(folder: &Path, spec: &DetectorSpec, area_cm2: f64, gratings: &[Grating]) -> anyhow::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let geometry = &spec.geometry;
    let mut out = Vec::new();
    for (number, grating) in gratings.iter().enumerate() {
        let configuration = Configuration {
            detector: geometry.number,
            filter: geometry.filter.clone(),
            size: (geometry.nx, geometry.ny),
            area_cm2,
            grating: grating.clone(),
        };
        out.extend(configuration.write(&path(folder, &geometry.filter, geometry.number, number))?);
    }
    Ok(out)
}

/// Writes the nominal configuration of detectors; without numbers, of all slitless ones.
///
/// # Errors
/// When a number is no slitless detector of the instrument or a file cannot be written.
pub fn write_nominal(instrument: &Instrument, detectors: &[u16], folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let slitless: Vec<u16> = instrument.detectors.values().filter(|d| d.grating.is_some()).map(|d| d.geometry.number).collect();
    let wanted = if detectors.is_empty() { slitless.clone() } else { detectors.to_vec() };
    let mut out = Vec::new();
    for number in wanted {
        if !slitless.contains(&number) {
            let known: Vec<String> = slitless.iter().map(u16::to_string).collect();
            bail!("detector {number} is no slitless detector of {}; it has {}", instrument.name, known.join(", "));
        }
        let spec = &instrument.detectors[&number];
        out.extend(write(folder, spec, instrument.area_cm2, &slitless::nominal_gratings(spec)?)?);
    }
    Ok(out)
}

/// Reads the configurations of both gratings of a detector; all have a first order.
///
/// # Errors
/// When a file is missing, is not a configuration or is of another detector.
pub fn read(folder: &Path, filter: &str, detector: u16) -> anyhow::Result<Vec<Configuration>> {
    (0..2).map(|number| Ok(Configuration::read_for(&path(folder, filter, detector, number), detector, filter, 1)?)).collect()
}
