use super::*;
use crate::cosmos::Cosmology;
use sim_core::stream::StreamKey;
use sim_core::units::Nanometre;

fn ia(colour: f64) -> Explosion {
    Explosion { kind: Kind::Thermonuclear, absolute_b: -19.3, stretch: 1.0, colour }
}

#[test]
fn at_redshift_zero_the_maximum_in_b_is_the_absolute_magnitude_plus_the_modulus() {
    let bands = ReferenceBands::load();
    let (all, background) = (Supernovae::new(&bands), Background::new(Cosmology::default()));
    let z = 1e-6;
    let mut checked = 0;
    for kind in [Kind::Thermonuclear, Kind::Collapse(0), Kind::Collapse(2), Kind::Collapse(5)] {
        let explosion = Explosion { kind, ..ia(0.0) };
        let (m, _) = all.on_day(&explosion, 0.0, z, bands.bessell_b(), &background).unwrap();
        assert!((m - (-19.3 - 0.09 + background.modulus(z))).abs() < 1e-4, "{kind:?}: {m}");
        checked += 1;
    }
    assert_eq!(checked, 4);
    // A normal Ia: B - V = 0 at maximum (Vega; AB - Vega -0.09 and -0.01), 1.1 in B after 15 d (Phillips et al. 1999), B - V = 1.1 after 30 d.
    let at = |day: f64, band: &Bandpass| all.on_day(&ia(0.0), day, z, band, &background).unwrap().0;
    let (b, v) = (bands.bessell_b(), bands.bessell_v());
    let b_v = |day: f64| at(day, b) + 0.09 - at(day, v) - 0.01;
    assert!(b_v(0.0).abs() < 0.1, "{}", b_v(0.0));
    assert!((at(15.0, b) - at(0.0, b) - 1.1).abs() < 0.15, "{}", at(15.0, b) - at(0.0, b));
    assert!((0.9..1.4).contains(&b_v(30.0)), "{}", b_v(30.0));
}

#[test]
fn ia_at_half_redshift_has_the_magnitude_of_a_direct_integration() {
    let bands = ReferenceBands::load();
    let (all, background) = (Supernovae::new(&bands), Background::new(Cosmology::default()));
    let (i, z) = (bands.sdss_i(), 0.5);
    let (m, spectrum) = all.on_day(&ia(0.0), 0.0, z, i, &background).unwrap();
    // K of Hogg et al. 2002 by trapezoids of 0.1 nm: photons through i at z over photons through B at rest, each over those of constant f_nu.
    let sum = |f: &dyn Fn(f64) -> f64, low: f64, high: f64| {
        let n = ((high - low) / 0.1) as usize;
        (0..n).map(|k| f(low + 0.1 * (k as f64 + 0.5)) * 0.1).sum::<f64>()
    };
    let (il, ih) = i.range_nm();
    let (bl, bh) = bands.bessell_b().range_nm();
    let through_i = sum(&|w| spectrum.at(Nanometre(w / (1.0 + z))) / (1.0 + z) * i.at(Nanometre(w)) * w, il, ih)
        / sum(&|w| i.at(Nanometre(w)) / w, il, ih);
    let through_b = sum(&|w| spectrum.at(Nanometre(w)) * bands.bessell_b().at(Nanometre(w)) * w, bl, bh)
        / sum(&|w| bands.bessell_b().at(Nanometre(w)) / w, bl, bh);
    let wanted = -19.3 - 0.09 + background.modulus(z) - 2.5 * (through_i / through_b).log10();
    assert!((m - wanted).abs() < 2e-3, "{m} against {wanted}");
    // Near 22.7: real ones of this redshift peak at i = 22 to 23.
    assert!((22.0..23.2).contains(&m), "{m}");
}

#[test]
fn slow_ones_fade_later_and_red_ones_are_redder() {
    let bands = ReferenceBands::load();
    let (all, background) = (Supernovae::new(&bands), Background::new(Cosmology::default()));
    let at = |e: &Explosion, day: f64, band: &Bandpass| all.on_day(e, day, 0.02, band, &background).unwrap().0;
    let slow = Explosion { stretch: 1.2, ..ia(0.0) };
    assert!(at(&slow, 15.0, bands.bessell_b()) < at(&ia(0.0), 15.0, bands.bessell_b()) - 0.2);
    let colour = |e: &Explosion| at(e, 0.0, bands.bessell_b()) - at(e, 0.0, bands.bessell_v());
    // c is an excess in B - V: 0.2 of it, less what the bands smear.
    assert!((colour(&ia(0.2)) - colour(&ia(0.0)) - 0.2).abs() < 0.03, "{}", colour(&ia(0.2)) - colour(&ia(0.0)));
    // After the template 1.4 mag in 100 d of the template's time.
    assert!((at(&ia(0.0), 250.0, bands.bessell_b()) - at(&ia(0.0), 150.0, bands.bessell_b()) - 1.4).abs() < 1e-9);
    assert!(all.on_day(&ia(0.0), -19.0, 0.02, bands.bessell_b(), &background).is_none());
    assert!(all.on_day(&ia(0.0), 301.0, 0.02, bands.bessell_b(), &background).is_none());
}

#[test]
fn plateaus_fall_as_published_and_cool_to_red() {
    let bands = ReferenceBands::load();
    let (all, background) = (Supernovae::new(&bands), Background::new(Cosmology::default()));
    let plateau = Explosion { kind: Kind::Collapse(0), ..ia(0.0) };
    let z = 1e-6;
    let at = |day: f64, band: &Bandpass| all.on_day(&plateau, day, z, band, &background).unwrap().0;
    let v = |day: f64| at(day, bands.bessell_v());
    // Anderson et al. 2014: 1.27 mag / 100 d on the plateau, 1.47 on the tail.
    assert!((v(70.0) - v(30.0) - 0.4 * 1.27).abs() < 1e-4 && (v(250.0) - v(150.0) - 1.47).abs() < 1e-4);
    assert!((v(105.0) - v(75.0) - 2.0 - 0.3 * 1.47).abs() < 1e-4);
    let b_v = |day: f64| at(day, bands.bessell_b()) - v(day);
    assert!(b_v(60.0) > b_v(0.0) + 0.5);
    assert!(all.on_day(&plateau, -10.5, z, bands.bessell_v(), &background).is_none());
    assert!((all.collapse.shares().iter().sum::<f64>() - 1.0).abs() < 1e-9);
}

#[test]
fn luminosities_are_drawn_with_the_published_means() {
    let all = Supernovae::new(&ReferenceBands::load());
    let n = 20_000_u64;
    let (mut sum, mut squares, mut plateaus) = (0.0, 0.0, (0.0, 0.0));
    for k in 0..n {
        let e = all.draw(true, 0.7, &mut Draw::new(StreamKey::new(3).stream(k)));
        sum += e.absolute_b;
        squares += e.absolute_b * e.absolute_b;
        let c = all.draw(false, 0.72, &mut Draw::new(StreamKey::new(4).stream(k)));
        if c.kind == Kind::Collapse(0) {
            plateaus = (plateaus.0 + 1.0, plateaus.1 + c.absolute_b);
        }
    }
    let mean = sum / n as f64;
    let sigma = (squares / n as f64 - mean * mean).sqrt();
    // Means of halves of normals: x 0.973 - sqrt(2 / pi) (1.472 - 0.222) = -0.024, c -0.054 + 0.798 x 0.058 = -0.008: -19.05 + 0.003 - 0.024 = -19.07.
    assert!((mean + 19.07).abs() < 0.015, "{mean}");
    // 0.141 x 0.946, 3.101 x 0.0746 and 0.1 in squares: 0.285.
    assert!((0.275..0.295).contains(&sigma), "{sigma}");
    // Binomial: 0.482 +- 0.0035; mean of 9600 draws of sigma 0.98: 0.01.
    assert!((plateaus.0 / n as f64 - 0.482).abs() < 0.015 && (plateaus.1 / plateaus.0 + 16.75).abs() < 0.04);
}

#[test]
fn rates_are_those_of_the_sources_and_heavy_forming_hosts_have_more() {
    // By hand: 2.5e-5 x 1.5^1.5; 9.7e-5 / sqrt(2.5); psi(1) / psi(0) = 2^2.7 / (1 + (2 / 2.9)^5.6) x (1 + 2.9^-5.6) = 5.79.
    assert!((rates::thermonuclear(0.5, 0.7) / 4.593e-5 - 1.0).abs() < 1e-3);
    assert!((rates::thermonuclear(1.5, 0.7) / 6.135e-5 - 1.0).abs() < 1e-3 && rates::thermonuclear(3.5, 0.7) == 0.0);
    assert!((rates::collapse(0.0, 0.73) / 7.05e-5 - 1.0).abs() < 1e-12);
    let ratio = rates::collapse(1.0, 0.7) / rates::collapse(0.0, 0.7);
    assert!((ratio - 5.79).abs() < 0.02, "{ratio}");
    let (heavy, light) = (rates::weights(11.0, false, 0.1), rates::weights(9.0, false, 0.1));
    assert!(heavy.0 > light.0 && heavy.1 > light.1);
    let old = rates::weights(11.0, true, 0.1);
    assert!(old.1 == 0.0 && (old.0 - 5.3e-3).abs() < 1e-12);
}
