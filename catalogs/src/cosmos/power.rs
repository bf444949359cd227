//! The power spectrum of matter, linear and non-linear.
//!
//! # Effect
//! How much structure there is at each scale and redshift.
//! # Formula
//! Linear: P = A k^n_s T^2 D^2, with the transfer function T of cold dark matter and baryons, acoustic oscillations included.
//! Non-linear: Delta^2 = Delta_Q^2 + Delta_H^2 of the halo model fitted to simulations, with k_sigma, n_eff and C from the linear
//! variance under a Gaussian window.
//! # Symbols
//! k wave number \[h/Mpc\]; Delta^2 = k^3 P / (2 pi^2); A from `sigma_8`.
//! # Source
//! T: Eisenstein & Hu 1998 (ApJ 496, 605), equations 2 to 24. Fit: Takahashi et al. 2012 (ApJ 761, 152), appendix.
//! # Limits
//! T is good to 2 % (against Boltzmann codes), the fit to 5 % for k < 1 and 10 % for k < 10 h/Mpc (their statement); no baryonic
//! feedback, no massive neutrinos; the background's temperature is 2.7255 K.
//! # Twin
//! None.

use super::{Background, Cosmology};
use crate::table::along;
use std::f64::consts::{E, PI};

/// ln k of the first row and the step of the tables: k = 1e-5 to 1e3 h/Mpc.
const FIRST: f64 = -11.512_925_464_970_229;
const STEP: f64 = 0.03;
const ROWS: usize = 615;

/// Scales and numbers of the transfer function of a universe.
struct Transfer {
    k_eq: f64,
    sound: f64,
    silk: f64,
    baryons: f64,
    alpha_c: f64,
    beta_c: f64,
    alpha_b: f64,
    beta_b: f64,
    node: f64,
}

impl Transfer {
    fn new(c: &Cosmology) -> Self {
        let (om, ob) = (c.omega_m * c.h * c.h, c.omega_b * c.h * c.h);
        let theta2 = (2.7255_f64 / 2.7).powi(2);
        let (fb, fc) = (ob / om, 1.0 - ob / om);
        let z_eq = 2.5e4 * om / (theta2 * theta2);
        let k_eq = 7.46e-2 * om / theta2;
        let b1 = 0.313 * om.powf(-0.419) * (1.0 + 0.607 * om.powf(0.674));
        let z_d = 1291.0 * om.powf(0.251) / (1.0 + 0.659 * om.powf(0.828)) * (1.0 + b1 * ob.powf(0.238 * om.powf(0.223)));
        let ratio = |z: f64| 31.5 * ob / (theta2 * theta2) * 1e3 / z;
        let (r_d, r_eq) = (ratio(z_d), ratio(z_eq));
        let sound = 2.0 / (3.0 * k_eq) * (6.0 / r_eq).sqrt() * (((1.0 + r_d).sqrt() + (r_d + r_eq).sqrt()) / (1.0 + r_eq.sqrt())).ln();
        let a1 = (46.9 * om).powf(0.670) * (1.0 + (32.1 * om).powf(-0.532));
        let a2 = (12.0 * om).powf(0.424) * (1.0 + (45.0 * om).powf(-0.582));
        let bb1 = 0.944 / (1.0 + (458.0 * om).powf(-0.708));
        let y = (1.0 + z_eq) / (1.0 + z_d);
        let root = (1.0 + y).sqrt();
        let g = y * (-6.0 * root + (2.0 + 3.0 * y) * ((root + 1.0) / (root - 1.0)).ln());
        Self {
            k_eq,
            sound,
            silk: 1.6 * ob.powf(0.52) * om.powf(0.73) * (1.0 + (10.4 * om).powf(-0.95)),
            baryons: fb,
            alpha_c: a1.powf(-fb) * a2.powf(-fb.powi(3)),
            beta_c: 1.0 / (1.0 + bb1 * (fc.powf((0.395 * om).powf(-0.0266)) - 1.0)),
            alpha_b: 2.07 * k_eq * sound * (1.0 + r_d).powf(-0.75) * g,
            beta_b: 0.5 + fb + (3.0 - 2.0 * fb) * ((17.2 * om).powi(2) + 1.0).sqrt(),
            node: 8.41 * om.powf(0.435),
        }
    }
    /// T at a wave number \[1/Mpc\].
    fn at(&self, k: f64) -> f64 {
        let q = k / (13.41 * self.k_eq);
        let t0 = |alpha: f64, beta: f64| {
            let l = (E + 1.8 * beta * q).ln();
            l / (l + (14.2 / alpha + 386.0 / (1.0 + 69.9 * q.powf(1.08))) * q * q)
        };
        let ks = k * self.sound;
        let f = 1.0 / (1.0 + (ks / 5.4).powi(4));
        let cold = f * t0(1.0, self.beta_c) + (1.0 - f) * t0(self.alpha_c, self.beta_c);
        let phase = ks / (1.0 + (self.node / ks).powi(3)).cbrt();
        let damped = self.alpha_b / (1.0 + (self.beta_b / ks).powi(3)) * (-(k / self.silk).powf(1.4)).exp();
        let baryons = (t0(1.0, 1.0) / (1.0 + (ks / 5.2).powi(2)) + damped) * phase.sin() / phase;
        self.baryons * baryons + (1.0 - self.baryons) * cold
    }
}

/// The power of matter of a universe.
#[derive(Debug, Clone)]
pub struct Matter {
    background: Background,
    /// ln Delta^2 of the linear power today over ln k.
    linear: Vec<f64>,
    /// ln of the variance under a Gaussian window today over -ln R, with its first two derivatives.
    variance: Vec<[f64; 3]>,
}

/// The fitted halo model at one redshift.
#[derive(Debug, Clone)]
pub struct Nonlinear {
    growth2: f64,
    k_sigma: f64,
    omega: f64,
    n: f64,
    c: f64,
}

/// Grid of -ln R: R = e^3 to e^-8 Mpc/h.
const RADIUS_FIRST: f64 = -3.0;
const RADIUS_STEP: f64 = 0.05;
const RADIUS_ROWS: usize = 221;

impl Matter {
    /// Tables for a universe.
    #[must_use]
    pub fn new(background: &Background) -> Self {
        let c = background.cosmology;
        let transfer = Transfer::new(&c);
        let k_of = |row: usize| (FIRST + STEP * row as f64).exp();
        let shape: Vec<f64> = (0..ROWS).map(|row| k_of(row).powf(3.0 + c.n_s) * transfer.at(k_of(row) * c.h).powi(2)).collect();
        let in_sphere = |row: usize| {
            let x = 8.0 * k_of(row);
            let window = if x < 1e-2 { 1.0 - 0.1 * x * x } else { 3.0 * (x.sin() - x * x.cos()) / x.powi(3) };
            shape[row] * window * window
        };
        // Rows are fine enough for the oscillations of the window where they count (x < 20): 0.03 x 20 = 0.6 radian.
        let norm = c.sigma_8.powi(2) / ((0..ROWS).map(in_sphere).sum::<f64>() * STEP);
        let linear: Vec<f64> = shape.iter().map(|d| (norm * d).ln()).collect();
        let variance = (0..RADIUS_ROWS)
            .map(|row| {
                let r = (-(RADIUS_FIRST + RADIUS_STEP * row as f64)).exp();
                // Moments of x^2 = k^2 R^2: d s / d ln R = -2 <x^2>, d2 s / d ln R^2 = -4 <x^2> + 4 <x^4>.
                let (mut s0, mut s1, mut s2) = (0.0, 0.0, 0.0);
                for (k, d) in (0..ROWS).map(k_of).zip(&linear) {
                    let x2 = k * k * r * r;
                    if x2 < 200.0 {
                        let w = (d - x2).exp() * STEP;
                        (s0, s1, s2) = (s0 + w, s1 + w * x2, s2 + w * x2 * x2);
                    }
                }
                let first = -2.0 * s1 / s0;
                [s0.ln(), first, (-4.0 * s1 + 4.0 * s2) / s0 - first * first]
            })
            .collect();
        Self { background: background.clone(), linear, variance }
    }
    /// Linear Delta^2 today at a wave number \[h/Mpc\].
    fn delta2_today(&self, k: f64) -> f64 {
        let y = k.ln();
        let end = FIRST + STEP * (ROWS - 1) as f64;
        // Beyond the table, with the slopes at its ends: k^(3 + n_s) and a slow power.
        let slope = if y > end { (self.linear[ROWS - 1] - self.linear[ROWS - 2]) / STEP * (y - end) } else { 0.0 };
        let rise = if y < FIRST { (3.0 + self.background.cosmology.n_s) * (y - FIRST) } else { 0.0 };
        (along(&self.linear, (y - FIRST) / STEP) + slope + rise).exp()
    }
    /// Linear power \[(Mpc/h)^3\] at a wave number \[h/Mpc\] and redshift.
    #[must_use]
    pub fn linear(&self, k: f64, z: f64) -> f64 {
        2.0 * PI * PI / k.powi(3) * self.delta2_today(k) * self.background.growth(z).powi(2)
    }
    /// The fitted halo model at a redshift.
    #[must_use]
    pub fn nonlinear(&self, z: f64) -> Nonlinear {
        let growth2 = self.background.growth(z).powi(2);
        let target = -growth2.ln();
        let row = self.variance.partition_point(|v| v[0] < target).clamp(1, RADIUS_ROWS - 1);
        let (a, b) = (self.variance[row - 1], self.variance[row]);
        let t = ((target - a[0]) / (b[0] - a[0])).clamp(0.0, 1.0);
        let mix = |k: usize| a[k] + t * (b[k] - a[k]);
        let k_sigma = (RADIUS_FIRST + RADIUS_STEP * (row as f64 - 1.0 + t)).exp();
        Nonlinear { growth2, k_sigma, omega: self.background.omega_m(z), n: -3.0 - mix(1), c: -mix(2) }
    }
    /// Non-linear power \[(Mpc/h)^3\] at a wave number \[h/Mpc\] and the redshift of a fit.
    #[must_use]
    pub fn power(&self, k: f64, fit: &Nonlinear) -> f64 {
        2.0 * PI * PI / k.powi(3) * fit.delta2(k, self.delta2_today(k) * fit.growth2)
    }
}

impl Nonlinear {
    fn delta2(&self, k: f64, linear: f64) -> f64 {
        let (n, c) = (self.n, self.c);
        let ten = |x: f64| 10.0_f64.powf(x);
        let a = ten(1.5222 + 2.8553 * n + 2.3706 * n * n + 0.9903 * n.powi(3) + 0.2250 * n.powi(4) - 0.6038 * c);
        let b = ten(-0.5642 + 0.5864 * n + 0.5716 * n * n - 1.5474 * c);
        let g = ten(0.3698 + 2.0404 * n + 0.8161 * n * n + 0.5869 * c);
        let gamma = 0.1971 - 0.0843 * n + 0.8460 * c;
        let alpha = (6.0835 + 1.3373 * n - 0.1959 * n * n - 5.5274 * c).abs();
        let beta = 2.0379 - 0.7354 * n + 0.3157 * n * n + 1.2490 * n.powi(3) + 0.3980 * n.powi(4) - 0.1682 * c;
        let nu = ten(5.2105 + 3.6902 * n);
        let (f1, f2, f3) = (self.omega.powf(-0.0307), self.omega.powf(-0.0585), self.omega.powf(0.0743));
        let y = k / self.k_sigma;
        let quasi = linear * (1.0 + linear).powf(beta) / (1.0 + alpha * linear) * (-y / 4.0 - y * y / 8.0).exp();
        let halo = a * y.powf(3.0 * f1) / (1.0 + b * y.powf(f2) + (g * f3 * y).powf(3.0 - gamma));
        quasi + halo / (1.0 + nu / (y * y))
    }
}
