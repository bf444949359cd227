//! Fringe frame (`MFRNG`): the pattern of the sky's line in the silicon, from exposures of the sky.

use super::{Evidence, Outcome, ReferenceKind, Stage};
use crate::amplifiers::spread;
use crate::error::ReductionError;
use crate::fringe_fit::{self, CELL, LEAST_FRAMES};
use crate::set::Units;
use ndarray::Array2;
use sim_core::fits::{Data, Hdu, Header};
use sim_core::knowledge::{FringeFrame, Knowledge};
use std::sync::Arc;

/// Table entry.
pub(super) const KIND: ReferenceKind = ReferenceKind {
    code: "MFRNG",
    keyword: "R_FRINGE",
    what: "fringe frame",
    steps: &["fringing"],
    stage: Stage::Sky,
    cleans: false,
    measure,
    write,
    read,
};

/// The flat is not divided out: medians of cells smooth the pixels' own response to a thousandth, and the polynomial takes the rest.
fn measure(evidence: &Evidence<'_>, knowledge: &mut Knowledge) -> Result<Outcome, ReductionError> {
    let sky = &evidence.group.sky;
    if sky.len() < LEAST_FRAMES {
        return Ok(Outcome::Skipped(format!("{} exposures of the sky given, {LEAST_FRAMES} needed", sky.len())));
    }
    let Some(gain) = knowledge.gain.clone() else { return Ok(Outcome::Skipped("the gain is not known".into())) };
    let gain: Vec<f64> = gain.iter().map(|g| g.value).collect();
    let cell = CELL.min((knowledge.window.nx.min(knowledge.window.ny) / 48).max(1));
    let mut residuals = Vec::new();
    for info in sky {
        let mut rate = evidence.counts(info, knowledge)?;
        let columns = rate.ncols();
        for (y, mut row) in rate.rows_mut().into_iter().enumerate() {
            for (v, g) in row.iter_mut().zip(spread(&knowledge.layout, y, columns, &gain)) {
                *v *= (g / info.observation.time_s) as f32;
            }
        }
        let flags = Array2::zeros(rate.dim());
        match fringe_fit::residual(&rate, &flags, cell) {
            Some(residual) => residuals.push(residual),
            None => return Ok(Outcome::Skipped(format!("{}: too few cells without sources", info.name.stem()))),
        }
    }
    let fit = match fringe_fit::combine(&residuals, knowledge.window, cell) {
        Ok(fit) => fit,
        Err(reason) => return Ok(Outcome::Skipped(reason.to_string())),
    };
    let quality = vec![
        ("FRNGCORR", fit.correlation, "correlation of odd and even exposures"),
        ("FRNGRMS", fit.frame.typical_electron_s, "[electron/s] rms of the fringes, median"),
    ];
    let note = format!("fringes: pattern of {} exposures of the sky, cells of {cell} pixels", sky.len());
    knowledge.fringes = Some(Arc::new(fit.frame));
    Ok(Outcome::Measured { quality, note })
}

fn write(knowledge: &Knowledge) -> Option<Vec<Hdu>> {
    let fringes = knowledge.fringes.as_ref()?;
    let mut header = Header::default();
    header.set("CELL", fringes.cell as i64, "[pixel] side of a cell");
    header.set("TYPICAL", fringes.typical_electron_s, "[electron/s] rms of the fringes in the exposures, median");
    header.set("BUNIT", "1", "pattern of mean 0 and rms 1");
    let variance = Hdu::new("VARIANCE", header.clone(), Data::F32(fringes.variance.clone()));
    Some(vec![Hdu::new("IMAGE", header, Data::F32(fringes.pattern.clone())), variance])
}

fn read(units: &mut Units, knowledge: &mut Knowledge) -> Result<(), ReductionError> {
    let image = units.take("IMAGE")?;
    let cell = image.header.i64("CELL").and_then(|c| usize::try_from(c).ok()).filter(|c| (1..=1024).contains(c));
    let cell = cell.ok_or_else(|| units.missing("CELL", "1..1024 pixels"))?;
    let typical = image.header.f64("TYPICAL").filter(|v| v.is_finite());
    let typical_electron_s = typical.ok_or_else(|| units.missing("TYPICAL", "a number"))?;
    let window = knowledge.window;
    let shape = (FringeFrame::cells(window.ny, cell), FringeFrame::cells(window.nx, cell));
    let variance = units.take("VARIANCE")?;
    let plane = |unit: Hdu, name: &str| match unit.data {
        Data::F32(values) if values.dim() == shape && values.iter().all(|v| v.is_finite()) => Ok(values),
        _ => Err(units.missing(name, "finite cells of the window's shape")),
    };
    let (pattern, variance) = (plane(image, "IMAGE")?, plane(variance, "VARIANCE")?);
    knowledge.fringes = Some(Arc::new(FringeFrame { window, cell, pattern, variance, typical_electron_s }));
    Ok(())
}
