//! `plan`, `run`, `status`, `retry`, `collect`, `clean`, and `verify` of a run: surveys of many exposures.

use super::survey_watch::Watch;
use anyhow::{Context as _, anyhow};
use clap::Args;
use scenarios::in_words;
use scenarios::survey_run::maker::Maker;
use scenarios::survey_run::plan::Planned;
use scenarios::survey_run::spec::Choice;
use sim_core::files::write_atomically;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use survey::chunks::Wanted;
use survey::collect::Database;
use survey::executor::{self, Options};
use survey::failure::{ErrorClass, Exit, SurveyError};
use survey::folder::Run;
use survey::manifest::{self, UnitRow};
use survey::signals::{self, Stop};
use survey::submit::records;
use survey::{clean, collect, memory, retry, status, store, verify};

/// How long units at work may go on after the first signal: batch systems wait 30 s before they kill (Slurm's `KillWait`).
const GRACE: Duration = Duration::from_secs(20);
/// Share of the free memory that units may take when nothing is said.
const FREE_SHARE: f64 = 0.8;
/// Where batch systems tell a job which of an array it is. HyperQueue and Kubernetes first: their workers may run in an array of the others.
const INDEX_VARIABLES: [&str; 4] = ["HQ_TASK_ID", "JOB_COMPLETION_INDEX", "SLURM_ARRAY_TASK_ID", "PBS_ARRAY_INDEX"];

/// How a survey is divided.
#[derive(Debug, Args)]
pub struct Division {
    /// Divide the exposures into at most N chunks of nearly equal cost; one chunk for each exposure when absent.
    #[arg(long, value_name = "N", conflicts_with = "chunk_hours")]
    chunks: Option<usize>,
    /// Divide the exposures into chunks of about H core-hours.
    #[arg(long, value_name = "H")]
    chunk_hours: Option<f64>,
}

impl Division {
    fn wanted(&self) -> Wanted {
        match (self.chunks, self.chunk_hours) {
            (Some(count), _) => Wanted::Count(count),
            (None, Some(hours)) => Wanted::Cost(hours * 3600.0),
            (None, None) => Wanted::PerExposure,
        }
    }
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Survey file, or the name of a shipped one: cutout, survey25, survey50_wide, survey50_deep, survey1000; those with an area also as NAME_exposure and NAME_chip, one
    /// exposure of all detectors or of one.
    survey: String,
    /// Folder of the run.
    #[arg(long, value_name = "RUN", required_unless_present = "estimate")]
    out: Option<PathBuf>,
    /// Table of pointings in place of the survey's, as `skyloop pointings` writes it.
    #[arg(long, value_name = "TABLE")]
    pointings: Option<PathBuf>,
    /// The first N exposures alone.
    #[arg(long, value_name = "N")]
    exposures: Option<usize>,
    /// Detectors in place of the survey's, separated by commas.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    detectors: Vec<u16>,
    #[command(flatten)]
    division: Division,
    /// Keep the products in an object store: s3://BUCKET/PREFIX. Endpoint and keys are read from S3_ENDPOINT_URL, S3_KEY and S3_SECRET, or the AWS_ names, when units are made.
    #[arg(long, value_name = "URL", requires = "out")]
    store: Option<String>,
    /// Print core-hours, bytes and memory; without --out nothing is written.
    #[arg(long)]
    estimate: bool,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Folder made by `plan`.
    run: PathBuf,
    /// Make the units of this chunk alone: a number from 0, or `env` for the index that the batch system gives (HQ_TASK_ID,
    /// JOB_COMPLETION_INDEX, SLURM_ARRAY_TASK_ID, PBS_ARRAY_INDEX).
    #[arg(long, value_name = "K|env")]
    chunk: Option<String>,
    /// With --chunk K, make the chunks K, K + N, K + 2 N, ...: element K of an array of N elements for more chunks than that.
    #[arg(long, value_name = "N", requires = "chunk", value_parser = clap::value_parser!(u32).range(1..))]
    stride: Option<u32>,
    /// Make what `skyloop retry` found missing or failed; chunks are then those of its list, RUN/units.retry.parquet or a copy.
    #[arg(long, value_name = "LIST", num_args = 0..=1, require_equals = true)]
    retry: Option<Option<PathBuf>>,
    /// Memory that the units at work may need together, as planned \[GB\]; 80 % of what is free when absent.
    #[arg(long, value_name = "GB")]
    memory: Option<f64>,
    /// Replace products that were made with another key; they are refused otherwise.
    #[arg(long)]
    rerun_stale: bool,
    /// Begin no more units after N failures.
    #[arg(long, value_name = "N")]
    max_failures: Option<usize>,
}

/// Does it, says what went wrong, and ends as batch systems understand it.
pub(super) fn ended(what: impl FnOnce() -> anyhow::Result<Exit>) -> ExitCode {
    let exit = what().unwrap_or_else(|error| {
        eprintln!("skyloop: {}", in_words(&error));
        match error.downcast_ref::<SurveyError>() {
            Some(e) => e.exit(),
            None if ErrorClass::of(error.as_ref()) == ErrorClass::Storage => Exit::UnitFailed,
            None => Exit::BadInput,
        }
    });
    ExitCode::from(exit.code())
}

/// The units of a run: the folder has to be one.
pub(super) fn units(run: &Run, path: &Path) -> anyhow::Result<Vec<UnitRow>> {
    manifest::read(path).with_context(|| format!("{}: not a planned run; `skyloop plan` makes one", run.path().display()))
}

pub fn plan(args: &PlanArgs) -> ExitCode {
    ended(|| {
        // Refused before anything is written.
        args.store.as_deref().map(|url| store::Bucket::named(url, None)).transpose()?;
        let choice = Choice { pointings: args.pointings.clone(), exposures: args.exposures, detectors: args.detectors.clone() };
        let planned = Planned::new(&args.survey, &choice, args.division.wanted())?;
        println!("{}: {} units in {} chunks", planned.survey.name, planned.rows.len(), planned.chunks);
        if args.estimate {
            println!("{}", planned.estimate());
        }
        if let Some(out) = &args.out {
            let run = Run::at(out);
            args.store.as_deref().map(|url| store::may_go_to(&run, url)).transpose()?;
            planned.write(out)?;
            args.store.as_deref().map(|url| store::describe(&run, url)).transpose()?;
            println!("planned in {}", out.display());
        }
        Ok(Exit::Done)
    })
}

pub fn run(args: &RunArgs, jobs: Option<u16>, quiet: bool) -> ExitCode {
    ended(|| {
        let run = Run::at(&args.run);
        let all = units(&run, &run.units())?;
        let list = match &args.retry {
            Some(list) => {
                let path = list.clone().unwrap_or_else(|| run.retry());
                manifest::read(&path).context("nothing to retry; `skyloop retry` makes the list")?
            }
            None => all.clone(),
        };
        let chunk = args.chunk.as_deref().map(chunk_index).transpose();
        let (chunk, last) = match (chunk, list.last()) {
            (Ok(chunk), Some(last)) => (chunk, last.chunk),
            (Ok(_), None) => return Ok(Exit::Done),
            (Err(error), _) => {
                eprintln!("skyloop: {error}");
                return Ok(Exit::Usage);
            }
        };
        // Without a stride every chunk is an element's of its own.
        let stride = args.stride.unwrap_or(u32::MAX);
        if let Some(k) = chunk.filter(|k| *k > last || *k >= stride) {
            eprintln!("skyloop: --chunk {k}: the chunks are 0..{}", last.min(stride - 1));
            return Ok(Exit::Usage);
        }
        let chosen: Vec<&UnitRow> = list.iter().filter(|unit| chunk.is_none_or(|k| unit.chunk % stride == k)).collect();
        let free_mb = || memory::available_mb().map_or(f64::INFINITY, |mb| FREE_SHARE * mb);
        let threads = jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
        let options = Options {
            memory_mb: args.memory.map_or_else(free_mb, |gb| 1000.0 * gb),
            threads,
            rerun_stale: args.rerun_stale,
            max_failures: args.max_failures,
        };
        let stop = Stop::new();
        signals::listen(&stop, GRACE)?;
        let maker = Maker::new(&args.run, &all)?;
        maker.check(&chosen)?;
        let watch = Watch::new(&chosen, executor::workers(&chosen, &options), quiet);
        let summary = executor::run(&run, &chosen, &maker, &options, &stop, &|event| watch.see(event))?;
        watch.end(&summary, &args.run);
        Ok(summary.exit())
    })
}

/// The chunk that `--chunk` means.
fn chunk_index(given: &str) -> anyhow::Result<u32> {
    let (name, value) = match given {
        "env" => INDEX_VARIABLES
            .iter()
            .find_map(|name| Some((*name, std::env::var(name).ok()?)))
            .ok_or_else(|| anyhow!("--chunk env: none of {} is set", INDEX_VARIABLES.join(", ")))?,
        number => ("--chunk", number.to_string()),
    };
    value.parse().map_err(|_| anyhow!("{name} = {value:?} is not a number from 0, nor `env`"))
}

pub fn status(folder: &Path, json: bool, queue: bool, prometheus: Option<&Path>) -> ExitCode {
    ended(|| {
        let run = Run::at(folder);
        units(&run, &run.units())?;
        let status = status::status(&run)?;
        let standing = queue.then(|| records::standing(&run)).transpose()?;
        if let Some(path) = prometheus {
            let absolute = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
            let name = absolute.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            write_atomically(path, console::metrics::text(&[(&name, &status)]).as_bytes()).with_context(|| path.display().to_string())?;
        }
        if json {
            let mut value = serde_json::to_value(&status)?;
            if let Some(standing) = standing {
                value["queue"] = serde_json::to_value(standing)?;
            }
            println!("{}", serde_json::to_string_pretty(&value)?);
        } else {
            println!("{status}");
            if let Some(standing) = standing {
                println!("elements in queues: {} waiting, {} at work", standing.queued, standing.running);
            }
        }
        Ok(status.exit())
    })
}

pub fn retry(folder: &Path, division: &Division) -> ExitCode {
    ended(|| {
        let found = retry::retry(&Run::at(folder), division.wanted())?;
        println!("{} units to make again, in {} chunks", found.units, found.chunks);
        if found.refused > 0 {
            println!("{} units left out: bad input, or products of another key; see `skyloop status`", found.refused);
        }
        if found.with_more_memory > 0 {
            println!("{} were begun without an end: half as much memory again is planned for them", found.with_more_memory);
        }
        if found.units > 0 {
            println!("`skyloop run {} --retry` makes them, `skyloop submit --retry` has them made", folder.display());
        }
        Ok(Exit::Done)
    })
}

pub fn collect(folder: &Path, database: Option<&str>, parquet: Option<&Path>) -> ExitCode {
    ended(|| {
        let run = Run::at(folder);
        if let Some(path) = parquet {
            println!("{} units in {}", collect::export(&run, path)?, path.display());
        }
        if database.is_some() || parquet.is_none() {
            let (name, database) = match database {
                Some(name) => (name.to_string(), Database::named(name)),
                None => (run.database().display().to_string(), Database::Sqlite(run.database())),
            };
            let collected = collect::collect(&run, &database)?;
            println!("{} units and {} new lines of journals in {name}", collected.units, collected.new_lines);
        }
        Ok(Exit::Done)
    })
}

pub fn clean(folder: &Path, all_hosts: bool) -> ExitCode {
    ended(|| {
        println!("{} temporary files removed", clean::clean(&Run::at(folder), all_hosts)?);
        Ok(Exit::Done)
    })
}

/// Whether a folder is that of a survey run.
pub fn is_run(folder: &Path) -> bool {
    Run::at(folder).units().is_file()
}

pub fn verify(folder: &Path) -> ExitCode {
    ended(|| {
        let found = verify::verify(&Run::at(folder))?;
        found.wrong.iter().for_each(|wrong| println!("{wrong}"));
        found.differing.iter().for_each(|path| println!("{path}: made twice from the same, with different bytes"));
        println!("{} units whole ({} products as recorded), {} not", found.whole, found.products, found.wrong.len());
        Ok(found.exit())
    })
}
