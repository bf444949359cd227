//! A PSF in plain numbers, for drawing single stamps.
//!
//! ```toml
//! [psf]                      # one of
//! kind = "gaussian"
//! fwhm = 0.15                # arcsec, or sigma
//!
//! kind = "moffat"
//! fwhm = 0.135               # arcsec
//! beta = 3.5
//! trunc = 2.0                # arcsec, optional
//!
//! kind = "airy"
//! lam_over_diam = 0.0789     # arcsec
//! obscuration = 0.0          # linear, optional
//!
//! kind = "optical"
//! diameter_m = 2.0
//! wavelength_nm = 765.0
//! zernike_waves = [[4, 0.02], [5, 0.03], [11, 0.03]]   # [Noll index, waves]
//!
//! kind = "delta"             # no PSF
//! ```

use crate::airy::FixedAiry;
use crate::analytic::Gaussian;
use crate::blur::Convolved;
use crate::moffat::Moffat;
use crate::optical::{OpticalPsf, WavefrontTerm, out_of_range};
use serde::{Deserialize, Serialize};
use sim_core::psf::{Psf, PsfError, Transfer};
use sim_core::units::{FocalPoint, Nanometre};

/// A PSF in plain numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PsfSpec {
    /// Circular Gaussian: exactly one of the two widths.
    Gaussian {
        /// Full width at half maximum \[arcsec\].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fwhm: Option<f64>,
        /// Standard deviation per axis \[arcsec\].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sigma: Option<f64>,
    },
    /// Circular Moffat.
    Moffat {
        /// Full width at half maximum \[arcsec\].
        fwhm: f64,
        /// Exponent.
        beta: f64,
        /// Truncation radius \[arcsec\].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trunc: Option<f64>,
    },
    /// Airy pattern.
    Airy {
        /// lambda / D \[arcsec\].
        lam_over_diam: f64,
        /// Linear obscuration.
        #[serde(default)]
        obscuration: f64,
    },
    /// Circular pupil with a wavefront.
    Optical {
        /// Diameter of the pupil \[m\].
        diameter_m: f64,
        /// Wavelength \[nm\].
        wavelength_nm: f64,
        /// Noll index and coefficient \[waves\].
        #[serde(default)]
        zernike_waves: Vec<(u32, f64)>,
    },
    /// None.
    Delta,
}

impl PsfSpec {
    /// Builds it. The result is the same at every place and wavelength.
    ///
    /// # Errors
    /// When a number is out of range.
    pub fn build(&self) -> Result<Box<dyn Psf>, PsfError> {
        Ok(match self {
            Self::Gaussian { fwhm: Some(fwhm), sigma: None } => Box::new(Gaussian::from_fwhm(*fwhm)?),
            Self::Gaussian { fwhm: None, sigma: Some(sigma) } => Box::new(Gaussian::from_sigma(*sigma)?),
            Self::Gaussian { .. } => return Err(out_of_range("fwhm", f64::NAN, "arcsec", "either `fwhm` or `sigma`")),
            Self::Moffat { fwhm, beta, trunc } => Box::new(Moffat::new(*fwhm, *beta, *trunc)?),
            Self::Airy { lam_over_diam, obscuration } => Box::new(FixedAiry::new(*lam_over_diam, *obscuration)?),
            Self::Optical { diameter_m, wavelength_nm, zernike_waves } => {
                let terms = zernike_waves
                    .iter()
                    .map(|&(noll, waves)| WavefrontTerm { noll, opd_nm: vec![waves * wavelength_nm], chromatic_nm_per_um: Vec::new() })
                    .collect();
                Box::new(AtOneWavelength { psf: OpticalPsf::new(*diameter_m, terms, 0.0)?, wavelength: Nanometre(*wavelength_nm) })
            }
            Self::Delta => Box::new(Convolved { parts: Vec::new() }),
        })
    }
}

/// An optical PSF held at one wavelength.
struct AtOneWavelength {
    psf: OpticalPsf,
    wavelength: Nanometre,
}

impl Psf for AtOneWavelength {
    fn transfer(&self, at: FocalPoint, _: Nanometre) -> Result<Box<dyn Transfer>, PsfError> {
        self.psf.transfer(at, self.wavelength)
    }
    fn is_uniform(&self) -> bool {
        true
    }
    fn is_achromatic(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: FocalPoint = FocalPoint { x_deg: 0.0, y_deg: 0.0 };

    fn read(text: &str) -> Result<PsfSpec, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn every_kind_is_read_and_has_unit_flux() {
        for text in [
            "kind = 'gaussian'\nfwhm = 0.15",
            "kind = 'moffat'\nfwhm = 0.135\nbeta = 3.5\ntrunc = 2",
            "kind = 'airy'\nlam_over_diam = 0.0789",
            "kind = 'optical'\ndiameter_m = 2\nwavelength_nm = 765\nzernike_waves = [[4, 0.02], [11, 1]]",
            "kind = 'delta'",
        ] {
            let t = read(text).unwrap().build().unwrap().transfer(AT, Nanometre(1.0)).unwrap();
            assert!((t.at(0.0, 0.0).re - 1.0).abs() < 1e-7 && t.at(0.0, 0.0).im.abs() < 1e-7, "{text}");
        }
    }

    #[test]
    fn unknown_keys_and_impossible_numbers_are_refused() {
        assert!(read("kind = 'gaussian'\nfwhm = 0.15\nbeta = 2").unwrap_err().to_string().contains("beta"));
        assert!(read("kind = 'gauss'").is_err());
        assert!(read("kind = 'gaussian'").unwrap().build().is_err());
        assert!(read("kind = 'optical'\ndiameter_m = 2\nwavelength_nm = 765\nzernike_waves = [[2, 0.1]]").unwrap().build().is_err());
    }
}
