//! Charge transfer inefficiency on whole frames: amplifiers, scans, dates, single traps, bad tables.

use crate::bench::{NX, NY, Scene, entry, exposure, set, spec, starry, trap_knowledge};
use instruments::effects::registry;
use ndarray::{Array2, s};
use sim_core::detector::{ReadoutLayout, Scans};
use sim_core::exposure::ExposureKind;
use sim_core::frame::{Frame, ScanCharge, Window};
use sim_core::knowledge::Knowledge;
use sim_core::ledger::Ledger;
use sim_core::plane::Charge;
use std::sync::Arc;

fn scene() -> Scene {
    Scene::full(spec(), exposure(1, ExposureKind::Science, 150.0))
}

fn apply(scene: &Scene, frame: &mut Frame<Charge>) -> Ledger {
    let entry = entry(registry::charge(), "cti");
    (entry.forward)(&scene.spec).unwrap().apply(frame, &scene.cx("cti")).unwrap()
}

fn charge(scene: &Scene) -> Frame<Charge> {
    let window = scene.window;
    scene.frame(|y, x| starry(window.x0 + x, window.y0 + y).min(9e4).floor())
}

/// A frame with both axes turned round, and what the device makes of it.
fn mirrored(pixels: &Array2<f32>, x: bool, y: bool) -> Array2<f32> {
    let mut view = pixels.view();
    if x {
        view.invert_axis(ndarray::Axis(1));
    }
    if y {
        view.invert_axis(ndarray::Axis(0));
    }
    view.to_owned()
}

#[test]
fn amplifiers_are_mirror_images_of_each_other() {
    let scene = scene();
    let straight = charge(&scene);
    let mut out = straight.clone();
    apply(&scene, &mut out);
    assert_ne!(out.pixels, straight.pixels);
    for (x, y) in [(true, false), (false, true), (true, true)] {
        let mut turned = Frame::from_pixels(mirrored(&straight.pixels, x, y), scene.window);
        apply(&scene, &mut turned);
        assert_eq!(turned.pixels, mirrored(&out.pixels, x, y), "x {x}, y {y}");
    }
}

#[test]
fn trails_point_away_from_the_outputs() {
    let scene = scene();
    // Output of amplifier 0 at the lower left, of the last but one column at the lower right, top row mirrored.
    let (up, left) = (NY / 4, NX / 8);
    let stars = [(left, up, 1, 1), (NX - 1 - left, up, -1, 1), (left, NY - 1 - up, 1, -1), (NX - 1 - left, NY - 1 - up, -1, -1)];
    let background = 40.0;
    let mut frame = scene.frame::<Charge>(|_, _| background);
    for (x, y, ..) in stars {
        frame.pixels[[y, x]] = 2e4;
    }
    let mut flat = scene.frame::<Charge>(|_, _| background);
    apply(&scene, &mut frame);
    apply(&scene, &mut flat);
    for (x, y, right, up) in stars {
        let excess = |dx: isize, dy: isize| {
            let at = [y.strict_add_signed(dy), x.strict_add_signed(dx)];
            frame.pixels[at] - flat.pixels[at]
        };
        assert!(excess(0, up) > 1.0 && excess(right, 0) > 0.1, "behind ({x}, {y}): {} {}", excess(0, up), excess(right, 0));
        assert_eq!((excess(0, -up), excess(-right, 0)), (0.0, 0.0), "before ({x}, {y})");
    }
}

#[test]
fn charge_is_in_the_frame_in_the_scans_or_in_traps() {
    let scene = scene();
    let mut frame = charge(&scene);
    let before = frame.total();
    let ledger = apply(&scene, &mut frame);
    let scans: f64 = frame.scans.iter().flatten().map(ScanCharge::total).sum();
    // Traps of every pixel hold at most their density times the volume: 6 x 12288 + register, far from full.
    let trapped = -ledger.net();
    assert!(scans > 100.0, "trails in the overscan: {scans}");
    assert!(trapped > 0.0 && trapped < 7.0 * (NX * NY) as f64, "{trapped}");
    // Rounding to f32: 6e-8 of a pixel and step, random; 1e-9 of the total is far above it.
    assert!((frame.total() + trapped - before).abs() < 1e-9 * before);
}

#[test]
fn trails_reach_the_raw_frame_where_the_overscan_is() {
    let scene = scene();
    let mut frame = scene.frame::<Charge>(|_, _| 1000.0);
    apply(&scene, &mut frame);
    let gain = instruments::effects::digitise::amplifier_gains(&scene.spec).unwrap();
    let digitise = (registry::digitise().forward)(&scene.spec).unwrap();
    let (raw, _) = digitise.cross(frame, &scene.cx("digitise")).unwrap();
    for tile in &scene.layout.tiles {
        let at = |x: usize, y: usize| f64::from(raw.pixels[[y, x]]) * gain[tile.amplifier];
        let (rows, columns) = (tile.raw_overscan_rows, tile.raw_overscan);
        let first_row = if tile.flip_y { rows.y0 + rows.ny - 1 } else { rows.y0 };
        let last_row = if tile.flip_y { rows.y0 } else { rows.y0 + rows.ny - 1 };
        let middle = tile.raw_science.x0 + tile.raw_science.nx / 2;
        assert!(at(middle, first_row) > at(middle, last_row) && at(middle, last_row) > 0.5, "parallel, amplifier {}", tile.amplifier);
        let first = if tile.flip_x { columns.x0 + columns.nx - 1 } else { columns.x0 };
        let last = if tile.flip_x { columns.x0 } else { columns.x0 + columns.nx - 1 };
        let y = tile.raw_science.y0 + tile.raw_science.ny / 2;
        assert!(at(first, y) > 0.5 && at(first, y) > at(last, y), "serial, amplifier {}", tile.amplifier);
        let before = tile.raw_prescan;
        assert_eq!(at(before.x0, y), 0.0, "the prescan is read before any charge");
    }
}

#[test]
fn science_pixels_do_not_depend_on_the_layout_and_threads() {
    let full = scene();
    let trimmed = Scene::new(spec(), exposure(1, ExposureKind::Science, 150.0), full.window, Scans::Trimmed);
    let with = |threads: usize, scene: &Scene| {
        let mut frame = charge(scene);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let ledger = pool.install(|| apply(scene, &mut frame));
        (frame, ledger)
    };
    let ((a, one), (b, two), (c, _)) = (with(1, &full), with(2, &full), with(2, &trimmed));
    assert_eq!((&a.pixels, &a.scans, one), (&b.pixels, &b.scans, two));
    assert_eq!(a.pixels, c.pixels);
    assert!(c.scans.is_none());
}

#[test]
fn a_cut_out_sees_the_full_transfer_distance() {
    // Far from the edges of the cut-out the mirror image stands in for the unseen pixels.
    let full = scene();
    let mut all = full.frame::<Charge>(|y, x| 100.0 + ((7 * x + 13 * y) % 11) as f32);
    let window = Window { x0: 5, y0: 14, nx: 26, ny: 30 };
    let cut = Scene::new(spec(), exposure(1, ExposureKind::Science, 150.0), window, Scans::Trimmed);
    all.pixels[[30, 20]] = 5000.0;
    let mut some = Frame::<Charge>::from_pixels(all.pixels.slice(s![14..44, 5..31]).to_owned(), window);
    apply(&full, &mut all);
    apply(&cut, &mut some);
    let (wanted, got) = (all.pixels[[30, 20]], some.pixels[[16, 15]]);
    assert!(wanted < 4990.0 && (wanted - got).abs() < 0.02 * (5000.0 - wanted), "{got} instead of {wanted}");
}

#[test]
fn traps_grow_with_the_date() {
    let loss_at = |mjd: f64| {
        let mut scene = scene();
        scene.exposure.start_mjd = mjd;
        let mut frame = charge(&scene);
        let before = frame.pixels.clone();
        apply(&scene, &mut frame);
        (&frame.pixels - &before).mapv(|d| f64::from(d.abs())).sum()
    };
    // Growth 0.2 per year from the density at MJD 61000: none five years before, twice as many five years later.
    assert_eq!(loss_at(61_000.0 - 5.0 * 365.25), 0.0);
    let (new, old) = (loss_at(61_000.0), loss_at(61_000.0 + 5.0 * 365.25));
    assert!(old / new > 1.6 && old / new < 2.0, "{new} {old}: twice the traps, each a little less effective");
}

#[test]
fn single_traps_agree_with_the_expected_electrons_in_the_mean() {
    let mut scene = scene();
    set(&mut scene.spec, "cti", "blocks", 0.0);
    let flat = |scene: &Scene| {
        let mut frame = scene.frame::<Charge>(|y, _| if y % 16 == 12 { 3000.0 } else { 80.0 });
        let before = frame.total();
        let ledger = apply(scene, &mut frame);
        (frame, before, ledger)
    };
    let (expected, ..) = flat(&scene);
    set(&mut scene.spec, "cti", "draw_traps", 1.0);
    let (drawn, before, ledger) = flat(&scene);
    assert!(drawn.pixels.iter().all(|n| n.fract() == 0.0 && *n >= 0.0), "whole electrons");
    assert_eq!(drawn.total() - before, ledger.net(), "electrons are neither made nor lost");
    assert_eq!(flat(&scene).0.pixels, drawn.pixels, "the same draws each time");
    for y in 0..NY / 2 {
        let row = |frame: &Frame<Charge>| frame.pixels.row(y).iter().map(|&n| f64::from(n)).collect::<Vec<f64>>();
        let (a, b) = (row(&drawn), row(&expected));
        let mean = |v: &[f64]| v.iter().sum::<f64>() / NX as f64;
        let spread = (a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / NX as f64).sqrt();
        // 5 standard errors of the row, and a tenth of an electron for one packet that serves several traps at once.
        let tolerance = 5.0 * spread / (NX as f64).sqrt() + 0.1;
        assert!((mean(&a) - mean(&b)).abs() < tolerance, "row {y}: {} for {} +- {tolerance}", mean(&a), mean(&b));
    }
    // Another exposure of the same device: other releases, the same traps.
    let mut other = Scene::full(scene.spec.clone(), exposure(2, ExposureKind::Science, 150.0));
    assert_ne!(flat(&other).0.pixels, drawn.pixels);
    let column = |frame: &Frame<Charge>, y: usize| (0..NX).map(|x| f64::from(frame.pixels[[y, x]])).collect::<Vec<f64>>();
    let correlation = |a: &[f64], b: &[f64]| {
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let (ma, mb) = (mean(a), mean(b));
        let cov: f64 = a.iter().zip(b).map(|(a, b)| (a - ma) * (b - mb)).sum();
        let var = |v: &[f64], m: f64| v.iter().map(|x| (x - m).powi(2)).sum::<f64>();
        cov / (var(a, ma) * var(b, mb)).sqrt()
    };
    // Rows of bright packets: what a column catches there is set by its own number of traps.
    set(&mut other.spec, "cti", "serial_density_1", 0.0);
    set(&mut other.spec, "cti", "serial_density_2", 0.0);
    let mut same = Scene::full(other.spec.clone(), exposure(3, ExposureKind::Science, 150.0));
    let one = column(&flat(&other).0, 44);
    assert!(correlation(&one, &column(&flat(&same).0, 44)) > 0.3, "the same device");
    same.spec.device_seed += 1;
    // 128 columns: the correlation of independent devices is 0 +- 0.09.
    assert!(correlation(&one, &column(&flat(&same).0, 44)).abs() < 0.4, "another device");
}

#[test]
fn single_slow_traps_agree_with_the_expected_electrons_in_the_mean() {
    let mut scene = scene();
    set(&mut scene.spec, "cti", "blocks", 0.0);
    for (key, value) in [("parallel_capture_1", 0.5), ("parallel_capture_2", 2.0), ("parallel_capture_3", 8.0), ("serial_capture_1", 1.0)] {
        set(&mut scene.spec, "cti", key, value);
    }
    let run = |scene: &Scene| {
        let mut frame = scene.frame::<Charge>(|y, _| if y % 16 == 12 { 3000.0 } else { 80.0 });
        let before = frame.total();
        let ledger = apply(scene, &mut frame);
        assert!((frame.total() - before - ledger.net()).abs() < 1.0, "f32 pixels");
        frame
    };
    let expected = run(&scene);
    set(&mut scene.spec, "cti", "draw_traps", 1.0);
    let drawn = run(&scene);
    assert!(drawn.pixels.iter().all(|n| n.fract() == 0.0 && *n >= 0.0), "whole electrons");
    let mut moved = 0.0;
    for y in 0..NY / 2 {
        let row = |frame: &Frame<Charge>| frame.pixels.row(y).iter().map(|&n| f64::from(n)).collect::<Vec<f64>>();
        let (a, b) = (row(&drawn), row(&expected));
        let mean = |v: &[f64]| v.iter().sum::<f64>() / NX as f64;
        moved += (mean(&b) - if y % 16 == 12 { 3000.0 } else { 80.0 }).abs();
        let spread = (a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / NX as f64).sqrt();
        let tolerance = 5.0 * spread / (NX as f64).sqrt() + 0.1;
        assert!((mean(&a) - mean(&b)).abs() < tolerance, "row {y}: {} for {} +- {tolerance}", mean(&a), mean(&b));
    }
    assert!(moved > 10.0, "there are trails: {moved}");
}

#[test]
fn bad_tables_name_key_value_and_range() {
    let message = |key: &str, value: f64| {
        let mut spec = spec();
        set(&mut spec, "cti", key, value);
        (entry(registry::charge(), "cti").forward)(&spec).err().unwrap().to_string()
    };
    assert_eq!(message("parallel_density_2", -0.3), "effects.cti.parallel_density_2 = -0.3 1/pixel is outside 0..1000");
    assert_eq!(message("serial_release_1", 0.0), "effects.cti.serial_release_1 = 0 pixel is outside 0.01..100000");
    assert_eq!(message("parallel_notch", 90_001.0), "effects.cti.parallel_notch = 90001 electron is outside 0..90000");
    assert!(message("parallel_exponent", 1.5).contains("outside 0.001..1"));
}

#[test]
fn the_correction_needs_to_know_possible_traps() {
    let scene = scene();
    let layout = ReadoutLayout::new(&scene.spec.geometry, scene.window, Scans::Full);
    let mut knowledge = Knowledge::of_layout(layout, scene.window, 150.0);
    let made = |knowledge: &Knowledge| entry(registry::charge(), "cti").twin.correction(knowledge).unwrap();
    let error = made(&knowledge).err().unwrap().to_string();
    assert_eq!(error, "cti needs charge traps at the date of the frame, which calibration has not provided");
    let mut traps = trap_knowledge(&scene.spec, 3);
    traps.parallel.notch_electron = 2.0 * traps.parallel.full_well_electron;
    knowledge.traps = Some(Arc::new(traps));
    assert!(made(&knowledge).err().unwrap().to_string().contains("notch below the full well"));
    knowledge.traps = Some(Arc::new(trap_knowledge(&scene.spec, 3)));
    let mut small = Frame::<Charge>::from_pixels(Array2::zeros((4, 4)), Window { x0: 0, y0: 0, nx: 4, ny: 4 });
    assert!(made(&knowledge).unwrap().correct(&mut small).is_err(), "a frame of another shape");
}

#[test]
fn the_variance_of_a_corrected_frame_is_that_of_its_noise() {
    // Many traps on few rows: a packet of the sky loses a good part of what it has more than its neighbours.
    let mut scene = scene();
    for (key, value) in [("parallel_density_1", 60.0), ("parallel_density_2", 100.0), ("parallel_density_3", 0.0)] {
        set(&mut scene.spec, "cti", key, value);
    }
    let (sky, noise) = (150.0_f32, 5.0_f32);
    let mut spoilt = scene.frame::<Charge>(|_, _| sky);
    apply(&scene, &mut spoilt);
    spoilt.scans = None;
    let layout = ReadoutLayout::new(&scene.spec.geometry, scene.window, Scans::Full);
    let mut knowledge = Knowledge::of_layout(layout, scene.window, 150.0);
    knowledge.traps = Some(Arc::new(trap_knowledge(&scene.spec, 4)));
    let correction = entry(registry::charge(), "cti").twin.correction(&knowledge).unwrap().unwrap();
    let variance = Array2::from_elem(spoilt.pixels.dim(), noise * noise);
    let corrected = |pixels: Array2<f32>| {
        let mut frame = Frame::<Charge>::from_pixels(pixels, scene.window);
        frame.variance = Some(variance.clone());
        correction.correct(&mut frame).unwrap();
        frame
    };
    let quiet = corrected(spoilt.pixels.clone());
    let (mut square, mut gain, mut all) = (0.0, 0.0, 0.0);
    let rounds = 12;
    for id in 0..rounds {
        let mut pixels = spoilt.pixels.clone();
        for (y, mut row) in pixels.rows_mut().into_iter().enumerate() {
            let stream = sim_core::stream::StreamKey::new(9).with(id).stream(y as u64);
            sim_core::noise::add_normals(&stream, 0, noise, row.as_slice_mut().unwrap());
        }
        let noisy = corrected(pixels);
        for ((a, b), v) in noisy.pixels.iter().zip(&quiet.pixels).zip(noisy.variance.as_ref().unwrap()) {
            square += f64::from((a - b).powi(2) / v);
            all += f64::from((a - b).powi(2));
            gain += f64::from(v / (noise * noise));
        }
    }
    let count = (rounds as usize * quiet.pixels.len()) as f64;
    let (width, whole, gain) = ((square / count).sqrt(), (all / gain).sqrt() / f64::from(noise), gain / count);
    // What noise does to the packets behind it was fitted to skies with shot noise and fewer traps: here a ninth of the
    // variance is not told.
    assert!(gain > 1.1, "{gain}: traps that sharpen noise");
    assert!((whole - 1.0).abs() < 0.07 && (width - 1.0).abs() < 0.07, "pulls of width {width}, {whole} of all, variance times {gain}");
}
