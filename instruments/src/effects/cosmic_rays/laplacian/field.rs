//! What the detector of cosmic rays looks at: electrons, what is known of their noise, pixels to leave out.

use ndarray::{Array2, s};
use sim_core::detector::Rect;
use sim_core::flags::{ADC_SATURATED, BLEED, SATURATED as FULL};
use std::ops::Range;

const SATURATED: u32 = FULL | ADC_SATURATED;

/// Variance of the noise that is not the shot noise of the charge: that of the read noise, one number per amplifier, or what the frame states pixel by
/// pixel, where something was done to it that changes its noise.
#[derive(Debug, Clone)]
pub struct ReadVariance<'a> {
    parts: Vec<(Rect, f32)>,
    stated: Option<&'a Array2<f32>>,
}

/// Whether a variance is one.
fn stands(variance: f32) -> bool {
    variance > 0.0 && variance.is_finite()
}

impl ReadVariance<'_> {
    /// By rectangle of the frame \[electron^2\].
    #[must_use]
    pub fn new(parts: Vec<(Rect, f32)>) -> Self {
        Self { parts, stated: None }
    }
    /// The same everywhere.
    #[must_use]
    pub fn uniform(variance: f32, (ny, nx): (usize, usize)) -> Self {
        Self::new(vec![(Rect { x0: 0, y0: 0, nx, ny }, variance)])
    }
    /// As a frame states it \[electron^2\]; pixels whose variance is none keep that of their amplifier.
    #[must_use]
    pub fn stated<'a>(&self, variance: Option<&'a Array2<f32>>) -> ReadVariance<'a> {
        ReadVariance { parts: self.parts.clone(), stated: variance }
    }
    fn row(&self, y: usize, columns: &Range<usize>, out: &mut [f32]) {
        for (r, variance) in self.parts.iter().filter(|(r, _)| y >= r.y0 && y < r.y0 + r.ny) {
            let (from, to) = (r.x0.max(columns.start), (r.x0 + r.nx).min(columns.end));
            if from < to {
                out[from - columns.start..to - columns.start].fill(*variance);
            }
        }
        if let Some(stated) = self.stated {
            for (to, &variance) in out.iter_mut().zip(stated.slice(s![y, columns.clone()])) {
                *to = if stands(variance) { variance } else { *to };
            }
        }
    }
    fn at(&self, y: usize, x: usize) -> f32 {
        if let Some(variance) = self.stated.map(|stated| stated[(y, x)]).filter(|&variance| stands(variance)) {
            return variance;
        }
        let inside = |r: &Rect| y >= r.y0 && y < r.y0 + r.ny && x >= r.x0 && x < r.x0 + r.nx;
        self.parts.iter().find(|(r, _)| inside(r)).map_or(0.0, |p| p.1)
    }
}

/// One frame under inspection. All arrays have the shape of `electrons`.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    /// Electrons, sky and sources included.
    pub electrons: &'a Array2<f32>,
    /// Dark rate \[electron / s\] and time \[s\], taken off before looking (hot pixels are no cosmic rays).
    pub dark: Option<(&'a Array2<f32>, f32)>,
    /// Flags of pixels.
    pub flags: Option<&'a Array2<u32>>,
    /// Flags that are known of the detector.
    pub defects: Option<&'a Array2<u32>>,
    /// A pixel with any of these bits is neither judged nor used.
    pub leave_out: u32,
    /// Noise besides the shot noise of the charge.
    pub read_variance: &'a ReadVariance<'a>,
    /// Standard deviation of a charge cloud from the light side \[pixel\]; [`CLOUD_PX`] where nothing else is known. The network alone uses it.
    pub cloud_px: f32,
}

/// Charge cloud of the survey camera's silicon \[pixel\]: 3.5 um in pixels of 10 um (`effects.cosmic_rays.diffusion`, assumed).
pub const CLOUD_PX: f32 = 0.35;

impl Field<'_> {
    /// Rows and columns.
    #[must_use]
    pub fn shape(&self) -> (usize, usize) {
        self.electrons.dim()
    }
    /// Electrons less dark.
    #[must_use]
    pub fn value(&self, y: usize, x: usize) -> f32 {
        self.electrons[(y, x)] - self.dark.map_or(0.0, |(rate, time)| rate[(y, x)] * time)
    }
    /// Whether a pixel is left out: flagged, or not a number.
    #[must_use]
    pub fn is_out(&self, y: usize, x: usize) -> bool {
        let bits = self.flags.map_or(0, |f| f[(y, x)]) | self.defects.map_or(0, |f| f[(y, x)]);
        (bits & self.leave_out != 0 && !self.is_end_of_run(bits, y, x)) || !self.electrons[(y, x)].is_finite()
    }
    /// Whether a pixel is called saturated only because one beside it in its column is: `bleeding` flags the ends of runs, and a pixel with less than half
    /// of what a saturated neighbour holds is not full. Hits that saturate would lose their ends, and look like bled stars.
    fn is_end_of_run(&self, bits: u32, y: usize, x: usize) -> bool {
        let Some(flags) = self.flags.filter(|_| bits & BLEED != 0 && bits & self.leave_out == FULL) else { return false };
        let own = self.electrons[(y, x)];
        [y.wrapping_sub(1), y + 1]
            .into_iter()
            .filter(|v| *v < flags.nrows())
            .any(|v| flags[(v, x)] & SATURATED != 0 && self.electrons[(v, x)] > 2.0 * own)
    }
    /// Whether a pixel is saturated.
    pub(super) fn is_saturated(&self, y: usize, x: usize) -> bool {
        self.flags.is_some_and(|flags| flags[(y, x)] & SATURATED != 0)
    }
    /// Whether a saturated pixel lies within `reach`: its star is clipped, and sharper than any.
    pub(super) fn is_near_saturation(&self, y: usize, x: usize, reach: usize) -> bool {
        let (ny, nx) = self.shape();
        self.flags.is_some_and(|flags| {
            (y.saturating_sub(reach)..(y + reach + 1).min(ny))
                .any(|v| (x.saturating_sub(reach)..(x + reach + 1).min(nx)).any(|u| flags[(v, u)] & SATURATED != 0))
        })
    }
    /// Variance of the read noise.
    #[must_use]
    pub fn read_variance_at(&self, y: usize, x: usize) -> f32 {
        self.read_variance.at(y, x)
    }
    /// Columns from `first` (may lie beyond the frame, which is mirrored there) of row `y`; pixels that are left out take the mean of the nearest used
    /// pixels of the row.
    pub(in crate::effects::cosmic_rays) fn row(&self, y: usize, first: isize, out: &mut [f32]) {
        self.mirrored_row(first, out, |columns, out| self.inner_row(y, columns, out));
    }
    fn inner_row(&self, y: usize, columns: Range<usize>, out: &mut [f32]) {
        let nx = self.electrons.ncols();
        for (to, from) in out.iter_mut().zip(self.electrons.slice(s![y, columns.clone()])) {
            *to = *from;
        }
        if let Some((rate, time)) = self.dark {
            for (to, rate) in out.iter_mut().zip(rate.slice(s![y, columns.clone()])) {
                *to -= rate * time;
            }
        }
        let any_bits = self.flags.is_some() || self.defects.is_some();
        if any_bits || out.iter().any(|v| !v.is_finite()) {
            let mut x = columns.start;
            while x < columns.end {
                if !self.is_out(y, x) {
                    x += 1;
                    continue;
                }
                let end = (x..nx).find(|&k| !self.is_out(y, k)).unwrap_or(nx);
                let left = (0..x).rev().find(|&k| !self.is_out(y, k)).map(|k| self.value(y, k));
                let right = (end < nx).then(|| self.value(y, end));
                let fill = match (left, right) {
                    (Some(a), Some(b)) => 0.5 * (a + b),
                    (Some(a), None) | (None, Some(a)) => a,
                    (None, None) => 0.0,
                };
                out[x - columns.start..end.min(columns.end) - columns.start].fill(fill);
                x = end;
            }
        }
    }
    /// 1 where a pixel of a row is left out, 0 elsewhere; columns as in [`Self::row`].
    pub(in crate::effects::cosmic_rays) fn left_out(&self, y: usize, first: isize, out: &mut [f32]) {
        self.mirrored_row(first, out, |columns, out| {
            for (x, to) in columns.zip(out) {
                *to = f32::from(u8::from(self.is_out(y, x)));
            }
        });
    }
    /// Read variances of a row; columns as in [`Self::row`].
    pub(in crate::effects::cosmic_rays) fn read_variances(&self, y: usize, first: isize, out: &mut [f32]) {
        self.mirrored_row(first, out, |columns, out| self.read_variance.row(y, &columns, out));
    }
    /// Dark electrons of a row (their variance), none where pixels are left out; columns as in [`Self::row`].
    pub(in crate::effects::cosmic_rays) fn dark_electrons(&self, y: usize, first: isize, out: &mut [f32]) {
        self.mirrored_row(first, out, |columns, out| {
            out.fill(0.0);
            if let Some((rate, time)) = self.dark {
                for ((x, to), rate) in columns.clone().zip(out).zip(rate.slice(s![y, columns])) {
                    let electrons = rate * time;
                    *to = if electrons > 0.0 && !self.is_out(y, x) { electrons } else { 0.0 };
                }
            }
        });
    }
    /// `of` writes columns of the frame; those beyond it are their mirror images.
    fn mirrored_row(&self, first: isize, out: &mut [f32], of: impl Fn(Range<usize>, &mut [f32])) {
        let nx = self.electrons.ncols();
        let last = first + out.len() as isize;
        let (from, to) = (first.clamp(0, nx as isize) as usize, last.clamp(0, nx as isize) as usize);
        let place = |x: isize| (x - first) as usize;
        if from < to {
            of(from..to, &mut out[place(from as isize)..place(to as isize)]);
        }
        for x in (first..last).filter(|x| !(from as isize..to as isize).contains(x)) {
            let source = mirrored(x, nx);
            if (from..to).contains(&source) {
                out[place(x)] = out[place(source as isize)];
            } else {
                of(source..source + 1, &mut out[place(x)..=place(x)]);
            }
        }
    }
}

/// Place of index `at` (may lie outside) in a row of `n` that is mirrored at its first and last element.
pub(in crate::effects::cosmic_rays) fn mirrored(at: isize, n: usize) -> usize {
    let last = n as isize - 1;
    let back = if at < 0 { -at } else { at };
    let folded = if back > last { 2 * last - back } else { back };
    folded.clamp(0, last) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::cosmic_rays::laplacian::CLOUD_PX;
    use sim_core::flags::HOT;

    #[test]
    fn the_ends_of_saturated_runs_are_not_left_out() {
        let mut electrons = Array2::from_elem((7, 5), 30.0_f32);
        let mut flags = Array2::<u32>::zeros((7, 5));
        // Three full pixels down a column; `bleeding` flags one more at each end. Beside them a hot pixel, flagged by calibration as well.
        for (y, charge) in [(1, 900.0), (2, 71_000.0), (3, 71_200.0), (4, 60_000.0), (5, 40.0)] {
            electrons[(y, 2)] = charge;
            flags[(y, 2)] = FULL | BLEED | if (2..4).contains(&y) { ADC_SATURATED } else { 0 };
        }
        (electrons[(1, 3)], flags[(1, 3)]) = (500.0, FULL | BLEED | HOT);
        (electrons[(2, 3)], flags[(2, 3)]) = (71_000.0, FULL | BLEED);
        let read_variance = ReadVariance::uniform(25.0, electrons.dim());
        let field = Field {
            electrons: &electrons,
            dark: None,
            flags: Some(&flags),
            defects: None,
            leave_out: FULL | ADC_SATURATED | HOT,
            read_variance: &read_variance,
            cloud_px: CLOUD_PX,
        };
        let out: Vec<(usize, usize)> = flags.indexed_iter().map(|(at, _)| at).filter(|&(y, x)| field.is_out(y, x)).collect();
        // (4, 2) holds more than half of its neighbour: it may be full.
        assert_eq!(out, [(1, 3), (2, 2), (2, 3), (3, 2), (4, 2)]);
    }

    #[test]
    fn a_part_of_a_row_is_a_part_of_the_row() {
        let (ny, nx) = (2, 23);
        let electrons = Array2::from_shape_fn((ny, nx), |(y, x)| (y * 100 + x * x) as f32);
        let dark = Array2::from_shape_fn((ny, nx), |(_, x)| 0.1 * x as f32);
        // Runs that are left out at the ends and in the middle.
        let flags = Array2::from_shape_fn((ny, nx), |(_, x)| u32::from(x < 2 || (9..13).contains(&x) || x == 22));
        let read_variance = ReadVariance::new(vec![(Rect { x0: 0, y0: 0, nx: 11, ny }, 25.0), (Rect { x0: 11, y0: 0, nx: 12, ny }, 36.0)]);
        let field = Field {
            electrons: &electrons,
            dark: Some((&dark, 10.0)),
            flags: Some(&flags),
            defects: None,
            leave_out: 1,
            read_variance: &read_variance,
            cloud_px: CLOUD_PX,
        };
        type Part = fn(&Field<'_>, usize, isize, &mut [f32]);
        let parts: [Part; 4] = [
            |f, y, first, out| f.row(y, first, out),
            |f, y, first, out| f.left_out(y, first, out),
            |f, y, first, out| f.read_variances(y, first, out),
            |f, y, first, out| f.dark_electrons(y, first, out),
        ];
        for part in parts {
            let mut inside = vec![0.0; nx];
            part(&field, 1, 0, &mut inside);
            for first in -9..25_isize {
                for len in [1, 4, 11, 40] {
                    let mut got = vec![f32::NAN; len];
                    part(&field, 1, first, &mut got);
                    let wanted: Vec<f32> = (0..len as isize).map(|k| inside[mirrored(first + k, nx)]).collect();
                    assert_eq!(got, wanted, "{first} {len}");
                }
            }
        }
        let mut row = vec![0.0; nx];
        field.row(1, 0, &mut row);
        // 108 less 8 and 269 less 13, and their mean between; the ends have one neighbour.
        assert_eq!((row[8], row[13], row[10], row[0], row[22]), (156.0, 256.0, 206.0, 102.0, 520.0));
    }
}
