//! Writing a level-0 file.

use super::read::checked;
use super::{Clocking, Level0, Level0Meta, wcs_keys};
use crate::product::error::ProductError;
use crate::product::names::ProductName;
use crate::product::sections;
use crate::product::time::Civil;
use ndarray::parallel::prelude::*;
use ndarray::{Array2, ArrayView1, Axis, Zip};
use sim_core::exposure::ExposureKind;
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::frame::{Frame, Window};
use sim_core::plane::Counts;
use std::path::Path;

/// EXTNAME of the image.
const IMAGE: &str = "IMAGE";
/// Writes a raw frame; the file's name must be that of [`Level0Meta::name`].
///
/// Besides the official keys, HDU0 has ROTANGLE (official parameter `image_rot`), VAFACTOR (velocity aberration, of a moving observer), LAMPRATE (flats: the lamp's setting),
/// INJLEVEL, INJROWS, INJGAP (injected charge), PUMPCYC, PUMPTIME, LINETIME, PUMPFRAC (trap pumping) and FILTER; HDU1 has DETNX/DETNY, WINX0/WINY0/WINNX/WINNY, AMPNX/AMPNY, PRESCANX, OVSCANX, OVSCANY, SCANS and per
/// amplifier n: GAINn, RDNOISEn, CSECn (science pixels in the window), DSECn (in the array), PSECn, BSECn, YSECn
/// (prescan, serial and parallel overscan). The WCS belongs to the trimmed window. A trimmed frame carries it as its
/// primary WCS; in a frame with scans it would not hold across amplifiers, so it is the alternate system `T` there.
///
/// # Errors
/// When the path has another name, the frame does not have the layout's shape, a pixel is not an integer in 0..=65535, a number of amplifiers
/// differs, or the file cannot be written.
pub fn write_level0(path: &Path, frame: Frame<Counts>, meta: &Level0Meta<'_>) -> Result<(), ProductError> {
    Ok(fits::write_as(path, &units(path, frame, meta, Data::Counts)?, meta.packing)?)
}

/// Writes a raw frame as [`write_level0`] does, and gives it as it would be read from the file, but for comments that do not fit a card.
///
/// # Errors
/// As [`write_level0`] and [`super::read_level0`].
pub fn keep_level0(path: &Path, frame: Frame<Counts>, meta: &Level0Meta<'_>) -> Result<Level0, ProductError> {
    let units = units(path, frame, meta, integers)?;
    fits::write_as(path, &units, meta.packing)?;
    checked(path, units.into())
}

/// A raw frame as it would be read from the file that [`write_level0`] writes, but for comments that do not fit a card; nothing is written.
///
/// # Errors
/// As [`write_level0`] and [`super::read_level0`], but for the file.
pub fn level0_of(path: &Path, frame: Frame<Counts>, meta: &Level0Meta<'_>) -> Result<Level0, ProductError> {
    checked(path, units(path, frame, meta, integers)?.into())
}

/// Both units of the file, the pixels as `data` holds them.
fn units(path: &Path, frame: Frame<Counts>, meta: &Level0Meta<'_>, data: fn(Array2<f32>) -> Data) -> Result<[Hdu; 2], ProductError> {
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
    if !frame.pixels.axis_iter(Axis(0)).into_par_iter().all(|row| are_counts(row)) {
        return Err(ProductError::content(path, "a pixel is not an integer in 0..=65535 (digitise first)"));
    }
    let header = image_header(meta, frame.window);
    Ok([Hdu::primary(primary_header(meta, &name)), Hdu::new(IMAGE, header, data(frame.pixels))])
}

/// Whether all are integers in 0..=65535.
fn are_counts(row: ArrayView1<'_, f32>) -> bool {
    row.iter().fold(true, |good, &value| good & (f32::from(value as u16) == value))
}

/// Counts as unsigned integers.
fn integers(pixels: Array2<f32>) -> Data {
    let mut out = sim_core::memory::zeros(pixels.dim());
    Zip::from(&mut out).and(&pixels).par_for_each(|out, &value| *out = value as u16);
    Data::U16(out)
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
    traps(&mut header, meta);
    header.set("RA_OBJ", exposure.pointing.ra_deg, "[deg] right ascension of the boresight");
    header.set("DEC_OBJ", exposure.pointing.dec_deg, "[deg] declination of the boresight");
    header.set("ROTANGLE", exposure.pointing.rotation_deg, "[deg] image rotation (image_rot)");
    if let Some(factor) = meta.aberration {
        header.set("VAFACTOR", factor, "angles on sky over angles seen; in CD and PV");
    }
    header.set("CREATOR", meta.software, "software");
    header
}

/// What an exposure for charge traps did with its charge.
fn traps(header: &mut Header, meta: &Level0Meta<'_>) {
    let kind = meta.exposure.kind;
    if let Some(level) = kind.injected_electron() {
        header.set("INJLEVEL", level, "[electron] charge of an injected pixel, as set");
    }
    if let ExposureKind::ChargeInjection { rows, gap, .. } = kind {
        header.set("INJROWS", i64::from(rows), "rows with injected charge in a period");
        header.set("INJGAP", i64::from(gap), "rows without charge before them");
    }
    if let ExposureKind::TrapPumping { cycles, phase_time_s, .. } = kind {
        header.set("PUMPCYC", i64::from(cycles), "times the charge was moved to and fro");
        header.set("PUMPTIME", phase_time_s, "[s] time below each phase");
        if let Some(Clocking { line_time_s, pumped_fraction }) = meta.clocking {
            header.set("LINETIME", line_time_s, "[s] readout time of a line");
            header.set("PUMPFRAC", pumped_fraction, "part of the traps that pump with these clocks");
        }
    }
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
    wcs_keys::write(&mut header, &meta.wcs.shifted(window.x0 as f64, window.y0 as f64), meta.layout.scans);
    header
}
