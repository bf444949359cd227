use super::*;
use crate::stream::StreamKey;

fn stream() -> Stream {
    StreamKey::new(20_261_120).with(3).with(8).with_name("test").stream(41)
}

/// Exact Poisson probabilities from k = 0, in f64 (log-space start, so that large means do not underflow).
fn probabilities(mean: f64, up_to: usize) -> Vec<f64> {
    let mut log_factorial = 0.0;
    (0..up_to)
        .map(|k| {
            if k > 0 {
                log_factorial += (k as f64).ln();
            }
            (k as f64 * mean.ln() - mean - log_factorial).exp()
        })
        .collect()
}

/// Number of words whose draw is at most `k`, by bisection over all 2^32 words.
fn words_up_to(mean: f32, k: f32) -> u64 {
    let (mut low, mut high) = (0_u64, 1_u64 << 32);
    while low < high {
        let middle = low.midpoint(high);
        if poisson_of_word(mean, middle as u32) <= k { low = middle + 1 } else { high = middle }
    }
    low
}

#[test]
fn the_law_of_all_words_is_poisson_to_the_stated_distance() {
    // Exact search: the only error is the grid of 2^-32. Expansion: the distances in `poisson`'s documentation,
    // plus 1e-6 for the arithmetic of f32.
    for (mean, allowed_cdf, allowed_tv) in [
        (0.05_f32, 3e-10, 1e-9),
        (0.6, 3e-10, 2e-9),
        (5.0, 3e-10, 4e-9),
        (11.99, 3e-10, 6e-9),
        (12.0, 3.2e-5, 9.3e-5),
        (15.0, 2.1e-5, 6.0e-5),
        (30.0, 5.5e-6, 1.6e-5),
        (1000.0, 1.4e-6, 3e-6),
    ] {
        let exact = probabilities(f64::from(mean), (mean + 12.0 * mean.sqrt() + 20.0) as usize);
        let (mut exact_cdf, mut before, mut worst, mut tv) = (0.0, 0.0, 0.0_f64, 0.0);
        for (k, p) in exact.iter().enumerate() {
            exact_cdf += p;
            let cdf = words_up_to(mean, k as f32) as f64 / 4_294_967_296.0;
            worst = worst.max((cdf - exact_cdf).abs());
            tv += 0.5 * (cdf - before - p).abs();
            before = cdf;
        }
        println!("mean {mean}: largest CDF error {worst:.2e}, total variation {tv:.2e}");
        assert!(worst < allowed_cdf, "mean {mean}: CDF error {worst:.2e}");
        assert!(tv < allowed_tv, "mean {mean}: total variation {tv:.2e}");
    }
}

#[test]
fn a_million_draws_pass_chi_square_against_the_exact_law() {
    const DRAWS: usize = 1 << 20;
    for (j, mean) in [0.05_f32, 0.6, 5.0, 15.0, 30.0, 1000.0].into_iter().enumerate() {
        let mut pixels = vec![mean; DRAWS];
        poisson(&stream(), (j * DRAWS) as u64, &mut pixels);
        let exact = probabilities(f64::from(mean), (mean + 12.0 * mean.sqrt() + 20.0) as usize);
        let mut counts = vec![0.0_f64; exact.len()];
        for p in pixels {
            counts[p as usize] += 1.0;
        }
        // Bins of at least 25 expected draws; the last is open.
        let (mut chi2, mut bins, mut got, mut expected) = (0.0, 0, 0.0, 0.0);
        let mut rest = DRAWS as f64;
        for (p, c) in exact.iter().zip(&counts) {
            got += c;
            expected += p * DRAWS as f64;
            if expected >= 25.0 && rest - expected >= 25.0 {
                chi2 += (got - expected).powi(2) / expected;
                bins += 1;
                rest -= expected;
                (got, expected) = (0.0, 0.0);
            }
        }
        chi2 += (got - rest).powi(2) / rest;
        // chi2 has mean `bins` and variance 2 bins (last bin open: bins + 1 bins, one constraint); 5 sigma.
        let freedom = f64::from(bins);
        assert!((chi2 - freedom).abs() < 5.0 * (2.0 * freedom).sqrt(), "mean {mean}: chi2 {chi2} for {bins}");
    }
}

#[test]
fn poisson_draws_have_mean_and_variance_of_the_law() {
    const N: f64 = 1_048_576.0;
    for mean in [0.6_f32, 30.0, 1e5] {
        let mut pixels = vec![mean; N as usize];
        poisson(&stream(), 1 << 40, &mut pixels);
        let m = f64::from(mean);
        let average = pixels.iter().map(|&p| f64::from(p)).sum::<f64>() / N;
        let variance = pixels.iter().map(|&p| (f64::from(p) - m).powi(2)).sum::<f64>() / N;
        // Sample mean: sigma = sqrt(m / N). Sample variance: fourth moment 3 m^2 + m gives sqrt((2 m^2 + m) / N). 5 sigma.
        assert!((average - m).abs() < 5.0 * (m / N).sqrt(), "mean {average}");
        assert!((variance - m).abs() < 5.0 * ((2.0 * m * m + m) / N).sqrt(), "variance {variance} at {mean}");
        assert!(pixels.iter().all(|p| p.fract() == 0.0 && *p >= 0.0));
    }
}

#[test]
fn poisson_draws_do_not_fall_when_the_mean_rises() {
    let words: Vec<u32> = (0..2000).map(|i| stream().word(i)).chain([0, 1, u32::MAX, u32::MAX - 1, 1 << 31]).collect();
    for w in words {
        let mut last = 0.0;
        for step in 0..1200 {
            let mean = 0.01 * 1.01_f32.powi(step);
            let draw = poisson_of_word(mean, w);
            // At the switch the two forms may place a step differently for 3e-5 of the words, none of them here.
            assert!(draw >= last, "word {w:#x}: {draw} at mean {mean} after {last}");
            last = draw;
        }
    }
}

#[test]
fn means_without_light_give_nothing_and_faults_stay_visible() {
    let mut pixels = [0.0, -0.0, -3.0, f32::MIN_POSITIVE / 2.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3.0];
    poisson(&stream(), 0, &mut pixels);
    assert_eq!(pixels[..4], [0.0; 4]);
    assert!(pixels[4].is_nan() && pixels[5] == f32::INFINITY && pixels[6] == 0.0 && pixels[7] >= 0.0);
}

#[test]
fn normals_are_the_quantiles_of_their_words() {
    // Reference: bisection of an f64 error function (continued fraction / series to 1e-15) on the upper tail.
    for i in 0..4000_u32 {
        let w = if i % 2 == 0 { stream().word(u64::from(i)) } else { (1.006_f64.powi(i as i32 % 3600)) as u32 };
        let z = normal_of_word(w);
        assert_eq!((-normal_of_word(!w)).to_bits(), z.to_bits(), "antisymmetric");
        let tail = (f64::from(w.min(!w)) + 0.5) / 4_294_967_296.0;
        let exact = upper_tail_quantile(tail).copysign(f64::from(z));
        assert!((f64::from(z) - exact).abs() < 3e-6, "word {w:#x}: {z} against {exact}");
        assert_eq!(z > 0.0, w >= 1 << 31);
    }
}

/// z with P(Z > z) = tail, by bisection.
fn upper_tail_quantile(tail: f64) -> f64 {
    let (mut low, mut high) = (0.0, 8.0);
    for _ in 0..60 {
        let z = 0.5 * (low + high);
        if upper_tail(z) > tail { low = z } else { high = z }
    }
    low
}

/// P(Z > z): series below 3, continued fraction above (Abramowitz & Stegun 26.2.10 and 26.2.14).
fn upper_tail(z: f64) -> f64 {
    let density = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if z < 3.0 {
        let (mut term, mut sum) = (z, z);
        for k in 1..80 {
            term *= z * z / f64::from(2 * k + 1);
            sum += term;
        }
        return 0.5 - density * sum;
    }
    let mut tail = 0.0;
    for k in (1..200).rev() {
        tail = f64::from(k) / (z + tail);
    }
    density / (z + tail)
}

#[test]
fn normals_have_the_moments_of_the_law_and_pass_kolmogorov() {
    const N: usize = 1 << 20;
    let mut z = vec![0.0_f32; N];
    normals(&stream(), 0, &mut z);
    let n = N as f64;
    let moment = |p: i32| z.iter().map(|&v| f64::from(v).powi(p)).sum::<f64>() / n;
    // Variances of the sample moments: 1, 2, 15, 96 (over N). 5 sigma.
    for (p, value, variance) in [(1, 0.0, 1.0_f64), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
        assert!((moment(p) - value).abs() < 5.0 * (variance / n).sqrt(), "moment {p}: {}", moment(p));
    }
    let mut sorted: Vec<f64> = z.iter().map(|&v| f64::from(v)).collect();
    sorted.sort_by(f64::total_cmp);
    let distance = sorted.iter().enumerate().step_by(16).fold(0.0_f64, |d, (i, &v)| {
        let cdf = if v > 0.0 { 1.0 - upper_tail(v) } else { upper_tail(-v) };
        d.max((cdf - (i as f64 + 0.5) / n).abs())
    });
    // Kolmogorov: P(D > 2.23 / sqrt N) = 1e-4.
    assert!(distance < 2.23 / n.sqrt(), "{distance}");
    // Neighbours are independent: sum of products has sigma sqrt(N).
    let product: f64 = z.windows(2).map(|w| f64::from(w[0]) * f64::from(w[1])).sum();
    assert!(product.abs() < 5.0 * n.sqrt(), "{product}");
}

#[test]
fn uniforms_stay_inside_the_open_interval_and_fill_it() {
    let mut u = vec![0.0_f32; 1 << 18];
    uniforms(&stream(), 5, &mut u);
    assert!(u.iter().all(|&v| v > 0.0 && v < 1.0));
    let mean = u.iter().map(|&v| f64::from(v)).sum::<f64>() / u.len() as f64;
    // sigma = sqrt(1 / 12 / 2^18) = 5.6e-4. 5 sigma.
    assert!((mean - 0.5).abs() < 2.8e-3, "{mean}");
    assert_eq!(u[0].to_bits(), (((stream().word(5) >> 9) as f32 + 0.5) / 8_388_608.0).to_bits());
}

#[test]
fn the_dispatched_loops_give_the_bits_of_the_scalar_functions() {
    let n = 40_000;
    let first = (1_u64 << 34) - 1234; // crosses a carry into the second counter word
    let words: Vec<u32> = (0..n as u64).map(|i| stream().word(first + i)).collect();
    let mut z = vec![0.0; n];
    normals(&stream(), first, &mut z);
    let mut added = vec![100.25_f32; n];
    add_normals(&stream(), first, 5.0, &mut added);
    // A mixture of all branches, from dark sky to a star's core.
    let means: Vec<f32> = (0..n).map(|i| if i % 7 == 0 { 1e5 } else { (i % 97) as f32 * 0.3 - 1.0 }).collect();
    let mut draws = means.clone();
    poisson(&stream(), first, &mut draws);
    for (i, &w) in words.iter().enumerate() {
        assert_eq!(z[i].to_bits(), normal_of_word(w).to_bits(), "normal {i}");
        assert_eq!(added[i].to_bits(), (100.25 + 5.0 * normal_of_word(w)).to_bits(), "added {i}");
        assert_eq!(draws[i].to_bits(), poisson_of_word(means[i], w).to_bits(), "poisson {i}");
    }
}

#[test]
fn a_part_of_a_row_draws_the_bits_of_the_whole() {
    let mut whole = vec![0.0; 5000];
    normals(&stream(), 0, &mut whole);
    let mut whole_counts = vec![7.5; 5000];
    poisson(&stream(), 0, &mut whole_counts);
    for (from, to) in [(0, 1), (1, 2), (3, 1030), (1023, 1026), (2047, 5000), (4999, 5000)] {
        let mut part = vec![0.0; to - from];
        normals(&stream(), from as u64, &mut part);
        assert_eq!(part, whole[from..to]);
        let mut part = vec![7.5; to - from];
        poisson(&stream(), from as u64, &mut part);
        assert_eq!(part, whole_counts[from..to]);
    }
}

#[test]
fn golden_draws() {
    // Recorded from this code; the words behind them are Philox's published known answers (see `stream`).
    let key = StreamKey::new(1).with_name("golden").stream(2);
    let mut z = [0.0; 4];
    normals(&key, 0, &mut z);
    let mut counts = [0.6, 5.0, 30.0, 1000.0];
    poisson(&key, 4, &mut counts);
    let bits: Vec<u32> = z.iter().chain(&counts).map(|v| v.to_bits()).collect();
    assert_eq!(bits, GOLDEN, "{bits:#x?}");
}

const GOLDEN: [u32; 8] = [0xbf92_29c6, 0x4006_13f8, 0x3fb4_651f, 0xbf84_809d, 0x4040_0000, 0x40c0_0000, 0x420c_0000, 0x4471_0000];
