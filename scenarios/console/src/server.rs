//! The service on an address.

use crate::service::Console;
use page_server::{Access, exchange, listen};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};

/// Requests that are answered at the same time.
const WORKERS: usize = 6;
/// Connections that may wait; more are closed.
const WAITING: usize = 64;
/// Shortest token.
const SHORTEST: usize = 16;

/// Why the service does not begin, or ends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsoleError {
    /// The address cannot be used.
    #[error("address {address}: {source}")]
    Address {
        /// Address.
        address: String,
        /// Reason.
        source: std::io::Error,
    },
    /// An address that others reach needs a token.
    #[error("address {0}: others can reach it, so a token is needed (--token-file)")]
    TokenNeeded(SocketAddr),
    /// The token cannot be read.
    #[error("token file {path}: {reason}")]
    Token {
        /// File.
        path: String,
        /// Reason.
        reason: String,
    },
}

/// Where the service listens, and the token that it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Address and port; port 0 asks for a free one.
    pub at: SocketAddr,
    /// The token; needed where `at` is not an address of this computer alone.
    pub token: Option<String>,
}

impl Address {
    /// An address with the token of a file: its first line, at least 16 printable ASCII characters without blanks.
    ///
    /// # Errors
    /// When the file cannot be read, holds no such token, or is not there where a token is needed.
    pub fn new(at: SocketAddr, token_file: Option<&Path>) -> Result<Self, ConsoleError> {
        let Some(path) = token_file else {
            return if at.ip().is_loopback() { Ok(Self { at, token: None }) } else { Err(ConsoleError::TokenNeeded(at)) };
        };
        let wrong = |reason: String| ConsoleError::Token { path: path.display().to_string(), reason };
        let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
        let token = text.lines().next().unwrap_or_default().trim();
        if token.len() < SHORTEST || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(wrong(format!("its first line has to be at least {SHORTEST} printable characters without blanks")));
        }
        Ok(Self { at, token: Some(token.into()) })
    }
}

/// Serves until `stop` is set; `ready` is told the address.
///
/// # Errors
/// When the address cannot be bound, or the listener breaks.
pub fn serve(console: &Console, at: SocketAddr, stop: &AtomicBool, ready: impl FnOnce(SocketAddr)) -> Result<(), ConsoleError> {
    let failed = |source| ConsoleError::Address { address: at.to_string(), source };
    let listener = TcpListener::bind(at).map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    let access = if at.ip().is_loopback() { Access::ThisComputer } else { Access::Anyone };
    let (hand, taken) = sync_channel::<TcpStream>(WAITING);
    let taken = Mutex::new(taken);
    ready(local);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(stream) = next(&taken) {
                    exchange(stream, access, |request| console.answer(request));
                }
            });
        }
        let ended = listen(&listener, stop, |stream| {
            // One too many is closed at once.
            let _ = hand.try_send(stream);
            true
        });
        drop(hand);
        ended
    })
    .map_err(failed)
}

/// The next connection; none at the end.
fn next(taken: &Mutex<Receiver<TcpStream>>) -> Option<TcpStream> {
    taken.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}
