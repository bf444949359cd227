//! Round trips of the level-0 file and what its reader refuses.

use super::level0::{Level0, Level0Info, Level0Meta, level0_of, read_level0, read_level0_info, write_level0};
use super::{NameStyle, ProductError};
use ndarray::Array2;
use sim_core::detector::{AmplifierGrid, DetectorGeometry, ReadoutLayout, Scans};
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::fits::{self, Data, Hdu, Value};
use sim_core::frame::{Frame, Window};
use sim_core::plane::Counts;
use sim_core::wcs::{Parity, Wcs, detector_wcs};
use std::path::{Path, PathBuf};

const WINDOW: Window = Window { x0: 20, y0: 10, nx: 40, ny: 30 };

fn geometry() -> DetectorGeometry {
    DetectorGeometry {
        number: 8,
        filter: "g".into(),
        nx: 80,
        ny: 60,
        crpix1: -267.0,
        crpix2: 14746.0,
        pixel_scale_arcsec: 0.074,
        amplifiers: AmplifierGrid { columns: 4, rows: 2, prescan_x: 2, overscan_x: 3, overscan_y: 1 },
    }
}

fn exposure(kind: ExposureKind) -> Exposure {
    let time_s = if kind == ExposureKind::Bias { 0.0 } else { 150.0 };
    let pointing = Pointing { ra_deg: 90.0, dec_deg: 24.5, rotation_deg: -113.4333 };
    Exposure { id: 10_100_300_001, kind, pointing, start_mjd: 61_771.123_456_789, time_s, sky_electron_s: 0.2 }
}

struct Written {
    folder: tempfile::TempDir,
    path: PathBuf,
    pixels: Array2<f32>,
    wcs: Wcs,
    /// What reading the file would give, without a file.
    in_memory: Option<Level0>,
}

fn write(kind: ExposureKind, scans: Scans) -> Written {
    let (written, result) = attempt(kind, scans, |y, x| ((y * 977 + x * 31) % 65_536) as f32);
    result.unwrap();
    written
}

/// Tries to write a frame of given pixels.
fn attempt(kind: ExposureKind, scans: Scans, pixel: impl Fn(usize, usize) -> f32) -> (Written, Result<(), ProductError>) {
    let (geometry, exposure) = (geometry(), exposure(kind));
    let layout = ReadoutLayout::new(&geometry, WINDOW, scans);
    let wcs = detector_wcs(&geometry, &exposure.pointing, Parity::C9, None);
    let pixels = Array2::from_shape_fn((layout.rows, layout.columns), |(y, x)| pixel(y, x));
    let folder = tempfile::tempdir().unwrap();
    let meta = Level0Meta {
        instrument: "msc",
        geometry: &geometry,
        exposure: &exposure,
        layout: &layout,
        wcs: &wcs,
        object: "field 1",
        nominal_gain: &[1.1; 8],
        nominal_read_noise_electron: &[5.0; 8],
        nominal_full_well_electron: Some(90_000.0),
        aberration: None,
        clocking: None,
        software: "0.1.0",
        style: &NameStyle::default(),
        packing: sim_core::fits::Packing::None,
    };
    let path = folder.path().join(meta.name().file_name());
    let frame = Frame::<Counts>::from_pixels(pixels.clone(), WINDOW);
    let result = write_level0(&path, frame.clone(), &meta);
    let in_memory = level0_of(&path, frame, &meta).ok();
    (Written { folder, path, pixels, wcs, in_memory }, result)
}

/// Writes the file again with a change to its units.
fn tamper(path: &Path, change: impl FnOnce(&mut Vec<Hdu>)) {
    let mut units = fits::read(path).unwrap();
    change(&mut units);
    fits::write(path, &units).unwrap();
}

#[test]
fn what_is_written_is_read_in_both_layouts() {
    for scans in [Scans::Full, Scans::Trimmed] {
        let written = write(ExposureKind::Science, scans);
        let level0 = read_level0(&written.path).unwrap();
        let info = &level0.info;
        assert_eq!(level0.frame().pixels, written.pixels);
        let in_memory = written.in_memory.unwrap();
        // Comments that do not fit a card are cut in the file alone.
        let bare = |info: &Level0Info| {
            let mut info = info.clone();
            info.primary.cards.iter_mut().chain(&mut info.header.cards).for_each(|card| card.2.clear());
            format!("{info:?}")
        };
        assert_eq!(bare(&in_memory.info), bare(info), "without a file it is the same to the last digit");
        assert_eq!(in_memory.pixels, level0.pixels);
        assert_eq!((info.window, &info.geometry), (WINDOW, &geometry()));
        assert_eq!(info.layout, ReadoutLayout::new(&geometry(), WINDOW, scans));
        assert_eq!((info.observation.id, info.observation.kind, info.observation.time_s), (10_100_300_001, ExposureKind::Science, 150.0));
        assert_eq!(info.observation.start_mjd, 61_771.123_456_789);
        assert_eq!((info.instrument.as_str(), info.observation.object.as_str()), ("msc", "field 1"));
        // The window's first pixel is pixel (20, 10) of the detector.
        let (ra, dec) = info.wcs.sky_from_pixel(0.0, 0.0);
        let expected = written.wcs.sky_from_pixel(20.0, 10.0);
        assert!((ra - expected.0).abs() < 1e-10 && (dec - expected.1).abs() < 1e-10);
        assert_eq!(read_level0_info(&written.path).unwrap().layout, info.layout);
    }
}

#[test]
fn a_raw_frame_with_scans_has_no_primary_wcs() {
    let keys = |scans| {
        let written = write(ExposureKind::Science, scans);
        let header = read_level0_info(&written.path).unwrap().header;
        (header.get("CRPIX1").is_some(), header.get("CRPIX1T").is_some(), header.text("BSEC3").map(str::to_owned))
    };
    assert_eq!(keys(Scans::Trimmed), (true, false, None));
    // Amplifier 3 (from 1) reads the right half: its overscan begins at its left edge, at column 2 + 20 + 3 + 1.
    assert_eq!(keys(Scans::Full), (false, true, Some("[26:28,1:20]".into())));
}

#[test]
fn the_official_keywords_are_there_and_the_sky_is_not() {
    let written = write(ExposureKind::Flat { rate_electron_s: 200.0 }, Scans::Trimmed);
    let info = read_level0_info(&written.path).unwrap();
    assert_eq!(info.observation.kind, ExposureKind::Flat { rate_electron_s: 200.0 });
    for (key, value) in [("TELESCOP", "CSST"), ("INSTRUME", "MSC"), ("DETECTOR", "MSC_08"), ("FILETYPE", "FLAT"), ("OBSTYPE", "FLAT")] {
        assert_eq!(info.primary.text(key), Some(value));
    }
    for key in ["OBSID", "DATE-OBS", "EXPSTART", "EXPEND", "EXPTIME", "RA_OBJ", "DEC_OBJ", "FILENAME"] {
        assert!(info.primary.get(key).is_some(), "{key}");
    }
    assert_eq!((info.header.f64("GAIN8"), info.header.f64("RDNOISE1"), info.header.get("GAIN9")), (Some(1.1), Some(5.0), None));
    let sky = |value: &Value| matches!(value, Value::Real(v) if *v == 0.2);
    assert!(!info.primary.cards.iter().chain(&info.header.cards).any(|(_, value, _)| sky(value)));
}

#[test]
fn broken_headers_are_refused_by_key() {
    let cases: [(&str, Option<Value>); 10] = [
        ("EXPTIME", None),
        ("EXPTIME", Some(Value::Real(-150.0))),
        ("EXPTIME", Some(Value::Real(1e9))),
        ("EXPTIME", Some(Value::Real(0.0))),
        ("RA_OBJ", Some(Value::Real(400.0))),
        ("DEC_OBJ", Some(Value::Text("NaN".into()))),
        ("DATE-OBS", Some(Value::Text("2099-01-01T00:00:00".into()))),
        ("OBSID", Some(Value::Int(7))),
        ("DETECTOR", Some(Value::Text("MSC_09".into()))),
        ("OBSTYPE", Some(Value::Text("DARK".into()))),
    ];
    for (key, value) in cases {
        let written = write(ExposureKind::Science, Scans::Trimmed);
        tamper(&written.path, |units| {
            let header = &mut units[0].header;
            header.cards.retain(|c| c.0 != key);
            if let Some(value) = value.clone() {
                header.set(key, value, "");
            }
        });
        match read_level0(&written.path).unwrap_err() {
            ProductError::Keyword { key: found, .. } => assert_eq!(found, key),
            other => panic!("{key} = {value:?}: {other}"),
        }
    }
}

#[test]
fn swapped_amplifiers_and_a_window_off_the_detector_are_refused() {
    for (key, value) in [("BSEC3", Value::Text("[1:3,1:20]".into())), ("WINX0", Value::Int(70)), ("AMPNX", Value::Int(3))] {
        let written = write(ExposureKind::Science, Scans::Full);
        tamper(&written.path, |units| units[1].header.set(key, value, ""));
        let error = read_level0(&written.path).unwrap_err();
        assert!(matches!(&error, ProductError::Keyword { .. }), "{key}: {error}");
    }
}

#[test]
fn other_pixels_than_unsigned_16_bit_in_shape_are_refused() {
    let written = write(ExposureKind::Science, Scans::Trimmed);
    tamper(&written.path, |units| units[1].data = Data::F32(Array2::zeros((30, 40))));
    assert!(read_level0(&written.path).unwrap_err().to_string().contains("BITPIX 16"));
    tamper(&written.path, |units| units[1].data = Data::U16(Array2::zeros((30, 41))));
    assert!(read_level0(&written.path).unwrap_err().to_string().contains("41 x 30"));
}

#[test]
fn in_a_frame_with_scans_every_world_coordinate_keyword_belongs_to_the_alternate_system() {
    for (scans, letter) in [(Scans::Full, "T"), (Scans::Trimmed, "")] {
        let written = write(ExposureKind::Science, scans);
        let header = fits::read_headers(&written.path).unwrap().swap_remove(1).1;
        for stem in ["CTYPE1", "CRVAL2", "CD1_2", "LONPOLE", "RADESYS"] {
            assert!(header.get(&format!("{stem}{letter}")).is_some(), "{stem}{letter}");
            assert_eq!(header.get(stem).is_some(), letter.is_empty(), "{stem} of the array with scans");
        }
        // Read back: a pole elsewhere is noticed in either system.
        tamper(&written.path, |units| units[1].header.set(&format!("LONPOLE{letter}"), 90.0, ""));
        assert!(read_level0_info(&written.path).unwrap_err().to_string().contains("LONPOLE"));
    }
}

#[test]
fn a_renamed_file_is_refused() {
    let written = write(ExposureKind::Science, Scans::Trimmed);
    let other = written.folder.path().join(written.path.file_name().unwrap().to_string_lossy().replace("_V01", "_V02"));
    std::fs::rename(&written.path, &other).unwrap();
    assert!(matches!(read_level0(&other).unwrap_err(), ProductError::Keyword { key, .. } if key == "FILENAME"));
    let nameless = written.folder.path().join("frame.fits");
    std::fs::rename(&other, &nameless).unwrap();
    assert!(matches!(read_level0(&nameless).unwrap_err(), ProductError::Name { .. }));
}

#[test]
fn fractional_counts_are_not_written() {
    for bad in [0.5, -1.0, 65_536.0, f32::NAN] {
        let (written, result) = attempt(ExposureKind::Bias, Scans::Trimmed, |y, x| if (y, x) == (3, 4) { bad } else { 0.0 });
        assert!(matches!(result, Err(ProductError::Content { .. })), "{bad}");
        assert!(!written.path.exists());
    }
}
