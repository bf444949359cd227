//! All the light of a star, column by column, in wide boxes along its trace.
//!
//! # Formula
//! `F_h(x) = sum w_h(y) (d - sky)`, rows within h of the trace; sky from rows beyond the widest box. Bad pixels and hits off the core get the median of the
//! pixels as far from the trace in the six columns either side.
//! # Symbols
//! h  half height \[pixel\];  w_h  share of a row in the box
//! # Source
//! Box extraction; the repair is chosen here.
//! # Limits
//! Columns with a bad pixel within two widths of the trace, or with more than a sixth of the box bad, have no value.

use super::cutout::{Cutout, median};
use super::frames::CalibrationFrame;
use super::trace::TraceFit;

/// Sums of a column.
#[derive(Debug, Clone, PartialEq)]
pub struct WideColumn {
    /// Column on the detector.
    pub x: i64,
    /// Rate in the wide box \[electron / s\].
    pub rate: f64,
    /// Its standard error.
    pub error: f64,
    /// Rate between the wide box and the widest.
    pub ring: f64,
    /// Its standard error.
    pub ring_error: f64,
}

/// Takes columns `from..to`; `wide` and `widest` are half heights.
#[must_use]
pub fn take(frame: &CalibrationFrame<'_>, trace: &TraceFit, from: i64, to: i64, wide: f64, widest: f64) -> Vec<WideColumn> {
    let cutout = Cutout(frame.image);
    let (first, last) = cutout.columns();
    let (bottom, top) = cutout.rows();
    let centre = |x: f64| frame.y0 + trace.polynomial.at(x - frame.x0);
    (from.max(first)..to.min(last))
        .filter_map(|x| {
            let middle = centre(x as f64);
            if middle - widest - 1.0 < bottom as f64 || middle + widest + 1.0 > (top - 1) as f64 {
                return None;
            }
            let width = trace.width.at(x as f64 - frame.x0).clamp(0.5, 4.0);
            column(&cutout, x, &centre, width, wide, widest)
        })
        .collect()
}

fn column(cutout: &Cutout<'_>, x: i64, centre: &dyn Fn(f64) -> f64, width: f64, wide: f64, widest: f64) -> Option<WideColumn> {
    let (sky, sky_error) = cutout.sky(x - 8, x + 9, centre, widest + 2.0, widest + 16.0)?;
    let middle = centre(x as f64);
    let (mut out, mut bad, mut shares, mut ring_shares) =
        (WideColumn { x, rate: 0.0, error: 0.0, ring: 0.0, ring_error: 0.0 }, 0.0, 0.0, 0.0);
    for y in (middle - widest - 0.5).ceil() as i64..=(middle + widest + 0.5).floor() as i64 {
        let distance = (y as f64 - middle).abs();
        let share = |half: f64| (half + 0.5 - distance).clamp(0.0, 1.0);
        let (inner, all) = (share(wide), share(widest));
        // Pixels as far from the trace in neighbouring columns.
        let mut near: Vec<f64> = (-6..=6)
            .filter(|k| *k != 0)
            .filter_map(|k| {
                let row = y as f64 + centre((x + k) as f64) - middle;
                cutout.pixel(x + k, row.round() as i64).map(|p| p.rate)
            })
            .collect();
        let usual = (near.len() >= 4).then(|| median(&mut near));
        let pixel = cutout.pixel(x, y);
        let hit = |p: &super::cutout::Pixel| usual.is_some_and(|u| p.rate - u > 6.0 * p.error + 0.2 * (u - sky).max(0.0));
        let (rate, error) = match (pixel.filter(|p| !hit(p)), usual) {
            (Some(p), _) => (p.rate, p.error),
            (None, Some(u)) if distance > 2.0 * width => {
                bad += inner;
                (u, 2.0 * sky_error.max(0.02))
            }
            _ => return None,
        };
        out.rate += inner * (rate - sky);
        out.error += (inner * error).powi(2);
        out.ring += (all - inner) * (rate - sky);
        out.ring_error += ((all - inner) * error).powi(2);
        shares += inner;
        ring_shares += all - inner;
    }
    out.error = (out.error + (shares * sky_error).powi(2)).sqrt();
    out.ring_error = (out.ring_error + (ring_shares * sky_error).powi(2)).sqrt();
    (bad <= shares / 6.0).then_some(out)
}
