//! Backward: flags of the pixels that a bad column spoiled in this frame.

use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::detector::ReadoutLayout;
use sim_core::flags;
use sim_core::frame::{Frame, Window};
use sim_core::knowledge::{ColumnDefect, ColumnFault, Knowledge, Measured};
use sim_core::memory;
use sim_core::plane::Charge;
use std::sync::Arc;

/// Margin of the length of a tail, in standard deviations.
const MARGIN_SIGMAS: f64 = 3.0;
/// Columns on either side whose median stands for the charge that passed a pocket.
const NEIGHBOURS: usize = 2;

struct FlagColumns {
    layout: ReadoutLayout,
    window: Window,
    columns: Arc<Vec<ColumnDefect>>,
    /// Read noise of the noisiest amplifier \[electron\].
    noise_electron: f64,
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn Correction<Charge>>, CorrectionError> {
    let unknown = |what| CorrectionError::Unknown { step: "bad_columns", what };
    let columns = knowledge.columns.clone().ok_or(unknown("a list of bad columns"))?;
    let noise = knowledge.read_noise.as_ref().ok_or(unknown("a read noise for every amplifier"))?;
    let noise_electron = noise.iter().map(|n| n.value).fold(0.0, f64::max);
    Ok(Box::new(FlagColumns { layout: knowledge.layout.clone(), window: knowledge.window, columns, noise_electron }))
}

impl FlagColumns {
    /// How many of the packets that passed a pocket it may have robbed.
    fn tail(&self, frame: &Frame<Charge>, x: usize, packets: impl Iterator<Item = usize>, capacity: Measured) -> usize {
        let (mut passed, mut variance, mut count) = (0.0, capacity.error.powi(2), 0);
        let wanted = capacity.value;
        for y in packets {
            if passed - wanted > MARGIN_SIGMAS * f64::sqrt(variance) {
                break;
            }
            let left = x.saturating_sub(NEIGHBOURS)..x;
            let right = x + 1..(x + 1 + NEIGHBOURS).min(frame.pixels.ncols());
            let mut beside: Vec<f32> = left.chain(right).map(|x| frame.pixels[(y, x)]).collect();
            beside.sort_by(f32::total_cmp);
            let middle = if beside.is_empty() { 0.0 } else { f64::from(beside[(beside.len() - 1) / 2]) };
            passed += middle;
            // The robbed pixel had its own shot noise, the neighbours theirs and their read noise.
            variance += 2.0 * middle.max(0.0) + self.noise_electron.powi(2);
            count += 1;
        }
        count
    }
}

impl Correction<Charge> for FlagColumns {
    fn correct(&self, frame: &mut Frame<Charge>) -> Result<StepStatus, CorrectionError> {
        let shape = frame.pixels.dim();
        crate::effects::rows::need_reference("bad_columns", self.window.shape(), shape)?;
        let mut bits = frame.flags.take().unwrap_or_else(|| memory::zeros(shape));
        for defect in self.columns.iter() {
            let Some((x, packets)) = defect.packets(&self.layout, self.window) else { continue };
            let count = match defect.fault {
                ColumnFault::Blocked => usize::MAX,
                ColumnFault::Pocket { capacity_electron } => self.tail(frame, x, packets.clone(), capacity_electron),
            };
            packets.take(count).for_each(|y| bits[(y, x)] |= flags::BAD_COLUMN);
        }
        frame.flags = Some(bits);
        Ok(StepStatus::Done)
    }
}
