//! World coordinates: TAN and TPV. STUB: being written.
use crate::fits::Header;

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

impl Wcs {
    /// Sky position \[deg\] (ra, dec) of a 0-based pixel position.
    #[must_use]
    pub fn sky_from_pixel(&self, x: f64, y: f64) -> (f64, f64) {
        let _ = (x, y);
        unimplemented!()
    }
    /// 0-based pixel position of a sky position \[deg\]; `None` on the far hemisphere or when the inversion fails.
    #[must_use]
    pub fn pixel_from_sky(&self, ra_deg: f64, dec_deg: f64) -> Option<(f64, f64)> {
        let _ = (ra_deg, dec_deg);
        unimplemented!()
    }
    /// Local Jacobian d(east, north) \[arcsec\] / d(x, y) \[pixel\] at a 0-based pixel: `[[dE/dx, dE/dy], [dN/dx, dN/dy]]`.
    #[must_use]
    pub fn jacobian(&self, x: f64, y: f64) -> [[f64; 2]; 2] {
        let _ = (x, y);
        unimplemented!()
    }
    /// The same system for a cut-out that starts at 0-based pixel (x0, y0).
    #[must_use]
    pub fn shifted(&self, x0: f64, y0: f64) -> Self {
        let mut out = self.clone();
        out.crpix[0] -= x0;
        out.crpix[1] -= y0;
        out
    }
    /// Writes CTYPE, CRPIX, CRVAL, CD, PV, CUNIT, RADESYS.
    pub fn write(&self, header: &mut Header) {
        let _ = header;
        unimplemented!()
    }
    /// Reads the keywords written by [`Wcs::write`] (TAN or TPV).
    ///
    /// # Errors
    /// When a keyword is missing, malformed, the CD matrix is singular or the projection is another.
    pub fn read(header: &Header) -> Result<Self, crate::fits::FitsError> {
        let _ = header;
        unimplemented!()
    }
}

/// Field distortion of an instrument in mosaic axes: `x' = sum a_ij x^i y^j`, `y' = sum b_ij x^i y^j`, all in degrees
/// from the boresight (x, y undistorted focal plane; x', y' as projected on the tangent plane), total degree <= 5.
#[derive(Debug, Clone, PartialEq)]
pub struct Distortion {
    /// Coefficients of x': ((i, j), value).
    pub x: Vec<((u8, u8), f64)>,
    /// Coefficients of y'.
    pub y: Vec<((u8, u8), f64)>,
}

/// Parity of the mosaic's y axis on the sky.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parity {
    /// CD = [[-a, -b], [b, -a]], determinant > 0 (official C7 headers).
    C7,
    /// CD = [[-a, b], [b, a]], determinant < 0 (Cycle 9).
    C9,
}

/// The WCS of a detector for a pointing.
#[must_use]
pub fn detector_wcs(
    geometry: &crate::detector::DetectorGeometry,
    pointing: &crate::exposure::Pointing,
    parity: Parity,
    distortion: Option<&Distortion>,
) -> Wcs {
    let _ = (geometry, pointing, parity, distortion);
    unimplemented!()
}
