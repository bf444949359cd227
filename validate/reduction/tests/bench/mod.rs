//! A hand-made detector and its exposures: independent of the effects of `instruments`, with the truth at hand.

use instruments::product::level0::{Level0Meta, write_level0};
use instruments::product::names::NameStyle;
use ndarray::Array2;
use rand_distr::{Distribution, Normal, Poisson};
use sim_core::detector::{AmplifierGrid, DetectorGeometry, ReadoutLayout, Scans};
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::frame::{Frame, Window};
use sim_core::plane::Counts;
use sim_core::stream::{Stream, StreamKey};
use sim_core::wcs::{Parity, detector_wcs};
use std::path::{Path, PathBuf};

pub const READ_NOISE: f64 = 5.0;
pub const DARK: f64 = 0.02;
pub const HOT: (usize, usize, f64) = (40, 50, 3.0);
pub const WARM: (usize, usize, f64) = (41, 60, 0.13);
pub const DEAD: (usize, usize) = (90, 100);
pub const FULL_WELL: f64 = 60_000.0;

pub struct Bench {
    pub geometry: DetectorGeometry,
    pub window: Window,
    pub scans: Scans,
    pub folder: tempfile::TempDir,
}

impl Bench {
    pub fn new(scans: Scans) -> Self {
        let amplifiers = AmplifierGrid { columns: 4, rows: 2, prescan_x: 4, overscan_x: 16, overscan_y: 3 };
        let geometry = DetectorGeometry {
            number: 7,
            filter: "i".into(),
            nx: 384,
            ny: 256,
            crpix1: 500.0,
            crpix2: -200.0,
            pixel_scale_arcsec: 0.074,
            amplifiers,
        };
        let window = geometry.full_window();
        Self { geometry, window, scans, folder: tempfile::tempdir().unwrap() }
    }
    pub fn gain(amplifier: usize) -> f64 {
        1.1 + 0.02 * amplifier as f64
    }
    pub fn flat(&self, y: usize, x: usize) -> f64 {
        if (y, x) == DEAD {
            return 0.1;
        }
        let (u, v) = (x as f64 / 384.0 - 0.5, y as f64 / 256.0 - 0.5);
        let pixel = StreamKey::new(99).stream(y as u64).word(x as u64) as f64 / 2f64.powi(32) - 0.5;
        (1.0 - 0.2 * (u * u + v * v)) * (1.0 + 0.03 * pixel)
    }
    pub fn dark(y: usize, x: usize) -> f64 {
        match (y, x) {
            (y, x) if (y, x) == (HOT.0, HOT.1) => HOT.2,
            (y, x) if (y, x) == (WARM.0, WARM.1) => WARM.2,
            _ => DARK,
        }
    }
    pub fn shutter(&self, y: usize, x: usize) -> f64 {
        let (u, v) = (2.0 * (x as f64 + 0.5) / 384.0 - 1.0, 2.0 * (y as f64 + 0.5) / 256.0 - 1.0);
        0.05 + 0.02 * u - 0.01 * v * v
    }
    /// Expected electrons of a pixel before its charge is counted.
    fn expected(&self, exposure: &Exposure, y: usize, x: usize, scene: &dyn Fn(usize, usize) -> f64) -> f64 {
        let rate = match exposure.kind {
            ExposureKind::Flat { rate_electron_s } => rate_electron_s,
            ExposureKind::Science => scene(y, x),
            _ => 0.0,
        };
        rate * self.flat(y, x) * (exposure.time_s + self.shutter(y, x)) + Self::dark(y, x) * exposure.time_s
    }
    /// Writes an exposure; `scene` is the rate of a science exposure \[electron / s\].
    pub fn expose(&self, id: u64, kind: ExposureKind, time_s: f64, scene: &dyn Fn(usize, usize) -> f64) -> PathBuf {
        let pointing = Pointing { ra_deg: 150.0, dec_deg: 2.0, rotation_deg: 0.0 };
        let exposure = Exposure { id, kind, pointing, start_mjd: 61_771.0 + id as f64 / 100.0, time_s, sky_electron_s: 0.0 };
        let layout = ReadoutLayout::new(&self.geometry, self.window, self.scans);
        let mut pixels = Array2::<f32>::zeros((layout.rows, layout.columns));
        let read = Normal::new(0.0, READ_NOISE).unwrap();
        for tile in &layout.tiles {
            let gain = Self::gain(tile.amplifier);
            let level = 500.0 + 10.0 * tile.amplifier as f64;
            for y in tile.raw.y0..tile.raw.y0 + tile.raw.ny {
                let mut stream: Stream = StreamKey::new(20_26).with(id).stream(tile.row_key(y));
                for x in tile.raw.x0..tile.raw.x0 + tile.raw.nx {
                    let science = tile.raw_science;
                    let inside = (science.x0..science.x0 + science.nx).contains(&x) && (science.y0..science.y0 + science.ny).contains(&y);
                    let mut electrons = read.sample(&mut stream);
                    let mut structure = 0.0;
                    if inside {
                        let (sx, sy) = (tile.science.x0 + x - science.x0, tile.science.y0 + y - science.y0);
                        structure = 2.0 * (sx as f64 / 7.0).sin();
                        let expected = self.expected(&exposure, sy, sx, scene);
                        if expected > 0.0 {
                            electrons += Poisson::new(expected).unwrap().sample(&mut stream).min(FULL_WELL);
                        }
                    }
                    pixels[(y, x)] = (electrons / gain + level + structure).round().clamp(0.0, 65_535.0) as f32;
                }
            }
        }
        self.write(&exposure, &layout, pixels)
    }
    fn write(&self, exposure: &Exposure, layout: &ReadoutLayout, pixels: Array2<f32>) -> PathBuf {
        let wcs = detector_wcs(&self.geometry, &exposure.pointing, Parity::C9, None);
        let meta = Level0Meta {
            instrument: "testbench",
            geometry: &self.geometry,
            exposure,
            layout,
            wcs: &wcs,
            object: "bench",
            // Deliberately wrong: the reduction must measure its own.
            nominal_gain: &[3.0; 8],
            nominal_read_noise_electron: &[50.0; 8],
            nominal_full_well_electron: Some(0.95 * FULL_WELL),
            aberration: None,
            clocking: None,
            software: "test",
            style: &NameStyle::default(),
            packing: sim_core::fits::Packing::None,
        };
        let path = self.folder.path().join(meta.name().file_name());
        write_level0(&path, Frame::<Counts>::from_pixels(pixels, self.window), &meta).unwrap();
        path
    }
    /// Bias, dark and flat exposures: 9 bias, 8 darks of 150 s, 8 flats of 20 s and 6 of 1 s.
    pub fn calibration(&self) -> Vec<PathBuf> {
        let none = |_: usize, _: usize| 0.0;
        let flat = ExposureKind::Flat { rate_electron_s: 1000.0 };
        let mut files = Vec::new();
        files.extend((0..9).map(|i| self.expose(100 + i, ExposureKind::Bias, 0.0, &none)));
        files.extend((0..8).map(|i| self.expose(200 + i, ExposureKind::Dark, 150.0, &none)));
        files.extend((0..8).map(|i| self.expose(300 + i, flat, 20.0, &none)));
        files.extend((0..6).map(|i| self.expose(400 + i, flat, 1.0, &none)));
        files
    }
    pub fn masters(&self) -> PathBuf {
        self.folder.path().join("masters")
    }
    pub fn out(&self) -> PathBuf {
        self.folder.path().join("L1")
    }
}

/// Mean and standard deviation of the pulls of pixels that `keep` keeps.
pub fn pulls(
    image: &Array2<f32>,
    variance: &Array2<f32>,
    expected: impl Fn(usize, usize) -> f64,
    keep: impl Fn(usize, usize) -> bool,
) -> (f64, f64, f64) {
    let mut values = Vec::new();
    for ((y, x), &value) in image.indexed_iter() {
        if keep(y, x) {
            values.push((f64::from(value) - expected(y, x)) / f64::from(variance[(y, x)]).sqrt());
        }
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let width = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt();
    (mean, width, count)
}

/// The only file of a folder whose name contains a word.
pub fn only(folder: &Path, word: &str) -> PathBuf {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.to_string_lossy().contains(word)).collect();
    assert_eq!(found.len(), 1, "{word}: {found:?}");
    found.remove(0)
}
