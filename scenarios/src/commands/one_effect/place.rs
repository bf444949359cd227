//! Where an image lies on its detector, and the raw layout it has.

use super::OneEffect;
use super::image::Input;
use anyhow::{Context as _, ensure};
use instruments::description::{DetectorSpec, Instrument};
use sim_core::detector::{ReadoutLayout, Scans};
use sim_core::frame::Window;

/// A place on a detector.
pub struct Place {
    /// Science pixels covered.
    pub window: Window,
    /// Raw layout of counts there.
    pub layout: ReadoutLayout,
    /// Shape of the image read (rows, columns).
    shape: (usize, usize),
}

impl Place {
    /// From the options, else the header. `raw`: the image is on the counts plane, so it has the layout's shape.
    pub fn find(options: &OneEffect, input: &Input, spec: &DetectorSpec, raw: bool, effect: &str) -> anyhow::Result<Self> {
        let full = spec.geometry.full_window();
        let shape = input.shape();
        let in_header = |key: &str| input.header_i64(key).and_then(|v| usize::try_from(v).ok());
        let (x0, y0) = match &options.origin {
            Some(text) => text
                .split_once(',')
                .and_then(|(x, y)| Some((x.trim().parse::<usize>().ok()?, y.trim().parse::<usize>().ok()?)))
                .with_context(|| format!("--origin {text:?}: write X0,Y0 in whole pixels from 0"))?,
            None => (in_header("WINX0").unwrap_or(0), in_header("WINY0").unwrap_or(0)),
        };
        let has_scans = input.header_text("SCANS") == Some("full");
        let scans = if options.scans || has_scans { Scans::Full } else { Scans::Trimmed };
        let fits = |window: &Window| {
            let ends = [(window.x0, window.nx, full.nx), (window.y0, window.ny, full.ny)];
            ends.into_iter().all(|(start, n, whole)| start.checked_add(n).is_some_and(|end| end <= whole))
        };
        let off = |window: Window| {
            let Window { nx, ny, .. } = window;
            let raw_frame = ReadoutLayout::new(&spec.geometry, full, Scans::Full);
            let hint = match (shape == (raw_frame.rows, raw_frame.columns), raw, scans) {
                (true, true, Scans::Trimmed) => "it has the size of a raw frame: give --scans".to_string(),
                (true, false, _) => {
                    format!("it has the size of a raw frame, and {effect} acts on its science pixels: `correct digitise` first")
                }
                _ => "choose --instrument, --detector and --origin".into(),
            };
            format!(
                "the image of {nx} x {ny} at {x0},{y0} does not lie on the {} x {} detector {}; {hint}",
                full.nx, full.ny, spec.geometry.number
            )
        };
        if raw && scans == Scans::Full {
            let known = (in_header("WINNX"), in_header("WINNY"));
            let (nx, ny) =
                if let (Some(nx), Some(ny)) = known { (nx, ny) } else { (full.nx.saturating_sub(x0), full.ny.saturating_sub(y0)) };
            let window = Window { x0, y0, nx, ny };
            ensure!(nx > 0 && ny > 0 && fits(&window), off(window));
            let layout = ReadoutLayout::new(&spec.geometry, window, Scans::Full);
            ensure!(
                (layout.rows, layout.columns) == shape,
                "with scans the image must be {} x {} (a window of {nx} x {ny}), it is {} x {}",
                layout.columns,
                layout.rows,
                shape.1,
                shape.0
            );
            return Ok(Self { window, layout, shape });
        }
        let window = Window { x0, y0, nx: shape.1, ny: shape.0 };
        ensure!(fits(&window), off(window));
        Ok(Self { window, layout: ReadoutLayout::new(&spec.geometry, window, scans), shape })
    }

    /// What was taken, in words.
    pub fn summary(&self, instrument: &Instrument, spec: &DetectorSpec, time_s: f64) -> String {
        let Window { x0, y0, nx, ny } = self.window;
        let scans = if self.shape == (ny, nx) { "" } else { " with scans" };
        format!("{} detector {}, {nx} x {ny} pixels at {x0},{y0}{scans}, {time_s} s", instrument.name, spec.geometry.number)
    }
}
