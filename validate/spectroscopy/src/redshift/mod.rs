//! Redshift, type, lines and temperature of a source from its one-dimensional spectra.
//!
//! # Formula
//! Non-negative fits of continua, broad parts and tied line groups at each redshift (`model.rs`), with smooth calibration errors
//! marginalised (`samples.rs`),
//! priors by magnitude (`prior.rs`), and sums over redshift and class (`posterior.rs`).
//! # Symbols
//! z redshift; E evidence of a fit; P mass of probability.
//! # Source
//! The pages of the parts; templates: `templates/mod.rs` and `data/redshift/SOURCES.md`.
//! # Limits
//! One source a spectrum: blends are not taken apart. Point and extended sources differ by their line spread alone. See the parts.

mod line_fluxes;
mod model;
mod nnls;
mod options;
mod posterior;
mod prior;
mod result;
mod samples;
mod star_fit;
mod table;
mod templates;
#[cfg(test)]
mod tests;

pub use options::{Photometry, RedshiftError, RedshiftOptions, SourceInput};
pub use result::{Class, LineFlux, SourceRedshift, StarParameters, Status};
pub use table::{line_table, source_table};

use model::Workspace;
use posterior::{SCAN, Scan, densest, reliability, scan};
use prior::Prior;
use rayon::prelude::*;
use samples::Samples;
use templates::Templates;

/// Samples needed for a fit (about the number of free parts twice over).
const FEWEST_SAMPLES: usize = 30;
/// Half-width in ln(1 + z) that counts as the same redshift.
const SAME: f64 = 0.005;
/// Most of it, for redshifts with large errors.
const WIDEST: f64 = 0.02;
/// Width of a peak in ln(1 + z) below which the grid of the scan does not resolve it.
const NARROW_PEAK: f64 = 2e-3;
/// Most reliability of a redshift from a single line without continuum or photometry (assumed).
const SINGLE_LINE: f64 = 0.8;
/// Cells the scan of quasars steps over: their lines are 20 times wider.
const QUASAR_STRIDE: usize = 3;

/// Measures redshifts: the templates, made once, and the settings.
#[derive(Debug, Clone)]
pub struct Redshifter {
    templates: Templates,
    options: RedshiftOptions,
}

impl Redshifter {
    /// Makes the templates (about a second).
    ///
    /// # Errors
    /// When a setting is out of range.
    pub fn new(options: RedshiftOptions) -> Result<Self, RedshiftError> {
        options.check()?;
        Ok(Self { templates: Templates::new(), options })
    }
    /// Measures one source.
    ///
    /// # Errors
    /// When an input is malformed (lengths, wavelengths, line spread, photometry without numbers). Samples without numbers, with errors
    /// that are not positive
    /// or with flags are left out and counted instead; a source without light has a [`Status`] that says so.
    pub fn measure(&self, input: &SourceInput) -> Result<SourceRedshift, RedshiftError> {
        let Some(s) = Samples::new(input, &self.options)? else {
            return Ok(SourceRedshift::without(input.id, Status::NoUsableSamples));
        };
        let start = SourceRedshift {
            samples: s.y.len(),
            rejected: s.rejected,
            snr: s.snr,
            bands_outside: s.bands_outside.clone(),
            ..SourceRedshift::without(input.id, Status::TooFewSamples)
        };
        if s.spectral() < FEWEST_SAMPLES {
            return Ok(start);
        }
        let mean_signal: f64 = s.y[..s.spectral()].iter().map(|v| f64::from(*v)).sum::<f64>() / (s.spectral() as f64).sqrt();
        let strongest = s.y[..s.spectral()].iter().fold(0.0_f32, |a, b| a.max(*b));
        if mean_signal < 3.0 && strongest < 5.0 {
            return Ok(SourceRedshift { status: Status::NoSignal, ..start });
        }
        Ok(self.fit(&s, input, start))
    }
    /// Measures many sources at once, in the order given.
    #[must_use]
    pub fn measure_all(&self, inputs: &[SourceInput]) -> Vec<Result<SourceRedshift, RedshiftError>> {
        inputs.par_iter().map(|i| self.measure(i)).collect()
    }
    fn fit(&self, s: &Samples, input: &SourceInput, start: SourceRedshift) -> SourceRedshift {
        let mut work = Workspace::default();
        // Beyond this redshift all the light would lie below Lyman alpha.
        let limit = s.ln_nm[s.spectral() - 1].exp() / 121.567 - 1.0;
        let (galaxy_max, quasar_max) = (self.options.galaxy_z_max.min(limit), self.options.quasar_z_max.min(limit));
        let prior = Prior::new(magnitude(s), input.point_probability, galaxy_max, quasar_max);
        let stars = star_fit::fit(&mut work, s, &self.templates.stars);
        let galaxy = scan(&mut work, s, &self.templates.galaxy, (0.0, galaxy_max), 1, &|x| prior.ln_galaxy(x));
        let quasar = scan(&mut work, s, &self.templates.quasar, (0.05, quasar_max), QUASAR_STRIDE, &|x| prior.ln_quasar(x));
        let chi2 = [stars.chi2_min, galaxy.chi2_min, quasar.chi2_min];
        let temperature = (chi2.iter().copied().fold(f64::INFINITY, f64::min) / s.y.len() as f64).max(1.0);
        // Masses per cell of galaxies and quasars, and of all stars.
        let cells = galaxy.ln_post.len().max(quasar.ln_post.len());
        let raw = |scan: &Scan, class: usize, k: usize| {
            scan.ln_post.get(k).map_or(f64::NEG_INFINITY, |v| v / temperature + prior.ln_class[class] + SCAN.ln())
        };
        let ln_star = stars.ln_evidence / temperature + prior.ln_class[0];
        let top = (0..cells).flat_map(|k| [raw(&galaxy, 1, k), raw(&quasar, 2, k)]).fold(ln_star, f64::max);
        let of_galaxy: Vec<f64> = (0..cells).map(|k| (raw(&galaxy, 1, k) - top).exp()).collect();
        let of_quasar: Vec<f64> = (0..cells).map(|k| (raw(&quasar, 2, k) - top).exp()).collect();
        let shares = [(ln_star - top).exp(), of_galaxy.iter().sum(), of_quasar.iter().sum()];
        let total: f64 = shares.iter().sum();
        let class_probability = shares.map(|v: f64| v / total);
        let masses: Vec<f64> = of_galaxy.iter().zip(&of_quasar).map(|(a, b)| a + b).collect();
        let far: f64 = shares[1] + shares[2];
        let density = masses.iter().map(|m| (m / far.max(f64::MIN_POSITIVE) / SCAN) as f32).collect();
        let about = |x: f64, half: f64| -> f64 {
            let (a, b) = (((x - half) / SCAN).ceil().max(0.0) as usize, ((x + half) / SCAN).floor().max(0.0) as usize);
            let star = if x < half { shares[0] } else { 0.0 };
            (masses[a.min(cells)..(b + 1).min(cells)].iter().sum::<f64>() + star) / total
        };
        let best_class = [Class::Star, Class::Galaxy, Class::Quasar][(0..3).max_by(|&a, &b| shares[a].total_cmp(&shares[b])).unwrap_or(1)];
        let mut peaks: Vec<(f64, f64)> = vec![(0.0, about(0.0, SAME))];
        peaks.extend([&galaxy, &quasar].iter().flat_map(|scan| scan.tops.iter().map(|t| (t.0, about(t.0, SAME)))));
        // The class first, then where most of its mass is.
        let own = match best_class {
            Class::Star => None,
            Class::Galaxy => Some((&galaxy, &of_galaxy, &self.templates.galaxy)),
            Class::Quasar => Some((&quasar, &of_quasar, &self.templates.quasar)),
        };
        let (mut ln1z, mut z_error) = (0.0, 1e-3);
        let mut lines = Vec::new();
        if let Some((scan, mass, set)) = own {
            let place = densest(mass);
            let mut width = place.1;
            ln1z = place.0;
            if width < NARROW_PEAK {
                // Narrower than the grid resolves: the refined top.
                let near = |t: &&(f64, f64)| (t.0 - place.0).abs() < SAME;
                if let Some(top) = scan.tops.iter().filter(near).max_by(|a, b| a.1.total_cmp(&b.1)) {
                    ln1z = top.0;
                    width = Scan::width(&mut work, s, set, ln1z, temperature).unwrap_or(width);
                }
            }
            z_error = width.hypot(self.options.wavelength_error) * ln1z.exp();
            let continuum = line_fluxes::continuum(&mut work, s, set, ln1z);
            lines = line_fluxes::measure(s, &continuum, ln1z, best_class);
        }
        let z = ln1z.exp_m1();
        let right = (3.0 * z_error / ln1z.exp()).clamp(SAME, WIDEST);
        let second = peaks.iter().filter(|p| (p.0 - ln1z).abs() > 2.0 * right).max_by(|a, b| a.1.total_cmp(&b.1)).copied();
        let mut reliability = reliability(about(ln1z, right));
        // One line and nothing else: its name is a guess of the prior, whatever the numbers say.
        let seen = lines.iter().filter(|l| l.flux > 3.0 * l.flux_error).count();
        let continuum = s.snr.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
        if best_class != Class::Star && seen <= 1 && continuum < 1.0 && s.bands.is_empty() {
            reliability = reliability.min(SINGLE_LINE);
        }
        SourceRedshift {
            status: Status::Measured,
            class: Some(best_class),
            class_probability,
            z,
            z_error,
            reliability,
            reliable: reliability >= self.options.reliable_from,
            z_second: second.map_or(f64::NAN, |p| p.0.exp_m1()),
            z_second_probability: second.map_or(f64::NAN, |p| p.1),
            density,
            chi2,
            lines,
            star: Some(stars.parameters(temperature)),
            z_max: galaxy_max.max(quasar_max),
            ..start
        }
    }
}

/// AB magnitude of the spectrum: median of the smooth flux between 700 and 800 nm, or of all of it.
fn magnitude(s: &Samples) -> f64 {
    let mut red: Vec<(f64, f64)> = s.ln_nm.iter().map(|l| l.exp()).zip(s.smooth.iter().copied()).collect();
    if red.iter().any(|(w, _)| (700.0..800.0).contains(w)) {
        red.retain(|(w, _)| (700.0..800.0).contains(w));
    }
    let mut nu: Vec<f64> = red.iter().map(|(w, f)| f * s.scale * w * w / (sim_core::units::SPEED_OF_LIGHT_M_S * 1e9)).collect();
    nu.sort_by(f64::total_cmp);
    -2.5 * (nu[nu.len() / 2] / sim_core::units::AB_ZERO_ERG_S_CM2_HZ).log10()
}
