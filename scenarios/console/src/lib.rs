//! Survey runs in a browser, and reports of them.
//!
//! [`Console`] answers for folders of runs: a read-only REST service, metrics, and one page that shows a run living. Nothing has to run for it
//! and nothing is written: all is read from manifests, journals and products ([`mod@snapshot`]), and read again only where journals have grown.
//! [`mod@routes`] is the one list of what can be asked for; requests are matched, checked and documented (OpenAPI) by it. [`mod@report`] puts
//! the same figures on a page that stands alone.
//!
//! # Rules
//! * A run is found by its name among those the console was started with: nothing a client sends becomes a path.
//! * Addresses other than this computer's need a bearer token.
//! * The console knows no instrument: outlines of detectors come in through [`Outlines`].

pub mod answers;
pub mod coverage;
mod events;
mod handlers;
pub mod metrics;
mod openapi;
mod page;
pub mod picture;
pub mod report;
pub mod routes;
pub mod runs;
pub mod server;
mod service;
pub mod snapshot;
pub mod spread;

pub use runs::Outlines;
pub use server::{Address, ConsoleError, serve};
pub use service::Console;
