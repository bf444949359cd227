//! Charge put in electrically, and pumped.

use crate::bench::{Scene, entry, exposure, set, spec};
use instruments::effects::registry;
use instruments::effects::trap_pumping::model::probability;
use ndarray::Array2;
use sim_core::exposure::ExposureKind;
use sim_core::plane::Charge;

const LEVEL: f64 = 400.0;

fn made(scene: &Scene, effects: &[&'static str]) -> Array2<f32> {
    let mut frame = scene.frame::<Charge>(|_, _| 0.0);
    for name in effects {
        (entry(registry::charge(), name).forward)(&scene.spec).unwrap().apply(&mut frame, &scene.cx(name)).unwrap();
    }
    frame.pixels
}

fn pumping(phase_time_s: f64, cycles: u32) -> Scene {
    Scene::full(spec(), exposure(7, ExposureKind::TrapPumping { level_electron: LEVEL, cycles, phase_time_s }, 10.0))
}

#[test]
fn injected_rows_have_the_level_and_the_noise_that_were_asked_for() {
    let mut scene = Scene::full(spec(), exposure(6, ExposureKind::ChargeInjection { level_electron: 2000.0, rows: 5, gap: 7 }, 0.0));
    set(&mut scene.spec, "charge_injection", "column_scatter", 0.0);
    let pixels = made(&scene, &["charge_injection"]);
    let half = scene.window.ny / 2;
    let (mut charged, mut dark) = (Vec::new(), 0);
    for (y, row) in pixels.rows().into_iter().enumerate() {
        let from_register = if y < half { y } else { scene.window.ny - 1 - y };
        if from_register % 12 >= 7 {
            charged.extend(row.iter().map(|&v| f64::from(v)));
        } else {
            assert!(row.iter().all(|&v| v == 0.0), "row {y} has no charge");
            dark += 1;
        }
    }
    assert!(dark > 20 && charged.len() > 2000);
    let count = charged.len() as f64;
    let mean = charged.iter().sum::<f64>() / count;
    let variance = charged.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
    // Twice shot noise: 4000 electrons squared; 5 sigma of the mean and of the variance of so many.
    assert!((mean - 2000.0).abs() < 5.0 * (4000.0 / count).sqrt(), "{mean}");
    assert!((variance / 4000.0 - 1.0).abs() < 5.0 * (2.0 / count).sqrt(), "{variance}");
}

#[test]
fn other_exposures_get_no_charge() {
    let scene = Scene::full(spec(), exposure(1, ExposureKind::Science, 150.0));
    assert!(made(&scene, &["charge_injection", "trap_pumping"]).iter().all(|&v| v == 0.0));
}

#[test]
fn pumping_moves_charge_along_columns_and_makes_none() {
    let scene = pumping(0.04, 100);
    let (before, after) = (made(&scene, &["charge_injection"]), made(&scene, &["charge_injection", "trap_pumping"]));
    let mut dipoles = 0;
    for (before, after) in before.columns().into_iter().zip(after.columns()) {
        // Every column keeps its electrons, to the rounding of each of its pixels.
        let sum = |c: &ndarray::ArrayView1<'_, f32>| c.iter().map(|&v| f64::from(v)).sum::<f64>();
        assert!((sum(&before) - sum(&after)).abs() < 1e-6 * sum(&before) + 0.5 * 2.0, "a column loses nothing");
        dipoles += before.iter().zip(after).filter(|(b, a)| *a - *b > 10.0).count();
    }
    assert!(dipoles > 100, "{dipoles}");
}

#[test]
fn the_mean_square_of_the_dipoles_follows_the_probability_of_the_species() {
    // One species of few traps: those that pump move N P each.
    let mean_square = |phase_time_s: f64, density: f64| {
        let mut scene = pumping(phase_time_s, 100);
        for (key, value) in [("parallel_density_1", 0.0), ("parallel_density_2", density), ("parallel_density_3", 0.0)] {
            set(&mut scene.spec, "cti", key, value);
        }
        let (before, after) = (made(&scene, &["charge_injection"]), made(&scene, &["charge_injection", "trap_pumping"]));
        before.iter().zip(&after).map(|(b, a)| f64::from(a - b).powi(2)).sum::<f64>() / before.len() as f64
    };
    // Release time of the second species: 6 transfers of 0.01 s.
    let tau = 0.06;
    let (best, slow) = (mean_square(tau * 2.0_f64.ln(), 1.0), mean_square(3.0 * tau, 1.0));
    assert!(best > 1.0);
    // Variances of single electrons, N P (1 - P), are part of the mean square.
    let of = |p: f64| (100.0 * p).powi(2) + 100.0 * p * (1.0 - p);
    let want = of(probability(3.0 * tau, tau)) / of(0.25);
    assert!((slow / best / want - 1.0).abs() < 0.1, "{} for {want}", slow / best);
    assert_eq!(mean_square(tau, 0.0), 0.0, "no traps, no dipoles");
    assert!(mean_square(1e3 * tau, 1.0) < 1e-3, "after a thousand release times nothing comes back in time");
}

#[test]
fn an_older_device_pumps_more() {
    let moved = |mjd: f64| {
        let mut scene = pumping(0.04, 100);
        scene.exposure.start_mjd = mjd;
        let (before, after) = (made(&scene, &["charge_injection"]), made(&scene, &["charge_injection", "trap_pumping"]));
        before.iter().zip(&after).map(|(b, a)| f64::from(a - b).abs()).sum::<f64>()
    };
    let (young, old) = (moved(61_000.0), moved(61_000.0 + 5.0 * 365.25));
    assert!(old > 1.05 * young, "{young} {old}");
}

#[test]
fn what_cannot_be_injected_or_pumped_is_refused() {
    let refused = |kind: ExposureKind, effect: &'static str| {
        let scene = Scene::full(spec(), exposure(7, kind, 10.0));
        let mut frame = scene.frame::<Charge>(|_, _| 0.0);
        (entry(registry::charge(), effect).forward)(&scene.spec).unwrap().apply(&mut frame, &scene.cx(effect)).unwrap_err().to_string()
    };
    let full = refused(ExposureKind::ChargeInjection { level_electron: 2e5, rows: 4, gap: 4 }, "charge_injection");
    assert!(full.contains("charge_injection.level_electron = 200000") && full.contains("full well"), "{full}");
    let none = refused(ExposureKind::TrapPumping { level_electron: 400.0, cycles: 0, phase_time_s: 0.1 }, "trap_pumping");
    assert!(none.contains("trap_pumping.cycles = 0") && none.contains("at least 1"), "{none}");
    let never = refused(ExposureKind::TrapPumping { level_electron: 400.0, cycles: 9, phase_time_s: 0.0 }, "trap_pumping");
    assert!(never.contains("trap_pumping.phase_time_s = 0"), "{never}");
}
