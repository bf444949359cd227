//! The interactive page: frames, traces, lines and residuals in a browser; a person's choices go to the engine and into a file.
//!
//! [`serve`] answers on one address of this computer alone. The page is one document with its own script; data come by JSON:
//! `GET /api/session`, `GET /api/position?frame=&order=`, `GET /api/pixels?frame=&order=`, `GET /api/field?order=`, `POST /api/edits`, `POST /api/save`,
//! `POST /api/finish`. Nothing is computed in the browser: every figure is [`super::measure::measure_position`]'s, as in a batch run with the saved file.

pub mod api;
pub mod session;

pub use session::{Session, SessionFrame};

use super::error::CalibrationError;
use page_server::{Access, Answer, exchange, listen};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::AtomicBool;

/// Serves the page until `stop` is set or a person presses "Finish"; `ready` is told the address (port 0 asks for a free one). The session comes back
/// with its edits.
///
/// # Errors
/// [`CalibrationError::Page`] when the address is not of this computer (loopback) or cannot be bound; [`CalibrationError::Setting`].
pub fn serve(
    mut session: Session,
    address: SocketAddr,
    stop: &AtomicBool,
    ready: impl FnOnce(SocketAddr),
) -> Result<Session, CalibrationError> {
    let failed = |reason: String| CalibrationError::Page { address: address.to_string(), reason };
    session.settings.check()?;
    if !address.ip().is_loopback() {
        return Err(failed("only addresses of this computer (127.0.0.1) are served".into()));
    }
    let listener = TcpListener::bind(address).map_err(|e| failed(e.to_string()))?;
    let local = listener.local_addr().map_err(|e| failed(e.to_string()))?;
    ready(local);
    let taken = listen(&listener, stop, |stream| {
        exchange(stream, Access::ThisComputer, |request| api::answer(&mut session, request));
        !session.finished
    });
    taken.map_err(|e| failed(e.to_string()))?;
    Ok(session)
}

/// The page as one document.
#[must_use]
pub fn document() -> Answer {
    let page = include_str!("page.html").replace("/*STYLE*/", include_str!("page.css"));
    let script = [include_str!("page_plot.js"), include_str!("page.js")].concat();
    Answer::new(200, "text/html; charset=utf-8", page.replace("/*SCRIPT*/", &script).into_bytes())
}
