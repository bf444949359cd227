//! How many stars and galaxies there are, by magnitude.
//!
//! # Effect
//! The density of the field.
//! # Formula
//! Stars, per deg2 brighter than V, |b| >= 20 deg: N = C1 10^(beta d) / (1 + 10^(alpha d))^delta / (sin b (1 - mu cot b cos l))^(3 - 5 gamma)
//! \+ C2 10^(eta e) / (1 + 10^(kappa e))^lambda / (1 - cos b cos l)^sigma, d = V - 15.75, e = V - 17.5.
//! Galaxies, per mag and deg2: lg n linear in i between the tabulated magnitudes.
//! # Symbols
//! Disk term: C1 = 925, beta = 0.035, alpha = -0.132, delta = 3; mu = 0.03, gamma = 0.36 for V <= 12, mu = 0.09, gamma = 0.04 for
//! V >= 20, linear between. Spheroid term: C2 = 1050, eta = 0.087, kappa = -0.18, lambda = 2.5, sigma = 1.45 - 0.2 cos b cos l.
//! # Source
//! Stars: Bahcall & Soneira 1980 (ApJS 44, 73), appendix B (integrated counts in V; good to 15 % against their model); formula and
//! every constant as in the routine `atStarCountsFind` of the SDSS astrotools.
//! Galaxies: COSMOS2020, Weaver et al. 2022 (ApJS 258, 11), table 2, i band, 19.25 to 26.75 (checked against the table in the
//! package `galcv`-style collections of number counts: every row); brighter with the Euclidean slope 0.6, fainter with 0.2 (assumed).
//! # Limits
//! Stars V 5 to 28, |b| below 20 deg is held at 20 deg. Galaxies i 16 to 28.75.
//! # Twin
//! None.

use crate::table::columns;

/// Star counts brighter than a magnitude, by population \[1 / deg2\].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StarCount {
    /// Disk.
    pub disk: f64,
    /// Spheroid (halo).
    pub spheroid: f64,
}

impl StarCount {
    /// Both.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.disk + self.spheroid
    }
}

/// Smallest galactic latitude of the formula \[deg\].
pub const LEAST_LATITUDE_DEG: f64 = 20.0;

/// Stars per deg2 brighter than `v` at a galactic position \[deg\].
#[must_use]
pub fn star_count_deg2(l_deg: f64, b_deg: f64, v: f64) -> StarCount {
    let (l, b) = (l_deg.to_radians(), b_deg.abs().max(LEAST_LATITUDE_DEG).to_radians());
    let rise = ((v - 12.0) / 8.0).clamp(0.0, 1.0);
    let (mu, gamma) = (0.03 + 0.06 * rise, 0.36 - 0.32 * rise);
    let sigma = 1.45 - 0.2 * b.cos() * l.cos();
    let (d, e) = (v - 15.75, v - 17.5);
    let ten = |x: f64| 10.0_f64.powf(x);
    StarCount {
        disk: 925.0 * ten(0.035 * d) / (1.0 + ten(-0.132 * d)).powi(3) / (b.sin() * (1.0 - mu / b.tan() * l.cos())).powf(3.0 - 5.0 * gamma),
        spheroid: 1050.0 * ten(0.087 * e) / (1.0 + ten(-0.18 * e)).powf(2.5) / (1.0 - b.cos() * l.cos()).powf(sigma),
    }
}

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
    fn star_counts_at_the_pole_are_those_of_the_model() {
        // By hand at V = 15.75, b = 90 deg (all position factors 1): disk 925 / 2^3 = 115.6; spheroid at e = -1.75:
        // 1050 x 10^-0.15225 / (1 + 10^0.315)^2.5 = 739.5 / 16.39 = 45.1.
        let n = star_count_deg2(0.0, 90.0, 15.75);
        assert!((n.disk - 115.6).abs() < 0.1, "{n:?}");
        assert!((n.spheroid - 45.1).abs() < 0.5, "{n:?}");
        let low = star_count_deg2(90.0, 30.0, 20.0).total() / star_count_deg2(90.0, 90.0, 20.0).total();
        assert!((2.0..4.0).contains(&low), "more stars towards the plane: {low}");
        assert_eq!(star_count_deg2(50.0, 3.0, 18.0), star_count_deg2(50.0, -20.0, 18.0));
    }

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
