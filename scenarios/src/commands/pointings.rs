//! `pointings`: from the area of a survey to a plan of its exposures that keeps the telescope's rules.

use anyhow::{Context as _, bail};
use clap::Args;
use instruments::description::load;
use instruments::product::time::Civil;
use pointing::coverage::{Moc, Shown, picture};
use pointing::schedule::Reward;
use pointing::survey::SHIPPED;
use pointing::{Coverage, FocalPlane, Rules, Schedule, Survey, Track, table, verify};
use scenarios::progress::Progress;
use scenarios::survey_run::area::{FIRST, START, focal_plane};
use std::cell::Cell;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `pointings`.
#[derive(Debug, Args)]
pub struct PointingsArgs {
    /// Survey area: a file, or a shipped one: survey25, survey50_wide, survey50_deep, survey1000.
    survey: String,
    /// Plan to write: .csv, .fits or .parquet; what `plan` takes as its table of pointings.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Start of the plan, UTC.
    #[arg(long, value_name = "DATE", default_value = START)]
    start: String,
    /// Days that the plan may take.
    #[arg(long, value_name = "D", default_value_t = 60.0, value_parser = days)]
    days: f64,
    /// Number of the first exposure.
    #[arg(long, value_name = "ID", default_value_t = FIRST)]
    first: u64,
    /// Instrument whose detectors look at the sky.
    #[arg(long, default_value = "msc")]
    instrument: String,
    /// Orbit (TOML) in place of the shipped one.
    #[arg(long, value_name = "FILE")]
    orbit: Option<PathBuf>,
    /// Rules (TOML) in place of the shipped ones.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Write the number of exposures of each cell in each band as a HEALPix map (FITS).
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// Write the cells with the survey's depth in the band as a MOC (.fits or text).
    #[arg(long, value_name = "FILE")]
    moc: Option<PathBuf>,
    /// Draw the depth in the band (SVG).
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// Band of MOC and picture.
    #[arg(long, default_value = "r")]
    band: String,
}

fn days(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if value > 0.0 && value <= 5000.0 { Ok(value) } else { Err("days are 0 (exclusive) to 5000".into()) }
}

/// HEALPix order of maps: cells of 52 arcsec, of 3.4 arcmin for large surveys.
fn order(exposures: usize) -> u8 {
    if exposures > 20_000 { 10 } else { 12 }
}

impl PointingsArgs {
    /// Exit 0 when every exposure found its place and the verifier agrees, 1 otherwise.
    pub fn make(&self, quiet: bool) -> anyhow::Result<ExitCode> {
        let is_file = Path::new(&self.survey).is_file() && !SHIPPED.iter().any(|s| s.0 == self.survey);
        let survey = if is_file { Survey::read(Path::new(&self.survey))? } else { Survey::shipped(&self.survey)? };
        let track = self.orbit.as_deref().map_or_else(|| Ok(Track::shipped()), Track::read)?;
        let rules = self.rules.as_deref().map_or_else(|| Ok(Rules::shipped()), Rules::read)?;
        let Some(start) = Civil::parse_iso(&self.start).map(|c| c.mjd()) else {
            bail!("--start {}: not a date, such as 2028-01-01T00:00:00", self.start)
        };
        let instrument = load(&self.instrument)?;
        let plane = focal_plane(&instrument);
        if !plane.detectors.iter().any(|d| d.band == self.band) {
            bail!("--band {}: {} has no such band", self.band, instrument.name);
        }
        let targets = survey.targets(&plane, self.first)?;
        // A line for each of thousands of exposures is of use on a terminal alone.
        let progress = Progress::new("pointings", targets.len(), quiet || !std::io::stderr().is_terminal());
        let told = Cell::new(0);
        let plan = Schedule::make(&targets, (&track, &rules), (start, start + self.days), Reward::default(), &mut |done, _| {
            for _ in told.get()..done {
                progress.done("");
            }
            told.set(done.max(told.get()));
        })?;
        println!(
            "{}: {} of {} exposures ({} stated) in {:.2} of {} d, {:.1} % of it exposed, {} found no place",
            survey.name,
            plan.pointings.len(),
            targets.len(),
            survey.stated_exposures.value,
            plan.length_d,
            self.days,
            100.0 * plan.efficiency(),
            plan.left.len()
        );
        let verdict = verify(&plan.pointings, &track, &rules)?;
        println!("verified at {} moments: {} rules broken", verdict.moments, verdict.violations.len());
        for worst in &verdict.worst {
            println!("  {:<12} least margin {:.3} {} (exposure {})", worst.rule, worst.margin, worst.unit, worst.obs_id);
        }
        table::write(&self.out, &plan.pointings)?;
        println!("plan: {}", self.out.display());
        if self.map.is_some() || self.moc.is_some() || self.picture.is_some() {
            self.cover(&survey, &plan, &plane)?;
        }
        Ok(ExitCode::from(u8::from(!verdict.violations.is_empty() || !plan.left.is_empty())))
    }

    fn cover(&self, survey: &Survey, plan: &Schedule, plane: &FocalPlane) -> anyhow::Result<()> {
        let order = order(plan.pointings.len());
        let coverage = Coverage::of(plan.pointings.iter().map(|p| &p.target), plane, order)?;
        // Each band has two detectors, so a pass gives two exposures; bands of four have more.
        let deepest = 2 * survey.programme.visits;
        for band in &coverage.bands {
            println!(
                "  {band:<4} {:8.3} deg2 exposed, {:8.3} at least {deepest} times",
                coverage.area_deg2(band, 1)?,
                coverage.area_deg2(band, deepest)?
            );
        }
        if let Some(path) = &self.map {
            coverage.write_map(path).with_context(|| path.display().to_string())?;
        }
        if let Some(path) = &self.moc {
            Moc::new(order, coverage.cells_at_depth(&self.band, deepest)?).write(path).with_context(|| path.display().to_string())?;
        }
        if let Some(path) = &self.picture {
            let exposures = plan.pointings.len();
            let title =
                format!("{}: {exposures} exposures of {} s, {:.1} deg2", survey.name, survey.programme.exposure_s, survey.area_deg2());
            picture(&coverage, &Shown { band: self.band.clone(), title }, path)?;
        }
        Ok(())
    }
}
