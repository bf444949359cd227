//! The service: a request is matched with its route, checked, and answered.

use crate::handlers::Pictures;
use crate::page;
use crate::picture::PictureError;
use crate::routes::{Kind, ROUTES, Route};
use crate::runs::{Outlines, Runs};
use page_server::{Answer, Request, decoded};
use pointing::focal_plane::Detector;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use survey::failure::SurveyError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{0}")]
    Asked(String),
    #[error("{0}")]
    Nothing(String),
    #[error("{0}")]
    Survey(#[from] SurveyError),
    #[error("{0}")]
    Picture(#[from] PictureError),
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let status = match &problem {
            Problem::Asked(_) => 400,
            Problem::Nothing(_) => 404,
            // A run that is being planned again, or a disk that does not answer.
            Problem::Survey(_) | Problem::Picture(_) => 503,
            Problem::Json(_) => 500,
        };
        Self::problem(status, &problem.to_string())
    }
}

/// What was asked for, checked by its route.
pub(crate) struct Asked {
    path: BTreeMap<&'static str, String>,
    query: BTreeMap<&'static str, String>,
    pub if_none_match: Option<String>,
}

impl Asked {
    /// A part of the path.
    pub fn part(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }
    /// A word or text of the query.
    pub fn word(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }
    /// A number of the query.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.query.get(name)?.parse().ok()
    }
    /// A size of the query.
    pub fn size(&self, name: &str) -> usize {
        self.number(name).and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    }
}

/// The service.
pub struct Console {
    pub(crate) runs: Runs,
    token: Option<String>,
    outlines: Box<Outlines>,
    known_outlines: Mutex<BTreeMap<PathBuf, Arc<Vec<Detector>>>>,
    pub(crate) pictures: Mutex<Pictures>,
}

impl Console {
    /// A service for runs: folders of runs, or folders that hold such. With a token, clients have to send it.
    #[must_use]
    pub fn new(sources: Vec<PathBuf>, token: Option<String>, outlines: Box<Outlines>) -> Self {
        Self { runs: Runs::new(sources), token, outlines, known_outlines: Mutex::default(), pictures: Mutex::default() }
    }

    /// Outlines of the detectors of a run; found once.
    pub(crate) fn outlines(&self, run: &crate::snapshot::Watched) -> Arc<Vec<Detector>> {
        let mut known = self.known_outlines.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.entry(run.run.path().to_path_buf()).or_insert_with(|| Arc::new((self.outlines)(run.run.path())));
        Arc::clone(found)
    }

    /// Whether a request may see data.
    fn admits(&self, request: &Request) -> bool {
        let Some(token) = &self.token else { return true };
        let given = request.authorization.as_deref().and_then(|v| v.split_once(' '));
        let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map_or("", |(_, given)| given.trim());
        // As long for a wrong token as for the right one.
        let differing = given.bytes().zip(token.bytes()).fold(given.len() ^ token.len(), |sum, (a, b)| sum | usize::from(a ^ b));
        differing == 0
    }

    /// Answers a request.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Answer {
        let asset = page::asset(&request.path);
        let route = ROUTES.iter().find_map(|route| Some((route, matched(route.path, &request.path)?)));
        if request.method != "GET" && (asset.is_some() || route.is_some()) {
            return Answer::problem(405, "this service is read-only: GET alone").with("Allow", "GET");
        }
        if let Some(asset) = asset {
            return asset;
        }
        let Some((route, path)) = route else { return Answer::problem(404, "nothing at this path") };
        if !route.open && !self.admits(request) {
            return Answer::problem(401, "a bearer token is needed").with("WWW-Authenticate", "Bearer");
        }
        let asked = checked(route, &request.query).map(|query| Asked { path, query, if_none_match: request.if_none_match.clone() });
        asked.and_then(|asked| (route.answer)(self, &asked)).unwrap_or_else(Answer::from)
    }
}

/// The parts of a path that fits a route's. Parts are decoded after they are told apart, so that `%2F` is a letter of a name.
fn matched(route: &'static str, path: &str) -> Option<BTreeMap<&'static str, String>> {
    let (mut parts, mut given) = (route.split('/'), path.split('/'));
    let mut found = BTreeMap::new();
    loop {
        match (parts.next(), given.next()) {
            (None, None) => return Some(found),
            (Some(part), Some(given)) => match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
                Some(name) if !given.is_empty() => {
                    found.insert(name, decoded(given, false));
                }
                None if part == given => {}
                _ => return None,
            },
            _ => return None,
        }
    }
}

/// The values of a query, with those that are absent.
fn checked(route: &Route, given: &[(String, String)]) -> Result<BTreeMap<&'static str, String>, Problem> {
    let mut values = BTreeMap::new();
    for (name, text) in given {
        let Some(value) = route.query.iter().find(|v| v.name == name) else {
            let known = route.query.iter().map(|v| v.name).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "none".into() } else { known };
            return Err(Problem::Asked(format!("no value `{name}` here; there are: {known}")));
        };
        let right = match value.kind {
            Kind::Whole(least, most, _) => {
                text.bytes().all(|b| b.is_ascii_digit()) && text.parse().is_ok_and(|n: u64| (least..=most).contains(&n))
            }
            Kind::Word(words, _) => words.contains(&text.as_str()),
            Kind::Text => true,
        };
        if !right {
            let range = match value.kind {
                Kind::Whole(least, most, _) => format!("whole numbers from {least} to {most}"),
                Kind::Word(words, _) => words.join(", "),
                Kind::Text => String::new(),
            };
            return Err(Problem::Asked(format!("{name} = {text:?} is outside {range}")));
        }
        if values.insert(value.name, text.clone()).is_some() {
            return Err(Problem::Asked(format!("{name} is there twice")));
        }
    }
    for value in route.query {
        let otherwise = match value.kind {
            Kind::Whole(_, _, otherwise) => otherwise.map(|n| n.to_string()),
            Kind::Word(words, false) => words.first().map(ToString::to_string),
            Kind::Word(_, true) | Kind::Text => None,
        };
        if let Some(otherwise) = otherwise {
            values.entry(value.name).or_insert(otherwise);
        }
    }
    Ok(values)
}
