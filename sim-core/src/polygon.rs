//! Polygons on the sphere.
//!
//! # Formula
//! Sides are arcs of great circles: in the gnomonic projection about the middle they are straight lines, and a point is inside when a ray from it
//! crosses an odd number of sides. Exact across right ascension 0 and at the poles.
//! # Symbols
//! Corners as right ascension and declination, or any longitude and latitude, in deg.
//! # Source
//! The even-odd rule.
//! # Limits
//! Corners within 60 deg of the middle; sides do not cross.

use crate::direction::{degrees, dot, vector};

/// A polygon on the sphere.
#[derive(Debug, Clone, PartialEq)]
pub struct Polygon {
    middle: [f64; 3],
    east: [f64; 3],
    north: [f64; 3],
    corners: Vec<(f64, f64)>,
    radius_rad: f64,
}

/// Why a polygon cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("polygon: {0}")]
pub struct PolygonError(String);

impl Polygon {
    /// A polygon from its corners (right ascension, declination) \[deg\], in either sense.
    ///
    /// # Errors
    /// With fewer than three corners, a corner off the sphere, or one more than 60 deg from the middle.
    pub fn new(corners: &[(f64, f64)]) -> Result<Self, PolygonError> {
        if corners.len() < 3 {
            return Err(PolygonError(format!("a polygon of {} corners; at least three", corners.len())));
        }
        for (ra, dec) in corners {
            if !((0.0..=360.0).contains(ra) && (-90.0..=90.0).contains(dec)) {
                return Err(PolygonError(format!("corner ({ra}, {dec}) deg is outside 0..360, -90..90 deg")));
            }
        }
        let vectors: Vec<[f64; 3]> = corners.iter().map(|c| vector(c.0, c.1)).collect();
        let mut middle = [0, 1, 2].map(|k| vectors.iter().map(|v| v[k]).sum::<f64>());
        let norm = dot(&middle, &middle).sqrt();
        middle = middle.map(|m| m / norm);
        let closest = vectors.iter().map(|v| dot(v, &middle)).fold(f64::INFINITY, f64::min);
        if closest.is_nan() || closest < 0.5 {
            return Err(PolygonError("a corner is more than 60 deg from the middle of the polygon".into()));
        }
        // Any two directions at right angles to the middle.
        let least = if middle[2].abs() < 0.9 { [0.0, 0.0, 1.0] } else { [1.0, 0.0, 0.0] };
        let along = dot(&least, &middle);
        let north: [f64; 3] = [0, 1, 2].map(|k| least[k] - along * middle[k]);
        let length = dot(&north, &north).sqrt();
        let north = north.map(|n| n / length);
        let east = [0, 1, 2].map(|k| {
            let (a, b) = ((k + 1) % 3, (k + 2) % 3);
            north[a] * middle[b] - north[b] * middle[a]
        });
        let mut polygon = Self { middle, east, north, corners: Vec::new(), radius_rad: closest.min(1.0).acos() };
        polygon.corners = vectors.iter().filter_map(|v| polygon.projected(*v)).collect();
        Ok(polygon)
    }

    fn projected(&self, v: [f64; 3]) -> Option<(f64, f64)> {
        let w = dot(&v, &self.middle);
        (w > 0.0).then(|| (dot(&v, &self.east) / w, dot(&v, &self.north) / w))
    }

    /// Whether a position \[deg\] is inside.
    #[must_use]
    pub fn contains(&self, ra_deg: f64, dec_deg: f64) -> bool {
        let Some((x, y)) = self.projected(vector(ra_deg, dec_deg)) else { return false };
        let mut inside = false;
        let mut previous = self.corners[self.corners.len() - 1];
        for &corner in &self.corners {
            if (corner.1 > y) != (previous.1 > y) && x < (previous.0 - corner.0) * (y - corner.1) / (previous.1 - corner.1) + corner.0 {
                inside = !inside;
            }
            previous = corner;
        }
        inside
    }

    /// The middle of the corners \[deg\].
    #[must_use]
    pub fn middle_deg(&self) -> (f64, f64) {
        degrees(&self.middle)
    }
    /// Distance of the farthest corner from the middle \[deg\]: the cone that holds the polygon.
    #[must_use]
    pub fn radius_deg(&self) -> f64 {
        self.radius_rad.to_degrees()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polygon_reaches_over_the_pole_and_across_ra_zero_and_a_triangle_has_its_corners() {
        let square = Polygon::new(&[(359.0, -1.0), (1.0, -1.0), (1.0, 1.0), (359.0, 1.0)]).unwrap();
        assert!(square.contains(0.0, 0.0) && square.contains(359.01, 0.9) && !square.contains(1.01, 0.0) && !square.contains(180.0, 0.0));
        let polar = Polygon::new(&[(0.0, 89.0), (90.0, 89.0), (180.0, 89.0), (270.0, 89.0)]).unwrap();
        // The side between (0, 89) and (90, 89) bulges to the pole: at ra 45 its distance from the pole is atan(tan(1 deg) cos 45).
        let side = 90.0 - (1.0_f64.to_radians().tan() * 0.5_f64.sqrt()).atan().to_degrees();
        assert!(polar.contains(123.0, 90.0) && polar.contains(45.0, side + 1e-6) && !polar.contains(45.0, side - 1e-6));
        assert!(Polygon::new(&[(0.0, 0.0), (1.0, 0.0)]).is_err() && Polygon::new(&[(0.0, 0.0), (170.0, 0.0), (10.0, 80.0)]).is_err());
        assert!(Polygon::new(&[(0.0, 0.0), (361.0, 0.0), (10.0, 10.0)]).is_err());
    }
}
