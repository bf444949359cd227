use super::*;
use sim_core::source::{Brightness, Position, Profile as Shape, SourceKind};
use std::path::Path;

fn table(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn spec(path: &Path, profile: Profile) -> CatalogSpec {
    CatalogSpec { path: path.into(), profile, ..CatalogSpec::default() }
}

fn magnitude(source: &Source) -> Vec<f64> {
    source
        .components
        .iter()
        .map(|c| match c.brightness {
            Brightness::Ab { magnitude, .. } => magnitude,
            Brightness::Electrons(_) => f64::NAN,
        })
        .collect()
}

fn read_all(spec: &CatalogSpec) -> (Vec<Source>, FillReport) {
    read(spec, None, 2016.0, &Library::load()).unwrap()
}

#[test]
fn every_profile_is_found_by_its_own_columns() {
    for (name, profile) in PROFILES {
        let columns = profile.columns();
        let names: Vec<&str> = columns.entries().iter().map(|(_, c)| c.name.as_str()).collect();
        assert!(names.len() >= 6, "{name}");
        assert_eq!(Profile::fitting(&names), Some((name, profile)));
        assert_eq!(Profile::named(name), Some(profile));
        let json = serde_json::to_value(profile).unwrap();
        assert_eq!(json.as_str(), Some(name), "the name in scenarios");
    }
    assert_eq!(Profile::fitting(&["ra", "dec", "x", "y"]), None);
}

#[test]
fn made_tables_give_the_magnitudes_of_the_band_that_is_asked_for() {
    let magnitude = |profile: Profile, band| profile.columns_in(band).magnitude.unwrap().name;
    assert_eq!(magnitude(Profile::SkyloopStar, None), "v");
    assert_eq!(magnitude(Profile::SkyloopStar, Some("sdss_r")), "r");
    assert_eq!(magnitude(Profile::SkyloopGalaxy, Some("galex_nuv")), "nuv");
    assert_eq!(magnitude(Profile::SkyloopGalaxy, Some("no_such_band")), "i");
    // Where a table has one magnitude, the band says what that is.
    assert_eq!(magnitude(Profile::CsstC9Star, Some("sdss_r")), "app_sdss_g");
}

#[test]
fn trilegal_stars_are_scattered_over_their_cone_the_same_each_time() {
    let mut text = String::from("#area = 1.0 sq deg\nGc logAge [M/H] m_ini logL logTe logg m-M0 Av m2/m1 mbol u g r i z Mact\n");
    for k in 0..4000 {
        text.push_str(&format!(
            "1 9.65 -0.39 0.5 -2.7 3.699 4.5 10.0 0.31 0.00 9.5 {} 18.5 17.5 17.2 17.1 0.5\n",
            20.0 + f64::from(k % 10)
        ));
    }
    let (_folder, path) = table("field.dat", &text);
    let mut s = spec(&path, Profile::Trilegal);
    assert!(read(&s, None, 2016.0, &Library::load()).unwrap_err().to_string().contains("catalog.columns.ra"));
    s.scatter = Some(Scatter { ra_deg: 359.9, dec_deg: 60.0, radius_deg: 0.5, seed: 3 });
    let (stars, report) = read_all(&s);
    assert_eq!((stars.len(), report.skipped_rows), (4000, 0));
    let cone = Footprint::new(359.9, 60.0, 0.5).unwrap();
    let inner = Footprint::new(359.9, 60.0, 0.25).unwrap();
    let mut within = 0;
    for star in &stars {
        let Position::Sky { ra_deg, dec_deg } = star.position else { unreachable!("stars are on the sky") };
        assert!(cone.contains(ra_deg, dec_deg));
        within += usize::from(inner.contains(ra_deg, dec_deg));
    }
    // A quarter of the area: 1000 +- 27; five sigma.
    assert!((within as f64 - 1000.0).abs() < 137.0, "{within}");
    assert_eq!(stars[7].position, read_all(&s).0[7].position);
    // lg T = 3.699 is 5000 K; A(V) = 0.31 is E(B-V) = 0.1. The u column is not g.
    assert!(stars[0].components[0].sed.extinction.is_some() && magnitude(&stars[0]) == [18.5]);
    assert_eq!(stars[0].components[0].sed.template.name, Library::load().seds.star(5000.3, 4.5, -0.39).name);
}

#[test]
fn galaxia_magnitudes_are_carried_to_the_observer_and_places_to_icrs() {
    let (_folder, path) = table("g.csv", "glon,glat,rad,sdss_g,sdss_r,teff,grav,feh,exbv_schlegel\n0,90,1,5,4.5,3.7,4.5,0,0.1\n");
    let (stars, _) = read_all(&spec(&path, Profile::Galaxia));
    // M = 5 at 1 kpc: m = 15, and 3.793 x 0.1 of dust.
    assert!((magnitude(&stars[0])[0] - 15.379_3).abs() < 1e-9);
    let Position::Sky { ra_deg, dec_deg } = stars[0].position else { unreachable!("stars are on the sky") };
    // The north galactic pole.
    assert!((ra_deg - 192.859_48).abs() < 1e-4 && (dec_deg - 27.128_25).abs() < 1e-4, "{ra_deg} {dec_deg}");
}

#[test]
fn galaxia_s_own_files_are_read_as_they_are() {
    // Written by the library of the format's author, see tests/data/README.md.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/galaxia.ebf");
    let names: Vec<String> = crate::tables::fields(&path, None).unwrap().into_iter().map(|f| f.name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(Profile::fitting(&names).map(|p| p.0), Some("galaxia"));
    let (stars, report) = read_all(&spec(&path, Profile::Galaxia));
    assert_eq!((report.rows, report.used, report.skipped_rows), (4, 4, 0));
    // 2.5 kpc, M = 1, no dust: 12.990; 0.25 kpc, M = 0, 0.5 mag of colour excess: 6.990 + 1.897. 32-bit floats.
    assert!((magnitude(&stars[1])[0] - 12.989_7).abs() < 1e-4 && (magnitude(&stars[2])[0] - 8.886_2).abs() < 1e-4);
    let Position::Sky { ra_deg, dec_deg } = stars[0].position else { unreachable!("stars are on the sky") };
    assert!((ra_deg - 192.859_48).abs() < 1e-4 && (dec_deg - 27.128_25).abs() < 1e-4, "{ra_deg} {dec_deg}");
    // The spectrum goes by temperature, gravity and metallicity; the fourth has no temperature, which is said.
    let seds = Library::load().seds;
    assert_eq!(stars[1].components[0].sed.template.name, seds.star(4466.8, 2.5, -0.5).name);
    assert_ne!(seds.star(4466.8, 2.5, -0.5).name, seds.star(4466.8, 4.5, -0.5).name);
    assert!(report.filled.iter().any(|f| f.quantity == "teff" && f.rows == 1), "{report}");
}

#[test]
fn a_cosmo_dc2_galaxy_has_a_bulge_and_a_disk_of_its_light_with_their_shapes() {
    let head = "galaxy_id,ra,dec,redshift,mag_true_i_lsst,size_disk_true,size_minor_disk_true,size_bulge_true,size_minor_bulge_true,bulge_to_total_ratio_i,ellipticity_1_disk_true,ellipticity_2_disk_true,ellipticity_1_bulge_true,ellipticity_2_bulge_true,shear_1,shear_2,convergence";
    let (_folder, path) = table("c.csv", &format!("{head}\n42,10,-30,0.8,22,0.9,0.4,0.3,0.3,0.2,0.2,0.33,0,0,0.01,0.02,0.05\n"));
    let (galaxies, report) = read_all(&spec(&path, Profile::CosmoDc2));
    let galaxy = &galaxies[0];
    assert_eq!((galaxy.id, galaxy.kind, galaxy.redshift, galaxy.components.len()), (42, SourceKind::Galaxy, 0.8, 2));
    // A fifth of the light: 1.747 mag fainter; four fifths: 0.242.
    let m = magnitude(galaxy);
    assert!((m[0] - 23.747_4).abs() < 1e-4 && (m[1] - 22.242_3).abs() < 1e-4, "{m:?}");
    let Shape::Sersic { index, half_light_radius_arcsec, shear } = galaxy.components[1].profile else { unreachable!("a disk") };
    // sqrt(0.9 x 0.4) = 0.6; the second component is turned, as the first axis points west in the catalogue.
    assert!(index == 1.0 && (half_light_radius_arcsec - 0.6).abs() < 1e-12 && shear.g1 == 0.2 && shear.g2 == -0.33);
    // Reduced shear: 0.01 / 0.95.
    assert!((galaxy.lensing.shear.g1 - 0.01 / 0.95).abs() < 1e-12 && (galaxy.lensing.shear.g2 + 0.02 / 0.95).abs() < 1e-12);
    assert!(report.filled.iter().any(|f| f.quantity == "galaxy_type" && f.rows == 1), "{report}");
    let mut east = spec(&path, Profile::CosmoDc2);
    east.shape_axes = ShapeAxes::East;
    let Shape::Sersic { shear, .. } = read_all(&east).0[0].components[1].profile else { unreachable!("a disk") };
    assert_eq!(shear.g2, 0.33);
}

#[test]
fn a_cycle_9_galaxy_shares_its_light_as_its_mass_and_impossible_shapes_are_refused() {
    let head = "ra,dec,redshift,mag_csst_i,size,ellipticity_true_1,ellipticity_true_2,shear_1,shear_2,kappa,bulgemass,diskmass";
    let (_folder, path) =
        table("c9.csv", &format!("{head}\n10,-30,0.8,22,0.5,0.1,0,0,0,0,1e9,3e9\n10,-30,0.8,22,0.5,0.9,0.9,0,0,0,1e9,3e9\n"));
    let mut s = spec(&path, Profile::CsstC9Galaxy);
    let said = read(&s, None, 2016.0, &Library::load()).unwrap_err().to_string();
    assert!(said.contains("row 2") && said.contains("`ellipticity_true_1`") && said.contains("modulus of 1.273"), "{said}");
    s.on_bad_row = OnBadRow::Skip;
    let (galaxies, report) = read_all(&s);
    assert_eq!((galaxies.len(), report.skipped_by["column `ellipticity_true_1`"]), (1, 1));
    // A quarter of the mass: 1.505 mag.
    assert!((magnitude(&galaxies[0])[0] - 23.505).abs() < 1e-3);
}

#[test]
fn cycle_9_star_bundles_have_logarithmic_temperatures_and_metals_as_mass() {
    let (_folder, path) =
        table("s.csv", "RA,DEC,app_sdss_g,teff,grav,z_met,AV,pmra,pmdec,RV,parallax\n10,20,21,3.699,4.5,0.00152,0,1,2,3,0.5\n");
    let (stars, _) = read_all(&spec(&path, Profile::CsstC9StarBundle));
    assert_eq!(stars[0].components[0].sed.template.name, Library::load().seds.star(5000.3, 4.5, -1.0).name);
}

#[test]
fn vega_magnitudes_need_an_offset_where_none_is_known() {
    let (_folder, path) = table("v.csv", "ra,dec,v\n10,20,15\n");
    let mut s = spec(&path, Profile::Custom);
    s.band = Some("bessell_v".into());
    s.columns.ra = Some(ColumnSpec::new("ra", "deg"));
    s.columns.dec = Some(ColumnSpec::new("dec", "deg"));
    s.columns.magnitude = Some(ColumnSpec::new("v", "mag(Vega)"));
    let said = read(&s, None, 2016.0, &Library::load()).unwrap_err().to_string();
    assert!(said.contains("vega_offset") && said.contains("bessell_v"), "{said}");
    s.vega_offset = Some(-0.02);
    assert!((magnitude(&read_all(&s).0[0])[0] - 14.98).abs() < 1e-12);
    // One value for all rows.
    s.columns.teff = Some(ColumnSpec { name: String::new(), value: Some(4000.0), unit: "K".into() });
    let (stars, report) = read_all(&s);
    assert_eq!(stars[0].components[0].sed.template.name, Library::load().seds.star(4000.0, 4.5, 0.0).name);
    assert!(!report.filled.iter().any(|f| f.quantity == "teff"));
    s.columns.teff = Some(ColumnSpec { name: "t".into(), value: Some(4000.0), unit: "K".into() });
    assert!(read(&s, None, 2016.0, &Library::load()).unwrap_err().to_string().contains("both a name and a value"));
}

#[test]
fn a_magnitude_that_the_file_gives_in_another_system_is_refused() {
    let header = "# %ECSV 1.0\n# ---\n# delimiter: ','\n# datatype:\n# - {name: ra, unit: deg, datatype: float64}\n# - {name: dec, unit: rad, datatype: float64}\n# - {name: g, unit: mag(Vega), datatype: float64}\n";
    let (_folder, path) = table("m.ecsv", &format!("{header}ra,dec,g\n10,0.5,15\n"));
    let mut s = spec(&path, Profile::Custom);
    s.band = Some("sdss_g".into());
    s.columns.ra = Some(ColumnSpec::new("ra", "deg"));
    s.columns.dec = Some(ColumnSpec::new("dec", "rad"));
    s.columns.magnitude = Some(ColumnSpec::new("g", "mag(AB)"));
    let said = read(&s, None, 2016.0, &Library::load()).unwrap_err().to_string();
    assert!(said.contains("column `g`") && said.contains("mag(Vega)") && said.contains("mag(AB)"), "{said}");
    s.columns.dec = Some(ColumnSpec::new("dec", "deg"));
    s.columns.magnitude = Some(ColumnSpec::new("g", "mag(Vega)"));
    s.vega_offset = Some(-0.1);
    let said = read(&s, None, 2016.0, &Library::load()).unwrap_err().to_string();
    assert!(said.contains("column `dec` is in `rad`"), "{said}");
}
