//! The part of a pixel's variance that is not the photon noise of its light.
//!
//! # Formula
//! `q = median(error^2 - rate / T)` over the good pixels of a part of a frame; a pixel's own is q, and where its error is larger by more than 0.75 of what q and its rate
//! give, as large as its error says. The variance of a model is `V = q + (background + others + model) / T`.
//! # Symbols
//! error, rate  of the frame \[electron / s / pixel\];  T  exposure time \[s\]
//! # Source
//! Horne 1986 (PASP 98, 609): variance from the model, not from the pixel. The limit of 0.75 is about six standard deviations of a pixel of sky (assumed).
//! # Limits
//! Level 1 states the photon noise of a pixel from its neighbours, other pipelines from the pixel itself. Taking the pixel's own fluctuation out of its stated error
//! is right for the second kind alone: of the first it makes weights that are the larger the higher a pixel is, and each pixel of sky counts one electron too much.
//! The median is right for both.

use sim_core::median::median;

/// Excess of the stated variance over the expected one from which it is believed.
const EXCESS: f64 = 0.75;

/// Variance without photon noise from (error squared, rate) of pixels; 0 without pixels.
pub(super) fn common(pixels: impl Iterator<Item = (f64, f64)>, time_s: f64) -> f64 {
    median(&mut pixels.map(|(stated, rate)| stated - rate / time_s).collect::<Vec<_>>()).unwrap_or(0.0).max(0.0)
}

/// That of one pixel, whose error may say that it is noisier than others (hot pixels).
pub(super) fn own(common: f64, stated: f64, rate: f64, time_s: f64) -> f64 {
    let expected = common + rate.max(0.0) / time_s;
    if stated > (1.0 + EXCESS) * expected { common + stated - expected } else { common }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::noise::normals;
    use sim_core::stream::StreamKey;

    #[test]
    fn both_ways_to_state_an_error_leave_the_same_quiet_part_and_hot_pixels_keep_theirs() {
        let (time_s, sky, read): (f64, f64, f64) = (150.0, 0.35, 5.0 / 150.0);
        let truth = sky / time_s + read * read;
        let mut noise = vec![0f32; 20_000];
        normals(&StreamKey::new(3).stream(0), 0, &mut noise);
        let rates: Vec<f64> = noise.iter().map(|n| sky + truth.sqrt() * f64::from(*n)).collect();
        let smooth = common(rates.iter().map(|r| (truth, *r)), time_s);
        let pixel = common(rates.iter().map(|r| (r / time_s + read * read, *r)), time_s);
        assert!((smooth / (read * read) - 1.0).abs() < 0.05 && (pixel / (read * read) - 1.0).abs() < 0.01, "{smooth} {pixel}");
        // The error of a common pixel tells nothing of its own, that of a hot one does.
        let pull = |value: f64| own(smooth, truth, value, time_s);
        assert_eq!((pull(sky - 2.0 * truth.sqrt()), pull(sky + 3.0 * truth.sqrt())), (smooth, smooth));
        assert!(own(smooth, 3.0 * truth, sky, time_s) > 2.0 * truth);
        // Weights by the model are those of the truth: a pixel of sky is nothing on average.
        let weights = |v: &dyn Fn(f64) -> f64| -> f64 {
            let (top, bottom) = rates.iter().fold((0.0, 0.0), |s, r| (s.0 + (r - sky) / v(*r), s.1 + 1.0 / v(*r)));
            top / bottom * time_s
        };
        assert!(weights(&|r| pull(r) + sky / time_s).abs() < 0.3);
        // What the pixel's own fluctuation in the weights did: about one electron.
        assert!(weights(&|r| truth + (sky - r) / time_s) > 0.7);
    }
}
