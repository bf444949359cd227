//! A small painter of slitless frames for tests: traces, lines, continua, noise, hits. It shares no code with the engine but the polynomials.
#![allow(clippy::unwrap_used, dead_code, reason = "test code; each test uses a part")]

use ndarray::{Array2, s};
use sim_core::bandpass::Bandpass;
use sim_core::dispersion::{FieldPolynomial, Grating, Opening, Order};
use sim_core::flags;
use sim_core::noise;
use sim_core::stream::StreamKey;
use sim_core::units::Nanometre;
use spectroscopy::calibration::OwnedFrame;
use std::sync::Arc;

pub const TIME_S: f64 = 150.0;
const SKY: f64 = 0.214;
const DARK: f64 = 0.02;
const READ: f64 = 5.0;

pub fn field(c: &[f64]) -> FieldPolynomial {
    FieldPolynomial::new(c.to_vec()).unwrap()
}

/// Efficiency: a smooth hump, 0 at the ends.
pub fn hump(low: f64, high: f64, peak: f64) -> Bandpass {
    let w: Vec<f64> = (0..=200).map(|i| low + (high - low) * f64::from(i) / 200.0).collect();
    let e = w
        .iter()
        .map(|w| {
            let edge = |d: f64| 1.0 / (1.0 + (-d / 2.5).exp());
            let shape = peak * (1.0 - 0.5 * ((w - 0.5 * (low + high)) / (high - low)).powi(2) + 0.04 * (w / 17.0).sin());
            if *w == low || *w == high { 0.0 } else { shape * edge(w - low - 12.0) * edge(high - 12.0 - w) }
        })
        .collect();
    Bandpass::new("hump", w, e).unwrap()
}

/// The true grating, 390 to 630 nm at 0.52 nm per pixel, with coefficients that change by one or two per cent over the detector.
/// `direction` is 1 or -1: where the first order goes.
pub fn true_grating(direction: f64) -> Grating {
    let order = |number: i32, sign: f64, peak: f64| Order {
        number,
        x: vec![
            field(&[sign * 300.0, 1.5e-3 * sign, -0.8e-3, 2e-8, -3e-8, 1e-8]),
            field(&[sign * 462.0, 1e-4, 2e-4]),
            field(&[sign * 3.0]),
        ],
        y: vec![field(&[2.0, 3e-4, -2e-4, 1e-8, 2e-8, 0.0]), field(&[sign * 6.0, 2e-4, 1e-4, 0.0, 1e-8, -1e-8]), field(&[-1.6, 5e-5, 0.0])],
        wavelength_nm: vec![
            field(&[389.0, 2.5e-4, 4e-4, -2e-8, 1e-8, 2e-8]),
            field(&[237.0, 3.0e-4, -2.0e-4, 1.5e-8, 0.0, -1e-8]),
            field(&[4.0, 5e-5, 2e-5]),
        ],
        efficiency: Arc::new(hump(390.0, 630.0, peak)),
    };
    let zeroth = Order {
        number: 0,
        x: vec![field(&[-18.0, 3e-4, 1e-4]), field(&[1.5])],
        y: vec![field(&[1.0, 0.0, 2e-4]), field(&[0.0])],
        wavelength_nm: vec![field(&[390.0]), field(&[240.0])],
        efficiency: Arc::new(hump(390.0, 630.0, 0.04)),
    };
    Grating { opening: Opening::whole(), orders: vec![order(1, direction, 0.4), zeroth, order(-1, -direction, 0.08)] }
}

/// The guess: off by pixels, 2 % and a tilt, without field dependence of degree two.
pub fn nominal_grating(direction: f64) -> Grating {
    let mut grating = true_grating(direction);
    for order in &mut grating.orders {
        let flat = |p: &FieldPolynomial, shift: f64, factor: f64| field(&[factor * p.at(4600.0, 4600.0) + shift]);
        let sign = order.x[0].at(4600.0, 4600.0).signum();
        if order.number == 0 {
            order.x = vec![flat(&order.x[0], 5.0, 1.0), field(&[1.5])];
            order.y = vec![flat(&order.y[0], -4.0, 1.0), field(&[0.0])];
            continue;
        }
        order.x = vec![flat(&order.x[0], 9.0 * sign, 1.0), flat(&order.x[1], 0.0, 1.02)];
        order.y = vec![flat(&order.y[0], -7.0, 1.0), flat(&order.y[1], 1.5, 1.0)];
        order.wavelength_nm = vec![flat(&order.wavelength_nm[0], 0.0, 1.0), flat(&order.wavelength_nm[1], 4.0, 1.0)];
    }
    grating
}

/// Light per wavelength in front of the grating: electrons per second at efficiency 1.
pub struct Light {
    /// Lines: vacuum wavelength \[nm\], rate.
    pub lines: Vec<(f64, f64)>,
    /// Continuum: rate per nm.
    pub continuum: Box<dyn Fn(f64) -> f64>,
}

pub struct Painter {
    pub frame: OwnedFrame,
    light: Array2<f64>,
    seed: u64,
    /// Share of the light in wide wings across the dispersion (Lorentzian of half width 1.5 pixel).
    pub wings: f64,
}

fn erf(x: f64) -> f64 {
    // Abramowitz & Stegun 7.1.26, error 1.5e-7.
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let p = t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    x.signum() * (1.0 - p * (-x * x).exp())
}

/// Share of a Gaussian in pixel `i`.
fn pixel_share(i: i64, centre: f64, sigma: f64) -> f64 {
    let edge = |e: f64| erf((e - centre) / (sigma * std::f64::consts::SQRT_2));
    0.5 * (edge(i as f64 + 0.5) - edge(i as f64 - 0.5))
}

/// Width of the PSF at a wavelength \[pixel\].
pub fn sigma(wavelength: f64) -> f64 {
    1.05 * (0.55 + 0.45 * wavelength / 500.0)
}

impl Painter {
    pub fn new(origin: (usize, usize), columns: usize, rows: usize, seed: u64) -> Self {
        let frame = OwnedFrame {
            rate: Array2::zeros((rows, columns)),
            error: Array2::zeros((rows, columns)),
            flags: Array2::zeros((rows, columns)),
            origin,
            time_s: TIME_S,
        };
        Self { light: Array2::zeros((rows, columns)), frame, seed, wings: 0.0 }
    }

    fn add(&mut self, x: f64, y: f64, wavelength: f64, rate: f64) {
        let (rows, columns) = self.light.dim();
        let (ox, oy) = (self.frame.origin.0 as i64, self.frame.origin.1 as i64);
        let s = sigma(wavelength);
        let reach = if self.wings > 0.0 { 120 } else { 7 };
        for i in x.round() as i64 - 7..=x.round() as i64 + 7 {
            if i < ox || i >= ox + columns as i64 {
                continue;
            }
            let along = pixel_share(i, x, s) * rate;
            for j in y.round() as i64 - reach..=y.round() as i64 + reach {
                if j < oy || j >= oy + rows as i64 {
                    continue;
                }
                let edge = |e: f64| ((e - y) / 1.5).atan() / std::f64::consts::PI;
                let wing = if self.wings > 0.0 { self.wings * (edge(j as f64 + 0.5) - edge(j as f64 - 0.5)) } else { 0.0 };
                let core = if (j - y.round() as i64).abs() <= 7 { (1.0 - self.wings) * pixel_share(j, y, s) } else { 0.0 };
                self.light[[(j - oy) as usize, (i - ox) as usize]] += along * (core + wing);
            }
        }
    }

    /// A source at an undispersed position through all orders of a grating.
    pub fn source(&mut self, grating: &Grating, x0: f64, y0: f64, light: &Light) {
        for order in &grating.orders {
            let trace = order.trace(x0, y0);
            let place = |w: f64| {
                let (dx, dy) = trace.offset(trace.parameter(w));
                (x0 + dx, y0 + dy)
            };
            for &(w, rate) in light.lines.iter().filter(|l| l.0 > 390.0 && l.0 < 630.0) {
                let (x, y) = place(w);
                self.add(x, y, w, rate * order.efficiency.at(Nanometre(w)));
            }
            let step = 0.13;
            for i in 0..((630.0 - 390.0) / step) as usize {
                let w = 390.0 + step * (i as f64 + 0.5);
                let (x, y) = place(w);
                self.add(x, y, w, step * (light.continuum)(w) * order.efficiency.at(Nanometre(w)));
            }
        }
    }

    /// A spectrum that crosses the frame along a straight line, constant along it.
    pub fn crossing(&mut self, from: (f64, f64), to: (f64, f64), rate_per_pixel: f64) {
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let steps = (2.0 * length) as usize;
        for i in 0..steps {
            let f = (i as f64 + 0.5) / steps as f64;
            self.add(from.0 + f * (to.0 - from.0), from.1 + f * (to.1 - from.1), 500.0, rate_per_pixel * length / steps as f64);
        }
    }

    /// Sky, dark, read noise and hits (four of five flagged); the level-1 frame.
    pub fn expose(mut self, hits: usize) -> OwnedFrame {
        let (rows, columns) = self.light.dim();
        let key = StreamKey::new(self.seed);
        for y in 0..rows {
            let row = self.light.slice(s![y, ..]);
            let mut electrons: Vec<f32> = row.iter().map(|r| ((r + SKY + DARK) * TIME_S) as f32).collect();
            noise::poisson(&key.with_name("photons").stream(y as u64), 0, &mut electrons);
            noise::add_normals(&key.with_name("read").stream(y as u64), 0, READ as f32, &mut electrons);
            for (x, e) in electrons.into_iter().enumerate() {
                let e = f64::from(e);
                self.frame.rate[[y, x]] = (e / TIME_S - DARK) as f32;
                self.frame.error[[y, x]] = ((e.max(0.0) + READ * READ).sqrt() / TIME_S) as f32;
            }
        }
        let mut u = vec![0.0_f32; 5 * hits];
        noise::uniforms(&key.with_name("hits").stream(0), 0, &mut u);
        for hit in u.chunks(5) {
            let (x, y) = (f64::from(hit[0]) * columns as f64, f64::from(hit[1]) * rows as f64);
            let angle = f64::from(hit[2]) * std::f64::consts::PI;
            for k in 0..2 + (8.0 * f64::from(hit[3])) as usize {
                let (i, j) = ((x + k as f64 * angle.cos()) as i64, (y + k as f64 * angle.sin()) as i64);
                if i >= 0 && j >= 0 && i < columns as i64 && j < rows as i64 {
                    let at = [j as usize, i as usize];
                    self.frame.rate[at] += (600.0 / TIME_S) as f32 * (1.0 + hit[3]);
                    self.frame.flags[at] |= if hit[4] < 0.8 { flags::COSMIC_RAY as u16 } else { 0 };
                }
            }
        }
        self.frame
    }
}

/// Lines of the nebula: the engine's list with other strengths, by a fixed pattern of factors 0.6 to 1.6, H-beta 380 electron / s at efficiency 1.
pub fn nebula() -> Light {
    let list = spectroscopy::calibration::line_list::vacuum_list(0.0);
    let mut lines = Vec::new();
    for (k, feature) in list.iter().enumerate() {
        let factor = 0.6 + (k as f64 * 0.37).fract();
        lines.extend(feature.components.iter().map(|&(w, s)| (w, 3.8 * s * factor)));
    }
    Light { lines, continuum: Box::new(|w| 0.6 * (1.0 + 0.2 * (w / 90.0).sin())) }
}

/// A cut-out around a position of a nebula with a neighbour's crossing spectrum and hits.
pub fn nebula_frame(grating: &Grating, x0: f64, y0: f64, seed: u64) -> OwnedFrame {
    let origin = ((x0 - 850.0).max(0.0) as usize, (y0 - 60.0).max(0.0) as usize);
    let mut painter = Painter::new(origin, 1700, 130, seed);
    painter.source(grating, x0, y0, &nebula());
    // Another neighbour in each frame: to the left or right, rising or falling.
    let (x, y) = (origin.0 as f64 + 100.0 * (seed * 7 % 10) as f64, origin.1 as f64);
    let (first, last) = if seed.is_multiple_of(2) { (20.0, 110.0) } else { (115.0, 15.0) };
    painter.crossing((x, y + first), (x + 750.0, y + last), 1.5);
    painter.expose(180)
}

/// Positions of a grid over the detector.
pub fn grid(n: usize) -> Vec<(f64, f64)> {
    let at = |i: usize| 1000.0 + 7200.0 * i as f64 / (n - 1) as f64;
    (0..n * n).map(|k| (at(k % n) + 0.37 * k as f64, at(k / n) - 0.21 * k as f64)).collect()
}
