//! Shears, magnification and the local Jacobian: the linear map from a circular profile to pixels.
//!
//! # Formula
//! S(g) = 1 / sqrt(1 - |g|^2) \[\[1 + g1, g2\], \[g2, 1 - g1\]\];  A = P sqrt(mu) S(g_lens) S(g_intrinsic);
//! the transform of the mapped profile is F(A^T k). P = pixels per arcsec: the inverse Jacobian of the WCS.
//! mu = 1 / ((1 - kappa)^2 (1 - |g|^2))
//! # Source
//! GalSim `Shear` and `GSObject.lens` conventions (reduced shear, unit determinant; lens after intrinsic shape);
//! Bartelmann & Schneider 2001 (Phys. Rep. 340, 291), eqs. 3.11 and 3.14.

use super::error::OpticsError;
use sim_core::source::{Lensing, Shear};

/// A 2 x 2 matrix.
pub(crate) type Map = [[f64; 2]; 2];

/// Matrix product.
pub(crate) fn product(a: &Map, b: &Map) -> Map {
    std::array::from_fn(|i| std::array::from_fn(|j| a[i][0] * b[0][j] + a[i][1] * b[1][j]))
}

/// Inverse, `None` when singular or not finite.
pub(crate) fn inverse(a: &Map) -> Option<Map> {
    let det = a[0][0] * a[1][1] - a[0][1] * a[1][0];
    (det.is_finite() && det != 0.0).then(|| [[a[1][1] / det, -a[0][1] / det], [-a[1][0] / det, a[0][0] / det]])
}

/// Largest and smallest stretch (singular values).
pub(crate) fn stretches(a: &Map) -> (f64, f64) {
    let (e, f) = (0.5 * (a[0][0] + a[1][1]), 0.5 * (a[0][0] - a[1][1]));
    let (g, h) = (0.5 * (a[1][0] + a[0][1]), 0.5 * (a[1][0] - a[0][1]));
    let (p, q) = (e.hypot(h), f.hypot(g));
    (p + q, (p - q).abs())
}

/// The area-preserving map of a reduced shear.
pub(crate) fn shear_map(id: u64, key: &'static str, shear: Shear) -> Result<Map, OpticsError> {
    let norm = shear.g1.hypot(shear.g2);
    if norm >= 1.0 || norm.is_nan() {
        return Err(OpticsError::Source { id, key, value: norm, unit: "", range: "|g| 0..1 (exclusive)" });
    }
    let scale = 1.0 / (1.0 - norm * norm).sqrt();
    Ok([[(1.0 + shear.g1) * scale, shear.g2 * scale], [shear.g2 * scale, (1.0 - shear.g1) * scale]])
}

/// The lensing map (with sqrt(mu)) and mu.
pub(crate) fn lens_map(id: u64, lensing: &Lensing) -> Result<(Map, f64), OpticsError> {
    let map = shear_map(id, "lensing.shear", lensing.shear)?;
    let norm2 = lensing.shear.g1.powi(2) + lensing.shear.g2.powi(2);
    let mu = 1.0 / ((1.0 - lensing.kappa).powi(2) * (1.0 - norm2));
    // 0.01 to 1e4 keeps images within what a detector can hold; a caustic has no finite image.
    if !(mu > 0.01 && mu < 1e4) {
        return Err(OpticsError::Source { id, key: "lensing.kappa", value: lensing.kappa, unit: "", range: "magnification 0.01..1e4" });
    }
    let root = mu.sqrt();
    Ok((map.map(|row| row.map(|v| v * root)), mu))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shear_keeps_the_area_and_stretches_by_the_axis_ratio() {
        let map = shear_map(1, "shear", Shear { g1: 0.3, g2: 0.4 }).unwrap();
        let (major, minor) = stretches(&map);
        assert!((major * minor - 1.0).abs() < 1e-14);
        assert!((minor / major - (1.0 - 0.5) / (1.0 + 0.5)).abs() < 1e-14);
    }

    #[test]
    fn lensing_grows_sizes_by_the_root_of_the_magnification() {
        let (map, mu) = lens_map(1, &Lensing { shear: Shear { g1: 0.1, g2: 0.0 }, kappa: 0.2 }).unwrap();
        assert!((mu - 1.0 / (0.64 * 0.99)).abs() < 1e-14);
        let (major, minor) = stretches(&map);
        assert!((major * minor - mu).abs() < 1e-13);
    }

    #[test]
    fn a_shear_of_one_is_refused_with_its_object() {
        let error = shear_map(42, "lensing.shear", Shear { g1: 0.8, g2: 0.6 }).unwrap_err().to_string();
        assert!(error.contains("object 42") && error.contains("lensing.shear"), "{error}");
        assert!(shear_map(42, "shear", Shear { g1: f64::NAN, g2: 0.0 }).is_err());
    }
}
