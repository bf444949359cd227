//! Progress on a terminal: what is being done, how fast, how long still. Elsewhere, one plain line per finished unit.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// Progress of a run over equal steps.
pub struct Progress {
    bar: ProgressBar,
    terminal: bool,
    quiet: bool,
    title: String,
}

impl Progress {
    /// A bar of `steps` steps (units). `quiet` prints nothing.
    #[must_use]
    pub fn new(title: &str, steps: usize, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = if terminal && !quiet { ProgressBar::new(steps as u64) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{prefix:>10} [{bar:32}] {pos}/{len} {per_sec} left {eta}  {wide_msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(title.to_string());
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
        Self { bar, terminal, quiet, title: title.to_string() }
    }
    /// Says what is being done now.
    pub fn doing(&self, what: &str) {
        self.bar.set_message(what.to_string());
    }
    /// One step done.
    pub fn done(&self, what: &str) {
        self.bar.inc(1);
        if !self.terminal && !self.quiet {
            eprintln!("{:>10} {what}", self.title);
        }
    }
    /// A line that stays on the screen.
    pub fn say(&self, line: &str) {
        if self.quiet {
            return;
        }
        if self.terminal {
            self.bar.println(line);
        } else {
            eprintln!("{line}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
