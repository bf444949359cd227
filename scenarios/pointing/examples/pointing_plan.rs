//! A survey from its file to a verified plan with map, MOC and picture, and places of Sun, Moon and telescope for others to judge.
//!
//! `pointing_plan FOLDER SURVEY DAYS`, for instance `pointing_plan out survey25 60`.

#[path = "../tests/common/msc.rs"]
mod msc;

use pointing::coverage::{Moc, Shown, picture};
use pointing::schedule::Reward;
use pointing::{Coverage, Moment, Rules, Schedule, Survey, Track, table, verify};
use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Instant;

/// Start of the plan: the epoch of the shipped orbit.
const START_MJD: f64 = 61_771.0;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, name, days] = words.as_slice() else { return Err("pointing_plan FOLDER SURVEY DAYS".into()) };
    let (folder, days): (PathBuf, f64) = (folder.into(), days.parse()?);
    std::fs::create_dir_all(&folder)?;
    let (track, rules, plane, survey) = (Track::shipped(), Rules::shipped(), msc::plane(), Survey::shipped(name)?);

    let clock = Instant::now();
    let targets = survey.targets(&plane, 1)?;
    let stated = survey.stated_exposures.value;
    println!("{name}: {} exposures, stated {stated} ({:.2} s)", targets.len(), clock.elapsed().as_secs_f64());

    let clock = Instant::now();
    let range = (START_MJD, START_MJD + days);
    let plan = Schedule::make(&targets, (&track, &rules), range, Reward::default(), &mut |_, _| {})?;
    println!(
        "scheduled {} in {:.2} d, {} left, efficiency {:.3} ({:.2} s)",
        plan.pointings.len(),
        plan.length_d,
        plan.left.len(),
        plan.efficiency(),
        clock.elapsed().as_secs_f64()
    );

    let clock = Instant::now();
    let verdict = verify(&plan.pointings, &track, &rules)?;
    println!("verified {} moments, {} violations ({:.2} s)", verdict.moments, verdict.violations.len(), clock.elapsed().as_secs_f64());
    for worst in &verdict.worst {
        println!("  {:<12} least margin {:10.4} {}", worst.rule, worst.margin, worst.unit);
    }
    for format in ["csv", "fits", "parquet"] {
        table::write(&folder.join(format!("plan.{format}")), &plan.pointings)?;
    }

    let clock = Instant::now();
    let order = if targets.len() > 20_000 { 10 } else { 12 };
    let map = Coverage::of(plan.pointings.iter().map(|p| &p.target), &plane, order)?;
    println!("map of {} cells of order {order} ({:.2} s)", map.cells.len(), clock.elapsed().as_secs_f64());
    map.write_map(&folder.join("coverage.fits"))?;
    let deepest = 2 * survey.programme.visits;
    for band in &map.bands {
        println!("  {band:<4} {:8.3} deg2 at depth 1, {:8.3} at {deepest}", map.area_deg2(band, 1)?, map.area_deg2(band, deepest)?);
    }
    let moc = Moc::new(order, map.cells_at_depth("r", deepest)?);
    moc.write(&folder.join("depth_r.fits"))?;
    moc.write(&folder.join("depth_r.txt"))?;
    let title = format!("{name}: {} exposures of {} s, {:.1} deg2", plan.pointings.len(), survey.programme.exposure_s, survey.area_deg2());
    picture(&map, &Shown { band: "r".into(), title }, &folder.join("coverage.svg"))?;

    let mut moments = String::from("mjd,x,y,z,sun_x,sun_y,sun_z,moon_x,moon_y,moon_z,longitude,latitude,sunlit\n");
    for k in 0..500 {
        // The golden section spreads dates over ten years, the hour of the day and the orbit.
        let mjd = START_MJD + 3650.0 * (0.618_033_988_75 * f64::from(k)).fract();
        let m = Moment::at(&track, mjd)?;
        let (p, s, l) = (m.state.position_km, m.sun, m.moon);
        let vectors: Vec<String> = p.iter().chain(&s).chain(&l).map(f64::to_string).collect();
        writeln!(moments, "{mjd},{},{},{},{}", vectors.join(","), m.longitude_deg, m.latitude_deg, u8::from(m.sunlit))?;
    }
    std::fs::write(folder.join("moments.csv"), moments)?;
    Ok(())
}
