//! What an array is to do and what its elements need, from the manifest.
//!
//! # Formula
//! Chunk k is made by element k mod N, N elements in all: chunks next to each other cost about the same, so a stride spreads them evenly.
//! An element's time is f max(Sum c_i / C, max c_i) + t_0; its memory is 1.1 W m + m_0, with W = min(C, units of the element).
//! # Symbols
//! c_i: expected cost of unit i \[core-s\]; C: processors of an element; f: factor on the time; t_0: time to begin \[s\]; W: units at work at once;
//! m: the most memory a unit is expected to need \[MB\]; m_0: memory beside units \[MB\].
//! # Source
//! The manifest; f, t_0, m_0 and the 10 % are assumed: clusters share memory bandwidth and file systems, which the cost model's idle core did not.
//! # Limits
//! One limit of time and memory serves all elements of an array: that of the one that needs most.

use crate::failure::SurveyError;
use crate::folder::Run;
use crate::manifest::UnitRow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Time to begin \[s\]: reading the manifest, the survey, instruments and journals.
const BEGIN_S: f64 = 120.0;
/// Least time asked for \[s\].
const LEAST_S: f64 = 600.0;
/// Memory beside units \[MB\].
const BESIDE_MB: f64 = 256.0;
/// Memory asked for, of what units are expected to need.
const MORE_MEMORY: f64 = 1.1;

/// What the user wants of an array.
#[derive(Debug, Clone, PartialEq)]
pub struct Wishes {
    /// Processors of an element.
    pub cpus: u16,
    /// Memory of an element \[MB\]; from the manifest when absent.
    pub memory_mb: Option<f64>,
    /// Time limit of an element \[s\]; from the manifest when absent.
    pub time_s: Option<f64>,
    /// Factor on the expected time, where that is used.
    pub time_factor: f64,
    /// Elements at most; as many as chunks, or as the engine takes, when absent.
    pub elements: Option<u32>,
    /// Elements at work at once, at most.
    pub at_once: Option<u32>,
}

/// An array of elements.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Name for people, of letters, digits and dashes.
    pub name: String,
    /// The run.
    pub run: Run,
    /// The program.
    pub program: PathBuf,
    /// List of units in place of the run's own manifest (`run --retry=LIST`).
    pub list: Option<PathBuf>,
    /// Chunks of the list.
    pub chunks: u32,
    /// Elements: element k makes the chunks k, k + elements, ...
    pub elements: u32,
    /// Elements at work at once, at most.
    pub at_once: Option<u32>,
    /// Processors of an element.
    pub cpus: u16,
    /// Memory that units of an element may need together, as planned \[MB\].
    pub units_mb: f64,
    /// Memory of an element \[MB\].
    pub memory_mb: u64,
    /// Time limit of an element \[s\], whole minutes.
    pub time_s: u64,
}

impl Job {
    /// The array that makes these units, with at most `most` elements.
    ///
    /// # Errors
    /// When there are no units, or a wish cannot be met.
    pub fn new(run: &Path, program: &Path, units: &[UnitRow], wishes: &Wishes, most: u32) -> Result<Self, SurveyError> {
        let range = |key, value: String, range: &str| SurveyError::Range { key, value, range: range.into() };
        let chunks = units.iter().map(|u| u.chunk + 1).max().ok_or_else(|| range("units", "0".into(), "1 and more"))?;
        if wishes.elements == Some(0) || wishes.at_once == Some(0) || wishes.cpus == 0 {
            return Err(range("--elements, --at-once or --cpus", "0".into(), "1 and more"));
        }
        if !(wishes.time_factor > 0.0 && wishes.time_s.is_none_or(|s| s > 0.0)) {
            return Err(range("--time-factor or --minutes", "0".into(), "above 0"));
        }
        let elements = chunks.min(most).min(wishes.elements.unwrap_or(u32::MAX)).max(1);
        let mut of_element: BTreeMap<u32, (usize, f64)> = BTreeMap::new();
        for unit in units {
            let (count, cost) = of_element.entry(unit.chunk % elements).or_default();
            (*count, *cost) = (*count + 1, *cost + unit.cost_s);
        }
        let cpus = f64::from(wishes.cpus);
        let most_of = |value: fn(&UnitRow) -> f64| units.iter().map(value).fold(0.0, f64::max);
        let (dearest, largest_mb) = (most_of(|u| u.cost_s), most_of(|u| u.memory_mb));
        let at_work = of_element.values().map(|(count, _)| *count as f64).fold(1.0, f64::max).min(cpus);
        let core_s = of_element.values().map(|(_, cost)| *cost).fold(0.0, f64::max);
        let expected_s = (wishes.time_factor * (core_s / cpus).max(dearest) + BEGIN_S).max(LEAST_S);
        let (memory_mb, units_mb) = match wishes.memory_mb {
            None => (MORE_MEMORY * at_work * largest_mb + BESIDE_MB, at_work * largest_mb),
            Some(given) => (given, (given - BESIDE_MB) / MORE_MEMORY),
        };
        if units_mb < largest_mb {
            let least = format!("{:.0} MB and more: a unit is expected to need {largest_mb:.0}", MORE_MEMORY * largest_mb + BESIDE_MB);
            return Err(range("--memory", format!("{memory_mb:.0} MB"), &least));
        }
        Ok(Self {
            name: name(run),
            run: Run::at(run),
            program: program.to_path_buf(),
            list: None,
            chunks,
            elements,
            at_once: wishes.at_once,
            cpus: wishes.cpus,
            units_mb,
            memory_mb: memory_mb.ceil() as u64,
            time_s: ((wishes.time_s.unwrap_or(expected_s) / 60.0).ceil() * 60.0) as u64,
        })
    }

    /// The words of the command of an element; `index` is what the batch system puts in the place of the element's number.
    #[must_use]
    pub fn command(&self, index: &str) -> Vec<String> {
        self.command_at(&self.program.to_string_lossy(), self.run.path(), index)
    }

    /// The same for a program and a folder that have other names where the elements run.
    pub(super) fn command_at(&self, program: &str, run: &Path, index: &str) -> Vec<String> {
        let mut words = vec![program.to_string(), "--jobs".into(), self.cpus.to_string(), "run".into(), run.to_string_lossy().into_owned()];
        if let Some(list) = &self.list {
            let list = list.strip_prefix(self.run.path()).map_or_else(|_| list.clone(), |inner| run.join(inner));
            words.push(format!("--retry={}", list.display()));
        }
        words.extend(["--chunk".into(), index.into()]);
        if self.elements < self.chunks {
            words.extend(["--stride".into(), self.elements.to_string()]);
        }
        words.extend(["--memory".into(), format!("{:.3}", self.units_mb / 1000.0)]);
        words
    }

    /// What it asks for, in words.
    #[must_use]
    pub fn in_words(&self) -> String {
        let each = match self.chunks.div_ceil(self.elements) {
            1 => "a chunk each".into(),
            more => format!("up to {more} chunks each"),
        };
        let (hours, minutes) = (self.time_s / 3600, self.time_s / 60 % 60);
        let (elements, cpus, memory) = (self.elements, self.cpus, self.memory_mb);
        format!("{elements} elements, {each}, of {cpus} processors, {memory} MB and {hours}:{minutes:02} h")
    }
}

/// A name that every engine takes: of the folder's letters, digits and dashes, at most 50.
fn name(run: &Path) -> String {
    let folder = run.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    let plain: String = folder.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(41).collect();
    let plain = plain.trim_matches('-');
    if plain.is_empty() { "skyloop".into() } else { format!("skyloop-{plain}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(chunks: u32, of_chunk: u32) -> Vec<UnitRow> {
        let unit = |k: u32| UnitRow { index: k, chunk: k / of_chunk, cost_s: 90.0, memory_mb: 1000.0, ..UnitRow::default() };
        (0..chunks * of_chunk).map(unit).collect()
    }

    fn wishes() -> Wishes {
        Wishes { cpus: 4, memory_mb: None, time_s: None, time_factor: 2.0, elements: None, at_once: None }
    }

    fn job(units: &[UnitRow], wishes: &Wishes, most: u32) -> Result<Job, SurveyError> {
        Job::new(Path::new("/data/Survey 50_deg2!"), Path::new("/bin/skyloop"), units, wishes, most)
    }

    #[test]
    fn elements_have_the_time_and_memory_of_the_one_that_needs_most() {
        let units = units(7, 30);
        let all = job(&units, &wishes(), 1001).unwrap();
        assert_eq!((all.elements, all.chunks, all.name.as_str()), (7, 7, "skyloop-survey-50-deg2"));
        // 2 x 30 x 90 / 4 + 120 s, in whole minutes; 4 units of 1000 MB.
        assert_eq!((all.time_s, all.memory_mb), (1500, 4656));
        assert!(!all.command("3").contains(&"--stride".to_string()));
        // Three chunks in the first of three elements.
        let few = job(&units, &wishes(), 3).unwrap();
        assert_eq!((few.elements, few.time_s), (3, 4200));
        assert_eq!(few.command("2").join(" "), "/bin/skyloop --jobs 4 run /data/Survey 50_deg2! --chunk 2 --stride 3 --memory 4.000");
        assert_eq!(few.in_words(), "3 elements, up to 3 chunks each, of 4 processors, 4656 MB and 1:10 h");
    }

    #[test]
    fn wishes_that_cannot_be_met_are_refused() {
        let units = units(2, 2);
        let with = |change: fn(&mut Wishes)| {
            let mut wishes = wishes();
            change(&mut wishes);
            job(&units, &wishes, 1001)
        };
        assert!((with(|w| w.memory_mb = Some(2456.0)).unwrap().units_mb - 2000.0).abs() < 1e-6);
        assert!(with(|w| w.memory_mb = Some(1300.0)).unwrap_err().to_string().contains("1356 MB and more"));
        assert!(with(|w| w.elements = Some(0)).is_err() && with(|w| w.cpus = 0).is_err() && with(|w| w.time_s = Some(0.0)).is_err());
        assert!(job(&[], &wishes(), 10).is_err());
    }
}
