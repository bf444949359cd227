//! Brighter-fatter through the registry: what it does to stars, where it is flagged, what it refuses.

use crate::bench::{Scene, entry, exposure, knowledge, set, spec, starry};
use instruments::effects::registry;
use sim_core::exposure::ExposureKind;
use sim_core::flags;
use sim_core::frame::Frame;
use sim_core::plane::Charge;

fn scene() -> Scene {
    Scene::full(spec(), exposure(1, ExposureKind::Science, 150.0))
}

fn collected(scene: &Scene) -> (Frame<Charge>, Frame<Charge>) {
    let before = scene.frame::<Charge>(|y, x| starry(x, y).floor());
    let mut after = before.clone();
    let entry = entry(registry::charge(), "brighter_fatter");
    (entry.forward)(&scene.spec).unwrap().apply(&mut after, &scene.cx(entry.name)).unwrap();
    (before, after)
}

#[test]
fn a_bright_star_gives_its_peak_to_its_neighbours() {
    let (before, after) = collected(&scene());
    let at = |f: &Frame<Charge>, y: usize, x: usize| f64::from(f.pixels[[y, x]]);
    // The star of 20,000 at (90.2, 60.7): its pixel shrinks by about 3e-6 x 2e4 / 2, less what its neighbours push back.
    let change = at(&after, 61, 90) / at(&before, 61, 90) - 1.0;
    assert!((-0.03..-0.008).contains(&change), "{change}");
    assert!(at(&after, 61, 88) > at(&before, 61, 88), "two columns away it gains");
    assert!((before.total() - after.total()).abs() < 1e-7 * before.total());
}

#[test]
fn the_draw_of_arrivals_is_keyed_and_small() {
    let scene = scene();
    let (_, drawn) = collected(&scene);
    assert_eq!(drawn.pixels, collected(&scene).1.pixels, "the same exposure, the same bits");
    let mut still = spec();
    set(&mut still, "brighter_fatter", "draw_arrivals", 0.0);
    let still = collected(&Scene::full(still, exposure(1, ExposureKind::Science, 150.0))).1;
    let other = collected(&Scene::full(spec(), exposure(2, ExposureKind::Science, 150.0))).1;
    assert_ne!(drawn.pixels, still.pixels);
    assert_ne!(drawn.pixels, other.pixels);
    let worst = drawn.pixels.iter().zip(&still.pixels).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // The full pixel: 3e-6 sqrt(3e5 / 12) x 3e5 = 142 at one sigma.
    assert!(worst > 1.0 && worst < 700.0, "{worst}");
}

#[test]
fn pixels_near_saturated_ones_are_flagged() {
    let scene = scene();
    let (_, mut frame) = collected(&scene);
    let mut bits = ndarray::Array2::zeros(frame.pixels.dim());
    bits[[48, 64]] = flags::SATURATED;
    bits[[0, 0]] = flags::ADC_SATURATED;
    frame.flags = Some(bits);
    let twin = &entry(registry::charge(), "brighter_fatter").twin;
    twin.correction(&knowledge(&scene)).unwrap().unwrap().correct(&mut frame).unwrap();
    let near = frame.flags.unwrap().mapv(|b| u32::from(b & flags::BFE_UNRELIABLE != 0));
    // 9 x 9 around the one, 5 x 5 of the corner.
    assert_eq!(near.sum(), 81 + 25);
    assert_eq!((near[[44, 60]], near[[43, 60]], near[[4, 4]], near[[5, 4]]), (1, 0, 1, 0));
    assert_eq!(flags::BFE_UNRELIABLE, 2048, "bit 11");
}

#[test]
fn impossible_devices_are_refused_by_name() {
    let message = |key: &str, value: f64| {
        let mut spec = spec();
        set(&mut spec, "brighter_fatter", key, value);
        (entry(registry::charge(), "brighter_fatter").forward)(&spec).err().unwrap().to_string()
    };
    assert_eq!(message("strength", -1e-6), "effects.brighter_fatter.strength = -0.000001 1/electron is outside 0..0.001");
    // 90,000 electrons would take 90 % of a pixel's area.
    let strong = message("strength", 1e-5);
    assert!(strong.starts_with("effects.brighter_fatter.strength = 0.00001 1/electron is outside 0..0.00000555"), "{strong}");
    assert_eq!(message("charge_height", 16.0), "effects.brighter_fatter.charge_height = 16 um is outside 0.01..16");
    assert_eq!(message("cloud_width", 10.0), "effects.brighter_fatter.cloud_width = 10 um is outside 0..10");
    assert_eq!(message("row_barrier", 20.0), "effects.brighter_fatter.row_barrier = 20 um is outside 0..16");
}

#[test]
fn without_strength_nothing_moves() {
    let mut none = spec();
    set(&mut none, "brighter_fatter", "strength", 0.0);
    let (before, after) = collected(&Scene::full(none, exposure(1, ExposureKind::Science, 150.0)));
    assert_eq!(before.pixels, after.pixels);
}

#[test]
fn shifts_that_calibration_lacks_or_that_cannot_be_are_refused() {
    let scene = scene();
    let mut known = knowledge(&scene);
    let twin = &entry(registry::charge(), "brighter_fatter").twin;
    let mut absurd = known.boundaries.as_deref().cloned().unwrap();
    absurd.between_rows[0][0] = 1e-3;
    known.boundaries = Some(std::sync::Arc::new(absurd));
    let error = twin.correction(&known).unwrap().err().unwrap().to_string();
    assert!(error.contains("a full pixel loses 0 to a half of its area"), "{error}");
    known.boundaries = None;
    let error = twin.correction(&known).unwrap().err().unwrap().to_string();
    assert!(error.starts_with("brighter_fatter needs shifts of pixel boundaries"), "{error}");
}
