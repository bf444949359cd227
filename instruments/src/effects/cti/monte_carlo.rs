//! Single traps and single electrons.
//!
//! # Formula
//! Traps of a species in a pixel: Poisson of the density, each at a height uniform above the depth of its species. Traps
//! belong to the device: the same in every exposure, and as the density grows with age the old ones stay where they are.
//! A trap takes one electron of the first packet that reaches its height, keeps it for k periods with
//! `P(k > j) = exp(-j / tau)`, gives it to the packet that is there then, and is free again. Where capture takes time, chances go
//! packet by packet: an empty trap below a packet is full after it with chance A, a full one with `A + B`, a full one above it with
//! `exp(-1 / tau)` ([`super::traps::Species::dwell`]).
//!
//! The mean over many devices is that of [`super::direction::Expected`], but for traps of one pixel being filled one after
//! another and not together, a difference of one electron in a packet. Every transfer is followed; time is spent on events,
//! not on transfers: packets below the height of a trap are passed over 64 at a time.

use super::column::{Row, WIDTH};
use super::direction::{self, LineKey, Path, Transfer, Work};
use super::traps::{Species, TrapModel, Traps};
use sim_core::effect::Context;
use sim_core::noise;
use sim_core::stream::{Stream, StreamKey};

/// Packets that are passed over together.
const GROUP: usize = 64;
/// Words of the stream of a pixel kept for the numbers of traps; heights follow, so many words per species.
const COUNTS: u64 = 16;
const HEIGHTS: u64 = 1 << 20;

/// The traps of one direction of one device, and the draws of one exposure.
pub struct Drawn {
    model: TrapModel,
    traps: Traps,
    reach: usize,
    device: StreamKey,
    exposure: StreamKey,
}

impl Drawn {
    /// Traps of the device of the context, releases of its exposure.
    #[must_use]
    pub fn new(model: &TrapModel, cx: &Context<'_>, direction: &str) -> Self {
        let key = |seed| StreamKey::new(seed).with_name(cx.effect).with_name(direction).with(u64::from(cx.geometry.number));
        Self {
            model: TrapModel { species: model.species.iter().copied().filter(|s| s.density > 0.0).collect(), well: model.well },
            traps: Traps::new(model),
            reach: direction::reach(model),
            device: key(cx.device_seed),
            exposure: key(cx.seed).with(cx.exposure.id),
        }
    }

    /// One line: packets that start at pixel `first + k`. Returns the electrons left in traps.
    fn line(&self, key: LineKey, pixels: usize, first: usize, packets: &mut [f64]) -> f64 {
        let mut groups = Groups::new(packets);
        let (device, exposure) = (self.device.with(key.device), self.exposure.with(key.line));
        let mut left = 0.0;
        for pixel in (0..pixels).rev() {
            let from = pixel.saturating_sub(first);
            let place = device.stream(pixel as u64);
            let mut draws = Draws { stream: exposure.stream(pixel as u64), next: 0 };
            for (s, species) in self.model.species.iter().enumerate() {
                let count = noise::poisson_of_word(species.density as f32, place.word(s as u64));
                for k in 0..count as u64 {
                    let uniform = unit(place.word(COUNTS + s as u64 * HEIGHTS + k));
                    let height = species.depth + (1.0 - species.depth) * uniform;
                    // A trap cannot take an electron from a packet that has none.
                    let electrons = self.traps.fill.electrons(height).max(1.0);
                    let mut at = from;
                    if species.capture > 0.0 {
                        left += slowly(packets, &mut groups, at, electrons, species, &mut draws);
                        continue;
                    }
                    while let Some(caught) = groups.first_reaching(packets, at, electrons) {
                        packets[caught] -= 1.0;
                        at = caught + self.traps.wait(s, draws.uniform());
                        if at >= packets.len() {
                            left += 1.0;
                            break;
                        }
                        packets[at] += 1.0;
                        groups.raised(packets, at);
                    }
                }
            }
        }
        left
    }
}

impl Transfer for Drawn {
    fn transfer(&self, path: &Path, keys: &[LineKey; WIDTH], packets: &mut [Row], work: &mut Work) -> Row {
        direction::with_mirror(path, self.reach, packets, &mut work.line, |first, packets| {
            std::array::from_fn(|l| {
                let mut line: Vec<f64> = packets.iter().map(|row| row[l]).collect();
                let left = self.line(keys[l], path.first + path.packets, first, &mut line);
                packets.iter_mut().zip(line).for_each(|(row, packet)| row[l] = packet);
                left
            })
        })
    }
    fn is_idle(&self) -> bool {
        self.traps.count == 0
    }
}

/// A trap whose capture takes time, from packet `at` on. Returns its electron if it keeps one.
fn slowly(packets: &mut [f64], groups: &mut Groups, at: usize, electrons: f64, species: &Species, draws: &mut Draws) -> f64 {
    let ((takes, stays), keep) = (species.dwell(), (-1.0 / species.release).exp());
    let mut at = at;
    while let Some(reached) = groups.first_reaching(packets, at, electrons) {
        at = reached + 1;
        if draws.uniform() >= takes {
            continue;
        }
        packets[reached] -= 1.0;
        loop {
            let Some(packet) = packets.get_mut(at) else { return 1.0 };
            let chance = if *packet >= electrons { takes + stays } else { keep };
            at += 1;
            if draws.uniform() >= chance {
                *packet += 1.0;
                groups.raised(packets, at - 1);
                break;
            }
        }
    }
    0.0
}

struct Draws {
    stream: Stream,
    next: u64,
}

impl Draws {
    fn uniform(&mut self) -> f64 {
        self.next += 1;
        unit(self.stream.word(self.next - 1))
    }
}

/// A word as a number in (0, 1).
fn unit(word: u32) -> f64 {
    (f64::from(word) + 0.5) * (1.0 / 4_294_967_296.0)
}

/// Upper bounds of groups of packets.
struct Groups {
    bounds: Vec<f64>,
}

impl Groups {
    fn new(packets: &[f64]) -> Self {
        Self { bounds: packets.chunks(GROUP).map(|group| group.iter().copied().fold(0.0, f64::max)).collect() }
    }
    fn raised(&mut self, packets: &[f64], at: usize) {
        let bound = &mut self.bounds[at / GROUP];
        *bound = bound.max(packets[at]);
    }
    /// The first packet from `at` on with at least so many electrons.
    fn first_reaching(&mut self, packets: &[f64], at: usize, electrons: f64) -> Option<usize> {
        let mut at = at;
        while at < packets.len() {
            let group = at / GROUP;
            let end = ((group + 1) * GROUP).min(packets.len());
            if self.bounds[group] >= electrons {
                if let Some(k) = packets[at..end].iter().position(|&n| n >= electrons) {
                    return Some(at + k);
                }
                if at == group * GROUP {
                    self.bounds[group] = packets[at..end].iter().copied().fold(0.0, f64::max);
                }
            }
            at = end;
        }
        None
    }
}
