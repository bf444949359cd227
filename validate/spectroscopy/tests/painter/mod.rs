//! A small painter of slitless frames, independent of the contamination model: a sum over fine steps of wavelength of two-dimensional Gaussians, galaxies as
//! clouds of points. Pixels are integrated by the error function.

#![allow(dead_code, clippy::unwrap_used, reason = "tests may panic; each test file uses its own part")]

use ndarray::Array2;
use sim_core::bandpass::Bandpass;
use sim_core::dispersion::{FieldPolynomial, Grating, Opening, Order};
use sim_core::noise::{normals, poisson};
use sim_core::stream::StreamKey;
use sim_core::units::Nanometre;
use spectroscopy::image::SlitlessImage;
use std::sync::Arc;

pub const AREA: f64 = 31416.0;
/// h c \[erg nm\].
pub const HC: f64 = 1.986_445_857e-9;
pub const SKY: f64 = 0.329;
pub const DARK: f64 = 0.02;
pub const TIME: f64 = 600.0;
pub const READ2: f64 = 100.0;
/// PSF: FWHM before pixels \[pixel\] at the ends of the band.
pub const FWHM: [(f64, f64); 2] = [(620.0, 2.4), (1000.0, 3.0)];

pub fn sigma(nm: f64) -> f64 {
    (FWHM[0].1 + (nm - FWHM[0].0) / (FWHM[1].0 - FWHM[0].0) * (FWHM[1].1 - FWHM[0].1)) / 2.354_820_045
}

/// Error function, series or continued fraction (Abramowitz & Stegun 7.1.6, 7.1.14).
pub fn erf(x: f64) -> f64 {
    let a = x.abs();
    let value = if a < 2.5 {
        let (mut term, mut sum) = (a, a);
        for n in 1..60 {
            term *= 2.0 * a * a / f64::from(2 * n + 1);
            sum += term;
        }
        sum * 2.0 / std::f64::consts::PI.sqrt() * (-a * a).exp()
    } else {
        let f = (1..=40).rev().fold(0.0, |f, k| 0.5 * f64::from(k) / (a + f));
        1.0 - (-a * a).exp() / (a + f) / std::f64::consts::PI.sqrt()
    };
    value.copysign(x)
}

/// Efficiency of the first order: a trapezium from 610 to 1010 nm.
pub fn efficiency(scale: f64) -> Arc<Bandpass> {
    let w = vec![610.0, 630.0, 750.0, 980.0, 1005.0];
    let e = [0.0, 0.3, 0.4, 0.25, 0.0].iter().map(|v| v * scale).collect();
    Arc::new(Bandpass::new("GI", w, e).unwrap())
}

fn p(c: &[f64]) -> FieldPolynomial {
    FieldPolynomial::new(c.to_vec()).unwrap()
}

/// Gratings with orders 0, 1, 2, -1; `sign` is the direction of dispersion, `tilt` the rise of the first order in rows.
pub fn grating(opening: Opening, sign: f64, tilt: f64) -> Grating {
    let wave = || vec![p(&[605.0, 1e-3, 5e-4]), p(&[395.0]), p(&[10.0])];
    let order = |number: i32, x: Vec<FieldPolynomial>, y: Vec<FieldPolynomial>, scale: f64| Order {
        number,
        x,
        y,
        wavelength_nm: wave(),
        efficiency: efficiency(scale),
    };
    Grating {
        opening,
        orders: vec![
            order(0, vec![p(&[-160.0 * sign, 1e-3, -2e-3]), p(&[3.0 * sign])], vec![p(&[0.5])], 0.1),
            order(
                1,
                vec![p(&[60.0 * sign, 2e-3 * sign, 1e-3]), p(&[480.0 * sign, 1e-3, 0.0]), p(&[6.0 * sign])],
                vec![p(&[0.5, 1e-3, 0.0]), p(&[tilt, 1e-3, 1e-3]), p(&[1.5])],
                1.0,
            ),
            order(2, vec![p(&[560.0 * sign]), p(&[900.0 * sign])], vec![p(&[1.0]), p(&[2.0 * tilt])], 0.06),
            order(-1, vec![p(&[-380.0 * sign]), p(&[-480.0 * sign])], vec![p(&[0.0]), p(&[-tilt])], 0.04),
        ],
    }
}

/// A source: position, spectrum, and points (dx, dy, weight) that make its shape.
pub struct Painted<'a> {
    pub x: f64,
    pub y: f64,
    pub spectrum: &'a dyn Fn(f64) -> f64,
    pub points: Vec<(f64, f64, f64)>,
}

pub fn star(x: f64, y: f64, spectrum: &dyn Fn(f64) -> f64) -> Painted<'_> {
    Painted { x, y, spectrum, points: vec![(0.0, 0.0, 1.0)] }
}

/// A disc as rings of points: each ring has the same light.
pub fn disc(half_light: f64, ratio: f64, angle_deg: f64) -> Vec<(f64, f64, f64)> {
    let (rings, around) = (24, 16);
    let (s, c) = angle_deg.to_radians().sin_cos();
    let mut out = Vec::new();
    for i in 0..rings {
        // Radius within which a share lies: 1 - (1 + u) exp(-u), by bisection.
        let share = (f64::from(i) + 0.5) / f64::from(rings);
        let (mut low, mut high) = (0.0, 40.0);
        for _ in 0..60 {
            let u: f64 = 0.5 * (low + high);
            if 1.0 - (1.0 + u) * (-u).exp() < share { low = u } else { high = u }
        }
        let r = low / 1.678_347 * half_light;
        for j in 0..around {
            let a = std::f64::consts::TAU * (f64::from(j) + 0.5 * f64::from(i % 2)) / f64::from(around);
            let (u, v) = (r * a.cos(), r * ratio * a.sin());
            out.push((u * c - v * s, u * s + v * c, 1.0 / f64::from(rings * around)));
        }
    }
    out
}

/// Rate without sky \[electron / s\] of the orders chosen.
pub fn paint(gratings: &[Grating], sources: &[Painted], shape: (usize, usize), origin: (usize, usize), orders: &[i32]) -> Array2<f64> {
    let mut out = Array2::zeros(shape);
    for source in sources {
        for g in gratings {
            let share = g.opening.share(source.x);
            if share <= 0.0 {
                continue;
            }
            for order in g.orders.iter().filter(|o| orders.contains(&o.number)) {
                let trace = order.trace(source.x, source.y);
                let steps = 1600;
                let (low, high) = (order.efficiency.wavelength_nm()[0], *order.efficiency.wavelength_nm().last().unwrap());
                let dw = (high - low) / f64::from(steps);
                for i in 0..steps {
                    let nm = low + (f64::from(i) + 0.5) * dw;
                    let light = share * (source.spectrum)(nm) * AREA * order.efficiency.at(Nanometre(nm)) * nm / HC * dw;
                    if light <= 0.0 {
                        continue;
                    }
                    let (dx, dy) = trace.offset(trace.parameter(nm));
                    let s = sigma(nm);
                    for point in &source.points {
                        dot(
                            &mut out,
                            source.x + dx + point.0 - origin.0 as f64,
                            source.y + dy + point.1 - origin.1 as f64,
                            s,
                            light * point.2,
                        );
                    }
                }
            }
        }
    }
    out
}

fn dot(out: &mut Array2<f64>, x: f64, y: f64, s: f64, light: f64) {
    let reach = 5.0 * s;
    let cut = |at: f64, n: usize| {
        let (a, b) = ((at - reach).floor().max(0.0) as i64, ((at + reach).ceil() as i64).min(n as i64 - 1));
        let edge = |k: i64| 0.5 * quick_erf((k as f64 - 0.5 - at) / (s * std::f64::consts::SQRT_2));
        (a, (a..=b).map(|k| edge(k + 1) - edge(k)).collect::<Vec<f64>>())
    };
    let ((x0, px), (y0, py)) = (cut(x, out.ncols()), cut(y, out.nrows()));
    for (j, v) in py.iter().enumerate() {
        for (i, u) in px.iter().enumerate() {
            out[((y0 as usize) + j, (x0 as usize) + i)] += light * u * v;
        }
    }
}

/// Error function from a table (step 1e-3, linear: 1e-7).
fn quick_erf(x: f64) -> f64 {
    static TABLE: std::sync::OnceLock<Vec<f64>> = std::sync::OnceLock::new();
    let t = TABLE.get_or_init(|| (0..=6001).map(|i| erf(f64::from(i) * 1e-3)).collect());
    let a = (x.abs() * 1e3).min(6000.0);
    let i = a as usize;
    (t[i] + (a - i as f64) * (t[i + 1] - t[i])).copysign(x)
}

/// A frame with its planes.
pub struct Frame {
    pub rate: Array2<f32>,
    pub error: Array2<f32>,
    pub flags: Array2<u16>,
    pub origin: (usize, usize),
}

impl Frame {
    pub fn image(&self) -> SlitlessImage<'_> {
        SlitlessImage { rate: self.rate.view(), error: self.error.view(), flags: self.flags.view(), origin: self.origin, time_s: TIME }
    }
}

/// Sky and noise of 4 x 150 s on a noiseless rate; dark is taken off as in a level-1 frame.
pub fn expose(light: &Array2<f64>, seed: u64) -> Frame {
    let mut counts: Vec<f32> = light.iter().map(|v| ((v + SKY + DARK) * TIME) as f32).collect();
    let key = StreamKey::new(seed);
    poisson(&key.stream(0), 0, &mut counts);
    let mut read = vec![0f32; counts.len()];
    normals(&key.stream(1), 0, &mut read);
    let shape = light.dim();
    let rate = counts.iter().zip(&read).map(|(c, n)| (f64::from(*c) + READ2.sqrt() * f64::from(*n)) / TIME - DARK).map(|v| v as f32);
    let error = counts
        .iter()
        .zip(&read)
        .map(|(c, n)| ((f64::from(*c) + READ2.sqrt() * f64::from(*n)).max(0.0) + READ2).sqrt() / TIME)
        .map(|v| v as f32);
    Frame {
        rate: Array2::from_shape_vec(shape, rate.collect()).unwrap(),
        error: Array2::from_shape_vec(shape, error.collect()).unwrap(),
        flags: Array2::zeros(shape),
        origin: (0, 0),
    }
}

/// Constant f_nu: f_lambda \[erg / s / cm2 / nm\] of an AB magnitude.
pub fn flat(ab: f64) -> impl Fn(f64) -> f64 {
    move |nm: f64| 3.630_780_547_701e-20 * 10f64.powf(-0.4 * ab) * 2.997_924_58e17 / (nm * nm)
}

/// Mean and standard deviation.
pub fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt())
}
