//! The benchmark field of `render_bench` and `slitless_bench`: a table of galaxies of bulge and disk, and stars.
//!
//! Columns id, type (1 galaxy, 0 star), x, y, mag, bulge_frac, hlr_disk, hlr_bulge \[arcsec\], g1, g2, g1_bulge, g2_bulge, n_disk, n_bulge, flux_e \[electron\].

use sim_core::source::{Brightness, Component, Lensing, Position, Profile, Shear, Source, SourceKind};
use sim_core::spectrum::{Sed, Spectrum};
use std::sync::Arc;

/// Spectra of disks, bulges and stars.
pub struct Spectra {
    pub disk: Sed,
    pub bulge: Sed,
    pub star: Sed,
}

impl Spectra {
    /// Power laws of f_lambda about a wavelength, every 2 nm from another on.
    pub fn power_laws(from_nm: f64, count: u32, about_nm: f64) -> Result<Self, Box<dyn std::error::Error>> {
        let power_law = |name: &str, slope: f64| -> Result<Sed, Box<dyn std::error::Error>> {
            let waves: Vec<f64> = (0..count).map(|i| from_nm + 2.0 * f64::from(i)).collect();
            let flux = waves.iter().map(|w| (w / about_nm).powf(slope)).collect();
            Ok(Sed::rest(Arc::new(Spectrum::new(name, waves, flux)?)))
        };
        Ok(Self { disk: power_law("disk", -1.5)?, bulge: power_law("bulge", 2.0)?, star: power_law("star", -0.5)? })
    }
}

/// The sources, all behind `lensing_of_galaxies`; `brightness` has the magnitude, the electrons, and a component's share of them.
pub fn read(
    path: &str,
    spectra: &Spectra,
    lensing_of_galaxies: Lensing,
    brightness: impl Fn(f64, f64, f64) -> Brightness,
) -> Result<Vec<Source>, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
    let mut out = Vec::new();
    for (row, line) in text.lines().enumerate().skip(1) {
        let v: Vec<f64> = line.split(',').map(str::parse).collect::<Result<_, _>>().map_err(|e| format!("{path}:{}: {e}", row + 1))?;
        let &[id, kind, x, y, magnitude, fraction, hlr_disk, hlr_bulge, g1, g2, g1_bulge, g2_bulge, n_disk, n_bulge, flux] = &v[..] else {
            return Err(format!("{path}:{}: {} columns, needs 15", row + 1, v.len()).into());
        };
        let sersic = |index, half_light_radius_arcsec, g1, g2| Profile::Sersic { index, half_light_radius_arcsec, shear: Shear { g1, g2 } };
        let part = |profile, sed: &Sed, share| Component { profile, sed: sed.clone(), brightness: brightness(magnitude, flux, share) };
        let is_galaxy = kind == 1.0;
        let mut components = Vec::new();
        if is_galaxy {
            if fraction > 0.0 {
                components.push(part(sersic(n_bulge, hlr_bulge, g1_bulge, g2_bulge), &spectra.bulge, fraction));
            }
            components.push(part(sersic(n_disk, hlr_disk, g1, g2), &spectra.disk, 1.0 - fraction));
        } else {
            components.push(part(Profile::Point, &spectra.star, 1.0));
        }
        out.push(Source {
            id: id as u64,
            kind: if is_galaxy { SourceKind::Galaxy } else { SourceKind::Star },
            position: Position::Pixel { x, y },
            components,
            lensing: if is_galaxy { lensing_of_galaxies } else { Lensing::default() },
            redshift: 0.0,
            motion: None,
            seen: None,
        });
    }
    Ok(out)
}
