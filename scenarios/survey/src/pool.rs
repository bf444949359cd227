//! Which unit is next: the first that fits what the others leave of the memory.

use crate::manifest::UnitRow;
use crate::signals::Stop;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a worker waits for memory before it looks whether it has been asked to stop.
const LOOK: Duration = Duration::from_millis(50);

/// Units that wait, and what those at work take.
pub(crate) struct Pool<'a> {
    budget_mb: f64,
    inner: Mutex<Inner<'a>>,
    changed: Condvar,
}

struct Inner<'a> {
    waiting: VecDeque<&'a UnitRow>,
    at_work: u32,
    taken_mb: f64,
    most_mb: f64,
    halted: Option<String>,
}

impl<'a> Pool<'a> {
    /// All of these units wait.
    pub fn new(units: impl IntoIterator<Item = &'a UnitRow>, budget_mb: f64) -> Self {
        let inner = Inner { waiting: units.into_iter().collect(), at_work: 0, taken_mb: 0.0, most_mb: 0.0, halted: None };
        Self { budget_mb, inner: Mutex::new(inner), changed: Condvar::new() }
    }
    fn lock(&self) -> MutexGuard<'_, Inner<'a>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// The next unit and how many are at work beside it; waits until one fits. A unit that never fits is made alone. `None` when there is
    /// no more to do, or the run is to stop.
    pub fn take(&self, stop: &Stop) -> Option<(&'a UnitRow, u32)> {
        let mut inner = self.lock();
        loop {
            if stop.is_asked() || inner.halted.is_some() || inner.waiting.is_empty() {
                return None;
            }
            let left_mb = self.budget_mb - inner.taken_mb;
            let alone = inner.at_work == 0;
            let next = inner.waiting.iter().position(|u| u.memory_mb <= left_mb).or(alone.then_some(0));
            if let Some(unit) = next.and_then(|k| inner.waiting.remove(k)) {
                let beside = inner.at_work;
                inner.at_work += 1;
                inner.taken_mb += unit.memory_mb;
                inner.most_mb = inner.most_mb.max(inner.taken_mb);
                return Some((unit, beside));
            }
            inner = self.changed.wait_timeout(inner, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
    /// A unit is no longer at work.
    pub fn leave(&self, unit: &UnitRow) {
        let mut inner = self.lock();
        inner.at_work -= 1;
        inner.taken_mb = if inner.at_work == 0 { 0.0 } else { inner.taken_mb - unit.memory_mb };
        drop(inner);
        self.changed.notify_all();
    }
    /// No more units are given out; the first reason stays.
    pub fn halt(&self, reason: &str) {
        self.lock().halted.get_or_insert_with(|| reason.into());
        self.changed.notify_all();
    }
    /// Why no more units were given out, how many still wait, and the most memory that was taken at a time \[MB\].
    pub fn end(&self) -> (Option<String>, usize, f64) {
        let inner = self.lock();
        (inner.halted.clone(), inner.waiting.len(), inner.most_mb)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(index: u32, memory_mb: f64) -> UnitRow {
        UnitRow { index, memory_mb, ..UnitRow::default() }
    }

    #[test]
    fn the_first_unit_that_fits_is_next_and_one_that_never_fits_goes_alone() {
        let units = [unit(0, 600.0), unit(1, 500.0), unit(2, 300.0), unit(3, 5000.0)];
        let (pool, stop) = (Pool::new(&units, 1000.0), Stop::new());
        let (a, beside) = pool.take(&stop).unwrap();
        assert_eq!((a.index, beside), (0, 0));
        // 500 does not fit beside 600, 300 does.
        let (b, beside) = pool.take(&stop).unwrap();
        assert_eq!((b.index, beside), (2, 1));
        pool.leave(a);
        let (c, _) = pool.take(&stop).unwrap();
        assert_eq!(c.index, 1);
        pool.leave(b);
        pool.leave(c);
        assert_eq!(pool.take(&stop).unwrap().0.index, 3);
        assert!(pool.take(&stop).is_none());
        assert_eq!(pool.end(), (None, 0, 5000.0));
    }

    #[test]
    fn nothing_is_given_out_after_a_halt_or_a_stop() {
        let units = [unit(0, 1.0), unit(1, 1.0)];
        let (pool, stop) = (Pool::new(&units, 10.0), Stop::new());
        pool.halt("full");
        pool.halt("other");
        assert!(pool.take(&stop).is_none());
        assert_eq!(pool.end(), (Some("full".into()), 2, 0.0));
        let pool = Pool::new(&units, 10.0);
        stop.ask();
        assert!(pool.take(&stop).is_none());
    }
}
