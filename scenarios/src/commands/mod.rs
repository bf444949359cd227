//! The commands of `skyloop`, one file each.

pub mod bench;
pub mod catalog;
pub mod explain;
pub mod loops;
pub mod one_effect;
pub mod pointings;
pub mod spectra;
pub mod stamp;
pub mod survey;
pub mod survey_serve;
pub mod survey_submit;
mod survey_watch;
