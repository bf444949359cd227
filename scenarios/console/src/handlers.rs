//! What each route answers.

use crate::answers::{Chunk, Chunks, FailureGroup, Failures, Health, Named, RunDetail, RunItem, Runs, States, Unit, UnitDetail, Units};
use crate::coverage::{self, Coverage};
use crate::metrics;
use crate::picture;
use crate::service::{Asked, Console, Problem};
use crate::snapshot::{Snapshot, UnitView, Watched};
use page_server::Answer;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, PoisonError};
use survey::folder::Run;
use survey::journal;
use survey::manifest::UnitRow;
use survey::record;
use survey::status::UnitState;

/// Pictures that are kept.
const PICTURES: usize = 64;
/// Units shown with a group of failures.
const FIRST_UNITS: usize = 50;

/// Pictures made last, with what they are of.
pub(crate) type Pictures = Vec<(String, Arc<Vec<u8>>)>;

type Answered = Result<Answer, Problem>;

fn json<T: serde::Serialize>(value: &T) -> Answered {
    Ok(Answer::new(200, "application/json", serde_json::to_vec(value)?))
}

fn found(console: &Console, asked: &Asked) -> Result<(Arc<Watched>, Arc<Snapshot>), Problem> {
    let id = asked.part("run");
    let run = console.runs.get(id).ok_or_else(|| Problem::Nothing(format!("no run {id:?}")))?;
    let snapshot = run.snapshot()?;
    Ok((run, snapshot))
}

pub(crate) fn runs(console: &Console, _: &Asked) -> Answered {
    let item = |run: &Arc<Watched>| match run.snapshot() {
        Ok(s) => RunItem {
            id: run.id.clone(),
            activity: Some(s.activity(journal::now())),
            units: s.status.units,
            done: s.status.done,
            failed: s.status.failed,
            problem: None,
        },
        Err(e) => RunItem { id: run.id.clone(), activity: None, units: 0, done: 0, failed: 0, problem: Some(e.to_string()) },
    };
    json(&Runs { runs: console.runs.all().iter().map(item).collect() })
}

/// All that is known of a run as a whole.
pub(crate) fn detail(id: &str, s: &Snapshot) -> RunDetail {
    let now = journal::now();
    RunDetail {
        id: id.into(),
        revision: s.revision,
        now,
        activity: s.activity(now),
        begun: s.events.map(|e| e.0),
        last_event: s.events.map(|e| e.1),
        states: States::of(s.views.iter().map(UnitView::standing)),
        status: s.status.clone(),
        exposures: coverage::spans(&s.units).len(),
        planned_s: s.units.iter().map(|u| u.cost_s).sum(),
        planned_mb: s.units.iter().map(|u| u.memory_mb).fold(0.0, f64::max),
        processes: s.processes,
        rates: s.rates.clone(),
        history: s.history.clone(),
        bands: s.bands.clone(),
        took_s: s.took_s,
    }
}

pub(crate) fn run(console: &Console, asked: &Asked) -> Answered {
    let (run, s) = found(console, asked)?;
    json(&detail(&run.id, &s))
}

/// A unit as clients see it.
pub(crate) fn seen(unit: &UnitRow, view: &UnitView) -> Unit {
    let state = view.standing();
    Unit {
        unit: unit.index,
        name: unit.name.clone(),
        state,
        prc_status: state.prc_status(),
        chunk: unit.chunk,
        obs_id: unit.obs_id,
        detector: unit.detector,
        band: unit.band.clone(),
        attempts: view.attempts,
        ended: view.ended,
        host: Some(view.host.clone()).filter(|h| !h.is_empty()),
        wall_s: view.wall_s,
        cpu_s: view.cpu_s,
        expected_s: unit.cost_s,
        peak_mb: view.peak_mb,
        planned_mb: unit.memory_mb,
        objects: view.objects,
        bytes: view.bytes,
        class: view.class,
        error: view.error.clone(),
    }
}

pub(crate) fn units(console: &Console, asked: &Asked) -> Answered {
    let (_, s) = found(console, asked)?;
    let failure = match asked.word("reason") {
        None => None,
        Some(id) => {
            Some(s.failures.iter().position(|f| f.id == id).ok_or_else(|| Problem::Nothing(format!("no group of failures {id:?}")))?)
        }
    };
    let fits = |(unit, view): &(&UnitRow, &UnitView)| {
        let number = |name, value: u64| asked.number(name).is_none_or(|n| n == value);
        asked.word("state").is_none_or(|word| view.standing().name() == word)
            && number("chunk", unit.chunk.into())
            && number("detector", unit.detector.into())
            && number("obs_id", unit.obs_id)
            && failure.is_none_or(|f| view.failure == Some(f))
    };
    let mut all: Vec<(&UnitRow, &UnitView)> = s.iter().filter(fits).collect();
    let value: Option<fn(&UnitView) -> Option<f64>> = match asked.word("sort") {
        Some("recent") => Some(|v| v.ended),
        Some("slowest") => Some(|v| v.wall_s),
        Some("memory") => Some(|v| v.peak_mb),
        _ => None,
    };
    if let Some(value) = value {
        all.retain(|(_, v)| value(v).is_some());
        all.sort_by(|a, b| value(b.1).unwrap_or(0.0).total_cmp(&value(a.1).unwrap_or(0.0)));
    }
    let offset = asked.size("offset");
    let units = all.iter().skip(offset).take(asked.size("limit")).map(|(u, v)| seen(u, v)).collect();
    json(&Units { revision: s.revision, total: all.len(), offset, units })
}

/// The unit that a path names.
fn named<'s>(s: &'s Snapshot, asked: &Asked) -> Result<(&'s UnitRow, &'s UnitView), Problem> {
    let name = asked.part("unit");
    let number = name.parse::<usize>().ok().filter(|n| *n < s.units.len());
    let place = s.units.iter().position(|u| u.name == name).or(number);
    place.map(|k| (&s.units[k], &s.views[k])).ok_or_else(|| Problem::Nothing(format!("no unit {name:?} in this run")))
}

/// Lines of the journals about some units, as they were written, in order of time.
fn lines(run: &Run, s: &Snapshot, units: &BTreeSet<u32>) -> Result<Vec<serde_json::Value>, Problem> {
    let attempts: BTreeSet<(u32, u32)> = units.iter().filter_map(|u| s.journals.get(u)).flatten().copied().collect();
    let mut lines = Vec::new();
    for (chunk, attempt) in attempts {
        let path = run.journal().join(format!("{chunk:05}.{attempt:03}.jsonl"));
        lines.extend(journal::read_from(&path, 0)?.0.into_iter().filter(|line| units.contains(&line.unit)));
    }
    lines.sort_by(|a, b| a.time.total_cmp(&b.time));
    Ok(lines.iter().map(serde_json::to_value).collect::<Result<_, _>>()?)
}

/// Where a product of a unit lies; a manifest that points out of its run's folder is not followed.
fn product(run: &Run, unit: &UnitRow) -> Result<PathBuf, Problem> {
    let path = Path::new(&unit.path);
    if path.components().all(|part| matches!(part, Component::Normal(_))) {
        Ok(run.path().join(path))
    } else {
        Err(Problem::Nothing(format!("{}: its product lies outside the run", unit.name)))
    }
}

pub(crate) fn unit(console: &Console, asked: &Asked) -> Answered {
    let (run, s) = found(console, asked)?;
    let (row, view) = named(&s, asked)?;
    let record = std::fs::read(record::path_of(&product(&run.run, row)?)).ok();
    json(&UnitDetail {
        unit: seen(row, view),
        ra_deg: row.ra_deg,
        dec_deg: row.dec_deg,
        position_angle_deg: row.position_angle_deg,
        start_mjd: row.start_mjd,
        exposure_s: row.exposure_s,
        path: row.path.clone(),
        key: row.key.clone(),
        record: record.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
        journal: lines(&run.run, &s, &BTreeSet::from([row.index]))?,
    })
}

pub(crate) fn picture(console: &Console, asked: &Asked) -> Answered {
    let (run, s) = found(console, asked)?;
    let (row, view) = named(&s, asked)?;
    if view.state != UnitState::Done {
        return Err(Problem::Nothing(format!("{} is not done: there is no frame yet", row.name)));
    }
    let side = asked.size("side");
    let tag = format!("\"{}-{side}\"", row.key);
    let answer = |status, body: Vec<u8>| {
        Ok(Answer::new(status, "image/png", body).with("ETag", tag.clone()).with("Cache-Control", "private, no-cache"))
    };
    if asked.if_none_match.as_ref() == Some(&tag) {
        return answer(304, Vec::new());
    }
    let path = product(&run.run, row)?;
    let name = format!("{} {} {tag}", run.id, row.index);
    // One at a time: a whole frame takes some 600 MB for the moment it is read.
    let mut kept = console.pictures.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, file)) = kept.iter().find(|(of, _)| *of == name) {
        return answer(200, file.as_ref().clone());
    }
    let file = Arc::new(picture::of_frame(&path, side)?);
    if kept.len() == PICTURES {
        kept.remove(0);
    }
    kept.push((name, Arc::clone(&file)));
    answer(200, file.as_ref().clone())
}

/// Chunks of the plan with their units by state.
pub(crate) fn chunks_of(s: &Snapshot) -> Vec<Chunk> {
    let mut chunks: BTreeMap<u32, Vec<(&UnitRow, &UnitView)>> = BTreeMap::new();
    for (unit, view) in s.iter() {
        chunks.entry(unit.chunk).or_default().push((unit, view));
    }
    let chunk = |(chunk, units): (u32, Vec<(&UnitRow, &UnitView)>)| Chunk {
        chunk,
        units: units.len(),
        states: States::of(units.iter().map(|(_, v)| v.standing())),
        expected_s: units.iter().map(|(u, _)| u.cost_s).sum(),
        cpu_s: units.iter().filter(|(_, v)| v.state == UnitState::Done).filter_map(|(_, v)| v.cpu_s).sum(),
    };
    chunks.into_iter().map(chunk).collect()
}

pub(crate) fn chunks(console: &Console, asked: &Asked) -> Answered {
    let (_, s) = found(console, asked)?;
    let all = chunks_of(&s);
    let (total, offset) = (all.len(), asked.size("offset"));
    let chunks = all.into_iter().skip(offset).take(asked.size("limit")).collect();
    json(&Chunks { revision: s.revision, total, offset, chunks })
}

pub(crate) fn log(console: &Console, asked: &Asked) -> Answered {
    let (run, s) = found(console, asked)?;
    let text = asked.part("chunk");
    let chunk: u32 = text.parse().map_err(|_| Problem::Asked(format!("chunk = {text:?} is not a number from 0")))?;
    let units: BTreeSet<u32> = s.units.iter().filter(|u| u.chunk == chunk).map(|u| u.index).collect();
    if units.is_empty() {
        return Err(Problem::Nothing(format!("no chunk {chunk} in this run")));
    }
    let lines = lines(&run.run, &s, &units)?;
    let skipped = lines.len().saturating_sub(asked.size("limit"));
    let body: String = lines[skipped..].iter().map(|line| format!("{line}\n")).collect();
    Ok(Answer::new(200, "application/x-ndjson", body.into_bytes()))
}

/// Groups of failures with their first units.
pub(crate) fn failures_of(s: &Snapshot) -> Vec<FailureGroup> {
    let named = |unit: &u32| s.units.get(*unit as usize).map(|u| Named { unit: *unit, name: u.name.clone() });
    let group = |f: &crate::answers::Failure| FailureGroup {
        first_units: f.members.iter().take(FIRST_UNITS).filter_map(named).collect(),
        failure: f.clone(),
    };
    s.failures.iter().map(group).collect()
}

pub(crate) fn failures(console: &Console, asked: &Asked) -> Answered {
    let (_, s) = found(console, asked)?;
    json(&Failures { revision: s.revision, groups: failures_of(&s) })
}

pub(crate) fn coverage(console: &Console, asked: &Asked) -> Answered {
    let (run, s) = found(console, asked)?;
    let detectors = coverage::detectors(&s.units, &console.outlines(&run));
    let spans = coverage::spans(&s.units);
    let offset = asked.size("offset");
    let shown = spans.iter().skip(offset).take(asked.size("limit"));
    let exposures = shown.map(|span| coverage::exposure(&s, *span, &detectors)).collect();
    json(&Coverage { revision: s.revision, total: spans.len(), offset, detectors, exposures })
}

pub(crate) fn health(console: &Console, _: &Asked) -> Answered {
    json(&Health { status: "ok".into(), version: env!("CARGO_PKG_VERSION").into(), runs: console.runs.all().len() })
}

pub(crate) fn metrics(console: &Console, _: &Asked) -> Answered {
    // A run that cannot be read has no metrics; the others have.
    let seen: Vec<(String, Arc<Snapshot>)> =
        console.runs.all().iter().filter_map(|run| Some((run.id.clone(), run.snapshot().ok()?))).collect();
    let runs: Vec<_> = seen.iter().map(|(id, s)| (id.as_str(), &s.status)).collect();
    Ok(Answer::new(200, metrics::KIND, metrics::text(&runs).into_bytes()))
}

/// Units that took longest, of those that are done.
pub(crate) fn slowest(s: &Snapshot, most: usize) -> Vec<Unit> {
    let mut all: Vec<_> = s.iter().filter(|(_, v)| v.state == UnitState::Done && v.wall_s.is_some()).collect();
    all.sort_by_key(|(_, v)| Reverse(v.wall_s.map_or(0, |w| (1e6 * w) as u64)));
    all.into_iter().take(most).map(|(u, v)| seen(u, v)).collect()
}
