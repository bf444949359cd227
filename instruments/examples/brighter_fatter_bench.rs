//! Time of brighter-fatter on a whole chip, forward and back, and what is left.
//!
//! `cargo run --release -p instruments --example brighter_fatter_bench`. One thread. A chip of 9216 x 9232 with sky of 60 electrons, stars
//! of up to full well every 64 pixels and shot noise; shifts of `msc`.

use instruments::description::load;
use instruments::effects::brighter_fatter::Settings;
use instruments::effects::brighter_fatter::electrostatics::left_out;
use instruments::effects::brighter_fatter::model::Kernel;
use instruments::effects::brighter_fatter::tiles::{Flow, backward, forward};
use ndarray::Array2;
use sim_core::memory;
use sim_core::noise;
use sim_core::stream::StreamKey;
use std::error::Error;

/// Seconds this process has used the processor, in ticks of 10 ms.
fn used_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 0.01
}

fn chip(ny: usize, nx: usize) -> Array2<f32> {
    let mut pixels = memory::zeros((ny, nx));
    for (y, mut row) in pixels.rows_mut().into_iter().enumerate() {
        for (x, p) in row.iter_mut().enumerate() {
            let (dy, dx) = ((y % 64) as f32 - 31.6, (x % 64) as f32 - 32.3);
            let peak = 10.0_f32.powf(2.0 + 2.9 * ((x / 64 * 7 + y / 64 * 13) % 64) as f32 / 64.0);
            let r2 = dy * dy + dx * dx;
            *p = 60.0 + if r2 < 64.0 { peak * (-0.5 * r2 / 0.72).exp() } else { 0.0 };
        }
        if let Some(row) = row.as_slice_mut() {
            noise::poisson(&StreamKey::new(1).stream(y as u64), 0, row);
        }
    }
    pixels
}

fn size(a: &Array2<f32>, b: &Array2<f32>) -> f64 {
    (a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64).sqrt()
}

fn main() -> Result<(), Box<dyn Error>> {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
    let mut instrument = load("msc")?;
    let spec = instrument.detectors.remove(&8).ok_or("no detector 8")?;
    let settings = Settings::read(&spec)?;
    println!(
        "changes of area, 1e-9 per electron (columns along, rows down); shifts beyond the table {:.1e} of the first",
        left_out(&settings.slab)
    );
    for j in 0..4 {
        println!("  {}", (0..4).map(|i| format!("{:9.1}", 1e9 * settings.shifts.area(i, j))).collect::<String>());
    }
    let light = chip(spec.geometry.ny, spec.geometry.nx);
    let kernel = Kernel::new(&settings.shifts);
    let flow = Flow::new(&kernel, settings.capacity_electron as f32);
    let draws = |y: usize, x: usize, out: &mut [f32]| noise::normals(&StreamKey::new(2).stream(y as u64), x as u64, out);
    let mut collected = light.clone();
    for (name, terms, drawn) in
        [("1 term", 1, false), ("2 terms", 2, false), ("3 terms", 3, false), ("3 terms, times of arrival drawn", 3, true)]
    {
        let mut pixels = light.clone();
        let start = used_s();
        let ledger = forward(&mut pixels, &flow, terms, if drawn { Some(&draws) } else { None });
        let seconds = used_s() - start;
        println!("forward, {name}: {seconds:.2} CPU-s; moved {:.3e} electron, unaccounted {:+.1e}", ledger.added, ledger.net());
        if !drawn {
            collected = pixels;
        }
    }
    let changed = size(&collected, &light);
    for rounds in 0..3 {
        let mut pixels = collected.clone();
        let start = used_s();
        backward(&mut pixels, &flow, rounds);
        println!("back, {rounds} rounds: {:.2} CPU-s, {:.1e} of the change left", used_s() - start, size(&pixels, &light) / changed);
    }
    Ok(())
}
