//! The trained numbers: a file of little-endian f32, a description of it, and their check.
//!
//! `cosmic_rays.json` says what the layers are called and how large they are, the threshold, the SHA-256 of
//! `cosmic_rays.f32`, and where the numbers come from. Each layer: weights `[v, u, in, out]`, then biases.

use super::layers::{LANES, Layer};
use serde::Deserialize;
use sim_core::manifest::sha256;

/// Why weights were refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The description cannot be read.
    #[error("cosmic_rays.json: {0}")]
    Description(#[from] serde_json::Error),
    /// The file is not the one described.
    #[error("cosmic_rays.f32: SHA-256 {got}, cosmic_rays.json says {want}")]
    Hash {
        /// Of the bytes.
        got: String,
        /// Described.
        want: String,
    },
    /// Layers that this network does not have.
    #[error("cosmic_rays.json: layers[{place}] is {got}, this network needs {want}")]
    Layer {
        /// Place in the table.
        place: usize,
        /// Found.
        got: String,
        /// Needed.
        want: String,
    },
    /// More or fewer numbers than the layers have.
    #[error("cosmic_rays.f32: {got} numbers, the layers have {want}")]
    Length {
        /// In the file.
        got: usize,
        /// By the table.
        want: usize,
    },
    /// Not numbers, or a threshold that is none.
    #[error("cosmic_rays: {what} is not finite")]
    NotFinite {
        /// What.
        what: &'static str,
    },
}

#[derive(Debug, Deserialize)]
struct LayerRow {
    name: String,
    taps: usize,
    inputs: usize,
    outputs: usize,
}

#[derive(Debug, Deserialize)]
struct Description {
    sha256: String,
    threshold_logit: f32,
    layers: Vec<LayerRow>,
}

/// Layers by name, taps, inputs and outputs, in the order of the file.
const LAYERS: [(&str, usize, usize, usize); 8] = [
    ("fine1", 9, super::inputs::CHANNELS, LANES),
    ("fine2", 9, LANES, LANES),
    ("coarse1", 9, LANES, 2 * LANES),
    ("coarse2", 9, 2 * LANES, 2 * LANES),
    ("up", 4, 2 * LANES, LANES),
    ("joined1", 9, 2 * LANES, LANES),
    ("joined2", 9, LANES, LANES),
    ("last", 1, LANES, 1),
];

/// A network with its numbers.
#[derive(Debug, Clone)]
pub struct Weights {
    pub(super) layers: [Layer; 8],
    /// A pixel with a larger logit is flagged.
    pub threshold_logit: f32,
    /// SHA-256 of the file of numbers, in hexadecimal digits.
    pub sha256: String,
}

impl Weights {
    /// From the description and the bytes of the file.
    ///
    /// # Errors
    /// When the hash, the layers or the length do not fit, or a number is not finite.
    pub fn read(description: &str, bytes: &[u8]) -> Result<Self, WeightsError> {
        let description: Description = serde_json::from_str(description)?;
        let hash = sha256(bytes);
        if hash != description.sha256 {
            return Err(WeightsError::Hash { got: hash, want: description.sha256 });
        }
        let numbers: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let want = LAYERS.iter().map(|(_, taps, inputs, outputs)| (taps * inputs + 1) * outputs).sum();
        if 4 * want != bytes.len() {
            return Err(WeightsError::Length { got: bytes.len() / 4, want });
        }
        if !description.threshold_logit.is_finite() || numbers.iter().any(|v| !v.is_finite()) {
            return Err(WeightsError::NotFinite { what: "a weight or the threshold" });
        }
        let show = |name: &str, t: usize, i: usize, o: usize| format!("{name} of {t} taps, {i} to {o} channels");
        for place in 0..LAYERS.len().max(description.layers.len()) {
            let want = LAYERS.get(place).map_or_else(|| "nothing".into(), |&(n, t, i, o)| show(n, t, i, o));
            let got = description.layers.get(place).map_or_else(|| "nothing".into(), |l| show(&l.name, l.taps, l.inputs, l.outputs));
            if got != want {
                return Err(WeightsError::Layer { place, got, want });
            }
        }
        let mut from = 0;
        let mut take = |count: usize| {
            from += count;
            numbers[from - count..from].to_vec()
        };
        let layers = LAYERS.map(|(_, taps, inputs, outputs)| {
            let weights = take(taps * inputs * outputs);
            Layer { inputs, outputs, weights, biases: take(outputs) }
        });
        Ok(Self { layers, threshold_logit: description.threshold_logit, sha256: hash })
    }
    /// The weights that come with the program.
    ///
    /// # Errors
    /// When the repository's own files do not fit together.
    pub fn built_in() -> Result<Self, WeightsError> {
        Self::read(include_str!("weights/cosmic_rays.json"), include_bytes!("weights/cosmic_rays.f32"))
    }
}
