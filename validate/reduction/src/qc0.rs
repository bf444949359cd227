//! QC0: is the raw frame fit for reduction? Header and file are judged by the reader; here the pixels are.
//!
//! A frame without information (all zero, all at the ceiling, or one single value) is refused. Lost rows (all zero, a value
//! that an amplifier with a bias never gives) are flagged NO_DATA. A dead or noisy amplifier is reported.

use crate::error::ReductionError;
use instruments::product::level0::{Level0, Level0Info};
use ndarray::{Array2, s};
use rayon::prelude::*;
use sim_core::detector::Rect;
use sim_core::flags;
use sim_core::knowledge::Measured;

/// An amplifier is noisy above this multiple of its calibrated read noise.
const NOISY: f64 = 2.0;

/// A quality flag: fine, not fine, or not looked at (the official fill value).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Fine: 0.
    Good,
    /// Not fine: 1.
    Bad,
    /// Not evaluated: the fill value, 1.
    Unknown,
}

impl Verdict {
    /// The keyword's value.
    #[must_use]
    pub fn code(self) -> i64 {
        match self {
            Self::Good => 0,
            Self::Bad | Self::Unknown => 1,
        }
    }
    fn of(bad: bool) -> Self {
        if bad { Self::Bad } else { Self::Good }
    }
}

/// What QC0 found.
#[derive(Debug, Clone, PartialEq)]
pub struct Qc0 {
    /// An amplifier gives one value only (Q_DTDEAD).
    pub dead: Verdict,
    /// An amplifier's overscan is noisier than twice its calibrated read noise (Q_DTNOIS).
    pub noisy: Verdict,
    /// Lost rows: (tile of the layout, row of the window).
    pub lost_rows: Vec<(usize, usize)>,
    /// Remarks for the history.
    pub remarks: Vec<String>,
}

impl Qc0 {
    /// STA_QC0: 0 fine, 1 with remarks (2, refused, makes no product).
    #[must_use]
    pub fn status(&self) -> i64 {
        i64::from(!self.remarks.is_empty())
    }
    /// Flags the lost rows.
    pub fn flag(&self, info: &Level0Info, bits: &mut Array2<u32>) {
        for &(tile, y) in &self.lost_rows {
            let science = info.layout.tiles[tile].science;
            bits.slice_mut(s![y, science.x0..science.x0 + science.nx]).mapv_inplace(|b| b | flags::NO_DATA);
        }
    }
}

fn part(pixels: &Array2<u16>, rect: Rect) -> ndarray::ArrayView2<'_, u16> {
    pixels.slice(s![rect.y0..rect.y0 + rect.ny, rect.x0..rect.x0 + rect.nx])
}

/// Standard deviation of the overscan about its rows' means, without the largest outliers, \[ADU\].
fn overscan_noise(pixels: &Array2<u16>, rect: Rect) -> Option<f64> {
    if rect.nx < 4 || rect.ny < 2 {
        return None;
    }
    let mut deviations: Vec<f64> = part(pixels, rect)
        .rows()
        .into_iter()
        .flat_map(|row| {
            let mean = row.iter().map(|&v| f64::from(v)).sum::<f64>() / rect.nx as f64;
            row.iter().map(move |&v| (f64::from(v) - mean).abs()).collect::<Vec<_>>()
        })
        .collect();
    // The 68.27 % quantile of |deviation| is one standard deviation.
    let at = ((deviations.len() as f64 * 0.6827) as usize).min(deviations.len() - 1);
    Some(*deviations.select_nth_unstable_by(at, f64::total_cmp).1)
}

/// Looks at the raw pixels.
///
/// # Errors
/// When the frame holds no information.
pub fn inspect(level0: &Level0, gain: &[Measured], read_noise: &[Measured]) -> Result<Qc0, ReductionError> {
    let pixels = &level0.pixels;
    let extremes: Vec<(u16, u16)> = pixels
        .axis_iter(ndarray::Axis(0))
        .into_par_iter()
        .map(|row| row.iter().fold((u16::MAX, 0), |(low, high), &v| (low.min(v), high.max(v))))
        .collect();
    let (low, high) = extremes.iter().fold((u16::MAX, 0), |(low, high), &(l, h)| (low.min(l), high.max(h)));
    if low >= high {
        let what = match low {
            0 => "all pixels are 0".to_string(),
            u16::MAX => "all pixels are at the converter's ceiling, 65535".into(),
            value => format!("all pixels are {value}"),
        };
        return Err(ReductionError::Refused { path: level0.info.path.clone(), reason: what });
    }
    let mut remarks = Vec::new();
    let (mut dead, mut noisy, mut looked) = (false, false, false);
    let mut lost_rows = Vec::new();
    for (index, tile) in level0.info.layout.tiles.iter().enumerate() {
        let science = part(pixels, tile.raw_science);
        let first = science.first().copied().unwrap_or(0);
        if science.len() > 1 && science.iter().all(|&v| v == first) {
            dead = true;
            remarks.push(format!("amplifier {} is dead: all its pixels are {first}", tile.amplifier + 1));
            continue;
        }
        let lost: Vec<usize> = (0..tile.science.ny).filter(|&y| science.row(y).iter().all(|&v| v == 0)).collect();
        if !lost.is_empty() {
            remarks.push(format!("amplifier {}: {} rows are lost (all zero)", tile.amplifier + 1, lost.len()));
            lost_rows.extend(lost.into_iter().map(|y| (index, tile.science.y0 + y)));
        }
        if let Some(noise) = overscan_noise(pixels, tile.raw_overscan) {
            looked = true;
            let known = read_noise[tile.amplifier].value / gain[tile.amplifier].value;
            // Counts are integers: half an ADU is no excess.
            if noise > NOISY * known.max(0.5) {
                noisy = true;
                remarks.push(format!("amplifier {}: overscan noise {noise:.1} ADU against {known:.1} calibrated", tile.amplifier + 1));
            }
        }
    }
    let noisy = if looked { Verdict::of(noisy) } else { Verdict::Unknown };
    Ok(Qc0 { dead: Verdict::of(dead), noisy, lost_rows, remarks })
}
