//! The fit of a template set at one redshift.
//!
//! # Formula
//! model_i = sum of a_j T_j(lambda_i / (1 + z)) exp(-tau_i) + sum of A_g sum of r_l G(lambda_i - (1 + z) lambda_l), a, A >= 0. ln E = -chi2 / 2
//! + for each part with a prior of width p: ln(2 Phi(t)) - ln(p sqrt(G)), t = a sqrt(G) (its Laplace integral over amplitudes; inactive parts with their tail)
//! - 1 for each continuum in use.
//! # Symbols
//! G diagonal of the normal matrix; tau Madau's forest; G(...) a Gaussian of the source's own line spread.
//! # Source
//! Forest: Madau 1995 (ApJ 441, 18). Laplace's method: MacKay 2003, chapter 27. The charge per continuum is assumed.
//! # Limits
//! Integrals over amplitudes are taken one at a time. No light below the Lyman limit at rest.

use super::nnls::{MOST, solve};
use super::samples::{Samples, dot};
use super::templates::TemplateSet;
use super::templates::grid::{FIRST_NM, STEP};
use super::templates::lines::Line;

/// Intrinsic width of narrow lines in ln lambda (150 km/s).
const NARROW: f64 = 5e-4;
/// Charge of a continuum in use, in ln of the evidence.
const CHARGE: f64 = 1.0;

/// A fit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fit {
    pub(crate) chi2: f64,
    pub(crate) ln_evidence: f64,
    pub(crate) amplitudes: [f64; MOST],
    pub(crate) active: usize,
}

/// Rows of the parts, kept between fits.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    rows: Vec<Vec<f32>>,
    ranges: Vec<Vec<(usize, usize)>>,
    transmission: Vec<f32>,
}

/// Adds a line of unit flux times `ratio` to a row, whitened, and returns the rows it touches.
pub(crate) fn add_line(s: &Samples, row: &mut [f32], ln_nm: f64, ratio: f64, width: f64) -> (usize, usize) {
    let near = s.ln_nm.partition_point(|v| *v < ln_nm).min(s.spectral() - 1);
    let sigma = s.sigma[near].hypot(width);
    let reach = 5.0 * sigma;
    let from = s.ln_nm.partition_point(|v| *v < ln_nm - reach);
    let to = s.ln_nm.partition_point(|v| *v <= ln_nm + reach);
    let nm = ln_nm.exp();
    for k in from..to {
        let own = s.sigma[k].hypot(width);
        let x = (s.ln_nm[k].exp() / nm - 1.0) / own;
        row[k] += (ratio * (-0.5 * x * x).exp() / (own * nm * std::f64::consts::TAU.sqrt())) as f32 * s.weight[k];
    }
    for (j, band) in s.bands.iter().enumerate() {
        let k = s.spectral() + j;
        let t = band.band.at(sim_core::units::Nanometre(nm));
        row[k] += (ratio * t * nm / band.norm) as f32 * s.weight[k];
    }
    (from, to)
}

/// Row of a group of lines; returns the ranges in use, photometry included.
fn line_row(s: &Samples, row: &mut [f32], lines: &[Line], ln1z: f64) -> Vec<(usize, usize)> {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for line in lines {
        let (from, to) = add_line(s, row, line.nm.ln() + ln1z, line.ratio, NARROW);
        match ranges.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ if to > from => ranges.push((from, to)),
            _ => {}
        }
    }
    if !s.bands.is_empty() {
        ranges.push((s.spectral(), row.len()));
    }
    ranges
}

fn dot_ranges(a: &[f32], b: &[f32], ranges: &[(usize, usize)]) -> f64 {
    ranges.iter().map(|&(from, to)| dot(&a[from..to], &b[from..to])).sum()
}

/// What hydrogen leaves at each sample.
fn transmission(s: &Samples, ln1z: f64, out: &mut Vec<f32>) {
    let n = s.spectral();
    out.clear();
    out.resize(n, 1.0);
    let edges = [121.567_f64, 102.572, 97.254, 94.974].map(|nm| s.ln_nm.partition_point(|v| *v < nm.ln() + ln1z));
    for k in 0..edges[0] {
        let tau: f32 = (0..4).filter(|&j| k < edges[j]).map(|j| s.forest[k][j]).sum();
        out[k] = (-tau).exp();
    }
}

impl Workspace {
    fn fill(&mut self, s: &Samples, set: &TemplateSet, ln1z: f64) {
        let n = s.spectral();
        let total = s.y.len();
        let parts = set.parts();
        self.rows.resize_with(parts.max(self.rows.len()), Vec::new);
        self.ranges.resize_with(parts.max(self.ranges.len()), Vec::new);
        transmission(s, ln1z, &mut self.transmission);
        let shift = ln1z / STEP;
        let ladders = set.continua.iter().chain(set.broad.iter().map(|b| &b.ladder));
        for (j, ladder) in ladders.enumerate() {
            let row = &mut self.rows[j];
            row.clear();
            row.extend((0..n).map(|k| ladder.at(s.rung[k], s.place[k] - shift) * self.transmission[k] * s.weight[k]));
            for (band, weight) in s.bands.iter().zip(&s.weight[n..]) {
                let mean: f64 = band.nodes.iter().map(|&(p, w)| w * forest_at(p, ln1z) * f64::from(ladder.at(0, p - shift))).sum();
                row.push(mean as f32 * weight);
            }
            self.ranges[j].clear();
            self.ranges[j].push((0, total));
        }
        let first = set.continua.len() + set.broad.len();
        for (g, group) in set.groups.iter().enumerate() {
            let row = &mut self.rows[first + g];
            row.clear();
            row.resize(total, 0.0);
            self.ranges[first + g] = line_row(s, row, &group.lines, ln1z);
        }
    }
    /// Fits a set at ln(1 + z).
    pub(crate) fn fit(&mut self, s: &Samples, set: &TemplateSet, ln1z: f64) -> Fit {
        self.fill(s, set, ln1z);
        let parts = set.parts();
        let mut g = [[0.0; MOST]; MOST];
        let mut b = [0.0; MOST];
        let projections: Vec<Vec<f64>> = (0..parts).map(|j| s.project(&self.rows[j], &self.ranges[j])).collect();
        for i in 0..parts {
            let ranges = &self.ranges[i];
            b[i] = dot_ranges(&self.rows[i], &s.y, ranges) - inner(&projections[i], &s.y_project);
            for j in 0..=i {
                g[i][j] = dot_ranges(&self.rows[i], &self.rows[j], ranges) - inner(&projections[i], &projections[j]);
                g[j][i] = g[i][j];
            }
        }
        let continua = set.continua.len();
        let widths: Vec<f64> = self.priors(s, set, ln1z);
        for (j, p) in widths.iter().enumerate() {
            g[continua + j][continua + j] += 1.0 / (p * p);
        }
        let solution = solve(&g, &b, parts);
        let a = &solution.amplitudes;
        let prior_cost: f64 = widths.iter().enumerate().map(|(j, p)| (a[continua + j] / p).powi(2)).sum();
        let mut ln_evidence = 0.5 * (solution.gain - s.yy) - CHARGE * (0..continua).filter(|&j| a[j] > 0.0).count() as f64;
        for (j, p) in widths.iter().enumerate() {
            let k = continua + j;
            let root = g[k][k].sqrt();
            let t = if a[k] > 0.0 { a[k] * root } else { (b[k] - (0..parts).map(|i| g[k][i] * a[i]).sum::<f64>()).min(0.0) / root };
            ln_evidence += twice_normal_tail(t) - (p * root).ln();
        }
        Fit { chi2: (s.yy - solution.gain - prior_cost).max(0.0), ln_evidence, amplitudes: solution.amplitudes, active: solution.active }
    }
    fn priors(&self, s: &Samples, set: &TemplateSet, ln1z: f64) -> Vec<f64> {
        let continuum = |nm: f64| s.smooth_at(nm.ln() + ln1z).max(0.2);
        let broad = set.broad.iter().map(|b| b.prior * continuum(b.reference_nm) / b.continuum);
        let groups = set.groups.iter().map(|l| l.prior_ew_nm * ln1z.exp() * continuum(l.reference_nm));
        broad.chain(groups).collect()
    }
    /// Model of the continua alone (whitening undone) at each sample of the spectra, after [`Self::fit`].
    pub(crate) fn continuum(&self, s: &Samples, set: &TemplateSet, fit: &Fit) -> Vec<f64> {
        (0..s.spectral())
            .map(|k| (0..set.continua.len()).map(|j| fit.amplitudes[j] * f64::from(self.rows[j][k] / s.weight[k])).sum())
            .collect()
    }
}

/// What the forest leaves at a place of the grid as observed.
fn forest_at(place: f64, ln1z: f64) -> f64 {
    let nm = FIRST_NM * (place * STEP).exp();
    let rest = nm / ln1z.exp();
    if rest >= 121.567 {
        return 1.0;
    }
    let series = [(121.567, 0.0036), (102.572, 0.0017), (97.254, 0.0012), (94.974, 0.00093)];
    (-series.iter().filter(|(w, _)| rest < *w).map(|(w, a)| a * (nm / w).powf(3.46)).sum::<f64>()).exp()
}

fn inner(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// ln of 2 Phi(t) for t >= 0, of 2 Phi(t) exp(t^2 / 2) below: closed approximations good to 1 %.
fn twice_normal_tail(t: f64) -> f64 {
    if t >= 0.0 {
        (1.0 + (1.0 - (-2.0 * t * t / std::f64::consts::PI).exp()).sqrt()).ln()
    } else {
        let x = -t / std::f64::consts::SQRT_2;
        (2.0 / std::f64::consts::PI.sqrt() / (x + (x * x + 4.0 / std::f64::consts::PI).sqrt())).ln()
    }
}
