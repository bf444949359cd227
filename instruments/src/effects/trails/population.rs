//! Which trails an exposure has where no orbits are given, in the focal plane: the same for every detector.

use super::model::Optics;
use sim_core::detector::DetectorGeometry;
use sim_core::moving::{Mover, MoverKind};
use sim_core::noise;
use sim_core::stream::{Stream, StreamKey};
use std::f64::consts::{PI, TAU};

/// First item of the asteroids.
const ASTEROIDS: u64 = 1 << 32;
/// Magnitude that the density of asteroids is given for.
const DENSITY_AT_MAG: f64 = 23.0;

/// Numbers of the population.
#[derive(Debug, Clone, Copy)]
pub struct Population {
    pub field_radius_deg: f64,
    pub satellite_rate: f64,
    pub satellite_magnitude: f64,
    pub satellite_scatter: f64,
    pub satellite_size_m: f64,
    pub range_km: (f64, f64),
    pub relative_speed_km_s: f64,
    pub aperture_m: f64,
    pub asteroid_density: f64,
    pub asteroid_slope: f64,
    pub asteroid_limits: (f64, f64),
    pub asteroid_rate_arcsec_h: f64,
    pub asteroid_rate_scatter: f64,
}

/// A trail in the focal plane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trail {
    /// What it is.
    pub kind: MoverKind,
    /// Number in the exposure, from 1.
    pub id: i32,
    /// Start, mosaic axes from the boresight \[deg\].
    pub from_deg: (f64, f64),
    /// End \[deg\].
    pub to_deg: (f64, f64),
    /// AB magnitude in the band.
    pub magnitude: f64,
    /// Electrons of all its light that falls between the ends.
    pub electrons: f64,
    /// Diameter of the disc that a point of it is blurred to \[arcsec\].
    pub blur_arcsec: f64,
    /// Angular rate \[arcsec / s\].
    pub rate_arcsec_s: f64,
}

impl Trail {
    /// As a detector sees it.
    pub(super) fn mover(&self, geometry: &DetectorGeometry) -> Mover {
        let scale = geometry.pixel_scale_arcsec;
        let pixel = |(x, y): (f64, f64)| (x * 3600.0 / scale + geometry.crpix1 - 1.0, y * 3600.0 / scale + geometry.crpix2 - 1.0);
        Mover {
            kind: self.kind,
            id: i64::from(self.id),
            name: String::new(),
            path: vec![pixel(self.from_deg), pixel(self.to_deg)],
            magnitude: self.magnitude,
            electrons: self.electrons,
            rate_arcsec_s: self.rate_arcsec_s,
            blur_arcsec: self.blur_arcsec,
            orbit: None,
        }
    }
}

struct Draw(Stream, u64);

impl Draw {
    fn word(&mut self) -> u32 {
        self.1 += 1;
        self.0.word(self.1 - 1)
    }
    fn uniform(&mut self) -> f64 {
        (f64::from(self.word()) + 0.5) / 4_294_967_296.0
    }
    fn normal(&mut self) -> f64 {
        f64::from(noise::normal_of_word(self.word()))
    }
}

impl Population {
    /// The trails of an exposure of `time_s`.
    pub fn trails(&self, key: StreamKey, time_s: f64, optics: &Optics) -> Vec<Trail> {
        let mut first = Draw(key.stream(0), 0);
        let satellites = self.satellite_rate * time_s * 2.0 * self.field_radius_deg;
        let deeper = 10.0_f64.powf(self.asteroid_slope * (self.asteroid_limits.1 - DENSITY_AT_MAG));
        let asteroids = self.asteroid_density * deeper * PI * self.field_radius_deg.powi(2);
        let count = |mean: f64, word: u32| noise::poisson_of_word(mean as f32, word) as u64;
        let (satellites, asteroids) = (count(satellites, first.word()), count(asteroids, first.word()));
        let mut out: Vec<Trail> = (1..=satellites).map(|i| self.satellite(Draw(key.stream(i), 0), optics)).collect();
        out.extend((0..asteroids).map(|i| self.asteroid(Draw(key.stream(ASTEROIDS + i), 0), time_s, optics)));
        for (i, trail) in out.iter_mut().enumerate() {
            trail.id = i as i32 + 1;
        }
        out
    }

    fn satellite(&self, mut draw: Draw, optics: &Optics) -> Trail {
        let radius = self.field_radius_deg;
        let (offset, angle) = (radius * (2.0 * draw.uniform() - 1.0), TAU * draw.uniform());
        let range_km = self.range_km.0 + (self.range_km.1 - self.range_km.0) * draw.uniform();
        let magnitude = self.satellite_magnitude + 5.0 * (range_km / 1000.0).log10() + self.satellite_scatter * draw.normal();
        // A little longer than the chord, so that no end shows.
        let half = 1.01 * (radius * radius - offset * offset).sqrt() + 0.01 * radius;
        let (s, c) = angle.sin_cos();
        let at = |along: f64| (offset * -s + along * c, offset * c + along * s);
        let rate_arcsec_s = (self.relative_speed_km_s / range_km).to_degrees() * 3600.0;
        let blur = self.aperture_m.hypot(self.satellite_size_m) / (range_km * 1e3);
        Trail {
            kind: MoverKind::Satellite,
            id: 0,
            from_deg: at(-half),
            to_deg: at(half),
            magnitude,
            electrons: optics.electron_s(magnitude) * 2.0 * half * 3600.0 / rate_arcsec_s,
            blur_arcsec: blur.to_degrees() * 3600.0,
            rate_arcsec_s,
        }
    }

    fn asteroid(&self, mut draw: Draw, time_s: f64, optics: &Optics) -> Trail {
        let (radius, angle) = (self.field_radius_deg * draw.uniform().sqrt(), TAU * draw.uniform());
        let (bright, faint) = self.asteroid_limits;
        // Cumulative counts go as 10^(slope m) between the limits.
        let k = self.asteroid_slope * std::f64::consts::LN_10;
        let low = (k * (bright - faint)).exp();
        let u = draw.uniform();
        let magnitude = if k == 0.0 { bright + (faint - bright) * u } else { faint + (low + u * (1.0 - low)).ln() / k };
        let rate = self.asteroid_rate_arcsec_h * (1.0 + self.asteroid_rate_scatter * draw.normal()).max(0.1) / 3600.0;
        let (s, c) = (TAU * draw.uniform()).sin_cos();
        let half = 0.5 * rate * time_s / 3600.0;
        let (x, y) = (radius * angle.cos(), radius * angle.sin());
        Trail {
            kind: MoverKind::Asteroid,
            id: 0,
            from_deg: (x - half * c, y - half * s),
            to_deg: (x + half * c, y + half * s),
            magnitude,
            electrons: optics.electron_s(magnitude) * time_s,
            blur_arcsec: 0.0,
            rate_arcsec_s: rate,
        }
    }
}
