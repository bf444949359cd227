//! The white-dwarf standards, read as any catalogue.
#![allow(clippy::unwrap_used, reason = "a test")]

use catalogs::Library;
use catalogs::read::{CatalogSpec, ColumnSpec, Columns, OnBadRow, Profile, read};
use sim_core::source::{Brightness, Position};
use std::path::PathBuf;

#[test]
fn white_dwarf_standards_have_their_published_magnitudes_in_three_bands() {
    let column = |name: &str, unit: &str| Some(ColumnSpec::new(name, unit));
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/white_dwarf_standards.csv");
    let spec = CatalogSpec {
        path: path.clone(),
        profile: Profile::Custom,
        band: Some("sdss_r".into()),
        on_bad_row: OnBadRow::Stop,
        columns: Columns {
            id: column("id", ""),
            ra: column("ra", "deg"),
            dec: column("dec", "deg"),
            magnitude: column("r", "mag(AB)"),
            teff: column("teff", "K"),
            ..Columns::default()
        },
        ..CatalogSpec::default()
    };
    let library = Library::load();
    let (stars, report) = read(&spec, None, 2027.0, &library).unwrap();
    assert_eq!((stars.len(), report.skipped_rows), (18, 0));
    let text = std::fs::read_to_string(path).unwrap();
    let mut seen = 0;
    for (star, line) in stars.iter().zip(text.lines().skip(1)) {
        let cells: Vec<&str> = line.split(',').collect();
        let published: Vec<f64> = cells[4..8].iter().map(|c| c.parse().unwrap()).collect();
        let Brightness::Ab { magnitude, band } = &star.components[0].brightness else { unreachable!("a magnitude is given") };
        assert!((magnitude - published[2]).abs() < 1e-9);
        for (k, name) in [(1, "sdss_g"), (3, "sdss_i")] {
            let got = library.bands.by_name(name).unwrap().ab_magnitude(&star.components[0].sed, *magnitude, band);
            // teff is where the library has this g - r: 0.003 mag by the grid's step of 2 % in temperature; r - i follows to 0.016.
            assert!((got - published[k]).abs() < 0.025, "{} {name}: {got} against {}", cells[1], published[k]);
        }
        if cells[1] == "WDFS1814+78" {
            // 18 14 24.13 +78 54 02.9.
            let Position::Sky { ra_deg, dec_deg } = star.position else { unreachable!("a place on the sky") };
            assert!((ra_deg - 273.600_54).abs() < 1e-5 && (dec_deg - 78.900_81).abs() < 1e-5);
            seen += 1;
        }
    }
    assert_eq!(seen, 1);
}
