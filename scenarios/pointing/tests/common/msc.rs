//! The survey camera's detectors, from the instrument's own table.

use pointing::{Detector, FocalPlane};

/// Size of a detector \[pixel\] and of a pixel \[arcsec\] (instruments/data/msc/instrument.toml).
const SIZE: (f64, f64) = (9216.0, 9232.0);
const PIXEL_ARCSEC: f64 = 0.074;

/// The focal plane of `instruments/data/msc/focal_plane.csv`.
pub fn plane() -> FocalPlane {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../instruments/data/msc/focal_plane.csv");
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_path(path).expect("the focal plane's table");
    let deg = |pixels: f64| pixels * PIXEL_ARCSEC / 3600.0;
    let detectors = reader
        .deserialize::<(u32, String, f64, f64)>()
        .map(|row| {
            let (number, band, x, y) = row.expect("a row of the focal plane");
            Detector::rectangle(number, &band, (deg(x), deg(y)), (deg(SIZE.0), deg(SIZE.1)))
        })
        .collect();
    FocalPlane { detectors }
}
