//! Forward: finds the columns with surplus and spreads it.

use super::PARAMETERS;
use super::model::{Ends, spill};
use crate::description::DetectorSpec;
use crate::effects::full_well::Capacity;
use crate::effects::parameters::{self, Parameter, ParameterError};
use crate::effects::rows;
use ndarray::{ArrayViewMut1, Axis};
use rayon::prelude::*;
use sim_core::effect::{Context, Effect, EffectError};
use sim_core::frame::{Frame, Window};
use sim_core::ledger::Ledger;
use sim_core::plane::Charge;

/// Columns handed to a thread at once: a line of cache.
const BLOCK: usize = 16;

struct Bleeding {
    capacity: Capacity,
    /// Rows of the device, and the first of the upper half where no charge passes the midline.
    rows: usize,
    barrier: Option<usize>,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Charge>>, ParameterError> {
    let [barrier] = parameters::read(&spec.parameters, "bleeding", &PARAMETERS)?;
    if barrier.fract() != 0.0 {
        let Parameter { key, unit, low, high, .. } = PARAMETERS[0];
        return Err(ParameterError::Range { effect: "bleeding", key, value: barrier, unit, low, high });
    }
    let rows = spec.geometry.ny;
    let halves = spec.geometry.amplifiers.rows > 1;
    Ok(Box::new(Bleeding { capacity: Capacity::read(spec)?, rows, barrier: (halves && barrier == 1.0).then_some(rows / 2) }))
}

impl Bleeding {
    /// Spreads the surplus of one column; returns the change of its sum.
    fn column(&self, window: Window, x: usize, mut pixels: ArrayViewMut1<'_, f32>, device: &mut [f64]) -> f64 {
        device.fill(0.0);
        for (to, &from) in device[window.y0..].iter_mut().zip(&pixels) {
            *to = f64::from(from);
        }
        let capacity = |y: usize| f64::from(self.capacity.of_pixel(window.x0 + x, y));
        match self.barrier {
            None => spill(device, capacity, Ends::Open),
            Some(middle) => {
                let (lower, upper) = device.split_at_mut(middle);
                spill(lower, capacity, Ends::WallAbove) + spill(upper, |y| capacity(middle + y), Ends::WallBelow)
            }
        };
        let mut change = 0.0;
        for (pixel, &charge) in pixels.iter_mut().zip(&device[window.y0..]) {
            let before = *pixel;
            *pixel = charge as f32;
            change += f64::from(*pixel) - f64::from(before);
        }
        change
    }
}

/// Columns with a pixel above `level`.
fn columns_above(frame: &mut Frame<Charge>, level: f32) -> Vec<bool> {
    let width = frame.pixels.ncols();
    let none = || vec![false; width];
    let either = |mut a: Vec<bool>, b: Vec<bool>| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a |= b);
        a
    };
    let pixels: &[f32] = rows::as_slice_mut(&mut frame.pixels);
    let mark = |mut found: Vec<bool>, row: &[f32]| {
        // Most rows have none: a pass that only asks is fast.
        if row.iter().fold(false, |any, &n| any | (n > level)) {
            found.iter_mut().zip(row).for_each(|(found, &n)| *found |= n > level);
        }
        found
    };
    pixels.par_chunks(width.max(1)).with_min_len(64).fold(none, mark).reduce(none, either)
}

impl Effect<Charge> for Bleeding {
    fn apply(&self, frame: &mut Frame<Charge>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        let window = cx.window;
        rows::need_shape("bleeding", frame, window.shape())?;
        let above = columns_above(frame, self.capacity.lowest());
        let blocks = frame.pixels.axis_chunks_iter_mut(Axis(1), BLOCK).into_par_iter().zip(above.par_chunks(BLOCK)).enumerate();
        let of_block = |device: &mut Vec<f64>, (block, (mut pixels, above)): (usize, (ndarray::ArrayViewMut2<'_, f32>, &[bool]))| {
            let columns = pixels.axis_iter_mut(Axis(1)).enumerate().zip(above).filter(|(_, above)| **above);
            columns.map(|((k, column), _)| self.column(window, block * BLOCK + k, column, device)).sum::<f64>()
        };
        let changes: Vec<f64> = blocks.map_init(|| vec![0.0; self.rows], of_block).collect();
        let mut ledger = Ledger::default();
        // Charge moved within the frame is neither added nor lost.
        ledger.book(changes.into_iter().sum());
        Ok(ledger)
    }
}
