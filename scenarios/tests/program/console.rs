//! Runs as they are served, reported and measured by the program.

use super::{path, skyloop, text};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

#[test]
fn a_run_is_served_reported_and_measured() {
    let folder = tempfile::tempdir().unwrap();
    let (run, metrics) = (folder.path().join("cut"), folder.path().join("metrics.prom"));
    assert!(skyloop(&["plan", "cutout", "--out", path(&run)]).status.success());
    assert_eq!(skyloop(&["status", path(&run), "--prometheus", path(&metrics)]).status.code(), Some(4));
    let said = std::fs::read_to_string(&metrics).unwrap();
    assert!(said.contains("skyloop_units{run=\"cut\",state=\"missing\"} 3\n"), "{said}");
    assert_eq!(skyloop(&["report", path(&run)]).status.code(), Some(0));
    assert_eq!(skyloop(&["report", path(&run), "--verify"]).status.code(), Some(1), "nothing is whole yet");
    let page = std::fs::read_to_string(run.join("report/report.html")).unwrap();
    assert!(page.contains("Survey run cut") && page.contains("3 units are not whole"));
    let out = skyloop(&["report", path(folder.path())]);
    assert!(!out.status.success() && text(&out.stderr).contains("not a planned run"));

    let mut child = Command::new(env!("CARGO_BIN_EXE_skyloop"))
        .args(["serve", path(folder.path()), "--address", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.strip_prefix("http://").and_then(|rest| rest.split('/').next()).unwrap().to_string();
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(stream, "GET /api/v1/runs/cut/coverage HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let _ = child.kill();
    child.wait().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("\"states\":\"mmm\""), "{answer}");
    assert!(answer.contains("\"corners_deg\":[["), "outlines of cut-outs are known: {answer}");

    let out = skyloop(&["serve", path(folder.path()), "--address", "0.0.0.0:0"]);
    assert!(!out.status.success() && text(&out.stderr).contains("--token-file"), "{}", text(&out.stderr));
}
