//! Forward: gathers what is read at the same moment, mixes, adds.

use super::PARAMETERS;
use super::model::{Coupling, Lines, moments};
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows::{self, tiles_of_row};
use rayon::prelude::*;
use sim_core::effect::{Context, Effect, EffectError};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::noise;
use sim_core::plane::Counts;
use sim_core::stream::StreamKey;

struct Crosstalk {
    coupling: Coupling,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Counts>>, ParameterError> {
    let grid = &spec.geometry.amplifiers;
    Ok(Box::new(Crosstalk { coupling: Coupling::new(grid.columns * grid.rows, &coupling(spec)?) }))
}

/// The coefficients as they are, `[victim * count + source]`. Truth: not for the reduction.
///
/// # Errors
/// When the table `effects.crosstalk` is not as it must be.
pub fn coupling(spec: &DetectorSpec) -> Result<Vec<f64>, ParameterError> {
    let [near, far, reach, scatter, negative] = parameters::read(&spec.parameters, "crosstalk", &PARAMETERS)?;
    let count = spec.geometry.amplifiers.columns * spec.geometry.amplifiers.rows;
    // The fixed streams of `Context::fixed_stream`: 0 sizes, 1 signs.
    let key = StreamKey::new(spec.device_seed).with(u64::from(spec.geometry.number)).with_name("crosstalk");
    let mut sizes = vec![0.0; count * count];
    noise::normals(&key.stream(0), 0, &mut sizes);
    let mut signs = vec![0.0; count * count];
    noise::uniforms(&key.stream(1), 0, &mut signs);
    let value = |pair: usize| {
        let distance = (pair / count).abs_diff(pair % count) as f64;
        if distance == 0.0 {
            return 0.0;
        }
        let mean = far + (near - far) * (-(distance - 1.0) / reach).exp();
        let sign = if f64::from(signs[pair]) < negative { -1.0 } else { 1.0 };
        sign * mean * (1.0 + scatter * f64::from(sizes[pair]))
    };
    Ok((0..count * count).map(value).collect())
}

impl Effect<Counts> for Crosstalk {
    fn apply(&self, frame: &mut Frame<Counts>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        let layout = cx.layout;
        rows::need_shape("crosstalk", frame, (layout.rows, layout.columns))?;
        if layout.amplifier_count != self.coupling.count {
            let what = format!("a layout of {} amplifiers, got one of {}", self.coupling.count, layout.amplifier_count);
            return Err(EffectError::Missing { effect: "crosstalk", what });
        }
        if self.coupling.is_zero() {
            return Ok(Ledger::default());
        }
        let pixels = rows::as_slice_mut(&mut frame.pixels);
        let moments = moments(layout, pixels.chunks_mut(layout.columns.max(1)));
        let ledgers: Vec<Ledger> = moments
            .into_par_iter()
            .map_init(
                || Lines::new(layout),
                |lines, rows| {
                    lines.clear();
                    for (raw_y, row) in &rows {
                        tiles_of_row(layout, *raw_y).for_each(|(_, tile)| lines.gather(tile, row));
                    }
                    lines.mix(&self.coupling);
                    let (mut net, mut size) = (0.0, 0.0);
                    for (raw_y, row) in rows {
                        for (_, tile) in tiles_of_row(layout, raw_y) {
                            lines.scatter(tile, |x, change| {
                                let before = row[x];
                                row[x] += change;
                                let change = f64::from(row[x]) - f64::from(before);
                                net += change;
                                size += change.abs();
                            });
                        }
                    }
                    Ledger { added: 0.5 * (size + net), lost: 0.5 * (size - net) }
                },
            )
            .collect();
        Ok(ledgers.into_iter().fold(Ledger::default(), Ledger::plus))
    }
}
