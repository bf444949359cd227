//! The level-1 file of a detector behind gratings: units, keywords of the official table, and the planes as they were in memory.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

#[allow(dead_code, reason = "other tests use the rest of the bench")]
mod bench;

use bench::{Bench, DARK, DEAD, HOT, WARM};
use instruments::product::level0::read_level0;
use reduction::{CalibrationOptions, Options, calibrate, reduce, reduce_frame};
use sim_core::detector::Scans;
use sim_core::exposure::ExposureKind;
use sim_core::fits::{self, Data, Value};
use sim_core::flags;
use sim_core::level1::Level1Files;
use sim_core::wcs::Wcs;

/// Keywords of SCI by the official table (csst-doc-msc, SLS, C7), without EXTNAME, which is the unit's name, and PVi_m, which a TAN system has not.
const OFFICIAL: &str = "EXTVER BUNIT VER_INST STM_INST STA_INST VER_CRDS R_GAIN R_MASK R_BIAS R_DARK R_DFLAT STA_DQI STA_SATC STA_ERRI STA_BIAS STA_DARK \
    STA_FLAT STA_CR NGOODPIX GOODMIN GOODMAX GOODMEAN SNRMIN SNRMAX SNRMEAN MEANDARK CRCOUNT VER_POS STM_POS STA_POS CRPIX1 CRPIX2 CRVAL1 CRVAL2 CTYPE1 \
    CTYPE2 CD1_1_L0 CD2_1_L0 CD1_2_L0 CD2_2_L0 CD1_1 CD2_1 CD1_2 CD2_2 CUNIT1 CUNIT2 RADESYS NS_POS RA_OFF DEC_OFF RA_RMS DEC_RMS RA_CEN DEC_CEN STA_QC1 \
    VER_QC1 FLG_QC1 STM_QC1";

#[test]
fn a_slitless_frame_is_one_file_with_the_official_units_and_keywords() {
    let mut bench = Bench::new(Scans::Full);
    bench.geometry.filter = "GI".into();
    let set = calibrate(&bench.calibration(), &bench.masters(), CalibrationOptions::default()).unwrap();
    let raw = bench.expose(990, ExposureKind::Science, 150.0, &|y, x| if (y, x) == (70, 70) { 1000.0 } else { 0.3 });
    let (files, _) = reduce(&raw, &set, &Options::default(), &bench.out()).unwrap();
    let Level1Files::Slitless(path) = &files else { panic!("a detector behind gratings: {files:?}") };
    assert!(path.file_name().unwrap().to_string_lossy().ends_with("_00000000990_07_L1_V01.fits"), "{}", path.display());
    assert_eq!(std::fs::read_dir(bench.out()).unwrap().count(), 1, "one file and no other");

    let level0 = read_level0(&raw).unwrap();
    let info = level0.info.clone();
    let calibration = set.of(&info).unwrap();
    let level1 = reduce_frame(level0, &calibration, &Options::default()).unwrap();
    let (variance, bits) = (level1.rate.variance.as_ref().unwrap(), level1.rate.flags.as_ref().unwrap());
    let units = fits::read(path).unwrap();
    assert_eq!(units.iter().map(|u| u.name.as_str()).collect::<Vec<_>>(), ["", "SCI", "ERR", "DQ"]);
    let (Data::F32(rate), Data::F32(error), Data::I32(quality)) = (&units[1].data, &units[2].data, &units[3].data) else {
        panic!("types of the three planes");
    };
    assert_eq!(rate, level1.rate.pixels);
    for (at, &stated) in error.indexed_iter() {
        let good = flags::official(bits[at]) == 0;
        assert_eq!(quality[at] & 0xFFFF, i32::from(flags::official(bits[at])), "{at:?}");
        assert_eq!(good, stated.is_finite(), "{at:?}");
        assert!(!good || (stated / variance[at].sqrt() - 1.0).abs() < 1e-6, "{at:?}: {stated}");
    }
    for (at, flag) in [(DEAD, flags::BAD), ((HOT.0, HOT.1), flags::HOT), ((WARM.0, WARM.1), flags::WARM), ((70, 70), flags::SATURATED)] {
        assert_ne!(quality[at] & flag as i32, 0, "{at:?}");
    }

    let header = &units[1].header;
    for key in OFFICIAL.split_whitespace() {
        assert!(header.get(key).is_some(), "{key} is missing");
    }
    for (unit, of) in [(&units[1], "e-/s"), (&units[2], "e-/s"), (&units[3], "UNITLESS")] {
        assert_eq!((unit.header.text("BUNIT"), unit.header.i64("EXTVER")), (Some(of), Some(1)), "{}", unit.name);
        assert_eq!(Wcs::read(&unit.header).unwrap(), info.wcs, "{}", unit.name);
    }
    for (key, value) in [("STA_DQI", 0), ("STA_SATC", 0), ("STA_ERRI", 0), ("STA_BIAS", 0), ("STA_DARK", 0), ("STA_FLAT", 0), ("STA_CR", 1)]
    {
        assert_eq!(header.i64(key), Some(value), "{key}");
    }
    for (key, value) in [("CRCOUNT", -9999), ("STA_POS", 1), ("NS_POS", 0), ("STA_QC1", -1), ("FLG_QC1", -9999)] {
        assert_eq!(header.i64(key), Some(value), "{key}");
    }
    assert_eq!(header.text("STM_INST"), Some("2028-01-10T21:38:30.000"));
    assert_eq!(header.get("R_GAIN"), header.get("R_BIAS"));
    assert_eq!(header.get("CD1_1_L0"), header.get("CD1_1"));
    assert!(header.text("R_DFLAT").is_some_and(|name| name.contains("MFLAT")), "{:?}", header.get("R_DFLAT"));

    // Numbers of the good pixels, summed here in another order.
    let good: Vec<(f64, f64)> =
        rate.iter().zip(error).filter(|(_, e)| e.is_finite()).map(|(r, e)| (f64::from(*r), f64::from(r / e))).collect();
    let n = good.len() as f64;
    assert_eq!(header.i64("NGOODPIX"), Some(good.len() as i64));
    assert!(good.len() > 98_304 - 100 && good.len() < 98_304, "{}", good.len());
    let near = |key: &str, value: f64, within: f64| {
        let found = header.f64(key).unwrap();
        assert!((found - value).abs() <= within, "{key} = {found}, expected {value}");
    };
    near("GOODMEAN", good.iter().map(|g| g.0).sum::<f64>() / n, 1e-9);
    near("GOODMIN", good.iter().map(|g| g.0).fold(f64::INFINITY, f64::min), 0.0);
    near("GOODMAX", good.iter().map(|g| g.0).fold(f64::NEG_INFINITY, f64::max), 0.0);
    near("SNRMEAN", good.iter().map(|g| g.1).sum::<f64>() / n, 1e-6);
    near("SNRMAX", good.iter().map(|g| g.1).fold(f64::NEG_INFINITY, f64::max), 1e-5);
    // The master dark's mean: a hot pixel of 3 and a warm one among 98,304, and its own noise.
    near("MEANDARK", DARK + 3.1 / 98_304.0, 5.0 * 0.035 / (98_304.0_f64 * 8.0).sqrt() + 5e-4);
    let Some(Value::Text(meaning)) = units[3].header.get("FLAG4") else { panic!("FLAG4") };
    assert_eq!(meaning, "COSMIC_RAY");
}
