//! What rows lose on their way along the register, given back to numbers that are measured along columns.
//!
//! # Formula
//! A row of equal packets n loses `e(n)` of each, what the traps of its own pixel take: `n = m + e(n)`. A bright packet n at place x of a row
//! of packets b arrives as `m(n, x)`, from the forward model on a grid of n and x; the inverse is interpolated
//! # Source
//! The model: [`instruments::effects::cti`].
//! # Limits
//! Pixels next to the bright one are the background. The register's memory from row to row is left out.

use instruments::effects::cti::column::{Row, WIDTH};
use instruments::effects::cti::direction::{Expected, LineKey, Path, Transfer, Work};
use instruments::effects::cti::schedule::Steps;
use instruments::effects::cti::traps::{Species, TrapModel};

/// Places along a row at which losses are computed.
const PLACES: usize = 9;
/// Blocks of the forward model.
const BLOCKS: usize = 8;
/// The grid of charge ends here \[electron\].
const MOST: f64 = 2e5;

/// Electrons that the traps of a pixel take from a packet of n when they are empty.
fn own(model: &TrapModel, n: f64) -> f64 {
    let volume = model.well.fraction(n);
    let of = |s: &Species| s.density * ((volume - s.depth) / (1.0 - s.depth)).max(0.0);
    model.species.iter().map(of).sum::<f64>().min(n.max(0.0))
}

/// The charge of equal packets before the register, from what arrives of each.
#[must_use]
pub fn before_register(model: &TrapModel, arrived: f64) -> f64 {
    // Two rounds: what is taken changes slowly.
    let once = arrived + own(model, arrived);
    arrived + own(model, once)
}

/// Losses of bright packets over a background.
#[derive(Debug, Clone)]
pub struct SerialLoss {
    section: usize,
    charge: [f64; WIDTH],
    /// What arrives, by place and charge.
    arrived: Vec<[f64; WIDTH]>,
}

impl SerialLoss {
    /// Losses of a section of so many pixels behind its prescan, over a background \[electron\].
    #[must_use]
    pub fn new(model: &TrapModel, prescan: usize, section: usize, background: f64) -> Self {
        let floor = background.max(0.0);
        let charge: [f64; WIDTH] = std::array::from_fn(|l| {
            let step = (MOST / 10.0_f64).powf((l.max(1) - 1) as f64 / (WIDTH - 2) as f64);
            if l == 0 { floor } else { floor + 10.0 * step }
        });
        let forward = Expected::new(model, Steps::Blocks(BLOCKS));
        let at = |place: usize| {
            let before = place * section.saturating_sub(1) / (PLACES - 1);
            let mut packets: Vec<Row> = vec![[floor; WIDTH]; before];
            packets.push(charge);
            let path = Path { first: prescan, prescan, packets: before + 1, trailing: 0 };
            forward.transfer(&path, &[LineKey::default(); WIDTH], &mut packets, &mut Work::default());
            packets[before]
        };
        Self { section, charge, arrived: (0..PLACES).map(at).collect() }
    }
    /// The charge before the register of what arrived from a place.
    #[must_use]
    pub fn before(&self, place: usize, arrived: f64) -> f64 {
        let inverse = |row: &[f64; WIDTH]| {
            let l = row.iter().skip(1).take(WIDTH - 2).filter(|m| **m <= arrived).count();
            let (low, high) = (row[l], row[l + 1]);
            let slope = (self.charge[l + 1] - self.charge[l]) / (high - low).max(1e-9);
            self.charge[l] + (arrived - low) * slope
        };
        let along = (PLACES - 1) as f64 * place as f64 / self.section.saturating_sub(1).max(1) as f64;
        let k = (along as usize).min(PLACES - 2);
        let part = along - k as f64;
        (1.0 - part) * inverse(&self.arrived[k]) + part * inverse(&self.arrived[k + 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use instruments::effects::cti::fill::Well;

    fn traps() -> TrapModel {
        let species = vec![Species::bulk(1.0, 0.5), Species::bulk(2.0, 5.0)];
        TrapModel { species, well: Well { exponent: 0.478, full_well: 84_700.0, notch: 0.0 } }
    }

    #[test]
    fn what_a_bright_packet_lost_is_given_back() {
        let model = traps();
        let loss = SerialLoss::new(&model, 27, 256, 60.0);
        for (place, n) in [(0, 500.0), (100, 3000.0), (255, 20_000.0)] {
            let mut packets: Vec<Row> = vec![[60.0; WIDTH]; place];
            packets.push([n; WIDTH]);
            let path = Path { first: 27, prescan: 27, packets: place + 1, trailing: 0 };
            let forward = Expected::new(&model, Steps::Exact);
            forward.transfer(&path, &[LineKey::default(); WIDTH], &mut packets, &mut Work::default());
            let arrived = packets[place][0];
            let lost = n - arrived;
            assert!(lost > 1.0 && (loss.before(place, arrived) - n).abs() < 0.08 * lost, "{n} at {place}: lost {lost}");
        }
    }

    #[test]
    fn equal_packets_leave_the_charge_of_their_own_pixel() {
        let model = traps();
        let mut packets: Vec<Row> = vec![[1000.0; WIDTH]; 200];
        let path = Path { first: 27, prescan: 27, packets: 200, trailing: 0 };
        Expected::new(&model, Steps::Exact).transfer(&path, &[LineKey::default(); WIDTH], &mut packets, &mut Work::default());
        let arrived = packets[150][0];
        assert!(1000.0 - arrived > 0.3, "{arrived}");
        assert!((before_register(&model, arrived) - 1000.0).abs() < 0.02 * (1000.0 - arrived), "{arrived}");
    }
}
