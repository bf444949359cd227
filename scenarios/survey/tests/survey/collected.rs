//! The database and the table that `collect` makes.

use crate::toy::{Toy, make_all, options, plan};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rusqlite::Connection;
use survey::collect::{Collected, Database, collect, export};
use survey::failure::{ErrorClass, UnitError};

fn count(path: &std::path::Path, query: &str) -> i64 {
    Connection::open(path).unwrap().query_row(query, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_database_is_filled_again_and_again_without_doubles() {
    let folder = tempfile::tempdir().unwrap();
    let (run, rows) = plan(folder.path(), 18);
    let toy = Toy {
        folder: Some(folder.path()),
        before: Some(Box::new(|unit| if unit.index == 3 { Err(UnitError::new(ErrorClass::Unit, "no")) } else { Ok(()) })),
        ..Toy::default()
    };
    let database = run.database();
    let sqlite = Database::named(database.to_str().unwrap());
    assert_eq!(collect(&run, &sqlite).unwrap(), Collected { units: 18, new_lines: 0 });
    make_all(&run, &rows[..12], &toy, &options());
    assert_eq!(collect(&run, &sqlite).unwrap().new_lines, 24);
    assert_eq!(collect(&run, &sqlite).unwrap().new_lines, 0);
    assert_eq!(count(&database, "SELECT count(*) FROM unit WHERE state = 'done'"), 11);
    assert_eq!(count(&database, "SELECT count(*) FROM unit WHERE state = 'failed' AND class = 'unit' AND error = 'no'"), 1);
    make_all(&run, &rows, &Toy { folder: Some(folder.path()), ..Toy::default() }, &options());
    assert_eq!(collect(&run, &sqlite).unwrap().new_lines, 14);
    assert_eq!(count(&database, "SELECT count(*) FROM unit WHERE state = 'done' AND cpu_s >= 0"), 18);
    assert_eq!(count(&database, "SELECT count(*) FROM product"), 36);
    assert_eq!(count(&database, "SELECT count(*) FROM event"), 38);
    assert_eq!(count(&database, "SELECT sum(bytes) FROM product"), count(&database, "SELECT sum(bytes) FROM unit"));
    assert_eq!(count(&database, "SELECT attempts FROM unit WHERE unit = 3"), 2);
}

#[test]
fn the_table_has_the_manifest_and_how_units_stand() {
    let folder = tempfile::tempdir().unwrap();
    let (run, rows) = plan(folder.path(), 6);
    make_all(&run, &rows[..4], &Toy { folder: Some(folder.path()), ..Toy::default() }, &options());
    let path = folder.path().join("standing.parquet");
    assert_eq!(export(&run, &path).unwrap(), 6);
    let file = std::fs::File::open(&path).unwrap();
    let batch = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().next().unwrap().unwrap();
    assert_eq!((batch.num_rows(), batch.num_columns()), (6, 26));
    assert_eq!(batch["state"].as_any().downcast_ref::<arrow_array::StringArray>().unwrap().value(5), "missing");
    assert_eq!(batch["wall_s"].null_count(), 2);
}
