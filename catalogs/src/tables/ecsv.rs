//! The YAML header of ECSV: delimiter, and name, type, unit and description of every column.
//!
//! # Source
//! Astropy Proposal for Enhancement 6 (APE 6): the header stands in comment lines, `# %ECSV 1.0`, `# ---`, then YAML with
//! `delimiter` (blank when absent, or a comma) and `datatype`, a list of maps. astropy keeps the same YAML in its Parquet files
//! (`table_meta_yaml`).

use super::{Field, Kind, TableError, sniff};
use std::io::BufRead;
use std::path::Path;
use yaml_rust2::{Yaml, YamlLoader};

pub(super) struct Header {
    pub(super) delimiter: u8,
    pub(super) fields: Vec<Field>,
}

pub(super) fn header(path: &Path) -> Result<Header, TableError> {
    let shown = path.display().to_string();
    let mut text = String::new();
    for line in sniff::reader(path)?.lines() {
        let line = line.map_err(|e| TableError::new(&shown, e))?;
        let Some(comment) = line.strip_prefix('#') else { break };
        let comment = comment.strip_prefix(' ').unwrap_or(comment);
        if !comment.starts_with("%ECSV") && comment.trim() != "---" {
            text.push_str(comment);
            text.push('\n');
        }
    }
    parse(&text, &shown)
}

/// The header from its YAML.
pub(super) fn parse(text: &str, path: &str) -> Result<Header, TableError> {
    let fault = |reason: String| TableError::new(path, format!("ECSV header: {reason}"));
    let documents = YamlLoader::load_from_str(text).map_err(|e| fault(e.to_string()))?;
    let root = documents.first().ok_or_else(|| fault("it is empty".into()))?;
    let delimiter = match root["delimiter"].as_str() {
        None => b' ',
        Some(one) if one.len() == 1 => one.as_bytes()[0],
        Some(other) => return Err(fault(format!("delimiter `{other}` is not one character"))),
    };
    let columns = root["datatype"].as_vec().ok_or_else(|| fault("no list `datatype`".into()))?;
    let mut fields = Vec::new();
    for (k, column) in columns.iter().enumerate() {
        let word = |key: &str| text_of(&column[key]);
        let name = word("name").ok_or_else(|| fault(format!("column {} has no name", k + 1)))?;
        let datatype = word("datatype").ok_or_else(|| fault(format!("column `{name}` has no datatype")))?;
        let kind = kind(&datatype).ok_or_else(|| fault(format!("column `{name}`: datatype `{datatype}` is not one of ECSV's")))?;
        let (unit, description) = (word("unit").unwrap_or_default(), word("description").unwrap_or_default());
        fields.push(Field { name, unit, kind, description });
    }
    Ok(Header { delimiter, fields })
}

/// A name may look like a number to YAML.
fn text_of(value: &Yaml) -> Option<String> {
    match value {
        Yaml::String(s) | Yaml::Real(s) => Some(s.clone()),
        Yaml::Integer(i) => Some(i.to_string()),
        Yaml::Boolean(b) => Some(b.to_string()),
        _ => None,
    }
}

fn kind(datatype: &str) -> Option<Kind> {
    Some(match datatype {
        "bool" => Kind::Bool,
        "int8" | "int16" | "int32" | "uint8" | "uint16" => Kind::Int32,
        "int64" | "uint32" | "uint64" => Kind::Int64,
        "float16" | "float32" => Kind::Float32,
        "float64" | "float128" => Kind::Float64,
        "string" | "complex64" | "complex128" | "complex256" => Kind::Text,
        _ => return None,
    })
}
