//! `skyloop`: from a catalogue to a verdict.

mod commands;

use clap::{CommandFactory, Parser, Subcommand};
use scenarios::in_words;
use scenarios::reduced::Choices;
use std::path::PathBuf;
use std::process::ExitCode;

/// Simulates the instruments of the China Space Station Survey Telescope, reduces the frames and judges the loop.
///
/// Start with `skyloop demo`: it simulates a small survey-camera scenario, makes calibration frames and masters,
/// reduces, judges, and prints the path of a report to open in a browser.
#[derive(Debug, Parser)]
#[command(name = "skyloop", version, max_term_width = 110)]
pub struct Cli {
    /// Threads to use; all cores when absent. The pixels do not depend on it.
    #[arg(long, short = 'j', global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// No progress on the terminal.
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Simulate, reduce and judge a built-in scenario; ends with the path of a report.
    Demo {
        /// Output folder.
        #[arg(long, default_value = "skyloop-demo")]
        out: PathBuf,
        /// Built-in scenario: demo, limits, radiation, imagers, detector, cti, traps, persistence, fringes, smoke.
        #[arg(long, default_value = "demo")]
        scenario: String,
    },
    /// Make the level-0 frames, calibration frames and truth of a scenario.
    Simulate {
        /// Scenario file, or the name of a built-in one.
        scenario: String,
        /// Output folder; finished units in it are kept.
        #[arg(long)]
        out: PathBuf,
        /// Also make the science exposures without this effect, all else equal to the bit, in OUT/without_EFFECT: a name of the
        /// instrument's chain (see `skyloop explain`), or `noise` for photon and read noise. May be given several times.
        #[arg(long, value_name = "EFFECT")]
        pair: Vec<String>,
    },
    /// Make masters from the calibration frames of a folder and reduce its level-0 frames to level 1.
    Reduce {
        /// Folder made by `simulate`.
        folder: PathBuf,
        /// Take the masters from this folder instead of the folder's own calibration frames.
        #[arg(long)]
        masters: Option<PathBuf>,
        /// Look for cosmic rays with this finder, also when the scenario has none.
        #[arg(long, value_name = "network|classical", value_parser = finder)]
        cosmic_rays: Option<reduction::Finder>,
        /// Fill the pixels flagged as cosmic rays from their neighbours; the flags stay, the weight is that of the filled value.
        #[arg(long)]
        fill_cosmic_rays: bool,
        /// Do not undo this effect (recorded as skipped): what a step is worth shows without it. May be given several times.
        #[arg(long, value_name = "EFFECT")]
        without: Vec<String>,
        /// Say of every frame what each step did, or why not, and with which references.
        #[arg(long)]
        explain: bool,
    },
    /// Measure a reduced folder against its truth and judge it: exit 0 pass, 1 the judge says no, 2 failure.
    Validate {
        /// Folder that was simulated and reduced.
        folder: PathBuf,
        /// Criteria file instead of the built-in one.
        #[arg(long)]
        criteria: Option<PathBuf>,
    },
    /// Judge references on calibration exposures they were not made of: exit 0 they hold, 1 one does not, 2 failure. A folder made by
    /// `plan` (it holds units.parquet) is verified as a run: every product is read and compared with its record, exit 0 all are
    /// whole, 1 one is not.
    Verify {
        /// Folder with calibration exposures, or of a run.
        folder: PathBuf,
        /// Take the references from this folder instead of the folder's own; not of a run.
        #[arg(long)]
        masters: Option<PathBuf>,
    },
    /// Plan the exposures of a survey area: tiles, an order in time that keeps the telescope's rules, a map of the depth.
    Pointings(commands::pointings::PointingsArgs),
    /// Plan a survey: many pointings of one scenario, as units in chunks, with what they cost.
    ///
    /// The survey file names a scenario (instrument, sky, seed, effects, detectors), a table of pointings (CSV, FITS or Parquet with the
    /// columns obs_id, ra_deg, dec_deg, position_angle_deg, start_mjd, exposure_s, programme, visit) or `[[pointing]]` entries, and if wanted
    /// `detectors`.
    /// `plan`, `run`, `status`, `retry`, `collect`, `clean` end with 0 all done, 1 a unit failed, 2 usage, 3 bad input (the same again fails
    /// again), 4 not complete (`status`), 75 interrupted (run again).
    Plan(commands::survey::PlanArgs),
    /// Make the units of a planned survey that are not there, all or those of one chunk.
    ///
    /// What is whole with the planned key is kept, so the same command completes a run that was interrupted or killed. The first SIGINT,
    /// SIGTERM or SIGUSR1 lets units at work come to an end for 20 s, a second SIGINT or SIGTERM leaves at once; neither leaves half a product.
    Run(commands::survey::RunArgs),
    /// Hand the chunks of a planned survey to a batch system, as an array of elements that each run `skyloop run`.
    ///
    /// Scripts and the names of jobs are kept in RUN/submit, what elements say in RUN/log. An element that is interrupted (75) begins again; one
    /// that is killed is left for `skyloop retry` and `skyloop submit --retry`.
    Submit(commands::survey_submit::SubmitArgs),
    /// Cancel what was submitted of a run and is not over.
    Cancel {
        /// Folder of the run.
        run: PathBuf,
    },
    /// How a run stands: done, failed by reason, stale, missing, slowest units, time left; exit 0 complete, 1 failures, 4 incomplete.
    Status {
        /// Folder of the run.
        run: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Also ask the batch systems how many elements of what was submitted wait and are at work.
        #[arg(long)]
        queue: bool,
        /// Write metrics for Prometheus into this file, whole or not at all (node exporter's textfile collector reads such).
        #[arg(long, value_name = "FILE")]
        prometheus: Option<PathBuf>,
    },
    /// List the units of a run that are missing or failed in chunks of their own, for `run --retry`.
    Retry {
        /// Folder of the run.
        run: PathBuf,
        #[command(flatten)]
        division: commands::survey::Division,
    },
    /// Fill a SQLite or PostgreSQL database (tables unit, event, product) or a Parquet table with the state of a run.
    ///
    /// The same call again takes in what is new. PostgreSQL is reached through its client `psql`, with what that knows of passwords and encryption.
    Collect {
        /// Folder of the run.
        run: PathBuf,
        /// SQLite file on a local disk, or postgres://USER@HOST/NAME (of one run: a database or a schema, ?options=-csearch_path%3DNAME);
        /// RUN/run.sqlite when neither this nor --parquet is given.
        #[arg(long, alias = "db", value_name = "FILE|URL")]
        database: Option<String>,
        /// Parquet table of the units and how they stand.
        #[arg(long, value_name = "FILE")]
        parquet: Option<PathBuf>,
    },
    /// Show runs in a browser, and answer for them by REST: read-only, to this computer alone unless told otherwise.
    ///
    /// One page shows a run living: progress, sky coverage, chunks, failures by reason, pictures of frames. The service is documented by itself
    /// (/api/v1/openapi.json), has metrics (/metrics) and says that it is well (/healthz).
    Serve(commands::survey_serve::ServeArgs),
    /// Write a page and JSON of a run: what was made, how long it took, cost against the plan, failures by reason, sky coverage.
    Report(commands::survey_serve::ReportArgs),
    /// Remove the temporary files of killed processes from a run.
    Clean {
        /// Folder of the run.
        run: PathBuf,
        /// Those of other hosts too: only while nothing runs there.
        #[arg(long)]
        all_hosts: bool,
    },
    /// Print what a scenario resolves to: units, chain, every number with its source, every assumed one marked.
    Explain {
        /// Scenario file, or the name of a built-in one.
        scenario: String,
    },
    /// Draw one source through one PSF onto a pixel grid (for debugging and comparison with other renderers).
    Stamp {
        /// Stamp specification (TOML); `skyloop stamp --example` prints one.
        #[arg(required_unless_present = "example")]
        spec: Option<PathBuf>,
        /// FITS file to write.
        #[arg(long, required_unless_present = "example")]
        out: Option<PathBuf>,
        /// Print an example specification.
        #[arg(long)]
        example: bool,
    },
    /// Apply one effect to an existing FITS image.
    Apply(commands::one_effect::OneEffect),
    /// Apply the correction of one effect to an existing FITS image.
    Correct(commands::one_effect::OneEffect),
    /// Look into a catalogue, make a partition of it, check it, plot it.
    Catalog {
        /// What to do.
        #[command(subcommand)]
        what: commands::catalog::Catalog,
    },
    /// Spectra from slitless frames: calibrate gratings, extract, measure redshifts, compare with the truth.
    Spectra {
        /// What to do.
        #[command(subcommand)]
        what: commands::spectra::Spectra,
    },
    /// Measure speed and memory on this machine.
    Bench {
        /// What to measure.
        #[command(subcommand)]
        what: commands::bench::Bench,
    },
    /// Make the products of a manifest again and compare them bit for bit.
    Remake {
        /// A `.manifest.json` beside a level-0 file, a master or a level-1 image.
        manifest: PathBuf,
        /// Folder to make it in.
        #[arg(long)]
        out: PathBuf,
    },
    /// Print the JSON schema of scenario files, for editors.
    Schema,
    /// Print shell completions.
    Completions {
        /// Shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

/// A finder of cosmic rays by its name.
fn finder(name: &str) -> Result<reduction::Finder, String> {
    reduction::Finder::named(name).ok_or_else(|| "the finders are `network` and `classical`".into())
}

/// Exit code where the reader of the output has gone: 128 and the number of SIGPIPE, as shells have it.
const READER_GONE: i32 = 141;

/// Ends quietly when the reader of the output has gone (`skyloop status RUN | head`), where `println!` would panic.
fn end_with_the_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<String>().map_or("", String::as_str);
        if text.starts_with("failed printing to stdout") && text.contains("Broken pipe") {
            std::process::exit(READER_GONE);
        }
        usual(info);
    }));
}

fn main() -> ExitCode {
    end_with_the_reader();
    let cli = Cli::parse();
    if let Some(jobs) = cli.jobs
        && let Err(e) = rayon::ThreadPoolBuilder::new().num_threads(usize::from(jobs)).build_global()
    {
        eprintln!("skyloop: --jobs {jobs}: {e}");
        return ExitCode::from(2);
    }
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("skyloop: {}", in_words(&error));
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let (quiet, jobs) = (cli.quiet, cli.jobs);
    match cli.command {
        Command::Demo { out, scenario } => commands::loops::demo(&scenario, &out, quiet),
        Command::Simulate { scenario, out, pair } => commands::loops::simulate(&scenario, &out, &pair, quiet),
        Command::Reduce { folder, masters, cosmic_rays, fill_cosmic_rays, without, explain } => {
            let choices = Choices { finder: cosmic_rays, fill: fill_cosmic_rays, without };
            commands::loops::reduce(&folder, masters.as_deref(), &choices, explain, quiet)
        }
        Command::Validate { folder, criteria } => commands::loops::validate(&folder, criteria.as_deref(), quiet),
        Command::Verify { folder, masters: None } if commands::survey::is_run(&folder) => Ok(commands::survey::verify(&folder)),
        Command::Verify { folder, masters } => commands::loops::verify(&folder, masters.as_deref()),
        Command::Pointings(args) => args.make(quiet),
        Command::Plan(args) => Ok(commands::survey::plan(&args)),
        Command::Run(args) => Ok(commands::survey::run(&args, jobs, quiet)),
        Command::Submit(args) => Ok(commands::survey_submit::submit(&args)),
        Command::Cancel { run } => Ok(commands::survey_submit::cancel(&run)),
        Command::Collect { run, database, parquet } => Ok(commands::survey::collect(&run, database.as_deref(), parquet.as_deref())),
        Command::Status { run, json, queue, prometheus } => Ok(commands::survey::status(&run, json, queue, prometheus.as_deref())),
        Command::Retry { run, division } => Ok(commands::survey::retry(&run, &division)),
        Command::Serve(args) => commands::survey_serve::serve(&args),
        Command::Report(args) => commands::survey_serve::report(&args),
        Command::Clean { run, all_hosts } => Ok(commands::survey::clean(&run, all_hosts)),
        Command::Explain { scenario } => commands::explain::explain(&scenario),
        Command::Stamp { spec, out, example } => commands::stamp::stamp(spec.as_deref(), out.as_deref(), example),
        Command::Apply(one) => one.apply(quiet),
        Command::Correct(one) => one.correct(quiet),
        Command::Catalog { what } => what.run(quiet),
        Command::Spectra { what } => what.run(quiet),
        Command::Bench { what } => what.run(quiet),
        Command::Remake { manifest, out } => commands::loops::remake(&manifest, &out),
        Command::Schema => {
            println!("{}", serde_json::to_string_pretty(&schemars::schema_for!(scenarios::scenario::Scenario))?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "skyloop", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Man => {
            clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
