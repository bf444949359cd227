//! The network agrees with torch, and its mask with itself.

use super::*;
use crate::effects::cosmic_rays::laplacian::{CLOUD_PX, ReadVariance};
use ndarray::Array3;
use sim_core::flags::SATURATED;
use sim_core::noise;
use sim_core::stream::StreamKey;

/// Input `[40, 44, 6]` and torch's logits `[24, 28]`, in double precision, made with the weights (`training/cosmic_rays/weights.py`).
fn pair() -> (Array3<f32>, Vec<f32>) {
    let bytes = include_bytes!("weights/pair.f32");
    let values: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let (input, logits) = values.split_at(40 * 44 * 6);
    (Array3::from_shape_vec((40, 44, 6), input.to_vec()).unwrap(), logits.to_vec())
}

/// Sky, a star, tracks and points.
fn frame(ny: usize, nx: usize) -> Array2<f32> {
    let mut pixels = Array2::from_elem((ny, nx), 35.0_f32);
    for ((y, x), v) in pixels.indexed_iter_mut() {
        *v += 20_000.0 * (-0.5 * ((y as f32 - 50.3).powi(2) + (x as f32 - 61.8).powi(2))).exp();
    }
    let key = StreamKey::new(5).with_name("network");
    for (y, mut row) in pixels.rows_mut().into_iter().enumerate() {
        let row = row.as_slice_mut().unwrap();
        noise::poisson(&key.stream(y as u64), 0, row);
        noise::add_normals(&key.stream(1 << 20 | y as u64), 0, 5.0, row);
    }
    for k in 0..25 {
        pixels[(10 + k, 20 + k / 2)] += 400.0;
    }
    for at in [(0, 0), (ny - 1, nx - 1), (ny - 1, 3), (70, 9)] {
        pixels[at] += 900.0;
    }
    pixels
}

fn with_field<T>(pixels: &Array2<f32>, act: impl FnOnce(&Field<'_>) -> T) -> T {
    let read_variance = ReadVariance::uniform(25.0, pixels.dim());
    act(&Field {
        electrons: pixels,
        dark: None,
        flags: None,
        defects: None,
        leave_out: 0,
        read_variance: &read_variance,
        cloud_px: CLOUD_PX,
    })
}

#[test]
fn logits_are_those_of_torch() {
    let (input, wanted) = pair();
    let got = logits_of_input(&input, &Weights::built_in().unwrap());
    assert_eq!(got.len(), wanted.len());
    let range = wanted.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    assert!(range > 3.0, "the pair has hits and no hits");
    let worst = got.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("largest difference {worst:e} of logits up to {range}");
    assert!(worst < 1e-4, "{worst}");
}

#[test]
fn sharpened_noise_that_is_stated_triggers_no_more_than_any() {
    let (ny, nx) = (300, 280);
    let mut pixels = frame(ny, nx);
    // As if a correction had added the noise of a second readout and a half.
    for (y, mut row) in pixels.rows_mut().into_iter().enumerate() {
        noise::add_normals(&StreamKey::new(6).stream(y as u64), 0, 9.0, row.as_slice_mut().unwrap());
    }
    let stated = Array2::from_elem(pixels.dim(), 25.0_f32 + 81.0);
    with_field(&pixels, |field| {
        let read_variance = field.read_variance.stated(Some(&stated));
        let noisier = Field { read_variance: &read_variance, ..*field };
        let (plain, seen) = (candidates(field, Look::Triggered), candidates(field, Look::TriggeredIn(&noisier)));
        assert!(plain.len() > 3 * seen.len(), "{} and {}", plain.len(), seen.len());
        let weights = Weights::built_in().unwrap();
        let [all, some] = [Look::Triggered, Look::TriggeredIn(&noisier)].map(|look| detect(field, &weights, weights.threshold_logit, look));
        let on_track = |mask: &[bool]| (0..25).filter(|k| mask[(10 + k) * nx + 20 + k / 2]).count();
        assert_eq!((on_track(&all), on_track(&some)), (25, 25), "hits stay found");
        assert!(some.iter().zip(&all).all(|(some, all)| *all || !some), "and nothing else is");
    });
}

#[test]
fn hits_are_found_and_the_star_is_left_alone() {
    let (ny, nx) = (100, 90);
    let pixels = frame(ny, nx);
    let weights = Weights::built_in().unwrap();
    let mask = with_field(&pixels, |field| detect(field, &weights, weights.threshold_logit, Look::Triggered));
    let mut wanted: Vec<usize> = (0..25).map(|k| (10 + k) * nx + 20 + k / 2).collect();
    wanted.extend([0, ny * nx - 1, (ny - 1) * nx + 3, 70 * nx + 9]);
    wanted.sort_unstable();
    let found: Vec<usize> = (0..mask.len()).filter(|&at| mask[at]).collect();
    assert_eq!(found, wanted);
}

#[test]
fn what_lies_beside_a_hit_that_saturates_is_flagged_and_beside_a_star_that_does_is_not() {
    // A steep hit as in the survey camera's frames: its middle beyond the converter's end. The star, on the right, has as many saturated pixels.
    const CEILING: f32 = 71_540.0;
    let mut pixels = Array2::from_elem((60, 100), 30.0_f32);
    let hit = [
        (26, 30, 80.0),
        (27, 30, 7000.0),
        (28, 30, 37_000.0),
        (29, 30, 90_000.0),
        (30, 30, 80_000.0),
        (31, 30, 30_000.0),
        (32, 30, 730.0),
        (32, 31, 730.0),
    ];
    hit.iter().for_each(|&(y, x, charge)| pixels[(y, x)] += charge);
    for ((y, x), v) in pixels.indexed_iter_mut() {
        *v += 130_000.0 * (-0.5 * ((y as f32 - 30.4).powi(2) + (x as f32 - 70.2).powi(2)) / 0.9_f32.powi(2)).exp();
    }
    let key = StreamKey::new(6).with_name("saturated");
    for (y, mut row) in pixels.rows_mut().into_iter().enumerate() {
        noise::add_normals(&key.stream(y as u64), 0, 7.4, row.as_slice_mut().unwrap());
    }
    let flags = pixels.mapv(|v| if v >= CEILING { SATURATED } else { 0 });
    pixels.mapv_inplace(|v| v.min(CEILING));
    assert!(flags.slice(ndarray::s![.., ..50]).iter().filter(|f| **f > 0).count() == 2);
    assert!(flags.slice(ndarray::s![.., 50..]).iter().filter(|f| **f > 0).count() >= 2);
    let read_variance = ReadVariance::uniform(25.0, pixels.dim());
    let field = Field {
        electrons: &pixels,
        dark: None,
        flags: Some(&flags),
        defects: None,
        leave_out: SATURATED,
        read_variance: &read_variance,
        cloud_px: CLOUD_PX,
    };
    let weights = Weights::built_in().unwrap();
    let mask = detect(&field, &weights, weights.threshold_logit, Look::Triggered);
    let mut wanted: Vec<usize> = hit.iter().filter(|h| h.2 < CEILING).map(|h| h.0 * 100 + h.1).collect();
    wanted.sort_unstable();
    let found: Vec<usize> = (0..mask.len()).filter(|&at| mask[at]).collect();
    assert_eq!(found, wanted);
}

#[test]
fn the_mask_depends_neither_on_blocks_nor_on_threads() {
    let pixels = frame(150, 90);
    let weights = Weights::built_in().unwrap();
    let all = with_field(&pixels, |field| logit_image(field, &weights, Look::Everywhere));
    let some = with_field(&pixels, |field| logit_image(field, &weights, Look::Triggered));
    let looked = some.iter().filter(|z| z.is_finite()).count();
    assert!(looked > 1000 && looked < some.len() / 2, "{looked} of {}", some.len());
    for (a, b) in some.iter().zip(&all).filter(|(a, _)| a.is_finite()) {
        assert_eq!(a.to_bits(), b.to_bits());
    }
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let alone = one.install(|| with_field(&pixels, |field| logit_image(field, &weights, Look::Everywhere)));
    assert_eq!(alone, all);
}

#[test]
fn pixels_left_out_are_not_flagged_and_no_pixel_of_a_frame_of_any_size_is_lost() {
    let weights = Weights::built_in().unwrap();
    for (ny, nx) in [(1, 1), (5, 9), (8, 8), (17, 23), (64, 66)] {
        let mut pixels = Array2::from_elem((ny, nx), 30.0_f32);
        pixels[(ny / 2, nx / 2)] = f32::NAN;
        let image = with_field(&pixels, |field| logit_image(field, &weights, Look::Everywhere));
        assert!(image.iter().all(|z| z.is_finite()), "{ny} x {nx}");
        let mask = with_field(&pixels, |field| detect(field, &weights, f32::NEG_INFINITY, Look::Everywhere));
        assert_eq!(mask.iter().filter(|m| !**m).count(), 1, "all but the one that is no number");
    }
    assert!(with_field(&Array2::zeros((0, 0)), |field| detect(field, &weights, 0.0, Look::Triggered)).is_empty());
}

#[test]
fn damaged_weights_are_refused() {
    let text = include_str!("weights/cosmic_rays.json");
    let mut bytes = include_bytes!("weights/cosmic_rays.f32").to_vec();
    assert!(Weights::read(text, &bytes).is_ok());
    bytes[100] ^= 1;
    assert!(matches!(Weights::read(text, &bytes), Err(WeightsError::Hash { .. })));
    bytes[100] ^= 1;
    let wrong = text.replace("\"inputs\": 6", "\"inputs\": 4");
    assert_ne!(wrong, text);
    let error = Weights::read(&wrong, &bytes).unwrap_err().to_string();
    assert!(error.contains("layers[0]") && error.contains("4 to 16"), "{error}");
    bytes.truncate(bytes.len() - 4);
    let hash = sim_core::manifest::sha256(&bytes);
    let Weights { sha256, .. } = Weights::built_in().unwrap();
    assert!(matches!(Weights::read(&text.replace(&sha256, &hash), &bytes), Err(WeightsError::Length { .. })));
}

#[test]
fn a_lone_bright_pixel_is_flagged_and_the_sharpest_star_is_not() {
    let mut pixels = frame(96, 96);
    // A hit that left 1 % in its neighbours, as one that the network once took for a hot pixel.
    pixels[(40, 40)] += 2950.0;
    for at in [(39, 40), (41, 40), (40, 39), (40, 41)] {
        pixels[at] += 30.0;
    }
    let star = |s2: f32, (y, x): (usize, usize)| 20_000.0 * (-0.5 * ((y as f32 - 70.2).powi(2) + (x as f32 - 70.4).powi(2)) / s2).exp();
    // 1.4 pixels wide.
    let with_star = Array2::from_shape_fn((96, 96), |at| pixels[at] + star(0.353, at));
    let weights = Weights::built_in().unwrap();
    // No logit is above this: what is flagged is steep.
    let mask = with_field(&with_star, |field| detect(field, &weights, 1e9, Look::Triggered));
    assert!(mask[40 * 96 + 40], "the lone pixel");
    let near_star = (66..75).flat_map(|y| (66..75).map(move |x| y * 96 + x)).filter(|&at| mask[at]).count();
    assert_eq!(near_star, 0, "pixels of the star");
}
