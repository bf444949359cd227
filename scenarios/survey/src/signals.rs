//! Stopping when asked: the first SIGINT, SIGTERM or SIGUSR1 asks, a second SIGINT or SIGTERM ends the process at once.
//!
//! SIGUSR1 never ends it at once: batch systems send it before the time limit, and scripts forward it for signals that the process may
//! have had itself, so that it can come twice.
//!
//! Ending at once is harmless: what was being written has a temporary name. Batch systems send SIGKILL some 30 s after SIGTERM
//! (Slurm's `KillWait`), so a process that was asked and is still at work after a time of grace ends itself with the exit code that
//! says "run me again".

use crate::failure::Exit;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whether to stop; clones ask and hear the same.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Nobody has asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// Asks to stop.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
    /// Whether somebody asked.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Listens for SIGINT, SIGTERM and SIGUSR1 from now on; units that are not whole within `grace` after the first are given up.
///
/// # Errors
/// When the system refuses.
pub fn listen(stop: &Stop, grace: Duration) -> std::io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGUSR1])?;
    let stop = stop.clone();
    let leave = || signal_hook::low_level::exit(i32::from(Exit::Interrupted.code()));
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            match (stop.is_asked(), signal) {
                (true, SIGUSR1) => continue,
                (true, _) => leave(),
                (false, _) => {}
            }
            stop.ask();
            std::thread::spawn(move || {
                std::thread::sleep(grace);
                leave();
            });
        }
    })?;
    Ok(())
}
