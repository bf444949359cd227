//! Absorption by hydrogen between the galaxies.
//!
//! # Effect
//! Light bluer than Lyman alpha at the source is absorbed on its way: galaxies drop out of blue bands.
//! # Formula
//! tau(lambda, z) = sum over the Lyman series of A_j,LAF (lambda / lambda_j)^(1.2, 3.7, 5.5) + A_j,DLA (lambda / lambda_j)^(2, 3) for
//! lambda_j < lambda < lambda_j (1 + z), lambda observed; breaks at 2.2, 5.7 (forest) and 3.0 (damped) times lambda_j.
//! # Symbols
//! LAF Lyman alpha forest, DLA damped systems; lambda_j wavelength of line j.
//! # Source
//! Inoue et al. 2014 (MNRAS 442, 1805), equations 20 to 22, table 2 (`data/sed/igm_inoue2014.csv`).
//! # Limits
//! The mean over sightlines; none of the continuum below 91.2 nm, where the templates have no light.
//! # Twin
//! None.

use crate::table::numbers;

/// Coefficients of the Lyman series: wavelength \[nm\], three of the forest, two of damped systems.
#[derive(Debug, Clone)]
pub(crate) struct Hydrogen {
    rows: Vec<[f64; 6]>,
}

impl Hydrogen {
    pub(crate) fn load() -> Self {
        let rows = numbers(include_str!("../../data/sed/igm_inoue2014.csv"));
        Self { rows: rows.into_iter().map(|r| std::array::from_fn(|k| r[k])).collect() }
    }
    /// Transmission at a wavelength at rest \[nm\] of a source at a redshift.
    pub(crate) fn transmission(&self, rest_nm: f64, redshift: f64) -> f64 {
        let observed = rest_nm * (1.0 + redshift);
        let mut tau = 0.0;
        for row in &self.rows {
            let x = observed / row[0];
            if x <= 1.0 || rest_nm >= row[0] {
                continue;
            }
            tau += match x {
                x if x < 2.2 => row[1] * x.powf(1.2),
                x if x < 5.7 => row[2] * x.powf(3.7),
                x => row[3] * x.powf(5.5),
            };
            tau += if x < 3.0 { row[4] * x * x } else { row[5] * x * x * x };
        }
        (-tau).exp()
    }
    /// Wavelengths at rest between which the transmission is taken as straight \[nm\]: a grid of 0.5 nm and both sides of the first two
    /// lines, whose edges become ramps of 0.8 nm: quadratures of 200 intervals a band see those to 1e-4, steps to 2e-3 only.
    pub(crate) fn nodes(&self) -> Vec<f64> {
        let edges = self.rows.iter().take(2).flat_map(|r| [r[0] - 0.4, r[0] + 0.4]);
        let inside = |w: &f64| self.rows.iter().take(2).all(|r| (w - r[0]).abs() > 0.4);
        edges.chain((0..62).map(|k| 91.2 + 0.5 * f64::from(k)).filter(inside)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forest_takes_what_was_published_and_nothing_redwards_of_lyman_alpha() {
        let h = Hydrogen::load();
        // By hand just below Lyman alpha at z = 3: x = 4, 0.00235379 x 4^3.7 + 5.38995e-5 x 64 = 0.3975 + 0.0034.
        assert!((h.transmission(121.5669, 3.0) - (-0.4010_f64).exp()).abs() < 2e-3, "{}", h.transmission(121.5669, 3.0));
        assert!((h.transmission(121.57, 5.0) - 1.0).abs() < 1e-15);
        // Mean transmission between Lyman beta and alpha at z = 5 is near 0.15 and falls to below 0.01 at 6.5.
        assert!((0.05..0.25).contains(&h.transmission(115.0, 5.0)), "{}", h.transmission(115.0, 5.0));
        assert!(h.transmission(115.0, 6.5) < 0.02);
        assert!(h.transmission(102.5, 3.0) < h.transmission(102.6, 3.0), "Lyman beta joins below its own wavelength");
    }
}
