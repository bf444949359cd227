//! Scenes: what is drawn, through which PSF, under which sky, hit by what.

use crate::simple::SimpleRays;
use instruments::effects::cosmic_rays::laplacian::CLOUD_PX;

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
            Self {
                optics: Optics::Airy { diameter_m: 2.0, obscuration: 0.5, diffusion_px: 0.35 },
                brightest: 13.0,
                faintest: 20.0,
                ..plain("perfect pupil, bright", 12.0, 0.207, 150.0)
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
