//! The PSF over the field of a detector: nodes on a fixed lattice of the whole detector, combined bilinearly.
//!
//! # Formula
//! O(x, y) = sum over the four nodes around (x, y) of b_i O_i, b_i bilinear: continuous everywhere, no seams.
//! # Limits
//! Five by five nodes over a detector. The lattice belongs to the detector, not to the window, so a cut-out has the
//! bits of the same pixels of the full frame. Beyond the detector the PSF of the edge holds.
//! Periods above [`FIELD_SIZE_MAX`] take their far wings from the PSF of the detector's centre and add the difference
//! between the local and the central PSF, which has no far wings, from a period of [`FIELD_SIZE_MAX`].

use super::error::OpticsError;
use super::fft::Lane;
use super::grid::{self, GridShape, Sampling};
use super::plan::SIZES;
use rayon::prelude::*;
use sim_core::detector::DetectorGeometry;
use sim_core::psf::{Psf, Transfer};
use sim_core::units::Nanometre;

/// Nodes along an axis when the PSF varies.
const NODES: usize = 5;
/// Largest period with a grid at every field node \[pixel\].
pub(crate) const FIELD_SIZE_MAX: usize = 128;
/// Largest period whose central grid is kept; above it rows are sampled as they are drawn.
pub(crate) const STORED_SIZE_MAX: usize = 1024;

/// The grids of one period.
pub(crate) struct SizeGrids {
    pub(crate) shape: GridShape,
    /// Per field node.
    nodes: Vec<Option<Vec<Lane>>>,
}

/// PSF grids over a detector.
pub(crate) struct Field {
    per_axis: usize,
    extent: (f64, f64),
    transfers: Vec<Option<Vec<Box<dyn Transfer>>>>,
    sizes: Vec<Option<SizeGrids>>,
    pub(crate) sampling: Sampling,
    /// Colour terms from wavelength nodes.
    pub(crate) mix: Vec<Vec<f64>>,
}

/// The nodes of one place with their weights.
pub(crate) type Corners = [(usize, f32); 4];

impl Field {
    /// The lattice with its central node evaluated.
    pub(crate) fn new(
        psf: &dyn Psf,
        geometry: &DetectorGeometry,
        wavelengths_nm: &[f64],
        mix: &[Vec<f64>],
        sampling: Sampling,
    ) -> Result<Self, OpticsError> {
        let per_axis = if psf.is_uniform() { 1 } else { NODES };
        let mut out = Self {
            per_axis,
            extent: ((geometry.nx.max(2) - 1) as f64, (geometry.ny.max(2) - 1) as f64),
            transfers: (0..per_axis * per_axis).map(|_| None).collect(),
            sizes: SIZES.iter().map(|_| None).collect(),
            sampling,
            mix: mix.to_vec(),
        };
        let centre = out.centre();
        out.evaluate(psf, geometry, wavelengths_nm, &[centre])?;
        Ok(out)
    }
    /// Whether one node serves all places.
    pub(crate) fn is_uniform(&self) -> bool {
        self.per_axis == 1
    }
    /// The central node.
    pub(crate) fn centre(&self) -> usize {
        self.per_axis * self.per_axis / 2
    }
    /// The transfer functions of the central node.
    pub(crate) fn central(&self) -> &[Box<dyn Transfer>] {
        self.transfers[self.centre()].as_deref().unwrap_or(&[])
    }
    /// The nodes around a place, row-major, with bilinear weights.
    pub(crate) fn corners(&self, x: f64, y: f64) -> Corners {
        if self.is_uniform() {
            return [(0, 1.0), (0, 0.0), (0, 0.0), (0, 0.0)];
        }
        let intervals = (self.per_axis - 1) as f64;
        let axis = |at: f64, extent: f64| {
            let position = (at / extent * intervals).clamp(0.0, intervals);
            let low = (position.floor() as usize).min(self.per_axis - 2);
            (low, position - low as f64)
        };
        let ((i, tx), (j, ty)) = (axis(x, self.extent.0), axis(y, self.extent.1));
        let node = |di: usize, dj: usize| (j + dj) * self.per_axis + i + di;
        [
            (node(0, 0), ((1.0 - tx) * (1.0 - ty)) as f32),
            (node(1, 0), (tx * (1.0 - ty)) as f32),
            (node(0, 1), ((1.0 - tx) * ty) as f32),
            (node(1, 1), (tx * ty) as f32),
        ]
    }
    /// Number of the lattice cell of a place: objects of one cell share their grids.
    pub(crate) fn cell(&self, x: f64, y: f64) -> usize {
        self.corners(x, y)[0].0
    }
    /// Evaluates the PSF at nodes.
    pub(crate) fn evaluate(
        &mut self,
        psf: &dyn Psf,
        geometry: &DetectorGeometry,
        wavelengths_nm: &[f64],
        nodes: &[usize],
    ) -> Result<(), OpticsError> {
        let wavelengths: Vec<Nanometre> = wavelengths_nm.iter().map(|&w| Nanometre(w)).collect();
        let missing: Vec<usize> = nodes.iter().copied().filter(|&n| self.transfers[n].is_none()).collect();
        let made: Vec<Result<_, _>> = missing
            .par_iter()
            .map(|&node| {
                let place = |i: usize, extent: f64| {
                    if self.per_axis == 1 { 0.5 * extent } else { extent * i as f64 / (self.per_axis - 1) as f64 }
                };
                let (x, y) = (place(node % self.per_axis, self.extent.0), place(node / self.per_axis, self.extent.1));
                psf.transfers(geometry.focal_point(x, y), &wavelengths)
            })
            .collect();
        for (node, transfers) in missing.into_iter().zip(made) {
            self.transfers[node] = Some(transfers?);
        }
        Ok(())
    }
    /// Samples the grids: for each (index of size, reach) the nodes listed.
    pub(crate) fn sample(&mut self, wanted: &[(usize, usize, Vec<usize>)]) {
        let jobs: Vec<(usize, usize, GridShape)> = wanted
            .iter()
            .flat_map(|(size, reach, nodes)| {
                let shape = GridShape::new(SIZES[*size], *reach);
                nodes.iter().map(move |&node| (*size, node, shape.clone()))
            })
            .collect();
        let made: Vec<Vec<Lane>> = jobs
            .par_iter()
            .map(|(_, node, shape)| {
                let transfers = self.transfers[*node].as_deref().unwrap_or(&[]);
                grid::sample(transfers, &self.mix, shape, shape.rows(), self.sampling)
            })
            .collect();
        for ((size, node, shape), blocks) in jobs.into_iter().zip(made) {
            let count = self.transfers.len();
            let grids = self.sizes[size].get_or_insert_with(|| SizeGrids { shape, nodes: (0..count).map(|_| None).collect() });
            grids.nodes[node] = Some(blocks);
        }
    }
    /// The grids of a size, if they were sampled.
    pub(crate) fn grids(&self, size: usize) -> Option<&SizeGrids> {
        SIZES.iter().position(|&s| s == size).and_then(|i| self.sizes[i].as_ref())
    }
}

impl SizeGrids {
    /// The grid of a node; empty when it was not asked for.
    pub(crate) fn node(&self, node: usize) -> &[Lane] {
        self.nodes[node].as_deref().unwrap_or(&[])
    }
}
