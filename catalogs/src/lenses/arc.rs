//! Arcs: a galaxy seen through a lens, as an image.
//!
//! # Effect
//! Light of an extended source is stretched into arcs and rings.
//! # Formula
//! I(theta) = I_s(beta(theta)): brightness is conserved, so a pixel holds the mean over sub-pixels of the source's brightness where their rays come
//! from. Sersic: I_s = exp(-k (r / r_e)^(1/n)) k^(2 n) / (2 pi n Gamma(2 n) r_e^2), unit flux.
//! # Symbols
//! k half-light constant, 2 n - 1/3 + 4 / (405 n) + 46 / (25515 n^2) + 131 / (1148175 n^3); r radius through the source's own shape.
//! # Source
//! Kayser, Refsdal & Stabell 1986 (A&A 166, 36): inverse ray shooting. Half-light constant: Ciotti & Bertin 1999 (A&A 352, 447), equation 18.
//! # Limits
//! 8 x 8 rays in pixels within 2 pixels of the source's middle (in the source plane), 4 x 4 within 6, 2 x 2 within 16, one ray elsewhere. Light outside
//! the image is not in it.
//! # Twin
//! None.

use super::Sie;
use ndarray::Array2;
use sim_core::source::Shear;

/// A Sersic profile of unit flux somewhere in the source plane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sersic {
    /// Index, 0.3 to 6.2.
    pub index: f64,
    /// Half-light radius \[arcsec\].
    pub half_light_radius_arcsec: f64,
    /// Shape.
    pub shape: Shear,
}

/// A profile made ready.
#[derive(Debug, Clone, Copy)]
pub struct Prepared {
    profile: Sersic,
    k: f64,
    central: f64,
}

impl Sersic {
    /// Constants for many questions.
    #[must_use]
    pub fn prepare(self) -> Prepared {
        let n = self.index;
        let k = 2.0 * n - 1.0 / 3.0 + 4.0 / (405.0 * n) + 46.0 / (25_515.0 * n * n) + 131.0 / (1_148_175.0 * n.powi(3));
        // Flux of exp(-k r^(1/n)): 2 pi n k^(-2n) integral t^(2n - 1) exp(-t) dt, in ln t.
        let (steps, low, high) = (600, -30.0_f64, 5.0_f64);
        let width = (high - low) / f64::from(steps);
        let gamma: f64 = (0..steps)
            .map(|s| {
                let y = low + width * (f64::from(s) + 0.5);
                (2.0 * n * y - y.exp()).exp() * width
            })
            .sum();
        let flux = 2.0 * std::f64::consts::PI * n * k.powf(-2.0 * n) * gamma * self.half_light_radius_arcsec.powi(2);
        Prepared { profile: self, k, central: 1.0 / flux }
    }
}

impl Prepared {
    /// Radius of a place from the centre, through the shape, in half-light radii.
    fn radius(&self, p: [f64; 2]) -> f64 {
        let Shear { g1, g2 } = self.profile.shape;
        let norm = (1.0 - g1 * g1 - g2 * g2).sqrt() * self.profile.half_light_radius_arcsec;
        let (u, v) = ((1.0 - g1) * p[0] - g2 * p[1], (1.0 + g1) * p[1] - g2 * p[0]);
        (u * u + v * v).sqrt() / norm
    }
    /// Brightness \[1 / arcsec^2\] at a place from the centre.
    #[must_use]
    pub fn brightness(&self, p: [f64; 2]) -> f64 {
        self.central * (-self.k * self.radius(p).powf(1.0 / self.profile.index)).exp()
    }
}

/// An image of square pixels around the lens, u to the right and v up.
#[derive(Debug, Clone)]
pub struct Traced {
    /// Light of each pixel of a source of unit flux, `[y, x]`.
    pub pixels: Array2<f32>,
    /// Side of a pixel \[arcsec\].
    pub pixel_arcsec: f64,
    /// Light in the image over that of the source.
    pub magnification: f64,
}

/// Sees anything through a lens: `radius` says how far from the source's middle a place is \[arcsec\], `brightness` how bright it is there.
#[must_use]
pub fn shoot(
    lens: &Sie,
    (side, pixel_arcsec): (usize, f64),
    radius: impl Fn([f64; 2]) -> f64,
    brightness: impl Fn([f64; 2]) -> f64,
) -> Traced {
    let (rays_of, middle) = (lens.rays(), 0.5 * (side as f64 - 1.0));
    let at = |x: usize, y: usize, fx: f64, fy: f64| {
        rays_of.source([(x as f64 - middle + fx) * pixel_arcsec, (y as f64 - middle + fy) * pixel_arcsec])
    };
    let mut total = 0.0;
    let pixels = Array2::from_shape_fn((side, side), |(y, x)| {
        let distance = radius(at(x, y, 0.0, 0.0)) / pixel_arcsec;
        let rays = match distance {
            d if d < 2.0 => 8,
            d if d < 6.0 => 4,
            d if d < 16.0 => 2,
            _ => 1,
        };
        let mut sum = 0.0;
        for j in 0..rays {
            for i in 0..rays {
                let offset = |k: usize| (k as f64 + 0.5) / rays as f64 - 0.5;
                sum += brightness(at(x, y, offset(i), offset(j)));
            }
        }
        let light = sum * pixel_arcsec * pixel_arcsec / (rays * rays) as f64;
        total += light;
        light as f32
    });
    Traced { pixels, pixel_arcsec, magnification: total }
}

/// A Sersic source at a place of the source plane \[arcsec\], seen through a lens.
#[must_use]
pub fn trace(lens: &Sie, source: [f64; 2], profile: Sersic, grid: (usize, f64)) -> Traced {
    let ready = profile.prepare();
    let from = |p: [f64; 2]| [p[0] - source[0], p[1] - source[1]];
    shoot(lens, grid, |p| profile.half_light_radius_arcsec * ready.radius(from(p)), |p| ready.brightness(from(p)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    const ROUND: Sie = Sie { einstein_arcsec: 1.0, axis_ratio: 1.0, angle_rad: 0.0, shear: (0.0, 0.0) };

    fn disc(lens: &Sie, middle: [f64; 2], r: f64) -> Traced {
        let distance = move |p: [f64; 2]| (p[0] - middle[0]).hypot(p[1] - middle[1]);
        shoot(lens, (400, 0.01), distance, move |p| if distance(p) < r { 1.0 / (PI * r * r) } else { 0.0 })
    }

    #[test]
    fn a_disc_behind_the_centre_is_a_ring_of_the_area_that_closed_form_says() {
        // From theta_E - R to theta_E + R: 4 pi theta_E R over pi R^2 = 4 / R. Pixels at the two rims, of 8 x 8 rays or one: 0.3 %.
        for r in [0.1, 0.3] {
            let traced = disc(&ROUND, [0.0, 0.0], r);
            assert!((traced.magnification * r / 4.0 - 1.0).abs() < 3e-3, "{r}: {}", traced.magnification);
            // Brightness is that of the source, nowhere more.
            let most = f64::from(traced.pixels.iter().copied().fold(0.0, f32::max)) / (0.01 * 0.01);
            assert!((most * PI * r * r - 1.0).abs() < 1e-5, "{most}");
        }
    }

    #[test]
    fn a_small_source_is_magnified_as_its_images_are() {
        let lens = Sie { axis_ratio: 0.7, angle_rad: 0.4, shear: (0.04, 0.02), ..ROUND };
        let at = [0.25, 0.1];
        let points: f64 = lens.images(at).iter().map(|i| i.magnification.abs()).sum();
        let traced = disc(&lens, at, 0.03);
        // Second order in the source's size over the distance to the caustic: (0.03 / 0.2)^2; and rims of pixels.
        assert!((traced.magnification / points - 1.0).abs() < 0.03, "{} {points}", traced.magnification);
    }

    #[test]
    fn without_a_lens_a_galaxy_is_itself() {
        let none = Sie { einstein_arcsec: 0.0, ..ROUND };
        for index in [0.5, 1.0, 2.5] {
            let profile = Sersic { index, half_light_radius_arcsec: 0.2, shape: Shear { g1: 0.2, g2: -0.1 } };
            let traced = trace(&none, [0.3, -0.1], profile, (300, 0.02));
            // An exponential has 1 - (1 + 15 k) exp(-15 k) within 15 radii; n = 2.5 loses 1 %.
            assert!((traced.magnification - 1.0).abs() < if index > 2.0 { 0.03 } else { 2e-3 }, "{index}: {}", traced.magnification);
            // Half of the light within the half-light ellipse.
            let ready = profile.prepare();
            let inside: f64 = traced
                .pixels
                .indexed_iter()
                .filter(|((y, x), _)| ready.radius([(*x as f64 - 149.5) * 0.02 - 0.3, (*y as f64 - 149.5) * 0.02 + 0.1]) < 1.0)
                .map(|(_, v)| f64::from(*v))
                .sum();
            assert!((inside - 0.5).abs() < 0.02, "{index}: {inside}");
        }
    }
}
