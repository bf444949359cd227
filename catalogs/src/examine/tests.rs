#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::read::{CatalogSpec, ColumnSpec, OnBadRow, Profile, check, read};
use crate::region::Polygon;
use crate::tables::{Hats, RowSource};
use crate::{Footprint, Library, Region};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Stars all over the sky, dense about (0, 0) and the poles, as a CSV of Gaia's names.
fn stars(folder: &Path) -> PathBuf {
    let mut text = String::from("source_id,ra,dec,phot_g_mean_mag,bp_rp,pmra,pmdec,name\n");
    for k in 0_u64..6000 {
        // The golden angle spreads them evenly; the first thousands are pressed together.
        let turn = (k as f64 * 137.507_764).rem_euclid(360.0);
        let z = 1.0 - (2.0 * k as f64 + 1.0) / 6000.0;
        let (ra, dec) = match k % 3 {
            0 => (turn, z.asin().to_degrees()),
            1 => ((360.0 + 0.5 * turn / 360.0 - 0.25) % 360.0, 0.5 * z),
            _ => (turn, if z > 0.0 { 90.0 - z } else { -90.0 - z }),
        };
        writeln!(text, "{},{ra},{dec},{},0.8,{},0,star {k}", k + 1_000_000_000_000_000_000, 15.0 + (k % 50) as f64 * 0.1, k % 5).unwrap();
    }
    let path = folder.join("stars.csv");
    std::fs::write(&path, text).unwrap();
    path
}

fn gaia(path: &Path) -> CatalogSpec {
    CatalogSpec { path: path.into(), profile: Profile::GaiaDr3, ..CatalogSpec::default() }
}

fn job(input: &Path, out: &Path) -> Conversion {
    Conversion { spec: gaia(input), out: out.into(), region: None, most_rows: 300, held_bytes: None }
}

#[test]
fn a_partition_gives_the_same_stars_as_the_file_it_was_made_of_wherever_one_looks() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (stars(folder.path()), folder.path().join("stars"));
    let report = convert(&job(&input, &out), &mut |_| {}).unwrap();
    assert_eq!((report.rows, report.written, report.skipped_rows), (6000, 6000, 0));
    let hats = Hats::open(&out).unwrap();
    assert!(report.cells > 20 && hats.cells.len() == report.cells && report.order > 3, "{report}");
    assert_eq!((hats.rows, hats.position.clone()), (Some(6000), Some(("ra".into(), "dec".into()))));
    let library = Library::load();
    let mut found = 0;
    for (ra, dec, radius) in [(0.0, 0.0, 0.1), (359.95, 0.2, 0.2), (77.0, 90.0, 0.5), (10.0, -89.9, 0.7), (200.0, 33.0, 8.0)] {
        let cone = Footprint::new(ra, dec, radius).unwrap();
        let of = |path: &Path| {
            let (sources, report) = read(&gaia(path), Some(&cone), 2030.0, &library).unwrap();
            let mut ids: Vec<(u64, String)> = sources.iter().map(|s| (s.id, format!("{:?}", s.position))).collect();
            ids.sort();
            (ids, report.rows)
        };
        let ((whole, all), (part, read_rows)) = (of(&input), of(&out));
        assert_eq!(whole, part, "{ra} {dec}");
        assert!(read_rows < all, "{read_rows} rows of {all} were read for {ra} {dec}");
        found += part.len();
    }
    assert!(found > 500, "{found}");
}

#[test]
fn rows_that_are_laid_aside_come_out_as_those_that_stay_in_memory_and_bytes_are_the_same_twice() {
    let folder = tempfile::tempdir().unwrap();
    let input = stars(folder.path());
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    convert(&job(&input, &a), &mut |_| {}).unwrap();
    convert(&Conversion { held_bytes: Some(20_000), ..job(&input, &b) }, &mut |_| {}).unwrap();
    let hats = Hats::open(&a).unwrap();
    for cell in &hats.cells {
        let name = Path::new("dataset").join(cell.file(".parquet"));
        assert!(std::fs::read(a.join(&name)).unwrap() == std::fs::read(b.join(&name)).unwrap(), "{cell}");
    }
    assert!(!b.join("spill").exists() && a.join("dataset/_common_metadata").is_file());
    assert_eq!(hats.hash().unwrap(), Hats::open(&b).unwrap().hash().unwrap());
    // Rows of a cell are in order of their numbers.
    let mut source = hats.all().unwrap();
    let place = source.position("_healpix_29").unwrap();
    source.select(&[place]).unwrap();
    let mut last = -1.0;
    while let Some(chunk) = source.next_chunk().unwrap() {
        for row in 0..chunk.rows {
            assert!(chunk.columns[0].number(row) >= last);
            last = chunk.columns[0].number(row);
        }
    }
}

#[test]
fn a_region_takes_its_own_rows_and_what_is_there_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (stars(folder.path()), folder.path().join("square"));
    let square = Polygon::new(&[(359.9, -0.1), (0.1, -0.1), (0.1, 0.1), (359.9, 0.1)]).unwrap();
    let report = convert(&Conversion { region: Some(Region::Polygon(square.clone())), ..job(&input, &out) }, &mut |_| {}).unwrap();
    let (all, _) = read(&gaia(&input), None, 2016.0, &Library::load()).unwrap();
    let expected = all
        .iter()
        .filter(|s| matches!(s.position, sim_core::source::Position::Sky { ra_deg, dec_deg } if square.contains(ra_deg, dec_deg)));
    assert_eq!(report.written as usize, expected.count());
    assert!(report.written > 50 && report.outside == 6000 - report.written, "{report}");
    assert!(convert(&job(&input, &out), &mut |_| {}).unwrap_err().to_string().contains("there already"));
}

#[test]
fn bad_rows_stop_a_conversion_with_nothing_left_or_are_left_out_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("bad.csv");
    let out = folder.path().join("bad");
    std::fs::write(&input, "source_id,ra,dec,phot_g_mean_mag\n1,10,20,15\n2,400,20,15\n3,10,nan,15\n4,10,20,15\n").unwrap();
    let mut job = job(&input, &out);
    let said = convert(&job, &mut |_| {}).unwrap_err().to_string();
    assert!(said.contains("bad.csv") && said.contains("row 2") && said.contains("column `ra`") && said.contains("0..360"), "{said}");
    assert!(!out.exists() && !folder.path().join("bad.partial").exists());
    job.spec.on_bad_row = OnBadRow::Skip;
    let report = convert(&job, &mut |_| {}).unwrap();
    assert_eq!((report.written, report.skipped_rows, report.skipped_by["ra"], report.skipped_by["dec"]), (2, 2, 1, 1));
    assert!(std::fs::read_to_string(out.join("conversion.json")).unwrap().contains("row 3"));
}

#[test]
fn positions_in_hours_or_galactic_become_degrees_of_icrs() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("hours.csv");
    std::fs::write(&input, "h,d,m\n3,10,15\n").unwrap();
    let mut spec = CatalogSpec { path: input.clone(), ..CatalogSpec::default() };
    spec.columns.ra = Some(ColumnSpec::new("h", "hour"));
    spec.columns.dec = Some(ColumnSpec::new("d", "deg"));
    let out = folder.path().join("hours");
    let convert = |spec: &CatalogSpec, out: &Path| {
        convert(&Conversion { spec: spec.clone(), out: out.into(), region: None, most_rows: 10, held_bytes: None }, &mut |_| {}).unwrap();
        inspect(out, None, None).unwrap()
    };
    let column = |found: &Inspection, name: &str| found.columns.iter().find(|c| c.field.name == name).cloned().unwrap();
    let h = column(&convert(&spec, &out), "h");
    assert_eq!((h.field.unit.as_str(), h.least.as_deref()), ("deg", Some("45")));
    std::fs::write(&input, "l,b,m\n0,0,15\n").unwrap();
    spec.columns =
        crate::read::Columns { l: Some(ColumnSpec::new("l", "deg")), b: Some(ColumnSpec::new("b", "deg")), ..Default::default() };
    let found = convert(&spec, &folder.path().join("centre"));
    // The direction l = b = 0 is 17h 45m 37.20s, -28d 56' 10.2".
    let ra: f64 = column(&found, "ra").least.unwrap().parse().unwrap();
    let dec: f64 = column(&found, "dec").least.unwrap().parse().unwrap();
    assert!((ra - 266.404_99).abs() < 1e-4 && (dec + 28.936_17).abs() < 1e-4, "{ra} {dec}");
}

#[test]
fn inspection_counts_what_is_missing_and_finds_the_profile() {
    let folder = tempfile::tempdir().unwrap();
    let found = inspect(&stars(folder.path()), None, None).unwrap();
    assert_eq!((found.rows, found.all, found.profile), (6000, true, Some("gaia_dr3")));
    let mag = found.columns.iter().find(|c| c.field.name == "phot_g_mean_mag").unwrap();
    assert_eq!((mag.missing, mag.least.as_deref(), mag.most.as_deref()), (0, Some("15"), Some("19.9")));
    assert!(found.to_string().contains("the profile \"gaia_dr3\" fits"));
}

#[test]
fn a_check_finds_ids_that_are_there_twice_and_counts_by_column() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("two.csv");
    std::fs::write(&input, "source_id,ra,dec,phot_g_mean_mag\n7,10,20,15\n8,10,20,99\n7,11,20,15\n9,-1,20,15\n").unwrap();
    let library = Library::load();
    let mut spec = gaia(&input);
    spec.on_bad_row = OnBadRow::Skip;
    let report = check(&spec, 2020.0, &library).unwrap();
    let by = |cause: &str| report.skipped_by.get(cause).copied().unwrap_or(0);
    assert_eq!((by("column `phot_g_mean_mag`"), by("column `ra`"), by("an id that another row has")), (1, 1, 1));
    assert_eq!((report.rows, report.used, report.skipped_rows), (4, 1, 3));
    // Reading keeps the first of the two.
    let (sources, again) = read(&spec, None, 2020.0, &library).unwrap();
    assert_eq!((sources.len(), sources[0].id, again.skipped_rows), (1, 7, 3));
    spec.on_bad_row = OnBadRow::Stop;
    assert!(check(&spec, 2020.0, &library).unwrap_err().to_string().contains("row 2"));
}

#[test]
fn faults_of_a_partition_name_the_file_of_the_cell_and_the_row_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("two.csv");
    // The same id 20 deg apart: in two cells.
    std::fs::write(&input, "source_id,ra,dec,phot_g_mean_mag\n7,10,20,15\n8,10,20.1,15\n7,60,20,15\n").unwrap();
    let out = folder.path().join("cells");
    convert(&Conversion { spec: gaia(&input), out: out.clone(), region: None, most_rows: 2, held_bytes: None }, &mut |_| {}).unwrap();
    let library = Library::load();
    let said = check(&gaia(&out), 2020.0, &library).unwrap_err().to_string();
    let files: Vec<&str> = said.split_whitespace().filter(|w| w.contains("Npix=")).collect();
    assert!(files.len() == 2 && files[0] != files[1] && said.contains("row 1, column `source_id`: row 1 of "), "{said}");
    let mut spec = gaia(&out);
    spec.on_bad_row = OnBadRow::Skip;
    let report = check(&spec, 2020.0, &library).unwrap();
    assert_eq!((report.used, report.skipped_rows, report.skipped[0].row), (2, 1, 1));
    assert!(report.skipped[0].file.contains("Npix="), "{report}");
    // A row of two cells in a table of four.
    std::fs::write(&input, "source_id,ra,dec,phot_g_mean_mag\n7,10,20,15\n8,10\n9,60,20,15\n").unwrap();
    let said = check(&gaia(&input), 2020.0, &library).unwrap_err().to_string();
    assert!(said.contains("row 2, column `source_id`") && said.contains("a row of 2 cells, the header has 4"), "{said}");
    let mut spec = gaia(&input);
    spec.on_bad_row = OnBadRow::Skip;
    let report = check(&spec, 2020.0, &library).unwrap();
    assert_eq!((report.used, report.skipped_rows, report.skipped[0].row), (2, 1, 2));
}

#[test]
fn a_plot_has_the_density_of_the_field_and_the_published_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::from("source_id,ra,dec,phot_g_mean_mag,phot_bp_mean_mag,phot_rp_mean_mag\n");
    // 40,000 stars on a square of 2 deg about (30, -40), all of G = 17.2.
    for k in 0..40_000 {
        let (i, j) = (f64::from(k % 200), f64::from(k / 200));
        let dec = -41.0 + 2.0 * (j + 0.5) / 200.0;
        let ra = 30.0 + (2.0 * (i + 0.5) / 200.0 - 1.0) / dec.to_radians().cos();
        writeln!(text, "{k},{ra},{dec},17.2,17.6,16.7").unwrap();
    }
    let input = folder.path().join("field.csv");
    std::fs::write(&input, text).unwrap();
    let out = folder.path().join("field.svg");
    let unmapped = CatalogSpec { path: input.clone(), ..CatalogSpec::default() };
    let error = plot(&unmapped, None, None, None, &out).unwrap_err().to_string();
    assert!(error.contains("field.csv") && error.contains("--profile") && !out.exists(), "{error}");
    let report = plot(&gaia(&input), None, None, None, &out).unwrap();
    assert!((report.area_deg2 / 4.0 - 1.0).abs() < 0.05 && report.rows == 40_000, "{}", report.area_deg2);
    assert!((report.middle.0 - 30.0).abs() < 0.01 && (report.middle.1 + 40.0).abs() < 0.02, "{:?}", report.middle);
    let (magnitude, density, published) = report.counts[0];
    // 40,000 in a bin of half a magnitude on 4 deg2.
    assert!(magnitude == 17.25 && (density / 20_000.0 - 1.0).abs() < 0.05 && published.unwrap() > 100.0, "{:?}", report.counts);
    assert!(report.colours.is_some() && std::fs::read_to_string(&out).unwrap().contains("<svg"));
    assert!(report.published.unwrap().contains("in V"));
    let cone = Region::Cone(Footprint::new(30.0, -40.0, 0.5).unwrap());
    let part = plot(&gaia(&input), Some(&cone), None, None, &out).unwrap();
    assert!((part.rows as f64 / (10_000.0 * std::f64::consts::PI * 0.25) - 1.0).abs() < 0.02, "{}", part.rows);
    // In a field and a band in which a survey has counted: 461 stars of g 15 to 15.5 on 10.18 deg2.
    std::fs::write(&input, "source_id,ra,dec,phot_g_mean_mag\n1,178,1,15.2\n2,179,-1,15.3\n").unwrap();
    let spec = CatalogSpec { band: Some("sdss_g".into()), ..gaia(&input) };
    let report = plot(&spec, None, Some(4.0), None, &out).unwrap();
    assert!((report.counts[0].2.unwrap() - 461.0 / 0.5 / 10.18).abs() < 1e-6 && report.published.unwrap().contains("Pan-STARRS"));
}
