//! Light of the sunlit Earth scattered into the telescope.
//!
//! # Effect
//! A smooth addition that grows towards the sunlit limb.
//! # Formula
//! f_lambda = k f_high(lambda)
//! # Symbols
//! k level relative to "high": none 0, average 0.5, high 1, extremely high 2.
//! # Source
//! HST STIS Instrument Handbook section 6.6, table 6.4 (spectrum; high is 38 deg from the limb, average half of it); HST exposure
//! time calculator (extremely high: twice; limb angles 50, 38, 24 deg).
//! # Limits
//! Measured for HST: the stray-light rejection of another telescope differs. Status for CSST: assumed. 100 to 1100 nm.
//! # Twin
//! None (part of the sky).

use crate::table::columns;
use serde::{Deserialize, Serialize};
use sim_core::spectrum::Spectrum;

/// Level of the earthshine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Earthshine {
    /// In the Earth's shadow.
    None,
    /// 50 deg from the sunlit limb.
    #[default]
    Average,
    /// 38 deg from the sunlit limb.
    High,
    /// 24 deg from the sunlit limb.
    ExtremelyHigh,
}

impl Earthshine {
    /// Factor on the tabulated spectrum.
    #[must_use]
    pub fn relative_to_high(self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Average => 0.5,
            Self::High => 1.0,
            Self::ExtremelyHigh => 2.0,
        }
    }
}

pub(super) fn high() -> Spectrum {
    let (w, f) = columns(include_str!("../../data/sky/earthshine_high.csv"), 0, 1);
    Spectrum::new("earthshine_high", w, f).expect("the compiled earthshine spectrum is valid")
}
