//! An instrument file as a tree that knows its lines, and the walk that checks every number's provenance.

use super::error::{DescriptionError, Place};
use super::{ProvenanceLine, nearest};
use sim_core::quantity::Status;
use toml::de::{DeTable, DeValue};

/// Keys whose bare integers are no physics: seeds, and the index of a Zernike term.
const PLAIN: [&str; 2] = ["device_seed", "noll"];
/// Parts of a quantity.
const PARTS: [&str; 4] = ["value", "unit", "source", "status"];

/// One value and its line.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Table(Vec<(String, Node)>),
    List(Vec<Node>),
    Text(String),
    Number(f64),
    Other(&'static str),
}

impl Node {
    /// Reads a TOML text; lines of table entries are those of their keys.
    pub(super) fn parse(text: &str, file: &str) -> Result<Self, DescriptionError> {
        let starts: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        let line_of = |offset: usize| starts.partition_point(|&s| s <= offset);
        let table = DeTable::parse(text).map_err(|e| {
            let line = e.span().map_or(0, |s| line_of(s.start));
            DescriptionError::Syntax { place: Place { file: file.into(), line, key: String::new() }, reason: e.message().to_string() }
        })?;
        Ok(Self { line: 0, value: of_table(table.get_ref(), &line_of) })
    }
    /// Entry of a table.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Table(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, node)| node),
            _ => None,
        }
    }
    /// What it is, for messages.
    pub(super) fn form(&self) -> &'static str {
        match &self.value {
            Value::Table(_) => "a table",
            Value::List(_) => "a list",
            Value::Text(_) => "a text",
            Value::Number(_) => "a number",
            Value::Other(what) => what,
        }
    }
    /// As text, for `explain`.
    pub(super) fn text(&self) -> String {
        match &self.value {
            Value::Text(t) => t.clone(),
            Value::Number(v) => v.to_string(),
            Value::List(items) => format!("[{}]", items.iter().map(Node::text).collect::<Vec<_>>().join(", ")),
            _ => self.form().to_string(),
        }
    }
    /// Whether this is meant as a quantity.
    fn is_quantity(&self) -> bool {
        PARTS.iter().any(|p| self.get(p).is_some_and(|n| !matches!(n.value, Value::Table(_))))
    }
}

fn of_table(table: &DeTable<'_>, line_of: &impl Fn(usize) -> usize) -> Value {
    let mut entries: Vec<(usize, String, Node)> = table
        .iter()
        .map(|(key, value)| {
            let at = key.span().start;
            (at, key.get_ref().to_string(), Node { line: line_of(at), value: of_value(value.get_ref(), line_of) })
        })
        .collect();
    entries.sort_by_key(|(at, _, _)| *at);
    Value::Table(entries.into_iter().map(|(_, key, node)| (key, node)).collect())
}

fn of_value(value: &DeValue<'_>, line_of: &impl Fn(usize) -> usize) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(i) => {
            i64::from_str_radix(i.as_str(), i.radix()).map_or(Value::Other("a huge integer"), |v| Value::Number(v as f64))
        }
        DeValue::Float(f) => f.as_str().parse().map_or(Value::Other("a number of another form"), Value::Number),
        DeValue::Boolean(_) => Value::Other("true or false"),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(items) => {
            let nodes = items.iter().map(|v| Node { line: line_of(v.span().start), value: of_value(v.get_ref(), line_of) });
            Value::List(nodes.collect())
        }
        DeValue::Table(table) => of_table(table, line_of),
    }
}

/// Checks that every number is a whole quantity and lists them in the order of the file.
pub(super) fn provenance(root: &Node, file: &str) -> Result<Vec<ProvenanceLine>, DescriptionError> {
    let mut lines = Vec::new();
    walk(root, "", file, &mut lines)?;
    Ok(lines)
}

fn walk(node: &Node, key: &str, file: &str, lines: &mut Vec<ProvenanceLine>) -> Result<(), DescriptionError> {
    let place = || Place { file: file.into(), line: node.line, key: key.into() };
    match &node.value {
        Value::Table(_) if node.is_quantity() => lines.push(quantity(node, &place())?),
        Value::Table(entries) => {
            for (k, n) in entries {
                walk(n, &if key.is_empty() { k.clone() } else { format!("{key}.{k}") }, file, lines)?;
            }
        }
        Value::List(items) => {
            for (i, n) in items.iter().enumerate() {
                walk(n, &format!("{key}[{i}]"), file, lines)?;
            }
        }
        Value::Number(_) if !PLAIN.iter().any(|p| key.rsplit('.').next() == Some(p)) => {
            let reason = "a bare number: give { value, unit, source, status }".into();
            return Err(DescriptionError::Form { place: place(), reason });
        }
        _ => {}
    }
    Ok(())
}

fn quantity(node: &Node, place: &Place) -> Result<ProvenanceLine, DescriptionError> {
    let part = |name: &str| Place { key: format!("{}.{name}", place.key), ..place.clone() };
    if let Value::Table(entries) = &node.value
        && let Some((k, n)) = entries.iter().find(|(k, _)| !PARTS.contains(&k.as_str()))
    {
        return Err(DescriptionError::Unknown { place: Place { line: n.line, ..part(k) }, hint: nearest::hint(k, PARTS) });
    }
    let text = |name: &str| match node.get(name) {
        Some(Node { value: Value::Text(t), .. }) if !t.trim().is_empty() => Ok(t.clone()),
        Some(_) => Err(DescriptionError::Form { place: part(name), reason: "must be a text that is not empty".into() }),
        None => Err(DescriptionError::Missing { place: part(name), need: "a quantity is { value, unit, source, status }".into() }),
    };
    let value = node
        .get("value")
        .ok_or_else(|| DescriptionError::Missing { place: part("value"), need: "a quantity is { value, unit, source, status }".into() })?;
    let status = match text("status")?.as_str() {
        "measured" => Status::Measured,
        "published" => Status::Published,
        "public_code" => Status::PublicCode,
        "required" => Status::Required,
        "derived" => Status::Derived,
        "assumed" => Status::Assumed,
        other => {
            let hint = nearest::hint(other, ["measured", "published", "public_code", "required", "derived", "assumed"]);
            return Err(DescriptionError::Unknown { place: part(&format!("status `{other}`")), hint });
        }
    };
    Ok(ProvenanceLine { key: place.key.clone(), value: value.text(), unit: text("unit")?, source: text("source")?, status })
}
