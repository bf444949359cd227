//! Level 2 on frames whose truth is known in closed form: Moffat stars averaged over the pixel, Gaussian noise.

// A test's own functions may panic: that is how a test fails.
#![allow(clippy::unwrap_used)]

use ndarray::Array2;
use sim_core::fits::Header;
use sim_core::noise;
use sim_core::stream::StreamKey;
use validate::level2::background;
use validate::level2::centroid::{FitOptions, fit};
use validate::level2::{Level2, Level2Options, process};
use validate::product::L1Frame;

const TIME: f64 = 150.0;
const SKY: f64 = 0.2;
const SIGMA: f64 = 0.05;

/// Positions and rates on a jittered lattice, so that all stars are isolated.
fn stars(size: usize, spacing: usize) -> Vec<(f64, f64, f64)> {
    let stream = StreamKey::new(5).with_name("stars").stream(0);
    let n = size / spacing;
    let mut draws = vec![0.0; 3 * n * n];
    noise::uniforms(&stream, 0, &mut draws);
    (0..n * n)
        .map(|k| {
            let place = |cell: usize, u: f32| (cell as f64 + 0.5) * spacing as f64 + 4.0 * (f64::from(u) - 0.5);
            // 10^(0.3..2.8) electron / s: filtered signal-to-noise from 10 to some thousands.
            (place(k % n, draws[3 * k]), place(k / n, draws[3 * k + 1]), 10f64.powf(0.3 + 2.5 * f64::from(draws[3 * k + 2])))
        })
        .collect()
}

/// The Moffat star (index 3, FWHM 1.9 pixels) averaged over a pixel with 9 x 9 points.
fn pixel(dx: f64, dy: f64) -> f64 {
    let alpha = 1.9 / (2.0 * (2f64.powf(1.0 / 3.0) - 1.0).sqrt());
    let norm = 2.0 / (std::f64::consts::PI * alpha * alpha);
    let mut sum = 0.0;
    for j in 0..9 {
        for i in 0..9 {
            let (x, y) = (dx + (f64::from(i) - 4.0) / 9.0, dy + (f64::from(j) - 4.0) / 9.0);
            sum += norm * (1.0 + (x * x + y * y) / (alpha * alpha)).powi(-3);
        }
    }
    sum / 81.0
}

fn frame(size: usize, stars: &[(f64, f64, f64)]) -> L1Frame {
    let mut rate = Array2::<f32>::from_elem((size, size), SKY as f32);
    let mut variance = Array2::<f32>::from_elem((size, size), (SIGMA * SIGMA) as f32);
    for &(x, y, f) in stars {
        for py in (y as usize).saturating_sub(30)..(y as usize + 31).min(size) {
            for px in (x as usize).saturating_sub(30)..(x as usize + 31).min(size) {
                let light = f * pixel(px as f64 - x, py as f64 - y);
                rate[(py, px)] += light as f32;
                variance[(py, px)] += (light / TIME) as f32;
            }
        }
    }
    let key = StreamKey::new(7).with_name("noise");
    let mut draws = vec![0.0_f32; size];
    for y in 0..size {
        noise::normals(&key.stream(y as u64), 0, &mut draws);
        for x in 0..size {
            rate[(y, x)] += draws[x] * variance[(y, x)].sqrt();
        }
    }
    L1Frame {
        weight: variance.mapv(|v| 1.0 / v),
        rate,
        flags: Array2::zeros((size, size)),
        exposure_s: TIME,
        filter: "r".into(),
        detector: "09".into(),
        window: (0, 0),
        wcs: None,
        pixel_scale_arcsec: 0.074,
        header: Header::default(),
    }
}

fn made() -> (Vec<(f64, f64, f64)>, Level2) {
    let stars = stars(768, 48);
    let level2 = process(&frame(768, &stars), &Level2Options::default());
    (stars, level2)
}

/// The detection nearest to a place.
fn nearest(level2: &Level2, x: f64, y: f64) -> (f64, &validate::level2::catalogue::Source) {
    let distance = |s: &validate::level2::catalogue::Source| (s.position().0 - x).hypot(s.position().1 - y);
    level2.catalogue.sources.iter().map(|s| (distance(s), s)).min_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
}

#[test]
fn the_effective_psf_is_the_moffat_star_averaged_over_the_pixel() {
    let (_, level2) = made();
    let psf = level2.psf.as_ref().unwrap();
    assert!(psf.stars >= 60, "{} stars", psf.stars);
    let local = psf.at(384.0, 384.0);
    // Light inside 10 pixels of the true profile: 1 - (1 + 100 / alpha^2)^-2 = 0.9988.
    let inside = 0.9988;
    let peak = pixel(0.0, 0.0) / inside;
    for (dx, dy) in [(0.0, 0.0), (0.5, 0.0), (0.25, -0.75), (1.0, 1.0), (2.3, -0.4), (4.0, 3.0)] {
        let (model, truth) = (local.at(dx, dy), pixel(dx, dy) / inside);
        // Light of 168 stars in a ninth of a pixel phase at the peak: about 5e4 electrons, 0.45 %; 2.5 sigma.
        assert!((model - truth).abs() < 1.1e-2 * peak, "({dx}, {dy}): {model} for {truth}");
    }
    assert!(local.ellipticity().0.hypot(local.ellipticity().1) < 5e-3);
}

#[test]
fn fluxes_and_positions_scatter_as_their_errors_say() {
    let (stars, level2) = made();
    let psf = level2.psf.as_ref().unwrap();
    let (mut flux, mut place) = (Vec::new(), Vec::new());
    for &(x, y, f) in &stars {
        let local = psf.at(x, y);
        let forced = fit(&level2.frame, &local, x, y, f, &FitOptions { forced: true, ..FitOptions::default() }).unwrap();
        flux.push((forced.rate - 0.9988 * f) / (forced.rate_error.powi(2) + (2e-3 * f).powi(2)).sqrt());
        let free = nearest(&level2, x, y).1.point.unwrap();
        // 0.003 pixel: the error of the PSF's own centring from about 100 stars of a median error of 0.02 pixel.
        place.push((free.x - x) / free.x_error.hypot(0.003));
        place.push((free.y - y) / free.y_error.hypot(0.003));
    }
    for (name, pulls) in [("flux", flux), ("place", place)] {
        let n = pulls.len() as f64;
        let mean = pulls.iter().sum::<f64>() / n;
        let std = (pulls.iter().map(|p| (p - mean).powi(2)).sum::<f64>() / n).sqrt();
        // 256 stars: errors 0.063 and 0.044 for fluxes, 0.044 and 0.031 for positions; 4 sigma.
        assert!(mean.abs() < 4.0 / n.sqrt(), "{name}: mean {mean}");
        assert!((std - 1.0).abs() < 4.0 / (2.0 * n).sqrt(), "{name}: std {std}");
    }
}

#[test]
fn every_bright_star_is_found_once_and_blank_sky_gives_next_to_nothing() {
    let (stars, level2) = made();
    assert!(stars.iter().all(|&(x, y, _)| nearest(&level2, x, y).0 < 0.5));
    let blank = process(&frame(768, &[]), &Level2Options::default());
    // Expected peaks above 4 sigma of white noise filtered with a Gaussian of sigma 0.85: density of maxima about
    // nu exp(-nu^2 / 2) / ((2 pi)^1.5 2 s^2) with s^2 = 1.44: 3e-5 per pixel, 17 in the frame; 60 is ten sigma above.
    assert!(blank.catalogue.sources.len() < 60, "{} false sources", blank.catalogue.sources.len());
    assert!(blank.psf.is_none(), "no stars, no PSF");
}

#[test]
fn two_blended_stars_are_split_and_one_is_not() {
    let pair = [(100.3, 100.1, 80.0), (105.1, 100.4, 40.0), (180.2, 60.7, 300.0)];
    let level2 = process(&frame(256, &pair), &Level2Options::default());
    for (x, y, _) in pair {
        assert!(nearest(&level2, x, y).0 < 0.8, "({x}, {y}) not found");
    }
    let near = |x: f64, y: f64, r: f64| {
        level2.catalogue.sources.iter().filter(|s| (s.peak.x - x).hypot(s.peak.y - y) < r && s.peak.snr > 6.0).count()
    };
    assert_eq!(near(102.5, 100.0, 12.0), 2);
    assert_eq!(near(180.2, 60.7, 12.0), 1, "noise on the wings of a bright star is no source");
}

#[test]
fn the_sky_under_sources_is_recovered() {
    let (_, level2) = made();
    // Scatter of a cell's mean 0.05 / sqrt(16384) = 0.0004; wings of uncovered light add up to 1 % of the noise.
    assert!((level2.frame.background.level.median() - SKY).abs() < 0.03 * SIGMA);
    assert!((level2.frame.background.sigma.median() - SIGMA).abs() < 0.01 * SIGMA);
}

#[test]
fn one_and_two_threads_give_the_same_bits() {
    let stars = stars(384, 48);
    let frame = frame(384, &stars);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| process(&frame, &Level2Options::default()).catalogue.table(None, Some(25.8)))
    };
    let (one, two) = (format!("{:?}", run(1)), format!("{:?}", run(2)));
    assert!(one == two && one.len() > 10_000);
}

#[test]
fn a_masked_pixel_is_not_used() {
    let stars = [(60.0, 60.0, 100.0)];
    let mut frame = frame(128, &stars);
    let clean = background::measure(&frame, 64, None).level.median();
    for y in 20..40 {
        for x in 80..100 {
            frame.rate[(y, x)] = 1e6;
            frame.weight[(y, x)] = 0.0;
        }
    }
    let level2 = process(&frame, &Level2Options::default());
    assert!((background::measure(&frame, 64, None).level.median() - clean).abs() < 0.01);
    assert!(level2.catalogue.sources.iter().all(|s| !(78.0..102.0).contains(&s.peak.x) || !(18.0..42.0).contains(&s.peak.y)));
}
