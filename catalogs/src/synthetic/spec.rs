//! What a scenario says of a synthetic field, with the ranges of its values.

use super::quasars::QuasarSpec;
use super::supernovae::SupernovaSpec;
use crate::cosmos::Cosmology;
use serde::{Deserialize, Serialize};

/// The population. Every key has a default but the seed, which comes from the scenario when it is absent here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FieldSpec {
    /// Seed of the sky.
    pub seed: Option<u64>,
    /// Stars.
    pub stars: StarSpec,
    /// Galaxies.
    pub galaxies: GalaxySpec,
    /// Quasars; none by default.
    pub quasars: QuasarSpec,
    /// Active nuclei of the galaxies; none by default.
    pub nuclei: super::NucleusSpec,
    /// Supernovae; none by default.
    pub supernovae: SupernovaSpec,
    /// Lensing of the galaxies.
    pub lensing: LensingSpec,
    /// Clusters of galaxies.
    pub clusters: super::ClusterSpec,
    /// Strong lenses.
    pub lenses: super::LensSpec,
    /// The universe that galaxies cluster and are lensed in.
    pub cosmology: Cosmology,
    /// Galactic colour excess E(B-V) of galaxies and stars \[mag\], 0 to 5.
    pub e_bv: f64,
}

impl Default for FieldSpec {
    fn default() -> Self {
        Self {
            seed: None,
            stars: StarSpec::default(),
            galaxies: GalaxySpec::default(),
            quasars: QuasarSpec::default(),
            nuclei: super::NucleusSpec::default(),
            supernovae: SupernovaSpec::default(),
            lensing: LensingSpec::None,
            clusters: super::ClusterSpec::default(),
            lenses: super::LensSpec::default(),
            cosmology: Cosmology::default(),
            e_bv: 0.0,
        }
    }
}

/// Stars of the field.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StarSpec {
    /// Factor on the counts, 0 to 1000; 0 for none.
    pub scale: f64,
    /// Brightest V magnitude, 5 to 28.
    pub bright: f64,
    /// Faintest V magnitude, 5 to 28.
    pub faint: f64,
    /// Dust in front of stars by their distance: the model's, or scaled to the column `e_bv` when that is above 0.
    pub dust: bool,
    /// Companions: unresolved pairs are one source, pairs wider than 0.05 arcsec two.
    pub binaries: bool,
    /// Proper motion, parallax and radial velocity, which a scenario with an observer applies; without, stars stay where they were drawn.
    pub motion: bool,
    /// Whether some stars vary: RR Lyrae, Cepheids, Miras, eclipsing and long-period stars, white dwarfs, M dwarfs with flares. Limits of magnitude hold for the mean.
    pub variables: bool,
}

impl Default for StarSpec {
    fn default() -> Self {
        Self { scale: 1.0, bright: 14.0, faint: 27.0, dust: true, binaries: true, motion: true, variables: false }
    }
}

/// Galaxies of the field.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GalaxySpec {
    /// Factor on the counts, 0 to 100; 0 for none.
    pub scale: f64,
    /// Brightest i magnitude, 16 to 28.75.
    pub bright: f64,
    /// Faintest i magnitude, 16 to 28.75.
    pub faint: f64,
    /// Fraction of the late-type galaxies with knots of star formation, 0 to 1.
    pub knots_fraction: f64,
    /// Whether galaxies follow the large-scale structure; else they are scattered evenly.
    pub clustering: bool,
}

impl Default for GalaxySpec {
    fn default() -> Self {
        Self { scale: 1.0, bright: 17.0, faint: 26.5, knots_fraction: 0.3, clustering: true }
    }
}

/// Weak lensing of all galaxies.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum LensingSpec {
    /// None.
    #[default]
    None,
    /// The same for all.
    Constant {
        /// Reduced shear along east-west.
        g1: f64,
        /// Reduced shear along the diagonal (north-east).
        g2: f64,
        /// Convergence, -0.5 to 0.5.
        kappa: f64,
    },
    /// Normal draws per galaxy, independent of its neighbours; no convergence.
    Random {
        /// Standard deviation of each component, 0 to 0.2.
        sigma: f64,
    },
    /// By the large-scale structure in front: convergence and shear of one potential, magnification and dilution included.
    Structure,
}

/// Why a field cannot be made.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum FieldError {
    /// There is no default seed.
    #[error("field.seed is missing: a synthetic field needs a seed")]
    NoSeed,
    /// A value is outside its range.
    #[error("field.{key} = {value} is outside {range}")]
    Range {
        /// Key.
        key: &'static str,
        /// Value given.
        value: f64,
        /// Allowed.
        range: &'static str,
    },
}

impl FieldSpec {
    /// The seed, when all values are in their ranges.
    pub(super) fn check(&self) -> Result<u64, FieldError> {
        let within = |key, value: f64, low: f64, high: f64, range| {
            if value >= low && value <= high { Ok(()) } else { Err(FieldError::Range { key, value, range }) }
        };
        within("e_bv", self.e_bv, 0.0, 5.0, "0..5 mag")?;
        within("stars.scale", self.stars.scale, 0.0, 1000.0, "0..1000")?;
        within("stars.bright", self.stars.bright, 5.0, 28.0, "5..28 mag")?;
        within("stars.faint", self.stars.faint, self.stars.bright + 1e-3, 28.0, "stars.bright..28 mag")?;
        within("galaxies.scale", self.galaxies.scale, 0.0, 100.0, "0..100")?;
        within("galaxies.bright", self.galaxies.bright, 16.0, 28.75, "16..28.75 mag")?;
        within("galaxies.faint", self.galaxies.faint, self.galaxies.bright + 1e-3, 28.75, "galaxies.bright..28.75 mag")?;
        within("galaxies.knots_fraction", self.galaxies.knots_fraction, 0.0, 1.0, "0..1")?;
        within("quasars.scale", self.quasars.scale, 0.0, 1000.0, "0..1000")?;
        within("quasars.bright", self.quasars.bright, 14.0, 28.0, "14..28 mag")?;
        within("quasars.faint", self.quasars.faint, self.quasars.bright + 1e-3, 28.0, "quasars.bright..28 mag")?;
        within("nuclei.scale", self.nuclei.scale, 0.0, 100.0, "0..100")?;
        within("nuclei.faint", self.nuclei.faint, 14.0, 40.0, "14..40 mag")?;
        within("supernovae.scale", self.supernovae.scale, 0.0, 1000.0, "0..1000")?;
        within("supernovae.faint", self.supernovae.faint, 14.0, 30.0, "14..30 mag")?;
        within("clusters.scale", self.clusters.scale, 0.0, 10.0, "0..10")?;
        within("clusters.least_mass", self.clusters.least_mass, 1e13, 1e15, "1e13..1e15 solar masses")?;
        within("clusters.diffuse", self.clusters.diffuse, 0.0, 3.0, "0..3")?;
        within("lenses.scale", self.lenses.scale, 0.0, 1000.0, "0..1000")?;
        within("lenses.quasars", self.lenses.quasars, 0.0, 1000.0, "0..1000")?;
        within("lenses.faint", self.lenses.faint, 20.0, 28.0, "20..28 mag")?;
        within("lenses.least_einstein_arcsec", self.lenses.least_einstein_arcsec, 0.1, 5.0, "0.1..5 arcsec")?;
        if let Some((key, value, range)) = self.cosmology.fault() {
            return Err(FieldError::Range { key, value, range });
        }
        match self.lensing {
            LensingSpec::None | LensingSpec::Structure => {}
            LensingSpec::Constant { g1, g2, kappa } => {
                within("lensing.g1, g2 (modulus)", g1.hypot(g2), 0.0, 0.9, "0..0.9")?;
                within("lensing.kappa", kappa, -0.5, 0.5, "-0.5..0.5")?;
            }
            LensingSpec::Random { sigma } => within("lensing.sigma", sigma, 0.0, 0.2, "0..0.2")?,
        }
        self.seed.ok_or(FieldError::NoSeed)
    }
}
