//! The level-0 file: one exposure of one detector, raw counts.
//!
//! HDU0 is a header, HDU1 the image as unsigned 16-bit integers (BZERO 32768). Keys read by the official code
//! (csst-dfs-commons, csster/csst) keep their names; those of the project are listed in [`write_level0`].
//!
//! Gain and read noise are in the header as **nominal** values of the instrument file, for a reader's convenience:
//! the reduction measures its own (photon transfer and bias pairs) and never uses these.

use super::error::ProductError;
use super::names::{NameStyle, ProductName};
use super::sections;
use super::time::Civil;
use ndarray::{Array2, Zip};
use sim_core::detector::{DetectorGeometry, ReadoutLayout, Scans};
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::frame::{Frame, Window};
use sim_core::plane::Counts;
use sim_core::wcs::Wcs;
use std::path::{Path, PathBuf};

/// EXTNAME of the image.
const IMAGE: &str = "IMAGE";
/// Letter of the alternate WCS that holds the trimmed window's system in a raw frame with scans.
const TRIMMED_WCS: &str = "T";
/// WCS keywords that may carry the letter.
const WCS_STEMS: [&str; 12] =
    ["WCSAXES", "WCSNAME", "CTYPE", "CUNIT", "CRPIX", "CRVAL", "CD", "PV", "LONPOLE", "LATPOLE", "RADESYS", "EQUINOX"];

/// What the header says besides the pixels.
#[derive(Debug, Clone, Copy)]
pub struct Level0Meta<'a> {
    /// Instrument name, `msc`.
    pub instrument: &'a str,
    /// Detector.
    pub geometry: &'a DetectorGeometry,
    /// Exposure. Its sky background is truth and is not written.
    pub exposure: &'a Exposure,
    /// Raw layout of the window.
    pub layout: &'a ReadoutLayout,
    /// World coordinates of the whole detector; the file carries them shifted to the window.
    pub wcs: &'a Wcs,
    /// Name of the target or field.
    pub object: &'a str,
    /// Nominal gain per amplifier \[electron / ADU\]: documentation.
    pub nominal_gain: &'a [f64],
    /// Nominal read noise per amplifier \[electron\]: documentation.
    pub nominal_read_noise_electron: &'a [f64],
    /// Nominal full well \[electron\], if specified: documentation, and the upper bound of SATURATE.
    pub nominal_full_well_electron: Option<f64>,
    /// Name and version of the software that made the file.
    pub software: &'a str,
    /// How the name is written.
    pub style: &'a NameStyle,
}

impl Level0Meta<'_> {
    /// The product's name.
    #[must_use]
    pub fn name(&self) -> ProductName {
        ProductName::level0(self.instrument, self.exposure, self.geometry.number, self.style)
    }
}

/// An exposure as its header tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Observation number.
    pub id: u64,
    /// What it looks at.
    pub kind: ExposureKind,
    /// Name of the target or field.
    pub object: String,
    /// Where the telescope points.
    pub pointing: Pointing,
    /// Start, modified Julian date, UTC \[d\].
    pub start_mjd: f64,
    /// End \[d\].
    pub stop_mjd: f64,
    /// Exposure time \[s\].
    pub time_s: f64,
}

/// All of a level-0 file but the pixels.
#[derive(Debug, Clone)]
pub struct Level0Info {
    /// File read.
    pub path: PathBuf,
    /// Its name.
    pub name: ProductName,
    /// Instrument, in lower case.
    pub instrument: String,
    /// Exposure.
    pub observation: Observation,
    /// Detector.
    pub geometry: DetectorGeometry,
    /// Window of the science array.
    pub window: Window,
    /// Raw layout.
    pub layout: ReadoutLayout,
    /// World coordinates of the trimmed window.
    pub wcs: Wcs,
    /// Header of HDU0.
    pub primary: Header,
    /// Header of HDU1.
    pub header: Header,
}

/// A level-0 file.
#[derive(Debug, Clone)]
pub struct Level0 {
    /// What the header says.
    pub info: Level0Info,
    /// Raw counts \[ADU\], `[y, x]`.
    pub pixels: Array2<u16>,
}

impl Level0 {
    /// The raw counts as a frame.
    #[must_use]
    pub fn frame(&self) -> Frame<Counts> {
        let mut pixels = Array2::zeros(self.pixels.dim());
        Zip::from(&mut pixels).and(&self.pixels).par_for_each(|out, &raw| *out = f32::from(raw));
        Frame::from_pixels(pixels, self.info.window)
    }
}

/// Writes a raw frame; the file's name must be that of [`Level0Meta::name`].
///
/// Besides the official keys, HDU0 has ROTANGLE (official parameter `image_rot`), LAMPRATE (flats: the lamp's setting)
/// and FILTER; HDU1 has DETNX/DETNY, WINX0/WINY0/WINNX/WINNY, AMPNX/AMPNY, PRESCANX, OVSCANX, OVSCANY, SCANS and per
/// amplifier n: GAINn, RDNOISEn, CSECn (science pixels in the window), DSECn (in the array), PSECn, BSECn, YSECn
/// (prescan, serial and parallel overscan). The WCS belongs to the trimmed window. A trimmed frame carries it as its
/// primary WCS; in a frame with scans it would not hold across amplifiers, so it is the alternate system `T` there.
///
/// # Errors
/// When the path has another name, the frame does not have the layout's shape, a pixel is not an integer in 0..=65535, a number of amplifiers
/// differs, or the file cannot be written.
pub fn write_level0(path: &Path, frame: &Frame<Counts>, meta: &Level0Meta<'_>) -> Result<(), ProductError> {
    let name = meta.name();
    let layout = meta.layout;
    if path.file_name().is_none_or(|n| n.to_string_lossy() != name.file_name()) {
        return Err(ProductError::keyword(path, "FILENAME", name.file_name(), "the name of the file to be written"));
    }
    if frame.pixels.dim() != (layout.rows, layout.columns) {
        let (rows, columns) = frame.pixels.dim();
        let reason = format!("a frame of {columns} x {rows} pixels does not have the layout's {} x {}", layout.columns, layout.rows);
        return Err(ProductError::content(path, reason));
    }
    for (key, values) in [("GAIN", meta.nominal_gain), ("RDNOISE", meta.nominal_read_noise_electron)] {
        if values.len() != layout.amplifier_count {
            return Err(ProductError::keyword(
                path,
                key,
                format!("{} values", values.len()),
                format!("{} values, one per amplifier", layout.amplifier_count),
            ));
        }
    }
    let pixels =
        integers(&frame.pixels).ok_or_else(|| ProductError::content(path, "a pixel is not an integer in 0..=65535 (digitise first)"))?;
    let hdus = [Hdu::primary(primary_header(meta, &name)), Hdu::new(IMAGE, image_header(meta, frame.window), Data::U16(pixels))];
    Ok(fits::write(path, &hdus)?)
}

/// The counts as unsigned integers; `None` when one is not such an integer.
fn integers(pixels: &Array2<f32>) -> Option<Array2<u16>> {
    use std::sync::atomic::{AtomicBool, Ordering};
    let broken = AtomicBool::new(false);
    let mut out = Array2::zeros(pixels.dim());
    Zip::from(out.rows_mut()).and(pixels.rows()).par_for_each(|mut out, row| {
        let mut good = true;
        for (out, &value) in out.iter_mut().zip(row) {
            *out = value as u16;
            good &= f32::from(*out) == value;
        }
        if !good {
            broken.store(true, Ordering::Relaxed);
        }
    });
    (!broken.load(Ordering::Relaxed)).then_some(out)
}

fn primary_header(meta: &Level0Meta<'_>, name: &ProductName) -> Header {
    let exposure = meta.exposure;
    let stop = exposure.start_mjd + exposure.time_s / 86_400.0;
    let mut header = Header::default();
    header.set("TELESCOP", "CSST", "telescope");
    header.set("INSTRUME", meta.instrument.to_uppercase(), "instrument");
    header.set(
        "DETECTOR",
        format!("{}_{:02}", meta.instrument.to_uppercase(), meta.geometry.number),
        "detector; last two characters = number",
    );
    header.set("FILTER", meta.geometry.filter.as_str(), "band or grating in front of the detector");
    header.set("OBJECT", meta.object, "target or field");
    header.set("FILENAME", name.stem(), "name of this file, without .fits");
    header.set("FILETYPE", exposure.kind.code(), "type of the file");
    header.set("OBSTYPE", exposure.kind.code(), "type of the observation");
    header.set("OBSID", exposure.id as i64, "observation number");
    header.set("TIMESYS", "UTC", "time scale");
    header.set("DATE-OBS", Civil::from_mjd(exposure.start_mjd).iso(), "start of the exposure");
    header.set("EXPSTART", exposure.start_mjd, "[d] start, modified Julian date");
    header.set("EXPEND", stop, "[d] end, modified Julian date");
    header.set("EXPTIME", exposure.time_s, "[s] exposure time");
    if let ExposureKind::Flat { rate_electron_s } = exposure.kind {
        header.set("LAMPRATE", rate_electron_s, "[electron/s/pixel] setting of the lamp");
    }
    header.set("RA_OBJ", exposure.pointing.ra_deg, "[deg] right ascension of the boresight");
    header.set("DEC_OBJ", exposure.pointing.dec_deg, "[deg] declination of the boresight");
    header.set("ROTANGLE", exposure.pointing.rotation_deg, "[deg] image rotation (image_rot)");
    header.set("CREATOR", meta.software, "software");
    header
}

fn image_header(meta: &Level0Meta<'_>, window: Window) -> Header {
    let mut header = Header::default();
    header.set("BUNIT", "adu", "unit of the pixels");
    header.set("PIXSCALE", meta.geometry.pixel_scale_arcsec, "[arcsec] pixel scale");
    sections::write_layout(&mut header, meta.geometry, window, meta.layout);
    for (amplifier, gain) in meta.nominal_gain.iter().enumerate() {
        header.set(&format!("GAIN{}", amplifier + 1), *gain, "[electron/adu] nominal gain, not measured");
    }
    for (amplifier, noise) in meta.nominal_read_noise_electron.iter().enumerate() {
        header.set(&format!("RDNOISE{}", amplifier + 1), *noise, "[electron] nominal read noise, not measured");
    }
    if let Some(full_well) = meta.nominal_full_well_electron {
        header.set("FULLWELL", full_well, "[electron] nominal full well, not measured");
    }
    let mut wcs = Header::default();
    meta.wcs.shifted(window.x0 as f64, window.y0 as f64).write(&mut wcs);
    let alternate = meta.layout.scans == Scans::Full;
    if alternate {
        header.set("WCSNAMET", "TRIMMED WINDOW", "system of the window without scans");
    }
    for (key, value, comment) in wcs.cards {
        let key = if alternate && is_wcs_key(&key) { key + TRIMMED_WCS } else { key };
        header.set(&key, value, &comment);
    }
    header
}

fn is_wcs_key(key: &str) -> bool {
    WCS_STEMS.iter().any(|stem| key.strip_prefix(stem).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'_')))
}

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
    let mut units = fits::read(path)?.into_iter();
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
        other => return Err(wrong("OBSTYPE", other.into(), "SCIE, SCI, WIDE, DEEP, BIAS, DARK or FLAT")),
    };
    if time_s == 0.0 && kind != ExposureKind::Bias {
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
    let wcs = trimmed_wcs(path, &header, layout.scans)?;
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

fn trimmed_wcs(path: &Path, header: &Header, scans: Scans) -> Result<Wcs, ProductError> {
    let result = match scans {
        Scans::Trimmed => Wcs::read(header),
        Scans::Full => {
            let mut plain = Header::default();
            for (key, value, comment) in &header.cards {
                if let Some(stem) = key.strip_suffix(TRIMMED_WCS).filter(|stem| is_wcs_key(stem)) {
                    plain.set(stem, value.clone(), comment);
                }
            }
            Wcs::read(&plain)
        }
    };
    result.map_err(|source| ProductError::Wcs { path: path.into(), source })
}
