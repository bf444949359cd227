//! What a ramp of flats says of one amplifier: means of powers of the counts, exposure by exposure.
//!
//! # Formula
//! `P_k = mean over pixels of (m / F)^k`, k = 1..7. The mean of a polynomial of the counts is then known without error from
//! the spread of the pixels' response (flat field, shutter): `mean(m + b m^2 / F) = F (P_1 + b P_2)`.
//! # Symbols
//! `m` counts above bias of a pixel \[ADU\]; `F` [`SCALE_ADU`].

use instruments::effects::adc::RAW_CEILING_ADU;

/// Counts that powers are taken of \[ADU\]: the range of 16 bits.
pub const SCALE_ADU: f64 = 65_535.0;
/// Powers kept: a correction of up to six terms.
pub const POWERS: usize = 7;

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
    /// The sums of a stretch of a row: counts above bias, and the raw counts they came from.
    #[must_use]
    pub fn of_row(counts: &[f32], raw: &[u16]) -> Self {
        let mut sums = Self { pixels: counts.len() as f64, ..Self::default() };
        for &m in counts {
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
