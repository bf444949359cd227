//! What a row of galaxies says, and the components it becomes.
//!
//! A bulge and a disk: their shares, radii and shapes as the catalogue has them. Assumed where it does not: no bulge; a bulge of 0.4 of
//! the disk's radius and its shape; Sersic index 4 for a bulge alone, 2.5 beside a disk, 1 for disks; spectra between elliptical and
//! early spiral (0.25) for bulges and late spiral (2) for disks, one type later per unit of redshift beyond 1, as in the synthetic field.

use super::columns::Mapped;
use super::rows::{Fault, Filled, optional};
use super::units::Scale;
use crate::Library;
use sim_core::bandpass::Bandpass;
use sim_core::source::{Brightness, Component, Lensing, Profile, Shear};
use sim_core::spectrum::{Extinction, Sed};
use std::sync::Arc;

/// Half-light radius where it is not known \[arcsec\] (assumed: the median of the synthetic field at i = 24).
const RADIUS_ARCSEC: f64 = 0.4;
/// Largest modulus of an ellipticity (1 - q) / (1 + q).
const ROUNDEST: f64 = 0.95;

/// A galaxy as its row has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Galaxy {
    pub(super) redshift: f64,
    disk: (f64, Shear),
    bulge: (f64, Shear),
    bulge_fraction: f64,
    types: (f64, f64),
    pub(super) lensing: Lensing,
}

/// Components of a shape within the unit circle.
fn shape(
    a: (&Option<super::columns::Values<'_>>, &Option<super::columns::Values<'_>>),
    row: usize,
    sign: f64,
) -> Result<Option<Shear>, Fault> {
    let one = |column| optional(column, row, -1.0, 1.0, "-1..1");
    let (Some(g1), Some(g2)) = (one(a.0.as_ref())?, one(a.1.as_ref())?) else { return Ok(None) };
    let modulus = g1.hypot(g2);
    if modulus >= 1.0 {
        let (name, shown) = a.0.as_ref().map_or(("", String::new()), |c| (c.name, c.shown(row)));
        return Err(Fault { column: name.into(), value: format!("{shown} with a modulus of {modulus:.3}"), range: "a modulus below 1" });
    }
    // Nothing is thinner than what can be drawn.
    let held = (ROUNDEST / modulus.max(ROUNDEST)).min(1.0);
    Ok(Some(Shear { g1: g1 * held, g2: sign * g2 * held }))
}

/// Geometric mean of the axes where there are two.
fn radius(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a * b).sqrt()),
        (a, _) => a,
    }
}

pub(super) fn galaxy(m: &Mapped<'_>, row: usize, sign: f64, filled: &mut Filled) -> Result<Galaxy, Fault> {
    let redshift = optional(m.redshift.as_ref(), row, -0.01, 20.0, "-0.01..20")?.map(|z| z.max(0.0));
    let redshift = filled.or(redshift, "redshift", 0.0, "0");
    let size = |column| optional(column, row, 0.0, 300.0, "0..300 arcsec");
    let disk_radius = radius(size(m.half_light_radius.as_ref())?, size(m.half_light_radius_minor.as_ref())?);
    let bulge_radius = radius(size(m.bulge_radius.as_ref())?, size(m.bulge_radius_minor.as_ref())?);
    let mut share = optional(m.bulge_fraction.as_ref(), row, 0.0, 1.0, "0..1")?;
    if share.is_none() {
        let mass = |column| optional(column, row, 0.0, 1e15, "0..1e15 Msun");
        if let (Some(bulge), Some(disk)) = (mass(m.bulge_mass.as_ref())?, mass(m.disk_mass.as_ref())?) {
            share = (bulge + disk > 0.0).then(|| bulge / (bulge + disk));
        }
    }
    let bulge_fraction = filled.or(share, "bulge_fraction", 0.0, "0 (a disk, assumed)");
    let disk_radius = disk_radius.or_else(|| bulge_radius.filter(|_| bulge_fraction >= 1.0));
    let disk_radius = filled.or(disk_radius, "half_light_radius", RADIUS_ARCSEC, "0.4 arcsec (assumed)");
    let disk_shape = shape((&m.e1, &m.e2), row, sign)?;
    let disk_shape = match disk_shape {
        Some(shape) => shape,
        None => {
            filled.or(None, "e1", 0.0, "round (assumed)");
            Shear::default()
        }
    };
    let bulge_shape = shape((&m.bulge_e1, &m.bulge_e2), row, sign)?.unwrap_or(disk_shape);
    let lens = shape((&m.shear1, &m.shear2), row, sign)?.unwrap_or_default();
    let kappa = optional(m.kappa.as_ref(), row, -1.0, 0.9, "-1..0.9")?.unwrap_or(0.0);
    // Catalogues give the shear gamma; images are distorted by the reduced shear g = gamma / (1 - kappa).
    let reduced = Shear { g1: lens.g1 / (1.0 - kappa), g2: lens.g2 / (1.0 - kappa) };
    let strength = reduced.g1.hypot(reduced.g2).max(0.9) / 0.9;
    let lensing = Lensing { shear: Shear { g1: reduced.g1 / strength, g2: reduced.g2 / strength }, kappa };
    let kind = optional(m.galaxy_type.as_ref(), row, 0.0, 3.0, "0..3 (elliptical to irregular)")?;
    let later = (redshift - 1.0).max(0.0);
    let types = match kind {
        Some(kind) => (kind.min(1.0), kind),
        None => {
            filled.or(None, "galaxy_type", 0.0, "early for bulges, late spiral for disks, later beyond redshift 1 (assumed)");
            ((0.25 + later).min(2.0), (2.0 + later).min(3.0))
        }
    };
    let bulge_radius = bulge_radius.unwrap_or(if bulge_fraction < 1.0 { 0.4 * disk_radius } else { disk_radius });
    Ok(Galaxy { redshift, disk: (disk_radius, disk_shape), bulge: (bulge_radius, bulge_shape), bulge_fraction, types, lensing })
}

impl Galaxy {
    pub(super) fn components(
        &self,
        magnitude: f64,
        band: &Arc<Bandpass>,
        extinction: Option<&Arc<Extinction>>,
        library: &Library,
    ) -> Vec<Component> {
        let part = |share: f64, index: f64, (radius, shear): (f64, Shear), kind: f64| Component {
            // Smaller than a twentieth of a pixel of the survey camera is a point to it, and stays a profile.
            profile: Profile::Sersic { index, half_light_radius_arcsec: radius.max(0.005), shear },
            sed: Sed {
                template: library.seds.galaxy_at(kind, 0.0, self.redshift),
                redshift: self.redshift,
                extinction: extinction.cloned(),
            },
            brightness: Brightness::Ab { magnitude: magnitude - 2.5 * share.log10(), band: band.clone() },
        };
        let mut components = Vec::with_capacity(2);
        if self.bulge_fraction > 0.0 {
            let index = if self.bulge_fraction < 1.0 { 2.5 } else { 4.0 };
            components.push(part(self.bulge_fraction, index, self.bulge, self.types.0));
        }
        if self.bulge_fraction < 1.0 {
            components.push(part(1.0 - self.bulge_fraction, 1.0, self.disk, self.types.1));
        }
        components
    }
}

/// Magnitudes in which a Vega offset is needed.
pub(super) fn is_vega(m: &Mapped<'_>) -> bool {
    [&m.magnitude, &m.absolute_magnitude].into_iter().flatten().any(|c| c.scale == Scale::Vega)
}
