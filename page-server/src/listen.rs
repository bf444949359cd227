//! Connections.

use super::answer::Answer;
use super::request::{Access, Request, read};
use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often `stop` is looked at.
const PAUSE: Duration = Duration::from_millis(10);

/// Hands connections over until `stop` is set or `take` says that it is enough (`false`).
///
/// # Errors
/// When the listener breaks; connections that break do not end it.
pub fn listen(listener: &TcpListener, stop: &AtomicBool, mut take: impl FnMut(TcpStream) -> bool) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => {
                if !take(stream) {
                    break;
                }
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            Err(e) if matches!(e.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Reads a request and writes the answer to it. A connection that breaks or stays silent ends itself.
pub fn exchange(mut stream: TcpStream, access: Access, answer: impl FnOnce(&Request) -> Answer) {
    if let Ok(request) = read(&mut stream, access) {
        let answer = request.map_or_else(|refusal| refusal, |request| answer(&request));
        let _ = answer.write(&mut stream);
    }
}
