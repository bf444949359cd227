//! How often stars explode.
//!
//! # Effect
//! The number of supernovae on the sky, by redshift and by host.
//! # Formula
//! Ia: 2.5e-5 (1 + z)^1.5 to z = 1, 9.7e-5 (1 + z)^-0.5 to z = 3, / yr / Mpc3. Collapse: 7.05e-5 psi(z) / psi(0), psi = (1 + z)^2.7 / (1 + ((1 + z) / 2.9)^5.6).
//! A host counts with 5.3e-14 m + 3.9e-4 s (Ia) or s (collapse); lg s = M - 0.5 + 1.5 r - 0.3 max(0, M - 0.36 - 2.5 r)^2, M = lg m - 9, r = lg(1 + z); s = 0 when quiescent.
//! # Symbols
//! Rates at rest, in volume that expands along; m stellar mass \[solar\]; s star formation \[solar / yr\].
//! # Source
//! Ia: Dilday et al. 2008 (ApJ 682, 262) and Hounsell et al. 2018 (ApJ 867, 23), as in Kessler et al. 2019 (PASP 131, 094501), table 2, H0 = 70. Collapse: Li et al. 2011
//! (MNRAS 412, 1473), 0.705e-4 at H0 = 73, with the history of Madau & Dickinson 2014 (ARA&A 52, 415), equation 15. Hosts: Sullivan et al. 2006 (ApJ 648, 868); star
//! formation: Schreiber et al. 2015 (A&A 575, A74), equation 9. All as remembered; nothing of it was seen in print here.
//! # Limits
//! Ia none beyond z = 3, collapse none beyond 5. Only the shares of hosts come from their masses: the sum over all galaxies at a redshift is the published rate per volume.
//! # Twin
//! None.

/// Supernovae Ia / yr / Mpc3 at a redshift, for a Hubble constant \[100 km / s / Mpc\].
#[must_use]
pub fn thermonuclear(z: f64, h: f64) -> f64 {
    let rate = match z {
        z if z < 1.0 => 2.5e-5 * (1.0 + z).powf(1.5),
        z if z < 3.0 => 9.7e-5 / (1.0 + z).sqrt(),
        _ => 0.0,
    };
    rate * (h / 0.7).powi(3)
}

/// Collapses / yr / Mpc3.
#[must_use]
pub fn collapse(z: f64, h: f64) -> f64 {
    let history = |z: f64| (1.0 + z).powf(2.7) / (1.0 + ((1.0 + z) / 2.9).powf(5.6));
    if z > 5.0 { 0.0 } else { 7.05e-5 * history(z) / history(0.0) * (h / 0.73).powi(3) }
}

/// How much hosts of a mass (lg, solar) count: for Ia, for collapse.
#[must_use]
pub fn weights(lg_mass: f64, quiescent: bool, z: f64) -> (f64, f64) {
    let (m, r) = (lg_mass - 9.0, (1.0 + z).log10());
    let forming = if quiescent { 0.0 } else { 10.0_f64.powf(m - 0.5 + 1.5 * r - 0.3 * (m - 0.36 - 2.5 * r).max(0.0).powi(2)) };
    (5.3e-14 * 10.0_f64.powf(lg_mass) + 3.9e-4 * forming, forming)
}
