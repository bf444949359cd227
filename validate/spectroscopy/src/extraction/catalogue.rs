//! Sources of the direct-imaging catalogue.
//!
//! # Formula
//! Galaxies: `I(r) ~ exp(-b_n ((r / r_e)^(1/n) - 1))` on elliptical contours, n = 1 (disc) and n = 4 or 2.5 (bulge), b_1 = 1.678, b_4 = 7.669, b_2.5 = 4.671.
//! The profile projected on an axis is that of the round galaxy stretched by `s = root(u C u)`, u the direction, C the matrix of the ellipse.
//! # Symbols
//! r_e  half-light radius along the long axis \[pixel\]
//! # Source
//! Sersic 1963; b_n from Ciotti & Bertin 1999 (A&A 352, 447).
//! # Limits
//! One shape at all wavelengths, one ellipse for disc and bulge; a bulge's index is the nearer of 4 and 2.5.

use super::error::ExtractionError;
use super::photometry::Photometry;
use std::collections::BTreeSet;

/// How the light of a source is spread on the sky, before the PSF.
#[derive(Debug, Clone, PartialEq)]
pub enum Morphology {
    /// A star.
    Point,
    /// A disc with a bulge of the same ellipse.
    Ellipse {
        /// Half-light radius along the long axis \[pixel\].
        half_light_px: f64,
        /// Short over long axis, above 0 to 1.
        axis_ratio: f64,
        /// Direction of the long axis, from the columns' axis (+x) towards the rows' (+y) \[deg\].
        angle_deg: f64,
        /// Its bulge.
        bulge: Bulge,
    },
}

/// The bulge of a galaxy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bulge {
    /// Share of the light, 0 to 1.
    pub share: f64,
    /// Its half-light radius over the disc's.
    pub radius: f64,
    /// Sersic index.
    pub index: f64,
}

impl Bulge {
    /// No bulge.
    pub const NONE: Self = Self::of(0.0);
    /// A de Vaucouleurs bulge of the disc's half-light radius: what is taken where a catalogue tells of its share alone.
    #[must_use]
    pub const fn of(share: f64) -> Self {
        Self { share, radius: 1.0, index: 4.0 }
    }
    /// Reach of the light of disc and bulge in half-light radii of the disc.
    #[must_use]
    pub fn reach(&self) -> f64 {
        if self.share > 0.0 { (8.0 * self.radius).max(5.0) } else { 5.0 }
    }
}

/// A source of the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Its number.
    pub id: u64,
    /// Column of its undispersed image on the whole detector, 0-based \[pixel\]; it may lie off the frame.
    pub x: f64,
    /// Row of the same.
    pub y: f64,
    /// Its shape.
    pub morphology: Morphology,
    /// Its brightness; `None` when there is none: its light is then in no model.
    pub photometry: Option<Photometry>,
}

impl Morphology {
    /// Covariance-like matrix (xx, xy, yy) of the half-light ellipse \[pixel^2\]: half-light radius squared along each axis; 0 for a star.
    #[must_use]
    pub fn ellipse(&self) -> (f64, f64, f64) {
        match *self {
            Self::Point => (0.0, 0.0, 0.0),
            Self::Ellipse { half_light_px, axis_ratio, angle_deg, .. } => {
                let (s, c) = angle_deg.to_radians().sin_cos();
                let (long, short) = (half_light_px.powi(2), (half_light_px * axis_ratio).powi(2));
                (long * c * c + short * s * s, (long - short) * s * c, long * s * s + short * c * c)
            }
        }
    }
    /// The bulge.
    #[must_use]
    pub fn bulge(&self) -> Bulge {
        if let Self::Ellipse { bulge, .. } = self { *bulge } else { Bulge::NONE }
    }
    fn fault(&self) -> Option<String> {
        let Self::Ellipse { half_light_px, axis_ratio, angle_deg, bulge } = *self else { return None };
        let checks = [
            (half_light_px.is_finite() && (0.0..=500.0).contains(&half_light_px), "half-light radius", half_light_px, "0..500 pixel"),
            (axis_ratio > 0.0 && axis_ratio <= 1.0, "axis ratio", axis_ratio, "above 0..1"),
            (angle_deg.is_finite(), "position angle", angle_deg, "finite degrees"),
            ((0.0..=1.0).contains(&bulge.share), "share of the bulge", bulge.share, "0..1"),
            ((0.01..=100.0).contains(&bulge.radius), "radius of the bulge", bulge.radius, "0.01..100 of the disc's"),
            ((0.5..=10.0).contains(&bulge.index), "index of the bulge", bulge.index, "0.5..10"),
        ];
        checks.into_iter().find(|c| !c.0).map(|(_, name, value, range)| format!("{name} {value} is outside {range}"))
    }
}

/// Checks a catalogue: numbers differ, places are finite, shapes and brightness in range.
///
/// # Errors
/// The first source that fails, and why.
pub fn check(sources: &[Source]) -> Result<(), ExtractionError> {
    let mut seen = BTreeSet::new();
    for source in sources {
        let fault = |reason: String| ExtractionError::Source { id: source.id, reason };
        if !seen.insert(source.id) {
            return Err(ExtractionError::Twice(source.id));
        }
        if !source.x.is_finite() || !source.y.is_finite() {
            return Err(fault(format!("position ({}, {}) is not finite", source.x, source.y)));
        }
        if let Some(reason) = source.morphology.fault().or_else(|| source.photometry.as_ref().and_then(Photometry::fault)) {
            return Err(fault(reason));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ellipse_turns_with_its_angle() {
        let shape = |angle_deg| Morphology::Ellipse { half_light_px: 4.0, axis_ratio: 0.5, angle_deg, bulge: Bulge::NONE }.ellipse();
        let (xx, xy, yy) = shape(0.0);
        assert!((xx - 16.0).abs() < 1e-12 && xy.abs() < 1e-12 && (yy - 4.0).abs() < 1e-12);
        let (xx, xy, yy) = shape(45.0);
        assert!((xx - 10.0).abs() < 1e-12 && (xy - 6.0).abs() < 1e-12 && (yy - 10.0).abs() < 1e-12);
    }

    #[test]
    fn bad_sources_are_named() {
        let star = Source { id: 7, x: 1.0, y: 2.0, morphology: Morphology::Point, photometry: None };
        assert!(check(std::slice::from_ref(&star)).is_ok());
        assert!(check(&[star.clone(), star.clone()]).unwrap_err().to_string().contains("source 7 is twice"));
        let lost = Source { x: f64::NAN, ..star.clone() };
        assert!(check(&[lost]).unwrap_err().to_string().contains("source 7: position (NaN, 2)"));
        let morphology = Morphology::Ellipse { half_light_px: 3.0, axis_ratio: 1.2, angle_deg: 0.0, bulge: Bulge::NONE };
        assert!(check(&[Source { morphology, ..star }]).unwrap_err().to_string().contains("axis ratio 1.2"));
    }
}
