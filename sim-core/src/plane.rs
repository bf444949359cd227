//! The physical planes a frame can be on, as types: an effect for charge cannot be put on counts.

/// A physical plane. Carried in the type of [`crate::frame::Frame`], never stored.
pub trait Plane: Copy + Send + Sync + std::fmt::Debug + 'static {
    /// Name used in instrument files, ledgers and reports.
    const NAME: &'static str;
    /// FITS unit of the pixels.
    const BUNIT: &'static str;
}

/// Expected electrons: everything that will be realised by the one Poisson draw in `detect`
/// (photo-electrons of sources and sky, and thermal electrons).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Light;

/// Realised electrons in the pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge;

/// Digital counts \[ADU\], in the raw layout (with scans) or trimmed to the science array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts;

/// Calibrated rate \[electron / s\]: the level-1 plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate;

impl Plane for Light {
    const NAME: &'static str = "light";
    const BUNIT: &'static str = "electron";
}
impl Plane for Charge {
    const NAME: &'static str = "charge";
    const BUNIT: &'static str = "electron";
}
impl Plane for Counts {
    const NAME: &'static str = "counts";
    const BUNIT: &'static str = "adu";
}
impl Plane for Rate {
    const NAME: &'static str = "rate";
    const BUNIT: &'static str = "electron/s";
}
