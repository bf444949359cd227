//! Zeroth orders: how many first orders have one, and how well they are found on frames.
//!
//! # Formula
//! Geometry: of sources evenly spread over and around a detector, those whose first order has its middle on the array, and the share of them whose zeroth order has too.
//! Frames: completeness is the share of true zeroth orders whose source was paired with an image within 1.5 pixel of the truth; purity the share of pairs that are.
//! The significance that a zeroth order should have is `e / sqrt(e + 4 pi s^2 v)`, v the variance of a pixel of sky, `s^2 = p^2 + 2 (r / 1.678)^2`.
//! # Symbols
//! e  electrons of the zeroth order by the truth;  p  width of a star's image, 1.4 pixel (assumed);  r  half-light radius of the source \[pixel\]
//! # Source
//! Noise of a matched filter, whose noise is that of `1 / int I^2` pixels: `4 pi p^2` for a Gaussian, `8 pi h^2` for a disc of scale h, r = 1.678 h. The published claim is that nearly all first orders have a zeroth order (arXiv:2511.06917).
//! # Limits
//! Bulges are more compact than the discs that the significance takes all galaxies for, and those turned on edge too. The gratings are as drawn. Sources off the array are seen by the grating nearest to them: mirrors and masks that would stop their light are not public.

use super::frames::{SlitlessFrame, of_folders};
use anyhow::Context as _;
use instruments::description::Instrument;
use instruments::optics::slitless;
use sim_core::fits::{Data, Hdu, Header};
use sim_core::median::median;
use sim_core::table::{Column, ColumnData, Table};
use spectroscopy::extraction::response::ready;
use spectroscopy::extraction::{Morphology, Source};
use spectroscopy::position::{Position, coverage};
use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::path::Path;

/// Distance of sources in the geometry \[pixel\].
const SPACING_PX: f64 = 96.0;
/// How far beyond the array sources are looked at \[pixel\].
const AROUND_PX: f64 = 2000.0;
/// Width of a zeroth order's image (assumed) \[pixel\].
const SIGMA_PX: f64 = 1.4;
/// Half-light radius of a disc in its scale lengths.
const DISC: f64 = 1.678;
/// Distance from the truth within which an image is the right one \[pixel\].
const RIGHT_PX: f64 = 1.5;
/// Name of the table.
pub const NAME: &str = "ZEROTH";

/// Zeroth orders of a detector by its geometry.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Geometry {
    /// Detector.
    pub detector: u16,
    /// Its band.
    pub band: String,
    /// Share of the first orders on the array whose zeroth order is on it.
    pub share: f64,
    /// The same of sources that are themselves on the array.
    pub own: f64,
}

/// Shares by detector.
///
/// # Errors
/// When gratings cannot be laid out.
pub fn geometry(instrument: &Instrument) -> anyhow::Result<Vec<Geometry>> {
    let mut out = Vec::new();
    for spec in instrument.detectors.values().filter(|d| d.grating.is_some()) {
        let gratings = slitless::nominal_gratings(spec)?;
        let orders = ready(&gratings, instrument.area_cm2)?;
        let window = spec.geometry.full_window();
        let (nx, ny) = (window.nx as f64, window.ny as f64);
        let along = |size: f64| (0..((size + 2.0 * AROUND_PX) / SPACING_PX) as usize).map(|k| SPACING_PX * (k as f64 + 0.5) - AROUND_PX);
        let sources: Vec<Source> = along(ny)
            .flat_map(|y| along(nx).map(move |x| (x, y)))
            .map(|(x, y)| Source { id: 0, x, y, morphology: Morphology::Point, photometry: None })
            .collect();
        let inside: Vec<Source> = sources.iter().filter(|s| s.x >= 0.0 && s.x < nx && s.y >= 0.0 && s.y < ny).cloned().collect();
        out.push(Geometry {
            detector: spec.geometry.number,
            band: spec.geometry.filter.clone(),
            share: coverage(window, &gratings, &orders, &sources).fraction(),
            own: coverage(window, &gratings, &orders, &inside).fraction(),
        });
    }
    Ok(out)
}

/// Table of the zeroth orders that were looked for on a frame.
#[must_use]
pub fn table(position: &Position) -> Hdu {
    let paired: BTreeMap<usize, usize> = position.matched.iter().copied().collect();
    let found = |f: &dyn Fn(&spectroscopy::position::Detection) -> f64| {
        let value = |i: usize| paired.get(&i).and_then(|k| position.detections.get(*k)).map_or(f64::NAN, f);
        ColumnData::F64((0..position.predicted.len()).map(value).collect())
    };
    let predicted = |f: &dyn Fn(&spectroscopy::position::Predicted) -> f64| ColumnData::F64(position.predicted.iter().map(f).collect());
    let columns = vec![
        Column::new("ID", "", "number of the source", ColumnData::I64(position.predicted.iter().map(|p| p.id as i64).collect())),
        Column::new("X_CAT", "pixel", "column by catalogue and configuration, 0-based on the detector", predicted(&|p| p.x)),
        Column::new("Y_CAT", "pixel", "row of the same", predicted(&|p| p.y)),
        Column::new("RATE_CAT", "electron / s", "rate by the catalogue's photometry", predicted(&|p| p.rate)),
        Column::new("X", "pixel", "column of the image paired with it, NaN without", found(&|d| d.x)),
        Column::new("Y", "pixel", "row of the same", found(&|d| d.y)),
        Column::new("RATE", "electron / s", "its rate", found(&|d| d.rate)),
        Column::new("SNR", "", "its significance", found(&|d| d.sigma)),
    ];
    let mut header = Header::default();
    header.set("NIMAGES", position.detections.len() as i64, "images found, paired or not");
    Hdu::new(NAME, header, Data::Table(Table { name: NAME.into(), columns }))
}

/// How zeroth orders of some brightness were found.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Found {
    /// Expected significance, from and to.
    pub snr: (f64, f64),
    /// True zeroth orders on the frames, of sources in the catalogue.
    pub there: usize,
    /// Those paired with their own image.
    pub right: usize,
    /// Those paired with another image.
    pub wrong: usize,
}

/// Completeness and purity of pairs on the frames of a folder with extracted spectra.
///
/// # Errors
/// When spectra or truth cannot be read.
pub fn found(folder: &Path) -> anyhow::Result<Vec<Found>> {
    const EDGES: [f64; 6] = [0.0, 3.0, 6.0, 10.0, 20.0, f64::INFINITY];
    let mut out: Vec<Found> = EDGES.windows(2).map(|e| Found { snr: (e[0], e[1]), there: 0, right: 0, wrong: 0 }).collect();
    for frame in of_folders(&[folder.to_path_buf()])? {
        let path = folder.join("spectra").join(format!("{}_spec.fits", frame.name()));
        let pairs = pairs(&path)?;
        for (id, x, y, snr) in truth(&frame)? {
            let Some(row) = out.iter_mut().find(|row| snr >= row.snr.0 && snr < row.snr.1) else { continue };
            row.there += 1;
            match pairs.get(&id) {
                Some(at) if (at.0 - x).hypot(at.1 - y) <= RIGHT_PX => row.right += 1,
                Some(_) => row.wrong += 1,
                None => {}
            }
        }
    }
    Ok(out)
}

/// Places of the images that were paired, by source.
fn pairs(path: &Path) -> anyhow::Result<BTreeMap<u64, (f64, f64)>> {
    let table = super::closure::named(path, NAME)?;
    let column = |name: &str| table.f64s(name).with_context(|| format!("{}: column {name} is missing", path.display()));
    let ids = match table.column("ID").map(|c| &c.data) {
        Some(ColumnData::I64(v)) => v.clone(),
        _ => anyhow::bail!("{}: column ID is missing", path.display()),
    };
    let (x, y) = (column("X")?, column("Y")?);
    Ok(ids.into_iter().zip(x.into_iter().zip(y)).filter(|(_, at)| at.0.is_finite()).map(|(id, at)| (id as u64, at)).collect())
}

/// Significance of an image of some electrons and half-light radius \[pixel\] where a pixel of sky has a variance \[electron^2\].
fn significance(electrons: f64, half_light: f64, variance: f64) -> f64 {
    let square = SIGMA_PX.powi(2) + 2.0 * (half_light / DISC).powi(2);
    electrons / (electrons + 4.0 * PI * square * variance).sqrt()
}

/// Number, place and expected significance of the zeroth orders on a frame.
fn truth(frame: &SlitlessFrame) -> anyhow::Result<Vec<(u64, f64, f64, f64)>> {
    let path = super::extract::own_list(&frame.path)?;
    let table = super::closure::named(&path, "ORDERS")?;
    let column = |name: &str| table.f64s(name).with_context(|| format!("{}: column {name} is missing", path.display()));
    let ids = super::catalogue::ids(&table).with_context(|| format!("{}: column OBJ_ID is missing", path.display()))?;
    let (order, electrons) = (column("ORDER")?, column("ELECTRONS")?);
    let ends = [column("X_BLUE")?, column("X_RED")?, column("Y_BLUE")?, column("Y_RED")?];
    let objects = super::closure::named(&path, "OBJECTS")?;
    let sizes = objects.f64s("HLR").with_context(|| format!("{}: column HLR is missing", path.display()))?;
    let names = super::catalogue::ids(&objects).with_context(|| format!("{}: column OBJ_ID is missing", path.display()))?;
    let half_light: BTreeMap<u64, f64> = names.into_iter().zip(sizes).collect();
    let time_s = frame.level1.exposure_s;
    let mut errors: Vec<f64> = frame.frame.error.iter().step_by(101).map(|e| f64::from(*e)).filter(|e| e.is_finite() && *e > 0.0).collect();
    let variance = (median(&mut errors).unwrap_or(0.0) * time_s).powi(2);
    let (x0, y0) = (frame.level1.window.0 as f64, frame.level1.window.1 as f64);
    let (ny, nx) = frame.frame.rate.dim();
    let mut out = Vec::new();
    for i in (0..ids.len()).filter(|i| order[*i] == 0.0) {
        let (x, y) = (0.5 * (ends[0][i] + ends[1][i]), 0.5 * (ends[2][i] + ends[3][i]));
        // An image at the very edge is not whole.
        let within = |v: f64, from: f64, size: usize| v > from + 4.0 && v < from + size as f64 - 5.0;
        if within(x, x0, nx) && within(y, y0, ny) {
            let size = half_light.get(&ids[i]).map_or(0.0, |r| r / frame.level1.pixel_scale_arcsec);
            out.push((ids[i], x, y, significance(electrons[i], size, variance)));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_galaxy_is_less_significant_than_a_star_of_its_light() {
        // Noise of 4 pi 1.96 x 77 = 1896 electron^2, and of 8 pi 16 x 77 = 30,970 more for a disc of h = 4 pixels.
        let (star, galaxy) = (significance(3000.0, 0.0, 77.0), significance(3000.0, 4.0 * DISC, 77.0));
        assert!(
            (star - 3000.0 / 4896.0_f64.sqrt()).abs() < 0.05 && (galaxy - 3000.0 / 35_860.0_f64.sqrt()).abs() < 0.05,
            "{star} {galaxy}"
        );
    }

    #[test]
    fn first_orders_without_a_zeroth_are_those_of_sources_off_the_array() {
        let msc = instruments::description::load("msc").unwrap();
        let all = geometry(&msc).unwrap();
        assert_eq!(all.len(), 12);
        for g in &all {
            // Orders point inwards: about 900 columns on either side of 9216 are of sources beyond the edges.
            assert!(g.own > 0.97 && (g.share - (1.0 - 2.0 * 900.0 / 9216.0)).abs() < 0.06, "{g:?}");
        }
    }
}
