//! Defects (`MDEF`): dead pixels and blocked columns of the brightest flats, pockets in the dimmest, telegraph pixels in the scatter of darks.

use super::{Evidence, Outcome, ReferenceKind, Stage};
use crate::amplifiers::spread;
use crate::defect_search::{self, DefectSearchError, FlatPair, LEAST_DARKS, PocketSearch};
use crate::error::ReductionError;
use crate::keywords::FILL;
use crate::set::Units;
use instruments::product::level0::Level0Info;
use ndarray::{Array2, Zip};
use sim_core::exposure::ExposureKind;
use sim_core::fits::{Data, Hdu, Header};
use sim_core::flags;
use sim_core::knowledge::{ColumnDefect, ColumnFault, DefectPixel, Knowledge, Measured};
use sim_core::table::{Column, ColumnData, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// Table entry.
pub(super) const KIND: ReferenceKind = ReferenceKind {
    code: "MDEF",
    keyword: "R_DEF",
    what: "defects",
    steps: &["defects", "bad_columns"],
    stage: Stage::Cleaned,
    cleans: false,
    measure,
    write,
    read,
};

/// A flat is dim enough for pockets below this charge of a pixel \[electron\].
const DIM_ELECTRON: f64 = 3000.0;
/// Rows of a band are a multiple of the blocks of the search.
const BAND_STEP: usize = 32;
/// Share of the memory that bands of a stack may take.
const BAND_SHARE: usize = 2;
const PIXELS: &str = "PIXELS";
const COLUMNS: &str = "COLUMNS";

/// Mean of frames without the largest value of every pixel, which may be a hit \[electron\].
fn combined(
    evidence: &Evidence<'_>,
    knowledge: &Knowledge,
    frames: &[&Level0Info],
    rows: &Range<usize>,
) -> Result<Array2<f32>, ReductionError> {
    let shape = (rows.len(), knowledge.window.nx);
    let (mut sum, mut largest) = (Array2::<f32>::zeros(shape), Array2::<f32>::from_elem(shape, f32::MIN));
    for info in frames {
        let electrons = evidence.electrons(info, knowledge, rows)?;
        Zip::from(&mut sum).and(&mut largest).and(&electrons).par_for_each(|sum, largest, v| {
            *sum += v;
            *largest = largest.max(*v);
        });
    }
    if frames.len() > 1 {
        sum -= &largest;
    }
    let scale = 1.0 / kept(frames) as f32;
    sum.par_mapv_inplace(|v| v * scale);
    Ok(sum)
}

/// Values in a combined pixel.
fn kept(frames: &[&Level0Info]) -> usize {
    frames.len().saturating_sub(1).max(1)
}

/// Bands of the rows of every register in the order of transfer, such that `images` of them take no more than their share of memory.
fn bands(knowledge: &Knowledge, memory_bytes: usize, images: usize) -> Vec<Range<usize>> {
    let row_bytes = images * knowledge.window.nx.max(1) * size_of::<f32>();
    let height = (memory_bytes / BAND_SHARE / row_bytes / BAND_STEP).max(1) * BAND_STEP;
    let registers: BTreeSet<(usize, usize, bool)> = knowledge.layout.tiles.iter().map(|t| (t.science.y0, t.science.ny, t.flip_y)).collect();
    let mut out = Vec::new();
    for (y0, ny, flip) in registers {
        let mut of_register: Vec<Range<usize>> = (y0..y0 + ny).step_by(height).map(|y| y..(y + height).min(y0 + ny)).collect();
        if flip {
            of_register.reverse();
        }
        out.extend(of_register);
    }
    out
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
fn telegraph(evidence: &Evidence<'_>, knowledge: &Knowledge, found: &mut Vec<DefectPixel>) -> Result<String, ReductionError> {
    let mut by_time: BTreeMap<u64, Vec<&Level0Info>> = BTreeMap::new();
    for info in &evidence.group.dark {
        by_time.entry(info.observation.time_s.to_bits()).or_default().push(info);
    }
    let Some(darks) = by_time.into_values().rev().max_by_key(Vec::len).filter(|d| d.len() >= LEAST_DARKS) else {
        return Ok(format!("telegraph pixels: SKIPPED, {}", DefectSearchError::TooFewDarks(evidence.group.dark.len())));
    };
    evidence.clean_first(&darks)?;
    let noise2: Vec<f64> = knowledge.read_noise.iter().flatten().map(|n| n.value * n.value).collect();
    let (rows, columns) = knowledge.window.shape();
    for band in bands(knowledge, evidence.options.memory_bytes, darks.len()) {
        // One row more on either side: neighbours tell hits.
        let wide = band.start.saturating_sub(1)..(band.end + 1).min(rows);
        let frames = darks.iter().map(|info| evidence.electrons(info, knowledge, &wide)).collect::<Result<Vec<_>, _>>()?;
        let by_row: Vec<Vec<f64>> = wide.clone().map(|y| spread(&knowledge.layout, y, columns, &noise2)).collect();
        let views: Vec<_> = frames.iter().map(|b| b.view()).collect();
        match defect_search::telegraph_pixels(&views, |y, x| by_row[y][x] as f32) {
            Ok(map) => {
                let inside = map.indexed_iter().filter(|((y, _), bits)| **bits != 0 && band.contains(&(wide.start + y)));
                found.extend(inside.map(|((y, x), &bits)| DefectPixel { y: wide.start + y, x, bits }));
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
    let sets = flats_by_light(&evidence.group.flat);
    let Some(bright) = sets.values().next_back() else { return Ok(Outcome::Skipped("no flats".into())) };
    // The dimmest set that is not the bright one itself.
    let dim = sets.iter().find(|(light, frames)| f64::from_bits(**light) < DIM_ELECTRON && frames.len() > 1);
    let dim = dim.filter(|_| sets.len() > 1).map(|(_, frames)| frames);
    let mut search = PocketSearch::new(&knowledge.layout, knowledge.window, read_noise);
    evidence.clean_first(bright)?;
    let mut no_pockets = None;
    let mut dead = Vec::new();
    for rows in bands(knowledge, evidence.options.memory_bytes, 6) {
        let flat = combined(evidence, knowledge, bright, &rows)?;
        match defect_search::dead_pixels(&flat) {
            Ok(map) => dead.extend(map.indexed_iter().filter(|(_, bits)| **bits != 0).map(|((y, x), _)| (rows.start + y, x))),
            Err(reason) => return Ok(Outcome::Skipped(reason.to_string())),
        }
        if let (Some(frames), None) = (dim, &no_pockets) {
            let image = combined(evidence, knowledge, frames, &rows)?;
            let pair = FlatPair { dim: &image, dim_frames: kept(frames), bright: &flat, bright_frames: kept(bright) };
            no_pockets = search.add(rows.start, &pair).err();
        }
    }
    let mut notes = vec![format!("dead pixels: {} flats", bright.len())];
    let mut columns = defect_search::blocked_by(&dead, &knowledge.layout, knowledge.window);
    match (dim, no_pockets) {
        (None, _) => notes.push(format!("pockets: SKIPPED, no two flats below {DIM_ELECTRON} electrons")),
        (Some(_), Some(reason)) => notes.push(format!("pockets: SKIPPED, {reason}")),
        (Some(frames), None) => {
            notes.push(format!("pockets: {} flats", frames.len()));
            columns.extend(search.pockets(&columns));
        }
    }
    let mut pixels: Vec<DefectPixel> = dead.into_iter().map(|(y, x)| DefectPixel { y, x, bits: flags::DEAD }).collect();
    notes.push(telegraph(evidence, knowledge, &mut pixels)?);
    let pixels = merged(pixels);
    let count = |bit: u32| pixels.iter().filter(|p| p.bits & bit != 0).count() as f64;
    let blocked = columns.iter().filter(|c| c.fault == ColumnFault::Blocked).count();
    let quality = vec![
        ("NDEAD", count(flags::DEAD), "dead pixels"),
        ("NTELEGR", count(flags::TELEGRAPH), "telegraph pixels"),
        ("NBLOCK", blocked as f64, "blocked columns"),
        ("NPOCKET", (columns.len() - blocked) as f64, "columns with a pocket"),
    ];
    knowledge.defect_pixels = Some(Arc::new(pixels));
    knowledge.columns = Some(Arc::new(columns));
    Ok(Outcome::Measured { quality, note: format!("defects: {}", notes.join("; ")) })
}

/// In order of rows and columns, each pixel once.
fn merged(mut pixels: Vec<DefectPixel>) -> Vec<DefectPixel> {
    pixels.sort_by_key(|p| (p.y, p.x));
    let mut out: Vec<DefectPixel> = Vec::with_capacity(pixels.len());
    for pixel in pixels {
        match out.last_mut() {
            Some(last) if (last.y, last.x) == (pixel.y, pixel.x) => last.bits |= pixel.bits,
            _ => out.push(pixel),
        }
    }
    out
}

fn write(knowledge: &Knowledge) -> Option<Vec<Hdu>> {
    let (found, columns) = (knowledge.defect_pixels.as_ref()?, knowledge.columns.as_ref()?);
    let pixels = |name: &str, what: &str, f: &dyn Fn(&DefectPixel) -> f64| {
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
        pixels("Y", "row of the window, from 0", &|p| p.y as f64),
        pixels("X", "column of the window, from 0", &|p| p.x as f64),
        pixels("BITS", "flag bits", &|p| f64::from(p.bits)),
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
    let found = y.into_iter().zip(x).zip(bits).map(|((y, x), bits)| DefectPixel { y, x, bits: bits as u32 }).collect();
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
    knowledge.defect_pixels = Some(Arc::new(found));
    knowledge.columns = Some(Arc::new(columns));
    Ok(())
}
