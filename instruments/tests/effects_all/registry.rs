//! The three loops over the registry, and its pages.

use crate::bench::{Scene, entry, exposure, knowledge, spec, starry};
use instruments::effects::registry::{self, Entry, Twin};
use sim_core::exposure::{Exposure, ExposureKind};
use sim_core::plane::{Charge, Counts, Light, Plane};
use sim_core::{correction::StepStatus, flags};
use std::collections::BTreeSet;

const LAMP: ExposureKind = ExposureKind::Flat { rate_electron_s: 200.0 };

const INJECTION: ExposureKind = ExposureKind::ChargeInjection { level_electron: 2000.0, rows: 4, gap: 9 };
const PUMPING: ExposureKind = ExposureKind::TrapPumping { level_electron: 800.0, cycles: 500, phase_time_s: 0.03 };

fn exposures() -> [Exposure; 6] {
    [
        exposure(1, ExposureKind::Science, 150.0),
        exposure(2, LAMP, 10.0),
        exposure(3, ExposureKind::Dark, 300.0),
        exposure(4, ExposureKind::Bias, 0.0),
        exposure(5, INJECTION, 0.0),
        exposure(6, PUMPING, 90.0),
    ]
}

fn balances<P: Plane>(entries: &'static [Entry<P>]) {
    for entry in entries {
        for exposure in exposures() {
            let scene = Scene::full(spec(), exposure);
            let mut frame = scene.frame::<P>(|y, x| starry(x, y));
            let before = frame.total();
            let effect = (entry.forward)(&scene.spec).unwrap();
            let ledger = effect.apply(&mut frame, &scene.cx(entry.name)).unwrap();
            let after = frame.total();
            // Sums of f64: 2^-53 per addition, some 1e4 additions.
            assert!((after - before - ledger.net()).abs() <= 1e-11 * (before + after), "{} {:?}", entry.name, scene.exposure.kind);
            assert!(ledger.added >= 0.0 && ledger.lost >= 0.0, "{} {ledger:?}", entry.name);
        }
    }
}

#[test]
fn every_ledger_balances() {
    balances(registry::light());
    balances(registry::charge());
    balances(registry::counts());
}

#[test]
fn crossings_book_what_leaves_and_what_enters() {
    let scene = Scene::full(spec(), exposure(1, ExposureKind::Science, 150.0));
    let light = scene.frame::<Light>(|y, x| starry(x, y));
    let expected = light.total();
    let (charge, ledger) = (registry::detect().forward)(&scene.spec).unwrap().cross(light, &scene.cx("detect")).unwrap();
    let electrons = charge.total();
    assert!((electrons - expected - ledger.left.net()).abs() <= 1e-11 * expected);
    assert_eq!(ledger.entered.net(), 0.0);
    assert!(ledger.left.lost > 0.0, "chance also takes");

    let gain = instruments::effects::digitise::amplifier_gains(&scene.spec).unwrap();
    let (counts, ledger) = (registry::digitise().forward)(&scene.spec).unwrap().cross(charge, &scene.cx("digitise")).unwrap();
    assert!((ledger.left.lost - electrons).abs() <= 1e-11 * electrons, "all electrons leave");
    assert!((ledger.entered.added - counts.total()).abs() <= 1e-11 * electrons, "all counts enter");
    let back: f64 = scene
        .layout
        .tiles
        .iter()
        .map(|t| {
            let (r, at) = (t.raw, &counts.pixels);
            let sum: f64 = at.slice(ndarray::s![r.y0..r.y0 + r.ny, r.x0..r.x0 + r.nx]).iter().map(|&v| f64::from(v)).sum();
            sum * gain[t.amplifier]
        })
        .sum();
    // Each pixel is rounded once to f32 (gain) and once more (quotient): 1.2e-7 at most.
    assert!((back - electrons).abs() <= 1.2e-7 * electrons, "{back} against {electrons}");
}

fn rms(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0), |(sum, n), v| (sum + v * v, n + 1));
    (sum / f64::from(n)).sqrt()
}

fn undoes<P: Plane>(entries: &'static [Entry<P>]) {
    for entry in entries {
        let scene = Scene::full(spec(), exposure(1, ExposureKind::Science, 150.0));
        let mut knowledge = knowledge(&scene);
        if entry.name == "dark" {
            // Alone, without the bias that takes the wait: a reference of the same exposure.
            let image = scene.applied(entry, 0.0).pixels.mapv(|n| n / 150.0);
            let variance = ndarray::Array2::zeros(image.dim());
            knowledge.dark = Some(std::sync::Arc::new(sim_core::knowledge::Reference { image, variance }));
        }
        // Counts stay above 0 and below the ceiling but for one pixel; the sky is put on an empty field with stars.
        let lift = if entry.name == "sky" { -20.0 } else { 100.0 };
        let slope = if entry.name == "sky" { 0.3 } else { 0.0 };
        let holds_charge = |y: usize, x: usize| {
            let inside = |r: &sim_core::detector::Rect| y >= r.y0 && y < r.y0 + r.ny && x >= r.x0 && x < r.x0 + r.nx;
            P::NAME != Counts::NAME || scene.layout.tiles.iter().any(|t| inside(&t.raw_science))
        };
        // A response is calibrated where the converter reads.
        let most = if entry.name == "non_linearity" { 6e4 } else { f32::INFINITY };
        let light = |y, x| if holds_charge(y, x) { (starry(x, y) + lift - slope * x as f32).floor().min(most) } else { 0.0 };
        let mut before = scene.frame::<P>(light);
        if entry.name == "persistence" {
            let (history, known) = crate::persistence::full_stars(&scene);
            before.history = Some(history);
            known(&mut knowledge);
        }
        let mut frame = before.clone();
        (entry.forward)(&scene.spec).unwrap().apply(&mut frame, &scene.cx(entry.name)).unwrap();
        let after = frame.clone();
        if entry.name == "ghosts" {
            let paths = Vec::new();
            knowledge.ghosts = Some(std::sync::Arc::new(sim_core::knowledge::GhostKnowledge { axis: (0.0, 0.0), paths }));
        }
        let Some(correction) = entry.twin.correction(&knowledge) else {
            let Twin::None(reason) = entry.twin else { unreachable!() };
            assert!(reason.len() > 10, "{}: a reason", entry.name);
            continue;
        };
        frame.flags = Some(ndarray::Array2::zeros(frame.pixels.dim()));
        assert_eq!(correction.unwrap().correct(&mut frame).unwrap(), StepStatus::Done, "{}", entry.name);
        // Only science pixels are reduced.
        let pixels: Vec<(usize, usize)> = if P::NAME == Counts::NAME {
            scene
                .layout
                .tiles
                .iter()
                .flat_map(|t| {
                    let r = t.raw_science;
                    (r.y0..r.y0 + r.ny).flat_map(move |y| (r.x0..r.x0 + r.nx).map(move |x| (y, x)))
                })
                .collect()
        } else {
            ndarray::indices(before.pixels.dim()).into_iter().collect()
        };
        let change = |p: &(usize, usize)| f64::from(after.pixels[*p]) - f64::from(before.pixels[*p]);
        match entry.twin {
            Twin::Exact(_) => {
                for &p in &pixels {
                    let (was, is, high) = (before.pixels[p], frame.pixels[p], after.pixels[p]);
                    // Three roundings on the way there and back, and one of the reference.
                    let tolerance = 4.0 * f32::EPSILON * was.abs().max(high.abs());
                    assert!((was - is).abs() <= tolerance, "{} at {p:?}: {was} came back as {is}", entry.name);
                }
                assert!(pixels.iter().any(|p| change(p) != 0.0), "{} did nothing", entry.name);
            }
            Twin::Approximate { residual, .. } => {
                let did = rms(pixels.iter().map(change));
                let left = rms(pixels.iter().map(|&p| f64::from(frame.pixels[p]) - f64::from(before.pixels[p])));
                assert!(did > 0.0 && left <= residual * did, "{}: {left} left of {did}, stated {residual}", entry.name);
            }
            Twin::FlagOnly(_) => {
                assert_eq!(frame.pixels, after.pixels, "{}: the twin flags and nothing else", entry.name);
                let marks = frame.flags.as_ref().unwrap();
                if ["trails", "ghosts", "scattered_light"].contains(&entry.name) {
                    // They look for their like on frames with noise: see stray.rs.
                    assert!(pixels.iter().any(|p| change(p) > 0.0), "{} did nothing", entry.name);
                    continue;
                }
                if entry.name == "cosmic_rays" {
                    // A frame without noise: what exceeds the noise that calibration knows is to be found.
                    let hit = |p: &&(usize, usize)| change(p) > 10.0 * (f64::from(before.pixels[**p]) + 25.0).sqrt();
                    let strong = pixels.iter().filter(hit).count();
                    let found = pixels.iter().filter(hit).filter(|p| marks[**p] & flags::COSMIC_RAY != 0).count();
                    let wrong = pixels.iter().filter(|p| marks[**p] & flags::COSMIC_RAY != 0 && change(p) == 0.0).count();
                    assert!(strong > 100 && 100 * found > 95 * strong, "{found} of {strong} pixels of hits");
                    assert!(50 * wrong < strong, "{wrong} clean pixels flagged beside {strong} of hits");
                    continue;
                }
                if ["defects", "bad_columns"].contains(&entry.name) {
                    // What changed is flagged; what is flagged beside it (telegraph pixels that stayed low, margins of tails) is little.
                    let bits = flags::DEAD | flags::TELEGRAPH | flags::BAD_COLUMN;
                    let changed = pixels.iter().filter(|p| change(p) != 0.0).count();
                    let missed = pixels.iter().filter(|p| change(p) != 0.0 && marks[**p] & bits == 0).count();
                    let spare = pixels.iter().filter(|p| change(p) == 0.0 && marks[**p] & bits != 0).count();
                    assert!(changed > 50 && missed == 0, "{}: {missed} of {changed} not flagged", entry.name);
                    assert!(2 * spare < changed, "{}: {spare} flagged for nothing beside {changed}", entry.name);
                    continue;
                }
                // Bleeding also gives: all it changed are full pixels and the ends of their runs.
                let spoiled = |p: &(usize, usize)| change(p) < 0.0 || entry.name == "bleeding" && change(p) != 0.0;
                for &p in &pixels {
                    assert_eq!(marks[p] & flags::SATURATED != 0, spoiled(&p), "{} at {p:?}", entry.name);
                }
                assert!(pixels.iter().any(|p| change(p) < 0.0), "{} clipped nothing", entry.name);
            }
            Twin::VarianceOnly(_) => {
                assert_eq!(frame.pixels, after.pixels, "{}: the twin models the noise and nothing else", entry.name);
                let variance = frame.variance.as_ref().unwrap();
                let ratio = rms(pixels.iter().map(|p| change(p) / f64::from(variance[*p]).sqrt())).powi(2);
                let tolerance = 5.0 * (2.0 / pixels.len() as f64).sqrt();
                assert!((ratio - 1.0).abs() < tolerance, "{}: {ratio} +- {tolerance}", entry.name);
            }
            Twin::None(_) => unreachable!(),
        }
    }
}

#[test]
fn every_twin_undoes_what_it_says() {
    undoes(registry::light());
    undoes(registry::charge());
    undoes(registry::counts());
}

#[test]
fn the_crossings_go_back() {
    let scene = Scene::full(spec(), exposure(1, ExposureKind::Science, 150.0));
    let knowledge = knowledge(&scene);
    let electrons = scene.frame::<Charge>(|y, x| starry(x, y).floor());
    let mut charge = electrons.clone();
    let counts = (registry::digitise().forward)(&scene.spec).unwrap();
    let (mut counts, _) = counts.cross(charge, &scene.cx("digitise")).unwrap();
    counts.variance = Some(counts.pixels.mapv(|_| 4.0));
    charge = (registry::digitise().backward)(&knowledge).unwrap().cross_back(counts).unwrap().0;
    let gain = knowledge.gain.as_ref().unwrap();
    for ((p, &is), &was) in charge.pixels.indexed_iter().zip(&electrons.pixels) {
        assert!((is - was).abs() <= 2.0 * f32::EPSILON * was, "{p:?}: {was} came back as {is}");
    }
    let corner = charge.variance.as_ref().unwrap()[[0, 0]];
    assert!((f64::from(corner) / (4.0 * gain[0].value.powi(2)) - 1.0).abs() < 1e-6, "variance goes with the square of the gain");

    let (light, _) = (registry::detect().backward)(&knowledge).unwrap().cross_back(charge.clone()).unwrap();
    let added = light.variance.unwrap()[[0, 0]] - corner;
    assert!((added - charge.pixels[[0, 0]]).abs() < 1e-4, "Poisson: variance {added} for {} electrons", charge.pixels[[0, 0]]);
}

#[test]
fn names_are_unique_and_places_are_known() {
    let names = registry::effect_names();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    fn places<P: Plane>(entries: &'static [Entry<P>]) {
        for entry in entries {
            for after in entry.after {
                assert!(entries.iter().any(|e| e.name == *after), "{} comes after {after}, unknown on its plane", entry.name);
                assert_ne!(*after, entry.name);
            }
        }
    }
    places(registry::light());
    places(registry::charge());
    places(registry::counts());
    assert_eq!(entry(registry::light(), "dark").after, ["sky", "lamp", "flat", "shutter"], "dark is not light: after all of it");
}

#[test]
fn every_page_has_the_six_headings_in_order() {
    for (name, page) in registry::all().iter().map(|s| (s.name, s.page)) {
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("//! # ")).collect();
        assert_eq!(headings, ["Effect", "Formula", "Symbols", "Source", "Limits", "Twin"], "{name}");
        assert!(page.starts_with("//! "), "{name}: a first line that says what it is");
        for line in page.lines().filter(|l| l.starts_with("//!")) {
            assert!(!line.starts_with("//!     "), "{name}: rustdoc would take this for code: {line}");
        }
    }
}

#[test]
fn parameters_have_units_ranges_and_meanings() {
    for summary in registry::all() {
        for p in summary.parameters {
            assert!(!p.unit.is_empty() && p.low < p.high && p.meaning.len() > 5, "{}.{}", summary.name, p.key);
        }
    }
    assert_eq!(registry::parameter_names("read_noise"), Some(vec!["sigma"]));
    assert_eq!(registry::parameter_names("read_nose"), None);
}
