//! Scenes for training: all parameters drawn from the seed.

use crate::arguments::Dice;
use crate::scene::{CEILING_ELECTRON, Optics, Rays, Scene};
use crate::simple::{Loss, SimpleRays};
use sim_core::stream::StreamKey;

/// From this number on some scenes have Gaussian PSFs (not those for validation, 200000 to 299999).
const WINGLESS: u64 = 110_000;

/// Among these are perfect pupils: their rings had passed for tracks.
const RINGS: std::ops::Range<u64> = 130_000..140_000;
/// Perfect pupils alone, with many stars that saturate: arcs of the second ring of stars ten times above saturation had passed for tracks.
const BRIGHT_RINGS: std::ops::Range<u64> = 140_000..150_000;
/// Simple hits alone, half of them points: faint clouds without a track had passed for faint stars.
const POINTS: std::ops::Range<u64> = 150_000..160_000;

/// Whether a scene has a converter of its own: those of the last stage, the later half of those for validation, and those for thresholds.
fn saturated(number: u64) -> bool {
    (120_000..200_000).contains(&number) || number >= 210_000
}

impl Scene {
    /// A scene of the training set. Kept out: perfect pupils with more than 0.4 of their width obscured, exposures of 140 to 160 and 230 to 270 s, silicon of 35 to 45 um with 5 to 7 um of
    /// diffusion, and of the simple hits clouds near those of the figures and their Moyal loss.
    ///
    /// Stars are at least as wide as a hit that enters from the light side: light passes the same silicon, so sharper ones do not exist, and
    /// no detector could tell them from hits. The camera's PSF has 3.5 um of diffusion in it.
    pub fn drawn(number: u64) -> Self {
        let mut dice = Dice::new(StreamKey::new(78).with_name("training, wider").stream(number));
        let pick = |dice: &mut Dice, n: usize| ((dice.uniform() * n as f64) as usize).min(n - 1);
        let log = |dice: &mut Dice, low: f64, high: f64| low * (high / low).powf(dice.uniform());
        let mut redraw = |low: f64, high: f64, refused: &[(f64, f64)]| loop {
            let value = log(&mut dice, low, high);
            if refused.iter().all(|(a, b)| value < *a || value > *b) {
                return value;
            }
        };
        let time_s = redraw(60.0, 300.0, &[(140.0, 160.0), (230.0, 270.0)]);
        let rate = redraw(0.5, 10.0, &[]);
        let (mut thickness, mut diffusion) = (redraw(10.0, 50.0, &[]), redraw(2.0, 8.0, &[]));
        while (35.0..45.0).contains(&thickness) && (5.0..7.0).contains(&diffusion) {
            (thickness, diffusion) = (redraw(10.0, 50.0, &[]), redraw(2.0, 8.0, &[]));
        }
        let simple = SimpleRays {
            rate_cm2_s: rate.min(6.0),
            thickness_um: redraw(10.0, 50.0, &[(22.0, 28.0)]),
            blur_px: redraw(0.3, 0.8, &[(0.42, 0.48)]),
            loss: Loss::Even,
            points: if POINTS.contains(&number) { 0.5 } else { 0.1 },
            longest_point_um: if POINTS.contains(&number) { 12.0 } else { 3.0 },
        };
        let shares = [("electron_fraction", 0.3), ("stopping_fraction", 0.05), ("shower_fraction", 0.05), ("angular_power", 2.0)];
        let mut keys = vec![("rate".to_string(), rate)];
        // Width of a hit from the light side [pixel, standard deviation]: of the instrument, of other silicon, of simple hits.
        let (rays, cloud_px) = match pick(&mut dice, 10) {
            0..=7 if POINTS.contains(&number) => (Rays::Simple(simple.clone()), simple.blur_px),
            0..=3 => (Rays::Effect(keys), 0.35),
            4..=7 => {
                keys.extend([("thickness".to_string(), thickness), ("diffusion".to_string(), diffusion)]);
                keys.extend(shares.map(|(key, most)| (key.to_string(), most * dice.uniform())));
                (Rays::Effect(keys), 0.1 * diffusion)
            }
            _ => (Rays::Simple(simple.clone()), simple.blur_px),
        };
        // The pixel and a little light: 1.3 pixel^2.
        let least = (1.3 + cloud_px.powi(2) * 8.0 * std::f64::consts::LN_2).sqrt().max(1.4);
        let fwhm = least + (3.5 - least) * dice.uniform().powi(2);
        let beta = 2.5 + 2.0 * dice.uniform();
        let wingless = (WINGLESS..200_000).contains(&number) || number >= 300_000;
        let optics = match pick(&mut dice, 6) {
            0..=2 if cloud_px < 0.46 => Optics::Camera(0.7 + 0.6 * dice.uniform()),
            3 if cloud_px < 0.46 => Optics::Camera(2.0 + 2.5 * dice.uniform()),
            // Stars without wings came later: the first scenes had none, and what had learnt from those took sharp Gaussians for hits.
            _ if wingless && dice.uniform() < 0.7 => Optics::Gaussian(fwhm),
            _ => Optics::Moffat(fwhm, beta),
        };
        let band = [(255.0, 317.0), (322.0, 396.0), (403.0, 545.0), (554.0, 684.0), (695.0, 833.0), (846.0, 1000.0)][pick(&mut dice, 6)];
        let bright = dice.uniform() < 0.4;
        let scene = Self {
            name: format!("drawn {number}"),
            stars_per_arcmin2: if bright { log(&mut dice, 8.0, 100.0) } else { log(&mut dice, 3.0, 600.0) },
            galaxies_per_arcmin2: log(&mut dice, 8.0, 300.0),
            brightest: if bright { 12.0 + 3.0 * dice.uniform() } else { 14.0 + 3.0 * dice.uniform() },
            faintest: if bright { 19.0 + 3.0 * dice.uniform() } else { 26.0 },
            sky_electron_s: log(&mut dice, 0.003, 0.5),
            time_s,
            optics,
            band,
            slitless: dice.uniform() < 0.15,
            rays,
            flaws: dice.uniform() < 0.6,
            ceiling_electron: CEILING_ELECTRON,
            beside_stars: 0,
            beside_electrons: 1500.0,
        };
        let scene = Self { beside_stars: if dice.uniform() < 0.5 { 60 } else { 0 }, ..scene };
        // Hits that saturate are one in a hundred in the camera: a converter that ends early makes them common enough to be learnt.
        let ceiling_electron = if dice.uniform() < 0.8 { log(&mut dice, 2500.0, 70_000.0) as f32 } else { CEILING_ELECTRON };
        let scene = if saturated(number) { Self { ceiling_electron, ..scene } } else { scene };
        let (rings, diameter_m, obscuration) = (dice.uniform() < 0.6, 1.6 + 0.7 * dice.uniform(), 0.4 * dice.uniform());
        // Short waves would make stars sharper than hits.
        if BRIGHT_RINGS.contains(&number) {
            return Self {
                optics: Optics::Airy { diameter_m, obscuration, diffusion_px: f64::from(scene.cloud_px()) },
                band: [(554.0, 684.0), (695.0, 833.0), (846.0, 1000.0)][pick(&mut dice, 3)],
                stars_per_arcmin2: log(&mut dice, 10.0, 100.0),
                brightest: 11.0 + 3.0 * dice.uniform(),
                faintest: 18.0 + 3.0 * dice.uniform(),
                ..scene
            };
        }
        if RINGS.contains(&number) && rings && band.0 > 550.0 {
            return Self { optics: Optics::Airy { diameter_m, obscuration, diffusion_px: f64::from(scene.cloud_px()) }, ..scene };
        }
        scene
    }
}
