//! The kernel: a sum of relaxation processes along a line.

/// Processes whose sum is close to 1/f.
pub const TERMS: usize = 3;

/// Constants of the processes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pink {
    /// What a process keeps of its last value.
    keep: [f32; TERMS],
    /// Size of its step.
    step: [f32; TERMS],
    /// Size of its first value.
    first: f32,
}

impl Pink {
    /// Of total standard deviation `rms` and correlation lengths between two \[pixel\].
    #[must_use]
    pub fn new(rms: f64, shortest: f64, longest: f64) -> Self {
        let each = rms / (TERMS as f64).sqrt();
        let keep = std::array::from_fn(|k| {
            let length = shortest * (longest / shortest).powf(k as f64 / (TERMS as f64 - 1.0));
            (-1.0 / length).exp()
        });
        Self { keep: keep.map(|e| e as f32), step: keep.map(|e: f64| (each * (1.0 - e * e).sqrt()) as f32), first: each as f32 }
    }
    /// The covariance at a distance of `lag` pixels.
    #[must_use]
    pub fn covariance(&self, lag: i32) -> f64 {
        self.keep.iter().map(|&e| f64::from(self.first).powi(2) * f64::from(e).powi(lag)).sum()
    }
    /// Adds the noise to a line; `normals[k]` has one number for every pixel of process k.
    pub fn add(&self, normals: [&[f32]; TERMS], line: &mut [f32]) {
        let Some((head, tail)) = line.split_first_mut() else { return };
        let [a, b, c] = normals;
        let mut u = [a[0] * self.first, b[0] * self.first, c[0] * self.first];
        *head += u[0] + u[1] + u[2];
        for (((pixel, a), b), c) in tail.iter_mut().zip(&a[1..]).zip(&b[1..]).zip(&c[1..]) {
            u[0] = self.keep[0] * u[0] + self.step[0] * a;
            u[1] = self.keep[1] * u[1] + self.step[1] * b;
            u[2] = self.keep[2] * u[2] + self.step[2] * c;
            *pixel += u[0] + u[1] + u[2];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::noise;
    use sim_core::stream::StreamKey;

    #[test]
    fn the_covariance_along_a_line_is_the_closed_form() {
        let pink = Pink::new(2.0, 3.0, 300.0);
        assert!((pink.covariance(0) - 4.0).abs() < 1e-5);
        // Lengths 3, 30, 300: lag 30 keeps exp(-10), exp(-1), exp(-0.1) of a third each.
        let want = 4.0 / 3.0 * ((-10.0_f64).exp() + (-1.0_f64).exp() + (-0.1_f64).exp());
        assert!((pink.covariance(30) / want - 1.0).abs() < 1e-4);
        let n = 20_000;
        let (lags, mut sums) = ([0, 1, 10, 100], [0.0; 4]);
        for row in 0..n {
            let mut z = [0.0; 3 * 120];
            noise::normals(&StreamKey::new(4).stream(row), 0, &mut z);
            let mut line = [0.0; 120];
            pink.add([&z[..120], &z[120..240], &z[240..]], &mut line);
            for (sum, lag) in sums.iter_mut().zip(lags) {
                *sum += f64::from(line[7]) * f64::from(line[7 + lag]);
            }
        }
        for (sum, lag) in sums.iter().zip(lags) {
            // A product of two normals of variance 4 scatters by at most 4 sqrt(2).
            let (got, want) = (sum / n as f64, pink.covariance(lag as i32));
            assert!((got - want).abs() < 5.0 * 5.66 / (n as f64).sqrt(), "lag {lag}: {got}, {want}");
        }
    }
}
