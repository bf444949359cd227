//! Pairs: the same science exposures with and without an effect, all else equal to the bit.
//!
//! Learned correctors and tests of algorithms need both sides of an effect. Every draw is keyed by exposure, detector, effect and
//! pixel, so a chain with one effect less draws the same numbers for all others.

use crate::scenario::Scenario;
use crate::simulate::{RunSummary, simulate};
use crate::unit::Plan;
use anyhow::Context as _;
use instruments::chain::Chain;
use std::path::{Path, PathBuf};

/// The name that stands for all draws of the exposure: the counting of photons and the noise of the readout.
const NOISE: &str = "noise";

/// The other side of a pair.
pub struct Pair {
    effect: String,
    plan: Plan,
}

impl Pair {
    /// The science exposures of a scenario without `effect`: a name of the instrument's chain, or `noise`.
    ///
    /// # Errors
    /// When a detector's chain has no such effect, or the scenario leaves it out already.
    pub fn new(scenario: &Scenario, effect: &str) -> anyhow::Result<Self> {
        let names: Vec<&str> = if effect == NOISE { vec!["detect", "read_noise"] } else { vec![effect] };
        let mut other = scenario.clone();
        other.calibration = None;
        other.before_and_after.clear();
        for name in &names {
            anyhow::ensure!(
                !scenario.without.iter().any(|w| w == name),
                "--pair {effect}: the scenario leaves `{name}` out already (without = [...])"
            );
            other.without.push((*name).to_string());
        }
        let plan = Plan::new(other)?;
        for unit in &plan.units {
            let mut chain = Chain::new(&plan.instrument, plan.spec(unit))?;
            for name in &plan.scenario.without {
                chain = chain.without(name).with_context(|| format!("--pair {effect}"))?;
            }
        }
        Ok(Self { effect: effect.into(), plan })
    }

    /// Where this side lies beside the whole scenario's products in `out`.
    #[must_use]
    pub fn folder(&self, out: &Path) -> PathBuf {
        Self::folder_of(&self.effect, out)
    }

    /// Where the side without an effect lies.
    #[must_use]
    pub fn folder_of(effect: &str, out: &Path) -> PathBuf {
        out.join(format!("without_{effect}"))
    }

    /// Makes this side.
    ///
    /// # Errors
    /// As [`simulate`].
    pub fn simulate(&self, out: &Path, quiet: bool) -> anyhow::Result<RunSummary> {
        simulate(&self.plan, &self.folder(out), quiet)
    }
}
