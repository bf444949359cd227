//! The files of a level-1 product: three of a detector behind a filter, one of a detector behind gratings (csst-doc-msc, MBI and SLS).

use std::path::{Path, PathBuf};

/// Where the planes of a level-1 product are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Level1Files {
    /// Of a detector behind a filter, three files.
    Imaging {
        /// Rate.
        image: PathBuf,
        /// Inverse variance, 0 where a pixel must not be used.
        weight: PathBuf,
        /// Flags, unsigned 16-bit.
        flags: PathBuf,
    },
    /// Of a detector behind gratings, one file: SCI the rate, ERR its standard deviation (not a number where a pixel must not be used), DQ the flags, signed
    /// 16-bit with the same bits.
    Slitless(PathBuf),
}

impl Level1Files {
    /// The file that stands for the product: written last, named in reports, with the manifest beside it.
    #[must_use]
    pub fn main(&self) -> &Path {
        match self {
            Self::Imaging { image, .. } => image,
            Self::Slitless(file) => file,
        }
    }
    /// All files.
    #[must_use]
    pub fn all(&self) -> Vec<&Path> {
        match self {
            Self::Imaging { image, weight, flags } => vec![image, weight, flags],
            Self::Slitless(file) => vec![file],
        }
    }
}

/// Error of a pixel from its inverse variance: not a number where there is no weight.
#[must_use]
pub fn error_of_weight(weight: f32) -> f32 {
    if weight > 0.0 { 1.0 / weight.sqrt() } else { f32::NAN }
}

/// Inverse variance of a pixel from its error: 0 where that is no positive number.
#[must_use]
pub fn weight_of_error(error: f32) -> f32 {
    if error > 0.0 && error.is_finite() { 1.0 / (error * error) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_weights_lead_to_each_other() {
        for weight in [0.0_f32, 1e-3, 7.25, 3e8] {
            let back = weight_of_error(error_of_weight(weight));
            assert!((back - weight).abs() <= 4.0 * f32::EPSILON * weight, "{weight} {back}");
        }
        for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert_eq!(weight_of_error(bad), 0.0, "{bad}");
        }
    }
}
