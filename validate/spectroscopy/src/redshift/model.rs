//! The fit of a template set at one redshift.
//!
//! # Formula
//! model_i = sum of a_j T_j(lambda_i / (1 + z)) exp(-tau_i) + sum of A_g sum of r_l G(lambda_i - (1 + z) lambda_l), a, A >= 0. ln E = -chi2
//! / 2
//! and for each part with a prior of width p the term ln(2 Phi(t)) - ln(p sqrt(G)), t = a sqrt(G) (its Laplace integral over amplitudes; inactive
//! parts with their tail),
//! less 1 for each continuum in use, their number being (sum w)^2 / sum w^2, w = a sqrt(G): it has no steps in z. Galaxies: that times e^-5.7, plus the mean of E over whole
//! galaxies c_k of `templates/library.rs`, of free scale: ln E_k = (b c_k)^2 / (2 c_k G c_k) - y y / 2.
//! # Symbols
//! G diagonal of the normal matrix; tau Madau's forest; G(...) a Gaussian of the source's own line spread.
//! # Source
//! Forest: Madau 1995 (ApJ 441, 18). Laplace's method: MacKay 2003, chapter 27. The charge per continuum is assumed.
//! # Limits
//! Integrals over amplitudes are taken one at a time. No light below the Lyman limit at rest.

#![allow(clippy::needless_range_loop, reason = "indices run over several arrays at once")]

use super::nnls::{MOST, solve};
use super::samples::{Samples, dot};
use super::templates::TemplateSet;
use super::templates::grid::{FIRST_NM, STEP};
use super::templates::lines::Line;
use multiversion::multiversion;

/// Intrinsic width of narrow lines in ln lambda (150 km/s).
const NARROW: f64 = 5e-4;
/// Charge of a continuum in use, in ln of the evidence.
const CHARGE: f64 = 1.0;
/// ln of the share of galaxies that are like none of the whole ones, their free amplitudes' volume included (assumed).
const LN_FREE: f64 = -5.7;

/// A fit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fit {
    pub(crate) chi2: f64,
    pub(crate) ln_evidence: f64,
    pub(crate) amplitudes: [f64; MOST],
}

/// Rows of the parts, kept between fits.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    /// Whitened continua and broad parts: `x[row * width + part]`.
    x: Vec<f32>,
    lines: Vec<Vec<f32>>,
    ranges: Vec<Vec<(usize, usize)>>,
    transmission: Vec<f32>,
    project: Vec<[f64; MOST]>,
}

/// Adds a line of flux `ratio` to a row, whitened, and returns the samples it touches.
pub(crate) fn add_line(s: &Samples, row: &mut [f32], ln_nm: f64, ratio: f64, width: f64) -> (usize, usize) {
    let near = s.ln_nm.partition_point(|v| *v < ln_nm).min(s.spectral() - 1);
    let reach = 4.5 * s.sigma[near].hypot(width);
    let (mut from, mut to) = (near, near);
    while from > 0 && s.ln_nm[from - 1] > ln_nm - reach {
        from -= 1;
    }
    while to < s.spectral() && s.ln_nm[to] < ln_nm + reach {
        to += 1;
    }
    let nm = ln_nm.exp();
    for k in from..to {
        let own2 = s.sigma[k] * s.sigma[k] + width * width;
        let x = s.nm[k] / nm - 1.0;
        row[k] += (ratio * (-0.5 * x * x / own2).exp() / (nm * (std::f64::consts::TAU * own2).sqrt())) as f32 * s.weight[k];
    }
    for (j, band) in s.bands.iter().enumerate() {
        let k = s.spectral() + j;
        let t = band.band.at(sim_core::units::Nanometre(nm));
        row[k] += (ratio * t * nm / band.norm) as f32 * s.weight[k];
    }
    (from, to)
}

/// Row of a group of lines; returns the ranges in use, photometry included.
fn line_row(s: &Samples, row: &mut [f32], lines: &[Line], ln1z: f64, ranges: &mut Vec<(usize, usize)>) {
    ranges.clear();
    for line in lines {
        let (from, to) = add_line(s, row, line.nm.ln() + ln1z, line.ratio, NARROW);
        if to > from {
            ranges.push((from, to));
        }
    }
    ranges.sort_unstable();
    ranges.dedup_by(|next, last| {
        let joined = next.0 <= last.1;
        if joined {
            last.1 = last.1.max(next.1);
        }
        joined
    });
    if !s.bands.is_empty() {
        ranges.push((s.spectral(), row.len()));
    }
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
    fn fill<const W: usize>(&mut self, s: &Samples, set: &TemplateSet, ln1z: f64) {
        let n = s.spectral();
        transmission(s, ln1z, &mut self.transmission);
        let shift = ln1z / STEP;
        self.x.clear();
        self.x.resize(s.y.len() * W, 0.0);
        for (k, row) in self.x.chunks_exact_mut(W).take(n).enumerate() {
            if let Some((a, b, t)) = set.bank.beside(s.rung[k], s.place[k] - shift) {
                let size = self.transmission[k] * s.weight[k];
                for p in 0..W {
                    row[p] = (a[p] + t * (b[p] - a[p])) * size;
                }
            }
        }
        for (j, band) in s.bands.iter().enumerate() {
            let row = &mut self.x[(n + j) * W..(n + j + 1) * W];
            for &(place, weight) in &band.nodes {
                let Some((a, b, t)) = set.bank.beside(0, place - shift) else { continue };
                let size = (weight * forest_at(place, ln1z)) as f32 * s.weight[n + j];
                for p in 0..W {
                    row[p] += (a[p] + t * (b[p] - a[p])) * size;
                }
            }
        }
        self.lines.resize_with(set.groups.len().max(self.lines.len()), Vec::new);
        self.ranges.resize_with(set.groups.len().max(self.ranges.len()), Vec::new);
        for (g, group) in set.groups.iter().enumerate() {
            let row = &mut self.lines[g];
            row.clear();
            row.resize(s.y.len(), 0.0);
            line_row(s, row, &group.lines, ln1z, &mut self.ranges[g]);
        }
    }
    /// Normal equations of the bank's parts; hats' sums go to `project`.
    fn normal<const W: usize>(&mut self, s: &Samples, g: &mut [[f64; MOST]; MOST], b: &mut [f64; MOST]) {
        self.project.clear();
        self.project.resize(s.hat_count(), [0.0; MOST]);
        let mut from = 0;
        // Sums of one hat's stretch in single, over stretches in double precision.
        while from < s.y.len() {
            let h = s.hats[from].0;
            let to = from + s.hats[from..].iter().take_while(|x| x.0 == h).count();
            let (mut gram, mut sides) = ([0.0_f32; MOST * MOST], [0.0_f32; 3 * MOST]);
            let (x, y, hats) = (&self.x[from * W..to * W], &s.y[from..to], &s.hats[from..to]);
            match W {
                2 => stretch_2(x, y, hats, &mut gram, &mut sides),
                8 => stretch_8(x, y, hats, &mut gram, &mut sides),
                _ => stretch_16(x, y, hats, &mut gram, &mut sides),
            }
            for i in 0..W {
                for j in 0..=i {
                    g[i][j] += f64::from(gram[i * W + j]);
                }
                b[i] += f64::from(sides[i]);
                self.project[h][i] += f64::from(sides[W + i]);
                self.project[h + 1][i] += f64::from(sides[2 * W + i]);
            }
            from = to;
        }
        (0..W).for_each(|i| (0..i).for_each(|j| g[j][i] = g[i][j]));
    }
    fn add_groups<const W: usize>(&mut self, s: &Samples, set: &TemplateSet, g: &mut [[f64; MOST]; MOST], b: &mut [f64; MOST]) {
        let first = set.bank.parts;
        for l in 0..set.groups.len() {
            let (at, row) = (first + l, &self.lines[l]);
            let mut cross = [0.0_f64; W];
            for &(from, to) in &self.ranges[l] {
                b[at] += dot(&row[from..to], &s.y[from..to]);
                for m in 0..=l {
                    g[at][first + m] += dot(&row[from..to], &self.lines[m][from..to]);
                }
                let mut sum = [0.0_f32; W];
                for k in from..to {
                    let v = row[k];
                    let x = &self.x[k * W..(k + 1) * W];
                    for p in 0..W {
                        sum[p] += v * x[p];
                    }
                    let (h, a, c) = s.hats[k];
                    self.project[h][at] += f64::from(a * v);
                    self.project[h + 1][at] += f64::from(c * v);
                }
                (0..W).for_each(|p| cross[p] += f64::from(sum[p]));
            }
            (0..first).for_each(|p| g[at][p] = cross[p]);
            (0..at).for_each(|p| g[p][at] = g[at][p]);
        }
    }
    fn equations<const W: usize>(&mut self, s: &Samples, set: &TemplateSet, ln1z: f64) -> ([[f64; MOST]; MOST], [f64; MOST]) {
        let mut g = [[0.0; MOST]; MOST];
        let mut b = [0.0; MOST];
        self.fill::<W>(s, set, ln1z);
        self.normal::<W>(s, &mut g, &mut b);
        // The bank's padding is zero; the groups' places may lie in it.
        self.add_groups::<W>(s, set, &mut g, &mut b);
        s.project_many(&mut self.project);
        let parts = set.parts();
        for (p, y) in self.project.iter().zip(&s.y_project) {
            for i in 0..parts {
                b[i] -= p[i] * y;
                for j in 0..parts {
                    g[i][j] -= p[i] * p[j];
                }
            }
        }
        (g, b)
    }
    /// Fits a set at ln(1 + z).
    pub(crate) fn fit(&mut self, s: &Samples, set: &TemplateSet, ln1z: f64) -> Fit {
        let (mut g, b) = match set.bank.width {
            2 => self.equations::<2>(s, set, ln1z),
            8 => self.equations::<8>(s, set, ln1z),
            _ => self.equations::<16>(s, set, ln1z),
        };
        let parts = set.parts();
        let continua = set.continua;
        let whole = of_library(&g, &b, set, ln1z, s.yy);
        let widths: Vec<f64> = priors(s, set, ln1z);
        for (j, p) in widths.iter().enumerate() {
            g[continua + j][continua + j] += 1.0 / (p * p);
        }
        let solution = solve(&g, &b, parts);
        let a = &solution.amplitudes;
        let prior_cost: f64 = widths.iter().enumerate().map(|(j, p)| (a[continua + j] / p).powi(2)).sum();
        let w: Vec<f64> = (0..continua).map(|j| a[j] * g[j][j].sqrt()).collect();
        let used = w.iter().sum::<f64>().powi(2) / w.iter().map(|v| v * v).sum::<f64>().max(1e-300);
        let mut ln_evidence = 0.5 * (solution.gain - s.yy) - CHARGE * used;
        for (j, p) in widths.iter().enumerate() {
            let k = continua + j;
            let root = g[k][k].sqrt();
            let t = if a[k] > 0.0 { a[k] * root } else { (b[k] - (0..parts).map(|i| g[k][i] * a[i]).sum::<f64>()).min(0.0) / root };
            ln_evidence += twice_normal_tail(t) - (p * root).ln();
        }
        if let Some(whole) = whole {
            let free = ln_evidence + LN_FREE;
            let top = whole.max(free);
            ln_evidence = top + ((whole - top).exp() + (free - top).exp()).ln();
        }
        Fit { chi2: (s.yy - solution.gain - prior_cost).max(0.0), ln_evidence, amplitudes: solution.amplitudes }
    }
    /// Model of the continua alone (whitening undone) at each sample of the spectra, after [`Self::fit`].
    pub(crate) fn continuum(&self, s: &Samples, set: &TemplateSet, fit: &Fit) -> Vec<f64> {
        let w = set.bank.width;
        (0..s.spectral()).map(|k| (0..set.continua).map(|j| fit.amplitudes[j] * f64::from(self.x[k * w + j] / s.weight[k])).sum()).collect()
    }
}

/// Sums of products of rows with each other, and with the data and the two hats of their stretch.
#[inline(always)]
fn stretch<const W: usize>(x: &[f32], y: &[f32], hats: &[(usize, f32, f32)], gram: &mut [f32], sides: &mut [f32]) {
    // One row of sums at a time stays in registers; the stretch stays in the first cache.
    for i in 0..W {
        let mut sum = [0.0_f32; W];
        for row in x.chunks_exact(W) {
            let own = row[i];
            for j in 0..W {
                sum[j] += own * row[j];
            }
        }
        gram[i * W..(i + 1) * W].copy_from_slice(&sum);
    }
    let (mut data, mut left, mut right) = ([0.0_f32; W], [0.0_f32; W], [0.0_f32; W]);
    for ((row, y), hat) in x.chunks_exact(W).zip(y).zip(hats) {
        for j in 0..W {
            data[j] += y * row[j];
            left[j] += hat.1 * row[j];
            right[j] += hat.2 * row[j];
        }
    }
    sides[..W].copy_from_slice(&data);
    sides[W..2 * W].copy_from_slice(&left);
    sides[2 * W..3 * W].copy_from_slice(&right);
}

#[multiversion(targets("x86_64+avx2+fma", "aarch64+neon"))]
fn stretch_2(x: &[f32], y: &[f32], hats: &[(usize, f32, f32)], gram: &mut [f32], sides: &mut [f32]) {
    stretch::<2>(x, y, hats, gram, sides);
}

#[multiversion(targets("x86_64+avx2+fma", "aarch64+neon"))]
fn stretch_8(x: &[f32], y: &[f32], hats: &[(usize, f32, f32)], gram: &mut [f32], sides: &mut [f32]) {
    stretch::<8>(x, y, hats, gram, sides);
}

#[multiversion(targets("x86_64+avx2+fma", "aarch64+neon"))]
fn stretch_16(x: &[f32], y: &[f32], hats: &[(usize, f32, f32)], gram: &mut [f32], sides: &mut [f32]) {
    stretch::<16>(x, y, hats, gram, sides);
}

/// Widths of the priors of broad parts and groups.
fn priors(s: &Samples, set: &TemplateSet, ln1z: f64) -> Vec<f64> {
    let continuum = |nm: f64| s.smooth_at(nm.ln() + ln1z).max(0.2);
    let broad = set.broad.iter().map(|b| b.prior * continuum(b.reference_nm) / b.continuum);
    let groups = set.groups.iter().map(|l| l.prior_ew_nm * ln1z.exp() * continuum(l.reference_nm));
    broad.chain(groups).collect()
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

/// ln of 2 Phi(t) for t >= 0, of 2 Phi(t) exp(t^2 / 2) below: closed approximations good to 1 %.
fn twice_normal_tail(t: f64) -> f64 {
    if t >= 0.0 {
        (1.0 + (1.0 - (-2.0 * t * t / std::f64::consts::PI).exp()).sqrt()).ln()
    } else {
        let x = -t / std::f64::consts::SQRT_2;
        (2.0 / std::f64::consts::PI.sqrt() / (x + (x * x + 4.0 / std::f64::consts::PI).sqrt())).ln()
    }
}

/// ln of the mean evidence of whole galaxies, their scales free; `None` for a class without them.
fn of_library(g: &[[f64; MOST]; MOST], b: &[f64; MOST], set: &TemplateSet, ln1z: f64, yy: f64) -> Option<f64> {
    if set.library.is_empty() {
        return None;
    }
    let n = set.parts();
    let stretch = ln1z.exp();
    let mut values = Vec::with_capacity(set.library.len());
    for one in &set.library {
        let mut a = [0.0; MOST];
        for j in 0..n {
            a[j] = one[j] * if j < set.continua { 1.0 } else { stretch };
        }
        let (mut quad, mut line) = (0.0, 0.0);
        for i in 0..n {
            if a[i] == 0.0 {
                continue;
            }
            let row: f64 = (0..n).map(|j| g[i][j] * a[j]).sum();
            quad += a[i] * row;
            line += a[i] * b[i];
        }
        values.push(if quad > 0.0 { 0.5 * line.max(0.0).powi(2) / quad } else { 0.0 });
    }
    Some(super::posterior::ln_mean(&values) - 0.5 * yy)
}
