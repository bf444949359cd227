//! Draws stamps listed on standard input and writes their pixels (f64, little endian) to standard output, one after the
//! other, for comparison with other renderers.
//!
//! A line: PSF (`gaussian FWHM`, `moffat FWHM BETA`, `airy LAM_OVER_DIAM`), profile (`0` for a point, or `N HLR G1 G2`),
//! `NX NY SCALE DX DY TOLERANCE`; lengths in arcsec, offsets in pixels. Flux is 1.

use instruments::optics::{StampSpec, draw_stamp};
use psf::spec::PsfSpec;
use sim_core::source::{Lensing, Profile, Shear};
use sim_core::units::{FocalPoint, Nanometre};
use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        let mut word = || words.next().ok_or_else(|| format!("too few words: {line}"));
        let kind = word()?.to_string();
        let mut number = || -> Result<f64, Box<dyn std::error::Error>> { Ok(word()?.parse()?) };
        let psf = match kind.as_str() {
            "gaussian" => PsfSpec::Gaussian { fwhm: Some(number()?), sigma: None },
            "moffat" => PsfSpec::Moffat { fwhm: number()?, beta: number()?, trunc: None },
            "airy" => PsfSpec::Airy { lam_over_diam: number()?, obscuration: 0.0 },
            other => return Err(format!("PSF {other}").into()),
        };
        let index = number()?;
        let profile = if index == 0.0 {
            Profile::Point
        } else {
            Profile::Sersic { index, half_light_radius_arcsec: number()?, shear: Shear { g1: number()?, g2: number()? } }
        };
        let (nx, ny, scale) = (number()? as usize, number()? as usize, number()?);
        let (dx, dy, tolerance) = (number()?, number()?, number()?);
        let psf = psf.build()?;
        let transfer = psf.transfer(FocalPoint { x_deg: 0.0, y_deg: 0.0 }, Nanometre(765.0))?;
        let stamp = draw_stamp(&StampSpec {
            id: 0,
            components: &[(profile, 1.0)],
            lensing: Lensing::default(),
            transfer: transfer.as_ref(),
            psf_contains_pixel: false,
            nx,
            ny,
            pixel_scale_arcsec: scale,
            offset_px: (dx, dy),
            relative_tolerance: tolerance,
        })?;
        for value in &stamp {
            out.write_all(&value.to_le_bytes())?;
        }
    }
    Ok(())
}
