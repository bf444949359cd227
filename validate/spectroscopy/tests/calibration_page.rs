//! The page's endpoints over a plain connection, and the replay of saved choices in a batch run.
#![allow(clippy::unwrap_used, reason = "test code")]

mod calibrators;

use calibrators::{nebula_frame, nominal_grating, true_grating};
use serde_json::{Value, json};
use spectroscopy::calibration::line_list::vacuum_list;
use spectroscopy::calibration::measure::measure_position;
use spectroscopy::calibration::page::{Session, SessionFrame, serve};
use spectroscopy::calibration::{CalibrationError, Calibrator, Edits, Nominal, Settings};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;

fn session(path: &Path) -> Session {
    let (x0, y0) = (3000.4, 5000.7);
    let frame = nebula_frame(&true_grating(1.0), x0, y0, 11);
    let frames = vec![SessionFrame { name: "PN 1".into(), detector: "26".into(), calibrator: Calibrator::Nebula, x0, y0, frame }];
    let nominal = Nominal { detector: "26".into(), band: "GV".into(), grating: nominal_grating(1.0) };
    Session::new(frames, nominal, vacuum_list(0.0), Settings::default(), Edits::default(), Some(path.into())).unwrap()
}

fn ask(address: SocketAddr, head: &str, host: &str, body: &str) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{head} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, answer[end + 4..].to_vec())
}

#[test]
fn the_page_answers_and_its_choices_replay_in_a_batch_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edits.json");
    let (tell, told) = channel();
    let served = session(&path);
    let server = std::thread::spawn(move || {
        serve(served, ([127, 0, 0, 1], 0).into(), &AtomicBool::new(false), |at| tell.send(at).unwrap()).unwrap()
    });
    let address = told.recv().unwrap();
    let host = address.to_string();
    let json = |head: &str, body: &str| {
        let (status, bytes) = ask(address, head, &host, body);
        (status, serde_json::from_slice::<Value>(&bytes).unwrap())
    };
    let (status, page) = ask(address, "GET /", &host, "");
    let page = String::from_utf8(page).unwrap();
    assert!(status == 200 && page.contains("class Plot") && !page.contains("/*SCRIPT*/") && !page.contains("http://"));
    assert_eq!(json("GET /api/session", "").1["frames"][0]["name"], "PN 1");

    let (status, before) = json("GET /api/position?frame=PN%201&order=1", "");
    assert_eq!((status, &before["edits"]["points_rejected"]), (200, &json!([])));
    let (_, pixels) = ask(address, "GET /api/pixels?frame=PN+1&order=1", &host, "");
    let side = |key: &str| before["region"][key].as_u64().unwrap() as usize;
    assert_eq!(pixels.len(), 6 * side("columns") * side("rows"));

    // Reject a point and a line, put a wrong line in and take it out again.
    let points = before["measurement"]["trace"]["points"].as_array().unwrap();
    let column = points.iter().find(|p| p["fate"] == "used").unwrap()["column"].clone();
    let choices = json!({ "frame": "PN 1", "order": 1, "edits": { "points_rejected": [column], "lines_rejected": ["H-beta"] } });
    let (status, after) = json("POST /api/edits", &choices.to_string());
    assert_eq!(status, 200);
    let used = |v: &Value, which: &str| v[which]["lines_used"].as_array().unwrap().len();
    assert_eq!(used(&after, "now"), used(&before, "now") - 1);
    assert_eq!((used(&after, "before"), &after["now"]["points_left"]["manual"]), (used(&before, "now"), &json!(1)));
    let stranger = json!({ "frame": "PN 1", "order": 1, "edits": { "lines_added": [{ "name": "no line", "x": 1.0 }] } });
    let (status, problem) = json("POST /api/edits", &stranger.to_string());
    assert!(status == 422 && problem["detail"].as_str().unwrap().contains("no line"));
    let (_, again) = json("GET /api/position?frame=PN%201&order=1", "");
    assert_eq!(again["measurement"], after["measurement"]);

    // One position is too few for the field; requests from elsewhere and unknown ones are refused.
    assert!(json("GET /api/field?order=1", "").1["now"]["problem"].as_str().unwrap().contains("1 positions"));
    assert_eq!(ask(address, "GET /api/session", "evil.example", "").0, 403);
    assert_eq!(ask(address, "GET /api/session", &format!("{host}\r\nOrigin: http://evil.example"), "").0, 403);
    assert_eq!(json("GET /nothing", "").0, 404);
    assert_eq!(json("PUT /api/save", "").0, 405);
    assert_eq!(json("GET /api/position?frame=PN%202&order=1", "").0, 422);
    assert_eq!(json("POST /api/edits", "{").0, 422);

    assert_eq!(json("POST /api/save", "{}").0, 200);
    assert_eq!(json("POST /api/finish", "{}").0, 200);
    let ended = server.join().unwrap();
    let edits = Edits::read(&path).unwrap();
    assert_eq!(ended.edits, edits);

    // The batch run with the file gives what the page showed, digit for digit.
    let batch = session(&path);
    let frame = batch.frames[0].view();
    let measured = measure_position(&frame, &batch.nominal, &batch.list, &batch.settings, &edits).unwrap();
    let text = serde_json::to_string(measured.order(1).unwrap()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), after["measurement"]);
}

#[test]
fn addresses_of_other_computers_are_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let error = serve(session(&folder.path().join("e.json")), ([0, 0, 0, 0], 0).into(), &AtomicBool::new(true), |_| ()).unwrap_err();
    assert!(matches!(error, CalibrationError::Page { .. }));
}
