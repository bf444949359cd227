//! The benchmark field: 20,000 galaxies and 2,000 stars on one 9216 x 9232 detector, brightness in electrons.
//!
//! # Effect
//! A fixed load for timing the renderer, the same as other renderers were timed with.
//! # Formula
//! Galaxies: dN/dm ~ 10^(0.295 m), 18 to 27; bulge fraction 1 - u^(1/3) (0 below 0.02); disk half-light radius log-normal, median
//! 0.27 arcsec 10^(-0.07 (m - 24.5)), 0.5 in ln, 0.1 to 1.5 arcsec; bulge 0.4 of it, at least 0.05; |g| = |N(0, 0.25)|, at most 0.7,
//! bulge half of it. Stars: dN/dm ~ 10^(0.2 m), 15 to 26. Electrons: 150 s x 10^(-0.4 (m - 25.9)).
//! # Symbols
//! m AB magnitude; u uniform.
//! # Source
//! Fitted to the distributed benchmark file (synthetic, this project); status assumed.
//! # Limits
//! Positions in pixels, no sky position. The lens shear (0.02, -0.01) is without magnification: kappa = 1 - 1 / sqrt(1 - |g|^2), so mu = 1.
//! # Twin
//! None.

use crate::SedLibrary;
use crate::draw::Draw;
use crate::sed::GalaxyType;
use serde::Deserialize;
use sim_core::source::{Brightness, Component, Lensing, Position, Profile, Shear, Source, SourceKind};
use sim_core::spectrum::Sed;
use sim_core::stream::StreamKey;
use std::path::Path;

/// Columns of the benchmark detector.
pub const NX: usize = 9216;
/// Rows of the benchmark detector.
pub const NY: usize = 9232;
/// Galaxies.
pub const GALAXIES: usize = 20_000;
/// Stars.
pub const STARS: usize = 2_000;
/// Shear by the lens, galaxies only, in pixel axes.
pub const LENS_SHEAR: Shear = Shear { g1: 0.02, g2: -0.01 };

/// One row of the file.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: u64,
    #[serde(rename = "type")]
    kind: u8,
    x: f64,
    y: f64,
    mag: f64,
    bulge_frac: f64,
    hlr_disk: f64,
    hlr_bulge: f64,
    g1: f64,
    g2: f64,
    g1_bulge: f64,
    g2_bulge: f64,
    n_disk: f64,
    n_bulge: f64,
    flux_e: f64,
}

/// Why a benchmark file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// Not readable, or not this table.
    #[error("{path}: {reason}")]
    File {
        /// File.
        path: String,
        /// Reason, with the line.
        reason: String,
    },
    /// A value cannot be used.
    #[error("{path}: row {row}, column `{column}`: {value} is outside {range}")]
    Value {
        /// File.
        path: String,
        /// Row, from 1.
        row: usize,
        /// Column.
        column: &'static str,
        /// Value.
        value: f64,
        /// Allowed.
        range: &'static str,
    },
}

/// The lensing of the benchmark: shear without magnification.
#[must_use]
pub fn lensing() -> Lensing {
    let g2 = LENS_SHEAR.g1 * LENS_SHEAR.g1 + LENS_SHEAR.g2 * LENS_SHEAR.g2;
    Lensing { shear: LENS_SHEAR, kappa: 1.0 - 1.0 / (1.0 - g2).sqrt() }
}

/// Reads the benchmark file (columns id, type, x, y, mag, bulge_frac, hlr_disk, hlr_bulge, g1, g2, g1_bulge, g2_bulge, n_disk,
/// n_bulge, flux_e; type 1 galaxy, 0 star). Bulges get the spectrum of an elliptical, disks that of a late spiral, stars 5500 K.
///
/// # Errors
/// When the file cannot be read, a column is missing or unknown, or a value is outside its range.
pub fn read(path: &Path, seds: &SedLibrary) -> Result<Vec<Source>, BenchError> {
    let name = path.display().to_string();
    let fault = |e: csv::Error| BenchError::File { path: name.clone(), reason: e.to_string() };
    let mut reader = csv::Reader::from_path(path).map_err(fault)?;
    let spectra = Spectra::new(seds);
    let mut sources = Vec::new();
    for (index, row) in reader.deserialize::<Row>().enumerate() {
        let row = row.map_err(fault)?;
        check(&row).map_err(|(column, value, range)| BenchError::Value { path: name.clone(), row: index + 1, column, value, range })?;
        sources.push(source(&row, &spectra));
    }
    Ok(sources)
}

fn check(r: &Row) -> Result<(), (&'static str, f64, &'static str)> {
    let within =
        |column, value: f64, low: f64, high: f64, range| if value >= low && value <= high { Ok(()) } else { Err((column, value, range)) };
    within("type", f64::from(r.kind), 0.0, 1.0, "0, 1")?;
    within("x", r.x, -1e6, 1e6, "-1e6..1e6 pixel")?;
    within("y", r.y, -1e6, 1e6, "-1e6..1e6 pixel")?;
    within("flux_e", r.flux_e, 0.0, 1e15, "0..1e15 electron")?;
    within("bulge_frac", r.bulge_frac, 0.0, 1.0, "0..1")?;
    if r.kind == 1 {
        within("hlr_disk", r.hlr_disk, 1e-4, 1e3, "1e-4..1e3 arcsec")?;
        within("hlr_bulge", r.hlr_bulge, 1e-4, 1e3, "1e-4..1e3 arcsec")?;
        within("n_disk", r.n_disk, 0.3, 6.2, "0.3..6.2")?;
        within("n_bulge", r.n_bulge, 0.3, 6.2, "0.3..6.2")?;
        within("g1, g2 (modulus)", r.g1.hypot(r.g2), 0.0, 0.99, "0..0.99")?;
        within("g1_bulge, g2_bulge (modulus)", r.g1_bulge.hypot(r.g2_bulge), 0.0, 0.99, "0..0.99")?;
    }
    Ok(())
}

/// The spectra of the benchmark.
struct Spectra {
    bulge: Sed,
    disk: Sed,
    star: Sed,
}

impl Spectra {
    fn new(seds: &SedLibrary) -> Self {
        Self {
            bulge: Sed::rest(seds.galaxy(GalaxyType::E)),
            disk: Sed::rest(seds.galaxy(GalaxyType::Scd)),
            star: Sed::rest(seds.star(5500.0, 4.5, 0.0)),
        }
    }
}

fn source(row: &Row, spectra: &Spectra) -> Source {
    let sersic = |index, half_light_radius_arcsec, g1, g2| Profile::Sersic { index, half_light_radius_arcsec, shear: Shear { g1, g2 } };
    let component = |profile, sed: &Sed, electrons| Component { profile, sed: sed.clone(), brightness: Brightness::Electrons(electrons) };
    let mut components = Vec::with_capacity(2);
    if row.kind == 0 {
        components.push(component(Profile::Point, &spectra.star, row.flux_e));
    } else {
        if row.bulge_frac > 0.0 {
            let bulge = sersic(row.n_bulge, row.hlr_bulge, row.g1_bulge, row.g2_bulge);
            components.push(component(bulge, &spectra.bulge, row.flux_e * row.bulge_frac));
        }
        if row.bulge_frac < 1.0 {
            components.push(component(
                sersic(row.n_disk, row.hlr_disk, row.g1, row.g2),
                &spectra.disk,
                row.flux_e * (1.0 - row.bulge_frac),
            ));
        }
    }
    let is_star = row.kind == 0;
    Source {
        id: row.id,
        kind: if is_star { SourceKind::Star } else { SourceKind::Galaxy },
        position: Position::Pixel { x: row.x, y: row.y },
        components,
        lensing: if is_star { Lensing::default() } else { lensing() },
        redshift: 0.0,
        motion: None,
        seen: None,
    }
}

/// A field of the same statistics, for where the file is not: galaxies 0..20000, then stars.
#[must_use]
pub fn bench_field(seed: u64, seds: &SedLibrary) -> Vec<Source> {
    let key = StreamKey::new(seed).with_name("bench_field");
    let spectra = Spectra::new(seds);
    (0..(GALAXIES + STARS) as u64).map(|id| source(&row(id, &mut Draw::new(key.stream(id))), &spectra)).collect()
}

/// Magnitude of a uniform number when dN/dm ~ 10^(slope m).
fn magnitude(u: f64, slope: f64, bright: f64, faint: f64) -> f64 {
    let (a, b) = (10.0_f64.powf(slope * bright), 10.0_f64.powf(slope * faint));
    (a + u * (b - a)).log10() / slope
}

fn row(id: u64, draw: &mut Draw) -> Row {
    let (x, y) = (draw.between(-0.5, NX as f64 - 0.5), draw.between(-0.5, NY as f64 - 0.5));
    let is_star = id >= GALAXIES as u64;
    let u = draw.uniform();
    let mag = if is_star { magnitude(u, 0.2, 15.0, 26.0) } else { magnitude(u, 0.295, 18.0, 27.0) };
    let flux_e = 150.0 * 10.0_f64.powf(-0.4 * (mag - 25.9));
    let empty = Row {
        id,
        kind: u8::from(!is_star),
        x,
        y,
        mag,
        bulge_frac: 0.0,
        hlr_disk: 0.0,
        hlr_bulge: 0.0,
        g1: 0.0,
        g2: 0.0,
        g1_bulge: 0.0,
        g2_bulge: 0.0,
        n_disk: 0.0,
        n_bulge: 0.0,
        flux_e,
    };
    if is_star {
        return empty;
    }
    let fraction = 1.0 - draw.uniform().cbrt();
    let hlr_disk = (0.27 * 10.0_f64.powf(-0.07 * (mag - 24.5)) * (0.5 * draw.normal()).exp()).clamp(0.1, 1.5);
    let modulus = (0.25 * draw.normal()).abs().min(0.7);
    let (s, c) = (std::f64::consts::TAU * draw.uniform()).sin_cos();
    Row {
        bulge_frac: if fraction < 0.02 { 0.0 } else { fraction },
        hlr_disk,
        hlr_bulge: (0.4 * hlr_disk).max(0.05),
        g1: modulus * c,
        g2: modulus * s,
        g1_bulge: 0.5 * modulus * c,
        g2_bulge: 0.5 * modulus * s,
        n_disk: 1.0,
        n_bulge: 4.0,
        ..empty
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReferenceBands;

    fn seds() -> SedLibrary {
        SedLibrary::load(&ReferenceBands::load())
    }

    fn electrons(s: &Source) -> f64 {
        s.components
            .iter()
            .map(|c| match c.brightness {
                Brightness::Electrons(e) => e,
                Brightness::Ab { .. } => 0.0,
            })
            .sum()
    }

    #[test]
    fn the_lens_of_the_benchmark_does_not_magnify() {
        let l = lensing();
        let mu = 1.0 / ((1.0 - l.kappa).powi(2) * (1.0 - l.shear.g1.powi(2) - l.shear.g2.powi(2)));
        assert!((mu - 1.0).abs() < 1e-14, "{mu}");
    }

    #[test]
    fn the_generated_field_has_the_load_of_the_distributed_one() {
        let field = bench_field(1, &seds());
        let of = |kind| field.iter().filter(|s| s.kind == kind).map(electrons).sum::<f64>();
        // Distributed field: 23.77 Me- in 20,000 galaxies, 40.15 Me- in 2,000 stars. The sums scatter by the few brightest
        // objects: about 3 % (galaxies) and 11 % (stars).
        assert_eq!(field.len(), 22_000);
        assert!((of(SourceKind::Galaxy) / 23.77e6 - 1.0).abs() < 0.15, "{}", of(SourceKind::Galaxy));
        assert!((of(SourceKind::Star) / 40.15e6 - 1.0).abs() < 0.45, "{}", of(SourceKind::Star));
        assert!(field.iter().enumerate().all(|(i, s)| s.id == i as u64));
    }

    #[test]
    fn a_file_gives_bulge_and_disk_with_their_own_spectra_and_a_bad_value_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("field.csv");
        let head = "id,type,x,y,mag,bulge_frac,hlr_disk,hlr_bulge,g1,g2,g1_bulge,g2_bulge,n_disk,n_bulge,flux_e\n";
        std::fs::write(
            &path,
            format!("{head}0,1,3402.3,6524.9,24.9,0.25,0.4,0.16,0.01,-0.12,0.005,-0.06,1,4,400\n1,0,5,6,20,0,0,0,0,0,0,0,0,0,34000\n"),
        )
        .unwrap();
        let field = read(&path, &seds()).unwrap();
        assert_eq!(field[0].components.len(), 2);
        assert!((electrons(&field[0]) - 400.0).abs() < 1e-9 && (electrons(&field[1]) - 34_000.0).abs() < 1e-9);
        assert_ne!(field[0].components[0].sed.template.name, field[0].components[1].sed.template.name);
        assert_eq!(field[1].lensing, Lensing::default());
        std::fs::write(&path, format!("{head}0,1,3402.3,6524.9,24.9,0.25,0.4,0.16,0.01,-0.12,0.005,-0.06,1,9,400\n")).unwrap();
        let message = read(&path, &seds()).unwrap_err().to_string();
        assert!(message.contains("row 1") && message.contains("n_bulge") && message.contains("0.3..6.2"), "{message}");
    }
}
