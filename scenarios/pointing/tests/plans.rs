//! Shipped surveys from their files to a verified plan.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "common/msc.rs"]
mod msc;

use pointing::schedule::Reward;
use pointing::{Area, Coverage, DAY_S, Moment, Pointing, Rules, Schedule, Survey, Target, Track, tile, verify};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Where the shipped orbit has its epoch: 2028-01-01.
const START: f64 = 61_771.0;

#[test]
fn the_numbers_of_exposures_are_those_of_the_geometry_and_stand_beside_the_stated_ones() {
    let plane = msc::plane();
    // A square of side L along the mosaic needs ceil((L + X) / step) columns and ceil((L + Y) / step) rows for full depth up to its border, with X and Y
    // the distance between the centres of the outermost detectors: (4875 * 10 + 1550) and 4 * 10130 pixels of 0.074 arcsec, 1.0339 and 0.8329 deg.
    let number = |(width, height): (f64, f64), (x, y): (f64, f64), regions: u32, visits: u32| {
        let columns = ((width + x) / 0.1884).ceil();
        let rows = ((height + y) / 0.1887).ceil();
        (columns * rows) as u32 * regions * visits
    };
    let all = (1.0339, 0.8329);
    // Without gratings the outermost detectors stand 2 * 14625 pixels apart along x.
    let imaging = (0.6013, 0.8329);
    let square = (3.1628, 3.1628);
    assert_eq!(
        [number((2.5031, 1.9975), imaging, 5, 1), number(square, all, 5, 1), number((5.0, 5.0), all, 2, 4), number(square, all, 100, 1)],
        [1275, 2530, 8184, 50_600]
    );
    // The stated numbers are met within five per cent; what is not known of the surveys, the regions and their borders, is chosen so.
    for (name, area, stated, low, high) in [
        // Rows of a region do not always come out as the geometry of the plane has it.
        ("survey25", 25.0, 1221_u32, 1250, 1275),
        ("survey50_wide", 50.0, 2442, 2530, 2530),
        // Dithers shift whole passes: a row or a column more at most.
        ("survey50_deep", 50.0, 8420, 8184, 2 * (1023 + 3 * 34 * 32)),
        ("survey1000", 1000.0, 48_840, 50_100, 51_200),
    ] {
        let survey = Survey::shipped(name).unwrap();
        let targets = survey.targets(&plane, 1).unwrap();
        let n = targets.len() as u32;
        println!(
            "{name}: {n} exposures, stated {stated}, {:+.1} %, {:.2} deg2",
            (f64::from(n) / f64::from(stated) - 1.0) * 100.0,
            survey.area_deg2()
        );
        assert!((low..=high).contains(&n), "{name}: {n}");
        assert!((survey.area_deg2() / area - 1.0).abs() < 2e-3 && survey.stated_exposures.value == u64::from(stated));
        assert!((f64::from(n) / f64::from(stated) - 1.0).abs() < 0.05, "{name}: the stated number within the choice of borders");
        let ids: BTreeSet<u64> = targets.iter().map(|t| t.obs_id).collect();
        assert_eq!(ids.len(), targets.len());
    }
    // No two regions of the thousand square degrees touch.
    let places: Vec<_> = Survey::shipped("survey1000").unwrap().regions.iter().map(|(_, area)| area.cone().0).collect();
    let nearest = (0..places.len())
        .flat_map(|i| (0..i).map(move |j| (i, j)))
        .map(|(i, j)| sim_core::direction::angle(&places[i], &places[j]).to_degrees());
    assert!(nearest.fold(180.0, f64::min) > 6.0);
    assert!(Survey::shipped("survey26").unwrap_err().to_string().contains("survey25"));
}

#[test]
fn each_band_sees_each_place_of_a_region_as_often_as_stated() {
    let plane = msc::plane();
    for (name, wide, twice) in [("survey25", 2, 4), ("survey50_deep", 8, 16)] {
        let mut survey = Survey::shipped(name).unwrap();
        survey.regions.truncate(1);
        let targets = survey.targets(&plane, 1).unwrap();
        let (_, area) = &survey.regions[0];
        let map = Coverage::of(&targets, &plane, 11).unwrap();
        let inside: Vec<usize> = (0..map.cells.len())
            .filter(|&k| {
                let (lon, lat) = cdshealpix::nested::center(map.order, map.cells[k]);
                area.contains(lon.to_degrees(), lat.to_degrees())
            })
            .collect();
        assert!((inside.len() as f64 * map.cell_deg2() / area.area_deg2() - 1.0).abs() < 0.01, "no hole");
        for (band, depth) in map.bands.iter().zip(&map.exposures) {
            let least = if ["NUV", "y", "GU", "GV", "GI"].contains(&band.as_str()) { twice } else { wide };
            let lowest = inside.iter().map(|&k| depth[k]).min().unwrap();
            let mean = inside.iter().map(|&k| f64::from(depth[k])).sum::<f64>() / inside.len() as f64;
            if !survey.up_to_border.is_empty() && !survey.up_to_border.contains(band) {
                assert!(lowest < least && mean > 0.9 * f64::from(least), "{name} {band}: {lowest}, {mean}");
                continue;
            }
            assert!(lowest >= least, "{name} {band}: {lowest}");
            // Overlaps of 0.001 deg: a per cent; with dithers a little at the border besides.
            assert!(mean / f64::from(least) < 1.04, "{name} {band}: {mean}");
        }
    }
}

/// A small plan: a cap about COSMOS and one far away, in January.
fn small() -> &'static (Track, Rules, Vec<Target>, Schedule) {
    static PLAN: OnceLock<(Track, Rules, Vec<Target>, Schedule)> = OnceLock::new();
    PLAN.get_or_init(make_small)
}

fn make_small() -> (Track, Rules, Vec<Target>, Schedule) {
    let (track, rules, plane) = (Track::shipped(), Rules::shipped(), msc::plane());
    let programme = Survey::shipped("survey25").unwrap().programme;
    let mut targets = tile(&Area::parse("cap:150.1,2.2,0.1").unwrap(), &programme, &plane, 1);
    targets.extend(tile(&Area::parse("cap:53.1,-27.8,0.1").unwrap(), &programme, &plane, 1000));
    let plan = Schedule::make(&targets, (&track, &rules), (START, START + 10.0), Reward::default(), &mut |_, _| {}).unwrap();
    (track, rules, targets, plan)
}

#[test]
fn a_made_plan_breaks_no_rule_and_each_broken_rule_is_noticed() {
    let (track, rules, targets, plan) = small();
    println!("{} of {} exposures in {:.2} d, efficiency {:.3}", plan.pointings.len(), targets.len(), plan.length_d, plan.efficiency());
    assert_eq!(plan.pointings.len() + plan.left.len(), targets.len());
    assert!(plan.left.is_empty() && targets.len() > 60, "{} left of {}", plan.left.len(), targets.len());
    let verdict = verify(&plan.pointings, track, rules).unwrap();
    for worst in &verdict.worst {
        println!("{}: least margin {:.4} {} at {}", worst.rule, worst.margin, worst.unit, worst.obs_id);
    }
    assert_eq!(verdict.violations, []);
    assert_eq!((verdict.worst.len(), verdict.moments), (7, 11 * targets.len()));

    let broken = |plan: &[Pointing]| -> BTreeSet<(u64, &'static str)> {
        verify(plan, track, rules).unwrap().violations.iter().map(|v| (v.obs_id, v.rule)).collect()
    };
    let last = plan.pointings.len() - 1;
    let id = plan.pointings[last].target.obs_id;
    let moved = |mjd: f64| {
        let mut other = plan.pointings.clone();
        other[last].start_mjd = mjd;
        broken(&other)
    };
    // After the plan's end: the moment the telescope is deepest in the anomaly.
    let end = START + plan.length_d;
    let moments: Vec<Moment> = (1..20_000).map(|k| Moment::at(track, end + 10.0 * f64::from(k) / DAY_S).unwrap()).collect();
    let depth = |m: &Moment| rules.saa.outside_deg(m.longitude_deg, m.latitude_deg);
    let deepest = moments.iter().min_by(|a, b| depth(a).total_cmp(&depth(b))).unwrap();
    assert!(depth(deepest) < -5.0);
    assert!(moved(deepest.mjd).contains(&(id, "saa")));
    // To the Sun, in sunlight.
    let sunlit = moments.iter().find(|m| m.sunlit && depth(m) > 20.0).unwrap();
    let mut to_sun = plan.pointings.clone();
    to_sun[last].start_mjd = sunlit.mjd;
    (to_sun[last].target.ra_deg, to_sun[last].target.dec_deg) = sim_core::direction::degrees(&sunlit.sun);
    assert!(broken(&to_sun).contains(&(id, "sun")));
    // To the Moon, and to the ground.
    let mut to_moon = to_sun.clone();
    (to_moon[last].target.ra_deg, to_moon[last].target.dec_deg) = sim_core::direction::degrees(&sunlit.moon);
    assert!(broken(&to_moon).contains(&(id, "moon")));
    let mut down = to_sun;
    (down[last].target.ra_deg, down[last].target.dec_deg) = sim_core::direction::degrees(&sunlit.zenith.map(|z| -z));
    assert!(broken(&down).contains(&(id, "earth_limb")));
    // Ten seconds too early: the turn takes longer.
    assert!(moved(plan.pointings[last].start_mjd - 10.0 / DAY_S).contains(&(id, "slew")));
    // Rolled by a right angle the wings lose the Sun somewhere along the plan, and the turn takes too long.
    let mut rolled = plan.pointings.clone();
    rolled.iter_mut().for_each(|p| p.target.position_angle_deg = (p.target.position_angle_deg + 90.0) % 360.0);
    assert!(broken(&rolled).iter().any(|b| b.1 == "solar_panel"));
}

#[test]
fn turns_to_and_fro_exhaust_the_budget_and_are_noticed() {
    let (track, rules, targets, _) = small();
    let (a, b) = (&targets[0], &targets[targets.len() - 1]);
    let angle = a.attitude().turn_to_deg(&b.attitude());
    let gap_s = a.exposure_s + rules.slew.time_s(angle) + 1.0;
    let plan: Vec<Pointing> = (0..12)
        .map(|k| {
            let mut target = if k % 2 == 0 { a.clone() } else { b.clone() };
            target.obs_id = k;
            Pointing { target, start_mjd: START + k as f64 * gap_s / DAY_S }
        })
        .collect();
    let verdict = verify(&plan, track, rules).unwrap();
    let first = verdict.violations.iter().find(|v| v.rule == "cmg").unwrap();
    // So many turns fit in a window of 0.0638 d; each takes its share.
    let share = rules.cmg.share(angle);
    let most = (1.0 / share + 1e-9).floor() as u64;
    assert!(share >= 0.1 && first.obs_id == most + 1, "{angle} {share} {first:?}");
    assert!((first.margin - (1.0 - (most + 1) as f64 * share)).abs() < 1e-9);
    assert!(!verdict.violations.iter().any(|v| v.rule == "slew"));
}

#[test]
fn a_plan_is_the_same_every_time_and_respects_its_end() {
    let (track, rules, targets, plan) = small();
    let again = Schedule::make(targets, (track, rules), (START, START + 10.0), Reward::default(), &mut |_, _| {}).unwrap();
    assert_eq!(*plan, again);
    let short = Schedule::make(targets, (track, rules), (START, START + 0.2), Reward::default(), &mut |_, _| {}).unwrap();
    assert!(short.pointings.len() < targets.len() && short.pointings.iter().all(|p| p.end_mjd() <= START + 0.2 + 1e-9));
    assert_eq!(short.pointings.len() + short.left.len(), targets.len());
    assert!(short.left.is_sorted_by_key(|t| t.obs_id));
}
