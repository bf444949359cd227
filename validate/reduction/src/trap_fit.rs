//! Species of traps from the trails of flats of several levels.
//!
//! # Formula
//! The fit of [`crate::transfer_lines`] to the trails ([`crate::edge_trails`]) behind uniform lines of the measured levels
//! # Limits
//! Those of [`crate::transfer_lines`].

use crate::edge_trails::EdgeTrail;
use crate::transfer_lines::{self, Common, Given, LineSet, TransferLine};
use instruments::effects::cti::direction::Path;
use instruments::effects::cti::traps::SPECIES;
use sim_core::detector::ReadoutLayout;
use sim_core::knowledge::{EvidenceKind, TransferTraps};

/// Why traps could not be fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TrapFitError {
    /// Too few numbers for the parameters.
    #[error(
        "trap fit: {levels} trails of {pixels} overscan pixels do not determine {unknowns} parameters; more levels or pixels are needed"
    )]
    TooFew {
        /// Flats.
        levels: usize,
        /// Overscan pixels of each.
        pixels: usize,
        /// Parameters.
        unknowns: usize,
    },
    /// No trail stands out.
    #[error("trap fit: no trail: {signal:.3} electron summed over the overscan, error {error:.3}")]
    NoTrail {
        /// Sum over levels and pixels \[electron\].
        signal: f64,
        /// Its error \[electron\].
        error: f64,
    },
    /// Nothing to read trails from.
    #[error("trap fit: the flats have no overscan in both directions, or gain or read noise of an amplifier is not known")]
    NoOverscan,
    /// Species asked for.
    #[error("trap fit: {0} species asked for; 1..{SPECIES}")]
    Species(usize),
}

/// What the fit gave.
#[derive(Debug, Clone, PartialEq)]
pub struct TrapFit {
    /// Traps, slowest last.
    pub traps: TransferTraps,
    /// Standard error of the exponent.
    pub exponent_error: f64,
    /// Chi-square per degree of freedom.
    pub reduced_chi2: f64,
}

/// Fits `species` species. `path`: pixels of a line, nearest to the output first; its `trailing` is set by the trails.
///
/// # Errors
/// When the trails are too few, too short or not there.
pub fn fit(
    trails: &[EdgeTrail],
    path: Path,
    full_well_electron: f64,
    notch_electron: f64,
    species: usize,
) -> Result<TrapFit, TrapFitError> {
    if !(1..=SPECIES).contains(&species) {
        return Err(TrapFitError::Species(species));
    }
    let pixels = trails.iter().map(|t| t.trail.len()).min().unwrap_or(0);
    let unknowns = 2 * species + 1;
    if trails.len() < 2 || trails.len() * pixels <= unknowns || pixels <= species {
        return Err(TrapFitError::TooFew { levels: trails.len(), pixels, unknowns });
    }
    let numbers = || trails.iter().flat_map(|t| &t.trail);
    let (signal, error) = (numbers().map(|m| m.value).sum::<f64>(), numbers().map(|m| m.error.powi(2)).sum::<f64>().sqrt());
    if signal.is_nan() || signal <= 5.0 * error {
        return Err(TrapFitError::NoTrail { signal, error });
    }
    let LineSet { path, lines, .. } = edge_lines(trails, path);
    transfer_lines::fit(&lines, &Given { path, full_well_electron, notch_electron, species, trail: pixels })
}

/// The lines of trails behind uniform charge. `path`: pixels of a line, nearest to the output first; its `trailing` is set by the trails.
#[must_use]
pub fn edge_lines(trails: &[EdgeTrail], path: Path) -> LineSet {
    let path = Path { trailing: trails.iter().map(|t| t.trail.len()).max().unwrap_or(0), ..path };
    let line = |t: &EdgeTrail| TransferLine {
        // The measured level is that after the transfer: the last packets lost what the model took from them.
        charge: vec![t.level_electron.max(0.0); path.packets],
        scatter: t.scatter_electron,
        measured: t.trail.iter().enumerate().map(|(k, m)| (path.packets + k, *m)).collect(),
    };
    LineSet { kind: EvidenceKind::FlatTrails, path, lines: trails.iter().map(line).collect(), common: Common::Nothing }
}

/// Pixels of the columns and of the rows of a detector: those between its window's far end and register and output. Charge beyond a window
/// is not there.
#[must_use]
pub fn section_paths(layout: &ReadoutLayout) -> Option<[Path; 2]> {
    let tile = layout.tiles.first()?;
    let columns = Path { first: 0, prescan: 0, packets: tile.parallel_science + tile.science.ny, trailing: 0 };
    let section = (tile.serial_science + tile.science.nx).saturating_sub(tile.serial_start);
    Some([columns, Path { first: tile.serial_start, prescan: tile.serial_start, packets: section, trailing: 0 }])
}

/// How traps are looked for, and undone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrapOptions {
    /// Species along columns and along rows.
    pub species: [usize; 2],
    /// Charge that fills the volume of a pixel \[electron\].
    pub full_well_electron: f64,
    /// Charge in the notch \[electron\].
    pub notch_electron: f64,
    /// Blocks of the path of a packet in the correction.
    pub blocks: usize,
    /// Iterations of the correction.
    pub iterations: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use instruments::effects::cti::column::{Row, WIDTH};
    use instruments::effects::cti::direction::{Expected, LineKey, Transfer, Work};
    use instruments::effects::cti::fill::Well;
    use instruments::effects::cti::schedule::Steps;
    use instruments::effects::cti::traps::{Species, TrapModel};
    use sim_core::knowledge::Measured;

    const PATH: Path = Path { first: 0, prescan: 0, packets: 600, trailing: 84 };

    fn trails(model: &TrapModel) -> Vec<EdgeTrail> {
        let given = [300.0, 1000.0, 3000.0, 1e4, 3e4, 6e4];
        let levels: Row = std::array::from_fn(|l| given.get(l).copied().unwrap_or(0.0));
        let mut packets = vec![levels; PATH.packets];
        packets.resize(PATH.packets + PATH.trailing, [0.0; WIDTH]);
        Expected::new(model, Steps::Exact).transfer(&PATH, &[LineKey::default(); WIDTH], &mut packets, &mut Work::default());
        (0..6)
            .map(|l| EdgeTrail {
                level_electron: packets[PATH.packets - 1][l],
                scatter_electron: 0.0,
                trail: packets[PATH.packets..].iter().map(|row| Measured { value: row[l], error: 0.05 }).collect(),
            })
            .collect()
    }

    fn truth() -> TrapModel {
        let species = Species::bulk;
        let well = Well { exponent: 0.478, full_well: 84_700.0, notch: 0.0 };
        TrapModel { species: vec![species(0.6, 0.74), species(1.6, 7.7), species(1.4, 37.0)], well }
    }

    #[test]
    fn trails_without_noise_give_their_traps_back() {
        let truth = truth();
        let fit = fit(&trails(&truth), PATH, 84_700.0, 0.0, 3).unwrap();
        assert!((fit.traps.exponent - 0.478).abs() < 0.003, "{fit:?}");
        for (got, want) in fit.traps.species.iter().zip(&truth.species) {
            assert!((got.density.value / want.density - 1.0).abs() < 0.05, "{fit:?}");
            assert!((got.release.value / want.release - 1.0).abs() < 0.05, "{fit:?}");
        }
    }

    #[test]
    fn too_few_species_fit_worse_and_say_so() {
        let trails = trails(&truth());
        let chi2 = |species| fit(&trails, PATH, 84_700.0, 0.0, species).unwrap().reduced_chi2;
        let (one, two, three) = (chi2(1), chi2(2), chi2(3));
        assert!(one > 3.0 * two && two > 3.0 * three, "{one} {two} {three}");
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let good = trails(&truth());
        assert_eq!(fit(&good, PATH, 84_700.0, 0.0, 9), Err(TrapFitError::Species(9)));
        assert!(matches!(fit(&good[..1], PATH, 84_700.0, 0.0, 3), Err(TrapFitError::TooFew { .. })));
        let silent: Vec<EdgeTrail> =
            good.iter().map(|t| EdgeTrail { trail: vec![Measured { value: 0.01, error: 0.5 }; 84], ..t.clone() }).collect();
        assert!(matches!(fit(&silent, PATH, 84_700.0, 0.0, 3), Err(TrapFitError::NoTrail { .. })));
    }
}
