//! Speed and memory of reading catalogues, and of making stars: `catalog_bench FOLDER [rows] [check|convert|inspect|plot|cone|stars]...`
//!
//! Makes one Parquet file of so many synthetic Gaia-like rows in the folder (kept for the next call), then measures, in CPU seconds of one
//! thread (RAYON_NUM_THREADS=1): reading all columns, looking at every row as a simulation would, turning it into a partition, looking into
//! that, drawing it, reading a chip of it. The peak of memory is that of the process: one mode a call shows its own.
//!
//! True 1e8 rows take 3.3 GB for the file and 4.2 GB for the partition: `catalog_bench FOLDER 100000000 convert`, then the others; or the program itself,
//! `/usr/bin/time -v skyloop catalog check FOLDER/partition_100000000 --profile gaia_dr3 --on-error skip`.

use catalogs::examine::{Conversion, convert, inspect, plot};
use catalogs::read::{CatalogSpec, OnBadRow, Profile, check, read};
use catalogs::synthetic::{FieldSpec, field};
use catalogs::tables::{Cells, Field, Kind, ParquetSink, open};
use catalogs::{Footprint, Library};
use cpu_time::ProcessTime;
use sim_core::stream::StreamKey;
use sim_core::table::ColumnData;
use std::path::{Path, PathBuf};

const BLOCK: usize = 65_536;

fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|k| k.parse::<f64>().ok()).map_or(f64::NAN, |kb| kb / 1024.0)
}

/// Stars on the strip 0 < dec < 20 deg: positions to a milliarcsecond and magnitudes to a thousandth, as catalogues print them.
fn make(path: &Path, rows: usize) -> Result<(), Box<dyn std::error::Error>> {
    let fields = [
        ("source_id", "", Kind::Int64),
        ("ra", "deg", Kind::Float64),
        ("dec", "deg", Kind::Float64),
        ("phot_g_mean_mag", "mag", Kind::Float32),
        ("bp_rp", "mag", Kind::Float32),
        ("teff_gspphot", "K", Kind::Float32),
        ("pmra", "mas/yr", Kind::Float32),
        ("pmdec", "mas/yr", Kind::Float32),
        ("parallax", "mas", Kind::Float32),
    ];
    let fields: Vec<Field> = fields.iter().map(|(n, u, k)| Field::new(n, u, *k)).collect();
    let mut sink = ParquetSink::create(path, &fields)?;
    let key = StreamKey::new(11).with_name("catalog_bench");
    for first in (0..rows).step_by(BLOCK) {
        let count = BLOCK.min(rows - first);
        let stream = key.stream(first as u64);
        let unit = |row: usize, k: u64| (f64::from(stream.word(8 * row as u64 + k)) + 0.5) / 4_294_967_296.0;
        let f64s = |f: &dyn Fn(usize) -> f64| Cells::whole(ColumnData::F64((0..count).map(f).collect()));
        let f32s = |f: &dyn Fn(usize) -> f64| Cells::whole(ColumnData::F32((0..count).map(|r| f(r) as f32).collect()));
        let rounded = |x: f64, step: f64| (x / step).round() * step;
        sink.write(vec![
            Cells::whole(ColumnData::I64((first..first + count).map(|r| r as i64 + 4_295_806_720).collect())),
            f64s(&|r| rounded(360.0 * unit(r, 0), 1e-6).min(360.0)),
            f64s(&|r| rounded((unit(r, 1) * 20.0_f64.to_radians().sin()).asin().to_degrees(), 1e-6)),
            f32s(&|r| rounded(21.0 + 2.5 * unit(r, 2).log10(), 1e-3).max(5.0)),
            f32s(&|r| rounded(0.5 + 2.0 * unit(r, 3), 1e-3)),
            f32s(&|r| if r % 3 == 0 { f64::NAN } else { rounded(3500.0 + 4000.0 * unit(r, 4), 1.0) }),
            f32s(&|r| rounded(40.0 * unit(r, 5) - 20.0, 1e-2)),
            f32s(&|r| rounded(40.0 * unit(r, 6) - 20.0, 1e-2)),
            f32s(&|r| rounded(3.0 * unit(r, 7), 1e-2)),
        ])?;
    }
    sink.finish()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = PathBuf::from(arguments.first().ok_or("catalog_bench FOLDER [rows] [check] [convert] [inspect] [plot] [cone] [stars]")?);
    let rows: usize = arguments.get(1).map_or(Ok(1_000_000), |n| n.parse())?;
    let wants = |what: &str| arguments.len() < 3 || arguments[2..].iter().any(|a| a == what);
    std::fs::create_dir_all(&folder)?;
    let file = folder.join(format!("stars_{rows}.parquet"));
    if !file.exists() {
        let clock = ProcessTime::now();
        let partial = folder.join("making.parquet");
        make(&partial, rows)?;
        std::fs::rename(&partial, &file)?;
        println!(
            "made {} ({:.2} GB): {:.2} M rows/s",
            file.display(),
            file.metadata()?.len() as f64 / 1e9,
            rows as f64 / clock.elapsed().as_secs_f64() / 1e6
        );
    }
    let said = |what: &str, count: f64, seconds: f64| {
        println!("{what:<44} {seconds:>8.2} CPU s {:>8.2} M rows/s/core, peak memory {:.0} MB", count / seconds / 1e6, peak_mb());
    };
    let clock = ProcessTime::now();
    let mut source = open(&file, None)?;
    let mut seen = 0u64;
    while let Some(chunk) = source.next_chunk()? {
        seen += chunk.rows as u64;
    }
    said("read all columns", seen as f64, clock.elapsed().as_secs_f64());
    let library = Library::load();
    let spec = CatalogSpec { path: file.clone(), profile: Profile::GaiaDr3, on_bad_row: OnBadRow::Skip, ..CatalogSpec::default() };
    if wants("stars") {
        for (what, ra, dec, radius) in [("the north galactic pole", 192.86, 27.13, 3.0), ("b = 20 deg", 104.0, 45.0, 1.0)] {
            let mut spec = FieldSpec { seed: Some(1), ..FieldSpec::default() };
            spec.galaxies.scale = 0.0;
            let cone = Footprint::new(ra, dec, radius)?;
            let clock = ProcessTime::now();
            let stars = field(&spec, &cone, &library)?;
            said(&format!("{} stars of the field at {what}", stars.len()), stars.len() as f64, clock.elapsed().as_secs_f64());
        }
    }
    if wants("check") {
        let clock = ProcessTime::now();
        let report = check(&spec, 2027.0, &library)?;
        said("check every row and id", report.rows as f64, clock.elapsed().as_secs_f64());
    }
    let cone = Footprint::new(123.4, 12.3, 0.14)?;
    if wants("cone") {
        let clock = ProcessTime::now();
        let (sources, report) = read(&spec, Some(&cone), 2027.0, &library)?;
        said(&format!("a chip of the file: {} stars", sources.len()), report.rows as f64, clock.elapsed().as_secs_f64());
    }
    let out = folder.join(format!("partition_{rows}"));
    if wants("convert") && !out.exists() {
        let clock = ProcessTime::now();
        let job = Conversion { spec: spec.clone(), out: out.clone(), region: None, most_rows: 1_000_000, held_bytes: None };
        let report = convert(&job, &mut |_| {})?;
        said(&format!("convert to {} cells", report.cells), report.rows as f64, clock.elapsed().as_secs_f64());
    }
    if wants("inspect") && out.exists() {
        let clock = ProcessTime::now();
        let found = inspect(&out, None, None)?;
        said("inspect the partition", found.rows as f64, clock.elapsed().as_secs_f64());
    }
    if wants("plot") && out.exists() {
        let clock = ProcessTime::now();
        let drawn = plot(&CatalogSpec { path: out.clone(), ..spec.clone() }, None, None, None, &folder.join("plot.svg"))?;
        said("plot the partition", drawn.rows as f64, clock.elapsed().as_secs_f64());
    }
    if wants("cone") && out.exists() {
        let of_partition = CatalogSpec { path: out, ..spec };
        let clock = ProcessTime::now();
        let (sources, report) = read(&of_partition, Some(&cone), 2027.0, &library)?;
        let seconds = clock.elapsed().as_secs_f64();
        said(&format!("a chip of the partition: {} stars", sources.len()), report.rows as f64, seconds);
        println!("  read {} rows of {rows} in {:.0} ms", report.rows, 1e3 * seconds);
    }
    Ok(())
}
