//! What the lines of the journals say together: failures by reason, rates, history.

use crate::answers::{Failure, History, Rates};
use std::collections::{BTreeMap, BTreeSet};
use survey::failure::ErrorClass;
use survey::journal::{Line, Outcome};
use survey::status::{Seen, UnitState};

/// Rates are those of the last ten minutes of work \[s\].
const RATE_WINDOW_S: f64 = 600.0;
/// Bins of the history.
const BINS: usize = 72;

/// Failures by class and words, as [`survey::status::Status::reasons`], with the units behind them.
pub(crate) fn failures(seen: &[Seen<'_>]) -> Vec<Failure> {
    let mut groups: BTreeMap<(ErrorClass, String), Failure> = BTreeMap::new();
    for s in seen {
        let Some((class, text)) = s.reason() else { continue };
        let digest = sim_core::manifest::sha256(format!("{}\n{text}", class.name()).as_bytes());
        let example = s.last.and_then(|l| l.error.clone()).unwrap_or_default();
        let new = || Failure {
            id: digest[..12].to_string(),
            class,
            retried: class.may_pass(),
            reason: text.clone(),
            units: 0,
            error: example,
            last: 0.0,
            members: Vec::new(),
        };
        let group = groups.entry((class, text.clone())).or_insert_with(new);
        group.units += 1;
        group.members.push(s.unit.index);
        group.last = group.last.max(s.last.map_or(0.0, |l| l.time));
    }
    let mut failures: Vec<Failure> = groups.into_values().collect();
    failures.sort_by_key(|f| std::cmp::Reverse(f.units));
    failures
}

/// Processes whose last line of a unit that is not done is its beginning.
pub(crate) fn processes(seen: &[Seen<'_>], lines: &[Line]) -> usize {
    let open: BTreeSet<u32> = seen.iter().filter(|s| s.open && s.state != UnitState::Done).map(|s| s.unit.index).collect();
    let mut last: BTreeMap<u32, &Line> = BTreeMap::new();
    for line in lines.iter().filter(|l| open.contains(&l.unit)) {
        let kept = last.entry(line.unit).or_insert(line);
        if line.time >= kept.time {
            *kept = line;
        }
    }
    last.values().map(|l| (l.host.as_str(), l.pid)).collect::<BTreeSet<_>>().len()
}

/// Rates of the last ten minutes of work.
pub(crate) fn rates(lines: &[Line]) -> Rates {
    let made = || lines.iter().filter(|l| l.outcome == Outcome::Made);
    let Some(end) = made().map(|l| l.time).reduce(f64::max) else { return Rates::default() };
    let recent: Vec<&Line> = made().filter(|l| l.time > end - RATE_WINDOW_S).collect();
    let begin = recent.iter().map(|l| l.time - l.wall_s.unwrap_or(0.0)).fold(end, f64::min).max(end - RATE_WINDOW_S);
    let seconds = end - begin;
    if seconds <= 0.0 {
        return Rates::default();
    }
    Rates {
        window_s: seconds,
        units_per_hour: 3600.0 * recent.len() as f64 / seconds,
        objects_per_s: recent.iter().filter_map(|l| l.objects).sum::<u64>() as f64 / seconds,
        megabytes_per_s: recent.iter().map(|l| l.bytes()).sum::<u64>() as f64 / 1e6 / seconds,
        cores: recent.iter().filter_map(|l| l.cpu_s).sum::<f64>() / seconds,
    }
}

/// Units made and failed over the time of the run.
pub(crate) fn history(lines: &[Line], events: Option<(f64, f64)>) -> History {
    let Some((begin, end)) = events.filter(|(a, b)| b > a) else { return History::default() };
    let bin_s = (end - begin) / BINS as f64;
    let mut history = History { begin, bin_s, made: vec![0; BINS], failed: vec![0; BINS] };
    for line in lines {
        let bin = (((line.time - begin) / bin_s) as usize).min(BINS - 1);
        match line.outcome {
            Outcome::Made => history.made[bin] += 1,
            Outcome::Failed if line.class != Some(ErrorClass::Interrupted) => history.failed[bin] += 1,
            _ => {}
        }
    }
    history
}
