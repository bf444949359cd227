//! Occupancy of the volume where capture takes time: a staircase that packets map and do not wipe out.
//!
//! # Formula
//! Below the height of a packet a trap that was full with probability f is full with `A + B f` afterwards, above it with `k f`:
//! `B = exp(-(1 / tau_c + 1 / tau))`, `A = (1 - B) / (1 + tau_c / tau)`, `k = exp(-1 / tau)`
//! # Symbols
//! `tau_c` capture time, tau release time \[transfers\]; f summed over the pixels of a block, where `A` is once for each
//! # Source
//! Capture and release together at constant rates over the dwell: Lindegren 1998 (Gaia technical report SAG-LL-022), section 3.2, as in
//! the slow traps of arCTIc (jkeger/arctic); capture in a time, with the density of the electrons in it: Short et al. 2013 (MNRAS 430, 3078).
//! With `tau_c = 0` A is 1 and B is 0: the traps below a packet are full.
//! # Form
//! Every packet cuts a step at its height and keeps those below it, whose differences shrink by B. Steps are put together, with their
//! electrons, once nothing that reaches between them could take more than `TOLERANCE` otherwise.

use super::marks::{Row, WIDTH};
use super::pass::{Outcome, Pass};
use super::traps::{SPECIES, Traps};

/// Electrons of a pixel by which a height between two steps may find its traps in error.
const TOLERANCE: f64 = 1e-8;

type Each = [f64; SPECIES];

/// The staircase of one line.
#[derive(Debug, Clone, Default)]
pub(super) struct Profile {
    /// Upper ends of the steps, as fractions of the volume, rising; the last is 1.
    tops: Vec<f64>,
    /// Full traps of a step over all traps of one pixel in it, summed over pixels.
    full: Vec<Each>,
    /// Integral of that over the volume up to the top of the step.
    sums: Vec<Each>,
}

impl Profile {
    fn clear(&mut self) {
        self.tops.clear();
        self.full.clear();
        self.sums.clear();
    }
    /// The step that a height lies in.
    fn step(&self, height: f64) -> usize {
        self.tops.partition_point(|&top| top < height).min(self.tops.len().saturating_sub(1))
    }
    /// Integral up to a height, and the value there.
    fn below(&self, height: f64) -> (Each, Each) {
        if self.tops.is_empty() {
            return ([0.0; SPECIES], [0.0; SPECIES]);
        }
        let at = self.step(height);
        let rest = self.tops[at] - height;
        (std::array::from_fn(|s| self.sums[at][s] - rest * self.full[at][s]), self.full[at])
    }
    fn all(&self) -> Each {
        self.sums.last().copied().unwrap_or([0.0; SPECIES])
    }
    fn value(&self, at: usize) -> Each {
        self.full.get(at).copied().unwrap_or([0.0; SPECIES])
    }
    /// Adds a step above the last, or makes the last one higher. `least`: smallest difference of electrons that counts.
    fn push(&mut self, top: f64, full: Each, traps: &Traps, least: f64) {
        let low = self.tops.last().copied().unwrap_or(0.0);
        let width = top - low;
        if width <= 0.0 {
            return;
        }
        if let (Some(last), Some(value)) = (self.tops.len().checked_sub(1), self.full.last_mut()) {
            let bottom = last.checked_sub(1).map_or(0.0, |before| self.tops[before]);
            let old = low - bottom;
            let mixed = old * width / (old + width);
            let small = (0..traps.count).all(|s| (value[s] - full[s]).abs() * traps.rate[s] * mixed <= least && traps.depth[s] != low);
            if small {
                for s in 0..SPECIES {
                    value[s] = (value[s] * old + full[s] * width) / (old + width);
                    self.sums[last][s] += full[s] * width;
                }
                self.tops[last] = top;
                return;
            }
        }
        let sum = self.all();
        self.tops.push(top);
        self.full.push(full);
        self.sums.push(std::array::from_fn(|s| sum[s] + full[s] * width));
    }
}

/// The staircases of all lanes.
#[derive(Debug, Clone, Default)]
pub(super) struct Profiles {
    lanes: Vec<Profile>,
    room: Profile,
}

impl Profiles {
    /// Empty traps.
    pub(super) fn empty(&mut self) {
        self.lanes.resize_with(WIDTH, Profile::default);
        self.lanes.iter_mut().for_each(Profile::clear);
    }
    fn lane(&self, lane: usize) -> &Profile {
        &self.lanes[lane]
    }
}

impl Pass<'_> {
    /// What pixels that join bring: their profiles of the line before, and the factors of these now, before this packet's own period.
    fn brought(&self, joined: f64) -> Option<(&Profiles, Each)> {
        let past = self.past.filter(|_| joined > 0.0)?;
        let decay = self.traps.left(past.line + self.now - past.end - 1);
        Some((&past.marks.profiles, decay.map(|left| joined / past.pixels * left)))
    }

    /// The pool after a packet that reaches these heights, `joined` pixels of which meet their first.
    #[cold]
    #[inline(never)]
    pub(super) fn slow_outcome<const S: usize>(&self, profiles: &Profiles, joined: f64, height: &Row) -> Outcome<S> {
        let Traps { rate, depth, keep, takes, stays, .. } = self.traps;
        let (mut held, mut total, mut steepness) = ([[0.0; WIDTH]; S], [0.0; WIDTH], [0.0; WIDTH]);
        let brought = self.brought(joined);
        for l in 0..WIDTH {
            let profile = profiles.lane(l);
            let ((mut below, mut here), mut all) = (profile.below(height[l]), profile.all());
            if let Some((past, share)) = &brought {
                let profile = past.lane(l);
                let ((more, there), whole) = (profile.below(height[l]), profile.all());
                for s in 0..S {
                    below[s] += share[s] * more[s];
                    here[s] += share[s] * there[s];
                    all[s] += share[s] * whole[s];
                }
            }
            for s in 0..S {
                let reached = height[l] - depth[s];
                let taken = if reached > 0.0 { takes[s] * self.pixels * reached } else { 0.0 };
                held[s][l] = rate[s] * (taken + stays[s] * below[s] + keep[s] * (all[s] - below[s]));
                total[l] += held[s][l];
                let more = rate[s] * (takes[s] * self.pixels + (stays[s] - keep[s]) * here[s]);
                steepness[l] += if reached > 0.0 { more } else { 0.0 };
            }
        }
        Outcome { held, total, steepness }
    }

    /// The staircases after packets of these heights.
    #[cold]
    #[inline(never)]
    pub(super) fn slow_commit(&self, profiles: &mut Profiles, joined: f64, height: &Row) {
        let traps = self.traps;
        let least = TOLERANCE * self.pixels;
        let brought = self.brought(joined);
        let Profiles { lanes, room } = profiles;
        for (l, profile) in lanes.iter_mut().enumerate() {
            room.clear();
            let other = brought.map(|(past, share)| (past.lane(l), share));
            let (mut a, mut b, mut low) = (0, 0, 0.0);
            while low < 1.0 {
                let mut top = profile.tops.get(a).copied().unwrap_or(1.0);
                let mut value = profile.value(a);
                if let Some((other, share)) = other {
                    top = top.min(other.tops.get(b).copied().unwrap_or(1.0));
                    let more = other.value(b);
                    (0..SPECIES).for_each(|s| value[s] += share[s] * more[s]);
                }
                // Heights and depths cut it.
                for cut in std::iter::once(height[l]).chain(traps.depth[..traps.count].iter().copied()) {
                    if cut > low && cut < top {
                        top = cut;
                    }
                }
                let middle_reached = low < height[l];
                let mapped = std::array::from_fn(|s| match (middle_reached, low >= traps.depth[s]) {
                    (true, true) => traps.takes[s] * self.pixels + traps.stays[s] * value[s],
                    _ => traps.keep[s] * value[s],
                });
                room.push(top, mapped, traps, least);
                if profile.tops.get(a) == Some(&top) {
                    a += 1;
                }
                if other.is_some_and(|(other, _)| other.tops.get(b) == Some(&top)) {
                    b += 1;
                }
                low = top;
            }
            std::mem::swap(profile, room);
        }
    }
}
