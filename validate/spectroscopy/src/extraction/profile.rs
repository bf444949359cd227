//! Profiles across a trace: PSF convolved with the projected shape of the source, integrated over pixels.
//!
//! # Formula
//! Share of a pixel whose middle is d from the trace: `P(d) = C(d + 1/2) - C(d - 1/2)`, C the cumulative of PSF and shape, linear between steps of 0.2 pixel. It ends
//! at E, the share of the light within its reach h; beyond, both sides together, `1 - E` of the light falls off as the wings of a pupil: `(1 - E) h / (2 d^2)` in a pixel.
//! # Symbols
//! d  rows from the trace \[pixel\];  E  of a star 1 unless the wings were measured ([`super::wings`]), of a galaxy that times the light within the cut
//! # Source
//! Projection of a Sersic profile: integral along the line of sight, by quadrature; all of its light is `2 pi n e^b Gamma(2n) / b^(2n)` (Ciotti 1991, A&A 249, 99).
//! # Limits
//! Pixels beyond half its extent are in no fit and in no model; galaxies are cut at 8 (bulges) or 5 (discs) half-light radii and at 60 pixels, tables where
//! 1e-5 of the light is left on either side. What a galaxy has beyond falls off as the wings, too, which is slower than bulges do.

use super::catalogue::{Bulge, Morphology};
use super::psf::Psf;
use std::f64::consts::PI;
use std::sync::OnceLock;

/// Step of the tables \[pixel\].
pub const STEP: f64 = 0.2;
/// Light on either side that tables leave out.
const TAIL: f64 = 1e-5;
/// Largest reach of a shape \[pixel\].
const REACH: f64 = 60.0;

/// A cumulative distribution on even steps about 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Cumulative {
    /// Values at `-half, -half + STEP, ... half`, rising from 0 to the share of the light within.
    pub values: Vec<f64>,
    /// Reach on either side \[pixel\].
    pub half: f64,
}

impl Cumulative {
    /// From a density that need not be normalised; `half` is rounded up to whole steps.
    #[must_use]
    pub fn of_density(half: f64, density: impl Fn(f64) -> f64) -> Self {
        let steps = (half / STEP).ceil().max(1.0) as usize;
        let fine = 8;
        let mut values = vec![0.0];
        for k in 0..2 * steps {
            let from = (k as f64 - steps as f64) * STEP;
            let sum: f64 = (0..fine).map(|j| density(from + (f64::from(j) + 0.5) * STEP / f64::from(fine)).max(0.0)).sum();
            values.push(values[k] + sum);
        }
        Self::normalised(values, steps, 1.0)
    }
    /// From values in any measure, made to rise and to end at `total`.
    pub(crate) fn normalised(mut values: Vec<f64>, steps: usize, total: f64) -> Self {
        let mut highest = 0.0_f64;
        for v in &mut values {
            highest = highest.max(*v);
            *v = highest;
        }
        let scale = if highest > 0.0 { total / highest } else { 0.0 };
        values.iter_mut().for_each(|v| *v *= scale);
        Self { values, half: steps as f64 * STEP }
    }
    /// Share of the light within its reach.
    #[must_use]
    #[inline]
    pub fn total(&self) -> f64 {
        self.values[self.values.len() - 1]
    }
    /// The same shape with another share of the light within its reach.
    pub(super) fn holding(self, total: f64) -> Self {
        let steps = self.values.len() / 2;
        Self::normalised(self.values, steps, total)
    }
    /// Share below d, of the light within its reach.
    #[must_use]
    #[inline]
    pub fn at(&self, d: f64) -> f64 {
        let p = (d + self.half) / STEP;
        if p <= 0.0 {
            return 0.0;
        }
        let i = p as usize;
        if i + 1 >= self.values.len() {
            return self.total();
        }
        let a = self.values[i];
        a + (p - i as f64) * (self.values[i + 1] - a)
    }
    /// Convolved with the even weights of a shape at steps `-n..=n`; their sum is the share of the shape's light that they hold.
    fn convolved(&self, weights: &[f64]) -> Self {
        let reach = weights.len() / 2;
        let steps = (self.half / STEP).round() as usize + reach;
        let (mut values, last) = (vec![0.0; 2 * steps + 1], self.values.len() - 1);
        for (k, w) in weights.iter().enumerate() {
            for (i, v) in self.values.iter().enumerate() {
                values[i + k] += w * v;
            }
            // Beyond its table the cumulative is the total.
            values[k + last + 1..].iter_mut().for_each(|v| *v += w * self.total());
        }
        Self::normalised(values, steps, self.total() * weights.iter().sum::<f64>())
    }
    /// Steps at either end that hold less than the tail.
    fn empty_ends(&self) -> usize {
        let left = self.values.iter().take_while(|v| **v < TAIL).count();
        let right = self.values.iter().rev().take_while(|v| **v > self.total() - TAIL).count();
        left.min(right).saturating_sub(1)
    }
    /// Without some steps at either end, with the same total.
    fn shortened(&self, cut: usize) -> Self {
        let last = self.values.len() - 1 - cut;
        let below = self.values[cut];
        let values = self.values[cut..=last].iter().map(|v| v - below).collect();
        Self::normalised(values, (last - cut) / 2, self.total())
    }
    /// Full width at half maximum of the density seen through pixels \[pixel\].
    #[must_use]
    pub fn fwhm(&self) -> f64 {
        let pixel = |d: f64| self.at(d + 0.5) - self.at(d - 0.5);
        let count = ((self.half + 1.0) / 0.05) as i32;
        let (top, peak) =
            (-count..=count).map(|i| f64::from(i) * 0.05).fold((0.0, 0.0), |best, d| if pixel(d) > best.1 { (d, pixel(d)) } else { best });
        let edge = |sign: f64| {
            (1..4 * count).map(|i| f64::from(i) * 0.05).find(|d| pixel(top + sign * d) < 0.5 * peak).map_or(self.half, |d| {
                let (a, b) = (pixel(top + sign * (d - 0.05)), pixel(top + sign * d));
                d - 0.05 * (0.5 * peak - b) / (a - b).max(1e-300)
            })
        };
        edge(1.0) + edge(-1.0)
    }
}

/// A profile across the trace that changes with wavelength: tables of one length, linear in wavelength in between, the outermost beyond.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    pub(crate) wavelength_nm: Vec<f64>,
    pub(crate) tables: Vec<Cumulative>,
}

impl Profile {
    /// PSF convolved with the shape projected on a direction whose half-light radius squared is `square` \[pixel^2\].
    #[must_use]
    pub fn new(psf: &Psf, square: f64, bulge: Bulge) -> Self {
        Self::of_weights(psf, (square.sqrt() >= 0.05).then(|| shape_weights(square.sqrt(), bulge)))
    }
    /// PSF convolved with a Gaussian of a variance \[pixel^2\].
    pub(super) fn gaussian(psf: &Psf, variance: f64) -> Self {
        let sigma = variance.sqrt();
        let n = (4.0 * sigma / STEP).ceil() as i64;
        // Samples alone lose nothing that matters while a step is no wider than the PSF.
        let raw = || (-n..=n).map(|k| (-0.5 * (k as f64 * STEP / sigma).powi(2)).exp()).collect::<Vec<f64>>();
        Self::of_weights(
            psf,
            (sigma >= 0.05).then(|| {
                let (raw, sum) = (raw(), raw().iter().sum::<f64>());
                raw.into_iter().map(|w| w / sum).collect()
            }),
        )
    }
    fn of_weights(psf: &Psf, weights: Option<Vec<f64>>) -> Self {
        let tables: Vec<Cumulative> = match weights {
            None => psf.tables.clone(),
            Some(weights) => psf.tables.iter().map(|t| t.convolved(&weights)).collect(),
        };
        // All tables keep one length, that of the widest.
        let cut = tables.iter().map(Cumulative::empty_ends).min().unwrap_or(0);
        let tables = tables.iter().map(|t| t.shortened(cut)).collect();
        Self { wavelength_nm: psf.wavelength_nm.clone(), tables }
    }
    /// Across the trace (rows) of a source.
    #[must_use]
    pub fn across(psf: &Psf, morphology: &Morphology) -> Self {
        Self::new(psf, morphology.ellipse().2, morphology.bulge())
    }
    /// Reach on either side \[pixel\].
    #[must_use]
    pub fn half(&self) -> f64 {
        self.tables[0].half
    }
    /// Lower table, upper table and share of the upper at a wavelength.
    #[inline]
    pub(crate) fn bracket(&self, wavelength_nm: f64) -> (&Cumulative, &Cumulative, f64) {
        let w = &self.wavelength_nm;
        if w.len() == 1 || wavelength_nm <= w[0] {
            return (&self.tables[0], &self.tables[0], 0.0);
        }
        let i = w.partition_point(|v| *v <= wavelength_nm);
        if i == w.len() {
            return (&self.tables[i - 1], &self.tables[i - 1], 0.0);
        }
        (&self.tables[i - 1], &self.tables[i], (wavelength_nm - w[i - 1]) / (w[i] - w[i - 1]))
    }
    /// Share of the light below d rows from the trace.
    #[must_use]
    #[inline]
    pub fn below(&self, d: f64, wavelength_nm: f64) -> f64 {
        let (low, high, share) = self.bracket(wavelength_nm);
        if share == 0.0 { low.at(d) } else { (1.0 - share) * low.at(d) + share * high.at(d) }
    }
    /// Share of the light in a pixel whose middle is d rows from the trace.
    #[must_use]
    pub fn pixel(&self, d: f64, wavelength_nm: f64) -> f64 {
        self.below(d + 0.5, wavelength_nm) - self.below(d - 0.5, wavelength_nm)
    }
    /// Share of the light in a pixel beyond the reach of the tables, d rows from the trace: the wings of the PSF; 0 within.
    #[must_use]
    pub fn wing(&self, d: f64, wavelength_nm: f64) -> f64 {
        let half = self.half();
        if d.abs() <= half + 0.5 {
            return 0.0;
        }
        let (low, high, share) = self.bracket(wavelength_nm);
        let total = (1.0 - share) * low.total() + share * high.total();
        0.5 * (1.0 - total) * half / (d * d)
    }
    /// The same shape with all the light within: along the dispersion nothing is lost, wings of one wavelength are the light of its neighbours.
    pub(super) fn closed(self) -> Self {
        Self { tables: self.tables.into_iter().map(|t| t.holding(1.0)).collect(), ..self }
    }
    /// The table at a wavelength.
    #[must_use]
    pub fn table(&self, wavelength_nm: f64) -> Cumulative {
        let (low, high, share) = self.bracket(wavelength_nm);
        let values = low.values.iter().zip(&high.values).map(|(a, b)| (1.0 - share) * a + share * b).collect();
        Cumulative { values, half: low.half }
    }
    /// Distance within which a share of the tables' light lies on either side, at a wavelength \[pixel\].
    #[must_use]
    pub fn radius(&self, share: f64, wavelength_nm: f64) -> f64 {
        let table = self.table(wavelength_nm);
        let steps = (table.half / STEP) as usize;
        (1..=steps).map(|i| i as f64 * STEP).find(|&d| table.at(d) - table.at(-d) >= share * table.total()).unwrap_or(table.half)
    }
}

/// Weights of a projected shape at steps `-n..=n`; their sum is the share of its light within the cut.
fn shape_weights(half_light: f64, bulge: Bulge) -> Vec<f64> {
    let reach = (half_light * bulge.reach()).min(REACH);
    let kind = bulge_kind(bulge.index);
    let n = (reach / STEP).ceil() as i64;
    let share = |u: f64| {
        (1.0 - bulge.share) * projected(0, u) + if bulge.share > 0.0 { bulge.share * projected(kind, u / bulge.radius) } else { 0.0 }
    };
    let edge = |k: f64| {
        let u = k * STEP / half_light;
        if u < 0.0 { -share(-u) } else { share(u) }
    };
    (-n..=n).map(|k| edge(k as f64 + 0.5) - edge(k as f64 - 0.5)).collect()
}

/// Sersic indices n, b_n and Gamma(2n) of disc, steep and shallow bulge.
const SERSIC: [(f64, f64, f64); 3] = [(1.0, 1.678_347, 1.0), (4.0, 7.669_249, 5040.0), (2.5, 4.670_912, 24.0)];

/// Kind of a bulge by its index.
pub(super) fn bulge_kind(index: f64) -> usize {
    if index > 3.2 { 1 } else { 2 }
}

const TABLE_STEP: f64 = 0.02;
const TABLE_REACH: f64 = 9.0;

/// Brightness of a round galaxy (half-light radius 1) at a radius: kind 0 a disc, 1 a steep and 2 a shallow bulge.
pub(super) fn sersic(kind: usize, r: f64) -> f64 {
    let (n, b, _) = SERSIC[kind];
    (-b * (r.powf(1.0 / n) - 1.0)).exp()
}

/// Light of a round galaxy (half-light radius 1) projected on an axis, between 0 and u: 1/2 when u is infinite, constant beyond the table's reach.
fn projected(kind: usize, u: f64) -> f64 {
    static TABLES: [OnceLock<Vec<f64>>; 3] = [const { OnceLock::new() }; 3];
    let table = TABLES[kind].get_or_init(|| {
        // Along the line of sight v = e^s: even steps of s resolve the cusp.
        let line = |u: f64| {
            let h = 0.02;
            (-500..=250).map(|i| (f64::from(i) * h).exp()).map(|v| sersic(kind, u.hypot(v)) * v * h).sum::<f64>()
        };
        let count = (TABLE_REACH / TABLE_STEP) as usize;
        let mut sum = vec![0.0];
        for i in 0..count {
            let mid: f64 = (0..4).map(|j| line((i as f64 + (f64::from(j) + 0.5) / 4.0) * TABLE_STEP)).sum();
            sum.push(sum[i] + mid);
        }
        // A quarter of the plane, in units of the sums.
        let (n, b, gamma) = SERSIC[kind];
        let all = 0.5 * PI * n * b.exp() * gamma / b.powf(2.0 * n) * 4.0 / TABLE_STEP;
        sum.into_iter().map(|v| 0.5 * v / all).collect()
    });
    let p = (u / TABLE_STEP).min((table.len() - 1) as f64);
    let i = (p as usize).min(table.len() - 2);
    table[i] + (p - i as f64) * (table[i + 1] - table[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disc_projects_as_its_bessel_function() {
        // Closed form: exp(-r / h) projected is 2 u K1(u / h); K1(1) = 0.60190723, K1(2) = 0.13986588 (Abramowitz & Stegun 9.8).
        let h = 1.0 / SERSIC[0].1;
        let density = |u: f64| (projected(0, u + 0.01) - projected(0, u - 0.01)) / 0.02;
        let ratio = density(2.0 * h) / density(h);
        assert!((ratio / (2.0 * 0.139_865_88 / 0.601_907_23) - 1.0).abs() < 2e-3, "{ratio}");
    }

    #[test]
    fn light_beyond_the_cut_is_missing_from_the_profile_and_not_from_the_source() {
        // A de Vaucouleurs galaxy of 30 pixels is cut at two half-light radii: a strip of |y| < 2 holds 0.8054 of its light (quadrature in polar coordinates,
        // untruncated), a star's PSF blurs that by less than 1e-3.
        let psf = Psf::gaussian(&[(600.0, 2.5)]).unwrap();
        let bulge = Profile::new(&psf, 900.0, Bulge::of(1.0));
        let sum: f64 = (-80..=80).map(|i| bulge.pixel(f64::from(i), 600.0)).sum();
        assert!((sum - 0.8054).abs() < 2e-3, "{sum}");
        let middle: f64 = (-30..=30).map(|i| bulge.pixel(f64::from(i), 600.0)).sum();
        // Strip of |y| < 30.5 / 30, by the same quadrature.
        assert!((middle - 0.6580).abs() < 2e-3, "{middle}");
        assert!(bulge.wing(61.0 + 3.0, 600.0) > 0.0);
    }

    #[test]
    fn pixels_share_all_the_light_and_widths_add_up() {
        let psf = Psf::gaussian(&[(600.0, 2.5), (1000.0, 3.0)]).unwrap();
        for square in [0.0, 4.0, 25.0] {
            let profile = Profile::new(&psf, square, Bulge::of(0.2));
            let reach = profile.half().ceil() as i32 + 1;
            let sum: f64 = (-reach..=reach).map(|i| profile.pixel(f64::from(i) + 0.37, 730.0)).sum();
            // A fifth of the light is a bulge's, of which 3 % lie beyond the cut; discs lose 0.1 %.
            let lost = if square > 0.0 { 0.2 * 0.03 + 0.8 * 0.001 } else { 0.0 };
            assert!((sum - (1.0 - lost)).abs() < 0.3 * lost + 1e-12, "{square}: {sum}");
        }
        let star = Profile::new(&psf, 0.0, Bulge::NONE);
        // The variance of a pixel's box adds 1/12: FWHM root(2.75^2 + 8 ln 2 / 12).
        let fwhm = star.table(800.0).fwhm();
        assert!((fwhm - (2.75_f64.powi(2) + 8.0 * 2.0_f64.ln() / 12.0).sqrt()).abs() < 0.05, "{fwhm}");
        // Wings outside: every pixel loses the same share, and what is beyond falls off to all that was lost.
        let wide = Profile::new(&psf.clone().holding(&[0.97, 0.98]), 0.0, Bulge::NONE);
        assert!((wide.pixel(0.3, 600.0) / star.pixel(0.3, 600.0) - 0.97).abs() < 1e-12);
        let beyond: f64 = (1..2_000_000).map(|i| wide.half() + f64::from(i) + 0.5).map(|d| 2.0 * wide.wing(d, 800.0)).sum();
        let reach = wide.half() + 1.0;
        assert!((beyond * reach / wide.half() / 0.025 - 1.0).abs() < 2e-3, "{beyond}");
        assert!((wide.radius(0.5, 800.0) - star.radius(0.5, 800.0)).abs() < 1e-12);
        // Half of the projected light of a disc is within 0.67 half-light radii or so, wider with the PSF.
        let r = Profile::new(&psf, 400.0, Bulge::NONE).radius(0.5, 800.0) / 20.0;
        assert!(r > 0.5 && r < 0.75, "{r}");
    }
}
