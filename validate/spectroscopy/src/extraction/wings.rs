//! Light of stars beyond the window of their profile: the aperture correction.
//!
//! # Formula
//! Diffraction leaves `k / d` of a star's light beyond d rows on both sides together, so a row at d holds `a F / d^2` of the light F within the window, a = k / 2 in units of F,
//! and what the background is wrong by, b F. Both by least squares over rows from the window h to 40 pixels; the share within is `E = (1 - 2 h b) / (1 - 2 h b + 2 a / h)`.
//! # Symbols
//! d  rows from the trace \[pixel\];  h  half of the window;  F  rate of a column within the window
//! # Source
//! Line spread of a pupil with sharp edges: integral of the r^-3 wings of the Airy pattern. The same law corrects the boxes of the sensitivity ([`crate::calibration::sensitivity`]).
//! # Limits
//! Ghosts, scattered light and neighbours that no catalogue has are in b as far as they are even. Without stars bright enough to tell E within [`GOOD_ENOUGH`] the share is 1: fluxes
//! then are low by what the wings hold, 1.6 to 2.2 % in GI.

use super::boxed::inside;
use super::elements::{Patch, PatchColumn};

/// Rows that are looked at on either side \[pixel\].
pub const REACH_PX: f64 = 40.0;
/// Largest standard error of a share that is believed.
pub const GOOD_ENOUGH: f64 = 0.004;
/// Pixels further from the law than this are left out \[sigma\].
const CLIP: f64 = 5.0;

/// Sums over pixels of one row of distance.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    rate: f64,
    variance: f64,
    light: f64,
    wing: f64,
}

/// Light within the window of a column; `None` where a pixel of it is not good.
fn light(column: &PatchColumn, half: f64) -> Option<f64> {
    let (mut sum, mut rows) = (0.0, 0.0);
    for p in column.pixels.iter().filter(|p| p.distance.abs() < half + 0.5) {
        if !p.good {
            return None;
        }
        let share = inside(p.distance, half);
        sum += share * p.rate;
        rows += share;
    }
    (sum > 0.0 && rows > 2.0 * half - 1e-6).then_some(sum)
}

/// Shares of the light within `half` rows of the trace, one for each of the wavelengths \[nm\] (each takes the columns nearest to it), from wide patches of bright, isolated stars.
/// 1 for all where one of them cannot be told.
#[must_use]
pub fn shares_within(patches: &[Patch], wavelength_nm: &[f64], half: f64) -> Vec<f64> {
    let shares: Option<Vec<f64>> = (0..wavelength_nm.len())
        .map(|bin| {
            let nearest = |w: f64| {
                let far = |k: &usize| (wavelength_nm[*k] - w).abs();
                (0..wavelength_nm.len()).min_by(|a, b| far(a).total_cmp(&far(b))) == Some(bin)
            };
            let columns = patches.iter().flat_map(|p| &p.columns).filter(|c| nearest(c.wavelength_nm));
            share(&columns.filter_map(|c| light(c, half).map(|f| (c, f))).collect::<Vec<_>>(), half)
        })
        .collect();
    shares.unwrap_or_else(|| vec![1.0; wavelength_nm.len()])
}

/// The share of columns with their light; `None` when its error is too large.
fn share(columns: &[(&PatchColumn, f64)], half: f64) -> Option<f64> {
    let cells = (REACH_PX - half) as usize;
    let (mut a, mut b) = (0.0, 0.0);
    let mut error = f64::INFINITY;
    // The second time pixels that disagree with the first law are left out.
    for round in 0..2 {
        let mut sums = vec![Cell::default(); cells];
        for (column, f) in columns {
            for p in column.pixels.iter().filter(|p| p.good && p.distance.abs() >= half + 0.5) {
                let d = p.distance.abs();
                let Some(cell) = sums.get_mut((d - half - 0.5) as usize) else { continue };
                let expected = f * (a / (d * d) + b);
                if round > 0 && (p.rate - expected).powi(2) > CLIP * CLIP * p.variance {
                    continue;
                }
                cell.rate += p.rate;
                cell.variance += p.variance;
                cell.light += f;
                cell.wing += f / (d * d);
            }
        }
        // rate = a sum(f / d^2) + b sum(f), weighted by the variance of the sum.
        let (mut xx, mut xy, mut yy, mut xr, mut yr) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for c in sums.iter().filter(|c| c.variance > 0.0) {
            let (x, y, w) = (c.wing, c.light, 1.0 / c.variance);
            (xx, xy, yy) = (xx + w * x * x, xy + w * x * y, yy + w * y * y);
            (xr, yr) = (xr + w * x * c.rate, yr + w * y * c.rate);
        }
        let determinant = xx * yy - xy * xy;
        if determinant.is_nan() || determinant <= 1e-12 * xx * yy {
            return None;
        }
        (a, b) = ((yy * xr - xy * yr) / determinant, (xx * yr - xy * xr) / determinant);
        error = 2.0 / half * (yy / determinant).sqrt();
    }
    let within = 1.0 - 2.0 * half * b;
    let share = within / (within + 2.0 * a / half);
    (error < GOOD_ENOUGH && share > 0.5 && share <= 1.0).then_some(share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extraction::beam::BeamColumn;
    use crate::extraction::elements::Pixel;
    use sim_core::noise::normals;
    use sim_core::stream::StreamKey;

    /// A star of `f` electrons / s a column, all of it but the wings in its trace, on a background that is wrong by `wrong`; noise 0.06 in a pixel.
    fn star(f: f64, within: f64, half: f64, wrong: f64) -> Patch {
        let a = 0.5 * half * (1.0 - within) / within;
        let columns = (0..300).map(|i| {
            let row = 50.0 + 0.003 * f64::from(i);
            let mut noise = vec![0.0_f32; 101];
            normals(&StreamKey::new(7).stream(i as u64), 0, &mut noise);
            let pixels = (0..=100).map(|y| {
                let distance = f64::from(y) - row;
                let light = if distance.abs() <= 0.5 { f } else { 0.0 };
                let wing = if distance.abs() > half { f * a / distance.powi(2) } else { 0.0 };
                let rate = light + wing + wrong + 0.06 * f64::from(noise[y as usize]);
                Pixel {
                    distance,
                    rate,
                    variance: 0.0036,
                    stated: 0.0036,
                    quiet: 0.0016,
                    contamination: 0.0,
                    background: 0.3,
                    flags: 0,
                    good: (y + i) % 97 != 0,
                }
            });
            let wavelength_nm = 640.0 + f64::from(i);
            let beam = BeamColumn { column: i64::from(i), row, wavelength_nm, dispersion: 1.0, response: 1.0 };
            PatchColumn { wavelength_nm, beam, sensitive: true, pixels: pixels.filter(|p| p.distance.abs() < REACH_PX).collect() }
        });
        Patch { columns: columns.collect(), time_s: 150.0 }
    }

    #[test]
    fn light_in_the_wings_is_told_from_a_background_that_is_wrong() {
        let patches = [star(90.0, 0.98, 8.0, 0.01), star(60.0, 0.98, 8.0, -0.005)];
        for share in shares_within(&patches, &[700.0, 800.0, 900.0], 8.0) {
            assert!((share - 0.98).abs() < 2e-3, "{share}");
        }
        // Nothing in the wings is the end of the range: either side of 1 by the noise.
        let none = shares_within(&[star(90.0, 1.0, 8.0, 0.0)], &[800.0], 8.0);
        assert!((none[0] - 1.0).abs() < 2e-3, "{none:?}");
        // A faint star says nothing.
        assert_eq!(shares_within(&[star(0.5, 0.98, 8.0, 0.0)], &[700.0, 900.0], 8.0), [1.0, 1.0]);
    }
}
