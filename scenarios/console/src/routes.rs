//! The one list of what can be asked for. Requests are matched and checked by it, and the OpenAPI document is made from it.

use crate::answers;
use crate::coverage::Coverage;
use crate::handlers as make;
use crate::metrics;
use crate::openapi;
use crate::service::{Asked, Console, Problem};
use page_server::Answer;
use schemars::{Schema, SchemaGenerator};

/// What a value of the query may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number: least, greatest, and what stands for it when absent.
    Whole(u64, u64, Option<u64>),
    /// One of these words; the first stands for it when absent, unless it may be absent.
    Word(&'static [&'static str], bool),
    /// Any text.
    Text,
}

/// A value of the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    /// Name.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// What it may be.
    pub kind: Kind,
}

/// What comes back.
#[derive(Clone, Copy)]
pub enum Gives {
    /// JSON with a schema.
    Json(fn(&mut SchemaGenerator) -> Schema),
    /// Something else: its content type.
    Other(&'static str),
}

/// A thing that can be asked for with GET.
pub struct Route {
    /// Path; `{name}` stands for a part of it.
    pub path: &'static str,
    /// Name of the operation.
    pub id: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Values of the query.
    pub query: &'static [Value],
    /// What comes back.
    pub gives: Gives,
    /// Without a token.
    pub open: bool,
    pub(crate) answer: fn(&Console, &Asked) -> Result<Answer, Problem>,
}

const fn whole(name: &'static str, about: &'static str, least: u64, most: u64, otherwise: Option<u64>) -> Value {
    Value { name, about, kind: Kind::Whole(least, most, otherwise) }
}

const OFFSET: Value = whole("offset", "The first of the list, from 0.", 0, u32::MAX as u64, Some(0));

fn schema<T: schemars::JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// All of them.
pub const ROUTES: &[Route] = &[
    Route {
        path: "/api/v1/runs",
        id: "listRuns",
        about: "The runs that are served.",
        query: &[],
        gives: Gives::Json(schema::<answers::Runs>),
        open: false,
        answer: make::runs,
    },
    Route {
        path: "/api/v1/runs/{run}",
        id: "getRun",
        about: "How a run stands: units by state, rates, time left, slowest units, memory.",
        query: &[],
        gives: Gives::Json(schema::<answers::RunDetail>),
        open: false,
        answer: make::run,
    },
    Route {
        path: "/api/v1/runs/{run}/units",
        id: "listUnits",
        about: "Units of a run, as many as asked for.",
        query: &[
            Value {
                name: "state",
                about: "Units of this state alone; `open` are those begun without an end.",
                kind: Kind::Word(&["done", "failed", "stale", "missing", "open"], true),
            },
            whole("chunk", "Units of this chunk alone.", 0, u32::MAX as u64, None),
            whole("detector", "Units of this detector alone.", 0, u16::MAX as u64, None),
            whole("obs_id", "Units of this exposure alone.", 0, i64::MAX as u64, None),
            Value { name: "reason", about: "Units of this group of failures alone.", kind: Kind::Text },
            Value {
                name: "sort",
                about: "Order: of the plan; those that ended last first; those that took longest first; those with most memory first.",
                kind: Kind::Word(&["plan", "recent", "slowest", "memory"], false),
            },
            whole("limit", "At most so many.", 1, 1000, Some(100)),
            OFFSET,
        ],
        gives: Gives::Json(schema::<answers::Units>),
        open: false,
        answer: make::units,
    },
    Route {
        path: "/api/v1/runs/{run}/units/{unit}",
        id: "getUnit",
        about: "A unit by its number, or by its name with %2F for a slash: its row, its record, its lines in the journals.",
        query: &[],
        gives: Gives::Json(schema::<answers::UnitDetail>),
        open: false,
        answer: make::unit,
    },
    Route {
        path: "/api/v1/runs/{run}/units/{unit}/picture",
        id: "getPicture",
        about: "The frame of a unit that is done at a glance: science pixels, block means, asinh stretch.",
        query: &[whole("side", "Largest width and height in pixels.", 32, 2048, Some(720))],
        gives: Gives::Other("image/png"),
        open: false,
        answer: make::picture,
    },
    Route {
        path: "/api/v1/runs/{run}/chunks",
        id: "listChunks",
        about: "Chunks of the plan with their units by state.",
        query: &[whole("limit", "At most so many.", 1, 10_000, Some(5000)), OFFSET],
        gives: Gives::Json(schema::<answers::Chunks>),
        open: false,
        answer: make::chunks,
    },
    Route {
        path: "/api/v1/runs/{run}/chunks/{chunk}/log",
        id: "getChunkLog",
        about: "Lines of the journals about the units of a chunk of the plan, in order of time, one JSON object a line, whichever attempt wrote them.",
        query: &[whole("limit", "The last so many lines.", 1, 100_000, Some(10_000))],
        gives: Gives::Other("application/x-ndjson"),
        open: false,
        answer: make::log,
    },
    Route {
        path: "/api/v1/runs/{run}/failures",
        id: "listFailures",
        about: "Failures by class and reason.",
        query: &[],
        gives: Gives::Json(schema::<answers::Failures>),
        open: false,
        answer: make::failures,
    },
    Route {
        path: "/api/v1/runs/{run}/coverage",
        id: "getCoverage",
        about: "Exposures on the sky with a state for each detector.",
        query: &[whole("limit", "At most so many exposures.", 1, 10_000, Some(3000)), OFFSET],
        gives: Gives::Json(schema::<Coverage>),
        open: false,
        answer: make::coverage,
    },
    Route {
        path: "/api/v1/openapi.json",
        id: "getOpenApi",
        about: "This document.",
        query: &[],
        gives: Gives::Other("application/json"),
        open: true,
        answer: |_, _| Ok(Answer::json(200, &openapi::document())),
    },
    Route {
        path: "/healthz",
        id: "getHealth",
        about: "Whether the service answers.",
        query: &[],
        gives: Gives::Json(schema::<answers::Health>),
        open: true,
        answer: make::health,
    },
    Route {
        path: "/metrics",
        id: "getMetrics",
        about: "Metrics of all runs in the text format of Prometheus.",
        query: &[],
        gives: Gives::Other(metrics::KIND),
        open: false,
        answer: make::metrics,
    },
];
