//! How galaxies are spread over redshift, type and mass at a magnitude.
//!
//! # Effect
//! The counts are the published ones; where galaxies of a magnitude are, what they are and how heavy follows from mass functions.
//! # Formula
//! n(i, z) = counts(i) f(i, z) / integral f dz; f = dV/dz sum over types Phi(M, z) dlg M / di, star-forming ones times 1 + x(i) w(M), w from 0 at
//! lg M = 10.8 to 1 at 9.8, x such that f is the counts (-0.5 at least);
//! lg M = 1.15 + 0.70 (g - i) - 0.4 M_i + 0.24; i = M_i + DM(z) - 2.5 lg(F(z) / (F(0) (1 + z))).
//! # Symbols
//! Phi mass function of star-forming or quiescent galaxies \[1 / Mpc3 / dex\], two Schechter functions each; g - i at rest, F flux through i of the
//! type's spectrum; M stellar mass \[solar, Salpeter\].
//! # Source
//! Mass functions: Schreiber et al. 2017 (A&A 602, A96), as in their program EGG (`data/galaxy_mass_functions.csv`). Mass to light: Taylor et al. 2011
//! (MNRAS 418, 1587), equation 8, Chabrier masses; 0.24 dex to Salpeter. Counts: `counts.rs`.
//! Fitted to the counts in seven bands together (`tests_counts.rs`): the mean spectrum of star-forming galaxies, c = 2.28 - 0.5 (lg M - 9.8) + 0.25 z up to
//! z = 0.7, + 0.65 z beyond, 1 to 4 (heavy ones redder, early ones bluer); of quiescent ones c = 0.4 z - 0.15, 0 to 1 (younger early on). Assumed: what the mass
//! functions lack of the counts (a third at i = 22 to 24) is in light galaxies, whose functions and M/L are least known; heavy ones keep theirs.
//! # Limits
//! Redshifts 0 to 7; one spectrum for each mass, type and redshift, without further dust. Before they are brought to the published counts the mass
//! functions give 0.5 to 1.15 of them (tested).
//! # Twin
//! None.

use super::counts::GalaxyCounts;
use crate::Library;
use crate::cosmos::shells::Shells;
use crate::cosmos::{Background, SHELLS};
use crate::table::{along, held, numbers};
use sim_core::spectrum::Sed;

/// Slices of distance in a shell.
pub(super) const SLICES: usize = 8;
/// Nodes of magnitude.
const FIRST_MAG: f64 = 15.75;
const STEP_MAG: f64 = 0.25;
const NODES: usize = 54;
/// lg M above which the mass functions hold as they are, and below which all that they lack is added.
const HEAVY: f64 = 10.8;
const LIGHT: f64 = 9.8;
/// Masses tried: lg M = 5 to 13.
const MASSES: usize = 81;

/// What a galaxy of a magnitude and redshift can be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Prospect {
    /// Share of quiescent galaxies.
    pub quiescent: f64,
    /// lg of the mass of a star-forming and of a quiescent galaxy \[solar\].
    pub mass: [f64; 2],
}

/// The law, tabulated by slice of distance and magnitude.
pub(super) struct GalaxyLaw {
    light: Light,
    prospects: Vec<[Prospect; NODES]>,
    /// f of a slice at the nodes, summed over types \[1 / deg2 / mag\], before scaling.
    shares: Vec<[f64; NODES]>,
    totals: [f64; NODES],
}

/// lg M and density \[1 / deg2 / mag\] of a type in a slice at the nodes.
type OfType = [(f64, f64); NODES];

/// Share of what the mass functions lack that a star-forming galaxy of a mass takes.
fn lightness(mass: f64) -> f64 {
    ((HEAVY - mass) / (HEAVY - LIGHT)).clamp(0.0, 1.0)
}

/// Mean coordinate of the spectrum of a star-forming galaxy.
pub(super) fn forming_type(mass: f64, z: f64) -> f64 {
    let bend = 0.7;
    (2.28 - 0.5 * (mass - 9.8) + 0.25 * z.min(bend) + 0.65 * (z - bend).max(0.0)).clamp(1.0, crate::sed::YOUNGEST)
}

/// Coordinate of the spectrum of a quiescent galaxy.
pub(super) fn quiescent_type(z: f64) -> f64 {
    (0.4 * z - 0.15).clamp(0.0, 1.0)
}

/// Colours and brightness of the spectra, by coordinate in steps of 1/2 and by redshift in steps of 0.1.
struct Light {
    /// g - i at rest.
    colour: Vec<f64>,
    /// -2.5 lg(F(z) / (F(0) (1 + z))), by coordinate and redshift.
    correction: Vec<Vec<f64>>,
    /// i at rest minus r at rest, and minus r shifted by 0.1.
    redder: [Vec<f64>; 2],
}

/// Where an absolute magnitude is stated.
#[derive(Debug, Clone, Copy)]
pub(super) enum Absolute {
    /// r at rest.
    R,
    /// r shifted by 0.1.
    ShiftedR,
}

impl Light {
    fn new(library: &Library) -> Self {
        let (g, i) = (library.bands.sdss_g(), library.bands.sdss_i());
        let kinds = (0..9).map(|k| 0.5 * f64::from(k));
        let (colour, correction) = kinds
            .map(|c| {
                let rest = Sed::rest(library.seds.galaxy_at(c, 0.0, 0.0));
                let here = i.mean_fnu(&rest);
                let at = |z: f64| {
                    let sed = Sed { template: library.seds.galaxy_at(c, 0.0, z), redshift: z, extinction: None };
                    -2.5 * (i.mean_fnu(&sed).max(1e-12 * here) / (here * (1.0 + z))).log10()
                };
                (-2.5 * (g.mean_fnu(&rest) / here).log10(), (0..=71).map(|k| at(0.1 * f64::from(k))).collect())
            })
            .unzip();
        let redder = [0.0, 0.1].map(|z: f64| {
            let of = |c: f64| {
                let here = i.mean_fnu(&Sed::rest(library.seds.galaxy_at(c, 0.0, 0.0)));
                let sed = Sed { template: library.seds.galaxy_at(c, 0.0, z), redshift: z, extinction: None };
                // The absolute magnitude in a shifted band is of the light per unit of the shifted band's width.
                2.5 * (library.bands.sdss_r().mean_fnu(&sed) / (here * (1.0 + z).powi(2))).log10()
            };
            (0..9).map(|k| of(0.5 * f64::from(k))).collect()
        });
        Self { colour, correction, redder }
    }
    /// i magnitude over the absolute one, without the distance.
    fn corrected(&self, coordinate: f64, z: f64) -> f64 {
        let row = ((z / 0.1) as usize).min(70);
        let t = z / 0.1 - row as f64;
        let at = |row: usize| {
            let k = ((2.0 * coordinate) as usize).min(7);
            let u = 2.0 * coordinate - k as f64;
            self.correction[k][row] + u * (self.correction[k + 1][row] - self.correction[k][row])
        };
        at(row) + t * (at(row + 1) - at(row))
    }
    /// i magnitude of a mass.
    fn magnitude(&self, mass: f64, coordinate: f64, z: f64, modulus: f64) -> f64 {
        let absolute = (1.15 + 0.70 * along(&self.colour, 2.0 * coordinate) + 0.24 - mass) / 0.4;
        absolute + modulus + self.corrected(coordinate, z)
    }
}

/// Two Schechter functions \[1 / Mpc3 / dex\] of (lg M, Phi, index) each.
fn schechter(parameters: &[f64], mass: f64) -> f64 {
    let one = |p: &[f64]| {
        let x = 10.0_f64.powf(mass - p[0]);
        std::f64::consts::LN_10 * p[1] * x.powf(1.0 + p[2]) * (-x).exp()
    };
    one(&parameters[..3]) + one(&parameters[3..6])
}

/// What the mass functions alone give, star-forming and quiescent, by slice.
fn of_mass_functions(light: &Light, background: &Background, shells: &Shells) -> Vec<[OfType; 2]> {
    let table = numbers(include_str!("../../data/galaxy_mass_functions.csv"));
    let redshifts: Vec<f64> = table.iter().map(|r| r[0]).collect();
    let columns: Vec<Vec<f64>> = (1..13).map(|k| table.iter().map(|r| r[k]).collect()).collect();
    let deg2 = (std::f64::consts::PI / 180.0_f64).powi(2) / background.cosmology.h.powi(3);
    let of_slice = |slice: usize| {
        let width = shells.width / SLICES as f64;
        let chi = width * (slice as f64 + 0.5);
        let z = background.redshift(chi);
        let modulus = background.modulus(z);
        let parameters: Vec<f64> = columns.iter().map(|c| held(&redshifts, c, z)).collect();
        let volume = chi * chi * width * deg2;
        let of_type = |kind: usize| -> OfType {
            let masses: Vec<f64> = (0..MASSES).map(|k| 5.0 + 0.1 * k as f64).collect();
            let coordinate = |m: f64| if kind == 0 { forming_type(m, z) } else { quiescent_type(z) };
            // Brighter with mass; the walk is from heavy to light so that magnitudes rise.
            let magnitudes: Vec<f64> = masses.iter().rev().map(|&m| light.magnitude(m, coordinate(m), z, modulus)).collect();
            let lightening: Vec<f64> = masses.iter().rev().copied().collect();
            std::array::from_fn(|node| {
                let i = FIRST_MAG + STEP_MAG * node as f64;
                let (mass, next) = (held(&magnitudes, &lightening, i), held(&magnitudes, &lightening, i + 0.05));
                (mass, volume * schechter(&parameters[6 * kind..6 * kind + 6], mass) * (mass - next).max(0.0) / 0.05)
            })
        };
        [of_type(0), of_type(1)]
    };
    (0..SHELLS * SLICES).map(of_slice).collect()
}

impl GalaxyLaw {
    pub(super) fn new(library: &Library, background: &Background, shells: &Shells) -> Self {
        let light = Light::new(library);
        let by_slice = of_mass_functions(&light, background, shells);
        let mut law = Self { light, prospects: Vec::new(), shares: Vec::new(), totals: [0.0; NODES] };
        let counts = GalaxyCounts::load();
        // What star-forming galaxies that count as light are multiplied by, less one.
        let added: [f64; NODES] = std::array::from_fn(|n| {
            let sum = |of: &dyn Fn(&[OfType; 2]) -> f64| by_slice.iter().map(of).sum::<f64>();
            let (all, light) = (sum(&|s| s[0][n].1 + s[1][n].1), sum(&|s| lightness(s[0][n].0) * s[0][n].1));
            ((counts.per_mag_deg2(FIRST_MAG + STEP_MAG * n as f64) - all) / light).max(-0.5)
        });
        for [forming, quiescent] in &by_slice {
            let of_forming: [f64; NODES] = std::array::from_fn(|n| forming[n].1 * (1.0 + added[n] * lightness(forming[n].0)));
            let share: [f64; NODES] = std::array::from_fn(|n| of_forming[n] + quiescent[n].1);
            law.prospects.push(std::array::from_fn(|n| Prospect {
                quiescent: if share[n] > 0.0 { quiescent[n].1 / share[n] } else { 0.0 },
                mass: [forming[n].0, quiescent[n].0],
            }));
            for (n, s) in share.iter().enumerate() {
                law.totals[n] += s;
            }
            law.shares.push(share);
        }
        law
    }
    /// i magnitude and mass \[lg solar\] of a galaxy with an absolute magnitude and a spectrum, at a redshift and distance modulus.
    pub(super) fn seen(&self, absolute: f64, stated: Absolute, coordinate: f64, z: f64, modulus: f64) -> (f64, f64) {
        let at = |values: &[f64]| along(values, 2.0 * coordinate);
        let i = absolute + at(&self.light.redder[stated as usize]);
        (i + modulus + self.light.corrected(coordinate, z), 1.15 + 0.70 * at(&self.light.colour) + 0.24 - 0.4 * i)
    }
    /// Node below a magnitude, and the part of the way to the next.
    fn place(i: f64) -> (usize, f64) {
        let place = ((i - FIRST_MAG) / STEP_MAG).clamp(0.0, (NODES - 1) as f64);
        let node = (place as usize).min(NODES - 2);
        (node, place - node as f64)
    }
    /// Share of a slice in the galaxies of a magnitude.
    pub(super) fn share(&self, slice: usize, i: f64) -> f64 {
        let (node, t) = Self::place(i);
        let at = |n: usize| self.shares[slice][n] / self.totals[n];
        at(node) + t * (at(node + 1) - at(node))
    }
    /// Galaxies between two magnitudes in a shell \[1 / deg2\].
    pub(super) fn shell_count_deg2(&self, counts: &GalaxyCounts, shell: usize, bright: f64, faint: f64) -> f64 {
        let middle = 0.5 * (bright + faint);
        let share: f64 = (0..SLICES).map(|k| self.share(shell * SLICES + k, middle)).sum();
        counts.between_deg2(bright, faint) * share
    }
    /// The slice of a shell in which a galaxy of a magnitude is, for a uniform number.
    pub(super) fn slice(&self, shell: usize, i: f64, u: f64) -> usize {
        let first = shell * SLICES;
        let share: [f64; SLICES] = std::array::from_fn(|k| self.share(first + k, i));
        let mut left = u * share.iter().sum::<f64>();
        for (k, s) in share.iter().enumerate() {
            left -= s;
            if left < 0.0 {
                return first + k;
            }
        }
        first + SLICES - 1
    }
    /// What a galaxy of a magnitude in a slice can be.
    pub(super) fn prospect(&self, slice: usize, i: f64) -> Prospect {
        let (node, t) = Self::place(i);
        let (a, b) = (self.prospects[slice][node], self.prospects[slice][node + 1]);
        let mix = |x: f64, y: f64| x + t * (y - x);
        Prospect { quiescent: mix(a.quiescent, b.quiescent), mass: std::array::from_fn(|k| mix(a.mass[k], b.mass[k])) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cosmos::Cosmology;

    fn law() -> (GalaxyLaw, Background, Shells) {
        let background = Background::new(Cosmology::default());
        let shells = Shells::new(&background);
        (GalaxyLaw::new(&Library::load(), &background, &shells), background, shells)
    }

    #[test]
    fn mass_functions_give_the_published_counts_within_a_factor_before_they_are_scaled() {
        let (_, background, shells) = law();
        let alone = of_mass_functions(&Light::new(&Library::load()), &background, &shells);
        let counts = GalaxyCounts::load();
        let at = [18.0, 20.0, 21.0, 22.0, 23.0, 24.0, 25.0, 26.0, 26.75];
        let ratios = at.map(|i| {
            let node = ((i - FIRST_MAG) / STEP_MAG) as usize;
            alone.iter().map(|s| s[0][node].1 + s[1][node].1).sum::<f64>() / counts.per_mag_deg2(i)
        });
        assert!(ratios.iter().all(|r| (0.5..1.5).contains(r)), "{ratios:?} at i = {at:?}");
    }

    #[test]
    fn redshifts_are_those_of_deep_surveys() {
        let (law, background, shells) = law();
        let mean = |i: f64| {
            let z = |s: usize| background.redshift(shells.width / SLICES as f64 * (s as f64 + 0.5));
            (0..SHELLS * SLICES).map(|s| law.share(s, i) * z(s)).sum::<f64>()
        };
        let all: f64 = (0..SHELLS * SLICES).map(|s| law.share(s, 23.3)).sum();
        assert!((all - 1.0).abs() < 1e-9);
        // LSST Science Book (arXiv:0912.0201), section 3.7: means of 3 (0.0417 i - 0.744), 0.52 at i = 22 and 0.89 at 25 (for samples to i,
        // so a little higher at i); 20 %. At 27.5 more than a tenth lies beyond redshift 3 (drop-outs).
        for (i, published) in [(22.0, 0.52), (23.5, 0.71), (25.0, 0.89)] {
            assert!((0.8..1.45).contains(&(mean(i) / published)), "i {i}: {} against {published}", mean(i));
        }
        let far = |i: f64, least: f64| {
            let chi = background.distance(least);
            (0..SHELLS * SLICES).filter(|&s| shells.width / SLICES as f64 * s as f64 > chi).map(|s| law.share(s, i)).sum::<f64>()
        };
        assert!((0.05..0.35).contains(&far(27.5, 3.0)), "{}", far(27.5, 3.0));
        assert!(far(22.0, 3.0) < 0.02 && far(27.0, 6.0) < 0.01, "{} {}", far(22.0, 3.0), far(27.0, 6.0));
    }

    #[test]
    fn quiescent_galaxies_are_heavy_and_rare_among_faint_ones() {
        let (law, background, shells) = law();
        let slice = |z: f64| (background.distance(z) / shells.width * SLICES as f64) as usize;
        let p = |i: f64, z: f64| law.prospect(slice(z), i);
        assert!(p(19.0, 0.4).quiescent > 0.25, "{:?}", p(19.0, 0.4));
        // Dwarfs: steep Schechter functions of 8e-5 and 8e-4, a factor 10 in number at equal mass.
        assert!(p(25.0, 0.4).quiescent < 0.25, "{:?}", p(25.0, 0.4));
        assert!(p(26.0, 3.0).quiescent < 0.05, "{:?}", p(26.0, 3.0));
        // At the same magnitude an old galaxy is heavier; M* (11) at z = 0.5 has i near 20 (M_i = -23, DM = 42.3).
        let at = p(20.0, 0.5);
        assert!(at.mass[1] > at.mass[0] && (10.4..11.6).contains(&at.mass[1]), "{at:?}");
    }
}
