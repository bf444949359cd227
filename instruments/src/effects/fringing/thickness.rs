//! Thickness of the layer over the detector, fixed for the device.

use ndarray::Array2;
use sim_core::detector::DetectorGeometry;
use sim_core::frame::Window;
use sim_core::noise;
use sim_core::stream::Stream;
use std::f64::consts::{SQRT_2, TAU};

/// Waves that make the irregular part.
const WAVES: usize = 64;
/// Standard deviations that the irregular part may reach before it is cut.
const CUT: f64 = 4.0;

/// Thickness as a function of detector position.
#[derive(Debug, Clone)]
pub struct Thickness {
    mean_um: f64,
    range_um: f64,
    direction: f64,
    /// Wave vector \[rad / pixel\], phase \[rad\].
    waves: Vec<[f64; 3]>,
    bump_um: f64,
    step: usize,
    nx: usize,
    ny: usize,
}

/// What the parameters say.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub mean_um: f64,
    pub range_um: f64,
    pub bump_rms_um: f64,
    pub bump_length: f64,
}

impl Thickness {
    /// The thickness of the device whose fixed stream this is.
    pub fn new(shape: Shape, geometry: &DetectorGeometry, stream: &Stream) -> Self {
        let uniform = |i: u64| (f64::from(stream.word(i)) + 0.5) / 4_294_967_296.0;
        let normal = |i: u64| f64::from(noise::normal_of_word(stream.word(i)));
        let waves = (0..WAVES as u64)
            .map(|i| [normal(3 * i + 4) / shape.bump_length, normal(3 * i + 5) / shape.bump_length, TAU * uniform(3 * i + 6)])
            .collect();
        Self {
            mean_um: shape.mean_um,
            range_um: shape.range_um,
            direction: TAU * uniform(0),
            waves,
            bump_um: shape.bump_rms_um,
            // Sixteen nodes in a correlation length: linear between them to 1e-3 of the bumps.
            step: ((shape.bump_length / 16.0) as usize).clamp(1, 64),
            nx: geometry.nx,
            ny: geometry.ny,
        }
    }
    /// Pixels from node to node.
    pub fn step(&self) -> usize {
        self.step
    }
    /// Least and greatest thickness anywhere on the detector \[um\].
    pub fn bounds_um(&self) -> (f64, f64) {
        let far = 0.5 * self.range_um + CUT * self.bump_um;
        ((self.mean_um - far).max(0.01), self.mean_um + far)
    }
    /// At a detector pixel \[um\].
    pub fn at(&self, x: f64, y: f64) -> f64 {
        let (u, v) = ((2.0 * x + 1.0) / self.nx as f64 - 1.0, (2.0 * y + 1.0) / self.ny as f64 - 1.0);
        let tilt = (u * self.direction.cos() + v * self.direction.sin()) / SQRT_2;
        let smooth = 0.5 * self.range_um * (0.6 * tilt + 0.4 * (u * u + v * v - 1.0)).clamp(-1.0, 1.0);
        let bump = if self.bump_um > 0.0 {
            let sum: f64 = self.waves.iter().map(|[kx, ky, phase]| (kx * x + ky * y + phase).cos()).sum();
            self.bump_um * (sum * (2.0 / WAVES as f64).sqrt()).clamp(-CUT, CUT)
        } else {
            0.0
        };
        (self.mean_um + smooth + bump).max(0.01)
    }
    /// Nodes around a window: first node column and row, and their thickness `[row, column]` \[um\]. Nodes are counted from the
    /// detector's corner, so that a cut-out has those of the whole frame.
    pub fn nodes(&self, window: Window) -> (usize, usize, Array2<f64>) {
        let (i0, j0) = (window.x0 / self.step, window.y0 / self.step);
        let count = |first: usize, start: usize, n: usize| (start + n) / self.step - first + 2;
        let shape = (count(j0, window.y0, window.ny), count(i0, window.x0, window.nx));
        let at = |(j, i): (usize, usize)| self.at(((i0 + i) * self.step) as f64, ((j0 + j) * self.step) as f64);
        (i0, j0, Array2::from_shape_fn(shape, at))
    }
}
