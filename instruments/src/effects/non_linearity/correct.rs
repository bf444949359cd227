//! Backward: bends every amplifier's counts back.

use super::model::{Curve, TERMS, bend_with_variance};
use crate::effects::rows::{self, ReducedRow, tiles_of_row};
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::detector::ReadoutLayout;
use sim_core::flags::NONLINEAR;
use sim_core::frame::Frame;
use sim_core::knowledge::{Knowledge, Linearity};
use sim_core::plane::Counts;

/// Curves that turn measured counts into linear ones.
pub struct Linearise {
    layout: ReadoutLayout,
    /// By amplifier number; every amplifier of the layout has one.
    curves: Vec<Option<Curve>>,
}

impl Linearise {
    /// From what calibration knows.
    ///
    /// # Errors
    /// When an amplifier of the window has no calibrated response.
    pub fn new(linearity: &Linearity, layout: &ReadoutLayout) -> Result<Self, CorrectionError> {
        let unknown = |what| CorrectionError::Unknown { step: "non_linearity", what };
        let curves: Vec<Option<Curve>> = linearity
            .amplifiers
            .iter()
            .map(|a| a.as_ref().and_then(|a| Curve::new(&a.values(), linearity.scale_adu, a.ceiling_adu)))
            .collect();
        if linearity.amplifiers.iter().flatten().any(|a| a.coefficients.len() > TERMS) {
            return Err(unknown("a response of at most six terms"));
        }
        if layout.tiles.iter().any(|t| curves.get(t.amplifier).is_none_or(Option::is_none)) {
            return Err(unknown("the response of every amplifier"));
        }
        Ok(Self { layout: layout.clone(), curves })
    }
    /// Turns counts above bias of an amplifier into linear counts; calibration uses it on rows of flats.
    pub fn row(&self, amplifier: usize, counts: &mut [f32]) {
        if let Some(Some(curve)) = self.curves.get(amplifier) {
            super::model::bend(counts, curve);
        }
    }
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn Correction<Counts>>, CorrectionError> {
    let unknown = CorrectionError::Unknown { step: "non_linearity", what: "the response of the amplifiers" };
    let linearity = knowledge.linearity.as_ref().ok_or(unknown)?;
    Ok(Box::new(Linearise::new(linearity, &knowledge.layout)?))
}

impl Correction<Counts> for Linearise {
    fn correct(&self, frame: &mut Frame<Counts>) -> Result<StepStatus, CorrectionError> {
        let layout = &self.layout;
        rows::need_reference("non_linearity", (layout.rows, layout.columns), frame.pixels.dim())?;
        rows::reduce(frame, |ReducedRow { y, pixels, variance, flags }| {
            for (_, tile) in tiles_of_row(layout, y) {
                // Scans still hold the electronic level; they are cut off next.
                let area = tile.raw_science;
                let (true, Some(curve)) = (y >= area.y0 && y < area.y0 + area.ny, &self.curves[tile.amplifier]) else { continue };
                let columns = area.x0..area.x0 + area.nx;
                let (pixels, flags) = (&mut pixels[columns.clone()], &mut flags[columns.clone()]);
                for (pixel, bits) in pixels.iter().zip(flags) {
                    *bits |= if *pixel > curve.ceiling() { NONLINEAR } else { 0 };
                }
                bend_with_variance(pixels, &mut variance[columns], curve);
            }
        });
        Ok(StepStatus::Done)
    }
}
