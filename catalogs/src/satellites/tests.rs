//! Closed forms: speeds, rates, numbers of crossings.

use super::*;
use crate::direction::dot;
use crate::observer::AU_KM;

const LOW: Orbit = Orbit { altitude_km: 400.0, inclination_deg: 42.0, node_deg: 30.0, phase_deg: 10.0, epoch_mjd: 62_502.0 };

fn shell(altitude_km: f64, inclination_deg: f64, planes: u32, per_plane: u32) -> Shell {
    Shell { name: "test".into(), altitude_km, inclination_deg, planes, per_plane, magnitude: 7.0, scatter_mag: 0.0, size_m: 3.0 }
}

fn constellation(shell: Shell) -> Satellites {
    Satellites::new(&SatelliteSpec::Constellations { names: Vec::new(), shell: vec![shell], faint: 40.0 }, 5).unwrap()
}

#[test]
fn a_satellite_on_a_circle_has_the_speed_and_the_rate_of_closest_range() {
    // From the centre of the Earth a circle of 6928 km is seen to turn by sqrt(mu / a^3): 225.8 arcsec / s.
    let one = constellation(shell(550.0, 53.0, 1, 1));
    let sight = Sight::new(62_502.0, 10.0, None, None).unwrap();
    let found = one.passages(&sight, &Cone::new(0.0, 0.0, 179.9));
    let rate = (3.986_004_418e5_f64 / 6928.1366_f64.powi(3)).sqrt().to_degrees() * 3600.0;
    assert_eq!(found.len(), 1, "it is in sunlight");
    // The node turns back by 3/2 J2 (R / a)^2 cos i of that, cos i of it along the orbit: 4.98e-4. The Earth's velocity over that of light: 1e-4.
    let p = &found[0];
    assert!((p.rate_arcsec_s / rate / (1.0 - 4.98e-4) - 1.0).abs() < 1.5e-4, "{} against {rate}", p.rate_arcsec_s);
    assert!((p.distance_km - 6928.1366).abs() < 1.0, "{}", p.distance_km);
    // A telescope on the same plane 150 km lower: at closest range 7668.6 - 7585.1 + 150 km times nothing: the relative speed over 150 km.
    let high = Orbit { altitude_km: 550.0, ..LOW };
    let (mut least, mut at) = (f64::INFINITY, 0.0);
    for k in 0..200_000 {
        let t = f64::from(k) * 2.0;
        let (a, b) = (LOW.state(62_502.0 + t / DAY_S)[0], high.state(62_502.0 + t / DAY_S)[0]);
        let d = (0..3).map(|k| (a[k] - b[k]).powi(2)).sum::<f64>().sqrt() / 1000.0;
        if d < least {
            (least, at) = (d, t);
        }
    }
    assert!((least - 150.0).abs() < 30.0, "{least}");
    let sight = Sight::new(62_502.0 + (at - 0.5) / DAY_S, 1.0, Some(LOW), None).unwrap();
    let carrier = Satellite { carrier: Carrier::Shell(high), id: 1, name: String::new(), standard: 7.0, size_m: 0.0 };
    let frame = Frame::new(&sight);
    let (a, b) = (frame.seen(&carrier, -0.5).unwrap().from_observer, frame.seen(&carrier, 0.5).unwrap().from_observer);
    let rate = angle(&a, &b);
    let speeds = [LOW, high].map(|o| (3.986_004_418e5_f64 / (6378.1366 + o.altitude_km)).sqrt());
    // Side by side on nearly the same plane: relative speed v1 - v2 (node turns differ, 1 %), range 150 km or a little more.
    let expected = (speeds[0] - speeds[1]) / least;
    assert!((rate / expected - 1.0).abs() < 0.1, "{rate} against {expected} rad / s");
}

#[test]
fn crossings_are_those_of_plain_sampling_and_of_the_flux_of_a_shell() {
    // Number in a cone of one moment: the shell's density times the area the cone cuts from it. A wide shell of inclination 90 deg is not even, so the
    // density is summed over many moments of one orbit instead: crossings per second through a convex field equal the sum over satellites of rate x width.
    let satellites = constellation(shell(900.0, 60.0, 200, 200));
    let (radius_deg, time_s) = (3.0, 100.0);
    let (mut found, mut expected) = (0.0, 0.0);
    for k in 0..30 {
        let start = 62_502.0 + f64::from(k) * 0.123;
        let sight = Sight::new(start, time_s, Some(LOW), None).unwrap();
        let frame = Frame::new(&sight);
        // Looking away from the Earth.
        let zenith = LOW.state(sight.middle_mjd)[0];
        let (ra, dec) =
            (zenith[1].atan2(zenith[0]).to_degrees().rem_euclid(360.0), (zenith[2] / dot(&zenith, &zenith).sqrt()).asin().to_degrees());
        let cone = Cone::new(ra, dec, radius_deg);
        let half = 0.5 * time_s;
        let brute = |s: &Satellite| {
            let steps = 5000;
            let inside = |t: f64| cone.angle(&frame.seen(s, t).unwrap().from_observer) < cone.radius;
            (0..steps).any(|j| inside(-half + time_s * f64::from(j) / f64::from(steps)))
        };
        let spans = |s: &Satellite| crossing::spans(&cone, (-half, half), &|t| frame.seen(s, t).map(|x| x.from_observer));
        // Spans are a little wider than the cone.
        for s in satellites.all.iter().step_by(97).filter(|_| k < 3) {
            let crossed = brute(s);
            assert!(!crossed || !spans(s).is_empty(), "{}", s.name);
        }
        found += satellites
            .all
            .iter()
            .map(|s| {
                spans(s)
                    .iter()
                    .filter(|(a, b)| {
                        (0..400)
                            .any(|j| cone.angle(&frame.seen(s, a + (b - a) * f64::from(j) / 399.0).unwrap().from_observer) < cone.radius)
                    })
                    .count() as f64
            })
            .sum::<f64>();
        // Density about the axis: satellites within 12 deg, their number per solid angle times the width of the cone times their rate, averaged.
        for s in &satellites.all {
            for j in 0..5 {
                let t = -half + time_s * (f64::from(j) + 0.5) / 5.0;
                let here = frame.seen(s, t).unwrap().from_observer;
                let off = cone.angle(&here);
                if off < 12.0_f64.to_radians() {
                    let next = frame.seen(s, t + 0.01).unwrap().from_observer;
                    let rate = angle(&here, &next) / 0.01;
                    let solid = 2.0 * std::f64::consts::PI * (1.0 - 12.0_f64.to_radians().cos());
                    expected += rate * 2.0 * cone.radius / solid * time_s / 5.0;
                }
            }
        }
    }
    assert!(expected > 50.0, "{expected}");
    // Poisson of what is expected; the density changes by 10 % over 12 deg.
    assert!((found - expected).abs() < 3.5 * expected.sqrt() + 0.1 * expected, "{found} against {expected}");
}

#[test]
fn passages_say_what_they_are_and_dark_satellites_are_not_seen() {
    let satellites = Satellites::new(
        &SatelliteSpec::Constellations { names: vec!["starlink_gen1".into(), "oneweb".into()], shell: Vec::new(), faint: 40.0 },
        5,
    )
    .unwrap();
    assert_eq!(satellites.all.len(), 4408 + 1980);
    let (mut seen, mut shadow) = (0, 0);
    for k in 0..80 {
        let sight = Sight::new(62_502.0 + f64::from(k) * 0.0071, 150.0, Some(LOW), Some((0.0, 60.0))).unwrap();
        let frame = Frame::new(&sight);
        let cone = Cone::new(0.0, 60.0, 1.0);
        let passages = satellites.passages(&sight, &cone);
        for p in &passages {
            seen += 1;
            assert!(p.name.starts_with("starlink_gen1 ") || p.name.starts_with("oneweb 1200/"), "{}", p.name);
            assert!(p.from_s >= 0.0 && p.to_s <= 150.0 && p.rate_arcsec_s > 10.0 && (100.0..6400.0).contains(&p.distance_km), "{p:?}");
            let s = satellites.all.iter().find(|s| s.id == p.id).unwrap();
            let t = 0.5 * (p.from_s + p.to_s) - 75.0;
            assert!(light::lit(&frame.place(s, t).unwrap(), &frame.sun_km), "{p:?}");
        }
        // Those that are neither lit nor hidden by the Earth at the middle of a span.
        let dark = |s: &Satellite, t: f64| {
            let here = frame.seen(s, t).unwrap();
            !light::lit(&here.from_earth, &frame.sun_km) && !light::hidden(&sight.observer_km(t), &here.from_observer)
        };
        let spans = |s: &Satellite| crossing::spans(&cone, (-75.0, 75.0), &|t| frame.seen(s, t).map(|x| x.from_observer));
        shadow += satellites.all.iter().map(|s| spans(s).iter().filter(|(a, b)| dark(s, 0.5 * (a + b))).count()).sum::<usize>();
    }
    assert!(seen > 20 && shadow > 5, "{seen} seen, {shadow} in shadow");
    let sun = Sight::new(62_502.0, 1.0, None, None).unwrap().sun_from_earth_km();
    assert!((dot(&sun, &sun).sqrt() / AU_KM - 0.983).abs() < 0.002, "1 January");
}

/// The element set of the verification of Vallado et al. 2006 (AIAA 2006-6753): Vanguard 1.
const TLE: &str = "VANGUARD 1
1 00005U 58002B   00179.78495062  .00000023  00000-0  28098-4 0  4753
2 00005  34.2682 348.7242 1859667 331.7664  19.3264 10.82419157413667
";

#[test]
fn element_sets_are_propagated_as_their_verification_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.tle");
    std::fs::write(&path, TLE).unwrap();
    let sets = elements::read(&path).unwrap();
    assert_eq!((sets.len(), sets[0].name.as_str(), sets[0].number), (1, "VANGUARD 1", 5));
    // At the epoch: 7022.46529266, -1400.08296755, 0.03995155 km; after 360 minutes: -7154.03120202, -3783.17682504, -3536.19412294 km (their table).
    for (minutes, place) in
        [(0.0, [7_022.465_292_66, -1_400.082_967_55, 0.039_951_55]), (360.0, [-7_154.031_202_02, -3_783.176_825_04, -3_536.194_122_94])]
    {
        let found = sets[0].teme_km(sets[0].epoch_mjd + minutes / 1440.0).unwrap();
        // Dates are known to a microsecond: 7 mm.
        assert!((0..3).all(|k| (found[k] - place[k]).abs() < 2e-4), "{minutes}: {found:?}");
    }
    for (text, part) in [
        (TLE.replace("34.2682", "94.2682"), "lines 2 and 3"),
        ("ONE\nTWO\n".to_string(), "line 2"),
        ("ONE\n".to_string(), "ends after `ONE`"),
        (TLE.lines().take(2).collect::<Vec<_>>().join("\n"), "second line"),
        (String::new(), "no element set"),
        ("[{\"a\": 1}]".to_string(), "OMM"),
    ] {
        std::fs::write(&path, text).unwrap();
        let message = elements::read(&path).err().unwrap().to_string();
        assert!(message.contains("one.tle") && message.contains(part), "{message}");
    }
    let spec = |names: Vec<String>, shell| SatelliteSpec::Constellations { names, shell, faint: 16.0 };
    let message = |spec| Satellites::new(&spec, 1).err().unwrap().to_string();
    assert!(message(spec(vec!["startlink".into()], vec![])).contains("`startlink` is not built in; there are starlink_gen1"));
    assert!(message(spec(vec![], vec![])).contains("names no constellation"));
    assert!(message(spec(vec![], vec![shell(50.0, 53.0, 1, 1)])).contains("shell[0].altitude_km = 50 is outside 150..100000"));
}
