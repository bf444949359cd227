//! Where from: directions of particles that cross a flat sensor.
//!
//! # Formula
//! Intensity cos^n of the angle to the normal (n = 0: isotropic); crossings of a plane carry one more cosine, so
//! P(cos < c) = c^(n + 2). An isotropic flux has the mean chord 2 t in a slab of thickness t, and P(chord > s) = (t/s)^2.
//! # Source
//! Cauchy's mean chord 4 V / S for a convex body; textbook geometry. n > 0 stands for matter around the focal plane that
//! takes away slanting particles.

use super::dice::Dice;

/// A unit vector; z points from the back (light) side to the gates.
pub type Vector = [f64; 3];

/// Directions of crossings.
#[derive(Debug, Clone, Copy)]
pub struct Directions {
    /// 1 / (n + 2).
    exponent: f64,
    /// Share that enters through the back (light) side.
    back_fraction: f64,
}

impl Directions {
    /// Intensity `cos^power`; `back_fraction` of the particles enter through the illuminated side.
    #[must_use]
    pub fn new(power: f64, back_fraction: f64) -> Self {
        Self { exponent: 1.0 / (power + 2.0), back_fraction }
    }
    /// A direction.
    pub fn draw(&self, dice: &mut Dice) -> Vector {
        let u = dice.uniform();
        let cosine = if self.exponent == 0.5 { u.sqrt() } else { u.powf(self.exponent) };
        let side = if dice.uniform() < self.back_fraction { 1.0 } else { -1.0 };
        polar(side * cosine, dice.uniform())
    }
}

/// A direction from the cosine to z and the azimuth as a fraction of a turn.
#[must_use]
pub fn polar(cosine: f64, turn: f64) -> Vector {
    let sine = (1.0 - cosine * cosine).max(0.0).sqrt();
    let (s, c) = (std::f64::consts::TAU * turn).sin_cos();
    [sine * c, sine * s, cosine]
}

/// `axis` turned by an angle about a random axis normal to it: `cosine` of the angle, azimuth as a fraction of a turn.
#[must_use]
pub fn deflected(axis: Vector, cosine: f64, turn: f64) -> Vector {
    let [a, b, c] = polar(cosine, turn);
    let [x, y, z] = axis;
    let across = (x * x + y * y).sqrt();
    if across < 1e-9 {
        return [a, b, if z > 0.0 { c } else { -c }];
    }
    // Two vectors normal to the axis: in the plane of z, and horizontal.
    let [ux, uy, uz] = [x * z / across, y * z / across, -across];
    let [vx, vy] = [-y / across, x / across];
    let new = [a * ux + b * vx + c * x, a * uy + b * vy + c * y, a * uz + c * z];
    let norm = new.iter().map(|v| v * v).sum::<f64>().sqrt();
    new.map(|v| v / norm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::stream::StreamKey;

    #[test]
    fn the_chord_of_an_isotropic_flux_is_twice_the_thickness() {
        let directions = Directions::new(0.0, 0.5);
        let n = 200_000;
        let mut dice = Dice::new(StreamKey::new(3).with_name("chord").stream(0));
        let (mut short, mut beyond_two, mut beyond_ten, mut up) = (0.0, 0, 0, 0);
        for _ in 0..n {
            let [_, _, z] = directions.draw(&mut dice);
            let chord = 1.0 / z.abs();
            // The law of the chord has no variance: the mean below 10 is 2 (1 - 1/10) / (1 - 1/100) = 1.81818.
            if chord <= 10.0 {
                short += chord
            } else {
                beyond_ten += 1
            }
            beyond_two += usize::from(chord > 2.0);
            up += usize::from(z > 0.0);
        }
        let kept = f64::from(n - beyond_ten);
        // Variance below 10: 2 ln 10 / 0.99 - 1.818^2 = 1.345.
        assert!((short / kept - 1.818_18).abs() < 5.0 * (1.345 / kept).sqrt(), "{}", short / kept);
        let binomial = |count: usize, p: f64| (count as f64 - f64::from(n) * p).abs() < 5.0 * (f64::from(n) * p * (1.0 - p)).sqrt();
        assert!(binomial(beyond_two, 0.25) && binomial(beyond_ten as usize, 0.01) && binomial(up, 0.5));
    }

    #[test]
    fn deflection_keeps_the_angle() {
        for (axis, cosine, turn) in [([0.0, 0.0, -1.0], 0.3, 0.2), (polar(0.4, 0.7), 0.9, 0.55), (polar(-0.99, 0.1), -0.2, 0.9)] {
            let new = deflected(axis, cosine, turn);
            let dot: f64 = new.iter().zip(axis).map(|(a, b)| a * b).sum();
            assert!((dot - cosine).abs() < 1e-12, "{dot} for {cosine}");
        }
    }
}
