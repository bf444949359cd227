//! The tables in a PostgreSQL database, through its own client `psql`: so what a site has for connections (encryption, tickets, files of
//! passwords, services) holds here too. Rows go by COPY into tables that end with the transaction, and from there into the tables.
//!
//! # Source
//! The manual of PostgreSQL: COPY (text format), psql, connection URIs.
//!
//! # Limits
//! Several runs in one database have a schema each, which the URL names: `?options=-csearch_path%3DRUN`.

use super::rows::{self, Value};
use super::{LINES, Part, Store};
use crate::failure::SurveyError;
use crate::program::feed;
use crate::status::Seen;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

/// One collector at a time; the number is of no meaning but the same for all.
const LOCK: &str = "SET client_min_messages = warning;\nSELECT pg_advisory_xact_lock(7012026);\n";

/// A database.
pub(super) struct Postgres {
    url: String,
    /// Bytes and lines that were reached of each journal.
    reached: BTreeMap<String, (i64, i64)>,
}

/// The tables as this database has their types.
fn tables() -> String {
    let sqlite = include_str!("tables.sql");
    sqlite.replace(" STRICT, WITHOUT ROWID", "").replace(" STRICT", "").replace("INTEGER", "BIGINT").replace("REAL", "DOUBLE PRECISION")
}

/// A row in COPY's text format.
fn line(row: &[Value<'_>], out: &mut String) {
    for (k, value) in row.iter().enumerate() {
        if k > 0 {
            out.push('\t');
        }
        // Writing into a text never fails.
        let _ = match value {
            Value::Null => out.write_str("\\N"),
            Value::Integer(value) => write!(out, "{value}"),
            Value::Real(value) => write!(out, "{value}"),
            Value::Text(text) => {
                text.chars().for_each(|c| match c {
                    '\\' => out.push_str("\\\\"),
                    '\t' => out.push_str("\\t"),
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    // Texts of this database cannot have it.
                    '\0' => {}
                    c => out.push(c),
                });
                Ok(())
            }
        };
    }
    out.push('\n');
}

/// A COPY of rows.
fn copy<'a, const N: usize>(out: &mut String, table: &str, rows: impl Iterator<Item = [Value<'a>; N]>) {
    let _ = writeln!(out, "COPY {table} FROM STDIN;");
    rows.for_each(|row| line(&row, out));
    out.push_str("\\.\n");
}

impl Postgres {
    pub(super) fn open(url: &str) -> Result<Self, SurveyError> {
        let user = url.split_once("://").and_then(|(_, rest)| rest.split('/').next()?.rsplit_once('@')).map(|(user, _)| user);
        if user.is_some_and(|user| user.contains(':')) {
            let range = "a URL without a password, which everybody would see: ~/.pgpass or PGPASSWORD is the place for it";
            return Err(SurveyError::Range { key: "--database", value: "a URL with a password".into(), range: range.into() });
        }
        let mut postgres = Self { url: url.into(), reached: BTreeMap::new() };
        postgres.execute(&tables())?;
        let query = "SELECT bytes, (SELECT count(*) FROM event WHERE event.file = journal.file), file FROM journal;";
        for row in postgres.execute(query)?.lines() {
            let mut fields = row.splitn(3, '\t');
            let mut number = || fields.next().and_then(|f| f.parse::<i64>().ok());
            if let (Some(bytes), Some(lines)) = (number(), number())
                && let Some(file) = fields.next()
            {
                postgres.reached.insert(file.into(), (bytes, lines));
            }
        }
        Ok(postgres)
    }

    /// Statements in one transaction; what the last one gives, fields between tabs.
    fn execute(&self, statements: &str) -> Result<String, SurveyError> {
        let options = ["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--field-separator=\t", "--set=ON_ERROR_STOP=1"];
        let rest = ["--single-transaction", "--no-password", "--file=-", "--dbname"];
        feed("psql", &[&options[..], &rest[..], &[self.url.as_str()]].concat(), format!("{LOCK}{statements}").as_bytes())
    }
}

impl Store for Postgres {
    fn take(&mut self, files: &mut dyn Iterator<Item = PathBuf>) -> Result<usize, SurveyError> {
        let mut parts = Vec::new();
        let mut taken = 0;
        while taken < LINES
            && let Some(path) = files.next()
        {
            let (bytes, lines) = self.reached.get(&Part::name(&path)).copied().unwrap_or_default();
            if let Some(part) = Part::after(&path, bytes, lines)? {
                taken += part.lines.len();
                parts.push(part);
            }
        }
        if parts.is_empty() {
            return Ok(0);
        }
        self.execute(&statements(&parts))?;
        self.reached.extend(parts.iter().map(|part| (part.file.clone(), (part.end, part.first + part.lines.len() as i64))));
        Ok(taken)
    }

    fn put_units(&mut self, seen: &[Seen<'_>]) -> Result<(), SurveyError> {
        let mut text = String::from("DELETE FROM unit;\n");
        copy(&mut text, "unit", seen.iter().map(rows::unit));
        self.execute(&text).map(drop)
    }
}

/// What takes in parts of journals. A line that another collector took in meanwhile is the same line: it is left out.
fn statements(parts: &[Part]) -> String {
    let mut out = String::from("CREATE TEMP TABLE new_event (LIKE event) ON COMMIT DROP;\n");
    copy(&mut out, "new_event", parts.iter().flat_map(rows::events));
    out.push_str("INSERT INTO event SELECT * FROM new_event ON CONFLICT DO NOTHING;\n");
    // Of products that were made twice the last is kept: `number` is their order.
    out.push_str("CREATE TEMP TABLE new_product (LIKE product, number BIGSERIAL) ON COMMIT DROP;\n");
    copy(&mut out, "new_product (unit, key, path, bytes, sha256)", parts.iter().flat_map(rows::products));
    out.push_str(
        "INSERT INTO product SELECT DISTINCT ON (path, key) unit, key, path, bytes, sha256 FROM new_product \
         ORDER BY path, key, number DESC ON CONFLICT (path, key) DO UPDATE SET unit = excluded.unit, bytes = excluded.bytes, \
         sha256 = excluded.sha256;\n",
    );
    out.push_str("CREATE TEMP TABLE new_journal (LIKE journal) ON COMMIT DROP;\n");
    copy(&mut out, "new_journal", parts.iter().map(rows::journal));
    out.push_str(
        "INSERT INTO journal SELECT * FROM new_journal ON CONFLICT (file) DO UPDATE \
         SET bytes = greatest(journal.bytes, excluded.bytes);\n",
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_what_copy_reads_back() {
        let mut out = String::new();
        line(&[Value::Null, Value::Integer(-3), Value::Real(0.1), Value::Text("a\tb\\N\r\n\0é"), Value::Text("")], &mut out);
        assert_eq!(out, "\\N\t-3\t0.1\ta\\tb\\\\N\\r\\né\t\n");
    }

    #[test]
    fn the_tables_have_the_types_of_this_database() {
        let tables = tables();
        assert!(tables.contains("unit BIGINT PRIMARY KEY") && tables.contains("ra_deg DOUBLE PRECISION NOT NULL"));
        assert!(!tables.contains("STRICT") && !tables.contains("ROWID"));
    }

    #[test]
    fn a_password_in_a_url_is_refused() {
        let refused = |url| Postgres::open(url).err().map(|e| e.to_string()).is_some_and(|words| words.contains("PGPASSWORD"));
        assert!(refused("postgres://me:secret@host:5432/sky"));
        // Others are, or are not, for the client to refuse.
        assert!(!refused("postgres://me@127.0.0.1:1/sky") && !refused("postgres:///sky?host=/nowhere:1"));
    }
}
