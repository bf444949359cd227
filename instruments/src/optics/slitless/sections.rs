//! The PSF seen from its sides: what an image adds up to along rows and along columns, over the field and over wavelength.
//!
//! # Formula
//! The sum of an image over x has the transform P(0, fy), its sum over y has P(fx, 0): central slices of the transfer function.
//! # Symbols
//! P  transfer function times the pixel's response;  f  frequency \[cycles / pixel\]
//! # Source
//! The projection-slice theorem (Bracewell 1956, Australian Journal of Physics 9, 198).
//! # Limits
//! Eight wavelengths in equal steps over all orders of a detector, between which profiles are straight lines: the width of a PSF changes in proportion to the
//! wavelength, so a band of half an octave has it to 1e-3. Between field nodes as images ([`super::super::field`]). Light is folded into [`PERIOD`] pixels.

use super::super::Imaging;
use super::super::error::OpticsError;
use super::super::fft::{Cell, LANES, Lane};
use super::super::field::Field;
use super::super::grid::Sampling;
use num_complex::{Complex32, Complex64};

/// Pixels that profiles are folded into.
pub(super) const PERIOD: usize = 64;
/// Highest frequency \[cycles / pixel\].
const FREQUENCY_MAX: usize = 4;
/// Modes from the first one on which all are below this are left out.
const NEGLIGIBLE: f64 = 1e-4;

/// Direction that a profile runs along; the light is summed over the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    /// Along the columns' axis, which spectra run along.
    Columns,
    /// Along the rows' axis, across spectra.
    Rows,
}

/// Slices of the PSF at every field node.
pub(super) struct Sections {
    field: Field,
    range_nm: (f64, f64),
    /// By field node: modes from 0, a lane a wavelength.
    columns: Vec<Vec<Cell>>,
    rows: Vec<Vec<Cell>>,
    modes: usize,
}

impl Sections {
    /// Of a camera's PSF between two wavelengths \[nm\].
    pub(super) fn new(imaging: &Imaging<'_>, range_nm: (f64, f64), sampling: Sampling) -> Result<Self, OpticsError> {
        let (low, high) = range_nm;
        let wavelengths: Vec<f64> = (0..LANES).map(|a| low + (high - low) * a as f64 / (LANES - 1) as f64).collect();
        let mut field = Field::new(imaging.psf, imaging.geometry, &wavelengths, &[], sampling)?;
        let nodes: Vec<usize> = (0..field.node_count()).collect();
        field.evaluate(imaging.psf, imaging.geometry, &wavelengths, &nodes)?;
        let frequencies: Vec<f64> = (0..FREQUENCY_MAX * PERIOD).map(|k| k as f64 / PERIOD as f64).collect();
        let still = vec![0.0; frequencies.len()];
        let slice = |node: usize, axis: Axis| -> Vec<Cell> {
            let values = match axis {
                Axis::Columns => field.response(node, &frequencies, &still),
                Axis::Rows => field.response(node, &still, &frequencies),
            };
            let lane =
                |k: usize, of: fn(&Complex64) -> f64| -> Lane { std::array::from_fn(|a| values.get(a).map_or(0.0, |v| of(&v[k]) as f32)) };
            (0..frequencies.len()).map(|k| Cell { re: lane(k, |v| v.re), im: lane(k, |v| v.im) }).collect()
        };
        let mut columns: Vec<Vec<Cell>> = nodes.iter().map(|&n| slice(n, Axis::Columns)).collect();
        let mut rows: Vec<Vec<Cell>> = nodes.iter().map(|&n| slice(n, Axis::Rows)).collect();
        let matters = |cell: &Cell| cell.re.iter().zip(&cell.im).any(|(re, im)| f64::from(re.hypot(*im)) > NEGLIGIBLE);
        let last = |slices: &[Vec<Cell>]| slices.iter().filter_map(|s| s.iter().rposition(matters)).max().unwrap_or(0);
        let modes = last(&columns).max(last(&rows)) + 1;
        columns.iter_mut().chain(&mut rows).for_each(|slice| slice.truncate(modes));
        Ok(Self { field, range_nm, columns, rows, modes })
    }

    /// Modes of a slice.
    pub(super) fn modes(&self) -> usize {
        self.modes
    }

    /// The wavelength's place among the lanes: the lane below and the share of the next one.
    pub(super) fn lane_at(&self, nm: f64) -> (usize, f32) {
        let (low, high) = self.range_nm;
        let at = ((nm - low) / (high - low) * (LANES - 1) as f64).clamp(0.0, (LANES - 1) as f64);
        let lane = (at as usize).min(LANES - 2);
        (lane, (at - lane as f64) as f32)
    }

    /// The slice at a place times a transform along the same axis, as many modes as the slice has.
    pub(super) fn slice(&self, (x, y): (f64, f64), axis: Axis, transform: &[Complex32], out: &mut Vec<Cell>) {
        let slices = match axis {
            Axis::Columns => &self.columns,
            Axis::Rows => &self.rows,
        };
        out.clear();
        out.resize(self.modes, Cell::default());
        for (node, weight) in self.field.corners(x, y).into_iter().filter(|c| c.1 != 0.0) {
            for (sum, cell) in out.iter_mut().zip(&slices[node]) {
                for l in 0..LANES {
                    sum.re[l] += weight * cell.re[l];
                    sum.im[l] += weight * cell.im[l];
                }
            }
        }
        for (cell, f) in out.iter_mut().zip(transform) {
            for l in 0..LANES {
                let (re, im) = (cell.re[l], cell.im[l]);
                cell.re[l] = re * f.re - im * f.im;
                cell.im[l] = re * f.im + im * f.re;
            }
        }
    }
}
