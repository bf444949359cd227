//! Survey runs: many units of work, made on whatever is at hand, interrupted, resumed, counted and checked.
//!
//! The product is a **stateless, idempotent unit executor, not a scheduler**. A plan writes a [`manifest`] of units in [`chunks`];
//! [`executor::run`] makes one chunk or all of them through a [`executor::UnitMaker`]; everything else (one machine, arrays of a
//! batch system) only calls that. Truth is in the files: a unit is done when its commit [`record`] has the planned key. What
//! happened is in the [`mod@journal`]; [`mod@status`], [`mod@retry`], [`mod@collect`] and [`mod@verify`] read both and need no
//! memory of any process. Nothing here knows what a unit is of: instruments come in through the maker.
//!
//! # Rules
//! * **Commit.** A maker writes products under temporary names, syncs and renames them, and writes the record last
//!   ([`sim_core::files`]). So a kill at any moment leaves whole products, and a unit without record is no unit.
//! * **Key.** The same key means the same bits: present with the planned key is skipped, with another one it is stale and refused
//!   unless asked for. Two executors on the same unit write the same bytes under the same name.
//! * **No worker writes a database**; the journal has one file per chunk and attempt, with one writer each.

pub mod chunks;
pub mod clean;
pub mod collect;
pub mod executor;
pub mod failure;
pub mod folder;
pub mod journal;
pub mod manifest;
pub mod memory;
mod pool;
mod program;
pub mod record;
pub mod retry;
pub mod signals;
pub mod status;
pub mod store;
pub mod submit;
pub mod verify;
