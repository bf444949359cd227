//! Slow particles: electrons (delta rays, worms) and stopping protons, step by step.
//!
//! # Formula
//! Steps of a tenth of the remaining range, 0.2 to 2 um: loss S(T) h with gamma-distributed fluctuations, then a deflection
//! of the plane angle of Highland's formula. Bragg's rise comes from S(T).
//! # Source
//! Condensed history as in Berger 1963 (Methods in Computational Physics 1, 135), class I; stopping powers in [`super::silicon`].
//! # Limits
//! No backscatter from the surfaces, no secondary of a secondary, no bremsstrahlung: their pixels are few and faint. Electrons
//! are followed for 4 mm.

use super::dice::Dice;
use super::direction::{Vector, deflected};
use super::silicon::{ELECTRON_MASS_KEV, Kinematics, electron_loss_kev_um, scattering_angle};
use super::spectrum::Particle;

/// How far from its start a particle is followed \[um\].
pub const REACH_UM: f64 = 4000.0;
/// Energy that is laid down at once \[keV\]: the range is below 0.03 um.
const LAST_KEV: f64 = 0.5;
/// Shape of the gamma law of a loss per um at 0.4 keV/um: variance over mean squared of thin silicon (Bichsel 1988: full
/// width about the most probable loss in 10 um).
pub const SHAPE_PER_UM: f64 = 0.2;

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct End {
    /// Path in the silicon \[um\].
    pub path_um: f64,
    /// Energy laid down \[keV\].
    pub energy_kev: f64,
}

/// Follows a particle from a place until it stops or leaves `0 < depth < thickness`; `lay(place, keV)` takes its energy.
pub fn follow(
    mut particle: Particle,
    mut place: Vector,
    mut direction: Vector,
    thickness_um: f64,
    dice: &mut Dice,
    mut lay: impl FnMut(Vector, f64, &mut Dice),
) -> End {
    let is_electron = particle.mass_kev == ELECTRON_MASS_KEV;
    let start = place;
    let mut end = End { path_um: 0.0, energy_kev: 0.0 };
    loop {
        if particle.kinetic_kev <= LAST_KEV {
            end.energy_kev += particle.kinetic_kev;
            lay(place, particle.kinetic_kev, dice);
            return end;
        }
        let slope = if is_electron {
            electron_loss_kev_um(particle.kinetic_kev)
        } else {
            Kinematics::heavy(particle.mass_kev, particle.kinetic_kev).mean_loss_kev_um(particle.charge)
        };
        let step = (0.1 * particle.kinetic_kev / slope).clamp(0.2, 2.0);
        let shape = SHAPE_PER_UM * step * slope / 0.4;
        let loss = (slope * step * dice.gamma(shape) / shape).min(particle.kinetic_kev);
        let middle = [0, 1, 2].map(|k| place[k] + 0.5 * step * direction[k]);
        if middle[2] < 0.0 || middle[2] > thickness_um {
            return end;
        }
        lay(middle, loss, dice);
        end.energy_kev += loss;
        end.path_um += step;
        let angle = scattering_angle(particle.p_beta_kev(), particle.charge, step);
        // Both plane angles together: Rayleigh.
        let space = angle * (2.0 * dice.exponential()).sqrt();
        let turn = dice.uniform();
        place = [0, 1, 2].map(|k| place[k] + step * direction[k]);
        direction = deflected(direction, space.min(3.0).cos(), turn);
        particle.kinetic_kev -= loss;
        let away = (place[0] - start[0]).powi(2) + (place[1] - start[1]).powi(2);
        if place[2] < 0.0 || place[2] > thickness_um || away > REACH_UM * REACH_UM {
            return end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::cosmic_rays::silicon::PROTON_MASS_KEV;
    use sim_core::stream::StreamKey;

    #[test]
    fn a_stopping_proton_lays_down_all_its_energy_and_most_of_it_at_the_end() {
        let mut dice = Dice::new(StreamKey::new(4).with_name("bragg").stream(0));
        let proton = Particle { mass_kev: PROTON_MASS_KEV, charge: 1.0, kinetic_kev: 3000.0 };
        let mut laid = Vec::new();
        let end = follow(proton, [0.0, 0.0, 500.0], [0.0, 0.0, 1.0], 1e6, &mut dice, |place, kev, _| laid.push((place[2], kev)));
        assert!((end.energy_kev - 3000.0).abs() < 1e-6);
        assert!((laid.iter().map(|l| l.1).sum::<f64>() - 3000.0).abs() < 1e-6);
        // PSTAR: the range of 3 MeV protons in silicon is 92 um; straggling 2 %, our stopping power some per cent.
        assert!((end.path_um / 92.0 - 1.0).abs() < 0.10, "{}", end.path_um);
        let per_um =
            |from: f64, to: f64| laid.iter().filter(|l| l.0 - 500.0 >= from && l.0 - 500.0 < to).map(|l| l.1).sum::<f64>() / (to - from);
        assert!(per_um(end.path_um - 10.0, end.path_um) > 2.5 * per_um(0.0, 20.0), "Bragg's rise");
    }

    #[test]
    fn electrons_bend_and_reach_less_far_than_their_path() {
        let mut dice = Dice::new(StreamKey::new(4).with_name("worm").stream(0));
        let (mut path, mut depth) = (0.0, 0.0);
        for _ in 0..200 {
            let mut deepest = 0.0_f64;
            path += follow(Particle::electron(100.0), [0.0, 0.0, 500.0], [0.0, 0.0, 1.0], 1e6, &mut dice, |place, _, _| {
                deepest = deepest.max(place[2] - 500.0);
            })
            .path_um;
            depth += deepest;
        }
        // Detour: mean depth over path near one half for silicon at 100 keV (Tabata et al. 1996).
        assert!(depth / path > 0.3 && depth / path < 0.75, "{}", depth / path);
    }
}
