//! Shifts of pixel boundaries with charge (`MBFE`), from the covariances of pairs of flats at several levels.

use super::{Evidence, Outcome, ReferenceKind, Stage};
use crate::amplifiers::by_amplifier;
use crate::brighter_fatter_fit::from_covariances;
use crate::error::ReductionError;
use crate::flat_covariance::{CovarianceOptions, FlatCovariance, of_pair, together};
use crate::set::Units;
use instruments::product::level0::Level0Info;
use ndarray::s;
use sim_core::exposure::ExposureKind;
use sim_core::fits::{Data, Hdu, Header};
use sim_core::knowledge::{BoundaryKnowledge, Knowledge, Measured};
use sim_core::table::{Column, ColumnData, Table};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Table entry.
pub(super) const KIND: ReferenceKind = ReferenceKind {
    code: "MBFE",
    keyword: "R_BFE",
    what: "shifts of pixel boundaries",
    steps: &["brighter_fatter"],
    stage: Stage::Charge,
    cleans: true,
    measure,
    write,
    read,
};

/// The one extension.
const TABLE: &str = "BOUNDARIES";
/// Part of the full well up to which flats are used: beyond it wells fill.
const BRIGHTEST: f64 = 0.85;
/// Rounds of the correction.
const ROUNDS: usize = 2;
/// Largest tables that are read.
const LARGEST: f64 = 16.0;

/// Pairs of successive flats of the same time and lamp.
fn pairs_by_setting(flats: &[Level0Info]) -> Vec<Vec<(&Level0Info, &Level0Info)>> {
    let mut by_setting: BTreeMap<(u64, u64), Vec<&Level0Info>> = BTreeMap::new();
    for info in flats {
        if let ExposureKind::Flat { rate_electron_s } = info.observation.kind {
            by_setting.entry((info.observation.time_s.to_bits(), rate_electron_s.to_bits())).or_default().push(info);
        }
    }
    by_setting.into_values().map(|of| of.chunks_exact(2).map(|p| (p[0], p[1])).collect()).collect()
}

fn measure(evidence: &Evidence<'_>, knowledge: &mut Knowledge) -> Result<Outcome, ReductionError> {
    let (Some(gain), Some(read_noise)) = (knowledge.gain.clone(), knowledge.read_noise.clone()) else {
        return Ok(Outcome::Skipped("gain and read noise are not known".into()));
    };
    let settings = pairs_by_setting(&evidence.group.flat);
    let usable = settings.iter().filter(|pairs| !pairs.is_empty()).count();
    if usable < 3 {
        return Ok(Outcome::Skipped(format!("brighter-fatter: pairs of flats at {usable} levels, 3 are needed")));
    }
    let tiles = &knowledge.layout.tiles;
    // The shifts themselves are not to be undone before they are measured.
    let spoilt = Knowledge { boundaries: None, ..knowledge.clone() };
    let full_well = evidence.group.flat.first().and_then(|f| f.header.f64("FULLWELL")).filter(|w| *w > 0.0);
    let capacity = full_well.unwrap_or(evidence.options.traps.full_well_electron);
    let mut found: Vec<Vec<FlatCovariance>> = vec![Vec::new(); tiles.len()];
    let (mut levels, mut bright, mut count) = (0, 0, 0);
    for pairs in settings.iter().filter(|pairs| !pairs.is_empty()) {
        let mut of_tile: Vec<Vec<FlatCovariance>> = vec![Vec::new(); tiles.len()];
        for (a, b) in pairs {
            let (a, b) = (evidence.counts(a, &spoilt)?, evidence.counts(b, &spoilt)?);
            for (tile, measured) in tiles.iter().zip(&mut of_tile) {
                let r = tile.science;
                let area = s![r.y0..r.y0 + r.ny, r.x0..r.x0 + r.nx];
                match of_pair(a.slice(area), b.slice(area), &CovarianceOptions::default()) {
                    Ok(covariance) => measured.push(covariance),
                    Err(reason) => return Ok(Outcome::Skipped(reason.to_string())),
                }
            }
        }
        let of_tile: Vec<FlatCovariance> = of_tile.iter().filter_map(|pairs| together(pairs)).collect();
        if of_tile.iter().zip(tiles).any(|(c, t)| c.mean_adu * gain[t.amplifier].value > BRIGHTEST * capacity) {
            bright += 1;
            continue;
        }
        levels += 1;
        count += pairs.len();
        found.iter_mut().zip(of_tile).for_each(|(found, level)| found.push(level));
    }
    let noise = |t: &sim_core::detector::AmplifierTile| {
        let (gain, noise) = (gain[t.amplifier].value, read_noise[t.amplifier]);
        Measured { value: noise.value / gain, error: noise.error / gain }
    };
    let noise: Vec<Measured> = tiles.iter().map(noise).collect();
    let (known, fit, boundaries) = match from_covariances(&found, &noise, capacity, ROUNDS) {
        Ok(found) => found,
        Err(reason) => return Ok(Outcome::Skipped(reason.to_string())),
    };
    let own = fit.area[0][0];
    let mut note = format!(
        "brighter-fatter: a pixel loses {:.2e} +- {:.1e} of its area per electron, from {count} pairs of flats at {levels} levels; a \
         straight photon transfer would give the gain x {:.4}",
        -own.value, own.error, fit.straight_line
    );
    if bright > 0 {
        note += &format!("; {bright} levels above {BRIGHTEST} of the full well left out");
    }
    let quality = vec![
        ("A00", own.value, "[1/electron] change of a pixel's area by its own charge"),
        ("A00ERR", own.error, "[1/electron] its error"),
        ("CHI2COV", fit.reduced_chi2, "chi2/dof of the covariances"),
        ("CHI2SLAB", boundaries.slab_chi2, "chi2/dof of the electrostatic slab alone"),
        ("REST", boundaries.remainder, "rms share of the shifts that is not the slab's"),
    ];
    let read_adu: Vec<Measured> = noise.clone();
    let new_gain = by_amplifier(&knowledge.layout, &fit.gain);
    let electrons: Vec<Measured> = read_adu
        .iter()
        .zip(&fit.gain)
        .map(|(r, g)| Measured { value: r.value * g.value, error: (r.error * g.value).hypot(r.value * g.error) })
        .collect();
    knowledge.read_noise = Some(by_amplifier(&knowledge.layout, &electrons));
    knowledge.gain = Some(new_gain);
    knowledge.boundaries = Some(Arc::new(known));
    Ok(Outcome::Measured { quality, note })
}

fn write(knowledge: &Knowledge) -> Option<Vec<Hdu>> {
    let known = knowledge.boundaries.as_ref()?;
    let mut header = Header::default();
    header.set("A00", known.self_area.value, "[1/electron] change of a pixel's area by its own charge");
    header.set("A00ERR", known.self_area.error, "[1/electron] its error");
    header.set("CAPACITY", known.capacity_electron, "[electron] more charge shifts no boundary");
    header.set("NITER", known.iterations as i64, "rounds of the correction");
    let (mut k, mut l, mut columns, mut rows) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (across, (of_columns, of_rows)) in known.between_columns.iter().zip(&known.between_rows).enumerate() {
        for (along, (column, row)) in of_columns.iter().zip(of_rows).enumerate() {
            k.push(across as f64 + 0.5);
            l.push(along as f64);
            columns.push(*column);
            rows.push(*row);
        }
    }
    let column = |name: &str, unit: &str, what: &str, values: Vec<f64>| Column::new(name, unit, what, ColumnData::F64(values));
    let table = Table {
        name: TABLE.into(),
        columns: vec![
            column("ACROSS", "pixel", "distance of the charge across the boundary", k),
            column("ALONG", "pixel", "distance of the charge along the boundary", l),
            column("COLUMNS", "pixel/electron", "shift of a boundary between columns, towards the charge", columns),
            column("ROWS", "pixel/electron", "shift of a boundary between rows, towards the charge", rows),
        ],
    };
    Some(vec![Hdu::new(TABLE, header, Data::Table(table))])
}

fn read(units: &mut Units, knowledge: &mut Knowledge) -> Result<(), ReductionError> {
    let (header, table) = units.table(TABLE)?;
    let column = |name: &'static str| {
        let found = table.f64s(name).filter(|v| !v.is_empty() && v.iter().all(|x| x.is_finite()));
        found.ok_or_else(|| units.missing(&format!("{TABLE}.{name}"), "a column of finite numbers"))
    };
    let number = |key: &'static str, low: f64| {
        let found = header.f64(key).filter(|v| v.is_finite() && *v >= low);
        found.ok_or_else(|| units.missing(&format!("{TABLE}.{key}"), "a finite number in its range"))
    };
    let (across, along) = (column("ACROSS")?, column("ALONG")?);
    let shifts = [column("COLUMNS")?, column("ROWS")?];
    if across.iter().chain(&along).any(|v| !(0.0..LARGEST).contains(v)) {
        return Err(units.missing(&format!("{TABLE}.ACROSS or ALONG"), "distances of 0 to 16 pixels"));
    }
    let [between_columns, between_rows] = shifts.map(|values| {
        let mut out: Vec<Vec<f64>> = Vec::new();
        for ((k, l), value) in across.iter().zip(&along).zip(values) {
            let (k, l) = (*k as usize, *l as usize);
            if out.len() <= k {
                out.resize(k + 1, Vec::new());
            }
            if out[k].len() <= l {
                out[k].resize(l + 1, 0.0);
            }
            out[k][l] = value;
        }
        out
    });
    let self_area = Measured { value: number("A00", -1.0)?, error: number("A00ERR", 0.0)? };
    let (capacity_electron, iterations) = (number("CAPACITY", 1.0)?, number("NITER", 0.0)? as usize);
    knowledge.boundaries = Some(Arc::new(BoundaryKnowledge { between_columns, between_rows, self_area, capacity_electron, iterations }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::detector::{AmplifierGrid, DetectorGeometry, ReadoutLayout, Scans};

    #[test]
    fn without_flats_or_shifts_there_is_nothing_to_write() {
        let amplifiers = AmplifierGrid { columns: 1, rows: 1, prescan_x: 0, overscan_x: 0, overscan_y: 0 };
        let geometry = DetectorGeometry {
            number: 1,
            filter: "r".into(),
            nx: 32,
            ny: 32,
            crpix1: 0.0,
            crpix2: 0.0,
            pixel_scale_arcsec: 1.0,
            amplifiers,
        };
        let window = geometry.full_window();
        let knowledge = Knowledge::of_layout(ReadoutLayout::new(&geometry, window, Scans::Trimmed), window, 1.0);
        assert!(write(&knowledge).is_none());
        assert!(pairs_by_setting(&[]).is_empty());
    }
}
