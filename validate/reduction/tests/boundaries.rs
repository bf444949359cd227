//! The reference of brighter-fatter through the whole calibration: a ramp of flats of the testbench, the gain, a field with stars.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod testbench_frames;

use instruments::description::{self, Instrument};
use instruments::effects::brighter_fatter::Settings;
use instruments::effects::digitise::amplifier_gains;
use instruments::product::level0::read_level0;
use ndarray::Array2;
use reduction::{CalibrationOptions, CalibrationSet, Options, calibrate, reduce_frame};
use sim_core::correction::StepStatus;
use sim_core::exposure::ExposureKind;
use std::path::{Path, PathBuf};
use testbench_frames::Exposing;

const LAMP: ExposureKind = ExposureKind::Flat { rate_electron_s: 500.0 };

fn instrument() -> Instrument {
    let mut instrument = description::load("testbench").unwrap();
    instrument.chain.off.retain(|name| name != "brighter_fatter");
    instrument
}

/// Writes an exposure; `without` leaves brighter-fatter out of the same draws.
fn expose(folder: &Path, id: u64, kind: ExposureKind, time_s: f64, light: Option<&Array2<f32>>, without: bool) -> PathBuf {
    let without = without.then_some("brighter_fatter");
    let instrument = &instrument();
    let exposing = Exposing { instrument, folder, seed: 4, ids_per_day: 100.0, nominal_full_well_electron: 50_000.0, without };
    exposing.expose(id, kind, time_s, light.cloned())
}

fn stars(ny: usize, nx: usize) -> Array2<f32> {
    Array2::from_shape_fn((ny, nx), |(y, x)| {
        let (dy, dx) = ((y % 24) as f32 - 11.7, (x % 24) as f32 - 12.2);
        let peak = 3e3 + 7e3 * ((x / 24 + 3 * (y / 24)) % 5) as f32;
        peak * (-0.5 * (dx * dx + dy * dy) / 0.72).exp()
    })
}

/// The same masters with an index that does not know of the shifts.
fn without_reference(masters: &Path, at: &Path) -> PathBuf {
    let copy = at.join("unaware");
    std::fs::create_dir(&copy).unwrap();
    for entry in std::fs::read_dir(masters).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    let index = std::fs::read_to_string(copy.join("index.csv")).unwrap();
    let lines: Vec<&str> = index.lines().filter(|line| !line.contains("MBFE")).collect();
    assert_eq!(lines.len() + 1, index.lines().count(), "the reference is in the index");
    std::fs::write(copy.join("index.csv"), lines.join("\n") + "\n").unwrap();
    copy
}

#[test]
fn a_ramp_of_flats_gives_gain_and_shifts_and_stars_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let calibration = at.join("calibration");
    std::fs::create_dir(&calibration).unwrap();
    let frame = |id, kind, time_s| expose(&calibration, id, kind, time_s, None, false);
    let mut files: Vec<PathBuf> = (0..11).map(|i| frame(100 + i, ExposureKind::Bias, 0.0)).collect();
    files.extend((0..7).map(|i| frame(200 + i, ExposureKind::Dark, 60.0)));
    // 4,000 to 37,500 electrons, full well 50,000.
    for (n, (time_s, count)) in [(8.0, 6), (20.0, 6), (35.0, 6), (55.0, 10), (75.0, 14)].into_iter().enumerate() {
        files.extend((0..count).map(|i| frame(300 + 20 * n as u64 + i, LAMP, time_s)));
    }
    let set = calibrate(&files, &at.join("masters"), CalibrationOptions::default()).unwrap();

    let instrument = instrument();
    let spec = &instrument.detectors[&1];
    let light = stars(spec.geometry.ny, spec.geometry.nx);
    let science = |without: bool| {
        let folder = at.join(if without { "without" } else { "with" });
        std::fs::create_dir(&folder).unwrap();
        read_level0(&expose(&folder, 901, ExposureKind::Science, 60.0, Some(&light), without)).unwrap()
    };
    let (spoilt, clean) = (science(false), science(true));
    let known = set.of(&spoilt.info).unwrap();
    let knowledge = known.knowledge(&spoilt.info).unwrap();
    let boundaries = knowledge.boundaries.clone().expect("MBFE was made");
    let truth = Settings::read(spec).unwrap().shifts;
    let own = boundaries.self_area;
    println!("a_00 {own:?}, true {:.3e}; shifts {:?} {:?}", truth.area(0, 0), boundaries.between_columns[0], boundaries.between_rows[0]);
    assert!((own.value - truth.area(0, 0)).abs() < 4.0 * own.error && own.error < 0.1 * own.value.abs(), "{own:?}");
    let gains = amplifier_gains(spec).unwrap();
    for (found, gain) in known.gain.iter().zip(gains) {
        println!("gain {found:?}, true {gain}");
        assert!((found.value - gain).abs() < 4.5 * found.error && found.error < 0.02 * gain, "{found:?} for {gain}");
    }

    // The same frame with and without the effect, all draws alike: what differs is the effect and its correction.
    let unaware = CalibrationSet::open(&without_reference(&at.join("masters"), at)).unwrap().of(&spoilt.info).unwrap();
    let options = Options::default();
    let wanted = reduce_frame(clean, &unaware, &options).unwrap();
    let before = reduce_frame(spoilt.clone(), &unaware, &options).unwrap();
    let after = reduce_frame(spoilt, &known, &options).unwrap();
    assert!(after.is_done("brighter_fatter") && !before.is_done("brighter_fatter"));
    let status = |level1: &reduction::Level1| level1.steps.iter().find(|s| s.name == "brighter_fatter").unwrap().status.clone();
    assert!(
        matches!(status(&before), StepStatus::Skipped(reason) if reason.contains("shifts of pixel boundaries")),
        "{:?}",
        status(&before)
    );
    let rms = |level1: &reduction::Level1| {
        let pixels = level1.rate.pixels.iter().zip(&wanted.rate.pixels);
        (pixels.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / wanted.rate.pixels.len() as f64).sqrt()
    };
    println!("rms of what the effect changes: {:.3} electron/s, corrected {:.3}", rms(&before), rms(&after));
    assert!(rms(&before) > 0.1 && rms(&after) < 0.1 * rms(&before), "{} {}", rms(&before), rms(&after));
}
