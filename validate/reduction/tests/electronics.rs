//! Closed loop of the electronics and of defects: the survey camera's numbers on a small chip, measured from its own calibration
//! frames, which see level-0 counts alone, and undone.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use instruments::chain::{Chain, counts_to_u16};
use instruments::description::{self, ChainOrder, DetectorSpec};
use instruments::effects::bad_columns::column_defects;
use instruments::effects::bias::SubtractOverscan;
use instruments::effects::crosstalk::coupling;
use instruments::effects::defects::{cold_pixels, model::moments_of_time_on, telegraph_pixels};
use instruments::effects::digitise::{amplifier_gains, model::trim};
use instruments::effects::registry;
use instruments::product::level0::{Level0Meta, read_level0, write_level0};
use instruments::product::names::NameStyle;
use ndarray::{Array2, s};
use reduction::crosstalk_fit::{self, CrosstalkFitError};
use reduction::defect_search::FlatPair;
use reduction::{CalibrationOptions, Options, calibrate, reduce_frame};
use reduction::{defect_search, overscan_fit};
use sim_core::correction::Correction;
use sim_core::detector::{AmplifierGrid, ReadoutLayout, Scans};
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::flags;
use sim_core::frame::{Frame, Window};
use sim_core::knowledge::{ColumnDefect, ColumnFault, Knowledge, Measured, OverscanKnowledge, Reference};
use sim_core::plane::{Counts, Light};
use sim_core::wcs::{Parity, detector_wcs};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const BIAS: ExposureKind = ExposureKind::Bias;
const DARK: ExposureKind = ExposureKind::Dark;

struct Device {
    spec: DetectorSpec,
    order: ChainOrder,
    layout: ReadoutLayout,
    window: Window,
    gain: Vec<f64>,
}

impl Device {
    /// Chip 8 of the survey camera cut down to `nx` x `ny`, with some effects on and some of its numbers changed.
    fn new(nx: usize, ny: usize, with: &[&str], changes: &[(&str, &str, f64)]) -> Self {
        let instrument = description::load("msc").unwrap();
        let mut spec = instrument.detectors[&8].clone();
        let amplifiers = AmplifierGrid { columns: 8, rows: 2, prescan_x: 27, overscan_x: 71, overscan_y: 10 };
        spec.geometry = sim_core::detector::DetectorGeometry { nx, ny, amplifiers, ..spec.geometry };
        for (effect, key, value) in changes {
            registry::set_parameters(&mut spec, effect, &[((*key).to_string(), *value)], "changed for a test").unwrap();
        }
        let mut order = instrument.chain.clone();
        order.off.retain(|name| !with.contains(&name.as_str()));
        order.light.retain(|name| name != "shutter");
        let window = spec.geometry.full_window();
        let layout = ReadoutLayout::new(&spec.geometry, window, Scans::Full);
        let gain = amplifier_gains(&spec).unwrap();
        Self { spec, order, layout, window, gain }
    }
    fn expose(&self, id: u64, kind: ExposureKind, time_s: f64) -> Array2<u16> {
        self.expose_light(id, kind, time_s, Frame::zeros(self.window))
    }
    fn expose_light(&self, id: u64, kind: ExposureKind, time_s: f64, light: Frame<Light>) -> Array2<u16> {
        let pointing = Pointing { ra_deg: 0.0, dec_deg: 0.0, rotation_deg: 0.0 };
        let exposure = Exposure { id, kind, pointing, start_mjd: 61_000.0, time_s, sky_electron_s: 0.0 };
        let (layout, geometry) = (&self.layout, &self.spec.geometry);
        let device_seed = self.spec.device_seed;
        let cx = Context { exposure: &exposure, geometry, layout, window: self.window, effect: "", seed: 77, device_seed };
        let chain = Chain::from_order(&self.order, &self.spec).unwrap();
        counts_to_u16(&chain.run(light, &cx, &mut |_| ()).unwrap().0)
    }
    /// Overscan subtracted and trimmed \[ADU\].
    fn trimmed(&self, raw: &Array2<u16>) -> Array2<f32> {
        let mut frame = Frame::<Counts>::from_pixels(raw.mapv(f32::from), self.window);
        SubtractOverscan::new(self.layout.clone()).correct(&mut frame).unwrap();
        trim(frame.pixels, &self.layout, self.window)
    }
    /// Mean of frames without the largest value of every pixel, which may be a hit \[ADU\]. Of one frame: itself.
    fn combined(&self, frames: &[Array2<u16>]) -> Array2<f32> {
        let stack: Vec<Array2<f32>> = frames.iter().map(|raw| self.trimmed(raw)).collect();
        let kept = stack.len().saturating_sub(1).max(1) as f32;
        Array2::from_shape_fn(self.window.shape(), |p| {
            let largest = if stack.len() > 1 { stack.iter().map(|f| f[p]).fold(f32::MIN, f32::max) } else { 0.0 };
            (stack.iter().map(|f| f[p]).sum::<f32>() - largest) / kept
        })
    }
    /// The same less a bias \[electron\].
    fn electrons(&self, frames: &[Array2<u16>], bias: &Array2<f32>) -> Array2<f32> {
        let mut mean = self.combined(frames) - bias;
        for t in &self.layout.tiles {
            let area = t.science;
            let gain = self.gain[t.amplifier] as f32;
            mean.slice_mut(s![area.y0..area.y0 + area.ny, area.x0..area.x0 + area.nx]).mapv_inplace(|v| v * gain);
        }
        mean
    }
    fn bias(&self, frames: u64) -> Array2<f32> {
        self.combined(&(0..frames).map(|k| self.expose(9000 + k, BIAS, 0.0)).collect::<Vec<_>>())
    }
    fn known_gain(&self) -> Vec<Measured> {
        self.gain.iter().map(|&value| Measured { value, error: 0.0 }).collect()
    }
}

/// Writes a level-0 file of an exposure.
fn write(device: &Device, folder: &Path, id: u64, kind: ExposureKind, time_s: f64, light: Frame<Light>) -> PathBuf {
    let pointing = Pointing { ra_deg: 0.0, dec_deg: 0.0, rotation_deg: 0.0 };
    let exposure = Exposure { id, kind, pointing, start_mjd: 61_771.0 + id as f64 / 1e4, time_s, sky_electron_s: 0.0 };
    let raw = device.expose_light(id, kind, time_s, light);
    let wcs = detector_wcs(&device.spec.geometry, &pointing, Parity::C9, None);
    let meta = Level0Meta {
        instrument: "msc",
        geometry: &device.spec.geometry,
        exposure: &exposure,
        layout: &device.layout,
        wcs: &wcs,
        object: "closure",
        nominal_gain: &[1.1; 16],
        nominal_read_noise_electron: &[5.0; 16],
        nominal_full_well_electron: Some(90_000.0),
        aberration: None,
        clocking: None,
        software: "test",
        style: &NameStyle::default(),
        packing: sim_core::fits::Packing::None,
    };
    let path = folder.join(meta.name().file_name());
    write_level0(&path, Frame::<Counts>::from_pixels(raw.mapv(f32::from), device.window), &meta).unwrap();
    path
}

#[test]
fn the_loop_finds_its_references_and_uses_them() {
    let with = ["crosstalk", "bias_drift", "correlated_noise", "defects", "bad_columns", "cosmic_rays"];
    let changes = [
        ("cosmic_rays", "activity", 5.0),
        ("defects", "cold_fraction", 2e-4),
        ("defects", "telegraph_fraction", 5e-4),
        ("bad_columns", "blocked_fraction", 0.004),
        ("bad_columns", "pocket_fraction", 0.01),
        ("bias_drift", "drift_length", 300.0),
        ("crosstalk", "near", 5e-4),
    ];
    let device = Device::new(1024, 1024, &with, &changes);
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let empty = || Frame::zeros(device.window);
    let lamp = |rate_electron_s| ExposureKind::Flat { rate_electron_s };
    let mut files: Vec<PathBuf> = (0..9).map(|i| write(&device, at, 100 + i, BIAS, 0.0, empty())).collect();
    files.extend((0..8).map(|i| write(&device, at, 200 + i, DARK, 900.0, empty())));
    files.extend((0..6).map(|i| write(&device, at, 300 + i, lamp(3000.0), 10.0, empty())));
    files.extend((0..6).map(|i| write(&device, at, 400 + i, lamp(20.0), 10.0, empty())));
    let set = calibrate(&files, &at.join("masters"), CalibrationOptions::default()).unwrap();
    let star = |y: usize, x: usize| 45_000.0 * (-0.1 * ((y % 173) as f32 - 80.0).powi(2) - 0.1 * ((x % 211) as f32 - 100.0).powi(2)).exp();
    let field = Frame::from_pixels(Array2::from_shape_fn((1024, 1024), |(y, x)| 30.0 + star(y, x)), device.window);
    let path = write(&device, at, 900, ExposureKind::Science, 150.0, field);
    let level0 = read_level0(&path).unwrap();
    let calibration = set.of(&level0.info).unwrap();
    println!("{:?}", calibration.chosen.keys().collect::<Vec<_>>());
    for code in ["MXTALK", "MOSCN", "MDEF"] {
        assert!(calibration.chosen.contains_key(code), "{code}: {:?}", calibration.chosen.keys());
    }
    // What was written is what is read, and near the truth.
    let knowledge = calibration.knowledge(&level0.info).unwrap();
    let truth = coupling(&device.spec).unwrap();
    let matrix = knowledge.crosstalk.as_ref().unwrap();
    let pulls: Vec<f64> =
        matrix.coefficients.iter().zip(&truth).filter(|(c, _)| c.error > 0.0).map(|(c, t)| (c.value - t) / c.error).collect();
    assert_eq!(pulls.len(), 240);
    let width2 = pulls.iter().map(|p| p * p).sum::<f64>() / 240.0;
    assert!((width2 - 1.0).abs() < 5.0 * (2.0_f64 / 240.0).sqrt(), "{width2}");
    let columns = knowledge.columns.as_ref().unwrap();
    let blocked: Vec<ColumnDefect> =
        column_defects(&device.spec).unwrap().into_iter().filter(|d| d.fault == ColumnFault::Blocked && d.row < 490).collect();
    assert!(!blocked.is_empty());
    assert!(blocked.iter().all(|t| columns.iter().any(|c| c.x == t.x && c.register == t.register && c.row.abs_diff(t.row) <= 1)));
    let level1 = reduce_frame(level0, &calibration, &Options::default()).unwrap();
    for step in ["crosstalk", "bias", "defects", "bad_columns"] {
        assert!(level1.is_done(step), "{step}: {:?}", level1.steps);
    }
    let bits = level1.rate.flags.as_ref().unwrap();
    let count = |bit: u32| bits.iter().filter(|b| **b & bit != 0).count();
    println!("dead {} telegraph {} columns {}", count(flags::DEAD), count(flags::TELEGRAPH), count(flags::BAD_COLUMN));
    assert!(count(flags::DEAD) > 100 && count(flags::TELEGRAPH) > 50 && count(flags::BAD_COLUMN) > 100);

    // A bias frame that is not in the master: its variance is what is measured.
    let level0 = read_level0(&write(&device, at, 950, BIAS, 0.0, empty())).unwrap();
    let level1 = reduce_frame(level0, &calibration, &Options::default()).unwrap();
    let (mut square, mut stated) = (0.0, 0.0);
    for ((pixel, variance), bits) in
        level1.rate.pixels.iter().zip(level1.rate.variance.as_ref().unwrap()).zip(level1.rate.flags.as_ref().unwrap())
    {
        // Hits of the 20 s of readout stand far out.
        let pull = f64::from(*pixel) / f64::from(*variance).sqrt();
        if *bits == 0 && pull.abs() < 5.0 {
            square += f64::from(*pixel).powi(2);
            stated += f64::from(*variance);
        }
    }
    println!("bias: predicted over measured variance {:.4}", stated / square);
    assert!((0.97..1.03).contains(&(stated / square)), "{}", stated / square);
}

fn same(value: f64) -> Vec<Measured> {
    vec![Measured { value, error: 0.0 }; 16]
}

#[test]
fn the_crosstalk_of_darks_comes_back_within_its_errors_and_is_undone() {
    // 2.1 cm2 and 940 s at five times the usual flux: 9,800 hits in each of 6 darks, a hundredth of a chip's in 100 darks of 900 s.
    let device = Device::new(2048, 1024, &["crosstalk", "cosmic_rays", "correlated_noise"], &[("cosmic_rays", "activity", 5.0)]);
    let darks: Vec<Array2<u16>> = (0..6).map(|id| device.expose(id, DARK, 900.0)).collect();
    let known = crosstalk_fit::fit(&darks, &device.layout, &device.known_gain(), &same(5.0)).unwrap();
    let truth = coupling(&device.spec).unwrap();
    let (mut pull2, mut pulls, mut n, mut worst, mut mean_error) = (0.0, 0.0, 0.0, 0.0_f64, 0.0);
    for (pair, (got, want)) in known.coefficients.iter().zip(&truth).enumerate() {
        if pair / 16 != pair % 16 {
            let pull = (got.value - want) / got.error;
            pull2 += pull * pull;
            pulls += pull;
            n += 1.0;
            worst = worst.max(pull.abs());
            mean_error += got.error;
        }
    }
    println!("mean error {:.2e}, mean pull {:.3}, width^2 {:.3}, worst {worst:.2}", mean_error / n, pulls / n, pull2 / n);
    assert_eq!(n, 240.0);
    assert!((pull2 / n - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "mean square of the pulls {}", pull2 / n);
    assert!((pulls / n).abs() < 5.0 / n.sqrt(), "mean pull {}", pulls / n);
    assert!(mean_error / n < 1e-4, "{}", mean_error / n);

    // A field of stars: what crosstalk does to the victims, before and after.
    let calm = Device::new(2048, 1024, &[], &[]);
    let crossed = Device::new(2048, 1024, &["crosstalk"], &[]);
    let star = |y: usize, x: usize| 45_000.0 * (-0.1 * ((y % 173) as f32 - 80.0).powi(2) - 0.1 * ((x % 211) as f32 - 100.0).powi(2)).exp();
    let light = Frame::from_pixels(Array2::from_shape_fn((1024, 2048), |(y, x)| 20.0 + star(y, x)), device.window);
    let (without, with) =
        (calm.expose_light(50, ExposureKind::Science, 150.0, light.clone()), crossed.expose_light(50, ExposureKind::Science, 150.0, light));
    let mut knowledge = Knowledge::of_layout(device.layout.clone(), device.window, 150.0);
    (knowledge.gain, knowledge.read_noise) = (Some(device.known_gain()), Some(same(5.0)));
    knowledge.crosstalk = Some(Arc::new(known));
    let zero = |raw: &Array2<u16>| Frame::<Counts>::from_pixels(raw.mapv(f32::from) - 500.0, device.window);
    let mut frame = zero(&with);
    let entry = registry::counts().iter().find(|e| e.name == "crosstalk").unwrap();
    entry.twin.correction(&knowledge).unwrap().unwrap().correct(&mut frame).unwrap();
    // Where the ghost is above 2 ADU: the pixels of sources.
    let (mut before, mut after, mut stated, mut n) = (0.0, 0.0, 0.0, 0.0_f64);
    for ((p, &w), (&b, &a)) in without.indexed_iter().zip(with.iter().zip(&frame.pixels)) {
        let ghost = f64::from(b) - f64::from(w);
        if ghost.abs() >= 3.0 {
            before += ghost.powi(2);
            after += (f64::from(a) - f64::from(w) + 500.0).powi(2);
            stated += f64::from(frame.variance.as_ref().unwrap()[p]);
            n += 1.0;
        }
    }
    println!("ghosts {n}: rms {:.2} before, {:.2} after, {:.2} stated ADU", (before / n).sqrt(), (after / n).sqrt(), (stated / n).sqrt());
    assert!(n > 500.0, "{n} pixels with ghosts");
    // Two roundings to whole counts leave sqrt(2 / 12) = 0.41 ADU and the error of the matrix what the variance says.
    let expected = 2.0 / 12.0 + stated / n;
    assert!(after / n < 1.5 * expected && after < 0.1 * before, "{} of {}, expected {expected}", after / n, before / n);
}

#[test]
fn sources_that_are_never_bright_are_named() {
    let device = Device::new(1024, 256, &[], &[]);
    let frames = [device.expose(1, BIAS, 0.0)];
    let error = crosstalk_fit::fit(&frames, &device.layout, &device.known_gain(), &same(5.0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "crosstalk fit: amplifier 2 has no bright pixel while 1 is good: longer darks or brighter frames are needed"
    );
    let error = crosstalk_fit::fit(&[Array2::zeros((3, 4))], &device.layout, &device.known_gain(), &same(5.0)).unwrap_err();
    assert!(matches!(error, CrosstalkFitError::Shape { got: (3, 4), .. }));
    let error = crosstalk_fit::fit(&frames, &device.layout, &device.known_gain()[..3], &same(5.0)).unwrap_err();
    assert_eq!(error.to_string(), "crosstalk fit: gain and read noise of 16 amplifiers are needed, 3 are known");
}

/// Read noise \[ADU\] by tile from the differences of a pair within rows.
fn pair_noise(device: &Device, a: &Array2<u16>, b: &Array2<u16>) -> Vec<f64> {
    let of = |t: &sim_core::detector::AmplifierTile| {
        let r = t.raw_science;
        let (mut square, mut freedom) = (0.0, 0.0);
        for y in r.y0..r.y0 + r.ny {
            let d: Vec<f64> = (r.x0..r.x0 + r.nx).map(|x| f64::from(a[(y, x)]) - f64::from(b[(y, x)])).collect();
            let mean = d.iter().sum::<f64>() / d.len() as f64;
            square += d.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 2.0;
            freedom += d.len() as f64 - 1.0;
        }
        (square / freedom).sqrt()
    };
    device.layout.tiles.iter().map(of).collect()
}

#[test]
fn a_wandering_bias_is_followed_and_its_variance_is_what_is_measured() {
    let with = ["bias_drift", "correlated_noise"];
    let device = Device::new(2048, 2048, &with, &[("bias_drift", "drift_length", 300.0), ("bias_drift", "memory", 2e-4)]);
    let flats: Vec<Array2<u16>> = (0..2).map(|id| device.expose(100 + id, ExposureKind::Flat { rate_electron_s: 3000.0 }, 10.0)).collect();
    let biases: Vec<Array2<u16>> = (0..16).map(|id| device.expose(200 + id, BIAS, 0.0)).collect();
    let known = overscan_fit::fit(&flats, &biases[..12], &device.layout).unwrap();
    let step = known.walk.iter().map(|w| w.step_adu2).sum::<f64>() / 16.0;
    let row = known.walk.iter().map(|w| w.row_adu2).sum::<f64>() / 16.0;
    println!("skip {}, step {step:.2e}, row {row:.3}", known.skip_columns);
    // The tail 2e-4 x 27,000 = 5.4 ADU e^-(k+1)/3 falls below three errors at the 12th pixel: 4.9 ADU of noise and pattern in 2 x 16 x 1024
    // rows of flats, beside biases, 0.087 ADU. One error, 0.029 ADU, moves that by a pixel.
    assert!((10..=15).contains(&known.skip_columns), "{}", known.skip_columns);
    // 2 x 0.5^2 / 300 = 1.7e-3, lags to 32 see 5 % less of it, and the slow drift of `bias` adds about 1e-5. A step's error is some
    // 4 % of the mean over 16 amplifiers and 4 frames.
    assert!((step / 1.67e-3 - 0.97).abs() < 0.2, "{step}");
    // White 21.4 / 54 = 0.39, and pink of 0.64 ADU^2, of which a third or more is common to the row: 0.2 to 0.5.
    assert!((0.4..1.0).contains(&row), "{row}");

    let noise_adu = pair_noise(&device, &biases[0], &biases[1]);
    let reduce = |raw: &Array2<u16>, known: Option<OverscanKnowledge>, master: Reference| {
        let mut knowledge = Knowledge::of_layout(device.layout.clone(), device.window, 0.0);
        knowledge.overscan = known.map(Arc::new);
        knowledge.bias = Some(Arc::new(master));
        knowledge.gain = Some(same(1.0));
        let by_amplifier: Vec<f64> =
            (0..16).map(|a| noise_adu[device.layout.tiles.iter().position(|t| t.amplifier == a).unwrap()]).collect();
        knowledge.read_noise = Some(by_amplifier.into_iter().map(|value| Measured { value, error: 0.0 }).collect());
        let mut frame = Frame::<Counts>::from_pixels(raw.mapv(f32::from), device.window);
        for name in ["read_noise", "bias"] {
            let entry = registry::counts().iter().find(|e| e.name == name).unwrap();
            entry.twin.correction(&knowledge).unwrap().unwrap().correct(&mut frame).unwrap();
        }
        (trim(frame.pixels, &device.layout, device.window), trim(frame.variance.unwrap(), &device.layout, device.window))
    };
    let nothing = || Reference { image: Array2::zeros(device.window.shape()), variance: Array2::zeros(device.window.shape()) };
    let ratio = |known: Option<OverscanKnowledge>| {
        let stack: Vec<_> = biases[..12].iter().map(|raw| reduce(raw, known.clone(), nothing())).collect();
        let image = stack.iter().map(|f| f.0.clone()).reduce(|a, b| a + b).unwrap() / 12.0;
        let variance = stack.iter().map(|f| f.1.clone()).reduce(|a, b| a + b).unwrap() / 144.0;
        let (mut square, mut stated, mut rows) = (0.0, 0.0, 0.0);
        for raw in &biases[12..] {
            let (pixels, variance) = reduce(raw, known.clone(), Reference { image: image.clone(), variance: variance.clone() });
            square += pixels.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>();
            stated += variance.iter().map(|&v| f64::from(v)).sum::<f64>();
            for t in &device.layout.tiles {
                for y in 0..t.science.ny {
                    let row = pixels.slice(s![t.science.y0 + y, t.science.x0..t.science.x0 + t.science.nx]);
                    rows += (row.iter().map(|&v| f64::from(v)).sum::<f64>() / t.science.nx as f64).powi(2);
                }
            }
        }
        let n = 4.0 * 2048.0 * 2048.0;
        println!("predicted {:.4}, measured {:.4} ADU^2; row means {:.4}", stated / n, square / n, rows / (4.0 * 8.0 * 2048.0));
        stated / square
    };
    let (bins, walk) = (ratio(None), ratio(Some(known)));
    println!("predicted over measured variance: bins {bins:.4}, walk {walk:.4}");
    assert!((0.97..1.03).contains(&walk), "{walk}");
}

#[test]
fn defects_are_found_in_flats_and_in_the_scatter_of_darks() {
    let with = ["defects", "bad_columns", "cosmic_rays", "bias_drift", "correlated_noise"];
    let changes = [
        ("defects", "cold_fraction", 2e-4),
        ("defects", "telegraph_fraction", 5e-4),
        ("bad_columns", "blocked_fraction", 0.004),
        ("bad_columns", "pocket_fraction", 0.01),
    ];
    let device = Device::new(2048, 1024, &with, &changes);
    let bias = device.bias(8);
    let lamp = |rate_electron_s| ExposureKind::Flat { rate_electron_s };
    let stack = |first: u64, kind, count: u64| -> Vec<Array2<u16>> { (0..count).map(|k| device.expose(first + k, kind, 10.0)).collect() };
    let flat = device.electrons(&stack(300, lamp(3000.0), 6), &bias);
    let level = 30_000.0;
    let response = flat.mapv(|v| v / level);
    let dead = defect_search::dead_pixels(&response).unwrap();

    // Dead: all of response below 0.5 but for the last tenth, where noise and PRNU decide.
    let blocked = defect_search::blocked_columns(&dead, &device.layout, device.window);
    let truth = column_defects(&device.spec).unwrap();
    let in_blocked = |list: &[ColumnDefect], y: usize, x: usize| {
        list.iter().any(|d| {
            let k = if d.register == 0 { y } else { 1023 - y };
            d.x == x && usize::from(y >= 512) == d.register && d.fault == ColumnFault::Blocked && k >= d.row
        })
    };
    let (mut cold, mut found) = (0, 0);
    let mut is_cold = Array2::<bool>::default((1024, 2048));
    for y in 0..1024 {
        for (x, response) in cold_pixels(&device.spec, y).unwrap() {
            is_cold[(y, x)] = true;
            if response < 0.45 && !in_blocked(&truth, y, x) {
                cold += 1;
                found += usize::from(dead[(y, x)] != 0);
            }
        }
    }
    let wrong = dead.indexed_iter().filter(|((y, x), bits)| **bits != 0 && !is_cold[(*y, *x)] && !in_blocked(&truth, *y, *x)).count();
    println!("dead: {found} of {cold} found, {wrong} wrong");
    assert!(cold > 200 && found == cold && wrong == 0, "{found} of {cold}, {wrong} wrong");

    let true_blocked: Vec<&ColumnDefect> = truth.iter().filter(|d| d.fault == ColumnFault::Blocked && d.row <= 512 - 16).collect();
    let hit = true_blocked.iter().filter(|t| blocked.iter().any(|b| b.x == t.x && b.register == t.register && b.row.abs_diff(t.row) <= 1));
    let hit = hit.count();
    println!("blocked: {hit} of {} found, {} in all", true_blocked.len(), blocked.len());
    assert!(true_blocked.len() > 5 && hit == true_blocked.len() && blocked.len() == hit, "{blocked:?} {true_blocked:?}");

    // Pockets: 200 electrons in each of 6 frames, of which 5 are kept.
    let dim = device.electrons(&stack(400, lamp(20.0), 6), &bias);
    let noise = same(5.2);
    let pair = FlatPair { dim: &dim, dim_frames: 5, bright: &flat, bright_frames: 5 };
    let pockets = defect_search::pockets(&pair, &noise, &device.layout, device.window, &blocked).unwrap();
    let (mut wanted, mut found, mut pull2) = (0, 0, 0.0);
    for t in &truth {
        let ColumnFault::Pocket { capacity_electron: want } = t.fault else { continue };
        // Above 7 sigma of one row, sqrt(225 / 6) = 6 electrons, and full before the readout ends.
        if want.value > 60.0 && want.value < 150.0 * (512 - t.row) as f64 {
            wanted += 1;
            let same = pockets.iter().find(|p| p.x == t.x && p.register == t.register && p.row.abs_diff(t.row) <= 1);
            if let Some(ColumnFault::Pocket { capacity_electron: got }) = same.map(|p| p.fault) {
                found += 1;
                pull2 += ((got.value - want.value) / got.error.hypot(0.01 * want.value)).powi(2);
            }
        }
    }
    let wrong = pockets.iter().filter(|p| !truth.iter().any(|t| t.x == p.x && t.register == p.register)).count();
    println!("pockets: {found} of {wanted} found, {wrong} wrong, mean square pull {:.2}", pull2 / f64::from(found));
    assert!(wanted > 15 && 20 * found >= 19 * wanted && wrong <= 1, "{found} of {wanted}, {wrong} wrong");
    assert!(pull2 / f64::from(found) < 3.0, "{}", pull2 / f64::from(found));

    // Telegraph: 12 darks of 300 s with cosmic rays.
    let darks: Vec<Array2<f32>> = (0..12).map(|k| device.electrons(&[device.expose(500 + k, DARK, 300.0)], &bias)).collect();
    let views: Vec<_> = darks.iter().map(|d| d.view()).collect();
    let marks = defect_search::telegraph_pixels(&views, |_, _| 5.2 * 5.2).unwrap();
    let mut is_telegraph = Array2::<bool>::default((1024, 2048));
    let (mut strong, mut found, mut all) = (0, 0, 0);
    for y in 0..1024 {
        for t in telegraph_pixels(&device.spec, y).unwrap() {
            is_telegraph[(y, t.x)] = true;
            if in_blocked(&truth, y, t.x) {
                continue;
            }
            let (mean, variance) = moments_of_time_on(320.0, t.mean_on_s, t.mean_off_s);
            let noise2 = 27.0 + 6.4 + mean * t.rate;
            all += 1;
            // Scatter of ten times the noise variance and odds that leave at least two frames in either state, mostly.
            if variance * t.rate * t.rate > 10.0 * noise2 && (0.3..3.0).contains(&(t.mean_on_s / t.mean_off_s)) {
                strong += 1;
                found += usize::from(marks[(y, t.x)] != 0);
            }
        }
    }
    let right = marks.indexed_iter().filter(|(p, bits)| **bits != 0 && is_telegraph[*p]).count();
    let wrong = marks.iter().filter(|bits| **bits & flags::TELEGRAPH != 0).count() - right;
    println!("telegraph: {right} of {all} found, {found} of {strong} strong ones, {wrong} wrong of 2 million");
    assert!(strong > 100 && 10 * found >= 9 * strong, "{found} of {strong}");
    assert!(wrong <= 20, "{wrong} pixels of 2,097,152 called telegraph that are not");
}
