//! Box extraction: the pixels of an aperture along the trace, summed.
//!
//! # Formula
//! `f = sum a D / sum a P`, `var f = sum a^2 V / (sum a P)^2`; a is the part of a pixel inside the aperture, 0 for bad pixels.
//! # Symbols
//! D, V  rate and variance of a pixel;  P  share of the light in it
//! # Source
//! Kuemmel et al. 2009 (PASP 121, 59); division by the enclosed profile makes the flux that of the whole source and covers bad pixels.
//! # Limits
//! The rate is that of the whole source as far as the profile is right. Below half of the profile of the whole aperture an element has no value. Hits without a flag are in the sum.

use super::elements::{Patch, PatchColumn};
use super::profile::Profile;

/// One element of a spectrum before calibration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Element {
    /// Rate of the whole source \[electron / s\]; not a number where too little of the profile is on good pixels.
    pub rate: f64,
    /// Its variance.
    pub variance: f64,
    /// Contamination that was taken away, in the measure of the rate.
    pub contamination: f64,
    /// Background that was taken away, in the measure of the rate.
    pub background: f64,
    /// Change of the rate when the background of all pixels rises by one, positive.
    pub lever: f64,
    /// Flags of the pixels of the aperture, used or left out.
    pub flags: u16,
    /// Less than half of the profile was on good pixels.
    pub partial: bool,
}

impl Element {
    pub(crate) const NONE: Self =
        Self { rate: f64::NAN, variance: f64::NAN, contamination: f64::NAN, background: f64::NAN, lever: 0.0, flags: 0, partial: true };
}

/// Part of a pixel within `half` rows of the trace.
pub(crate) fn inside(distance: f64, half: f64) -> f64 {
    ((distance + 0.5).min(half) - (distance - 0.5).max(-half)).clamp(0.0, 1.0)
}

/// One column within `half` rows of the trace.
#[must_use]
pub fn column(column: &PatchColumn, profile: &Profile, half: f64) -> Element {
    let w = column.wavelength_nm;
    let (mut light, mut variance, mut enclosed, mut whole) = (0.0, 0.0, 0.0, 0.0);
    let (mut contamination, mut background, mut area, mut flags) = (0.0, 0.0, 0.0, 0);
    for p in &column.pixels {
        let a = inside(p.distance, half);
        if a <= 0.0 {
            continue;
        }
        flags |= p.flags;
        let share = a * profile.pixel(p.distance, w);
        whole += share;
        if !p.good {
            continue;
        }
        light += a * p.rate;
        variance += a * a * p.variance;
        enclosed += share;
        contamination += a * p.contamination;
        background += a * p.background;
        area += a;
    }
    // What the frame's edge cuts off counts as lost.
    whole = whole.max(profile.below(half, w) - profile.below(-half, w));
    if enclosed < 0.5 * whole || enclosed <= 0.0 {
        return Element { flags, ..Element::NONE };
    }
    Element {
        rate: light / enclosed,
        variance: variance / (enclosed * enclosed),
        contamination: contamination / enclosed,
        background: background / enclosed,
        lever: area / enclosed,
        flags,
        partial: false,
    }
}

/// All columns; variances by the model of the source, in two rounds.
#[must_use]
pub fn extract(patch: &mut Patch, profile: &Profile, half: f64) -> Vec<Element> {
    let mut out: Vec<Element> = patch.columns.iter().map(|c| column(c, profile, half)).collect();
    for (c, element) in patch.columns.iter_mut().zip(&mut out) {
        if element.rate.is_finite() {
            for p in c.pixels.iter_mut().filter(|p| p.good) {
                p.variance = p.variance_of(element.rate.max(0.0) * profile.pixel(p.distance, c.wavelength_nm), patch.time_s);
            }
            *element = column(c, profile, half);
        }
    }
    out
}
