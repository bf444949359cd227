//! Pixel-by-pixel combination of a stack: median, and mean, of the values without the smallest and the largest.
//!
//! Source: official CSST pipeline (csster/csst): master bias = median of the min/max-clipped stack, dark and flat = its mean.
//! Darks differ here: their values are skewed (few electrons, and undoing charge transfer is no straight line), and of skewed values the clipped
//! mean is low: by `skewness / 6 (1 - E z^2)` standard deviations, z the normal values that are kept (E z^2 is 0.44 for six values). So the
//! mean of all values but hits is taken.
//! Kernels: rows in, row out. The values of a block of columns pass through a sorting network lane by lane, so that
//! the compiler works on whole vectors; no branch depends on a pixel.

/// Columns treated at once: N = 20 rows of a block stay in the first-level cache.
const BLOCK: usize = 256;

/// How a stack is combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combine {
    /// Median of the clipped values (which is the median of all).
    Median,
    /// Mean of the clipped values.
    Mean,
    /// Mean of all values but hits of cosmic rays: not biased where the values are skewed.
    WithoutHits,
}

impl Combine {
    /// Variance of the result in units of a single value's.
    #[must_use]
    pub fn variance_factor(self, count: usize) -> f64 {
        match self {
            Self::Median => crate::order_statistics::median_variance(count),
            Self::Mean => crate::order_statistics::clipped_mean_variance(count),
            Self::WithoutHits => 1.0 / count as f64,
        }
    }
    /// Combines `rows` (each of `out.len()` pixels) into `out`. `noise` gives the standard deviation of a value from its level: values further
    /// above the others than noise reaches are left out of a mean. Without it nothing is known to be a hit.
    ///
    /// # Panics
    /// When there are no rows.
    pub fn row(self, rows: &[&[f32]], noise: Option<Noise<'_>>, out: &mut [f32]) {
        assert!(!rows.is_empty(), "nothing to combine");
        match self {
            Self::Median => median(rows, out),
            Self::Mean => {
                clipped_mean(rows, out);
                if let Some(noise) = noise {
                    reject_hits(rows, noise, out);
                }
            }
            Self::WithoutHits => without_hits(rows, noise, out),
        }
    }
}

/// Standard deviation of a single value from its level, in the unit of the stack.
pub type Noise<'a> = &'a (dyn Fn(f64) -> f64 + Sync);

/// How far above the median a value must lie to be called a hit, in standard deviations: one pixel in 1e9 by noise.
const HIT: f64 = 6.0;

/// Cosmic rays that struck a pixel in more than one frame: the clipped mean leaves only one value out. Where a second value lies
/// [`HIT`] standard deviations above the median, all such values go, and the mean is that of the others (without their smallest and
/// largest where four or more are left). With fewer than four frames nothing is rejected.
fn reject_hits(rows: &[&[f32]], noise: Noise<'_>, out: &mut [f32]) {
    let count = rows.len();
    if count < 4 {
        return;
    }
    let mut values = vec![0.0_f32; count];
    for (x, out) in out.iter_mut().enumerate() {
        // The clipped mean is at most half-way from the median to the second largest value: most pixels are done here.
        let mean = f64::from(*out);
        if rows.iter().all(|row| f64::from(row[x]) <= mean + 0.4 * HIT * noise(mean)) {
            continue;
        }
        values.iter_mut().zip(rows).for_each(|(v, row)| *v = row[x]);
        values.sort_unstable_by(f32::total_cmp);
        let middle = 0.5 * (f64::from(values[(count - 1) / 2]) + f64::from(values[count / 2]));
        let limit = middle + HIT * noise(middle);
        // The largest is clipped anyway.
        if f64::from(values[count - 2]) <= limit {
            continue;
        }
        let good = values.partition_point(|v| f64::from(*v) <= limit);
        let kept = if good >= 4 { &values[1..good - 1] } else { &values[..good] };
        *out = (kept.iter().map(|v| f64::from(*v)).sum::<f64>() / kept.len() as f64) as f32;
    }
}

/// How far above the middle a value of skewed noise must lie to be called a hit: in darks of 18 electrons three years in orbit, whose noise
/// charge transfer and its undoing have skewed, values beyond six standard deviations hold 0.2 % of the dark current.
const FAR_HIT: f64 = 8.0;

/// Means of all values that are not [`FAR_HIT`] standard deviations above the middle (of two the lower, so that even one of two may be struck).
fn without_hits(rows: &[&[f32]], noise: Option<Noise<'_>>, out: &mut [f32]) {
    let count = rows.len();
    let mut values = vec![0.0_f32; count];
    for (x, out) in out.iter_mut().enumerate() {
        values.iter_mut().zip(rows).for_each(|(v, row)| *v = row[x]);
        let mut good = count;
        if let Some(noise) = noise {
            values.sort_unstable_by(f32::total_cmp);
            let middle = f64::from(values[(count - 1) / 2]);
            let limit = middle + FAR_HIT * noise(middle);
            good = values.partition_point(|v| f64::from(*v) <= limit);
        }
        *out = (values[..good].iter().map(|v| f64::from(*v)).sum::<f64>() / good as f64) as f32;
    }
}

/// Compare-exchange pairs of Batcher's odd-even merge sort (Knuth, TAOCP 3, 5.2.2, algorithm M).
fn sorting_network(count: usize) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    let t = count.next_power_of_two().trailing_zeros();
    if t == 0 {
        return pairs;
    }
    let mut p = 1_usize << (t - 1);
    while p > 0 {
        let (mut q, mut r, mut d) = (1_usize << (t - 1), 0, p);
        loop {
            for i in 0..count.saturating_sub(d) {
                if i & p == r {
                    pairs.push((i, i + d));
                }
            }
            if q == p {
                break;
            }
            d = q - p;
            q /= 2;
            r = p;
        }
        p /= 2;
    }
    pairs
}

fn median(rows: &[&[f32]], out: &mut [f32]) {
    let count = rows.len();
    let network = sorting_network(count);
    let mut lanes = vec![[0.0_f32; BLOCK]; count];
    let mut start = 0;
    for chunk in out.chunks_mut(BLOCK) {
        let width = chunk.len();
        for (lane, row) in lanes.iter_mut().zip(rows) {
            lane[..width].copy_from_slice(&row[start..start + width]);
        }
        for &(a, b) in &network {
            let (head, tail) = lanes.split_at_mut(b);
            for (low, high) in head[a].iter_mut().zip(tail[0].iter_mut()) {
                let (x, y) = (*low, *high);
                *low = if x < y { x } else { y };
                *high = if x < y { y } else { x };
            }
        }
        let (lower, upper) = (&lanes[(count - 1) / 2], &lanes[count / 2]);
        for ((value, &a), &b) in chunk.iter_mut().zip(lower).zip(upper) {
            *value = 0.5 * (a + b);
        }
        start += width;
    }
}

fn clipped_mean(rows: &[&[f32]], out: &mut [f32]) {
    let count = rows.len();
    let mut start = 0;
    for chunk in out.chunks_mut(BLOCK) {
        let width = chunk.len();
        let (mut sum, mut low, mut high) = ([0.0_f64; BLOCK], [f32::INFINITY; BLOCK], [f32::NEG_INFINITY; BLOCK]);
        for row in rows {
            let row = &row[start..start + width];
            for (((value, sum), low), high) in row.iter().zip(&mut sum).zip(&mut low).zip(&mut high) {
                *sum += f64::from(*value);
                *low = low.min(*value);
                *high = high.max(*value);
            }
        }
        for (((value, sum), low), high) in chunk.iter_mut().zip(&sum).zip(&low).zip(&high) {
            *value = if count > 2 {
                ((sum - f64::from(*low) - f64::from(*high)) / (count - 2) as f64) as f32
            } else {
                (sum / count as f64) as f32
            };
        }
        start += width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::stream::StreamKey;

    /// Rows of distinct reproducible values.
    fn rows(count: usize, width: usize) -> Vec<Vec<f32>> {
        (0..count)
            .map(|k| {
                let s = StreamKey::new(5).stream(k as u64);
                (0..width).map(|x| s.word(x as u64) as f32 / 1e9).collect()
            })
            .collect()
    }

    #[test]
    fn median_and_clipped_mean_are_those_of_sorted_values_for_every_count() {
        for count in 1..=21 {
            let values = rows(count, 300);
            let slices: Vec<&[f32]> = values.iter().map(Vec::as_slice).collect();
            let (mut median, mut mean) = (vec![0.0; 300], vec![0.0; 300]);
            Combine::Median.row(&slices, None, &mut median);
            Combine::Mean.row(&slices, None, &mut mean);
            for x in 0..300 {
                let mut column: Vec<f32> = values.iter().map(|r| r[x]).collect();
                column.sort_by(f32::total_cmp);
                assert_eq!(median[x], 0.5 * (column[(count - 1) / 2] + column[count / 2]), "median of {count}");
                let kept = if count > 2 { &column[1..count - 1] } else { &column[..] };
                let expected = kept.iter().map(|&v| f64::from(v)).sum::<f64>() / kept.len() as f64;
                assert!((f64::from(mean[x]) - expected).abs() < 1e-6, "mean of {count}");
            }
        }
    }

    #[test]
    fn hits_in_two_frames_are_left_out_and_noise_is_not() {
        let level = |k: usize, x: usize| 10.0 + ((7 * k + 3 * x) % 5) as f32;
        let mut values: Vec<Vec<f32>> = (0..6).map(|k| (0..40).map(|x| level(k, x)).collect()).collect();
        let combined = |values: &[Vec<f32>], noise: Option<Noise<'_>>| {
            let slices: Vec<&[f32]> = values.iter().map(Vec::as_slice).collect();
            let mut out = vec![0.0; 40];
            Combine::Mean.row(&slices, noise, &mut out);
            out
        };
        let noise = |_: f64| 2.0;
        let clean = combined(&values, None);
        assert_eq!(clean, combined(&values, Some(&noise)), "noise is kept, bit for bit");
        (values[1][7], values[4][7]) = (500.0, 90.0);
        let kept = [0, 2, 3, 5].map(|k| level(k, 7));
        let (low, high) = (kept.iter().copied().fold(f32::INFINITY, f32::min), kept.iter().copied().fold(0.0, f32::max));
        let expected = (kept.iter().sum::<f32>() - low - high) / 2.0;
        assert_eq!(combined(&values, Some(&noise))[7], expected);
        assert!(combined(&values, None)[7] > expected + 10.0, "the clipped mean alone keeps the second hit");
    }

    #[test]
    fn the_mean_without_hits_keeps_the_mean_of_skewed_values_where_the_clipped_mean_loses() {
        // Exponential values of mean 1 and skewness 2: without the smallest and the largest of six (order statistics: 1/6 and 1/6 + 1/5 + ... + 1
        // = 2.45) the mean of the rest is (6 - 2.6167) / 4 = 0.8458.
        let width = 40_000;
        let values: Vec<Vec<f32>> = rows(6, width).iter().map(|r| r.iter().map(|v| -(v / 4.294_967).max(1e-9).ln()).collect()).collect();
        let mean = |how: Combine, noise: Option<Noise<'_>>| {
            let mut out = vec![0.0; width];
            how.row(&values.iter().map(Vec::as_slice).collect::<Vec<_>>(), noise, &mut out);
            out.iter().map(|v| f64::from(*v)).sum::<f64>() / width as f64
        };
        // Error of the mean 1 / sqrt(240,000) = 0.002.
        assert!((mean(Combine::Mean, None) - 0.8458).abs() < 0.01);
        assert!((mean(Combine::WithoutHits, Some(&|_| 5.0)) - 1.0).abs() < 0.01);
    }

    #[test]
    fn a_mean_without_hits_is_that_of_the_frames_not_struck_even_of_two() {
        let noise = |_: f64| 1.0;
        for (values, expected) in
            [(vec![3.0, 500.0], 3.0), (vec![3.0, 4.0], 3.5), (vec![1.0, 90.0, 2.0], 1.5), (vec![80.0, 1.0, 3.0, 2.0, 70.0], 2.0)]
        {
            let rows: Vec<Vec<f32>> = values.into_iter().map(|v| vec![v]).collect();
            let mut out = [0.0];
            Combine::WithoutHits.row(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>(), Some(&noise), &mut out);
            assert_eq!(out[0], expected);
        }
    }

    #[test]
    fn one_hit_frame_leaves_no_trace() {
        let mut values = rows(5, 64);
        let slices: Vec<&[f32]> = values.iter().map(Vec::as_slice).collect();
        let mut clean = vec![0.0; 64];
        Combine::Median.row(&slices, None, &mut clean);
        let highest: f32 = values.iter().map(|r| r[7]).fold(0.0, f32::max);
        let struck = values.iter().position(|r| r[7] == highest).unwrap();
        values[struck][7] = 1e6;
        let slices: Vec<&[f32]> = values.iter().map(Vec::as_slice).collect();
        let mut hit = vec![0.0; 64];
        Combine::Median.row(&slices, None, &mut hit);
        assert_eq!(clean, hit);
    }
}
