//! Physics of whole events.

use super::deposit::Sensor;
use super::dice::Dice;
use super::direction::Directions;
use super::event::Maker;
use super::landau::Landau;
use super::silicon::{Kinematics, PAIR_ENERGY_KEV, PION_MASS_KEV, PROTON_MASS_KEV};
use super::spectrum::{Kind, Particle, Shares, Spectrum};
use sim_core::stream::StreamKey;

fn maker(thickness_um: f64) -> Maker {
    let shares = Shares { helium: 0.05, secondary: 0.35, electron: 0.1, stopping: 0.01, shower: 0.02 };
    Maker {
        sensor: Sensor::new(thickness_um, 10.0, 3.5, 0.0),
        spectrum: Spectrum::new(shares, 550.0, 5.0),
        directions: Directions::new(0.0, 0.5),
        landau: Landau::new(),
    }
}

fn dice(item: u64) -> Dice {
    Dice::new(StreamKey::new(12).with_name("event").stream(item))
}

const MIP: Particle = Particle { mass_kev: PION_MASS_KEV, charge: 1.0, kinetic_kev: 350e3 };

#[test]
fn the_mean_loss_is_bethes_and_the_peak_is_landaus() {
    let maker = maker(300.0);
    // Thick enough for Landau: 300 um of silicon; most probable loss of a minimum-ionising particle about 78-84 keV
    // (Hancock et al. 1983, Phys. Rev. A 28, 615: 84 keV with binding), i.e. 71-77 pairs per um.
    let kinematics = Kinematics::heavy(MIP.mass_kev, MIP.kinetic_kev);
    let mut dice = dice(1);
    const N: usize = 60_000;
    let losses: Vec<f64> = (0..N)
        .map(|_| {
            let (soft, hard) = maker.loss_kev(&kinematics, 1.0, 300.0, &mut dice);
            soft + hard
        })
        .collect();
    let mean = losses.iter().sum::<f64>() / N as f64;
    let bethe = 300.0 * kinematics.mean_loss_kev_um(1.0);
    // Variance of Vavilov's law: xi T_max (1 - beta^2 / 2); the mean of N draws. 5 sigma, and 1 % for the table.
    let xi = kinematics.xi_kev(1.0, 300.0);
    let sigma = (xi * kinematics.largest_transfer_kev * (1.0 - 0.5 * kinematics.beta2) / N as f64).sqrt();
    assert!((mean - bethe).abs() < 5.0 * sigma + 0.01 * bethe, "{mean} against {bethe} +- {sigma}");
    let width = 2.0;
    let mut bins = vec![0_u32; 100];
    losses.iter().filter(|&&l| l < 200.0).for_each(|l| bins[(l / width) as usize] += 1);
    // The peak of a parabola through the five highest bins' neighbourhood.
    let top = (0..bins.len()).max_by_key(|&i| bins[i]).unwrap();
    let near = top.saturating_sub(4)..=top + 4;
    let weight: f64 = near.clone().map(|i| f64::from(bins[i]).powi(4)).sum();
    let peak = near.map(|i| (i as f64 + 0.5) * width * f64::from(bins[i]).powi(4)).sum::<f64>() / weight;
    let per_um = peak / PAIR_ENERGY_KEV / 300.0;
    println!("peak {peak:.1} keV in 300 um: {per_um:.1} pairs/um; formula {:.1} keV", kinematics.most_probable_loss_kev(1.0, 300.0));
    assert!(per_um > 70.0 && per_um < 80.0, "{per_um} pairs per um");
}

#[test]
fn a_fast_particle_leaves_some_55_to_65_electrons_per_um_of_thin_silicon() {
    let maker = maker(16.0);
    let mut totals: Vec<f64> = (0..4000)
        .map(|i| {
            let passage = maker.passage(Kind::Proton, MIP, [505.0, 505.0, 0.0], [0.0, 0.0, 1.0], &mut dice(i));
            passage.deposits.iter().map(|d| f64::from(d.electrons)).sum()
        })
        .collect();
    totals.sort_by(f64::total_cmp);
    let median = totals[2000] / 16.0;
    // Bichsel 1988: most probable 54 pairs/um in 16 um; the median of a Landau law is 1.58 xi higher (xi = 0.3 keV: 8 pairs/um).
    println!("median {median:.1} electrons per um");
    assert!(median > 54.0 && median < 72.0, "{median}");
}

#[test]
fn electrons_are_the_energy_over_the_pair_energy() {
    let maker = maker(16.0);
    for (i, (kind, particle)) in [
        (Kind::Proton, MIP),
        (Kind::Stopping, Particle { mass_kev: PROTON_MASS_KEV, charge: 1.0, kinetic_kev: 2000.0 }),
        (Kind::Electron, Particle::electron(300.0)),
    ]
    .into_iter()
    .enumerate()
    {
        let (mut energy, mut electrons) = (0.0, 0.0);
        for k in 0..200 {
            let s = 0.8_f64.sqrt();
            let passage = maker.passage(kind, particle, [505.0, 505.0, 0.0], [0.2_f64.sqrt(), 0.0, s], &mut dice(1000 * i as u64 + k));
            energy += passage.energy_kev;
            electrons += passage.deposits.iter().map(|d| f64::from(d.electrons)).sum::<f64>();
        }
        let pairs = energy / PAIR_ENERGY_KEV;
        // Fano: sigma = sqrt(0.115 N); rounding of pieces: 1/2 each, some 10^4 pieces. 5 sigma.
        assert!((electrons - pairs).abs() < 5.0 * (0.115 * pairs + 1e4).sqrt(), "{kind:?}: {electrons} for {pairs}");
    }
}

#[test]
fn helium_leaves_four_times_the_charge_of_a_proton_of_its_velocity() {
    let velocity = Kinematics::heavy(PROTON_MASS_KEV, 3e6);
    assert!((velocity.mean_loss_kev_um(2.0) / velocity.mean_loss_kev_um(1.0) - 4.0).abs() < 1e-12);
}

#[test]
fn slanting_tracks_are_long_and_upright_ones_short() {
    let maker = maker(16.0);
    let upright = maker.passage(Kind::Proton, MIP, [505.0, 505.0, 0.0], [0.0, 0.0, 1.0], &mut dice(5));
    let c: f64 = 0.05;
    let slanting = maker.passage(Kind::Proton, MIP, [505.0, 505.0, 0.0], [(1.0 - c * c).sqrt(), 0.0, c], &mut dice(5));
    // 16 um / 0.05 = 320 um along x: 32 pixels.
    assert!((slanting.path_um - 320.0).abs() < 1e-9);
    let columns = |p: &super::event::Passage| {
        let strong: Vec<i32> = p.deposits.iter().filter(|d| d.electrons > 50).map(|d| d.x).collect();
        strong.iter().max().unwrap() - strong.iter().min().unwrap() + 1
    };
    assert!(columns(&slanting) >= 30 && columns(&upright) <= 3, "{} {}", columns(&slanting), columns(&upright));
}
