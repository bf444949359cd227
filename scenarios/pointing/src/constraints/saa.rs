//! The South Atlantic Anomaly.
//!
//! # Formula
//! Even-odd rule for the point below the telescope, sides straight in longitude and latitude. Margin: distance from the nearest side, negative inside, with
//! degrees of longitude shortened by the cosine of the telescope's latitude.
//! # Symbols
//! Longitude east positive, geocentric latitude \[deg\]
//! # Source
//! csst_inspector: five corners
//! # Limits
//! A line on the ground, whatever the height; exposures are forbidden there, slews are not. Sides do not cross longitude 180.

use super::Constraint;
use crate::focal_plane::Attitude;
use crate::moment::Moment;

/// Keeps exposures out of a region on the ground.
#[derive(Debug, Clone, PartialEq)]
pub struct Saa {
    /// Corners (longitude, latitude) \[deg\] in order.
    pub corners_deg: Vec<(f64, f64)>,
}

impl Saa {
    /// Signed distance of a point from the outline \[deg\], negative inside.
    #[must_use]
    pub fn outside_deg(&self, longitude_deg: f64, latitude_deg: f64) -> f64 {
        let shrink = latitude_deg.to_radians().cos();
        let at = |c: (f64, f64)| (((c.0 - longitude_deg + 540.0).rem_euclid(360.0) - 180.0) * shrink, c.1 - latitude_deg);
        let n = self.corners_deg.len();
        let (mut nearest, mut inside) = (f64::INFINITY, false);
        for k in 0..n {
            let (a, b) = (at(self.corners_deg[k]), at(self.corners_deg[(k + 1) % n]));
            let d = (b.0 - a.0, b.1 - a.1);
            let t = (-(a.0 * d.0 + a.1 * d.1) / (d.0 * d.0 + d.1 * d.1).max(1e-30)).clamp(0.0, 1.0);
            nearest = nearest.min((a.0 + t * d.0).hypot(a.1 + t * d.1));
            if (a.1 > 0.0) != (b.1 > 0.0) && a.0 - a.1 * d.0 / d.1 > 0.0 {
                inside = !inside;
            }
        }
        if inside { -nearest } else { nearest }
    }
}

impl Constraint for Saa {
    fn name(&self) -> &'static str {
        "saa"
    }
    fn margin_deg(&self, moment: &Moment, _: &Attitude) -> f64 {
        self.outside_deg(moment.longitude_deg, moment.latitude_deg)
    }
    fn most_deg(&self, moment: &Moment, attitude: &Attitude, _: f64) -> f64 {
        self.margin_deg(moment, attitude)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_is_the_distance_from_the_outline() {
        let square = Saa { corners_deg: vec![(-10.0, -10.0), (10.0, -10.0), (10.0, 10.0), (-10.0, 10.0)] };
        assert!((square.outside_deg(0.0, 0.0) + 10.0).abs() < 1e-12);
        assert!((square.outside_deg(14.0, 0.0) - 4.0).abs() < 1e-12);
        assert!((square.outside_deg(0.0, 60.0) - 50.0).abs() < 1e-12);
        assert!((square.outside_deg(7.0, 0.0) + 3.0).abs() < 1e-12);
    }

    #[test]
    fn the_published_outline_holds_brazil_and_not_hawaii() {
        let saa = Saa { corners_deg: vec![(-13.0, -42.5), (-72.0, -42.5), (-81.0, -25.0), (-54.0, -15.0), (5.0, -32.0)] };
        assert!(saa.outside_deg(-46.6, -23.5) < 0.0, "Sao Paulo");
        assert!(saa.outside_deg(-155.0, 20.0) > 50.0);
        assert!(saa.outside_deg(-50.0, -10.0) > 0.0 && saa.outside_deg(18.0, -34.0) > 0.0);
        // The area of the outline by counting and by the shoelace of a plate carree, 1,483.25 deg2.
        let inside = (-900..100)
            .flat_map(|i| (-450..0).map(move |j| (i, j)))
            .filter(|&(i, j)| saa.outside_deg(0.1 * f64::from(i) + 0.05, 0.1 * f64::from(j) + 0.05) < 0.0)
            .count();
        let corners = &saa.corners_deg;
        let shoelace: f64 = (0..5).map(|k| (corners[k].0 * corners[(k + 1) % 5].1 - corners[(k + 1) % 5].0 * corners[k].1) / 2.0).sum();
        assert!((inside as f64 * 0.01 / shoelace.abs() - 1.0).abs() < 0.01, "{} {shoelace}", inside as f64 * 0.01);
    }
}
