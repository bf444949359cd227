//! Truth of trails: a table, and an image of their electrons. Both come from the lines that the effect draws.

use super::apply::Trails;
use ndarray::Array2;
use sim_core::effect::Context;
use sim_core::moving::{Mover, Movers, OrbitTruth};
use sim_core::table::{Column, ColumnData, Table};

/// One trail as a window sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct TrailRow {
    /// What left it.
    pub mover: Mover,
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
    /// The truth of an exposure that had `given` in front of it, with the image if `image`.
    #[must_use]
    pub fn truth(&self, cx: &Context<'_>, given: Option<&Movers>, image: bool) -> TrailTruth {
        let window = cx.window;
        let mut electrons = image.then(|| Array2::<f32>::zeros(window.shape()));
        let mut rows = Vec::new();
        let mut row = vec![0.0; window.nx];
        for (mover, lines) in self.lines(cx, given) {
            let mut sum = 0.0;
            for y in 0..window.ny {
                if !lines.iter().any(|line| line.has_row(window.y0 + y)) {
                    continue;
                }
                row.fill(0.0);
                lines.iter().for_each(|line| line.shine(window.y0 + y, window.x0, &mut row));
                sum += row.iter().map(|&v| f64::from(v)).sum::<f64>();
                if let Some(image) = &mut electrons {
                    image.row_mut(y).iter_mut().zip(&row).for_each(|(pixel, v)| *pixel += v);
                }
            }
            if sum > 0.0 {
                let (from, to) = (mover.path[0], mover.path[mover.path.len() - 1]);
                let length: f64 = mover.path.windows(2).map(|s| (s[1].0 - s[0].0).hypot(s[1].1 - s[0].1)).sum();
                let density = mover.electrons / length.max(1e-3);
                rows.push(TrailRow { from, to, density, electrons_in_frame: sum, mover });
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
    let orbit = |get: fn(&OrbitTruth) -> f64| ColumnData::F64(rows.iter().map(|r| r.mover.orbit.as_ref().map_or(f64::NAN, get)).collect());
    Table {
        name: "TRAILS".into(),
        columns: vec![
            column(
                "TRAIL_ID",
                "",
                "number in its catalogue or in the exposure, the same in all detectors",
                ColumnData::I64(rows.iter().map(|r| r.mover.id).collect()),
            ),
            column("KIND", "", "satellite or asteroid", ColumnData::Text(rows.iter().map(|r| r.mover.kind.name().to_string()).collect())),
            column("X0", "pixel", "column of the start, 0-based detector pixels", f64s(|r| r.from.0)),
            column("Y0", "pixel", "row of the start, 0-based detector pixels", f64s(|r| r.from.1)),
            column("X1", "pixel", "column of the end", f64s(|r| r.to.0)),
            column("Y1", "pixel", "row of the end", f64s(|r| r.to.1)),
            column("MAG", "mag", "AB magnitude in the band", f64s(|r| r.mover.magnitude)),
            column("RATE", "arcsec/s", "angular rate", f64s(|r| r.mover.rate_arcsec_s)),
            column("BLUR", "arcsec", "diameter of the disc of defocus", f64s(|r| r.mover.blur_arcsec)),
            column("DENSITY", "electron/pixel", "expected electrons per pixel of length", f64s(|r| r.density)),
            column("ELECTRONS_IN", "electron", "expected electrons inside the frame", f64s(|r| r.electrons_in_frame)),
            column("NAME", "", "name in its catalogue", ColumnData::Text(rows.iter().map(|r| r.mover.name.clone()).collect())),
            column("RA0", "deg", "right ascension of the start as the frame shows it", orbit(|o| o.from_deg.0)),
            column("DEC0", "deg", "declination of the start", orbit(|o| o.from_deg.1)),
            column("RA1", "deg", "right ascension of the end", orbit(|o| o.to_deg.0)),
            column("DEC1", "deg", "declination of the end", orbit(|o| o.to_deg.1)),
            column("T0", "s", "time of the start after the start of the exposure", orbit(|o| o.from_s)),
            column("T1", "s", "time of the end", orbit(|o| o.to_s)),
            column("DISTANCE", "km", "distance from the telescope", orbit(|o| o.distance_km)),
            column("PHASE", "deg", "angle Sun - object - telescope", orbit(|o| o.phase_deg)),
            column("H", "mag", "absolute magnitude; of a satellite at 1000 km and a phase of 90 deg", orbit(|o| o.absolute_magnitude)),
        ],
    }
}
