//! The electronics of a whole chip timed, and how well crosstalk can be measured from cosmic rays.
//!
//! `cargo run --release -p instruments --example electronics_bench` with RAYON_NUM_THREADS=1: seconds of the processor of each effect and
//! correction on the raw frame of one chip of the survey camera (10000 x 9400), and the mean square signal of a dark of 900 s
//! with cosmic rays, which sets the error of a crosstalk coefficient.

use instruments::description::load;
use instruments::effects::bias::SubtractOverscan;
use instruments::effects::crosstalk::coupling;
use instruments::effects::registry;
use ndarray::Array2;
use sim_core::correction::Correction;
use sim_core::detector::{ReadoutLayout, Scans};
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::frame::Frame;
use sim_core::knowledge::{CrosstalkKnowledge, Knowledge, LevelWalk, Measured, OverscanKnowledge};
use sim_core::memory;
use sim_core::plane::{Charge, Counts, Light};
use std::error::Error;
use std::sync::Arc;

const READ_NOISE: f64 = 5.0;

/// Seconds this process has used the processor.
fn used_s() -> f64 {
    // Fields 14 and 15, user and system time of all threads in ticks of 10 ms; the name before them may hold blanks.
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 0.01
}

fn timed<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let start = used_s();
    let out = work();
    println!("{name:40} {:6.2} s of the processor", used_s() - start);
    out
}

fn main() -> Result<(), Box<dyn Error>> {
    let instrument = load("msc")?;
    let spec = &instrument.detectors[&8];
    let window = spec.geometry.full_window();
    let layout = ReadoutLayout::new(&spec.geometry, window, Scans::Full);
    let pointing = Pointing { ra_deg: 0.0, dec_deg: 0.0, rotation_deg: 0.0 };
    let exposure = Exposure { id: 1, kind: ExposureKind::Dark, pointing, start_mjd: 61_000.0, time_s: 900.0, sky_electron_s: 0.0 };
    let cx = |effect| Context {
        exposure: &exposure,
        geometry: &spec.geometry,
        layout: &layout,
        window,
        effect,
        seed: 1,
        device_seed: spec.device_seed,
    };

    let mut counts = Frame::<Counts>::from_pixels(memory::zeros((layout.rows, layout.columns)), window);
    counts.pixels.indexed_iter_mut().for_each(|((y, x), v)| *v = 20.0 + ((y * 7919 + x * 104_729) % 1000) as f32);
    for entry in registry::counts() {
        let effect = (entry.forward)(spec)?;
        timed(entry.name, || effect.apply(&mut counts, &cx(entry.name)))?;
    }
    let measured = |value: f64, error: f64| Measured { value, error };
    let mut knowledge = Knowledge::of_layout(layout.clone(), window, 900.0);
    knowledge.gain = Some(vec![measured(1.1, 0.0); 16]);
    knowledge.read_noise = Some(vec![measured(READ_NOISE, 0.0); 16]);
    let coefficients = coupling(spec)?.into_iter().map(|value| measured(value, 1e-5)).collect();
    knowledge.crosstalk = Some(Arc::new(CrosstalkKnowledge { amplifiers: 16, coefficients }));
    counts.variance = Some(memory::zeros((layout.rows, layout.columns)));
    counts.flags = Some(memory::zeros((layout.rows, layout.columns)));
    timed("overscan in bins", || SubtractOverscan::new(layout.clone()).correct(&mut counts))?;
    let walk = vec![LevelWalk { step_adu2: 1e-3, row_adu2: 0.5 }; 16];
    let known = Arc::new(OverscanKnowledge { skip_columns: 19, walk });
    timed("overscan by its walk", || SubtractOverscan::with(layout.clone(), Some(known)).correct(&mut counts))?;
    let entry = registry::counts().iter().find(|e| e.name == "crosstalk").ok_or("no crosstalk")?;
    let correction = entry.twin.correction(&knowledge).ok_or("no twin")??;
    timed("crosstalk undone, errors of 1e-5", || correction.correct(&mut counts))?;
    drop(counts);

    let mut light = Frame::<Light>::zeros(window);
    for name in ["defects", "dark"] {
        let effect = registry::light().iter().find(|e| e.name == name).ok_or("no such effect")?;
        let effect = (effect.forward)(spec)?;
        timed(name, || effect.apply(&mut light, &cx(name)))?;
    }
    drop(light);
    let mut charge = Frame::<Charge>::from_pixels(Array2::zeros(window.shape()), window);
    for name in ["cosmic_rays", "full_well", "bad_columns"] {
        let effect = registry::charge().iter().find(|e| e.name == name).ok_or("no such effect")?;
        let effect = (effect.forward)(spec)?;
        timed(name, || effect.apply(&mut charge, &cx(name)))?;
    }
    // Counts above 20 times the read noise and below the ceiling, of one amplifier of 16.
    let (mut pixels, mut square) = (0.0, 0.0);
    for &n in &charge.pixels {
        let adu = f64::from(n) / 1.1;
        if adu > 20.0 * READ_NOISE / 1.1 && adu < 65_000.0 {
            pixels += 1.0 / 16.0;
            square += adu * adu / 16.0;
        }
    }
    // Read noise and the shot noise of 18 electrons of dark current.
    let noise_adu = (READ_NOISE * READ_NOISE + 18.0_f64).sqrt() / 1.1;
    println!("bright pixels of an amplifier in one dark of 900 s: {pixels:.0}, rms {:.0} ADU", f64::sqrt(square / pixels));
    let error = noise_adu / f64::sqrt(square);
    println!("error of a crosstalk coefficient: {error:.1e} from one dark, {:.1e} from 16, {:.1e} from 100", error / 4.0, error / 10.0);
    Ok(())
}
