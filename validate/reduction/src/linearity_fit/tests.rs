//! Ramps made from a known correction, without and with noise.

use super::*;
use crate::flat_ramp::RampSums;
use sim_core::noise;
use sim_core::stream::StreamKey;

/// A correction of three terms: 1.4 % at full scale.
const TERMS: [f64; 3] = [0.012, -0.006, 0.008];
const GAIN: f64 = 1.1;
const PIXELS: f64 = 1e5;
const EXCESS_S: f64 = 0.08;

/// Counts that the correction turns into `linear`.
fn measured(linear: f64) -> f64 {
    let of = |m: f64| m * (1.0 + TERMS.iter().enumerate().map(|(k, b)| b * (m / SCALE_ADU).powi(k as i32 + 1)).sum::<f64>());
    (0..60).fold(linear, |m, _| m - (of(m) - linear))
}

/// A flat in which half the pixels see `1 + spread` of the light, half `1 - spread`.
fn flat(time_s: f64, lamp: f64, spread: f64, error_adu: f64) -> RampLevel {
    let linear = lamp * (time_s + EXCESS_S);
    let counts = [1.0 + spread, 1.0 - spread].map(|r| measured(r * linear) + error_adu);
    let mut sums = RampSums { pixels: PIXELS, ..Default::default() };
    for (k, sum) in sums.powers.iter_mut().enumerate() {
        *sum = 0.5 * PIXELS * counts.map(|m| (m / SCALE_ADU).powi(k as i32 + 1)).iter().sum::<f64>();
    }
    RampLevel { time_s, lamp, sums, noise_adu2: linear / GAIN + 20.0, dark_adu: 0.0 }
}

const TIMES_S: [f64; 13] = [1.0, 2.0, 4.0, 6.0, 9.0, 12.0, 15.0, 19.0, 23.0, 27.0, 31.0, 35.0, 39.0];
const LAMP: f64 = 1600.0;

fn ramp(spread: f64) -> Vec<RampLevel> {
    TIMES_S.iter().map(|&t| flat(t, LAMP, spread, 0.0)).collect()
}

fn options(degree: Option<usize>) -> RampOptions {
    RampOptions { degree, lamp_error: 0.0, read_noise_adu: 20.0_f64.sqrt() }
}

#[test]
fn a_ramp_without_noise_gives_terms_and_shutter_back_whatever_the_spread_of_the_pixels() {
    for spread in [0.0, 0.05] {
        let fit = fit(&ramp(spread), &options(Some(3))).unwrap();
        for (got, wanted) in fit.linearity.values().iter().zip(TERMS) {
            assert!((got - wanted).abs() < 1e-8, "{spread}: {got} for {wanted}");
        }
        assert!((fit.excess_s.unwrap().value - EXCESS_S).abs() < 1e-8 && (fit.rate.value - 1.0).abs() < 1e-8, "{fit:?}");
        assert!(fit.linearity.residual < 1e-9 && fit.refused.is_empty());
    }
}

#[test]
fn chi_square_finds_the_degree() {
    let fit_3 = fit(&ramp(0.03), &options(None)).unwrap();
    assert!((2..=3).contains(&fit_3.linearity.coefficients.len()), "{fit_3:?}");
    // A straight response: the linear counts themselves.
    let mut straight = ramp(0.0);
    for level in &mut straight {
        let u = level.lamp * (level.time_s + EXCESS_S) / SCALE_ADU;
        level.sums.powers = std::array::from_fn(|k| PIXELS * u.powi(k as i32 + 1));
    }
    let fit_0 = fit(&straight, &options(None)).unwrap();
    assert_eq!(fit_0.linearity.coefficients, [], "{fit_0:?}");
}

#[test]
fn noisy_ramps_scatter_as_their_errors_say() {
    let trials = 400;
    let (mut sums, mut squares) = ([0.0; 4], [0.0; 4]);
    for trial in 0..trials {
        let mut z = vec![0.0; TIMES_S.len()];
        noise::normals(&StreamKey::new(5).stream(trial), 0, &mut z);
        let noisy = |(&time, &z): (&f64, &f32)| {
            let clean = flat(time, LAMP, 0.0, 0.0);
            flat(time, LAMP, 0.0, f64::from(z) * (clean.noise_adu2 / PIXELS).sqrt())
        };
        let levels: Vec<RampLevel> = TIMES_S.iter().zip(&z).map(noisy).collect();
        let fit = fit(&levels, &options(Some(3))).unwrap();
        let chi = fit.reduced_chi2.max(1.0).sqrt();
        let found = fit.linearity.coefficients.iter().copied().zip(TERMS).chain([(fit.excess_s.unwrap(), EXCESS_S)]);
        for (k, (got, wanted)) in found.enumerate() {
            // The errors as the noise alone gives them: the scaling with chi-square taken out.
            let pull = (got.value - wanted) / (got.error / chi);
            sums[k] += pull;
            squares[k] += pull * pull;
        }
    }
    let n = trials as f64;
    for k in 0..4 {
        let (mean, width) = (sums[k] / n, (squares[k] / n).sqrt());
        assert!(mean.abs() < 5.0 / n.sqrt() && (width - 1.0).abs() < 5.0 / (2.0 * n).sqrt(), "{k}: {mean} +- {width}");
    }
}

#[test]
fn the_lamp_can_make_the_ramp_and_then_the_shutter_is_part_of_the_rate() {
    let levels: Vec<RampLevel> = TIMES_S.iter().map(|&t| flat(10.0, 4.0 * LAMP * t / 39.0, 0.02, 0.0)).collect();
    let fit = fit(&levels, &options(Some(3))).unwrap();
    assert_eq!(fit.excess_s, None);
    assert!((fit.rate.value - (10.0 + EXCESS_S) / 10.0).abs() < 1e-8, "{fit:?}");
    assert!((fit.linearity.values()[0] - TERMS[0]).abs() < 1e-8);
}

#[test]
fn a_common_factor_is_the_rate_alone() {
    let mut brighter = ramp(0.02);
    brighter.iter_mut().for_each(|l| l.lamp *= 0.5);
    let (one, two) = (fit(&ramp(0.02), &options(Some(3))).unwrap(), fit(&brighter, &options(Some(3))).unwrap());
    assert!((two.rate.value / one.rate.value - 2.0).abs() < 1e-9);
    for (a, b) in one.linearity.values().iter().zip(two.linearity.values()) {
        assert!((a - b).abs() < 1e-9);
    }
}

/// A flat whose pixels are all full, at `level_adu` with a scatter of 0.5 %.
fn full(time_s: f64, level_adu: f64) -> RampLevel {
    let counts = [1.005, 0.995].map(|r| r * measured(level_adu) / SCALE_ADU);
    let mut level = flat(time_s, LAMP, 0.0, 0.0);
    level.sums.powers = std::array::from_fn(|k| 0.5 * PIXELS * (counts[0].powi(k as i32 + 1) + counts[1].powi(k as i32 + 1)));
    level.noise_adu2 = 20.5;
    level
}

#[test]
fn full_flats_are_refused_with_the_reason_and_give_the_full_well() {
    let mut levels = ramp(0.01);
    levels.extend([full(45.0, 63_000.0), full(60.0, 63_000.0)]);
    // Half full: the mean is on the line still, the noise is not.
    let mut half = flat(39.2, LAMP, 0.01, 0.0);
    half.noise_adu2 *= 0.6;
    levels.insert(0, half);
    let fit = fit(&levels, &options(Some(3))).unwrap();
    let refused: Vec<usize> = fit.refused.iter().map(|r| r.0).collect();
    assert_eq!(refused, [0, 14, 15]);
    assert!(matches!(fit.refused[0].1, Refusal::Noise { .. }), "{:?}", fit.refused);
    assert!((fit.linearity.values()[0] - TERMS[0]).abs() < 1e-7);
    let (well, scatter) = fit.full_well_adu.unwrap();
    assert!((well.value - 63_000.0).abs() < 2.0 && (scatter / 63_000.0 - 0.005).abs() < 2e-4, "{well:?} {scatter}");
    // What the correction is calibrated for ends at the brightest flat used.
    assert!((fit.linearity.ceiling_adu - measured(LAMP * (39.0 + EXCESS_S))).abs() < 10.0, "{}", fit.linearity.ceiling_adu);
}

#[test]
fn a_flat_at_the_converters_ceiling_is_refused_and_is_no_full_well() {
    let mut levels = ramp(0.0);
    let mut clipped = flat(41.5, LAMP, 0.0, 0.0);
    clipped.sums.at_ceiling = 0.02 * PIXELS;
    levels.push(clipped);
    let fit = fit(&levels, &options(Some(3))).unwrap();
    assert_eq!(fit.refused.len(), 1);
    assert_eq!(fit.refused[0].1.to_string(), "2.00 % of the pixels at the converter's ceiling");
    assert_eq!(fit.full_well_adu, None);
}

#[test]
fn too_few_levels_and_bad_numbers_are_named() {
    let short: Vec<RampLevel> = [1.0, 2.0, 3.0].map(|t| flat(t, LAMP, 0.0, 0.0)).to_vec();
    assert_eq!(fit(&short, &options(None)).unwrap_err().to_string(), "linearity: 3 levels of light for 3 unknowns, needs 4; refused: none");
    let mut full_ones = ramp(0.0);
    full_ones.truncate(3);
    full_ones.extend([full(45.0, 63_000.0), full(60.0, 63_000.0)]);
    let message = fit(&full_ones, &options(None)).unwrap_err().to_string();
    assert!(
        message.contains("3 levels of light for 3 unknowns") && message.contains("flat 4: a flat with less light is saturated"),
        "{message}"
    );
    let mut silent = ramp(0.0);
    silent[2].noise_adu2 = f64::NAN;
    assert_eq!(fit(&silent, &options(None)).unwrap_err().to_string(), "linearity: flat 2: noise NaN ADU^2 is not above 0");
    assert_eq!(fit(&ramp(0.0), &options(Some(7))).unwrap_err().to_string(), "linearity: degree = 7 is outside 0..6");
    let equal = vec![flat(10.0, LAMP, 0.0, 0.0); 12];
    assert!(matches!(fit(&equal, &options(None)), Err(RampError::TooFew { levels: 1, .. })));
}
