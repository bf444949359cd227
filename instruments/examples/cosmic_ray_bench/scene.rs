//! Scenes: what is drawn, through which PSF, under which sky, hit by what.

use crate::arguments::Dice;
use crate::simple::SimpleRays;
use instruments::description::{DetectorSpec, Instrument, load};
use instruments::effects::cosmic_rays::laplacian::CLOUD_PX;
use instruments::effects::cosmic_rays::{CosmicRayTruth, CosmicRays, Images};
use instruments::effects::registry;
use instruments::optics::{Imaging, RenderTolerance};
use ndarray::Array2;
use sim_core::bandpass::Bandpass;
use sim_core::detector::{ReadoutLayout, Scans};
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::frame::Window;
use sim_core::psf::Psf;
use sim_core::source::{Brightness, Component, Lensing, Position, Profile, Shear, Source, SourceKind};
use sim_core::spectrum::{Sed, Spectrum};
use sim_core::stream::StreamKey;
use sim_core::wcs::Wcs;
use std::error::Error;
use std::sync::Arc;

/// Magnitude that gives one electron per second: round, near the r band's.
const ZERO_POINT: f64 = 25.8;
const SEED: u64 = 20_261_121;
/// Where the survey camera's converter ends: (65535 - 500) counts of 1.1 electron.
pub const CEILING_ELECTRON: f32 = 71_540.0;

/// The optics of a scene.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optics {
    /// The survey camera's, its wavefront times a factor.
    Camera(f64),
    /// Gaussian of that full width at half maximum, pixel included.
    Gaussian(f64),
    /// Moffat of that full width and exponent, pixel included.
    Moffat(f64, f64),
    /// A perfect pupil: rings, no wings of a wavefront. That of the figures, 2 m with half of its width obscured, is not in training.
    Airy { diameter_m: f64, obscuration: f64, diffusion_px: f64 },
}

/// What makes the hits.
#[derive(Clone, Debug)]
pub enum Rays {
    /// The effect, with parameters of its own.
    Effect(Vec<(String, f64)>),
    /// Straight tracks of another, simple kind.
    Simple(SimpleRays),
}

/// One kind of field.
#[derive(Clone, Debug)]
pub struct Scene {
    pub name: String,
    pub stars_per_arcmin2: f64,
    pub galaxies_per_arcmin2: f64,
    /// Magnitude of the brightest star.
    pub brightest: f64,
    /// Magnitude of the faintest star.
    pub faintest: f64,
    pub sky_electron_s: f64,
    pub time_s: f64,
    pub optics: Optics,
    /// Wavelengths \[nm\].
    pub band: (f64, f64),
    /// Whether sources are drawn out to spectra with zeroth orders.
    pub slitless: bool,
    pub rays: Rays,
    /// Errors of calibration, hot pixels, bleeding.
    pub flaws: bool,
    /// Pixels with more electrons are saturated: the end of the converter.
    pub ceiling_electron: f32,
    /// Copies of hits put within 12 pixels of bright stars: training alone.
    pub beside_stars: usize,
    /// Electrons in the brightest pixel of what counts as a bright star there.
    pub beside_electrons: f32,
}

impl Scene {
    pub fn plain(name: &str, stars_per_arcmin2: f64, sky_electron_s: f64, time_s: f64) -> Self {
        Self {
            name: name.into(),
            stars_per_arcmin2,
            galaxies_per_arcmin2: 40.0,
            brightest: 15.0,
            faintest: 26.0,
            sky_electron_s,
            time_s,
            optics: Optics::Camera(1.0),
            band: (540.0, 700.0),
            slitless: false,
            rays: Rays::Effect(Vec::new()),
            flaws: false,
            ceiling_electron: CEILING_ELECTRON,
            beside_stars: 0,
            beside_electrons: 1500.0,
        }
    }
    /// Standard deviation of a hit's charge from the light side \[pixel\].
    pub fn cloud_px(&self) -> f32 {
        match &self.rays {
            Rays::Simple(simple) => simple.blur_px as f32,
            Rays::Effect(keys) => keys.iter().find(|(key, _)| key == "diffusion").map_or(CLOUD_PX, |(_, um)| 0.1 * *um as f32),
        }
    }
    /// Scenes of the figures: none of them has parameters that training draws.
    pub fn all() -> Vec<Self> {
        let effect = |keys: &[(&str, f64)]| Rays::Effect(keys.iter().map(|&(k, v)| (k.into(), v)).collect());
        let plain = Self::plain;
        vec![
            plain("sparse 150 s", 3.0, 0.207, 150.0),
            plain("sparse 250 s", 3.0, 0.207, 250.0),
            plain("crowded 150 s", 80.0, 0.207, 150.0),
            plain("crowded 250 s", 80.0, 0.207, 250.0),
            Self { galaxies_per_arcmin2: 20.0, ..plain("low sky 150 s", 3.0, 0.004, 150.0) },
            Self { band: (255.0, 317.0), ..plain("NUV 150 s", 10.0, 0.004, 150.0) },
            Self { optics: Optics::Gaussian(1.6), ..plain("FWHM 1.6", 20.0, 0.1, 150.0) },
            Self {
                optics: Optics::Airy { diameter_m: 2.0, obscuration: 0.5, diffusion_px: 0.35 },
                ..plain("perfect pupil", 20.0, 0.207, 150.0)
            },
            Self { optics: Optics::Camera(3.0), ..plain("out of focus", 20.0, 0.207, 150.0) },
            Self { brightest: 13.0, faintest: 20.0, ..plain("bright stars", 12.0, 0.207, 150.0) },
            Self { flaws: true, ..plain("flaws", 20.0, 0.207, 150.0) },
            Self { slitless: true, galaxies_per_arcmin2: 20.0, ..plain("slitless", 10.0, 0.214, 150.0) },
            // Its stars are as wide as a cloud of 6 um makes them.
            Self {
                rays: effect(&[("thickness", 40.0), ("diffusion", 6.0)]),
                optics: Optics::Gaussian(2.1),
                ..plain("thick chip", 10.0, 0.123, 150.0)
            },
            Self { rays: effect(&[("rate", 5.0)]), ..plain("rate 5", 10.0, 0.207, 150.0) },
            Self { rays: Rays::Simple(SimpleRays::default()), ..plain("other hits", 10.0, 0.207, 150.0) },
        ]
    }
}

/// Everything a scene needs that does not change with the frame.
pub struct Bench {
    pub scene: Scene,
    pub spec: DetectorSpec,
    psf: Box<dyn Psf>,
    sed: Sed,
    band: Bandpass,
    /// Magnitude that gives one electron per second.
    zero_point: f64,
}

/// A pixel is a top hat of variance 1/12 per axis: this much is in a full width squared.
fn without_pixel(fwhm_px: f64) -> f64 {
    (fwhm_px * fwhm_px - 8.0 * std::f64::consts::LN_2 / 12.0).sqrt()
}

fn psf_table(instrument: &Instrument, optics: Optics, scale: f64) -> Result<toml::Table, Box<dyn Error>> {
    let quantity = |key: &str, value: f64, unit: &str| {
        format!("{key} = {{ value = {value:?}, unit = \"{unit}\", source = \"benchmark\", status = \"assumed\" }}\n")
    };
    let text = match optics {
        Optics::Camera(factor) => {
            let mut table = instrument.psf.clone();
            let value = table.get_mut("wavefront_scale").and_then(|q| q.get_mut("value")).ok_or("no psf.wavefront_scale")?;
            *value = toml::Value::Float(factor * value.as_float().ok_or("psf.wavefront_scale is no number")?);
            return Ok(table);
        }
        Optics::Gaussian(fwhm) => format!("kind = \"gaussian\"\n{}", quantity("fwhm", scale * without_pixel(fwhm), "arcsec")),
        Optics::Airy { diameter_m, obscuration, diffusion_px } => format!(
            "kind = \"airy\"\n{}{}[blur]\n{}",
            quantity("diameter", diameter_m, "m"),
            quantity("obscuration", obscuration, "1"),
            quantity("diffusion", diffusion_px, "pixel")
        ),
        Optics::Moffat(fwhm, beta) => {
            format!("kind = \"moffat\"\n{}{}", quantity("fwhm", scale * without_pixel(fwhm), "arcsec"), quantity("beta", beta, "1"))
        }
    };
    Ok(toml::from_str(&text)?)
}

impl Bench {
    /// Of a scene; `rate` replaces the rate of hits of the effect.
    pub fn new(scene: Scene, rate: Option<f64>) -> Result<Self, Box<dyn Error>> {
        let instrument: Instrument = load("msc")?;
        let (low, high) = scene.band;
        let band = Bandpass::new("scene", vec![low, low + 5.0, high - 5.0, high], vec![0.0, 0.5, 0.5, 0.0])?;
        Self::built(scene, &instrument, 8, band, ZERO_POINT, rate)
    }
    /// Of a detector of the instrument, with its band, zero point and table sky.
    pub fn of_detector(scene: Scene, instrument: &Instrument, number: u16, rate: Option<f64>) -> Result<Self, Box<dyn Error>> {
        let spec = instrument.detectors.get(&number).ok_or("no such detector")?;
        let band = (*spec.band).clone();
        let sky_electron_s = spec.table_sky_electron_s.ok_or("no sky in the table of the band")?;
        let zero_point = band.zero_point(instrument.area_cm2);
        Self::built(Scene { sky_electron_s, band: band.range_nm(), ..scene }, instrument, number, band, zero_point, rate)
    }
    fn built(
        scene: Scene,
        instrument: &Instrument,
        number: u16,
        band: Bandpass,
        zero_point: f64,
        rate: Option<f64>,
    ) -> Result<Self, Box<dyn Error>> {
        let mut spec = instrument.detectors.get(&number).ok_or("no such detector")?.clone();
        if let Rays::Effect(keys) = &scene.rays {
            registry::set_parameters(&mut spec, "cosmic_rays", keys, "benchmark")?;
        }
        if let Some(rate) = rate {
            registry::set_parameters(&mut spec, "cosmic_rays", &[("rate".into(), rate)], "benchmark")?;
        }
        let scale = spec.geometry.pixel_scale_arcsec;
        let psf = psf::config::build(&psf_table(instrument, scene.optics, scale)?, scale)?;
        let (low, high) = scene.band;
        let waves: Vec<f64> = (0..=200).map(|i| low + (high - low) * f64::from(i) / 200.0).collect();
        let sed = Sed::rest(Arc::new(Spectrum::new("flat", waves.clone(), vec![1.0; waves.len()])?));
        Ok(Self { scene, spec, psf, sed, band, zero_point })
    }
    pub fn rays(&self) -> Result<CosmicRays, Box<dyn Error>> {
        Ok(CosmicRays::new(&self.spec)?)
    }
    pub fn with_context<T>(&self, id: u64, window: Window, act: impl FnOnce(&Context<'_>) -> T) -> T {
        let pointing = Pointing { ra_deg: 0.0, dec_deg: 0.0, rotation_deg: 0.0 };
        let time_s = self.scene.time_s;
        let exposure = Exposure { id, kind: ExposureKind::Science, pointing, start_mjd: 61_000.0, time_s, sky_electron_s: 0.0 };
        let layout = ReadoutLayout::new(&self.spec.geometry, window, Scans::Trimmed);
        act(&Context {
            exposure: &exposure,
            geometry: &self.spec.geometry,
            layout: &layout,
            window,
            effect: "cosmic_rays",
            seed: SEED,
            device_seed: self.spec.device_seed,
        })
    }
    /// Electrons of hits and the number of the hit that gave most of them.
    pub fn hits(&self, id: u64, window: Window) -> Result<(Array2<f32>, Array2<u32>), Box<dyn Error>> {
        match &self.scene.rays {
            Rays::Simple(simple) => Ok(simple.hits(id, self.scene.time_s, window)),
            Rays::Effect(_) => {
                let rays = self.rays()?;
                let CosmicRayTruth { electrons, owner, .. } = self.with_context(id, window, |cx| rays.truth(cx, Images::With))?;
                Ok((electrons.ok_or("no image")?, owner.ok_or("no image")?))
            }
        }
    }
    /// Expected electrons of sources.
    pub fn sources(&self, id: u64, window: Window) -> Result<Array2<f32>, Box<dyn Error>> {
        let scene = &self.scene;
        let scale = self.spec.geometry.pixel_scale_arcsec;
        let area = (window.nx * window.ny) as f64 * (scale / 60.0).powi(2);
        let mut dice = Dice::new(StreamKey::new(77).with_name(&scene.name).stream(id));
        let mut sources = Vec::new();
        for (kind, density, slope, bright, faint) in [
            (SourceKind::Star, scene.stars_per_arcmin2, 0.15, scene.brightest, scene.faintest),
            (SourceKind::Galaxy, scene.galaxies_per_arcmin2, 0.35, 18.0, 26.5),
        ] {
            for _ in 0..(density * area) as usize {
                let (x, y) = (dice.uniform() * window.nx as f64 + window.x0 as f64, dice.uniform() * window.ny as f64 + window.y0 as f64);
                let power = |m: f64| 10.0_f64.powf(slope * m);
                let m = (power(bright) + dice.uniform() * (power(faint) - power(bright))).log10() / slope;
                let electrons = scene.time_s * 10.0_f64.powf(0.4 * (self.zero_point - m));
                let (size, index, g) = (0.1 * 6.0_f64.powf(dice.uniform()), 0.8 + 3.5 * dice.uniform().powi(2), 0.3 * dice.uniform());
                let shear = Shear { g1: g, g2: 0.3 * dice.uniform() - 0.15 };
                let profile = match kind {
                    SourceKind::Star => Profile::Point,
                    SourceKind::Galaxy => Profile::Sersic { index, half_light_radius_arcsec: size, shear },
                };
                sources.push(Source {
                    id: sources.len() as u64,
                    kind,
                    position: Position::Pixel { x, y },
                    components: vec![Component { profile, sed: self.sed.clone(), brightness: Brightness::Electrons(electrons) }],
                    lensing: Lensing::default(),
                    redshift: 0.0,
                    motion: None,
                    seen: None,
                });
            }
        }
        let degrees = scale / 3600.0;
        let wcs = Wcs { crpix: [4608.5, 4616.5], crval: [180.0, 30.0], cd: [[-degrees, 0.0], [0.0, degrees]], pv: None };
        let imaging = Imaging {
            psf: self.psf.as_ref(),
            band: &self.band,
            area_cm2: 31_416.0,
            geometry: &self.spec.geometry,
            window,
            wcs: &wcs,
            time_s: scene.time_s,
            tolerance: RenderTolerance::Electrons(0.02),
        };
        let light = imaging.render(&sources)?.light.pixels.mapv(|v| v.max(0.0));
        Ok(if scene.slitless { crate::slitless::dispersed(&light, &mut dice) } else { light })
    }
}
