//! Serves pages and data of this program to a browser: HTTP/1.1 as far as that needs, one request and one answer per connection.
//!
//! Requests are parsed by `httparse` (MIT or Apache-2.0, maintained, no dependencies); the small servers that would do more are not kept up, the
//! large ones bring an asynchronous runtime for a handful of readers. What is asked for and answered is the caller's.

mod answer;
mod listen;
mod request;

pub use answer::Answer;
pub use listen::{exchange, listen};
pub use request::{Access, Request, decoded};
