//! What the detectors see of the sky: exposures and seconds in each HEALPix cell, band by band.
//!
//! # Formula
//! A cell is seen by a detector when its centre lies on it, in the tangent plane of the pointing.
//! # Symbols
//! Cells: HEALPix, NESTED, of one order
//! # Source
//! HEALPix: Gorski et al. 2005 (ApJ 622, 759), through `cdshealpix`; judged by healpy and mocpy in `peers/pointing_astropy.py`
//! # Limits
//! Cells that are cut by an edge count whole or not: over a detector of side s the area is right to some `cell / s` of a per cent, without bias. No
//! distortion, no dead pixels.

mod files;
mod moc;
mod picture;

pub use moc::Moc;
pub use picture::{Shown, picture};

use crate::Target;
use crate::focal_plane::FocalPlane;
use cdshealpix::nested;
use rayon::prelude::*;
use sim_core::direction::{Vector, dot, vector};
use std::collections::BTreeMap;

/// Orders by which a tile of work is coarser than the map: 1024 cells.
const TILE_ORDERS: u8 = 5;

/// Why a map cannot be made or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoverageError {
    /// The order of the map is out of range.
    #[error("order = {order} is outside 5..13 (cells of 1.8 deg to 26 arcsec)")]
    Order {
        /// Order asked for.
        order: u8,
    },
    /// A band is not in the map.
    #[error("no band `{band}`; the map has {known}")]
    Band {
        /// Band asked for.
        band: String,
        /// Bands there are.
        known: String,
    },
    /// A file cannot be written.
    #[error("{path}: {reason}")]
    File {
        /// File.
        path: String,
        /// Why.
        reason: String,
    },
}

/// Depth of the cells that were seen at least once.
#[derive(Debug, Clone, PartialEq)]
pub struct Coverage {
    /// Order of the cells.
    pub order: u8,
    /// Bands, in the order of the focal plane.
    pub bands: Vec<String>,
    /// Numbers of the cells (NESTED), rising.
    pub cells: Vec<u64>,
    /// Exposures: `[band][cell]`.
    pub exposures: Vec<Vec<u32>>,
    /// Seconds: `[band][cell]`.
    pub seconds: Vec<Vec<f32>>,
}

/// Depth of the cells of a tile: of each band in turn.
struct Tile {
    exposures: Vec<u32>,
    seconds: Vec<f32>,
}

impl Coverage {
    /// Of exposures with a focal plane, in cells of an order (10: 3.4 arcmin, 12: 52 arcsec).
    ///
    /// # Errors
    /// For orders outside 5..13.
    pub fn of<'t>(targets: impl IntoIterator<Item = &'t Target>, plane: &FocalPlane, order: u8) -> Result<Self, CoverageError> {
        if !(5..=13).contains(&order) {
            return Err(CoverageError::Order { order });
        }
        let targets: Vec<&Target> = targets.into_iter().collect();
        let bands = plane.bands();
        let band_of: Vec<usize> = plane.detectors.iter().map(|d| bands.iter().position(|b| *b == d.band).unwrap_or(0)).collect();
        let coarse = order - TILE_ORDERS;
        let mut tiles = BTreeMap::<u64, Vec<usize>>::new();
        for (k, t) in targets.iter().enumerate() {
            let near = nested::cone_coverage_approx(coarse, t.ra_deg.to_radians(), t.dec_deg.to_radians(), plane.radius_deg().to_radians());
            for cell in near.flat_iter() {
                tiles.entry(cell).or_default().push(k);
            }
        }
        let size = 1_usize << (2 * TILE_ORDERS);
        let tiles: Vec<(u64, Vec<usize>)> = tiles.into_iter().collect();
        let filled: Vec<Tile> =
            tiles.par_iter().map(|(tile, near)| fill(*tile * size as u64, near, &targets, plane, &band_of, order)).collect();
        let mut out =
            Self { order, exposures: vec![Vec::new(); bands.len()], seconds: vec![Vec::new(); bands.len()], bands, cells: Vec::new() };
        for ((tile, _), content) in tiles.iter().zip(&filled) {
            for k in 0..size {
                if (0..out.bands.len()).all(|band| content.exposures[band * size + k] == 0) {
                    continue;
                }
                out.cells.push(tile * size as u64 + k as u64);
                for band in 0..out.bands.len() {
                    out.exposures[band].push(content.exposures[band * size + k]);
                    out.seconds[band].push(content.seconds[band * size + k]);
                }
            }
        }
        Ok(out)
    }
    /// Solid angle of a cell \[deg2\].
    #[must_use]
    pub fn cell_deg2(&self) -> f64 {
        129_600.0 / std::f64::consts::PI / nested::n_hash(self.order) as f64
    }
    /// The place of a band in [`Self::bands`].
    ///
    /// # Errors
    /// When the map has no such band.
    pub fn band(&self, band: &str) -> Result<usize, CoverageError> {
        let unknown = || CoverageError::Band { band: band.into(), known: self.bands.join(", ") };
        self.bands.iter().position(|b| b == band).ok_or_else(unknown)
    }
    /// Cells with at least so many exposures in a band.
    ///
    /// # Errors
    /// When the map has no such band.
    pub fn cells_at_depth(&self, band: &str, exposures: u32) -> Result<impl Iterator<Item = u64>, CoverageError> {
        let depth = &self.exposures[self.band(band)?];
        Ok(self.cells.iter().zip(depth).filter(move |(_, n)| **n >= exposures).map(|(c, _)| *c))
    }
    /// Solid angle with at least so many exposures in a band \[deg2\].
    ///
    /// # Errors
    /// When the map has no such band.
    pub fn area_deg2(&self, band: &str, exposures: u32) -> Result<f64, CoverageError> {
        Ok(self.cells_at_depth(band, exposures)?.count() as f64 * self.cell_deg2())
    }
}

fn fill(first: u64, near: &[usize], targets: &[&Target], plane: &FocalPlane, band_of: &[usize], order: u8) -> Tile {
    let size = 1_usize << (2 * TILE_ORDERS);
    let centres: Vec<Vector> = (0..size as u64)
        .map(|k| {
            let (lon, lat) = nested::center(order, first + k);
            vector(lon.to_degrees(), lat.to_degrees())
        })
        .collect();
    let bands = band_of.iter().max().map_or(0, |m| m + 1);
    let mut tile = Tile { exposures: vec![0; bands * size], seconds: vec![0.0; bands * size] };
    let [(x0, x1), (y0, y1)] = plane.extent_deg();
    let least = plane.radius_deg().to_radians().cos() - 1e-12;
    for &k in near {
        let attitude = targets[k].attitude();
        for (cell, centre) in centres.iter().enumerate() {
            if dot(centre, &attitude.boresight) < least {
                continue;
            }
            let Some((x, y)) = attitude.mosaic_from_sky(centre) else { continue };
            if !(x0..=x1).contains(&x) || !(y0..=y1).contains(&y) {
                continue;
            }
            for (detector, band) in plane.detectors.iter().zip(band_of) {
                if detector.contains(x, y) {
                    tile.exposures[band * size + cell] += 1;
                    tile.seconds[band * size + cell] += targets[k].exposure_s as f32;
                }
            }
        }
    }
    tile
}

#[cfg(test)]
mod tests;
