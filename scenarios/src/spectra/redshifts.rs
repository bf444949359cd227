//! Redshifts and types of all sources of folders with spectra.

use crate::folder::Folder;
use anyhow::{Context as _, bail};
use sim_core::fits::{self, Data, Hdu, Header};
use spectroscopy::extraction::table;
use spectroscopy::redshift::{RedshiftOptions, Redshifter, SourceInput, SourceRedshift, Status, line_table, source_table};
use spectroscopy::spectrum::Extracted;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Spectra of first orders by source, of all files in `FOLDER/spectra`.
///
/// # Errors
/// When there is none or one cannot be read.
pub fn spectra(folders: &[PathBuf]) -> anyhow::Result<BTreeMap<u64, Vec<Extracted>>> {
    let mut by_source: BTreeMap<u64, Vec<Extracted>> = BTreeMap::new();
    for folder in folders {
        let files = Folder::fits_files(&folder.join("spectra"));
        for path in files.iter().filter(|p| p.to_string_lossy().ends_with("_spec.fits")) {
            for spectrum in table::load(path)?.into_iter().filter(|s| s.order == 1) {
                by_source.entry(spectrum.id).or_default().push(spectrum);
            }
        }
    }
    if by_source.is_empty() {
        let names: Vec<String> = folders.iter().map(|f| f.join("spectra").display().to_string()).collect();
        bail!("{}: no spectra; extract them first", names.join(", "));
    }
    Ok(by_source)
}

/// Measures every source and writes tables of sources and of lines.
///
/// # Errors
/// When spectra cannot be read, are malformed, or the file cannot be written.
pub fn run(folders: &[PathBuf], out: &Path) -> anyhow::Result<Vec<SourceRedshift>> {
    let by_source = spectra(folders)?;
    let redshifter = Redshifter::new(RedshiftOptions::default())?;
    let inputs: Vec<SourceInput<'_>> =
        by_source.iter().map(|(id, spectra)| SourceInput { id: *id, spectra, ..SourceInput::default() }).collect();
    let results: Vec<SourceRedshift> = redshifter.measure_all(&inputs).into_iter().collect::<Result<_, _>>()?;
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let tables = [source_table(&results), line_table(&results)];
    let mut hdus = vec![Hdu::primary(Header::default())];
    hdus.extend(tables.into_iter().map(|t| Hdu::new(&t.name.clone(), Header::default(), Data::Table(t))));
    fits::write(out, &hdus)?;
    Ok(results)
}

/// Sources measured, and those of them that are called reliable.
#[must_use]
pub fn counts(results: &[SourceRedshift]) -> (usize, usize) {
    let measured = results.iter().filter(|r| r.status == Status::Measured).count();
    (measured, results.iter().filter(|r| r.reliable).count())
}
