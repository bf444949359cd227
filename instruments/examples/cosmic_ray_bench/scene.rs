//! Scenes: what is drawn, through which PSF, under which sky, hit by what.

use crate::arguments::Dice;
use crate::simple::SimpleRays;
use instruments::description::{DetectorSpec, Instrument, load};
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

/// The optics of a scene.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optics {
    /// The survey camera's, its wavefront times a factor.
    Camera(f64),
    /// Gaussian of that full width at half maximum, pixel included.
    Gaussian(f64),
    /// Moffat of that full width and exponent, pixel included.
    Moffat(f64, f64),
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
}

impl Scene {
    fn plain(name: &str, stars_per_arcmin2: f64, sky_electron_s: f64, time_s: f64) -> Self {
        Self {
            name: name.into(),
            stars_per_arcmin2,
            galaxies_per_arcmin2: 40.0,
            brightest: 15.0,
            sky_electron_s,
            time_s,
            optics: Optics::Camera(1.0),
            band: (540.0, 700.0),
            slitless: false,
            rays: Rays::Effect(Vec::new()),
            flaws: false,
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
            Self { optics: Optics::Camera(3.0), ..plain("out of focus", 20.0, 0.207, 150.0) },
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
    /// Whether stars are at least as wide as a hit that enters from the light side: light passes the same silicon, so sharper ones do
    /// not exist, and a detector cannot tell them from hits. The camera's PSF has 3.5 um of diffusion in it.
    pub fn is_consistent(&self) -> bool {
        let Rays::Effect(keys) = &self.rays else { return true };
        let Some((_, diffusion_um)) = keys.iter().find(|(key, _)| key == "diffusion") else { return true };
        let cloud_px = 0.1 * diffusion_um * (8.0 * std::f64::consts::LN_2).sqrt();
        match self.optics {
            Optics::Camera(_) => *diffusion_um < 4.6,
            // The pixel and a little light: 1.3 pixel^2.
            Optics::Gaussian(fwhm) | Optics::Moffat(fwhm, _) => fwhm >= (1.3 + cloud_px.powi(2)).sqrt(),
        }
    }
    /// A scene of the training set: all parameters drawn, exposure times and hits other than those of the figures.
    pub fn drawn(number: u64) -> Self {
        let mut dice = Dice::new(StreamKey::new(78).with_name("training").stream(number));
        let mut log = |low: f64, high: f64| low * (high / low).powf(dice.uniform());
        let (stars, galaxies, sky, thickness, diffusion) =
            (log(3.0, 600.0), log(8.0, 300.0), log(0.003, 0.5), log(9.0, 60.0), log(2.2, 8.0));
        let pick = |dice: &mut Dice, n: usize| ((dice.uniform() * n as f64) as usize).min(n - 1);
        let time_s = [80.0, 120.0, 180.0, 300.0][pick(&mut dice, 4)];
        let fwhm = 1.55 + 1.3 * dice.uniform();
        let optics = match pick(&mut dice, 6) {
            0..=2 => Optics::Camera(0.7 + 0.6 * dice.uniform()),
            3 => Optics::Camera(2.0 + 2.5 * dice.uniform()),
            4 => Optics::Gaussian(fwhm),
            _ => Optics::Moffat(fwhm, 2.5 + 2.0 * dice.uniform()),
        };
        let band = [(255.0, 317.0), (322.0, 396.0), (403.0, 545.0), (554.0, 684.0), (695.0, 833.0), (846.0, 1000.0)][pick(&mut dice, 6)];
        let rate = [1.0, 3.0, 6.0, 6.0, 9.0, 9.0][pick(&mut dice, 6)];
        let mut keys = vec![("rate".to_string(), rate)];
        if dice.uniform() < 0.5 {
            let shares = [("electron_fraction", 0.3), ("stopping_fraction", 0.05), ("shower_fraction", 0.05), ("angular_power", 2.0)];
            keys.extend([("thickness".to_string(), thickness), ("diffusion".to_string(), diffusion)]);
            keys.extend(shares.map(|(key, most)| (key.to_string(), most * dice.uniform())));
        }
        Self {
            name: format!("drawn {number}"),
            stars_per_arcmin2: stars,
            galaxies_per_arcmin2: galaxies,
            brightest: 14.0 + 3.0 * dice.uniform(),
            sky_electron_s: sky,
            time_s,
            optics,
            band,
            slitless: dice.uniform() < 0.15,
            rays: Rays::Effect(keys),
            flaws: dice.uniform() < 0.7,
        }
    }
}

/// Everything a scene needs that does not change with the frame.
pub struct Bench {
    pub scene: Scene,
    pub spec: DetectorSpec,
    psf: Box<dyn Psf>,
    sed: Sed,
    band: Bandpass,
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
        let mut spec = instrument.detectors.get(&8).ok_or("msc has no detector 8")?.clone();
        if let Rays::Effect(keys) = &scene.rays {
            registry::set_parameters(&mut spec, "cosmic_rays", keys, "benchmark")?;
        }
        if let Some(rate) = rate {
            registry::set_parameters(&mut spec, "cosmic_rays", &[("rate".into(), rate)], "benchmark")?;
        }
        let scale = spec.geometry.pixel_scale_arcsec;
        let psf = psf::config::build(&psf_table(&instrument, scene.optics, scale)?, scale)?;
        let (low, high) = scene.band;
        let waves: Vec<f64> = (0..=200).map(|i| low + (high - low) * f64::from(i) / 200.0).collect();
        let sed = Sed::rest(Arc::new(Spectrum::new("flat", waves.clone(), vec![1.0; waves.len()])?));
        let band = Bandpass::new("scene", vec![low, low + 5.0, high - 5.0, high], vec![0.0, 0.5, 0.5, 0.0])?;
        Ok(Self { scene, spec, psf, sed, band })
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
            (SourceKind::Star, scene.stars_per_arcmin2, 0.15, scene.brightest, 26.0),
            (SourceKind::Galaxy, scene.galaxies_per_arcmin2, 0.35, 18.0, 26.5),
        ] {
            for _ in 0..(density * area) as usize {
                let (x, y) = (dice.uniform() * window.nx as f64 + window.x0 as f64, dice.uniform() * window.ny as f64 + window.y0 as f64);
                let power = |m: f64| 10.0_f64.powf(slope * m);
                let m = (power(bright) + dice.uniform() * (power(faint) - power(bright))).log10() / slope;
                let electrons = scene.time_s * 10.0_f64.powf(0.4 * (ZERO_POINT - m));
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
