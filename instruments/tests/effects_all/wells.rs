//! Full wells, bleeding, the response of the amplifiers and the flags of all three on whole frames.

use crate::bench::{NY, Scene, entry, exposure, knowledge, linearity_knowledge, order, set, spec, spec_of, starry};
use instruments::chain::Chain;
use instruments::description::{ChainOrder, DetectorSpec};
use instruments::effects::full_well::Capacity;
use instruments::effects::registry;
use ndarray::Array2;
use sim_core::correction::{CorrectionError, StepStatus};
use sim_core::detector::Scans;
use sim_core::exposure::ExposureKind;
use sim_core::flags::{ADC_SATURATED, BLEED, NONLINEAR, SATURATED};
use sim_core::frame::{Frame, Window};
use sim_core::knowledge::{FullWell, FullWells, Knowledge, Measured};
use sim_core::ledger::Ledger;
use sim_core::plane::{Charge, Counts, Light};
use std::sync::Arc;

fn science(spec: DetectorSpec) -> Scene {
    Scene::full(spec, exposure(1, ExposureKind::Science, 150.0))
}

fn charge_effect(name: &str, scene: &Scene, frame: &mut Frame<Charge>) -> Ledger {
    let entry = entry(registry::charge(), name);
    (entry.forward)(&scene.spec).unwrap().apply(frame, &scene.cx(entry.name)).unwrap()
}

fn undo_charge(name: &str, knowledge: &Knowledge, frame: &mut Frame<Charge>) {
    let correction = entry(registry::charge(), name).twin.correction(knowledge).unwrap().unwrap();
    assert_eq!(correction.correct(frame).unwrap(), StepStatus::Done, "{name}");
}

fn with_bleeding() -> ChainOrder {
    let mut order = order();
    order.charge.insert(0, "bleeding".into());
    order
}

#[test]
fn an_overfull_pixel_fills_its_column_to_the_capacity_and_no_other() {
    let scene = science(spec());
    let mut frame = scene.frame::<Charge>(|_, _| 0.0);
    frame.pixels[[30, 17]] = 7.0 * 90_000.0;
    let ledger = charge_effect("bleeding", &scene, &mut frame);
    for ((y, x), &n) in frame.pixels.indexed_iter() {
        assert_eq!(n, if x == 17 && (27..=33).contains(&y) { 90_000.0 } else { 0.0 }, "({x}, {y})");
    }
    assert_eq!((ledger.added, ledger.lost), (0.0, 0.0), "nothing left the frame");
    let unchanged = frame.pixels.clone();
    assert_eq!(charge_effect("full_well", &scene, &mut frame), Ledger::default(), "nothing is left for the full well to clip");
    assert_eq!(frame.pixels, unchanged);
}

#[test]
fn charge_leaves_through_the_registers_and_is_booked() {
    let scene = science(spec());
    for row in [2, NY - 3] {
        let mut frame = scene.frame::<Charge>(|y, x| starry(x, y));
        frame.pixels[[row, 100]] = 60.0 * 90_000.0;
        let before = frame.total();
        let ledger = charge_effect("bleeding", &scene, &mut frame);
        assert!(ledger.lost > 20.0 * 90_000.0 && ledger.added == 0.0, "row {row}: {ledger:?}");
        assert!((before - frame.total() - ledger.lost).abs() < 1e-10 * before);
        let full = (0..NY).filter(|&y| frame.pixels[[y, 100]] == 90_000.0).count() as f64;
        // Three pixels from the drain, 60 capacities less the sky: L^2 = 2 x 3 x 60.
        assert!((full - 360.0_f64.sqrt()).abs() < 1.5, "row {row}: {full}");
        let edge = if row == 2 { 0 } else { NY - 1 };
        assert_eq!(frame.pixels[[edge, 100]], 90_000.0);
    }
}

#[test]
fn charge_passes_the_midline_unless_there_is_a_barrier() {
    let run = |barrier: f64| {
        let mut spec = spec();
        set(&mut spec, "bleeding", "midline_barrier", barrier);
        let scene = science(spec);
        let mut frame = scene.frame::<Charge>(|_, _| 0.0);
        frame.pixels[[NY / 2, 5]] = 5.0 * 90_000.0;
        charge_effect("bleeding", &scene, &mut frame);
        (0..NY).filter(|&y| frame.pixels[[y, 5]] > 0.0).collect::<Vec<_>>()
    };
    assert_eq!(run(0.0), (NY / 2 - 2..=NY / 2 + 2).collect::<Vec<_>>());
    assert_eq!(run(1.0), (NY / 2..=NY / 2 + 4).collect::<Vec<_>>());
}

#[test]
fn a_cut_out_that_holds_the_bleed_has_the_bits_of_the_whole() {
    let mut spec = spec();
    set(&mut spec, "full_well", "pixel_scatter", 0.02);
    set(&mut spec, "full_well", "section_scatter", 0.05);
    let window = Window { x0: 50, y0: 20, nx: 31, ny: 60 };
    let whole = science(spec.clone());
    let cut = Scene::new(spec, exposure(1, ExposureKind::Science, 150.0), window, Scans::Full);
    let light = |x: usize, y: usize| if (x, y) == (64, 48) { 2e6 } else { starry(x, y).min(4e4) };
    let mut all = whole.frame::<Charge>(|y, x| light(x, y));
    let mut some = cut.frame::<Charge>(|y, x| light(window.x0 + x, window.y0 + y));
    let (mut changed, before) = (0, some.pixels.clone());
    for name in ["bleeding", "full_well"] {
        charge_effect(name, &whole, &mut all);
        charge_effect(name, &cut, &mut some);
    }
    for ((y, x), n) in some.pixels.indexed_iter() {
        assert_eq!(n.to_bits(), all.pixels[[window.y0 + y, window.x0 + x]].to_bits(), "({x}, {y})");
        changed += usize::from(*n != before[[y, x]]);
    }
    assert!(changed > 20, "{changed}");
}

#[test]
fn the_same_bits_with_one_and_two_threads() {
    let scene = science(spec());
    let with = |threads: usize| {
        let mut frame = scene.frame::<Charge>(|y, x| 30.0 * starry(x, y));
        let ledger =
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| charge_effect("bleeding", &scene, &mut frame));
        (frame.pixels, ledger)
    };
    assert_eq!(with(1), with(2));
}

#[test]
fn capacities_scatter_as_told_and_clip_what_they_say() {
    let mut spec = spec_of(512, 256);
    set(&mut spec, "full_well", "pixel_scatter", 0.01);
    set(&mut spec, "full_well", "section_scatter", 0.03);
    let scene = science(spec);
    let mut frame = scene.frame::<Charge>(|_, _| 1e6);
    charge_effect("full_well", &scene, &mut frame);
    let capacity = Capacity::read(&scene.spec).unwrap();
    assert!(frame.pixels.indexed_iter().all(|((y, x), &n)| n.to_bits() == capacity.of_pixel(x, y).to_bits() && n > capacity.lowest()));
    let mut means = Vec::new();
    for tile in &scene.layout.tiles {
        let area = tile.science;
        let part = frame.pixels.slice(ndarray::s![area.y0..area.y0 + area.ny, area.x0..area.x0 + area.nx]).mapv(f64::from);
        let (mean, n) = (part.mean().unwrap(), part.len() as f64);
        let sd = part.std(1.0) / mean;
        assert!((sd / 0.01 - 1.0).abs() < 5.0 / (2.0 * n).sqrt(), "amplifier {}: {sd}", tile.amplifier);
        means.push(mean / 90_000.0 - 1.0);
    }
    let sd = (means.iter().map(|m| m * m).sum::<f64>() / 8.0).sqrt();
    // Eight sections: the standard deviation is good to a quarter.
    assert!((0.4..1.9).contains(&(sd / 0.03)), "{sd}");
}

#[test]
fn switching_bleeding_off_changes_the_columns_of_bright_stars_alone() {
    let scene = science(spec());
    let with = Chain::from_order(&with_bleeding(), &scene.spec).unwrap();
    let without = with.without("bleeding").unwrap();
    let run = |chain: &Chain| {
        let light = scene.frame::<Light>(|y, x| starry(x, y) + if x == 64 && y == 48 { 2e6 } else { 0.0 });
        let mut shown = Array2::zeros((0, 0));
        chain.run_inspected(light, &scene.cx(""), &mut |_| (), &mut |charge| shown = charge.pixels.clone()).unwrap();
        shown
    };
    let (bled, clipped) = (run(&with), run(&without));
    let changed: Vec<usize> = bled.indexed_iter().filter(|(p, n)| **n != clipped[*p]).map(|((_, x), _)| x).collect();
    assert!(changed.len() > 20 && changed.iter().all(|x| (61..=67).contains(x)), "{changed:?}");
}

/// Raw frame of a star of 4 million electrons on a sky of 500, the charge before bleeding and after, and what the reduction flags.
fn star_through_the_chain(capacity: f64) -> (Array2<f32>, Array2<f32>, Array2<f32>, Array2<u32>) {
    let mut spec = spec();
    set(&mut spec, "full_well", "capacity", capacity);
    set(&mut spec, "dark", "hot_fraction", 0.0);
    let scene = science(spec);
    let light = || scene.frame::<Light>(|y, x| 200.0 + 1e6 * (-0.4 * ((x as f32 - 40.3).powi(2) + (y as f32 - 30.2).powi(2))).exp());
    let chain = Chain::from_order(&with_bleeding(), &scene.spec).unwrap();
    let (mut before, mut after) = (Array2::zeros((0, 0)), Array2::zeros((0, 0)));
    let unlimited = chain.without("bleeding").unwrap().without("full_well").unwrap();
    unlimited.run_inspected(light(), &scene.cx(""), &mut |_| (), &mut |charge| before = charge.pixels.clone()).unwrap();
    let (mut counts, _) = chain.run_inspected(light(), &scene.cx(""), &mut |_| (), &mut |charge| after = charge.pixels.clone()).unwrap();
    let raw = instruments::effects::digitise::model::trim(counts.pixels.clone(), &scene.layout, scene.window);
    let mut knowledge = knowledge(&scene);
    knowledge.saturation_electron = Some(0.99 * capacity);
    for name in ["adc", "bias"] {
        entry(registry::counts(), name).twin.correction(&knowledge).unwrap().unwrap().correct(&mut counts).unwrap();
    }
    let (mut charge, _) = (registry::digitise().backward)(&knowledge).unwrap().cross_back(counts).unwrap();
    for name in ["full_well", "bleeding"] {
        undo_charge(name, &knowledge, &mut charge);
    }
    (raw, before, after, charge.flags.unwrap())
}

#[test]
fn a_bleed_is_flagged_on_either_side_of_the_converters_ceiling() {
    // 90,000 electrons are 81,800 counts, above the ceiling; 50,000 are 45,500, below it.
    for (capacity, at_ceiling) in [(90_000.0, true), (50_000.0, false)] {
        let (raw, before, after, flags) = star_through_the_chain(capacity);
        let (mut bled, mut missed, mut false_flags, mut full) = (0, 0, 0, 0);
        for (p, &n) in after.indexed_iter() {
            let flagged = flags[p] & SATURATED != 0;
            assert_eq!(flagged, flags[p] & BLEED != 0, "{p:?}");
            let moved = (n - before[p]).abs() >= 1.0;
            bled += usize::from(moved);
            missed += usize::from(moved && !flagged);
            false_flags += usize::from(flagged && !moved && raw[p] < 65_535.0);
            if f64::from(n) >= capacity {
                full += 1;
                assert_eq!(raw[p] == 65_535.0, at_ceiling, "{p:?}: raw {}", raw[p]);
                assert_eq!(flags[p] & ADC_SATURATED != 0, at_ceiling, "{p:?}");
            }
        }
        assert!(full > 60 && bled > full, "{full} full of {bled} changed");
        assert_eq!(missed, 0, "of {bled}");
        // Beside the ends of runs in columns that are full by the converter's ceiling and not by charge.
        assert!(false_flags <= 8, "{false_flags} beside {bled}");
    }
}

#[test]
fn measured_full_wells_set_the_level_of_their_amplifier() {
    let scene = science(spec());
    let mut knowledge = Knowledge::of_layout(scene.layout.clone(), scene.window, 150.0);
    let missing = entry(registry::charge(), "full_well").twin.correction(&knowledge).unwrap();
    assert!(matches!(missing, Err(CorrectionError::Unknown { step: "full_well", .. })));
    let well = |value: f64| Some(FullWell { capacity: Measured { value, error: 10.0 }, scatter_electron: 20.0 });
    let mut amplifiers = vec![well(80_000.0); scene.layout.amplifier_count];
    amplifiers[2] = None;
    knowledge.full_wells = Some(Arc::new(FullWells { amplifiers }));
    knowledge.saturation_electron = Some(89_000.0);
    // 80,000 less 0.3 % and five times sqrt(20^2 + 10^2): 79,648.
    for (value, measured, nominal) in [(79_640.0, false, false), (79_656.0, true, false), (89_000.0, true, true)] {
        let mut frame = scene.frame::<Charge>(|_, _| value);
        undo_charge("full_well", &knowledge, &mut frame);
        for tile in &scene.layout.tiles {
            let flagged = frame.flags.as_ref().unwrap()[[tile.science.y0, tile.science.x0]] & SATURATED != 0;
            assert_eq!(flagged, if tile.amplifier == 2 { nominal } else { measured }, "{value} in amplifier {}", tile.amplifier);
        }
    }
}

#[test]
fn counts_above_the_calibrated_range_are_flagged_and_variance_goes_with_the_slope() {
    let scene = science(spec());
    let effect = entry(registry::counts(), "non_linearity");
    let mut nothing = Knowledge::of_layout(scene.layout.clone(), scene.window, 150.0);
    assert!(matches!(effect.twin.correction(&nothing).unwrap(), Err(CorrectionError::Unknown { step: "non_linearity", .. })));
    let mut linearity = linearity_knowledge(&scene.spec);
    linearity.amplifiers[3].as_mut().unwrap().ceiling_adu = 30_000.0;
    let ceilings: Vec<f64> = linearity.amplifiers.iter().map(|a| a.as_ref().unwrap().ceiling_adu).collect();
    nothing.linearity = Some(Arc::new(linearity));
    let forward = |value: f32| scene.applied::<Counts>(effect, value);
    for value in [0.0, 10_000.0, 40_000.0_f32] {
        let (mut frame, low, high) = (forward(value), forward(value - 16.0), forward(value + 16.0));
        let bent = frame.pixels.clone();
        frame.variance = Some(frame.pixels.mapv(|_| 100.0));
        effect.twin.correction(&nothing).unwrap().unwrap().correct(&mut frame).unwrap();
        for tile in &scene.layout.tiles {
            let p = [tile.raw_science.y0 + 1, tile.raw_science.x0 + 1];
            let above = f64::from(bent[p]) > ceilings[tile.amplifier];
            assert_eq!(frame.flags.as_ref().unwrap()[p] & NONLINEAR != 0, above, "{value} in amplifier {}", tile.amplifier);
            if !above {
                assert!((frame.pixels[p] - value).abs() <= 3e-5 * value, "{value} came back as {}", frame.pixels[p]);
                // Slope of the correction: one over that of the response, by differences of 32 counts (rounding 0.004 / 32).
                let slope = f64::from(high.pixels[p] - low.pixels[p]) / 32.0;
                let got = f64::from(frame.variance.as_ref().unwrap()[p]);
                assert!((got / 100.0 * slope * slope - 1.0).abs() < 1e-3, "{value}: {got} for a slope of {slope}");
            } else {
                // Straight on from 30,000: what the terms would add over 10,000 counts, below 0.4 %.
                assert!((frame.pixels[p] / value - 1.0).abs() < 4e-3, "{value} came back as {}", frame.pixels[p]);
            }
            // Scans bend as all the rest.
            assert_eq!(bent[[tile.raw.y0, tile.raw.x0]], bent[p]);
        }
    }
}

#[test]
fn impossible_parameters_are_named() {
    let message = |effect: &str, settings: &[(&str, f64)]| {
        let mut spec = spec();
        settings.iter().for_each(|(key, value)| set(&mut spec, effect, key, *value));
        Chain::from_order(&ChainOrder { counts: vec!["non_linearity".into()], ..with_bleeding() }, &spec).err().unwrap().to_string()
    };
    assert_eq!(message("bleeding", &[("midline_barrier", 0.5)]), "effects.bleeding.midline_barrier = 0.5 is outside 0..1");
    assert_eq!(message("full_well", &[("pixel_scatter", 0.2)]), "effects.full_well.pixel_scatter = 0.2 is outside 0..0.1");
    assert_eq!(message("full_well", &[("capacity", 0.0)]), "effects.full_well.capacity = 0 electron is outside 1..10000000");
    // Alone and at most so deep no response turns round: -1 / (3 terms x 3 x 2^2).
    let turned = message("non_linearity", &[("quadratic", -0.1), ("cubic", -0.19), ("scatter", 0.0)]);
    assert!(turned.starts_with("effects.non_linearity.cubic = -0.19 is outside -0.027..0.2"), "{turned}");
}
