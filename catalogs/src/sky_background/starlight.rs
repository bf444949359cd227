//! Starlight that no catalogue entry carries: stars too faint to be drawn, and starlight scattered by galactic dust.
//!
//! # Effect
//! A faint smooth addition that grows towards the Milky Way.
//! # Formula
//! S = sum over V > limit of n(V) 10^(-0.4 (V - 10)) + 0.2 sum over V > 6.5 of the same \[S10\]
//! # Symbols
//! n(V) star counts per mag and deg2; S10 one star of V = 10 per deg2.
//! # Source
//! Counts: [`crate::milky_way`], V to 30. Diffuse galactic light: a fifth of the starlight, assumed
//! (0.2 to 0.3 is remembered from Leinert et al. 1998, section 11; not confirmed).
//! # Limits
//! As the counts: |b| held at 10 deg. Light of unresolved galaxies is not in it (below 1 S10).
//! # Twin
//! None (part of the sky).

use crate::milky_way::{Dust, MilkyWay};
use sim_core::spectrum::Spectrum;
use sim_core::units::Nanometre;

/// Diffuse galactic light as a fraction of the starlight (assumed).
pub const DIFFUSE_FRACTION: f64 = 0.2;

/// f_lambda of V = 0 \[erg / s / cm2 / A\] (Bessell, Castelli & Plez 1998, A&A 333, 231, table A2: 363.1e-11), here at 550 nm.
const V_ZERO_ERG_S_CM2_A: f64 = 3.631e-9;

/// Smallest galactic latitude at which the model of the Milky Way is used \[deg\].
const LEAST_LATITUDE_DEG: f64 = 10.0;

/// Diffuse starlight \[S10\] at a galactic position \[deg\] when stars brighter than `from_v` are in the catalogue.
#[must_use]
pub fn starlight_s10(l_deg: f64, b_deg: f64, from_v: f64) -> f64 {
    let (model, step) = (MilkyWay::new(), 0.5);
    let b_deg = b_deg.signum() * b_deg.abs().max(LEAST_LATITUDE_DEG);
    let light = |from: f64| {
        let mut sum = 0.0;
        let mut v = from;
        // Beyond V = 30 there are less than 1e-3 S10.
        while v < 30.0 {
            let n = model.counts_deg2(l_deg, b_deg, Dust::Model, v, v + step);
            sum += n * 10.0_f64.powf(-0.4 * (v + 0.5 * step - 10.0));
            v += step;
        }
        sum
    };
    light(from_v) + DIFFUSE_FRACTION * light(6.5)
}

/// Surface brightness of one S10 with the spectrum of a star.
pub(super) fn one_s10(star: &Spectrum) -> Spectrum {
    let scale = V_ZERO_ERG_S_CM2_A * 10.0_f64.powf(-4.0) / (3600.0 * 3600.0) / star.at(Nanometre(550.0));
    let flux = star.flux_lambda().iter().map(|f| f * scale).collect();
    Spectrum::new("starlight", star.wavelength_nm().to_vec(), flux).expect("a scaled spectrum is valid")
}
