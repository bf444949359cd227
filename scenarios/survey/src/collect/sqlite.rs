//! The tables in a SQLite file.

use super::rows::{self, Value};
use super::{LINES, Part, Store};
use crate::failure::SurveyError;
use crate::status::Seen;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Statement, ToSql, TransactionBehavior, params_from_iter};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long another collector is waited for.
const WAIT: Duration = Duration::from_secs(30);

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Real(value) => ValueRef::Real(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
        }))
    }
}

/// An open file.
pub(super) struct Sqlite {
    connection: Connection,
    path: PathBuf,
}

/// A statement that puts rows of so many values into a table.
fn insert<'a>(connection: &'a Connection, table: &str, values: usize) -> rusqlite::Result<Statement<'a>> {
    let places = vec!["?"; values].join(",");
    connection.prepare(&format!("INSERT OR REPLACE INTO {table} VALUES ({places})"))
}

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self, SurveyError> {
        let failed = SurveyError::database(path);
        let connection = Connection::open(path).map_err(&failed)?;
        connection.busy_timeout(WAIT).map_err(&failed)?;
        connection.execute_batch(include_str!("tables.sql")).map_err(&failed)?;
        Ok(Self { connection, path: path.to_path_buf() })
    }
}

impl Store for Sqlite {
    fn take(&mut self, files: &mut dyn Iterator<Item = PathBuf>) -> Result<usize, SurveyError> {
        let failed = SurveyError::database(&self.path);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        let reached = |file: &str| {
            let bytes = transaction.query_row("SELECT bytes FROM journal WHERE file = ?1", [file], |row| row.get(0)).optional()?;
            let lines = transaction.query_row("SELECT count(*) FROM event WHERE file = ?1", [file], |row| row.get(0))?;
            Ok::<(i64, i64), rusqlite::Error>((bytes.unwrap_or(0), lines))
        };
        let put = |part: &Part| {
            let mut event = insert(&transaction, "event", 17)?;
            rows::events(part).try_for_each(|row| event.execute(params_from_iter(row)).map(drop))?;
            let mut product = insert(&transaction, "product", 5)?;
            rows::products(part).try_for_each(|row| product.execute(params_from_iter(row)).map(drop))?;
            insert(&transaction, "journal", 2)?.execute(params_from_iter(rows::journal(part))).map(drop)
        };
        let mut taken = 0;
        while taken < LINES
            && let Some(path) = files.next()
        {
            let (bytes, lines) = reached(&Part::name(&path)).map_err(&failed)?;
            if let Some(part) = Part::after(&path, bytes, lines)? {
                put(&part).map_err(&failed)?;
                taken += part.lines.len();
            }
        }
        transaction.commit().map_err(&failed)?;
        Ok(taken)
    }

    fn put_units(&mut self, seen: &[Seen<'_>]) -> Result<(), SurveyError> {
        let failed = SurveyError::database(&self.path);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        let put = || {
            transaction.execute("DELETE FROM unit", [])?;
            let mut unit = insert(&transaction, "unit", 26)?;
            seen.iter().try_for_each(|s| unit.execute(params_from_iter(rows::unit(s))).map(drop))
        };
        put().map_err(&failed)?;
        transaction.commit().map_err(&failed)
    }
}
