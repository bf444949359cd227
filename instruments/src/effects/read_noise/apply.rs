//! Forward: adds normals keyed by amplifier, row and serial number.

use super::PARAMETERS;
use crate::description::DetectorSpec;
use crate::effects::digitise::amplifier_gains;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows;
use sim_core::effect::{Context, Effect, EffectError, Rows};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::noise;
use sim_core::plane::Counts;

struct ReadNoise {
    /// Noise by amplifier number \[adu\].
    sigma_adu: Vec<f32>,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Counts>>, ParameterError> {
    let [sigma] = parameters::read(&spec.parameters, "read_noise", &PARAMETERS)?;
    let sigma_adu = amplifier_gains(spec)?.into_iter().map(|gain| (sigma / gain) as f32).collect();
    Ok(Box::new(ReadNoise { sigma_adu }))
}

impl Effect<Counts> for ReadNoise {
    fn apply(&self, frame: &mut Frame<Counts>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::apply("read_noise", self, frame, cx)
    }

    fn rows<'a>(&'a self, cx: &'a Context<'a>) -> Result<Rows<'a>, EffectError> {
        if cx.layout.amplifier_count != self.sigma_adu.len() {
            let what = format!("a layout of {} amplifiers, got one of {}", self.sigma_adu.len(), cx.layout.amplifier_count);
            return Err(EffectError::Missing { effect: "read_noise", what });
        }
        if self.sigma_adu.iter().all(|&sigma| sigma == 0.0) {
            return Ok(Rows::Idle);
        }
        Ok(rows::each_tile(cx.layout, move |_, tile, raw_y, pixels, _| {
            let stream = cx.stream(tile.row_key(raw_y));
            let sigma = self.sigma_adu[tile.amplifier];
            // Reading order: prescan, science, overscan; a cut-out leaves gaps between their serial numbers.
            if tile.flip_x {
                pixels.reverse();
            }
            let (prescan, rest) = pixels.split_at_mut(tile.raw_prescan.nx);
            let (science, overscan) = rest.split_at_mut(tile.science.nx);
            noise::add_normals(&stream, 0, sigma, prescan);
            noise::add_normals(&stream, tile.serial_science as u64, sigma, science);
            noise::add_normals(&stream, tile.serial_overscan as u64, sigma, overscan);
            if tile.flip_x {
                pixels.reverse();
            }
        }))
    }
}
