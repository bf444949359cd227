//! Measures light that is not the sky's on a chip of the survey camera: seconds, sizes, pictures, and how well trails are found.
//! `cargo run --release -p instruments --example stray_bench -- speed | fringes | pictures DIR | trails IMAGE FLAGS ...`
//!
//! `trails` takes level-1 images and their flags, adds trails of known brightness, and counts those that are found.

use instruments::description::{DetectorSpec, load};
use instruments::effects::fringing::{Silicon, model};
use instruments::effects::registry::{self, Entry};
use instruments::effects::trails::detect;
use instruments::effects::trails::model::{Line, Profile};
use ndarray::Array2;
use sim_core::detector::{ReadoutLayout, Scans};
use sim_core::effect::Context;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::fits::{self, Data};
use sim_core::frame::{BrightPoint, Frame, Window};
use sim_core::knowledge::{FringeFrame, Knowledge};
use sim_core::noise;
use sim_core::plane::Light;
use sim_core::stream::StreamKey;
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Anyhow<T> = Result<T, Box<dyn std::error::Error>>;

/// CPU seconds of this process (Linux, ticks of 10 ms).
fn cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = cpu_s();
    let out = work();
    println!("{what:<44} {:.2} s", cpu_s() - start);
    out
}

fn entry(name: &str) -> Anyhow<&'static Entry<Light>> {
    registry::light().iter().find(|e| e.name == name).ok_or_else(|| format!("no effect {name}").into())
}

struct Place {
    spec: DetectorSpec,
    exposure: Exposure,
    layout: ReadoutLayout,
    window: Window,
}

impl Place {
    fn new(spec: &DetectorSpec, window: Window) -> Self {
        let pointing = Pointing { ra_deg: 95.0, dec_deg: -30.0, rotation_deg: 0.0 };
        let exposure = Exposure { id: 11, kind: ExposureKind::Science, pointing, start_mjd: 61_000.0, time_s: 150.0, sky_electron_s: 0.06 };
        let layout = ReadoutLayout::new(&spec.geometry, window, Scans::Full);
        Self { spec: spec.clone(), exposure, layout, window }
    }
    fn apply(&self, name: &str, frame: &mut Frame<Light>) -> Anyhow<()> {
        let entry = entry(name)?;
        let cx = Context {
            exposure: &self.exposure,
            geometry: &self.spec.geometry,
            layout: &self.layout,
            window: self.window,
            effect: entry.name,
            seed: 5,
            device_seed: self.spec.device_seed,
        };
        let ledger = (entry.forward)(&self.spec)?.apply(frame, &cx)?;
        println!("  {name}: added {:.4e}, lost {:.4e} electron", ledger.added, ledger.lost);
        Ok(())
    }
}

fn stars(count: usize, brightest: f64) -> Arc<[BrightPoint]> {
    let mut u = vec![0.0; 3 * count];
    noise::uniforms(&StreamKey::new(8).stream(0), 0, &mut u);
    let star = |k: usize| BrightPoint {
        x: f64::from(u[3 * k]) * 17_000.0 - 4000.0,
        y: f64::from(u[3 * k + 1]) * 17_000.0 - 4000.0,
        // Counts go as 10^(0.3 m): electrons as u^(-4/3).
        electrons: brightest * (1.0 + 300.0 * f64::from(u[3 * k + 2])).powf(-1.33),
    };
    (0..count).map(star).collect::<Vec<_>>().into()
}

fn noisy(shape: (usize, usize), level: f32) -> Array2<f32> {
    let mut pixels = sim_core::memory::zeros(shape);
    pixels.fill(level);
    let key = StreamKey::new(1);
    for (y, mut row) in pixels.rows_mut().into_iter().enumerate() {
        if let Some(row) = row.as_slice_mut() {
            noise::add_normals(&key.stream(y as u64), 0, (level + 25.0).sqrt(), row);
        }
    }
    pixels
}

/// A `.npy` file of a plane.
fn save(path: &Path, pixels: &Array2<f32>) -> Anyhow<()> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", pixels.nrows(), pixels.ncols());
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    pixels.iter().for_each(|v| bytes.extend(v.to_le_bytes()));
    Ok(std::fs::write(path, bytes)?)
}

fn speed() -> Anyhow<()> {
    let instrument = load("msc")?;
    let spec = &instrument.detectors[&15];
    let mut place = Place::new(spec, spec.geometry.full_window());
    let mut frame = Frame::<Light>::from_pixels(noisy(place.window.shape(), 9.0), place.window);
    frame.bright = Some(stars(3000, 1e10));
    // All pixels are in memory now. A satellite for certain.
    registry::set_parameters(&mut place.spec, "trails", &[("satellite_rate".into(), 0.05)], "bench")?;
    for name in ["trails", "ghosts", "scattered_light", "fringing"] {
        timed(name, || place.apply(name, &mut frame))?;
    }
    frame.bright = None;
    let found = timed("trails, found", || detect::find(&frame.pixels, None));
    println!("  {} trails", found.len());
    let cell = 8;
    let shape = (FringeFrame::cells(9232, cell), FringeFrame::cells(9216, cell));
    let pattern = Array2::from_shape_fn(shape, |(j, i)| (i as f32 * 0.11).sin() + (j as f32 * 0.07).cos());
    let fringes = FringeFrame { window: place.window, cell, variance: Array2::zeros(shape), pattern, typical_electron_s: 0.01 };
    let mut knowledge = Knowledge::of_layout(place.layout.clone(), place.window, 150.0);
    knowledge.fringes = Some(Arc::new(fringes));
    frame.variance = Some(sim_core::memory::zeros(place.window.shape()));
    frame.flags = Some(sim_core::memory::zeros(place.window.shape()));
    for name in ["fringing", "scattered_light"] {
        let twin = entry(name)?.twin.correction(&knowledge).ok_or("no twin")??;
        let status = timed(&format!("{name}, twin"), || twin.correct(&mut frame))?;
        println!("  {status:?}");
    }
    Ok(())
}

/// How strong fringes are by band and spectrum.
fn fringes() -> Anyhow<()> {
    let instrument = load("msc")?;
    println!("band  thickness um   largest |F - 1| of: continuum   Gaussian 30 nm at 960   3 nm at 960   line 1083.33   line 950");
    for (band, number) in [("i", 7), ("z", 11), ("y", 15)] {
        let spec = &instrument.detectors[&number];
        for thickness in [16.0, 40.0] {
            let film = model::Film { silicon: Silicon::load(), front: 0.02, back: 0.178, edge_shift_nm: 19.4 };
            let bounds = (thickness - 1.5, thickness + 1.5);
            let step = model::Table::step_um(&film, 690.0);
            let (low, _) = spec.band.range_nm();
            let rate = 4e3 * std::f64::consts::PI * 3.8 * 1.05 * bounds.1 / low.powi(2);
            let largest = |nodes: Option<model::Nodes>| nodes.map_or(f64::NAN, |n| model::Table::new(&film, &n, bounds, step).deviation());
            println!(
                "{band:<5} {thickness:>8}       {:>20.2e} {:>20.2e} {:>16.2e} {:>14.4} {:>10.4}",
                largest(Some(model::Nodes::continuum(&spec.band, rate))),
                largest(model::Nodes::lamp(&spec.band, 960.0, 30.0, rate)),
                largest(model::Nodes::lamp(&spec.band, 960.0, 3.0, rate)),
                largest(Some(model::Nodes::line(1083.33))),
                largest(Some(model::Nodes::line(950.0))),
            );
        }
    }
    Ok(())
}

fn pictures(folder: &Path) -> Anyhow<()> {
    let instrument = load("msc")?;
    let spec = &instrument.detectors[&15];
    let whole = Place::new(spec, spec.geometry.full_window());
    let mut frame = Frame::<Light>::zeros(whole.window);
    whole.apply("fringing", &mut frame)?;
    let thin = |pixels: &Array2<f32>| pixels.slice(ndarray::s![..;8, ..;8]).to_owned();
    save(&folder.join("fringes.npy"), &thin(&frame.pixels))?;
    let window = Window { x0: 3000, y0: 3000, nx: 3072, ny: 3072 };
    let mut part = Place::new(spec, window);
    registry::set_parameters(&mut part.spec, "trails", &[("satellite_rate".into(), 0.05)], "bench")?;
    for name in ["trails", "ghosts", "scattered_light"] {
        let mut frame = Frame::<Light>::from_pixels(noisy(window.shape(), 9.0), window);
        let mut list = stars(3000, 3e9).to_vec();
        list.push(BrightPoint { x: 4200.0, y: 4700.0, electrons: 3e9 });
        list.push(BrightPoint { x: 2500.0, y: 5700.0, electrons: 6e10 });
        frame.bright = Some(list.into());
        part.apply(name, &mut frame)?;
        save(&folder.join(format!("{name}.npy")), &frame.pixels)?;
    }
    Ok(())
}

fn image(path: &Path) -> Anyhow<Array2<f32>> {
    let units = fits::read(path)?;
    let found = units.iter().find_map(|u| match &u.data {
        Data::F32(pixels) => Some(pixels.clone()),
        _ => None,
    });
    Ok(found.ok_or_else(|| format!("{}: no image of 32-bit floats", path.display()))?)
}

fn bits(path: &Path) -> Anyhow<Array2<u32>> {
    let units = fits::read(path)?;
    let found = units.iter().find_map(|u| match &u.data {
        Data::U16(pixels) => Some(pixels.mapv(u32::from)),
        Data::I32(pixels) => Some(pixels.mapv(|v| v as u32)),
        Data::U8(pixels) => Some(pixels.mapv(u32::from)),
        _ => None,
    });
    Ok(found.ok_or_else(|| format!("{}: no flags", path.display()))?)
}

fn trails(files: &[PathBuf]) -> Anyhow<()> {
    // Electrons per pixel of length; width of a satellite at 1000 km.
    let densities = [2.0, 3.0, 4.0, 6.0, 10.0, 20.0, 100.0, 1000.0];
    let (radius, sigma, time_s, tries) = (4.9, 0.92, 150.0, 12);
    let mut found_at = vec![(0_usize, 0_usize, 0_usize); densities.len()];
    let (mut frames, mut wrong) = (0, 0);
    for pair in files.chunks(2) {
        let [pixels, flags] = pair else { return Err("give image and flags in pairs".into()) };
        let (pixels, flags) = (image(pixels)?, bits(flags)?);
        let (ny, nx) = pixels.dim();
        frames += 1;
        let false_ones = detect::find(&pixels, Some(&flags));
        wrong += false_ones.len();
        for f in &false_ones {
            println!("  in {}: {f:?}", pair[0].display());
        }
        let mut u = vec![0.0; 2 * tries];
        noise::uniforms(&StreamKey::new(frames).stream(1), 0, &mut u);
        for (density, (tried, hit, extra)) in densities.iter().zip(&mut found_at) {
            for k in 0..tries {
                let angle = f64::from(u[2 * k]) * std::f64::consts::PI;
                let offset = (f64::from(u[2 * k + 1]) - 0.5) * 0.6 * nx.min(ny) as f64;
                let (s, c) = angle.sin_cos();
                let (x, y) = (0.5 * nx as f64 - offset * s, 0.5 * ny as f64 + offset * c);
                let half = 2.0 * nx.max(ny) as f64;
                let (from, to) = ((x - half * c, y - half * s), (x + half * c, y + half * s));
                let line = Line::new(from, to, density / time_s * 2.0 * half, Profile::new(radius, sigma));
                let mut with = pixels.clone();
                for (y, mut row) in with.rows_mut().into_iter().enumerate() {
                    if let Some(row) = row.as_slice_mut() {
                        line.shine(y, 0, row);
                    }
                }
                *tried += 1;
                let near = |t: &detect::FoundTrail| {
                    [-0.2, 0.2].iter().all(|k| t.distance(x + k * nx as f64 * c, y + k * nx as f64 * s).abs() < 6.0)
                };
                let all = detect::find(&with, Some(&flags));
                *hit += usize::from(all.iter().any(near));
                *extra += all.iter().filter(|t| !near(t)).count();
            }
        }
    }
    println!("{frames} frames without trails: {wrong} found");
    println!("electron/pixel of length   tried   found   others found");
    for (density, (tried, hit, extra)) in densities.iter().zip(found_at) {
        println!("{density:>24} {tried:>7} {hit:>7} {extra:>9}");
    }
    Ok(())
}

fn main() -> Anyhow<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rest: Vec<PathBuf> = arguments.iter().skip(1).map(PathBuf::from).collect();
    match arguments.first().map(String::as_str) {
        Some("speed") => speed(),
        Some("fringes") => fringes(),
        Some("pictures") if rest.len() == 1 => pictures(&rest[0]),
        Some("trails") if !rest.is_empty() => trails(&rest),
        _ => Err("say speed, fringes, pictures DIR, or trails IMAGE FLAGS ...".into()),
    }
}
