//! Supernovae of massive stars.
//!
//! # Effect
//! Hot when they are bright, cooling to the temperature at which hydrogen recombines; a plateau, or a fast fall without an envelope.
//! # Formula
//! V: 1 - (day / rise)^2 before maximum; then magnitudes rising by `slope_1` in 100 d until `until_1_d`, `slope_2` until `until_2_d`, `drop_mag` in `drop_d`, `slope_3`.
//! T = late + (peak - late) exp(-day / cool), peak before maximum; f = B(l, T) 10^(-0.4 x 0.02 (350 - l) (1 - exp(-day / cool))) below l = 350 nm.
//! # Symbols
//! Day since maximum at rest; B Planck's law; l wavelength at rest \[nm\].
//! # Source
//! `data/supernova_types.csv`: shares of types Smith et al. 2011 (MNRAS 412, 1522); M_B at H0 = 72 and its scatter Richardson et al. 2014 (AJ 147, 118), table 1; II-P slopes,
//! end of the plateau and fall to the tail Anderson et al. 2014 (ApJ 786, 67), means in V. Ib, Ic: 0.9 mag in V in the first 15 d (Drout et al. 2011, ApJ 741,
//! 97). As remembered, not seen in print here. Slopes of II-L and IIn, temperatures, times of cooling and rise, blanketing of the ultraviolet: assumed.
//! # Limits
//! Black bodies: no lines, no P Cygni profiles; colours good to some tenths of a magnitude. No scatter of slopes. Spectra every 2.5 d, brightness at the day.
//! # Twin
//! None.

use super::{Explosion, Kind};
use crate::ReferenceBands;
use crate::draw::Draw;
use crate::table::numbers;
use sim_core::spectrum::{Sed, Spectrum};
use std::sync::{Arc, OnceLock};

/// Days between spectra, and their number: 0 to 120.
const STEP: f64 = 2.5;
const DAYS: usize = 49;

const TYPES: &str = include_str!("../../data/supernova_types.csv");

#[derive(Debug)]
struct Type {
    name: String,
    share: f64,
    m_b: f64,
    sigma: f64,
    rise_d: f64,
    /// Slope and its end: mag / d, d.
    first: (f64, f64),
    second: (f64, f64),
    /// Fall and its time.
    drop: (f64, f64),
    third: f64,
    peak_k: f64,
    late_k: f64,
    cool_d: f64,
    /// Flux through B over that at V on day 0.
    b_over_v: f64,
    slots: Vec<OnceLock<(Arc<Spectrum>, f64)>>,
}

#[derive(Debug)]
pub(super) struct Collapse {
    types: Vec<Type>,
    bands: ReferenceBands,
}

/// f_lambda of a black body, arbitrary scale.
fn planck(l: f64, kelvin: f64) -> f64 {
    (500.0 / l).powi(5) / (1.438_777e7 / (l * kelvin)).exp_m1()
}

impl Type {
    /// Magnitudes in V below maximum on a day; infinite before the rise.
    fn fall(&self, day: f64) -> f64 {
        if day < 0.0 {
            let flux = 1.0 - (day / self.rise_d).powi(2);
            return if flux > 0.0 { -2.5 * flux.log10() } else { f64::INFINITY };
        }
        let (one, two) = (self.first.1, self.second.1);
        let part = ((day - two) / self.drop.1).clamp(0.0, 1.0);
        self.first.0 * day.min(one) + self.second.0 * (day.min(two) - one).max(0.0) + self.drop.0 * part + self.third * (day - two).max(0.0)
    }
    fn spectrum(&self, day: f64) -> Spectrum {
        let young = (-day / self.cool_d).exp();
        let kelvin = self.late_k + (self.peak_k - self.late_k) * young;
        let wavelength_nm: Vec<f64> = (0..=190).map(|k| 150.0 + 5.0 * f64::from(k)).collect();
        let flux =
            wavelength_nm.iter().map(|&l| planck(l, kelvin) * 10.0_f64.powf(-0.4 * 0.02 * (350.0 - l).max(0.0) * (1.0 - young))).collect();
        Spectrum::new(format!("sn_{}_day_{day:+.1}", self.name), wavelength_nm, flux).expect("Planck's law is finite and positive")
    }
}

impl Collapse {
    pub(super) fn new(bands: &ReferenceBands) -> Self {
        let names = TYPES.lines().skip(1).filter_map(|l| l.rsplit(',').next());
        let types = numbers(TYPES)
            .into_iter()
            .zip(names)
            .map(|(r, name)| {
                let mut made = Type {
                    name: name.trim().into(),
                    share: r[0],
                    m_b: r[1],
                    sigma: r[2],
                    rise_d: r[3],
                    first: (0.01 * r[4], r[5]),
                    second: (0.01 * r[6], r[7]),
                    drop: (r[8], r[9]),
                    third: 0.01 * r[10],
                    peak_k: r[11],
                    late_k: r[12],
                    cool_d: r[13],
                    b_over_v: 1.0,
                    slots: (0..DAYS).map(|_| OnceLock::new()).collect(),
                };
                let first = Sed::rest(Arc::new(made.spectrum(0.0)));
                made.b_over_v = bands.bessell_b().mean_fnu(&first) / bands.bessell_v().mean_fnu(&first);
                made
            })
            .collect();
        Self { types, bands: bands.clone() }
    }
    pub(super) fn name(&self, row: usize) -> &str {
        &self.types[row].name
    }
    #[cfg(test)]
    pub(super) fn shares(&self) -> Vec<f64> {
        self.types.iter().map(|t| t.share).collect()
    }
    pub(super) fn draw(&self, h: f64, draw: &mut Draw) -> Explosion {
        let (mut left, n) = (draw.uniform() * self.types.iter().map(|t| t.share).sum::<f64>(), draw.normal());
        let mut row = self.types.len() - 1;
        for (k, t) in self.types.iter().enumerate() {
            left -= t.share;
            if left < 0.0 {
                row = k;
                break;
            }
        }
        let t = &self.types[row];
        let absolute_b = t.m_b + 5.0 * (h / 0.72).log10() + t.sigma * n;
        Explosion { kind: Kind::Collapse(row), absolute_b, stretch: 1.0, colour: 0.0 }
    }
    /// Magnitudes below maximum in B, and the spectrum.
    pub(super) fn on_day(&self, row: usize, day: f64, through: impl Fn(Arc<Spectrum>) -> f64) -> Option<(f64, Arc<Spectrum>)> {
        let t = &self.types[row];
        let fall = t.fall(day);
        if !fall.is_finite() {
            return None;
        }
        let place = (day.max(0.0) / STEP).min((DAYS - 1) as f64);
        let k = (place as usize).min(DAYS - 2);
        let part = place - k as f64;
        let at = |k: usize| {
            t.slots[k].get_or_init(|| {
                let spectrum = Arc::new(t.spectrum(STEP * k as f64));
                let v = self.bands.bessell_v().mean_fnu(&Sed::rest(spectrum.clone()));
                (spectrum, v)
            })
        };
        // Flux in the observer's band over V at rest, over the same of B at maximum.
        let colour = |k: usize| -2.5 * (through(at(k).0.clone()) / at(k).1 / t.b_over_v).log10();
        let colour = colour(k) + part * (colour(k + 1) - colour(k));
        Some((fall + colour, at(if part < 0.5 { k } else { k + 1 }).0.clone()))
    }
}
