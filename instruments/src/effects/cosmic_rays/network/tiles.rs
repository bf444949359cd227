//! Where the network looks: rectangles of blocks around what might be a hit.
//!
//! Hits are one pixel in a thousand; the network costs a thousand times what a median does. A trigger, the core test of the classical
//! detector with its thresholds lowered, marks blocks of pixels near candidates; the network sees those, then blocks beside what it
//! flagged, until it flags nothing at their edge. What it says of a pixel does not depend on which other blocks are marked.
//!
//! Blocks that touch are covered by one rectangle, or by those of its halves where that is less work: each rectangle needs its halo.

use super::unet::work;
use ndarray::Array2;

/// Side of a block \[pixel\]; even, because of pooling.
pub(super) const BLOCK: usize = 4;
/// Pixels around a candidate in which the network looks, and around a pixel that it flagged.
pub(super) const REACH: (usize, usize) = (4, 3);
/// Blocks a rectangle may have along a row or column.
const LONGEST: usize = 32;

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tile {
    pub(super) y0: usize,
    pub(super) x0: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// Blocks `[y, x]` within `reach` pixels of places `y * nx + x`.
pub(super) fn marked(places: &[usize], reach: usize, (ny, nx): (usize, usize)) -> Array2<bool> {
    let mut blocks = Array2::from_elem((ny.div_ceil(BLOCK), nx.div_ceil(BLOCK)), false);
    for &at in places {
        let (y, x) = (at / nx, at % nx);
        for v in y.saturating_sub(reach) / BLOCK..=((y + reach).min(ny - 1)) / BLOCK {
            for u in x.saturating_sub(reach) / BLOCK..=((x + reach).min(nx - 1)) / BLOCK {
                blocks[(v, u)] = true;
            }
        }
    }
    blocks
}

/// Rectangles that cover the marked blocks, and others where that is less work.
pub(super) fn tiles(blocks: &Array2<bool>) -> Vec<Tile> {
    let (rows, columns) = blocks.dim();
    let mut open = blocks.clone();
    let mut found = Vec::new();
    let (mut touching, mut next) = (Vec::new(), Vec::new());
    for at in (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))) {
        if !open[at] {
            continue;
        }
        open[at] = false;
        touching.clear();
        next.push(at);
        while let Some((y, x)) = next.pop() {
            touching.push((y, x));
            for v in y.saturating_sub(1)..(y + 2).min(rows) {
                for u in x.saturating_sub(1)..(x + 2).min(columns) {
                    if std::mem::take(&mut open[(v, u)]) {
                        next.push((v, u));
                    }
                }
            }
        }
        cover(&mut touching, &mut found);
    }
    found
}

/// The rectangle around blocks.
fn around(blocks: &[(usize, usize)]) -> Tile {
    let (mut low, mut high) = ((usize::MAX, usize::MAX), (0, 0));
    for &(y, x) in blocks {
        low = (low.0.min(y), low.1.min(x));
        high = (high.0.max(y + 1), high.1.max(x + 1));
    }
    Tile { y0: low.0 * BLOCK, x0: low.1 * BLOCK, rows: (high.0 - low.0) * BLOCK, columns: (high.1 - low.1) * BLOCK }
}

/// One rectangle, or those of both halves along its longer side.
fn cover(blocks: &mut [(usize, usize)], found: &mut Vec<Tile>) {
    let whole = around(blocks);
    let longer = whole.rows.max(whole.columns);
    if longer <= BLOCK {
        found.push(whole);
        return;
    }
    let is_low = |&(y, x): &(usize, usize)| {
        if whole.rows == longer { y * BLOCK < whole.y0 + longer / 2 } else { x * BLOCK < whole.x0 + longer / 2 }
    };
    blocks.sort_by_key(|at| !is_low(at));
    let (low, high) = blocks.split_at_mut(blocks.partition_point(is_low));
    let apart = [&*low, &*high].map(around).iter().map(|t| work(t.rows, t.columns)).sum::<usize>();
    if longer <= LONGEST * BLOCK && work(whole.rows, whole.columns) <= apart {
        found.push(whole);
    } else {
        cover(low, found);
        cover(high, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_marked_block_is_covered_and_work_is_saved() {
        let blocks =
            Array2::from_shape_fn((50, 70), |(y, x)| (y * 7 + x * x) % 31 < 2 || (y > 30 && x < 60) || y == x || (y == 3 && x > 5));
        let all = tiles(&blocks);
        let mut count = Array2::<u8>::zeros(blocks.dim());
        for t in &all {
            assert!(t.rows.max(t.columns) <= LONGEST * BLOCK && t.rows.min(t.columns) >= BLOCK);
            for (v, u) in (0..t.rows / BLOCK).flat_map(|v| (0..t.columns / BLOCK).map(move |u| (v, u))) {
                count[(t.y0 / BLOCK + v, t.x0 / BLOCK + u)] += 1;
            }
        }
        let marked = blocks.iter().filter(|b| **b).count();
        assert!(marked > 1000 && blocks.iter().zip(&count).all(|(b, c)| !b || *c > 0));
        let needed: usize = all.iter().map(|t| work(t.rows, t.columns)).sum();
        assert!(needed < marked * work(BLOCK, BLOCK) / 3, "{needed}");
        assert!(needed < work(50 * BLOCK, 70 * BLOCK), "{needed}");
    }

    #[test]
    fn a_square_is_one_rectangle_and_a_diagonal_is_many() {
        let square = Array2::from_elem((4, 4), true);
        assert_eq!(tiles(&square), [Tile { y0: 0, x0: 0, rows: 4 * BLOCK, columns: 4 * BLOCK }]);
        let diagonal = Array2::from_shape_fn((30, 30), |(y, x)| y == x);
        assert!(tiles(&diagonal).len() > 2);
        assert!(tiles(&Array2::from_elem((3, 3), false)).is_empty());
    }

    #[test]
    fn blocks_within_reach_of_a_place_are_marked() {
        // (7, 9) reaches rows 4..10 and columns 6..12: blocks 1 and 2 down, 1 to 3 across.
        let blocks = marked(&[7 * 30 + 9], 3, (20, 30));
        let places: Vec<(usize, usize)> = blocks.indexed_iter().filter(|(_, b)| **b).map(|(at, _)| at).collect();
        assert_eq!(places, [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]);
    }
}
