//! What moves through a window: passages on the sky become paths of pixels and electrons.

use crate::scenario::OrbitSpec;
use crate::sky::{self, Skipped, Sky};
use crate::unit::{Plan, Unit};
use anyhow::Context as _;
use catalogs::moving::{Cone, Passage};
use catalogs::observer::Sight;
use catalogs::solar_system::Taxon;
use instruments::description::DetectorSpec;
use instruments::effects::trails;
use sim_core::moving::{Mover, MoverKind, Movers, OrbitTruth};
use sim_core::wcs::Wcs;

/// Margin around a window from which a trail still reaches it \[arcsec\]: the blur of a satellite at 100 km.
const HALO_ARCSEC: f64 = 10.0;

/// What moves through the window during an exposure, and what of the orbits cannot be used; `None` when the scenario has no `[moving]`.
///
/// # Errors
/// For dates that the ephemeris does not have.
pub fn movers(plan: &Plan, unit: &Unit, sky: &Sky, wcs: &Wcs) -> anyhow::Result<Option<(Movers, Skipped)>> {
    let Some((moving, library)) = sky.moving() else { return Ok(None) };
    let (scenario, exposure, spec) = (&plan.scenario, &unit.exposure, plan.spec(unit));
    let orbit = scenario.observer.as_ref().and_then(|o| o.orbit.as_ref()).map(OrbitSpec::orbit);
    let boresight = scenario.observer.as_ref().map(|_| (exposure.pointing.ra_deg, exposure.pointing.dec_deg));
    let sight = Sight::new(exposure.start_mjd, exposure.time_s, orbit, boresight)?;
    let (centre, radius_deg) = circle(unit, spec, wcs);
    let cone = Cone::new(centre.0, centre.1, radius_deg);
    let aperture_m = spec.nominal(trails::ENTRY.name, "aperture").context("effects.trails.aperture is missing")?;
    let zero_electron_s = spec.band.ab_zero_electron_s(plan.instrument.area_cm2);
    let colours = Taxon::ALL.map(|taxon| moving.colour(taxon, &spec.band, library));
    let mover = |kind: MoverKind, p: &Passage| {
        let path: Vec<(f64, f64)> = p.path.iter().map(|&(ra, dec)| wcs.pixel_from_sky(ra, dec)).collect::<Option<_>>()?;
        let magnitude = p.v + colours[p.taxon as usize];
        let blur = if kind == MoverKind::Satellite { aperture_m.hypot(p.size_m) / (1000.0 * p.distance_km) } else { 0.0 };
        Some(Mover {
            kind,
            id: p.id,
            name: p.name.clone(),
            magnitude,
            electrons: zero_electron_s * 10.0_f64.powf(-0.4 * magnitude) * (p.to_s - p.from_s),
            rate_arcsec_s: p.rate_arcsec_s,
            blur_arcsec: blur.to_degrees() * 3600.0,
            orbit: Some(OrbitTruth {
                from_deg: p.path[0],
                to_deg: p.path[p.path.len() - 1],
                from_s: p.from_s,
                to_s: p.to_s,
                distance_km: p.distance_km,
                phase_deg: p.phase_deg,
                absolute_magnitude: p.absolute_magnitude,
            }),
            path,
        })
    };
    let of = |kind: MoverKind, list: &[Passage]| list.iter().filter_map(|p| mover(kind, p)).collect();
    let movers = Movers {
        satellites: moving.satellites(&sight, &cone).map(|list| of(MoverKind::Satellite, &list)),
        asteroids: sky.bodies(exposure, &sight, &field(plan, unit)).map(|list| of(MoverKind::Asteroid, &list)),
    };
    Ok(Some((movers, moving.skipped(&sight))))
}

/// Centre and radius \[deg\] of a circle about a window and what reaches it.
fn circle(unit: &Unit, spec: &DetectorSpec, wcs: &Wcs) -> ((f64, f64), f64) {
    let (centre, half_diagonal_arcsec) = sky::circle(unit.window, spec, wcs);
    (centre, (half_diagonal_arcsec + HALO_ARCSEC) / 3600.0)
}

/// A cone about the windows of all detectors that see the exposure.
fn field(plan: &Plan, unit: &Unit) -> Cone {
    let same = plan.all.iter().filter(|u| u.exposure.id == unit.exposure.id);
    let circles: Vec<((f64, f64), f64)> =
        same.map(|u| circle(u, plan.spec(u), &plan.instrument.wcs(plan.spec(u), &u.exposure.pointing))).collect();
    Cone::around(&circles)
}
