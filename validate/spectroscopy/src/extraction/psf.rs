//! The point-spread function across traces, given or measured on the frame's own bright stars.
//!
//! # Formula
//! Given: Gaussians of the stated widths. Measured: share of a pixel at the distance d, `P(d) = sum (D f / V) / sum (f^2 / V)` in cells of 0.2 pixel, D the
//! pixel, f the rate of the column, V the variance; the cumulative before pixels follows from `C(e) = sum_j P(e - 1/2 - j)`.
//! # Symbols
//! FWHM  width before integration over pixels \[pixel\]
//! # Source
//! Least squares of a scaled profile, as in Horne 1986 (PASP 98, 609).
//! # Limits
//! The PSF along the dispersion is taken to be the one across. A measured table is the mean over the frame; it ends before the wings, whose light is told by [`super::wings`].

use super::elements::Patch;
use super::error::ExtractionError;
use super::profile::{Cumulative, STEP};

/// Reach of a Gaussian, in FWHM.
const REACH_FWHM: f64 = 3.0;

/// Point-spread function projected on the rows, at some wavelengths.
#[derive(Debug, Clone, PartialEq)]
pub struct Psf {
    pub(crate) wavelength_nm: Vec<f64>,
    pub(crate) tables: Vec<Cumulative>,
}

impl Psf {
    /// Gaussians of (wavelength \[nm\], FWHM \[pixel\], before integration over pixels), wavelengths rising.
    ///
    /// # Errors
    /// No width; a width outside 0.3..50 pixel; wavelengths that do not rise.
    pub fn gaussian(widths: &[(f64, f64)]) -> Result<Self, ExtractionError> {
        for (_, fwhm) in widths {
            super::error::within("psf fwhm [pixel]", *fwhm, 0.3, 50.0, "0.3..50")?;
        }
        let half = REACH_FWHM * widths.iter().map(|w| w.1).fold(1.0, f64::max);
        Self::of_density(&widths.iter().map(|w| w.0).collect::<Vec<_>>(), half, |i, d| {
            (-4.0 * std::f64::consts::LN_2 * (d / widths[i].1).powi(2)).exp()
        })
    }
    /// From a density over rows (need not be normalised) at each wavelength \[nm\], within `half` pixels.
    ///
    /// # Errors
    /// No wavelength, or wavelengths that do not rise.
    pub fn of_density(wavelength_nm: &[f64], half: f64, density: impl Fn(usize, f64) -> f64) -> Result<Self, ExtractionError> {
        let tables = (0..wavelength_nm.len()).map(|i| Cumulative::of_density(half, |d| density(i, d))).collect();
        Self::of_tables(wavelength_nm.to_vec(), tables)
    }
    fn of_tables(wavelength_nm: Vec<f64>, tables: Vec<Cumulative>) -> Result<Self, ExtractionError> {
        let rising = wavelength_nm.windows(2).all(|w| w[1] > w[0]) && wavelength_nm.iter().all(|w| w.is_finite());
        if wavelength_nm.is_empty() || !rising {
            let value = wavelength_nm.first().copied().unwrap_or(f64::NAN);
            return Err(ExtractionError::Value { key: "psf wavelength [nm]", value, range: "finite, rising, one at least" });
        }
        Ok(Self { wavelength_nm, tables })
    }
    /// The same with these shares of the light within the reach of its tables, one for each wavelength: what is beyond is in the wings.
    #[must_use]
    pub fn holding(mut self, shares: &[f64]) -> Self {
        self.tables = self.tables.into_iter().zip(shares).map(|(table, share)| table.holding(*share)).collect();
        self
    }
    /// Share of the light within the reach of its tables at a wavelength; 1 where the wings were not measured.
    #[must_use]
    pub fn within(&self, wavelength_nm: f64) -> f64 {
        super::profile::Profile { wavelength_nm: self.wavelength_nm.clone(), tables: self.tables.clone() }.table(wavelength_nm).total()
    }
    /// Full width at half maximum through pixels at a wavelength \[pixel\].
    #[must_use]
    pub fn fwhm(&self, wavelength_nm: f64) -> f64 {
        super::profile::Profile { wavelength_nm: self.wavelength_nm.clone(), tables: self.tables.clone() }.table(wavelength_nm).fwhm()
    }
    /// Mean over stars: patches of bright, isolated stars with the rates of their columns, in `bins` equal ranges of wavelength, within `half` pixels of
    /// the trace. `None` when a range has less than `least` columns above `snr`.
    #[must_use]
    pub fn measure(stars: &[(Patch, Vec<f64>)], bins: usize, half: f64, snr: f64, least: usize) -> Option<Self> {
        let all = || stars.iter().flat_map(|(patch, _)| patch.columns.iter().map(|c| c.wavelength_nm));
        let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
        let bin = |w: f64| (((w - low) / (high - low) * bins as f64) as usize).min(bins - 1);
        let steps = (half / STEP).ceil() as usize;
        let cells = 2 * steps + 1;
        let (mut top, mut bottom) = (vec![vec![0.0; cells]; bins], vec![vec![0.0; cells]; bins]);
        let (mut counts, mut sums) = (vec![0usize; bins], vec![(0.0, 0.0); bins]);
        for (patch, rates) in stars {
            for (column, &f) in patch.columns.iter().zip(rates) {
                let noise: f64 = column.pixels.iter().filter(|p| p.distance.abs() < 3.0).map(|p| p.variance).sum::<f64>().sqrt();
                if f.is_nan() || f <= snr * noise {
                    continue;
                }
                let b = bin(column.wavelength_nm);
                counts[b] += 1;
                sums[b] = (sums[b].0 + f * column.wavelength_nm, sums[b].1 + f);
                for p in column.pixels.iter().filter(|p| p.good) {
                    // Shared between the two cells on either side.
                    let at = p.distance / STEP + steps as f64;
                    if at < 0.0 || at + 1.0 >= cells as f64 {
                        continue;
                    }
                    let (i, part) = (at as usize, at.fract());
                    for (k, w) in [(i, 1.0 - part), (i + 1, part)] {
                        top[b][k] += w * p.rate * f / p.variance;
                        bottom[b][k] += w * f * f / p.variance;
                    }
                }
            }
        }
        if counts.iter().any(|n| *n < least) {
            return None;
        }
        let wavelength_nm = sums.iter().map(|(w, f)| w / f).collect();
        let tables = (0..bins).map(|b| unpixelled(&top[b], &bottom[b], steps)).collect::<Option<Vec<_>>>()?;
        Self::of_tables(wavelength_nm, tables).ok()
    }
}

/// Cumulative before pixels from the pixels' shares at steps; `None` where a cell is empty.
pub(crate) fn unpixelled(top: &[f64], bottom: &[f64], steps: usize) -> Option<Cumulative> {
    if bottom.iter().any(|b| *b <= 0.0) {
        return None;
    }
    let share: Vec<f64> = top.iter().zip(bottom).map(|(t, b)| t / b).collect();
    let per_pixel = 1.0 / STEP;
    let at = |position: f64| {
        let i = position.floor();
        if i < 0.0 || i as usize + 1 >= share.len() {
            return 0.0;
        }
        let part = position - i;
        (1.0 - part) * share[i as usize] + part * share[i as usize + 1]
    };
    let values = (0..share.len())
        .map(|k| (0..).map(|j| (k as f64) - (0.5 + f64::from(j)) * per_pixel).take_while(|p| *p >= 0.0).map(at).sum())
        .collect();
    Some(Cumulative::normalised(values, steps, 1.0))
}
