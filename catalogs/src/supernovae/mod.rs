//! Supernovae: how often, how bright, what spectrum on which day.
//!
//! [`rates`] has numbers per volume, time and host; [`Supernovae`] the light of one [`Explosion`]. Which supernovae a field has on a date is drawn in
//! [`crate::synthetic`].
//!
//! # Effect
//! A point beside the light of a galaxy that rises for two weeks and fades for months.
//! # Formula
//! i = M_B + DM(z) - 2.5 lg(F_i(day, z) / ((1 + z) F_B(0, 0))) - 0.09; F mean flux per frequency through a band of the spectrum at z on a day at rest, on one scale.
//! # Symbols
//! M_B absolute magnitude at maximum in B \[Vega\]; day since maximum in B, at rest.
//! # Source
//! `thermonuclear.rs`, `collapse.rs`. B as in Bessell 1990 (PASP 102, 1181), AB - Vega -0.09 (Blanton & Roweis 2007, AJ 133, 734).
//! # Limits
//! From the rise to 300 d after maximum, at rest; 150 to 1100 nm at rest. No absorption by hydrogen on the way (it begins where templates end, for i at z = 4).
//! # Twin
//! None.

mod collapse;
pub mod rates;
mod thermonuclear;

#[cfg(test)]
mod tests;

use crate::ReferenceBands;
use crate::cosmos::Background;
use crate::draw::Draw;
use collapse::Collapse;
use sim_core::bandpass::Bandpass;
use sim_core::spectrum::{Sed, Spectrum};
use std::sync::Arc;
use thermonuclear::Thermonuclear;

/// AB minus Vega magnitude in B.
const B_AB_MINUS_VEGA: f64 = -0.09;
/// Days at rest after maximum at which a supernova leaves the catalogue.
pub const LAST_DAY: f64 = 300.0;
/// Days at rest before maximum of the earliest light.
pub const FIRST_DAY: f64 = -22.0;

/// What kind of supernova.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Ia: a white dwarf.
    Thermonuclear,
    /// The collapse of a massive star: row of the table of types.
    Collapse(usize),
}

/// One supernova, as it was drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Explosion {
    /// Kind.
    pub kind: Kind,
    /// Absolute B magnitude at maximum \[Vega\], dust of its host included.
    pub absolute_b: f64,
    /// How much slower than the mean it is (Ia).
    pub stretch: f64,
    /// Colour excess over the mean \[mag\] (Ia).
    pub colour: f64,
}

/// Spectra on every day, shared.
#[derive(Debug)]
pub struct Supernovae {
    ia: Thermonuclear,
    collapse: Collapse,
}

impl Supernovae {
    /// From the tables in the program.
    #[must_use]
    pub fn new(bands: &ReferenceBands) -> Self {
        Self { ia: Thermonuclear::new(bands), collapse: Collapse::new(bands) }
    }

    /// A supernova of a class; `h` is the Hubble constant over 100 km/s/Mpc, for which published luminosities are scaled.
    #[must_use]
    pub fn draw(&self, is_ia: bool, h: f64, draw: &mut Draw) -> Explosion {
        if is_ia { self.ia.draw(h, draw) } else { self.collapse.draw(h, draw) }
    }

    /// Name of a kind.
    #[must_use]
    pub fn name(&self, kind: Kind) -> &str {
        match kind {
            Kind::Thermonuclear => "Ia",
            Kind::Collapse(row) => self.collapse.name(row),
        }
    }

    /// AB magnitude through a band and the spectrum (at rest) on a day since maximum in B at rest; `None`: no light.
    #[must_use]
    pub fn on_day(
        &self,
        explosion: &Explosion,
        day: f64,
        redshift: f64,
        band: &Bandpass,
        background: &Background,
    ) -> Option<(f64, Arc<Spectrum>)> {
        if !(FIRST_DAY..=LAST_DAY).contains(&day) {
            return None;
        }
        let through = |template: Arc<Spectrum>| band.mean_fnu(&Sed { template, redshift, extinction: None });
        let (fall, spectrum) = match explosion.kind {
            Kind::Thermonuclear => self.ia.on_day(explosion, day, through)?,
            Kind::Collapse(row) => self.collapse.on_day(row, day, through)?,
        };
        let magnitude = explosion.absolute_b + B_AB_MINUS_VEGA + background.modulus(redshift) + fall + 2.5 * (1.0 + redshift).log10();
        magnitude.is_finite().then_some((magnitude, spectrum))
    }
}
