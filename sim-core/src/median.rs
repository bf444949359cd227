//! Medians, the one way they are taken here.

use std::cmp::Ordering;

/// Standard deviation of a normal over the median of its absolute deviations from the middle: 1 / Phi^-1(3/4).
pub const SIGMA_PER_MAD: f64 = 1.482_602_218_505_602;

/// Numbers with an order of their own: NaN stands above all.
pub trait Ordered: Copy {
    /// Order of two numbers.
    fn order(&self, other: &Self) -> Ordering;
}

impl Ordered for f32 {
    fn order(&self, other: &Self) -> Ordering {
        self.total_cmp(other)
    }
}
impl Ordered for f64 {
    fn order(&self, other: &Self) -> Ordering {
        self.total_cmp(other)
    }
}
impl Ordered for u16 {
    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

/// The median, the upper of the two middle values of an even number; reorders `values`. `None` when there are none.
pub fn median<T: Ordered>(values: &mut [T]) -> Option<T> {
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(middle, T::order).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_value_or_the_upper_of_two() {
        assert_eq!(median(&mut [3.0_f32, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0_f64, 1.0, 2.0, 3.0]), Some(3.0));
        assert_eq!(median(&mut [7_u16]), Some(7));
        assert_eq!(median::<f32>(&mut []), None);
    }
}
