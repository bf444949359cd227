//! The kernels: interference in one layer, its mean through a spectrum, and the table over thickness.

use super::Silicon;
use multiversion::multiversion;
use sim_core::bandpass::Bandpass;
use sim_core::units::Nanometre;
use std::f64::consts::PI;

/// Samples of a table over one fringe of its shortest wave, at least.
const SAMPLES_PER_FRINGE: f64 = 100.0;
/// Standard deviations of a lamp's Gaussian spectrum that are followed.
const LAMP_SIGMAS: f64 = 5.0;

/// A layer of silicon.
#[derive(Debug, Clone)]
pub struct Film {
    /// Optical constants.
    pub silicon: Silicon,
    /// Reflectance of the lit face from inside \[1\].
    pub front: f64,
    /// Reflectance of the rear face from inside \[1\].
    pub back: f64,
    /// Shift of the absorption edge \[nm\]: the absorption at a wavelength is that of the table at wavelength + shift.
    pub edge_shift_nm: f64,
}

impl Film {
    /// rho \[1\] and delta \[rad\] of a wave for one um of thickness: `(ln rho(0), alpha, delta per um)`.
    fn wave(&self, wavelength_nm: f64) -> (f64, f64, f64) {
        let alpha = self.silicon.absorption_per_um(wavelength_nm + self.edge_shift_nm);
        ((self.front * self.back).sqrt(), alpha, 4e3 * PI * self.silicon.index(wavelength_nm) / wavelength_nm)
    }
    /// Light absorbed over its mean over all phases.
    #[must_use]
    pub fn relative(&self, wavelength_nm: f64, thickness_um: f64) -> f64 {
        let (root, alpha, phase) = self.wave(wavelength_nm);
        let rho = root * (-alpha * thickness_um).exp();
        (1.0 - rho * rho) / (1.0 - 2.0 * rho * (phase * thickness_um).cos() + rho * rho)
    }
    /// Thickness that shifts the fringes of a wave by one \[um\].
    #[must_use]
    pub fn spacing_um(&self, wavelength_nm: f64) -> f64 {
        2.0 * PI / self.wave(wavelength_nm).2
    }
}

/// A spectrum by its nodes: wavelength \[nm\] and weight, weights adding up to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Nodes(Vec<(f64, f64)>);

impl Nodes {
    /// A line.
    #[must_use]
    pub fn line(wavelength_nm: f64) -> Self {
        Self(vec![(wavelength_nm, 1.0)])
    }
    /// As many photons in every nanometre, through a band; `phase_per_nm` is how fast the phase turns at its red end
    /// \[rad / nm\] and sets how fine the nodes are.
    #[must_use]
    pub fn continuum(band: &Bandpass, phase_per_nm: f64) -> Self {
        Self::through(band, phase_per_nm, |_| 1.0)
    }
    /// A Gaussian lamp through a band; `None` when the band sees nothing of it.
    #[must_use]
    pub fn lamp(band: &Bandpass, centre_nm: f64, width_nm: f64, phase_per_nm: f64) -> Option<Self> {
        // Full width at half maximum to standard deviation.
        let sigma = width_nm / (8.0 * std::f64::consts::LN_2).sqrt();
        if sigma < 0.1 / phase_per_nm {
            return (band.at(Nanometre(centre_nm)) > 0.0).then(|| Self::line(centre_nm));
        }
        let nodes = Self::through(band, phase_per_nm, |w| {
            let t = (w - centre_nm) / sigma;
            if t.abs() > LAMP_SIGMAS { 0.0 } else { (-0.5 * t * t).exp() }
        });
        (!nodes.0.is_empty()).then_some(nodes)
    }
    fn through(band: &Bandpass, phase_per_nm: f64, photons: impl Fn(f64) -> f64) -> Self {
        let (low, high) = band.range_nm();
        // A fifth of a radian from node to node.
        let least = ((high - low) * phase_per_nm * 5.0).ceil().clamp(64.0, 20_000.0) as usize;
        let mut nodes: Vec<(f64, f64)> =
            band.nodes(least).into_iter().map(|(w, d)| (w, d * band.at(Nanometre(w)) * photons(w))).filter(|n| n.1 > 0.0).collect();
        let total: f64 = nodes.iter().map(|n| n.1).sum();
        nodes.iter_mut().for_each(|n| n.1 /= total);
        Self(nodes)
    }
}

/// A factor over the thickness, linear between samples.
#[derive(Debug, Clone)]
pub struct Table {
    /// Thickness of the first sample \[um\].
    pub low_um: f64,
    /// Step \[um\].
    pub step_um: f64,
    /// Factors.
    pub values: Vec<f64>,
}

impl Table {
    /// The factor of a spectrum from `low_um` to `high_um`.
    #[must_use]
    pub fn new(film: &Film, spectrum: &Nodes, (low_um, high_um): (f64, f64), step_um: f64) -> Self {
        let count = ((high_um - low_um) / step_um).ceil() as usize + 2;
        let mut values = vec![0.0; count];
        for &(wavelength_nm, weight) in &spectrum.0 {
            let (root, alpha, phase) = film.wave(wavelength_nm);
            let rho = root * (-alpha * low_um).exp();
            if rho < 1e-12 {
                values.iter_mut().for_each(|v| *v += weight);
                continue;
            }
            add_wave(&mut values, weight, rho, (-alpha * step_um).exp(), phase * low_um, phase * step_um);
        }
        Self { low_um, step_um, values }
    }
    /// A step \[um\] fine enough for waves from `wavelength_nm` on.
    #[must_use]
    pub fn step_um(film: &Film, wavelength_nm: f64) -> f64 {
        film.spacing_um(wavelength_nm) / SAMPLES_PER_FRINGE
    }
    /// Largest deviation from 1.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        self.values.iter().map(|v| (v - 1.0).abs()).fold(0.0, f64::max)
    }
}

/// Adds the relative absorption of one wave to samples of thickness: phase and damping go on by a rotation.
fn add_wave(values: &mut [f64], weight: f64, mut rho: f64, damping: f64, phase: f64, turn: f64) {
    let (mut s, mut c) = phase.sin_cos();
    let (ds, dc) = turn.sin_cos();
    for v in values {
        *v += weight * (1.0 - rho * rho) / (1.0 - 2.0 * rho * c + rho * rho);
        (c, s) = (c * dc - s * ds, s * dc + c * ds);
        rho *= damping;
    }
}

/// Factor and sky term of one sample, and how they go on to the next one.
pub type Sample = [f32; 4];

/// A straight piece of a row.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    /// Pixels between its start and the first pixel given.
    pub first: usize,
    /// Place of its start in the table \[samples\].
    pub start: f32,
    /// Change from pixel to pixel \[samples\].
    pub slope: f32,
    /// Sky at its start \[electron\].
    pub sky: f32,
    /// Change of the sky from pixel to pixel \[electron\].
    pub sky_slope: f32,
}

/// Pixels times the factor, plus the sky times the sky term.
#[multiversion(targets("x86_64+avx2"))]
pub fn shine(pixels: &mut [f32], piece: Piece, samples: &[Sample]) {
    let last = samples.len() - 1;
    for (i, pixel) in pixels.iter_mut().enumerate() {
        let i = (piece.first + i) as i32 as f32;
        let t = piece.start + piece.slope * i;
        let k = (t as i32 as usize).min(last);
        let f = t - k as i32 as f32;
        let [a, da, b, db] = samples[k];
        *pixel = *pixel * (a + f * da) + (piece.sky + piece.sky_slope * i) * (b + f * db);
    }
}

/// The two tables, of one step and start, as samples for [`shine`].
#[must_use]
pub fn samples(factor: &Table, sky: &[f64]) -> Vec<Sample> {
    let pair = |v: &[f64], i: usize| (v[i] as f32, (v[i + 1] - v[i]) as f32);
    (0..factor.values.len() - 1)
        .map(|i| {
            let ((a, da), (b, db)) = (pair(&factor.values, i), pair(sky, i));
            [a, da, b, db]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn film(front: f64, back: f64) -> Film {
        Film { silicon: Silicon::load(), front, back, edge_shift_nm: 0.0 }
    }

    #[test]
    fn one_wave_swings_by_the_airy_formula_about_a_mean_of_one() {
        // R1 = 0.04, R2 = 0.25, nearly transparent: rho = 0.1 exp(-alpha d); extremes (1 + rho) / (1 - rho) and its inverse.
        let film = film(0.04, 0.25);
        let (wavelength, d) = (1100.0, 10.0_f64);
        let rho = 0.1 * (-3.5e-4 * d).exp();
        let spacing = film.spacing_um(wavelength);
        assert!((spacing - 1.1 / (2.0 * 3.542)).abs() < 1e-9, "lambda / 2 n: {spacing}");
        let values: Vec<f64> = (0..2000).map(|i| film.relative(wavelength, d + spacing * f64::from(i) / 2000.0)).collect();
        let (least, most) = values.iter().fold((f64::MAX, 0.0_f64), |(l, h), &v| (l.min(v), h.max(v)));
        // Absorption changes rho by alpha x spacing = 5e-5 of itself along the way.
        assert!((most - (1.0 + rho) / (1.0 - rho)).abs() < 2e-5, "{most}");
        assert!((least - (1.0 - rho) / (1.0 + rho)).abs() < 2e-5, "{least}");
        let mean = values.iter().sum::<f64>() / 2000.0;
        assert!((mean - 1.0).abs() < 1e-5, "{mean}");
    }

    #[test]
    fn a_face_that_does_not_reflect_makes_no_fringes() {
        assert_eq!(film(0.0, 0.3).relative(1050.0, 37.3), 1.0);
    }

    #[test]
    fn the_table_is_the_formula() {
        let film = film(0.02, 0.18);
        let table = Table::new(&film, &Nodes::line(1083.3), (38.0, 42.0), Table::step_um(&film, 800.0));
        for (i, v) in table.values.iter().enumerate() {
            let exact = film.relative(1083.3, table.low_um + table.step_um * i as f64);
            // Some 4000 rotations of 1e-16 each.
            assert!((v - exact).abs() < 1e-12, "{i}: {v} {exact}");
        }
    }

    #[test]
    fn a_gaussian_spectrum_damps_fringes_by_its_transform() {
        // No absorption change across the line: at 1090 nm the phase turns by 4 pi (n - lambda dn/dlambda) d / lambda^2 per nm.
        let film = film(0.01, 0.01);
        let band = Bandpass::new("wide", vec![1000.0, 1000.1, 1158.9, 1159.0], vec![0.0, 1.0, 1.0, 0.0]).unwrap();
        let (d, width) = (30.0, 1.5);
        let lamp = Nodes::lamp(&band, 1090.0, width, 2.0).unwrap();
        let spacing = film.spacing_um(1090.0);
        let swing = |nodes: &Nodes| {
            let table = Table::new(&film, nodes, (d, d + spacing), spacing / 200.0);
            let (low, high) = table.values.iter().fold((f64::MAX, 0.0_f64), |(l, h), &v| (l.min(v), h.max(v)));
            0.5 * (high - low)
        };
        let damping = swing(&lamp) / swing(&Nodes::line(1090.0));
        let silicon = Silicon::load();
        let phase = |w: f64| 4e3 * PI * silicon.index(w) * d / w;
        let rate = (phase(1089.0) - phase(1091.0)) / 2.0;
        let sigma = width / (8.0 * std::f64::consts::LN_2).sqrt();
        let expected = (-0.5 * (rate * sigma).powi(2)).exp();
        // The absorption changes by 14 % per nm here, rho by 2 %: second order in the mean.
        assert!((damping / expected - 1.0).abs() < 0.02, "{damping} against {expected}");
        assert!(Nodes::lamp(&band, 600.0, 10.0, 2.0).is_none(), "the band does not see that lamp");
    }
}
