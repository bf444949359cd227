//! How many stars of which luminosity stand near the Sun.
//!
//! # Effect
//! The mixture of stars in a volume, from which counts follow.
//! # Formula
//! lg phi linear in M between the rows of `data/milky_way/luminosity.csv`. Fraction on the main sequence in the thin disk, M < 3.7:
//! 0.44 exp(1.5e-4 (M + 8)^3.5), at most 1; the others are giants. White dwarfs: dn / dM_bol ~ 10^(2 M_bol / 7), the law of
//! constant birth rate and Mestel cooling, ended at M_bol 15.4 by the age of the disk.
//! # Symbols
//! M absolute magnitude in V (Vega) of a system, the light of unresolved companions included; phi stars / mag / pc3.
//! # Source
//! `data/milky_way/SOURCES.md`. Main-sequence fraction: Bahcall & Soneira 1980 (ApJS 44, 73), eq. 4. White dwarfs: Mestel 1952 (MNRAS 112,
//! 583); end and slope as in Harris et al. 2006 (AJ 131, 571); 4.5e-3 / pc3 (Hollands et al. 2018, MNRAS 480, 3942).
//! # Limits
//! M -6 to 20: brown dwarfs later than L0 are not drawn. The old law (thick disk and halo) is that of 47 Tucanae for M < 5; halo stars
//! are poorer in metals, and their horizontal branch is 0.3 mag brighter.
//! # Twin
//! None.

use super::sequence::Sequences;
use crate::table::{held, numbers};

/// Absolute magnitudes covered.
pub const ABSOLUTE_RANGE: (f64, f64) = (-6.0, 20.0);
const STEP: f64 = 0.05;
const STEPS: usize = 520;

/// Local density of white dwarfs \[1 / pc3\].
pub const WHITE_DWARFS_PC3: f64 = 4.5e-3;
/// Bolometric magnitudes of white dwarfs drawn.
const WHITE_DWARF_RANGE: (f64, f64) = (7.0, 15.4);

/// A luminosity function as its cumulative, on an even grid of absolute magnitude.
#[derive(Debug, Clone)]
pub(super) struct Luminosity {
    cumulative: Vec<f64>,
}

impl Luminosity {
    /// From a density \[1 / mag / pc3\].
    fn new(density: impl Fn(f64) -> f64) -> Self {
        let mut cumulative = vec![0.0];
        let mut sum = 0.0;
        for k in 0..STEPS {
            sum += STEP * density(ABSOLUTE_RANGE.0 + (k as f64 + 0.5) * STEP);
            cumulative.push(sum);
        }
        Self { cumulative }
    }
    /// Stars brighter than an absolute magnitude \[1 / pc3\].
    pub(super) fn brighter(&self, m: f64) -> f64 {
        let x = ((m - ABSOLUTE_RANGE.0) / STEP).clamp(0.0, STEPS as f64);
        let k = (x as usize).min(STEPS - 1);
        self.cumulative[k] + (self.cumulative[k + 1] - self.cumulative[k]) * (x - k as f64)
    }
    /// The absolute magnitude of a cumulative density.
    pub(super) fn magnitude(&self, density: f64) -> f64 {
        let k = self.cumulative.partition_point(|&c| c <= density).clamp(1, STEPS);
        let (a, b) = (self.cumulative[k - 1], self.cumulative[k]);
        let part = if b > a { (density - a) / (b - a) } else { 0.0 };
        ABSOLUTE_RANGE.0 + (k as f64 - 1.0 + part.clamp(0.0, 1.0)) * STEP
    }
}

/// The laws of all kinds of stars.
pub(super) struct Laws {
    table: [Vec<f64>; 3],
}

/// Fraction of thin-disk stars on the main sequence.
fn main_sequence_fraction(m: f64) -> f64 {
    if m < 3.7 { (0.44 * (1.5e-4 * (m + 8.0).max(0.0).powf(3.5)).exp()).min(1.0) } else { 1.0 }
}

impl Laws {
    pub(super) fn load() -> Self {
        let rows = numbers(include_str!("../../data/milky_way/luminosity.csv"));
        Self { table: std::array::from_fn(|k| rows.iter().map(|r| r[k]).collect()) }
    }
    fn disk(&self, m: f64) -> f64 {
        10.0_f64.powf(held(&self.table[0], &self.table[1], m))
    }
    /// Main-sequence stars of the thin disk in a range of absolute magnitudes.
    pub(super) fn thin_dwarfs(&self, from: f64, to: f64) -> Luminosity {
        Luminosity::new(|m| if m >= from && m < to { self.disk(m) * main_sequence_fraction(m) } else { 0.0 })
    }
    /// Giants of the thin disk.
    pub(super) fn thin_giants(&self) -> Luminosity {
        Luminosity::new(|m| self.disk(m) * (1.0 - main_sequence_fraction(m)))
    }
    /// An old population (thick disk, halo) fainter than a limit, at the density of the thin disk.
    pub(super) fn old(&self, from: f64) -> Luminosity {
        Luminosity::new(|m| if m >= from { 10.0_f64.powf(held(&self.table[0], &self.table[2], m)) } else { 0.0 })
    }
    /// White dwarfs.
    pub(super) fn white_dwarfs(sequences: &Sequences) -> Luminosity {
        let (bright, faint) = WHITE_DWARF_RANGE;
        let slope = 2.0 / 7.0;
        let integral = |m: f64| 10.0_f64.powf(slope * m) / (slope * std::f64::consts::LN_10);
        let norm = WHITE_DWARFS_PC3 / (integral(faint) - integral(bright));
        // Density in V through the bolometric magnitude at the ends of the bin.
        let bolometric = |m: f64| sequences.white_dwarf_bolometric(m).clamp(bright, faint);
        Luminosity::new(|m| norm * (integral(bolometric(m + 0.5 * STEP)) - integral(bolometric(m - 0.5 * STEP))) / STEP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cumulative_and_its_inverse_agree_and_the_table_comes_back() {
        let law = Laws::load().old(-3.0);
        for m in [-2.0, 1.0, 4.4, 8.0, 12.3, 19.0] {
            assert!((law.magnitude(law.brighter(m)) - m).abs() < 1e-9, "{m}");
        }
        // lg phi = -2.4795 at M = 5 (Wielen): 3.315e-3 / mag / pc3; the half-magnitude to either side is within 5 %.
        let thin = Laws::load().thin_dwarfs(-6.0, 20.0);
        let density = thin.brighter(5.25) - thin.brighter(4.75);
        assert!((density / 0.5 / 3.315e-3 - 1.0).abs() < 0.05, "{density}");
        assert_eq!((law.brighter(-9.0), law.brighter(-3.1)), (0.0, 0.0));
    }

    #[test]
    fn the_stars_near_the_sun_add_up_to_published_densities() {
        let (laws, sequences) = (Laws::load(), Sequences::load());
        let white = Laws::white_dwarfs(&sequences);
        assert!((white.brighter(20.0) / WHITE_DWARFS_PC3 - 1.0).abs() < 1e-3, "{}", white.brighter(20.0));
        // Half of them are fainter than M_bol 15.4 - lg 2 / (2/7) = 14.35.
        let median = white.magnitude(0.5 * white.brighter(20.0));
        assert!((sequences.white_dwarf_bolometric(median) - 14.35).abs() < 0.05, "{median}");
        // Giants: 10 % of the stars are brighter than M = 3.7 ... of which by the fraction at M = 1 (0.61 on the main sequence) a third
        // are giants: some 5e-4 / pc3 (Bahcall & Soneira's disk). Dwarfs M 3.7 to 20: 0.055 / pc3, between the 0.033 of Bochanski et al. 2010 for
        // 7 < M_r < 16 alone and the 0.1 that counts every companion.
        let giants = laws.thin_giants().brighter(20.0);
        assert!((3e-4..9e-4).contains(&giants), "{giants}");
        let dwarfs = laws.thin_dwarfs(3.7, 20.0).brighter(20.0);
        assert!((0.045..0.07).contains(&dwarfs), "{dwarfs}");
    }
}
