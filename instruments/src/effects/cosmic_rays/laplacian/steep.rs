//! Steeper than light can be: a test that no sum of stars and galaxies fails, wherever it lies in its pixels.
//!
//! # Formula
//! Along a row or column, with p a pixel's excess over the background and q, n those of its two neighbours,
//! q n >= c p^2, c = exp(-1 / s^2), for every non-negative sum of images of a Gaussian PSF of standard deviation s: each star has
//! equality (the second difference of its logarithm is -1/s^2), and sums only gain (Cauchy-Schwarz). A hit ends from one
//! pixel to the next. Flagged when c p^2 - q n > `steep_sigma` of its error; also for sums of three pixels across, and
//! for the two axes together.
//! # Source
//! Own; the idea that a hit is sharper than the PSF is that of Rhoads 2000 (PASP 112, 703) and van Dokkum 2001.
//! # Limits
//! A real PSF is no Gaussian: c must be that of the sharpest star there is, with a margin. Wings only raise q n. Beside saturated
//! pixels the neighbour's charge is taken as 2e6 electrons.

use super::Options;
use super::field::Field;

/// What a saturated pixel may have held \[electron\]: more, and the star is broad where it comes out of saturation.
const CLIPPED: f32 = 2e6;

/// Excess over the background and its variance.
type Pixel = (f32, f32);

/// What three pixels in a line lack to be light, and its variance.
fn shortfall(before: Pixel, (p, variance): Pixel, after: Pixel, options: &Options) -> Pixel {
    let (q, n, p) = (before.0.max(0.0), after.0.max(0.0), p.max(0.0));
    let c = options.least_ratio;
    (c * p * p - q * n, 4.0 * c * c * p * p * variance + n * n * before.1 + q * q * after.1 + before.1 * after.1)
}

/// Whether one of two shortfalls, or both together, is more than noise.
fn is_sure(one: Pixel, two: Pixel, options: &Options) -> bool {
    let sure = |(short, variance): Pixel| short > 0.0 && short * short > options.steep_sigma * options.steep_sigma * variance;
    sure(one) || sure(two) || sure((one.0 + two.0, one.1 + two.1))
}

/// Tests a pixel by its 3 x 3 square of excesses and variances, rows from below to above.
pub(super) fn any_steep(square: &[[Pixel; 3]; 3], options: &Options) -> bool {
    let add = |a: Pixel, b: Pixel, c: Pixel| (a.0 + b.0 + c.0, a.1 + b.1 + c.1);
    let [low, middle, high] = square;
    let centre = middle[1];
    if is_sure(shortfall(middle[0], centre, middle[2], options), shortfall(low[1], centre, high[1], options), options) {
        return true;
    }
    // Sums across: only where the pixel is the brightest of its three, or its neighbour would be blamed on it.
    let columns = [0, 1, 2].map(|k| add(low[k], middle[k], high[k]));
    let rows = [low, middle, high].map(|r| add(r[0], r[1], r[2]));
    let none = (0.0, 0.0);
    let along_x = if centre.0 >= low[1].0 && centre.0 >= high[1].0 { shortfall(columns[0], columns[1], columns[2], options) } else { none };
    let along_y = if centre.0 >= middle[0].0 && centre.0 >= middle[2].0 { shortfall(rows[0], rows[1], rows[2], options) } else { none };
    is_sure(along_x, along_y, options)
}

/// [`any_steep`] of a pixel of the frame. Flagged neighbours take part: they hold at least what their source gave; a
/// saturated one and one beyond the frame may have held any charge.
pub(in crate::effects::cosmic_rays) fn is_steep_at(field: &Field<'_>, options: &Options, level: f32, y: usize, x: usize) -> bool {
    let (ny, nx) = field.shape();
    let pixel = |dy: isize, dx: isize| {
        let (Some(v), Some(u)) = (y.checked_add_signed(dy), x.checked_add_signed(dx)) else { return (CLIPPED, CLIPPED) };
        if v >= ny || u >= nx {
            return (CLIPPED, CLIPPED);
        }
        let value = if field.is_saturated(v, u) { CLIPPED } else { field.value(v, u) };
        (value - level, value.max(0.0) + field.read_variance_at(v, u))
    };
    let square = [-1, 0, 1].map(|dy| [pixel(dy, -1), pixel(dy, 0), pixel(dy, 1)]);
    any_steep(&square, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(light: impl Fn(f64, f64) -> f64) -> [[Pixel; 3]; 3] {
        let at = |y: usize, x: usize| (light(x as f64 - 1.0, y as f64 - 1.0) as f32, 1e-20);
        [[at(0, 0), at(0, 1), at(0, 2)], [at(1, 0), at(1, 1), at(1, 2)], [at(2, 0), at(2, 1), at(2, 2)]]
    }

    #[test]
    fn no_sum_of_stars_of_the_psf_is_steep_and_a_sharper_one_is() {
        let s2: f64 = 0.49;
        let options = Options { least_ratio: (-1.0 / s2).exp() as f32 * 0.999, ..Options::default() };
        let star = |x0: f64, y0: f64, s2: f64| move |x: f64, y: f64| (-0.5 * ((x - x0).powi(2) + (y - y0).powi(2)) / s2).exp();
        for (x0, y0) in [(0.0, 0.0), (0.5, 0.5), (0.3, -0.4), (1.7, 0.2), (-2.0, 2.0)] {
            assert!(!any_steep(&square(star(x0, y0, s2)), &options), "a star at {x0} {y0}");
            let (one, two) = (star(x0, y0, s2), star(0.8, -0.3, s2));
            assert!(!any_steep(&square(|x, y| one(x, y) + 3.0 * two(x, y)), &options), "two stars");
            assert!(any_steep(&square(star(x0, y0, 0.9 * s2)), &options), "a sharper one at {x0} {y0}");
        }
    }

    #[test]
    fn a_block_of_two_by_two_pixels_is_steep() {
        let block = |x: f64, y: f64| if (0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y) { 1.0 } else { 0.0 };
        assert!(any_steep(&square(block), &Options::default()));
    }
}
