//! What is written is read back by cfitsio; what is broken is an error that names the file.
#![allow(clippy::unwrap_used, reason = "in a test an error is a failure")]

use ndarray::{Array2, Array3};
use sim_core::fits::{Data, FitsError, Hdu, Header, Packing, Value, read, read_headers, write, write_as};
use sim_core::sparse::Sparse;
use sim_core::table::{Column, ColumnData, Table};
use std::path::{Path, PathBuf};

fn rich_header() -> Header {
    let mut header = Header::default();
    header.set("EXPTIME", 150.0, "[s] exposure time");
    header.set("OBSID", 10_100_000_123_i64, "observation");
    header.set("SHUTTER", true, "open");
    header.set("DARKED", false, "");
    header.set("CD1_1", -8.174_558_361_76e-6, "[deg / pixel]");
    header.set("THIRD", 1.0 / 3.0, "");
    header.set("EMPTY", "", "no text");
    header.set("QUOTED", "it's & that's", "quotes double");
    header.set("LONG", "0123456789 ".repeat(30).trim_end(), "three hundred and twenty-nine characters");
    header.history = vec!["first step".into(), "x".repeat(150), "last".into()];
    header
}

fn table() -> Table {
    let columns = vec![
        Column::new("ID", "", "number", ColumnData::I64(vec![1, i64::MAX, i64::MIN])),
        Column::new("RA", "deg", "right ascension", ColumnData::F64(vec![359.999, f64::NAN, -0.0])),
        Column::new("FLUX", "electron / s", "count rate", ColumnData::F32(vec![1.5, f32::INFINITY, f32::MIN_POSITIVE])),
        Column::new("FLAG", "", "", ColumnData::I32(vec![0, -1, i32::MAX])),
        Column::new("NAME", "", "a name", ColumnData::Text(vec!["a".into(), String::new(), "longer name".into()])),
        Column::new("NOTE", "", "always empty", ColumnData::Text(vec![String::new(); 3])),
    ];
    Table { name: "CAT".into(), columns }
}

fn everything() -> Vec<Hdu> {
    let f32s = Array2::from_shape_fn((5, 7), |(y, x)| y as f32 * 0.1 - x as f32);
    vec![
        Hdu::primary(rich_header()),
        Hdu::new("RAW", rich_header(), Data::U16(Array2::from_shape_fn((3, 5), |(y, x)| [0, 1, 32767, 32768, 65535][(x + y) % 5]))),
        Hdu::new("SCI", Header::default(), Data::F32(f32s)),
        Hdu::new("VAR", Header::default(), Data::F64(Array2::from_elem((1, 1), std::f64::consts::PI))),
        Hdu::new("FLAGS", Header::default(), Data::I32(Array2::from_shape_vec((2, 2), vec![0, -1, i32::MIN, i32::MAX]).unwrap())),
        Hdu::new("PSF", Header::default(), Data::Cube(Array3::from_shape_fn((2, 3, 4), |(z, y, x)| (100 * z + 10 * y + x) as f32))),
        Hdu::new("CAT", rich_header(), Data::Table(table())),
        Hdu::new("NOTHING", Header::default(), Data::None),
    ]
}

fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("a [1] file.fits")
}

fn written(hdus: &[Hdu]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    write(&path, hdus).unwrap();
    (folder, path)
}

fn refused(path: &Path) -> String {
    let message = read(path).unwrap_err().to_string();
    assert!(message.contains("file.fits"), "{message} does not name the file");
    message
}

#[test]
fn signed_16_bit_images_have_no_zero_and_come_back_wider() {
    let stored = Array2::from_shape_vec((1, 5), vec![0, 1, i16::MAX, i16::MIN, -2]).unwrap();
    let (_folder, path) = written(&[Hdu::primary(Header::default()), Hdu::new("DQ", Header::default(), Data::I16(stored.clone()))]);
    assert_eq!(read(&path).unwrap()[1].data, Data::I32(stored.mapv(i32::from)));
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(5).any(|w| w == b"BZERO"));
}

#[test]
fn every_kind_of_unit_comes_back_as_it_was() {
    let (_folder, path) = written(&everything());
    let (read, meant) = (read(&path).unwrap(), everything());
    assert_eq!(read.len(), meant.len());
    for (read, meant) in read.iter().zip(&meant) {
        assert_eq!(read.name, meant.name);
        // NaN is not equal to itself: compare what is printed.
        assert_eq!(format!("{:?}", read.data), format!("{:?}", meant.data), "{}", meant.name);
        for (read, meant) in read.header.cards.iter().zip(&meant.header.cards) {
            assert_eq!((&read.0, &read.1), (&meant.0, &meant.1));
        }
        assert_eq!(read.header.cards.len(), meant.header.cards.len(), "{}: {:?}", meant.name, read.header.cards);
    }
    assert_eq!(read[0].header.history, ["first step".to_string(), "x".repeat(72), "x".repeat(72), "x".repeat(6), "last".into()]);
    assert_eq!(read[0].header.cards[0].2, "[s] exposure time");
}

#[test]
fn packed_images_come_back_as_they_were_and_others_are_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let noise = |y: usize, x: usize, range: u64| (((y * 977 + x) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % range;
    // Rows of quiet and of loud noise, of one value, of the whole range; columns that are no whole blocks.
    let level = |y: usize, x: usize| match y % 4 {
        0 => 500 + noise(y, x, 20),
        1 => 30_000 + noise(y, x, 3000),
        2 => 65_535 * (y as u64 % 8 / 4),
        _ => noise(y, x, 65_536),
    };
    let unsigned = ndarray::Array2::from_shape_fn((37, 1003), |(y, x)| level(y, x) as u16);
    let signed = unsigned.mapv(|v| v.cast_signed());
    let mut hdus = everything();
    hdus.push(Hdu::new("UNSIGNED", rich_header(), Data::U16(unsigned.clone())));
    hdus.push(Hdu::new("COLUMN", Header::default(), Data::U16(unsigned.slice(ndarray::s![.., ..1]).to_owned())));
    hdus.push(Hdu::new("SIGNED", Header::default(), Data::I16(signed.clone())));
    write_as(&path, &hdus, Packing::Rice).unwrap();
    let plain = written(&hdus);
    let back = read(&path).unwrap();
    // As bytes, in which what is not a number is equal to itself.
    let bytes_of = |hdus: &[Hdu]| {
        let (_folder, path) = written(hdus);
        std::fs::read(path).unwrap()
    };
    assert!(bytes_of(&back) == bytes_of(&read(&plain.1).unwrap()));
    assert_eq!(back[back.len() - 1].data, Data::I32(signed.mapv(i32::from)));
    assert_eq!(read_headers(&path).unwrap(), read_headers(&plain.1).unwrap());
    // The same bytes in another order of memory.
    let (first, again) = (std::fs::read(&path).unwrap(), folder.path().join("again.fits"));
    let at = hdus.len() - 3;
    hdus[at].data = Data::U16(unsigned.t().as_standard_layout().into_owned().reversed_axes());
    write_as(&again, &hdus, Packing::Rice).unwrap();
    assert!(first == std::fs::read(&again).unwrap());
    // Quiet noise alone: 20 values are 4.3 bits of 16.
    let quiet = Data::U16(ndarray::Array2::from_shape_fn((200, 1000), |(y, x)| 500 + noise(y, x, 20) as u16));
    write_as(&again, &[Hdu::primary(Header::default()), Hdu::new("QUIET", Header::default(), quiet)], Packing::Rice).unwrap();
    let size = std::fs::metadata(&again).unwrap().len();
    assert!(size < 200 * 1000 * 2 * 2 / 5, "{size}");
    // A changed bit is found by the sums, as elsewhere.
    let mut bytes = first;
    let middle = bytes.len() - 60_000;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(refused(&path).contains("DATASUM") || refused(&path).contains("CHECKSUM"), "{}", refused(&path));
}

#[test]
fn headers_alone_are_the_headers_of_the_whole() {
    let (_folder, path) = written(&everything());
    let whole: Vec<_> = read(&path).unwrap().into_iter().map(|h| (h.name, h.header)).collect();
    assert_eq!(read_headers(&path).unwrap(), whole);
}

#[test]
fn the_same_content_gives_the_same_bytes() {
    let (_a, first) = written(&everything());
    let (_b, second) = written(&everything());
    assert_eq!(std::fs::read(first).unwrap(), std::fs::read(second).unwrap());
}

#[test]
fn a_file_read_and_written_again_is_the_same_file() {
    let (_a, first) = written(&everything());
    let (_b, second) = written(&read(&first).unwrap());
    assert_eq!(std::fs::read(first).unwrap(), std::fs::read(second).unwrap());
}

#[test]
fn empty_tables_keep_their_columns() {
    let columns = vec![Column::new("X", "pixel", "", ColumnData::F64(vec![])), Column::new("S", "", "", ColumnData::Text(vec![]))];
    let hdu = |t: Table| Hdu::new(&t.name.clone(), Header::default(), Data::Table(t));
    let hdus = [
        Hdu::primary(Header::default()),
        hdu(Table { name: "ROWLESS".into(), columns }),
        hdu(Table { name: "BARE".into(), columns: vec![] }),
    ];
    let (_folder, path) = written(&hdus);
    assert_eq!(read(&path).unwrap(), hdus);
}

#[test]
fn a_frame_in_another_memory_order_is_written_in_row_order() {
    let rows = Array2::from_shape_fn((3, 4), |(y, x)| (10 * y + x) as i32);
    let turned = rows.t().as_standard_layout().reversed_axes().into_owned();
    let (_folder, path) = written(&[Hdu::new("", Header::default(), Data::I32(turned))]);
    assert_eq!(read(&path).unwrap()[0].data, Data::I32(rows));
}

#[test]
fn what_fits_cannot_hold_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let with = |key: &str, value: Value| {
        let mut header = Header::default();
        header.set(key, value, "");
        Hdu::primary(header)
    };
    for (key, value) in [("GAIN", Value::Real(f64::NAN)), ("BITPIX", Value::Int(8)), ("lower", Value::Int(1)), ("EXTNAME", "X".into())] {
        assert!(matches!(write(&path, &[with(key, value)]), Err(FitsError::Keyword { key: k, .. }) if k == key));
    }
    let table = |columns| Hdu::new("T", Header::default(), Data::Table(Table { name: "T".into(), columns }));
    let x = |name: &str, n| Column::new(name, "", "", ColumnData::I32(vec![0; n]));
    let foreign = Column::new("A", "", "", ColumnData::Text(vec!["\u{661f}".into()]));
    for bad in [table(vec![x("A", 1), x("B", 2)]), table(vec![x("A", 1), x("a", 1)]), table(vec![x("", 1)]), table(vec![foreign])] {
        assert!(matches!(write(&path, &[Hdu::primary(Header::default()), bad]), Err(FitsError::Content { .. })));
    }
    assert!(write(&path, &[]).is_err());
    assert!(write(&path, &[table(vec![])]).is_err(), "the first unit cannot be a table");
    assert!(write(&folder.path().join("missing/file.fits"), &[Hdu::primary(Header::default())]).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn every_cut_of_a_file_is_an_error() {
    let (_folder, path) = written(&everything());
    let bytes = std::fs::read(&path).unwrap();
    let blocks = bytes.len() / 2880;
    let ends: Vec<usize> = {
        // Cuts between whole units give a shorter file that is whole: only these may be read.
        let starts = (0..blocks).filter(|b| bytes[b * 2880..].starts_with(b"XTENSION"));
        starts.map(|b| b * 2880).collect()
    };
    assert_eq!(ends.len(), everything().len() - 1);
    for cut in (0..bytes.len()).step_by(720) {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        match read(&path) {
            Ok(hdus) => assert!(ends.contains(&cut), "{} units read from the first {cut} bytes", hdus.len()),
            Err(error) => assert!(error.to_string().contains("file.fits") && !ends.contains(&cut), "{cut}: {error}"),
        }
    }
}

#[test]
fn one_changed_bit_anywhere_in_the_data_is_found() {
    let (_folder, path) = written(&[Hdu::new("", Header::default(), Data::F32(Array2::zeros((30, 40))))]);
    let bytes = std::fs::read(&path).unwrap();
    for at in [2880, 2880 + 2399, 2880 + 4799] {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        std::fs::write(&path, bad).unwrap();
        assert!(refused(&path).contains("DATASUM"));
    }
    let mut bad = bytes;
    let exponent = bad.windows(6).position(|w| w == b"NAXIS ").unwrap() + 60;
    bad[exponent] = b'x';
    std::fs::write(&path, bad).unwrap();
    assert!(refused(&path).contains("CHECKSUM"));
}

#[test]
fn rubbish_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    assert!(refused(&path).contains("No such file"));
    assert!(read(folder.path()).is_err(), "a folder is not a file");
    let card = |text: &str| format!("{text:80}");
    let header = |cards: &[&str]| {
        let text: String = cards.iter().map(|c| card(c)).collect();
        format!("{text:2880}").into_bytes()
    };
    let huge =
        header(&["SIMPLE  =                    T", "BITPIX  = 16", "NAXIS   = 2", "NAXIS1  = 9000000000", "NAXIS2  = 9000000000", "END"]);
    let negative = header(&["SIMPLE  =                    T", "BITPIX  = 16", "NAXIS   = 2", "NAXIS1  = -5", "NAXIS2  = 5", "END"]);
    let endless = header(&["SIMPLE  =                    T", "BITPIX  = 16", "NAXIS   = 0"]);
    let odd = header(&["SIMPLE  =                    T", "BITPIX  = 17", "NAXIS   = 2", "NAXIS1  = 5", "NAXIS2  = 5", "END"]);
    for bytes in [vec![], b"hello".to_vec(), vec![0; 5760], b"SIMPLE  =".to_vec(), huge, negative, endless, odd, vec![0x1f, 0x8b, 8, 0, 1]]
    {
        std::fs::write(&path, bytes).unwrap();
        refused(&path);
    }
}

#[test]
fn eight_threads_read_the_same_file() {
    let (_folder, path) = written(&everything());
    let meant = format!("{:?}", read(&path).unwrap());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(format!("{:?}", read(&path).unwrap()), meant);
                }
            });
        }
    });
}

/// `data/foreign.fits` and its maker `data/make_foreign.py` (astropy): what others write and we only read.
fn foreign() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/foreign.fits")
}

#[test]
fn images_of_others_are_read_whatever_their_type_and_packing() {
    let hdus = read(&foreign()).unwrap();
    let data = |name: &str| &hdus.iter().find(|h| h.name == name).unwrap().data;
    let image = |f: fn(usize, usize) -> i32| Array2::from_shape_fn((6, 8), |(y, x)| f(y, x));
    assert_eq!(hdus[0].data, Data::I32(image(|y, x| (y + x) as i32)), "bytes");
    assert_eq!(*data("RICE"), Data::I32(image(|y, x| (1000 * y + x) as i32 - 7)));
    assert_eq!(*data("URICE"), Data::U16(image(|y, x| (9000 * y + x) as i32).mapv(|v| v as u16)));
    let Data::F32(reals) = data("GZIP") else { panic!("{:?}", data("GZIP")) };
    for ((y, x), v) in reals.indexed_iter() {
        assert!(if (y, x) == (2, 3) { v.is_nan() } else { *v == ((y as f64 - x as f64) / 3.0) as f32 }, "({y}, {x}): {v}");
    }
    let Data::F32(scaled) = data("SCALED") else { panic!("{:?}", data("SCALED")) };
    // Stored 10 y + x, value 100 + stored / 2, stored 0 is blank.
    assert!(scaled[(5, 7)] == 128.5 && scaled[(0, 1)] == 100.5 && scaled[(0, 0)].is_nan(), "{scaled}");
    let Data::F64(long) = data("LONG") else { panic!("{:?}", data("LONG")) };
    assert_eq!(long[(5, 7)], (5u64 << 40) as f64 + 7.0);
    assert_eq!(*data("ROW"), Data::I32(Array2::from_shape_vec((1, 4), vec![0, 1, 2, 3]).unwrap()));
    assert_eq!(*data("CUBE"), Data::Cube(Array3::from_shape_fn((2, 3, 4), |(z, y, x)| (12 * z + 4 * y + x) as f32)));
    let packing = |h: &Hdu| h.header.cards.iter().any(|c| c.0.starts_with('Z') || c.0.starts_with("TFORM") || c.0 == "TFIELDS");
    assert!(!hdus.iter().any(packing), "layout keywords are not the caller's business");
}

#[test]
fn table_columns_of_others_are_converted_or_left_out() {
    let hdus = read(&foreign()).unwrap();
    let table = |name: &str| match &hdus.iter().find(|h| h.name == name).unwrap().data {
        Data::Table(table) => table.clone(),
        other => panic!("{other:?}"),
    };
    let kinds = table("KINDS");
    let names: Vec<_> = kinds.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["LOGICAL", "BYTE", "SHORT", "USHORT", "ULONG", "TEXT", "LAST"], "vectors, bits, complex, ragged: left out");
    let is = |name: &str, data: ColumnData| assert_eq!(kinds.column(name).unwrap().data, data);
    is("LOGICAL", ColumnData::I32(vec![1, 0, 1]));
    is("BYTE", ColumnData::I32(vec![253, 254, 255]));
    is("SHORT", ColumnData::I32(vec![-1, 0, 1]));
    is("USHORT", ColumnData::I32(vec![65533, 65534, 65535]));
    is("ULONG", ColumnData::I64(vec![4_294_967_293, 4_294_967_294, 4_294_967_295]));
    is("TEXT", ColumnData::Text(vec!["a".into(), String::new(), "  c".into()]));
    is("LAST", ColumnData::F64(vec![0.0, 1.0 / 3.0, 2.0 / 3.0]));
    assert_eq!(kinds.column("LAST").unwrap().unit, "deg");
    let ascii = table("ASCII");
    assert_eq!(ascii.column("NAME").unwrap().data, ColumnData::Text(vec!["x".into(), "yy".into(), "zzz".into()]));
    assert_eq!(ascii.f64s("N").unwrap(), [0.0, 1.0, 2.0]);
    assert_eq!(ascii.f64s("V").unwrap(), [0.0, 0.25, 0.5]);
}

#[test]
fn a_compressed_image_that_would_end_cfitsio_is_an_error() {
    // Tiles of zero pixels divide by zero inside cfitsio 3.49 and end the program; found by changing random bytes.
    let good = std::fs::read(foreign()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let card = good.windows(8).position(|w| w == b"ZTILE1  ").unwrap();
    for value in ["= 0", "=0", "= F", "= '", "="] {
        let mut bad = good.clone();
        // Without its sums, which would give the change away.
        while let Some(at) = bad.windows(8).position(|w| w == b"CHECKSUM" || w == b"DATASUM ") {
            bad[at] = b'X';
        }
        bad[card + 8..card + 30].copy_from_slice(format!("{value:22}").as_bytes());
        std::fs::write(&path, bad).unwrap();
        refused(&path);
    }
}

#[test]
fn sparse_images_and_counts_come_back_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let shape = (41, 1003);
    let noise = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    // Every size of number, both ends of the range and both ends of rows; rows 20 to 39 are empty.
    let pixels: Vec<(u32, i32)> = (0..2000)
        .map(|n| (noise(2 * n) % (20 * 1003), noise(2 * n + 1) as i32 >> (n % 31)))
        .chain([(0, i32::MIN), (1002, i32::MAX), (1003, -1), (41 * 1003 - 1, 7)])
        .map(|(place, value)| (place as u32, value))
        .collect();
    let sparse = Sparse::new(shape, pixels);
    let raw = ndarray::Array2::from_shape_fn(shape, |(y, x)| (noise((y * 1003 + x) as u64) % 65_536) as u16);
    let unit = |data: &Data| Hdu::new("IMAGE", rich_header(), data.clone());
    let cases = [
        (Data::Sparse(sparse.clone()), Data::I32(sparse.dense())),
        (Data::Sparse(Sparse::new((3, 5), Vec::new())), Data::I32(ndarray::Array2::zeros((3, 5)))),
        (Data::Counts(raw.mapv(f32::from)), Data::U16(raw)),
    ];
    for (data, expected) in &cases {
        for packing in [Packing::None, Packing::Rice] {
            write_as(&path, &[Hdu::primary(Header::default()), unit(data)], packing).unwrap();
            assert!(read(&path).unwrap()[1].data == *expected, "{packing:?}");
        }
        // The first unit of a file cannot be packed.
        write_as(&path, &[Hdu::new("", Header::default(), data.clone())], Packing::Rice).unwrap();
        assert!(read(&path).unwrap()[0].data == *expected);
    }
    // 2,000 numbers of all sizes among 41,000: a block with one costs the bits of its mean for each of its pixels.
    write_as(&path, &[Hdu::primary(Header::default()), unit(&cases[0].0)], Packing::None).unwrap();
    let size = std::fs::metadata(&path).unwrap().len();
    assert!(size < 41 * 1003 * 4 / 2, "{size}");
}
