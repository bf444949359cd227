//! Truth of trails: a table, and an image of their electrons. Both come from the lines that the effect draws.

use super::apply::Trails;
use super::population::{Trail, TrailKind};
use ndarray::Array2;
use sim_core::effect::Context;
use sim_core::table::{Column, ColumnData, Table};

/// One trail as a window sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrailRow {
    /// The trail.
    pub trail: Trail,
    /// Start, 0-based detector pixels.
    pub from: (f64, f64),
    /// End, 0-based detector pixels.
    pub to: (f64, f64),
    /// Electrons per pixel of length.
    pub density: f64,
    /// Electrons in the window, before any response.
    pub electrons_in_frame: f64,
}

/// The trails of one exposure in one window.
#[derive(Debug, Clone)]
pub struct TrailTruth {
    /// Trails with light in the window.
    pub rows: Vec<TrailRow>,
    /// Expected electrons `[y, x]` of all of them, before any response, when asked for.
    pub electrons: Option<Array2<f32>>,
}

impl Trails {
    /// The truth of an exposure, with the image if `image`.
    #[must_use]
    pub fn truth(&self, cx: &Context<'_>, image: bool) -> TrailTruth {
        let window = cx.window;
        let mut electrons = image.then(|| Array2::<f32>::zeros(window.shape()));
        let mut rows = Vec::new();
        let mut row = vec![0.0; window.nx];
        for (trail, line) in self.lines(cx) {
            let mut sum = 0.0;
            for y in 0..window.ny {
                row.fill(0.0);
                line.shine(window.y0 + y, window.x0, &mut row);
                sum += row.iter().map(|&v| f64::from(v)).sum::<f64>();
                if let Some(image) = &mut electrons {
                    image.row_mut(y).iter_mut().zip(&row).for_each(|(pixel, v)| *pixel += v);
                }
            }
            if sum > 0.0 {
                let to = (line.from.0 + line.length * line.along.0, line.from.1 + line.length * line.along.1);
                let density = line.electrons / line.length;
                rows.push(TrailRow { trail, from: line.from, to, density, electrons_in_frame: sum });
            }
        }
        TrailTruth { rows, electrons }
    }
}

/// The trails as a table.
#[must_use]
pub fn trail_table(rows: &[TrailRow]) -> Table {
    let f64s = |get: fn(&TrailRow) -> f64| ColumnData::F64(rows.iter().map(get).collect());
    let column = Column::new;
    let kind = |r: &TrailRow| if r.trail.kind == TrailKind::Satellite { "satellite" } else { "asteroid" }.to_string();
    Table {
        name: "TRAILS".into(),
        columns: vec![
            column(
                "TRAIL_ID",
                "",
                "number in the exposure, the same in all detectors",
                ColumnData::I64(rows.iter().map(|r| i64::from(r.trail.id)).collect()),
            ),
            column("KIND", "", "satellite or asteroid", ColumnData::Text(rows.iter().map(kind).collect())),
            column("X0", "pixel", "column of the start, 0-based detector pixels", f64s(|r| r.from.0)),
            column("Y0", "pixel", "row of the start, 0-based detector pixels", f64s(|r| r.from.1)),
            column("X1", "pixel", "column of the end", f64s(|r| r.to.0)),
            column("Y1", "pixel", "row of the end", f64s(|r| r.to.1)),
            column("MAG", "mag", "AB magnitude in the band", f64s(|r| r.trail.magnitude)),
            column("RATE", "arcsec/s", "angular rate", f64s(|r| r.trail.rate_arcsec_s)),
            column("BLUR", "arcsec", "diameter of the disc of defocus", f64s(|r| r.trail.blur_arcsec)),
            column("DENSITY", "electron/pixel", "expected electrons per pixel of length", f64s(|r| r.density)),
            column("ELECTRONS_IN", "electron", "expected electrons inside the frame", f64s(|r| r.electrons_in_frame)),
        ],
    }
}
