//! Keywords of the unit SCI of a slitless frame, in the order of the official data model (csst-doc-msc, SLS, C7), states and fill values included.
//!
//! Good pixels are those whose DQ is 0; GOODMIN, GOODMAX and GOODMEAN are in the unit of the pixels, SNRMIN, SNRMAX and SNRMEAN of SCI / ERR. The position is that of the
//! pointing: zeroth orders are looked for where spectra are taken out, so STA_POS is 1 and PVi_m are left out, as in images. Not in the official
//! table: SKY_BKG, SKY_RMS, SATURATE, CRHITS, the finder (CR_*), further references (R_*), GAINn, RDNOISEn and the window.

use super::{FILL, FILL_INT, FILL_TEXT, VERSION, detector, finder, history, hit_pixels};
use crate::error::ReductionError;
use crate::level1::Level1;
use crate::references::MASK;
use crate::set::{DetectorCalibration, Master};
use instruments::product::level0::Level0Info;
use instruments::product::time::Civil;
use ndarray::{Array2, Zip};
use sim_core::fits::Header;

/// Fill value of references in this table.
const NO_REFERENCE: &str = "N/A";

/// Least, greatest and mean of values.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spread {
    least: f64,
    greatest: f64,
    sum: f64,
    count: usize,
}

impl Spread {
    const NONE: Self = Self { least: f64::INFINITY, greatest: f64::NEG_INFINITY, sum: 0.0, count: 0 };

    fn with(self, value: f64) -> Self {
        Self { least: self.least.min(value), greatest: self.greatest.max(value), sum: self.sum + value, count: self.count + 1 }
    }
    fn plus(self, other: Self) -> Self {
        let (least, greatest) = (self.least.min(other.least), self.greatest.max(other.greatest));
        Self { least, greatest, sum: self.sum + other.sum, count: self.count + other.count }
    }
    /// Least, greatest and mean; fill values where there is nothing.
    fn numbers(self) -> [f64; 3] {
        if self.count == 0 { [FILL; 3] } else { [self.least, self.greatest, self.sum / self.count as f64] }
    }
}

/// Rates and signal to noise of good pixels. Sums go row by row, so they do not depend on threads.
fn spreads(rate: &Array2<f32>, error: &Array2<f32>, bits: &Array2<u16>) -> (Spread, Spread) {
    let rows = Zip::from(rate.rows()).and(error.rows()).and(bits.rows()).par_map_collect(|rate, error, bits| {
        let good = rate.iter().zip(error).zip(bits).filter(|((rate, _), bits)| **bits == 0 && rate.is_finite());
        good.fold((Spread::NONE, Spread::NONE), |(of_rate, of_snr), ((rate, error), _)| {
            let rate = f64::from(*rate);
            (of_rate.with(rate), if *error > 0.0 { of_snr.with(rate / f64::from(*error)) } else { of_snr })
        })
    });
    rows.iter().fold((Spread::NONE, Spread::NONE), |sum, row| (sum.0.plus(row.0), sum.1.plus(row.1)))
}

/// Header of SCI; `error` and `bits` are the other two planes.
///
/// # Errors
/// When the master dark cannot be read.
pub fn science(
    level1: &Level1,
    info: &Level0Info,
    calibration: &DetectorCalibration,
    error: &Array2<f32>,
    bits: &Array2<u16>,
    unit: &str,
) -> Result<Header, ReductionError> {
    let mut header = Header::default();
    let stamp = Civil::from_mjd(info.observation.stop_mjd).iso();
    let done = |step: &str| i64::from(!level1.is_done(step));
    header.set("BUNIT", unit, "physical unit");
    header.set("VER_INST", VERSION, "instrument calibration pipeline version");
    header.set("STM_INST", stamp.as_str(), "time stamp: end of the exposure");
    header.set("STA_INST", 0, "instrument calibration status");
    header.set("VER_CRDS", VERSION, "version of file selection software used");
    for (key, reference, what) in [
        ("R_GAIN", calibration.name(Master::Bias), "gain: lies in the master bias"),
        ("R_MASK", calibration.name_of(MASK), "mask of defects"),
        ("R_BIAS", calibration.name(Master::Bias), "master bias, gain and read noise"),
        ("R_DARK", calibration.name(Master::Dark), "master dark"),
        ("R_DFLAT", calibration.name(Master::Flat), "detector flat"),
        ("R_SHUT", calibration.name(Master::Shutter), "shutter"),
    ] {
        header.set(key, reference.unwrap_or_else(|| NO_REFERENCE.into()), what);
    }
    header.set("STA_DQI", i64::from(level1.rate.flags.is_none()), "data quality initialization status");
    header.set("STA_SATC", done("adc"), "saturation checking status");
    header.set("STA_ERRI", i64::from(level1.rate.variance.is_none()), "error initialization status");
    header.set("STA_BIAS", done("bias"), "bias correction status");
    header.set("STA_DARK", done("dark"), "dark correction status");
    header.set("STA_FLAT", done("flat"), "flat field correction status");
    header.set("STA_CR", done("cosmic_rays"), "cosmic ray rejection status");
    let (rates, snrs) = spreads(&level1.rate.pixels, error, bits);
    header.set("NGOODPIX", rates.count as i64, "number of good pixels");
    let words = ["least", "greatest", "mean"];
    for ((key, value), what) in ["GOODMIN", "GOODMAX", "GOODMEAN"].into_iter().zip(rates.numbers()).zip(words) {
        header.set(key, value, &format!("[{unit}] {what} value of good pixels"));
    }
    for ((key, value), what) in ["SNRMIN", "SNRMAX", "SNRMEAN"].into_iter().zip(snrs.numbers()).zip(words) {
        header.set(key, value, &format!("{what} signal to noise of good pixels"));
    }
    header.set("MEANDARK", mean_dark(level1, calibration)?, &format!("[{unit}] average of the dark values subtracted"));
    header.set("CRCOUNT", hit_pixels(level1), "cosmic ray counts: pixels flagged");
    position(&mut header, info);
    header.set("STA_QC1", FILL_INT, "0 for success, 1 for failure; not run");
    header.set("VER_QC1", FILL_TEXT, "QC1 pipeline version");
    header.set("FLG_QC1", FILL as i64, "quality flags; not evaluated");
    header.set("STM_QC1", FILL_TEXT, "QC1 pipeline processing time");
    // The rest is the project's own.
    header.set("SKY_BKG", level1.background.map_or(FILL, |b| b.level), &format!("[{unit}] sky background per pixel"));
    header.set("SKY_RMS", level1.background.map_or(FILL, |b| b.rms), &format!("[{unit}] standard dev of background pixels"));
    header.set("SATURATE", level1.saturation, &format!("[{unit}] limit of saturated pixel"));
    finder(&mut header, level1);
    detector(&mut header, info, calibration);
    header.history = history(level1, calibration);
    Ok(header)
}

/// Mean of the master dark \[electron / s\] where it was subtracted.
fn mean_dark(level1: &Level1, calibration: &DetectorCalibration) -> Result<f64, ReductionError> {
    if !level1.is_done("dark") {
        return Ok(FILL);
    }
    let Some(dark) = calibration.reference(Master::Dark)? else { return Ok(FILL) };
    let none = Array2::from_elem(dark.image.dim(), 1.0);
    let (values, _) = spreads(&dark.image, &none, &Array2::zeros(dark.image.dim()));
    Ok(values.numbers()[2])
}

/// World coordinates: those of the pointing, nominal and in use alike.
fn position(header: &mut Header, info: &Level0Info) {
    header.set("VER_POS", FILL_TEXT, "version of distortion");
    header.set("STM_POS", FILL_TEXT, "time of last modification");
    header.set("STA_POS", 1, "0 for done, 1 for failure; not run");
    let mut nominal = Header::default();
    info.wcs.write(&mut nominal);
    for key in ["CD1_1", "CD2_1", "CD1_2", "CD2_2"] {
        if let Some(value) = nominal.get(key) {
            header.set(&format!("{key}_L0"), value.clone(), "[deg/pixel] as in the level-0 file");
        }
    }
    info.wcs.write(header);
    header.set("NS_POS", 0, "number of the stars");
    for key in ["RA_OFF", "DEC_OFF", "RA_RMS", "DEC_RMS"] {
        header.set(key, FILL, "[mas] offset or rms of the position");
    }
    let centre = info.wcs.sky_from_pixel((info.window.nx as f64 - 1.0) / 2.0, (info.window.ny as f64 - 1.0) / 2.0);
    header.set("RA_CEN", centre.0, "[deg] centre of the frame in ra");
    header.set("DEC_CEN", centre.1, "[deg] centre of the frame in dec");
}
