//! What is wrong with frames and settings is said, or flagged in the product.
#![allow(clippy::unwrap_used, reason = "test code")]

mod calibrators;

use calibrators::{Light, Painter, grid, nebula, nebula_frame, nominal_grating, true_grating};
use sim_core::flags;
use spectroscopy::calibration::edits::{NamedLine, OrderEdits};
use spectroscopy::calibration::line_list::vacuum_list;
use spectroscopy::calibration::measure::{PositionMeasurement, measure_position};
use spectroscopy::calibration::report::calibrate;
use spectroscopy::calibration::trace::Fate;
use spectroscopy::calibration::{CalibrationError, CalibrationFrame, Calibrator, Edits, Nominal, OwnedFrame, Settings};

const PLACE: (f64, f64) = (3000.4, 5000.7);

fn nominal() -> Nominal {
    Nominal { detector: "26".into(), band: "GV".into(), grating: nominal_grating(1.0) }
}

fn view(frame: &OwnedFrame, x0: f64, y0: f64) -> CalibrationFrame<'_> {
    CalibrationFrame { name: "PN", detector: "26", image: frame.image(), calibrator: Calibrator::Nebula, x0, y0 }
}

fn measure(frame: &OwnedFrame, edits: &Edits) -> PositionMeasurement {
    measure_position(&view(frame, PLACE.0, PLACE.1), &nominal(), &vacuum_list(0.0), &Settings::default(), edits).unwrap()
}

#[test]
fn wrong_detectors_planes_and_places_are_errors() {
    let frame = nebula_frame(&true_grating(1.0), PLACE.0, PLACE.1, 1);
    let run = |view: CalibrationFrame<'_>, settings: &Settings| {
        measure_position(&view, &nominal(), &vacuum_list(0.0), settings, &Edits::default()).unwrap_err()
    };
    let (good, settings) = (view(&frame, PLACE.0, PLACE.1), Settings::default());
    assert!(matches!(run(CalibrationFrame { detector: "5", ..good }, &settings), CalibrationError::WrongDetector { .. }));
    let off = run(CalibrationFrame { x0: 8000.0, ..good }, &settings);
    assert!(matches!(off, CalibrationError::OffFrame { .. }) && off.to_string().contains("8000.0"), "{off}");
    let mut torn = good;
    torn.image.flags = torn.image.flags.slice_move(ndarray::s![1.., ..]);
    assert!(matches!(run(torn, &settings), CalibrationError::Shapes { .. }));
    assert!(matches!(run(good, &Settings { bin: 0, ..settings }), CalibrationError::Setting { key: "bin", .. }));
}

#[test]
fn an_empty_frame_and_a_star_without_lines_are_flagged() {
    let origin = (2150, 4940);
    let empty = measure(&Painter::new(origin, 1700, 130, 3).expose(100), &Edits::default());
    let main = empty.order(1).unwrap();
    assert!(main.dispersion.is_none() && main.problem.is_some(), "{main:?}");
    let mut painter = Painter::new(origin, 1700, 130, 4);
    painter.source(&true_grating(1.0), PLACE.0, PLACE.1, &Light { lines: Vec::new(), continuum: Box::new(|_| 60.0) });
    let star = measure(&painter.expose(100), &Edits::default());
    let main = star.order(1).unwrap();
    assert!(main.trace.is_some() && main.dispersion.is_none());
    assert!(main.problem.as_ref().unwrap().contains("emission lines found"), "{:?}", main.problem);
}

#[test]
fn saturated_lines_are_not_used_and_a_persons_line_is() {
    let truth = true_grating(1.0);
    let mut frame = nebula_frame(&truth, PLACE.0, PLACE.1, 5);
    let line = vacuum_list(0.0).into_iter().find(|f| f.name == "[OIII] 5007").unwrap();
    let trace = truth.orders[0].trace(PLACE.0, PLACE.1);
    let column = PLACE.0 + trace.offset(trace.parameter(line.main_nm())).0;
    let row = PLACE.1 + trace.offset(trace.parameter(line.main_nm())).1;
    let at = [(row.round() as usize) - frame.origin.1, (column.round() as usize) - frame.origin.0];
    frame.flags[at] |= flags::SATURATED as u16;
    let find = |m: &PositionMeasurement, name: &str| {
        m.order(1).unwrap().dispersion.as_ref().unwrap().lines.iter().find(|l| l.name == name).unwrap().clone()
    };
    let plain = measure(&frame, &Edits::default());
    assert_eq!(find(&plain, &line.name).fate, Fate::Saturated);
    let mut edits = Edits::default();
    let named = NamedLine { name: line.name.clone(), x: column + 0.4 };
    edits.set("PN", 1, OrderEdits { lines_added: vec![named], ..OrderEdits::default() });
    let forced = find(&measure(&frame, &edits), &line.name);
    assert!(forced.fate == Fate::Used && forced.added && (forced.dx + PLACE.0 - column).abs() < 0.3, "{forced:?}");
}

#[test]
fn a_brighter_star_beside_does_not_take_the_trace() {
    let truth = true_grating(1.0);
    let mut painter = Painter::new((2150, 4940), 1700, 130, 6);
    painter.source(&truth, PLACE.0, PLACE.1, &nebula());
    painter.crossing((3250.0, 5015.0), (3800.0, 5017.0), 8.0);
    let m = measure(&painter.expose(50), &Edits::default());
    let main = m.order(1).unwrap();
    let (trace, config) = (main.trace.as_ref().unwrap(), truth.orders[0].trace(PLACE.0, PLACE.1));
    for wavelength in [420.0, 480.0, 500.0] {
        let (dx, dy) = config.offset(config.parameter(wavelength));
        assert!((trace.polynomial.at(dx) - dy).abs() < 0.1, "{wavelength}: {} {dy}", trace.polynomial.at(dx));
    }
    assert!(main.dispersion.as_ref().unwrap().rms_px < 0.15);
}

#[test]
fn two_stars_within_reach_are_flagged() {
    let mut painter = Painter::new((2150, 4940), 1700, 130, 7);
    painter.crossing((3250.0, 5002.0), (3800.0, 5004.0), 8.0);
    painter.crossing((3250.0, 5011.0), (3800.0, 5013.0), 8.0);
    let frame = painter.expose(50);
    let star = CalibrationFrame { calibrator: Calibrator::WhiteDwarf, ..view(&frame, PLACE.0, PLACE.1) };
    let m = measure_position(&star, &nominal(), &[], &Settings::default(), &Edits::default()).unwrap();
    let problem = m.order(1).unwrap().problem.as_ref().unwrap();
    assert!(problem.contains("another ridge"), "{problem}");
}

#[test]
fn too_few_positions_for_the_degree_are_an_error_and_one_bad_frame_is_flagged() {
    let truth = true_grating(1.0);
    let places = grid(3);
    let mut owned: Vec<OwnedFrame> = places.iter().enumerate().map(|(k, &(x, y))| nebula_frame(&truth, x, y, 40 + k as u64)).collect();
    owned[4] = Painter::new(owned[4].origin, 1700, 130, 9).expose(20);
    let names: Vec<String> = (0..9).map(|k| format!("PN-{k}")).collect();
    let frames: Vec<CalibrationFrame<'_>> =
        owned.iter().zip(&names).zip(&places).map(|((f, name), &(x0, y0))| CalibrationFrame { name, ..view(f, x0, y0) }).collect();
    let run = |settings: &Settings, edits: &Edits| calibrate(&frames, &nominal(), &vacuum_list(0.0), settings, edits);
    let cubic = run(&Settings { field_degree: 3, ..Settings::default() }, &Edits::default()).unwrap_err();
    assert!(cubic.to_string().contains("8 positions; a field polynomial of degree 3 needs at least 11"), "{cubic}");
    let plane = run(&Settings { field_degree: 1, ..Settings::default() }, &Edits::default()).unwrap();
    let flagged: Vec<&str> = plane
        .report
        .positions
        .iter()
        .filter(|p| p.orders.iter().any(|o| o.order == 1 && o.line_rms_px.is_none() && o.problem.is_some()))
        .map(|p| p.frame.as_str())
        .collect();
    assert_eq!(flagged, ["PN-4"]);
    let mut strange = Edits::default();
    strange.set("PN-77", 1, OrderEdits { points_rejected: vec![1], ..OrderEdits::default() });
    assert!(matches!(run(&Settings::default(), &strange).unwrap_err(), CalibrationError::Edit { .. }));
}
