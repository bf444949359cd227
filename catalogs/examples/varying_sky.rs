//! Numbers behind quasars and supernovae as CSV files, for comparison with other programs.
//!
//! varying_sky FOLDER: `colours.csv` (AB colours of quasars without dust and host by redshift), `walks.csv` (a damped walk of 2000 objects at 8 dates), `counts.csv`
//! (quasars by r and redshift), `supernovae.csv` (AB magnitudes of a mean Ia of M_B = -19.3 in the bands g, r, i, z by day and redshift), `rates.csv`.

use catalogs::Library;
use catalogs::cosmos::{Background, Cosmology};
use catalogs::quasars::{Luminosity, QuasarSpectra, Wander};
use catalogs::supernovae::{Explosion, Kind, Supernovae, rates};
use sim_core::spectrum::Sed;
use sim_core::stream::StreamKey;
use std::fmt::Write as _;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: varying_sky FOLDER")?);
    std::fs::create_dir_all(&folder)?;
    let library = Library::load();
    let bands = ["sdss_u", "sdss_g", "sdss_r", "sdss_i", "sdss_z"].map(|n| library.bands.by_name(n).expect("a band of the library"));

    let spectra = QuasarSpectra::new();
    let mut out = String::from("redshift,absolute_i,u,g,r,i,z\n");
    for k in 1..=50 {
        let z = 0.1 * f64::from(k);
        for absolute_i in [-23.0, -25.0, -27.0] {
            let template = spectra.at(QuasarSpectra::kind(absolute_i), 0.0, z);
            let sed = Sed { template, redshift: z, extinction: None };
            write!(out, "{z},{absolute_i}")?;
            for band in bands {
                write!(out, ",{:.5}", -2.5 * band.mean_fnu(&sed).log10())?;
            }
            out.push('\n');
        }
    }
    std::fs::write(folder.join("colours.csv"), out)?;

    // tau 120 d, structure function 0.4 mag.
    let law = Wander { structure_mag: 0.4, tau_d: 120.0 };
    let dates = [60_000.0, 60_000.5, 60_003.0, 60_030.0, 60_060.0, 60_365.0, 61_000.0, 65_000.0];
    let mut out = dates.map(|d: f64| d.to_string()).join(",") + "\n";
    for object in 0..2000 {
        let key = StreamKey::new(99).with(object);
        out += &dates.map(|d| format!("{:.6}", law.at(key, d))).join(",");
        out.push('\n');
    }
    std::fs::write(folder.join("walks.csv"), out)?;

    let slices = Luminosity::new(&spectra, &library.bands, library.bands.sdss_r()).slices(15.0, 24.5);
    let mut out = String::from("redshift,bright,faint,per_deg2\n");
    for (z, law) in &slices {
        for k in 0..18 {
            let (bright, faint) = (15.5 + 0.5 * f64::from(k), 16.0 + 0.5 * f64::from(k));
            writeln!(out, "{z:.3},{bright},{faint},{:.6e}", law.between_deg2(bright, faint))?;
        }
    }
    std::fs::write(folder.join("counts.csv"), out)?;

    let (all, cosmology) = (Supernovae::new(&library.bands), Cosmology::default());
    let background = Background::new(cosmology);
    let mut out = String::from("redshift,day,g,r,i,z\n");
    let explosion = Explosion { kind: Kind::Thermonuclear, absolute_b: -19.3, stretch: 1.0, colour: 0.0 };
    for redshift in [0.05, 0.1, 0.3, 0.5, 0.8, 1.0, 1.2] {
        for day in [-10.0, -5.0, 0.0, 5.0, 15.0, 30.0, 60.0] {
            write!(out, "{redshift},{day}")?;
            for band in &bands[1..] {
                write!(out, ",{:.5}", all.on_day(&explosion, day, redshift, band, &background).map_or(f64::NAN, |m| m.0))?;
            }
            out.push('\n');
        }
    }
    std::fs::write(folder.join("supernovae.csv"), out)?;

    let mut out = format!("# h {} omega_m {}\nredshift,chi_mpc,modulus,ia,collapse\n", cosmology.h, cosmology.omega_m);
    for k in 1..=60 {
        let z = 0.05 * f64::from(k);
        let (ia, collapse) = (rates::thermonuclear(z, cosmology.h), rates::collapse(z, cosmology.h));
        writeln!(out, "{z},{},{},{ia:e},{collapse:e}", background.distance(z) / cosmology.h, background.modulus(z))?;
    }
    std::fs::write(folder.join("rates.csv"), out)?;
    Ok(())
}
