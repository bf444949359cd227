//! Quasars: how many there are, what light they send, how it wanders.
//!
//! [`Luminosity`] has the density by redshift and magnitude, [`QuasarSpectra`] the light of one, [`Wander`] its brightness at any date.
//! Which quasars a field has is drawn in [`crate::synthetic`].

mod luminosity;
mod spectrum;
mod wander;

pub use luminosity::{Luminosity, PublishedQuasars};
pub use spectrum::QuasarSpectra;
pub use wander::{Wander, lg_mass};
