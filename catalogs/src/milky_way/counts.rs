//! Published star counts, against which the model is held.
//!
//! # Effect
//! None: a measure.
//! # Formula
//! lg N linear in V and in |b| between the table's rows.
//! # Symbols
//! N stars / deg2 brighter than V, mean over longitude.
//! # Source
//! Cox (ed.) 2000, Allen's Astrophysical Quantities, 4th edition, chapter 19, as in `stellar_cnts.txt` of EXOSIMS.
//! # Limits
//! V 15 to 25, |b| 0 to 90 deg.
//! # Twin
//! None.

use crate::table::{held, numbers};

/// The table.
#[derive(Debug, Clone)]
pub struct PublishedCounts {
    rows: Vec<Vec<f64>>,
    magnitudes: Vec<f64>,
}

impl Default for PublishedCounts {
    fn default() -> Self {
        Self::load()
    }
}

impl PublishedCounts {
    /// The table compiled in.
    #[must_use]
    pub fn load() -> Self {
        let rows = numbers(include_str!("../../data/milky_way/counts_allen.csv"));
        Self { rows, magnitudes: (15..=25).map(f64::from).collect() }
    }
    /// Magnitudes covered.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        (self.magnitudes[0], self.magnitudes[self.magnitudes.len() - 1])
    }
    /// Stars per deg2 brighter than V at a galactic latitude \[deg\].
    #[must_use]
    pub fn brighter_deg2(&self, b_deg: f64, v: f64) -> f64 {
        let at_v: Vec<f64> = self.rows.iter().map(|r| held(&self.magnitudes, &r[1..], v)).collect();
        let latitudes: Vec<f64> = self.rows.iter().map(|r| r[0]).collect();
        10.0_f64.powf(held(&latitudes, &at_v, b_deg.abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_by_latitude_and_magnitude() {
        let table = PublishedCounts::load();
        // lg N = 3.092 at V = 20, b = 90 deg; 2.781 at V = 15, b = 20 deg.
        assert!((table.brighter_deg2(90.0, 20.0).log10() - 3.092).abs() < 1e-9);
        assert!((table.brighter_deg2(-20.0, 15.0).log10() - 2.781).abs() < 1e-9);
        assert!((table.brighter_deg2(75.0, 20.5).log10() - 0.25 * (3.226 + 3.389 + 3.092 + 3.245)).abs() < 1e-9);
    }
}
