//! A folder of Parquet files by HEALPix cell, in the layout of HATS.
//!
//! # Formula
//! `dataset/Norder=K/Dir=D/Npix=N.parquet`, D = floor(N / 10000) 10000, N the number of the cell of order K in the NESTED scheme.
//! A cell N of order K holds the numbers N 4^(29-K) up to (N + 1) 4^(29-K) - 1 of order 29.
//! # Source
//! The Hierarchical Adaptive Tiling Scheme (HATS), as its reference implementation (astronomy-commons/hats) reads and writes it:
//! `hats.properties` (java properties), `partition_info.csv` with the columns Norder and Npix, `_healpix_29` in every file.
//! # Limits
//! Collections lead to their main table; margins, indices and associations are not read. Local folders only.

use super::{Chunk, Format, Heading, ParquetSource, Place, RowSource, TableError};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The file that says what a partition is.
pub const PROPERTIES: &str = "hats.properties";

/// The order in which positions are numbered.
pub const FINEST_ORDER: u8 = 29;

/// A cell of the partition: order and number in the NESTED scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellId {
    /// Order K; the sphere has 12 4^K cells.
    pub order: u8,
    /// Number.
    pub pixel: u64,
}

impl CellId {
    /// Its numbers of order 29.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        let shift = 2 * u32::from(FINEST_ORDER - self.order);
        self.pixel << shift..(self.pixel + 1) << shift
    }
    /// Its file in a partition's data folder.
    #[must_use]
    pub fn file(&self, suffix: &str) -> String {
        format!("Norder={}/Dir={}/Npix={}{suffix}", self.order, self.pixel / 10_000 * 10_000, self.pixel)
    }
}

impl std::fmt::Display for CellId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Norder={}, Npix={}", self.order, self.pixel)
    }
}

/// A partition: its properties and its list of cells.
#[derive(Debug, Clone)]
pub struct Hats {
    path: String,
    data: PathBuf,
    suffix: String,
    /// Cells, in order of their place on the sphere.
    pub cells: Vec<CellId>,
    /// Rows, where the properties say it.
    pub rows: Option<u64>,
    /// Columns of right ascension and declination \[deg\], where the properties say it.
    pub position: Option<(String, String)>,
    /// Column with the number of order 29.
    pub healpix: String,
    /// Cells whose file is missing, or whose footer cannot be read, are passed over, and listed.
    pub skip_missing: bool,
}

fn properties(path: &Path) -> Result<BTreeMap<String, String>, TableError> {
    let text = std::fs::read_to_string(path).map_err(|e| TableError::new(path.display(), e))?;
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with(['#', '!']));
    Ok(lines.filter_map(|l| l.split_once('=')).map(|(k, v)| (k.trim().to_string(), v.trim().replace('\\', ""))).collect())
}

impl Hats {
    /// Opens a partition: its properties and its list of cells, no data.
    ///
    /// # Errors
    /// When it is no partition, or its list cannot be read.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        let shown = path.display().to_string();
        let collection = path.join("collection.properties");
        if collection.is_file() {
            let Some(table) = properties(&collection)?.remove("hats_primary_table_url") else {
                return Err(TableError::new(collection.display(), "no hats_primary_table_url"));
            };
            return Self::open(&path.join(table));
        }
        let known = [PROPERTIES, "properties"].iter().map(|name| path.join(name)).find(|p| p.is_file());
        let known = known.map_or_else(|| Ok(BTreeMap::new()), |p| properties(&p))?;
        let data = if path.join("dataset").is_dir() { path.join("dataset") } else { path.to_path_buf() };
        let suffix = known.get("hats_npix_suffix").cloned().unwrap_or_else(|| ".parquet".into());
        let suffix = if suffix == "/" { String::new() } else { suffix };
        let list = path.join("partition_info.csv");
        let mut cells = if list.is_file() { listed(&list)? } else { found(&data) };
        if cells.is_empty() {
            return Err(TableError::new(
                &shown,
                "not a partition: neither partition_info.csv nor files dataset/Norder=K/Dir=D/Npix=N.parquet; `skyloop catalog convert` makes one",
            ));
        }
        cells.sort_by_key(|c| (c.range().start, c.order));
        if let Some(pair) = cells.windows(2).find(|p| p[0].range().end > p[1].range().start) {
            return Err(TableError::new(&shown, format!("the cells {} and {} overlap", pair[0], pair[1])));
        }
        let healpix = known.get("hats_col_healpix").cloned().unwrap_or_else(|| "_healpix_29".into());
        if known.get("hats_col_healpix_order").is_some_and(|o| o != "29") {
            return Err(TableError::new(&shown, "hats_col_healpix_order is not 29"));
        }
        let position = known.get("hats_col_ra").cloned().zip(known.get("hats_col_dec").cloned());
        let rows = known.get("hats_nrows").and_then(|n| n.parse().ok());
        Ok(Self { path: shown, data, suffix, cells, rows, position, healpix, skip_missing: false })
    }

    /// All rows.
    ///
    /// # Errors
    /// When the first file cannot be read.
    pub fn all(&self) -> Result<HatsSource, TableError> {
        HatsSource::new(self.clone(), self.cells.clone(), None)
    }

    /// The rows of the cells and row groups that overlap ranges of numbers of order 29; others may be among them.
    ///
    /// # Errors
    /// When the first file cannot be read.
    pub fn within(&self, ranges: &[Range<u64>]) -> Result<HatsSource, TableError> {
        let overlaps = |c: &CellId| {
            let own = c.range();
            ranges.iter().any(|r| r.start < own.end && own.start < r.end)
        };
        HatsSource::new(self.clone(), self.cells.iter().copied().filter(overlaps).collect(), Some(ranges.to_vec()))
    }

    /// The files of a cell: one, or all in its folder; none when they are missing.
    #[must_use]
    pub fn files(&self, cell: &CellId) -> Vec<PathBuf> {
        let path = self.data.join(cell.file(&self.suffix));
        if path.is_file() {
            return vec![path];
        }
        let Ok(entries) = std::fs::read_dir(self.data.join(cell.file(""))) else { return Vec::new() };
        let mut files: Vec<PathBuf> =
            entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "parquet")).collect();
        files.sort();
        files
    }

    /// Cells that are listed and have no file.
    #[must_use]
    pub fn missing(&self) -> Vec<CellId> {
        self.cells.iter().filter(|c| self.files(c).is_empty()).copied().collect()
    }

    /// A hash that changes with the partition: of its properties and list, and of name, length and footer of every file. The footers hold
    /// size, least and largest value of every column in every row group; reading all data of a large partition would take hours.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn hash(&self) -> Result<String, TableError> {
        use std::io::{Read, Seek, SeekFrom};
        let mut text = format!("{:?} {:?} {:?}\n", self.rows, self.position, self.healpix);
        for cell in &self.cells {
            text.push_str(&format!("{cell}\n"));
            for file in self.files(cell) {
                let fault = |e: std::io::Error| TableError::new(file.display(), e);
                let mut handle = std::fs::File::open(&file).map_err(fault)?;
                let length = handle.metadata().map_err(fault)?.len();
                let mut end = [0u8; 8];
                handle.seek(SeekFrom::Start(length.saturating_sub(8))).map_err(fault)?;
                handle.read_exact(&mut end).map_err(fault)?;
                let footer = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]])).min(length);
                handle.seek(SeekFrom::Start(length.saturating_sub(8 + footer))).map_err(fault)?;
                let mut bytes = Vec::new();
                handle.read_to_end(&mut bytes).map_err(fault)?;
                text.push_str(&format!("{length} {}\n", sim_core::manifest::sha256(&bytes)));
            }
        }
        Ok(sim_core::manifest::sha256(text.as_bytes()))
    }

    fn missing_error(&self, cell: &CellId) -> TableError {
        TableError::new(
            &self.path,
            format!(
                "the cell {cell} is in the list of cells, but its file {} is missing (on_bad_row = \"skip\" or --on-error skip passes over it)",
                self.data.join(cell.file(&self.suffix)).display()
            ),
        )
    }
}

fn listed(path: &Path) -> Result<Vec<CellId>, TableError> {
    let fault = |reason: String| TableError::new(path.display(), reason);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(|e| fault(e.to_string()))?;
    let names = reader.headers().map_err(|e| fault(e.to_string()))?.clone();
    let at = |name: &str| names.iter().position(|n| n == name).ok_or_else(|| fault(format!("no column {name}")));
    let (order, pixel) = (at("Norder")?, at("Npix")?);
    let mut cells = Vec::new();
    for (k, record) in reader.records().enumerate() {
        let record = record.map_err(|e| fault(e.to_string()))?;
        let cell = record[order].parse::<u8>().ok().zip(record[pixel].parse::<u64>().ok());
        match cell.filter(|(o, p)| *o <= FINEST_ORDER && *p < 12 << (2 * u32::from(*o))) {
            Some((order, pixel)) => cells.push(CellId { order, pixel }),
            None => {
                let shown = format!("Norder {}, Npix {}", &record[order], &record[pixel]);
                return Err(fault(format!("row {}: {shown} is no HEALPix cell of order 0..29", k + 1)));
            }
        }
    }
    Ok(cells)
}

/// The cells of a folder without a list.
fn found(data: &Path) -> Vec<CellId> {
    fn numbered(folder: &Path, stem: &str) -> Vec<(u64, PathBuf)> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let number = |path: PathBuf| {
            let name = path.file_name()?.to_string_lossy().into_owned();
            let rest = name.strip_prefix(stem)?;
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            Some((digits.parse().ok()?, path))
        };
        entries.filter_map(|e| number(e.path())).collect()
    }
    let mut cells = Vec::new();
    for (order, folder) in numbered(data, "Norder=") {
        for (_, folder) in numbered(&folder, "Dir=") {
            let Ok(order) = u8::try_from(order) else { continue };
            let pixels = numbered(&folder, "Npix=").into_iter().map(|(pixel, _)| CellId { order, pixel });
            cells.extend(pixels.filter(|c| order <= FINEST_ORDER && c.pixel < 12 << (2 * u32::from(order))));
        }
    }
    cells.sort();
    cells.dedup();
    cells
}

/// The rows of some cells, one file after the other.
pub struct HatsSource {
    heading: Heading,
    hats: Hats,
    /// Files and the first number of order 29 of their cells.
    files: Vec<(PathBuf, u64)>,
    ranges: Option<Vec<Range<u64>>>,
    /// Cells of the choice without a file, or with a damaged one, and that; only when they may be passed over.
    pub missing: Vec<String>,
    chosen: Vec<usize>,
    next_file: usize,
    open: Option<ParquetSource>,
    /// Row groups read, of those in the files opened.
    pub groups: (usize, usize),
    /// Number in its file of the first row of the last chunk, and in the whole.
    last: (u64, u64),
    given: u64,
}

impl HatsSource {
    fn new(hats: Hats, cells: Vec<CellId>, ranges: Option<Vec<Range<u64>>>) -> Result<Self, TableError> {
        let (mut files, mut missing) = (Vec::new(), Vec::new());
        for cell in &cells {
            let mut own = hats.files(cell);
            if own.is_empty() {
                if !hats.skip_missing {
                    return Err(hats.missing_error(cell));
                }
                missing.push(cell.to_string());
            }
            if hats.skip_missing && own.iter().any(|file| ParquetSource::open(file).is_err()) {
                missing.push(format!("{cell} (truncated or damaged)"));
                own.clear();
            }
            // Several files of a cell: each takes a number of its own within the cell.
            files.extend(own.into_iter().enumerate().map(|(k, path)| (path, cell.range().start + k as u64)));
        }
        // The columns are those of the first file, of the choice or else of the partition.
        let first = match files.first() {
            Some((file, _)) => Some(ParquetSource::open(file)?),
            None => hats.cells.iter().find_map(|c| hats.files(c).iter().find_map(|f| ParquetSource::open(f).ok())),
        };
        let Some(first) = first else {
            return Err(TableError::new(&hats.path, format!("none of its {} cells has a file that can be read", hats.cells.len())));
        };
        let (fields, left_out) = (first.fields().to_vec(), first.left_out().to_vec());
        let chosen = (0..fields.len()).collect();
        let heading = Heading { path: hats.path.clone(), format: Format::Hats, fields, left_out };
        Ok(Self { heading, hats, files, ranges, missing, chosen, next_file: 0, open: None, groups: (0, 0), last: (0, 0), given: 0 })
    }

    fn open_next(&mut self) -> Result<bool, TableError> {
        let Some((file, _)) = self.files.get(self.next_file) else { return Ok(false) };
        let mut source = ParquetSource::open(file)?;
        let mut places = Vec::with_capacity(self.chosen.len());
        for &k in &self.chosen {
            let wanted = &self.heading.fields[k];
            let place = source.position(&wanted.name).filter(|&p| source.fields()[p].kind == wanted.kind).ok_or_else(|| {
                TableError::new(file.display(), format!("no column `{}` of type {} as in the first file", wanted.name, wanted.kind.name()))
            })?;
            places.push(place);
        }
        if let Some(ranges) = &self.ranges {
            source.only_groups_within(&self.hats.healpix, ranges);
        }
        source.select(&places)?;
        let (read, all) = source.groups();
        self.groups = (self.groups.0 + read, self.groups.1 + all);
        self.open = Some(source);
        self.next_file += 1;
        Ok(true)
    }
}

impl RowSource for HatsSource {
    fn heading(&self) -> &Heading {
        &self.heading
    }
    fn rows(&self) -> Option<u64> {
        self.hats.rows.filter(|_| self.ranges.is_none())
    }
    fn select(&mut self, columns: &[usize]) -> Result<(), TableError> {
        self.chosen = columns.to_vec();
        (self.next_file, self.open, self.given, self.groups) = (0, None, 0, (0, 0));
        Ok(())
    }
    fn next_chunk(&mut self) -> Result<Option<Chunk>, TableError> {
        loop {
            if self.open.is_none() && !self.open_next()? {
                return Ok(None);
            }
            match self.open.as_mut().map(RowSource::next_chunk).transpose()?.flatten() {
                Some(mut chunk) => {
                    self.last = (chunk.first_row, self.given);
                    chunk.first_row = self.given;
                    self.given += chunk.rows as u64;
                    return Ok(Some(chunk));
                }
                None => self.open = None,
            }
        }
    }
    fn place(&self, row: u64) -> Place {
        let file = self.next_file.checked_sub(1).and_then(|k| self.files.get(k));
        let path = file.map_or_else(|| self.hats.path.clone(), |p| p.0.display().to_string());
        Place { path, row: self.last.0 + row.saturating_sub(self.last.1) + 1 }
    }
    fn number(&self, row: u64) -> u64 {
        let cell = self.next_file.checked_sub(1).and_then(|k| self.files.get(k)).map_or(0, |f| f.1);
        let row = self.last.0 + row.saturating_sub(self.last.1) + 1;
        // The finaliser of SplitMix64 (Steele, Lea & Flood 2014): every bit of both counts.
        let mixed = |mut z: u64| {
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        mixed(mixed(cell.wrapping_add(0x9e37_79b9_7f4a_7c15)).wrapping_add(row)) >> 1
    }
}
