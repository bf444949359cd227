//! Products that go to a store: a shelf in this process that answers as a store does. A store nobody here wrote judges in
//! `peers/survey_store.py`.

use crate::toy::{Toy, make_all, options, plan, whole_files};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use survey::executor::Options;
use survey::failure::{ErrorClass, Exit};
use survey::folder::Run;
use survey::record::Record;
use survey::status::status;
use survey::store;
use survey::verify::verify;

/// Objects by their path; requests that are still to be refused, and how.
#[derive(Default)]
struct Shelf {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    refuse: Mutex<Vec<u16>>,
}

impl Shelf {
    /// A shelf and its address.
    fn open() -> (Arc<Self>, String) {
        let shelf = Arc::new(Self::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let served = Arc::clone(&shelf);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shelf = Arc::clone(&served);
                std::thread::spawn(move || while shelf.answer(&stream).is_some() {});
            }
        });
        (shelf, address)
    }

    fn answer(&self, mut stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let mut words = line.split_whitespace();
        let (method, path) = (words.next()?.to_string(), words.next()?.split('?').next()?.to_string());
        let mut headers = BTreeMap::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim().split_once(':') else { break };
            headers.insert(name.to_lowercase(), value.trim().to_string());
        }
        let length = headers.get("content-length").map_or(0, |v| v.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let (status, answer) = self.done(&method, path, body, headers.contains_key("if-none-match"));
        let size = answer.len();
        write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {size}\r\n\r\n").ok()?;
        if method != "HEAD" {
            stream.write_all(&answer).ok()?;
        }
        Some(())
    }

    fn done(&self, method: &str, path: String, body: Vec<u8>, create: bool) -> (u16, Vec<u8>) {
        if let Some(status) = self.refuse.lock().unwrap().pop() {
            return (status, b"<Error><Code>Refused</Code><Message>by the test</Message></Error>".to_vec());
        }
        let mut objects = self.objects.lock().unwrap();
        match method {
            "PUT" if create && objects.contains_key(&path) => (412, Vec::new()),
            "PUT" => {
                objects.insert(path, body);
                (200, Vec::new())
            }
            _ if path.trim_end_matches('/') == "/skyloop" => (200, Vec::new()),
            _ => objects.get(&path).map_or((404, Vec::new()), |object| (200, object.clone())),
        }
    }

    fn names(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }
}

/// Says that a run's products go to a shelf.
fn describe(run: &Run, address: &str) {
    let text = format!(r#"{{"url": "s3://skyloop/wide", "endpoint": "{address}"}}"#);
    std::fs::write(run.store(), text).unwrap();
}

#[test]
fn products_go_to_the_store_with_their_records_last_and_leave_the_folder() {
    let (shelf, address) = Shelf::open();
    let folder = tempfile::tempdir().unwrap();
    let (run, rows) = plan(folder.path(), 6);
    let toy = Toy { folder: Some(folder.path()), ..Toy::default() };
    // One was made before anybody spoke of a store: it is yet to be delivered, and that alone.
    make_all(&run, &rows[..1], &toy, &options());
    let local = whole_files(folder.path());
    describe(&run, &address);
    assert_eq!(status(&run).unwrap().done, 0);
    // Refused twice in passing: asked again.
    shelf.refuse.lock().unwrap().extend([503, 500]);
    let first = make_all(&run, &rows, &toy, &options());
    assert_eq!((first.kept, first.made, first.exit()), (1, 5, Exit::Done));
    assert_eq!(shelf.names().len(), 18);
    assert!(shelf.names().iter().all(|name| name.starts_with("/skyloop/wide/")));
    let (name, bytes) = local.iter().find(|(name, _)| name.ends_with("00000.dat")).unwrap();
    assert!(shelf.objects.lock().unwrap()[&format!("/skyloop/wide/{name}")] == *bytes);
    assert!(whole_files(folder.path()).keys().all(|name| name.ends_with(".manifest.json")));
    assert_eq!((status(&run).unwrap().done, verify(&run).unwrap().products), (6, 12));
    assert_eq!(make_all(&run, &rows, &toy, &options()).kept, 6);
    // The folder is lost, with the journals: nothing is made again.
    std::fs::remove_dir_all(folder.path().join("L0")).unwrap();
    std::fs::remove_dir_all(run.journal()).unwrap();
    assert_eq!(status(&run).unwrap().done, 0);
    std::fs::create_dir(folder.path().join("L0")).unwrap();
    assert_eq!(make_all(&run, &rows, &toy, &options()).kept, 6);
    assert_eq!(status(&run).unwrap().done, 6);
}

#[test]
fn what_the_store_lost_is_made_again_and_what_was_changed_is_found() {
    let (shelf, address) = Shelf::open();
    let folder = tempfile::tempdir().unwrap();
    let (run, rows) = plan(folder.path(), 6);
    describe(&run, &address);
    let toy = Toy { folder: Some(folder.path()), ..Toy::default() };
    make_all(&run, &rows, &toy, &options());
    shelf.objects.lock().unwrap().insert("/skyloop/wide/L0/00002.dat".into(), b"half".to_vec());
    let found = verify(&run).unwrap();
    assert_eq!((found.whole, found.wrong.len()), (5, 1));
    assert!(found.wrong[0].contains("L0/00002.dat"));
    shelf.objects.lock().unwrap().remove("/skyloop/wide/L0/00002.dat");
    let again = make_all(&run, &rows, &toy, &options());
    assert_eq!((again.kept, again.made), (5, 1));
    assert_eq!(verify(&run).unwrap().whole, 6);
}

#[test]
fn a_record_of_another_key_stays_until_asked_for() {
    let (shelf, address) = Shelf::open();
    let folder = tempfile::tempdir().unwrap();
    let (run, mut rows) = plan(folder.path(), 6);
    describe(&run, &address);
    let toy = Toy { folder: Some(folder.path()), ..Toy::default() };
    make_all(&run, &rows, &toy, &options());
    rows[3].key = "another".into();
    let refused = make_all(&run, &rows, &toy, &options());
    assert_eq!((refused.kept, refused.failed[&ErrorClass::Stale]), (5, 1));
    let asked = make_all(&run, &rows, &toy, &Options { rerun_stale: true, ..options() });
    assert_eq!((asked.kept, asked.made), (5, 1));
    let text = shelf.objects.lock().unwrap()["/skyloop/wide/L0/00003.dat.manifest.json"].clone();
    assert_eq!(serde_json::from_slice::<Record>(&text).unwrap().key, "another");
}

#[test]
fn a_store_that_lets_nobody_in_stops_the_run_before_anything_is_made() {
    let (shelf, address) = Shelf::open();
    let folder = tempfile::tempdir().unwrap();
    let (run, rows) = plan(folder.path(), 6);
    describe(&run, &address);
    shelf.refuse.lock().unwrap().push(403);
    let toy = Toy { folder: Some(folder.path()), ..Toy::default() };
    let all: Vec<_> = rows.iter().collect();
    let error = survey::executor::run(&run, &all, &toy, &options(), &survey::signals::Stop::new(), &|_| ()).unwrap_err();
    assert!(error.to_string().contains("s3://skyloop/wide") && error.to_string().contains("403 Refused: by the test"), "{error}");
    assert!(whole_files(folder.path()).is_empty());
    // Refused later: what is made stays in the folder, and goes when the store is back.
    shelf.refuse.lock().unwrap().extend([403, 404, 200]);
    let one = Options { threads: 1, ..options() };
    let halted = make_all(&run, &rows, &toy, &one);
    assert_eq!((halted.made, halted.failed[&ErrorClass::Storage]), (0, 1));
    assert_eq!(whole_files(folder.path()).len(), 3);
    let again = make_all(&run, &rows, &toy, &one);
    assert_eq!((again.kept, again.made), (1, 5));
}

#[test]
fn a_run_has_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let (run, _) = plan(folder.path(), 6);
    assert!(store::of(&run).unwrap().is_none());
    store::describe(&run, "s3://skyloop/wide").unwrap();
    store::describe(&run, "s3://skyloop/wide").unwrap();
    assert!(store::describe(&run, "s3://skyloop/deep").unwrap_err().to_string().contains("s3://skyloop/wide"));
    assert!(store::describe(&run, "skyloop").is_err());
    std::fs::write(run.store(), r#"{"bucket": "x"}"#).unwrap();
    assert!(store::of(&run).unwrap_err().to_string().contains("store.json"));
}
