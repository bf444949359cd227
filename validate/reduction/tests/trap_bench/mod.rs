//! A short device of the survey camera with many traps, as much trail as a long one has, and its calibration exposures.
#![allow(dead_code, reason = "each test file uses a part")]

use instruments::description::{DetectorSpec, load};
use instruments::effects::cti::direction::Path;
use instruments::effects::registry;
use ndarray::Array2;
use reduction::injected_lines::Readout;
use reduction::transfer_lines::Given;
use reduction::trap_evidence::{Pumped, Readings};
use reduction::trap_fit::TrapOptions;
use sim_core::detector::{AmplifierGrid, DetectorGeometry, ReadoutLayout, Scans};
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::frame::Frame;
use sim_core::knowledge::Measured;
use sim_core::noise;
use sim_core::plane::{Charge, Counts};
use sim_core::stream::StreamKey;

pub const GAIN: f64 = 1.1;
pub const READ_NOISE: f64 = 5.0;
pub const BIAS: f32 = 500.0;
pub const FULL_WELL: f64 = 84_700.0;
pub const PARALLEL: [(f64, f64); 3] = [(4.0, 0.74), (10.0, 7.7), (9.0, 37.0)];
pub const SERIAL: [(f64, f64); 3] = [(1.0, 0.5), (2.0, 5.0), (0.0, 1.0)];
pub const EXPONENT: f64 = 0.478;
pub const LINE_TIME_S: f64 = 0.0085;
pub const OPTIONS: TrapOptions =
    TrapOptions { species: [3, 2], full_well_electron: FULL_WELL, notch_electron: 0.0, blocks: 6, iterations: 4 };

pub fn spec() -> DetectorSpec {
    let amplifiers = AmplifierGrid { columns: 2, rows: 2, prescan_x: 27, overscan_x: 60, overscan_y: 84 };
    let mut spec = load("msc").unwrap().detectors.remove(&8).unwrap();
    spec.geometry = DetectorGeometry { number: 3, filter: "r".into(), nx: 512, ny: 1200, amplifiers, ..spec.geometry };
    spec.device_seed = 5;
    let mut numbers =
        vec![("reference_date".to_string(), 61_000.0), ("growth".into(), 0.2), ("blocks".into(), 6.0), ("draw_traps".into(), 0.0)];
    for (name, species) in [("parallel", PARALLEL), ("serial", SERIAL)] {
        for (k, (density, release)) in species.into_iter().enumerate() {
            numbers.push((format!("{name}_density_{}", k + 1), density));
            numbers.push((format!("{name}_release_{}", k + 1), release));
            numbers.push((format!("{name}_depth_{}", k + 1), 0.0));
        }
        numbers.push((format!("{name}_exponent"), EXPONENT));
        numbers.push((format!("{name}_full_well"), FULL_WELL));
        numbers.push((format!("{name}_notch"), 0.0));
    }
    let mut set =
        |effect: &str, numbers: &[(String, f64)]| registry::set_parameters(&mut spec, effect, numbers, "invented for tests").unwrap();
    set("cti", &numbers);
    set("digitise", &[("gain".into(), GAIN), ("gain_scatter".into(), 0.0)]);
    set("trap_pumping", &[("line_time".into(), LINE_TIME_S)]);
    spec
}

/// What is on besides the traps.
#[derive(Debug, Clone, Copy, Default)]
pub struct Also {
    pub cosmic_rays: bool,
    pub brighter_fatter: bool,
}

pub struct Bench {
    pub spec: DetectorSpec,
    pub layout: ReadoutLayout,
    pub seed: u64,
    pub mjd: f64,
    pub also: Also,
}

impl Bench {
    pub fn new() -> Self {
        Self::seeded(8, Also::default())
    }
    pub fn seeded(seed: u64, also: Also) -> Self {
        let spec = spec();
        let layout = ReadoutLayout::new(&spec.geometry, spec.geometry.full_window(), Scans::Full);
        Self { spec, layout, seed, mjd: 61_000.0, also }
    }
    pub fn exposure(&self, kind: ExposureKind, id: u64, time_s: f64) -> Exposure {
        let pointing = Pointing { ra_deg: 0.0, dec_deg: 0.0, rotation_deg: 0.0 };
        Exposure { id, kind, pointing, start_mjd: self.mjd, time_s, sky_electron_s: 0.0 }
    }
    /// Charge through what acts on it, digitised and read out.
    pub fn expose(&self, charge: Array2<f32>, exposure: &Exposure) -> (Frame<Charge>, Frame<Counts>) {
        let window = self.spec.geometry.full_window();
        let cx = |effect| Context {
            exposure,
            geometry: &self.spec.geometry,
            layout: &self.layout,
            window,
            effect,
            seed: self.seed,
            device_seed: 5,
        };
        let mut frame = Frame::<Charge>::from_pixels(charge, window);
        let wanted = |name: &str| match name {
            "cosmic_rays" => self.also.cosmic_rays,
            "brighter_fatter" => self.also.brighter_fatter,
            "charge_injection" | "trap_pumping" | "cti" => true,
            _ => false,
        };
        for entry in registry::charge().iter().filter(|e| wanted(e.name)) {
            (entry.forward)(&self.spec).unwrap().apply(&mut frame, &cx(entry.name)).unwrap();
        }
        let digitise = (registry::digitise().forward)(&self.spec).unwrap();
        let (mut counts, _) = digitise.cross(frame.clone(), &cx("digitise")).unwrap();
        for (y, mut row) in counts.pixels.rows_mut().into_iter().enumerate() {
            let stream = StreamKey::new(17 + self.seed).with(exposure.id).stream(y as u64);
            row.iter_mut().for_each(|p| *p += BIAS);
            noise::add_normals(&stream, 0, (READ_NOISE / GAIN) as f32, row.as_slice_mut().unwrap());
            row.iter_mut().for_each(|p| *p = p.round());
        }
        (frame, counts)
    }
    /// Science exposure: transfers, digitises and reads out; `id` keys the draws.
    pub fn read_out(&self, charge: Array2<f32>, id: u64) -> (Frame<Charge>, Frame<Counts>) {
        let quiet = Self { spec: self.spec.clone(), layout: self.layout.clone(), also: Also::default(), ..*self };
        quiet.expose(charge, &self.exposure(ExposureKind::Science, id, 10.0))
    }
    pub fn sure(&self, value: f64) -> Vec<Measured> {
        vec![Measured { value, error: 0.0 }; self.layout.amplifier_count]
    }
    fn empty(&self) -> Array2<f32> {
        Array2::zeros(self.spec.geometry.full_window().shape())
    }
    /// A frame with injected lines.
    pub fn injected(&self, rows: u32, gap: u32, level_electron: f64, id: u64) -> Array2<f32> {
        let kind = ExposureKind::ChargeInjection { level_electron, rows, gap };
        self.expose(self.empty(), &self.exposure(kind, id, 0.0)).1.pixels
    }
    /// A frame of pumped charge.
    pub fn pumped(&self, kind: ExposureKind, id: u64) -> Array2<f32> {
        self.expose(self.empty(), &self.exposure(kind, id, kind.pumping_time_s())).1.pixels
    }
    /// A dark of 900 s with hot pixels of the device over a dark current of 60 electrons.
    pub fn dark(&self, id: u64) -> Array2<f32> {
        let (rows, columns) = self.spec.geometry.full_window().shape();
        let words = StreamKey::new(77).stream(0);
        let unit = |k: u64| f64::from(words.word(k)) / 4_294_967_296.0;
        let mut charge = Array2::from_elem((rows, columns), 60.0_f32);
        for k in 0..1800 {
            let at = [(unit(3 * k) * rows as f64) as usize, (unit(3 * k + 1) * columns as f64) as usize];
            charge[at] += 1000.0 * 40.0_f64.powf(unit(3 * k + 2)) as f32;
        }
        self.expose(self.shot(charge, id), &self.exposure(ExposureKind::Dark, id, 900.0)).1.pixels
    }
    fn shot(&self, mut charge: Array2<f32>, id: u64) -> Array2<f32> {
        for (y, mut row) in charge.rows_mut().into_iter().enumerate() {
            noise::poisson(&StreamKey::new(6 + self.seed).with(id).stream(y as u64), 0, row.as_slice_mut().unwrap());
        }
        charge
    }
    /// Charge of a flat: pixels that respond differently by one per cent.
    pub fn flat_charge(&self, level: f32, id: u64) -> Array2<f32> {
        let response = StreamKey::new(99);
        let mut charge = Array2::from_elem(self.spec.geometry.full_window().shape(), 1.0_f32);
        for (y, mut row) in charge.rows_mut().into_iter().enumerate() {
            noise::add_normals(&response.stream(y as u64), 0, 0.01, row.as_slice_mut().unwrap());
            row.iter_mut().for_each(|p| *p *= level);
        }
        self.shot(charge, id)
    }
    /// A raw flat of 10 s.
    pub fn flat(&self, level: f32, id: u64) -> Array2<f32> {
        let kind = ExposureKind::Flat { rate_electron_s: f64::from(level) / 10.0 };
        self.expose(self.flat_charge(level, id), &self.exposure(kind, id, 10.0)).1.pixels
    }
    pub fn given(&self, species: usize, trail: usize) -> Given {
        let path = Path { first: 0, prescan: 0, packets: 600, trailing: 0 };
        Given { path, full_well_electron: FULL_WELL, notch_electron: 0.0, species, trail }
    }
    /// All that calibration would read: six flats, four injected frames, three darks, three pumped frames of ten phase times.
    pub fn readings(&self) -> Readings {
        let (gain, read_noise) = (self.sure(GAIN), self.sure(READ_NOISE));
        let readout = Readout { layout: &self.layout, bias: None, zero: &[], gain: &gain, read_noise: &read_noise };
        let mut readings = Readings::of_layout(&self.layout);
        for (id, level) in (0..).zip([200.0_f32, 700.0, 2500.0, 8000.0, 25_000.0, 60_000.0]) {
            readings.add_flat(&self.flat(level, id), &readout);
        }
        for (id, level) in (100..).zip([500.0, 2000.0, 8000.0, 30_000.0]) {
            let raw = self.injected(20, 100, level, id);
            let kind = ExposureKind::ChargeInjection { level_electron: level, rows: 20, gap: 100 };
            readings.add_injected(&raw, &readout, &instruments::effects::charge_injection::Pattern::of(&kind).unwrap());
        }
        let darks: Vec<Array2<f32>> = (200..205).map(|id| self.dark(id)).collect();
        readings.add_darks(&darks, &readout, 900.0);
        for (k, phase_time_s) in PHASE_TIMES_S.into_iter().enumerate() {
            let kind = ExposureKind::TrapPumping { level_electron: 400.0, cycles: CYCLES, phase_time_s };
            for frame in 0..2 {
                let raw = self.pumped(kind, 300 + 10 * k as u64 + frame);
                let pumped = Pumped {
                    phase_time_s,
                    time_s: kind.pumping_time_s(),
                    cycles: CYCLES,
                    level_electron: 400.0,
                    clocking: Some((LINE_TIME_S, 0.6667)),
                };
                readings.pumped.add(&raw, &readout, &pumped);
            }
        }
        readings
    }
}

/// Cycles of pumping: the traps of this device are so many that more would empty the packets.
pub const CYCLES: u32 = 120;
/// From the fastest species to the slowest: 0.7 to 37 transfers are 4 to 220 ms at t = tau ln 2.
pub const PHASE_TIMES_S: [f64; 9] = [0.0015, 0.003, 0.006, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4];

/// Electrons that all traps of a pixel can take from a packet of `n` at once, and the mean of their release times: what the methods
/// agree on even where the species trade with each other.
pub fn capture(traps: &sim_core::knowledge::TransferTraps, n: f64) -> (f64, f64) {
    let density: f64 = traps.species.iter().map(|s| s.density.value).sum();
    let release = traps.species.iter().map(|s| s.density.value * s.release.value.ln()).sum::<f64>() / density;
    (density * (n / traps.full_well_electron).powf(traps.exponent), release.exp())
}
