//! What a calibration without error would know of a detector: the instrument's own parameters as knowledge.
//!
//! For corrections of a single image and for benchmarks. Reductions know what calibration exposures show, never this.

use instruments::description::DetectorSpec;
use instruments::effects::{bad_columns, brighter_fatter, crosstalk, cti, non_linearity};
use sim_core::knowledge::{CrosstalkKnowledge, Knowledge, Measured};
use std::sync::Arc;

/// Effects of which [`add`] knows something.
pub const KNOWN: [&str; 5] = ["crosstalk", "non_linearity", "bad_columns", "brighter_fatter", "cti"];

/// Adds what the correction of an effect needs, at a date \[d\]; nothing for effects that are not among [`KNOWN`]. `iterations`: of
/// corrections that iterate, else as many as a reduction takes.
///
/// # Errors
/// When the effect refuses its parameters.
pub fn add(effect: &str, spec: &DetectorSpec, mjd: f64, iterations: Option<usize>, knowledge: &mut Knowledge) -> anyhow::Result<()> {
    match effect {
        "crosstalk" => {
            let coefficients = crosstalk::coupling(spec)?.into_iter().map(|value| Measured { value, error: 0.0 }).collect();
            let amplifiers = knowledge.layout.amplifier_count;
            knowledge.crosstalk = Some(Arc::new(CrosstalkKnowledge { amplifiers, coefficients }));
        }
        "non_linearity" => {
            let (full_scale, _) = non_linearity::responses(spec)?;
            knowledge.linearity = Some(Arc::new(non_linearity::knowledge(spec, full_scale)?));
        }
        "bad_columns" => knowledge.columns = Some(Arc::new(bad_columns::column_defects(spec)?)),
        "brighter_fatter" => {
            let settings = brighter_fatter::Settings::read(spec)?;
            let shifts = settings.shifts.knowledge(settings.capacity_electron, iterations.unwrap_or(2));
            knowledge.boundaries = Some(Arc::new(shifts));
        }
        "cti" => knowledge.traps = Some(Arc::new(cti::Settings::read(spec)?.knowledge(mjd, iterations.unwrap_or(1)))),
        _ => {}
    }
    Ok(())
}
