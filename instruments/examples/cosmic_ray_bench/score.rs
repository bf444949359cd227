//! How well hits are found: detectors beside each other on the same frames, beside the ceiling.
//!
//! Errors are the scatter of frames over the square root of their number. "Near stars": pixels within 10 of one with more than
//! 5,000 electrons of sources. "By size": recall and events of hits by their number of true pixels (5 sigma).

use crate::arguments::Arguments;
use crate::bench::Bench;
use crate::made::{Made, make};
use crate::pool::Pool;
use crate::scene::Scene;
use instruments::effects::cosmic_rays::laplacian;
use instruments::effects::cosmic_rays::network::{self, Look};
use ndarray::{Array2, Zip};
use sim_core::frame::Window;
use std::error::Error;
use validate::measures::cosmic_rays::classes::{SIZES, near_stars, sizes};
use validate::measures::cosmic_rays::{Ceiling, DEFINITIONS, Definition, PRIMARY, Score, Truth, ceiling, f1, score};

/// Scores of the frames of one scene by one detector and definition.
#[derive(Default)]
struct Series(Vec<Score>);

impl Series {
    fn sum(&self) -> Option<Score> {
        self.0.iter().copied().reduce(Score::plus)
    }
    /// The value of all frames together and the error from their scatter.
    fn value(&self, of: impl Fn(&Score) -> f64) -> (f64, f64) {
        let Some(sum) = self.sum() else { return (f64::NAN, f64::NAN) };
        let values: Vec<f64> = self.0.iter().map(&of).filter(|v| v.is_finite()).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        (of(&sum), (variance / n).sqrt())
    }
}

fn percent((value, error): (f64, f64)) -> String {
    format!("{:6.2} +-{:4.2}", 100.0 * value, 100.0 * error)
}

fn line(series: &Series, limits: &[Ceiling]) {
    let Some(sum) = series.sum() else { return };
    let mean = |of: fn(&Ceiling) -> f64| 100.0 * limits.iter().map(of).sum::<f64>() / limits.len() as f64;
    let (recall, precision) = (series.value(|s| s.recall.value()), series.value(|s| s.precision.value()));
    println!(
        " T{:<2} R {}  P {}  F1 {}  ceiling {:.2} {:.2} {:.2}  1 px {:.2} {:.2}  events {}  damage {:.1e}",
        sum.definition.sigma,
        percent(recall),
        percent(precision),
        percent(series.value(Score::f1)),
        mean(|c| c.recall),
        mean(|c| c.precision),
        mean(Ceiling::f1),
        100.0 * sum.recall_near.value(),
        100.0 * sum.precision_near.value(),
        percent(series.value(|s| s.events.value())),
        sum.source_damage.value(),
    );
}

/// The truth without the pixels of which `leave` says so.
pub fn scored(made: &Made, mask: &Array2<bool>, definition: Definition, leave: impl Fn((usize, usize)) -> bool) -> Score {
    let out = Array2::from_shape_fn(mask.dim(), |at| made.out[at] || leave(at));
    score(&Truth { left_out: Some(&out), ..made.truth() }, mask, definition)
}

struct Detector {
    name: &'static str,
    by_definition: [Series; 3],
    near: Series,
    by_size: [Series; SIZES.len()],
}

impl Detector {
    fn new(name: &'static str) -> Self {
        Self { name, by_definition: Default::default(), near: Series::default(), by_size: Default::default() }
    }
    fn add(&mut self, made: &Made, mask: &Array2<bool>, near: &Array2<bool>, sizes: &[usize]) {
        for (series, definition) in self.by_definition.iter_mut().zip(DEFINITIONS) {
            series.0.push(score(&made.truth(), mask, definition));
        }
        self.near.0.push(scored(made, mask, PRIMARY, |at| !near[at]));
        for (series, (low, high)) in self.by_size.iter_mut().zip(SIZES) {
            let other = |at| !(low..=high).contains(&sizes[made.owner[at] as usize]);
            series.0.push(scored(made, mask, PRIMARY, other));
        }
    }
}

/// Scores of the detectors.
pub fn scores(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let options = arguments.options()?;
    let weights = arguments.weights()?;
    let threshold = arguments.number("threshold", f64::from(weights.threshold_logit))? as f32;
    let look = if arguments.text("look") == Some("everywhere") { Look::Everywhere } else { Look::Triggered };
    let (frames, size) = (arguments.number("frames", 2.0)? as u64, arguments.number("size", 1536.0)? as usize);
    let seed = arguments.number("seed", 1000.0)? as u64;
    let window = Window { x0: 4000, y0: 3900, nx: size, ny: size };
    println!("{options:?}");
    println!(
        "network {} threshold {threshold}, {look:?}; {frames} frames of {size} x {size} a scene, seeds from {seed}",
        &weights.sha256[..8]
    );
    for scene in Scene::all().into_iter().filter(|s| arguments.text("scenes").is_none_or(|part| s.name.contains(part))) {
        let bench = Bench::new(scene, arguments.maybe("rate")?)?;
        let mut detectors = [Detector::new("classical"), Detector::new("network")];
        let mut limits: [Vec<Ceiling>; 3] = Default::default();
        for id in seed..seed + frames {
            let mut made = make(&bench, id, window)?;
            made.cloud_px = arguments.number("cloud", f64::from(made.cloud_px))? as f32;
            let shape = made.data.dim();
            let field = made.field();
            let masks = [laplacian::detect(&field, &options), network::detect(&field, &weights, threshold, look)];
            let [classical, learned] = masks.map(|mask| Array2::from_shape_vec(shape, mask));
            let masks = [classical?, learned?];
            if let Some(folder) = arguments.text("out") {
                made.save(folder, &format!("{} {id}", bench.scene.name), &[("CLASSICAL", &masks[0]), ("NETWORK", &masks[1])])?;
            }
            let (near, sizes) = (near_stars(&made.sources), sizes(&made.truth(), PRIMARY));
            for (detector, mask) in detectors.iter_mut().zip(&masks) {
                detector.add(&made, mask, &near, &sizes);
            }
            for (limits, definition) in limits.iter_mut().zip(DEFINITIONS) {
                limits.push(ceiling(&made.truth(), &made.data, &made.expected, definition).ok_or("no true pixel")?);
            }
        }
        for d in &detectors {
            println!("{}, {}", bench.scene.name, d.name);
            for (series, limits) in d.by_definition.iter().zip(&limits) {
                line(series, limits);
            }
            let near = |of: fn(&Score) -> f64| percent(d.near.value(of));
            println!("  near stars: R {}  P {}", near(|s| s.recall.value()), near(|s| s.precision.value()));
            for (series, (low, high)) in d.by_size.iter().zip(SIZES) {
                let high = if high == usize::MAX { "more".into() } else { high.to_string() };
                let part = |of: fn(&Score) -> f64| percent(series.value(of));
                let hits = series.sum().map_or(0, |s| s.events.whole);
                println!("  {low}-{high} pixels ({hits} hits): R {}  events {}", part(|s| s.recall.value()), part(|s| s.events.value()));
            }
        }
    }
    println!("definitions: {}", DEFINITIONS.map(|d| d.describe()).join("; "));
    Ok(())
}

/// Recall and precision of the network over thresholds, on frames of the training's kind (`seed`, `frames`) that took no part in it.
pub fn thresholds(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let weights = arguments.weights()?;
    let (frames, size) = (arguments.number("frames", 40.0)? as u64, arguments.number("size", 640.0)? as usize);
    let seed = arguments.number("seed", 300_000.0)? as u64;
    let window = Window { x0: 4000, y0: 3900, nx: size, ny: size };
    let steps: Vec<f32> = (-6..=10).map(|k| 0.1 * k as f32).collect();
    let mut sums: Vec<Option<Score>> = vec![None; steps.len()];
    // All frames' pixels with charge under one threshold: their common ceiling.
    let mut pool = Pool::default();
    for id in seed..seed + frames {
        let made = make(&Bench::new(Scene::drawn(id), arguments.maybe("rate")?)?, id, window)?;
        let image = network::logit_image(&made.field(), &weights, Look::Triggered);
        pool.add(&made, PRIMARY, |_| true);
        for (sum, step) in sums.iter_mut().zip(&steps) {
            let mask = Zip::from(&image).and(&made.out).map_collect(|z, out| *z > *step && !out);
            let s = score(&made.truth(), &mask, PRIMARY);
            *sum = Some(sum.map_or(s, |sum| sum.plus(s)));
        }
    }
    let (r, p) = pool.best();
    println!("{frames} scenes, {} true pixels; ceiling R {r:.4} P {p:.4} F1 {:.4}", pool.true_pixels(), f1(r, p));
    for (s, step) in sums.iter().flatten().zip(&steps) {
        let [r, p, e, d] = [s.recall, s.precision, s.events, s.source_damage].map(|r| r.value());
        println!("logit {step:5.2}  R {r:.4}  P {p:.4}  F1 {:.4}  events {e:.4}  damage {d:.1e}", s.f1());
    }
    Ok(())
}
