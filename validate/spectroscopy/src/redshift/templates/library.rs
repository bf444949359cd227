//! Whole galaxies: amplitudes of continua and line groups that go together.
//!
//! # Formula
//! Stars form as exp(-(t0 - t) / tau), t their age; the last 300 Myr times 10^(0.3 n). Light of each age: stars formed times the population's light. H beta has
//! the equivalent width 12 nm x 10^(0.15 n) of the light younger than 30 Myr, less dust of the gas; \[O III\] / H beta = 10^(0.1 + 0.3 n), \[O II\] / H beta =
//! 10^(0.4 + 0.2 n), red group / H beta 0 to 1.4. Draws are Halton's points, so that 400 fill the space evenly.
//! # Symbols
//! t0 2 to 12 Gyr; t0 / tau 0 to 4 (three in four) or 4 to 12; n normal; E colour excess 0 to 0.4 mag, half of it for stars older than 300 Myr
//! # Source
//! Equivalent width of young light: Leitherer et al. 1999 (ApJS 123, 3; continuous formation), rounded; ratios and scatter of lines: star-forming galaxies of
//! surveys, rounded. All numbers assumed; none is of the simulator's galaxies.
//! # Limits
//! The mix is the same at all redshifts and magnitudes; ages are not held to that of the universe. Galaxies unlike all of these are left to free amplitudes.

use super::lines::LineGroup;
use super::populations::calzetti;

/// Bases of the Halton sequences.
const BASES: [usize; 9] = [2, 3, 5, 7, 11, 13, 17, 19, 23];
/// Points left out at the beginning, which are correlated.
const SKIPPED: usize = 20;
/// Ages of the populations \[yr\] and the span of ages that each stands for.
const SPANS: [(f64, f64, f64); 5] = [(5e6, 0.0, 3e7), (1e8, 3e7, 3e8), (6e8, 3e8, 1e9), (2e9, 1e9, 4e9), (1e10, 4e9, 1.2e10)];
/// Age up to which stars have all the dust and a burst counts \[yr\].
const YOUNG: f64 = 3e8;
/// Equivalent width of H beta against the light younger than 30 Myr \[nm\].
const H_BETA_NM: f64 = 12.0;
/// Extinction of the gas's lines beyond that of the stars' light, over the excess \[mag / mag\].
const GAS: f64 = 1.6;

fn halton(index: usize, base: usize) -> f64 {
    let (mut part, mut sum, mut i) = (1.0, 0.0, index + SKIPPED);
    while i > 0 {
        part /= base as f64;
        sum += part * (i % base) as f64;
        i /= base;
    }
    sum
}

/// Normal quantile, by the logistic curve (good to 0.02 within two sigma).
fn normal(u: f64) -> f64 {
    (u / (1.0 - u)).ln() / 1.702
}

fn dex(x: f64) -> f64 {
    10.0_f64.powf(x)
}

/// Galaxies as amplitudes of populations (age \[yr\], colour excess; each normalised at 500 nm, `light` what it was divided by) and of groups
/// (equivalent width at rest in light at 500 nm \[nm\]).
pub(crate) fn galaxies(populations: &[(f64, f64)], light: &[f64], groups: &[LineGroup], count: usize) -> Vec<Vec<f64>> {
    (0..count).map(|k| one(&BASES.map(|base| halton(k, base)), populations, light, groups)).collect()
}

fn one(u: &[f64; 9], populations: &[(f64, f64)], light: &[f64], groups: &[LineGroup]) -> Vec<f64> {
    let start = 2e9 * 6.0_f64.powf(u[0]);
    let folds = if u[1] < 0.75 { 4.0 * u[1] / 0.75 } else { 4.0 + 8.0 * (u[1] - 0.75) / 0.25 };
    let tau = start / folds.max(0.1);
    let (burst, excess) = (dex(0.3 * normal(u[2])), 0.4 * u[3]);
    let mut a = vec![0.0; populations.len() + groups.len()];
    let mut young = 0.0;
    for (age, from, to) in SPANS {
        let to = to.min(start);
        let of: Vec<usize> = (0..populations.len()).filter(|&p| populations[p].0 == age).collect();
        let (Some(&first), Some(&last), true) = (of.first(), of.last(), to > from) else { continue };
        let formed = tau * (((to - start) / tau).exp() - ((from - start) / tau).exp()) * if age < YOUNG { burst } else { 1.0 };
        let own = if age < YOUNG { excess } else { 0.5 * excess };
        let (low, high) = (populations[first].1, populations[last].1);
        let share = if high > low { ((own - low) / (high - low)).clamp(0.0, 1.0) } else { 0.0 };
        let dimmed = |excess: f64| formed * light[first] * dex(-0.4 * excess * calzetti(500.0));
        // Between two populations of different dust by shares; one alone takes any.
        if high > low {
            a[first] += (1.0 - share) * dimmed(low);
            a[last] += share * dimmed(high);
        } else {
            a[first] += dimmed(own);
        }
        if age == SPANS[0].0 {
            young = dimmed(own);
        }
    }
    let total: f64 = a.iter().sum();
    a.iter_mut().for_each(|v| *v /= total);
    let h_beta = young / total * H_BETA_NM * dex(0.15 * normal(u[4]) - 0.4 * GAS * excess);
    for (amplitude, group) in a[populations.len()..].iter_mut().zip(groups) {
        *amplitude = h_beta
            * match group.name.as_str() {
                "balmer" => 1.0,
                "o_iii" => dex(0.1 + 0.3 * normal(u[5])),
                "o_ii" => dex(0.4 + 0.2 * normal(u[6])),
                "red" => 1.4 * u[7],
                "ly_alpha" if u[8] < 0.2 => 5.0,
                "ultraviolet" => 0.05,
                _ => 0.0,
            };
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn galaxies_hold_all_their_light_and_young_ones_have_the_lines() {
        let populations = [(5e6, 0.0), (5e6, 0.4), (1e8, 0.0), (1e8, 0.3), (6e8, 0.1), (2e9, 0.0), (1e10, 0.0), (1e10, 0.3)];
        let light = [4.3e-4, 4.3e-4, 1.2e-4, 1.2e-4, 3.9e-5, 1.6e-5, 3.7e-6, 3.7e-6];
        let groups = super::super::lines::groups(&[("balmer", 2.0), ("o_iii", 4.0)]);
        let all = galaxies(&populations, &light, &groups, 400);
        assert!(all.iter().all(|a| (a[..8].iter().sum::<f64>() - 1.0).abs() < 1e-9 && a.iter().all(|v| *v >= 0.0)));
        // H beta of the galaxies with the most and the least of the youngest light: from a starburst's 2 nm to none.
        let mut by_youth: Vec<(f64, f64)> = all.iter().map(|a| (a[0] + a[1], a[8])).collect();
        by_youth.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mean = |of: &[(f64, f64)]| of.iter().map(|g| g.1).sum::<f64>() / of.len() as f64;
        assert!(mean(&by_youth[..80]) < 0.05, "{}", mean(&by_youth[..80]));
        assert!((0.4..3.0).contains(&mean(&by_youth[320..])), "{}", mean(&by_youth[320..]));
    }
}
