//! A raw frame at a glance: science pixels without scans, each output above its own overscan, block means, asinh stretch, PNG.
//!
//! # Formula
//! `grey = asinh(v / 4s)` between `-s` and the 99.7th percentile (at least `10 s`), `v` block mean minus the median of all, `s` 1.4826 times the median
//! of absolute deviations.
//! # Limits
//! For the eye alone: nothing is calibrated. Where a header has no sections (`DSECn`, `CSECn`, `BSECn`) the array is shown as it is.

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use ndarray::Array2;
use sim_core::fits::{self, Data, Hdu};
use std::path::Path;
use validate::quick_look::{shrink, sky_colour, stretch};

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The file cannot be read.
    #[error(transparent)]
    Fits(#[from] fits::FitsError),
    /// It holds nothing that can be shown.
    #[error("{path}: {reason}")]
    Content {
        /// File.
        path: String,
        /// Why not.
        reason: String,
    },
}

/// Sections of an output, in the raw array and in the picture: columns and rows, from 0, without their ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Section {
    x: (usize, usize),
    y: (usize, usize),
}

impl Section {
    /// From `[x1:x2,y1:y2]`, from 1 with the ends.
    fn parse(text: &str) -> Option<Self> {
        let (x, y) = text.trim().strip_prefix('[')?.strip_suffix(']')?.split_once(',')?;
        let range = |part: &str| -> Option<(usize, usize)> {
            let (low, high) = part.split_once(':')?;
            let (low, high) = (low.trim().parse::<usize>().ok()?, high.trim().parse::<usize>().ok()?);
            (low >= 1 && high >= low).then_some((low - 1, high))
        };
        Some(Self { x: range(x)?, y: range(y)? })
    }
    fn fits_in(&self, (rows, columns): (usize, usize)) -> bool {
        self.x.1 <= columns && self.y.1 <= rows
    }
    fn shape(&self) -> (usize, usize) {
        (self.y.1 - self.y.0, self.x.1 - self.x.0)
    }
}

/// The median; 0 of nothing.
fn median(values: &mut [f32]) -> f32 {
    let middle = values.len() / 2;
    if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(middle, f32::total_cmp).1 }
}

/// The science pixels of a frame, each output above the median of its overscan.
fn science(hdu: &Hdu, at: impl Fn(usize, usize) -> f32, shape: (usize, usize)) -> Array2<f32> {
    let section = |key: String| hdu.header.text(&key).and_then(Section::parse);
    // Outputs are numbered from 1; cut-outs have some of them.
    let outputs: Vec<(Section, Section, f32)> = (1..=256)
        .filter_map(|n| {
            let (data, place) = (section(format!("DSEC{n}"))?, section(format!("CSEC{n}"))?);
            let scan = section(format!("BSEC{n}")).filter(|s| s.fits_in(shape));
            let level = scan.map_or(0.0, |s| {
                let pixels = (s.y.0..s.y.1).flat_map(|y| (s.x.0..s.x.1).map(move |x| (y, x))).step_by(7);
                median(&mut pixels.map(|(y, x)| at(y, x)).collect::<Vec<_>>())
            });
            (data.fits_in(shape) && data.shape() == place.shape()).then_some((data, place, level))
        })
        .collect();
    if outputs.is_empty() {
        return Array2::from_shape_fn(shape, |(y, x)| at(y, x));
    }
    let (rows, columns) = outputs.iter().fold((0, 0), |(r, c), (_, place, _)| (r.max(place.y.1), c.max(place.x.1)));
    let mut out = Array2::from_elem((rows, columns), f32::NAN);
    for (data, place, level) in outputs {
        for (from, to) in (data.y.0..data.y.1).zip(place.y.0..) {
            for (source, target) in (data.x.0..data.x.1).zip(place.x.0..) {
                out[(to, target)] = at(from, source) - level;
            }
        }
    }
    out
}

/// A picture of the first image of a FITS file, at most `side` pixels wide and high.
///
/// # Errors
/// When the file cannot be read, or has no image of numbers.
pub fn of_frame(path: &Path, side: usize) -> Result<Vec<u8>, PictureError> {
    let content = |reason: &str| PictureError::Content { path: path.display().to_string(), reason: reason.into() };
    let hdus = fits::read(path)?;
    let frame = hdus.iter().find_map(|hdu| match &hdu.data {
        Data::U16(a) => Some(science(hdu, |y, x| f32::from(a[(y, x)]), a.dim())),
        Data::F32(a) => Some(science(hdu, |y, x| a[(y, x)], a.dim())),
        _ => None,
    });
    drop(hdus);
    let frame = frame.filter(|f| !f.is_empty()).ok_or_else(|| content("no image to show"))?;
    let block = frame.nrows().max(frame.ncols()).div_ceil(side.max(1)).max(1);
    let mut small = shrink(frame.dim(), block, |p| frame[p]);
    let mut values: Vec<f32> = small.iter().copied().filter(|v| v.is_finite()).collect();
    let sky = median(&mut values);
    values.iter_mut().for_each(|v| *v -= sky);
    small.mapv_inplace(|v| v - sky);
    let mut apart: Vec<f32> = values.iter().map(|v| v.abs()).collect();
    let sigma = (1.4826 * median(&mut apart)).max(1e-3);
    let bright = (values.len() as f64 * 0.997) as usize;
    let top = if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(bright.min(apart.len() - 1), f32::total_cmp).1 };
    let bytes: Vec<u8> = stretch(&small, sigma, top).iter().flat_map(|&v| sky_colour(v)).collect();
    let mut file = Vec::new();
    PngEncoder::new(&mut file)
        .write_image(&bytes, small.ncols() as u32, small.nrows() as u32, ExtendedColorType::Rgb8)
        .map_err(|e| content(&e.to_string()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::fits::Header;

    /// A frame of two outputs with other bias levels: 2 prescan, 30 science and 4 overscan columns each, the second from the right.
    fn frame(path: &Path) {
        let mut raw = Array2::<u16>::zeros((40, 72));
        for ((y, x), v) in raw.indexed_iter_mut() {
            let bias = if x < 36 { 500 } else { 900 };
            let scan = !((2..32).contains(&x) || (40..70).contains(&x));
            *v = bias + if scan { 0 } else { 100 + ((7 * x + 13 * y) % 5) as u16 };
        }
        // A source in the lower left corner of the window.
        raw[(0, 2)] = 20_000;
        let mut header = Header::default();
        for (n, data, place, scan) in
            [(1, "[3:32,1:40]", "[1:30,1:40]", "[33:36,1:40]"), (2, "[41:70,1:40]", "[31:60,1:40]", "[37:40,1:40]")]
        {
            header.set(&format!("DSEC{n}"), data, "");
            header.set(&format!("CSEC{n}"), place, "");
            header.set(&format!("BSEC{n}"), scan, "");
        }
        fits::write(path, &[Hdu::primary(Header::default()), Hdu::new("IMAGE", header, Data::U16(raw))]).unwrap();
    }

    #[test]
    fn a_picture_has_no_scans_and_no_steps_between_outputs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.fits");
        frame(&path);
        let picture = image::load_from_memory(&of_frame(&path, 60).unwrap()).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), (60, 40));
        let mean = |x: std::ops::Range<u32>| {
            let n = f64::from(x.end - x.start) * 39.0;
            x.flat_map(|x| (0..39).map(move |y| (x, y))).map(|(x, y)| f64::from(picture.get_pixel(x, y)[1])).sum::<f64>() / n
        };
        assert!((mean(0..30) - mean(30..60)).abs() < 3.0, "{} {}", mean(0..30), mean(30..60));
        assert_eq!(picture.get_pixel(0, 39).0, [255, 250, 236], "the lower left corner is below");
        let small = image::load_from_memory(&of_frame(&path, 16).unwrap()).unwrap();
        assert_eq!((small.width(), small.height()), (15, 10));
        std::fs::write(&path, b"nothing").unwrap();
        assert!(of_frame(&path, 60).is_err());
    }

    #[test]
    fn sections_are_ranges_from_one_with_their_ends() {
        assert_eq!(Section::parse("[28:539,1:416]"), Some(Section { x: (27, 539), y: (0, 416) }));
        for wrong in ["", "28:539,1:416", "[0:5,1:2]", "[5:4,1:2]", "[1:2]"] {
            assert_eq!(Section::parse(wrong), None, "{wrong}");
        }
    }
}
