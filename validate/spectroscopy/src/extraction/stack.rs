//! Spectra of several exposures and orders on one grid of wavelengths, and bands side by side.
//!
//! # Formula
//! An element is a bin between the middles to its neighbours; `f_out = sum o f / sum o`, o the overlap \[nm\] (flux times width is conserved). Then the mean over spectra by
//! inverse variance, values beyond k sigma of the weighted median left out. Of the members left `chi2 = sum (f_i - mean)^2 / sigma_i^2`, with one degree of freedom less than
//! there are members.
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
    /// Flux density of other sources that was taken away, mean of the spectra used with the same weights \[erg / s / cm2 / nm\].
    pub contamination: Vec<f64>,
    /// Chi squared of the spectra used about their mean; its degrees of freedom are one less than `used`.
    pub chi2: Vec<f64>,
    /// Spectra used in each bin.
    pub used: Vec<u16>,
    /// Flags of all spectra used, united.
    pub flags: Vec<u16>,
    /// Full width at half maximum of a narrow line \[nm\], mean of the spectra.
    pub line_fwhm_nm: f64,
}

impl Stacked {
    /// Chi squared per degree of freedom over all bins with two spectra at least; not a number without one.
    #[must_use]
    pub fn reduced_chi2(&self) -> f64 {
        let several = || self.chi2.iter().zip(&self.used).filter(|(c, n)| **n > 1 && c.is_finite());
        several().map(|(c, _)| c).sum::<f64>() / several().map(|(_, n)| f64::from(*n - 1)).sum::<f64>()
    }
    /// As a spectrum that redshifts are measured of: bins that share elements are not independent, so errors are raised by `sqrt(1 + 2 correlation)`,
    /// which makes the error of a sum over many bins right. Rates stand in the unit of the flux.
    #[must_use]
    pub fn as_extracted(&self) -> Extracted {
        let beside = |k: usize| if k == 0 { 0.0 } else { self.correlation[k - 1] };
        let flux_error: Vec<f64> =
            (0..self.flux.len()).map(|k| self.flux_error[k] * (1.0 + self.correlation[k] + beside(k)).max(1.0).sqrt()).collect();
        Extracted {
            id: self.id,
            band: self.band.first().cloned().unwrap_or_default(),
            order: 1,
            grating: 0,
            wavelength_nm: self.wavelength_nm.clone(),
            rate: self.flux.clone(),
            rate_error: flux_error.clone(),
            contamination: self.contamination.clone(),
            background: vec![0.0; self.flux.len()],
            flux: self.flux.clone(),
            flux_error,
            flags: self.flags.clone(),
            line_fwhm_nm: self.line_fwhm_nm,
        }
    }
}

/// One spectrum on a grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Rebinned {
    /// Flux density in each bin; not a number where less than half of it is covered.
    pub flux: Vec<f64>,
    /// Variance.
    pub variance: Vec<f64>,
    /// Flux density of other sources that was taken away; 0 where the spectrum does not tell.
    pub contamination: Vec<f64>,
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

/// Contamination of an element as a flux density: as the error of the flux stands to that of the rate.
fn contamination(spectrum: &Extracted, element: usize) -> f64 {
    match (spectrum.contamination.get(element), spectrum.rate_error.get(element)) {
        (Some(c), Some(e)) if c.is_finite() && *e > 0.0 => c * spectrum.flux_error[element] / e,
        _ => 0.0,
    }
}

/// Puts a spectrum on a grid of bins (middles, rising) \[nm\]; elements with a flag of `bad` or without a value are left out.
#[must_use]
pub fn rebin(spectrum: &Extracted, grid: &[f64], bad: u16) -> Rebinned {
    let (input, output) = (edges(&spectrum.wavelength_nm), edges(grid));
    let mut out = Rebinned {
        flux: vec![f64::NAN; grid.len()],
        variance: vec![f64::NAN; grid.len()],
        contamination: vec![0.0; grid.len()],
        covariance: vec![0.0; grid.len()],
        flags: vec![0; grid.len()],
    };
    let mut last: Option<(f64, Vec<(usize, f64)>)> = None;
    for k in 0..grid.len() {
        let (a, b) = (output[k], output[k + 1]);
        let from = input.partition_point(|e| *e <= a).saturating_sub(1);
        let (mut sum, mut overlap, mut square, mut others, mut list) = (0.0, 0.0, 0.0, 0.0, Vec::new());
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
                others += o * contamination(spectrum, i);
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
        out.contamination[k] = others / overlap;
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
    let line_fwhm_nm = spectra.iter().map(|s| s.line_fwhm_nm).sum::<f64>() / spectra.len() as f64;
    let band = vec![first.band.clone(); n];
    let mut out = Stacked { id: first.id, band, wavelength_nm: grid.to_vec(), line_fwhm_nm, ..Stacked::default() };
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
        let mean = if kept.is_empty() { f64::NAN } else { kept.iter().map(|&i| weight[i] * rebinned[i].flux[k]).sum() };
        out.flux.push(mean);
        out.chi2.push(kept.iter().map(|&i| (rebinned[i].flux[k] - mean).powi(2) / rebinned[i].variance[k]).sum());
        out.contamination.push(kept.iter().map(|&i| weight[i] * rebinned[i].contamination[k]).sum());
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
    let line_fwhm_nm = bands.iter().map(|b| b.line_fwhm_nm).sum::<f64>() / bands.len().max(1) as f64;
    let mut out = Stacked { id, line_fwhm_nm, ..Stacked::default() };
    for (place, &(b, k)) in places.iter().enumerate() {
        let s = &bands[b];
        out.band.push(s.band[k].clone());
        out.wavelength_nm.push(s.wavelength_nm[k]);
        out.flux.push(s.flux[k]);
        out.flux_error.push(s.flux_error[k]);
        out.contamination.push(s.contamination[k]);
        out.chi2.push(s.chi2[k]);
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
        for s in &mut spectra {
            (s.rate_error, s.contamination) = (vec![0.1; 60], vec![0.2; 60]);
        }
        spectra[2].flux[20] = 500.0;
        spectra[3].flux[30] = f64::NAN;
        let s = stack(&spectra, &grid, 5.0, 0).unwrap();
        assert_eq!((s.used[15], s.used[25], s.used[5]), (3, 3, 4));
        assert!((s.contamination[5] - 2.0).abs() < 1e-12, "0.2 electron / s at ten units of flux each: {}", s.contamination[5]);
        assert!(s.flux.iter().all(|f| (f - 10.0).abs() < 1e-12) && (s.flux_error[5] - 0.5).abs() < 1e-12);
        let mut other = s.clone();
        other.wavelength_nm.iter_mut().for_each(|w| *w -= 200.0);
        let joined = join(&[s.clone(), other]).unwrap();
        assert!(joined.wavelength_nm.windows(2).all(|w| w[1] > w[0]) && joined.flux.len() == 100);
        spectra[1].id = 4;
        assert!(stack(&spectra, &grid, 5.0, 0).unwrap_err().to_string().starts_with("source 4"));
        assert!(stack(&[], &grid, 5.0, 0).is_err());
    }

    #[test]
    fn members_that_scatter_as_their_errors_have_a_reduced_chi_squared_of_one_and_sums_of_bins_the_right_error() {
        let (bins, members, trials) = (60usize, 4usize, 60u64);
        let grid: Vec<f64> = (0..bins).map(|i| 620.0 + i as f64).collect();
        let (mut chi2, mut sums, mut stated) = (0.0, Vec::new(), 0.0);
        for trial in 0..trials {
            let spectra: Vec<Extracted> = (0..members)
                .map(|m| {
                    let mut noise = vec![0f32; 80];
                    let key = sim_core::stream::StreamKey::new(4).with(trial);
                    sim_core::noise::normals(&key.stream(m as u64), 0, &mut noise);
                    // Each exposure has its own phase.
                    spectrum(612.0 + 0.27 * m as f64, 1.0, noise.iter().map(|n| f64::from(*n)).collect())
                })
                .collect();
            let s = stack(&spectra, &grid, 5.0, 0).unwrap();
            chi2 += s.reduced_chi2() / trials as f64;
            let e = s.as_extracted();
            sums.push(e.flux.iter().sum::<f64>());
            stated = e.flux_error.iter().map(|v| v * v).sum::<f64>().sqrt();
        }
        assert!((chi2 - 1.0).abs() < 0.05, "{chi2}");
        let scatter = (sums.iter().map(|v| v * v).sum::<f64>() / trials as f64).sqrt();
        assert!((scatter / stated - 1.0).abs() < 0.25, "scatter {scatter}, stated {stated}");
    }
}
