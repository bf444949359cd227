//! The singular isothermal ellipsoid in a field of shear.
//!
//! # Effect
//! A galaxy in front of another makes two, three or four images of it.
//! # Formula
//! kappa = b / 2 (q x^2 + y^2 / q)^(-1/2), x along the major axis. Deflection a(phi), which depends on the direction alone: b sqrt(q) / f (arctan(f cos phi / w),
//! artanh(f sin phi / w)), w^2 = q^2 cos^2 phi + sin^2 phi, f^2 = 1 - q^2. Source beta = (1 - G) theta - a, G = (g1, g2; g2, -g1). Images: the
//! directions phi along which (1 - G)^-1 (beta + a(phi)) lies. Fermat potential of an image but for a constant: -(theta^2 - theta G theta) / 2. Magnification 1 / det(1 - G - 2 kappa t t^T), t = (-sin phi, cos phi).
//! # Symbols
//! b Einstein radius \[arcsec\]: the area within the critical curve is pi b^2 without shear; q axis ratio of the mass; g1, g2 external shear: positive g1
//! stretches along u.
//! # Source
//! Kormann, Schneider & Bartelmann 1994 (A&A 284, 285). That deflection and images follow from the direction alone is a property of all isothermal
//! lenses: Witt & Mao 1997 (MNRAS 291, 211); so are the delays (Witt, Mao & Keeton 2000, ApJ 544, 98).
//! # Limits
//! q 0.1 to 1, shear below 0.5. The central image of a singular lens has no light. A source on a caustic has infinite images; one on the
//! axis of a round lens is a ring and gives no list of images.
//! # Twin
//! None.

/// Directions in which images are looked for.
const DIRECTIONS: usize = 720;

/// A lens; positions (u east, v north) from its centre \[arcsec\].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sie {
    /// Einstein radius \[arcsec\].
    pub einstein_arcsec: f64,
    /// Minor over major axis of the mass.
    pub axis_ratio: f64,
    /// Direction of the major axis from u towards v \[rad\].
    pub angle_rad: f64,
    /// External shear.
    pub shear: (f64, f64),
}

/// An image of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Image {
    /// Place \[arcsec\].
    pub at: [f64; 2],
    /// Magnification; negative: mirrored.
    pub magnification: f64,
}

/// Flattening sqrt(1 - q^2) below which a lens is round.
const ROUND: f64 = 1e-4;

/// A lens made ready for rays.
#[derive(Debug, Clone, Copy)]
pub struct Rays {
    q: f64,
    f: f64,
    strength: f64,
    sin: f64,
    cos: f64,
    shear: (f64, f64),
}

impl Rays {
    /// Deflection by the ellipsoid in a direction (cosine, sine) \[arcsec\].
    fn bend(&self, c: f64, s: f64) -> [f64; 2] {
        let (c, s) = (self.cos * c + self.sin * s, self.cos * s - self.sin * c);
        let (x, y) = if self.f < ROUND {
            (self.strength * c, self.strength * s)
        } else {
            let w = self.f / (self.q * self.q * c * c + s * s).sqrt();
            (self.strength * (c * w).atan(), self.strength * (s * w).atanh())
        };
        [self.cos * x - self.sin * y, self.sin * x + self.cos * y]
    }
    /// Where a ray that is seen at a place comes from \[arcsec\].
    #[must_use]
    pub fn source(&self, at: [f64; 2]) -> [f64; 2] {
        let r = (at[0] * at[0] + at[1] * at[1]).sqrt();
        let bent = if r == 0.0 { [0.0, 0.0] } else { self.bend(at[0] / r, at[1] / r) };
        let (g1, g2) = self.shear;
        [(1.0 - g1) * at[0] - g2 * at[1] - bent[0], (1.0 + g1) * at[1] - g2 * at[0] - bent[1]]
    }
}

impl Sie {
    /// The constants of the mapping, for many rays.
    #[must_use]
    pub fn rays(&self) -> Rays {
        let q = self.axis_ratio;
        let f = (1.0 - q * q).max(0.0).sqrt();
        let (sin, cos) = self.angle_rad.sin_cos();
        let strength = if f < ROUND { self.einstein_arcsec } else { self.einstein_arcsec * q.sqrt() / f };
        Rays { q, f, strength, sin, cos, shear: self.shear }
    }
    /// Convergence of the ellipsoid times the distance from the centre \[arcsec\].
    fn thickness(&self, phi: f64) -> f64 {
        let (s, c) = (phi - self.angle_rad).sin_cos();
        let q = self.axis_ratio;
        0.5 * self.einstein_arcsec / (q * c * c + s * s / q).sqrt()
    }
    /// Where a ray that is seen at a place comes from \[arcsec\].
    #[must_use]
    pub fn source(&self, at: [f64; 2]) -> [f64; 2] {
        self.rays().source(at)
    }
    /// Place of the source plane, were there no ellipsoid, turned back through the shear.
    fn unsheared(&self, p: [f64; 2]) -> [f64; 2] {
        let (g1, g2) = self.shear;
        let det = 1.0 - g1 * g1 - g2 * g2;
        [((1.0 + g1) * p[0] + g2 * p[1]) / det, (g2 * p[0] + (1.0 - g1) * p[1]) / det]
    }
    /// Signed magnification at a place.
    #[must_use]
    pub fn magnification(&self, at: [f64; 2]) -> f64 {
        let r = at[0].hypot(at[1]);
        let (s, c) = (at[1] / r, at[0] / r);
        let twice = 2.0 * self.thickness(at[1].atan2(at[0])) / r;
        let (g1, g2) = self.shear;
        let (a, d, o) = (1.0 - g1 - twice * s * s, 1.0 + g1 - twice * c * c, -g2 + twice * s * c);
        1.0 / (a * d - o * o)
    }
    /// Fermat potential of an image \[arcsec2\], but for what all images of a source have in common: later where it is greater.
    #[must_use]
    pub fn fermat_arcsec2(&self, at: [f64; 2]) -> f64 {
        let [u, v] = at;
        let (g1, g2) = self.shear;
        -0.5 * (u * u + v * v - g1 * (u * u - v * v) - 2.0 * g2 * u * v)
    }
    /// Images of a point of the source plane \[arcsec\], the most magnified first.
    #[must_use]
    pub fn images(&self, source: [f64; 2]) -> Vec<Image> {
        // Where the ray of a direction lies: across and along it.
        let rays = self.rays();
        let ray = |phi: f64| {
            let (s, c) = phi.sin_cos();
            let bent = rays.bend(c, s);
            let p = self.unsheared([source[0] + bent[0], source[1] + bent[1]]);
            (c * p[1] - s * p[0], c * p[0] + s * p[1])
        };
        let step = std::f64::consts::TAU / DIRECTIONS as f64;
        // Half a step off the axes, where symmetric sources have their images.
        let phi_of = |k: usize| step * (k as f64 + 0.381_966);
        let values: Vec<f64> = (0..=DIRECTIONS).map(|k| ray(phi_of(k)).0).collect();
        let mut roots = Vec::new();
        let crossing = |mut low: f64, mut high: f64, roots: &mut Vec<f64>| {
            let rising = ray(low).0 < 0.0;
            for _ in 0..60 {
                let middle = 0.5 * (low + high);
                if (ray(middle).0 < 0.0) == rising { low = middle } else { high = middle }
            }
            roots.push(0.5 * (low + high));
        };
        for k in 0..DIRECTIONS {
            let (a, b) = (values[k], values[k + 1]);
            let (low, high) = (phi_of(k), phi_of(k + 1));
            if (a < 0.0) != (b < 0.0) {
                crossing(low, high, &mut roots);
                continue;
            }
            // Two crossings within a step: an extremum towards zero between its neighbours.
            let before = values[(k + DIRECTIONS - 1) % DIRECTIONS];
            let after = values[(k + 2) % DIRECTIONS];
            let sign = if a < 0.0 { -1.0 } else { 1.0 };
            if sign * before > sign * a && sign * after > sign * b {
                let (mut l, mut h) = (low, high);
                for _ in 0..60 {
                    let (m1, m2) = (l + 0.382 * (h - l), l + 0.618 * (h - l));
                    if sign * ray(m1).0 < sign * ray(m2).0 { h = m2 } else { l = m1 }
                }
                let least = 0.5 * (l + h);
                if sign * ray(least).0 < 0.0 {
                    crossing(low, least, &mut roots);
                    crossing(least, high, &mut roots);
                }
            }
        }
        let mut images: Vec<Image> = roots
            .into_iter()
            .filter_map(|phi| {
                let r = ray(phi).1;
                let at = [r * phi.cos(), r * phi.sin()];
                (r > 0.0).then(|| Image { at, magnification: self.magnification(at) })
            })
            .collect();
        images.sort_by(|a, b| b.magnification.abs().total_cmp(&a.magnification.abs()));
        images
    }
    /// The cut in a direction: beyond it in the source plane one image fewer.
    #[must_use]
    pub fn cut(&self, phi: f64) -> [f64; 2] {
        let (s, c) = phi.sin_cos();
        self.rays().bend(c, s).map(|v| -v)
    }
    /// The critical curve in a direction \[arcsec\].
    #[must_use]
    pub fn critical(&self, phi: f64) -> [f64; 2] {
        let (s, c) = phi.sin_cos();
        let t = self.unsheared([-s, c]);
        let r = 2.0 * self.thickness(phi) * (-s * t[0] + c * t[1]);
        [r * c, r * s]
    }
    /// The caustic in a direction: where the critical curve comes from.
    #[must_use]
    pub fn caustic(&self, phi: f64) -> [f64; 2] {
        self.source(self.critical(phi))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Draw;
    use sim_core::stream::StreamKey;
    use std::f64::consts::{PI, TAU};

    const CIRCLE: Sie = Sie { einstein_arcsec: 1.2, axis_ratio: 1.0, angle_rad: 0.3, shear: (0.0, 0.0) };
    const OVAL: Sie = Sie { einstein_arcsec: 1.1, axis_ratio: 0.7, angle_rad: 0.6, shear: (0.0, 0.0) };
    const SHEARED: Sie = Sie { shear: (0.05, -0.03), ..OVAL };

    /// Signed area of a closed curve.
    fn area(curve: impl Fn(f64) -> [f64; 2]) -> f64 {
        let n = 20_000;
        let at = |k: i32| curve(TAU * f64::from(k) / f64::from(n));
        0.5 * (0..n).map(|k| (at(k), at(k + 1))).map(|(a, b)| a[0] * b[1] - a[1] * b[0]).sum::<f64>()
    }
    /// Whether a closed curve goes round a point.
    fn around(curve: impl Fn(f64) -> [f64; 2], p: [f64; 2]) -> bool {
        let n = 4000;
        let turn: f64 = (0..n)
            .map(|k| {
                let at = |k: i32| curve(TAU * f64::from(k) / f64::from(n));
                let (a, b) = (at(k), at(k + 1));
                let (a, b) = ([a[0] - p[0], a[1] - p[1]], [b[0] - p[0], b[1] - p[1]]);
                (a[0] * b[1] - a[1] * b[0]).atan2(a[0] * b[0] + a[1] * b[1])
            })
            .sum();
        turn.abs() > PI
    }

    #[test]
    fn a_round_lens_has_two_images_on_a_line_with_the_source() {
        for beta in [0.1, 0.7, 1.19] {
            let images = CIRCLE.images([beta * 0.6, beta * 0.8]);
            assert_eq!(images.len(), 2, "{beta}");
            for (image, sign) in images.iter().zip([1.0, -1.0]) {
                // theta = beta +- theta_E on the line, mu = 1 +- theta_E / beta.
                let theta = beta + sign * 1.2;
                assert!((image.at[0] - 0.6 * theta).abs() < 1e-9 && (image.at[1] - 0.8 * theta).abs() < 1e-9, "{image:?}");
                assert!((image.magnification / (1.0 + sign * 1.2 / beta) - 1.0).abs() < 1e-7, "{image:?}");
            }
        }
        assert_eq!(CIRCLE.images([1.3, 0.0]).len(), 1);
    }

    #[test]
    fn the_critical_curve_has_the_area_of_the_einstein_ring() {
        for lens in [CIRCLE, OVAL, Sie { axis_ratio: 0.3, ..OVAL }] {
            let ring = PI * lens.einstein_arcsec.powi(2);
            assert!((area(|phi| lens.critical(phi)) / ring - 1.0).abs() < 1e-6, "{lens:?}");
        }
    }

    #[test]
    fn images_are_as_many_as_the_caustic_and_the_cut_say() {
        let mut draw = Draw::new(StreamKey::new(1).stream(5));
        let mut seen = [0; 5];
        for lens in [OVAL, SHEARED] {
            for _ in 0..300 {
                let p = [draw.between(-1.1, 1.1), draw.between(-1.1, 1.1)];
                let count = lens.images(p).len();
                // Outside both 1; the cut adds one, the caustic two.
                let expected = 1 + usize::from(around(|f| lens.cut(f), p)) + 2 * usize::from(around(|f| lens.caustic(f), p));
                assert_eq!(count, expected, "{lens:?} {p:?}");
                seen[count] += 1;
            }
        }
        assert!(seen[1] > 20 && seen[2] > 20 && seen[4] > 10, "{seen:?}");
    }

    #[test]
    fn every_image_comes_from_the_source_and_magnifies_as_the_mapping_does() {
        let mut draw = Draw::new(StreamKey::new(1).stream(6));
        let mut looked = 0;
        for _ in 0..200 {
            let p = [draw.between(-0.8, 0.8), draw.between(-0.8, 0.8)];
            for image in SHEARED.images(p) {
                let from = SHEARED.source(image.at);
                assert!((from[0] - p[0]).hypot(from[1] - p[1]) < 1e-8, "{image:?}");
                // Area of a small square carried back.
                let h = 1e-5 * image.at[0].hypot(image.at[1]);
                let of = |u: f64, v: f64| SHEARED.source([image.at[0] + u, image.at[1] + v]);
                let (e, w, n, s) = (of(h, 0.0), of(-h, 0.0), of(0.0, h), of(0.0, -h));
                let det = ((e[0] - w[0]) * (n[1] - s[1]) - (e[1] - w[1]) * (n[0] - s[0])) / (4.0 * h * h);
                assert!((det * image.magnification - 1.0).abs() < 1e-4, "{image:?} {det}");
                looked += 1;
            }
        }
        assert!(looked > 400, "{looked}");
    }

    #[test]
    fn light_is_late_by_the_work_along_the_way_between_images() {
        // The gradient of the Fermat potential is the miss in the source plane: its integral over half a circle between two images, however they lie.
        let mut draw = Draw::new(StreamKey::new(1).stream(7));
        for _ in 0..20 {
            let p = [draw.between(-0.4, 0.4), draw.between(-0.4, 0.4)];
            let images = SHEARED.images(p);
            for pair in images.windows(2) {
                let polar = |i: &Image| (i.at[0].hypot(i.at[1]), i.at[1].atan2(i.at[0]));
                let ((r0, f0), (r1, f1)) = (polar(&pair[0]), polar(&pair[1]));
                let steps = 20_000;
                let at = |k: f64| {
                    let (r, f) = (r0 + (r1 - r0) * k, f0 + (f1 - f0) * k);
                    [r * f.cos(), r * f.sin()]
                };
                let work: f64 = (0..steps)
                    .map(|k| {
                        let [a, m, b] = [0.0, 0.5, 1.0].map(|h| at((f64::from(k) + h) / f64::from(steps)));
                        let miss = SHEARED.source(m);
                        (miss[0] - p[0]) * (b[0] - a[0]) + (miss[1] - p[1]) * (b[1] - a[1])
                    })
                    .sum();
                let late = SHEARED.fermat_arcsec2(pair[1].at) - SHEARED.fermat_arcsec2(pair[0].at);
                assert!((work - late).abs() < 1e-6, "{work} {late}");
            }
        }
    }

    #[test]
    fn an_almost_round_lens_is_the_round_one() {
        let near = Sie { axis_ratio: 1.0 - 1e-7, ..CIRCLE };
        let (a, b) = (near.source([0.3, 0.9]), CIRCLE.source([0.3, 0.9]));
        assert!((a[0] - b[0]).abs() < 1e-6 && (a[1] - b[1]).abs() < 1e-6);
    }
}
