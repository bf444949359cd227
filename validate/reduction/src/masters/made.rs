//! Masters just made: images, and the numbers that give their variances.

use super::defects::hot_and_warm_pixels;
use crate::amplifiers::spread;
use crate::references::Outcome;
use crate::shutter_fit::ShutterMap;
use ndarray::{Array2, Axis};
use rayon::prelude::*;
use sim_core::detector::ReadoutLayout;
use sim_core::knowledge::{DefectPixel, Knowledge, Measured};

/// The masters of one detector and window, just made: images, and the numbers that give their variances.
#[derive(Debug, Clone)]
pub struct Made {
    /// Raw layout.
    pub layout: ReadoutLayout,
    /// Read noise by amplifier \[electron\].
    pub read_noise: Vec<Measured>,
    /// Gain by amplifier \[electron / ADU\].
    pub gain: Vec<Measured>,
    /// Largest chi-square per degree of freedom of the photon transfer curves.
    pub transfer_chi2: f64,
    /// Master bias \[ADU\].
    pub bias: Array2<f32>,
    /// Master dark.
    pub dark: Option<MadeDark>,
    /// Master flat.
    pub flat: MadeFlat,
    /// Shutter map.
    pub shutter: Option<ShutterMap>,
    /// What was decided on the way, for the products' HISTORY.
    pub notes: Vec<String>,
    /// Variance of the master bias by amplifier \[ADU^2\].
    pub bias_variance: Vec<f64>,
    /// What the references hold.
    pub known: Knowledge,
    /// What became of every kind of reference, by its type.
    pub outcomes: Vec<(&'static str, Outcome)>,
}

/// The dark.
#[derive(Debug, Clone)]
pub struct MadeDark {
    /// Rate \[electron / s\].
    pub rate: Array2<f32>,
    /// Mean of 1 / t of the frames \[1 / s\].
    pub inverse_time_s: f64,
    /// Mean of 1 / t^2 \[1 / s^2\].
    pub(super) inverse_square: f64,
    /// Variance of the combination in units of a frame's.
    pub(super) factor: f64,
    /// Variance of every row besides shot noise, in units of the read noise's: charge transfer that was undone amplifies that.
    pub(super) amplified: Vec<f64>,
}

/// The flat.
#[derive(Debug, Clone)]
pub struct MadeFlat {
    /// Response, median 1.
    pub response: Array2<f32>,
    /// Electrons of a pixel of response 1 in one frame.
    pub(crate) level_electron: f64,
    /// Nominal exposure time of the frames \[s\].
    pub(super) time_s: f64,
    /// Variance of the combination in units of a frame's.
    pub(super) factor: f64,
}

impl Made {
    fn squares(values: &[Measured]) -> Vec<f64> {
        values.iter().map(|m| m.value * m.value).collect()
    }
    /// Variance of the master bias \[ADU^2\].
    #[must_use]
    pub fn bias_variance_image(&self) -> Array2<f32> {
        of_rows(self.bias.dim(), |y, out| {
            let of_amplifier = spread(&self.layout, y, out.len(), &self.bias_variance);
            out.iter_mut().zip(of_amplifier).for_each(|(v, of_amplifier)| *v = of_amplifier as f32);
        })
    }
    /// Variance of the master dark \[electron^2 / s^2\], without the part of the master bias.
    #[must_use]
    pub fn dark_variance(&self, dark: &MadeDark) -> Array2<f32> {
        let read = Self::squares(&self.read_noise);
        of_rows(dark.rate.dim(), |y, out| {
            let read = spread(&self.layout, y, out.len(), &read);
            for ((variance, &rate), read) in out.iter_mut().zip(dark.rate.row(y)).zip(read) {
                let read = read * dark.amplified[y];
                *variance = (dark.factor * (read * dark.inverse_square + f64::from(rate).max(0.0) * dark.inverse_time_s)) as f32;
            }
        })
    }
    /// Variance of the master flat.
    #[must_use]
    pub fn flat_variance(&self) -> Array2<f32> {
        let MadeFlat { response, level_electron, time_s, factor } = &self.flat;
        let (rows, columns) = response.dim();
        let level2 = level_electron * level_electron;
        let read = Self::squares(&self.read_noise);
        let bias: Vec<f64> = self.bias_variance.iter().zip(&self.gain).map(|(v, g)| v * g.value * g.value / level2).collect();
        let across = self.shutter.as_ref().map(|map| map.across(columns));
        of_rows(response.dim(), |y, out| {
            let (read, bias) = (spread(&self.layout, y, columns, &read), spread(&self.layout, y, columns, &bias));
            for (x, variance) in out.iter_mut().enumerate() {
                let flat = f64::from(response[(y, x)]).max(0.0);
                let mut sum = factor * (flat * level_electron + read[x]) / level2 + bias[x];
                if let Some(dark) = &self.dark {
                    let rate = f64::from(dark.rate[(y, x)]).max(0.0);
                    let noise2 = read[x] * dark.amplified[y];
                    sum += dark.factor * (noise2 * dark.inverse_square + rate * dark.inverse_time_s) * time_s * time_s / level2;
                }
                *variance = sum as f32;
            }
            if let (Some(map), Some(across)) = (&self.shutter, &across) {
                map.row(across, y, rows, |x, excess, excess_variance| {
                    let flat = f64::from(response[(y, x)]);
                    out[x] += (excess_variance * (flat / (time_s + excess)).powi(2)) as f32;
                });
            }
        })
    }
    /// Flags of bad, hot and warm pixels for an exposure time.
    #[must_use]
    pub fn defects(&self, time_s: f64) -> Array2<u32> {
        let mut out = self.flat.response.mapv(|f| if (0.5..=1.5).contains(&f) { 0 } else { sim_core::flags::BAD });
        if let Some(dark) = &self.dark {
            let read = Self::squares(&self.read_noise);
            let bias: Vec<f64> =
                self.bias_variance.iter().zip(&self.gain).map(|(v, g)| v * (g.value * dark.inverse_time_s).powi(2)).collect();
            let variance = |amplifier: usize, _: usize, _: usize, rate: f64| {
                dark.factor * (read[amplifier] * dark.inverse_square + rate.max(0.0) * dark.inverse_time_s) + bias[amplifier]
            };
            for DefectPixel { y, x, bits } in hot_and_warm_pixels(&self.layout, &dark.rate, variance, &self.read_noise, time_s) {
                out[(y, x)] |= bits;
            }
        }
        out
    }
}

/// An image made row by row.
fn of_rows(shape: (usize, usize), fill: impl Fn(usize, &mut [f32]) + Sync) -> Array2<f32> {
    let mut out = Array2::zeros(shape);
    out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(y, mut row)| {
        if let Some(row) = row.as_slice_mut() {
            fill(y, row);
        }
    });
    out
}
