//! Backward: flags full pixels and the ends of their runs.

use crate::effects::full_well::flag_levels;
use crate::effects::rows;
use ndarray::Array2;
use rayon::prelude::*;
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::detector::ReadoutLayout;
use sim_core::flags::{BLEED, SATURATED};
use sim_core::frame::{Frame, Window};
use sim_core::knowledge::Knowledge;
use sim_core::memory;
use sim_core::plane::Charge;

/// Pixels of a word.
const WORD: usize = u64::BITS as usize;

struct FlagBleeding {
    layout: ReadoutLayout,
    window: Window,
    levels: Vec<f32>,
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn Correction<Charge>>, CorrectionError> {
    // Without a level of charge the flags set before are all there is to go by: those of the converter's ceiling.
    let levels = flag_levels(knowledge).unwrap_or_else(|| vec![f32::INFINITY; knowledge.layout.amplifier_count]);
    Ok(Box::new(FlagBleeding { layout: knowledge.layout.clone(), window: knowledge.window, levels }))
}

impl FlagBleeding {
    /// One bit per pixel of a row that is full.
    fn full(&self, y: usize, pixels: &[f32], flags: &[u32]) -> Vec<u64> {
        let mut words = vec![0; pixels.len().div_ceil(WORD)];
        for (tile, columns) in rows::science_tiles_of_row(&self.layout, y) {
            let level = self.levels[tile.amplifier];
            for x in columns {
                let full = pixels[x] >= level || flags[x] & SATURATED != 0;
                words[x / WORD] |= u64::from(full) << (x % WORD);
            }
        }
        words
    }
}

impl Correction<Charge> for FlagBleeding {
    fn correct(&self, frame: &mut Frame<Charge>) -> Result<StepStatus, CorrectionError> {
        let shape = frame.pixels.dim();
        rows::need_reference("bleeding", self.window.shape(), shape)?;
        let width = shape.1.max(1);
        let pixels: &[f32] = rows::as_slice_mut(&mut frame.pixels);
        let flags = rows::as_slice_mut(frame.flags.get_or_insert_with(|| -> Array2<u32> { memory::zeros(shape) }));
        let full: Vec<Vec<u64>> = pixels
            .par_chunks(width)
            .zip(flags.par_chunks(width))
            .enumerate()
            .map(|(y, (pixels, flags))| self.full(y, pixels, flags))
            .collect();
        flags.par_chunks_mut(width).enumerate().for_each(|(y, flags)| {
            let below = y.checked_sub(1).map(|y| &full[y]);
            let above = full.get(y + 1);
            for (k, &own) in full[y].iter().enumerate() {
                let mut word = own | below.map_or(0, |row| row[k]) | above.map_or(0, |row| row[k]);
                while word != 0 {
                    flags[k * WORD + word.trailing_zeros() as usize] |= BLEED | SATURATED;
                    word &= word - 1;
                }
            }
        });
        Ok(StepStatus::Done)
    }
}
