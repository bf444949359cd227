//! `apply` and `correct`: one effect, or its correction, on an existing FITS image.

mod act;
mod image;
mod known;
mod place;

use act::{Act, Done};
use anyhow::{Context as _, bail, ensure};
use clap::Args;
use image::Input;
use instruments::description::{DetectorSpec, Instrument, is_built_in, load};
use instruments::effects::registry::Need;
use instruments::effects::{brighter_fatter, cti, registry};
use place::Place;
use sim_core::correction::StepStatus;
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use std::path::PathBuf;
use std::process::ExitCode;

/// Effects that need a rate, and what it is.
const RATES: [(&str, &str); 5] = [
    ("fringing", "the sky background"),
    ("sky", "the sky background"),
    ("lamp", "the light of the lamp"),
    ("charge_injection", "the charge of an injected pixel, in electrons"),
    ("trap_pumping", "the charge of a pixel, in electrons"),
];

/// The exposure in which an effect acts; exposures of injection and pumping as calibration usually takes them, pumping with phases as
/// long as a line.
fn kind(effect: &str, rate: f64, spec: &DetectorSpec) -> ExposureKind {
    match effect {
        "lamp" => ExposureKind::Flat { rate_electron_s: rate },
        "charge_injection" => ExposureKind::ChargeInjection { level_electron: rate, rows: 10, gap: 40 },
        "trap_pumping" => {
            let phase_time_s = spec.nominal("trap_pumping", "line_time").unwrap_or(0.01);
            ExposureKind::TrapPumping { level_electron: rate, cycles: 1000, phase_time_s }
        }
        _ => ExposureKind::Science,
    }
}

/// Whether an effect must be told something of the exposure.
fn needs(effect: &str, need: Need) -> bool {
    registry::find(effect).is_none_or(|summary| summary.needs.contains(&need))
}

/// Whether the forward side of an effect draws what is new in every exposure. Traps do when they are followed one by one.
fn draws(effect: &str, spec: &DetectorSpec) -> anyhow::Result<bool> {
    Ok(match effect {
        "cti" => cti::Settings::read(spec)?.draw_traps,
        "brighter_fatter" => brighter_fatter::Settings::read(spec)?.draw_arrivals,
        _ => needs(effect, Need::Dice),
    })
}

/// Arguments of `apply` and `correct`.
#[derive(Debug, Args)]
pub struct OneEffect {
    /// Name of the effect; an unknown one prints the list.
    effect: String,
    /// FITS file with the image.
    input: PathBuf,
    /// FITS file to write.
    #[arg(long)]
    out: PathBuf,
    /// Extension with the image, by name or number (0 is the primary); the first image when absent.
    #[arg(long, value_name = "NAME|NUMBER")]
    ext: Option<String>,
    /// Instrument whose parameters are used: a built-in name or an instrument file. Without it the one that the header
    /// names, else msc.
    #[arg(long)]
    instrument: Option<String>,
    /// Detector of that instrument. Without it the one that the header names, else the first.
    #[arg(long)]
    detector: Option<u16>,
    /// A parameter instead of the instrument's, `key=value`, repeatable. For `correct`: gain, read_noise or saturation,
    /// where the correction uses them; for `correct cti` and `correct brighter_fatter` iterations, and the traps or shifts, for
    /// `correct non_linearity` the response, as the correction is to know them.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Exposure time in seconds; without it EXPTIME of the header.
    #[arg(long, allow_negative_numbers = true)]
    time: Option<f64>,
    /// Date of the exposure, modified Julian date in days; it sets the density of charge traps. Without it the date their
    /// densities are given for.
    #[arg(long)]
    date: Option<f64>,
    /// Seed of the draws; needed by effects that draw.
    #[arg(long)]
    seed: Option<u64>,
    /// First column and row of the image on the detector, `x0,y0`; without it WINX0, WINY0 of the header, else 0,0.
    #[arg(long, value_name = "X0,Y0")]
    origin: Option<String>,
    /// Prescan and overscan: an image of counts has them, and `apply digitise` adds them. Known from the header of a
    /// level-0 file.
    #[arg(long)]
    scans: bool,
    /// Master for `correct`: of bias, dark, flat or shutter (IMAGE and VARIANCE); for digitise and read_noise a master
    /// bias, whose AMPLIFIERS table has the measured gains and read noises.
    #[arg(long, value_name = "MASTER")]
    reference: Option<PathBuf>,
    /// How the overscan is to be read, for `correct bias`: a reference of type MOSCN, as level 1 uses where there is one. Bins of rows without.
    #[arg(long, value_name = "MOSCN")]
    overscan: Option<PathBuf>,
    /// Rate in electrons per second and pixel, for `apply` of sky, lamp and fringing; charge of a pixel in electrons, for
    /// charge_injection (10 rows in 50) and trap_pumping (1000 cycles with phases of a line's time).
    #[arg(long, allow_negative_numbers = true)]
    rate: Option<f64>,
}

impl OneEffect {
    pub fn apply(&self, quiet: bool) -> anyhow::Result<ExitCode> {
        let act = Act::named(&self.effect)?;
        ensure!(self.reference.is_none(), "--reference is for `correct`; `apply` takes its parameters from the instrument and --set");
        ensure!(self.overscan.is_none(), "--overscan is for `correct bias`");
        ensure!(
            !needs(act.name(), Need::History),
            "{} needs what the detector held in earlier exposures, which one image does not tell: simulate a scenario with it",
            act.name()
        );
        let (mut input, instrument, mut spec) = self.open()?;
        let numbers = self.numbers()?;
        registry::set_parameters(&mut spec, act.name(), &numbers, "command line")?;
        input.need_unit(act.unit_before(), act.name())?;
        let place = Place::find(self, &input, &spec, act.on_counts(), act.name())?;
        let time_s = self.time_s(&input, act.name())?;
        let rate = self.rate_electron_s(act.name())?;
        let seed = match self.seed {
            Some(seed) => seed,
            None if !draws(act.name(), &spec)? => 0,
            None => bail!("{} draws random numbers: give --seed N", act.name()),
        };
        let exposure = Exposure {
            id: input.header_i64("OBSID").and_then(|id| u64::try_from(id).ok()).unwrap_or(0),
            kind: kind(act.name(), rate, &spec),
            pointing: Pointing { ra_deg: 0.0, dec_deg: 0.0, rotation_deg: 0.0 },
            start_mjd: self.mjd(&spec),
            time_s,
            sky_electron_s: rate,
        };
        let cx = Context {
            exposure: &exposure,
            geometry: &spec.geometry,
            layout: &place.layout,
            window: place.window,
            effect: act.name(),
            seed,
            device_seed: spec.device_seed,
        };
        let summary = place.summary(&instrument, &spec, time_s);
        input.remark(quiet, &summary);
        let done = act.forward(&spec, input.take_arrays().pixels, &cx)?;
        let what = self.history("apply", &summary, &numbers);
        self.finish(input, &place, &spec, done, &what)
    }

    pub fn correct(&self, quiet: bool) -> anyhow::Result<ExitCode> {
        let act = Act::named(&self.effect)?;
        ensure!(self.rate.is_none(), "--rate is for `apply`");
        ensure!(self.seed.is_none(), "--seed: a correction draws nothing");
        let (mut input, instrument, spec) = self.open()?;
        let numbers = self.numbers()?;
        // The sky is taken from rates too.
        if act.name() != "sky" {
            input.need_unit(act.unit_after(), act.name())?;
        }
        let place = Place::find(self, &input, &spec, act.counts_after(), act.name())?;
        let time_s = self.time_s(&input, act.name())?;
        let (mut knowledge, mut notes) = match act.name() {
            "cti" => {
                ensure!(self.reference.is_none(), "--reference: the correction of cti takes no master; --set gives it its traps");
                (known::traps(&spec, &place, time_s, &numbers, self.mjd(&spec))?, Vec::new())
            }
            "non_linearity" => {
                ensure!(
                    self.reference.is_none(),
                    "--reference: the correction of non_linearity takes no master; --set gives it its response"
                );
                (known::responses(&spec, &place, time_s, &numbers)?, Vec::new())
            }
            "brighter_fatter" => {
                ensure!(
                    self.reference.is_none(),
                    "--reference: the correction of brighter_fatter takes no master; --set gives it its shifts"
                );
                (known::boundaries(&spec, &place, time_s, &numbers)?, Vec::new())
            }
            name => known::knowledge(name, &spec, &place, time_s, &numbers, self.reference.as_deref())?,
        };
        if let Some(path) = &self.overscan {
            ensure!(act.name() == "bias", "--overscan is for `correct bias`; the correction of {} reads no overscan", act.name());
            let kind = reduction::references::by_code("MOSCN").context("a kind of reference")?;
            kind.load(path, &mut knowledge).with_context(|| format!("--overscan {}", path.display()))?;
            notes.push(format!("{} as in {}", kind.what, path.display()));
        }
        let summary = [&[place.summary(&instrument, &spec, time_s)], notes.as_slice()].concat().join("; ");
        input.remark(quiet, &summary);
        let unit = if act.name() == "sky" { input.unit() } else { None };
        let (mut done, status) = act.backward(&knowledge, input.take_arrays()).map_err(|e| known::with_remedy(act.name(), e))?;
        if let StepStatus::Skipped(reason) = &status {
            bail!("{} was not corrected: {reason}", act.name());
        }
        if let Some(unit) = unit {
            done.account = done.account.replace("electron", &unit);
            done.unit = unit;
        }
        let what = self.history("correct", &summary, &numbers);
        self.finish(input, &place, &spec, done, &what)
    }

    /// The image, and the detector it is taken to be of.
    fn open(&self) -> anyhow::Result<(Input, Instrument, DetectorSpec)> {
        if let Some(folder) = self.out.parent().filter(|f| !f.as_os_str().is_empty()) {
            ensure!(folder.is_dir(), "--out {}: there is no folder {}", self.out.display(), folder.display());
        }
        let input = Input::read(&self.input, self.ext.as_deref())?;
        if let (Ok(from), Ok(to)) = (self.input.canonicalize(), self.out.canonicalize()) {
            ensure!(from != to, "--out {}: this is the input; write to another file", self.out.display());
        }
        let named = input.header_text("INSTRUME").map(str::to_lowercase);
        let built_in = named.as_deref().filter(|n| is_built_in(n));
        let instrument = load(self.instrument.as_deref().or(built_in).unwrap_or("msc"))?;
        let known: Vec<String> = instrument.detectors.keys().map(u16::to_string).collect();
        let from_header = || {
            let digits = input.header_text("DETECTOR")?.rsplit_once('_')?.1;
            (named.as_deref() == Some(instrument.name.as_str())).then(|| digits.parse::<u16>().ok())?
        };
        let number = self.detector.or_else(from_header).or_else(|| instrument.detectors.keys().next().copied());
        let number = number.context("the instrument has no detectors")?;
        let spec = instrument.detectors.get(&number).cloned();
        let spec = spec.with_context(|| format!("--detector {number}: {} has detectors {}", instrument.name, known.join(", ")))?;
        Ok((input, instrument, spec))
    }

    fn numbers(&self) -> anyhow::Result<Vec<(String, f64)>> {
        let mut numbers: Vec<(String, f64)> = Vec::new();
        for pair in &self.set {
            let (key, value) = pair.split_once('=').with_context(|| format!("--set {pair}: write KEY=VALUE"))?;
            let (key, value) = (key.trim(), value.trim());
            let number: f64 = value
                .parse()
                .ok()
                .filter(|v: &f64| v.is_finite())
                .with_context(|| format!("--set {key}={value}: {value:?} is not a number"))?;
            ensure!(numbers.iter().all(|(k, _)| k != key), "--set {key} is given twice");
            numbers.push((key.to_string(), number));
        }
        Ok(numbers)
    }

    fn time_s(&self, input: &Input, effect: &str) -> anyhow::Result<f64> {
        let (time_s, from) = match (self.time, input.header_f64("EXPTIME")) {
            (Some(time_s), _) => (time_s, "--time"),
            (None, Some(time_s)) => (time_s, "EXPTIME"),
            (None, None) if !needs(effect, Need::Time) => return Ok(0.0),
            (None, None) => bail!("{effect} needs the exposure time: give --time SECONDS (the header has no EXPTIME)"),
        };
        ensure!((0.0..=1e5).contains(&time_s), "{from} = {time_s} s is outside 0..100000");
        Ok(time_s)
    }

    fn mjd(&self, spec: &DetectorSpec) -> f64 {
        self.date.or_else(|| spec.nominal("cti", "reference_date")).unwrap_or(61_000.0)
    }

    fn rate_electron_s(&self, effect: &str) -> anyhow::Result<f64> {
        match (self.rate, RATES.iter().find(|(name, _)| *name == effect)) {
            (Some(rate), Some(_)) => {
                ensure!((0.0..=1e7).contains(&rate), "--rate {rate} electron/s/pixel is outside 0..10000000");
                Ok(rate)
            }
            (None, None) => Ok(0.0),
            (None, Some((_, what))) => bail!("{effect} needs {what}: give --rate in electron/s/pixel"),
            (Some(_), None) => bail!("--rate is for sky, lamp, fringing, charge_injection and trap_pumping; {effect} has no rate"),
        }
    }

    /// What was done, for the header: enough to do it again.
    fn history(&self, verb: &str, summary: &str, numbers: &[(String, f64)]) -> String {
        let mut line = format!("skyloop {}: {verb} {} ({summary}", env!("CARGO_PKG_VERSION"), self.effect);
        for (key, value) in numbers {
            line += &format!("; {key} = {value}");
        }
        for (key, value) in [("rate", self.rate.map(|v| v.to_string())), ("seed", self.seed.map(|v| v.to_string()))] {
            line += &value.map(|v| format!("; {key} {v}")).unwrap_or_default();
        }
        line + ")"
    }

    fn finish(&self, input: Input, place: &Place, spec: &DetectorSpec, done: Done, what: &str) -> anyhow::Result<ExitCode> {
        let account = format!("{}: {}", self.effect, done.account);
        input.write(&self.out, &self.effect, place, spec, done, what)?;
        println!("{account}");
        println!("{}", self.out.display());
        Ok(ExitCode::SUCCESS)
    }
}
