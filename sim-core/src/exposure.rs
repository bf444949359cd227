//! One exposure of one telescope: pointing, time, kind.

use serde::{Deserialize, Serialize};

/// Steps of a cycle of trap pumping: below the three phases of a pixel, the first of the next, and back (1-2-3-1'-3-2).
const PUMPING_STEPS: f64 = 6.0;

/// What the exposure looks at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum ExposureKind {
    /// The sky.
    Science,
    /// Shutter closed, zero time.
    Bias,
    /// Shutter closed, full time.
    Dark,
    /// Internal lamp of uniform illumination.
    Flat {
        /// Lamp rate before any response \[electron / s / pixel\].
        rate_electron_s: f64,
    },
    /// Shutter closed, zero time: lines of charge put in electrically, for charge traps.
    ChargeInjection {
        /// Charge of an injected pixel \[electron\].
        level_electron: f64,
        /// Rows with charge in a period.
        rows: u32,
        /// Rows without charge before them, counted from the register.
        gap: u32,
    },
    /// Shutter closed: injected charge moved to and fro before it is read, so that single traps pump dipoles.
    TrapPumping {
        /// Charge of every pixel before pumping \[electron\].
        level_electron: f64,
        /// Times the charge is moved to and fro.
        cycles: u32,
        /// Time that the charge stays below each phase \[s\].
        phase_time_s: f64,
    },
}

impl ExposureKind {
    /// Four-letter type of the file name: SCIE, BIAS, DARK, FLAT, CINJ, PUMP.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Science => "SCIE",
            Self::Bias => "BIAS",
            Self::Dark => "DARK",
            Self::Flat { .. } => "FLAT",
            Self::ChargeInjection { .. } => "CINJ",
            Self::TrapPumping { .. } => "PUMP",
        }
    }
    /// Electrons put in electrically, where there are any.
    #[must_use]
    pub fn injected_electron(&self) -> Option<f64> {
        match self {
            Self::ChargeInjection { level_electron, .. } | Self::TrapPumping { level_electron, .. } => Some(*level_electron),
            _ => None,
        }
    }
    /// Time that the charge waits below the phases of all cycles of pumping \[s\]; 0 for other exposures.
    #[must_use]
    pub fn pumping_time_s(&self) -> f64 {
        match self {
            Self::TrapPumping { cycles, phase_time_s, .. } => f64::from(*cycles) * PUMPING_STEPS * phase_time_s,
            _ => 0.0,
        }
    }
    /// Whether light reaches the detector.
    #[must_use]
    pub fn is_illuminated(&self) -> bool {
        matches!(self, Self::Science | Self::Flat { .. })
    }
}

/// Where the telescope points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pointing {
    /// Right ascension of the boresight \[deg\], ICRS.
    pub ra_deg: f64,
    /// Declination of the boresight \[deg\], ICRS.
    pub dec_deg: f64,
    /// Image rotation t \[deg\] of the mosaic (official name `image_rot`; default -113.4333).
    pub rotation_deg: f64,
}

/// One exposure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exposure {
    /// Observation number (OBSID): part of every random key.
    pub id: u64,
    /// What it looks at.
    pub kind: ExposureKind,
    /// Where it looks.
    pub pointing: Pointing,
    /// Start, modified Julian date, UTC \[d\].
    pub start_mjd: f64,
    /// Exposure time \[s\].
    pub time_s: f64,
    /// Sky background that falls on a pixel before any response \[electron / s / pixel\], already through
    /// the band of this detector. 0 for calibration exposures.
    pub sky_electron_s: f64,
}
