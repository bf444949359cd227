//! Metrics in the text format of Prometheus.
//!
//! # Source
//! Prometheus exposition format 0.0.4, judged by `prometheus_client` in `peers/serve_browser.py`

use std::fmt::Write as _;
use survey::status::Status;

/// Content type of [`text`].
pub const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A family: name, what it is, and its value for each run; none is left out.
type Gauge = (&'static str, &'static str, fn(&Status) -> Option<f64>);

const GAUGES: [Gauge; 10] = [
    ("skyloop_chunks", "Chunks of the run.", |s| Some(s.chunks as f64)),
    ("skyloop_chunks_done", "Chunks of which every unit is done.", |s| Some(s.chunks_done as f64)),
    ("skyloop_units_planned", "Units of the run.", |s| Some(s.units as f64)),
    ("skyloop_units_open", "Units that were begun without an end.", |s| Some(s.open as f64)),
    ("skyloop_units_retried", "Units that were begun more than once.", |s| Some(s.retried as f64)),
    ("skyloop_objects", "Objects in the units that are done.", |s| Some(s.objects as f64)),
    ("skyloop_product_bytes", "Size of the products of units that are done.", |s| Some(s.bytes as f64)),
    ("skyloop_cpu_seconds", "Processor time of the units that are done.", |s| Some(s.cpu_s)),
    ("skyloop_peak_memory_bytes", "Largest peak of memory of a process.", |s| Some((s.peak_mb * 1_048_576.0).round())),
    ("skyloop_time_left_seconds", "Time left at the rate of the last hour of work.", |s| s.left_s),
];

/// A label's value.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Metrics of runs: name and status of each.
#[must_use]
pub fn text(runs: &[(&str, &Status)]) -> String {
    let mut out = String::new();
    let mut family = |name: &str, about: &str, samples: &[String]| {
        if !samples.is_empty() {
            let _ = writeln!(out, "# HELP {name} {about}\n# TYPE {name} gauge");
            samples.iter().for_each(|sample| out.push_str(sample));
        }
    };
    let states = |(id, s): &(&str, &Status)| {
        [("done", s.done), ("failed", s.failed), ("stale", s.stale), ("missing", s.missing)]
            .map(|(state, n)| format!("skyloop_units{{run=\"{}\",state=\"{state}\"}} {n}\n", label(id)))
    };
    family("skyloop_units", "Units by state.", &runs.iter().flat_map(states).collect::<Vec<_>>());
    let failed = |(id, s): &(&str, &Status)| -> Vec<String> {
        let mut classes = std::collections::BTreeMap::<&str, usize>::new();
        s.reasons.iter().for_each(|r| *classes.entry(r.class.name()).or_default() += r.units);
        classes.into_iter().map(|(class, n)| format!("skyloop_units_failed{{run=\"{}\",class=\"{class}\"}} {n}\n", label(id))).collect()
    };
    family(
        "skyloop_units_failed",
        "Units whose last attempt failed, by class of the error.",
        &runs.iter().flat_map(failed).collect::<Vec<_>>(),
    );
    for (name, about, value) in GAUGES {
        let sample = |(id, s): &(&str, &Status)| Some(format!("{name}{{run=\"{}\"}} {}\n", label(id), value(s)?));
        family(name, about, &runs.iter().filter_map(sample).collect::<Vec<_>>());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_runs_are_escaped_and_what_is_not_known_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let run = survey::folder::Run::at(folder.path());
        let row = survey::manifest::UnitRow { path: "a".into(), cost_s: 1.0, ..Default::default() };
        survey::manifest::write(&run.units(), &[row]).unwrap();
        let status = survey::status::status(&run).unwrap();
        let text = text(&[("a \"b\"\\\n", &status)]);
        assert!(text.contains("skyloop_units{run=\"a \\\"b\\\"\\\\\\n\",state=\"missing\"} 1\n"), "{text}");
        assert!(!text.contains("time_left") && !text.contains("units_failed{"), "{text}");
    }
}
