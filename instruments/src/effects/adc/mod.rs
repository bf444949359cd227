//! Analogue-to-digital conversion: counts become whole numbers of a finite word.
//!
//! # Effect
//! Rounds to the nearest whole count (halves to even) and clips to the word.
//! # Formula
//! c = min(max(round(c), 0), 2^b - 1)
//! # Symbols
//! c counts \[adu\]; b `bits` \[1\], a whole number
//! # Source
//! Survey camera: 16 bits, saturated at 65535 (official flag definition `raw == 65535`, csster/csst).
//! # Limits
//! An ideal converter: no differential non-linearity, no missing codes. The raw format is 16 bits, so b is 16 at most.
//! # Twin
//! Flag only: SATURATED and ADC_SATURATED at 65535, the ceiling of the raw format. The ceiling of a shorter word is not
//! in what calibration knows and is not flagged. Rounding is in the measured read noise.

mod apply;
mod correct;
pub mod model;

pub use correct::RAW_CEILING_ADU;

use super::parameters::Parameter;
use super::registry::{Entry, Twin};
use sim_core::plane::Counts;

static PARAMETERS: [Parameter; 1] = [Parameter { key: "bits", unit: "1", low: 1.0, high: 16.0, meaning: "bits of the converter's word" }];

/// Registry entry.
pub const ENTRY: Entry<Counts> = Entry {
    name: "adc",
    needs: &[],
    after: &["bias", "read_noise", "correlated_noise"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::FlagOnly(correct::make),
    page: include_str!("mod.rs"),
};
