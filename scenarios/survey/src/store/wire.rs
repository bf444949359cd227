//! Requests to a store: sent again where that can help, refused in words where it cannot.

use crate::failure::SurveyError;
use std::io::Read;
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body};

/// How often a request is sent.
const TIMES: u32 = 5;
/// Pause before it is sent the second time; doubled each time.
const PAUSE: Duration = Duration::from_millis(300);
/// Time that a connection and the beginning of an answer may take.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(120);
/// Longest answer that is kept: records and words of refusal.
const LONGEST: u64 = 64 << 20;

/// Connections, kept between requests.
#[derive(Debug, Clone)]
pub(super) struct Wire(Agent);

/// What a store said.
pub(super) struct Answer {
    pub status: u16,
    pub length: Option<u64>,
    pub body: Vec<u8>,
}

type Sent = Result<Response<Body>, ureq::Error>;

fn failed(of: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SurveyError {
    SurveyError::Io { path: of.into(), source: std::io::Error::other(source) }
}

/// Whether a request may do better when it is sent again.
fn may_pass(status: u16) -> bool {
    status == 429 || status >= 500
}

impl Answer {
    /// The answer when its status is one of these, otherwise an error with the store's words.
    pub(super) fn expect(self, statuses: &[u16], of: &str) -> Result<Self, SurveyError> {
        if statuses.contains(&self.status) {
            return Ok(self);
        }
        let text = String::from_utf8_lossy(&self.body);
        let within = |tag: &str| Some(text.split_once(&format!("<{tag}>"))?.1.split_once(&format!("</{tag}>"))?.0.to_string());
        let words = within("Code").into_iter().chain(within("Message")).collect::<Vec<_>>().join(": ");
        let hint = match self.status {
            401 | 403 => " (S3_KEY and S3_SECRET say who asks)",
            _ => "",
        };
        Err(failed(of, format!("the store answers {} {words}{hint}", self.status)))
    }
}

impl Wire {
    pub(super) fn new() -> Self {
        let config = Agent::config_builder().http_status_as_error(false).timeout_connect(Some(CONNECT)).timeout_recv_response(Some(ANSWER));
        Self(config.build().into())
    }
    pub(super) fn agent(&self) -> &Agent {
        &self.0
    }

    /// Sends until there is an answer that sending again would not change; `read` takes it in.
    fn until<T>(
        of: &str,
        send: impl Fn() -> Result<Sent, SurveyError>,
        read: impl Fn(Response<Body>) -> std::io::Result<T>,
    ) -> Result<T, SurveyError> {
        let mut pause = PAUSE;
        for time in 1.. {
            let error = match send()? {
                Ok(response) if time < TIMES && may_pass(response.status().as_u16()) => None,
                Ok(response) => match read(response) {
                    Ok(answer) => return Ok(answer),
                    Err(e) => Some(failed(of, e)),
                },
                Err(e) => Some(failed(of, e)),
            };
            if let Some(error) = error.filter(|_| time >= TIMES) {
                return Err(error);
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
        unreachable!("the last time returns")
    }

    /// The answer to a request, of whatever status.
    pub(super) fn ask(&self, of: &str, send: impl Fn() -> Result<Sent, SurveyError>) -> Result<Answer, SurveyError> {
        Self::until(of, send, |mut response| {
            let length = response.headers().get("content-length").and_then(|v| v.to_str().ok()?.parse().ok());
            let mut body = Vec::new();
            response.body_mut().as_reader().take(LONGEST).read_to_end(&mut body)?;
            Ok(Answer { status: response.status().as_u16(), length, body })
        })
    }

    /// SHA-256 of what lies at an address; `None` when nothing does.
    pub(super) fn digest(&self, of: &str, url: &str) -> Result<Option<String>, SurveyError> {
        let found = Self::until(
            of,
            || Ok(self.0.get(url).call()),
            |mut response| {
                let status = response.status().as_u16();
                let reader = response.body_mut().as_reader();
                if status != 200 {
                    let mut body = Vec::new();
                    reader.take(LONGEST).read_to_end(&mut body)?;
                    return Ok(Err(Answer { status, length: None, body }));
                }
                Ok(Ok(sim_core::manifest::sha256_reader(reader)?))
            },
        )?;
        match found {
            Ok(sum) => Ok(Some(sum)),
            Err(answer) => answer.expect(&[404], of).map(|_| None),
        }
    }
}
