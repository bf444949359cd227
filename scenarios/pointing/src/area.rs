//! Pieces of sky to be observed.
//!
//! # Formula
//! Rectangle in right ascension and declination: `(sin d2 - sin d1) (a2 - a1)`; cap: `2 pi (1 - cos r)`; polygon: triangles from its middle, each
//! `2 atan2(p.(q x m), 1 + p.q + q.m + m.p)`; cells: their number.
//! # Symbols
//! a right ascension, d declination, r radius
//! # Source
//! Van Oosterom & Strackee 1983 for the triangle; HEALPix: Gorski et al. 2005 (ApJ 622, 759), through `cdshealpix`
//! # Limits
//! Polygons as [`sim_core::polygon`]. Boxes up to 60 deg from their middle.

use crate::focal_plane::north_east;
use cdshealpix::nested;
use sim_core::direction::{Vector, angle, cross, degrees, dot, unit, vector};
use sim_core::polygon::Polygon;
use std::collections::BTreeSet;
use std::f64::consts::PI;

/// Direction of the north pole of the ecliptic of J2000: obliquity 84381.406 arcsec (IAU 2006).
#[must_use]
pub fn ecliptic_pole() -> Vector {
    let (s, c) = (84_381.406_f64 / 3600.0).to_radians().sin_cos();
    [0.0, -s, c]
}

/// Why an area cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("area `{text}`: {reason}")]
pub struct AreaError {
    text: String,
    reason: String,
}

/// A piece of sky.
#[derive(Debug, Clone, PartialEq)]
pub enum Area {
    /// Between two right ascensions (eastward from the first to the second, across 0 where the second is less) and two declinations \[deg\].
    Rectangle {
        /// Right ascensions.
        ra_deg: (f64, f64),
        /// Declinations.
        dec_deg: (f64, f64),
    },
    /// Within a radius of a place.
    Cap {
        /// Centre (right ascension, declination) \[deg\].
        centre_deg: (f64, f64),
        /// Radius \[deg\].
        radius_deg: f64,
    },
    /// Within great circles between corners (right ascension, declination) \[deg\].
    Polygon {
        /// The outline.
        outline: Polygon,
        /// Corners in order.
        corners_deg: Vec<(f64, f64)>,
    },
    /// HEALPix cells (NESTED) of an order.
    Cells {
        /// Order.
        order: u8,
        /// Numbers of the cells.
        cells: BTreeSet<u64>,
    },
}

impl Area {
    /// Reads one of
    /// `rectangle:RA1,RA2,DEC1,DEC2`; `cap:RA,DEC,RADIUS`; `box:RA,DEC,WIDTH,HEIGHT,ANGLE` (sides are great circles; ANGLE is the position angle of its
    /// height, or `ecliptic` for the direction of the ecliptic's north pole); `polygon:RA,DEC,RA,DEC,...`; `cells:ORDER,FIRST[-LAST],...`. All in deg.
    ///
    /// # Errors
    /// When the text is none of these or a value is out of range.
    pub fn parse(text: &str) -> Result<Self, AreaError> {
        let fault = |reason: String| AreaError { text: text.into(), reason };
        let Some((kind, rest)) = text.split_once(':') else {
            return Err(fault("begins with rectangle:, cap:, box:, polygon: or cells:".into()));
        };
        let words: Vec<&str> = rest.split(',').map(str::trim).collect();
        let count = |n: usize| if words.len() == n { Ok(()) } else { Err(fault(format!("{} values where {n} belong", words.len()))) };
        let number = |k: usize, key: &str, low: f64, high: f64| -> Result<f64, AreaError> {
            let word = words.get(k).copied().unwrap_or_default();
            let value: f64 = word.parse().map_err(|_| fault(format!("{key} = `{word}` is not a number")))?;
            if (low..=high).contains(&value) { Ok(value) } else { Err(fault(format!("{key} = {value} is outside {low}..{high} deg"))) }
        };
        let ra = |k: usize| number(k, "right ascension", 0.0, 360.0);
        let dec = |k: usize| number(k, "declination", -90.0, 90.0);
        match kind {
            "rectangle" => {
                count(4)?;
                let (ra_deg, dec_deg) = ((ra(0)?, ra(1)?), (dec(2)?, dec(3)?));
                if dec_deg.0 >= dec_deg.1 || ra_deg.0 == ra_deg.1 {
                    return Err(fault("is empty: the second declination must be above the first, right ascensions must differ".into()));
                }
                Ok(Self::Rectangle { ra_deg, dec_deg })
            }
            "cap" => {
                count(3)?;
                let (centre_deg, radius_deg) = ((ra(0)?, dec(1)?), number(2, "radius", 0.0, 180.0)?);
                if radius_deg > 0.0 { Ok(Self::Cap { centre_deg, radius_deg }) } else { Err(fault("radius = 0 is empty".into())) }
            }
            "box" => {
                count(5)?;
                let centre = (ra(0)?, dec(1)?);
                let (width, height) = (number(2, "width", 1e-6, 80.0)?, number(3, "height", 1e-6, 80.0)?);
                let angle = if words[4] == "ecliptic" {
                    let [north, east] = north_east(centre.0, centre.1);
                    dot(&ecliptic_pole(), &east).atan2(dot(&ecliptic_pole(), &north)).to_degrees()
                } else {
                    number(4, "angle", -360.0, 360.0)?
                };
                Self::polygon(box_corners(centre, width, height, angle)).map_err(fault)
            }
            "polygon" => {
                if !words.len().is_multiple_of(2) {
                    return Err(fault(format!("{} values: right ascensions and declinations come in pairs", words.len())));
                }
                let corners = (0..words.len() / 2).map(|k| Ok((ra(2 * k)?, dec(2 * k + 1)?))).collect::<Result<_, AreaError>>()?;
                Self::polygon(corners).map_err(fault)
            }
            "cells" => cells(&words).map_err(fault),
            _ => Err(fault(format!(
                "unknown kind `{kind}`{}",
                sim_core::spelling::hint(kind, ["rectangle", "cap", "box", "polygon", "cells"])
            ))),
        }
    }
    fn polygon(corners_deg: Vec<(f64, f64)>) -> Result<Self, String> {
        let outline = Polygon::new(&corners_deg).map_err(|e| e.to_string())?;
        Ok(Self::Polygon { outline, corners_deg })
    }
    /// Whether a place \[deg\] is inside.
    #[must_use]
    pub fn contains(&self, ra_deg: f64, dec_deg: f64) -> bool {
        match self {
            Self::Rectangle { ra_deg: (from, _), dec_deg: (low, high) } => {
                (*low..=*high).contains(&dec_deg) && (ra_deg - from).rem_euclid(360.0) <= self.width_deg()
            }
            Self::Cap { centre_deg, radius_deg } => {
                angle(&vector(centre_deg.0, centre_deg.1), &vector(ra_deg, dec_deg)).to_degrees() <= *radius_deg
            }
            Self::Polygon { outline, .. } => outline.contains(ra_deg, dec_deg),
            Self::Cells { order, cells } => cells.contains(&nested::hash(*order, ra_deg.to_radians(), dec_deg.to_radians())),
        }
    }
    /// Width of a rectangle in right ascension \[deg\].
    fn width_deg(&self) -> f64 {
        match self {
            Self::Rectangle { ra_deg: (from, to), .. } if to - from >= 360.0 => 360.0,
            Self::Rectangle { ra_deg: (from, to), .. } => (to - from).rem_euclid(360.0),
            _ => 0.0,
        }
    }
    /// Places that tell the shape: corners, centres of cells.
    pub(crate) fn marks(&self) -> Vec<Vector> {
        match self {
            Self::Rectangle { ra_deg: (from, _), dec_deg: (low, high) } => {
                let width = self.width_deg();
                [0.0, 0.25, 0.5, 0.75, 1.0].iter().flat_map(|k| [*low, *high].map(|dec| vector(from + k * width, dec))).collect()
            }
            Self::Cap { centre_deg, .. } => vec![vector(centre_deg.0, centre_deg.1)],
            Self::Polygon { corners_deg, .. } => corners_deg.iter().map(|c| vector(c.0, c.1)).collect(),
            Self::Cells { order, cells } => cells
                .iter()
                .map(|c| {
                    let (lon, lat) = nested::center(*order, *c);
                    vector(lon.to_degrees(), lat.to_degrees())
                })
                .collect(),
        }
    }
    /// A cone that holds the area: its axis, and its radius \[deg\].
    #[must_use]
    pub fn cone(&self) -> (Vector, f64) {
        let about = |axis: Vector, extra: f64| {
            let farthest = self.marks().iter().map(|m| angle(&axis, m).to_degrees()).fold(0.0, f64::max);
            (axis, (farthest + extra).min(180.0))
        };
        match self {
            Self::Cap { centre_deg, radius_deg } => (vector(centre_deg.0, centre_deg.1), *radius_deg),
            Self::Rectangle { ra_deg: (from, _), dec_deg: (low, high) } => {
                let axis = vector(from + 0.5 * self.width_deg(), 0.5 * (low + high));
                // Between marks a parallel bends away: never by more than a quarter of its width does.
                if self.width_deg() > 180.0 { (axis, 180.0) } else { about(axis, 0.02 * self.width_deg()) }
            }
            Self::Polygon { outline, .. } => {
                let (ra, dec) = outline.middle_deg();
                (vector(ra, dec), outline.radius_deg())
            }
            Self::Cells { order, .. } => {
                let sum = self.marks().iter().fold([0.0; 3], |s: Vector, m| std::array::from_fn(|k| s[k] + m[k]));
                let axis = if dot(&sum, &sum) > 1e-6 { unit(sum) } else { [1.0, 0.0, 0.0] };
                // A cell reaches at most so far from its centre.
                about(axis, 48.0 / 2.0_f64.powi(i32::from(*order)))
            }
        }
    }
    /// Solid angle \[deg2\].
    #[must_use]
    pub fn area_deg2(&self) -> f64 {
        let steradian = match self {
            Self::Rectangle { dec_deg: (low, high), .. } => {
                (high.to_radians().sin() - low.to_radians().sin()) * self.width_deg().to_radians()
            }
            Self::Cap { radius_deg, .. } => 4.0 * PI * (0.5 * radius_deg.to_radians()).sin().powi(2),
            Self::Polygon { outline, .. } => {
                let (ra, dec) = outline.middle_deg();
                let (m, corners) = (vector(ra, dec), self.marks());
                let n = corners.len();
                let triangle = |k: usize| {
                    let (p, q) = (&corners[k], &corners[(k + 1) % n]);
                    2.0 * dot(p, &cross(q, &m)).atan2(1.0 + dot(p, q) + dot(q, &m) + dot(&m, p))
                };
                (0..n).map(triangle).sum::<f64>().abs()
            }
            Self::Cells { order, cells } => cells.len() as f64 * 4.0 * PI / nested::n_hash(*order) as f64,
        };
        steradian * (180.0 / PI).powi(2)
    }
}

/// Corners of a box: a rectangle in the gnomonic plane about its centre, its sides at half its width and height along the middle lines.
fn box_corners(centre: (f64, f64), width: f64, height: f64, angle_deg: f64) -> Vec<(f64, f64)> {
    let [north, east] = north_east(centre.0, centre.1);
    let (s, c) = angle_deg.to_radians().sin_cos();
    let (x, y) = ((0.5 * width).to_radians().tan(), (0.5 * height).to_radians().tan());
    let b = vector(centre.0, centre.1);
    [(-x, -y), (x, -y), (x, y), (-x, y)]
        .iter()
        .map(|(u, v)| {
            let direction: Vector = std::array::from_fn(|k| b[k] + u * (c * east[k] - s * north[k]) + v * (s * east[k] + c * north[k]));
            degrees(&direction)
        })
        .collect()
}

fn cells(words: &[&str]) -> Result<Area, String> {
    let order: u8 = words[0].parse().ok().filter(|o| *o <= 13).ok_or(format!("order = `{}` is outside 0..13", words[0]))?;
    let most = nested::n_hash(order) - 1;
    let mut cells = BTreeSet::new();
    for word in &words[1..] {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let range = first.trim().parse::<u64>().ok().zip(last.trim().parse::<u64>().ok()).filter(|(a, b)| a <= b && *b <= most);
        let (a, b) = range.ok_or(format!("cells `{word}` are outside 0..{most} of order {order}"))?;
        cells.extend(a..=b);
    }
    if cells.is_empty() { Err("no cell".into()) } else { Ok(Area::Cells { order, cells }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_those_of_the_closed_forms() {
        let deg2 = |text: &str| Area::parse(text).unwrap().area_deg2();
        let sphere = 129_600.0 / PI;
        assert!((deg2("rectangle:0,360,-90,90") - sphere).abs() < 1e-9);
        assert!((deg2("rectangle:350,10,30,90") - sphere * 20.0 / 360.0 * 0.25).abs() < 1e-9);
        assert!((deg2("cap:10,20,60") - sphere / 4.0).abs() < 1e-9);
        assert!((deg2("polygon:0,0,90,0,0,90") - sphere / 8.0).abs() < 1e-9);
        assert!((deg2("cells:1,0-11,40") - sphere * 13.0 / 48.0).abs() < 1e-9);
        // A box of a square's sides 2 tan(a/2) in the plane: solid angle 4 asin(sin^2(a/2)).
        let half = 1.1_f64.to_radians().sin();
        let square = deg2("box:200,45,2.2,2.2,33");
        assert!((square - 4.0 * (half * half).asin() * (180.0 / PI).powi(2)).abs() < 1e-9, "{square}");
    }

    #[test]
    fn areas_reach_across_right_ascension_zero_and_over_the_poles() {
        let across = Area::parse("rectangle:350,10,-5,5").unwrap();
        assert!(across.contains(359.0, 0.0) && across.contains(5.0, -5.0) && !across.contains(11.0, 0.0) && !across.contains(180.0, 0.0));
        let pole = Area::parse("box:12,90,2,4,0").unwrap();
        assert!(pole.contains(77.0, 90.0) && pole.contains(12.0, 88.1) && !pole.contains(102.0, 88.9) && pole.contains(102.0, 89.1));
        for text in ["rectangle:350,10,60,89", "box:0,-90,5,5,10", "polygon:359,-1,1,-1,1,1,359,1", "cells:3,0-5,767"] {
            let area = Area::parse(text).unwrap();
            let (axis, radius) = area.cone();
            let outside = (0..20_000).any(|k| {
                // Points spread evenly by the golden angle.
                let (ra, dec) = (137.507_764 * f64::from(k) % 360.0, ((f64::from(k) + 0.5) / 10_000.0 - 1.0).asin().to_degrees());
                area.contains(ra, dec) && angle(&axis, &vector(ra, dec)).to_degrees() > radius + 1e-9
            });
            assert!(!outside, "{text}");
        }
    }

    #[test]
    fn a_box_along_the_ecliptic_has_its_upper_side_towards_the_pole() {
        let Area::Polygon { corners_deg, .. } = Area::parse("box:150,20,2,2,ecliptic").unwrap() else { panic!("a box is a polygon") };
        let latitude = |c: &(f64, f64)| dot(&vector(c.0, c.1), &ecliptic_pole()).asin().to_degrees();
        assert!((latitude(&corners_deg[2]) - latitude(&corners_deg[1]) - 2.0).abs() < 1e-3);
        assert!((latitude(&corners_deg[2]) - latitude(&corners_deg[3])).abs() < 1e-9);
    }

    #[test]
    fn faults_name_the_value_and_its_range() {
        let fault = |text: &str| Area::parse(text).unwrap_err().to_string();
        assert_eq!(fault("cap:400,0,1"), "area `cap:400,0,1`: right ascension = 400 is outside 0..360 deg");
        assert!(fault("cap:10,x,1").contains("declination = `x` is not a number") && fault("cap:1,2").contains("2 values where 3 belong"));
        assert!(fault("cup:1,2,3").contains("cap") && fault("cells:2,500").contains("0..191") && fault("cap:1,2,NaN").contains("NaN"));
        assert!(fault("rectangle:0,10,20,10").contains("empty"));
    }
}
