//! The fixed partition of the sky: cells of HEALPix, order 12, NESTED.
//!
//! # Formula
//! A cell is a square of the equal-area projection, so a uniform place in the square is a uniform place on the sphere.
//! # Source
//! Gorski et al. 2005 (ApJ 622, 759), through `cdshealpix`.
//! # Limits
//! Order 12 (cells of 0.74 arcmin2): a chip of 11 arcmin draws 17 % of its objects for nothing at the rim (35 % at order 11,
//! 8 % at order 13), and a cell holds 40 galaxies and 3 stars to magnitude 27, so that what is done once a cell costs little.

use crate::direction::{angle, of_radians, vector};
use crate::draw::Draw;
use crate::footprint::Footprint;
use cdshealpix::nested;

/// Order of the partition.
pub(super) const ORDER: u8 = 12;
/// Bits of the place in a cell, and of the population above it: with 28 bits of the cell they make 53.
const PLACE_BITS: u32 = 22;
const POPULATION_BITS: u32 = 3;

/// A cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cell {
    /// Number over the sky.
    pub number: u64,
}

fn degrees((lon, lat): (f64, f64)) -> (f64, f64) {
    let ra = lon.to_degrees();
    (if (0.0..360.0).contains(&ra) { ra } else { 0.0 }, lat.to_degrees())
}

impl Cell {
    /// Solid angle \[deg2\].
    pub(super) fn area_deg2(&self) -> f64 {
        4.0 * std::f64::consts::PI * (180.0 / std::f64::consts::PI).powi(2) / nested::n_hash(ORDER) as f64
    }
    /// The larger cell of an order around it.
    pub(super) fn parent(&self, order: u8) -> u64 {
        self.number >> (2 * u32::from(ORDER - order))
    }
    /// A position uniform over the cell's area (ra, dec) \[deg\].
    pub(super) fn position(&self, draw: &mut Draw) -> (f64, f64) {
        let (east, west) = (draw.uniform(), draw.uniform());
        // A draw may round to one, which is the next cell's.
        let inside = |x: f64| x.min(1.0 - f64::EPSILON);
        degrees(nested::sph_coo(ORDER, self.number, inside(east), inside(west)))
    }
    /// Number of an object of the cell: unique over populations (to 7), cells and places (to 2^22), below 2^53 (a double holds it).
    pub(super) fn object(&self, population: u64, place: u64) -> u64 {
        debug_assert!(population < 1 << POPULATION_BITS && place < 1 << PLACE_BITS, "{population} {place}");
        ((self.number + 1) << (PLACE_BITS + POPULATION_BITS)) | (population << PLACE_BITS) | place
    }
}

/// Middle of a cell of an order (ra, dec) \[deg\].
pub(super) fn middle_deg(order: u8, number: u64) -> (f64, f64) {
    degrees(nested::center(order, number))
}

/// A cone around a larger cell of an order.
pub(super) fn around(order: u8, number: u64) -> Footprint {
    let (ra_deg, dec_deg) = middle_deg(order, number);
    let middle = vector(ra_deg, dec_deg);
    let radius = nested::vertices(order, number).iter().map(|v| angle(&middle, &of_radians(*v))).fold(0.0, f64::max);
    // Edges of cells bend outwards by less than a hundredth.
    Footprint { ra_deg, dec_deg, radius_deg: 1.01 * radius.to_degrees() }
}

/// The cells of a larger cell of an order, in order of their numbers.
pub(super) fn cells_of(order: u8, block: u64) -> Vec<Cell> {
    let shift = 2 * u32::from(ORDER - order);
    (block << shift..(block + 1) << shift).map(|number| Cell { number }).collect()
}

/// Whether a cell can hold an object of the footprint; some at the rim cannot.
pub(super) fn can_reach(cell: &Cell, footprint: &Footprint) -> bool {
    let (ra_deg, dec_deg) = middle_deg(ORDER, cell.number);
    Footprint { radius_deg: footprint.radius_deg + 0.03, ..*footprint }.contains(ra_deg, dec_deg)
}

/// The larger cells of an order that can hold an object of the footprint, in order of their numbers. Some at the rim are outside.
pub(super) fn blocks_in(order: u8, footprint: &Footprint) -> Vec<u64> {
    let (lon, lat, radius) = (footprint.ra_deg.to_radians(), footprint.dec_deg.to_radians(), (footprint.radius_deg + 0.03).to_radians());
    nested::cone_coverage_approx(order, lon, lat, radius).flat_iter().collect()
}

/// The cells that can hold an object of the footprint, in order of their numbers. A few at the rim are outside.
pub(super) fn cells_in(footprint: &Footprint) -> Vec<Cell> {
    // Companions stand as far as 5 arcsec from the star that is in the cell.
    let radius = (footprint.radius_deg + 5.001 / 3600.0).to_radians();
    let cells = nested::cone_coverage_approx(ORDER, footprint.ra_deg.to_radians(), footprint.dec_deg.to_radians(), radius);
    cells.flat_iter().map(|number| Cell { number }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::stream::StreamKey;

    #[test]
    fn the_cells_cover_the_sphere_once() {
        let count = nested::n_hash(ORDER);
        let sphere = 4.0 * std::f64::consts::PI * (180.0 / std::f64::consts::PI).powi(2);
        assert!((Cell { number: 0 }.area_deg2() * count as f64 / sphere - 1.0).abs() < 1e-12);
        assert!((0.7..0.8).contains(&(Cell { number: 0 }.area_deg2() * 3600.0)));
        // The largest number of an object is below 2^53, and numbers rise with population, place and cell.
        let (last, before) = (Cell { number: count - 1 }, Cell { number: count - 2 });
        assert!(last.object(7, (1 << PLACE_BITS) - 1) < 1 << 53);
        assert!(last.object(0, 0) > before.object(7, (1 << PLACE_BITS) - 1));
        assert!(last.object(1, 0) > last.object(0, (1 << PLACE_BITS) - 1));
    }

    #[test]
    fn positions_are_in_their_cell_and_uniform_over_its_area() {
        // At the equator, in a polar cap, at both poles, at ra 0.
        for (ra, dec) in [(10.0, 0.0), (50.0, 70.0), (3.0, 89.999), (200.0, -89.999), (0.001, 30.0), (359.999, -41.9)] {
            let cell = Cell { number: nested::hash(ORDER, f64::to_radians(ra), f64::to_radians(dec)) };
            let mut draw = Draw::new(StreamKey::new(4).stream(7));
            let mut quarters = [0.0; 4];
            let n = 8000;
            for _ in 0..n {
                let p = cell.position(&mut draw);
                assert!((0.0..360.0).contains(&p.0) && (-90.0..=90.0).contains(&p.1));
                let fine = nested::hash(ORDER + 1, p.0.to_radians(), p.1.to_radians());
                assert_eq!(fine >> 2, cell.number, "{p:?}");
                quarters[(fine & 3) as usize] += 1.0;
            }
            // Four equal areas: 2000 each, sigma sqrt(8000 x 3 / 16) = 39; five of them.
            assert!(quarters.iter().all(|q: &f64| (q - 2000.0).abs() < 194.0), "{ra} {dec}: {quarters:?}");
        }
    }

    #[test]
    fn every_position_of_a_cone_is_in_a_listed_cell() {
        let mut looked = 0;
        for (ra, dec, r) in [(0.01, 10.0, 0.3), (359.99, -89.0, 0.5), (120.0, 89.97, 0.2), (200.0, 75.0, 1.0), (10.0, -89.85, 0.1)] {
            let cone = Footprint::new(ra, dec, r).unwrap();
            let cells = cells_in(&cone);
            assert!(cells.windows(2).all(|c| c[0].number < c[1].number));
            let covered: f64 = cells.iter().map(Cell::area_deg2).sum();
            assert!(covered >= cone.area_deg2() && covered < 1.6 * cone.area_deg2(), "{covered} of {}", cone.area_deg2());
            let mut draw = Draw::new(StreamKey::new(3).stream(0));
            for _ in 0..2000 {
                let p = (draw.between(0.0, 360.0), draw.between((dec - r).max(-90.0), (dec + r).min(90.0)));
                if cone.contains(p.0, p.1) {
                    looked += 1;
                    let number = nested::hash(ORDER, p.0.to_radians(), p.1.to_radians());
                    assert!(cells.binary_search_by_key(&number, |c| c.number).is_ok(), "{p:?} of {cone:?}");
                }
            }
        }
        assert!(looked > 1000, "{looked}");
    }

    #[test]
    #[ignore = "prints the figures from which the order was chosen"]
    fn rim_by_order() {
        let radius = (0.1365_f64 + 20.0 / 3600.0).to_radians();
        let area = 2.0 * std::f64::consts::PI * (1.0 - radius.cos());
        for order in 10..=14 {
            let mut ratio = 0.0;
            for k in 0..20 {
                let cells = nested::cone_coverage_approx(order, 0.31 * f64::from(k), 0.1 * f64::from(k) - 1.0, radius);
                ratio += cells.flat_iter().count() as f64 * 4.0 * std::f64::consts::PI / nested::n_hash(order) as f64 / area;
            }
            println!("order {order}: {:.3} of the cone's area", ratio / 20.0);
        }
    }
}
