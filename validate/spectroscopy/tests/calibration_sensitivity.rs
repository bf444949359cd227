//! Sensitivity from painted white dwarfs, against the efficiency they were painted with.
#![allow(clippy::unwrap_used, reason = "test code")]

mod calibrators;

use calibrators::{Light, Painter, hump, true_grating};
use sim_core::spectrum::Spectrum;
use sim_core::units::{Nanometre, PLANCK_J_S, SPEED_OF_LIGHT_M_S};
use spectroscopy::calibration::sensitivity::{Aperture, Sensitivity, Standard, measure_sensitivity, white_dwarf_masks};
use spectroscopy::calibration::{CalibrationError, CalibrationFrame, Calibrator, Nominal, OwnedFrame, Settings};

const AREA_CM2: f64 = 31_415.9;

/// A hot star with Balmer lines, V near 14: f_lambda in erg/s/cm2/nm.
fn dwarf() -> Spectrum {
    let w: Vec<f64> = (0..=8000).map(|i| 300.0 + 0.05 * f64::from(i)).collect();
    let f = w
        .iter()
        .map(|w| {
            let lines = [(486.27, 0.45, 3.0), (434.17, 0.45, 2.6), (410.29, 0.4, 2.2)];
            let depth: f64 = lines.iter().map(|(c, d, s)| d / (1.0 + ((w - c) / s).powi(2))).sum();
            9e-14 * (550.0 / w).powi(4) * (1.0 - depth)
        })
        .collect();
    Spectrum::new("DA", w, f).unwrap()
}

fn frames(n: usize) -> (Vec<OwnedFrame>, Vec<(f64, f64)>, Spectrum) {
    let (truth, model) = (true_grating(1.0), dwarf());
    let places: Vec<(f64, f64)> = (0..n).map(|k| (1500.3 + 780.7 * k as f64, 2000.6 + 900.4 * ((3 * k) % 5) as f64)).collect();
    let owned = places
        .iter()
        .enumerate()
        .map(|(k, &(x, y))| {
            let spectrum = model.clone();
            let photons = move |w: f64| spectrum.at(Nanometre(w)) * AREA_CM2 * w * 1e-9 / (PLANCK_J_S * SPEED_OF_LIGHT_M_S * 1e7);
            let mut painter = Painter::new((x as usize + 250, y as usize - 90), 640, 190, 900 + k as u64);
            painter.wings = 0.08;
            painter.source(&truth, x, y, &Light { lines: Vec::new(), continuum: Box::new(photons) });
            painter.expose(100)
        })
        .collect();
    (owned, places, model)
}

fn standards<'a>(owned: &'a [OwnedFrame], places: &[(f64, f64)], model: &'a Spectrum) -> Vec<Standard<'a>> {
    owned
        .iter()
        .zip(places)
        .map(|(f, &(x0, y0))| Standard {
            frame: CalibrationFrame { name: "WD", detector: "26", image: f.image(), calibrator: Calibrator::WhiteDwarf, x0, y0 },
            model,
        })
        .collect()
}

fn worst(s: &Sensitivity) -> (f64, f64) {
    let truth = hump(390.0, 630.0, 0.4);
    let peak = truth.efficiency().iter().copied().fold(0.0, f64::max);
    let got = s.bandpass().unwrap();
    let (mut worst, mut square, mut n) = (0.0_f64, 0.0_f64, 0.0_f64);
    for i in 0..480 {
        let w = 390.0 + 0.5 * f64::from(i);
        let t = truth.at(Nanometre(w));
        if t > 0.1 * peak {
            let r = got.at(Nanometre(w)) / t - 1.0;
            worst = worst.max(r.abs());
            square += r * r;
            n += 1.0;
        }
    }
    (worst, (square / n).sqrt())
}

#[test]
fn white_dwarfs_give_the_efficiency_to_one_per_cent() {
    let (owned, places, model) = frames(9);
    let nominal = Nominal { detector: "26".into(), band: "GV".into(), grating: true_grating(1.0) };
    let stars = standards(&owned, &places, &model);
    let settings = Settings::default();
    let s = measure_sensitivity(&stars, &nominal, 1, AREA_CM2, &white_dwarf_masks(), Aperture::Measured, &settings).unwrap();
    let (worst, rms) = worst(&s);
    println!(
        "worst {:.4}, rms {:.4}, chi2 {:.3}, parameters {:.1}, aperture {:.4} to {:.4}, grey {:.4}, valid {:?}",
        worst,
        rms,
        s.chi2,
        s.effective,
        s.aperture.at(420.0),
        s.aperture.at(600.0),
        s.grey_scatter,
        s.valid_nm
    );
    for star in &s.stars {
        println!("{star:?}");
    }
    assert!(worst < 0.01, "{worst}");
    // Light beyond 16.5 pixels: 0.08 (1 - 2/pi atan(11)).
    let inside = 1.0 - 0.08 * (1.0 - 2.0 / std::f64::consts::PI * 11.0_f64.atan());
    assert!((s.aperture.at(500.0) - inside).abs() < 0.002, "{} {inside}", s.aperture.at(500.0));
    let i = s.wavelength_nm.iter().position(|w| *w == 500.0).unwrap();
    assert!(s.efficiency_error[i] > 0.0 && s.efficiency_error[i] < 0.01 * s.efficiency[i]);
    assert!(serde_json::to_string(&s).unwrap().contains("per_flux"));
}

#[test]
fn a_model_too_short_and_a_frame_without_the_star_are_said() {
    let (owned, places, model) = frames(1);
    let nominal = Nominal { detector: "26".into(), band: "GV".into(), grating: true_grating(1.0) };
    let run = |stars: &[Standard<'_>]| {
        measure_sensitivity(stars, &nominal, 1, AREA_CM2, &[], Aperture::Stated(0.99), &Settings::default()).unwrap_err()
    };
    let short = Spectrum::new("short", vec![450.0, 700.0], vec![1e-15, 1e-15]).unwrap();
    assert!(matches!(run(&standards(&owned, &places, &short)), CalibrationError::ModelRange { .. }));
    let dark = Painter::new(owned[0].origin, 640, 190, 5).expose(0);
    assert!(matches!(run(&standards(&[dark], &places, &model)), CalibrationError::TooFewColumns { have: 0, .. }));
    let mut other = standards(&owned, &places, &model);
    other[0].frame.detector = "27";
    assert!(matches!(run(&other), CalibrationError::WrongDetector { .. }));
}
