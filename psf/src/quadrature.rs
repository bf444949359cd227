//! Gauss-Legendre quadrature.

/// Nodes and weights on \[-1, 1\], ascending, exact for polynomials of degree `2 n - 1`.
///
/// Newton's method on the Legendre polynomial from Tricomi's initial guess (Abramowitz & Stegun 1964, 22.16.6).
#[must_use]
pub fn gauss_legendre(n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut nodes = vec![0.0; n];
    let mut weights = vec![0.0; n];
    for i in 0..n.div_ceil(2) {
        let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..20 {
            let (p, dp) = legendre(n, x);
            slope = dp;
            let step = p / dp;
            x -= step;
            if step.abs() < 1e-16 {
                slope = legendre(n, x).1;
                break;
            }
        }
        if 2 * i + 1 == n {
            x = 0.0;
        }
        let weight = 2.0 / ((1.0 - x * x) * slope * slope);
        nodes[i] = -x;
        nodes[n - 1 - i] = x;
        weights[i] = weight;
        weights[n - 1 - i] = weight;
    }
    (nodes, weights)
}

/// Nodes and weights on \[low, high\], in `panels` equal panels of `n` nodes.
#[must_use]
pub fn panels(low: f64, high: f64, panels: usize, n: usize) -> (Vec<f64>, Vec<f64>) {
    let (x, w) = gauss_legendre(n);
    let half = 0.5 * (high - low) / panels as f64;
    let mut nodes = Vec::with_capacity(panels * n);
    let mut weights = Vec::with_capacity(panels * n);
    for p in 0..panels {
        let middle = low + half * (2 * p + 1) as f64;
        nodes.extend(x.iter().map(|&x| middle + half * x));
        weights.extend(w.iter().map(|&w| w * half));
    }
    (nodes, weights)
}

fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut p0, mut p1) = (1.0, x);
    for k in 2..=n {
        let k = k as f64;
        (p0, p1) = (p1, ((2.0 * k - 1.0) * x * p1 - (k - 1.0) * p0) / k);
    }
    (p1, n as f64 * (x * p1 - p0) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_of_n_nodes_integrates_degree_2n_minus_1_exactly() {
        for n in [1, 2, 5, 12, 33] {
            let (x, w) = gauss_legendre(n);
            let degree = 2 * n - 2;
            let integral: f64 = x.iter().zip(&w).map(|(x, w)| w * x.powi(degree as i32)).sum();
            assert!((integral - 2.0 / (degree as f64 + 1.0)).abs() < 1e-14, "n = {n}: {integral}");
        }
    }

    #[test]
    fn panels_cover_the_interval() {
        let (x, w) = panels(1.0, 3.0, 4, 3);
        assert!((w.iter().sum::<f64>() - 2.0).abs() < 1e-14);
        assert!((x.iter().zip(&w).map(|(x, w)| x * x * w).sum::<f64>() - 26.0 / 3.0).abs() < 1e-13);
    }
}
