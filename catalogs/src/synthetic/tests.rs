use super::counts::GalaxyCounts;
use super::*;
use crate::milky_way::{Dust, MilkyWay};
use sim_core::source::{Brightness, Position, Profile, SourceKind};
use std::collections::BTreeMap;

fn spec() -> FieldSpec {
    FieldSpec { seed: Some(20_270_101), ..FieldSpec::default() }
}

fn sky(s: &Source) -> (f64, f64) {
    match s.position {
        Position::Sky { ra_deg, dec_deg } => (ra_deg, dec_deg),
        Position::Pixel { .. } => unreachable!("a synthetic source has a place on the sky"),
    }
}

/// Magnitude of the whole object in its reference band.
fn magnitude(s: &Source) -> f64 {
    let flux: f64 = s
        .components
        .iter()
        .map(|c| match c.brightness {
            Brightness::Ab { magnitude, .. } => 10.0_f64.powf(-0.4 * magnitude),
            Brightness::Electrons(_) => unreachable!("a synthetic source has a magnitude"),
        })
        .sum();
    -2.5 * flux.log10()
}

fn signature(s: &Source) -> String {
    format!("{s:?}")
}

#[test]
fn counts_per_magnitude_are_those_of_the_law_within_the_poisson_error() {
    let library = Library::load();
    let cone = Footprint::new(150.0, 30.0, 0.25).unwrap();
    let mut even = spec();
    (even.stars.binaries, even.galaxies.clustering) = (false, false);
    let (field, model) = (field(&even, &cone, &library).unwrap(), MilkyWay::new());
    let (l, b) = sofars::coords::icrs2g(150.0_f64.to_radians(), 30.0_f64.to_radians());
    let counts = GalaxyCounts::load();
    let expected = |kind, bright, faint| {
        cone.area_deg2()
            * if kind == SourceKind::Galaxy {
                counts.between_deg2(bright, faint)
            } else {
                // The reference magnitude is AB: V - 0.01.
                model.counts_deg2(l.to_degrees(), b.to_degrees(), Dust::Model, bright + 0.01, faint + 0.01)
            }
    };
    let mut checked = 0;
    for kind in [SourceKind::Galaxy, SourceKind::Star] {
        for m in 17..26 {
            let (bright, faint) = (f64::from(m), f64::from(m) + 1.0);
            let mean = expected(kind, bright, faint);
            let got = field.iter().filter(|s| s.kind == kind && (bright..faint).contains(&magnitude(s))).count() as f64;
            // Poisson: sigma = sqrt(mean); 4.5 sigma over 18 bins. Density of stars changes over the cone by less than 2 %.
            assert!(
                (got - mean).abs() < 4.5 * mean.sqrt() + 0.02 * mean * f64::from(u8::from(kind == SourceKind::Star)),
                "{kind:?} {bright}: {got} against {mean}"
            );
            checked += got as u64;
        }
    }
    assert!(checked > 50_000, "{checked}");
}

#[test]
fn overlapping_footprints_see_the_same_objects() {
    let library = Library::load();
    let all = |ra, dec, r| field(&spec(), &Footprint::new(ra, dec, r).unwrap(), &library).unwrap();
    // Across right ascension 0.
    let (a, b) = (Footprint::new(0.02, 20.0, 0.08).unwrap(), Footprint::new(359.98, 20.03, 0.08).unwrap());
    let index = |sources: Vec<Source>, other: &Footprint| -> BTreeMap<u64, String> {
        sources.iter().filter(|s| other.contains(sky(s).0, sky(s).1)).map(|s| (s.id, signature(s))).collect()
    };
    let (from_a, from_b) = (index(all(0.02, 20.0, 0.08), &b), index(all(359.98, 20.03, 0.08), &a));
    assert!(from_a.len() > 300 && from_a.values().any(|s| s.contains("Star")));
    assert_eq!(from_a, from_b);
}

#[test]
fn numbers_are_unique_rising_and_held_by_a_double() {
    let library = Library::load();
    for (ra, dec) in [(10.0, -45.0), (33.0, 89.95)] {
        let f = field(&spec(), &Footprint::new(ra, dec, 0.15).unwrap(), &library).unwrap();
        assert!(f.len() > 5_000, "{}", f.len());
        assert!(f.windows(2).all(|w| w[0].id < w[1].id));
        assert!(f.iter().all(|s| s.id < 1 << 53));
    }
}

#[test]
fn one_population_does_not_depend_on_the_other_and_a_seed_changes_all() {
    let library = Library::load();
    let cone = Footprint::new(200.0, -10.0, 0.05).unwrap();
    let of = |s: &FieldSpec| field(s, &cone, &library).unwrap();
    let both = of(&spec());
    let mut galaxies_alone = spec();
    galaxies_alone.stars.scale = 0.0;
    let left: Vec<String> = both.iter().filter(|s| s.kind == SourceKind::Galaxy).map(signature).collect();
    assert_eq!(left, of(&galaxies_alone).iter().map(signature).collect::<Vec<_>>());
    let mut other = spec();
    other.seed = Some(1);
    let positions = |f: &[Source]| f.iter().map(|s| sky(s).0.to_bits()).collect::<std::collections::BTreeSet<_>>();
    assert!(positions(&of(&other)).is_disjoint(&positions(&both)));
}

#[test]
fn bulges_and_disks_differ_in_colour_and_light_adds_up_to_the_magnitude() {
    let library = Library::load();
    let f = field(&spec(), &Footprint::new(5.0, 60.0, 0.1).unwrap(), &library).unwrap();
    let has_bulge = |s: &Source| matches!(s.components[0].profile, Profile::Sersic { index, .. } if index > 1.0);
    let mixed: Vec<&Source> = f.iter().filter(|s| s.components.len() > 1 && has_bulge(s)).collect();
    assert!(mixed.len() > 500);
    let differ = mixed.iter().filter(|s| s.components[0].sed.template.name != s.components[1].sed.template.name).count();
    // The disk of a dusty early type may have its bulge's spectrum.
    assert!(differ > mixed.len() * 9 / 10, "{differ} of {}", mixed.len());
    assert!(f.iter().filter(|s| s.kind == SourceKind::Galaxy).all(|s| (17.0 - 1e-6..26.5 + 1e-6).contains(&magnitude(s))));
    assert!(f.iter().any(|s| s.components.len() == 3));
}

#[test]
fn no_galaxy_has_an_absurd_colour() {
    let library = Library::load();
    let f = field(&spec(), &Footprint::new(5.0, 60.0, 0.1).unwrap(), &library).unwrap();
    let (i, z) = (library.bands.sdss_i(), library.bands.by_name("sdss_z").unwrap());
    // Beyond redshift 5 hydrogen takes i.
    for s in f.iter().filter(|s| s.kind == SourceKind::Galaxy && s.redshift < 5.0) {
        for c in &s.components {
            // The reddest real galaxies (ellipticals near z = 1) have i - z near 1.2 and r - i near 1.5.
            let colour = z.ab_magnitude(&c.sed, 0.0, i);
            assert!((-1.6..0.7).contains(&colour), "z - i = {colour} at redshift {} for {}", s.redshift, c.sed.template.name);
        }
    }
}

#[test]
fn constant_lensing_reaches_every_galaxy_and_no_star() {
    let library = Library::load();
    let mut s = spec();
    s.galaxies.clustering = false;
    s.lensing = LensingSpec::Constant { g1: 0.02, g2: -0.01, kappa: 0.0 };
    for source in field(&s, &Footprint::new(5.0, 60.0, 0.05).unwrap(), &library).unwrap() {
        let want = if source.kind == SourceKind::Galaxy { (0.02, -0.01) } else { (0.0, 0.0) };
        assert_eq!((source.lensing.shear.g1, source.lensing.shear.g2), want);
    }
}

#[test]
fn a_wrong_key_and_a_value_out_of_range_are_named() {
    let library = Library::load();
    let cone = Footprint::new(5.0, 60.0, 0.05).unwrap();
    let unknown = toml::from_str::<FieldSpec>("seed = 1\nstarz = 3").unwrap_err().to_string();
    assert!(unknown.contains("starz"), "{unknown}");
    assert_eq!(field(&FieldSpec::default(), &cone, &library).unwrap_err(), FieldError::NoSeed);
    let mut s = spec();
    s.galaxies.faint = 31.0;
    let message = field(&s, &cone, &library).unwrap_err().to_string();
    assert!(message.contains("galaxies.faint = 31") && message.contains("28.75"), "{message}");
}

fn stars(spec: &FieldSpec, cone: &Footprint) -> Vec<Source> {
    let mut stars = spec.clone();
    stars.galaxies.scale = 0.0;
    field(&stars, cone, &Library::load()).unwrap()
}

#[test]
fn stars_have_parallaxes_motions_and_an_epoch_and_keep_within_their_limits() {
    let mut s = spec();
    (s.stars.bright, s.stars.faint) = (16.0, 21.5);
    let all = stars(&s, &Footprint::new(180.0, 10.0, 0.8).unwrap());
    assert!(all.len() > 2000, "{}", all.len());
    for star in &all {
        let motion = star.motion.unwrap();
        // From 1 pc to 100 kpc.
        assert!((0.01..1000.0).contains(&motion.parallax_mas) && motion.epoch_year == crate::milky_way::EPOCH_YEAR);
        assert!(motion.radial_velocity_km_s.abs() < 900.0);
        // The sum of the components, to rounding; AB is V - 0.01.
        assert!((16.0 - 1e-9..=21.5 + 1e-9).contains(&(magnitude(star) + 0.01)), "{}", magnitude(star));
        assert!(star.components.len() <= 2 && matches!(star.components[0].profile, Profile::Point));
    }
    let mut still = s.clone();
    still.stars.motion = false;
    assert!(stars(&still, &Footprint::new(180.0, 10.0, 0.1).unwrap()).iter().all(|s| s.motion.is_none()));
    // Near stars of the disk move faster on the sky than far ones of the halo.
    let speed = |near: f64, far: f64| {
        let of: Vec<f64> = all
            .iter()
            .filter_map(|s| s.motion)
            .filter(|m| (near..far).contains(&(1000.0 / m.parallax_mas)))
            .map(|m| m.pm_ra_mas_yr.hypot(m.pm_dec_mas_yr))
            .collect();
        assert!(of.len() > 50, "{near}..{far}");
        of.iter().sum::<f64>() / of.len() as f64
    };
    assert!(speed(100.0, 400.0) > 2.0 * speed(3000.0, 30_000.0));
}

#[test]
fn pairs_are_two_components_or_two_sources_by_their_separation() {
    let mut s = spec();
    (s.stars.bright, s.stars.faint, s.stars.scale) = (14.0, 22.0, 3.0);
    let cone = Footprint::new(359.99, 45.0, 0.6).unwrap();
    let with = stars(&s, &cone);
    s.stars.binaries = false;
    let without = stars(&s, &cone);
    let unresolved = with.iter().filter(|s| s.components.len() == 2).count() as f64;
    assert!(without.iter().all(|s| s.components.len() == 1 && s.id % 2 == 0));
    // Of dwarfs a quarter to a half have companions.
    let part = unresolved / with.len() as f64;
    assert!((0.15..0.5).contains(&part), "{part}");
    let by_id: BTreeMap<u64, &Source> = with.iter().map(|s| (s.id, s)).collect();
    let mut resolved = 0;
    for second in with.iter().filter(|s| s.id % 2 == 1) {
        let Some(first) = by_id.get(&(second.id - 1)) else { continue };
        let (a, b) = (sky(first), sky(second));
        let (x, y) = (crate::direction::vector(a.0, a.1), crate::direction::vector(b.0, b.1));
        let chord = (0..3).map(|k| (x[k] - y[k]).powi(2)).sum::<f64>().sqrt().to_degrees() * 3600.0;
        assert!((0.049..5.01).contains(&chord), "{chord} arcsec");
        let (p, q) = (first.motion.unwrap(), second.motion.unwrap());
        assert!(p == q && first.components.len() == 1 && second.components.len() == 1);
        resolved += 1;
    }
    assert!(resolved > 30, "{resolved}");
    // The same stars, whose pairs' light is that of the single ones.
    let single: BTreeMap<u64, f64> = without.iter().map(|s| (s.id, magnitude(s))).collect();
    let mut same = 0;
    for star in with.iter().filter(|s| s.components.len() == 2) {
        let m = single.get(&star.id).copied().unwrap_or_else(|| panic!("{} is not among the single stars", star.id));
        assert!((m - magnitude(star)).abs() < 1e-9);
        same += 1;
    }
    assert!(same > 1000, "{same}");
}

#[test]
fn dust_is_switched_off_by_its_key_and_scaled_by_the_column() {
    let cone = Footprint::new(120.0, 60.0, 0.3).unwrap();
    let greatest = |s: &FieldSpec| {
        let found = stars(s, &cone);
        assert!(found.len() > 500);
        found.iter().filter_map(|s| s.components[0].sed.extinction.as_ref().map(|e| e.e_bv)).fold(0.0, f64::max)
    };
    let mut s = spec();
    let model = greatest(&s);
    assert!((0.02..0.1).contains(&model), "{model}");
    s.e_bv = 0.5;
    assert!((greatest(&s) - 0.5).abs() < 1e-9);
    s.stars.dust = false;
    assert_eq!(greatest(&s), 0.0);
}

#[test]
fn clustered_and_lensed_galaxies_are_the_same_for_every_footprint_and_keep_the_counts() {
    let library = Library::load();
    let mut s = spec();
    s.lensing = LensingSpec::Structure;
    s.stars.scale = 0.0;
    s.galaxies.faint = 24.5;
    let all = |ra, dec, r| field(&s, &Footprint::new(ra, dec, r).unwrap(), &library).unwrap();
    let counts = GalaxyCounts::load();
    let (mut got, mut wanted) = (0.0, 0.0);
    for (ra, dec) in [(0.0, 41.8), (123.0, 89.9), (77.0, -30.0), (210.0, 3.0), (300.0, -75.0), (45.0, 12.0), (160.0, 60.0), (250.0, -50.0)]
    {
        let (a, b) = ((ra, dec, 0.1), ((ra + 0.05_f64).rem_euclid(360.0), dec - 0.05, 0.07));
        let index = |of: (f64, f64, f64), other: (f64, f64, f64)| -> BTreeMap<u64, String> {
            let other = Footprint::new(other.0, other.1, other.2).unwrap();
            all(of.0, of.1, of.2).iter().filter(|s| other.contains(sky(s).0, sky(s).1)).map(|s| (s.id, signature(s))).collect()
        };
        let (from_a, from_b) = (index(a, b), index(b, a));
        assert!(from_a.len() > 200, "{}", from_a.len());
        assert_eq!(from_a, from_b);
        got += from_a.len() as f64;
        let b = Footprint::new(b.0, b.1, b.2).unwrap();
        let a = Footprint::new(a.0, a.1, a.2).unwrap();
        // The area of the overlap by counting places.
        let mut draw = crate::draw::Draw::new(sim_core::stream::StreamKey::new(1).stream(ra as u64));
        let n = 4000;
        let inside = (0..n)
            .filter(|_| {
                let r = 0.07 * draw.uniform().sqrt();
                let (sin, cos) = (std::f64::consts::TAU * draw.uniform()).sin_cos();
                let dec = b.dec_deg + r * sin;
                a.contains((b.ra_deg + r * cos / dec.to_radians().cos()).rem_euclid(360.0), dec)
            })
            .count();
        wanted += counts.between_deg2(17.0, 24.5) * b.area_deg2() * inside as f64 / f64::from(n);
    }
    // 8 fields of 0.01 deg2: w of about 0.03 at 3 arcmin at this depth, so 17 % each, 6 % together; three of them.
    assert!((got / wanted - 1.0).abs() < 0.18, "{got} of {wanted}");
    let lensed = all(77.0, -30.0, 0.1);
    let far: Vec<&Source> = lensed.iter().filter(|s| s.redshift > 1.0).collect();
    let rms = (far.iter().map(|s| s.lensing.shear.g1.powi(2) + s.lensing.shear.g2.powi(2)).sum::<f64>() / far.len() as f64).sqrt();
    assert!(far.len() > 100 && (0.005..0.06).contains(&rms), "{rms}");
    assert!(far.iter().any(|s| s.lensing.kappa > 0.0) && far.iter().any(|s| s.lensing.kappa < 0.0));
}

#[test]
fn galaxies_cluster_more_than_poisson_and_not_when_told_so() {
    let library = Library::load();
    let mut s = spec();
    s.stars.scale = 0.0;
    s.galaxies.faint = 24.0;
    let spread = |clustering: bool| {
        let mut s = s.clone();
        s.galaxies.clustering = clustering;
        let mut bins = [0.0_f64; 64];
        for g in field(&s, &Footprint::new(50.0, 0.0, 0.3).unwrap(), &library).unwrap() {
            // Squares of 3 arcmin inside the cone.
            let (ra, dec) = sky(&g);
            let (x, y) = (((ra - 49.8) * 20.0).floor(), ((dec + 0.2) * 20.0).floor());
            if (0.0..8.0).contains(&x) && (0.0..8.0).contains(&y) {
                bins[(y * 8.0 + x) as usize] += 1.0;
            }
        }
        let mean = bins.iter().sum::<f64>() / 64.0;
        bins.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / 63.0 / mean
    };
    // Variance over mean: 1 for Poisson numbers with an error of sqrt(2 / 63) = 0.18; four of them.
    let (even, clustered) = (spread(false), spread(true));
    assert!((even - 1.0).abs() < 0.72, "{even}");
    assert!(clustered > 2.0, "{clustered}");
}
