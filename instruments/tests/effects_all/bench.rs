//! A small detector with everything a large one has: 8 amplifiers in two registers, scans, hot pixels.

use instruments::description::{ChainOrder, DetectorKind, DetectorSpec};
use instruments::effects::cti::Settings;
use instruments::effects::non_linearity;
use instruments::effects::registry::{self, Entry};
use ndarray::Array2;
use sim_core::bandpass::Bandpass;
use sim_core::correction::Correction;
use sim_core::detector::{AmplifierGrid, DetectorGeometry, ReadoutLayout, Scans};
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::flags;
use sim_core::frame::{Frame, Window};
use sim_core::knowledge::{CrosstalkKnowledge, DefectPixel, FringeFrame, Knowledge, Linearity, Measured, Reference, TrapKnowledge};
use sim_core::plane::{Counts, Light, Plane};
use std::sync::Arc;

pub const NX: usize = 128;
pub const NY: usize = 96;

pub const PARAMETERS: &[(&str, &str, f64)] = &[
    ("sky", "gradient", 0.05),
    ("fringing", "thickness", 40.0),
    ("fringing", "thickness_range", 1.0),
    ("fringing", "bump_rms", 0.05),
    ("fringing", "bump_length", 60.0),
    ("fringing", "front_reflectance", 0.1),
    ("fringing", "back_reflectance", 0.3),
    ("fringing", "edge_shift", 0.0),
    ("fringing", "line_wavelength", 1083.33),
    ("fringing", "line_fraction", 0.3),
    ("fringing", "line_spread", 0.5),
    ("fringing", "lamp_wavelength", 600.0),
    ("fringing", "lamp_width", 5000.0),
    ("trails", "field_radius", 0.01),
    ("trails", "satellite_rate", 4.0),
    ("trails", "satellite_magnitude", 3.0),
    ("trails", "satellite_scatter", 1.0),
    ("trails", "satellite_size", 2.0),
    ("trails", "range_near", 200.0),
    ("trails", "range_far", 1000.0),
    ("trails", "relative_speed", 7.0),
    ("trails", "aperture", 1.0),
    ("trails", "psf_sigma", 0.1),
    ("trails", "asteroid_density", 10000.0),
    ("trails", "asteroid_slope", 0.27),
    ("trails", "asteroid_bright", 16.0),
    ("trails", "asteroid_faint", 24.0),
    ("trails", "asteroid_rate", 40.0),
    ("trails", "asteroid_rate_scatter", 0.3),
    ("ghosts", "f_number", 10.0),
    ("ghosts", "pupil_distance", 100.0),
    ("ghosts", "pixel_pitch", 0.01),
    ("ghosts", "least_brightness", 0.001),
    ("ghosts", "gap_1", 2.0),
    ("ghosts", "fraction_1", 0.005),
    ("ghosts", "tilt_x_1", 2.0),
    ("ghosts", "tilt_y_1", 1.0),
    ("ghosts", "gap_2", 0.5),
    ("ghosts", "fraction_2", 0.001),
    ("ghosts", "tilt_x_2", 0.5),
    ("ghosts", "tilt_y_2", -0.5),
    ("scattered_light", "fraction", 0.02),
    ("scattered_light", "shoulder", 2.0),
    ("scattered_light", "slope", 2.0),
    ("scattered_light", "radius", 0.01),
    ("scattered_light", "least_brightness", 0.001),
    ("flat", "large_scale_amplitude", 0.05),
    ("flat", "prnu_rms", 0.01),
    ("shutter", "travel_time", 1.3),
    ("shutter", "bearing_distance", 1.4),
    ("shutter", "pixel_pitch", 0.01),
    ("dark", "rate", 0.02),
    ("dark", "hot_fraction", 0.01),
    ("dark", "hot_rate_mean", 20.0),
    ("dark", "readout_time", 40.0),
    ("cosmic_rays", "rate", 40.0),
    ("cosmic_rays", "activity", 1.0),
    ("cosmic_rays", "readout_time", 40.0),
    ("cosmic_rays", "thickness", 16.0),
    ("cosmic_rays", "pixel_pitch", 10.0),
    ("cosmic_rays", "diffusion", 3.5),
    ("cosmic_rays", "field_free", 0.0),
    ("cosmic_rays", "angular_power", 0.0),
    ("cosmic_rays", "back_fraction", 0.5),
    ("cosmic_rays", "modulation", 550.0),
    ("cosmic_rays", "cutoff_rigidity", 5.0),
    ("cosmic_rays", "helium_fraction", 0.05),
    ("cosmic_rays", "secondary_fraction", 0.35),
    ("cosmic_rays", "electron_fraction", 0.1),
    ("cosmic_rays", "stopping_fraction", 0.01),
    ("cosmic_rays", "shower_fraction", 0.02),
    ("brighter_fatter", "strength", 3e-6),
    ("brighter_fatter", "pixel_pitch", 10.0),
    ("brighter_fatter", "thickness", 16.0),
    ("brighter_fatter", "charge_height", 1.0),
    ("brighter_fatter", "cloud_width", 6.0),
    ("brighter_fatter", "column_barrier", 3.0),
    ("brighter_fatter", "row_barrier", 1.0),
    ("brighter_fatter", "capacity", 90_000.0),
    ("brighter_fatter", "draw_arrivals", 1.0),
    ("charge_injection", "excess_noise", 2.0),
    ("charge_injection", "column_scatter", 0.03),
    ("trap_pumping", "line_time", 0.01),
    ("trap_pumping", "pumped_fraction", 0.6667),
    ("full_well", "capacity", 90_000.0),
    ("full_well", "section_scatter", 0.0),
    ("full_well", "pixel_scatter", 0.0),
    ("bleeding", "midline_barrier", 0.0),
    ("cti", "parallel_density_1", 2.0),
    ("cti", "parallel_release_1", 0.8),
    ("cti", "parallel_depth_1", 0.0),
    ("cti", "parallel_capture_1", 0.0),
    ("cti", "parallel_density_2", 3.0),
    ("cti", "parallel_release_2", 6.0),
    ("cti", "parallel_depth_2", 0.0),
    ("cti", "parallel_capture_2", 0.0),
    ("cti", "parallel_density_3", 1.0),
    ("cti", "parallel_release_3", 30.0),
    ("cti", "parallel_depth_3", 0.2),
    ("cti", "parallel_capture_3", 0.0),
    ("cti", "parallel_exponent", 0.5),
    ("cti", "parallel_full_well", 90_000.0),
    ("cti", "parallel_notch", 10.0),
    ("cti", "serial_density_1", 0.5),
    ("cti", "serial_release_1", 0.5),
    ("cti", "serial_depth_1", 0.0),
    ("cti", "serial_capture_1", 0.0),
    ("cti", "serial_density_2", 0.8),
    ("cti", "serial_release_2", 4.0),
    ("cti", "serial_depth_2", 0.0),
    ("cti", "serial_capture_2", 0.0),
    ("cti", "serial_density_3", 0.0),
    ("cti", "serial_release_3", 1.0),
    ("cti", "serial_depth_3", 0.0),
    ("cti", "serial_capture_3", 0.0),
    ("cti", "serial_exponent", 0.5),
    ("cti", "serial_full_well", 90_000.0),
    ("cti", "serial_notch", 10.0),
    ("cti", "reference_date", 61_000.0),
    ("cti", "growth", 0.2),
    ("cti", "blocks", 4.0),
    ("cti", "draw_traps", 0.0),
    ("digitise", "gain", 1.1),
    ("digitise", "gain_scatter", 0.02),
    ("non_linearity", "full_scale", 65_535.0),
    ("non_linearity", "quadratic", -0.01),
    ("non_linearity", "cubic", 0.004),
    ("non_linearity", "quartic", -0.008),
    ("non_linearity", "scatter", 0.2),
    ("bias", "level", 500.0),
    ("bias", "level_scatter", 20.0),
    ("bias", "column_structure_rms", 2.0),
    ("bias", "row_structure_rms", 1.0),
    ("read_noise", "sigma", 5.0),
    ("adc", "bits", 16.0),
    ("crosstalk", "near", 3e-4),
    ("crosstalk", "far", 2e-5),
    ("crosstalk", "reach", 1.5),
    ("crosstalk", "scatter", 0.3),
    ("crosstalk", "negative_fraction", 0.3),
    ("bias_drift", "drift_rms", 1.0),
    ("bias_drift", "drift_length", 300.0),
    ("bias_drift", "settling", 5.0),
    ("bias_drift", "settling_length", 2.0),
    ("bias_drift", "memory", 1e-3),
    ("bias_drift", "memory_length", 1.5),
    ("correlated_noise", "common_rms", 0.5),
    ("correlated_noise", "pink_rms", 1.0),
    ("correlated_noise", "shortest", 3.0),
    ("correlated_noise", "longest", 300.0),
    ("defects", "cold_fraction", 0.005),
    ("defects", "cold_response", 0.5),
    ("defects", "telegraph_fraction", 0.01),
    ("defects", "telegraph_rate", 2.0),
    ("defects", "dwell_short", 10.0),
    ("defects", "dwell_long", 1000.0),
    ("defects", "readout_time", 40.0),
    ("persistence", "threshold", 80_000.0),
    ("persistence", "fraction_1", 4e-3),
    ("persistence", "release_1", 30.0),
    ("persistence", "fraction_2", 1e-3),
    ("persistence", "release_2", 300.0),
    ("bad_columns", "blocked_fraction", 0.02),
    ("bad_columns", "pocket_fraction", 0.02),
    ("bad_columns", "pocket_capacity", 2000.0),
];

pub fn spec_of(nx: usize, ny: usize) -> DetectorSpec {
    let geometry = DetectorGeometry {
        number: 7,
        filter: "r".into(),
        nx,
        ny,
        crpix1: 0.5 * nx as f64,
        crpix2: 0.5 * ny as f64,
        pixel_scale_arcsec: 0.074,
        amplifiers: AmplifierGrid { columns: 4, rows: 2, prescan_x: 3, overscan_x: 24, overscan_y: 4 },
    };
    let band = Arc::new(Bandpass::new("r", vec![549.0, 550.0, 690.0, 691.0], vec![0.0, 0.6, 0.6, 0.0]).unwrap());
    let mut spec = DetectorSpec {
        geometry,
        kind: DetectorKind::Imaging,
        band,
        grating: None,
        table_sky_electron_s: None,
        device_seed: 99,
        parameters: Default::default(),
    };
    for &(effect, key, value) in PARAMETERS {
        set(&mut spec, effect, key, value);
    }
    spec
}

pub fn spec() -> DetectorSpec {
    spec_of(NX, NY)
}

/// A larger detector, with a shutter that covers it.
pub fn wide_spec(nx: usize, ny: usize) -> DetectorSpec {
    let mut spec = spec_of(nx, ny);
    set(&mut spec, "shutter", "bearing_distance", 60.0);
    spec
}

pub fn set(spec: &mut DetectorSpec, effect: &str, key: &str, value: f64) {
    registry::set_parameters(spec, effect, &[(key.to_string(), value)], "invented for tests").unwrap();
}

pub fn order() -> ChainOrder {
    let words = |text: &str| text.split(' ').map(String::from).collect();
    ChainOrder { light: words("sky lamp flat shutter dark"), charge: words("full_well"), counts: words("bias read_noise adc"), off: vec![] }
}

pub fn exposure(id: u64, kind: ExposureKind, time_s: f64) -> Exposure {
    let sky_electron_s = if kind == ExposureKind::Science { 2.0 } else { 0.0 };
    let pointing = Pointing { ra_deg: 10.0, dec_deg: 20.0, rotation_deg: 0.0 };
    Exposure { id, kind, pointing, start_mjd: 61_000.0, time_s, sky_electron_s }
}

/// Everything a context borrows.
pub struct Scene {
    pub spec: DetectorSpec,
    pub exposure: Exposure,
    pub layout: ReadoutLayout,
    pub window: Window,
}

impl Scene {
    pub fn new(spec: DetectorSpec, exposure: Exposure, window: Window, scans: Scans) -> Self {
        let layout = ReadoutLayout::new(&spec.geometry, window, scans);
        Self { spec, exposure, layout, window }
    }
    pub fn full(spec: DetectorSpec, exposure: Exposure) -> Self {
        let window = spec.geometry.full_window();
        Self::new(spec, exposure, window, Scans::Full)
    }
    pub fn cx(&self, effect: &'static str) -> Context<'_> {
        Context {
            exposure: &self.exposure,
            geometry: &self.spec.geometry,
            layout: &self.layout,
            window: self.window,
            effect,
            seed: 1234,
            device_seed: self.spec.device_seed,
        }
    }
    /// A frame for any plane: counts have the raw shape, the others that of the window.
    pub fn frame<P: Plane>(&self, value: impl Fn(usize, usize) -> f32) -> Frame<P> {
        let shape = if P::NAME == Counts::NAME { (self.layout.rows, self.layout.columns) } else { self.window.shape() };
        Frame::from_pixels(Array2::from_shape_fn(shape, |(y, x)| value(y, x)), self.window)
    }
    /// One effect on a frame of one value.
    pub fn applied<P: Plane>(&self, entry: &Entry<P>, value: f32) -> Frame<P> {
        let mut frame = self.frame(|_, _| value);
        (entry.forward)(&self.spec).unwrap().apply(&mut frame, &self.cx(entry.name)).unwrap();
        frame
    }
}

pub fn entry<P: Plane>(entries: &'static [Entry<P>], name: &str) -> &'static Entry<P> {
    entries.iter().find(|e| e.name == name).unwrap()
}

/// The smooth light of a sky with a slope and a few stars, in detector pixels.
pub fn starry(x: usize, y: usize) -> f32 {
    let star = |cx: f32, cy: f32, peak: f32| peak * (-0.3 * ((x as f32 - cx).powi(2) + (y as f32 - cy).powi(2))).exp();
    20.0 + 0.3 * x as f32 + star(30.0, 40.0, 5e3) + star(90.2, 60.7, 2e4) + star(64.0, 48.0, 3e5)
}

/// What a perfect calibration would know: references free of noise, true gain and noise.
pub fn knowledge(scene: &Scene) -> Knowledge {
    let (light, counts) = (registry::light(), registry::counts());
    let time_s = scene.exposure.time_s;
    let window = scene.window;
    let exact = |image: Array2<f32>| Some(Arc::new(Reference { variance: Array2::zeros(image.dim()), image }));
    let mut knowledge = Knowledge::of_layout(scene.layout.clone(), window, time_s);

    let lit = Scene::new(scene.spec.clone(), exposure(1, ExposureKind::Flat { rate_electron_s: 1.0 }, time_s), window, scene.layout.scans);
    knowledge.flat = exact(lit.applied(entry(light, "flat"), 1.0).pixels);
    knowledge.shutter = exact(lit.applied(entry(light, "shutter"), 1.0).pixels.mapv(|open| (open - 1.0) * time_s as f32));

    // The wait for the readout is in bias and dark frames alike: it goes with the bias, not with the dark rate.
    let mut no_wait = scene.spec.clone();
    set(&mut no_wait, "dark", "readout_time", 0.0);
    let dark = Scene::new(no_wait, exposure(1, ExposureKind::Dark, 100.0), window, scene.layout.scans);
    knowledge.dark = exact(dark.applied(entry(light, "dark"), 0.0).pixels.mapv(|n| n / 100.0));

    let mut steady = scene.spec.clone();
    set(&mut steady, "bias", "row_structure_rms", 0.0);
    let bias = Scene::new(steady, exposure(1, ExposureKind::Bias, 0.0), window, scene.layout.scans);
    let mut raw = bias.applied::<Counts>(entry(counts, "bias"), 0.0);
    instruments::effects::bias::SubtractOverscan::new(scene.layout.clone()).correct(&mut raw).unwrap();
    knowledge.bias = exact(instruments::effects::digitise::model::trim(raw.pixels, &scene.layout, window));

    let sure = |value: f64| Measured { value, error: 0.0 };
    let gain = instruments::effects::digitise::amplifier_gains(&scene.spec).unwrap();
    knowledge.read_noise = Some(vec![sure(5.0); gain.len()]);
    knowledge.gain = Some(gain.into_iter().map(sure).collect());
    knowledge.saturation_electron = Some(90_000.0);
    knowledge.linearity = Some(Arc::new(linearity_knowledge(&scene.spec)));
    let sure_all = |values: Vec<f64>| values.into_iter().map(sure).collect();
    let coefficients = sure_all(instruments::effects::crosstalk::coupling(&scene.spec).unwrap());
    knowledge.crosstalk = Some(Arc::new(CrosstalkKnowledge { amplifiers: scene.layout.amplifier_count, coefficients }));
    knowledge.columns = Some(Arc::new(instruments::effects::bad_columns::column_defects(&scene.spec).unwrap()));
    let mut defects = Vec::new();
    for y in 0..window.ny {
        let at = window.y0 + y;
        let cold = instruments::effects::defects::cold_pixels(&scene.spec, at).unwrap().into_iter().map(|c| (c.0, flags::DEAD));
        let telegraph = instruments::effects::defects::telegraph_pixels(&scene.spec, at).unwrap();
        for (x, bit) in cold.chain(telegraph.into_iter().map(|t| (t.x, flags::TELEGRAPH))) {
            if (window.x0..window.x0 + window.nx).contains(&x) {
                defects.push(DefectPixel { y, x: x - window.x0, bits: bit });
            }
        }
    }
    knowledge.defect_pixels = Some(Arc::new(defects));
    knowledge.traps = Some(Arc::new(trap_knowledge(&scene.spec, 4)));
    let shifts = instruments::effects::brighter_fatter::Settings::read(&scene.spec).unwrap().shifts;
    knowledge.boundaries = Some(Arc::new(shifts.knowledge(90_000.0, 2)));
    knowledge.fringes = Some(Arc::new(fringe_frame(scene)));
    knowledge
}

/// The fringes of the sky's line alone, as perfect calibration would know them.
pub fn fringe_frame(scene: &Scene) -> FringeFrame {
    let dark_sky = Scene::new(scene.spec.clone(), exposure(1, ExposureKind::Science, 100.0), scene.window, scene.layout.scans);
    let image = dark_sky.applied::<Light>(entry(registry::light(), "fringing"), 0.0).pixels;
    // With its mean, which on a chip of a few fringes is not 0: the twin takes it too.
    let rms = (image.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / image.len() as f64).sqrt();
    let pattern = image.mapv(|v| (f64::from(v) / rms) as f32);
    FringeFrame { window: scene.window, cell: 1, variance: Array2::zeros(pattern.dim()), pattern, typical_electron_s: rms / 100.0 }
}

/// The inverse responses, as ramps without error would give them.
pub fn linearity_knowledge(spec: &DetectorSpec) -> Linearity {
    non_linearity::knowledge(spec, 64_500.0).unwrap()
}

/// The traps of the bench at its reference date, as perfect calibration would know them.
pub fn trap_knowledge(spec: &DetectorSpec, iterations: usize) -> TrapKnowledge {
    Settings::read(spec).unwrap().knowledge(61_000.0, iterations)
}

/// The light that the chain was given, as the reduction should give it back: with sky and lamp.
pub fn wanted(scene: &Scene, light: &Frame<Light>) -> Array2<f32> {
    let mut frame = light.clone();
    for name in ["sky", "lamp"] {
        let entry = entry(registry::light(), name);
        (entry.forward)(&scene.spec).unwrap().apply(&mut frame, &scene.cx(name)).unwrap();
    }
    frame.pixels
}
