//! Supernovae Ia.
//!
//! # Effect
//! Nearly equal explosions: the slower the brighter, the redder the fainter.
//! # Formula
//! M_B = -19.05 + 5 lg(h / 0.7) - 0.141 x + 3.101 c + 0.1 N; day / s on the template, s = 0.98 + 0.091 x + 0.003 x^2 - 0.00075 x^3; spectrum times
//! 10^(-0.4 c (k(l) - k(B))); after day 85 s 1.4 mag fainter in 100 d.
//! # Symbols
//! x stretch parameter, c colour, N standard normal; k extinction curve, l wavelength at rest.
//! # Source
//! Template: Hsiao et al. 2007 (ApJ 663, 1187), version 3, `data/supernova_ia.csv`. M_B and slopes: Betoule et al. 2014 (A&A 568, A22), table 10. x: normal about 0.973 with
//! sigma 1.472 below and 0.222 above, c: about -0.054 with 0.043 below and 0.101 above (Scolnic & Kessler 2016, ApJL 822, L35, table 1). s(x): Guy et al. 2007 (A&A 466, 11).
//! Scatter 0.1, the extinction curve of the Milky Way as colour law, and the late slope (that of cobalt decay with escaping light): assumed. Numbers as remembered.
//! # Limits
//! Template every 5 d and 5 nm: features are a little smoother than real. Spectra on a grid: 2.5 d, 0.05 mag in c (-0.3 to 0.6); brightness is interpolated between days.
//! One spectrum for all x. No 91bg-like or 91T-like kinds.
//! # Twin
//! None.

use super::{Explosion, Kind};
use crate::ReferenceBands;
use crate::draw::Draw;
use crate::extinction::Curve;
use crate::table::{along, numbers};
use sim_core::spectrum::{Sed, Spectrum};
use std::sync::{Arc, OnceLock};

/// Days of the grid: from -20 in steps.
const FIRST: f64 = -20.0;
const STEP: f64 = 2.5;
const DAYS: usize = 43;
/// Colours of the grid.
const COLOUR_FIRST: f64 = -0.3;
const COLOUR_STEP: f64 = 0.05;
const COLOURS: usize = 19;
/// Middle of B \[nm\], where colour changes nothing.
const B_NM: f64 = 438.0;
/// Slope after the template \[mag / d\].
const LATE: f64 = 0.014;

#[derive(Debug)]
pub(super) struct Thermonuclear {
    wavelength_nm: Vec<f64>,
    /// f_lambda by wavelength and 5 d.
    flux: Vec<Vec<f64>>,
    curve: Vec<f64>,
    /// Mean flux through B at maximum.
    at_maximum: f64,
    slots: Vec<OnceLock<Arc<Spectrum>>>,
}

/// A draw from two halves of normals.
fn skewed(peak: f64, below: f64, above: f64, draw: &mut Draw) -> f64 {
    let (side, n) = (draw.uniform(), draw.normal().abs());
    if side * (below + above) < below { peak - below * n } else { peak + above * n }
}

impl Thermonuclear {
    pub(super) fn new(bands: &ReferenceBands) -> Self {
        let rows = numbers(include_str!("../../data/supernova_ia.csv"));
        let wavelength_nm: Vec<f64> = rows.iter().map(|r| r[0]).collect();
        let flux = rows.into_iter().map(|r| r[1..].to_vec()).collect();
        let law = Curve::new();
        let curve = wavelength_nm.iter().map(|&w| law.at(w) - law.at(B_NM)).collect();
        let mut made = Self { wavelength_nm, flux, curve, at_maximum: 1.0, slots: (0..DAYS * COLOURS).map(|_| OnceLock::new()).collect() };
        made.at_maximum = bands.bessell_b().mean_fnu(&Sed::rest(Arc::new(made.make(8, 6))));
        made
    }
    pub(super) fn draw(&self, h: f64, draw: &mut Draw) -> Explosion {
        let x = skewed(0.973, 1.472, 0.222, draw).clamp(-3.5, 3.0);
        let colour = skewed(-0.054, 0.043, 0.101, draw).clamp(-0.3, 0.6);
        let absolute_b = -19.05 + 5.0 * (h / 0.7).log10() - 0.141 * x + 3.101 * colour + 0.1 * draw.normal();
        let stretch = 0.98 + 0.091 * x + 0.003 * x * x - 0.000_75 * x * x * x;
        Explosion { kind: Kind::Thermonuclear, absolute_b, stretch, colour }
    }
    fn make(&self, day: usize, colour: usize) -> Spectrum {
        let (days, c) = (FIRST + STEP * day as f64, COLOUR_FIRST + COLOUR_STEP * colour as f64);
        let flux = (0..self.wavelength_nm.len())
            .map(|k| along(&self.flux[k], (days - FIRST) / 5.0) * 10.0_f64.powf(-0.4 * c * self.curve[k]))
            .collect();
        Spectrum::new(format!("sn_Ia_day_{days:+.1}_c_{c:+.2}"), self.wavelength_nm.clone(), flux).expect("the compiled template is valid")
    }
    fn at(&self, day: usize, colour: usize) -> Arc<Spectrum> {
        self.slots[day * COLOURS + colour].get_or_init(|| Arc::new(self.make(day, colour))).clone()
    }
    /// Magnitudes below maximum in B, and the spectrum; `through` gives the mean flux of a spectrum in the observer's band.
    pub(super) fn on_day(&self, explosion: &Explosion, day: f64, through: impl Fn(Arc<Spectrum>) -> f64) -> Option<(f64, Arc<Spectrum>)> {
        let template = day / explosion.stretch;
        let place = (template - FIRST) / STEP;
        // The template begins with darkness at -20 d.
        if place <= 1.0 {
            return None;
        }
        let colour = (((explosion.colour - COLOUR_FIRST) / COLOUR_STEP).round().max(0.0) as usize).min(COLOURS - 1);
        let last = (DAYS - 1) as f64;
        let within = place.min(last);
        let k = (within as usize).min(DAYS - 2);
        let part = within - k as f64;
        let magnitude = |k: usize| -2.5 * (through(self.at(k, colour)) / self.at_maximum).log10();
        let fall = magnitude(k) + part * (magnitude(k + 1) - magnitude(k)) + LATE * STEP * explosion.stretch * (place - last).max(0.0);
        Some((fall, self.at(if part < 0.5 { k } else { k + 1 }, colour)))
    }
}
