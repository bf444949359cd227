//! Layers on images of many channels: `[y, x, channel]`, convolved without padding.
//!
//! # Formula
//! out[y, x, o] = bias[o] + sum over (v, u, i), in this order, of weight[v, u, i, o] in[y + v, x + u, i]; then the positive part.
//! Every output is one such sum, product and sum rounded each: the bits do not depend on the size of the image, on
//! the number of pixels that are worked on side by side, or on the instruction set.

use multiversion::multiversion;

/// Output channels that are worked on together: one register of 512 bits, two of 256.
pub(super) const LANES: usize = 16;
/// Pixels that are worked on together: with `LANES` outputs they fill the registers.
const PIXELS: usize = 6;

/// An image of many channels.
#[derive(Debug, Clone, Default)]
pub(super) struct Image {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) channels: usize,
    pub(super) values: Vec<f32>,
}

impl Image {
    /// Takes a shape; the values are what they were or 0.
    pub(super) fn shape(&mut self, rows: usize, columns: usize, channels: usize) {
        (self.rows, self.columns, self.channels) = (rows, columns, channels);
        self.values.resize(rows * columns * channels, 0.0);
    }
    pub(super) fn row(&self, y: usize) -> &[f32] {
        let width = self.columns * self.channels;
        &self.values[y * width..(y + 1) * width]
    }
    pub(super) fn row_mut(&mut self, y: usize) -> &mut [f32] {
        let width = self.columns * self.channels;
        &mut self.values[y * width..(y + 1) * width]
    }
}

/// Weights `[v, u, in, out]` and biases of a layer.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) weights: Vec<f32>,
    pub(super) biases: Vec<f32>,
}

/// What a kernel reads: image values, where its rows are, the layer.
struct Taps<'a> {
    values: &'a [f32],
    /// Values from one row to the next.
    row: usize,
    layer: &'a Layer,
    /// First output channel.
    first: usize,
}

#[inline(always)]
fn sums<const N: usize>(taps: &Taps<'_>, at: usize, out: &mut [f32]) {
    let Layer { inputs, outputs, weights, biases } = taps.layer;
    let (inputs, outputs) = (*inputs, *outputs);
    let mut sum = [[0.0_f32; LANES]; N];
    for s in &mut sum {
        s.copy_from_slice(&biases[taps.first..taps.first + LANES]);
    }
    for v in 0..3 {
        // Three pixels in a row and their channels lie one after the other.
        let values = &taps.values[at + v * taps.row..at + v * taps.row + (N + 2) * inputs];
        let weights = &weights[3 * v * inputs * outputs..3 * (v + 1) * inputs * outputs];
        for (i, weights) in weights.chunks_exact(outputs).enumerate() {
            let weights = &weights[taps.first..taps.first + LANES];
            for (p, s) in sum.iter_mut().enumerate() {
                let value = values[p * inputs + i];
                for (s, w) in s.iter_mut().zip(weights) {
                    *s += value * w;
                }
            }
        }
    }
    for (p, s) in sum.iter().enumerate() {
        let out = &mut out[p * outputs + taps.first..p * outputs + taps.first + LANES];
        for (to, s) in out.iter_mut().zip(s) {
            *to = if *s > 0.0 { *s } else { 0.0 };
        }
    }
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn convolve_row<'a>(taps: &Taps<'a>, at: usize, columns: usize, out: &mut [f32]) {
    let (inputs, outputs) = (taps.layer.inputs, taps.layer.outputs);
    let mut x = 0;
    while x + PIXELS <= columns {
        sums::<PIXELS>(taps, at + x * inputs, &mut out[x * outputs..]);
        x += PIXELS;
    }
    if x < columns && columns >= PIXELS {
        // The last pixels once more together with those before them: the same sums again.
        let x = columns - PIXELS;
        sums::<PIXELS>(taps, at + x * inputs, &mut out[x * outputs..]);
        return;
    }
    while x < columns {
        sums::<1>(taps, at + x * inputs, &mut out[x * outputs..]);
        x += 1;
    }
}

/// 3 x 3 convolution and positive part; the image loses a pixel on each side.
pub(super) fn convolve(layer: &Layer, image: &Image, out: &mut Image) {
    let (rows, columns) = (image.rows - 2, image.columns - 2);
    out.shape(rows, columns, layer.outputs);
    for first in (0..layer.outputs).step_by(LANES) {
        let taps = Taps { values: &image.values, row: image.columns * image.channels, layer, first };
        for y in 0..rows {
            convolve_row(&taps, y * taps.row, columns, out.row_mut(y));
        }
    }
}

/// Largest of 2 x 2 pixels, channel by channel.
pub(super) fn pool(image: &Image, out: &mut Image) {
    let channels = image.channels;
    out.shape(image.rows / 2, image.columns / 2, channels);
    for y in 0..out.rows {
        let (above, below) = (image.row(2 * y), image.row(2 * y + 1));
        let pairs = above.chunks_exact(2 * channels).zip(below.chunks_exact(2 * channels));
        for (to, (a, b)) in out.row_mut(y).chunks_exact_mut(channels).zip(pairs) {
            let ((a0, a1), (b0, b1)) = (a.split_at(channels), b.split_at(channels));
            for (c, to) in to.iter_mut().enumerate() {
                *to = a0[c].max(a1[c]).max(b0[c]).max(b1[c]);
            }
        }
    }
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn spread(weights: &[f32], biases: &[f32], values: &[f32], out: &mut [f32]) {
    let outputs = biases.len();
    out.copy_from_slice(biases);
    for (value, weights) in values.iter().zip(weights.chunks_exact(outputs)) {
        for (to, w) in out.iter_mut().zip(weights) {
            *to += value * w;
        }
    }
}

/// The middle of `fine` beside `coarse` at twice its size (transposed convolution of 2 x 2 pixels in steps of two).
pub(super) fn join(up: &Layer, fine: &Image, coarse: &Image, out: &mut Image) {
    let (rows, columns) = (2 * coarse.rows, 2 * coarse.columns);
    let (margin, channels) = ((fine.rows - rows) / 2, fine.channels);
    out.shape(rows, columns, channels + up.outputs);
    let taps = up.inputs * up.outputs;
    for y in 0..rows {
        let (from, deep) = (&fine.row(y + margin)[margin * channels..], coarse.row(y / 2));
        for (x, to) in out.row_mut(y).chunks_exact_mut(channels + up.outputs).enumerate() {
            let (left, right) = to.split_at_mut(channels);
            left.copy_from_slice(&from[x * channels..(x + 1) * channels]);
            let tap = 2 * (y % 2) + x % 2;
            let values = &deep[x / 2 * up.inputs..(x / 2 + 1) * up.inputs];
            spread(&up.weights[tap * taps..(tap + 1) * taps], &up.biases, values, right);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(rows: usize, columns: usize, channels: usize) -> Image {
        let values = (0..rows * columns * channels).map(|k| ((k * 37 % 101) as f32 - 50.0) / 16.0).collect();
        Image { rows, columns, channels, values }
    }
    fn layer(taps: usize, inputs: usize, outputs: usize) -> Layer {
        let weights = (0..taps * inputs * outputs).map(|k| ((k * 53 % 97) as f32 - 48.0) / 64.0).collect();
        Layer { inputs, outputs, weights, biases: (0..outputs).map(|o| o as f32 / 4.0 - 1.0).collect() }
    }

    #[test]
    fn a_convolution_is_the_sum_written_out_bit_for_bit() {
        // Widths below, at and above the number of pixels taken together.
        for (columns, outputs) in [(4, 16), (8, 32), (13, 16)] {
            let (image, layer) = (image(5, columns, 3), layer(9, 3, outputs));
            let mut out = Image::default();
            convolve(&layer, &image, &mut out);
            assert_eq!((out.rows, out.columns, out.channels), (3, columns - 2, outputs));
            for (k, got) in out.values.iter().enumerate() {
                let (y, x, o) = (k / outputs / out.columns, k / outputs % out.columns, k % outputs);
                let mut sum = layer.biases[o];
                for (v, u, i) in (0..27).map(|t| (t / 9, t / 3 % 3, t % 3)) {
                    sum += image.row(y + v)[(x + u) * 3 + i] * layer.weights[((v * 3 + u) * 3 + i) * outputs + o];
                }
                assert_eq!(*got, sum.max(0.0), "{y} {x} {o}");
            }
        }
    }

    #[test]
    fn pooling_takes_the_largest_and_joining_spreads_it_over_two_by_two() {
        let fine = image(8, 8, 16);
        let mut small = Image::default();
        pool(&fine, &mut small);
        assert_eq!((small.rows, small.columns), (4, 4));
        let largest = [(2, 6), (2, 7), (3, 6), (3, 7)].map(|(y, x)| fine.row(y)[x * 16 + 5]);
        assert_eq!(small.row(1)[3 * 16 + 5], largest.into_iter().fold(f32::MIN, f32::max));
        // Up with the weights of the tap alone: out = bias + value * weight of channel 0.
        let mut up = layer(4, 16, 16);
        up.weights.iter_mut().enumerate().for_each(|(k, w)| *w = if k / 16 % 16 == 0 { (k / 256 + 1) as f32 } else { 0.0 });
        let coarse = image(2, 2, 16);
        let mut both = Image::default();
        join(&up, &fine, &coarse, &mut both);
        assert_eq!((both.rows, both.columns, both.channels), (4, 4, 32));
        assert_eq!(both.row(1)[3 * 32..3 * 32 + 16], fine.row(3)[5 * 16..6 * 16]);
        assert_eq!(both.row(3)[2 * 32 + 16], up.biases[0] + coarse.row(1)[16] * 3.0);
    }
}
