//! Fringe frames and ghost paths measured on simulated exposures of the sky, and what they leave.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use instruments::description::{self, DetectorSpec};
use instruments::effects::fringing::strength;
use instruments::effects::registry;
use ndarray::Array2;
use reduction::fringe_fit::{self, FringeError};
use reduction::ghost_fit::{self, GhostError, Search};
use sim_core::correction::StepStatus;
use sim_core::detector::{ReadoutLayout, Scans};
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::flags;
use sim_core::frame::{BrightPoint, Frame, Window};
use sim_core::knowledge::Knowledge;
use sim_core::noise;
use sim_core::plane::Light;
use sim_core::stream::StreamKey;
use std::sync::Arc;

const WINDOW: Window = Window { x0: 2000, y0: 3000, nx: 768, ny: 640 };
const TIME_S: f64 = 150.0;

fn spec() -> DetectorSpec {
    let mut spec = description::load("msc").unwrap().detectors[&15].clone();
    let numbers = [("thickness_range", 12.0), ("line_fraction", 0.3), ("line_spread", 0.8)].map(|(k, v)| (k.to_string(), v));
    registry::set_parameters(&mut spec, "fringing", &numbers, "test").unwrap();
    spec
}

/// The light of one effect on a frame of this sky, with stars of this exposure and the noise of its electrons.
fn exposed(spec: &DetectorSpec, name: &str, id: u64, sky_electron_s: f64, bright: &[BrightPoint]) -> Frame<Light> {
    let pointing = Pointing { ra_deg: 10.0, dec_deg: 20.0, rotation_deg: 30.0 };
    let exposure = Exposure { id, kind: ExposureKind::Science, pointing, start_mjd: 61_771.0, time_s: TIME_S, sky_electron_s };
    let layout = ReadoutLayout::new(&spec.geometry, WINDOW, Scans::Trimmed);
    let entry = registry::light().iter().find(|e| e.name == name).unwrap();
    let (geometry, device_seed) = (&spec.geometry, spec.device_seed);
    let cx = Context { exposure: &exposure, geometry, layout: &layout, window: WINDOW, effect: entry.name, seed: 4, device_seed };
    let sky = (sky_electron_s * TIME_S) as f32;
    let mut frame = Frame::<Light>::from_pixels(Array2::from_elem(WINDOW.shape(), sky), WINDOW);
    let mut u = vec![0.0; 300];
    noise::uniforms(&StreamKey::new(id).stream(0), 0, &mut u);
    for k in 0..100 {
        let (x, y) = ((u[3 * k] * 760.0) as usize + 4, (u[3 * k + 1] * 630.0) as usize + 4);
        for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            frame.pixels[[y + dy, x + dx]] += 300.0 / (u[3 * k + 2] + 0.01);
        }
    }
    frame.bright = Some(bright.to_vec().into());
    (entry.forward)(spec).unwrap().apply(&mut frame, &cx).unwrap();
    let key = StreamKey::new(99).with(id);
    for (y, mut row) in frame.pixels.rows_mut().into_iter().enumerate() {
        noise::poisson(&key.stream(y as u64), 0, row.as_slice_mut().unwrap());
    }
    frame
}

#[test]
fn a_fringe_frame_from_dithered_skies_takes_the_fringes_out_of_another() {
    let (spec, cell) = (spec(), 4);
    let none = Array2::<u32>::zeros(WINDOW.shape());
    let frames: Vec<Array2<f32>> = (0..6).map(|id| exposed(&spec, "fringing", id, 2.0, &[]).pixels.mapv(|v| v / TIME_S as f32)).collect();
    let pairs: Vec<(&Array2<f32>, &Array2<u32>)> = frames.iter().map(|f| (f, &none)).collect();
    let found = fringe_fit::fit(&pairs, WINDOW, cell).unwrap();
    assert!(found.correlation > 0.8, "{}", found.correlation);
    assert!(found.strengths.iter().all(|a| *a > 0.0), "{:?}", found.strengths);
    // The frame that is corrected took no part; its clean twin has the same stars and no fringes.
    let mut clean = spec.clone();
    registry::set_parameters(&mut clean, "fringing", &[("line_fraction".to_string(), 0.0)], "test").unwrap();
    let mut frame = exposed(&spec, "fringing", 17, 2.0, &[]);
    let without = exposed(&clean, "fringing", 17, 2.0, &[]);
    let fringes = Arc::new(found.frame);
    let before = strength(&frame, &fringes).unwrap();
    let mut knowledge = Knowledge::of_layout(ReadoutLayout::new(&spec.geometry, WINDOW, Scans::Trimmed), WINDOW, TIME_S);
    knowledge.fringes = Some(Arc::clone(&fringes));
    let entry = registry::light().iter().find(|e| e.name == "fringing").unwrap();
    frame.flags = Some(none.clone());
    frame.variance = Some(Array2::zeros(WINDOW.shape()));
    let raw = frame.pixels.clone();
    assert_eq!(entry.twin.correction(&knowledge).unwrap().unwrap().correct(&mut frame).unwrap(), StepStatus::Done);
    // Quantile draws of one word differ between the two by the change of the mean, to one electron: averaged over cells of 8 x 8
    // pixels what is left is that of the fringes.
    let rms_of_cells = |a: &Array2<f32>| {
        let mut sum = 0.0;
        let cells: Vec<f64> = ndarray::indices((80, 96))
            .into_iter()
            .map(|(j, i)| {
                let part = ndarray::s![8 * j..8 * j + 8, 8 * i..8 * i + 8];
                let difference: f32 = a.slice(part).iter().zip(&without.pixels.slice(part)).map(|(a, b)| a - b).sum();
                sum += f64::from(difference) / 64.0;
                f64::from(difference) / 64.0
            })
            .collect();
        let mean = sum / cells.len() as f64;
        (cells.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / cells.len() as f64).sqrt()
    };
    let (had, left) = (rms_of_cells(&raw), rms_of_cells(&frame.pixels));
    println!("fringes {had:.3} electron rms, left {left:.3}; strength {} +- {}", before.amplitude, before.error);
    assert!(had > 3.0 && left < 0.15 * had, "{left} left of {had}");
    // The strength that was fitted is that of the fringes, damping of the narrowest included.
    assert!((before.amplitude / had - 1.0).abs() < 0.1, "{} for {had}", before.amplitude);
    let again = strength(&frame, &fringes).unwrap();
    assert!(again.amplitude.abs() < 3.0 * again.error, "{} +- {}", again.amplitude, again.error);
    assert!(frame.variance.unwrap().iter().all(|v| *v > 0.0), "the frame's own error is in the variance");
}

#[test]
fn skies_without_fringes_make_no_fringe_frame() {
    let mut spec = spec();
    registry::set_parameters(&mut spec, "fringing", &[("line_fraction".to_string(), 0.0)], "test").unwrap();
    let none = Array2::<u32>::zeros(WINDOW.shape());
    let frames: Vec<Array2<f32>> = (0..6).map(|id| exposed(&spec, "fringing", id, 2.0, &[]).pixels).collect();
    let pairs: Vec<(&Array2<f32>, &Array2<u32>)> = frames.iter().map(|f| (f, &none)).collect();
    let error = fringe_fit::fit(&pairs, WINDOW, 8).unwrap_err();
    assert!(matches!(error, FringeError::NoPattern { .. }), "{error}");
    assert!(error.to_string().contains("more exposures"), "{error}");
    let error = fringe_fit::fit(&pairs[..3], WINDOW, 8).unwrap_err();
    assert_eq!(error.to_string(), "3 frames of the sky: a fringe frame needs at least 4, dithered");
    let blind = Array2::<u32>::from_elem(WINDOW.shape(), flags::BAD);
    let error = fringe_fit::fit(&[(&frames[0], &none), (&frames[1], &blind)], WINDOW, 8).unwrap_err();
    assert_eq!(error, FringeError::Crowded { index: 1 });
}

#[test]
fn ghost_paths_come_back_from_saturated_stars() {
    let mut spec = spec();
    let numbers = [("gap_1", 5.6), ("tilt_x_1", 3.0), ("tilt_y_1", -1.5), ("fraction_2", 0.0), ("pupil_distance", 200.0)];
    registry::set_parameters(&mut spec, "ghosts", &numbers.map(|(k, v)| (k.to_string(), v)), "test").unwrap();
    // Radius 5.6 mm / f/14 = 40 pixels, shift 11.2 mm x tan: 58.7 and -29.3 pixels at the axis, slope 11.2 / 200 = 0.056.
    // The axis is put into the window: a chip at the edge of the field has shifts of thousands of pixels here.
    (spec.geometry.crpix1, spec.geometry.crpix2) = (2301.0, 3301.0);
    let search = Search { radius: (25.0, 60.0), shift: 90.0 };
    let mut discs = Vec::new();
    for (id, (x, y)) in [(180.0, 200.0), (500.0, 210.0), (200.0, 430.0), (480.0, 440.0), (330.0, 330.0)].into_iter().enumerate() {
        let star = BrightPoint { x: 2000.0 + x, y: 3000.0 + y, electrons: 1e9 };
        let frame = exposed(&spec, "ghosts", id as u64, 0.4, &[star]);
        let mut bits = Array2::<u32>::zeros(WINDOW.shape());
        bits.slice_mut(ndarray::s![y as usize - 3..y as usize + 4, x as usize - 3..x as usize + 4]).fill(flags::SATURATED);
        let disc = ghost_fit::look(&frame.pixels, &bits, (x, y), (2000.0, 3000.0), search).unwrap();
        let wanted = (58.7 + 0.056 * (star.x - 2300.0), -29.3 + 0.056 * (star.y - 3300.0));
        // Squares of 5 pixels: half of one each way.
        assert!((disc.shift.0 - wanted.0).abs() < 4.0 && (disc.shift.1 - wanted.1).abs() < 4.0, "{disc:?}, wanted {wanted:?}");
        discs.push(disc);
    }
    let path = ghost_fit::path(&discs, (2300.0, 3300.0)).unwrap();
    assert!((path.radius.value - 40.0).abs() < 3.0, "{path:?}");
    for (got, want) in [(path.shift_x, 58.7), (path.shift_y, -29.3)] {
        assert!((got.value - want).abs() < 4.0 * got.error.max(1.0), "{path:?}");
    }
    assert!((path.slope.value - 0.056).abs() < 4.0 * path.slope.error.max(0.004), "{path:?}");
    // No star, no ghost; too few or too close, no path.
    let empty = exposed(&spec, "ghosts", 9, 0.4, &[]);
    assert_eq!(ghost_fit::look(&empty.pixels, &Array2::zeros(WINDOW.shape()), (330.0, 330.0), (0.0, 0.0), search), None);
    assert_eq!(ghost_fit::path(&discs[..3], (0.0, 0.0)), Err(GhostError::TooFew { got: 3 }));
    assert!(matches!(ghost_fit::path(&[discs[0]; 5], (0.0, 0.0)), Err(GhostError::Together { .. })));
}
