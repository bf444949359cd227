//! How far in frequency and in pixels an object must be followed.
//!
//! # Formula
//! kmax: smallest f with  E integral_f^inf 2 pi f W(f) F(f) df < tolerance  (bounds the error of any pixel, because the
//! left-out modes cannot add up to more);  radius: largest r where E x surface brightness of profile or PSF > tolerance.
//! # Symbols
//! E  electrons;  W  mean over angle of |PSF x pixel|, the largest of the wavelength nodes;  F  profile along its
//! shortest axis
//! # Limits
//! The radius adds those of profile core and PSF; light outside the period is folded in, so that flux is conserved.

use super::colour::Weights;
use super::grid::{PixelResponse, Sampling};
use super::sersic::{dense_index, table};
use super::special::sinc;
use num_complex::Complex64;
use sim_core::psf::Transfer;

/// Periods of images \[pixel\].
pub(crate) const SIZES: [usize; 20] = [16, 32, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 512, 640, 768, 1024, 1536, 2048, 3072, 4096];

/// Period of an image \[pixel\]: columns and rows, each one of [`SIZES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Period {
    pub(crate) nx: usize,
    pub(crate) ny: usize,
}

impl Period {
    /// As many columns as rows.
    pub(crate) const fn square(size: usize) -> Self {
        Self { nx: size, ny: size }
    }
    /// Pixels of the image.
    pub(crate) const fn pixels(self) -> usize {
        self.nx * self.ny
    }
}

/// Smallest size that holds `pixels`, or the largest there is and `false`.
pub(crate) fn size_for(pixels: f64) -> (usize, bool) {
    SIZES.iter().find(|&&n| n as f64 >= pixels).map_or((SIZES[SIZES.len() - 1], false), |&n| (n, true))
}

/// Azimuthal summary of PSF and pixel.
pub(crate) struct Response {
    /// Bin width \[cycles / pixel\].
    step: f64,
    /// 2 pi f W(f) df of each bin.
    weight: Vec<f64>,
    /// The same for each colour term from the second on.
    colour: Vec<Vec<f64>>,
    /// (ln level \[1 / pixel^2\], radius \[pixel\]), levels falling.
    wings: Vec<(f64, f64)>,
}

/// What planning needs to know of a component.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) electrons: f64,
    /// Largest share of them within a resolution element of a streak; 1 for an image.
    pub(crate) concentration: f64,
    /// Length of the streak \[pixel\]; 0 for an image.
    pub(crate) length: f64,
    /// Sersic index; `None` for points, knots and images, whose transform does not fall.
    pub(crate) index: Option<f64>,
    /// Longest and shortest half-light radius \[pixel\]; for images and knots the radius that holds all.
    pub(crate) radius_px: (f64, f64),
    /// Weights of the colour terms.
    pub(crate) colour: Weights,
}

impl Response {
    /// Summary of the transfer functions of one place, out to `limit` cycles per pixel at most.
    pub(crate) fn new(transfers: &[Box<dyn Transfer + '_>], mix: &[Vec<f64>], sampling: Sampling, bins: usize, limit: f64) -> Self {
        const ANGLES: usize = 16;
        let scale = sampling.pixel_scale_arcsec;
        let reach = transfers.iter().map(|t| t.cutoff(1e-9) * scale).fold(0.0, f64::max).clamp(0.05, limit);
        let step = reach / bins as f64;
        let mut weight = vec![0.0_f64; bins];
        let (mut fx, mut fy, mut pixel) = (Vec::new(), Vec::new(), Vec::new());
        for bin in 0..bins {
            let f = step * (bin as f64 + 0.5);
            for angle in 0..ANGLES {
                let (sin, cos) = (std::f64::consts::PI * (angle as f64 + 0.5) / ANGLES as f64).sin_cos();
                fx.push(f * cos / scale);
                fy.push(f * sin / scale);
                pixel.push(match sampling.pixel {
                    PixelResponse::Square => (sinc(f * cos) * sinc(f * sin)).abs(),
                    PixelResponse::InPsf => 1.0,
                });
            }
        }
        let mut values = vec![vec![Complex64::default(); fx.len()]; transfers.len()];
        let ring = |bin: usize| 2.0 * std::f64::consts::PI * step * (bin as f64 + 0.5) * step / ANGLES as f64;
        for (transfer, values) in transfers.iter().zip(&mut values) {
            transfer.sample(&fx, &fy, values);
            for (bin, w) in weight.iter_mut().enumerate() {
                let range = bin * ANGLES..(bin + 1) * ANGLES;
                let sum: f64 = values[range.clone()].iter().zip(&pixel[range]).map(|(v, p)| v.norm() * p).sum();
                *w = w.max(ring(bin) * sum);
            }
        }
        let term = |weights: &Vec<f64>, i: usize| weights.iter().zip(&values).map(|(w, v)| v[i] * *w).sum::<Complex64>();
        let colour = mix
            .iter()
            .skip(1)
            .map(|weights| {
                let bin_sum = |bin: usize| (bin * ANGLES..(bin + 1) * ANGLES).map(|i| term(weights, i).norm() * pixel[i]).sum::<f64>();
                (0..bins).map(|bin| ring(bin) * bin_sum(bin)).collect()
            })
            .collect();
        let mut wings = Vec::new();
        let mut farthest = 0.0_f64;
        for i in 0..64 {
            let ln_level = -0.5 * f64::from(i);
            let level = ln_level.exp() / (scale * scale);
            let radius = transfers.iter().map(|t| t.radius_of_brightness(level) / scale).fold(0.0, f64::max);
            farthest = farthest.max(if radius.is_finite() { radius } else { 1e5 });
            wings.push((ln_level, farthest));
        }
        Self { step, weight, colour, wings }
    }

    /// Radius \[pixel\] where the PSF falls below `level` \[1 / pixel^2\].
    pub(crate) fn wing_radius(&self, level: f64) -> f64 {
        let position = (-2.0 * level.ln()).clamp(0.0, (self.wings.len() - 1) as f64);
        let i = (position.floor() as usize).min(self.wings.len() - 2);
        let t = position - i as f64;
        self.wings[i].1 + t * (self.wings[i + 1].1 - self.wings[i].1)
    }

    fn transforms(&self, parts: &[Extent], mut visit: impl FnMut(usize, f64) -> bool) {
        let two_pi_step = 2.0 * std::f64::consts::PI * self.step;
        for bin in (0..self.weight.len()).rev() {
            let mut sum = 0.0;
            for part in parts {
                let k = two_pi_step * (bin as f64 + 0.5) * part.radius_px.1;
                sum += part.electrons * part.concentration * part.index.map_or(1.0, |n| table().rough(n, k * k).abs());
            }
            if !visit(bin, sum * self.weight[bin]) {
                return;
            }
        }
    }

    /// Highest brightness a pixel can have \[electron\].
    pub(crate) fn peak(&self, parts: &[Extent]) -> f64 {
        let mut total = 0.0;
        self.transforms(parts, |_, w| {
            total += w;
            true
        });
        total
    }

    /// About the highest brightness a pixel can have \[electron\]: every fourth bin stands for its neighbours.
    pub(crate) fn peak_about(&self, parts: &[Extent]) -> f64 {
        const STRIDE: usize = 4;
        let mut total = 0.0;
        for (bin, weights) in self.weight.chunks(STRIDE).enumerate() {
            let middle = (bin * STRIDE) as f64 + 0.5 * weights.len() as f64;
            let mut sum = 0.0;
            for part in parts {
                let k = 2.0 * std::f64::consts::PI * self.step * middle * part.radius_px.1;
                sum += part.electrons * part.concentration * part.index.map_or(1.0, |n| table().rough(n, k * k).abs());
            }
            total += sum * weights.iter().sum::<f64>();
        }
        total
    }

    /// What the brightness and its second, third and fourth derivative along an axis can be at most \[electron, electron / pixel^2, ^3, ^4\].
    pub(crate) fn derivatives(&self, parts: &[Extent]) -> [f64; 4] {
        // Means of |cos|^2, |cos|^3 and |cos|^4 over the directions of waves.
        const MEANS: [f64; 4] = [1.0, 0.5, 4.0 / (3.0 * std::f64::consts::PI), 0.375];
        let mut sums = [0.0; 4];
        self.transforms(parts, |bin, w| {
            let k = 2.0 * std::f64::consts::PI * self.step * (bin as f64 + 0.5);
            let k2 = k * k;
            sums.iter_mut().zip([1.0, k2, k2 * k, k2 * k2]).for_each(|(sum, power)| *sum += w * power);
            true
        });
        std::array::from_fn(|i| sums[i] * MEANS[i])
    }

    /// Frequency \[cycles / pixel\] beyond which all modes together stay below `tolerance` \[electron\].
    pub(crate) fn cutoff(&self, parts: &[Extent], tolerance: f64) -> f64 {
        let (mut total, mut first) = (0.0, 0);
        self.transforms(parts, |bin, w| {
            total += w;
            first = bin + 1;
            total < tolerance
        });
        self.step * first as f64
    }

    /// Colour terms needed: those left out together stay below `tolerance` \[electron\].
    pub(crate) fn colours(&self, parts: &[Extent], tolerance: f64) -> usize {
        const STRIDE: usize = 4;
        let mut error = [0.0; super::colour::NODES_MAX];
        for bin in (STRIDE / 2..self.weight.len()).step_by(STRIDE) {
            for part in parts {
                let k = 2.0 * std::f64::consts::PI * self.step * (bin as f64 + 0.5) * part.radius_px.1;
                let light = STRIDE as f64 * part.electrons * part.concentration * part.index.map_or(1.0, |n| table().rough(n, k * k).abs());
                for (r, term) in self.colour.iter().enumerate() {
                    error[r + 1] += light * f64::from(part.colour[r + 1].abs()) * term[bin];
                }
            }
        }
        let mut left_out = 0.0;
        for r in (1..=self.colour.len()).rev() {
            left_out += error[r];
            if left_out > tolerance {
                return r + 1;
            }
        }
        1
    }

    /// Radius \[pixel\] beyond which the object's brightness stays below `tolerance` \[electron / pixel\].
    pub(crate) fn radius(&self, parts: &[Extent], tolerance: f64) -> f64 {
        let whole = self.radius_of_share(parts, tolerance, |_| 1.0);
        if parts.iter().all(|part| part.length == 0.0) {
            return whole;
        }
        // At a distance r from a line of light of length L, no more than pi r / L of it acts as a point would; r is not above that of the whole.
        self.radius_of_share(parts, tolerance, |part| {
            (std::f64::consts::PI * whole / part.length.max(1e-9)).max(part.concentration).min(1.0)
        })
    }

    fn radius_of_share(&self, parts: &[Extent], tolerance: f64, share: impl Fn(&Extent) -> f64) -> f64 {
        let total: f64 = parts.iter().map(|p| p.electrons * share(p)).sum();
        if total <= 0.0 || total.is_nan() {
            return 0.0;
        }
        let mut profile = 0.0_f64;
        for part in parts {
            profile = profile.max(match part.index {
                Some(n) => sersic_radius(part, n, 0.5 * tolerance / share(part)),
                None => part.radius_px.0,
            });
        }
        let core = self.wing_radius(0.02);
        let wing = self.wing_radius(tolerance / total);
        (profile + core).max(wing + profile.min(core))
    }
}

fn sersic_radius(part: &Extent, n: f64, tolerance: f64) -> f64 {
    let (b, ln_central) = table().brightness(n);
    let area = part.radius_px.0 * part.radius_px.1;
    if part.electrons <= 0.0 || area <= 0.0 {
        return 0.0;
    }
    let drop = (part.electrons / area / tolerance).ln() + ln_central;
    if drop <= 0.0 { 0.0 } else { part.radius_px.0 * (drop / b).powf(n) }
}

/// Octave of q below the lowest nonzero one of a map (half-light radii per mode), and the octaves to cover.
pub(crate) fn octaves(smallest_q: f64, largest_q: f64) -> (i32, usize) {
    let low = super::sersic::LOW_OCTAVE + (dense_index(smallest_q) / super::sersic::SUB) as i32 - 1;
    let high = super::sersic::LOW_OCTAVE + (dense_index(largest_q) / super::sersic::SUB) as i32 + 1;
    (low.max(super::sersic::LOW_OCTAVE), (high - low).clamp(2, 32) as usize)
}
