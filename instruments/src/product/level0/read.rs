//! Reading a level-0 file, with every check.

use super::{Level0, Level0Info, Observation, wcs_keys};
use crate::product::error::ProductError;
use crate::product::names::ProductName;
use crate::product::sections;
use crate::product::time::Civil;
use sim_core::detector::DetectorGeometry;
use sim_core::exposure::{ExposureKind, Pointing};
use sim_core::fits::{self, Data, Hdu, Header};
use std::path::Path;

/// Reads and checks the headers alone.
///
/// # Errors
/// As [`read_level0`], but without the pixels' checks.
pub fn read_level0_info(path: &Path) -> Result<Level0Info, ProductError> {
    let mut units = fits::read_headers(path)?.into_iter();
    match (units.next(), units.next()) {
        (Some((_, primary)), Some((_, header))) => info(path, primary, header),
        _ => Err(ProductError::content(path, "a level-0 file has two header-data units")),
    }
}

/// Reads and checks a level-0 file.
///
/// # Errors
/// When the file cannot be read, its name or level is not that of a level-0 file, a keyword is missing, out of range,
/// or in conflict with the name, or the image is not unsigned 16-bit in the layout's shape.
pub fn read_level0(path: &Path) -> Result<Level0, ProductError> {
    checked(path, fits::read(path)?)
}

/// The frame that a file's units hold, with every check.
pub(super) fn checked(path: &Path, units: Vec<Hdu>) -> Result<Level0, ProductError> {
    let mut units = units.into_iter();
    let (Some(first), Some(second)) = (units.next(), units.next()) else {
        return Err(ProductError::content(path, "a level-0 file has two header-data units"));
    };
    if first.data != Data::None {
        return Err(ProductError::content(path, "HDU0 of a level-0 file holds no data"));
    }
    let info = info(path, first.header, second.header)?;
    let Data::U16(pixels) = second.data else {
        return Err(ProductError::content(path, "HDU1 is not an unsigned 16-bit image (BITPIX 16, BZERO 32768)"));
    };
    if pixels.dim() != (info.layout.rows, info.layout.columns) {
        let (rows, columns) = pixels.dim();
        return Err(ProductError::content(
            path,
            format!(
                "NAXIS1 x NAXIS2 = {columns} x {rows} is not the {} x {} of the window and its scans",
                info.layout.columns, info.layout.rows
            ),
        ));
    }
    Ok(Level0 { info, pixels })
}

fn info(path: &Path, primary: Header, header: Header) -> Result<Level0Info, ProductError> {
    let file_name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let name = ProductName::parse(&file_name)?;
    let wrong = |key: &str, value: String, allowed: &str| ProductError::keyword(path, key, value, allowed);
    if name.level != 0 {
        return Err(ProductError::Name { name: file_name, part: "level", value: format!("L{}", name.level), allowed: "L0" });
    }
    let text = |key: &str| primary.text(key).map(str::to_owned).ok_or_else(|| wrong(key, "missing".into(), "a text"));
    let number = |from: &Header, key: &str, low: f64, high: f64| {
        let allowed = format!("a number in {low}..={high}");
        let value = from.f64(key).ok_or_else(|| wrong(key, from.get(key).map_or("missing".into(), |v| format!("{v:?}")), &allowed))?;
        if (low..=high).contains(&value) { Ok(value) } else { Err(wrong(key, value.to_string(), &allowed)) }
    };
    let same = |key: &str, value: &str, expected: &str| {
        if value == expected { Ok(()) } else { Err(wrong(key, value.into(), &format!("{expected}, as the file name says"))) }
    };
    same("FILENAME", text("FILENAME")?.trim_end_matches(".fits"), file_name.trim_end_matches(".fits"))?;
    let instrument = text("INSTRUME")?;
    same("INSTRUME", &instrument.replace('_', "-"), &name.facility)?;
    let detector = text("DETECTOR")?;
    let digits: String = detector.chars().rev().take(2).collect::<Vec<_>>().into_iter().rev().collect();
    same("DETECTOR", &digits, &format!("{:02}", name.detector))?;
    let kind_name = text("OBSTYPE")?;
    same("OBSTYPE", &kind_name, &name.kind)?;
    let id =
        primary.i64("OBSID").filter(|&v| v >= 0).ok_or_else(|| wrong("OBSID", format!("{:?}", primary.get("OBSID")), "an integer >= 0"))?;
    same("OBSID", &id.to_string(), &name.obsid.to_string())?;

    let time_s = number(&primary, "EXPTIME", 0.0, 1e5)?;
    let kind = match kind_name.as_str() {
        "SCI" | "SCIE" | "WIDE" | "DEEP" => ExposureKind::Science,
        "BIAS" => ExposureKind::Bias,
        "DARK" => ExposureKind::Dark,
        "FLAT" => ExposureKind::Flat { rate_electron_s: number(&primary, "LAMPRATE", 0.0, 1e9)? },
        "CINJ" => ExposureKind::ChargeInjection {
            level_electron: number(&primary, "INJLEVEL", 1.0, 1e7)?,
            rows: number(&primary, "INJROWS", 1.0, 1e5)? as u32,
            gap: number(&primary, "INJGAP", 1.0, 1e5)? as u32,
        },
        "PUMP" => ExposureKind::TrapPumping {
            level_electron: number(&primary, "INJLEVEL", 1.0, 1e7)?,
            cycles: number(&primary, "PUMPCYC", 1.0, 1e7)? as u32,
            phase_time_s: number(&primary, "PUMPTIME", 1e-7, 1e3)?,
        },
        other => return Err(wrong("OBSTYPE", other.into(), "SCIE, SCI, WIDE, DEEP, BIAS, DARK, FLAT, CINJ or PUMP")),
    };
    if time_s == 0.0 && !matches!(kind, ExposureKind::Bias | ExposureKind::ChargeInjection { .. }) {
        return Err(wrong("EXPTIME", "0".into(), "above 0 for this OBSTYPE"));
    }
    // 1858 to 2132: anything outside is not a modified Julian date of this mission.
    let start_mjd = number(&primary, "EXPSTART", 0.0, 1e5)?;
    let stop_mjd = number(&primary, "EXPEND", start_mjd, 1e5)?;
    if ((stop_mjd - start_mjd) * 86_400.0 - time_s).abs() > 1.0 {
        return Err(wrong("EXPEND", stop_mjd.to_string(), "EXPSTART + EXPTIME to a second"));
    }
    let date = text("DATE-OBS")?;
    let civil = Civil::parse_iso(&date).ok_or_else(|| wrong("DATE-OBS", date.clone(), "a date YYYY-MM-DDThh:mm:ss"))?;
    if (civil.mjd() - start_mjd).abs() * 86_400.0 > 1.0 {
        return Err(wrong("DATE-OBS", date, "EXPSTART to a second"));
    }
    let pointing = Pointing {
        ra_deg: number(&primary, "RA_OBJ", 0.0, 360.0)?,
        dec_deg: number(&primary, "DEC_OBJ", -90.0, 90.0)?,
        rotation_deg: number(&primary, "ROTANGLE", -360.0, 360.0)?,
    };
    let (amplifiers, (nx, ny), window, layout) = sections::read_layout(path, &header)?;
    let wcs = wcs_keys::read(&header, layout.scans).map_err(|source| ProductError::Wcs { path: path.into(), source })?;
    let geometry = DetectorGeometry {
        number: name.detector,
        filter: text("FILTER")?,
        nx,
        ny,
        crpix1: wcs.crpix[0] + window.x0 as f64,
        crpix2: wcs.crpix[1] + window.y0 as f64,
        pixel_scale_arcsec: number(&header, "PIXSCALE", 1e-4, 1e4)?,
        amplifiers,
    };
    let observation = Observation { id: id as u64, kind, object: text("OBJECT")?, pointing, start_mjd, stop_mjd, time_s };
    Ok(Level0Info {
        path: path.into(),
        name,
        instrument: instrument.to_lowercase(),
        observation,
        geometry,
        window,
        layout,
        wcs,
        primary,
        header,
    })
}
