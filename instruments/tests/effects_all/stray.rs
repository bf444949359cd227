//! Light that is not the sky's: fringes, ghosts, scattered light, trails.

use crate::bench::{Scene, entry, exposure, fringe_frame, knowledge, set, spec_of, wide_spec};
use instruments::description::DetectorSpec;
use instruments::effects::registry;
use instruments::effects::trails::{Trails, detect, trail_table};
use ndarray::Array2;
use sim_core::correction::StepStatus;
use sim_core::detector::Scans;
use sim_core::effect::Context;
use sim_core::exposure::ExposureKind;
use sim_core::flags;
use sim_core::frame::{BrightPoint, Frame, Window};
use sim_core::knowledge::{GhostKnowledge, GhostPath, Measured};
use sim_core::moving::{Mover, MoverKind, Movers};
use sim_core::noise;
use sim_core::plane::Light;
use sim_core::stream::StreamKey;
use std::sync::Arc;

const EFFECTS: [&str; 4] = ["fringing", "ghosts", "scattered_light", "trails"];

fn science(spec: DetectorSpec, id: u64) -> Scene {
    Scene::full(spec, exposure(id, ExposureKind::Science, 150.0))
}

fn apply(scene: &Scene, name: &str, frame: &mut Frame<Light>) {
    let entry = entry(registry::light(), name);
    (entry.forward)(&scene.spec).unwrap().apply(frame, &scene.cx(entry.name)).unwrap();
}

fn star(x: f64, y: f64, electrons: f64) -> BrightPoint {
    BrightPoint { x, y, electrons }
}

/// A sky of `level` electrons with its noise.
fn noisy(shape: (usize, usize), level: f32, item: u64) -> Array2<f32> {
    let mut pixels = Array2::from_elem(shape, level);
    let key = StreamKey::new(77);
    for (y, mut row) in pixels.rows_mut().into_iter().enumerate() {
        noise::add_normals(&key.stream(item * 100_000 + y as u64), 0, level.sqrt(), row.as_slice_mut().unwrap());
    }
    pixels
}

#[test]
fn a_cut_out_has_the_bits_of_the_whole_frame() {
    let stars: Arc<[BrightPoint]> = vec![star(-20.0, 30.0, 1e8), star(70.0, 60.0, 3e7)].into();
    for name in EFFECTS {
        let whole = science(spec_of(256, 192), 3);
        let window = Window { x0: 37, y0: 51, nx: 101, ny: 66 };
        let part = Scene::new(whole.spec.clone(), whole.exposure.clone(), window, Scans::Full);
        let (mut a, mut b) = (whole.frame::<Light>(|_, _| 50.0), part.frame::<Light>(|_, _| 50.0));
        a.bright = Some(stars.clone());
        b.bright = Some(stars.clone());
        apply(&whole, name, &mut a);
        apply(&part, name, &mut b);
        let crop = a.pixels.slice(ndarray::s![51..117, 37..138]).to_owned();
        assert_eq!(b.pixels, crop, "{name}");
        assert!(crop.iter().any(|v| *v != 50.0), "{name} does something here");
    }
}

#[test]
fn calibration_exposures_have_no_light_of_the_sky() {
    for kind in [ExposureKind::Bias, ExposureKind::Dark, ExposureKind::Flat { rate_electron_s: 100.0 }] {
        let scene = Scene::full(spec_of(128, 96), exposure(1, kind, 10.0));
        for name in ["ghosts", "scattered_light", "trails"] {
            let mut frame = scene.frame::<Light>(|_, _| 8000.0);
            apply(&scene, name, &mut frame);
            assert!(frame.pixels.iter().all(|v| *v == 8000.0), "{name}, {kind:?}");
        }
    }
}

#[test]
fn parameters_at_zero_change_no_bit() {
    for (name, keys) in [
        ("fringing", &["front_reflectance"][..]),
        ("ghosts", &["fraction_1", "fraction_2"]),
        ("scattered_light", &["fraction"]),
        ("trails", &["satellite_rate", "asteroid_density"]),
    ] {
        let mut spec = spec_of(128, 96);
        keys.iter().for_each(|key| set(&mut spec, name, key, 0.0));
        let scene = science(spec, 1);
        let before = scene.frame::<Light>(crate::bench::starry);
        let mut frame = before.clone();
        apply(&scene, name, &mut frame);
        assert_eq!(frame.pixels, before.pixels, "{name}");
    }
}

#[test]
fn the_sky_fringes_in_its_line_and_a_broad_lamp_does_not() {
    let mut spec = spec_of(256, 192);
    set(&mut spec, "fringing", "line_spread", 0.0);
    // Sky 300 electrons, 30 % of it in the line. rho = sqrt(0.1 x 0.3) exp(-alpha d), alpha = 5.8 /cm at 1083 nm, 40 um: 0.1692.
    let scene = science(spec.clone(), 1);
    let frame = scene.applied(entry(registry::light(), "fringing"), 0.0);
    let rho = (0.03_f64).sqrt() * (-5.83e-4 * 40.0_f64).exp();
    let (least, most) = frame.pixels.iter().fold((f32::MAX, f32::MIN), |(l, h), &v| (l.min(v), h.max(v)));
    let peak = 90.0 * ((1.0 + rho) / (1.0 - rho) - 1.0);
    let trough = 90.0 * ((1.0 - rho) / (1.0 + rho) - 1.0);
    // The sky slopes by 5 % to the corner; alpha between rows of the table to 2 %.
    assert!((f64::from(most) / peak - 1.0).abs() < 0.06, "{most} against {peak}");
    assert!((f64::from(least) / trough - 1.0).abs() < 0.06, "{least} against {trough}");
    // A lamp of even spectrum between 550 and 690 nm: silicon of 40 um lets nothing through.
    let flat = Scene::full(spec, exposure(2, ExposureKind::Flat { rate_electron_s: 100.0 }, 10.0));
    let lit = flat.applied(entry(registry::light(), "fringing"), 1000.0);
    assert!(lit.pixels.iter().all(|v| (v - 1000.0).abs() < 1e-3));
}

#[test]
fn all_detectors_see_the_same_line_strength_and_exposures_differ() {
    let strength = |number: u16, id: u64| {
        let mut spec = spec_of(128, 96);
        spec.geometry.number = number;
        let frame = science(spec, id).applied(entry(registry::light(), "fringing"), 0.0);
        f64::from(frame.pixels.iter().fold(0.0_f32, |m, v| m.max(*v)))
    };
    let (a, b, c) = (strength(7, 1), strength(8, 1), strength(7, 2));
    // Other thickness, other phase: the maximum over seven fringes agrees to the slope of the sky.
    assert!((a / b - 1.0).abs() < 0.08, "{a} {b}");
    assert!((a / c - 1.0).abs() > 0.1, "{a} {c}");
}

#[test]
fn the_fringe_twin_takes_out_what_noise_lets_it_see() {
    let scene = science(wide_spec(512, 384), 5);
    let fringes = Arc::new(fringe_frame(&scene));
    let mut frame = Frame::<Light>::from_pixels(noisy((384, 512), 300.0, 1), scene.window);
    let clean = frame.pixels.clone();
    apply(&scene, "fringing", &mut frame);
    let rms = |a: &Array2<f32>| (a.iter().zip(&clean).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64).sqrt();
    let before = rms(&frame.pixels);
    let mut known = knowledge(&scene);
    known.fringes = Some(fringes);
    let twin = entry(registry::light(), "fringing").twin.correction(&known).unwrap().unwrap();
    assert_eq!(twin.correct(&mut frame).unwrap(), StepStatus::Done);
    // 196,608 pixels of noise 17.3: the strength is good to 0.039 electron, against some 20 (the frame's own noise does not count:
    // it is in both).
    let after = rms(&frame.pixels);
    assert!(before > 5.0 && after < 5.0 * 0.039 + 0.01 * before, "{before} to {after}");
    // A frame without fringes stays as it is.
    let mut frame = Frame::<Light>::from_pixels(noisy((384, 512), 300.0, 2), scene.window);
    let before = frame.pixels.clone();
    let status = twin.correct(&mut frame).unwrap();
    if let StepStatus::Skipped(reason) = status {
        assert!(reason.contains("not significant"), "{reason}");
        assert_eq!(frame.pixels, before);
    } else {
        // One in twenty frames of noise exceeds two errors; then less than four.
        assert!(frame.pixels.iter().zip(&before).all(|(a, b)| (a - b).abs() < 4.0 * 0.039 * 3.0));
    }
}

#[test]
fn a_star_off_the_chip_throws_a_ghost_and_a_gradient() {
    let mut spec = spec_of(256, 192);
    // Disc of 2 mm / f/10 = 0.2 mm = 20 pixels, 4 mm x tan(2 deg) = 14 pixels to the right, 7 up; slope 2 x 2 mm / 100 mm.
    set(&mut spec, "ghosts", "fraction_2", 0.0);
    let scene = science(spec, 1);
    let mut frame = scene.frame::<Light>(|_, _| 0.0);
    frame.bright = Some(vec![star(-5.0, 96.0, 1e7)].into());
    apply(&scene, "ghosts", &mut frame);
    // Axis at (127, 95): centre x = -5 + 13.97 + 0.04 x (-132) = 3.69, y = 96 + 6.98 + 0.04 = 103.02.
    let brightness = 1e7 * 5e-3 / (std::f64::consts::PI * (400.0 + 1.0 / 12.0));
    assert!((f64::from(frame.pixels[[103, 4]]) / brightness - 1.0).abs() < 1e-5);
    assert!(frame.pixels[[103, 22]] > 0.0 && frame.pixels[[103, 25]] == 0.0, "its rim is at column 23.7");
    assert_eq!(frame.pixels[[60, 100]], 0.0);
    let mut frame = scene.frame::<Light>(|_, _| 0.0);
    frame.bright = Some(vec![star(-5.0, 96.0, 1e7)].into());
    apply(&scene, "scattered_light", &mut frame);
    let row = frame.pixels.row(96);
    assert!(row.windows(2).into_iter().all(|w| w[1] <= w[0]) && row[0] > 2.0 * row[100] && row[100] > 0.0);
}

fn ghost_knowledge(axis: (f64, f64)) -> GhostKnowledge {
    let sure = |value: f64| Measured { value, error: 0.0 };
    let shift = |deg: f64| 4.0 * deg.to_radians().tan() / 0.01;
    let path = GhostPath { radius: sure(20.0), shift_x: sure(shift(6.0)), shift_y: sure(shift(1.0)), slope: sure(0.04) };
    GhostKnowledge { axis, paths: vec![path] }
}

#[test]
fn ghosts_of_saturated_stars_are_flagged_where_they_are_and_only_there() {
    let mut spec = wide_spec(384, 288);
    set(&mut spec, "ghosts", "fraction_2", 0.0);
    set(&mut spec, "ghosts", "tilt_x_1", 6.0);
    let scene = science(spec, 1);
    let mut known = knowledge(&scene);
    known.ghosts = Some(Arc::new(ghost_knowledge((scene.spec.geometry.crpix1 - 1.0, scene.spec.geometry.crpix2 - 1.0))));
    let twin = entry(registry::light(), "ghosts").twin.correction(&known).unwrap().unwrap();
    for (electrons, seen) in [(2e7, true), (1e4, false)] {
        let mut frame = Frame::<Light>::from_pixels(noisy((288, 384), 100.0, 3), scene.window);
        frame.bright = Some(vec![star(180.0, 150.0, electrons)].into());
        apply(&scene, "ghosts", &mut frame);
        let mut bits = Array2::<u32>::zeros((288, 384));
        bits.slice_mut(ndarray::s![148..153, 178..183]).fill(flags::SATURATED);
        frame.flags = Some(bits);
        assert_eq!(twin.correct(&mut frame).unwrap(), StepStatus::Done);
        // Centre: 180 + 42.04 - 0.04 x 11 = 221.6, 150 + 6.98 + 0.04 x 7 = 157.3.
        let ghost = |y: usize, x: usize| frame.flags.as_ref().unwrap()[[y, x]] & flags::GHOST != 0;
        assert_eq!(ghost(157, 222), seen, "{electrons}");
        assert_eq!(ghost(157, 240), seen, "{electrons}");
        assert!(!ghost(157, 246) && !ghost(143, 138), "{electrons}: beside it and opposite nothing");
    }
}

#[test]
fn a_high_background_is_flagged_and_an_even_one_is_not() {
    let mut spec = wide_spec(1024, 768);
    // A halo as wide as the cells of the mesh: 270 pixels, 60 electrons at the star, 3 at the far corner.
    set(&mut spec, "scattered_light", "shoulder", 20.0);
    set(&mut spec, "scattered_light", "radius", 0.05);
    let scene = science(spec, 1);
    let twin = entry(registry::light(), "scattered_light").twin.correction(&knowledge(&scene)).unwrap().unwrap();
    for (electrons, seen) in [(0.0, false), (3e9, true)] {
        let mut frame = Frame::<Light>::from_pixels(noisy((768, 1024), 60.0, 4), scene.window);
        frame.bright = Some(vec![star(-30.0, 300.0, electrons)].into());
        apply(&scene, "scattered_light", &mut frame);
        assert_eq!(twin.correct(&mut frame).unwrap(), StepStatus::Done);
        let flagged = |y: usize, x: usize| frame.flags.as_ref().is_some_and(|f| f[[y, x]] & flags::SCATTERED != 0);
        assert_eq!(flagged(300, 5), seen, "{electrons}");
        assert!(!flagged(700, 1000), "{electrons}: far from the star");
    }
}

fn context<'a>(scene: &'a Scene) -> Context<'a> {
    scene.cx("trails")
}

#[test]
fn all_detectors_see_the_same_trails() {
    let mut left = spec_of(128, 96);
    let mut right = left.clone();
    // Neighbours without a gap: the right one's axis is 128 pixels further left.
    right.geometry.number = 8;
    right.geometry.crpix1 = left.geometry.crpix1 - 128.0;
    for spec in [&mut left, &mut right] {
        set(spec, "trails", "asteroid_density", 0.0);
        set(spec, "trails", "satellite_rate", 20.0);
    }
    let (a, b) = (science(left.clone(), 4), science(right.clone(), 4));
    let (mut frame_a, mut frame_b) = (a.frame::<Light>(|_, _| 0.0), b.frame::<Light>(|_, _| 0.0));
    apply(&a, "trails", &mut frame_a);
    apply(&b, "trails", &mut frame_b);
    let all = Trails::new(&left).unwrap().trails(&context(&a));
    assert_eq!(all, Trails::new(&right).unwrap().trails(&context(&b)));
    assert!(!all.is_empty() && all.iter().all(|t| t.kind == MoverKind::Satellite));
    // One line, seen by one detector of twice the width, is what the two see.
    let mut both = left.clone();
    both.geometry.nx = 256;
    let whole = science(both, 4);
    let mut frame = whole.frame::<Light>(|_, _| 0.0);
    apply(&whole, "trails", &mut frame);
    let mut lit = 0;
    for y in 0..96 {
        for x in 0..256 {
            let part = if x < 128 { frame_a.pixels[[y, x]] } else { frame_b.pixels[[y, x - 128]] };
            let one = frame.pixels[[y, x]];
            assert!((part - one).abs() <= 1e-4 * one.abs(), "({x}, {y}): {part} against {one}");
            lit += usize::from(one > 0.0);
        }
    }
    assert!(lit > 100, "{lit}");
}

#[test]
fn the_truth_of_trails_is_what_was_drawn() {
    let scene = science(spec_of(256, 192), 9);
    let mut frame = scene.frame::<Light>(|_, _| 0.0);
    apply(&scene, "trails", &mut frame);
    let truth = Trails::new(&scene.spec).unwrap().truth(&context(&scene), None, true);
    assert_eq!(truth.electrons.unwrap(), frame.pixels);
    assert!(!truth.rows.is_empty());
    let sum: f64 = truth.rows.iter().map(|r| r.electrons_in_frame).sum();
    assert!((sum / frame.total() - 1.0).abs() < 1e-5, "{sum}");
    assert_eq!(trail_table(&truth.rows).columns.len(), 21);
}

#[test]
fn a_given_list_stands_for_the_population_of_its_kind_and_keeps_its_electrons() {
    let mut spec = spec_of(256, 192);
    // A thousand times as many, so that some are in so small a window.
    set(&mut spec, "trails", "asteroid_density", 1e6);
    let scene = science(spec, 9);
    let own = Trails::new(&scene.spec).unwrap().truth(&context(&scene), None, false);
    let own = |kind| own.rows.iter().filter(|r| r.mover.kind == kind).cloned().collect::<Vec<_>>();
    // A bent path of three steps, well inside.
    let path = vec![(60.0, 50.0), (80.0, 60.0), (99.0, 72.0), (116.0, 86.0)];
    let mover = Mover {
        kind: MoverKind::Asteroid,
        id: 7,
        name: "seven".into(),
        path,
        magnitude: 20.0,
        electrons: 3000.0,
        rate_arcsec_s: 0.01,
        blur_arcsec: 0.0,
        orbit: None,
    };
    let given = Movers { satellites: None, asteroids: Some(vec![mover.clone()]) };
    let truth = Trails::new(&scene.spec).unwrap().truth(&context(&scene), Some(&given), false);
    let (mine, theirs): (Vec<_>, Vec<_>) = truth.rows.into_iter().partition(|r| r.mover.kind == MoverKind::Asteroid);
    assert_eq!(theirs, own(MoverKind::Satellite), "the other kind is as it was");
    assert!(!own(MoverKind::Asteroid).is_empty() && mine.len() == 1 && mine[0].mover == mover);
    // Joints of lines that bend by 0.1 rad overlap on one side by as much as they gape on the other.
    assert!((mine[0].electrons_in_frame / 3000.0 - 1.0).abs() < 2e-3, "{}", mine[0].electrons_in_frame);
    let nothing = Movers { satellites: Some(Vec::new()), asteroids: Some(Vec::new()) };
    let mut frame = scene.frame::<Light>(|_, _| 0.0);
    frame.movers = Some(Arc::new(nothing));
    apply(&scene, "trails", &mut frame);
    assert_eq!(frame.total(), 0.0, "empty lists say that nothing moves");
}

#[test]
fn the_number_of_trails_is_the_rate_times_time_and_width() {
    let mut spec = spec_of(128, 96);
    set(&mut spec, "trails", "satellite_rate", 10.0);
    set(&mut spec, "trails", "asteroid_faint", 23.0);
    let (mut satellites, mut asteroids) = (0, 0);
    for id in 0..200 {
        let scene = science(spec.clone(), id);
        for trail in Trails::new(&spec).unwrap().trails(&context(&scene)) {
            match trail.kind {
                MoverKind::Satellite => satellites += 1,
                MoverKind::Asteroid => asteroids += 1,
            }
        }
    }
    // 10 /deg/s x 150 s x 0.02 deg = 30, and 1e4 pi 0.01^2 = 3.14, in each of 200 exposures.
    assert!((f64::from(satellites) - 6000.0).abs() < 4.0 * 6000.0_f64.sqrt(), "{satellites}");
    assert!((f64::from(asteroids) - 628.3).abs() < 4.0 * 628.3_f64.sqrt(), "{asteroids}");
}

#[test]
fn impossible_trails_are_refused() {
    let mut spec = spec_of(128, 96);
    set(&mut spec, "trails", "range_far", 100.0);
    let message = Trails::new(&spec).err().unwrap().to_string();
    assert!(message.contains("effects.trails.range_far = 100 km") && message.contains("200"), "{message}");
}

/// A trail of `density` electrons per pixel of length, 5 pixels wide, from the left edge to the right.
fn with_trail(mut pixels: Array2<f32>, density: f32, from_y: f64, to_y: f64) -> Array2<f32> {
    let nx = pixels.ncols() as f64;
    let length = nx.hypot(to_y - from_y);
    for ((y, x), pixel) in pixels.indexed_iter_mut() {
        let distance = ((y as f64 - from_y) * nx - x as f64 * (to_y - from_y)) / length;
        if distance.abs() <= 2.5 {
            *pixel += density / 5.0;
        }
    }
    pixels
}

#[test]
fn a_faint_trail_is_found_flagged_over_its_width_and_nothing_else_is() {
    let shape = (768, 1024);
    let mut sky = noisy(shape, 50.0, 6);
    // Stars: nothing that lies along a line.
    let mut draws = vec![0.0; 600];
    noise::uniforms(&StreamKey::new(3).stream(0), 0, &mut draws);
    for k in 0..200 {
        let (x, y) = ((draws[3 * k] * 1020.0) as usize + 1, (draws[3 * k + 1] * 764.0) as usize + 1);
        let peak = 20.0 / (draws[3 * k + 2] + 1e-3);
        for (dy, dx, share) in [(0, 0, 1.0), (0, 1, 0.6), (1, 0, 0.6), (1, 1, 0.4)] {
            sky[[y + dy, x + dx]] += peak * share;
        }
    }
    assert!(detect::find(&sky, None).is_empty(), "no trail, nothing found");
    // 7 electrons of noise, 2.4 electrons of light: a third of a sigma a pixel.
    let found = detect::find(&with_trail(sky.clone(), 12.0, 200.0, 480.0), None);
    assert_eq!(found.len(), 1, "{found:?}");
    for (x, y) in [(0.0, 200.0), (512.0, 340.0), (1023.0, 479.7)] {
        assert!(found[0].distance(x, y).abs() < 3.0, "{found:?}");
    }
    // Through the twin: a bright one, all of its light flagged.
    let scene = science(wide_spec(1024, 768), 1);
    let twin = entry(registry::light(), "trails").twin.correction(&knowledge(&scene)).unwrap().unwrap();
    let mut frame = Frame::<Light>::from_pixels(with_trail(sky.clone(), 400.0, 600.0, 100.0), scene.window);
    assert_eq!(twin.correct(&mut frame).unwrap(), StepStatus::Done);
    let bits = frame.flags.unwrap();
    let lit = with_trail(Array2::zeros(shape), 1.0, 600.0, 100.0);
    let (mut on, mut hit, mut off) = (0, 0, 0);
    for (bits, lit) in bits.iter().zip(&lit) {
        match (bits & flags::SATELLITE != 0, *lit > 0.0) {
            (flagged, true) => (on, hit) = (on + 1, hit + usize::from(flagged)),
            (true, false) => off += 1,
            _ => {}
        }
    }
    assert!(hit * 1000 >= on * 999, "{hit} of {on} lit pixels");
    assert!(off < on, "{off} dark pixels flagged beside {on} lit ones");
}
