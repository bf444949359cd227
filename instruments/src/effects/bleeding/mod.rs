//! Bleeding (blooming): charge that a pixel cannot hold runs along its column.
//!
//! # Effect
//! Channel stops keep charge in its column; between the pixels of a column there is only the low barrier of a clock phase.
//! What a pixel cannot hold goes to its two neighbours in the column, half each; what these cannot hold goes on, until every
//! pixel has room. Charge that reaches a serial register is drained and lost.
//! # Formula
//! Repeat n_i -= d, n_(i-1) += d / 2, n_(i+1) += d / 2 with d = n_i - c_i while any n_i > c_i. The end does not depend on the
//! order of the steps, and is known without them: in a run of full pixels between l and h (which have room),
//! n_h += sum (i - l) (n_i - c_i) / (h - l), n_l += sum (h - i) (n_i - c_i) / (h - l), both sums over l < i < h, and n_i = c_i
//! inside; runs grow until both ends have room. A pixel of (2 k + 1) c alone in an empty column ends as 2 k + 1 pixels of c.
//! # Symbols
//! n_i electrons in row i of a column \[electron\]; c_i capacity, of the table of `full_well` \[electron\]; l = -1 or h = number
//! of rows: a drain, of any capacity
//! # Source
//! Equal shares both ways: Futyan et al. 2020 (A&A 635, A23, the CHEOPS simulator); imSim does the same star by star. The
//! repeated rule is the divisible sandpile of Levine & Peres 2009 (Potential Analysis 30, 1), whose end state is unique and
//! keeps the centre of mass; the shares at the ends are the exit probabilities of a symmetric walk. Whether charge passes the
//! line between upper and lower half of the device is `midline_barrier`; nothing public is known of it (imSim stops there by
//! default). It passes by default: in a split-frame device the halves share their columns, and during the exposure the line is
//! a barrier phase like any other.
//! # Limits
//! Two effects and not one: `bleeding` moves the surplus, `full_well` after it destroys what is still above the capacity. So a
//! chain without `bleeding` clips, one with both conserves charge, and the pair of the two is bit-identical elsewhere.
//! Instantaneous and before readout: no bleeding during transfer, no asymmetry between clock phases, no loss to the surface.
//! The number of electrons that moved has no noise of its own; in a run it is drowned: pixels sit at their capacity. A pixel
//! that fills keeps no memory of its photons. In a cut-out the rest of the column is taken to be empty: charge that would come from
//! outside is missing, charge that leaves is booked as lost.
//! # Twin
//! Flag only: BLEED and SATURATED for every full pixel (full well of calibration, or flagged before: the converter's
//! ceiling) and for its neighbour in the column at either end of a run, where the last of the surplus lies. Whether a pixel at
//! the converter's ceiling has bled cannot be told where the ceiling lies below the full well: such pixels get both bits too.
//! Where charge went cannot be told either, so nothing is put back.

mod apply;
mod correct;
pub mod model;

use super::parameters::Parameter;
use super::registry::{Entry, Twin};
use sim_core::plane::Charge;

static PARAMETERS: [Parameter; 1] = [Parameter {
    key: "midline_barrier",
    unit: "1",
    low: 0.0,
    high: 1.0,
    meaning: "0: charge passes the line between the halves of the device; 1: it does not",
}];

/// Registry entry.
pub const ENTRY: Entry<Charge> = Entry {
    name: "bleeding",
    needs: &[],
    after: &["cosmic_rays", "brighter_fatter"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::FlagOnly(correct::make),
    page: include_str!("mod.rs"),
};
