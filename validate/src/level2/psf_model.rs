//! The effective PSF (optics, detector and pixel together), measured from stars of the frame.
//!
//! # Formula
//! d(p) = f sum_k phi_k(X) sum_j c_kj B((p - x) / h - j), with B the cubic B-spline, h = 1/3 pixel, phi_k polynomials
//! of the field position X, x the star's sub-pixel position and f its rate. The c are the weighted least-squares
//! solution over all stars with a prior on their second differences; x and f are fitted again after each solution.
//! # Source
//! Effective PSF and its iteration: Anderson & King 2000 (PASP 112, 1360); least squares on a sub-pixel basis with
//! polynomial variation as in Bertin 2011 (ADASS XX, 435).
//! # Limits
//! One PSF for all colours. Radius 10 pixels: what lies outside is in the growth curve. Fluxes are in units of the
//! rate inside 10 pixels.

use super::MeasuredFrame;
use super::centroid::{FitOptions, fit};
use super::psf_solve::{Sample, solve};
use super::star_selection::Candidate;
use ndarray::Array2;
use rayon::prelude::*;

/// Nodes per pixel.
pub const NODES_PER_PIXEL: usize = 3;
/// Radius of the model \[pixel\].
pub const RADIUS_PX: usize = 10;
/// Nodes along a side of the coefficient grid.
pub(crate) const SIDE: usize = 2 * (NODES_PER_PIXEL * (RADIUS_PX + 1) + 2) + 1;
/// Index of the central node.
pub(crate) const CENTRE: usize = SIDE / 2;
/// Solutions, with positions and fluxes fitted again in between.
const ROUNDS: usize = 5;
/// Fewest stars to measure a PSF from.
pub const MIN_STARS: usize = 5;

/// Polynomial terms of the field position, scaled to -1..1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub centre: [f64; 2],
    pub scale: [f64; 2],
    pub degree: usize,
}

impl Field {
    pub fn terms(&self, x: f64, y: f64) -> Vec<f64> {
        let (u, v) = ((x - self.centre[0]) / self.scale[0], (y - self.centre[1]) / self.scale[1]);
        let mut out = Vec::with_capacity(6);
        for total in 0..=self.degree {
            for j in 0..=total {
                out.push(u.powi((total - j) as i32) * v.powi(j as i32));
            }
        }
        out
    }
    pub fn count(&self) -> usize {
        (self.degree + 1) * (self.degree + 2) / 2
    }
}

/// An effective PSF over a frame.
#[derive(Debug, Clone)]
pub struct EffectivePsf {
    pub(crate) field: Field,
    /// Spline coefficients of each field term.
    pub(crate) coefficients: Vec<Array2<f64>>,
    /// Integral of each term inside the model's radius.
    norms: Vec<f64>,
    /// Stars in the final solution.
    pub stars: usize,
    /// Median reduced chi-square of those stars.
    pub chi2: f64,
    /// The stars: column, row, rate inside 10 pixels.
    pub used: Vec<[f64; 3]>,
}

/// The PSF at one place of the frame: unit sum inside 10 pixels.
#[derive(Debug, Clone)]
pub struct LocalPsf {
    coefficients: Array2<f64>,
}

/// Value and derivatives of the model at one pixel.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PsfPixel {
    /// Fraction of the flux.
    pub value: f64,
    /// Derivative by the star's column.
    pub by_x: f64,
    /// Derivative by the star's row.
    pub by_y: f64,
}

/// Cubic B-spline weights of four nodes and their derivatives, at `t` in 0..1 between the middle two.
pub(crate) fn spline(t: f64) -> ([f64; 4], [f64; 4]) {
    let (t2, t3) = (t * t, t * t * t);
    let u = 1.0 - t;
    (
        [u * u * u / 6.0, (3.0 * t3 - 6.0 * t2 + 4.0) / 6.0, (-3.0 * t3 + 3.0 * t2 + 3.0 * t + 1.0) / 6.0, t3 / 6.0],
        [-0.5 * u * u, 1.5 * t2 - 2.0 * t, -1.5 * t2 + t + 0.5, 0.5 * t2],
    )
}

/// First spline node and phase of a pixel at offset `d` from the star.
pub(crate) fn node_of(d: f64) -> (i64, f64) {
    let u = d * NODES_PER_PIXEL as f64 + CENTRE as f64;
    let floor = u.floor();
    (floor as i64 - 1, u - floor)
}

impl LocalPsf {
    fn new(mut coefficients: Array2<f64>) -> Self {
        let total = sum_inside(&coefficients, RADIUS_PX as f64);
        coefficients /= total;
        Self { coefficients }
    }
    /// Model pixels of a square of `half` pixels about the pixel nearest to `(x, y)`, row by row.
    pub fn stamp(&self, x: f64, y: f64, half: i64, out: &mut Vec<PsfPixel>) {
        out.clear();
        let (cx, cy) = (x.round() as i64, y.round() as i64);
        let (first_x, tx) = node_of((cx - half) as f64 - x);
        let (first_y, ty) = node_of((cy - half) as f64 - y);
        let ((wx, dx), (wy, dy)) = (spline(tx), spline(ty));
        let step = NODES_PER_PIXEL as i64;
        let inside = |first: i64| first >= 0 && first + 3 < SIDE as i64;
        for j in 0..=2 * half {
            let row = first_y + j * step;
            for i in 0..=2 * half {
                let column = first_x + i * step;
                let mut pixel = PsfPixel::default();
                if inside(row) && inside(column) {
                    for b in 0..4 {
                        let (mut value, mut slope) = (0.0, 0.0);
                        for a in 0..4 {
                            let c = self.coefficients[(row as usize + b, column as usize + a)];
                            value += wx[a] * c;
                            slope += dx[a] * c;
                        }
                        pixel.value += wy[b] * value;
                        pixel.by_x -= wy[b] * slope * step as f64;
                        pixel.by_y -= dy[b] * value * step as f64;
                    }
                }
                out.push(pixel);
            }
        }
    }
    /// Value at an offset from the centre \[pixel\].
    #[must_use]
    pub fn at(&self, dx: f64, dy: f64) -> f64 {
        let ((first_x, tx), (first_y, ty)) = (node_of(dx), node_of(dy));
        if first_x < 0 || first_y < 0 || first_x + 3 >= SIDE as i64 || first_y + 3 >= SIDE as i64 {
            return 0.0;
        }
        let ((wx, _), (wy, _)) = (spline(tx), spline(ty));
        (0..4).map(|b| wy[b] * (0..4).map(|a| wx[a] * self.coefficients[(first_y as usize + b, first_x as usize + a)]).sum::<f64>()).sum()
    }
    /// Gaussian-weighted centroid (sigma 1 pixel) of the model, from its nodes \[pixel\].
    fn centroid(&self) -> (f64, f64) {
        let (mut x, mut y) = (0.0, 0.0);
        for _ in 0..20 {
            let mut sums = [0.0; 3];
            for ((j, i), &c) in self.coefficients.indexed_iter() {
                let dx = (i as f64 - CENTRE as f64) / NODES_PER_PIXEL as f64;
                let dy = (j as f64 - CENTRE as f64) / NODES_PER_PIXEL as f64;
                let w = c * (-0.5 * ((dx - x).powi(2) + (dy - y).powi(2))).exp();
                sums[0] += w;
                sums[1] += w * (dx - x);
                sums[2] += w * (dy - y);
            }
            // The weight halves the offset of a PSF as wide as itself: step twice as far.
            x += 2.0 * sums[1] / sums[0];
            y += 2.0 * sums[2] / sums[0];
        }
        (x, y)
    }
    /// Effective area 1 / sum P^2 \[pixel\], mean over sub-pixel phases: sky noise inside a PSF fit is its square root.
    #[must_use]
    pub fn noise_area_px(&self) -> f64 {
        let mut squares = 0.0;
        let mut stamp = Vec::new();
        for phase in 0..9 {
            self.stamp(f64::from(phase % 3) / 3.0 - 1.0 / 3.0, f64::from(phase / 3) / 3.0 - 1.0 / 3.0, 8, &mut stamp);
            squares += stamp.iter().map(|p| p.value * p.value).sum::<f64>() / 9.0;
        }
        1.0 / squares
    }
    /// Full width at half maximum \[pixel\], from the azimuthal mean.
    #[must_use]
    pub fn fwhm_px(&self) -> f64 {
        let ring = |r: f64| {
            (0..32).map(|k| f64::from(k) * std::f64::consts::PI / 16.0).map(|a| self.at(r * a.cos(), r * a.sin())).sum::<f64>() / 32.0
        };
        let half = 0.5 * ring(0.0);
        let (mut low, mut high) = (0.0, 8.0);
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            if ring(middle) > half { low = middle } else { high = middle }
        }
        low + high
    }
    /// Ellipticity components from Gaussian-weighted second moments (sigma 1.5 pixel).
    #[must_use]
    pub fn ellipticity(&self) -> (f64, f64) {
        let mut m = [0.0; 3];
        for ((j, i), &c) in self.coefficients.indexed_iter() {
            let dx = (i as f64 - CENTRE as f64) / NODES_PER_PIXEL as f64;
            let dy = (j as f64 - CENTRE as f64) / NODES_PER_PIXEL as f64;
            let w = c * (-0.5 * (dx * dx + dy * dy) / 2.25).exp();
            m[0] += w * dx * dx;
            m[1] += w * dy * dy;
            m[2] += w * dx * dy;
        }
        let trace = m[0] + m[1];
        ((m[0] - m[1]) / trace, 2.0 * m[2] / trace)
    }
}

/// Integral of the spline inside a radius: each node carries `h^2`, shared by its place.
fn sum_inside(coefficients: &Array2<f64>, radius_px: f64) -> f64 {
    let h = 1.0 / NODES_PER_PIXEL as f64;
    coefficients
        .indexed_iter()
        .map(|((j, i), &c)| {
            let (dx, dy) = ((i as f64 - CENTRE as f64) * h, (j as f64 - CENTRE as f64) * h);
            if dx * dx + dy * dy <= radius_px * radius_px { c * h * h } else { 0.0 }
        })
        .sum()
}

impl EffectivePsf {
    /// The PSF at a position of the image.
    #[must_use]
    pub fn at(&self, x: f64, y: f64) -> LocalPsf {
        let terms = self.field.terms(x, y);
        let norm: f64 = terms.iter().zip(&self.norms).map(|(t, n)| t * n).sum();
        let mut sum = Array2::zeros((SIDE, SIDE));
        for (term, c) in terms.into_iter().zip(&self.coefficients) {
            sum.scaled_add(term / norm, c);
        }
        LocalPsf { coefficients: sum }
    }
}

/// A first model to start from: a circular Moffat profile (index 3) of that width, on the spline nodes.
fn starting_model(fwhm_px: f64) -> Array2<f64> {
    let alpha = fwhm_px / (2.0 * (2.0_f64.powf(1.0 / 3.0) - 1.0).sqrt());
    let h = 1.0 / NODES_PER_PIXEL as f64;
    Array2::from_shape_fn((SIDE, SIDE), |(j, i)| {
        let (dx, dy) = ((i as f64 - CENTRE as f64) * h, (j as f64 - CENTRE as f64) * h);
        2.0 / (std::f64::consts::PI * alpha * alpha) * (1.0 + (dx * dx + dy * dy) / (alpha * alpha)).powi(-3)
    })
}

/// Measures the PSF from candidate stars; `None` with fewer than [`MIN_STARS`] usable ones.
#[must_use]
pub fn measure(frame: &MeasuredFrame, candidates: &[Candidate]) -> Option<EffectivePsf> {
    if candidates.len() < MIN_STARS {
        return None;
    }
    let (ny, nx) = frame.rate.dim();
    let field = |degree| Field { centre: [nx as f64 / 2.0, ny as f64 / 2.0], scale: [nx as f64 / 2.0, ny as f64 / 2.0], degree };
    let start = starting_model(2.2);
    let norms = vec![sum_inside(&start, RADIUS_PX as f64)];
    let mut psf = EffectivePsf { field: field(0), coefficients: vec![start], norms, stars: 0, chi2: f64::NAN, used: vec![] };
    let mut positions: Vec<[f64; 3]> = candidates.iter().map(|c| [c.x, c.y, c.rate]).collect();
    let mut alive = vec![true; positions.len()];
    for round in 0..ROUNDS {
        let living = alive.iter().filter(|a| **a).count();
        if living < MIN_STARS {
            return None;
        }
        // The field variation enters when the shape has settled, and only as far as the stars can carry it.
        let degree = match living {
            n if round < 2 || n < 40 => 0,
            n if n < 120 => 1,
            _ => 2,
        };
        if degree > psf.field.degree {
            psf.field = field(degree);
            psf.coefficients.resize(psf.field.count(), Array2::zeros((SIDE, SIDE)));
            psf.norms.resize(psf.field.count(), 0.0);
        }
        let samples: Vec<Sample> = positions
            .par_iter()
            .zip(&alive)
            .filter(|(_, alive)| **alive)
            .map(|(&[x, y, rate], _)| Sample::new(frame, &psf, x, y, rate))
            .collect();
        solve(&mut psf, &samples, if round + 1 < ROUNDS { 3e-3 } else { 3e-4 });
        psf.norms = psf.coefficients.iter().map(|c| sum_inside(c, RADIUS_PX as f64)).collect();
        // Hold the origin of the model: without this it could wander together with all the positions.
        let (sx, sy) = LocalPsf::new(psf.coefficients[0].clone()).centroid();
        let fits: Vec<_> = positions
            .par_iter()
            .map(|&[x, y, rate]| {
                let options = FitOptions { radius_px: 6.0, model_error: 0.005, max_shift_px: 1.5, ..FitOptions::default() };
                fit(frame, &psf.at(x, y), x, y, rate, &options)
            })
            .collect();
        let mut chi2: Vec<f64> = fits.iter().flatten().map(|f| f.chi2).collect();
        let typical = crate::statistics::median64(&mut chi2).max(1.0);
        for ((position, alive), fit) in positions.iter_mut().zip(&mut alive).zip(&fits) {
            match fit {
                Some(f) if f.rate > 0.0 && f.chi2 < 4.0 * typical => {
                    *position = [f.x, f.y, f.rate];
                    *alive = true;
                }
                _ => *alive = false,
            }
        }
        if round + 1 < ROUNDS {
            for position in &mut positions {
                position[0] += sx;
                position[1] += sy;
            }
        }
        psf.stars = samples.len();
        psf.chi2 = typical;
    }
    psf.used = positions.iter().zip(&alive).filter(|(_, a)| **a).map(|(p, _)| *p).collect();
    Some(psf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spline_weights_sum_to_one_and_their_slopes_to_nothing() {
        for t in [0.0, 0.25, 0.7, 1.0] {
            let (w, d) = spline(t);
            assert!((w.iter().sum::<f64>() - 1.0).abs() < 1e-14);
            assert!(d.iter().sum::<f64>().abs() < 1e-14);
        }
    }

    #[test]
    fn derivatives_agree_with_differences() {
        let psf = LocalPsf::new(starting_model(2.0));
        let (mut a, mut b, mut c) = (vec![], vec![], vec![]);
        psf.stamp(5.2, 7.4, 3, &mut a);
        psf.stamp(5.2 + 1e-5, 7.4, 3, &mut b);
        psf.stamp(5.2, 7.4 + 1e-5, 3, &mut c);
        for ((a, b), c) in a.iter().zip(&b).zip(&c) {
            assert!(((b.value - a.value) / 1e-5 - a.by_x).abs() < 1e-4);
            assert!(((c.value - a.value) / 1e-5 - a.by_y).abs() < 1e-4);
        }
    }

    #[test]
    fn a_stamp_samples_the_model_at_the_pixels() {
        let psf = LocalPsf::new(starting_model(2.0));
        let mut stamp = vec![];
        psf.stamp(10.3, 4.8, 2, &mut stamp);
        // pixel (9, 6) is column 1, row 3 of the stamp about (10, 5)
        assert!((stamp[3 * 5 + 1].value - psf.at(9.0 - 10.3, 6.0 - 4.8)).abs() < 1e-14);
    }

    #[test]
    fn pixels_of_a_unit_psf_sum_to_one_at_any_phase() {
        let psf = LocalPsf::new(starting_model(2.0));
        let mut stamp = vec![];
        for (x, y) in [(0.0, 0.0), (0.31, -0.44), (0.5, 0.5)] {
            psf.stamp(x, y, 10, &mut stamp);
            let sum: f64 = stamp.iter().map(|p| p.value).sum();
            assert!((sum - 1.0).abs() < 2e-3, "{sum}: corners of the square lie outside the circle");
        }
    }
}
