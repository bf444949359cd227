//! Seconds per stage of the detector chain on a full survey-camera chip (9216 x 9232 pixels, 10000 x 9400 with scans).
//!
//! `cargo run --release -p instruments --example chain_bench [threads]`; parameters as published where known
//! (gain 1.1, read noise 5, dark 0.02, full well 90000), else invented: this measures time, not physics.

use instruments::chain::{Chain, counts_to_u16};
use instruments::description::{ChainOrder, DetectorKind, DetectorSpec};
use instruments::effects::registry;
use ndarray::Array2;
use sim_core::bandpass::Bandpass;
use sim_core::detector::{AmplifierGrid, DetectorGeometry, ReadoutLayout, Scans};
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::frame::Frame;
use sim_core::plane::Light;
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

const PARAMETERS: &[(&str, &str, f64)] = &[
    ("sky", "gradient", 0.02),
    ("flat", "large_scale_amplitude", 0.02),
    ("flat", "prnu_rms", 0.01),
    ("shutter", "travel_time", 1.3),
    ("shutter", "bearing_distance", 735.0),
    ("shutter", "pixel_pitch", 0.01),
    ("dark", "rate", 0.02),
    ("dark", "hot_fraction", 1e-4),
    ("dark", "hot_rate_mean", 10.0),
    ("dark", "readout_time", 40.0),
    ("full_well", "capacity", 90_000.0),
    ("full_well", "section_scatter", 0.0),
    ("full_well", "pixel_scatter", 0.0),
    ("digitise", "gain", 1.1),
    ("digitise", "gain_scatter", 0.01),
    ("bias", "level", 500.0),
    ("bias", "level_scatter", 10.0),
    ("bias", "column_structure_rms", 1.0),
    ("bias", "row_structure_rms", 0.5),
    ("read_noise", "sigma", 5.0),
    ("adc", "bits", 16.0),
];

fn main() -> Result<(), Box<dyn Error>> {
    let threads = std::env::args().nth(1).map_or(Ok(1), |t| t.parse())?;
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let geometry = DetectorGeometry {
        number: 8,
        filter: "r".into(),
        nx: 9216,
        ny: 9232,
        crpix1: 4600.0,
        crpix2: 4600.0,
        pixel_scale_arcsec: 0.074,
        amplifiers: AmplifierGrid { columns: 8, rows: 2, prescan_x: 27, overscan_x: 71, overscan_y: 84 },
    };
    let band = Arc::new(Bandpass::new("r", vec![549.0, 550.0, 690.0, 691.0], vec![0.0, 0.6, 0.6, 0.0])?);
    let mut spec = DetectorSpec {
        geometry,
        kind: DetectorKind::Imaging,
        band,
        grating: None,
        table_sky_electron_s: None,
        device_seed: 1,
        parameters: Default::default(),
    };
    for &(effect, key, value) in PARAMETERS {
        registry::set_parameters(&mut spec, effect, &[(key.to_string(), value)], "benchmark")?;
    }
    let names = |text: &str| text.split(' ').map(String::from).collect();
    let order = ChainOrder {
        light: names("sky lamp flat shutter dark"),
        charge: names("full_well"),
        counts: names("bias read_noise adc"),
        off: vec![],
    };
    let chain = Chain::from_order(&order, &spec)?;
    let window = spec.geometry.full_window();
    let layout = ReadoutLayout::new(&spec.geometry, window, Scans::Full);
    let pointing = Pointing { ra_deg: 0.0, dec_deg: 0.0, rotation_deg: 0.0 };
    let exposure = Exposure { id: 1, kind: ExposureKind::Science, pointing, start_mjd: 61_000.0, time_s: 150.0, sky_electron_s: 0.25 };
    let cx = Context {
        exposure: &exposure,
        geometry: &spec.geometry,
        layout: &layout,
        window,
        effect: "",
        seed: 1,
        device_seed: spec.device_seed,
    };
    for round in ["first (cold)", "second"] {
        // Touch the memory first, as the optics would have done.
        let light = Frame::<Light>::from_pixels(Array2::from_elem(window.shape(), 1e-3), window);
        let start = Instant::now();
        let mut last = start;
        let mut stages = Vec::new();
        let (counts, _) = chain.run(light, &cx, &mut |name| {
            stages.push((name.to_string(), last.elapsed().as_secs_f64()));
            last = Instant::now();
        })?;
        let total = start.elapsed().as_secs_f64();
        let convert = Instant::now();
        let raw = counts_to_u16(&counts);
        println!("{round} run, {threads} thread(s):");
        for (name, seconds) in &stages {
            println!("  {name:12} {seconds:7.3} s  {:6.2} ns/pixel", seconds * 1e9 / (window.nx * window.ny) as f64);
        }
        println!("  chain        {total:7.3} s");
        println!(
            "  to u16       {:7.3} s (mean {:.2})",
            convert.elapsed().as_secs_f64(),
            raw.iter().map(|&v| f64::from(v)).sum::<f64>() / raw.len() as f64
        );
    }
    Ok(())
}
