//! How far the electrons of a pixel reach into its volume, as a table read by the bits of the number.
//!
//! # Formula
//! `v(n) = min(((n - c) / (w - c))^beta, n_free / rho, 1)` for n above the notch c, else 0
//!
//! The second bound says that electrons cannot fill more traps than there are electrons: with every trap of the volume
//! empty, the capture is `rho v <= n - c`. So no pixel goes below zero and charge is conserved without a special case.
//! For the parameters in use it acts below 1e-3 electron.
//!
//! Between knots at 128 per octave the curve is a straight line: a concave curve lies above its chords by at most
//! `beta (1 - beta) / 8 / 128^2` of itself, 2e-6. Knots are found from the exponent and the first bits of the mantissa, so
//! there is no logarithm in the loop and the bits are the same on every machine.

/// Bits of the mantissa that number the knots of an octave.
const KNOT_BITS: u32 = 7;
const SHIFT: u32 = f64::MANTISSA_DIGITS - 1 - KNOT_BITS;
/// Octaves below the full well that have knots of their own; below them one straight line goes to zero.
const OCTAVES: i32 = 40;

/// The parameters of the well.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Well {
    /// Exponent beta \[1\], in (0, 1].
    pub exponent: f64,
    /// Electrons that fill the whole volume \[electron\].
    pub full_well: f64,
    /// Electrons held in the notch, which meets no traps \[electron\].
    pub notch: f64,
}

impl Well {
    /// Fraction of the volume reached by `n` electrons, without the bound on the capture.
    #[must_use]
    pub fn fraction(&self, n: f64) -> f64 {
        let free = n - self.notch;
        if free > 0.0 { (free / (self.full_well - self.notch)).powf(self.exponent).min(1.0) } else { 0.0 }
    }
}

/// Length of the tables: a power of two above the pieces in use, so that a number cut to it is a place in the table.
const ROOM: usize = 1 << (KNOT_BITS + 6);
/// Pieces in use: below the lowest knot, between knots, above the last.
const PIECES: usize = ((OCTAVES as usize) << KNOT_BITS) + 2;
const _: () = assert!(PIECES <= ROOM);

/// The table of a well and the traps it meets: a straight piece `constant + slope x` between two knots.
#[derive(Debug, Clone)]
pub struct Fill {
    notch: f64,
    base: u64,
    /// Values of the pieces at 0.
    constants: Box<[f64; ROOM]>,
    /// Slopes of the pieces \[1 / electron\].
    slopes: Box<[f64; ROOM]>,
}

impl Fill {
    /// The table of `well` for `density` traps per pixel in all.
    #[must_use]
    pub fn new(well: &Well, density: f64) -> Self {
        let capacity = well.full_well - well.notch;
        let top = capacity.log2().ceil() as i32;
        let lowest = 2.0_f64.powi(top - OCTAVES);
        let base = lowest.to_bits() >> SHIFT;
        let knot = |k: u64| f64::from_bits((base + k) << SHIFT);
        // Capture is at most all free electrons; a little less, so that rounding cannot exceed it.
        let most = |x: f64| if density > 0.0 { x / density * (1.0 - 1e-12) } else { f64::INFINITY };
        let value = |x: f64| (x / capacity).powf(well.exponent).min(most(x));
        let (mut constants, mut slopes) = (Box::new([0.0; ROOM]), Box::new([0.0; ROOM]));
        slopes[0] = value(lowest) / lowest;
        for k in 0..PIECES - 2 {
            let (low, high) = (knot(k as u64), knot(k as u64 + 1));
            slopes[k + 1] = (value(high) - value(low)) / (high - low);
            constants[k + 1] = value(low) - slopes[k + 1] * low;
        }
        constants[PIECES - 1] = value(knot(PIECES as u64 - 2)).max(1.0);
        Self { notch: well.notch, base, constants, slopes }
    }

    /// Fractions of the volume reached by packets of so many electrons, and their slopes \[1 / electron\].
    #[inline(always)]
    #[must_use]
    pub fn reached<const N: usize>(&self, electrons: &[f64; N]) -> ([f64; N], [f64; N]) {
        let (mut fraction, mut slope) = ([0.0; N], [0.0; N]);
        let (notch, base, constants, slopes) = (self.notch, self.base, self.constants.as_ref(), self.slopes.as_ref());
        for l in 0..N {
            let above = electrons[l] - notch;
            let free = if above > 0.0 { above } else { 0.0 };
            let index = ((free.to_bits() >> SHIFT) + 1).saturating_sub(base) as usize;
            let index = if index < PIECES { index } else { PIECES - 1 };
            let reached = constants[index] + slopes[index] * free;
            fraction[l] = if reached < 1.0 { reached } else { 1.0 };
            slope[l] = slopes[index];
        }
        (fraction, slope)
    }

    /// Electrons that reach a fraction of the volume below 1: the inverse of the table.
    #[must_use]
    pub fn electrons(&self, fraction: f64) -> f64 {
        // Piece k + 1 starts at knot k.
        let knot = |k: usize| f64::from_bits((self.base + k as u64) << SHIFT);
        let (mut below, mut above) = (0, PIECES - 2);
        while below < above {
            let middle = below.midpoint(above);
            if self.constants[middle + 1] + self.slopes[middle + 1] * knot(middle) <= fraction {
                below = middle + 1;
            } else {
                above = middle;
            }
        }
        let slope = self.slopes[below];
        let free = if slope > 0.0 { (fraction - self.constants[below]) / slope } else { knot(below) };
        self.notch + free
    }

    /// Fraction of the volume reached by `n` electrons.
    #[must_use]
    pub fn fraction(&self, n: f64) -> f64 {
        self.reached(&[n]).0[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Well = Well { exponent: 0.478, full_well: 84_700.0, notch: 0.0 };

    #[test]
    fn the_table_follows_the_power_law() {
        let fill = Fill::new(&Well { notch: 20.0, ..WELL }, 3.6);
        assert_eq!((fill.fraction(-5.0), fill.fraction(20.0)), (0.0, 0.0));
        assert_eq!(fill.fraction(1e6), 1.0);
        for i in 0..10_000 {
            let n = 20.0 + 0.01 * 1.0016_f64.powi(i);
            let (table, law) = (fill.fraction(n), ((n - 20.0) / 84_680.0).powf(0.478).min(1.0));
            assert!((table / law - 1.0).abs() < 2.5e-6, "{n}: {table} for {law}");
        }
    }

    #[test]
    fn never_more_is_captured_than_there_is() {
        for density in [0.0, 3.6, 1e3] {
            let fill = Fill::new(&WELL, density);
            let mut last = 0.0;
            for i in -1200..120 {
                let n = 1.1_f64.powi(i);
                let v = fill.fraction(n);
                assert!(density * v <= n && v >= last, "{n} electrons of density {density} reach {v} after {last}");
                last = v;
            }
        }
    }
}
