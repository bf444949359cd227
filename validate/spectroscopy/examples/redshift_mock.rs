//! Redshifts of simulated survey spectra, from spectra that are not the fitter's own.
//!
//! `cargo run --release -p spectroscopy --example redshift_mock -- [sources] [seed] [folder of galaxies] [folder of stars]`
//!
//! Galaxies: Coleman, Wu & Weedman's types (plain files of `catalogs/data/sed`), or two-column files (Angstrom, f_lambda) of a folder, in random mixtures,
//! with dust, tilt and lines of scattered ratios added. Stars: the folder's files named by type (Pickles' `g2v...`), or bent Planck curves. Quasars:
//! the Gaussians of `catalogs/data/quasar_lines.csv` over a broken power law. Noise: sky, dark, read noise and source over 6 rows, 4 x 150 s.
//! Curves are Gaussian bells with the published peaks; calibration wiggles of 2 %, line spread known to 10 %.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, LogNormal, Normal};
use sim_core::stream::StreamKey;
use spectroscopy::redshift::{Class, RedshiftOptions, Redshifter, SourceInput, SourceRedshift, Status};
use spectroscopy::spectrum::Extracted;
use std::path::Path;

/// Gratings: band, range \[nm\], step \[nm / pixel\], peak efficiency, its place and the bell's width \[nm\], sky \[e- / s / pixel\].
type Grating = (&'static str, f64, f64, f64, f64, f64, f64, f64);
const GRATINGS: [Grating; 3] = [
    ("GU", 255.0, 400.0, 0.37, 0.214, 390.0, 90.0, 0.019),
    ("GV", 400.0, 620.0, 0.52, 0.410, 540.0, 130.0, 0.214),
    ("GI", 620.0, 1000.0, 0.82, 0.399, 750.0, 190.0, 0.329),
];
const AREA_CM2: f64 = 31_416.0;
const TIME_S: f64 = 600.0;
const EXPOSURES: f64 = 4.0;
const ROWS: f64 = 6.0;
const DARK: f64 = 0.02;
const READ: f64 = 5.0;
const PIXEL_ARCSEC: f64 = 0.074;

type Curve = (Vec<f64>, Vec<f64>);

fn columns(path: &Path, scale: f64) -> Curve {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let rows = text.lines().filter_map(|l| {
        let mut f = l.split([',', ' ', '\t']).filter(|f| !f.is_empty()).map(str::parse::<f64>);
        Some((f.next()?.ok()? * scale, f.next()?.ok()?))
    });
    rows.unzip()
}

fn at(curve: &Curve, nm: f64) -> f64 {
    let k = curve.0.partition_point(|w| *w <= nm);
    if k == 0 || k == curve.0.len() {
        return 0.0;
    }
    let t = (nm - curve.0[k - 1]) / (curve.0[k] - curve.0[k - 1]);
    curve.1[k - 1] + t * (curve.1[k] - curve.1[k - 1])
}

fn folder(path: &str) -> Vec<(String, Curve)> {
    let mut files: Vec<_> =
        std::fs::read_dir(path).unwrap_or_else(|e| panic!("{path}: {e}")).filter_map(Result::ok).map(|e| e.path()).collect();
    files.sort();
    files
        .iter()
        .map(|p| (p.file_name().map_or(String::new(), |n| n.to_string_lossy().into()), columns(p, 0.1)))
        .filter(|c| c.1.0.len() > 10)
        .collect()
}

/// Temperatures of dwarfs by type (Pecaut & Mamajek 2013, rounded).
const TYPES: [(&str, f64); 32] = [
    ("b0v", 31_400.0),
    ("b1v", 26_000.0),
    ("b3v", 17_000.0),
    ("b8v", 12_300.0),
    ("b9v", 10_700.0),
    ("a0v", 9700.0),
    ("a2v", 8840.0),
    ("a3v", 8550.0),
    ("a5v", 8080.0),
    ("a7v", 7800.0),
    ("f0v", 7220.0),
    ("f2v", 6820.0),
    ("f5v", 6550.0),
    ("f6v", 6360.0),
    ("f8v", 6180.0),
    ("g0v", 5930.0),
    ("g2v", 5770.0),
    ("g5v", 5660.0),
    ("g8v", 5490.0),
    ("k0v", 5270.0),
    ("k2v", 5040.0),
    ("k3v", 4840.0),
    ("k4v", 4620.0),
    ("k5v", 4450.0),
    ("k7v", 4050.0),
    ("m0v", 3850.0),
    ("m1v", 3660.0),
    ("m2v", 3560.0),
    ("m3v", 3430.0),
    ("m4v", 3210.0),
    ("m5v", 3060.0),
    ("m6v", 2810.0),
];

struct Truth {
    class: Class,
    z: f64,
    teff: f64,
    magnitude: f64,
}

struct Light {
    /// f_lambda as observed, any unit.
    continuum: Curve,
    /// Lines: wavelength as observed \[nm\], flux in the continuum's unit, sigma \[nm\].
    lines: Vec<(f64, f64, f64)>,
    /// Full width of the source \[arcsec\].
    width: f64,
}

struct Library {
    galaxies: Vec<(String, Curve)>,
    stars: Vec<(f64, Curve)>,
    quasar: Vec<[f64; 5]>,
}

fn normal(rng: &mut impl Rng, sigma: f64) -> f64 {
    Normal::new(0.0, sigma).expect("positive").sample(rng)
}

fn library(galaxies: Option<&str>, stars: Option<&str>) -> Library {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../catalogs/data");
    let cww = || ["e", "sbc", "scd", "im"].iter().map(|t| (t.to_string(), columns(&data.join(format!("sed/cww_{t}.csv")), 1.0))).collect();
    let stars = stars.map_or_else(Vec::new, |path| {
        folder(path).into_iter().filter_map(|(n, c)| TYPES.iter().find(|t| n.split('.').next() == Some(t.0)).map(|t| (t.1, c))).collect()
    });
    let text = std::fs::read_to_string(data.join("quasar_lines.csv")).expect("quasar_lines.csv");
    let quasar = text.lines().skip(1).filter_map(|l| {
        let f: Vec<f64> = l.split(',').filter_map(|f| f.parse().ok()).collect();
        (f.len() >= 5).then(|| [f[0], f[1], f[2], f[3], f[4]])
    });
    Library { galaxies: galaxies.map_or_else(cww, folder), stars, quasar: quasar.collect() }
}

fn planck(nm: f64, t: f64) -> f64 {
    (550.0 / nm).powi(5) / ((1.4388e7 / (nm * t)).exp() - 1.0)
}

fn forest(nm: f64, z: f64) -> f64 {
    // Faucher-Giguere et al. 2008, effective optical depth of Lyman alpha; black below the Lyman limit.
    let rest = nm / (1.0 + z);
    if rest < 91.2 {
        0.0
    } else if rest < 121.567 {
        (-0.0018 * (nm / 121.567).powf(3.92)).exp()
    } else {
        1.0
    }
}

fn observed(z: f64, f: impl Fn(f64) -> f64) -> Curve {
    let nm: Vec<f64> = (0..8000).map(|k| 240.0 + 0.1 * f64::from(k)).collect();
    let flux = nm.iter().map(|&w| f(w / (1.0 + z)) * forest(w, z)).collect();
    (nm, flux)
}

fn galaxy(rng: &mut impl Rng, lib: &Library, z: f64) -> Light {
    let n = lib.galaxies.len();
    let pick = |rng: &mut dyn FnMut() -> f64| ((rng() * n as f64) as usize).min(n - 1);
    let (a, b) = {
        let mut u = || rng.random::<f64>();
        (pick(&mut u), pick(&mut u))
    };
    let t: f64 = rng.random();
    let dust = 0.15 * rng.random::<f64>();
    let tilt = normal(rng, 0.2);
    let norms = [a, b].map(|k| at(&lib.galaxies[k].1, 550.0).max(1e-30));
    let rest = |w: f64| {
        let mix = (1.0 - t) * at(&lib.galaxies[a].1, w) / norms[0] + t * at(&lib.galaxies[b].1, w) / norms[1];
        // A power-law screen, not the fitter's.
        mix * 10.0_f64.powf(-0.4 * dust * 3.1 * (550.0 / w).powf(1.1)) * (w / 550.0).powf(tilt)
    };
    // Lines follow the light at 280 nm: from none in red to strong in blue ones, scattered by 0.3 dex.
    let blue = rest(280.0) / rest(550.0);
    let h_alpha = rest(656.0).max(1e-9) * 5.0 * blue.powf(0.8) * LogNormal::new(0.0, 0.6).expect("positive").sample(rng);
    let h_beta = h_alpha / (2.86 * (1.0 + 0.8 * rng.random::<f64>()));
    let scatter = |rng: &mut _, s: f64| LogNormal::new(0.0, s).expect("positive").sample(rng);
    let o3 = h_beta * (0.35 + 1.2 * blue) * scatter(rng, 0.5);
    let o2 = h_beta * 2.3 * scatter(rng, 0.3);
    let n2 = h_alpha * 0.25 * scatter(rng, 0.5);
    let s2 = h_alpha * 0.25 * scatter(rng, 0.3);
    let list = [
        (372.71, 0.42 * o2),
        (372.99, 0.58 * o2),
        (386.99, 0.1 * o3),
        (410.29, 0.23 * h_beta),
        (434.17, 0.43 * h_beta),
        (486.27, h_beta),
        (496.03, 0.335 * o3),
        (500.82, o3),
        (654.99, n2 / 3.0),
        (656.46, h_alpha),
        (658.53, n2),
        (671.83, 0.58 * s2),
        (673.27, 0.42 * s2),
        (279.6, 0.05 * h_alpha * normal(rng, 1.0)),
        (121.567, if rng.random::<f64>() < 0.2 { h_alpha * 2.0 } else { 0.0 }),
    ];
    let velocity = 3e-4 * (1.0 + rng.random::<f64>());
    let lines = list.iter().map(|&(w, f)| (w * (1.0 + z), f, w * (1.0 + z) * velocity)).collect();
    Light { continuum: observed(z, rest), lines, width: 0.15 + 0.35 * LogNormal::new(0.0, 0.4).expect("positive").sample(rng) }
}

fn quasar(rng: &mut impl Rng, lib: &Library, z: f64) -> Light {
    let (slope, mix, strength) = (-1.5 + normal(rng, 0.3), rng.random::<f64>(), LogNormal::new(0.0, 0.25).expect("positive").sample(rng));
    let host = 0.2 * rng.random::<f64>();
    let e = &lib.galaxies[0].1;
    let norm = at(e, 550.0).max(1e-30);
    let rest = |w: f64| {
        let c =
            (w / 300.0).powf(if w < 480.0 { slope } else { slope + 1.1 }) * if w < 480.0 { 1.0 } else { (480.0_f64 / 300.0).powf(-1.1) };
        let l: f64 = lib
            .quasar
            .iter()
            .filter(|l| ((w - l[0]) / l[1]).abs() < 5.0)
            .map(|l| (mix * l[2] + (1.0 - mix) * l[3]) * strength * (-0.5 * ((w - l[0]) / l[1]).powi(2)).exp() / (l[1] * 2.5066))
            .sum();
        c * (1.0 + l) + host * (550.0_f64 / 300.0).powf(slope) * at(e, w) / norm
    };
    Light { continuum: observed(z, rest), lines: vec![], width: 0.0 }
}

fn star(rng: &mut impl Rng, lib: &Library) -> (Light, f64) {
    if lib.stars.is_empty() {
        let teff = 3000.0 * (10_000.0_f64 / 3000.0).powf(rng.random::<f64>().powf(1.2));
        let jump = 0.5 * rng.random::<f64>();
        return (
            Light { continuum: observed(0.0, |w| planck(w, teff) * if w < 390.0 { 1.0 - jump } else { 1.0 }), lines: vec![], width: 0.0 },
            teff,
        );
    }
    let k = (lib.stars.len() as f64 * (0.25 + 0.75 * rng.random::<f64>())) as usize;
    let (teff, curve) = &lib.stars[k.min(lib.stars.len() - 1)];
    let excess = 0.05 * rng.random::<f64>();
    (
        Light {
            continuum: observed(0.0, |w| at(curve, w) * 10.0_f64.powf(-0.4 * excess * 3.1 * (550.0 / w).powf(1.3))),
            lines: vec![],
            width: 0.0,
        },
        *teff,
    )
}

/// Spectra of a source with an AB magnitude at 750 nm.
fn spectra(rng: &mut impl Rng, light: &Light, magnitude: f64, id: u64) -> Vec<Extracted> {
    let reference: Vec<f64> = (700..800).map(|w| at(&light.continuum, f64::from(w))).collect();
    let mean = reference.iter().sum::<f64>() / 100.0;
    let f_750 = 3.631e-20 * 10.0_f64.powf(-0.4 * magnitude) * 2.998e17 / 750.0_f64.powi(2);
    let scale = f_750 / mean;
    let mut out = Vec::new();
    for (band, low, high, step, peak, place, width, sky) in GRATINGS {
        let fwhm = step * 0.3_f64.hypot(light.width) / PIXEL_ARCSEC;
        let sigma = fwhm / 2.3548;
        let n = ((high - low) / step) as usize;
        let (phase, size) = (std::f64::consts::TAU * rng.random::<f64>(), 0.02 * normal(rng, 1.0));
        let shift = 0.1 * step * normal(rng, 1.0);
        let mut s = Extracted { id, band: band.into(), order: 1, line_fwhm_nm: fwhm * (1.0 + normal(rng, 0.05)), ..Extracted::default() };
        let kernel: Vec<(f64, f64)> =
            (-12..=12).map(|k| (sigma * f64::from(k) / 4.0, (-0.5 * (f64::from(k) / 4.0).powi(2)).exp())).collect();
        let total: f64 = kernel.iter().map(|k| k.1).sum();
        for k in 0..n {
            let w = low + step * (k as f64 + 0.5);
            let seen = w + shift;
            let mut f = kernel.iter().map(|(d, g)| at(&light.continuum, seen + d) * g).sum::<f64>() / total;
            for (centre, flux, own) in &light.lines {
                let s2 = sigma * sigma + own * own;
                f += flux * (-0.5 * (seen - centre).powi(2) / s2).exp() / (std::f64::consts::TAU * s2).sqrt();
            }
            let f = f * scale * (1.0 + size * (phase + 6.0 * (w - low) / (high - low)).sin());
            let efficiency = peak * (-((w - place) / width).powi(2)).exp();
            let per_flux = w / 1.986_45e-9 * AREA_CM2 * efficiency * step;
            let rate = f * per_flux;
            let variance = (rate + ROWS * (sky + DARK)) * TIME_S + ROWS * EXPOSURES * READ * READ;
            let error = variance.sqrt() / TIME_S;
            let got = rate + error * normal(rng, 1.0);
            s.wavelength_nm.push(w);
            s.rate.push(got);
            s.rate_error.push(error);
            s.contamination.push(0.0);
            s.background.push(0.0);
            s.flux.push(got / per_flux);
            s.flux_error.push(error / per_flux);
            s.flags.push(0);
        }
        out.push(s);
    }
    out
}

fn draw(key: StreamKey, id: u64, lib: &Library) -> (Truth, Vec<Extracted>) {
    let mut rng = key.stream(id);
    let magnitude = 17.5 + 6.0 * rng.random::<f64>().powf(0.6);
    let which: f64 = rng.random();
    let stars = 0.35 - 0.05 * (magnitude - 18.0);
    let (class, z, teff, light) = if which < stars {
        let (light, teff) = star(&mut rng, lib);
        (Class::Star, 0.0, teff, light)
    } else if which < stars + 0.05 {
        let z = 0.3 + 3.2 * rng.random::<f64>();
        (Class::Quasar, z, f64::NAN, quasar(&mut rng, lib, z))
    } else {
        // A gamma law: median about 0.26 at i = 20, 0.55 at 22 (not the fitter's form).
        let scale = 0.10 * 10.0_f64.powf(0.15 * (magnitude - 20.0));
        let z = (0..3).map(|_| -rng.random::<f64>().max(1e-9).ln()).sum::<f64>() * scale + 0.01;
        (Class::Galaxy, z, f64::NAN, galaxy(&mut rng, lib, z))
    };
    let spectra = spectra(&mut rng, &light, magnitude, id);
    (Truth { class, z, teff, magnitude }, spectra)
}

fn nmad(values: &[f64]) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let mut v = values.to_vec();
    v.sort_by(f64::total_cmp);
    let m = v[v.len() / 2];
    let mut d: Vec<f64> = v.iter().map(|x| (x - m).abs()).collect();
    d.sort_by(f64::total_cmp);
    1.4826 * d[d.len() / 2]
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |k: usize, or: u64| arguments.get(k).map_or(or, |a| a.parse().expect("a number"));
    let (sources, seed) = (number(0, 1000), number(1, 20_261_122));
    let lib = library(arguments.get(2).map(String::as_str), arguments.get(3).map(String::as_str));
    println!("{} galaxy spectra, {} stellar spectra", lib.galaxies.len(), lib.stars.len());
    let key = StreamKey::new(seed);
    let mocks: Vec<(Truth, Vec<Extracted>)> = (0..sources).map(|id| draw(key, id, &lib)).collect();
    let redshifter = Redshifter::new(RedshiftOptions::default()).expect("the default settings are in range");
    let started = std::time::Instant::now();
    let few = 40.min(mocks.len());
    for (_, s) in &mocks[..few] {
        let _ = redshifter.measure(&SourceInput { spectra: s, ..SourceInput::default() });
    }
    println!("{:.1} sources / s on one thread", few as f64 / started.elapsed().as_secs_f64());
    let inputs: Vec<SourceInput> = mocks.iter().map(|(_, s)| SourceInput { id: s[0].id, spectra: s, ..SourceInput::default() }).collect();
    let results: Vec<SourceRedshift> = redshifter.measure_all(&inputs).into_iter().map(|r| r.expect("the mocks are well formed")).collect();
    report(&mocks, &results);
}

fn report(mocks: &[(Truth, Vec<Extracted>)], results: &[SourceRedshift]) {
    let all: Vec<(&Truth, &SourceRedshift)> = mocks.iter().map(|m| &m.0).zip(results).collect();
    if std::env::var_os("DUMP").is_some() {
        for (t, r) in &all {
            println!(
                "DUMP {:?} {:.4} {:.0} {:.2} | {:?} {:.4} {:.5} rel {:.4} z2 {:.3} p {:.3?} snr {:.1} chi2 {:.0?} n {} t {:.0}",
                t.class,
                t.z,
                t.teff,
                t.magnitude,
                r.class,
                r.z,
                r.z_error,
                r.reliability,
                r.z_second,
                r.class_probability,
                r.snr[2],
                r.chi2,
                r.samples,
                r.star.map_or(0.0, |s| s.teff_k)
            );
        }
    }
    let error = |t: &Truth, r: &SourceRedshift| (r.z - t.z) / (1.0 + t.z);
    println!("galaxies and quasars: SNR_GI is the median signal to noise per pixel of GI (4 x 150 s together)");
    println!(
        "{:>8} {:>6} {:>8} {:>9} {:>9} {:>9} | {:>9} {:>9} {:>9} {:>9}",
        "SNR_GI", "N", "measured", "NMAD", "out>0.01", "out>0.003", "reliable", "NMAD", "out>0.01", "out>0.003"
    );
    for low in [0.0, 1.0, 3.0, 5.0, 10.0] {
        let inside: Vec<_> = all.iter().filter(|(t, r)| t.class != Class::Star && (r.snr[2] >= low || low == 0.0)).collect();
        let of = |only: bool| {
            let e: Vec<f64> =
                inside.iter().filter(|(_, r)| r.status == Status::Measured && (r.reliable || !only)).map(|(t, r)| error(t, r)).collect();
            let out = |x: f64| e.iter().filter(|v| v.abs() > x).count() as f64 / e.len().max(1) as f64;
            (e.len(), nmad(&e), out(0.01), out(0.003))
        };
        let ((n, s, o, p), (rn, rs, ro, rp)) = (of(false), of(true));
        println!(
            "{:>8} {:>6} {:>8.3} {:>9.5} {:>9.4} {:>9.4} | {:>9.3} {:>9.5} {:>9.4} {:>9.4}",
            format!(">={low}"),
            inside.len(),
            n as f64 / inside.len().max(1) as f64,
            s,
            o,
            p,
            rn as f64 / inside.len().max(1) as f64,
            rs,
            ro,
            rp
        );
    }
    println!("reliability (all classes): stated against right to 0.005 (1 + z)");
    for w in [0.0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.01].windows(2) {
        let inside: Vec<_> =
            all.iter().filter(|(_, r)| r.status == Status::Measured && r.reliability >= w[0] && r.reliability < w[1]).collect();
        let right = inside.iter().filter(|(t, r)| error(t, r).abs() < 0.005).count();
        let stated = inside.iter().map(|(_, r)| r.reliability).sum::<f64>() / inside.len().max(1) as f64;
        println!(
            "  {:.2}..{:.2}: N {:>5} stated {:.3} right {:.3}",
            w[0],
            w[1],
            inside.len(),
            stated,
            right as f64 / inside.len().max(1) as f64
        );
    }
    println!("classes: rows truth, columns star galaxy quasar none (SNR_GI >= 3 in brackets)");
    for class in [Class::Star, Class::Galaxy, Class::Quasar] {
        let count = |found: Option<Class>, low: f64| {
            all.iter().filter(|(t, r)| t.class == class && r.class == found && (low == 0.0 || r.snr[2] >= low)).count()
        };
        let cells: Vec<String> = [Some(Class::Star), Some(Class::Galaxy), Some(Class::Quasar), None]
            .iter()
            .map(|f| format!("{} ({})", count(*f, 0.0), count(*f, 3.0)))
            .collect();
        println!("  {class:?}: {}", cells.join("  "));
    }
    for low in [1.0, 3.0, 10.0] {
        let pulls: Vec<f64> = all
            .iter()
            .filter(|(t, r)| t.class == Class::Galaxy && r.reliable && r.class == Some(Class::Galaxy) && r.snr[2] >= low)
            .filter(|(t, r)| error(t, r).abs() < 0.01)
            .map(|(t, r)| (r.z - t.z) / r.z_error)
            .collect();
        let t: Vec<(f64, f64)> = all
            .iter()
            .filter(|(t, r)| t.class == Class::Star && r.class == Some(Class::Star) && r.snr[2] >= low)
            .filter_map(|(t, r)| r.star.map(|s| (s.teff_k / t.teff - 1.0, (s.teff_k - t.teff) / s.teff_error_k)))
            .collect();
        let mean = t.iter().map(|v| v.0).sum::<f64>() / t.len().max(1) as f64;
        println!(
            "SNR_GI >= {low}: robust pull of z {:.2} (N {}); Teff: N {} mean {:+.4} NMAD {:.4} pull {:.2}",
            nmad(&pulls),
            pulls.len(),
            t.len(),
            mean,
            nmad(&t.iter().map(|v| v.0).collect::<Vec<_>>()),
            nmad(&t.iter().map(|v| v.1).collect::<Vec<_>>())
        );
    }
}
