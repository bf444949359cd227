//! Closed loop of charge transfer: flats through the traps of the simulator, trails measured, traps fitted, a field restored.
#![allow(clippy::unwrap_used, reason = "tests")]

mod trap_bench;

use instruments::effects::charge_injection::Pattern;
use instruments::effects::registry;
use ndarray::Array2;
use reduction::edge_trails::{self, Direction};
use reduction::hot_pixel_trails::{self, HotPixelOptions};
use reduction::injected_lines::{self, Readout};
use reduction::transfer_lines::{self, TransferLine};
use reduction::trap_evidence::Readings;
use reduction::trap_fit::{TrapFitError, TrapOptions};
use sim_core::detector::{ReadoutLayout, Scans};
use sim_core::frame::Frame;
use sim_core::knowledge::{EvidenceKind, Knowledge, Measured, TrapKnowledge};
use sim_core::plane::Charge;
use std::sync::Arc;
use trap_bench::{Bench, GAIN, READ_NOISE, capture};

fn rms(a: &Array2<f32>, b: &Array2<f32>) -> f64 {
    (a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64).sqrt()
}

fn from_flats(flats: &[Array2<f32>], layout: &ReadoutLayout, gain: &[Measured], read_noise: &[Measured]) -> Readings {
    let readout = Readout { layout, bias: None, zero: &[], gain, read_noise };
    let mut readings = Readings::of_layout(layout);
    flats.iter().for_each(|flat| readings.add_flat(flat, &readout));
    readings
}

#[test]
fn traps_fitted_from_flats_restore_a_field() {
    let bench = Bench::new();
    let sure = |value: f64| vec![Measured { value, error: 0.0 }; bench.layout.amplifier_count];
    let levels = [200.0_f32, 700.0, 2500.0, 8000.0, 25_000.0, 60_000.0];
    let flats: Vec<Array2<f32>> = levels.iter().enumerate().map(|(id, &level)| bench.flat(level, id as u64)).collect();
    for (flat, level) in flats.iter().zip(levels) {
        let trail = edge_trails::measure(flat, &bench.layout, Direction::Parallel, &sure(GAIN), &sure(READ_NOISE)).unwrap();
        assert!((trail.level_electron / f64::from(level) - 1.0).abs() < 0.1, "{} at {level}", trail.level_electron);
        assert_eq!(trail.trail.len(), 84);
    }
    let fitted = |species| {
        let options = TrapOptions { species, full_well_electron: 84_700.0, notch_electron: 0.0, blocks: 6, iterations: 4 };
        let found = from_flats(&flats, &bench.layout, &sure(GAIN), &sure(READ_NOISE))
            .combine(&options, &|kind| kind == EvidenceKind::FlatTrails)
            .unwrap();
        (found.traps, found.fits.map(|fit| fit.unwrap().reduced_chi2))
    };
    let (three, chi2) = fitted([3, 2]);
    assert!((three.parallel.exponent - 0.478).abs() < 0.02, "{three:?}");
    assert!(chi2[0] < 2.0 && chi2[1] < 2.0, "{chi2:?} {three:?}");

    // A field with stars, without noise: what is left after the correction with fitted traps.
    let star = |y: usize, x: usize| 30_000.0 * (-0.2 * ((y % 150) as f32 - 75.0).powi(2) - 0.2 * ((x % 64) as f32 - 32.0).powi(2)).exp();
    let field = Array2::from_shape_fn((1200, 512), |(y, x)| 60.0 + star(y, x));
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
    let flat = Array2::from_elem((1200, 512), 1000.0_f32);
    let error = from_flats(&[flat], &layout, &sure, &sure).combine(&options, &|kind| kind == EvidenceKind::FlatTrails).unwrap_err();
    assert!(error.contains(&TrapFitError::NoOverscan.to_string()), "{error}");
}

#[test]
fn flats_injected_lines_and_hot_pixels_see_the_same_traps() {
    let bench = Bench::new();
    let (gain, read) = (bench.sure(GAIN), bench.sure(READ_NOISE));
    let pattern = Pattern { first: 100, lines: 20, period: 120 };
    let readout = Readout { layout: &bench.layout, bias: None, zero: &[], gain: &gain, read_noise: &read };
    let injected: Vec<TransferLine> = [500.0, 2000.0, 8000.0, 30_000.0]
        .iter()
        .enumerate()
        .map(|(k, &level)| {
            let raw = bench.injected(20, 100, level, 200 + k as u64);
            let (_, line) = injected_lines::measure(&raw, &readout, &pattern).unwrap().remove(0);
            let found = line.charge[pattern.first];
            // 512 columns x 20 lines x 2 halves of a period and 3 periods: shot noise is no matter; traps of slow release are.
            assert!((found / level - 1.0).abs() < 3e-3, "{found} for {level}");
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
            let (got, release) = capture(&fit.traps, n);
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
    let readout = Readout { layout: &bench.layout, bias: None, zero: &[], gain: &gain, read_noise: &read };
    let dark = bench.dark(300);
    let few = HotPixelOptions { threshold_electron: 1e6, trail: 80 };
    assert_eq!(hot_pixel_trails::measure(&[&dark], &bench.layout, &gain, &few).unwrap(), vec![]);
    assert!(hot_pixel_trails::measure::<f32>(&[], &bench.layout, &gain, &few).is_none());
    let trimmed = ReadoutLayout::new(&bench.spec.geometry, bench.spec.geometry.full_window(), Scans::Trimmed);
    let pattern = Pattern { first: 30, lines: 20, period: 140 };
    let raw = Array2::zeros((1200, 512));
    assert!(injected_lines::measure(&raw, &Readout { layout: &trimmed, ..readout }, &pattern).is_none(), "no overscan");
    let long = Pattern { first: 0, lines: 20, period: 200 };
    assert!(injected_lines::measure(&dark, &readout, &long).is_none(), "one period");
    assert!(matches!(transfer_lines::fit(&[], &bench.given(3, 84)), Err(TrapFitError::TooFew { .. })));
    let flat = |value: f64| TransferLine {
        charge: vec![100.0; 600],
        scatter: 0.0,
        measured: (0..500).map(|k| (k, Measured { value, error: 1.0 })).collect(),
    };
    assert!(matches!(transfer_lines::fit(&[flat(100.1)], &bench.given(3, 84)), Err(TrapFitError::NoTrail { .. })));
}
