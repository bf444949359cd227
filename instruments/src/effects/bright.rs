//! The bright points that make ghosts and scattered light.
//!
//! The optics hands them over with the light ([`Frame::bright`]), those outside the window included. A frame that comes from
//! elsewhere has no such list: then its own bright pixels are taken, gathered in small squares. Both effects are
//! linear in the light, so a bright pixel is as good a source as a star.

use super::parameters::ParameterError;
use super::{ghosts, scattered_light};
use crate::description::DetectorSpec;
use sim_core::detector::DetectorGeometry;
use sim_core::frame::{BrightPoint, Frame};
use sim_core::plane::Light;
use std::borrow::Cow;

/// Pixels from which on a frame without a list is bright \[electron\].
const BRIGHT_PIXEL: f32 = 5000.0;
/// Side of the squares that gather them \[pixel\].
const SQUARE: usize = 16;

/// Electrons from which on a source is handed over: a star of this light has no ghost or halo that shows.
pub const LEAST_ELECTRONS: f64 = 1e4;

/// How far from a window of this detector the effects among `names` look for bright points \[pixel\]; `None` when none of
/// them does.
///
/// # Errors
/// When a parameter is missing or out of range.
pub fn reach_pixel(names: &[&str], spec: &DetectorSpec) -> Result<Option<f64>, ParameterError> {
    let mut reach: Option<f64> = None;
    for (name, of) in [("ghosts", ghosts::reach_pixel as fn(&DetectorSpec) -> _), ("scattered_light", scattered_light::reach_pixel)] {
        if names.contains(&name) {
            reach = Some(of(spec)?.max(reach.unwrap_or(0.0)));
        }
    }
    Ok(reach)
}

/// The bright points of a frame, in a fixed order.
pub fn points(frame: &Frame<Light>) -> Cow<'_, [BrightPoint]> {
    match &frame.bright {
        Some(list) => Cow::Borrowed(list),
        None => Cow::Owned(of_pixels(frame)),
    }
}

fn of_pixels(frame: &Frame<Light>) -> Vec<BrightPoint> {
    let window = frame.window;
    let mut out = Vec::new();
    let mut squares: Vec<[f64; 3]> = vec![[0.0; 3]; frame.pixels.ncols() / SQUARE + 2];
    let mut flush = |squares: &mut Vec<[f64; 3]>| {
        for square in squares.iter_mut() {
            let [sum, x, y] = std::mem::take(square);
            if sum > 0.0 {
                out.push(BrightPoint { x: x / sum, y: y / sum, electrons: sum });
            }
        }
    };
    for (y, row) in frame.pixels.rows().into_iter().enumerate() {
        let y = window.y0 + y;
        if y.is_multiple_of(SQUARE) {
            flush(&mut squares);
        }
        for (x, &value) in row.iter().enumerate().filter(|(_, v)| **v > BRIGHT_PIXEL && v.is_finite()) {
            // Squares are counted from the detector's corner.
            let square = &mut squares[(window.x0 + x) / SQUARE - window.x0 / SQUARE];
            let light = f64::from(value);
            *square = [square[0] + light, square[1] + light * (window.x0 + x) as f64, square[2] + light * y as f64];
        }
    }
    flush(&mut squares);
    out
}

/// The point of the detector's pixel grid that lies on the optical axis, 0-based.
pub fn axis(geometry: &DetectorGeometry) -> (f64, f64) {
    (geometry.crpix1 - 1.0, geometry.crpix2 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use sim_core::frame::Window;

    #[test]
    fn bright_pixels_stand_for_stars_where_there_is_no_list() {
        let window = Window { x0: 8, y0: 100, nx: 64, ny: 64 };
        let mut pixels = Array2::from_elem((64, 64), 20.0_f32);
        pixels[[10, 20]] = 6000.0;
        pixels[[10, 21]] = 18_000.0;
        let mut frame = Frame::<Light>::from_pixels(pixels, window);
        // Columns 28 and 29: one square (16..32); row 110.
        assert_eq!(points(&frame).to_vec(), [BrightPoint { x: 28.75, y: 110.0, electrons: 24_000.0 }]);
        frame.bright = Some(Vec::new().into());
        assert!(points(&frame).is_empty(), "an empty list says there are none");
    }
}
