//! Good pixels of a frame by their place on the detector, and the sky beside a trace.

use crate::image::SlitlessImage;
use sim_core::flags;

/// Flags whose pixels are not used: no data, no charge of their own, hits, trails.
pub const REJECTED: u32 = flags::BAD
    | flags::HOT
    | flags::SATURATED
    | flags::COSMIC_RAY
    | flags::SATELLITE
    | flags::BLEED
    | flags::NO_DATA
    | flags::OVERSCAN_BAD
    | flags::NO_FLAT;

/// A pixel's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pixel {
    /// Rate \[electron / s\].
    pub rate: f64,
    /// Its standard error.
    pub error: f64,
}

/// A frame seen by detector columns and rows.
#[derive(Debug, Clone, Copy)]
pub struct Cutout<'a>(pub SlitlessImage<'a>);

impl Cutout<'_> {
    fn index(&self, x: i64, y: i64) -> Option<[usize; 2]> {
        let (rows, columns) = self.0.rate.dim();
        let column = usize::try_from(x - self.0.origin.0 as i64).ok()?;
        let row = usize::try_from(y - self.0.origin.1 as i64).ok()?;
        (column < columns && row < rows).then_some([row, column])
    }
    /// The pixel if it is on the frame and good.
    #[must_use]
    pub fn pixel(&self, x: i64, y: i64) -> Option<Pixel> {
        let index = self.index(x, y)?;
        let (rate, error) = (f64::from(self.0.rate[index]), f64::from(self.0.error[index]));
        let good = u32::from(self.0.flags[index]) & REJECTED == 0 && rate.is_finite() && error.is_finite() && error > 0.0;
        good.then_some(Pixel { rate, error })
    }
    /// Flag bits of a pixel; no data off the frame.
    #[must_use]
    pub fn flags(&self, x: i64, y: i64) -> u16 {
        self.index(x, y).map_or(flags::NO_DATA as u16, |index| self.0.flags[index])
    }
    /// Columns on the frame: first and the one after the last.
    #[must_use]
    pub fn columns(&self) -> (i64, i64) {
        let first = self.0.origin.0 as i64;
        (first, first + self.0.rate.dim().1 as i64)
    }
    /// Rows on the frame: first and the one after the last.
    #[must_use]
    pub fn rows(&self) -> (i64, i64) {
        let first = self.0.origin.1 as i64;
        (first, first + self.0.rate.dim().0 as i64)
    }
    /// Sky beside a trace: the median of good pixels at distances `near..far` of `centre(x)` on each side, over columns `from..to`.
    /// The lower side is taken where the two differ by more than four errors (a neighbour is on the other). Returns the level and its error.
    #[must_use]
    pub fn sky(&self, from: i64, to: i64, centre: impl Fn(f64) -> f64, near: f64, far: f64) -> Option<(f64, f64)> {
        let side = |sign: f64| {
            let mut values = Vec::new();
            for x in from..to {
                let middle = centre(x as f64);
                let (a, b) = (middle + sign * near, middle + sign * far);
                let (low, high) = (a.min(b).ceil() as i64, a.max(b).floor() as i64);
                values.extend((low..=high).filter_map(|y| self.pixel(x, y).map(|p| p.rate)));
            }
            (values.len() >= 4).then(|| level(&mut values))
        };
        match (side(-1.0), side(1.0)) {
            (Some(a), Some(b)) => {
                let error = a.1.hypot(b.1);
                if (a.0 - b.0).abs() > 4.0 * error { Some(if a.0 < b.0 { a } else { b }) } else { Some((0.5 * (a.0 + b.0), 0.5 * error)) }
            }
            (one, other) => one.or(other),
        }
    }
}

/// Median, and its error from the median absolute deviation; clipped once at four deviations.
fn level(values: &mut Vec<f64>) -> (f64, f64) {
    let middle = median(values);
    let spread = 1.4826 * median(&mut values.iter().map(|v| (v - middle).abs()).collect::<Vec<_>>());
    values.retain(|v| (v - middle).abs() <= 4.0 * spread);
    // The median's variance is pi / 2 of the mean's.
    (median(values), 1.2533 * spread / (values.len() as f64).sqrt())
}

/// Median of values; 0 of none.
#[must_use]
pub fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values.sort_by(f64::total_cmp);
    let n = values.len();
    0.5 * (values[(n - 1) / 2] + values[n / 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn pixels_go_by_detector_place_and_bad_ones_are_none() {
        let mut rate = Array2::from_elem((40, 30), 1.0_f32);
        rate[[35, 3]] = 9.0;
        let error = Array2::from_elem((40, 30), 0.1_f32);
        let mut bits = Array2::zeros((40, 30));
        bits[[2, 5]] = flags::COSMIC_RAY as u16;
        let image = SlitlessImage { rate: rate.view(), error: error.view(), flags: bits.view(), origin: (100, 200), time_s: 150.0 };
        let cutout = Cutout(image);
        assert_eq!(cutout.pixel(103, 235).unwrap().rate, 9.0);
        assert!(cutout.pixel(105, 202).is_none() && cutout.pixel(99, 210).is_none() && cutout.pixel(100, 240).is_none());
        assert_eq!(cutout.flags(105, 202), flags::COSMIC_RAY as u16);
        // A neighbour on the upper side leaves the lower one.
        rate.slice_mut(ndarray::s![26..34, ..]).fill(7.0);
        let image = SlitlessImage { rate: rate.view(), error: error.view(), flags: bits.view(), origin: (100, 200), time_s: 150.0 };
        assert_eq!(Cutout(image).sky(100, 130, |_| 220.0, 6.0, 13.0).unwrap().0, 1.0);
    }
}
