//! The direct-imaging catalogue that spectra are taken by.

use super::frames::SlitlessFrame;
use anyhow::{Context as _, bail};
use sim_core::fits::{self, Data};
use sim_core::table::{ColumnData, Table};
use spectroscopy::extraction::{Bulge, Morphology, Photometry, Point, Source};
use std::path::Path;

/// A catalogue on the sky.
pub struct Catalogue {
    rows: Vec<Row>,
}

struct Row {
    id: u64,
    ra_deg: f64,
    dec_deg: f64,
    /// Half-light radius \[arcsec\], reduced shear east and north, bulge; `None` for a star.
    shape: Option<(f64, (f64, f64), Bulge)>,
    points: Vec<Point>,
}

impl Catalogue {
    /// Reads a FITS table: `OBJ_ID`, `RA`, `DEC` \[deg\], magnitudes `MAG` (in the spectrograph's band, at `pivot_nm`) or `MAG_band` at the wavelengths of `bands`;
    /// shapes by `HLR` \[arcsec\], `E1`, `E2` (and `G1`, `G2`), `BULGE_FRAC`, `BULGE_HLR` \[arcsec\], `BULGE_N`, if they are there; stars have `HLR` 0.
    ///
    /// # Errors
    /// When the file cannot be read or a column is missing.
    pub fn read(path: &Path, pivot_nm: f64, bands: &[(String, f64)]) -> anyhow::Result<Self> {
        let tables = fits::read(path)?.into_iter().filter_map(|hdu| if let Data::Table(table) = hdu.data { Some(table) } else { None });
        let table = tables.into_iter().find(|t| t.column("RA").is_some() && t.column("DEC").is_some());
        let Some(table) = table else { bail!("{}: no table with columns RA and DEC", path.display()) };
        let column = |name: &str| table.f64s(name).with_context(|| format!("{}: column {name} is missing", path.display()));
        let optional = |name: &str| table.f64s(name).unwrap_or_else(|| vec![0.0; table.rows()]);
        let (ra, dec, id) = (column("RA")?, column("DEC")?, ids(&table).with_context(|| format!("{}: column OBJ_ID", path.display()))?);
        let [hlr, share, radius, index] = ["HLR", "BULGE_FRAC", "BULGE_HLR", "BULGE_N"].map(optional);
        let bulge = |i: usize| {
            let all = Bulge::of(share[i].clamp(0.0, 1.0));
            let own = radius[i] > 0.0 && index[i] > 0.0;
            if own { Bulge { radius: (radius[i] / hlr[i]).clamp(0.01, 100.0), index: index[i], ..all } } else { all }
        };
        let shear = ["E1", "E2", "G1", "G2"].map(optional);
        let mut magnitudes: Vec<(f64, Vec<f64>)> = table.f64s("MAG").map(|m| (pivot_nm, m)).into_iter().collect();
        magnitudes.extend(bands.iter().filter_map(|(name, nm)| table.f64s(&format!("MAG_{name}")).map(|m| (*nm, m))));
        if magnitudes.is_empty() {
            bail!("{}: no magnitudes: MAG or MAG_u, MAG_g, ... are wanted", path.display());
        }
        let rows = (0..table.rows()).map(|i| Row {
            id: id[i],
            ra_deg: ra[i],
            dec_deg: dec[i],
            shape: (hlr[i] > 0.0).then(|| (hlr[i], (shear[0][i] + shear[2][i], shear[1][i] + shear[3][i]), bulge(i))),
            points: magnitudes
                .iter()
                .filter(|(_, m)| m[i].is_finite())
                .map(|(nm, m)| Point { wavelength_nm: *nm, flux: spectroscopy::extraction::photometry::flux_of_ab(m[i], *nm) })
                .collect(),
        });
        Ok(Self { rows: rows.collect() })
    }

    /// The sources as a frame sees them.
    ///
    /// # Errors
    /// When the frame has no world coordinates.
    pub fn on(&self, frame: &SlitlessFrame) -> anyhow::Result<Vec<Source>> {
        let mut out = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let Some((x, y)) = frame.place(row.ra_deg, row.dec_deg)? else { continue };
            let morphology = match row.shape {
                None => Morphology::Point,
                Some((radius, shear, bulge)) => ellipse(frame, (x, y), radius, shear, bulge),
            };
            let photometry = (!row.points.is_empty()).then(|| Photometry::new(row.points.clone()));
            out.push(Source { id: row.id, x, y, morphology, photometry });
        }
        Ok(out)
    }
}

/// An ellipse in pixels from half-light radius and reduced shear on the sky.
fn ellipse(frame: &SlitlessFrame, (x, y): (f64, f64), radius_arcsec: f64, (g1, g2): (f64, f64), bulge: Bulge) -> Morphology {
    let g = g1.hypot(g2).min(0.95);
    let scale = frame.level1.pixel_scale_arcsec;
    // An area-preserving shear makes the long axis root((1 + g) / (1 - g)) times the round radius.
    let half_light_px = (radius_arcsec / scale * ((1.0 + g) / (1.0 - g)).sqrt()).min(500.0);
    let (north, east) = (0.5 * g2.atan2(g1)).sin_cos();
    let (x0, y0) = frame.level1.window;
    let angle_deg = frame.level1.wcs.as_ref().map_or(0.0, |wcs| {
        let j = wcs.jacobian(x - x0 as f64, y - y0 as f64);
        let determinant = j[0][0] * j[1][1] - j[0][1] * j[1][0];
        let (dx, dy) = ((j[1][1] * east - j[0][1] * north) / determinant, (j[0][0] * north - j[1][0] * east) / determinant);
        dy.atan2(dx).to_degrees()
    });
    Morphology::Ellipse { half_light_px, axis_ratio: ((1.0 - g) / (1.0 + g)).max(0.02), angle_deg, bulge }
}

/// Numbers of the sources of a table.
pub(super) fn ids(table: &Table) -> Option<Vec<u64>> {
    match &table.column("OBJ_ID")?.data {
        ColumnData::I64(v) => Some(v.iter().map(|i| *i as u64).collect()),
        _ => table.f64s("OBJ_ID").map(|v| v.iter().map(|i| *i as u64).collect()),
    }
}
