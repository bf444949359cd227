//! Rows on their way into cells: kept in memory up to a bound, then laid aside in a file for each cell.

use crate::tables::{Cells, Field, Kind, TableError};
use sim_core::table::ColumnData;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::PathBuf;

/// Columns of a cell.
pub(super) struct Rows {
    pub(super) columns: Vec<Cells>,
    pub(super) numbers: Vec<u64>,
}

impl Rows {
    fn new(fields: &[Field]) -> Self {
        Self { columns: fields.iter().map(|f| Cells::whole(f.kind.empty(0))).collect(), numbers: Vec::new() }
    }
    fn push(&mut self, from: &[Cells], row: usize, number: u64) -> usize {
        let at = self.numbers.len();
        let mut bytes = 8;
        for (to, from) in self.columns.iter_mut().zip(from) {
            bytes += push(to, from, row, at);
        }
        self.numbers.push(number);
        bytes
    }
    /// The rows in order of their numbers, then as they came.
    pub(super) fn sorted(self) -> Self {
        let mut order: Vec<usize> = (0..self.numbers.len()).collect();
        order.sort_by_key(|&k| (self.numbers[k], k));
        let columns = self.columns.iter().map(|c| gathered(c, &order)).collect();
        Self { columns, numbers: order.iter().map(|&k| self.numbers[k]).collect() }
    }
    /// Rows `first` up to `last`.
    pub(super) fn part(&self, first: usize, last: usize) -> Self {
        let order: Vec<usize> = (first..last).collect();
        Self { columns: self.columns.iter().map(|c| gathered(c, &order)).collect(), numbers: self.numbers[first..last].to_vec() }
    }
}

fn gathered(cells: &Cells, order: &[usize]) -> Cells {
    let data = match &cells.data {
        ColumnData::F64(v) => ColumnData::F64(order.iter().map(|&k| v[k]).collect()),
        ColumnData::F32(v) => ColumnData::F32(order.iter().map(|&k| v[k]).collect()),
        ColumnData::I64(v) => ColumnData::I64(order.iter().map(|&k| v[k]).collect()),
        ColumnData::I32(v) => ColumnData::I32(order.iter().map(|&k| v[k]).collect()),
        ColumnData::Text(v) => ColumnData::Text(order.iter().map(|&k| v[k].clone()).collect()),
    };
    let missing =
        if cells.missing.is_empty() { Vec::new() } else { order.iter().map(|&k| cells.missing.get(k).copied().unwrap_or(false)).collect() };
    Cells { data, missing, odd: Vec::new() }
}

/// Appends a cell; its bytes.
fn push(to: &mut Cells, from: &Cells, row: usize, at: usize) -> usize {
    let bytes = match (&mut to.data, &from.data) {
        (ColumnData::F64(to), ColumnData::F64(from)) => {
            to.push(from[row]);
            8
        }
        (ColumnData::F32(to), ColumnData::F32(from)) => {
            to.push(from[row]);
            4
        }
        (ColumnData::I64(to), ColumnData::I64(from)) => {
            to.push(from[row]);
            8
        }
        (ColumnData::I32(to), ColumnData::I32(from)) => {
            to.push(from[row]);
            4
        }
        (ColumnData::Text(to), ColumnData::Text(from)) => {
            to.push(from[row].clone());
            from[row].len() + 32
        }
        _ => 0,
    };
    if !from.missing.is_empty() && from.missing[row] && to.missing.is_empty() {
        to.missing = vec![false; at];
    }
    if !to.missing.is_empty() {
        to.missing.push(from.missing.get(row).copied().unwrap_or(false));
        return bytes + 1;
    }
    bytes
}

/// The rows of all cells.
pub(super) struct Spill {
    folder: PathBuf,
    fields: Vec<Field>,
    held: Vec<Rows>,
    bytes: usize,
    most_bytes: usize,
    laid_aside: Vec<bool>,
}

impl Spill {
    pub(super) fn new(folder: PathBuf, fields: &[Field], cells: usize, most_bytes: usize) -> Self {
        let held = (0..cells).map(|_| Rows::new(fields)).collect();
        Self { folder, fields: fields.to_vec(), held, bytes: 0, most_bytes, laid_aside: vec![false; cells] }
    }

    pub(super) fn push(&mut self, cell: usize, columns: &[Cells], row: usize, number: u64) -> Result<(), TableError> {
        self.bytes += self.held[cell].push(columns, row, number);
        if self.bytes > self.most_bytes {
            for cell in 0..self.held.len() {
                self.lay_aside(cell)?;
            }
            self.bytes = 0;
        }
        Ok(())
    }

    fn path(&self, cell: usize) -> PathBuf {
        self.folder.join(format!("{cell}.rows"))
    }

    fn lay_aside(&mut self, cell: usize) -> Result<(), TableError> {
        let rows = std::mem::replace(&mut self.held[cell], Rows::new(&self.fields));
        if rows.numbers.is_empty() {
            return Ok(());
        }
        let path = self.path(cell);
        let fault = |e: std::io::Error| TableError::new(path.display(), e);
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(fault)?;
        let mut out = BufWriter::with_capacity(1 << 16, file);
        write(&mut out, &rows).and_then(|()| out.flush()).map_err(fault)?;
        self.laid_aside[cell] = true;
        Ok(())
    }

    /// All rows of a cell; what was laid aside is deleted.
    pub(super) fn take(&mut self, cell: usize) -> Result<Rows, TableError> {
        let held = std::mem::replace(&mut self.held[cell], Rows::new(&self.fields));
        if !self.laid_aside[cell] {
            return Ok(held);
        }
        let path = self.path(cell);
        let fault = |e: std::io::Error| TableError::new(path.display(), e);
        let mut input = BufReader::with_capacity(1 << 18, File::open(&path).map_err(fault)?);
        let mut rows = Rows::new(&self.fields);
        while let Some(block) = read(&mut input, &self.fields).map_err(fault)? {
            append(&mut rows, &block);
        }
        append(&mut rows, &held);
        std::fs::remove_file(&path).map_err(fault)?;
        Ok(rows)
    }
}

fn append(rows: &mut Rows, more: &Rows) {
    for (k, number) in more.numbers.iter().enumerate() {
        rows.push(&more.columns, k, *number);
    }
}

/// A block of rows: their number, the numbers of order 29, then every column: a byte whether flags follow, the flags, the values.
fn write(out: &mut impl Write, rows: &Rows) -> std::io::Result<()> {
    out.write_all(&(rows.numbers.len() as u64).to_le_bytes())?;
    for number in &rows.numbers {
        out.write_all(&number.to_le_bytes())?;
    }
    for cells in &rows.columns {
        out.write_all(&[u8::from(!cells.missing.is_empty())])?;
        let flags: Vec<u8> = cells.missing.iter().map(|m| u8::from(*m)).collect();
        out.write_all(&flags)?;
        match &cells.data {
            ColumnData::F64(v) => v.iter().try_for_each(|x| out.write_all(&x.to_le_bytes()))?,
            ColumnData::F32(v) => v.iter().try_for_each(|x| out.write_all(&x.to_le_bytes()))?,
            ColumnData::I64(v) => v.iter().try_for_each(|x| out.write_all(&x.to_le_bytes()))?,
            ColumnData::I32(v) => v.iter().try_for_each(|x| out.write_all(&x.to_le_bytes()))?,
            ColumnData::Text(v) => v.iter().try_for_each(|x| {
                out.write_all(&(x.len() as u32).to_le_bytes())?;
                out.write_all(x.as_bytes())
            })?,
        }
    }
    Ok(())
}

fn read(input: &mut impl Read, fields: &[Field]) -> std::io::Result<Option<Rows>> {
    fn array<const N: usize>(input: &mut impl Read) -> std::io::Result<[u8; N]> {
        let mut bytes = [0; N];
        input.read_exact(&mut bytes)?;
        Ok(bytes)
    }
    let mut first = [0u8; 8];
    match input.read(&mut first)? {
        0 => return Ok(None),
        got => input.read_exact(&mut first[got..])?,
    }
    let count = u64::from_le_bytes(first) as usize;
    let mut rows = Rows::new(fields);
    for _ in 0..count {
        rows.numbers.push(u64::from_le_bytes(array(input)?));
    }
    for (cells, field) in rows.columns.iter_mut().zip(fields) {
        if array::<1>(input)?[0] != 0 {
            let mut flags = vec![0u8; count];
            input.read_exact(&mut flags)?;
            cells.missing = flags.iter().map(|f| *f != 0).collect();
        }
        for _ in 0..count {
            match (&mut cells.data, field.kind) {
                (ColumnData::F64(v), _) => v.push(f64::from_le_bytes(array(input)?)),
                (ColumnData::F32(v), _) => v.push(f32::from_le_bytes(array(input)?)),
                (ColumnData::I64(v), _) => v.push(i64::from_le_bytes(array(input)?)),
                (ColumnData::I32(v), Kind::Int32 | Kind::Bool) => v.push(i32::from_le_bytes(array(input)?)),
                (ColumnData::Text(v), _) => {
                    let mut text = vec![0u8; u32::from_le_bytes(array(input)?) as usize];
                    input.read_exact(&mut text)?;
                    v.push(String::from_utf8_lossy(&text).into_owned());
                }
                (ColumnData::I32(_), _) => {}
            }
        }
    }
    Ok(Some(rows))
}

/// Columns without some rows.
pub(super) fn without(columns: Vec<Cells>, bad: &[bool]) -> Vec<Cells> {
    if !bad.contains(&true) {
        return columns;
    }
    let order: Vec<usize> = (0..bad.len()).filter(|&k| !bad[k]).collect();
    columns.iter().map(|c| gathered(c, &order)).collect()
}
