//! The light of single orders in two dimensions: own, and that of all others around it.
//!
//! # Formula
//! others = frame - own, on the smallest box that holds all the pixels which the order was drawn on
//! # Source
//! The stamps of the drawing itself: own light is what was added to the frame.
//! # Limits
//! Boxes end at the window. The difference has the rounding of single precision, 1e-7 of the frame's pixel.
//! # Twin
//! The contamination that the extraction states.

use super::super::paint::Stamp;
use super::super::render::overlap;
use ndarray::{Array2, s};
use sim_core::frame::{Frame, Window};
use sim_core::plane::Light;
use sim_core::table::{Column, ColumnData, Table};
use std::collections::BTreeMap;

/// Own light of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Cutout {
    /// Number of the source.
    pub id: u64,
    /// Grating, by its place in the list.
    pub grating: usize,
    /// Number of the order.
    pub order: i32,
    /// The box on the detector.
    pub window: Window,
    /// Expected electrons of the order, `(window.ny, window.nx)`.
    pub own: Array2<f32>,
}

impl Cutout {
    /// Expected electrons of all other light in the box, of the frame that the order was drawn into.
    ///
    /// # Panics
    /// When the box is not within the frame.
    #[must_use]
    pub fn others(&self, light: &Frame<Light>) -> Array2<f32> {
        let (y, x) = (self.window.y0 - light.window.y0, self.window.x0 - light.window.x0);
        &light.pixels.slice(s![y..y + self.window.ny, x..x + self.window.nx]) - &self.own
    }
}

/// Stamps of orders as they come, by source and order.
pub(super) struct Kept {
    window: Window,
    /// Expected electrons from which on an order is kept.
    least: f64,
    boxes: BTreeMap<(usize, usize), (Window, Array2<f32>)>,
}

impl Kept {
    pub(super) fn new(window: Window, least: f64) -> Self {
        Self { window, least, boxes: BTreeMap::new() }
    }
    /// Adds a stamp of an order with so many electrons in all.
    pub(super) fn add(&mut self, order: (usize, usize), electrons: f64, stamp: &Stamp) {
        let w = self.window;
        let (true, Some((sx, wx, nx)), Some((sy, wy, ny))) =
            (electrons >= self.least, overlap(stamp.x0, stamp.nx, w.x0, w.nx), overlap(stamp.y0, stamp.ny, w.y0, w.ny))
        else {
            return;
        };
        let new = Window { x0: w.x0 + wx, y0: w.y0 + wy, nx, ny };
        let (held, own) = self.boxes.entry(order).or_insert_with(|| (new, Array2::zeros((ny, nx))));
        let both = around(*held, new);
        if both != *held {
            let mut wider = Array2::zeros((both.ny, both.nx));
            part(&mut wider, both, *held).assign(own);
            (*held, *own) = (both, wider);
        }
        let mut to = part(own, *held, new);
        for (y, mut row) in to.rows_mut().into_iter().enumerate() {
            let from = &stamp.pixels[(sy + y) * stamp.nx + sx..][..nx];
            row.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        }
    }
    /// The orders kept, by source and order; `name` gives source, grating and number.
    pub(super) fn finish(self, name: impl Fn((usize, usize)) -> (u64, usize, i32)) -> Vec<Cutout> {
        let cutout = |(at, (window, own))| {
            let (id, grating, order) = name(at);
            Cutout { id, grating, order, window, own }
        };
        self.boxes.into_iter().map(cutout).collect()
    }
}

/// The smallest window around two.
fn around(a: Window, b: Window) -> Window {
    let (x0, y0) = (a.x0.min(b.x0), a.y0.min(b.y0));
    Window { x0, y0, nx: (a.x0 + a.nx).max(b.x0 + b.nx) - x0, ny: (a.y0 + a.ny).max(b.y0 + b.ny) - y0 }
}

/// The pixels of a window within those of another.
fn part(pixels: &mut Array2<f32>, all: Window, inner: Window) -> ndarray::ArrayViewMut2<'_, f32> {
    let (y, x) = (inner.y0 - all.y0, inner.x0 - all.x0);
    pixels.slice_mut(s![y..y + inner.ny, x..x + inner.nx])
}

/// The table of boxes: where each lies, and where its pixels begin in the row of pixels of all boxes.
#[must_use]
pub fn cutout_table(cutouts: &[Cutout]) -> Table {
    let column = Column::new;
    let i32s = |get: &dyn Fn(&Cutout) -> usize| ColumnData::I32(cutouts.iter().map(|c| get(c) as i32).collect());
    let mut first = 0;
    let firsts = cutouts.iter().map(|c| {
        first += c.own.len() as i64;
        first - c.own.len() as i64
    });
    Table {
        name: "ORDER_BOXES".into(),
        columns: vec![
            column("OBJ_ID", "", "object number", ColumnData::I64(cutouts.iter().map(|c| c.id as i64).collect())),
            column("ORDER", "", "number of the order", ColumnData::I32(cutouts.iter().map(|c| c.order).collect())),
            column("GRATING", "", "0 before the border, 1 after", i32s(&|c| c.grating)),
            column("X0", "pixel", "first column of the box on the detector, from 0", i32s(&|c| c.window.x0)),
            column("Y0", "pixel", "first row of the box on the detector, from 0", i32s(&|c| c.window.y0)),
            column("NX", "pixel", "columns of the box", i32s(&|c| c.window.nx)),
            column("NY", "pixel", "rows of the box", i32s(&|c| c.window.ny)),
            column("FIRST", "", "its first pixel in ORDER_OWN and ORDER_OTHERS, row by row, from 0", ColumnData::I64(firsts.collect())),
        ],
    }
}

/// Pixels of all boxes one after the other, as an image of one row.
#[must_use]
pub fn in_a_row<'a>(boxes: impl Iterator<Item = &'a Array2<f32>>) -> Array2<f32> {
    let pixels: Vec<f32> = boxes.flatten().copied().collect();
    Array2::from_shape_vec((1, pixels.len()), pixels).unwrap_or_default()
}
