//! What charge transfer does to faint stars and galaxies, and what its correction leaves, with traps fitted from flats.
//!
//! `cargo run --release -p reduction --example cti_closure`. A device of 256 columns, two halves of 4616 rows, the traps of the survey
//! camera after ten years. Frames with and without transfer have the same shot and read noise: their difference is the bias, free of
//! most noise. Stars (1000 electrons, sigma 1 pixel) and galaxies (2000 electrons, sigma 2 pixels) are stacked by distance from the
//! register; flux in a radius of 5 pixels, centroid and ellipticity (along columns) with a Gaussian weight of twice their variance.

use instruments::description::load;
use instruments::effects::cti::direction::Expected;
use instruments::effects::cti::frame::{self, Directions};
use instruments::effects::cti::schedule::Steps;
use instruments::effects::cti::traps::{Species, TrapModel};
use instruments::effects::cti::{Settings, quiet};
use instruments::effects::registry;
use ndarray::{Array2, s};
use reduction::injected_lines::Readout;
use reduction::trap_evidence::Readings;
use reduction::trap_fit::TrapOptions;
use sim_core::detector::{AmplifierGrid, ReadoutLayout, Scans};
use sim_core::frame::{Frame, ScanCharge, Window};
use sim_core::knowledge::{EvidenceKind, Knowledge, Measured, TrapKnowledge};
use sim_core::noise;
use sim_core::plane::Charge;
use sim_core::stream::StreamKey;
use std::error::Error;
use std::sync::Arc;

const READ_NOISE: f32 = 5.0;
const MJD: f64 = 65_235.0;
/// Half the side of a stamp, and how far its trail is followed.
const HALF: usize = 12;
const TRAIL: usize = 60;

struct Device {
    layout: ReadoutLayout,
    window: Window,
    parallel: Expected,
    serial: Expected,
}

#[derive(Clone, Copy)]
struct Source {
    x: usize,
    y: usize,
    flux: f64,
    sigma: f64,
}

fn sources(window: Window) -> Vec<Source> {
    let mut all = Vec::new();
    for (j, y) in (60..window.ny - 100).step_by(100).enumerate() {
        for (i, x) in (16..window.nx - 16).step_by(32).enumerate() {
            let (flux, sigma) = if (i + j) % 2 == 0 { (1000.0, 1.0) } else { (2000.0, 2.0) };
            all.push(Source { x, y, flux, sigma });
        }
    }
    all
}

impl Device {
    fn transfer(&self, pixels: &mut Array2<f32>) -> Vec<ScanCharge> {
        let directions = Directions { parallel: &self.parallel, serial: &self.serial };
        frame::forward(pixels, &self.layout, self.window, &directions).1
    }
    fn poisson(pixels: &mut Array2<f32>, id: u64) {
        for (y, mut row) in pixels.rows_mut().into_iter().enumerate() {
            if let Some(row) = row.as_slice_mut() {
                noise::poisson(&StreamKey::new(1).with(id).stream(y as u64), 0, row);
            }
        }
    }
    fn read(pixels: &mut Array2<f32>, id: u64) {
        for (y, mut row) in pixels.rows_mut().into_iter().enumerate() {
            if let Some(row) = row.as_slice_mut() {
                noise::add_normals(&StreamKey::new(2).with(id).stream(y as u64), 0, READ_NOISE, row);
            }
        }
    }
    /// A raw flat: gain 1, no bias.
    fn flat(&self, level: f32, id: u64) -> Array2<f32> {
        let mut charge = Array2::from_elem(self.window.shape(), level);
        Self::poisson(&mut charge, id);
        let scans = self.transfer(&mut charge);
        let mut raw = Array2::zeros((self.layout.rows, self.layout.columns));
        for (tile, scans) in self.layout.tiles.iter().zip(&scans) {
            let (from, to) = (tile.science, tile.raw_science);
            raw.slice_mut(s![to.y0..to.y0 + to.ny, to.x0..to.x0 + to.nx])
                .assign(&charge.slice(s![from.y0..from.y0 + from.ny, from.x0..from.x0 + from.nx]));
            for (rect, part) in [(tile.raw_overscan, &scans.overscan), (tile.raw_overscan_rows, &scans.overscan_rows)] {
                raw.slice_mut(s![rect.y0..rect.y0 + rect.ny, rect.x0..rect.x0 + rect.nx]).assign(part);
            }
        }
        Self::read(&mut raw, id);
        raw
    }
    fn fitted(&self, species: usize) -> Result<(TrapKnowledge, [f64; 2]), Box<dyn Error>> {
        let levels = [30.0_f32, 100.0, 300.0, 1000.0, 4000.0, 16_000.0, 60_000.0];
        let sure = |value: f64| vec![Measured { value, error: 0.0 }; self.layout.amplifier_count];
        let (gain, read_noise) = (sure(1.0), sure(f64::from(READ_NOISE)));
        let readout = Readout { layout: &self.layout, bias: None, zero: &[], gain: &gain, read_noise: &read_noise };
        let mut readings = Readings::of_layout(&self.layout);
        levels.iter().zip(100..).for_each(|(&level, id)| readings.add_flat(&self.flat(level, id), &readout));
        let options = TrapOptions { species: [species, 2], full_well_electron: 84_700.0, notch_electron: 0.0, blocks: 6, iterations: 1 };
        let found = readings.combine(&options, &|kind| kind == EvidenceKind::FlatTrails)?;
        Ok((found.traps, found.fits.map(|fit| fit.map_or(f64::NAN, |fit| fit.reduced_chi2))))
    }
}

/// Mean stamp of sources, turned so that charge moves down.
fn stack(pixels: &Array2<f32>, chosen: &[Source], half: usize) -> Array2<f64> {
    let mut sum = Array2::<f64>::zeros((HALF + TRAIL + 1, 2 * HALF + 1));
    for source in chosen {
        for ((k, i), to) in sum.indexed_iter_mut() {
            let y = if source.y < half { source.y + k - HALF } else { source.y + HALF - k };
            *to += f64::from(pixels[[y, source.x + i - HALF]]) / chosen.len() as f64;
        }
    }
    sum
}

/// Flux, centroid and ellipticity along the columns.
fn shape(stamp: &Array2<f64>, sigma: f64) -> (f64, f64, f64) {
    let (mut flux, mut w0, mut wy, mut wyy, mut wxx) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for ((k, i), &value) in stamp.slice(s![..=2 * HALF, ..]).indexed_iter() {
        let (x, y) = (i as f64 - HALF as f64, k as f64 - HALF as f64);
        let r2 = x * x + y * y;
        let weighted = value * (-r2 / (4.0 * sigma * sigma)).exp();
        flux += if r2 <= 25.0 { value } else { 0.0 };
        w0 += weighted;
        wy += weighted * y;
        wyy += weighted * y * y;
        wxx += weighted * x * x;
    }
    // A Gaussian under a weight of twice its variance has two thirds of its variance, and two thirds of its shift.
    (flux, 1.5 * wy / w0, (wyy - wxx) / (wyy + wxx))
}

fn rms(a: &Array2<f32>, b: &Array2<f32>) -> f64 {
    (a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64).sqrt()
}

fn correct(device: &Device, traps: &TrapKnowledge, pixels: &Array2<f32>, with_noise: bool) -> Result<Frame<Charge>, Box<dyn Error>> {
    let mut knowledge = Knowledge::of_layout(device.layout.clone(), device.window, 150.0);
    knowledge.traps = Some(Arc::new(traps.clone()));
    let entry = registry::charge().iter().find(|e| e.name == "cti").ok_or("no cti")?;
    let mut frame = Frame::<Charge>::from_pixels(pixels.clone(), device.window);
    frame.variance = with_noise.then(|| Array2::from_elem(pixels.dim(), READ_NOISE * READ_NOISE));
    entry.twin.correction(&knowledge).ok_or("no twin")??.correct(&mut frame)?;
    Ok(frame)
}

fn closure(name: &str, device: &Device, traps: &TrapKnowledge, sky: f32) -> Result<(), Box<dyn Error>> {
    let all = sources(device.window);
    let mut clean = Array2::from_elem(device.window.shape(), sky);
    for source in &all {
        for dy in 0..=2 * HALF {
            for dx in 0..=2 * HALF {
                let r2 = (dx as f64 - HALF as f64).powi(2) + (dy as f64 - HALF as f64).powi(2);
                let s2 = source.sigma * source.sigma;
                let light = source.flux / (2.0 * std::f64::consts::PI * s2) * (-0.5 * r2 / s2).exp();
                clean[[source.y + dy - HALF, source.x + dx - HALF]] += light as f32;
            }
        }
    }
    Device::poisson(&mut clean, 7);
    let mut charge = clean.clone();
    device.transfer(&mut charge);
    let (mut spoilt, mut wanted) = (charge.clone(), clean.clone());
    Device::read(&mut spoilt, 7);
    Device::read(&mut wanted, 7);
    let frame = correct(device, traps, &spoilt, true)?;
    let direct = correct(device, traps, &spoilt, false)?;
    // Noise of the correction: against the correction of the same charge without read noise.
    let quiet_frame = correct(device, traps, &charge, false)?;
    let estimate = quiet::estimate(&spoilt, &Array2::from_elem(spoilt.dim(), READ_NOISE * READ_NOISE));
    let predicted = frame.variance.as_ref().map_or(0.0, |v| v.iter().map(|&v| f64::from(v)).sum::<f64>() / v.len() as f64).sqrt();
    println!(
        "{name}, sky {sky}: rms from the frame without transfer: spoilt {:.3}, corrected {:.3}, without the remedy {:.3}",
        rms(&spoilt, &wanted),
        rms(&frame.pixels, &wanted),
        rms(&direct.pixels, &wanted)
    );
    println!(
        "  read noise {:.2}; after the correction without the remedy {:.2}; ERR with the remedy {:.2}, of the charge itself {:.2}; estimate {:.2}",
        rms(&spoilt, &charge),
        rms(&direct.pixels, &quiet_frame.pixels),
        predicted,
        rms(&frame.pixels, &clean),
        rms(&estimate, &charge)
    );
    let half = device.window.ny / 2;
    for (kind, sigma) in [("star", 1.0), ("galaxy", 2.0)] {
        for quarter in 0..4 {
            let distance = |source: &Source| if source.y < half { source.y } else { device.window.ny - 1 - source.y };
            let inside = |s: &&Source| s.sigma == sigma && distance(s) * 4 / half == quarter && distance(s) + TRAIL + 1 < half;
            let chosen: Vec<Source> = all.iter().filter(inside).copied().collect();
            let minus = |pixels: &Array2<f32>| stack(pixels, &chosen, half) - stack(&wanted, &chosen, half);
            let reference = stack(&wanted, &chosen, half) - f64::from(sky);
            let (flux, y, e) = shape(&reference, sigma);
            let report = |pixels: &Array2<f32>| {
                let change = minus(pixels);
                let (f, c, g) = shape(&(&reference + &change), sigma);
                let trail: f64 = change.slice(s![HALF + 5.., HALF - 2..=HALF + 2]).sum();
                (f / flux - 1.0, c - y, g - e, trail)
            };
            let (before, after, bare) = (report(&spoilt), report(&frame.pixels), report(&direct.pixels));
            println!(
                "  {kind} {:4}: flux {:+.4} -> {:+.4} (bare {:+.4}), centroid {:+.4} -> {:+.4}, ellipticity {:+.4} -> {:+.4}, trail {:.1} -> {:.2} (removed {:.1} %)",
                half * (2 * quarter + 1) / 8,
                before.0,
                after.0,
                bare.0,
                before.1,
                after.1,
                before.2,
                after.2,
                before.3,
                after.3,
                100.0 * (1.0 - after.3 / before.3)
            );
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut instrument = load("msc")?;
    let mut spec = instrument.detectors.remove(&8).ok_or("no detector 8")?;
    let [parallel, serial] = Settings::read(&spec)?.at(MJD);
    (spec.geometry.nx, spec.geometry.ny) = (256, 9232);
    spec.geometry.amplifiers = AmplifierGrid { columns: 2, rows: 2, ..spec.geometry.amplifiers };
    let window = spec.geometry.full_window();
    let layout = ReadoutLayout::new(&spec.geometry, window, Scans::Full);
    let device = |parallel: &TrapModel| Device {
        layout: layout.clone(),
        window,
        parallel: Expected::new(parallel, Steps::Blocks(20)),
        serial: Expected::new(&serial, Steps::Blocks(4)),
    };
    let truth = device(&parallel);
    let (traps, chi2) = truth.fitted(3)?;
    println!("fitted, chi-square {chi2:.2?}: exponent {:.3}, {:?}", traps.parallel.exponent, traps.parallel.species);
    for sky in [200.0, 30.0, 3.6] {
        closure("three species", &truth, &traps, sky)?;
    }
    // Four species and a notch; the correction knows three and none.
    let mut rich = parallel.clone();
    rich.species.push(Species::bulk(0.5, 150.0));
    rich.well.notch = 15.0;
    let richer = device(&rich);
    let (traps, chi2) = richer.fitted(3)?;
    println!("four species and a notch, fitted with three, chi-square {chi2:.2?}");
    for sky in [200.0, 30.0] {
        closure("four species", &richer, &traps, sky)?;
    }
    Ok(())
}
