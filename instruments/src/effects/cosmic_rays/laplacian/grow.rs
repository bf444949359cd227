//! From cores to whole hits: neighbours that rise above their surroundings.
//!
//! # Formula
//! A neighbour (of eight) of a flagged pixel is flagged when it exceeds the median m of the unflagged pixels of its 7 x 7
//! square by `edge_sigma` s + `fall` (n - 2.5 s)+, s^2 = m + r^2, or s the scatter of those pixels (m minus their 16 %
//! quantile) where it is 1.5 times larger; n is the excess of the median of the unflagged among its eight neighbours. No star falls off faster than
//! `fall`: so hits do not grow into stars. What is steeper than light can be ([`super::steep`]) is flagged in any case. Again, until nothing is added.
//! # Source
//! In the place of `sigfrac` of van Dokkum 2001: a threshold on charge, not on the Laplacian, because the truth is one.

use super::Options;
use super::background::Background;
use super::field::Field;
use super::steep::is_steep_at;
use rayon::prelude::*;

/// Half sizes of the squares tried for the surroundings, and the least number of pixels they must hold.
const HALVES: [usize; 3] = [3, 4, 6];
const ENOUGH: usize = 20;
/// Scatter counts as structure above this many times the noise: the scatter of 48 noisy pixels has an error of 17 %.
const STRUCTURE: f32 = 1.5;
/// A shoulder below that many times the noise is none.
const SHOULDER_SIGMA: f32 = 2.5;
/// Rounds at most: a hit grows by one pixel a round.
const ROUNDS: usize = 60;

/// Level and noise of the unflagged surroundings of a pixel.
pub(super) fn surroundings(field: &Field<'_>, mask: &[bool], y: usize, x: usize) -> Option<(f32, f32)> {
    let (ny, nx) = field.shape();
    let mut values = [0.0_f32; 169];
    let mut count = 0;
    for half in HALVES {
        count = 0;
        for v in y.saturating_sub(half)..(y + half + 1).min(ny) {
            for u in x.saturating_sub(half)..(x + half + 1).min(nx) {
                if (v, u) != (y, x) && !mask[v * nx + u] && !field.is_out(v, u) {
                    values[count] = field.value(v, u);
                    count += 1;
                }
            }
        }
        if count >= ENOUGH {
            break;
        }
    }
    if count < 5 {
        return None;
    }
    let used = &mut values[..count];
    let (low, middle, _) = used.select_nth_unstable_by(count / 2, f32::total_cmp);
    let middle = *middle;
    let sixth = (count as f32 * 0.16) as usize;
    let quantile = *low.select_nth_unstable_by(sixth.min(count / 2 - 1), f32::total_cmp).1;
    let scatter = middle - quantile;
    let variance = middle.max(0.0) + field.read_variance_at(y, x);
    let structured = scatter * scatter > STRUCTURE * STRUCTURE * variance;
    Some((middle, if structured { scatter } else { variance.sqrt() }))
}

/// Excess of the median of the unflagged pixels next to one over a level; 0 when fewer than three are left.
fn shoulder(field: &Field<'_>, mask: &[bool], level: f32, y: usize, x: usize) -> f32 {
    let (ny, nx) = field.shape();
    let mut values = [0.0_f32; 9];
    let mut count = 0;
    for v in y.saturating_sub(1)..(y + 2).min(ny) {
        for u in x.saturating_sub(1)..(x + 2).min(nx) {
            if (v, u) != (y, x) && !mask[v * nx + u] && !field.is_out(v, u) {
                values[count] = field.value(v, u);
                count += 1;
            }
        }
    }
    if count < 3 {
        return 0.0;
    }
    let used = &mut values[..count];
    used.sort_unstable_by(f32::total_cmp);
    0.5 * (used[count / 2] + used[(count - 1) / 2]) - level
}

/// Whether a pixel belongs to a hit beside it.
fn belongs(field: &Field<'_>, background: &Background, options: &Options, mask: &[bool], at: usize) -> bool {
    let nx = field.shape().1;
    let (y, x) = (at / nx, at % nx);
    if field.is_out(y, x) {
        return false;
    }
    let Some((level, noise)) = surroundings(field, mask, y, x) else { return false };
    let excess = field.value(y, x) - level;
    if excess <= options.edge_sigma * noise {
        return false;
    }
    if field.is_near_saturation(y, x, 1) {
        return is_steep_at(field, options, background.at(y, x), y, x);
    }
    let allowed = options.edge_sigma * noise + options.fall * (shoulder(field, mask, level, y, x) - SHOULDER_SIGMA * noise).max(0.0);
    excess > allowed || is_steep_at(field, options, background.at(y, x), y, x)
}

/// Flags the cores and what belongs to them; `true` in the mask is a flagged pixel.
pub fn grow(field: &Field<'_>, options: &Options, cores: &[usize]) -> Vec<bool> {
    let (ny, nx) = field.shape();
    let background = Background::of(field);
    let mut mask = vec![false; ny * nx];
    for &at in cores {
        mask[at] = true;
    }
    let mut fresh = cores.to_vec();
    for _ in 0..ROUNDS {
        let mut next: Vec<usize> = Vec::with_capacity(4 * fresh.len());
        for &at in &fresh {
            let (y, x) = (at / nx, at % nx);
            for v in y.saturating_sub(1)..(y + 2).min(ny) {
                for u in x.saturating_sub(1)..(x + 2).min(nx) {
                    if !mask[v * nx + u] {
                        next.push(v * nx + u);
                    }
                }
            }
        }
        next.sort_unstable();
        next.dedup();
        fresh = next.into_par_iter().with_min_len(256).filter(|&at| belongs(field, &background, options, &mask, at)).collect();
        if fresh.is_empty() {
            break;
        }
        for &at in &fresh {
            mask[at] = true;
        }
    }
    mask
}
