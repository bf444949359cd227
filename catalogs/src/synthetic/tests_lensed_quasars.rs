//! Quasars behind strong lenses.

use super::*;
use sim_core::source::{Brightness, Position, Profile, SourceKind};

fn spec() -> FieldSpec {
    let mut spec = FieldSpec { seed: Some(11), ..FieldSpec::default() };
    (spec.stars.scale, spec.galaxies.scale) = (0.0, 0.0);
    spec.galaxies.clustering = false;
    (spec.lenses.quasars, spec.lenses.faint, spec.lenses.least_einstein_arcsec) = (1000.0, 24.9, 0.25);
    spec
}

fn i_of(source: &Source) -> f64 {
    match source.components[0].brightness {
        Brightness::Ab { magnitude, .. } => magnitude,
        Brightness::Electrons(_) => f64::NAN,
    }
}

fn found(spec: &FieldSpec, radius_deg: f64, mjd: f64) -> Vec<Lens> {
    let library = Library::load();
    let cone = Footprint::new(200.0, 30.0, radius_deg).unwrap();
    Population::new(spec, &library).unwrap().lenses_within(&cone, &library, mjd)
}

#[test]
fn lensed_quasars_are_as_many_as_published_and_a_seventh_has_four_images() {
    let mut spec = spec();
    (spec.quasars.hosts, spec.quasars.variable) = (false, false);
    // The cosmology of the paper: with omega_m 0.31 there are an eighth fewer.
    (spec.cosmology.omega_m, spec.cosmology.h) = (0.26, 0.72);
    let radius = 0.7;
    let lenses = found(&spec, radius, 60_000.0);
    let area = 1000.0 * Footprint::new(0.0, 0.0, radius).unwrap().area_deg2();
    // As Oguri & Marshall 2010 count: the fainter of two or the third of more images is seen, flux ratio of two above 0.1, images not farther apart than 4 arcsec.
    let apart = |l: &Lens| {
        let pairs = l.images.iter().flat_map(|a| l.images.iter().map(move |b| (a.at[0] - b.at[0]).hypot(a.at[1] - b.at[1])));
        pairs.fold(0.0, f64::max)
    };
    let seen = |l: &Lens, limit: f64, least_arcsec: f64| {
        let judged = l.images[if l.images.len() == 2 { 1 } else { 2 }].magnification.abs();
        let ratio = judged / l.images[0].magnification.abs();
        l.source_i - 2.5 * judged.log10() < limit && (l.images.len() > 2 || ratio > 0.1) && (least_arcsec..4.0).contains(&apart(l))
    };
    let library = Library::load();
    let quasars = QuasarModel::new(&spec, &library, (14.0, 24.9));
    // Survey, limit, least separation, published lenses, area, share of four images, published quasars.
    for (name, limit, arcsec, number, deg2, quads, all) in [
        ("LSST, a year", 24.9, 0.5, 8191.0, 20_000.0, 0.13, 2.35e7),
        ("DES", 24.0, 0.6, 1146.0, 5000.0, 0.14, 3.68e6),
        ("PS1 3 pi", 22.2, 2.0 / 3.0, 1963.0, 30_000.0, 0.16, 7.52e6),
    ] {
        let of: Vec<&Lens> = lenses.iter().filter(|l| seen(l, limit, arcsec)).collect();
        let density = of.len() as f64 / area;
        let four = of.iter().filter(|l| l.images.len() > 2).count() as f64 / of.len() as f64;
        let behind: f64 = quasars.slices().0.iter().map(|(_, law)| law.between_deg2(14.0, limit)).sum();
        println!(
            "{name}: {} made, {density:.3} /deg2 of {:.3}, four images {four:.2} of {quads}; quasars {behind:.0} of {:.0}, lensed {:.2e} of {:.2e}",
            of.len(),
            number / deg2,
            all / deg2,
            density / behind,
            number / all
        );
        let (share, published) = (density / behind, number / all);
        let poisson = (of.len() as f64).sqrt().recip();
        // Their quasars are others (Richards et al. 2006, extrapolated): 1.3 to 1.4 times ours; of them as many are lensed, within 20 % and two errors.
        assert!((share / published).ln().abs() < 0.2_f64.ln_1p() + 2.0 * poisson, "{name}: {share} of {published}");
        assert!((four - quads).abs() < 0.03 + 2.0 * (quads / of.len() as f64).sqrt(), "{name}: {four} of {quads}");
        assert!((0.55..0.95).contains(&(behind * deg2 / all)), "{name}: {behind}");
    }
}

#[test]
fn images_of_a_quasar_are_the_quasar_magnified_and_seen_at_different_times() {
    let mut spec = spec();
    (spec.lenses.faint, spec.lenses.quasars) = (23.0, 300.0);
    let lenses = found(&spec, 0.2, 60_000.0);
    assert!(lenses.len() > 5, "{}", lenses.len());
    let images = |l: &Lens| l.sources.iter().filter(|s| s.kind == SourceKind::LensedQuasar).cloned().collect::<Vec<Source>>();
    for lens in &lenses {
        let points = images(lens);
        assert!(points.len() == lens.images.len() && lens.sources[0].kind == SourceKind::LensGalaxy);
        assert!(lens.source_redshift > lens.deflector.redshift && lens.images_i <= 23.0);
        // The host is there as arcs.
        let host = lens.sources.last().unwrap();
        assert!(host.kind == SourceKind::LensedGalaxy && matches!(host.components[0].profile, Profile::Image { .. }));
        for (point, image) in points.iter().zip(&lens.images) {
            let Position::Sky { ra_deg, dec_deg } = point.position else { unreachable!("fields are on the sky") };
            let (east, north) = ((ra_deg - lens.at.0) * lens.at.1.to_radians().cos() * 3600.0, (dec_deg - lens.at.1) * 3600.0);
            assert!((east - image.at[0]).hypot(north - image.at[1]) < 1e-3, "{east} {north} {image:?}");
            assert!(matches!(point.components[0].profile, Profile::Point) && point.redshift == lens.source_redshift);
        }
        assert!(lens.delays_d.iter().all(|d| (0.0..1000.0).contains(d)) && lens.delays_d.contains(&0.0));
    }
    // What one image shows the other shows when its delay has passed, dimmer by the ratio of the magnifications.
    let lens = &lenses[0];
    let later = found(&spec, 0.2, 60_000.0 + lens.delays_d[1] - lens.delays_d[0]);
    let (now, then) = (images(lens), images(&later[0]));
    let dimmer = -2.5 * (lens.images[1].magnification / lens.images[0].magnification).abs().log10();
    assert!((i_of(&then[1]) - i_of(&now[0]) - dimmer).abs() < 1e-3, "{} {} {dimmer}", i_of(&then[1]), i_of(&now[0]));
    assert!((i_of(&then[0]) - i_of(&now[0])).abs() > 1e-6);
    // And without change each is the mean with its magnification.
    spec.quasars.variable = false;
    let still = &found(&spec, 0.2, 60_000.0)[0];
    for (point, image) in images(still).iter().zip(&still.images) {
        assert!((i_of(point) - still.source_i + 2.5 * image.magnification.abs().log10()).abs() < 1e-9);
    }
}

#[test]
fn lensed_quasars_change_nothing_else_and_are_the_same_whichever_window_asks() {
    let library = Library::load();
    let mut with = FieldSpec { seed: Some(3), ..FieldSpec::default() };
    (with.galaxies.faint, with.lenses.scale, with.lenses.faint, with.lenses.quasars) = (22.0, 0.5, 24.0, 300.0);
    let mut without = with.clone();
    without.lenses.quasars = 0.0;
    let made = |spec: &FieldSpec, radius: f64| {
        let cone = Footprint::new(10.0, -20.0, radius).unwrap();
        Population::new(spec, &library).unwrap().within(&cone, &library, 60_000.0)
    };
    let (full, plain) = (made(&with, 0.15), made(&without, 0.15));
    let words = |sources: &[Source]| sources.iter().map(super::tests_varying::told).collect::<Vec<String>>();
    let kept: std::collections::BTreeSet<u64> = plain.iter().map(|s| s.id).collect();
    let (rest, lensed): (Vec<Source>, Vec<Source>) = full.into_iter().partition(|s| kept.contains(&s.id));
    assert_eq!(words(&rest), words(&plain));
    assert!(lensed.iter().filter(|s| s.kind == SourceKind::LensedQuasar).count() >= 2);
    let all: std::collections::BTreeSet<String> = words(&lensed).into_iter().collect();
    let part = made(&with, 0.1).into_iter().filter(|s| !kept.contains(&s.id)).collect::<Vec<Source>>();
    assert!(!part.is_empty() && words(&part).iter().all(|w| all.contains(w)));
}
