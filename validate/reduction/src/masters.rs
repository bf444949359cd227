//! Masters from calibration exposures: bias, gain and read noise, dark, shutter map, flat, with propagated errors.
//!
//! # Formula
//! bias `B = median(c_k)`, `Var = m_N r^2`; dark `D = <g (c_k - B) / t_k>`, `Var = h_N [r_e^2 <1/t^2> + D <1/t>]`;
//! flat `F = <q_k>`, `q = [g (c - B) - D t] / [(t + e) K]`, `Var = h_N (F K' + r_e^2) / K'^2 + ...`, normalised to median 1.
//! # Symbols
//! `c` counts after overscan subtraction \[ADU\]; `<>` mean without the smallest and largest; `m_N`, `h_N` variances of median and clipped
//! mean of N normals (`order_statistics`); `r`, `r_e` read noise \[ADU\], \[electron\]; `g` gain; `e` shutter excess \[s\]; `K` level of the
//! frame (its mean), `K' = K (t + e)` \[electron\].
//! # Source
//! Median and mean of the min/max-clipped stack: official pipeline (csster/csst). Bad, hot and warm: its flag definitions.
//! # Limits
//! The error of the master bias is common to all darks and is not in the dark's variance: `DARK` carries the mean of `1/t` so that
//! the user can take the two together (see [`crate::set::DetectorCalibration`]). One exposure time and lamp setting, the best exposed,
//! goes into the flat. The noise of the overscan levels (1/48 of the read noise, common to 32 rows) is not in the masters' variances.

use crate::amplifiers::{add_pairs, by_amplifier, spread};
use crate::combine::Combine;
use crate::error::ReductionError;
use crate::group::Group;
use crate::photon_transfer::{self, PairSums};
use crate::raw_stack::{Bands, RawFrame};
use crate::shutter_fit::{BlockExcess, BlockSignal, ShutterMap, block_excess};
use instruments::product::level0::{Level0Info, read_level0};
use ndarray::{Array2, Axis};
use rayon::prelude::*;
use sim_core::detector::ReadoutLayout;
use sim_core::exposure::ExposureKind;
use sim_core::knowledge::Measured;
use std::collections::BTreeMap;
use std::ops::Range;

/// Largest fraction of pixels at the converter's ceiling in a usable flat.
const SATURATED_FRACTION: f64 = 1e-3;
/// Blocks along the longer side for the shutter fit.
const SHUTTER_BLOCKS: usize = 48;

/// How masters are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalibrationOptions {
    /// Bytes a stack may take at once; more frames are treated in bands of rows.
    pub memory_bytes: usize,
    /// Greatest degree of the shutter polynomial.
    pub shutter_degree: usize,
}

impl Default for CalibrationOptions {
    /// 768 MiB, degree 6 (follows the profile of hinged leaves to 1 % of its amplitude on any chip).
    fn default() -> Self {
        Self { memory_bytes: 768 << 20, shutter_degree: 6 }
    }
}

/// The masters of one detector and window, just made: images, and the numbers that give their variances.
#[derive(Debug, Clone)]
pub struct Made {
    /// Raw layout.
    pub layout: ReadoutLayout,
    /// Read noise by amplifier \[electron\].
    pub read_noise: Vec<Measured>,
    /// Gain by amplifier \[electron / ADU\].
    pub gain: Vec<Measured>,
    /// Largest chi-square per degree of freedom of the photon transfer curves.
    pub transfer_chi2: f64,
    /// Master bias \[ADU\].
    pub bias: Array2<f32>,
    /// Master dark.
    pub dark: Option<MadeDark>,
    /// Master flat.
    pub flat: MadeFlat,
    /// Shutter map.
    pub shutter: Option<ShutterMap>,
    /// What was decided on the way, for the products' HISTORY.
    pub notes: Vec<String>,
    /// Variance of the master bias by amplifier \[ADU^2\].
    pub bias_variance: Vec<f64>,
}

/// The dark.
#[derive(Debug, Clone)]
pub struct MadeDark {
    /// Rate \[electron / s\].
    pub rate: Array2<f32>,
    /// Mean of 1 / t of the frames \[1 / s\].
    pub inverse_time_s: f64,
    /// Mean of 1 / t^2 \[1 / s^2\].
    inverse_square: f64,
    /// Variance of the combination in units of a frame's.
    factor: f64,
}

/// The flat.
#[derive(Debug, Clone)]
pub struct MadeFlat {
    /// Response, median 1.
    pub response: Array2<f32>,
    /// Electrons of a pixel of response 1 in one frame.
    level_electron: f64,
    /// Nominal exposure time of the frames \[s\].
    time_s: f64,
    /// Variance of the combination in units of a frame's.
    factor: f64,
}

impl Made {
    fn squares(values: &[Measured]) -> Vec<f64> {
        values.iter().map(|m| m.value * m.value).collect()
    }
    /// Variance of the master bias \[ADU^2\].
    #[must_use]
    pub fn bias_variance_image(&self) -> Array2<f32> {
        of_rows(self.bias.dim(), |y, out| {
            let of_amplifier = spread(&self.layout, y, out.len(), &self.bias_variance);
            out.iter_mut().zip(of_amplifier).for_each(|(v, of_amplifier)| *v = of_amplifier as f32);
        })
    }
    /// Variance of the master dark \[electron^2 / s^2\], without the part of the master bias.
    #[must_use]
    pub fn dark_variance(&self, dark: &MadeDark) -> Array2<f32> {
        let read = Self::squares(&self.read_noise);
        of_rows(dark.rate.dim(), |y, out| {
            let read = spread(&self.layout, y, out.len(), &read);
            for ((variance, &rate), read) in out.iter_mut().zip(dark.rate.row(y)).zip(read) {
                *variance = (dark.factor * (read * dark.inverse_square + f64::from(rate).max(0.0) * dark.inverse_time_s)) as f32;
            }
        })
    }
    /// Variance of the master flat.
    #[must_use]
    pub fn flat_variance(&self) -> Array2<f32> {
        let MadeFlat { response, level_electron, time_s, factor } = &self.flat;
        let (rows, columns) = response.dim();
        let level2 = level_electron * level_electron;
        let read = Self::squares(&self.read_noise);
        let bias: Vec<f64> = self.bias_variance.iter().zip(&self.gain).map(|(v, g)| v * g.value * g.value / level2).collect();
        let across = self.shutter.as_ref().map(|map| map.across(columns));
        of_rows(response.dim(), |y, out| {
            let (read, bias) = (spread(&self.layout, y, columns, &read), spread(&self.layout, y, columns, &bias));
            for (x, variance) in out.iter_mut().enumerate() {
                let flat = f64::from(response[(y, x)]).max(0.0);
                let mut sum = factor * (flat * level_electron + read[x]) / level2 + bias[x];
                if let Some(dark) = &self.dark {
                    let rate = f64::from(dark.rate[(y, x)]).max(0.0);
                    sum += dark.factor * (read[x] * dark.inverse_square + rate * dark.inverse_time_s) * time_s * time_s / level2;
                }
                *variance = sum as f32;
            }
            if let (Some(map), Some(across)) = (&self.shutter, &across) {
                map.row(across, y, rows, |x, excess, excess_variance| {
                    let flat = f64::from(response[(y, x)]);
                    out[x] += (excess_variance * (flat / (time_s + excess)).powi(2)) as f32;
                });
            }
        })
    }
    /// Flags of bad, hot and warm pixels for an exposure time.
    #[must_use]
    pub fn defects(&self, time_s: f64) -> Array2<u32> {
        let mut out = self.flat.response.mapv(|f| if (0.5..=1.5).contains(&f) { 0 } else { sim_core::flags::BAD });
        if let Some(dark) = &self.dark {
            let read = Self::squares(&self.read_noise);
            let bias: Vec<f64> =
                self.bias_variance.iter().zip(&self.gain).map(|(v, g)| v * (g.value * dark.inverse_time_s).powi(2)).collect();
            let variance = |amplifier: usize, _: usize, _: usize, rate: f64| {
                dark.factor * (read[amplifier] * dark.inverse_square + rate.max(0.0) * dark.inverse_time_s) + bias[amplifier]
            };
            out.zip_mut_with(&hot_and_warm(&self.layout, &dark.rate, variance, &self.read_noise, time_s), |bits, hot| *bits |= hot);
        }
        out
    }
}

struct Maker<'a> {
    detector: u16,
    layout: &'a ReadoutLayout,
    rows: usize,
    columns: usize,
    options: CalibrationOptions,
    notes: Vec<String>,
}

/// Makes the masters of one group.
///
/// # Errors
/// When a frame cannot be read, there are fewer than three bias frames or no two equal flats, or a measurement fails.
pub fn make(group: &Group, options: CalibrationOptions) -> Result<Made, ReductionError> {
    let Some(first) = group.bias.first().or(group.dark.first()).or(group.flat.first()) else {
        return Err(ReductionError::TooFew { detector: 0, what: "calibration", need: "any exposures", found: 0 });
    };
    let (rows, columns) = first.window.shape();
    let layout = &first.layout;
    let mut maker = Maker { detector: first.geometry.number, layout, rows, columns, options, notes: Vec::new() };
    let (bias, noise_adu, bias_factor) = maker.bias(&group.bias)?;
    let levels = maker.transfer(&group.flat, &bias, &noise_adu)?;
    let gain = by_amplifier(layout, &levels.gain);
    let noise_by_amplifier = by_amplifier(layout, &noise_adu);
    let read_noise = noise_by_amplifier.iter().zip(&gain).map(|(r, g)| {
        let value = r.value * g.value;
        Measured { value, error: value * ((r.error / r.value).powi(2) + (g.error / g.value).powi(2)).sqrt() }
    });
    let read_noise: Vec<Measured> = read_noise.collect();
    let bias_variance = noise_by_amplifier.iter().map(|m| bias_factor * m.value * m.value).collect();
    let dark = maker.dark(&group.dark, &bias, &gain)?;
    let shutter = maker.shutter(&levels, &noise_adu, &gain, dark.as_ref());
    let flat = maker.flat(&group.flat, &levels, &bias, &gain, dark.as_ref(), shutter.as_ref())?;
    let Maker { notes, .. } = maker;
    Ok(Made { layout: layout.clone(), read_noise, gain, transfer_chi2: levels.chi2, bias, dark, flat, shutter, notes, bias_variance })
}

/// What the first walk through the flats gives.
struct FlatLevels {
    /// Gain by tile.
    gain: Vec<Measured>,
    chi2: f64,
    /// Block sums of every flat: `[flat][block]`, \[ADU\].
    blocks: Vec<Vec<f64>>,
    /// Exposure time \[s\] and lamp setting of every flat.
    settings: Vec<(f64, f64)>,
    /// Flats of the same time and setting.
    equal: Vec<Vec<usize>>,
    grid: BlockGrid,
}

impl FlatLevels {
    /// Mean level of a flat over all blocks \[ADU\].
    fn level(&self, flat: usize) -> f64 {
        self.blocks[flat].iter().sum::<f64>() / self.grid.pixels()
    }
}

#[derive(Debug, Clone, Copy)]
struct BlockGrid {
    size: usize,
    across: usize,
    up: usize,
}

impl BlockGrid {
    fn new(rows: usize, columns: usize) -> Self {
        let size = rows.max(columns).div_ceil(SHUTTER_BLOCKS).max(8).min(rows.min(columns));
        Self { size, across: columns / size, up: rows / size }
    }
    fn count(&self) -> usize {
        self.across * self.up
    }
    fn pixels(&self) -> f64 {
        (self.count() * self.size * self.size) as f64
    }
    /// Adds the block sums of a row.
    fn add_row(&self, y: usize, value: impl Fn(usize) -> f64, sums: &mut [f64]) {
        if y / self.size < self.up {
            for block in 0..self.across {
                sums[y / self.size * self.across + block] += (block * self.size..(block + 1) * self.size).map(&value).sum::<f64>();
            }
        }
    }
}

/// Pairs of successive members.
fn pairs(members: &[usize]) -> Vec<(usize, usize)> {
    members.chunks_exact(2).map(|p| (p[0], p[1])).collect()
}

impl Maker<'_> {
    fn bands(&self, count: usize) -> Bands {
        Bands { count, rows: self.rows, columns: self.columns, memory_bytes: self.options.memory_bytes }
    }
    fn failed(&self, what: impl Into<String>, value: f64, range: &'static str) -> ReductionError {
        ReductionError::Measurement { detector: self.detector, what: what.into(), value, range }
    }
    fn read(&self, info: &Level0Info) -> Result<RawFrame, ReductionError> {
        let level0 = read_level0(&info.path)?;
        if matches!(info.observation.kind, ExposureKind::Flat { .. }) {
            let ceiling = level0.pixels.iter().filter(|&&v| v == u16::MAX).count() as f64 / level0.pixels.len() as f64;
            if ceiling > SATURATED_FRACTION {
                return Err(self.failed(
                    format!("saturated fraction of {}", info.path.display()),
                    ceiling,
                    "0..=0.001 (lower the lamp or the time)",
                ));
            }
        }
        RawFrame::new(&level0)
    }
    /// Row `y` of every frame of a band: overscan and bias subtracted \[ADU\].
    fn rows_of(&self, band: &[RawFrame], y: usize, bias: Option<&Array2<f32>>) -> Vec<Vec<f32>> {
        let row = |frame: &RawFrame| {
            let mut out = vec![0.0; self.columns];
            frame.row(self.layout, y, &mut out);
            if let Some(bias) = bias {
                out.iter_mut().zip(bias.row(y)).for_each(|(v, b)| *v -= b);
            }
            out
        };
        band.iter().map(row).collect()
    }
    /// Combines the rows that `row(y)` gives into rows of `out`.
    fn combine(&self, how: Combine, rows: Range<usize>, row: &(dyn Fn(usize) -> Vec<Vec<f32>> + Sync), out: &mut Array2<f32>) {
        let Some(pixels) = out.as_slice_mut() else { unreachable!("a fresh array is one slice") };
        let band = &mut pixels[rows.start * self.columns..rows.end * self.columns];
        band.par_chunks_mut(self.columns).zip(rows).for_each(|(out, y)| {
            let stack = row(y);
            how.row(&stack.iter().map(Vec::as_slice).collect::<Vec<_>>(), out);
        });
    }

    /// Master bias \[ADU\], read noise by tile \[ADU\], variance of the combination in units of a frame's.
    fn bias(&mut self, frames: &[Level0Info]) -> Result<(Array2<f32>, Vec<Measured>, f64), ReductionError> {
        if frames.len() < 3 {
            return Err(ReductionError::TooFew {
                detector: self.detector,
                what: "the master bias",
                need: "three bias frames",
                found: frames.len(),
            });
        }
        let pairs = pairs(&(0..frames.len()).collect::<Vec<_>>());
        let mut sums = vec![vec![PairSums::default(); self.layout.tiles.len()]; pairs.len()];
        let mut image = Array2::zeros((self.rows, self.columns));
        self.bands(frames.len()).visit(&|k| self.read(&frames[k]), &mut |rows, band| {
            let row = |y: usize| self.rows_of(band, y, None);
            add_pairs(self.layout, rows.clone(), &row, &pairs, &mut sums);
            self.combine(Combine::Median, rows, &row, &mut image);
            Ok(())
        })?;
        let mut noise = Vec::new();
        for (tile, place) in self.layout.tiles.iter().enumerate() {
            let of_tile: Vec<PairSums> = sums.iter().map(|pair| pair[tile]).collect();
            let what = || format!("read noise of amplifier {} [ADU]", place.amplifier + 1);
            let measured = photon_transfer::read_noise_adu(&of_tile).ok_or_else(|| self.failed(what(), 0.0, "measurable: two pixels"))?;
            if !(measured.value > 0.0 && measured.value.is_finite()) {
                return Err(self.failed(what(), measured.value, "above 0"));
            }
            noise.push(measured);
        }
        self.notes.push(format!("bias: median of {} frames, read noise from {} pairs", frames.len(), pairs.len()));
        Ok((image, noise, Combine::Median.variance_factor(frames.len())))
    }

    /// First walk through the flats: photon transfer and block sums.
    fn transfer(&mut self, frames: &[Level0Info], bias: &Array2<f32>, noise_adu: &[Measured]) -> Result<FlatLevels, ReductionError> {
        let setting = |f: &Level0Info| match f.observation.kind {
            ExposureKind::Flat { rate_electron_s } => (f.observation.time_s, rate_electron_s),
            _ => unreachable!("grouped as a flat"),
        };
        let settings: Vec<(f64, f64)> = frames.iter().map(setting).collect();
        let mut by_setting: BTreeMap<(u64, u64), Vec<usize>> = BTreeMap::new();
        for (index, (time, lamp)) in settings.iter().enumerate() {
            by_setting.entry((time.to_bits(), lamp.to_bits())).or_default().push(index);
        }
        let equal: Vec<Vec<usize>> = by_setting.into_values().collect();
        let pairs: Vec<(usize, usize)> = equal.iter().flat_map(|members| pairs(members)).collect();
        if pairs.is_empty() {
            return Err(ReductionError::TooFew {
                detector: self.detector,
                what: "the gain",
                need: "two flats of the same exposure time and lamp setting",
                found: frames.len(),
            });
        }
        let grid = BlockGrid::new(self.rows, self.columns);
        let mut sums = vec![vec![PairSums::default(); self.layout.tiles.len()]; pairs.len()];
        let mut blocks = vec![vec![0.0; grid.count()]; frames.len()];
        self.bands(frames.len()).visit(&|k| self.read(&frames[k]), &mut |rows, band| {
            let row = |y: usize| self.rows_of(band, y, Some(bias));
            add_pairs(self.layout, rows.clone(), &row, &pairs, &mut sums);
            blocks.par_iter_mut().zip(band).for_each(|(blocks, frame)| {
                for y in rows.clone() {
                    let row = &self.rows_of(std::slice::from_ref(frame), y, Some(bias))[0];
                    grid.add_row(y, |x| f64::from(row[x]), blocks);
                }
            });
            Ok(())
        })?;
        let (mut gain, mut chi2) = (Vec::new(), 0.0_f64);
        for (tile, place) in self.layout.tiles.iter().enumerate() {
            let of_tile: Vec<PairSums> = sums.iter().map(|pair| pair[tile]).collect();
            let what = || format!("slope of the photon transfer of amplifier {}", place.amplifier + 1);
            let fit = photon_transfer::gain(&of_tile, noise_adu[tile].value)
                .ok_or_else(|| self.failed(what(), 0.0, "above 0: brighter flats are needed"))?;
            chi2 = chi2.max(fit.reduced_chi2);
            gain.push(fit.gain);
        }
        self.notes.push(format!("gain: photon transfer of {} flat pairs at {} levels, worst chi2/dof {chi2:.2}", pairs.len(), equal.len()));
        Ok(FlatLevels { gain, chi2, blocks, settings, equal, grid })
    }

    fn dark(&mut self, frames: &[Level0Info], bias: &Array2<f32>, gain: &[Measured]) -> Result<Option<MadeDark>, ReductionError> {
        if frames.is_empty() {
            self.notes.push("dark: SKIPPED, no dark frames".into());
            return Ok(None);
        }
        let gain: Vec<f64> = gain.iter().map(|m| m.value).collect();
        let mut rate = Array2::zeros((self.rows, self.columns));
        self.bands(frames.len()).visit(&|k| self.read(&frames[k]), &mut |rows, band| {
            let row = |y: usize| {
                let gain = spread(self.layout, y, self.columns, &gain);
                let mut stack = self.rows_of(band, y, Some(bias));
                for (row, frame) in stack.iter_mut().zip(frames) {
                    row.iter_mut().zip(&gain).for_each(|(v, g)| *v = (f64::from(*v) * g / frame.observation.time_s) as f32);
                }
                stack
            };
            self.combine(Combine::Mean, rows, &row, &mut rate);
            Ok(())
        })?;
        let mean = |f: &dyn Fn(f64) -> f64| frames.iter().map(|i| f(i.observation.time_s)).sum::<f64>() / frames.len() as f64;
        let (inverse_time_s, inverse_square) = (mean(&|t| 1.0 / t), mean(&|t| 1.0 / (t * t)));
        self.notes.push(format!("dark: clipped mean of {} frames", frames.len()));
        Ok(Some(MadeDark { rate, inverse_time_s, inverse_square, factor: Combine::Mean.variance_factor(frames.len()) }))
    }

    fn shutter(&mut self, levels: &FlatLevels, noise_adu: &[Measured], gain: &[Measured], dark: Option<&MadeDark>) -> Option<ShutterMap> {
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

    fn flat(
        &mut self,
        frames: &[Level0Info],
        levels: &FlatLevels,
        bias: &Array2<f32>,
        gain: &[Measured],
        dark: Option<&MadeDark>,
        shutter: Option<&ShutterMap>,
    ) -> Result<MadeFlat, ReductionError> {
        // The best exposed set: the most light in all.
        let light = |members: &[usize]| members.iter().map(|&k| levels.level(k)).sum::<f64>();
        let Some(members) = levels.equal.iter().max_by(|a, b| light(a).total_cmp(&light(b))) else { unreachable!("pairs were found") };
        if let Some(&dim) = members.iter().find(|&&k| levels.level(k).is_nan() || levels.level(k) <= 0.0) {
            return Err(self.failed(format!("mean level of {}", frames[dim].path.display()), levels.level(dim), "above 0 ADU"));
        }
        let time_s = levels.settings[members[0]].0;
        let gains: Vec<f64> = gain.iter().map(|m| m.value).collect();
        let mean_gain = levels.gain.iter().map(|m| m.value).sum::<f64>() / levels.gain.len() as f64;
        // Electrons of the mean pixel of every frame: scales each to about 1.
        let scales: Vec<f64> = members.iter().map(|&k| levels.level(k) * mean_gain).collect();
        let across = shutter.map(|map| map.across(self.columns));
        let mut response = Array2::zeros((self.rows, self.columns));
        self.bands(members.len()).visit(&|k| self.read(&frames[members[k]]), &mut |rows, band| {
            let row = |y: usize| {
                let gain = spread(self.layout, y, self.columns, &gains);
                let mut relative_time = vec![1.0; self.columns];
                if let (Some(map), Some(across)) = (shutter, &across) {
                    map.row(across, y, self.rows, |x, excess, _| relative_time[x] = (time_s + excess) / time_s);
                }
                let mut stack = self.rows_of(band, y, Some(bias));
                for (row, scale) in stack.iter_mut().zip(&scales) {
                    for (x, value) in row.iter_mut().enumerate() {
                        let dark = dark.map_or(0.0, |d| f64::from(d.rate[(y, x)]) * time_s);
                        *value = ((f64::from(*value) * gain[x] - dark) / (relative_time[x] * scale)) as f32;
                    }
                }
                stack
            };
            self.combine(Combine::Mean, rows, &row, &mut response);
            Ok(())
        })?;
        let middle = median(&response);
        if middle.is_nan() || middle <= 0.0 {
            return Err(self.failed("median of the flat", f64::from(middle), "above 0"));
        }
        response.par_mapv_inplace(|v| v / middle);
        let level_electron = scales.iter().sum::<f64>() / scales.len() as f64 * f64::from(middle);
        self.notes.push(format!("flat: clipped mean of {} frames of {time_s} s, {level_electron:.0} electron each", members.len()));
        Ok(MadeFlat { response, level_electron, time_s, factor: Combine::Mean.variance_factor(members.len()) })
    }
}

/// An image made row by row.
fn of_rows(shape: (usize, usize), fill: impl Fn(usize, &mut [f32]) + Sync) -> Array2<f32> {
    let mut out = Array2::zeros(shape);
    out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(y, mut row)| {
        if let Some(row) = row.as_slice_mut() {
            fill(y, row);
        }
    });
    out
}

/// Median of an image; of every k-th pixel when there are more than 16 million.
pub(crate) fn median(image: &Array2<f32>) -> f32 {
    let stride = image.len().div_ceil(1 << 24).max(1);
    let mut values: Vec<f32> = image.iter().step_by(stride).copied().collect();
    let at = values.len() / 2;
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}

/// How far a dark must stand out of the median dark to be called hot or warm, in units of its own error.
const SIGNIFICANT: f64 = 4.0;

/// Flags of hot and warm pixels for an exposure time, by the official definitions (csster/csst): hot, dark x t >= RN^2; warm,
/// dark x t above half of it. `variance` of the dark's rate is a function of amplifier, row, column and rate.
///
/// They must also stand out of the median dark by four times the error of their own dark. Without that, the noise of a dark
/// from few frames passes the threshold (0.03-1 % of all pixels), and all pixels are warm in long exposures.
#[must_use]
pub fn hot_and_warm(
    layout: &ReadoutLayout,
    dark: &Array2<f32>,
    variance: impl Fn(usize, usize, usize, f64) -> f64 + Sync,
    read_noise: &[Measured],
    time_s: f64,
) -> Array2<u32> {
    use sim_core::flags::{HOT, WARM};
    let usual = f64::from(median(dark));
    let mut out = Array2::zeros(dark.dim());
    out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(y, mut row)| {
        for (_, tile) in crate::amplifiers::tiles_of_row(layout, y) {
            let noise2 = read_noise[tile.amplifier].value.powi(2);
            for x in crate::amplifiers::columns(tile) {
                let rate = f64::from(dark[(y, x)]);
                let charge = rate * time_s;
                if charge > 0.5 * noise2 && rate - usual > SIGNIFICANT * variance(tile.amplifier, y, x, rate).sqrt() {
                    row[x] |= if charge >= noise2 { HOT } else { WARM };
                }
            }
        }
    });
    out
}
