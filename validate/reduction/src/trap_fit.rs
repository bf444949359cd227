//! Species of traps from the trails of flats of several levels.
//!
//! # Formula
//! Least squares of the trails that the forward model leaves behind uniform lines of the measured levels, in the logarithms of
//! densities and release times and in the exponent of the well: Levenberg-Marquardt with differences as derivatives
//! # Source
//! The model: [`instruments::effects::cti`]. Marquardt 1963 (SIAM J. Appl. Math. 11, 431).
//! # Limits
//! Full well and notch are given: only `density full_well^-exponent` shows in a trail. Depths are 0. Errors are those of the
//! curvature at the minimum, scaled with chi-square where the fit is worse than its errors.

use crate::edge_trails::{self, Direction, EdgeTrail};
use instruments::effects::cti::column::{Row, WIDTH};
use instruments::effects::cti::direction::{Expected, LineKey, Path, Transfer, Work};
use instruments::effects::cti::fill::Well;
use instruments::effects::cti::schedule::Steps;
use instruments::effects::cti::traps::{SPECIES, Species, TrapModel};
use nalgebra::{DMatrix, DVector};
use ndarray::Array2;
use sim_core::detector::ReadoutLayout;
use sim_core::knowledge::{Measured, TransferTraps, TrapKnowledge, TrapSpecies};

/// Blocks of the forward model: uniform lines change slowly.
const BLOCKS: usize = 4;
/// Rounds of the fit at most.
const ROUNDS: usize = 60;
/// Difference for derivatives.
const DIFFERENCE: f64 = 1e-4;
/// Share of the model's value that is its own error: what a flat does not say about the last pixels.
const MODEL_ERROR: f64 = 1e-3;

/// Why traps could not be fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TrapFitError {
    /// Too few numbers for the parameters.
    #[error(
        "trap fit: {levels} trails of {pixels} overscan pixels do not determine {parameters} parameters; more levels or pixels are needed"
    )]
    TooFew {
        /// Flats.
        levels: usize,
        /// Overscan pixels of each.
        pixels: usize,
        /// Parameters.
        parameters: usize,
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
    /// Chi-square per degree of freedom.
    pub reduced_chi2: f64,
}

struct Problem<'a> {
    trails: &'a [EdgeTrail],
    path: Path,
    well: Well,
    species: usize,
}

impl Problem<'_> {
    fn model(&self, p: &DVector<f64>) -> TrapModel {
        let n = self.species;
        let species = (0..n).map(|s| Species { density: p[s].exp(), release: p[n + s].exp(), depth: 0.0 }).collect();
        TrapModel { species, well: Well { exponent: p[2 * n].clamp(1e-3, 1.0), ..self.well } }
    }
    /// Residuals in units of their errors.
    fn residuals(&self, p: &DVector<f64>) -> DVector<f64> {
        let forward = Expected::new(&self.model(p), Steps::Blocks(BLOCKS));
        let (path, keys) = (self.path, [LineKey::default(); WIDTH]);
        let mut all = Vec::new();
        let mut work = Work::default();
        for trails in self.trails.chunks(WIDTH) {
            let levels: Row = std::array::from_fn(|l| trails.get(l).map_or(0.0, |t| t.level_electron.max(0.0)));
            let mut packets = vec![levels; path.packets];
            packets.resize(path.packets + path.trailing, [0.0; WIDTH]);
            forward.transfer(&path, &keys, &mut packets, &mut work);
            for (l, trail) in trails.iter().enumerate() {
                // The measured level is that after the transfer: the last packets lost what the model took from them.
                for (measured, packet) in trail.trail.iter().zip(&packets[path.packets..]) {
                    let error = measured.error.hypot(MODEL_ERROR * measured.value);
                    all.push((packet[l] - measured.value) / error);
                }
            }
        }
        DVector::from_vec(all)
    }
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
        return Err(TrapFitError::TooFew { levels: trails.len(), pixels, parameters: unknowns });
    }
    let numbers = || trails.iter().flat_map(|t| &t.trail);
    let (signal, error) = (numbers().map(|m| m.value).sum::<f64>(), numbers().map(|m| m.error.powi(2)).sum::<f64>().sqrt());
    if signal.is_nan() || signal <= 5.0 * error {
        return Err(TrapFitError::NoTrail { signal, error });
    }
    let path = Path { trailing: trails.iter().map(|t| t.trail.len()).max().unwrap_or(0), ..path };
    let well = Well { exponent: 0.5, full_well: full_well_electron, notch: notch_electron };
    let problem = Problem { trails, path, well, species };

    // Start: release times spread over the overscan, densities that make up the trail in equal parts.
    let transfers = path.packets as f64;
    let reached: f64 = trails.iter().map(|t| well.fraction(t.level_electron)).sum();
    let density = signal / (transfers * reached).max(f64::MIN_POSITIVE) / species as f64;
    let (fast, slow) = (0.7_f64, pixels as f64 / 2.5);
    let spread = |s: usize| fast * (slow / fast).powf((s as f64 + 0.5 * f64::from(u8::from(species == 1))) / (species.max(2) - 1) as f64);
    let mut p = DVector::from_fn(unknowns, |k, _| match k {
        k if k < species => density.ln(),
        k if k < 2 * species => spread(k - species).ln(),
        _ => 0.5,
    });

    let mut residuals = problem.residuals(&p);
    let mut chi2 = residuals.norm_squared();
    let mut damping = 1e-2;
    let mut curvature = DMatrix::zeros(unknowns, unknowns);
    for _ in 0..ROUNDS {
        let mut jacobian = DMatrix::zeros(residuals.len(), unknowns);
        for k in 0..unknowns {
            let mut moved = p.clone();
            moved[k] += DIFFERENCE;
            jacobian.set_column(k, &((problem.residuals(&moved) - &residuals) / DIFFERENCE));
        }
        curvature = jacobian.transpose() * &jacobian;
        let slope = jacobian.transpose() * &residuals;
        let mut gained = 0.0;
        while damping < 1e9 {
            let mut matrix = curvature.clone();
            for k in 0..unknowns {
                matrix[(k, k)] += damping * curvature[(k, k)].max(1e-9);
            }
            let Some(step) = matrix.cholesky().map(|c| c.solve(&slope)) else {
                damping *= 10.0;
                continue;
            };
            // A factor of e in one round at most, and within what the model takes.
            let mut trial = &p - step.map(|d| d.clamp(-1.0, 1.0));
            for k in 0..2 * species {
                trial[k] = trial[k].clamp(-16.0, 8.0);
            }
            trial[2 * species] = trial[2 * species].clamp(0.05, 1.0);
            let found = problem.residuals(&trial);
            let better = found.norm_squared();
            if better < chi2 {
                gained = (chi2 - better) / chi2.max(f64::MIN_POSITIVE);
                (p, residuals, chi2) = (trial, found, better);
                damping = (damping * 0.2).max(1e-9);
                break;
            }
            damping *= 6.0;
        }
        if gained < 1e-7 {
            break;
        }
    }
    let freedom = (residuals.len() - unknowns) as f64;
    let reduced_chi2 = chi2 / freedom;
    let errors = curvature.try_inverse().map_or_else(
        || vec![f64::INFINITY; unknowns],
        |c| c.diagonal().iter().map(|v| (v.max(0.0) * reduced_chi2.max(1.0)).sqrt()).collect(),
    );
    let mut found: Vec<TrapSpecies> = (0..species)
        .map(|s| {
            // The error of a logarithm is a relative one.
            let of = |k: usize| Measured { value: p[k].exp(), error: p[k].exp() * errors[k] };
            TrapSpecies { density: of(s), release: of(species + s), depth: 0.0 }
        })
        .collect();
    found.sort_by(|a, b| a.release.value.total_cmp(&b.release.value));
    let traps = TransferTraps { species: found, exponent: p[2 * species].clamp(1e-3, 1.0), full_well_electron, notch_electron };
    Ok(TrapFit { traps, reduced_chi2 })
}

/// How traps are looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrapOptions {
    /// Species along columns and along rows.
    pub species: [usize; 2],
    /// Charge that fills the volume of a pixel \[electron\].
    pub full_well_electron: f64,
    /// Charge in the notch \[electron\].
    pub notch_electron: f64,
    /// Blocks and iterations of the correction.
    pub blocks: usize,
    /// See `blocks`.
    pub iterations: usize,
}

/// Traps of a detector from raw flats of several levels, at the date of the flats.
///
/// # Errors
/// When a flat has no overscan to read trails from, or the trails do not determine the traps.
pub fn from_flats<'a>(
    flats: impl Iterator<Item = &'a Array2<f32>> + Clone,
    layout: &ReadoutLayout,
    gain: &[Measured],
    read_noise: &[Measured],
    options: &TrapOptions,
) -> Result<(TrapKnowledge, [f64; 2]), TrapFitError> {
    let Some(tile) = layout.tiles.first() else { return Err(TrapFitError::NoOverscan) };
    let section = tile.serial_overscan - tile.serial_start;
    let of = |direction: Direction| {
        let (path, species) = match direction {
            Direction::Parallel => (Path { first: 0, prescan: 0, packets: tile.parallel_overscan, trailing: 0 }, options.species[0]),
            Direction::Serial => {
                (Path { first: tile.serial_start, prescan: tile.serial_start, packets: section, trailing: 0 }, options.species[1])
            }
        };
        let measured = |raw| edge_trails::measure(raw, layout, direction, gain, read_noise).ok_or(TrapFitError::NoOverscan);
        let trails = flats.clone().map(measured).collect::<Result<Vec<EdgeTrail>, _>>()?;
        fit(&trails, path, options.full_well_electron, options.notch_electron, species)
    };
    let (columns, rows) = (of(Direction::Parallel)?, of(Direction::Serial)?);
    let TrapOptions { blocks, iterations, .. } = *options;
    let traps = TrapKnowledge { parallel: columns.traps, serial: rows.traps, blocks, iterations };
    Ok((traps, [columns.reduced_chi2, rows.reduced_chi2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: Path = Path { first: 0, prescan: 0, packets: 600, trailing: 84 };

    fn trails(model: &TrapModel) -> Vec<EdgeTrail> {
        let levels: Row = [300.0, 1000.0, 3000.0, 1e4, 3e4, 6e4, 0.0, 0.0];
        let mut packets = vec![levels; PATH.packets];
        packets.resize(PATH.packets + PATH.trailing, [0.0; WIDTH]);
        Expected::new(model, Steps::Exact).transfer(&PATH, &[LineKey::default(); WIDTH], &mut packets, &mut Work::default());
        (0..6)
            .map(|l| EdgeTrail {
                level_electron: packets[PATH.packets - 1][l],
                trail: packets[PATH.packets..].iter().map(|row| Measured { value: row[l], error: 0.05 }).collect(),
            })
            .collect()
    }

    fn truth() -> TrapModel {
        let species = |density, release| Species { density, release, depth: 0.0 };
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
