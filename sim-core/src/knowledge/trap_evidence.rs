//! What charge traps were measured on.

use super::Measured;
use serde::{Deserialize, Serialize};

/// A way to see traps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EvidenceKind {
    /// Trails of flats in the overscan: extended pixel edge response.
    FlatTrails,
    /// What the first pixels of a row of a flat lose to empty traps of the prescan.
    FirstPixels,
    /// Lines of injected charge.
    InjectedLines,
    /// Trails of hot pixels in darks.
    HotPixels,
    /// Dipoles of pumped traps: release times, and densities to compare.
    Pumping,
}

impl EvidenceKind {
    /// All, in the order of the tables.
    pub const ALL: [Self; 5] = [Self::FlatTrails, Self::FirstPixels, Self::InjectedLines, Self::HotPixels, Self::Pumping];

    /// Name in tables: EPER, FPR, CINJ, HOTPIX, PUMP.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::FlatTrails => "EPER",
            Self::FirstPixels => "FPR",
            Self::InjectedLines => "CINJ",
            Self::HotPixels => "HOTPIX",
            Self::Pumping => "PUMP",
        }
    }
    /// What it says of the traps.
    #[must_use]
    pub fn constrains(self) -> &'static str {
        match self {
            Self::FlatTrails => "release times, densities, exponent",
            Self::FirstPixels => "sum of the densities, exponent",
            Self::InjectedLines => "densities, release times, exponent",
            Self::HotPixels => "release times, densities",
            Self::Pumping => "release times; densities compared",
        }
    }
}

/// One way to see traps in one direction of transfer, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrapEvidence {
    /// Which.
    pub kind: EvidenceKind,
    /// Along columns, or along rows.
    pub along_columns: bool,
    /// Frames looked at.
    pub frames: usize,
    /// Numbers that entered the fit; 0 when it was left out.
    pub numbers: usize,
    /// Chi-square per number in the common fit, with the errors as measured; NaN when left out.
    pub reduced_chi2: f64,
    /// Why it was left out; empty when it was used.
    pub skipped: String,
}

/// A species as pumping shows it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PumpedSpecies {
    /// Release time \[transfers along columns\].
    pub release: Measured,
    /// Traps in a pixel, with the filled volume of the fit \[1 / pixel\].
    pub density: Measured,
}

/// What pumping shows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PumpedTraps {
    /// Charge of a pixel \[electron\].
    pub level_electron: f64,
    /// Species, slowest last.
    pub species: Vec<PumpedSpecies>,
    /// Single dipoles: release time \[transfers\] at the centre of a bin, and how many.
    pub histogram: Vec<(f64, u32)>,
}

/// What the traps of a detector were measured on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TrapMeasurement {
    /// Every way to see traps, used or not.
    pub evidence: Vec<TrapEvidence>,
    /// What pumping shows, where there was any.
    pub pumped: Option<PumpedTraps>,
}
