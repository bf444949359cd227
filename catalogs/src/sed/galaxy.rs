//! Galaxy spectra: the four types of Coleman, Wu & Weedman and the mixtures between neighbours.
//!
//! # Formula
//! f(c) = (1 - t) f_k + t f_(k+1), c = k + t, both normalised at 550 nm.
//! # Source
//! `data/sed/SOURCES.md`.
//! # Limits
//! 91 to 2205 nm at rest; nothing below the Lyman limit. No emission lines beyond those in the observed spectra, no
//! absorption by intergalactic hydrogen: beyond redshift 2 the shortest bands are too bright. 20 to 30 nm resolution
//! in the far ultraviolet.

use crate::table::columns;
use sim_core::spectrum::Spectrum;
use sim_core::units::Nanometre;
use std::sync::Arc;

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

/// Mixtures between neighbouring types.
const STEPS: usize = 8;

#[derive(Debug, Clone)]
pub(super) struct GalaxyGrid {
    spectra: Vec<Arc<Spectrum>>,
}

impl GalaxyGrid {
    pub(super) fn new() -> Self {
        let pure: Vec<Spectrum> = FILES
            .iter()
            .map(|(name, text)| {
                let (w, f) = columns(text, 0, 1);
                Spectrum::new(format!("cww_{name}"), w, f).expect("the compiled galaxy spectra are valid")
            })
            .collect();
        let mut spectra = Vec::new();
        for (k, pair) in pure.windows(2).enumerate() {
            spectra.push(Arc::new(pair[0].clone()));
            for step in 1..STEPS {
                let t = step as f64 / STEPS as f64;
                spectra.push(Arc::new(mixture(&pair[0], &pair[1], t, &format!("cww_{}_{}_{t}", FILES[k].0, FILES[k + 1].0))));
            }
        }
        spectra.push(Arc::new(pure[3].clone()));
        Self { spectra }
    }
    pub(super) fn at(&self, coordinate: f64) -> Arc<Spectrum> {
        let index = (coordinate.clamp(0.0, 3.0) * STEPS as f64).round() as usize;
        self.spectra[index.min(self.spectra.len() - 1)].clone()
    }
}

fn mixture(a: &Spectrum, b: &Spectrum, t: f64, name: &str) -> Spectrum {
    let mut wavelength_nm: Vec<f64> = a.wavelength_nm().iter().chain(b.wavelength_nm()).copied().collect();
    wavelength_nm.sort_by(f64::total_cmp);
    wavelength_nm.dedup();
    let flux = wavelength_nm.iter().map(|&w| (1.0 - t) * a.at(Nanometre(w)) + t * b.at(Nanometre(w))).collect();
    Spectrum::new(name, wavelength_nm, flux).expect("a mixture of valid spectra is valid")
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
            let sed = Sed::rest(grid.at(c));
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
        let at = |c, w| grid.at(c).at(Nanometre(w));
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
            let sed = Sed { template: grid.at(0.0), redshift: z, extinction: None };
            -2.5 * (bands.by_name("sdss_r").unwrap().mean_fnu(&sed) / bands.sdss_i().mean_fnu(&sed)).log10()
        };
        // At z = 0.7 to 0.8 the break lies between r and i.
        assert!(r_i(0.75) > r_i(0.2) + 0.5 && r_i(0.75) > 1.0, "{} {}", r_i(0.75), r_i(0.2));
    }
}
