//! skyloop
fn main() {}
