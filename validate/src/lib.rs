//! The judge: level-2 measurement of level-1 products, measures against truth, criteria, and the report.
//!
//! The reduction's product is read as any user would read it ([`product`]): rate image, weight, flags. Sources are
//! found and measured ([`level2`]) without any knowledge of the truth; only then are they compared with it
//! ([`measures`]), judged against requirements that are data ([`criteria`]), and shown ([`report`]).
//!
//! ```no_run
//! # fn main() -> Result<(), validate::ValidateError> {
//! # let inputs: Vec<validate::FrameInputs> = vec![];
//! let frames = inputs.iter().map(validate::measure).collect::<Result<Vec<_>, _>>()?;
//! let subjects = validate::Subjects { frames: &frames, ..Default::default() };
//! let verdict = validate::judge(&subjects, &validate::Criteria::built_in());
//! let report = validate::write_report(
//!     std::path::Path::new("out"),
//!     &validate::Report { title: "A survey field", subjects, verdict: &verdict, provenance: &[] },
//! )?;
//! # let _ = report; Ok(()) }
//! ```

pub mod criteria;
pub mod error;
pub mod level2;
pub mod measures;
pub mod product;
pub mod quick_look;
pub mod report;
pub mod statistics;

pub use criteria::{Criteria, Outcome, Subjects, Verdict, judge};
pub use error::ValidateError;
pub use measures::calibration::{CalibrationInputs, CalibrationMeasures, measure_calibration};
pub use measures::effect::{EffectInputs, EffectMeasures, measure_effect};
pub use measures::reference::ReferenceMeasures;
pub use measures::{FrameInputs, FrameMeasures, Measure, NoiselessInput, measure, measure_frame};
pub use product::NoiseKnowledge;
pub use report::{Report, write_report};
