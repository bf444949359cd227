//! Quasars of the synthetic field.
//!
//! # Effect
//! Points with lines in their spectra, in galaxies of their own, whose brightness depends on the date.
//! # Formula
//! Per cell a Poisson number with the density of [`crate::quasars::Luminosity`]; redshift and i magnitude from it, the spectrum by luminosity; the
//! brightness at the date by [`crate::quasars::Wander`] at the wavelength of i. A tenth has dust of its own, exponential with mean 0.07 mag. Host: light
//! at 400 to 500 nm at rest 0.323 10^(0.126 (M_i + 23)) times the quasar's, early-type, half-light radius 3 kpc, Sersic index 2.5.
//! Where the field's galaxies cluster a quasar is kept with probability exp(r g - r^2 v / 2) / 6, g and v of [`crate::cosmos::Structure::smooth`], r = b over
//! the bias of galaxies, 0.5 to 3, b = 0.278 ((1 + z)^2 - 6.565) + 2.393.
//! # Symbols
//! i AB magnitude of the nucleus, its mean over time; M_i its absolute magnitude at z = 2.
//! # Source
//! Bias: Laurent et al. 2017 (JCAP 07, 017), as remembered. Host light: Temple, Hewett & Banerji 2021 (MNRAS 508, 737), fraction 0.244 at M_i = -23, host ~ L^0.684. Dust: 2.5 % of quasars without broad absorption have
//! E(B-V) > 0.1 (Krawczyk et al. 2015, AJ 149, 203), which a tenth with a mean of 0.07 gives (2.4 %), the share as remembered; its shape, and size and index of hosts: assumed.
//! # Limits
//! Not lensed; scattered evenly in a field without clustered galaxies. Hosts are drawn besides the galaxies of the field; nuclei fainter than M_g(z = 2) = -18 are in those
//! (`nuclei.rs`), none here. A host is as bright as its nucleus is on average, without scatter.
//! # Twin
//! None.

use super::FieldSpec;
use super::counts::MagnitudeLaw;
use super::grid::Cell;
use crate::cosmos::{Background, Structure, galaxy_bias};
use crate::draw::Draw;
use crate::quasars::{Luminosity, QuasarSpectra, Wander, lg_mass};
use crate::{Footprint, Library};
use serde::{Deserialize, Serialize};
use sim_core::bandpass::Bandpass;
use sim_core::source::{Brightness, Component, Lensing, Position, Profile, Shear, Source, SourceKind};
use sim_core::spectrum::{Extinction, Sed};
use sim_core::stream::StreamKey;
use sim_core::units::Nanometre;
use std::sync::Arc;

/// Population number in the object's number and key.
const POPULATION: u64 = 2;
/// Share of quasars with dust of their own, and its mean \[mag\].
const DUSTY: (f64, f64) = (0.1, 0.07);
/// Spectrum of hosts: between E and Sbc.
const HOST_TYPE: f64 = 0.25;
/// Density over the mean up to which quasars are kept, and the largest bias over that of galaxies.
const CREST: f64 = 6.0;
const MOST_RATIO: f64 = 3.0;
/// Half-light radius of hosts \[kpc\].
const HOST_KPC: f64 = 3.0;

/// Quasars of the field.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QuasarSpec {
    /// Factor on the density, 0 to 1000; 0 for none.
    pub scale: f64,
    /// Brightest mean i magnitude, 14 to 28.
    pub bright: f64,
    /// Faintest mean i magnitude, 14 to 28.
    pub faint: f64,
    /// Whether brightness changes with the date.
    pub variable: bool,
    /// Whether host galaxies are shown.
    pub hosts: bool,
}

impl Default for QuasarSpec {
    fn default() -> Self {
        Self { scale: 0.0, bright: 15.0, faint: 26.5, variable: true, hosts: true }
    }
}

/// What holds at every place of the sky.
pub(super) struct QuasarModel {
    spectra: QuasarSpectra,
    luminosity: Luminosity,
    slices: Vec<(f64, MagnitudeLaw)>,
    /// Quasars in the slices so far \[1 / deg2\].
    cumulative: Vec<f64>,
    background: Background,
}

/// The Galaxy's dust in front.
pub(super) type Dust<'a> = Option<&'a Arc<Extinction>>;

/// The light of a quasar.
pub(super) struct Looks {
    nucleus: Sed,
    band: Arc<Bandpass>,
    /// Mean magnitude of the nucleus in the band.
    i: f64,
    /// The galaxy around it, if it is shown.
    pub(super) host: Option<Component>,
    /// None where brightness does not change.
    wander: Option<Wander>,
}

pub(super) struct QuasarField<'a> {
    pub spec: &'a FieldSpec,
    pub key: StreamKey,
    pub library: &'a Library,
    pub extinction: Option<Arc<Extinction>>,
    pub model: &'a QuasarModel,
    pub mjd: f64,
    /// None where they are scattered evenly.
    pub structure: Option<&'a Structure>,
}

impl QuasarModel {
    /// For mean i magnitudes between two limits.
    pub(super) fn new(spec: &FieldSpec, library: &Library, (bright, faint): (f64, f64)) -> Self {
        let spectra = QuasarSpectra::new();
        let luminosity = Luminosity::new(&spectra, &library.bands, library.bands.sdss_i());
        let slices = luminosity.slices(bright, faint);
        let mut total = 0.0;
        let cumulative = slices
            .iter()
            .map(|(_, law)| {
                total += law.total_deg2();
                total
            })
            .collect();
        Self { spectra, luminosity, slices, cumulative, background: Background::new(spec.cosmology) }
    }
    fn total_deg2(&self) -> f64 {
        self.cumulative[self.cumulative.len() - 1]
    }
    /// Slices of redshift (their middles) with the law of magnitude in each, and half the width of one.
    pub(super) fn slices(&self) -> (&[(f64, MagnitudeLaw)], f64) {
        (&self.slices, 0.5 * (self.slices[1].0 - self.slices[0].0))
    }
    /// The light of a quasar of a mean i magnitude at a redshift.
    pub(super) fn looks(&self, (i, redshift): (f64, f64), spec: &QuasarSpec, library: &Library, dust: Dust<'_>, draw: &mut Draw) -> Looks {
        let absolute_i = self.luminosity.absolute_i(self.luminosity.absolute(i, redshift));
        let (is_dusty, reddening) = (draw.chance(DUSTY.0), DUSTY.1 * draw.exponential());
        let mass = lg_mass(absolute_i, draw.normal());
        let shape = shape(draw);
        let kind = QuasarSpectra::kind(absolute_i);
        let sed = |template| Sed { template, redshift, extinction: dust.cloned() };
        let band = library.bands.sdss_i();
        let nucleus = sed(self.spectra.at(kind, if is_dusty { reddening } else { 0.0 }, redshift));
        let host = spec.hosts.then(|| {
            let host = sed(library.seds.galaxy_at(HOST_TYPE, 0.0, redshift));
            let ratio = 0.323 * 10.0_f64.powf(0.126 * (absolute_i + 23.0));
            // The nucleus's own dust does not dim its host.
            let clear = sed(self.spectra.at(kind, 0.0, redshift));
            let lost = -2.5 * (band.mean_fnu(&nucleus) / band.mean_fnu(&clear)).log10();
            let share = ratio * (band.mean_fnu(&host) / visual(&host)) / (band.mean_fnu(&clear) / visual(&clear));
            let radius = (HOST_KPC * self.background.arcsec_per_kpc(redshift)).clamp(0.03, 10.0);
            (share.is_finite() && share > 0.0 && lost.is_finite()).then(|| Component {
                profile: Profile::Sersic { index: 2.5, half_light_radius_arcsec: radius, shear: shape },
                sed: host,
                brightness: Brightness::Ab { magnitude: i - lost - 2.5 * share.log10(), band: band.clone() },
            })
        });
        let wander = spec.variable.then(|| Wander::of(band.pivot_nm(), redshift, absolute_i, mass));
        Looks { nucleus, band: band.clone(), i, host: host.flatten(), wander }
    }
}

impl Looks {
    /// The nucleus as it is at a date, `key` being the object's, dimmer by some magnitudes.
    pub(super) fn nucleus(&self, key: StreamKey, mjd: f64, dimmer: f64) -> Component {
        let change = self.wander.map_or(0.0, |wander| wander.at(key, mjd));
        let brightness = Brightness::Ab { magnitude: self.i + change + dimmer, band: self.band.clone() };
        Component { profile: Profile::Point, sed: self.nucleus.clone(), brightness }
    }
}

impl QuasarField<'_> {
    pub(super) fn of_cell(&self, cell: &Cell, footprint: &Footprint) -> Vec<Source> {
        let key = self.key.with(cell.number);
        let most = if self.structure.is_some() { CREST } else { 1.0 };
        let mean = most * self.model.total_deg2() * cell.area_deg2() * self.spec.quasars.scale;
        let count = Draw::new(key.stream(u64::MAX)).poisson(mean);
        (0..count)
            .filter_map(|place| {
                let mut draw = Draw::new(key.stream(place));
                let at = cell.position(&mut draw);
                let thin = Draw::new(key.with_name("structure").stream(place)).uniform();
                footprint.contains(at.0, at.1).then(|| self.quasar(cell.object(POPULATION, place), at, key.with(place), draw, thin))?
            })
            .collect()
    }

    fn quasar(&self, id: u64, at: (f64, f64), key: StreamKey, mut draw: Draw, thin: f64) -> Option<Source> {
        let model = self.model;
        let u = draw.uniform() * model.total_deg2();
        let slice = model.cumulative.partition_point(|&c| c < u).min(model.slices.len() - 1);
        let half_width = model.slices().1;
        let redshift = model.slices[slice].0 + draw.between(-half_width, half_width);
        if self.structure.is_some_and(|structure| thin * CREST > crowding(structure, at, redshift)) {
            return None;
        }
        let i = model.slices[slice].1.quantile(draw.uniform());
        let looks = model.looks((i, redshift), &self.spec.quasars, self.library, self.extinction.as_ref(), &mut draw);
        let components = std::iter::once(looks.nucleus(key, self.mjd, 0.0)).chain(looks.host).collect();
        Some(Source {
            id,
            kind: SourceKind::Quasar,
            position: Position::Sky { ra_deg: at.0, dec_deg: at.1 },
            components,
            lensing: Lensing::default(),
            redshift,
            motion: None,
            seen: None,
        })
    }
}

/// Ellipticity of a host.
fn shape(draw: &mut Draw) -> Shear {
    let (modulus, angle) = (draw.between(0.0, 0.3), std::f64::consts::TAU * draw.uniform());
    Shear { g1: modulus * angle.cos(), g2: modulus * angle.sin() }
}

/// Density of quasars at a place (ra, dec) \[deg\] and a redshift over the mean.
fn crowding(structure: &Structure, (ra_deg, dec_deg): (f64, f64), z: f64) -> f64 {
    let bias = 0.278 * ((1.0 + z).powi(2) - 6.565) + 2.393;
    let ratio = (bias / galaxy_bias(&structure.background, z)).clamp(0.5, MOST_RATIO);
    structure.crowding(structure.shells.at(structure.background.distance(z)), ra_deg, dec_deg, ratio)
}

/// Mean f_lambda of a template between 400 and 500 nm at rest.
fn visual(sed: &Sed) -> f64 {
    (0..20).map(|k| sed.template.at(Nanometre(402.5 + 5.0 * f64::from(k)))).sum::<f64>() / 20.0
}
