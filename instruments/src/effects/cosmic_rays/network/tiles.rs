//! Where the network looks: rectangles of blocks around what might be a hit.
//!
//! Hits are one pixel in a thousand; the network costs a thousand times what a median does. A trigger, the core test of the classical
//! detector with its thresholds lowered, marks blocks of pixels near candidates; the network sees those, then blocks beside what it
//! flagged, until it flags nothing at their edge. What it says of a pixel does not depend on which other blocks are marked.

use ndarray::Array2;

/// Side of a block \[pixel\]; even, because of pooling.
pub(super) const BLOCK: usize = 8;
/// Pixels around a candidate in which the network looks.
const REACH: usize = 3;
/// Blocks a rectangle may have along a row.
const LONGEST: usize = 16;

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tile {
    pub(super) y0: usize,
    pub(super) x0: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// Blocks `[y, x]` near candidates, given as positions `y * nx + x`.
pub(super) fn marked(candidates: &[usize], (ny, nx): (usize, usize)) -> Array2<bool> {
    let mut blocks = Array2::from_elem((ny.div_ceil(BLOCK), nx.div_ceil(BLOCK)), false);
    for &at in candidates {
        let (y, x) = (at / nx, at % nx);
        for v in y.saturating_sub(REACH) / BLOCK..=((y + REACH).min(ny - 1)) / BLOCK {
            for u in x.saturating_sub(REACH) / BLOCK..=((x + REACH).min(nx - 1)) / BLOCK {
                blocks[(v, u)] = true;
            }
        }
    }
    blocks
}

/// Rectangles that cover the marked blocks of block rows `from..to`, each block once.
pub(super) fn tiles(blocks: &Array2<bool>, from: usize, to: usize) -> Vec<Tile> {
    let columns = blocks.ncols();
    let mut open = blocks.slice(ndarray::s![from..to, ..]).to_owned();
    let mut found = Vec::new();
    for row in 0..to - from {
        let mut x = 0;
        while x < columns {
            if !open[(row, x)] {
                x += 1;
                continue;
            }
            let end = (x..columns.min(x + LONGEST)).find(|&u| !open[(row, u)]).unwrap_or(columns.min(x + LONGEST));
            let mut last = row + 1;
            while last < to - from && (x..end).all(|u| open[(last, u)]) {
                last += 1;
            }
            open.slice_mut(ndarray::s![row..last, x..end]).fill(false);
            found.push(Tile { y0: (from + row) * BLOCK, x0: x * BLOCK, rows: (last - row) * BLOCK, columns: (end - x) * BLOCK });
            x = end;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_marked_block_is_covered_once_and_no_other() {
        let blocks = Array2::from_shape_fn((11, 40), |(y, x)| (y * 7 + x * x) % 5 < 2 || (y > 3 && y < 7));
        for bands in [vec![0, 11], vec![0, 3, 6, 11]] {
            let mut count = Array2::<u8>::zeros(blocks.dim());
            for band in bands.windows(2) {
                for t in tiles(&blocks, band[0], band[1]) {
                    assert!(t.y0 / BLOCK >= band[0] && (t.y0 + t.rows) / BLOCK <= band[1]);
                    for (v, u) in (0..t.rows / BLOCK).flat_map(|v| (0..t.columns / BLOCK).map(move |u| (v, u))) {
                        count[(t.y0 / BLOCK + v, t.x0 / BLOCK + u)] += 1;
                    }
                }
            }
            assert!(blocks.iter().any(|b| *b));
            assert_eq!(count.mapv(|c| c == 1), blocks);
        }
    }

    #[test]
    fn blocks_within_reach_of_a_candidate_are_marked() {
        // (7, 7) reaches rows and columns 4..10: blocks 0 and 1 of both.
        let blocks = marked(&[7 * 30 + 7], (20, 30));
        let places: Vec<(usize, usize)> = blocks.indexed_iter().filter(|(_, b)| **b).map(|(at, _)| at).collect();
        assert_eq!(places, [(0, 0), (0, 1), (1, 0), (1, 1)]);
    }
}
