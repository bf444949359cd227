//! `spectra`: from slitless frames to wavelengths, spectra and redshifts.

use anyhow::{Context as _, bail};
use clap::Subcommand;
use instruments::description::load;
use scenarios::spectra::{calibrate, closure, configuration, extract, redshifts};
use sim_core::frame::Window;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub enum Spectra {
    /// Write the nominal configuration of slitless detectors (grismconf format, sensitivities as FITS tables).
    Configuration {
        /// Detector number; all slitless ones when absent. May be given several times.
        #[arg(long, value_name = "N")]
        detector: Vec<u16>,
        /// Folder to write to.
        #[arg(long)]
        out: PathBuf,
    },
    /// Write the model spectrum of the simulated white dwarf standard.
    Standard {
        /// Detector in whose band the magnitude is.
        #[arg(long)]
        detector: u16,
        /// AB magnitude.
        #[arg(long)]
        magnitude: f64,
        /// CSV file to write.
        #[arg(long)]
        out: PathBuf,
    },
    /// Measure traces, wavelengths and sensitivities on frames of planetary nebulae and white dwarfs.
    Calibrate {
        /// Reduced folder with frames of nebulae. May be given several times.
        #[arg(long, required = true, value_name = "FOLDER")]
        nebulae: Vec<PathBuf>,
        /// Reduced folder with frames of a standard star. May be given several times.
        #[arg(long, value_name = "FOLDER")]
        standards: Vec<PathBuf>,
        /// Model spectrum of the standard star: CSV with the columns wavelength_nm and flux (erg/s/cm2/nm).
        #[arg(long)]
        model: Option<PathBuf>,
        /// FITS table with OBJ_ID, RA, DEC and MAG of the calibrators; the folder's own objects when absent.
        #[arg(long)]
        catalogue: Option<PathBuf>,
        /// Folder of the configuration to start from (`skyloop spectra configuration`).
        #[arg(long)]
        nominal: PathBuf,
        /// Folder for the calibrated configuration and its figures.
        #[arg(long)]
        out: PathBuf,
        /// Folder with a person's choices (`*.edits.json`), to be replayed and saved to.
        #[arg(long)]
        edits: Option<PathBuf>,
        /// Show frames, traces, lines and residuals in the browser first.
        #[arg(long)]
        interactive: bool,
        /// Port of the page on 127.0.0.1; 0 takes a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// Take the spectra of all sources out of a reduced folder's slitless frames, into FOLDER/spectra.
    Extract {
        /// Reduced folder.
        folder: PathBuf,
        /// Folder of configurations.
        #[arg(long)]
        configuration: PathBuf,
        /// Direct-imaging catalogue (FITS table); the folder's own list of objects when absent.
        #[arg(long)]
        catalogue: Option<PathBuf>,
        /// Faintest AB magnitude that is extracted.
        #[arg(long, default_value_t = 24.0)]
        faintest: f64,
        /// Sum over an aperture instead of the optimal extraction.
        #[arg(long = "box")]
        boxed: bool,
        /// FWHM of the PSF across traces, in pixels, where the frame has too few bright stars to measure it.
        #[arg(long, default_value_t = 3.0)]
        psf_fwhm: f64,
        /// Reduced folder with bright stars on the same detector, such as the standard's, to measure the PSF on; without it the frame's own stars.
        #[arg(long)]
        psf: Option<PathBuf>,
    },
    /// Measure redshifts, types, lines and temperatures of extracted spectra.
    Redshift {
        /// Folders with extracted spectra: exposures and bands of the same sources.
        #[arg(required = true)]
        folders: Vec<PathBuf>,
        /// FITS file to write.
        #[arg(long)]
        out: PathBuf,
        /// Compare with the truth of the folders.
        #[arg(long)]
        closure: bool,
    },
    /// Compare configurations and spectra with the truth.
    Closure {
        /// Folder with extracted spectra.
        folder: Option<PathBuf>,
        /// Folder of configurations to compare with the gratings as built.
        #[arg(long)]
        configuration: Option<PathBuf>,
        /// Detector of the configurations.
        #[arg(long, default_value_t = 1)]
        detector: u16,
        /// Window over which configurations are compared; the whole detector when absent.
        #[arg(long, value_name = "X0,Y0,NX,NY", value_parser = window)]
        window: Option<Window>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// A window by its four numbers.
fn window(text: &str) -> Result<Window, String> {
    let numbers: Vec<usize> =
        text.split(',').map(|n| n.trim().parse().map_err(|_| format!("{n:?} is no whole number"))).collect::<Result<_, _>>()?;
    match numbers[..] {
        [x0, y0, nx, ny] if nx > 0 && ny > 0 => Ok(Window { x0, y0, nx, ny }),
        _ => Err("four numbers: first column and row, columns and rows".into()),
    }
}

/// The instrument that takes spectra.
const INSTRUMENT: &str = "msc";

impl Spectra {
    pub fn run(self, quiet: bool) -> anyhow::Result<ExitCode> {
        let instrument = load(INSTRUMENT)?;
        let mut said = |text: &str| {
            if !quiet {
                eprintln!("{text}");
            }
        };
        match self {
            Self::Configuration { detector, out } => {
                let files = configuration::write_nominal(&instrument, &detector, &out)?;
                println!("{} files in {}", files.len(), out.display());
            }
            Self::Standard { detector, magnitude, out } => {
                let spec = instrument.detectors.get(&detector).with_context(|| format!("{INSTRUMENT} has no detector {detector}"))?;
                calibrate::write_standard(spec, magnitude, &out)?;
                println!("{}", out.display());
            }
            Self::Calibrate { nebulae, standards, model, catalogue, nominal, out, edits, interactive, port } => {
                let page = interactive.then_some(port);
                let plan = calibrate::Plan { nebulae, standards, model, catalogue, nominal, out, edits, page };
                for grating in calibrate::run(&plan, &instrument, &mut said)? {
                    print_calibrated(&grating);
                }
                println!("configuration in {}", plan.out.display());
            }
            Self::Extract { folder, configuration, catalogue, faintest, boxed, psf_fwhm, psf } => {
                let plan = extract::Plan { folder, configuration, catalogue, faintest, boxed, psf_fwhm_px: psf_fwhm, psf };
                for frame in extract::run(&plan, &instrument, &mut said)? {
                    print_extraction(&frame);
                }
            }
            Self::Redshift { folders, out, closure } => {
                let results = redshifts::run(&folders, &out)?;
                let (measured, reliable) = redshifts::counts(&results);
                println!("{} sources, {measured} measured, {reliable} reliable; {}", results.len(), out.display());
                if closure {
                    println!("SNR >=  sources (reliable)   sigma_NMAD (reliable)   outliers (reliable)   star or not");
                    for row in closure::redshifts(&folders, &results)? {
                        let (n, m, o) = (row.sources, row.nmad, row.outliers);
                        println!(
                            "{:6.0} {:8} ({:5}) {:14.5} ({:.5}) {:14.3} ({:.3}) {:12.3}",
                            row.snr, n.0, n.1, m.0, m.1, o.0, o.1, row.class
                        );
                    }
                }
            }
            Self::Closure { folder, configuration, detector, window, json } => {
                if folder.is_none() && configuration.is_none() {
                    bail!("nothing to compare: give a folder with spectra, or --configuration");
                }
                let orders = configuration.map(|c| closure::configurations(&c, &instrument, detector, window)).transpose()?;
                let fluxes = folder.map(|f| closure::fluxes(&f)).transpose()?;
                if json {
                    println!("{}", serde_json::to_string_pretty(&serde_json::json!({ "orders": orders, "fluxes": fluxes }))?);
                } else {
                    print_closure(orders.as_deref().unwrap_or_default(), fluxes.as_deref().unwrap_or_default());
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print_calibrated(grating: &calibrate::Calibrated) {
    println!("{}: {} positions", grating.name, grating.calibration.as_ref().map_or(0, |c| c.positions.len()));
    for order in grating.calibration.iter().flat_map(|c| &c.report.orders) {
        let trace = order.trace.as_ref().map_or("not measured".into(), |t| format!("{:.3} px", t.cross_validation.rms_px));
        let waves = order.wavelength.as_ref().map_or("not measured".into(), |w| {
            let nm = w.cross_validation.rms_nm.map_or(String::new(), |nm| format!(" ({nm:.3} nm)"));
            format!("{:.3} px{nm}", w.cross_validation.rms_px)
        });
        println!("  order {:+}: left out, trace {trace}, wavelength {waves}", order.order);
        if let Some(problem) = &order.problem {
            println!("    {problem}");
        }
    }
    for s in &grating.sensitivities {
        let valid = s.valid_nm;
        println!("  order {:+}: sensitivity from {:.0} to {:.0} nm, scatter of stars {:.4}", s.order, valid.0, valid.1, s.grey_scatter);
    }
    for note in &grating.notes {
        println!("  {note}");
    }
}

fn print_extraction(frame: &extract::Extraction) {
    println!("{}: {} spectra, background {:.4} e-/s/pixel", frame.path.display(), frame.spectra, frame.background);
    if let Some((used, rms)) = frame.position {
        println!("  position by {used} zeroth orders, {rms:.3} px rms");
    }
    if let Some((first, share)) = frame.coverage {
        println!("  {first} first orders on the frame, {:.1} % of them with their zeroth order", 100.0 * share);
    }
}

fn print_closure(orders: &[closure::OrderClosure], fluxes: &[closure::FluxClosure]) {
    if !orders.is_empty() {
        println!("order              trace rms   wavelength rms (worst) [pixel]   sensitivity rms (worst)");
    }
    for o in orders {
        println!(
            "{:<18} {:>8.4} {:>12.4} ({:.4}) {:>22.4} ({:.4})",
            o.name, o.trace_px, o.wavelength_px, o.wavelength_worst_px, o.sensitivity.0, o.sensitivity.1
        );
    }
    if !fluxes.is_empty() {
        println!("SNR per element   spectra   rate over truth (scatter)   width of pulls   elements");
    }
    for f in fluxes {
        let range = format!("{:.0} to {:.0}", f.snr.0, f.snr.1);
        println!("{range:<16} {:>8} {:>14.4} ({:.4}) {:>16.3} {:>12}", f.spectra, f.ratio.0, f.ratio.1, f.pull_width, f.elements);
    }
}
