//! What replacing pixels does to stars and galaxies.
//!
//! First noiseless stars with given pixels replaced; then frames with hits, flagged by the network and replaced: sources whose aperture
//! holds a true pixel, their flux beside the expected one, in units of the error that shot and read noise leave, by kind of source, signal
//! to noise, and distance of the nearest true pixel from the core.

use crate::arguments::Arguments;
use crate::bench::Bench;
use crate::made::{READ_NOISE, make};
use crate::replaced::{Replacement, replace};
use crate::scene::Scene;
use instruments::effects::cosmic_rays::network::{self, Look, Weights};
use instruments::effects::cosmic_rays::smooth_fill::{self, Prior};
use ndarray::Array2;
use sim_core::frame::Window;
use std::error::Error;
use validate::measures::cosmic_rays::PRIMARY;

/// Half the side of the aperture \[pixel\].
const HALF: usize = 3;

/// How pixels are replaced.
#[derive(Clone, Copy, Debug)]
enum How {
    /// Not at all.
    Left,
    Neighbours(Replacement),
    /// Gaussian process of that length.
    Smooth(f32),
    /// On the star that fits best.
    Star(f32),
    /// The same, and pixels beside flagged ones say nothing.
    StarApart(f32),
}

fn replaced(image: &Array2<f32>, mask: &Array2<bool>, how: How) -> Result<Array2<f32>, Box<dyn Error>> {
    let mut pixels = image.clone();
    let mut variance = image.mapv(|v| v.max(0.0) + READ_NOISE * READ_NOISE);
    let (ny, nx) = mask.dim();
    match how {
        How::Left => {}
        How::Neighbours(how) => {
            let flat: Vec<bool> = mask.iter().copied().collect();
            replace(pixels.as_slice_mut().ok_or("not one slice")?, nx, &flat, how);
        }
        How::Smooth(length) | How::Star(length) => {
            let prior = if matches!(how, How::Star(_)) { Prior::Star } else { Prior::Smooth };
            smooth_fill::fill(&mut pixels, &mut variance, mask, &Array2::from_elem((ny, nx), false), length, prior);
        }
        How::StarApart(length) => {
            let beside = Array2::from_shape_fn((ny, nx), |(y, x)| {
                let around = [(y.wrapping_sub(1), x), (y + 1, x), (y, x.wrapping_sub(1)), (y, x + 1)];
                around.iter().any(|at| mask.get(*at).copied().unwrap_or(false))
            });
            smooth_fill::fill(&mut pixels, &mut variance, mask, &beside, length, Prior::Star);
        }
    }
    Ok(pixels)
}

/// One hit source, replaced in every way: distance of the hit from the core, flux over its error, and (flux - expected) / error of each way.
struct Source {
    distance: f64,
    signal_to_noise: f64,
    pulls: Vec<f64>,
}

fn pulls(bench: &Bench, weights: &Weights, seeds: std::ops::Range<u64>, ways: &[How]) -> Result<Vec<Source>, Box<dyn Error>> {
    let window = Window { x0: 4000, y0: 3900, nx: 1024, ny: 1024 };
    let mut found = Vec::new();
    for id in seeds {
        let made = make(bench, id, window)?;
        let flagged = network::detect(&made.field(), weights, weights.threshold_logit, Look::Triggered);
        let mask = Array2::from_shape_vec(made.data.dim(), flagged)?;
        let images = ways.iter().map(|how| replaced(&made.data, &mask, *how)).collect::<Result<Vec<_>, _>>()?;
        for y in 8..window.ny - 8 {
            for x in 8..window.nx - 8 {
                let v = made.sources[(y, x)];
                if v < 20.0 || (0..49).any(|k| made.sources[(y + k / 7 - 3, x + k % 7 - 3)] > v) {
                    continue;
                }
                let aperture = (y - HALF..=y + HALF).flat_map(|v| (x - HALF..=x + HALF).map(move |u| (v, u)));
                let is_true = |at: &(usize, usize)| PRIMARY.holds(made.electrons[*at], made.noise[*at]);
                let away = |at: (usize, usize)| ((at.0.abs_diff(y).pow(2) + at.1.abs_diff(x).pow(2)) as f64).sqrt();
                let distance = aperture.clone().filter(is_true).map(away).fold(f64::INFINITY, f64::min);
                if distance.is_infinite() || aperture.clone().any(|at| made.out[at]) {
                    continue;
                }
                let sum = |image: &Array2<f32>| aperture.clone().map(|at| f64::from(image[at])).sum::<f64>();
                let (expected, flux) = (sum(&made.expected), sum(&made.sources));
                let error = aperture.clone().map(|at| f64::from(made.noise[at]).powi(2)).sum::<f64>().sqrt();
                if flux < 10.0 * error {
                    continue;
                }
                found.push(Source {
                    distance,
                    signal_to_noise: flux / error,
                    pulls: images.iter().map(|image| (sum(image) - expected) / error).collect(),
                });
            }
        }
    }
    Ok(found)
}

fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get((q * values.len().saturating_sub(1) as f64).round() as usize).copied().unwrap_or(f64::NAN)
}

fn table(kind: &str, sources: &[Source], ways: &[How]) {
    for (signal, low, high) in [("10 to 50", 10.0, 50.0), ("above 50", 50.0, f64::INFINITY)] {
        for (place, near, far) in
            [("core", 0.0, 0.9), ("1-1.5 px", 0.9, 1.6), ("2-2.9 px", 1.6, 2.9), ("3 px and more", 2.9, f64::INFINITY)]
        {
            let chosen: Vec<&Source> =
                sources.iter().filter(|s| (low..high).contains(&s.signal_to_noise) && (near..far).contains(&s.distance)).collect();
            let mut cells = String::new();
            for k in 0..ways.len() {
                let mut values: Vec<f64> = chosen.iter().map(|s| s.pulls[k]).collect();
                let mut shares: Vec<f64> = chosen.iter().map(|s| 100.0 * s.pulls[k] / s.signal_to_noise).collect();
                let n = values.len() as f64;
                let half = 0.5 * (quantile(&mut values, 0.84) - quantile(&mut values, 0.16));
                let error = 1.25 * half / n.sqrt();
                cells += &format!(" {:+.2} +- {error:.2}, {:.2}; {:+.2} % |", quantile(&mut values, 0.5), half, quantile(&mut shares, 0.5));
            }
            println!("| {kind}, {signal} | {place} | {} |{cells}", chosen.len());
        }
    }
}

/// Stars on sky, a hit's pixel on the peak or beside it, replaced; flux in 5 x 5 pixels before and after.
pub fn inpainting(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let window = Window { x0: 4000, y0: 3900, nx: 1024, ny: 1024 };
    let plain = Scene::all().swap_remove(0);
    let scene = Scene { name: "stars".into(), stars_per_arcmin2: 100.0, galaxies_per_arcmin2: 0.0, ..plain };
    let light = Bench::new(scene.clone(), None)?.sources(5, window)?;
    let mut peaks = Vec::new();
    for y in 8..window.ny - 8 {
        for x in 8..window.nx - 8 {
            let v = light[(y, x)];
            let others = (0..225).map(|k| (y + k / 15 - 7, x + k % 15 - 7)).filter(|p| *p != (y, x));
            if v > 300.0 && v < 60_000.0 && others.into_iter().all(|p| light[p] < v && light[p] < 2.0 * v) {
                peaks.push((y, x));
            }
        }
    }
    let neighbours = [How::Neighbours(Replacement::Median), How::Neighbours(Replacement::Weighted(0.9))];
    let smooth = [1.05, 1.2, 1.35].into_iter().flat_map(|l| [How::Smooth(l), How::Star(l)]);
    println!("flux of {} stars in 5 x 5 pixels after replacing noiseless pixels of the star itself:", peaks.len());
    for (label, offsets) in [
        ("the peak", &[(0, 0)][..]),
        ("one beside the peak", &[(0, 1)]),
        ("three in a row over the peak", &[(0, -1), (0, 0), (0, 1)]),
        ("four: the peak and a corner", &[(0, 0), (0, 1), (1, 0), (1, 1)]),
        ("two pixels from the peak", &[(2, 0)]),
    ] {
        for how in neighbours.into_iter().chain(smooth.clone()) {
            let mut mask = Array2::from_elem(light.dim(), false);
            for &(y, x) in &peaks {
                for &(dy, dx) in offsets {
                    mask[((y as i64 + dy) as usize, (x as i64 + dx) as usize)] = true;
                }
            }
            let pixels = replaced(&light, &mask, how)?;
            let sum =
                |a: &Array2<f32>, (y, x): (usize, usize)| -> f64 { (0..25).map(|k| f64::from(a[(y + k / 5 - 2, x + k % 5 - 2)])).sum() };
            let mut change: Vec<f64> = peaks.iter().map(|&p| 100.0 * (sum(&pixels, p) / sum(&light, p) - 1.0)).collect();
            let [low, middle, high] = [0.16, 0.5, 0.84].map(|q| quantile(&mut change, q));
            println!("  {label:30} {how:?}: median {middle:+.1} %, 16-84 % {low:+.1} to {high:+.1} %");
        }
    }
    let (seed, frames) = (arguments.number("seed", 5000.0)? as u64, arguments.number("frames", 8.0)? as u64);
    let length = arguments.number("length", f64::from(smooth_fill::LENGTH_PX))? as f32;
    let ways = [How::Left, neighbours[0], neighbours[1], How::Smooth(length), How::Star(length), How::StarApart(length)];
    println!("sources with a true pixel in 7 x 7, found by the network and replaced; hits put beside them; (flux - expected) / error:");
    println!(
        "median +- its error, half of 16-84 %; median change of flux. Left in, median, weighted, smooth, star and smooth, that without pixels beside flags"
    );
    println!("| source, signal / noise | nearest true pixel | sources |{}", ways.map(|w| format!(" {w:?} |")).concat());
    let galaxies = Scene { name: "galaxies".into(), stars_per_arcmin2: 0.0, galaxies_per_arcmin2: 120.0, ..scene.clone() };
    let weights = arguments.weights()?;
    for scene in [scene, galaxies] {
        let kind = scene.name.clone();
        table(
            &kind,
            &pulls(&Bench::new(Scene { beside_stars: 400, beside_electrons: 60.0, ..scene }, None)?, &weights, seed..seed + frames, &ways)?,
            &ways,
        );
    }
    Ok(())
}
