//! What the detector of cosmic rays looks at: electrons, what is known of their noise, pixels to leave out.

use ndarray::Array2;
use sim_core::detector::Rect;
use sim_core::flags::{ADC_SATURATED, SATURATED as FULL};

const SATURATED: u32 = FULL | ADC_SATURATED;

/// Read variance of a frame: one number per amplifier.
#[derive(Debug, Clone)]
pub struct ReadVariance(Vec<(Rect, f32)>);

impl ReadVariance {
    /// By rectangle of the frame \[electron^2\].
    #[must_use]
    pub fn new(parts: Vec<(Rect, f32)>) -> Self {
        Self(parts)
    }
    /// The same everywhere.
    #[must_use]
    pub fn uniform(variance: f32, (ny, nx): (usize, usize)) -> Self {
        Self(vec![(Rect { x0: 0, y0: 0, nx, ny }, variance)])
    }
    fn row(&self, y: usize, out: &mut [f32]) {
        for (r, variance) in self.0.iter().filter(|(r, _)| y >= r.y0 && y < r.y0 + r.ny) {
            out[r.x0..r.x0 + r.nx].fill(*variance);
        }
    }
    fn at(&self, y: usize, x: usize) -> f32 {
        let inside = |r: &Rect| y >= r.y0 && y < r.y0 + r.ny && x >= r.x0 && x < r.x0 + r.nx;
        self.0.iter().find(|(r, _)| inside(r)).map_or(0.0, |p| p.1)
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
    /// Read noise.
    pub read_variance: &'a ReadVariance,
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
        bits & self.leave_out != 0 || !self.electrons[(y, x)].is_finite()
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
    /// A row with `pad` mirrored pixels at both ends; pixels that are left out take the mean of the nearest used pixels of the row.
    pub(in crate::effects::cosmic_rays) fn padded_row(&self, y: usize, pad: usize, out: &mut [f32]) {
        let nx = self.electrons.ncols();
        let row = &mut out[pad..pad + nx];
        for (to, from) in row.iter_mut().zip(self.electrons.row(y)) {
            *to = *from;
        }
        if let Some((rate, time)) = self.dark {
            for (to, rate) in row.iter_mut().zip(rate.row(y)) {
                *to -= rate * time;
            }
        }
        let any_bits = self.flags.is_some() || self.defects.is_some();
        if any_bits || row.iter().any(|v| !v.is_finite()) {
            let mut last = None;
            let mut x = 0;
            while x < nx {
                if !self.is_out(y, x) {
                    last = Some(row[x]);
                    x += 1;
                    continue;
                }
                let end = (x..nx).find(|&k| !self.is_out(y, k)).unwrap_or(nx);
                let right = (end < nx).then(|| row[end]);
                let fill = match (last, right) {
                    (Some(a), Some(b)) => 0.5 * (a + b),
                    (Some(a), None) | (None, Some(a)) => a,
                    (None, None) => 0.0,
                };
                row[x..end].fill(fill);
                x = end;
            }
        }
        mirror(out, pad);
    }
    /// 1 where a pixel of a row is left out, 0 elsewhere, with `pad` mirrored pixels at both ends.
    pub(in crate::effects::cosmic_rays) fn padded_out(&self, y: usize, pad: usize, out: &mut [f32]) {
        let nx = self.electrons.ncols();
        for (x, to) in out[pad..pad + nx].iter_mut().enumerate() {
            *to = f32::from(u8::from(self.is_out(y, x)));
        }
        mirror(out, pad);
    }
    /// Read variances of a row with `pad` mirrored pixels at both ends.
    pub(in crate::effects::cosmic_rays) fn padded_variance(&self, y: usize, pad: usize, out: &mut [f32]) {
        let nx = self.electrons.ncols();
        self.read_variance.row(y, &mut out[pad..pad + nx]);
        mirror(out, pad);
    }
    /// Dark electrons of a row (their variance) with `pad` mirrored pixels at both ends; none where pixels are left out.
    pub(in crate::effects::cosmic_rays) fn padded_dark(&self, y: usize, pad: usize, out: &mut [f32]) {
        let nx = self.electrons.ncols();
        let row = &mut out[pad..pad + nx];
        row.fill(0.0);
        if let Some((rate, time)) = self.dark {
            for (x, (to, rate)) in row.iter_mut().zip(rate.row(y)).enumerate() {
                let electrons = rate * time;
                *to = if electrons > 0.0 && !self.is_out(y, x) { electrons } else { 0.0 };
            }
        }
        mirror(out, pad);
    }
}

/// Place of index `at` (may lie outside) in a row of `n` that is mirrored at its first and last element.
pub(in crate::effects::cosmic_rays) fn mirrored(at: isize, n: usize) -> usize {
    let last = n as isize - 1;
    let back = if at < 0 { -at } else { at };
    let folded = if back > last { 2 * last - back } else { back };
    folded.clamp(0, last) as usize
}

/// Fills `pad` elements at both ends with the mirror image of what lies inside.
fn mirror(out: &mut [f32], pad: usize) {
    let n = out.len() - 2 * pad;
    for k in 1..=pad as isize {
        out[pad - k as usize] = out[pad + mirrored(-k, n)];
        out[pad + n - 1 + k as usize] = out[pad + mirrored(n as isize - 1 + k, n)];
    }
}
