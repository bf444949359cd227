//! The tables of effects and the order of the chain, checked against the registry of effects.

use super::document::Node;
use super::error::{DescriptionError, Place};
use super::section::Section;
use super::{ChainOrder, nearest};
use crate::effects::registry;
use std::collections::BTreeMap;

/// Effect tables by name.
pub(super) type Tables = BTreeMap<String, toml::Table>;

/// Reads `[chain]`: every name must be an effect of its plane.
pub(super) fn chain(root: &Section<'_>) -> Result<ChainOrder, DescriptionError> {
    let section = root.section("chain", &["light", "charge", "counts", "off"])?;
    let plane = |key: &str, known: Vec<&'static str>| {
        let names = section.texts(key)?;
        match names.iter().find(|n| !known.contains(&n.as_str())) {
            None => Ok(names),
            Some(name) => Err(DescriptionError::Unknown {
                place: Place { key: format!("chain.{key}: effect `{name}`"), ..section.place(key) },
                hint: nearest::hint(name, known),
            }),
        }
    };
    let mut order = ChainOrder {
        light: plane("light", registry::light().iter().map(|e| e.name).collect())?,
        charge: plane("charge", registry::charge().iter().map(|e| e.name).collect())?,
        counts: plane("counts", registry::counts().iter().map(|e| e.name).collect())?,
        off: Vec::new(),
    };
    if section.get("off").is_some() {
        let listed = order.light.iter().chain(&order.charge).chain(&order.counts);
        let off = section.texts("off")?;
        if let Some(name) = off.iter().find(|name| listed.clone().all(|l| l != *name)) {
            return Err(DescriptionError::Unknown {
                place: Place { key: format!("chain.off: effect `{name}`"), ..section.place("off") },
                hint: nearest::hint(name, listed.map(String::as_str).collect::<Vec<_>>()),
            });
        }
        order.off = off;
    }
    Ok(order)
}

/// Checks `[effects]` (the instrument's, or one detector's own): names, keys, units, ranges.
pub(super) fn check(file: &str, key: &str, node: &Node) -> Result<(), DescriptionError> {
    for (name, table) in Section::new(file, key, node, &registry::effect_names())?.entries() {
        let Some(summary) = registry::find(name) else { continue };
        let keys: Vec<&str> = summary.parameters.iter().map(|p| p.key).collect();
        let section = Section::new(file, &format!("{key}.{name}"), table, &keys)?;
        for p in summary.parameters.iter().filter(|p| section.get(p.key).is_some()) {
            section.number(p.key, p.unit, p.low, p.high)?;
        }
    }
    Ok(())
}

/// Checks that every effect of the chain has all its parameters.
pub(super) fn complete(chain: &ChainOrder, tables: &Tables, file: &str) -> Result<(), DescriptionError> {
    let named = chain.light.iter().chain(&chain.charge).chain(&chain.counts).map(String::as_str);
    for summary in named.chain(["detect", "digitise"]).filter_map(registry::find) {
        for p in summary.parameters {
            if tables.get(summary.name).is_none_or(|t| !t.contains_key(p.key)) {
                let place = Place { file: file.into(), line: 0, key: format!("effects.{}.{}", summary.name, p.key) };
                let need = format!("{}: give {{ value, unit = \"{}\", source, status }}, {}..{}", p.meaning, p.unit, p.low, p.high);
                return Err(DescriptionError::Missing { place, need });
            }
        }
    }
    Ok(())
}

/// Lays one detector's own values over the instrument's.
pub(super) fn merge(base: &Tables, own: Option<&toml::Table>) -> Tables {
    let mut merged = base.clone();
    for (name, value) in own.into_iter().flatten() {
        if let toml::Value::Table(values) = value {
            merged.entry(name.clone()).or_default().extend(values.clone());
        }
    }
    merged
}
