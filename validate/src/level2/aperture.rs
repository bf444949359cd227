//! Circular apertures with exact pixel overlap.
//!
//! # Formula
//! Overlap of a circle of radius r about the origin with the rectangle (0..x, 0..y): x y when the corner is inside,
//! else y x' + G(x) - G(x'), with x' = sqrt(r^2 - y^2) and G(u) = (u sqrt(r^2 - u^2) + r^2 asin(u / r)) / 2.
//! # Source
//! Elementary integral; the radii are the twelve of the official level-2 keyword APERSIZE.

use super::MeasuredFrame;

/// The official aperture radii \[pixel\].
pub const RADII_PX: [f64; 12] = [3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0, 16.0, 20.0, 25.0, 30.0, 40.0];

/// Area of the circle within `0..x, 0..y` for `x, y >= 0`.
fn quadrant(x: f64, y: f64, r: f64) -> f64 {
    if x * x + y * y <= r * r {
        return x * y;
    }
    let (x, y) = (x.min(r), y.min(r));
    let corner = (r * r - y * y).max(0.0).sqrt();
    if x <= corner {
        return x * y;
    }
    let integral = |u: f64| 0.5 * (u * (r * r - u * u).max(0.0).sqrt() + r * r * (u / r).clamp(-1.0, 1.0).asin());
    y * corner + integral(x) - integral(corner)
}

/// The same for a pixel that lies within one quadrant: one arc sine instead of eight.
fn overlap_in_quadrant(x0: f64, y0: f64, r: f64) -> f64 {
    let (r2, x1, y1) = (r * r, x0 + 1.0, y0 + 1.0);
    // Where the circle leaves the pixel through its upper and lower edge.
    let high = (r2 - y1 * y1).max(0.0).sqrt().clamp(x0, x1);
    let low = (r2 - y0 * y0).max(0.0).sqrt().clamp(x0, x1);
    let (root_high, root_low) = ((r2 - high * high).max(0.0).sqrt(), (r2 - low * low).max(0.0).sqrt());
    let angle = ((low * root_high - high * root_low) / r2).clamp(-1.0, 1.0).asin();
    (high - x0) + 0.5 * (low * root_low - high * root_high + r2 * angle) - y0 * (low - high)
}

/// Area that a circle of radius `r` about the origin shares with the pixel centred at `(dx, dy)`.
#[must_use]
pub fn overlap(dx: f64, dy: f64, r: f64) -> f64 {
    if dx.abs() >= 0.5 && dy.abs() >= 0.5 {
        return overlap_in_quadrant(dx.abs() - 0.5, dy.abs() - 0.5, r).max(0.0);
    }
    let odd = |x: f64, y: f64| quadrant(x.abs(), y.abs(), r) * x.signum() * y.signum();
    let (x0, x1, y0, y1) = (dx - 0.5, dx + 0.5, dy - 0.5, dy + 0.5);
    (odd(x1, y1) - odd(x0, y1) - odd(x1, y0) + odd(x0, y0)).max(0.0)
}

/// Sums in one aperture.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ApertureSum {
    /// Sum of rate x overlap \[electron / s\].
    pub flux: f64,
    /// Area on good pixels \[pixel\].
    pub area: f64,
    /// Sum of squared overlaps on good pixels: the variance of `flux` in units of the pixel variance.
    pub squares: f64,
    /// Area that fell on bad pixels or off the image.
    pub lost: f64,
}

/// Aperture sums about `(x, y)` for ascending `radii`, in one pass over the pixels.
#[must_use]
pub fn apertures(frame: &MeasuredFrame, x: f64, y: f64, radii: &[f64]) -> Vec<ApertureSum> {
    let mut sums = vec![ApertureSum::default(); radii.len()];
    // Pixels wholly inside radius k (and no smaller) are summed once, then carried to all larger ones.
    let mut inside = vec![ApertureSum::default(); radii.len() + 1];
    let Some(&largest) = radii.last() else { return sums };
    let (ny, nx) = frame.rate.dim();
    for py in (y - largest).round() as i64..=(y + largest).round() as i64 {
        let dy = py as f64 - y;
        let reach = (largest + 0.5).powi(2) - (dy.abs() - 0.5).max(0.0).powi(2);
        let reach = reach.max(0.0).sqrt();
        let (near_y, far_y) = ((dy.abs() - 0.5).max(0.0).powi(2), (dy.abs() + 0.5).powi(2));
        for px in (x - reach).floor() as i64..=(x + reach).ceil() as i64 {
            let dx = px as f64 - x;
            // Squared distances of the pixel's nearest and furthest point.
            let far = (dx.abs() + 0.5).powi(2) + far_y;
            let near = (dx.abs() - 0.5).max(0.0).powi(2) + near_y;
            if near >= largest * largest {
                continue;
            }
            let on_image = px >= 0 && py >= 0 && (px as usize) < nx && (py as usize) < ny;
            let good = on_image && frame.good[(py as usize, px as usize)];
            let value = if good { f64::from(frame.rate[(py as usize, px as usize)]) } else { 0.0 };
            let add = |sum: &mut ApertureSum, w: f64| {
                if good {
                    sum.flux += w * value;
                    sum.area += w;
                    sum.squares += w * w;
                } else {
                    sum.lost += w;
                }
            };
            for (k, &r) in radii.iter().enumerate() {
                if far <= r * r {
                    add(&mut inside[k], 1.0);
                    break;
                }
                if near < r * r {
                    add(&mut sums[k], overlap(dx, dy, r));
                }
            }
        }
    }
    let mut running = ApertureSum::default();
    for (sum, whole) in sums.iter_mut().zip(&inside) {
        running.flux += whole.flux;
        running.area += whole.area;
        running.squares += whole.squares;
        running.lost += whole.lost;
        sum.flux += running.flux;
        sum.area += running.area;
        sum.squares += running.squares;
        sum.lost += running.lost;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_of_all_pixels_add_up_to_the_circle() {
        for (cx, cy, r) in [(0.0, 0.0, 3.0), (0.31, -0.47, 0.4), (0.5, 0.5, 2.027), (-0.2, 0.9, 40.0)] {
            let n = (r as i64) + 2;
            let mut area = 0.0;
            for py in -n..=n {
                for px in -n..=n {
                    area += overlap(px as f64 - cx, py as f64 - cy, r);
                }
            }
            assert!((area - std::f64::consts::PI * r * r).abs() < 1e-10, "r = {r}: {area}");
        }
    }

    #[test]
    fn both_ways_to_the_overlap_agree() {
        for (x, y, r) in [(2.0, 1.7, 3.0), (0.6, 2.4, 3.0), (2.0, 2.0, 2.3), (27.9, 28.6, 40.0), (0.5, 0.5, 0.4), (4.0, 4.0, 3.0)] {
            let (x0, y0) = (x - 0.5, y - 0.5);
            let slow = quadrant(x0 + 1.0, y0 + 1.0, r) - quadrant(x0, y0 + 1.0, r) - quadrant(x0 + 1.0, y0, r) + quadrant(x0, y0, r);
            assert!((overlap_in_quadrant(x0, y0, r) - slow).abs() < 1e-10, "({x}, {y}), r = {r}");
        }
    }

    #[test]
    fn a_pixel_inside_counts_one_and_one_outside_nothing() {
        assert!((overlap(0.2, 1.0, 3.0) - 1.0).abs() < 1e-12);
        assert_eq!(overlap(5.0, 0.0, 3.0), 0.0);
        // a circle of radius 1/4 inside one pixel
        assert!((overlap(0.1, 0.1, 0.25) - std::f64::consts::PI / 16.0).abs() < 1e-12);
    }
}
