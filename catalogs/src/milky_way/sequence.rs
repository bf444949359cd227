//! What a star of given luminosity is: temperature, mass, gravity.
//!
//! # Effect
//! Colours and masses of stars.
//! # Formula
//! Dwarfs: the mean sequence at M - D, D = -1.11 F - 0.18 F^2 (a star poor in metals has the colour of a brighter one). Evolved
//! stars of the old populations (M < 5) and giants of the thin disk: B-V of a cluster's sequence, then the temperature at which the mean sequence, made
//! redder by the star's gravity, has that B-V.
//! White dwarfs: radius 0.0128 R_sun, M_bol = 4.74 - 5 lg 0.0128 - 10 lg(T / 5772 K). Gravity: lg g = 4.438 + lg m + 4 lg(T / 5772 K) + 0.4 (M + BC - 4.74).
//! # Symbols
//! M absolute magnitude in V; F \[Fe/H\]; T effective temperature; m mass \[solar\]; BC bolometric correction.
//! # Source
//! Mean sequence: Pecaut & Mamajek 2013 (ApJS 208, 9), E. Mamajek's table of 2024. D: Ivezic et al. 2008 (ApJ 684, 287), eq. A2. Clusters:
//! M67 (thin disk), 47 Tucanae (thick disk), M13 (halo), as tabulated for the Bahcall-Soneira model (`data/milky_way/SOURCES.md`); their \[Fe/H\]
//! 0, -0.7, -1.5 (Harris 1996, AJ 112, 1487). B-V by gravity: `data/sed/gravity.csv`. Radius of a white dwarf of 0.6 solar masses: lg g = 8.0.
//! # Limits
//! The temperature is that of the mean sequence with the star's colour, which is what the spectra go by: of stars poor in metals the true one is some
//! 5 % lower, and giants redder than B-V 1.3 come out 4 % hotter than in scales of giants (Ramirez & Melendez 2005). No helium white dwarfs, subdwarf B stars or carbon stars.
//! # Twin
//! None.

use crate::sed::Gravity;
use crate::table::{along, columns, held, numbers};

/// Mass of a giant \[solar\], where only gravity and companions depend on it (assumed).
pub const GIANT_MASS: f64 = 1.1;
/// Mass of a white dwarf \[solar\].
pub const WHITE_DWARF_MASS: f64 = 0.6;
const WHITE_DWARF_RADIUS: f64 = 0.0128;
const SUN_BOLOMETRIC: f64 = 4.74;
const SUN_TEFF_K: f64 = 5772.0;
const SUN_LOG_G: f64 = 4.438;
/// Metallicities of the clusters that stand for the thin disk, the thick disk and the halo \[dex\].
const CLUSTER_FEH: [f64; 3] = [0.0, -0.7, -1.5];
/// lg of the temperatures at which giants are looked for, and the step.
const GIANT_LOG_T: (f64, f64, f64) = (3.35, 4.2, 0.005);
/// lg of the temperatures of white dwarfs drawn.
const WHITE_DWARF_LOG_T: (f64, f64) = (3.6, 4.5);

/// A function on an even grid, linear between, held at its ends.
#[derive(Debug, Clone)]
struct Even {
    start: f64,
    per_step: f64,
    values: Vec<f64>,
}

impl Even {
    fn new(start: f64, end: f64, steps: usize, f: impl Fn(f64) -> f64) -> Self {
        let step = (end - start) / steps as f64;
        Self { start, per_step: 1.0 / step, values: (0..=steps).map(|k| f(start + step * k as f64)).collect() }
    }
    fn at(&self, x: f64) -> f64 {
        along(&self.values, (x - self.start) * self.per_step)
    }
}

/// Whose giant branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Branch {
    Disk,
    Thick,
    Halo,
}

/// All sequences.
#[derive(Debug, Clone)]
pub struct Sequences {
    /// lg of the temperature of a dwarf by absolute magnitude.
    dwarf_log_teff: Even,
    dwarf_log_mass: Even,
    /// Absolute magnitude by lg of the mass.
    dwarf_magnitude: Even,
    /// Bolometric correction by lg of the temperature.
    correction: Even,
    /// lg of the temperature of giants by absolute magnitude.
    giants: [Even; 3],
    /// Absolute magnitude of a white dwarf by lg of its temperature, and back.
    white_dwarf_log_teff: Even,
}

impl Sequences {
    /// The tables compiled in.
    #[must_use]
    pub fn load() -> Self {
        let dwarfs = include_str!("../../data/milky_way/dwarfs.csv");
        let (m_v, teff) = columns(dwarfs, 0, 1);
        let log = |v: &[f64]| v.iter().map(|x| x.log10()).collect::<Vec<f64>>();
        let (log_teff, log_mass) = (log(&teff), log(&columns(dwarfs, 0, 4).1));
        let bc = columns(dwarfs, 0, 2).1;
        // Rising abscissae for the way back.
        let reversed = |v: &[f64]| v.iter().rev().copied().collect::<Vec<f64>>();
        let (teff_rising, bc_rising) = (reversed(&log_teff), reversed(&bc));
        let (mass_rising, m_v_falling) = (reversed(&log_mass), reversed(&m_v));
        let correction = Even::new(3.34, 4.54, 240, |t| held(&teff_rising, &bc_rising, t));
        let (colour, colour_log_teff): (Vec<f64>, Vec<f64>) =
            numbers(dwarfs).iter().filter(|r| r[5].is_finite()).map(|r| (r[5], r[1].log10())).unzip();
        // Colours by rising temperature.
        let (colour_falling, log_teff_rising) = (reversed(&colour), reversed(&colour_log_teff));
        let gravity = Gravity::load();
        let giants = numbers(include_str!("../../data/milky_way/giants.csv"));
        let magnitudes: Vec<f64> = giants.iter().map(|r| r[0]).collect();
        let branch = |k: usize| {
            let b_v: Vec<f64> = giants.iter().map(|r| r[k]).collect();
            let of_dwarf = |log_t: f64| held(&log_teff_rising, &colour_falling, log_t);
            Even::new(-6.0, 5.0, 220, |m| {
                let wanted = held(&magnitudes, &b_v, m);
                let redder = |log_t: f64| {
                    let log_g = log_g(GIANT_MASS, log_t, m + correction.at(log_t));
                    of_dwarf(log_t) + gravity.redder_b_v(10.0_f64.powf(log_t), log_g, CLUSTER_FEH[k - 1]) - wanted
                };
                // From hot to cool, to the first temperature that is red enough.
                let (cool, mut log_t, step) = GIANT_LOG_T;
                let mut miss = redder(log_t);
                while miss < 0.0 && log_t > cool {
                    let next = redder(log_t - step);
                    if next >= 0.0 {
                        return log_t - step * miss / (miss - next);
                    }
                    (log_t, miss) = (log_t - step, next);
                }
                log_t
            })
        };
        let white_magnitude = |log_t: f64| white_dwarf_bolometric_of(log_t) - correction.at(log_t);
        let grid: Vec<f64> =
            (0..=400).map(|k| WHITE_DWARF_LOG_T.1 - (WHITE_DWARF_LOG_T.1 - WHITE_DWARF_LOG_T.0) * f64::from(k) / 400.0).collect();
        let white: Vec<f64> = grid.iter().map(|t| white_magnitude(*t)).collect();
        Self {
            dwarf_log_teff: Even::new(-6.0, 20.0, 520, |m| held(&m_v, &log_teff, m)),
            dwarf_log_mass: Even::new(-6.0, 20.0, 520, |m| held(&m_v, &log_mass, m)),
            dwarf_magnitude: Even::new(-1.2, 1.4, 520, |m| held(&mass_rising, &m_v_falling, m)),
            giants: [branch(1), branch(2), branch(3)],
            white_dwarf_log_teff: Even::new(white[0], white[400], 400, |m| held(&white, &grid, m)),
            correction,
        }
    }
    /// Temperature of a dwarf \[K\].
    #[must_use]
    pub fn dwarf_teff_k(&self, m_v: f64, feh: f64) -> f64 {
        10.0_f64.powf(self.dwarf_log_teff.at(m_v - metal_shift(feh)))
    }
    /// Mass of a dwarf \[solar\].
    #[must_use]
    pub fn dwarf_mass(&self, m_v: f64) -> f64 {
        10.0_f64.powf(self.dwarf_log_mass.at(m_v))
    }
    /// Absolute magnitude of a dwarf of a mass \[solar\].
    #[must_use]
    pub fn dwarf_magnitude(&self, mass: f64) -> f64 {
        self.dwarf_magnitude.at(mass.log10())
    }
    pub(super) fn giant_teff_k(&self, branch: Branch, m_v: f64) -> f64 {
        10.0_f64.powf(self.giants[branch as usize].at(m_v))
    }
    pub(super) fn white_dwarf_teff_k(&self, m_v: f64) -> f64 {
        10.0_f64.powf(self.white_dwarf_log_teff.at(m_v))
    }
    pub(super) fn white_dwarf_bolometric(&self, m_v: f64) -> f64 {
        white_dwarf_bolometric_of(self.white_dwarf_log_teff.at(m_v))
    }
    /// lg g \[cm / s2\] of a star from its mass \[solar\], temperature \[K\] and absolute magnitude.
    #[must_use]
    pub fn log_g(&self, mass: f64, teff_k: f64, m_v: f64) -> f64 {
        let log_teff = teff_k.log10();
        log_g(mass, log_teff, m_v + self.correction.at(log_teff))
    }
}

/// lg g of a mass, lg of a temperature and a bolometric magnitude.
fn log_g(mass: f64, log_teff: f64, bolometric: f64) -> f64 {
    SUN_LOG_G + mass.log10() + 4.0 * (log_teff - SUN_TEFF_K.log10()) + 0.4 * (bolometric - SUN_BOLOMETRIC)
}

fn white_dwarf_bolometric_of(log_teff: f64) -> f64 {
    SUN_BOLOMETRIC - 5.0 * WHITE_DWARF_RADIUS.log10() - 10.0 * (log_teff - SUN_TEFF_K.log10())
}

/// How much fainter a dwarf of a metallicity is than one of solar metallicity and the same colour \[mag\].
fn metal_shift(feh: f64) -> f64 {
    -1.11 * feh - 0.18 * feh * feh
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sun_comes_out_of_its_absolute_magnitude() {
        let s = Sequences::load();
        // G2V of the table: M 4.80, 5770 K, mass 1.00; the Sun's lg g is 4.438.
        assert!((s.dwarf_teff_k(4.8, 0.0) - 5770.0).abs() < 10.0 && (s.dwarf_mass(4.8) - 1.0).abs() < 0.01);
        assert!((s.log_g(1.0, 5772.0, 4.83) - 4.44).abs() < 0.02, "{}", s.log_g(1.0, 5772.0, 4.83));
        assert!((s.dwarf_magnitude(s.dwarf_mass(9.64)) - 9.64).abs() < 0.02);
    }

    #[test]
    fn stars_poor_in_metals_are_bluer_and_giants_redder_than_dwarfs() {
        let s = Sequences::load();
        // Ivezic et al.: at [Fe/H] = -1.5 the shift is 1.665 - 0.405 = 1.26 mag.
        assert!((metal_shift(-1.5) - 1.26).abs() < 1e-12 && metal_shift(0.0) == 0.0);
        assert!((s.dwarf_teff_k(6.0, -1.5) - s.dwarf_teff_k(4.74, 0.0)).abs() < 1e-9);
        // A clump giant (M 0.8, B-V 1.10 in M67; a dwarf of that colour has 4600 K): Ramirez & Melendez 2005 (ApJ 626, 465), giants of solar metallicity,
        // 5040 K / (0.5737 + 0.4882 B-V - 0.0149 B-V^2) = 4610 K at 1.10 and 3960 K at 1.50, without their small polynomial. The dwarfs'
        // scale is another: 5 %. lg g 2.4.
        for (m_v, b_v) in [(0.8, 1.10), (-0.825, 1.50)] {
            let (ours, published) = (s.giant_teff_k(Branch::Disk, m_v), 5040.0 / (0.5737 + 0.4882 * b_v - 0.0149 * b_v * b_v));
            assert!((ours / published - 1.0).abs() < 0.05, "B-V {b_v}: {ours} against {published}");
        }
        let clump = s.giant_teff_k(Branch::Disk, 0.8);
        assert!((2.2..2.7).contains(&s.log_g(GIANT_MASS, clump, 0.8)));
        assert!(s.giant_teff_k(Branch::Halo, 0.8) > s.giant_teff_k(Branch::Thick, 0.8));
    }

    #[test]
    fn white_dwarfs_have_published_magnitudes() {
        let s = Sequences::load();
        // Bergeron's cooling models of DA white dwarfs of 0.6 solar masses: M 12.2 at 10,000 K, 14.2 at 6000 K; bolometric corrections of
        // dwarfs stand in for theirs: 0.15 mag.
        for (teff, m) in [(10_000.0, 12.2), (6000.0, 14.2)] {
            let got = s.white_dwarf_teff_k(m);
            assert!((got / teff - 1.0).abs() < 0.06, "{m}: {got}");
        }
        assert!((s.log_g(WHITE_DWARF_MASS, 10_000.0, 12.1) - 8.0).abs() < 0.06);
    }
}
