//! What a unit costs before it is made.
//!
//! # Formula
//! t = u + p (d + sum of effects) + o n + p (r + sum of corrections); M = b + p max(m, m_r); B = bytes per pixel times pixels.
//! # Symbols
//! u: time of any unit \[core-s\]; p: share of the detector's pixels in the window; d: time of a whole detector without objects \[core-s\]; o: time of an object
//! \[core-s\]; n: objects; b, m: memory of the program and of a whole detector \[MB\]; r, m_r: time \[core-s\] and memory \[MB\] of the reduction of a whole detector,
//! where units are reduced too.
//! # Source
//! `scenarios/data/cost_model.toml`, from this program's own benchmarks with their dates.
//! # Limits
//! Bright stars, crowding, and effects without a figure there are not counted. The figures are of whole detectors: a slitless cut-out is crossed by
//! the spectra of objects far outside.

use super::level1::InUnit;
use crate::unit::{Plan, Unit};
use anyhow::Context as _;
use instruments::description::DetectorKind;
use serde::Deserialize;
use sim_core::fits::Packing;
use std::collections::BTreeMap;

/// Costs of a kind of detector.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Every unit, however small: its sky opened, its PSF computed \[core-s\].
    pub unit_s: f64,
    /// A whole detector without objects \[core-s\].
    pub detector_s: f64,
    /// An object \[core-s\].
    pub object_s: f64,
    /// Memory of a whole detector \[MB\].
    pub detector_mb: f64,
    /// Reduction of a whole detector with masters alone \[core-s\].
    pub reduce_s: f64,
    /// Memory of that \[MB\].
    pub reduce_mb: f64,
}

/// The model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostModel {
    /// When the figures were measured.
    pub measured: String,
    /// Memory of the program itself \[MB\].
    pub base_mb: f64,
    /// Packing a whole raw frame \[core-s\].
    pub pack_s: f64,
    /// Imaging detectors.
    pub imaging: Line,
    /// Slitless detectors.
    pub slitless: Line,
    /// Effects on a whole detector \[core-s\].
    pub effects: BTreeMap<String, f64>,
    /// Their corrections beyond masters, in the reduction of a whole detector \[core-s\].
    pub corrections: BTreeMap<String, f64>,
}

/// What one unit costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnitCost {
    /// Processor time \[core-s\].
    pub cpu_s: f64,
    /// Memory \[MB\].
    pub memory_mb: f64,
    /// Size of its products \[byte\].
    pub bytes: f64,
}

/// Bytes of a row of the truth tables: some twenty columns of 4 and 8 bytes (derived from what is written).
const TRUTH_ROW_BYTES: f64 = 150.0;
/// Bytes of a pixel of the packed images of cosmic rays and of the table of hits (measured, `bench ccd --with cosmic_rays`); the mask of full pixels is nothing beside them.
const HIT_BYTES: f64 = 0.14;
/// Bytes of the tables of orders and noiseless spectra, for each object of a slitless frame (measured: twelve detectors of `survey25_exposure`).
const SPECTRA_BYTES: f64 = 9000.0;
/// Bytes of a pixel of level 1: rate and weight or error as 32-bit floats, flags of 16 bits.
const LEVEL1_PIXEL_BYTES: f64 = 10.0;
/// What packing leaves of a raw frame (measured, the field of `bench ccd`).
const PACKED: f64 = 0.35;
/// What packing saves of the 2 bytes of flags of a pixel: blocks of equal values are 4 bits of 512.
const FLAG_BYTES_SAVED: f64 = 1.9;

impl CostModel {
    /// The figures shipped with the program.
    ///
    /// # Errors
    /// Never with the file that is built in.
    pub fn built_in() -> anyhow::Result<Self> {
        toml::from_str(include_str!("../../data/cost_model.toml")).context("cost_model.toml")
    }

    /// What a unit with so many objects costs; `in_unit` where it is reduced too.
    #[must_use]
    pub fn of(&self, plan: &Plan, unit: &Unit, objects: f64, in_unit: Option<&InUnit>) -> UnitCost {
        let spec = plan.spec(unit);
        let line = if spec.kind == DetectorKind::Slitless { &self.slitless } else { &self.imaging };
        let pixels = (unit.window.nx * unit.window.ny) as f64;
        let share = pixels / (spec.geometry.nx * spec.geometry.ny) as f64;
        let effects: f64 = self.effects.iter().filter(|(name, _)| plan.has_effect(name)).map(|(_, s)| s).sum();
        let layout = plan.layout(unit);
        let truth = plan.scenario.truth;
        let mut per_pixel = 0.0;
        if truth.noiseless {
            // Electrons as 32-bit floats; of cosmic rays packed images, of trails electrons.
            per_pixel +=
                4.0 + if plan.has_effect("cosmic_rays") { HIT_BYTES } else { 0.0 } + if plan.has_effect("trails") { 4.0 } else { 0.0 };
        }
        let (mut reduce_s, mut level0, mut detector_mb) = (0.0, true, line.detector_mb);
        if let Some(in_unit) = in_unit {
            let undone = |name: &str| plan.has_effect(name) && !in_unit.options().without.iter().any(|n| n == name);
            let corrections: f64 = self.corrections.iter().filter(|(name, _)| undone(name)).map(|(_, s)| s).sum();
            reduce_s = share * (line.reduce_s + corrections);
            level0 = in_unit.keeps_level0();
            detector_mb = detector_mb.max(line.reduce_mb);
            per_pixel += LEVEL1_PIXEL_BYTES - if plan.scenario.compress.is_none() { 0.0 } else { FLAG_BYTES_SAVED };
        }
        let (raw_pixel, pack_s) = match plan.scenario.compress {
            Packing::None => (2.0, 0.0),
            Packing::Rice => (2.0 * PACKED, share * self.pack_s),
        };
        let row = TRUTH_ROW_BYTES + if spec.kind == DetectorKind::Slitless { SPECTRA_BYTES } else { 0.0 };
        let rows = if truth.objects { objects * row } else { 0.0 };
        UnitCost {
            cpu_s: line.unit_s + share * (line.detector_s + effects) + objects * line.object_s + pack_s + reduce_s,
            memory_mb: self.base_mb + share * detector_mb,
            bytes: if level0 { raw_pixel * (layout.rows * layout.columns) as f64 } else { 0.0 } + per_pixel * pixels + rows,
        }
    }
}
