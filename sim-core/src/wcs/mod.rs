//! World coordinates: the gnomonic projection (TAN), with a distortion polynomial (TPV).
//!
//! # Effect
//! Pixel to sky and back, for every source that is drawn and every source that is measured.
//!
//! # Formula
//! `(u, v) = CD (p - CRPIX)`, `(xi, eta) = TPV(u, v)`, then
//! `ra = ra0 + atan2(xi, cos d0 - eta sin d0)`, `dec = atan2(sin d0 + eta cos d0, hypot(xi, cos d0 - eta sin d0))`.
//! Back: `xi = cos d sin(da) / c`, `eta = (sin(d - d0) + 2 cos d sin d0 sin^2(da/2)) / c`,
//! `c = cos(d - d0) - 2 cos d cos d0 sin^2(da/2)`, written so that nothing cancels near the reference point; TPV is inverted
//! by Newton's method with its analytic Jacobian.
//!
//! # Symbols
//! p FITS pixel (from 1); u, v intermediate \[deg\]; xi east, eta north on the tangent plane \[rad\] in the formulas;
//! d0, ra0 the reference point; da = ra - ra0.
//!
//! # Source
//! Calabretta and Greisen 2002, A&A 395, 1077 (TAN); the registered FITS convention "TPV World Coordinate System".
//!
//! # Limits
//! Near hemisphere only. A double in degrees resolves 2.8e-14 at 360 deg: 1.4e-9 of a 0.074 arcsec pixel.
//!
//! # Twin
//! Exact: `pixel_from_sky` inverts `sky_from_pixel` below 1e-9 pixel.

mod focal_plane;
mod keywords;
mod tpv;

pub use focal_plane::{Chromatic, Distortion, FieldDistortion, Parity, detector_wcs};

/// TPV polynomial coefficients of one axis, PVi_0..PVi_39 (only those used are kept).
pub type Pv = Vec<f64>;

/// A TAN or TPV world-coordinate system, FITS conventions: pixel centres at integers from 1 in `crpix`;
/// the methods take 0-based pixels (FITS minus 1).
#[derive(Debug, Clone, PartialEq)]
pub struct Wcs {
    /// Reference pixel (FITS, 1-based), of the array it belongs to.
    pub crpix: [f64; 2],
    /// Reference point \[deg\].
    pub crval: [f64; 2],
    /// CD matrix \[deg / pixel\], `cd[i][j]` = CDi+1_j+1.
    pub cd: [[f64; 2]; 2],
    /// TPV coefficients of both axes; `None` for TAN.
    pub pv: Option<[Pv; 2]>,
}

/// Newton's method converges quadratically: after a step this small \[deg\] the next would be below rounding.
const LAST_STEP_DEG: f64 = 1e-10;
/// Steps before the inversion is given up. From the undistorted position 3 or 4 are enough.
const STEPS: usize = 30;

impl Wcs {
    /// The system in which all angles from the reference point are larger by a factor near 1 (small angles): that of a
    /// moving observer, whose field shrinks ahead.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let scaled = |pv: &Pv| pv.iter().enumerate().map(|(k, c)| c * factor.powi(1 - tpv::degree(k) as i32)).collect();
        Self { cd: self.cd.map(|row| row.map(|c| c * factor)), pv: self.pv.as_ref().map(|[x, y]| [scaled(x), scaled(y)]), ..self.clone() }
    }
    /// Sky position \[deg\] (ra, dec) of a 0-based pixel position; ra in 0..360.
    #[must_use]
    pub fn sky_from_pixel(&self, x: f64, y: f64) -> (f64, f64) {
        let (u, v) = self.intermediate(x, y);
        let ([xi, eta], _) = self.distort(u, v);
        let (xi, eta) = (xi.to_radians(), eta.to_radians());
        let (sin0, cos0) = self.crval[1].to_radians().sin_cos();
        let down = cos0 - eta * sin0;
        let ra = (self.crval[0] + xi.atan2(down).to_degrees()).rem_euclid(360.0);
        let dec = (sin0 + eta * cos0).atan2(xi.hypot(down)).to_degrees();
        // A tiny negative angle rounds up to the full circle.
        (if ra >= 360.0 { 0.0 } else { ra }, dec)
    }

    /// 0-based pixel position of a sky position \[deg\]; `None` on the far hemisphere, where the distortion has no
    /// inverse, or for what is not a number.
    #[must_use]
    pub fn pixel_from_sky(&self, ra_deg: f64, dec_deg: f64) -> Option<(f64, f64)> {
        let (sin0, cos0) = self.crval[1].to_radians().sin_cos();
        let turn = (ra_deg - self.crval[0]).to_radians();
        let (sin_d, cos_d) = dec_deg.to_radians().sin_cos();
        let rise = (dec_deg - self.crval[1]).to_radians();
        // 1 - cos(da) without cancellation.
        let versine = 2.0 * (0.5 * turn).sin().powi(2);
        let depth = rise.cos() - cos_d * cos0 * versine;
        // Also refuses NaN, and poles beyond 90 degrees.
        if !(depth > 1e-12 && dec_deg.abs() <= 90.0 && sin_d.is_finite()) {
            return None;
        }
        let xi = (cos_d * turn.sin() / depth).to_degrees();
        let eta = ((rise.sin() + cos_d * sin0 * versine) / depth).to_degrees();
        let (u, v) = self.undistort(xi, eta)?;
        let inverse = self.inverse_cd()?;
        Some((inverse[0][0] * u + inverse[0][1] * v + self.crpix[0] - 1.0, inverse[1][0] * u + inverse[1][1] * v + self.crpix[1] - 1.0))
    }

    /// Local Jacobian d(east, north) \[arcsec\] / d(x, y) \[pixel\] at a 0-based pixel: `[[dE/dx, dE/dy], [dN/dx, dN/dy]]`.
    #[must_use]
    pub fn jacobian(&self, x: f64, y: f64) -> [[f64; 2]; 2] {
        let (u, v) = self.intermediate(x, y);
        let ([xi, eta], slope) = self.distort(u, v);
        let (xi, eta) = (xi.to_radians(), eta.to_radians());
        let (sin0, cos0) = self.crval[1].to_radians().sin_cos();
        // Cylinder coordinates of the point of the tangent plane, about the polar axis.
        let (down, up) = (cos0 - eta * sin0, sin0 + eta * cos0);
        let axis_distance = xi.hypot(down);
        let square = 1.0 + xi * xi + eta * eta;
        // East has no direction at the pole: the meridian of the reference point serves.
        let (s, c) = if axis_distance > 0.0 { (xi / axis_distance, down / axis_distance) } else { (0.0, 1.0) };
        let east = [c / square.sqrt(), s * sin0 / square.sqrt()];
        let north = [-up * s / square, (axis_distance * cos0 + up * c * sin0) / square];
        [east, north].map(|by_plane| {
            let by_intermediate = [0, 1].map(|k| by_plane[0] * slope[0][k] + by_plane[1] * slope[1][k]);
            [0, 1].map(|k| 3600.0 * (by_intermediate[0] * self.cd[0][k] + by_intermediate[1] * self.cd[1][k]))
        })
    }

    /// The same system for a cut-out that starts at 0-based pixel (x0, y0).
    #[must_use]
    pub fn shifted(&self, x0: f64, y0: f64) -> Self {
        let mut out = self.clone();
        out.crpix[0] -= x0;
        out.crpix[1] -= y0;
        out
    }

    fn intermediate(&self, x: f64, y: f64) -> (f64, f64) {
        let (dx, dy) = (x + 1.0 - self.crpix[0], y + 1.0 - self.crpix[1]);
        (self.cd[0][0] * dx + self.cd[0][1] * dy, self.cd[1][0] * dx + self.cd[1][1] * dy)
    }

    /// Tangent-plane position \[deg\] and its derivatives by (u, v).
    fn distort(&self, u: f64, v: f64) -> ([f64; 2], [[f64; 2]; 2]) {
        let Some([first, second]) = &self.pv else { return ([u, v], [[1.0, 0.0], [0.0, 1.0]]) };
        let [xi, xi_u, xi_v] = tpv::evaluate(first, u, v);
        let [eta, eta_v, eta_u] = tpv::evaluate(second, v, u);
        ([xi, eta], [[xi_u, xi_v], [eta_u, eta_v]])
    }

    fn undistort(&self, xi: f64, eta: f64) -> Option<(f64, f64)> {
        if self.pv.is_none() {
            return Some((xi, eta));
        }
        // The branch that holds the reference point: beyond a fold the determinant has the other sign.
        let branch = determinant(self.distort(0.0, 0.0).1).signum();
        let (mut u, mut v) = (xi, eta);
        for _ in 0..STEPS {
            let ([at_xi, at_eta], slope) = self.distort(u, v);
            let det = determinant(slope);
            if !det.is_normal() {
                return None;
            }
            let (miss_xi, miss_eta) = (xi - at_xi, eta - at_eta);
            let du = (slope[1][1] * miss_xi - slope[0][1] * miss_eta) / det;
            let dv = (slope[0][0] * miss_eta - slope[1][0] * miss_xi) / det;
            u += du;
            v += dv;
            if du.abs().max(dv.abs()) < LAST_STEP_DEG {
                return (det.signum() == branch).then_some((u, v));
            }
        }
        None
    }

    /// Inverse of the CD matrix; `None` when it is singular to rounding.
    fn inverse_cd(&self) -> Option<[[f64; 2]; 2]> {
        let [[a, b], [c, d]] = self.cd;
        let det = a * d - b * c;
        if !det.is_normal() || det.abs() <= 1e-14 * ((a * d).abs() + (b * c).abs()) {
            return None;
        }
        Some([[d / det, -b / det], [-c / det, a / det]])
    }
}

fn determinant(m: [[f64; 2]; 2]) -> f64 {
    m[0][0] * m[1][1] - m[0][1] * m[1][0]
}
