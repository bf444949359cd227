//! The kernel: a disc on a row of pixels.

use std::f64::consts::PI;

/// Two reflecting surfaces, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Path {
    /// Radius of the disc \[pixel\].
    pub radius: f64,
    /// Shift that all stars have (x, y) \[pixel\].
    pub shift: (f64, f64),
    /// Shift per distance from the axis \[1\].
    pub slope: f64,
    /// Light of the disc over that of the star \[1\].
    pub fraction: f64,
}

/// What a pair of surfaces is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surfaces {
    /// Distance \[mm\].
    pub gap_mm: f64,
    /// Product of the reflectances \[1\].
    pub fraction: f64,
    /// Tilt along x and y \[deg\].
    pub tilt_deg: (f64, f64),
}

impl Path {
    /// The path of a pair of surfaces in a beam of `f_number` whose chief rays come from `pupil_mm`.
    #[must_use]
    pub fn new(surfaces: Surfaces, f_number: f64, pupil_mm: f64, pitch_mm: f64) -> Self {
        let Surfaces { gap_mm, fraction, tilt_deg } = surfaces;
        let shift = |tilt: f64| 2.0 * gap_mm * tilt.to_radians().tan() / pitch_mm;
        Self {
            radius: gap_mm / f_number / pitch_mm,
            shift: (shift(tilt_deg.0), shift(tilt_deg.1)),
            slope: 2.0 * gap_mm / pupil_mm,
            fraction,
        }
    }
    /// The disc of a star.
    #[must_use]
    pub fn disc(&self, axis: (f64, f64), x: f64, y: f64, electrons: f64) -> Disc {
        // The rim falls from 1 to 0 between r - 1/2 and r + 1/2: area pi (r^2 + 1/12).
        let brightness = electrons * self.fraction / (PI * (self.radius * self.radius + 1.0 / 12.0));
        Disc {
            x: x + self.shift.0 + self.slope * (x - axis.0),
            y: y + self.shift.1 + self.slope * (y - axis.1),
            radius: self.radius,
            brightness: brightness as f32,
        }
    }
}

/// A disc in detector pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Disc {
    /// Centre.
    pub x: f64,
    /// Centre.
    pub y: f64,
    /// Radius.
    pub radius: f64,
    /// Light of a pixel inside \[electron\].
    pub brightness: f32,
}

impl Disc {
    /// Adds the disc to row `y` of pixels that starts at column `x0`.
    pub fn shine(&self, y: usize, x0: usize, row: &mut [f32]) {
        let dy = y as f64 - self.y;
        let outer = self.radius + 0.5;
        if dy.abs() >= outer {
            return;
        }
        let half = (outer * outer - dy * dy).sqrt();
        let inner = self.radius - 0.5;
        // Columns whose centre is further in than the rim: the full brightness.
        let full = if inner > dy.abs() { (inner * inner - dy * dy).sqrt() } else { -1.0 };
        let start = x0 as f64;
        let first = ((self.x - half).ceil().max(start) - start) as usize;
        let last = (self.x + half).floor().min(start + row.len() as f64 - 1.0) - start;
        if last < 0.0 {
            return;
        }
        for (i, pixel) in row.iter_mut().enumerate().take(last as usize + 1).skip(first) {
            let dx = (x0 + i) as f64 - self.x;
            if dx.abs() <= full {
                *pixel += self.brightness;
            } else {
                let share = (outer - dx.hypot(dy)).clamp(0.0, 1.0);
                *pixel += self.brightness * share as f32;
            }
        }
    }
    /// Whether it reaches columns and rows from (x0, y0), nx x ny.
    #[must_use]
    pub fn reaches(&self, window: sim_core::frame::Window) -> bool {
        let r = self.radius + 1.0;
        self.x + r >= window.x0 as f64
            && self.y + r >= window.y0 as f64
            && self.x - r <= (window.x0 + window.nx) as f64
            && self.y - r <= (window.y0 + window.ny) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_of_14_mm_at_f14_blurs_to_a_radius_of_one_millimetre() {
        let surfaces = Surfaces { gap_mm: 14.0, fraction: 1e-3, tilt_deg: (0.1, 0.0) };
        let path = Path::new(surfaces, 14.0, 2800.0, 0.01);
        assert_eq!(path.radius, 100.0);
        assert_eq!(path.slope, 0.01);
        // 28 mm x tan 0.1 deg = 0.04887 mm.
        assert!((path.shift.0 - 4.887).abs() < 1e-3 && path.shift.1 == 0.0, "{path:?}");
        let disc = path.disc((500.0, 500.0), 1500.0, 500.0, 1e6);
        assert!((disc.x - 1514.887).abs() < 1e-3 && disc.y == 500.0, "1000 pixels from the axis: 10 pixels outwards");
    }

    #[test]
    fn a_disc_holds_its_share_of_the_light() {
        for (x, y, radius) in [(60.0, 60.0, 30.0), (60.3, 59.8, 12.4), (61.0, 60.5, 45.2)] {
            let path = Path { radius, shift: (0.0, 0.0), slope: 0.0, fraction: 0.01 };
            let disc = path.disc((0.0, 0.0), x, y, 1e5);
            let mut sum = 0.0;
            for row_y in 0..120 {
                let mut row = vec![0.0; 120];
                disc.shine(row_y, 0, &mut row);
                sum += row.iter().map(|&v| f64::from(v)).sum::<f64>();
            }
            // The rim samples a circle: a few parts in 1e4.
            assert!((sum / 1000.0 - 1.0).abs() < 1e-3, "{radius}: {sum}");
        }
    }

    #[test]
    fn a_cut_out_has_the_pixels_of_the_whole() {
        let disc = Disc { x: 40.7, y: 20.2, radius: 15.3, brightness: 2.0 };
        for y in 0..45 {
            let (mut whole, mut part) = (vec![0.0; 80], vec![0.0; 13]);
            disc.shine(y, 0, &mut whole);
            disc.shine(y, 33, &mut part);
            assert_eq!(part, whole[33..46], "row {y}");
        }
    }
}
