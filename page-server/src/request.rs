//! Requests. Where only this computer is served, those whose `Host` is another, or that come from another page (`Origin`), are refused: a
//! page elsewhere must not drive or read what is served here.

use super::answer::Answer;
use std::io::{self, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Largest request \[byte\].
const LARGEST: usize = 1 << 20;
/// Longest silence of a client.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest time for a whole request.
const LONGEST: Duration = Duration::from_secs(15);

/// Who is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Browsers of this computer alone, and those at the other end of a tunnel to it.
    ThisComputer,
    /// Whoever reaches the address; the caller asks for a proof.
    Anyone,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// `GET`, `POST` ...
    pub method: String,
    /// Path without the query, as it was sent (see [`decoded`]).
    pub path: String,
    /// Query, decoded.
    pub query: Vec<(String, String)>,
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// The header `If-None-Match`.
    pub if_none_match: Option<String>,
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

/// Reads a request; the inner error is the refusal to send.
pub(crate) fn read(stream: &mut TcpStream, access: Access) -> io::Result<Result<Request, Answer>> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let begun = Instant::now();
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
        match parse(&data, access) {
            Parsed::Partial if begun.elapsed() > LONGEST => return Err(io::ErrorKind::TimedOut.into()),
            Parsed::Partial => {}
            Parsed::Refused(answer) => return Ok(Err(answer)),
            Parsed::Whole(request) => return Ok(Ok(request)),
        }
    }
}

#[derive(Debug, PartialEq)]
enum Parsed {
    Partial,
    Refused(Answer),
    Whole(Request),
}

fn parse(data: &[u8], access: Access) -> Parsed {
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
    if access == Access::ThisComputer {
        // Any port: a tunnel may end at another one.
        let host = header("host").unwrap_or_default();
        let name =
            host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host.as_str(), |(name, _)| name);
        if !["127.0.0.1", "localhost", "[::1]"].contains(&name) {
            return Parsed::Refused(Answer::problem(403, "this page is served to this computer alone"));
        }
        if header("origin").is_some_and(|o| o != format!("http://{host}")) {
            return Parsed::Refused(Answer::problem(403, "requests of other pages are refused"));
        }
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
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let query = pairs.map(|(k, v)| (decoded(k, true), decoded(v, true))).collect();
    let (authorization, if_none_match) = (header("authorization"), header("if-none-match"));
    Parsed::Whole(Request { method, path: path.into(), query, authorization, if_none_match, body: data[start..start + length].to_vec() })
}

/// Per-cent decoding; `plus` stands for a blank in queries. What is not UTF-8 is replaced.
#[must_use]
pub fn decoded(text: &str, plus: bool) -> String {
    let (mut out, bytes) = (Vec::new(), text.as_bytes());
    let mut i = 0;
    while i < bytes.len() {
        let hex = bytes.get(i + 1..i + 3).filter(|h| h.iter().all(u8::is_ascii_hexdigit));
        let hex = hex.and_then(|h| std::str::from_utf8(h).ok()).and_then(|h| u8::from_str_radix(h, 16).ok());
        match (bytes[i], hex) {
            (b'%', Some(value)) => {
                out.push(value);
                i += 2;
            }
            (b'+', _) if plus => out.push(b' '),
            (other, _) => out.push(other),
        }
        i += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(text: &str, access: Access) -> Option<u16> {
        match parse(text.as_bytes(), access) {
            Parsed::Refused(answer) => Some(answer.status),
            Parsed::Whole(_) => Some(200),
            Parsed::Partial => None,
        }
    }

    #[test]
    fn paths_stay_as_sent_and_queries_are_decoded() {
        let text = "GET /a%2Fb?x=1+2&y=%C3%A9&z HTTP/1.1\r\nAuthorization: Bearer t\r\n\r\n";
        let Parsed::Whole(request) = parse(text.as_bytes(), Access::Anyone) else { panic!("not whole") };
        assert_eq!((request.path.as_str(), decoded(&request.path, false)), ("/a%2Fb", "/a/b".into()));
        assert_eq!((request.value("x"), request.value("y"), request.value("z")), (Some("1 2"), Some("\u{e9}"), Some("")));
        assert_eq!(request.authorization.as_deref(), Some("Bearer t"));
        assert_eq!((decoded("a+b%4", false), decoded("%+1%zz", false)), ("a+b%4".into(), "%+1%zz".into()));
    }

    #[test]
    fn other_hosts_and_pages_are_refused_where_this_computer_alone_is_served() {
        let here = Access::ThisComputer;
        let ask = |headers: &str| format!("GET / HTTP/1.1\r\n{headers}\r\n");
        assert_eq!(status(&ask("Host: 127.0.0.1:80\r\n"), here), Some(200));
        assert_eq!(status(&ask("Host: localhost:80\r\nOrigin: http://localhost:80\r\n"), here), Some(200));
        assert_eq!(status(&ask("Host: [::1]:9000\r\n"), here), Some(200));
        for host in ["evil.example:80", "127.0.0.1.evil.example", "localhost:80.evil.example", "evil.example:localhost", ""] {
            assert_eq!(status(&ask(&format!("Host: {host}\r\n")), here), Some(403), "{host}");
        }
        assert_eq!(status(&ask("Host: localhost:80\r\nOrigin: http://localhost:81\r\n"), here), Some(403));
        assert_eq!(status(&ask(""), here), Some(403));
        assert_eq!(status(&ask("Host: 127.0.0.1:80\r\nOrigin: http://evil.example\r\n"), here), Some(403));
        assert_eq!(status(&ask("Host: evil.example:80\r\n"), Access::Anyone), Some(200));
        assert_eq!(status("nonsense\r\n\r\n", Access::Anyone), Some(400));
        assert_eq!(status("POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", Access::Anyone), Some(413));
        assert_eq!(status("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab", Access::Anyone), None);
    }
}
