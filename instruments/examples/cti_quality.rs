//! What the correction of charge transfer leaves of stars: trails, light, centroids and shapes by flux, sky and distance.
//!
//! `cargo run --release -p instruments --example cti_quality [age [read_noise]]`: traps of the survey camera, `age` times those of the
//! reference date (1), read noise 5 electrons, the correction as `reduce` makes it, with the true traps. Frames with and without stars and with
//! and without transfer have the same draws; what is printed are differences of differences, in which most of the noise goes.

use instruments::description::load;
use instruments::effects::cti::Settings;
use instruments::effects::cti::direction::{Expected, Path};
use instruments::effects::cti::frame::{self, Directions};
use instruments::effects::cti::schedule::Steps;
use instruments::effects::registry;
use ndarray::Array2;
use sim_core::detector::{AmplifierGrid, ReadoutLayout, Scans};
use sim_core::frame::{Frame, Window};
use sim_core::knowledge::{Knowledge, TrapKnowledge};
use sim_core::noise;
use sim_core::plane::Charge;
use sim_core::stream::StreamKey;
use std::error::Error;
use std::sync::Arc;

const COLUMNS: usize = 256;
const SIGMA: f64 = 1.0;
const APART: (usize, usize) = (16, 150);
const TRAIL: usize = 60;
const RADIUS: f64 = 5.0;

struct Device {
    layout: ReadoutLayout,
    window: Window,
    parallel: Expected,
    serial: Expected,
    traps: TrapKnowledge,
    read_noise: f32,
}

/// The same draws of shot noise whatever the mean: quantiles of one uniform number per pixel.
fn shot(pixels: &mut Array2<f32>) {
    for (y, mut row) in pixels.rows_mut().into_iter().enumerate() {
        if let Some(row) = row.as_slice_mut() {
            noise::poisson(&StreamKey::new(1).stream(y as u64), 0, row);
        }
    }
}

/// Frames without transfer, with it, and corrected.
struct Three {
    clean: Array2<f32>,
    spoilt: Array2<f32>,
    corrected: Array2<f32>,
    seconds: f64,
}

impl Device {
    fn read(&self, pixels: &mut Array2<f32>) {
        for (y, mut row) in pixels.rows_mut().into_iter().enumerate() {
            if let Some(row) = row.as_slice_mut() {
                noise::add_normals(&StreamKey::new(2).stream(y as u64), 0, self.read_noise, row);
            }
        }
    }
    fn three(&self, stars: &[(f64, f64)], flux: f64, sky: f32) -> Result<Three, Box<dyn Error>> {
        let mut clean = Array2::from_elem(self.window.shape(), sky);
        for &(x0, y0) in stars {
            for dy in -8..=8 {
                for dx in -8..=8 {
                    let (x, y) = ((x0 as i64 + dx) as usize, (y0 as i64 + dy) as usize);
                    let r2 = (x as f64 - x0).powi(2) + (y as f64 - y0).powi(2);
                    let light = flux / (2.0 * std::f64::consts::PI * SIGMA * SIGMA) * (-0.5 * r2 / (SIGMA * SIGMA)).exp();
                    clean[[y, x]] += light as f32;
                }
            }
        }
        shot(&mut clean);
        clean.mapv_inplace(|v| v.min(84_000.0));
        let mut spoilt = clean.clone();
        let directions = Directions { parallel: &self.parallel, serial: &self.serial };
        frame::forward(&mut spoilt, &self.layout, self.window, &directions);
        if self.read_noise > 0.0 {
            self.read(&mut clean);
            self.read(&mut spoilt);
        }
        let mut knowledge = Knowledge::of_layout(self.layout.clone(), self.window, 150.0);
        knowledge.traps = Some(Arc::new(self.traps.clone()));
        let entry = registry::charge().iter().find(|e| e.name == "cti").ok_or("no cti")?;
        let mut frame = Frame::<Charge>::from_pixels(spoilt.clone(), self.window);
        frame.variance = (self.read_noise > 0.0).then(|| Array2::from_elem(spoilt.dim(), self.read_noise * self.read_noise));
        let started = std::time::Instant::now();
        entry.twin.correction(&knowledge).ok_or("no twin")??.correct(&mut frame)?;
        Ok(Three { clean, spoilt, corrected: frame.pixels, seconds: started.elapsed().as_secs_f64() })
    }
}

#[derive(Default, Clone, Copy)]
struct Sums {
    flux: f64,
    y: f64,
    e: f64,
    trail: f64,
    squared: f64,
    count: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
    let number = |k: usize, other: f64| std::env::args().nth(k).map_or(Ok(other), |text| text.parse());
    let (age, read_noise) = (number(1, 1.0)?, number(2, 5.0)? as f32);
    let only: Option<f64> = std::env::args().nth(3).map(|t| t.parse()).transpose()?;
    let mut instrument = load("msc")?;
    let mut spec = instrument.detectors.remove(&8).ok_or("no detector 8")?;
    let settings = Settings::read(&spec)?;
    let mjd = 65_235.0 - 3652.5 * (1.0 - age);
    let [parallel, serial] = settings.at(mjd);
    (spec.geometry.nx, spec.geometry.ny) = (COLUMNS, 9232);
    spec.geometry.amplifiers = AmplifierGrid { columns: 2, rows: 2, ..spec.geometry.amplifiers };
    let window = spec.geometry.full_window();
    let iterations = number(4, 1.0)? as usize;
    let device = Device {
        layout: ReadoutLayout::new(&spec.geometry, window, Scans::Full),
        window,
        parallel: Expected::new(&parallel, Steps::Blocks(20)),
        serial: Expected::new(&serial, Steps::Blocks(4)),
        traps: settings.knowledge(mjd, iterations),
        read_noise,
    };
    let half = window.ny / 2;
    let mut stars = Vec::new();
    for y in (40..half - TRAIL - 12).step_by(APART.1) {
        for x in (12..COLUMNS - 10).step_by(APART.0) {
            let y = y + (x * 7) % 40;
            stars.push((x as f64, y as f64));
            stars.push((x as f64, (window.ny - 1 - y) as f64));
        }
    }
    for sky in [3.6_f32, 30.0, 200.0] {
        if only.is_some_and(|o| (o - f64::from(sky)).abs() > 0.1) {
            continue;
        }
        let control = device.three(&[], 0.0, sky)?;
        let per_pixel = |a: &Array2<f32>| a.iter().zip(&control.clean).map(|(a, b)| f64::from(a - b)).sum::<f64>() / a.len() as f64;
        let rms =
            |a: &Array2<f32>| (a.iter().zip(&control.clean).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64).sqrt();
        println!(
            "sky {sky}, age {age}, read noise {read_noise}: blank: mean {:+.4} -> {:+.4}, rms {:.3} -> {:.3}; correction {:.1} s a chip",
            per_pixel(&control.spoilt),
            per_pixel(&control.corrected),
            rms(&control.spoilt),
            rms(&control.corrected),
            control.seconds * 36.0
        );
        let std = |a: &Array2<f32>| (a.iter().map(|a| (f64::from(*a) - f64::from(sky)).powi(2)).sum::<f64>() / a.len() as f64).sqrt();
        println!(
            "  scatter clean {:.3}, spoilt {:.3}, corrected {:.3}",
            std(&control.clean),
            std(&control.spoilt),
            std(&control.corrected)
        );
        println!(
            "    flux   rows |  aperture before      after       error |  centroid        after | ellipticity     after | trail e-  left %  +-"
        );
        for flux in [300.0, 1000.0, 1e4] {
            let three = device.three(&stars, flux, sky)?;
            for quarter in 0..4 {
                let mut all = [Sums::default(); 2];
                for &(x0, y0) in &stars {
                    let (x0, y0) = (x0 as usize, y0 as usize);
                    let top = y0 >= half;
                    let distance = if top { window.ny - 1 - y0 } else { y0 };
                    if distance * 4 / half != quarter {
                        continue;
                    }
                    for (k, image, base) in [(0, &three.spoilt, &control.spoilt), (1, &three.corrected, &control.corrected)] {
                        let at = |dy: i64, dx: i64| {
                            let y = if top { y0 as i64 - dy } else { y0 as i64 + dy } as usize;
                            let i = [y, (x0 as i64 + dx) as usize];
                            (
                                f64::from(image[i] - three.clean[i]) - f64::from(base[i] - control.clean[i]),
                                f64::from(three.clean[i] - control.clean[i]),
                            )
                        };
                        let (mut change, mut trail) = (0.0, 0.0);
                        let (mut w, mut wy, mut e, mut t) = (0.0, 0.0, 0.0, 0.0);
                        let (mut w1, mut wy1, mut e1, mut t1) = (0.0, 0.0, 0.0, 0.0);
                        for dy in -8..=TRAIL as i64 {
                            for dx in -5..=5_i64 {
                                let r2 = (dy * dy + dx * dx) as f64;
                                let (d, star) = at(dy, dx);
                                if r2 <= RADIUS * RADIUS {
                                    change += d;
                                }
                                if dy >= 5 && dx.abs() <= 3 {
                                    trail += d;
                                }
                                let g = (-0.25 * r2 / (SIGMA * SIGMA)).exp();
                                let (fy, fx) = (dy as f64, dx as f64);
                                (w, wy, e, t) = (
                                    w + g * star,
                                    wy + g * star * fy,
                                    e + g * star * (fy * fy - fx * fx),
                                    t + g * star * (fy * fy + fx * fx),
                                );
                                let n = star + d;
                                (w1, wy1, e1, t1) =
                                    (w1 + g * n, wy1 + g * n * fy, e1 + g * n * (fy * fy - fx * fx), t1 + g * n * (fy * fy + fx * fx));
                            }
                        }
                        let a = &mut all[k];
                        a.flux += change;
                        a.squared += change * change;
                        a.trail += trail;
                        a.count += 1.0;
                        // sums of moments, linear in the counts
                        a.y += 1.5 * (wy1 / w1 - wy / w);
                        a.e += e1 / t1 - e / t;
                    }
                }
                let n = all[0].count;
                let f = |k: usize| all[k].flux / n / flux;
                let error = ((all[1].squared / n - (all[1].flux / n).powi(2)).max(0.0) / n).sqrt() / flux;
                println!(
                    "  {flux:6.0}  {:5} | {:+9.2} %  {:+9.2} %  +- {:6.2} | {:+8.4}  {:+8.4} | {:+8.4}  {:+8.4} | {:8.1}  {:6.2}",
                    half * (2 * quarter + 1) / 8,
                    100.0 * f(0),
                    100.0 * f(1),
                    100.0 * error,
                    all[0].y / n,
                    all[1].y / n,
                    all[0].e / n,
                    all[1].e / n,
                    all[0].trail / n,
                    100.0 * all[1].trail / all[0].trail
                );
            }
        }
    }
    let _ = Path { first: 0, prescan: 0, packets: 0, trailing: 0 };
    Ok(())
}
