//! What calibration knows of the response of the output amplifiers.

use super::Measured;
use serde::{Deserialize, Serialize};

/// The response of one amplifier, turned round: `c = m (1 + sum over k >= 1 of b_k (m / F)^k)`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AmplifierLinearity {
    /// b_1, b_2, ... \[1\]. Their errors are strongly correlated: see `covariance`. None: straight.
    pub coefficients: Vec<Measured>,
    /// Covariance of the coefficients, row by row.
    pub covariance: Vec<f64>,
    /// Counts above bias up to which it was calibrated \[ADU\].
    pub ceiling_adu: f64,
    /// Greatest relative departure of a calibration level from the fit.
    pub residual: f64,
}

/// The responses of a detector. By convention the slope is 1 at no signal: a common factor is the gain's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Linearity {
    /// F: the counts that powers are taken of \[ADU\].
    pub scale_adu: f64,
    /// By amplifier number; `None` where it was not measured.
    pub amplifiers: Vec<Option<AmplifierLinearity>>,
}

impl AmplifierLinearity {
    /// The coefficients' values.
    #[must_use]
    pub fn values(&self) -> Vec<f64> {
        self.coefficients.iter().map(|b| b.value).collect()
    }
}
