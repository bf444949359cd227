//! Masters as FITS units.

use super::Master;
use crate::error::ReductionError;
use crate::group::Group;
use crate::keywords::FILL;
use crate::masters::{Made, median_of};
use crate::references::{self, Outcome};
use crate::shutter_fit::ShutterMap;
use instruments::product::level0::Level0Info;
use instruments::product::names::ProductName;
use instruments::product::sections;
use ndarray::Array2;
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::knowledge::{Measured, Reference};
use sim_core::manifest::sha256_file;
use sim_core::table::{Column, ColumnData, Table};
use std::path::Path;

/// One file written.
pub(super) struct Written {
    /// Type.
    pub(super) kind: &'static str,
    /// File name.
    pub(super) file: String,
    /// Hash.
    pub(super) sha256: String,
    /// Figures of quality, `NAME=value`.
    pub(super) quality: String,
}

/// Writing the products of one group.
pub(super) struct Products<'a> {
    pub(super) group: &'a Group,
    /// Start of validity, ISO.
    pub(super) useafter: &'a str,
    /// End of validity.
    pub(super) validto: &'a str,
    pub(super) out: &'a Path,
}

/// Keyword, value, meaning.
type Quality = (&'static str, f64, &'static str);

impl Products<'_> {
    /// Writes masters and references.
    pub(super) fn write(&self, mut made: Made) -> Result<Vec<Written>, ReductionError> {
        let group = self.group;
        let mut written = Vec::new();
        for (kind, frames) in
            [(Master::Bias, &group.bias), (Master::Shutter, &group.flat), (Master::Flat, &group.flat), (Master::Dark, &group.dark)]
        {
            let quality = figures(kind, &made);
            let Some(units) = product(kind, &mut made) else { continue };
            let frames: Vec<&Level0Info> = frames.iter().collect();
            written.extend(self.file(kind.code(), &frames, units, &quality, &made.notes)?);
        }
        for (code, outcome) in &made.outcomes {
            let (Outcome::Measured { quality, note }, Some(kind)) = (outcome, references::by_code(code)) else { continue };
            let Some(units) = (kind.write)(&made.known) else { continue };
            let of_sky = kind.stage == references::Stage::Sky;
            let frames: Vec<&Level0Info> = if of_sky { group.sky.iter().collect() } else { group.all().collect() };
            written.extend(self.file(code, &frames, units, quality, std::slice::from_ref(note))?);
        }
        Ok(written)
    }

    /// Writes one file; none without frames.
    fn file(
        &self,
        kind: &'static str,
        frames: &[&Level0Info],
        units: Vec<Hdu>,
        quality: &[Quality],
        notes: &[String],
    ) -> Result<Option<Written>, ReductionError> {
        let (Some(first), Some(last)) = (frames.first(), frames.last()) else { return Ok(None) };
        let name = ProductName { kind: kind.into(), stop: last.name.stop.max(first.name.stop), level: 1, ..first.name.clone() };
        let mut header = Header::default();
        for key in ["TELESCOP", "INSTRUME", "DETECTOR", "FILTER"] {
            if let Some(value) = first.primary.get(key) {
                header.set(key, value.clone(), "");
            }
        }
        header.set("FILENAME", name.stem(), "name of this file, without .fits");
        header.set("FILETYPE", kind, "type of the file");
        header.set("DATE-OBS", name.start.iso(), "start of the first exposure");
        header.set("DATE-END", name.stop.iso(), "end of the last exposure");
        header.set("USEAFTER", self.useafter, "holds for exposures that start at or after this");
        header.set("VALIDTO", self.validto, "and before this");
        header.set("NCOMBINE", frames.len() as i64, "exposures used");
        for (key, value, what) in quality {
            header.set(key, *value, what);
        }
        header.set("CREATOR", format!("Skyloop {}", env!("CARGO_PKG_VERSION")), "software");
        header.history = notes.to_vec();
        header.history.extend(frames.iter().map(|f| format!("input {}", f.name.stem())));
        let mut hdus = vec![Hdu::primary(header)];
        for mut unit in units {
            sections::write_layout(&mut unit.header, &first.geometry, first.window, &first.layout);
            hdus.push(unit);
        }
        let (file, path) = (name.file_name(), self.out.join(name.file_name()));
        fits::write(&path, &hdus)?;
        let sha256 = sha256_file(&path).map_err(|source| ReductionError::Io { path: path.clone(), source })?;
        let quality: Vec<String> = quality.iter().map(|(key, value, _)| format!("{key}={}", significant(*value))).collect();
        Ok(Some(Written { kind, file, sha256, quality: quality.join(" ") }))
    }
}

/// Five digits that count.
fn significant(value: f64) -> String {
    if value == 0.0 || (1e-3..1e6).contains(&value.abs()) { format!("{value:.5}") } else { format!("{value:.4e}") }
}

/// Figures of quality of a master.
fn figures(kind: Master, made: &Made) -> Vec<Quality> {
    let mean = |values: &[Measured]| {
        let known: Vec<f64> = values.iter().filter(|m| m.error.is_finite()).map(|m| m.value).collect();
        known.iter().sum::<f64>() / known.len().max(1) as f64
    };
    match kind {
        Master::Bias => vec![
            ("GAIN", mean(&made.gain), "[electron/adu] mean gain of the amplifiers"),
            ("RDNOISE", mean(&made.read_noise), "[electron] mean read noise of the amplifiers"),
            ("PTCCHI2", made.transfer_chi2, "worst chi2/dof of the photon transfer"),
        ],
        Master::Dark => made.dark.iter().map(|d| ("DARKRATE", f64::from(median_of(&d.rate)), "[electron/s] median of the dark")).collect(),
        Master::Flat => vec![("LEVEL", made.flat.level_electron, "[electron] of a pixel of response 1 in one frame")],
        Master::Shutter => made.shutter.iter().map(|map| ("CHI2DOF", map.reduced_chi2, "chi2/dof of the blocks")).collect(),
    }
}

fn image(name: &str, unit: &str, data: Array2<f32>) -> Hdu {
    let mut header = Header::default();
    if !unit.is_empty() {
        header.set("BUNIT", unit, "unit of the pixels");
    }
    Hdu::new(name, header, Data::F32(data))
}

/// The extensions of a master; `None` when it was not made. Bias and dark hand their images over, so that the masters of a
/// whole chip are not in memory twice: the dark is asked for last, the flat's variance needs it.
fn product(kind: Master, made: &mut Made) -> Option<Vec<Hdu>> {
    Some(match kind {
        Master::Bias => {
            let mut table = Hdu::new("AMPLIFIERS", Header::default(), Data::Table(amplifier_table(made)));
            table.header.set("PTCCHI2", made.transfer_chi2, "worst chi2/dof of the photon transfer");
            let variance = made.bias_variance_image();
            vec![image("IMAGE", "adu", std::mem::take(&mut made.bias)), image("VARIANCE", "adu2", variance), table]
        }
        Master::Dark => {
            let reference_s = 1.0 / made.dark.as_ref()?.inverse_time_s;
            let bits = made.defects(reference_s).mapv(sim_core::flags::official);
            let mut dark = made.dark.take()?;
            let variance = image("VARIANCE", "electron2/s2", made.dark_variance(&dark));
            let mut rate = image("IMAGE", "electron/s", std::mem::take(&mut dark.rate));
            rate.header.set("BIASCOEF", dark.inverse_time_s, "[1/s] the master bias's error enters times -gain*this");
            let mut header = Header::default();
            header.set("DQTIME", reference_s, "[s] exposure time the hot and warm flags hold for");
            header.set("DQTYPE", "1 bad, 2 hot, 4 warm", "official bits");
            vec![rate, variance, Hdu::new("DEFECTS", header, Data::U16(bits))]
        }
        Master::Flat => vec![image("IMAGE", "", made.flat.response.clone()), image("VARIANCE", "", made.flat_variance())],
        Master::Shutter => {
            let map = made.shutter.as_ref()?;
            let (rows, columns) = made.flat.response.dim();
            let Reference { image: excess, variance } = map.over(rows, columns);
            let mut table = Hdu::new("POLYNOMIAL", Header::default(), Data::Table(polynomial_table(map)));
            table.header.set("CHI2DOF", map.reduced_chi2, "chi2/dof of the blocks");
            vec![image("IMAGE", "s", excess), image("VARIANCE", "s2", variance), table]
        }
    })
}

fn amplifier_table(masters: &Made) -> Table {
    let f64s = |f: &dyn Fn(usize) -> f64| ColumnData::F64((0..masters.gain.len()).map(f).collect());
    Table {
        name: "AMPLIFIERS".into(),
        columns: vec![
            Column::new("AMPLIFIER", "", "amplifier, from 1", ColumnData::I32((1..=masters.gain.len() as i32).collect())),
            Column::new("GAIN", "electron/adu", "gain from photon transfer", f64s(&|i| masters.gain[i].value)),
            Column::new("GAIN_ERR", "electron/adu", "standard error; -9999: not measured", f64s(&|i| finite(masters.gain[i].error))),
            Column::new("RDNOISE", "electron", "read noise from bias pairs", f64s(&|i| masters.read_noise[i].value)),
            Column::new("RDNOISE_ERR", "electron", "standard error; -9999: not measured", f64s(&|i| finite(masters.read_noise[i].error))),
            Column::new("BIAS_VAR", "adu2", "variance of the master bias", f64s(&|i| masters.bias_variance[i])),
        ],
    }
}

/// A standard error as a table holds it; [`known_error`] reads it back.
pub(crate) fn finite(error: f64) -> f64 {
    if error.is_finite() { error } else { FILL }
}

/// A standard error from a table: infinite where it holds the fill value.
pub(crate) fn known_error(error: f64) -> f64 {
    if error < 0.0 { f64::INFINITY } else { error }
}

fn polynomial_table(map: &ShutterMap) -> Table {
    let int = |f: &dyn Fn(&(usize, usize)) -> usize| ColumnData::I32(map.terms.iter().map(|t| f(t) as i32).collect());
    let mut columns = vec![
        Column::new("I", "", "order of the Legendre polynomial along x", int(&|t| t.0)),
        Column::new("J", "", "order along y", int(&|t| t.1)),
        Column::new("COEFFICIENT", "s", "coefficient", ColumnData::F64(map.coefficients.clone())),
    ];
    for (k, column) in map.covariance.column_iter().enumerate() {
        columns.push(Column::new(
            &format!("COV_{}", k + 1),
            "s2",
            "covariance with coefficient of this row",
            ColumnData::F64(column.iter().copied().collect()),
        ));
    }
    Table { name: "POLYNOMIAL".into(), columns }
}
