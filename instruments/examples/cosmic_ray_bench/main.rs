//! Cosmic rays measured: how many, how fast, how well found, and what replacing their pixels does to stars.
//!
//! `cargo run --release -p instruments --example cosmic_ray_bench -- MODE [key=value ...]` with RAYON_NUM_THREADS=1 for one core.
//! - `count`: hits and pixels of one chip in 150 s, sizes and charges of hits, beside published numbers.
//! - `speed`: forward effect and detectors on one chip of 9216 x 9232 pixels with sky.
//! - `score`: recall, precision, events, source damage and the ceiling, over scenes. Keys: scenes=PART_OF_NAME, frames, size,
//!   seed, rate; threshold, weights=FOLDER of the network and cloud, what it is told of the diffusion [pixel]; core, contrast, edge, fall, ratio, steep of the classical detector; out=FOLDER
//!   writes the frames as FITS for other tools.
//! - `detectors`: the network on the 18 imaging detectors at 150 and 250 s, with ceilings and medians. Keys: kind=field|crowded|slitless, frames,
//!   size, seed, time, rate, threshold, weights.
//! - `inpaint`: flux bias of stars and galaxies with replaced pixels.
//! - `thresholds`: the network over thresholds, on scenes drawn as in training, of other seeds.
//! - `export`: frames for training. Keys: out, frames, seed, size.
//!
//! Scenes are invented but of survey density: stars and galaxies with number counts 10^(0.15 m) and 10^(0.35 m), drawn by the
//! frame renderer; sky, dark, shot and read noise; electrons, no converter.

mod arguments;
mod bench;
mod count;
mod detectors;
mod drawn;
mod export;
mod inpaint;
mod made;
mod pool;
mod replaced;
mod scene;
mod score;
mod simple;
mod slitless;
mod speed;

use arguments::Arguments;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let mode = words.next().unwrap_or_default();
    let pairs = words.map(|w| w.split_once('=').map(|(k, v)| (k.to_string(), v.to_string())).ok_or(format!("{w}: give key=value")));
    let arguments = Arguments(pairs.collect::<Result<_, _>>()?);
    match mode.as_str() {
        "count" => count::count(&arguments),
        "speed" => speed::speed(&arguments),
        "score" => score::scores(&arguments),
        "detectors" => detectors::detectors(&arguments),
        "inpaint" => inpaint::inpainting(&arguments),
        "thresholds" => score::thresholds(&arguments),
        "export" => export::export(&arguments),
        other => Err(format!("mode `{other}` is not one of count, speed, score, detectors, inpaint, thresholds, export").into()),
    }
}
