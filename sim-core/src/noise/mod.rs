//! Bulk draws by index from a keyed [`Stream`]: uniforms, normals, Poisson.
//!
//! One 32-bit word per draw: word `i` of the stream becomes `u = (w + 1/2) 2^-32`, and the draw is the quantile of
//! `u`. So any pixel's draw can be asked for alone, a cut-out has the bits of the same pixels of the whole frame, and
//! the Poisson draw is monotone in the mean: two exposures that differ by one effect differ only where the
//! effect does (to the rounding of f32, which can misplace one electron within 1e-7 of a step).
//!
//! Only `+ - * /`, square root, floor, comparisons, conversions and bit operations are used, each of them exact or
//! correctly rounded by IEEE 754, in a fixed order and without fused multiply-add. No library function whose value
//! depends on the platform or on crate features takes part (`rand_distr`'s does: it follows `num-traits`' features,
//! which other crates switch on). Loops are cloned for AVX-512, AVX2 and NEON and chosen at run time; a test shows
//! that each draw equals the scalar function of its word, bit for bit.

mod elementary;
mod normal;
mod poisson;
mod words;

#[cfg(test)]
mod tests;

use crate::stream::Stream;
use multiversion::multiversion;
use poisson::LANES;

/// Standard normals of word indices `first..first + out.len()`.
pub fn normals(stream: &Stream, first: u64, out: &mut [f32]) {
    fill_normals(stream.key, stream.item, first, out);
}

/// Adds `sigma` times the standard normals of word indices `first..` to the pixels: read noise in one pass.
pub fn add_normals(stream: &Stream, first: u64, sigma: f32, pixels: &mut [f32]) {
    accumulate_normals(stream.key, stream.item, first, sigma, pixels);
}

/// Uniforms in (0, 1) of word indices `first..first + out.len()`: the upper 23 bits, `(k + 1/2) 2^-23`, exact in f32.
pub fn uniforms(stream: &Stream, first: u64, out: &mut [f32]) {
    fill_uniforms(stream.key, stream.item, first, out);
}

/// Replaces each expected value by a Poisson draw, pixel `i` using word `first + i`.
/// The draw is the Poisson quantile of the pixel's uniform: monotone in the mean.
///
/// A mean of zero or less gives 0 and uses up its word like any other; NaN stays NaN and +infinity stays
/// infinite, so that a fault upstream is seen and not hidden.
pub fn poisson(stream: &Stream, first: u64, pixels: &mut [f32]) {
    draw_poisson(stream.key, stream.item, first, pixels);
}

/// The standard normal of one word.
#[must_use]
pub fn normal_of_word(word: u32) -> f32 {
    normal::quantile(word)
}

/// The Poisson draw of one word; see [`poisson`].
#[must_use]
pub fn poisson_of_word(mean: f32, word: u32) -> f32 {
    let mut means = [0.0; LANES];
    means[0] = mean;
    poisson::quantiles(&[word; LANES], &mut means);
    means[0]
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn fill_normals(key: [u32; 2], item: u64, first: u64, out: &mut [f32]) {
    words::for_each_piece(key, item, first, out.len(), |start, words| {
        for (o, &w) in out[start..start + words.len()].iter_mut().zip(words) {
            *o = normal::quantile(w);
        }
    });
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn accumulate_normals(key: [u32; 2], item: u64, first: u64, sigma: f32, out: &mut [f32]) {
    words::for_each_piece(key, item, first, out.len(), |start, words| {
        for (o, &w) in out[start..start + words.len()].iter_mut().zip(words) {
            *o += sigma * normal::quantile(w);
        }
    });
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn fill_uniforms(key: [u32; 2], item: u64, first: u64, out: &mut [f32]) {
    words::for_each_piece(key, item, first, out.len(), |start, words| {
        for (o, &w) in out[start..start + words.len()].iter_mut().zip(words) {
            *o = ((w >> 9) as i32 as f32 + 0.5) * (1.0 / 8_388_608.0);
        }
    });
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn draw_poisson(key: [u32; 2], item: u64, first: u64, pixels: &mut [f32]) {
    words::for_each_piece(key, item, first, pixels.len(), |start, words| {
        let piece = &mut pixels[start..start + words.len()];
        let mut lane_words = [0_u32; LANES];
        let mut lane_means = [0.0_f32; LANES];
        for (means, words) in piece.chunks_mut(LANES).zip(words.chunks(LANES)) {
            let n = means.len();
            lane_means = if n == LANES { lane_means } else { [0.0; LANES] };
            lane_means[..n].copy_from_slice(means);
            lane_words[..n].copy_from_slice(words);
            poisson::quantiles(&lane_words, &mut lane_means);
            means.copy_from_slice(&lane_means[..n]);
        }
    });
}
