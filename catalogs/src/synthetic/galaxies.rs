//! Galaxies of the synthetic field.
//!
//! # Effect
//! Bulges and disks of different colour, knots in late types, with the sizes, shapes and redshifts of deep surveys.
//! # Formula
//! i from the counts' cumulative. Redshift: p(z) = z^2 exp(-z / z0) / (2 z0^3), z0 = 0.0417 i - 0.744, at least 0.03.
//! Disk scale length: ln(r_d / arcsec) = -1.145 - 0.269 (i - 23) in the median, p(r) ~ r exp(-(r / a)^(4/3)), a = r_d / 1.134;
//! half-light radius 1.678 r_d. Ellipticity e = (a - b) / (a + b): p(e) ~ e (1 - exp((e - 0.804) / 0.2539)) /
//! ((1 + e) sqrt(e^2 + 0.0256^2)), position angle uniform.
//! # Symbols
//! i observed AB magnitude; z0, a scales of the distributions; B/T bulge fraction of the i-band light.
//! # Source
//! Counts: [`super::counts`]. Redshift: LSST Science Book (arXiv:0912.0201), section 3.7 (stated for samples limited at i), applied to
//! each magnitude. Ellipticity of disks and the form of p(r): Miller et al. 2013 (MNRAS 429, 2858), appendix B, numbers as in the
//! source of lensfit (e_max 0.804, a 0.2539, e_0 0.0256; r exp(-(r / a)^(4/3)), median 1.134 a). The median size in i, -1.145 and
//! -0.269, is remembered from the same appendix and not confirmed (lensfit's default, for R: -1.320, -0.278): assumed.
//! Spectra move one type towards Im per unit of redshift beyond 1 (bulges at most to Scd): old stars are not yet there; without it an
//! elliptical at z = 5 would be given its i magnitude by next to no ultraviolet light and be absurdly bright in y (assumed).
//! Assumed: type shares (E 30 % at i = 18 falling by 3 % per mag to 8 %; of the rest Sbc 35, Scd 40, Im 25 %), B/T (E 0.6-1, Sbc 0.1-0.5,
//! Scd 0-0.2, Im 0), bulge radius 0.4 of the disk's (0.6 alone) and at least 0.05 arcsec, bulge shape half the disk's, Sersic index
//! 4 (E), 2.5 (spirals), 1 (disks); knots: 5 to 30 with 10 to 40 % of the disk's light.
//! # Limits
//! Shares of types do not evolve with redshift; no clustering; i 16 to 28.75; half-light radii 0.03 to 10 arcsec, redshifts to 6.
//! # Twin
//! None.

use super::counts::{GalaxyCounts, MagnitudeLaw};
use super::grid::Cell;
use super::{FieldSpec, LensingSpec};
use crate::draw::Draw;
use crate::{Footprint, Library};
use sim_core::source::{Brightness, Component, Lensing, Position, Profile, Shear, Source, SourceKind};
use sim_core::spectrum::{Extinction, Sed};
use sim_core::stream::StreamKey;
use std::sync::Arc;

/// Population number in the object's number and key.
const POPULATION: u64 = 1;
/// Half-light radius of an exponential disk in scale lengths.
const HALF_LIGHT_PER_SCALE_LENGTH: f64 = 1.678_347;

pub(super) struct GalaxyField<'a> {
    spec: &'a FieldSpec,
    key: StreamKey,
    library: &'a Library,
    extinction: Option<Arc<Extinction>>,
    law: MagnitudeLaw,
    /// Cumulative of p(e) on a grid of e.
    ellipticity: (Vec<f64>, Vec<f64>),
}

impl<'a> GalaxyField<'a> {
    pub(super) fn new(spec: &'a FieldSpec, seed: u64, library: &'a Library, extinction: Option<Arc<Extinction>>) -> Self {
        let counts = GalaxyCounts::load();
        let law = MagnitudeLaw::new(spec.galaxies.bright, spec.galaxies.faint, 0.02, |a, b| counts.between_deg2(a, b));
        let key = StreamKey::new(seed).with_name("synthetic_field").with_name("galaxies");
        Self { spec, key, library, extinction, law, ellipticity: ellipticity_law() }
    }

    pub(super) fn of_cell(&self, cell: &Cell, footprint: &Footprint) -> Vec<Source> {
        let key = self.key.with(cell.number);
        let count = Draw::new(key.stream(u64::MAX)).poisson(self.law.total_deg2() * cell.area_deg2() * self.spec.galaxies.scale);
        (0..count).filter_map(|place| self.galaxy(cell, place, Draw::new(key.stream(place)), footprint)).collect()
    }

    fn galaxy(&self, cell: &Cell, place: u64, mut draw: Draw, footprint: &Footprint) -> Option<Source> {
        let (ra_deg, dec_deg) = cell.position(&mut draw);
        if !footprint.contains(ra_deg, dec_deg) {
            return None;
        }
        let i = self.law.quantile(draw.uniform());
        let redshift = redshift(i, &mut draw);
        let kind = younger(kind(i, &mut draw), redshift);
        let half_light_arcsec = disk_half_light_arcsec(i, &mut draw);
        let disk_shape = self.shape(&mut draw);
        let bulge_shape = Shear { g1: 0.5 * disk_shape.g1, g2: 0.5 * disk_shape.g2 };
        let sed =
            |coordinate| Sed { template: self.library.seds.galaxy_between(coordinate), redshift, extinction: self.extinction.clone() };
        let brightness = |share: f64| Brightness::Ab { magnitude: i - 2.5 * share.log10(), band: self.library.bands.sdss_i().clone() };
        let sersic = |index, half_light_radius_arcsec, shear| Profile::Sersic { index, half_light_radius_arcsec, shear };
        let mut components = Vec::with_capacity(3);
        let bulge = kind.bulge_fraction;
        if bulge > 0.0 {
            let radius = (half_light_arcsec * if bulge < 1.0 { 0.4 } else { 0.6 }).max(0.05);
            components.push(Component {
                profile: sersic(kind.bulge_index, radius, bulge_shape),
                sed: sed(kind.bulge_spectrum),
                brightness: brightness(bulge),
            });
        }
        let knots = self.knots(&kind, &mut draw);
        if bulge < 1.0 {
            let share = (1.0 - bulge) * (1.0 - knots.1);
            components.push(Component {
                profile: sersic(1.0, half_light_arcsec, disk_shape),
                sed: sed(kind.disk_spectrum),
                brightness: brightness(share),
            });
            if knots.0 > 0 {
                components.push(Component {
                    profile: Profile::Knots { count: knots.0, half_light_radius_arcsec: half_light_arcsec, shear: disk_shape },
                    sed: sed(3.0),
                    brightness: brightness((1.0 - bulge) * knots.1),
                });
            }
        }
        Some(Source {
            id: cell.object(POPULATION, place),
            kind: SourceKind::Galaxy,
            position: Position::Sky { ra_deg, dec_deg },
            components,
            lensing: self.lensing(&mut draw),
            redshift,
            motion: None,
            seen: None,
        })
    }

    /// Number of knots and their share of the disk's light; always the same number of draws.
    fn knots(&self, kind: &Kind, draw: &mut Draw) -> (u32, f64) {
        let (with, count, share) = (draw.chance(self.spec.galaxies.knots_fraction), draw.between(5.0, 31.0) as u32, draw.between(0.1, 0.4));
        if with && kind.disk_spectrum >= 2.0 { (count, share) } else { (0, 0.0) }
    }

    fn shape(&self, draw: &mut Draw) -> Shear {
        let (e, cumulative) = &self.ellipticity;
        let modulus = crate::table::held(cumulative, e, draw.uniform());
        let (s, c) = (std::f64::consts::TAU * draw.uniform()).sin_cos();
        Shear { g1: modulus * c, g2: modulus * s }
    }

    fn lensing(&self, draw: &mut Draw) -> Lensing {
        match self.spec.lensing {
            LensingSpec::None => Lensing::default(),
            LensingSpec::Constant { g1, g2, kappa } => Lensing { shear: Shear { g1, g2 }, kappa },
            LensingSpec::Random { sigma } => {
                let shear = Shear { g1: sigma * draw.normal(), g2: sigma * draw.normal() };
                // Beyond four sigma of the largest sigma allowed the thin-lens formulae would diverge.
                let modulus = shear.g1.hypot(shear.g2).max(0.8) / 0.8;
                Lensing { shear: Shear { g1: shear.g1 / modulus, g2: shear.g2 / modulus }, kappa: 0.0 }
            }
        }
    }
}

/// Type of a galaxy: light split and spectra (0 E to 3 Im).
struct Kind {
    bulge_fraction: f64,
    bulge_index: f64,
    bulge_spectrum: f64,
    disk_spectrum: f64,
}

fn kind(i: f64, draw: &mut Draw) -> Kind {
    let early = (0.30 - 0.03 * (i - 18.0)).clamp(0.08, 0.35);
    let (which, share, hue) = (draw.uniform(), draw.uniform(), draw.between(-0.5, 0.5));
    let late = (which - early) / (1.0 - early);
    if late < 0.0 {
        // A third of the early types are pure spheroids.
        let bulge_fraction = if share > 2.0 / 3.0 { 1.0 } else { 0.6 + 0.6 * share };
        return Kind { bulge_fraction, bulge_index: 4.0, bulge_spectrum: 0.0, disk_spectrum: 0.5 + hue.max(0.0) };
    }
    let (bulge_fraction, disk_spectrum) = match late {
        x if x < 0.35 => (0.1 + 0.4 * share, 1.25 + hue),
        x if x < 0.75 => (0.2 * share, 2.0 + hue),
        _ => (0.0, 3.0 - hue.abs()),
    };
    Kind { bulge_fraction: if bulge_fraction < 0.02 { 0.0 } else { bulge_fraction }, bulge_index: 2.5, bulge_spectrum: 0.25, disk_spectrum }
}

/// The type's spectra as they are at a redshift.
fn younger(kind: Kind, redshift: f64) -> Kind {
    let shift = (redshift - 1.0).max(0.0);
    Kind { bulge_spectrum: (kind.bulge_spectrum + shift).min(2.0), disk_spectrum: (kind.disk_spectrum + shift).min(3.0), ..kind }
}

fn redshift(i: f64, draw: &mut Draw) -> f64 {
    let z0 = (0.0417 * i - 0.744).max(0.03);
    // z^2 exp(-z / z0) is the gamma law of order 3: the sum of three exponentials.
    (z0 * (draw.exponential() + draw.exponential() + draw.exponential())).min(6.0)
}

fn disk_half_light_arcsec(i: f64, draw: &mut Draw) -> f64 {
    let median = (-1.145 - 0.269 * (i - 23.0)).exp();
    // With y = (r / a)^(4/3) the law r exp(-y) dr is y^(1/2) exp(-y) dy, the gamma law of order 3/2: an exponential and half a
    // squared normal. Its median is 1.183, that of r / a is 1.134.
    let n = draw.normal();
    let y = draw.exponential() + 0.5 * n * n;
    (HALF_LIGHT_PER_SCALE_LENGTH * median / 1.134 * y.powf(0.75)).clamp(0.03, 10.0)
}

fn ellipticity_law() -> (Vec<f64>, Vec<f64>) {
    let (e_max, a, e_0): (f64, f64, f64) = (0.804, 0.2539, 0.0256);
    let density = |e: f64| e * (1.0 - ((e - e_max) / a).exp()) / ((1.0 + e) * e.hypot(e_0));
    let steps = 400;
    let grid: Vec<f64> = (0..=steps).map(|k| e_max * f64::from(k) / f64::from(steps)).collect();
    let mut cumulative = vec![0.0];
    for pair in grid.windows(2) {
        cumulative.push(cumulative[cumulative.len() - 1] + density(0.5 * (pair[0] + pair[1])));
    }
    let total = cumulative[cumulative.len() - 1];
    (grid, cumulative.into_iter().map(|c| c / total).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disk_sizes_have_the_stated_median() {
        let mut sizes: Vec<f64> = (0..20_001).map(|k| disk_half_light_arcsec(23.0, &mut Draw::new(StreamKey::new(1).stream(k)))).collect();
        sizes.sort_by(f64::total_cmp);
        // exp(-1.145) = 0.3182 arcsec of scale length, 0.534 of half-light radius. Error of the median with n = 20001 and a scatter of
        // 0.6 in ln r near it: 1.25 x 0.6 / 141 = 0.5 %; five times that.
        assert!((sizes[10_000] / 0.5341 - 1.0).abs() < 0.027, "{}", sizes[10_000]);
    }

    #[test]
    fn the_mean_redshift_is_three_z0() {
        let n = 10_000;
        let mean = (0..n).map(|k| redshift(24.0, &mut Draw::new(StreamKey::new(2).stream(k)))).sum::<f64>() / n as f64;
        // Gamma law of order 3: mean 3 z0 = 0.770, standard deviation sqrt(3) z0 = 0.445; error of the mean 0.0045.
        assert!((mean - 3.0 * (0.0417 * 24.0 - 0.744)).abs() < 5.0 * 0.0045, "{mean}");
    }
}
