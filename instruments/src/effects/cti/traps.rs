//! The traps of one direction of transfer, ready for the kernel.

use super::fill::{Fill, Well};

/// Species a pixel may hold.
pub const SPECIES: usize = 4;
/// What is left of a full trap after the last entry of the table: nothing that f64 could add to an electron.
const EMPTY: f64 = 1e-18;
/// The longest table of decays.
const LONGEST: usize = 1 << 16;

/// One species of traps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Species {
    /// Traps in a pixel \[1 / pixel\].
    pub density: f64,
    /// Release time \[clock periods\].
    pub release: f64,
    /// Fraction of the volume below the traps \[1\]: 0 for bulk traps, near 1 for traps at the surface.
    pub depth: f64,
}

/// All traps of one direction: species and well.
#[derive(Debug, Clone, PartialEq)]
pub struct TrapModel {
    /// Species, at most [`SPECIES`].
    pub species: Vec<Species>,
    /// Well.
    pub well: Well,
}

impl TrapModel {
    /// Traps in a pixel, all species.
    #[must_use]
    pub fn density(&self) -> f64 {
        self.species.iter().map(|s| s.density).sum()
    }
    /// The longest release time of a species that is there \[clock periods\].
    #[must_use]
    pub fn longest_release(&self) -> f64 {
        self.species.iter().filter(|s| s.density > 0.0).map(|s| s.release).fold(0.0, f64::max)
    }
}

/// Traps as the kernel reads them.
#[derive(Debug, Clone)]
pub struct Traps {
    /// Species in use: those with a density.
    pub count: usize,
    /// Traps per volume above the depth \[1 / pixel\].
    pub rate: [f64; SPECIES],
    /// Volume below the traps.
    pub depth: [f64; SPECIES],
    /// Fraction that stays filled over one period.
    pub keep: [f64; SPECIES],
    /// Fraction that stays filled over `[periods]`.
    pub decay: Vec<[f64; SPECIES]>,
    /// How the electrons fill the volume.
    pub fill: Fill,
}

impl Traps {
    /// Prepares the tables. Species without density are left out.
    #[must_use]
    pub fn new(model: &TrapModel) -> Self {
        let present: Vec<&Species> = model.species.iter().filter(|s| s.density > 0.0).take(SPECIES).collect();
        let (mut rate, mut depth, mut keep) = ([0.0; SPECIES], [0.0; SPECIES], [0.0; SPECIES]);
        for (s, species) in present.iter().enumerate() {
            rate[s] = species.density / (1.0 - species.depth);
            depth[s] = species.depth;
            keep[s] = (-1.0 / species.release).exp();
        }
        let mut decay = vec![[0.0; SPECIES]];
        for (s, _) in present.iter().enumerate() {
            decay[0][s] = 1.0;
        }
        while decay.len() < LONGEST {
            let last = decay[decay.len() - 1];
            if last.iter().all(|&left| left < EMPTY) {
                break;
            }
            let mut next = last;
            for s in 0..SPECIES {
                next[s] *= keep[s];
            }
            decay.push(next);
        }
        // Traps above a depth are as many per volume as they are rate: the bound on the capture uses the densest volume.
        let densest: f64 = rate.iter().sum();
        Self { count: present.len(), rate, depth, keep, decay, fill: Fill::new(&model.well, densest) }
    }
}
