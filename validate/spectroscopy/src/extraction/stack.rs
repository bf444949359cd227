//! Spectra of several exposures and orders on one grid of wavelengths, and bands side by side.
//!
//! # Formula
//! An element is a bin between the middles to its neighbours; `f_out = sum o f / sum o`, o the overlap \[nm\] (flux times width is conserved). Then the mean over spectra by
//! inverse variance, values beyond k sigma of the weighted median left out.
//! # Symbols
//! o  overlap of an element with a bin of the grid
//! # Source
//! Carnall 2017 (arXiv:1705.05165) for the rebinning; inverse-variance mean.
//! # Limits
//! Neighbouring bins of a rebinned spectrum share elements: their errors are correlated, [`Stacked::correlation`] says how much. Bins covered by less than
//! half have no value.

use super::error::{ExtractionError, within};
use super::weighted_median::weighted_median;
use crate::spectrum::Extracted;

/// A stacked spectrum.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stacked {
    /// Number of the source.
    pub id: u64,
    /// Band of each bin.
    pub band: Vec<String>,
    /// Vacuum wavelength of the middle of each bin \[nm\].
    pub wavelength_nm: Vec<f64>,
    /// Flux density \[erg / s / cm2 / nm\]; not a number where no spectrum has one.
    pub flux: Vec<f64>,
    /// Its standard error, of the bin alone.
    pub flux_error: Vec<f64>,
    /// Mean correlation of each bin with the next.
    pub correlation: Vec<f64>,
    /// Spectra used in each bin.
    pub used: Vec<u16>,
    /// Flags of all spectra used, united.
    pub flags: Vec<u16>,
}

/// One spectrum on a grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Rebinned {
    /// Flux density in each bin; not a number where less than half of it is covered.
    pub flux: Vec<f64>,
    /// Variance.
    pub variance: Vec<f64>,
    /// Covariance with the next bin.
    pub covariance: Vec<f64>,
    /// Flags united.
    pub flags: Vec<u16>,
}

fn edges(middles: &[f64]) -> Vec<f64> {
    let n = middles.len();
    if n < 2 {
        return middles.iter().flat_map(|w| [w - 0.5, w + 0.5]).collect();
    }
    let mut out = vec![1.5 * middles[0] - 0.5 * middles[1]];
    out.extend(middles.windows(2).map(|w| 0.5 * (w[0] + w[1])));
    out.push(1.5 * middles[n - 1] - 0.5 * middles[n - 2]);
    out
}

/// Puts a spectrum on a grid of bins (middles, rising) \[nm\]; elements with a flag of `bad` or without a value are left out.
#[must_use]
pub fn rebin(spectrum: &Extracted, grid: &[f64], bad: u16) -> Rebinned {
    let (input, output) = (edges(&spectrum.wavelength_nm), edges(grid));
    let mut out = Rebinned {
        flux: vec![f64::NAN; grid.len()],
        variance: vec![f64::NAN; grid.len()],
        covariance: vec![0.0; grid.len()],
        flags: vec![0; grid.len()],
    };
    let mut last: Option<(f64, Vec<(usize, f64)>)> = None;
    for k in 0..grid.len() {
        let (a, b) = (output[k], output[k + 1]);
        let from = input.partition_point(|e| *e <= a).saturating_sub(1);
        let (mut sum, mut overlap, mut square, mut list) = (0.0, 0.0, 0.0, Vec::new());
        for i in from..spectrum.flux.len() {
            if input[i] >= b {
                break;
            }
            let o = (input[i + 1].min(b) - input[i].max(a)).max(0.0);
            let (f, e) = (spectrum.flux[i], spectrum.flux_error[i]);
            if o > 0.0 && f.is_finite() && e.is_finite() && e > 0.0 && spectrum.flags[i] & bad == 0 {
                sum += o * f;
                overlap += o;
                square += (o * e).powi(2);
                out.flags[k] |= spectrum.flags[i];
                list.push((i, o * e));
            }
        }
        if overlap < 0.5 * (b - a) {
            out.flags[k] = 0;
            last = None;
            continue;
        }
        out.flux[k] = sum / overlap;
        out.variance[k] = square / (overlap * overlap);
        if let Some((before, shared)) = &last {
            let common: f64 = shared.iter().flat_map(|(i, x)| list.iter().filter(move |(j, _)| i == j).map(move |(_, y)| x * y)).sum();
            out.covariance[k - 1] = common / (before * overlap);
        }
        last = Some((overlap, list));
    }
    out
}

/// Mean of the spectra of one source in one band on a grid of bins \[nm\], clipped at `clip` sigma where there are three at least.
///
/// # Errors
/// A grid that does not rise; spectra of several sources or bands; a clip below 2.
pub fn stack(spectra: &[Extracted], grid: &[f64], clip: f64, bad: u16) -> Result<Stacked, ExtractionError> {
    within("stack clip [sigma]", clip, 2.0, f64::INFINITY, "2 at least")?;
    if grid.len() < 2 || !grid.windows(2).all(|w| w[1] > w[0]) {
        return Err(ExtractionError::Value { key: "bins of the grid", value: grid.len() as f64, range: "2 at least, rising" });
    }
    let Some(first) = spectra.first() else {
        return Err(ExtractionError::Value { key: "number of spectra", value: 0.0, range: "1 at least" });
    };
    if let Some(other) = spectra.iter().find(|s| s.id != first.id || s.band != first.band) {
        let reason = format!("band {} cannot be stacked with source {}, band {}", other.band, first.id, first.band);
        return Err(ExtractionError::Source { id: other.id, reason });
    }
    let rebinned: Vec<Rebinned> = spectra.iter().map(|s| rebin(s, grid, bad)).collect();
    let n = grid.len();
    let mut out = Stacked { id: first.id, band: vec![first.band.clone(); n], wavelength_nm: grid.to_vec(), ..Stacked::default() };
    let mut weights: Vec<Vec<f64>> = Vec::with_capacity(n);
    for k in 0..n {
        let mut kept: Vec<usize> =
            (0..rebinned.len()).filter(|&i| rebinned[i].flux[k].is_finite() && rebinned[i].variance[k] > 0.0).collect();
        if kept.len() >= 3 {
            let middle = weighted_median(kept.iter().map(|&i| (rebinned[i].flux[k], 1.0 / rebinned[i].variance[k].sqrt())).collect())
                .unwrap_or(f64::NAN);
            kept.retain(|&i| (rebinned[i].flux[k] - middle).powi(2) <= clip * clip * rebinned[i].variance[k]);
        }
        let sum: f64 = kept.iter().map(|&i| 1.0 / rebinned[i].variance[k]).sum();
        let mut weight = vec![0.0; rebinned.len()];
        kept.iter().for_each(|&i| weight[i] = 1.0 / rebinned[i].variance[k] / sum);
        out.flux.push(if kept.is_empty() { f64::NAN } else { kept.iter().map(|&i| weight[i] * rebinned[i].flux[k]).sum() });
        out.flux_error.push(if kept.is_empty() { f64::NAN } else { sum.powf(-0.5) });
        out.used.push(kept.len() as u16);
        out.flags.push(kept.iter().fold(0, |f, &i| f | rebinned[i].flags[k]));
        weights.push(weight);
    }
    for k in 0..n {
        let next = (k + 1).min(n - 1);
        let shared: f64 = (0..rebinned.len()).map(|i| weights[k][i] * weights[next][i] * rebinned[i].covariance[k]).sum();
        let errors = out.flux_error[k] * out.flux_error[next];
        out.correlation.push(if next > k && errors > 0.0 { shared / errors } else { 0.0 });
    }
    Ok(out)
}

/// Puts the bands of one source side by side, by rising wavelength; where bands overlap both keep their bins.
///
/// # Errors
/// Bands of several sources.
pub fn join(bands: &[Stacked]) -> Result<Stacked, ExtractionError> {
    let id = bands.first().map_or(0, |b| b.id);
    if let Some(other) = bands.iter().find(|b| b.id != id) {
        return Err(ExtractionError::Source { id: other.id, reason: format!("cannot be joined with source {id}") });
    }
    let mut places: Vec<(usize, usize)> = bands.iter().enumerate().flat_map(|(b, s)| (0..s.flux.len()).map(move |k| (b, k))).collect();
    places.sort_by(|l, r| bands[l.0].wavelength_nm[l.1].total_cmp(&bands[r.0].wavelength_nm[r.1]));
    let mut out = Stacked { id, ..Stacked::default() };
    for (place, &(b, k)) in places.iter().enumerate() {
        let s = &bands[b];
        out.band.push(s.band[k].clone());
        out.wavelength_nm.push(s.wavelength_nm[k]);
        out.flux.push(s.flux[k]);
        out.flux_error.push(s.flux_error[k]);
        out.used.push(s.used[k]);
        out.flags.push(s.flags[k]);
        // Bins of another band in between are independent.
        let next_is_own = places.get(place + 1).is_some_and(|n| *n == (b, k + 1));
        out.correlation.push(if next_is_own { s.correlation[k] } else { 0.0 });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spectrum(from: f64, step: f64, flux: Vec<f64>) -> Extracted {
        let n = flux.len();
        Extracted {
            id: 3,
            band: "GI".into(),
            wavelength_nm: (0..n).map(|i| from + step * i as f64).collect(),
            flux_error: vec![1.0; n],
            flags: vec![0; n],
            flux,
            ..Extracted::default()
        }
    }

    #[test]
    fn rebinning_keeps_the_flux_of_a_line_and_notes_the_covariance() {
        let mut flux = vec![0.0; 200];
        (flux[90], flux[91], flux[92]) = (5.0, 20.0, 8.0);
        let s = spectrum(600.0, 0.8, flux);
        let grid: Vec<f64> = (0..100).map(|i| 610.0 + 1.3 * f64::from(i)).collect();
        let r = rebin(&s, &grid, 0);
        let sum: f64 = r.flux.iter().filter(|f| f.is_finite()).map(|f| f * 1.3).sum();
        assert!((sum - 33.0 * 0.8).abs() < 1e-9, "{sum}");
        // The sum over all bins has the variance of the elements' sum: the covariance is all of it.
        let inner = 1.3 * 1.3 * (r.variance[10..90].iter().sum::<f64>() + 2.0 * r.covariance[10..89].iter().sum::<f64>());
        let expected = 80.0 * 1.3 / 0.8 * 0.8 * 0.8;
        assert!((inner / expected - 1.0).abs() < 0.02, "{inner} {expected}");
    }

    #[test]
    fn stacking_weighs_clips_and_joins() {
        let grid: Vec<f64> = (0..50).map(|i| 620.0 + f64::from(i)).collect();
        let mut spectra: Vec<Extracted> = (0..4).map(|_| spectrum(615.0, 1.0, vec![10.0; 60])).collect();
        spectra[2].flux[20] = 500.0;
        spectra[3].flux[30] = f64::NAN;
        let s = stack(&spectra, &grid, 5.0, 0).unwrap();
        assert_eq!((s.used[15], s.used[25], s.used[5]), (3, 3, 4));
        assert!(s.flux.iter().all(|f| (f - 10.0).abs() < 1e-12) && (s.flux_error[5] - 0.5).abs() < 1e-12);
        let mut other = s.clone();
        other.wavelength_nm.iter_mut().for_each(|w| *w -= 200.0);
        let joined = join(&[s.clone(), other]).unwrap();
        assert!(joined.wavelength_nm.windows(2).all(|w| w[1] > w[0]) && joined.flux.len() == 100);
        spectra[1].id = 4;
        assert!(stack(&spectra, &grid, 5.0, 0).unwrap_err().to_string().starts_with("source 4"));
        assert!(stack(&[], &grid, 5.0, 0).is_err());
    }
}
