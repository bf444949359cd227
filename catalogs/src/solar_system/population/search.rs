//! Finding the bodies of a belt that are in a field, of tens of millions, without drawing the others.
//!
//! # Effect
//! A belt is a grid of cells in (a, e, i, node, perihelion, M at the epoch). A cell is drawn when a body of it may be in the cone and bright enough.
//! # Formula
//! At the time of the exposure `M = M0 + n (t - t0)`, and (a, e, M) bound the distance r and the true anomaly f. The part of the line of sight between these
//! r is an arc of directions u from the Sun: a disc of centre c and radius rho. The pole p of the orbit must have `|p.c| <= sin(rho + dp)`, and
//! the perihelion must be at `w = u(c) - f`, `u(c)` the angle of c from the node. Brightest possible: `V >= H + 5 lg(r d)` with the least of both.
//! # Symbols
//! dp half the width of a cell in the pole \[rad\]; d distance from the observer \[au\]
//! # Source
//! Own; a test compares with drawing every cell.
//! # Limits
//! Bounds are wide, never tight: light time, the width of the cone and the motion during the exposure widen r by `PAD_AU`.
//! # Twin
//! None.

use super::zones::Zone;
use super::{EPOCH_MJD, body, named, surface};
use crate::direction::{Vector, cross, dot, unit};
use crate::draw::Draw;
use crate::moving::{Cone, Passage, angle};
use crate::observer::Sight;
use crate::solar_system::colour::Taxon;
use crate::solar_system::ellipse::{Elements, eccentric_anomaly, ecliptic, mean_motion, true_anomaly};
use crate::solar_system::look::{Body, length};
use rayon::prelude::*;
use sim_core::stream::StreamKey;
use std::f64::consts::{FRAC_PI_2, PI, TAU};

/// Steps of node and perihelion.
const ANGLES: usize = 72;
/// Steps of the mean anomaly.
const MEANS: usize = 36;
/// Step of a \[au\], e and i \[deg\].
const A_STEP: f64 = 0.02;
const E_STEP: f64 = 0.05;
const I_STEP_DEG: f64 = 3.0;
/// Greatest e and i of the grid \[deg\]; beyond are less than 1 in 1000.
const E_MOST: f64 = 0.45;
const I_MOST_DEG: f64 = 36.0;
/// Widens distances from the Sun: 150 s at 30 km/s are 3e-5 au, light time of 4 au 4e-4 au.
const PAD_AU: f64 = 2e-3;

/// An even grid with shares that add up to 1.
struct Grid {
    low: f64,
    step: f64,
    shares: Vec<f64>,
}

impl Grid {
    fn new(low: f64, high: f64, step: f64, density: impl Fn(f64) -> f64) -> Self {
        let count = ((high - low) / step).round().max(1.0);
        let step = (high - low) / count;
        // Ten midpoints in a cell.
        let part = |k: usize| (0..10).map(|j| density(low + step * (k as f64 + (f64::from(j) + 0.5) / 10.0))).sum::<f64>();
        let shares: Vec<f64> = (0..count as usize).map(part).collect();
        let all: f64 = shares.iter().sum();
        Self { low, step, shares: shares.into_iter().map(|s| s / all).collect() }
    }
    fn cell(&self, k: usize) -> (f64, f64) {
        (self.low + self.step * k as f64, self.low + self.step * (k + 1) as f64)
    }
}

/// A plane of orbits: the middle of a cell in i and node, ecliptic axes.
struct Plane {
    pole: Vector,
    node: Vector,
    across: Vector,
    /// How far the poles of the cell are from the middle one \[rad\].
    width: f64,
    inclination: usize,
    node_cell: usize,
}

/// A belt, made ready.
pub(in crate::solar_system) struct Belt {
    zone: u64,
    prefix: &'static str,
    surfaces: Vec<(Taxon, f64)>,
    law: super::law::CountLaw,
    scale: f64,
    a: Grid,
    e: Grid,
    i: Grid,
    planes: Vec<Plane>,
    key: StreamKey,
}

/// The part of a line of sight on which bodies of a cell in (a, e, M) may be.
struct Arc {
    centre: Vector,
    radius: f64,
    true_anomaly: (f64, f64),
    faintest_h: f64,
}

impl Belt {
    pub(super) fn new(zone: &Zone, number: u64, key: StreamKey, scale: f64) -> Self {
        let s = zone.e_sigma;
        let i_sigma = zone.i_sigma_deg.to_radians();
        let a = Grid::new(zone.a_au.0, zone.a_au.1, A_STEP, |_| 1.0);
        let e = Grid::new(0.0, E_MOST.min(1.0 - zone.q_au.0 / zone.a_au.1), E_STEP, |e| e * (-0.5 * (e / s).powi(2)).exp());
        let i = Grid::new(0.0, I_MOST_DEG, I_STEP_DEG, |i| i.to_radians().sin() * (-0.5 * (i.to_radians() / i_sigma).powi(2)).exp());
        let mut planes = Vec::with_capacity(i.shares.len() * ANGLES);
        let angle_step = TAU / ANGLES as f64;
        for k in 0..i.shares.len() {
            let (low, high) = i.cell(k);
            let (si, ci) = (0.5 * (low + high)).to_radians().sin_cos();
            let width = 0.5 * ((high - low).to_radians() + high.to_radians().sin() * angle_step);
            for node_cell in 0..ANGLES {
                let (so, co) = ((node_cell as f64 + 0.5) * angle_step).sin_cos();
                let (pole, node) = ([si * so, -si * co, ci], [co, so, 0.0]);
                planes.push(Plane { pole, node, across: cross(&pole, &node), width, inclination: k, node_cell });
            }
        }
        Self {
            zone: number,
            prefix: zone.prefix,
            surfaces: zone.surfaces.clone(),
            law: zone.law.clone(),
            scale,
            a,
            e,
            i,
            planes,
            key: key.with(number),
        }
    }
    /// Bodies in a cone.
    pub fn passages(&self, sight: &Sight, cone: &Cone, faint: f64) -> Vec<Passage> {
        if self.scale <= 0.0 {
            return Vec::new();
        }
        let (sun, observer) = (sight.sun_au(0.0), sight.observer_au(0.0));
        let look = Look { sight, cone, faint, sun_from_observer: std::array::from_fn(|k| sun[k] - observer[k]) };
        let heliocentric = ecliptic(look.sun_from_observer.map(|v| -v));
        let axis = ecliptic(cone.axis);
        let cells: Vec<(usize, usize, usize)> =
            (0..self.a.shares.len()).flat_map(|a| (0..self.e.shares.len()).flat_map(move |e| (0..MEANS).map(move |m| (a, e, m)))).collect();
        let one = |&(a, e, m): &(usize, usize, usize)| {
            let mut found = Vec::new();
            for arc in self.arcs((a, e, m), &heliocentric, &axis, sight, cone, faint) {
                self.planes_of(&arc, (a, e, m), &look, &mut found);
            }
            found
        };
        let mut all: Vec<(u64, Passage)> = cells.par_iter().with_min_len(64).flat_map_iter(one).collect();
        // Arcs before and behind the Sun's nearest point may both lead to a cell.
        all.sort_by_key(|(number, _)| *number);
        all.dedup_by_key(|(number, _)| *number);
        all.into_iter().map(|(number, passage)| named(passage, self.zone, self.prefix, number)).collect()
    }
    /// Where bodies of a cell in (a, e, M) cross the cone.
    fn arcs(&self, (a, e, m): (usize, usize, usize), o: &Vector, axis: &Vector, sight: &Sight, cone: &Cone, faint: f64) -> Vec<Arc> {
        let (a_low, a_high) = self.a.cell(a);
        let (e_low, e_high) = self.e.cell(e);
        let step = TAU / MEANS as f64;
        let days = sight.tdb_mjd(0.0) - EPOCH_MJD;
        let turned = [mean_motion(a_low) * days, mean_motion(a_high) * days];
        let m_low = m as f64 * step + turned[0].min(turned[1]) - 1e-3;
        let m_high = (m + 1) as f64 * step + turned[0].max(turned[1]) + 1e-3;
        let (r_low, r_high, f_low, f_high) = if m_high - m_low >= TAU {
            (a_low * (1.0 - e_high), a_high * (1.0 + e_high), 0.0, TAU)
        } else {
            let f = |m: f64| [true_anomaly(m, e_low), true_anomaly(m, e_high)];
            let (f_low, f_high) = (f(m_low), f(m_high));
            let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
            for e in [e_low, 0.5 * (e_low + e_high), e_high] {
                for m in [m_low, 0.5 * (m_low + m_high), m_high] {
                    let r = 1.0 - e * eccentric_anomaly(m, e).cos();
                    (low, high) = (low.min(r), high.max(r));
                }
            }
            // Perihelion or aphelion within.
            if (m_high / TAU).floor() > (m_low / TAU).floor() {
                low = low.min(1.0 - e_high);
            }
            if ((m_high - PI) / TAU).floor() > ((m_low - PI) / TAU).floor() {
                high = high.max(1.0 + e_high);
            }
            // r turns in e between the corners by less than the square of the step.
            let bend = E_STEP * E_STEP;
            (a_low * (low - bend), a_high * (high + bend), f_low[0].min(f_low[1]), f_high[0].max(f_high[1]))
        };
        let b = dot(o, axis);
        let nearest2 = dot(o, o) - b * b;
        // The rim of the cone is nearer to or farther from the Sun than its axis.
        let pad = PAD_AU + cone.radius * (r_high + length(o));
        let (r_low, r_high) = ((r_low - pad).max(0.05), r_high + pad);
        let far = |r: f64| -b + (r * r - nearest2).max(0.0).sqrt();
        let near = |r: f64| -b - (r * r - nearest2).max(0.0).sqrt();
        if r_high * r_high < nearest2 {
            return Vec::new();
        }
        let spans = [(far(r_low), far(r_high)), (near(r_high), near(r_low))];
        let mut out = Vec::new();
        for (d_low, d_high) in spans {
            if d_high <= 0.0 {
                continue;
            }
            let d_low = d_low.max(0.0);
            let at = |d: f64| -> Vector { std::array::from_fn(|k| o[k] + d * axis[k]) };
            let centre = unit(at(0.5 * (d_low + d_high)));
            let ends = angle(&centre, &at(d_low)).max(angle(&centre, &at(d_high)));
            let radius = ends + (cone.radius * d_high + PAD_AU) / r_low;
            let least = ((d_low - pad).max(1e-3)) * r_low;
            let faintest_h = faint - 5.0 * least.log10();
            out.push(Arc { centre, radius: radius.min(PI), true_anomaly: (f_low, f_high), faintest_h });
        }
        out
    }
    /// Planes through an arc, the cells in them, their bodies.
    fn planes_of(&self, arc: &Arc, (a, e, m): (usize, usize, usize), look: &Look<'_>, found: &mut Vec<(u64, Passage)>) {
        let per_cell = self.share(a, e);
        let number = self.law.brighter(arc.faintest_h) * per_cell;
        let angle_step = TAU / ANGLES as f64;
        let nothing: Vec<f64> = self.i.shares.iter().map(|share| (-number * share).exp()).collect();
        let wide = arc.radius + self.planes[self.planes.len() - 1].width;
        // Planes of one inclination are as wide.
        let most = |k: usize| {
            let reach = arc.radius + self.planes[k * ANGLES].width;
            if reach < FRAC_PI_2 { reach.sin() } else { 1.0 }
        };
        let most: Vec<f64> = (0..self.i.shares.len()).map(most).collect();
        for plane in &self.planes {
            if dot(&plane.pole, &arc.centre).abs() > most[plane.inclination] {
                continue;
            }
            let reach = arc.radius + plane.width;
            let u = dot(&arc.centre, &plane.across).atan2(dot(&arc.centre, &plane.node));
            // Turning the pole moves the longitude of a direction so near the plane to second order only; turning the node moves it by as much.
            let margin = if wide < 1.0 { 1.1 * arc.radius / reach.cos() + 1.5 * reach * plane.width + 0.5 * angle_step } else { PI };
            let (low, high) = (u - arc.true_anomaly.1 - margin, u - arc.true_anomaly.0 + margin);
            let first = (low / angle_step).floor();
            let count = if high - low >= TAU { ANGLES } else { (((high / angle_step).floor() - first) as usize + 1).min(ANGLES) };
            for k in 0..count {
                let perihelion = (first + k as f64).rem_euclid(ANGLES as f64) as usize % ANGLES;
                let cell = [a, e, plane.inclination, m, plane.node_cell, perihelion];
                self.draw(cell, nothing[plane.inclination], per_cell * self.i.shares[plane.inclination], arc.faintest_h, look, found);
            }
        }
    }
    /// Share of the belt's bodies in a cell of (a, e), but for its share in i.
    fn share(&self, a: usize, e: usize) -> f64 {
        self.scale * self.a.shares[a] * self.e.shares[e] / (MEANS * ANGLES * ANGLES) as f64
    }
    /// Number of a cell.
    fn item(&self, [a, e, i, m, node, perihelion]: [usize; 6]) -> u64 {
        let at = ((a * self.e.shares.len() + e) * self.i.shares.len() + i) * MEANS + m;
        ((at * ANGLES + node) * ANGLES + perihelion) as u64
    }
    /// The bodies of a cell in order of H as far as `faintest_h`.
    fn draw(&self, cell: [usize; 6], nothing: f64, share: f64, faintest_h: f64, look: &Look<'_>, found: &mut Vec<(u64, Passage)>) {
        let item = self.item(cell);
        let stream = self.key.stream(item);
        // The first arrival -ln u is beyond N when u is below exp(-N): the first word of u decides it for nearly all cells.
        if (f64::from(stream.word(0)) + 1.0) / 4_294_967_296.0 < nothing {
            return;
        }
        let mut draw = Draw::new(stream);
        let mut order = 0.0;
        let step = 360.0 / ANGLES as f64;
        for k in 0..64 {
            order += draw.exponential();
            let Some(h) = self.law.limit_of(order / share).filter(|h| *h <= faintest_h) else { return };
            let mut within = |(low, high): (f64, f64)| draw.between(low, high);
            let (a_au, e, inclination_deg) = (within(self.a.cell(cell[0])), within(self.e.cell(cell[1])), within(self.i.cell(cell[2])));
            let mut turn = |k: usize, step: f64| within((k as f64 * step, (k + 1) as f64 * step));
            let mean_anomaly_deg = turn(cell[3], 360.0 / MEANS as f64);
            let (node_deg, perihelion_deg) = (turn(cell[4], step), turn(cell[5], step));
            let taxon = surface(&mut draw, &self.surfaces);
            let elements = Elements { a_au, e, inclination_deg, node_deg, perihelion_deg, mean_anomaly_deg, epoch_mjd: EPOCH_MJD };
            let body: Body = body(&elements, h, taxon);
            if let Some(passage) = body.passage(look.sight, look.cone, &look.sun_from_observer, look.faint) {
                found.push((item * 64 + k, passage));
            }
        }
    }
    /// Bodies of all cells, for tests and counts.
    #[cfg(test)]
    pub fn all(&self, sight: &Sight, cone: &Cone, faint: f64) -> Vec<Passage> {
        let (sun, observer) = (sight.sun_au(0.0), sight.observer_au(0.0));
        let look = Look { sight, cone, faint, sun_from_observer: std::array::from_fn(|k| sun[k] - observer[k]) };
        let mut found = Vec::new();
        for a in 0..self.a.shares.len() {
            for e in 0..self.e.shares.len() {
                for i in 0..self.i.shares.len() {
                    let share = self.share(a, e) * self.i.shares[i];
                    for turn in 0..MEANS * ANGLES * ANGLES {
                        let cell = [a, e, i, turn / (ANGLES * ANGLES), turn / ANGLES % ANGLES, turn % ANGLES];
                        self.draw(cell, (-share * self.law.brighter(99.0)).exp(), share, 99.0, &look, &mut found);
                    }
                }
            }
        }
        found.sort_by_key(|(number, _)| *number);
        found.into_iter().map(|(number, passage)| named(passage, self.zone, self.prefix, number)).collect()
    }
}

/// What is looked at.
struct Look<'a> {
    sight: &'a Sight,
    cone: &'a Cone,
    faint: f64,
    sun_from_observer: Vector,
}
