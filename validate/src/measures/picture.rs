//! Pictures for the report: frames with an asinh stretch, pull maps, as data URIs.

use super::FrameMeasures;
use crate::level2::Level2;
use crate::product::L1Frame;
use crate::quick_look::{shrink, sky_colour, stretch};
use base64::Engine;
use image::codecs::{jpeg::JpegEncoder, png::PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// A picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// What it is: `frame`, `detail`, `residual`, `psf`, `closure`.
    pub kind: String,
    /// Caption.
    pub caption: String,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// PNG or JPEG as a data URI.
    pub data_uri: String,
}

/// Pictures up to this side are shown pixel by pixel.
const SHARP: u32 = 400;

/// Largest side of a picture \[pixel\].
const LARGEST: usize = 720;

fn encode(kind: &str, caption: &str, pixels: &Array2<f32>, colour: impl Fn(f32) -> [u8; 3]) -> Picture {
    let (height, width) = (pixels.nrows() as u32, pixels.ncols() as u32);
    let bytes: Vec<u8> = pixels.iter().flat_map(|&v| colour(v)).collect();
    let mut file = Vec::new();
    // Noise does not compress: large pictures are JPEG, small ones, whose pixels are looked at one by one, PNG.
    let (mime, written) = if width.max(height) > SHARP {
        ("jpeg", JpegEncoder::new_with_quality(&mut file, 80).write_image(&bytes, width, height, ExtendedColorType::Rgb8))
    } else {
        ("png", PngEncoder::new(&mut file).write_image(&bytes, width, height, ExtendedColorType::Rgb8))
    };
    // Writing to memory cannot fail for a buffer of the right size; an empty picture is shown as such.
    if written.is_err() {
        file.clear();
    }
    let data_uri = format!("data:image/{mime};base64,{}", base64::engine::general_purpose::STANDARD.encode(file));
    Picture { kind: kind.into(), caption: caption.into(), width, height, data_uri }
}

/// Blue below, white at zero, red above (end points of ColorBrewer RdBu, Harrower & Brewer 2003).
fn diverging(v: f32) -> [u8; 3] {
    if !v.is_finite() {
        return [150, 150, 150];
    }
    let t = v.clamp(-1.0, 1.0);
    let (end, t) = if t < 0.0 { ([33.0, 102.0, 172.0], -t) } else { ([178.0, 24.0, 43.0], t) };
    end.map(|e: f32| (247.0 + (e - 247.0) * t).round() as u8)
}

/// Enters the whole frame, a detail at full resolution and the PSF.
pub(super) fn frame(out: &mut FrameMeasures, l1: &L1Frame, level2: &Level2) {
    let (ny, nx) = l1.rate.dim();
    let visible = |p: (usize, usize)| if level2.frame.detectable[p] { level2.frame.rate[p] } else { f32::NAN };
    let block = nx.max(ny).div_ceil(LARGEST);
    let sigma = level2.frame.background.sigma.median() as f32;
    let small = shrink((ny, nx), block, visible);
    let small_sigma = sigma / block as f32;
    let scale = if block == 1 { "every pixel".to_string() } else { format!("means of {block} x {block} pixels") };
    let caption = format!("Level-1 rate minus sky, asinh stretch, {nx} x {ny} pixels shown as {scale}. Flagged pixels in dark red.");
    out.pictures.push(encode("frame", &caption, &stretch(&small, small_sigma, 300.0 * small_sigma), sky_colour));
    let side = 240.min(nx).min(ny);
    let (y0, x0) = ((ny - side) / 2, (nx - side) / 2);
    let detail = shrink((side, side), 1, |(y, x)| visible((y0 + y, x0 + x)));
    let caption =
        format!("The central {side} x {side} pixels at full resolution ({:.1} arcsec across).", side as f64 * l1.pixel_scale_arcsec);
    out.pictures.push(encode("detail", &caption, &stretch(&detail, sigma, 300.0 * sigma), sky_colour));
    if let Some(psf) = &level2.psf {
        let local = psf.at(nx as f64 / 2.0, ny as f64 / 2.0);
        let n = 180;
        let peak = local.at(0.0, 0.0);
        let image = Array2::from_shape_fn((n, n), |(j, i)| {
            let (dx, dy) = ((i as f64 - 89.5) / 9.0, (89.5 - j as f64) / 9.0);
            let relative = (local.at(dx, dy) / peak).max(1e-5);
            ((relative.log10() + 4.0) / 4.0) as f32
        });
        let caption = "Effective PSF at the centre of the frame, 20 x 20 pixels, logarithmic over four decades from its peak.";
        out.pictures.push(encode("psf", caption, &image, sky_colour));
    }
}

/// A pull map: block means scaled so that pure noise keeps its unit variance.
pub(super) fn pull_picture(kind: &str, caption: &str, pulls: &Array2<f32>) -> Picture {
    let block = pulls.nrows().max(pulls.ncols()).div_ceil(LARGEST);
    let small = shrink(pulls.dim(), block, |p| pulls[p].clamp(-30.0, 30.0) * block as f32);
    encode(kind, &format!("{caption}: blue -5, white 0, red +5; structureless when the model holds."), &small.mapv(|v| v / 5.0), diverging)
}

/// Enters the residual map.
pub(super) fn residual(out: &mut FrameMeasures, pulls: &Array2<f32>) {
    out.pictures.push(pull_picture("residual", "(Level 1 - noiseless truth) / sigma", pulls));
}
