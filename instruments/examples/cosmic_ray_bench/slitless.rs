//! A stand-in for slitless frames: the picture drawn out along rows, with structure, and its zeroth order.
//!
//! Not the camera's slitless optics: every source has the same spectrum, a smooth hump with absorption lines two pixels wide and more,
//! 120 to 240 pixels long, and a zeroth order that is the picture itself, 220 pixels before it with a tenth of the light.

use crate::arguments::Dice;
use ndarray::Array2;

/// The picture of a slitless frame.
pub fn dispersed(light: &Array2<f32>, dice: &mut Dice) -> Array2<f32> {
    let length = 120 + (120.0 * dice.uniform()) as usize;
    let mut spectrum: Vec<f64> = (0..length).map(|i| (std::f64::consts::PI * (i as f64 + 0.5) / length as f64).sin().powf(0.5)).collect();
    for _ in 0..6 {
        let (centre, depth, sigma) = (dice.uniform() * length as f64, 0.7 * dice.uniform(), 0.9 + 2.0 * dice.uniform());
        for (i, v) in spectrum.iter_mut().enumerate() {
            *v *= 1.0 - depth * (-0.5 * ((i as f64 - centre) / sigma).powi(2)).exp();
        }
    }
    let sum: f64 = spectrum.iter().sum();
    let spectrum: Vec<f32> = spectrum.iter().map(|v| (0.9 * v / sum) as f32).collect();
    let shift = 220_usize;
    let nx = light.ncols();
    let mut out = Array2::<f32>::zeros(light.dim());
    for (mut to, from) in out.rows_mut().into_iter().zip(light.rows()) {
        let (Some(to), Some(from)) = (to.as_slice_mut(), from.as_slice()) else { continue };
        for (x, &v) in from.iter().enumerate().filter(|(_, v)| **v > 1e-3) {
            let last = (x + length).min(nx);
            to[x..last].iter_mut().zip(&spectrum).for_each(|(t, s)| *t += s * v);
            if x >= shift {
                to[x - shift] += 0.1 * v;
            }
        }
    }
    out
}
