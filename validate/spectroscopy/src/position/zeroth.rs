//! Where the configuration puts zeroth orders, and how long they are.
//!
//! # Formula
//! Mean of an order: `sum w(t) offset(t) / sum w(t)`, `w = f_lambda R |lambda'(t)|`; its width along x: root of the second moment and the PSF's, s.
//! A Gaussian fitted by least squares lies `-k / (4 s^2)` from the mean, k the third moment, to which a PSF that widens with wavelength adds: the skew image projected on the change with place.
//! # Symbols
//! R  response of the order;  f_lambda  photometric spectrum, constant f_nu without one
//! # Source
//! First moments; nothing else is assumed.
//! # Limits
//! The photometric spectrum is smooth: lines that move the middle of a zeroth order are not known.

use crate::extraction::catalogue::Source;
use crate::extraction::photometry::Photometry;
use crate::extraction::psf::Psf;
use crate::extraction::response::ReadyOrder;
use crate::image::SlitlessImage;
use sim_core::dispersion::Grating;
use sim_core::frame::Window;

/// A zeroth order as predicted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Predicted {
    /// Number of the source.
    pub id: u64,
    /// Column of its middle on the whole detector, 0-based \[pixel\].
    pub x: f64,
    /// Row of the same.
    pub y: f64,
    /// Undispersed position by the catalogue \[pixel\].
    pub undispersed: (f64, f64),
    /// Rate \[electron / s\]; 0 for a source without photometry.
    pub rate: f64,
}

/// First orders on the frame and their zeroth orders.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Coverage {
    /// Sources whose first order has its middle on the frame.
    pub first: usize,
    /// Those of them whose zeroth order has its middle on it too.
    pub both: usize,
}

impl Coverage {
    /// Fraction with a zeroth order; not a number without a first order.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        self.both as f64 / self.first as f64
    }
}

/// Variance of the PSF over an order, linear in wavelength between the ends of its sensitivity.
struct Squares {
    from_nm: f64,
    square: f64,
    slope: f64,
}

impl Squares {
    const NONE: Self = Self { from_nm: 0.0, square: 0.0, slope: 0.0 };
    fn new(psf: &Psf, order: &ReadyOrder) -> Self {
        let square = |w| (psf.fwhm(w) / 2.354_82).powi(2);
        let (low, high) = order.range_nm;
        Self { from_nm: low, square: square(low), slope: (square(high) - square(low)) / (high - low) }
    }
    fn at(&self, wavelength_nm: f64) -> f64 {
        self.square + self.slope * (wavelength_nm - self.from_nm)
    }
}

/// Mean of an order relative to the undispersed image, second and third moment along x, and rate \[electron / s\] without the share of the opening.
fn middle(order: &ReadyOrder, source: (f64, f64), photometry: Option<&Photometry>, psf: &Squares) -> (f64, f64, (f64, f64), f64) {
    const STEPS: u32 = 64;
    let trace = order.order.trace(source.0, source.1);
    let span = order.span(&trace);
    let dt = (span.1 - span.0) / f64::from(STEPS);
    let (mut sum, mut x, mut y, mut xx, mut xxx) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let (mut square, mut cross) = (0.0, 0.0);
    let zero = trace.offset(0.5).0;
    for i in 0..STEPS {
        let t = span.0 + (f64::from(i) + 0.5) * dt;
        let w = trace.wavelength_nm(t);
        let light = photometry.map_or(1.0 / (w * w), |p| p.at(w)) * order.response.at(w) * (trace.wavelength_slope_nm(t) * dt).abs();
        let (dx, dy) = trace.offset(t);
        sum += light;
        let dx = dx - zero;
        x += light * dx;
        y += light * dy;
        xx += light * dx * dx;
        xxx += light * dx * dx * dx;
        square += light * psf.at(w);
        cross += light * psf.at(w) * dx;
    }
    if sum <= 0.0 {
        let (dx, dy) = trace.offset(0.5);
        return (dx, dy, (0.0, 0.0), 0.0);
    }
    let (x, y, xx, xxx) = (x / sum, y / sum, xx / sum, xxx / sum);
    let moments = ((xx - x * x).max(0.0), xxx - 3.0 * x * xx + 2.0 * x * x * x + 3.0 * (cross - square * x) / sum);
    (zero + x, y, moments, if photometry.is_some() { sum } else { 0.0 })
}

fn on_frame(window: Window, x: f64, y: f64, margin: f64) -> bool {
    let (x, y) = (x - window.x0 as f64, y - window.y0 as f64);
    let (rows, columns) = window.shape();
    x > -0.5 - margin && y > -0.5 - margin && x < columns as f64 - 0.5 + margin && y < rows as f64 - 0.5 + margin
}

/// Zeroth orders within `margin` of the frame, brightest first, each of the grating that has most of the source's light (at least half).
#[must_use]
pub fn predict(
    image: &SlitlessImage,
    psf: &Psf,
    gratings: &[Grating],
    orders: &[ReadyOrder],
    sources: &[Source],
    margin: f64,
) -> Vec<Predicted> {
    let mut out = Vec::new();
    let squares: Vec<Squares> = orders.iter().map(|o| Squares::new(psf, o)).collect();
    for source in sources {
        for (order, p2) in orders.iter().zip(&squares).filter(|o| o.0.order.number == 0) {
            let share = gratings[order.grating].opening.share(source.x);
            if share < 0.5 {
                continue;
            }
            let (dx, dy, moments, rate) = middle(order, (source.x, source.y), source.photometry.as_ref(), p2);
            let skew = -moments.1 / (4.0 * (p2.at(0.5 * (order.range_nm.0 + order.range_nm.1)) + moments.0));
            let (x, y) = (source.x + dx + skew, source.y + dy);
            if on_frame(image.window(), x, y, margin) {
                out.push(Predicted { id: source.id, x, y, undispersed: (source.x, source.y), rate: share * rate });
            }
        }
    }
    out.sort_by(|a, b| b.rate.total_cmp(&a.rate).then(a.id.cmp(&b.id)));
    out
}

/// Gaussian widths (along x, along y) of a star's zeroth order through pixels \[pixel\], at a place of the detector.
#[must_use]
pub fn spread(orders: &[ReadyOrder], psf: &Psf, at: (f64, f64)) -> (f64, f64) {
    let zeroth = orders.iter().find(|o| o.order.number == 0);
    let (xx, wavelength) = zeroth
        .map_or((0.0, psf.wavelength_nm[0]), |o| (middle(o, at, None, &Squares::new(psf, o)).2.0, 0.5 * (o.range_nm.0 + o.range_nm.1)));
    let sigma = psf.fwhm(wavelength) / 2.354_82;
    ((sigma * sigma + xx).sqrt(), sigma)
}

/// How many first orders on a window of the detector have their zeroth order on it, for sources that have half of their light in the grating.
#[must_use]
pub fn coverage(window: Window, gratings: &[Grating], orders: &[ReadyOrder], sources: &[Source]) -> Coverage {
    let mut out = Coverage::default();
    for source in sources {
        for first in orders.iter().filter(|o| o.order.number == 1 && gratings[o.grating].opening.share(source.x) >= 0.5) {
            let on = |order: &ReadyOrder| {
                let (dx, dy, _, _) = middle(order, (source.x, source.y), None, &Squares::NONE);
                on_frame(window, source.x + dx, source.y + dy, 0.0)
            };
            if on(first) {
                out.first += 1;
                out.both += usize::from(orders.iter().any(|o| o.order.number == 0 && o.grating == first.grating && on(o)));
            }
        }
    }
    out
}
