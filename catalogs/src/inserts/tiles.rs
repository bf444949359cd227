//! Images cut into tiles, each a source.

use super::region::Kept;
use ndarray::Array2;
use rayon::prelude::*;
use sim_core::bandpass::Bandpass;
use sim_core::source::{Brightness, Component, Lensing, Position, Profile, Source, SourceKind};
use sim_core::spectrum::Sed;
use sim_core::wcs::Wcs;
use std::sync::Arc;

/// Longest side of a tile \[pixel\].
pub(super) const SIDE: usize = 128;
/// First number of inserted sources: above those of synthetic fields (6.8e15), still held by a double.
const FIRST_ID: u64 = 7 << 50;

/// One layer of light of one spectrum: an image, or a spectral bin of a cube.
pub(super) struct Coat {
    /// Light above the background, 0 outside the object.
    pub(super) light: Array2<f32>,
    /// AB magnitude of a value of 1.
    pub(super) zero_point: f64,
    pub(super) band: Arc<Bandpass>,
    pub(super) sed: Sed,
}

/// How far a piece reaches from its middle \[arcsec\].
#[must_use]
pub fn reach_arcsec(piece: &Source) -> f64 {
    let of = |component: &Component| match &component.profile {
        Profile::Image { pixels, axes_arcsec: [u, v] } => {
            let (ny, nx) = pixels.dim();
            0.5 * (nx as f64 * u[0].hypot(v[0]) + ny as f64 * u[1].hypot(v[1]))
        }
        _ => 0.0,
    };
    piece.components.iter().map(of).fold(0.0, f64::max)
}

/// Light of the kept pixels above a background.
pub(super) fn light(mut image: Array2<f32>, kept: &Kept, background: f64) -> Array2<f32> {
    image.zip_mut_with(&kept.mask, |v, keep| *v = if *keep && v.is_finite() { (f64::from(*v) - background) as f32 } else { 0.0 });
    image
}

/// Their sum in double precision.
pub(super) fn sum<'a>(values: impl Iterator<Item = &'a f32>) -> f64 {
    values.map(|v| f64::from(*v)).sum()
}

/// First and last + 1 of the kept rows and columns in a block; `None` when nothing is kept there.
fn trimmed(mask: &Array2<bool>, rows: (usize, usize), columns: (usize, usize)) -> Option<((usize, usize), (usize, usize))> {
    let row = |y: &usize| (columns.0..columns.1).any(|x| mask[(*y, x)]);
    let column = |x: &usize| (rows.0..rows.1).any(|y| mask[(y, *x)]);
    let (y0, y1) = ((rows.0..rows.1).find(row)?, (rows.0..rows.1).rfind(row)? + 1);
    let (x0, x1) = ((columns.0..columns.1).find(column)?, (columns.0..columns.1).rfind(column)? + 1);
    // An image has two pixels a side at least: one more, of no light, towards the inside of the picture.
    let wide = |(from, to): (usize, usize), size: usize| {
        if to - from > 1 {
            (from, to)
        } else if to < size {
            (from, to + 1)
        } else {
            (from - 1, to)
        }
    };
    let (ny, nx) = mask.dim();
    Some((wide((y0, y1), ny), wide((x0, x1), nx)))
}

/// The tiles of all coats as sources; also the tiles without light and their share of the light.
pub(super) fn sources(coats: &[Coat], kept: &Kept, wcs: &Wcs, index: usize) -> (Vec<Source>, (usize, f64)) {
    let (ny, nx) = kept.mask.dim();
    let blocks: Vec<(usize, usize)> = (0..ny.div_ceil(SIDE)).flat_map(|j| (0..nx.div_ceil(SIDE)).map(move |i| (j, i))).collect();
    type Tile = (Option<Source>, usize, f64);
    let tile = |(number, (j, i)): (usize, &(usize, usize))| -> Tile {
        let block = |k: usize, size: usize| (k * SIDE, ((k + 1) * SIDE).min(size));
        let Some(((y0, y1), (x0, x1))) = trimmed(&kept.mask, block(*j, ny), block(*i, nx)) else { return (None, 0, 0.0) };
        let (x, y) = (0.5 * (x0 + x1 - 1) as f64, 0.5 * (y0 + y1 - 1) as f64);
        let (mut components, mut dark, mut lost) = (Vec::new(), 0, 0.0);
        for coat in coats {
            let part = coat.light.slice(ndarray::s![y0..y1, x0..x1]);
            let total = sum(part.iter());
            let magnitude = coat.zero_point - 2.5 * total.log10();
            if !(total > 0.0 && magnitude > -30.0 && magnitude < 55.0) {
                (dark, lost) = (dark + 1, lost + total.abs());
                continue;
            }
            let profile = Profile::Image { pixels: Arc::new(part.to_owned()), axes_arcsec: wcs.jacobian(x, y) };
            components.push(Component {
                profile,
                sed: coat.sed.clone(),
                brightness: Brightness::Ab { magnitude, band: coat.band.clone() },
            });
        }
        let (ra_deg, dec_deg) = wcs.sky_from_pixel(x, y);
        let source = (!components.is_empty()).then(|| Source {
            id: FIRST_ID + ((index as u64) << 24) + number as u64,
            kind: SourceKind::Insert,
            position: Position::Sky { ra_deg, dec_deg },
            components,
            lensing: Lensing::default(),
            redshift: coats[0].sed.redshift,
            motion: None,
            seen: None,
        });
        (source, dark, lost)
    };
    let tiles: Vec<Tile> = blocks.par_iter().enumerate().map(tile).collect();
    let all: f64 = coats.iter().map(|c| sum(c.light.iter()).abs()).sum();
    let left_out = tiles.iter().fold((0, 0.0), |(n, lost), t| (n + t.1, lost + t.2 / all));
    (tiles.into_iter().filter_map(|t| t.0).collect(), left_out)
}
