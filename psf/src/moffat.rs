//! Moffat profile.
//!
//! # Effect
//! A stand-in for a PSF with wings, for tests and comparisons.
//!
//! # Formula
//! `I(r) ~ (1 + (r/a)^2)^-beta`, `a = FWHM / (2 sqrt(2^(1/beta) - 1))`. Untruncated
//! `T(f) = 2 (x/2)^(beta-1) K_(beta-1)(x) / Gamma(beta-1)`, `x = 2 pi f a`. Truncated at R, with `k = 2 pi f`:
//! `T(f) = integral_0^R I(r) J0(k r) r dr / integral_0^R I(r) r dr`, directly for small kR and otherwise
//! as the untruncated integral less that from R on, which by parts is
//! `-sum_n (-1/k^2)^n [R I_n(R) J1(kR) / k + R I_n'(R) J0(kR) / k^2]`, `I_(n+1) = (r I_n')' / r`.
//!
//! # Symbols
//! `f` frequency \[cycles / arcsec\]; `a` scale radius, `R` truncation radius, `FWHM` \[arcsec\]; `J`, `K` Bessel functions.
//!
//! # Source
//! Moffat 1969 (A&A 3, 455); Trujillo et al. 2001 (MNRAS 328, 977) for the transform. Conventions of GalSim: unit
//! flux inside the truncation, FWHM of the untruncated profile, beta > 1.1.
//!
//! # Limits
//! Tables in ln x and in kR, to 1e-8.
//!
//! # Twin
//! None: the reduction measures its PSF from stars.

use crate::analytic::positive;
use crate::bessel::{j, matern};
use crate::kernels::cubic_weights;
use crate::optical::out_of_range;
use crate::quadrature::gauss_legendre;
use num_complex::Complex64;
use sim_core::psf::{Psf, PsfError, Transfer};
use sim_core::units::{FocalPoint, Nanometre};
use std::f64::consts::{LN_2, PI, TAU};
use std::sync::Arc;

/// Circular Moffat.
#[derive(Debug, Clone)]
pub struct Moffat(Arc<Profile>);

#[derive(Debug)]
struct Profile {
    beta: f64,
    scale_arcsec: f64,
    /// Untruncated transform at `ln x = START + i STEP`.
    free: Vec<f64>,
    truncation: Option<Truncation>,
}

#[derive(Debug)]
struct Truncation {
    radius_arcsec: f64,
    /// Transform at `kR = i K_STEP`, up to where the expansion takes over.
    values: Vec<f64>,
}

/// Steps of the tables: the cubic's error is 0.023 times step^4 times the fourth derivative.
const STEP: f64 = 0.012;
const K_STEP: f64 = 0.02;
/// ln 1e-5.
const START: f64 = -11.512_925_464_970_229;

impl Moffat {
    /// From the full width at half maximum and the exponent, optionally truncated at a radius.
    ///
    /// # Errors
    /// When the width is not positive, beta outside 1.1..100, or the truncation outside 0.5..1000 widths.
    pub fn new(fwhm_arcsec: f64, beta: f64, truncation_arcsec: Option<f64>) -> Result<Self, PsfError> {
        positive("fwhm", fwhm_arcsec, "arcsec")?;
        if !(beta > 1.1 && beta <= 100.0) {
            return Err(out_of_range("beta", beta, "1", "1.1 (excluded) to 100"));
        }
        if let Some(r) = truncation_arcsec
            && !(r > 0.5 * fwhm_arcsec && r <= 1000.0 * fwhm_arcsec)
        {
            return Err(out_of_range("truncation", r, "arcsec", "fwhm / 2 (excluded) to 1000 fwhm"));
        }
        let scale_arcsec = 0.5 * fwhm_arcsec / (LN_2 / beta).exp_m1().sqrt();
        let mut free = Vec::new();
        while free.last().is_none_or(|&last| last > 1e-16) {
            free.push(matern(beta - 1.0, (START + STEP * free.len() as f64).exp()));
        }
        let mut profile = Profile { beta, scale_arcsec, free, truncation: None };
        profile.truncation = truncation_arcsec.map(|radius_arcsec| Truncation { radius_arcsec, values: profile.direct(radius_arcsec) });
        Ok(Self(Arc::new(profile)))
    }
}

impl Profile {
    fn at_radius(&self, r: f64) -> f64 {
        (1.0 + (r / self.scale_arcsec).powi(2)).powf(-self.beta)
    }

    /// Fraction of the untruncated flux inside the truncation.
    fn inside(&self) -> f64 {
        let Some(t) = &self.truncation else { return 1.0 };
        -((1.0 - self.beta) * (t.radius_arcsec / self.scale_arcsec).powi(2).ln_1p()).exp_m1()
    }

    /// Brightness at the centre for unit flux \[1 / arcsec^2\].
    fn peak(&self) -> f64 {
        (self.beta - 1.0) / (PI * self.scale_arcsec * self.scale_arcsec * self.inside())
    }

    /// The truncated transform by quadrature, in panels that double from the core outwards.
    fn direct(&self, radius: f64) -> Vec<f64> {
        let join = (8.0 * self.beta).max(40.0);
        // The outermost panel spans half the radius, join / 2 radians of J0.
        let (x, w) = gauss_legendre(24 + (0.5 * join) as usize);
        let (mut r, mut weights) = (Vec::new(), Vec::new());
        let mut outer = radius;
        loop {
            let inner = if outer > 0.5 * self.scale_arcsec.min(radius) { 0.5 * outer } else { 0.0 };
            let half = 0.5 * (outer - inner);
            for (x, w) in x.iter().zip(&w) {
                let here = inner + half * (1.0 + x);
                r.push(here / radius);
                weights.push(w * half * here * self.at_radius(here));
            }
            if inner == 0.0 {
                break;
            }
            outer = inner;
        }
        let total: f64 = weights.iter().sum();
        let count = (join / K_STEP) as usize + 3;
        (0..count).map(|i| r.iter().zip(&weights).map(|(r, w)| w * j(0, K_STEP * i as f64 * r)).sum::<f64>() / total).collect()
    }

    fn free(&self, f: f64) -> f64 {
        let x = TAU * f * self.scale_arcsec;
        let place = (x.max(f64::MIN_POSITIVE).ln() - START) / STEP;
        if place < 1.0 {
            return matern(self.beta - 1.0, x);
        }
        let i = place as usize;
        self.free.get(i - 1..i + 3).map_or(0.0, |v| cubic(v, place - i as f64))
    }

    fn value(&self, f: f64) -> f64 {
        let Some(t) = &self.truncation else { return self.free(f) };
        let k = TAU * f * t.radius_arcsec;
        let i = (k / K_STEP) as usize;
        if i == 0 {
            // Even in k.
            let v = &t.values;
            return cubic(&[v[1], v[0], v[1], v[2]], k / K_STEP);
        }
        match t.values.get(i - 1..i + 3) {
            Some(v) => cubic(v, k / K_STEP - i as f64),
            None => (self.free(f) + self.edge(k, t.radius_arcsec)) / self.inside(),
        }
    }

    /// What the truncation adds to the untruncated transform, in units of its flux.
    fn edge(&self, k: f64, radius: f64) -> f64 {
        let q = (radius / self.scale_arcsec).powi(2);
        // The I_n are sums of powers (1 + q)^-p; q = (r/a)^2, (r g')' / r = (4 / a^2) (q g_q)_q.
        let mut powers = vec![(self.beta, 1.0)];
        let (j0, j1) = (j(0, k), j(1, k));
        // Lengths in units of R: (R/a)^2 = q.
        let mut factor = 1.0;
        let mut sum = 0.0;
        for _ in 0..5 {
            let value: f64 = powers.iter().map(|(p, c)| c * (1.0 + q).powf(-p)).sum();
            // R dg/dr = 2 q g_q.
            let slope: f64 = powers.iter().map(|(p, c)| -2.0 * p * q * c * (1.0 + q).powf(-p - 1.0)).sum();
            sum += factor * (value * j1 / k + slope * j0 / (k * k));
            factor *= -4.0 * q / (k * k);
            powers = powers.iter().flat_map(|&(p, c)| [(p + 1.0, c * p * p), (p + 2.0, -c * p * (p + 1.0))]).collect();
        }
        // Flux of the untruncated profile in units of R^2: pi / (q (beta - 1)).
        2.0 * q * (self.beta - 1.0) * sum
    }
}

fn cubic(v: &[f64], t: f64) -> f64 {
    cubic_weights(t).iter().zip(v).map(|(w, v)| w * v).sum()
}

impl Psf for Moffat {
    fn transfer(&self, _: FocalPoint, _: Nanometre) -> Result<Box<dyn Transfer>, PsfError> {
        Ok(Box::new(self.clone()))
    }
    fn is_uniform(&self) -> bool {
        true
    }
    fn is_achromatic(&self) -> bool {
        true
    }
}

impl Transfer for Moffat {
    fn at(&self, fx: f64, fy: f64) -> Complex64 {
        Complex64::new(self.0.value(fx.hypot(fy)), 0.0)
    }
    fn cutoff(&self, tolerance: f64) -> f64 {
        let m = &*self.0;
        // The untruncated transform falls monotonically; half the tolerance each for it and for the edge's ripple.
        let (share, edge) = match &m.truncation {
            None => (tolerance, 0.0),
            Some(t) => {
                // |J1(k)| <= 1.1 sqrt(2 / (pi k)), and the further terms within as much again.
                let amplitude = 2.2 * (2.0 / PI).sqrt() * TAU * t.radius_arcsec.powi(2) * m.peak() * m.at_radius(t.radius_arcsec);
                let k = (2.0 * amplitude / tolerance).powf(2.0 / 3.0).max(2.0 * m.beta);
                (0.5 * tolerance * m.inside(), k / (TAU * t.radius_arcsec))
            }
        };
        let beyond = m.free.partition_point(|&v| v > share) as f64;
        ((START + STEP * beyond).exp() / (TAU * m.scale_arcsec)).max(edge)
    }
    fn radius_of_brightness(&self, level: f64) -> f64 {
        let m = &*self.0;
        let radius = m.scale_arcsec * ((m.peak() / level).powf(1.0 / m.beta) - 1.0).max(0.0).sqrt();
        m.truncation.as_ref().map_or(radius, |t| radius.min(t.radius_arcsec))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quadrature::panels;

    const AT: FocalPoint = FocalPoint { x_deg: 0.0, y_deg: 0.0 };
    const WAVE: Nanometre = Nanometre(600.0);

    #[test]
    fn half_integer_beta_has_an_elementary_transform() {
        // beta = 3/2: exp(-x). beta = 7/2: (1 + x + x^2/3) exp(-x).
        for (beta, closed) in [(1.5, (|x: f64| (-x).exp()) as fn(f64) -> f64), (3.5, |x: f64| (1.0 + x + x * x / 3.0) * (-x).exp())] {
            let m = Moffat::new(0.135, beta, None).unwrap();
            let t = m.transfer(AT, WAVE).unwrap();
            assert_eq!(t.at(0.0, 0.0).re, 1.0);
            for i in 0..2000 {
                let f = 0.017 * f64::from(i);
                let x = TAU * f * m.0.scale_arcsec;
                assert!((t.at(0.0, f).re - closed(x)).abs() < 1e-8, "beta {beta} x {x}: {} {}", t.at(0.0, f).re, closed(x));
            }
        }
    }

    #[test]
    fn a_far_truncation_changes_nothing_and_a_near_one_leaves_the_flux_inside() {
        let (free, far) = (Moffat::new(0.2, 4.5, None).unwrap(), Moffat::new(0.2, 4.5, Some(100.0)).unwrap());
        for i in 0..300 {
            let f = 0.031 * f64::from(i);
            // The flux beyond 100 arcsec is (1 + (R / a)^2)^-3.5 < 1e-17.
            assert!((free.at(f, 0.0).re - far.at(f, 0.0).re).abs() < 2e-8, "{f}");
        }
        let near = Moffat::new(0.2, 2.5, Some(0.3)).unwrap();
        assert!((near.at(0.0, 0.0).re - 1.0).abs() < 1e-12);
        // 2 pi integral of the brightness to the truncation.
        let (r, w) = panels(0.0, 0.3, 40, 8);
        let flux: f64 = r.iter().zip(&w).map(|(r, w)| TAU * r * w * near.0.peak() * near.0.at_radius(*r)).sum();
        assert!((flux - 1.0).abs() < 1e-12);
        assert_eq!(near.radius_of_brightness(1e-30), 0.3);
    }

    #[test]
    fn a_truncated_moffat_agrees_with_a_plain_hankel_integral_on_both_sides_of_the_join() {
        for (beta, radius) in [(2.5, 0.3), (1.2, 5.0), (4.0, 0.15), (9.0, 1.0)] {
            let m = Moffat::new(0.2, beta, Some(radius)).unwrap();
            let (r, w) = panels(0.0, radius, 400, 8);
            for k in [0.0, 0.013, 3.3, 22.0, 39.9, 40.3, 72.5, 150.0, 400.0] {
                let f = k / (TAU * radius);
                let hankel: f64 = r.iter().zip(&w).map(|(r, w)| TAU * r * w * m.0.peak() * m.0.at_radius(*r) * j(0, TAU * f * r)).sum();
                assert!((m.at(f, 0.0).re - hankel).abs() < 2e-8, "beta {beta} R {radius} k {k}: {} {hankel}", m.at(f, 0.0).re);
            }
        }
    }

    #[test]
    fn beyond_the_cutoff_it_is_below_the_tolerance() {
        for m in [Moffat::new(0.2, 2.5, None).unwrap(), Moffat::new(0.2, 2.5, Some(0.5)).unwrap()] {
            for tolerance in [1e-2, 1e-4, 1e-6] {
                let cut = m.cutoff(tolerance);
                assert!((0..500).all(|i| m.at(cut + 0.37 * f64::from(i), 0.0).re.abs() <= tolerance), "{tolerance}");
            }
        }
    }

    #[test]
    fn impossible_parameters_are_refused() {
        assert!(Moffat::new(0.2, 1.1, None).is_err());
        assert!(Moffat::new(0.2, 3.0, Some(0.05)).is_err());
        assert!(Moffat::new(f64::NAN, 3.0, None).is_err());
    }
}
