//! The OpenAPI document, made from the list of routes and the types of the answers.
//!
//! # Source
//! OpenAPI 3.1.0 with JSON Schema 2020-12; problems as RFC 9457. Judged by `openapi-spec-validator` in `peers/serve_browser.py`

use crate::routes::{Gives, Kind, ROUTES, Route, Value};
use schemars::generate::SchemaSettings;
use serde_json::{Map, json};

/// Names of the parts of a path.
fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect()
}

fn part(name: &str) -> serde_json::Value {
    let (about, schema) = match name {
        "run" => ("Name of a run, as the list of runs has it.", json!({ "type": "string" })),
        "unit" => ("Number of a unit, or its name with %2F for a slash.", json!({ "type": "string" })),
        _ => ("Number of a chunk, from 0.", json!({ "type": "integer", "minimum": 0 })),
    };
    json!({ "name": name, "in": "path", "required": true, "description": about, "schema": schema })
}

fn value(value: &Value) -> serde_json::Value {
    let schema = match value.kind {
        Kind::Whole(least, most, None) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Whole(least, most, Some(otherwise)) => json!({ "type": "integer", "minimum": least, "maximum": most, "default": otherwise }),
        Kind::Word(words, true) => json!({ "type": "string", "enum": words }),
        Kind::Word(words, false) => json!({ "type": "string", "enum": words, "default": words[0] }),
        Kind::Text => json!({ "type": "string" }),
    };
    json!({ "name": value.name, "in": "query", "required": false, "description": value.about, "schema": schema })
}

/// Answers of a route by status.
fn answers(route: &Route, generator: &mut schemars::SchemaGenerator) -> serde_json::Value {
    let (kind, schema) = match route.gives {
        Gives::Json(schema) => ("application/json", Some(schema(generator).to_value())),
        Gives::Other("application/json") => ("application/json", Some(json!({ "type": "object" }))),
        Gives::Other("image/png") => ("image/png", None),
        Gives::Other(kind) => (kind, Some(json!({ "type": "string" }))),
    };
    let content = schema.map_or_else(|| json!({}), |schema| json!({ "schema": schema }));
    let mut out = Map::new();
    out.insert("200".into(), json!({ "description": route.about, "content": { kind: content } }));
    let mut problem = |status: &str, about: &str| {
        let content = json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
        out.insert(status.into(), json!({ "description": about, "content": content }));
    };
    if !route.query.is_empty() || route.path.contains("{chunk}") {
        problem("400", "A value cannot be used.");
    }
    if !route.open {
        problem("401", "A bearer token is needed.");
    }
    if route.path.contains('{') {
        problem("404", "There is no such run, unit or chunk.");
        problem("503", "The run's files cannot be read just now.");
    }
    out.into()
}

/// The document.
#[must_use]
pub fn document() -> serde_json::Value {
    let settings = SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for route in ROUTES {
        let values: Vec<_> = parts(route.path).into_iter().map(part).chain(route.query.iter().map(value)).collect();
        let security = if route.open { json!([]) } else { json!([{ "token": [] }, {}]) };
        let mut operation = json!({
            "operationId": route.id, "summary": route.about, "security": security, "responses": answers(route, &mut generator),
        });
        if !values.is_empty() {
            operation["parameters"] = values.into();
        }
        paths.insert(route.path.into(), json!({ "get": operation }));
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert(
        "Problem".into(),
        json!({
            "type": "object", "description": "What is wrong (RFC 9457).", "required": ["type", "title", "status", "detail"],
            "properties": { "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" }, "detail": { "type": "string" } },
        }),
    );
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Skyloop survey runs", "version": env!("CARGO_PKG_VERSION"), "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
            "description": "Read-only view of survey runs. Units of measure stand in brackets; times are seconds since 1970 UTC unless stated.",
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": { "schemas": schemas, "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } } },
    });
    plain(&mut document);
    document
}

/// Descriptions come from documentation, where brackets and links are escaped.
fn plain(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            if let Some(serde_json::Value::String(text)) = map.get_mut("description") {
                *text = text.replace("\\[", "[").replace("\\]", "]");
            }
            map.values_mut().for_each(plain);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(plain),
        _ => {}
    }
}
