//! Level 1 minus the noiseless truth, pixel by pixel, in units of the expected noise.
//!
//! # Formula
//! pull = (L1 - E) / sqrt(V + max(E_source, 0) / t), V the smooth variance of blank sky and E the expected rate.
//! The variance comes from the truth and the smooth sky, not from the pixel itself, so that the pull is unbiased.

use super::{FrameMeasures, Histogram};
use crate::level2::Level2;
use crate::product::L1Frame;
use crate::statistics::moments;
use ndarray::parallel::prelude::*;
use ndarray::{Array2, Axis};

/// Enters the pull statistics and the residual picture.
pub(super) fn measure(out: &mut FrameMeasures, frame: &L1Frame, level2: &Level2, noiseless: &Array2<f32>, includes_sky: bool) {
    let (ny, nx) = frame.rate.dim();
    let mut pulls = Array2::<f32>::from_elem((ny, nx), f32::NAN);
    let background = &level2.frame.background;
    let t = frame.exposure_s as f32;
    // Row by row: pull of every good pixel, and whether a source rises above the noise there.
    let rows: Vec<Vec<bool>> = pulls
        .axis_iter_mut(Axis(0))
        .into_par_iter()
        .enumerate()
        .map(|(y, mut row)| {
            let (mut sky, mut variance) = (vec![0.0_f32; nx], vec![0.0_f32; nx]);
            background.level.row(y, &mut sky);
            background.variance.row(y, &mut variance);
            (0..nx)
                .map(|x| {
                    if !level2.frame.good[(y, x)] {
                        return false;
                    }
                    let expected = noiseless[(y, x)];
                    let source = if includes_sky { expected - sky[x] } else { expected };
                    let measured = if includes_sky { frame.rate[(y, x)] } else { level2.frame.rate[(y, x)] };
                    row[x] = (measured - expected) / (variance[x] + source.max(0.0) / t).sqrt();
                    source > variance[x].sqrt()
                })
                .collect()
        })
        .collect();
    let mut all = Vec::new();
    let mut on_sources = Vec::new();
    for (row, above) in pulls.rows().into_iter().zip(&rows) {
        for (&p, &a) in row.iter().zip(above) {
            if p.is_finite() {
                all.push(f64::from(p));
                if a {
                    on_sources.push(f64::from(p));
                }
            }
        }
    }
    let m = moments(&all, 8.0);
    if let Some(m) = &m {
        out.values.set_moments("residual_pull_mean", "residual_pull_std", m);
    }
    if let Some(m) = moments(&on_sources, 8.0) {
        out.values.set("residual_source_pull_std", m.std, Some(m.std_error), m.count);
    }
    out.histograms.push(Histogram::of_pulls("Level 1 minus truth", &all, m));
    super::picture::residual(out, &pulls);
}
