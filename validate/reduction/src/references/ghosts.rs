//! Ghosts (`MGHST`): where the discs beside bright stars lie, from exposures of the sky.

use super::{Evidence, Outcome, ReferenceKind, Stage};
use crate::amplifiers::spread;
use crate::error::ReductionError;
use crate::ghost_fit::{self, Disc, LEAST_DISCS, Search};
use crate::set::Units;
use instruments::effects::ghosts::saturated_groups;
use ndarray::Array2;
use sim_core::fits::{Data, Hdu, Header};
use sim_core::flags;
use sim_core::knowledge::{GhostKnowledge, GhostPath, Knowledge, Measured};
use sim_core::table::{Column, ColumnData, Table};
use std::sync::Arc;

/// Table entry.
pub(super) const KIND: ReferenceKind = ReferenceKind {
    code: "MGHST",
    keyword: "R_GHOST",
    what: "geometry of ghosts",
    steps: &["ghosts"],
    stage: Stage::Sky,
    cleans: false,
    measure,
    write,
    read,
};

/// Ranges of radius that are searched apart \[pixel\], and the greatest shift.
const RADII: [(f64, f64); 2] = [(20.0, 70.0), (70.0, 250.0)];
const SHIFT: f64 = 400.0;
/// Least pixels of a saturated star, and stars used in an exposure.
const LEAST_PIXELS: usize = 20;
const STARS: usize = 8;
/// Counts from which on a pixel is at the ceiling of the converter, bias off \[ADU\].
const CEILING_ADU: f32 = 64_000.0;
/// Fraction of the full well from which on a pixel is saturated.
const FULL: f64 = 0.99;
/// Discs whose radius differs more from the median, or whose place differs more from the path \[pixel\], are not of it.
const RADIUS_MARGIN: f64 = 0.2;
const PLACE_MARGIN: f64 = 15.0;
/// Share of the discs found that must be of the path: every star has its ghost, and among forty discs of nothing four agree by chance.
const AGREEING_SHARE: f64 = 0.5;

/// The path of the discs that agree.
fn agreeing(mut discs: Vec<Disc>, axis: (f64, f64)) -> Option<GhostPath> {
    let least = (AGREEING_SHARE * discs.len() as f64).ceil() as usize;
    if discs.len() < LEAST_DISCS {
        return None;
    }
    let mut radii: Vec<f64> = discs.iter().map(|d| d.radius).collect();
    radii.sort_unstable_by(f64::total_cmp);
    let median = radii[radii.len() / 2];
    discs.retain(|d| (d.radius / median - 1.0).abs() < RADIUS_MARGIN);
    loop {
        let path = ghost_fit::path(&discs, axis).ok()?;
        let off = |d: &Disc| {
            let (x, y) = path.centre(axis, d.star.0, d.star.1);
            (x - d.star.0 - d.shift.0).hypot(y - d.star.1 - d.shift.1)
        };
        let worst = discs.iter().enumerate().map(|(i, d)| (i, off(d))).max_by(|a, b| a.1.total_cmp(&b.1))?;
        if worst.1 <= PLACE_MARGIN {
            return Some(path).filter(|_| discs.len() >= least);
        }
        discs.remove(worst.0);
    }
}

fn measure(evidence: &Evidence<'_>, knowledge: &mut Knowledge) -> Result<Outcome, ReductionError> {
    let sky = &evidence.group.sky;
    let (Some(first), Some(gain)) = (sky.first(), knowledge.gain.clone()) else {
        return Ok(Outcome::Skipped("no exposures of the sky given".into()));
    };
    let gain: Vec<f64> = gain.iter().map(|g| g.value).collect();
    let axis = (first.geometry.crpix1 - 1.0, first.geometry.crpix2 - 1.0);
    let origin = (knowledge.window.x0 as f64, knowledge.window.y0 as f64);
    let mut found: [Vec<Disc>; 2] = [Vec::new(), Vec::new()];
    let mut stars = 0;
    for info in sky {
        let mut pixels = evidence.counts(info, knowledge)?;
        let full_well = info.header.f64("FULLWELL").map_or(f32::INFINITY, |f| (FULL * f) as f32);
        let (mut bits, columns) = (Array2::<u32>::zeros(pixels.dim()), pixels.ncols());
        for (y, (mut row, mut bits)) in pixels.rows_mut().into_iter().zip(bits.rows_mut()).enumerate() {
            let gains = spread(&knowledge.layout, y, columns, &gain);
            for ((v, bit), g) in row.iter_mut().zip(bits.iter_mut()).zip(gains) {
                let at_ceiling = *v >= CEILING_ADU;
                *v = (f64::from(*v) * g) as f32;
                if at_ceiling || *v >= full_well {
                    *bit = flags::SATURATED;
                }
            }
        }
        for group in saturated_groups(&bits).iter().filter(|g| g.pixels >= LEAST_PIXELS).take(STARS) {
            stars += 1;
            for (radius, found) in RADII.into_iter().zip(&mut found) {
                let disc = ghost_fit::look(&pixels, &bits, (group.x, group.y), origin, Search { radius, shift: SHIFT });
                // A disc at the end of the range is part of a larger one.
                found.extend(disc.filter(|d| d.radius < 0.94 * radius.1));
            }
        }
    }
    let seen = found.each_ref().map(Vec::len);
    let paths: Vec<GhostPath> = found.into_iter().filter_map(|discs| agreeing(discs, axis)).collect();
    if paths.is_empty() {
        return Ok(Outcome::Skipped(format!(
            "{} and {} discs beside {stars} saturated stars; at least {LEAST_DISCS} and half of a kind must agree",
            seen[0], seen[1]
        )));
    }
    let quality = vec![("NGHOST", paths.len() as f64, "ghosts of a star"), ("NSTARS", f64::from(stars), "saturated stars looked at")];
    let note = format!("ghosts: {} beside every star, from {stars} saturated stars", paths.len());
    knowledge.ghosts = Some(Arc::new(GhostKnowledge { axis, paths }));
    Ok(Outcome::Measured { quality, note })
}

/// Name, unit and meaning of a number of a path, and where it is.
type Field = (&'static str, &'static str, &'static str, fn(&GhostPath) -> Measured);
const FIELDS: [Field; 4] = [
    ("RADIUS", "pixel", "radius of the disc", |p| p.radius),
    ("SHIFT_X", "pixel", "shift along x", |p| p.shift_x),
    ("SHIFT_Y", "pixel", "shift along y", |p| p.shift_y),
    ("SLOPE", "1", "shift per distance from the axis", |p| p.slope),
];

fn write(knowledge: &Knowledge) -> Option<Vec<Hdu>> {
    let ghosts = knowledge.ghosts.as_ref()?;
    let mut header = Header::default();
    header.set("AXIS_X", ghosts.axis.0, "[pixel] column of the optical axis, 0-based");
    header.set("AXIS_Y", ghosts.axis.1, "[pixel] row of the optical axis, 0-based");
    let mut columns = Vec::new();
    for (name, unit, what, get) in FIELDS {
        let of = |f: &dyn Fn(Measured) -> f64| ColumnData::F64(ghosts.paths.iter().map(|p| f(get(p))).collect());
        columns.push(Column::new(name, unit, what, of(&|m| m.value)));
        columns.push(Column::new(&format!("{name}_ERR"), unit, "standard error", of(&|m| m.error)));
    }
    Some(vec![Hdu::new("GHOSTS", header, Data::Table(Table { name: "GHOSTS".into(), columns }))])
}

fn read(units: &mut Units, knowledge: &mut Knowledge) -> Result<(), ReductionError> {
    let (header, table) = units.table("GHOSTS")?;
    let number = |key: &str| header.f64(key).filter(|v| v.is_finite()).ok_or_else(|| units.missing(key, "a number"));
    let axis = (number("AXIS_X")?, number("AXIS_Y")?);
    let column = |name: &str| {
        let values = table.f64s(name).filter(|v| !v.is_empty() && v.iter().all(|x| x.is_finite()));
        values.ok_or_else(|| units.missing(&format!("GHOSTS.{name}"), "a column of numbers"))
    };
    let mut fields = Vec::new();
    for (name, ..) in FIELDS {
        fields.push((column(name)?, column(&format!("{name}_ERR"))?));
    }
    let count = fields[0].0.len();
    let at = |field: usize, k: usize| Measured { value: fields[field].0[k], error: fields[field].1[k] };
    if fields.iter().any(|f| f.0.len() != count) || fields[0].0.iter().any(|r| *r <= 0.0) {
        return Err(units.missing("GHOSTS.RADIUS", "radii above 0"));
    }
    let paths = (0..count).map(|k| GhostPath { radius: at(0, k), shift_x: at(1, k), shift_y: at(2, k), slope: at(3, k) }).collect();
    knowledge.ghosts = Some(Arc::new(GhostKnowledge { axis, paths }));
    Ok(())
}
