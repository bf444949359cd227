//! Dust between the stars.
//!
//! # Effect
//! Dims and reddens stars according to how much dust lies in front of them.
//! # Formula
//! dA / ds = K exp(-(R - R0) / 4500 pc - (|Z| - Z0) / 140 pc), K = 0.7 mag / kpc; with a given colour excess the law is scaled so that the whole
//! column is 3.1 E(B-V).
//! # Symbols
//! A extinction in V \[mag\]; R, Z, R0, Z0 as in the density of stars.
//! # Source
//! Robin et al. 2003 (A&A 409, 523), section 2.1.4: scale length 4.5 kpc, height 140 pc, 0.7 mag / kpc for the diffuse dust. At the north pole the column is 0.098 mag,
//! E(B-V) = 0.032.
//! # Limits
//! Smooth: no clouds, no local bubble. Where the true column matters it is given (`field.e_bv`).
//! # Twin
//! None.

use super::density::{SUN_R_PC, SUN_Z_PC, Sightline};
use crate::extinction::R_V;

const K_MAG_PC: f64 = 0.7e-3;
const LENGTH_PC: f64 = 4500.0;
const HEIGHT_PC: f64 = 140.0;

/// Which dust stars stand behind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Dust {
    /// None.
    None,
    /// The model's.
    Model,
    /// The model's law, scaled to this total E(B-V) \[mag\].
    Column(f64),
}

impl Dust {
    /// Extinction in V \[mag\] from the Sun to each of rising distances \[pc\], the first close to 0 and the last beyond the dust.
    pub(super) fn extinction(&self, line: &Sightline, distances_pc: &[f64]) -> Vec<f64> {
        let mut column = Vec::with_capacity(distances_pc.len());
        let mut sum = 0.0;
        let mut from = 0.0;
        for &to in distances_pc {
            let place = line.at(0.5 * (from + to));
            sum += K_MAG_PC * (to - from) * (-(place.r_pc - SUN_R_PC) / LENGTH_PC - (place.z_pc.abs() - SUN_Z_PC) / HEIGHT_PC).exp();
            column.push(sum);
            from = to;
        }
        let scale = match *self {
            Self::None => 0.0,
            Self::Model => 1.0,
            Self::Column(e_bv) => R_V * e_bv / sum,
        };
        column.into_iter().map(|a| a * scale).collect()
    }
}
