//! `serve` and `report` of survey runs.

use anyhow::{Context as _, bail};
use clap::Args;
use console::{Address, Console};
use pointing::focal_plane::Detector;
use scenarios::folder::Folder;
use scenarios::survey_run::spec::Survey;
use scenarios::unit::Plan;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use survey::failure::Exit;
use survey::folder::Run;
use survey::verify;

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Folders of runs, or folders that hold such; runs that come later are found.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Address and port; port 0 takes a free one. Addresses that others can reach need --token-file.
    #[arg(long, default_value = "127.0.0.1:8620", value_name = "ADDRESS:PORT")]
    address: SocketAddr,
    /// File whose first line is the token that clients have to send (`Authorization: Bearer ...`, or /#token=... once on the page): at least 16
    /// characters.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

pub fn serve(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    for folder in &args.runs {
        if !folder.is_dir() {
            bail!("{}: not a folder", folder.display());
        }
    }
    let address = Address::new(args.address, args.token_file.as_deref())?;
    let console = Console::new(args.runs.clone(), address.token, Box::new(outlines));
    console::serve(&console, address.at, &AtomicBool::new(false), |at| println!("http://{at}/ (read-only; Ctrl-C ends it)"))?;
    Ok(ExitCode::SUCCESS)
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Folder of the run.
    run: PathBuf,
    /// Folder for report.html and report.json; RUN/report when absent.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Read every product and compare it with its record, as `verify` does.
    #[arg(long)]
    verify: bool,
}

pub fn report(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let run = Run::at(&args.run);
    if !run.units().is_file() {
        bail!("{}: not a planned run (`skyloop validate` writes the report of a folder made by `simulate`)", args.run.display());
    }
    let verified = if args.verify { Some(verify::verify(&run)?) } else { None };
    let whole = verified.as_ref().is_none_or(|v| v.exit() == Exit::Done);
    let out = args.out.clone().unwrap_or_else(|| Folder::at(&args.run).report());
    let page = console::report::write(&out, &run, &outlines(&args.run), verified)?;
    println!("report: {}", page.display());
    Ok(ExitCode::from(if whole { Exit::Done } else { Exit::UnitFailed }.code()))
}

/// Outlines of the windows that a run makes of its detectors; empty where its survey cannot be read any more.
fn outlines(run: &Path) -> Vec<Detector> {
    let resolved = || -> anyhow::Result<Vec<Detector>> {
        let survey = Survey::read(&Folder::at(run).survey())?;
        let plan = Plan::new(survey.scenario).context("the run's scenario")?;
        Ok(plan.units.iter().map(|unit| Detector::of_window(&plan.spec(unit).geometry, unit.window)).collect())
    };
    resolved().unwrap_or_default()
}
