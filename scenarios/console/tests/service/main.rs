//! The service over plain connections: every route, what is refused, and a run while it grows.
#![allow(clippy::unwrap_used, reason = "test code")]

mod made;

use console::routes::{Kind, ROUTES};
use console::{Address, Console, ConsoleError, serve};
use made::Made;
use pointing::focal_plane::Detector;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

/// A service that ends with its value.
struct Service {
    at: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Service {
    fn new(folder: &Path, token: Option<&str>) -> Self {
        let outlines = |_: &Path| vec![Detector::rectangle(7, "i", (0.1, 0.2), (0.19, 0.19))];
        let console = Console::new(vec![folder.to_path_buf()], token.map(Into::into), Box::new(outlines));
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, told) = channel();
        let ended = Arc::clone(&stop);
        let thread = std::thread::spawn(move || serve(&console, ([127, 0, 0, 1], 0).into(), &ended, |at| tell.send(at).unwrap()).unwrap());
        Self { at: told.recv().unwrap(), stop, thread: Some(thread) }
    }

    /// Status, head and body of an answer to a request with further headers.
    fn ask(&self, method: &str, path: &str, headers: &str) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.at).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.at).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        (head[9..12].parse().unwrap(), head, answer[end + 4..].to_vec())
    }
    fn get(&self, path: &str) -> (u16, Value) {
        let (status, _, body) = self.ask("GET", path, "");
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }
    fn ok(&self, path: &str) -> Value {
        let (status, value) = self.get(path);
        assert_eq!(status, 200, "{path}: {value}");
        value
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Two exposures of three detectors in two chunks: the first done, then a failure, one at work, one to do.
fn half_done(folder: &Path) -> Made {
    let run = Made::plan(folder, 2, &[7, 8, 12], 2);
    let mut journal = run.journal(0);
    for unit in 0..3 {
        run.make(&mut journal, unit);
    }
    let mut journal = run.journal(1);
    run.fail(&mut journal, 3, "part 17 has no column `sed`");
    run.begin(&mut journal, 4);
    run
}

#[test]
fn every_route_answers_and_the_document_describes_every_route() {
    let folder = tempfile::tempdir().unwrap();
    half_done(&folder.path().join("half"));
    let service = Service::new(folder.path(), None);
    let document = service.ok("/api/v1/openapi.json");
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), ROUTES.len());
    for (path, item) in paths {
        let real = path.replace("{run}", "half").replace("{unit}", "0").replace("{chunk}", "1");
        let (status, head, body) = service.ask("GET", &real, "");
        assert_eq!(status, 200, "{real}: {}", String::from_utf8_lossy(&body));
        let kinds = item["get"]["responses"]["200"]["content"].as_object().unwrap();
        assert!(kinds.keys().all(|kind| head.contains(&format!("Content-Type: {kind}\r\n"))), "{real}: {head}");
        // What the schema demands is there, and nothing that it does not know.
        if let Some(name) = kinds.values().next().and_then(|k| k["schema"]["$ref"].as_str()?.rsplit('/').next()) {
            let schema = &document["components"]["schemas"][name];
            let value: Value = serde_json::from_slice(&body).unwrap();
            let known = schema["properties"].as_object().unwrap();
            assert!(schema["required"].as_array().unwrap().iter().all(|key| value.get(key.as_str().unwrap()).is_some()), "{real}");
            assert!(value.as_object().unwrap().keys().all(|key| known.contains_key(key)), "{real}: {value}");
        }
    }
    // Every value of every query is taken, and what is beyond it refused.
    for route in ROUTES {
        let real = route.path.replace("{run}", "half").replace("{unit}", "0").replace("{chunk}", "1");
        for value in route.query {
            let (good, wrong) = match value.kind {
                Kind::Whole(least, most, _) => (least.to_string(), Some((u128::from(most) + 1).to_string())),
                Kind::Word(words, _) => (words[0].to_string(), Some("nonsense".into())),
                Kind::Text => (service.ok("/api/v1/runs/half/failures")["groups"][0]["id"].as_str().unwrap().into(), None),
            };
            assert_eq!(service.ask("GET", &format!("{real}?{}={good}", value.name), "").0, 200, "{real} {}", value.name);
            if let Some(wrong) = wrong {
                let (status, problem) = service.get(&format!("{real}?{}={wrong}", value.name));
                assert!(status == 400 && problem["detail"].as_str().unwrap().contains(value.name), "{problem}");
            }
        }
    }
}

#[test]
fn units_failures_chunks_and_coverage_tell_how_the_run_stands() {
    let folder = tempfile::tempdir().unwrap();
    let made = half_done(&folder.path().join("half"));
    let service = Service::new(folder.path(), None);
    assert_eq!(service.ok("/api/v1/runs")["runs"][0]["id"], "half");
    let run = service.ok("/api/v1/runs/half");
    let status = &run["status"];
    let counts = ["units", "done", "failed", "missing", "open", "chunks", "chunks_done"].map(|k| status[k].as_u64().unwrap());
    assert_eq!(counts, [6, 3, 1, 2, 1, 2, 1]);
    assert_eq!((&run["activity"], &run["exposures"], &run["processes"]), (&"at_work".into(), &2.into(), &1.into()));
    assert!(run["rates"]["objects_per_s"].as_f64().unwrap() > 0.0, "{run}");
    let names = |path: &str| -> Vec<String> {
        let page = service.ok(&format!("/api/v1/runs/half/units?{path}"));
        page["units"].as_array().unwrap().iter().map(|u| u["name"].as_str().unwrap().to_string()).collect()
    };
    assert_eq!(names("state=failed"), ["101/07"]);
    assert_eq!((names("state=open"), names("state=missing")), (vec!["101/08".to_string()], vec!["101/12".to_string()]));
    assert_eq!(names("detector=12"), ["100/12", "101/12"]);
    assert_eq!(names("chunk=0&limit=2&offset=1"), ["100/08", "100/12"]);
    assert_eq!(names("obs_id=101&state=done"), Vec::<String>::new());
    assert_eq!(names("sort=recent&limit=1"), ["101/07"], "failures end too");
    assert_eq!(names("sort=slowest&limit=1"), ["100/12"]);
    let failure = &service.ok("/api/v1/runs/half/failures")["groups"][0];
    assert_eq!(
        (&failure["class"], &failure["reason"], &failure["units"]),
        (&"input".into(), &"part # has no column `sed`".into(), &1.into())
    );
    assert_eq!((&failure["retried"], &failure["first_units"][0]["name"]), (&false.into(), &"101/07".into()));
    assert_eq!(names(&format!("reason={}", failure["id"].as_str().unwrap())), ["101/07"]);

    // By number, and by name with an escaped slash.
    for unit in ["3", "101%2F07"] {
        let unit = service.ok(&format!("/api/v1/runs/half/units/{unit}"));
        assert_eq!((&unit["name"], &unit["prc_status"], &unit["record"]), (&"101/07".into(), &1.into(), &Value::Null));
        assert_eq!(unit["journal"].as_array().unwrap().len(), 2);
    }
    let unit = service.ok("/api/v1/runs/half/units/0");
    assert_eq!(unit["record"]["key"], unit["key"]);
    assert!(unit["journal"][1]["products"][0]["sha256"].is_string(), "lines of the journal are whole");

    let chunks = service.ok("/api/v1/runs/half/chunks");
    let counts = ["units", "done", "failed", "open", "missing"].map(|k| chunks["chunks"][1][k].as_u64().unwrap());
    assert_eq!((counts, &chunks["total"]), ([3, 0, 1, 1, 1], &2.into()));
    let (_, _, log) = service.ask("GET", "/api/v1/runs/half/chunks/1/log", "");
    let log = String::from_utf8(log).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|l| l["outcome"].as_str().unwrap()).collect::<Vec<_>>(), ["begun", "failed", "begun"]);
    let coverage = service.ok("/api/v1/runs/half/coverage");
    assert_eq!((&coverage["exposures"][0]["states"], &coverage["exposures"][1]["states"]), (&"ddd".into(), &"fom".into()));
    assert!(coverage["detectors"][0]["corners_deg"].is_array() && coverage["detectors"][1]["corners_deg"].is_null());
    let (_, _, metrics) = service.ask("GET", "/metrics", "");
    let metrics = String::from_utf8(metrics).unwrap();
    for sample in ["skyloop_units{run=\"half\",state=\"done\"} 3\n", "skyloop_units_failed{run=\"half\",class=\"input\"} 1\n"] {
        assert!(metrics.contains(sample), "{metrics}");
    }

    // The run goes on: what is asked for next is what is there.
    let mut journal = made.journal(1);
    made.make(&mut journal, 4);
    made.make(&mut journal, 5);
    let revision = run["revision"].as_u64().unwrap();
    let mut later = run;
    for _ in 0..100 {
        later = service.ok("/api/v1/runs/half");
        if later["status"]["done"] == 5 {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!((&later["status"]["done"], &later["status"]["open"]), (&5.into(), &0.into()));
    assert!(later["revision"].as_u64().unwrap() > revision);
}

#[test]
fn pictures_are_png_and_only_of_what_is_done() {
    let folder = tempfile::tempdir().unwrap();
    half_done(&folder.path().join("half"));
    let service = Service::new(folder.path(), None);
    let (status, head, body) = service.ask("GET", "/api/v1/runs/half/units/0/picture?side=64", "");
    assert!(status == 200 && head.contains("image/png"), "{head}");
    let picture = image::load_from_memory(&body).unwrap();
    assert_eq!((picture.width(), picture.height()), (48, 32));
    let tag = head.lines().find_map(|l| l.strip_prefix("ETag: ")).unwrap();
    let (status, _, body) = service.ask("GET", "/api/v1/runs/half/units/0/picture?side=64", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((status, body.len()), (304, 0));
    let (status, problem) = service.get("/api/v1/runs/half/units/4/picture");
    assert!(status == 404 && problem["detail"].as_str().unwrap().contains("not done"), "{problem}");
}

#[test]
fn what_is_not_there_or_not_allowed_is_refused_and_no_path_leads_out() {
    let folder = tempfile::tempdir().unwrap();
    half_done(&folder.path().join("half"));
    std::fs::write(folder.path().join("secret"), "secret").unwrap();
    let service = Service::new(folder.path(), None);
    for path in [
        "/secret",
        "/../secret",
        "/page.css/../secret",
        "/api/v1/runs/..",
        "/api/v1/runs/%2e%2e",
        "/api/v1/runs/..%2Fsecret",
        "/api/v1/runs/half/units/..%2F..%2Fsecret/picture",
        "/api/v1/runs/half/units/99",
        "/api/v1/runs/half/units/-1",
        "/api/v1/runs/half/units/%00",
        "/api/v1/runs/half/chunks/7/log",
        "/api/v1/runs/half/units?reason=none",
        "/api/v1/runs/",
        "/api/v2/runs",
    ] {
        let (status, head, body) = service.ask("GET", path, "");
        assert_eq!(status, 404, "{path}");
        assert!(head.contains("application/problem+json") && !String::from_utf8_lossy(&body).contains("root"), "{path}");
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert!(problem["status"] == 404 && problem["detail"].is_string() && problem["title"] == "Not Found");
    }
    assert_eq!(service.get("/api/v1/runs/half/chunks/one/log").0, 400);
    assert_eq!(service.get("/api/v1/runs?limit=3").0, 400);
    assert_eq!(service.get("/api/v1/runs/half/units?limit=1&limit=2").0, 400);
    for method in ["POST", "PUT", "DELETE", "HEAD"] {
        for path in ["/", "/api/v1/runs", "/api/v1/runs/half/units/0"] {
            let (status, head, _) = service.ask(method, path, "");
            assert!(status == 405 && head.contains("Allow: GET"), "{method} {path}: {head}");
        }
    }
    // Another page, or a name that somebody bent to this address.
    assert_eq!(service.ask("GET", "/api/v1/runs", "Origin: http://evil.example\r\n").0, 403);
    for (path, word) in [("/", "<!doctype html>"), ("/page.css", ":root"), ("/page.js", "class Sky"), ("/favicon.svg", "<svg")] {
        let (status, head, body) = service.ask("GET", path, "");
        let text = String::from_utf8(body).unwrap();
        assert!(status == 200 && text.contains(word) && head.contains("Content-Security-Policy: default-src 'none'"), "{path}");
        let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!elsewhere.contains("http://") && !elsewhere.contains("https://"), "{path} asks for something elsewhere");
    }
}

#[test]
fn a_manifest_that_points_out_of_its_run_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let run = Made::plan(&folder.path().join("bent"), 1, &[7], 1);
    run.bend("../secret.fits");
    std::fs::write(folder.path().join("secret.fits"), "secret").unwrap();
    std::fs::write(folder.path().join("secret.fits.manifest.json"), format!(r#"{{"key": "{}", "products": {{}}}}"#, run.key(0))).unwrap();
    let service = Service::new(folder.path(), None);
    for path in ["/api/v1/runs/bent/units/0", "/api/v1/runs/bent/units/0/picture"] {
        let (status, problem) = service.get(path);
        assert!(status == 404 && problem["detail"].as_str().unwrap().contains("outside"), "{problem}");
    }
}

#[test]
fn data_need_the_token_and_addresses_of_others_need_one_at_all() {
    let folder = tempfile::tempdir().unwrap();
    half_done(&folder.path().join("half"));
    let service = Service::new(folder.path(), Some("a-token-of-some-length"));
    for path in ["/api/v1/runs", "/metrics", "/api/v1/runs/half/units/0/picture"] {
        let (status, head, _) = service.ask("GET", path, "");
        assert!(status == 401 && head.contains("WWW-Authenticate: Bearer"), "{path}: {head}");
        for wrong in ["Bearer a-token-of-some-lengt", "Bearer a-token-of-some-length2", "Basic a-token-of-some-length", "Bearer"] {
            assert_eq!(service.ask("GET", path, &format!("Authorization: {wrong}\r\n")).0, 401, "{wrong}");
        }
        assert_eq!(service.ask("GET", path, "Authorization: Bearer a-token-of-some-length\r\n").0, 200, "{path}");
    }
    for open in ["/", "/healthz", "/api/v1/openapi.json"] {
        assert_eq!(service.ask("GET", open, "").0, 200, "{open}");
    }
    let token = folder.path().join("token");
    std::fs::write(&token, "0123456789abcdef\n").unwrap();
    let everywhere: SocketAddr = ([0, 0, 0, 0], 0).into();
    assert!(matches!(Address::new(everywhere, None), Err(ConsoleError::TokenNeeded(_))));
    assert_eq!(Address::new(everywhere, Some(&token)).unwrap().token.as_deref(), Some("0123456789abcdef"));
    for short in ["", "short", "0123456789 abcdefg"] {
        std::fs::write(&token, short).unwrap();
        assert!(matches!(Address::new(everywhere, Some(&token)), Err(ConsoleError::Token { .. })), "{short:?}");
    }
}

#[test]
fn a_run_of_73260_units_is_answered_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let detectors: Vec<u16> = (1..=30).collect();
    let run = Made::plan(&folder.path().join("wide"), 2442, &detectors, 2442);
    let mut journal = run.journal(0);
    for unit in 0..30 {
        run.begin(&mut journal, unit);
    }
    let service = Service::new(folder.path(), None);
    let detail = service.ok("/api/v1/runs/wide");
    assert_eq!((&detail["status"]["units"], &detail["status"]["open"], &detail["exposures"]), (&73_260.into(), &30.into(), &2442.into()));
    let (_, _, units) = service.ask("GET", "/api/v1/runs/wide/units?offset=73200", "");
    assert!(units.len() < 100_000);
    let units: Value = serde_json::from_slice(&units).unwrap();
    assert_eq!((units["units"].as_array().unwrap().len(), &units["total"]), (60, &73_260.into()));
    for path in ["chunks", "coverage"] {
        let (_, _, body) = service.ask("GET", &format!("/api/v1/runs/wide/{path}"), "");
        assert!(body.len() < 600_000, "{path}: {} bytes", body.len());
    }
}

#[test]
fn a_report_stands_alone_and_says_what_was_made_and_what_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let made = half_done(&folder.path().join("half"));
    let run = survey::folder::Run::at(&folder.path().join("half"));
    let outlines = [Detector::rectangle(7, "i", (0.1, 0.2), (0.19, 0.19)), Detector::rectangle(8, "g", (0.3, 0.2), (0.19, 0.19))];
    let verified = survey::verify::verify(&run).unwrap();
    let out = folder.path().join("out");
    let page = console::report::write(&out, &run, &outlines, Some(verified)).unwrap();
    let text = std::fs::read_to_string(page).unwrap();
    for words in [
        "Survey run half",
        "Not complete: units failed",
        "3 done",
        "part # has no column",
        "Cost by band",
        "2 exposures about",
        "3 units whole",
    ] {
        assert!(text.contains(words), "{words}");
    }
    let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
    assert!(
        !text.contains("<script") && !elsewhere.contains("http://") && !text.contains("https://") && !text.contains("src="),
        "it stands alone"
    );
    let numbers: Value = serde_json::from_slice(&std::fs::read(out.join("report.json")).unwrap()).unwrap();
    assert_eq!((&numbers["status"]["done"], &numbers["exposures_done"], &numbers["verified"]["whole"]), (&3.into(), &1.into(), &3.into()));
    assert_eq!(numbers["verified"]["wrong"].as_array().unwrap().len(), 3);
    assert_eq!(numbers["detectors"].as_array().unwrap().len(), 3);
    // A run of which nothing was made has a report too.
    let empty = Made::plan(&folder.path().join("empty"), 1, &[7], 1);
    let page = console::report::write(&out, &empty.run, &[], None).unwrap();
    assert!(std::fs::read_to_string(page).unwrap().contains("Products were not read"));
    drop(made);
}
