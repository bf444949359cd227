//! The one file of a detector behind gratings: SCI, ERR, DQ (csst-doc-msc, level 1 of SLS).
//!
//! SCI: rate \[e-/s\], float32. ERR: its standard deviation, float32: 1 / root of the weight that an image would have, so not a number where there is no
//! weight. DQ: int16, the bits of the flags as they are; NO_FLAT is the sign. What the bits mean stands in the header of DQ: the product has no fourth unit.

use super::companion;
use crate::error::ReductionError;
use crate::keywords;
use crate::level1::Level1;
use crate::set::DetectorCalibration;
use instruments::product::level0::Level0Info;
use ndarray::Array2;
use sim_core::fits::{self, Data, Hdu, Packing};
use sim_core::flags;
use sim_core::level1::error_of_weight;
use std::path::Path;

/// Unit of the pixels as the data model writes it.
fn unit(level1: &Level1) -> &'static str {
    if level1.unit == "electron" { "e-" } else { "e-/s" }
}

/// Writes the file whole or not at all, from the weight and the 16-bit flags of the pixels.
pub(super) fn write(
    path: &Path,
    packing: Packing,
    (level1, info, calibration): (&Level1, &Level0Info, &DetectorCalibration),
    weight: Array2<f32>,
    bits: Array2<u16>,
) -> Result<(), ReductionError> {
    let mut error = weight;
    error.par_mapv_inplace(error_of_weight);
    let science = keywords::slitless::science(level1, info, calibration, &error, &bits, unit(level1))?;
    let of_error = companion(info, unit(level1), "standard deviation, not a number where flagged");
    let mut of_flags = companion(info, "UNITLESS", "quality flags, bits as in FLAG0 to FLAG15");
    for (value, name, meaning) in flags::TABLE.iter().filter(|(value, _, _)| *value <= 0x8000) {
        of_flags.set(&format!("FLAG{}", value.trailing_zeros()), *name, meaning);
    }
    let mut units = vec![
        Hdu::primary(keywords::primary(info, &info.name.level1(None))),
        Hdu::new("SCI", science, Data::F32(level1.rate.pixels.clone())),
        Hdu::new("ERR", of_error, Data::F32(error)),
        Hdu::new("DQ", of_flags, Data::I16(bits.mapv(u16::cast_signed))),
    ];
    for unit in &mut units[1..] {
        unit.header.cards.insert(0, ("EXTVER".into(), 1.into(), "version of this unit".into()));
    }
    Ok(fits::write_as(path, &units, packing)?)
}
