//! Arguments `key=value`, and dice for scenes.

use instruments::effects::cosmic_rays::laplacian::Options;
use instruments::effects::cosmic_rays::network::Weights;
use sim_core::stream::Stream;
use std::collections::BTreeMap;
use std::error::Error;

/// `key=value` pairs of the command line.
pub struct Arguments(pub BTreeMap<String, String>);

impl Arguments {
    pub fn number(&self, key: &str, default: f64) -> Result<f64, Box<dyn Error>> {
        Ok(self.maybe(key)?.unwrap_or(default))
    }
    pub fn maybe(&self, key: &str) -> Result<Option<f64>, Box<dyn Error>> {
        self.0.get(key).map(|v| v.parse().map_err(|e| format!("{key}={v}: {e}").into())).transpose()
    }
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }
    /// The weights of the program, or those in the folder `weights=FOLDER`.
    pub fn weights(&self) -> Result<Weights, Box<dyn Error>> {
        let Some(folder) = self.text("weights") else { return Ok(Weights::built_in()?) };
        let folder = std::path::Path::new(folder);
        let description = std::fs::read_to_string(folder.join("cosmic_rays.json"))?;
        Ok(Weights::read(&description, &std::fs::read(folder.join("cosmic_rays.f32"))?)?)
    }
    /// Thresholds of the classical detector.
    pub fn options(&self) -> Result<Options, Box<dyn Error>> {
        let d = Options::default();
        let f = |key: &str, v: f32| self.number(key, f64::from(v)).map(|v| v as f32);
        Ok(Options {
            core_sigma: f("core", d.core_sigma)?,
            contrast: f("contrast", d.contrast)?,
            edge_sigma: f("edge", d.edge_sigma)?,
            fall: f("fall", d.fall)?,
            least_ratio: f("ratio", d.least_ratio)?,
            steep_sigma: f("steep", d.steep_sigma)?,
        })
    }
}

/// Uniform numbers of a stream.
pub struct Dice(Stream, u64);

impl Dice {
    pub fn new(stream: Stream) -> Self {
        Self(stream, 0)
    }
    /// Between 0 and 1.
    pub fn uniform(&mut self) -> f64 {
        self.1 += 1;
        (f64::from(self.0.word(self.1)) + 0.5) / 4_294_967_296.0
    }
    /// Normal, mean 0, variance 1 (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (2.0 * std::f64::consts::PI * self.uniform()).cos()
    }
}
