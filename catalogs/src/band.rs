//! Bands in which catalogues state magnitudes: SDSS u g r i z, Gaia G, Bessell V.
//!
//! # Limits
//! Shapes are approximations (`data/band/SOURCES.md`): trapezoids of the published centre and width for SDSS, a
//! piecewise line with the published pivot for Gaia G, the published table for V. Responses are relative; only
//! colours through them matter. Colours differ from those through the real curves by up to about 0.03 mag.

use crate::table::columns;
use sim_core::bandpass::Bandpass;
use std::sync::Arc;

/// AB minus Vega magnitude in Gaia G: difference of the EDR3 zero points 25.8010446 (AB) and 25.6873669 (Vega)
/// (Riello et al. 2021, A&A 649, A3, and the EDR3 passband page).
pub const GAIA_G_AB_MINUS_VEGA: f64 = 25.801_044_644_5 - 25.687_366_867_1;

/// The reference bands.
#[derive(Debug, Clone)]
pub struct ReferenceBands {
    bands: Vec<Arc<Bandpass>>,
}

const FILES: [(&str, &str); 7] = [
    ("sdss_u", include_str!("../data/band/sdss_u.csv")),
    ("sdss_g", include_str!("../data/band/sdss_g.csv")),
    ("sdss_r", include_str!("../data/band/sdss_r.csv")),
    ("sdss_i", include_str!("../data/band/sdss_i.csv")),
    ("sdss_z", include_str!("../data/band/sdss_z.csv")),
    ("gaia_g", include_str!("../data/band/gaia_g.csv")),
    ("bessell_v", include_str!("../data/band/bessell_v.csv")),
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
    /// A band by name: `sdss_u`, `sdss_g`, `sdss_r`, `sdss_i`, `sdss_z`, `gaia_g`, `bessell_v`.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Arc<Bandpass>> {
        self.bands.iter().find(|b| b.name == name)
    }
    /// The names, for messages.
    #[must_use]
    pub fn names() -> [&'static str; 7] {
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
    /// SDSS u, g, r, i, z.
    pub(crate) fn sdss(&self) -> [&Arc<Bandpass>; 5] {
        ["sdss_u", "sdss_g", "sdss_r", "sdss_i", "sdss_z"].map(|n| self.known(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pivots_are_the_published_ones() {
        let bands = ReferenceBands::load();
        // SVO / Doi et al. 2010 pivots of the real curves; the trapezoids are held to 1 %. Gaia EDR3: 621.79 nm.
        for (name, pivot, tolerance) in [
            ("sdss_u", 355.7, 0.01),
            ("sdss_g", 470.2, 0.01),
            ("sdss_r", 617.6, 0.01),
            ("sdss_i", 749.0, 0.01),
            ("sdss_z", 894.7, 0.01),
            ("gaia_g", 621.79, 0.0005),
            ("bessell_v", 550.0, 0.01),
        ] {
            let got = bands.by_name(name).unwrap().pivot_nm();
            assert!((got / pivot - 1.0).abs() < tolerance, "{name}: {got} against {pivot}");
        }
        assert!((GAIA_G_AB_MINUS_VEGA - 0.1137).abs() < 1e-4);
    }
}
