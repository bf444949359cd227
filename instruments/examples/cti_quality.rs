//! What the correction of charge transfer leaves of stars: trails, light, centroids and shapes by flux, sky and distance.
//!
//! `cargo run --release -p instruments --example cti_quality [age [read_noise [sky [iterations]]]]`: traps of the survey camera, `age` times those of
//! the reference date (1), read noise 5 electrons, all of three skies, the correction as `reduce` makes it, with the true traps. Frames with and without stars and with
//! and without transfer have the same draws; what is printed are differences of differences, in which most of the noise goes.

use instruments::description::load;
use instruments::effects::cti::Settings;
use instruments::effects::cti::direction::Expected;
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
}

impl Device {
    fn read(&self, pixels: &mut Array2<f32>) {
        for (y, mut row) in pixels.rows_mut().into_iter().enumerate() {
            if let Some(row) = row.as_slice_mut() {
                noise::add_normals(&StreamKey::new(2).stream(y as u64), 0, self.read_noise, row);
            }
        }
    }
    fn three(&self, stars: &[(usize, usize)], flux: f64, sky: f32) -> Result<Three, Box<dyn Error>> {
        let mut clean = Array2::from_elem(self.window.shape(), sky);
        for &(x0, y0) in stars {
            for dy in -8..=8_i64 {
                for dx in -8..=8_i64 {
                    let (x, y) = ((x0 as i64 + dx) as usize, (y0 as i64 + dy) as usize);
                    let r2 = (dx * dx + dy * dy) as f64;
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
        entry.twin.correction(&knowledge).ok_or("no twin")??.correct(&mut frame)?;
        Ok(Three { clean, spoilt, corrected: frame.pixels })
    }
}

/// Sums over the stars of a quarter of the distances: without the correction and with it.
#[derive(Default, Clone, Copy)]
struct Sums {
    light: f64,
    squared: f64,
    trail: f64,
    y: f64,
    e: f64,
}

/// Moments under a Gaussian weight of twice the star's variance: sums of 1, y, y^2 - x^2, y^2 + x^2.
type Moments = [f64; 4];

impl Sums {
    /// Adds a star whose change and own light at an offset (y away from the register) are `at`.
    fn add(&mut self, at: impl Fn(i64, i64) -> (f64, f64)) {
        let (mut light, mut star, mut changed): (f64, Moments, Moments) = (0.0, [0.0; 4], [0.0; 4]);
        for dy in -8..=TRAIL as i64 {
            for dx in -5..=5_i64 {
                let (change, own) = at(dy, dx);
                let (y, x) = (dy as f64, dx as f64);
                let r2 = y * y + x * x;
                light += if r2 <= RADIUS * RADIUS { change } else { 0.0 };
                self.trail += if dy >= 5 && dx.abs() <= 3 { change } else { 0.0 };
                let weight = (-0.25 * r2 / (SIGMA * SIGMA)).exp();
                for (k, moment) in [1.0, y, y * y - x * x, r2].into_iter().enumerate() {
                    star[k] += weight * moment * own;
                    changed[k] += weight * moment * (own + change);
                }
            }
        }
        self.light += light;
        self.squared += light * light;
        // A Gaussian under a weight of twice its variance shows two thirds of a shift.
        self.y += 1.5 * (changed[1] / changed[0] - star[1] / star[0]);
        self.e += changed[2] / changed[3] - star[2] / star[3];
    }
}

/// Stars in rows that no trail of another reaches, mirrored in the upper half.
fn places(window: Window) -> Vec<(usize, usize)> {
    let mut stars = Vec::new();
    for y in (40..window.ny / 2 - TRAIL - 52).step_by(APART.1) {
        for x in (12..COLUMNS - 10).step_by(APART.0) {
            let y = y + (x * 7) % 40;
            stars.push((x, y));
            stars.push((x, window.ny - 1 - y));
        }
    }
    stars
}

fn scatter(a: &Array2<f32>, b: &Array2<f32>) -> f64 {
    (a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64).sqrt()
}

fn one_sky(device: &Device, sky: f32) -> Result<(), Box<dyn Error>> {
    let blank = device.three(&[], 0.0, sky)?;
    let flat = Array2::from_elem(device.window.shape(), sky);
    println!(
        "sky {sky}: blank scatters by {:.2} without transfer, {:.2} with, {:.2} corrected; {:.2} -> {:.2} from the first",
        scatter(&blank.clean, &flat),
        scatter(&blank.spoilt, &flat),
        scatter(&blank.corrected, &flat),
        scatter(&blank.spoilt, &blank.clean),
        scatter(&blank.corrected, &blank.clean)
    );
    println!("    flux   rows |  light before       after    error | centroid    after | ellipt.    after |  trail e-  left %");
    let stars = places(device.window);
    let half = device.window.ny / 2;
    for flux in [100.0, 300.0, 1000.0, 1e4, 1e5] {
        let three = device.three(&stars, flux, sky)?;
        for quarter in 0..4 {
            let mut sums = [Sums::default(); 2];
            let mut count = 0.0;
            for &(x, y) in &stars {
                let up = y < half;
                let distance = if up { y } else { device.window.ny - 1 - y };
                if distance * 4 / half != quarter {
                    continue;
                }
                count += 1.0;
                for (sum, (image, base)) in sums.iter_mut().zip([(&three.spoilt, &blank.spoilt), (&three.corrected, &blank.corrected)]) {
                    sum.add(|dy, dx| {
                        let row = if up { y as i64 + dy } else { y as i64 - dy };
                        let i = [row as usize, (x as i64 + dx) as usize];
                        let own = f64::from(three.clean[i] - blank.clean[i]);
                        (f64::from(image[i] - base[i]) - own, own)
                    });
                }
            }
            let [before, after] = sums;
            let mean = after.light / count;
            let error = ((after.squared / count - mean * mean).max(0.0) / count).sqrt();
            println!(
                "  {flux:6.0}  {:5} | {:+9.2} %  {:+8.2} %  {:5.2} % | {:+7.4}  {:+7.4} | {:+6.4}  {:+7.4} | {:8.1}  {:6.2}",
                half * (2 * quarter + 1) / 8,
                100.0 * before.light / count / flux,
                100.0 * mean / flux,
                100.0 * error / flux,
                before.y / count,
                after.y / count,
                before.e / count,
                after.e / count,
                before.trail / count,
                100.0 * after.trail / before.trail
            );
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
    let given: Vec<f64> = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let number = |k: usize, other: f64| given.get(k).copied().unwrap_or(other);
    let mut instrument = load("msc")?;
    let mut spec = instrument.detectors.remove(&8).ok_or("no detector 8")?;
    let settings = Settings::read(&spec)?;
    let mjd = 65_235.0 - 3652.5 * (1.0 - number(0, 1.0));
    let [parallel, serial] = settings.at(mjd);
    (spec.geometry.nx, spec.geometry.ny) = (COLUMNS, 9232);
    spec.geometry.amplifiers = AmplifierGrid { columns: 2, rows: 2, ..spec.geometry.amplifiers };
    let window = spec.geometry.full_window();
    let device = Device {
        layout: ReadoutLayout::new(&spec.geometry, window, Scans::Full),
        window,
        parallel: Expected::new(&parallel, Steps::Blocks(20)),
        serial: Expected::new(&serial, Steps::Blocks(4)),
        traps: settings.knowledge(mjd, number(3, 1.0) as usize),
        read_noise: number(1, 5.0) as f32,
    };
    let skies = given.get(2).map_or(vec![3.6, 30.0, 200.0], |&sky| vec![sky as f32]);
    skies.into_iter().try_for_each(|sky| one_sky(&device, sky))
}
