//! How the telescope stands, and where its detectors look.
//!
//! # Formula
//! Axes of the mosaic on the sky: `y = cos t N + sin t E`, `x = sin t N - cos t E`; place of a direction p in the mosaic: `(p.x, p.y) / p.b` in
//! degrees of the tangent plane, as world coordinates (TAN) have them.
//! # Symbols
//! N north, E east at the boresight b; t position angle of +y
//! # Source
//! FITS world coordinates, paper II (Calabretta & Greisen 2002); parity as Cycle 9 (`sim_core::wcs`)
//! # Limits
//! No field distortion (8 arcsec at the corner of the survey camera as assumed there) and no aberration.

use sim_core::detector::DetectorGeometry;
use sim_core::direction::{Vector, cross, degrees, dot, unit, vector};
use sim_core::frame::Window;

/// Boresight and axes of the mosaic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attitude {
    /// Boresight.
    pub boresight: Vector,
    /// Direction of the mosaic's +x axis, at right angles to the boresight.
    pub x: Vector,
    /// Direction of the mosaic's +y axis.
    pub y: Vector,
}

/// North and east at a place \[deg\].
pub(crate) fn north_east(ra_deg: f64, dec_deg: f64) -> [Vector; 2] {
    let (sa, ca) = ra_deg.to_radians().sin_cos();
    let (sd, cd) = dec_deg.to_radians().sin_cos();
    [[-sd * ca, -sd * sa, cd], [-sa, ca, 0.0]]
}

impl Attitude {
    /// From the boresight and the position angle of +y \[deg\].
    #[must_use]
    pub fn new(ra_deg: f64, dec_deg: f64, position_angle_deg: f64) -> Self {
        let [north, east] = north_east(ra_deg, dec_deg);
        let (s, c) = position_angle_deg.to_radians().sin_cos();
        Self {
            boresight: vector(ra_deg, dec_deg),
            x: std::array::from_fn(|k| s * north[k] - c * east[k]),
            y: std::array::from_fn(|k| c * north[k] + s * east[k]),
        }
    }
    /// Place in the mosaic \[deg\] of a direction; none behind the telescope.
    #[must_use]
    pub fn mosaic_from_sky(&self, p: &Vector) -> Option<(f64, f64)> {
        let w = dot(p, &self.boresight);
        (w > 0.0).then(|| ((dot(p, &self.x) / w).to_degrees(), (dot(p, &self.y) / w).to_degrees()))
    }
    /// Direction of a place in the mosaic \[deg\].
    #[must_use]
    pub fn sky_from_mosaic(&self, x_deg: f64, y_deg: f64) -> Vector {
        let (x, y) = (x_deg.to_radians(), y_deg.to_radians());
        unit(std::array::from_fn(|k| self.boresight[k] + x * self.x[k] + y * self.y[k]))
    }
    /// The least turn that brings this attitude to another \[deg\], 0 to 180, roll included.
    #[must_use]
    pub fn turn_to_deg(&self, other: &Self) -> f64 {
        // Of R = sum of outer products: 1 + 2 cos = trace, 2 sin = length of the vector part, exact for small turns.
        let trace = dot(&self.boresight, &other.boresight) + dot(&self.x, &other.x) + dot(&self.y, &other.y);
        let parts = [cross(&self.boresight, &other.boresight), cross(&self.x, &other.x), cross(&self.y, &other.y)];
        let sum: Vector = std::array::from_fn(|k| parts[0][k] + parts[1][k] + parts[2][k]);
        dot(&sum, &sum).sqrt().atan2(trace - 1.0).to_degrees()
    }
}

/// One detector's outline.
#[derive(Debug, Clone, PartialEq)]
pub struct Detector {
    /// Number.
    pub number: u32,
    /// Band, or grating.
    pub band: String,
    /// Corners in the mosaic (x, y) \[deg\], in order round the outline.
    pub corners_deg: [(f64, f64); 4],
}

impl Detector {
    /// The outline of a detector as frames have it.
    #[must_use]
    pub fn of(geometry: &DetectorGeometry) -> Self {
        Self::of_window(geometry, geometry.full_window())
    }
    /// The outline of a window on a detector.
    #[must_use]
    pub fn of_window(geometry: &DetectorGeometry, window: Window) -> Self {
        let at = |x: usize, y: usize| {
            let p = geometry.focal_point(x as f64 - 0.5, y as f64 - 0.5);
            (p.x_deg, p.y_deg)
        };
        let (x, y) = ((window.x0, window.x0 + window.nx), (window.y0, window.y0 + window.ny));
        let corners_deg = [at(x.0, y.0), at(x.1, y.0), at(x.1, y.1), at(x.0, y.1)];
        Self { number: geometry.number.into(), band: geometry.filter.clone(), corners_deg }
    }
    /// An upright rectangle about its centre \[deg\].
    #[must_use]
    pub fn rectangle(number: u32, band: &str, centre_deg: (f64, f64), size_deg: (f64, f64)) -> Self {
        let at = |i: f64, j: f64| (centre_deg.0 + 0.5 * i * size_deg.0, centre_deg.1 + 0.5 * j * size_deg.1);
        Self { number, band: band.into(), corners_deg: [at(-1.0, -1.0), at(1.0, -1.0), at(1.0, 1.0), at(-1.0, 1.0)] }
    }
    /// Whether a place in the mosaic \[deg\] is on the detector.
    #[must_use]
    pub fn contains(&self, x: f64, y: f64) -> bool {
        let mut inside = false;
        for k in 0..4 {
            let (a, b) = (self.corners_deg[k], self.corners_deg[(k + 3) % 4]);
            if (a.1 > y) != (b.1 > y) && x < (b.0 - a.0) * (y - a.1) / (b.1 - a.1) + a.0 {
                inside = !inside;
            }
        }
        inside
    }
    /// Middle of the corners \[deg\].
    #[must_use]
    pub fn centre_deg(&self) -> (f64, f64) {
        let sum = self.corners_deg.iter().fold((0.0, 0.0), |s, c| (s.0 + c.0, s.1 + c.1));
        (0.25 * sum.0, 0.25 * sum.1)
    }
}

/// All detectors.
#[derive(Debug, Clone, PartialEq)]
pub struct FocalPlane {
    /// Detectors; at least one.
    pub detectors: Vec<Detector>,
}

impl FocalPlane {
    /// Bands, in the order of the detectors, each once.
    #[must_use]
    pub fn bands(&self) -> Vec<String> {
        let mut bands: Vec<String> = Vec::new();
        for d in &self.detectors {
            if !bands.contains(&d.band) {
                bands.push(d.band.clone());
            }
        }
        bands
    }
    /// Least and greatest x and y of all corners \[deg\].
    #[must_use]
    pub fn extent_deg(&self) -> [(f64, f64); 2] {
        let corners = || self.detectors.iter().flat_map(|d| d.corners_deg);
        let range = |of: fn((f64, f64)) -> f64| {
            corners().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
        };
        [range(|c| c.0), range(|c| c.1)]
    }
    /// Distance of the farthest corner from the boresight on the sky \[deg\].
    #[must_use]
    pub fn radius_deg(&self) -> f64 {
        let farthest = self.detectors.iter().flat_map(|d| d.corners_deg).map(|c| c.0.hypot(c.1)).fold(0.0, f64::max);
        farthest.to_radians().atan().to_degrees()
    }
}

/// Direction as right ascension and declination \[deg\] and position angle \[deg\] of another direction `up` at it, 0 (inclusive) to 360.
pub(crate) fn position_angle_deg(boresight: &Vector, up: &Vector) -> f64 {
    let (ra, dec) = degrees(boresight);
    let [north, east] = north_east(ra, dec);
    let angle = dot(up, &east).atan2(dot(up, &north)).to_degrees().rem_euclid(360.0);
    if angle < 360.0 { angle } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::detector::AmplifierGrid;
    use sim_core::exposure::Pointing;
    use sim_core::wcs::{Parity, detector_wcs};

    #[test]
    fn a_mosaic_at_angle_zero_has_y_to_the_north_and_x_to_the_west() {
        let a = Attitude::new(30.0, 0.0, 0.0);
        let (ra, dec) = degrees(&a.sky_from_mosaic(0.0, 1.0));
        assert!((ra - 30.0).abs() < 1e-12 && (dec - 1.0_f64.to_radians().atan().to_degrees()).abs() < 1e-12);
        let (ra, _) = degrees(&a.sky_from_mosaic(1.0, 0.0));
        assert!(ra < 30.0);
        assert!((cross(&a.x, &a.y)[0] + a.boresight[0]).abs() < 1e-15, "x, y and the boresight are left-handed, as seen from inside");
        let (x, y) =
            Attitude::new(100.0, -60.0, 77.0).mosaic_from_sky(&Attitude::new(100.0, -60.0, 77.0).sky_from_mosaic(0.3, -0.4)).unwrap();
        assert!((x - 0.3).abs() < 1e-13 && (y + 0.4).abs() < 1e-13);
        assert!((position_angle_deg(&a.boresight, &Attitude::new(30.0, 0.0, 66.5).y) - 66.5).abs() < 1e-12);
    }

    #[test]
    fn the_place_of_a_pixel_is_that_of_the_simulated_frames() {
        let geometry = DetectorGeometry {
            number: 12,
            filter: "NUV".into(),
            nx: 9216,
            ny: 9232,
            crpix1: -267.0,
            crpix2: 14_746.0,
            pixel_scale_arcsec: 0.074,
            amplifiers: AmplifierGrid { columns: 8, rows: 2, prescan_x: 27, overscan_x: 71, overscan_y: 84 },
        };
        let pointing = Pointing { ra_deg: 123.0, dec_deg: 45.0, rotation_deg: -113.4333 };
        let wcs = detector_wcs(&geometry, &pointing, Parity::C9, None);
        let attitude = Attitude::new(123.0, 45.0, 180.0 - 113.4333);
        let detector = Detector::of(&geometry);
        // The corners of pixels (0, 0) and (9215, 9231).
        for (corner, pixel) in [(0, (-0.5, -0.5)), (2, (9215.5, 9231.5))] {
            let (ra, dec) = wcs.sky_from_pixel(pixel.0, pixel.1);
            let (x, y) = attitude.mosaic_from_sky(&vector(ra, dec)).unwrap();
            let told = detector.corners_deg[corner];
            assert!((x - told.0).abs() < 1e-9 && (y - told.1).abs() < 1e-9, "{x} {y} {told:?}");
        }
    }

    #[test]
    fn turns_are_measured_with_roll() {
        let a = Attitude::new(10.0, 20.0, 30.0);
        assert_eq!(a.turn_to_deg(&a), 0.0);
        assert!((a.turn_to_deg(&Attitude::new(10.0, 20.0, 31.0)) - 1.0).abs() < 1e-10);
        assert!((Attitude::new(0.0, 0.0, 0.0).turn_to_deg(&Attitude::new(90.0, 0.0, 0.0)) - 90.0).abs() < 1e-10);
        assert!((Attitude::new(0.0, 0.0, 0.0).turn_to_deg(&Attitude::new(180.0, 0.0, 0.0)) - 180.0).abs() < 1e-6);
    }

    #[test]
    fn a_detector_holds_its_inside_alone() {
        let d = Detector::rectangle(1, "r", (0.5, 0.0), (0.2, 0.4));
        assert!(d.contains(0.59, 0.19) && !d.contains(0.61, 0.0) && !d.contains(0.5, 0.21) && d.centre_deg() == (0.5, 0.0));
    }
}
