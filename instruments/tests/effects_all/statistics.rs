//! What the frames say about the numbers put in, with tolerances derived from the number of pixels.

use crate::bench::{Scene, exposure, order, set, spec_of};
use instruments::chain::Chain;
use instruments::description::DetectorSpec;
use instruments::effects::digitise::model::trim;
use ndarray::Array2;
use sim_core::exposure::{Exposure, ExposureKind};
use sim_core::frame::Frame;

const NX: usize = 512;
const NY: usize = 256;
const N: f64 = (NX * NY) as f64;
/// Chance of a false alarm 6e-7.
const SIGMAS: f64 = 5.0;

/// A detector without structure, gain 1.1, read noise 5.
fn plain() -> DetectorSpec {
    let mut spec = spec_of(NX, NY);
    for (effect, key) in [
        ("flat", "large_scale_amplitude"),
        ("flat", "prnu_rms"),
        ("shutter", "travel_time"),
        ("dark", "hot_fraction"),
        ("digitise", "gain_scatter"),
        ("bias", "level_scatter"),
        ("bias", "column_structure_rms"),
        ("bias", "row_structure_rms"),
    ] {
        set(&mut spec, effect, key, 0.0);
    }
    spec
}

fn science_pixels(spec: &DetectorSpec, exposure: Exposure) -> Array2<f64> {
    let scene = Scene::full(spec.clone(), exposure);
    let chain = Chain::from_order(&order(), spec).unwrap();
    let (counts, _) = chain.run(Frame::zeros(scene.window), &scene.cx(""), &mut |_| ()).unwrap();
    trim(counts.pixels, &scene.layout, scene.window).mapv(f64::from)
}

fn mean(a: &Array2<f64>) -> f64 {
    a.sum() / N
}

/// Variance of one frame from the difference of two.
fn pair_variance(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let d = a - b;
    let m = mean(&d);
    d.iter().map(|v| (v - m).powi(2)).sum::<f64>() / (N - 1.0) / 2.0
}

#[test]
fn the_noise_of_a_bias_pair_is_read_noise_and_rounding() {
    let mut spec = plain();
    set(&mut spec, "dark", "rate", 0.0);
    let pair = [1, 2].map(|id| science_pixels(&spec, exposure(id, ExposureKind::Bias, 0.0)));
    let wanted = (5.0_f64 / 1.1).powi(2) + 1.0 / 12.0;
    let tolerance = SIGMAS * wanted * (2.0 / N).sqrt();
    let got = pair_variance(&pair[0], &pair[1]);
    assert!((got - wanted).abs() < tolerance, "{got} instead of {wanted} +- {tolerance}");
    let level = mean(&pair[0]);
    assert!((level - 500.0).abs() < SIGMAS * (wanted / N).sqrt(), "{level}");
}

#[test]
fn the_photon_transfer_slope_is_one_over_the_gain() {
    let mut spec = plain();
    set(&mut spec, "dark", "rate", 0.0);
    let bias = [1, 2].map(|id| science_pixels(&spec, exposure(id, ExposureKind::Bias, 0.0)));
    for rate_electron_s in [50.0, 2000.0] {
        let flat = [3, 4].map(|id| science_pixels(&spec, exposure(id, ExposureKind::Flat { rate_electron_s }, 10.0)));
        let signal = mean(&flat[0]) - mean(&bias[0]);
        let variance = pair_variance(&flat[0], &flat[1]);
        let slope = (variance - pair_variance(&bias[0], &bias[1])) / signal;
        // The variance of the flat dominates: relative error sqrt(2 / N), a little more for the bias pair.
        let tolerance = SIGMAS * (2.0 / N).sqrt() * (variance + 21.0) / signal;
        assert!((slope - 1.0 / 1.1).abs() < tolerance, "{slope} instead of {} +- {tolerance}", 1.0 / 1.1);
    }
}

#[test]
fn the_mean_of_a_dark_is_rate_times_time_and_wait() {
    let spec = plain();
    let (dark, bias) =
        (science_pixels(&spec, exposure(5, ExposureKind::Dark, 1000.0)), science_pixels(&spec, exposure(6, ExposureKind::Bias, 0.0)));
    let electrons = (mean(&dark) - mean(&bias)) * 1.1;
    // 0.02 electron/s x 1000 s; the wait of 20 s is in both.
    let tolerance = SIGMAS * ((20.4 + 0.4 + 2.0 * 25.1) / N).sqrt();
    assert!((electrons - 20.0).abs() < tolerance, "{electrons} +- {tolerance}");
    let wait = (mean(&bias) - 500.0) * 1.1;
    assert!((wait - 0.4).abs() < SIGMAS * (25.6 / N).sqrt(), "{wait}");
}

#[test]
fn the_rms_of_a_flat_is_its_prnu() {
    let mut spec = plain();
    set(&mut spec, "flat", "prnu_rms", 0.01);
    let scene = Scene::full(spec, exposure(1, ExposureKind::Flat { rate_electron_s: 1.0 }, 1.0));
    let flat = scene.applied(crate::bench::entry(instruments::effects::registry::light(), "flat"), 1.0).pixels.mapv(f64::from);
    let m = mean(&flat);
    let rms = (flat.iter().map(|v| (v - m).powi(2)).sum::<f64>() / (N - 1.0)).sqrt();
    assert!((m - 1.0).abs() < SIGMAS * 0.01 / N.sqrt(), "{m}");
    assert!((rms / 0.01 - 1.0).abs() < SIGMAS / (2.0 * N).sqrt(), "{rms}");
}

#[test]
fn hot_pixels_are_as_many_and_as_hot_as_told() {
    let mut spec = plain();
    set(&mut spec, "dark", "rate", 0.0);
    set(&mut spec, "dark", "readout_time", 0.0);
    set(&mut spec, "dark", "hot_fraction", 0.02);
    let scene = Scene::full(spec, exposure(1, ExposureKind::Dark, 1.0));
    let dark = scene.applied(crate::bench::entry(instruments::effects::registry::light(), "dark"), 0.0).pixels;
    let hot: Vec<f64> = dark.iter().filter(|&&v| v > 0.0).map(|&v| f64::from(v)).collect();
    let n = hot.len() as f64;
    assert!((n - 0.02 * N).abs() < SIGMAS * (0.02 * 0.98 * N).sqrt(), "{n}");
    // Exponential: the standard deviation is the mean.
    let m = hot.iter().sum::<f64>() / n;
    assert!((m - 20.0).abs() < SIGMAS * 20.0 / n.sqrt(), "{m}");
}
