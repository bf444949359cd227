//! Seconds to write and read one full frame: `cargo run --release -p sim-core --example fits_timing -- FOLDER`.

use ndarray::Array2;
use sim_core::fits::{Data, Hdu, Header, read, write};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let path = std::path::Path::new(&folder).join("fits_timing.fits");
    let shape = (9232, 9216);
    let value = |(y, x): (usize, usize)| ((y * 9216 + x) as u64).wrapping_mul(2_654_435_761) >> 16;
    let frames = [
        ("u16", Data::U16(Array2::from_shape_fn(shape, |at| value(at) as u16))),
        ("f32", Data::F32(Array2::from_shape_fn(shape, |at| value(at) as u16 as f32 * 1.37))),
    ];
    for (name, data) in frames {
        let hdus = [Hdu::primary(Header::default()), Hdu::new("SCI", Header::default(), data)];
        for _ in 0..3 {
            let start = Instant::now();
            write(&path, &hdus)?;
            let wrote = start.elapsed().as_secs_f64();
            let start = Instant::now();
            let back = read(&path)?;
            let took = start.elapsed().as_secs_f64();
            assert!(back == hdus, "the frame changed on its way");
            println!("{name}: write {wrote:.3} s (fsync and rename included), read with checksums {took:.3} s");
        }
    }
    std::fs::remove_file(&path)?;
    Ok(())
}
