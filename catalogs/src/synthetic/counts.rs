//! How many galaxies there are, by magnitude.
//!
//! # Effect
//! The density of the field.
//! # Formula
//! Galaxies, per mag and deg2: lg n linear in i between the tabulated magnitudes.
//! # Symbols
//! i AB magnitude; n galaxies / mag / deg2. Other bands: for comparison.
//! # Source
//! Compilation of Driver et al. 2016 (ApJ 827, 108), table 3, with COSMOS2020 (Weaver et al. 2022, ApJS 258, 11), table 2, in i: GAMA, COSMOS and HST
//! brought to one set of bands and joined (`data/SOURCES.md`).
//! # Limits
//! i 16 to 29. Errors are those of the joined counts or, where larger, the scatter of surveys about them: 6 % at i = 18, 7 to 15 % at 20 to 25, 17 % at 27.
//! # Twin
//! None.

use crate::table::numbers;

/// Published galaxy counts in a band.
#[derive(Debug, Clone)]
pub struct GalaxyCounts {
    magnitude: Vec<f64>,
    log10_density: Vec<f64>,
    error_dex: Vec<f64>,
}

/// Bands of the table, in its order.
const BANDS: [&str; 7] = ["galex_nuv", "sdss_u", "sdss_g", "sdss_r", "sdss_i", "sdss_z", "vista_y"];

impl GalaxyCounts {
    /// Those in i, of which the field is made.
    #[must_use]
    pub fn load() -> Self {
        Self::of("sdss_i").expect("a band of the table")
    }
    /// Those in a band; none for other bands than [`GalaxyCounts::bands`].
    #[must_use]
    pub fn of(band: &str) -> Option<Self> {
        let k = BANDS.iter().position(|b| *b == band)?;
        let rows = numbers(include_str!("../../data/galaxy_counts_bands.csv"));
        let known = || rows.iter().filter(|r| r[1 + k].is_finite());
        let column = |place: usize| known().map(|r| r[place]).collect();
        Some(Self { magnitude: column(0), log10_density: column(1 + k), error_dex: column(1 + BANDS.len() + k) })
    }
    /// Bands in which there are counts.
    #[must_use]
    pub fn bands() -> &'static [&'static str] {
        &BANDS
    }
    /// Magnitudes covered.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        (self.magnitude[0], self.magnitude[self.magnitude.len() - 1])
    }
    /// Error of the counts at a magnitude \[dex\].
    #[must_use]
    pub fn error_dex(&self, magnitude: f64) -> f64 {
        crate::table::held(&self.magnitude, &self.error_dex, magnitude)
    }
    /// Whether the counts cover all between two magnitudes.
    #[must_use]
    pub fn covers(&self, bright: f64, faint: f64) -> bool {
        bright >= self.range().0 && faint <= self.range().1
    }
    /// Galaxies per mag and deg2 at a magnitude.
    #[must_use]
    pub fn per_mag_deg2(&self, magnitude: f64) -> f64 {
        10.0_f64.powf(crate::table::held(&self.magnitude, &self.log10_density, magnitude))
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
    fn there_are_more_galaxies_of_a_magnitude_the_redder_the_band() {
        // Galaxies are redder than flat f_nu on average, and smooth: z has more than i and fewer than y.
        let [i, z, y] = ["sdss_i", "sdss_z", "vista_y"].map(|b| GalaxyCounts::of(b).unwrap());
        for k in 0..=24 {
            let m = 16.0 + 0.5 * f64::from(k);
            let [i, z, y] = [&i, &z, &y].map(|c| c.per_mag_deg2(m));
            assert!(i < z && z < y, "{m}: {i} {z} {y}");
        }
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
