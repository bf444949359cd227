//! Writes one FITS file with every kind of unit we can write, for outside checkers (`peers/fits_products.py`):
//! `cargo run --release -p sim-core --example fits_sampler -- sampler.fits \[rice\]`, integers packed with `rice`.

use ndarray::{Array2, Array3};
use sim_core::fits::{Data, Hdu, Header, Packing, write_as};
use sim_core::sparse::Sparse;
use sim_core::table::{Column, ColumnData, Table};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: fits_sampler FILE [rice]")?;
    let mut header = Header::default();
    header.set("EXPTIME", 150.0, "[s] exposure time");
    header.set("THIRD", 1.0 / 3.0, "shortest decimal that reads back to the same bits");
    header.set("SMALL", -8.174_558_361_76e-6, "[deg / pixel]");
    header.set("OBSID", 10_100_000_123_i64, "observation");
    header.set("SHUTTER", true, "open");
    header.set("EMPTY", "", "no text");
    header.set("QUOTED", "it's", "a quote");
    header.set("LONG", "0123456789 ".repeat(30).trim_end(), "text of 329 characters");
    header.set("ESO DET CHIP1 ID", 7, "a keyword of more than eight characters");
    header.history = vec!["one step".into(), "a long line, ".repeat(12)];
    let rows = |n: usize| {
        vec![
            Column::new("ID", "", "number", ColumnData::I64((0..n as i64).map(|i| i - 1).collect())),
            Column::new("RA", "deg", "right ascension", ColumnData::F64((0..n).map(|i| i as f64 / 3.0).collect())),
            Column::new("FLUX", "electron / s", "count rate, not a number in the last row", {
                ColumnData::F32((0..n).map(|i| if i + 1 == n { f32::NAN } else { i as f32 }).collect())
            }),
            Column::new("FLAG", "", "bits", ColumnData::I32((0..n as i32).map(|i| 1 << (i % 31)).collect())),
            Column::new("NAME", "", "text, empty in every third row", {
                ColumnData::Text((0..n).map(|i| if i % 3 == 0 { String::new() } else { format!("star {i}") }).collect())
            }),
        ]
    };
    let table = |name: &str, columns| Hdu::new(name, Header::default(), Data::Table(Table { name: name.into(), columns }));
    let packing = if std::env::args().nth(2).as_deref() == Some("rice") { Packing::Rice } else { Packing::None };
    write_as(
        path.as_ref(),
        &[
            Hdu::primary(header.clone()),
            Hdu::new("U16", header.clone(), Data::U16(Array2::from_shape_fn((40, 60), |(y, x)| (y * 1638 + x) as u16))),
            Hdu::new("F32", Header::default(), Data::F32(Array2::from_shape_fn((40, 60), |(y, x)| (y as f32 - x as f32) / 7.0))),
            Hdu::new("F64", Header::default(), Data::F64(Array2::from_shape_fn((4, 6), |(y, x)| (y as f64 - x as f64) / 7.0))),
            Hdu::new("I32", Header::default(), Data::I32(Array2::from_shape_fn((4, 6), |(y, x)| y as i32 - (x as i32) * 100_000))),
            Hdu::new("SPARSE", Header::default(), Data::Sparse(Sparse::new((40, 60), (0..40).map(|n| (n * 61, 1 << (n % 31))).collect()))),
            Hdu::new("COUNTS", Header::default(), Data::Counts(Array2::from_shape_fn((40, 60), |(y, x)| (y * 1638 + x) as u16 as f32))),
            Hdu::new("CUBE", Header::default(), Data::Cube(Array3::from_shape_fn((2, 3, 4), |(z, y, x)| (100 * z + 10 * y + x) as f32))),
            table("TABLE", rows(1001)),
            table("ROWLESS", rows(0)),
            table("BARE", vec![]),
            Hdu::new("HEADER", header, Data::None),
        ],
        packing,
    )?;
    Ok(())
}
