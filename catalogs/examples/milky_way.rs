//! The Milky Way for checks by others: `milky_way FOLDER [stars]`.
//!
//! Writes `counts.csv` (stars per deg2 between two V magnitudes in some directions) and `stars.csv` (drawn stars with distances, velocities in galactic
//! axes, and what they are on the sky).

use catalogs::draw::Draw;
use catalogs::milky_way::{Dust, MilkyWay, Pairs, motion};
use sim_core::stream::StreamKey;
use std::fmt::Write;
use std::path::PathBuf;

const DIRECTIONS: [(f64, f64); 8] =
    [(0.0, 90.0), (0.0, -90.0), (0.0, 45.0), (90.0, 45.0), (180.0, 45.0), (90.0, 20.0), (200.0, -20.0), (330.0, 30.0)];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = PathBuf::from(arguments.first().ok_or("milky_way FOLDER [stars]")?);
    let count: u64 = arguments.get(1).map_or(Ok(1000), |n| n.parse())?;
    std::fs::create_dir_all(&folder)?;
    let model = MilkyWay::new();
    let mut counts = String::from("l,b,bright,faint,dust,stars_deg2\n");
    for (l, b) in DIRECTIONS {
        for (name, dust) in [("none", Dust::None), ("model", Dust::Model)] {
            for v in 12..26 {
                let (bright, faint) = (f64::from(v), f64::from(v) + 1.0);
                writeln!(counts, "{l},{b},{bright},{faint},{name},{:.8e}", model.counts_deg2(l, b, dust, bright, faint))?;
            }
        }
    }
    std::fs::write(folder.join("counts.csv"), counts)?;
    let mut stars = String::from("ra,dec,distance_pc,u,v,w,pm_ra,pm_dec,parallax,radial_velocity\n");
    let key = StreamKey::new(29).with_name("milky_way_check");
    for k in 0..count {
        let mut draw = Draw::new(key.stream(k));
        let (l, b) = (draw.between(0.0, 360.0), draw.between(-1.0, 1.0).asin().to_degrees());
        // A few directions of many stars would do; one star per direction is slow and covers the sky.
        let star = model.line(l, b, Dust::Model, 14.0, 24.0).star(&model, Pairs::Drawn, &mut draw);
        let (ra, dec) = sofars::coords::g2icrs(l.to_radians(), b.to_radians());
        let (ra, dec) = (ra.to_degrees().rem_euclid(360.0), dec.to_degrees());
        let m = motion(ra, dec, star.distance_pc, star.velocity_km_s);
        let [u, v, w] = star.velocity_km_s;
        writeln!(
            stars,
            "{ra:.12},{dec:.12},{:.10e},{u:.10e},{v:.10e},{w:.10e},{:.12e},{:.12e},{:.12e},{:.12e}",
            star.distance_pc, m.pm_ra_mas_yr, m.pm_dec_mas_yr, m.parallax_mas, m.radial_velocity_km_s
        )?;
    }
    std::fs::write(folder.join("stars.csv"), stars)?;
    Ok(())
}
