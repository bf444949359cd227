//! The electronics on whole frames: crosstalk, drift, correlated noise, defects, bad columns.

use crate::bench::{NX, NY, Scene, entry, exposure, knowledge, set, spec, spec_of, starry};
use instruments::effects::bad_columns::column_defects;
use instruments::effects::bias::SubtractOverscan;
use instruments::effects::crosstalk::coupling;
use instruments::effects::defects::{cold_pixels, model::moments_of_time_on, telegraph_pixels};
use instruments::effects::registry::{self, Entry};
use sim_core::correction::Correction;
use sim_core::detector::{AmplifierTile, Scans};
use sim_core::exposure::ExposureKind;
use sim_core::flags;
use sim_core::frame::{Frame, Window};
use sim_core::knowledge::{ColumnFault, LevelWalk, OverscanKnowledge};
use sim_core::plane::{Charge, Counts, Light, Plane};
use std::sync::Arc;

fn counts(name: &str) -> &'static Entry<Counts> {
    entry(registry::counts(), name)
}

fn dark(id: u64, time_s: f64) -> sim_core::exposure::Exposure {
    exposure(id, ExposureKind::Dark, time_s)
}

/// Raw pixel of an amplifier that is read `serial` pixels after the first of its line, `parallel` rows after the first.
fn place(tile: &AmplifierTile, serial: usize, parallel: usize) -> (usize, usize) {
    let x = if tile.flip_x { tile.raw.x0 + tile.raw.nx - 1 - serial } else { tile.raw.x0 + serial };
    let y = if tile.flip_y { tile.raw.y0 + tile.raw.ny - 1 - parallel } else { tile.raw.y0 + parallel };
    (y, x)
}

fn crossed(scene: &Scene, frame: &mut Frame<Counts>) {
    (counts("crosstalk").forward)(&scene.spec).unwrap().apply(frame, &scene.cx("crosstalk")).unwrap();
}

#[test]
fn a_bright_pixel_leaves_its_ghost_in_the_pixels_read_at_the_same_moment() {
    let scene = Scene::full(spec(), exposure(1, ExposureKind::Science, 1.0));
    let x = coupling(&scene.spec).unwrap();
    let tiles = &scene.layout.tiles;
    assert_eq!(tiles.len(), 8);
    // A science pixel, one of the overscan, one of the overscan rows: all are read like any other.
    for (serial, parallel) in [(20, 11), (3 + NX / 4 + 5, 30), (9, NY / 2 + 2)] {
        for source in [0, 3, 6] {
            let bright = tiles.iter().find(|t| t.amplifier == source).unwrap();
            let mut frame = scene.frame::<Counts>(|_, _| 0.0);
            frame.pixels[place(bright, serial, parallel)] = 40_000.0;
            crossed(&scene, &mut frame);
            for tile in tiles.iter().filter(|t| t.amplifier != source) {
                let got = f64::from(frame.pixels[place(tile, serial, parallel)]);
                let want = x[tile.amplifier * 8 + source] * 40_000.0;
                assert!((got - want).abs() < 1e-6 * want.abs() + 1e-9, "{source} to {}: {got}, {want}", tile.amplifier);
            }
            assert_eq!(frame.pixels.iter().filter(|&&v| v != 0.0).count(), 8, "and nowhere else");
        }
    }
    let largest = x.iter().copied().fold(0.0, |a: f64, b| a.max(b.abs()));
    assert!(largest > 1e-4 && largest < 1e-3, "{largest}");
    assert!(x.iter().any(|&v| v < 0.0) && x.iter().any(|&v| v > 0.0), "both signs");
}

#[test]
fn crosstalk_of_science_pixels_does_not_need_the_scans() {
    let full = Scene::full(spec(), exposure(1, ExposureKind::Science, 1.0));
    let trimmed = Scene::new(spec(), exposure(1, ExposureKind::Science, 1.0), full.window, Scans::Trimmed);
    let mut small = trimmed.frame::<Counts>(|y, x| starry(x, y));
    let mut large = full.frame::<Counts>(|_, _| 0.0);
    for tile in &full.layout.tiles {
        for y in 0..tile.science.ny {
            for x in 0..tile.science.nx {
                let from = small.pixels[(tile.science.y0 + y, tile.science.x0 + x)];
                large.pixels[(tile.raw_science.y0 + y, tile.raw_science.x0 + x)] = from;
            }
        }
    }
    crossed(&trimmed, &mut small);
    crossed(&full, &mut large);
    assert_eq!(instruments::effects::digitise::model::trim(large.pixels, &full.layout, full.window), small.pixels);
}

#[test]
fn crosstalk_is_the_same_with_any_number_of_threads_and_linear() {
    let scene = Scene::full(spec(), exposure(1, ExposureKind::Science, 1.0));
    let with = |threads, factor: f32| {
        let mut frame = scene.frame::<Counts>(|y, x| factor * starry(x % 97, y % 89));
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| crossed(&scene, &mut frame));
        frame.pixels
    };
    assert_eq!(with(1, 1.0), with(3, 1.0));
    assert_eq!(with(2, 2.0), with(2, 1.0).mapv(|v| 2.0 * v), "a power of two leaves the bits");
}

#[test]
fn a_saturated_source_flags_its_victims_and_an_uncertain_coefficient_is_in_the_variance() {
    let scene = Scene::full(spec(), exposure(1, ExposureKind::Science, 1.0));
    let mut known = knowledge(&scene);
    let mut matrix = (*known.crosstalk.unwrap()).clone();
    matrix.coefficients.iter_mut().for_each(|c| c.error = 1e-5);
    known.crosstalk = Some(Arc::new(matrix.clone()));
    let source = scene.layout.tiles.iter().find(|t| t.amplifier == 2).unwrap();
    let mut frame = scene.frame::<Counts>(|_, _| 0.0);
    let at = place(source, 17, 23);
    frame.pixels[at] = 60_000.0;
    crossed(&scene, &mut frame);
    let mut bits = ndarray::Array2::zeros(frame.pixels.dim());
    bits[at] = flags::SATURATED;
    frame.flags = Some(bits);
    counts("crosstalk").twin.correction(&known).unwrap().unwrap().correct(&mut frame).unwrap();
    let (bits, variance) = (frame.flags.unwrap(), frame.variance.unwrap());
    let mut flagged = 0;
    for tile in scene.layout.tiles.iter().filter(|t| t.amplifier != 2) {
        let p = place(tile, 17, 23);
        let ghost = matrix.coefficients[tile.amplifier * 8 + 2].value * 60_000.0;
        let noise = 5.0 / known.gain.as_ref().unwrap()[tile.amplifier].value;
        assert_eq!(bits[p] & flags::CROSSTALK != 0, ghost.abs() > noise, "amplifier {}: {ghost} against {noise}", tile.amplifier);
        flagged += usize::from(bits[p] & flags::CROSSTALK != 0);
        // (1e-5 x 60,000)^2 = 0.36 adu^2.
        assert!((variance[p] - 0.36).abs() < 1e-3, "{}", variance[p]);
        assert!(frame.pixels[p].abs() < 1e-4, "{}", frame.pixels[p]);
    }
    assert!(flagged > 0 && flagged < 7, "{flagged}");
    assert_eq!(bits.iter().filter(|b| **b & flags::CROSSTALK != 0).count(), flagged);
}

/// Science pixels and serial overscan of a cut-out are those of the full frame.
fn crops<P: Plane>(entries: &'static [Entry<P>], name: &str, change: &[(&str, f64)]) {
    let mut device = spec();
    change.iter().for_each(|(key, value)| set(&mut device, name, key, *value));
    let entry = entry(entries, name);
    let full = Scene::full(device.clone(), exposure(1, ExposureKind::Science, 150.0));
    let all = full.applied(entry, 100.0).pixels;
    for window in [Window { x0: 13, y0: 31, nx: 77, ny: 40 }, Window { x0: 66, y0: 50, nx: 9, ny: 7 }] {
        let cut = Scene::new(device.clone(), exposure(1, ExposureKind::Science, 150.0), window, Scans::Full);
        let some = cut.applied(entry, 100.0).pixels;
        if P::NAME != Counts::NAME {
            let same = all.slice(ndarray::s![window.y0..window.y0 + window.ny, window.x0..window.x0 + window.nx]);
            assert_eq!(some, same, "{name}");
            continue;
        }
        for tile in &cut.layout.tiles {
            let same = full.layout.tiles.iter().find(|t| t.amplifier == tile.amplifier).unwrap();
            for (y, x) in ndarray::indices((tile.science.ny, tile.science.nx)) {
                let mine = some[(tile.raw_science.y0 + y, tile.raw_science.x0 + x)];
                let (dy, dx) = (window.y0 + tile.science.y0 - same.science.y0, window.x0 + tile.science.x0 - same.science.x0);
                assert_eq!(mine, all[(same.raw_science.y0 + dy + y, same.raw_science.x0 + dx + x)], "{name} {y} {x}");
            }
        }
    }
}

#[test]
fn cut_outs_have_the_bits_of_the_full_frame() {
    crops::<Counts>(registry::counts(), "bias_drift", &[]);
    crops::<Counts>(registry::counts(), "correlated_noise", &[]);
    crops::<Light>(registry::light(), "defects", &[]);
    crops::<Charge>(registry::charge(), "bad_columns", &[("pocket_fraction", 0.0), ("blocked_fraction", 0.2)]);
}

#[test]
fn outputs_share_the_pick_up_and_nothing_else() {
    let mut device = spec_of(512, 256);
    set(&mut device, "correlated_noise", "common_rms", 2.0);
    set(&mut device, "correlated_noise", "pink_rms", 1.0);
    let scene = Scene::full(device, dark(1, 0.0));
    let noise = scene.applied(counts("correlated_noise"), 0.0).pixels;
    let tiles = &scene.layout.tiles;
    let (width, height) = (tiles[0].raw.nx, tiles[0].raw.ny);
    let n = (width * height) as f64;
    for (a, b) in [(0, 1), (0, 3), (1, 6), (5, 5)] {
        let product = |lag: usize| {
            let at = |tile: usize, s, p| f64::from(noise[place(&tiles[tile], s, p)]);
            (0..height).flat_map(|p| (0..width - lag).map(move |s| (s, p))).map(|(s, p)| at(a, s, p) * at(b, s + lag, p)).sum::<f64>() / n
        };
        // Pink noise is alike over up to 100 pixels: n / 100 independent products of variance 5 x 5 at least.
        let tolerance = 5.0 * 5.0 / (n / 100.0).sqrt();
        let want = if a == b { 5.0 } else { 4.0 };
        assert!((product(0) - want).abs() < tolerance, "{a} {b}: {} +- {tolerance}", product(0));
        if a != b {
            assert!(product(1).abs() < tolerance, "white in time: {}", product(1));
        }
    }
}

/// Bias frame with drift, read and correlated noise; what is left after the overscan, by science row of the first tile.
#[test]
fn the_overscan_follows_the_drift_within_the_variance_stated() {
    let mut device = spec_of(256, 2048);
    for (effect, key, value) in [
        ("bias", "column_structure_rms", 0.0),
        ("bias", "row_structure_rms", 0.0),
        ("bias_drift", "drift_rms", 2.0),
        ("bias_drift", "drift_length", 200.0),
        ("bias_drift", "settling", 0.0),
        ("bias_drift", "memory", 0.0),
    ] {
        set(&mut device, effect, key, value);
    }
    let scene = Scene::full(device.clone(), dark(3, 0.0));
    let mut frame = scene.frame::<Counts>(|_, _| 0.0);
    for name in ["bias_drift", "bias"] {
        (counts(name).forward)(&device).unwrap().apply(&mut frame, &scene.cx(name)).unwrap();
    }
    let truth = frame.pixels.clone();
    (counts("read_noise").forward)(&device).unwrap().apply(&mut frame, &scene.cx("read_noise")).unwrap();
    // 20 of 24 columns of variance (5 / 1.1)^2 = 20.7 at most 3 % off by the gains; step 2 sigma^2 / L = 0.04.
    let walk = LevelWalk { step_adu2: 0.04, row_adu2: 20.7 / 20.0 };
    let known = Arc::new(OverscanKnowledge { skip_columns: 4, walk: vec![walk; 8] });
    let noisy = frame.pixels.clone();
    SubtractOverscan::with(scene.layout.clone(), Some(known)).correct(&mut frame).unwrap();
    let variance = frame.variance.as_ref().unwrap();
    let (mut square, mut stated, mut n) = (0.0, 0.0, 0.0);
    for tile in &scene.layout.tiles {
        let r = tile.raw_science;
        for y in r.y0..r.y0 + r.ny {
            let level = f64::from(noisy[(y, r.x0)] - frame.pixels[(y, r.x0)]);
            square += (level - f64::from(truth[(y, r.x0)])).powi(2);
            stated += f64::from(variance[(y, r.x0)]);
            n += 1.0;
        }
    }
    // sqrt(q r) / 2 = 0.102; errors are alike over 2 sqrt(r / q) = 10 rows: sqrt(2 / 819) = 5 %.
    assert!((stated / n / 0.102 - 1.0).abs() < 0.05, "{}", stated / n);
    assert!((square / stated - 1.0).abs() < 5.0 * 0.05, "{} against {}", square / n, stated / n);
    assert!(frame.flags.unwrap().iter().all(|&f| f == 0));
}

#[test]
fn the_first_overscan_columns_are_left_out_on_the_side_of_the_science_pixels() {
    let mut device = spec();
    for (effect, key, value) in [
        ("bias", "level_scatter", 0.0),
        ("bias", "column_structure_rms", 0.0),
        ("bias", "row_structure_rms", 0.0),
        ("bias_drift", "drift_rms", 0.0),
        ("bias_drift", "settling", 0.0),
    ] {
        set(&mut device, effect, key, value);
    }
    let scene = Scene::full(device.clone(), exposure(1, ExposureKind::Science, 1.0));
    let run = |skip_columns| {
        let mut frame = scene.frame::<Counts>(|_, _| 0.0);
        for tile in &scene.layout.tiles {
            let r = tile.raw_science;
            frame.pixels.slice_mut(ndarray::s![r.y0..r.y0 + r.ny, r.x0..r.x0 + r.nx]).fill(20_000.0);
        }
        for name in ["bias_drift", "bias"] {
            (counts(name).forward)(&device).unwrap().apply(&mut frame, &scene.cx(name)).unwrap();
        }
        let walk = vec![LevelWalk { step_adu2: 1e-6, row_adu2: 1.0 }; 8];
        SubtractOverscan::with(scene.layout.clone(), Some(Arc::new(OverscanKnowledge { skip_columns, walk }))).correct(&mut frame).unwrap();
        let tiles = scene.layout.tiles.iter();
        tiles.map(|t| f64::from(frame.pixels[(t.raw_science.y0 + 10, t.raw_science.x0 + 10)]) - 20_000.0).collect::<Vec<f64>>()
    };
    // The tail of 1e-3 x 20,000 e^-(k+1)/1.5 = 10, 5.3, 2.7, ... adu: 8 columns on 0.1 adu are left of it.
    for (with, without) in run(0).into_iter().zip(run(8)) {
        assert!(without.abs() < 0.05, "{without}");
        assert!(with < without, "the tail lifts the level: {with}");
    }
}

#[test]
fn telegraph_pixels_have_the_mean_and_scatter_of_their_law() {
    let mut device = spec();
    set(&mut device, "defects", "cold_fraction", 0.0);
    let frames: Vec<_> =
        (0..200).map(|id| Scene::full(device.clone(), dark(id, 260.0)).applied(entry(registry::light(), "defects"), 0.0).pixels).collect();
    let (mut pull2, mut ratio, mut count) = (0.0, 0.0, 0.0);
    for y in 0..NY {
        for t in telegraph_pixels(&device, y).unwrap() {
            let values: Vec<f64> = frames.iter().map(|f| f64::from(f[(y, t.x)])).collect();
            let (mean, variance) = moments_of_time_on(280.0, t.mean_on_s, t.mean_off_s);
            let (mean, variance) = (mean * t.rate, variance * t.rate * t.rate);
            let got = values.iter().sum::<f64>() / 200.0;
            pull2 += (got - mean).powi(2) / (variance / 200.0);
            ratio += values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 200.0 / variance;
            count += 1.0;
        }
    }
    assert!(count > 60.0, "{count} pixels");
    // Mean of squared pulls: 1 +- sqrt(2 / n). Variances of single pixels scatter by at most sqrt(k - 1) / sqrt(200), k the kurtosis
    // of a two-valued number of odds 100 : 1, the worst there can be: 100.
    assert!((pull2 / count - 1.0).abs() < 5.0 * (2.0_f64 / count).sqrt(), "{}", pull2 / count);
    assert!((ratio / count - 1.0).abs() < 5.0 * (100.0_f64 / 200.0 / count).sqrt(), "{}", ratio / count);
    let still = frames[0].iter().filter(|&&v| v != 0.0).count() as f64;
    assert!(still <= count, "no other pixel gets charge");
}

#[test]
fn cold_pixels_are_as_many_and_as_cold_as_told() {
    let device = spec();
    let cold: Vec<f64> = (0..NY).flat_map(|y| cold_pixels(&device, y).unwrap()).map(|c| c.1).collect();
    let n = (NX * NY) as f64 * 0.005;
    assert!((cold.len() as f64 - n).abs() < 5.0 * n.sqrt(), "{} of {n}", cold.len());
    let mean = cold.iter().sum::<f64>() / cold.len() as f64;
    assert!((mean - 0.25).abs() < 5.0 * 0.5 / (12.0 * cold.len() as f64).sqrt(), "{mean}");
    assert!(cold.iter().all(|r| (0.0..0.5).contains(r)));
}

#[test]
fn bad_columns_lie_behind_their_fault_as_seen_from_the_register() {
    let mut device = spec();
    set(&mut device, "bad_columns", "blocked_fraction", 0.05);
    set(&mut device, "bad_columns", "pocket_fraction", 0.05);
    let scene = Scene::full(device.clone(), exposure(1, ExposureKind::Science, 150.0));
    let frame = scene.applied(entry(registry::charge(), "bad_columns"), 60.0);
    let all = column_defects(&device).unwrap();
    let mut expected = ndarray::Array2::from_elem((NY, NX), 60.0_f32);
    let (mut blocked, mut pockets) = (0, 0);
    for defect in &all {
        let row = |k: usize| if defect.register == 0 { k } else { NY - 1 - k };
        match defect.fault {
            ColumnFault::Blocked => {
                blocked += 1;
                (defect.row..NY / 2).for_each(|k| expected[(row(k), defect.x)] = 0.0);
            }
            ColumnFault::Pocket { capacity_electron } => {
                pockets += 1;
                let mut room = capacity_electron.value;
                for k in defect.row..NY / 2 {
                    let taken = room.min(60.0);
                    expected[(row(k), defect.x)] -= taken as f32;
                    room -= taken;
                }
            }
        }
    }
    assert!(blocked > 3 && pockets > 3, "{blocked} {pockets}");
    assert!(all.iter().any(|d| d.register == 0) && all.iter().any(|d| d.register == 1));
    for (p, (got, want)) in frame.pixels.indexed_iter().map(|(p, v)| (p, (v, expected[p]))) {
        assert!((got - want).abs() < 1e-4, "{p:?}: {got}, {want}");
    }
}

#[test]
fn impossible_parameters_are_refused_by_name() {
    let mut device = spec();
    set(&mut device, "correlated_noise", "longest", 1.0);
    let error = (counts("correlated_noise").forward)(&device).err().unwrap().to_string();
    assert_eq!(error, "effects.correlated_noise.longest = 1 pixel is outside 3..100000");
    set(&mut device, "defects", "dwell_long", 5.0);
    let error = (entry(registry::light(), "defects").forward)(&device).err().unwrap().to_string();
    assert_eq!(error, "effects.defects.dwell_long = 5 s is outside 10..1000000000");
    set(&mut device, "crosstalk", "near", 0.5);
    let error = (counts("crosstalk").forward)(&device).err().unwrap().to_string();
    assert_eq!(error, "effects.crosstalk.near = 0.5 is outside -0.01..0.01");
    let nothing =
        sim_core::knowledge::Knowledge::of_layout(Scene::full(spec(), dark(1, 1.0)).layout, Window { x0: 0, y0: 0, nx: NX, ny: NY }, 1.0);
    let error = counts("crosstalk").twin.correction(&nothing).unwrap().err().unwrap().to_string();
    assert_eq!(error, "crosstalk needs a crosstalk matrix, which calibration has not provided");
}
