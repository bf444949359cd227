//! Limiting cases; the values are ERFA's business (`peers/observer_erfa.py`).

use super::*;

const ORBIT: Orbit = Orbit { altitude_km: 400.0, inclination_deg: 42.0, node_deg: 30.0, phase_deg: 10.0, epoch_mjd: 61_000.0 };

fn apart_mas(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (u, v) = (s2c(a.0.to_radians(), a.1.to_radians()), s2c(b.0.to_radians(), b.1.to_radians()));
    let w = cross(&u, &v);
    dot(&w, &w).sqrt().atan2(dot(&u, &v)) * MAS
}

#[test]
fn aberration_is_twenty_arcseconds_at_right_angles_to_the_velocity_and_none_along_it() {
    let observer = Observer::new(61_000.0, None).unwrap();
    let v = observer.velocity();
    let speed = dot(&v, &v).sqrt();
    assert!((speed / 9.94e-5 - 1.0).abs() < 0.02, "30 km/s: {speed}");
    let ahead = degrees(&v);
    assert!(apart_mas(ahead, observer.proper(ahead.0, ahead.1, None)) < 10.0, "the Sun's deflection is left");
    let side = degrees(&cross(&v, &[0.0, 0.0, 1.0]));
    let moved = apart_mas(side, observer.proper(side.0, side.1, None));
    assert!((moved / (speed * MAS) - 1.0).abs() < 1e-3, "{moved}");
}

#[test]
fn the_orbit_adds_five_arcseconds_at_most() {
    let most = (0..60)
        .map(|k| {
            let mjd = 61_000.0 + f64::from(k) * 90.0 / 86_400.0;
            let [with, without] = [Some(&ORBIT), None].map(|orbit| Observer::new(mjd, orbit).unwrap().proper(150.0, 30.0, None));
            apart_mas(with, without) / 1000.0
        })
        .fold(0.0, f64::max);
    assert!((4.5..5.4).contains(&most), "{most}");
}

#[test]
fn a_parallax_swings_by_itself_once_a_year() {
    let motion = Motion { pm_ra_mas_yr: 0.0, pm_dec_mas_yr: 0.0, parallax_mas: 100.0, radial_velocity_km_s: 0.0, epoch_year: 2016.0 };
    // A star at the pole of the ecliptic is as far from its mean place all the year.
    let (ra, dec) = (270.0, 66.56);
    for k in 0..4 {
        let observer = Observer::new(61_000.0 + 91.3 * f64::from(k), None).unwrap();
        let swing = apart_mas(observer.proper(ra, dec, Some(&motion)), observer.proper(ra, dec, None));
        assert!((swing - 100.0).abs() < 2.5, "{swing}");
    }
    let far = Motion { parallax_mas: -3.0, ..motion };
    let observer = Observer::new(61_000.0, None).unwrap();
    assert!(apart_mas(observer.proper(ra, dec, Some(&far)), observer.proper(ra, dec, None)) < 1e-6, "noise is not a distance");
}

#[test]
fn a_proper_motion_goes_on_from_its_epoch() {
    let motion = Motion { pm_ra_mas_yr: 300.0, pm_dec_mas_yr: -400.0, parallax_mas: 0.0, radial_velocity_km_s: 0.0, epoch_year: 2016.0 };
    let observer = Observer::new(61_000.0, None).unwrap();
    let years = observer.years() - 16.0;
    assert!((years - 9.89).abs() < 0.01, "25 November 2025 is {years} years after 2016.0");
    let moved = apart_mas(observer.proper(40.0, -20.0, Some(&motion)), observer.proper(40.0, -20.0, None));
    assert!((moved / (500.0 * years) - 1.0).abs() < 1e-3, "{moved} in {years} years");
}

#[test]
fn the_boresight_stays_and_the_field_shrinks_ahead() {
    let observer = Observer::new(61_000.0, Some(&ORBIT)).unwrap();
    let (ra, dec) = degrees(&observer.velocity());
    let view = View::new(observer, ra, dec);
    assert!(apart_mas(view.place(ra, dec, None), (ra, dec)) < 1e-6);
    let beta = dot(&observer.velocity(), &observer.velocity()).sqrt();
    assert!((view.scale() - 1.0 - beta).abs() < 1e-7, "{}", view.scale());
    let edge = (ra, dec + 0.5);
    let seen = view.place(edge.0, edge.1, None);
    let (true_mas, seen_mas) = (apart_mas(edge, (ra, dec)), apart_mas(seen, (ra, dec)));
    assert!((true_mas / seen_mas - view.scale()).abs() < 1e-8, "ahead there is no other distortion: {}", true_mas / seen_mas);
    // At right angles the scale is 1, and what bends over half a degree is less than a milliarcsecond.
    let (ra, dec) = degrees(&cross(&observer.velocity(), &[0.0, 0.0, 1.0]));
    let view = View::new(observer, ra, dec);
    assert!((view.scale() - 1.0).abs() < 1e-7);
    for (da, dd) in [(0.5, 0.0), (0.0, 0.5), (-0.5, 0.0), (0.3, -0.4)] {
        let edge = (ra + da / dec.to_radians().cos(), dec + dd);
        assert!(apart_mas(view.place(edge.0, edge.1, None), edge) < 2.5, "{da} {dd}");
    }
    assert!(Observer::new(10_000.0, None).is_err());
}
