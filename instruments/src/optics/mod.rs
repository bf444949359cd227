//! Imaging optics: a catalogue through a PSF onto a detector, in Fourier space.
//!
//! # Effect
//! Each source becomes expected electrons in pixels: profile, lensing, PSF over field and wavelength, pixel response.
//! # Formula
//! image = inverse transform of  sum over components of  E F(A^T k) P(k; x, y, S) sinc(fx) sinc(fy) exp(-i k.x0),
//! all modes with |f| < kmax, wrapped into a period of N pixels. One object = half a plane of modes = one inverse real
//! transform, for any profile.
//! # Symbols
//! E  electrons;  F  profile transform ([`sersic`]);  A  shape, lensing and WCS Jacobian;  P  transfer
//! function for the place and the spectrum S;  f = k / (2 pi) \[cycles / pixel\];  N  period \[pixel\]
//! # Source
//! Drawing by discrete Fourier transform with aliasing to the pixel grid: Rowe et al. 2015 (Astronomy and Computing 10,
//! 121), sect. 6; conventions of GalSim 2.8 (half-light radius, reduced shear, untruncated Sersic).
//! # Limits
//! `RenderTolerance::Electrons(t)`: modes and wings are left out where they change a pixel by less than about t.
//! Three or four wavelength nodes: colour error < 1e-4 of the peak; the PSF is bilinear between 5 x 5 field nodes (see `field`). Periods up
//! to 4096 pixels, then wings are clipped and counted. f32 arithmetic, about 1e-6 of the peak.
//! # Twin
//! None: light is the truth, not a disturbance.
//!
//! Why so: drawing costs modes, not pixels times PSF pixels; a table in (n, k) makes any Sersic index cost the same
//! (an own transform per index costs GalSim tens of milliseconds); colour costs J multiplications per mode. Own
//! FFT in lanes instead of `rustfft`: the same bits on every machine, see `fft`.
//! Speed and accuracy measured by `examples/render_bench.rs`.

mod bright;
mod colour;
mod error;
mod fft;
mod field;
mod grid;
mod knots;
mod modes;
mod paint;
mod picture;
mod plan;
mod render;
mod scene;
pub mod sersic;
mod shape;
pub mod slitless;
mod special;
mod stamp;

pub use error::OpticsError;
pub use stamp::{StampSpec, draw_stamp};

use sim_core::bandpass::Bandpass;
use sim_core::detector::DetectorGeometry;
use sim_core::frame::{BrightPoint, Frame, Window};
use sim_core::ledger::Ledger;
use sim_core::plane::Light;
use sim_core::psf::Psf;
use sim_core::source::Source;
use sim_core::truth::TruthRow;
use sim_core::wcs::Wcs;

/// How exactly objects are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RenderTolerance {
    /// Error of a pixel over the object's peak.
    Relative(f64),
    /// Error of a pixel \[electron\].
    Electrons(f64),
}

/// One band of one exposure on one detector.
#[derive(Clone, Copy)]
pub struct Imaging<'a> {
    /// Point-spread function.
    pub psf: &'a dyn Psf,
    /// Total efficiency.
    pub band: &'a Bandpass,
    /// Collecting area \[cm2\].
    pub area_cm2: f64,
    /// Detector.
    pub geometry: &'a DetectorGeometry,
    /// Part of it that is drawn.
    pub window: Window,
    /// World coordinates of the **full** detector.
    pub wcs: &'a Wcs,
    /// Exposure time \[s\].
    pub time_s: f64,
    /// Accuracy.
    pub tolerance: RenderTolerance,
}

/// Where the time went \[s of wall clock; of CPU with one thread\].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Timings {
    /// Transfer functions at the nodes and their grids.
    pub psf_s: f64,
    /// Positions, colours, shapes and the plan.
    pub sources_s: f64,
    /// Modes and inverse transforms.
    pub paint_s: f64,
    /// Adding stamps to the frame.
    pub add_s: f64,
    /// Objects drawn.
    pub objects: usize,
    /// Modes evaluated.
    pub modes: f64,
}

impl Timings {
    /// Both together.
    #[must_use]
    fn plus(self, other: &Self) -> Self {
        Self {
            psf_s: self.psf_s + other.psf_s,
            sources_s: self.sources_s + other.sources_s,
            paint_s: self.paint_s + other.paint_s,
            add_s: self.add_s + other.add_s,
            objects: self.objects + other.objects,
            modes: self.modes + other.modes,
        }
    }
}

/// What a render gives.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// Expected electrons.
    pub light: Frame<Light>,
    /// Every object that touches the window, in the order of the catalogue.
    pub truth: Vec<TruthRow>,
    /// Electrons added.
    pub ledger: Ledger,
    /// Where the time went.
    pub timings: Timings,
    /// Objects whose wings do not fit the largest period and were folded into it.
    pub clipped: usize,
}

impl Imaging<'_> {
    /// Draws sources; those outside whose light reaches the window are drawn too.
    ///
    /// # Errors
    /// When a source has an impossible value (its number and the key are named) or the PSF does not cover the detector.
    pub fn render(&self, sources: &[Source]) -> Result<Rendered, OpticsError> {
        self.render_with(sources, &|_, _| {})
    }
    /// As [`Imaging::render`]; `progress` is told (objects done, objects to do).
    ///
    /// # Errors
    /// As [`Imaging::render`].
    pub fn render_with(&self, sources: &[Source], progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Rendered, OpticsError> {
        let mut light = Frame::<Light>::zeros(self.window);
        let drawn = render::render(self, None, sources, &mut light, &mut |_, _| {}, progress)?;
        let truth = drawn.truth.into_iter().map(|(_, row)| row).collect();
        Ok(Rendered { light, truth, ledger: drawn.ledger, timings: drawn.timings, clipped: drawn.clipped })
    }
    /// Sources of at least `least_electrons`, inside and outside the window, where they are drawn and with the electrons
    /// they are drawn with: what effects of the light plane make ghosts and scattered light of.
    ///
    /// # Errors
    /// As [`Imaging::render`].
    pub fn bright_points(&self, sources: &[Source], least_electrons: f64) -> Result<Vec<BrightPoint>, OpticsError> {
        bright::points(self, sources, least_electrons)
    }
}
