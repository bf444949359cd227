//! How spectra close on the truth: configurations against the gratings as built, spectra against noiseless ones, redshifts against the catalogue's.
//!
//! # Formula
//! Trace: distance of the calibrated place of a wavelength from the true one across the trace; wavelength: along it, over 9 x 9 places and 21 wavelengths of a grating's
//! half of the detector. Flux: `sum rate / sum truth` of the unflagged elements of a spectrum. Pull: `(rate - truth * G) / error`, G a Gaussian of the spectrum's line width.
//! Redshift: `sigma_NMAD = 1.4826 median |dz - median dz|`, dz = (z - z_true) / (1 + z_true); outliers have |dz| > 0.02.

use super::extract::own_list;
use super::frames::{SlitlessFrame, of_folders};
use super::{configuration, side};
use anyhow::Context as _;
use instruments::description::Instrument;
use instruments::optics::slitless;
use sim_core::dispersion::{Grating, Order};
use sim_core::fits::{self, Data};
use sim_core::frame::Window;
use sim_core::median::SIGMA_PER_MAD;
use sim_core::table::Table;
use sim_core::units::Nanometre;
use spectroscopy::extraction::table;
use spectroscopy::redshift::{Class, SourceRedshift};
use spectroscopy::spectrum::Extracted;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Error of a redshift, over 1 + z, from which it is wrong.
const OUTLIER: f64 = 0.02;

/// A calibrated order against the true one.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct OrderClosure {
    /// Detector, side and order.
    pub name: String,
    /// Root mean square across the trace \[pixel\].
    pub trace_px: f64,
    /// Root mean square along it \[pixel\].
    pub wavelength_px: f64,
    /// Largest error along it \[pixel\].
    pub wavelength_worst_px: f64,
    /// Root mean square and largest error of the sensitivity where it is above a tenth of its peak, shares.
    pub sensitivity: (f64, f64),
}

/// Compares the orders of configurations with the gratings as built, over a window of the detector.
///
/// # Errors
/// When a configuration cannot be read.
pub fn configurations(folder: &Path, instrument: &Instrument, detector: u16, window: Option<Window>) -> anyhow::Result<Vec<OrderClosure>> {
    let spec = instrument.detectors.get(&detector).with_context(|| format!("{} has no detector {detector}", instrument.name))?;
    let found = configuration::read(folder, &spec.geometry.filter, detector)?;
    let truth = slitless::gratings(spec)?;
    let window = window.unwrap_or_else(|| spec.geometry.full_window());
    let mut out = Vec::new();
    for (number, (conf, truth)) in found.iter().zip(&truth).enumerate() {
        for order in &conf.grating.orders {
            if let Some(exact) = truth.orders.iter().find(|o| o.number == order.number) {
                let name = format!("{}{detector:02} {} {:+}", spec.geometry.filter, side(number), order.number);
                out.push(order_closure(name, order, exact, truth, window));
            }
        }
    }
    Ok(out)
}

fn order_closure(name: String, order: &Order, exact: &Order, grating: &Grating, window: Window) -> OrderClosure {
    let (x0, x1, ny) = (window.x0 as f64, (window.x0 + window.nx) as f64, window.ny as f64);
    let (from, to) = (grating.opening.from.max(x0), grating.opening.to.min(x1));
    let (low, high) = exact.efficiency.range_nm();
    let peak = exact.efficiency.efficiency().iter().copied().fold(0.0, f64::max);
    let bright: Vec<f64> = (0..=200)
        .map(|k| low + (high - low) * f64::from(k) / 200.0)
        .filter(|nm| exact.efficiency.at(Nanometre(*nm)) > 0.1 * peak)
        .collect();
    let (mut across, mut along, mut worst, mut count) = (0.0, 0.0, 0.0_f64, 0.0);
    for i in 0..81 {
        let (x, y) = (from + (to - from) * (f64::from(i % 9) + 0.5) / 9.0, window.y0 as f64 + ny * (f64::from(i / 9) + 0.5) / 9.0);
        let (a, b) = (order.trace(x, y), exact.trace(x, y));
        for nm in bright.iter().step_by(10) {
            let (ta, tb) = (a.parameter(*nm), b.parameter(*nm));
            let ((ax, ay), (bx, by)) = (a.offset(ta), b.offset(tb));
            let (ux, uy) = b.direction(tb);
            let norm = ux.hypot(uy);
            // An order without dispersion has no direction: columns and rows stand for along and across.
            let (ux, uy) = if norm < 1e-3 { (1.0, 0.0) } else { (ux / norm, uy / norm) };
            let (dx, dy) = (ax - bx, ay - by);
            let (l, c) = (dx * ux + dy * uy, dy * ux - dx * uy);
            across += c * c;
            along += l * l;
            worst = worst.max(l.abs());
            count += 1.0;
        }
    }
    let ratios: Vec<f64> =
        bright.iter().map(|nm| order.efficiency.at(Nanometre(*nm)) / exact.efficiency.at(Nanometre(*nm)) - 1.0).collect();
    let rms = (ratios.iter().map(|r| r * r).sum::<f64>() / ratios.len() as f64).sqrt();
    let largest = ratios.iter().map(|r| r.abs()).fold(0.0, f64::max);
    let root = |sum: f64| (sum / count).sqrt();
    OrderClosure { name, trace_px: root(across), wavelength_px: root(along), wavelength_worst_px: worst, sensitivity: (rms, largest) }
}

/// Spectra of a range of brightness against their noiseless ones.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct FluxClosure {
    /// Median signal to noise per element, from and to.
    pub snr: (f64, f64),
    /// Spectra.
    pub spectra: usize,
    /// Median ratio of rates, and half of the range of the middle 68 %.
    pub ratio: (f64, f64),
    /// Robust width of the pulls of all elements, 1.4826 median |pull|.
    pub pull_width: f64,
    /// Elements used.
    pub elements: usize,
}

/// Compares all spectra of a folder with the noiseless ones of its truth.
///
/// # Errors
/// When spectra or truth cannot be read.
pub fn fluxes(folder: &Path) -> anyhow::Result<Vec<FluxClosure>> {
    const EDGES: [f64; 6] = [1.0, 3.0, 5.0, 10.0, 30.0, f64::INFINITY];
    let mut rows: Vec<(f64, f64, Vec<f64>)> = Vec::new();
    for frame in of_folders(&[folder.to_path_buf()])? {
        let path = folder.join("spectra").join(format!("{}_spec.fits", frame.name()));
        let truth = truth_spectra(&frame)?;
        for spectrum in table::load(&path)?.iter().filter(|s| s.order == 1) {
            if let Some(truth) = truth.get(&(spectrum.id, spectrum.grating))
                && let Some(row) = against(spectrum, truth, frame.level1.exposure_s)
            {
                rows.push(row);
            }
        }
    }
    Ok(EDGES
        .windows(2)
        .map(|edge| {
            let of: Vec<&(f64, f64, Vec<f64>)> = rows.iter().filter(|r| r.0 >= edge[0] && r.0 < edge[1]).collect();
            let ratios: Vec<f64> = of.iter().map(|r| r.1).collect();
            let pulls: Vec<f64> = of.iter().flat_map(|r| r.2.iter().map(|p| p.abs())).collect();
            FluxClosure {
                snr: (edge[0], edge[1]),
                spectra: of.len(),
                ratio: (quantile(&ratios, 0.5), 0.5 * (quantile(&ratios, 0.84) - quantile(&ratios, 0.16))),
                pull_width: SIGMA_PER_MAD * quantile(&pulls, 0.5),
                elements: pulls.len(),
            }
        })
        .collect())
}

/// Wavelengths \[nm\] and electrons per column, by source and grating.
type TrueSpectra = BTreeMap<(u64, usize), Vec<(f64, f64)>>;

/// The noiseless spectra of first orders.
fn truth_spectra(frame: &SlitlessFrame) -> anyhow::Result<TrueSpectra> {
    let path = own_list(&frame.path)?;
    let table = named(&path, "SPECTRA")?;
    let column = |name: &str| table.f64s(name).with_context(|| format!("{}: column {name} is missing", path.display()));
    let id = super::catalogue::ids(&table).with_context(|| format!("{}: column OBJ_ID is missing", path.display()))?;
    let (order, grating) = (column("ORDER")?, column("GRATING")?);
    let (nm, electrons) = (column("WAVELENGTH")?, column("ELECTRONS")?);
    let mut out = TrueSpectra::new();
    for i in (0..table.rows()).filter(|i| order[*i] == 1.0) {
        out.entry((id[i], grating[i] as usize)).or_default().push((nm[i], electrons[i]));
    }
    out.values_mut().for_each(|spectrum| spectrum.sort_by(|a, b| a.0.total_cmp(&b.0)));
    Ok(out)
}

pub(super) fn named(path: &Path, name: &str) -> anyhow::Result<Table> {
    let found = fits::read(path)?.into_iter().find_map(|hdu| match hdu.data {
        Data::Table(table) if hdu.name == name => Some(table),
        _ => None,
    });
    found.with_context(|| format!("{}: no table {name}", path.display()))
}

/// Median signal to noise, ratio of rates, and pulls of a spectrum; `None` with too few elements.
fn against(spectrum: &Extracted, truth: &[(f64, f64)], time_s: f64) -> Option<(f64, f64, Vec<f64>)> {
    if truth.len() < 20 || spectrum.wavelength_nm.len() < 20 {
        return None;
    }
    let step = (truth[truth.len() - 1].0 - truth[0].0) / (truth.len() - 1) as f64;
    let sigma = (spectrum.line_fwhm_nm / 2.354_820_045 / step).max(0.1);
    let reach = (4.0 * sigma).ceil() as i64;
    let smooth: Vec<f64> = (0..truth.len() as i64)
        .map(|i| {
            let near = (-reach..=reach).filter_map(|d| truth.get(usize::try_from(i + d).ok()?).map(|p| (d, p.1)));
            let (sum, weight) = near.fold((0.0, 0.0), |(s, w), (d, e)| {
                let g = (-0.5 * (d as f64 / sigma).powi(2)).exp();
                (s + g * e, w + g)
            });
            sum / weight / time_s
        })
        .collect();
    let at = |nm: f64| {
        let i = truth.partition_point(|p| p.0 <= nm);
        (i > 0 && i < truth.len()).then(|| {
            let t = (nm - truth[i - 1].0) / (truth[i].0 - truth[i - 1].0);
            smooth[i - 1] + t * (smooth[i] - smooth[i - 1])
        })
    };
    let (mut rate, mut exact, mut pulls, mut snr) = (0.0, 0.0, Vec::new(), Vec::new());
    for k in 0..spectrum.wavelength_nm.len() {
        let (r, e) = (spectrum.rate[k], spectrum.rate_error[k]);
        let (true, Some(t)) = (r.is_finite() && e > 0.0 && e.is_finite(), at(spectrum.wavelength_nm[k])) else { continue };
        rate += r;
        exact += t;
        pulls.push((r - t) / e);
        snr.push(t / e);
    }
    (pulls.len() >= 20 && exact > 0.0).then(|| (quantile(&snr, 0.5), rate / exact, pulls))
}

/// Redshifts of sources of some brightness.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct RedshiftClosure {
    /// Least median signal to noise per element in GI, or faintest AB magnitude.
    pub least: f64,
    /// Galaxies and quasars whose spectra are as good, those with a redshift that is measured, and those called reliable.
    pub sources: (usize, usize, usize),
    /// sigma_NMAD of all, and of the reliable.
    pub nmad: (f64, f64),
    /// Share of outliers of all, and of the reliable.
    pub outliers: (f64, f64),
    /// Share of right classes (star or not), stars included.
    pub class: f64,
}

/// Redshifts against the catalogue the frames were made of.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct RedshiftTables {
    /// By signal to noise in GI, at least.
    pub by_snr: Vec<RedshiftClosure>,
    /// By magnitude in the band of the reddest detector, at most.
    pub by_magnitude: Vec<RedshiftClosure>,
}

/// Compares redshifts with those of the catalogue the frames in `folders` were made of.
///
/// # Errors
/// When the truth cannot be read.
pub fn redshifts(folders: &[PathBuf], results: &[SourceRedshift]) -> anyhow::Result<RedshiftTables> {
    // Redshift, magnitude and the band that it is in.
    let mut truth: BTreeMap<u64, (f64, f64, String)> = BTreeMap::new();
    for frame in of_folders(folders)? {
        let path = own_list(&frame.path)?;
        let table = named(&path, "OBJECTS")?;
        let column = |name: &str| table.f64s(name).with_context(|| format!("{}: column {name} is missing", path.display()));
        let ids = super::catalogue::ids(&table).with_context(|| format!("{}: column OBJ_ID is missing", path.display()))?;
        for ((id, z), m) in ids.into_iter().zip(column("REDSHIFT")?).zip(column("MAG")?) {
            let red = frame.level1.filter.trim() == "GI" || truth.get(&id).is_none_or(|known| known.2 != "GI");
            if red {
                truth.insert(id, (z, m, frame.level1.filter.trim().to_string()));
            }
        }
    }
    let known: Vec<(&SourceRedshift, f64, f64)> = results.iter().filter_map(|r| truth.get(&r.id).map(|t| (r, t.0, t.1))).collect();
    let row = |least: f64, keep: &dyn Fn(&SourceRedshift, f64) -> bool| {
        let of: Vec<(&SourceRedshift, f64)> = known.iter().filter(|(r, _, m)| keep(r, *m)).map(|(r, z, _)| (*r, *z)).collect();
        closed(least, &of)
    };
    Ok(RedshiftTables {
        by_snr: [1.0, 3.0, 5.0, 10.0].map(|least| row(least, &|r, _| r.snr[2] >= least)).to_vec(),
        by_magnitude: [19.0, 20.0, 21.0, 22.0, 23.0].map(|faint| row(faint, &|_, m| m <= faint)).to_vec(),
    })
}

/// How the redshifts of sources and their true ones compare.
fn closed(least: f64, of: &[(&SourceRedshift, f64)]) -> RedshiftClosure {
    let far: Vec<&(&SourceRedshift, f64)> = of.iter().filter(|(_, z)| *z > 0.0).collect();
    let dz = |reliable: bool| -> Vec<f64> {
        let used = far.iter().filter(|(r, _)| r.z.is_finite() && (r.reliable || !reliable));
        used.map(|(r, z)| (r.z - z) / (1.0 + z)).collect()
    };
    let (all, reliable) = (dz(false), dz(true));
    let share = |dz: &[f64]| dz.iter().filter(|d| d.abs() > OUTLIER).count() as f64 / dz.len() as f64;
    let right = of.iter().filter(|(r, z)| (r.class == Some(Class::Star)) == (*z == 0.0)).count();
    RedshiftClosure {
        least,
        sources: (far.len(), all.len(), reliable.len()),
        nmad: (nmad(&all), nmad(&reliable)),
        outliers: (share(&all), share(&reliable)),
        class: right as f64 / of.len() as f64,
    }
}

fn nmad(values: &[f64]) -> f64 {
    let middle = quantile(values, 0.5);
    SIGMA_PER_MAD * quantile(&values.iter().map(|v| (v - middle).abs()).collect::<Vec<_>>(), 0.5)
}

fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    if sorted.is_empty() { f64::NAN } else { sorted[((sorted.len() - 1) as f64 * share).round() as usize] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spectrum_that_is_the_truth_has_ratio_one_and_no_pulls() {
        let truth: Vec<(f64, f64)> = (0..200).map(|i| (620.0 + 0.8 * f64::from(i), 150.0 * (5.0 + (0.02 * f64::from(i)).sin()))).collect();
        let waves: Vec<f64> = (10..190).map(|i| 620.3 + 0.8 * f64::from(i)).collect();
        let rate: Vec<f64> = waves.iter().map(|w| 5.0 + (0.02 * (w - 620.0) / 0.8).sin()).collect();
        let spectrum =
            Extracted { rate_error: vec![0.1; rate.len()], wavelength_nm: waves, rate, line_fwhm_nm: 2.0, ..Extracted::default() };
        let (snr, ratio, pulls) = against(&spectrum, &truth, 150.0).unwrap();
        assert!((ratio - 1.0).abs() < 1e-3 && pulls.iter().all(|p| p.abs() < 0.02) && snr > 40.0, "{ratio}");
        let faint = Extracted { rate: spectrum.rate.iter().map(|r| 0.9 * r).collect(), ..spectrum };
        assert!((against(&faint, &truth, 150.0).unwrap().1 - 0.9).abs() < 1e-3);
    }

    #[test]
    fn gratings_as_built_close_on_themselves_and_the_drawing_does_not() {
        let msc = instruments::description::load("msc").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let spec = &msc.detectors[&1];
        configuration::write(folder.path(), spec, msc.area_cm2, &slitless::gratings(spec).unwrap()).unwrap();
        for order in configurations(folder.path(), &msc, 1, None).unwrap() {
            assert!(order.trace_px < 1e-6 && order.wavelength_px < 1e-6 && order.sensitivity.1 < 1e-6, "{order:?}");
        }
        configuration::write_nominal(&msc, &[1], folder.path()).unwrap();
        let first = configurations(folder.path(), &msc, 1, None).unwrap().into_iter().find(|o| o.name.ends_with("left +1")).unwrap();
        assert!(first.wavelength_px > 0.3 && first.trace_px > 0.1, "{first:?}");
        assert!(configuration::write_nominal(&msc, &[7], folder.path()).unwrap_err().to_string().contains("detector 7 is no slitless"));
    }
}
