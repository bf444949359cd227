//! The crosstalk matrix from bright pixels: cosmic-ray hits and hot pixels of darks, stars of any frame.
//!
//! # Formula
//! In stretches of a line that hold a bright pixel of some output, for every victim a by weighted least squares
//! `y_a - <y_a> = sum over b of X_ab (s_b - <s_b>)`, means over the good pixels of the stretch; errors from the inverse of the normal
//! matrix, scaled with chi-square where that is above 1. Expected error with N pixels of mean square signal S^2 and noise r:
//! `r / (S sqrt N)`
//! # Symbols
//! `y` counts of the victim; `s` counts of a source above the median of its stretch where they exceed `BRIGHT_SIGMAS` of the
//! read noise, else 0 \[ADU\]; `X` signal of the victim over that of the source \[1\]
//! # Source
//! Regression of simultaneous pixels on bright ones: Freyhammer et al. 2001 (Experimental Astronomy 12, 147).
//! # Limits
//! Stretches with a pixel at the ceiling of the converter are left out: its true signal is not known. Pixels that are bright in the
//! victim too are left out: first all beyond 5 sigma and the largest crosstalk thought possible, in the second walk all
//! beyond 5 sigma of the first answer. What victims and sources share besides (light at mirrored places) enters X: use darks, or many
//! different fields. Science pixels alone are used.

use instruments::effects::crosstalk::model::{Lines, moments};
use nalgebra::{DMatrix, DVector};
use ndarray::Array2;
use rayon::prelude::*;
use sim_core::detector::ReadoutLayout;
use sim_core::knowledge::{CrosstalkKnowledge, Measured};
use sim_core::median::median;
use std::ops::Range;

/// Pixels of a stretch: a few hits are few of them.
const STRETCH: usize = 64;
/// Least number of good pixels in a stretch.
const LEAST_GOOD: usize = 24;
/// A source counts above this many standard deviations of the read noise.
const BRIGHT_SIGMAS: f32 = 20.0;
/// A victim's pixel is left out beyond this many standard deviations.
const CLIP_SIGMAS: f32 = 5.0;
/// The largest coefficient thought possible, for the first walk.
const LARGEST: f32 = 2e-3;
/// Ceiling of the converter \[ADU\].
const CEILING: f32 = 65_535.0;
/// Standard deviation of a normal in units of its median absolute deviation.
const SIGMA_PER_MAD: f32 = 1.482_602_2;
/// Moments that one task adds up: the order of sums does not depend on threads.
const MOMENTS_PER_TASK: usize = 64;

/// Why the matrix could not be measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CrosstalkFitError {
    /// A frame of another shape.
    #[error("crosstalk fit: a frame of {got:?} (rows, columns) is not of the layout {need:?}")]
    Shape {
        /// Shape of the frame.
        got: (usize, usize),
        /// Shape of the layout.
        need: (usize, usize),
    },
    /// Gain or noise are missing.
    #[error("crosstalk fit: gain and read noise of {need} amplifiers are needed, {got} are known")]
    Amplifiers {
        /// Amplifiers known.
        got: usize,
        /// Amplifiers of the layout.
        need: usize,
    },
    /// A source was never bright.
    #[error("crosstalk fit: amplifier {} has no bright pixel while {} is good: longer darks or brighter frames are needed", source_number + 1, victim + 1)]
    NoSource {
        /// Number of the source, from 0.
        source_number: usize,
        /// Number of the victim, from 0.
        victim: usize,
    },
}

/// Sums of the normal equations of all victims.
#[derive(Debug, Clone)]
struct Sums {
    /// `[victim][source][source]`.
    normal: Vec<f64>,
    /// `[victim][source]`.
    right: Vec<f64>,
    /// Squared residuals about the answer so far over their variance, by victim.
    chi2: Vec<f64>,
    /// Their degrees of freedom.
    freedom: Vec<f64>,
}

impl Sums {
    fn new(count: usize) -> Self {
        Self {
            normal: vec![0.0; count * count * count],
            right: vec![0.0; count * count],
            chi2: vec![0.0; count],
            freedom: vec![0.0; count],
        }
    }
    fn add(&mut self, other: &Self) {
        let pairs = [(&mut self.normal, &other.normal), (&mut self.right, &other.right), (&mut self.chi2, &other.chi2)];
        for (to, from) in pairs.into_iter().chain([(&mut self.freedom, &other.freedom)]) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        }
    }
}

/// The fit: walk through the frames with [`CrosstalkFit::add`], [`CrosstalkFit::refine`], walk again, [`CrosstalkFit::finish`].
#[derive(Debug, Clone)]
pub struct CrosstalkFit<'a> {
    layout: &'a ReadoutLayout,
    /// Read noise by amplifier \[ADU\].
    noise_adu: Vec<f32>,
    sums: Sums,
    /// The answer of the first walk, `[victim * count + source]`.
    known: Option<Vec<f32>>,
}

/// The pixels of one output in one stretch of a line.
struct Part {
    amplifier: usize,
    /// Above the median \[ADU\].
    value: [f32; STRETCH],
    /// The same where bright, else 0.
    bright: [f32; STRETCH],
    is_bright: bool,
    sigma: f32,
}

impl<'a> CrosstalkFit<'a> {
    /// For a layout; gain \[electron / ADU\] and read noise \[electron\] by amplifier number.
    ///
    /// # Errors
    /// When gain or read noise of an amplifier is missing.
    pub fn new(layout: &'a ReadoutLayout, gain: &[Measured], read_noise: &[Measured]) -> Result<Self, CrosstalkFitError> {
        let need = layout.amplifier_count;
        let got = gain.len().min(read_noise.len());
        if got != need {
            return Err(CrosstalkFitError::Amplifiers { got, need });
        }
        let noise_adu = read_noise.iter().zip(gain).map(|(n, g)| (n.value / g.value) as f32).collect();
        Ok(Self { layout, noise_adu, sums: Sums::new(need), known: None })
    }

    /// Adds a raw frame.
    ///
    /// # Errors
    /// When it does not have the shape of the layout.
    pub fn add(&mut self, raw: &Array2<u16>) -> Result<(), CrosstalkFitError> {
        let need = (self.layout.rows, self.layout.columns);
        if raw.dim() != need {
            return Err(CrosstalkFitError::Shape { got: raw.dim(), need });
        }
        let moments: Vec<Vec<usize>> =
            moments(self.layout, 0..need.0).into_iter().map(|rows| rows.into_iter().map(|r| r.0).collect()).collect();
        let this = &*self;
        let parts: Vec<Sums> = moments
            .par_chunks(MOMENTS_PER_TASK)
            .map(|moments| {
                let mut lines = Lines::new(this.layout);
                let mut sums = Sums::new(this.layout.amplifier_count);
                moments.iter().for_each(|rows| this.moment(raw, rows, &mut lines, &mut sums));
                sums
            })
            .collect();
        parts.iter().for_each(|part| self.sums.add(part));
        Ok(())
    }

    /// Adds the lines that are read at one moment.
    fn moment(&self, raw: &Array2<u16>, rows: &[usize], lines: &mut Lines, sums: &mut Sums) {
        lines.clear();
        // Serial numbers of the science pixels that are in the frame, by amplifier.
        let mut present: Vec<(usize, Range<usize>)> = Vec::new();
        for &y in rows {
            let row: Vec<f32> = raw.row(y).iter().map(|&v| f32::from(v)).collect();
            for tile in &self.layout.tiles {
                let science = tile.raw_science;
                if (science.y0..science.y0 + science.ny).contains(&y) {
                    lines.gather(tile, &row);
                    present.push((tile.amplifier, tile.serial_science..tile.serial_science + tile.science.nx));
                }
            }
        }
        present.sort_by_key(|p| p.0);
        let first = present.iter().map(|p| p.1.start).min().unwrap_or(0);
        let last = present.iter().map(|p| p.1.end).max().unwrap_or(0);
        let mut start = first;
        while start + STRETCH <= last {
            let stretch = start..start + STRETCH;
            let inside = present.iter().filter(|p| p.1.start <= stretch.start && stretch.end <= p.1.end).map(|p| p.0);
            let line = |a: usize| &lines.signal[a * lines.width + stretch.start..a * lines.width + stretch.end];
            let parts: Option<Vec<Part>> = inside.map(|a| self.part(a, line(a))).collect();
            if let Some(parts) = parts.filter(|parts| parts.iter().any(|p| p.is_bright)) {
                self.stretch(&parts, sums);
            }
            start += STRETCH;
        }
    }

    /// `None` when a pixel is at the ceiling.
    fn part(&self, amplifier: usize, line: &[f32]) -> Option<Part> {
        let mut value = [0.0; STRETCH];
        value.copy_from_slice(line);
        if value.iter().any(|&v| v >= CEILING) {
            return None;
        }
        let level = median(&mut value.clone()).unwrap_or(0.0);
        value.iter_mut().for_each(|v| *v -= level);
        let least = BRIGHT_SIGMAS * self.noise_adu[amplifier];
        let bright = value.map(|v| if v > least { v } else { 0.0 });
        let deviation = median(&mut value.map(f32::abs)).unwrap_or(0.0);
        Some(Part {
            amplifier,
            is_bright: bright.iter().any(|&v| v > 0.0),
            bright,
            sigma: (SIGMA_PER_MAD * deviation).max(self.noise_adu[amplifier]),
            value,
        })
    }

    fn stretch(&self, parts: &[Part], sums: &mut Sums) {
        let count = self.layout.amplifier_count;
        let bright: Vec<&Part> = parts.iter().filter(|p| p.is_bright).collect();
        for victim in parts {
            let sources: Vec<&Part> = bright.iter().copied().filter(|s| s.amplifier != victim.amplifier).collect();
            if sources.is_empty() {
                continue;
            }
            let mut model = [0.0_f32; STRETCH];
            let mut reach = [CLIP_SIGMAS * victim.sigma; STRETCH];
            for source in &sources {
                match &self.known {
                    Some(known) => {
                        let x = known[victim.amplifier * count + source.amplifier];
                        model.iter_mut().zip(&source.bright).for_each(|(m, s)| *m += x * s);
                    }
                    None => reach.iter_mut().zip(&source.bright).for_each(|(r, s)| *r += LARGEST * s),
                }
            }
            let good: Vec<usize> = (0..STRETCH).filter(|&i| (victim.value[i] - model[i]).abs() <= reach[i]).collect();
            if good.len() < LEAST_GOOD {
                continue;
            }
            let weight = 1.0 / f64::from(victim.sigma).powi(2);
            let mean = |of: &[f32; STRETCH]| good.iter().map(|&i| f64::from(of[i])).sum::<f64>() / good.len() as f64;
            let centred: Vec<(usize, f64, &[f32; STRETCH])> = sources.iter().map(|s| (s.amplifier, mean(&s.bright), &s.bright)).collect();
            let (level, offset) = (mean(&victim.value), mean(&model));
            let at = victim.amplifier * count;
            for &i in &good {
                let y = f64::from(victim.value[i]) - level;
                let residual = y - f64::from(model[i]) + offset;
                sums.chi2[victim.amplifier] += weight * residual * residual;
                for &(b, mean_b, s_b) in &centred {
                    let s = weight * (f64::from(s_b[i]) - mean_b);
                    sums.right[at + b] += s * y;
                    for &(c, mean_c, s_c) in &centred {
                        sums.normal[(at + b) * count + c] += s * (f64::from(s_c[i]) - mean_c);
                    }
                }
            }
            sums.freedom[victim.amplifier] += good.len() as f64 - 1.0;
        }
    }

    fn solve(&self) -> Result<Vec<Measured>, CrosstalkFitError> {
        let count = self.layout.amplifier_count;
        let here: Vec<usize> = (0..count).filter(|&a| self.layout.tiles.iter().any(|t| t.amplifier == a)).collect();
        // Outputs outside a cut-out: nothing of them is known, and they cannot disturb.
        let mut out = vec![Measured { value: 0.0, error: 0.0 }; count * count];
        for &victim in &here {
            let sources: Vec<usize> = here.iter().copied().filter(|&b| b != victim).collect();
            let at = |b: usize, c: usize| self.sums.normal[(victim * count + b) * count + c];
            if let Some(&source_number) = sources.iter().find(|&&b| at(b, b) <= 0.0) {
                return Err(CrosstalkFitError::NoSource { source_number, victim });
            }
            let n = sources.len();
            let normal = DMatrix::from_fn(n, n, |b, c| at(sources[b], sources[c]));
            let right = DVector::from_fn(n, |b, _| self.sums.right[victim * count + sources[b]]);
            let singular = || CrosstalkFitError::NoSource { source_number: sources.first().copied().unwrap_or(0), victim };
            let covariance = normal.cholesky().ok_or_else(singular)?.inverse();
            let solution = &covariance * right;
            let scale = (self.sums.chi2[victim] / self.sums.freedom[victim].max(1.0)).max(1.0);
            for (k, &b) in sources.iter().enumerate() {
                out[victim * count + b] = Measured { value: solution[k], error: (covariance[(k, k)] * scale).sqrt() };
            }
        }
        Ok(out)
    }

    /// Takes the answer of the first walk as the centre of the clip and starts again.
    ///
    /// # Errors
    /// When a source was never bright.
    pub fn refine(&mut self) -> Result<(), CrosstalkFitError> {
        self.known = Some(self.solve()?.into_iter().map(|x| x.value as f32).collect());
        self.sums = Sums::new(self.layout.amplifier_count);
        Ok(())
    }

    /// The matrix with its errors.
    ///
    /// # Errors
    /// When a source was never bright.
    pub fn finish(self) -> Result<CrosstalkKnowledge, CrosstalkFitError> {
        Ok(CrosstalkKnowledge { amplifiers: self.layout.amplifier_count, coefficients: self.solve()? })
    }
}

/// Both walks over frames in memory.
///
/// # Errors
/// As [`CrosstalkFit`].
pub fn fit(
    frames: &[Array2<u16>],
    layout: &ReadoutLayout,
    gain: &[Measured],
    read_noise: &[Measured],
) -> Result<CrosstalkKnowledge, CrosstalkFitError> {
    let mut fit = CrosstalkFit::new(layout, gain, read_noise)?;
    frames.iter().try_for_each(|raw| fit.add(raw))?;
    fit.refine()?;
    frames.iter().try_for_each(|raw| fit.add(raw))?;
    fit.finish()
}
