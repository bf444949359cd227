//! Exposures of the `testbench` instrument through its own effects, written as level-0 files.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use instruments::chain::Chain;
use instruments::description::Instrument;
use instruments::product::level0::{Level0Meta, write_level0};
use instruments::product::names::NameStyle;
use ndarray::Array2;
use sim_core::detector::{ReadoutLayout, Scans};
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::frame::Frame;
use sim_core::plane::Light;
use sim_core::wcs::detector_wcs;
use std::path::{Path, PathBuf};

/// Detector 1 of the testbench, exposing into a folder.
pub struct Exposing<'a> {
    pub instrument: &'a Instrument,
    pub folder: &'a Path,
    pub seed: u64,
    /// Exposures of successive numbers in a day.
    pub ids_per_day: f64,
    /// As the header says; documentation that need not be right.
    pub nominal_full_well_electron: f64,
    /// An effect to leave out of the same draws.
    pub without: Option<&'static str>,
}

impl Exposing<'_> {
    /// Writes an exposure; `light` is what falls on the detector beside sky and lamp \[electron\].
    pub fn expose(&self, id: u64, kind: ExposureKind, time_s: f64, light: Option<Array2<f32>>) -> PathBuf {
        let spec = &self.instrument.detectors[&1];
        let pointing = Pointing { ra_deg: 10.0, dec_deg: 20.0, rotation_deg: 30.0 };
        let sky_electron_s = if kind == ExposureKind::Science { 0.5 } else { 0.0 };
        let exposure = Exposure { id, kind, pointing, start_mjd: 61_771.0 + id as f64 / self.ids_per_day, time_s, sky_electron_s };
        let window = spec.geometry.full_window();
        let layout = ReadoutLayout::new(&spec.geometry, window, Scans::Full);
        let (geometry, device_seed) = (&spec.geometry, spec.device_seed);
        let cx = Context { exposure: &exposure, geometry, layout: &layout, window, effect: "chain", seed: self.seed, device_seed };
        let mut chain = Chain::new(self.instrument, spec).unwrap();
        if let Some(effect) = self.without {
            chain = chain.without(effect).unwrap();
        }
        let light = light.map_or_else(|| Frame::<Light>::zeros(window), |light| Frame::from_pixels(light, window));
        let (counts, _) = chain.run(light, &cx, &mut |_| {}).unwrap();
        let wcs = detector_wcs(geometry, &pointing, self.instrument.parity, None);
        let amplifiers = layout.amplifier_count;
        let meta = Level0Meta {
            instrument: &self.instrument.name,
            geometry,
            exposure: &exposure,
            layout: &layout,
            wcs: &wcs,
            object: "testbench",
            nominal_gain: &vec![1.5; amplifiers],
            nominal_read_noise_electron: &vec![4.0; amplifiers],
            nominal_full_well_electron: Some(self.nominal_full_well_electron),
            aberration: None,
            clocking: None,
            software: "test",
            style: &NameStyle::default(),
            packing: sim_core::fits::Packing::None,
        };
        let path = self.folder.join(meta.name().file_name());
        write_level0(&path, counts, &meta).unwrap();
        path
    }
}
