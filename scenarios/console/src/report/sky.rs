//! Exposures on the sky as SVG: each region of the run in its tangent plane, north up, east left.
//!
//! # Formula
//! Outlines through [`pointing::focal_plane::Attitude`]; a region is what is linked by cells of 3 deg.
//! # Limits
//! Where outlines are not known, or are thousands in a region, an exposure is one outline round all its detectors, with those that failed on it.

use crate::answers::Standing;
use crate::coverage;
use crate::snapshot::Snapshot;
use pointing::focal_plane::{Attitude, Detector};
use sim_core::direction::{Vector, angle, degrees, unit, vector};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Neighbours nearer than this are of one region \[deg\].
const JOIN_DEG: f64 = 3.0;
/// Regions shown, the largest first.
const MOST: usize = 6;
/// Outlines of single detectors that are drawn at most in a region.
const SINGLE: usize = 3000;
/// Side of a panel, and room for its labels \[pixel\].
const SIDE: f64 = 460.0;
const ROOM: f64 = 60.0;
/// States from the bottom to the top, and their colours (Okabe and Ito 2008).
const LAYERS: [(Standing, &str); 5] = [
    (Standing::Missing, "#8a94a0"),
    (Standing::Stale, "#cc79a7"),
    (Standing::Done, "#009e73"),
    (Standing::Open, "#e69f00"),
    (Standing::Failed, "#d55e00"),
];

type Corners = [(f64, f64); 4];

/// An exposure to draw.
struct Exposure {
    attitude: Attitude,
    parts: Vec<(Corners, Standing)>,
    whole: (Corners, Standing),
}

/// Title and SVG of each region.
#[must_use]
pub fn panels(s: &Snapshot, outlines: &[Detector]) -> Vec<(String, String)> {
    let exposures: Vec<Exposure> = coverage::spans(&s.units).iter().map(|span| exposure(s, *span, outlines)).collect();
    let regions = regions(&exposures);
    regions.iter().take(MOST).map(|members| panel(&members.iter().map(|k| &exposures[*k]).collect::<Vec<_>>())).collect()
}

fn exposure(s: &Snapshot, (begin, end): (usize, usize), outlines: &[Detector]) -> Exposure {
    let first = &s.units[begin];
    let states: Vec<Standing> = s.views[begin..end].iter().map(|v| v.standing()).collect();
    let corners = |number: u16| outlines.iter().find(|d| d.number == u32::from(number)).map(|d| d.corners_deg);
    let parts: Vec<(Corners, Standing)> =
        s.units[begin..end].iter().zip(&states).filter_map(|(unit, state)| Some((corners(unit.detector)?, *state))).collect();
    let all = || parts.iter().flat_map(|(corners, _)| corners);
    let range = |of: fn(&(f64, f64)) -> f64| all().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    // The survey camera's field is 1.1 deg wide: what stands for outlines that are not known.
    let (x, y) = if parts.is_empty() { ((-0.55, 0.55), (-0.55, 0.55)) } else { (range(|c| c.0), range(|c| c.1)) };
    // What failed is drawn by itself; the whole shows how the rest stands.
    let rest = || states.iter().filter(|state| **state != Standing::Failed);
    let any = |state| states.contains(&state);
    let state = match () {
        () if rest().count() == 0 => Standing::Failed,
        () if any(Standing::Open) => Standing::Open,
        () if any(Standing::Stale) => Standing::Stale,
        () if rest().all(|state| *state == Standing::Done) => Standing::Done,
        () => Standing::Missing,
    };
    let attitude = Attitude::new(first.ra_deg, first.dec_deg, first.position_angle_deg);
    Exposure { attitude, parts, whole: ([(x.0, y.0), (x.1, y.0), (x.1, y.1), (x.0, y.1)], state) }
}

/// Exposures that are linked, the largest group first.
fn regions(exposures: &[Exposure]) -> Vec<Vec<usize>> {
    let cell = |v: &Vector| v.map(|c| (c / JOIN_DEG.to_radians()).floor() as i32);
    let mut cells: BTreeMap<[i32; 3], Vec<usize>> = BTreeMap::new();
    for (k, e) in exposures.iter().enumerate() {
        cells.entry(cell(&e.attitude.boresight)).or_default().push(k);
    }
    let mut left: BTreeSet<[i32; 3]> = cells.keys().copied().collect();
    let mut regions: Vec<Vec<usize>> = Vec::new();
    while let Some(first) = left.pop_first() {
        let (mut open, mut members) = (vec![first], Vec::new());
        while let Some(at) = open.pop() {
            members.extend(&cells[&at]);
            for n in 0..27 {
                let near = [at[0] + n % 3 - 1, at[1] + (n / 3) % 3 - 1, at[2] + n / 9 - 1];
                if left.remove(&near) {
                    open.push(near);
                }
            }
        }
        members.sort_unstable();
        regions.push(members);
    }
    regions.sort_by_key(|r| std::cmp::Reverse(r.len()));
    regions
}

fn panel(exposures: &[&Exposure]) -> (String, String) {
    let centre = |e: &Exposure| {
        let c = e.whole.0;
        e.attitude.sky_from_mosaic(0.5 * (c[0].0 + c[2].0), 0.5 * (c[0].1 + c[2].1))
    };
    let middle = unit(exposures.iter().map(|e| centre(e)).fold([0.0; 3], |sum, v| std::array::from_fn(|k| sum[k] + v[k])));
    let corners = exposures.iter().flat_map(|e| e.whole.0.map(|(x, y)| e.attitude.sky_from_mosaic(x, y)));
    let radius_deg = (1.04 * corners.map(|v| angle(&v, &middle).to_degrees()).fold(0.0, f64::max)).clamp(1e-3, 60.0);
    let (ra, dec) = degrees(&middle);
    // With position angle 0 the mosaic's +x is west, +y north.
    let plane = Attitude::new(ra, dec, 0.0);
    let scale = 0.5 * SIDE / radius_deg.to_radians().tan().to_degrees();
    let place = |v: &Vector| plane.mosaic_from_sky(v).map(|(x, y)| (ROOM + 0.5 * SIDE + scale * x, 10.0 + 0.5 * SIDE - scale * y));
    let mut svg = format!("<svg viewBox=\"0 0 {:.0} {:.0}\" role=\"img\">", SIDE + ROOM + 10.0, SIDE + 40.0);
    grid(&mut svg, &place, (ra, dec), radius_deg);
    let single = exposures.iter().map(|e| e.parts.len()).sum::<usize>() <= SINGLE;
    let drawn: Vec<(&Attitude, &Corners, Standing)> = exposures
        .iter()
        .flat_map(|e| {
            let all = single && !e.parts.is_empty();
            let parts = e.parts.iter().filter(move |(_, state)| all || *state == Standing::Failed);
            parts.chain((!all).then_some(&e.whole)).map(|(corners, state)| (&e.attitude, corners, *state))
        })
        .collect();
    let covered: f64 = drawn.iter().map(|(_, c, _)| (c[2].0 - c[0].0).abs() * (c[2].1 - c[0].1).abs()).sum();
    let depth = (covered / (3.2 * radius_deg * radius_deg)).max(1.0);
    let opacity = (1.0 - 0.1_f64.powf(1.0 / depth)).clamp(0.04, 0.85);
    for (state, colour) in LAYERS {
        let opacity = match state {
            Standing::Failed | Standing::Open => opacity.max(0.5),
            Standing::Missing => 0.3 * opacity,
            Standing::Stale | Standing::Done => opacity,
        };
        let _ = write!(svg, "<g fill=\"{colour}\" fill-opacity=\"{opacity:.3}\">");
        for (attitude, corners, _) in drawn.iter().filter(|d| d.2 == state) {
            let points: Option<Vec<(f64, f64)>> = corners.iter().map(|(x, y)| place(&attitude.sky_from_mosaic(*x, *y))).collect();
            if let Some(points) = points {
                let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
                let _ = write!(svg, "<path d=\"M{}z\"/>", path.join("L"));
            }
        }
        svg.push_str("</g>");
    }
    svg.push_str("</svg>");
    let plural = if exposures.len() == 1 { "exposure" } else { "exposures" };
    (format!("{} {plural} about {ra:.2}\u{b0} {dec:+.2}\u{b0}", exposures.len()), svg)
}

/// Lines of right ascension and declination with their degrees.
fn grid(svg: &mut String, place: &impl Fn(&Vector) -> Option<(f64, f64)>, (ra, dec): (f64, f64), radius_deg: f64) {
    let step = |width: f64| {
        [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0].into_iter().find(|s| width / s <= 6.0).unwrap_or(30.0)
    };
    let across = (radius_deg / dec.to_radians().cos().max(0.05)).min(180.0);
    let digits = |s: f64| (-s.log10()).ceil().max(0.0) as usize;
    let inside = |p: &(f64, f64)| (ROOM..=ROOM + SIDE).contains(&p.0) && (10.0..=10.0 + SIDE).contains(&p.1);
    let mut line = |fixed: f64, upright: bool, step: f64| {
        let along = |t: f64| {
            if upright { vector(fixed, (dec + 1.5 * t * radius_deg).clamp(-90.0, 90.0)) } else { vector(ra + 1.5 * t * across, fixed) }
        };
        let points: Vec<(f64, f64)> = (-40..=40).filter_map(|k| place(&along(f64::from(k) / 40.0))).filter(|p| inside(p)).collect();
        let text: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = write!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"var(--grid)\"/>", text.join(" "));
        let label = if upright {
            format!("{:.*}\u{b0}", digits(step), fixed.rem_euclid(360.0))
        } else {
            format!("{fixed:+.*}\u{b0}", digits(step))
        };
        let key = |p: &&(f64, f64)| if upright { -p.1 } else { p.0 };
        if let Some((x, y)) = points.iter().min_by(|a, b| key(a).total_cmp(&key(b))) {
            let (x, y, anchor) = if upright { (*x, SIDE + 28.0, "middle") } else { (ROOM - 4.0, y + 4.0, "end") };
            let _ = write!(
                svg,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"13\" fill=\"var(--muted)\">{label}</text>"
            );
        }
    };
    let (up, right) = (step(2.0 * radius_deg), step(2.0 * across));
    let between =
        |low: f64, high: f64, step: f64| ((low / step).ceil() as i64..=(high / step).floor() as i64).map(move |k| k as f64 * step);
    between((dec - radius_deg).max(-90.0), (dec + radius_deg).min(90.0), up).for_each(|d| line(d, false, up));
    between(ra - across, ra + across, right).for_each(|a| line(a, true, right));
}
