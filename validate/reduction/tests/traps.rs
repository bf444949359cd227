//! Closed loop of charge transfer: flats through the traps of the simulator, trails measured, traps fitted, a field restored.
#![allow(clippy::unwrap_used, reason = "tests")]

use instruments::description::{DetectorKind, DetectorSpec};
use instruments::effects::cti::direction::Path;
use instruments::effects::registry;
use ndarray::Array2;
use reduction::edge_trails::{self, Direction, EdgeTrail};
use reduction::trap_fit;
use sim_core::bandpass::Bandpass;
use sim_core::detector::{AmplifierGrid, DetectorGeometry, ReadoutLayout, Scans};
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::frame::Frame;
use sim_core::knowledge::{Knowledge, Measured, TrapKnowledge};
use sim_core::noise;
use sim_core::plane::{Charge, Counts};
use sim_core::stream::StreamKey;
use std::sync::Arc;

const GAIN: f64 = 1.1;
const READ_NOISE: f64 = 5.0;
const BIAS: f32 = 500.0;

fn spec() -> DetectorSpec {
    let amplifiers = AmplifierGrid { columns: 2, rows: 2, prescan_x: 8, overscan_x: 60, overscan_y: 84 };
    let geometry = DetectorGeometry {
        number: 3,
        filter: "r".into(),
        nx: 256,
        ny: 1200,
        crpix1: 0.0,
        crpix2: 0.0,
        pixel_scale_arcsec: 0.074,
        amplifiers,
    };
    let band = Arc::new(Bandpass::new("r", vec![549.0, 550.0, 690.0, 691.0], vec![0.0, 0.6, 0.6, 0.0]).unwrap());
    let mut spec = DetectorSpec {
        geometry,
        kind: DetectorKind::Imaging,
        band,
        table_sky_electron_s: None,
        device_seed: 5,
        parameters: Default::default(),
    };
    // A short device with many traps: as much trail as a long one.
    let parallel = [(4.0, 0.74), (10.0, 7.7), (9.0, 37.0)];
    let serial = [(1.0, 0.5), (2.0, 5.0), (0.0, 1.0)];
    let mut numbers =
        vec![("reference_date".to_string(), 61_000.0), ("growth".into(), 0.2), ("blocks".into(), 6.0), ("draw_traps".into(), 0.0)];
    for (name, species) in [("parallel", parallel), ("serial", serial)] {
        for (k, (density, release)) in species.into_iter().enumerate() {
            numbers.push((format!("{name}_density_{}", k + 1), density));
            numbers.push((format!("{name}_release_{}", k + 1), release));
            numbers.push((format!("{name}_depth_{}", k + 1), 0.0));
        }
        numbers.push((format!("{name}_exponent"), 0.478));
        numbers.push((format!("{name}_full_well"), 84_700.0));
        numbers.push((format!("{name}_notch"), 0.0));
    }
    registry::set_parameters(&mut spec, "cti", &numbers, "invented for tests").unwrap();
    registry::set_parameters(&mut spec, "digitise", &[("gain".into(), GAIN), ("gain_scatter".into(), 0.0)], "invented for tests").unwrap();
    spec
}

struct Bench {
    spec: DetectorSpec,
    layout: ReadoutLayout,
}

impl Bench {
    fn new() -> Self {
        let spec = spec();
        let layout = ReadoutLayout::new(&spec.geometry, spec.geometry.full_window(), Scans::Full);
        Self { spec, layout }
    }
    /// Transfers, digitises and reads out; `id` keys the draws of the read noise.
    fn read_out(&self, charge: Array2<f32>, id: u64) -> (Frame<Charge>, Frame<Counts>) {
        let exposure = Exposure {
            id,
            kind: ExposureKind::Science,
            pointing: Pointing { ra_deg: 0.0, dec_deg: 0.0, rotation_deg: 0.0 },
            start_mjd: 61_000.0,
            time_s: 10.0,
            sky_electron_s: 0.0,
        };
        let window = self.spec.geometry.full_window();
        let cx = |effect| Context {
            exposure: &exposure,
            geometry: &self.spec.geometry,
            layout: &self.layout,
            window,
            effect,
            seed: 8,
            device_seed: 5,
        };
        let mut frame = Frame::<Charge>::from_pixels(charge, window);
        let entry = registry::charge().iter().find(|e| e.name == "cti").unwrap();
        (entry.forward)(&self.spec).unwrap().apply(&mut frame, &cx("cti")).unwrap();
        let digitise = (registry::digitise().forward)(&self.spec).unwrap();
        let (mut counts, _) = digitise.cross(frame.clone(), &cx("digitise")).unwrap();
        for (y, mut row) in counts.pixels.rows_mut().into_iter().enumerate() {
            let stream = StreamKey::new(17).with(id).stream(y as u64);
            row.iter_mut().for_each(|p| *p += BIAS);
            noise::add_normals(&stream, 0, (READ_NOISE / GAIN) as f32, row.as_slice_mut().unwrap());
        }
        (frame, counts)
    }
    fn flat(&self, level: f32, id: u64) -> Array2<f32> {
        let mut charge = Array2::from_elem(self.spec.geometry.full_window().shape(), level);
        for (y, mut row) in charge.rows_mut().into_iter().enumerate() {
            noise::poisson(&StreamKey::new(4).with(id).stream(y as u64), 0, row.as_slice_mut().unwrap());
        }
        charge
    }
}

fn rms(a: &Array2<f32>, b: &Array2<f32>) -> f64 {
    (a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64).sqrt()
}

#[test]
fn traps_fitted_from_flats_restore_a_field() {
    let bench = Bench::new();
    let sure = |value: f64| vec![Measured { value, error: 0.0 }; bench.layout.amplifier_count];
    let levels = [200.0_f32, 700.0, 2500.0, 8000.0, 25_000.0, 60_000.0];
    let trails = |direction| -> Vec<EdgeTrail> {
        let of = |(id, &level): (usize, &f32)| {
            let (_, counts) = bench.read_out(bench.flat(level, id as u64), id as u64);
            edge_trails::measure(&counts.pixels, &bench.layout, direction, &sure(GAIN), &sure(READ_NOISE)).unwrap()
        };
        levels.iter().enumerate().map(of).collect()
    };
    let parallel = trails(Direction::Parallel);
    for (trail, level) in parallel.iter().zip(levels) {
        assert!((trail.level_electron / f64::from(level) - 1.0).abs() < 0.1, "{} at {level}", trail.level_electron);
        assert_eq!(trail.trail.len(), 84);
    }
    let path = |first: usize, packets: usize| Path { first, prescan: first, packets, trailing: 0 };
    let columns = trap_fit::fit(&parallel, path(0, 600), 84_700.0, 0.0, 3).unwrap();
    let rows = trap_fit::fit(&trails(Direction::Serial), path(8, 128), 84_700.0, 0.0, 2).unwrap();
    assert!((columns.traps.exponent - 0.478).abs() < 0.02, "{columns:?}");
    assert!(columns.reduced_chi2 < 2.0 && rows.reduced_chi2 < 2.0, "{columns:?} {rows:?}");

    // A field with stars, without noise: what is left after the correction with fitted traps.
    let star = |y: usize, x: usize| 30_000.0 * (-0.2 * ((y % 150) as f32 - 75.0).powi(2) - 0.2 * ((x % 64) as f32 - 32.0).powi(2)).exp();
    let field = Array2::from_shape_fn((1200, 256), |(y, x)| 60.0 + star(y, x));
    let (spoilt, _) = bench.read_out(field.clone(), 99);
    let before = rms(&spoilt.pixels, &field);
    let mut knowledge = Knowledge::of_layout(bench.layout.clone(), bench.spec.geometry.full_window(), 10.0);
    let mut left = |parallel: &trap_fit::TrapFit| {
        knowledge.traps =
            Some(Arc::new(TrapKnowledge { parallel: parallel.traps.clone(), serial: rows.traps.clone(), blocks: 6, iterations: 4 }));
        let entry = registry::charge().iter().find(|e| e.name == "cti").unwrap();
        let mut frame = Frame::<Charge>::from_pixels(spoilt.pixels.clone(), bench.spec.geometry.full_window());
        entry.twin.correction(&knowledge).unwrap().unwrap().correct(&mut frame).unwrap();
        rms(&frame.pixels, &field) / before
    };
    let fitted = left(&columns);
    assert!(fitted < 0.05, "{fitted} left");
    // The simulator has three species; a reduction that believes in one is worse, and its chi-square says so.
    let poor = trap_fit::fit(&parallel, path(0, 600), 84_700.0, 0.0, 1).unwrap();
    let with_one = left(&poor);
    assert!(poor.reduced_chi2 > 10.0 && with_one > 2.0 * fitted, "{with_one} and chi-square {}", poor.reduced_chi2);
}
