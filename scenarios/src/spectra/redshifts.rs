//! Redshifts and types of all sources of folders with spectra, or of files of stacked spectra, with the photometry of a direct catalogue where there is one.

use super::direct;
use crate::folder::Folder;
use anyhow::{Context as _, bail};
use instruments::description::Instrument;
use sim_core::fits::{self, Data, Hdu, Header};
use spectroscopy::extraction::{stack_table, table};
use spectroscopy::redshift::{Photometry, RedshiftOptions, Redshifter, SourceInput, SourceRedshift, Status, line_table, source_table};
use spectroscopy::spectrum::Extracted;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What redshifts are measured of.
pub struct Plan {
    /// Folders with extracted spectra and files of stacked ones.
    pub inputs: Vec<PathBuf>,
    /// Direct-imaging catalogue with `MAG_band` and `MAGERR_band`.
    pub catalogue: Option<PathBuf>,
    /// FITS file to write.
    pub out: PathBuf,
}

/// Files of extracted spectra in `FOLDER/spectra`.
///
/// # Errors
/// When there is none.
pub fn spectrum_files(folders: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let files = folders.iter().flat_map(|folder| Folder::fits_files(&folder.join("spectra")));
    let files: Vec<PathBuf> = files.filter(|p| p.to_string_lossy().ends_with("_spec.fits")).collect();
    if files.is_empty() {
        let names: Vec<String> = folders.iter().map(|f| f.join("spectra").display().to_string()).collect();
        bail!("{}: no spectra; extract them first", names.join(", "));
    }
    Ok(files)
}

/// Spectra of first orders by source, of all folders and files.
///
/// # Errors
/// When there is none or one cannot be read.
pub fn spectra(inputs: &[PathBuf]) -> anyhow::Result<BTreeMap<u64, Vec<Extracted>>> {
    let mut by_source: BTreeMap<u64, Vec<Extracted>> = BTreeMap::new();
    let (stacked, folders): (Vec<PathBuf>, Vec<PathBuf>) = inputs.iter().cloned().partition(|path| path.is_file());
    for path in &stacked {
        for stack in stack_table::load(path).with_context(|| path.display().to_string())? {
            by_source.entry(stack.id).or_default().push(stack.as_extracted());
        }
    }
    if !folders.is_empty() {
        for path in spectrum_files(&folders)? {
            for spectrum in table::load(&path).with_context(|| path.display().to_string())?.into_iter().filter(|s| s.order == 1) {
                by_source.entry(spectrum.id).or_default().push(spectrum);
            }
        }
    }
    if by_source.is_empty() {
        bail!("{}: no spectrum of a first order", inputs.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "));
    }
    Ok(by_source)
}

/// Measures every source and writes tables of sources and of lines.
///
/// # Errors
/// When spectra or the catalogue cannot be read, are malformed, or the file cannot be written.
pub fn run(plan: &Plan, instrument: &Instrument) -> anyhow::Result<Vec<SourceRedshift>> {
    let by_source = spectra(&plan.inputs)?;
    let known = plan.catalogue.as_deref().map(|path| direct::photometry(path, instrument)).transpose()?.unwrap_or_default();
    let photometry: BTreeMap<u64, Vec<Photometry<'_>>> = by_source
        .keys()
        .filter_map(|id| {
            let points = &known.get(id)?.points;
            let of = |p: &direct::Magnitude| {
                Some(Photometry { band: &instrument.bands.get(&p.band)?.bandpass, flux_nu: p.flux_nu, error: p.error })
            };
            Some((*id, points.iter().filter_map(of).collect()))
        })
        .collect();
    let inputs: Vec<SourceInput<'_>> = by_source
        .iter()
        .map(|(id, spectra)| SourceInput {
            id: *id,
            spectra,
            photometry: photometry.get(id).map_or(&[], Vec::as_slice),
            point_probability: known.get(id).and_then(|source| source.point_probability),
        })
        .collect();
    let redshifter = Redshifter::new(RedshiftOptions::default())?;
    let results: Vec<SourceRedshift> = redshifter.measure_all(&inputs).into_iter().collect::<Result<_, _>>()?;
    if let Some(folder) = plan.out.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let tables = [source_table(&results), line_table(&results)];
    let mut hdus = vec![Hdu::primary(Header::default())];
    hdus.extend(tables.into_iter().map(|t| Hdu::new(&t.name.clone(), Header::default(), Data::Table(t))));
    fits::write(&plan.out, &hdus)?;
    Ok(results)
}

/// Sources measured, and those of them that are called reliable.
#[must_use]
pub fn counts(results: &[SourceRedshift]) -> (usize, usize) {
    let measured = results.iter().filter(|r| r.status == Status::Measured).count();
    (measured, results.iter().filter(|r| r.reliable).count())
}
