//! `bench`: speed and memory on this machine.

use clap::Subcommand;
use std::path::PathBuf;
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
        /// Effects that the instrument leaves off, to be timed with their corrections, e.g. `cti`; repeatable.
        #[arg(long, value_name = "EFFECT")]
        with: Vec<String>,
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
            Self::Ccd { catalogue, detector, with, out, json } => {
                let temporary = tempfile::tempdir()?;
                let out = out.as_deref().unwrap_or(temporary.path());
                let result = scenarios::bench::ccd(catalogue.as_deref(), *detector, with, out)?;
                if *json {
                    println!("{}", serde_json::to_string_pretty(&result)?);
                } else {
                    print!("{result}");
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
