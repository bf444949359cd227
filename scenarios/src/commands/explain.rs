//! `explain`: what a scenario resolves to.

use scenarios::scenario::Scenario;
use scenarios::unit::Plan;
use std::process::ExitCode;

pub fn explain(name_or_path: &str) -> anyhow::Result<ExitCode> {
    let plan = Plan::new(Scenario::read(name_or_path)?)?;
    let s = &plan.scenario;
    println!("scenario {}: {}", s.name, s.description);
    println!("seed {}; {} units:", s.seed, plan.units.len());
    let mut last = String::new();
    for unit in &plan.units {
        let spec = plan.spec(unit);
        let line = format!("  exposure {} {} {} s", unit.exposure.id, unit.exposure.kind.code(), unit.exposure.time_s);
        if line != last {
            println!("{line}");
            last = line;
        }
        let w = unit.window;
        println!(
            "    detector {:>2} {:<3} [{}..{}, {}..{}] key {}",
            unit.detector,
            spec.geometry.filter,
            w.x0,
            w.x0 + w.nx,
            w.y0,
            w.y0 + w.ny,
            &plan.key(unit)[..12]
        );
    }
    if !s.without.is_empty() {
        println!("switched off: {}", s.without.join(", "));
    }
    println!("\nresolved scenario:\n{}", indent(&s.to_toml()));
    println!("{}", instruments::description::explain(&plan.instrument));
    Ok(ExitCode::SUCCESS)
}

fn indent(text: &str) -> String {
    text.lines().map(|l| format!("  {l}\n")).collect()
}
