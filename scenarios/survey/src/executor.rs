//! Makes the units of a chunk, or of a whole run, with a pool of workers that keeps to a budget of memory.
//!
//! Stateless: what is there is found in the records, so the same call again completes what an earlier one, killed at any moment, left.
//! A unit that fails does not stop the others, unless the medium refuses (then they would fail too) or there are too many.

use crate::failure::{ErrorClass, Exit, SurveyError, UnitError};
use crate::folder::Run;
use crate::journal::{self, Journal, Line, Outcome, Product};
use crate::manifest::UnitRow;
use crate::memory;
use crate::pool::Pool;
use crate::record::{self, Record, State};
use crate::signals::Stop;
use crate::store::{self, Bucket};
use cpu_time::ThreadTime;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What makes units. It may use `rayon`: its loops run on the worker's own threads.
pub trait UnitMaker: Sync {
    /// Makes a unit: products first, the record last, each under a temporary name until it is whole. Looks at `stop` where it can be
    /// left without harm.
    ///
    /// # Errors
    /// When the unit cannot be made; [`UnitError::interrupted`] when it was left.
    fn make(&self, unit: &UnitRow, stop: &Stop) -> Result<Made, UnitError>;
}

/// What a maker says of a unit beside its record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Made {
    /// Objects it holds.
    pub objects: u64,
}

/// How to run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Memory that the estimates of units at work may add up to \[MB\].
    pub memory_mb: f64,
    /// Threads of all workers together.
    pub threads: usize,
    /// Whether products of another key are replaced.
    pub rerun_stale: bool,
    /// Failures after which no more units are begun.
    pub max_failures: Option<usize>,
}

/// What happens, as it happens.
#[derive(Debug)]
pub enum Event<'a> {
    /// A unit is begun.
    Begun(&'a UnitRow),
    /// A unit was there, whole.
    Kept(&'a UnitRow),
    /// A unit was made, or was not: its line in the journal.
    Ended(&'a UnitRow, &'a Line),
}

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Units made.
    pub made: usize,
    /// Units that were there.
    pub kept: usize,
    /// Units that failed, by class.
    pub failed: BTreeMap<ErrorClass, usize>,
    /// Units that were not begun, or left when the run was asked to stop.
    pub left: usize,
    /// Whether it was asked to stop.
    pub interrupted: bool,
    /// Why no more units were begun, where that was not a signal.
    pub halted: Option<String>,
    /// The most memory that the estimates of units at work added up to \[MB\].
    pub most_mb: f64,
}

impl Summary {
    /// How the program ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.interrupted && self.left > 0 {
            Exit::Interrupted
        } else if self.failed.is_empty() && self.left == 0 && self.halted.is_none() {
            Exit::Done
        } else if !self.failed.is_empty() && self.failed.keys().all(|class| !class.may_pass()) {
            Exit::BadInput
        } else {
            Exit::UnitFailed
        }
    }
}

/// Workers and threads of each: as many units at once as memory allows, one thread each while there are units enough, because units
/// do not wait for each other and the loops within one do.
#[must_use]
pub fn workers(units: &[&UnitRow], options: &Options) -> (usize, usize) {
    let threads = options.threads.max(1);
    let dearest = units.iter().map(|u| u.memory_mb).fold(1.0, f64::max);
    let at_once = (options.memory_mb / dearest).clamp(1.0, threads as f64) as usize;
    let workers = at_once.min(units.len()).max(1);
    (workers, threads.div_ceil(workers))
}

/// Makes the units that are not there, in the order given as far as memory allows. `observer` hears of every event, from any thread.
///
/// # Errors
/// When the journals cannot be read or threads cannot be started. What befalls units is in the summary.
pub fn run(
    run: &Run,
    units: &[&UnitRow],
    maker: &dyn UnitMaker,
    options: &Options,
    stop: &Stop,
    observer: &(dyn Fn(&Event<'_>) + Sync),
) -> Result<Summary, SurveyError> {
    let known = journal::read_all(run)?.into_iter().filter(Line::is_done).map(|line| (line.unit, line.key)).collect();
    let mut left_of = BTreeMap::new();
    for unit in units {
        *left_of.entry(unit.chunk).or_insert(0) += 1;
    }
    let bucket = store::of(run)?;
    if let Some(bucket) = &bucket {
        bucket.check()?;
    }
    let work = Work {
        run,
        bucket,
        maker,
        options,
        stop,
        observer,
        known,
        pool: Pool::new(units.iter().copied(), options.memory_mb),
        journals: Mutex::new(Journals { open: BTreeMap::new(), left_of }),
        summary: Mutex::default(),
    };
    let (workers, threads) = workers(units, options);
    let started = |e: rayon::ThreadPoolBuildError| SurveyError::io(run.path())(std::io::Error::other(e));
    let pools: Vec<ThreadPool> =
        (0..workers).map(|_| ThreadPoolBuilder::new().num_threads(threads).build()).collect::<Result<_, _>>().map_err(started)?;
    std::thread::scope(|scope| {
        for threads in &pools {
            scope.spawn(|| work.until_done(threads));
        }
    });
    let (halted, waiting, most_mb) = work.pool.end();
    let mut summary = work.summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.left += waiting;
    Ok(Summary { halted, most_mb, interrupted: stop.is_asked(), ..summary })
}

/// Journals that are in use, and the units each chunk still has: a journal is closed after the last.
struct Journals {
    open: BTreeMap<u32, Journal>,
    left_of: BTreeMap<u32, usize>,
}

struct Work<'a> {
    run: &'a Run,
    /// Where products go that do not stay in the folder.
    bucket: Option<Bucket>,
    maker: &'a dyn UnitMaker,
    options: &'a Options,
    stop: &'a Stop,
    observer: &'a (dyn Fn(&Event<'_>) + Sync),
    /// Units and keys whose making is in a journal.
    known: BTreeSet<(u32, String)>,
    pool: Pool<'a>,
    journals: Mutex<Journals>,
    summary: Mutex<Summary>,
}

impl Work<'_> {
    fn summary(&self) -> MutexGuard<'_, Summary> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn until_done(&self, threads: &ThreadPool) {
        while let Some((unit, beside)) = self.pool.take(self.stop) {
            self.one(unit, beside, threads);
            self.pool.leave(unit);
            let mut journals = self.journals.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(left) = journals.left_of.get_mut(&unit.chunk) {
                *left -= 1;
                if *left == 0 {
                    journals.open.remove(&unit.chunk);
                }
            }
        }
    }

    fn one(&self, unit: &UnitRow, beside: u32, threads: &ThreadPool) {
        let line = Line { unit: unit.index, name: unit.name.clone(), key: unit.key.clone(), ..Line::default() };
        let (state, products) = match self.found(unit) {
            Ok(found) => found,
            Err(error) => return self.failed(unit, line, error),
        };
        match state {
            State::Whole => {
                self.summary().kept += 1;
                if !self.known.contains(&(unit.index, unit.key.clone())) {
                    self.write(unit, &mut Line { outcome: Outcome::Found, products, ..line });
                }
                (self.observer)(&Event::Kept(unit));
            }
            State::Stale if !self.options.rerun_stale => {
                let text = format!("{}: made with another key; --rerun-stale replaces it", unit.path);
                self.failed(unit, line, UnitError::new(ErrorClass::Stale, text));
            }
            State::Stale | State::Absent => self.make(unit, beside, line, threads),
        }
    }

    /// What there is of a unit, in the folder or in the store; what is whole in the folder is delivered where it is to go.
    fn found(&self, unit: &UnitRow) -> Result<(State, Vec<Product>), UnitError> {
        let state = record::state(self.run.path(), &self.run.path().join(&unit.path), &unit.key);
        let products = if state == State::Whole { self.products(unit)? } else { Vec::new() };
        match (&self.bucket, state) {
            (Some(bucket), State::Whole) => bucket.deliver(self.run, unit, self.options.rerun_stale, self.stop).map(|()| (state, products)),
            (Some(bucket), _) => bucket.state(self.run, unit).map(|state| (state, Vec::new())),
            (None, _) => Ok((state, products)),
        }
    }

    /// The products of a unit that has just been made, delivered where they are to go.
    fn delivered(&self, unit: &UnitRow) -> Result<Vec<Product>, UnitError> {
        let products = self.products(unit)?;
        if let Some(bucket) = &self.bucket {
            bucket.deliver(self.run, unit, self.options.rerun_stale, self.stop)?;
        }
        Ok(products)
    }

    fn make(&self, unit: &UnitRow, beside: u32, line: Line, threads: &ThreadPool) {
        if !self.write(unit, &mut Line { beside: Some(beside), ..line.clone() }) {
            self.summary().left += 1;
            return;
        }
        (self.observer)(&Event::Begun(unit));
        if beside == 0 {
            memory::reset_peak();
        }
        let spent = || -> f64 { threads.broadcast(|_| ThreadTime::now().as_duration().as_secs_f64()).iter().sum() };
        let (began, before) = (Instant::now(), spent());
        let made = threads.install(|| catch_unwind(AssertUnwindSafe(|| self.maker.make(unit, self.stop))));
        let line = Line {
            wall_s: Some(began.elapsed().as_secs_f64()),
            cpu_s: Some(spent() - before),
            peak_mb: memory::peak_mb(),
            beside: Some(beside),
            ..line
        };
        let made = made.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
            Err(UnitError::new(ErrorClass::Panic, text.unwrap_or_else(|| "a panic without words".into())))
        });
        match made.and_then(|made| Ok((made, self.delivered(unit)?))) {
            Ok((made, products)) => {
                self.summary().made += 1;
                let mut line = Line { outcome: Outcome::Made, objects: Some(made.objects), products, ..line };
                self.write(unit, &mut line);
                (self.observer)(&Event::Ended(unit, &line));
            }
            Err(error) => self.failed(unit, line, error),
        }
    }

    fn failed(&self, unit: &UnitRow, line: Line, error: UnitError) {
        let mut line = Line { outcome: Outcome::Failed, class: Some(error.class), error: Some(error.text.clone()), ..line };
        self.write(unit, &mut line);
        let mut summary = self.summary();
        if error.class == ErrorClass::Interrupted {
            summary.left += 1;
        } else {
            *summary.failed.entry(error.class).or_insert(0) += 1;
        }
        let failures: usize = summary.failed.values().sum();
        drop(summary);
        if error.class == ErrorClass::Storage {
            self.pool.halt(&error.text);
        } else if self.options.max_failures.is_some_and(|most| failures >= most.max(1)) {
            self.pool.halt(&format!("{failures} units failed"));
        }
        (self.observer)(&Event::Ended(unit, &line));
    }

    /// The products of a unit that has just been made, by its record.
    fn products(&self, unit: &UnitRow) -> Result<Vec<Product>, UnitError> {
        let fault = |text: String| UnitError::new(ErrorClass::Unit, text);
        let record =
            Record::beside(&self.run.path().join(&unit.path)).ok_or_else(|| fault(format!("{}: was made without a record", unit.path)))?;
        if record.key != unit.key {
            return Err(fault(format!("{}: was made with the key {}, planned was {}", unit.path, record.key, unit.key)));
        }
        let product = |(path, sha256): (String, String)| match std::fs::metadata(self.run.path().join(&path)) {
            Ok(found) => Ok(Product { bytes: found.len(), path, sha256 }),
            Err(e) => Err(fault(format!("{path}: {e}"))),
        };
        record.products.into_iter().map(product).collect()
    }

    /// Writes a line into the journal of the unit's chunk; when that fails, the run halts.
    fn write(&self, unit: &UnitRow, line: &mut Line) -> bool {
        let mut journals = self.journals.lock().unwrap_or_else(PoisonError::into_inner);
        let written = match journals.open.get_mut(&unit.chunk) {
            Some(journal) => journal.write(line),
            None => Journal::begin(self.run, unit.chunk).and_then(|mut journal| {
                let written = journal.write(line);
                journals.open.insert(unit.chunk, journal);
                written
            }),
        };
        drop(journals);
        if let Err(e) = &written {
            self.pool.halt(&e.to_string());
        }
        written.is_ok()
    }
}
