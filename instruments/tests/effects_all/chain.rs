//! Properties of the whole chain: keyed draws, cut-outs, layouts, order.

use crate::bench::{NX, NY, Scene, exposure, order, set, spec, starry};
use instruments::chain::{Chain, counts_to_u16};
use instruments::effects::registry::{self, Entry};
use ndarray::Array2;
use sim_core::detector::{Rect, Scans};
use sim_core::exposure::ExposureKind;
use sim_core::frame::{Frame, Window};
use sim_core::ledger::LedgerLine;
use sim_core::plane::{Charge, Counts, Light, Plane};

fn science(id: u64) -> sim_core::exposure::Exposure {
    exposure(id, ExposureKind::Science, 150.0)
}

fn chain(scene: &Scene) -> Chain {
    Chain::from_order(&order(), &scene.spec).unwrap()
}

fn starry_yx(y: usize, x: usize) -> f32 {
    starry(x, y)
}

fn run(chain: &Chain, scene: &Scene) -> (Frame<Counts>, Vec<LedgerLine>) {
    let window = scene.window;
    let light = scene.frame::<Light>(|y, x| starry(window.x0 + x, window.y0 + y));
    chain.run(light, &scene.cx(""), &mut |_| ()).unwrap()
}

fn part<'a>(frame: &'a Frame<Counts>, r: &Rect) -> ndarray::ArrayView2<'a, f32> {
    frame.pixels.slice(ndarray::s![r.y0..r.y0 + r.ny, r.x0..r.x0 + r.nx])
}

#[test]
fn the_same_bits_with_one_and_two_threads() {
    let scene = Scene::full(spec(), science(1));
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(&chain(&scene), &scene))
    };
    let (one, two) = (with(1), with(2));
    assert_eq!(one.0.pixels, two.0.pixels);
    assert_eq!(one.1, two.1, "ledgers too");
}

#[test]
fn a_cut_out_is_the_crop_of_the_full_frame_bit_for_bit() {
    let full = Scene::full(spec(), science(1));
    let (all, _) = run(&chain(&full), &full);
    // Across registers and outputs, with odd edges.
    for window in [Window { x0: 13, y0: 31, nx: 77, ny: 40 }, Window { x0: 66, y0: 50, nx: 9, ny: 7 }] {
        let cut = Scene::new(spec(), science(1), window, Scans::Full);
        let (some, _) = run(&chain(&cut), &cut);
        for tile in &cut.layout.tiles {
            let same = full.layout.tiles.iter().find(|t| t.amplifier == tile.amplifier).unwrap();
            let shift = |r: &Rect| Rect {
                x0: same.raw_science.x0 + window.x0 + tile.science.x0 - same.science.x0,
                y0: same.raw_science.y0 + window.y0 + tile.science.y0 - same.science.y0,
                ..*r
            };
            assert_eq!(part(&some, &tile.raw_science), part(&all, &shift(&tile.raw_science)), "science of amplifier {}", tile.amplifier);
            for (mine, theirs) in [(tile.raw_overscan, same.raw_overscan), (tile.raw_prescan, same.raw_prescan)] {
                let rows = Rect { x0: theirs.x0, y0: shift(&mine).y0, ..mine };
                assert_eq!(part(&some, &mine), part(&all, &rows), "scans of amplifier {}", tile.amplifier);
            }
        }
    }
}

#[test]
fn science_pixels_do_not_depend_on_the_layout() {
    let full = Scene::full(spec(), science(1));
    let trimmed = Scene::new(spec(), science(1), full.window, Scans::Trimmed);
    let (with, _) = run(&chain(&full), &full);
    let (without, _) = run(&chain(&trimmed), &trimmed);
    assert_eq!(without.pixels.dim(), (NY, NX));
    let cut = instruments::effects::digitise::model::trim(with.pixels, &full.layout, full.window);
    assert_eq!(cut, without.pixels);
}

#[test]
fn switching_an_effect_off_leaves_the_read_noise_as_it_was() {
    let scene = Scene::full(spec(), science(1));
    let base = chain(&scene).without("adc").unwrap();
    let noise_of = |chain: &Chain| {
        let (with, _) = run(chain, &scene);
        let (without, _) = run(&chain.without("read_noise").unwrap(), &scene);
        with.pixels.mapv(f64::from) - without.pixels.mapv(f64::from)
    };
    let noise = noise_of(&base);
    for name in ["sky", "lamp", "flat", "shutter", "dark", "detect", "full_well", "bias"] {
        let other = noise_of(&base.without(name).unwrap());
        // Counts reach 8e4, where f32 steps by 0.008: two roundings on each side.
        let worst = noise.iter().zip(&other).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 0.016, "without {name} the read noise moves by {worst}");
    }
}

#[test]
fn more_light_never_gives_fewer_electrons() {
    // The Poisson draw is a quantile of the same uniform: independent draws would break this in a third of the pixels.
    let scene = Scene::full(spec(), science(1));
    let quiet = chain(&scene).without("adc").unwrap().without("read_noise").unwrap().without("bias").unwrap();
    let (with, _) = run(&quiet, &scene);
    for name in ["sky", "dark"] {
        let (less, _) = run(&quiet.without(name).unwrap(), &scene);
        let mut fewer = 0;
        for (a, b) in less.pixels.iter().zip(&with.pixels) {
            assert!(a <= b, "without {name}: {a} instead of {b}");
            fewer += usize::from(a < b);
        }
        assert!(fewer > 0, "{name} does something");
    }
}

#[test]
fn hot_pixels_change_only_themselves() {
    let hot = Scene::full(spec(), science(1));
    let mut cool = spec();
    set(&mut cool, "dark", "hot_rate_mean", 0.0);
    let cool = Scene::full(cool, science(1));
    let (a, _) = run(&chain(&hot), &hot);
    let (b, _) = run(&chain(&cool), &cool);
    let changed = a.pixels.iter().zip(&b.pixels).filter(|(a, b)| a != b).count();
    // 12288 pixels x 0.01 = 123 expected, standard deviation 11.
    assert!((68..=178).contains(&changed), "{changed}");
}

#[test]
fn effects_at_zero_give_the_input_back_bit_for_bit() {
    fn unchanged<P: Plane>(entries: &'static [Entry<P>], name: &str, settings: &[(&str, f64)]) {
        let mut spec = spec();
        for (key, value) in settings {
            set(&mut spec, name, key, *value);
        }
        let mut exposure = science(1);
        exposure.sky_electron_s = 0.0;
        let scene = Scene::full(spec, exposure);
        let entry = crate::bench::entry(entries, name);
        let whole = if name == "adc" { 1.0 } else { 0.25 };
        let before = scene.frame::<P>(|y, x| (starry(x, y).min(6e4) / whole).floor() * whole);
        let mut after = before.clone();
        let ledger = (entry.forward)(&scene.spec).unwrap().apply(&mut after, &scene.cx(entry.name)).unwrap();
        assert_eq!(before.pixels, after.pixels, "{name}");
        assert_eq!((ledger.added, ledger.lost), (0.0, 0.0), "{name}");
    }
    unchanged::<Light>(registry::light(), "sky", &[("gradient", 0.3)]);
    unchanged::<Light>(registry::light(), "lamp", &[]);
    unchanged::<Light>(registry::light(), "flat", &[("large_scale_amplitude", 0.0), ("prnu_rms", 0.0)]);
    unchanged::<Light>(registry::light(), "shutter", &[("travel_time", 0.0)]);
    unchanged::<Light>(registry::light(), "dark", &[("rate", 0.0), ("hot_fraction", 0.0)]);
    unchanged::<Charge>(registry::charge(), "full_well", &[("capacity", 1e7)]);
    let still = [("level", 0.0), ("level_scatter", 0.0), ("column_structure_rms", 0.0), ("row_structure_rms", 0.0)];
    unchanged::<Charge>(registry::charge(), "bleeding", &[("midline_barrier", 1.0)]);
    unchanged::<Counts>(registry::counts(), "non_linearity", &[("quadratic", 0.0), ("cubic", 0.0), ("quartic", 0.0)]);
    unchanged::<Counts>(registry::counts(), "bias", &still);
    unchanged::<Counts>(registry::counts(), "read_noise", &[("sigma", 0.0)]);
    unchanged::<Counts>(registry::counts(), "adc", &[("bits", 16.0)]);
    unchanged::<Counts>(registry::counts(), "crosstalk", &[("near", 0.0), ("far", 0.0)]);
    unchanged::<Counts>(registry::counts(), "bias_drift", &[("drift_rms", 0.0), ("settling", 0.0), ("memory", 0.0)]);
    unchanged::<Counts>(registry::counts(), "correlated_noise", &[("common_rms", 0.0), ("pink_rms", 0.0)]);
    unchanged::<Light>(registry::light(), "defects", &[("cold_fraction", 0.0), ("telegraph_fraction", 0.0)]);
    unchanged::<Charge>(registry::charge(), "bad_columns", &[("blocked_fraction", 0.0), ("pocket_fraction", 0.0)]);
}

#[test]
fn the_ledger_adds_up_to_the_frame() {
    let scene = Scene::full(spec(), science(1));
    let light = scene.frame::<Light>(starry_yx);
    let start = light.total();
    let mut seen = Vec::new();
    let chain = chain(&scene);
    let (counts, lines) = chain.run(light, &scene.cx(""), &mut |name| seen.push(name.to_string())).unwrap();
    assert_eq!(seen, ["sky + lamp + flat + shutter + dark", "detect", "full_well", "digitise", "bias + read_noise + adc"]);
    let split: Vec<&str> = seen.iter().flat_map(|s| s.split(" + ")).collect();
    assert_eq!(split, chain.names());
    let net = |unit: &str| lines.iter().filter(|l| l.unit == unit).map(|l| l.ledger.net()).sum::<f64>();
    assert!((net("electron") + start).abs() < 1e-9 * start, "all electrons are accounted for");
    assert!((net("adu") - counts.total()).abs() < 1e-9 * counts.total(), "all counts are accounted for");
}

#[test]
fn rows_run_together_have_the_bits_of_one_effect_after_the_other() {
    fn each<P: Plane>(names: &[String], entries: &'static [Entry<P>], scene: &Scene, frame: &mut Frame<P>) -> Vec<f64> {
        let apply = |name: &String| {
            let entry = crate::bench::entry(entries, name);
            (entry.forward)(&scene.spec).unwrap().apply(frame, &scene.cx(entry.name)).unwrap().net()
        };
        names.iter().map(apply).collect()
    }
    for exposure in [science(1), exposure(2, ExposureKind::Flat { rate_electron_s: 100.0 }, 10.0), exposure(3, ExposureKind::Bias, 0.0)] {
        let scene = Scene::full(spec(), exposure);
        let order = order();
        let mut light = scene.frame::<Light>(starry_yx);
        let (together, lines) = chain(&scene).run(light.clone(), &scene.cx(""), &mut |_| ()).unwrap();
        let mut nets = each(&order.light, registry::light(), &scene, &mut light);
        let (mut charge, ledger) = (registry::detect().forward)(&scene.spec).unwrap().cross(light, &scene.cx("detect")).unwrap();
        nets.push(ledger.left.net());
        nets.extend(each(&order.charge, registry::charge(), &scene, &mut charge));
        let (mut counts, ledger) = (registry::digitise().forward)(&scene.spec).unwrap().cross(charge, &scene.cx("digitise")).unwrap();
        nets.extend([ledger.left.net(), ledger.entered.net()]);
        nets.extend(each(&order.counts, registry::counts(), &scene, &mut counts));
        assert_eq!(together.pixels, counts.pixels);
        assert_eq!(lines.iter().map(|l| l.ledger.net()).collect::<Vec<_>>(), nets);
    }
}

#[test]
fn the_order_is_checked_and_explained() {
    let spec = spec();
    let error = |change: fn(&mut instruments::description::ChainOrder)| {
        let mut order = order();
        change(&mut order);
        Chain::from_order(&order, &spec).err().unwrap().to_string()
    };
    assert_eq!(error(|o| o.counts.swap(0, 2)), "chain.counts: `adc` must come after `read_noise`");
    assert_eq!(error(|o| o.light.swap(3, 4)), "chain.light: `dark` must come after `shutter`");
    assert_eq!(error(|o| o.counts.push("bias".into())), "chain.counts: `bias` is given twice");
    assert_eq!(
        error(|o| o.charge.push("full_wel".into())),
        "chain.charge: there is no effect `full_wel` on this plane; did you mean `full_well`?"
    );
    assert_eq!(
        error(|o| o.light.push("detect".into())),
        "chain.light: there is no effect `detect` on this plane; it is a crossing, which is always there and not listed"
    );
    let scene = Scene::full(spec.clone(), science(1));
    let message = |name: &str| chain(&scene).without(name).err().unwrap().to_string();
    assert!(message("read_nose").starts_with("`read_nose` cannot be switched off: the chain has sky, lamp"));
    assert!(message("digitise").contains("counts are made by it"));
}

#[test]
fn built_in_instruments_have_a_chain_that_runs_on_every_detector() {
    for name in ["msc", "testbench"] {
        let instrument = instruments::description::load(name).unwrap();
        for spec in instrument.detectors.values() {
            // The corner farthest from the boresight along x asks most of the shutter.
            let left = spec.geometry.crpix1 > 0.5 * spec.geometry.nx as f64;
            let x0 = if left { 0 } else { spec.geometry.nx - 16 };
            let window = Window { x0, y0: spec.geometry.ny / 2 - 4, nx: 16, ny: 8 };
            let scene = Scene::new(spec.clone(), science(1), window, Scans::Full);
            let (counts, _) = Chain::new(&instrument, spec).unwrap().run(Frame::zeros(window), &scene.cx(""), &mut |_| ()).unwrap();
            let outside = counts.pixels.iter().filter(|&&v| !(0.0..=65535.0).contains(&v) || v.fract() != 0.0).count();
            assert_eq!(outside, 0, "{name} {}", spec.geometry.number);
        }
    }
}

#[test]
fn a_flat_without_lamp_is_an_error() {
    let scene = Scene::full(spec(), exposure(1, ExposureKind::Flat { rate_electron_s: 100.0 }, 10.0));
    let dark = chain(&scene).without("lamp").unwrap();
    let error = dark.run(Frame::zeros(scene.window), &scene.cx(""), &mut |_| ()).err().unwrap();
    assert_eq!(error.to_string(), "a flat exposure needs the effect `lamp` in chain.light, which has sky, flat, shutter, dark");
}

#[test]
fn a_light_frame_of_another_shape_is_an_error() {
    let scene = Scene::full(spec(), science(1));
    let small = Frame::<Light>::zeros(Window { x0: 0, y0: 0, nx: 10, ny: 10 });
    let error = chain(&scene).run(small, &scene.cx(""), &mut |_| ()).err().unwrap();
    assert_eq!(error.to_string(), "sky: frame of (10, 10) (rows, columns), needs (96, 128)");
}

#[test]
fn the_charge_shown_to_truth_is_clipped_at_the_full_well() {
    let scene = Scene::full(spec(), science(1));
    let light = scene.frame::<Light>(starry_yx);
    let mut greatest = (0.0, 0);
    let mut look = |charge: &Frame<Charge>| {
        greatest.0 = charge.pixels.iter().copied().fold(0.0, f32::max);
        greatest.1 = charge.pixels.iter().filter(|&&v| v >= 90_000.0).count();
    };
    chain(&scene).run_inspected(light, &scene.cx(""), &mut |_| (), &mut look).unwrap();
    assert_eq!(greatest.0, 90_000.0);
    // The brightest star, 3e5 exp(-0.3 r^2), passes 9e4 within r^2 = 4.01: 13 pixels; shot noise decides at r = 2.
    assert!((9..=13).contains(&greatest.1), "{}", greatest.1);
}

#[test]
fn raw_numbers_are_those_of_the_frame() {
    let scene = Scene::full(spec(), science(1));
    let (counts, _) = run(&chain(&scene), &scene);
    let raw: Array2<u16> = counts_to_u16(&counts);
    assert!(raw.iter().zip(&counts.pixels).all(|(&a, &b)| f32::from(a) == b));
    assert_eq!(raw.iter().max(), Some(&65535), "the bright star is at the ceiling");
}

#[test]
fn exposures_differ_and_patterns_stay() {
    let (a, b) = (Scene::full(spec(), science(1)), Scene::full(spec(), science(2)));
    assert_ne!(run(&chain(&a), &a).0.pixels, run(&chain(&b), &b).0.pixels);
    for name in ["flat", "dark"] {
        let entry = crate::bench::entry(registry::light(), name);
        assert_eq!(a.applied::<Light>(entry, 100.0).pixels, b.applied::<Light>(entry, 100.0).pixels, "{name}");
    }
}
