//! Why a scene could not be drawn.

use sim_core::psf::PsfError;

/// Why a scene could not be drawn. Messages name the object and the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpticsError {
    /// A value of a source is outside its range.
    #[error("object {id}: {key} = {value} {unit} is outside {range}")]
    Source {
        /// Object number.
        id: u64,
        /// Key.
        key: &'static str,
        /// Value given.
        value: f64,
        /// Unit.
        unit: &'static str,
        /// Allowed range, in words.
        range: &'static str,
    },
    /// The spectrum has no light in the band in which its magnitude is stated.
    #[error("object {id}: spectrum {spectrum} has no light in band {band}, in which its magnitude is stated")]
    Dark {
        /// Object number.
        id: u64,
        /// Spectrum.
        spectrum: String,
        /// Reference band.
        band: String,
    },
    /// A setting of the renderer is outside its range.
    #[error("optics.{key} = {value} {unit} is outside {range}")]
    Setting {
        /// Key.
        key: &'static str,
        /// Value given.
        value: f64,
        /// Unit.
        unit: &'static str,
        /// Allowed range, in words.
        range: &'static str,
    },
    /// The PSF could not be evaluated.
    #[error(transparent)]
    Psf(#[from] PsfError),
}
