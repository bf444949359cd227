//! Apparent places for a check by others: `cargo run --release -p catalogs --example observer_places -- OUT.csv [COUNT]`.
//!
//! Random stars (seeded) at random dates of 2024 to 2038, on an orbit: date, geocentric state of the observer, catalogue values, apparent place.

use catalogs::observer::{Observer, Orbit};
use sim_core::source::Motion;
use sim_core::stream::StreamKey;
use std::error::Error;
use std::io::Write;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().ok_or("usage: observer_places OUT.csv [COUNT]")?;
    let count: u64 = arguments.next().map_or(Ok(2000), |n| n.parse())?;
    let orbit = Orbit { altitude_km: 400.0, inclination_deg: 41.5, node_deg: 120.0, phase_deg: 0.0, epoch_mjd: 61_000.0 };
    let mut file = std::io::BufWriter::new(std::fs::File::create(out)?);
    writeln!(file, "mjd,x,y,z,vx,vy,vz,ra,dec,pmra,pmdec,parallax,rv,epoch,ra_seen,dec_seen")?;
    for k in 0..count {
        let stream = StreamKey::new(2026).with_name("observer").stream(k);
        let unit = |word: u64| (f64::from(stream.word(word)) + 0.5) / 4_294_967_296.0;
        let mjd = 60_310.0 + 5114.0 * unit(0);
        let (ra, dec) = (360.0 * unit(1), (2.0 * unit(2) - 1.0).asin().to_degrees());
        // Every third stands still.
        let moves = if k % 3 == 0 { 0.0 } else { 1.0 };
        let motion = Motion {
            pm_ra_mas_yr: moves * 4000.0 * (unit(3) - 0.5),
            pm_dec_mas_yr: moves * 4000.0 * (unit(4) - 0.5),
            parallax_mas: 700.0 * unit(5).powi(6),
            radial_velocity_km_s: moves * 400.0 * (unit(6) - 0.5),
            epoch_year: if k % 2 == 0 { 2016.0 } else { 2000.0 },
        };
        let state = orbit.state(mjd);
        let seen = Observer::new(mjd, Some(&orbit))?.proper(ra, dec, Some(&motion));
        let Motion { pm_ra_mas_yr, pm_dec_mas_yr, parallax_mas, radial_velocity_km_s, epoch_year } = motion;
        let numbers = [mjd].into_iter().chain(state.into_iter().flatten()).chain([
            ra,
            dec,
            pm_ra_mas_yr,
            pm_dec_mas_yr,
            parallax_mas,
            radial_velocity_km_s,
            epoch_year,
            seen.0,
            seen.1,
        ]);
        writeln!(file, "{}", numbers.map(|n| format!("{n:.17e}")).collect::<Vec<_>>().join(","))?;
    }
    Ok(())
}
