//! How cost and memory spread over the units of a band or a detector.

use crate::snapshot::UnitView;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use survey::manifest::UnitRow;
use survey::status::UnitState;

/// Least, lower quartile, median, upper quartile, greatest.
pub type Five = [f64; 5];

/// The units of a group that are done and were timed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Spread {
    /// Band or detector.
    pub group: String,
    /// Units of the run in it.
    pub units: usize,
    /// Of those, done and timed.
    pub timed: usize,
    /// Processor time of a unit \[s\]: least, lower quartile, median, upper quartile, greatest; none before the first.
    pub cpu_s: Option<Five>,
    /// Mean cost that was expected of those \[core-s\].
    pub expected_s: f64,
    /// Peak memory of the process meanwhile \[MB\], as `cpu_s`.
    pub peak_mb: Option<Five>,
    /// Greatest memory that was planned for a unit \[MB\].
    pub planned_mb: f64,
    /// Mean number of objects of those.
    pub objects: f64,
}

/// Five numbers of values; quantiles are those of the sorted values, linear between them.
#[must_use]
pub fn five(mut values: Vec<f64>) -> Option<Five> {
    if values.is_empty() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let at = |q: f64| {
        let place = q * (values.len() - 1) as f64;
        let (low, high) = (place.floor() as usize, place.ceil() as usize);
        values[low] + (values[high] - values[low]) * (place - low as f64)
    };
    Some([at(0.0), at(0.25), at(0.5), at(0.75), at(1.0)])
}

impl Spread {
    /// Groups in the order of their names (numbers by value).
    #[must_use]
    pub fn of_groups<'a>(units: impl Iterator<Item = (&'a UnitRow, &'a UnitView)>, group: impl Fn(&UnitRow) -> String) -> Vec<Self> {
        let mut groups: BTreeMap<(u64, String), Vec<(&UnitRow, &UnitView)>> = BTreeMap::new();
        for (unit, view) in units {
            let name = group(unit);
            groups.entry((name.parse().unwrap_or(u64::MAX), name)).or_default().push((unit, view));
        }
        groups.into_iter().map(|((_, name), members)| Self::of(name, &members)).collect()
    }

    fn of(group: String, members: &[(&UnitRow, &UnitView)]) -> Self {
        let timed: Vec<_> = members.iter().filter(|(_, v)| v.state == UnitState::Done && v.cpu_s.is_some()).collect();
        let mean = |sum: f64| if timed.is_empty() { 0.0 } else { sum / timed.len() as f64 };
        Self {
            group,
            units: members.len(),
            timed: timed.len(),
            cpu_s: five(timed.iter().filter_map(|(_, v)| v.cpu_s).collect()),
            expected_s: mean(timed.iter().map(|(u, _)| u.cost_s).sum()),
            peak_mb: five(timed.iter().filter_map(|(_, v)| v.peak_mb).collect()),
            planned_mb: members.iter().map(|(u, _)| u.memory_mb).fold(0.0, f64::max),
            objects: mean(timed.iter().filter_map(|(_, v)| v.objects).sum::<u64>() as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_numbers_are_quantiles_of_the_sorted_values() {
        assert_eq!(five(vec![4.0, 0.0, 2.0, 1.0, 3.0]), Some([0.0, 1.0, 2.0, 3.0, 4.0]));
        assert_eq!(five(vec![1.0, 2.0]), Some([1.0, 1.25, 1.5, 1.75, 2.0]));
        assert_eq!(five(Vec::new()), None);
    }
}
