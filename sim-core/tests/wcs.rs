//! World coordinates against closed forms, official headers and themselves.

use sim_core::detector::{AmplifierGrid, DetectorGeometry};
use sim_core::exposure::Pointing;
use sim_core::fits::{Data, FitsError, Hdu, Header, Value, read, write};
use sim_core::units::Nanometre;
use sim_core::wcs::{Chromatic, Distortion, FieldDistortion, Parity, Wcs, detector_wcs};

const PIXEL_DEG: f64 = 0.074 / 3600.0;

fn chip(crpix1: f64, crpix2: f64) -> DetectorGeometry {
    DetectorGeometry {
        number: 12,
        filter: "NUV".into(),
        nx: 9216,
        ny: 9232,
        crpix1,
        crpix2,
        pixel_scale_arcsec: 0.074,
        amplifiers: AmplifierGrid { columns: 8, rows: 2, prescan_x: 27, overscan_x: 71, overscan_y: 84 },
    }
}

fn pointing(ra_deg: f64, dec_deg: f64) -> Pointing {
    Pointing { ra_deg, dec_deg, rotation_deg: -113.4333 }
}

fn identity() -> Distortion {
    Distortion { x: vec![((1, 0), 1.0)], y: vec![((0, 1), 1.0)] }
}

/// A third-order distortion of some tens of pixels at the corner of the field.
fn third_order() -> Distortion {
    Distortion {
        x: vec![((1, 0), 1.0002), ((0, 1), -3e-5), ((2, 0), 2e-4), ((1, 1), -1e-4), ((3, 0), 1.5e-3), ((1, 2), 1.4e-3), ((0, 3), 2e-5)],
        y: vec![((0, 1), 0.9997), ((1, 0), 4e-5), ((1, 1), 3e-4), ((0, 2), -2e-4), ((2, 1), 1.5e-3), ((0, 3), 1.6e-3)],
    }
}

/// A plain system of one arcsecond pixels, north up, east left, reference at pixel (0, 0).
fn plain(ra: f64, dec: f64) -> Wcs {
    let s = 1.0 / 3600.0;
    Wcs { crpix: [1.0, 1.0], crval: [ra, dec], cd: [[-s, 0.0], [0.0, s]], pv: None }
}

fn separation_mas(a: (f64, f64), b: (f64, f64)) -> f64 {
    let east = ((a.0 - b.0 + 540.0).rem_euclid(360.0) - 180.0) * a.1.to_radians().cos();
    east.hypot(a.1 - b.1) * 3.6e6
}

#[test]
fn the_official_cd_matrices_come_out_to_all_printed_digits() {
    // csst-doc-msc prints 15 and 14 digits: half a unit of the last of 1.8860208370739E-05 is 5e-19.
    let c7 = detector_wcs(&chip(-267.0, 14746.0), &pointing(60.0, -40.0), Parity::C7, None);
    let printed = |v: f64, digits: usize| format!("{v:.*e}", digits - 1);
    assert_eq!(printed(c7.cd[0][0], 13), "-8.174558361760e-6");
    assert_eq!(printed(c7.cd[1][0], 15), "1.88602083707394e-5");
    assert_eq!(printed(c7.cd[0][1], 14), "-1.8860208370739e-5");
    assert_eq!(c7.cd[1][1], c7.cd[0][0]);
    assert_eq!(c7.crpix, [-267.0, 14746.0]);
    let c9 = detector_wcs(&chip(-267.0, 14746.0), &pointing(60.0, -40.0), Parity::C9, None);
    assert_eq!(c9.cd, [[c7.cd[0][0], -c7.cd[0][1]], [c7.cd[1][0], -c7.cd[1][1]]]);
    assert!(c9.cd[0][0] * c9.cd[1][1] - c9.cd[0][1] * c9.cd[1][0] < 0.0);
}

#[test]
fn the_reference_pixel_is_the_reference_point() {
    let wcs = plain(120.0, 30.0);
    assert_eq!(wcs.sky_from_pixel(0.0, 0.0).0, 120.0);
    assert!((wcs.sky_from_pixel(0.0, 0.0).1 - 30.0).abs() < 1e-14);
    // crpix counts from 1: reference pixel (11, 21) is index (10, 20).
    let moved = wcs.shifted(-10.0, -20.0);
    assert_eq!(moved.crpix, [11.0, 21.0]);
    assert_eq!(moved.sky_from_pixel(10.0, 20.0), wcs.sky_from_pixel(0.0, 0.0));
}

#[test]
fn at_the_pole_the_gnomonic_radius_is_the_tangent_of_the_distance() {
    // North up along the meridian of CRVAL1 seen from below the pole: +y is past the pole, at ra0 + 180.
    let wcs = plain(40.0, 90.0);
    let (ra, dec) = wcs.sky_from_pixel(0.0, 3600.0);
    assert!((ra - 220.0).abs() < 1e-9 && (dec - (90.0 - 1f64.to_radians().atan().to_degrees())).abs() < 1e-12);
    let (ra, dec) = wcs.sky_from_pixel(-3600.0, 0.0);
    assert!((ra - 130.0).abs() < 1e-9 && (90.0 - dec - 1f64.to_radians().atan().to_degrees()).abs() < 1e-12);
    let (x, y) = wcs.pixel_from_sky(130.0, 45.0).unwrap();
    assert!((x + 3600.0 * 1f64.to_degrees()).abs() < 1e-6 && y.abs() < 1e-6, "45 degrees from the pole: radius 1 rad");
}

#[test]
fn right_ascension_goes_round_through_zero() {
    let wcs = plain(359.999, 0.0);
    let (x, y) = wcs.pixel_from_sky(0.001, 0.0).unwrap();
    assert!((x + 7.2).abs() < 1e-6 && y.abs() < 1e-9, "0.002 deg are 7.2 arcsec to the east, to the left: {x}");
    let (ra, _) = wcs.sky_from_pixel(-7.2, 0.0);
    assert!((ra - 0.001).abs() < 1e-10);
    assert!((wcs.pixel_from_sky(360.001, 0.0).unwrap().0 - x).abs() < 1e-6);
    assert!((0.0..360.0).contains(&plain(0.0, 0.0).sky_from_pixel(1e-13, 0.0).0));
}

#[test]
fn the_far_hemisphere_and_what_is_not_a_number_have_no_pixel() {
    for wcs in [plain(10.0, 20.0), detector_wcs(&chip(0.0, 0.0), &pointing(10.0, 20.0), Parity::C9, Some(&third_order()))] {
        for (ra, dec) in [(190.0, -20.0), (100.0, 0.0), (190.0, 69.9), (f64::NAN, 0.0), (0.0, f64::NAN), (f64::INFINITY, 0.0), (10.0, 95.0)]
        {
            assert_eq!(wcs.pixel_from_sky(ra, dec), None, "({ra}, {dec})");
        }
    }
    assert!(plain(10.0, 20.0).pixel_from_sky(10.0, 80.0).is_some(), "60 degrees away is still near");
}

#[test]
fn pixel_to_sky_to_pixel_closes_below_a_billionth_of_a_pixel() {
    // A double of 30 deg is exact to 1.8e-15 deg, 1e-10 pixel; at 300 deg to 2.8e-14 deg, 1.4e-9 pixel times cos(dec).
    for (ra, dec, limit) in [(30.0, 0.1, 1e-9), (30.0, -75.0, 1e-9), (300.0, 0.1, 3e-9), (300.0, 75.0, 1e-9)] {
        for parity in [Parity::C7, Parity::C9] {
            for distortion in [None, Some(&third_order())] {
                for (crpix1, crpix2) in [(-267.0, 14746.0), (29758.0, -15644.0), (4608.5, 4616.5)] {
                    let wcs = detector_wcs(&chip(crpix1, crpix2), &pointing(ra, dec), parity, distortion);
                    for (x, y) in [(0.0, 0.0), (9215.0, 0.0), (0.0, 9231.0), (9215.0, 9231.0), (4607.3, 4615.8), (-0.5, 9231.5)] {
                        let (sky_ra, sky_dec) = wcs.sky_from_pixel(x, y);
                        let (back_x, back_y) = wcs.pixel_from_sky(sky_ra, sky_dec).unwrap();
                        let miss = (back_x - x).hypot(back_y - y);
                        assert!(miss < limit, "({ra}, {dec}) {parity:?} ({x}, {y}): {miss:e} pixel");
                    }
                }
            }
        }
    }
}

#[test]
fn no_distortion_as_a_polynomial_is_no_distortion() {
    let (geometry, at) = (chip(29758.0, -15644.0), pointing(10.0, -30.0));
    for parity in [Parity::C7, Parity::C9] {
        let plain = detector_wcs(&geometry, &at, parity, None);
        let same = detector_wcs(&geometry, &at, parity, Some(&identity()));
        for (x, y) in [(0.0, 0.0), (9215.0, 9231.0)] {
            assert!(separation_mas(plain.sky_from_pixel(x, y), same.sky_from_pixel(x, y)) < 1e-6);
        }
    }
}

#[test]
fn the_distortion_of_the_header_is_that_of_the_mosaic() {
    let (geometry, at, distortion) = (chip(29758.0, -15644.0), pointing(10.0, -30.0), third_order());
    let polynomial = |terms: &[((u8, u8), f64)], x: f64, y: f64| -> f64 {
        terms.iter().map(|((i, j), c)| c * x.powi(i32::from(*i)) * y.powi(i32::from(*j))).sum()
    };
    for parity in [Parity::C7, Parity::C9] {
        let plain = detector_wcs(&geometry, &at, parity, None);
        let distorted = detector_wcs(&geometry, &at, parity, Some(&distortion));
        for (x, y) in [(0.0, 0.0), (9215.0, 100.0), (3000.0, 9000.0)] {
            let focal = geometry.focal_point(x, y);
            let moved_x = polynomial(&distortion.x, focal.x_deg, focal.y_deg) / PIXEL_DEG + geometry.crpix1 - 1.0;
            let moved_y = polynomial(&distortion.y, focal.x_deg, focal.y_deg) / PIXEL_DEG + geometry.crpix2 - 1.0;
            assert!((moved_x - x).hypot(moved_y - y) > 5.0, "the test has a distortion to see");
            let gap = separation_mas(distorted.sky_from_pixel(x, y), plain.sky_from_pixel(moved_x, moved_y));
            assert!(gap < 1e-6, "{parity:?} ({x}, {y}): {gap:e} mas");
        }
    }
}

#[test]
fn the_jacobian_is_the_slope_of_the_sky() {
    let radial = {
        let mut wcs = plain(200.0, 60.0);
        wcs.pv = Some([vec![1e-3, 1.0, 0.01, 0.02, 1e-3], vec![0.0, 1.01, -0.02, 0.01]]);
        wcs
    };
    let distorted = detector_wcs(&chip(29758.0, -15644.0), &pointing(10.0, -80.0), Parity::C9, Some(&third_order()));
    for (wcs, x, y) in [(radial, 2000.0, -1500.0), (distorted.clone(), 0.0, 9000.0), (distorted, 9215.0, 0.0)] {
        let analytic = wcs.jacobian(x, y);
        let h = 0.5;
        for (axis, (dx, dy)) in [(h, 0.0), (0.0, h)].into_iter().enumerate() {
            let (ra_high, dec_high) = wcs.sky_from_pixel(x + dx, y + dy);
            let (ra_low, dec_low) = wcs.sky_from_pixel(x - dx, y - dy);
            let cos_dec = wcs.sky_from_pixel(x, y).1.to_radians().cos();
            let east = (ra_high - ra_low) * cos_dec * 3600.0 / (2.0 * h);
            let north = (dec_high - dec_low) * 3600.0 / (2.0 * h);
            // Rounding of ra: 2.8e-14 deg * 3600 / (2 h) = 1e-10. Curvature, largest from the term 0.02 r at r = 0.7 deg:
            // h^2 f'''/6 ~ (0.5 arcsec)^2 * 0.02 / (0.7 deg)^2 / 6 ~ 1.3e-10.
            assert!((analytic[0][axis] - east).abs() < 1e-9, "{} {east}", analytic[0][axis]);
            assert!((analytic[1][axis] - north).abs() < 1e-9, "{} {north}", analytic[1][axis]);
        }
    }
    let at_pole = plain(0.0, 90.0).jacobian(0.0, 0.0);
    assert!((at_pole[0][0] + 1.0).abs() < 1e-15 && (at_pole[1][1] - 1.0).abs() < 1e-15);
}

#[test]
fn keywords_come_back_through_a_file_to_the_last_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wcs.fits");
    for distortion in [None, Some(&third_order())] {
        let wcs = detector_wcs(&chip(-267.0, 14746.0), &pointing(1.0 / 3.0, -66.6), Parity::C7, distortion);
        let mut header = Header::default();
        header.set("PV1_39", 5.0, "of an older system");
        wcs.write(&mut header);
        write(&path, &[Hdu::new("", header, Data::None)]).unwrap();
        assert_eq!(Wcs::read(&read(&path).unwrap()[0].header).unwrap(), wcs);
    }
}

#[test]
fn pc_and_cdelt_are_a_cd_matrix() {
    let mut header = Header::default();
    let wcs = Wcs { crpix: [10.0, 20.0], crval: [30.0, -40.0], cd: [[-2e-5, 1e-5], [2e-5, 4e-5]], pv: None };
    wcs.write(&mut header);
    header.cards.retain(|c| !c.0.starts_with("CD"));
    let refused = Wcs::read(&header).unwrap_err().to_string();
    assert!(refused.contains("CD1_1") && refused.contains("CDELT1"), "{refused}");
    for (key, value) in [("CDELT1", -2e-5), ("CDELT2", 4e-5), ("PC1_2", -0.5), ("PC2_1", 0.5)] {
        header.set(key, value, "");
    }
    assert_eq!(Wcs::read(&header).unwrap(), wcs);
}

#[test]
fn a_broken_system_is_refused_by_the_name_of_its_keyword() {
    let mut good = Header::default();
    plain(10.0, 20.0).write(&mut good);
    let with = |key: &str, value: Option<Value>| {
        let mut header = good.clone();
        match value {
            Some(value) => header.set(key, value, ""),
            None => header.cards.retain(|c| c.0 != key),
        }
        Wcs::read(&header)
    };
    let cases = [
        ("CTYPE1", None),
        ("CRPIX2", None),
        ("CD2_1", None),
        ("CTYPE1", Some("RA---SIN".into())),
        ("CTYPE2", Some("DEC--TPV".into())),
        ("CRVAL1", Some("abc".into())),
        ("CRVAL2", Some(91.0.into())),
        ("CUNIT1", Some("rad".into())),
        ("LONPOLE", Some(0.0.into())),
        ("PV1_7", Some(1e-3.into())),
    ];
    for (key, value) in cases {
        match with(key, value.clone()) {
            Err(FitsError::Keyword { key: named, reason }) => assert_eq!(named, key, "{reason}"),
            other => panic!("{key} = {value:?} gave {other:?}"),
        }
    }
    let mut singular = plain(10.0, 20.0);
    singular.cd = [[1e-5, 2e-5], [2e-5, 4e-5]];
    let mut header = Header::default();
    singular.write(&mut header);
    assert!(Wcs::read(&header).unwrap_err().to_string().contains("singular"));
    assert_eq!(singular.pixel_from_sky(10.0, 20.0), None);
}

#[test]
fn a_distortion_beyond_tpv_is_refused() {
    let term = |i, j, value| Distortion { x: vec![((i, j), value)], y: vec![] };
    assert!(term(7, 0, 1.0).check().is_ok());
    assert!(term(4, 4, 1.0).check().unwrap_err().contains("(4, 4)"));
    assert!(term(1, 0, f64::NAN).check().is_err());
}

#[test]
fn beyond_the_fold_of_a_distortion_there_is_no_pixel() {
    // x' = x - 0.1 x^3 turns back at x = 1.83 deg, x' = 1.22 deg.
    let fold = Distortion { x: vec![((1, 0), 1.0), ((3, 0), -0.1)], y: vec![((0, 1), 1.0)] };
    let mut at = pointing(180.0, 0.0);
    at.rotation_deg = 180.0;
    let wcs = detector_wcs(&chip(0.0, 0.0), &at, Parity::C9, Some(&fold));
    assert!(wcs.pixel_from_sky(181.2, 0.0).is_some());
    assert_eq!(wcs.pixel_from_sky(183.0, 0.0), None);
}

#[test]
fn without_chromatic_terms_or_with_terms_of_zero_the_distortion_is_the_same_at_every_wavelength() {
    let plain = FieldDistortion { base: third_order(), chromatic: None };
    let zero = |d: &Distortion| Distortion { x: d.x.iter().map(|t| (t.0, 0.0)).collect(), y: d.y.iter().map(|t| (t.0, 0.0)).collect() };
    let nothing =
        FieldDistortion { base: third_order(), chromatic: Some(Chromatic { reference: Nanometre(600.0), per_um: zero(&third_order()) }) };
    let new_terms = Distortion { x: vec![((5, 0), 0.0)], y: vec![((0, 5), 0.0)] };
    let unused = FieldDistortion { chromatic: Some(Chromatic { reference: Nanometre(600.0), per_um: new_terms }), ..plain.clone() };
    let at = pointing(60.0, -40.0);
    let wcs = |d: &Distortion| detector_wcs(&chip(-267.0, 14746.0), &at, Parity::C7, Some(d));
    for wavelength in [255.0, 600.0, 1000.0].map(Nanometre) {
        assert_eq!(plain.at(wavelength), third_order());
        assert_eq!(nothing.at(wavelength), third_order());
        assert_eq!(wcs(&unused.at(wavelength)), wcs(&third_order()));
    }
}

#[test]
fn a_chromatic_scale_moves_a_source_by_its_rate_times_the_distance_and_the_wavelength() {
    // x' = (1 + 1e-4 (l - 0.6)) x, y' = y: at l = 1.0 um a point 1 degree out along x is 4e-5 deg = 144 mas further out.
    let slope = Distortion { x: vec![((1, 0), 1e-4)], y: vec![] };
    let field = FieldDistortion { base: identity(), chromatic: Some(Chromatic { reference: Nanometre(600.0), per_um: slope }) };
    assert!(field.check().is_ok());
    let at = Pointing { ra_deg: 10.0, dec_deg: 0.0, rotation_deg: 0.0 };
    let geometry = chip(0.0, 0.0);
    let wcs = |nm: f64| detector_wcs(&geometry, &at, Parity::C9, Some(&field.at(Nanometre(nm))));
    let x = 1.0 / PIXEL_DEG - 1.0;
    let tangent = |nm: f64| (wcs(nm).sky_from_pixel(x, -1.0).0 - 10.0).to_radians().tan().to_degrees();
    // East of the boresight along the equator the longitude is atan(xi): xi itself is the polynomial.
    for (nm, expected) in [(600.0, 1.0), (1000.0, 1.00004), (255.0, 1.0 - 3.45e-5)] {
        assert!((tangent(nm) - expected).abs() < 1e-12, "{nm} nm: {}", tangent(nm));
    }
    let shift_mas = separation_mas(wcs(1000.0).sky_from_pixel(x, -1.0), wcs(600.0).sky_from_pixel(x, -1.0));
    // The gnomonic scale at 1 degree is cos^2 = 0.9997.
    assert!((shift_mas - 144.0 * 1.0_f64.to_radians().cos().powi(2)).abs() < 1e-3, "{shift_mas}");
    // The coefficient is linear in the wavelength, and a term that the base lacks is added.
    let more = FieldDistortion {
        base: third_order(),
        chromatic: Some(Chromatic {
            reference: Nanometre(500.0),
            per_um: Distortion { x: vec![((3, 0), 2e-3), ((4, 1), -1e-3)], y: vec![] },
        }),
    };
    let (blue, red) = (more.at(Nanometre(400.0)), more.at(Nanometre(700.0)));
    let term = |d: &Distortion, powers| d.x.iter().find(|t| t.0 == powers).unwrap().1;
    assert!((term(&blue, (3, 0)) - (1.5e-3 - 2e-4)).abs() < 1e-18 && (term(&red, (3, 0)) - (1.5e-3 + 4e-4)).abs() < 1e-18);
    assert!((term(&blue, (4, 1)) - 1e-4).abs() < 1e-18 && (term(&red, (4, 1)) + 2e-4).abs() < 1e-18);
    assert_eq!((blue.y, red.y), (third_order().y, third_order().y));
}

#[test]
fn badly_shaped_chromatic_terms_are_named() {
    let field =
        |reference, per_um| FieldDistortion { base: identity(), chromatic: Some(Chromatic { reference: Nanometre(reference), per_um }) };
    let x = |terms: &[((u8, u8), f64)]| Distortion { x: terms.to_vec(), y: vec![] };
    let reason = |f: FieldDistortion| f.check().unwrap_err();
    assert!(reason(field(600.0, x(&[((4, 4), 1.0)]))).contains("chromatic distortion of x: term (4, 4) is above total degree 7"));
    assert!(reason(field(600.0, x(&[((1, 0), f64::NAN)]))).contains("(1, 0) = NaN"));
    assert!(reason(field(600.0, x(&[((1, 0), 1.0), ((1, 0), 2.0)]))).contains("given twice"));
    assert!(reason(field(0.0, x(&[((1, 0), 1.0)]))).contains("reference wavelength"));
    assert!(identity().determinant() == 1.0 && x(&[((1, 0), 1.0)]).determinant() == 0.0);
}

#[test]
fn a_scaled_system_sees_every_angle_from_the_reference_larger_by_its_factor() {
    let factor = 1.0 - 9.3e-5;
    for wcs in [plain(40.0, -20.0), detector_wcs(&chip(-267.0, 14746.0), &pointing(60.0, -40.0), Parity::C7, Some(&third_order()))] {
        let scaled = wcs.scaled(factor);
        for (x, y) in [(0.0, 0.0), (4000.0, 9000.0), (-3000.0, 200.0)] {
            let plane = |w: &Wcs| {
                let (ra, dec) = w.sky_from_pixel(x, y);
                let (sin0, cos0) = w.crval[1].to_radians().sin_cos();
                let (turn, dec) = ((ra - w.crval[0]).to_radians(), dec.to_radians());
                let c = dec.sin() * sin0 + dec.cos() * cos0 * turn.cos();
                [dec.cos() * turn.sin() / c, (dec.sin() * cos0 - dec.cos() * sin0 * turn.cos()) / c]
            };
            let ([a, b], [u, v]) = (plane(&wcs), plane(&scaled));
            assert!((u - factor * a).abs() < 1e-13 && (v - factor * b).abs() < 1e-13, "{x} {y}: {u} {a} {v} {b}");
            let (ra, dec) = scaled.sky_from_pixel(x, y);
            let (px, py) = scaled.pixel_from_sky(ra, dec).unwrap();
            assert!((px - x).hypot(py - y) < 1e-7);
        }
    }
}
