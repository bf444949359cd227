//! Bands in which catalogues state magnitudes: SDSS u g r i z, Gaia G, Bessell V and B, GALEX NUV, VISTA Y.
//!
//! # Limits
//! The published curves (`data/band/SOURCES.md`), thinned so that straight lines between samples miss none by more than
//! 0.2 % of the peak. Responses are relative and per photon; only colours through them matter. SDSS u without its red
//! leak at 770 nm.

use crate::table::columns;
use sim_core::bandpass::Bandpass;
use std::sync::Arc;

/// AB minus Vega magnitude in Gaia G: difference of the EDR3 zero points 25.8010446445 (AB, +-0.0028) and 25.6873668671
/// (Vega, +-0.0028) of the Gaia EDR3 passband page (cosmos.esa.int/web/gaia/edr3-passbands; Riello et al. 2021, A&A 649, A3).
pub const GAIA_G_AB_MINUS_VEGA: f64 = 25.801_044_644_5 - 25.687_366_867_1;

/// AB minus Vega magnitude in V: -0.01, from 363.1e-11 erg/s/cm2/A at V = 0 (Bessell, Castelli & Plez 1998, table A2) at the pivot of 550.03 nm.
pub const V_AB_MINUS_VEGA: f64 = -0.01;

/// The reference bands.
#[derive(Debug, Clone)]
pub struct ReferenceBands {
    bands: Vec<Arc<Bandpass>>,
}

const FILES: [(&str, &str); 10] = [
    ("sdss_u", include_str!("../data/band/sdss_u.csv")),
    ("sdss_g", include_str!("../data/band/sdss_g.csv")),
    ("sdss_r", include_str!("../data/band/sdss_r.csv")),
    ("sdss_i", include_str!("../data/band/sdss_i.csv")),
    ("sdss_z", include_str!("../data/band/sdss_z.csv")),
    ("gaia_g", include_str!("../data/band/gaia_g.csv")),
    ("bessell_v", include_str!("../data/band/bessell_v.csv")),
    ("bessell_b", include_str!("../data/band/bessell_b.csv")),
    ("galex_nuv", include_str!("../data/band/galex_nuv.csv")),
    ("vista_y", include_str!("../data/band/vista_y.csv")),
];

impl ReferenceBands {
    /// The bands compiled in.
    #[must_use]
    pub fn load() -> Self {
        let bands = FILES.iter().map(|(name, text)| {
            let (wavelength_nm, response) = columns(text, 0, 1);
            Arc::new(Bandpass::new(*name, wavelength_nm, response).expect("the compiled band tables are valid"))
        });
        Self { bands: bands.collect() }
    }
    /// A band by name: `sdss_u`, `sdss_g`, `sdss_r`, `sdss_i`, `sdss_z`, `gaia_g`, `bessell_v`, `bessell_b`, `galex_nuv`, `vista_y`.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Arc<Bandpass>> {
        self.bands.iter().find(|b| b.name == name)
    }
    /// The names, for messages.
    #[must_use]
    pub fn names() -> [&'static str; 10] {
        FILES.map(|(name, _)| name)
    }
    fn known(&self, name: &str) -> &Arc<Bandpass> {
        self.by_name(name).expect("a compiled band")
    }
    /// SDSS g.
    #[must_use]
    pub fn sdss_g(&self) -> &Arc<Bandpass> {
        self.known("sdss_g")
    }
    /// SDSS r.
    #[must_use]
    pub fn sdss_r(&self) -> &Arc<Bandpass> {
        self.known("sdss_r")
    }
    /// SDSS i.
    #[must_use]
    pub fn sdss_i(&self) -> &Arc<Bandpass> {
        self.known("sdss_i")
    }
    /// Gaia G.
    #[must_use]
    pub fn gaia_g(&self) -> &Arc<Bandpass> {
        self.known("gaia_g")
    }
    /// Bessell V.
    #[must_use]
    pub fn bessell_v(&self) -> &Arc<Bandpass> {
        self.known("bessell_v")
    }
    /// Bessell B.
    #[must_use]
    pub fn bessell_b(&self) -> &Arc<Bandpass> {
        self.known("bessell_b")
    }
    /// SDSS u, g, r, i, z.
    pub(crate) fn sdss(&self) -> [&Arc<Bandpass>; 5] {
        ["sdss_u", "sdss_g", "sdss_r", "sdss_i", "sdss_z"].map(|n| self.known(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Full width at half maximum \[nm\] by bisection-free scanning.
    fn width_nm(band: &Bandpass) -> f64 {
        let (low, high) = band.range_nm();
        let grid: Vec<f64> = (0..=20_000).map(|i| low + (high - low) * f64::from(i) / 20_000.0).collect();
        let at = |w: f64| band.at(sim_core::units::Nanometre(w));
        let half = 0.5 * grid.iter().map(|&w| at(w)).fold(0.0, f64::max);
        let above: Vec<f64> = grid.into_iter().filter(|&w| at(w) >= half).collect();
        above[above.len() - 1] - above[0]
    }

    #[test]
    fn pivots_and_widths_are_the_published_ones() {
        let bands = ReferenceBands::load();
        // SDSS and V: pivot and width of the full curves (Doi et al. 2010, table 4, times the atmosphere at 1.3 airmasses; Bessell
        // 1990), computed from the tables of the package speclite; u of its part below 410 nm. Gaia: EDR3 passband page. Thinning
        // moves a pivot by less than 0.2 nm and an edge by less than 1 nm.
        for (name, pivot, width) in [
            ("sdss_u", 358.26, 52.3),
            ("sdss_g", 470.14, 126.1),
            ("sdss_r", 617.72, 115.2),
            ("sdss_i", 749.65, 126.6),
            ("sdss_z", 890.42, 99.7),
            ("gaia_g", 621.79, 454.8),
            ("bessell_v", 550.03, 85.2),
            // Of the curves in the files of astro-sedpy.
            ("galex_nuv", 230.08, 79.6),
            ("vista_y", 1021.02, 91.7),
        ] {
            let band = bands.by_name(name).unwrap();
            assert!((band.pivot_nm() - pivot).abs() < 0.2, "{name}: pivot {} against {pivot}", band.pivot_nm());
            assert!((width_nm(band) - width).abs() < 1.0, "{name}: width {} against {width}", width_nm(band));
        }
        assert!((GAIA_G_AB_MINUS_VEGA - 0.1137).abs() < 1e-4);
    }
}
