//! Hits and pixels of one chip.

use crate::arguments::Arguments;
use crate::bench::Bench;
use crate::made::{DARK, READOUT_S};
use crate::scene::Scene;
use sim_core::hits::Keep;
use std::collections::BTreeMap;
use std::error::Error;

pub fn count(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let rate = arguments.number("rate", 1.0)?;
    let bench = Bench::new(Scene::all().swap_remove(0), Some(rate))?;
    let window = bench.spec.geometry.full_window();
    let truth = bench.with_context(1, window, |cx| bench.rays()?.truth(cx, Keep::Charge).map_err(Box::<dyn Error>::from))?;
    let image = truth.images(window.shape()).ok_or("no image")?.electrons;
    // Blank r-band sky: 0.207 electron/s, dark, read noise.
    let sigma = ((0.207 + DARK) * 150.0 + DARK * 20.0 + 25.0_f64).sqrt() as f32;
    println!("one chip, 150 s and {READOUT_S} s readout, rate {rate} events/cm2/s: {} hits", truth.rows().len());
    for k in [0.5, 3.0, 5.0, 10.0] {
        let n = image.iter().filter(|&&v| v > k * sigma && v >= 10.0).count();
        println!("  pixels above {k} sigma ({:.0} electrons): {n} = {:.3} %", k * sigma, 100.0 * n as f64 / image.len() as f64);
    }
    println!("  official level-1 examples: CRCOUNT 66,791 (imaging) and 88,988 (slitless), unit not documented");
    let mut by_kind: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for hit in truth.rows() {
        by_kind.entry(hit.kind).or_default().push(hit.electrons);
        by_kind.entry("all").or_default().push(hit.electrons);
    }
    for (kind, mut electrons) in by_kind {
        electrons.sort_by(f64::total_cmp);
        let at = |q: f64| electrons[(q * (electrons.len() - 1) as f64) as usize];
        println!("  {kind:10} {:6} hits, electrons 5 % {:.0}, median {:.0}, 95 % {:.0}", electrons.len(), at(0.05), at(0.5), at(0.95));
    }
    let mut sizes: Vec<i32> = truth.rows().iter().map(|h| h.pixels[1]).collect();
    sizes.sort_unstable();
    let mean = sizes.iter().map(|&n| f64::from(n)).sum::<f64>() / sizes.len() as f64;
    println!(
        "  pixels of a hit above 25 electrons: median {}, mean {mean:.1}, 95 % {}",
        sizes[sizes.len() / 2],
        sizes[sizes.len() * 95 / 100]
    );
    println!("  ACS/WFC (Riess 2002): median about 1000 electrons, few below 500, 4 to 5 pixels of 15 um; 1.5-3 % of pixels in 1000 s");
    Ok(())
}
