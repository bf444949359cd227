//! A scene made ready: its detector, PSF, band and hits.

use crate::arguments::Dice;
use crate::scene::{Optics, Rays, Scene};
use instruments::description::{DetectorSpec, Instrument, load};
use instruments::effects::cosmic_rays::CosmicRays;
use instruments::effects::registry;
use instruments::optics::{Imaging, RenderTolerance};
use ndarray::Array2;
use sim_core::bandpass::Bandpass;
use sim_core::detector::{ReadoutLayout, Scans};
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::frame::Window;
use sim_core::hits::{HitImages, Keep};
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
                let record = self.with_context(id, window, |cx| rays.truth(cx, Keep::Charge))?;
                let HitImages { electrons, owner } = record.images(window.shape()).ok_or("no image")?;
                Ok((electrons, owner))
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
                let profile = if kind == SourceKind::Star {
                    Profile::Point
                } else {
                    Profile::Sersic { index, half_light_radius_arcsec: size, shear }
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
