//! The gratings of a detector as polynomials, and the sky behind them.
//!
//! # Formula
//! Sky in column x over the sky of a whole grating: `sum over gratings g and orders m of r_m integral S T lambda share_g(x - dx_gm(lambda)) dlambda / sum over m of r_m integral S T lambda dlambda`:
//! each wavelength of each order comes from a place beside the pixel, and finds there the share of the beam that the grating has.
//! # Symbols
//! S  spectrum of the sky;  T  efficiency of the first order;  r_m  efficiency of an order over it;  dx  columns from the undispersed image;  share  of [`Opening`]
//! # Source
//! Linearity; the sum over orders of slitless sky frames (Kuemmel et al. 2011, ST-ECF ISR WFC3-2011-01).
//! # Limits
//! The sky is even over the reach of an order and the gratings reach as far beyond the detector as light comes from; displacements are those of the middle row.
//! # Twin
//! The background of the extraction.

use super::ruling::Ruling;
use crate::description::{DetectorSpec, GratingSpec};
use crate::optics::error::OpticsError;
use sim_core::bandpass::Bandpass;
use sim_core::dispersion::{Grating, Opening};
use sim_core::frame::Window;
use sim_core::noise::normal_of_word;
use sim_core::stream::StreamKey;
use std::sync::Arc;

/// How a grating as built differs from the nominal one.
struct Build {
    direction_deg: f64,
    /// Share.
    distance: f64,
    /// Share, in the middle of the band and from there to its end.
    efficiency: (f64, f64),
}

/// The gratings as built, keyed by device and detector; all nominal without `built`.
fn builds(detector: &DetectorSpec, spec: &GratingSpec, built: bool) -> [Build; 2] {
    let key = StreamKey::new(detector.device_seed).with(u64::from(detector.geometry.number)).with_name("gratings");
    std::array::from_fn(|number| {
        let stream = key.stream(number as u64);
        let mut draw = 0;
        let mut normal = |sigma: f64| {
            draw += 1;
            if built { sigma * f64::from(normal_of_word(stream.word(draw))) } else { 0.0 }
        };
        let direction_deg = normal(spec.direction_scatter_deg);
        let distance = normal(spec.distance_scatter);
        Build { direction_deg, distance, efficiency: (normal(spec.efficiency_scatter), normal(spec.efficiency_scatter)) }
    })
}

fn efficiency(band: &Bandpass, ratio: f64, build: &Build) -> Result<Arc<Bandpass>, OpticsError> {
    let (low, high) = band.range_nm();
    let share = |nm: f64| 1.0 + build.efficiency.0 + build.efficiency.1 * (2.0 * nm - low - high) / (high - low);
    let scaled = band.wavelength_nm().iter().zip(band.efficiency()).map(|(nm, e)| (e * ratio * share(*nm)).clamp(0.0, 1.0)).collect();
    let range = "an efficiency below 1 in all orders";
    Bandpass::new(band.name.clone(), band.wavelength_nm().to_vec(), scaled).map(Arc::new).map_err(|_| OpticsError::Setting {
        key: "grating.order",
        value: ratio,
        unit: "",
        range,
    })
}

/// The gratings of a slitless detector as they are built, those before the border first; none of an imaging detector.
///
/// # Errors
/// When an order does not exist (evanescent) or would have more light than there is.
pub fn gratings(detector: &DetectorSpec) -> Result<Vec<Grating>, OpticsError> {
    laid_out(detector, true)
}

/// The gratings as drawn: what calibration starts from.
///
/// # Errors
/// As [`gratings`].
pub fn nominal_gratings(detector: &DetectorSpec) -> Result<Vec<Grating>, OpticsError> {
    laid_out(detector, false)
}

fn laid_out(detector: &DetectorSpec, built: bool) -> Result<Vec<Grating>, OpticsError> {
    let Some(spec) = &detector.grating else { return Ok(Vec::new()) };
    let geometry = &detector.geometry;
    let beam = spec.distance_mm / spec.f_number / spec.pixel_pitch_mm;
    let openings = [Opening { from: f64::NEG_INFINITY, to: spec.split, beam }, Opening { from: spec.split, to: f64::INFINITY, beam }];
    let sides = openings.into_iter().zip(spec.direction_deg).zip(builds(detector, spec, built));
    sides
        .map(|((opening, direction_deg), build)| {
            let ruling = Ruling {
                period_um: spec.period_um,
                distance_mm: spec.distance_mm * (1.0 + build.distance),
                direction_deg: direction_deg + build.direction_deg,
                pupil_distance_mm: spec.pupil_distance_mm,
                pixel_pitch_mm: spec.pixel_pitch_mm,
                axis: (geometry.crpix1, geometry.crpix2),
            };
            let orders = spec.orders.iter().map(|&(number, ratio)| {
                let range = "orders that the period lets through at all wavelengths";
                let refuse = OpticsError::Setting { key: "grating.period", value: spec.period_um, unit: "um", range };
                ruling.order(number, efficiency(&detector.band, ratio, &build)?, geometry).map(|f| f.order).ok_or(refuse)
            });
            Ok(Grating { opening, orders: orders.collect::<Result<_, _>>()? })
        })
        .collect()
}

/// The sum of the orders' efficiencies: what an even sky is seen through.
///
/// # Errors
/// When it is above 1.
pub fn all_orders(detector: &DetectorSpec) -> Result<Arc<Bandpass>, OpticsError> {
    let ratio = detector.grating.as_ref().map_or(1.0, |spec| spec.orders.iter().map(|o| o.1).sum());
    efficiency(&detector.band, ratio, &Build { direction_deg: 0.0, distance: 0.0, efficiency: (0.0, 0.0) })
}

/// Columns between two places at which displacements are computed; they change by some pixels over a whole detector.
const STRIDE: usize = 256;

/// Sky of each column of a window over the sky of a whole grating; `sky` is photons per wavelength at \[nm\], in any unit.
///
/// # Errors
/// As [`gratings`].
pub fn sky_columns(detector: &DetectorSpec, window: Window, sky: &dyn Fn(f64) -> f64) -> Result<Vec<f32>, OpticsError> {
    let gratings = gratings(detector)?;
    let middle = 0.5 * detector.geometry.ny as f64;
    // Counted from the detector's corner, so that a cut-out has the sky of the whole.
    let first = window.x0 / STRIDE;
    let places = (window.x0 + window.nx) / STRIDE + 2 - first;
    let mut columns = vec![0.0; window.nx];
    // Over the sky of a grating as drawn, which is what the level of the sky is computed with.
    let band = all_orders(detector)?;
    let photons = |band: &Bandpass, nm: f64, width: f64| sky(nm) * band.at(sim_core::units::Nanometre(nm)) * width;
    let whole: f64 = band.nodes(60).iter().map(|(nm, width)| photons(&band, *nm, *width)).sum();
    for grating in &gratings {
        for order in &grating.orders {
            // The displacement hardly changes over the detector: it is taken where the light arrives.
            let traces: Vec<_> = (0..places).map(|k| order.trace(((first + k) * STRIDE) as f64, middle)).collect();
            for (nm, width) in order.efficiency.nodes(60) {
                let light = photons(&order.efficiency, nm, width);
                let away: Vec<f64> = traces.iter().map(|trace| trace.offset(trace.parameter(nm)).0).collect();
                for (column, sum) in columns.iter_mut().enumerate() {
                    let x = window.x0 + column;
                    let (k, t) = (x / STRIDE - first, (x % STRIDE) as f64 / STRIDE as f64);
                    *sum += light * grating.opening.share(x as f64 - away[k] - t * (away[k + 1] - away[k]));
                }
            }
        }
    }
    Ok(columns.iter().map(|sum| if whole > 0.0 { (sum / whole) as f32 } else { 1.0 }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::description::load;

    #[test]
    fn every_slitless_detector_has_two_gratings_of_five_orders_at_the_published_dispersion() {
        let msc = load("msc").unwrap();
        for (band, nm_per_pixel, count) in [("GU", 0.375, 4), ("GV", 0.525, 4), ("GI", 0.825, 4)] {
            let detectors: Vec<_> = msc.detectors.values().filter(|d| d.geometry.filter == band).collect();
            assert_eq!(detectors.len(), count);
            let gratings = gratings(detectors[0]).unwrap();
            assert_eq!(gratings.len(), 2);
            for (grating, towards) in gratings.iter().zip([1.0, -1.0]) {
                let mut numbers: Vec<i32> = grating.orders.iter().map(|o| o.number).collect();
                numbers.sort_unstable();
                assert_eq!(numbers, [-2, -1, 0, 1, 2]);
                let first = grating.orders.iter().find(|o| o.number == 1).unwrap();
                let trace = first.trace(4000.0, 4000.0);
                let t = trace.parameter(detectors[0].band.pivot_nm());
                let dispersion = trace.wavelength_slope_nm(t) / trace.direction(t).0;
                assert!((dispersion * towards / nm_per_pixel - 1.0).abs() < 0.05, "{band}: {dispersion} nm a pixel");
                assert!((trace.direction(t).1 / trace.direction(t).0).abs() < 0.03, "a turn of a degree");
            }
        }
    }

    #[test]
    fn the_sky_is_that_of_one_grating_far_from_the_border_and_of_both_where_they_overlap() {
        let msc = load("msc").unwrap();
        let detector = &msc.detectors[&1];
        let columns = sky_columns(detector, detector.geometry.full_window(), &|_| 1.0).unwrap();
        // Second orders of the other side reach 3000 columns and more; the rest is whole, but for the efficiencies as built.
        assert!((columns[9000] - 1.0).abs() < 0.05 && (columns[100] - 1.0).abs() < 0.05, "{} {}", columns[100], columns[9000]);
        assert!((columns[9000] - columns[8900]).abs() < 1e-4 && (columns[100] - columns[200]).abs() < 1e-4);
        // Gratings that disperse towards each other: first orders of both around the border.
        assert!(columns[3685] > 1.5, "{}", columns[3685]);
        // Light is neither made nor lost: what columns near the border have too much comes from what the other orders carry away.
        let window = Window { x0: 3001, y0: 5, nx: 900, ny: 40 };
        assert_eq!(sky_columns(detector, window, &|_| 1.0).unwrap(), columns[3001..3901], "a cut-out has the sky of the whole, to the bit");
        let mean = columns.iter().map(|c| f64::from(*c)).sum::<f64>() / columns.len() as f64;
        assert!(mean > 1.0 && mean < 1.4, "{mean}");
    }
}
