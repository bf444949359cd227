//! Point-source limits on frames: boxes on stars of known brightness, and on places without light.
//!
//! # Formula
//! Box sums `S` in electrons above the background of the extraction, a mesh measured where no order of any star lies. Light of the star: mean of
//! the stars less mean of the empty places. Variance of one exposure `w` by the scatter of a place about its own mean, for stars without the
//! light's own; of what repeats in all exposures of a place (masters, background) `f = Var(means of places) - w / n`; stars and empty places by
//! their degrees of freedom. For N exposures with dithers `N (w + f)`, on the same pixels `N w + N^2 f`.
//! # Symbols
//! n  exposures of a place;  N  exposures of the published limits
//! # Source
//! Definition of the limits: [`super`].
//! # Limits
//! Takes places and light of stars from the truth's list of objects: a figure of validation, not a product. Empty places are the traces of the stars moved along
//! the columns, one for a star, and hidden from the background as the stars are: a background that saw them would follow their noise.

use super::{BANDS, EXPOSURES, ROWS, limit};
use crate::spectra::frames::{SlitlessFrame, of_folders};
use crate::spectra::{catalogue, closure, configuration, extract};
use anyhow::{Context as _, bail};
use instruments::description::{DetectorSpec, Instrument};
use ndarray::{Array2, s};
use sim_core::dispersion::{Grating, Trace};
use sim_core::median::median;
use sim_core::units::Nanometre;
use spectroscopy::extraction::background::Background;
use spectroscopy::extraction::frame::{BAD, Settings};
use spectroscopy::extraction::table;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Pixels from a trace that may hold light: wings of a star of 22 mag are below 0.01 electron beyond.
const REACH: i64 = 12;
/// Displacements of the empty places along the columns: boxes that do not overlap, half-way to stars 170 rows away at most.
const APART: i64 = ROWS as i64 + 1;
/// Displacements on either side.
const PLACES: i64 = 4;
/// Least number of stars of a band, and of empty places.
const LEAST: usize = 3;

/// Limits of a band measured on frames of stars of known brightness, scaled to the published exposures.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Measured {
    /// Band.
    pub band: String,
    /// Stars, empty places and frames.
    pub places: (usize, usize, usize),
    /// Magnitude of the stars.
    pub magnitude: f64,
    /// Background where no light is, mean over the frames and its standard error \[electron / s / pixel\].
    pub sky: (f64, f64),
    /// Mean of the empty boxes \[electron / pixel\]: what the background leaves in them.
    pub left: f64,
    /// Variance of a box without light in one exposure, and of what all exposures of a place share \[electron^2\].
    pub variance: (f64, f64),
    /// Whole band, box, exposures with dithers: limit and its standard error.
    pub band_box: (f64, f64),
    /// The same where all exposures fall on the same pixels.
    pub same_pixels: (f64, f64),
    /// Whole band, sum of the extracted spectrum weighted by what the model expects; `None` without extracted spectra.
    pub band_optimal: Option<(f64, f64)>,
}

/// Rows of a box on either side of its middle.
const HALF: i64 = (ROWS / 2) as i64;

/// Columns of a box and their middle rows \[pixel of the frame\].
type Columns = Vec<(i64, i64)>;

/// A frame and its background \[electron / s\].
struct Prepared<'a> {
    frame: &'a SlitlessFrame,
    background: Background,
}

/// A trace moved by rows; `None` where its box or the neighbours of its pixels leave the frame.
fn place_of(frame: &SlitlessFrame, trace: &Trace, source: (f64, f64), range: (f64, f64), rows: i64) -> Option<Columns> {
    let image = &frame.frame;
    let (ny, nx) = image.rate.dim();
    let (a, b) = (trace.offset(trace.parameter(range.0)).0, trace.offset(trace.parameter(range.1)).0);
    let (a, b) = (a.min(b) + source.0, a.max(b) + source.0);
    let column = |column: i64| {
        let y = source.1 + trace.offset(trace.parameter_of_column(column as f64 - source.0)?).1;
        let (x, row) = (column - image.origin.0 as i64, y.round() as i64 - image.origin.1 as i64 + rows);
        (x >= 2 && x + 2 < nx as i64 && row >= HALF && row + HALF < ny as i64).then_some((x, row))
    };
    (a.round() as i64..b.round() as i64).map(column).collect()
}

/// The rows and column of a column of a box.
fn rows_of((x, row): (i64, i64)) -> (std::ops::RangeInclusive<usize>, usize) {
    ((row - HALF) as usize..=(row + HALF) as usize, x as usize)
}

/// Pixels near an order of a listed star.
fn light(frame: &SlitlessFrame, gratings: &[Grating], places: &[(f64, f64)]) -> Array2<bool> {
    let image = &frame.frame;
    let (ny, nx) = image.rate.dim();
    let mut out = Array2::from_elem((ny, nx), false);
    let range = |middle: f64, origin: usize, n: usize| {
        let at = middle.round() as i64 - origin as i64;
        ((at - REACH).clamp(0, n as i64) as usize)..((at + REACH + 1).clamp(0, n as i64) as usize)
    };
    for place in places {
        for order in gratings.iter().filter(|g| g.opening.share(place.0) > 0.0).flat_map(|g| &g.orders) {
            let trace = order.trace(place.0, place.1);
            let steps = ((trace.offset(1.0).0 - trace.offset(0.0).0).abs() / REACH as f64).ceil().max(1.0) as usize;
            for k in 0..=steps {
                let (x, y) = trace.offset(k as f64 / steps as f64);
                out.slice_mut(s![range(place.1 + y, image.origin.1, ny), range(place.0 + x, image.origin.0, nx)]).fill(true);
            }
        }
    }
    out
}

impl Prepared<'_> {
    /// Sum of a box above the background \[electron / s\]; `None` where too few pixels are good.
    fn boxed(&self, place: &Columns) -> Option<f64> {
        let image = &self.frame.frame;
        let mut sum = 0.0;
        for &(x, row) in place {
            let good = |r: i64, c: i64| {
                let at = (r as usize, c as usize);
                (image.flags[at] & BAD == 0 && image.error[at].is_finite() && image.error[at] > 0.0).then(|| f64::from(image.rate[at]))
            };
            for r in row - HALF..=row + HALF {
                // A pixel that is not good takes the mean of its neighbours along the trace.
                let value = good(r, x).or_else(|| {
                    let near: Vec<f64> = [-2, -1, 1, 2].iter().filter_map(|s| good(r, x + s)).collect();
                    (!near.is_empty()).then(|| near.iter().sum::<f64>() / near.len() as f64)
                });
                sum += value? - self.background.at(x as f64, r as f64);
            }
        }
        Some(sum)
    }
}

/// Box sums \[electron\] by place: object and displacement.
type Sums = BTreeMap<(u64, i64), Vec<f64>>;

/// Signals of a band.
#[derive(Default)]
struct Signals {
    stars: Sums,
    empty: Sums,
    skies: Vec<f64>,
    optimal: Sums,
    magnitudes: Vec<f64>,
    /// Pixels of the boxes.
    pixels: Vec<f64>,
    frames: usize,
}

/// Moments of box sums.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Moments {
    mean: f64,
    /// Variance of a sum about the mean of its place.
    within: f64,
    freedom: f64,
    /// Variance of what the sums of a place share.
    shared: f64,
}

fn moments(sums: &Sums) -> Moments {
    let (mut square, mut freedom) = (0.0, 0.0);
    let means: Vec<f64> = sums.values().map(|v| v.iter().sum::<f64>() / v.len() as f64).collect();
    for (values, mean) in sums.values().zip(&means) {
        square += values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        freedom += values.len() as f64 - 1.0;
    }
    let n = means.len() as f64;
    let mean = means.iter().sum::<f64>() / n;
    let within = if freedom > 0.0 { square / freedom } else { f64::NAN };
    let between = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    // A place with few exposures has a noisier mean.
    let inverse = sums.values().map(|v| 1.0 / v.len() as f64).sum::<f64>() / n;
    Moments { mean, within, freedom, shared: between - within * inverse }
}

/// Limit for a star that gives `light` electrons at a magnitude in one exposure, when all exposures together have a variance; and its standard error.
fn scaled(magnitude: f64, light: f64, variance: f64, freedom: f64, exposures: f64) -> (f64, f64) {
    let snr = |m: f64| {
        let n = exposures * light * 10f64.powf(-0.4 * (m - magnitude));
        n / (n + variance).sqrt()
    };
    (limit(snr), 1.086 / (2.0 * freedom).sqrt())
}

/// Measures the limits on the frames of folders: stars of one magnitude, spectra far from each other.
///
/// # Errors
/// When there are no frames, fewer than three stars or empty places in a band, exposures of another time than the published ones, or a list of objects
/// cannot be read.
pub fn measured(folders: &[PathBuf], configuration: &Path, instrument: &Instrument) -> anyhow::Result<Vec<Measured>> {
    let mut by_band: BTreeMap<String, Signals> = BTreeMap::new();
    for frame in of_folders(folders)? {
        let band = frame.level1.filter.trim().to_string();
        let Some((_, range, _)) = BANDS.iter().find(|b| b.0 == band) else { bail!("{}: band {band} has no limit", frame.path.display()) };
        if (frame.level1.exposure_s - EXPOSURES.1).abs() > 0.5 {
            bail!("{}: {} s, the published limits are of exposures of {} s", frame.path.display(), frame.level1.exposure_s, EXPOSURES.1);
        }
        let gratings: Vec<Grating> = configuration::read(configuration, &band, frame.detector)?.into_iter().map(|c| c.grating).collect();
        let signals = by_band.entry(band).or_default();
        signals.frames += 1;
        boxes(&frame, &gratings, *range, signals)?;
        extracted(&frame, *range, instrument, signals)?;
    }
    by_band.into_iter().map(|(band, signals)| of_band(band, signals)).collect()
}

fn of_band(band: String, mut signals: Signals) -> anyhow::Result<Measured> {
    for (sums, what) in [(&signals.stars, "stars with all of their first order"), (&signals.empty, "places without light")] {
        if sums.len() < LEAST {
            bail!("{band}: {} {what} on the frames, {LEAST} at least are needed", sums.len());
        }
    }
    let magnitude = median(&mut signals.magnitudes).unwrap_or(f64::NAN);
    let (stars, empty) = (moments(&signals.stars), moments(&signals.empty));
    let light = stars.mean - empty.mean;
    let (places, freedom) = ((signals.stars.len() + signals.empty.len()) as f64 - 2.0, stars.freedom + empty.freedom);
    let within = ((stars.within - light) * stars.freedom + empty.within * empty.freedom) / freedom;
    let shared = (stars.shared * (signals.stars.len() - 1) as f64 + empty.shared * (signals.empty.len() - 1) as f64) / places;
    let exposures = EXPOSURES.0;
    let of = |variance: f64, freedom: f64| scaled(magnitude, light, variance, freedom, exposures);
    let n = signals.skies.len() as f64;
    let sky = signals.skies.iter().sum::<f64>() / n;
    let scatter = (signals.skies.iter().map(|v| (v - sky).powi(2)).sum::<f64>() / (n - 1.0).max(1.0) / n).sqrt();
    let optimal = (signals.optimal.len() >= LEAST).then(|| moments(&signals.optimal));
    Ok(Measured {
        places: (signals.stars.len(), signals.empty.len(), signals.frames),
        magnitude,
        sky: (sky, scatter),
        left: empty.mean / median(&mut signals.pixels).unwrap_or(f64::NAN),
        variance: (within, shared),
        band_box: of(exposures * (within + shared), freedom),
        same_pixels: of(exposures * within + exposures * exposures * shared, places),
        // Scatter of the stars themselves: their own noise is in it.
        band_optimal: optimal.map(|m| scaled(magnitude, m.mean, exposures * (m.within + m.shared - m.mean), m.freedom, exposures)),
        band,
    })
}

/// Boxes on the stars of a frame and on empty places beside them.
fn boxes(frame: &SlitlessFrame, gratings: &[Grating], range: (f64, f64), out: &mut Signals) -> anyhow::Result<()> {
    let path = extract::own_list(&frame.path)?;
    let objects = closure::named(&path, "OBJECTS")?;
    let column = |name: &str| objects.f64s(name).with_context(|| format!("{}: column {name} is missing", path.display()));
    let ids = catalogue::ids(&objects).with_context(|| format!("{}: column OBJ_ID", path.display()))?;
    let (ra, dec, magnitudes) = (column("RA")?, column("DEC")?, column("MAG")?);
    let mut stars = Vec::new();
    for (i, id) in ids.iter().enumerate() {
        if let Some(place) = frame.place(ra[i], dec[i])? {
            stars.push((*id, place, magnitudes[i]));
        }
    }
    let mut covered = light(frame, gratings, &stars.iter().map(|s| s.1).collect::<Vec<_>>());
    // Places first, then the background that does not see them.
    let mut places = Vec::new();
    for (id, source, magnitude) in stars {
        let Some(grating) = gratings.iter().find(|g| g.opening.share(source.0) > 0.99) else { continue };
        let Some(order) = grating.orders.iter().find(|o| o.number == 1) else { continue };
        let trace = order.trace(source.0, source.1);
        let Some(star) = place_of(frame, &trace, source, range, 0) else { continue };
        places.push(((id, 0), star));
        out.magnitudes.push(magnitude);
        let free = |place: &Columns| !place.iter().map(|c| rows_of(*c)).any(|(rows, x)| rows.into_iter().any(|r| covered[(r, x)]));
        let moved = (1..=PLACES).flat_map(|k| [k * APART, -k * APART]);
        let empty = moved.filter_map(|rows| Some((rows, place_of(frame, &trace, source, range, rows)?))).find(|(_, place)| free(place));
        if let Some((rows, place)) = empty {
            place.iter().map(|c| rows_of(*c)).for_each(|(rows, x)| covered.slice_mut(s![rows, x]).fill(true));
            places.push(((id, rows), place));
        }
    }
    let settings = Settings::default();
    let covered = covered.mapv(|c| if c { f32::INFINITY } else { 0.0 });
    let background = Background::measure(&frame.frame.image(), Some(covered.view()), settings.mesh_px, settings.faint, BAD);
    out.skies.push(background.mean());
    let prepared = Prepared { frame, background };
    for (key, place) in places {
        let Some(sum) = prepared.boxed(&place) else { continue };
        let sums = if key.1 == 0 { &mut out.stars } else { &mut out.empty };
        sums.entry(key).or_default().push(sum * frame.level1.exposure_s);
        out.pixels.push((place.len() * ROWS) as f64);
    }
    Ok(())
}

/// Whole-band sums of extracted spectra \[electron\] with the weights of an optimal sum for a star of constant f_nu.
fn extracted(frame: &SlitlessFrame, range: (f64, f64), instrument: &Instrument, out: &mut Signals) -> anyhow::Result<()> {
    let folder = frame.path.parent().and_then(Path::parent).map(|p| p.join("spectra"));
    let Some(path) = folder.map(|f| f.join(format!("{}_spec.fits", frame.name()))).filter(|p| p.is_file()) else { return Ok(()) };
    let spec: &DetectorSpec = instrument.detectors.get(&frame.detector).with_context(|| format!("no detector {}", frame.detector))?;
    for spectrum in table::load(&path).with_context(|| path.display().to_string())?.iter().filter(|s| s.order == 1) {
        let (mut top, mut norm, mut all) = (0.0, 0.0, 0.0);
        for (k, nm) in spectrum.wavelength_nm.iter().enumerate().filter(|(_, nm)| **nm >= range.0 && **nm <= range.1) {
            let expected = spec.band.at(Nanometre(*nm)) / nm;
            all += expected;
            if spectrum.rate[k].is_finite() && spectrum.rate_error[k] > 0.0 {
                let weight = expected / spectrum.rate_error[k].powi(2);
                top += weight * spectrum.rate[k];
                norm += weight * expected;
            }
        }
        // In electrons of the whole band, so that the same star has the same signal in every exposure.
        if norm > 0.0 {
            out.optimal.entry((spectrum.id, 0)).or_default().push(top / norm * all * frame.level1.exposure_s);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::noise;
    use sim_core::stream::StreamKey;

    #[test]
    fn a_limit_scales_with_the_exposures() {
        let (one, error) = scaled(22.0, 1000.0, 61_500.0, 200.0, 1.0);
        let (four, _) = scaled(22.0, 1000.0, 4.0 * 61_500.0, 200.0, 4.0);
        assert!((four - one - 0.753).abs() < 0.03 && (error - 0.054).abs() < 0.001, "{one} {four} {error}");
    }

    #[test]
    fn noise_that_repeats_in_all_exposures_is_told_from_noise_that_does_not() {
        // 4000 places of four exposures: 3 electrons each time anew, 2 that stay, and a constant of 7.
        let mut z = vec![0f32; 4000 * 5];
        noise::normals(&StreamKey::new(9).stream(0), 0, &mut z);
        let z = |i: usize| f64::from(z[i]);
        let sums: Sums = (0..4000).map(|p| ((p as u64, 0), (1..5).map(|k| 7.0 + 2.0 * z(5 * p) + 3.0 * z(5 * p + k)).collect())).collect();
        let got = moments(&sums);
        // Errors: 2 / sqrt(4000) and more for the mean, 9 sqrt(2 / 12,000) = 0.12, (4 + 9 / 4) sqrt(2 / 4000) = 0.14.
        assert!((got.mean - 7.0).abs() < 0.2, "{got:?}");
        assert!((got.within - 9.0).abs() < 0.6 && (got.shared - 4.0).abs() < 0.7, "{got:?}");
        assert_eq!(got.freedom, 12_000.0);
    }
}
