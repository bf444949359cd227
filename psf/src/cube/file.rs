//! PSF cubes in FITS; the layout is described in the parent module.

use super::CubePsf;
use sim_core::fits::{self, Data, Hdu, Header, Value};
use sim_core::psf::PsfError;
use sim_core::table::{Column, ColumnData, Table};
use sim_core::units::{FocalPoint, Nanometre};
use std::path::Path;

fn bad(path: &Path, reason: impl Into<String>) -> PsfError {
    PsfError::File { path: path.display().to_string(), reason: reason.into() }
}

fn number(path: &Path, hdu: &Hdu, key: &str) -> Result<f64, PsfError> {
    hdu.header.f64(key).ok_or_else(|| bad(path, format!("unit {}: keyword {key} is missing or not a number", hdu.name)))
}

impl CubePsf {
    /// Reads a file of the layout above.
    ///
    /// # Errors
    /// When the file is missing or truncated, has another layout, or holds something that is no PSF.
    pub fn read(path: &Path) -> Result<Self, PsfError> {
        let hdus = fits::read(path).map_err(|e| bad(path, e.to_string()))?;
        let primary = hdus.first().ok_or_else(|| bad(path, "no units"))?;
        match primary.header.i64("PSFCUBE") {
            Some(1) => {}
            Some(v) => return Err(bad(path, format!("PSFCUBE = {v}, only layout 1 is known"))),
            None => return Err(bad(path, "keyword PSFCUBE is missing: not a PSF cube")),
        }
        let contains_pixel_response = match primary.header.get("PIXRESP") {
            Some(Value::Logical(v)) => *v,
            _ => return Err(bad(path, "keyword PIXRESP is missing or not T or F")),
        };
        let mut positions = None;
        let mut cubes = Vec::new();
        let mut geometry = None;
        for hdu in &hdus[1..] {
            match &hdu.data {
                Data::Table(table) if hdu.name == "POSITIONS" => {
                    let column =
                        |name: &str| table.f64s(name).ok_or_else(|| bad(path, format!("POSITIONS: column {name} is missing or text")));
                    let (x, y) = (column("X_DEG")?, column("Y_DEG")?);
                    positions = Some(x.into_iter().zip(y).map(|(x_deg, y_deg)| FocalPoint { x_deg, y_deg }).collect());
                }
                Data::Cube(cube) => {
                    let (scale, shape) = (number(path, hdu, "PIXSCALE")?, cube.dim());
                    let middle = |n: usize| 0.5 * (n as f64 + 1.0);
                    let x = hdu.header.f64("CRPIX1").unwrap_or_else(|| middle(shape.2));
                    let y = hdu.header.f64("CRPIX2").unwrap_or_else(|| middle(shape.1));
                    let here = (scale, x, y);
                    if *geometry.get_or_insert(here) != here {
                        return Err(bad(path, format!("unit {}: PIXSCALE, CRPIX1 or CRPIX2 differs from the first cube", hdu.name)));
                    }
                    cubes.push((Nanometre(number(path, hdu, "WAVELEN")?), cube.clone()));
                }
                _ => return Err(bad(path, format!("unit {} is neither POSITIONS nor a cube of 32-bit floats", hdu.name))),
            }
        }
        let positions = positions.ok_or_else(|| bad(path, "table POSITIONS is missing"))?;
        let (scale, x, y) = geometry.ok_or_else(|| bad(path, "no cubes"))?;
        Self::new(cubes, positions, scale, Some((x - 1.0, y - 1.0)), contains_pixel_response).map_err(|e| bad(path, e.to_string()))
    }

    /// Writes a file of the layout above.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), PsfError> {
        let mut primary = Header::default();
        primary.set("PSFCUBE", 1, "layout of the PSF cube");
        primary.set("PIXRESP", self.contains_pixel_response, "detector pixel response is contained");
        let column = |name, description, data| Column::new(name, "deg", description, ColumnData::F64(data));
        let table = Table {
            name: "POSITIONS".into(),
            columns: vec![
                column("X_DEG", "focal-plane x", self.positions.iter().map(|p| p.x_deg).collect()),
                column("Y_DEG", "focal-plane y", self.positions.iter().map(|p| p.y_deg).collect()),
            ],
        };
        let mut hdus = vec![Hdu::primary(primary), Hdu::new("POSITIONS", Header::default(), Data::Table(table))];
        for (i, (cube, &wavelength)) in self.cubes.iter().zip(&self.wavelengths_nm).enumerate() {
            let mut header = Header::default();
            header.set("WAVELEN", wavelength, "[nm] wavelength");
            header.set("PIXSCALE", self.pixel_scale_arcsec, "[arcsec] pixel");
            header.set("CRPIX1", self.centre.0 + 1.0, "[pixel] centre of the PSF, x");
            header.set("CRPIX2", self.centre.1 + 1.0, "[pixel] centre of the PSF, y");
            hdus.push(Hdu::new(&format!("PSF{}", i + 1), header, Data::Cube(cube.clone())));
        }
        fits::write(path, &hdus).map_err(|e| bad(path, e.to_string()))
    }
}
