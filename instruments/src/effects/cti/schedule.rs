//! How the physical pixels of a column are cut into blocks.

use super::column::Block;

/// How finely transfers are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// Every transfer of every packet.
    Exact,
    /// So many blocks for the whole path.
    Blocks(usize),
    /// At most so many, one for every [`TRAPS`] traps on the path.
    AtMost(usize),
}

/// Traps that a block may hold. The error of a block grows with the share of a packet that it takes.
pub const TRAPS: f64 = 3600.0;

impl Steps {
    /// As instrument files and calibration say it: at most so many blocks, 0 for every transfer.
    #[must_use]
    pub fn at_most(blocks: usize) -> Self {
        if blocks == 0 { Self::Exact } else { Self::AtMost(blocks) }
    }
}

/// The blocks of `pixels` physical pixels with so many traps each, farthest from the output first: the order in which charge meets
/// them.
///
/// Their edges lie at the powers 3/2 of 0, 1, 2 ... of `count`. A packet that starts in a block meets traps there that fewer packets have
/// filled the nearer they are to its own pixel, which the mean of the block does not tell; on a short path most transfers are like
/// that, so blocks near the output are short.
#[must_use]
pub fn blocks(pixels: usize, steps: Steps, density: f64) -> Vec<Block> {
    let count = match steps {
        Steps::Exact => pixels,
        Steps::Blocks(count) => count,
        Steps::AtMost(count) => ((density * pixels as f64 / TRAPS).ceil() as usize).min(count),
    };
    let count = count.clamp(1, pixels.max(1));
    let graded = |k: usize| {
        let part = k as f64 / count as f64;
        (pixels as f64 * part * part.sqrt()) as usize
    };
    // Every block has a pixel, and no pixel is left over.
    let edge = |k: usize| if k == count { pixels } else { graded(k).max(k).min(pixels - (count - k).min(pixels)) };
    (0..count).rev().map(|k| Block { low: edge(k), high: edge(k + 1) }).filter(|b| b.high > b.low).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_every_pixel_once_from_far_to_near() {
        for (pixels, steps) in [
            (4616, Steps::Blocks(7)),
            (12, Steps::Exact),
            (5, Steps::Blocks(40)),
            (0, Steps::Exact),
            (4616, Steps::AtMost(9)),
            (9, Steps::Blocks(8)),
        ] {
            let blocks = blocks(pixels, steps, 3.6);
            let mut high = pixels;
            for block in &blocks {
                assert_eq!(block.high, high);
                assert!(block.low < block.high);
                high = block.low;
            }
            assert_eq!(high, 0, "{pixels} {steps:?}");
        }
        assert_eq!(blocks(4616, Steps::Exact, 0.0).len(), 4616);
        assert_eq!(blocks(4616, Steps::Blocks(4616), 0.0), blocks(4616, Steps::Exact, 0.0));
        // 3.6 x 4616 traps are 4.6 times 3600; the register's 0.22 x 1179 fit into one block.
        let count = |steps, density, pixels| blocks(pixels, steps, density).len();
        assert_eq!(
            (count(Steps::AtMost(9), 3.6, 4616), count(Steps::AtMost(2), 3.6, 4616), count(Steps::AtMost(9), 0.22, 1179)),
            (5, 2, 1)
        );
    }
}
