//! Persistence: closed forms, cut-outs, and the way back.

use crate::bench::{Scene, entry, exposure, knowledge, set, spec};
use instruments::chain::Chain;
use instruments::effects::{persistence, registry};
use sim_core::correction::StepStatus;
use sim_core::detector::Scans;
use sim_core::exposure::ExposureKind;
use sim_core::flags;
use sim_core::frame::{Frame, Window};
use sim_core::history::{BrightPixel, Earlier, History};
use sim_core::knowledge::{FullBefore, HeldCharge, Knowledge, Measured, PersistenceKnowledge};
use sim_core::plane::{Charge, Light};
use std::sync::Arc;

const FULL: f32 = 90_000.0;

fn history(earlier: Vec<Earlier>) -> Arc<History> {
    Arc::new(History { earlier: earlier.into_iter().map(Arc::new).collect() })
}

fn scene() -> Scene {
    Scene::full(spec(), exposure(1, ExposureKind::Science, 150.0))
}

/// An exposure that ended `seconds` before that of the bench, with a full pixel and one just below the threshold.
fn earlier(seconds: f64) -> Earlier {
    let mut before = scene().frame::<Charge>(|_, _| 100.0);
    before.pixels[(40, 30)] = FULL;
    before.pixels[(41, 30)] = 79_000.0;
    Earlier::of_charge(&before, 8e4, 61_000.0 - seconds / 86_400.0)
}

/// A history of three full discs and what a calibration without error knows of it.
pub fn full_stars(scene: &Scene) -> (Arc<History>, impl Fn(&mut Knowledge) + use<>) {
    let mut before = scene.frame::<Charge>(|_, _| 50.0);
    for ((y, x), v) in before.pixels.indexed_iter_mut() {
        let near = |cx: i32, cy: i32| (x as i32 - cx).pow(2) + (y as i32 - cy).pow(2) < 20;
        if near(20, 20) || near(64, 50) || near(100, 80) {
            *v = FULL;
        }
    }
    let full: Vec<u32> = (0..).zip(&before.pixels).filter(|(_, v)| **v == FULL).map(|(k, _)| k).collect();
    let history = history(vec![Earlier::of_charge(&before, 8e4, 61_000.0 - 60.0 / 86_400.0)]);
    let known = move |knowledge: &mut Knowledge| {
        knowledge.persistence = Some(Arc::new(exact_law()));
        knowledge.full_before = Some(Arc::new(vec![FullBefore { since_s: 60.0, pixels: full.clone() }]));
    };
    (history, known)
}

/// What full pixels of the bench leave behind: 10,000 electrons above the threshold, of which 4 and 1 in a thousand are trapped.
fn exact_law() -> PersistenceKnowledge {
    let sure = |value: f64| Measured { value, error: 0.0 };
    let species = [(40.0, 30.0), (10.0, 300.0)].map(|(n, tau)| HeldCharge { electrons: sure(n), release_s: sure(tau) });
    PersistenceKnowledge { species: species.to_vec() }
}

/// What the history adds to an empty frame.
fn glow(scene: &Scene, history: &Arc<History>) -> Frame<Light> {
    let effect = (entry(registry::light(), "persistence").forward)(&scene.spec).unwrap();
    let mut frame = scene.frame::<Light>(|_, _| 0.0);
    frame.history = Some(Arc::clone(history));
    let ledger = effect.apply(&mut frame, &scene.cx("persistence")).unwrap();
    assert!((ledger.added - frame.total()).abs() < 1e-9 && ledger.lost == 0.0);
    frame
}

#[test]
fn what_was_full_glows_in_the_next_exposure_and_fades() {
    let scene = scene();
    assert_eq!(earlier(60.0).bright, [BrightPixel { x: 30, y: 40, electrons: FULL }]);
    // 10,000 electrons above the threshold trap 40 and 10; they come back from 60 s to 210 s.
    let one = glow(&scene, &history(vec![earlier(60.0)]));
    let want = 40.0 * ((-2.0_f64).exp() - (-7.0_f64).exp()) + 10.0 * ((-0.2_f64).exp() - (-0.7_f64).exp());
    let got = f64::from(one.pixels[(40, 30)]);
    // The date is known to a microsecond or so (61,000 days in f64).
    assert!((got - want).abs() < 1e-5 * want, "{got} instead of {want}");
    assert_eq!(one.pixels.iter().filter(|v| **v != 0.0).count(), 1, "the pixel below the threshold traps nothing");
    // Exposures add up.
    let (late, both) = (glow(&scene, &history(vec![earlier(900.0)])), glow(&scene, &history(vec![earlier(900.0), earlier(60.0)])));
    let late = f64::from(late.pixels[(40, 30)]);
    assert!((late - 10.0 * ((-3.0_f64).exp() - (-3.5_f64).exp())).abs() < 1e-5, "only slow traps are left: {late}");
    assert!((f64::from(both.pixels[(40, 30)]) - got - late).abs() < 1e-5);
    // Beyond the reach nothing is left that counts.
    let reach = persistence::reach_s(&scene.spec).unwrap();
    let gone = f64::from(glow(&scene, &history(vec![earlier(reach)])).pixels[(40, 30)]);
    assert!(gone > 0.0 && gone < persistence::LEAST_ELECTRON, "{gone} after {reach} s");
}

#[test]
fn a_first_exposure_and_one_without_traps_are_as_they_were_bit_for_bit() {
    let scene = scene();
    assert!(glow(&scene, &Arc::default()).pixels.iter().all(|v| *v == 0.0));
    let mut without = scene.spec.clone();
    set(&mut without, "persistence", "fraction_1", 0.0);
    set(&mut without, "persistence", "fraction_2", 0.0);
    let without = Scene::full(without, scene.exposure.clone());
    assert!(glow(&without, &history(vec![earlier(60.0)])).pixels.iter().all(|v| *v == 0.0));
}

#[test]
fn a_cut_out_glows_as_the_same_pixels_of_the_whole() {
    let whole = scene();
    let window = Window { x0: 25, y0: 33, nx: 40, ny: 36 };
    let part = Scene::new(spec(), whole.exposure.clone(), window, Scans::Full);
    let past = history(vec![earlier(60.0), earlier(300.0)]);
    let (whole, part) = (glow(&whole, &past), glow(&part, &past));
    assert_eq!(part.pixels, whole.pixels.slice(ndarray::s![33..69, 25..65]));
    assert!(part.total() > 0.0);
}

#[test]
fn a_history_of_the_future_is_refused() {
    let scene = scene();
    let effect = (entry(registry::light(), "persistence").forward)(&scene.spec).unwrap();
    let mut frame = scene.frame::<Light>(|_, _| 0.0);
    frame.history = Some(history(vec![earlier(-50.0)]));
    let error = effect.apply(&mut frame, &scene.cx("persistence")).unwrap_err().to_string();
    assert_eq!(error, "persistence needs a history that ends before the exposure begins, got one that ends 50.0 s after");
}

#[test]
fn the_chain_says_what_a_pixel_held_before_it_was_moved() {
    let scene = scene();
    let mut order = crate::bench::order();
    order.light.insert(4, "persistence".into());
    order.charge = ["bleeding", "full_well", "cti"].map(String::from).to_vec();
    let chain = Chain::from_order(&order, &scene.spec).unwrap();
    let light = scene.frame::<Light>(|y, x| if (y, x) == (40, 30) { 300_000.0 } else { 10.0 });
    let held = chain.collected(light.clone(), &scene.cx("")).unwrap();
    let full = held.pixels.iter().filter(|n| **n > 0.999 * FULL).count();
    assert!((3..=4).contains(&full), "300,000 electrons fill three pixels and bleed: {full}");
    // The same seen by the chain as a whole, which moves it: trails take from the full pixels.
    let mut moved = None;
    chain.run_inspected(light, &scene.cx(""), &mut |_| (), &mut |charge| moved = Some(charge.pixels.clone())).unwrap();
    let moved = moved.unwrap();
    assert!(moved[(40, 30)] < held.pixels[(40, 30)]);
}

#[test]
fn known_full_pixels_lose_the_glow_and_are_flagged_while_it_counts() {
    let scene = scene();
    let correct = |since_s: f64, hides_full: bool| {
        let mut known = knowledge(&scene);
        known.persistence = Some(Arc::new(exact_law()));
        known.full_before = Some(Arc::new(vec![FullBefore { since_s, pixels: vec![40 * 128 + 30] }]));
        if !hides_full {
            let well = sim_core::knowledge::FullWell { capacity: Measured { value: 9e4, error: 0.0 }, scatter_electron: 1.0 };
            known.full_wells = Some(Arc::new(sim_core::knowledge::FullWells { amplifiers: vec![Some(well); 8] }));
        }
        let mut frame = scene.frame::<Light>(|_, _| 0.0);
        frame.variance = Some(ndarray::Array2::zeros(frame.pixels.dim()));
        let twin = &entry(registry::light(), "persistence").twin;
        assert_eq!(twin.correction(&known).unwrap().unwrap().correct(&mut frame).unwrap(), StepStatus::Done);
        let at = (40, 30);
        assert_eq!(frame.pixels.iter().filter(|v| **v != 0.0).count(), 1);
        (f64::from(frame.pixels[at]), f64::from(frame.variance.unwrap()[at]), frame.flags.unwrap()[at])
    };
    let (taken, variance, bits) = correct(60.0, true);
    let want = 40.0 * ((-2.0_f64).exp() - (-7.0_f64).exp()) + 10.0 * ((-0.2_f64).exp() - (-0.7_f64).exp());
    assert!((taken + want).abs() < 1e-5 && bits == flags::PERSIST);
    assert!((variance - want * want / 12.0).abs() < 1e-4, "nothing to all: {variance}");
    assert_eq!(correct(60.0, false).1, 0.0, "a converter that shows the full well leaves no doubt");
    // 900 s later 0.2 electrons, well below the read noise of 5.
    assert_eq!(correct(900.0, true).2, 0);

    let mut known = knowledge(&scene);
    let twin = &entry(registry::light(), "persistence").twin;
    let error = twin.correction(&known).unwrap().map(|_| ()).unwrap_err().to_string();
    assert_eq!(error, "persistence needs law of persistence, which calibration has not provided");
    known.persistence = Some(Arc::new(exact_law()));
    let mut frame = scene.frame::<Light>(|_, _| 0.0);
    let status = twin.correction(&known).unwrap().unwrap().correct(&mut frame).unwrap();
    assert_eq!(status, StepStatus::Skipped("no exposure of this detector is known that ended within 2280 s before".into()));
}
