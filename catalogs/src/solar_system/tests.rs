//! Counts against surveys, the search against drawing everything, files of orbits, bad orbits.

use super::population::Population;
use super::*;
use crate::observer::Orbit;
use std::io::Write as _;

const LOW: Orbit = Orbit { altitude_km: 400.0, inclination_deg: 42.0, node_deg: 30.0, phase_deg: 10.0, epoch_mjd: 61_000.0 };
/// 21 September 2027: opposition is at the first point of Aries, on the ecliptic.
const EQUINOX_MJD: f64 = 61_669.0;

fn opposition(time_s: f64) -> Sight {
    Sight::new(EQUINOX_MJD, time_s, Some(LOW), None).unwrap()
}

fn density(population: &Population, dec_deg: f64, radius_deg: f64, faint: f64) -> (f64, f64) {
    // Ecliptic latitude at longitude 0 is declination times cos of the obliquity, nearly.
    let cone = Cone::new(0.0, dec_deg / 0.9175, radius_deg);
    // No motion: bodies in the cone at one moment.
    let found = population.passages(&opposition(0.001), &cone);
    let area = std::f64::consts::PI * radius_deg * radius_deg;
    let count = found.iter().filter(|p| p.v < faint && p.name.starts_with('M')).count() as f64;
    (count / area, count.sqrt() / area)
}

#[test]
fn the_main_belt_has_the_sky_density_of_deep_surveys_at_opposition() {
    let population = Population::new(7, 1.0, 26.0);
    // V = R + 0.4. Gladman et al. 2009: 210 / deg2 above R = 23, which the numbers of the zones are made for. Heinze et al. 2019 (AJ 158, 232), which they are
    // not: 697 +- 15 above R = 25.0, 1031 +- 23 above R = 25.6.
    for (faint, published, tolerance) in [(23.4, 210.0, 0.08), (25.4, 697.0, 0.12), (26.0, 1031.0, 0.15)] {
        let (found, error) = density(&population, 0.0, 1.5, faint);
        assert!(
            (found - published).abs() < tolerance * published + 3.0 * error,
            "V < {faint}: {found} +- {error} / deg2 against {published}"
        );
    }
}

#[test]
fn the_density_falls_with_ecliptic_latitude() {
    let population = Population::new(7, 1.0, 24.0);
    let at = |latitude: f64| density(&population, latitude, 1.5, 24.0);
    let [zero, five, ten, thirty] = [0.0, 5.0, 10.0, 30.0].map(at);
    // The Spitzer First Look Survey: 130 +- 30 at 5 deg over 150 +- 40 at 0 deg (Meadows et al. 2004, BAAS 36, 1143): 0.87 +- 0.31.
    let ratio = five.0 / zero.0;
    assert!((ratio - 0.87).abs() < 0.31 && ratio < 1.0, "{ratio}");
    assert!(ten.0 < 0.7 * zero.0 && thirty.0 < 0.05 * zero.0, "{zero:?} {five:?} {ten:?} {thirty:?}");
}

#[test]
fn the_search_finds_all_bodies_and_each_once() {
    let key = sim_core::stream::StreamKey::new(5).with_name("solar_system");
    let belt = super::population::test_belt(key, 2e-3);
    let sight = opposition(150.0);
    let late = Sight::new(65_000.0, 150.0, None, None).unwrap();
    let mut found = 0;
    for (sight, ra, dec, radius) in [
        (&sight, 0.0, 0.0, 4.0),
        (&sight, 60.0, 20.0, 4.0),
        (&sight, 190.0, -4.0, 6.0),
        (&sight, 100.0, 70.0, 10.0),
        (&late, 300.0, -20.0, 5.0),
    ] {
        let cone = Cone::new(ra, dec, radius);
        let faint = 27.0;
        let (fast, all) = (belt.passages(sight, &cone, faint), belt.all(sight, &cone, faint));
        let names = |list: &[Passage]| list.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&fast), names(&all), "({ra}, {dec})");
        assert!(fast == all, "({ra}, {dec})");
        found += all.len();
    }
    assert!(found > 100, "{found}");
}

#[test]
fn a_body_is_where_its_orbit_takes_it_from_exposure_to_exposure_and_field_to_field() {
    let population = Population::new(11, 1.0, 22.5);
    let first = opposition(150.0);
    let wide = population.passages(&first, &Cone::new(0.0, 0.0, 1.0));
    assert!(wide.len() > 100, "{}", wide.len());
    // A smaller field sees the same ones, bit for bit.
    let narrow = population.passages(&first, &Cone::new(0.3, 0.2, 0.3));
    assert!(!narrow.is_empty() && narrow.iter().all(|p| wide.contains(p)));
    // An hour later at the middle of the exposure all are a little further on: as their rates say.
    let later = Sight::new(EQUINOX_MJD + 1.0 / 24.0, 150.0, Some(LOW), None).unwrap();
    let wider = population.passages(&later, &Cone::new(0.0, 0.0, 1.3));
    for p in &wide {
        let q = wider.iter().find(|q| q.id == p.id).unwrap_or_else(|| panic!("{} is lost", p.name));
        let moved =
            crate::moving::angle(&crate::direction::vector(p.path[0].0, p.path[0].1), &crate::direction::vector(q.path[0].0, q.path[0].1))
                .to_degrees()
                * 3600.0;
        // Main belt at opposition: 25 to 45 arcsec an hour; with the orbit of the telescope 8 arcsec to and fro at 1 au.
        assert!(moved < 200.0 && q.absolute_magnitude == p.absolute_magnitude, "{}: {moved}", p.name);
    }
    let belt: Vec<f64> = wide.iter().filter(|p| p.name.starts_with('M')).map(|p| p.rate_arcsec_s * 3600.0).collect();
    let mean = belt.iter().sum::<f64>() / belt.len() as f64;
    assert!((15.0..60.0).contains(&mean), "{mean} arcsec / h");
    // A fainter limit adds bodies and changes none.
    let deeper = Population::new(11, 1.0, 23.5).passages(&first, &Cone::new(0.0, 0.0, 1.0));
    assert!(deeper.len() > wide.len() && wide.iter().all(|p| deeper.contains(p)));
    assert!(Population::new(11, 0.0, 25.0).passages(&first, &Cone::new(0.0, 0.0, 2.0)).is_empty());
}

#[test]
fn trojans_are_where_jupiter_is_not_and_few_bodies_are_beyond_neptune() {
    let population = Population::new(3, 1.0, 25.0);
    // Jupiter's mean longitude on 1 January 2030 is 224.8 deg; 2.28 years before, 155.7.
    let sight = opposition(0.001);
    let count = |longitude: f64, prefix: &str| {
        let (ra, dec) = {
            let v = super::ellipse::equatorial(crate::direction::of_radians((longitude.to_radians(), 0.0)));
            (v[1].atan2(v[0]).to_degrees(), v[2].asin().to_degrees())
        };
        population.passages(&sight, &Cone::new(ra.rem_euclid(360.0), dec, 4.0)).iter().filter(|p| p.name.starts_with(prefix)).count()
    };
    let (leading, trailing, between) = (count(155.7 + 60.0, "T4"), count(155.7 - 60.0, "T5"), count(155.7, "T"));
    assert!(leading > 40 && trailing > 30 && between < 5, "{leading} {trailing} {between}");
    // Trujillo et al. 2001 (AJ 122, 457): 1 / deg2 above R = 23.23, V = 23.83, which the numbers are made for; here in 113 deg2.
    let cone = Cone::new(0.0, 0.0, 6.0);
    let found = population.passages(&sight, &cone).iter().filter(|p| p.name.starts_with('K') && p.v < 23.83).count() as f64;
    let expected = std::f64::consts::PI * 36.0 * 0.85;
    assert!((found / expected - 1.0).abs() < 0.5, "{found} against {expected}");
}

fn file(name: &str, text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    (folder, path)
}

fn of(path: &std::path::Path, on_bad_row: OnBadRow) -> Result<SolarSystem, SolarSystemError> {
    SolarSystem::new(&SolarSystemSpec::File { path: path.into(), faint: 30.0, taxon: Taxon::C, on_bad_row }, 1)
}

/// Ceres as in MPCORB.DAT.
const CERES: &str = "00001    3.34  0.15 K239D  60.07881   73.42179   80.25496   10.58688  0.0789126  0.21411523   2.7672543  0 E2023-F87  7283 123 1801-2023 0.65 M-v 30k MPCLINUX   4000      (1) Ceres              20230321";

#[test]
fn orbits_are_read_from_mpcorb_and_tables_alike() {
    let (_a, mpcorb) =
        file("MPCORB.DAT", &format!("MINOR PLANET CENTER ORBIT DATABASE\n\nDes'n     H     G\n-----------------\n{CERES}\n"));
    let (_b, csv) = file(
        "orbits.csv",
        "name,a,e,i,node,peri,M,epoch,H,G\n(1) Ceres,2.7672543,0.0789126,10.58688,80.25496,73.42179,60.07881,60200,3.34,0.15\n",
    );
    let sight = opposition(150.0);
    let everywhere = Cone::new(0.0, 0.0, 179.9);
    let [a, b] = [mpcorb, csv].map(|p| of(&p, OnBadRow::Stop).unwrap().passages(&sight, &everywhere));
    assert_eq!((a.len(), a[0].name.as_str(), a[0].id), (1, "(1) Ceres", 1));
    assert_eq!(a, b);
    assert!((6.0..10.0).contains(&a[0].v), "{}", a[0].v);
}

#[test]
fn bad_orbits_are_named_with_file_row_column_value_and_range_or_counted() {
    let head = "a,e,i,node,peri,M,epoch,H\n2.5,0.1,1,2,3,4,60000,15\n";
    for (row, column, value) in [
        ("2.5,1.0,1,2,3,4,60000,15", "e", "1"),
        ("-2.5,0.1,1,2,3,4,60000,15", "a", "-2.5"),
        ("2.5,nan,1,2,3,4,60000,15", "e", "NaN"),
        ("2.5,0.1,1,2,3,4,60000,99", "H", "99"),
    ] {
        let (_folder, path) = file("orbits.csv", &format!("{head}{row}\n"));
        let message = of(&path, OnBadRow::Stop).err().unwrap().to_string();
        assert!(message.contains("orbits.csv: row 2") && message.contains(&format!("{column} = ")) && message.contains(value), "{message}");
        assert!(message.contains("outside") || message.contains("finite"), "{message}");
        let kept = of(&path, OnBadRow::Skip).unwrap();
        assert_eq!(kept.skipped().values().sum::<u64>(), 1, "{:?}", kept.skipped());
    }
    let (_folder, path) = file("orbits.csv", "a,e,i\n1,2,3\n");
    assert!(of(&path, OnBadRow::Stop).err().unwrap().to_string().contains("has no column `node`"));
    let (_folder, path) = file("MPCORB.DAT", &CERES.replace("0.0789126", "0.07x9126"));
    let message = of(&path, OnBadRow::Stop).err().unwrap().to_string();
    assert!(message.contains("row 1: e = `0.07x9126`"), "{message}");
    assert!(of(std::path::Path::new("/nowhere.dat"), OnBadRow::Stop).is_err());
    let scale = SolarSystemSpec::Synthetic { scale: -1.0, faint: 25.0, seed: None };
    assert!(SolarSystem::new(&scale, 1).err().unwrap().to_string().contains("moving.solar_system.scale = -1 is outside 0..100"));
}
