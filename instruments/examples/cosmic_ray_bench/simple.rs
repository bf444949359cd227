//! Hits of a second, simple kind, to see whether a detector learned one generator by heart.
//!
//! Straight tracks through a slab of 25 um with directions uniform over the half sphere, each step of 1 um losing 60 to 120 electrons
//! (one number a track) with Moyal fluctuations, spread by one Gaussian of 0.45 pixel; a tenth are points of 3 um, a tenth random walks.
//! Nothing here comes from the effect: no spectrum, no Landau table, no depth-dependent diffusion. Training sees tracks of this kind too, in
//! other thicknesses and clouds, with more and longer points and with another loss (`Loss::Even`); the Moyal loss of the figures stays unseen.

use crate::arguments::Dice;
use ndarray::Array2;
use sim_core::frame::Window;
use sim_core::stream::StreamKey;

/// What a step of 1 um loses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// 60 to 120 electrons with Moyal fluctuations: the figures.
    Moyal,
    /// 50 to 150 electrons, evenly between 0.6 and 1.4 of it: training.
    Even,
}

/// Its parameters.
#[derive(Clone, Debug)]
pub struct SimpleRays {
    pub rate_cm2_s: f64,
    pub thickness_um: f64,
    pub blur_px: f64,
    pub loss: Loss,
    /// Share of hits that are points: a cloud and no track.
    pub points: f64,
    /// Silicon that a point crosses, at most \[um\]; 3 at least.
    pub longest_point_um: f64,
}

impl Default for SimpleRays {
    fn default() -> Self {
        Self { rate_cm2_s: 1.0, thickness_um: 25.0, blur_px: 0.45, loss: Loss::Moyal, points: 0.1, longest_point_um: SHORTEST_POINT_UM }
    }
}

const PITCH_UM: f64 = 10.0;
const SHORTEST_POINT_UM: f64 = 3.0;
/// Share of random walks.
const WALKS: f64 = 0.1;
const READOUT_S: f64 = 40.0;

impl SimpleRays {
    /// Electrons and owner of each pixel.
    pub fn hits(&self, id: u64, time_s: f64, window: Window) -> (Array2<f32>, Array2<u32>) {
        let mut dice = Dice::new(StreamKey::new(79).with_name("simple").stream(id));
        let area_cm2 = (window.nx * window.ny) as f64 * (PITCH_UM * 1e-4_f64).powi(2);
        let count = (self.rate_cm2_s * area_cm2 * (time_s + READOUT_S)).round() as u32;
        let mut electrons = Array2::<f32>::zeros(window.shape());
        let mut owner = Array2::<u32>::zeros(window.shape());
        let mut share = Array2::<f32>::zeros(window.shape());
        for hit in 1..=count {
            let (mut x, mut y) = (dice.uniform() * window.nx as f64, dice.uniform() * window.ny as f64);
            let (cosine, mut angle) = (dice.uniform().max(0.02), dice.uniform() * std::f64::consts::TAU);
            let kind = dice.uniform();
            let per_um = match self.loss {
                Loss::Moyal => 60.0 + 60.0 * dice.uniform(),
                Loss::Even => 50.0 + 100.0 * dice.uniform(),
            };
            let (steps, across) = match kind {
                k if k < self.points && self.longest_point_um > SHORTEST_POINT_UM => {
                    ((SHORTEST_POINT_UM * (self.longest_point_um / SHORTEST_POINT_UM).powf(dice.uniform())) as usize, 0.0)
                }
                k if k < self.points => (SHORTEST_POINT_UM as usize, 0.0),
                k if k < self.points + WALKS => (30 + (170.0 * dice.uniform()) as usize, 1.0),
                _ => ((self.thickness_um / cosine).min(1500.0) as usize, (1.0 - cosine * cosine).sqrt()),
            };
            let mut own = std::collections::BTreeMap::<(usize, usize), f64>::new();
            for _ in 0..steps.max(1) {
                if (self.points..self.points + WALKS).contains(&kind) {
                    angle += 0.35 * dice.normal();
                }
                x += across * angle.cos() / PITCH_UM;
                y += across * angle.sin() / PITCH_UM;
                // Moyal 1955: -ln z^2 of a normal z has his distribution; 0.1 of the mean as its scale.
                let lost = per_um
                    * match self.loss {
                        Loss::Moyal => (0.85 - 0.1 * dice.normal().powi(2).max(1e-9).ln()).clamp(0.2, 6.0),
                        Loss::Even => 0.6 + 0.8 * dice.uniform(),
                    };
                for _ in 0..4 {
                    let (u, v) = (x + self.blur_px * dice.normal(), y + self.blur_px * dice.normal());
                    if u >= 0.0 && v >= 0.0 && u < window.nx as f64 && v < window.ny as f64 {
                        *own.entry((v as usize, u as usize)).or_default() += 0.25 * lost;
                    }
                }
            }
            for (at, sum) in own {
                let sum = sum.round() as f32;
                electrons[at] += sum;
                if sum > share[at] {
                    share[at] = sum;
                    owner[at] = hit;
                }
            }
        }
        (electrons, owner)
    }
}
