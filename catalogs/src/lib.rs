//! The sky that is put in front of the telescope: spectra, extinction, the diffuse background, synthetic fields,
//! and readers for catalogues people have.
//!
//! Everything here ends as [`sim_core::source::Source`]s or as a surface brightness; no telescope is known.
//! [`Library`] holds the spectra and the bands in which catalogue magnitudes are stated; load it once.

pub mod band;
pub mod bench_field;
pub mod clusters;
pub mod cosmos;
pub mod draw;
pub mod examine;
pub mod extinction;
pub mod footprint;
pub mod inserts;
pub mod lenses;
pub mod milky_way;
pub mod moving;
pub mod observer;
pub mod quasars;
pub mod read;
pub mod region;
pub mod satellites;
pub mod sed;
pub mod sky_background;
pub mod solar_system;
pub mod supernovae;
pub mod synthetic;
mod table;
pub mod tables;

pub use band::ReferenceBands;
pub use footprint::Footprint;
pub use region::Region;
pub use sed::SedLibrary;
pub use sim_core::dates;
use sim_core::direction;

/// Spectra and reference bands, shared by all sources.
#[derive(Debug, Clone)]
pub struct Library {
    /// Spectra.
    pub seds: SedLibrary,
    /// Bands in which catalogue magnitudes are stated.
    pub bands: ReferenceBands,
}

impl Library {
    /// Builds the library from the tables in the program (a few milliseconds).
    #[must_use]
    pub fn load() -> Self {
        let bands = ReferenceBands::load();
        let seds = SedLibrary::load(&bands);
        Self { seds, bands }
    }
}
