//! One exposure of all detectors of the survey camera.

use super::{StageTime, Workload, ccd};
use crate::scenario::Scenario;
use crate::unit::Plan;
use instruments::description::DetectorKind;

/// What one detector cost.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct DetectorCost {
    /// Number.
    pub detector: u16,
    /// Behind gratings.
    pub slitless: bool,
    /// CPU seconds of the process, all threads.
    pub cpu_s: f64,
    /// Wall seconds.
    pub wall_s: f64,
}

/// Result of `bench exposure`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ExposureBench {
    /// Detectors in their order.
    pub detectors: Vec<DetectorCost>,
    /// Stages of the imaging detectors, added up.
    pub imaging: Vec<StageTime>,
    /// Stages of the slitless detectors, added up.
    pub slitless: Vec<StageTime>,
    /// Threads.
    pub threads: usize,
    /// Peak memory \[MB\].
    pub peak_memory_mb: Option<f64>,
}

/// Adds stages to those of the same name, at their places.
fn add(to: &mut Vec<StageTime>, stages: &[StageTime]) {
    let mut after = 0;
    for stage in stages {
        match to.iter().position(|s| s.name == stage.name) {
            Some(at) => {
                to[at].cpu_s += stage.cpu_s;
                to[at].wall_s += stage.wall_s;
                after = at + 1;
            }
            None => {
                to.insert(after, stage.clone());
                after += 1;
            }
        }
    }
}

/// The benchmark field through every detector, one after the other, each on all threads; files are removed when a detector is done.
/// `told` hears of each detector.
///
/// # Errors
/// As [`ccd`].
pub fn exposure(work: &Workload<'_>, told: &mut dyn FnMut(&DetectorCost)) -> anyhow::Result<ExposureBench> {
    let plan = Plan::new(Scenario::read("chip")?)?;
    let mut result =
        ExposureBench { detectors: vec![], imaging: vec![], slitless: vec![], threads: rayon::current_num_threads(), peak_memory_mb: None };
    for (&detector, spec) in &plan.instrument.detectors {
        let folder = tempfile::tempdir()?;
        let one = ccd(&Workload { detector, ..*work }, folder.path())?;
        let slitless = spec.kind == DetectorKind::Slitless;
        add(if slitless { &mut result.slitless } else { &mut result.imaging }, &one.stages);
        let sum = |time: fn(&StageTime) -> f64| one.stages.iter().map(time).sum::<f64>();
        let cost = DetectorCost { detector, slitless, cpu_s: sum(|s| s.cpu_s), wall_s: sum(|s| s.wall_s) };
        told(&cost);
        result.detectors.push(cost);
        result.peak_memory_mb = one.peak_memory_mb;
    }
    Ok(result)
}

impl std::fmt::Display for ExposureBench {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut all = [0.0; 2];
        for (title, stages, slitless) in [("imaging", &self.imaging, false), ("slitless", &self.slitless, true)] {
            let count = self.detectors.iter().filter(|d| d.slitless == slitless).count();
            writeln!(f, "{:<38} {:>9} {:>9} {:>9}", format!("{count} {title} detectors"), "CPU s", "wall s", "CPU each")?;
            let mut line =
                |name: &str, cpu: f64, wall: f64| writeln!(f, "{name:<38} {cpu:>9.2} {wall:>9.2} {:>9.3}", cpu / count.max(1) as f64);
            for s in stages.iter().filter(|s| s.cpu_s >= 5e-4 * count as f64) {
                line(&s.name, s.cpu_s, s.wall_s)?;
            }
            let (cpu, wall) = stages.iter().fold((0.0, 0.0), |(cpu, wall), s| (cpu + s.cpu_s, wall + s.wall_s));
            line("all", cpu, wall)?;
            all = [all[0] + cpu, all[1] + wall];
        }
        let [cpu, wall] = all;
        writeln!(
            f,
            "exposure: {cpu:.1} CPU s, {wall:.1} s on {} threads, of whose time {:.0} % were at work",
            self.threads,
            100.0 * cpu / (wall * self.threads as f64)
        )?;
        match self.peak_memory_mb {
            Some(mb) => writeln!(f, "peak memory {mb:.0} MB"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_of_one_name_are_added_and_new_ones_keep_their_place() {
        let stage = |name: &str, cpu_s| StageTime { name: name.into(), cpu_s, wall_s: 2.0 * cpu_s };
        let mut all = Vec::new();
        add(&mut all, &[stage("optics", 1.0), stage("cti", 4.0), stage("write", 0.5)]);
        add(&mut all, &[stage("optics", 2.0), stage("sky", 3.0), stage("write", 0.25)]);
        assert_eq!(all, [stage("optics", 3.0), stage("sky", 3.0), stage("cti", 4.0), stage("write", 0.75)]);
    }
}
