//! Quasars: how many there are, what light they send, how it wanders.
//!
//! [`Luminosity`] has the density by redshift and magnitude, [`QuasarSpectra`] the light of one, [`Wander`] its brightness at any date, [`HiddenSpectra`] what is seen of one behind dust.
//! Which quasars a field has is drawn in [`crate::synthetic`].

mod luminosity;
mod obscured;
mod spectrum;
mod wander;

pub use luminosity::{FAINTEST_QUASAR, Luminosity, PublishedQuasars};
pub use obscured::{HiddenSpectra, hidden_share};
pub use spectrum::QuasarSpectra;
pub use wander::{Wander, lg_mass};
