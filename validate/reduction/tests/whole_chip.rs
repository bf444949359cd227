//! A whole chip through calibration and reduction: time and memory. Ignored in quick runs; 3 GB of temporary files.
//!
//! `cargo test --release -p reduction --test whole_chip -- --ignored --nocapture`

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use instruments::product::level0::{Level0Meta, write_level0};
use instruments::product::names::NameStyle;
use ndarray::Array2;
use reduction::{CalibrationOptions, CalibrationSet, calibrate, reduce};
use sim_core::detector::{DetectorGeometry, ReadoutLayout, Scans};
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::frame::Frame;
use sim_core::noise;
use sim_core::plane::Counts;
use sim_core::stream::StreamKey;
use sim_core::wcs::{Parity, detector_wcs};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Peak memory of this process \[MB\] (Linux).
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line =
        status.lines().find(|l| l.starts_with("VmHWM:")).and_then(|l| l.split_whitespace().nth(1)).and_then(|v| v.parse::<f64>().ok());
    line.unwrap_or(f64::NAN) * 1024e-6
}

fn expose(folder: &Path, geometry: &DetectorGeometry, layout: &ReadoutLayout, id: u64, kind: ExposureKind, time_s: f64) -> PathBuf {
    let pointing = Pointing { ra_deg: 150.0, dec_deg: 2.0, rotation_deg: 0.0 };
    let exposure = Exposure { id, kind, pointing, start_mjd: 61_771.0 + id as f64 / 100.0, time_s, sky_electron_s: 0.0 };
    let mut pixels = Array2::<f32>::zeros((layout.rows, layout.columns));
    let electrons = match kind {
        ExposureKind::Flat { rate_electron_s } => rate_electron_s * (time_s + 0.02),
        ExposureKind::Science => 0.2 * time_s,
        _ => 0.0,
    } + 0.02 * time_s;
    for (y, mut row) in pixels.rows_mut().into_iter().enumerate() {
        let row = row.as_slice_mut().unwrap();
        noise::normals(&StreamKey::new(1).with(id).stream(y as u64), 0, row);
        for (x, value) in row.iter_mut().enumerate() {
            let inside = layout
                .tile_at(x, y)
                .map(|t| t.raw_science)
                .is_some_and(|s| (s.x0..s.x0 + s.nx).contains(&x) && (s.y0..s.y0 + s.ny).contains(&y));
            let signal = if inside { electrons } else { 0.0 };
            *value = ((signal + (signal + 25.0).sqrt() * f64::from(*value)) / 1.1 + 500.0).round() as f32;
        }
    }
    let wcs = detector_wcs(geometry, &exposure.pointing, Parity::C9, None);
    let meta = Level0Meta {
        instrument: "msc",
        geometry,
        exposure: &exposure,
        layout,
        wcs: &wcs,
        object: "whole chip",
        nominal_gain: &[1.1; 16],
        nominal_read_noise_electron: &[5.0; 16],
        nominal_full_well_electron: Some(90_000.0),
        aberration: None,
        clocking: None,
        software: "test",
        style: &NameStyle::default(),
        packing: sim_core::fits::Packing::None,
    };
    let path = folder.join(meta.name().file_name());
    write_level0(&path, Frame::<Counts>::from_pixels(pixels, geometry.full_window()), &meta).unwrap();
    path
}

#[test]
#[ignore = "whole chips: a minute and 5 GB of disk"]
fn a_whole_chip_is_calibrated_and_reduced_in_bounded_memory() {
    let geometry = instruments::description::load("msc").unwrap().detectors[&8].geometry.clone();
    let layout = ReadoutLayout::new(&geometry, geometry.full_window(), Scans::Full);
    let folder = tempfile::tempdir().unwrap();
    let make = |id, kind, time_s| expose(folder.path(), &geometry, &layout, id, kind, time_s);
    let lamp = ExposureKind::Flat { rate_electron_s: 1000.0 };
    let start = Instant::now();
    let mut files: Vec<PathBuf> = (0..5).map(|i| make(100 + i, ExposureKind::Bias, 0.0)).collect();
    files.extend((0..5).map(|i| make(200 + i, ExposureKind::Dark, 150.0)));
    files.extend((0..4).map(|i| make(300 + i, lamp, 20.0)));
    files.extend((0..2).map(|i| make(400 + i, lamp, 1.0)));
    let science = make(990, ExposureKind::Science, 150.0);
    println!("{} frames made in {:.1} s, peak {:.0} MB", files.len() + 1, start.elapsed().as_secs_f64(), peak_mb());
    let masters = folder.path().join("masters");
    let start = Instant::now();
    calibrate(&files, &masters, CalibrationOptions::default()).unwrap();
    println!("calibrate: {:.1} s, peak {:.0} MB", start.elapsed().as_secs_f64(), peak_mb());
    // The bound of the whole chain. Not a number where the system does not tell.
    let within = |bound_mb: f64| assert!(peak_mb().is_nan() || peak_mb() < bound_mb, "memory: {} MB, allowed {bound_mb}", peak_mb());
    within(1500.0);
    let set = CalibrationSet::open(&masters).unwrap();
    for _ in 0..2 {
        let start = Instant::now();
        reduce(&science, &set, &reduction::Options::default(), &folder.path().join("L1")).unwrap();
        println!("reduce: {:.1} s, peak {:.0} MB", start.elapsed().as_secs_f64(), peak_mb());
    }
    // Rate, variance and flags of a chip are 1.0 GB, image and variance of a master 0.7 GB, its hot pixels 0.3 GB.
    within(2050.0);
}
