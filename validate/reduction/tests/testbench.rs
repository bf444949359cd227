//! Closure on the `testbench` instrument: its own effects forward, masters from its calibration exposures, frames that
//! were not in the masters backward. The richer model than the corrections assume: the level drifts within overscan bins.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod testbench_frames;

use instruments::description;
use instruments::product::level0::read_level0;
use reduction::{CalibrationOptions, Master, Options, calibrate, reduce_frame};
use sim_core::exposure::ExposureKind;
use std::path::{Path, PathBuf};
use testbench_frames::Exposing;

fn expose(folder: &Path, id: u64, kind: ExposureKind, time_s: f64) -> PathBuf {
    let instrument = &description::load("testbench").unwrap();
    let exposing = Exposing { instrument, folder, seed: 4, ids_per_day: 100.0, nominal_full_well_electron: 50_000.0, without: None };
    exposing.expose(id, kind, time_s, None)
}

#[test]
fn frames_outside_the_masters_close_within_their_errors() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let lamp = ExposureKind::Flat { rate_electron_s: 500.0 };
    let mut files: Vec<PathBuf> = (0..11).map(|i| expose(at, 100 + i, ExposureKind::Bias, 0.0)).collect();
    files.extend((0..10).map(|i| expose(at, 200 + i, ExposureKind::Dark, 60.0)));
    files.extend((0..10).map(|i| expose(at, 300 + i, lamp, 40.0)));
    files.extend((0..6).map(|i| expose(at, 400 + i, lamp, 4.0)));
    let set = calibrate(&files, &at.join("masters"), CalibrationOptions::default()).unwrap();
    for (id, kind, time_s) in [
        (901, ExposureKind::Bias, 0.0),
        (902, ExposureKind::Dark, 60.0),
        (903, lamp, 40.0),
        (904, lamp, 10.0),
        (905, ExposureKind::Science, 60.0),
    ] {
        let level0 = read_level0(&expose(at, id, kind, time_s)).unwrap();
        let calibration = set.of(&level0.info).unwrap();
        assert!(calibration.reference(Master::Shutter).unwrap().is_some());
        let level1 = reduce_frame(level0.clone(), &calibration, &Options::default()).unwrap();
        let (bits, variance) = (level1.rate.flags.as_ref().unwrap(), level1.rate.variance.as_ref().unwrap());
        let kept: Vec<(usize, usize)> = bits.indexed_iter().filter(|(_, b)| **b == 0).map(|(at, _)| at).collect();
        // Light: the scale is the flat's median, and the sky has a slope: subtract its own plane.
        let expected = match kind {
            ExposureKind::Bias | ExposureKind::Dark => [0.0; 3],
            _ => plane(&kept, &level1.rate.pixels, variance),
        };
        let model = |(y, x): (usize, usize)| expected[0] + expected[1] * (x as f64 / 96.0 - 1.0) + expected[2] * (y as f64 / 64.0 - 1.0);
        let pulls: Vec<f64> =
            kept.iter().map(|&at| (f64::from(level1.rate.pixels[at]) - model(at)) / f64::from(variance[at]).sqrt()).collect();
        let count = pulls.len() as f64;
        let mean = pulls.iter().sum::<f64>() / count;
        let width = (pulls.iter().map(|p| (p - mean).powi(2)).sum::<f64>() / count).sqrt();
        let of_bit = |k: u32| (k, bits.iter().filter(|b| **b >> k & 1 == 1).count());
        println!("flags: {:?}", (0..32).map(of_bit).filter(|(_, n)| *n > 0).collect::<Vec<_>>());
        println!("{kind:?} {time_s} s: mean {mean:.4}, width {width:.4}, {count} pixels");
        // 24,576 pixels: 0.0064 and 0.0045. Levels come from 16 overscan pixels per bin of two rows, a quarter of the read noise,
        // common to 192 pixels in 128 bins: 0.022 in the mean. Masters from 10 frames add a tenth of that in variance.
        assert!(mean.abs() < 5.0 * 0.0064_f64.hypot(0.024) + 0.011, "{kind:?}: mean {mean}");
        assert!((width - 1.0).abs() < 5.0 * 0.0045 + 0.01, "{kind:?}: width {width}");
        assert!(kept.len() > 24_000, "0.5 % hot pixels and few more are flagged: {}", kept.len());
    }
}

/// Weighted least-squares plane over the frame.
fn plane(kept: &[(usize, usize)], pixels: &ndarray::Array2<f32>, variance: &ndarray::Array2<f32>) -> [f64; 3] {
    let (mut normal, mut right) = (nalgebra::Matrix3::<f64>::zeros(), nalgebra::Vector3::<f64>::zeros());
    for &(y, x) in kept {
        let basis = nalgebra::Vector3::new(1.0, x as f64 / 96.0 - 1.0, y as f64 / 64.0 - 1.0);
        normal += basis * basis.transpose() / f64::from(variance[(y, x)]);
        right += basis * f64::from(pixels[(y, x)]) / f64::from(variance[(y, x)]);
    }
    let solution = normal.try_inverse().unwrap() * right;
    [solution[0], solution[1], solution[2]]
}
