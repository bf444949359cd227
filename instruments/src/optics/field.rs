//! The PSF over the field of a detector: nodes on a fixed lattice of the whole detector, combined bilinearly.
//!
//! # Formula
//! O(x, y) = sum over the four nodes around (x, y) of b_i O_i, b_i bilinear: continuous everywhere, no seams.
//! # Limits
//! Five by five nodes over a detector. Every second one is computed from the PSF, the others follow from these by
//! biquadratic interpolation where that agrees with the PSF itself to [`SMOOTH`] at four places in between; otherwise all
//! are computed. For the shipped survey camera the transfer function (times the pixel's) is wrong by at most 2e-4 at the
//! nodes and 4e-4 between them (255 to 1065 nm, outer chips). The lattice belongs to the detector, not to the window, so
//! a cut-out has the bits of the same pixels of the full frame. Beyond the detector the PSF of the edge holds.
//! Periods above [`FIELD_SIZE_MAX`] take their far wings from the PSF of the detector's centre and add the difference
//! between the local and the central PSF, which has no far wings, from a period of [`FIELD_SIZE_MAX`].

use super::error::OpticsError;
use super::fft::Lane;
use super::grid::{self, GridShape, PixelResponse, Reach, Sampling};
use super::plan::Period;
use super::special::sinc;
use num_complex::Complex64;
use rayon::prelude::*;
use sim_core::detector::DetectorGeometry;
use sim_core::psf::{Psf, Transfer};
use sim_core::units::Nanometre;
use std::collections::{BTreeMap, BTreeSet};

/// Nodes along an axis when the PSF varies.
const NODES: usize = 5;
/// Largest error of a transfer function, times the pixel's, with which nodes are interpolated from others.
const SMOOTH: f64 = 3e-4;
/// Largest square period with a grid at every field node \[pixel\]; others up to its area.
pub(crate) const FIELD_SIZE_MAX: usize = 128;
/// Largest square period whose central grid is kept, others up to its area; above it rows are sampled as they are drawn.
pub(crate) const STORED_SIZE_MAX: usize = 1024;

/// The grids of one period.
pub(crate) struct PeriodGrids {
    pub(crate) shape: GridShape,
    /// Per field node.
    nodes: Vec<Option<Vec<Lane>>>,
}

/// PSF grids over a detector.
pub(crate) struct Field {
    per_axis: usize,
    /// Whether nodes with an odd index follow from the even ones.
    sparse: bool,
    extent: (f64, f64),
    transfers: Vec<Option<Vec<Box<dyn Transfer>>>>,
    periods: BTreeMap<Period, PeriodGrids>,
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
            sparse: false,
            extent: ((geometry.nx.max(2) - 1) as f64, (geometry.ny.max(2) - 1) as f64),
            transfers: (0..per_axis * per_axis).map(|_| None).collect(),
            periods: BTreeMap::new(),
            sampling,
            mix: mix.to_vec(),
        };
        let centre = out.centre();
        out.evaluate(psf, geometry, wavelengths_nm, &[centre])?;
        if !out.is_uniform() {
            out.sparse = out.is_smooth(psf, geometry, wavelengths_nm)?;
        }
        Ok(out)
    }
    /// Whether the even nodes tell the PSF at the odd ones, found at the four that are odd along both axes.
    fn is_smooth(&mut self, psf: &dyn Psf, geometry: &DetectorGeometry, wavelengths_nm: &[f64]) -> Result<bool, OpticsError> {
        let even: Vec<usize> =
            (0..self.transfers.len()).filter(|n| (n % NODES).is_multiple_of(2) && (n / NODES).is_multiple_of(2)).collect();
        let odd: Vec<usize> = (0..self.transfers.len()).filter(|n| n % NODES % 2 == 1 && n / NODES % 2 == 1).collect();
        self.evaluate(psf, geometry, wavelengths_nm, &[even, odd.clone()].concat())?;
        let (mut fx, mut fy) = (Vec::new(), Vec::new());
        for ring in 1..16 {
            for angle in 0..12 {
                let (sin, cos) = (std::f64::consts::PI * f64::from(angle) / 12.0).sin_cos();
                let f = 0.1 * f64::from(ring);
                fx.push(f * cos);
                fy.push(f * sin);
            }
        }
        let mut worst = 0.0_f64;
        for &node in &odd {
            let mut difference = self.evaluated(node, &fx, &fy);
            for (parent, weight) in parents(node) {
                let theirs = self.evaluated(parent, &fx, &fy);
                difference.iter_mut().flatten().zip(theirs.iter().flatten()).for_each(|(d, v)| *d -= v * weight);
            }
            worst = difference.iter().flatten().map(|d| d.norm()).fold(worst, f64::max);
        }
        Ok(worst <= SMOOTH)
    }
    /// Transfer functions of a node that was computed, times the pixel's response, at frequencies \[cycles / pixel\], by wavelength.
    fn evaluated(&self, node: usize, fx: &[f64], fy: &[f64]) -> Vec<Vec<Complex64>> {
        let scale = self.sampling.pixel_scale_arcsec;
        let (per_arcsec_x, per_arcsec_y): (Vec<f64>, Vec<f64>) = fx.iter().zip(fy).map(|(x, y)| (x / scale, y / scale)).unzip();
        let pixel = |x: f64, y: f64| match self.sampling.pixel {
            PixelResponse::Square => sinc(x) * sinc(y),
            PixelResponse::InPsf => 1.0,
        };
        let of = |transfer: &dyn Transfer| {
            let mut out = vec![Complex64::default(); fx.len()];
            transfer.sample(&per_arcsec_x, &per_arcsec_y, &mut out);
            out.iter_mut().zip(fx.iter().zip(fy)).for_each(|(v, (x, y))| *v *= pixel(*x, *y));
            out
        };
        self.transfers[node].iter().flatten().map(|transfer| of(transfer.as_ref())).collect()
    }
    /// The nodes a node follows from, with their weights: itself when it is computed from the PSF.
    fn origins(&self, node: usize) -> Vec<(usize, f64)> {
        if self.sparse { parents(node) } else { vec![(node, 1.0)] }
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
    /// Evaluates the PSF for these nodes.
    pub(crate) fn evaluate(
        &mut self,
        psf: &dyn Psf,
        geometry: &DetectorGeometry,
        wavelengths_nm: &[f64],
        nodes: &[usize],
    ) -> Result<(), OpticsError> {
        let wavelengths: Vec<Nanometre> = wavelengths_nm.iter().map(|&w| Nanometre(w)).collect();
        let wanted: BTreeSet<usize> = nodes.iter().flat_map(|&n| self.origins(n)).map(|(n, _)| n).collect();
        let missing: Vec<usize> = wanted.into_iter().filter(|&n| self.transfers[n].is_none()).collect();
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
    /// Samples the grids: for each period and reach the nodes listed that it has not yet; a period has one reach, and grids that do not go so far are made again.
    pub(crate) fn sample(&mut self, wanted: &[(Period, Reach, Vec<usize>)]) {
        let mut jobs: Vec<(usize, GridShape)> = Vec::new();
        for (period, reach, nodes) in wanted {
            let reaches = |shape: &GridShape| shape.reach.x >= reach.x && shape.reach.y >= reach.y;
            let shape = match self.periods.get(period).map(|grids| &grids.shape) {
                Some(shape) if reaches(shape) => shape.clone(),
                _ => {
                    self.periods.remove(period);
                    GridShape::new(*period, *reach)
                }
            };
            let held = |node: &usize| self.periods.get(period).is_some_and(|grids| grids.nodes[*node].is_some());
            let direct: BTreeSet<usize> = nodes.iter().flat_map(|&n| self.origins(n)).map(|(n, _)| n).filter(|n| !held(n)).collect();
            jobs.extend(direct.into_iter().map(|node| (node, shape.clone())));
        }
        let made: Vec<Vec<Lane>> = jobs
            .par_iter()
            .map(|(node, shape)| {
                let transfers = self.transfers[*node].as_deref().unwrap_or(&[]);
                grid::sample(transfers, &self.mix, shape, shape.rows(), self.sampling)
            })
            .collect();
        for ((node, shape), blocks) in jobs.into_iter().zip(made) {
            let count = self.transfers.len();
            let empty = || PeriodGrids { shape: shape.clone(), nodes: (0..count).map(|_| None).collect() };
            let grids = self.periods.entry(shape.period).or_insert_with(empty);
            grids.nodes[node] = Some(blocks);
        }
        if !self.sparse {
            return;
        }
        for (period, _, nodes) in wanted {
            let Some(grids) = self.periods.get_mut(period) else { continue };
            let made: Vec<(usize, Vec<Lane>)> = nodes
                .par_iter()
                .filter(|&&node| grids.nodes[node].is_none())
                .map(|&node| (node, combination(&parents(node).into_iter().map(|(n, w)| (grids.node(n), w as f32)).collect::<Vec<_>>())))
                .collect();
            for (node, blocks) in made {
                grids.nodes[node] = Some(blocks);
            }
        }
    }
    /// The grids of a period, if they were sampled.
    pub(crate) fn grids(&self, period: Period) -> Option<&PeriodGrids> {
        self.periods.get(&period)
    }
}

/// The even nodes a node follows from, with biquadratic weights: itself when it is even.
fn parents(node: usize) -> Vec<(usize, f64)> {
    let axis = |i: usize| -> &'static [(usize, f64)] {
        match i {
            0 => &[(0, 1.0)],
            1 => &[(0, 0.375), (2, 0.75), (4, -0.125)],
            2 => &[(2, 1.0)],
            3 => &[(0, -0.125), (2, 0.75), (4, 0.375)],
            _ => &[(4, 1.0)],
        }
    };
    let rows = axis(node / NODES);
    rows.iter().flat_map(|&(j, wy)| axis(node % NODES).iter().map(move |&(i, wx)| (j * NODES + i, wx * wy))).collect()
}

/// Weighted sum of grids of equal length, a stretch at a time so that it stays in cache.
fn combination(parts: &[(&[Lane], f32)]) -> Vec<Lane> {
    const STRETCH: usize = 256;
    let mut out = vec![Lane::default(); parts.first().map_or(0, |p| p.0.len())];
    for (index, stretch) in out.chunks_mut(STRETCH).enumerate() {
        for (grid, weight) in parts {
            let from = &grid[index * STRETCH..][..stretch.len()];
            for (o, v) in stretch.as_flattened_mut().iter_mut().zip(from.as_flattened()) {
                *o += weight * v;
            }
        }
    }
    out
}

impl PeriodGrids {
    /// Blocks of a colour term in a grid.
    pub(crate) fn term_len(&self) -> usize {
        let rows = self.shape.rows();
        2 * (self.shape.row_start(rows.end) - self.shape.row_start(rows.start))
    }
    /// The grid of a node; empty when it was not asked for.
    pub(crate) fn node(&self, node: usize) -> &[Lane] {
        self.nodes[node].as_deref().unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use psf::optical::{OpticalPsf, WavefrontTerm};
    use sim_core::detector::AmplifierGrid;

    fn field(slope_nm_per_deg: f64) -> (Field, OpticalPsf, DetectorGeometry) {
        let term =
            |noll, nm: f64| WavefrontTerm { noll, opd_nm: vec![nm, slope_nm_per_deg, -slope_nm_per_deg], chromatic_nm_per_um: vec![] };
        let psf = OpticalPsf::new(2.0, vec![term(4, 20.0), term(5, 15.0), term(8, -10.0)], 620.0).unwrap();
        let amplifiers = AmplifierGrid { columns: 1, rows: 1, prescan_x: 0, overscan_x: 0, overscan_y: 0 };
        let (nx, ny) = (9216, 9232);
        let (crpix1, crpix2, filter) = (4608.5, 4616.5, "r".to_string());
        let geometry = DetectorGeometry { number: 1, filter, nx, ny, crpix1, crpix2, pixel_scale_arcsec: 0.074, amplifiers };
        let sampling = Sampling { pixel_scale_arcsec: 0.074, pixel: PixelResponse::Square };
        let field = Field::new(&psf, &geometry, &[620.0], &[vec![1.0]], sampling).unwrap();
        (field, psf, geometry)
    }

    #[test]
    fn nodes_of_a_smooth_field_follow_from_every_second_one() {
        let (mut field, psf, geometry) = field(40.0);
        assert!(field.sparse);
        let (period, reach) = (Period::square(64), Reach { x: 48, y: 48 });
        for node in [5, 6, 13] {
            field.evaluate(&psf, &geometry, &[620.0], &[node]).unwrap();
            field.sample(&[(period, reach, vec![node])]);
            let at = |i: usize, extent: f64| extent * i as f64 / 4.0;
            let place = geometry.focal_point(at(node % NODES, field.extent.0), at(node / NODES, field.extent.1));
            let exact = psf.transfers(place, &[Nanometre(620.0)]).unwrap();
            let shape = GridShape::new(period, reach);
            let exact = grid::sample(&exact, &field.mix, &shape, shape.rows(), field.sampling);
            let grids = field.periods.remove(&period).unwrap();
            let pairs = grids.node(node).as_flattened().iter().zip(exact.as_flattened());
            let worst = pairs.map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
            assert!(worst > 0.0 && worst < 1.5 * SMOOTH, "node {node}: {worst}");
        }
    }

    #[test]
    fn a_rough_field_is_computed_at_every_node() {
        let (field, _, _) = field(1500.0);
        assert!(!field.sparse);
        assert_eq!(field.origins(6), [(6, 1.0)]);
    }

    #[test]
    fn parents_carry_every_biquadratic_exactly() {
        let value = |n: usize| {
            let (x, y) = ((n % NODES) as f64, (n / NODES) as f64);
            1.0 + 2.0 * x - y * y + 0.5 * x * x * y
        };
        for node in 0..NODES * NODES {
            let sum: f64 = parents(node).into_iter().map(|(n, w)| w * value(n)).sum();
            assert!((sum - value(node)).abs() < 1e-12, "{node}");
        }
    }
}
