//! What a detector held in the exposures before a unit's, for persistence.
//!
//! The charge of an earlier exposure is simulated again, from the same seed, up to the moment before it is read out, and reduced to the pixels
//! that fill traps: the same numbers whether or not its unit is made, in whichever order and by however many processes. So units stay
//! independent. It is made without persistence of its own (a few electrons beside 90,000), else every exposure would need all before it.
//! A run does this once for each exposure that a later one needs; scenarios without the effect do nothing of it.

use crate::simulate::{context, light};
use crate::sky::Sky;
use crate::unit::{Plan, Unit};
use anyhow::Context as _;
use instruments::effects::persistence;
use sim_core::exposure::ExposureKind;
use sim_core::history::{Earlier, History};
use sim_core::psf::Psf;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What detectors held, by observation number and detector: filled as it is asked for.
#[derive(Debug, Default)]
pub struct Held(BTreeMap<(u64, u16), Arc<Earlier>>);

impl Held {
    /// The history of a unit; `None` without persistence in the chain or earlier exposures that still matter.
    ///
    /// # Errors
    /// When an earlier exposure cannot be simulated.
    pub fn before(&mut self, plan: &Plan, unit: &Unit, psf: &dyn Psf, sky: &Sky) -> anyhow::Result<Option<Arc<History>>> {
        let mut earlier = Vec::new();
        for before in plan.remembered_by(unit)? {
            let key = (before.exposure.id, before.detector);
            if let Some(known) = self.0.get(&key) {
                earlier.push(Arc::clone(known));
                continue;
            }
            let made = Arc::new(held(plan, before, psf, sky).with_context(|| format!("earlier exposure {}", before.name()))?);
            self.0.insert(key, Arc::clone(&made));
            earlier.push(made);
        }
        Ok((!earlier.is_empty()).then(|| Arc::new(History { earlier })))
    }
}

/// The pixels of a unit that fill traps.
fn held(plan: &Plan, unit: &Unit, psf: &dyn Psf, sky: &Sky) -> anyhow::Result<Earlier> {
    let spec = plan.spec(unit);
    let chain = plan.chain(unit)?.without(persistence::ENTRY.name)?;
    let lit = light(plan, unit, &chain, (psf, sky), &mut |_| Ok(()), &mut |_| ())?;
    let layout = plan.layout(unit);
    let charge = chain.collected(lit.light, &context(plan, unit, &lit.exposure, &layout))?;
    Ok(Earlier::of_charge(&charge, persistence::law(spec)?.threshold_electron, end_mjd(unit)))
}

/// End of a unit's exposure \[d\].
fn end_mjd(unit: &Unit) -> f64 {
    unit.exposure.start_mjd + unit.exposure.time_s / 86_400.0
}

impl Plan {
    /// Units whose full pixels still glow when a unit's exposure begins, in order of time: of the same detector, ended before it,
    /// with persistence in the chain.
    ///
    /// # Errors
    /// When the effect's parameters are refused.
    pub fn remembered_by(&self, unit: &Unit) -> anyhow::Result<Vec<&Unit>> {
        if !self.has_effect(persistence::ENTRY.name) {
            return Ok(Vec::new());
        }
        let reach_s = persistence::reach_s(self.spec(unit))?;
        let glows = |before: &&Unit| {
            let since_s = (unit.exposure.start_mjd - end_mjd(before)) * 86_400.0;
            // Of the same second or so: dates of 61,000 days are known to a microsecond.
            before.detector == unit.detector && before.exposure.kind != ExposureKind::Bias && (0.0..reach_s).contains(&since_s)
        };
        let mut found: Vec<&Unit> = self.all.iter().filter(glows).collect();
        found.sort_by(|a, b| end_mjd(a).total_cmp(&end_mjd(b)).then(a.exposure.id.cmp(&b.exposure.id)));
        Ok(found)
    }
}
