//! Species of traps from lines of known charge and what was read of them: what all ways of measuring traps have in common.
//!
//! # Formula
//! Least squares of the packets that the forward model makes of the lines, in the logarithms of densities and release times and in
//! the exponent of the well: Levenberg-Marquardt with differences as derivatives
//! # Source
//! The model: [`instruments::effects::cti`]. Marquardt 1963 (SIAM J. Appl. Math. 11, 431).
//! # Limits
//! Full well and notch are given: only `density full_well^-exponent` shows in a trail. Depths are 0. Errors are those of the
//! curvature at the minimum, scaled with chi-square where the fit is worse than its errors. Charge is taken as its mean: where
//! packets hold few electrons, the bent well makes of a scatter between lines another mean.

use crate::trap_fit::{TrapFit, TrapFitError};
use instruments::effects::cti::column::{Row, WIDTH};
use instruments::effects::cti::direction::{Expected, LineKey, Path, Transfer, Work};
use instruments::effects::cti::fill::Well;
use instruments::effects::cti::schedule::Steps;
use instruments::effects::cti::traps::{SPECIES, Species, TrapModel};
use nalgebra::{DMatrix, DVector};
use sim_core::knowledge::{Measured, TransferTraps, TrapSpecies};

/// Blocks of the forward model: calibration lines change slowly.
const BLOCKS: usize = 4;
/// Rounds of the fit at most.
const ROUNDS: usize = 60;
/// Difference for derivatives.
const DIFFERENCE: f64 = 1e-4;
/// Share of the model's value that is its own error: what a flat does not say about the last pixels.
const MODEL_ERROR: f64 = 1e-3;

/// A line whose charge before the transfer is known.
#[derive(Debug, Clone, PartialEq)]
pub struct TransferLine {
    /// Charge of the packets, nearest to the output first \[electron\]; packets beyond are empty.
    pub charge: Vec<f64>,
    /// Packets that were read, by number, after the transfer \[electron\].
    pub measured: Vec<(usize, Measured)>,
}

impl TransferLine {
    fn charge_of(&self, packet: usize) -> f64 {
        self.charge.get(packet).copied().unwrap_or(0.0)
    }
    /// Transfers of its brightest packet.
    fn transfers(&self) -> (f64, f64) {
        let most = self.charge.iter().copied().fold(0.0, f64::max);
        (self.charge.iter().rposition(|&n| n == most).map_or(0.0, |k| (k + 1) as f64), most)
    }
}

/// What is given for a fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Given {
    /// Pixels of a line, nearest to the output first, and the empty packets behind.
    pub path: Path,
    /// Charge that fills the volume of a pixel \[electron\].
    pub full_well_electron: f64,
    /// Charge in the notch \[electron\].
    pub notch_electron: f64,
    /// Species to fit.
    pub species: usize,
    /// Packets of a trail: the slowest species that can be told is of this order.
    pub trail: usize,
}

struct Problem<'a> {
    lines: &'a [TransferLine],
    given: &'a Given,
}

impl Problem<'_> {
    fn model(&self, p: &DVector<f64>) -> TrapModel {
        let n = self.given.species;
        let species = (0..n).map(|s| Species { density: p[s].exp(), release: p[n + s].exp(), depth: 0.0 }).collect();
        let well = Well { exponent: p[2 * n].clamp(1e-3, 1.0), full_well: self.given.full_well_electron, notch: self.given.notch_electron };
        TrapModel { species, well }
    }
    /// Residuals in units of their errors.
    fn residuals(&self, p: &DVector<f64>) -> DVector<f64> {
        let forward = Expected::new(&self.model(p), Steps::Blocks(BLOCKS));
        let (path, keys) = (self.given.path, [LineKey::default(); WIDTH]);
        let mut all = Vec::new();
        let mut work = Work::default();
        for lines in self.lines.chunks(WIDTH) {
            let row = |k: usize| -> Row { std::array::from_fn(|l| lines.get(l).map_or(0.0, |line| line.charge_of(k).max(0.0))) };
            let mut packets: Vec<Row> = (0..path.packets).map(row).collect();
            packets.resize(path.packets + path.trailing, [0.0; WIDTH]);
            forward.transfer(&path, &keys, &mut packets, &mut work);
            for (l, line) in lines.iter().enumerate() {
                for (k, measured) in &line.measured {
                    let error = measured.error.hypot(MODEL_ERROR * (measured.value - line.charge_of(*k)));
                    all.push((packets[*k][l] - measured.value) / error);
                }
            }
        }
        DVector::from_vec(all)
    }
}

/// Fits the species. The packets of lines that were measured must lie on the path or behind it.
///
/// # Errors
/// When the lines are too few, or nothing of the transfer shows in them.
pub fn fit(lines: &[TransferLine], given: &Given) -> Result<TrapFit, TrapFitError> {
    let Given { path, full_well_electron, notch_electron, species, trail } = *given;
    if !(1..=SPECIES).contains(&species) {
        return Err(TrapFitError::Species(species));
    }
    let unknowns = 2 * species + 1;
    let length = path.packets + path.trailing;
    let numbers: Vec<(f64, f64)> =
        lines.iter().flat_map(|line| line.measured.iter().map(|(k, m)| (m.value - line.charge_of(*k), m.error))).collect();
    let fits = lines.iter().all(|line| line.measured.iter().all(|(k, m)| *k < length && m.error > 0.0 && m.value.is_finite()));
    if numbers.len() <= unknowns || trail <= species || !fits {
        return Err(TrapFitError::TooFew { levels: lines.len(), pixels: numbers.len() / lines.len().max(1), unknowns });
    }
    // What packets gained: those that lost are told by a minus.
    let signal: f64 = numbers.iter().map(|(change, _)| change.abs()).sum();
    let error = numbers.iter().map(|(_, error)| error * error).sum::<f64>().sqrt();
    let power: f64 = numbers.iter().map(|(change, error)| (change / error).powi(2)).sum();
    let count = numbers.len() as f64;
    if power.is_nan() || power <= count + 5.0 * (2.0 * count).sqrt() {
        return Err(TrapFitError::NoTrail { signal, error });
    }
    let well = Well { exponent: 0.5, full_well: full_well_electron, notch: notch_electron };
    let problem = Problem { lines, given };

    // Start: release times spread over the trail, densities that make it up in equal parts.
    let reached: f64 = lines.iter().map(TransferLine::transfers).map(|(transfers, most)| transfers * well.fraction(most)).sum();
    let density = signal / reached.max(f64::MIN_POSITIVE) / species as f64;
    let (fast, slow) = (0.7_f64, trail as f64 / 2.5);
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
