//! The network on every imaging detector of the camera: its band's sky, its throughput, the PSF where it stands.
//!
//! `kind=field` (20 stars and 40 galaxies per arcmin2), `crowded` (80 stars) or `slitless` (drawn-out pictures); `frames` of `size` x `size` pixels
//! per detector and time, seeds from `seed`; `rate` of hits. Errors are bootstraps over frames: those of the medians resample the frames of every
//! detector. Ceilings: one threshold for all frames of a row. `detector=N` is one row; `damaged=1` names every clean source pixel that is flagged.

use crate::arguments::{Arguments, Dice};
use crate::bench::Bench;
use crate::made::{Made, make};
use crate::pool::Pool;
use crate::scene::Scene;
use crate::score::scored;
use instruments::description::{DetectorKind, Instrument, load};
use instruments::effects::cosmic_rays::network::{self, Look, Weights};
use ndarray::Array2;
use sim_core::frame::Window;
use sim_core::stream::StreamKey;
use std::error::Error;
use validate::measures::cosmic_rays::classes::{SIZES, near_stars, sizes};
use validate::measures::cosmic_rays::table::PUBLISHED;
use validate::measures::cosmic_rays::{DEFINITIONS, PRIMARY, Ratio, Score, f1, score};

const RESAMPLED: u64 = 400;

/// Everything scored on the frames of one detector and time.
#[derive(Default)]
struct Row {
    label: String,
    /// Frame by frame, in the order of [`DEFINITIONS`].
    frames: Vec<[Score; 3]>,
    pools: [Pool; 3],
    near: Vec<Score>,
    near_pool: Pool,
    by_size: Vec<[Score; SIZES.len()]>,
}

fn sum(scores: impl IntoIterator<Item = Score>) -> Option<Score> {
    scores.into_iter().reduce(Score::plus)
}

fn percent(value: f64) -> String {
    format!("{:.2}", 100.0 * value)
}

/// Median of a list.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    if n == 0 { f64::NAN } else { 0.5 * (values[(n - 1) / 2] + values[n / 2]) }
}

fn scatter(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt()
}

impl Row {
    /// The frames of one resample: as many as there are, some twice.
    fn resampled(&self, draw: &mut impl FnMut(usize) -> usize, which: usize) -> Option<Score> {
        sum((0..self.frames.len()).map(|_| self.frames[draw(self.frames.len())][which]))
    }
    fn whole(&self, which: usize) -> Option<Score> {
        sum(self.frames.iter().map(|f| f[which]))
    }
    fn print(&mut self) {
        let mut dice = Dice::new(StreamKey::new(96).with_name(&self.label).stream(0));
        let mut draw = |n: usize| ((dice.uniform() * n as f64) as usize).min(n - 1);
        let drawn: Vec<Score> = (0..RESAMPLED).filter_map(|_| self.resampled(&mut draw, 1)).collect();
        let error = |of: fn(&Score) -> Ratio| percent(scatter(&drawn.iter().map(|s| of(s).value()).collect::<Vec<_>>()));
        let limits: Vec<(f64, f64)> = self.pools.iter_mut().map(Pool::best).collect();
        let Some([three, five, ten]) = self.whole(0).zip(self.whole(1)).zip(self.whole(2)).map(|((a, b), c)| [a, b, c]) else { return };
        let both = |s: &Score| format!("{} / {}", percent(s.recall.value()), percent(s.precision.value()));
        let limit = |k: usize| format!("{} / {}", percent(limits[k].0), percent(limits[k].1));
        println!(
            "| {} | {} | {} +- {} ({}) | {} +- {} ({}) | {:.4} ({:.4}) | {} of {} | {:.1e} of {} | {} / {} | {} ({}) | {} ({}) |",
            self.label,
            five.recall.whole,
            percent(five.recall.value()),
            error(|s| s.recall),
            percent(limits[1].0),
            percent(five.precision.value()),
            error(|s| s.precision),
            percent(limits[1].1),
            five.f1(),
            f1(limits[1].0, limits[1].1),
            percent(five.events.value()),
            five.events.whole,
            five.source_damage.value(),
            five.source_damage.whole,
            percent(five.recall_near.value()),
            percent(five.precision_near.value()),
            both(&three),
            limit(0),
            both(&ten),
            limit(2),
        );
    }
}

/// Medians over rows, with the scatter of resamples.
fn medians(title: &str, rows: &mut [Row]) {
    type Of = fn(&Score) -> f64;
    let each: [(&str, Of); 6] = [
        ("recall", |s| s.recall.value()),
        ("precision", |s| s.precision.value()),
        ("recall + precision", |s| s.recall.value() + s.precision.value()),
        ("events", |s| s.events.value()),
        ("recall within one pixel", |s| s.recall_near.value()),
        ("precision within one pixel", |s| s.precision_near.value()),
    ];
    let mut dice = Dice::new(StreamKey::new(96).with_name(title).stream(1));
    let mut draw = |n: usize| ((dice.uniform() * n as f64) as usize).min(n - 1);
    let resamples: Vec<Vec<Score>> = (0..RESAMPLED).map(|_| rows.iter().filter_map(|row| row.resampled(&mut draw, 1)).collect()).collect();
    println!("{title}, median of {} rows:", rows.len());
    for (name, of) in each {
        let value = median(rows.iter().filter_map(|r| r.whole(1)).map(|s| of(&s)).collect());
        let errors: Vec<f64> = resamples.iter().map(|scores| median(scores.iter().map(of).collect())).collect();
        println!("  {name}: {} +- {} %", percent(value), percent(scatter(&errors)));
    }
    let limits: Vec<(f64, f64)> = rows.iter_mut().map(|r| r.pools[1].best()).collect();
    println!(
        "  ceilings: recall {}, precision {} %; published recall {}, precision {} % (their truth is not stated)",
        percent(median(limits.iter().map(|l| l.0).collect())),
        percent(median(limits.iter().map(|l| l.1).collect())),
        percent(PUBLISHED.0),
        percent(PUBLISHED.1)
    );
    for (k, definition) in DEFINITIONS.iter().enumerate() {
        let limits: Vec<(f64, f64)> = rows.iter_mut().map(|r| r.pools[k].best()).collect();
        let values: Vec<Score> = rows.iter().filter_map(|r| r.whole(k)).collect();
        println!(
            "  truth {}: recall {} (ceiling {}), precision {} (ceiling {})",
            definition.describe(),
            percent(median(values.iter().map(|s| s.recall.value()).collect())),
            percent(median(limits.iter().map(|l| l.0).collect())),
            percent(median(values.iter().map(|s| s.precision.value()).collect())),
            percent(median(limits.iter().map(|l| l.1).collect())),
        );
    }
    if let Some(s) = sum(rows.iter().filter_map(|r| r.whole(1))) {
        let damage: Vec<f64> = rows.iter().filter_map(|r| r.whole(1)).map(|s| s.source_damage.value()).collect();
        let worst = damage.iter().copied().fold(f64::NAN, f64::max);
        println!(
            "  all rows together: recall {}, precision {} %, events {} of {}, damage {:.1e} of {} pixels, worst row {worst:.1e}",
            percent(s.recall.value()),
            percent(s.precision.value()),
            percent(s.events.value()),
            s.events.whole,
            s.source_damage.value(),
            s.source_damage.whole
        );
    }
    let mut pool = Pool::default();
    rows.iter().for_each(|r| pool.append(&r.near_pool));
    if let Some(s) = sum(rows.iter().flat_map(|r| r.near.iter().copied())) {
        let (r, p) = pool.best();
        println!(
            "  near stars: recall {} of {} (ceiling {}), precision {} of {} (ceiling {}), events {} of {}",
            percent(s.recall.value()),
            s.recall.whole,
            percent(r),
            percent(s.precision.value()),
            s.precision.whole,
            percent(p),
            percent(s.events.value()),
            s.events.whole
        );
    }
    for (k, (low, high)) in SIZES.iter().enumerate() {
        if let Some(s) = sum(rows.iter().flat_map(|r| r.by_size.iter().map(|f| f[k]))) {
            let high = if *high == usize::MAX { "more".into() } else { high.to_string() };
            let (recall, events) = (s.recall.fraction(), s.events.fraction());
            println!(
                "  hits of {low}-{high} true pixels: recall {} +- {} of {}, events {} +- {} of {}",
                percent(recall.0),
                percent(recall.1),
                s.recall.whole,
                percent(events.0),
                percent(events.1),
                s.events.whole
            );
        }
    }
}

/// Names the clean source pixels that a mask flags: what they hold, and the brightest light around.
fn name_damaged(made: &Made, id: u64, mask: &Array2<bool>) {
    let (ny, nx) = mask.dim();
    for (at, _) in mask.indexed_iter().filter(|(at, flagged)| **flagged && made.truth().is_clean_source(*at, PRIMARY)) {
        let around = (at.0.saturating_sub(16)..(at.0 + 17).min(ny))
            .flat_map(|y| (at.1.saturating_sub(16)..(at.1 + 17).min(nx)).map(move |x| (y, x)));
        let Some(core) = around.max_by(|a, b| made.sources[*a].total_cmp(&made.sources[*b])) else { continue };
        println!(
            "  seed {id}, row {} column {}: data {:.0}, expected {:.0}, sources {:.0}, noise {:.1}, of a hit {:.1} electron; the brightest pixel of sources within 16, {} rows and {} columns away, has {:.0}",
            at.0,
            at.1,
            made.data[at],
            made.expected[at],
            made.sources[at],
            made.noise[at],
            made.electrons[at],
            core.0 as isize - at.0 as isize,
            core.1 as isize - at.1 as isize,
            made.sources[core]
        );
    }
}

fn row(
    bench: &Bench,
    label: String,
    weights: &Weights,
    threshold: f32,
    seeds: std::ops::Range<u64>,
    size: usize,
    damaged: bool,
) -> Result<Row, Box<dyn Error>> {
    let mut out = Row { label, ..Row::default() };
    for id in seeds {
        // Anywhere on the chip: the PSF varies.
        let place = |k: u64, room: usize| (id.wrapping_mul(k) % (room - size) as u64) as usize;
        let window = Window { x0: place(2_654_435_761, 9216), y0: place(40_503, 9232), nx: size, ny: size };
        let made = make(bench, id, window)?;
        let mask = Array2::from_shape_vec((size, size), network::detect(&made.field(), weights, threshold, Look::Triggered))?;
        if damaged {
            name_damaged(&made, id, &mask);
        }
        out.frames.push(DEFINITIONS.map(|definition| score(&made.truth(), &mask, definition)));
        for (pool, definition) in out.pools.iter_mut().zip(DEFINITIONS) {
            pool.add(&made, definition, |_| true);
        }
        let (near, sizes) = (near_stars(&made.sources), sizes(&made.truth(), PRIMARY));
        out.near.push(scored(&made, &mask, PRIMARY, |at| !near[at]));
        out.near_pool.add(&made, PRIMARY, |at| near[at]);
        let of = |(low, high): (usize, usize)| scored(&made, &mask, PRIMARY, |at| !(low..=high).contains(&sizes[made.owner[at] as usize]));
        out.by_size.push(SIZES.map(of));
    }
    Ok(out)
}

/// The table.
pub fn detectors(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let weights = arguments.weights()?;
    let threshold = arguments.number("threshold", f64::from(weights.threshold_logit))? as f32;
    let (frames, size) = (arguments.number("frames", 8.0)? as u64, arguments.number("size", 768.0)? as usize);
    let seed = arguments.number("seed", 500_000.0)? as u64;
    let kind = arguments.text("kind").unwrap_or("field");
    let stars = if kind == "crowded" { 80.0 } else { 20.0 };
    if !["field", "crowded", "slitless"].contains(&kind) {
        return Err(format!("kind={kind} is not one of field, crowded, slitless").into());
    }
    let times = arguments.maybe("time")?.map_or(vec![150.0, 250.0], |t| vec![t]);
    let instrument: Instrument = load("msc")?;
    let only = arguments.maybe("detector")?.map(|n| n as u16);
    let wanted = |n: u16, kind: DetectorKind| kind == DetectorKind::Imaging && only.is_none_or(|only| only == n);
    let imaging: Vec<u16> = instrument.detectors.iter().filter(|(n, d)| wanted(**n, d.kind)).map(|(n, _)| *n).collect();
    if imaging.is_empty() {
        return Err("no imaging detector has that number".into());
    }
    println!(
        "{kind}: network {} threshold {threshold}; {frames} frames of {size} x {size} a row, seeds from {seed}; primary truth: {}",
        &weights.sha256[..8],
        PRIMARY.describe()
    );
    println!(
        "| detector, band, sky, time | true pixels | recall % (ceiling) | precision % (ceiling) | F1 (ceiling) | hits found % | damage | within 1 px R / P | 3 sigma R / P (ceilings) | 10 sigma R / P (ceilings) |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let mut all = Vec::new();
    for time_s in times {
        let mut rows = Vec::new();
        for &number in &imaging {
            let scene = Scene { slitless: kind == "slitless", ..Scene::plain(&format!("{kind} {number} {time_s}"), stars, 0.0, time_s) };
            let bench = Bench::of_detector(scene, &instrument, number, arguments.maybe("rate")?)?;
            let spec = &instrument.detectors[&number];
            let label = format!("{number} {}, {} e-/s, {time_s} s", spec.band.name, bench.scene.sky_electron_s);
            // Seeds of their own for each detector and time.
            let first = seed + 1000 * u64::from(number) + if time_s > 200.0 { 500 } else { 0 };
            let mut row = row(&bench, label, &weights, threshold, first..first + frames, size, arguments.text("damaged").is_some())?;
            row.print();
            rows.push(row);
        }
        medians(&format!("{kind}, {time_s} s"), &mut rows);
        all.extend(rows);
    }
    medians(&format!("{kind}, all"), &mut all);
    Ok(())
}
