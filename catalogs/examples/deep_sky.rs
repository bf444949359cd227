//! Haloes, lenses and their numbers, for checks by others and for the figures:
//! `deep_sky images OUT.csv COUNT`, `deep_sky arc OUT.csv`, `deep_sky haloes OUT.csv`, `deep_sky shear OUT.csv`, `deep_sky density`, `deep_sky speed`.

use catalogs::clusters::{Halo, HaloCounts};
use catalogs::cosmos::{Background, Cosmology};
use catalogs::draw::Draw;
use catalogs::lenses::Sie;
use catalogs::lenses::arc::{Sersic, trace};
use catalogs::synthetic::{FieldSpec, Population};
use catalogs::{Footprint, Library};
use cpu_time::ProcessTime;
use sim_core::source::{Shear, SourceKind};
use sim_core::stream::StreamKey;
use std::error::Error;
use std::f64::consts::{PI, TAU};
use std::fs::File;
use std::io::{BufWriter, Write};

type Outcome = Result<(), Box<dyn Error>>;

fn images(out: &str, count: u64) -> Outcome {
    let mut file = BufWriter::new(File::create(out)?);
    writeln!(file, "b,q,angle,g1,g2,x,y,images,x1,y1,mu1,x2,y2,mu2,x3,y3,mu3,x4,y4,mu4")?;
    for number in 0..count {
        let mut draw = Draw::new(StreamKey::new(31).stream(number));
        let (b, q, angle_rad) = (draw.between(0.4, 2.5), draw.between(0.3, 0.98), draw.between(0.0, PI));
        let (g, (s, c)) = (draw.between(0.0, 0.1), draw.between(0.0, TAU).sin_cos());
        let lens = Sie { einstein_arcsec: b, axis_ratio: q, angle_rad, shear: (g * c, g * s) };
        let (r, (s, c)) = (b * draw.uniform().sqrt(), draw.between(0.0, TAU).sin_cos());
        let found = lens.images([r * c, r * s]);
        write!(file, "{b},{q},{angle_rad},{},{},{},{},{}", lens.shear.0, lens.shear.1, r * c, r * s, found.len())?;
        for k in 0..4 {
            match found.get(k) {
                Some(image) => write!(file, ",{},{},{}", image.at[0], image.at[1], image.magnification)?,
                None => write!(file, ",nan,nan,nan")?,
            }
        }
        writeln!(file)?;
    }
    Ok(())
}

/// One arc as pixels: lens and source are those of `peers/deep_lenstronomy.py`.
fn arc(out: &str) -> Outcome {
    let lens = Sie { einstein_arcsec: 1.2, axis_ratio: 0.7, angle_rad: 0.5, shear: (0.03, -0.02) };
    let profile = Sersic { index: 1.5, half_light_radius_arcsec: 0.2, shape: Shear { g1: 0.1, g2: 0.05 } };
    let traced = trace(&lens, [0.15, -0.1], profile, (120, 0.04));
    let mut file = BufWriter::new(File::create(out)?);
    for row in traced.pixels.rows() {
        let cells: Vec<String> = row.iter().map(f32::to_string).collect();
        writeln!(file, "{}", cells.join(","))?;
    }
    println!("magnification {}", traced.magnification);
    Ok(())
}

fn haloes(out: &str) -> Outcome {
    let background = Background::new(Cosmology::default());
    let counts = HaloCounts::new(&background);
    let mut file = BufWriter::new(File::create(out)?);
    writeln!(file, "z,mass,sigma,dndlnm,bias,concentration,radius,m200c")?;
    for z in [0.0, 0.3, 0.6, 1.0, 1.5, 2.0] {
        for k in 0..12 {
            let mass = 10.0_f64.powf(13.5 + 0.15 * f64::from(k));
            let halo = Halo::new(&background, mass, z);
            writeln!(
                file,
                "{z},{mass},{},{},{},{},{},{}",
                counts.sigma(mass, z),
                counts.per_ln_mass(mass, z),
                counts.bias(mass, z),
                halo.concentration,
                halo.radius,
                halo.critical_mass()
            )?;
        }
    }
    for mass in [5e13, 1e14, 2e14, 5e14] {
        println!("haloes above {mass:e} solar masses, z 0.05 to 2: {:.3} per deg2", counts.above_deg2(mass * 0.6766, 0.05, 2.0));
    }
    Ok(())
}

fn shear(out: &str) -> Outcome {
    let background = Background::new(Cosmology::default());
    let mut file = BufWriter::new(File::create(out)?);
    writeln!(file, "mass,z,concentration,z_source,arcsec,kappa,gamma")?;
    for (mass, z, z_source) in [(1e14, 0.2, 0.8), (5e14, 0.4, 1.5), (1e15, 0.7, 3.0)] {
        let halo = Halo::new(&background, mass, z);
        for arcsec in [5.0_f64, 20.0, 60.0, 150.0, 400.0] {
            let (kappa, gamma) = halo.lensing(background.distance(z_source), (arcsec / 3600.0).to_radians());
            writeln!(file, "{mass},{z},{},{z_source},{arcsec},{kappa},{gamma}", halo.concentration)?;
        }
    }
    Ok(())
}

fn only(seed: u64) -> FieldSpec {
    let mut spec = FieldSpec { seed: Some(seed), ..FieldSpec::default() };
    (spec.stars.scale, spec.galaxies.scale) = (0.0, 0.0);
    spec
}

fn density() -> Outcome {
    let (library, mut spec) = (Library::load(), only(5));
    (spec.lenses.scale, spec.lenses.faint) = (10.0, 26.5);
    let cone = Footprint::new(200.0, 30.0, 0.6)?;
    let found = Population::new(&spec, &library)?.lenses_within(&cone, &library, catalogs::dates::J2000_MJD);
    let area = 10.0 * cone.area_deg2();
    for limit in [22.0, 22.5, 23.0, 23.5, 24.0, 24.5, 25.0, 25.5, 26.0, 26.5] {
        let bright: Vec<_> = found.iter().filter(|l| l.images_i < limit).collect();
        let seen = bright.iter().filter(|l| {
            let r = l.source_radius_arcsec;
            l.sie.einstein_arcsec.powi(2) > r * r + 0.09 * 0.09 && l.magnification > 3.0 && l.magnification * r > 0.18
        });
        println!(
            "images of i < {limit}: {:.2} lenses per deg2, {:.2} that Euclid would resolve; {:.0} % with four images",
            bright.len() as f64 / area,
            seen.count() as f64 / area,
            100.0 * bright.iter().filter(|l| l.images.len() == 4).count() as f64 / bright.len().max(1) as f64
        );
    }
    Ok(())
}

fn speed() -> Outcome {
    let library = Library::load();
    let cone = Footprint::new(150.0, 2.0, (1.0 / PI).sqrt())?;
    for (name, clusters, lenses, diffuse) in
        [("clusters", 1.0, 0.0, 1.0), ("clusters without diffuse light", 1.0, 0.0, 0.0), ("lenses", 0.0, 1.0, 1.0)]
    {
        let mut spec = only(1);
        (spec.clusters.scale, spec.clusters.diffuse, spec.lenses.scale) = (clusters, diffuse, lenses);
        let start = ProcessTime::now();
        let population = Population::new(&spec, &library)?;
        let made = start.elapsed().as_secs_f64();
        let sources = population.within(&cone, &library, 51_544.5);
        let of = |kind: SourceKind| sources.iter().filter(|s| s.kind == kind).count();
        println!(
            "{name}, 1 deg2: {made:.3} CPU s once, {:.3} CPU s; {} members, {} diffuse, {} lenses",
            start.elapsed().as_secs_f64() - made,
            of(SourceKind::ClusterGalaxy),
            of(SourceKind::IntraclusterLight),
            of(SourceKind::LensGalaxy)
        );
        let chip = Footprint::new(150.0, 2.0, 0.14)?;
        let start = ProcessTime::now();
        let count = population.within(&chip, &library, 51_544.5).len();
        println!("{name}, a chip: {:.3} CPU s, {count} sources", start.elapsed().as_secs_f64());
    }
    Ok(())
}

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["images", out, count] => images(out, count.parse()?),
        ["arc", out] => arc(out),
        ["haloes", out] => haloes(out),
        ["shear", out] => shear(out),
        ["density"] => density(),
        ["speed"] => speed(),
        _ => Err("images OUT COUNT | arc OUT | haloes OUT | shear OUT | density | speed".into()),
    }
}
