//! Closed loop of brighter-fatter: flats through the shifts of the simulator, covariances measured, shifts fitted, stars restored.
#![allow(clippy::unwrap_used, reason = "tests")]

use instruments::description::{DetectorKind, DetectorSpec};
use instruments::effects::brighter_fatter::Settings;
use instruments::effects::brighter_fatter::shifts::BoundaryShifts;
use instruments::effects::registry;
use ndarray::{Array2, s};
use reduction::boundary_fit;
use reduction::brighter_fatter_fit::{Areas, CovarianceFit, from_covariances};
use reduction::flat_covariance::{CovarianceOptions, FlatCovariance, LAGS, of_pair, together};
use sim_core::bandpass::Bandpass;
use sim_core::detector::{AmplifierGrid, DetectorGeometry, ReadoutLayout, Scans};
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::frame::Frame;
use sim_core::knowledge::{BoundaryKnowledge, Knowledge, Measured};
use sim_core::noise;
use sim_core::plane::Charge;
use sim_core::stream::StreamKey;
use std::f64::consts::SQRT_2;
use std::sync::Arc;

/// Gain of the left and of the right half \[electron / ADU\].
const GAINS: [f64; 2] = [1.1, 1.2];
const READ_NOISE: f64 = 5.0;
const CAPACITY: f64 = 90_000.0;
/// Side of a frame.
const SIDE: usize = 1408;
/// Width of a star, as sharp as the survey camera's \[pixel\]: 2 pixels at half maximum.
const SIGMA: f64 = 0.85;
/// Distance of stars \[pixel\].
const STEP: usize = 22;

struct Bench {
    spec: DetectorSpec,
    layout: ReadoutLayout,
}

impl Bench {
    fn new(side: usize, numbers: &[(&str, f64)]) -> Self {
        let geometry = DetectorGeometry {
            number: 3,
            filter: "r".into(),
            nx: side,
            ny: side,
            crpix1: 0.0,
            crpix2: 0.0,
            pixel_scale_arcsec: 0.074,
            amplifiers: AmplifierGrid { columns: 2, rows: 1, prescan_x: 0, overscan_x: 0, overscan_y: 0 },
        };
        let band = Arc::new(Bandpass::new("r", vec![549.0, 550.0, 690.0, 691.0], vec![0.0, 0.6, 0.6, 0.0]).unwrap());
        let parameters = Default::default();
        let mut spec = DetectorSpec {
            geometry,
            kind: DetectorKind::Imaging,
            band,
            grating: None,
            table_sky_electron_s: None,
            device_seed: 5,
            parameters,
        };
        let usual = [
            ("strength", 3e-6),
            ("pixel_pitch", 10.0),
            ("thickness", 16.0),
            ("charge_height", 1.0),
            ("cloud_width", 6.0),
            ("column_barrier", 3.0),
            ("row_barrier", 1.0),
            ("capacity", CAPACITY),
            ("draw_arrivals", 1.0),
        ];
        for numbers in [&usual[..], numbers] {
            let numbers: Vec<(String, f64)> = numbers.iter().map(|(k, v)| (k.to_string(), *v)).collect();
            registry::set_parameters(&mut spec, "brighter_fatter", &numbers, "invented for tests").unwrap();
        }
        let layout = ReadoutLayout::new(&spec.geometry, spec.geometry.full_window(), Scans::Trimmed);
        Self { spec, layout }
    }

    /// Electrons that arrived become electrons collected.
    fn forward(&self, charge: Array2<f32>, id: u64) -> Array2<f32> {
        let pointing = Pointing { ra_deg: 0.0, dec_deg: 0.0, rotation_deg: 0.0 };
        let exposure = Exposure { id, kind: ExposureKind::Science, pointing, start_mjd: 61_000.0, time_s: 10.0, sky_electron_s: 0.0 };
        let window = self.spec.geometry.full_window();
        let cx = Context {
            exposure: &exposure,
            geometry: &self.spec.geometry,
            layout: &self.layout,
            window,
            effect: "brighter_fatter",
            seed: 8,
            device_seed: 5,
        };
        let mut frame = Frame::<Charge>::from_pixels(charge, window);
        let entry = registry::charge().iter().find(|e| e.name == "brighter_fatter").unwrap();
        (entry.forward)(&self.spec).unwrap().apply(&mut frame, &cx).unwrap();
        frame.pixels
    }

    fn backward(&self, charge: &Array2<f32>, known: &BoundaryKnowledge) -> Array2<f32> {
        let window = self.spec.geometry.full_window();
        let mut knowledge = Knowledge::of_layout(self.layout.clone(), window, 10.0);
        knowledge.boundaries = Some(Arc::new(known.clone()));
        let mut frame = Frame::<Charge>::from_pixels(charge.clone(), window);
        let entry = registry::charge().iter().find(|e| e.name == "brighter_fatter").unwrap();
        entry.twin.correction(&knowledge).unwrap().unwrap().correct(&mut frame).unwrap();
        frame.pixels
    }

    /// A flat of a mean level \[electron\], collected.
    fn flat(&self, level: f32, id: u64) -> Array2<f32> {
        let mut charge = Array2::from_elem(self.spec.geometry.full_window().shape(), level);
        for (y, mut row) in charge.rows_mut().into_iter().enumerate() {
            noise::poisson(&StreamKey::new(4).with(id).stream(y as u64), 0, row.as_slice_mut().unwrap());
        }
        self.forward(charge, id)
    }
}

/// The half of an amplifier, read out \[ADU\].
fn read_out(charge: &Array2<f32>, amplifier: usize, id: u64) -> Array2<f32> {
    let half = charge.ncols() / 2;
    let mut counts = charge.slice(s![.., amplifier * half..(amplifier + 1) * half]).mapv(|v| v / GAINS[amplifier] as f32);
    for (y, mut row) in counts.rows_mut().into_iter().enumerate() {
        let stream = StreamKey::new(17).with(id).with(amplifier as u64).stream(y as u64);
        noise::add_normals(&stream, 0, (READ_NOISE / GAINS[amplifier]) as f32, row.as_slice_mut().unwrap());
    }
    counts
}

const LEVELS: [f32; 7] = [3e3, 8e3, 1.6e4, 3e4, 4.5e4, 6e4, 7.5e4];
const PAIRS: u64 = 2;

/// Covariances by amplifier and level of flats, as collected or as `correct` gives them back.
fn covariances(bench: &Bench, correct: &dyn Fn(Array2<f32>) -> Array2<f32>) -> Vec<Vec<FlatCovariance>> {
    let mut found = vec![Vec::new(); GAINS.len()];
    for (n, &level) in LEVELS.iter().enumerate() {
        let mut pairs = vec![Vec::new(); GAINS.len()];
        for pair in 0..PAIRS {
            let id = 100 * n as u64 + 2 * pair;
            let (a, b) = (correct(bench.flat(level, id)), correct(bench.flat(level, id + 1)));
            for (amplifier, pairs) in pairs.iter_mut().enumerate() {
                let (a, b) = (read_out(&a, amplifier, id), read_out(&b, amplifier, id + 1));
                pairs.push(of_pair(a.view(), b.view(), &CovarianceOptions::default()).unwrap());
            }
        }
        found.iter_mut().zip(pairs).for_each(|(found, pairs)| found.push(together(&pairs).unwrap()));
    }
    found
}

fn read_noises() -> Vec<Measured> {
    GAINS.iter().map(|g| Measured { value: READ_NOISE / g, error: 0.0 }).collect()
}

/// Part of a Gaussian in a pixel: the error function by Abramowitz & Stegun 1964, 7.1.26 (1.5e-7).
fn in_pixel(distance: f64) -> f64 {
    let erf = |x: f64| {
        let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
        let p = t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
        (1.0 - p * (-x * x).exp()).copysign(x)
    };
    0.5 * (erf((distance + 0.5) / (SIGMA * SQRT_2)) - erf((distance - 0.5) / (SIGMA * SQRT_2)))
}

/// Stars on a grid, all of one peak, each at its own place within its pixel.
fn stars(side: usize, peak: f64) -> Array2<f32> {
    let place = |at: usize, other: usize, salt: u64| {
        let (cell, offset) = (at / STEP, (at % STEP) as f64 - (STEP / 2) as f64);
        let word = StreamKey::new(salt).stream(cell as u64).word((other / STEP) as u64);
        in_pixel(offset - (f64::from(word) / 2f64.powi(32) - 0.5))
    };
    let scale = peak / in_pixel(0.0).powi(2);
    Array2::from_shape_fn((side, side), |(y, x)| {
        let whole = side / STEP * STEP;
        if y < whole && x < whole { (scale * place(x, y, 31) * place(y, x, 32)) as f32 } else { 0.0 }
    })
}

/// Mean over the stars of the squared widths along x and y, each star under the Gaussian of its own width.
fn sizes(image: &Array2<f32>) -> [f64; 2] {
    let cells = image.nrows() / STEP;
    let (mut total, half) = ([0.0; 2], (STEP / 2) as f64);
    for cell in 0..cells * cells {
        let (y0, x0) = (cell / cells * STEP, cell % cells * STEP);
        let stamp = image.slice(s![y0..y0 + STEP, x0..x0 + STEP]);
        let (mut centre, mut width) = ([half, half], [1.0, 1.0]);
        for _ in 0..60 {
            let mut sums = [0.0; 5];
            for ((y, x), &v) in stamp.indexed_iter() {
                let (dx, dy) = (x as f64 - centre[0], y as f64 - centre[1]);
                let w = f64::from(v) * (-0.5 * (dx * dx / width[0] + dy * dy / width[1])).exp();
                [1.0, dx, dy, dx * dx, dy * dy].iter().zip(&mut sums).for_each(|(m, s)| *s += w * m);
            }
            let moved = [sums[1] / sums[0], sums[2] / sums[0]];
            for k in 0..2 {
                let second = sums[3 + k] / sums[0] - moved[k] * moved[k];
                // The weight halves the width of a Gaussian.
                width[k] = (1.0 / (1.0 / second - 1.0 / width[k])).clamp(0.2, 9.0);
                centre[k] += moved[k];
            }
        }
        total[0] += width[0];
        total[1] += width[1];
    }
    total.map(|t| t / (cells * cells) as f64)
}

/// Relative growth of the size (the square root of the area) and of the two squared widths.
fn growth(now: [f64; 2], then: [f64; 2]) -> (f64, [f64; 2]) {
    let ratio = |k: usize| now[k] / then[k] - 1.0;
    (0.25 * (ratio(0) + ratio(1)), [ratio(0), ratio(1)])
}

#[test]
fn flats_calibrate_what_stars_need() {
    let bench = Bench::new(SIDE, &[]);
    let truth = Settings::read(&bench.spec).unwrap().shifts;
    let measured = covariances(&bench, &|flat| flat);
    let (known, fit, boundaries) = from_covariances(&measured, &read_noises(), CAPACITY, 2).unwrap();
    report("flats", &fit, &boundaries.shifts, &truth);
    assert!(
        (fit.reduced_chi2 - 1.0).abs() < 0.2,
        "2 amplifiers, 7 levels, 25 lags: 275 degrees of freedom, 1 +- 0.085: {}",
        fit.reduced_chi2
    );
    for (found, gain) in fit.gain.iter().zip(GAINS) {
        assert!((found.value - gain).abs() < 4.0 * found.error && found.error < 0.003 * gain, "{found:?} for {gain}");
    }
    let mut pulls: Vec<f64> = Vec::new();
    for j in 0..LAGS {
        for i in 0..LAGS {
            let found = fit.area[j][i];
            pulls.push((found.value - truth.area(i, j)) / found.error);
        }
    }
    assert!(pulls.iter().all(|p| p.abs() < 4.0), "{pulls:?}");

    // Photon transfer after the correction: Poisson again.
    let restored = covariances(&bench, &|flat| bench.backward(&flat, &known));
    let top = |all: &[Vec<FlatCovariance>]| all[0].last().unwrap().clone();
    let (before, after) = (top(&measured), top(&restored));
    let poisson = f64::from(LEVELS[6]) / GAINS[0].powi(2) + (READ_NOISE / GAINS[0]).powi(2);
    let missing = |c: &FlatCovariance| c.lags[0][0].value / poisson - 1.0;
    println!(
        "variance at 75,000 electrons over Poisson's: {:.4}, corrected {:.4} +- {:.4}",
        missing(&before),
        missing(&after),
        after.lags[0][0].error / poisson
    );
    assert!(missing(&before) < -0.15 && missing(&after).abs() < 0.01, "{} {}", missing(&before), missing(&after));
    let next = |c: &FlatCovariance| c.lags[1][0].value / c.lags[0][0].value;
    println!("its correlation with the next row: {:.4}, corrected {:.4}", next(&before), next(&after));
    assert!(next(&before) > 0.03 && next(&after).abs() < 0.003, "{} {}", next(&before), next(&after));

    // Stars without noise, against themselves without the effect.
    let side = 10 * STEP;
    let stage = Bench::new(side, &[("draw_arrivals", 0.0)]);
    for peak in [1e3, 3e3, 1e4, 3e4, 5e4, 8e4] {
        let light = stars(side, peak);
        let spoilt = stage.forward(light.clone(), 1);
        let clean = sizes(&light);
        let (raw, [raw_x, raw_y]) = growth(sizes(&spoilt), clean);
        let (left, [x, y]) = growth(sizes(&stage.backward(&spoilt, &known)), clean);
        println!("peak {peak:6.0}: size {raw:+.4} (squares {raw_x:+.4} {raw_y:+.4}), corrected {left:+.5} ({x:+.5} {y:+.5})");
        assert!(left.abs() < 1e-3 && x.abs() < 2e-3 && y.abs() < 2e-3, "{left} {x} {y}");
        assert!(peak < 3e4 || raw > 0.01, "{raw}");
    }
    // With shot noise, times of arrival and read noise: 900 stars of 3e5 electrons, each size good to 0.13 %.
    let side = 30 * STEP;
    let stage = Bench::new(side, &[]);
    let light = stars(side, 5e4);
    let mut charge = light.clone();
    for (y, mut row) in charge.rows_mut().into_iter().enumerate() {
        noise::poisson(&StreamKey::new(71).stream(y as u64), 0, row.as_slice_mut().unwrap());
    }
    let mut spoilt = stage.forward(charge, 2);
    for (y, mut row) in spoilt.rows_mut().into_iter().enumerate() {
        noise::add_normals(&StreamKey::new(72).stream(y as u64), 0, READ_NOISE as f32, row.as_slice_mut().unwrap());
    }
    let (raw, _) = growth(sizes(&spoilt), sizes(&light));
    let (left, widths) = growth(sizes(&stage.backward(&spoilt, &known)), sizes(&light));
    println!("900 noisy stars of peak 50,000: size {raw:+.4}, corrected {left:+.5} (squares {widths:?})");
    assert!(raw > 0.015 && left.abs() < 1e-3, "{raw} {left}");
}

fn report(name: &str, fit: &CovarianceFit, found: &BoundaryShifts, truth: &BoundaryShifts) {
    println!("{name}: chi2/dof {:.2}, gains {:?}, straight line x {:.4}", fit.reduced_chi2, fit.gain, fit.straight_line);
    for (lag, i, j) in [("00", 0, 0), ("10", 1, 0), ("01", 0, 1), ("11", 1, 1), ("20", 2, 0), ("02", 0, 2)] {
        let area = fit.area[j][i];
        println!("  a_{lag} = {:.3e} +- {:.1e}, true {:.3e}", area.value, area.error, truth.area(i, j));
    }
    for (name, found, truth) in
        [("columns", found.between_columns, truth.between_columns), ("rows", found.between_rows, truth.between_rows)]
    {
        println!("  shift between {name}: {:.3e}, {:.3e}; true {:.3e}, {:.3e}", found[0][0], found[1][0], truth[0][0], truth[1][0]);
    }
}

/// Charge moved in a kernel of any reach, naively and in f64: a forward model that the correction does not know.
struct Rich {
    reach: usize,
    columns: Vec<Vec<f64>>,
    rows: Vec<Vec<f64>>,
}

impl Rich {
    /// Displacement falling with the distance as `law`, boundaries between rows moving `uneven` times as far as those between columns.
    fn new(reach: usize, uneven: f64, law: impl Fn(f64) -> f64) -> Self {
        let table = |factor: f64| -> Vec<Vec<f64>> {
            let shift = |k: usize, l: usize| {
                // The charge spread over the middle 0.6 of its pixel, the boundary over its length, in 8 x 8 x 8 points.
                let points = (0..512).map(|n| [n % 8, n / 8 % 8, n / 64].map(|p| (p as f64 + 0.5) / 8.0 - 0.5));
                let mean = points.map(|[u, v, w]| {
                    let (across, along) = (k as f64 + 0.5 - 0.6 * u, l as f64 + v - 0.6 * w);
                    let r = across.hypot(along);
                    law(r) * across / r
                });
                factor * mean.sum::<f64>() / 512.0
            };
            (0..reach).map(|k| (0..=reach).map(|l| shift(k, l)).collect()).collect()
        };
        let mut rich = Self { reach, columns: table(1.0), rows: table(uneven) };
        let factor = 3e-6 / (2.0 * (rich.columns[0][0] + rich.rows[0][0]));
        rich.columns.iter_mut().chain(&mut rich.rows).flatten().for_each(|v| *v *= factor);
        rich
    }
    fn area(&self, i: usize, j: usize) -> f64 {
        let outward = |table: &[Vec<f64>], k: isize, l: usize| {
            let at = |k: usize| table.get(k).and_then(|row| row.get(l)).copied().unwrap_or(0.0);
            if k >= 0 { -at(k as usize) } else { at((-k - 1) as usize) }
        };
        let (x, y) = (i as isize, j as isize);
        outward(&self.columns, x, j) - outward(&self.columns, x - 1, j) + outward(&self.rows, y, i) - outward(&self.rows, y - 1, i)
    }
    fn moved(&self, n: &Array2<f64>, q: &Array2<f64>) -> Array2<f64> {
        let (ny, nx) = n.dim();
        let at = |a: &Array2<f64>, y: isize, x: isize| a.get((y.max(0) as usize, x.max(0) as usize)).copied().unwrap_or(0.0);
        let face = |a: [f64; 4]| ((7.0 * (a[1] + a[2]) - (a[0] + a[3])) / 12.0).max(0.0);
        let mut out = Array2::<f64>::zeros((ny, nx));
        let reach = self.reach as isize;
        for y in 0..ny as isize - 1 {
            for x in 0..nx as isize - 1 {
                let (mut right, mut up) = (0.0, 0.0);
                for k in 0..reach {
                    for l in -reach..=reach {
                        let (ku, lu) = (k as usize, l.unsigned_abs());
                        right += self.columns[ku][lu] * (at(q, y + l, x + 1 + k) - at(q, y + l, x - k));
                        up += self.rows[ku][lu] * (at(q, y + 1 + k, x + l) - at(q, y - k, x + l));
                    }
                }
                let right = right * face(std::array::from_fn(|i| at(n, y, x + i as isize - 1)));
                let up = up * face(std::array::from_fn(|i| at(n, y + i as isize - 1, x)));
                let (y, x) = (y as usize, x as usize);
                out[[y, x]] += right + up;
                out[[y, x + 1]] -= right;
                out[[y + 1, x]] -= up;
            }
        }
        out
    }
    fn forward(&self, light: &Array2<f32>) -> Array2<f32> {
        let n = light.mapv(f64::from);
        let h = n.mapv(|v| v / 6.0) + self.moved(&n, &n.mapv(|v| v / 24.0));
        let h = n.mapv(|v| v / 2.0) + self.moved(&n, &h);
        (&n + &self.moved(&n, &h)).mapv(|v| v as f32)
    }
}

#[test]
fn kernels_that_the_correction_does_not_know_leave_a_thousandth() {
    let laws: [(&str, Rich); 3] = [
        ("exponential over 0.8 pixel", Rich::new(7, 1.6, |r| (-r / 0.8).exp() / r)),
        ("thick device, unscreened to 7 pixels", Rich::new(7, 1.3, |r| 1.0 / (r * r + 0.2).powf(1.5) + 0.01 / r)),
        ("power of 1.5, screened over 1.2 pixels", Rich::new(6, 1.0, |r| (-r / 1.2).exp() / r.powf(1.5))),
    ];
    let side = 4 * STEP;
    let stage = Bench::new(side, &[("draw_arrivals", 0.0)]);
    let light = stars(side, 6e4);
    let clean = sizes(&light);
    for (name, rich) in laws {
        // The areas of the kernel as flats would give them: 3e-9 is the error of one pair of whole chips at 40,000 electrons.
        let mut draws = [0.0_f32; LAGS * LAGS];
        noise::normals(&StreamKey::new(12).stream(0), 0, &mut draws);
        let error = 3e-9;
        let measured = |j: usize, i: usize| Measured { value: rich.area(i, j) + error * f64::from(draws[j * LAGS + i]), error };
        let area: Areas = std::array::from_fn(|j| std::array::from_fn(|i| measured(j, i)));
        let fit = boundary_fit::fit(&area).unwrap();
        let spoilt = rich.forward(&light);
        let left = |shifts: &BoundaryShifts| growth(sizes(&stage.backward(&spoilt, &shifts.knowledge(CAPACITY, 2))), clean);
        let (raw, _) = growth(sizes(&spoilt), clean);
        let (size, [x, y]) = left(&fit.shifts);
        let (alone, [alone_x, alone_y]) = left(&boundary_fit::of_potential(&area.map(|line| line.map(|m| m.value))).unwrap());
        println!("{name}: size {raw:+.4}; corrected {size:+.5} (squares {x:+.5} {y:+.5}), remainder {:.3}", fit.remainder);
        println!("  by a potential alone {alone:+.5} (squares {alone_x:+.5} {alone_y:+.5})");
        assert!(raw > 0.01 && size.abs() < 1e-3, "{name}: {size} of {raw}");
    }
}
