//! Clusters and strong lenses of the synthetic field.

use super::lens_pairs::Spot;
use super::*;
use crate::clusters::{Halo, HaloCounts};
use crate::cosmos::Background;
use crate::direction::{dot, vector};
use crate::draw::Draw;
use crate::lenses::Deflector;
use sim_core::source::{Brightness, Position, Profile, SourceKind};

fn spec() -> FieldSpec {
    let mut spec = FieldSpec { seed: Some(20), ..FieldSpec::default() };
    (spec.stars.scale, spec.galaxies.scale) = (0.0, 0.0);
    spec
}

fn clusters() -> FieldSpec {
    let mut spec = spec();
    spec.clusters.scale = 1.0;
    spec.galaxies.faint = 24.0;
    spec
}

fn lenses() -> FieldSpec {
    let mut spec = spec();
    spec.lenses.scale = 1.0;
    spec
}

fn place(source: &Source) -> (f64, f64) {
    match source.position {
        Position::Sky { ra_deg, dec_deg } => (ra_deg, dec_deg),
        Position::Pixel { .. } => unreachable!("fields are on the sky"),
    }
}

fn magnitude(source: &Source) -> f64 {
    let light = |b: &Brightness| match b {
        Brightness::Ab { magnitude, .. } => 10.0_f64.powf(-0.4 * magnitude),
        Brightness::Electrons(_) => 0.0,
    };
    -2.5 * source.components.iter().map(|c| light(&c.brightness)).sum::<f64>().log10()
}

fn same(a: &[Source], b: &[Source]) {
    assert_eq!(a.len(), b.len());
    for (x, y) in a.iter().zip(b) {
        assert_eq!((x.id, place(x), x.redshift.to_bits()), (y.id, place(y), y.redshift.to_bits()));
        assert_eq!(magnitude(x).to_bits(), magnitude(y).to_bits());
    }
}

#[test]
fn without_clusters_and_lenses_a_field_is_as_it_was_and_with_them_its_galaxies_are_the_same() {
    let (library, cone) = (Library::load(), Footprint::new(10.0, -20.0, 0.12).unwrap());
    let mut plain = FieldSpec { seed: Some(3), ..FieldSpec::default() };
    plain.galaxies.faint = 23.0;
    let mut rich = plain.clone();
    (rich.clusters.scale, rich.lenses.scale, rich.lenses.faint) = (3.0, 5.0, 24.5);
    let before = field(&plain, &cone, &library).unwrap();
    let after = field(&rich, &cone, &library).unwrap();
    assert!(after.len() > before.len() + 20 && after.windows(2).all(|w| w[0].id < w[1].id));
    assert!(before.iter().all(|s| matches!(s.kind, SourceKind::Star | SourceKind::Galaxy)));
    let old: Vec<Source> = after.into_iter().filter(|s| matches!(s.kind, SourceKind::Star | SourceKind::Galaxy)).collect();
    same(&before, &old);
}

#[test]
fn a_cluster_and_a_lens_are_the_same_whichever_window_asks() {
    let library = Library::load();
    let mut both = clusters();
    both.lenses.scale = 2.0;
    both.lenses.faint = 25.0;
    let population = Population::new(&both, &library).unwrap();
    let whole = population.within(&Footprint::new(150.0, 2.0, 0.4).unwrap(), &library, 60_000.0);
    let part = Footprint::new(150.15, 2.1, 0.2).unwrap();
    let inside: Vec<Source> = whole.iter().filter(|s| part.contains(place(s).0, place(s).1)).cloned().collect();
    assert!(inside.len() > 100, "{}", inside.len());
    // The light between galaxies comes from outside too.
    let mut asked = population.within(&part, &library, 60_000.0);
    let from_outside = asked.iter().filter(|s| !part.contains(place(s).0, place(s).1)).count();
    assert!(asked.iter().all(|s| s.kind == SourceKind::IntraclusterLight || part.contains(place(s).0, place(s).1)) && from_outside > 0);
    asked.retain(|s| part.contains(place(s).0, place(s).1));
    same(&inside, &asked);
    let kinds = |k: SourceKind| inside.iter().filter(|s| s.kind == k).count();
    for kind in [SourceKind::ClusterGalaxy, SourceKind::IntraclusterLight, SourceKind::LensGalaxy, SourceKind::LensedGalaxy] {
        assert!(kinds(kind) > 0, "{kind:?}");
    }
    // Some members' clusters have their centre outside the part.
    let cluster = |s: &Source| s.id >> 16;
    let stray = inside.iter().filter(|s| s.kind == SourceKind::ClusterGalaxy && s.id & 0xffff != 0);
    let centred: Vec<u64> = inside.iter().filter(|s| s.kind == SourceKind::ClusterGalaxy && s.id & 0xffff == 0).map(cluster).collect();
    assert!(stray.filter(|s| !centred.contains(&cluster(s))).count() > 0);
}

#[test]
fn clusters_are_as_many_as_the_mass_function_says_and_cluster() {
    let library = Library::load();
    let mut spec = clusters();
    (spec.galaxies.faint, spec.clusters.diffuse) = (19.0, 0.0);
    spec.galaxies.bright = 17.0;
    let population = Population::new(&spec, &library).unwrap();
    let background = Background::new(spec.cosmology);
    let expected = HaloCounts::new(&background).above_deg2(5e13 * spec.cosmology.h, 0.05, 2.0);
    // Ten fields of 0.8 deg2, far apart: brightest galaxies are there whatever their magnitude.
    let (mut found, mut area, mut numbers) = (0.0, 0.0, Vec::new());
    for k in 0..10 {
        let cone = Footprint::new(36.0 * f64::from(k), -45.0 + 9.0 * f64::from(k), 0.5).unwrap();
        let sources = population.within(&cone, &library, 60_000.0);
        let n = sources.iter().filter(|s| s.kind == SourceKind::ClusterGalaxy && s.id & 0xffff == 0).count() as f64;
        numbers.push(n);
        found += n;
        area += cone.area_deg2();
    }
    let mean = expected * area;
    println!("{expected:.2} clusters per deg2 above 5e13 solar masses; found {:.2}", found / area);
    // Poisson and structure: fields scatter by at most 40 % each (below), so the mean of ten by 13 %; three of that.
    assert!((found / mean - 1.0).abs() < 0.38, "{found} {mean}");
    let average = found / 10.0;
    let variance = numbers.iter().map(|n| (n - average).powi(2)).sum::<f64>() / 9.0;
    assert!(variance < (0.4 * average).powi(2), "{numbers:?}");
}

#[test]
fn members_are_red_concentrated_and_move() {
    let library = Library::load();
    let sources = Population::new(&clusters(), &library).unwrap().within(&Footprint::new(150.0, 2.0, 0.7).unwrap(), &library, 60_000.0);
    // The richest cluster whose centre is here.
    let mut members: std::collections::BTreeMap<u64, Vec<&Source>> = std::collections::BTreeMap::new();
    for s in sources.iter().filter(|s| s.kind == SourceKind::ClusterGalaxy) {
        members.entry(s.id >> 16).or_default().push(s);
    }
    let rich = members.values().filter(|m| m[0].id & 0xffff == 0).max_by_key(|m| m.len()).unwrap();
    assert!(rich.len() > 60, "{}", rich.len());
    let (centre, z) = (vector(place(rich[0]).0, place(rich[0]).1), rich[0].redshift);
    let mut apart: Vec<f64> = rich[1..].iter().map(|s| dot(&vector(place(s).0, place(s).1), &centre).clamp(-1.0, 1.0).acos()).collect();
    apart.sort_by(f64::total_cmp);
    let background = Background::new(FieldSpec::default().cosmology);
    // Half of the members lie within 0.2 to 0.6 of the outermost's distance (NFW of c = 3 to 6 projected: 0.35 to 0.45).
    let half = apart[apart.len() / 2] / apart[apart.len() - 1];
    assert!((0.2..0.6).contains(&half), "{half}");
    let radius = apart[apart.len() - 1] * background.distance(z);
    assert!((0.5..4.0).contains(&radius), "{radius} Mpc/h");
    let speeds: Vec<f64> = rich[1..].iter().map(|s| ((1.0 + s.redshift) / (1.0 + z) - 1.0) * 299_792.458).collect();
    let dispersion = (speeds.iter().map(|v| v * v).sum::<f64>() / speeds.len() as f64).sqrt();
    assert!((250.0..1500.0).contains(&dispersion), "{dispersion}");
    // Colours: most of the bright ones share one g - r.
    let (g, r) = (library.bands.sdss_g(), library.bands.sdss_r());
    let colour = |s: &Source| {
        let c = &s.components[0].sed;
        -2.5 * (g.mean_fnu(c) / r.mean_fnu(c)).log10()
    };
    let mut bright = rich.clone();
    bright.sort_by(|a, b| magnitude(a).total_cmp(&magnitude(b)));
    bright.truncate(40);
    let mut colours: Vec<f64> = bright.iter().map(|s| colour(s)).collect();
    colours.sort_by(f64::total_cmp);
    // The blue share is 0.15 to 0.4 at these redshifts; the sequence falls by 0.1 mag or less over what are some three magnitudes.
    let red = colours[28];
    let near = colours.iter().filter(|c| (*c - red).abs() < 0.12).count() as f64 / colours.len() as f64;
    assert!((0.5..0.99).contains(&near), "{near} {colours:?}");
}

#[test]
fn the_light_between_galaxies_is_its_share_of_the_light_of_a_cluster() {
    let library = Library::load();
    let mut spec = clusters();
    (spec.galaxies.faint, spec.clusters.least_mass) = (26.0, 2e14);
    spec.clusters.scale = 5.0;
    let sources = Population::new(&spec, &library).unwrap().within(&Footprint::new(150.0, 2.0, 0.6).unwrap(), &library, 60_000.0);
    let flux = |s: &Source| 10.0_f64.powf(-0.4 * magnitude(s));
    let (mut diffuse, mut galaxies, mut looked) = (0.0, 0.0, 0);
    for light in sources.iter().filter(|s| s.kind == SourceKind::IntraclusterLight) {
        // Clusters well inside, near enough that nearly all of the members' light is above the limit.
        let apart = dot(&vector(place(light).0, place(light).1), &vector(150.0, 2.0)).clamp(-1.0, 1.0).acos().to_degrees();
        if apart > 0.45 || light.redshift < 0.2 || light.redshift > 0.8 {
            continue;
        }
        diffuse += flux(light);
        let of_it = |s: &&Source| s.kind == SourceKind::ClusterGalaxy && s.id >> 16 == light.id >> 16;
        galaxies += sources.iter().filter(of_it).map(flux).sum::<f64>();
        looked += 1;
    }
    // Share 0.11 with a scatter of 0.05, members Poisson: 0.05 / sqrt(n) and some per cent; spectra of blue members have other colours.
    let share = diffuse / (diffuse + galaxies);
    assert!(looked >= 6 && (share - 0.11).abs() < 0.04, "{share} of {looked}");
}

#[test]
fn lenses_have_several_images_and_are_as_bright_as_asked() {
    let library = Library::load();
    let mut spec = lenses();
    (spec.lenses.scale, spec.lenses.faint) = (8.0, 25.0);
    let population = Population::new(&spec, &library).unwrap();
    let cone = Footprint::new(30.0, 5.0, 0.25).unwrap();
    let found = population.lenses_within(&cone, &library, J2000_MJD);
    assert!(found.len() > 10, "{}", found.len());
    for lens in &found {
        assert!((2..=4).contains(&lens.images.len()) && lens.images_i <= 25.0 && lens.sie.einstein_arcsec >= 0.3);
        assert!(lens.source_redshift > lens.deflector.redshift && cone.contains(lens.at.0, lens.at.1));
        assert_eq!((lens.sources[0].kind, lens.sources[1].kind), (SourceKind::LensGalaxy, SourceKind::LensedGalaxy));
        assert!(
            (magnitude(&lens.sources[1]) - lens.images_i).abs() < 1e-9 && (magnitude(&lens.sources[0]) - lens.deflector_i).abs() < 1e-9
        );
        for component in &lens.sources[1].components {
            let Profile::Image { pixels, .. } = &component.profile else { unreachable!("images of lensed galaxies") };
            assert!(pixels.iter().all(|v| v.is_finite() && *v >= 0.0) && pixels.len() >= 256);
        }
    }
    let part = Footprint::new(30.0, 5.0, 0.12).unwrap();
    let there = found.iter().filter(|l| part.contains(l.at.0, l.at.1)).count();
    assert!(there > 5 && population.within(&part, &library, 60_000.0).len() == 2 * there, "{there}");
    // Twice the scale gives about twice as many; the same pairs are not kept, only their number.
    spec.lenses.scale = 16.0;
    let twice = Population::new(&spec, &library).unwrap().lenses_within(&cone, &library, J2000_MJD).len() as f64;
    let once = found.len() as f64;
    assert!((twice - 2.0 * once).abs() < 5.0 * (6.0 * once).sqrt(), "{twice} {once}");
}

#[test]
fn lenses_stand_where_the_structure_is_dense_and_keep_their_number() {
    let library = Library::load();
    let population = Population::new(&lenses(), &library).unwrap();
    let (model, field) = (population.lenses.as_ref().unwrap(), population.galaxy_field(&library, None, None).unwrap());
    let structure = &field.model.structure;
    let (mut kept, mut weighed, mut variance) = (0.0, 0.0, 0.0);
    let deflectors = 3000;
    for k in 0..deflectors {
        // Places all over the sky: neighbours in number are 67,000 cells apart.
        let cell = grid::Cell { number: 67_001 * k };
        let (ra_deg, dec_deg) = grid::middle_deg(9, cell.parent(9));
        let smooth = structure.smooth_shells(ra_deg, dec_deg);
        let deflector = Deflector::draw(0.2 + 1.3 * k as f64 / deflectors as f64, 200.0, &mut Draw::new(StreamKey::new(5).stream(k)));
        let (g, v) = smooth[structure.shells.at(structure.background.distance(deflector.redshift))];
        variance += v / deflectors as f64;
        if model.pairs.stands(Spot { cell: &cell, number: 0, smooth: Some(&smooth) }, &deflector, &field) {
            (kept, weighed) = (kept + 1.0, weighed + g);
        }
    }
    println!("{kept} of {deflectors} deflectors: g {:.3}, variance {variance:.3}", weighed / kept);
    // A sixth is kept, 500 +- 20, less the crests above 6: 3 %. Kept by exp(r g), r = 1.9: g is r times the variance in the mean, +- 0.02.
    assert!((kept / 500.0 - 1.0_f64).abs() < 0.16, "{kept}");
    assert!((1.3..2.2).contains(&(weighed / kept / variance)), "{} {variance}", weighed / kept);
}

#[test]
fn lenses_as_euclid_would_find_them_are_as_many_as_published() {
    let library = Library::load();
    let mut spec = lenses();
    (spec.lenses.scale, spec.lenses.faint) = (10.0, 23.8);
    let cone = Footprint::new(200.0, 30.0, 0.5).unwrap();
    let found = Population::new(&spec, &library).unwrap().lenses_within(&cone, &library, J2000_MJD);
    let area = 10.0 * cone.area_deg2();
    // Collett 2015, section 3.1, with Euclid's seeing of 0.18 arcsec: theta_E^2 > r_s^2 + (seeing / 2)^2, mu > 3, mu r_s > seeing.
    let seen = |l: &&Lens| {
        let r = l.source_radius_arcsec;
        l.sie.einstein_arcsec.powi(2) > r * r + 0.09 * 0.09 && l.magnification > 3.0 && l.magnification * r > 0.18
    };
    let density = found.iter().filter(seen).filter(|l| l.images_i < 23.75).count() as f64 / area;
    // 170,000 on 15,000 deg2 = 11.3 per deg2 of signal to noise 20, in a survey of 24.5 at 10 sigma: 23.75. His sources differ, by tens of per cent as he says, and
    // ours are limited by magnitude alone: a factor 2.
    assert!((11.3 / 2.0..11.3 * 2.0).contains(&density), "{density}");
}

#[test]
fn galaxies_behind_clusters_are_sheared_as_the_closed_form_says() {
    let library = Library::load();
    let mut with = spec();
    (with.galaxies.scale, with.galaxies.bright, with.galaxies.faint) = (1.0, 20.0, 24.0);
    (with.clusters.scale, with.clusters.least_mass, with.clusters.diffuse) = (10.0, 3e14, 0.0);
    with.lensing = LensingSpec::Structure;
    let mut without = with.clone();
    without.clusters.lensing = false;
    let cone = Footprint::new(150.0, 2.0, 0.25).unwrap();
    let (bent, straight) = (field(&with, &cone, &library).unwrap(), field(&without, &cone, &library).unwrap());
    let background = Background::new(with.cosmology);
    // The clusters by their brightest galaxies: the nearest one must be the only one around.
    let population = Population::new(&with, &library).unwrap();
    let haloes = population.clusters.as_ref().unwrap().near(&cone, population.galaxies.as_ref().unwrap());
    assert!(haloes.len() > 3, "{}", haloes.len());
    let before: std::collections::HashMap<u64, &Source> = straight.iter().map(|s| (s.id, s)).collect();
    let (mut looked, mut most) = (0, 0.0_f64);
    for galaxy in bent.iter().filter(|s| s.kind == SourceKind::Galaxy) {
        let Some(old) = before.get(&galaxy.id) else { continue };
        let (at, distance) = (place(galaxy), background.distance(galaxy.redshift));
        let (mut kappa, mut shear) = (old.lensing.kappa, old.lensing.shear);
        (shear.g1, shear.g2) = (shear.g1 * (1.0 - kappa), shear.g2 * (1.0 - kappa));
        for cluster in &haloes {
            // The closed form in the frame of the line from galaxy to cluster, by plane geometry.
            let (halo, centre) = cluster.centre();
            let u = (centre.0 - at.0).to_radians() * at.1.to_radians().cos();
            let v = (centre.1 - at.1).to_radians();
            let angle = u.hypot(v);
            if angle > 2.0 * halo.angle() || halo.distance >= distance {
                continue;
            }
            let (k, tangential) = halo.lensing(distance, angle);
            let twice = 2.0 * v.atan2(u);
            kappa += k;
            (shear.g1, shear.g2) = (shear.g1 - tangential * twice.cos(), shear.g2 - tangential * twice.sin());
            most = most.max(tangential);
        }
        let (g1, g2) = (shear.g1 / (1.0 - kappa), shear.g2 / (1.0 - kappa));
        let apart = (galaxy.lensing.shear.g1 - g1).hypot(galaxy.lensing.shear.g2 - g2);
        // Plane geometry over half a degree: 1e-4 of the angles, so 1e-3 of a shear; and the step at the rim.
        assert!(apart < 0.004 && (galaxy.lensing.kappa - kappa).abs() < 0.004, "{apart} {:?} {kappa}", galaxy.lensing);
        looked += 1;
    }
    assert!(looked > 2000 && most > 0.05, "{looked} {most}");
}

#[test]
fn members_and_lenses_out_of_range_are_refused() {
    let library = Library::load();
    for change in [
        (|s: &mut FieldSpec| s.clusters.scale = 11.0) as fn(&mut FieldSpec),
        |s| s.clusters.least_mass = 1e12,
        |s| s.clusters.diffuse = -1.0,
        |s| s.lenses.scale = f64::NAN,
        |s| s.lenses.quasars = -1.0,
        |s| s.lenses.faint = 29.0,
        |s| s.lenses.least_einstein_arcsec = 0.0,
    ] {
        let mut spec = spec();
        change(&mut spec);
        assert!(matches!(Population::new(&spec, &library).err(), Some(FieldError::Range { .. })));
    }
    let halo = Halo::new(&Background::new(spec().cosmology), 1e14, 0.3);
    assert!(halo.concentration > 3.0 && halo.concentration < 7.0);
}
