//! Closure on the `testbench` instrument: its own effects forward, masters from its calibration exposures, frames that
//! were not in the masters backward. The richer model than the corrections assume: the level drifts within overscan bins.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use instruments::chain::Chain;
use instruments::description;
use instruments::product::level0::{Level0Meta, read_level0, write_level0};
use instruments::product::names::NameStyle;
use reduction::{CalibrationOptions, Master, Options, calibrate, reduce_frame};
use sim_core::detector::{ReadoutLayout, Scans};
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::frame::Frame;
use sim_core::plane::Light;
use sim_core::wcs::detector_wcs;
use std::path::{Path, PathBuf};

fn expose(folder: &Path, id: u64, kind: ExposureKind, time_s: f64) -> PathBuf {
    let instrument = description::load("testbench").unwrap();
    let spec = &instrument.detectors[&1];
    let pointing = Pointing { ra_deg: 10.0, dec_deg: 20.0, rotation_deg: 30.0 };
    let sky_electron_s = if kind == ExposureKind::Science { 0.5 } else { 0.0 };
    let exposure = Exposure { id, kind, pointing, start_mjd: 61_771.0 + id as f64 / 100.0, time_s, sky_electron_s };
    let window = spec.geometry.full_window();
    let layout = ReadoutLayout::new(&spec.geometry, window, Scans::Full);
    let cx = Context {
        exposure: &exposure,
        geometry: &spec.geometry,
        layout: &layout,
        window,
        effect: "chain",
        seed: 4,
        device_seed: spec.device_seed,
    };
    let (counts, _) = Chain::new(&instrument, spec).unwrap().run(Frame::<Light>::zeros(window), &cx, &mut |_| {}).unwrap();
    let wcs = detector_wcs(&spec.geometry, &pointing, instrument.parity, None);
    let amplifiers = layout.amplifier_count;
    let meta = Level0Meta {
        instrument: &instrument.name,
        geometry: &spec.geometry,
        exposure: &exposure,
        layout: &layout,
        wcs: &wcs,
        object: "closure",
        nominal_gain: &vec![1.5; amplifiers],
        nominal_read_noise_electron: &vec![4.0; amplifiers],
        nominal_full_well_electron: Some(50_000.0),
        software: "test",
        style: &NameStyle::default(),
    };
    let path = folder.join(meta.name().file_name());
    write_level0(&path, &counts, &meta).unwrap();
    path
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
