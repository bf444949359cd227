//! Species of traps from lines of known charge and what was read of them: what all ways of measuring traps have in common.
//!
//! # Formula
//! Least squares of the packets that the forward model makes of the lines, in the logarithms of densities and release times and in
//! the exponent of the well ([`crate::least_squares`]); lines of different kinds enter together, each number with its own error.
//! A kind whose numbers scatter more than their errors say has its errors scaled until they do, and the fit is done once more
//! # Source
//! The model: [`instruments::effects::cti`].
//! # Limits
//! Full well and notch are given: only `density full_well^-exponent` shows in a trail. Depths are 0. Errors are those of the
//! curvature at the minimum, after the scaling. Charge is taken as its mean: where
//! packets hold few electrons, the bent well makes of a scatter between lines another mean. Lines of uniform charge that say how much their
//! packets scatter are modelled with that scatter: traps remember the highest packets, so a scattered line fills more of them.

mod scatter;

pub(crate) use scatter::behind;

use crate::least_squares::minimise;
use crate::trap_fit::{TrapFit, TrapFitError};
use instruments::effects::cti::column::{Row, WIDTH};
use instruments::effects::cti::direction::{Expected, LineKey, Path, Transfer, Work};
use instruments::effects::cti::fill::Well;
use instruments::effects::cti::schedule::Steps;
use instruments::effects::cti::traps::{SPECIES, Species, TrapModel};
use nalgebra::DVector;
use sim_core::knowledge::{EvidenceKind, Measured, TransferTraps, TrapSpecies};

/// Blocks of the forward model: calibration lines change slowly.
const BLOCKS: usize = 8;
/// Paths of so few pixels are followed transfer by transfer.
const SHORT: usize = 64;
/// Share of the model's change that is its own error: what the blocks leave, what a flat does not say about the last pixels.
const MODEL_ERROR: f64 = 2e-3;

/// A line whose charge before the transfer is known.
#[derive(Debug, Clone, PartialEq)]
pub struct TransferLine {
    /// Charge of the packets, nearest to the output first \[electron\]; packets beyond are empty.
    pub charge: Vec<f64>,
    /// Standard deviation of a packet about it \[electron\], in a line of uniform charge of which only packets behind it were measured; else 0.
    pub scatter: f64,
    /// Packets that were read, by number, after the transfer \[electron\].
    pub measured: Vec<(usize, Measured)>,
}

impl TransferLine {
    fn charge_of(&self, packet: usize) -> f64 {
        self.charge.get(packet).copied().unwrap_or(0.0)
    }
    /// Number of its brightest packet, and its charge.
    fn brightest(&self) -> (f64, f64) {
        let most = self.charge.iter().copied().fold(0.0, f64::max);
        (self.charge.iter().rposition(|&n| n == most).map_or(0.0, |k| (k + 1) as f64), most)
    }
    fn numbers(&self) -> impl Iterator<Item = (f64, f64)> {
        self.measured.iter().map(|(k, m)| (m.value - self.charge_of(*k), m.error))
    }
}

/// What lines have in common that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Common {
    /// Nothing.
    Nothing,
    /// The charge of a packet has an unknown factor, the same in all lines: the response of its pixels; and an unknown charge is added to it:
    /// the time that the shutter adds there, what is left of the bias.
    Response,
}

/// Lines of one kind, along one path.
#[derive(Debug, Clone, PartialEq)]
pub struct LineSet {
    /// Kind.
    pub kind: EvidenceKind,
    /// Pixels of a line, nearest to the output first, and the empty packets behind.
    pub path: Path,
    /// Lines.
    pub lines: Vec<TransferLine>,
    /// What they have in common.
    pub common: Common,
}

impl LineSet {
    /// How many numbers it has.
    #[must_use]
    pub fn count(&self) -> f64 {
        self.numbers().count() as f64
    }
    fn numbers(&self) -> impl Iterator<Item = (f64, f64)> {
        self.lines.iter().flat_map(TransferLine::numbers)
    }
    /// What the transfer may have done, in units of the errors: what an unknown response explains does not count.
    fn deviations(&self) -> Vec<f64> {
        let of = |line: &TransferLine| -> Vec<(usize, f64, f64, f64)> {
            let number = |(k, m): &(usize, Measured)| {
                let charge = line.charge_of(*k);
                (*k, (m.value - charge) / m.error, charge / m.error, 1.0 / m.error)
            };
            line.measured.iter().map(number).collect()
        };
        let mut all: Vec<(usize, f64, f64, f64)> = self.lines.iter().flat_map(of).collect();
        if self.common == Common::Response {
            project(&mut all);
        }
        all.into_iter().map(|(_, deviation, ..)| deviation).collect()
    }
    /// Numbers less what the unknown factors take.
    fn freedom(&self) -> usize {
        let count = self.numbers().count();
        match self.common {
            Common::Nothing => count,
            Common::Response => count - 2 * self.lines.iter().map(|l| l.measured.len()).max().unwrap_or(0).min(count / 2),
        }
    }
    fn stands(&self) -> bool {
        let length = self.path.packets + self.path.trailing;
        let behind =
            |l: &TransferLine| l.scatter == 0.0 || l.measured.iter().all(|(k, _)| *k >= self.path.packets && self.path.packets > 0);
        self.lines.iter().flat_map(|l| &l.measured).all(|(k, m)| *k < length && m.error > 0.0 && m.value.is_finite())
            && self.lines.iter().all(|l| l.scatter.is_finite() && behind(l))
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

/// What the common fit gave.
#[derive(Debug, Clone, PartialEq)]
pub struct JointFit {
    /// Traps, slowest last, and chi-square per degree of freedom with the errors as measured.
    pub fit: TrapFit,
    /// Chi-square per number of every set, with the errors as measured.
    pub sets: Vec<f64>,
    /// The same of the release times given.
    pub release: Option<f64>,
}

struct Problem<'a> {
    sets: &'a [LineSet],
    given: &'a Given,
    /// Release times known otherwise \[transfers\], with their relative errors.
    release: &'a [Measured],
    /// Factors of the errors of the sets, and of the release times.
    scale: Vec<f64>,
}

/// Takes from the residuals of every packet what a factor of its charge and charge added to it explain.
fn project(all: &mut [(usize, f64, f64, f64)]) {
    let mut sums: std::collections::BTreeMap<usize, [f64; 5]> = std::collections::BTreeMap::new();
    for (k, residual, factor, added) in &*all {
        let of = sums.entry(*k).or_default();
        let products = [factor * factor, factor * added, added * added, residual * factor, residual * added];
        of.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
    }
    for (k, residual, factor, added) in all {
        let [ff, fa, aa, rf, ra] = sums[k];
        let determinant = ff * aa - fa * fa;
        // Lines of one level cannot tell the two apart.
        let (by_factor, by_added) = if determinant > 1e-12 * ff * aa {
            ((rf * aa - ra * fa) / determinant, (ra * ff - rf * fa) / determinant)
        } else {
            (if ff > 0.0 { rf / ff } else { 0.0 }, 0.0)
        };
        *residual -= *factor * by_factor + *added * by_added;
    }
}

impl Problem<'_> {
    fn model(&self, p: &DVector<f64>) -> TrapModel {
        let n = self.given.species;
        let species = (0..n).map(|s| Species::bulk(p[s].exp(), p[n + s].exp())).collect();
        let well = Well { exponent: p[2 * n].clamp(1e-3, 1.0), full_well: self.given.full_well_electron, notch: self.given.notch_electron };
        TrapModel { species, well }
    }
    /// Residuals of a set in units of their errors.
    fn of_set(&self, set: &LineSet, model: &TrapModel, scale: f64, work: &mut Work) -> Vec<f64> {
        let (path, keys) = (set.path, [LineKey::default(); WIDTH]);
        let steps = if path.first + path.packets <= SHORT { Steps::Exact } else { Steps::Blocks(BLOCKS) };
        let forward = Expected::new(model, steps);
        // Number of the packet, residual, and how it changes with a factor of its charge and with charge added to it.
        let mut all: Vec<(usize, f64, f64, f64)> = Vec::new();
        let (scattered, plain): (Vec<&TransferLine>, Vec<&TransferLine>) = set.lines.iter().partition(|line| line.scatter > 0.0);
        for line in scattered {
            let after = behind(line.charge_of(path.packets - 1), line.scatter, &path, self.given.trail, &forward, work);
            for (k, measured) in &line.measured {
                let error = scale * measured.error.hypot(MODEL_ERROR * measured.value);
                all.push((*k, (after[k - path.packets] - measured.value) / error, 0.0, 1.0 / error));
            }
        }
        for lines in plain.chunks(WIDTH) {
            let row = |k: usize| -> Row { std::array::from_fn(|l| lines.get(l).map_or(0.0, |line| line.charge_of(k).max(0.0))) };
            let mut packets: Vec<Row> = (0..path.packets).map(row).collect();
            packets.resize(path.packets + path.trailing, [0.0; WIDTH]);
            forward.transfer(&path, &keys, &mut packets, work);
            for (l, line) in lines.iter().enumerate() {
                for (k, measured) in &line.measured {
                    let error = scale * measured.error.hypot(MODEL_ERROR * (measured.value - line.charge_of(*k)));
                    all.push((*k, (packets[*k][l] - measured.value) / error, line.charge_of(*k) / error, 1.0 / error));
                }
            }
        }
        if set.common == Common::Response {
            project(&mut all);
        }
        all.into_iter().map(|(_, residual, ..)| residual).collect()
    }
    /// Residuals of the release times.
    fn of_release(&self, p: &DVector<f64>, scale: f64) -> Vec<f64> {
        let n = self.given.species;
        self.release.iter().enumerate().map(|(s, m)| (p[n + s] - m.value.ln()) * m.value / (scale * m.error)).collect()
    }
    fn residuals(&self, p: &DVector<f64>) -> DVector<f64> {
        let (model, mut work) = (self.model(p), Work::default());
        let sets = self.sets.iter().zip(&self.scale);
        let mut all: Vec<f64> = sets.flat_map(|(set, &scale)| self.of_set(set, &model, scale, &mut work)).collect();
        all.extend(self.of_release(p, self.scale[self.sets.len()]));
        DVector::from_vec(all)
    }
    /// Chi-square per number of every set and of the release times, with the errors as measured.
    fn parts(&self, p: &DVector<f64>) -> (Vec<f64>, f64) {
        let (model, mut work) = (self.model(p), Work::default());
        let mean = |residuals: Vec<f64>, count: usize| residuals.iter().map(|r| r * r).sum::<f64>() / count.max(1) as f64;
        let sets = self.sets.iter().map(|set| mean(self.of_set(set, &model, 1.0, &mut work), set.freedom())).collect();
        (sets, mean(self.of_release(p, 1.0), self.release.len()))
    }
}

/// Fits the species to lines of one kind. The packets of lines that were measured must lie on the path or behind it.
///
/// # Errors
/// When the lines are too few, or nothing of the transfer shows in them.
pub fn fit(lines: &[TransferLine], given: &Given) -> Result<TrapFit, TrapFitError> {
    let set = LineSet { kind: EvidenceKind::FlatTrails, path: given.path, lines: lines.to_vec(), common: Common::Nothing };
    fit_all(&[set], &[], given).map(|joint| joint.fit)
}

/// Fits the species to lines of all kinds, and to release times known otherwise \[transfers\] (as many as species, fastest first, or
/// none).
///
/// # Errors
/// When the lines are too few, or nothing of the transfer shows in them.
pub fn fit_all(sets: &[LineSet], release: &[Measured], given: &Given) -> Result<JointFit, TrapFitError> {
    let Given { full_well_electron, notch_electron, species, trail, .. } = *given;
    if !(1..=SPECIES).contains(&species) {
        return Err(TrapFitError::Species(species));
    }
    let unknowns = 2 * species + 1;
    let numbers: Vec<(f64, f64)> = sets.iter().flat_map(LineSet::numbers).collect();
    let levels = sets.iter().map(|s| s.lines.len()).sum::<usize>();
    if numbers.len() <= unknowns || trail <= species || !sets.iter().all(LineSet::stands) {
        return Err(TrapFitError::TooFew { levels, pixels: numbers.len() / levels.max(1), unknowns });
    }
    // What packets gained: those that lost are told by a minus.
    let signal: f64 = numbers.iter().map(|(change, _)| change.abs()).sum();
    let error = numbers.iter().map(|(_, error)| error * error).sum::<f64>().sqrt();
    let power: f64 = sets.iter().flat_map(LineSet::deviations).map(|d| d * d).sum();
    let count = sets.iter().map(LineSet::freedom).sum::<usize>() as f64;
    if power.is_nan() || power <= count + 5.0 * (2.0 * count).sqrt() {
        return Err(TrapFitError::NoTrail { signal, error });
    }
    let well = Well { exponent: 0.5, full_well: full_well_electron, notch: notch_electron };

    // Start: release times spread over the trail, densities that make it up in equal parts.
    let lines = sets.iter().flat_map(|s| &s.lines);
    let reached: f64 = lines.map(TransferLine::brightest).map(|(transfers, most)| transfers * well.fraction(most)).sum();
    let density = signal / reached.max(f64::MIN_POSITIVE) / species as f64;
    let (fast, slow) = (0.7_f64, trail as f64 / 2.5);
    let spread = |s: usize| fast * (slow / fast).powf((s as f64 + 0.5 * f64::from(u8::from(species == 1))) / (species.max(2) - 1) as f64);
    let start = DVector::from_fn(unknowns, |k, _| match k {
        k if k < species => density.ln(),
        k if k < 2 * species => release.get(k - species).map_or_else(|| spread(k - species), |m| m.value).ln(),
        _ => 0.5,
    });
    // Within what the model takes.
    let confine = |p: &mut DVector<f64>| {
        for k in 0..2 * species {
            p[k] = p[k].clamp(-16.0, 8.0);
        }
        p[2 * species] = p[2 * species].clamp(0.05, 1.0);
    };
    let mut problem = Problem { sets, given, release, scale: vec![1.0; sets.len() + 1] };
    let mut minimum = minimise(start, &|p| problem.residuals(p), &confine);
    let (parts, of_release) = problem.parts(&minimum.solution);
    let freedom = (sets.iter().map(LineSet::freedom).sum::<usize>() + release.len()).saturating_sub(unknowns).max(1) as f64;
    let reduced_chi2 = minimum.chi2 / freedom;
    // The parameters take from the chi-square of a fit what they have adapted.
    let adapted = (freedom + unknowns as f64) / freedom;
    problem.scale = parts.iter().chain([&of_release]).map(|chi2| (chi2 * adapted).max(1.0).sqrt()).collect();
    if problem.scale.iter().any(|s| *s > 1.0) {
        minimum = minimise(minimum.solution.clone(), &|p| problem.residuals(p), &confine);
    }
    let errors = minimum.errors();
    let p = minimum.solution;
    let (parts, of_release) = problem.parts(&p);
    let mut found: Vec<TrapSpecies> = (0..species)
        .map(|s| {
            // The error of a logarithm is a relative one.
            let of = |k: usize| Measured { value: p[k].exp(), error: p[k].exp() * errors[k] };
            TrapSpecies { density: of(s), release: of(species + s), depth: 0.0, capture: 0.0 }
        })
        .collect();
    found.sort_by(|a, b| a.release.value.total_cmp(&b.release.value));
    let traps = TransferTraps { species: found, exponent: p[2 * species].clamp(1e-3, 1.0), full_well_electron, notch_electron };
    let exponent_error = errors[2 * species];
    let fit = TrapFit { traps, exponent_error, reduced_chi2 };
    Ok(JointFit { fit, sets: parts, release: (!release.is_empty()).then_some(of_release) })
}
