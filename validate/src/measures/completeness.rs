//! How much was found: completeness against magnitude and signal-to-noise, recovery, purity.

use super::FrameMeasures;
use super::population::Population;
use crate::level2::Level2;
use crate::product::TruthObject;
use crate::statistics::fraction;
use serde::{Deserialize, Serialize};

/// A bin of a completeness curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CompletenessBin {
    /// Lower edge.
    pub low: f64,
    /// Upper edge.
    pub high: f64,
    /// True objects.
    pub total: usize,
    /// Of these found.
    pub found: usize,
    /// Fraction found.
    pub fraction: f64,
    /// Half-width of its 68 % interval.
    pub error: f64,
}

/// Completeness curves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Completeness {
    /// All stars by magnitude.
    pub star_by_magnitude: Vec<CompletenessBin>,
    /// All galaxies by magnitude.
    pub galaxy_by_magnitude: Vec<CompletenessBin>,
    /// Isolated stars by expected signal-to-noise.
    pub isolated_by_snr: Vec<CompletenessBin>,
}

/// Bins `(value, found)` pairs between edges; empty bins are left out.
fn curve(points: &[(f64, bool)], edges: &[f64]) -> Vec<CompletenessBin> {
    edges
        .windows(2)
        .filter_map(|edge| {
            let inside = points.iter().filter(|p| p.0 >= edge[0] && p.0 < edge[1]);
            let (total, found) = inside.fold((0, 0), |(n, f), p| (n + 1, f + usize::from(p.1)));
            let (value, error) = fraction(found, total);
            (total > 0).then_some(CompletenessBin { low: edge[0], high: edge[1], total, found, fraction: value, error })
        })
        .collect()
}

/// The faintest crossing of one half, linear between bin centres of at least five objects.
fn half_point(curve: &[CompletenessBin]) -> Option<f64> {
    let solid: Vec<&CompletenessBin> = curve.iter().filter(|b| b.total >= 5).collect();
    solid.windows(2).rev().find(|w| w[0].fraction >= 0.5 && w[1].fraction < 0.5).map(|w| {
        let centre = |b: &CompletenessBin| 0.5 * (b.low + b.high);
        centre(w[0]) + (centre(w[1]) - centre(w[0])) * (w[0].fraction - 0.5) / (w[0].fraction - w[1].fraction)
    })
}

/// Enters the curves, the recovery and the purity.
pub(super) fn measure(out: &mut FrameMeasures, level2: &Level2, truth: &[TruthObject], population: &Population) {
    let magnitudes: Vec<f64> = (20..=64).map(|k| f64::from(k) * 0.5).collect();
    let by_magnitude = |star: bool| -> Vec<(f64, bool)> {
        let of_kind = population.subjects.iter().filter(|s| truth[s.truth].is_star == star);
        of_kind.map(|s| (truth[s.truth].magnitude, s.detection.is_some())).collect()
    };
    out.completeness.star_by_magnitude = curve(&by_magnitude(true), &magnitudes);
    out.completeness.galaxy_by_magnitude = curve(&by_magnitude(false), &magnitudes);
    let isolated: Vec<(f64, bool)> = population.subjects.iter().filter(|s| s.isolated).map(|s| (s.snr, s.detection.is_some())).collect();
    let snrs = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 30.0, 50.0, 100.0, 200.0, 500.0, 1e3, 1e4];
    out.completeness.isolated_by_snr = curve(&isolated, &snrs);
    let above: Vec<bool> = isolated.iter().filter(|p| p.0 > 5.0).map(|p| p.1).collect();
    let (value, error) = fraction(above.iter().filter(|f| **f).count(), above.len());
    out.values.set("recovery_isolated_snr5", value, Some(error), above.len());
    if let Some(magnitude) = half_point(&out.completeness.star_by_magnitude) {
        out.values.set("completeness50_mag", magnitude, None, population.subjects.len());
    }
    // Purity at SNR 5 of the PSF flux where there is one, of the filtered peak otherwise.
    let strong: Vec<bool> = level2
        .catalogue
        .sources
        .iter()
        .zip(&population.explained)
        .filter(|(s, _)| s.point.map_or(f64::from(s.peak.snr), |p| p.rate / p.rate_error) > 5.0)
        .map(|(_, e)| *e)
        .collect();
    let (value, error) = fraction(strong.iter().filter(|e| **e).count(), strong.len());
    out.values.set("purity_snr5", value, Some(error), strong.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_half_point_lies_where_the_curve_crosses_one_half() {
        let mut points = vec![(24.25, true); 10];
        points.extend((0..10).map(|i| (24.75, i < 8)));
        points.extend((0..10).map(|i| (25.25, i < 2)));
        let bins = curve(&points, &[24.0, 24.5, 25.0, 25.5]);
        // 0.8 at 24.75, 0.2 at 25.25: one half at 25.0
        assert!((half_point(&bins).unwrap() - 25.0).abs() < 1e-12);
        assert_eq!((bins[1].total, bins[1].found), (10, 8));
    }
}
