//! All evidence of charge traps together: flats, first pixels, injected lines, hot pixels, pumped charge.
#![allow(clippy::unwrap_used, reason = "tests")]

mod trap_bench;

use instruments::effects::charge_injection::Pattern;
use instruments::effects::registry;
use ndarray::Array2;
use reduction::injected_lines::Readout;
use reduction::trap_evidence::{Combined, Readings};
use reduction::trap_fit::TrapOptions;
use sim_core::detector::{ReadoutLayout, Scans};
use sim_core::frame::Frame;
use sim_core::knowledge::{EvidenceKind, Knowledge, TrapKnowledge};
use sim_core::plane::Charge;
use std::sync::Arc;
use trap_bench::{Also, Bench, EXPONENT, GAIN, OPTIONS, PARALLEL, READ_NOISE, SERIAL, capture};

fn rms(a: &Array2<f32>, b: &Array2<f32>) -> f64 {
    (a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64).sqrt()
}

/// What is left of the damage to a field of stars after a correction with these traps.
fn left(bench: &Bench, traps: TrapKnowledge) -> f64 {
    let star = |y: usize, x: usize| 30_000.0 * (-0.2 * ((y % 150) as f32 - 75.0).powi(2) - 0.2 * ((x % 64) as f32 - 32.0).powi(2)).exp();
    let field = Array2::from_shape_fn((1200, 512), |(y, x)| 60.0 + star(y, x));
    let (spoilt, _) = bench.read_out(field.clone(), 99);
    let before = rms(&spoilt.pixels, &field);
    let mut knowledge = Knowledge::of_layout(bench.layout.clone(), bench.spec.geometry.full_window(), 10.0);
    knowledge.traps = Some(Arc::new(traps));
    let entry = registry::charge().iter().find(|e| e.name == "cti").unwrap();
    let mut frame = Frame::<Charge>::from_pixels(spoilt.pixels, bench.spec.geometry.full_window());
    entry.twin.correction(&knowledge).unwrap().unwrap().correct(&mut frame).unwrap();
    rms(&frame.pixels, &field) / before
}

fn combine(readings: &Readings, species: [usize; 2], wanted: &[EvidenceKind]) -> Combined {
    readings.combine(&TrapOptions { species, ..OPTIONS }, &|kind| wanted.contains(&kind)).unwrap()
}

/// Deviations in units of their errors: exponent, densities and release times along columns.
fn pulls(found: &Combined) -> Vec<f64> {
    let fit = found.fits[0].as_ref().unwrap();
    let mut pulls = vec![(fit.traps.exponent - EXPONENT) / fit.exponent_error];
    for (got, (density, release)) in fit.traps.species.iter().zip(PARALLEL) {
        pulls.push((got.density.value - density) / got.density.error);
        pulls.push((got.release.value - release) / got.release.error);
    }
    pulls
}

#[test]
#[ignore = "minutes: pulls over seeds, with hits and brighter-fatter"]
fn parameters_come_back_within_their_errors_over_seeds() {
    for (name, also) in [
        ("traps and noise", Also::default()),
        ("with hits", Also { cosmic_rays: true, brighter_fatter: false }),
        ("with brighter-fatter", Also { cosmic_rays: false, brighter_fatter: true }),
    ] {
        let mut all = Vec::new();
        for seed in 0..4 {
            let mut bench = Bench::seeded(100 + seed, also);
            registry::set_parameters(&mut bench.spec, "cti", &[("blocks".into(), 0.0)], "every transfer").unwrap();
            let readings = bench.readings();
            let found = combine(&readings, [3, 2], &EvidenceKind::ALL);
            let of_seed = pulls(&found);
            println!("{name}, seed {seed}: {of_seed:.2?}");
            for e in found.measurement.evidence {
                println!(
                    "  {:6} columns {} numbers {:5} chi2 {:.2} {}",
                    e.kind.code(),
                    e.along_columns,
                    e.numbers,
                    e.reduced_chi2,
                    e.skipped
                );
            }
            all.extend(of_seed);
        }
        let rms = (all.iter().map(|p| p * p).sum::<f64>() / all.len() as f64).sqrt();
        println!("{name}: rms of {} pulls {rms:.2}", all.len());
    }
}

#[test]
#[ignore = "measured figures"]
fn what_each_evidence_leaves() {
    let mut bench = Bench::new();
    registry::set_parameters(&mut bench.spec, "cti", &[("blocks".into(), 0.0)], "every transfer").unwrap();
    let readings = bench.readings();
    for species in [[3, 2], [2, 2]] {
        for (name, kinds) in [
            ("EPER", vec![EvidenceKind::FlatTrails]),
            ("EPER+FPR", vec![EvidenceKind::FlatTrails, EvidenceKind::FirstPixels]),
            ("CINJ + serial EPER", vec![EvidenceKind::InjectedLines]),
            ("HOTPIX", vec![EvidenceKind::HotPixels]),
            ("PUMP", vec![EvidenceKind::Pumping]),
            ("EPER+PUMP", vec![EvidenceKind::FlatTrails, EvidenceKind::Pumping]),
            ("all", EvidenceKind::ALL.to_vec()),
        ] {
            let mut found = combine(&readings, species, &kinds);
            if !kinds.contains(&EvidenceKind::FlatTrails) {
                // Along rows only flats speak: theirs.
                found.traps.serial = combine(&readings, species, &EvidenceKind::ALL).traps.serial;
            }
            let rest = left(&bench, found.traps.clone());
            let fit = found.fits[0].as_ref().unwrap();
            println!("{name:20} {species:?}: left {:.2} %  chi2 {:.2}", 100.0 * rest, fit.reduced_chi2);
            for s in &fit.traps.species {
                println!(
                    "    density {:.3} +- {:.3} release {:.3} +- {:.3}",
                    s.density.value, s.density.error, s.release.value, s.release.error
                );
            }
            println!("    exponent {:.4} +- {:.4}; capture at 1e3 {:?}", fit.traps.exponent, fit.exponent_error, capture(&fit.traps, 1e3));
            if let Some(p) = &found.measurement.pumped {
                println!("    pumped {:?}\n    {:?}", p.species, p.histogram);
            }
            for e in &found.measurement.evidence {
                println!(
                    "    {:6} columns {} numbers {:5} chi2 {:.2} {}",
                    e.kind.code(),
                    e.along_columns,
                    e.numbers,
                    e.reduced_chi2,
                    e.skipped
                );
            }
            if let Some(fit) = &found.fits[1] {
                println!("    serial {:?} {} +- {}", fit.traps.species, fit.traps.exponent, fit.exponent_error);
            }
        }
    }
}

#[test]
fn all_evidence_together_restores_a_field() {
    let bench = Bench::new();
    let readings = bench.readings();
    let all = combine(&readings, [3, 2], &EvidenceKind::ALL);
    let used: Vec<EvidenceKind> = all.measurement.evidence.iter().filter(|e| e.skipped.is_empty()).map(|e| e.kind).collect();
    assert_eq!(used.len(), 6, "flats both ways, first pixels, lines, hot pixels, pumping: {used:?}");
    assert!(left(&bench, all.traps.clone()) < 0.05);
    for (kind, least) in [(EvidenceKind::FlatTrails, 0.05), (EvidenceKind::InjectedLines, 0.05), (EvidenceKind::HotPixels, 0.15)] {
        let mut found = combine(&readings, [3, 2], &[kind]);
        // Along rows only flats speak.
        found.traps.serial = all.traps.serial.clone();
        let rest = left(&bench, found.traps);
        assert!(rest < least, "{kind:?} alone leaves {rest}");
    }
    for (got, (density, release)) in all.traps.parallel.species.iter().zip(PARALLEL) {
        assert!((got.density.value / density - 1.0).abs() < 0.05 && (got.release.value / release - 1.0).abs() < 0.05, "{got:?}");
    }
    for (got, (density, release)) in all.traps.serial.species.iter().zip(SERIAL) {
        assert!((got.density.value / density - 1.0).abs() < 0.05 && (got.release.value / release - 1.0).abs() < 0.05, "{got:?}");
    }
    let pumped = all.measurement.pumped.unwrap();
    for (got, (density, release)) in pumped.species.iter().zip(PARALLEL) {
        assert!((got.release.value / release - 1.0).abs() < 0.03, "{got:?}");
        // The packets of so many traps run low: some per cents of the charge moved are missing.
        assert!((got.density.value / density - 1.0).abs() < 0.2, "{got:?}");
    }
    // Nothing wanted, nothing found; the reasons are said.
    let none = readings.combine(&OPTIONS, &|_| false).unwrap_err();
    assert!(none.contains("no evidence") && none.contains("left out"), "{none}");
}

#[test]
fn frames_without_overscan_say_so() {
    let bench = Bench::new();
    let layout = ReadoutLayout::new(&bench.spec.geometry, bench.spec.geometry.full_window(), Scans::Trimmed);
    let (gain, read_noise) = (bench.sure(1.0), bench.sure(5.0));
    let readout = Readout { layout: &layout, bias: None, zero: &[], gain: &gain, read_noise: &read_noise };
    let mut readings = Readings::of_layout(&layout);
    let flat = Array2::from_elem((1200, 512), 1000.0_f32);
    readings.add_flat(&flat, &readout);
    readings.add_flat(&flat, &readout);
    readings.add_injected(&flat, &readout, &Pattern { first: 100, lines: 20, period: 120 });
    readings.add_darks(&[flat.clone(), flat.clone(), flat], &readout, 900.0);
    let reason = readings.combine(&OPTIONS, &|_| true).unwrap_err();
    for word in ["EPER", "FPR", "CINJ", "HOTPIX", "PUMP", "no overscan", "no exposures of trap pumping"] {
        assert!(reason.contains(word), "no {word} in {reason}");
    }
}

#[test]
fn an_older_device_has_more_traps() {
    let at = |years: f64| {
        let mut bench = Bench::new();
        bench.mjd = 61_000.0 + 365.25 * years;
        let (gain, read_noise) = (bench.sure(GAIN), bench.sure(READ_NOISE));
        let readout = Readout { layout: &bench.layout, bias: None, zero: &[], gain: &gain, read_noise: &read_noise };
        let mut readings = Readings::of_layout(&bench.layout);
        for (id, level) in (0..).zip([300.0_f32, 2500.0, 25_000.0]) {
            readings.add_flat(&bench.flat(level, id), &readout);
        }
        capture(&combine(&readings, [3, 2], &[EvidenceKind::FlatTrails]).traps.parallel, 1e4).0
    };
    // 0.2 of the traps of the reference date are added in a year.
    let (young, old) = (at(0.0), at(1.5));
    assert!((old / young / 1.3 - 1.0).abs() < 0.02, "{young} {old}");
}

#[test]
fn a_device_without_traps_has_none_whatever_its_responses() {
    let mut bench = Bench::new();
    let off: Vec<(String, f64)> =
        (1..=3).flat_map(|k| [(format!("parallel_density_{k}"), 0.0), (format!("serial_density_{k}"), 0.0)]).collect();
    registry::set_parameters(&mut bench.spec, "cti", &off, "no traps").unwrap();
    let (gain, read_noise) = (bench.sure(GAIN), bench.sure(READ_NOISE));
    let readout = Readout { layout: &bench.layout, bias: None, zero: &[], gain: &gain, read_noise: &read_noise };
    let mut readings = Readings::of_layout(&bench.layout);
    for (id, level) in (0..).zip([300.0_f32, 2500.0, 25_000.0]) {
        readings.add_flat(&bench.flat(level, id), &readout);
    }
    let reason = readings.combine(&OPTIONS, &|_| true).unwrap_err();
    assert!(reason.contains("along columns: trap fit: no trail") && reason.contains("along rows: trap fit: no trail"), "{reason}");
}
