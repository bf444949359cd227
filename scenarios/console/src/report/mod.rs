//! The report of a run: one page that stands alone, and the numbers on it as JSON.

mod figures;
mod sky;

use crate::answers::{Chunk, FailureGroup, RunDetail, Standing, Unit};
use crate::coverage;
use crate::handlers;
use crate::snapshot::{Snapshot, Watched};
use crate::spread::Spread;
use minijinja::{AutoEscape, Environment, Value, context};
use pointing::focal_plane::Detector;
use serde::Serialize;
use std::path::{Path, PathBuf};
use survey::failure::SurveyError;
use survey::folder::Run;
use survey::manifest::UnitRow;
use survey::verify::Verified;

/// Slowest units that are listed.
const SLOWEST: usize = 20;
/// Lines of what is wrong that are listed; the JSON has all.
const WRONG: usize = 40;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The run cannot be read.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// A file cannot be written.
    #[error("{path}: {source}")]
    Io {
        /// File.
        path: String,
        /// Reason.
        source: std::io::Error,
    },
    /// The page cannot be made.
    #[error("the page: {0}")]
    Page(#[from] minijinja::Error),
    /// A figure cannot be drawn.
    #[error(transparent)]
    Figure(#[from] validate::ValidateError),
    /// The numbers cannot be written down.
    #[error("the numbers: {0}")]
    Json(#[from] serde_json::Error),
}

/// What reading all products found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Units whose products are all as recorded.
    pub whole: usize,
    /// Products that were read.
    pub products: usize,
    /// A line for each unit that is not whole.
    pub wrong: Vec<String>,
    /// Products that two attempts made with different bytes.
    pub differing: Vec<String>,
}

impl From<Verified> for Checked {
    fn from(v: Verified) -> Self {
        Self { whole: v.whole, products: v.products, wrong: v.wrong, differing: v.differing }
    }
}

/// The numbers of a report.
#[derive(Debug, Clone, Serialize)]
pub struct Numbers {
    /// The run as the service has it.
    #[serde(flatten)]
    pub run: RunDetail,
    /// Time from the first event to the last \[s\].
    pub lasted_s: Option<f64>,
    /// Exposures all of whose units are done.
    pub exposures_done: usize,
    /// Cost and memory by detector.
    pub detectors: Vec<Spread>,
    /// Failures by reason.
    pub failures: Vec<FailureGroup>,
    /// Chunks.
    pub chunks: Vec<Chunk>,
    /// Units that took longest.
    pub slowest_units: Vec<Unit>,
    /// What reading all products found; none when that was not asked for.
    pub verified: Option<Checked>,
}

impl Numbers {
    fn of(id: &str, s: &Snapshot, verified: Option<Verified>) -> Self {
        let run = handlers::detail(id, s);
        let done = |span: &(usize, usize)| s.views[span.0..span.1].iter().all(|v| v.standing() == Standing::Done);
        Self {
            lasted_s: s.events.map(|(first, last)| last - first),
            exposures_done: coverage::spans(&s.units).iter().filter(|span| done(span)).count(),
            detectors: Spread::of_groups(s.iter(), |unit: &UnitRow| unit.detector.to_string()),
            failures: handlers::failures_of(s),
            chunks: handlers::chunks_of(s),
            slowest_units: handlers::slowest(s, SLOWEST),
            verified: verified.map(Checked::from),
            run,
        }
    }
}

/// Writes `report.html` and `report.json` of a run into a folder (made when absent) and gives back the page's path. `outlines` are those of the
/// detectors, empty where they are not known; `verified` is what [`survey::verify::verify`] found, if it was asked.
///
/// # Errors
/// When the run cannot be read, a figure cannot be drawn, or the folder cannot be written.
pub fn write(out: &Path, run: &Run, outlines: &[Detector], verified: Option<Verified>) -> Result<PathBuf, ReportError> {
    let folder = std::fs::canonicalize(run.path()).unwrap_or_else(|_| run.path().to_path_buf());
    let id = folder.file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy().into_owned());
    let snapshot = Watched::new(id.clone(), run.clone()).snapshot()?;
    let numbers = Numbers::of(&id, &snapshot, verified);
    std::fs::create_dir_all(out).map_err(|source| ReportError::Io { path: out.display().to_string(), source })?;
    let put = |name: &str, bytes: &[u8]| {
        let path = out.join(name);
        sim_core::files::write_atomically(&path, bytes).map_err(|source| ReportError::Io { path: path.display().to_string(), source })?;
        Ok::<_, ReportError>(path)
    };
    put(validate::report::NUMBERS, &serde_json::to_vec_pretty(&numbers)?)?;
    put(validate::report::PAGE, page(&numbers, &snapshot, outlines)?.as_bytes())
}

/// A figure: heading, SVG, caption.
#[derive(Serialize)]
struct Figure {
    title: String,
    svg: Value,
    caption: String,
}

fn figure(title: &str, svg: String, caption: impl Into<String>) -> Figure {
    Figure { title: title.into(), svg: Value::from_safe_string(svg), caption: caption.into() }
}

fn page(n: &Numbers, s: &Snapshot, outlines: &[Detector]) -> Result<String, ReportError> {
    let (mut figures, mut pace) = (Vec::new(), Vec::new());
    if n.run.history.made.len() > 1 {
        let caption = "Units made (blue) and failed (orange) from the first event of the journals to the last.";
        pace.push(figure("Units over time", figures::pace(&n.run.history)?, caption));
    }
    for (title, groups) in [("band", &n.run.bands), ("detector", &n.detectors)] {
        if groups.iter().any(|g| g.timed > 0) {
            let caption = "Processor time of a unit: whisker from least to greatest, box between the quartiles, bar at the median; the triangle is the mean that the plan expected.";
            figures.push(figure(&format!("Cost by {title}"), figures::cost(groups)?, caption));
            let caption = "Peak memory of the process meanwhile, with whatever units were beside it; the triangle is the greatest memory that was planned for a unit.";
            figures.push(figure(&format!("Memory by {title}"), figures::memory(groups)?, caption));
        }
    }
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("span", shown);
    environment.add_filter("size", size);
    environment.add_filter("date", date);
    environment.add_filter("hours", hours);
    environment.add_filter("whole", whole);
    environment.add_template("page", include_str!("page.html"))?;
    let status = &n.run.status;
    let wrong: Vec<&String> = n.verified.iter().flat_map(|v| &v.wrong).take(WRONG).collect();
    let estimate = (status.expected_s > 0.0).then(|| status.cpu_s / status.expected_s);
    Ok(environment.get_template("page")?.render(context! {
        style => Value::from_safe_string(validate::report::STYLE.into()),
        n => Value::from_serialize(n),
        complete => status.is_complete(),
        estimate,
        figures,
        pace,
        wrong,
        sky => sky::panels(s, outlines).into_iter().map(|(title, svg)| figure(&title, svg, "")).collect::<Vec<_>>(),
        version => env!("CARGO_PKG_VERSION"),
    })?)
}

/// A length of time in the largest unit that fits.
fn shown(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.2} s"),
        s if s < 7200.0 => format!("{:.1} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} d", s / 86_400.0),
    }
}

fn size(bytes: f64) -> String {
    let units = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    units
        .iter()
        .find(|(least, _)| bytes >= *least)
        .map_or_else(|| format!("{bytes:.0} B"), |(least, unit)| format!("{:.2} {unit}", bytes / least))
}

/// Core-seconds as core-hours, with digits that fit.
fn hours(core_s: f64) -> String {
    match core_s / 3600.0 {
        h if h >= 100.0 => whole(h.round() as u64),
        h if h >= 0.1 => format!("{h:.2}"),
        h => format!("{h:.6}"),
    }
}

/// A whole number with its thousands parted by thin spaces.
fn whole(n: u64) -> String {
    let digits = n.to_string();
    let parts: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|part| std::str::from_utf8(part).ok()).collect();
    parts.join("\u{2009}")
}

/// Seconds since 1970 UTC as a date.
fn date(seconds: f64) -> String {
    // The Julian date of 1970-01-01 00:00.
    let Ok((year, month, day, part)) = sofars::cal::jd2cal(2_440_587.5, seconds / 86_400.0) else { return String::new() };
    let minutes = (1440.0 * part) as u32;
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_lengths_and_sizes_are_said_in_fitting_units() {
        assert_eq!(date(0.0), "1970-01-01 00:00 UTC");
        assert_eq!(date(1_795_341_701.08), "2026-11-22 10:01 UTC");
        assert_eq!(
            (shown(1.5), shown(600.0), size(12.9e6), size(3.0)),
            ("1.50 s".into(), "10.0 min".into(), "12.90 MB".into(), "3 B".into())
        );
    }
}
