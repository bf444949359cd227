//! One exposure of one telescope: pointing, time, kind.

use serde::{Deserialize, Serialize};

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
}

impl ExposureKind {
    /// Four-letter type of the file name: SCIE, BIAS, DARK, FLAT.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Science => "SCIE",
            Self::Bias => "BIAS",
            Self::Dark => "DARK",
            Self::Flat { .. } => "FLAT",
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
