//! The `[psf]` table of an instrument file, and the plain PSF of a stamp.
//!
//! Every number of an instrument file carries value, unit, source and status
//! ([`sim_core::quantity::Quantity`]); a unit other than the one named below is refused, and so is an unknown key.
//!
//! | kind | keys | unit |
//! |---|---|---|
//! | `optical` | `diameter` | `m` |
//! | | `wavefront_scale` (optional, multiplies every term; 1 when absent) | `1` |
//! | | `chromatic_reference` (only with `chromatic`) | `nm` |
//! | | `[[psf.wavefront]]`: `noll` (4 to 36, plain integer), `opd` (list), `chromatic` (optional list) | `nm`, `nm/um` |
//! | `airy` | `diameter`, `obscuration` (optional, linear) | `m`, `1` |
//! | `gaussian` | `fwhm` or `sigma` (per axis) | `arcsec` |
//! | `moffat` | `fwhm`, `beta`, `truncation` (optional, radius) | `arcsec`, `1`, `arcsec` |
//! | `cube` | `file` (plain text), `between_wavelengths` (optional: `"linear"` or `"lagrange"`) | |
//! | any | `[psf.blur]` (optional), keys below | |
//!
//! | key of `[psf.blur]`, all optional | meaning | unit |
//! |---|---|---|
//! | `jitter_x`, `jitter_y` | standard deviation of the line of sight along detector x, y | `arcsec` |
//! | `jitter_correlation` | correlation of the two, -1 to 1 | `1` |
//! | `drift_x`, `drift_y` | length of a uniform drift during the exposure | `arcsec` |
//! | `diffusion` | standard deviation of the charge cloud per axis | `pixel` |
//! | `diffusion_slope` | its change with wavelength | `pixel/um` |
//! | `diffusion_reference` | wavelength at which it is `diffusion` (needed with a slope) | `nm` |
//!
//! The list `opd` holds the coefficients of a polynomial over the focal plane in the order
//! `1, x, y, x^2, xy, y^2, x^3, x^2 y, x y^2, y^3, ...` with x and y in degrees from the boresight, so that
//! coefficient (i, j) is in nm / deg^(i+j); its length is 1, 3, 6, 10, 15 or 21. `chromatic`, in the same order, adds
//! `chromatic * (wavelength - chromatic_reference)`.
//!
//! ```toml
//! [psf]
//! kind = "optical"
//! diameter = { value = 2.0, unit = "m", source = "Zhan 2021", status = "published" }
//! wavefront_scale = { value = 1.0, unit = "1", source = "tuned to REE80", status = "derived" }
//! chromatic_reference = { value = 620.0, unit = "nm", source = "mid r band", status = "assumed" }
//!
//! [[psf.wavefront]]
//! noll = 4
//! opd = { value = [12.0, 0.0, 0.0, -20.0, 0.0, -20.0], unit = "nm", source = "...", status = "assumed" }
//! chromatic = { value = [3.0], unit = "nm/um", source = "...", status = "assumed" }
//!
//! [[psf.wavefront]]
//! noll = 8
//! opd = { value = [5.0, 20.0, 0.0], unit = "nm", source = "...", status = "assumed" }
//!
//! [psf.blur]
//! jitter_x = { value = 0.01, unit = "arcsec", source = "...", status = "assumed" }
//! jitter_y = { value = 0.01, unit = "arcsec", source = "...", status = "assumed" }
//! diffusion = { value = 0.3, unit = "pixel", source = "...", status = "assumed" }
//! ```

use crate::airy::Airy;
use crate::analytic::Gaussian;
use crate::blur::{Convolved, Diffusion, Drift, Jitter};
use crate::cube::{BetweenWavelengths, CubePsf};
use crate::moffat::Moffat;
use crate::optical::{OpticalPsf, WavefrontTerm};
use serde::{Deserialize, Serialize};
use sim_core::psf::{Psf, PsfError};
use sim_core::quantity::Quantity;
use std::path::{Path, PathBuf};

/// The `[psf]` table of an instrument file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PsfConfig {
    /// Circular pupil with a Zernike wavefront.
    Optical(OpticalConfig),
    /// Perfect circular pupil, optionally with a central obscuration.
    Airy(AiryConfig),
    /// Circular Gaussian.
    Gaussian(GaussianConfig),
    /// Circular Moffat.
    Moffat(MoffatConfig),
    /// Tabulated images.
    Cube(CubeConfig),
}

/// `kind = "optical"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpticalConfig {
    /// Diameter of the pupil \[m\].
    pub diameter: Quantity,
    /// Factor on every wavefront term \[1\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wavefront_scale: Option<Quantity>,
    /// Wavelength at which the chromatic terms vanish \[nm\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chromatic_reference: Option<Quantity>,
    /// Terms of the wavefront.
    #[serde(default)]
    pub wavefront: Vec<WavefrontConfig>,
    /// What smears the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blur: Option<BlurConfig>,
}

/// One `[[psf.wavefront]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WavefrontConfig {
    /// Noll index.
    pub noll: u32,
    /// Polynomial over the focal plane \[nm\].
    pub opd: Quantity<Vec<f64>>,
    /// Its change with wavelength \[nm/um\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chromatic: Option<Quantity<Vec<f64>>>,
}

/// `kind = "airy"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AiryConfig {
    /// Diameter of the pupil \[m\].
    pub diameter: Quantity,
    /// Diameter of the obscuration over that of the pupil \[1\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obscuration: Option<Quantity>,
    /// What smears the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blur: Option<BlurConfig>,
}

/// `kind = "gaussian"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianConfig {
    /// Full width at half maximum \[arcsec\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fwhm: Option<Quantity>,
    /// Standard deviation per axis \[arcsec\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sigma: Option<Quantity>,
    /// What smears the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blur: Option<BlurConfig>,
}

/// `kind = "moffat"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoffatConfig {
    /// Full width at half maximum \[arcsec\].
    pub fwhm: Quantity,
    /// Exponent \[1\].
    pub beta: Quantity,
    /// Radius beyond which there is no light \[arcsec\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncation: Option<Quantity>,
    /// What smears the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blur: Option<BlurConfig>,
}

/// `kind = "cube"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CubeConfig {
    /// FITS file, relative to the instrument file's folder.
    pub file: PathBuf,
    /// How to go from one tabulated wavelength to the next.
    #[serde(default)]
    pub between_wavelengths: BetweenWavelengths,
    /// What smears the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blur: Option<BlurConfig>,
}

/// `[psf.blur]`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlurConfig {
    /// Standard deviation of the line of sight along x \[arcsec\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_x: Option<Quantity>,
    /// Standard deviation of the line of sight along y \[arcsec\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_y: Option<Quantity>,
    /// Correlation of the two \[1\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_correlation: Option<Quantity>,
    /// Uniform drift along x \[arcsec\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_x: Option<Quantity>,
    /// Uniform drift along y \[arcsec\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_y: Option<Quantity>,
    /// Charge diffusion, standard deviation per axis \[pixel\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diffusion: Option<Quantity>,
    /// Its change with wavelength \[pixel/um\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diffusion_slope: Option<Quantity>,
    /// Where it is `diffusion` \[nm\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diffusion_reference: Option<Quantity>,
}

/// Why a PSF table could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PsfConfigError {
    /// The table does not have the expected form.
    #[error("[psf]: {0}")]
    Form(#[from] toml::de::Error),
    /// Wrong unit.
    #[error("psf.{key}: unit `{unit}`, expected `{expected}`")]
    Unit {
        /// Dotted key.
        key: String,
        /// Unit found.
        unit: String,
        /// Unit expected.
        expected: &'static str,
    },
    /// A key is missing, or there is one too many.
    #[error("psf.{key}: {reason}")]
    Key {
        /// Dotted key.
        key: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A value is not possible.
    #[error(transparent)]
    Value(#[from] PsfError),
}

/// Builds the PSF of an instrument file's `[psf]` table. A cube's file name is taken as it is.
///
/// # Errors
/// When a key is unknown or missing, a unit is not the one expected, a value is out of range or a cube unreadable.
pub fn build(table: &toml::Table, pixel_scale_arcsec: f64) -> Result<Box<dyn Psf>, PsfConfigError> {
    build_in(table, pixel_scale_arcsec, Path::new(""))
}

/// As [`build`], with the folder that a cube's file name is relative to.
///
/// # Errors
/// As [`build`].
pub fn build_in(table: &toml::Table, pixel_scale_arcsec: f64, folder: &Path) -> Result<Box<dyn Psf>, PsfConfigError> {
    parse(table)?.build(pixel_scale_arcsec, folder)
}

/// Reads the table without building anything.
///
/// # Errors
/// When a key is unknown or missing.
pub fn parse(table: &toml::Table) -> Result<PsfConfig, PsfConfigError> {
    Ok(toml::Value::Table(table.clone()).try_into()?)
}

impl PsfConfig {
    /// Builds the PSF.
    ///
    /// # Errors
    /// As [`build`].
    pub fn build(&self, pixel_scale_arcsec: f64, folder: &Path) -> Result<Box<dyn Psf>, PsfConfigError> {
        let (optics, blur): (Box<dyn Psf>, _) = match self {
            Self::Optical(c) => (Box::new(c.build()?), &c.blur),
            Self::Airy(c) => {
                let obscuration = c.obscuration.as_ref().map_or(Ok(0.0), |q| number(q, "obscuration", "1"))?;
                (Box::new(Airy::new(number(&c.diameter, "diameter", "m")?, obscuration)?), &c.blur)
            }
            Self::Gaussian(c) => {
                let gaussian = match (&c.fwhm, &c.sigma) {
                    (Some(fwhm), None) => Gaussian::from_fwhm(number(fwhm, "fwhm", "arcsec")?)?,
                    (None, Some(sigma)) => Gaussian::from_sigma(number(sigma, "sigma", "arcsec")?)?,
                    _ => return Err(PsfConfigError::Key { key: "fwhm".into(), reason: "give either `fwhm` or `sigma`" }),
                };
                (Box::new(gaussian), &c.blur)
            }
            Self::Moffat(c) => {
                let truncation = c.truncation.as_ref().map(|q| number(q, "truncation", "arcsec")).transpose()?;
                (Box::new(Moffat::new(number(&c.fwhm, "fwhm", "arcsec")?, number(&c.beta, "beta", "1")?, truncation)?), &c.blur)
            }
            Self::Cube(c) => (Box::new(CubePsf::read(&folder.join(&c.file))?.between_wavelengths(c.between_wavelengths)), &c.blur),
        };
        match blur {
            None => Ok(optics),
            Some(blur) => blur.onto(optics, pixel_scale_arcsec),
        }
    }
}

impl OpticalConfig {
    /// The optics alone, without the blur.
    ///
    /// # Errors
    /// When a unit or a value is wrong.
    pub fn build(&self) -> Result<OpticalPsf, PsfConfigError> {
        let scale = self.wavefront_scale.as_ref().map_or(Ok(1.0), |q| number(q, "wavefront_scale", "1"))?;
        let reference_nm = self.chromatic_reference.as_ref().map(|q| number(q, "chromatic_reference", "nm")).transpose()?;
        let mut terms = Vec::with_capacity(self.wavefront.len());
        for w in &self.wavefront {
            let key = format!("wavefront (noll {})", w.noll);
            let opd = list(&w.opd, &format!("{key}.opd"), "nm")?;
            let chromatic = match (&w.chromatic, reference_nm) {
                (None, _) => Vec::new(),
                (Some(q), Some(_)) => list(q, &format!("{key}.chromatic"), "nm/um")?,
                (Some(_), None) => {
                    return Err(PsfConfigError::Key {
                        key: "chromatic_reference".into(),
                        reason: "missing, a wavefront term is chromatic",
                    });
                }
            };
            terms.push(WavefrontTerm { noll: w.noll, opd_nm: opd, chromatic_nm_per_um: chromatic });
        }
        let diameter_m = number(&self.diameter, "diameter", "m")?;
        Ok(OpticalPsf::new(diameter_m, terms, reference_nm.unwrap_or(0.0))?.scaled(scale))
    }
}

impl BlurConfig {
    fn onto(&self, optics: Box<dyn Psf>, pixel_scale_arcsec: f64) -> Result<Box<dyn Psf>, PsfConfigError> {
        let get = |q: &Option<Quantity>, key: &str, unit| q.as_ref().map_or(Ok(0.0), |q| number(q, &format!("blur.{key}"), unit));
        let mut parts = vec![optics];
        let (jx, jy) = (get(&self.jitter_x, "jitter_x", "arcsec")?, get(&self.jitter_y, "jitter_y", "arcsec")?);
        let correlation = get(&self.jitter_correlation, "jitter_correlation", "1")?;
        let diffusion = get(&self.diffusion, "diffusion", "pixel")?;
        let slope = get(&self.diffusion_slope, "diffusion_slope", "pixel/um")?;
        let reference_nm = get(&self.diffusion_reference, "diffusion_reference", "nm")?;
        if slope != 0.0 && self.diffusion_reference.is_none() {
            return Err(PsfConfigError::Key { key: "blur.diffusion_reference".into(), reason: "missing, `diffusion_slope` is not 0" });
        }
        if jx != 0.0 || jy != 0.0 {
            parts.push(Box::new(Jitter::new(jx, jy, correlation)?));
        }
        let (dx, dy) = (get(&self.drift_x, "drift_x", "arcsec")?, get(&self.drift_y, "drift_y", "arcsec")?);
        if dx != 0.0 || dy != 0.0 {
            parts.push(Box::new(Drift::new(dx, dy)?));
        }
        if diffusion != 0.0 || slope != 0.0 {
            parts.push(Box::new(Diffusion::new(diffusion * pixel_scale_arcsec, slope * pixel_scale_arcsec, reference_nm)?));
        }
        Ok(Box::new(Convolved { parts }))
    }
}

fn unit_is(unit: &str, key: &str, expected: &'static str) -> Result<(), PsfConfigError> {
    if unit == expected {
        return Ok(());
    }
    Err(PsfConfigError::Unit { key: key.into(), unit: unit.into(), expected })
}

fn number(q: &Quantity, key: &str, expected: &'static str) -> Result<f64, PsfConfigError> {
    unit_is(&q.unit, key, expected)?;
    Ok(q.value)
}

fn list(q: &Quantity<Vec<f64>>, key: &str, expected: &'static str) -> Result<Vec<f64>, PsfConfigError> {
    unit_is(&q.unit, key, expected)?;
    Ok(q.value.clone())
}

#[cfg(test)]
mod tests;
