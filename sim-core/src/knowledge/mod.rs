//! What the reduction believes. Made from calibration products, never from the detector's description of truth.

mod brighter_fatter;
mod columns;
mod crosstalk;
mod fringes;
mod full_well;
mod ghosts;
mod linearity;
mod overscan;
mod persistence;
mod trap_evidence;
mod traps;

pub use brighter_fatter::BoundaryKnowledge;
pub use columns::{ColumnDefect, ColumnFault, DefectPixel};
pub use crosstalk::CrosstalkKnowledge;
pub use fringes::FringeFrame;
pub use full_well::{FullWell, FullWells};
pub use ghosts::{GhostKnowledge, GhostPath};
pub use linearity::{AmplifierLinearity, Linearity};
pub use overscan::{LevelWalk, OverscanKnowledge};
pub use persistence::{FullBefore, HeldCharge, PersistenceKnowledge};
pub use trap_evidence::{EvidenceKind, PumpedSpecies, PumpedTraps, TrapEvidence, TrapMeasurement};
pub use traps::{TransferTraps, TrapKnowledge, TrapSpecies};

use crate::detector::ReadoutLayout;
use crate::frame::Window;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A measured number and its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Value.
    pub value: f64,
    /// Standard error (1 sigma).
    pub error: f64,
}

/// A reference image made by the calibration pipeline, `[y, x]`, with its variance.
#[derive(Debug, Clone)]
pub struct Reference {
    /// The image; its unit is that of the field of [`Knowledge`] that holds it.
    pub image: Array2<f32>,
    /// Variance of `image`.
    pub variance: Array2<f32>,
}

/// Everything a correction may use.
#[derive(Debug, Clone)]
pub struct Knowledge {
    /// Raw layout (public: it is in the data model).
    pub layout: ReadoutLayout,
    /// Window of the science array.
    pub window: Window,
    /// Exposure time of the frame being reduced \[s\] (from its header).
    pub exposure_time_s: f64,
    /// Gain per amplifier \[electron / ADU\], from the photon transfer of flat pairs, indexed by amplifier number.
    pub gain: Option<Vec<Measured>>,
    /// Read noise per amplifier \[electron\], from bias pairs.
    pub read_noise: Option<Vec<Measured>>,
    /// Master bias \[ADU\], on the science window, after overscan subtraction.
    pub bias: Option<Arc<Reference>>,
    /// Master dark \[electron / s\], on the science window.
    pub dark: Option<Arc<Reference>>,
    /// Master flat \[1\], median 1 over the window.
    pub flat: Option<Arc<Reference>>,
    /// Excess exposure time of the shutter \[s\] (effective minus nominal), on the science window.
    pub shutter: Option<Arc<Reference>>,
    /// Flags of hot and warm pixels on the science window, at the frame's exposure time.
    pub defects: Option<Arc<Array2<u32>>>,
    /// Name of the finder of cosmic rays that was asked for; `None`: the effect's own choice.
    pub hit_finder: Option<&'static str>,
    /// Level above which a pixel counts as saturated \[electron\].
    pub saturation_electron: Option<f64>,
    /// Measured full well of every amplifier's section.
    pub full_wells: Option<Arc<FullWells>>,
    /// Response of every amplifier, from ramps of flats.
    pub linearity: Option<Arc<Linearity>>,
    /// Charge traps at the date of the frame.
    pub traps: Option<Arc<TrapKnowledge>>,
    /// What the traps were measured on, and how well it agrees.
    pub trap_measurement: Option<Arc<TrapMeasurement>>,
    /// Leaks between outputs that are read at the same time.
    pub crosstalk: Option<Arc<CrosstalkKnowledge>>,
    /// Pixels with a defect of their own: dead, telegraph.
    pub defect_pixels: Option<Arc<Vec<DefectPixel>>>,
    /// Blocked and trapped columns.
    pub columns: Option<Arc<Vec<ColumnDefect>>>,
    /// How the overscan is to be read. `None`: bins of rows, all columns.
    pub overscan: Option<Arc<OverscanKnowledge>>,
    /// What full pixels leave behind, from darks after saturated flats.
    pub persistence: Option<Arc<PersistenceKnowledge>>,
    /// Pixels that were full in the raw frames before the one being reduced.
    pub full_before: Option<Arc<Vec<FullBefore>>>,
    /// Shifts of pixel boundaries with charge, from the covariances of flats.
    pub boundaries: Option<Arc<BoundaryKnowledge>>,
    /// Pattern of interference in the silicon under the night sky's lines, from stacked exposures of the sky.
    pub fringes: Option<Arc<FringeFrame>>,
    /// Where the ghosts of a star lie and how large they are, from exposures of bright stars.
    pub ghosts: Option<Arc<GhostKnowledge>>,
}

impl Knowledge {
    /// Knowledge of the layout alone.
    #[must_use]
    pub fn of_layout(layout: ReadoutLayout, window: Window, exposure_time_s: f64) -> Self {
        Self {
            layout,
            window,
            exposure_time_s,
            gain: None,
            read_noise: None,
            bias: None,
            dark: None,
            flat: None,
            shutter: None,
            defects: None,
            hit_finder: None,
            saturation_electron: None,
            full_wells: None,
            linearity: None,
            traps: None,
            trap_measurement: None,
            crosstalk: None,
            defect_pixels: None,
            columns: None,
            overscan: None,
            persistence: None,
            full_before: None,
            boundaries: None,
            fringes: None,
            ghosts: None,
        }
    }
}
