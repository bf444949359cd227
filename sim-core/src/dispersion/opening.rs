//! The part of a detector that a grating is in front of.
//!
//! # Formula
//! Share of a circular beam of diameter d whose middle is x columns inside the border: `1/2 + (asin u + u root(1 - u^2)) / pi`, u = 2 x / d within -1..1.
//! # Symbols
//! d  diameter of the beam where it crosses the grating \[pixel\]: the distance of the grating from the detector over the focal ratio
//! # Source
//! Area of a circular segment.
//! # Limits
//! Rays of the chief ray's direction; no shadow of a frame between the gratings.
//! # Twin
//! None.

/// Columns that a grating covers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Opening {
    /// First column; minus infinity without a border on this side.
    pub from: f64,
    /// Column after the last; infinity without a border on this side.
    pub to: f64,
    /// Diameter of a source's beam at the grating \[pixel\].
    pub beam: f64,
}

impl Opening {
    /// The whole detector.
    #[must_use]
    pub fn whole() -> Self {
        Self { from: f64::NEG_INFINITY, to: f64::INFINITY, beam: 0.0 }
    }
    /// Share of the light of a source that passes this grating, 0 to 1; `x` is the column of its undispersed image.
    #[must_use]
    pub fn share(&self, x: f64) -> f64 {
        (self.inside(x - self.from) + self.inside(self.to - x) - 1.0).clamp(0.0, 1.0)
    }
    /// Share of the beam on the inner side of a border: beyond its edge, where most columns are, all or nothing.
    fn inside(&self, distance: f64) -> f64 {
        let u = 2.0 * distance / self.beam;
        // Also without a beam, where u is infinite or, on the border, no number.
        if u.is_nan() || u.abs() >= 1.0 {
            return f64::from(u8::from(distance >= 0.0));
        }
        0.5 + (u.asin() + u * (1.0 - u * u).sqrt()) / std::f64::consts::PI
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_gratings_share_all_the_light_and_the_middle_gets_half() {
        let left = Opening { from: f64::NEG_INFINITY, to: 3685.0, beam: 400.0 };
        let right = Opening { from: 3685.0, to: f64::INFINITY, beam: 400.0 };
        for x in [0.0, 3484.0, 3500.0, 3685.0, 3700.0, 3880.0, 9000.0] {
            assert!((left.share(x) + right.share(x) - 1.0).abs() < 1e-12, "{x}");
        }
        assert_eq!((left.share(3685.0), left.share(3484.9), right.share(3484.9)), (0.5, 1.0, 0.0));
        // A quarter of the diameter inside: 1/2 + (pi/6 + root 3 / 4) / pi of the disc.
        assert!((left.share(3585.0) - (0.5 + (std::f64::consts::PI / 6.0 + 3.0_f64.sqrt() / 4.0) / std::f64::consts::PI)).abs() < 1e-12);
        let sharp = Opening { beam: 0.0, ..right };
        assert_eq!((sharp.share(3684.9), sharp.share(3685.0)), (0.0, 1.0));
        assert_eq!(Opening::whole().share(-1e5), 1.0);
        assert_eq!((left.share(3485.0), left.share(3885.0), sharp.share(f64::INFINITY)), (1.0, 0.0, 0.0));
    }
}
