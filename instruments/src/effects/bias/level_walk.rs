//! The optimal track of a level that wanders from row to row.
//!
//! # Formula
//! Level m(p + 1) = m(p) + step, Var step = q; row mean y(p) = m(p) + noise, Var noise = r. Filter forward: a, P predicted; gain
//! P / (P + r). Smoother backward: C = P / (P + q) with P filtered. Far from the ends and for q << r the variance of the smoothed
//! level is sqrt(q r) / 2, and a row weighs exp(-|lag| sqrt(q / r)).
//! # Source
//! Kalman 1960 (J. Basic Eng. 82, 35); Rauch, Tung & Striebel 1965 (AIAA J. 3, 1445); local level model: Durbin & Koopman 2012,
//! Time Series Analysis by State Space Methods (Oxford University Press), ch. 2.

/// A row mean farther from the prediction than this many standard deviations is left out.
const GATE_SIGMAS: f64 = 6.0;
/// Rows whose median starts the filter.
const FIRST_ROWS: usize = 32;

/// Level and variance at every row. Rows without a value are bridged. Empty when no row has one.
#[must_use]
pub fn smooth(rows: &[Option<f64>], step_variance: f64, row_variance: f64) -> Vec<(f64, f64)> {
    let (q, r) = (step_variance.max(1e-12), row_variance.max(1e-9));
    let mut first: Vec<f64> = rows.iter().flatten().take(FIRST_ROWS).copied().collect();
    if first.is_empty() {
        return Vec::new();
    }
    first.sort_by(f64::total_cmp);
    // A start that knows next to nothing, but knows it in the right place.
    let (mut level, mut variance) = (first[first.len() / 2], 1e6 * (r + q));
    let mut filtered = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(value) = row {
            let total = variance + r;
            if (value - level).powi(2) <= GATE_SIGMAS * GATE_SIGMAS * total {
                let gain = variance / total;
                level += gain * (value - level);
                variance *= 1.0 - gain;
            }
        }
        filtered.push((level, variance));
        variance += q;
    }
    let mut out = filtered;
    for k in (0..out.len().saturating_sub(1)).rev() {
        let ((level, variance), (next, next_variance)) = (out[k], out[k + 1]);
        let weight = variance / (variance + q);
        out[k] = (level + weight * (next - level), variance + weight * weight * (next_variance - variance - q));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::noise;
    use sim_core::stream::StreamKey;

    #[test]
    fn a_constant_level_is_its_mean() {
        let rows = [Some(3.0), Some(5.0), None, Some(4.0)];
        let track = smooth(&rows, 0.0, 1.0);
        for (level, variance) in track {
            assert!((level - 4.0).abs() < 1e-4 && (variance - 1.0 / 3.0).abs() < 1e-4, "{level} {variance}");
        }
        assert!(smooth(&[None, None], 1.0, 1.0).is_empty());
    }

    #[test]
    fn a_walk_is_followed_with_the_variance_stated() {
        // q = 0.01, r = 1: sqrt(q r) / 2 = 0.05, within 0.1 % of the exact answer in the middle.
        let (q, r, n) = (0.01, 1.0, 60_000);
        let (mut z, mut e) = (vec![0.0; n], vec![0.0; n]);
        noise::normals(&StreamKey::new(5).stream(0), 0, &mut z);
        noise::normals(&StreamKey::new(5).stream(1), 0, &mut e);
        let mut level = 0.0;
        let truth: Vec<f64> = z
            .iter()
            .map(|z| {
                level += 0.1 * f64::from(*z);
                level
            })
            .collect();
        let rows: Vec<Option<f64>> = truth.iter().zip(&e).map(|(m, e)| Some(m + f64::from(*e))).collect();
        let track = smooth(&rows, q, r);
        assert!((track[n / 2].1 / 0.05 - 1.0).abs() < 2e-3, "{}", track[n / 2].1);
        let square = track.iter().zip(&truth).map(|(t, m)| (t.0 - m).powi(2)).sum::<f64>() / n as f64;
        // Errors are correlated over 2 x 10 rows: 60,000 / 20 independent ones, sqrt(2 / 3000) = 2.6 %.
        assert!((square / 0.05 - 1.0).abs() < 5.0 * 0.026, "{square}");
    }

    #[test]
    fn one_wild_row_is_left_out_and_a_jump_is_followed() {
        let mut rows = vec![Some(10.0); 100];
        rows[40] = Some(500.0);
        let track = smooth(&rows, 1e-4, 1.0);
        assert!((track[40].0 - 10.0).abs() < 1e-6);
        let jump: Vec<Option<f64>> = (0..4000).map(|k| Some(if k < 2000 { 10.0 } else { 30.0 })).collect();
        let track = smooth(&jump, 1e-2, 1.0);
        assert!((track[100].0 - 10.0).abs() < 0.1 && (track[3900].0 - 30.0).abs() < 0.1, "{:?}", track[3900]);
    }
}
