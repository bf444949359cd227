//! How many quasars there are, by redshift and magnitude.
//!
//! # Effect
//! The density of quasars in the field, their redshifts and their luminosities.
//! # Formula
//! Phi = P / (10^(0.4 (a + 1) (M - M')) + 10^(0.4 (b + 1) (M - M'))) \[1 / Mpc3 / mag\]. To z = 3.5: M = M_g(z = 2), lg P = -6.01,
//! M' = -26.71 - 2.5 (k1 (z - 2.2) + k2 (z - 2.2)^2); (a, b, k1, k2) = (-4.31, -1.54, -0.08, -0.40) below z = 2.2, (-3.124, -1.504, -0.46, 0.079) above. At z = 4, 5, 6, 7:
//! M = M_1450, (lg P, M', a, b) = (-6.575, -25.36, -3.11, -1.30), (-6.996, -25.05, -2.90, -1.22), (-7.963, -24.90, -2.73, -1.23), (-8.870, -25.60, -3.34, -1.20).
//! Between z = 3.5, 4, 5, 6 and 7 lg Phi is linear in z. m = M + DM(z) + K(z), K from the spectra of [`super::QuasarSpectra`].
//! # Symbols
//! M_g(z = 2) the g magnitude of the quasar at z = 2 less the distance modulus there; M_1450 absolute AB magnitude at 145 nm at rest.
//! # Source
//! To 3.5: Palanque-Delabrouille et al. 2016 (A&A 587, A41), table 4, pure luminosity evolution (fitted to 0.68 < z < 4, g < 22.5). 4: Akiyama et al. 2018 (PASJ 70,
//! S34); 5: Niida et al. 2020 (ApJ 904, 89); 6: Matsuoka et al. 2018 (ApJ 869, 150); 7: Matsuoka et al. 2023 (ApJL 949, L42). The four numbers
//! for z > 2.2 are fitted here, with these K, to the published counts in r of z 2 to 4 (`data/quasar_counts_r.csv`, r 17.25 to 22.25): theirs as remembered, (-3.04, -1.38, -0.25, -0.05), give up to 1.6 times these
//! counts, 1.3 with f_nu ~ nu^-0.5 in place of the spectra. Numbers of the later laws as remembered, not seen in print here.
//! # Limits
//! Redshifts 0.05 to 7; below 0.68, and fainter than the surveys went (g = 22.5; M_1450 = -22), extrapolated; none fainter than M_g(z = 2) = -18, where nuclei of
//! the field's own galaxies follow on the same function (`synthetic/nuclei.rs`). Counts of r 18.5 to 22.5 are 9 to 13 % below the published ones at z < 1, within 7 % at z 1 to 2 and 6 % at 2 to 4:
//! below 2.2 the difference is K, not the integral. Evaluated in the cosmology of the fits (H0 = 70, omega_m = 0.3), which keeps the counts
//! whatever universe the galaxies have. Type 1 alone.
//! # Twin
//! None.

use super::QuasarSpectra;
use crate::ReferenceBands;
use crate::cosmos::{Background, Cosmology};
use crate::synthetic::counts::MagnitudeLaw;
use crate::table::{along, numbers};
use sim_core::bandpass::Bandpass;
use sim_core::spectrum::Sed;
use sim_core::units::Nanometre;

/// Redshifts covered.
const Z: (f64, f64) = (0.05, 7.0);
/// Step of the tables in redshift.
const STEP: f64 = 0.05;
const SLICES: usize = 139;
/// Faintest M_g(z = 2) of a quasar; a fainter nucleus is one of a galaxy.
pub const FAINTEST_QUASAR: f64 = -18.0;
/// End of the first law.
const JOIN: f64 = 3.5;
/// Later laws: redshift, lg P, M', a, b.
const LATER: [[f64; 5]; 4] = [
    [4.0, -6.575, -25.36, -3.11, -1.30],
    [5.0, -6.996, -25.05, -2.90, -1.22],
    [6.0, -7.963, -24.90, -2.73, -1.23],
    [7.0, -8.870, -25.60, -3.34, -1.20],
];
/// Kinds of spectra for which K is tabulated: t = -0.5, 0.5, 1.5.
const KINDS: [f64; 3] = [-0.5, 0.5, 1.5];

/// The density of quasars and what connects it with magnitudes in a band.
#[derive(Debug, Clone)]
pub struct Luminosity {
    background: Background,
    /// DM + K by kind and redshift from 0 in steps.
    dimming: Vec<Vec<f64>>,
    /// M_1450 - M_g(z = 2).
    to_1450: f64,
    /// M_i(z = 2) - M_g(z = 2).
    to_i: f64,
    /// M_250 - M_g(z = 2).
    to_250: f64,
}

fn double_power(lg_p: f64, x: f64, a: f64, b: f64) -> f64 {
    lg_p - (10.0_f64.powf(0.4 * (a + 1.0) * x) + 10.0_f64.powf(0.4 * (b + 1.0) * x)).log10()
}

/// lg of the density of the first law for M_g(z = 2).
fn early(g: f64, z: f64) -> f64 {
    let (a, b, k1, k2) = if z < 2.2 { (-4.31, -1.54, -0.08, -0.40) } else { (-3.124, -1.504, -0.46, 0.079) };
    let d = z - 2.2;
    double_power(-6.01, g - (-26.71 - 2.5 * (k1 * d + k2 * d * d)), a, b)
}

impl Luminosity {
    /// For magnitudes in a band.
    #[must_use]
    pub fn new(spectra: &QuasarSpectra, bands: &ReferenceBands, band: &Bandpass) -> Self {
        let background = Background::new(Cosmology { h: 0.7, omega_m: 0.3, ..Cosmology::default() });
        let at =
            |band: &Bandpass, kind: f64, z: f64| band.mean_fnu(&Sed { template: spectra.at(kind, 0.0, z), redshift: z, extinction: None });
        let g = |kind: f64| at(bands.sdss_g(), kind, 2.0);
        let dimming = KINDS
            .iter()
            .map(|&kind| {
                let g = g(kind);
                let row = |k: usize| {
                    let z = STEP * k as f64;
                    // Flux at z over that at z = 2 of the same luminosity at the same distance.
                    let ratio = at(band, kind, z) * 3.0 / ((1.0 + z) * g);
                    background.modulus(z) - 2.5 * ratio.max(1e-12).log10()
                };
                (0..=(Z.1 / STEP) as usize + 1).map(row).collect()
            })
            .collect();
        let template = spectra.at(0.0, 0.0, 2.0);
        // Flux at a wavelength over that through g from z = 2, per frequency at rest: 9 from the wavelengths' squares, 1 / 3 since M_g(z = 2) has no (1 + z).
        let to = |nm: f64| -2.5 * (template.at(Nanometre(nm)) * nm * nm * 3.0 / g(0.0)).log10();
        let (to_1450, to_250) = (to(145.0), to(250.0));
        let to_i = -2.5 * (at(bands.sdss_i(), 0.0, 2.0) / g(0.0)).log10();
        Self { background, dimming, to_1450, to_i, to_250 }
    }
    /// Quasars per Mpc3 and mag at M_g(z = 2) and a redshift.
    #[must_use]
    pub fn density_mpc3(&self, g: f64, z: f64) -> f64 {
        if g > FAINTEST_QUASAR { 0.0 } else { self.extended_mpc3(g, z) }
    }
    /// The same without the faint end: nuclei with broad lines per Mpc3 and mag, extrapolated.
    fn extended_mpc3(&self, g: f64, z: f64) -> f64 {
        let later = |k: usize| double_power(LATER[k][1], g + self.to_1450 - LATER[k][2], LATER[k][3], LATER[k][4]);
        let lg = if z <= JOIN {
            early(g, z)
        } else if z <= LATER[0][0] {
            early(g, JOIN) + (later(0) - early(g, JOIN)) * (z - JOIN) / (LATER[0][0] - JOIN)
        } else {
            let k = LATER.iter().position(|l| l[0] >= z).unwrap_or(LATER.len() - 1);
            later(k - 1) + (later(k) - later(k - 1)) * (z - LATER[k - 1][0]) / (LATER[k][0] - LATER[k - 1][0])
        };
        10.0_f64.powf(lg)
    }
    /// M_g(z = 2) of a quasar of a magnitude at a redshift: its spectrum depends on its luminosity, so twice.
    #[must_use]
    pub fn absolute(&self, magnitude: f64, z: f64) -> f64 {
        let of_kind = |kind: f64| {
            let place = (kind - KINDS[0]).clamp(0.0, 2.0);
            let k = (place as usize).min(1);
            let at = |k: usize| along(&self.dimming[k], z / STEP);
            magnitude - at(k) - (place - k as f64) * (at(k + 1) - at(k))
        };
        let first = of_kind(0.5);
        of_kind(QuasarSpectra::kind(self.absolute_i(first)))
    }
    /// The magnitude of a nucleus of M_g(z = 2) at a redshift, without the faintest and the farthest of quasars as limits.
    #[must_use]
    pub fn apparent(&self, g: f64, z: f64) -> f64 {
        let place = (QuasarSpectra::kind(self.absolute_i(g)) - KINDS[0]).clamp(0.0, 2.0);
        let kind = (place as usize).min(1);
        // K alone is interpolated: below the first step the distance modulus is no straight line.
        let row = ((z / STEP) as usize).clamp(1, SLICES);
        let t = (z / STEP - row as f64).clamp(0.0, 1.0);
        let k = |kind: usize, row: usize| self.dimming[kind][row] - self.background.modulus(STEP * row as f64);
        let at = |kind: usize| k(kind, row) + t * (k(kind, row + 1) - k(kind, row));
        g + self.background.modulus(z) + at(kind) + (place - kind as f64) * (at(kind + 1) - at(kind))
    }
    /// Nuclei with broad lines per mag and deg2 at M_g(z = 2), quasars and fainter ones, between two redshifts.
    #[must_use]
    pub fn nuclei_mag_deg2(&self, g: f64, near: f64, far: f64) -> f64 {
        self.volume_deg2(near, far) * self.extended_mpc3(g, (0.5 * (near + far)).min(Z.1))
    }
    /// Volume per deg2 between two redshifts \[Mpc3\].
    fn volume_deg2(&self, near: f64, far: f64) -> f64 {
        let b = &self.background;
        let h = b.cosmology.h;
        let (near, far) = (b.distance(near) / h, b.distance(far) / h);
        (far.powi(3) - near.powi(3)) / 3.0 * (std::f64::consts::PI / 180.0).powi(2)
    }
    /// M_i(z = 2) for M_g(z = 2).
    #[must_use]
    pub fn absolute_i(&self, g: f64) -> f64 {
        g + self.to_i
    }
    /// Absolute AB magnitude at 250 nm at rest for M_g(z = 2).
    #[must_use]
    pub fn absolute_250(&self, g: f64) -> f64 {
        g + self.to_250
    }
    /// Quasars per deg2 between two magnitudes in a slice of redshift.
    fn between_deg2(&self, z: f64, bright: f64, faint: f64) -> f64 {
        self.volume_deg2(z - 0.5 * STEP, z + 0.5 * STEP) * self.density_mpc3(self.absolute(0.5 * (bright + faint), z), z) * (faint - bright)
    }
    /// The quasars between two magnitudes: middles of slices of redshift (each 0.05 wide) and their laws of magnitude.
    #[must_use]
    pub fn slices(&self, bright: f64, faint: f64) -> Vec<(f64, MagnitudeLaw)> {
        (0..SLICES)
            .map(|k| {
                let z = Z.0 + STEP * (k as f64 + 0.5);
                (z, MagnitudeLaw::new(bright, faint, 0.05, |a, b| self.between_deg2(z, a, b)))
            })
            .collect()
    }
}

/// The published counts, for comparison.
#[derive(Debug, Clone)]
pub struct PublishedQuasars {
    rows: Vec<Vec<f64>>,
}

impl PublishedQuasars {
    /// The table in the program: Palanque-Delabrouille et al. 2016, table 7, pure luminosity evolution.
    #[must_use]
    pub fn load() -> Self {
        Self { rows: numbers(include_str!("../../data/quasar_counts_r.csv")) }
    }
    /// SDSS r magnitudes at the middle of half a magnitude, and quasars per mag and deg2 in redshifts 0 to 1, 1 to 2, ... 4 to 5.
    pub fn per_mag_deg2(&self) -> impl Iterator<Item = (f64, [f64; 5])> + '_ {
        self.rows.iter().map(|r| (r[0], std::array::from_fn(|k| r[k + 1] / 5000.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminosity(band: &str) -> Luminosity {
        let bands = ReferenceBands::load();
        Luminosity::new(&QuasarSpectra::new(), &bands, bands.by_name(band).unwrap())
    }

    #[test]
    fn counts_by_magnitude_and_redshift_are_the_published_ones() {
        let slices = luminosity("sdss_r").slices(15.0, 24.0);
        let (mut all, mut wanted) = (0.0, 0.0);
        let mut checked = 0;
        for (r, published) in PublishedQuasars::load().per_mag_deg2() {
            for (bin, &published) in published.iter().enumerate() {
                let inside = slices.iter().filter(|(z, _)| *z as usize == bin);
                let count: f64 = inside.map(|(_, law)| law.between_deg2(r - 0.25, r + 0.25)).sum::<f64>() / 0.5;
                // Where the surveys are: r 18.5 to 22.5, z 0 to 4; the last bin is half another survey.
                if (18.5..22.5).contains(&r) && bin < 4 {
                    let limit = [0.15, 0.1, 0.1, 0.1][bin];
                    println!("r {r}, z {bin}: {:.3} of {published:.3}", count / published);
                    assert!((count / published - 1.0).abs() < limit, "r {r}, z {bin}: {count} of {published}");
                    checked += 1;
                    all += count;
                    wanted += published;
                }
            }
        }
        let deep: f64 = luminosity("sdss_i").slices(15.0, 26.5).iter().map(|(_, law)| law.total_deg2()).sum();
        println!("to i = 26.5: {deep:.0} per deg2");
        assert!(checked == 32 && (all / wanted - 1.0).abs() < 0.1, "{checked}: {all} of {wanted}");
    }

    #[test]
    fn the_integral_of_the_function_is_the_count() {
        let l = luminosity("sdss_i");
        let at = l.slices(18.0, 22.0).into_iter().find(|(z, _)| (z - 2.025).abs() < 1e-6).unwrap();
        // Direct: shell of 0.05 at z = 2.025 (Simpson in absolute magnitude).
        let b = Background::new(Cosmology { h: 0.7, omega_m: 0.3, ..Cosmology::default() });
        let volume = ((b.distance(2.05) / 0.7).powi(3) - (b.distance(2.0) / 0.7).powi(3)) / 3.0 * (std::f64::consts::PI / 180.0).powi(2);
        let n = 400;
        let sum: f64 = (0..=n)
            .map(|k| {
                let i = 18.0 + 4.0 * f64::from(k) / f64::from(n);
                let weight = if k == 0 || k == n { 1.0 } else { 2.0 + 2.0 * f64::from(k % 2) };
                weight * l.density_mpc3(l.absolute(i, 2.025), 2.025)
            })
            .sum::<f64>()
            * 4.0
            / f64::from(n)
            / 3.0;
        assert!((at.1.total_deg2() / (sum * volume) - 1.0).abs() < 2e-3, "{} {}", at.1.total_deg2(), sum * volume);
    }

    #[test]
    fn the_density_is_continuous_in_redshift_and_falls_after_its_peak() {
        let l = luminosity("sdss_i");
        for edge in [2.2, 3.5, 4.0, 5.0, 6.0] {
            for g in [-28.0, -26.0, -24.0] {
                let ratio = l.density_mpc3(g, edge + 1e-6) / l.density_mpc3(g, edge - 1e-6);
                // At 2.2 the published slopes jump, and the function meets at its knee only: 10^(0.4 x 1.19 x 1.29) = 4.1 at M = -28.
                let limit = if edge == 2.2 { 4.6 } else { 1.01 };
                assert!(ratio < limit && ratio > 1.0 / limit, "z {edge} M {g}: {ratio}");
            }
        }
        let at = |z: f64| l.density_mpc3(-26.0, z);
        assert!(at(2.2) > 3.0 * at(0.7) && at(2.2) > 3.0 * at(4.5) && at(4.5) > 5.0 * at(6.5));
        // The way to magnitudes and back: apparent knows the kind, absolute finds it.
        for (g, z) in [(-24.0, 1.0), (-21.0, 0.3), (-26.0, 3.0)] {
            let back = l.absolute(l.apparent(g, z), z);
            assert!((back - g).abs() < 0.03, "{back} of {g} at {z}");
        }
        // M_1450 = M_g(z = 2) + 2.5 lg 3 and the colour between 145 and 157 nm: 1.19 to 1.4.
        assert!((1.15..1.45).contains(&l.to_1450), "{}", l.to_1450);
    }
}
