//! Backward: flags where the background is high.

use crate::effects::rows;
use crate::effects::sky::mesh::Mesh;
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::flags;
use sim_core::frame::Frame;
use sim_core::knowledge::Knowledge;
use sim_core::median::median;
use sim_core::plane::Light;

/// Cell of the mesh \[pixel\].
const CELL: usize = 512;
/// Standard deviations of a pixel by which the level must exceed the darkest tenth.
const SIGMAS: f32 = 0.5;
/// Part of the darkest tenth's level by which it must, too: the sky itself is not even.
const PART: f32 = 0.05;

struct FlagScattered;

pub(super) fn make(_: &Knowledge) -> Result<Box<dyn Correction<Light>>, CorrectionError> {
    Ok(Box::new(FlagScattered))
}

impl Correction<Light> for FlagScattered {
    fn correct(&self, frame: &mut Frame<Light>) -> Result<StepStatus, CorrectionError> {
        if frame.pixels.len() < 256 {
            return Ok(StepStatus::Skipped("too few pixels for a background".into()));
        }
        let mesh = Mesh::estimate(&frame.pixels, frame.flags.as_ref(), CELL);
        let mut levels: Vec<f32> = mesh.level.iter().copied().collect();
        let tenth = levels.len() / 10;
        let dark = *levels.select_nth_unstable_by(tenth, f32::total_cmp).1;
        let sigma = median(&mut mesh.sigma.iter().copied().collect::<Vec<f32>>()).unwrap_or(0.0);
        let limit = dark + (SIGMAS * sigma).max(PART * dark.abs());
        if mesh.level.iter().all(|&level| level <= limit) {
            return Ok(StepStatus::Done);
        }
        rows::reduce_flags(frame, |y, row, bits| {
            let mut level = vec![0.0; row.len()];
            mesh.level_row(y, &mut level);
            for (bit, &level) in bits.iter_mut().zip(&level) {
                if level > limit {
                    *bit |= flags::SCATTERED;
                }
            }
        });
        Ok(StepStatus::Done)
    }
}
