//! The synthetic scene of `demo_report`: drawn directly in pixels with closed-form profiles.

use ndarray::Array2;
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::flags;
use sim_core::ledger::{Ledger, LedgerLine};
use sim_core::source::SourceKind;
use sim_core::stream::{Stream, StreamKey};
use sim_core::truth::{TruthRow, object_table};
use std::path::Path;

/// Read noise \[electron\] of the scene.
pub const READ_NOISE: f64 = 5.0;
/// Dark current \[electron / s\] of the scene.
pub const DARK: f64 = 0.02;
const TIME: f64 = 150.0;
const SCALE: f64 = 0.074;
const FULL_WELL: f64 = 90_000.0;

/// What differs between the two frames.
pub struct Band {
    pub name: &'static str,
    pub detector: &'static str,
    pub zero_point: f64,
    pub sky_electron_s: f64,
    pub beta: f64,
    pub fwhm_px: f64,
    pub seed: u64,
}

struct Draws(Stream, u64);

impl Draws {
    fn new(seed: u64, name: &str, item: u64) -> Self {
        Self(StreamKey::new(seed).with_name(name).stream(item), 0)
    }
    fn uniform(&mut self) -> f64 {
        self.1 += 1;
        (f64::from(self.0.word(self.1)) + 0.5) / 4_294_967_296.0
    }
    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (2.0 * std::f64::consts::PI * self.uniform()).cos()
    }
    /// Poisson by inversion below 30, by the cubic normal form above (enough for a demonstration).
    fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 30.0 {
            let z = self.normal();
            return (mean + mean.sqrt() * z + (z * z - 1.0) / 6.0).round().max(0.0);
        }
        let (limit, mut k, mut p) = ((-mean).exp(), 0.0, self.uniform());
        while p > limit {
            p *= self.uniform();
            k += 1.0;
        }
        k
    }
}

/// Adds a round profile of surface brightness `f(r)`, averaged over 5 x 5 points in each pixel near the centre.
fn add(light: &mut Array2<f64>, x: f64, y: f64, reach: f64, profile: impl Fn(f64) -> f64) {
    let (ny, nx) = light.dim();
    for py in (y - reach).max(0.0) as usize..=((y + reach).max(0.0) as usize).min(ny - 1) {
        for px in (x - reach).max(0.0) as usize..=((x + reach).max(0.0) as usize).min(nx - 1) {
            let (dx, dy) = (px as f64 - x, py as f64 - y);
            let n = if dx.hypot(dy) < 6.0 { 5 } else { 1 };
            let step = |k: i32| (f64::from(k) + 0.5) / f64::from(n) - 0.5;
            let mut sum = 0.0;
            for j in 0..n {
                for i in 0..n {
                    sum += profile((dx + step(i)).hypot(dy + step(j)));
                }
            }
            light[(py, px)] += sum / f64::from(n * n);
        }
    }
}

fn header(band: &Band) -> Header {
    let mut h = Header::default();
    h.set("EXPTIME", TIME, "[s] exposure time");
    h.set("FILTER", band.name, "band");
    h.set("DETECTOR", band.detector, "chip");
    h.set("WINX0", 1000_i64, "first column on the detector");
    h.set("WINY0", 2000_i64, "first row on the detector");
    h.set("PIXSCALE", SCALE, "[arcsec] pixel scale");
    h.set("CTYPE1", "RA---TAN", "");
    h.set("CTYPE2", "DEC--TAN", "");
    h.set("CRPIX1", 500.0, "");
    h.set("CRPIX2", 500.0, "");
    h.set("CRVAL1", 150.0, "");
    h.set("CRVAL2", 2.2, "");
    h.set("CD1_1", -SCALE / 3600.0, "");
    h.set("CD1_2", 0.0, "");
    h.set("CD2_1", 0.0, "");
    h.set("CD2_2", SCALE / 3600.0, "");
    h.set("CUNIT1", "deg", "");
    h.set("CUNIT2", "deg", "");
    h.set("RADESYS", "ICRS", "");
    h
}

fn image(path: &Path, name: &str, unit: &str, header: &Header, data: Data) -> Result<(), fits::FitsError> {
    let mut h = header.clone();
    if !unit.is_empty() {
        h.set("BUNIT", unit, "unit of the pixels");
    }
    fits::write(path, &[Hdu::primary(Header::default()), Hdu::new(name, h, data)])
}

/// Draws and writes one band; returns the stem of the file names.
pub fn write_band(out: &Path, band: &Band, size: usize) -> Result<String, Box<dyn std::error::Error>> {
    let mut draws = Draws::new(band.seed, "scene", 0);
    let alpha = band.fwhm_px / (2.0 * (2.0_f64.powf(1.0 / band.beta) - 1.0).sqrt());
    let mut light = Array2::<f64>::zeros((size, size));
    let mut rows = Vec::new();
    let wcs = sim_core::wcs::Wcs::read(&header(band))?;
    let area = (size * size) as f64 / 1e6;
    let (stars, galaxies) = ((250.0 * area) as usize, (260.0 * area) as usize);
    for id in 0..stars + galaxies {
        let is_star = id < stars;
        let (x, y) = (draws.uniform() * size as f64 - 0.5, draws.uniform() * size as f64 - 0.5);
        // Equal numbers of stars per magnitude; galaxies growing by 0.35 dex per magnitude.
        let depth = band.zero_point + 1.2;
        let magnitude = if is_star { 17.0 + (depth - 17.0) * draws.uniform() } else { depth + draws.uniform().log10() / 0.35 };
        let electrons = TIME * 10f64.powf(-0.4 * (magnitude - band.zero_point));
        let half_light = if is_star { 0.0 } else { 1.5 + 3.0 * draws.uniform().powi(2) + 0.4 * (24.0 - magnitude).max(0.0) };
        if is_star {
            let norm = electrons * (band.beta - 1.0) / (std::f64::consts::PI * alpha * alpha);
            add(&mut light, x, y, if electrons > 2e4 { 120.0 } else { 40.0 }, |r| norm * (1.0 + (r / alpha).powi(2)).powf(-band.beta));
        } else {
            // Exponential disc: half of the light inside 1.678 scale lengths; the PSF widens it a little.
            let length = (half_light / 1.678).hypot(0.45 * band.fwhm_px);
            let norm = electrons / (2.0 * std::f64::consts::PI * length * length);
            add(&mut light, x, y, 12.0 * length, |r| norm * (-r / length).exp());
        }
        let (ra_deg, dec_deg) = wcs.sky_from_pixel(x, y);
        rows.push(TruthRow {
            id: id as u64,
            kind: if is_star { SourceKind::Star } else { SourceKind::Galaxy },
            ra_deg,
            dec_deg,
            x: x + 1000.0,
            y: y + 2000.0,
            magnitude,
            electrons,
            electrons_in_frame: electrons,
            half_light_radius_arcsec: half_light * SCALE,
            sersic_index: if is_star { 0.0 } else { 1.0 },
            bulge_fraction: 0.0,
            shape_g1: 0.0,
            shape_g2: 0.0,
            lens_g1: 0.0,
            lens_g2: 0.0,
            kappa: 0.0,
            redshift: 0.0,
            spectrum: "flat".into(),
        });
    }
    let sources = light.sum();
    light += band.sky_electron_s * TIME;
    let mut rate = Array2::<f32>::zeros((size, size));
    let mut weight = Array2::<f32>::zeros((size, size));
    let mut flag = Array2::<u16>::zeros((size, size));
    for y in 0..size {
        let mut draws = Draws::new(band.seed, "noise", y as u64);
        for x in 0..size {
            let mut charge = draws.poisson(light[(y, x)] + DARK * TIME);
            if charge > FULL_WELL {
                charge = FULL_WELL;
                flag[(y, x)] = flags::official(flags::SATURATED);
            }
            if draws.uniform() < 3e-4 {
                flag[(y, x)] |= flags::official(flags::HOT);
                charge += 400.0;
            }
            let value = charge + READ_NOISE * draws.normal() - DARK * TIME;
            rate[(y, x)] = (value / TIME) as f32;
            let variance = value.max(0.0) + DARK * TIME + READ_NOISE * READ_NOISE;
            weight[(y, x)] = if flag[(y, x)] == 0 { (TIME * TIME / variance) as f32 } else { 0.0 };
        }
    }
    let stem = format!("demo_{}", band.name);
    let file = |kind: &str| out.join(format!("{stem}_{kind}.fits"));
    let h = header(band);
    image(&file("img"), "SCI", "electron/s", &h, Data::F32(rate))?;
    image(&file("wht"), "WHT", "", &h, Data::F32(weight))?;
    image(&file("flg"), "FLG", "", &h, Data::U16(flag))?;
    image(&file("noiseless"), "TRUTH", "electron", &h, Data::F32(light.mapv(|v| v as f32)))?;
    fits::write(
        &file("truth"),
        &[Hdu::primary(Header::default()), Hdu::new("OBJECTS", Header::default(), Data::Table(object_table(&rows)))],
    )?;
    let line = |name: &str, plane: &str, added: f64, lost: f64| LedgerLine {
        name: name.into(),
        plane: plane.into(),
        unit: "electron".into(),
        ledger: Ledger::new(added, lost),
    };
    let pixels = (size * size) as f64;
    let ledger = [
        line("sources", "light", sources, 0.0),
        line("sky", "light", band.sky_electron_s * TIME * pixels, 0.0),
        line("dark", "charge", DARK * TIME * pixels, 0.0),
    ];
    std::fs::write(out.join(format!("{stem}_ledger.json")), serde_json::to_vec_pretty(&ledger)?)?;
    Ok(stem)
}

/// A dark residual that is pure noise of known variance.
pub fn write_closure(out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let size = 512;
    let mut residual = Array2::<f32>::zeros((size, size));
    for y in 0..size {
        let mut draws = Draws::new(99, "closure", y as u64);
        for x in 0..size {
            residual[(y, x)] = (0.03 * draws.normal()) as f32;
        }
    }
    let h = Header::default();
    image(&out.join("dark_residual.fits"), "RES", "electron/s", &h, Data::F32(residual))?;
    image(&out.join("dark_variance.fits"), "VAR", "", &h, Data::F32(Array2::from_elem((size, size), 9e-4)))?;
    Ok(())
}
