//! `bench`: speed and memory on this machine.

use clap::Subcommand;
use scenarios::bench::{self, Workload};
use sim_core::fits::Packing;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub enum Bench {
    /// One whole survey-camera chip: 22,000 objects, optical PSF, the full chain, truth and FITS written.
    Ccd {
        /// Benchmark field (CSV); made from its seed when absent.
        #[arg(long)]
        catalogue: Option<PathBuf>,
        /// Chip number.
        #[arg(long, default_value_t = 7)]
        detector: u16,
        /// Effects that the instrument leaves off, to be timed too, e.g. `cti`; repeatable.
        #[arg(long, value_name = "EFFECT")]
        with: Vec<String>,
        /// Time the corrections too, on the raw frame before it is written.
        #[arg(long)]
        undo: bool,
        /// Pack the raw frame by tile compression.
        #[arg(long)]
        compress: bool,
        /// Where to write; a temporary folder when absent.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// One whole slitless chip: the field of `ccd` through two gratings of five orders, the full chain, truth and FITS written.
    Slitless {
        /// Benchmark field (CSV); made from its seed when absent.
        #[arg(long)]
        catalogue: Option<PathBuf>,
        /// Chip number: 1, 10, 21, 30 (GI), 2, 5, 26, 29 (GV) or 3, 4, 27, 28 (GU).
        #[arg(long, default_value_t = 1)]
        detector: u16,
        /// Where to write; a temporary folder when absent.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Bench {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Ccd { catalogue, detector, with, undo, compress, out, json } => {
                let packing = if *compress { Packing::Rice } else { Packing::None };
                let work = Workload { catalogue: catalogue.as_deref(), detector: *detector, with, undo: *undo, packing };
                chip(&work, out.as_deref(), *json)
            }
            Self::Slitless { catalogue, detector, out, json } => {
                let catalogue = catalogue.as_deref();
                let work = Workload { catalogue, detector: *detector, with: &[], undo: false, packing: Packing::None };
                chip(&work, out.as_deref(), *json)
            }
        }
    }
}

fn chip(work: &Workload<'_>, out: Option<&Path>, json: bool) -> anyhow::Result<ExitCode> {
    let temporary = tempfile::tempdir()?;
    let result = bench::ccd(work, out.unwrap_or(temporary.path()))?;
    if json {
        println!("{}", serde_json::to_string_pretty(&result)?);
    } else {
        print!("{result}");
    }
    Ok(ExitCode::SUCCESS)
}
