//! Closed loop of the amplifiers' responses and the full wells: ramps of flats through the simulator's own effects, saturated ones
//! among them; references measured, written and read back; a held-out flat reduced with and without them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod testbench_frames;

use instruments::description::{self, Instrument};
use instruments::effects::non_linearity::{Linearise, responses};
use instruments::effects::{digitise, non_linearity};
use instruments::product::level0::read_level0;
use reduction::{CalibrationOptions, CalibrationSet, Options, calibrate, reduce_frame};
use sim_core::exposure::ExposureKind;
use sim_core::flags::{BLEED, NONLINEAR, SATURATED};
use std::path::{Path, PathBuf};
use testbench_frames::Exposing;

const LAMP: ExposureKind = ExposureKind::Flat { rate_electron_s: 500.0 };
const CAPACITY: f64 = 50_000.0;

struct Bench {
    instrument: Instrument,
    folder: tempfile::TempDir,
}

impl Bench {
    /// The testbench with its bent responses and its bleeding switched on.
    fn new() -> Self {
        let mut instrument = description::load("testbench").unwrap();
        instrument.chain.off.retain(|name| !["bleeding", "non_linearity"].contains(&name.as_str()));
        Self { instrument, folder: tempfile::tempdir().unwrap() }
    }
    fn expose(&self, id: u64, kind: ExposureKind, time_s: f64, light: &dyn Fn(usize, usize) -> f32) -> PathBuf {
        let exposing = Exposing {
            instrument: &self.instrument,
            folder: self.folder.path(),
            seed: 11,
            ids_per_day: 500.0,
            // Deliberately wrong: the reduction must measure its own.
            nominal_full_well_electron: 1.3 * CAPACITY,
            without: None,
        };
        let shape = self.instrument.detectors[&1].geometry.full_window().shape();
        exposing.expose(id, kind, time_s, Some(ndarray::Array2::from_shape_fn(shape, |(y, x)| light(y, x))))
    }
    fn dark(&self, id: u64, kind: ExposureKind, time_s: f64) -> PathBuf {
        self.expose(id, kind, time_s, &|_, _| 0.0)
    }
    fn masters(&self, ramp_times_s: &[f64], name: &str) -> CalibrationSet {
        let mut files: Vec<PathBuf> = (0..9).map(|i| self.dark(100 + i, ExposureKind::Bias, 0.0)).collect();
        files.extend((0..6).map(|i| self.dark(200 + i, ExposureKind::Dark, 60.0)));
        files.extend((0..8).map(|i| self.dark(300 + i, LAMP, 40.0)));
        files.extend((0..6).map(|i| self.dark(400 + i, LAMP, 4.0)));
        for (k, time_s) in ramp_times_s.iter().enumerate() {
            files.extend((0..2).map(|i| self.dark(500 + 2 * k as u64 + i, LAMP, *time_s)));
        }
        calibrate(&files, &self.folder.path().join(name), CalibrationOptions::default()).unwrap();
        // As another run finds them.
        CalibrationSet::open(&self.folder.path().join(name)).unwrap()
    }
    /// Mean rate of unflagged pixels of a reduced flat.
    fn rate(&self, set: &CalibrationSet, path: &Path) -> f64 {
        let level0 = read_level0(path).unwrap();
        let level1 = reduce_frame(level0.clone(), &set.of(&level0.info).unwrap(), &Options::default()).unwrap();
        let flags = level1.rate.flags.as_ref().unwrap();
        let good = level1.rate.pixels.iter().zip(flags).filter(|(_, f)| **f == 0).map(|(v, _)| f64::from(*v));
        let (sum, count) = good.fold((0.0, 0.0), |(s, n), v| (s + v, n + 1.0));
        assert!(count > 20_000.0, "{count} pixels");
        sum / count
    }
}

const RAMP_S: [f64; 12] = [1.0, 8.0, 14.0, 20.0, 28.0, 50.0, 60.0, 70.0, 80.0, 88.0, 115.0, 150.0];

#[test]
fn ramps_give_responses_and_full_wells_and_the_flats_above_are_left_out() {
    let bench = Bench::new();
    let set = bench.masters(&RAMP_S, "masters");
    let bright = bench.dark(901, LAMP, 84.0);
    let info = read_level0(&bright).unwrap().info;
    let calibration = set.of(&info).unwrap();
    let knowledge = calibration.knowledge(&info).unwrap();
    let linearity = knowledge.linearity.clone().expect("a ramp was taken");
    let spec = &bench.instrument.detectors[&1];
    let (scale, bends) = responses(spec).unwrap();
    let linearise = Linearise::new(&linearity, &knowledge.layout).unwrap();
    let mut worst = 0.0_f64;
    for (amplifier, bends) in bends.iter().enumerate() {
        let fit = linearity.amplifiers[amplifier].as_ref().unwrap();
        // The faintest flat has 500 electrons in 12,000 pixels of an amplifier: its mean is good to 4e-4.
        assert!(fit.residual < 5.0 * 4e-4 && (1..=6).contains(&fit.coefficients.len()), "{fit:?}");
        // 88 s are calibrated, 44,000 of 50,000 electrons; flats of 115 s are full.
        let full_adu = CAPACITY / digitise::amplifier_gains(spec).unwrap()[amplifier];
        assert!((0.84..0.96).contains(&(fit.ceiling_adu / full_adu)), "{} of {full_adu}", fit.ceiling_adu);
        let curve = non_linearity::model::Curve::new(bends, scale, 2.0 * scale).unwrap();
        for step in 1..=40 {
            let linear = fit.ceiling_adu as f32 * step as f32 / 40.0;
            let mut counts = [linear];
            non_linearity::model::bend(&mut counts, &curve);
            linearise.row(amplifier, &mut counts);
            worst = worst.max(f64::from((counts[0] / linear - 1.0).abs()));
        }
    }
    println!("greatest departure after correction {worst:.2e}");
    assert!(worst < 5e-4, "residual non-linearity {worst}");

    let (gain, true_gain) = (knowledge.gain.clone().unwrap(), digitise::amplifier_gains(spec).unwrap());
    let wells = knowledge.full_wells.clone().expect("two levels are full");
    for (amplifier, (gain, truth)) in gain.iter().zip(true_gain).enumerate() {
        assert!((gain.value - truth).abs() < 5.0 * gain.error, "amplifier {amplifier}: {gain:?} for {truth}");
        let well = wells.amplifiers[amplifier].unwrap();
        // The gain's error is the level's too: taken out.
        let capacity = well.capacity.value / gain.value * truth;
        println!("amplifier {amplifier}: full well {capacity:.0}, scatter {:.1}", well.scatter_electron);
        assert!((capacity / CAPACITY - 1.0).abs() < 1e-3, "amplifier {amplifier}: {capacity}");
    }

    // A held-out pair of flats, ten times apart: after shutter and flat their rates are equal, but for what bends.
    let faint = bench.dark(902, LAMP, 8.4);
    let straight = bench.masters(&[], "without_ramp");
    let departure = |set: &CalibrationSet| bench.rate(set, &bright) / bench.rate(set, &faint) - 1.0;
    let (before, after) = (departure(&straight), departure(&set));
    println!("84 s against 8.4 s: {before:.5} before, {after:.5} after");
    // Noise: 24,000 pixels of 4200 electrons: 1e-4; the shutter's map the same; levels of the overscan 0.3 electron.
    assert!(before < -3e-3, "bent: {before}");
    assert!(after.abs() < 8e-4, "straightened: {after}");

    // A star that bleeds: every pixel it changed and no clean one is flagged, from the measured level alone.
    let star = bench.expose(903, ExposureKind::Science, 60.0, &|y, x| if (y, x) == (40, 50) { 9.0 * CAPACITY as f32 } else { 100.0 });
    let level0 = read_level0(&star).unwrap();
    let level1 = reduce_frame(level0, &calibration, &Options::default()).unwrap();
    let flags = level1.rate.flags.unwrap();
    let bled: Vec<usize> = (0..128).filter(|&y| flags[[y, 50]] & BLEED != 0).collect();
    // Nine wells less the response of the pixel, at most 5 % and 1.5 %: four pixels to either side, and the ends.
    assert!(bled.contains(&40) && (9..=12).contains(&bled.len()) && bled.windows(2).all(|p| p[1] == p[0] + 1), "{bled:?}");
    assert!(bled.iter().all(|&y| flags[[y, 50]] & SATURATED != 0));
    assert!(bled[1..bled.len() - 1].iter().all(|&y| flags[[y, 50]] & NONLINEAR != 0), "full pixels lie above the calibrated range");
    assert_eq!(flags.iter().filter(|f| **f & BLEED != 0).count(), bled.len());
}

#[test]
fn without_a_ramp_the_step_is_skipped_with_the_reason() {
    let bench = Bench::new();
    let set = bench.masters(&[], "masters");
    let level0 = read_level0(&bench.dark(901, LAMP, 30.0)).unwrap();
    let level1 = reduce_frame(level0.clone(), &set.of(&level0.info).unwrap(), &Options::default()).unwrap();
    assert!(!level1.is_done("non_linearity") && level1.is_done("full_well") && level1.is_done("bleeding"));
}

#[test]
fn a_calibration_with_saturated_flats_alone_is_refused() {
    let bench = Bench::new();
    let mut files: Vec<PathBuf> = (0..3).map(|i| bench.dark(100 + i, ExposureKind::Bias, 0.0)).collect();
    let blinding = ExposureKind::Flat { rate_electron_s: 5e4 };
    let light = |_: usize, _: usize| 0.0;
    // Without full well the converter is at its ceiling.
    let mut open = Bench { instrument: bench.instrument.clone(), folder: tempfile::tempdir().unwrap() };
    open.instrument.chain.off.extend(["bleeding".to_string(), "full_well".to_string()]);
    files.extend((0..2).map(|i| open.expose(300 + i, blinding, 10.0, &light)));
    let error = calibrate(&files, &bench.folder.path().join("masters"), CalibrationOptions::default()).unwrap_err().to_string();
    assert!(error.contains("at the converter's ceiling") && error.contains("lower the lamp or the time"), "{error}");
}
