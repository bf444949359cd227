//! Charge transfer inefficiency: traps hold electrons back while charge is moved to the outputs.
//!
//! # Effect
//! Every pixel that a packet of charge crosses on its way along the column, and then along the serial register, holds traps.
//! Those within the volume of the packet take electrons, at once or with a capture time, and give them back over the next transfers,
//! to packets behind. Stars lose light and grow trails away from the output; trails run into the overscan.
//! # Formula
//! v(n) = ((n - c) / (w - c))^beta; captured = sum over species of rho v(n) less what is still held below v;
//! of what a species holds, a fraction 1 - exp(-1 / tau) is released in every transfer, before the capture.
//! With a capture time: occupancy below v to A + B f, above v to exp(-1 / tau) f, `B = exp(-1 / tau_c - 1 / tau)`,
//! `A = (1 - B) / (1 + tau_c / tau)` (`profile.rs`)
//! # Symbols
//! n electrons of a packet \[electron\]; v fraction of the volume it fills \[1\]; w `full_well`, c `notch` \[electron\];
//! beta `exponent` \[1\]; rho `density` \[1 / pixel\], times 1 + g (t - t0) at the date t, g `growth` \[1 / yr\], t0
//! `reference_date`; tau `release`, `tau_c` `capture` \[transfers\], f occupancy; `depth` fraction of the volume below the traps of a species \[1\];
//! all for the columns (`parallel_`) and the register (`serial_`)
//! # Source
//! Volume-driven capture and the well: Massey et al. 2010 (MNRAS 401, 371), 2014 (MNRAS 439, 887), and the public code arCTIc
//! (jkeger/arctic). Memory of the traps as marks on the volume: the same. The summed form of the marks, the pool of a block
//! and the implicit midpoint are derived in [`mod@column`]; steady growth of the density with dose: Massey et al. 2014. Capture in a
//! time: Lindegren 1998 (SAG-LL-022), Short et al. 2013 (MNRAS 430, 3078).
//! # Limits
//! The capture time does not depend on the density of the electrons; capture times are not fitted to calibration frames (0 there), nor
//! do pumped traps have one; no dwell phases within a transfer; no capture during the exposure, so traps are empty when readout
//! starts. The register remembers the row before (a row in 16 starts from one row back), and the shift of a line takes no time of its
//! clock. A cut-out takes its unseen pixels nearer to the output as its own mirror image
//! and knows none beyond its last row. Blocks, one for 3600 traps on the path: the error is below 1 % of the signal and 2 % of the
//! trail of any star from 3.6 electrons of sky on (figures in `FIGURES.md`), 0 blocks is exact.
//! # Twin
//! Approximate: the forward model with the traps that calibration knows, turned round packet by packet ([`restore`]); rows first, then
//! columns. A frame with a variance is corrected by what an estimate of its charge gains that scatters as the charge does ([`quiet`]), so that
//! read noise is not sharpened; the variance is passed on (`noise.rs`), covariances with the pixels behind are not. In a sky of
//! a few electrons most of what traps took from single sky electrons does not come through and stays lost.

mod apply;
mod belief;
pub mod column;
mod columns;
mod correct;
pub mod direction;
pub mod fill;
pub mod frame;
mod limit;
mod lines;
mod marks;
mod monte_carlo;
mod noise;
mod parameters;
mod pass;
mod pool;
mod profile;
pub mod quiet;
mod register;
pub mod restore;
pub mod schedule;
#[cfg(test)]
mod tests;
pub mod traps;
mod unwind;

pub use correct::known_model;
pub use parameters::Settings;

use super::parameters::Parameter;
use super::registry::{Entry, Need, Twin};
use sim_core::plane::Charge;

static PARAMETERS: [Parameter; parameters::COUNT] = parameters::table();

/// Registry entry.
pub const ENTRY: Entry<Charge> = Entry {
    name: "cti",
    needs: &[Need::Dice],
    after: &["full_well"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::Approximate { make: correct::make, residual: 0.01 },
    page: include_str!("mod.rs"),
};
