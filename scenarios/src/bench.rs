//! Benchmarks of named workloads: seconds per stage, rates, peak memory. Figures come from here, never from tests.

pub mod curves;
pub mod exposure;
pub mod undo;

use crate::folder::Folder;
use crate::scenario::Scenario;
use crate::simulate::{render_unit, write_unit};
use crate::sky::Sky;
use crate::unit::Plan;
use cpu_time::ProcessTime;
use instruments::description::{DetectorKind, DetectorSpec};
use sim_core::fits::Packing;
use sim_core::source::{Brightness, Component};
use std::path::Path;
use std::time::Instant;

/// Zero point \[mag\] and time \[s\] of the benchmark field's electrons, [`catalogs::bench_field`].
const FIELD_ZERO_POINT: f64 = 25.9;
const FIELD_TIME_S: f64 = 150.0;

/// One stage of a benchmark.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct StageTime {
    /// Stage.
    pub name: String,
    /// CPU seconds of the process, all threads.
    pub cpu_s: f64,
    /// Wall seconds.
    pub wall_s: f64,
}

/// Collects stage times.
pub struct StageClock {
    cpu: ProcessTime,
    wall: Instant,
    /// Stages so far.
    pub stages: Vec<StageTime>,
}

impl Default for StageClock {
    fn default() -> Self {
        Self { cpu: ProcessTime::now(), wall: Instant::now(), stages: Vec::new() }
    }
}

impl StageClock {
    /// Closes a stage.
    pub fn lap(&mut self, name: &str) {
        self.stages.push(StageTime {
            name: name.into(),
            cpu_s: self.cpu.elapsed().as_secs_f64(),
            wall_s: self.wall.elapsed().as_secs_f64(),
        });
        self.restart();
    }
    /// Begins a stage anew.
    pub fn restart(&mut self) {
        (self.cpu, self.wall) = (ProcessTime::now(), Instant::now());
    }
    /// CPU seconds of all stages.
    #[must_use]
    pub fn cpu_s(&self) -> f64 {
        self.stages.iter().map(|s| s.cpu_s).sum()
    }
}

/// Result of `bench ccd`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct CcdBench {
    /// Objects drawn.
    pub objects: usize,
    /// Pixels of the science array.
    pub pixels: usize,
    /// Stages in order.
    pub stages: Vec<StageTime>,
    /// Stages of the way back, when it was asked for.
    pub corrections: Vec<StageTime>,
    /// Parts of the stage `optics`, wall seconds: PSF, sources, modes and transforms, adding to the frame.
    pub optics_s: [f64; 4],
    /// Fourier modes drawn.
    pub modes: f64,
    /// Electrons of all sources inside the frame.
    pub electrons_in_frame: f64,
    /// Peak memory \[MB\].
    pub peak_memory_mb: Option<f64>,
    /// What was found beside the times.
    pub notes: Vec<String>,
}

/// Gives a component of the benchmark field its AB magnitude in the detector's band: spectra take no electrons.
fn in_magnitudes(component: &mut Component, spec: &DetectorSpec) {
    if let Brightness::Electrons(electrons) = component.brightness {
        let magnitude = FIELD_ZERO_POINT - 2.5 * (electrons / FIELD_TIME_S).log10();
        component.brightness = Brightness::Ab { magnitude, band: spec.band.clone() };
    }
}

/// What a benchmark of one chip is to do.
#[derive(Debug, Clone, Copy)]
pub struct Workload<'a> {
    /// Benchmark field (CSV); made from its seed when absent.
    pub catalogue: Option<&'a Path>,
    /// Number of the detector.
    pub detector: u16,
    /// Effects to switch on that the instrument leaves off.
    pub with: &'a [String],
    /// Whether the corrections are timed too.
    pub undo: bool,
    /// How the raw frame is laid out in its file.
    pub packing: Packing,
    /// Part of the field's objects that is drawn, evenly over the list.
    pub share: f64,
}

/// One whole survey-camera chip: the benchmark field through the optical PSF and the full first-set chain, truth and
/// FITS written to `out`.
///
/// # Errors
/// When the field cannot be read or a file cannot be written.
pub fn ccd(work: &Workload<'_>, out: &Path) -> anyhow::Result<CcdBench> {
    let Workload { catalogue, detector, with, undo, packing, share } = *work;
    let mut scenario = Scenario::read("chip")?;
    scenario.name = "bench_ccd".into();
    scenario.detector[0].number = detector;
    scenario.with = with.to_vec();
    scenario.compress = packing;
    if !with.is_empty() {
        // Ten years in orbit: the age for which the instrument gives its traps.
        scenario.exposure[0].start = "2037-06-26T20:35:58".into();
    }
    let plan = Plan::new(scenario)?;
    let folder = Folder::create(out)?;
    for sub in [folder.level0(), folder.truth()] {
        std::fs::create_dir_all(sub)?;
    }
    let unit = &plan.units[0];
    let spec = plan.spec(unit);
    let mut clock = StageClock::default();
    let sky = Sky::given(|library| {
        let mut sources = match catalogue {
            Some(path) => catalogs::bench_field::read(path, &library.seds)?,
            None => catalogs::bench_field::bench_field(20_260_101, &library.seds),
        };
        let mut taken = 0.0;
        sources.retain(|_| {
            taken += share;
            let takes = taken >= 1.0;
            taken -= f64::from(u8::from(takes));
            takes
        });
        if spec.kind == DetectorKind::Slitless {
            sources.iter_mut().flat_map(|source| &mut source.components).for_each(|component| in_magnitudes(component, spec));
        }
        Ok::<_, catalogs::bench_field::BenchError>(sources)
    })?;
    clock.lap("read catalogue");
    let psf = psf::config::build(&plan.instrument.psf, spec.geometry.pixel_scale_arcsec)?;
    clock.lap("describe PSF");
    let made = render_unit(&plan, unit, (psf.as_ref(), &sky), None, &folder, &mut |stage| clock.lap(stage))?;
    clock.lap("close chain");
    let objects = made.truth.len();
    let electrons_in_frame = made.truth.iter().map(|t| t.electrons_in_frame).sum();
    let timings = made.optics;
    let mut back = StageClock::default();
    let plain_bytes = (2 * made.layout.rows * made.layout.columns) as f64;
    let mut notes = if undo { undo::undo(&plan, unit, &made, &mut |stage| back.lap(stage))? } else { Vec::new() };
    clock.restart();
    write_unit(&plan, unit, made, &folder, &mut |stage| clock.lap(stage))?;
    if !packing.is_none() {
        let bytes = std::fs::metadata(unit.level0_path(&folder, &plan.instrument.name))?.len() as f64;
        notes.push(format!(
            "raw frame packed: {:.1} MB, {:.3} of the {:.1} MB of its pixels",
            bytes / 1e6,
            bytes / plain_bytes,
            plain_bytes / 1e6
        ));
    }
    Ok(CcdBench {
        objects,
        pixels: spec.geometry.nx * spec.geometry.ny,
        stages: clock.stages,
        corrections: back.stages,
        optics_s: [timings.psf_s, timings.sources_s, timings.paint_s, timings.add_s],
        modes: timings.modes,
        electrons_in_frame,
        peak_memory_mb: survey::memory::peak_mb(),
        notes,
    })
}

impl std::fmt::Display for CcdBench {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut table = |title: &str, stages: &[StageTime]| -> Result<f64, std::fmt::Error> {
            writeln!(f, "{title:<38} {:>9} {:>9}", "CPU s", "wall s")?;
            for s in stages {
                writeln!(f, "{:<38} {:>9.3} {:>9.3}", s.name, s.cpu_s, s.wall_s)?;
            }
            let (cpu, wall): (f64, f64) = (stages.iter().map(|s| s.cpu_s).sum(), stages.iter().map(|s| s.wall_s).sum());
            writeln!(f, "{:<38} {cpu:>9.3} {wall:>9.3}", "all")?;
            Ok(cpu)
        };
        let cpu = table("stage", &self.stages)?;
        if !self.corrections.is_empty() {
            table("way back", &self.corrections)?;
        }
        let [psf, sources, paint, add] = self.optics_s;
        writeln!(
            f,
            "optics, wall s: PSF {psf:.3}, sources {sources:.3}, {:.1} M modes and transforms {paint:.3}, adding {add:.3}",
            self.modes / 1e6
        )?;
        let optics = self.stages.iter().find(|s| s.name == "optics").map_or(f64::NAN, |s| s.cpu_s);
        writeln!(
            f,
            "{} objects, {:.0} objects per CPU second of optics, {:.1} Mpixel per CPU second of the whole",
            self.objects,
            self.objects as f64 / optics,
            self.pixels as f64 / cpu / 1e6
        )?;
        writeln!(f, "{:.2} Me- of sources in the frame", self.electrons_in_frame / 1e6)?;
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        match self.peak_memory_mb {
            Some(mb) => writeln!(f, "peak memory {mb:.0} MB"),
            None => Ok(()),
        }
    }
}
