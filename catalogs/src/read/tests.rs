use super::rows::moved;
use super::star::teff_from_bp_rp;
use super::*;
use sim_core::fits::{Data, Hdu, Header};
use sim_core::source::{Brightness, Position};
use sim_core::table::{Column, ColumnData, Table};
use std::path::Path;

fn spec(path: &Path, profile: Profile) -> CatalogSpec {
    CatalogSpec { path: path.into(), profile, ..CatalogSpec::default() }
}

fn gaia_csv(rows: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gaia.csv");
    let head =
        "source_id,ra,dec,phot_g_mean_mag,bp_rp,teff_gspphot,logg_gspphot,mh_gspphot,pmra,pmdec,parallax,radial_velocity,ref_epoch\n";
    std::fs::write(&path, format!("{head}{rows}")).unwrap();
    (folder, path)
}

const GOOD: &str = "4295806720123456789,44.9,0.5,17.5,0.82,5700,4.4,-0.1,10,-20,-0.3,15,2016.0\n";

fn place(s: &sim_core::source::Source) -> (f64, f64) {
    match s.position {
        Position::Sky { ra_deg, dec_deg } => (ra_deg, dec_deg),
        Position::Pixel { .. } => unreachable!("catalogue stars have places on the sky"),
    }
}

fn fits_table(path: &Path, columns: Vec<Column>) {
    let table = Table { name: "STARS".into(), columns };
    sim_core::fits::write(path, &[Hdu::primary(Header::default()), Hdu::new("STARS", Header::default(), Data::Table(table))]).unwrap();
}

#[test]
fn a_gaia_row_keeps_its_19_digit_number_and_becomes_ab() {
    let library = Library::load();
    let (_folder, path) = gaia_csv(GOOD);
    let (stars, report) = read(&spec(&path, Profile::GaiaDr3), None, 2016.0, &library).unwrap();
    assert_eq!(stars[0].id, 4_295_806_720_123_456_789);
    let Brightness::Ab { magnitude, band } = &stars[0].components[0].brightness else { unreachable!("a magnitude was given") };
    assert!((magnitude - 17.5 - 0.113_678).abs() < 1e-5 && band.name == "gaia_g");
    assert_eq!((report.rows, report.used, report.filled.len(), report.skipped_rows), (1, 1, 0, 0));
    assert_eq!(place(&stars[0]), (44.9, 0.5));
    // For an observer: from its place at the epoch of the exposure. Without parallax and proper motion there is nothing to do.
    let motion = stars[0].motion.unwrap();
    assert_eq!((motion.pm_ra_mas_yr, motion.pm_dec_mas_yr, motion.parallax_mas), (10.0, -20.0, -0.3));
    assert_eq!((motion.radial_velocity_km_s, motion.epoch_year), (15.0, 2016.0));
    let (_folder, path) = gaia_csv("7,44.9,0.5,17.5,0.82,5700,4.4,-0.1,0,0,-0.3,15,2016.0\n");
    let (still, _) = read(&spec(&path, Profile::GaiaDr3), None, 2027.0, &library).unwrap();
    assert!(still[0].motion.is_none());
}

#[test]
fn missing_values_are_filled_and_counted_by_quantity() {
    let library = Library::load();
    let rows = format!("{GOOD}2,44.9,0.5,18,2.5,,null,NaN,,,,,\n3,44.9,0.5,18,,,4.5,0,,,1,2,2016\n");
    let (_folder, path) = gaia_csv(&rows);
    let (stars, report) = read(&spec(&path, Profile::GaiaDr3), None, 2027.0, &library).unwrap();
    assert_eq!(stars.len(), 3);
    let rows_of = |quantity: &str, value: &str| {
        report.filled.iter().find(|f| f.quantity == quantity && f.value.contains(value)).map_or(0, |f| f.rows)
    };
    assert_eq!((rows_of("teff", "BP-RP"), rows_of("teff", "5500"), rows_of("feh", "solar"), rows_of("logg", "4.5")), (1, 1, 1, 1));
    assert_eq!((rows_of("pmra", "0"), rows_of("pmdec", "0"), rows_of("parallax", "0"), rows_of("radial_velocity", "0")), (2, 2, 1, 1));
    // An M3 dwarf.
    assert!((teff_from_bp_rp(2.5, 0.0) - 3430.0).abs() < 1e-9, "{}", teff_from_bp_rp(2.5, 0.0));
    let text = report.to_string();
    assert!(text.contains("3 rows, 3 used") && text.contains("teff (column `teff_gspphot`): 1 rows filled with 5500 K"), "{text}");
}

#[test]
fn the_temperature_of_a_solar_colour_is_solar_and_the_relations_meet() {
    // Sun: BP-RP = 0.82 (0.823 for G2V in the table of Pecaut & Mamajek), 5772 K; scatter of the relation 61 K.
    assert!((teff_from_bp_rp(0.82, 0.0) - 5772.0).abs() < 122.0, "{}", teff_from_bp_rp(0.82, 0.0));
    for c in [0.39, 1.5] {
        let (a, b) = (teff_from_bp_rp(c - 1e-6, 0.0), teff_from_bp_rp(c + 1e-6, 0.0));
        assert!((a / b - 1.0).abs() < 0.05, "jump at {c}: {a} {b}");
    }
    // A0V: 9700 K; bluer than the table: its end.
    assert!((teff_from_bp_rp(-0.037, 0.0) - 9700.0).abs() < 1e-9);
    assert!((teff_from_bp_rp(-1.0, 0.0) - 10_700.0).abs() < 1e-9);
    // Half-way between M4 and M5.
    assert!((teff_from_bp_rp(3.145, 0.0) - 3135.0).abs() < 1e-6);
}

#[test]
fn bad_rows_stop_with_file_row_column_value_and_range_or_are_skipped() {
    let library = Library::load();
    for (row, column, range) in [
        ("2,nan,0.5,18,1,,,,,,,,", "`ra`", "0..360 deg"),
        ("2,360.5,0.5,18,1,,,,,,,,", "`ra`", "0..360 deg"),
        ("2,10,-90.5,18,1,,,,,,,,", "`dec`", "-90..90 deg"),
        ("2,10,0,35.5,1,,,,,,,,", "`phot_g_mean_mag`", "-5..35 mag"),
        ("2,10,0,,1,,,,,,,,", "`phot_g_mean_mag`", "-5..35 mag"),
        ("2,10,abc,18,1,,,,,,,,", "`dec`", "-90..90 deg"),
        ("2,10,0,18,1,-3,,,,,,,", "`teff_gspphot`", "500..500000 K"),
        ("-7,10,0,18,1,,,,,,,,", "`source_id`", "whole numbers"),
        ("2,10,0,18,1,,,,inf,,,,", "`pmra`", "mas/yr"),
    ] {
        let (_folder, path) = gaia_csv(&format!("{GOOD}{row}\n"));
        let mut s = spec(&path, Profile::GaiaDr3);
        let message = read(&s, None, 2016.0, &library).unwrap_err().to_string();
        assert!(
            message.contains("gaia.csv") && message.contains("row 2") && message.contains(column) && message.contains(range),
            "{message}"
        );
        s.on_bad_row = OnBadRow::Skip;
        let (stars, report) = read(&s, None, 2016.0, &library).unwrap();
        assert_eq!((stars.len(), report.skipped_rows, report.skipped[0].row), (1, 1, 2));
        assert!(report.skipped[0].reason.contains(range));
    }
}

#[test]
fn missing_columns_wrong_units_duplicate_ids_and_bands_are_named() {
    let library = Library::load();
    let fail = |s: &CatalogSpec| read(s, None, 2016.0, &library).unwrap_err().to_string();
    let (_folder, path) = gaia_csv(GOOD);
    let mut s = spec(&path, Profile::CsstC9Star);
    assert!(fail(&s).contains("column `RA`") && fail(&s).contains("source_id, ra, dec"), "{}", fail(&s));
    s = spec(&path, Profile::Custom);
    s.band = Some("sdss_g".into());
    assert!(fail(&s).contains("catalog.columns.ra"), "{}", fail(&s));
    s.band = Some("johnson_q".into());
    assert!(fail(&s).contains("johnson_q") && fail(&s).contains("gaia_g"), "{}", fail(&s));
    s = spec(&path, Profile::GaiaDr3);
    s.columns.pmra = Some(ColumnSpec::new("pmra", "furlong/fortnight"));
    assert!(fail(&s).contains("furlong/fortnight") && fail(&s).contains("mas/yr"), "{}", fail(&s));
    s.columns.pmra = Some(ColumnSpec::new("pm_ra", "mas/yr"));
    assert!(fail(&s).contains("column `pm_ra` (for pmra) is missing"), "{}", fail(&s));
    let (_folder, path) = gaia_csv(&format!("{GOOD}{GOOD}"));
    assert!(
        fail(&spec(&path, Profile::GaiaDr3)).contains("row 2, column `source_id`: row 1 has the same id"),
        "{}",
        fail(&spec(&path, Profile::GaiaDr3))
    );
    assert!(fail(&spec(Path::new("/nowhere/x.csv"), Profile::GaiaDr3)).contains("/nowhere/x.csv"));
    assert!(fail(&spec(Path::new("/nowhere/x.fits"), Profile::GaiaDr3)).contains("/nowhere/x.fits"));
    let strange = _folder.path().join("x.unknown");
    std::fs::write(&strange, "1").unwrap();
    assert!(fail(&spec(&strange, Profile::GaiaDr3)).contains("catalog.format"));
    let (_folder, path) = gaia_csv("1,2,3\n");
    assert!(fail(&spec(&path, Profile::GaiaDr3)).contains("gaia.csv"));
}

#[test]
fn units_are_converted() {
    let library = Library::load();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.csv");
    std::fs::write(&path, "# a comment\nalpha,delta,v,t,mu\n3.0,0.1,15.0,3.7,0.5\n").unwrap();
    let text = format!(
        r#"
        path = "{}"
        band = "bessell_v"
        epoch = 2000.0
        [columns]
        ra = {{ name = "alpha", unit = "hour" }}
        dec = {{ name = "delta", unit = "rad" }}
        magnitude = {{ name = "v", unit = "mag(AB)" }}
        teff = {{ name = "t", unit = "log10(K)" }}
        pmdec = {{ name = "mu", unit = "arcsec/yr" }}
        "#,
        path.display()
    );
    let s: CatalogSpec = toml::from_str(&text).unwrap();
    let (stars, _) = read(&s, None, 2010.0, &library).unwrap();
    let (ra, dec) = place(&stars[0]);
    // 3 h = 45 deg; 0.1 rad = 5.729578 deg plus 10 yr x 0.5 arcsec/yr = 5 arcsec.
    assert!((ra - 45.0).abs() < 1e-9 && (dec - 5.729_577_951 - 5.0 / 3600.0).abs() < 1e-8, "{ra} {dec}");
    assert_eq!(stars[0].components[0].sed.template.name, library.seds.star(5011.87, 4.5, 0.0).name);
    assert!(toml::from_str::<CatalogSpec>(&text.replace("epoch", "epocha")).unwrap_err().to_string().contains("epocha"));
}

#[test]
fn proper_motion_is_exact_at_the_pole_and_nothing_without_motion() {
    let (ra, dec) = moved(120.0, 90.0, 0.0, -3.6e6, 1.0);
    // One degree of motion straight on: tan = 1 deg in radians.
    assert!((dec - (90.0 - (1.0_f64.to_radians()).atan().to_degrees())).abs() < 1e-9 && (ra - 120.0).abs() < 1e-9, "{ra} {dec}");
    assert_eq!(moved(10.0, 20.0, 0.0, 0.0, 11.0), (10.0, 20.0));
    let (ra, _) = moved(359.999_999, 0.0, 1000.0, 0.0, 10.0);
    assert!(ra < 0.01, "{ra}");
    // At dec 60 a motion of mu_alpha* moves the right ascension by twice as much.
    assert!((moved(10.0, 60.0, 36.0, 0.0, 10.0).0 - 10.0 - 2.0 * 0.36 / 3600.0).abs() < 1e-10);
}

#[test]
fn a_fits_table_reads_like_its_csv_and_its_units_are_believed() {
    let library = Library::load();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stars.fits");
    let f64s = |name: &str, unit: &str, v: Vec<f64>| Column::new(name, unit, "", ColumnData::F64(v));
    let nan = f64::NAN;
    let columns = |motion: &str| {
        vec![
            f64s("RA", "deg", vec![81.0, 81.1]),
            f64s("Dec", "deg", vec![-31.0, -31.1]),
            f64s("app_sdss_g", "mag", vec![18.0, 19.0]),
            f64s("teff", "K", vec![nan, 4300.0]),
            f64s("grav", "", vec![nan, 4.6]),
            f64s("feh", "", vec![nan, -0.4]),
            f64s("pmra", motion, vec![1.0, 2.0]),
            f64s("pmdec", motion, vec![0.0, 0.0]),
            f64s("parallax", "mas", vec![-6.38, 1.0]),
            f64s("RV", "km/s", vec![nan, nan]),
        ]
    };
    fits_table(&path, columns("mas.yr**-1"));
    let (stars, report) = read(&spec(&path, Profile::CsstC9Star), None, 2016.0, &library).unwrap();
    assert_eq!((stars.len(), stars[0].id, stars[1].id), (2, 1, 2));
    let count = |q: &str| report.filled.iter().filter(|f| f.quantity == q).map(|f| f.rows).sum::<usize>();
    assert_eq!((count("teff"), count("logg"), count("feh"), count("radial_velocity"), count("parallax")), (1, 1, 1, 2, 0));
    let cone = Footprint::new(81.0, -31.0, 0.05).unwrap();
    let (near, report) = read(&spec(&path, Profile::CsstC9Star), Some(&cone), 2016.0, &library).unwrap();
    assert_eq!((near.len(), near[0].id, report.used, report.outside), (1, 1, 1, 1));
    fits_table(&path, columns("arcsec/yr"));
    let message = read(&spec(&path, Profile::CsstC9Star), None, 2016.0, &library).unwrap_err().to_string();
    assert!(message.contains("`pmra`") && message.contains("arcsec/yr") && message.contains("mas/yr"), "{message}");
    std::fs::write(&path, b"SIMPLE  = garbage").unwrap();
    assert!(read(&spec(&path, Profile::CsstC9Star), None, 2016.0, &library).unwrap_err().to_string().contains("stars.fits"));
}

#[test]
fn julian_years_count_from_2000() {
    assert!((julian_year(51_544.5) - 2000.0).abs() < 1e-12 && (julian_year(57_388.5) - 2016.0).abs() < 1e-9);
}
