//! Seconds of the effect and of the detectors on a whole chip.

use crate::arguments::Arguments;
use crate::bench::Bench;
use crate::made::measured;
use crate::scene::Scene;
use instruments::effects::cosmic_rays::laplacian::{CLOUD_PX, Field, ReadVariance, edges, grow};
use instruments::effects::cosmic_rays::network::{self, Look};
use instruments::effects::registry;
use ndarray::Array2;
use sim_core::flags;
use sim_core::frame::Frame;
use sim_core::plane::Charge;
use std::error::Error;
use std::time::Instant;

pub fn speed(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let bench = Bench::new(Scene::all().swap_remove(0), arguments.maybe("rate")?)?;
    let window = bench.spec.geometry.full_window();
    let effect = (registry::charge().iter().find(|e| e.name == "cosmic_rays").ok_or("no effect")?.forward)(&bench.spec)?;
    let mut frame = Frame::<Charge>::from_pixels(Array2::from_elem(window.shape(), 34.0), window);
    let start = Instant::now();
    let made = (registry::charge().iter().find(|e| e.name == "cosmic_rays").ok_or("no effect")?.forward)(&bench.spec);
    println!("tables {:.3} s ({})", start.elapsed().as_secs_f64(), made.is_ok());
    let start = Instant::now();
    let ledger = bench.with_context(1, window, |cx| effect.apply(&mut frame, cx))?;
    println!("forward {:.3} s, {:.2} Me- added", start.elapsed().as_secs_f64(), ledger.added / 1e6);
    let made = Array2::zeros(window.shape());
    let data = measured(&frame.pixels, &made, 1, bench.scene.ceiling_electron, false);
    let read_variance = ReadVariance::uniform(25.0, window.shape());
    let field = Field {
        electrons: &data,
        dark: None,
        flags: None,
        defects: None,
        leave_out: flags::SATURATED,
        read_variance: &read_variance,
        cloud_px: CLOUD_PX,
    };
    let options = arguments.options()?;
    let start = Instant::now();
    let cores = edges::cores(&field, &options);
    let first = start.elapsed().as_secs_f64();
    let mask = grow(&field, &options, &cores);
    let total = start.elapsed().as_secs_f64();
    let flagged = mask.iter().filter(|m| **m).count();
    println!("detector {total:.3} s: cores {first:.3} s ({}), growth {:.3} s ({flagged} pixels)", cores.len(), total - first);
    let weights = arguments.weights()?;
    let start = Instant::now();
    let candidates = edges::cores(&field, &network::trigger()).len();
    let trigger = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let flagged = network::detect(&field, &weights, weights.threshold_logit, Look::Triggered).iter().filter(|m| **m).count();
    println!("network {:.3} s: of that trigger {trigger:.3} s ({candidates} candidates); {flagged} pixels", start.elapsed().as_secs_f64());
    Ok(())
}
