//! Which column holds what, and in which unit.

use super::ReadError;
use super::units::{self, Scale, Units, plain};
use crate::tables::{Cells, Chunk, Field};
use serde::{Deserialize, Serialize};
use sim_core::table::ColumnData;

/// A column of the file, or one value for all rows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnSpec {
    /// Its name, exact.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// One value for all rows, instead of a column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Unit of its values.
    pub unit: String,
}

impl ColumnSpec {
    /// A column.
    #[must_use]
    pub fn new(name: &str, unit: &str) -> Self {
        Self { name: name.into(), value: None, unit: unit.into() }
    }
}

macro_rules! quantities {
    ($($(#[$doc:meta])* $name:ident: $units:expr;)*) => {
        /// Mapping from quantities to columns of the file. Required: a position (`ra` and `dec`, or `l` and `b`, or `catalog.scatter`) and a
        /// magnitude (`magnitude`, or `absolute_magnitude` with a distance).
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct Columns {
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<ColumnSpec>,)*
        }

        impl Columns {
            /// Quantity and column of the mapped ones.
            #[must_use]
            pub fn entries(&self) -> Vec<(&'static str, &ColumnSpec)> {
                [$((stringify!($name), self.$name.as_ref()),)*].into_iter().filter_map(|(q, c)| c.map(|c| (q, c))).collect()
            }
            /// These entries, and those of `base` where there is none.
            #[must_use]
            pub fn over(&self, base: &Self) -> Self {
                Self { $($name: self.$name.clone().or_else(|| base.$name.clone()),)* }
            }
        }

        /// The columns of a file by what they hold.
        #[derive(Default)]
        pub(crate) struct Bound {
            /// Places of the columns in the file, in the order in which they are read.
            pub(crate) chosen: Vec<usize>,
            $(pub(crate) $name: Option<BoundColumn>,)*
        }

        impl Bound {
            /// Finds the columns; one named by the user (`named`) must be there, one of a profile need not.
            pub(crate) fn new(columns: &Columns, named: &Columns, fields: &[Field], path: &str) -> Result<Self, ReadError> {
                Self::among(Vec::new(), columns, named, fields, path)
            }
            /// As `new`, where some columns are read anyway.
            pub(crate) fn among(
                chosen: Vec<usize>,
                columns: &Columns,
                named: &Columns,
                fields: &[Field],
                path: &str,
            ) -> Result<Self, ReadError> {
                let mut bound = Self { chosen, ..Self::default() };
                $(bound.$name = find(columns.$name.as_ref(), named.$name.is_some(), stringify!($name), $units, fields, &mut bound.chosen, path)?;)*
                Ok(bound)
            }
            /// The column of a quantity, for reports.
            pub(crate) fn name_of(&self, quantity: &str) -> Option<&str> {
                match quantity {
                    $(stringify!($name) => self.$name.as_ref().and_then(BoundColumn::column_name),)*
                    _ => None,
                }
            }
            /// The cells of a chunk.
            pub(crate) fn on<'a>(&'a self, chunk: &'a Chunk) -> Mapped<'a> {
                Mapped { $($name: self.$name.as_ref().map(|c| c.on(chunk)),)* }
            }
        }

        /// The cells of a chunk by what they hold.
        pub(crate) struct Mapped<'a> {
            $(pub(crate) $name: Option<Values<'a>>,)*
        }
    };
}

quantities! {
    /// Number of the object, whole and not negative; the row number when absent.
    id: units::NUMBER;
    /// Right ascension, ICRS.
    ra: units::ANGLE;
    /// Declination, ICRS.
    dec: units::ANGLE;
    /// Galactic longitude, where there is no right ascension.
    l: units::ANGLE;
    /// Galactic latitude.
    b: units::ANGLE;
    /// Magnitude in `band`; unit `mag` is AB except for the Gaia profile, `mag(AB)` and `mag(Vega)` say it.
    magnitude: units::MAGNITUDE;
    /// Absolute magnitude without extinction; needs `distance` or `distance_modulus`.
    absolute_magnitude: units::MAGNITUDE;
    /// Distance modulus.
    distance_modulus: units::COLOUR;
    /// Distance.
    distance: units::DISTANCE;
    /// Effective temperature.
    teff: units::TEMPERATURE;
    /// Surface gravity, decimal logarithm in cm/s2.
    logg: units::GRAVITY;
    /// Metallicity \[Fe/H\]; unit `Z` for a mass fraction of metals.
    feh: units::METALLICITY;
    /// Gaia colour BP-RP, used where the temperature is missing.
    bp_rp: units::COLOUR;
    /// Proper motion in right ascension times cos(dec).
    pmra: units::MOTION;
    /// Proper motion in declination.
    pmdec: units::MOTION;
    /// Parallax; negative values are as good as others.
    parallax: units::PARALLAX;
    /// Radial velocity.
    radial_velocity: units::VELOCITY;
    /// Epoch of the position.
    epoch: units::YEAR;
    /// Colour excess E(B-V).
    e_bv: units::COLOUR;
    /// Extinction A(V), where there is no E(B-V).
    a_v: units::COLOUR;
    /// Redshift.
    redshift: units::NUMBER;
    /// Half-light radius of a galaxy or its disk, along the major axis where a minor one is given.
    half_light_radius: units::SIZE;
    /// Half-light radius of the disk along the minor axis.
    half_light_radius_minor: units::SIZE;
    /// Half-light radius of the bulge.
    bulge_radius: units::SIZE;
    /// Half-light radius of the bulge along the minor axis.
    bulge_radius_minor: units::SIZE;
    /// Share of the bulge in the light.
    bulge_fraction: units::NUMBER;
    /// Mass of the bulge; with `disk_mass` it gives the share where `bulge_fraction` is missing.
    bulge_mass: units::MASS;
    /// Mass of the disk.
    disk_mass: units::MASS;
    /// Ellipticity (1 - q) / (1 + q), first component, of the disk.
    e1: units::NUMBER;
    /// Second component.
    e2: units::NUMBER;
    /// Of the bulge, first component; that of the disk when absent.
    bulge_e1: units::NUMBER;
    /// Second component.
    bulge_e2: units::NUMBER;
    /// Shear, first component.
    shear1: units::NUMBER;
    /// Second component.
    shear2: units::NUMBER;
    /// Convergence.
    kappa: units::NUMBER;
    /// Type of the spectrum: 0 elliptical, 1 early spiral, 2 late spiral, 3 irregular.
    galaxy_type: units::NUMBER;
}

/// A quantity of the file.
#[derive(Debug, Clone)]
pub(crate) struct BoundColumn {
    name: String,
    pub(crate) scale: Scale,
    /// Its place among the columns read, or the value of all rows.
    source: Result<usize, f64>,
}

impl BoundColumn {
    fn on<'a>(&'a self, chunk: &'a Chunk) -> Values<'a> {
        let cells = match self.source {
            Ok(place) => Ok(&chunk.columns[place]),
            Err(value) => Err(value),
        };
        Values { name: &self.name, scale: self.scale, cells }
    }
    fn column_name(&self) -> Option<&str> {
        self.source.is_ok().then_some(self.name.as_str())
    }
    /// Its place among the columns read.
    pub(crate) fn place(&self) -> Option<usize> {
        self.source.ok()
    }
}

/// The cells of a quantity.
pub(crate) struct Values<'a> {
    pub(crate) name: &'a str,
    pub(crate) scale: Scale,
    cells: Result<&'a Cells, f64>,
}

/// A cell.
pub(crate) enum Cell {
    /// A number in our unit.
    Number(f64),
    /// Nothing there: empty, NaN, null.
    Missing,
    /// Something that is not a number.
    Text,
}

impl Values<'_> {
    pub(crate) fn at(&self, row: usize) -> Cell {
        let cells = match self.cells {
            Ok(cells) => cells,
            Err(value) => return Cell::Number(self.scale.of(value)),
        };
        if cells.odd(row).is_some() {
            return Cell::Text;
        }
        let raw = cells.number(row);
        if raw.is_nan() {
            let is_text =
                matches!(&cells.data, ColumnData::Text(v) if !v[row].trim().is_empty() && !v[row].trim().eq_ignore_ascii_case("nan"));
            return if is_text && !cells.is_missing(row) { Cell::Text } else { Cell::Missing };
        }
        Cell::Number(self.scale.of(raw))
    }
    /// A whole number, without the detour over a double (Gaia's `source_id` has 19 digits).
    pub(crate) fn whole(&self, row: usize) -> Option<u64> {
        let cells = self.cells.ok()?;
        if cells.is_missing(row) {
            return None;
        }
        let of_float = |v: f64| ((0.0..9.0e15).contains(&v) && v.fract() == 0.0).then_some(v as u64);
        match &cells.data {
            ColumnData::I64(v) => u64::try_from(v[row]).ok(),
            ColumnData::I32(v) => u64::try_from(v[row]).ok(),
            ColumnData::F64(v) => of_float(v[row]),
            ColumnData::F32(v) => of_float(f64::from(v[row])).filter(|v| *v < 1 << 24),
            ColumnData::Text(v) => v[row].trim().parse().ok(),
        }
    }
    /// The cell as the file has it, for messages.
    pub(crate) fn shown(&self, row: usize) -> String {
        match self.cells {
            Ok(cells) => cells.shown(row),
            Err(value) => value.to_string(),
        }
    }
}

/// Quantities without which there is no object, with the others that may stand in for them.
const REQUIRED: [&str; 3] = ["ra", "dec", "magnitude"];

fn find(
    spec: Option<&ColumnSpec>,
    named: bool,
    quantity: &'static str,
    units: Units,
    fields: &[Field],
    chosen: &mut Vec<usize>,
    path: &str,
) -> Result<Option<BoundColumn>, ReadError> {
    let required = REQUIRED.contains(&quantity);
    let Some(spec) = spec else { return Ok(None) };
    let scale_of = |unit: &str| units.iter().find(|(name, _)| *name == plain(unit)).map(|(_, scale)| *scale);
    let Some(scale) = scale_of(&spec.unit) else {
        let allowed = units.iter().map(|(u, _)| *u).filter(|u| !u.is_empty()).collect::<Vec<_>>().join(", ");
        let name = if spec.name.is_empty() { "(value)".into() } else { spec.name.clone() };
        return Err(ReadError::Unit { path: path.into(), name, quantity, unit: spec.unit.clone(), allowed });
    };
    match (spec.name.is_empty(), spec.value) {
        (true, Some(value)) => return Ok(Some(BoundColumn { name: format!("(value {value})"), scale, source: Err(value) })),
        (false, None) => {}
        _ => {
            let allowed = "a table with either `name` or `value`, and `unit`".into();
            return Err(ReadError::Spec { key: quantity, value: "a column with both a name and a value, or neither".into(), allowed });
        }
    }
    let Some(at) = fields.iter().position(|f| f.name == spec.name) else {
        // An optional column of a profile may be missing: it is filled and reported.
        return if required || named {
            let present = fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ");
            Err(ReadError::MissingColumn { path: path.into(), name: spec.name.clone(), quantity, present })
        } else {
            Ok(None)
        };
    };
    let found = plain(&fields[at].unit);
    // `mag` in a file does not say which system.
    let silent = found.is_empty() || found == "mag" || found == plain(&spec.unit);
    if !silent && scale_of(&found) != Some(scale) {
        return Err(ReadError::UnitConflict {
            path: path.into(),
            name: spec.name.clone(),
            quantity,
            found: fields[at].unit.clone(),
            given: spec.unit.clone(),
        });
    }
    let place = chosen.iter().position(|&c| c == at).unwrap_or_else(|| {
        chosen.push(at);
        chosen.len() - 1
    });
    Ok(Some(BoundColumn { name: spec.name.clone(), scale, source: Ok(place) }))
}
