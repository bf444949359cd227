//! Covariances of pairs of flats in FITS files, the shifts of boundaries they mean, and images corrected with them.
//!
//! `cargo run --release -p reduction --example brighter_fatter_flats -- READ_NOISE CAPACITY PAIR... [--correct IN OUT]...`. A pair is `A.fits,B.fits`
//! (primary images, bias subtracted \[ADU\]); pairs of one level within 1 % are taken together. Read noise in ADU, capacity in electrons. Images to be
//! corrected are in electrons. Prints JSON: levels with covariances and errors, gain, areas, shifts.

use ndarray::Array2;
use reduction::brighter_fatter_fit::from_covariances;
use reduction::flat_covariance::{CovarianceOptions, FlatCovariance, LAGS, of_pair, together};
use sim_core::detector::{AmplifierGrid, DetectorGeometry, ReadoutLayout, Scans};
use sim_core::fits::{self, Data, Hdu};
use sim_core::frame::Frame;
use sim_core::knowledge::{Knowledge, Measured};
use sim_core::plane::Charge;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

fn image(path: &str) -> Result<Array2<f32>, Box<dyn Error>> {
    let units = fits::read(Path::new(path))?;
    match units.into_iter().next().map(|u| u.data) {
        Some(Data::F32(pixels)) => Ok(pixels),
        Some(Data::U16(pixels)) => Ok(pixels.mapv(f32::from)),
        _ => Err(format!("{path}: the primary is no image of 32-bit floats or 16-bit words").into()),
    }
}

/// Numbers as a JSON list.
fn list(values: impl Iterator<Item = f64>) -> String {
    format!("[{}]", values.map(|v| format!("{v:e}")).collect::<Vec<_>>().join(", "))
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [read_noise, capacity, rest @ ..] = &arguments[..] else {
        return Err("READ_NOISE CAPACITY PAIR... [--correct IN OUT]...".into());
    };
    let (read_noise, capacity): (f64, f64) = (read_noise.parse()?, capacity.parse()?);
    let end = rest.iter().position(|a| a == "--correct").unwrap_or(rest.len());
    let mut levels: Vec<Vec<FlatCovariance>> = Vec::new();
    for pair in &rest[..end] {
        let (a, b) = pair.split_once(',').ok_or("a pair is A.fits,B.fits")?;
        let found = of_pair(image(a)?.view(), image(b)?.view(), &CovarianceOptions::default())?;
        match levels.iter_mut().find(|level| (level[0].mean_adu / found.mean_adu - 1.0).abs() < 0.01) {
            Some(level) => level.push(found),
            None => levels.push(vec![found]),
        }
    }
    let levels: Vec<FlatCovariance> = levels.iter().filter_map(|pairs| together(pairs)).collect();
    let noise = Measured { value: read_noise, error: 0.0 };
    let (known, fit, boundaries) = from_covariances(std::slice::from_ref(&levels), &[noise], capacity, 3)?;
    let entry = |level: &FlatCovariance| {
        let of = |pick: fn(&Measured) -> f64| list(level.lags.iter().flatten().map(pick));
        format!("{{\"mean\": {}, \"covariance\": {}, \"error\": {}}}", level.mean_adu, of(|m| m.value), of(|m| m.error))
    };
    println!("{{\"lags\": {LAGS}, \"levels\": [{}],", levels.iter().map(entry).collect::<Vec<_>>().join(", "));
    println!(" \"gain\": {}, \"gain_error\": {},", fit.gain[0].value, fit.gain[0].error);
    println!(" \"chi2\": {}, \"slab_chi2\": {}, \"remainder\": {},", fit.reduced_chi2, boundaries.slab_chi2, boundaries.remainder);
    println!(" \"area\": {},", list(fit.area.iter().flatten().map(|m| m.value)));
    println!(" \"area_error\": {},", list(fit.area.iter().flatten().map(|m| m.error)));
    println!(" \"between_columns\": {},", list(known.between_columns.iter().flatten().copied()));
    println!(" \"between_rows\": {}}}", list(known.between_rows.iter().flatten().copied()));

    let known = Arc::new(known);
    for pair in rest[end..].chunks(3) {
        let [_, from, to] = pair else { return Err("--correct IN OUT".into()) };
        let pixels = image(from)?;
        let (ny, nx) = pixels.dim();
        let amplifiers = AmplifierGrid { columns: 1, rows: 1, prescan_x: 0, overscan_x: 0, overscan_y: 0 };
        let geometry =
            DetectorGeometry { number: 0, filter: String::new(), nx, ny, crpix1: 0.0, crpix2: 0.0, pixel_scale_arcsec: 1.0, amplifiers };
        let window = geometry.full_window();
        let mut knowledge = Knowledge::of_layout(ReadoutLayout::new(&geometry, window, Scans::Trimmed), window, 0.0);
        knowledge.boundaries = Some(Arc::clone(&known));
        let mut frame = Frame::<Charge>::from_pixels(pixels, window);
        let entry = instruments::effects::registry::charge().iter().find(|e| e.name == "brighter_fatter").ok_or("no such effect")?;
        entry.twin.correction(&knowledge).ok_or("no correction")??.correct(&mut frame)?;
        fits::write(Path::new(to), &[Hdu::new("", fits::Header::default(), Data::F32(frame.pixels))])?;
    }
    Ok(())
}
