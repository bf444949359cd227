//! Master dark.

use super::{MadeDark, Maker};
use crate::amplifiers::spread;
use crate::combine::Combine;
use crate::error::ReductionError;
use instruments::product::level0::Level0Info;
use ndarray::Array2;
use sim_core::knowledge::Measured;

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
        let noise = |rate: f64| (read * read + (rate * time_s).max(0.0)).sqrt() / time_s;
        self.clean_first(frames)?;
        let mut rate = Array2::zeros((self.rows, self.columns));
        self.bands(frames.len(), 2).visit(&|k, rows| self.read(&frames[k], rows), &mut |rows, band| {
            let row = |y: usize| {
                let gain = spread(self.layout, y, self.columns, &gain);
                let mut stack = self.rows_of(band, y, Some(bias));
                for (row, frame) in stack.iter_mut().zip(frames) {
                    row.iter_mut().zip(&gain).for_each(|(v, g)| *v = (f64::from(*v) * g / frame.observation.time_s) as f32);
                }
                stack
            };
            self.combine(Combine::Mean, rows, &row, Some(&noise), &mut rate);
            Ok(())
        })?;
        let mean = |f: &dyn Fn(f64) -> f64| frames.iter().map(|i| f(i.observation.time_s)).sum::<f64>() / frames.len() as f64;
        let (inverse_time_s, inverse_square) = (mean(&|t| 1.0 / t), mean(&|t| 1.0 / (t * t)));
        self.notes.push(format!("dark: clipped mean of {} frames", frames.len()));
        Ok(Some(MadeDark { rate, inverse_time_s, inverse_square, factor: Combine::Mean.variance_factor(frames.len()) }))
    }
}
