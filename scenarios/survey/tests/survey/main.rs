//! Survey runs with a toy maker of small files: in this process, and in processes that are killed.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod collected;
mod executor;
mod kills;
mod medium;
mod standing;
mod store;
mod toy;
