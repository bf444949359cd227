//! Files in, page out: what a user of the crate sees.

// A test's own functions may panic: that is how a test fails.
#![allow(clippy::unwrap_used)]

use ndarray::Array2;
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::level1::Level1Files;
use sim_core::truth::object_table;
use std::path::{Path, PathBuf};
use validate::{Criteria, FrameInputs, Outcome, Report, ValidateError};

fn image(path: &Path, header: &Header, data: Data) {
    fits::write(path, &[Hdu::primary(Header::default()), Hdu::new("SCI", header.clone(), data)]).unwrap();
}

/// A frame of constant sky without a single star.
fn inputs(folder: &Path, change: impl FnOnce(&mut Header)) -> FrameInputs {
    let mut header = Header::default();
    header.set("EXPTIME", 150.0, "[s]");
    header.set("FILTER", "r", "");
    header.set("DETECTOR", "MSC_09", "");
    header.set("PIXSCALE", 0.074, "[arcsec]");
    change(&mut header);
    let file = |name: &str| -> PathBuf { folder.join(format!("{name}.fits")) };
    image(&file("img"), &header, Data::F32(Array2::from_shape_fn((128, 128), |(y, x)| 0.2 + 0.01 * ((x * 7 + y * 13) % 5) as f32)));
    image(&file("wht"), &header, Data::F32(Array2::from_elem((128, 128), 1e4)));
    image(&file("flg"), &header, Data::U16(Array2::zeros((128, 128))));
    fits::write(&file("truth"), &[Hdu::primary(Header::default()), Hdu::new("OBJECTS", Header::default(), Data::Table(object_table(&[])))])
        .unwrap();
    FrameInputs {
        label: "r, chip 9 <&>".into(),
        files: Level1Files::Imaging { image: file("img"), weight: file("wht"), flags: file("flg") },
        truth: file("truth"),
        noiseless: None,
        ledger: None,
        noise: None,
        zero_point: None,
        depth_exposures: None,
        before: None,
    }
}

#[test]
fn a_frame_without_stars_makes_a_page_that_says_so_and_needs_nothing_from_outside() {
    let folder = tempfile::tempdir().unwrap();
    let frames = [validate::measure(&inputs(folder.path(), |_| {})).unwrap()];
    assert!(frames[0].notes.iter().any(|n| n.contains("no PSF was measured")));
    let verdict = validate::judge(&validate::Subjects { frames: &frames, ..Default::default() }, &Criteria::built_in());
    assert_eq!(verdict.outcome, Outcome::Fail, "required measures are missing");
    let provenance = [("Seed".to_string(), "1".to_string())];
    let report = Report {
        title: "Nothing but sky",
        subjects: validate::Subjects { frames: &frames, ..Default::default() },
        verdict: &verdict,
        provenance: &provenance,
    };
    let path = validate::write_report(&folder.path().join("out"), &report).unwrap();
    let page = std::fs::read_to_string(&path).unwrap();
    for outside in ["src=\"http", "href=\"http", "url(", "<script", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("r, chip 9 &lt;&amp;&gt;"), "labels are escaped");
    let numbers: serde_json::Value = serde_json::from_slice(&std::fs::read(path.with_file_name("report.json")).unwrap()).unwrap();
    assert!((numbers["frames"][0]["values"]["sky_electron_s"]["value"].as_f64().unwrap() - 0.22).abs() < 0.01);
    assert_eq!(numbers["verdict"]["outcome"], "fail");
}

#[test]
fn measures_survive_a_round_trip_through_json() {
    let folder = tempfile::tempdir().unwrap();
    let frame = validate::measure(&inputs(folder.path(), |_| {})).unwrap();
    let text = serde_json::to_string(&frame).unwrap();
    let back: validate::FrameMeasures = serde_json::from_str(&text).unwrap();
    assert!(frame.pictures == back.pictures && frame.notes == back.notes && frame.label == back.label);
    assert!(frame.values.0.keys().eq(back.values.0.keys()) && !frame.values.0.is_empty());
    for (a, b) in frame.values.0.values().zip(back.values.0.values()) {
        // serde_json reads floats to the last bit or the one beside it.
        assert!((a.value - b.value).abs() <= 1e-15 * a.value.abs() && a.count == b.count);
    }
}

#[test]
fn bad_headers_are_refused_with_file_key_and_value() {
    let folder = tempfile::tempdir().unwrap();
    let message = |change: fn(&mut Header)| validate::measure(&inputs(folder.path(), change)).unwrap_err().to_string();
    let text = message(|h| h.set("EXPTIME", -3.0, ""));
    assert!(text.contains("img.fits") && text.contains("EXPTIME") && text.contains("-3"), "{text}");
    let text = message(|h| h.cards.retain(|c| c.0 != "FILTER"));
    assert!(text.contains("FILTER is missing") || text.contains("keyword FILTER is missing"), "{text}");
    let text = message(|h| h.cards.retain(|c| c.0 != "PIXSCALE"));
    assert!(text.contains("PIXSCALE"), "{text}");
}

#[test]
fn weights_of_another_shape_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = inputs(folder.path(), |_| {});
    image(inputs.files.all()[1], &Header::default(), Data::F32(Array2::zeros((64, 128))));
    let error = validate::measure(&inputs).unwrap_err();
    assert!(matches!(error, ValidateError::Shape { got: (64, 128), need: (128, 128), .. }), "{error}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut inputs = inputs(folder.path(), |_| {});
    inputs.truth = folder.path().join("nowhere.fits");
    assert!(validate::measure(&inputs).unwrap_err().to_string().contains("nowhere.fits"));
}
