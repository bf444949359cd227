//! Cosmic rays measured: how many, how fast, how well found, and what replacing their pixels does to stars.
//!
//! `cargo run --release -p instruments --example cosmic_ray_bench -- MODE [key=value ...]` with RAYON_NUM_THREADS=1 for one core.
//! - `count`: hits and pixels of one chip in 150 s, sizes and charges of hits, beside published numbers.
//! - `speed`: forward effect and detector on one chip of 9216 x 9232 pixels with sky.
//! - `score`: recall, precision, events, source damage and the ceiling, over scenes and times. Keys: frames, size, seed, and the
//!   detector's core, contrast, edge, fall, ratio, steep; out=FOLDER writes the frames as FITS for other tools.
//! - `inpaint`: flux bias of stars with replaced pixels.
//!
//! Scenes are invented but of survey density: stars and galaxies with number counts 10^(0.15 m) and 10^(0.35 m), drawn by the
//! frame renderer through the survey camera's optical PSF; r-band sky, dark, shot and read noise; electrons, no converter.

use instruments::description::{DetectorSpec, Instrument, load};
use instruments::effects::cosmic_rays::laplacian::inpaint::{Replacement, replace};
use instruments::effects::cosmic_rays::laplacian::{Field, Options, ReadVariance, detect};
use instruments::effects::cosmic_rays::{CosmicRayTruth, CosmicRays, Images};
use instruments::effects::registry;
use instruments::optics::{Imaging, RenderTolerance};
use ndarray::Array2;
use sim_core::bandpass::Bandpass;
use sim_core::detector::{ReadoutLayout, Scans};
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::fits::{Data, Hdu, Header, write};
use sim_core::flags;
use sim_core::frame::{Frame, Window};
use sim_core::noise;
use sim_core::plane::Charge;
use sim_core::psf::Psf;
use sim_core::source::{Brightness, Component, Lensing, Position, Profile, Shear, Source, SourceKind};
use sim_core::spectrum::{Sed, Spectrum};
use sim_core::stream::{Stream, StreamKey};
use sim_core::wcs::Wcs;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;
use validate::measures::cosmic_rays::{DEFINITIONS, Score, Truth, ceiling, f1, score};

const READ_NOISE: f32 = 5.0;
const DARK: f64 = 0.02;
const READOUT_S: f64 = 40.0;
const FULL_WELL: f32 = 90_000.0;
/// Magnitude that gives one electron per second: round, near the r band's.
const ZERO_POINT: f64 = 25.8;

/// One kind of field.
struct Scene {
    name: &'static str,
    stars_per_arcmin2: f64,
    galaxies_per_arcmin2: f64,
    sky_electron_s: f64,
    time_s: f64,
}

const SCENES: [Scene; 5] = [
    Scene { name: "sparse 150 s", stars_per_arcmin2: 3.0, galaxies_per_arcmin2: 40.0, sky_electron_s: 0.207, time_s: 150.0 },
    Scene { name: "sparse 250 s", stars_per_arcmin2: 3.0, galaxies_per_arcmin2: 40.0, sky_electron_s: 0.207, time_s: 250.0 },
    Scene { name: "crowded 150 s", stars_per_arcmin2: 80.0, galaxies_per_arcmin2: 40.0, sky_electron_s: 0.207, time_s: 150.0 },
    Scene { name: "crowded 250 s", stars_per_arcmin2: 80.0, galaxies_per_arcmin2: 40.0, sky_electron_s: 0.207, time_s: 250.0 },
    Scene { name: "low sky 150 s", stars_per_arcmin2: 3.0, galaxies_per_arcmin2: 20.0, sky_electron_s: 0.004, time_s: 150.0 },
];

struct Arguments(BTreeMap<String, String>);

impl Arguments {
    fn number(&self, key: &str, default: f64) -> Result<f64, Box<dyn Error>> {
        self.0.get(key).map_or(Ok(default), |v| v.parse().map_err(|e| format!("{key}={v}: {e}").into()))
    }
    fn options(&self) -> Result<Options, Box<dyn Error>> {
        let d = Options::default();
        let f = |key: &str, v: f32| self.number(key, f64::from(v)).map(|v| v as f32);
        Ok(Options {
            core_sigma: f("core", d.core_sigma)?,
            contrast: f("contrast", d.contrast)?,
            edge_sigma: f("edge", d.edge_sigma)?,
            fall: f("fall", d.fall)?,
            least_ratio: f("ratio", d.least_ratio)?,
            steep_sigma: f("steep", d.steep_sigma)?,
        })
    }
}

struct Dice(Stream, u64);

impl Dice {
    fn uniform(&mut self) -> f64 {
        self.1 += 1;
        (f64::from(self.0.word(self.1)) + 0.5) / 4_294_967_296.0
    }
}

/// Everything fixed: instrument, PSF.
struct Bench {
    spec: DetectorSpec,
    psf: Box<dyn Psf>,
    sed: Sed,
    band: Bandpass,
}

impl Bench {
    fn new(rate: f64) -> Result<Self, Box<dyn Error>> {
        let instrument: Instrument = load("msc")?;
        let mut spec = instrument.detectors.get(&8).ok_or("msc has no detector 8")?.clone();
        registry::set_parameters(&mut spec, "cosmic_rays", &[("rate".into(), rate)], "benchmark")?;
        let psf = psf::config::build(&instrument.psf, spec.geometry.pixel_scale_arcsec)?;
        let waves: Vec<f64> = (0..200).map(|i| 400.0 + 3.0 * f64::from(i)).collect();
        let sed = Sed::rest(Arc::new(Spectrum::new("flat", waves.clone(), vec![1.0; waves.len()])?));
        let band = Bandpass::new("r", vec![540.0, 545.0, 695.0, 700.0], vec![0.0, 0.5, 0.5, 0.0])?;
        Ok(Self { spec, psf, sed, band })
    }
    fn rays(&self) -> Result<CosmicRays, Box<dyn Error>> {
        Ok(CosmicRays::new(&self.spec)?)
    }
    fn with_context<T>(&self, id: u64, time_s: f64, window: Window, act: impl FnOnce(&Context<'_>) -> T) -> T {
        let pointing = Pointing { ra_deg: 0.0, dec_deg: 0.0, rotation_deg: 0.0 };
        let exposure = Exposure { id, kind: ExposureKind::Science, pointing, start_mjd: 61_000.0, time_s, sky_electron_s: 0.0 };
        let layout = ReadoutLayout::new(&self.spec.geometry, window, Scans::Trimmed);
        act(&Context {
            exposure: &exposure,
            geometry: &self.spec.geometry,
            layout: &layout,
            window,
            effect: "cosmic_rays",
            seed: 20_261_121,
            device_seed: self.spec.device_seed,
        })
    }
    /// Expected electrons of sources.
    fn sources(&self, scene: &Scene, id: u64, window: Window) -> Result<Array2<f32>, Box<dyn Error>> {
        let scale = self.spec.geometry.pixel_scale_arcsec;
        let area = (window.nx * window.ny) as f64 * (scale / 60.0).powi(2);
        let mut dice = Dice(StreamKey::new(77).with_name(scene.name).stream(id), 0);
        let mut sources = Vec::new();
        for (kind, density, slope, bright, faint) in [
            (SourceKind::Star, scene.stars_per_arcmin2, 0.15, 15.0, 26.0),
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
        Ok(imaging.render(&sources)?.light.pixels.mapv(|v| v.max(0.0)))
    }
}

/// A frame with its truth.
struct Made {
    data: Array2<f32>,
    expected: Array2<f32>,
    sources: Array2<f32>,
    noise: Array2<f32>,
    flags: Array2<u32>,
    electrons: Array2<f32>,
    owner: Array2<u32>,
}

/// Shot noise of `expected`, cosmic rays, full well, read noise.
fn measured(expected: &Array2<f32>, rays: &Array2<f32>, id: u64) -> Array2<f32> {
    let mut data = expected.clone();
    let key = StreamKey::new(99).with(id);
    for (y, mut row) in data.rows_mut().into_iter().enumerate() {
        if let Some(row) = row.as_slice_mut() {
            noise::poisson(&key.with_name("shot").stream(y as u64), 0, row);
            row.iter_mut().zip(rays.row(y)).for_each(|(v, r)| *v = (*v + r).min(FULL_WELL));
            noise::add_normals(&key.with_name("read").stream(y as u64), 0, READ_NOISE, row);
        }
    }
    data
}

fn make(bench: &Bench, scene: &Scene, id: u64, window: Window) -> Result<Made, Box<dyn Error>> {
    let sources = bench.sources(scene, id, window)?;
    let rays = bench.rays()?;
    let CosmicRayTruth { electrons, owner, .. } = bench.with_context(id, scene.time_s, window, |cx| rays.truth(cx, Images::With))?;
    let (electrons, owner) = (electrons.ok_or("no image")?, owner.ok_or("no image")?);
    let sky = scene.sky_electron_s * scene.time_s + DARK * (scene.time_s + 0.5 * READOUT_S);
    let expected = sources.mapv(|v| v + sky as f32);
    let data = measured(&expected, &electrons, id);
    let flags = data.mapv(|v| if v > FULL_WELL - 30.0 { flags::SATURATED } else { 0 });
    let noise = expected.mapv(|v| (v + READ_NOISE * READ_NOISE).sqrt());
    Ok(Made { data, expected, sources, noise, flags, electrons, owner })
}

fn mask_of(made: &Made, options: &Options) -> Result<Array2<bool>, Box<dyn Error>> {
    let read_variance = ReadVariance::uniform(READ_NOISE * READ_NOISE, made.data.dim());
    let field = Field {
        electrons: &made.data,
        dark: None,
        flags: Some(&made.flags),
        defects: None,
        leave_out: flags::SATURATED,
        read_variance: &read_variance,
    };
    Ok(Array2::from_shape_vec(made.data.dim(), detect(&field, options))?)
}

fn save(folder: &str, name: &str, made: &Made, mask: &Array2<bool>) -> Result<(), Box<dyn Error>> {
    let f32s = |name: &str, image: &Array2<f32>| Hdu::new(name, Header::default(), Data::F32(image.clone()));
    let i32s = |name: &str, image: Array2<i32>| Hdu::new(name, Header::default(), Data::I32(image));
    let hdus = [
        Hdu::primary(Header::default()),
        f32s("DATA", &made.data),
        f32s("EXPECTED", &made.expected),
        f32s("SOURCES", &made.sources),
        f32s("RAYS", &made.electrons),
        i32s("OWNER", made.owner.mapv(|v| v as i32)),
        i32s("FLAGS", made.flags.mapv(|v| v as i32)),
        i32s("OURS", mask.mapv(i32::from)),
    ];
    std::fs::create_dir_all(folder)?;
    Ok(write(&std::path::Path::new(folder).join(format!("{}.fits", name.replace(' ', "_"))), &hdus)?)
}

fn scores(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let options = arguments.options()?;
    let (frames, size) = (arguments.number("frames", 2.0)? as u64, arguments.number("size", 1536.0)? as usize);
    let seed = arguments.number("seed", 1000.0)? as u64;
    let bench = Bench::new(arguments.number("rate", 1.0)?)?;
    let window = Window { x0: 4000, y0: 3900, nx: size, ny: size };
    println!("{options:?}; {frames} frames of {size} x {size} a scene, rate {} /cm2/s", arguments.number("rate", 1.0)?);
    println!(
        "{:14} {:>5} {:>24} {:>24} {:>15} {:>7} {:>9} {:>9}",
        "scene", "sigma", "ceiling R / P / F1", "found R / P / F1", "near R / P", "events", "damage", "true px"
    );
    for scene in &SCENES {
        let mut sums: [Option<Score>; 3] = [None; 3];
        let mut limits = [[0.0; 2]; 3];
        for frame in 0..frames {
            let made = make(&bench, scene, seed + frame, window)?;
            let mask = mask_of(&made, &options)?;
            if let Some(folder) = arguments.0.get("out") {
                save(folder, &format!("{} {}", scene.name, seed + frame), &made, &mask)?;
            }
            let out = made.flags.mapv(|f| f != 0);
            let truth =
                Truth { electrons: &made.electrons, owner: &made.owner, noise: &made.noise, sources: &made.sources, left_out: Some(&out) };
            for (k, definition) in DEFINITIONS.into_iter().enumerate() {
                let s = score(&truth, &mask, definition);
                sums[k] = Some(sums[k].map_or(s, |sum| sum.plus(s)));
                let c = ceiling(&truth, &made.data, &made.expected, definition).ok_or("no true pixel")?;
                limits[k][0] += c.recall / frames as f64;
                limits[k][1] += c.precision / frames as f64;
            }
        }
        for (s, [r, p]) in sums.into_iter().flatten().zip(limits) {
            println!(
                "{:14} {:>5} {:>8.4} {:.4} {:.4}   {:>8.4} {:.4} {:.4}  {:>7.4} {:.4} {:>7.4} {:>9.2e} {:>9}",
                scene.name,
                s.definition.sigma,
                r,
                p,
                f1(r, p),
                s.recall.value(),
                s.precision.value(),
                s.f1(),
                s.recall_near.value(),
                s.precision_near.value(),
                s.events.value(),
                s.source_damage.value(),
                s.recall.whole
            );
        }
    }
    println!("definitions: {}", DEFINITIONS.map(|d| d.describe()).join("; "));
    Ok(())
}

fn count(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let rate = arguments.number("rate", 1.0)?;
    let bench = Bench::new(rate)?;
    let window = bench.spec.geometry.full_window();
    let truth = bench.with_context(1, 150.0, window, |cx| bench.rays()?.truth(cx, Images::With).map_err(Box::<dyn Error>::from))?;
    let image = truth.electrons.ok_or("no image")?;
    // Blank r-band sky: 0.207 electron/s, dark, read noise.
    let sigma = ((0.207 + DARK) * 150.0 + DARK * 20.0 + 25.0_f64).sqrt() as f32;
    println!("one chip, 150 s and {READOUT_S} s readout, rate {rate} events/cm2/s: {} hits", truth.hits.len());
    for k in [0.5, 3.0, 5.0, 10.0] {
        let n = image.iter().filter(|&&v| v > k * sigma && v >= 10.0).count();
        println!("  pixels above {k} sigma ({:.0} electrons): {n} = {:.3} %", k * sigma, 100.0 * n as f64 / image.len() as f64);
    }
    println!("  official level-1 examples: CRCOUNT 66,791 (imaging) and 88,988 (slitless), unit not documented");
    let mut by_kind: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for hit in &truth.hits {
        by_kind.entry(hit.kind).or_default().push(hit.electrons);
        by_kind.entry("all").or_default().push(hit.electrons);
    }
    for (kind, mut electrons) in by_kind {
        electrons.sort_by(f64::total_cmp);
        let at = |q: f64| electrons[(q * (electrons.len() - 1) as f64) as usize];
        println!("  {kind:10} {:6} hits, electrons 5 % {:.0}, median {:.0}, 95 % {:.0}", electrons.len(), at(0.05), at(0.5), at(0.95));
    }
    let mut sizes: Vec<i32> = truth.hits.iter().map(|h| h.pixels[1]).collect();
    sizes.sort_unstable();
    let mean = sizes.iter().map(|&n| f64::from(n)).sum::<f64>() / sizes.len() as f64;
    println!(
        "  pixels of a hit above 25 electrons: median {}, mean {mean:.1}, 95 % {}",
        sizes[sizes.len() / 2],
        sizes[sizes.len() * 95 / 100]
    );
    println!("  ACS/WFC (Riess 2002): median about 1000 electrons, few below 500, 4 to 5 pixels of 15 um; 1.5-3 % of pixels in 1000 s");
    Ok(())
}

fn speed(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let bench = Bench::new(arguments.number("rate", 1.0)?)?;
    let window = bench.spec.geometry.full_window();
    let effect = (registry::charge().iter().find(|e| e.name == "cosmic_rays").ok_or("no effect")?.forward)(&bench.spec)?;
    let mut frame = Frame::<Charge>::from_pixels(Array2::from_elem(window.shape(), 34.0), window);
    let start = Instant::now();
    let made = (registry::charge().iter().find(|e| e.name == "cosmic_rays").ok_or("no effect")?.forward)(&bench.spec);
    println!("tables {:.3} s ({})", start.elapsed().as_secs_f64(), made.is_ok());
    let start = Instant::now();
    let ledger = bench.with_context(1, 150.0, window, |cx| effect.apply(&mut frame, cx))?;
    println!("forward {:.3} s, {:.2} Me- added", start.elapsed().as_secs_f64(), ledger.added / 1e6);
    let made = Array2::zeros(window.shape());
    let data = measured(&frame.pixels, &made, 1);
    let read_variance = ReadVariance::uniform(25.0, window.shape());
    let field =
        Field { electrons: &data, dark: None, flags: None, defects: None, leave_out: flags::SATURATED, read_variance: &read_variance };
    let options = arguments.options()?;
    let start = Instant::now();
    let cores = instruments::effects::cosmic_rays::laplacian::edges::cores(&field, &options);
    let first = start.elapsed().as_secs_f64();
    let mask = instruments::effects::cosmic_rays::laplacian::grow(&field, &options, &cores);
    let total = start.elapsed().as_secs_f64();
    let flagged = mask.iter().filter(|m| **m).count();
    println!("detector {total:.3} s: cores {first:.3} s ({}), growth {:.3} s ({flagged} pixels)", cores.len(), total - first);
    Ok(())
}

/// Stars on sky, a hit's pixel on the peak or beside it, replaced; flux in 5 x 5 pixels before and after.
fn inpainting(_: &Arguments) -> Result<(), Box<dyn Error>> {
    let bench = Bench::new(0.0)?;
    let window = Window { x0: 4000, y0: 3900, nx: 1024, ny: 1024 };
    let scene = Scene { name: "stars", stars_per_arcmin2: 100.0, galaxies_per_arcmin2: 0.0, sky_electron_s: 0.207, time_s: 150.0 };
    let light = bench.sources(&scene, 5, window)?;
    let mut peaks = Vec::new();
    for y in 8..window.ny - 8 {
        for x in 8..window.nx - 8 {
            let v = light[(y, x)];
            let others = (0..225).map(|k| (y + k / 15 - 7, x + k % 15 - 7)).filter(|p| *p != (y, x));
            if v > 300.0 && v < 60_000.0 && others.into_iter().all(|p| light[p] < v && light[p] < 2.0 * v) {
                peaks.push((y, x));
            }
        }
    }
    println!("flux of {} stars in 5 x 5 pixels after replacing noiseless pixels of the star itself:", peaks.len());
    for (label, offsets) in [
        ("the peak", &[(0, 0)][..]),
        ("one beside the peak", &[(0, 1)]),
        ("three in a row over the peak", &[(0, -1), (0, 0), (0, 1)]),
        ("two pixels from the peak", &[(2, 0)]),
    ] {
        for how in [Replacement::Median, Replacement::Weighted(0.9)] {
            let mut pixels = light.clone();
            let mut mask = vec![false; pixels.len()];
            for &(y, x) in &peaks {
                for &(dy, dx) in offsets {
                    mask[((y as i64 + dy) as usize) * window.nx + (x as i64 + dx) as usize] = true;
                }
            }
            replace(pixels.as_slice_mut().ok_or("not one slice")?, window.nx, &mask, how);
            let sum =
                |a: &Array2<f32>, (y, x): (usize, usize)| -> f64 { (0..25).map(|k| f64::from(a[(y + k / 5 - 2, x + k % 5 - 2)])).sum() };
            let mut change: Vec<f64> = peaks.iter().map(|&p| sum(&pixels, p) / sum(&light, p) - 1.0).collect();
            change.sort_by(f64::total_cmp);
            let at = |q: f64| 100.0 * change[(q * (change.len() - 1) as f64) as usize];
            println!("  {label:30} {how:?}: median {:+.1} %, 16-84 % {:+.1} to {:+.1} %", at(0.5), at(0.16), at(0.84));
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let mode = words.next().unwrap_or_default();
    let pairs = words.map(|w| w.split_once('=').map(|(k, v)| (k.to_string(), v.to_string())).ok_or(format!("{w}: give key=value")));
    let arguments = Arguments(pairs.collect::<Result<_, _>>()?);
    match mode.as_str() {
        "count" => count(&arguments),
        "speed" => speed(&arguments),
        "score" => scores(&arguments),
        "inpaint" => inpainting(&arguments),
        other => Err(format!("mode `{other}` is not one of count, speed, score, inpaint").into()),
    }
}
