//! Spectra of quasars whose broad lines are in sight.
//!
//! # Effect
//! A blue continuum with broad and narrow lines, iron and Balmer blends, the glow of hot dust; dimmed by dust and by hydrogen on the way.
//! # Formula
//! f_nu ~ l^1.349 below 120 nm, l^0.349 to 388 nm, l^-0.593 beyond, plus 3.961 times the continuum of 550 nm at 2 um of a black body of 1243.6 K; f_lambda = f_nu / l^2
//! times 1 + sum of W_k G_k(l), G_k Gaussians of area 1; W_k = (1 - |t|) average + |t| (t > 0: strong, t < 0: blueshifted), t = 0.183 (M_i + 27), W_k >= 0.
//! Dust: A = 1.39 l^-1.2 E(B-V), l in um. Hydrogen: T_H(l (1 + z), z), nothing below 91.2 nm.
//! # Symbols
//! l wavelength at rest; M_i absolute i magnitude at z = 2; W equivalent width \[nm\]; E(B-V) colour excess of the quasar's own dust.
//! # Source
//! Temple, Hewett & Banerji 2021 (MNRAS 508, 737), sections 3 and 4, parameters as in their program qsogen; Gaussians: `data/SOURCES.md`. t against M_i is the
//! Baldwin effect (Baldwin 1977, ApJ 214, 679). Dust: Prevot et al. 1984 (A&A 132, 389), the Small Magellanic Cloud, as a power law (Richards et al. 2003, AJ 126, 1131).
//! Hydrogen: `sed/hydrogen.rs`.
//! # Limits
//! 91 to 1300 nm at rest. The Gaussians miss the published average by 3 % of the continuum (rms, 100 to 1000 nm). One continuum for all; no broad absorption lines; no
//! Lyman limit systems. Shared on a grid: 0.25 in t (-0.5 to 2), 0.05 mag of dust (0 to 0.4), 0.1 in the redshift of hydrogen.
//! # Twin
//! None.

use crate::sed::Hydrogen;
use crate::table::numbers;
use sim_core::spectrum::Spectrum;
use std::sync::{Arc, OnceLock};

/// Levels of t and their step.
const FIRST_KIND: f64 = -0.5;
const KIND_STEP: f64 = 0.25;
const KINDS: usize = 11;
/// Levels of dust and their step \[mag\].
const DUST_STEP: f64 = 0.05;
const DUSTS: usize = 9;
/// Redshifts of hydrogen: none, then from 1 in equal steps.
const REDSHIFTS: usize = 62;
const REDSHIFT_STEP: f64 = 0.1;
/// Wavelengths covered \[nm\].
const RANGE_NM: (f64, f64) = (91.6, 1300.0);

/// A Gaussian of the lines: middle, width, equivalent widths.
#[derive(Debug, Clone)]
struct Line {
    centre_nm: f64,
    sigma_nm: f64,
    average_nm: f64,
    strong_nm: f64,
    blueshifted_nm: f64,
}

/// The grid; each spectrum is made when first asked for.
#[derive(Debug, Clone)]
pub struct QuasarSpectra {
    lines: Vec<Line>,
    wavelength_nm: Vec<f64>,
    hydrogen: Hydrogen,
    slots: Vec<OnceLock<Arc<Spectrum>>>,
}

impl Default for QuasarSpectra {
    fn default() -> Self {
        Self::new()
    }
}

/// f_lambda of the continuum, 1 at 550 nm without the black body.
fn continuum(l: f64) -> f64 {
    let blue = |l: f64| (388.0_f64 / 550.0).powf(-0.593) * (l / 388.0).powf(0.349);
    let f_nu = match l {
        l if l < 120.0 => blue(120.0) * (l / 120.0).powf(1.349),
        l if l < 388.0 => blue(l),
        l => (l / 550.0).powf(-0.593),
    };
    let planck = |l: f64| l.powi(-3) / (1.438_777_35e7 / (1243.6 * l)).exp_m1();
    (f_nu + 3.961 * planck(l) / planck(2000.0)) * (550.0 / l).powi(2)
}

/// A / E(B-V) of the dust of a quasar.
fn reddening(l: f64) -> f64 {
    1.39 * (1e-3 * l).powf(-1.2)
}

/// Wavelengths fine enough for lines and forest \[nm\].
fn wavelengths(lines: &[Line], hydrogen: &Hydrogen) -> Vec<f64> {
    let mut grid = vec![RANGE_NM.0];
    while grid[grid.len() - 1] < RANGE_NM.1 {
        let at = grid[grid.len() - 1];
        let finest =
            lines.iter().filter(|l| (l.centre_nm - at).abs() < 4.0 * l.sigma_nm + 0.5).map(|l| 0.6 * l.sigma_nm).fold(0.006 * at, f64::min);
        grid.push(at + finest);
    }
    grid.extend(hydrogen.nodes().into_iter().filter(|w| *w > RANGE_NM.0 && *w < 122.0));
    grid.sort_by(f64::total_cmp);
    grid.dedup_by(|b, a| *b - *a < 0.01);
    grid
}

impl QuasarSpectra {
    /// From the tables in the program.
    #[must_use]
    pub fn new() -> Self {
        let line = |r: Vec<f64>| Line { centre_nm: r[0], sigma_nm: r[1], average_nm: r[2], strong_nm: r[3], blueshifted_nm: r[4] };
        let lines: Vec<Line> = numbers(include_str!("../../data/quasar_lines.csv")).into_iter().map(line).collect();
        let hydrogen = Hydrogen::load();
        let wavelength_nm = wavelengths(&lines, &hydrogen);
        Self { lines, wavelength_nm, hydrogen, slots: (0..KINDS * DUSTS * REDSHIFTS).map(|_| OnceLock::new()).collect() }
    }
    /// t of an absolute i magnitude (at z = 2).
    #[must_use]
    pub fn kind(absolute_i: f64) -> f64 {
        (0.183 * (absolute_i + 27.0)).clamp(FIRST_KIND, FIRST_KIND + KIND_STEP * (KINDS - 1) as f64)
    }
    /// The spectrum at rest nearest to t, a dust \[mag\] and a redshift of the hydrogen on its way.
    #[must_use]
    pub fn at(&self, kind: f64, e_bv: f64, redshift: f64) -> Arc<Spectrum> {
        let kind = (((kind - FIRST_KIND).max(0.0) / KIND_STEP).round() as usize).min(KINDS - 1);
        let dust = ((e_bv.max(0.0) / DUST_STEP).round() as usize).min(DUSTS - 1);
        let far = (((redshift - 0.9).max(0.0) / REDSHIFT_STEP).round() as usize).min(REDSHIFTS - 1);
        self.slots[(kind * DUSTS + dust) * REDSHIFTS + far].get_or_init(|| Arc::new(self.make(kind, dust, far))).clone()
    }
    fn make(&self, kind: usize, dust: usize, far: usize) -> Spectrum {
        let t = FIRST_KIND + KIND_STEP * kind as f64;
        let (e_bv, z) = (DUST_STEP * dust as f64, 0.9 + REDSHIFT_STEP * far as f64);
        let widths: Vec<f64> = self
            .lines
            .iter()
            .map(|l| ((1.0 - t.abs()) * l.average_nm + t.abs() * if t > 0.0 { l.strong_nm } else { l.blueshifted_nm }).max(0.0))
            .collect();
        let value = |l: f64| {
            let mut lines = 1.0;
            for (line, width) in self.lines.iter().zip(&widths) {
                let x = (l - line.centre_nm) / line.sigma_nm;
                if x.abs() < 4.5 {
                    lines += width * (-0.5 * x * x).exp() / (line.sigma_nm * std::f64::consts::TAU.sqrt());
                }
            }
            let hydrogen = if far > 0 && l < 122.0 { self.hydrogen.transmission(l, z) } else { 1.0 };
            continuum(l) * lines * hydrogen * 10.0_f64.powf(-0.4 * e_bv * reddening(l))
        };
        // The Lyman limit as a ramp of 0.8 nm, for quadratures.
        let wavelength_nm: Vec<f64> = std::iter::once(RANGE_NM.0 - 0.8).chain(self.wavelength_nm.iter().copied()).collect();
        let flux = std::iter::once(0.0).chain(self.wavelength_nm.iter().map(|&l| value(l))).collect();
        let name = format!("quasar_{t:+.2}_dust_{e_bv:.2}_z_{:.1}", if far > 0 { z } else { 0.0 });
        Spectrum::new(name, wavelength_nm, flux).expect("a product of finite curves over a rising grid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReferenceBands;
    use sim_core::spectrum::Sed;
    use sim_core::units::Nanometre;

    #[test]
    fn the_continuum_has_the_published_slopes_and_is_continuous() {
        let slope = |a: f64, b: f64| ((continuum(b) * b * b) / (continuum(a) * a * a)).ln() / (b / a).ln();
        assert!((slope(200.0, 300.0) - 0.349).abs() < 1e-3 && (slope(100.0, 110.0) - 1.349).abs() < 1e-3);
        assert!((slope(450.0, 600.0) + 0.593).abs() < 0.01, "{}", slope(450.0, 600.0));
        for edge in [120.0, 388.0] {
            assert!((continuum(edge - 1e-6) / continuum(edge + 1e-6) - 1.0).abs() < 1e-6);
        }
        // Hot dust: at 2 um it is 3.961 / (20000 / 5500)^-0.593 = 8.5 times the power law.
        assert!((continuum(2000.0) * (2000.0_f64 / 550.0).powi(2) - 3.961 - (2000.0_f64 / 550.0).powf(-0.593)).abs() < 1e-9);
    }

    #[test]
    fn lines_weaken_with_luminosity_and_dust_reddens() {
        let spectra = QuasarSpectra::new();
        // C IV between 150 and 160 nm over the straight line between both ends.
        let width = |t: f64| {
            let s = spectra.at(t, 0.0, 0.0);
            let at = |l: f64| s.at(Nanometre(l));
            let base = |l: f64| at(145.0) + (at(170.0) - at(145.0)) * (l - 145.0) / 25.0;
            (0..1000).map(|k| 150.0 + 0.01 * f64::from(k)).map(|l| 0.01 * (at(l) / base(l) - 1.0)).sum::<f64>()
        };
        // Over a base this far out the wings and blends count: 2.4 nm of the line alone (Vanden Berk et al. 2001, AJ 122, 549, table 2) become 3 to 4.
        assert!((2.4..4.5).contains(&width(0.0)) && width(1.0) > 1.4 * width(-0.25), "{} {}", width(-0.25), width(1.0));
        let (clear, dusty) = (spectra.at(0.0, 0.0, 0.0), spectra.at(0.0, 0.1, 0.0));
        let fall = |l: f64| -2.5 * (dusty.at(Nanometre(l)) / clear.at(Nanometre(l))).log10();
        assert!((fall(200.0) - 0.1 * 1.39 * 0.2_f64.powf(-1.2)).abs() < 1e-3 && fall(200.0) > 2.0 * fall(400.0));
    }

    #[test]
    fn colours_against_redshift_are_the_published_track_of_sdss_quasars() {
        let (spectra, bands) = (QuasarSpectra::new(), ReferenceBands::load());
        let colours = |z: f64, kind: f64| -> [f64; 4] {
            let sed = Sed { template: spectra.at(kind, 0.0, z), redshift: z, extinction: None };
            let m = bands.sdss().map(|b| -2.5 * b.mean_fnu(&sed).log10());
            [m[0] - m[1], m[1] - m[2], m[2] - m[3], m[3] - m[4]]
        };
        // Table: `data/quasar_colours.csv`, of qsogen for i = 18.6 to 19.1 without host. Our Gaussians and our forest differ: 0.08 mag; u - g where the forest
        // (another model: 0.15) and the Lyman limit fill u is left out above z = 2.6.
        let table = numbers(include_str!("../../data/quasar_colours.csv"));
        assert!(table.len() > 20);
        for row in table {
            let got = colours(row[0], QuasarSpectra::kind(row[1]));
            for k in 0..4 {
                let (in_forest, lost) = ([2.0, 2.8, 3.8, 4.8][k], [2.6, 3.6, 4.6, 5.9][k]);
                if row[0] > lost {
                    continue;
                }
                let limit = if row[0] > in_forest { 0.2 } else { 0.08 };
                assert!((got[k] - row[2 + k]).abs() < limit, "z {} colour {k}: {} against {}", row[0], got[k], row[2 + k]);
            }
        }
    }
}
