use super::counts::GalaxyCounts;
use super::*;
use crate::cosmos::Background;
use crate::draw::Draw;
use crate::quasars::{Luminosity, QuasarSpectra};
use crate::supernovae::{FIRST_DAY, LAST_DAY, Supernovae, rates};
use sim_core::source::{Brightness, Position, Profile, SourceKind};
use std::collections::BTreeMap;

fn spec() -> FieldSpec {
    let mut spec = FieldSpec { seed: Some(20_270_101), ..FieldSpec::default() };
    spec.galaxies.faint = 25.0;
    spec
}

fn varying() -> FieldSpec {
    let mut spec = spec();
    (spec.quasars.scale, spec.supernovae.scale) = (3.0, 20.0);
    spec
}

fn sky(s: &Source) -> (f64, f64) {
    match s.position {
        Position::Sky { ra_deg, dec_deg } => (ra_deg, dec_deg),
        Position::Pixel { .. } => unreachable!("a synthetic source has a place on the sky"),
    }
}

fn nucleus(s: &Source) -> f64 {
    match s.components[0].brightness {
        Brightness::Ab { magnitude, .. } => magnitude,
        Brightness::Electrons(_) => unreachable!("a synthetic source has a magnitude"),
    }
}

fn at(spec: &FieldSpec, cone: (f64, f64, f64), mjd: f64) -> Vec<Source> {
    let library = Library::load();
    Population::new(spec, &library).unwrap().within(&Footprint::new(cone.0, cone.1, cone.2).unwrap(), &library, mjd)
}

/// All that a source is, spectra by their names: those of one name are one.
pub(super) fn told(source: &Source) -> String {
    let components: Vec<String> = source
        .components
        .iter()
        .map(|c| {
            let (sed, dust) = (&c.sed, c.sed.extinction.as_ref().map(|e| e.e_bv));
            let profile = match &c.profile {
                Profile::Image { pixels, axes_arcsec } => format!("{axes_arcsec:?} {}", pixels.sum()),
                other => format!("{other:?}"),
            };
            let brightness = match &c.brightness {
                Brightness::Ab { magnitude, band } => format!("{magnitude:?} {}", band.name),
                other => format!("{other:?}"),
            };
            format!("{profile} {} {:?} {dust:?} {brightness}", sed.template.name, sed.redshift)
        })
        .collect();
    let Source { id, kind, position, lensing, redshift, motion, seen, .. } = source;
    format!("{id} {kind:?} {position:?} {lensing:?} {redshift:?} {motion:?} {seen:?} {components:?}")
}

fn of(kind: SourceKind, sources: &[Source]) -> Vec<&Source> {
    sources.iter().filter(|s| s.kind == kind).collect()
}

#[test]
fn without_quasars_and_supernovae_nothing_changes_and_with_them_stars_and_galaxies_stay_to_the_bit() {
    let cone = (150.0, 2.0, 0.1);
    let plain = at(&spec(), cone, 60_000.0);
    assert!(plain.iter().all(|s| matches!(s.kind, SourceKind::Star | SourceKind::Galaxy)) && plain.len() > 2000);
    let words = |sources: &[Source]| -> Vec<String> {
        sources.iter().filter(|s| matches!(s.kind, SourceKind::Star | SourceKind::Galaxy)).map(told).collect()
    };
    assert_eq!(words(&plain), words(&at(&spec(), cone, 70_000.0)));
    let full = at(&varying(), cone, 60_000.0);
    assert_eq!(words(&plain), words(&full));
    assert!(of(SourceKind::Quasar, &full).len() > 20 && of(SourceKind::Supernova, &full).len() > 20);
    assert!(full.windows(2).all(|w| w[0].id < w[1].id));
    let mut wrong = spec();
    wrong.quasars.faint = 29.0;
    let message = field(&wrong, &Footprint::new(0.0, 0.0, 0.1).unwrap(), &Library::load()).unwrap_err().to_string();
    assert!(message.contains("quasars.faint = 29"), "{message}");
}

#[test]
fn quasars_are_the_same_at_every_date_but_for_their_brightness() {
    let mut s = spec();
    (s.stars.scale, s.galaxies.scale, s.quasars.scale) = (0.0, 0.0, 5.0);
    let cone = (10.0, -40.0, 0.3);
    let (early, late) = (at(&s, cone, 60_000.0), at(&s, cone, 62_000.0));
    assert!(early.len() > 500 && early.len() == late.len());
    let (mut moved, mut squares) = (0, 0.0);
    for (a, b) in early.iter().zip(&late) {
        assert_eq!((a.id, sky(a), a.redshift, a.components.len()), (b.id, sky(b), b.redshift, b.components.len()));
        assert!(a.components[0].sed.template.name.starts_with("quasar") && a.components.len() == 2);
        moved += usize::from(nucleus(a) != nucleus(b));
        squares += (nucleus(a) - nucleus(b)).powi(2);
    }
    // Five years, faint quasars: rms difference SF of 0.2 to 0.6 mag.
    let rms = (squares / early.len() as f64).sqrt();
    assert!(moved == early.len() && (0.15..0.8).contains(&rms), "{moved} {rms}");
    s.quasars.variable = false;
    let steady = at(&s, cone, 60_000.0);
    assert!(steady.iter().zip(&at(&s, cone, 62_000.0)).all(|(a, b)| nucleus(a) == nucleus(b)));
    // Counts of the law in half magnitudes, each within 4.5 Poisson errors.
    let library = Library::load();
    let slices = Luminosity::new(&QuasarSpectra::new(), &library.bands, library.bands.sdss_i()).slices(15.0, 26.5);
    let area = 5.0 * Footprint::new(cone.0, cone.1, cone.2).unwrap().area_deg2();
    for k in 0..7 {
        let (bright, faint) = (19.0 + f64::from(k), 20.0 + f64::from(k));
        let mean = area * slices.iter().map(|(_, law)| law.between_deg2(bright, faint)).sum::<f64>();
        let got = steady.iter().filter(|s| (bright..faint).contains(&nucleus(s))).count() as f64;
        assert!((got - mean).abs() < 4.5 * mean.sqrt() + 0.5, "{bright}: {got} of {mean}");
    }
}

#[test]
fn quasars_stand_where_the_structure_is_dense_and_keep_their_number() {
    let mut s = spec();
    (s.stars.scale, s.galaxies.scale, s.quasars.scale) = (0.0, 0.001, 1.0);
    (s.quasars.faint, s.quasars.variable, s.quasars.hosts) = (24.5, false, false);
    let library = Library::load();
    let population = Population::new(&s, &library).unwrap();
    let structure = &population.galaxies.as_ref().unwrap().structure;
    let (mut weighed, mut even, mut number, mut variance) = (0.0, 0.0, 0.0, 0.0);
    // Forty small fields over the sky: what stands in one is of one piece of structure, so that number of fields counts, not of quasars.
    let (fields, radius_deg) = (40, 0.09);
    for k in 0..fields {
        let cone = Footprint::new(
            (137.508 * f64::from(k)).rem_euclid(360.0),
            (1.9 * (f64::from(k) + 0.5) / 40.0 - 0.95_f64).asin().to_degrees(),
            radius_deg,
        );
        let found = population.within(&cone.unwrap(), &library, 60_000.0);
        for quasar in of(SourceKind::Quasar, &found) {
            let shell = structure.shells.at(structure.background.distance(quasar.redshift));
            let (ra, dec) = sky(quasar);
            let (g, v) = structure.smooth(shell, ra, dec);
            (weighed, variance) = (weighed + g, variance + v);
            // The same elsewhere: quasars and structure unrelated.
            even += structure.smooth(shell, ra + 90.0, -dec).0;
            number += 1.0;
        }
    }
    // Kept by exp(r g), r of 1 to 3, so that g is r times the variance in the mean; elsewhere 0.
    println!("{number} quasars: g {:.3}, elsewhere {:.3}, variance {:.3}", weighed / number, even / number, variance / number);
    assert!(weighed > 0.6 * variance && even.abs() < 0.4 * variance, "{weighed} {even} {variance}");
    let slices = Luminosity::new(&QuasarSpectra::new(), &library.bands, library.bands.sdss_i()).slices(15.0, 24.5);
    let area = f64::from(fields) * Footprint::new(0.0, 0.0, radius_deg).unwrap().area_deg2();
    let mean = area * slices.iter().map(|(_, law)| law.total_deg2()).sum::<f64>();
    assert!((number / mean - 1.0).abs() < 0.15, "{number} of {mean}");
}

#[test]
fn overlapping_footprints_see_the_same_quasars_and_supernovae() {
    let s = varying();
    let (a, b) = ((0.02, 20.0, 0.12), (359.96, 20.04, 0.1));
    let index = |cone: (f64, f64, f64), other: (f64, f64, f64)| -> BTreeMap<u64, String> {
        let other = Footprint::new(other.0, other.1, other.2).unwrap();
        let found = at(&s, cone, 61_000.0);
        found
            .iter()
            .filter(|s| matches!(s.kind, SourceKind::Quasar | SourceKind::Supernova) && other.contains(sky(s).0, sky(s).1))
            .map(|s| (s.id, format!("{s:?}")))
            .collect()
    };
    let (from_a, from_b) = (index(a, b), index(b, a));
    assert!(from_a.values().filter(|s| s.contains("Supernova")).count() > 20 && from_a.values().any(|s| s.contains("Quasar")));
    assert_eq!(from_a, from_b);
}

#[test]
fn as_many_supernovae_are_in_sight_as_rate_volume_and_time_say_and_most_bright_ones_have_hosts() {
    let mut s = spec();
    (s.stars.scale, s.supernovae.scale, s.supernovae.faint) = (0.0, 60.0, 25.0);
    (s.galaxies.clustering, s.galaxies.faint) = (false, 25.5);
    let cone = (200.0, 10.0, 0.3);
    let found = at(&s, cone, 61_000.0);
    let supernovae = of(SourceKind::Supernova, &found);
    // Rate x volume x time in sight, the latter by draws: 60 a slice and class.
    let library = Library::load();
    let (background, all) = (Background::new(s.cosmology), Supernovae::new(&library.bands));
    let h = s.cosmology.h;
    let area = Footprint::new(cone.0, cone.1, cone.2).unwrap().area_deg2() * (std::f64::consts::PI / 180.0).powi(2);
    let (mut mean, mut number) = (0.0, 0);
    for k in 0..120 {
        let (near, far) = (0.02 * f64::from(k), 0.02 * f64::from(k + 1));
        let z = 0.5 * (near + far);
        let volume = ((background.distance(far) / h).powi(3) - (background.distance(near) / h).powi(3)) / 3.0 * area;
        for (is_ia, rate) in [(true, rates::thermonuclear(z, h)), (false, rates::collapse(z, h))] {
            let mut seen = 0.0;
            for _ in 0..60 {
                let mut draw = Draw::new(StreamKey::new(77).stream(number));
                number += 1;
                let explosion = all.draw(is_ia, h, &mut draw);
                let day = draw.between(FIRST_DAY, LAST_DAY);
                let m = all.on_day(&explosion, day, z, library.bands.sdss_i(), &background).map_or(99.0, |m| m.0);
                seen += f64::from(u8::from(m < 25.0)) / 60.0;
            }
            mean += 60.0 * rate * volume * (LAST_DAY - FIRST_DAY) / 365.25 * seen;
        }
    }
    // Poisson, of the field and of the draws (14,400 of them, of which one in five is seen: 2 %), and steps of distance.
    let got = supernovae.len() as f64;
    assert!(mean > 1000.0 && (got / mean - 1.0).abs() < 0.12, "{got} of {mean}");
    // Hosts: a galaxy at the redshift within 9 arcsec.
    let galaxies = of(SourceKind::Galaxy, &found);
    let near: Vec<&&Source> = supernovae.iter().filter(|s| s.redshift < 0.6).collect();
    let hosted = near
        .iter()
        .filter(|s| {
            galaxies.iter().any(|g| {
                let (a, b) = (sky(s), sky(g));
                g.redshift == s.redshift && (a.1 - b.1).hypot((a.0 - b.0) * a.1.to_radians().cos()) * 3600.0 < 9.1
            })
        })
        .count() as f64;
    assert!(near.len() > 100 && hosted > 0.8 * near.len() as f64, "{hosted} of {}", near.len());
    let ids: std::collections::BTreeSet<u64> = supernovae.iter().map(|s| s.id).collect();
    assert!(ids.len() as f64 > 0.99 * got);
    assert!(supernovae.iter().all(|s| nucleus(s) < 25.0 && s.components[0].sed.template.name.starts_with("sn_")));
    // A week later most are still there, as others; sixty years later none.
    let later = at(&s, cone, 61_007.0);
    let again = of(SourceKind::Supernova, &later).iter().filter(|s| ids.contains(&s.id)).count() as f64;
    assert!(again > 0.7 * got && again < got, "{again} of {got}");
    assert!(GalaxyCounts::load().range().0 == 16.0);
}

#[test]
fn some_stars_vary_when_told_so_and_all_others_keep_every_bit() {
    let mut s = spec();
    (s.galaxies.scale, s.stars.faint, s.stars.bright) = (0.0, 22.0, 10.0);
    let cone = (270.0, 30.0, 0.7);
    let steady = at(&s, cone, 60_000.0);
    s.stars.variables = true;
    let (now, later) = (at(&s, cone, 60_000.0), at(&s, cone, 60_123.4));
    assert!(steady.len() > 5000 && now.len() == steady.len() && later.len() == steady.len());
    let (mut varied, mut flaring, mut largest) = (0, 0_usize, 0.0_f64);
    for ((a, b), c) in now.iter().zip(&later).zip(&steady) {
        assert_eq!((a.id, sky(a)), (b.id, sky(b)));
        let flares = |s: &Source| s.components.iter().any(|c| c.sed.template.name.starts_with("black_body"));
        if flares(a) || flares(b) {
            flaring += 1;
            continue;
        }
        assert_eq!(a.components.len(), b.components.len());
        let change = (nucleus(a) - nucleus(b)).abs();
        if change > 0.0 {
            varied += 1;
            largest = largest.max(change);
        } else if nucleus(a) == nucleus(c) {
            assert_eq!(told(a), told(c));
        }
    }
    // 1.3 % of the dwarfs eclipse, a sixth of the time at most when a curve of 0.3 d is as wide as 0.25; some halo and giant stars besides.
    let part = f64::from(varied) / now.len() as f64;
    assert!((0.0005..0.02).contains(&part) && (0.05..6.0).contains(&largest), "{part} {largest}");
    // Of M dwarfs a tenth is active, 0.4 flares a day of an hour each: a thousandth.
    assert!((1..now.len() / 100).contains(&flaring), "{flaring} of {}", now.len());
}
