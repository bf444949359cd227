//! Master dark.

use super::clean::Cleaner;
use super::{MadeDark, Maker};
use crate::amplifiers::spread;
use crate::combine::Combine;
use crate::error::ReductionError;
use instruments::product::level0::Level0Info;
use ndarray::Array2;
use rayon::prelude::*;
use sim_core::knowledge::Measured;
use sim_core::median::{SIGMA_PER_MAD, median};

impl Maker<'_> {
    /// Master dark; `None` without dark frames.
    pub(super) fn dark(
        &mut self,
        frames: &[Level0Info],
        bias: &Array2<f32>,
        gain: &[Measured],
        read_noise: &[Measured],
    ) -> Result<Option<MadeDark>, ReductionError> {
        if frames.is_empty() {
            self.notes.push("dark: SKIPPED, no dark frames".into());
            return Ok(None);
        }
        let gain: Vec<f64> = gain.iter().map(|m| m.value).collect();
        // Of the noisiest amplifier and the shortest exposure.
        let read = read_noise.iter().map(|m| m.value).fold(0.0, f64::max);
        let time_s = frames.iter().map(|i| i.observation.time_s).fold(f64::INFINITY, f64::min);
        self.clean_first(frames)?;
        let mut rate = Array2::zeros((self.rows, self.columns));
        // Where charge transfer was undone, that amplified the read noise by the distance from the register: pairs of darks show by how much.
        let times: Vec<f64> = frames.iter().map(|i| i.observation.time_s).collect();
        let of_pairs = self.cleaner.as_ref().is_some_and(Cleaner::undoes_transfer) && times.windows(2).any(|t| t[0] == t[1]);
        let mut scatter = vec![0.0; self.rows];
        self.bands(frames.len(), 2).visit(&|k, rows| self.read(&frames[k], rows), &mut |rows, band| {
            let row = |y: usize| {
                let gain = spread(self.layout, y, self.columns, &gain);
                let mut stack = self.rows_of(band, y, Some(bias));
                for (row, frame) in stack.iter_mut().zip(frames) {
                    row.iter_mut().zip(&gain).for_each(|(v, g)| *v = (f64::from(*v) * g / frame.observation.time_s) as f32);
                }
                stack
            };
            if of_pairs {
                let measured: Vec<f64> = rows.clone().into_par_iter().map(|y| noise2(&row(y), &times)).collect();
                scatter[rows.clone()].copy_from_slice(&measured);
            }
            let noise = |y: usize, rate: f64| (scatter[y].max(read * read) + (rate * time_s).max(0.0)).sqrt() / time_s;
            self.combine(Combine::WithoutHits, rows, &row, Some(&noise), &mut rate);
            Ok(())
        })?;
        let mean = |f: &dyn Fn(f64) -> f64| frames.iter().map(|i| f(i.observation.time_s)).sum::<f64>() / frames.len() as f64;
        let (inverse_time_s, inverse_square) = (mean(&|t| 1.0 / t), mean(&|t| 1.0 / (t * t)));
        self.notes.push(format!("dark: mean of {} frames without hits", frames.len()));
        let (factor, amplified) = (
            Combine::WithoutHits.variance_factor(frames.len()),
            if of_pairs { self.amplified(&scatter, read_noise) } else { vec![1.0; self.rows] },
        );
        Ok(Some(MadeDark { rate, inverse_time_s, inverse_square, factor, amplified }))
    }

    /// Variance of every row besides shot noise in units of the read noise's, from blocks of rows.
    fn amplified(&self, scatter: &[f64], read_noise: &[Measured]) -> Vec<f64> {
        let squares: Vec<f64> = read_noise.iter().map(|m| m.value * m.value).collect();
        let mut amplified = vec![1.0; self.rows];
        for (block, rows) in amplified.chunks_mut(BLOCK).enumerate() {
            let measured = &scatter[block * BLOCK..][..rows.len()];
            let read2 = spread(self.layout, block * BLOCK, self.columns, &squares).iter().sum::<f64>() / self.columns as f64;
            let ratio = measured.iter().sum::<f64>() / measured.len() as f64 / read2;
            rows.fill(ratio.max(LEAST));
        }
        amplified
    }
}

/// Rows whose noise is measured together.
const BLOCK: usize = 64;
/// Share of the read noise's variance that stays at least.
const LEAST: f64 = 0.1;
/// Differences further from the middle, in standard deviations, are of hits.
const CLIP: f64 = 5.0;

/// Variance of a row besides the shot noise of its charge \[electron^2\], from the differences of successive darks of one exposure time; the
/// rows are rates \[electron / s\].
fn noise2(stack: &[Vec<f32>], times: &[f64]) -> f64 {
    let (mut sum, mut pairs) = (0.0, 0.0);
    for (two, time) in stack.windows(2).zip(times.windows(2)).filter(|(_, t)| t[0] == t[1]) {
        let difference: Vec<f64> = two[0].iter().zip(&two[1]).map(|(a, b)| time[0] * f64::from(a - b)).collect();
        let middle = median(&mut difference.clone()).unwrap_or(0.0);
        let reach = CLIP * SIGMA_PER_MAD * median(&mut difference.iter().map(|d| (d - middle).abs()).collect::<Vec<_>>()).unwrap_or(0.0);
        let near = || difference.iter().enumerate().filter(|(_, d)| (**d - middle).abs() <= reach);
        let count = near().count().max(2) as f64;
        let mean = near().map(|(_, d)| d).sum::<f64>() / count;
        let variance = near().map(|(_, d)| (d - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let charge = near().map(|(x, _)| 0.5 * time[0] * f64::from(two[0][x] + two[1][x])).sum::<f64>() / count;
        sum += 0.5 * variance - charge.max(0.0);
        pairs += 1.0;
    }
    sum / f64::max(pairs, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::noise;
    use sim_core::stream::StreamKey;

    #[test]
    fn pairs_of_darks_show_their_noise_besides_the_charge_and_hits_do_not_matter() {
        let (time, charge, sigma, columns) = (900.0_f64, 18.0_f32, 6.0_f32, 20_000);
        let row = |k: u64| {
            let mut row = vec![charge; columns];
            noise::poisson(&StreamKey::new(3).stream(k), 0, &mut row);
            noise::add_normals(&StreamKey::new(4).stream(k), 0, sigma, &mut row);
            row[(97 * k + 5) as usize] += 4000.0;
            row.into_iter().map(|v| v / time as f32).collect::<Vec<f32>>()
        };
        let stack: Vec<Vec<f32>> = (0..5).map(row).collect();
        let found = noise2(&stack, &[time; 5]);
        // Four pairs that share frames: 54 (2 / 60,000)^0.5 or so.
        assert!((found - 36.0).abs() < 1.5, "{found}");
        assert_eq!(noise2(&stack[..2], &[900.0, 300.0]), 0.0, "no pair of one exposure time");
    }
}
