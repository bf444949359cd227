//! Runs as the executor leaves them, with small frames.

use ndarray::Array2;
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::manifest::sha256_file;
use std::path::Path;
use survey::failure::ErrorClass;
use survey::folder::Run;
use survey::journal::{Journal, Line, Outcome, Product};
use survey::manifest::{self, UnitRow};
use survey::record;

pub struct Made {
    pub run: Run,
    units: Vec<UnitRow>,
}

impl Made {
    /// Exposures from number 100 of these detectors, in so many chunks.
    pub fn plan(folder: &Path, exposures: u32, detectors: &[u16], chunks: u32) -> Self {
        std::fs::create_dir_all(folder.join("L0")).unwrap();
        let run = Run::at(folder);
        let mut units = Vec::new();
        for exposure in 0..exposures {
            for detector in detectors {
                let index = units.len() as u32;
                units.push(UnitRow {
                    index,
                    chunk: exposure * chunks / exposures,
                    name: format!("{}/{detector:02}", 100 + exposure),
                    obs_id: 100 + u64::from(exposure),
                    detector: *detector,
                    ra_deg: 150.0 + 0.2 * f64::from(exposure % 50),
                    dec_deg: 2.0 + 0.2 * f64::from(exposure / 50),
                    position_angle_deg: 20.0,
                    start_mjd: 61_582.0 + 0.01 * f64::from(exposure),
                    exposure_s: 150.0,
                    band: if detector % 2 == 0 { "g" } else { "i" }.into(),
                    objects: 40.0,
                    cost_s: 2.0,
                    memory_mb: 300.0,
                    path: format!("L0/{index:05}.fits"),
                    key: format!("key{index:05}"),
                });
            }
        }
        manifest::write(&run.units(), &units).unwrap();
        Self { run, units }
    }
    pub fn key(&self, unit: usize) -> &str {
        &self.units[unit].key
    }
    /// Lets the first unit's product lie elsewhere.
    pub fn bend(&self, path: &str) {
        let mut units = self.units.clone();
        units[0].path = path.into();
        manifest::write(&self.run.units(), &units).unwrap();
    }
    pub fn journal(&self, chunk: u32) -> Journal {
        Journal::begin(&self.run, chunk).unwrap()
    }
    fn line(&self, unit: usize, outcome: Outcome) -> Line {
        let row = &self.units[unit];
        Line { unit: row.index, name: row.name.clone(), key: row.key.clone(), outcome, ..Line::default() }
    }
    pub fn begin(&self, journal: &mut Journal, unit: usize) {
        journal.write(&mut self.line(unit, Outcome::Begun)).unwrap();
    }
    pub fn fail(&self, journal: &mut Journal, unit: usize, why: &str) {
        self.begin(journal, unit);
        let failed =
            Line { class: Some(ErrorClass::Input), error: Some(why.into()), wall_s: Some(0.1), ..self.line(unit, Outcome::Failed) };
        journal.write(&mut failed.clone()).unwrap();
    }
    /// Makes a unit: a frame of 48 x 32 pixels with its record.
    pub fn make(&self, journal: &mut Journal, unit: usize) {
        self.begin(journal, unit);
        let path = self.run.path().join(&self.units[unit].path);
        let pixels = Array2::from_shape_fn((32, 48), |(y, x)| 500 + ((7 * x + 3 * y) % 11) as u16);
        fits::write(&path, &[Hdu::primary(Header::default()), Hdu::new("IMAGE", Header::default(), Data::U16(pixels))]).unwrap();
        let sha256 = sha256_file(&path).unwrap();
        let record = serde_json::json!({ "key": self.units[unit].key, "products": { self.units[unit].path.as_str(): sha256 } });
        std::fs::write(record::path_of(&path), record.to_string()).unwrap();
        let products = vec![Product { path: self.units[unit].path.clone(), bytes: std::fs::metadata(&path).unwrap().len(), sha256 }];
        let (wall_s, cpu_s, peak_mb) = (Some(1.0 + unit as f64), Some(0.9 + unit as f64), Some(250.0 + unit as f64));
        let made = Line { wall_s, cpu_s, peak_mb, objects: Some(40), products, ..self.line(unit, Outcome::Made) };
        journal.write(&mut made.clone()).unwrap();
    }
}
