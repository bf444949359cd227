//! Populations that are few enough to be kept: Trojans of Jupiter and bodies beyond Neptune.
//!
//! Bodies come in order of H as arrivals in N(H), so that a fainter limit adds bodies and changes none.

use super::zones::Zone;
use super::{EPOCH_MJD, body, surface};
use crate::draw::Draw;
use crate::solar_system::ellipse::Elements;
use crate::solar_system::look::Body;
use sim_core::stream::StreamKey;

/// Mean longitude of Jupiter at the epoch of the population \[deg\]: 34.396 + 3034.746 deg per century of 2000.0 (Standish & Williams, approximate positions of the
/// planets, ssd.jpl.nasa.gov).
const JUPITER_DEG: f64 = 34.396_440_51 + 3_034.746_127_75 * 0.3;

/// Bodies of a zone.
pub(super) struct List {
    pub bodies: Vec<Body>,
    pub zone: u64,
    pub prefix: &'static str,
}

impl List {
    pub fn new(zone: &Zone, number: u64, key: StreamKey, scale: f64, faint: f64) -> Self {
        let key = key.with(number);
        let mut arrivals = Draw::new(key.with_name("order").stream(0));
        let mut bodies = Vec::new();
        let mut order = 0.0;
        // Nothing nearer than its least perihelion, seen from 1.02 au.
        let nearest = (zone.q_au.0 * (zone.q_au.0 - 1.02)).max(0.1);
        let faintest = faint - 5.0 * nearest.log10();
        loop {
            // Without bodies the first arrival is infinitely far.
            order += arrivals.exponential() / scale;
            let Some(h) = zone.law.limit_of(order).filter(|h| *h <= faintest) else { break };
            let draw = Draw::new(key.stream(bodies.len() as u64));
            bodies.push(one(zone, h, draw));
        }
        Self { bodies, zone: number, prefix: zone.prefix }
    }
}

fn one(zone: &Zone, h: f64, mut draw: Draw) -> Body {
    let rayleigh = |draw: &mut Draw, sigma: f64| sigma * (2.0 * draw.exponential()).sqrt();
    let a_au = draw.between(zone.a_au.0, zone.a_au.1);
    // Rayleigh between the limits of the perihelion.
    let left = |e: f64| (-0.5 * (e / zone.e_sigma).powi(2)).exp();
    let limit = |q_au: f64| left((1.0 - q_au / a_au).clamp(0.0, 0.97));
    let e = zone.e_sigma * (-2.0 * draw.between(limit(zone.q_au.0), limit(zone.q_au.1)).ln()).max(0.0).sqrt();
    let inclination_deg = rayleigh(&mut draw, zone.i_sigma_deg).min(90.0);
    let (node_deg, perihelion_deg, turn) = (draw.between(0.0, 360.0), draw.between(0.0, 360.0), draw.between(0.0, 360.0));
    let offset = draw.normal();
    let mean_anomaly_deg = match zone.resonance_deg {
        Some((from_jupiter, width)) => (JUPITER_DEG + from_jupiter + width * offset - node_deg - perihelion_deg).rem_euclid(360.0),
        None => turn,
    };
    let taxon = surface(&mut draw, &zone.surfaces);
    let elements = Elements { a_au, e, inclination_deg, node_deg, perihelion_deg, mean_anomaly_deg, epoch_mjd: EPOCH_MJD };
    body(&elements, h, taxon)
}
