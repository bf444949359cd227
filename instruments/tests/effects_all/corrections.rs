//! The way back: all twins in order give the light back within the errors they state.

use crate::bench::{Scene, exposure, knowledge, order, set, spec_of, wanted};
use instruments::chain::Chain;
use instruments::effects::bias::SubtractOverscan;
use instruments::effects::registry;
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::detector::Scans;
use sim_core::exposure::ExposureKind;
use sim_core::flags;
use sim_core::frame::Frame;
use sim_core::knowledge::Knowledge;
use sim_core::plane::{Counts, Light, Plane};

fn step<P: Plane>(entries: &'static [registry::Entry<P>], name: &str, knowledge: &Knowledge, frame: &mut Frame<P>) {
    let correction = crate::bench::entry(entries, name).twin.correction(knowledge).unwrap().unwrap();
    assert_eq!(correction.correct(frame).unwrap(), StepStatus::Done, "{name}");
}

/// Counts to expected electrons before flat and shutter.
fn reduce(mut counts: Frame<Counts>, knowledge: &Knowledge) -> Frame<Light> {
    for name in ["adc", "bias"] {
        step(registry::counts(), name, knowledge, &mut counts);
    }
    step(registry::counts(), "read_noise", knowledge, &mut counts);
    let (mut charge, _) = (registry::digitise().backward)(knowledge).unwrap().cross_back(counts).unwrap();
    step(registry::charge(), "full_well", knowledge, &mut charge);
    let (mut light, _) = (registry::detect().backward)(knowledge).unwrap().cross_back(charge).unwrap();
    for name in ["dark", "shutter", "flat"] {
        step(registry::light(), name, knowledge, &mut light);
    }
    light
}

#[test]
fn the_loop_gives_the_light_back_with_pulls_of_width_one() {
    let spec = spec_of(512, 256);
    for scans in [Scans::Full, Scans::Trimmed] {
        let mut spec = spec.clone();
        set(&mut spec, "shutter", "bearing_distance", 5.4);
        // The wait of a bias is 0.4 electrons, which the references of this test leave to the bias: switch it off.
        set(&mut spec, "dark", "readout_time", 0.0);
        if scans == Scans::Trimmed {
            set(&mut spec, "bias", "row_structure_rms", 0.0);
        }
        let window = spec.geometry.full_window();
        let scene = Scene::new(spec, exposure(1, ExposureKind::Science, 150.0), window, scans);
        let knowledge = knowledge(&scene);
        let light = scene.frame::<Light>(|y, x| 700.0 + ((x / 16 + y / 16) % 5) as f32 * 100.0);
        let truth = wanted(&scene, &light);
        let chain = Chain::from_order(&order(), &scene.spec).unwrap();
        let (counts, _) = chain.run(light, &scene.cx(""), &mut |_| ()).unwrap();
        let reduced = reduce(counts, &knowledge);
        let variance = reduced.variance.as_ref().unwrap();
        let (mut sum, mut square) = (0.0, 0.0);
        for ((p, &got), &want) in reduced.pixels.indexed_iter().zip(&truth) {
            let pull = f64::from(got - want) / f64::from(variance[p]).sqrt();
            sum += pull;
            square += pull * pull;
        }
        let n = truth.len() as f64;
        let (mean, width) = (sum / n, (square / n).sqrt());
        // The variance is taken from the measured signal of about 1200 electrons, which correlates with it: the mean pull is
        // -1 / (2 sqrt(1200)) = -0.014, and the overscan gives each bin of 8 rows a common error of
        // sqrt(20.7 / 192) adu = 0.36 electrons = 0.010 sigma.
        assert!((mean + 0.014).abs() < 5.0 / n.sqrt() + 0.004, "{scans:?}: mean pull {mean}");
        // Var + sigma^2 errors: quantisation 1/12 adu^2 (0.004 %) and the correlation above, (3/4) / 1200 = 0.06 %.
        assert!((width - 1.0).abs() < 5.0 / (2.0 * n).sqrt() + 0.002, "{scans:?}: width of the pulls {width}");
    }
}

#[test]
fn the_ceiling_of_the_converter_is_flagged_in_the_trimmed_frame() {
    let scene = Scene::full(spec_of(128, 96), exposure(1, ExposureKind::Science, 150.0));
    let knowledge = knowledge(&scene);
    let light = scene.frame::<Light>(|y, x| if (y, x) == (70, 100) { 1e5 } else { 100.0 });
    let chain = Chain::from_order(&order(), &scene.spec).unwrap();
    let (counts, _) = chain.run(light, &scene.cx(""), &mut |_| ()).unwrap();
    let marks = reduce(counts, &knowledge).flags.unwrap();
    for (p, &bits) in marks.indexed_iter() {
        assert_eq!(bits & (flags::SATURATED | flags::ADC_SATURATED) != 0, p == (70, 100), "{p:?}");
    }
}

#[test]
fn the_overscan_finds_level_and_drift() {
    let mut spec = spec_of(512, 256);
    set(&mut spec, "bias", "column_structure_rms", 0.0);
    set(&mut spec, "bias", "row_structure_rms", 3.0);
    set(&mut spec, "dark", "rate", 0.0);
    set(&mut spec, "dark", "hot_fraction", 0.0);
    let scene = Scene::full(spec.clone(), exposure(1, ExposureKind::Bias, 0.0));
    let chain = Chain::from_order(&order(), &spec).unwrap();
    let (mut counts, _) = chain.run(Frame::zeros(scene.window), &scene.cx(""), &mut |_| ()).unwrap();
    SubtractOverscan::new(scene.layout.clone()).correct(&mut counts).unwrap();
    for tile in &scene.layout.tiles {
        let r = tile.raw_science;
        for first in (0..r.ny).step_by(32) {
            let rows = ndarray::s![r.y0 + first..r.y0 + first + 32, r.x0..r.x0 + r.nx];
            let mean = counts.pixels.slice(rows).iter().map(|&v| f64::from(v)).sum::<f64>() / (32 * r.nx) as f64;
            // Science 32 x 128 pixels and overscan 32 x 24 pixels of variance 20.7, and some 0.03 of curvature.
            let tolerance = 5.0 * (20.7_f64 / (32.0 * 128.0) + 20.7 / (32.0 * 24.0)).sqrt() + 0.03;
            assert!(mean.abs() < tolerance, "amplifier {} rows {first}: {mean} +- {tolerance}", tile.amplifier);
        }
    }
    assert!(counts.flags.unwrap().iter().all(|&f| f == 0));
}

#[test]
fn missing_knowledge_is_named() {
    let scene = Scene::full(spec_of(128, 96), exposure(1, ExposureKind::Science, 150.0));
    let nothing = Knowledge::of_layout(scene.layout.clone(), scene.window, 150.0);
    let message = |made: Option<Result<_, CorrectionError>>| match made.unwrap() {
        Ok(_) => panic!("made from nothing"),
        Err(error) => error.to_string(),
    };
    let light = |name| message(crate::bench::entry(registry::light(), name).twin.correction(&nothing).map(|r| r.map(|_| ())));
    assert_eq!(light("flat"), "flat needs a master flat, which calibration has not provided");
    assert_eq!(light("dark"), "dark needs a master dark, which calibration has not provided");
    assert_eq!(light("shutter"), "shutter needs a map of the shutter's excess time, which calibration has not provided");
    let bias = message(crate::bench::entry(registry::counts(), "bias").twin.correction(&nothing).map(|r| r.map(|_| ())));
    assert_eq!(bias, "bias needs a master bias, which calibration has not provided");
    assert!((registry::digitise().backward)(&nothing).is_err());
}

#[test]
fn a_reference_of_another_shape_is_refused() {
    let scene = Scene::full(spec_of(128, 96), exposure(1, ExposureKind::Science, 150.0));
    let knowledge = knowledge(&scene);
    let mut small = Frame::<Light>::zeros(sim_core::frame::Window { x0: 0, y0: 0, nx: 3, ny: 2 });
    for name in ["flat", "dark", "shutter"] {
        let correction = crate::bench::entry(registry::light(), name).twin.correction(&knowledge).unwrap().unwrap();
        let error = correction.correct(&mut small).unwrap_err().to_string();
        assert_eq!(error, format!("{name}: reference of (96, 128) (rows, columns) does not fit a frame of (2, 3)"));
    }
}
