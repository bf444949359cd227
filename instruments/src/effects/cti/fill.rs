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

/// One straight piece: `constant + slope x`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Piece {
    /// Value at 0.
    pub constant: f64,
    /// Slope \[1 / electron\].
    pub slope: f64,
}

/// The table of a well and the traps it meets.
#[derive(Debug, Clone)]
pub struct Fill {
    notch: f64,
    base: u64,
    pieces: Vec<Piece>,
}

impl Fill {
    /// The table of `well` for `density` traps per pixel in all.
    #[must_use]
    pub fn new(well: &Well, density: f64) -> Self {
        let capacity = well.full_well - well.notch;
        let top = capacity.log2().ceil() as i32;
        let lowest = 2.0_f64.powi(top - OCTAVES);
        let base = lowest.to_bits() >> SHIFT;
        let count = (OCTAVES as u64) << KNOT_BITS;
        let knot = |k: u64| f64::from_bits((base + k) << SHIFT);
        // Capture is at most all free electrons; a little less, so that rounding cannot exceed it.
        let most = |x: f64| if density > 0.0 { x / density * (1.0 - 1e-12) } else { f64::INFINITY };
        let value = |x: f64| (x / capacity).powf(well.exponent).min(most(x));
        let mut pieces = vec![Piece { constant: 0.0, slope: value(lowest) / lowest }];
        for k in 0..count {
            let (low, high) = (knot(k), knot(k + 1));
            let slope = (value(high) - value(low)) / (high - low);
            pieces.push(Piece { constant: value(low) - slope * low, slope });
        }
        pieces.push(Piece { constant: value(knot(count)).max(1.0), slope: 0.0 });
        Self { notch: well.notch, base, pieces }
    }

    /// Electrons above the notch, not below 0.
    #[inline(always)]
    #[must_use]
    pub fn free(&self, n: f64) -> f64 {
        let free = n - self.notch;
        if free > 0.0 { free } else { 0.0 }
    }

    /// The piece for `free >= 0` electrons above the notch; to be cut at 1.
    #[inline(always)]
    #[must_use]
    pub fn piece(&self, free: f64) -> Piece {
        let index = ((free.to_bits() >> SHIFT) + 1).saturating_sub(self.base) as usize;
        self.pieces[index.min(self.pieces.len() - 1)]
    }

    /// Electrons that reach a fraction of the volume below 1: the inverse of the table.
    #[must_use]
    pub fn electrons(&self, fraction: f64) -> f64 {
        // Piece k + 1 starts at knot k.
        let knot = |k: usize| f64::from_bits((self.base + k as u64) << SHIFT);
        let starts = self.pieces.len() - 2;
        let (mut below, mut above) = (0, starts);
        while below < above {
            let middle = below.midpoint(above);
            let piece = self.pieces[middle + 1];
            if piece.constant + piece.slope * knot(middle) <= fraction {
                below = middle + 1;
            } else {
                above = middle;
            }
        }
        let piece = self.pieces[below];
        let free = if piece.slope > 0.0 { (fraction - piece.constant) / piece.slope } else { knot(below) };
        self.notch + free
    }

    /// Fraction of the volume reached by `n` electrons.
    #[must_use]
    pub fn fraction(&self, n: f64) -> f64 {
        let free = self.free(n);
        let piece = self.piece(free);
        (piece.constant + piece.slope * free).min(1.0)
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
