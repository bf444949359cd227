//! Scores of a level-1 frame whose truth holds the cosmic rays.

use super::table::{PUBLISHED, beside, table};
use super::{PRIMARY, Truth, lines, score};
use crate::error::ValidateError;
use crate::level2::Level2;
use crate::measures::FrameMeasures;
use crate::product::{L1Frame, NoiseKnowledge};
use ndarray::{Array2, Zip};
use sim_core::fits::{self, Data};
use sim_core::flags;
use std::path::Path;

/// Images of the truth file: electrons of cosmic rays, and the number of the hit they came from.
#[derive(Debug, Clone)]
pub struct Hits {
    /// Electrons.
    pub electrons: Array2<f32>,
    /// Hit, from 1; 0 for none.
    pub owner: Array2<u32>,
}

/// Reads `CR_ELECTRONS` and `CR_OWNER` of a truth file; `None` when it has none.
///
/// # Errors
/// When the file cannot be read or its images are not of the frame's shape.
pub fn read(path: &Path, frame: &L1Frame) -> Result<Option<Hits>, ValidateError> {
    // Most truth files have none, and pixels of a whole chip need not be read to see that.
    if fits::read_headers(path)?.iter().all(|(name, _)| name != "CR_ELECTRONS") {
        return Ok(None);
    }
    let (mut electrons, mut owner) = (None, None);
    for unit in fits::read(path)? {
        match (unit.name.as_str(), unit.data) {
            ("CR_ELECTRONS", Data::I32(pixels)) => electrons = Some(pixels.mapv(|v| v as f32)),
            ("CR_OWNER", Data::I32(pixels)) => owner = Some(pixels.mapv(|v| v as u32)),
            _ => {}
        }
    }
    let (Some(electrons), Some(owner)) = (electrons, owner) else { return Ok(None) };
    let need = frame.rate.dim();
    for got in [electrons.dim(), owner.dim()] {
        if got != need {
            let path = path.display().to_string();
            return Err(ValidateError::Shape { path, got, need, like: "the level-1 image".into() });
        }
    }
    Ok(Some(Hits { electrons, owner }))
}

/// A frame and what is in it.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The frame.
    pub frame: &'a L1Frame,
    /// Its level 2.
    pub level2: &'a Level2,
    /// Rate of the sources \[electron / s\], without sky.
    pub noiseless: &'a Array2<f32>,
    /// Spectra without a slit: zeroth orders and lines are scored apart.
    pub slitless: bool,
}

/// Scores the cosmic-ray flags of a frame.
pub fn measure(out: &mut FrameMeasures, scene: &Scene<'_>, hits: &Hits, noise: Option<&NoiseKnowledge>) {
    let Scene { frame, level2, noiseless, slitless } = *scene;
    let Some(knowledge) = noise else {
        out.notes.push("Cosmic rays: the read noise is not known, so they were not scored.".into());
        return;
    };
    let time_s = frame.exposure_s as f32;
    let sources = noiseless.mapv(|v| v * time_s);
    let sky = level2.frame.background.level.median() as f32 * time_s;
    let expected = sources.mapv(|v| v + sky);
    let floor = (knowledge.read_noise_electron.powi(2) + knowledge.dark_electron_s * frame.exposure_s) as f32;
    let sigma = expected.mapv(|v| (v.max(0.0) + floor).sqrt());
    let cosmic = flags::official(flags::COSMIC_RAY);
    let mask = frame.flags.mapv(|f| f & cosmic != 0);
    // Pixels that other flags take out anyway, and those without data.
    let left_out = Zip::from(&frame.flags).and(&frame.rate).map_collect(|&f, rate| f & !cosmic != 0 || !rate.is_finite());
    let truth = Truth { electrons: &hits.electrons, owner: &hits.owner, noise: &sigma, sources: &sources, left_out: Some(&left_out) };
    let primary = score(&truth, &mask, PRIMARY);
    let ratio = |name: &str, r: super::Ratio, out: &mut FrameMeasures| {
        let (value, error) = r.fraction();
        out.values.set(name, value, Some(error), r.whole);
    };
    ratio("cosmic_ray_recall", primary.recall, out);
    ratio("cosmic_ray_precision", primary.precision, out);
    ratio("cosmic_ray_event_recall", primary.events, out);
    ratio("cosmic_ray_source_damage", primary.source_damage, out);
    if slitless {
        let damage = lines::damage(&truth, &mask, PRIMARY);
        ratio("cosmic_ray_line_damage", damage.pixels, out);
        ratio("cosmic_ray_lines_lost", damage.lost, out);
        out.notes.push(format!(
            "Zeroth orders and emission lines: {} of {} clean pixels flagged, {} of {} lines lose more than {} % of their light.",
            damage.pixels.part,
            damage.pixels.whole,
            damage.lost.part,
            damage.lost.whole,
            100.0 * lines::LOST
        ));
    }
    let data = frame.rate.mapv(|v| v * time_s);
    let rows = table(&truth, &mask, &data, &expected);
    let mut limits = String::new();
    if let Some(limit) = rows.iter().find(|r| r.score.definition == PRIMARY).and_then(|r| r.ceiling) {
        let pixels = primary.recall.whole;
        out.values.set("cosmic_ray_recall_ceiling", limit.recall, None, pixels);
        out.values.set("cosmic_ray_precision_ceiling", limit.precision, None, pixels);
        out.values.set("cosmic_ray_f1_below_ceiling", limit.f1() - primary.f1(), None, pixels);
        limits = format!(" (ceilings {:.4}, {:.4})", limit.recall, limit.precision);
    }
    let ((recall, recall_error), (precision, precision_error)) = (primary.recall.fraction(), primary.precision.fraction());
    out.notes.push(format!(
        "Cosmic rays: recall {recall:.4} \u{b1} {recall_error:.4}, precision {precision:.4} \u{b1} {precision_error:.4}{limits}; {:.2} % of {} hits \
         found. A true pixel has {}. Published (Yu et al. 2025, median over 18 detectors, their truth not stated): recall {} here {}; precision {} \
         here {}.",
        100.0 * primary.events.value(),
        primary.events.whole,
        PRIMARY.describe(),
        PUBLISHED.0,
        beside(recall, recall_error, PUBLISHED.0),
        PUBLISHED.1,
        beside(precision, precision_error, PUBLISHED.1),
    ));
    out.cosmic_rays = rows;
}
