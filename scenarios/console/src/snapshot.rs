//! A run as it stands, kept in memory and looked at again when its journals have grown.

use crate::answers::{Activity, Failure, History, Rates, Standing};
use crate::events;
use crate::spread::Spread;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};
use survey::failure::{ErrorClass, SurveyError};
use survey::folder::Run;
use survey::journal::{self, Line, Product};
use survey::manifest::{self, UnitRow};
use survey::status::{self, Seen, Status, UnitState};

/// Journals are looked at no more often than this.
const PAUSE: Duration = Duration::from_secs(1);
/// What a look costs, times this, is the pause after it, so that large runs on slow disks are not looked at all the time.
const EASE: u32 = 5;
/// Products are looked at again after this time though no journal grew: somebody may have removed them.
const STALE_AFTER: Duration = Duration::from_secs(300);
/// Work without any event for longer than this, and ten times the longest unit, is taken to have stopped \[s\].
const QUIET_S: f64 = 600.0;

/// What is kept of a unit beside its row in the manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitView {
    /// How it stands.
    pub state: UnitState,
    /// Begun without an end, and not done.
    pub open: bool,
    /// How often it was begun.
    pub attempts: u32,
    /// When it last ended, seconds since 1970 UTC.
    pub ended: Option<f64>,
    /// Host of its last end.
    pub host: String,
    /// Time it took \[s\].
    pub wall_s: Option<f64>,
    /// Processor time \[s\].
    pub cpu_s: Option<f64>,
    /// Peak memory of its process \[MB\].
    pub peak_mb: Option<f64>,
    /// Objects.
    pub objects: Option<u64>,
    /// Size of its products \[byte\].
    pub bytes: u64,
    /// Class of its last failure, while it is failed.
    pub class: Option<ErrorClass>,
    /// The error in words.
    pub error: Option<String>,
    /// Its place in [`Snapshot::failures`].
    pub failure: Option<usize>,
}

impl UnitView {
    /// How it stands, with what is at work told apart.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing::of(self.state, self.open)
    }
}

/// A run at a moment.
#[derive(Debug)]
pub struct Snapshot {
    /// Rises by one with every change.
    pub revision: u64,
    /// Units in the order of the manifest.
    pub units: Arc<Vec<UnitRow>>,
    /// What is known of each of them.
    pub views: Vec<UnitView>,
    /// Journals that tell of each unit: chunk and attempt as they were run.
    pub journals: BTreeMap<u32, BTreeSet<(u32, u32)>>,
    /// The whole.
    pub status: Status,
    /// Failures by class and words, most frequent first.
    pub failures: Vec<Failure>,
    /// First and last event, seconds since 1970 UTC.
    pub events: Option<(f64, f64)>,
    /// Processes that have begun units without an end.
    pub processes: usize,
    /// Rates of the last ten minutes of work.
    pub rates: Rates,
    /// Units made over time.
    pub history: History,
    /// Cost and memory by band.
    pub bands: Vec<Spread>,
    /// What looking at it took \[s\].
    pub took_s: f64,
}

impl Snapshot {
    /// What the run does at a time, seconds since 1970 UTC.
    #[must_use]
    pub fn activity(&self, now: f64) -> Activity {
        let longest = self.status.slowest.first().map_or(0.0, |s| s.wall_s);
        match self.events {
            _ if self.status.is_complete() => Activity::Complete,
            None => Activity::Waiting,
            Some((_, last)) if self.status.open > 0 && now - last < QUIET_S.max(10.0 * longest) => Activity::AtWork,
            Some(_) => Activity::Stopped,
        }
    }
    /// Numbers of units with their rows and views.
    pub fn iter(&self) -> impl Iterator<Item = (&UnitRow, &UnitView)> {
        self.units.iter().zip(&self.views)
    }
}

/// What was read so far.
#[derive(Default)]
struct Reader {
    manifest: Option<(SystemTime, u64)>,
    units: Arc<Vec<UnitRow>>,
    /// Where each journal was read to.
    ends: BTreeMap<PathBuf, u64>,
    lines: Vec<Line>,
    looked: Option<Instant>,
    built: Option<Instant>,
    cost: Duration,
}

/// A run that is watched.
pub struct Watched {
    /// Name in addresses.
    pub id: String,
    /// Its folder.
    pub run: Run,
    reader: Mutex<Reader>,
    current: RwLock<Option<Arc<Snapshot>>>,
}

impl Watched {
    /// A run that nobody looked at yet.
    #[must_use]
    pub fn new(id: String, run: Run) -> Self {
        Self { id, run, reader: Mutex::default(), current: RwLock::default() }
    }

    fn current(&self) -> Option<Arc<Snapshot>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How it stands. While somebody else looks, and shortly after, it is what was seen last.
    ///
    /// # Errors
    /// When its manifest or a journal cannot be read.
    pub fn snapshot(&self) -> Result<Arc<Snapshot>, SurveyError> {
        let mut reader = match (self.reader.try_lock(), self.current()) {
            (Ok(reader), _) => reader,
            (Err(_), Some(current)) => return Ok(current),
            (Err(_), None) => self.reader.lock().unwrap_or_else(PoisonError::into_inner),
        };
        let current = self.current();
        if let Some(current) = current.as_ref().filter(|_| reader.looked.is_some_and(|t| t.elapsed() < PAUSE.max(reader.cost * EASE))) {
            return Ok(Arc::clone(current));
        }
        let begun = Instant::now();
        let grown = reader.read(&self.run)?;
        let old = reader.built.is_none_or(|t| t.elapsed() > STALE_AFTER);
        let snapshot = match current {
            Some(current) if !grown && !old => current,
            current => {
                let revision = current.map_or(1, |c| c.revision + 1);
                let snapshot = Arc::new(build(&self.run, &reader, revision, begun));
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&snapshot));
                reader.built = Some(Instant::now());
                snapshot
            }
        };
        (reader.looked, reader.cost) = (Some(Instant::now()), begun.elapsed());
        Ok(snapshot)
    }
}

impl Reader {
    /// Reads what is new; whether there was any.
    fn read(&mut self, run: &Run) -> Result<bool, SurveyError> {
        let path = run.units();
        let stamp = std::fs::metadata(&path).ok().and_then(|m| Some((m.modified().ok()?, m.len())));
        let mut grown = self.manifest != stamp || stamp.is_none();
        if grown {
            self.units = Arc::new(manifest::read(&path)?);
            self.manifest = stamp;
        }
        let sizes: Vec<(PathBuf, u64)> =
            journal::files(run)?.into_iter().filter_map(|path| Some((path.clone(), std::fs::metadata(path).ok()?.len()))).collect();
        let whole = self.ends.iter().all(|(path, end)| sizes.iter().any(|(p, size)| p == path && size >= end));
        if !whole {
            self.ends.clear();
            self.lines.clear();
            grown = true;
        }
        for (path, size) in sizes {
            let from = self.ends.get(&path).copied().unwrap_or(0);
            if size > from {
                let (lines, end) = journal::read_from(&path, from)?;
                grown |= !lines.is_empty();
                self.lines.extend(lines.into_iter().map(light));
                self.ends.insert(path, end);
            }
        }
        Ok(grown)
    }
}

/// A line without the names of its products: tens of thousands are kept.
fn light(mut line: Line) -> Line {
    let bytes = line.bytes();
    line.products = if bytes > 0 { vec![Product { path: String::new(), bytes, sha256: String::new() }] } else { Vec::new() };
    line
}

fn build(run: &Run, reader: &Reader, revision: u64, begun: Instant) -> Snapshot {
    let (units, lines) = (&reader.units, &reader.lines);
    let seen = status::look(run, units, lines);
    let failures = events::failures(&seen);
    let place: BTreeMap<u32, usize> = failures.iter().enumerate().flat_map(|(k, f)| f.members.iter().map(move |unit| (*unit, k))).collect();
    let views: Vec<UnitView> = seen.iter().map(|s| view(s, place.get(&s.unit.index).copied())).collect();
    let mut journals: BTreeMap<u32, BTreeSet<(u32, u32)>> = BTreeMap::new();
    for line in lines {
        journals.entry(line.unit).or_default().insert((line.chunk, line.attempt));
    }
    let time = |value: fn(f64, f64) -> f64| lines.iter().map(|l| l.time).reduce(value);
    let span = time(f64::min).zip(time(f64::max));
    let bands = Spread::of_groups(units.iter().zip(&views), |unit| unit.band.clone());
    Snapshot {
        revision,
        status: status::of(&seen, units, lines),
        processes: events::processes(&seen, lines),
        rates: events::rates(lines),
        history: events::history(lines, span),
        units: Arc::clone(units),
        views,
        journals,
        failures,
        events: span,
        bands,
        took_s: begun.elapsed().as_secs_f64(),
    }
}

fn view(s: &Seen<'_>, failure: Option<usize>) -> UnitView {
    let failed = s.state == UnitState::Failed;
    UnitView {
        state: s.state,
        open: s.open && s.state != UnitState::Done,
        attempts: s.attempts,
        ended: s.last.map(|l| l.time),
        host: s.last.map(|l| l.host.clone()).unwrap_or_default(),
        wall_s: s.last.and_then(|l| l.wall_s),
        cpu_s: s.last.and_then(|l| l.cpu_s),
        peak_mb: s.last.and_then(|l| l.peak_mb),
        objects: s.last.and_then(|l| l.objects),
        bytes: s.last.map_or(0, Line::bytes),
        class: s.last.filter(|_| failed).and_then(|l| l.class),
        error: s.last.filter(|_| failed).and_then(|l| l.error.clone()),
        failure,
    }
}
