//! The sky level of a frame: clipped median and scatter. Estimated for the header, not subtracted.
//!
//! # Formula
//! Median and standard deviation of the unflagged pixels, those beyond 3 standard deviations of the median left out until
//! nothing changes (at most 20 times). The deviation is divided by 0.98658, that of a normal cut at 3.
//! # Source
//! The global form of the clipped background of Bertin & Arnouts 1996 (A&AS 117, 393), section 3.1.
//! # Limits
//! Every k-th pixel when there are more than four million. Crowding raises the level.

use ndarray::Array2;

/// Standard deviation of a standard normal cut at 3: sqrt(1 - 6 phi(3) / erf(3 / sqrt 2)).
const CUT_AT_3: f64 = 0.986_578;

/// Sky level and scatter of a pixel, in the unit of the frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Background {
    /// Level.
    pub level: f64,
    /// Scatter of a pixel.
    pub rms: f64,
}

/// Estimates the background; `None` with fewer than 100 unflagged pixels.
#[must_use]
pub fn estimate(pixels: &Array2<f32>, flags: &Array2<u32>) -> Option<Background> {
    // Odd and coprime to common widths, so that a stride does not sample single columns.
    let stride = match pixels.len() >> 22 {
        0 => 1,
        n => 2 * n + 1,
    };
    let mut values: Vec<f32> =
        pixels.iter().zip(flags).step_by(stride).filter(|(v, f)| **f == 0 && v.is_finite()).map(|(v, _)| *v).collect();
    if values.len() < 100 {
        return None;
    }
    values.sort_unstable_by(f32::total_cmp);
    let (mut low, mut high) = (0, values.len());
    for _ in 0..20 {
        let kept = &values[low..high];
        let middle = f64::from(kept[kept.len() / 2]);
        let count = kept.len() as f64;
        let mean = kept.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
        let sigma = (kept.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count).sqrt();
        let below = values.partition_point(|&v| f64::from(v) < middle - 3.0 * sigma);
        let above = values.partition_point(|&v| f64::from(v) <= middle + 3.0 * sigma);
        if (below, above) == (low, high) || above <= below {
            return Some(Background { level: middle, rms: sigma / CUT_AT_3 });
        }
        (low, high) = (below, above);
    }
    let kept = &values[low..high];
    let mean = kept.iter().map(|&v| f64::from(v)).sum::<f64>() / kept.len() as f64;
    let sigma = (kept.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / kept.len() as f64).sqrt();
    Some(Background { level: f64::from(kept[kept.len() / 2]), rms: sigma / CUT_AT_3 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_distr::{Distribution, Normal};
    use sim_core::stream::StreamKey;

    #[test]
    fn stars_and_flagged_pixels_do_not_move_the_sky() {
        let mut stream = StreamKey::new(3).stream(0);
        let noise = Normal::new(0.2_f32, 0.05).unwrap();
        let mut pixels = Array2::from_shape_simple_fn((200, 200), || noise.sample(&mut stream));
        let mut flags = Array2::zeros((200, 200));
        pixels.slice_mut(ndarray::s![50..60, 50..60]).fill(30.0);
        flags.row_mut(3).fill(sim_core::flags::BAD);
        pixels.row_mut(3).fill(-5.0);
        let sky = estimate(&pixels, &flags).unwrap();
        // 39,700 pixels: the median is good to 1.25 x 0.05 / 199 = 3.1e-4, the deviation to 0.05 / 282 = 1.8e-4.
        assert!((sky.level - 0.2).abs() < 5.0 * 3.1e-4, "{sky:?}");
        assert!((sky.rms - 0.05).abs() < 5.0 * 1.8e-4, "{sky:?}");
    }

    #[test]
    fn nothing_unflagged_means_no_sky() {
        assert_eq!(estimate(&Array2::zeros((20, 20)), &Array2::from_elem((20, 20), 1)), None);
    }
}
