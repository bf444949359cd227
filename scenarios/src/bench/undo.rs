//! Benchmarks of corrections of charge, and of what approximate effects are off.
//!
//! Each entry of `UNDONE` says how the correction of an effect is told what it needs; the time of the effect itself is a stage of the
//! chain.

use crate::unit::Plan;
use anyhow::Context as _;
use instruments::description::DetectorSpec;
use instruments::effects::cti::column::{Row, WIDTH};
use instruments::effects::cti::direction::{Expected, LineKey, Path, Transfer, Work};
use instruments::effects::cti::schedule::Steps;
use instruments::effects::cti::{self};
use instruments::effects::registry;
use sim_core::detector::ReadoutLayout;
use sim_core::frame::Frame;
use sim_core::knowledge::Knowledge;
use sim_core::plane::{Charge, Counts};
use std::sync::Arc;

/// What a calibration without error would know of one effect at a date.
type Know = fn(&mut Knowledge, &DetectorSpec, f64) -> anyhow::Result<()>;

/// Effects on charge whose correction is timed.
const UNDONE: &[(&str, Know)] = &[("cti", |knowledge, spec, mjd| {
    knowledge.traps = Some(Arc::new(cti::Settings::read(spec)?.knowledge(mjd, 1)));
    Ok(())
})];

/// Columns on which the exact transfer is followed.
const SAMPLE: usize = WIDTH;

/// Electrons of the science pixels as the reduction has them before it undoes effects on charge; read noise is their variance.
fn charge(counts: &Frame<Counts>, layout: &ReadoutLayout, spec: &DetectorSpec) -> Frame<Charge> {
    let nominal = |effect: &str, key: &str, other: f64| spec.nominal(effect, key).unwrap_or(other) as f32;
    let (gain, level, noise) = (nominal("digitise", "gain", 1.0), nominal("bias", "level", 0.0), nominal("read_noise", "sigma", 0.0));
    let mut frame = Frame::<Charge>::zeros(counts.window);
    for tile in &layout.tiles {
        let (from, to) = (tile.raw_science, tile.science);
        let raw = counts.pixels.slice(ndarray::s![from.y0..from.y0 + from.ny, from.x0..from.x0 + from.nx]);
        let mut science = frame.pixels.slice_mut(ndarray::s![to.y0..to.y0 + to.ny, to.x0..to.x0 + to.nx]);
        science.zip_mut_with(&raw, |to, &from| *to = (from - level) * gain);
    }
    frame.variance = Some(ndarray::Array2::from_elem(frame.pixels.dim(), noise * noise));
    frame
}

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

/// Undoes on the raw frame what the scenario switched on, one stage each; returns lines of what was found beside the times.
///
/// # Errors
/// When an effect refuses its parameters or its correction the frame.
pub fn undo(
    plan: &Plan,
    spec: &DetectorSpec,
    counts: &Frame<Counts>,
    layout: &ReadoutLayout,
    mjd: f64,
    lap: &mut dyn FnMut(&str),
) -> anyhow::Result<Vec<String>> {
    let mut notes = Vec::new();
    for (name, know) in UNDONE.iter().filter(|(name, _)| plan.scenario.with.iter().any(|w| w == name)) {
        let mut frame = charge(counts, layout, spec);
        let mut knowledge = Knowledge::of_layout(layout.clone(), counts.window, 1.0);
        know(&mut knowledge, spec, mjd)?;
        lap(&format!("charge for the correction of {name}"));
        let entry = registry::charge().iter().find(|e| e.name == *name).context("a registered effect")?;
        entry.twin.correction(&knowledge).context("an effect with a correction")??.correct(&mut frame)?;
        lap(&format!("correction of {name}"));
        if *name == "cti" {
            let error = error_of_blocks(&frame.pixels, layout, spec, mjd)?;
            notes
                .push(format!("cti: blocks are {:.2} % of the change off every transfer, on {SAMPLE} columns of the frame", 100.0 * error));
            lap("every transfer of 16 columns");
        }
    }
    Ok(notes)
}
