//! Finds lines through a frame that no object of the sky makes.
//!
//! # Formula
//! Pixels less a mesh background, in units of its scatter, cut at +-4, are averaged in blocks; blocks less their own mesh, cut at +-3,
//! less their mean, are summed along all lines ([`super::radon`]): S = sum / (sigma sqrt N), N good blocks of the line. The scatter of S
//! over all lines (1.4826 x median |S|) takes clustered objects into account. The best line, one or two blocks wide, with S > 7 is measured again on pixels,
//! in pieces along its way: light on it against light beside it; it is kept when three in four pieces are brighter, their
//! median contrast is 1.5 standard errors or more, and not less than 0.4 of their mean (stars in a row are uneven). Its place comes from the pieces' profiles, its width from the profile of all.
//! # Source
//! Nir, Zackay & Ofek 2018 (AJ 156, 229: fast Radon transform for streaks); Stark et al. 2022 (ACS ISR 2022-08: Radon transform of masked,
//! binned HST frames, and the test for a signal that goes on along the line).
//! # Limits
//! Straight lines that cross at least a third of the window; lines within two blocks of a column or a row over the
//! window are left to the detector (bad columns, bleeding, noise of whole rows). A trail of few sigma per pixel hides no better than a bright one: see FIGURES.md.

use super::radon::Lines;
use crate::effects::sky::mesh::Mesh;
use ndarray::Array2;
use rayon::prelude::*;
use sim_core::median::median;

/// Cut of a pixel and of a block \[standard deviations\].
const PIXEL_CUT: f32 = 4.0;
const BLOCK_CUT: f32 = 3.0;
/// Least significance of a line.
const LEAST: f32 = 7.0;
/// Trails looked for.
const MOST: usize = 12;
/// Side of the largest image that is transformed.
const SIDE: usize = 1024;
/// Cell of the pixels' background \[pixel\] and of the blocks' \[block\].
const PIXEL_CELL: usize = 512;
const BLOCK_CELL: usize = 24;
/// Pieces along a line.
const PIECES: usize = 24;
/// Least median of the pieces' contrasts \[standard errors\], and over their mean \[1\].
const LEAST_MEDIAN: f64 = 1.5;
const LEAST_EVENNESS: f64 = 0.4;
/// Half of the band that is measured \[block\].
const BAND: f64 = 5.0;

/// A line found, in pixels of the frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FoundTrail {
    /// A point of it.
    pub from: (f64, f64),
    /// Another.
    pub to: (f64, f64),
    /// Half of its width \[pixel\].
    pub half_width: f64,
    /// Significance of the sum along it.
    pub significance: f64,
    /// Light per pixel of length, in the unit of the frame, of the pixels below the cut.
    pub density: f64,
}

impl FoundTrail {
    fn unit(&self) -> (f64, f64) {
        let (dx, dy) = (self.to.0 - self.from.0, self.to.1 - self.from.1);
        let length = dx.hypot(dy).max(1e-9);
        (dx / length, dy / length)
    }
    /// Signed distance of a place from the line \[pixel\].
    #[must_use]
    pub fn distance(&self, x: f64, y: f64) -> f64 {
        let (c, s) = self.unit();
        (x - self.from.0) * s - (y - self.from.1) * c
    }
    /// Columns of row `y` within `half` of the line, clipped to `nx`.
    #[must_use]
    pub fn columns(&self, y: usize, half: f64, nx: usize) -> std::ops::Range<usize> {
        let (c, s) = self.unit();
        let dy = y as f64 - self.from.1;
        let (low, high) = if s.abs() < 1e-6 {
            if dy.abs() <= half { (0.0, nx as f64 - 1.0) } else { return 0..0 }
        } else {
            let (middle, reach) = (self.from.0 + dy * c / s, half / s.abs());
            (middle - reach, middle + reach)
        };
        let first = low.ceil().max(0.0);
        let last = high.floor().min(nx as f64 - 1.0);
        if last < first { 0..0 } else { first as usize..last as usize + 1 }
    }
}

/// A frame in units of its noise.
struct Field<'a> {
    pixels: &'a Array2<f32>,
    flags: Option<&'a Array2<u32>>,
    mesh: Mesh,
    block: usize,
    /// Blocks `[j][i]`; NaN where fewer than a third of the pixels are good.
    blocks: Array2<f32>,
}

/// Background and scatter along a row.
fn level_and_sigma(mesh: &Mesh, y: usize, level: &mut [f32], sigma: &mut [f32]) {
    mesh.level_row(y, level);
    mesh.sigma_row(y, sigma);
}

impl<'a> Field<'a> {
    fn new(pixels: &'a Array2<f32>, flags: Option<&'a Array2<u32>>) -> Self {
        let (ny, nx) = pixels.dim();
        let block = nx.max(ny).div_ceil(SIDE).max((nx.min(ny) / 32).clamp(1, 8));
        let mesh = Mesh::estimate(pixels, flags, PIXEL_CELL);
        let (rows, columns) = (ny / block, nx / block);
        let values: Vec<f32> = (0..rows)
            .into_par_iter()
            .flat_map_iter(|j| {
                let (mut level, mut sigma) = (vec![0.0; nx], vec![0.0; nx]);
                let (mut sum, mut count) = (vec![0.0_f32; columns], vec![0_u32; columns]);
                // One background for the rows of a block: it bends over hundreds of rows.
                level_and_sigma(&mesh, j * block + block / 2, &mut level, &mut sigma);
                let scale: Vec<f32> = sigma.iter().map(|s| 1.0 / s).collect();
                for y in j * block..(j + 1) * block {
                    let row = pixels.row(y);
                    for i in 0..columns {
                        for x in i * block..(i + 1) * block {
                            let value = (row[x] - level[x]) * scale[x];
                            if value.is_finite() && flags.is_none_or(|f| f[[y, x]] == 0) {
                                sum[i] += value.clamp(-PIXEL_CUT, PIXEL_CUT);
                                count[i] += 1;
                            }
                        }
                    }
                }
                let least = (block * block) as u32 / 3;
                (0..columns).map(move |i| if count[i] > least { sum[i] / (count[i] as f32).sqrt() } else { f32::NAN }).collect::<Vec<_>>()
            })
            .collect();
        let blocks = Array2::from_shape_vec((rows, columns), values).unwrap_or_else(|_| unreachable!("one value a block"));
        Self { pixels, flags, mesh, block, blocks }
    }

    /// Blocks for the transform: flat, cut, mean 0 and scatter 1 of the good ones.
    fn prepared(&self) -> Option<Array2<f32>> {
        let local = Mesh::estimate(&self.blocks, None, BLOCK_CELL);
        let mut out = self.blocks.clone();
        let mut level = vec![0.0; out.ncols()];
        let mut sigma = vec![0.0; out.ncols()];
        for (j, mut row) in out.rows_mut().into_iter().enumerate() {
            level_and_sigma(&local, j, &mut level, &mut sigma);
            for ((v, l), s) in row.iter_mut().zip(&level).zip(&sigma) {
                *v = ((*v - l) / s.max(1e-6)).clamp(-BLOCK_CUT, BLOCK_CUT);
            }
        }
        let good: Vec<f64> = out.iter().filter(|v| v.is_finite()).map(|&v| f64::from(v)).collect();
        if good.len() < 256 {
            return None;
        }
        let mean = good.iter().sum::<f64>() / good.len() as f64;
        let sigma = (good.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / good.len() as f64).sqrt();
        if sigma <= 0.0 {
            return None;
        }
        out.mapv_inplace(|v| ((f64::from(v) - mean) / sigma) as f32);
        Some(out)
    }
}

/// One of the four ways in which lines are followed: up or across, rising or falling.
#[derive(Debug, Clone, Copy)]
struct Way {
    across: bool,
    falling: bool,
}

const WAYS: [Way; 4] = [
    Way { across: false, falling: false },
    Way { across: false, falling: true },
    Way { across: true, falling: false },
    Way { across: true, falling: true },
];

impl Way {
    fn image(self, blocks: &Array2<f32>, n: usize, value: impl Fn(f32) -> f32) -> Vec<f32> {
        let mut out = vec![0.0; n * n];
        for ((j, i), &v) in blocks.indexed_iter() {
            let (row, column) = if self.across { (i, j) } else { (j, i) };
            let column = if self.falling { n - 1 - column } else { column };
            out[row * n + column] = if v.is_finite() { value(v) } else { 0.0 };
        }
        out
    }
    /// Ends of a line in blocks (x, y).
    fn ends(self, n: usize, start: i64, shift: usize) -> ((f64, f64), (f64, f64)) {
        let turn = |column: f64, row: f64| {
            let column = if self.falling { n as f64 - 1.0 - column } else { column };
            if self.across { (row, column) } else { (column, row) }
        };
        (turn(start as f64, 0.0), turn((start + shift as i64) as f64, n as f64 - 1.0))
    }
}

/// A line of blocks and its significance.
struct Candidate {
    from: (f64, f64),
    to: (f64, f64),
    significance: f32,
}

/// The most significant line that is not nearly along a column or row; `None` when it is not significant.
fn best_line(blocks: &Array2<f32>) -> Option<Candidate> {
    let (rows, columns) = blocks.dim();
    let n = rows.max(columns).next_power_of_two();
    let least = (rows.min(columns) / 3).max(8) as f32;
    let mut best: Option<Candidate> = None;
    for way in WAYS {
        let values = Lines::new(&way.image(blocks, n, |v| v), n);
        let counts = Lines::new(&way.image(blocks, n, |_| 1.0), n);
        // One block wide, and two: a trail that runs between blocks is in both.
        let at = |k: usize| {
            let count = counts.sums[k];
            if count < least {
                return f32::NAN;
            }
            let next = if (k + 1).is_multiple_of(2 * n) { k } else { k + 1 };
            let both = (values.sums[k] + values.sums[next]) / (count + counts.sums[next]).sqrt();
            (values.sums[k] / count.sqrt()).max(both)
        };
        let single = |k: usize| {
            let count = counts.sums[k];
            if count >= least { values.sums[k] / count.sqrt() } else { f32::NAN }
        };
        // Shift 0 and 1 over the whole side are columns (or rows).
        let from = 4 * n;
        let mut sample: Vec<f32> = (from..values.sums.len()).step_by(37).map(single).filter(|v| v.is_finite()).map(f32::abs).collect();
        if sample.len() < 16 {
            continue;
        }
        let sigma = (1.4826 * median(&mut sample).unwrap_or(0.0)).max(1.0);
        let (mut k_best, mut most) = (0, 0.0);
        for k in from..values.sums.len() {
            let value = at(k);
            if value > most {
                (k_best, most) = (k, value);
            }
        }
        let significance = most / sigma;
        if significance > LEAST && best.as_ref().is_none_or(|b| significance > b.significance) {
            let (from, to) = way.ends(n, (k_best % (2 * n)) as i64 - n as i64, k_best / (2 * n));
            best = Some(Candidate { from, to, significance });
        }
    }
    best
}

/// Profiles across a line, piece by piece along it, in steps of a pixel.
struct Profiles {
    half: usize,
    /// Sum and number `[piece][bin]` of pixels in units of their noise.
    sum: Vec<Vec<f64>>,
    count: Vec<Vec<f64>>,
    /// Mean noise of a pixel, in the unit of the frame.
    sigma: f64,
}

impl Profiles {
    fn measure(field: &Field<'_>, line: &FoundTrail) -> Option<Self> {
        let (ny, nx) = field.pixels.dim();
        let half = (BAND * field.block as f64).ceil() as usize;
        let (c, s) = line.unit();
        let place = |x: f64, y: f64| (x - line.from.0) * c + (y - line.from.1) * s;
        let mut pixels = Vec::new();
        let (mut level, mut sigma) = (vec![0.0; nx], vec![0.0; nx]);
        let mut noise = 0.0;
        for y in 0..ny {
            let columns = line.columns(y, half as f64, nx);
            if columns.is_empty() {
                continue;
            }
            level_and_sigma(&field.mesh, y, &mut level, &mut sigma);
            for x in columns {
                let value = (field.pixels[[y, x]] - level[x]) / sigma[x];
                if value.is_finite() && field.flags.is_none_or(|f| f[[y, x]] == 0) {
                    pixels.push((place(x as f64, y as f64), line.distance(x as f64, y as f64), value.clamp(-PIXEL_CUT, PIXEL_CUT)));
                    noise += f64::from(sigma[x]);
                }
            }
        }
        let (low, high) = pixels.iter().fold((f64::MAX, f64::MIN), |(l, h), p| (l.min(p.0), h.max(p.0)));
        if pixels.len() < 8 * PIECES || high <= low {
            return None;
        }
        let bins = 2 * half + 1;
        let (mut sum, mut count) = (vec![vec![0.0; bins]; PIECES], vec![vec![0.0; bins]; PIECES]);
        for (along, across, value) in &pixels {
            let piece = (((along - low) / (high - low) * PIECES as f64) as usize).min(PIECES - 1);
            let bin = (across.round() + half as f64).clamp(0.0, 2.0 * half as f64) as usize;
            sum[piece][bin] += f64::from(*value);
            count[piece][bin] += 1.0;
        }
        Some(Self { half, sum, count, sigma: noise / pixels.len() as f64 })
    }
    /// Sum and number of bins within `width` of `centre` in one piece.
    fn within(&self, piece: usize, centre: f64, width: f64) -> (f64, f64) {
        let bin = |u: f64| (u + self.half as f64).round().clamp(0.0, 2.0 * self.half as f64) as usize;
        let range = bin(centre - width)..=bin(centre + width);
        (self.sum[piece][range.clone()].iter().sum(), self.count[piece][range].iter().sum())
    }
    /// Where the line crosses this piece when its ends are moved by `ends` \[pixel\].
    fn centre(piece: usize, ends: (f64, f64)) -> f64 {
        ends.0 + (ends.1 - ends.0) * (piece as f64 + 0.5) / PIECES as f64
    }
    /// Moves of the two ends that put most light on the line.
    fn aligned(&self, width: f64) -> (f64, f64) {
        let reach = (self.half as f64 * 0.4).floor() as i64;
        let score = |ends: (f64, f64)| {
            let (mut sum, mut count) = (0.0, 0.0);
            for piece in 0..PIECES {
                let (s, n) = self.within(piece, Self::centre(piece, ends), width);
                (sum, count) = (sum + s, count + n);
            }
            if count > 0.0 { sum / f64::sqrt(count) } else { f64::MIN }
        };
        let mut best = ((0.0, 0.0), f64::MIN);
        for a in -reach..=reach {
            for b in -reach..=reach {
                let ends = (a as f64, b as f64);
                let value = score(ends);
                if value > best.1 {
                    best = (ends, value);
                }
            }
        }
        best.0
    }
    /// Mean profile about the line with moved ends: value and standard error by distance.
    fn stacked(&self, ends: (f64, f64)) -> Vec<(f64, f64)> {
        let bins = 2 * self.half + 1;
        let (mut sum, mut count) = (vec![0.0; bins], vec![0.0; bins]);
        for piece in 0..PIECES {
            let move_by = Self::centre(piece, ends).round() as i64;
            for b in 0..bins {
                let from = b as i64 + move_by;
                if (0..bins as i64).contains(&from) {
                    sum[b] += self.sum[piece][from as usize];
                    count[b] += self.count[piece][from as usize];
                }
            }
        }
        sum.iter().zip(&count).map(|(s, n)| if *n > 0.0 { (s / n, 1.0 / n.sqrt()) } else { (0.0, f64::INFINITY) }).collect()
    }
    /// Contrast of each piece with its sides, in standard errors; pieces without pixels are left out.
    fn contrasts(&self, ends: (f64, f64), width: f64) -> Vec<f64> {
        (0..PIECES)
            .filter_map(|piece| {
                let centre = Self::centre(piece, ends);
                let (on, n_on) = self.within(piece, centre, width);
                let bins = 0..=2 * self.half;
                let beside = |b: &usize| (*b as f64 - self.half as f64 - centre).abs() > width + 2.0;
                let (sum, count) = bins.filter(beside).fold((0.0, 0.0), |(s, n), b| (s + self.sum[piece][b], n + self.count[piece][b]));
                (n_on >= 8.0 && count >= 8.0).then(|| (on / n_on - sum / count) / (1.0 / n_on + 1.0 / count).sqrt())
            })
            .collect()
    }
}

/// Measures a line on the pixels; `None` when its light does not go on along it.
fn measured(field: &Field<'_>, candidate: &Candidate) -> Option<FoundTrail> {
    let pixel = |(x, y): (f64, f64)| ((x + 0.5) * field.block as f64 - 0.5, (y + 0.5) * field.block as f64 - 0.5);
    let mut line = FoundTrail {
        from: pixel(candidate.from),
        to: pixel(candidate.to),
        half_width: 0.0,
        significance: f64::from(candidate.significance),
        density: 0.0,
    };
    let width = (0.5 * field.block as f64).max(1.5);
    for _ in 0..2 {
        let profiles = Profiles::measure(field, &line)?;
        let (a, b) = profiles.aligned(width);
        // The pieces' ends are where the line enters and leaves the window; moved along the normal.
        let (c, s) = line.unit();
        let (enter, leave) = inside(&line, field.pixels.dim())?;
        line.from = (enter.0 + a * s, enter.1 - a * c);
        line.to = (leave.0 + b * s, leave.1 - b * c);
    }
    // Along a column or a row: the detector's.
    let (enter, leave) = inside(&line, field.pixels.dim())?;
    if (leave.0 - enter.0).abs().min((leave.1 - enter.1).abs()) < 2.0 * field.block as f64 {
        return None;
    }
    let profiles = Profiles::measure(field, &line)?;
    let contrasts = profiles.contrasts((0.0, 0.0), width);
    let mut sorted = contrasts.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let bright = sorted.iter().filter(|c| **c > 0.0).count();
    // A trail is as bright everywhere; of stars that happen to lie on a line the mean is high and the median is not.
    let (median, mean) = (sorted.get(sorted.len() / 2).copied().unwrap_or(0.0), sorted.iter().sum::<f64>() / sorted.len().max(1) as f64);
    if sorted.len() < PIECES / 2 || 4 * bright < 3 * sorted.len() || median < LEAST_MEDIAN || median < LEAST_EVENNESS * mean {
        return None;
    }
    let stack = profiles.stacked((0.0, 0.0));
    let mut outer: Vec<f64> = stack.iter().map(|p| p.0).collect();
    // The lower quartile of the band is sky beside the trail.
    let quarter = outer.len() / 4;
    let beside = *outer.select_nth_unstable_by(quarter, f64::total_cmp).1;
    let peak = stack.iter().map(|p| p.0 - beside).fold(0.0, f64::max);
    let lit = |b: usize| {
        let (value, error) = stack[b];
        value - beside > (0.05 * peak).max(3.0 * error)
    };
    let (mut low, mut high) = (profiles.half, profiles.half);
    while low > 0 && (lit(low - 1) || (low > 1 && lit(low - 2))) {
        low -= 1;
    }
    while high < 2 * profiles.half && (lit(high + 1) || (high + 2 <= 2 * profiles.half && lit(high + 2))) {
        high += 1;
    }
    line.half_width = (profiles.half - low).max(high - profiles.half) as f64 + 1.5;
    line.half_width = line.half_width.max(2.5);
    line.density = stack[low..=high].iter().map(|p| p.0 - beside).sum::<f64>() * profiles.sigma;
    Some(line)
}

/// Where a line enters and leaves an array of (rows, columns), in its direction.
fn inside(line: &FoundTrail, (ny, nx): (usize, usize)) -> Option<((f64, f64), (f64, f64))> {
    let (dx, dy) = (line.to.0 - line.from.0, line.to.1 - line.from.1);
    let (mut low, mut high) = (f64::MIN, f64::MAX);
    for (start, step, n) in [(line.from.0, dx, nx), (line.from.1, dy, ny)] {
        let edges = (-0.5, n as f64 - 0.5);
        if step.abs() < 1e-12 {
            if start < edges.0 || start > edges.1 {
                return None;
            }
            continue;
        }
        let (a, b) = ((edges.0 - start) / step, (edges.1 - start) / step);
        (low, high) = (low.max(a.min(b)), high.min(a.max(b)));
    }
    (low < high).then_some(((line.from.0 + low * dx, line.from.1 + low * dy), (line.from.0 + high * dx, line.from.1 + high * dy)))
}

/// The trails of a frame, strongest first. Flagged pixels are not used.
#[must_use]
pub fn find(pixels: &Array2<f32>, flags: Option<&Array2<u32>>) -> Vec<FoundTrail> {
    let (ny, nx) = pixels.dim();
    if nx < 64 || ny < 64 {
        return Vec::new();
    }
    let field = Field::new(pixels, flags);
    let Some(mut blocks) = field.prepared() else { return Vec::new() };
    let mut found = Vec::new();
    let mut refused = 0;
    while found.len() < MOST && refused < 3 {
        let Some(candidate) = best_line(&blocks) else { break };
        let kept = measured(&field, &candidate);
        let block = field.block as f64;
        let (line, half) = match kept {
            Some(line) => (line, line.half_width / block + 1.0),
            None => {
                refused += 1;
                let (from, to, significance) = (candidate.from, candidate.to, f64::from(candidate.significance));
                let pixel = |(x, y): (f64, f64)| ((x + 0.5) * block - 0.5, (y + 0.5) * block - 0.5);
                (FoundTrail { from: pixel(from), to: pixel(to), half_width: 0.0, significance, density: 0.0 }, 2.0)
            }
        };
        // Out of the blocks, so that the next one shows.
        let in_blocks = |(x, y): (f64, f64)| ((x + 0.5) / block - 0.5, (y + 0.5) / block - 0.5);
        let coarse = FoundTrail { from: in_blocks(line.from), to: in_blocks(line.to), ..line };
        let columns = blocks.ncols();
        for (j, mut row) in blocks.rows_mut().into_iter().enumerate() {
            for i in coarse.columns(j, half, columns) {
                row[i] = f32::NAN;
            }
        }
        if kept.is_some() {
            found.push(line);
        }
    }
    found
}
