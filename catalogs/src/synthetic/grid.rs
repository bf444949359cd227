//! The fixed partition of the sky: strips of 1 arcmin in declination, each cut into equal parts near 1 arcmin long.

use crate::draw::Draw;
use crate::footprint::Footprint;

/// Strips from pole to pole.
const STRIPS: u32 = 180 * 60;
/// Most cells of a strip (at the equator); part of a cell's number.
const CELLS: u32 = 360 * 60;

/// A cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cell {
    /// Number over the sky.
    pub number: u64,
    ra_deg: (f64, f64),
    sin_dec: (f64, f64),
}

/// Declination of a strip's lower edge \[deg\].
fn edge_deg(strip: u32) -> f64 {
    f64::from(strip) / 60.0 - 90.0
}

/// Cells of a strip: as many as arcminutes along its edge nearer to the equator.
fn cells_of(strip: u32) -> u32 {
    let (a, b) = (edge_deg(strip).abs(), edge_deg(strip + 1).abs());
    ((f64::from(CELLS) * a.min(b).to_radians().cos()).ceil() as u32).clamp(1, CELLS)
}

impl Cell {
    fn new(strip: u32, index: u32) -> Self {
        let width = 360.0 / f64::from(cells_of(strip));
        Self {
            number: u64::from(strip) * u64::from(CELLS) + u64::from(index),
            ra_deg: (f64::from(index) * width, f64::from(index + 1) * width),
            sin_dec: (edge_deg(strip).to_radians().sin(), edge_deg(strip + 1).to_radians().sin()),
        }
    }
    /// Solid angle \[deg2\].
    pub(super) fn area_deg2(&self) -> f64 {
        (self.ra_deg.1 - self.ra_deg.0) * (self.sin_dec.1 - self.sin_dec.0).to_degrees()
    }
    /// Middle of the cell (ra, dec) \[deg\].
    pub(super) fn middle_deg(&self) -> (f64, f64) {
        (0.5 * (self.ra_deg.0 + self.ra_deg.1), (0.5 * (self.sin_dec.0 + self.sin_dec.1)).asin().to_degrees())
    }
    /// A position uniform over the cell's area (ra, dec) \[deg\].
    pub(super) fn position(&self, draw: &mut Draw) -> (f64, f64) {
        let ra = draw.between(self.ra_deg.0, self.ra_deg.1);
        let dec = draw.between(self.sin_dec.0, self.sin_dec.1).asin().to_degrees();
        (if ra < 360.0 { ra } else { 0.0 }, dec)
    }
    /// Number of an object of the cell: unique over populations and cells, below 2^53 (a double holds it).
    pub(super) fn object(&self, population: u64, place: u64) -> u64 {
        ((self.number + 1) << 22) | (population << 21) | place
    }
}

/// The cells that can hold an object of the footprint, in order of their numbers. A few at the rim are outside.
pub(super) fn cells_in(footprint: &Footprint) -> Vec<Cell> {
    let (low, high) = (footprint.dec_deg - footprint.radius_deg, footprint.dec_deg + footprint.radius_deg);
    let strip_of = |dec: f64| (((dec + 90.0) * 60.0).floor().max(0.0) as u32).min(STRIPS - 1);
    let mut cells = Vec::new();
    for strip in strip_of(low)..=strip_of(high) {
        let count = cells_of(strip);
        let half_width_deg = if low <= -89.9 || high >= 89.9 {
            180.0
        } else {
            // Largest difference in right ascension on the cone's rim: sin da = sin r / cos dec.
            let ratio = footprint.radius_deg.to_radians().sin() / footprint.dec_deg.to_radians().cos();
            if ratio >= 1.0 { 180.0 } else { ratio.asin().to_degrees() }
        };
        let width = 360.0 / f64::from(count);
        if 2.0 * (half_width_deg + width) >= 360.0 {
            cells.extend((0..count).map(|i| Cell::new(strip, i)));
            continue;
        }
        let first = ((footprint.ra_deg - half_width_deg) / width).floor() as i64;
        let last = ((footprint.ra_deg + half_width_deg) / width).floor() as i64;
        let mut indices: Vec<u32> = (first..=last).map(|i| i.rem_euclid(i64::from(count)) as u32).collect();
        indices.sort_unstable();
        indices.dedup();
        cells.extend(indices.into_iter().map(|i| Cell::new(strip, i)));
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::stream::StreamKey;

    #[test]
    fn the_cells_cover_the_sphere_once() {
        let total: f64 = (0..STRIPS).map(|s| Cell::new(s, 0).area_deg2() * f64::from(cells_of(s))).sum();
        let sphere = 4.0 * std::f64::consts::PI * (180.0 / std::f64::consts::PI).powi(2);
        assert!((total / sphere - 1.0).abs() < 1e-12, "{total} of {sphere}");
        assert!((0..STRIPS).all(|s| Cell::new(s, 0).area_deg2() * 3600.0 < 1.0001));
    }

    #[test]
    fn every_position_of_a_cone_is_in_a_listed_cell() {
        for (ra, dec, r) in [(0.01, 10.0, 0.3), (359.99, -89.0, 0.5), (120.0, 89.97, 0.2), (200.0, 75.0, 1.0), (10.0, -89.85, 0.1)] {
            let cone = Footprint::new(ra, dec, r).unwrap();
            let cells = cells_in(&cone);
            assert!(cells.windows(2).all(|c| c[0].number < c[1].number));
            let covered: f64 = cells.iter().map(Cell::area_deg2).sum();
            assert!(covered >= cone.area_deg2());
            let mut draw = Draw::new(StreamKey::new(3).stream(0));
            for _ in 0..2000 {
                let p = (draw.between(0.0, 360.0), draw.between((dec - r).max(-90.0), (dec + r).min(90.0)));
                if cone.contains(p.0, p.1) {
                    let inside = |c: &Cell| {
                        let s = p.1.to_radians().sin();
                        c.ra_deg.0 <= p.0 && p.0 <= c.ra_deg.1 && c.sin_dec.0 <= s && s <= c.sin_dec.1
                    };
                    assert!(cells.iter().any(inside), "{p:?} of {cone:?}");
                }
            }
        }
    }
}
