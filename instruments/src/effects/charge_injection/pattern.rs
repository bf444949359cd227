//! Which rows get injected charge.

use sim_core::exposure::ExposureKind;

/// Rows with injected charge, counted from the register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    /// First row with charge.
    pub first: usize,
    /// Rows with charge in a period.
    pub lines: usize,
    /// Rows of a period.
    pub period: usize,
}

impl Pattern {
    /// The rows of an exposure; `None` when it has no injected charge.
    #[must_use]
    pub fn of(kind: &ExposureKind) -> Option<Self> {
        match *kind {
            ExposureKind::ChargeInjection { rows, gap, .. } => {
                let (lines, gap) = (rows as usize, gap as usize);
                Some(Self { first: gap, lines, period: lines + gap })
            }
            ExposureKind::TrapPumping { .. } => Some(Self { first: 0, lines: 1, period: 1 }),
            _ => None,
        }
    }
    /// Whether a row, counted from the register, gets charge.
    #[must_use]
    pub fn covers(&self, row: usize) -> bool {
        row.checked_sub(self.first).is_some_and(|k| self.period > 0 && k % self.period < self.lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_after_their_gap() {
        let pattern = Pattern::of(&ExposureKind::ChargeInjection { level_electron: 1.0, rows: 2, gap: 3 }).unwrap();
        let covered: Vec<usize> = (0..12).filter(|&row| pattern.covers(row)).collect();
        assert_eq!(covered, [3, 4, 8, 9]);
        assert_eq!(Pattern::of(&ExposureKind::Bias), None);
        let all = Pattern::of(&ExposureKind::TrapPumping { level_electron: 1.0, cycles: 1, phase_time_s: 1.0 }).unwrap();
        assert!((0..5).all(|row| all.covers(row)));
    }
}
