//! What the instrument file says about the shift of pixel boundaries.

use super::PARAMETERS;
use super::electrostatics::Slab;
use super::shifts::BoundaryShifts;
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, Parameter, ParameterError};

/// Keys.
pub const COUNT: usize = 9;

/// Greatest part of a pixel's area that a full pixel may lose: beyond it shifts are not small.
const GREATEST_SHRINKAGE: f64 = 0.5;

/// The table of keys.
pub const fn table() -> [Parameter; COUNT] {
    const fn length(key: &'static str, low: f64, high: f64, meaning: &'static str) -> Parameter {
        Parameter { key, unit: "um", low, high, meaning }
    }
    [
        Parameter {
            key: "strength",
            unit: "1/electron",
            low: 0.0,
            high: 1e-3,
            meaning: "part of its area that a pixel loses per electron it holds",
        },
        length("pixel_pitch", 1.0, 100.0, "distance of pixels"),
        length("thickness", 1.0, 1000.0, "silicon from the gates to the window: sets the decay with distance"),
        length("charge_height", 0.01, 1000.0, "height of the stored charge above the gates"),
        length("cloud_width", 0.0, 100.0, "width of the stored charge"),
        length("column_barrier", 0.0, 1000.0, "height at which electrons are parted between columns"),
        length("row_barrier", 0.0, 1000.0, "height at which electrons are parted between rows"),
        Parameter {
            key: "capacity",
            unit: "electron",
            low: 1.0,
            high: 1e7,
            meaning: "charge a pixel can hold: more of it shifts no boundary",
        },
        Parameter {
            key: "draw_arrivals",
            unit: "1",
            low: 0.0,
            high: 1.0,
            meaning: "1: mean time of arrival of the electrons of a pixel drawn; 0: half the exposure",
        },
    ]
}

/// The shifts of a detector as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Shifts by distance.
    pub shifts: BoundaryShifts,
    /// The slab they come from, lengths in pixels.
    pub slab: Slab,
    /// Charge a pixel can hold \[electron\].
    pub capacity_electron: f64,
    /// Whether times of arrival are drawn.
    pub draw_arrivals: bool,
}

impl Settings {
    /// Reads and checks the table `effects.brighter_fatter`.
    ///
    /// # Errors
    /// When a key is missing, unknown or out of range, a height is not within the silicon, or a full pixel would lose more than
    /// half its area.
    pub fn read(spec: &DetectorSpec) -> Result<Self, ParameterError> {
        let values: [f64; COUNT] = parameters::read(&spec.parameters, "brighter_fatter", &PARAMETERS)?;
        let [strength, pitch, thickness, charge_height, cloud_width, column_barrier, row_barrier, capacity_electron, draw] = values;
        let below = |index: usize, high: f64| {
            let Parameter { key, unit, low, .. } = PARAMETERS[index];
            if values[index] < high {
                Ok(())
            } else {
                Err(ParameterError::Range { effect: "brighter_fatter", key, value: values[index], unit, low, high })
            }
        };
        below(0, GREATEST_SHRINKAGE / capacity_electron)?;
        below(3, thickness)?;
        below(4, pitch)?;
        below(5, thickness)?;
        below(6, thickness)?;
        let slab = Slab {
            thickness: thickness / pitch,
            charge_height: charge_height / pitch,
            cloud_width: cloud_width / pitch,
            column_barrier: column_barrier / pitch,
            row_barrier: row_barrier / pitch,
        };
        let Some(shifts) = slab.shifts(strength) else {
            // Never for a charge between the planes: its field points outwards everywhere.
            return Err(ParameterError::Range {
                effect: "brighter_fatter",
                key: "charge_height",
                value: charge_height,
                unit: "um",
                low: 0.01,
                high: thickness,
            });
        };
        Ok(Self { shifts, slab, capacity_electron, draw_arrivals: draw >= 0.5 })
    }
}
