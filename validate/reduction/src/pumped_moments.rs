//! Species of traps from pumped charge: mean products of dipoles at several phase times.
//!
//! # Formula
//! `f = (d_y - d_y+1) / 2` of every border between two pixels of a column, d the charge less the means of its column and row; moments
//! `M(t, t') = <f_t f_t'>` over borders, of different frames; model `M = 3/2 sum over species of lambda Q(t, t') + h T T'`,
//! `Q = mean over the volume of A(t) A(t')`, `A = min(N P(t), n - n(u))`
//! # Symbols
//! t phase time \[s\]; T exposure time \[s\], h scatter of the dark current; lambda pumping traps per border \[1 / pixel\]; n level of the
//! charge, n(u) charge that reaches the fraction u of its volume \[electron\]; N cycles; P as in [`instruments::effects::trap_pumping`]
//! # Source
//! P: Hall et al. 2014 (IEEE TNS 61, 1826). The moments are our own way: dipoles that share a pixel, which no single fit tells apart, add up
//! in them, and noise, which is another in every frame, does not.
//! # Limits
//! Traps of random place and direction: mean products of different borders vanish but for the pixel they share, which the factor 3/2 has.
//! Errors are those of a jackknife over bands of columns.

use crate::least_squares::minimise;
use crate::trap_fit::TrapFitError;
use instruments::effects::trap_pumping::model::probability;
use nalgebra::DVector;
use ndarray::{Array2, Axis, s};
use sim_core::knowledge::Measured;

/// Bands of columns of the jackknife.
const BANDS: usize = 16;
/// Places in the volume of a packet at which a trap's reach is looked at.
const PLACES: usize = 16;
/// Traps that one border may have: more is a hit or a hot pixel.
const MOST_TRAPS: f64 = 4.0;
/// Share of a border's products that comes from its neighbours' traps.
const SHARED: f64 = 1.5;

/// Pumped frames of one phase time: rows near the register in reading order, all amplifiers side by side \[electron\].
#[derive(Debug, Clone)]
pub struct PhaseStack {
    /// Phase time \[s\].
    pub phase_time_s: f64,
    /// Exposure time \[s\].
    pub time_s: f64,
    /// Cycles.
    pub cycles: f64,
    /// Frames.
    pub frames: Vec<Array2<f64>>,
}

/// What the moments say, in seconds and traps that pump.
#[derive(Debug, Clone, PartialEq)]
pub struct PumpedFit {
    /// Mean charge of a pixel \[electron\].
    pub level_electron: f64,
    /// Release time \[s\] and traps that pump per pixel, slowest last.
    pub species: Vec<(Measured, Measured)>,
}

/// Charge moved across every border, less the means of columns and rows.
fn borders(frame: &Array2<f64>, most: f64) -> Array2<f64> {
    let mut d = frame.clone();
    for axis in [Axis(0), Axis(1)] {
        for mut lane in d.lanes_mut(axis) {
            let mut values = lane.to_vec();
            let middle = values.len() / 2;
            let median = *values.select_nth_unstable_by(middle, f64::total_cmp).1;
            lane -= median;
        }
    }
    let mut f = 0.5 * (&d.slice(s![..-1, ..]) - &d.slice(s![1.., ..]));
    f.mapv_inplace(|v| if v.abs() > most { 0.0 } else { v });
    f
}

/// Products of the frames of all pairs of phase times, by band of columns: `[band][t, t']`.
fn moments(stacks: &[PhaseStack], level: f64) -> Vec<Array2<f64>> {
    let count = stacks.len();
    let (rows, columns) = stacks.first().and_then(|s| s.frames.first()).map_or((0, 0), Array2::dim);
    let most = |stack: &PhaseStack| MOST_TRAPS * 0.25 * stack.cycles + 6.0 * level.max(1.0).sqrt() + 60.0;
    // Sum of the frames' borders, and of their squares, per phase time.
    let prepared: Vec<(Array2<f64>, Array2<f64>, f64)> = stacks
        .iter()
        .map(|stack| {
            let mut sum = Array2::zeros((rows - 1, columns));
            let mut square = Array2::zeros((rows - 1, columns));
            for frame in &stack.frames {
                let f = borders(frame, most(stack));
                square.zip_mut_with(&f, |s, f| *s += f * f);
                sum += &f;
            }
            (sum, square, stack.frames.len() as f64)
        })
        .collect();
    let band = |b: usize| b * columns / BANDS..(b + 1) * columns / BANDS;
    let of_band = |b: usize| {
        let columns = band(b);
        let numbers = ((rows - 1) * columns.len()).max(1) as f64;
        let mut out = Array2::zeros((count, count));
        for i in 0..count {
            for j in i..count {
                let (a, b) = (&prepared[i], &prepared[j]);
                let view = |of: &'_ Array2<f64>| of.slice(s![.., columns.clone()]).to_owned();
                let product: f64 = (view(&a.0) * view(&b.0)).sum();
                let (product, pairs) = if i == j { (product - view(&a.1).sum(), a.2 * (a.2 - 1.0)) } else { (product, a.2 * b.2) };
                out[[i, j]] = product / (pairs * numbers);
                out[[j, i]] = out[[i, j]];
            }
        }
        out
    };
    (0..BANDS).map(of_band).collect()
}

struct Model<'a> {
    stacks: &'a [PhaseStack],
    level: f64,
    /// Exponent of the volume in the charge.
    exponent: f64,
}

impl Model<'_> {
    /// Moments of one trap per border with this release time.
    fn products(&self, release_s: f64) -> Array2<f64> {
        let count = self.stacks.len();
        let mut out = Array2::zeros((count, count));
        for place in 0..PLACES {
            let fraction = (place as f64 + 0.5) / PLACES as f64;
            let reached = self.level * fraction.powf(1.0 / self.exponent);
            let moved: Vec<f64> =
                self.stacks.iter().map(|s| (s.cycles * probability(s.phase_time_s, release_s)).min(self.level - reached)).collect();
            for i in 0..count {
                for j in 0..count {
                    out[[i, j]] += SHARED * moved[i] * moved[j] / PLACES as f64;
                }
            }
        }
        out
    }
    /// All moments, upper triangle; parameters: logarithms of densities, of release times, the scatter of the dark.
    fn of(&self, p: &DVector<f64>, species: usize) -> Vec<f64> {
        let times: Vec<f64> = self.stacks.iter().map(|s| s.time_s).collect();
        let longest = times.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let of_species: Vec<Array2<f64>> = (0..species).map(|s| self.products(p[species + s].exp()) * p[s].exp()).collect();
        let mut out = Vec::new();
        for i in 0..times.len() {
            for j in i..times.len() {
                let traps: f64 = of_species.iter().map(|m| m[[i, j]]).sum();
                out.push(traps + p[2 * species] * times[i] * times[j] / (longest * longest));
            }
        }
        out
    }
}

fn triangle(m: &Array2<f64>) -> Vec<f64> {
    let count = m.nrows();
    (0..count).flat_map(|i| (i..count).map(move |j| (i, j))).map(|at| m[at]).collect()
}

/// Fits so many species to the moments of at least two frames of every phase time; `exponent` is that of the volume in the charge.
///
/// # Errors
/// When there are too few phase times or frames, or no dipole stands out.
pub fn fit(stacks: &[PhaseStack], species: usize, exponent: f64) -> Result<PumpedFit, TrapFitError> {
    let unknowns = 2 * species + 1;
    let frames = stacks.iter().map(|s| s.frames.len()).min().unwrap_or(0);
    let shape = stacks.first().and_then(|s| s.frames.first()).map_or((0, 0), Array2::dim);
    let alike = stacks.iter().flat_map(|s| &s.frames).all(|f| f.dim() == shape);
    if stacks.len() < unknowns.max(3) - 1 || frames < 2 || shape.0 < 8 || shape.1 < 2 * BANDS || !alike {
        return Err(TrapFitError::TooFew { levels: stacks.len(), pixels: frames, unknowns });
    }
    let all = || stacks.iter().flat_map(|s| &s.frames);
    let level = all().map(|f| f.mean().unwrap_or(0.0)).sum::<f64>() / all().count() as f64;
    let bands: Vec<Vec<f64>> = moments(stacks, level).iter().map(triangle).collect();
    let numbers = bands[0].len();
    let mean_without = |left_out: Option<usize>| -> Vec<f64> {
        let used: Vec<&Vec<f64>> = bands.iter().enumerate().filter(|(b, _)| Some(*b) != left_out).map(|(_, m)| m).collect();
        (0..numbers).map(|k| used.iter().map(|m| m[k]).sum::<f64>() / used.len() as f64).collect()
    };
    let mean = mean_without(None);
    let scatter = |k: usize| {
        let square: f64 = bands.iter().map(|m| (m[k] - mean[k]).powi(2)).sum();
        (square / (BANDS * (BANDS - 1)) as f64).sqrt()
    };
    let scatters: Vec<f64> = (0..numbers).map(scatter).collect();
    let floor = scatters.iter().sum::<f64>() / numbers as f64 * 0.1;
    let errors: Vec<f64> = scatters.iter().map(|e| e.max(floor).max(f64::MIN_POSITIVE)).collect();
    let (signal, error) = mean.iter().zip(&errors).fold((0.0, 0.0), |(signal, square), (m, e)| (signal + m, square + e * e));
    if signal.is_nan() || signal <= 5.0 * error.sqrt() {
        return Err(TrapFitError::NoTrail { signal, error: error.sqrt() });
    }
    let model = Model { stacks, level, exponent };
    // Start: release times spread over those that the phase times pump best, densities alike.
    let times: Vec<f64> = stacks.iter().map(|s| s.phase_time_s / 2.0_f64.ln()).collect();
    let (fast, slow) = times.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), t| (low.min(*t), high.max(*t)));
    let release = |s: usize| fast * (slow / fast).powf((s as f64 + 0.5) / species as f64);
    let one: f64 = (0..species).map(|s| triangle(&model.products(release(s))).iter().sum::<f64>()).sum();
    let start = DVector::from_fn(unknowns, |k, _| match k {
        k if k < species => (mean.iter().sum::<f64>() / one).ln(),
        k if k < 2 * species => release(k - species).ln(),
        _ => 0.0,
    });
    let confine = |p: &mut DVector<f64>| {
        for s in 0..species {
            p[s] = p[s].clamp(-20.0, 5.0);
            p[species + s] = p[species + s].clamp((0.02 * fast).ln(), (50.0 * slow).ln());
        }
    };
    let solve = |data: &[f64], start: DVector<f64>| {
        let residuals = |p: &DVector<f64>| {
            DVector::from_vec(model.of(p, species).iter().zip(data).zip(&errors).map(|((m, d), e)| (m - d) / e).collect())
        };
        minimise(start, &residuals, &confine).solution
    };
    let sort = |p: DVector<f64>| -> Vec<(f64, f64)> {
        let mut found: Vec<(f64, f64)> = (0..species).map(|s| (p[species + s].exp(), p[s].exp())).collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found
    };
    let best = solve(&mean, start);
    let without: Vec<Vec<(f64, f64)>> = (0..BANDS).map(|b| sort(solve(&mean_without(Some(b)), best.clone()))).collect();
    let found = sort(best);
    type Of<'a> = &'a dyn Fn(&[(f64, f64)]) -> f64;
    let jackknife = |of: Of<'_>| {
        let middle = without.iter().map(|w| of(w)).sum::<f64>() / BANDS as f64;
        let square: f64 = without.iter().map(|w| (of(w) - middle).powi(2)).sum();
        (square * (BANDS - 1) as f64 / BANDS as f64).sqrt()
    };
    let species = (0..species)
        .map(|s| {
            let release = Measured { value: found[s].0, error: jackknife(&|w| w[s].0) };
            (release, Measured { value: found[s].1, error: jackknife(&|w| w[s].1) })
        })
        .collect();
    Ok(PumpedFit { level_electron: level, species })
}

/// Single dipoles: release times \[s\] of borders whose dipole stands out and whose neighbours are quiet, in bins of a factor; the centre of
/// each bin, and how many. Species of which most borders pump stand out nowhere: their bins are empty.
#[must_use]
pub fn histogram(stacks: &[PhaseStack], bins_per_decade: usize) -> Vec<(f64, u32)> {
    let Some(first) = stacks.first().filter(|s| !s.frames.is_empty()) else { return Vec::new() };
    let level = first.frames.iter().map(|f| f.mean().unwrap_or(0.0)).sum::<f64>() / first.frames.len() as f64;
    let mean: Vec<Array2<f64>> = stacks
        .iter()
        .map(|stack| {
            let mut sum = Array2::zeros((first.frames[0].nrows() - 1, first.frames[0].ncols()));
            stack.frames.iter().for_each(|frame| sum += &borders(frame, f64::INFINITY));
            sum / stack.frames.len().max(1) as f64
        })
        .collect();
    // Noise of a border: half the difference of two pixels; that of a quiet one, by the median of its size.
    let noise: Vec<f64> = mean
        .iter()
        .map(|m| {
            let mut sizes: Vec<f64> = m.iter().map(|v| v.abs()).collect();
            let middle = sizes.len() / 2;
            (*sizes.select_nth_unstable_by(middle, f64::total_cmp).1 * 1.4826).max(1e-9)
        })
        .collect();
    let (fast, slow) =
        stacks.iter().map(|s| s.phase_time_s / 2.0_f64.ln()).fold((f64::INFINITY, 0.0_f64), |(low, high), t| (low.min(t), high.max(t)));
    let step = 10.0_f64.powf(1.0 / bins_per_decade.max(1) as f64);
    let count = ((4.0 * slow / fast).ln() / step.ln()).ceil().clamp(1.0, 400.0) as usize;
    let centres: Vec<f64> = (0..count).map(|k| 0.5 * fast * step.powi(k as i32)).collect();
    let shapes: Vec<Vec<f64>> = centres
        .iter()
        .map(|release| stacks.iter().map(|s| (s.cycles * probability(s.phase_time_s, *release)).min(level)).collect())
        .collect();
    let mut found = vec![0_u32; count];
    let (rows, columns) = mean[0].dim();
    // Best match of a border: bin, amplitude in units of one trap, significance.
    let best = |y: usize, x: usize| {
        let mut best = (0, 0.0_f64, 0.0_f64);
        for (bin, shape) in shapes.iter().enumerate() {
            let (mut product, mut square) = (0.0, 0.0);
            for ((m, s), n) in mean.iter().zip(shape).zip(&noise) {
                product += m[[y, x]] * s / (n * n);
                square += s * s / (n * n);
            }
            let significance = product / square.sqrt().max(1e-300);
            if significance.abs() > best.2.abs() {
                best = (bin, product / square, significance);
            }
        }
        best
    };
    for x in 0..columns {
        for y in 1..rows.saturating_sub(1) {
            // A cheap look first.
            if mean.iter().zip(&noise).all(|(m, n)| m[[y, x]].abs() < 4.0 * n) {
                continue;
            }
            let (bin, amplitude, significance) = best(y, x);
            let quiet = [y - 1, y + 1].iter().all(|&k| {
                // A neighbour has half the dipole, with the other sign.
                mean.iter().zip(&shapes[bin]).zip(&noise).all(|((m, s), n)| (m[[k, x]] + 0.5 * amplitude * s).abs() < 5.0 * n)
            });
            if significance.abs() > 6.0 && quiet && (0.5..1.5).contains(&amplitude.abs()) {
                found[bin] += 1;
            }
        }
    }
    centres.into_iter().zip(found).collect()
}
