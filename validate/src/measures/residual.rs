//! Level 1 minus the noiseless truth, pixel by pixel, in units of the expected noise.
//!
//! # Formula
//! pull = (L1 - E) / sqrt(V + max(E_source, 0) / t), V the smooth variance of blank sky and E the expected rate.
//! The variance comes from the truth and the smooth sky, not from the pixel itself, so that the pull is unbiased.

use super::FrameMeasures;
use super::pull_sums::PullSums;
use crate::level2::Level2;
use crate::product::L1Frame;
use ndarray::parallel::prelude::*;
use ndarray::{Array2, Axis};

/// Enters the pull statistics and the residual picture.
pub(super) fn measure(out: &mut FrameMeasures, frame: &L1Frame, level2: &Level2, noiseless: &Array2<f32>, includes_sky: bool) {
    let (ny, nx) = frame.rate.dim();
    let mut pulls = Array2::<f32>::from_elem((ny, nx), f32::NAN);
    let background = &level2.frame.background;
    let t = frame.exposure_s as f32;
    const LIMIT: f64 = 8.0;
    // Row by row: pulls of all good pixels, and of those where a source rises above the noise.
    let rows: Vec<(PullSums, PullSums)> = pulls
        .axis_iter_mut(Axis(0))
        .into_par_iter()
        .enumerate()
        .map(|(y, mut row)| {
            let (mut sky, mut variance) = (vec![0.0_f32; nx], vec![0.0_f32; nx]);
            background.level.row(y, &mut sky);
            background.variance.row(y, &mut variance);
            let (mut all, mut on_sources) = (PullSums::new(LIMIT), PullSums::new(LIMIT));
            for x in 0..nx {
                if !level2.frame.good[(y, x)] {
                    continue;
                }
                let expected = noiseless[(y, x)];
                let source = if includes_sky { expected - sky[x] } else { expected };
                let measured = if includes_sky { frame.rate[(y, x)] } else { level2.frame.rate[(y, x)] };
                let pull = (measured - expected) / (variance[x] + source.max(0.0) / t).sqrt();
                row[x] = pull;
                all.add(f64::from(pull));
                if source > variance[x].sqrt() {
                    on_sources.add(f64::from(pull));
                }
            }
            (all, on_sources)
        })
        .collect();
    let (all, on_sources): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let (all, on_sources) = (PullSums::of_rows(LIMIT, all), PullSums::of_rows(LIMIT, on_sources));
    if let Some(m) = all.moments() {
        out.values.set_moments("residual_pull_mean", "residual_pull_std", &m);
        out.histograms.push(all.histogram("Level 1 minus truth"));
    }
    if let Some(m) = on_sources.moments() {
        out.values.set("residual_source_pull_std", m.std, Some(m.std_error), m.count);
    }
    super::picture::residual(out, &pulls);
}
