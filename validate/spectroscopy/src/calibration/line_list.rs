//! Emission lines of planetary nebulae, 255 to 1000 nm.
//!
//! # Formula
//! `lambda_vacuum = n lambda_air`, `n - 1 = 8.34254e-5 + 2.406147e-2 / (130 - s^2) + 1.5998e-4 / (38.9 - s^2)`, `s = 1 / lambda [1/um]`.
//! # Symbols
//! strength  typical, H-beta = 100; matching and unresolved blends use it, a resolved line's flux is fitted
//! # Source
//! Air wavelengths: laboratory values as in tables of nebular lines (Osterbrock & Ferland 2006; van Hoof's list). n: Birch & Downs 1994 as Morton 2000
//! gives it. Strengths: assumed, of a dense nebula of middle excitation (electron density near 1e4 per cm3).
//! # Limits
//! Strengths differ between nebulae by factors of some. Radial velocities are the caller's ([`vacuum_list`]).

/// Lines that always come in one ratio: one feature.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    /// Name: ion and air wavelength in Angstrom as the literature calls it.
    pub name: String,
    /// Vacuum wavelengths \[nm\] and strengths.
    pub components: Vec<(f64, f64)>,
    /// Error of the effective wavelength because the ratio of close components is not known \[nm\].
    pub blend_error_nm: f64,
}

impl Feature {
    /// Vacuum wavelength of the strongest component \[nm\].
    #[must_use]
    pub fn main_nm(&self) -> f64 {
        self.components.iter().fold((0.0, 0.0), |best, &(w, s)| if s > best.1 { (w, s) } else { best }).0
    }
    /// Strength of all components.
    #[must_use]
    pub fn strength(&self) -> f64 {
        self.components.iter().map(|c| c.1).sum()
    }
}

/// Vacuum wavelength of an air wavelength \[nm\]; air of 15 degrees Celsius and 101325 Pa.
#[must_use]
pub fn vacuum_nm(air_nm: f64) -> f64 {
    let mut vacuum = air_nm;
    for _ in 0..3 {
        let s2 = (1e3 / vacuum).powi(2);
        vacuum = air_nm * (1.0 + 8.342_54e-5 + 2.406_147e-2 / (130.0 - s2) + 1.599_8e-4 / (38.9 - s2));
    }
    vacuum
}

/// Name, components (air wavelength \[Angstrom\], strength), error of the blend \[nm\].
type Row = (&'static str, &'static [(f64, f64)], f64);

/// Ratios fixed by atomic physics: [N II] 1 : 2.96, [O III] and [Ne III] pairs are resolved and stay apart.
const ROWS: &[Row] = &[
    ("HeII 2733", &[(2733.30, 5.0)], 0.0),
    ("MgII 2796+2803", &[(2795.53, 6.0), (2802.71, 3.0)], 0.03),
    ("HeII 3203", &[(3203.10, 9.0)], 0.0),
    ("[NeV] 3346", &[(3345.83, 8.0)], 0.0),
    ("[NeV] 3426", &[(3425.87, 22.0)], 0.0),
    ("[OII] 3726+3729", &[(3726.03, 40.0), (3728.82, 20.0)], 0.02),
    ("[NeIII] 3869", &[(3868.75, 80.0)], 0.0),
    ("H8+HeI 3889", &[(3889.05, 10.5), (3888.65, 9.0)], 0.005),
    ("[NeIII] 3967", &[(3967.46, 24.0)], 0.0),
    ("H-epsilon", &[(3970.07, 16.0)], 0.0),
    ("H-delta", &[(4101.74, 26.0)], 0.0),
    ("H-gamma", &[(4340.47, 47.0)], 0.0),
    ("[OIII] 4363", &[(4363.21, 12.0)], 0.0),
    ("HeI 4471", &[(4471.50, 5.0)], 0.0),
    ("HeII 4686", &[(4685.68, 20.0)], 0.0),
    ("[ArIV] 4711+HeI 4713", &[(4711.37, 3.0), (4713.15, 0.7)], 0.02),
    ("[ArIV] 4740", &[(4740.17, 4.0)], 0.0),
    ("H-beta", &[(4861.33, 100.0)], 0.0),
    ("[OIII] 4959", &[(4958.91, 330.0)], 0.0),
    ("[OIII] 5007", &[(5006.84, 1000.0)], 0.0),
    ("HeII 5412", &[(5411.52, 1.6)], 0.0),
    ("[NII] 5755", &[(5754.64, 2.0)], 0.0),
    ("HeI 5876", &[(5875.64, 15.0)], 0.0),
    ("[OI] 6300+[SIII] 6312", &[(6300.30, 7.0), (6312.10, 1.5)], 0.1),
    ("[OI] 6364", &[(6363.78, 2.3)], 0.0),
    ("H-alpha", &[(6562.80, 290.0)], 0.0),
    ("[NII] 6548+6583", &[(6583.45, 60.0), (6548.05, 20.27)], 0.0),
    ("HeI 6678", &[(6678.15, 4.0)], 0.0),
    ("[SII] 6716", &[(6716.44, 3.0)], 0.0),
    ("[SII] 6731", &[(6730.82, 5.0)], 0.0),
    ("HeI 7065", &[(7065.25, 7.0)], 0.0),
    ("[ArIII] 7136", &[(7135.79, 18.0)], 0.0),
    ("[OII] 7320", &[(7318.92, 1.7), (7319.99, 5.4)], 0.01),
    ("[OII] 7330", &[(7329.67, 2.9), (7330.73, 2.8)], 0.01),
    ("[ArIII] 7751", &[(7751.10, 4.5)], 0.0),
    ("Pa 11", &[(8862.78, 1.4)], 0.0),
    ("Pa 10", &[(9014.91, 1.8)], 0.0),
    ("[SIII] 9069", &[(9068.60, 25.0)], 0.0),
    ("Pa 9", &[(9229.01, 2.5)], 0.0),
    ("[SIII] 9531", &[(9530.60, 62.0)], 0.0),
    ("Pa-epsilon", &[(9545.97, 3.7)], 0.0),
];

/// The list, moved by a radial velocity \[km/s, away from us positive\].
#[must_use]
pub fn vacuum_list(velocity_km_s: f64) -> Vec<Feature> {
    let factor = 1.0 + velocity_km_s / 299_792.458;
    ROWS.iter()
        .map(|(name, components, blend_error_nm)| Feature {
            name: (*name).into(),
            components: components.iter().map(|&(air, strength)| (factor * vacuum_nm(0.1 * air), strength)).collect(),
            blend_error_nm: *blend_error_nm,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vacuum_wavelengths_are_the_published_ones() {
        // Vacuum values in wide use: H-alpha 656.461, [O III] 500.824, [O II] 372.7092 nm.
        for (air, vacuum) in [(656.280, 656.461), (500.684, 500.824), (372.603, 372.709), (953.06, 953.32)] {
            assert!((vacuum_nm(air) - vacuum).abs() < 2e-3, "{air}: {}", vacuum_nm(air));
        }
    }

    #[test]
    fn names_are_unique_and_components_positive() {
        let list = vacuum_list(0.0);
        let names: std::collections::BTreeSet<&str> = list.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names.len(), list.len());
        assert!(list.iter().all(|f| f.main_nm() > 255.0 && f.main_nm() < 1000.0 && f.strength() > 0.0));
    }
}
