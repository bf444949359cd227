//! The logarithmic wavelength grid of the templates, and templates smoothed to a ladder of line spreads.
//!
//! # Formula
//! Sample k lies at ln lambda = ln 80 nm + k d; a redshift is a shift of ln(1 + z) / d samples. Rung r of the ladder is the template
//! smoothed by three
//! running means of m samples: sigma^2 = (m^2 - 1) d^2 / 4.
//! # Symbols
//! d step 2.5e-4 (75 km/s); m odd number of samples.
//! # Source
//! Three running means approach a Gaussian: Kovesi 2010 (Digital Image Computing, "Fast almost-Gaussian filtering").
//! # Limits
//! 80 to 1300 nm at rest. The nearest rung in ln sigma is taken (a factor of 1.19 at most); the templates' features are wider than that
//! matters.

/// Step in ln lambda.
pub(crate) const STEP: f64 = 2.5e-4;
/// First wavelength at rest \[nm\].
pub(crate) const FIRST_NM: f64 = 80.0;
/// Last wavelength at rest \[nm\].
pub(crate) const LAST_NM: f64 = 1300.0;
/// Samples a running mean takes, by rung.
const MEANS: [usize; 10] = [1, 7, 11, 15, 21, 31, 43, 61, 87, 123];

/// Samples of the grid.
pub(crate) fn samples() -> usize {
    ((LAST_NM / FIRST_NM).ln() / STEP).floor() as usize
}

/// Wavelengths of the grid \[nm\].
pub(crate) fn wavelengths() -> Vec<f64> {
    (0..samples()).map(|k| FIRST_NM * (STEP * k as f64).exp()).collect()
}

/// The rung nearest to a line spread sigma in ln lambda.
pub(crate) fn rung(sigma: f64) -> usize {
    let width = |m: usize| ((m * m - 1) as f64).sqrt() * STEP / 2.0;
    let distance = |m: usize| (width(m).max(5e-4) / sigma.max(5e-4)).ln().abs();
    (0..MEANS.len()).min_by(|&a, &b| distance(MEANS[a]).total_cmp(&distance(MEANS[b]))).unwrap_or(0)
}

fn running_mean(values: &[f64], m: usize) -> Vec<f64> {
    let half = m / 2;
    let mut sums = Vec::with_capacity(values.len() + 1);
    sums.push(0.0);
    let mut total = 0.0;
    for v in values {
        total += v;
        sums.push(total);
    }
    (0..values.len())
        .map(|i| {
            let (a, b) = (i.saturating_sub(half), (i + half + 1).min(values.len()));
            (sums[b] - sums[a]) / (b - a) as f64
        })
        .collect()
}

/// Templates side by side at all rungs: `data[((rung * samples) + k) * width + part]`.
#[derive(Debug, Clone)]
pub(crate) struct Bank {
    data: Vec<f32>,
    /// Parts, padded with zeros.
    pub(crate) width: usize,
    /// Parts in use.
    pub(crate) parts: usize,
}

impl Bank {
    /// Smooths templates given on the grid; `width` parts at most.
    pub(crate) fn new(templates: &[Vec<f64>], width: usize) -> Self {
        let n = samples();
        let mut data = vec![0.0; MEANS.len() * n * width];
        for (part, values) in templates.iter().take(width).enumerate() {
            for (r, &m) in MEANS.iter().enumerate() {
                let mut smooth = values.clone();
                if m > 1 {
                    for _ in 0..3 {
                        smooth = running_mean(&smooth, m);
                    }
                }
                smooth.iter().enumerate().for_each(|(k, v)| data[(r * n + k) * width + part] = v.max(0.0) as f32);
            }
        }
        Self { data, width, parts: templates.len().min(width) }
    }
    /// The values on both sides of a place on the grid (samples, fractional) and the share of the second; `None` off the grid.
    #[inline]
    pub(crate) fn beside(&self, rung: usize, place: f64) -> Option<(&[f32], &[f32], f32)> {
        let n = self.data.len() / (MEANS.len() * self.width);
        if place < 0.0 || place >= (n - 1) as f64 {
            return None;
        }
        let k = place as usize;
        let at = (rung * n + k) * self.width;
        let (a, b) = self.data[at..at + 2 * self.width].split_at(self.width);
        Some((a, b, (place - k as f64) as f32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smoothed_line_has_the_width_of_its_rung() {
        let mut line = vec![0.0; samples()];
        line[5000] = 1.0;
        let bank = Bank::new(&[line], 1);
        for sigma in [1.8e-3, 4e-3, 1e-2] {
            let row = &bank.data[rung(sigma) * samples()..(rung(sigma) + 1) * samples()];
            let total: f64 = row.iter().map(|v| f64::from(*v)).sum();
            let var: f64 = row.iter().enumerate().map(|(k, v)| f64::from(*v) * (k as f64 - 5000.0).powi(2)).sum::<f64>() / total;
            let ratio = var.sqrt() * STEP / sigma;
            assert!((total - 1.0).abs() < 1e-3 && (0.83..1.2).contains(&ratio), "{sigma}: {total} {ratio}");
        }
    }
}
