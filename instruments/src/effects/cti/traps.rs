//! The traps of one direction of transfer, ready for the kernel.

use super::fill::{Fill, Well};

/// Species a pixel may hold.
pub const SPECIES: usize = 4;
/// What is left of a full trap after the last entry of the table: nothing that f64 could add to an electron.
const EMPTY: f64 = 1e-18;
/// The longest table of decays.
const LONGEST: usize = 1 << 16;
/// Release times that a scale of marks may last: `exp` of it is far from the largest number of f64.
const LASTS: f64 = 600.0;
/// The most release times of one period that count: of `exp(-300)` nothing is left.
const FASTEST: f64 = 300.0;
/// Packets that a scale lasts at most.
const LONGEST_SPAN: usize = 4096;

/// One species of traps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Species {
    /// Traps in a pixel \[1 / pixel\].
    pub density: f64,
    /// Release time \[clock periods\].
    pub release: f64,
    /// Fraction of the volume below the traps \[1\]: 0 for bulk traps, near 1 for traps at the surface.
    pub depth: f64,
    /// Capture time \[transfers\]: 0 for traps that take electrons at once.
    pub capture: f64,
}

impl Species {
    /// Traps that take electrons at once, in the whole volume.
    #[must_use]
    pub fn bulk(density: f64, release: f64) -> Self {
        Self { density, release, depth: 0.0, capture: 0.0 }
    }
    /// A dwell of a packet over a trap: the chance that an empty one is full after it, and how much greater that of a full one is.
    #[must_use]
    pub fn dwell(&self) -> (f64, f64) {
        if self.capture > 0.0 {
            let stays = (-(1.0 / self.capture + 1.0 / self.release)).exp();
            ((1.0 - stays) / (1.0 + self.capture / self.release), stays)
        } else {
            (1.0, 0.0)
        }
    }
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
    /// Fraction of the empty traps below a packet that are full after it.
    pub takes: [f64; SPECIES],
    /// What of a full trap below a packet stays over, more than of an empty one.
    pub stays: [f64; SPECIES],
    /// Whether capture takes time.
    pub slow: bool,
    /// Fraction that stays filled after so many periods; beyond the last of them nothing is left.
    decay: Vec<[f64; SPECIES]>,
    /// Packets after which marks are brought to a new scale.
    pub(super) span: usize,
    /// The scale after so many of them, one entry more than `span`.
    pub(super) scales: Vec<Scale>,
    /// How the electrons fill the volume.
    pub fill: Fill,
}

/// What time does to traps of each species.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// Fraction that stays filled.
    pub left: [f64; SPECIES],
    /// Its inverse.
    pub grown: [f64; SPECIES],
}

impl Traps {
    /// Species that the kernel is compiled for: slow traps take the most of them, so that the code of fewer species has no such case.
    #[must_use]
    pub(super) fn compiled(&self) -> usize {
        if self.slow { SPECIES } else { self.count }
    }
    /// Fraction of each species that stays filled over so many periods.
    #[must_use]
    pub(super) fn left(&self, periods: usize) -> [f64; SPECIES] {
        self.decay[periods.min(self.oldest())]
    }
    /// The last period after which anything is left.
    #[must_use]
    pub(super) fn oldest(&self) -> usize {
        self.decay.len() - 1
    }
    /// Periods a full trap keeps its electron: the smallest k with `exp(-k / tau) <= u`.
    #[must_use]
    pub(super) fn wait(&self, species: usize, u: f64) -> usize {
        self.decay.partition_point(|left| left[species] > u).max(1)
    }
    /// The scale of marks at packet `now`.
    #[inline(always)]
    #[must_use]
    pub(super) fn scale(&self, now: usize) -> &Scale {
        &self.scales[now % self.span]
    }
    /// Prepares the tables. Species without density are left out.
    #[must_use]
    pub fn new(model: &TrapModel) -> Self {
        let present: Vec<&Species> = model.species.iter().filter(|s| s.density > 0.0).take(SPECIES).collect();
        let (mut rate, mut depth, mut keep) = ([0.0; SPECIES], [0.0; SPECIES], [0.0; SPECIES]);
        let (mut takes, mut stays) = ([1.0; SPECIES], [0.0; SPECIES]);
        for (s, species) in present.iter().enumerate() {
            rate[s] = species.density / (1.0 - species.depth);
            depth[s] = species.depth;
            keep[s] = (-1.0 / species.release).exp();
            (takes[s], stays[s]) = species.dwell();
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
        let periods: [f64; SPECIES] = std::array::from_fn(|s| present.get(s).map_or(0.0, |species| (1.0 / species.release).min(FASTEST)));
        let fastest = periods.iter().fold(0.0, |a: f64, &b| a.max(b));
        let span = ((LASTS / fastest) as usize).clamp(1, LONGEST_SPAN);
        let scale = |k: usize| {
            let exponents = periods.map(|period| period * k as f64);
            Scale { left: exponents.map(|x| (-x).exp()), grown: exponents.map(f64::exp) }
        };
        let scales = (0..=span).map(scale).collect();
        // Traps above a depth are as many per volume as they are rate: the bound on the capture uses the densest volume.
        let densest: f64 = rate.iter().sum();
        let slow = present.iter().any(|s| s.capture > 0.0);
        Self { count: present.len(), rate, depth, keep, takes, stays, slow, decay, span, scales, fill: Fill::new(&model.well, densest) }
    }
}
