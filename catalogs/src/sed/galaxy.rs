//! Galaxy spectra: the four types of Coleman, Wu & Weedman, a younger one, mixtures between neighbours; lines, dust, hydrogen on the way.
//!
//! # Effect
//! A galaxy has the spectrum of its type, its dust and its redshift.
//! # Formula
//! f = ((1 - t) f_k + t f_(k+1) + lines) 10^(-0.4 k E_s) T_H(lambda (1 + z), z), c = k + t, continua normalised at 550 nm.
//! # Symbols
//! c coordinate: 0 E, 1 Sbc, 2 Scd, 3 Im, 4 young (Im without a dust of E_s = 0.1); E_s further dust \[mag\]; T_H transmission of hydrogen.
//! # Source
//! `data/sed/SOURCES.md`; `lines.rs`, `dust.rs`, `hydrogen.rs`. The lines that the published continua contain (\[O II\], H beta, \[O III\])
//! are cut out, straight across, and replaced. E to Sbc: the share t of the lines.
//! # Limits
//! 91 to 2205 nm at rest; nothing below the Lyman limit. The continua have the dust of the galaxies they were observed in. 20 to 30 nm
//! resolution in the far ultraviolet. Spectra are shared on a grid: 1/8 in c, 0.1 mag in E_s (0 to 0.3), 0.1 in the redshift of T_H (from 0.9);
//! each is made when first asked for, 7 kB, at most 8,052.
//! # Twin
//! None.

use super::hydrogen::Hydrogen;
use super::{dust, lines};
use crate::table::columns;
use sim_core::spectrum::Spectrum;
use sim_core::units::Nanometre;
use std::sync::{Arc, OnceLock};

/// A galaxy type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GalaxyType {
    /// Elliptical.
    E,
    /// Early spiral.
    Sbc,
    /// Late spiral.
    Scd,
    /// Irregular.
    Im,
}

impl GalaxyType {
    /// Place in the sequence: 0, 1, 2, 3.
    #[must_use]
    pub fn coordinate(self) -> f64 {
        f64::from(self as u8)
    }
}

const FILES: [(&str, &str); 4] = [
    ("e", include_str!("../../data/sed/cww_e.csv")),
    ("sbc", include_str!("../../data/sed/cww_sbc.csv")),
    ("scd", include_str!("../../data/sed/cww_scd.csv")),
    ("im", include_str!("../../data/sed/cww_im.csv")),
];

/// Coordinate of the youngest spectrum.
pub(crate) const YOUNGEST: f64 = 4.0;
/// Mixtures between neighbouring types.
const STEPS: usize = 8;
const TYPES: usize = 4 * STEPS + 1;
/// Levels of dust and their step \[mag\].
const DUSTS: usize = 4;
const DUST_STEP: f64 = 0.1;
/// Redshifts of hydrogen: none, then from 1 in equal steps.
const REDSHIFTS: usize = 61;
const REDSHIFT_STEP: f64 = 0.1;
/// Where the published continua have lines \[nm\].
const CUT_NM: [(f64, f64); 3] = [(366.0, 378.0), (482.0, 490.0), (490.0, 506.0)];
/// Dust that is taken off the youngest spectrum \[mag\].
const YOUNG_E: f64 = 0.1;

/// The grid; each spectrum is made when first asked for.
#[derive(Debug, Clone)]
pub(super) struct GalaxyGrid {
    continua: Vec<Spectrum>,
    hydrogen: Hydrogen,
    slots: Vec<OnceLock<Arc<Spectrum>>>,
}

impl GalaxyGrid {
    pub(super) fn new() -> Self {
        let mut continua: Vec<Spectrum> = FILES
            .iter()
            .map(|(name, text)| {
                let rows = columns(text, 0, 1);
                let inside = |w: f64| CUT_NM.iter().any(|(low, high)| w > *low && w < *high);
                let (w, f): (Vec<f64>, Vec<f64>) = rows.0.into_iter().zip(rows.1).filter(|(w, _)| *name == "e" || !inside(*w)).unzip();
                // The table ends at the Lyman limit: a ramp of 1 nm, not a step between two nodes of a quadrature.
                let first = w[0] - 1.0;
                let (w, f) = (std::iter::once(first).chain(w).collect(), std::iter::once(0.0).chain(f).collect());
                Spectrum::new(format!("cww_{name}"), w, f).expect("the compiled galaxy spectra are valid")
            })
            .collect();
        let last = &continua[3];
        let clear = |w: f64| 10.0_f64.powf(0.4 * YOUNG_E * (dust::calzetti(w) - dust::calzetti(550.0)));
        let flux = last.wavelength_nm().iter().zip(last.flux_lambda()).map(|(&w, f)| f * clear(w)).collect();
        continua.push(Spectrum::new("young", last.wavelength_nm().to_vec(), flux).expect("a valid spectrum times a finite curve"));
        Self { continua, hydrogen: Hydrogen::load(), slots: (0..TYPES * DUSTS * REDSHIFTS).map(|_| OnceLock::new()).collect() }
    }
    /// The spectrum nearest to a coordinate, a dust \[mag\] and a redshift.
    pub(super) fn at(&self, coordinate: f64, e_s: f64, redshift: f64) -> Arc<Spectrum> {
        let kind = ((coordinate.clamp(0.0, YOUNGEST) * STEPS as f64).round() as usize).min(TYPES - 1);
        let level = ((e_s.max(0.0) / DUST_STEP).round() as usize).min(DUSTS - 1);
        let far = (((redshift - 0.9).max(0.0) / REDSHIFT_STEP).round() as usize).min(REDSHIFTS - 1);
        self.slots[(kind * DUSTS + level) * REDSHIFTS + far].get_or_init(|| Arc::new(self.make(kind, level, far))).clone()
    }
    fn make(&self, kind: usize, level: usize, far: usize) -> Spectrum {
        let lower = (kind / STEPS).min(self.continua.len() - 2);
        let t = (kind - lower * STEPS) as f64 / STEPS as f64;
        let (a, b) = (&self.continua[lower], &self.continua[lower + 1]);
        let (e_s, z) = (DUST_STEP * level as f64, 0.9 + REDSHIFT_STEP * far as f64);
        let forming = (kind as f64 / STEPS as f64).min(1.0);
        let mut wavelength_nm: Vec<f64> = a.wavelength_nm().iter().chain(b.wavelength_nm()).copied().collect();
        if forming > 0.0 {
            wavelength_nm.extend(lines::nodes());
        }
        if far > 0 {
            let (low, high) = (91.2, 122.0);
            wavelength_nm.extend(self.hydrogen.nodes().into_iter().filter(|w| *w > low && *w < high));
        }
        wavelength_nm.sort_by(f64::total_cmp);
        wavelength_nm.dedup();
        let continuum = |w: f64| (1.0 - t) * a.at(Nanometre(w)) + t * b.at(Nanometre(w));
        let ultraviolet = forming * continuum(150.0);
        let screen = |w: f64, e: f64| 10.0_f64.powf(-0.4 * e * dust::calzetti(w));
        let flux = wavelength_nm
            .iter()
            .map(|&w| {
                let gas = lines::flux(w, ultraviolet, |line| screen(line, e_s / dust::STARS_OVER_GAS));
                let hydrogen = if far > 0 && w < 122.0 { self.hydrogen.transmission(w, z) } else { 1.0 };
                (continuum(w) * screen(w, e_s) + gas) * hydrogen
            })
            .collect();
        let name = match (kind % STEPS, level, far) {
            (0, 0, 0) => self.continua[kind / STEPS].name.clone(),
            _ => format!("galaxy_{:.3}_dust_{e_s:.1}_z_{:.1}", kind as f64 / STEPS as f64, if far > 0 { z } else { 0.0 }),
        };
        Spectrum::new(name, wavelength_nm, flux).expect("a product of valid curves is valid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::band::ReferenceBands;
    use sim_core::spectrum::Sed;

    #[test]
    fn present_day_galaxies_have_the_published_colours() {
        let bands = ReferenceBands::load();
        let grid = GalaxyGrid::new();
        // Remembered from Fukugita, Shimasaku & Ichikawa 1995 (PASP 107, 945), table 3, not confirmed: SDSS g'-r' of E 0.77, Sbc 0.52,
        // Scd 0.48, Im 0.20 (synthetic colours of other spectra; scatter about 0.1).
        let colour = |c| {
            let sed = Sed::rest(grid.at(c, 0.0, 0.0));
            -2.5 * (bands.sdss_g().mean_fnu(&sed) / bands.by_name("sdss_r").unwrap().mean_fnu(&sed)).log10()
        };
        for (c, published) in [(0.0, 0.77), (1.0, 0.52), (2.0, 0.48), (3.0, 0.20)] {
            assert!((colour(c) - published).abs() < 0.15, "type {c}: g-r {} against {published}", colour(c));
        }
        assert!(colour(0.0) > colour(0.5) && colour(0.5) > colour(1.0));
    }

    #[test]
    fn a_mixture_is_the_weighted_sum_and_types_are_normalised_at_550_nm() {
        let grid = GalaxyGrid::new();
        let at = |c, w| grid.at(c, 0.0, 0.0).at(Nanometre(w));
        assert!((at(0.5, 333.0) - 0.5 * (at(0.0, 333.0) + at(1.0, 333.0))).abs() < 1e-12);
        for c in [0.0, 1.0, 2.0, 3.0] {
            assert!((at(c, 550.0) - 1.0).abs() < 0.02, "{}", at(c, 550.0));
        }
    }

    #[test]
    fn the_4000_angstrom_break_of_an_elliptical_passes_the_i_band_near_redshift_0_9() {
        let bands = ReferenceBands::load();
        let grid = GalaxyGrid::new();
        let r_i = |z| {
            let sed = Sed { template: grid.at(0.0, 0.0, z), redshift: z, extinction: None };
            -2.5 * (bands.by_name("sdss_r").unwrap().mean_fnu(&sed) / bands.sdss_i().mean_fnu(&sed)).log10()
        };
        // At z = 0.7 to 0.8 the break lies between r and i.
        assert!(r_i(0.75) > r_i(0.2) + 0.5 && r_i(0.75) > 1.0, "{} {}", r_i(0.75), r_i(0.2));
    }

    #[test]
    fn galaxies_drop_out_of_bands_bluer_than_lyman_alpha() {
        let bands = ReferenceBands::load();
        let grid = GalaxyGrid::new();
        let colour = |blue: &str, red: &str, z: f64| {
            let sed = Sed { template: grid.at(3.5, 0.0, z), redshift: z, extinction: None };
            let flux = |name: &str| bands.by_name(name).unwrap().mean_fnu(&sed);
            -2.5 * (flux(blue) / flux(red)).log10()
        };
        // Lyman breaks: u at z = 3.2 (Steidel et al. 2003 select U - G > G - R + 1), g at z = 4 (g - r > 1), r at z = 5 (r - i > 1).
        assert!(colour("sdss_u", "sdss_g", 3.2) > 1.5 && colour("sdss_g", "sdss_r", 3.2) < 1.0);
        assert!(colour("sdss_g", "sdss_r", 4.2) > 1.2 && colour("sdss_r", "sdss_i", 4.2) < 0.6);
        assert!(colour("sdss_r", "sdss_i", 5.2) > 1.0);
        assert!(colour("sdss_u", "sdss_g", 1.5).abs() < 0.6);
    }

    #[test]
    fn lines_have_the_width_that_their_ultraviolet_says_and_dust_reddens_them_more() {
        let grid = GalaxyGrid::new();
        // Area above the continuum between 483 and 489.5 nm (H beta) by the trapezoidal rule, over 1.33 x 0.61 / 1.77 f(150 nm).
        let area = |e_s: f64| {
            let s = grid.at(3.0, e_s, 0.0);
            let at = |w: f64| s.at(Nanometre(w));
            let step = 0.01;
            let (low, high) = (483.0, 489.5);
            let sum: f64 = (0..650).map(|k| at(low + step * (f64::from(k) + 0.5)) * step).sum();
            sum - 0.5 * (at(low) + at(high)) * (high - low)
        };
        let wanted = 1.33 * 0.61 / 1.77 * grid.at(3.0, 0.0, 0.0).at(Nanometre(150.0));
        // Straight lines between samples of half a sigma: 1 % of the profile at most.
        assert!((area(0.0) / wanted - 1.0).abs() < 0.02, "{} {wanted}", area(0.0));
        let dimmed = 10.0_f64.powf(-0.4 * 0.2 / 0.44 * dust::calzetti(486.27));
        assert!((area(0.2) / area(0.0) / dimmed - 1.0).abs() < 0.02);
        assert!(Arc::ptr_eq(&grid.at(1.01, 0.02, 0.3), &grid.at(0.99, 0.0, 0.0)), "neighbours share a spectrum");
    }
}
