//! `bench`: speed and memory on this machine.

use anyhow::Context as _;
use clap::Subcommand;
use scenarios::bench::curves::Point;
use scenarios::bench::exposure::DetectorCost;
use scenarios::bench::{self, Workload};
use sim_core::files::write_atomically;
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
    /// One whole exposure: the field of `ccd` through all thirty detectors, one after the other.
    Exposure {
        /// Benchmark field (CSV); made from its seed when absent.
        #[arg(long)]
        catalogue: Option<PathBuf>,
        /// Effects that the instrument leaves off, e.g. `cti`; repeatable.
        #[arg(long, value_name = "EFFECT")]
        with: Vec<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Cost of `ccd` against the number of objects, of detectors, and of workers at once, as a table and a picture.
    Curves {
        /// Benchmark field (CSV); made from its seed when absent.
        #[arg(long)]
        catalogue: Option<PathBuf>,
        /// Effects that the instrument leaves off, e.g. `cti`; repeatable.
        #[arg(long, value_name = "EFFECT")]
        with: Vec<String>,
        /// The picture (SVG); none when absent.
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
    pub fn run(&self, quiet: bool) -> anyhow::Result<ExitCode> {
        match self {
            Self::Ccd { catalogue, detector, with, undo, compress, out, json } => {
                let packing = if *compress { Packing::Rice } else { Packing::None };
                chip(&Workload { detector: *detector, undo: *undo, packing, ..field(catalogue, with) }, out.as_deref(), *json)
            }
            Self::Slitless { catalogue, detector, out, json } => {
                chip(&Workload { detector: *detector, ..field(catalogue, &[]) }, out.as_deref(), *json)
            }
            Self::Exposure { catalogue, with, json } => {
                let told = &mut |one: &DetectorCost| {
                    if !quiet {
                        eprintln!("detector {:2}: {:.1} CPU s, {:.1} s", one.detector, one.cpu_s, one.wall_s);
                    }
                };
                print(&bench::exposure::exposure(&field(catalogue, with), told)?, *json)
            }
            Self::Curves { catalogue, with, out, json } => {
                let told = &mut |what: &str, point: &Point| {
                    if !quiet {
                        eprintln!("{} {what}: {:.1} CPU s, {:.1} s", point.count, point.cpu_s, point.wall_s);
                    }
                };
                let curves = bench::curves::curves(&field(catalogue, with), rayon::current_num_threads(), told)?;
                if let Some(out) = out {
                    write_atomically(out, curves.svg()?.as_bytes()).with_context(|| out.display().to_string())?;
                }
                print(&curves, *json)
            }
        }
    }
}

/// The field on chip 7, forward.
fn field<'a>(catalogue: &'a Option<PathBuf>, with: &'a [String]) -> Workload<'a> {
    Workload { catalogue: catalogue.as_deref(), detector: 7, with, undo: false, packing: Packing::None, share: 1.0 }
}

fn chip(work: &Workload<'_>, out: Option<&Path>, json: bool) -> anyhow::Result<ExitCode> {
    let temporary = tempfile::tempdir()?;
    print(&bench::ccd(work, out.unwrap_or(temporary.path()))?, json)
}

fn print(result: &(impl std::fmt::Display + serde::Serialize), json: bool) -> anyhow::Result<ExitCode> {
    if json {
        println!("{}", serde_json::to_string_pretty(result)?);
    } else {
        print!("{result}");
    }
    Ok(ExitCode::SUCCESS)
}
