//! The kernel: round and clip.

use multiversion::multiversion;

/// 1.5 x 2^23: adding it pushes the fraction of a number below 2^22 out of an f32, rounded half to even.
pub const SHIFT: f32 = 12_582_912.0;

/// Clips to `0..=ceiling` and rounds half to even. `ceiling` is a whole number below 2^22. NaN stays.
#[multiversion(targets("x86_64+avx2"))]
pub fn convert(pixels: &mut [f32], ceiling: f32) {
    for pixel in pixels {
        let low = if *pixel < 0.0 { 0.0 } else { *pixel };
        let clipped = if low > ceiling { ceiling } else { low };
        *pixel = (clipped + SHIFT) - SHIFT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_half_to_even_and_clips() {
        let mut pixels = [-3.0, -0.4, 0.5, 1.5, 2.4999, 65534.5, 65535.4, 7e4, f32::INFINITY, 500.75];
        convert(&mut pixels, 65535.0);
        assert_eq!(pixels, [0.0, 0.0, 0.0, 2.0, 2.0, 65534.0, 65535.0, 65535.0, 65535.0, 501.0]);
    }

    #[test]
    fn agrees_with_the_library_on_every_quarter_count() {
        let mut pixels: Vec<f32> = (0..65536 * 4).map(|i| i as f32 * 0.25).collect();
        let library: Vec<f32> = pixels.iter().map(|v| v.round_ties_even().min(65535.0)).collect();
        convert(&mut pixels, 65535.0);
        assert_eq!(pixels, library);
    }
}
