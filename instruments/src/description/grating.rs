//! The gratings in front of a slitless detector.
//!
//! # Formula
//! The first order has the band's curve; order m has it times its ratio. Traces follow from the grating equation ([`crate::optics::slitless::Ruling`]).
//! # Source
//! Two gratings a detector that disperse in opposite directions, border at column 3685: csst-doc-msc, a public slitless extraction front end. The zeroth order is a tenth of
//! the first: CESS. Ruling, distance and the other orders are not public.
//! # Limits
//! Orders have the shape of the first order's curve; a real blaze shifts their peaks.

use super::error::DescriptionError;
use super::section::Section;

/// Orders a grating may have beside its first.
const ORDERS: [(i32, &str); 4] = [(0, "order_0"), (2, "order_2"), (-1, "order_-1"), (-2, "order_-2")];
const KEYS: [&str; 17] = [
    "sky",
    "period",
    "distance",
    "pupil_distance",
    "pixel_pitch",
    "f_number",
    "split",
    "direction_left",
    "direction_right",
    "blur",
    "direction_scatter",
    "distance_scatter",
    "efficiency_scatter",
    "order_0",
    "order_2",
    "order_-1",
    "order_-2",
];

/// Two gratings side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct GratingSpec {
    /// Period of the rulings \[um\].
    pub period_um: f64,
    /// Distance of the rulings from the detector \[mm\].
    pub distance_mm: f64,
    /// Distance of the exit pupil from the detector \[mm\].
    pub pupil_distance_mm: f64,
    /// Pixel \[mm\].
    pub pixel_pitch_mm: f64,
    /// Focal ratio of the beam.
    pub f_number: f64,
    /// Column of the border between the two gratings \[pixel\].
    pub split: f64,
    /// Direction of positive orders, grating of the columns before the border and the other, from the columns' axis towards the rows' \[deg\].
    pub direction_deg: [f64; 2],
    /// Standard deviation of what gratings blur beside the imaging optics \[arcsec\].
    pub blur_arcsec: f64,
    /// Standard deviation of a grating's direction as built from its nominal one \[deg\].
    pub direction_scatter_deg: f64,
    /// Standard deviation of its distance, share of it.
    pub distance_scatter: f64,
    /// Standard deviation of its efficiency and of the slope of it over the band, share of it.
    pub efficiency_scatter: f64,
    /// Numbers of the orders and their efficiency over that of the first, the first among them.
    pub orders: Vec<(i32, f64)>,
}

/// Reads `[bands.NAME.grating]`; also the sky background of the band \[electron / s / pixel\].
pub(super) fn read(section: &Section<'_>) -> Result<(GratingSpec, f64), DescriptionError> {
    let g = section.section("grating", &KEYS)?;
    let mut orders = vec![(1, 1.0)];
    for (number, key) in ORDERS {
        if g.get(key).is_some() {
            orders.push((number, g.number(key, "1", 0.0, 10.0)?));
        }
    }
    orders.retain(|o| o.1 > 0.0);
    let spec = GratingSpec {
        period_um: g.number("period", "um", 0.3, 1000.0)?,
        distance_mm: g.number("distance", "mm", 0.1, 10_000.0)?,
        pupil_distance_mm: g.number("pupil_distance", "mm", 1.0, 1e7)?,
        pixel_pitch_mm: g.number("pixel_pitch", "mm", 1e-4, 1.0)?,
        f_number: g.number("f_number", "1", 0.5, 1000.0)?,
        split: g.number("split", "pixel", -1e6, 1e6)?,
        direction_deg: [g.number("direction_left", "deg", -360.0, 360.0)?, g.number("direction_right", "deg", -360.0, 360.0)?],
        blur_arcsec: g.number("blur", "arcsec", 0.0, 10.0)?,
        direction_scatter_deg: g.number("direction_scatter", "deg", 0.0, 10.0)?,
        distance_scatter: g.number("distance_scatter", "1", 0.0, 0.1)?,
        efficiency_scatter: g.number("efficiency_scatter", "1", 0.0, 0.2)?,
        orders,
    };
    Ok((spec, g.number("sky", "electron/s/pixel", 0.0, 1e6)?))
}
