//! Bleeding and the response of the amplifiers on a whole chip: seconds of the processor; and what the twin flags of a bleed.
//!
//! `cargo run --release -p instruments --example bleeding_bench` (one thread).

use instruments::description::{DetectorSpec, load};
use instruments::effects::registry::{self, Entry};
use ndarray::Array2;
use sim_core::correction::Correction;
use sim_core::detector::{ReadoutLayout, Scans};
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::flags::SATURATED;
use sim_core::frame::{Frame, Window};
use sim_core::knowledge::{FullWell, FullWells, Knowledge, Measured};
use sim_core::noise;
use sim_core::plane::{Charge, Counts, Plane};
use sim_core::stream::StreamKey;
use std::error::Error;
use std::sync::Arc;

/// Sky \[electron\].
const SKY: f32 = 30.0;
/// Where the survey camera's converter stops: 65035 ADU at 1.1 electron / ADU.
const CEILING_ELECTRON: f32 = 71_500.0;

/// Seconds this process has used the processor, in ticks of 10 ms.
fn used_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 0.01
}

struct Bench {
    spec: DetectorSpec,
    exposure: Exposure,
    window: Window,
    layout: ReadoutLayout,
}

impl Bench {
    fn new(spec: DetectorSpec, window: Window) -> Self {
        let pointing = Pointing { ra_deg: 0.0, dec_deg: 0.0, rotation_deg: 0.0 };
        let exposure = Exposure { id: 1, kind: ExposureKind::Science, pointing, start_mjd: 61_000.0, time_s: 150.0, sky_electron_s: 0.0 };
        let layout = ReadoutLayout::new(&spec.geometry, window, Scans::Full);
        Self { spec, exposure, window, layout }
    }
    fn apply<P: Plane>(&self, entries: &'static [Entry<P>], name: &str, frame: &mut Frame<P>) -> Result<(f64, f64), Box<dyn Error>> {
        let entry = entries.iter().find(|e| e.name == name).ok_or("no such effect")?;
        let effect = (entry.forward)(&self.spec)?;
        let cx = Context {
            exposure: &self.exposure,
            geometry: &self.spec.geometry,
            layout: &self.layout,
            window: self.window,
            effect: entry.name,
            seed: 1,
            device_seed: self.spec.device_seed,
        };
        let start = used_s();
        let ledger = effect.apply(frame, &cx)?;
        Ok((used_s() - start, ledger.lost))
    }
    /// Sky and stars whose numbers grow as flux to the power -0.75, the faintest of 1e5 electrons.
    fn field(&self, stars: u64, seed: u64) -> Frame<Charge> {
        let (ny, nx) = self.window.shape();
        let mut pixels = Array2::from_elem((ny, nx), SKY);
        for star in 0..stars {
            let stream = StreamKey::new(seed).stream(star);
            let mut u = [0.0; 3];
            noise::uniforms(&stream, 0, &mut u);
            let (cx, cy, flux) = (u[0] * nx as f32, u[1] * ny as f32, 1e5 * (1.0 - u[2]).powf(-1.0 / 0.75).min(1e4));
            // Moffat of beta 3, core 1.6 pixels, to where it falls below an electron.
            let reach = (1.6 * (flux / 4.0).powf(1.0 / 6.0)).min(200.0) as isize + 2;
            for y in (cy as isize - reach).max(0)..(cy as isize + reach).min(ny as isize) {
                for x in (cx as isize - reach).max(0)..(cx as isize + reach).min(nx as isize) {
                    let r2 = (x as f32 - cx).powi(2) + (y as f32 - cy).powi(2);
                    pixels[[y as usize, x as usize]] += flux * 2.0 / (std::f32::consts::PI * 2.56) * (1.0 + r2 / 2.56).powi(-3);
                }
            }
        }
        for (y, mut row) in pixels.rows_mut().into_iter().enumerate() {
            if let Some(row) = row.as_slice_mut() {
                noise::poisson(&StreamKey::new(seed).with_name("photons").stream(y as u64), 0, row);
            }
        }
        Frame::from_pixels(pixels, self.window)
    }
}

fn speed(spec: &DetectorSpec) -> Result<(), Box<dyn Error>> {
    let bench = Bench::new(spec.clone(), spec.geometry.full_window());
    println!("{:<44} {:>8} {:>8} {:>11} {:>12}", "whole chip", "CPU s", "columns", "pixels", "lost e-");
    let report = |name: &str, mut frame: Frame<Charge>| -> Result<(), Box<dyn Error>> {
        let before = frame.pixels.clone();
        let (seconds, lost) = bench.apply(registry::charge(), "bleeding", &mut frame)?;
        let changed =
            frame.pixels.rows().into_iter().zip(before.rows()).fold((vec![false; before.ncols()], 0_usize), |(mut c, n), (a, b)| {
                let mut here = 0;
                for (x, (a, b)) in a.iter().zip(b).enumerate() {
                    if a != b {
                        c[x] = true;
                        here += 1;
                    }
                }
                (c, n + here)
            });
        let columns = changed.0.iter().filter(|c| **c).count();
        println!("{name:<44} {seconds:>8.2} {columns:>8} {:>11} {lost:>12.3e}", changed.1);
        Ok(())
    };
    report("bleeding: nothing above the full well", bench.field(0, 1))?;
    report("bleeding: 300 stars above 1e5 e-", bench.field(300, 2))?;
    report("bleeding: 5000 stars above 1e5 e-", bench.field(5000, 3))?;
    report(
        "bleeding: a flat of twice the full well",
        Frame::from_pixels(Array2::from_elem(bench.window.shape(), 180_000.0), bench.window),
    )?;
    let mut frame = bench.field(300, 2);
    let (seconds, _) = bench.apply(registry::charge(), "full_well", &mut frame)?;
    println!("{:<44} {seconds:>8.2}", "full_well after none");
    let mut knowledge = Knowledge::of_layout(bench.layout.clone(), bench.window, 150.0);
    knowledge.saturation_electron = Some(80_000.0);
    let correction = correction(registry::charge(), "bleeding", &knowledge)?;
    frame.flags = Some(Array2::zeros(bench.window.shape()));
    let start = used_s();
    correction.correct(&mut frame)?;
    println!("{:<44} {:>8.2}", "twin of bleeding", used_s() - start);
    drop(frame);
    let mut counts = Frame::<Counts>::from_pixels(Array2::from_elem((bench.layout.rows, bench.layout.columns), 20_000.0), bench.window);
    let (seconds, _) = bench.apply(registry::counts(), "non_linearity", &mut counts)?;
    println!("{:<44} {seconds:>8.2}", "non_linearity, with scans");
    let full_scale = 65_535.0;
    knowledge.linearity = Some(Arc::new(instruments::effects::non_linearity::knowledge(spec, full_scale)?));
    let correction = self::correction(registry::counts(), "non_linearity", &knowledge)?;
    counts.variance = Some(Array2::from_elem(counts.pixels.dim(), 100.0));
    counts.flags = Some(Array2::zeros(counts.pixels.dim()));
    let start = used_s();
    correction.correct(&mut counts)?;
    println!("{:<44} {:>8.2}", "twin of non_linearity", used_s() - start);
    Ok(())
}

fn correction<P: Plane>(entries: &'static [Entry<P>], name: &str, knowledge: &Knowledge) -> Result<Box<dyn Correction<P>>, Box<dyn Error>> {
    let entry = entries.iter().find(|e| e.name == name).ok_or("no such effect")?;
    Ok(entry.twin.correction(knowledge).ok_or("no twin")??)
}

/// Flags against truth: pixels whose charge bleeding changed by an electron or more.
fn score(spec: &DetectorSpec) -> Result<(), Box<dyn Error>> {
    let window = Window { x0: 1000, y0: 3500, nx: 3072, ny: 2560 };
    let bench = Bench::new(spec.clone(), window);
    println!("\n{:<44} {:>9} {:>9} {:>9} {:>9}", "flags, 3072 x 2560, 600 stars above 1e5 e-", "bled", "missed", "found %", "false");
    for (name, ceiling) in [("level of the full well", f32::INFINITY), ("converter's ceiling at 71,500 e-", CEILING_ELECTRON)] {
        let before = bench.field(600, 7);
        let mut frame = before.clone();
        bench.apply(registry::charge(), "bleeding", &mut frame)?;
        bench.apply(registry::charge(), "full_well", &mut frame)?;
        let moved = Array2::from_shape_fn(window.shape(), |p| (frame.pixels[p] - before.pixels[p]).abs() >= 1.0);
        let clean = frame.pixels.clone();
        for (y, mut row) in frame.pixels.rows_mut().into_iter().enumerate() {
            if let Some(row) = row.as_slice_mut() {
                noise::add_normals(&StreamKey::new(9).stream(y as u64), 0, 5.0, row);
            }
        }
        frame.flags = Some(frame.pixels.mapv(|n| if n >= ceiling { SATURATED } else { 0 }));
        let mut knowledge = Knowledge::of_layout(bench.layout.clone(), window, 150.0);
        if ceiling.is_infinite() {
            // As ramps find it: 90,000 with the scatter of pixels and of the sections of this device.
            let well = FullWell { capacity: Measured { value: 90_000.0, error: 50.0 }, scatter_electron: 450.0 };
            let capacity = instruments::effects::full_well::Capacity::read(spec)?;
            let mut amplifiers = vec![Some(well); bench.layout.amplifier_count];
            for tile in &bench.layout.tiles {
                let at = |k: usize| {
                    capacity.of_pixel(window.x0 + tile.science.x0 + k % tile.science.nx, window.y0 + tile.science.y0 + k / tile.science.nx)
                };
                let mean = (0..1000).map(|k| f64::from(at(k))).sum::<f64>() / 1000.0;
                amplifiers[tile.amplifier] = Some(FullWell { capacity: Measured { value: mean, error: 50.0 }, ..well });
            }
            knowledge.full_wells = Some(Arc::new(FullWells { amplifiers }));
            correction(registry::charge(), "full_well", &knowledge)?.correct(&mut frame)?;
        }
        let alone = frame.flags.clone().ok_or("flags")?;
        correction(registry::charge(), "bleeding", &knowledge)?.correct(&mut frame)?;
        let grown = frame.flags.clone().ok_or("flags")?;
        for (how, flags) in [("alone", alone), ("and one pixel along the column", grown)] {
            let (mut bled, mut missed, mut wrong) = (0, 0, 0);
            for (p, &moved) in moved.indexed_iter() {
                let flagged = flags[p] & SATURATED != 0;
                bled += usize::from(moved);
                missed += usize::from(moved && !flagged);
                wrong += usize::from(!moved && flagged && clean[p] < ceiling);
            }
            let found = 100.0 * (1.0 - missed as f64 / f64::from(bled as u32));
            println!("{:<44} {bled:>9} {missed:>9} {found:>9.3} {wrong:>9}", format!("{name} {how}"));
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
    let instrument = load("msc")?;
    let spec = instrument.detectors.get(&7).ok_or("msc has chip 7")?;
    speed(spec)?;
    score(spec)
}
