//! Places of what moves for a check by others: `cargo run --release -p catalogs --example moving_places -- ORBITS.csv ELEMENTS.tle OUT.csv`.
//!
//! All orbits of the file, and all sunlit satellites, at 40 dates, from a low orbit and with a boresight: date and geocentric state of the observer, boresight,
//! astrometric place, place shown in the nominal world coordinates, V, distance, phase.

use catalogs::moving::{Cone, Passage};
use catalogs::observer::{Orbit, Sight};
use catalogs::satellites::{SatelliteSpec, Satellites};
use catalogs::solar_system::{SolarSystem, SolarSystemSpec, Taxon};
use sim_core::stream::StreamKey;
use std::error::Error;
use std::io::Write;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [orbits, elements, out] = arguments.as_slice() else { return Err("usage: moving_places ORBITS.csv ELEMENTS.tle OUT.csv".into()) };
    let bodies = SolarSystemSpec::File { path: orbits.into(), faint: 40.0, taxon: Taxon::C, on_bad_row: Default::default() };
    let bodies = SolarSystem::new(&bodies, 1)?;
    let satellites = SatelliteSpec::File { path: elements.into(), magnitude: 7.0, scatter_mag: 0.0, size_m: 3.0, faint: 40.0 };
    let satellites = Satellites::new(&satellites, 1)?;
    let orbit = Orbit { altitude_km: 400.0, inclination_deg: 41.5, node_deg: 120.0, phase_deg: 0.0, epoch_mjd: 60_400.0 };
    let mut file = std::io::BufWriter::new(std::fs::File::create(out)?);
    writeln!(file, "kind,name,mjd,x,y,z,vx,vy,vz,ra0,dec0,ra,dec,ra_shown,dec_shown,v,distance_km,phase_deg,rate_arcsec_s")?;
    let everywhere = Cone::new(0.0, 0.0, 180.0);
    // A millisecond: the start of the path is the place at the date.
    let time_s = 0.001;
    for k in 0..40 {
        let stream = StreamKey::new(2026).with_name("moving").stream(k);
        let unit = |word: u64| (f64::from(stream.word(word)) + 0.5) / 4_294_967_296.0;
        let mjd = 60_400.0 + 4.0 * unit(0);
        let boresight = (360.0 * unit(1), (2.0 * unit(2) - 1.0).asin().to_degrees());
        let plain = Sight::new(mjd, time_s, Some(orbit), None)?;
        let seen = Sight::new(mjd, time_s, Some(orbit), Some(boresight))?;
        let state = orbit.state(mjd);
        let mut write = |kind: &str, at: &Passage, shown: &Passage| -> std::io::Result<()> {
            let numbers = [mjd].into_iter().chain(state.into_iter().flatten()).chain([
                boresight.0,
                boresight.1,
                at.path[0].0,
                at.path[0].1,
                shown.path[0].0,
                shown.path[0].1,
                at.v,
                at.distance_km,
                at.phase_deg,
                at.rate_arcsec_s,
            ]);
            writeln!(file, "{kind},{},{}", at.name, numbers.map(|n| format!("{n:.17e}")).collect::<Vec<_>>().join(","))
        };
        for (at, shown) in bodies.passages(&plain, &everywhere).iter().zip(&bodies.passages(&seen, &everywhere)) {
            write("body", at, shown)?;
        }
        for (at, shown) in satellites.passages(&plain, &everywhere).iter().zip(&satellites.passages(&seen, &everywhere)) {
            write("satellite", at, shown)?;
        }
    }
    Ok(())
}
