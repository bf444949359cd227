//! `spectra`: from slitless frames to wavelengths, spectra and redshifts.

use anyhow::{Context as _, bail};
use clap::Subcommand;
use instruments::description::load;
use scenarios::spectra::{calibrate, closure, configuration, direct, extract, joint, limits, redshifts, stack, zeroth};
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
        /// Detector to calibrate; all that there are frames of when absent. May be given several times. A standard's model has the magnitude of one band: with
        /// frames of several bands, calibrate band by band.
        #[arg(long, value_name = "N")]
        detector: Vec<u16>,
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
    /// Bring the exposures of each source together, band by band: inverse-variance means with flags, contamination and the chi squared of the members.
    Stack {
        /// Folders with extracted spectra.
        #[arg(required = true)]
        folders: Vec<PathBuf>,
        /// FITS file to write.
        #[arg(long)]
        out: PathBuf,
        /// Values beyond this many sigma of the median of three or more exposures are left out.
        #[arg(long, default_value_t = 5.0)]
        clip: f64,
    },
    /// Solve a group of sources whose spectra overlap from the pixels of all exposures at once.
    Joint {
        /// Reduced folders.
        #[arg(required = true)]
        folders: Vec<PathBuf>,
        /// Folder of configurations.
        #[arg(long)]
        configuration: PathBuf,
        /// Number of a source of the group; several times.
        #[arg(long = "source", required = true, value_name = "ID")]
        sources: Vec<u64>,
        /// Direct-imaging catalogue (FITS table); the folders' own lists of objects when absent.
        #[arg(long)]
        catalogue: Option<PathBuf>,
        /// Reduced folder with bright stars on the same detectors to measure the PSF on.
        #[arg(long)]
        psf: Option<PathBuf>,
        /// FWHM of the PSF across traces, in pixels, where it cannot be measured.
        #[arg(long, default_value_t = 3.0)]
        psf_fwhm: f64,
        /// Step of the spectra \[nm\]; two pixels when absent.
        #[arg(long, value_name = "NM")]
        step: Option<f64>,
        /// Damping towards the photometry; the corner of the L-curve when absent.
        #[arg(long)]
        damping: Option<f64>,
        /// Draws of the noise for the errors; without them errors know of no neighbour.
        #[arg(long, default_value_t = 0, requires = "seed", value_name = "N")]
        draws: usize,
        /// Seed of the draws.
        #[arg(long)]
        seed: Option<u64>,
        /// FITS file to write.
        #[arg(long)]
        out: PathBuf,
    },
    /// Write the direct-imaging catalogue that a simulated field would have: magnitudes with their errors in the imaging bands.
    Direct {
        /// Reduced folders.
        #[arg(required = true)]
        folders: Vec<PathBuf>,
        /// FITS file to write.
        #[arg(long)]
        out: PathBuf,
    },
    /// Point-source limits of the bands by the noise model, and on frames of stars of one magnitude (scenario `slitless_limits`).
    Limits {
        /// Reduced folders with such frames. Without one the noise model alone.
        #[arg(requires = "configuration")]
        folders: Vec<PathBuf>,
        /// Folder of configurations.
        #[arg(long)]
        configuration: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Measure redshifts, types, lines and temperatures of extracted spectra.
    Redshift {
        /// Folders with extracted spectra, exposures and bands of the same sources, or files of stacked ones.
        #[arg(required = true)]
        inputs: Vec<PathBuf>,
        /// Direct-imaging catalogue with MAG_band and MAGERR_band: its photometry and sizes are used together with the spectra.
        #[arg(long)]
        catalogue: Option<PathBuf>,
        /// FITS file to write.
        #[arg(long)]
        out: PathBuf,
        /// Compare with the truth of the folders.
        #[arg(long)]
        closure: bool,
        /// Folder whose truth is compared with where the inputs are files; several times.
        #[arg(long, requires = "closure", value_name = "FOLDER")]
        truth: Vec<PathBuf>,
    },
    /// Compare configurations and spectra with the truth.
    Closure {
        /// Folder with extracted spectra.
        folder: Option<PathBuf>,
        /// Folder of configurations to compare with the gratings as built.
        #[arg(long)]
        configuration: Option<PathBuf>,
        /// Share of first orders that have their zeroth order on the array, for all slitless detectors; with a folder, how well they were found there.
        #[arg(long)]
        zeroth: bool,
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
            Self::Calibrate { nebulae, standards, model, catalogue, nominal, out, edits, interactive, port, detector } => {
                let page = interactive.then_some(port);
                let plan = calibrate::Plan { nebulae, standards, model, catalogue, nominal, out, edits, page, detectors: detector };
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
            Self::Stack { folders, out, clip } => {
                let plan = stack::Plan { folders, out, clip };
                for b in stack::run(&plan)? {
                    println!(
                        "{}: {} sources of {} files, {:.0} spectra each, chi2 of the members {:.3}, bins of {:.3} nm",
                        b.band, b.sources, b.files, b.spectra, b.chi2, b.step_nm
                    );
                }
                println!("{}", plan.out.display());
            }
            Self::Joint { folders, configuration, sources, catalogue, psf, psf_fwhm, step, damping, draws, seed, out } => {
                let extract = extract::Plan {
                    folder: PathBuf::new(),
                    configuration,
                    catalogue,
                    faintest: 24.0,
                    boxed: false,
                    psf_fwhm_px: psf_fwhm,
                    psf,
                };
                let plan =
                    joint::Plan { folders, sources, extract, step_nm: step, damping, monte_carlo: (draws, seed.unwrap_or_default()), out };
                for (band, fit) in joint::run(&plan, &instrument, &mut said)? {
                    println!("{band}: chi2 {:.3} per pixel of {}, damping {:.3}", fit.chi2, fit.pixels, fit.damping);
                }
                println!("{}", plan.out.display());
            }
            Self::Direct { folders, out } => {
                let sources = direct::make(&folders, &out)?;
                println!("{sources} sources in {}", out.display());
            }
            Self::Limits { folders, configuration, json } => {
                let modelled = limits::modelled(&instrument, limits::EXPOSURES)?;
                let measured = match &configuration {
                    Some(configuration) if !folders.is_empty() => limits::measured(&folders, configuration, &instrument)?,
                    _ => Vec::new(),
                };
                if json {
                    println!("{}", serde_json::to_string_pretty(&serde_json::json!({ "modelled": modelled, "measured": measured }))?);
                } else {
                    print_limits(&modelled, &measured);
                }
            }
            Self::Redshift { inputs, catalogue, out, closure, truth } => {
                let plan = redshifts::Plan { inputs, catalogue, out };
                let results = redshifts::run(&plan, &instrument)?;
                let (measured, reliable) = redshifts::counts(&results);
                println!("{} sources, {measured} measured, {reliable} reliable; {}", results.len(), plan.out.display());
                if closure {
                    let folders = if truth.is_empty() { plan.inputs.clone() } else { truth };
                    let tables = closure::redshifts(&folders, &results)?;
                    print_redshifts("SNR in GI >=", &tables.by_snr);
                    print_redshifts("magnitude <=", &tables.by_magnitude);
                }
            }
            Self::Closure { folder, configuration, zeroth, detector, window, json } => {
                if folder.is_none() && configuration.is_none() && !zeroth {
                    bail!("nothing to compare: give a folder with spectra, --configuration or --zeroth");
                }
                let orders = configuration.map(|c| closure::configurations(&c, &instrument, detector, window)).transpose()?;
                let fluxes = folder.as_deref().map(closure::fluxes).transpose()?;
                let geometry = zeroth.then(|| zeroth::geometry(&instrument)).transpose()?;
                let found = folder.as_deref().filter(|_| zeroth).map(zeroth::found).transpose()?;
                if json {
                    let all = serde_json::json!({ "orders": orders, "fluxes": fluxes, "zeroth": geometry, "found": found });
                    println!("{}", serde_json::to_string_pretty(&all)?);
                } else {
                    print_closure(orders.as_deref().unwrap_or_default(), fluxes.as_deref().unwrap_or_default());
                    print_zeroth(geometry.as_deref().unwrap_or_default(), found.as_deref().unwrap_or_default());
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

fn print_redshifts(name: &str, rows: &[closure::RedshiftClosure]) {
    println!("{name:<13} sources  measured (reliable)   sigma_NMAD (reliable)   outliers (reliable)   star or not");
    for row in rows {
        let (n, m, o) = (row.sources, row.nmad, row.outliers);
        println!(
            "{:12.0} {:8} {:9} ({:5}) {:16.5} ({:.5}) {:14.3} ({:.3}) {:12.3}",
            row.least, n.0, n.1, n.2, m.0, m.1, o.0, o.1, row.class
        );
    }
}

fn print_zeroth(geometry: &[zeroth::Geometry], found: &[zeroth::Found]) {
    if !geometry.is_empty() {
        println!("detector   first orders with their zeroth on the array, of all   of sources on the array");
    }
    for g in geometry {
        println!("{} {:02} {:>40.3} {:>26.3}", g.band, g.detector, g.share, g.own);
    }
    if !found.is_empty() {
        println!("expected SNR of the zeroth order   there   found   wrong   completeness   purity");
    }
    for f in found {
        let range = format!("{:.0} to {:.0}", f.snr.0, f.snr.1);
        let (there, right, wrong) = (f.there as f64, f.right as f64, f.wrong as f64);
        println!("{range:<32} {:>7} {:>7} {:>7} {:>14.3} {:>8.3}", f.there, f.right, f.wrong, right / there, right / (right + wrong));
    }
}

fn print_limits(modelled: &[limits::Modelled], measured: &[limits::Measured]) {
    println!("{}", limits::definition());
    println!("band   published   noise model   (all weighted   resolution element   column)");
    for m in modelled {
        println!("{:<6} {:>9.2} {:>13.2} {:>15.2} {:>20.2} {:>8.2}", m.band, m.published, m.band_box, m.band_optimal, m.element, m.column);
    }
    if !measured.is_empty() {
        println!(
            "band   stars, places x frames   magnitude   limit on frames   on the same pixels   extracted, weighted   sky e-/s/pixel (table)"
        );
    }
    for m in measured {
        let table = modelled.iter().find(|t| t.band == m.band).map_or(f64::NAN, |t| t.sky);
        let of = |(v, e): (f64, f64)| format!("{v:.2} +- {e:.2}");
        let (stars, empty, frames) = m.places;
        println!(
            "{:<6} {stars:>7}, {empty:>6} x {frames:<5} {:>11.2} {:>17} {:>20} {:>21} {:>12.4} +- {:.4} ({table})",
            m.band,
            m.magnitude,
            of(m.band_box),
            of(m.same_pixels),
            m.band_optimal.map_or("-".into(), of),
            m.sky.0,
            m.sky.1
        );
        let (one, shared) = (m.variance.0.sqrt(), m.variance.1.max(0.0).sqrt());
        println!(
            "       noise of an empty box {one:.0} e- in an exposure, {shared:.0} e- in all exposures of a place; {:.3} e-/pixel left",
            m.left
        );
    }
}
