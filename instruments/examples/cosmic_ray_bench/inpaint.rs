//! What replacing pixels does to stars.

use crate::arguments::Arguments;
use crate::scene::{Bench, Scene};
use instruments::effects::cosmic_rays::laplacian::inpaint::{Replacement, replace};
use ndarray::Array2;
use sim_core::frame::Window;
use std::error::Error;

/// Stars on sky, a hit's pixel on the peak or beside it, replaced; flux in 5 x 5 pixels before and after.
pub fn inpainting(_: &Arguments) -> Result<(), Box<dyn Error>> {
    let window = Window { x0: 4000, y0: 3900, nx: 1024, ny: 1024 };
    let plain = Scene::all().swap_remove(0);
    let scene = Scene { name: "stars".into(), stars_per_arcmin2: 100.0, galaxies_per_arcmin2: 0.0, ..plain };
    let light = Bench::new(scene, None)?.sources(5, window)?;
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
    Ok(())
}

