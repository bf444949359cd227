//! Before and after: what an effect does to a frame when it is left in, and what is left of it when it is undone.
//!
//! Three reductions with the same references: the frame's own level 1; the frame with this one step left out; its pair, which was simulated
//! without the effect, with the step left out too. The other steps are the same in all three.

use crate::folder::Folder;
use crate::pair::Pair;
use crate::scenario::Scenario;
use anyhow::ensure;
use instruments::product::level0::read_level0_info;
use reduction::level1_files;
use std::path::Path;
use validate::measures::effect::Side;
use validate::product::{L1Frame, read_truth};
use validate::{EffectInputs, EffectMeasures, measure_effect};

/// The pairs that a scenario asks for with `before_and_after`.
///
/// # Errors
/// As [`Pair::new`].
pub fn pairs(scenario: &Scenario) -> anyhow::Result<Vec<Pair>> {
    scenario.before_and_after.iter().map(|effect| Pair::new(scenario, effect)).collect()
}

fn side(frame: &L1Frame) -> Side<'_> {
    Side { rate: &frame.rate, weight: &frame.weight }
}

/// Measures the effects of `before_and_after` on a reduced frame.
///
/// # Errors
/// When a pair or a product is missing or unreadable.
pub fn measure(folder: &Folder, level0: &Path, label: &str, scenario: &Scenario) -> anyhow::Result<Vec<EffectMeasures>> {
    if scenario.before_and_after.is_empty() {
        return Ok(Vec::new());
    }
    let info = read_level0_info(level0)?;
    let reduced = |level1: &Path| L1Frame::read(&level1_files(&info, level1));
    let after = reduced(&folder.level1())?;
    let objects = read_truth(&folder.truth_of(level0), &after)?;
    let one = |effect: &String| {
        let pair = Folder::at(&Pair::folder_of(effect, folder.path())).level1();
        ensure!(
            level1_files(&info, &pair).main().exists(),
            "{}: no reduced pair; run `skyloop simulate` with `before_and_after` or `--pair {effect}`, then `skyloop reduce`",
            pair.display()
        );
        let (reference, before) = (reduced(&pair)?, reduced(&folder.level1_without(effect))?);
        Ok(measure_effect(&EffectInputs {
            effect,
            frame: label,
            reference: side(&reference),
            before: side(&before),
            after: side(&after),
            objects: &objects,
        }))
    };
    scenario.before_and_after.iter().map(one).collect()
}
