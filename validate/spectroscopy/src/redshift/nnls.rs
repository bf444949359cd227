//! Least squares with amplitudes that are not negative, from the normal equations.
//!
//! # Formula
//! min over a >= 0 of a^T G a - 2 b^T a.
//! # Source
//! Active sets: Lawson & Hanson 1974 ("Solving Least Squares Problems", chapter 23), on the normal equations as Bro & De Jong 1997 (J.
//! Chemometrics 11, 393).
//! # Limits
//! Up to [`MOST`] amplitudes; a part whose column is no light or is a copy of others stays at 0.

#![allow(clippy::needless_range_loop, reason = "indices run over several arrays at once")]

/// Most amplitudes.
pub(crate) const MOST: usize = 16;

/// Solution: amplitudes and the drop of chi2 against no model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Solution {
    pub(crate) amplitudes: [f64; MOST],
    pub(crate) gain: f64,
}

/// Solves G x = b over the indices given by Cholesky; `None` when it is not positive definite.
pub(crate) fn cholesky_solve(g: &[[f64; MOST]; MOST], b: &[f64; MOST], of: &[usize]) -> Option<[f64; MOST]> {
    let n = of.len();
    let mut l = [[0.0; MOST]; MOST];
    let mut x = [0.0; MOST];
    for i in 0..n {
        for j in 0..=i {
            let mut s = g[of[i]][of[j]];
            for k in 0..j {
                s -= l[i][k] * l[j][k];
            }
            if i == j {
                if s <= 1e-10 * g[of[i]][of[i]] {
                    return None;
                }
                l[i][i] = s.sqrt();
            } else {
                l[i][j] = s / l[j][j];
            }
        }
        let mut s = b[of[i]];
        for k in 0..i {
            s -= l[i][k] * x[k];
        }
        x[i] = s / l[i][i];
    }
    for i in (0..n).rev() {
        let mut s = x[i];
        for k in i + 1..n {
            s -= l[k][i] * x[k];
        }
        x[i] = s / l[i][i];
    }
    Some(x)
}

/// Finds the amplitudes of the first `n` parts.
pub(crate) fn solve(g: &[[f64; MOST]; MOST], b: &[f64; MOST], n: usize) -> Solution {
    let mut a = [0.0; MOST];
    let mut set: Vec<usize> = Vec::with_capacity(n);
    let mut barred = [false; MOST];
    for _ in 0..4 * n {
        let mut best = None;
        for j in 0..n {
            if set.contains(&j) || barred[j] || g[j][j] <= 0.0 {
                continue;
            }
            let slope = b[j] - set.iter().map(|&k| g[j][k] * a[k]).sum::<f64>();
            let worth = slope / g[j][j].sqrt();
            if worth > 1e-6 * (1.0 + b[j].abs() / g[j][j].sqrt()) && best.is_none_or(|(_, w)| worth > w) {
                best = Some((j, worth));
            }
        }
        let Some((j, _)) = best else { break };
        set.push(j);
        loop {
            let Some(x) = cholesky_solve(g, b, &set) else {
                barred[j] = true;
                set.retain(|&k| k != j);
                break;
            };
            if x[..set.len()].iter().all(|v| *v > 0.0) {
                set.iter().enumerate().for_each(|(i, &k)| a[k] = x[i]);
                break;
            }
            let step = set.iter().enumerate().filter(|(i, _)| x[*i] <= 0.0).map(|(i, &k)| a[k] / (a[k] - x[i])).fold(1.0_f64, f64::min);
            set.iter().enumerate().for_each(|(i, &k)| a[k] += step * (x[i] - a[k]));
            if a[j] <= 0.0 {
                barred[j] = true;
            }
            set.retain(|&k| a[k] > 1e-14);
            (0..n).filter(|k| !set.contains(k)).for_each(|k| a[k] = 0.0);
            if set.is_empty() {
                break;
            }
        }
    }
    let gain = set.iter().map(|&i| a[i] * (2.0 * b[i] - set.iter().map(|&k| g[i][k] * a[k]).sum::<f64>())).sum();
    Solution { amplitudes: a, gain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amplitudes_that_would_be_negative_are_0() {
        let mut g = [[0.0; MOST]; MOST];
        g[0][0] = 2.0;
        g[1][1] = 1.0;
        g[0][1] = 0.5;
        g[1][0] = 0.5;
        let mut b = [0.0; MOST];
        (b[0], b[1]) = (4.0, -3.0);
        let s = solve(&g, &b, 2);
        assert!((s.amplitudes[0] - 2.0).abs() < 1e-12 && s.amplitudes[1] == 0.0);
        assert!((s.gain - 8.0).abs() < 1e-12);
        b[1] = 3.0;
        let s = solve(&g, &b, 2);
        // G a = b: a = (4 - 0.5 a1) / 2, 0.5 a0 + a1 = 3.
        assert!((s.amplitudes[0] - 10.0 / 7.0).abs() < 1e-12 && (s.amplitudes[1] - 16.0 / 7.0).abs() < 1e-12);
    }
}
