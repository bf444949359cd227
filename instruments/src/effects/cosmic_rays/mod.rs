//! Cosmic rays: charged particles that cross the silicon and leave electrons.
//!
//! # Effect
//! Particles of the orbit cross the sensor during exposure and readout. Each leaves electrons along its track: straight and
//! thin for fast ones, curled for electrons ("worms") and delta rays, thick for slow and for doubly charged ones, several
//! tracks at once from collisions in matter nearby. They come on top of the realised charge: no Poisson noise is drawn again.
//! # Formula
//! events ~ Poisson(R a A (T + t_r)); P(cos < c) = c^(n+2); path = t / cos; loss per 40 um of path: Landau's law with the mean of
//! Bethe, cut at the kinematic limit (Bohr's normal law where Landau's does not hold), plus the binding width of Shulek; electrons = loss / w +- sqrt(F loss / w); a hard
//! collision of more than 10 keV sends an electron with a track of its own; each electron diffuses into a pixel by chance. Charge
//! that falls during readout has moved by (t - T) / t_r of the rows towards its register; what falls behind the image is lost.
//! # Symbols
//! R `rate` \[1/cm2/s\]; a `activity` (South Atlantic Anomaly, solar events) \[1\]; A area of the sensor and 0.5 mm around; T exposure
//! time \[s\]; t_r `readout_time` \[s\]; t `thickness` \[um\]; n `angular_power` \[1\], 0 isotropic; w 3.65 eV; F Fano factor 0.115;
//! `pixel_pitch`, `diffusion`, `field_free` \[um\]; `back_fraction` through the light side \[1\]; `modulation` \[MV\] and `cutoff_rigidity`
//! \[GV\] of galactic particles; `helium_fraction`, `secondary_fraction`, `electron_fraction`, `stopping_fraction`, `shower_fraction`
//! of all events \[1\], the rest galactic protons. Kinds and energies: `spectrum`
//! # Source
//! Rate: Riess 2002 (Instrument Science Report ACS 2002-07) finds 1.5-3 % of pixels of ACS/WFC hit in 1000 s, 4 to 5 pixels
//! (15 um) an event as a rule, median 1000 electrons: 0.95-1.9 events/cm2/s at 7 pixels on average. Peak in the South Atlantic
//! Anomaly: 1100 /cm2/s (Miles et al. 2021, ApJ 918, 86). Landau 1944; Bethe and Highland as in the Review of Particle Physics;
//! Shulek et al. 1966; Bichsel 1988 (Rev. Mod. Phys. 60, 663); diffusion: Janesick 2001, Holland et al. 2003. At each kernel.
//! # Limits
//! Landau's most probable loss is 15 % above Bichsel's in 16 um of silicon, 4 % in 50 um, 1 % in 300 um.
//! `activity` is one number for a run and multiplies events alone: trapped protons of the South Atlantic Anomaly and those of solar events are
//! slower than ours, and nothing follows an orbit. No nuclear stars, no bremsstrahlung, no recombination in dense tracks, no hits in the scans, no charge to the register itself; the
//! shares of kinds are assumptions; straight tracks follow 16 mm, electrons 4 mm. Events are numbered over the detector, not
//! the window, so a cut-out has the hits of the whole frame, also those that come from outside. Events use the library's exp, ln,
//! sin and powf: another C library may move an electron once in 1e13 draws. Cost: that of the events, not of the pixels.
//! # Twin
//! Flag only: COSMIC_RAY on the single exposure, by a small trained network (`network`, the default) or by a Laplacian detector (`laplacian`,
//! the class of L.A.Cosmic, van Dokkum 2001, edges at 4.9 sigma). Recall and precision of pixels above 5 sigma, beside what noise
//! allows: FIGURES.md; slitless frames there are a stand-in (drawn-out pictures), since no grating is rendered yet. The charge under a hit cannot be given back. On request `smooth_fill` fills pixels from their neighbours (level 1:
//! `reduce --fill-cosmic-rays`); the flags stay, and what is left of a star's flux is in FIGURES.md.

mod apply;
mod correct;
pub mod deposit;
pub mod dice;
pub mod direction;
pub mod event;
pub mod landau;
pub mod laplacian;
pub mod network;
pub mod silicon;
pub mod smooth_fill;
pub mod spectrum;
#[cfg(test)]
mod tests;
pub mod track;
mod truth;
pub mod wander;

pub use apply::{CosmicRays, Hit};
pub use correct::{Finder, FlagCosmicRays};

use super::parameters::Parameter;
use super::registry::{Entry, Need, Twin};
use sim_core::plane::Charge;

static PARAMETERS: [Parameter; 16] = [
    Parameter { key: "rate", unit: "1/cm2/s", low: 0.0, high: 1e4, meaning: "events per area of the sensor and time" },
    Parameter { key: "activity", unit: "1", low: 0.0, high: 1e4, meaning: "multiplier of the rate: South Atlantic Anomaly, solar events" },
    Parameter { key: "readout_time", unit: "s", low: 0.0, high: 1e4, meaning: "time to read the detector" },
    Parameter { key: "thickness", unit: "um", low: 1.0, high: 1000.0, meaning: "thickness of the silicon that collects charge" },
    Parameter { key: "pixel_pitch", unit: "um", low: 1.0, high: 100.0, meaning: "pitch of the pixels" },
    Parameter { key: "diffusion", unit: "um", low: 0.0, high: 20.0, meaning: "spread of charge from the top of the drift region" },
    Parameter { key: "field_free", unit: "um", low: 0.0, high: 100.0, meaning: "field-free layer under the light side" },
    Parameter { key: "angular_power", unit: "1", low: 0.0, high: 20.0, meaning: "intensity goes as cos^n of the angle to the normal" },
    Parameter { key: "back_fraction", unit: "1", low: 0.0, high: 1.0, meaning: "fraction that enters through the light side" },
    Parameter { key: "modulation", unit: "MV", low: 50.0, high: 3000.0, meaning: "solar modulation of galactic particles" },
    Parameter { key: "cutoff_rigidity", unit: "GV", low: 0.0, high: 20.0, meaning: "geomagnetic cut-off, mean over the orbit" },
    Parameter { key: "helium_fraction", unit: "1", low: 0.0, high: 1.0, meaning: "helium nuclei, of all events" },
    Parameter {
        key: "secondary_fraction",
        unit: "1",
        low: 0.0,
        high: 1.0,
        meaning: "protons of the atmosphere and the spacecraft, of all events",
    },
    Parameter { key: "electron_fraction", unit: "1", low: 0.0, high: 1.0, meaning: "soft electrons in the silicon, of all events" },
    Parameter { key: "stopping_fraction", unit: "1", low: 0.0, high: 1.0, meaning: "slow protons that stop, of all events" },
    Parameter { key: "shower_fraction", unit: "1", low: 0.0, high: 1.0, meaning: "showers of several particles, of all events" },
];

/// Registry entry.
pub const ENTRY: Entry<Charge> = Entry {
    name: "cosmic_rays",
    needs: &[Need::Time, Need::Dice],
    after: &[],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::FlagOnly(correct::make),
    page: include_str!("mod.rs"),
};
