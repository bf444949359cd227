//! Backward: the inverse of the measured coupling, its error, and flags below saturated sources.

use super::model::{Coupling, Lines, mix, moments, parts};
use crate::effects::rows::{self, tiles_of_row};
use rayon::prelude::*;
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::detector::{AmplifierTile, ReadoutLayout};
use sim_core::flags;
use sim_core::frame::Frame;
use sim_core::knowledge::Knowledge;
use sim_core::memory;
use sim_core::plane::Counts;

/// A correction from a saturated source above this many standard deviations of the read noise is flagged.
const FLAG_SIGMAS: f32 = 1.0;
/// Errors of the coefficients count where they make more than this part of the read variance.
const LEAST_VARIANCE: f32 = 1e-4;

struct Subtract {
    layout: ReadoutLayout,
    undo: Coupling,
    /// Squares of the errors of the coefficients.
    error2: Coupling,
    /// Signal above which the error of a coefficient counts, over all pairs \[adu\].
    uncertain_adu: f32,
    /// Read noise by amplifier \[adu\].
    noise_adu: Vec<f32>,
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn Correction<Counts>>, CorrectionError> {
    let (step, count) = ("crosstalk", knowledge.layout.amplifier_count);
    let unknown = |what| CorrectionError::Unknown { step, what };
    let known = knowledge.crosstalk.as_ref().filter(|c| c.amplifiers == count && c.coefficients.len() == count * count);
    let known = known.ok_or(unknown("a crosstalk matrix"))?;
    let noise = knowledge.read_noise.as_ref().filter(|n| n.len() == count).ok_or(unknown("a read noise for every amplifier"))?;
    let gain = knowledge.gain.as_ref().filter(|g| g.len() == count).ok_or(unknown("a gain for every amplifier"))?;
    let values: Vec<f64> = known.coefficients.iter().map(|c| c.value).collect();
    let errors: Vec<f64> = known.coefficients.iter().map(|c| c.error * c.error).collect();
    let undo = Coupling::undoing(count, &values).ok_or(unknown("a crosstalk matrix that can be inverted"))?;
    let noise_adu: Vec<f32> = noise.iter().zip(gain).map(|(n, g)| (n.value / g.value) as f32).collect();
    let quiet = noise_adu.iter().copied().fold(f32::INFINITY, f32::min);
    let largest = errors.iter().copied().fold(0.0, f64::max).sqrt() as f32;
    let uncertain_adu = LEAST_VARIANCE.sqrt() * quiet / largest;
    Ok(Box::new(Subtract { layout: knowledge.layout.clone(), undo, error2: Coupling::new(count, &errors), uncertain_adu, noise_adu }))
}

/// Pixels, variance and flags of a row.
type Row<'a> = ((&'a mut [f32], &'a mut [f32]), &'a mut [u32]);

impl Subtract {
    /// Saturated pixels of a tile's row: serial number and signal.
    fn saturated(tile: &AmplifierTile, pixels: &[f32], bits: &[u32], out: &mut Vec<(usize, usize, f32)>) {
        for (serial, columns) in parts(tile) {
            let last = columns.len().saturating_sub(1);
            for (k, x) in columns.enumerate() {
                if bits[x] & flags::SATURATED != 0 {
                    out.push((tile.amplifier, serial + if tile.flip_x { last - k } else { k }, pixels[x]));
                }
            }
        }
    }
    fn flag(&self, tile: &AmplifierTile, bits: &mut [u32], sources: &[(usize, usize, f32)]) {
        let count = self.undo.count;
        for (serial, columns) in parts(tile) {
            for &(source, at, signal) in sources.iter().filter(|s| s.1 >= serial && s.1 < serial + columns.len()) {
                let correction = (self.undo.values[tile.amplifier * count + source] * signal).abs();
                if source != tile.amplifier && correction > FLAG_SIGMAS * self.noise_adu[tile.amplifier] {
                    let k = at - serial;
                    bits[if tile.flip_x { columns.end - 1 - k } else { columns.start + k }] |= flags::CROSSTALK;
                }
            }
        }
    }
    fn moment(&self, lines: &mut Lines, rows: Vec<(usize, Row<'_>)>) {
        let layout = &self.layout;
        lines.clear();
        let mut sources = Vec::new();
        for (raw_y, ((pixels, _), bits)) in &rows {
            for (_, tile) in tiles_of_row(layout, *raw_y) {
                lines.gather(tile, pixels);
                Self::saturated(tile, pixels, bits, &mut sources);
            }
        }
        lines.signal.iter_mut().for_each(|v| *v = if v.is_finite() { *v } else { 0.0 });
        lines.mix(&self.undo);
        let bright = lines.signal.iter().any(|v| v.abs() > self.uncertain_adu);
        let mut rows = rows;
        for (raw_y, ((pixels, _), bits)) in &mut rows {
            for (_, tile) in tiles_of_row(layout, *raw_y) {
                lines.scatter(tile, |x, change| pixels[x] += change);
                if !sources.is_empty() {
                    self.flag(tile, bits, &sources);
                }
            }
        }
        if bright {
            lines.signal.iter_mut().for_each(|v| *v *= *v);
            mix(&self.error2.values, self.error2.count, &lines.signal, lines.width, &mut lines.change);
            for (raw_y, ((_, variance), _)) in &mut rows {
                for (_, tile) in tiles_of_row(layout, *raw_y) {
                    lines.scatter(tile, |x, change| variance[x] += change);
                }
            }
        }
    }
}

impl Correction<Counts> for Subtract {
    fn correct(&self, frame: &mut Frame<Counts>) -> Result<StepStatus, CorrectionError> {
        let layout = &self.layout;
        let shape = (layout.rows, layout.columns);
        rows::need_reference("crosstalk", shape, frame.pixels.dim())?;
        let width = layout.columns.max(1);
        let pixels = rows::as_slice_mut(&mut frame.pixels).chunks_mut(width);
        let variance = rows::as_slice_mut(frame.variance.get_or_insert_with(|| memory::zeros(shape))).chunks_mut(width);
        let bits = rows::as_slice_mut(frame.flags.get_or_insert_with(|| memory::zeros(shape))).chunks_mut(width);
        let moments = moments(layout, pixels.zip(variance).zip(bits));
        moments.into_par_iter().for_each_init(|| Lines::new(layout), |lines, rows| self.moment(lines, rows));
        Ok(StepStatus::Done)
    }
}
