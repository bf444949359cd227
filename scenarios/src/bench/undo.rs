//! Benchmarks of corrections, and of what approximate effects are off.

use crate::ideal;
use crate::simulate::Made;
use crate::unit::{Plan, Unit};
use anyhow::Context as _;
use instruments::description::DetectorSpec;
use instruments::effects::cti::column::{Row, WIDTH};
use instruments::effects::cti::direction::{Expected, LineKey, Path, Transfer, Work};
use instruments::effects::cti::schedule::Steps;
use instruments::effects::{bias, cti};
use reduction::Options;
use reduction::options::Finder;
use reduction::steps::{Step, Walk};
use sim_core::correction::StepStatus;
use sim_core::detector::ReadoutLayout;
use sim_core::exposure::ExposureKind;
use sim_core::knowledge::{Knowledge, Measured, Reference};
use sim_core::memory;
use std::cell::RefCell;
use std::sync::Arc;

/// Columns on which the exact transfer is followed.
const SAMPLE: usize = WIDTH;

/// Error of the blocks against every transfer, as a fraction of what transfer changes, on columns of the frame.
fn error_of_blocks(pixels: &ndarray::Array2<f32>, layout: &ReadoutLayout, spec: &DetectorSpec, mjd: f64) -> anyhow::Result<f64> {
    let settings = cti::Settings::read(spec)?;
    let [parallel, _] = settings.at(mjd);
    let tile = layout.tiles.first().context("a detector has amplifiers")?;
    let path = Path { first: tile.parallel_science, prescan: 0, packets: tile.science.ny, trailing: 0 };
    let step = (tile.science.nx / SAMPLE).max(1);
    let packets: Vec<Row> = (0..path.packets)
        .map(|k| {
            let y = tile.science.y0 + if tile.flip_y { path.packets - 1 - k } else { k };
            std::array::from_fn(|l| f64::from(pixels[[y, tile.science.x0 + (l * step).min(tile.science.nx - 1)]]).max(0.0))
        })
        .collect();
    let sent = |steps: Steps| {
        let mut packets = packets.clone();
        let keys = [LineKey::default(); WIDTH];
        Expected::new(&parallel, steps).transfer(&path, &keys, &mut packets, &mut Work::default());
        packets
    };
    let apart = |a: &[Row], b: &[Row]| a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).abs()).sum::<f64>();
    let exact = sent(Steps::Exact);
    Ok(apart(&sent(settings.steps), &exact) / apart(&exact, &packets))
}

/// What a calibration without error would know of the detector, but for images.
fn known(plan: &Plan, unit: &Unit, made: &Made) -> anyhow::Result<Knowledge> {
    let spec = plan.spec(unit);
    let mut knowledge = Knowledge::of_layout(made.layout.clone(), unit.window, unit.exposure.time_s);
    let all = |effect: &str, key: &str| {
        let value = spec.nominal(effect, key)?;
        Some(vec![Measured { value, error: 0.0 }; made.layout.amplifier_count])
    };
    (knowledge.gain, knowledge.read_noise) = (all("digitise", "gain"), all("read_noise", "sigma"));
    knowledge.saturation_electron = spec.nominal("full_well", "capacity");
    for effect in ideal::KNOWN.iter().filter(|effect| plan.has_effect(effect)) {
        ideal::add(effect, spec, unit.exposure.start_mjd, None, &mut knowledge)?;
    }
    Ok(knowledge)
}

/// Undoes on the raw frame what was done to it, each step that acts a stage: by a calibration without error and without images (dark, flat;
/// the master bias is 0, so that the level of the overscan is taken off). Returns lines of what was found beside the times.
///
/// # Errors
/// When an effect refuses its parameters or its correction the frame.
pub fn undo(plan: &Plan, unit: &Unit, made: &Made, lap: &mut dyn FnMut(&str)) -> anyhow::Result<Vec<String>> {
    let known = known(plan, unit, made)?;
    let options = Options {
        cosmic_rays: plan.has_effect("cosmic_rays").then(Finder::default),
        trails: plan.has_effect("trails"),
        scattered_light: plan.has_effect("scattered_light"),
        ..Options::default()
    };
    let lap = RefCell::new(lap);
    let observer = |step: &Step| {
        if step.status == StepStatus::Done {
            (*lap.borrow_mut())(&format!("{}, undone or flagged", step.name));
        }
    };
    let of_step = |step: &str| {
        let mut known = known.clone();
        if step == bias::ENTRY.name {
            let none = || memory::zeros(unit.window.shape());
            known.bias = Some(Arc::new(Reference { image: none(), variance: none() }));
        }
        Ok(known)
    };
    let mut walk = Walk::new(&of_step, std::path::Path::new("the frame of the benchmark")).observed(&observer);
    let counts = made.counts.clone();
    (*lap.borrow_mut())("copy of the frame");
    let charge = walk.charge(counts)?;
    let mut notes = Vec::new();
    if plan.has_effect("cti") {
        let error = error_of_blocks(&charge.pixels, &made.layout, plan.spec(unit), unit.exposure.start_mjd)?;
        notes.push(format!("cti: blocks are {:.2} % of the change off every transfer, on {SAMPLE} columns of the frame", 100.0 * error));
        (*lap.borrow_mut())("every transfer of 16 columns");
    }
    walk.light(charge, ExposureKind::Science, &options)?;
    Ok(notes)
}
