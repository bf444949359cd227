//! The kernel: time open of a two-leaf shutter.

use std::f64::consts::PI;

/// Time open minus nominal time \[s\] at `x_mm` from the middle between two bearings `bearing_distance_mm` apart;
/// `None` beyond the bearings.
#[must_use]
pub fn excess_s(x_mm: f64, travel_time_s: f64, bearing_distance_mm: f64) -> Option<f64> {
    let q = 1.0 - x_mm.abs() / (0.5 * bearing_distance_mm);
    (0.0..=1.0).contains(&q).then(|| travel_time_s * (1.0 - 4.0 / PI * q.acos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_gains_one_travel_time_and_the_sides_lose_one() {
        assert_eq!(excess_s(0.0, 1.3, 735.0), Some(1.3));
        let side = excess_s(367.5, 1.3, 735.0).unwrap();
        assert!((side + 1.3).abs() < 1e-12, "{side}");
        assert_eq!(excess_s(368.0, 1.3, 735.0), None);
        // Half way in angle: q = cos 45 deg is lit for the nominal time.
        let q = std::f64::consts::FRAC_1_SQRT_2;
        assert!(excess_s((1.0 - q) * 367.5, 1.3, 735.0).unwrap().abs() < 1e-12);
    }

    #[test]
    fn both_halves_are_alike_and_a_fast_shutter_does_nothing() {
        assert_eq!(excess_s(123.0, 1.3, 735.0), excess_s(-123.0, 1.3, 735.0));
        assert_eq!(excess_s(123.0, 0.0, 735.0), Some(0.0));
    }
}
