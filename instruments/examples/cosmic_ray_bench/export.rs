//! Frames for training: the network's input and the truth of every pixel, as numpy files.

use crate::arguments::Arguments;
use crate::bench::Bench;
use crate::made::make;
use crate::scene::Scene;
use instruments::effects::cosmic_rays::network::inputs;
use ndarray::Zip;
use sim_core::frame::Window;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use validate::measures::cosmic_rays::classes::sizes;
use validate::measures::cosmic_rays::{DEFINITIONS, PRIMARY};

/// Numbers of the input are kept in steps of 1/1024: 0.005 sigma at the limit of the truth.
const STEPS: f32 = 1024.0;
/// What the oracle sees, in steps of 1/16 sigma from 5 sigma; -128 without charge of a hit.
const ORACLE_STEPS: f32 = 16.0;
/// Bits of a pixel of the truth.
const LEFT_OUT: u8 = 8;
const SOURCE: u8 = 16;
/// True pixels of hits that have few of them.
const SMALL: u8 = 32;
const FEW: usize = 4;

/// numpy's file format, version 1.0.
fn npy(path: &Path, kind: &str, shape: &[usize], bytes: &[u8]) -> std::io::Result<()> {
    let shape: Vec<String> = shape.iter().map(|n| format!("{n},")).collect();
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}), }}", shape.join(" "));
    // Magic, version and length take ten bytes; the whole is a multiple of 64 and ends with a new line.
    while (text.len() + 11) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    file.write_all(b"\x93NUMPY\x01\x00")?;
    file.write_all(&(text.len() as u16).to_le_bytes())?;
    file.write_all(text.as_bytes())?;
    file.write_all(bytes)
}

/// `out=FOLDER frames=N seed=N size=N`: the scenes `seed..seed + frames` of [`Scene::drawn`].
pub fn export(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let folder = Path::new(arguments.text("out").ok_or("out=FOLDER is missing")?);
    std::fs::create_dir_all(folder)?;
    let (frames, size) = (arguments.number("frames", 2.0)? as u64, arguments.number("size", 640.0)? as usize);
    let seed = arguments.number("seed", 100_000.0)? as u64;
    for id in seed..seed + frames {
        let bench = Bench::new(Scene::drawn(id), None)?;
        // Anywhere on the chip: the PSF varies.
        let place = |k: u64, room: usize| (id.wrapping_mul(k) % (room - size) as u64) as usize;
        let (x0, y0) = (place(2_654_435_761, 9216), place(40_503, 9232));
        let window = Window { x0, y0, nx: size, ny: size };
        let made = make(&bench, id, window)?;
        let input = inputs::whole(&made.field(), 0);
        let bytes: Vec<u8> = input.iter().flat_map(|v| ((v * STEPS).round().clamp(-32767.0, 32767.0) as i16).to_le_bytes()).collect();
        npy(&folder.join(format!("{id}.input.npy")), "<i2", input.shape(), &bytes)?;
        let mut truth = ndarray::Array2::<u8>::zeros(made.data.dim());
        for (bit, definition) in DEFINITIONS.into_iter().enumerate() {
            Zip::from(&mut truth).and(&made.electrons).and(&made.noise).for_each(|t, e, n| *t |= u8::from(definition.holds(*e, *n)) << bit);
        }
        Zip::from(&mut truth).and(&made.out).for_each(|t, out| *t |= if *out { LEFT_OUT } else { 0 });
        Zip::from(&mut truth).and(&made.sources).and(&made.noise).for_each(|t, s, n| *t |= if *s > 3.0 * n { SOURCE } else { 0 });
        let sizes = sizes(&made.truth(), PRIMARY);
        Zip::from(&mut truth).and(&made.electrons).and(&made.noise).and(&made.owner).for_each(|t, e, n, owner| {
            *t |= if PRIMARY.holds(*e, *n) && sizes[*owner as usize] <= FEW { SMALL } else { 0 };
        });
        // (data - noiseless sky) / sigma where there is charge: what the ceiling is made of.
        let oracle: Vec<u8> = made
            .electrons
            .indexed_iter()
            .map(|(at, &charge)| {
                let sigmas = (made.data[at] - made.expected[at]) / made.noise[at] - PRIMARY.sigma;
                let step = if charge > 0.0 { (ORACLE_STEPS * sigmas).round().clamp(-127.0, 127.0) as i8 } else { i8::MIN };
                step.to_le_bytes()[0]
            })
            .collect();
        npy(&folder.join(format!("{id}.oracle.npy")), "|i1", truth.shape(), &oracle)?;
        npy(&folder.join(format!("{id}.truth.npy")), "|u1", truth.shape(), truth.as_slice().ok_or("not one slice")?)?;
    }
    Ok(())
}
