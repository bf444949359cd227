//! `apply` and `correct`: one effect, or its correction, on an existing FITS image.

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use instruments::description::{DetectorSpec, Instrument, load};
use instruments::effects::cti;
use instruments::effects::registry::{self, Entry};
use ndarray::Array2;
use sim_core::correction::StepStatus;
use sim_core::detector::{ReadoutLayout, Scans};
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::frame::{Frame, Window};
use sim_core::knowledge::{Knowledge, Measured, Reference};
use sim_core::ledger::Ledger;
use sim_core::plane::{Charge, Counts, Light, Plane};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Arguments of `apply` and `correct`.
#[derive(Debug, Args)]
pub struct OneEffect {
    /// Name of the effect; an unknown one prints the list.
    effect: String,
    /// FITS image to read (the first extension with an image).
    input: PathBuf,
    /// FITS file to write.
    #[arg(long)]
    out: PathBuf,
    /// Instrument whose parameters are used.
    #[arg(long, default_value = "msc")]
    instrument: String,
    /// Detector of that instrument.
    #[arg(long)]
    detector: Option<u16>,
    /// A parameter instead of the instrument's, `key=value`, repeatable. For `correct`: gain, read_noise, saturation; of
    /// `correct cti`: iterations and the parameters of the traps as the correction is to know them.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Exposure time in seconds.
    #[arg(long, default_value_t = 150.0)]
    time: f64,
    /// Date of the exposure, modified Julian date in days; it sets the density of charge traps.
    #[arg(long, default_value_t = 61_000.0)]
    date: f64,
    /// Seed of the draws; needed by effects that draw.
    #[arg(long)]
    seed: Option<u64>,
    /// First column and row of the image on the detector, `x0,y0`.
    #[arg(long, default_value = "0,0", value_name = "X0,Y0")]
    origin: String,
    /// The image has prescan and overscan (counts plane).
    #[arg(long)]
    scans: bool,
    /// Reference image for `correct` (master bias, dark, flat, shutter map): image, and variance in a second extension.
    #[arg(long)]
    reference: Option<PathBuf>,
    /// Sky background for `apply sky` in electron/s/pixel, or the lamp's rate for `apply lamp`.
    #[arg(long, default_value_t = 0.0)]
    rate: f64,
}

impl OneEffect {
    pub fn apply(&self) -> anyhow::Result<ExitCode> {
        let (instrument, mut spec) = self.detector()?;
        let numbers = self.numbers()?;
        registry::set_parameters(&mut spec, &self.effect, &numbers, "command line")?;
        let (pixels, header) = read_image(&self.input)?;
        let (window, layout) = self.place(&spec, pixels.dim())?;
        let kind = if self.effect == "lamp" { ExposureKind::Flat { rate_electron_s: self.rate } } else { ExposureKind::Science };
        let exposure = Exposure {
            id: 0,
            kind,
            pointing: Pointing { ra_deg: 0.0, dec_deg: 0.0, rotation_deg: 0.0 },
            start_mjd: self.date,
            time_s: self.time,
            sky_electron_s: if self.effect == "sky" { self.rate } else { 0.0 },
        };
        let draws = ["detect", "read_noise"].contains(&self.effect.as_str());
        let single_traps = self.effect == "cti" && cti::Settings::read(&spec)?.draw_traps;
        let draws = draws || single_traps;
        ensure!(self.seed.is_some() || !draws, "{} draws random numbers: give --seed N", self.effect);
        let cx = Context {
            exposure: &exposure,
            geometry: &spec.geometry,
            layout: &layout,
            window,
            effect: "one",
            seed: self.seed.unwrap_or(0),
            device_seed: spec.device_seed,
        };
        let name = self.effect.as_str();
        let (out, unit, ledger) = if let Some(entry) = registry::light().iter().find(|e| e.name == name) {
            forward::<Light>(entry, &spec, pixels, window, &cx)?
        } else if let Some(entry) = registry::charge().iter().find(|e| e.name == name) {
            forward::<Charge>(entry, &spec, pixels, window, &cx)?
        } else if let Some(entry) = registry::counts().iter().find(|e| e.name == name) {
            forward::<Counts>(entry, &spec, pixels, window, &cx)?
        } else if name == registry::detect().name {
            let crossing = (registry::detect().forward)(&spec)?;
            let (frame, _) = crossing.cross(Frame::<Light>::from_pixels(pixels, window), &cx.named(registry::detect().name))?;
            (frame.pixels, Charge::BUNIT, None)
        } else if name == registry::digitise().name {
            let crossing = (registry::digitise().forward)(&spec)?;
            let (frame, _) = crossing.cross(Frame::<Charge>::from_pixels(pixels, window), &cx.named(registry::digitise().name))?;
            (frame.pixels, Counts::BUNIT, None)
        } else {
            bail!("there is no effect `{name}`; known: {}", registry::effect_names().join(", "));
        };
        self.write(out, unit, header, &format!("apply {name} of {}", instrument.name), None)?;
        if let Some(ledger) = ledger {
            println!("{name}: added {:.6e}, lost {:.6e} {unit}", ledger.added, ledger.lost);
        }
        println!("{}", self.out.display());
        Ok(ExitCode::SUCCESS)
    }

    pub fn correct(&self) -> anyhow::Result<ExitCode> {
        let (_, spec) = self.detector()?;
        let (pixels, header) = read_image(&self.input)?;
        let (window, layout) = self.place(&spec, pixels.dim())?;
        let knowledge = match self.effect.as_str() {
            "cti" => self.trap_knowledge(spec, layout, window)?,
            _ => self.knowledge(layout, window)?,
        };
        let name = self.effect.as_str();
        let (out, unit, status, flags) = if let Some(entry) = registry::light().iter().find(|e| e.name == name) {
            backward::<Light>(entry, &knowledge, pixels, window)?
        } else if let Some(entry) = registry::charge().iter().find(|e| e.name == name) {
            backward::<Charge>(entry, &knowledge, pixels, window)?
        } else if let Some(entry) = registry::counts().iter().find(|e| e.name == name) {
            backward::<Counts>(entry, &knowledge, pixels, window)?
        } else if name == registry::digitise().name {
            let back = (registry::digitise().backward)(&knowledge)?;
            let (frame, status) = back.cross_back(Frame::<Counts>::from_pixels(pixels, window))?;
            (frame.pixels, Charge::BUNIT, status, frame.flags)
        } else if name == registry::detect().name {
            let back = (registry::detect().backward)(&knowledge)?;
            let (frame, status) = back.cross_back(Frame::<Charge>::from_pixels(pixels, window))?;
            (frame.pixels, Light::BUNIT, status, frame.flags)
        } else {
            bail!("there is no effect `{name}`; known: {}", registry::effect_names().join(", "));
        };
        if let StepStatus::Skipped(reason) = &status {
            bail!("{name} was not corrected: {reason}");
        }
        self.write(out, unit, header, &format!("correct {name}"), flags)?;
        println!("{}", self.out.display());
        Ok(ExitCode::SUCCESS)
    }

    fn detector(&self) -> anyhow::Result<(Instrument, DetectorSpec)> {
        let instrument = load(&self.instrument)?;
        let number = match self.detector {
            Some(number) => number,
            None => *instrument.detectors.keys().next().context("the instrument has no detectors")?,
        };
        let Some(spec) = instrument.detectors.get(&number).cloned() else {
            bail!("--detector {number}: {} has detectors {:?}", instrument.name, instrument.detectors.keys().collect::<Vec<_>>());
        };
        Ok((instrument, spec))
    }

    fn numbers(&self) -> anyhow::Result<Vec<(String, f64)>> {
        self.set
            .iter()
            .map(|pair| {
                let (key, value) = pair.split_once('=').with_context(|| format!("--set {pair}: write KEY=VALUE"))?;
                let number: f64 = value.trim().parse().with_context(|| format!("--set {key}: {value:?} is not a number"))?;
                ensure!(number.is_finite(), "--set {key}: {value} is not finite");
                Ok((key.trim().to_string(), number))
            })
            .collect()
    }

    /// Window of the image on the detector and the raw layout it implies.
    fn place(&self, spec: &DetectorSpec, shape: (usize, usize)) -> anyhow::Result<(Window, ReadoutLayout)> {
        let (x0, y0) = self
            .origin
            .split_once(',')
            .and_then(|(x, y)| Some((x.trim().parse::<usize>().ok()?, y.trim().parse::<usize>().ok()?)))
            .with_context(|| format!("--origin {:?}: write X0,Y0 in pixels", self.origin))?;
        let full = spec.geometry.full_window();
        if self.scans {
            let layout = ReadoutLayout::new(&spec.geometry, full, Scans::Full);
            ensure!(
                (layout.rows, layout.columns) == shape,
                "--scans: the image is {} x {}, a raw frame of this detector {} x {}",
                shape.1,
                shape.0,
                layout.columns,
                layout.rows
            );
            return Ok((full, layout));
        }
        let window = Window { x0, y0, nx: shape.1, ny: shape.0 };
        ensure!(
            x0 + shape.1 <= full.nx && y0 + shape.0 <= full.ny,
            "the image of {} x {} at {x0},{y0} does not lie on the {} x {} detector; choose --detector and --origin",
            shape.1,
            shape.0,
            full.nx,
            full.ny
        );
        Ok((window, ReadoutLayout::new(&spec.geometry, window, Scans::Trimmed)))
    }

    fn knowledge(&self, layout: ReadoutLayout, window: Window) -> anyhow::Result<Knowledge> {
        let amplifiers = layout.amplifier_count;
        let mut knowledge = Knowledge::of_layout(layout, window, self.time);
        for (key, value) in self.numbers()? {
            let all = Some(vec![Measured { value, error: 0.0 }; amplifiers]);
            match key.as_str() {
                "gain" => knowledge.gain = all,
                "read_noise" => knowledge.read_noise = all,
                "saturation" => knowledge.saturation_electron = Some(value),
                _ => bail!("--set {key}: a correction knows gain [electron/adu], read_noise [electron], saturation [electron]"),
            }
        }
        if let Some(path) = &self.reference {
            let images: Vec<Array2<f32>> = images(path)?.into_iter().map(|(pixels, _)| pixels).collect();
            let image = images.first().cloned().with_context(|| format!("{}: no image", path.display()))?;
            let variance = images.get(1).cloned().unwrap_or_else(|| Array2::zeros(image.dim()));
            let reference = Some(Arc::new(Reference { image, variance }));
            match self.effect.as_str() {
                "bias" => knowledge.bias = reference,
                "dark" => knowledge.dark = reference,
                "flat" => knowledge.flat = reference,
                "shutter" => knowledge.shutter = reference,
                other => bail!("--reference: the correction of {other} takes no reference image (bias, dark, flat, shutter do)"),
            }
        }
        Ok(knowledge)
    }

    /// What `correct cti` knows: the traps of the instrument file, or those given.
    fn trap_knowledge(&self, mut spec: DetectorSpec, layout: ReadoutLayout, window: Window) -> anyhow::Result<Knowledge> {
        ensure!(self.reference.is_none(), "--reference: the correction of cti takes no reference image (bias, dark, flat, shutter do)");
        let (own, traps): (Vec<_>, Vec<_>) = self.numbers()?.into_iter().partition(|(key, _)| key == "iterations");
        registry::set_parameters(&mut spec, "cti", &traps, "command line")?;
        let iterations = own.last().map_or(3.0, |(_, value)| *value);
        ensure!((0.0..=100.0).contains(&iterations), "--set iterations={iterations}: 0..100");
        let mut knowledge = Knowledge::of_layout(layout, window, self.time);
        knowledge.traps = Some(Arc::new(cti::Settings::read(&spec)?.knowledge(self.date, iterations as usize)));
        Ok(knowledge)
    }

    fn write(&self, pixels: Array2<f32>, unit: &str, mut header: Header, what: &str, flags: Option<Array2<u32>>) -> anyhow::Result<()> {
        header.set("BUNIT", unit, "unit of the pixels");
        header.history.push(format!("skyloop {}: {what}", env!("CARGO_PKG_VERSION")));
        let mut hdus = vec![Hdu::new("", header, Data::F32(pixels))];
        if let Some(flags) = flags {
            hdus.push(Hdu::new("FLAGS", Header::default(), Data::I32(flags.mapv(|f| f as i32))));
        }
        fits::write(&self.out, &hdus)?;
        Ok(())
    }
}

fn forward<P: Plane>(
    entry: &Entry<P>,
    spec: &DetectorSpec,
    pixels: Array2<f32>,
    window: Window,
    cx: &Context<'_>,
) -> anyhow::Result<(Array2<f32>, &'static str, Option<Ledger>)> {
    let effect = (entry.forward)(spec)?;
    let mut frame = Frame::<P>::from_pixels(pixels, window);
    let ledger = effect.apply(&mut frame, &cx.named(entry.name))?;
    Ok((frame.pixels, P::BUNIT, Some(ledger)))
}

type Corrected = (Array2<f32>, &'static str, StepStatus, Option<Array2<u32>>);

fn backward<P: Plane>(entry: &Entry<P>, knowledge: &Knowledge, pixels: Array2<f32>, window: Window) -> anyhow::Result<Corrected> {
    let Some(correction) = entry.twin.correction(knowledge) else { bail!("{} has no correction", entry.name) };
    let mut frame = Frame::<P>::from_pixels(pixels, window);
    let shape = frame.pixels.dim();
    frame.variance = Some(Array2::zeros(shape));
    frame.flags = Some(Array2::zeros(shape));
    let status = correction?.correct(&mut frame)?;
    Ok((frame.pixels, P::BUNIT, status, frame.flags))
}

/// All images of a FITS file as f32.
fn images(path: &Path) -> anyhow::Result<Vec<(Array2<f32>, Header)>> {
    Ok(fits::read(path)?
        .into_iter()
        .filter_map(|hdu| {
            let pixels = match hdu.data {
                Data::F32(p) => p,
                Data::F64(p) => p.mapv(|v| v as f32),
                Data::U16(p) => p.mapv(f32::from),
                Data::I32(p) => p.mapv(|v| v as f32),
                _ => return None,
            };
            Some((pixels, hdu.header))
        })
        .collect())
}

fn read_image(path: &Path) -> anyhow::Result<(Array2<f32>, Header)> {
    images(path)?.into_iter().next().with_context(|| format!("{}: no image in it", path.display()))
}
