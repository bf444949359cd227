//! Pixel-by-pixel combination of a stack: median, and mean, of the values without the smallest and the largest.
//!
//! Source: official CSST pipeline (csster/csst): master bias = median of the min/max-clipped stack, dark and flat = its mean.
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
}

impl Combine {
    /// Variance of the result in units of a single value's.
    #[must_use]
    pub fn variance_factor(self, count: usize) -> f64 {
        match self {
            Self::Median => crate::order_statistics::median_variance(count),
            Self::Mean => crate::order_statistics::clipped_mean_variance(count),
        }
    }
    /// Combines `rows` (each of `out.len()` pixels) into `out`.
    ///
    /// # Panics
    /// When there are no rows.
    pub fn row(self, rows: &[&[f32]], out: &mut [f32]) {
        assert!(!rows.is_empty(), "nothing to combine");
        match self {
            Self::Median => median(rows, out),
            Self::Mean => clipped_mean(rows, out),
        }
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
            Combine::Median.row(&slices, &mut median);
            Combine::Mean.row(&slices, &mut mean);
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
    fn one_hit_frame_leaves_no_trace() {
        let mut values = rows(5, 64);
        let slices: Vec<&[f32]> = values.iter().map(Vec::as_slice).collect();
        let mut clean = vec![0.0; 64];
        Combine::Median.row(&slices, &mut clean);
        let highest: f32 = values.iter().map(|r| r[7]).fold(0.0, f32::max);
        let struck = values.iter().position(|r| r[7] == highest).unwrap();
        values[struck][7] = 1e6;
        let slices: Vec<&[f32]> = values.iter().map(Vec::as_slice).collect();
        let mut hit = vec![0.0; 64];
        Combine::Median.row(&slices, &mut hit);
        assert_eq!(clean, hit);
    }
}
