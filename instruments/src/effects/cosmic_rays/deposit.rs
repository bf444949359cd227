//! From pairs at a place in the silicon to electrons in pixels.
//!
//! # Formula
//! Electrons from depth d below the back surface spread by a Gaussian of variance s^2 (1 - (d - f)/(t - f)) while they drift
//! to the gates, and by (f/2)^2 (1 - d/f) more where d lies in a field-free layer. Each electron falls into a pixel by
//! chance: a multinomial draw over 5 x 5 pixels, so that no charge is made or lost.
//! # Symbols
//! s `diffusion`, spread of charge from the top of the drift region \[um\]; f `field_free` \[um\]; t `thickness` \[um\]
//! # Source
//! Drift in a uniform field: variance proportional to the drift time (Holland et al. 2003, IEEE Trans. Electron Devices 50, 225).
//! Field-free layer: cloud diameter 2 f (1 - d/f)^(1/2), Janesick 2001, Scientific Charge-Coupled Devices (SPIE Press),
//! ch. 4; taken as four standard deviations.

use super::dice::Dice;

/// Electrons of one hit in one pixel: row, column (may lie off the detector), number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deposit {
    /// Row.
    pub y: i32,
    /// Column.
    pub x: i32,
    /// Electrons.
    pub electrons: u32,
}

/// The sensor's silicon.
#[derive(Debug, Clone)]
pub struct Sensor {
    /// Thickness \[um\].
    pub thickness_um: f64,
    /// Pixel pitch \[um\].
    pub pitch_um: f64,
    /// Standard deviation of charge from the top of the drift region \[um\].
    pub diffusion_um: f64,
    /// Field-free layer at the back \[um\].
    pub field_free_um: f64,
    /// Normal distribution function at `NODES` points over +-REACH.
    normal: Vec<f64>,
}

const REACH: f64 = 6.0;
const NODES: usize = 3072;
/// Pixels to each side that charge may reach.
const SIDE: i32 = 2;
const BINS: usize = 2 * SIDE as usize + 1;

impl Sensor {
    /// A sensor; lengths in um.
    #[must_use]
    pub fn new(thickness_um: f64, pitch_um: f64, diffusion_um: f64, field_free_um: f64) -> Self {
        // Integral of the density by Simpson's rule from node to node.
        let density = |z: f64| (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
        let step = 2.0 * REACH / NODES as f64;
        let mut normal = vec![0.0; NODES + 1];
        for i in 0..NODES {
            let z = -REACH + step * i as f64;
            normal[i + 1] = normal[i] + step / 6.0 * (density(z) + 4.0 * density(z + 0.5 * step) + density(z + step));
        }
        let total = normal[NODES];
        normal.iter_mut().for_each(|v| *v /= total);
        Self { thickness_um, pitch_um, diffusion_um, field_free_um, normal }
    }
    /// Spread of charge from a depth below the back surface \[um\].
    #[must_use]
    pub fn spread_um(&self, depth_um: f64) -> f64 {
        let (t, f) = (self.thickness_um, self.field_free_um);
        let drift = if depth_um <= f { 1.0 } else { 1.0 - (depth_um - f) / (t - f).max(1e-9) };
        let free = if depth_um < f { 0.25 * f * f * (1.0 - depth_um / f) } else { 0.0 };
        (self.diffusion_um * self.diffusion_um * drift.max(0.0) + free).sqrt()
    }
    fn below(&self, z: f64) -> f64 {
        let at = (z + REACH) * (NODES as f64 / (2.0 * REACH));
        if at <= 0.0 {
            return 0.0;
        }
        let i = at as usize;
        if i >= NODES { 1.0 } else { self.normal[i] + (at - i as f64) * (self.normal[i + 1] - self.normal[i]) }
    }
    /// Probabilities of the `BINS` pixels around the one that holds `place`, and that pixel.
    fn bins(&self, place_um: f64, spread_um: f64) -> (i32, [f64; BINS]) {
        let pixel = (place_um / self.pitch_um).floor();
        let mut shares = [0.0; BINS];
        let mut last = 0.0;
        for (k, share) in shares.iter_mut().enumerate() {
            let edge = (pixel + (k as f64 - f64::from(SIDE)) + 1.0) * self.pitch_um;
            // What would go further stays in the outermost pixel.
            let now = if k + 1 == BINS { 1.0 } else { self.below((edge - place_um) / spread_um) };
            *share = now - last;
            last = now;
        }
        (pixel as i32, shares)
    }
    /// Shares `electrons` that start at a place among pixels.
    pub fn collect(&self, [x_um, y_um, depth_um]: [f64; 3], electrons: u32, dice: &mut Dice, out: &mut Vec<Deposit>) {
        if electrons == 0 {
            return;
        }
        let spread = self.spread_um(depth_um);
        if spread < 1e-3 * self.pitch_um {
            let pixel = |p: f64| (p / self.pitch_um).floor() as i32;
            out.push(Deposit { y: pixel(y_um), x: pixel(x_um), electrons });
            return;
        }
        let (column, columns) = self.bins(x_um, spread);
        let (row, rows) = self.bins(y_um, spread);
        split(electrons, &columns, dice, |dx, number, dice| {
            split(number, &rows, dice, |dy, number, _| {
                out.push(Deposit { y: row + dy, x: column + dx, electrons: number });
            });
        });
    }
}

/// A multinomial draw as conditional binomials.
fn split(number: u32, shares: &[f64; BINS], dice: &mut Dice, mut give: impl FnMut(i32, u32, &mut Dice)) {
    let (mut left, mut rest) = (number, 1.0);
    for (k, &share) in shares.iter().enumerate() {
        if left == 0 {
            return;
        }
        let p = if k + 1 == BINS || rest <= share { 1.0 } else { share / rest };
        let drawn = if p < 1e-9 { 0 } else { dice.binomial(left, p) };
        rest -= share;
        left -= drawn;
        if drawn > 0 {
            give(k as i32 - SIDE, drawn, dice);
        }
    }
}

/// Sorts deposits by row and column and adds up those of one pixel.
pub fn merge(deposits: &mut Vec<Deposit>) {
    deposits.sort_unstable();
    deposits.dedup_by(|next, kept| {
        let same = (next.y, next.x) == (kept.y, kept.x);
        if same {
            kept.electrons += next.electrons;
        }
        same
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::stream::StreamKey;

    fn dice() -> Dice {
        Dice::new(StreamKey::new(2).with_name("deposit").stream(0))
    }

    #[test]
    fn diffusion_conserves_every_electron() {
        let sensor = Sensor::new(16.0, 10.0, 3.5, 4.0);
        let mut dice = dice();
        for i in 0..200_u32 {
            let place = [dice.uniform() * 100.0, dice.uniform() * 100.0, dice.uniform() * 16.0];
            let mut out = Vec::new();
            sensor.collect(place, 7 * i, &mut dice, &mut out);
            merge(&mut out);
            assert_eq!(out.iter().map(|d| d.electrons).sum::<u32>(), 7 * i);
        }
    }

    #[test]
    fn charge_from_the_back_spreads_as_told_and_from_the_gates_not_at_all() {
        let sensor = Sensor::new(16.0, 10.0, 5.0, 0.0);
        let (mut dice, mut out) = (dice(), Vec::new());
        const N: u32 = 400_000;
        sensor.collect([45.0, 45.0, 0.0], N, &mut dice, &mut out);
        merge(&mut out);
        // A Gaussian of sigma 5 um in the middle of a 10 um pixel: erf(1/sqrt 2) = 0.682689 per axis stays.
        let centre = out.iter().find(|d| (d.y, d.x) == (4, 4)).unwrap().electrons;
        let p = 0.682_689_5_f64.powi(2);
        assert!((f64::from(centre) - f64::from(N) * p).abs() < 5.0 * (f64::from(N) * p * (1.0 - p)).sqrt(), "{centre}");
        let mut sharp = Vec::new();
        sensor.collect([45.0, 45.0, 16.0], 1000, &mut dice, &mut sharp);
        assert_eq!(sharp, [Deposit { y: 4, x: 4, electrons: 1000 }]);
        assert!((sensor.spread_um(8.0) - 5.0 * 0.5_f64.sqrt()).abs() < 1e-12, "variance falls linearly");
    }

    #[test]
    fn a_field_free_layer_spreads_more() {
        let sensor = Sensor::new(16.0, 10.0, 3.0, 6.0);
        // At the surface: 3^2 + (6/2)^2; at its end: 3^2.
        assert!((sensor.spread_um(0.0) - 18.0_f64.sqrt()).abs() < 1e-12 && (sensor.spread_um(6.0) - 3.0).abs() < 1e-12);
    }
}
