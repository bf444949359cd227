//! Synthetic galaxies and the theory they were made with, for checks by others and for the figures:
//! `galaxy_field catalogue OUT.csv SEED RA DEC RADIUS BRIGHT FAINT [1: colours]`, `galaxy_field theory DIR FAINT`, `galaxy_field spectra DIR`,
//! `galaxy_field speed [FAINT]`.

use catalogs::cosmos::shells::Shells;
use catalogs::cosmos::{Background, Cosmology, Matter, SHELLS, Structure};
use catalogs::synthetic::counts::GalaxyCounts;
use catalogs::synthetic::{FieldSpec, LensingSpec, field};
use catalogs::{Footprint, Library};
use cpu_time::ProcessTime;
use sim_core::source::{Brightness, Position, Profile, Source};
use sim_core::spectrum::Sed;
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

type Outcome = Result<(), Box<dyn Error>>;

fn spec(seed: u64, bright: f64, faint: f64) -> FieldSpec {
    let mut spec = FieldSpec { seed: Some(seed), lensing: LensingSpec::Structure, ..FieldSpec::default() };
    spec.stars.scale = 0.0;
    (spec.galaxies.bright, spec.galaxies.faint) = (bright, faint);
    spec
}

/// Seen i magnitude: the light of all components, magnified.
fn magnitude(source: &Source) -> f64 {
    let light = |c: &sim_core::source::Component| match c.brightness {
        Brightness::Ab { magnitude, .. } => 10.0_f64.powf(-0.4 * magnitude),
        Brightness::Electrons(_) => 0.0,
    };
    let l = &source.lensing;
    let inverse = (1.0 - l.kappa).powi(2) * (1.0 - l.shear.g1.powi(2) - l.shear.g2.powi(2));
    -2.5 * (source.components.iter().map(light).sum::<f64>() / inverse).log10()
}

fn catalogue(out: &str, numbers: &[f64]) -> Outcome {
    let (Some([seed, ra, dec, radius, bright, faint]), colours) = (numbers.first_chunk::<6>(), numbers.len() > 6) else {
        return Err("SEED RA DEC RADIUS BRIGHT FAINT".into());
    };
    let library = Library::load();
    let sources = field(&spec(*seed as u64, *bright, *faint), &Footprint::new(*ra, *dec, *radius)?, &library)?;
    let names: &[&str] = if colours { &["sdss_u", "sdss_g", "sdss_r", "sdss_i", "sdss_z"] } else { &[] };
    let bands: Vec<_> = names.iter().filter_map(|n| library.bands.by_name(n)).collect();
    let mut file = BufWriter::new(File::create(out)?);
    let more: String = names.iter().map(|n| format!(",{n}")).collect();
    writeln!(file, "ra,dec,z,i,kappa,g1,g2,radius,index,e1,e2{more}")?;
    for s in &sources {
        let Position::Sky { ra_deg, dec_deg } = s.position else { continue };
        let l = &s.lensing;
        let (mut index, mut radius, mut e) = (0.0, 0.0, (0.0, 0.0));
        for c in &s.components {
            if let Profile::Sersic { index: n, half_light_radius_arcsec: r, shear } = c.profile
                && r > radius
            {
                (index, radius, e) = (n, r, (shear.g1, shear.g2));
            }
        }
        write!(
            file,
            "{ra_deg:.7},{dec_deg:.7},{:.5},{:.4},{:.6},{:.6},{:.6},{radius:.4},{index},{:.4},{:.4}",
            s.redshift,
            magnitude(s),
            l.kappa,
            l.shear.g1,
            l.shear.g2,
            e.0,
            e.1
        )?;
        for band in &bands {
            let light = |c: &sim_core::source::Component| match &c.brightness {
                Brightness::Ab { magnitude, band: stated } => 10.0_f64.powf(-0.4 * band.ab_magnitude(&c.sed, *magnitude, stated)),
                Brightness::Electrons(_) => 0.0,
            };
            write!(file, ",{:.3}", -2.5 * s.components.iter().map(light).sum::<f64>().log10())?;
        }
        writeln!(file)?;
    }
    println!("{} galaxies", sources.len());
    Ok(())
}

/// Distances, powers, and what galaxies of i 17 to `faint` (their shells from a catalogue of 0.2 deg2) should show.
fn theory(folder: &Path, faint: f64) -> Outcome {
    std::fs::create_dir_all(folder)?;
    let cosmology = Cosmology::default();
    let (background, structure) = (Background::new(cosmology), Structure::new(cosmology, 1));
    let (matter, shells) = (Matter::new(&background), Shells::new(&background));
    let mut file = File::create(folder.join("cosmology.csv"))?;
    writeln!(file, "h,omega_m,omega_b,sigma_8,n_s")?;
    writeln!(file, "{},{},{},{},{}", cosmology.h, cosmology.omega_m, cosmology.omega_b, cosmology.sigma_8, cosmology.n_s)?;
    let mut file = File::create(folder.join("background.csv"))?;
    writeln!(file, "z,chi_mpc_h,growth")?;
    for k in 1..=70 {
        let z = 0.1 * f64::from(k);
        writeln!(file, "{z},{:.6},{:.8}", background.distance(z), background.growth(z))?;
    }
    let mut file = File::create(folder.join("power.csv"))?;
    writeln!(file, "z,k,linear,nonlinear")?;
    for z in [0.0, 0.5, 1.0, 2.0, 4.0] {
        let fit = matter.nonlinear(z);
        for n in 0..=90 {
            let k = 1e-3 * 10.0_f64.powf(f64::from(n) / 90.0 * 4.3);
            writeln!(file, "{z},{k:.6e},{:.6e},{:.6e}", matter.linear(k, z), matter.power(k, &fit))?;
        }
    }
    let multipoles: Vec<f64> = (0..=160).map(|n| 5.0 * 10.0_f64.powf(f64::from(n) / 160.0 * 4.3)).collect();
    let mut file = File::create(folder.join("convergence.csv"))?;
    writeln!(file, "z_source,l,limber_shells,made")?;
    for z in [0.5, 1.0, 2.0] {
        let chi = background.distance(z);
        let target = shells.convergence_power(&matter, cosmology.omega_m, chi, &multipoles);
        let made = structure.convergence_power(&[(chi, 1.0)], &multipoles);
        for ((l, t), m) in multipoles.iter().zip(&target).zip(&made) {
            writeln!(file, "{z},{l:.5},{t:.6e},{m:.6e}")?;
        }
    }
    let library = Library::load();
    let mut even = spec(5, 17.0, faint);
    even.galaxies.clustering = false;
    even.lensing = LensingSpec::None;
    let sources = field(&even, &Footprint::new(30.0, 0.0, 0.25)?, &library)?;
    let mut counts = vec![0.0; SHELLS];
    let (mut behind, mut every) = (Vec::new(), Vec::new());
    for s in &sources {
        let chi = background.distance(s.redshift);
        counts[shells.at(chi)] += 1.0;
        every.push((chi, 1.0));
        if s.redshift > 0.8 && s.redshift < 1.6 {
            behind.push((chi, 1.0));
        }
    }
    let angles: Vec<f64> = (0..=80).map(|n| 0.2 * 10.0_f64.powf(f64::from(n) / 80.0 * 3.0)).collect();
    let radians: Vec<f64> = angles.iter().map(|a| (a / 60.0).to_radians()).collect();
    let mut file = File::create(folder.join("galaxies.csv"))?;
    writeln!(file, "arcmin,w")?;
    for (a, w) in angles.iter().zip(structure.galaxy_correlations(&counts, &radians)) {
        writeln!(file, "{a:.5},{w:.6e}")?;
    }
    let mut file = File::create(folder.join("shear.csv"))?;
    writeln!(file, "l,all,z_0.8_1.6")?;
    let dense: Vec<f64> = (0..=400).map(|n| 2.0 * 10.0_f64.powf(f64::from(n) / 400.0 * 4.7)).collect();
    let (all, sliced) = (structure.convergence_power(&every, &dense), structure.convergence_power(&behind, &dense));
    for ((l, a), b) in dense.iter().zip(&all).zip(&sliced) {
        writeln!(file, "{l:.5},{a:.6e},{b:.6e}")?;
    }
    let counts = GalaxyCounts::load();
    let mut file = File::create(folder.join("counts.csv"))?;
    writeln!(file, "bright,faint,per_deg2")?;
    for k in 0..24 {
        let bright = 16.0 + 0.5 * f64::from(k);
        writeln!(file, "{bright},{},{:.6e}", bright + 0.5, counts.between_deg2(bright, bright + 0.5))?;
    }
    Ok(())
}

/// Spectra of several types, dusts and redshifts through the bands: tables and our magnitudes against i.
fn spectra(folder: &Path) -> Outcome {
    std::fs::create_dir_all(folder)?;
    let library = Library::load();
    let names = ["sdss_u", "sdss_g", "sdss_r", "sdss_i", "sdss_z"];
    for band in names.iter().filter_map(|n| library.bands.by_name(n)) {
        let mut file = File::create(folder.join(format!("band_{}.csv", band.name)))?;
        writeln!(file, "nm,response")?;
        for (w, t) in band.wavelength_nm().iter().zip(band.efficiency()) {
            writeln!(file, "{w},{t}")?;
        }
    }
    let mut list = File::create(folder.join("colours.csv"))?;
    writeln!(list, "spectrum,redshift,band,minus_i")?;
    for (n, (c, dust, z)) in
        [(0.0, 0.0, 0.3), (1.5, 0.1, 0.7), (3.0, 0.0, 0.1), (3.0, 0.2, 1.3), (3.5, 0.0, 3.1), (4.0, 0.1, 4.4)].into_iter().enumerate()
    {
        let template = library.seds.galaxy_at(c, dust, z);
        let mut file = File::create(folder.join(format!("spectrum_{n}.csv")))?;
        writeln!(file, "nm,f_lambda")?;
        for (w, f) in template.wavelength_nm().iter().zip(template.flux_lambda()) {
            writeln!(file, "{w},{f}")?;
        }
        let sed = Sed { template, redshift: z, extinction: None };
        for band in names.iter().filter_map(|n| library.bands.by_name(n)) {
            writeln!(list, "{n},{z},{},{:.7}", band.name, band.ab_magnitude(&sed, 0.0, library.bands.sdss_i()))?;
        }
    }
    Ok(())
}

fn speed(faint: f64) -> Outcome {
    let clock = ProcessTime::now();
    let library = Library::load();
    println!("library {:.3} CPU s", clock.elapsed().as_secs_f64());
    let clock = ProcessTime::now();
    let structure = Structure::new(Cosmology::default(), 3);
    println!("structure {:.3} CPU s", clock.elapsed().as_secs_f64());
    let clock = ProcessTime::now();
    for n in 0..10 {
        std::hint::black_box(structure.patch(100_000 + 17 * n));
    }
    println!("patch of 13.7 arcmin {:.4} CPU s", clock.elapsed().as_secs_f64() / 10.0);
    for (clustering, lensing) in [(false, LensingSpec::None), (true, LensingSpec::None), (true, LensingSpec::Structure)] {
        let mut spec = spec(3, 17.0, faint);
        (spec.galaxies.clustering, spec.lensing) = (clustering, lensing);
        let clock = ProcessTime::now();
        let sources = field(&spec, &Footprint::new(40.0, 20.0, 0.3)?, &library)?;
        let seconds = clock.elapsed().as_secs_f64();
        println!(
            "i < {faint}, clustering {clustering}, lensing {lensing:?}: {} galaxies, {seconds:.2} CPU s, {:.0} a second and core",
            sources.len(),
            sources.len() as f64 / seconds
        );
    }
    Ok(())
}

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers = |from: usize| arguments.iter().skip(from).map(|a| a.parse::<f64>()).collect::<Result<Vec<f64>, _>>();
    let place = |k: usize| arguments.get(k).ok_or("a file or folder is missing");
    match arguments.first().map(String::as_str) {
        Some("catalogue") => catalogue(place(1)?, &numbers(2)?),
        Some("theory") => theory(Path::new(place(1)?), numbers(2)?.first().copied().unwrap_or(24.0)),
        Some("spectra") => spectra(Path::new(place(1)?)),
        Some("speed") => speed(numbers(1)?.first().copied().unwrap_or(26.5)),
        _ => Err("galaxy_field catalogue | theory | spectra | speed".into()),
    }
}
