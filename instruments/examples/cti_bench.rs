//! Error and time of charge transfer: blocks against every transfer, on sampled columns and on a whole chip.
//!
//! `cargo run --release -p instruments --example cti_bench [chip]`. One thread. Columns of 4616 rows and 84 of overscan with sky,
//! stars and shot noise; the published example set of three species, and that of the measurement of arCTIc which this is
//! compared with. `chip`: instead a chip of 9216 x 9232 with columns and rows, forward and back.

use instruments::description::load;
use instruments::effects::cti::column::{Row, WIDTH};
use instruments::effects::cti::direction::{Expected, LineKey, Path, Transfer, Undo, Work};
use instruments::effects::cti::fill::Well;
use instruments::effects::cti::schedule::Steps;
use instruments::effects::cti::traps::{Species, TrapModel};
use instruments::effects::cti::{Settings, frame};
use sim_core::detector::{ReadoutLayout, Scans};
use sim_core::frame::ScanCharge;
use sim_core::noise;
use sim_core::stream::StreamKey;
use std::error::Error;
use std::time::Instant;

const ROWS: usize = 4616;
const OVERSCAN: usize = 84;
/// Half-columns of a chip over those done at once.
const CHIP: f64 = 18_432.0 / WIDTH as f64;
const PATH: Path = Path { first: 0, prescan: 0, packets: ROWS, trailing: OVERSCAN };
const KEYS: [LineKey; WIDTH] = [LineKey { device: 0, line: 0 }; WIDTH];

/// Sky and twelve stars of 100 to 100,000 electrons at the centre; the places of those above 1000.
fn column(sky: f32, number: u64) -> (Vec<f32>, Vec<usize>) {
    let mut pixels = vec![sky; ROWS];
    let key = StreamKey::new(5);
    let words = key.with_name("stars").stream(number);
    let unit = |k| f64::from(words.word(k)) / 4_294_967_296.0;
    let mut bright = Vec::new();
    for k in 0..12 {
        let centre = unit(2 * k) * ROWS as f64;
        let peak = 10.0_f64.powf(2.0 + 3.0 * unit(2 * k + 1));
        for (i, p) in pixels.iter_mut().enumerate() {
            *p += (peak * (-0.5 * (i as f64 - centre).powi(2)).exp()) as f32;
        }
        if peak > 1000.0 {
            bright.push(centre as usize);
        }
    }
    noise::poisson(&key.with_name("sky").stream(number), 0, &mut pixels);
    pixels.iter_mut().for_each(|p| *p = p.min(84_000.0));
    (pixels, bright)
}

/// Seconds this process has used the processor: others on the machine do not count. Elapsed time where there is no /proc.
struct Clock(Instant, f64);

impl Clock {
    fn used_s() -> f64 {
        // Fields 14 and 15, user and system time of all threads in ticks of 10 ms; the name before them may hold blanks.
        let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
        fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 0.01
    }
    fn start() -> Self {
        Self(Instant::now(), Self::used_s())
    }
    fn seconds(&self) -> f64 {
        let used = Self::used_s() - self.1;
        if used > 0.0 { used } else { self.0.elapsed().as_secs_f64() }
    }
}

fn run(transfer: &dyn Transfer, input: &[Row], work: &mut Work) -> (Vec<Row>, f64, f64) {
    let mut packets = input.to_vec();
    let start = Clock::start();
    let left = transfer.transfer(&PATH, &KEYS, &mut packets, work);
    (packets, left.iter().sum(), start.seconds())
}

fn size(a: &[Row], b: &[Row]) -> f64 {
    a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).abs()).sum()
}

fn sampled(name: &str, model: &TrapModel, sky: f32) {
    let mut work = Work::default();
    let mut input = vec![[0.0; WIDTH]; ROWS + OVERSCAN];
    let mut trails = Vec::new();
    for lane in 0..WIDTH {
        let (pixels, bright) = column(sky, lane as u64);
        input.iter_mut().zip(pixels).for_each(|(row, p)| row[lane] = f64::from(p));
        trails.extend(bright.into_iter().map(|y| (lane, y + 4, (y + 64).min(ROWS + OVERSCAN))));
    }
    let total: f64 = input.iter().flatten().sum();
    let (exact, left, seconds) = run(&Expected::new(model, Steps::Exact), &input, &mut work);
    let signal = size(&exact, &input);
    let kept = |packets: &[Row], left: f64| (packets.iter().flatten().sum::<f64>() + left - total) / total;
    println!(
        "{name}, sky {sky}: signal {:.2} electron/pixel; exact {:.0} CPU-s/chip, charge {:+.0e}",
        signal / (WIDTH * ROWS) as f64,
        seconds * CHIP,
        kept(&exact, left)
    );
    println!("  blocks   error  worst trail   charge   CPU-s/chip");
    for blocks in [1, 2, 3, 4, 5, 6, 10, 20, 64] {
        let forward = Expected::new(model, Steps::Blocks(blocks));
        let (out, left, _) = run(&forward, &input, &mut work);
        let rounds = (60 / blocks).max(1);
        let clock = Clock::start();
        (0..rounds).for_each(|_| drop(run(&forward, &input, &mut work)));
        let seconds = clock.seconds() / rounds as f64;
        let trail = |&(lane, from, to): &(usize, usize, usize)| {
            let part = |a: &[Row], b: &[Row]| (from..to).map(|y| (a[y][lane] - b[y][lane]).abs()).sum::<f64>();
            part(&out, &exact) / part(&exact, &input)
        };
        let worst = trails.iter().map(trail).fold(0.0, f64::max);
        let error = size(&out, &exact) / signal;
        println!("  {blocks:6} {:6.3}% {:10.3}% {:+9.0e} {:10.2}", 100.0 * error, 100.0 * worst, kept(&out, left), seconds * CHIP);
    }
    for (blocks, iterations) in [(5, 1), (5, 2), (5, 3), (5, 6)] {
        let undo = Undo { forward: Expected::new(model, Steps::Blocks(blocks)), iterations };
        let clock = Clock::start();
        let back = (0..2).map(|_| run(&undo, &exact, &mut work).0).last().unwrap_or_default();
        let seconds = clock.seconds() / 2.0;
        let rest = size(&back[..ROWS], &input[..ROWS]) / size(&exact[..ROWS], &input[..ROWS]);
        println!(
            "  correction of the exact transfer, {blocks} blocks, {iterations} iterations: {:.2}% left, {:.1} CPU-s/chip",
            100.0 * rest,
            seconds * CHIP
        );
    }
}

fn chip() -> Result<(), Box<dyn Error>> {
    let mut instrument = load("msc")?;
    let spec = instrument.detectors.remove(&8).ok_or("no detector 8")?;
    let (window, settings) = (spec.geometry.full_window(), Settings::read(&spec)?);
    let layout = ReadoutLayout::new(&spec.geometry, window, Scans::Full);
    let mut pixels = ndarray::Array2::from_elem(window.shape(), 60.0_f32);
    for (y, mut row) in pixels.rows_mut().into_iter().enumerate() {
        noise::poisson(&StreamKey::new(1).stream(y as u64), 0, row.as_slice_mut().ok_or("rows are slices")?);
    }
    let before = pixels.clone();
    let sum = |a: &ndarray::Array2<f32>| a.iter().map(|&v| f64::from(v)).sum::<f64>();
    let [parallel, serial] = settings.at(65_235.0);
    let none = Expected::new(&TrapModel { species: Vec::new(), ..serial.clone() }, Steps::Blocks(1));
    let (columns, rows) = (Expected::new(&parallel, settings.steps), Expected::new(&serial, settings.steps));
    for (name, serial) in [("columns", &none), ("columns and rows", &rows)] {
        pixels.assign(&before);
        let start = Clock::start();
        let directions = frame::Directions { parallel: &columns, serial };
        let (ledger, scans) = frame::forward(&mut pixels, &layout, window, &directions);
        let seconds = start.seconds();
        let scans = scans.iter().map(ScanCharge::total).sum::<f64>();
        let missing = sum(&before) + ledger.net() - sum(&pixels) - scans;
        println!("chip, {name}: {seconds:.2} s; scans {scans:.3e}, in traps {:.3e}, unaccounted {missing:.1e} electron", -ledger.net());
    }
    for iterations in [1, 2, 3] {
        let mut back = pixels.clone();
        let undo = |forward: &Expected| Undo { forward: forward.clone(), iterations };
        let start = Clock::start();
        frame::backward(&mut back, None, &layout, window, &frame::Directions { parallel: &undo(&columns), serial: &undo(&rows) });
        let seconds = start.seconds();
        let apart = |a: &ndarray::Array2<f32>| a.iter().zip(&before).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>();
        println!("chip, correction, {iterations} iterations: {seconds:.2} s, {:.2}% left", 100.0 * apart(&back) / apart(&pixels));
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
    if std::env::args().nth(1).as_deref() == Some("chip") {
        return chip();
    }
    let species = |all: [(f64, f64); 3]| all.map(|(density, release)| Species::bulk(density, release)).to_vec();
    let published = TrapModel {
        species: species([(0.6, 0.74), (1.6, 7.7), (1.4, 37.0)]),
        well: Well { exponent: 0.478, full_well: 84_700.0, notch: 0.0 },
    };
    let peer = TrapModel {
        species: species([(0.6, 0.8), (1.6, 4.0), (1.4, 20.0)]),
        well: Well { exponent: 0.58, full_well: 90_000.0, notch: 0.0 },
    };
    for sky in [3.6, 30.0, 200.0] {
        sampled("MCTI set", &published, sky);
    }
    sampled("arCTIc workload", &peer, 30.0);
    Ok(())
}
