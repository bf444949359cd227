//! The reduction of imaging and slitless detectors: calibration exposures to masters, raw frames to level 1.
//!
//! It sees level-0 files and nothing else: no detector parameters, no catalogue, no PSF, no random numbers. What it knows of a
//! detector it measures ([`masters`]) and hands to the corrections of `instruments` as [`sim_core::knowledge::Knowledge`].
//!
//! - [`calibrate`]: calibration level-0 files to masters on disk ([`CalibrationSet`]);
//! - [`reduce`]: a level-0 file to its level-1 files; [`reduce_frame`]: the same in memory.
//!
//! Nothing depends on threads or on the order of files; time stamps are those of the exposure.

pub mod amplifiers;
pub mod background;
pub mod boundary_fit;
pub mod brighter_fatter_fit;
pub mod combine;
pub mod crosstalk_fit;
pub mod defect_search;
pub mod earlier;
pub mod edge_trails;
pub mod error;
pub mod error_model;
pub mod explain;
pub mod first_pixels;
pub mod flat_covariance;
pub mod flat_ramp;
pub mod fringe_fit;
pub mod ghost_fit;
pub mod group;
pub mod hit_count;
pub mod hot_pixel_trails;
pub mod index;
pub mod injected_lines;
pub mod keywords;
pub mod least_squares;
pub mod level1;
pub mod linearity_fit;
pub mod masters;
pub mod options;
pub mod order_statistics;
pub mod overscan_fit;
pub mod persistence_fit;
pub mod photon_transfer;
pub mod products;
pub mod pumped_moments;
pub mod qc0;
pub mod ramp_choice;
pub mod raw_stack;
pub mod references;
pub mod serial_loss;
pub mod set;
pub mod shutter_fit;
pub mod steps;
pub mod transfer_lines;
pub mod trap_evidence;
pub mod trap_fit;
pub mod verify;

/// Version of the reduction: raised whenever a pixel of level 1 may change although raw frame and references do not.
pub const VERSION: u32 = 1;

pub use error::ReductionError;
pub use error_model::ShotNoise;
pub use index::Index;
pub use level1::{Level1, reduce_frame, reduce_frame_after};
pub use masters::CalibrationOptions;
pub use options::{Finder, Options};
pub use products::{Reduced, level1_files, level1_files_of, reduce, reduce_after, reduce_level0, write_level1};
pub use set::{CalibrationSet, DetectorCalibration, Master, calibrate};
