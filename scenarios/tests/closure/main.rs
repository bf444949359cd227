//! Closure levels: from identity to references that are wrong.
//!
//! - **L-a** identity: with every effect off a frame comes back bit for bit ([`level_a`]).
//! - **L-b** one effect, no noise: every twin undoes its effect to the residual it states (`instruments/tests/effects_all/registry.rs`).
//! - **L-c** one effect with noise: pulls of the reduced frame against the truth ([`level_c`]).
//! - **L-d** all effects: the built-in scenario `detector` ([`level_d`]).
//! - **L-e** across codes: `peers/`.
//! - **L-f** references that are wrong are noticed ([`level_f`]).
// Helpers of tests are tests: clippy's exception covers functions marked #[test] alone.
#![allow(clippy::unwrap_used)]

mod level_a;
mod level_c;
mod level_d;
mod level_f;

use scenarios::scenario::Scenario;
use scenarios::simulate::simulate;
use scenarios::unit::Plan;
use std::path::Path;

/// A cut-out of chip 7 across four amplifiers, furthest from the outputs.
fn scenario(name: &str, seed: u64, start: &str, (nx, ny): (usize, usize), more: &str) -> String {
    format!(
        r#"
name = "{name}"
seed = {seed}
instrument = "msc"
scans = "full"
{more}

[pointing]
ra_deg = 95.0
dec_deg = -30.0

[[exposure]]
id = 10160000005
start = "{start}"
time_s = 150.0

[[detector]]
number = 7
window = {{ x0 = {x0}, y0 = {y0}, nx = {nx}, ny = {ny} }}

[sky]
model = "fixed"
electron_s = 0.2
"#,
        x0 = 4608 - nx / 2,
        y0 = 4616 - ny / 2,
    )
}

/// Simulates a scenario and reduces it.
fn reduced(text: &str, out: &Path) {
    let plan = Plan::new(Scenario::parse(text, "test").unwrap()).unwrap();
    simulate(&plan, out, true).unwrap();
    scenarios::reduce::reduce(out, None, &scenarios::reduced::Choices::default(), true).unwrap();
}
