//! What replacing pixels does to stars and galaxies.
//!
//! First noiseless stars with given pixels replaced; then frames with hits, flagged by the network and replaced: sources whose aperture
//! holds a true pixel, their flux beside the expected one, in units of the error that shot and read noise leave.

use crate::arguments::Arguments;
use crate::made::make;
use crate::scene::{Bench, Scene};
use instruments::effects::cosmic_rays::laplacian::inpaint::{Replacement, replace};
use instruments::effects::cosmic_rays::network::{self, Look, Weights};
use ndarray::Array2;
use sim_core::frame::Window;
use std::error::Error;
use validate::measures::cosmic_rays::PRIMARY;

/// Half the side of the aperture \[pixel\].
const HALF: usize = 3;

fn pulls(bench: &Bench, weights: &Weights, seeds: std::ops::Range<u64>) -> Result<(), Box<dyn Error>> {
    let window = Window { x0: 4000, y0: 3900, nx: 1024, ny: 1024 };
    // By signal to noise of the source: 10 to 50, above; hits left in, replaced in two ways.
    let labels = ["hits left in", "median", "weighted"];
    let mut found: [[Vec<(f64, f64)>; 3]; 2] = Default::default();
    for id in seeds {
        let made = make(bench, id, window)?;
        let mask = network::detect(&made.field(), weights, weights.threshold_logit, Look::Triggered);
        let mut images = vec![made.data.clone()];
        for how in [Replacement::Median, Replacement::Weighted(0.9)] {
            let mut pixels = made.data.clone();
            replace(pixels.as_slice_mut().ok_or("not one slice")?, window.nx, &mask, how);
            images.push(pixels);
        }
        for y in 8..window.ny - 8 {
            for x in 8..window.nx - 8 {
                let v = made.sources[(y, x)];
                if v < 20.0 || (0..49).any(|k| made.sources[(y + k / 7 - 3, x + k % 7 - 3)] > v) {
                    continue;
                }
                let aperture = (y - HALF..=y + HALF).flat_map(|v| (x - HALF..=x + HALF).map(move |u| (v, u)));
                let is_true = |at: &(usize, usize)| PRIMARY.holds(made.electrons[*at], made.noise[*at]);
                if !aperture.clone().any(|at| is_true(&at)) || aperture.clone().any(|at| made.out[at]) {
                    continue;
                }
                let sum = |image: &Array2<f32>| aperture.clone().map(|at| f64::from(image[at])).sum::<f64>();
                let (expected, flux) = (sum(&made.expected), sum(&made.sources));
                let error = aperture.clone().map(|at| f64::from(made.noise[at]).powi(2)).sum::<f64>().sqrt();
                if flux < 10.0 * error {
                    continue;
                }
                for (list, image) in found[usize::from(flux > 50.0 * error)].iter_mut().zip(&images) {
                    list.push(((sum(image) - expected) / error, (sum(image) - expected) / flux));
                }
            }
        }
    }
    for (class, lists) in ["10 to 50", "above 50"].iter().zip(&mut found) {
        for (label, list) in labels.iter().zip(lists) {
            let n = list.len();
            let mut at = |q: f64, of: fn(&(f64, f64)) -> f64| {
                list.sort_by(|a, b| of(a).total_cmp(&of(b)));
                list.get((q * n.saturating_sub(1) as f64) as usize).map_or(f64::NAN, of)
            };
            let [low, middle, high] = [0.16, 0.5, 0.84].map(|q| at(q, |v| v.0));
            let fraction = 100.0 * at(0.5, |v| v.1);
            let mean = list.iter().map(|v| v.0).sum::<f64>() / n as f64;
            println!(
                "  {} SNR {class:8} ({n:4} hit) {label:12}: bias/error median {middle:+8.2}, mean {mean:+9.2}, 16-84 % {low:+7.2} to {high:+8.2}; flux {fraction:+.2} %",
                bench.scene.name
            );
        }
    }
    Ok(())
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
    println!("flux of {} stars in 5 x 5 pixels after replacing noiseless pixels of the star itself:", peaks.len());
    for (label, offsets) in [
        ("the peak", &[(0, 0)][..]),
        ("one beside the peak", &[(0, 1)]),
        ("three in a row over the peak", &[(0, -1), (0, 0), (0, 1)]),
        ("two pixels from the peak", &[(2, 0)]),
    ] {
        for how in [Replacement::Median, Replacement::Weighted(0.9)] {
            let mut pixels = light.clone();
            let mut mask = vec![false; pixels.len()];
            for &(y, x) in &peaks {
                for &(dy, dx) in offsets {
                    mask[((y as i64 + dy) as usize) * window.nx + (x as i64 + dx) as usize] = true;
                }
            }
            replace(pixels.as_slice_mut().ok_or("not one slice")?, window.nx, &mask, how);
            let sum =
                |a: &Array2<f32>, (y, x): (usize, usize)| -> f64 { (0..25).map(|k| f64::from(a[(y + k / 5 - 2, x + k % 5 - 2)])).sum() };
            let mut change: Vec<f64> = peaks.iter().map(|&p| sum(&pixels, p) / sum(&light, p) - 1.0).collect();
            change.sort_by(f64::total_cmp);
            let at = |q: f64| 100.0 * change[(q * (change.len() - 1) as f64) as usize];
            println!("  {label:30} {how:?}: median {:+.1} %, 16-84 % {:+.1} to {:+.1} %", at(0.5), at(0.16), at(0.84));
        }
    }
    let (seed, frames) = (arguments.number("seed", 5000.0)? as u64, arguments.number("frames", 8.0)? as u64);
    println!("sources with a true pixel in 7 x 7, found by the network and replaced; rate 5 events/cm2/s:");
    let galaxies = Scene { name: "galaxies".into(), stars_per_arcmin2: 0.0, galaxies_per_arcmin2: 120.0, ..scene.clone() };
    let weights = arguments.weights()?;
    for scene in [scene, galaxies] {
        pulls(&Bench::new(scene, Some(5.0))?, &weights, seed..seed + frames)?;
    }
    Ok(())
}
