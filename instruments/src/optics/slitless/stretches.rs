//! The PSF over the wavelengths of all orders, in stretches so short that three colour terms tell every wavelength.
//!
//! # Formula
//! P(f, lambda) = sum_r p_r(lambda) A_r(f), p_r orthonormal over a stretch ([`super::super::colour`] with an efficiency of one): an image in a single wavelength
//! has the weights p_r(lambda).
//! # Limits
//! Stretches whose ends differ by a quarter of their mean at most: 1e-4 of the peak.
//! # Twin
//! None: light is not undone.

use super::super::colour::{GREY, NODES_MAX};
use super::super::error::OpticsError;
use super::super::fft::FftPlan;
use super::super::field::FIELD_SIZE_MAX;
use super::super::grid::Reach;
use super::super::plan::{Extent, Period, Response};
use super::super::render::Seen;
use super::super::{Imaging, RenderTolerance};
use super::streak::Piece;
use sim_core::bandpass::Bandpass;
use std::collections::{BTreeMap, BTreeSet};

/// A resolution element of a star with more light is drawn in pieces \[electron\].
const BRIGHTEST: f64 = 2e4;
/// Largest ratio of the wavelengths at the ends of a stretch.
const RATIO: f64 = 1.28;

/// Wavelengths that share a PSF's colour terms.
pub(super) struct Stretch {
    high_nm: f64,
    pub(super) seen: Seen,
}

/// Waves of a period, each as often as it turns, about its middle: for shifts of -1/2, 0 and 1/2 one after the other.
pub(super) struct Waves {
    /// Numbers of a wave: three periods.
    pub(super) length: usize,
    pub(super) cosines: Vec<f32>,
    pub(super) sines: Vec<f32>,
}

impl Waves {
    fn new(size: usize, count: usize) -> Self {
        let places = || [-0.5, 0.0, 0.5].into_iter().flat_map(move |shift| (0..size).map(move |j| j as f64 - (size / 2) as f64 - shift));
        let of = |turn: fn(f64) -> f64| -> Vec<f32> {
            (0..count)
                .flat_map(|k| {
                    let scale = if k == 0 { 1.0 } else { 2.0 } / size as f64;
                    places().map(move |at| (scale * turn(2.0 * std::f64::consts::PI * k as f64 * at / size as f64)) as f32)
                })
                .collect()
        };
        Self { length: 3 * size, cosines: of(f64::cos), sines: of(f64::sin) }
    }
}

/// The PSF of a detector over all wavelengths that its gratings let through.
pub(super) struct Stretches {
    pub(super) list: Vec<Stretch>,
    /// Highest frequency that is kept \[cycles / pixel\].
    cutoff: f64,
    plans: BTreeMap<usize, FftPlan>,
    waves: BTreeMap<usize, Waves>,
}

impl Stretches {
    /// Of a camera between two wavelengths \[nm\].
    pub(super) fn new(imaging: &Imaging<'_>, (low, high): (f64, f64)) -> Result<Self, OpticsError> {
        let count = ((high / low).ln() / RATIO.ln()).ceil().max(1.0) as usize;
        let edge = |k: usize| low * (high / low).powf(k as f64 / count as f64);
        let mut list = Vec::with_capacity(count);
        for k in 0..count {
            let (from, to) = (edge(k), edge(k + 1));
            // An efficiency of one between rising wavelengths is a band.
            let Ok(flat) = Bandpass::new("stretch", vec![from, to], vec![1.0, 1.0]) else { continue };
            list.push(Stretch { high_nm: to, seen: Seen::new(imaging, &flat)? });
        }
        let tolerance = match imaging.tolerance {
            RenderTolerance::Electrons(tolerance) => tolerance,
            RenderTolerance::Relative(fraction) => fraction * BRIGHTEST,
        };
        let point = Extent { electrons: BRIGHTEST, concentration: 1.0, length: 0.0, index: None, radius_px: (0.0, 0.0), colour: GREY };
        let cutoff = list.iter().map(|s| s.seen.response.cutoff(&[point], tolerance)).fold(0.0, f64::max);
        Ok(Self { list, cutoff, plans: BTreeMap::new(), waves: BTreeMap::new() })
    }

    /// Largest |k| that is kept of a period.
    pub(super) fn reach(&self, size: usize) -> usize {
        ((self.cutoff * size as f64).ceil() as usize).min(if size > FIELD_SIZE_MAX { FIELD_SIZE_MAX } else { usize::MAX })
    }

    /// Samples the grids for images of a period at places, those that were not sampled before.
    pub(super) fn sample(
        &mut self,
        imaging: &Imaging<'_>,
        wanted: impl Iterator<Item = (usize, [(f64, f64); 3])>,
    ) -> Result<(), OpticsError> {
        let mut places: BTreeMap<usize, Vec<[(f64, f64); 3]>> = BTreeMap::new();
        wanted.for_each(|(size, three)| places.entry(size).or_default().push(three));
        for &size in places.keys() {
            self.plans.entry(size).or_insert_with(|| FftPlan::new(size));
            let count = self.reach(size) + 1;
            self.waves.entry(size).or_insert_with(|| Waves::new(size, count));
        }
        let grids: Vec<(usize, Reach)> =
            places.keys().map(|&size| (size, self.reach(size))).map(|(size, k)| (size, Reach { x: k, y: k })).collect();
        for stretch in &mut self.list {
            let mut missing: Vec<(Period, Reach, Vec<usize>)> = Vec::new();
            for ((size, reach), places) in grids.iter().zip(places.values()) {
                let corners = places.iter().flatten().flat_map(|&(x, y)| stretch.seen.field.corners(x, y));
                let nodes: BTreeSet<usize> = corners.filter(|n| n.1 != 0.0).map(|n| n.0).collect();
                let period = Period::square(*size);
                let held = |node: &usize| stretch.seen.field.grids(period).is_some_and(|grids| !grids.node(*node).is_empty());
                missing.push((period, *reach, nodes.into_iter().filter(|n| !held(n)).collect()));
            }
            missing.retain(|(_, _, nodes)| !nodes.is_empty());
            let nodes: Vec<usize> = missing.iter().flat_map(|g| g.2.iter().copied()).collect();
            stretch.seen.field.evaluate(imaging.psf, imaging.geometry, stretch.seen.band.nodes_nm(), &nodes)?;
            stretch.seen.field.sample(&missing);
        }
        Ok(())
    }

    /// The stretch of a wavelength \[nm\].
    pub(super) fn of(&self, nm: f64) -> usize {
        self.list.iter().position(|s| nm <= s.high_nm).unwrap_or(self.list.len() - 1)
    }

    /// Wavelengths at which one stretch ends and the next begins \[nm\].
    pub(super) fn borders_nm(&self) -> impl Iterator<Item = f64> {
        self.list.iter().map(|s| s.high_nm).take(self.list.len() - 1)
    }

    /// The PSF over wavelengths that hold all of a piece's, if one stretch does.
    pub(super) fn whole(&mut self, piece: &Piece<'_>) -> Option<&mut Seen> {
        let number = self.of(0.5 * (piece.from_nm + piece.to_nm));
        (number == self.of(piece.from_nm.next_up()) && number == self.of(piece.to_nm)).then(|| &mut self.list[number].seen)
    }

    /// The plan of a period that was sampled.
    pub(super) fn plan(&self, size: usize) -> &FftPlan {
        let Some(plan) = self.plans.get(&size) else { unreachable!("no plan was made for periods of {size}") };
        plan
    }

    /// The waves of a period that was sampled.
    pub(super) fn waves(&self, size: usize) -> &Waves {
        let Some(waves) = self.waves.get(&size) else { unreachable!("no waves were made for periods of {size}") };
        waves
    }

    /// The largest of what the stretches say.
    pub(super) fn most(&self, of: impl Fn(&Response) -> f64) -> f64 {
        self.list.iter().map(|s| of(&s.seen.response)).fold(0.0, f64::max)
    }

    /// Colour terms that matter.
    pub(super) fn colours(&self, parts: &[Extent], tolerance: f64) -> usize {
        self.list.iter().map(|s| s.seen.response.colours(parts, tolerance)).max().unwrap_or(NODES_MAX)
    }
}
