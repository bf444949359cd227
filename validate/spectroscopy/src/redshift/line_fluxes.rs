//! Fluxes of lines at a redshift.
//!
//! # Formula
//! Linear least squares of all lines inside the spectra and of the continuum's scale, negative fluxes allowed, the smooth errors of
//! `samples.rs` in the covariance.
//! # Limits
//! H alpha is that with \[N II\]; lines closer than a line spread share their flux with large errors. A quasar's permitted lines are fitted
//! with a Gaussian of
//! sigma 2000 km/s.

use super::model::{Workspace, add_line};
use super::nnls::{MOST, cholesky_solve};
use super::result::{Class, LineFlux};
use super::samples::{Samples, dot};
use super::templates::lines::REPORTED;

/// Widths in ln lambda of narrow and of broad lines.
const WIDTHS: (f64, f64) = (5e-4, 6.7e-3);
/// Part of H alpha's row that is \[N II\] (both lines; assumed).
const N_II: [(f64, f64); 2] = [(654.99, 0.07), (658.53, 0.2)];

/// Fluxes of the lines inside the spectra; `continuum` in the samples' units.
pub(crate) fn measure(s: &Samples, continuum: &[f64], ln1z: f64, class: Class) -> Vec<LineFlux> {
    let n = s.spectral();
    let inside: Vec<usize> = (0..REPORTED.len())
        .filter(|&j| {
            let at = REPORTED[j].1.ln() + ln1z;
            let near = s.ln_nm.partition_point(|v| *v < at);
            near > 1 && near + 1 < n && s.ln_nm[near] - s.ln_nm[near - 1] < 4.0 * s.sigma[near]
        })
        .take(MOST - 1)
        .collect();
    if inside.is_empty() {
        return vec![];
    }
    let mut rows: Vec<Vec<f32>> = Vec::new();
    for &j in &inside {
        let (name, _, members) = REPORTED[j];
        let mut row = vec![0.0; s.y.len()];
        let width = if class == Class::Quasar && !name.starts_with("O_II") { WIDTHS.1 } else { WIDTHS.0 };
        let blend = name == "H_alpha_N_II" && class != Class::Quasar;
        let keep = if blend { 1.0 - N_II.iter().map(|l| l.1).sum::<f64>() } else { 1.0 };
        for &(nm, share) in members.iter().map(|(nm, share)| (nm, share * keep)).collect::<Vec<_>>().iter() {
            add_line(s, &mut row, nm.ln() + ln1z, share, width);
        }
        if blend {
            N_II.iter().for_each(|(nm, share)| {
                add_line(s, &mut row, nm.ln() + ln1z, *share, width);
            });
        }
        // Photometry says nothing about single lines.
        row[n..].fill(0.0);
        rows.push(row);
    }
    let mut last: Vec<f32> = continuum.iter().zip(&s.weight).map(|(c, w)| *c as f32 * w).collect();
    last.resize(s.y.len(), 0.0);
    rows.push(last);
    let all = [(0, s.y.len())];
    let projections: Vec<Vec<f64>> = rows.iter().map(|r| s.project(r, &all)).collect();
    let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let mut g = [[0.0; MOST]; MOST];
    let mut b = [0.0; MOST];
    for i in 0..rows.len() {
        b[i] = dot(&rows[i], &s.y) - inner(&projections[i], &s.y_project);
        for j in 0..=i {
            g[i][j] = dot(&rows[i], &rows[j]) - inner(&projections[i], &projections[j]);
            g[j][i] = g[i][j];
        }
    }
    let used: Vec<usize> = (0..rows.len()).filter(|&i| g[i][i] > 0.0).collect();
    let Some(x) = cholesky_solve(&g, &b, &used) else { return vec![] };
    let mut out = Vec::new();
    for (i, &row) in used.iter().enumerate() {
        let Some(&j) = inside.get(row) else { continue };
        let mut unit = [0.0; MOST];
        unit[row] = 1.0;
        let variance = cholesky_solve(&g, &unit, &used).map_or(f64::NAN, |c| c[i]);
        let (name, wavelength_nm, _) = REPORTED[j];
        let at = s.ln_nm.partition_point(|v| *v < wavelength_nm.ln() + ln1z).min(n - 1);
        let level = continuum[at] * s.scale * ln1z.exp();
        let (flux, flux_error) = (x[i] * s.scale, variance.sqrt() * s.scale);
        let ew = |f: f64| if level > 0.0 { f / level } else { f64::NAN };
        out.push(LineFlux { name: name.to_string(), wavelength_nm, flux, flux_error, ew_nm: ew(flux), ew_error_nm: ew(flux_error) });
    }
    out
}

/// The continuum at the best fit of a set.
pub(crate) fn continuum(work: &mut Workspace, s: &Samples, set: &super::templates::TemplateSet, ln1z: f64) -> Vec<f64> {
    let fit = work.fit(s, set, ln1z);
    work.continuum(s, set, &fit)
}
