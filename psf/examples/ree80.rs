//! REE80 of an instrument file's `[psf]` table over 25 field points, and what building and sampling it costs.
//!
//! `cargo run --release -p psf --example ree80 -- instruments/data/msc/instrument.toml [wavelength_nm] [pixel_arcsec]`

use num_complex::Complex64;
use psf::energy::{EncircledEnergy, field_points, mean_radius};
use sim_core::psf::Psf;
use sim_core::units::{FocalPoint, Nanometre};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.first().ok_or("usage: ree80 INSTRUMENT.toml [wavelength_nm] [pixel_arcsec]")?;
    let number = |i: usize, default: f64| arguments.get(i).map_or(Ok(default), |a| a.parse::<f64>());
    let (wavelength, pixel) = (Nanometre(number(1, 620.0)?), number(2, 0.074)?);
    let file: toml::Table = std::fs::read_to_string(path)?.parse()?;
    let table = file.get("psf").and_then(toml::Value::as_table).ok_or("no [psf] table")?;
    let psf = psf::config::build(table, pixel)?;
    let optics = match psf::config::parse(table)? {
        psf::config::PsfConfig::Optical(c) => Some(c.build()?),
        _ => None,
    };
    // The survey zone of 1.1 deg2.
    let points = field_points(0.55, 0.5);
    println!("radius of 80 % of the light [arcsec] (and wavefront rms [nm]) at {} nm:", wavelength.0);
    for row in points.chunks(5) {
        for &at in row {
            let energy = EncircledEnergy::new(psf.transfer(at, wavelength)?.as_ref(), None);
            let rms = optics.as_ref().map_or(0.0, |o| o.wavefront_rms_nm(at, wavelength));
            print!("  {:.4} ({rms:4.1})", energy.radius(0.8).unwrap_or(f64::NAN));
        }
        println!();
    }
    println!("mean, without pixel: {:.4}", mean_radius(psf.as_ref(), &points, wavelength, None, 0.8)?);
    println!("mean, with a pixel of {pixel} arcsec: {:.4}", mean_radius(psf.as_ref(), &points, wavelength, Some(pixel), 0.8)?);
    if let Some(optics) = &optics {
        println!("mean, optics alone: {:.4}", mean_radius(optics, &points, wavelength, None, 0.8)?);
    }
    cost(psf.as_ref(), wavelength)
}

/// 25 places and 5 wavelengths, as a detector needs them.
fn cost(psf: &dyn Psf, middle: Nanometre) -> Result<(), Box<dyn std::error::Error>> {
    let waves = [0.9, 0.95, 1.0, 1.05, 1.1].map(|factor| Nanometre(factor * middle.0));
    let places: Vec<FocalPoint> =
        (0..25).map(|i| FocalPoint { x_deg: 0.2 + 0.04 * f64::from(i % 5), y_deg: 0.1 + 0.04 * f64::from(i / 5) }).collect();
    let (fx, fy): (Vec<f64>, Vec<f64>) = (0..10_000).map(|i| (0.28 * f64::from(i % 100) - 14.0, 0.14 * f64::from(i / 100))).unzip();
    let mut out = vec![Complex64::default(); fx.len()];
    for round in ["first", "second"] {
        let start = Instant::now();
        let mut transfers = Vec::new();
        for &at in &places {
            transfers.extend(psf.transfers(at, &waves)?);
        }
        let built = start.elapsed().as_secs_f64();
        let start = Instant::now();
        transfers.iter().for_each(|t| t.sample(&fx, &fy, &mut out));
        let sampled = start.elapsed().as_secs_f64() / (transfers.len() * fx.len()) as f64;
        println!(
            "{round} time: {} transfer functions {:.1} ms; sampling {:.1} ns per frequency",
            transfers.len(),
            built * 1e3,
            sampled * 1e9
        );
    }
    Ok(())
}
