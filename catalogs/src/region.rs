//! Pieces of sky by which a catalogue is cut, and the HEALPix cells that cover them.
//!
//! # Formula
//! A polygon's sides are arcs of great circles: in the gnomonic projection about its middle they are straight lines, and a point is
//! inside when a ray from it crosses an odd number of sides. Exact across right ascension 0 and at the poles.
//! # Source
//! HEALPix: Gorski et al. 2005 (ApJ 622, 759), through `cdshealpix`, whose coverage of a cone is complete and may have a few cells more.
//! # Limits
//! Cones up to 20 deg; polygons whose corners lie within 60 deg of their middle, without crossing sides.

use crate::Footprint;
use crate::tables::CellId;
use cdshealpix::nested;
pub use sim_core::polygon::Polygon;
use std::ops::Range;

/// The finest order of HEALPix numbers.
pub const FINEST_ORDER: u8 = 29;

/// A piece of sky.
#[derive(Debug, Clone, PartialEq)]
pub enum Region {
    /// Within a radius.
    Cone(Footprint),
    /// Within a polygon.
    Polygon(Polygon),
}

impl Region {
    /// Whether a position \[deg\] is inside.
    #[must_use]
    pub fn contains(&self, ra_deg: f64, dec_deg: f64) -> bool {
        match self {
            Self::Cone(cone) => cone.contains(ra_deg, dec_deg),
            Self::Polygon(polygon) => polygon.contains(ra_deg, dec_deg),
        }
    }

    /// Ranges of HEALPix numbers of order 29 (NESTED), in order, that cover everything within `margin_deg` of the region.
    #[must_use]
    pub fn ranges(&self, margin_deg: f64) -> Vec<Range<u64>> {
        let (lon, lat, radius) = match self {
            Self::Cone(c) => (c.ra_deg.to_radians(), c.dec_deg.to_radians(), c.radius_deg.to_radians()),
            Self::Polygon(p) => {
                let (ra, dec) = p.middle_deg();
                (ra.to_radians(), dec.to_radians(), p.radius_deg().to_radians())
            }
        };
        // A tenth of an arcsecond for rounding.
        let radius = radius + (margin_deg + 3e-5).to_radians();
        // Cells of about an eighth of the radius.
        let order = ((58.6_f64.to_radians() * 8.0 / radius).log2().ceil() as u8).clamp(1, FINEST_ORDER);
        let shift = 2 * u32::from(FINEST_ORDER - order);
        let cells = nested::cone_coverage_approx(order, lon, lat, radius);
        cells.to_ranges().iter().map(|r| r.start << shift..r.end << shift).collect()
    }
}

/// HEALPix number of order 29 (NESTED) of a position \[deg\].
#[must_use]
pub fn healpix_29(ra_deg: f64, dec_deg: f64) -> u64 {
    nested::hash(FINEST_ORDER, ra_deg.to_radians(), dec_deg.to_radians())
}

/// The cell of an order that holds a position \[deg\].
#[must_use]
pub fn cell_at(order: u8, ra_deg: f64, dec_deg: f64) -> CellId {
    CellId { order, pixel: healpix_29(ra_deg, dec_deg) >> (2 * u32::from(FINEST_ORDER - order)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_healpix() {
        // healpy.ang2pix(nside, ra, dec, nest=True, lonlat=True), order 0: the north pole lies where cells 0 to 3 meet, the point (45, 0)
        // on the equator in cell 4 + ... by hand: base cells 4 to 7 are centred on the equator at ra 0, 90, 180, 270.
        for (ra, pixel) in [(0.0, 4), (90.0, 5), (180.0, 6), (270.0, 7)] {
            assert_eq!(cell_at(0, ra, 0.0), CellId { order: 0, pixel });
        }
        // Base cells 0 to 3 are centred at dec asin(2/3), ra 45, 135, 225, 315; 8 to 11 the same in the south.
        let dec = (2.0_f64 / 3.0).asin().to_degrees();
        for (k, ra) in [45.0, 135.0, 225.0, 315.0].into_iter().enumerate() {
            assert_eq!((cell_at(0, ra, dec).pixel, cell_at(0, ra, -dec).pixel), (k as u64, k as u64 + 8));
        }
        let cell = cell_at(5, 123.4, -56.7);
        assert!(cell.range().contains(&healpix_29(123.4, -56.7)));
    }

    #[test]
    fn the_ranges_cover_every_point_of_a_cone_at_the_poles_and_across_ra_zero() {
        for (ra, dec) in [(0.02, 0.0), (359.99, 41.8), (123.0, 90.0), (10.0, -89.97), (45.0, 41.81), (210.0, -12.3)] {
            let cone = Footprint::new(ra, dec, 0.15).unwrap();
            let ranges = Region::Cone(cone).ranges(0.0);
            let covered: u64 = ranges.iter().map(|r| r.end - r.start).sum();
            // Cells of an eighth of the radius: not more than twice the area.
            let area = covered as f64 / (12_u64 << 58) as f64 * 41_252.96;
            assert!(area < 2.0 * cone.area_deg2(), "{ra} {dec}: {area}");
            let mut inside = 0;
            for k in 0..4000 {
                let (u, v) = (f64::from(k % 63) / 31.0 - 1.0, f64::from(k / 63) / 31.0 - 1.0);
                let d = (dec + 0.16 * v).clamp(-90.0, 90.0);
                let a = (ra + if d.abs() > 89.5 { 180.0 * u } else { 0.3 * u }).rem_euclid(360.0);
                if cone.contains(a, d) {
                    inside += 1;
                    let number = healpix_29(a, d);
                    assert!(ranges.iter().any(|r| r.contains(&number)), "{a} {d}");
                }
            }
            assert!(inside > 100, "{inside}");
        }
    }

    #[test]
    fn the_ranges_of_a_polygon_over_the_pole_hold_its_cells_alone() {
        let polar = Polygon::new(&[(0.0, 89.0), (90.0, 89.0), (180.0, 89.0), (270.0, 89.0)]).unwrap();
        let ranges = Region::Polygon(polar).ranges(0.0);
        assert!(ranges.iter().any(|r| r.contains(&healpix_29(7.0, 89.5))) && !ranges.iter().any(|r| r.contains(&healpix_29(7.0, 80.0))));
    }
}
