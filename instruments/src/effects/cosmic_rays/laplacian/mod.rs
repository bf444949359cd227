//! Finding cosmic rays in one exposure: the class of L.A.Cosmic, with a threshold on charge for the edges of hits.
//!
//! [`edges`] finds the cores (one pass over the frame), [`grow()`] the rest of each hit.
//! What protects stars follows from the sharpest star the optics can make: [`Options::for_psf`].

pub(in crate::effects::cosmic_rays) mod background;
pub mod edges;
pub(in crate::effects::cosmic_rays) mod field;
mod grow;
pub mod medians;
pub mod steep;

pub use field::{CLOUD_PX, Field, ReadVariance};
pub use grow::grow;

/// Thresholds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Least charge and sharpness of a core over the noise.
    pub core_sigma: f32,
    /// Least ratio of sharpness to fine structure.
    pub contrast: f32,
    /// Least charge of a pixel of a hit over its noise.
    pub edge_sigma: f32,
    /// Least product of two opposite neighbours over the square of a pixel, for stars: see `steep`.
    pub least_ratio: f32,
    /// How surely a pixel must fall below that, in standard deviations.
    pub steep_sigma: f32,
    /// Most that a star's pixel exceeds the median of its eight neighbours, as a ratio.
    pub fall: f32,
}

impl Options {
    /// Thresholds for stars of a full width at half maximum \[pixel\], pixel included; a margin of 6 % in width is taken off.
    #[must_use]
    pub fn for_psf(fwhm_px: f64) -> Self {
        let sharpest = MARGIN * fwhm_px;
        let least_ratio = (-8.0 * std::f64::consts::LN_2 / (sharpest * sharpest)).exp() as f32;
        Self { contrast: Sharpest::of(sharpest).contrast, least_ratio, ..Self::default() }
    }
}

/// Stars may be that much narrower than told.
const MARGIN: f64 = 0.94;

impl Default for Options {
    /// Contrast and ratio for stars of 1.7 pixel, the sharpest of the survey camera ([`Options::for_psf`]). The others
    /// are those with the best F1 at 5 sigma on frames of their own (seeds 1000-1003 of the benchmark).
    fn default() -> Self {
        Self { core_sigma: 5.5, contrast: 7.0, edge_sigma: 4.9, fall: 9.0, least_ratio: 0.115, steep_sigma: 3.0 }
    }
}

/// The sharpest star: extremes over the positions of a noiseless Gaussian star in its pixel, where it has more than 5 % of its
/// peak, times a margin of 1.25 for PSFs that are not Gaussian.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sharpest {
    /// Sharpness over fine structure.
    pub contrast: f32,
    /// Pixel over the median of its eight neighbours.
    pub fall: f32,
}

const SIDE: usize = 21;

/// A separable median of an image given by rows; `half` rows and columns to each side.
fn filtered(rows: &[Vec<f32>], half: usize, along: fn(&[f32], &mut [f32])) -> Vec<Vec<f32>> {
    let mut first = rows.to_vec();
    for (row, out) in rows.iter().zip(&mut first) {
        along(row, out);
    }
    let mut out = first.clone();
    for (y, line) in out.iter_mut().enumerate().take(SIDE - half).skip(half) {
        for (x, value) in line.iter_mut().enumerate() {
            let mut column: Vec<f32> = first[y - half..=y + half].iter().map(|row| row[x]).collect();
            column.sort_by(f32::total_cmp);
            *value = column[half];
        }
    }
    out
}

impl Sharpest {
    /// Of stars of a full width at half maximum \[pixel\], pixel included.
    #[must_use]
    pub fn of(fwhm_px: f64) -> Self {
        let sigma = fwhm_px / (8.0 * std::f64::consts::LN_2).sqrt();
        let (mut contrast, mut fall) = (0.0_f32, 0.0_f32);
        for (dx, dy) in [(0.0, 0.0), (0.25, 0.0), (0.5, 0.0), (0.25, 0.25), (0.5, 0.25), (0.5, 0.5)] {
            let light = |y: usize, x: usize| {
                let r2 = (x as f64 - 10.0 - dx).powi(2) + (y as f64 - 10.0 - dy).powi(2);
                (1e6 * (-0.5 * r2 / (sigma * sigma)).exp()) as f32
            };
            let rows: Vec<Vec<f32>> = (0..SIDE).map(|y| (0..SIDE).map(|x| light(y, x)).collect()).collect();
            let fine = filtered(&rows, 1, medians::along3);
            let broad = filtered(&fine, 3, medians::along7);
            let mut sharp = vec![vec![0.0; SIDE]; SIDE];
            for y in 1..SIDE - 1 {
                edges::sharpness(&rows[y - 1], &rows[y], &rows[y + 1], &mut sharp[y]);
            }
            let wide = filtered(&sharp, 2, medians::along5);
            for (y, x) in (8..13).flat_map(|y| (8..13).map(move |x| (y, x))).filter(|&(y, x)| rows[y][x] > 0.05 * rows[10][10]) {
                contrast = contrast.max((sharp[y][x] - wide[y][x]) / (fine[y][x] - broad[y][x]).max(1.0));
                let mut ring: Vec<f32> = (0..9).filter(|k| *k != 4).map(|k| rows[y + k / 3 - 1][x + k % 3 - 1]).collect();
                ring.sort_by(f32::total_cmp);
                fall = fall.max(rows[y][x] / (0.5 * (ring[3] + ring[4])));
            }
        }
        Self { contrast: 1.25 * contrast, fall: 1.25 * fall }
    }
}

/// The pixels of cosmic rays, `true` at `y * nx + x`.
#[must_use]
pub fn detect(field: &Field<'_>, options: &Options) -> Vec<bool> {
    grow(field, options, &edges::cores(field, options))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use sim_core::noise;
    use sim_core::stream::StreamKey;

    fn sky(level: f32, shape: (usize, usize)) -> Array2<f32> {
        let mut pixels = Array2::from_elem(shape, level);
        let key = StreamKey::new(6).with_name("sky");
        for (y, mut row) in pixels.rows_mut().into_iter().enumerate() {
            let row = row.as_slice_mut().unwrap();
            noise::poisson(&key.stream(y as u64), 0, row);
            noise::add_normals(&key.stream(1 << 20 | y as u64), 0, 5.0, row);
        }
        pixels
    }

    fn found(pixels: &Array2<f32>, options: &Options) -> Vec<usize> {
        let read_variance = ReadVariance::uniform(25.0, pixels.dim());
        let field = Field {
            electrons: pixels,
            dark: None,
            flags: None,
            defects: None,
            leave_out: 0,
            read_variance: &read_variance,
            cloud_px: CLOUD_PX,
        };
        let mask = detect(&field, options);
        (0..mask.len()).filter(|&i| mask[i]).collect()
    }

    #[test]
    fn blank_sky_has_no_cosmic_rays() {
        // 1 M pixels: P(> 5 sigma) = 3e-7 for the charge alone, and the core must be sharp too: less than 0.3 expected.
        assert!(found(&sky(30.0, (1000, 1000)), &Options::default()).len() <= 2);
    }

    #[test]
    fn a_track_is_found_from_end_to_end_and_nothing_else() {
        let mut pixels = sky(30.0, (120, 130));
        let track: Vec<usize> = (0..30).map(|i| (20 + i) * 130 + 40 + i / 2).collect();
        for &at in &track {
            pixels[(at / 130, at % 130)] += 300.0;
        }
        assert_eq!(found(&pixels, &Options::default()), track);
        // At the corner as well.
        let mut corner = sky(30.0, (64, 64));
        corner[(0, 0)] += 400.0;
        corner[(63, 63)] += 400.0;
        assert_eq!(found(&corner, &Options::default()), [0, 64 * 64 - 1]);
    }

    #[test]
    fn stars_of_the_psf_are_left_alone() {
        let fwhm = 2.1_f64;
        let sigma = fwhm / (8.0 * std::f64::consts::LN_2).sqrt();
        let mut pixels = Array2::from_elem((200, 200), 30.0_f32);
        for k in 0..81_usize {
            let (cx, cy) = (20.0 + 20.0 * (k % 9) as f64 + 0.13 * k as f64 % 1.0, 20.0 + 20.0 * (k / 9) as f64 + 0.37 * k as f64 % 1.0);
            let peak = 30.0 * 1.09_f64.powi(k as i32);
            for ((y, x), v) in pixels.indexed_iter_mut() {
                *v += (peak * (-0.5 * ((x as f64 - cx).powi(2) + (y as f64 - cy).powi(2)) / (sigma * sigma)).exp()) as f32;
            }
        }
        let key = StreamKey::new(8).with_name("stars");
        for (y, mut row) in pixels.rows_mut().into_iter().enumerate() {
            let row = row.as_slice_mut().unwrap();
            noise::poisson(&key.stream(y as u64), 0, row);
            noise::add_normals(&key.stream(1 << 20 | y as u64), 0, 5.0, row);
        }
        // Peaks from 30 to 30,000 electrons.
        let flagged = found(&pixels, &Options::for_psf(fwhm));
        assert!(flagged.is_empty(), "{flagged:?}");
    }

    #[test]
    fn a_hit_on_a_star_is_found() {
        let mut pixels = sky(30.0, (60, 60));
        for ((y, x), v) in pixels.indexed_iter_mut() {
            *v += 2000.0 * (-0.5 * ((x as f32 - 30.0).powi(2) + (y as f32 - 30.0).powi(2)) / 0.8).exp();
        }
        pixels[(31, 33)] += 1500.0;
        assert_eq!(found(&pixels, &Options::default()), [31 * 60 + 33]);
    }

    #[test]
    fn sharper_stars_need_more_contrast() {
        let stars = [1.6, 1.9, 2.1, 3.0].map(Sharpest::of);
        println!("at 1.6, 1.9, 2.1, 3.0 pixel: {stars:?}");
        assert!(stars.windows(2).all(|w| w[0].contrast > w[1].contrast && w[0].fall > w[1].fall));
        // The default is that of 1.7 pixel.
        let default = Options::default();
        assert!((default.contrast / Options::for_psf(1.7).contrast - 1.0).abs() < 0.02);
        assert!((default.least_ratio / Options::for_psf(1.7).least_ratio - 1.0).abs() < 0.02);
    }

    #[test]
    fn pixels_left_out_are_neither_judged_nor_used() {
        let mut pixels = sky(30.0, (64, 64));
        pixels[(20, 20)] += 5000.0;
        pixels[(40, 40)] = f32::NAN;
        let mut flags = Array2::<u32>::zeros((64, 64));
        flags[(20, 20)] = 2;
        let read_variance = ReadVariance::uniform(25.0, (64, 64));
        let field = Field {
            electrons: &pixels,
            dark: None,
            flags: Some(&flags),
            defects: None,
            leave_out: 2,
            read_variance: &read_variance,
            cloud_px: CLOUD_PX,
        };
        assert!(detect(&field, &Options::default()).iter().all(|m| !m));
    }
}
