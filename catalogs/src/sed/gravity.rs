//! What surface gravity changes in the colours of a star.
//!
//! # Effect
//! At one temperature a giant is redder than a dwarf in u-g (the Balmer jump of warm stars, the blanketing of cool ones), M giants also in r-i
//! (titanium oxide).
//! # Formula
//! d(T, lg g, \[Fe/H\]) = c(T, lg g, \[Fe/H\]) - c(T, 4.5, \[Fe/H\]) for the colours c of model atmospheres; straight lines between the rows.
//! # Symbols
//! T effective temperature \[K\]; g surface gravity \[cm/s2\].
//! # Source
//! `data/sed/gravity.csv`: MARCS atmospheres (Gustafsson et al. 2008, A&A 486, 951) in SDSS ugriz and Johnson BV by Casagrande & VandenBerg 2014
//! (MNRAS 444, 392), \[alpha/Fe\] = 0.
//! # Limits
//! Differences of models alone are used: dwarfs keep the colours that are observed. No difference above lg g 4.5. Below the least gravity
//! that has models (2.5 at 7000 K) held there; from 8000 K, where the models end, falling to 0 at 9700 K (assumed); below 3400 K held (models of
//! cooler giants have few stars to be tested by).
//! # Twin
//! None.

use crate::table::{held, numbers};

/// Gravity of the dwarfs whose colours are observed, from which the differences count \[dex\].
pub(crate) const DWARF_LOG_G: f64 = 4.5;
/// Metallicities of the table \[dex\]: the first and the step.
const FEH: (f64, f64) = (-2.5, 0.5);
/// Where no difference is left \[K\].
const NONE_FROM_K: f64 = 9700.0;

/// The differences of a temperature: rising gravities, and for each u-g, g-r, r-i, i-z, B-V.
#[derive(Debug, Clone, Default)]
struct Row {
    log_g: Vec<f64>,
    differences: [Vec<f64>; 5],
}

/// Differences of colours by metallicity, temperature and gravity.
#[derive(Debug, Clone)]
pub(crate) struct Gravity {
    teff_k: Vec<f64>,
    /// By metallicity, then by temperature.
    rows: Vec<Vec<Row>>,
}

impl Gravity {
    /// The table compiled in.
    pub(crate) fn load() -> Self {
        let table = numbers(include_str!("../../data/sed/gravity.csv"));
        let mut teff_k: Vec<f64> = table.iter().map(|r| r[1]).collect();
        teff_k.sort_by(f64::total_cmp);
        teff_k.dedup();
        let metallicities = 1 + ((table[table.len() - 1][0] - FEH.0) / FEH.1).round() as usize;
        let mut rows = vec![vec![Row::default(); teff_k.len()]; metallicities];
        for r in &table {
            let row = &mut rows[((r[0] - FEH.0) / FEH.1).round() as usize][teff_k.partition_point(|t| *t < r[1])];
            row.log_g.push(r[2]);
            row.differences.iter_mut().zip(&r[3..]).for_each(|(d, x)| d.push(*x));
        }
        for row in rows.iter_mut().flatten() {
            row.log_g.push(DWARF_LOG_G);
            row.differences.iter_mut().for_each(|d| d.push(0.0));
        }
        Self { teff_k, rows }
    }

    /// How much redder \[mag\] a star is than a dwarf of its temperature \[K\] in u-g, g-r, r-i, i-z and B-V; of metallicities \[dex\] the nearest row.
    pub(crate) fn redder(&self, teff_k: f64, log_g: f64, feh: f64) -> [f64; 5] {
        std::array::from_fn(|colour| self.redder_in(colour, teff_k, log_g, feh))
    }

    /// The same in B-V alone.
    pub(crate) fn redder_b_v(&self, teff_k: f64, log_g: f64, feh: f64) -> f64 {
        self.redder_in(4, teff_k, log_g, feh)
    }

    fn redder_in(&self, colour: usize, teff_k: f64, log_g: f64, feh: f64) -> f64 {
        if log_g >= DWARF_LOG_G || teff_k >= NONE_FROM_K {
            return 0.0;
        }
        let m = ((feh - FEH.0) / FEH.1).round().clamp(0.0, (self.rows.len() - 1) as f64) as usize;
        let of_row = |t: usize| held(&self.rows[m][t].log_g, &self.rows[m][t].differences[colour], log_g);
        let last = self.teff_k.len() - 1;
        if teff_k >= self.teff_k[last] {
            return of_row(last) * (NONE_FROM_K - teff_k) / (NONE_FROM_K - self.teff_k[last]);
        }
        let next = self.teff_k.partition_point(|t| *t <= teff_k).max(1);
        let part = ((teff_k - self.teff_k[next - 1]) / (self.teff_k[next] - self.teff_k[next - 1])).max(0.0);
        of_row(next - 1) + part * (of_row(next) - of_row(next - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dwarfs_and_hot_stars_are_left_alone_and_rows_are_met() {
        let gravity = Gravity::load();
        assert_eq!(
            (gravity.redder(4000.0, 4.5, 0.0), gravity.redder(3000.0, 5.2, 0.0), gravity.redder(12_000.0, 2.0, 0.0)),
            ([0.0; 5], [0.0; 5], [0.0; 5])
        );
        // A row of the table, by hand from the published corrections: at 4000 K, lg g 1.5, u - g = 3.421 against 2.641 of lg g 4.5.
        assert_eq!(gravity.redder(4000.0, 1.5, 0.0)[0], 0.780);
        let (a, b, middle) = (gravity.redder(4000.0, 1.5, 0.0), gravity.redder(4250.0, 2.0, 0.0), gravity.redder(4125.0, 1.75, 0.0));
        let corners = [a, b, gravity.redder(4000.0, 2.0, 0.0), gravity.redder(4250.0, 1.5, 0.0)];
        assert!((middle[0] - corners.iter().map(|c| c[0]).sum::<f64>() / 4.0).abs() < 1e-12);
        // No model below lg g 2.5 at 7000 K.
        assert_eq!(gravity.redder(7000.0, 0.0, 0.0), gravity.redder(7000.0, 2.5, 0.0));
        let half = gravity.redder(8850.0, 3.0, 0.0)[0] / gravity.redder(8000.0, 3.0, 0.0)[0];
        assert!((half - 0.5).abs() < 1e-12, "{half}");
    }
}
