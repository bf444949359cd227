//! How much each pixel holds. The numbers are truth: not for the reduction.

use super::PARAMETERS;
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, ParameterError};
use ndarray::{ArrayView1, Axis};
use rayon::prelude::*;
use sim_core::detector::DetectorGeometry;
use sim_core::frame::Frame;
use sim_core::noise;
use sim_core::plane::Charge;
use sim_core::sparse::Sparse;
use sim_core::stream::{Stream, StreamKey};

/// Pixels of a charge frame that are full: 1, else 0. Truth, for the mask that goes with a frame.
///
/// # Errors
/// When the table `effects.full_well` is not as it must be.
pub fn full_pixels(frame: &Frame<Charge>, spec: &DetectorSpec) -> Result<Sparse, ParameterError> {
    let capacity = Capacity::read(spec)?;
    let (lowest, window) = (capacity.lowest(), frame.window);
    let full = |(y, x): (usize, usize), n: f32| n >= lowest && n >= capacity.of_pixel(window.x0 + x, window.y0 + y);
    let of_row = |(y, row): (usize, ArrayView1<'_, f32>)| {
        let first = y * frame.pixels.ncols();
        let places = row.iter().enumerate().filter(|&(x, &n)| full((y, x), n)).map(|(x, _)| ((first + x) as u32, 1));
        places.collect::<Vec<_>>()
    };
    let rows: Vec<_> = frame.pixels.axis_iter(Axis(0)).into_par_iter().enumerate().map(of_row).collect();
    Ok(Sparse::new(frame.pixels.dim(), rows.concat()))
}

/// Item of the fixed stream that holds the sections; rows follow.
const SECTIONS: u64 = 0;
const FIRST_ROW: u64 = 1;
/// No normal drawn is greater ([`sim_core::noise`]).
const GREATEST_NORMAL: f32 = 6.35;

/// The capacities of a detector's pixels, in detector coordinates.
#[derive(Debug, Clone)]
pub struct Capacity {
    /// By column and row of the amplifier grid \[electron\].
    sections: Vec<Vec<f32>>,
    section_nx: usize,
    section_ny: usize,
    pixel_scatter: f32,
    key: StreamKey,
}

impl Capacity {
    /// From the table `effects.full_well`.
    ///
    /// # Errors
    /// When the table is not as it must be.
    pub fn read(spec: &DetectorSpec) -> Result<Self, ParameterError> {
        let [capacity, section_scatter, pixel_scatter] = parameters::read(&spec.parameters, "full_well", &PARAMETERS)?;
        let DetectorGeometry { nx, ny, number, amplifiers: grid, .. } = &spec.geometry;
        // As `Context::fixed_stream` of full_well, made here because bleeding needs the capacities too.
        let key = StreamKey::new(spec.device_seed).with(u64::from(*number)).with_name("full_well");
        let mut normals = vec![0.0; grid.columns * grid.rows];
        noise::normals(&key.stream(SECTIONS), 0, &mut normals);
        let of = |z: f32| (capacity * (1.0 + section_scatter * f64::from(z))) as f32;
        let sections = normals.chunks(grid.columns).map(|row| row.iter().map(|&z| of(z)).collect()).collect();
        let (section_nx, section_ny) = (nx / grid.columns, ny / grid.rows);
        Ok(Self { sections, section_nx, section_ny, pixel_scatter: pixel_scatter as f32, key })
    }
    /// No pixel holds less \[electron\].
    #[must_use]
    pub fn lowest(&self) -> f32 {
        let section = self.sections.iter().flatten().copied().fold(f32::INFINITY, f32::min);
        section * (1.0 - self.pixel_scatter * GREATEST_NORMAL)
    }
    fn section(&self, x: usize, y: usize) -> f32 {
        self.sections[y / self.section_ny][x / self.section_nx]
    }
    fn stream(&self, y: usize) -> Stream {
        self.key.stream(FIRST_ROW + y as u64)
    }
    /// Capacity of pixel (x, y) of the detector \[electron\].
    #[must_use]
    pub fn of_pixel(&self, x: usize, y: usize) -> f32 {
        let mut z = [0.0];
        if self.pixel_scatter > 0.0 {
            noise::normals(&self.stream(y), x as u64, &mut z);
        }
        self.section(x, y) * (1.0 + self.pixel_scatter * z[0])
    }
    /// Capacities of the pixels from `x0` on in row `y` of the detector \[electron\].
    pub fn row(&self, x0: usize, y: usize, out: &mut [f32]) {
        if self.pixel_scatter > 0.0 {
            noise::normals(&self.stream(y), x0 as u64, out);
        } else {
            out.fill(0.0);
        }
        for (x, out) in (x0..).zip(out) {
            *out = self.section(x, y) * (1.0 + self.pixel_scatter * *out);
        }
    }
}
