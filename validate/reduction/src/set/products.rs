//! Masters as FITS units.

use super::Master;
use crate::masters::Made;
use crate::shutter_fit::ShutterMap;
use instruments::product::level0::Level0Info;
use instruments::product::names::ProductName;
use ndarray::Array2;
use sim_core::fits::{Data, Hdu, Header};
use sim_core::knowledge::Reference;
use sim_core::table::{Column, ColumnData, Table};

/// Header of HDU0.
pub(super) fn primary(name: &ProductName, first: &Level0Info, frames: &[Level0Info], masters: &Made) -> Header {
    let mut header = Header::default();
    for key in ["TELESCOP", "INSTRUME", "DETECTOR", "FILTER"] {
        if let Some(value) = first.primary.get(key) {
            header.set(key, value.clone(), "");
        }
    }
    header.set("FILENAME", name.stem(), "name of this file, without .fits");
    header.set("FILETYPE", name.kind.as_str(), "type of the file");
    header.set("DATE-OBS", name.start.iso(), "start of the first exposure");
    header.set("DATE-END", name.stop.iso(), "end of the last exposure");
    header.set("NCOMBINE", frames.len() as i64, "exposures used");
    header.set("CREATOR", format!("Skyloop {}", env!("CARGO_PKG_VERSION")), "software");
    header.history = masters.notes.clone();
    header.history.extend(frames.iter().map(|f| format!("input {}", f.name.stem())));
    header
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
pub(super) fn product(kind: Master, made: &mut Made) -> Option<Vec<Hdu>> {
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

fn finite(error: f64) -> f64 {
    if error.is_finite() { error } else { -9999.0 }
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
