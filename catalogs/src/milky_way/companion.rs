//! Stars in pairs.
//!
//! # Effect
//! Nearly half of the stars like the Sun have a companion; most are not resolved and change the colour, some are close doubles.
//! # Formula
//! A system of light M has a companion with probability f(m); mass ratio p(q) ~ q^g from q = 0.1 (or the least mass of the tables); lg a normal about lg a0. The light of
//! both is M. On the sky: a sin(theta) with cos(theta) uniform, any position angle.
//! # Symbols
//! m mass of the brighter star \[solar\], a separation \[au\]: m < 0.5: f 0.26, g 0.4, a0 5.3 au, sigma 1.3 dex; 0.5 to 1.4: f 0.44, g 0.3, a0 45 au,
//! sigma 1.53 dex; above: f 0.5, g -0.5, a0 350 au, sigma 1.0 dex. Giants have the companions of stars of 1.1 solar masses. White dwarfs none.
//! # Source
//! Duchene & Kraus 2013 (ARA&A 51, 269), table 1, after Raghavan et al. 2010 (ApJS 190, 1): sigma of lg P 2.28 is 1.53 dex in a. Of massive
//! stars the wide peak alone; its sigma is assumed.
//! # Limits
//! No triples, orbits or eclipses; an orbit is seen as a circle whose phase is uniform over the sphere. Pairs wider than 5 arcsec are left single.
//! # Twin
//! None.

use super::sequence::Sequences;
use crate::draw::Draw;

/// Widest pairs drawn: those beyond are left single \[arcsec\].
pub const WIDEST_ARCSEC: f64 = 5.0;
/// The least mass of a companion \[solar\].
const LEAST_MASS: f64 = 0.078;

/// A companion of a star.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Companion {
    /// Absolute magnitude in V.
    pub absolute_v: f64,
    /// Distance from the brighter star on the plane of the sky \[au\].
    pub separation_au: f64,
    /// Position angle, from north to east \[rad\].
    pub angle_rad: f64,
}

struct Statistics {
    fraction: f64,
    power: f64,
    log_separation: (f64, f64),
}

fn statistics(mass: f64) -> Statistics {
    let (fraction, power, au, sigma) = if mass < 0.5 {
        (0.26, 0.4, 5.3_f64, 1.3)
    } else if mass < 1.4 {
        (0.44, 0.3, 45.0, 1.53)
    } else {
        (0.5, -0.5, 350.0, 1.0)
    };
    Statistics { fraction, power, log_separation: (au.log10(), sigma) }
}

fn combined(a: f64, b: f64) -> f64 {
    a - 2.5 * (1.0 + 10.0_f64.powf(0.4 * (a - b))).log10()
}

/// Draws the companion of a system of combined absolute magnitude `system`: the absolute magnitude of the brighter star, and the companion.
/// `giant_mass` is the mass of a star that is no dwarf.
pub(super) fn draw(sequences: &Sequences, system: f64, giant_mass: Option<f64>, draw: &mut Draw) -> (f64, Option<Companion>) {
    let mass = giant_mass.unwrap_or_else(|| sequences.dwarf_mass(system));
    let statistics = statistics(mass);
    if !draw.chance(statistics.fraction) {
        return (system, None);
    }
    let least = (LEAST_MASS / mass).clamp(0.1, 1.0);
    let power = statistics.power + 1.0;
    let (low, u) = (least.powf(power), draw.uniform());
    let ratio = (low + (1.0 - low) * u).powf(1.0 / power);
    // The brighter star is fainter than the pair; its mass with it.
    let mut brighter = system;
    let mut companion = 99.0;
    for _ in 0..4 {
        let mass = giant_mass.unwrap_or_else(|| sequences.dwarf_mass(brighter));
        companion = sequences.dwarf_magnitude(ratio * mass).max(brighter);
        brighter += system - combined(brighter, companion);
    }
    // Exact in the last step: the light that the companion leaves.
    let share = 1.0 - 10.0_f64.powf(-0.4 * (companion - system));
    let brighter = if share > 0.0 { system - 2.5 * share.log10() } else { brighter };
    let (mean, sigma) = statistics.log_separation;
    let axis_au = 10.0_f64.powf(mean + sigma * draw.normal());
    let cosine = draw.between(-1.0, 1.0);
    let angle_rad = draw.between(0.0, std::f64::consts::TAU);
    let separation_au = axis_au * (1.0 - cosine * cosine).max(0.0).sqrt();
    (brighter, Some(Companion { absolute_v: companion, separation_au, angle_rad }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::stream::StreamKey;

    #[test]
    fn pairs_have_the_light_of_the_system_and_the_published_fraction_and_separation() {
        let s = Sequences::load();
        for (system, fraction, au) in [(4.8, 0.44, 45.0), (11.0, 0.26, 5.3)] {
            let n = 20_000_u64;
            let mut separations = Vec::new();
            for k in 0..n {
                let (brighter, companion) = draw(&s, system, None, &mut Draw::new(StreamKey::new(3).stream(k)));
                let Some(c) = companion else {
                    assert_eq!(brighter, system);
                    continue;
                };
                assert!((combined(brighter, c.absolute_v) - system).abs() < 1e-9);
                // Equal stars are 0.7526 mag fainter than both; the companion is never brighter by more than the last step of the iteration.
                assert!((system..=system + 0.76).contains(&brighter) && c.absolute_v > brighter - 0.02, "{brighter} {c:?}");
                separations.push(c.separation_au);
            }
            // Binomial: 0.0035; five of them.
            assert!((separations.len() as f64 / n as f64 - fraction).abs() < 5.0 * (fraction * (1.0 - fraction) / n as f64).sqrt());
            separations.sort_by(f64::total_cmp);
            let median = separations[separations.len() / 2];
            // The mean of lg sin(theta) is -0.133, the median of the projected separation between 0.74 and 0.87 of a0; with an error of
            // 1.25 x 1.5 dex / sqrt(5000) = 6 %.
            assert!((0.55..1.1).contains(&(median / au)), "{median} au");
        }
    }
}
