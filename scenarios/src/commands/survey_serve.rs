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

/// Outlines of the windows that a run makes of its detectors; empty where its survey cannot be read any more.
pub fn outlines(run: &Path) -> Vec<Detector> {
    let resolved = || -> anyhow::Result<Vec<Detector>> {
        let survey = Survey::read(&Folder::at(run).survey())?;
        let plan = Plan::new(survey.scenario).context("the run's scenario")?;
        let outline = |unit| {
            let (geometry, window) = (&plan.spec(unit).geometry, unit.window);
            let corner = |x: usize, y: usize| {
                let p = geometry.focal_point(x as f64 - 0.5, y as f64 - 0.5);
                (p.x_deg, p.y_deg)
            };
            let (x, y) = ((window.x0, window.x0 + window.nx), (window.y0, window.y0 + window.ny));
            let corners_deg = [corner(x.0, y.0), corner(x.1, y.0), corner(x.1, y.1), corner(x.0, y.1)];
            Detector { number: geometry.number.into(), band: geometry.filter.clone(), corners_deg }
        };
        Ok(plan.units.iter().map(outline).collect())
    };
    resolved().unwrap_or_default()
}
