//! The network on one rectangle: two scales joined.
//!
//! # Formula
//! fine = c2(c1(input)); coarse = c4(c3(pool(fine))); logit = last . c6(c5(fine, up(coarse))), c 3 x 3 convolutions with positive
//! parts. What it says of a pixel depends on [`HALO`] pixels around, and on whether its row and column are even (pooling).
//! # Source
//! Ronneberger, Fischer & Brox 2015 (arXiv:1505.04597); for cosmic rays Zhang & Bloom 2020 (ApJ 889, 24), with two scales as here.

use super::inputs::CHANNELS;
use super::layers::{Image, LANES, convolve, join, pool};
use super::weights::Weights;

/// Pixels around that a logit depends on.
pub const HALO: usize = 8;

/// Products that a rectangle takes, its halo included.
pub(super) fn work(rows: usize, columns: usize) -> usize {
    let area = |margin: usize, step: usize| (rows / step + margin) * (columns / step + margin);
    let [fine1, fine2, coarse1, coarse2, up, joined1, joined2] =
        [(CHANNELS, 1), (LANES, 1), (LANES, 2), (2 * LANES, 2), (2 * LANES, 1), (2 * LANES, 1), (LANES, 1)]
            .map(|(from, to)| from * to * LANES);
    9 * (fine1 * area(14, 1)
        + fine2 * area(12, 1)
        + coarse1 * area(4, 2)
        + coarse2 * area(2, 2)
        + joined1 * area(2, 1)
        + joined2 * area(0, 1))
        + up * area(4, 1)
}

/// Scratch of one thread.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Input, to be filled before [`Scratch::run`].
    pub(super) input: Image,
    one: Image,
    fine: Image,
    two: Image,
    three: Image,
}

impl Scratch {
    /// Makes room for the input of a rectangle, its halo included; both sides even.
    pub(super) fn prepare(&mut self, rows: usize, columns: usize) {
        self.input.shape(rows + 2 * HALO, columns + 2 * HALO, CHANNELS);
    }
    /// Logits `[y, x]` of the rectangle.
    pub(super) fn run(&mut self, weights: &Weights, logits: &mut Vec<f32>) {
        let [fine1, fine2, coarse1, coarse2, up, joined1, joined2, last] = &weights.layers;
        convolve(fine1, &self.input, &mut self.one);
        convolve(fine2, &self.one, &mut self.fine);
        pool(&self.fine, &mut self.one);
        convolve(coarse1, &self.one, &mut self.two);
        convolve(coarse2, &self.two, &mut self.three);
        join(up, &self.fine, &self.three, &mut self.one);
        convolve(joined1, &self.one, &mut self.two);
        convolve(joined2, &self.two, &mut self.three);
        logits.clear();
        logits.extend(self.three.values.chunks_exact(last.inputs).map(|values| {
            let products = values.iter().zip(&last.weights).map(|(v, w)| v * w);
            products.fold(last.biases[0], |sum, p| sum + p)
        }));
    }
}
