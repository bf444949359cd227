//! Special fields: images and cubes of a user (a nebula, a cluster, a cut-out of a real observation) laid into the sky.
//!
//! # Effect
//! Pixels become light: the background is taken off, noise outside the object is left out, what remains is cut into tiles, and each
//! tile is a source with the image as its profile, drawn by the same engine as everything else and with its row in the truth.
//! # Formula
//! Flux of a pixel I over the background B: total magnitude given, `m = m_total - 2.5 lg(sum_tile (I - B) / sum_kept (I - B))`; zero point
//! given, `m = zero_point - 2.5 lg sum_tile (I - B)`. A cube gives `f_lambda` by wavelength, binned in its own steps: [`cube`].
//! # Symbols
//! I pixel value, B background, m AB magnitude in the band named.
//! # Source
//! AB magnitudes: Oke & Gunn 1983. Which pixels are kept: [`region`].
//! # Limits
//! The image keeps the blur and, within the kept region, the noise it has: it should be sharper and deeper than what is simulated.
//! Square tiles of at most 128 pixels a side, straight within a tile; FITS only; world coordinates TAN or TPV. Tiles whose light adds up to
//! nothing or less are left out and counted.
//! # Twin
//! None: it is sky.

pub mod cube;
pub mod region;
mod tiles;

pub use tiles::reach_arcsec;

#[cfg(test)]
mod tests;

use crate::Library;
use crate::sed::GalaxyType;
use region::Background;
use serde::{Deserialize, Serialize};
use sim_core::fits::{self, Data, Header};
use sim_core::source::Source;
use sim_core::spectrum::Sed;
use sim_core::wcs::Wcs;
use std::path::PathBuf;

/// An image or cube in the sky.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InsertSpec {
    /// FITS file.
    pub path: PathBuf,
    /// Name of the unit that holds it; the first with pixels when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Where its middle goes; the file's own world coordinates when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// How bright it is.
    pub brightness: Light,
    /// Spectrum of an image; a cube has its own.
    #[serde(default)]
    pub spectrum: Tint,
    /// What is taken off.
    #[serde(default)]
    pub background: Background,
    /// Pixels are kept where the image, smoothed over 5 x 5 pixels, is so many of its standard deviations above the background, 0 to 100;
    /// 0 keeps all.
    #[serde(default = "three")]
    pub keep_sigma: f64,
}

fn three() -> f64 {
    3.0
}

/// Place and size on the sky.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Right ascension of the middle of the image, ICRS \[deg\], 0 to 360.
    pub ra_deg: f64,
    /// Declination of the middle, ICRS \[deg\], -90 to 90.
    pub dec_deg: f64,
    /// Size of a pixel on the sky \[arcsec\], above 0 to 60: another than the true one makes the object larger or smaller.
    pub pixel_scale_arcsec: f64,
    /// Direction of the image's y axis, from north through east \[deg\]; east is to the left of it.
    #[serde(default)]
    pub position_angle_deg: f64,
}

/// How bright an insert is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum Light {
    /// The kept pixels together have an AB magnitude in a reference band (`sdss_g`, `bessell_v` ...).
    Total {
        /// AB magnitude, -30 to 50.
        magnitude: f64,
        /// Band.
        band: String,
    },
    /// A pixel value of 1 is an AB magnitude in a reference band.
    ZeroPoint {
        /// AB magnitude, -30 to 50.
        zero_point: f64,
        /// Band.
        band: String,
    },
    /// A cube: a pixel value of 1 is a flux density.
    FluxDensity {
        /// In erg / s / cm2 / Angstrom, above 0.
        unit_erg_s_cm2_angstrom: f64,
        /// Spectral bins over the cube's range, 1 to 200; each is one image.
        bins: usize,
    },
}

/// Spectrum of an image.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum Tint {
    /// Constant f_nu.
    #[default]
    Flat,
    /// A star's.
    Star {
        /// Effective temperature \[K\].
        teff_k: f64,
    },
    /// A galaxy's.
    Galaxy {
        /// Type.
        kind_of: GalaxyType,
        /// Redshift, 0 to 10.
        #[serde(default)]
        redshift: f64,
    },
}

/// Why an insert cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InsertError {
    /// The file cannot be read.
    #[error(transparent)]
    Fits(#[from] fits::FitsError),
    /// A value is outside its range.
    #[error("insert.{key} = {value} is outside {range}")]
    Range {
        /// Key.
        key: &'static str,
        /// Value given.
        value: String,
        /// Allowed.
        range: String,
    },
    /// The file is not what the scenario says.
    #[error("{path}: {reason}")]
    Content {
        /// File.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

/// What came out of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Background taken off, in the image's unit (of a cube: of its planes' sum).
    pub background: f64,
    /// Standard deviation of a pixel about it.
    pub sigma: f64,
    /// Share of the pixels that is kept.
    pub kept: f64,
    /// Tiles left out because their light adds up to nothing or less, and their share of the light.
    pub left_out: (usize, f64),
}

fn range(key: &'static str, value: impl std::fmt::Display, range: impl Into<String>) -> InsertError {
    InsertError::Range { key, value: value.to_string(), range: range.into() }
}

fn unknown(band: &str) -> InsertError {
    range("brightness.band", band, crate::ReferenceBands::names().join(", "))
}

impl InsertSpec {
    /// Refuses values outside their ranges.
    ///
    /// # Errors
    /// With the key, the value and the range.
    pub fn check(&self) -> Result<(), InsertError> {
        let within = |key, value: f64, low: f64, high: f64| {
            if value >= low && value <= high { Ok(()) } else { Err(range(key, value, format!("{low}..{high}"))) }
        };
        if let Some(p) = &self.place {
            within("place.ra_deg", p.ra_deg, 0.0, 360.0)?;
            within("place.dec_deg", p.dec_deg, -90.0, 90.0)?;
            within("place.pixel_scale_arcsec", p.pixel_scale_arcsec, 1e-5, 60.0)?;
            within("place.position_angle_deg", p.position_angle_deg, -360.0, 360.0)?;
        }
        within("keep_sigma", self.keep_sigma, 0.0, 100.0)?;
        if let Tint::Galaxy { redshift, .. } = self.spectrum {
            within("spectrum.redshift", redshift, 0.0, 10.0)?;
        }
        let known = |band: &str| if crate::ReferenceBands::names().contains(&band) { Ok(()) } else { Err(unknown(band)) };
        match &self.brightness {
            Light::Total { magnitude, band } => {
                within("brightness.magnitude", *magnitude, -30.0, 50.0)?;
                known(band)
            }
            Light::ZeroPoint { zero_point, band } => {
                within("brightness.zero_point", *zero_point, -30.0, 50.0)?;
                known(band)
            }
            Light::FluxDensity { unit_erg_s_cm2_angstrom, bins } => {
                within("brightness.unit_erg_s_cm2_angstrom", *unit_erg_s_cm2_angstrom, 1e-40, 1e10)?;
                if (1..=200).contains(bins) { Ok(()) } else { Err(range("brightness.bins", bins, "1..200")) }
            }
        }
    }

    fn sed(&self, library: &Library) -> Sed {
        let (template, redshift) = match self.spectrum {
            Tint::Flat => (library.seds.flat_fnu(), 0.0),
            Tint::Star { teff_k } => (library.seds.star(teff_k, 4.5, 0.0), 0.0),
            Tint::Galaxy { kind_of, redshift } => (library.seds.galaxy(kind_of), redshift),
        };
        Sed { template, redshift, extinction: None }
    }
}

/// World coordinates of an image of `nx` x `ny` pixels.
fn world(spec: &InsertSpec, header: &Header, (nx, ny): (usize, usize)) -> Result<Wcs, InsertError> {
    let Some(p) = &spec.place else {
        return Wcs::read(header).map_err(|e| InsertError::Content {
            path: spec.path.display().to_string(),
            reason: format!("{e}; give insert.place to say where the image goes"),
        });
    };
    let (s, c) = p.position_angle_deg.to_radians().sin_cos();
    let scale = p.pixel_scale_arcsec / 3600.0;
    // y points to the position angle, x to its right: west when y is north.
    let cd = [[-c * scale, s * scale], [s * scale, c * scale]];
    Ok(Wcs { crpix: [0.5 * (nx as f64 + 1.0), 0.5 * (ny as f64 + 1.0)], crval: [p.ra_deg, p.dec_deg], cd, pv: None })
}

/// The sources of the `index`-th insert of a scenario, and what was done to its pixels.
///
/// # Errors
/// When a value is out of range, or the file is missing, damaged, or not an image or cube with what is needed.
pub fn open(spec: &InsertSpec, index: usize, library: &Library) -> Result<(Vec<Source>, Report), InsertError> {
    spec.check()?;
    let content = |reason: String| InsertError::Content { path: spec.path.display().to_string(), reason };
    let mut units = fits::read(&spec.path)?;
    let wanted = |u: &fits::Hdu| match &spec.unit {
        Some(name) => u.name.eq_ignore_ascii_case(name),
        None => !matches!(u.data, Data::None | Data::Table(_)),
    };
    let Some(found) = units.iter().position(wanted) else {
        let names = || units.iter().map(|u| format!("`{}`", u.name)).collect::<Vec<_>>().join(", ");
        return Err(content(match &spec.unit {
            Some(name) => format!("no unit `{name}`; there are {}", names()),
            None => "no unit has pixels".into(),
        }));
    };
    let fits::Hdu { header, data, .. } = units.swap_remove(found);
    let planes = planes(data);
    let (ny, nx) = planes.first().ok_or_else(|| content("neither an image nor a cube".into()))?.dim();
    if nx.min(ny) < 8 {
        return Err(content(format!("{nx} x {ny} pixels; at least 8 x 8")));
    }
    let wcs = world(spec, &header, (nx, ny))?;
    let sum = planes.iter().skip(1).fold(planes[0].clone(), |sum, plane| sum + plane);
    let mut kept = region::kept(&sum, spec.background, spec.keep_sigma).map_err(|reason| content(reason.into()))?;
    let picture = match &spec.brightness {
        Light::FluxDensity { unit_erg_s_cm2_angstrom, bins } => {
            if planes.len() == 1 {
                return Err(content("an image of one plane; brightness.kind = \"flux_density\" takes a cube".into()));
            }
            let axis = cube::Axis::read(&header, planes.len()).map_err(content)?;
            cube::coats(&planes, &axis, *bins, *unit_erg_s_cm2_angstrom, spec.background, &mut kept)
        }
        Light::Total { magnitude, band } | Light::ZeroPoint { zero_point: magnitude, band } => {
            if planes.len() > 1 {
                return Err(content(format!("a cube of {} planes; brightness.kind has to be \"flux_density\"", planes.len())));
            }
            let light = tiles::light(sum, &kept, kept.background);
            let whole = matches!(spec.brightness, Light::Total { .. });
            let zero_point = if whole { magnitude + 2.5 * tiles::sum(light.iter()).log10() } else { *magnitude };
            let band = library.bands.by_name(band).ok_or_else(|| unknown(band))?.clone();
            vec![tiles::Coat { light, zero_point, band, sed: spec.sed(library) }]
        }
    };
    let (sources, left_out) = tiles::sources(&picture, &kept, &wcs, index);
    if sources.is_empty() {
        return Err(content(format!(
            "nothing is {} standard deviations above the background ({} +- {})",
            spec.keep_sigma, kept.background, kept.sigma
        )));
    }
    let share = kept.mask.iter().filter(|k| **k).count() as f64 / kept.mask.len() as f64;
    Ok((sources, Report { background: kept.background, sigma: kept.sigma, kept: share, left_out }))
}

/// The planes of an image or cube; of other data none.
fn planes(data: Data) -> Vec<ndarray::Array2<f32>> {
    match data {
        Data::F32(image) | Data::Counts(image) => vec![image],
        Data::F64(image) => vec![image.mapv(|v| v as f32)],
        Data::U16(image) => vec![image.mapv(f32::from)],
        Data::I32(image) => vec![image.mapv(|v| v as f32)],
        Data::I16(image) => vec![image.mapv(f32::from)],
        Data::U8(image) => vec![image.mapv(f32::from)],
        Data::Sparse(image) => vec![image.dense().mapv(|v| v as f32)],
        Data::Cube(cube) => cube.outer_iter().map(|plane| plane.to_owned()).collect(),
        Data::None | Data::Table(_) => Vec::new(),
    }
}
