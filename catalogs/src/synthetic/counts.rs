//! How many galaxies there are, by magnitude.
//!
//! # Effect
//! The density of the field.
//! # Formula
//! Galaxies, per mag and deg2: lg n linear in i between the tabulated magnitudes.
//! # Symbols
//! i AB magnitude; n galaxies / mag / deg2.
//! # Source
//! Galaxies: COSMOS2020, Weaver et al. 2022 (ApJS 258, 11), table 2, i band, 19.25 to 25.75; brighter and fainter, and in other bands for comparison, the
//! compilation of Driver et al. 2016 (ApJ 827, 108), table 3 (`data/SOURCES.md`).
//! # Limits
//! i 16 to 28.75.
//! # Twin
//! None.

use crate::table::{columns, numbers};

/// Galaxy counts in i.
#[derive(Debug, Clone)]
pub struct GalaxyCounts {
    magnitude: Vec<f64>,
    log10_density: Vec<f64>,
}

impl GalaxyCounts {
    /// The table compiled in.
    #[must_use]
    pub fn load() -> Self {
        let (magnitude, log10_density) = columns(include_str!("../../data/galaxy_counts_i.csv"), 0, 1);
        Self { magnitude, log10_density }
    }
    /// Magnitudes covered.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        (self.magnitude[0], self.magnitude[self.magnitude.len() - 1])
    }
    /// Galaxies per mag and deg2 at a magnitude.
    #[must_use]
    pub fn per_mag_deg2(&self, i: f64) -> f64 {
        10.0_f64.powf(crate::table::held(&self.magnitude, &self.log10_density, i))
    }
    /// Galaxies per deg2 between two magnitudes: the integral of the log-linear pieces in closed form.
    #[must_use]
    pub fn between_deg2(&self, bright: f64, faint: f64) -> f64 {
        let mut edges = vec![bright];
        edges.extend(self.magnitude.iter().copied().filter(|&m| m > bright && m < faint));
        edges.push(faint);
        edges.windows(2).map(|e| piece(self.per_mag_deg2(e[0]), self.per_mag_deg2(e[1]), e[1] - e[0])).sum()
    }
}

/// Integral of an exponential from `a` to `b` over `width`.
fn piece(a: f64, b: f64, width: f64) -> f64 {
    let ratio = (b / a).ln();
    if ratio.abs() < 1e-9 { a * width } else { (b - a) / ratio * width }
}

/// Published counts of galaxies in several bands, to hold the field against.
#[derive(Debug, Clone)]
pub struct PublishedGalaxies {
    rows: Vec<Vec<f64>>,
}

/// Bands of the table, in its order.
const PUBLISHED: [&str; 7] = ["galex_nuv", "sdss_u", "sdss_g", "sdss_r", "sdss_i", "sdss_z", "vista_y"];

impl PublishedGalaxies {
    /// The table compiled in.
    #[must_use]
    pub fn load() -> Self {
        Self { rows: numbers(include_str!("../../data/galaxy_counts_bands.csv")) }
    }
    /// Bands for which there are counts.
    #[must_use]
    pub fn bands() -> &'static [&'static str] {
        &PUBLISHED
    }
    /// AB magnitude, lg of the galaxies per mag and deg2, and the scatter of surveys about it \[dex\], every half magnitude; none for other bands.
    #[must_use]
    pub fn of(&self, band: &str) -> Option<Vec<(f64, f64, f64)>> {
        let k = PUBLISHED.iter().position(|b| *b == band)?;
        let row = |r: &Vec<f64>| (r[0], r[1 + k], r[1 + PUBLISHED.len() + k]);
        Some(self.rows.iter().map(row).filter(|r| r.1.is_finite()).collect())
    }
    /// Galaxies per deg2 between two AB magnitudes in a band; none where the table has not all of it.
    #[must_use]
    pub fn between_deg2(&self, band: &str, bright: f64, faint: f64) -> Option<f64> {
        let rows = self.of(band)?;
        let covers = bright >= rows[0].0 && faint <= rows[rows.len() - 1].0;
        let (m, lg): (Vec<f64>, Vec<f64>) = rows.iter().map(|r| (r.0, r.1)).unzip();
        let at = |x: f64| 10.0_f64.powf(crate::table::held(&m, &lg, x));
        // Steps of a tenth at most, each a log-linear piece.
        let steps = ((faint - bright) / 0.1).ceil().max(1.0);
        let step = (faint - bright) / steps;
        covers.then(|| (0..steps as usize).map(|k| bright + step * k as f64).map(|x| piece(at(x), at(x + step), step)).sum())
    }
}

/// The inverse of a cumulative count: magnitude of a uniform number.
#[derive(Debug, Clone)]
pub struct MagnitudeLaw {
    magnitude: Vec<f64>,
    cumulative: Vec<f64>,
}

impl MagnitudeLaw {
    /// From a function that gives the count between two magnitudes \[1 / deg2\], tabulated at `step`.
    #[must_use]
    pub fn new(bright: f64, faint: f64, step: f64, between: impl Fn(f64, f64) -> f64) -> Self {
        let pieces = ((faint - bright) / step).ceil().max(1.0) as usize;
        let magnitude: Vec<f64> = (0..=pieces).map(|k| bright + (faint - bright) * k as f64 / pieces as f64).collect();
        let mut cumulative = vec![0.0];
        for m in magnitude.windows(2) {
            cumulative.push(cumulative[cumulative.len() - 1] + between(m[0], m[1]));
        }
        Self { magnitude, cumulative }
    }
    /// All objects \[1 / deg2\].
    #[must_use]
    pub fn total_deg2(&self) -> f64 {
        self.cumulative[self.cumulative.len() - 1]
    }
    /// Objects between two magnitudes \[1 / deg2\].
    #[must_use]
    pub fn between_deg2(&self, bright: f64, faint: f64) -> f64 {
        let to = |m: f64| crate::table::held(&self.magnitude, &self.cumulative, m);
        to(faint) - to(bright)
    }
    /// The magnitude below which a fraction `u` of the objects lies.
    #[must_use]
    pub fn quantile(&self, u: f64) -> f64 {
        crate::table::held(&self.cumulative, &self.magnitude, u * self.total_deg2())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn galaxy_counts_agree_with_the_lsst_science_book() {
        // N(<i) = 46 x 10^(0.31 (i - 25)) per arcmin2 (LSST Science Book, section 3.7): 165,600 per deg2 at 25. Within 10 %.
        let n = GalaxyCounts::load().between_deg2(16.0, 25.0);
        assert!((n / 165_600.0 - 1.0).abs() < 0.1, "{n}");
    }

    #[test]
    fn the_magnitude_law_inverts_its_cumulative() {
        let counts = GalaxyCounts::load();
        let law = MagnitudeLaw::new(18.0, 26.0, 0.05, |a, b| counts.between_deg2(a, b));
        assert!((law.total_deg2() / counts.between_deg2(18.0, 26.0) - 1.0).abs() < 1e-9);
        for m in [19.0, 22.5, 25.9] {
            let u = counts.between_deg2(18.0, m) / law.total_deg2();
            assert!((law.quantile(u) - m).abs() < 0.01);
        }
    }
}
