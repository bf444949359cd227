use super::*;
use crate::draw::Draw;
use sim_core::stream::StreamKey;

fn drawn(line: &Line, model: &MilkyWay, count: u64) -> Vec<Star> {
    (0..count).map(|k| line.star(model, Pairs::Drawn, &mut Draw::new(StreamKey::new(17).stream(k)))).collect()
}

/// Mean over longitude and both hemispheres of the counts per mag at a latitude: the table knows neither.
fn mean_count(model: &MilkyWay, b: f64, v: f64) -> f64 {
    let places: Vec<(f64, f64)> = (0..12).flat_map(|k| [(15.0 + 30.0 * f64::from(k), b), (15.0 + 30.0 * f64::from(k), -b)]).collect();
    places.iter().map(|&(l, b)| model.counts_deg2(l, b, Dust::Model, v, v + 1.0)).sum::<f64>() / places.len() as f64
}

#[test]
fn counts_per_magnitude_are_the_published_ones() {
    let (model, published) = (MilkyWay::new(), PublishedCounts::load());
    for (b, allowed) in [(90.0, 0.1), (60.0, 0.15), (30.0, 0.25), (20.0, 0.3)] {
        for m in 15..25 {
            let v = f64::from(m);
            let want = published.brighter_deg2(b, v + 1.0) - published.brighter_deg2(b, v);
            let ratio = mean_count(&model, b, v) / want;
            println!("b {b:>4} V {m}..{}: {ratio:.3}", m + 1);
            assert!((ratio - 1.0).abs() < allowed, "b = {b} deg, V {m}..{}: {ratio} of the published number", m + 1);
        }
    }
    // The Sun stands north of the plane: the south has more stars, within 12 % of the table each.
    for m in 15..25 {
        let v = f64::from(m);
        let want = published.brighter_deg2(90.0, v + 1.0) - published.brighter_deg2(90.0, v);
        let [north, south] = [90.0, -90.0].map(|b| model.counts_deg2(0.0, b, Dust::Model, v, v + 1.0) / want);
        assert!(north < south && north > 0.88 && south < 1.12, "V {m}: {north} {south}");
    }
}

#[test]
fn drawn_stars_are_within_the_limits_and_their_number_is_the_integral_of_the_law() {
    let model = MilkyWay::new();
    let line = model.line(60.0, -35.0, Dust::Model, 16.0, 22.0);
    let stars = drawn(&line, &model, 60_000);
    assert!(stars.iter().all(|s| (16.0..=22.0).contains(&s.v)));
    // Part of the stars of V 20 to 21, from the law and from the draw: binomial, 5 sigma; shells of 0.1 mag smear by 1 %.
    let part = model.counts_deg2(60.0, -35.0, Dust::Model, 20.0, 21.0) / line.total_deg2();
    let got = stars.iter().filter(|s| (20.0..21.0).contains(&s.v)).count() as f64 / 60_000.0;
    assert!((got / part - 1.0).abs() < 5.0 * ((1.0 - part) / part / 60_000.0).sqrt() + 0.01, "{got} against {part}");
    // V = M + 5 lg d - 5 + A, with A = 3.1 E(B-V).
    let miss = |s: &Star| s.system_absolute_v + 5.0 * s.distance_pc.log10() - 5.0 + 3.1 * s.e_bv - s.v;
    assert!(stars.iter().all(|s| miss(s).abs() < 1e-9));
}

#[test]
fn the_local_density_comes_back_from_drawn_stars() {
    // In the plane at l = 90 deg the density of the disks stays that at the Sun to 0.4 % out to 400 pc. Systems of M 5.5 to 6.5 there: lg phi = -2.4607, -2.4418, -2.4773 at 5.5,
    // 6.0, 6.5, which is 3.51e-3 / pc3 by the trapezium, of all populations 1 + 0.050 + 0.001 times.
    let model = MilkyWay::new();
    let line = model.line(90.0, 0.0, Dust::Model, 12.0, 15.0);
    let count = 200_000;
    let stars = drawn(&line, &model, count);
    let inside =
        |s: &&Star| s.kind != Kind::WhiteDwarf && (5.5..6.5).contains(&s.system_absolute_v) && (200.0..400.0).contains(&s.distance_pc);
    let found = stars.iter().filter(inside).count() as f64;
    let volume = (400.0_f64.powi(3) - 200.0_f64.powi(3)) / 3.0 / (180.0 / std::f64::consts::PI).powi(2);
    let density = found / count as f64 * line.total_deg2() / volume;
    assert!(found > 1000.0 && (density / (1.051 * 3.51e-3) - 1.0).abs() < 5.0 / found.sqrt() + 0.01, "{density} from {found}");
}

#[test]
fn scale_heights_come_back_from_drawn_stars() {
    // Towards the pole, each star weighted by 1 / d^2: the sums over two slabs 400 pc apart have the ratio exp(400 / H).
    let model = MilkyWay::new();
    let line = model.line(0.0, 90.0, Dust::None, 10.0, 21.0);
    let stars = drawn(&line, &model, 400_000);
    for (population, height, slabs) in [
        (Population::ThinDisk, 300.0, [(200.0, 400.0), (600.0, 800.0)]),
        (Population::ThickDisk, 900.0, [(500.0, 1000.0), (2000.0, 2500.0)]),
    ] {
        let weight = |(near, far): (f64, f64)| {
            let of: Vec<f64> = stars
                .iter()
                .filter(|s| s.population == population && s.kind == Kind::Dwarf && (5.5..8.0).contains(&s.system_absolute_v))
                .filter(|s| (near..far).contains(&s.distance_pc))
                .map(|s| s.distance_pc.powi(-2))
                .collect();
            assert!(of.len() > 800, "{population:?}: {}", of.len());
            (of.iter().sum::<f64>(), of.iter().map(|w| w * w).sum::<f64>().sqrt())
        };
        let (a, b) = (weight(slabs[0]), weight(slabs[1]));
        let apart = slabs[1].0 - slabs[0].0;
        let log_ratio = (a.0 / b.0).ln();
        let error = (a.1 / a.0).hypot(b.1 / b.0);
        // Shells of 4.6 % in distance: 1 % of the ratio.
        assert!((log_ratio - apart / height).abs() < 5.0 * error + 0.01, "{population:?}: {} pc", apart / log_ratio);
    }
}

#[test]
fn dust_reddens_by_distance_and_a_given_column_is_met_behind_it() {
    let model = MilkyWay::new();
    // North pole: 0.7 mag/kpc x 140 pc = 0.098 mag, E(B-V) 0.0316. South: the layer between Sun and plane twice more, 140 (2 e^(25/140) - 1) pc.
    let north = model.line(0.0, 90.0, Dust::Model, 15.0, 20.0).column_e_bv() * 3.1;
    let south = model.line(0.0, -90.0, Dust::Model, 15.0, 20.0).column_e_bv() * 3.1;
    assert!((north / 0.098 - 1.0).abs() < 2e-3, "{north}");
    assert!((south / (0.098 * (2.0 * (25.0_f64 / 140.0).exp() - 1.0)) - 1.0).abs() < 2e-3, "{south}");
    let line = model.line(120.0, 25.0, Dust::Column(0.4), 14.0, 24.0);
    assert!((line.column_e_bv() - 0.4).abs() < 1e-12);
    let stars = drawn(&line, &model, 20_000);
    let mean = |near: f64, far: f64| {
        let of: Vec<f64> = stars.iter().filter(|s| (near..far).contains(&s.distance_pc)).map(|s| s.e_bv).collect();
        assert!(of.len() > 50, "{near}..{far}: {}", of.len());
        of.iter().sum::<f64>() / of.len() as f64
    };
    // Half of the dust is closer than 140 pc x ln 2 / sin 25 deg = 230 pc.
    assert!(mean(100.0, 200.0) < 0.2 && mean(250.0, 500.0) > 0.2 && (mean(3000.0, 50_000.0) - 0.4).abs() < 0.001);
    assert!(drawn(&model.line(120.0, 25.0, Dust::None, 14.0, 24.0), &model, 100).iter().all(|s| s.e_bv == 0.0));
}

#[test]
fn each_population_has_its_metals_motions_and_colours() {
    let model = MilkyWay::new();
    let line = model.line(0.0, 90.0, Dust::None, 17.0, 21.0);
    let stars = drawn(&line, &model, 30_000);
    let of = |p: Population| stars.iter().filter(move |s| s.population == p).collect::<Vec<&Star>>();
    let halo = of(Population::Halo);
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let feh: Vec<f64> = halo.iter().map(|s| s.feh).collect();
    assert!(halo.len() > 5000 && (mean(&feh) + 1.46).abs() < 5.0 * 0.3 / (halo.len() as f64).sqrt(), "{}", mean(&feh));
    // Towards the pole the halo lags by 238 + 12.24 km/s, sigma 85 km/s.
    let lag: Vec<f64> = halo.iter().map(|s| s.velocity_km_s[1]).collect();
    assert!((mean(&lag) + 250.24).abs() < 5.0 * 85.0 / (halo.len() as f64).sqrt(), "{}", mean(&lag));
    // Blue turn-off of the halo (no hotter than 6700 K but for the horizontal branch), red dwarfs of the thin disk.
    let hot = halo.iter().filter(|s| s.kind == Kind::Dwarf && s.teff_k > 6800.0).count();
    assert_eq!(hot, 0);
    let median = |p: Population| {
        let mut t: Vec<f64> = of(p).iter().map(|s| s.teff_k).collect();
        t.sort_by(f64::total_cmp);
        t[t.len() / 2]
    };
    assert!(median(Population::ThinDisk) < 4000.0 && median(Population::Halo) > 5000.0);
    assert!(stars.iter().any(|s| s.kind == Kind::WhiteDwarf) && stars.iter().any(|s| s.kind == Kind::Giant));
    assert!(stars.iter().all(|s| s.log_g.is_finite() && (2000.0..40_000.0).contains(&s.teff_k)));
    // Single stars are the same stars.
    let single = line.star(&model, Pairs::Single, &mut Draw::new(StreamKey::new(17).stream(5)));
    assert!(single.companion.is_none() && single.v == stars[5].v && single.feh == stars[5].feh);
}

#[test]
fn the_bulge_has_its_mass_and_the_counts_of_a_deep_field_and_leans_towards_us() {
    let model = MilkyWay::new();
    let bulge = model.components.last().unwrap();
    assert_eq!(bulge.population, Population::Bulge);
    // Mass of the shining stars: of the luminosity function by the masses of dwarfs (turned-off stars 0.9), times the volume by sums over cubes of 50 pc.
    let masses = (0..520).map(|k| {
        let m = -6.0 + 0.05 * f64::from(k);
        let mass = if m < 4.0 { 0.9 } else { model.sequences.dwarf_mass(m + 0.025).min(0.9) };
        mass * (bulge.luminosity.brighter(m + 0.05) - bulge.luminosity.brighter(m))
    });
    let axis = |half: i32| (-half..=half).map(|k| 50.0 * f64::from(k));
    let mut volume = 0.0;
    for x in axis(68) {
        for y in axis(68) {
            for z in axis(32) {
                volume += 1.25e5 * bulge.shape.at(&density::Place { r_pc: x.hypot(y), z_pc: z, xyz_pc: [x, y, z] });
            }
        }
    }
    let mass = bulge.share * volume * masses.sum::<f64>();
    assert!((mass / 6.77e9 - 1.0).abs() < 0.03, "{mass}");
    // SWEEPS: 180,000 stars to V = 27 in a square of 202 arcsec at l = 1.25, b = -2.65 deg behind E(B-V) = 0.64.
    let count = |l: f64, b: f64, e_bv: f64, v: f64| model.counts_deg2(l, b, Dust::Column(e_bv), 5.0, v);
    let sweeps = count(1.25, -2.65, 0.64, 27.0) * (202.0_f64 / 3600.0).powi(2);
    println!(
        "SWEEPS {sweeps:.0}; Baade's window per deg2 to V 20, 21, 22: {:.3e} {:.3e} {:.3e}",
        count(1.0, -3.9, 0.5, 20.0),
        count(1.0, -3.9, 0.5, 21.0),
        count(1.0, -3.9, 0.5, 22.0)
    );
    // Found there, not corrected for crowding.
    assert!((0.9..1.2).contains(&(sweeps / 180_000.0)), "{sweeps}");
    // The near end of the bar is at positive longitude.
    let mean = |l: f64| {
        let stars = drawn(&model.line(l, -3.9, Dust::Column(0.5), 15.0, 21.0), &model, 20_000);
        let of: Vec<f64> = stars.iter().filter(|s| s.population == Population::Bulge).map(|s| s.distance_pc).collect();
        assert!(of.len() > 5000, "{}", of.len());
        of.iter().sum::<f64>() / of.len() as f64
    };
    assert!(mean(6.0) + 500.0 < mean(-6.0), "{} {}", mean(6.0), mean(-6.0));
}
