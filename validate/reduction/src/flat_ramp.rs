//! What a ramp of flats says of one amplifier: means of powers of the counts, exposure by exposure.
//!
//! # Formula
//! `P_k = mean over pixels of (m / F)^k`, k = 1..7. The mean of a polynomial of the counts is then known without error from
//! the spread of the pixels' response (flat field, shutter): `mean(m + b m^2 / F) = F (P_1 + b P_2)`. Pixels in which two equal flats differ by
//! more than [`CLIP_SIGMA`] of their row are hit by a particle and left out of both.
//! # Symbols
//! `m` counts above bias of a pixel \[ADU\]; `F` [`SCALE_ADU`].

use instruments::effects::adc::RAW_CEILING_ADU;

/// Counts that powers are taken of \[ADU\]: the range of 16 bits.
pub const SCALE_ADU: f64 = 65_535.0;
/// Powers kept: a correction of up to six terms.
pub const POWERS: usize = 7;

/// Difference of a pixel of two equal flats that makes it a hit, in standard deviations of the row's.
pub const CLIP_SIGMA: f32 = 5.0;
/// Times the scatter of a row is taken again without its hits.
const ROUNDS: usize = 4;

/// Sums over the pixels of one exposure in one amplifier's section.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RampSums {
    /// Pixels.
    pub pixels: f64,
    /// Sums of `(m / F)^k`, k = 1..
    pub powers: [f64; POWERS],
    /// Pixels at the converter's ceiling.
    pub at_ceiling: f64,
}

impl RampSums {
    /// The sums of the same stretch of a row of two equal flats: counts above bias, and the raw counts they came from.
    #[must_use]
    pub fn of_pair(counts: [&[f32]; 2], raw: [&[u16]; 2]) -> [Self; 2] {
        let (low, high) = agreeing(counts);
        let agrees = |x: usize| (low..=high).contains(&(counts[0][x] - counts[1][x]));
        [0, 1].map(|k| Self::of_row(counts[k], raw[k], agrees))
    }
    /// The sums of a stretch of a row, of the pixels that `keep` keeps.
    #[must_use]
    pub fn of_row(counts: &[f32], raw: &[u16], keep: impl Fn(usize) -> bool) -> Self {
        let mut sums = Self::default();
        for (_, &m) in counts.iter().enumerate().filter(|(x, _)| keep(*x)) {
            sums.pixels += 1.0;
            let u = f64::from(m) * (1.0 / SCALE_ADU);
            let mut power = 1.0;
            for sum in &mut sums.powers {
                power *= u;
                *sum += power;
            }
        }
        sums.at_ceiling = raw.iter().filter(|&&r| f32::from(r) >= RAW_CEILING_ADU).count() as f64;
        sums
    }
    /// Adds the sums of another row.
    pub fn add(&mut self, other: &Self) {
        self.pixels += other.pixels;
        self.at_ceiling += other.at_ceiling;
        self.powers.iter_mut().zip(other.powers).for_each(|(sum, more)| *sum += more);
    }
}

/// Least and greatest difference of a pixel without a hit.
fn agreeing([a, b]: [&[f32]; 2]) -> (f32, f32) {
    let (mut low, mut high) = (f32::NEG_INFINITY, f32::INFINITY);
    for _ in 0..ROUNDS {
        let (mut count, mut sum, mut squares) = (0.0_f64, 0.0, 0.0);
        for (a, b) in a.iter().zip(b) {
            let difference = a - b;
            let kept = if difference >= low && difference <= high { 1.0 } else { 0.0 };
            let difference = if kept > 0.0 { f64::from(difference) } else { 0.0 };
            count += kept;
            sum += difference;
            squares += difference * difference;
        }
        if count < 2.0 {
            break;
        }
        let mean = sum / count;
        // Counts are integers: a row quieter than one ADU is still allowed one.
        let reach = CLIP_SIGMA * ((squares / count - mean * mean).max(0.0).sqrt() as f32).max(1.0);
        (low, high) = (mean as f32 - reach, mean as f32 + reach);
    }
    (low, high)
}

/// One exposure of a ramp in one amplifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RampLevel {
    /// Nominal exposure time \[s\].
    pub time_s: f64,
    /// Setting of the lamp, in any unit its light is proportional to.
    pub lamp: f64,
    /// Sums of its pixels.
    pub sums: RampSums,
    /// Variance of a pixel from exposure to exposure \[ADU^2\]: half that of the difference of two equal flats
    /// ([`crate::photon_transfer::PairSums::variance`]).
    pub noise_adu2: f64,
    /// Counts of dark current in the exposure \[ADU\]; 0 where they are not known.
    pub dark_adu: f64,
}

impl RampLevel {
    /// Light asked for: lamp setting times nominal time.
    #[must_use]
    pub fn asked(&self) -> f64 {
        self.lamp * self.time_s
    }
    /// Mean of `(m / F)^k`.
    #[must_use]
    pub fn power(&self, k: usize) -> f64 {
        self.sums.powers[k - 1] / self.sums.pixels
    }
    /// Mean counts \[ADU\].
    #[must_use]
    pub fn mean_adu(&self) -> f64 {
        SCALE_ADU * self.power(1)
    }
    /// Share of pixels at the converter's ceiling.
    #[must_use]
    pub fn at_ceiling(&self) -> f64 {
        self.sums.at_ceiling / self.sums.pixels
    }
    /// Mean of the linear counts, and their scatter from pixel to pixel, for a correction of the given terms \[ADU\].
    #[must_use]
    pub fn linear_adu(&self, terms: &[f64]) -> (f64, f64) {
        let mean = self.power(1) + terms.iter().enumerate().map(|(k, b)| b * self.power(k + 2)).sum::<f64>();
        let spread = (self.power(2) - self.power(1).powi(2)).max(0.0).sqrt();
        let slope = 1.0 + terms.iter().enumerate().map(|(k, b)| (k as f64 + 2.0) * b * self.power(1).powi(k as i32 + 1)).sum::<f64>();
        (SCALE_ADU * mean, SCALE_ADU * spread * slope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_is_left_out_of_both_flats_and_noise_is_not() {
        let a: Vec<f32> = (0..400).map(|k| 1000.0 + ((7 * k) % 11) as f32).collect();
        let b: Vec<f32> = (0..400).map(|k| 1000.0 + ((5 * k) % 13) as f32).collect();
        let raw = vec![1500_u16; 400];
        let clean = RampSums::of_pair([&a, &b], [&raw, &raw]);
        assert_eq!((clean[0].pixels, clean[1].pixels), (400.0, 400.0), "noise stays");
        let mut struck = a.clone();
        (struck[7], struck[200]) = (30_000.0, 1200.0);
        let sums = RampSums::of_pair([&struck, &b], [&raw, &raw]);
        assert_eq!((sums[0].pixels, sums[1].pixels), (398.0, 398.0));
        let others: f64 = (0..400).filter(|k| *k != 7 && *k != 200).map(|k| f64::from(a[k]) / SCALE_ADU).sum();
        assert!((sums[0].powers[0] - others).abs() < 1e-9);
    }
}
