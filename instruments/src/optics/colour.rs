//! Colour: what a spectrum weighs on each wavelength node of the PSF, and how many electrons it gives.
//!
//! # Effect
//! A source's spectrum meets the PSF at every wavelength for the cost of at most J basis images.
//! # Formula
//! P_S(f) = integral S T lambda P(f, lambda) dlambda / integral S T lambda dlambda = sum_r m_r A_r(f),
//! m_r = integral S T lambda p_r dlambda / integral S T lambda dlambda,  A_r = sum_j c_j p_r(lambda_j) P(f, lambda_j);
//! N = area time integral f_lambda T lambda / (h c) dlambda.
//! # Symbols
//! S, f_lambda  spectrum;  T  efficiency;  P  transfer function;  p_r  polynomial of degree r, orthonormal under
//! <a, b> = integral a b T lambda dlambda / integral T lambda dlambda;  lambda_j  the J zeros of p_J, c_j  their weights
//! 1 / sum_r p_r(lambda_j)^2: the Gauss quadrature of the band's own photons
//! # Source
//! Photon-counting magnitudes: Bessell & Murphy 2012 (PASP 124, 140); nodes and weights: Gautschi 2004, Orthogonal
//! Polynomials: Computation and Approximation, ch. 2.2 (Stieltjes) and 1.4 (Gauss-Christoffel).
//! # Limits
//! The terms fall quickly with r (A_1 is the PSF's change with wavelength, A_2 its curvature ...), so an object is drawn
//! with those that matter at its brightness; all J together are exactly the interpolation through the nodes, and the
//! mean PSF A_0 is exact for a P of degree 2 J - 1 in wavelength.
//! J = 3, or 4 in bands wider than a quarter of their wavelength: error < 1e-4 of the peak for a pupil with 47 nm of
//! wavefront error in bands from 255 to 1065 nm and for spectra with a line (tested against the sum over wavelengths).
//! Quadrature: midpoints of at least 200 intervals, as `sim_core::bandpass::Bandpass::mean_fnu` uses.
//! # Twin
//! None: light is not undone.

use sim_core::bandpass::Bandpass;
use sim_core::spectrum::{Extinction, Sed, Spectrum};
use sim_core::units::Nanometre;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Most colour terms.
pub(crate) const NODES_MAX: usize = 4;

/// Wavelength nodes that draw any colour in a band to 1e-4 of the peak.
pub(crate) fn nodes_for(band: &Bandpass) -> usize {
    let (low, high) = band.range_nm();
    if high - low < 0.25 * 0.5 * (low + high) { 3 } else { NODES_MAX }
}

/// The part of a band that a concentration is measured over: some five pixels of a piece of a spectrum.
const CONCENTRATION: f64 = 0.05;

/// Weights of the colour terms.
pub(crate) type Weights = [f32; NODES_MAX];

/// No colour: the mean PSF.
pub(crate) const GREY: Weights = [1.0, 0.0, 0.0, 0.0];

/// The quadrature of one band.
pub(crate) struct BandQuadrature {
    wavelength_nm: Vec<f64>,
    /// T lambda dlambda.
    photons: Vec<f64>,
    /// The polynomials p_r; none in a band without light.
    family: Option<Orthonormal>,
    /// p_r(lambda).
    basis: Vec<[f64; NODES_MAX]>,
    /// integral T / lambda dlambda.
    flat: f64,
    nodes_nm: Vec<f64>,
    mix: Vec<Vec<f64>>,
}

impl BandQuadrature {
    /// Quadrature of a band with `nodes` wavelength nodes for the PSF.
    pub(crate) fn new(band: &Bandpass, nodes: usize) -> Self {
        let mut out = Self {
            wavelength_nm: Vec::new(),
            photons: Vec::new(),
            family: None,
            basis: Vec::new(),
            flat: 0.0,
            nodes_nm: vec![],
            mix: vec![],
        };
        for (wavelength, width) in band.nodes(200) {
            let efficiency = band.at(Nanometre(wavelength));
            out.wavelength_nm.push(wavelength);
            out.photons.push(efficiency * wavelength * width);
            out.flat += efficiency / wavelength * width;
        }
        let Some(family) = Orthonormal::new(&out.wavelength_nm, &out.photons, nodes) else {
            // A band without light: nothing is drawn.
            out.basis = vec![GREY.map(f64::from); out.wavelength_nm.len()];
            (out.nodes_nm, out.mix) = (vec![band.pivot_nm()], vec![vec![1.0]]);
            return out;
        };
        out.basis = out.wavelength_nm.iter().map(|&w| family.at(w)).collect();
        out.nodes_nm = family.zeros(band.range_nm());
        let at_nodes: Vec<[f64; NODES_MAX]> = out.nodes_nm.iter().map(|&w| family.at(w)).collect();
        let christoffel = |p: &[f64; NODES_MAX]| 1.0 / p[..nodes].iter().map(|v| v * v).sum::<f64>();
        out.mix = (0..nodes).map(|r| at_nodes.iter().map(|p| christoffel(p) * p[r]).collect()).collect();
        out.family = Some(family);
        out
    }
    /// The polynomials p_r at a wavelength.
    pub(crate) fn basis_at(&self, wavelength_nm: f64) -> [f64; NODES_MAX] {
        self.family.as_ref().map_or(GREY.map(f64::from), |family| family.at(wavelength_nm))
    }
    /// Colour terms from the transfer functions at the nodes: `mix[term][node]`.
    pub(crate) fn mix(&self) -> &[Vec<f64>] {
        &self.mix
    }
    /// Wavelength nodes \[nm\].
    pub(crate) fn nodes_nm(&self) -> &[f64] {
        &self.nodes_nm
    }
    /// Whether a spectrum has samples closer than half a step of the quadrature, so that lines may lie between its nodes.
    pub(crate) fn steps_over(&self, sed: &Sed) -> bool {
        let (Some(first), Some(last)) = (self.wavelength_nm.first(), self.wavelength_nm.last()) else { return false };
        let step = (last - first) / self.wavelength_nm.len() as f64;
        let to_rest = 1.0 / (1.0 + sed.redshift);
        let samples = sed.template.wavelength_nm();
        let (from, to) = (samples.partition_point(|w| *w < first * to_rest), samples.partition_point(|w| *w <= last * to_rest));
        samples[from..to].windows(2).any(|w| w[1] - w[0] < 0.5 * step * to_rest)
    }
    /// (integral S T lambda dlambda / integral T / lambda dlambda, weights of the colour terms, concentration).
    fn weigh(&self, sed: &Sed, shades: &mut Shades) -> (f64, Weights, f64) {
        let shade = sed.extinction.as_ref().map(|e| shades.of(e, self));
        let mut walk = Walk::new(sed.template.wavelength_nm(), sed.template.flux_lambda(), 1.0 / (1.0 + sed.redshift));
        let mut moments = [0.0; NODES_MAX];
        let mut total = 0.0;
        let width = ((CONCENTRATION * self.wavelength_nm.len() as f64).ceil() as usize).max(1);
        let (mut last, mut within, mut most) = (VecDeque::with_capacity(width + 1), 0.0, 0.0_f64);
        for (i, &wavelength) in self.wavelength_nm.iter().enumerate() {
            let mut photons = walk.at(wavelength) * self.photons[i];
            if let Some(shade) = &shade {
                photons *= shade[i];
            }
            total += photons;
            within += photons;
            last.push_back(photons);
            if last.len() > width {
                within -= last.pop_front().unwrap_or(0.0);
            }
            most = most.max(within);
            for (m, l) in moments.iter_mut().zip(&self.basis[i]) {
                *m += photons * l;
            }
        }
        if total > 0.0 {
            let concentration = if self.steps_over(sed) { 1.0 } else { (most / total).min(1.0) };
            (total / self.flat, moments.map(|m| (m / total) as f32), concentration)
        } else {
            (0.0, [0.0; NODES_MAX], 1.0)
        }
    }
}

/// Polynomials p_0 ... p_J of wavelength, orthonormal under the photons of a band, by their three-term recurrence
/// root(b_{r+1}) p_{r+1} = (x - a_r) p_r - root(b_r) p_{r-1}.
struct Orthonormal {
    /// a_r \[nm\].
    centre: Vec<f64>,
    /// root(b_{r+1}) \[nm\].
    width: Vec<f64>,
}

impl Orthonormal {
    /// The family up to degree `count`; `None` when there are no photons. (Stieltjes' procedure.)
    fn new(wavelengths: &[f64], photons: &[f64], count: usize) -> Option<Self> {
        let total: f64 = photons.iter().sum();
        if total.is_nan() || total <= 0.0 {
            return None;
        }
        let mean = |values: &dyn Fn(usize) -> f64| photons.iter().enumerate().map(|(i, w)| w * values(i)).sum::<f64>() / total;
        let mut out = Self { centre: Vec::new(), width: Vec::new() };
        let (mut last, mut now) = (vec![0.0; photons.len()], vec![1.0; photons.len()]);
        for r in 0..count {
            let centre = mean(&|i| wavelengths[i] * now[i] * now[i]);
            let before = if r == 0 { 0.0 } else { out.width[r - 1] };
            let next: Vec<f64> = (0..now.len()).map(|i| (wavelengths[i] - centre) * now[i] - before * last[i]).collect();
            let width = mean(&|i| next[i] * next[i]).sqrt();
            out.centre.push(centre);
            out.width.push(width);
            last = std::mem::replace(&mut now, next.into_iter().map(|v| v / width).collect());
        }
        Some(out)
    }
    /// p_0 ... p_J at a wavelength, J not above `NODES_MAX`.
    fn all(&self, wavelength_nm: f64) -> [f64; NODES_MAX + 1] {
        let mut p = [0.0; NODES_MAX + 1];
        p[0] = 1.0;
        for (r, (centre, width)) in self.centre.iter().zip(&self.width).enumerate() {
            let before = if r == 0 { 0.0 } else { self.width[r - 1] * p[r - 1] };
            p[r + 1] = ((wavelength_nm - centre) * p[r] - before) / width;
        }
        p
    }
    /// p_0 ... p_{J-1} at a wavelength.
    fn at(&self, wavelength_nm: f64) -> [f64; NODES_MAX] {
        let all = self.all(wavelength_nm);
        std::array::from_fn(|r| if r < self.centre.len() { all[r] } else { 0.0 })
    }
    /// The zeros of p_J \[nm\], all inside the band: found between sign changes by bisection.
    fn zeros(&self, (low, high): (f64, f64)) -> Vec<f64> {
        const STEPS: usize = 4000;
        let degree = self.centre.len();
        let value = |w: f64| self.all(w)[degree];
        let edge = |i: usize| low + (high - low) * i as f64 / STEPS as f64;
        let mut out = Vec::with_capacity(degree);
        for i in 0..STEPS {
            let (mut left, mut right) = (edge(i), edge(i + 1));
            let sign = value(left) < 0.0;
            if sign == (value(right) < 0.0) {
                continue;
            }
            for _ in 0..60 {
                let middle = 0.5 * (left + right);
                if (value(middle) < 0.0) == sign { left = middle } else { right = middle }
            }
            out.push(0.5 * (left + right));
        }
        out
    }
}

/// Reads a curve at increasing wavelengths without a search each time; 0 outside it.
pub(crate) struct Walk<'a> {
    wavelength_nm: &'a [f64],
    flux: &'a [f64],
    to_rest: f64,
    next: usize,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(wavelength_nm: &'a [f64], flux: &'a [f64], to_rest: f64) -> Self {
        Self { wavelength_nm, flux, to_rest, next: 0 }
    }
    pub(crate) fn at(&mut self, wavelength_nm: f64) -> f64 {
        let (x, y) = (self.wavelength_nm, self.flux);
        let at = wavelength_nm * self.to_rest;
        if !(at >= x[0] && at <= x[x.len() - 1]) {
            return 0.0;
        }
        if self.next == 0 {
            self.next = x.partition_point(|&v| v <= at).clamp(1, x.len() - 1);
        }
        while self.next < x.len() - 1 && x[self.next] <= at {
            self.next += 1;
        }
        let i = self.next;
        y[i - 1] + (at - x[i - 1]) / (x[i] - x[i - 1]) * (y[i] - y[i - 1])
    }
}

/// An extinction, held so that its address stays its own, and its transmission at the nodes.
type Shade = (Arc<Extinction>, Arc<[f64]>);

/// Transmissions sampled on a band's quadrature, by the address of the curve and of the quadrature.
#[derive(Default)]
struct Shades(HashMap<(usize, usize), Shade>);

impl Shades {
    fn of(&mut self, extinction: &Arc<Extinction>, band: &BandQuadrature) -> Arc<[f64]> {
        let key = (Arc::as_ptr(extinction) as usize, std::ptr::from_ref(band) as usize);
        let sample = || -> Arc<[f64]> {
            let mut walk = Walk::new(extinction.transmission.wavelength_nm(), extinction.transmission.flux_lambda(), 1.0);
            band.wavelength_nm.iter().map(|&w| walk.at(w)).collect()
        };
        if self.0.len() > 512 {
            self.0.clear();
        }
        // The curve is kept alive with its sample so that its address cannot be reused.
        self.0.entry(key).or_insert_with(|| (extinction.clone(), sample())).1.clone()
    }
}

/// What a spectrum gives in a band.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hue {
    /// AB flux in the band over AB flux in the reference band; infinite when the reference band is dark.
    pub(crate) ratio: f64,
    /// Weights of the colour terms.
    pub(crate) weights: Weights,
    /// integral S T lambda dlambda by the band's quadrature.
    pub(crate) photons: f64,
    /// Largest share of them within [`CONCENTRATION`] of the band.
    pub(crate) concentration: f64,
}

/// A hue with what it was made of, held so that the addresses in its key stay their own.
type HeldHue = (Arc<Spectrum>, Option<Arc<Extinction>>, Hue);

/// Remembers spectra already weighed: a cache of one thread, which changes no result.
#[derive(Default)]
pub(crate) struct Palette {
    shades: Shades,
    hues: HashMap<(usize, u64, usize, usize), HeldHue>,
}

impl Palette {
    /// The weights of a spectrum in `band` and its flux relative to `reference` (`None`: not needed).
    pub(crate) fn hue(&mut self, sed: &Sed, band: &BandQuadrature, reference: Option<&BandQuadrature>) -> Hue {
        let extinction = sed.extinction.as_ref().map_or(0, |e| Arc::as_ptr(e) as usize);
        let reference_key = reference.map_or(0, |r| std::ptr::from_ref(r) as usize);
        let key = (Arc::as_ptr(&sed.template) as usize, sed.redshift.to_bits(), extinction, reference_key);
        if let Some((_, _, hue)) = self.hues.get(&key) {
            return *hue;
        }
        let (here, weights, concentration) = band.weigh(sed, &mut self.shades);
        let ratio = match reference {
            Some(r) if std::ptr::eq(r, band) => {
                if here > 0.0 {
                    1.0
                } else {
                    f64::INFINITY
                }
            }
            Some(r) => {
                let there = r.weigh(sed, &mut self.shades).0;
                if there > 0.0 { here / there } else { f64::INFINITY }
            }
            None => f64::from(u8::from(here > 0.0)),
        };
        let hue = Hue { ratio, weights, photons: here * band.flat, concentration };
        if self.hues.len() > 50_000 {
            self.hues.clear();
        }
        self.hues.insert(key, (sed.template.clone(), sed.extinction.clone(), hue));
        hue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn band() -> Bandpass {
        Bandpass::new("i", vec![690.0, 700.0, 830.0, 840.0], vec![0.0, 0.6, 0.7, 0.0]).unwrap()
    }

    #[test]
    fn the_weights_carry_every_polynomial_of_wavelength_exactly() {
        let quadrature = BandQuadrature::new(&band(), 4);
        let sed = Sed::rest(Arc::new(Spectrum::new("red", vec![500.0, 1000.0], vec![1.0, 3.0]).unwrap()));
        let hue = Palette::default().hue(&sed, &quadrature, None);
        let (mut top, mut bottom) = (0.0, 0.0);
        for (w, d) in band().nodes(200) {
            let photons = sed.at(Nanometre(w)) * band().at(Nanometre(w)) * w * d;
            top += photons * ((w - 765.0) / 75.0).powi(3);
            bottom += photons;
        }
        let at_nodes: Vec<f64> = quadrature.nodes_nm().iter().map(|w| ((w - 765.0) / 75.0).powi(3)).collect();
        let term = |r: usize| quadrature.mix()[r].iter().zip(&at_nodes).map(|(m, v)| m * v).sum::<f64>();
        let by_terms: f64 = (0..4).map(|r| f64::from(hue.weights[r]) * term(r)).sum();
        assert!((by_terms - top / bottom).abs() < 1e-6, "{by_terms} {}", top / bottom);
        assert!((hue.weights[0] - 1.0).abs() < 1e-6, "the mean PSF carries all the light");
        assert!(hue.weights[2].abs() < 0.1 * hue.weights[1].abs(), "a smooth spectrum has little curvature");
    }

    #[test]
    fn a_redshifted_reddened_spectrum_counts_as_the_core_counts_it() {
        let reference = Bandpass::new("g", vec![400.0, 410.0, 540.0, 550.0], vec![0.0, 0.5, 0.5, 0.0]).unwrap();
        let dust = Extinction { e_bv: 0.1, transmission: Spectrum::new("dust", vec![100.0, 2000.0], vec![0.4, 1.0]).unwrap() };
        let waves: Vec<f64> = (0..500).map(|i| 100.0 + 4.0 * f64::from(i)).collect();
        let flux = waves.iter().map(|w| 1.0 + 0.5 * (w / 37.0).sin()).collect();
        let sed = Sed { template: Arc::new(Spectrum::new("s", waves, flux).unwrap()), redshift: 0.7, extinction: Some(Arc::new(dust)) };
        let (here, there) = (BandQuadrature::new(&band(), 4), BandQuadrature::new(&reference, 1));
        let hue = Palette::default().hue(&sed, &here, Some(&there));
        let magnitude = band().ab_magnitude(&sed, 20.0, &reference);
        assert!((-2.5 * hue.ratio.log10() - (magnitude - 20.0)).abs() < 1e-9);
    }
}
