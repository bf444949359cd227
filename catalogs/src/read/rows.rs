//! Rows become sources.

use super::columns::{Bound, Cell, Mapped, Values};
use super::duplicates::{Places, earlier};
use super::galaxy::{Galaxy, galaxy, is_vega};
use super::setting::Setting;
use super::star::{FEH, LOGG, Star, TEFF_K, teff_from_bp_rp};
use super::{CatalogSpec, FillReport, ObjectKind, OnBadRow, ReadError};
use crate::direction::shifted;
use crate::draw::Draw;
use crate::extinction::{Curve, R_V};
use crate::tables::RowSource;
use crate::{Footprint, Library, Region};
use sim_core::source::{Brightness, Component, Lensing, Position, Profile, Source, SourceKind};
use sim_core::spectrum::{Extinction, Sed};
use sim_core::stream::StreamKey;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Extinction curves are shared by rows of the same E(B-V) to this step \[mag\].
const E_BV_STEP: f64 = 0.005;
/// Largest proper motion that is believed when a piece of sky is read \[arcsec/yr\]: Barnard's star has 10.4.
const FASTEST_ARCSEC_YR: f64 = 10.5;

/// How far an object moves at most in so many years \[deg\].
pub(super) fn reach_deg(years: f64) -> f64 {
    FASTEST_ARCSEC_YR * years.abs() / 3600.0
}

/// A fault of a row: column, value, range.
pub(super) struct Fault {
    pub(super) column: String,
    pub(super) value: String,
    pub(super) range: &'static str,
}

/// What was filled in a row: quantity and value.
#[derive(Default)]
pub(super) struct Filled(Vec<(&'static str, &'static str)>);

impl Filled {
    pub(super) fn or(&mut self, value: Option<f64>, quantity: &'static str, default: f64, shown: &'static str) -> f64 {
        value.unwrap_or_else(|| {
            self.0.push((quantity, shown));
            default
        })
    }
}

pub(super) struct Reader<'a> {
    pub(super) spec: &'a CatalogSpec,
    pub(super) setting: Setting,
    pub(super) bound: Bound,
    pub(super) library: &'a Library,
}

/// A required value within a range (ends included).
fn required(column: Option<&Values<'_>>, row: usize, low: f64, high: f64, range: &'static str) -> Result<f64, Fault> {
    match column {
        Some(c) => match c.at(row) {
            Cell::Number(v) if v >= low && v <= high => Ok(v),
            _ => Err(Fault { column: c.name.into(), value: c.shown(row), range }),
        },
        None => Err(Fault { column: "(none)".into(), value: "(none)".into(), range }),
    }
}

/// An optional value within a range; `None` when missing.
pub(super) fn optional(column: Option<&Values<'_>>, row: usize, low: f64, high: f64, range: &'static str) -> Result<Option<f64>, Fault> {
    match column {
        None => Ok(None),
        Some(c) => match c.at(row) {
            Cell::Missing => Ok(None),
            Cell::Number(v) if v >= low && v <= high => Ok(Some(v)),
            Cell::Number(_) | Cell::Text => Err(Fault { column: c.name.into(), value: c.shown(row), range }),
        },
    }
}

/// Whether ids are compared with each other.
#[derive(Clone, Copy, PartialEq)]
enum Ids {
    Compare,
    Leave,
}

/// A usable row.
struct Row {
    id: u64,
    ra_deg: f64,
    dec_deg: f64,
    /// In right ascension (on the sky) and declination \[mas / yr\].
    proper_motion: (f64, f64),
    magnitude: f64,
    e_bv: f64,
    object: Object,
    filled: Filled,
}

enum Object {
    Star(Star),
    Galaxy(Box<Galaxy>),
}

impl Reader<'_> {
    pub(super) fn read(
        &self,
        table: &mut dyn RowSource,
        region: Option<&Region>,
        missing_cells: Vec<String>,
    ) -> Result<(Vec<Source>, FillReport), ReadError> {
        let mut sources = Vec::new();
        let report =
            self.each(table, region, missing_cells, Ids::Compare, &mut |row, extinction| sources.push(self.source(row, extinction)))?;
        Ok((sources, report))
    }

    /// Looks at every row and keeps none. Ids are not compared: that takes memory for each.
    pub(super) fn check(&self, table: &mut dyn RowSource, missing_cells: Vec<String>) -> Result<FillReport, ReadError> {
        self.each(table, None, missing_cells, Ids::Leave, &mut |_, _| {})
    }

    fn each(
        &self,
        table: &mut dyn RowSource,
        region: Option<&Region>,
        missing_cells: Vec<String>,
        ids: Ids,
        found: &mut dyn FnMut(Row, Option<Arc<Extinction>>),
    ) -> Result<FillReport, ReadError> {
        let mut report = FillReport { file: table.path().into(), missing_cells, ..FillReport::default() };
        let mut seen: HashMap<u64, u64> = HashMap::new();
        let curve = Curve::new();
        let mut extinctions: BTreeMap<u64, Arc<Extinction>> = BTreeMap::new();
        let mut places = Places::default();
        while let Some(chunk) = table.next_chunk()? {
            places.take(chunk.first_row, table);
            report.rows += chunk.rows;
            let mapped = self.bound.on(&chunk);
            for index in 0..chunk.rows {
                let number = chunk.first_row + index as u64;
                if region.is_some_and(|r| self.is_far(&mapped, index, r)) {
                    report.outside += 1;
                    continue;
                }
                let row = match self.row(&mapped, index, table.number(number)) {
                    Ok(row) => row,
                    Err(fault) => {
                        let place = table.place(number);
                        let Fault { column, value, range } = fault;
                        match self.spec.on_bad_row {
                            OnBadRow::Stop => return Err(ReadError::Value { path: place.path, row: place.row, column, value, range }),
                            OnBadRow::Skip => {
                                let reason = format!("column `{column}`: {value} is outside {range}");
                                report.skip(place, &format!("column `{column}`"), reason);
                            }
                        }
                        continue;
                    }
                };
                if region.is_some_and(|r| !r.contains(row.ra_deg, row.dec_deg)) {
                    report.outside += 1;
                    continue;
                }
                if let Some(first) = (ids == Ids::Compare).then(|| seen.insert(row.id, number)).flatten() {
                    let (id, place) = (row.id, table.place(number));
                    let (column, earlier) = (self.bound.name_of("id").unwrap_or("(row)").to_string(), earlier(&places.of(first), &place));
                    match self.spec.on_bad_row {
                        OnBadRow::Stop => {
                            return Err(ReadError::DuplicateId { path: place.path, row: place.row, column, first: earlier, id });
                        }
                        OnBadRow::Skip => {
                            seen.insert(id, first);
                            report.skip(place, "an id that another row has", format!("column `{column}`: {earlier} has the same id {id}"));
                        }
                    }
                    continue;
                }
                for (quantity, value) in &row.filled.0 {
                    report.fill(quantity, self.bound.name_of(quantity), value);
                }
                let step = (row.e_bv / E_BV_STEP).round() as u64;
                let extinction =
                    (step > 0).then(|| extinctions.entry(step).or_insert_with(|| curve.extinction(step as f64 * E_BV_STEP)).clone());
                report.used += 1;
                found(row, extinction);
            }
        }
        report.filled.sort_by(|a, b| (&a.quantity, &a.value).cmp(&(&b.quantity, &b.value)));
        Ok(report)
    }

    /// Whether a row lies so far away that nothing else of it needs to be looked at.
    fn is_far(&self, m: &Mapped<'_>, index: usize, region: &Region) -> bool {
        let (Region::Cone(cone), Some(ra), Some(dec)) = (region, &m.ra, &m.dec) else { return false };
        let (Cell::Number(ra), Cell::Number(dec)) = (ra.at(index), dec.at(index)) else { return false };
        if !((0.0..=360.0).contains(&ra) && (-90.0..=90.0).contains(&dec)) {
            return false;
        }
        // Fifty years more than any column of epochs is likely to say.
        let years = (self.setting.epoch_year - self.spec.epoch.unwrap_or(self.spec.profile.epoch_year())).abs() + 50.0;
        let reach = cone.radius_deg + if m.pmra.is_some() || m.pmdec.is_some() { reach_deg(years) } else { 0.0 };
        !Footprint { radius_deg: reach, ..*cone }.contains(ra, dec)
    }

    fn source(&self, row: Row, extinction: Option<Arc<Extinction>>) -> Source {
        let position = Position::Sky { ra_deg: row.ra_deg, dec_deg: row.dec_deg };
        let band = &self.setting.band;
        match row.object {
            Object::Star(star) => {
                let sed = Sed { template: self.library.seds.star(star.teff_k, star.log_g, star.feh), redshift: 0.0, extinction };
                let brightness = Brightness::Ab { magnitude: row.magnitude, band: band.clone() };
                Source {
                    id: row.id,
                    kind: SourceKind::Star,
                    position,
                    components: vec![Component { profile: Profile::Point, sed, brightness }],
                    lensing: Lensing::default(),
                    redshift: 0.0,
                    motion: star.motion(row.proper_motion, self.setting.epoch_year),
                    seen: None,
                }
            }
            Object::Galaxy(galaxy) => Source {
                id: row.id,
                kind: SourceKind::Galaxy,
                position,
                components: galaxy.components(row.magnitude, band, extinction.as_ref(), self.library),
                lensing: galaxy.lensing,
                redshift: galaxy.redshift,
                motion: None,
                seen: None,
            },
        }
    }

    /// Apparent AB magnitude.
    fn magnitude(&self, m: &Mapped<'_>, index: usize, e_bv: f64) -> Result<f64, Fault> {
        let mut magnitude = match &m.magnitude {
            Some(c) => required(Some(c), index, -5.0, 35.0, "-5..35 mag")?,
            None => {
                let absolute = required(m.absolute_magnitude.as_ref(), index, -40.0, 40.0, "-40..40 mag")?;
                let modulus = match &m.distance_modulus {
                    Some(c) => required(Some(c), index, -10.0, 60.0, "-10..60 mag")?,
                    None => 10.0 + 5.0 * required(m.distance.as_ref(), index, 1e-6, 1e8, "1e-6..1e8 kpc")?.log10(),
                };
                absolute + modulus + self.spec.profile.extinction_factor() * e_bv
            }
        };
        if is_vega(m) {
            magnitude += self.setting.vega.unwrap_or(0.0);
        }
        Ok(magnitude)
    }

    /// Position \[deg\] at the catalogue's epoch.
    fn position(&self, m: &Mapped<'_>, index: usize, id: u64) -> Result<(f64, f64), Fault> {
        if let (Some((cone, key)), None) = (&self.setting.scatter, &m.ra) {
            return Ok(scattered(cone, *key, id));
        }
        if m.ra.is_none() {
            let l = required(m.l.as_ref(), index, -360.0, 360.0, "-360..360 deg")?;
            let b = required(m.b.as_ref(), index, -90.0, 90.0, "-90..90 deg")?;
            let (ra, dec) = sofars::coords::g2icrs(l.to_radians(), b.to_radians());
            return Ok((ra.to_degrees().rem_euclid(360.0), dec.to_degrees()));
        }
        let ra = required(m.ra.as_ref(), index, 0.0, 360.0, "0..360 deg")?;
        Ok((ra, required(m.dec.as_ref(), index, -90.0, 90.0, "-90..90 deg")?))
    }

    fn row(&self, m: &Mapped<'_>, index: usize, number: u64) -> Result<Row, Fault> {
        let id = match &m.id {
            None => number,
            Some(c) => {
                c.whole(index).ok_or_else(|| Fault { column: c.name.into(), value: c.shown(index), range: "whole numbers from 0" })?
            }
        };
        let (ra, dec) = self.position(m, index, id)?;
        let mut filled = Filled::default();
        let fallback = self.spec.epoch.unwrap_or(self.spec.profile.epoch_year());
        let own = match (&m.e_bv, &m.a_v) {
            (Some(c), _) => Some(optional(Some(c), index, 0.0, 10.0, "0..10 mag")?),
            (None, Some(c)) => Some(optional(Some(c), index, 0.0, 31.0, "0..31 mag")?.map(|a| a / R_V)),
            (None, None) => None,
        };
        let e_bv = own.map_or(self.spec.e_bv, |own| filled.or(own, "e_bv", self.spec.e_bv, "catalog.e_bv"));
        let magnitude = self.magnitude(m, index, e_bv)?;
        let object = match self.setting.kind {
            ObjectKind::Star => self.star(m, index, &mut filled)?,
            ObjectKind::Galaxy => Object::Galaxy(Box::new(galaxy(m, index, self.setting.shape_sign, &mut filled)?)),
        };
        let motion = "-20000..20000 mas/yr";
        let is_star = self.setting.kind == ObjectKind::Star;
        let pmra = optional(m.pmra.as_ref(), index, -2e4, 2e4, motion)?;
        let pmdec = optional(m.pmdec.as_ref(), index, -2e4, 2e4, motion)?;
        let (pmra, pmdec) = if is_star {
            (filled.or(pmra, "pmra", 0.0, "0 mas/yr"), filled.or(pmdec, "pmdec", 0.0, "0 mas/yr"))
        } else {
            (pmra.unwrap_or(0.0), pmdec.unwrap_or(0.0))
        };
        let epoch = match &m.epoch {
            Some(c) => filled.or(optional(Some(c), index, 1800.0, 2200.0, "1800..2200 yr")?, "epoch", fallback, "the catalogue's epoch"),
            None => fallback,
        };
        let (ra_deg, dec_deg) = moved(ra, dec, pmra, pmdec, self.setting.epoch_year - epoch);
        Ok(Row { id, ra_deg, dec_deg, proper_motion: (pmra, pmdec), magnitude, e_bv, object, filled })
    }

    fn star(&self, m: &Mapped<'_>, index: usize, filled: &mut Filled) -> Result<Object, Fault> {
        let feh = filled.or(optional(m.feh.as_ref(), index, -10.0, 2.0, "-10..2 dex")?, "feh", FEH, "0 dex (solar, assumed)");
        let log_g = filled.or(optional(m.logg.as_ref(), index, -2.0, 10.0, "-2..10 dex")?, "logg", LOGG, "4.5 dex (a dwarf, assumed)");
        let colour = optional(m.bp_rp.as_ref(), index, -3.0, 12.0, "-3..12 mag")?;
        let teff = optional(m.teff.as_ref(), index, 500.0, 500_000.0, "500..500000 K")?;
        let teff_k = match (teff, colour) {
            (Some(teff), _) => teff,
            (None, Some(c)) => filled.or(None, "teff", teff_from_bp_rp(c, feh), "the temperature of its BP-RP colour"),
            (None, None) => filled.or(None, "teff", TEFF_K, "5500 K (assumed)"),
        };
        let parallax_mas = filled.or(optional(m.parallax.as_ref(), index, -1000.0, 1000.0, "-1000..1000 mas")?, "parallax", 0.0, "0 mas");
        let velocity = optional(m.radial_velocity.as_ref(), index, -3000.0, 3000.0, "-3000..3000 km/s")?;
        let radial_velocity_km_s = filled.or(velocity, "radial_velocity", 0.0, "0 km/s");
        Ok(Object::Star(Star { teff_k, log_g, feh, parallax_mas, radial_velocity_km_s }))
    }
}

/// The place of an object that has none, by its number.
fn scattered(cone: &Footprint, key: StreamKey, id: u64) -> (f64, f64) {
    let mut draw = Draw::new(key.stream(id));
    let depth = draw.uniform() * 2.0 * (0.5 * cone.radius_deg.to_radians()).sin().powi(2);
    let (sin_turn, cos_turn) = (std::f64::consts::TAU * draw.uniform()).sin_cos();
    let (along, away) = (1.0 - depth, (depth * (2.0 - depth)).sqrt());
    let (sa, ca) = cone.ra_deg.to_radians().sin_cos();
    let (sd, cd) = cone.dec_deg.to_radians().sin_cos();
    let (east, north) = (away * sin_turn, away * cos_turn);
    let p = [along * cd * ca - east * sa - north * sd * ca, along * cd * sa + east * ca - north * sd * sa, along * sd + north * cd];
    (p[1].atan2(p[0]).to_degrees().rem_euclid(360.0), p[2].atan2(p[0].hypot(p[1])).to_degrees())
}

/// A position after `years` of proper motion \[mas/yr\], straight on in the tangent plane. Unchanged bits without motion.
pub(super) fn moved(ra_deg: f64, dec_deg: f64, pmra: f64, pmdec: f64, years: f64) -> (f64, f64) {
    if (pmra == 0.0 && pmdec == 0.0) || years == 0.0 {
        return (ra_deg, dec_deg);
    }
    let rad_per_mas = sim_core::units::RADIAN_PER_ARCSECOND * 1e-3;
    let (east, north) = (pmra * years * rad_per_mas, pmdec * years * rad_per_mas);
    shifted((ra_deg, dec_deg), east, north)
}
