//! Moments and histogram of many pulls without keeping them: one set of sums per row, added in row order.

use super::Histogram;
use crate::statistics::Moments;

/// Bins of the histogram between -5 and 5.
const BINS: usize = 100;

/// Running sums of pulls.
#[derive(Debug, Clone)]
pub(crate) struct PullSums {
    limit: f64,
    count: usize,
    outliers: usize,
    sum: f64,
    squares: f64,
    outlier_squares: f64,
    bins: Vec<u64>,
}

impl PullSums {
    /// Empty sums; pulls beyond `limit` count as outliers and stay out of the moments.
    pub fn new(limit: f64) -> Self {
        Self { limit, count: 0, outliers: 0, sum: 0.0, squares: 0.0, outlier_squares: 0.0, bins: vec![0; BINS] }
    }
    /// Adds a pull.
    pub fn add(&mut self, pull: f64) {
        if pull.abs() > self.limit {
            self.outliers += 1;
            self.outlier_squares += pull * pull;
            return;
        }
        self.count += 1;
        self.sum += pull;
        self.squares += pull * pull;
        let bin = ((pull + 5.0) * BINS as f64 / 10.0).floor();
        if bin >= 0.0 && bin < BINS as f64 {
            self.bins[bin as usize] += 1;
        }
    }
    /// Adds the sums of rows, in their order.
    pub fn of_rows(limit: f64, rows: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::new(limit);
        for row in rows {
            all.count += row.count;
            all.outliers += row.outliers;
            all.sum += row.sum;
            all.squares += row.squares;
            all.outlier_squares += row.outlier_squares;
            all.bins.iter_mut().zip(&row.bins).for_each(|(a, b)| *a += b);
        }
        all
    }
    /// Moments of what is inside the limit; `None` with fewer than ten pulls.
    pub fn moments(&self) -> Option<Moments> {
        if self.count < 10 {
            return None;
        }
        let n = self.count as f64;
        let mean = self.sum / n;
        let std = ((self.squares / n - mean * mean).max(0.0) * n / (n - 1.0)).sqrt();
        Some(Moments {
            mean,
            mean_error: std / n.sqrt(),
            std,
            std_error: std / (2.0 * (n - 1.0)).sqrt(),
            count: self.count,
            outliers: self.outliers,
        })
    }
    /// Mean square of all pulls, outliers included, and their number.
    pub fn mean_square(&self) -> (f64, usize) {
        let n = self.count + self.outliers;
        ((self.squares + self.outlier_squares) / n.max(1) as f64, n)
    }
    /// The histogram.
    pub fn histogram(&self, name: &str) -> Histogram {
        Histogram { name: name.into(), low: -5.0, high: 5.0, counts: self.bins.clone(), moments: self.moments() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_by_row_agree_with_moments_of_the_whole() {
        let pulls: Vec<f64> = (0..40).map(|i| f64::from(i) * 0.1 - 1.5).collect();
        let rows = pulls.chunks(7).map(|row| {
            let mut sums = PullSums::new(6.0);
            row.iter().for_each(|&p| sums.add(p));
            sums
        });
        let (all, whole) = (PullSums::of_rows(6.0, rows).moments().unwrap(), crate::statistics::moments(&pulls, 6.0).unwrap());
        assert!((all.mean - whole.mean).abs() < 1e-12 && (all.std - whole.std).abs() < 1e-12);
    }

    #[test]
    fn an_outlier_is_counted_and_enters_the_mean_square_alone() {
        let mut sums = PullSums::new(6.0);
        (0..10).for_each(|_| sums.add(1.0));
        sums.add(10.0);
        assert_eq!(sums.moments().unwrap().outliers, 1);
        assert_eq!(sums.moments().unwrap().mean, 1.0);
        assert!((sums.mean_square().0 - 110.0 / 11.0).abs() < 1e-12);
    }
}
