use super::*;
use ndarray::{Array2, Array3};
use sim_core::fits::Hdu;
use sim_core::noise;
use sim_core::source::{Brightness, Position, Profile, SourceKind};
use sim_core::stream::StreamKey;
use sim_core::units::AB_ZERO_ERG_S_CM2_HZ;

/// A Gaussian of 40 electrons at its peak and a radius of 9 pixels, over a background of 7 with a noise of 1.
fn image(ny: usize, nx: usize, noise_sigma: f32) -> Array2<f32> {
    let (cy, cx) = (0.5 * (ny as f64 - 1.0), 0.5 * (nx as f64 - 1.0));
    let mut image = Array2::from_shape_fn((ny, nx), |(y, x)| {
        let r2 = (y as f64 - cy).powi(2) + (x as f64 - cx).powi(2);
        (7.0 + 40.0 * (-0.5 * r2 / 81.0).exp()) as f32
    });
    for (y, mut row) in image.rows_mut().into_iter().enumerate() {
        noise::add_normals(&StreamKey::new(8).stream(y as u64), 0, noise_sigma, row.as_slice_mut().unwrap());
    }
    image
}

fn file(folder: &std::path::Path, header: Header, data: Data) -> PathBuf {
    let path = folder.join("insert.fits");
    fits::write(&path, &[Hdu::primary(Header::default()), Hdu::new("SCI", header, data)]).unwrap();
    path
}

fn spec(path: PathBuf) -> InsertSpec {
    InsertSpec {
        path,
        unit: None,
        place: Some(Place { ra_deg: 150.0, dec_deg: 2.0, pixel_scale_arcsec: 0.05, position_angle_deg: 0.0 }),
        brightness: Light::Total { magnitude: 18.0, band: "sdss_i".into() },
        spectrum: Tint::Flat,
        background: Background::Border,
        keep_sigma: 3.0,
    }
}

fn flux(sources: &[Source]) -> f64 {
    let of = |b: &Brightness| if let Brightness::Ab { magnitude, .. } = b { 10.0_f64.powf(-0.4 * magnitude) } else { 0.0 };
    sources.iter().flat_map(|s| &s.components).map(|c| of(&c.brightness)).sum()
}

fn sky(s: &Source) -> (f64, f64) {
    match s.position {
        Position::Sky { ra_deg, dec_deg } => (ra_deg, dec_deg),
        Position::Pixel { .. } => unreachable!("an insert has a place on the sky"),
    }
}

#[test]
fn the_pieces_have_the_magnitude_of_the_whole_and_the_background_is_that_of_the_border() {
    let folder = tempfile::tempdir().unwrap();
    let spec = spec(file(folder.path(), Header::default(), Data::F32(image(300, 200, 1.0))));
    let (sources, report) = open(&spec, 0, &Library::load()).unwrap();
    // 300 x 200 pixels in tiles of 128: the Gaussian reaches over six of them at most.
    assert!((2..=6).contains(&sources.len()), "{}", sources.len());
    assert!((-2.5 * flux(&sources).log10() - 18.0).abs() < 1e-6);
    // Median of 9600 border pixels: 1.25 / sqrt(9600) = 0.013.
    assert!((report.background - 7.0).abs() < 0.06 && (report.sigma - 1.0).abs() < 0.06, "{report:?}");
    // Means of 25 pixels scatter by 0.2: the Gaussian is above 0.6 within 9 (2 ln(40 / 0.6))^0.5 = 26 pixels: 2130 of 60,000 pixels, and a seam.
    assert!((0.030..0.046).contains(&report.kept), "{report:?}");
    assert_eq!(report.left_out.0, 0);
    assert!(sources.iter().all(|s| s.kind == SourceKind::Insert));
    let ids: std::collections::BTreeSet<u64> = sources.iter().map(|s| s.id).collect();
    assert_eq!(ids.len(), sources.len());
}

#[test]
fn a_zero_point_gives_the_flux_of_the_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = spec(file(folder.path(), Header::default(), Data::F32(image(120, 120, 0.0))));
    spec.brightness = Light::ZeroPoint { zero_point: 25.0, band: "sdss_g".into() };
    spec.keep_sigma = 0.0;
    spec.background = Background::Value { value: 7.0 };
    let (sources, report) = open(&spec, 0, &Library::load()).unwrap();
    // 2 pi 81 x 40, all of it within 60 pixels (6.7 radii).
    let exact = 25.0 - 2.5 * (std::f64::consts::TAU * 81.0 * 40.0).log10();
    assert!((-2.5 * flux(&sources).log10() - exact).abs() < 1e-4);
    assert_eq!((sources.len(), report.kept), (1, 1.0));
}

#[test]
fn north_is_up_and_east_to_the_left_and_a_position_angle_turns_through_east() {
    let folder = tempfile::tempdir().unwrap();
    let mut dots = Array2::<f32>::zeros((300, 300));
    // A block high up in the image, another at its right.
    dots.slice_mut(ndarray::s![280..288, 146..154]).fill(5.0);
    dots.slice_mut(ndarray::s![146..154, 280..288]).fill(1.0);
    let mut spec = spec(file(folder.path(), Header::default(), Data::F32(dots)));
    spec.keep_sigma = 0.0;
    spec.background = Background::None;
    // The pieces' middles are those of their tiles: 128..256, 256..300.
    let at = |angle: f64| {
        let mut spec = spec.clone();
        spec.place = Some(Place { ra_deg: 150.0, dec_deg: 0.0, pixel_scale_arcsec: 1.0, position_angle_deg: angle });
        let (sources, report) = open(&spec, 0, &Library::load()).unwrap();
        // The other tiles have no light.
        assert_eq!((sources.len(), report.left_out.0), (2, 7));
        let brighter = usize::from(flux(&sources[..1]) < flux(&sources[1..]));
        let (ra, dec) = sky(&sources[brighter]);
        ((ra - 150.0) * 3600.0, dec * 3600.0)
    };
    // Middle of the upper tile: (191.5, 277.5) in an image whose middle is (149.5, 149.5).
    let close = |got: (f64, f64), want: (f64, f64)| (got.0 - want.0).abs() < 0.01 && (got.1 - want.1).abs() < 0.01;
    assert!(close(at(0.0), (-42.0, 128.0)), "{:?}", at(0.0));
    // y points east, and what was west of north is north of east.
    assert!(close(at(90.0), (128.0, 42.0)), "{:?}", at(90.0));
}

#[test]
fn the_files_own_coordinates_and_axes_are_taken_where_no_place_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let wcs = Wcs { crpix: [30.0, 20.0], crval: [10.0, -70.0], cd: [[1e-5, 2e-6], [-3e-6, 1.1e-5]], pv: None };
    let mut header = Header::default();
    wcs.write(&mut header);
    let mut spec = spec(file(folder.path(), header, Data::F32(image(64, 64, 0.0))));
    spec.place = None;
    spec.keep_sigma = 0.0;
    let (sources, _) = open(&spec, 3, &Library::load()).unwrap();
    let expected = wcs.sky_from_pixel(31.5, 31.5);
    assert_eq!(sky(&sources[0]), expected);
    let Profile::Image { axes_arcsec, .. } = &sources[0].components[0].profile else { panic!("an image") };
    for (row, cd) in axes_arcsec.iter().zip(wcs.cd) {
        for (axis, cd) in row.iter().zip(cd) {
            // The meridians converge: 1e-4 deg from the reference point at -70 deg, east turns by 3e-4 rad.
            assert!((axis - 3600.0 * cd).abs() < 1e-4, "{axis} {cd}");
        }
    }
}

#[test]
fn a_cube_keeps_the_flux_density_of_every_bin() {
    let folder = tempfile::tempdir().unwrap();
    // f_lambda rises with the plane: 1, 2, ... 12 times the picture; 500 to 610 nm.
    let picture = image(40, 40, 0.0).mapv(|v| v - 7.0);
    let cube = Array3::from_shape_fn((12, 40, 40), |(z, y, x)| (z + 1) as f32 * picture[(y, x)]);
    let mut header = Header::default();
    header.set("CTYPE3", "WAVE", "");
    header.set("CUNIT3", "nm", "");
    header.set("CRVAL3", 500.0, "");
    header.set("CRPIX3", 1.0, "");
    header.set("CDELT3", 10.0, "");
    let mut spec = spec(file(folder.path(), header.clone(), Data::Cube(cube.clone())));
    spec.brightness = Light::FluxDensity { unit_erg_s_cm2_angstrom: 1e-18, bins: 4 };
    spec.background = Background::None;
    spec.keep_sigma = 0.0;
    let (sources, _) = open(&spec, 0, &Library::load()).unwrap();
    assert_eq!((sources.len(), sources[0].components.len()), (1, 4));
    let sum = picture.iter().map(|v| f64::from(*v)).sum::<f64>();
    for (k, c) in sources[0].components.iter().enumerate() {
        let Brightness::Ab { magnitude, band } = &c.brightness else { panic!("a magnitude") };
        // Three planes a bin: mean 2, 5, 8, 11. Edges 495, 525, ...: f_nu = f_lambda lambda^2 / c with lambda the pivot, exact for a flat f_lambda.
        let f_lambda_cgs = (3 * k + 2) as f64 * sum * 1e-18 * 1e8;
        let (low, high) = (495.0 + 30.0 * k as f64, 525.0 + 30.0 * k as f64);
        let pivot2_cm2 = (high * high - low * low) / 2.0 / (high / low).ln() * 1e-14;
        let exact = -2.5 * (f_lambda_cgs * pivot2_cm2 / 2.997_924_58e10 / AB_ZERO_ERG_S_CM2_HZ).log10();
        assert!((magnitude - exact).abs() < 1e-4, "bin {k}: {magnitude} against {exact}");
        assert!((band.range_nm().0 - low).abs() < 0.01 && (band.range_nm().1 - high).abs() < 0.01);
    }
    // A background of 2 in each of the 12 planes, given as that of their sum, changes nothing.
    spec.path = file(folder.path(), header.clone(), Data::Cube(cube.mapv(|v| v + 2.0)));
    spec.background = Background::Value { value: 24.0 };
    let (raised, _) = open(&spec, 0, &Library::load()).unwrap();
    let magnitude = |c: &sim_core::source::Component| match &c.brightness {
        Brightness::Ab { magnitude, .. } => *magnitude,
        Brightness::Electrons(n) => panic!("a magnitude, not {n} electrons"),
    };
    assert_eq!(raised[0].components.len(), 4);
    for (a, b) in raised[0].components.iter().zip(&sources[0].components) {
        assert!((magnitude(a) - magnitude(b)).abs() < 1e-3, "{} against {}", magnitude(a), magnitude(b));
    }
    // A header in a unit that is not known.
    header.set("CUNIT3", "keV", "");
    spec.path = file(folder.path(), header, Data::Cube(cube));
    let message = open(&spec, 0, &Library::load()).unwrap_err().to_string();
    assert!(message.contains("CUNIT3") && message.contains("keV") && message.contains("insert.fits"), "{message}");
}

#[test]
fn wrong_inserts_are_refused_with_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let library = Library::load();
    let right = spec(file(folder.path(), Header::default(), Data::F32(image(64, 64, 1.0))));
    let message = |change: &dyn Fn(&mut InsertSpec)| {
        let mut spec = right.clone();
        change(&mut spec);
        open(&spec, 0, &library).unwrap_err().to_string()
    };
    let magnitude = message(&|s| s.brightness = Light::Total { magnitude: 99.0, band: "sdss_i".into() });
    assert!(magnitude.contains("brightness.magnitude = 99") && magnitude.contains("-30..50"), "{magnitude}");
    let band = message(&|s| s.brightness = Light::Total { magnitude: 19.0, band: "johnson".into() });
    assert!(band.contains("johnson") && band.contains("sdss_g"), "{band}");
    assert!(message(&|s| s.unit = Some("ERR".into())).contains("no unit `ERR`"));
    let nowhere = message(&|s| s.place = None);
    assert!(nowhere.contains("CTYPE1") && nowhere.contains("insert.place"), "{nowhere}");
    assert!(message(&|s| s.path = folder.path().join("none.fits")).contains("none.fits"));
    assert!(message(&|s| s.brightness = Light::FluxDensity { unit_erg_s_cm2_angstrom: 1.0, bins: 3 }).contains("takes a cube"));
    let blank = file(folder.path(), Header::default(), Data::F32(Array2::from_elem((64, 64), f32::NAN)));
    assert!(message(&|s| s.path.clone_from(&blank)).contains("border"));
    // Noise alone: nothing to keep.
    let noise = file(folder.path(), Header::default(), Data::F32(image(64, 64, 1.0).mapv(|v| if v > 12.0 { 7.0 } else { v })));
    assert!(
        message(&|s| {
            s.path.clone_from(&noise);
            s.keep_sigma = 50.0;
        })
        .contains("nothing is 50 standard deviations")
    );
}
