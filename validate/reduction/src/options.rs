//! What a reduction is asked to do besides the steps that are always done.

use crate::error_model::ShotNoise;
pub use instruments::effects::cosmic_rays::Finder;

/// Choices of a reduction to level 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
}
