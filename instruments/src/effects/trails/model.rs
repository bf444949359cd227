//! The kernel: the profile of a blurred line, and the light of a line on a row of pixels.

use std::f64::consts::PI;

/// Samples of a profile per pixel.
const FINE: usize = 16;
/// Standard deviations of the Gaussian that are followed.
const REACH: f64 = 5.0;
/// Nodes over the disc for one sigma of the Gaussian.
const NODES_PER_SIGMA: f64 = 3.0;
/// Gauss-Legendre nodes and weights over a pixel (five points on -1/2..1/2).
const PIXEL: [(f64, f64); 5] = [
    (-0.453_089_922_969_332, 0.118_463_442_528_095),
    (-0.269_234_655_052_841_5, 0.239_314_335_249_683_2),
    (0.0, 0.284_444_444_444_444_4),
    (0.269_234_655_052_841_5, 0.239_314_335_249_683_2),
    (0.453_089_922_969_332, 0.118_463_442_528_095),
];

/// What turns magnitudes into electrons and angles into pixels.
#[derive(Debug, Clone, Copy)]
pub struct Optics {
    /// Electrons per second of AB magnitude 0 through the aperture.
    pub zero_electron_s: f64,
}

impl Optics {
    /// Electrons per second of a magnitude.
    #[must_use]
    pub fn electron_s(&self, magnitude: f64) -> f64 {
        self.zero_electron_s * 10.0_f64.powf(-0.4 * magnitude)
    }
}

/// The profile across a line of unit light per pixel of length: a disc seen from the side, a Gaussian, one pixel.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Values at distances 0, 1 / FINE, ... \[1 / pixel\].
    values: Vec<f64>,
    /// Integral from minus infinity, from distance -reach on, of the profile of a line without disc.
    cumulative: Vec<f64>,
    /// Distance beyond which there is nothing \[pixel\].
    pub reach: f64,
    end_reach: f64,
}

impl Profile {
    /// A disc of `radius` and a Gaussian of `sigma` \[pixel\].
    #[must_use]
    pub fn new(radius: f64, sigma: f64) -> Self {
        let gauss = |u: f64| (-0.5 * (u / sigma).powi(2)).exp() / (sigma * (2.0 * PI).sqrt());
        let pixel = |u: f64| PIXEL.iter().map(|(x, w)| w * gauss(u + x)).sum::<f64>();
        // Chebyshev nodes of the second kind: the weight sqrt(1 - w^2) is the chord of the disc.
        let count = (NODES_PER_SIGMA * 2.0 * radius / sigma).ceil().clamp(16.0, 4000.0) as usize;
        let nodes: Vec<(f64, f64)> = (1..=count)
            .map(|k| {
                let t = k as f64 * PI / (count + 1) as f64;
                (radius * t.cos(), 2.0 / (count + 1) as f64 * t.sin().powi(2))
            })
            .collect();
        let end_reach = 0.5 + REACH * sigma;
        let reach = radius + end_reach;
        let samples = (reach * FINE as f64).ceil() as usize + 2;
        let values = (0..samples).map(|i| nodes.iter().map(|(w, share)| share * pixel(i as f64 / FINE as f64 - w)).sum()).collect();
        let steps = (2.0 * end_reach * FINE as f64).ceil() as usize + 2;
        let mut cumulative = Vec::with_capacity(steps);
        let mut sum = 0.0;
        for i in 0..steps {
            cumulative.push(sum);
            sum += pixel((i as f64 + 0.5) / FINE as f64 - end_reach) / FINE as f64;
        }
        let last = cumulative[steps - 1];
        cumulative.iter_mut().for_each(|c| *c /= last);
        Self { values, cumulative, reach, end_reach }
    }
    /// At a distance from the line \[1 / pixel\].
    #[must_use]
    pub fn at(&self, distance: f64) -> f64 {
        let t = distance.abs() * FINE as f64;
        let k = t as usize;
        if k + 1 >= self.values.len() {
            return 0.0;
        }
        self.values[k] + (t - k as f64) * (self.values[k + 1] - self.values[k])
    }
    /// Share of the light before a place `s` behind an end of the line.
    fn before(&self, s: f64) -> f64 {
        let t = (s + self.end_reach) * FINE as f64;
        if t <= 0.0 {
            return 0.0;
        }
        let k = t as usize;
        if k + 1 >= self.cumulative.len() {
            return 1.0;
        }
        self.cumulative[k] + (t - k as f64) * (self.cumulative[k + 1] - self.cumulative[k])
    }
}

/// A line in detector pixels.
#[derive(Debug, Clone)]
pub struct Line {
    /// Start (x, y) \[pixel\].
    pub from: (f64, f64),
    /// Unit vector along it.
    pub along: (f64, f64),
    /// Length \[pixel\].
    pub length: f64,
    /// Electrons of the whole.
    pub electrons: f64,
    /// Across it.
    pub profile: Profile,
}

impl Line {
    /// A line between two places.
    #[must_use]
    pub fn new(from: (f64, f64), to: (f64, f64), electrons: f64, profile: Profile) -> Self {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        // A dash without length is a point, drawn as the shortest line.
        let length = dx.hypot(dy).max(1e-3);
        let along = if dx == 0.0 && dy == 0.0 { (1.0, 0.0) } else { (dx / length, dy / length) };
        Self { from, along, length, electrons, profile }
    }
    /// First and last column of row `y` that it reaches, both included; `None` when it does not reach the row.
    fn columns(&self, y: f64) -> Option<(f64, f64)> {
        let reach = self.profile.reach;
        let far = reach.max(self.profile.end_reach) * 1.5;
        let to = (self.from.0 + self.length * self.along.0, self.from.1 + self.length * self.along.1);
        let (low, high) = (self.from.1.min(to.1) - far, self.from.1.max(to.1) + far);
        if y < low || y > high {
            return None;
        }
        let ends = (self.from.0.min(to.0) - far, self.from.0.max(to.0) + far);
        // |(x - x0) sin - (y - y0) cos| < reach.
        if self.along.1.abs() < 1e-9 {
            return Some(ends);
        }
        let middle = self.from.0 + (y - self.from.1) * self.along.0 / self.along.1;
        let half = reach / self.along.1.abs();
        let columns = ((middle - half).max(ends.0), (middle + half).min(ends.1));
        (columns.0 <= columns.1).then_some(columns)
    }
    /// Whether it reaches a row.
    #[must_use]
    pub fn has_row(&self, y: usize) -> bool {
        self.columns(y as f64).is_some()
    }
    /// Adds its light to a row of pixels that starts at detector column `x0`.
    pub fn shine(&self, y: usize, x0: usize, row: &mut [f32]) {
        let Some((low, high)) = self.columns(y as f64) else { return };
        let first = low.ceil().max(x0 as f64);
        let last = high.floor().min((x0 + row.len()) as f64 - 1.0);
        if first > last {
            return;
        }
        let density = self.electrons / self.length;
        for x in first as usize..=last as usize {
            let (dx, dy) = (x as f64 - self.from.0, y as f64 - self.from.1);
            let across = self.profile.at(dx * self.along.1 - dy * self.along.0);
            if across > 0.0 {
                let s = dx * self.along.0 + dy * self.along.1;
                let share = self.profile.before(s) - self.profile.before(s - self.length);
                row[x - x0] += (density * across * share) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(line: &Line, nx: usize, ny: usize) -> f64 {
        (0..ny)
            .map(|y| {
                let mut row = vec![0.0; nx];
                line.shine(y, 0, &mut row);
                row.iter().map(|&v| f64::from(v)).sum::<f64>()
            })
            .sum()
    }

    #[test]
    fn a_short_dash_keeps_its_electrons_at_any_angle() {
        for angle in [0.0_f64, 0.3, std::f64::consts::FRAC_PI_4, 1.2, std::f64::consts::FRAC_PI_2] {
            let (s, c) = angle.sin_cos();
            let line = Line::new((50.0, 60.0), (50.0 + 20.3 * c, 60.0 + 20.3 * s), 1000.0, Profile::new(0.0, 0.9));
            let sum = total(&line, 120, 120);
            // Tails beyond five sigma hold 6e-7; tables are linear between sixteenths of a pixel: 2e-4 of the curvature.
            assert!((sum / 1000.0 - 1.0).abs() < 2e-3, "{angle}: {sum}");
        }
    }

    #[test]
    fn a_line_through_the_frame_has_its_light_per_length() {
        // Slope 0.5: the frame sees 100 columns x sqrt(1.25) of length, whatever the blur.
        for blur in [0.0, 2.0, 6.0] {
            let line = Line::new((-200.0, -60.0), (400.0, 240.0), 600.0 * 1.25_f64.sqrt() * 7.0, Profile::new(blur, 0.8));
            let sum = total(&line, 100, 200);
            assert!((sum / (700.0 * 1.25_f64.sqrt()) - 1.0).abs() < 1e-3, "{blur}: {sum}");
        }
    }

    #[test]
    fn a_blurred_line_has_the_chord_of_the_disc_across() {
        // 2 sqrt(a^2 - u^2) / (pi a^2), where the Gaussian and the pixel are small against a = 40.
        let profile = Profile::new(40.0, 0.5);
        for u in [0.0, 10.0, 25.0, 33.0] {
            let exact = 2.0 * (1600.0_f64 - u * u).sqrt() / (PI * 1600.0);
            assert!((profile.at(u) / exact - 1.0).abs() < 5e-3, "{u}");
        }
        assert_eq!(profile.at(50.0), 0.0);
    }
}
