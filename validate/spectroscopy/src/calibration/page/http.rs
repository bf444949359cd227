//! One request and one answer per connection: HTTP/1.1 as far as a page of this computer needs.
//!
//! Requests whose `Host` is not this computer's, or that come from another page (`Origin`), are refused: a page elsewhere must not drive the session.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Largest request \[byte\].
const LARGEST: usize = 1 << 20;
/// Longest wait for a client.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Query, decoded.
    pub query: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Request {
    /// A value of the query.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Content type.
    pub kind: &'static str,
    /// Body.
    pub body: Vec<u8>,
    /// The server ends after this answer.
    pub finish: bool,
}

impl Answer {
    /// An answer.
    #[must_use]
    pub fn new(status: u16, kind: &'static str, body: Vec<u8>) -> Self {
        Self { status, kind, body, finish: false }
    }
    /// A value as JSON.
    #[must_use]
    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::new(status, "application/json", value.to_string().into_bytes())
    }
    /// A problem as JSON: `{"problem": ...}`.
    #[must_use]
    pub fn problem(status: u16, text: &str) -> Self {
        Self::json(status, &serde_json::json!({ "problem": text }))
    }
}

/// Reads a request; the inner error is the refusal to send.
///
/// # Errors
/// When the connection breaks or stays silent.
pub fn read_request(stream: &mut TcpStream, port: u16) -> io::Result<Result<Request, Answer>> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut data = Vec::new();
    let mut piece = [0_u8; 8192];
    loop {
        let n = stream.read(&mut piece)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        data.extend_from_slice(&piece[..n]);
        if data.len() > LARGEST {
            return Ok(Err(Answer::problem(413, "the request is larger than a mebibyte")));
        }
        match parse(&data, port) {
            Parsed::Partial => {}
            Parsed::Refused(answer) => return Ok(Err(answer)),
            Parsed::Whole(request) => return Ok(Ok(request)),
        }
    }
}

enum Parsed {
    Partial,
    Refused(Answer),
    Whole(Request),
}

fn parse(data: &[u8], port: u16) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut headers);
    let start = match head.parse(data) {
        Ok(httparse::Status::Complete(n)) => n,
        Ok(httparse::Status::Partial) => return Parsed::Partial,
        Err(e) => return Parsed::Refused(Answer::problem(400, &e.to_string())),
    };
    let (method, target) = (head.method.unwrap_or("").to_owned(), head.path.unwrap_or("").to_owned());
    let header = |name: &str| {
        let found = head.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
        found.and_then(|h| std::str::from_utf8(h.value).ok()).map(str::to_owned)
    };
    let ours = [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")];
    if !header("host").is_some_and(|h| ours.contains(&h)) {
        return Parsed::Refused(Answer::problem(403, "this page is served to this computer alone"));
    }
    if header("origin").is_some_and(|o| !ours.iter().any(|h| o == format!("http://{h}"))) {
        return Parsed::Refused(Answer::problem(403, "requests of other pages are refused"));
    }
    let length = match header("content-length").map(|v| v.parse::<usize>()) {
        None => 0,
        Some(Ok(n)) if n <= LARGEST => n,
        Some(_) => return Parsed::Refused(Answer::problem(413, "the length of the request is not right")),
    };
    if data.len() < start + length {
        return Parsed::Partial;
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (decoded(k), decoded(v))).collect();
    Parsed::Whole(Request { method, path: path.into(), query, body: data[start..start + length].to_vec() })
}

/// Per-cent decoding; what is not UTF-8 is replaced.
fn decoded(text: &str) -> String {
    let (mut out, bytes) = (Vec::new(), text.as_bytes());
    let mut i = 0;
    while i < bytes.len() {
        let hex = bytes.get(i + 1..i + 3).and_then(|h| std::str::from_utf8(h).ok()).and_then(|h| u8::from_str_radix(h, 16).ok());
        match (bytes[i], hex) {
            (b'%', Some(value)) => {
                out.push(value);
                i += 2;
            }
            (b'+', _) => out.push(b' '),
            (other, _) => out.push(other),
        }
        i += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Writes an answer and ends the connection.
///
/// # Errors
/// When the connection breaks.
pub fn write_answer(stream: &mut TcpStream, answer: &Answer) -> io::Result<()> {
    let reason = match answer.status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        _ => "Unprocessable Content",
    };
    let head = format!(
        "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        answer.status,
        answer.kind,
        answer.body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&answer.body)?;
    stream.flush()
}
