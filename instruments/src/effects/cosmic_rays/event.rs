//! One event: its particles, their losses, their electrons.

use super::deposit::{Deposit, Sensor, merge};
use super::dice::Dice;
use super::direction::{Directions, Vector, deflected};
use super::landau::Landau;
use super::silicon::{ELECTRON_MASS_KEV, FANO, Kinematics, PAIR_ENERGY_KEV};
use super::spectrum::{Kind, Particle, Spectrum};
use super::track::pieces;
use super::wander::{SHAPE_PER_UM, follow};

/// A loss that far above the most probable one is a hard collision: its electron has a track of its own \[keV\]
/// (10 keV: range 1.5 um).
const DELTA_KEV: f64 = 10.0;
/// Longest piece of path that gets one draw of Landau's law \[um\].
const SECTION_UM: f64 = 40.0;
/// Longest straight path \[um\]: one isotropic particle in a million is longer in 16 um of silicon.
pub const LONGEST_UM: f64 = 16_000.0;
/// Pieces of a path: a quarter of a pixel, an eighth of the thickness.
const PER_PIXEL: f64 = 4.0;
const LAYERS: f64 = 8.0;

/// One particle's passage.
#[derive(Debug, Clone)]
pub struct Passage {
    /// Kind.
    pub kind: Kind,
    /// Kinetic energy at entry \[keV\].
    pub kinetic_kev: f64,
    /// Entry: x, y, depth below the back surface \[um\].
    pub entry: Vector,
    /// Direction; z from the back to the gates.
    pub direction: Vector,
    /// Path in the silicon \[um\].
    pub path_um: f64,
    /// Energy laid down in the silicon \[keV\].
    pub energy_kev: f64,
    /// Electrons by pixel, sorted by row and column, on and off the detector.
    pub deposits: Vec<Deposit>,
}

/// Everything that makes events.
#[derive(Debug, Clone)]
pub struct Maker {
    /// Silicon.
    pub sensor: Sensor,
    /// Particles.
    pub spectrum: Spectrum,
    /// Directions.
    pub directions: Directions,
    /// Straggling.
    pub landau: Landau,
}

impl Maker {
    /// The passages of an event of a kind whose axis meets the sensor at `(x, y)` \[um\] with a direction.
    pub fn passages(&self, kind: Kind, [x, y]: [f64; 2], direction: Vector, dice: &mut Dice) -> Vec<Passage> {
        let thickness = self.sensor.thickness_um;
        let entry = [x, y, if direction[2] > 0.0 { 0.0 } else { thickness }];
        match kind {
            Kind::Shower => self.shower(entry, direction, dice),
            Kind::Electron => {
                let particle = self.spectrum.particle(kind, dice);
                let born = [x, y, dice.uniform() * thickness];
                let cosine = 2.0 * dice.uniform() - 1.0;
                let direction = super::direction::polar(cosine, dice.uniform());
                vec![self.passage(kind, particle, born, direction, dice)]
            }
            _ => {
                let particle = self.spectrum.particle(kind, dice);
                vec![self.passage(kind, particle, entry, direction, dice)]
            }
        }
    }
    /// Several particles from a point before the sensor: 2 and more (geometric, mean 4), cone of 0.1 rad per axis.
    fn shower(&self, entry: Vector, axis: Vector, dice: &mut Dice) -> Vec<Passage> {
        let distance = dice.log_uniform(1000.0, 30_000.0);
        let vertex = [0, 1, 2].map(|k| entry[k] - distance * axis[k]);
        let number = 2 + (dice.exponential() / 1.5_f64.ln()) as usize;
        let mut out = Vec::new();
        for _ in 0..number.min(40) {
            let angle = 0.1 * (2.0 * dice.exponential()).sqrt();
            let direction = deflected(axis, angle.min(1.5).cos(), dice.uniform());
            let run = (entry[2] - vertex[2]) / direction[2];
            let particle = self.spectrum.particle(Kind::Shower, dice);
            if !(direction[2] * axis[2] > 0.0 && run < 10.0 * distance) {
                continue;
            }
            let place = [vertex[0] + run * direction[0], vertex[1] + run * direction[1], entry[2]];
            out.push(self.passage(Kind::Shower, particle, place, direction, dice));
        }
        out
    }
    /// One particle through the silicon.
    pub fn passage(&self, kind: Kind, particle: Particle, entry: Vector, direction: Vector, dice: &mut Dice) -> Passage {
        let mut passage =
            Passage { kind, kinetic_kev: particle.kinetic_kev, entry, direction, path_um: 0.0, energy_kev: 0.0, deposits: Vec::new() };
        let length = (self.sensor.thickness_um / direction[2].abs().max(1e-9)).min(LONGEST_UM);
        let slow = particle.mass_kev == ELECTRON_MASS_KEV || {
            let mean = Kinematics::heavy(particle.mass_kev, particle.kinetic_kev).mean_loss_kev_um(particle.charge) * length;
            mean > 0.1 * particle.kinetic_kev
        };
        if slow {
            self.slow(particle, entry, direction, dice, &mut passage);
            // A slow particle's path is its own; a delta ray's is not the primary's.
        } else {
            self.fast(particle, entry, direction, length, dice, &mut passage);
        }
        merge(&mut passage.deposits);
        passage
    }
    fn slow(&self, particle: Particle, place: Vector, direction: Vector, dice: &mut Dice, passage: &mut Passage) {
        let deposits = &mut passage.deposits;
        let end = follow(particle, place, direction, self.sensor.thickness_um, dice, |at, kev, dice| {
            self.pairs(at, kev, dice, deposits);
        });
        passage.path_um += end.path_um;
        passage.energy_kev += end.energy_kev;
    }
    /// Pairs of an energy, shared among pixels.
    fn pairs(&self, place: Vector, kev: f64, dice: &mut Dice, deposits: &mut Vec<Deposit>) {
        let mean = kev / PAIR_ENERGY_KEV;
        let number = dice.whole(mean, FANO * mean);
        self.sensor.collect(place, number, dice, deposits);
    }
    /// A straight path: Landau's law section by section, spread over pieces; hard collisions send electrons of their own.
    fn fast(&self, particle: Particle, entry: Vector, direction: Vector, length: f64, dice: &mut Dice, passage: &mut Passage) {
        let kinematics = Kinematics::heavy(particle.mass_kev, particle.kinetic_kev);
        let sections = (length / SECTION_UM).ceil().max(1.0);
        let section = length / sections;
        let cell = [self.sensor.pitch_um / PER_PIXEL, self.sensor.pitch_um / PER_PIXEL, self.sensor.thickness_um / LAYERS];
        passage.path_um = length;
        let mut parts: Vec<(Vector, f64)> = Vec::new();
        for k in 0..sections as usize {
            let start = [0, 1, 2].map(|axis| entry[axis] + k as f64 * section * direction[axis]);
            let (soft, hard) = self.loss_kev(&kinematics, particle.charge, section, dice);
            parts.clear();
            let mut sum = 0.0;
            pieces(start, direction, section, cell, |middle, piece| {
                let weight = dice.gamma(SHAPE_PER_UM * piece);
                sum += weight;
                parts.push((middle, weight));
            });
            for &(middle, weight) in &parts {
                self.pairs(middle, soft * weight / sum, dice, &mut passage.deposits);
            }
            passage.energy_kev += soft;
            if hard > 0.0 {
                let at = dice.uniform() * section;
                let place = [0, 1, 2].map(|axis| start[axis] + at * direction[axis]);
                // Two-body kinematics of the collision.
                let twice = 2.0 * ELECTRON_MASS_KEV;
                let most = kinematics.largest_transfer_kev;
                let cosine = (hard * (most + twice) / (most * (hard + twice))).sqrt().min(1.0);
                let away = deflected(direction, cosine, dice.uniform());
                let path = passage.path_um;
                self.slow(Particle::electron(hard), place, away, dice, passage);
                passage.path_um = path;
            }
        }
    }
    /// Loss on a path \[keV\]: what stays along it, and what a hard collision gives to an electron.
    pub fn loss_kev(&self, kinematics: &Kinematics, charge: f64, path_um: f64, dice: &mut Dice) -> (f64, f64) {
        let mean = kinematics.mean_loss_kev_um(charge) * path_um;
        let xi = kinematics.xi_kev(charge, path_um);
        let most = kinematics.largest_transfer_kev;
        let kappa = xi / most;
        if kappa > 1.0 {
            // Bohr's limit of Vavilov's law.
            let sigma = (xi * most * (1.0 - 0.5 * kinematics.beta2)).sqrt();
            return ((mean + sigma * dice.normal()).max(0.2 * mean), 0.0);
        }
        let centre = -0.422_784_3 - kinematics.beta2 - kappa.ln();
        let limit = self.landau.limit_of_mean(centre);
        let loss = mean + xi * (self.landau.draw_below(limit, dice.uniform()) - centre);
        let probable = mean + xi * (-0.222_78 - centre);
        let excess = loss - probable;
        let (soft, hard) = if excess > DELTA_KEV { (probable, excess.min(most)) } else { (loss, 0.0) };
        let binding = kinematics.binding_variance_kev2(charge, path_um).sqrt() * dice.normal();
        ((soft + binding).max(0.25 * probable.max(0.0)), hard)
    }
}
