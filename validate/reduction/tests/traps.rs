//! Closed loop of charge transfer: flats through the traps of the simulator, trails measured, traps fitted, a field restored.
#![allow(clippy::unwrap_used, reason = "tests")]

use instruments::description::{DetectorKind, DetectorSpec};
use instruments::effects::cti::direction::Path;
use instruments::effects::cti::injection::{self, Pattern};
use instruments::effects::registry;
use ndarray::Array2;
use reduction::edge_trails::{self, Direction};
use reduction::hot_pixel_trails::{self, HotPixelOptions};
use reduction::injected_lines;
use reduction::transfer_lines::{self, Given, TransferLine};
use reduction::trap_fit::{self, TrapFit, TrapFitError, TrapOptions};
use sim_core::bandpass::Bandpass;
use sim_core::detector::{AmplifierGrid, DetectorGeometry, ReadoutLayout, Scans};
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::frame::Frame;
use sim_core::knowledge::{Knowledge, Measured, TrapKnowledge};
use sim_core::noise;
use sim_core::plane::{Charge, Counts};
use sim_core::stream::StreamKey;
use std::sync::Arc;

const GAIN: f64 = 1.1;
const READ_NOISE: f64 = 5.0;
const BIAS: f32 = 500.0;

fn spec() -> DetectorSpec {
    let amplifiers = AmplifierGrid { columns: 2, rows: 2, prescan_x: 8, overscan_x: 60, overscan_y: 84 };
    let geometry = DetectorGeometry {
        number: 3,
        filter: "r".into(),
        nx: 256,
        ny: 1200,
        crpix1: 0.0,
        crpix2: 0.0,
        pixel_scale_arcsec: 0.074,
        amplifiers,
    };
    let band = Arc::new(Bandpass::new("r", vec![549.0, 550.0, 690.0, 691.0], vec![0.0, 0.6, 0.6, 0.0]).unwrap());
    let mut spec = DetectorSpec {
        geometry,
        kind: DetectorKind::Imaging,
        band,
        table_sky_electron_s: None,
        device_seed: 5,
        parameters: Default::default(),
    };
    // A short device with many traps: as much trail as a long one.
    let parallel = [(4.0, 0.74), (10.0, 7.7), (9.0, 37.0)];
    let serial = [(1.0, 0.5), (2.0, 5.0), (0.0, 1.0)];
    let mut numbers =
        vec![("reference_date".to_string(), 61_000.0), ("growth".into(), 0.2), ("blocks".into(), 6.0), ("draw_traps".into(), 0.0)];
    for (name, species) in [("parallel", parallel), ("serial", serial)] {
        for (k, (density, release)) in species.into_iter().enumerate() {
            numbers.push((format!("{name}_density_{}", k + 1), density));
            numbers.push((format!("{name}_release_{}", k + 1), release));
            numbers.push((format!("{name}_depth_{}", k + 1), 0.0));
        }
        numbers.push((format!("{name}_exponent"), 0.478));
        numbers.push((format!("{name}_full_well"), 84_700.0));
        numbers.push((format!("{name}_notch"), 0.0));
    }
    registry::set_parameters(&mut spec, "cti", &numbers, "invented for tests").unwrap();
    registry::set_parameters(&mut spec, "digitise", &[("gain".into(), GAIN), ("gain_scatter".into(), 0.0)], "invented for tests").unwrap();
    spec
}

struct Bench {
    spec: DetectorSpec,
    layout: ReadoutLayout,
}

impl Bench {
    fn new() -> Self {
        let spec = spec();
        let layout = ReadoutLayout::new(&spec.geometry, spec.geometry.full_window(), Scans::Full);
        Self { spec, layout }
    }
    /// Transfers, digitises and reads out; `id` keys the draws of the read noise.
    fn read_out(&self, charge: Array2<f32>, id: u64) -> (Frame<Charge>, Frame<Counts>) {
        let exposure = Exposure {
            id,
            kind: ExposureKind::Science,
            pointing: Pointing { ra_deg: 0.0, dec_deg: 0.0, rotation_deg: 0.0 },
            start_mjd: 61_000.0,
            time_s: 10.0,
            sky_electron_s: 0.0,
        };
        let window = self.spec.geometry.full_window();
        let cx = |effect| Context {
            exposure: &exposure,
            geometry: &self.spec.geometry,
            layout: &self.layout,
            window,
            effect,
            seed: 8,
            device_seed: 5,
        };
        let mut frame = Frame::<Charge>::from_pixels(charge, window);
        let entry = registry::charge().iter().find(|e| e.name == "cti").unwrap();
        (entry.forward)(&self.spec).unwrap().apply(&mut frame, &cx("cti")).unwrap();
        let digitise = (registry::digitise().forward)(&self.spec).unwrap();
        let (mut counts, _) = digitise.cross(frame.clone(), &cx("digitise")).unwrap();
        for (y, mut row) in counts.pixels.rows_mut().into_iter().enumerate() {
            let stream = StreamKey::new(17).with(id).stream(y as u64);
            row.iter_mut().for_each(|p| *p += BIAS);
            noise::add_normals(&stream, 0, (READ_NOISE / GAIN) as f32, row.as_slice_mut().unwrap());
        }
        (frame, counts)
    }
    fn sure(&self, value: f64) -> Vec<Measured> {
        vec![Measured { value, error: 0.0 }; self.layout.amplifier_count]
    }
    /// A frame with injected lines, read out.
    fn injected(&self, pattern: &Pattern, level: f32, id: u64) -> Array2<f32> {
        let window = self.spec.geometry.full_window();
        let exposure = Exposure {
            id,
            kind: ExposureKind::Bias,
            pointing: Pointing { ra_deg: 0.0, dec_deg: 0.0, rotation_deg: 0.0 },
            start_mjd: 61_000.0,
            time_s: 0.0,
            sky_electron_s: 0.0,
        };
        let (geometry, layout) = (&self.spec.geometry, &self.layout);
        let cx = Context { exposure: &exposure, geometry, layout, window, effect: "injection", seed: 8, device_seed: 5 };
        let mut charge = Array2::zeros(window.shape());
        injection::inject(&mut charge, layout, pattern, level, &cx);
        self.read_out(charge, id).1.pixels
    }
    /// A dark with hot pixels of the device over a pre-flash of 60 electrons, read out.
    fn dark(&self, id: u64) -> Array2<f32> {
        let (rows, columns) = self.spec.geometry.full_window().shape();
        let words = StreamKey::new(77).stream(0);
        let unit = |k: u64| f64::from(words.word(k)) / 4_294_967_296.0;
        let mut charge = Array2::from_elem((rows, columns), 60.0_f32);
        for k in 0..900 {
            let at = [(unit(3 * k) * rows as f64) as usize, (unit(3 * k + 1) * columns as f64) as usize];
            charge[at] += 1000.0 * 40.0_f64.powf(unit(3 * k + 2)) as f32;
        }
        for (y, mut row) in charge.rows_mut().into_iter().enumerate() {
            noise::poisson(&StreamKey::new(6).with(id).stream(y as u64), 0, row.as_slice_mut().unwrap());
        }
        self.read_out(charge, id).1.pixels
    }
    fn given(&self, species: usize, trail: usize) -> Given {
        let path = Path { first: 0, prescan: 0, packets: 600, trailing: 0 };
        Given { path, full_well_electron: 84_700.0, notch_electron: 0.0, species, trail }
    }
    fn flat(&self, level: f32, id: u64) -> Array2<f32> {
        let mut charge = Array2::from_elem(self.spec.geometry.full_window().shape(), level);
        for (y, mut row) in charge.rows_mut().into_iter().enumerate() {
            noise::poisson(&StreamKey::new(4).with(id).stream(y as u64), 0, row.as_slice_mut().unwrap());
        }
        charge
    }
}

fn rms(a: &Array2<f32>, b: &Array2<f32>) -> f64 {
    (a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64).sqrt()
}

#[test]
fn traps_fitted_from_flats_restore_a_field() {
    let bench = Bench::new();
    let sure = |value: f64| vec![Measured { value, error: 0.0 }; bench.layout.amplifier_count];
    let levels = [200.0_f32, 700.0, 2500.0, 8000.0, 25_000.0, 60_000.0];
    let flats: Vec<Array2<f32>> =
        levels.iter().enumerate().map(|(id, &level)| bench.read_out(bench.flat(level, id as u64), id as u64).1.pixels).collect();
    for (flat, level) in flats.iter().zip(levels) {
        let trail = edge_trails::measure(flat, &bench.layout, Direction::Parallel, &sure(GAIN), &sure(READ_NOISE)).unwrap();
        assert!((trail.level_electron / f64::from(level) - 1.0).abs() < 0.1, "{} at {level}", trail.level_electron);
        assert_eq!(trail.trail.len(), 84);
    }
    let fitted = |species| {
        let options = TrapOptions { species, full_well_electron: 84_700.0, notch_electron: 0.0, blocks: 6, iterations: 4 };
        trap_fit::from_flats(flats.iter(), &bench.layout, &sure(GAIN), &sure(READ_NOISE), &options).unwrap()
    };
    let (three, chi2) = fitted([3, 2]);
    assert!((three.parallel.exponent - 0.478).abs() < 0.02, "{three:?}");
    assert!(chi2[0] < 2.0 && chi2[1] < 2.0, "{chi2:?} {three:?}");

    // A field with stars, without noise: what is left after the correction with fitted traps.
    let star = |y: usize, x: usize| 30_000.0 * (-0.2 * ((y % 150) as f32 - 75.0).powi(2) - 0.2 * ((x % 64) as f32 - 32.0).powi(2)).exp();
    let field = Array2::from_shape_fn((1200, 256), |(y, x)| 60.0 + star(y, x));
    let (spoilt, _) = bench.read_out(field.clone(), 99);
    let before = rms(&spoilt.pixels, &field);
    let mut knowledge = Knowledge::of_layout(bench.layout.clone(), bench.spec.geometry.full_window(), 10.0);
    let mut left = |traps: TrapKnowledge| {
        knowledge.traps = Some(Arc::new(traps));
        let entry = registry::charge().iter().find(|e| e.name == "cti").unwrap();
        let mut frame = Frame::<Charge>::from_pixels(spoilt.pixels.clone(), bench.spec.geometry.full_window());
        entry.twin.correction(&knowledge).unwrap().unwrap().correct(&mut frame).unwrap();
        rms(&frame.pixels, &field) / before
    };
    let rest = left(three);
    assert!(rest < 0.05, "{rest} left");
    // The simulator has three species; a reduction that believes in one is worse, and its chi-square says so.
    let (one, chi2) = fitted([1, 2]);
    let with_one = left(one);
    assert!(chi2[0] > 10.0 && with_one > 2.0 * rest, "{with_one} and chi-square {}", chi2[0]);
}

#[test]
fn flats_without_overscan_have_no_traps() {
    let bench = Bench::new();
    let layout = ReadoutLayout::new(&bench.spec.geometry, bench.spec.geometry.full_window(), Scans::Trimmed);
    let sure = vec![Measured { value: 1.0, error: 0.0 }; 4];
    let options = TrapOptions { species: [3, 2], full_well_electron: 84_700.0, notch_electron: 0.0, blocks: 6, iterations: 4 };
    let flat = Array2::from_elem((1200, 256), 1000.0_f32);
    let error = trap_fit::from_flats([&flat].into_iter(), &layout, &sure, &sure, &options).unwrap_err();
    assert_eq!(error, TrapFitError::NoOverscan);
}

/// Electrons that all traps of a pixel can take from a packet of `n` at once, and the mean of their release times: what the methods
/// agree on even where the species trade with each other.
fn capture(fit: &TrapFit, n: f64) -> (f64, f64) {
    let traps = &fit.traps;
    let density: f64 = traps.species.iter().map(|s| s.density.value).sum();
    let release = traps.species.iter().map(|s| s.density.value * s.release.value.ln()).sum::<f64>() / density;
    (density * (n / traps.full_well_electron).powf(traps.exponent), release.exp())
}

#[test]
fn flats_injected_lines_and_hot_pixels_see_the_same_traps() {
    let bench = Bench::new();
    let (gain, read) = (bench.sure(GAIN), bench.sure(READ_NOISE));
    let pattern = Pattern { first: 30, lines: 20, period: 140 };
    let injected: Vec<TransferLine> = [500.0_f32, 2000.0, 8000.0, 30_000.0]
        .iter()
        .enumerate()
        .map(|(k, &level)| {
            let raw = bench.injected(&pattern, level, 200 + k as u64);
            let line = injected_lines::measure(&raw, &bench.layout, &pattern, &gain, &read).unwrap();
            let found = line.charge[pattern.first];
            // 1024 columns x 20 lines x 2 halves of a period and 3 periods: shot noise is no matter; traps of slow release are.
            assert!((found / f64::from(level) - 1.0).abs() < 3e-3, "{found} for {level}");
            line
        })
        .collect();
    let darks: Vec<Array2<f32>> = (300..305).map(|id| bench.dark(id)).collect();
    let options = HotPixelOptions { threshold_electron: 900.0, trail: 80 };
    let hot = hot_pixel_trails::measure(&darks.iter().collect::<Vec<_>>(), &bench.layout, &gain, &options).unwrap();
    assert!(hot.len() >= 8, "{} bins", hot.len());
    let from_lines = transfer_lines::fit(&injected, &bench.given(3, 84)).unwrap();
    let from_hot = transfer_lines::fit(&hot, &bench.given(3, 80)).unwrap();
    for (name, fit, most) in [("injection", &from_lines, 0.03), ("hot pixels", &from_hot, 0.15)] {
        assert!(fit.reduced_chi2 < 2.5, "{name}: {fit:?}");
        for n in [1000.0, 10_000.0] {
            let (got, release) = capture(fit, n);
            // The truth: 23 traps, exponent 0.478; release 0.74, 7.7, 37 by density 4, 10, 9.
            let (want, mean) =
                (23.0 * (n / 84_700.0_f64).powf(0.478), (4.0 * 0.74_f64.ln() + 10.0 * 7.7_f64.ln() + 9.0 * 37.0_f64.ln()) / 23.0);
            assert!((got / want - 1.0).abs() < most, "{name} at {n}: {got} for {want}; {fit:?}");
            assert!((release / mean.exp() - 1.0).abs() < 2.0 * most, "{name}: {release} for {}; {fit:?}", mean.exp());
        }
    }
}

#[test]
fn lines_that_tell_nothing_are_refused() {
    let bench = Bench::new();
    let (gain, read) = (bench.sure(GAIN), bench.sure(READ_NOISE));
    let dark = bench.dark(300);
    let few = HotPixelOptions { threshold_electron: 1e6, trail: 80 };
    assert_eq!(hot_pixel_trails::measure(&[&dark], &bench.layout, &gain, &few).unwrap(), vec![]);
    assert!(hot_pixel_trails::measure(&[], &bench.layout, &gain, &few).is_none());
    let trimmed = ReadoutLayout::new(&bench.spec.geometry, bench.spec.geometry.full_window(), Scans::Trimmed);
    let pattern = Pattern { first: 30, lines: 20, period: 140 };
    let raw = Array2::zeros((1200, 256));
    assert!(injected_lines::measure(&raw, &trimmed, &pattern, &gain, &read).is_none(), "no overscan");
    let long = Pattern { first: 0, lines: 20, period: 500 };
    assert!(injected_lines::measure(&dark, &bench.layout, &long, &gain, &read).is_none(), "one period");
    assert!(matches!(transfer_lines::fit(&[], &bench.given(3, 84)), Err(TrapFitError::TooFew { .. })));
    let flat =
        |value: f64| TransferLine { charge: vec![100.0; 600], measured: (0..500).map(|k| (k, Measured { value, error: 1.0 })).collect() };
    assert!(matches!(transfer_lines::fit(&[flat(100.1)], &bench.given(3, 84)), Err(TrapFitError::NoTrail { .. })));
}
