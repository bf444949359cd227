//! What an effect did to the total signal of a frame.

use serde::{Deserialize, Serialize};

/// The account of one effect on one frame, in the unit of the plane it acted on.
/// For every effect `total(after) - total(before) = added - lost` to the accuracy of f32 sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// Signal added, >= 0.
    pub added: f64,
    /// Signal lost, >= 0.
    pub lost: f64,
}

impl Ledger {
    /// The account of a change whose per-pixel differences were summed by sign.
    #[must_use]
    pub fn new(added: f64, lost: f64) -> Self {
        Self { added, lost }
    }
    /// Books one signed change.
    pub fn book(&mut self, change: f64) {
        if change >= 0.0 { self.added += change } else { self.lost -= change }
    }
    /// Sum of two accounts.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { added: self.added + other.added, lost: self.lost + other.lost }
    }
    /// Net change.
    #[must_use]
    pub fn net(&self) -> f64 {
        self.added - self.lost
    }
}

/// One line of the ledger table that goes with a frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerLine {
    /// Name of the effect or crossing.
    pub name: String,
    /// Plane it acted on (a crossing names the plane it left).
    pub plane: String,
    /// Unit of the two amounts.
    pub unit: String,
    /// The account.
    #[serde(flatten)]
    pub ledger: Ledger,
}
