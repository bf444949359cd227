//! A frame with its truth.

use crate::arguments::Dice;
use crate::bench::Bench;
use crate::scene::Scene;
use instruments::effects::cosmic_rays::laplacian::{Field, ReadVariance};
use ndarray::Array2;
use sim_core::fits::{Data, Hdu, Header, write};
use sim_core::flags;
use sim_core::frame::Window;
use sim_core::noise;
use sim_core::stream::StreamKey;
use std::collections::BTreeMap;
use std::error::Error;
use validate::measures::cosmic_rays::Truth;

pub const READ_NOISE: f32 = 5.0;
pub const DARK: f64 = 0.02;
pub const READOUT_S: f64 = 40.0;
/// Charge that a pixel holds, over the charge at which the converter ends: 90,000 to 71,500 electrons in the survey camera.
const FULL_WELL: f32 = 1.26;

/// One frame.
pub struct Made {
    pub data: Array2<f32>,
    pub expected: Array2<f32>,
    pub sources: Array2<f32>,
    pub noise: Array2<f32>,
    pub flags: Array2<u32>,
    pub electrons: Array2<f32>,
    pub owner: Array2<u32>,
    pub out: Array2<bool>,
    pub read_variance: ReadVariance<'static>,
    /// What the finder is told of the charge cloud [pixel].
    pub cloud_px: f32,
}

/// Shot noise of `expected`, cosmic rays, full well (or bleeding along columns), read noise, the converter's end.
pub fn measured(expected: &Array2<f32>, rays: &Array2<f32>, id: u64, ceiling: f32, bleeding: bool) -> Array2<f32> {
    let full_well = FULL_WELL * ceiling;
    let mut data = expected.clone();
    let key = StreamKey::new(99).with(id);
    for (y, mut row) in data.rows_mut().into_iter().enumerate() {
        if let Some(row) = row.as_slice_mut() {
            noise::poisson(&key.with_name("shot").stream(y as u64), 0, row);
            row.iter_mut().zip(rays.row(y)).for_each(|(v, r)| *v += r);
        }
    }
    if bleeding {
        bleed(&mut data, full_well);
    }
    for (y, mut row) in data.rows_mut().into_iter().enumerate() {
        if let Some(row) = row.as_slice_mut() {
            row.iter_mut().for_each(|v| *v = v.min(full_well));
            noise::add_normals(&key.with_name("read").stream(y as u64), 0, READ_NOISE, row);
            row.iter_mut().for_each(|v| *v = v.min(ceiling));
        }
    }
    data
}

/// What exceeds the full well goes up and down its column, half and half.
fn bleed(data: &mut Array2<f32>, full_well: f32) {
    for mut column in data.columns_mut() {
        let excess: Vec<f32> = column.iter().map(|v| 0.5 * (v - full_well).max(0.0)).collect();
        if excess.iter().all(|e| *e == 0.0) {
            continue;
        }
        column.iter_mut().for_each(|v| *v = v.min(full_well));
        let n = column.len();
        for up in [true, false] {
            let mut carried = 0.0;
            for k in 0..n {
                let y = if up { k } else { n - 1 - k };
                let room = full_well - column[y];
                let put = room.min(carried);
                column[y] += put;
                carried += excess[y] - put;
            }
        }
    }
}

/// Errors of calibration and hot pixels: `data` and `flags` change, the truth does not. A known hot pixel is flagged.
fn flaw(scene: &Scene, id: u64, made: &mut Made) {
    let key = StreamKey::new(98).with_name(&scene.name);
    let mut dice = Dice::new(key.stream(id));
    let flat_error = (0.008 * dice.uniform()) as f32;
    let mut normals = vec![0.0_f32; made.data.ncols()];
    for (y, mut row) in made.data.rows_mut().into_iter().enumerate() {
        normals.fill(0.0);
        noise::add_normals(&key.with(id).stream(y as u64), 0, 1.0, &mut normals);
        row.iter_mut().zip(&normals).for_each(|(v, n)| *v += flat_error * n * v.max(0.0));
    }
    let (ny, nx) = made.data.dim();
    // Half the columns belong to another amplifier, with an offset of its own.
    let offset = (1.0 * dice.normal()) as f32;
    made.data.columns_mut().into_iter().skip(nx / 2).for_each(|mut c| c.iter_mut().for_each(|v| *v += offset));
    for (share, known) in [(3e-4, true), (4e-6, false)] {
        for _ in 0..(share * (nx * ny) as f64) as usize {
            let at = ((dice.uniform() * ny as f64) as usize, (dice.uniform() * nx as f64) as usize);
            made.data[at] += (30.0 * 300.0_f64.powf(dice.uniform())) as f32;
            if known {
                made.flags[at] |= flags::HOT;
            } else {
                made.out[at] = true;
            }
        }
    }
}

/// Copies hits of the frame to places within 12 pixels of bright stars, where few fall by chance.
fn put_beside(scene: &Scene, id: u64, sources: &Array2<f32>, electrons: &mut Array2<f32>, owner: &mut Array2<u32>) {
    let (ny, nx) = sources.dim();
    let mut hits: BTreeMap<u32, Vec<(usize, usize, f32)>> = BTreeMap::new();
    for ((y, x), number) in owner.indexed_iter().filter(|(_, n)| **n > 0) {
        hits.entry(*number).or_default().push((y, x, electrons[(y, x)]));
    }
    let stars: Vec<(usize, usize)> = (3..ny - 3)
        .flat_map(|y| (3..nx - 3).map(move |x| (y, x)))
        .filter(|&(y, x)| {
            let v = sources[(y, x)];
            v > scene.beside_electrons && (0..25).all(|k| sources[(y + k / 5 - 2, x + k % 5 - 2)] <= v)
        })
        .collect();
    let hits: Vec<Vec<(usize, usize, f32)>> = hits.into_values().collect();
    if hits.is_empty() || stars.is_empty() {
        return;
    }
    let mut dice = Dice::new(StreamKey::new(97).with_name(&scene.name).stream(id));
    let mut pick = |n: usize| ((dice.uniform() * n as f64) as usize).min(n - 1);
    // Not so many that a star has no pixel left without one.
    for copy in 0..scene.beside_stars.min(4 * stars.len()) {
        let (star, hit) = (stars[pick(stars.len())], &hits[pick(hits.len())]);
        let (dy, dx) = (star.0 + pick(25), star.1 + pick(25));
        let (from, number) = (hit[pick(hit.len())], 1_000_000 + copy as u32);
        for &(y, x, charge) in hit {
            let (v, u) = ((dy + y) as isize - 12 - from.0 as isize, (dx + x) as isize - 12 - from.1 as isize);
            if v >= 0 && u >= 0 && (v as usize) < ny && (u as usize) < nx {
                let at = (v as usize, u as usize);
                if charge > electrons[at] {
                    owner[at] = number;
                }
                electrons[at] += charge;
            }
        }
    }
}

/// Makes a frame.
pub fn make(bench: &Bench, id: u64, window: Window) -> Result<Made, Box<dyn Error>> {
    let scene = &bench.scene;
    let sources = bench.sources(id, window)?;
    let (mut electrons, mut owner) = bench.hits(id, window)?;
    if scene.beside_stars > 0 {
        put_beside(scene, id, &sources, &mut electrons, &mut owner);
    }
    let sky = scene.sky_electron_s * scene.time_s + DARK * (scene.time_s + 0.5 * READOUT_S);
    let expected = sources.mapv(|v| v + sky as f32);
    let data = measured(&expected, &electrons, id, scene.ceiling_electron, scene.flaws);
    let flags = data.mapv(|v| if v >= scene.ceiling_electron { flags::SATURATED } else { 0 });
    let noise = expected.mapv(|v| (v + READ_NOISE * READ_NOISE).sqrt());
    let out = Array2::from_elem(data.dim(), false);
    let read_variance = ReadVariance::uniform(READ_NOISE * READ_NOISE, data.dim());
    let mut made = Made { data, expected, sources, noise, flags, electrons, owner, out, read_variance, cloud_px: scene.cloud_px() };
    if scene.flaws {
        flaw(scene, id, &mut made);
    }
    ndarray::Zip::from(&mut made.out).and(&made.flags).for_each(|out, flags| *out |= *flags != 0);
    Ok(made)
}

impl Made {
    /// What a detector sees.
    pub fn field(&self) -> Field<'_> {
        Field {
            electrons: &self.data,
            dark: None,
            flags: Some(&self.flags),
            defects: None,
            leave_out: flags::SATURATED | flags::HOT,
            read_variance: &self.read_variance,
            cloud_px: self.cloud_px,
        }
    }
    /// What is true.
    pub fn truth(&self) -> Truth<'_> {
        Truth { electrons: &self.electrons, owner: &self.owner, noise: &self.noise, sources: &self.sources, left_out: Some(&self.out) }
    }
    /// Writes the frame and masks of it as FITS, for other tools.
    pub fn save(&self, folder: &str, name: &str, masks: &[(&str, &Array2<bool>)]) -> Result<(), Box<dyn Error>> {
        let f32s = |name: &str, image: &Array2<f32>| Hdu::new(name, Header::default(), Data::F32(image.clone()));
        let i32s = |name: &str, image: Array2<i32>| Hdu::new(name, Header::default(), Data::I32(image));
        let mut hdus = vec![
            Hdu::primary(Header::default()),
            f32s("DATA", &self.data),
            f32s("EXPECTED", &self.expected),
            f32s("SOURCES", &self.sources),
            f32s("RAYS", &self.electrons),
            i32s("OWNER", self.owner.mapv(|v| v as i32)),
            i32s("FLAGS", self.flags.mapv(|v| v as i32)),
            i32s("OUT", self.out.mapv(i32::from)),
        ];
        hdus.extend(masks.iter().map(|(name, mask)| i32s(name, mask.mapv(i32::from))));
        std::fs::create_dir_all(folder)?;
        Ok(write(&std::path::Path::new(folder).join(format!("{}.fits", name.replace(' ', "_"))), &hdus)?)
    }
}
