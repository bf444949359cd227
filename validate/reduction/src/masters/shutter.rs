//! Map of the shutter's excess time, from the block sums of flats of different exposure times.

use super::flat_levels::FlatLevels;
use super::{MadeDark, Maker};
use crate::amplifiers::spread;
use crate::shutter_fit::{BlockExcess, BlockSignal, ShutterMap, block_excess};
use sim_core::knowledge::Measured;

impl Maker<'_> {
    /// The map; `None` when the flats have one exposure time.
    pub(super) fn shutter(
        &mut self,
        levels: &FlatLevels,
        noise_adu: &[Measured],
        gain: &[Measured],
        dark: Option<&MadeDark>,
    ) -> Option<ShutterMap> {
        let grid = levels.grid;
        let gains: Vec<f64> = gain.iter().map(|m| m.value).collect();
        let mut dark_adu_s = vec![0.0; grid.count()];
        if let Some(dark) = dark {
            for (y, row) in dark.rate.rows().into_iter().enumerate() {
                let gain = spread(self.layout, y, self.columns, &gains);
                grid.add_row(y, |x| f64::from(row[x]) / gain[x], &mut dark_adu_s);
            }
        }
        let count = levels.gain.len() as f64;
        let gain = levels.gain.iter().map(|m| m.value).sum::<f64>() / count;
        let read = noise_adu.iter().map(|m| m.value * m.value).sum::<f64>() / count;
        let pixels = (grid.size * grid.size) as f64;
        let signal = |block: usize, flat: usize| {
            let (time_s, lamp) = levels.settings[flat];
            let (total, scale) = (levels.blocks[flat][block], lamp * pixels);
            let variance = (total.max(0.0) / gain + pixels * read) / (scale * scale);
            BlockSignal { time_s, signal: (total - dark_adu_s[block] * time_s) / scale, variance }
        };
        let mut excesses = Vec::new();
        for block in 0..grid.count() {
            let signals: Vec<BlockSignal> = (0..levels.settings.len()).map(|flat| signal(block, flat)).collect();
            if let Some((excess_s, variance)) = block_excess(&signals) {
                let centre = |i: usize, n: usize| (2 * i + 1) as f64 * grid.size as f64 / n as f64 - 1.0;
                let (u, v) = (centre(block % grid.across, self.columns), centre(block / grid.across, self.rows));
                excesses.push(BlockExcess { u, v, excess_s, variance });
            }
        }
        let degree = (0..=self.options.shutter_degree).rev().find(|d| 4 * (d + 1) * (d + 2) / 2 <= excesses.len());
        let Some(map) = degree.and_then(|degree| ShutterMap::fit(&excesses, degree)) else {
            self.notes.push("shutter: SKIPPED, flats of two different exposure times are needed".into());
            return None;
        };
        self.notes.push(format!("shutter: degree {} in {} blocks, chi2/dof {:.2}", degree.unwrap_or(0), excesses.len(), map.reduced_chi2));
        Some(map)
    }
}
