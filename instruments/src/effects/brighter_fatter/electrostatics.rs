//! Shifts of pixel boundaries by the field of a stored charge, in a slab of silicon between two conductors.
//!
//! # Formula
//! u(r) = sum over m of F(r; h + 2 m t) - F(r; -h + 2 m t), F(r; c) = (1/r) [(t - c) / sqrt(r^2 + (t - c)^2) - (b - c) / sqrt(r^2 + (b - c)^2)]:
//! lateral displacement of an electron that drifts straight from the window at t to the height b, in the field of a charge at the
//! height h and of its images; shift of a boundary: mean of the component across it over its length and over the cloud of charge
//! # Symbols
//! r distance across; t thickness; h height of the charge above the gates; b height at which a boundary is decided, between
//! columns and between rows; all \[pixel\]
//! # Source
//! Method of images for a charge between two grounded planes. The same picture of the effect: Rasmussen et al. 2016 (JATIS 2, 026001);
//! Astier & Regnault 2023 (A&A 670, A118), who fit such a model to the covariances of flats.
//! # Limits
//! Uniform drift field, conversion at the window, small shifts. Only the shape is taken from here; the strength is given.

use super::shifts::{BoundaryShifts, REACH, Table};

/// Images on either side: the rest falls with the third power.
const IMAGES: i32 = 24;
/// Gauss-Legendre nodes and weights on (-1/2, 1/2), four points (Abramowitz & Stegun 1964, table 25.4).
const NODES: [(f64, f64); 4] = [
    (-0.430_568_155_797_026_3, 0.173_927_422_568_726_93),
    (-0.169_990_521_792_428_1, 0.326_072_577_431_273_07),
    (0.169_990_521_792_428_1, 0.326_072_577_431_273_07),
    (0.430_568_155_797_026_3, 0.173_927_422_568_726_93),
];

/// A slab of silicon, lengths in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slab {
    /// Thickness.
    pub thickness: f64,
    /// Height of the stored charge above the gates.
    pub charge_height: f64,
    /// Width of the cloud of charge.
    pub cloud_width: f64,
    /// Height at which electrons are parted between two columns.
    pub column_barrier: f64,
    /// Height at which electrons are parted between two rows.
    pub row_barrier: f64,
}

impl Slab {
    /// Lateral displacement at the distance `r` of an electron that drifts down to the height `barrier`, away from the charge,
    /// in units that leave the strength open.
    #[must_use]
    pub fn displacement(&self, r: f64, barrier: f64) -> f64 {
        let (t, h) = (self.thickness, self.charge_height);
        let r2 = r * r;
        let of = |c: f64| {
            let (top, bottom) = (t - c, barrier - c);
            top / (r2 + top * top).sqrt() - bottom / (r2 + bottom * bottom).sqrt()
        };
        // From far to near, each charge with its image.
        let pair = |m: i32| of(2.0 * f64::from(m) * t + h) - of(2.0 * f64::from(m) * t - h);
        let mut sum = 0.0;
        for m in (1..=IMAGES).rev() {
            sum += pair(m) + pair(-m);
        }
        (sum + pair(0)) / r
    }

    fn table(&self, barrier: f64) -> Table {
        let mut table = Table::default();
        for (k, row) in table.iter_mut().enumerate() {
            for (l, shift) in row.iter_mut().enumerate() {
                for (u, wu) in NODES {
                    let across = k as f64 + 0.5 - self.cloud_width * u;
                    for (v, wv) in NODES {
                        for (s, ws) in NODES {
                            let along = l as f64 + v - self.cloud_width * s;
                            let r = across.hypot(along);
                            *shift += wu * wv * ws * self.displacement(r, barrier) * across / r;
                        }
                    }
                }
            }
        }
        table
    }

    /// Shifts that shrink a pixel's area by `strength` \[1 / electron\] for each electron it holds. `None` where the heights do not
    /// make a pixel repel.
    #[must_use]
    pub fn shifts(&self, strength: f64) -> Option<BoundaryShifts> {
        let shape = BoundaryShifts { between_columns: self.table(self.column_barrier), between_rows: self.table(self.row_barrier) };
        let own = -shape.area(0, 0);
        (own > 0.0 && own.is_finite()).then(|| shape.times(strength / own))
    }
}

/// Largest shift beyond the table over the largest within: what a table of [`REACH`] leaves out.
#[must_use]
pub fn left_out(slab: &Slab) -> f64 {
    let r = REACH as f64 + 0.5;
    slab.displacement(r, slab.column_barrier) / slab.displacement(0.5, slab.column_barrier)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLAB: Slab = Slab { thickness: 1.6, charge_height: 0.1, cloud_width: 0.6, column_barrier: 0.3, row_barrier: 0.1 };

    /// The same displacement as a series of Bessel functions, which converges where that of the images does not.
    fn bessel(slab: &Slab, r: f64, barrier: f64) -> f64 {
        // K1(x): integral of exp(-x cosh u) cosh u over u > 0, by the trapezoidal rule.
        let k1 = |x: f64| {
            let at = |n: u32| (f64::from(n) * 0.25).cosh();
            let terms = (0..40).map(|n| (-x * at(n)).exp() * at(n) * if n == 0 { 0.5 } else { 1.0 });
            0.25 * terms.sum::<f64>()
        };
        let sum = (1..400).map(|n| {
            let k = f64::from(n) * std::f64::consts::PI / slab.thickness;
            let sign = if n % 2 == 0 { 1.0 } else { -1.0 };
            (k * slab.charge_height).sin() * ((k * barrier).cos() - sign) * k1(k * r)
        });
        sum.sum::<f64>() * 4.0 / slab.thickness
    }

    #[test]
    fn images_and_modes_of_the_slab_agree() {
        for (r, barrier) in [(0.2, 0.0), (0.5, 0.3), (1.0, 0.1), (2.5, 0.3)] {
            let (a, b) = (SLAB.displacement(r, barrier), bessel(&SLAB, r, barrier));
            // Images beyond 24: h t r / (2 m t)^4 summed, 1e-7 here.
            assert!((a - b).abs() < 1e-6 + 1e-6 * b, "{r}: {a} against {b}");
        }
    }

    #[test]
    fn the_screening_of_the_slab_sets_the_decay() {
        // Far away one mode is left: exp(-pi r / t).
        let ratio = SLAB.displacement(3.0, 0.1) / SLAB.displacement(2.0, 0.1);
        let mode = (-std::f64::consts::PI / 1.6).exp() * (2.0_f64 / 3.0).sqrt();
        assert!((ratio / mode - 1.0).abs() < 0.05, "{ratio} against {mode}");
        let thick = Slab { thickness: 10.0, ..SLAB };
        assert!(left_out(&thick) > 20.0 * left_out(&SLAB), "{} {}", left_out(&thick), left_out(&SLAB));
        assert!(left_out(&SLAB) < 1e-3);
    }

    #[test]
    fn a_deeper_barrier_makes_the_neighbours_differ() {
        let shifts = SLAB.shifts(3e-6).unwrap();
        assert!((shifts.area(0, 0) + 3e-6).abs() < 1e-18);
        let (next_column, next_row) = (shifts.area(1, 0), shifts.area(0, 1));
        assert!(next_row > 2.0 * next_column && next_column > 0.0, "{next_row} {next_column}");
        let even = Slab { column_barrier: 0.1, ..SLAB }.shifts(3e-6).unwrap();
        assert_eq!(even.between_columns, even.between_rows);
    }
}
