//! L-a: with every effect off, a frame comes back bit for bit.

use instruments::chain::Chain;
use instruments::description::load;
use instruments::effects::registry;
use ndarray::Array2;
use reduction::steps::Walk;
use sim_core::correction::StepStatus;
use sim_core::detector::{ReadoutLayout, Scans};
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::frame::Frame;
use sim_core::knowledge::{Knowledge, Measured};
use sim_core::plane::Light;
use std::path::Path;

#[test]
fn without_any_effect_a_frame_comes_back_bit_for_bit() {
    let mut instrument = load("msc").unwrap();
    let spec = instrument.detectors.get_mut(&7).unwrap();
    // Whole electrons of 1 electron per count: nothing is rounded.
    let whole = [("gain".to_string(), 1.0), ("gain_scatter".to_string(), 0.0)];
    registry::set_parameters(spec, "digitise", &whole, "no rounding").unwrap();
    let spec = instrument.detectors[&7].clone();
    let window = sim_core::frame::Window { x0: 4544, y0: 4584, nx: 128, ny: 64 };
    let layout = ReadoutLayout::new(&spec.geometry, window, Scans::Full);
    let pointing = Pointing { ra_deg: 95.0, dec_deg: -30.0, rotation_deg: 0.0 };
    let exposure = Exposure { id: 1, kind: ExposureKind::Science, pointing, start_mjd: 61_948.0, time_s: 150.0, sky_electron_s: 0.0 };
    let (geometry, device_seed) = (&spec.geometry, spec.device_seed);
    let cx = Context { exposure: &exposure, geometry, layout: &layout, window, effect: "chain", seed: 1, device_seed };
    let mut chain = Chain::new(&instrument, &spec).unwrap();
    for name in chain.names() {
        if name != "digitise" {
            chain = chain.without(name).unwrap();
        }
    }
    assert_eq!(chain.names(), ["digitise"]);
    let light = Array2::from_shape_fn((window.ny, window.nx), |(y, x)| ((7919 * y + 104_729 * x) % 65_536) as f32);
    let (counts, _) = chain.run(Frame::<Light>::from_pixels(light.clone(), window), &cx, &mut |_| ()).unwrap();
    let mut knowledge = Knowledge::of_layout(layout.clone(), window, exposure.time_s);
    knowledge.gain = Some(vec![Measured { value: 1.0, error: 0.0 }; layout.amplifier_count]);
    let known = |_: &str| Ok(knowledge.clone());
    let without: Vec<String> = registry::all().iter().filter(|e| !e.is_crossing).map(|e| e.name.to_string()).collect();
    let mut walk = Walk::new(&known, Path::new("identity")).without(&without);
    let charge = walk.charge(counts).unwrap();
    let back = walk.light(charge, exposure.kind, &reduction::Options::default()).unwrap();
    assert_eq!(back.pixels, light);
    assert!(walk.steps.iter().any(|s| s.name == "digitise" && s.status == StepStatus::Done));
}
