//! How the physical pixels of a column are cut into blocks.

use super::column::Block;

/// How finely transfers are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// Every transfer of every packet.
    Exact,
    /// So many blocks for the whole path.
    Blocks(usize),
}

/// The blocks of `pixels` physical pixels, farthest from the output first: the order in which charge meets them.
#[must_use]
pub fn blocks(pixels: usize, steps: Steps) -> Vec<Block> {
    let count = match steps {
        Steps::Exact => pixels,
        Steps::Blocks(count) => count.clamp(1, pixels.max(1)),
    };
    let edge = |k: usize| k * pixels / count.max(1);
    (0..count).rev().map(|k| Block { low: edge(k), high: edge(k + 1) }).filter(|b| b.high > b.low).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_every_pixel_once_from_far_to_near() {
        for (pixels, steps) in [(4616, Steps::Blocks(7)), (12, Steps::Exact), (5, Steps::Blocks(40)), (0, Steps::Exact)] {
            let blocks = blocks(pixels, steps);
            let mut high = pixels;
            for block in &blocks {
                assert_eq!(block.high, high);
                assert!(block.low < block.high);
                high = block.low;
            }
            assert_eq!(high, 0, "{pixels} {steps:?}");
        }
        assert_eq!(blocks(4616, Steps::Exact).len(), 4616);
    }
}
