//! Rows become sources.

use super::columns::{Cell, Mapped, Scale, Values};
use super::{CatalogSpec, FillReport, OnBadRow, ReadError};
use crate::band::GAIA_G_AB_MINUS_VEGA;
use crate::extinction::Curve;
use crate::footprint::vector;
use crate::table::held;
use crate::{Footprint, Library};
use sim_core::bandpass::Bandpass;
use sim_core::source::{Brightness, Component, Lensing, Position, Profile, Source, SourceKind};
use sim_core::spectrum::{Extinction, Sed};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Temperature where neither it nor a colour is known \[K\] (assumed).
const TEFF_K: f64 = 5500.0;
/// Surface gravity where it is not known \[dex\] (assumed: a dwarf).
const LOGG: f64 = 4.5;
/// Metallicity where it is not known \[dex\] (assumed: solar).
const FEH: f64 = 0.0;
/// Extinction curves are shared by rows of the same E(B-V) to this step \[mag\].
const E_BV_STEP: f64 = 0.005;

/// BP-RP and effective temperature \[K\] of M0, M1, M2, M3, M4, M5, M6 dwarfs.
const M_DWARFS: [(f64, f64); 7] =
    [(1.84, 3850.0), (2.09, 3660.0), (2.23, 3560.0), (2.5, 3430.0), (2.94, 3210.0), (3.35, 3060.0), (4.16, 2810.0)];
/// BP-RP and effective temperature \[K\] of B9, A0, A2, A5, A7 dwarfs.
const A_DWARFS: [(f64, f64); 5] = [(-0.12, 10_700.0), (-0.037, 9700.0), (0.068, 8840.0), (0.194, 8100.0), (0.263, 7760.0)];

/// A fault of a row: column, value, range.
struct Fault {
    column: String,
    value: String,
    range: &'static str,
}

pub(super) struct Reader<'a> {
    pub(super) spec: &'a CatalogSpec,
    pub(super) path: &'a str,
    pub(super) mapped: Mapped,
    pub(super) band: &'a Arc<Bandpass>,
    pub(super) library: &'a Library,
    pub(super) epoch_year: f64,
}

/// A required value within a range (ends included).
fn required(column: Option<&Values>, row: usize, low: f64, high: f64, range: &'static str) -> Result<f64, Fault> {
    match column {
        Some(c) => match c.at(row) {
            Cell::Number(v) if v >= low && v <= high => Ok(v),
            _ => Err(Fault { column: c.name.clone(), value: c.shown(row), range }),
        },
        None => Err(Fault { column: "(none)".into(), value: "(none)".into(), range }),
    }
}

/// An optional value within a range; `None` when missing.
fn optional(column: Option<&Values>, row: usize, low: f64, high: f64, range: &'static str) -> Result<Option<f64>, Fault> {
    match column {
        None => Ok(None),
        Some(c) => match c.at(row) {
            Cell::Missing => Ok(None),
            Cell::Number(v) if v >= low && v <= high => Ok(Some(v)),
            Cell::Number(_) | Cell::Text => Err(Fault { column: c.name.clone(), value: c.shown(row), range }),
        },
    }
}

/// A usable row.
struct Row {
    id: u64,
    ra_deg: f64,
    dec_deg: f64,
    magnitude: f64,
    teff_k: f64,
    feh: f64,
    e_bv: f64,
    /// Quantity and value filled.
    filled: Vec<(&'static str, &'static str)>,
}

impl Reader<'_> {
    pub(super) fn read(&self, footprint: Option<&Footprint>) -> Result<(Vec<Source>, FillReport), ReadError> {
        let mut report = FillReport { file: self.path.into(), rows: self.mapped.rows, ..FillReport::default() };
        let mut sources = Vec::new();
        let mut numbers: Vec<(u64, usize)> = Vec::with_capacity(self.mapped.rows);
        let curve = Curve::new();
        let mut extinctions: BTreeMap<u64, Arc<Extinction>> = BTreeMap::new();
        for index in 0..self.mapped.rows {
            let row = match self.row(index) {
                Ok(row) => row,
                Err(fault) => {
                    let error = ReadError::Value {
                        path: self.path.into(),
                        row: index + 1,
                        column: fault.column.clone(),
                        value: fault.value.clone(),
                        range: fault.range,
                    };
                    match self.spec.on_bad_row {
                        OnBadRow::Stop => return Err(error),
                        OnBadRow::Skip => {
                            report.skip(index + 1, format!("column `{}`: {} is outside {}", fault.column, fault.value, fault.range))
                        }
                    }
                    continue;
                }
            };
            numbers.push((row.id, index + 1));
            if footprint.is_some_and(|f| !f.contains(row.ra_deg, row.dec_deg)) {
                report.outside += 1;
                continue;
            }
            for (quantity, value) in &row.filled {
                report.fill(quantity, self.name_of(quantity), value);
            }
            let step = (row.e_bv / E_BV_STEP).round() as u64;
            let extinction =
                (step > 0).then(|| extinctions.entry(step).or_insert_with(|| curve.extinction(step as f64 * E_BV_STEP)).clone());
            let sed = Sed { template: self.library.seds.star(row.teff_k, LOGG, row.feh), redshift: 0.0, extinction };
            let brightness = Brightness::Ab { magnitude: row.magnitude, band: self.band.clone() };
            sources.push(Source {
                id: row.id,
                kind: SourceKind::Star,
                position: Position::Sky { ra_deg: row.ra_deg, dec_deg: row.dec_deg },
                components: vec![Component { profile: Profile::Point, sed, brightness }],
                lensing: Lensing::default(),
                redshift: 0.0,
                motion: None,
                seen: None,
            });
        }
        numbers.sort_unstable();
        if let Some(pair) = numbers.windows(2).find(|p| p[0].0 == p[1].0) {
            return Err(ReadError::DuplicateId { path: self.path.into(), first: pair[0].1, second: pair[1].1, id: pair[0].0 });
        }
        report.used = sources.len();
        report.filled.sort_by(|a, b| (&a.quantity, &a.value).cmp(&(&b.quantity, &b.value)));
        Ok((sources, report))
    }

    /// The file's column for a quantity, for the report.
    fn name_of(&self, quantity: &str) -> Option<&str> {
        let m = &self.mapped;
        let column = match quantity {
            "teff" => &m.teff,
            "logg" => &m.logg,
            "feh" => &m.feh,
            "pmra" => &m.pmra,
            "pmdec" => &m.pmdec,
            "parallax" => &m.parallax,
            "radial_velocity" => &m.radial_velocity,
            "epoch" => &m.epoch,
            _ => &m.e_bv,
        };
        column.as_ref().map(|c| c.name.as_str())
    }

    fn row(&self, index: usize) -> Result<Row, Fault> {
        let m = &self.mapped;
        let id = match &m.id {
            None => index as u64 + 1,
            Some(c) => {
                c.whole(index).ok_or_else(|| Fault { column: c.name.clone(), value: c.shown(index), range: "whole numbers from 0" })?
            }
        };
        let ra = required(m.ra.as_ref(), index, 0.0, 360.0, "0..360 deg")?;
        let dec = required(m.dec.as_ref(), index, -90.0, 90.0, "-90..90 deg")?;
        let mut magnitude = required(m.magnitude.as_ref(), index, -5.0, 35.0, "-5..35 mag")?;
        if m.magnitude.as_ref().is_some_and(|c| c.scale == Scale::Vega) && self.band.name == "gaia_g" {
            magnitude += GAIA_G_AB_MINUS_VEGA;
        }
        let mut filled = Vec::new();
        let mut or = |value: Option<f64>, quantity, default: f64, shown| {
            value.unwrap_or_else(|| {
                filled.push((quantity, shown));
                default
            })
        };
        let feh = or(optional(m.feh.as_ref(), index, -10.0, 2.0, "-10..2 dex")?, "feh", FEH, "0 dex (solar, assumed)");
        or(optional(m.logg.as_ref(), index, -2.0, 10.0, "-2..10 dex")?, "logg", LOGG, "4.5 dex (a dwarf, assumed)");
        let colour = optional(m.bp_rp.as_ref(), index, -3.0, 12.0, "-3..12 mag")?;
        let teff = optional(m.teff.as_ref(), index, 500.0, 500_000.0, "500..500000 K")?;
        let teff_k = match (teff, colour) {
            (Some(teff), _) => teff,
            (None, Some(c)) => or(None, "teff", teff_from_bp_rp(c, feh), "the temperature of its BP-RP colour"),
            (None, None) => or(None, "teff", TEFF_K, "5500 K (assumed)"),
        };
        let motion = "-20000..20000 mas/yr";
        let pmra = or(optional(m.pmra.as_ref(), index, -2e4, 2e4, motion)?, "pmra", 0.0, "0 mas/yr");
        let pmdec = or(optional(m.pmdec.as_ref(), index, -2e4, 2e4, motion)?, "pmdec", 0.0, "0 mas/yr");
        or(optional(m.parallax.as_ref(), index, -1000.0, 1000.0, "-1000..1000 mas")?, "parallax", 0.0, "0 mas");
        or(optional(m.radial_velocity.as_ref(), index, -3000.0, 3000.0, "-3000..3000 km/s")?, "radial_velocity", 0.0, "0 km/s");
        let fallback = self.spec.epoch.unwrap_or(self.spec.profile.epoch_year());
        let epoch = match &m.epoch {
            Some(c) => or(optional(Some(c), index, 1800.0, 2200.0, "1800..2200 yr")?, "epoch", fallback, "the catalogue's epoch"),
            None => fallback,
        };
        let e_bv = match &m.e_bv {
            Some(c) => or(optional(Some(c), index, 0.0, 10.0, "0..10 mag")?, "e_bv", self.spec.e_bv, "catalog.e_bv"),
            None => self.spec.e_bv,
        };
        let (ra_deg, dec_deg) = moved(ra, dec, pmra, pmdec, self.epoch_year - epoch);
        Ok(Row { id, ra_deg, dec_deg, magnitude, teff_k, feh, e_bv, filled })
    }
}

/// A position after `years` of proper motion \[mas/yr\], straight on in the tangent plane. Unchanged bits without motion.
pub(super) fn moved(ra_deg: f64, dec_deg: f64, pmra: f64, pmdec: f64, years: f64) -> (f64, f64) {
    if (pmra == 0.0 && pmdec == 0.0) || years == 0.0 {
        return (ra_deg, dec_deg);
    }
    let rad_per_mas = sim_core::units::RADIAN_PER_ARCSECOND * 1e-3;
    let (east, north) = (pmra * years * rad_per_mas, pmdec * years * rad_per_mas);
    let (sa, ca) = ra_deg.to_radians().sin_cos();
    let (sd, cd) = dec_deg.to_radians().sin_cos();
    let p = vector(ra_deg, dec_deg);
    let moved = [p[0] - sa * east - sd * ca * north, p[1] + ca * east - sd * sa * north, p[2] + cd * north];
    let ra = moved[1].atan2(moved[0]).to_degrees().rem_euclid(360.0);
    (ra, moved[2].atan2(moved[0].hypot(moved[1])).to_degrees())
}

/// Effective temperature \[K\] from BP-RP; see the module's formula.
pub(super) fn teff_from_bp_rp(c: f64, feh: f64) -> f64 {
    let warm = |c: f64| {
        let m = feh.clamp(-2.5, 0.5);
        5040.0 / (0.4929 + 0.5092 * c - 0.0353 * c * c + 0.0192 * m - 0.0020 * m * m - 0.0395 * m * c)
    };
    if c > 1.5 {
        let (colour, teff): (Vec<f64>, Vec<f64>) = std::iter::once((1.5, warm(1.5))).chain(M_DWARFS).unzip();
        return held(&colour, &teff, c);
    }
    if c > 0.39 {
        return warm(c);
    }
    let (colour, teff): (Vec<f64>, Vec<f64>) = A_DWARFS.into_iter().chain(std::iter::once((0.39, warm(0.39)))).unzip();
    held(&colour, &teff, c)
}
