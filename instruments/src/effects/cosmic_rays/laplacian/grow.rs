//! From cores to whole hits: neighbours that rise above their surroundings.
//!
//! # Formula
//! A neighbour (of eight) of a flagged pixel is flagged when it exceeds the median m of the unflagged pixels of its 7 x 7
//! square by `edge_sigma` s + `fall` (n - 1.2 s)+, s^2 = max(m + r^2, scatter^2); scatter = m minus the 16 % quantile of those
//! pixels; n is the excess of the median of the unflagged among its eight neighbours. No star falls off faster than
//! `fall`: so hits do not grow into stars. Again, until nothing is added.
//! # Source
//! In the place of `sigfrac` of van Dokkum 2001: a threshold on charge, not on the Laplacian, because the truth is one.

use super::Options;
use super::field::Field;
use rayon::prelude::*;

/// Half sizes of the squares tried for the surroundings, and the least number of pixels they must hold.
const HALVES: [usize; 3] = [3, 4, 6];
const ENOUGH: usize = 20;
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
    Some((middle, variance.max(scatter * scatter).sqrt()))
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
fn belongs(field: &Field<'_>, options: &Options, mask: &[bool], at: usize) -> bool {
    let nx = field.shape().1;
    let (y, x) = (at / nx, at % nx);
    if field.is_out(y, x) {
        return false;
    }
    let Some((level, noise)) = surroundings(field, mask, y, x) else { return false };
    let excess = field.value(y, x) - level;
    excess > options.edge_sigma * noise
        && !field.is_near_saturation(y, x, 1)
        && excess > options.edge_sigma * noise + options.fall * (shoulder(field, mask, level, y, x) - 1.2 * noise).max(0.0)
}

/// Flags the cores and what belongs to them; `true` in the mask is a flagged pixel.
pub fn grow(field: &Field<'_>, options: &Options, cores: &[usize]) -> Vec<bool> {
    let (ny, nx) = field.shape();
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
        fresh = next.into_par_iter().with_min_len(256).filter(|&at| belongs(field, options, &mask, at)).collect();
        if fresh.is_empty() {
            break;
        }
        for &at in &fresh {
            mask[at] = true;
        }
    }
    mask
}
