//! Bodies of the synthetic solar system per square degree: `cargo run --release -p catalogs --example solar_system_counts -- [SEED]`.
//!
//! Main belt at opposition by magnitude and ecliptic latitude, other kinds on the ecliptic, and what a field costs.

use catalogs::moving::Cone;
use catalogs::observer::{Orbit, Sight};
use catalogs::solar_system::population::Population;
use cpu_time::ProcessTime;
use std::error::Error;

/// 21 September 2027: opposition is at the first point of Aries.
const EQUINOX_MJD: f64 = 61_669.0;

fn main() -> Result<(), Box<dyn Error>> {
    let seed: u64 = std::env::args().nth(1).map_or(Ok(7), |s| s.parse())?;
    let orbit = Orbit { altitude_km: 400.0, inclination_deg: 42.0, node_deg: 30.0, phase_deg: 10.0, epoch_mjd: EQUINOX_MJD };
    let moment = Sight::new(EQUINOX_MJD, 0.001, Some(orbit), None)?;
    let start = ProcessTime::now();
    let population = Population::new(seed, 1.0, 26.0);
    println!("made ready in {:.2} CPU-s", start.elapsed().as_secs_f64());
    let radius_deg = 1.5;
    let area = std::f64::consts::PI * radius_deg * radius_deg;
    // Ecliptic latitude at longitude 0 is declination times the cosine of the obliquity, nearly.
    for latitude in [0.0, 5.0, 10.0, 15.0, 20.0, 30.0] {
        let found = population.passages(&moment, &Cone::new(0.0, latitude / 0.9175, radius_deg));
        let of = |prefix: &str, faint: f64| found.iter().filter(|p| p.name.starts_with(prefix) && p.v < faint).count() as f64 / area;
        let counts: Vec<String> = [21.4, 22.4, 23.4, 24.4, 25.4, 26.0].iter().map(|v| format!("{:7.1}", of("M", *v))).collect();
        println!(
            "latitude {latitude:4.1}: main belt above V = 21.4 22.4 23.4 24.4 25.4 26.0:{}; V < 25: near-Earth {:.2}, Trojans {:.2}, beyond Neptune {:.2}",
            counts.join(""),
            of("N", 25.0),
            of("T", 25.0),
            of("K", 25.0)
        );
    }
    let rates: Vec<f64> = population
        .passages(&Sight::new(EQUINOX_MJD, 150.0, Some(orbit), None)?, &Cone::new(0.0, 0.0, radius_deg))
        .iter()
        .filter(|p| p.name.starts_with('M'))
        .map(|p| p.rate_arcsec_s * 3600.0)
        .collect();
    println!("main belt at opposition: mean rate {:.1} arcsec / h", rates.iter().sum::<f64>() / rates.len() as f64);
    let population = Population::new(seed, 1.0, 25.0);
    for (name, ra, dec, radius_deg) in [("chip", 0.0, 0.0, 0.14), ("field", 0.0, 0.0, 0.8), ("chip at 60 deg", 0.0, 60.0, 0.14)] {
        for years in [0.0, 5.0] {
            let sight = Sight::new(EQUINOX_MJD + 365.25 * years, 150.0, Some(orbit), None)?;
            let start = ProcessTime::now();
            let found = population.passages(&sight, &Cone::new(ra, dec, radius_deg));
            println!(
                "{name}, radius {radius_deg} deg, {years} years later: {} bodies above V = 25 in {:.2} CPU-s",
                found.len(),
                start.elapsed().as_secs_f64()
            );
        }
    }
    Ok(())
}
