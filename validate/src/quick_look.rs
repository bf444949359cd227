//! How frames are shown: block means, an asinh stretch, the colours of the sky.

use ndarray::Array2;

/// Block means of the finite values that `at` gives for the pixels of a shape; NaN where there are none. Row 0 of the
/// result is the top of the picture, so the highest rows of the detector.
#[must_use]
pub fn shrink(shape: (usize, usize), block: usize, at: impl Fn((usize, usize)) -> f32) -> Array2<f32> {
    let (ny, nx) = (shape.0.div_ceil(block), shape.1.div_ceil(block));
    Array2::from_shape_fn((ny, nx), |(y, x)| {
        let y = ny - 1 - y;
        let (mut sum, mut n) = (0.0_f64, 0);
        for py in y * block..((y + 1) * block).min(shape.0) {
            for px in x * block..((x + 1) * block).min(shape.1) {
                let value = at((py, px));
                if value.is_finite() {
                    sum += f64::from(value);
                    n += 1;
                }
            }
        }
        if n == 0 { f32::NAN } else { (sum / f64::from(n)) as f32 }
    })
}

/// Grey with a breath of blue in the shadows and warmth in the lights, from 0 to 1; dark red where there is no value.
#[must_use]
pub fn sky_colour(v: f32) -> [u8; 3] {
    if !v.is_finite() {
        return [120, 30, 40];
    }
    let v = v.clamp(0.0, 1.0);
    let mix = |low: f32, mid: f32, high: f32| {
        let c = if v < 0.5 { low + (mid - low) * 2.0 * v } else { mid + (high - mid) * (2.0 * v - 1.0) };
        c.round() as u8
    };
    [mix(6.0, 118.0, 255.0), mix(9.0, 132.0, 250.0), mix(20.0, 158.0, 236.0)]
}

/// asinh stretch of values above the sky, from -1 sigma of the sky (0) to `top`, at least 10 sigma (1).
#[must_use]
pub fn stretch(pixels: &Array2<f32>, sigma: f32, top: f32) -> Array2<f32> {
    let soft = 4.0 * sigma;
    let scale = |v: f32| (v / soft).asinh();
    let (low, high) = (scale(-sigma), scale(top.max(10.0 * sigma)));
    pixels.mapv(|v| if v.is_finite() { (scale(v) - low) / (high - low) } else { f32::NAN })
}
