//! `demo`, `simulate`, `reduce`, `validate`, `remake`: the loop and its parts.

use anyhow::Context as _;
use scenarios::pair::Pair;
use scenarios::reduced::Choices;
use scenarios::scenario::Scenario;
use scenarios::unit::Plan;
use std::path::Path;
use std::process::ExitCode;

pub fn simulate(scenario: &str, out: &Path, pair: &[String], quiet: bool) -> anyhow::Result<ExitCode> {
    let plan = Plan::new(Scenario::read(scenario)?)?;
    let mut pairs = scenarios::before_after::pairs(&plan.scenario)?;
    for effect in pair.iter().filter(|effect| !plan.scenario.before_and_after.contains(effect)) {
        pairs.push(Pair::new(&plan.scenario, effect)?);
    }
    let summary = scenarios::simulate::simulate(&plan, out, quiet)?;
    println!("{} units made, {} kept, in {}", summary.made, summary.kept, out.display());
    for pair in pairs {
        let summary = pair.simulate(out, quiet)?;
        println!("{} units made, {} kept, in {}", summary.made, summary.kept, pair.folder(out).display());
    }
    Ok(ExitCode::SUCCESS)
}

pub fn reduce(folder: &Path, masters: Option<&Path>, choices: &Choices, explain: bool, quiet: bool) -> anyhow::Result<ExitCode> {
    let summary = scenarios::reduce::reduce(folder, masters, choices, quiet)?;
    for (file, steps) in summary.explained.iter().filter(|_| explain) {
        println!("{file}\n{}", reduction::explain::text(steps));
    }
    println!("{} frames reduced with {} sets of masters, in {}", summary.frames, summary.sets, folder.display());
    Ok(ExitCode::SUCCESS)
}

pub fn validate(folder: &Path, criteria: Option<&Path>, quiet: bool) -> anyhow::Result<ExitCode> {
    let judged = scenarios::judge::judge(folder, criteria, quiet)?;
    println!("{}", judged.summary);
    println!("report: {}", judged.report.display());
    Ok(if judged.passed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

pub fn verify(folder: &Path, masters: Option<&Path>) -> anyhow::Result<ExitCode> {
    let (_, verdict) = scenarios::references::judge(folder, masters)?;
    println!("{}", scenarios::references::text(&verdict));
    println!("{} figures hold, {} do not, {} not measured", verdict.passed, verdict.failed, verdict.not_measured);
    Ok(ExitCode::from(u8::from(verdict.failed > 0)))
}

pub fn demo(scenario: &str, out: &Path, quiet: bool) -> anyhow::Result<ExitCode> {
    let names: Vec<&str> = scenarios::scenario::BUILT_IN.iter().map(|(n, _)| *n).collect();
    anyhow::ensure!(names.contains(&scenario), "--scenario {scenario}: the built-in scenarios are {}", names.join(", "));
    let plan = Plan::new(Scenario::read(scenario)?)?;
    anyhow::ensure!(
        plan.scenario.calibration.is_some(),
        "--scenario {scenario} has no calibration exposures; use `skyloop simulate {scenario}`"
    );
    let pairs = scenarios::before_after::pairs(&plan.scenario)?;
    scenarios::simulate::simulate(&plan, out, quiet)?;
    for pair in pairs {
        pair.simulate(out, quiet)?;
    }
    scenarios::reduce::reduce(out, None, &Choices::default(), quiet)?;
    validate(out, None, quiet)
}

pub fn remake(manifest: &Path, out: &Path) -> anyhow::Result<ExitCode> {
    let products = scenarios::remake::remake(manifest, out).context("remake")?;
    let mut same = true;
    for (name, identical) in &products {
        println!("{} {name}", if *identical { "identical" } else { "DIFFERENT" });
        same &= identical;
    }
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
