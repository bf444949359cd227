//! `submit` and `cancel`: handing a run to a batch system.

use super::survey::{ended, units};
use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use survey::failure::Exit;
use survey::folder::Run;
use survey::manifest;
use survey::submit::{Claim, Engine, HyperQueue, Job, Kubernetes, Queue, Site, Slurm, Wishes, records};

/// A batch system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Slurm: an array of batch jobs.
    Slurm,
    /// HyperQueue: an array of tasks.
    Hq,
    /// Kubernetes: prints the manifest of an Indexed Job.
    K8s,
}

/// What may follow the elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Then {
    /// `skyloop collect`.
    Collect,
}

/// Arguments of `submit`.
#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// Folder made by `plan`; it and what the survey reads have to have the same names where the elements run.
    run: PathBuf,
    /// Batch system.
    #[arg(long, value_enum)]
    engine: Which,
    /// Print the script, and write and submit nothing.
    #[arg(long)]
    dry_run: bool,
    /// Submit what `skyloop retry` found missing or failed.
    #[arg(long)]
    retry: bool,
    /// Processors of an element.
    #[arg(long, value_name = "N", default_value_t = 4)]
    cpus: u16,
    /// Memory of an element \[GB\]; by default what the manifest expects of as many units at once as there are processors, 10 % and 0.256 GB.
    #[arg(long, value_name = "GB")]
    memory: Option<f64>,
    /// Time limit of an element \[min\]; by default the expected time by --time-factor, at least 10.
    #[arg(long, value_name = "MIN")]
    minutes: Option<f64>,
    /// Factor on the expected time.
    #[arg(long, value_name = "F", default_value_t = 2.0, conflicts_with = "minutes")]
    time_factor: f64,
    /// Elements at most. With fewer elements than chunks, element k of N makes the chunks k, k + N, ... By default as many as chunks, or as
    /// the batch system takes (Slurm: MaxArraySize of the site).
    #[arg(long, value_name = "N")]
    elements: Option<u32>,
    /// Elements at work at once, at most.
    #[arg(long, value_name = "N")]
    at_once: Option<u32>,
    /// Also submit a job that runs this command once all elements have come to an end, however they ended (Slurm).
    #[arg(long, value_enum)]
    then: Option<Then>,
    /// Database of `--then collect`, as that of `skyloop collect`.
    #[arg(long, value_name = "FILE|URL", requires = "then")]
    database: Option<String>,
    #[command(flatten, next_help_heading = "Slurm")]
    slurm: SlurmArgs,
    #[command(flatten, next_help_heading = "HyperQueue and Kubernetes")]
    other: OtherArgs,
}

/// What is for Slurm alone.
#[derive(Debug, Args)]
struct SlurmArgs {
    /// Partition.
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
    /// Account.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Quality of service.
    #[arg(long, value_name = "NAME")]
    qos: Option<String>,
    /// Constraint on nodes.
    #[arg(long, value_name = "EXPRESSION")]
    constraint: Option<String>,
    /// Another option of sbatch, such as --sbatch=--nice=100. May be given several times.
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    sbatch: Vec<String>,
    /// How often an interrupted element may begin again; 5 when absent.
    #[arg(long, value_name = "N")]
    restarts: Option<u32>,
    /// How long before its time limit an element is told to come to an end \[s\]; 120 when absent.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=65_535))]
    warning: Option<u32>,
}

/// What is for the others alone.
#[derive(Debug, Args)]
struct OtherArgs {
    /// HyperQueue: another option of `hq submit`. May be given several times.
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    hq: Vec<String>,
    /// Kubernetes: image that has `skyloop` on its PATH.
    #[arg(long, value_name = "IMAGE", required_if_eq("engine", "k8s"))]
    image: Option<String>,
    /// Kubernetes: persistent volume claim, and the run's folder in it.
    #[arg(long, value_name = "CLAIM[/FOLDER]", required_if_eq("engine", "k8s"))]
    volume_claim: Option<String>,
    /// Kubernetes: how often an index may fail; 3 when absent.
    #[arg(long, value_name = "N")]
    retries: Option<u32>,
    /// Kubernetes: secret whose entries become variables of the environment; the keys of the run's object store, where it has one, under the names that `plan --store` reads.
    #[arg(long, value_name = "NAME")]
    secret: Option<String>,
}

/// An engine, which may be one that can be called from here.
enum Chosen {
    Queue(Box<dyn Queue>),
    Printed(Kubernetes),
}

impl Chosen {
    fn engine(&self) -> &dyn Engine {
        match self {
            Self::Queue(queue) => &**queue,
            Self::Printed(kubernetes) => kubernetes,
        }
    }
}

impl SubmitArgs {
    /// Options that are for another engine, of those that were given.
    fn misplaced(&self) -> Option<&'static str> {
        let (s, o) = (&self.slurm, &self.other);
        let given = [
            (Which::Slurm, "--partition", s.partition.is_some()),
            (Which::Slurm, "--account", s.account.is_some()),
            (Which::Slurm, "--qos", s.qos.is_some()),
            (Which::Slurm, "--constraint", s.constraint.is_some()),
            (Which::Slurm, "--sbatch", !s.sbatch.is_empty()),
            (Which::Slurm, "--restarts", s.restarts.is_some()),
            (Which::Slurm, "--warning", s.warning.is_some()),
            (Which::Slurm, "--then", self.then.is_some()),
            (Which::Hq, "--hq", !o.hq.is_empty()),
            (Which::K8s, "--image", o.image.is_some()),
            (Which::K8s, "--volume-claim", o.volume_claim.is_some()),
            (Which::K8s, "--retries", o.retries.is_some()),
            (Which::K8s, "--secret", o.secret.is_some()),
        ];
        given.iter().find(|(of, _, given)| *given && *of != self.engine).map(|(_, name, _)| *name)
    }

    fn chosen(&self) -> anyhow::Result<Chosen> {
        Ok(match self.engine {
            Which::Slurm => Chosen::Queue(Box::new(self.slurm()?)),
            Which::Hq => Chosen::Queue(Box::new(HyperQueue { options: self.other.hq.clone() })),
            Which::K8s => {
                let claim = self.other.volume_claim.clone().unwrap_or_default();
                let (name, folder) = claim.split_once('/').unwrap_or((&claim, ""));
                Chosen::Printed(Kubernetes {
                    image: self.other.image.clone().unwrap_or_default(),
                    claim: Claim { name: name.into(), folder: folder.trim_matches('/').into() },
                    retries: self.other.retries.unwrap_or(3),
                    secret: self.other.secret.clone(),
                })
            }
        })
    }

    fn slurm(&self) -> anyhow::Result<Slurm> {
        let site = match Site::ask() {
            // To see a script, no cluster has to be there.
            Err(error) if self.dry_run => {
                eprintln!("skyloop: {error}; the script is for a site with Slurm's defaults");
                Site::default()
            }
            asked => asked?,
        };
        let s = &self.slurm;
        let named = [("partition", &s.partition), ("account", &s.account), ("qos", &s.qos), ("constraint", &s.constraint)];
        let named = named.into_iter().filter_map(|(key, value)| Some(format!("--{key}={}", value.as_ref()?)));
        let options = named.chain(s.sbatch.iter().cloned()).collect();
        Ok(Slurm { site, options, restarts: s.restarts.unwrap_or(5), warning_s: s.warning.unwrap_or(120) })
    }

    fn wishes(&self) -> Wishes {
        Wishes {
            cpus: self.cpus,
            memory_mb: self.memory.map(|gb| 1000.0 * gb),
            time_s: self.minutes.map(|minutes| 60.0 * minutes),
            time_factor: self.time_factor,
            elements: self.elements,
            at_once: self.at_once,
        }
    }

    /// The command for after the elements.
    fn after(&self, program: &Path, folder: &Path) -> Option<Vec<String>> {
        let Then::Collect = self.then?;
        let mut words = vec![program.to_string_lossy().into_owned(), "collect".into(), folder.to_string_lossy().into_owned()];
        words.extend(self.database.iter().flat_map(|to| ["--database".to_string(), to.clone()]));
        Some(words)
    }
}

pub fn submit(args: &SubmitArgs) -> ExitCode {
    if let Some(option) = args.misplaced() {
        let engine = args.engine.to_possible_value();
        eprintln!("skyloop: {option} is not for --engine {}", engine.as_ref().map_or("", |value| value.get_name()));
        return ExitCode::from(Exit::Usage.code());
    }
    ended(|| {
        let folder = std::path::absolute(&args.run)?;
        let program = std::env::current_exe().context("the path of this program")?;
        let run = Run::at(&folder);
        let all = units(&run, &run.units())?;
        let rows = match args.retry {
            false => all,
            true => manifest::read(&run.retry()).context("nothing to submit again; `skyloop retry` makes the list")?,
        };
        let chosen = args.chosen()?;
        let engine = chosen.engine();
        let mut job = Job::new(&folder, &program, &rows, &args.wishes(), engine.most_elements())?;
        if job.elements < job.chunks && job.elements == engine.most_elements() {
            eprintln!("skyloop: arrays here have at most {} elements, for {} chunks: elements make several", job.elements, job.chunks);
        }
        let next = records::next(&run)?;
        let then = args.after(&program, &folder);
        let queue = match &chosen {
            Chosen::Queue(queue) => queue,
            Chosen::Printed(kubernetes) => {
                job.list = args.retry.then(|| run.retry());
                print!("{}", kubernetes.text(&job)?);
                if kubernetes.secret.is_none() && survey::store::of(&run)?.is_some() {
                    eprintln!("skyloop: this run has an object store: --secret NAME gives pods its keys, unless they have them otherwise");
                }
                eprintln!("{}", job.in_words());
                return Ok(Exit::Done);
            }
        };
        job.list = args.retry.then(|| next.file("units.parquet"));
        if args.dry_run {
            print!("{}", queue.text(&job)?);
            if let Some(words) = &then {
                print!("\n# after it, in a script of its own:\n{}", queue.text_after(&job, words)?);
            }
            eprintln!("{}", job.in_words());
            return Ok(Exit::Done);
        }
        let list = args.retry.then(|| run.retry());
        let done = records::submit(&**queue, &job, &next, list.as_deref(), then.as_deref())?;
        println!("{}", job.in_words());
        println!("{} job {}{}", queue.name(), done.job, done.after.map(|after| format!(", after it job {after}")).unwrap_or_default());
        Ok(Exit::Done)
    })
}

pub fn cancel(folder: &Path) -> ExitCode {
    ended(|| {
        let run = Run::at(folder);
        units(&run, &run.units())?;
        if records::read(&run)?.is_empty() {
            return Err(anyhow!("{}: nothing was submitted from here", folder.display()));
        }
        println!("{} submissions cancelled; what is finished stays", records::cancel(&run)?);
        Ok(Exit::Done)
    })
}
