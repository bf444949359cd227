//! The shot noise of a frame, estimated from the frame.
//!
//! # Effect
//! Electrons are counted: the variance of a pixel is its expected number. Only the counted number is known, and it carries
//! the very noise that is to be estimated: a pixel that fluctuated low gets too small a variance. In units of its error a
//! pixel is then off by -1 / (2 sigma) on average (0.07 at the survey camera's sky), and every weighted fit is biased low.
//! # Formula
//! `Var += m` with `m` the mean of the unflagged 3 x 3 pixels around, where the pixel agrees with it within
//! `3 sqrt(max(m, 0) + Var)`; `Var += max(n, 0)` where it does not (cores of objects, hot pixels).
//! # Symbols
//! `n` electrons of the pixel; `Var` variance before (read noise, overscan, bias) \[electron^2\].
//! # Source
//! Derived here: a pixel correlates with the mean of nine a ninth as much as with itself. `ShotNoise::Pixel` is the
//! estimate of the official pipeline (csster/csst: `gain max(img, 0) + RN^2`).
//! # Limits
//! Within a few pixels of a faint object the variance of peak and wings is smoothed by the 3 x 3 mean (their sum is kept). `m`
//! may be negative by noise and is then subtracted, so that frames without light keep the right variance on average; never
//! below half of `Var`.
//! # Twin
//! None: an estimate, not an effect.

use ndarray::{Array2, ArrayView1, Axis, Zip};
use rayon::prelude::*;
use sim_core::frame::Frame;
use sim_core::plane::Charge;

/// How the shot noise is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ShotNoise {
    /// From the pixel and its neighbours: unbiased weights. The default.
    #[default]
    Local,
    /// From the pixel alone: the official estimate.
    Pixel,
}

/// How far a pixel may lie from its neighbours' mean and still count as one of them, in standard deviations.
const AGREES: f32 = 3.0;

/// Adds the shot-noise variance \[electron^2\] of [`ShotNoise::Local`].
pub fn add_shot_noise(frame: &mut Frame<Charge>) {
    let shape = frame.pixels.dim();
    let pixels = &frame.pixels;
    let flags = frame.flags.get_or_insert_with(|| Array2::zeros(shape)).view();
    let variance = frame.variance.get_or_insert_with(|| Array2::zeros(shape));
    variance.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(y, mut variance)| {
        // Sums of three rows of unflagged pixels, then of three columns.
        let (mut sum, mut count) = (vec![0.0_f32; shape.1 + 2], vec![0.0_f32; shape.1 + 2]);
        for row in y.saturating_sub(1)..(y + 2).min(shape.0) {
            let values: ArrayView1<'_, f32> = pixels.row(row);
            Zip::from(&mut sum[1..=shape.1]).and(&mut count[1..=shape.1]).and(values).and(flags.row(row)).for_each(|s, c, &v, &f| {
                let good = if f == 0 { 1.0 } else { 0.0 };
                *s += good * v;
                *c += good;
            });
        }
        for (x, variance) in variance.iter_mut().enumerate() {
            let count = count[x] + count[x + 1] + count[x + 2];
            let pixel = pixels[(y, x)];
            let mean = if count > 0.0 { (sum[x] + sum[x + 1] + sum[x + 2]) / count } else { pixel };
            let agrees = (pixel - mean).powi(2) <= AGREES * AGREES * (mean.max(0.0) + *variance);
            *variance += if agrees { mean.max(-0.5 * *variance) } else { pixel.max(0.0) };
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_distr::{Distribution, Normal, Poisson};
    use sim_core::frame::Window;
    use sim_core::stream::StreamKey;

    /// Mean and standard deviation of (n - expected) / error over 512 x 512 pixels of sky and read noise 5.
    fn pulls(expected: f64, noise: ShotNoise) -> (f64, f64) {
        let window = Window { x0: 0, y0: 0, nx: 512, ny: 512 };
        let mut stream = StreamKey::new(11).stream(expected as u64);
        let (sky, read) = (Poisson::new(expected.max(1e-12)).unwrap(), Normal::new(0.0, 5.0).unwrap());
        let pixels = Array2::from_shape_simple_fn(window.shape(), || (sky.sample(&mut stream) + read.sample(&mut stream)) as f32);
        let mut frame = Frame::<Charge>::from_pixels(pixels, window);
        frame.variance = Some(Array2::from_elem(window.shape(), 25.0));
        match noise {
            ShotNoise::Local => add_shot_noise(&mut frame),
            ShotNoise::Pixel => Zip::from(frame.variance.as_mut().unwrap()).and(&frame.pixels).for_each(|v, &p| *v += p.max(0.0)),
        }
        let pulls: Vec<f64> = frame
            .pixels
            .iter()
            .zip(frame.variance.as_ref().unwrap())
            .map(|(&p, &v)| (f64::from(p) - expected) / f64::from(v).sqrt())
            .collect();
        let count = pulls.len() as f64;
        let mean = pulls.iter().sum::<f64>() / count;
        (mean, (pulls.iter().map(|p| (p - mean).powi(2)).sum::<f64>() / count).sqrt())
    }

    #[test]
    fn pulls_of_empty_sky_have_mean_zero_and_width_one() {
        // 262,144 pixels: the mean is good to 0.002, the width to 0.0014. What remains of the correlation is
        // 1 / (18 sigma), at most 0.011 without light; the variance's own scatter widens by half its relative variance, 1e-3.
        for expected in [0.0, 3.0, 30.0, 300.0] {
            let (mean, width) = pulls(expected, ShotNoise::Local);
            assert!(mean.abs() < 0.012 + 5.0 * 0.002, "{expected}: mean {mean}");
            assert!((width - 1.0).abs() < 0.005 + 5.0 * 0.0014, "{expected}: width {width}");
        }
    }

    #[test]
    fn the_pixel_alone_biases_its_own_weight() {
        // -1 / (2 sigma) = -0.067 at 30 electron.
        let (mean, _) = pulls(30.0, ShotNoise::Pixel);
        assert!((mean + 0.067).abs() < 0.015, "{mean}");
    }

    #[test]
    fn a_bright_core_takes_its_own_noise_and_a_flagged_neighbour_none() {
        let window = Window { x0: 0, y0: 0, nx: 5, ny: 5 };
        let mut pixels = Array2::from_elem((5, 5), 20.0);
        pixels[(2, 2)] = 10_000.0;
        let mut frame = Frame::<Charge>::from_pixels(pixels, window);
        frame.variance = Some(Array2::from_elem((5, 5), 25.0));
        add_shot_noise(&mut frame);
        assert_eq!(frame.variance.as_ref().unwrap()[(2, 2)], 10_025.0);
        // The neighbours do not agree with a mean that holds the core: their own 20 counts.
        assert_eq!(frame.variance.as_ref().unwrap()[(1, 1)], 45.0);
        assert_eq!(frame.variance.as_ref().unwrap()[(0, 0)], 45.0);
        let mut flags = Array2::zeros((5, 5));
        flags[(2, 2)] = sim_core::flags::SATURATED;
        frame.flags = Some(flags);
        frame.variance = Some(Array2::from_elem((5, 5), 25.0));
        add_shot_noise(&mut frame);
        assert_eq!(frame.variance.as_ref().unwrap()[(1, 1)], 45.0);
    }
}
