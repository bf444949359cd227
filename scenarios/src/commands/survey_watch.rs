//! How a survey run is watched: a bar on a terminal, one JSON object a line elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use survey::executor::{Event, Summary};
use survey::journal::{Line, Outcome};
use survey::manifest::UnitRow;

/// What a run says while it runs.
pub struct Watch {
    bar: ProgressBar,
    /// Whether lines of JSON are printed.
    lines: bool,
    units: usize,
    began: Instant,
    so_far: Mutex<SoFar>,
}

#[derive(Default)]
struct SoFar {
    ended: usize,
    objects: u64,
    bytes: u64,
    failed: usize,
}

impl Watch {
    /// A bar or lines for these units; `quiet` has neither.
    pub fn new(units: &[&UnitRow], (workers, threads): (usize, usize), quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal() && std::io::stdout().is_terminal();
        let bar = if terminal && !quiet { ProgressBar::new(units.len() as u64) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{prefix:>10} [{bar:32}] {pos}/{len} left {eta}  {wide_msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix("run");
        bar.enable_steady_tick(Duration::from_millis(200));
        let watch = Self { bar, lines: !terminal && !quiet, units: units.len(), began: Instant::now(), so_far: Mutex::default() };
        watch.say(&json!({"event": "run", "units": units.len(), "workers": workers, "threads_of_each": threads}));
        watch
    }

    /// An event.
    pub fn see(&self, event: &Event<'_>) {
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Begun(unit) => {
                self.bar.set_message(self.rates(&so_far, &unit.name));
                self.say(&json!({"event": "begun", "unit": unit.name, "chunk": unit.chunk}));
                return;
            }
            Event::Kept(unit) => {
                so_far.ended += 1;
                let (done, of) = (so_far.ended, self.units);
                self.say(&json!({"event": "kept", "unit": unit.name, "chunk": unit.chunk, "done": done, "of": of}));
            }
            Event::Ended(unit, line) => self.ended(&mut so_far, unit, line),
        }
        self.bar.set_position(so_far.ended as u64);
    }

    fn ended(&self, so_far: &mut SoFar, unit: &UnitRow, line: &Line) {
        so_far.ended += 1;
        if line.outcome == Outcome::Failed {
            so_far.failed += 1;
            let (class, error) = (line.class.map(|c| c.name()), line.error.as_deref());
            self.bar.println(format!("{} failed ({}): {}", unit.name, class.unwrap_or_default(), error.unwrap_or_default()));
            self.say(&json!({"event": "failed", "unit": unit.name, "chunk": unit.chunk, "class": class, "error": error}));
            return;
        }
        so_far.objects += line.objects.unwrap_or(0);
        so_far.bytes += line.bytes();
        self.say(&json!({
            "event": "made", "unit": unit.name, "chunk": unit.chunk, "wall_s": line.wall_s, "cpu_s": line.cpu_s, "peak_mb": line.peak_mb,
            "objects": line.objects, "bytes": line.bytes(), "done": so_far.ended, "of": self.units,
        }));
    }

    /// Objects and bytes by the second.
    fn rates(&self, so_far: &SoFar, unit: &str) -> String {
        let seconds = self.began.elapsed().as_secs_f64().max(1e-3);
        let (objects, megabytes) = (so_far.objects as f64 / seconds, so_far.bytes as f64 / 1e6 / seconds);
        let failed = if so_far.failed > 0 { format!(", {} failed", so_far.failed) } else { String::new() };
        format!("{objects:.0} objects/s, {megabytes:.1} MB/s{failed}  {unit}")
    }

    /// The end of the run.
    pub fn end(&self, summary: &Summary, folder: &Path) {
        self.bar.finish_and_clear();
        let failed: usize = summary.failed.values().sum();
        if self.lines {
            let by_class: serde_json::Map<_, _> = summary.failed.iter().map(|(class, n)| (class.name().to_string(), json!(n))).collect();
            self.say(&json!({
                "event": "end", "made": summary.made, "kept": summary.kept, "failed": by_class, "left": summary.left,
                "interrupted": summary.interrupted, "halted": summary.halted, "wall_s": self.began.elapsed().as_secs_f64(),
                "exit": summary.exit().code(),
            }));
        } else {
            let (made, kept) = (summary.made, summary.kept);
            println!("{made} units made, {kept} kept, {failed} failed, {} left, in {}", summary.left, folder.display());
        }
        if let Some(reason) = &summary.halted {
            eprintln!("skyloop: no more units were begun: {reason}");
        }
        if summary.interrupted && summary.left > 0 {
            eprintln!("skyloop: interrupted; the same command makes the rest");
        }
    }

    /// A line of JSON, where lines are wanted; one that nobody reads any more is not missed.
    fn say(&self, line: &serde_json::Value) {
        if self.lines {
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }
}
