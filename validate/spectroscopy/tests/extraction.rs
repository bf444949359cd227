//! Extraction of painted frames: flux, noise, lines, hits, crossings, the split between gratings.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod painter;

use ndarray::Array2;
use painter::*;
use sim_core::dispersion::{Grating, Opening};
use spectroscopy::extraction::{
    Bulge, ExtractionError, FrameSpectra, Instrument, Method, Morphology, NO_SENSITIVITY, Photometry, ProfileChoice, Psf, Settings, Source,
    extract_frame,
};
use spectroscopy::spectrum::Extracted;

const SHAPE: (usize, usize) = (300, 1000);
const ALL: [i32; 4] = [-1, 0, 1, 2];

fn instrument(gratings: &[Grating]) -> Instrument<'_> {
    Instrument { configured_detector: "10", frame_detector: "10", band: "GI", gratings, area_cm2: AREA, psf: Psf::gaussian(&FWHM).unwrap() }
}

fn source(id: u64, x: f64, y: f64, ab: f64) -> Source {
    Source { id, x, y, morphology: Morphology::Point, photometry: Some(Photometry::flat_ab(ab, 800.0)) }
}

fn settings() -> Settings {
    Settings { position: None, mesh_px: 100, ..Settings::default() }
}

fn run(frame: &Frame, gratings: &[Grating], sources: &[Source], settings: &Settings) -> FrameSpectra {
    extract_frame(&frame.image(), &instrument(gratings), sources, settings).unwrap()
}

fn of(spectra: &FrameSpectra, id: u64) -> &Extracted {
    spectra.spectra.iter().find(|s| s.id == id).unwrap()
}

/// Pulls of the flux between 650 and 950 nm.
fn pulls(s: &Extracted, truth: &dyn Fn(f64) -> f64) -> Vec<f64> {
    (0..s.flux.len())
        .filter(|&i| s.wavelength_nm[i] > 650.0 && s.wavelength_nm[i] < 950.0 && s.flux[i].is_finite())
        .map(|i| (s.flux[i] - truth(s.wavelength_nm[i])) / s.flux_error[i])
        .collect()
}

/// Stars far from each other in rows.
fn apart(ab: f64) -> Vec<Source> {
    (0..6).map(|i| source(i, 200.0 + 9.3 * i as f64, 30.0 + 46.7 * i as f64, ab)).collect()
}

fn painted<'a>(sources: &[Source], spectrum: &'a dyn Fn(f64) -> f64) -> Vec<Painted<'a>> {
    sources.iter().map(|s| star(s.x, s.y, spectrum)).collect()
}

#[test]
fn fluxes_scatter_about_the_truth_as_their_errors_say_for_box_and_optimal() {
    let gratings = [grating(Opening::whole(), 1.0, 8.0)];
    for (ab, method) in [
        (19.0, Method::Optimal { reject: 5.0 }),
        (22.5, Method::Optimal { reject: 5.0 }),
        (19.0, Method::Box { share: 0.95 }),
        (22.5, Method::Box { share: 0.95 }),
    ] {
        let (sources, truth) = (apart(ab), flat(ab));
        let frame = expose(&paint(&gratings, &painted(&sources, &truth), SHAPE, (0, 0), &ALL), 11);
        let out = run(&frame, &gratings, &sources, &Settings { method, ..settings() });
        let all: Vec<f64> = sources.iter().flat_map(|s| pulls(of(&out, s.id), &truth)).collect();
        let (mean, sigma) = moments(&all);
        println!("{ab} mag, {method:?}: {} pulls, mean {mean:.3}, sigma {sigma:.3}, background {:.4}", all.len(), out.background.mean());
        assert!(all.len() > 2000 && mean.abs() < 0.12 && (sigma - 1.0).abs() < 0.06, "{ab} {method:?}: {mean} {sigma}");
    }
}

#[test]
fn optimal_extraction_gains_over_the_box_what_the_closed_form_says() {
    let gratings = [grating(Opening::whole(), 1.0, 8.0)];
    let (sources, truth) = (apart(23.5), flat(23.5));
    let frame = expose(&paint(&gratings, &painted(&sources, &truth), SHAPE, (0, 0), &ALL), 12);
    let half = 4.0;
    let plain = Settings { local_background: false, iterations: 1, ..settings() };
    let optimal = run(&frame, &gratings, &sources, &plain);
    // A box of 8 pixels at 800 nm: the share of a Gaussian within +-4, seen through the pixels at its edges.
    let s = sigma(800.0);
    let share = erf(half / (s * 2.0_f64.sqrt()));
    let boxed = run(&frame, &gratings, &sources, &Settings { method: Method::Box { share: share.min(0.9999) }, ..plain });
    let mean_error = |f: &FrameSpectra| {
        let all: Vec<f64> = f
            .spectra
            .iter()
            .flat_map(|s| (0..s.flux.len()).filter(|&i| (s.wavelength_nm[i] - 800.0).abs() < 30.0).map(|i| s.rate_error[i]))
            .collect();
        moments(&all).0
    };
    let gain = mean_error(&boxed) / mean_error(&optimal);
    // Sky-limited: var_optimal = V / sum P^2, sum P^2 = 1 / (2 root(pi) s') with the pixel in s'; var_box = V n / E^2.
    let wide = (s * s + 1.0 / 12.0).sqrt();
    // The widths of the apertures are steps of 0.2 pixel: the box is the first that holds the share.
    let width = 2.0 * (half / 0.2).round() * 0.2;
    let expected = (width / share.powi(2) / (2.0 * std::f64::consts::PI.sqrt() * wide)).sqrt();
    println!("gain of optimal over box: {gain:.4}, closed form {expected:.4}");
    assert!((gain / expected - 1.0).abs() < 0.03, "{gain} against {expected}");
}

#[test]
fn a_narrow_line_keeps_its_flux_and_place() {
    let gratings = [grating(Opening::whole(), 1.0, 8.0)];
    let (at, width, flux) = (780.0, 0.25, 2e-14);
    let line = move |nm: f64| flux / (width * (2.0 * std::f64::consts::PI).sqrt()) * (-0.5 * ((nm - at) / width).powi(2)).exp();
    let faint = flat(22.0);
    let truth = move |nm: f64| faint(nm) + line(nm);
    let sources: Vec<Source> = apart(22.0);
    let light = paint(&gratings, &painted(&sources, &truth), SHAPE, (0, 0), &ALL);
    for seed in [0, 13] {
        let mut frame = expose(&light, 13);
        if seed == 0 {
            frame.rate = light.mapv(|v| (v + SKY) as f32);
        }
        let out = run(&frame, &gratings, &sources, &settings());
        let (mut sums, mut places) = (Vec::new(), Vec::new());
        for s in &out.spectra {
            let (mut sum, mut moment) = (0.0, 0.0);
            let mut dispersion = 0.0;
            for i in 1..s.flux.len() - 1 {
                let dw = 0.5 * (s.wavelength_nm[i + 1] - s.wavelength_nm[i - 1]);
                if (s.wavelength_nm[i] - at).abs() < 6.0 {
                    let f = s.flux[i] - flat(22.0)(s.wavelength_nm[i]);
                    sum += f * dw;
                    moment += f * dw * (s.wavelength_nm[i] - at);
                    dispersion = dw;
                }
            }
            sums.push(sum / flux);
            places.push(moment / sum / dispersion);
            assert!((s.line_fwhm_nm / dispersion - 2.8).abs() < 0.3, "{}", s.line_fwhm_nm / dispersion);
        }
        let ((flux_mean, flux_sd), (place, place_sd)) = (moments(&sums), moments(&places));
        println!("line, noise {}: flux {flux_mean:.5} +- {flux_sd:.5} of the truth, place {place:.4} +- {place_sd:.4} px", seed != 0);
        assert!((flux_mean - 1.0).abs() < 0.005 && place.abs() < 0.05, "{flux_mean} {place}");
    }
}

#[test]
fn hits_on_a_trace_are_removed_without_bias_by_flag_or_by_profile() {
    let gratings = [grating(Opening::whole(), 1.0, 8.0)];
    let (sources, truth) = (apart(20.0), flat(20.0));
    let clean = expose(&paint(&gratings, &painted(&sources, &truth), SHAPE, (0, 0), &ALL), 14);
    let reference = run(&clean, &gratings, &sources, &settings());
    for (name, flagged, factor) in [("flagged", true, 50.0f32), ("not flagged", false, 50.0), ("not flagged, faint", false, 1.5)] {
        let mut frame = expose(&paint(&gratings, &painted(&sources, &truth), SHAPE, (0, 0), &ALL), 14);
        let mut hit = Vec::new();
        for s in &sources {
            let trace = gratings[0].orders[1].trace(s.x, s.y);
            for k in 0..12 {
                let (dx, dy) = trace.offset(0.15 + 0.06 * f64::from(k));
                let (x, y) = ((s.x + dx).round() as usize, (s.y + dy).round() as usize + (k % 2) as usize);
                frame.rate[(y, x)] += factor;
                frame.error[(y, x)] = (frame.error[(y, x)].powi(2) + factor / TIME as f32).sqrt();
                frame.flags[(y, x)] |= if flagged { sim_core::flags::COSMIC_RAY as u16 } else { 0 };
                hit.push((s.id, x as f64));
            }
        }
        let out = run(&frame, &gratings, &sources, &settings());
        let mut off = Vec::new();
        for (s, r) in out.spectra.iter().zip(&reference.spectra) {
            for i in 0..s.flux.len() {
                if s.flags[i] & sim_core::flags::COSMIC_RAY as u16 != 0 && r.flags[i] == 0 && s.flux[i].is_finite() {
                    off.push((s.flux[i] - r.flux[i]) / r.flux_error[i]);
                }
            }
        }
        let (mean, sigma) = moments(&off);
        println!("{name}: {} of {} elements hit, change mean {mean:.3}, sd {sigma:.3} of the error", off.len(), hit.len());
        assert!(off.len() as f64 > 0.95 * hit.len() as f64 && mean.abs() < 0.25 && sigma < 1.6, "{name}: {mean} {sigma}");
    }
}

#[test]
fn crossing_spectra_are_told_apart_and_the_contamination_is_the_truth() {
    let gratings = [grating(Opening::whole(), 1.0, 8.0)];
    let (a, b) = (source(1, 200.0, 150.0, 21.0), source(2, 260.0, 152.5, 20.0));
    // A bluer neighbour than its photometry says, with a bump that broad bands do not know.
    let spectrum_a = flat(21.0);
    let spectrum_b = |nm: f64| flat(20.0)(nm) * (1.0 + 0.5 * (-0.5 * ((nm - 820.0) / 25.0).powi(2)).exp());
    let only = |which: usize| {
        let list = vec![star(a.x, a.y, &spectrum_a), star(b.x, b.y, &spectrum_b)];
        let mut list: Vec<Painted> = list;
        if which < 2 {
            list = vec![list.swap_remove(which)];
        }
        paint(&gratings, &list, SHAPE, (0, 0), &ALL)
    };
    let (light, light_b) = (only(2), only(1));
    let frame = expose(&light, 15);
    let sources = [a.clone(), b.clone()];
    let out = run(&frame, &gratings, &sources, &Settings { iterations: 6, ..settings() });
    let without = run(&frame, &gratings, &sources, &Settings { contamination: false, ..settings() });
    // By boxes, whose weights do not depend on the noise: the same sum for both.
    let method = Method::Box { share: 0.9 };
    let boxed = run(&frame, &gratings, &sources, &Settings { iterations: 6, method, ..settings() });
    let s = of(&boxed, 1);
    // Truth of the contamination: the neighbour alone, extracted with the profile of source 1 on the same columns.
    let mut alone = expose(&light, 15);
    alone.rate = light_b.mapv(|v| (v + SKY) as f32);
    let only_a = [sources[0].clone()];
    let plain = Settings { contamination: false, local_background: false, method, iterations: 0, ..settings() };
    let truth = run(&alone, &gratings, &only_a, &plain);
    let t = of(&truth, 1);
    let range = |i: &usize| s.wavelength_nm[*i] > 660.0 && s.wavelength_nm[*i] < 950.0;
    let (got, expected) = (0..s.rate.len()).filter(range).fold((0.0, 0.0), |sum, i| (sum.0 + s.contamination[i], sum.1 + t.rate[i]));
    let closure = |s: &Extracted| {
        let (f, e) = (0..s.rate.len())
            .filter(range)
            .filter(|i| s.flux[*i].is_finite())
            .fold((0.0, 0.0), |sum, i| (sum.0 + s.flux[i], sum.1 + spectrum_a(s.wavelength_nm[i])));
        f / e - 1.0
    };
    let (with, naked) = (closure(of(&out, 1)), closure(of(&without, 1)));
    println!("contamination {:.4} of the truth; flux closure {with:.4} with the model, {naked:.4} without", got / expected);
    assert!((got / expected - 1.0).abs() < 0.05, "{got} {expected}");
    assert!(with.abs() < 0.05 && naked.abs() > 3.0 * with.abs(), "{with} {naked}");
}

#[test]
fn a_source_at_the_split_appears_in_both_gratings_with_its_shares() {
    let (left, right) =
        (Opening { from: f64::NEG_INFINITY, to: 700.0, beam: 200.0 }, Opening { from: 700.0, to: f64::INFINITY, beam: 200.0 });
    let gratings = [grating(right, 1.0, 6.0), grating(left, -1.0, -6.0)];
    let sources: Vec<Source> = (0..4).map(|i| source(i, 660.0 + 20.0 * i as f64, 40.0 + 70.0 * i as f64, 19.5)).collect();
    let truth = flat(19.5);
    let frame = expose(&paint(&gratings, &painted(&sources, &truth), (300, 1400), (0, 0), &ALL), 16);
    let out = run(&frame, &gratings, &sources, &settings());
    for s in &sources {
        let both: Vec<&Extracted> = out.spectra.iter().filter(|e| e.id == s.id).collect();
        assert_eq!(both.len(), 2, "source {}", s.id);
        for e in both {
            assert!(e.wavelength_nm.windows(2).all(|w| w[1] > w[0]));
            let (mean, sigma) = moments(&pulls(e, &truth));
            println!("source {} share {:.2}: pulls {mean:.3} {sigma:.3}", s.id, gratings[1].opening.share(s.x));
            assert!(mean.abs() < 0.35 && (sigma - 1.0).abs() < 0.15, "{} {mean} {sigma}", s.id);
        }
    }
}

#[test]
fn a_galaxy_is_extracted_whole_and_models_close() {
    let gratings = [grating(Opening::whole(), 1.0, 8.0)];
    let shape = (4.0, 0.6, 60.0);
    let morphology = Morphology::Ellipse { half_light_px: shape.0, axis_ratio: shape.1, angle_deg: shape.2, bulge: Bulge::NONE };
    let galaxy = Source { morphology, ..source(5, 220.0, 140.0, 20.0) };
    let truth = flat(20.0);
    let painted = Painted { x: galaxy.x, y: galaxy.y, spectrum: &truth, points: disc(shape.0, shape.1, shape.2) };
    let light = paint(&gratings, &[painted], SHAPE, (0, 0), &ALL);
    let frame = expose(&light, 17);
    let out = run(&frame, &gratings, std::slice::from_ref(&galaxy), &Settings { iterations: 0, ..settings() });
    let (mean, sigma) = moments(&pulls(of(&out, 5), &truth));
    let off: Array2<f64> = Array2::from_shape_fn(SHAPE, |at| f64::from(out.model[at]) - light[at]);
    // The zeroth order lies left of column 200, the first right of it.
    let most = |a: &Array2<f64>, from: usize, to: usize| a.slice(ndarray::s![.., from..to]).iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let zeroth = most(&off, 0, 200) / most(&light, 0, 200);
    let (worst, peak) = (most(&off, 200, 1000), most(&light, 200, 1000));
    let whole = out.model.iter().map(|v| f64::from(*v)).sum::<f64>() / light.sum();
    println!(
        "galaxy: pulls {mean:.3} {sigma:.3}; model off by {:.4} of the first order's peak at worst, {zeroth:.4} of the zeroth's; light {whole:.5}",
        worst / peak
    );
    assert!(mean.abs() < 0.25 && (sigma - 1.0).abs() < 0.12 && (whole - 1.0).abs() < 0.003);
    assert!(worst < 0.02 * peak && zeroth < 0.03, "{worst} {peak} {zeroth}");
}

#[test]
fn the_psf_is_measured_on_the_frame_and_a_data_profile_agrees() {
    let gratings = [grating(Opening::whole(), 1.0, 8.0)];
    let (sources, truth) = (apart(18.0), flat(18.0));
    let frame = expose(&paint(&gratings, &painted(&sources, &truth), SHAPE, (0, 0), &ALL), 18);
    let wrong = Instrument { psf: Psf::gaussian(&[(800.0, 3.4)]).unwrap(), ..instrument(&gratings) };
    let out = extract_frame(&frame.image(), &wrong, &sources, &Settings { measure_psf: true, ..settings() }).unwrap();
    assert!(out.psf_measured);
    let right = Psf::gaussian(&FWHM).unwrap();
    for nm in [680.0, 800.0, 930.0] {
        let (got, expected) = (out.psf.fwhm(nm), right.fwhm(nm));
        println!("PSF at {nm} nm: {got:.3}, truth {expected:.3} pixel");
        assert!((got - expected).abs() < 0.1, "{got} {expected}");
    }
    let profile = ProfileChoice::Data { least: 50.0 };
    let data = extract_frame(&frame.image(), &wrong, &sources, &Settings { profile, ..settings() }).unwrap();
    for f in [&out, &data] {
        let (mean, sigma) = moments(&sources.iter().flat_map(|s| pulls(of(f, s.id), &truth)).collect::<Vec<f64>>());
        println!("pulls {mean:.3} {sigma:.3}");
        assert!(mean.abs() < 0.6 && sigma < 1.35, "{mean} {sigma}");
    }
}

#[test]
fn wrong_input_is_said_and_elements_without_sensitivity_are_flagged() {
    let gratings = [grating(Opening::whole(), 1.0, 8.0)];
    let (sources, truth) = (apart(20.0), flat(20.0));
    let frame = expose(&paint(&gratings, &painted(&sources, &truth), SHAPE, (0, 0), &[1]), 19);
    let fails = |instrument: &Instrument, sources: &[Source], settings: &Settings| {
        extract_frame(&frame.image(), instrument, sources, settings).unwrap_err()
    };
    let other = Instrument { configured_detector: "21", ..instrument(&gratings) };
    assert!(matches!(fails(&other, &sources, &settings()), ExtractionError::Detector { .. }));
    let third = Settings { orders: vec![3], ..settings() };
    assert!(fails(&instrument(&gratings), &sources, &third).to_string().contains("no order 3; it has [0, 1, 2, -1]"));
    let zeroth = Settings { orders: vec![0], ..settings() };
    assert!(
        extract_frame(&frame.image(), &instrument(&gratings), &sources, &zeroth).is_ok(),
        "the zeroth order of this grating is 3 columns long"
    );
    let mut lost = sources.clone();
    lost[2].x = f64::NAN;
    assert!(fails(&instrument(&gratings), &lost, &settings()).to_string().starts_with("source 2: position"));
    let flags = Array2::zeros((10, 10));
    let image = spectroscopy::image::SlitlessImage { flags: flags.view(), ..frame.image() };
    assert!(matches!(
        extract_frame(&image, &instrument(&gratings), &sources, &settings()),
        Err(ExtractionError::Shape { name: "flags", .. })
    ));
    // A source without photometry is extracted, listed, and in no model.
    let mut dark = sources.clone();
    dark[0].photometry = None;
    let out = run(&frame, &gratings, &dark, &settings());
    assert_eq!(out.without_photometry, vec![0]);
    let (mean, sigma) = moments(&pulls(of(&out, 0), &truth));
    assert!(mean.abs() < 0.4 && (sigma - 1.0).abs() < 0.2, "{mean} {sigma}");
    assert!(out.beyond_photometry.iter().all(|(_, nm)| *nm > 300.0) && out.beyond_photometry.len() == 5);
    let s = of(&out, 1);
    let blind: Vec<usize> = (0..s.flux.len()).filter(|&i| s.flags[i] & NO_SENSITIVITY != 0).collect();
    assert!(!blind.is_empty() && blind.iter().all(|&i| s.flux[i].is_nan() && s.rate[i].is_finite()));
    assert!(blind.iter().all(|&i| s.wavelength_nm[i] < 612.0 || s.wavelength_nm[i] > 1004.0));
}

#[test]
fn a_catalogue_that_is_off_is_put_right_before_the_extraction() {
    let gratings = [grating(Opening::whole(), 1.0, 8.0)];
    let (sources, truth) = (apart(19.0), flat(19.0));
    let frame = expose(&paint(&gratings, &painted(&sources, &truth), SHAPE, (0, 0), &ALL), 20);
    let off: Vec<Source> = sources.iter().map(|s| Source { x: s.x - 5.3, y: s.y + 3.7, ..s.clone() }).collect();
    let out = run(&frame, &gratings, &off, &Settings { position: Some(Default::default()), ..settings() });
    let position = out.position.as_ref().unwrap();
    let (dx, dy) = position.correction.at(300.0, 150.0);
    println!("{:?}: {dx:.4} {dy:.4}, rms {:?}", position.correction.status, position.correction.rms);
    assert!((dx - 5.3).abs() < 0.03 && (dy + 3.7).abs() < 0.03, "{dx} {dy}");
    let (mean, sigma) = moments(&sources.iter().flat_map(|s| pulls(of(&out, s.id), &truth)).collect::<Vec<f64>>());
    let lost = run(&frame, &gratings, &off, &settings());
    let (naked, _) = moments(&off.iter().flat_map(|s| pulls(of(&lost, s.id), &truth)).collect::<Vec<f64>>());
    println!("pulls {mean:.3} {sigma:.3}; mean {naked:.1} without the step");
    assert!(mean.abs() < 0.15 && (sigma - 1.0).abs() < 0.08 && naked < -3.0, "{mean} {sigma} {naked}");
}
