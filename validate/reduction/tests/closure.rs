//! Closure: masters and reduced frames agree with the truth of a hand-made detector within their own errors.
//!
//! 98,304 pixels: a mean pull is good to 0.0032, a width to 0.0023. The masters' noise is common to their pixels only, so
//! pulls of independent pixels are independent; tolerances are 5 sigma plus the systematic terms named beside them.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod bench;

use bench::{Bench, DARK, DEAD, HOT, READ_NOISE, WARM, only, pulls};
use instruments::product::level0::read_level0;
use reduction::{CalibrationOptions, CalibrationSet, Master, Options, ReductionError, calibrate, reduce, reduce_frame};
use sim_core::detector::Scans;
use sim_core::exposure::ExposureKind;
use sim_core::fits::{self, Data};
use sim_core::flags;
use sim_core::level1::Level1Files;

const WIDTH: f64 = 5.0 * 0.0023;

/// Five times the error of the mean pull of a frame: its pixels; the overscan levels of the frame and of the darks (0.7
/// electron common to each of 256 bins); the electron scale, known as well as the mean gain; and 0.011 for what
/// the local shot noise keeps of the pixel's own.
fn tolerances(time_s: f64, rate: f64, variance: &ndarray::Array2<f32>, calibration: &reduction::DetectorCalibration) -> f64 {
    let unit = if time_s > 0.0 { time_s } else { 1.0 };
    let sigma = f64::from(variance[(128, 200)]).sqrt() * unit;
    let gain = calibration.gain.iter().map(|g| (g.error / g.value).powi(2)).sum::<f64>().sqrt() / 8.0;
    let levels = 0.7 / 16.0 * (time_s / 150.0).max(1.0) / sigma;
    5.0 * (0.0032_f64.powi(2) + levels.powi(2) + (gain * rate * unit / sigma).powi(2)).sqrt() + 0.011
}

fn science(bench: &Bench, id: u64) -> std::path::PathBuf {
    bench.expose(id, ExposureKind::Science, 150.0, &|_, _| 0.2)
}

#[test]
fn masters_agree_with_the_truth_within_their_errors() {
    let bench = Bench::new(Scans::Full);
    let set = calibrate(&bench.calibration(), &bench.masters(), CalibrationOptions::default()).unwrap();
    let level0 = read_level0(&science(&bench, 990)).unwrap();
    let calibration = set.of(&level0.info).unwrap();
    let reference = |master| calibration.reference(master).unwrap().unwrap();
    for amplifier in 0..8 {
        let gain = calibration.gain[amplifier];
        assert!((gain.value - Bench::gain(amplifier)).abs() < 5.0 * gain.error, "amplifier {amplifier}: {gain:?}");
        assert!(gain.error < 0.01 * gain.value);
        // Rounding to whole counts adds gain^2 / 12 electron^2.
        let noise = calibration.read_noise[amplifier];
        let expected = (READ_NOISE.powi(2) + Bench::gain(amplifier).powi(2) / 12.0).sqrt();
        assert!((noise.value - expected).abs() < 5.0 * noise.error, "amplifier {amplifier}: {noise:?}");
    }
    let (bias, flat) = (reference(Master::Bias), reference(Master::Flat));
    let good = |y: usize, x: usize| (y, x) != DEAD && (y, x) != (HOT.0, HOT.1) && (y, x) != (WARM.0, WARM.1);
    // The level of an amplifier is known from 64 overscan pixels per bin of 4 rows: an eighth of a pixel's error is common to a
    // bin. Over 256 bins this moves the mean by 1/128 of a pull; it is not in the master's variance: width up by 1/128.
    let (mean, width, _) = pulls(&bias.image, &bias.variance, |_, x| 2.0 * (x as f64 / 7.0).sin(), good);
    assert!(mean.abs() < 5.0 * 0.0032_f64.hypot(1.0 / 128.0), "bias mean {mean}");
    assert!((width - 1.0 - 1.0 / 128.0).abs() < WIDTH, "bias width {width}");
    let (dark, inverse_time_s) = (reference(Master::Dark), calibration.dark_inverse_time_s.unwrap());
    // The dark also carries the error of the bias it was cleaned with.
    let mut variance = dark.variance.clone();
    for ((y, x), v) in variance.indexed_iter_mut() {
        let gain = calibration
            .layout
            .tiles
            .iter()
            .find(|t| t.science.x0 <= x && x < t.science.x0 + t.science.nx && t.science.y0 <= y && y < t.science.y0 + t.science.ny);
        let gain = calibration.gain[gain.unwrap().amplifier].value;
        *v += bias.variance[(y, x)] * (gain * inverse_time_s).powi(2) as f32;
    }
    let (mean, width, _) = pulls(&dark.image, &variance, |_, _| DARK, good);
    assert!(mean.abs() < 5.0 * 0.0032_f64.hypot(1.0 / 128.0), "dark mean {mean}");
    assert!((width - 1.0 - 1.0 / 128.0).abs() < WIDTH + 0.005, "dark width {width}");
    // The flat's normalisation is the median of the true one over the window.
    let mut values: Vec<f64> = (0..256).flat_map(|y| (0..384).map(move |x| (y, x))).map(|(y, x)| bench.flat(y, x)).collect();
    values.sort_by(f64::total_cmp);
    let middle = values[values.len() / 2];
    // An amplifier's gain error divides out in use but shows here: compare within amplifiers.
    for tile in &calibration.layout.tiles {
        let ratio = calibration.gain[tile.amplifier].value / Bench::gain(tile.amplifier);
        let inside = |y: usize, x: usize| {
            good(y, x)
                && (tile.science.x0..tile.science.x0 + tile.science.nx).contains(&x)
                && (tile.science.y0..tile.science.y0 + tile.science.ny).contains(&y)
        };
        let (_, width, count) = pulls(&flat.image, &flat.variance, |y, x| bench.flat(y, x) / middle * ratio, inside);
        assert!((width - 1.0).abs() < 5.0 / (2.0 * count).sqrt() + 0.01, "flat width {width}");
    }
    let shutter = reference(Master::Shutter);
    for (y, x) in [(0, 0), (128, 192), (255, 383), (10, 300)] {
        let (got, error) = (f64::from(shutter.image[(y, x)]), f64::from(shutter.variance[(y, x)]).sqrt());
        assert!((got - bench.shutter(y, x)).abs() < 5.0 * error, "({y}, {x}): {got} +- {error}, truth {}", bench.shutter(y, x));
        assert!(error < 0.01);
    }
}

#[test]
fn reduced_frames_scatter_as_their_variance_says() {
    for scans in [Scans::Full, Scans::Trimmed] {
        let bench = Bench::new(scans);
        let set = calibrate(&bench.calibration(), &bench.masters(), CalibrationOptions::default()).unwrap();
        let mut values: Vec<f64> = (0..256).flat_map(|y| (0..384).map(move |x| (y, x))).map(|(y, x)| bench.flat(y, x)).collect();
        values.sort_by(f64::total_cmp);
        let middle = values[values.len() / 2];
        let lamp = ExposureKind::Flat { rate_electron_s: 500.0 };
        let frames = [
            (bench.expose(991, ExposureKind::Bias, 0.0, &|_, _| 0.0), 0.0),
            (bench.expose(992, ExposureKind::Dark, 150.0, &|_, _| 0.0), 0.0),
            (bench.expose(993, ExposureKind::Dark, 600.0, &|_, _| 0.0), 0.0),
            (bench.expose(994, ExposureKind::Science, 150.0, &|_, _| 0.2), 0.2 * middle),
            (bench.expose(995, ExposureKind::Science, 30.0, &|_, _| 0.2), 0.2 * middle),
            (bench.expose(996, lamp, 10.0, &|_, _| 0.0), 500.0 * middle),
        ];
        for (path, expected) in frames {
            let level0 = read_level0(&path).unwrap();
            let level1 = reduce_frame(level0.clone(), &set.of(&level0.info).unwrap(), &Options::default()).unwrap();
            let bits = level1.rate.flags.as_ref().unwrap();
            let variance = level1.rate.variance.as_ref().unwrap();
            let (mean, width, _) = pulls(&level1.rate.pixels, variance, |_, _| expected, |y, x| bits[(y, x)] == 0);
            let tolerance = tolerances(level0.info.observation.time_s, expected, variance, &set.of(&level0.info).unwrap());
            assert!(mean.abs() < tolerance, "{path:?} {scans:?}: mean {mean}, allowed {tolerance}");
            assert!((width - 1.0).abs() < WIDTH + 0.005, "{path:?} {scans:?}: width {width}");
            if level0.info.observation.kind == ExposureKind::Science {
                let sky = level1.background.unwrap();
                // The median of counts lies up to a sixth of an electron below their mean; its error is 1.25 of the mean's.
                let allowed = 1.0 / (6.0 * level0.info.observation.time_s) + 5.0 * 1.25 * sky.rms / (bits.len() as f64).sqrt();
                assert!((sky.level - expected).abs() < allowed, "{path:?} {scans:?}: {sky:?}, expected {expected}");
            }
        }
    }
}

#[test]
fn defects_and_saturation_are_flagged_by_the_official_definitions() {
    let bench = Bench::new(Scans::Full);
    let set = calibrate(&bench.calibration(), &bench.masters(), CalibrationOptions::default()).unwrap();
    let path = bench.expose(991, ExposureKind::Science, 150.0, &|y, x| if (y, x) == (70, 70) { 1000.0 } else { 0.2 });
    let level0 = read_level0(&path).unwrap();
    let level1 = reduce_frame(level0.clone(), &set.of(&level0.info).unwrap(), &Options::default()).unwrap();
    let bits = level1.rate.flags.as_ref().unwrap();
    assert_ne!(bits[(HOT.0, HOT.1)] & flags::HOT, 0, "3 electron/s x 150 s is above 25");
    assert_eq!(bits[(WARM.0, WARM.1)] & (flags::HOT | flags::WARM), flags::WARM, "0.13 x 150 = 19.5 lies between 12.5 and 25");
    assert_ne!(bits[DEAD] & flags::BAD, 0);
    assert_ne!(bits[(70, 70)] & flags::SATURATED, 0, "150,000 electrons on a well of 60,000");
    // By noise alone: 4 sigma, 3e-5 of 98,304 pixels, 3; more than 12 has a probability of 1e-5.
    assert!(bits.iter().filter(|b| **b != 0).count() < 16);
    // The ceiling is the nominal full well here: 57,000 electrons in 150 s.
    assert!((level1.saturation - 57_000.0 / 150.0).abs() < 1e-9);
}

#[test]
fn products_have_the_official_files_and_states_and_the_same_bits_again() {
    let bench = Bench::new(Scans::Full);
    let calibration = bench.calibration();
    calibrate(&calibration, &bench.masters(), CalibrationOptions::default()).unwrap();
    let set = CalibrationSet::open(&bench.masters()).unwrap();
    let (files, _) = reduce(&science(&bench, 990), &set, &Options::default(), &bench.out()).unwrap();
    let Level1Files::Imaging { image, weight, flags } = &files else { panic!("an imaging detector: {files:?}") };
    let image = fits::read(image).unwrap();
    let header = &image[1].header;
    for (key, value) in [
        ("STA_INST", 0),
        ("STA_BIAS", 0),
        ("STA_DARK", 0),
        ("STA_FLAT", 0),
        ("STA_SHUT", 0),
        ("STA_CTE", 1),
        ("STA_CRS", 1),
        ("STA_SAT", 1),
        ("STA_NLIN", 1),
        ("STA_POSI", 1),
        ("STA_FLUX", 1),
        ("CRCOUNT", -9999),
        ("CRHITS", -9999),
        ("STA_QC0", 0),
        ("STA_QC1", -1),
        ("Q_DTNOIS", 0),
        ("Q_DTDEAD", 0),
        ("Q_CHKSUM", 0),
        // Without telemetry, or not looked at: the fill values of the official keyword table; F_* have none there, so -1, the
        // fill of all integers.
        ("Q_SHUTTR", 1),
        ("Q_COOLNG", 1),
        ("Q_DTTEMP", 1),
        ("Q_DIFPAT", 1),
        ("Q_XTALK", 1),
        ("Q_BRIBKG", 1),
        ("Q_FOCUS", 1),
        ("Q_WCS", 1),
        ("F_TELSCP", -1),
        ("F_GUIDER", -1),
        ("F_DETECT", -1),
    ] {
        assert_eq!(header.i64(key), Some(value), "{key}");
    }
    assert_eq!(header.f64("ZP"), Some(-9999.0));
    // The stamp is the end of the exposure, which starts 0.01 d after midnight.
    assert_eq!(header.text("STM_INST"), Some("2028-01-10T21:38:30.000"));
    assert!(header.history.iter().any(|h| h.contains("cosmic_rays: SKIPPED")), "{:?}", header.history);
    let (Data::F32(rate), Data::F32(weight), Data::U16(bits)) =
        (&image[1].data, &fits::read(weight).unwrap()[1].data, &fits::read(flags).unwrap()[1].data)
    else {
        panic!("types of the three files");
    };
    assert_eq!((rate.dim(), weight.dim(), bits.dim()), ((256, 384), (256, 384), (256, 384)));
    assert!(weight.iter().zip(bits).all(|(w, b)| (*b != 0) == (*w == 0.0)));

    // Again, in one thread and in bands of a few rows: the same bytes.
    let single = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let again = bench.folder.path().join("again");
    single.install(|| {
        let mut reversed = calibration.clone();
        reversed.reverse();
        calibrate(&reversed, &again, CalibrationOptions { memory_bytes: 4 * 384 * 256 * 4 - 5000, ..CalibrationOptions::default() })
            .unwrap();
        let set = CalibrationSet::open(&again).unwrap();
        reduce(&science(&bench, 990), &set, &Options::default(), &again).unwrap();
    });
    for kind in ["MBIAS", "MDARK", "MFLAT", "MSHUT"] {
        let bytes = |folder: &std::path::Path| std::fs::read(only(folder, kind)).unwrap();
        assert!(bytes(&bench.masters()) == bytes(&again), "{kind} differs");
    }
    for part in ["_img_", "_wht_", "_flg_"] {
        let bytes = |folder: &std::path::Path| std::fs::read(only(folder, part)).unwrap();
        assert!(bytes(&bench.out()) == bytes(&again), "{part} differs");
    }
}

#[test]
fn frames_without_information_and_lost_rows_are_not_passed_on_silently() {
    let bench = Bench::new(Scans::Full);
    let set = calibrate(&bench.calibration(), &bench.masters(), CalibrationOptions::default()).unwrap();
    let level0 = read_level0(&science(&bench, 990)).unwrap();
    let calibration = set.of(&level0.info).unwrap();
    for value in [0, 65_535, 700] {
        let mut broken = level0.clone();
        broken.pixels.fill(value);
        assert!(matches!(reduce_frame(broken.clone(), &calibration, &Options::default()), Err(ReductionError::Refused { .. })), "{value}");
    }
    let mut lost = level0.clone();
    for y in 20..24 {
        lost.pixels.row_mut(y).fill(0);
    }
    let level1 = reduce_frame(lost.clone(), &calibration, &Options::default()).unwrap();
    assert_eq!(level1.qc0.status(), 1);
    let bits = level1.rate.flags.as_ref().unwrap();
    assert!((0..384).all(|x| bits[(22, x)] & flags::NO_DATA != 0 && bits[(30, x)] & flags::NO_DATA == 0));
    let mut dead = level0;
    let tile = dead.info.layout.tiles[2].raw;
    dead.pixels.slice_mut(ndarray::s![tile.y0..tile.y0 + tile.ny, tile.x0..tile.x0 + tile.nx]).fill(520);
    assert_eq!(reduce_frame(dead.clone(), &calibration, &Options::default()).unwrap().qc0.dead, reduction::qc0::Verdict::Bad);
}

#[test]
fn too_few_frames_and_foreign_frames_are_named() {
    let bench = Bench::new(Scans::Full);
    let files = bench.calibration();
    let error = calibrate(&files[..2], &bench.masters(), CalibrationOptions::default()).unwrap_err();
    assert!(error.to_string().contains("three bias frames"), "{error}");
    let error = calibrate(&files[..17], &bench.masters(), CalibrationOptions::default()).unwrap_err();
    assert!(error.to_string().contains("two flats"), "{error}");
    let twice = [files.clone(), vec![files[1].clone()]].concat();
    let error = calibrate(&twice, &bench.masters(), CalibrationOptions::default()).unwrap_err();
    assert!(error.to_string().contains("there twice"), "{error}");
    let frame = science(&bench, 990);
    let error = calibrate(std::slice::from_ref(&frame), &bench.masters(), CalibrationOptions::default()).unwrap_err();
    assert!(matches!(error, ReductionError::TooFew { detector: 7, .. }), "{error}");
    // Nothing was finished, so there is no index.
    let error = CalibrationSet::open(&bench.masters()).unwrap_err();
    assert!(error.to_string().contains("index.csv"), "{error}");
}

#[test]
fn calibration_of_another_detector_or_date_is_refused_by_name() {
    let bench = Bench::new(Scans::Full);
    let short = CalibrationOptions { validity_days: 12.0, ..CalibrationOptions::default() };
    let set = calibrate(&bench.calibration(), &bench.masters(), short).unwrap();
    let reduced = |id: u64, set: &CalibrationSet| reduce(&science(&bench, id), set, &Options::default(), &bench.out());
    assert!(reduced(990, &set).is_ok());
    for (id, day) in [(1, "before the first exposure"), (1990, "after the end")] {
        let error = reduced(id, &set).unwrap_err().to_string();
        assert!(error.contains("no MBIAS holds for its date") && error.contains(" to "), "{day}: {error}");
    }
    let trimmed = Bench::new(Scans::Trimmed);
    let error = reduce(&science(&trimmed, 990), &set, &Options::default(), &bench.out()).unwrap_err().to_string();
    assert!(error.contains("no calibration of detector") && error.contains("with scans"), "{error}");
}
