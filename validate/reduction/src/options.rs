//! What a reduction is asked to do besides the steps that are always done.

use crate::error::ReductionError;
use crate::error_model::ShotNoise;
pub use instruments::effects::cosmic_rays::Finder;
use instruments::effects::registry;
use sim_core::fits::Packing;

/// Choices of a reduction to level 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// How the shot noise of a pixel is estimated.
    pub shot_noise: ShotNoise,
    /// How cosmic rays are looked for in science exposures; `None`: they are not.
    pub cosmic_rays: Option<Finder>,
    /// Whether pixels flagged as cosmic rays take what their neighbours say of them, with its variance as their weight; the flags stay.
    pub fill_cosmic_rays: bool,
    /// Whether trails of satellites are looked for in science exposures: a row of bright objects can pass for one.
    pub trails: bool,
    /// Whether scattered light is flagged in science exposures: a steep sky can pass for it.
    pub scattered_light: bool,
    /// Effects that are not to be undone, by name, although calibration could: what a step is worth shows without it.
    pub without: Vec<String>,
    /// How flags, which are integers, are laid out in the files.
    pub packing: Packing,
}

impl Options {
    /// Refuses a name under [`Options::without`] that is no effect.
    ///
    /// # Errors
    /// When a name is unknown, or that of a crossing: electrons and rates are made by those.
    pub fn check(&self) -> Result<(), ReductionError> {
        for name in &self.without {
            let known = registry::find(name).filter(|effect| !effect.is_crossing);
            if known.is_none() {
                let names: Vec<&str> = registry::all().iter().filter(|e| !e.is_crossing).map(|e| e.name).collect();
                return Err(ReductionError::UnknownStep { name: name.clone(), known: names.join(", ") });
            }
        }
        Ok(())
    }
}
