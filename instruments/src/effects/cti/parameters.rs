//! What the instrument file says about the traps of a detector.

use super::PARAMETERS;
use super::fill::Well;
use super::schedule::Steps;
use super::traps::{Species, TrapModel};
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, Parameter, ParameterError};
use sim_core::knowledge::{Measured, TransferTraps, TrapKnowledge, TrapSpecies};

/// Species of the table, in each direction. A species that is not there has density 0.
pub const SPECIES_GIVEN: usize = 3;
/// Keys of one direction.
const KEYS: usize = 4 * SPECIES_GIVEN + 3;
/// All keys.
pub const COUNT: usize = 2 * KEYS + 4;
/// Days of a year of the growth: Julian, as dates are.
const YEAR_D: f64 = 365.25;

const fn density(key: &'static str) -> Parameter {
    Parameter { key, unit: "1/pixel", low: 0.0, high: 1e3, meaning: "traps of the species in a pixel, at the reference date" }
}
const fn release(key: &'static str) -> Parameter {
    Parameter { key, unit: "pixel", low: 1e-2, high: 1e5, meaning: "release time of the species, in transfers" }
}
const fn depth(key: &'static str) -> Parameter {
    Parameter { key, unit: "1", low: 0.0, high: 0.999, meaning: "fraction of the volume below the traps of the species" }
}
const fn capture(key: &'static str) -> Parameter {
    Parameter { key, unit: "pixel", low: 0.0, high: 1e5, meaning: "capture time of the species, in transfers; 0: at once" }
}
const fn exponent(key: &'static str) -> Parameter {
    Parameter { key, unit: "1", low: 1e-3, high: 1.0, meaning: "exponent of the filled volume in the charge" }
}
const fn full_well(key: &'static str) -> Parameter {
    Parameter { key, unit: "electron", low: 1.0, high: 1e7, meaning: "charge that fills the volume of a pixel" }
}
const fn notch(key: &'static str) -> Parameter {
    Parameter { key, unit: "electron", low: 0.0, high: 1e7, meaning: "charge in the notch, which meets no traps" }
}

/// The table of keys.
pub const fn table() -> [Parameter; COUNT] {
    [
        density("parallel_density_1"),
        release("parallel_release_1"),
        depth("parallel_depth_1"),
        capture("parallel_capture_1"),
        density("parallel_density_2"),
        release("parallel_release_2"),
        depth("parallel_depth_2"),
        capture("parallel_capture_2"),
        density("parallel_density_3"),
        release("parallel_release_3"),
        depth("parallel_depth_3"),
        capture("parallel_capture_3"),
        exponent("parallel_exponent"),
        full_well("parallel_full_well"),
        notch("parallel_notch"),
        density("serial_density_1"),
        release("serial_release_1"),
        depth("serial_depth_1"),
        capture("serial_capture_1"),
        density("serial_density_2"),
        release("serial_release_2"),
        depth("serial_depth_2"),
        capture("serial_capture_2"),
        density("serial_density_3"),
        release("serial_release_3"),
        depth("serial_depth_3"),
        capture("serial_capture_3"),
        exponent("serial_exponent"),
        full_well("serial_full_well"),
        notch("serial_notch"),
        Parameter { key: "reference_date", unit: "d", low: 0.0, high: 2e5, meaning: "modified Julian date of the densities" },
        Parameter {
            key: "growth",
            unit: "1/yr",
            low: 0.0,
            high: 100.0,
            meaning: "growth of the densities per year, of that at the reference date",
        },
        Parameter {
            key: "blocks",
            unit: "1",
            low: 0.0,
            high: 1e4,
            meaning: "pieces of the path of a packet at most; 0 follows every transfer",
        },
        Parameter {
            key: "draw_traps",
            unit: "1",
            low: 0.0,
            high: 1.0,
            meaning: "0: expected electrons; 1: single traps and electrons, drawn",
        },
    ]
}

/// The traps of a detector as they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Along columns, at the reference date.
    pub parallel: TrapModel,
    /// Along the serial register, at the reference date.
    pub serial: TrapModel,
    reference_mjd: f64,
    growth_per_year: f64,
    /// How finely expected electrons are followed.
    pub steps: Steps,
    /// Whether single traps are drawn.
    pub draw_traps: bool,
}

impl Settings {
    /// Reads and checks the table `effects.cti`.
    ///
    /// # Errors
    /// When a key is missing, unknown or out of range, or a notch does not lie below its full well.
    pub fn read(spec: &DetectorSpec) -> Result<Self, ParameterError> {
        let values: [f64; COUNT] = parameters::read(&spec.parameters, "cti", &PARAMETERS)?;
        let model = |first: usize| {
            let species = (0..SPECIES_GIVEN)
                .map(|s| first + 4 * s)
                .map(|k| Species { density: values[k], release: values[k + 1], depth: values[k + 2], capture: values[k + 3] })
                .collect();
            let at = first + 4 * SPECIES_GIVEN;
            let well = Well { exponent: values[at], full_well: values[at + 1], notch: values[at + 2] };
            if well.notch >= well.full_well {
                let Parameter { key, unit, low, .. } = PARAMETERS[at + 2];
                return Err(ParameterError::Range { effect: "cti", key, value: well.notch, unit, low, high: well.full_well });
            }
            Ok(TrapModel { species, well })
        };
        let rest = &values[2 * KEYS..];
        Ok(Self {
            parallel: model(0)?,
            serial: model(KEYS)?,
            reference_mjd: rest[0],
            growth_per_year: rest[1],
            steps: Steps::at_most(rest[2] as usize),
            draw_traps: rest[3] >= 0.5,
        })
    }

    /// Density at a date over that at the reference date: radiation adds traps at a steady rate.
    #[must_use]
    pub fn age_factor(&self, mjd: f64) -> f64 {
        (1.0 + self.growth_per_year * (mjd - self.reference_mjd) / YEAR_D).max(0.0)
    }

    /// The traps along columns and along the register at a date.
    #[must_use]
    pub fn at(&self, mjd: f64) -> [TrapModel; 2] {
        let factor = self.age_factor(mjd);
        [&self.parallel, &self.serial].map(|model| {
            let mut model = model.clone();
            model.species.iter_mut().for_each(|s| s.density *= factor);
            model
        })
    }

    /// What a calibration without error would know of the traps at a date.
    #[must_use]
    pub fn knowledge(&self, mjd: f64, iterations: usize) -> TrapKnowledge {
        let sure = |value: f64| Measured { value, error: 0.0 };
        let [parallel, serial] = self.at(mjd).map(|model| TransferTraps {
            species: model
                .species
                .iter()
                .filter(|s| s.density > 0.0)
                .map(|s| TrapSpecies { density: sure(s.density), release: sure(s.release), depth: s.depth, capture: s.capture })
                .collect(),
            exponent: model.well.exponent,
            full_well_electron: model.well.full_well,
            notch_electron: model.well.notch,
        });
        let blocks = match self.steps {
            Steps::Exact => 0,
            Steps::Blocks(count) | Steps::AtMost(count) => count,
        };
        TrapKnowledge { parallel, serial, blocks, iterations }
    }
}
