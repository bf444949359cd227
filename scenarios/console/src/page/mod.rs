//! The page: one document with its style and script, served from memory; nothing comes from elsewhere.

use page_server::Answer;

/// Nothing but our own files, and pictures made in the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the page.
#[must_use]
pub fn asset(path: &str) -> Option<Answer> {
    let (kind, text) = match path {
        "/" => ("text/html; charset=utf-8", include_str!("page.html").to_string()),
        "/page.css" => ("text/css; charset=utf-8", include_str!("page.css").to_string()),
        "/page.js" => (
            "text/javascript; charset=utf-8",
            [include_str!("data.js"), include_str!("sky.js"), include_str!("charts.js"), include_str!("page.js")].concat(),
        ),
        "/favicon.svg" => ("image/svg+xml", include_str!("icon.svg").to_string()),
        _ => return None,
    };
    Some(Answer::new(200, kind, text.into_bytes()).with("Content-Security-Policy", POLICY).with("Referrer-Policy", "no-referrer"))
}
