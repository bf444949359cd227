//! Several exposures of a source brought together: one spectrum for each band.
//!
//! The mean itself is the library's ([`spectroscopy::extraction::stack`]). Here is what belongs together, the grid of a band, and the product: `STACKS` (one row a bin),
//! `SOURCES` (one row a stack) and `INPUTS` (every file with its SHA-256).

use super::redshifts::spectrum_files;
use anyhow::{Context as _, bail};
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::manifest::sha256_file;
use sim_core::median::median;
use sim_core::table::{Column, ColumnData, Table};
use spectroscopy::extraction::stack::{Stacked, stack};
use spectroscopy::extraction::{frame, stack_table, table};
use spectroscopy::spectrum::Extracted;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What is to be stacked.
pub struct Plan {
    /// Folders with extracted spectra.
    pub folders: Vec<PathBuf>,
    /// FITS file to write.
    pub out: PathBuf,
    /// Values beyond this many sigma of the median of three or more are left out.
    pub clip: f64,
}

/// A file that went into a stack.
struct Input {
    path: PathBuf,
    level1: String,
    band: String,
    time_s: f64,
}

/// What was stacked in a band.
#[derive(Debug, Clone, PartialEq)]
pub struct BandStack {
    /// Band.
    pub band: String,
    /// Files of spectra.
    pub files: usize,
    /// Sources.
    pub sources: usize,
    /// Median number of spectra of a source.
    pub spectra: f64,
    /// Median chi squared per degree of freedom of the members about their mean; not a number where no source has two.
    pub chi2: f64,
    /// Step of the grid \[nm\].
    pub step_nm: f64,
}

/// Stacks the first orders of every source, band by band, and writes the product.
///
/// # Errors
/// When there are no spectra, an exposure is given twice, a file has no header of an extraction, or the file cannot be written.
pub fn run(plan: &Plan) -> anyhow::Result<Vec<BandStack>> {
    let mut inputs: Vec<Input> = Vec::new();
    let mut groups: BTreeMap<(String, u64), Vec<Extracted>> = BTreeMap::new();
    for path in spectrum_files(&plan.folders)? {
        let input = described(&path)?;
        if let Some(twin) = inputs.iter().find(|i| i.level1 == input.level1) {
            bail!(
                "{} and {} are spectra of the same exposure, {}: it would count twice",
                twin.path.display(),
                path.display(),
                input.level1
            );
        }
        inputs.push(input);
        for spectrum in table::load(&path).with_context(|| path.display().to_string())?.into_iter().filter(|s| s.order == 1) {
            groups.entry((spectrum.band.clone(), spectrum.id)).or_default().push(spectrum);
        }
    }
    let bands: BTreeSet<String> = groups.keys().map(|(band, _)| band.clone()).collect();
    let (mut stacks, mut out) = (Vec::new(), Vec::new());
    for band in bands {
        let members: Vec<&Vec<Extracted>> = groups.iter().filter(|((b, _), _)| *b == band).map(|(_, list)| list).collect();
        let Some(grid) = grid(members.iter().flat_map(|list| list.iter())) else {
            bail!("{band}: no spectrum with two elements in a row; nothing to stack")
        };
        let of_band: Vec<Stacked> =
            members.iter().map(|list| stack(list, &grid, plan.clip, frame::BAD)).collect::<Result<_, _>>().with_context(|| band.clone())?;
        let middle = |values: &mut dyn Iterator<Item = f64>| median(&mut values.collect::<Vec<f64>>()).unwrap_or(f64::NAN);
        out.push(BandStack {
            files: inputs.iter().filter(|i| i.band == band).count(),
            sources: of_band.len(),
            spectra: middle(&mut members.iter().map(|list| list.len() as f64)),
            chi2: middle(&mut of_band.iter().map(Stacked::reduced_chi2).filter(|c| c.is_finite())),
            step_nm: grid[1] - grid[0],
            band,
        });
        stacks.extend(of_band);
    }
    save(&plan.out, plan.clip, &stacks, &inputs)?;
    Ok(out)
}

/// What the header of a file of spectra says.
fn described(path: &Path) -> anyhow::Result<Input> {
    let headers = fits::read_headers(path)?;
    let header = headers.first().map(|(_, header)| header).with_context(|| format!("{}: no header", path.display()))?;
    let missing = |key: &str| format!("{}: the header has no {key}; extract the spectra anew", path.display());
    Ok(Input {
        path: path.into(),
        level1: header.text("L1FILE").with_context(|| missing("L1FILE"))?.to_string(),
        band: header.text("FILTER").with_context(|| missing("FILTER"))?.trim().to_string(),
        time_s: header.f64("EXPTIME").with_context(|| missing("EXPTIME"))?,
    })
}

/// Even bins over all spectra of a band, of the median step of their elements.
fn grid<'a>(spectra: impl Iterator<Item = &'a Extracted>) -> Option<Vec<f64>> {
    let (mut low, mut high, mut steps) = (f64::INFINITY, f64::NEG_INFINITY, Vec::new());
    for spectrum in spectra.filter(|s| s.wavelength_nm.len() > 1) {
        let nm = &spectrum.wavelength_nm;
        low = low.min(nm[0]);
        high = high.max(nm[nm.len() - 1]);
        steps.push((nm[nm.len() - 1] - nm[0]) / (nm.len() - 1) as f64);
    }
    let step = median(&mut steps)?;
    (step > 0.0).then(|| (0..=((high - low) / step) as usize).map(|k| low + step * k as f64).collect())
}

/// One row for each stack.
fn summary(stacks: &[Stacked]) -> Table {
    let f64s = |name: &str, unit: &str, text: &str, f: &dyn Fn(&Stacked) -> f64| {
        Column::new(name, unit, text, ColumnData::F64(stacks.iter().map(f).collect()))
    };
    let middle =
        |values: &mut dyn Iterator<Item = f64>| median(&mut values.filter(|v| v.is_finite()).collect::<Vec<f64>>()).unwrap_or(f64::NAN);
    let columns = vec![
        Column::new("ID", "", "number of the source in the catalogue", ColumnData::I64(stacks.iter().map(|s| s.id as i64).collect())),
        Column::new(
            "BAND",
            "",
            "band of the gratings",
            ColumnData::Text(stacks.iter().map(|s| s.band.first().cloned().unwrap_or_default()).collect()),
        ),
        f64s("SNR", "", "median signal to noise of a bin", &|s| middle(&mut s.flux.iter().zip(&s.flux_error).map(|(f, e)| f / e))),
        f64s("NUSED", "", "most spectra used in a bin", &|s| s.used.iter().copied().max().map_or(0.0, f64::from)),
        f64s("CHI2_DOF", "", "chi squared of the spectra about their mean per degree of freedom", &Stacked::reduced_chi2),
        f64s("CONTAM", "", "median share of contamination in the light of a bin", &|s| {
            middle(&mut s.flux.iter().zip(&s.contamination).map(|(f, c)| c / (f.abs() + c)))
        }),
    ];
    Table { name: "SOURCES".into(), columns }
}

fn save(path: &Path, clip: f64, stacks: &[Stacked], inputs: &[Input]) -> anyhow::Result<()> {
    let texts = |f: &dyn Fn(&Input) -> String| ColumnData::Text(inputs.iter().map(f).collect());
    let hashes: Vec<String> =
        inputs.iter().map(|i| sha256_file(&i.path).with_context(|| i.path.display().to_string())).collect::<anyhow::Result<_>>()?;
    let columns = vec![
        Column::new(
            "FILE",
            "",
            "file of spectra",
            texts(&|i| i.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()),
        ),
        Column::new("L1FILE", "", "level-1 frame they were taken from", texts(&|i| i.level1.clone())),
        Column::new("BAND", "", "band", texts(&|i| i.band.clone())),
        Column::new("EXPTIME", "s", "exposure time", ColumnData::F64(inputs.iter().map(|i| i.time_s).collect())),
        Column::new("SHA256", "", "SHA-256 of the file", ColumnData::Text(hashes)),
    ];
    let inputs = Table { name: "INPUTS".into(), columns };
    let mut header = Header::default();
    header.set("CREATOR", concat!("skyloop ", env!("CARGO_PKG_VERSION")), "program");
    header.set("NCOMBINE", inputs.rows() as i64, "files of spectra; see INPUTS");
    header.set("CLIP", clip, "[sigma] values beyond it were left out");
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let table = |table: Table| Hdu::new(&table.name.clone(), Header::default(), Data::Table(table));
    fits::write(path, &[Hdu::primary(header), table(stack_table::table(stacks)), table(summary(stacks)), table(inputs)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, exposure: &str, level1: &str, from_nm: f64) -> PathBuf {
        let n = 40;
        let spectrum = Extracted {
            id: 9,
            band: "GI".into(),
            order: 1,
            wavelength_nm: (0..n).map(|k| from_nm + 0.8 * k as f64).collect(),
            rate: vec![2.0; n],
            rate_error: vec![0.5; n],
            contamination: vec![1.0; n],
            background: vec![0.1; n],
            flux: vec![4e-18; n],
            flux_error: vec![1e-18; n],
            flags: vec![0; n],
            line_fwhm_nm: 2.0,
            ..Extracted::default()
        };
        let spectra = folder.join(exposure).join("spectra");
        std::fs::create_dir_all(&spectra).unwrap();
        let mut header = Header::default();
        header.set("L1FILE", level1, "");
        header.set("EXPTIME", 150.0, "");
        header.set("FILTER", "GI", "");
        table::save(&spectra.join(format!("{level1}_spec.fits")), header, &[spectrum]).unwrap();
        folder.join(exposure)
    }

    #[test]
    fn exposures_are_stacked_and_the_product_says_of_what() {
        let folder = tempfile::tempdir().unwrap();
        let folders = vec![file(folder.path(), "a", "first", 620.0), file(folder.path(), "b", "second", 620.3)];
        let out = folder.path().join("new/stack.fits");
        let made = run(&Plan { folders: folders.clone(), out: out.clone(), clip: 5.0 }).unwrap();
        assert_eq!((made.len(), made[0].files, made[0].sources), (1, 2, 1));
        let stacks = stack_table::load(&out).unwrap();
        let k = 20;
        assert_eq!(stacks[0].used[k], 2);
        // Contamination as a flux: 1 electron / s where the source has 2 and 4e-18.
        assert!((stacks[0].flux[k] / 4e-18 - 1.0).abs() < 1e-9 && (stacks[0].contamination[k] / 2e-18 - 1.0).abs() < 1e-9);
        let names: Vec<String> = fits::read_headers(&out).unwrap().into_iter().map(|(name, _)| name).collect();
        assert!(names.iter().any(|n| n == "INPUTS") && names.iter().any(|n| n == "SOURCES"), "{names:?}");
        let twice = run(&Plan { folders: [folders.clone(), folders].concat(), out: out.clone(), clip: 5.0 }).unwrap_err().to_string();
        assert!(twice.contains("would count twice") && twice.contains("first"), "{twice}");
        let none = run(&Plan { folders: vec![folder.path().join("c")], out, clip: 5.0 }).unwrap_err().to_string();
        assert!(none.contains("no spectra"), "{none}");
    }
}
