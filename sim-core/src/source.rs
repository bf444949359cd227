//! Sources on the sky: what is drawn, before any telescope.
//!
//! Conventions are GalSim's: half-light radius of the circularised profile before shear; reduced shear `g`, area
//! preserving; lensing is applied after the intrinsic shape (`lens o intrinsic`), magnifies by `mu`, and moves nothing.

use crate::bandpass::Bandpass;
use crate::spectrum::Sed;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Reduced shear in the Cartesian frame (u, v) of the source's [`Position`]: an object with g1 > 0 is long along u,
/// with g2 > 0 along the diagonal u = v. For a position on the sky u points east and v north (so g2 > 0 is long
/// towards north-east); for a position in pixels (u, v) are the pixel axes. Catalogues that take u towards west
/// (GalSim's and many weak-lensing catalogues' convention) have the sign of g2 flipped when they are read.
/// The renderer maps (u, v) to pixels with the local Jacobian of the WCS.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shear {
    /// Component along the axes.
    pub g1: f64,
    /// Component along the diagonal.
    pub g2: f64,
}

/// Gravitational lensing at the source.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lensing {
    /// Reduced shear.
    pub shear: Shear,
    /// Convergence. Magnification mu = 1 / ((1 - kappa)^2 (1 - |g|^2)); sizes grow by sqrt(mu), flux by mu.
    pub kappa: f64,
}

/// The light distribution of a component, at unit flux.
#[derive(Debug, Clone)]
pub enum Profile {
    /// A point.
    Point,
    /// Sersic profile I ~ exp(-b (r / r_e)^(1/n)), untruncated.
    Sersic {
        /// Index, 0.3 to 6.2.
        index: f64,
        /// Half-light radius before shear \[arcsec\].
        half_light_radius_arcsec: f64,
        /// Intrinsic shape.
        shear: Shear,
    },
    /// Equal point-like knots scattered as a Gaussian of that half-light radius; keyed by the object's number.
    Knots {
        /// How many.
        count: u32,
        /// Half-light radius of the scatter before shear \[arcsec\].
        half_light_radius_arcsec: f64,
        /// Shape of the scatter.
        shear: Shear,
    },
    /// An image of pixels that are parallelograms, `[y, x]`, any normalisation, centred on its true centre.
    Image {
        /// Pixels.
        pixels: Arc<ndarray::Array2<f32>>,
        /// What a step of one pixel along x and along y is on the sky: `[[du/dx, du/dy], [dv/dx, dv/dy]]` \[arcsec\].
        axes_arcsec: [[f64; 2]; 2],
    },
}

/// How bright a component is.
#[derive(Debug, Clone)]
pub enum Brightness {
    /// AB magnitude through a band; the spectrum carries it to the detector's band.
    Ab {
        /// Magnitude.
        magnitude: f64,
        /// The band in which it is stated.
        band: Arc<Bandpass>,
    },
    /// Expected electrons in the exposure, whatever the band (benchmarks, stamps).
    Electrons(f64),
}

/// One component of a source: own profile, own spectrum (colour gradients), own brightness.
#[derive(Debug, Clone)]
pub struct Component {
    /// Light distribution.
    pub profile: Profile,
    /// Spectrum.
    pub sed: Sed,
    /// Brightness.
    pub brightness: Brightness,
}

/// What kind of object a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A star.
    Star,
    /// A galaxy.
    Galaxy,
    /// A quasar.
    Quasar,
    /// A supernova.
    Supernova,
    /// A piece of an image or cube that a user has put into the sky.
    Insert,
    /// A member of a cluster of galaxies.
    ClusterGalaxy,
    /// The light between the galaxies of a cluster.
    IntraclusterLight,
    /// The deflector of a strong lens.
    LensGalaxy,
    /// The images of the galaxy behind a strong lens.
    LensedGalaxy,
    /// An image of the quasar behind a strong lens.
    LensedQuasar,
}

impl SourceKind {
    /// Name in the truth table.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Star => "star",
            Self::Galaxy => "galaxy",
            Self::Quasar => "quasar",
            Self::Supernova => "supernova",
            Self::Insert => "insert",
            Self::ClusterGalaxy => "cluster_galaxy",
            Self::IntraclusterLight => "intracluster_light",
            Self::LensGalaxy => "lens_galaxy",
            Self::LensedGalaxy => "lensed_galaxy",
            Self::LensedQuasar => "lensed_quasar",
        }
    }
}

/// Where a source is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Position {
    /// On the sky, ICRS at the epoch of the exposure \[deg\].
    Sky {
        /// Right ascension \[deg\].
        ra_deg: f64,
        /// Declination \[deg\].
        dec_deg: f64,
    },
    /// On the detector, 0-based pixels; shapes are then in pixel axes.
    Pixel {
        /// Column.
        x: f64,
        /// Row.
        y: f64,
    },
}

/// A source.
#[derive(Debug, Clone)]
pub struct Source {
    /// Number, unique in a catalogue; part of every random key of the object.
    pub id: u64,
    /// Kind.
    pub kind: SourceKind,
    /// Place.
    pub position: Position,
    /// Components; the first is the bulge where there is one.
    pub components: Vec<Component>,
    /// Lensing.
    pub lensing: Lensing,
    /// Redshift, for the truth.
    pub redshift: f64,
    /// Motion in space, where it is known.
    pub motion: Option<Motion>,
    /// Where the telescope sees it, as a place of its nominal world coordinates (ra, dec) \[deg\]; `None`: where it is.
    pub seen: Option<(f64, f64)>,
}

/// Motion of a star, from the place that its position has at an epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Motion {
    /// Proper motion in right ascension, on the sky (with cos dec) \[mas / yr\].
    pub pm_ra_mas_yr: f64,
    /// Proper motion in declination \[mas / yr\].
    pub pm_dec_mas_yr: f64,
    /// Parallax \[mas\]; not above 0: infinitely far.
    pub parallax_mas: f64,
    /// Radial velocity \[km / s\].
    pub radial_velocity_km_s: f64,
    /// Julian year of the position.
    pub epoch_year: f64,
}
