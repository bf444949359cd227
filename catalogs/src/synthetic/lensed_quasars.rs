//! Quasars behind strong lenses of the synthetic field.
//!
//! # Effect
//! Two to four images of one quasar around a galaxy, each as bright as the quasar was when its light set out; the host of the quasar as arcs.
//! # Formula
//! Pairs: `lens_pairs.rs`, sources with the density of [`crate::quasars::Luminosity`] to 3 mag below the limit. A pair is a lens when the quasar has several images, theta_E is at
//! least the least one and all images together are brighter on average than the limit. An image is dimmer by -2.5 lg of its magnification than the quasar, and shows it
//! earlier than the first image by the delay (`lenses.rs`).
//! # Symbols
//! i AB magnitude of the nucleus, its mean over time.
//! # Source
//! The model of Oguri & Marshall 2010 (MNRAS 405, 2579; from the repository drphilmarshall/OM10): velocity dispersions of Choi et al. 2007, isothermal ellipsoids in shear. Their numbers, for images
//! 0.5 to 4 arcsec apart of which the fainter (the third of four) has i < 24.9, flux ratio of two above 0.1: 8191 on 20,000 deg2 (LSST, one year), 13 % with four images, 3.5e-4 of the quasars; 1146 on 5000
//! deg2 at 24.0 and 0.6 arcsec (DES). The published functions of quasars differ.
//! # Limits
//! Images stay where they are and are never micro-lensed; no dust in the deflector. Images belong to the window in which their deflector lies. Quasars of the field itself are not lensed.
//! # Twin
//! None.

use super::FieldSpec;
use super::galaxies::GalaxyField;
use super::grid::Cell;
use super::lens_pairs::{LensPairs, Spot};
use super::lenses::{Lens, deflector_light, delays_d, source, traced};
use super::quasars::QuasarModel;
use crate::cosmos::Background;
use crate::direction::shifted;
use crate::draw::Draw;
use crate::lenses::LensRate;
use crate::{Footprint, Library};
use sim_core::source::SourceKind;
use sim_core::stream::StreamKey;

/// Population number in the object's number.
const POPULATION: u64 = 6;
/// Places in an object's number for a lens: deflector, five images, host.
const PLACES: u64 = 8;
const HOST_PLACE: u64 = 7;
/// Brightest source before lensing, brightening beyond which none is looked for \[mag\].
const BRIGHTEST: f64 = 14.0;
const GAIN_MAG: f64 = 3.0;

pub(super) struct LensedQuasars {
    pairs: LensPairs,
    quasars: QuasarModel,
}

impl LensedQuasars {
    pub(super) fn new(spec: &FieldSpec, key: StreamKey, background: &Background, library: &Library) -> Self {
        let quasars = QuasarModel::new(spec, library, (BRIGHTEST, spec.lenses.faint + GAIN_MAG));
        let (slices, half) = quasars.slices();
        let sources: Vec<(f64, f64)> = slices.iter().map(|(z, law)| (background.distance(z + half), law.total_deg2())).collect();
        let rate = LensRate::new(background, &sources, spec.lenses.least_einstein_arcsec);
        Self { pairs: LensPairs::new(rate, key), quasars }
    }
    pub(super) fn of_cells(&self, cells: &[Cell], footprint: &Footprint, field: &GalaxyField<'_>, mjd: f64) -> Vec<Lens> {
        let lens = |spot: Spot<'_>, draw: Draw| self.lens(spot, draw, footprint, field, mjd);
        self.pairs.of_cells(cells, field.spec.lenses.quasars, field, lens)
    }
    fn lens(&self, spot: Spot<'_>, mut draw: Draw, footprint: &Footprint, field: &GalaxyField<'_>, mjd: f64) -> Option<Lens> {
        let at = spot.cell.position(&mut draw);
        if !footprint.contains(at.0, at.1) {
            return None;
        }
        let background = &field.model.structure.background;
        let chance = self.pairs.draw(&mut draw);
        let (slices, half) = self.quasars.slices();
        let source_redshift = slices[chance.shell].0 + draw.between(-half, half);
        let source_i = slices[chance.shell].1.quantile(draw.uniform());
        let (source_at, deflector, sie) = self.pairs.aligned(spot, &chance, source_redshift, field, &mut draw)?;
        let images = sie.images(source_at);
        let magnification: f64 = images.iter().map(|i| i.magnification.abs()).sum();
        let images_i = source_i - 2.5 * magnification.log10();
        if images.len() < 2 || images_i > field.spec.lenses.faint {
            return None;
        }
        let delays_d = delays_d(&sie, &images, deflector.redshift, source_redshift, background);
        let looks =
            self.quasars.looks((source_i, source_redshift), &field.spec.quasars, field.library, field.extinction.as_ref(), &mut draw);
        let (galaxy, deflector_i, deflector_radius_arcsec) = deflector_light(&deflector, field, &mut draw);
        let id = |place: u64| spot.cell.object(POPULATION, PLACES * spot.number + place);
        let mut sources = vec![source((id(0), SourceKind::LensGalaxy), at, deflector.redshift, vec![galaxy])];
        let key = self.pairs.key.with(spot.cell.number).with(spot.number);
        for ((place, image), delay) in (1..HOST_PLACE).zip(&images).zip(&delays_d) {
            let [east, north] = image.at.map(|arcsec| (arcsec / 3600.0).to_radians());
            let point = looks.nucleus(key, mjd - delay, -2.5 * image.magnification.abs().log10());
            sources.push(source((id(place), SourceKind::LensedQuasar), shifted(at, east, north), source_redshift, vec![point]));
        }
        if let Some(host) = looks.host {
            let (arcs, _) = traced(&sie, source_at, &images, &[host]);
            sources.push(source((id(HOST_PLACE), SourceKind::LensedGalaxy), at, source_redshift, arcs));
        }
        Some(Lens {
            at,
            deflector,
            deflector_i,
            deflector_radius_arcsec,
            sie,
            source_redshift,
            source_i,
            source_radius_arcsec: 0.0,
            source_at,
            images,
            delays_d,
            images_i,
            magnification,
            sources,
        })
    }
}
