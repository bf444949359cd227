//! A coarse level of the sky: below it nothing is light of a source.
//!
//! # Formula
//! The 40 % quantile of every third pixel in squares of 128 x 128: a little below the sky, also in crowded fields. Too low a level is
//! harmless to [`super::steep`] (what is left is smooth light); too high a level would make stars look steep.

use super::field::Field;
use rayon::prelude::*;

const CELL: usize = 128;
const STEP: usize = 3;

/// Levels of the squares.
pub(in crate::effects::cosmic_rays) struct Background {
    columns: usize,
    levels: Vec<f32>,
}

impl Background {
    /// Of a frame.
    pub(in crate::effects::cosmic_rays) fn of(field: &Field<'_>) -> Self {
        let (ny, nx) = field.shape();
        let (rows, columns) = (ny.div_ceil(CELL), nx.div_ceil(CELL));
        let level = |cell: usize| {
            let (y0, x0) = (cell / columns * CELL, cell % columns * CELL);
            let mut values = Vec::with_capacity((CELL / STEP + 1).pow(2));
            for y in (y0..(y0 + CELL).min(ny)).step_by(STEP) {
                for x in (x0..(x0 + CELL).min(nx)).step_by(STEP) {
                    if !field.is_out(y, x) {
                        values.push(field.value(y, x));
                    }
                }
            }
            let at = values.len() * 2 / 5;
            if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(at, f32::total_cmp).1 }
        };
        Self { columns, levels: (0..rows * columns).into_par_iter().map(level).collect() }
    }
    /// Level at a pixel.
    pub(in crate::effects::cosmic_rays) fn at(&self, y: usize, x: usize) -> f32 {
        self.levels[y / CELL * self.columns + x / CELL]
    }
}
