//! Scenarios: what to simulate, the units of work it splits into, and the runs that make, reduce and judge them.
//!
//! The walk of a run: [`scenario`] (a file a person writes) -> [`mod@unit`] (exposure x detector) -> [`simulate`] (level 0
//! and truth) -> [`reduce`] (masters, level 1) -> [`judge`] (measures, verdict, report). [`folder`] is the one place
//! that knows where things lie on disk.

pub mod before_after;
pub mod bench;
pub mod folder;
pub mod history;
pub mod ideal;
pub mod judge;
pub mod moving;
pub mod pair;
pub mod progress;
pub mod reduce;
pub mod reduced;
pub mod references;
pub mod remake;
pub mod scenario;
pub mod simulate;
pub mod sky;
pub mod slitless_light;
pub mod spectra;
pub mod survey_run;
pub mod unit;

/// The error and its causes, each once: an error whose text ends with that of its cause says it already.
#[must_use]
pub fn in_words(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text.is_empty() {
        true => cause,
        false if text.ends_with(&cause) => text,
        false => format!("{text}: {cause}"),
    })
}
