//! Redshifts of spectra whose answer is known.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use rand_distr::{Distribution, StandardNormal};
use sim_core::bandpass::Bandpass;
use sim_core::stream::{Stream, StreamKey};
use spectroscopy::redshift::{
    Class, Photometry, RedshiftError, RedshiftOptions, Redshifter, SourceInput, SourceRedshift, Status, line_table, source_table,
};
use spectroscopy::spectrum::Extracted;
use std::sync::OnceLock;

/// Gratings: band, first, last and step \[nm\].
const GRATINGS: [(&str, f64, f64, f64); 3] = [("GU", 255.0, 400.0, 0.37), ("GV", 400.0, 620.0, 0.52), ("GI", 620.0, 1000.0, 0.82)];

fn redshifter() -> &'static Redshifter {
    static ONCE: OnceLock<Redshifter> = OnceLock::new();
    ONCE.get_or_init(|| Redshifter::new(RedshiftOptions::default()).unwrap())
}

/// Spectra of `model(nm, sigma_nm)` with errors of `noise(nm)`; drawn when a stream is given.
fn spectra(model: impl Fn(f64, f64) -> f64, noise: impl Fn(f64) -> f64, mut draw: Option<Stream>) -> Vec<Extracted> {
    GRATINGS
        .iter()
        .map(|&(band, low, high, step)| {
            let mut s = Extracted { id: 7, band: band.into(), order: 1, line_fwhm_nm: 4.0 * step, ..Extracted::default() };
            for k in 0..((high - low) / step) as usize {
                let w = low + step * (k as f64 + 0.5);
                let e = noise(w);
                let n: f64 = draw.as_mut().map_or(0.0, |d| StandardNormal.sample(d));
                s.wavelength_nm.push(w);
                s.flux.push(model(w, s.line_fwhm_nm / 2.3548) + e * n);
                s.flux_error.push(e);
                s.flags.push(0);
            }
            s
        })
        .collect()
}

fn gauss(w: f64, centre: f64, sigma: f64) -> f64 {
    (-0.5 * ((w - centre) / sigma).powi(2)).exp() / (sigma * std::f64::consts::TAU.sqrt())
}

/// Continuum of 1e-17 and lines (vacuum \[nm\], flux \[1e-17 erg / s / cm2\]) at a redshift.
fn lined(z: f64, lines: &[(f64, f64)]) -> impl Fn(f64, f64) -> f64 {
    let lines = lines.to_vec();
    move |w, sigma| 1e-17 * (1.0 + lines.iter().map(|(c, f)| f * gauss(w, c * (1.0 + z), sigma)).sum::<f64>())
}

fn measure(s: &[Extracted]) -> SourceRedshift {
    redshifter().measure(&SourceInput { id: 7, spectra: s, ..SourceInput::default() }).unwrap()
}

/// The lines of a star-forming galaxy.
const FORMING: [(f64, f64); 7] =
    [(372.85, 12.0), (434.17, 2.3), (486.27, 5.0), (496.03, 4.0), (500.82, 12.0), (656.46, 15.0), (658.53, 3.0)];

#[test]
fn a_pair_of_strong_lines_gives_the_redshift_without_noise() {
    for z in [0.15, 0.4] {
        let r = measure(&spectra(lined(z, &FORMING), |_| 2e-19, None));
        assert_eq!(r.class, Some(Class::Galaxy));
        assert!((r.z - z).abs() / (1.0 + z) < 1e-4, "{} for {z}", r.z);
        assert!(r.reliable && r.reliability > 0.95, "{}", r.reliability);
    }
    let z = 0.55;
    let r = measure(&spectra(lined(z, &[(496.03, 4.0), (500.82, 12.0)]), |_| 2e-19, None));
    assert!((r.z - z).abs() / (1.0 + z) < 3e-4, "[O III] alone: {}", r.z);
}

#[test]
fn redshifts_and_line_fluxes_have_the_errors_they_state() {
    let z = 0.31;
    let (mut pulls, mut fluxes) = (vec![], vec![]);
    for k in 0..10 {
        let r = measure(&spectra(lined(z, &FORMING), |_| 1.5e-18, Some(StreamKey::new(5).stream(k))));
        pulls.push((r.z - z) / r.z_error);
        let o3 = r.lines.iter().find(|l| l.name == "O_III_501").unwrap();
        fluxes.push((o3.flux - 16e-17) / o3.flux_error);
        assert!(o3.flux > 8.0 * o3.flux_error && (o3.ew_nm - 16.0 / 1.31).abs() < 5.0 * o3.ew_error_nm, "{o3:?}");
    }
    for (what, p) in [("z", pulls), ("[O III]", fluxes)] {
        let rms = (p.iter().map(|v| v * v).sum::<f64>() / p.len() as f64).sqrt();
        // 10 draws: the rms of unit pulls lies in 0.5..1.6 with 99 % or more; stated errors hold floors and may be larger.
        assert!((0.25..1.6).contains(&rms), "{what}: rms pull {rms}, {p:?}");
    }
}

/// GI alone: one line at 700 nm and hardly any continuum, \[O II\] at 0.877 or H alpha at 0.066.
fn one_line(light: impl Fn(f64) -> f64) -> Vec<Extracted> {
    let mut all = spectra(move |w, s| light(w) + 1.5e-17 * gauss(w, 700.0, s), |_| 6e-19, Some(StreamKey::new(4).stream(8)));
    all.split_off(2)
}

#[test]
fn a_single_unresolved_line_is_not_called_reliable() {
    let r = measure(&one_line(|_| 1e-19));
    assert_eq!(r.status, Status::Measured);
    assert!(!r.reliable, "z {} at {}", r.z, r.reliability);
    assert!(r.z_second.is_finite());
}

#[test]
fn nothing_usable_means_no_redshift_and_says_so() {
    let empty = measure(&[]);
    assert_eq!((empty.status, empty.reliable), (Status::NoUsableSamples, false));
    assert!(empty.z.is_nan());
    let mut flagged = spectra(lined(0.3, &FORMING), |_| 2e-19, None);
    flagged.iter_mut().for_each(|s| s.flags.fill(sim_core::flags::NO_DATA as u16));
    assert_eq!(measure(&flagged).status, Status::NoUsableSamples);
    let mut insensitive = spectra(lined(0.3, &FORMING), |_| 2e-19, None);
    insensitive.iter_mut().for_each(|s| s.flux.fill(f64::NAN));
    assert_eq!(measure(&insensitive).status, Status::NoUsableSamples);
    let mut wrong = spectra(lined(0.3, &FORMING), |_| 2e-19, None);
    wrong.iter_mut().for_each(|s| s.flux_error.fill(-1.0));
    assert_eq!(measure(&wrong).status, Status::NoUsableSamples);
    let mut short = spectra(lined(0.3, &FORMING), |_| 2e-19, None);
    short.truncate(1);
    short[0].flags[20..].fill(sim_core::flags::NO_DATA as u16);
    assert_eq!(measure(&short).status, Status::TooFewSamples);
    let dark = spectra(|_, _| 0.0, |_| 1e-18, Some(StreamKey::new(9).stream(0)));
    assert_eq!(measure(&dark).status, Status::NoSignal);
}

#[test]
fn samples_without_numbers_are_left_out_and_counted() {
    let mut s = spectra(lined(0.4, &FORMING), |_| 2e-19, None);
    for k in (0..s[2].flux.len()).step_by(7) {
        s[2].flux[k] = f64::NAN;
        s[1].flux_error[k.min(400)] = 0.0;
    }
    let r = measure(&s);
    assert!(r.rejected > 60 && (r.z - 0.4).abs() < 3e-4, "{} {}", r.rejected, r.z);
}

#[test]
fn malformed_input_is_refused_with_its_name() {
    let good = spectra(lined(0.4, &FORMING), |_| 2e-19, None);
    let refused = |change: &dyn Fn(&mut Extracted)| {
        let mut s = good.clone();
        change(&mut s[1]);
        redshifter().measure(&SourceInput { id: 7, spectra: &s, ..SourceInput::default() }).unwrap_err()
    };
    assert!(matches!(refused(&|s| s.wavelength_nm.swap(3, 4)), RedshiftError::Wavelength { index: 1, .. }));
    assert!(matches!(refused(&|s| s.wavelength_nm[5] = f64::NAN), RedshiftError::Wavelength { element: 5, .. }));
    assert!(matches!(refused(&|s| s.line_fwhm_nm = 0.0), RedshiftError::LineSpread { .. }));
    let length = refused(&|s| s.flux_error.truncate(9));
    assert!(length.to_string().contains("flux_error has 9 elements"), "{length}");
    assert!(Redshifter::new(RedshiftOptions { floor: -0.1, ..RedshiftOptions::default() }).is_err());
}

fn hat(name: &str, low: f64, high: f64) -> Bandpass {
    Bandpass::new(name, vec![low - 1.0, low, high, high + 1.0], vec![0.0, 0.8, 0.8, 0.0]).unwrap()
}

#[test]
fn photometry_settles_what_a_grating_alone_cannot() {
    // The break of an old galaxy at 751 nm, far below the noise of an element, lies in the broad bands.
    let z = 0.8774;
    let light = move |w: f64| 3e-19 * if w < 400.0 * (1.0 + z) { 0.35 } else { 1.0 };
    let grating = one_line(light);
    let alone = redshifter().measure(&SourceInput { id: 1, spectra: &grating, ..SourceInput::default() }).unwrap();
    let bands =
        [hat("g", 400.0, 550.0), hat("r", 560.0, 690.0), hat("i", 700.0, 820.0), hat("z", 840.0, 990.0), hat("far", 1250.0, 1500.0)];
    let photometry: Vec<Photometry> = bands
        .iter()
        .map(|band| {
            let nu = |w: f64| light(w) * w * w / 2.997_924_58e17;
            let (low, high) = band.range_nm();
            let flux_nu = (0..200).map(|k| nu(low + (high - low) * (f64::from(k) + 0.5) / 200.0)).sum::<f64>() / 200.0;
            Photometry { band, flux_nu, error: 0.02 * flux_nu }
        })
        .collect();
    let both =
        redshifter().measure(&SourceInput { id: 1, spectra: &grating, photometry: &photometry, point_probability: Some(0.1) }).unwrap();
    assert_eq!(both.bands_outside, vec!["far".to_string()]);
    assert!((both.z - z).abs() < 0.01, "alone {} ({}), both {} ({})", alone.z, alone.reliability, both.z, both.reliability);
    assert!(!alone.reliable && both.reliability > alone.reliability, "{} {}", both.reliability, alone.reliability);
}

#[test]
fn a_blue_grating_alone_limits_the_redshift() {
    let s = spectra(lined(0.05, &[(372.85, 12.0)]), |_| 2e-19, None);
    let r = redshifter().measure(&SourceInput { id: 1, spectra: &s[..1], ..SourceInput::default() }).unwrap();
    assert!((r.z_max - (400.0 / 121.567 - 1.0)).abs() < 0.01, "{}", r.z_max);
}

#[test]
fn results_become_tables_and_json() {
    let r = vec![measure(&spectra(lined(0.4, &FORMING), |_| 2e-19, None)), measure(&[])];
    let t = source_table(&r);
    assert_eq!(t.rows(), 2);
    assert!(t.columns.iter().all(|c| c.data.len() == 2 && !c.description.is_empty()));
    assert!((t.f64s("Z").unwrap()[0] - 0.4).abs() < 1e-3 && t.f64s("Z").unwrap()[1].is_nan());
    assert!(line_table(&r).rows() > 5);
    let text = serde_json::to_string(&r[0]).unwrap();
    let back: SourceRedshift = serde_json::from_str(&text).unwrap();
    // The reader of JSON may be off by the last bit.
    assert!((back.z - r[0].z).abs() < 1e-14);
    let area: f64 = r[0].density.iter().map(|d| f64::from(*d)).sum::<f64>() * r[0].ln1z_step;
    assert!((area - 1.0).abs() < 1e-3, "{area}");
}
