//! Where exposures go so that each band sees each place of an area as often as the programme asks.
//!
//! # Formula
//! A frame has the area's middle on its equator and its pole in the direction of the mosaic's +y axis there. Pointings stand in rows of its latitude, `step_y`
//! apart; in a row their longitudes are `step_x / cos(lowest latitude of the mosaic)` apart. With steps a little less than a detector, each detector alone
//! sees each place once per visit: a band with n detectors gives n exposures. A pointing is kept when the cell (step_x by step_y) about any of its
//! detectors reaches into the area, so that the depth is full up to the border. Rows and columns may stand on the middle or half a step beside it: the
//! choice with the fewest pointings is taken (areas of more than 5000 pointings: on the middle). Visits are shifted by their dithers.
//! # Symbols
//! Steps and dithers along the mosaic's axes \[deg\]
//! # Source
//! Exposures per band (2 x 150 s, 4 in NUV and y, deep 8 x 250 s): configuration of sim_csst_lens. They follow from the focal plane: two detectors per band,
//! four of NUV and y. The real pattern of the survey is not public: steps, dithers and rows here are assumed.
//! # Limits
//! No distortion. Where rows get closer (far from the middle of a large area) some places are seen more often. The mosaic's angle is that of the frame:
//! exact at the middle, some degrees off the rule at the border of areas of 30 deg.

use crate::Target;
use crate::area::{Area, ecliptic_pole};
use crate::focal_plane::{FocalPlane, north_east, position_angle_deg};
use sim_core::direction::{Vector, angle, cross, degrees, dot, unit};

/// From where the mosaic's position angle is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// From north, through east.
    Equatorial,
    /// From the direction of the ecliptic's north pole, through the direction of rising longitude.
    Ecliptic,
}

/// How an area is observed.
#[derive(Debug, Clone, PartialEq)]
pub struct Programme {
    /// Name.
    pub name: String,
    /// Exposure time \[s\].
    pub exposure_s: f64,
    /// Visits: passes over the whole area.
    pub visits: u32,
    /// Step along the mosaic's x and y \[deg\].
    pub step_deg: (f64, f64),
    /// Shifts of visits along x and y \[deg\], taken in turn; empty: none.
    pub dithers_deg: Vec<(f64, f64)>,
    /// Position angle of the mosaic's +y at the middle of the area \[deg\].
    pub position_angle_deg: f64,
    /// From where the angle is counted.
    pub reference: Reference,
}

/// Points per side of a detector's cell that are looked for in the area.
const SAMPLES: u32 = 5;
/// Pointings beyond which rows and columns are not tried half a step beside.
const MOST_TRIED: usize = 5000;

struct Frame {
    x: Vector,
    y: Vector,
    z: Vector,
}

impl Frame {
    fn new(middle: Vector, programme: &Programme) -> Self {
        let (ra, dec) = degrees(&middle);
        let [north, east] = north_east(ra, dec);
        let zero = match programme.reference {
            Reference::Equatorial => 0.0,
            Reference::Ecliptic => dot(&ecliptic_pole(), &east).atan2(dot(&ecliptic_pole(), &north)),
        };
        let (s, c) = (zero + programme.position_angle_deg.to_radians()).sin_cos();
        let z: Vector = std::array::from_fn(|k| c * north[k] + s * east[k]);
        Self { x: middle, y: unit(cross(&z, &middle)), z }
    }
    /// Direction of a longitude and latitude \[deg\], and of the frame's north there.
    fn at(&self, l_deg: f64, b_deg: f64) -> (Vector, Vector) {
        let (sl, cl) = l_deg.to_radians().sin_cos();
        let (sb, cb) = b_deg.to_radians().sin_cos();
        let sum = |a: f64, b: f64, c: f64| std::array::from_fn(|k| a * self.x[k] + b * self.y[k] + c * self.z[k]);
        (sum(cb * cl, cb * sl, sb), sum(-sb * cl, -sb * sl, cb))
    }
}

/// Longitudes of a row \[deg\]: `spacing` apart, the one at `phase` spacings among them, within `reach` of 0; all round evenly where the reach is a circle.
fn row(spacing: f64, phase: f64, reach: f64) -> Vec<f64> {
    if reach >= 180.0 {
        let n = (360.0 / spacing).ceil().max(1.0);
        return (0..n as u32).map(|k| (f64::from(k) + phase) * 360.0 / n - 180.0).collect();
    }
    let n = (reach / spacing).ceil() as i32 + 1;
    (-n..=n).map(|k| (f64::from(k) + phase) * spacing).filter(|l| l.abs() <= reach).collect()
}

/// Whether the cell about any detector of a pointing reaches into the area.
fn touches(area: &Area, marks: &[Vector], plane: &FocalPlane, step: (f64, f64), (boresight, north): (&Vector, &Vector)) -> bool {
    let y = *north;
    // +x is 90 deg west of +y: y cross b.
    let x = cross(&y, boresight).map(|v| -v);
    let inside = |u: f64, v: f64| {
        let (u, v) = (u.to_radians(), v.to_radians());
        let direction: Vector = std::array::from_fn(|k| boresight[k] + u * x[k] + v * y[k]);
        let (ra, dec) = degrees(&direction);
        area.contains(ra, dec)
    };
    let centres: Vec<(f64, f64)> = plane.detectors.iter().map(|d| d.centre_deg()).collect();
    if centres.iter().any(|c| inside(c.0, c.1)) {
        return true;
    }
    let last = f64::from(SAMPLES - 1);
    // A hair inside the cell: the next cell has the border.
    let offset = |k: u32, step: f64| (f64::from(k) / last - 0.5) * step * (1.0 - 1e-9);
    let sampled =
        |c: &(f64, f64)| (0..SAMPLES * SAMPLES).any(|k| inside(c.0 + offset(k % SAMPLES, step.0), c.1 + offset(k / SAMPLES, step.1)));
    let holds_mark = || {
        marks.iter().filter(|m| dot(m, boresight) > 0.0).any(|m| {
            let w = dot(m, boresight);
            let (u, v) = ((dot(m, &x) / w).to_degrees(), (dot(m, &y) / w).to_degrees());
            centres.iter().any(|c| (u - c.0).abs() < 0.5 * step.0 && (v - c.1).abs() < 0.5 * step.1)
        })
    };
    centres.iter().any(sampled) || holds_mark()
}

/// One pass over an area: directions of the boresight and of the frame's north.
fn pass(area: &Area, programme: &Programme, plane: &FocalPlane, phases: (f64, f64), dither: (f64, f64)) -> Vec<(Vector, Vector)> {
    let (middle, radius) = area.cone();
    let frame = Frame::new(middle, programme);
    let marks = area.marks();
    let (step_x, step_y) = programme.step_deg;
    let half_height = plane.extent_deg()[1].1.max(-plane.extent_deg()[1].0) + 0.5 * step_y;
    let reach = radius + plane.radius_deg() + step_x.hypot(step_y);
    let rows = (reach.min(90.0) / step_y).ceil() as i32 + 1;
    let mut out = Vec::new();
    for j in -rows..=rows {
        let b = (f64::from(j) + phases.1) * step_y + dither.1;
        if b.abs() > reach.min(90.0) {
            continue;
        }
        let lowest = (b.abs() - half_height).max(0.0);
        let spacing = step_x / lowest.to_radians().cos();
        // Longitudes of the cone at this latitude: cos(reach) = cos b cos l.
        let widest =
            if reach >= 90.0 { 180.0 } else { (reach.to_radians().cos() / b.to_radians().cos()).clamp(-1.0, 1.0).acos().to_degrees() };
        let mut line: Vec<_> = row(spacing, phases.0, widest)
            .into_iter()
            .map(|l| frame.at(l + dither.0 / lowest.to_radians().cos(), b))
            .filter(|(p, _)| angle(p, &middle).to_degrees() <= reach)
            .filter(|(p, north)| touches(area, &marks, plane, programme.step_deg, (p, north)))
            .collect();
        // There and back: neighbours in the list are neighbours on the sky.
        if j.rem_euclid(2) == 1 {
            line.reverse();
        }
        out.extend(line);
    }
    out
}

/// Pointings that give an area the programme's depth, numbered from `first_id`, visit after visit.
///
/// # Panics
/// When the programme's steps, exposure time or visits are not positive, or the focal plane has no detector.
#[must_use]
pub fn tile(area: &Area, programme: &Programme, plane: &FocalPlane, first_id: u64) -> Vec<Target> {
    let p = programme;
    assert!(p.step_deg.0 > 0.0 && p.step_deg.1 > 0.0 && p.exposure_s > 0.0 && p.visits > 0, "programme {p:?}");
    assert!(!plane.detectors.is_empty(), "a focal plane without detectors");
    let mut out: Vec<Target> = Vec::new();
    for visit in 1..=p.visits {
        let dither = if p.dithers_deg.is_empty() { (0.0, 0.0) } else { p.dithers_deg[(visit as usize - 1) % p.dithers_deg.len()] };
        let mut fewest = pass(area, p, plane, (0.0, 0.0), dither);
        // A row more or less does not matter to a large area.
        if fewest.len() <= MOST_TRIED {
            for phases in [(0.5, 0.0), (0.0, 0.5), (0.5, 0.5)] {
                let other = pass(area, p, plane, phases, dither);
                fewest = if other.len() < fewest.len() { other } else { fewest };
            }
        }
        for (boresight, north) in fewest {
            let (ra_deg, dec_deg) = degrees(&boresight);
            out.push(Target {
                obs_id: first_id + out.len() as u64,
                ra_deg,
                dec_deg,
                position_angle_deg: position_angle_deg(&boresight, &north),
                exposure_s: p.exposure_s,
                programme: p.name.clone(),
                visit,
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::focal_plane::Detector;

    /// Two detectors of 0.2 deg side by side in x, 0.3 deg apart.
    fn plane() -> FocalPlane {
        let at = |n: u32, x: f64| Detector::rectangle(n, "r", (x, 0.0), (0.201, 0.201));
        FocalPlane { detectors: vec![at(1, -0.15), at(2, 0.15)] }
    }

    fn programme(angle: f64) -> Programme {
        Programme {
            name: "test".into(),
            exposure_s: 150.0,
            visits: 1,
            step_deg: (0.2, 0.2),
            dithers_deg: vec![],
            position_angle_deg: angle,
            reference: Reference::Equatorial,
        }
    }

    /// How often each of many places of an area is seen.
    fn depths(area: &Area, targets: &[Target], plane: &FocalPlane) -> (usize, usize, f64) {
        let (axis, radius) = area.cone();
        let (ra0, dec0) = degrees(&axis);
        let centre = crate::Attitude::new(ra0, dec0, 0.0);
        let attitudes: Vec<_> = targets.iter().map(Target::attitude).collect();
        let (mut least, mut most, mut sum, mut n) = (usize::MAX, 0, 0, 0);
        for k in 0..3000 {
            let (r, t) = (radius * (f64::from(k) / 3000.0).sqrt(), 2.399_963 * f64::from(k));
            let p = centre.sky_from_mosaic((r.to_radians().tan() * t.cos()).to_degrees(), (r.to_radians().tan() * t.sin()).to_degrees());
            let (ra, dec) = degrees(&p);
            if !area.contains(ra, dec) {
                continue;
            }
            let seen = attitudes
                .iter()
                .filter(|a| a.mosaic_from_sky(&p).is_some_and(|(x, y)| plane.detectors.iter().any(|d| d.contains(x, y))))
                .count();
            (least, most, sum, n) = (least.min(seen), most.max(seen), sum + seen, n + 1);
        }
        (least, most, sum as f64 / f64::from(n))
    }

    #[test]
    fn every_place_is_seen_by_every_detector_at_the_equator_at_the_poles_and_across_ra_zero() {
        for text in
            ["box:180,10,1.6,1.2,0", "cap:359.9,0,0.9", "cap:77,90,0.9", "rectangle:350,20,-89.9,-88.5", "cap:10,-60,0.03", "cells:5,1234"]
        {
            for angle in [0.0, 66.6] {
                let area = Area::parse(text).unwrap();
                let targets = tile(&area, &programme(angle), &plane(), 1);
                let (least, _, mean) = depths(&area, &targets, &plane());
                assert!(least >= 2 && mean < 2.25, "{text}: {least} {mean}");
            }
        }
    }

    #[test]
    fn a_box_along_the_mosaic_needs_the_number_that_can_be_counted() {
        // Detectors 0.3 deg apart: columns must reach over (1.6 + 0.3) / 0.2 = 9.5 steps, 10; rows over 1.2 / 0.2 = 6 steps, 6.
        let area = Area::parse("box:180,0,1.599,1.199,0").unwrap();
        let targets = tile(&area, &programme(0.0), &plane(), 100);
        assert_eq!(targets.len(), 60);
        assert_eq!((targets[0].obs_id, targets[59].obs_id), (100, 159));
        // Turned by a right angle: 1.2 + 0.3 = 7.5 steps, 8; 1.6 / 0.2 = 8.
        assert_eq!(tile(&area, &programme(90.0), &plane(), 1).len(), 64);
        let twice = Programme { visits: 2, dithers_deg: vec![(0.0, 0.0), (0.05, 0.03)], ..programme(0.0) };
        let targets = tile(&area, &twice, &plane(), 1);
        let second: Vec<_> = targets.iter().filter(|t| t.visit == 2).collect();
        assert!(second.len() >= 60 && second.len() <= 77, "{}", second.len());
        assert!(depths(&area, &targets, &plane()).0 >= 4);
    }

    #[test]
    fn a_whole_sky_has_no_hole_and_few_overlaps() {
        let wide = FocalPlane { detectors: vec![Detector::rectangle(1, "r", (0.0, 0.0), (10.3, 10.3))] };
        let all = Area::parse("rectangle:0,360,-90,90").unwrap();
        let targets = tile(&all, &Programme { step_deg: (10.0, 10.0), ..programme(0.0) }, &wide, 1);
        let (least, _, mean) = depths(&all, &targets, &wide);
        assert!(least >= 1 && mean < 1.5, "{least} {mean} {}", targets.len());
    }

    #[test]
    fn the_position_angle_follows_its_rule() {
        let area = Area::parse("cap:0,0,0.5").unwrap();
        let ecliptic = Programme { reference: Reference::Ecliptic, ..programme(90.0) };
        let targets = tile(&area, &ecliptic, &plane(), 1);
        // At (0, 0) the ecliptic's pole is at position angle -23.4393 deg; +x is 90 deg before +y: Cycle 9's rotation, t = 66.56 - 180 = -113.44 deg.
        let middle = targets.iter().min_by(|a, b| dist(a).total_cmp(&dist(b))).unwrap();
        assert!((middle.position_angle_deg - 66.56).abs() < 0.05, "{}", middle.position_angle_deg);
        assert!(dot(&middle.attitude().x, &ecliptic_pole()) > 0.999);
        fn dist(t: &Target) -> f64 {
            ((t.ra_deg + 180.0) % 360.0 - 180.0).hypot(t.dec_deg)
        }
    }
}
