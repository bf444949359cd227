//! Stars along a line of sight.
//!
//! # Effect
//! The number of stars between two apparent magnitudes, and stars drawn from it.
//! # Formula
//! n = sum over components and shells of rho(d) V (Phi(faint - mu - A) - Phi(bright - mu - A)); a star is drawn as component and shell by these weights,
//! then d uniform in volume, then M from Phi between the limits at its own mu and A.
//! # Symbols
//! rho relative density, V volume of a shell per deg2, mu = 5 lg d - 5 distance modulus, A extinction, Phi stars / pc3 brighter than an absolute
//! magnitude.
//! # Source
//! The fundamental equation of star counts (von Seeliger 1898); laws in the files beside.
//! # Limits
//! Shells of 0.1 mag in distance modulus from 1 pc to 100 kpc, the density that of the middle of a shell.
//! # Twin
//! None.

use super::companion::WIDEST_ARCSEC;
use super::density::Sightline;
use super::dust::Dust;
use super::motion::Velocities;
use super::sequence::{Branch, GIANT_MASS, WHITE_DWARF_MASS};
use super::{Component, Kind, MilkyWay, Pairs, Population, Star, companion};
use crate::draw::Draw;
use crate::extinction::R_V;

/// Distance moduli covered, and their step.
const MODULUS: (f64, f64) = (-5.0, 20.0);
const SHELLS: usize = 250;
/// Square degrees in a sphere over 4 pi.
const DEG2_PER_SR: f64 = 3_282.806_350_011_744;
/// Luminosity below which the old populations are dwarfs.
const TURN_OFF: f64 = 4.0;
/// Absolute magnitudes between which the old luminosity function has its horizontal branch, and the fraction on it: the excess over a straight
/// line of its lg between 0.5 and 1.5.
const HORIZONTAL: (f64, f64, f64) = (0.6, 1.4, 0.6);

/// What is along a line of sight between two apparent magnitudes.
#[derive(Debug, Clone)]
pub struct Line {
    sightline: Sightline,
    limits: (f64, f64),
    /// Distances of the shells' edges \[pc\] and the extinction there \[mag\].
    edges_pc: Vec<f64>,
    extinction: Vec<f64>,
    /// Cumulative density \[1 / deg2\] over components, each with all its shells.
    cumulative: Vec<f64>,
}

fn distance_pc(modulus: f64) -> f64 {
    10.0_f64.powf(1.0 + 0.2 * modulus)
}

impl Line {
    /// Towards a galactic position \[deg\], stars between two apparent V magnitudes.
    pub(super) fn new(model: &MilkyWay, (l_deg, b_deg): (f64, f64), dust: Dust, limits: (f64, f64)) -> Self {
        let sightline = Sightline::new(l_deg, b_deg);
        let step = (MODULUS.1 - MODULUS.0) / SHELLS as f64;
        let edges_pc: Vec<f64> = (0..=SHELLS).map(|k| distance_pc(MODULUS.0 + step * k as f64)).collect();
        let extinction = dust.extinction(&sightline, &edges_pc);
        let shells: Vec<_> = (0..SHELLS)
            .map(|k| {
                let modulus = MODULUS.0 + step * (k as f64 + 0.5);
                let volume = (edges_pc[k + 1].powi(3) - edges_pc[k].powi(3)) / (3.0 * DEG2_PER_SR);
                (sightline.at(distance_pc(modulus)), volume, modulus + 0.5 * (extinction[k] + extinction[k + 1]))
            })
            .collect();
        let mut cumulative = Vec::with_capacity(model.components.len() * SHELLS);
        let mut sum = 0.0;
        for component in &model.components {
            for (place, volume, dimming) in &shells {
                let stars = component.luminosity.brighter(limits.1 - dimming) - component.luminosity.brighter(limits.0 - dimming);
                if stars > 0.0 {
                    sum += component.share * volume * stars * component.shape.at(place);
                }
                cumulative.push(sum);
            }
        }
        Self { sightline, limits, edges_pc, extinction, cumulative }
    }
    /// Stars per deg2.
    #[must_use]
    pub fn total_deg2(&self) -> f64 {
        self.cumulative[self.cumulative.len() - 1]
    }
    /// E(B-V) behind all dust \[mag\].
    #[must_use]
    pub fn column_e_bv(&self) -> f64 {
        self.extinction[SHELLS] / R_V
    }
    /// Draws a star.
    #[must_use]
    pub fn star(&self, model: &MilkyWay, pairs: Pairs, draw: &mut Draw) -> Star {
        let at = draw.uniform() * self.total_deg2();
        let chosen = self.cumulative.partition_point(|&c| c <= at).min(self.cumulative.len() - 1);
        let (component, shell) = (&model.components[chosen / SHELLS], chosen % SHELLS);
        let (near, far) = (self.edges_pc[shell], self.edges_pc[shell + 1]);
        let (near3, far3) = (near * near * near, far * far * far);
        let distance_pc = (near3 + (far3 - near3) * draw.uniform()).cbrt();
        let part = (distance_pc - near) / (far - near);
        let a_v = self.extinction[shell] + (self.extinction[shell + 1] - self.extinction[shell]) * part;
        let dimming = 5.0 * distance_pc.log10() - 5.0 + a_v;
        let law = &component.luminosity;
        let (low, high) = (law.brighter(self.limits.0 - dimming), law.brighter(self.limits.1 - dimming));
        let v = (law.magnitude(low + (high - low) * draw.uniform()) + dimming).clamp(self.limits.0, self.limits.1);
        let place = self.sightline.at(distance_pc);
        let velocity_km_s = component.velocities.draw(&place, draw);
        let feh = metallicity(component.population, place.z_pc, draw);
        self.finish(model, component, Drawn { v, dimming, distance_pc, e_bv: a_v / R_V, velocity_km_s, feh }, pairs, draw)
    }

    fn finish(&self, model: &MilkyWay, component: &Component, drawn: Drawn, pairs: Pairs, draw: &mut Draw) -> Star {
        let sequences = &model.sequences;
        let system_v = drawn.v - drawn.dimming;
        let kind = match component.kind {
            Kind::Dwarf if component.population != Population::ThinDisk && system_v < TURN_OFF => Kind::Giant,
            kind => kind,
        };
        let giant_mass = match kind {
            Kind::Dwarf => None,
            _ => Some(GIANT_MASS),
        };
        // One uniform for the horizontal branch whether or not the star can be on it, and companions last: single stars are the same ones.
        let (on_branch, along) = (draw.uniform(), draw.uniform());
        let (absolute_v, companion) = if kind == Kind::WhiteDwarf || pairs == Pairs::Single {
            (system_v, None)
        } else {
            match companion::draw(sequences, system_v, giant_mass, draw) {
                (_, Some(c)) if c.separation_au > WIDEST_ARCSEC * drawn.distance_pc => (system_v, None),
                pair => pair,
            }
        };
        let branch = match component.population {
            Population::ThinDisk => Branch::Disk,
            Population::ThickDisk | Population::Bulge => Branch::Thick,
            Population::Halo => Branch::Halo,
        };
        let teff_k = match kind {
            Kind::WhiteDwarf => sequences.white_dwarf_teff_k(absolute_v),
            Kind::Giant if horizontal(component.population, system_v, on_branch) => match component.population {
                // The red clump of 47 Tucanae; of the halo stars half are blue, the others between the gap and the giants (assumed).
                Population::Halo if along < 0.5 => 7500.0 + 9000.0 * along,
                Population::Halo => 5200.0 + 2000.0 * (along - 0.5),
                _ => 5050.0,
            },
            Kind::Giant => sequences.giant_teff_k(branch, absolute_v),
            // Up to M = 5 old stars follow the turn-off of their cluster.
            Kind::Dwarf if component.population != Population::ThinDisk && absolute_v < 5.0 => sequences.giant_teff_k(branch, absolute_v),
            Kind::Dwarf => sequences.dwarf_teff_k(absolute_v, drawn.feh),
        };
        let mass = match kind {
            Kind::Dwarf => sequences.dwarf_mass(absolute_v),
            Kind::Giant => GIANT_MASS,
            Kind::WhiteDwarf => WHITE_DWARF_MASS,
        };
        Star {
            kind,
            population: component.population,
            v: drawn.v,
            absolute_v,
            system_absolute_v: system_v,
            distance_pc: drawn.distance_pc,
            e_bv: drawn.e_bv,
            teff_k,
            log_g: sequences.log_g(mass, teff_k, absolute_v),
            feh: drawn.feh,
            velocity_km_s: drawn.velocity_km_s,
            companion,
        }
    }
}

/// What is drawn before the kind of star is known.
struct Drawn {
    v: f64,
    dimming: f64,
    distance_pc: f64,
    e_bv: f64,
    velocity_km_s: [f64; 3],
    feh: f64,
}

fn horizontal(population: Population, m: f64, u: f64) -> bool {
    population != Population::ThinDisk && m > HORIZONTAL.0 && m < HORIZONTAL.1 && u < HORIZONTAL.2
}

/// \[Fe/H\] of a star: of the disks by height, 0.63 N(mu, 0.2) + 0.37 N(mu + 0.14, 0.2), mu = -0.82 + 0.55 exp(-|Z| / 500 pc); of the halo N(-1.46, 0.3)
/// (Ivezic et al. 2008, ApJ 684, 287); of the bulge N(0, 0.4) (Zoccali et al. 2008, A&A 486, 177, Baade's window, as remembered).
fn metallicity(population: Population, z_pc: f64, draw: &mut Draw) -> f64 {
    let (which, n) = (draw.uniform(), draw.normal());
    match population {
        Population::Halo => -1.46 + 0.3 * n,
        Population::Bulge => 0.4 * n,
        _ => -0.82 + 0.55 * (-z_pc.abs() / 500.0).exp() + if which < 0.37 { 0.14 } else { 0.0 } + 0.2 * n,
    }
}

/// Dispersions of the disks along R, phi, Z \[km/s\] (Robin et al. 2003, table 4): ages 0.15-1, 1-2, 2-3, 3-5, 5-10 Gyr, and the thick disk.
pub(super) const DISK_VELOCITIES: [Velocities; 6] = [
    Velocities::Disk([19.8, 12.8, 8.0]),
    Velocities::Disk([27.2, 17.6, 10.0]),
    Velocities::Disk([30.2, 19.5, 13.2]),
    Velocities::Disk([36.7, 23.7, 15.8]),
    Velocities::Disk([43.1, 27.8, 17.5]),
    Velocities::Disk([67.0, 51.0, 42.0]),
];
