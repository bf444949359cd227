//! The spectra of a source brought together: one list of samples, whitened, with the errors that run smoothly over wavelength taken into
//! account.
//!
//! # Formula
//! Elements that fall into one bin of ln lambda (1.5e-3) make one sample: inverse-variance means of flux, ln lambda and line spread; the
//! spread of the
//! members' wavelengths is added to the line spread. Covariance C = N + B B^T, N = error^2 + (floor S)^2 + (line floor x max(0, f - S))^2 +
//! (c contamination)^2, B: hats over ln lambda,
//! 0.08 apart, times root((S s)^2 + (k error)^2). By Woodbury x^T C^-1 y = x.y - (L^-1 b^T x).(L^-1 b^T y) with x, y, b whitened by N and L L^T = 1 + b^T b.
//! # Symbols
//! S the flux smoothed over 0.08; s share of smooth errors; k share of the error that neighbours have in common (backgrounds, light of others).
//! # Source
//! Woodbury identity; marginalised linear nuisance: Rasmussen & Williams 2006, section 2.7.
//! # Limits
//! Neighbouring elements are taken as independent. S carries the lines in it, so the floor is a little higher at strong lines.

use super::nnls::MOST;
use super::options::{Photometry, RedshiftError, RedshiftOptions, SourceInput};
use super::templates::grid::{FIRST_NM, LAST_NM, STEP, rung};
use sim_core::bandpass::Bandpass;
use sim_core::median::median;
use sim_core::units::{Nanometre, SPEED_OF_LIGHT_M_S};

/// Bin in ln lambda.
pub(crate) const BIN: f64 = 1.5e-3;
/// Distance of the hats in ln lambda.
const KNOT: f64 = 0.08;
const FWHM_PER_SIGMA: f64 = 2.354_820_045;
/// Madau's effective optical depths: wavelength \[nm\] and coefficient.
const FOREST: [(f64, f64); 4] = [(121.567, 0.0036), (102.572, 0.0017), (97.254, 0.0012), (94.974, 0.00093)];

/// A photometric row.
#[derive(Debug, Clone)]
pub(crate) struct BandRow {
    /// Places of the nodes on the grid as observed, and weights of f_lambda that add to 1.
    pub(crate) nodes: Vec<(f64, f64)>,
    /// Weight of a line's flux at a wavelength: curve and its normalisation.
    pub(crate) band: Bandpass,
    pub(crate) norm: f64,
}

/// The samples of a source, spectra first (rising), photometry behind.
#[derive(Debug, Clone)]
pub(crate) struct Samples {
    pub(crate) ln_nm: Vec<f64>,
    pub(crate) nm: Vec<f64>,
    pub(crate) sigma: Vec<f64>,
    pub(crate) rung: Vec<usize>,
    pub(crate) place: Vec<f64>,
    /// Optical depths of the forest by series.
    pub(crate) forest: Vec<[f32; 4]>,
    /// Flux smoothed, in units of `scale`.
    pub(crate) smooth: Vec<f64>,
    pub(crate) weight: Vec<f32>,
    pub(crate) y: Vec<f32>,
    pub(crate) hats: Vec<(usize, f32, f32)>,
    /// Element beside the diagonal and diagonal of L.
    factor: Vec<(f64, f64)>,
    pub(crate) y_project: Vec<f64>,
    pub(crate) yy: f64,
    /// Flux of one unit \[erg / s / cm2 / nm\].
    pub(crate) scale: f64,
    pub(crate) bands: Vec<BandRow>,
    /// Bands left out because they reach beyond the templates.
    pub(crate) bands_outside: Vec<String>,
    /// Elements left out.
    pub(crate) rejected: usize,
    /// Signal to noise per element of GU, GV, GI.
    pub(crate) snr: [f64; 3],
}

struct Element {
    ln_nm: f64,
    flux: f64,
    variance: f64,
    sigma: f64,
}

fn check(input: &SourceInput) -> Result<(), RedshiftError> {
    let id = input.id;
    for (index, s) in input.spectra.iter().enumerate() {
        let expected = s.wavelength_nm.len();
        let band = || s.band.clone();
        let lengths = [("flux", s.flux.len()), ("flux_error", s.flux_error.len()), ("flags", s.flags.len())];
        if let Some(&(name, found)) = lengths.iter().find(|(_, n)| *n != expected) {
            return Err(RedshiftError::Length { id, index, band: band(), name, found, expected });
        }
        let w = &s.wavelength_nm;
        let bad = (0..expected).find(|&k| !(w[k].is_finite() && w[k] > 0.0) || k > 0 && w[k] <= w[k - 1]);
        if let Some(element) = bad {
            return Err(RedshiftError::Wavelength { id, index, band: band(), element, value: w[element] });
        }
        if expected > 0 && !(s.line_fwhm_nm.is_finite() && s.line_fwhm_nm > 0.0) {
            return Err(RedshiftError::LineSpread { id, index, band: band(), value: s.line_fwhm_nm });
        }
    }
    for p in input.photometry {
        if !(p.flux_nu.is_finite() && p.error.is_finite() && p.error > 0.0) {
            return Err(RedshiftError::Photometry { id, band: p.band.name.clone(), flux: p.flux_nu, error: p.error });
        }
    }
    match input.point_probability {
        Some(value) if !(0.0..=1.0).contains(&value) => Err(RedshiftError::Probability { id, value }),
        _ => Ok(()),
    }
}

/// A photometric row's data: flux per nm and its error.
fn photometric(p: &Photometry, options: &RedshiftOptions) -> Option<(BandRow, f64, f64)> {
    let nodes = p.band.nodes(40);
    let top: f64 = nodes.iter().map(|&(w, d)| p.band.at(Nanometre(w)) * w * d).sum();
    let bottom: f64 = nodes.iter().map(|&(w, d)| p.band.at(Nanometre(w)) / w * d).sum();
    let (low, high) = p.band.range_nm();
    if low < FIRST_NM || high > LAST_NM || top <= 0.0 {
        return None;
    }
    // f_nu c bottom / top is the photon-weighted mean of f_lambda.
    let factor = SPEED_OF_LIGHT_M_S * 1e9 * bottom / top;
    let (flux, error) = (p.flux_nu * factor, p.error * factor);
    let rows = nodes.iter().map(|&(w, d)| ((w / FIRST_NM).ln() / STEP, p.band.at(Nanometre(w)) * w * d / top)).collect();
    Some((BandRow { nodes: rows, band: p.band.clone(), norm: top }, flux, error.hypot(options.photometry_floor * flux)))
}

impl Samples {
    /// Brings a source together; `None` when nothing of its spectra can be used.
    pub(crate) fn new(input: &SourceInput, options: &RedshiftOptions) -> Result<Option<Self>, RedshiftError> {
        check(input)?;
        let mut elements = Vec::new();
        let (mut rejected, mut ratios) = (0, [(); 3].map(|()| Vec::new()));
        for s in input.spectra {
            let mut own = Vec::new();
            for k in 0..s.wavelength_nm.len() {
                let (w, flux, error) = (s.wavelength_nm[k], s.flux[k], s.flux_error[k]);
                let usable = flux.is_finite() && error.is_finite() && error > 0.0;
                if !usable || u32::from(s.flags[k]) & options.reject_flags != 0 || !(FIRST_NM..=LAST_NM).contains(&w) {
                    rejected += 1;
                    continue;
                }
                let contamination = match (s.contamination.get(k), s.rate_error.get(k)) {
                    (Some(c), Some(r)) if c.is_finite() && *r > 0.0 => options.contamination_error * c.abs() * error / r,
                    _ => 0.0,
                };
                own.push(flux / error);
                let sigma = s.line_fwhm_nm / FWHM_PER_SIGMA / w;
                elements.push(Element { ln_nm: w.ln(), flux, variance: error * error + contamination * contamination, sigma });
            }
            let known = ["GU", "GV", "GI"].iter().position(|b| *b == s.band);
            if let (Some(k), false) = (known, own.is_empty()) {
                ratios[k].push(median(&mut own).unwrap_or(f64::NAN));
            }
        }
        if elements.is_empty() {
            return Ok(None);
        }
        let snr = ratios.map(|r| if r.is_empty() { f64::NAN } else { r.iter().sum::<f64>() / (r.len() as f64).sqrt() });
        elements.sort_by(|a, b| a.ln_nm.total_cmp(&b.ln_nm));
        Ok(Some(Self::from_elements(&elements, input, options, rejected, snr)))
    }
    fn from_elements(e: &[Element], input: &SourceInput, options: &RedshiftOptions, rejected: usize, snr: [f64; 3]) -> Self {
        let mut merged: Vec<Element> = Vec::new();
        for bin in e.chunk_by(|a, b| (a.ln_nm / BIN).floor() == (b.ln_nm / BIN).floor()) {
            let total: f64 = bin.iter().map(|x| 1.0 / x.variance).sum();
            let mean = |f: &dyn Fn(&Element) -> f64| bin.iter().map(|x| f(x) / x.variance).sum::<f64>() / total;
            let ln_nm = mean(&|x| x.ln_nm);
            let spread = mean(&|x| (x.ln_nm - ln_nm).powi(2) + x.sigma * x.sigma);
            merged.push(Element { ln_nm, flux: mean(&|x| x.flux), variance: 1.0 / total, sigma: spread.sqrt() });
        }
        let smooth = smoothed(&merged);
        let mut sizes: Vec<f64> = smooth.iter().map(|v| v.abs()).collect();
        let mut noise: Vec<f64> = merged.iter().map(|x| x.variance.sqrt()).collect();
        let middle = |values: &mut [f64]| median(values).unwrap_or(f64::NAN);
        let scale = middle(&mut sizes).max(0.05 * middle(&mut noise)).max(f64::MIN_POSITIVE);
        let mut s = Self {
            ln_nm: merged.iter().map(|x| x.ln_nm).collect(),
            nm: merged.iter().map(|x| x.ln_nm.exp()).collect(),
            sigma: merged.iter().map(|x| x.sigma).collect(),
            rung: merged.iter().map(|x| rung(x.sigma)).collect(),
            place: merged.iter().map(|x| (x.ln_nm - FIRST_NM.ln()) / STEP).collect(),
            forest: merged.iter().map(|x| FOREST.map(|(nm, a)| (a * (x.ln_nm.exp() / nm).powf(3.46)) as f32)).collect(),
            smooth: smooth.iter().map(|v| v.max(0.0) / scale).collect(),
            weight: vec![],
            y: vec![],
            hats: vec![],
            factor: vec![],
            y_project: vec![],
            yy: 0.0,
            scale,
            bands: vec![],
            bands_outside: vec![],
            rejected,
            snr,
        };
        for (x, m) in merged.iter().zip(&s.smooth) {
            let excess = (x.flux / scale - m).max(0.0);
            let weight = 1.0 / (x.variance / (scale * scale) + (options.floor * m).powi(2) + (options.line_floor * excess).powi(2)).sqrt();
            s.weight.push(weight as f32);
            s.y.push((x.flux / scale * weight) as f32);
        }
        let first = s.ln_nm[0];
        let knots = ((s.ln_nm[s.ln_nm.len() - 1] - first) / KNOT).floor() as usize + 2;
        for (k, element) in merged.iter().enumerate() {
            let at = (element.ln_nm - first) / KNOT;
            let of_noise = options.common_noise * element.variance.sqrt() / scale;
            let size = (options.smooth_floor * s.smooth[k]).hypot(of_noise) as f32 * s.weight[k];
            let t = (at - at.floor()) as f32;
            s.hats.push((at as usize, size * (1.0 - t), size * t));
        }
        for p in input.photometry {
            let Some((row, flux, error)) = photometric(p, options) else {
                s.bands_outside.push(p.band.name.clone());
                continue;
            };
            let weight = scale / error;
            s.bands.push(row);
            s.weight.push(weight as f32);
            s.y.push((flux / error) as f32);
            s.hats.push((knots, (options.photometry_scale * flux / error) as f32, 0.0));
        }
        s.factorise(knots + 2);
        let y = s.y.clone();
        s.y_project = s.project(&y, &[(0, y.len())]);
        s.yy = dot(&y, &y) - s.y_project.iter().map(|v| v * v).sum::<f64>();
        s
    }
    fn factorise(&mut self, n: usize) {
        // 1 + b^T b has one band beside its diagonal, and so has its factor.
        let mut m = vec![(0.0, 1.0); n];
        for &(h, a, b) in &self.hats {
            let (a, b) = (f64::from(a), f64::from(b));
            m[h].1 += a * a;
            m[h + 1].1 += b * b;
            m[h + 1].0 += a * b;
        }
        for i in 0..n {
            if i > 0 {
                m[i].0 /= m[i - 1].1;
            }
            m[i].1 = (m[i].1 - m[i].0 * m[i].0).sqrt();
        }
        self.factor = m;
    }
    /// L^-1 b^T x over ranges of rows.
    pub(crate) fn project(&self, x: &[f32], ranges: &[(usize, usize)]) -> Vec<f64> {
        let n = self.factor.len();
        let mut p = vec![0.0_f64; n];
        for &(from, to) in ranges {
            let mut k = from;
            while k < to {
                let h = self.hats[k].0;
                let (mut a, mut b) = (0.0_f32, 0.0_f32);
                while k < to && self.hats[k].0 == h {
                    a += self.hats[k].1 * x[k];
                    b += self.hats[k].2 * x[k];
                    k += 1;
                }
                p[h] += f64::from(a);
                p[h + 1] += f64::from(b);
            }
        }
        // The matrix has one band beside its diagonal.
        for i in 0..n {
            let before = if i > 0 { self.factor[i].0 * p[i - 1] } else { 0.0 };
            p[i] = (p[i] - before) / self.factor[i].1;
        }
        p
    }
    /// L^-1 applied in place to b^T of many parts: `p[hat][part]`.
    pub(crate) fn project_many(&self, p: &mut [[f64; MOST]]) {
        for i in 0..p.len() {
            let before = if i > 0 { p[i - 1] } else { [0.0; MOST] };
            let (beside, diagonal) = self.factor[i];
            for k in 0..MOST {
                p[i][k] = (p[i][k] - beside * before[k]) / diagonal;
            }
        }
    }
    /// Hats, photometry's scale included.
    pub(crate) fn hat_count(&self) -> usize {
        self.factor.len()
    }
    /// Samples of the spectra.
    pub(crate) fn spectral(&self) -> usize {
        self.ln_nm.len()
    }
    /// The smooth flux at ln of a wavelength as observed, held at the ends.
    pub(crate) fn smooth_at(&self, ln_nm: f64) -> f64 {
        let k = self.ln_nm.partition_point(|v| *v < ln_nm).min(self.ln_nm.len() - 1);
        self.smooth[k]
    }
}

/// Sum of products in 16 lanes.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut lanes = [0.0_f32; 16];
    let (ca, cb) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = ca.remainder().iter().zip(cb.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in ca.zip(cb) {
        for k in 0..16 {
            lanes[k] += x[k] * y[k];
        }
    }
    lanes.iter().map(|v| f64::from(*v)).sum::<f64>() + f64::from(rest)
}

/// Inverse-variance mean over a knot's distance about each element.
fn smoothed(e: &[Element]) -> Vec<f64> {
    let (mut from, mut to) = (0, 0);
    let (mut top, mut bottom) = (vec![0.0], vec![0.0]);
    for x in e {
        top.push(top[top.len() - 1] + x.flux / x.variance);
        bottom.push(bottom[bottom.len() - 1] + 1.0 / x.variance);
    }
    e.iter()
        .map(|x| {
            while e[from].ln_nm < x.ln_nm - 0.5 * KNOT {
                from += 1;
            }
            while to < e.len() && e[to].ln_nm <= x.ln_nm + 0.5 * KNOT {
                to += 1;
            }
            (top[to] - top[from]) / (bottom[to] - bottom[from])
        })
        .collect()
}
