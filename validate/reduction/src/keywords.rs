//! Keywords of the level-1 image (those of slitless frames: [`slitless`]), in the order of the official data model (csst-doc-msc, C7), states and fill values included.
//!
//! A module that has not run has STA 1, its time stamp '-1' and its numbers -9999 (float) or -1 (integer). Time stamps are
//! the end of the exposure, not the clock of the run, so that a product made again has the same bits. PVi_m without a
//! distortion solution are left out: PV1_m of a TAN system would change its meaning for every reader.

pub mod slitless;

use crate::explain;
use crate::hit_count;
use crate::level1::Level1;
use crate::qc0::Verdict;
use crate::references::REFERENCES;
use crate::set::{DetectorCalibration, Master};
use instruments::product::level0::Level0Info;
use instruments::product::names::ProductName;
use instruments::product::time::Civil;
use sim_core::fits::Header;

/// Fill value of numbers.
pub(crate) const FILL: f64 = -9999.0;
/// Fill value of integers.
const FILL_INT: i64 = -1;
/// Fill value of texts.
const FILL_TEXT: &str = "-1";
/// Version of this reduction.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Header of HDU0 of a level-1 file: that of the level-0 file with the new name.
#[must_use]
pub fn primary(info: &Level0Info, name: &ProductName) -> Header {
    let mut header = info.primary.clone();
    header.set("FILENAME", name.stem(), "name of this file, without .fits");
    header.set("L0FILE", info.name.stem(), "level-0 file this was made from, without .fits");
    header.set("CREATOR", format!("Skyloop {VERSION}"), "software");
    header
}

/// Header of HDU1: state of every module, WCS, and the history of the steps.
#[must_use]
pub fn image(level1: &Level1, info: &Level0Info, calibration: &DetectorCalibration) -> Header {
    let mut header = Header::default();
    let stamp = Civil::from_mjd(info.observation.stop_mjd).iso();
    let state = |done: bool| i64::from(!done);
    header.set("BUNIT", level1.unit, "unit of the pixels");
    header.set("VER_INST", VERSION, "version of instrument processing");
    header.set("STM_INST", stamp.as_str(), "time stamp: end of the exposure");
    header.set("STA_INST", 0, "0=done 1=wrong");
    for (key, step, what) in [("STA_BIAS", "bias", "bias"), ("STA_DARK", "dark", "dark"), ("STA_FLAT", "flat", "flat")] {
        header.set(key, state(level1.is_done(step)), &format!("status flag for {what} frame correction"));
    }
    header.set("SKY_BKG", level1.background.map_or(FILL, |b| b.level), &format!("[{}] sky background per pixel", level1.unit));
    header.set("SKY_RMS", level1.background.map_or(FILL, |b| b.rms), &format!("[{}] standard dev of background pixels", level1.unit));
    header.set("SATURATE", level1.saturation, &format!("[{}] limit of saturated pixel", level1.unit));
    header.set("STA_CTE", state(level1.is_done("cti")), "status flag for CTE correction");
    header.set("STA_SAT", state(level1.is_done("trails")), "status flag for satellite correction");
    header.set("STA_CRS", state(level1.is_done("cosmic_rays")), "status flag for cosmic rays mask");
    header.set("CRCOUNT", hit_pixels(level1), "cosmic rays counts: pixels flagged");
    finder(&mut header, level1);
    header.set("STA_NLIN", state(level1.is_done("non_linearity")), "status flag for non-linear correction");
    header.set("STA_SHUT", state(level1.is_done("shutter")), "status flag for shutter effect correction");
    distortion_and_position(&mut header, info);
    flux(&mut header);
    quality(&mut header, level1, &stamp);
    for (key, kind, what) in [
        ("R_BIAS", Master::Bias, "bias, gain and read noise"),
        ("R_DARK", Master::Dark, "dark"),
        ("R_DFLAT", Master::Flat, "flat"),
        ("R_SHUT", Master::Shutter, "shutter"),
    ] {
        header.set(key, calibration.name(kind).unwrap_or_else(|| FILL_TEXT.into()), &format!("master {what}"));
    }
    detector(&mut header, info, calibration);
    header.history = history(level1, calibration);
    header
}

/// Pixels flagged as cosmic rays, or the fill value where they were not looked for.
fn hit_pixels(level1: &Level1) -> i64 {
    let hit = |flags: &ndarray::Array2<u32>| flags.iter().filter(|f| **f & sim_core::flags::COSMIC_RAY != 0).count() as i64;
    let hits = if level1.is_done("cosmic_rays") { level1.rate.flags.as_ref().map(hit) } else { None };
    hits.unwrap_or(FILL as i64)
}

/// Groups of hit pixels and the finder that found them, where one was used.
fn finder(header: &mut Header, level1: &Level1) {
    let done = level1.is_done("cosmic_rays");
    let groups = if done { level1.rate.flags.as_ref().map(hit_count::groups) } else { None };
    header.set("CRHITS", groups.map_or(FILL as i64, |n| n as i64), "cosmic rays: groups of touching flagged pixels");
    if let Some((finder, Ok((threshold, meaning, hash)))) = level1.cosmic_rays.filter(|_| done).map(|finder| (finder, finder.describe())) {
        header.set("CR_MOD", format!("skyloop-{}", finder.name()), "finder of cosmic rays");
        header.set("CR_THR", threshold, meaning);
        if let Some(hash) = hash {
            header.set("CR_HASH", &hash[..16], "its weights: first digits of their SHA-256");
        }
    }
}

/// The project's own keywords of every level-1 frame: further references, what calibration measured of the amplifiers, the window.
fn detector(header: &mut Header, info: &Level0Info, calibration: &DetectorCalibration) {
    for kind in &REFERENCES {
        header.set(kind.keyword, calibration.name_of(kind.code).unwrap_or_else(|| FILL_TEXT.into()), kind.what);
    }
    for place in info.layout.tiles.iter().map(|t| t.amplifier) {
        header.set(&format!("GAIN{}", place + 1), calibration.gain[place].value, "[electron/adu] measured gain");
        header.set(&format!("RDNOISE{}", place + 1), calibration.read_noise[place].value, "[electron] measured read noise");
    }
    for key in ["WINX0", "WINY0", "WINNX", "WINNY", "DETNX", "DETNY", "PIXSCALE"] {
        if let Some(value) = info.header.get(key) {
            header.set(key, value.clone(), "as in the level-0 file");
        }
    }
}

fn history(level1: &Level1, calibration: &DetectorCalibration) -> Vec<String> {
    let steps = explain::steps(level1, calibration).into_iter().map(|step| step.in_words());
    let before = level1.earlier.iter().filter_map(|p| p.file_stem()).map(|stem| format!("earlier frame {}", stem.to_string_lossy()));
    steps.chain(before).chain(level1.qc0.remarks.iter().map(|r| format!("QC0: {r}"))).collect()
}

fn distortion_and_position(header: &mut Header, info: &Level0Info) {
    header.set("VER_DIST", FILL_TEXT, "version of distortion");
    header.set("STM_DIST", FILL_TEXT, "time stamp of distortion");
    header.set("STA_DIST", 1, "0=done 1=wrong; not run");
    info.wcs.write(header);
    header.set("NS_DIST", FILL_INT, "number of stars used in fitting");
    for key in ["RA_OFF", "DEC_OFF", "RA_RMS", "DEC_RMS"] {
        header.set(key, FILL, "[mas] offset or rms of the astrometric solution");
    }
    let centre = info.wcs.sky_from_pixel((info.window.nx as f64 - 1.0) / 2.0, (info.window.ny as f64 - 1.0) / 2.0);
    header.set("RA_CEN", centre.0, "[deg] centre of the frame in ra");
    header.set("DEC_CEN", centre.1, "[deg] centre of the frame in dec");
    header.set("VER_POSI", FILL_TEXT, "version of WCS calibration");
    header.set("STM_POSI", FILL_TEXT, "time of last WCS calibration");
    header.set("STA_POSI", 1, "0=done; not run, the WCS is that of the pointing");
    header.set("ASTRRMS1", FILL, "[deg] astrometric dispersion");
    header.set("ASTRRMS2", FILL, "[deg] astrometric dispersion");
}

fn flux(header: &mut Header) {
    header.set("VER_FLUX", FILL_TEXT, "version of flux calibration");
    header.set("STM_FLUX", FILL_TEXT, "flux calibration operation time");
    header.set("STA_FLUX", 1, "flux calibration status; not run");
    header.set("REF_FLUX", "?", "reference database for calibration");
    header.set("ZP", FILL, "[mag] photometric zero point");
    header.set("ZPRMS", FILL, "[mag] rms of the matched objects");
    header.set("APER_R", 10, "[pixel] photometric aperture radius");
    header.set("FWHM", FILL, "[pixel] FWHM");
    header.set("RA_OFF1", FILL, "[arcsec] median positional offset");
    header.set("DEC_OFF1", FILL, "[arcsec] median positional offset");
    header.set("NS_FLUX", FILL_INT, "number of stars detected");
    header.set("NS_MATCH", FILL_INT, "number of matched stars in 2 arcsec");
    header.set("MED_CLR", FILL, "median colour of matched stars");
    header.set("SKY_MAG", FILL, "[mag/arcsec2] sky");
    header.set("MAG_LIM", FILL, "[mag] limit of 5-sigma galaxy detection");
}

fn quality(header: &mut Header, level1: &Level1, stamp: &str) {
    header.set("VER_QC0", VERSION, "pipeline version");
    header.set("STM_QC0", stamp, "time stamp: end of the exposure");
    header.set("STA_QC0", level1.qc0.status(), "QC0 status (0 fine, 1 remarks, 2 refused)");
    let bad_pixels = if level1.flagged_fraction > 0.5 { Verdict::Bad } else { Verdict::Good };
    let mut verdict = |key: &str, verdict: Verdict, what: &str| {
        let comment = if verdict == Verdict::Unknown { format!("{what}; not evaluated") } else { what.into() };
        header.set(key, verdict.code(), &comment);
    };
    // The reader refuses a file whose checksum is wrong.
    verdict("Q_CHKSUM", Verdict::Good, "checksum");
    verdict("Q_SHUTTR", Verdict::Unknown, "shutter status");
    verdict("Q_COOLNG", Verdict::Unknown, "cooling status");
    verdict("Q_DTDEAD", level1.qc0.dead, "dead detector or amplifier");
    verdict("Q_DTNOIS", level1.qc0.noisy, "higher detector noise level");
    verdict("Q_DIFPAT", Verdict::Unknown, "image diffraction pattern");
    verdict("Q_XTALK", Verdict::Unknown, "significant image crosstalk");
    verdict("Q_BADPIX", bad_pixels, "bad pixel fraction > 50 %");
    verdict("Q_BRIBKG", Verdict::Unknown, "significant stray light");
    verdict("Q_DTTEMP", Verdict::Unknown, "large CCD temperature variation");
    for key in ["F_TELSCP", "F_GUIDER", "F_DETECT"] {
        header.set(key, FILL_INT, "flag (0/bit); not evaluated");
    }
    header.set("VER_QC1", FILL_TEXT, "pipeline version");
    header.set("STM_QC1", FILL_TEXT, "QC1 operation time");
    header.set("STA_QC1", FILL_INT, "QC1 status (0/non-zero); not run");
    header.set("Q_FOCUS", 1, "focus status; not evaluated");
    header.set("Q_WCS", 1, "WCS calibration status; not evaluated");
}
