use super::*;
use crate::focal_plane::Detector;

fn target(id: u64, ra_deg: f64, dec_deg: f64, angle: f64) -> Target {
    Target { obs_id: id, ra_deg, dec_deg, position_angle_deg: angle, exposure_s: 150.0, programme: "wide".into(), visit: 1 }
}

fn plane() -> FocalPlane {
    FocalPlane {
        detectors: vec![Detector::rectangle(1, "r", (-0.3, 0.0), (0.4, 0.4)), Detector::rectangle(2, "g", (0.3, 0.0), (0.4, 0.4))],
    }
}

#[test]
fn the_area_seen_is_that_of_the_detectors_anywhere_on_the_sky() {
    for (ra, dec) in [(0.1, 0.0), (359.9, 41.8), (123.0, 89.9), (45.0, -89.99), (200.0, -60.0)] {
        let map = Coverage::of(&[target(1, ra, dec, 33.0)], &plane(), 12).unwrap();
        // 0.16 deg2 of the tangent plane, 0.3 deg off: cos^3 makes it smaller by 4e-5. 780 cells; those on the edge (1.6 deg / 0.0143 deg = 112)
        // are in or out: sigma about sqrt(112) / 2 / 780 = 0.7 %.
        for band in ["r", "g"] {
            let area = map.area_deg2(band, 1).unwrap();
            assert!((area / 0.16 - 1.0).abs() < 0.03, "{ra} {dec} {band}: {area}");
            assert_eq!(map.area_deg2(band, 2).unwrap(), 0.0);
        }
        assert!(map.cells.is_sorted() && map.area_deg2("z", 1).is_err());
    }
    assert!(Coverage::of(&[], &plane(), 4).is_err() && Coverage::of(&[], &plane(), 12).unwrap().cells.is_empty());
}

#[test]
fn depth_adds_up_where_exposures_overlap() {
    // The second exposure is shifted by 0.6 deg along x (west at angle 0): its g falls beside, its r on the first one's g.
    let second = target(2, 10.0 - 0.6, 0.0, 0.0);
    let map = Coverage::of(&[target(1, 10.0, 0.0, 0.0), second.clone(), second], &plane(), 11).unwrap();
    let middle = nested::hash(11, 9.7_f64.to_radians(), 0.001);
    let k = map.cells.binary_search(&middle).unwrap();
    assert_eq!((map.exposures[0][k], map.exposures[1][k]), (2, 1));
    assert_eq!((map.seconds[0][k], map.seconds[1][k]), (300.0, 150.0));
    let (once, twice) = (map.area_deg2("r", 1).unwrap(), map.area_deg2("r", 2).unwrap());
    assert!((once / 0.32 - 1.0).abs() < 0.05 && (twice / 0.16 - 1.0).abs() < 0.05, "{once} {twice}");
    let moc = Moc::new(11, map.cells_at_depth("r", 2).unwrap());
    assert!((moc.area_deg2() - twice).abs() < 1e-9);
}

#[test]
fn cells_are_those_whose_centres_lie_on_a_detector() {
    let t = target(1, 200.0, 70.0, 120.0);
    let map = Coverage::of([&t], &plane(), 10).unwrap();
    let attitude = t.attitude();
    let near = nested::cone_coverage_approx(10, 200.0_f64.to_radians(), 70.0_f64.to_radians(), 0.02);
    let by_hand: Vec<u64> = near
        .flat_iter()
        .filter(|c| {
            let (lon, lat) = nested::center(10, *c);
            attitude
                .mosaic_from_sky(&vector(lon.to_degrees(), lat.to_degrees()))
                .is_some_and(|(x, y)| (x.abs() - 0.3).abs() < 0.2 && y.abs() < 0.2)
        })
        .collect();
    let mut by_hand = by_hand;
    by_hand.sort_unstable();
    assert_eq!(map.cells, by_hand);
}
