//! Traces and wavelengths of a painted grid of nebulae, against the truth they were painted with.
#![allow(clippy::unwrap_used, reason = "test code")]

mod calibrators;

use calibrators::{grid, nebula_frame, nominal_grating, true_grating};
use sim_core::dispersion::{Grating, Order};
use spectroscopy::calibration::line_list::vacuum_list;
use spectroscopy::calibration::report::{Calibration, calibrate};
use spectroscopy::calibration::{CalibrationError, CalibrationFrame, Calibrator, Edits, Nominal, OwnedFrame, Settings};

fn order(grating: &Grating, number: i32) -> &Order {
    grating.orders.iter().find(|o| o.number == number).unwrap()
}

fn frames<'a>(owned: &'a [OwnedFrame], names: &'a [String], places: &[(f64, f64)]) -> Vec<CalibrationFrame<'a>> {
    owned
        .iter()
        .zip(names)
        .zip(places)
        .map(|((f, name), &(x0, y0))| CalibrationFrame { name, detector: "26", image: f.image(), calibrator: Calibrator::Nebula, x0, y0 })
        .collect()
}

fn run(direction: f64, n: usize, settings: &Settings) -> (Result<Calibration, CalibrationError>, Grating) {
    let truth = true_grating(direction);
    let places = grid(n);
    let owned: Vec<OwnedFrame> = places.iter().enumerate().map(|(k, &(x, y))| nebula_frame(&truth, x, y, k as u64)).collect();
    let names: Vec<String> = (0..places.len()).map(|k| format!("PN-{k:02}")).collect();
    let nominal = Nominal { detector: "26".into(), band: "GV".into(), grating: nominal_grating(direction) };
    (calibrate(&frames(&owned, &names, &places), &nominal, &vacuum_list(0.0), settings, &Edits::default()), truth)
}

/// Root mean square of trace \[pixel\] and wavelength \[pixel\] against the truth over other places than the grid's.
fn against_truth(got: &Order, truth: &Order) -> (f64, f64) {
    let (mut trace_sum, mut wave_sum, mut n) = (0.0, 0.0, 0.0);
    for (x0, y0) in grid(4) {
        let (a, b) = (got.trace(x0, y0), truth.trace(x0, y0));
        for i in 0..=20 {
            let wavelength = 405.0 + 10.0 * f64::from(i);
            let t = b.parameter(wavelength);
            let (dx, dy) = b.offset(t);
            let u = a.parameter(wavelength);
            let (ex, ey) = a.offset(u);
            let slope = a.direction(u).1 / a.direction(u).0;
            trace_sum += (ey - slope * (ex - dx) - dy).powi(2);
            wave_sum += (ex - dx).powi(2);
            n += 1.0;
        }
    }
    ((trace_sum / n).sqrt(), (wave_sum / n).sqrt())
}

#[test]
fn a_grid_of_nebulae_gives_back_traces_and_wavelengths_both_ways() {
    for direction in [1.0, -1.0] {
        let (result, truth) = run(direction, 5, &Settings::default());
        let calibration = result.unwrap();
        for number in [1, -1] {
            let report = calibration.report.orders.iter().find(|o| o.order == number).unwrap();
            let (trace, wavelength) = (report.trace.as_ref().unwrap(), report.wavelength.as_ref().unwrap());
            let (dy, dx) = against_truth(order(&calibration.grating, number), order(&truth, number));
            let cross = &wavelength.cross_validation;
            println!(
                "direction {direction} order {number}: trace rms {:.4} px (left out {:.4}), truth {dy:.4} px; wavelength rms {:.4} px, \
                 left out {:.4} px = {:.4} nm = {:.1} km/s, worst {:.3} px, truth {dx:.4} px; {} lines used, {} not, shared error {:.4} nm",
                trace.rms_px,
                trace.cross_validation.rms_px,
                wavelength.rms_px,
                cross.rms_px,
                cross.rms_nm.unwrap(),
                cross.rms_km_s.unwrap(),
                cross.worst_px,
                wavelength.samples_used,
                wavelength.samples_rejected,
                wavelength.shared_error
            );
            println!(
                "  {} and {} positions, largest error {:.3} and {:.3} px, {:?}",
                trace.positions_used.len(),
                wavelength.positions_used.len(),
                trace.worst_error_px,
                wavelength.worst_error_px,
                report.problem
            );
            assert_eq!(report.problem, None);
            // A point of the faint order, of signal to noise 8, has an error of 0.15 pixel: its scatter says little, the truth more.
            assert!(trace.cross_validation.rms_px < if number == 1 { 0.1 } else { 0.15 } && dy < 0.05, "trace of order {number}");
            assert!(cross.rms_px < 0.1 && dx < 0.1, "wavelength of order {number}");
            assert!(wavelength.positions_used.len() >= 23, "{:?}", wavelength.positions_rejected);
        }
        let zeroth = |g: &Grating| order(g, 0).trace(3000.0, 6000.0).offset(0.5);
        let (a, b) = (zeroth(&calibration.grating), zeroth(&truth));
        println!("zeroth order: {a:?} of {b:?}");
        // Its light is not evenly spread over its 1.5 pixels.
        assert!((a.0 - b.0).abs() < 0.25 && (a.1 - b.1).abs() < 0.05);
        // The product can be written.
        assert!(serde_json::to_string(&calibration.report).unwrap().contains("cross_validation"));
    }
}
