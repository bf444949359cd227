//! The stars of the Milky Way: a model of its structure from published parts.
//!
//! # Effect
//! How many stars of which kind are seen in a direction, how far away they are and how they move.
//! # Formula
//! Components: thin disk (main sequence in six ranges of luminosity with their own scale heights, giants, white dwarfs), thick disk, halo. Each has a
//! density law, a luminosity function, velocities and metallicities. The bulge has the luminosity function of the old disk, 30 times that at the Sun in its centre. Local densities of thick disk and halo over that of the thin disk
//! at the same luminosity: 0.050 and 0.00102.
//! # Source
//! Each law in its file. The two ratios are set so that counts at the galactic pole are those of Allen's Astrophysical Quantities (`data/milky_way/counts_allen.csv`) in V 15 to
//! 25; independent values: 0.04 to 0.12 for the thick disk (Reyle & Robin 2001, A&A 373, 886: 0.06; Juric et al. 2008: 0.12), 0.001 to 0.005 for the halo
//! (Bahcall & Soneira 1980: 0.002; Juric et al. 2008: 0.005 with all of the disk's giants).
//! Bulge: 30 is 6.8e9 solar masses of shining stars (tested); with 1.3e9 of the disks inside R = 2.4 kpc and 30 % of remnants 1.2e10, where motions ask for 1.2 to 1.6e10 (Portail et al. 2015, MNRAS
//! 448, 713). To V = 27 the field of SWEEPS (Sahu et al. 2006, Nature 443, 534) then has 1.02 times the stars that were found there in the crowd (tested). Rotation and dispersions
//! of 110, 110, 105 km/s are near those of BRAVA (Kunder et al. 2012, AJ 143, 57). Published numbers of the bulge as remembered.
//! # Limits
//! V 5 to 28. At |b| below 10 deg outside the bulge counts are 1.3 to 1.5 times the published ones, and dust is smooth: give its column. No clusters, streams.
//! # Twin
//! None.

mod companion;
mod counts;
mod density;
mod dust;
mod flare;
mod line;
mod luminosity;
mod motion;
mod sequence;
#[cfg(test)]
mod tests;
mod variable;

pub use companion::{Companion, WIDEST_ARCSEC};
pub use counts::{PublishedCounts, SurveyCounts};
pub use density::{SUN_R_PC, SUN_Z_PC, Sightline};
pub use dust::Dust;
pub use flare::{FLARE_K, Flares};
pub use line::Line;
pub use luminosity::{ABSOLUTE_RANGE, WHITE_DWARFS_PC3};
pub use motion::{AU_YEAR_KM_S, CIRCULAR_KM_S, EPOCH_YEAR, SUN_PECULIAR_KM_S, motion};
pub use sequence::{GIANT_MASS, Sequences, WHITE_DWARF_MASS};
pub use variable::Variable;

use density::Shape;
use line::DISK_VELOCITIES;
use luminosity::{Laws, Luminosity};
use motion::Velocities;

/// Local density of the thick disk over that of the thin disk.
const THICK_SHARE: f64 = 0.050;
/// Local density of the halo over that of the thin disk.
const HALO_SHARE: f64 = 0.00102;
/// Density of the bulge in its centre over that of the thin disk here.
const BULGE_SHARE: f64 = 30.0;
/// Velocities of the bulge along R, phi, Z \[km/s\], with the rotation that goes with them (87 km/s).
const BULGE_VELOCITIES: Velocities = Velocities::Disk([110.0, 110.0, 105.0]);
/// Brightest halo stars (Bahcall & Soneira 1980: the tip of the giant branch of globular clusters).
const HALO_BRIGHTEST: f64 = -3.0;
/// Scale lengths of the disks \[pc\].
const THIN_LENGTH_PC: f64 = 2600.0;
const THICK: Shape = Shape::Disk { length_pc: 2200.0, height_pc: 900.0 };
/// Ranges of absolute magnitude of the thin disk's main sequence, their scale height \[pc\] and which velocities they have.
const THIN_RANGES: [(f64, f64, f64, usize); 6] = [
    (-6.0, 2.3, 90.0, 0),
    (2.3, 3.0, 116.25, 1),
    (3.0, 3.7, 168.75, 2),
    (3.7, 4.4, 221.25, 3),
    (4.4, 5.1, 273.75, 4),
    (5.1, 20.0, 300.0, 4),
];

/// Kind of star.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On the main sequence.
    Dwarf,
    /// Beyond it: subgiants, giants, horizontal branch.
    Giant,
    /// White dwarf.
    WhiteDwarf,
}

/// Population of a star.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Population {
    /// Thin disk.
    ThinDisk,
    /// Thick disk.
    ThickDisk,
    /// Halo.
    Halo,
    /// Bulge, with its bar.
    Bulge,
}

/// Whether stars have companions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    /// Published fractions of them.
    Drawn,
    /// None: every star is single and has the light of its system.
    Single,
}

/// A star, or two that are seen as one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Star {
    /// Kind of the brighter star.
    pub kind: Kind,
    /// Population.
    pub population: Population,
    /// Apparent V of the system, dimmed by dust \[mag, Vega\].
    pub v: f64,
    /// Absolute V of the brighter star.
    pub absolute_v: f64,
    /// Absolute V of the system.
    pub system_absolute_v: f64,
    /// Distance \[pc\].
    pub distance_pc: f64,
    /// Colour excess of the dust in front \[mag\].
    pub e_bv: f64,
    /// Effective temperature of the brighter star \[K\].
    pub teff_k: f64,
    /// lg g of the brighter star \[cm / s2\].
    pub log_g: f64,
    /// \[Fe/H\].
    pub feh: f64,
    /// Velocity relative to the Sun: towards the galactic centre, l = 90 deg, north \[km/s\].
    pub velocity_km_s: [f64; 3],
    /// Companion.
    pub companion: Option<Companion>,
}

struct Component {
    kind: Kind,
    population: Population,
    /// Local density over that of the luminosity function.
    share: f64,
    shape: Shape,
    luminosity: Luminosity,
    velocities: Velocities,
}

/// The model: build it once.
pub struct MilkyWay {
    components: Vec<Component>,
    sequences: Sequences,
}

impl Default for MilkyWay {
    fn default() -> Self {
        Self::new()
    }
}

impl MilkyWay {
    /// Builds the model from its tables.
    #[must_use]
    pub fn new() -> Self {
        let (laws, sequences) = (Laws::load(), Sequences::load());
        let disk = |height_pc| Shape::Disk { length_pc: THIN_LENGTH_PC, height_pc };
        let thin = |kind, shape, luminosity, velocities| Component {
            kind,
            population: Population::ThinDisk,
            share: 1.0,
            shape,
            luminosity,
            velocities,
        };
        let mut components: Vec<Component> = THIN_RANGES
            .iter()
            .map(|&(from, to, height, age)| thin(Kind::Dwarf, disk(height), laws.thin_dwarfs(from, to), DISK_VELOCITIES[age]))
            .collect();
        components.push(thin(Kind::Giant, disk(250.0), laws.thin_giants(), DISK_VELOCITIES[3]));
        components.push(thin(Kind::WhiteDwarf, disk(300.0), Laws::white_dwarfs(&sequences), DISK_VELOCITIES[4]));
        components.push(Component {
            kind: Kind::Dwarf,
            population: Population::ThickDisk,
            share: THICK_SHARE,
            shape: THICK,
            luminosity: laws.old(ABSOLUTE_RANGE.0),
            velocities: DISK_VELOCITIES[5],
        });
        components.push(Component {
            kind: Kind::Dwarf,
            population: Population::Halo,
            share: HALO_SHARE,
            shape: Shape::Halo,
            luminosity: laws.old(HALO_BRIGHTEST),
            velocities: Velocities::Halo,
        });
        // Last: where its density is 0 all other stars are drawn as without it.
        components.push(Component {
            kind: Kind::Dwarf,
            population: Population::Bulge,
            share: BULGE_SHARE,
            shape: Shape::Bulge,
            luminosity: laws.old(ABSOLUTE_RANGE.0),
            velocities: BULGE_VELOCITIES,
        });
        Self { components, sequences }
    }
    /// What is along a line of sight (galactic longitude and latitude \[deg\]) between two apparent V magnitudes.
    #[must_use]
    pub fn line(&self, l_deg: f64, b_deg: f64, dust: Dust, bright: f64, faint: f64) -> Line {
        Line::new(self, (l_deg, b_deg), dust, (bright, faint))
    }
    /// Stars per deg2 between two apparent V magnitudes.
    #[must_use]
    pub fn counts_deg2(&self, l_deg: f64, b_deg: f64, dust: Dust, bright: f64, faint: f64) -> f64 {
        self.line(l_deg, b_deg, dust, bright, faint).total_deg2()
    }
    /// The sequences of stars.
    #[must_use]
    pub fn sequences(&self) -> &Sequences {
        &self.sequences
    }
}
