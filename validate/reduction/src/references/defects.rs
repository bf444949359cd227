//! Defects (`MDEF`): dead pixels and blocked columns of the brightest flats, pockets in the dimmest, telegraph pixels in the scatter of darks.

use super::{Evidence, Outcome, ReferenceKind, Stage};
use crate::defect_search::{self, DefectSearchError, FlatPair, LEAST_DARKS};
use crate::error::ReductionError;
use crate::keywords::FILL;
use crate::set::Units;
use instruments::product::level0::Level0Info;
use ndarray::{Array2, s};
use sim_core::exposure::ExposureKind;
use sim_core::fits::{Data, Hdu, Header};
use sim_core::flags;
use sim_core::knowledge::{ColumnDefect, ColumnFault, Knowledge, Measured};
use sim_core::table::{Column, ColumnData, Table};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Table entry.
pub(super) const KIND: ReferenceKind = ReferenceKind {
    code: "MDEF",
    keyword: "R_DEF",
    what: "defects",
    steps: &["defects", "bad_columns"],
    stage: Stage::Light,
    cleans: false,
    measure,
    write,
    read,
};

/// A flat is dim enough for pockets below this charge of a pixel \[electron\].
const DIM_ELECTRON: f64 = 3000.0;
/// Bytes of a pixel at the peak of the search: six images, and a frame under reduction with variance, flags and raw counts.
const BYTES_PER_PIXEL: usize = 6 * 4 + 3 * 4 + 2;
/// A search of so little is always done.
const SMALL_BYTES: usize = 64 << 20;
const PIXELS: &str = "PIXELS";
const COLUMNS: &str = "COLUMNS";

/// Mean of frames without the largest value of every pixel, which may be a hit \[electron\]; how many values are in it.
fn combined(evidence: &Evidence<'_>, knowledge: &Knowledge, frames: &[&Level0Info]) -> Result<(Array2<f32>, usize), ReductionError> {
    let shape = knowledge.window.shape();
    let (mut sum, mut largest) = (Array2::<f32>::zeros(shape), Array2::<f32>::from_elem(shape, f32::MIN));
    for info in frames {
        let counts = evidence.counts(info, knowledge)?;
        sum += &counts;
        largest.zip_mut_with(&counts, |l, c| *l = l.max(*c));
    }
    let kept = frames.len().saturating_sub(1).max(1);
    if frames.len() > 1 {
        sum -= &largest;
    }
    for tile in &knowledge.layout.tiles {
        let area = tile.science;
        let gain = knowledge.gain.as_ref().map_or(1.0, |g| g[tile.amplifier].value);
        let scale = (gain / kept as f64) as f32;
        sum.slice_mut(s![area.y0..area.y0 + area.ny, area.x0..area.x0 + area.nx]).mapv_inplace(|v| v * scale);
    }
    Ok((sum, kept))
}

/// Flats of one lamp and time, by the electrons promised.
fn flats_by_light(flats: &[Level0Info]) -> BTreeMap<u64, Vec<&Level0Info>> {
    let mut sets: BTreeMap<u64, Vec<&Level0Info>> = BTreeMap::new();
    for info in flats {
        if let ExposureKind::Flat { rate_electron_s } = info.observation.kind {
            // Positive numbers have the order of their bits.
            sets.entry((rate_electron_s * info.observation.time_s).to_bits()).or_default().push(info);
        }
    }
    sets
}

/// Telegraph pixels, in bands of rows as the memory allows.
fn telegraph(evidence: &Evidence<'_>, knowledge: &Knowledge, map: &mut Array2<u32>) -> Result<String, ReductionError> {
    let mut by_time: BTreeMap<u64, Vec<&Level0Info>> = BTreeMap::new();
    for info in &evidence.group.dark {
        by_time.entry(info.observation.time_s.to_bits()).or_default().push(info);
    }
    let Some(darks) = by_time.into_values().rev().max_by_key(Vec::len).filter(|d| d.len() >= LEAST_DARKS) else {
        return Ok(format!("telegraph pixels: SKIPPED, {}", DefectSearchError::TooFewDarks(evidence.group.dark.len())));
    };
    let (rows, columns) = knowledge.window.shape();
    let height = (evidence.options.memory_bytes / (darks.len() * columns.max(1) * size_of::<f32>())).clamp(16, rows.max(16));
    let noise2 = |tile: &sim_core::detector::AmplifierTile| knowledge.read_noise.as_ref().map_or(0.0, |n| n[tile.amplifier].value.powi(2));
    for first in (0..rows).step_by(height) {
        // One row more on either side: neighbours tell hits.
        let (low, high) = (first.saturating_sub(1), (first + height + 1).min(rows));
        let mut bands = Vec::with_capacity(darks.len());
        for info in &darks {
            let mut band = evidence.counts(info, knowledge)?.slice(s![low..high, ..]).to_owned();
            for (y, mut row) in band.rows_mut().into_iter().enumerate() {
                for (_, tile) in crate::amplifiers::tiles_of_row(&knowledge.layout, low + y) {
                    let gain = knowledge.gain.as_ref().map_or(1.0, |g| g[tile.amplifier].value) as f32;
                    row.slice_mut(s![crate::amplifiers::columns(tile)]).mapv_inplace(|v| v * gain);
                }
            }
            bands.push(band);
        }
        let mut read = Array2::<f32>::zeros((high - low, columns));
        for (y, mut row) in read.rows_mut().into_iter().enumerate() {
            for (_, tile) in crate::amplifiers::tiles_of_row(&knowledge.layout, low + y) {
                row.slice_mut(s![crate::amplifiers::columns(tile)]).fill(noise2(tile) as f32);
            }
        }
        let views: Vec<_> = bands.iter().map(|b| b.view()).collect();
        match defect_search::telegraph_pixels(&views, |y, x| read[(y, x)]) {
            Ok(found) => {
                for y in first..(first + height).min(rows) {
                    map.row_mut(y).zip_mut_with(&found.row(y - low), |to, from| *to |= from);
                }
            }
            Err(reason) => return Ok(format!("telegraph pixels: SKIPPED, {reason}")),
        }
    }
    Ok(format!("telegraph pixels: scatter of {} darks", darks.len()))
}

fn measure(evidence: &Evidence<'_>, knowledge: &mut Knowledge) -> Result<Outcome, ReductionError> {
    let (Some(_), Some(read_noise)) = (&knowledge.gain, &knowledge.read_noise) else {
        return Ok(Outcome::Skipped("gain and read noise are not known".into()));
    };
    let (rows, columns) = knowledge.window.shape();
    let (need, allowed) = (rows * columns * BYTES_PER_PIXEL, evidence.options.memory_bytes.max(SMALL_BYTES));
    if need > allowed {
        let (need, allowed) = (need >> 20, allowed >> 20);
        return Ok(Outcome::Skipped(format!("a search of {columns} x {rows} pixels takes {need} MiB, memory_bytes allows {allowed}")));
    }
    let sets = flats_by_light(&evidence.group.flat);
    let Some(bright) = sets.values().next_back() else { return Ok(Outcome::Skipped("no flats".into())) };
    let (flat, bright_frames) = combined(evidence, knowledge, bright)?;
    let mut map = match defect_search::dead_pixels(&flat) {
        Ok(map) => map,
        Err(reason) => return Ok(Outcome::Skipped(reason.to_string())),
    };
    let mut columns = defect_search::blocked_columns(&map, &knowledge.layout, knowledge.window);
    let mut notes = vec![format!("dead pixels: {} flats", bright.len())];
    // The dimmest set that is not the bright one itself.
    let dim = sets.iter().find(|(light, frames)| f64::from_bits(**light) < DIM_ELECTRON && frames.len() > 1);
    match dim.filter(|_| sets.len() > 1) {
        None => notes.push(format!("pockets: SKIPPED, no two flats below {DIM_ELECTRON} electrons")),
        Some((_, frames)) => {
            let (image, kept) = combined(evidence, knowledge, frames)?;
            let pair = FlatPair { dim: &image, dim_frames: kept, bright: &flat, bright_frames };
            match defect_search::pockets(&pair, read_noise, &knowledge.layout, knowledge.window, &columns) {
                Ok(found) => {
                    notes.push(format!("pockets: {} flats", frames.len()));
                    columns.extend(found);
                }
                Err(reason) => notes.push(format!("pockets: SKIPPED, {reason}")),
            }
        }
    }
    drop(flat);
    notes.push(telegraph(evidence, knowledge, &mut map)?);
    let count = |bit: u32| map.iter().filter(|b| **b & bit != 0).count() as f64;
    let blocked = columns.iter().filter(|c| c.fault == ColumnFault::Blocked).count();
    let quality = vec![
        ("NDEAD", count(flags::DEAD), "dead pixels"),
        ("NTELEGR", count(flags::TELEGRAPH), "telegraph pixels"),
        ("NBLOCK", blocked as f64, "blocked columns"),
        ("NPOCKET", (columns.len() - blocked) as f64, "columns with a pocket"),
    ];
    knowledge.defects = Some(Arc::new(map));
    knowledge.columns = Some(Arc::new(columns));
    Ok(Outcome::Measured { quality, note: format!("defects: {}", notes.join("; ")) })
}

fn write(knowledge: &Knowledge) -> Option<Vec<Hdu>> {
    let (map, columns) = (knowledge.defects.as_ref()?, knowledge.columns.as_ref()?);
    let found: Vec<(usize, usize, u32)> = map.indexed_iter().filter(|(_, b)| **b != 0).map(|((y, x), b)| (y, x, *b)).collect();
    let pixels = |name: &str, what: &str, f: &dyn Fn(&(usize, usize, u32)) -> f64| {
        Column::new(name, "1", what, ColumnData::F64(found.iter().map(f).collect()))
    };
    let of_column = |name: &str, unit: &str, what: &str, f: &dyn Fn(&ColumnDefect) -> f64| {
        Column::new(name, unit, what, ColumnData::F64(columns.iter().map(f).collect()))
    };
    let capacity = |c: &ColumnDefect| match c.fault {
        ColumnFault::Blocked => None,
        ColumnFault::Pocket { capacity_electron } => Some(capacity_electron),
    };
    let pixel_columns = vec![
        pixels("Y", "row of the window, from 0", &|p| p.0 as f64),
        pixels("X", "column of the window, from 0", &|p| p.1 as f64),
        pixels("BITS", "flag bits", &|p| f64::from(p.2)),
    ];
    let column_columns = vec![
        of_column("X", "1", "column of the detector, from 0", &|c| c.x as f64),
        of_column("REGISTER", "1", "0 bottom, 1 top", &|c| c.register as f64),
        of_column("ROW", "1", "row of the fault from the register, from 0", &|c| c.row as f64),
        of_column("CAPACITY", "electron", "of a pocket; -9999: blocked", &|c| capacity(c).map_or(FILL, |m| m.value)),
        of_column("CAPACITY_ERR", "electron", "standard error; -9999: blocked", &|c| capacity(c).map_or(FILL, |m| m.error)),
    ];
    let unit = |name: &str, columns| Hdu::new(name, Header::default(), Data::Table(Table { name: name.into(), columns }));
    Some(vec![unit(PIXELS, pixel_columns), unit(COLUMNS, column_columns)])
}

fn read(units: &mut Units, knowledge: &mut Knowledge) -> Result<(), ReductionError> {
    let (_, pixels) = units.table(PIXELS)?;
    let (_, table) = units.table(COLUMNS)?;
    let whole = |table: &Table, name: &'static str, below: usize| -> Result<Vec<usize>, ReductionError> {
        let values = table.f64s(name).ok_or_else(|| units.missing(name, "a numeric column"))?;
        if values.iter().any(|v| !(*v >= 0.0 && *v < below as f64)) {
            return Err(units.missing(name, "whole numbers inside the detector"));
        }
        Ok(values.into_iter().map(|v| v as usize).collect())
    };
    let (rows, columns) = knowledge.window.shape();
    let (y, x, bits) = (whole(&pixels, "Y", rows)?, whole(&pixels, "X", columns)?, whole(&pixels, "BITS", 1 << 32)?);
    let mut map = knowledge.defects.as_ref().map_or_else(|| Array2::zeros((rows, columns)), |known| (**known).clone());
    for ((y, x), bits) in y.into_iter().zip(x).zip(bits) {
        map[(y, x)] |= bits as u32;
    }
    let number = |name: &'static str| table.f64s(name).ok_or_else(|| units.missing(name, "a numeric column"));
    let (x, register, row) = (whole(&table, "X", 1 << 20)?, whole(&table, "REGISTER", 2)?, whole(&table, "ROW", 1 << 20)?);
    let (capacity, error) = (number("CAPACITY")?, number("CAPACITY_ERR")?);
    let columns = (0..x.len())
        .map(|k| {
            let capacity_electron = Measured { value: capacity[k], error: error[k] };
            let fault = if capacity[k] < 0.0 { ColumnFault::Blocked } else { ColumnFault::Pocket { capacity_electron } };
            ColumnDefect { x: x[k], register: register[k], row: row[k], fault }
        })
        .collect();
    knowledge.defects = Some(Arc::new(map));
    knowledge.columns = Some(Arc::new(columns));
    Ok(())
}
