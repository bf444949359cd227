//! Read noise from pairs of bias frames and gain from pairs of flats.
//!
//! # Formula
//! With `d = a - b` of two equal exposures, `V = Var(d) / 2` within rows and the mean level `S`, both in ADU:
//! bias pairs: `r^2 = V`; flat pairs: `V = r^2 + S / g`. Over several levels `1/g = sum w S (V - r^2) / sum w S^2` with
//! `w = 1 / Var(V)`, `Var(V) = 2 V^2 / n`. Fixed patterns (PRNU, bias structure) cancel in `d`. Where the levels show that bright flats
//! lack variance (brighter-fatter): `V = r^2 + (exp(2 a g S) - 1) / (2 a g^2)`, `a` fitted with `g`.
//! # Symbols
//! `g` gain \[electron / ADU\]; `r` read noise \[ADU\], quantisation included, what rows have in common (overscan, drift) not;
//! `n` degrees of freedom; `a` relative change of a pixel's area per electron it holds \[1 / electron\].
//! # Source
//! Janesick, Photon Transfer (SPIE 2007), chapters 5 and 9; the curve: Astier et al. 2019 (A&A 629, A36), eq. 16.
//! # Limits
//! The curve leaves out what neighbours do to each other: 1 % of its bend at 60,000 electrons; [`crate::brighter_fatter_fit`] has it.
//! The straight line stands where there are fewer than three levels or the bend is below 3 errors; with `a` = -3e-6 it then takes the
//! gain for too large by about 3e-6 of the brightest level in electrons (3 % at 10,000): [`GainFit::straight_line`] says by how much where it
//! is known. Differences beyond 6 robust standard deviations of their row are left out (2e-9 of a normal).

use sim_core::knowledge::Measured;
use sim_core::median::{SIGMA_PER_MAD, median};

/// Clip of differences, in robust standard deviations of the row.
const CLIP_SIGMA: f64 = 6.0;

/// Sums over the pixels of a pair.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PairSums {
    /// Pixels.
    pub pixels: f64,
    /// Degrees of freedom: pixels less one for each row.
    pub freedom: f64,
    /// Sum of squared differences about the mean of their row \[ADU^2\].
    pub scatter: f64,
    /// Sum of means \[ADU\].
    pub level: f64,
}

impl PairSums {
    /// The sums of two stretches of the same row of a pair.
    #[must_use]
    pub fn of_row(a: &[f32], b: &[f32], scratch: &mut Vec<f32>) -> Self {
        let mut middle = |values: &mut dyn Iterator<Item = f32>| {
            scratch.clear();
            scratch.extend(values);
            median(scratch).map_or(0.0, f64::from)
        };
        if a.is_empty() {
            return Self::default();
        }
        let centre = middle(&mut a.iter().zip(b).map(|(a, b)| a - b));
        let deviation = middle(&mut a.iter().zip(b).map(|(a, b)| (a - b - centre as f32).abs()));
        // Counts are integers: a row quieter than one ADU is still allowed one.
        let reach = CLIP_SIGMA * (SIGMA_PER_MAD * deviation).max(1.0);
        let mut sums = Self::default();
        let (mut first, mut second) = (0.0, 0.0);
        for (&a, &b) in a.iter().zip(b) {
            let difference = f64::from(a) - f64::from(b) - centre;
            if difference.abs() <= reach {
                sums.pixels += 1.0;
                first += difference;
                second += difference * difference;
                sums.level += 0.5 * (f64::from(a) + f64::from(b));
            }
        }
        sums.freedom = sums.pixels - 1.0;
        sums.scatter = second - first * first / sums.pixels;
        sums
    }
    /// Adds the sums of another row of the same pair.
    pub fn add(&mut self, other: &Self) {
        self.pixels += other.pixels;
        self.freedom += other.freedom;
        self.scatter += other.scatter;
        self.level += other.level;
    }
    /// Half the variance of the difference \[ADU^2\]: the variance of one frame.
    #[must_use]
    pub fn variance(&self) -> f64 {
        0.5 * self.scatter / self.freedom
    }
    /// Standard error of [`PairSums::variance`].
    #[must_use]
    pub fn variance_error(&self) -> f64 {
        self.variance() * (2.0 / self.freedom).sqrt()
    }
    /// Mean level \[ADU\].
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.level / self.pixels
    }
}

/// Read noise \[ADU\] from bias pairs of one amplifier; `None` without two usable pixels.
#[must_use]
pub fn read_noise_adu(pairs: &[PairSums]) -> Option<Measured> {
    let freedom: f64 = pairs.iter().map(|p| p.freedom).sum();
    if freedom < 1.0 {
        return None;
    }
    let variance = 0.5 * pairs.iter().map(|p| p.scatter).sum::<f64>() / freedom;
    let sigma = variance.sqrt();
    Some(Measured { value: sigma, error: sigma / (2.0 * freedom).sqrt() })
}

/// What a fit of the photon transfer curve gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GainFit {
    /// Gain \[electron / ADU\].
    pub gain: Measured,
    /// Chi-square per degree of freedom of the levels; 0 with a single one.
    pub reduced_chi2: f64,
    /// Relative change of a pixel's area per electron it holds \[1 / electron\], where the levels show it.
    pub bend: Option<Measured>,
    /// Gain of a straight line through the same levels, over [`GainFit::gain`].
    pub straight_line: f64,
}

/// Bend of the curve in errors from which it is believed.
const BEND_ERRORS: f64 = 3.0;
/// Span of levels, highest over lowest, that a bend needs.
const BEND_SPAN: f64 = 2.0;
/// Rounds of the fit of the curve.
const ROUNDS: usize = 30;

/// Variance above the read noise at a level, and its derivatives by the slope `p = 1 / g` and by `q = a`: `(exp(x) - 1) / x` at
/// `x = 2 a S / p` times `S p`.
pub(crate) fn curve(level: f64, p: f64, q: f64) -> [f64; 3] {
    let x = 2.0 * q * level / p;
    // f and its derivative; the series where both are differences of equals.
    let (f, slope) = if x.abs() < 1e-3 {
        (1.0 + x * (0.5 + x / 6.0), 0.5 + x / 3.0 + x * x / 8.0)
    } else {
        (x.exp_m1() / x, (x.exp() - x.exp_m1() / x) / x)
    };
    [level * p * f, level * (f - slope * x), 2.0 * level * level * slope]
}

/// Slope and bend by Gauss and Newton; `None` when the levels do not fix both.
fn bent(pairs: &[&PairSums], read_variance: f64, start: f64) -> Option<([Measured; 2], f64)> {
    let (mut p, mut q) = (start, 0.0);
    let mut covariance = [0.0; 2];
    for _ in 0..ROUNDS {
        let (mut pp, mut pq, mut qq, mut rp, mut rq) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for pair in pairs {
            let weight = pair.variance_error().powi(-2);
            let [model, by_p, by_q] = curve(pair.mean(), p, q);
            let rest = pair.variance() - read_variance - model;
            pp += weight * by_p * by_p;
            pq += weight * by_p * by_q;
            qq += weight * by_q * by_q;
            rp += weight * by_p * rest;
            rq += weight * by_q * rest;
        }
        let det = pp * qq - pq * pq;
        if det.is_nan() || det <= 1e-12 * pp * qq {
            return None;
        }
        p += (qq * rp - pq * rq) / det;
        q += (pp * rq - pq * rp) / det;
        covariance = [qq / det, pp / det];
        if p.is_nan() || p <= 0.0 || q.is_nan() {
            return None;
        }
    }
    let chi2 = pairs.iter().map(|l| ((l.variance() - read_variance - curve(l.mean(), p, q)[0]) / l.variance_error()).powi(2)).sum();
    Some(([Measured { value: p, error: covariance[0].sqrt() }, Measured { value: q, error: covariance[1].sqrt() }], chi2))
}

/// Gain from flat pairs of one amplifier at any number of levels; `None` when no level stands out of the read noise.
#[must_use]
pub fn gain(pairs: &[PairSums], read_noise_adu: f64) -> Option<GainFit> {
    let read_variance = read_noise_adu * read_noise_adu;
    let usable: Vec<&PairSums> = pairs.iter().filter(|p| p.freedom > 2.0 && p.mean() > 0.0 && p.variance() > read_variance).collect();
    let (mut sxx, mut sxy) = (0.0, 0.0);
    for pair in &usable {
        let weight = pair.variance_error().powi(-2);
        sxx += weight * pair.mean() * pair.mean();
        sxy += weight * pair.mean() * (pair.variance() - read_variance);
    }
    if usable.is_empty() || sxy <= 0.0 {
        return None;
    }
    let slope = sxy / sxx;
    let of_slope = |slope: Measured| Measured { value: 1.0 / slope.value, error: slope.error / (slope.value * slope.value) };
    let mut levels: Vec<f64> = usable.iter().map(|p| p.mean()).collect();
    levels.sort_by(f64::total_cmp);
    let distinct = 1 + levels.windows(2).filter(|w| w[1] > 1.02 * w[0]).count();
    if distinct >= 3
        && levels[levels.len() - 1] > BEND_SPAN * levels[0]
        && let Some(([line, bend], chi2)) = bent(&usable, read_variance, slope)
        && bend.value < -BEND_ERRORS * bend.error
    {
        let gain = of_slope(line);
        let straight_line = 1.0 / (slope * gain.value);
        return Some(GainFit { gain, reduced_chi2: chi2 / (usable.len() - 2) as f64, bend: Some(bend), straight_line });
    }
    let chi2: f64 = usable.iter().map(|p| ((p.variance() - read_variance - slope * p.mean()) / p.variance_error()).powi(2)).sum();
    let reduced_chi2 = if usable.len() > 1 { chi2 / (usable.len() - 1) as f64 } else { 0.0 };
    let gain = of_slope(Measured { value: slope, error: sxx.powf(-0.5) });
    Some(GainFit { gain, reduced_chi2, bend: None, straight_line: 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_distr::{Distribution, Normal};
    use sim_core::stream::StreamKey;

    /// Rows of a pair: level `electrons`, gain 1.1, read noise 5 electron.
    fn pair(electrons: f64, rows: u64, seed: u64) -> PairSums {
        let noise = Normal::new(0.0, (electrons + 25.0).sqrt()).unwrap();
        let mut scratch = Vec::new();
        let mut sums = PairSums::default();
        for y in 0..rows {
            let mut stream = StreamKey::new(seed).stream(y);
            let mut row = || (0..500).map(|_| ((electrons + noise.sample(&mut stream)) / 1.1) as f32).collect::<Vec<f32>>();
            let (a, b) = (row(), row());
            sums.add(&PairSums::of_row(&a, &b, &mut scratch));
        }
        sums
    }

    #[test]
    fn gain_and_read_noise_come_back_within_their_errors() {
        let read_noise = read_noise_adu(&[pair(0.0, 200, 1), pair(0.0, 200, 2)]).unwrap();
        // 2 x 100,000 pixels: sigma / sqrt(2 n) = 4.545 / 632 = 0.0072.
        assert!((read_noise.error - 0.0072).abs() < 2e-4, "{read_noise:?}");
        assert!((read_noise.value - 5.0 / 1.1).abs() < 5.0 * read_noise.error, "{read_noise:?}");
        let fit = gain(&[pair(2000.0, 200, 3), pair(10_000.0, 200, 4), pair(30_000.0, 200, 5)], read_noise.value).unwrap();
        // Three levels of 100,000 pixels, each sqrt(2e-5) = 0.45 %: 0.26 % together.
        assert!((fit.gain.error / fit.gain.value - 0.0026).abs() < 2e-4, "{fit:?}");
        assert!((fit.gain.value - 1.1).abs() < 5.0 * fit.gain.error, "{fit:?}");
        assert!(fit.reduced_chi2 < 7.0, "two degrees of freedom, 1e-3 tail: {fit:?}");
    }

    #[test]
    fn a_hit_pixel_does_not_change_the_sums() {
        let a: Vec<f32> = (0..101).map(|i| ((i * 37) % 11) as f32).collect();
        let mut b: Vec<f32> = (0..101).map(|i| ((i * 53) % 11) as f32).collect();
        let mut scratch = Vec::new();
        let clean = PairSums::of_row(&a, &b, &mut scratch);
        b[50] += 5000.0;
        let hit = PairSums::of_row(&a, &b, &mut scratch);
        assert_eq!(hit.pixels, clean.pixels - 1.0);
        assert!((hit.variance() - clean.variance()).abs() < 0.2 * clean.variance());
    }

    /// A pair whose variance lacks what shifted boundaries move, by the closed form without neighbours.
    fn bent_pair(electrons: f64, area: f64, pixels: f64) -> PairSums {
        let (x, gain) = (2.0 * area * electrons, 1.1);
        let variance = electrons * x.exp_m1() / x / (gain * gain) + 20.0;
        PairSums { pixels, freedom: pixels, scatter: 2.0 * variance * pixels, level: electrons / gain * pixels }
    }

    #[test]
    fn missing_variance_does_not_pass_for_gain() {
        let levels = [2e3, 1e4, 2e4, 4e4, 6e4];
        let pairs: Vec<PairSums> = levels.iter().map(|&e| bent_pair(e, -3e-6, 1e6)).collect();
        let fit = gain(&pairs, 20.0_f64.sqrt()).unwrap();
        assert!((fit.gain.value - 1.1).abs() < 1e-6, "{fit:?}");
        let bend = fit.bend.unwrap();
        assert!((bend.value + 3e-6).abs() < 1e-10 && bend.error < 1e-7, "{bend:?}");
        // Five levels, each good to 0.14 %, weigh the same in a line: the mean of 3e-6 x electrons is 8 %.
        assert!((1.05..1.10).contains(&fit.straight_line), "{fit:?}");
    }

    #[test]
    fn low_levels_keep_the_straight_line() {
        // 1 % less variance at the brightest, known to 0.6 %: the bend is not seen.
        let pairs: Vec<PairSums> = [1e3, 2e3, 3.5e3].iter().map(|&e| bent_pair(e, -3e-6, 5e4)).collect();
        let fit = gain(&pairs, 20.0_f64.sqrt()).unwrap();
        assert_eq!((fit.bend, fit.straight_line), (None, 1.0));
        // Its gain is too large by about 3e-6 x 3500: 0.7 % on average.
        assert!((1.0..1.01).contains(&(fit.gain.value / 1.1)), "{fit:?}");
        let two: Vec<PairSums> = [2e3, 6e4].iter().map(|&e| bent_pair(e, -3e-6, 1e6)).collect();
        assert_eq!(gain(&two, 20.0_f64.sqrt()).unwrap().bend, None, "two levels fix no curve");
    }

    #[test]
    fn without_light_there_is_no_gain() {
        assert_eq!(gain(&[], 4.5), None);
        assert_eq!(read_noise_adu(&[]), None);
    }
}
