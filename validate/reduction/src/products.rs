//! The files of a level-1 frame.
//!
//! Of a detector behind gratings: one file (SCI, ERR, DQ). Of one behind a filter: three. `_img`: rate, float32. `_wht`: inverse variance of the rate, float32, 0 where any official flag is set. `_flg`: flags,
//! uint16, and a table of the bits. Pixels of cosmic rays that were filled on request (`Options::fill_cosmic_rays`) keep their flag and have the
//! weight of the filled value.
//!
//! The official weight (csster/csst as coded) is `t^2 / (1/w0 + 1/std(bias))` with `w0 = 1 / (gain max(img, 0) + RN^2)`: the same
//! inverse variance with a term of the bias that has the wrong dimension. Here every variance is propagated.

mod slitless;

use crate::error::ReductionError;
use crate::explain::{self, ExplainedStep};
use crate::keywords;
use crate::level1::{FILL, Level1, is_filled, reduce_frame_after};
use crate::options::Options;
use crate::set::{CalibrationSet, DetectorCalibration};
use instruments::product::level0::{Level0, Level0Info, read_level0};
use instruments::product::names::{GRATING_FILTERS, Level1Part, ProductName};
use ndarray::{Array2, Zip};
use sim_core::fits::{self, Data, Hdu, Header, Packing};
use sim_core::flags;
use sim_core::level1::Level1Files;
use sim_core::table::{Column, ColumnData, Table};
use std::path::{Path, PathBuf};

/// Where the products of a level-0 file go.
#[must_use]
pub fn level1_files(info: &Level0Info, out: &Path) -> Level1Files {
    level1_files_of(&info.name, &info.geometry.filter, out)
}

/// As [`level1_files`], for a level-0 name and the filter or grating in front of its detector.
#[must_use]
pub fn level1_files_of(name: &ProductName, filter: &str, out: &Path) -> Level1Files {
    let path = |part| out.join(name.level1(part).file_name());
    if GRATING_FILTERS.contains(&filter) {
        return Level1Files::Slitless(path(None));
    }
    let [image, weight, flags] = [Level1Part::Image, Level1Part::Weight, Level1Part::Flags].map(|part| path(Some(part)));
    Level1Files::Imaging { image, weight, flags }
}

/// Reduces a level-0 file into `out`, and says what was done.
///
/// # Errors
/// When the file is not a valid level-0 file, the set has no calibration for it, QC0 refuses it, or a product cannot be written.
pub fn reduce(
    level0: &Path,
    set: &CalibrationSet,
    options: &Options,
    out: &Path,
) -> Result<(Level1Files, Vec<ExplainedStep>), ReductionError> {
    let Reduced { files, steps, .. } = reduce_after(level0, &[], set, options, out)?;
    Ok((files, steps))
}

/// What a reduction made, how, and from what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reduced {
    /// The files written.
    pub files: Level1Files,
    /// What was done.
    pub steps: Vec<ExplainedStep>,
    /// Raw frames before this one that were looked at.
    pub earlier: Vec<PathBuf>,
}

/// As [`reduce`], knowing raw frames that may have been taken before; those that matter are found among them.
///
/// # Errors
/// As [`reduce`], or when an earlier frame that matters cannot be read.
pub fn reduce_after(
    level0: &Path,
    earlier: &[PathBuf],
    set: &CalibrationSet,
    options: &Options,
    out: &Path,
) -> Result<Reduced, ReductionError> {
    reduce_level0(read_level0(level0)?, earlier, set, options, out)
}

/// As [`reduce_after`], of a raw frame that is in memory; its counts are given up on the way.
///
/// # Errors
/// As [`reduce_after`], but for the reading of the frame.
pub fn reduce_level0(
    level0: Level0,
    earlier: &[PathBuf],
    set: &CalibrationSet,
    options: &Options,
    out: &Path,
) -> Result<Reduced, ReductionError> {
    std::fs::create_dir_all(out).map_err(|source| ReductionError::Io { path: out.into(), source })?;
    let calibration = set.of(&level0.info)?;
    let info = level0.info.clone();
    let level1 = reduce_frame_after(level0, earlier, &calibration, options)?;
    let files = write_level1(&level1, &info, &calibration, options.packing, out)?;
    Ok(Reduced { files, steps: explain::steps(&level1, &calibration), earlier: level1.earlier })
}

/// Inverse variance of the rate, 0 where an official flag is set or the variance is no positive number. With `filled`, pixels whose one flag
/// is that of a cosmic ray have the weight of their filled value.
#[must_use]
pub fn weight(variance: &Array2<f32>, bits: &Array2<u32>, filled: bool) -> Array2<f32> {
    let mut out = Array2::zeros(variance.dim());
    Zip::from(&mut out).and(variance).and(bits).par_for_each(|w, &v, &b| {
        if (flags::official(b) == 0 || filled && is_filled(b)) && v > 0.0 && v.is_finite() {
            *w = 1.0 / v;
        }
    });
    out
}

/// Writes the files of a frame, each whole or not at all, flags laid out as `packing` says; the image comes last, so that an image has its companions.
///
/// # Errors
/// When a file cannot be written, or a reference that the header names not be read.
pub fn write_level1(
    level1: &Level1,
    info: &Level0Info,
    calibration: &DetectorCalibration,
    packing: Packing,
    out: &Path,
) -> Result<Level1Files, ReductionError> {
    let files = level1_files(info, out);
    let shape = level1.rate.pixels.dim();
    let none = Array2::zeros(if level1.rate.flags.is_some() { (0, 0) } else { shape });
    let bits = level1.rate.flags.as_ref().unwrap_or(&none);
    let filled = level1.is_done(FILL);
    let inverse = level1.rate.variance.as_ref().map_or_else(|| Array2::zeros(shape), |variance| weight(variance, bits, filled));
    let folded = bits.mapv(flags::official);
    match &files {
        Level1Files::Imaging { image, weight, flags } => {
            let primary = |part| Hdu::primary(keywords::primary(info, &info.name.level1(Some(part))));
            let what = if filled { "inverse variance, 0 where flagged and not filled" } else { "inverse variance, 0 where flagged" };
            let unit = if level1.unit == "electron" { "electron**(-2)" } else { "s2/electron**2" };
            fits::write(weight, &[primary(Level1Part::Weight), Hdu::new("WHT", companion(info, unit, what), Data::F32(inverse))])?;
            let units = [
                primary(Level1Part::Flags),
                Hdu::new("FLG", companion(info, "", "quality flags, see the DQ table"), Data::U16(folded)),
                Hdu::new("DQ", Header::default(), Data::Table(bit_table())),
            ];
            fits::write_as(flags, &units, packing)?;
            let header = keywords::image(level1, info, calibration);
            fits::write(image, &[primary(Level1Part::Image), Hdu::new("IMG", header, Data::F32(level1.rate.pixels.clone()))])?;
        }
        Level1Files::Slitless(path) => slitless::write(path, packing, (level1, info, calibration), inverse, folded)?,
    }
    Ok(files)
}

/// Header of a plane that goes with the image.
fn companion(info: &Level0Info, unit: &str, what: &str) -> Header {
    let mut header = Header::default();
    if !unit.is_empty() {
        header.set("BUNIT", unit, "unit of the pixels");
    }
    header.set("CONTENT", what, "");
    info.wcs.write(&mut header);
    header
}

/// BIT, VALUE, NAME, DESCRIPTION of the 16 bits that the product holds.
fn bit_table() -> Table {
    let rows: Vec<_> = flags::TABLE.iter().filter(|(value, _, _)| *value <= 0x8000).collect();
    let text =
        |f: &dyn Fn(&&(u32, &'static str, &'static str)) -> &'static str| ColumnData::Text(rows.iter().map(|r| f(r).to_string()).collect());
    Table {
        name: "DQ".into(),
        columns: vec![
            Column::new("BIT", "", "bit number, from 0", ColumnData::I32(rows.iter().map(|r| r.0.trailing_zeros() as i32).collect())),
            Column::new("VALUE", "", "value of the bit", ColumnData::I32(rows.iter().map(|r| r.0 as i32).collect())),
            Column::new("NAME", "", "name", text(&|r| r.1)),
            Column::new("DESCRIPTION", "", "meaning", text(&|r| r.2)),
        ],
    }
}
