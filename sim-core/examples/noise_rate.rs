//! Rates of random draws and of the row kernel: the measurements behind the choice of generator, of streams per
//! row and of f32 frames. `cargo run --release -p sim-core --example noise_rate`

use rand::Rng;
use rand::rand_core::{Infallible, TryRng};
use rand_distr::{Distribution, Poisson, StandardNormal};
use sim_core::noise;
use sim_core::stream::StreamKey;
use std::hint::black_box;
use std::time::Instant;

const COLUMNS: usize = 9216;
const ROWS: usize = 1154;

/// Xoshiro256++ (Blackman & Vigna 2021), seeded by splitmix64: the fast sequential generator to compare with.
struct Xoshiro([u64; 4]);

impl Xoshiro {
    fn seeded(mut seed: u64) -> Self {
        Self(std::array::from_fn(|_| {
            seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = seed;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        }))
    }
}

impl TryRng for Xoshiro {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.try_next_u64()? >> 32) as u32)
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let s = &mut self.0;
        let out = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        Ok(out)
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(8) {
            let bytes = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }
}

/// Best of five passes over `ROWS` rows; prints million draws per second and what a full chip would take.
fn rate(what: &str, mut row: impl FnMut(u64)) {
    let best = (0..5)
        .map(|_| {
            let start = Instant::now();
            (0..ROWS as u64).for_each(&mut row);
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min);
    let draws = (ROWS * COLUMNS) as f64;
    println!("{what:<64} {:8.1} M/s   85 Mpx {:7.3} s", draws / best / 1e6, best * 9216.0 * 9232.0 / draws);
}

fn main() {
    let key = StreamKey::new(1).with(2).with_name("rate");
    let mut pixels = vec![0.0_f32; COLUMNS];

    println!("-- draws, one thread, rows of {COLUMNS} in cache");
    rate("uniforms, ours", |row| noise::uniforms(&key.stream(row), 0, black_box(&mut pixels)));
    rate("normals, ours (keyed by row)", |row| noise::normals(&key.stream(row), 0, black_box(&mut pixels)));
    rate("normals added with sigma, ours", |row| noise::add_normals(&key.stream(row), 0, 5.0, black_box(&mut pixels)));
    let mut xoshiro = Xoshiro::seeded(1);
    rate("normals, rand_distr ziggurat on Xoshiro256++ (one sequence)", |_| {
        pixels.iter_mut().for_each(|p| *p = StandardNormal.sample(&mut xoshiro));
        black_box(&mut pixels);
    });
    rate("normals, rand_distr ziggurat on Philox read in order", |row| {
        let mut stream = key.stream(row);
        pixels.iter_mut().for_each(|p| *p = StandardNormal.sample(&mut stream));
        black_box(&mut pixels);
    });
    for mean in [0.05_f32, 0.6, 5.0, 11.9, 12.0, 30.0, 1000.0] {
        rate(&format!("Poisson at {mean}, ours"), |row| {
            pixels.fill(mean);
            noise::poisson(&key.stream(row), 0, black_box(&mut pixels));
        });
    }
    for mean in [0.6_f64, 30.0, 1000.0] {
        rate(&format!("Poisson at {mean}, rand_distr, made anew per pixel"), |_| {
            for p in &mut pixels {
                *p = Poisson::new(black_box(mean)).map_or(0.0, |law| law.sample(&mut xoshiro)) as f32;
            }
            black_box(&mut pixels);
        });
    }

    println!("-- one stream per row or one per pixel (object)");
    rate("words, Philox, a stream per row, read in order", |row| {
        let mut stream = key.stream(row);
        black_box((0..COLUMNS).fold(0_u32, |a, _| a ^ stream.next_u32()));
    });
    rate("words, Philox, a stream per pixel: item = pixel", |row| {
        black_box((0..COLUMNS as u64).fold(0_u32, |a, x| a ^ key.stream((row << 32) | x).next_u32()));
    });
    rate("words, Philox, a key per pixel: hash of the pixel", |row| {
        let row_key = key.with(row);
        black_box((0..COLUMNS as u64).fold(0_u32, |a, x| a ^ row_key.with(x).stream(0).next_u32()));
    });
    rate("words, Xoshiro256++ seeded per row", |row| {
        let mut xoshiro = Xoshiro::seeded(row);
        black_box((0..COLUMNS).fold(0_u32, |a, _| a ^ xoshiro.next_u32()));
    });
    rate("words, Xoshiro256++ seeded per pixel", |row| {
        black_box((0..COLUMNS as u64).fold(0_u32, |a, x| a ^ Xoshiro::seeded((row << 32) | x).next_u32()));
    });

    println!("-- row kernel over a frame in memory: flat, dark, clip, gain, bias, ADC (no draws), then with draws");
    let flat32: Vec<f32> = (0..COLUMNS).map(|x| 1.0 + 0.01 * (x % 7) as f32).collect();
    let flat64: Vec<f64> = flat32.iter().map(|&v| f64::from(v)).collect();
    let mut frame32 = vec![30.0_f32; ROWS * COLUMNS];
    let mut frame64 = vec![30.0_f64; ROWS * COLUMNS];
    rate("f32 frame", |row| {
        let pixels = &mut frame32[row as usize * COLUMNS..][..COLUMNS];
        for (p, f) in pixels.iter_mut().zip(&flat32) {
            *p = ((*p * f + 3.0).min(90_000.0) / 1.1 + 500.0).clamp(0.0, 65_535.0) - 480.0;
        }
    });
    rate("f64 frame", |row| {
        let pixels = &mut frame64[row as usize * COLUMNS..][..COLUMNS];
        for (p, f) in pixels.iter_mut().zip(&flat64) {
            *p = ((*p * f + 3.0).min(90_000.0) / 1.1 + 500.0).clamp(0.0, 65_535.0) - 480.0;
        }
    });
    rate("f32 frame with Poisson and read noise", |row| {
        let pixels = &mut frame32[row as usize * COLUMNS..][..COLUMNS];
        pixels.iter_mut().zip(&flat32).for_each(|(p, f)| *p = 30.0 * f + 3.0);
        noise::poisson(&key.stream(row), 0, pixels);
        noise::add_normals(&key.stream(row), 0, 5.0, pixels);
        for p in pixels {
            *p = (p.min(90_000.0) / 1.1 + 500.0).clamp(0.0, 65_535.0) + 8_388_608.0 - 8_388_608.0; // rounds, and vectorises everywhere
        }
    });
    rate("f64 frame with Poisson and read noise (drawn in an f32 row)", |row| {
        let target = &mut frame64[row as usize * COLUMNS..][..COLUMNS];
        pixels.iter_mut().zip(&flat64).for_each(|(p, f)| *p = (30.0 * f + 3.0) as f32);
        noise::poisson(&key.stream(row), 0, &mut pixels);
        noise::add_normals(&key.stream(row), 0, 5.0, &mut pixels);
        for (t, p) in target.iter_mut().zip(&pixels) {
            *t = (f64::from(*p).min(90_000.0) / 1.1 + 500.0).clamp(0.0, 65_535.0) + 4_503_599_627_370_496.0 - 4_503_599_627_370_496.0;
        }
    });
    black_box((&frame32, &frame64));
}
