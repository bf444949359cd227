//! Pointing plans: which exposure is taken where and when.
//!
//! ```text
//! Survey (TOML) -> Area, Programme -- tile --> Target -- Schedule::make --> Pointing -- table --> CSV, FITS, Parquet
//!                                                                              |-- verify --> violations with margins
//!                                                                              '-- Coverage --> map, MOC, area, picture
//! ```
//! [`survey`] holds areas and programmes, [`orbit`] where the telescope is, [`moment`] where Sun, Moon and Earth are for it, [`constraints`] what forbids
//! an exposure, [`tiling`] where exposures go, [`schedule`] when, [`mod@verify`] whether a plan keeps the rules, whoever made it, [`table`] its files,
//! [`coverage`] what the detectors see of the sky. Numbers come with their status from `scenarios/data/surveys`.
//!
//! Axes are those of the GCRS, dates are modified Julian dates in UTC, angles are degrees unless the name says otherwise.

pub mod almanac;
pub mod area;
pub mod constraints;
pub mod coverage;
pub mod focal_plane;
pub mod input;
pub mod moment;
pub mod orbit;
pub mod schedule;
pub mod survey;
pub mod table;
pub mod tiling;
pub mod verify;

pub use area::Area;
pub use constraints::Rules;
pub use coverage::Coverage;
pub use focal_plane::{Attitude, Detector, FocalPlane};
pub use input::InputError;
pub use moment::Moment;
pub use orbit::Track;
pub use schedule::Schedule;
pub use survey::Survey;
pub use tiling::{Programme, tile};
pub use verify::verify;

/// An exposure that is wanted: a direction, without a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Observation number, unique in a plan.
    pub obs_id: u64,
    /// Right ascension of the boresight \[deg\], 0 (inclusive) to 360.
    pub ra_deg: f64,
    /// Declination of the boresight \[deg\].
    pub dec_deg: f64,
    /// Position angle of the mosaic's +y axis \[deg\], from north through east, 0 (inclusive) to 360; +x is 90 deg west of it. The rotation of the Cycle 9
    /// world coordinates (`image_rot`, `rotation_deg` of an exposure) is this less 180 deg.
    pub position_angle_deg: f64,
    /// Exposure time \[s\].
    pub exposure_s: f64,
    /// Programme, for instance `wide`.
    pub programme: String,
    /// Number of the visit, from 1.
    pub visit: u32,
}

impl Target {
    /// How the telescope stands for it.
    #[must_use]
    pub fn attitude(&self) -> Attitude {
        Attitude::new(self.ra_deg, self.dec_deg, self.position_angle_deg)
    }
}

/// An exposure with its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Pointing {
    /// Where, how long, what for.
    pub target: Target,
    /// Start, modified Julian date UTC \[d\].
    pub start_mjd: f64,
}

impl Pointing {
    /// End of the exposure, modified Julian date UTC \[d\].
    #[must_use]
    pub fn end_mjd(&self) -> f64 {
        self.start_mjd + self.target.exposure_s / DAY_S
    }
}

/// Seconds in a day.
pub const DAY_S: f64 = 86_400.0;
