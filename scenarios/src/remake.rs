//! Making a product again from its manifest, and comparing the bytes.

use crate::reduced::{Choices, MASTERS, Reduced};
use crate::scenario::Scenario;
use crate::simulate::{UnitManifest, simulate};
use crate::unit::Plan;
use anyhow::{Context as _, ensure};
use sim_core::exposure::ExposureKind;
use sim_core::manifest::sha256_file;
use std::path::Path;

/// Makes the products of a manifest again into `out` and says of each whether it has the same bytes: a raw frame with its
/// truth, a master (from calibration frames made again), or a level-1 frame (from raw frame and masters made again).
///
/// # Errors
/// When the manifest cannot be read, does not hold all that is needed, or a step fails.
pub fn remake(manifest_path: &Path, out: &Path) -> anyhow::Result<Vec<(String, bool)>> {
    let shown = manifest_path.display();
    let text = std::fs::read_to_string(manifest_path).with_context(|| shown.to_string())?;
    let old: UnitManifest = serde_json::from_str(&text).with_context(|| format!("{shown}: not a manifest"))?;
    let old = old.manifest;
    ensure!(
        !old.scenario.is_empty(),
        "{shown}: it holds no scenario: {} was reduced from frames without one and cannot be made again",
        old.unit
    );
    let scenario = Scenario::parse(&old.scenario, &shown.to_string())?;
    let mut plan = Plan::new(scenario)?;
    // Comparisons are no products.
    plan.scenario.before_and_after.clear();
    let reduced = Reduced::parse(&old.unit);
    let detector_of = |unit: &str| plan.units.iter().find(|u| u.name() == unit).map(|u| u.detector);
    let found = match &reduced {
        None => detector_of(&old.unit),
        Some(Reduced::Level1(unit)) => detector_of(unit),
        Some(Reduced::Master(detector)) => plan.units.iter().map(|u| u.detector).find(|d| d == detector),
    };
    let detector = found.with_context(|| format!("{shown}: its scenario has no unit {}", old.unit))?;
    if let Some(Reduced::Level1(_)) = reduced {
        let foreign =
            old.inputs.keys().find(|name| !name.starts_with("calibration/") && !name.starts_with("L0/") && !name.starts_with("--"));
        if let Some(foreign) = foreign {
            anyhow::bail!(
                "{shown}: {} was reduced with masters of another run ({foreign}): make those again from their own manifests",
                old.unit
            );
        }
    }
    let from_sky = plan.scenario.with.iter().any(|name| ["fringing", "ghosts", "persistence"].contains(&name.as_str()));
    plan.units.retain(|unit| match &reduced {
        None => unit.name() == old.unit,
        Some(what) => {
            let wanted = matches!(what, Reduced::Level1(name) if *name == unit.name());
            // Fringe frame and ghosts are measured on all exposures of the sky; persistence is undone by those before.
            let of_sky = unit.exposure.kind == ExposureKind::Science && !from_sky;
            unit.detector == detector && (wanted || !of_sky)
        }
    });
    simulate(&plan, out, true)?;
    let choices =
        || Choices::of_inputs(&old.inputs).with_context(|| format!("{shown}: it names a finder of cosmic rays that there is not"));
    match &reduced {
        // A unit of a survey that was reduced when it was made.
        None => {
            if let Some(masters) = old.inputs.get(MASTERS) {
                let choices = choices()?;
                for (name, hash) in old.inputs.iter().filter(|(name, _)| name.starts_with(masters.as_str())) {
                    let found = sha256_file(Path::new(name)).with_context(|| name.clone())?;
                    ensure!(found == *hash, "{shown}: {name} is no longer the reference that {} was reduced with", old.unit);
                }
                drop(crate::reduce::reduce(out, Some(Path::new(masters)), &choices, true)?);
            }
        }
        Some(Reduced::Master(_)) => drop(crate::reduce::masters(out, true)?),
        Some(Reduced::Level1(_)) => {
            let choices = choices()?;
            drop(crate::reduce::reduce(out, None, &choices, true)?);
        }
    }
    let same = |(name, hash): (&String, &String)| (name.clone(), sha256_file(&out.join(name)).is_ok_and(|found| found == *hash));
    Ok(old.products.iter().map(same).collect())
}
