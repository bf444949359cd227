//! Which column holds what, and in which unit.

use super::ReadError;
use super::input::{Cells, FileColumn, FileTable, number};
use serde::{Deserialize, Serialize};

/// A column of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnSpec {
    /// Its name, exact.
    pub name: String,
    /// Unit of its values.
    pub unit: String,
}

/// A ready-made mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Star table of the official Cycle 9 input: RA, Dec, app_sdss_g, teff (linear), grav, feh, pmra, pmdec, parallax, RV.
    CsstC9Star,
    /// Columns as the Gaia archive writes them (DR3).
    GaiaDr3,
    /// Nothing ready: `columns` and `band` say all.
    #[default]
    Custom,
}

macro_rules! quantities {
    ($($(#[$doc:meta])* $name:ident: $units:expr;)*) => {
        /// Mapping from quantities to columns of the file. Required: `ra`, `dec`, `magnitude`.
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct Columns {
            $($(#[$doc])* pub $name: Option<ColumnSpec>,)*
        }

        impl Columns {
            /// Names of the mapped columns.
            pub(super) fn names(&self) -> Vec<&str> {
                [$(self.$name.as_ref().map(|c| c.name.as_str()),)*].into_iter().flatten().collect()
            }
            /// These entries, and those of `base` where there is none.
            #[must_use]
            pub(super) fn over(&self, base: &Self) -> Self {
                Self { $($name: self.$name.clone().or_else(|| base.$name.clone()),)* }
            }
        }

        /// The columns of a file by what they hold.
        pub(super) struct Mapped {
            pub(super) rows: usize,
            $(pub(super) $name: Option<Values>,)*
        }

        impl Mapped {
            /// Maps a file; a column named by the user (`named`) must be there, an optional one of a profile need not.
            pub(super) fn new(columns: &Columns, named: &Columns, table: FileTable, path: &str) -> Result<Self, ReadError> {
                let rows = table.rows;
                let mut file = table.columns;
                let names = table.names.join(", ");
                Ok(Self {
                    rows,
                    $($name: find(columns.$name.as_ref(), named.$name.is_some(), stringify!($name), $units, &mut file, &names, path)?,)*
                })
            }
        }
    };
}

quantities! {
    /// Number of the object, whole and not negative; the row number when absent.
    id: &[("1", Scale::Linear(1.0)), ("", Scale::Linear(1.0))];
    /// Right ascension, ICRS.
    ra: ANGLE;
    /// Declination, ICRS.
    dec: ANGLE;
    /// Magnitude in `band`; unit `mag` is AB except for the Gaia profile, `mag(AB)` and `mag(Vega)` say it.
    magnitude: &[("mag", Scale::Linear(1.0)), ("mag(AB)", Scale::Linear(1.0)), ("mag(Vega)", Scale::Vega)];
    /// Effective temperature.
    teff: &[("K", Scale::Linear(1.0)), ("log10(K)", Scale::Log10)];
    /// Surface gravity, decimal logarithm in cm/s2.
    logg: &[("dex", Scale::Linear(1.0)), ("log(cm.s**-2)", Scale::Linear(1.0)), ("1", Scale::Linear(1.0))];
    /// Metallicity \[Fe/H\].
    feh: &[("dex", Scale::Linear(1.0)), ("1", Scale::Linear(1.0))];
    /// Gaia colour BP-RP, used where the temperature is missing.
    bp_rp: &[("mag", Scale::Linear(1.0))];
    /// Proper motion in right ascension times cos(dec).
    pmra: MOTION;
    /// Proper motion in declination.
    pmdec: MOTION;
    /// Parallax; negative values are as good as others.
    parallax: &[("mas", Scale::Linear(1.0)), ("arcsec", Scale::Linear(1e3))];
    /// Radial velocity.
    radial_velocity: &[("km/s", Scale::Linear(1.0)), ("m/s", Scale::Linear(1e-3))];
    /// Epoch of the position.
    epoch: &[("yr", Scale::Linear(1.0))];
    /// Colour excess E(B-V).
    e_bv: &[("mag", Scale::Linear(1.0))];
}

const ANGLE: &[(&str, Scale)] =
    &[("deg", Scale::Linear(1.0)), ("rad", Scale::Linear(180.0 / std::f64::consts::PI)), ("hour", Scale::Linear(15.0))];
const MOTION: &[(&str, Scale)] = &[("mas/yr", Scale::Linear(1.0)), ("arcsec/yr", Scale::Linear(1e3)), ("deg/yr", Scale::Linear(3.6e6))];

/// How a value becomes ours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// Times a factor.
    Linear(f64),
    /// Ten to the power of it.
    Log10,
    /// A Vega magnitude: the band's offset is added where it is known.
    Vega,
}

/// One mapped column.
pub(super) struct Values {
    pub(super) name: String,
    pub(super) scale: Scale,
    cells: Cells,
}

/// A cell.
pub(super) enum Cell {
    /// A number in our unit.
    Number(f64),
    /// Nothing there: empty, NaN, null.
    Missing,
    /// Something that is not a number.
    Text,
}

impl Values {
    pub(super) fn at(&self, row: usize) -> Cell {
        let raw = match &self.cells {
            Cells::Float(v) => v[row],
            Cells::Whole(v) => v[row] as f64,
            Cells::Parsed(_, odd) if odd.contains_key(&row) => return Cell::Text,
            Cells::Parsed(v, _) => v[row],
            Cells::Text(v) => match number(&v[row]) {
                Some(value) => value,
                None => return Cell::Text,
            },
        };
        if raw.is_nan() {
            return Cell::Missing;
        }
        Cell::Number(match self.scale {
            Scale::Linear(factor) => raw * factor,
            Scale::Log10 => 10.0_f64.powf(raw),
            Scale::Vega => raw,
        })
    }
    /// A whole number, without the detour over a double (Gaia's source_id has 19 digits).
    pub(super) fn whole(&self, row: usize) -> Option<u64> {
        match &self.cells {
            Cells::Whole(v) => u64::try_from(v[row]).ok(),
            Cells::Float(v) | Cells::Parsed(v, _) => (v[row] >= 0.0 && v[row] < 9.0e15 && v[row].fract() == 0.0).then_some(v[row] as u64),
            Cells::Text(v) => v[row].trim().parse().ok(),
        }
    }
    /// The cell as the file has it, for messages.
    pub(super) fn shown(&self, row: usize) -> String {
        match &self.cells {
            Cells::Whole(v) => v[row].to_string(),
            Cells::Float(v) => v[row].to_string(),
            Cells::Parsed(v, odd) => odd.get(&row).map_or_else(|| v[row].to_string(), |text| format!("`{text}`")),
            Cells::Text(v) => format!("`{}`", v[row]),
        }
    }
}

/// One spelling for each unit: `mas.yr**-1`, `mas yr-1` and `mas/yr` are the same.
fn plain(unit: &str) -> String {
    let squeezed: String = unit.chars().filter(|c| !c.is_whitespace() && *c != '\'').collect();
    let short = squeezed.replace(".yr**-1", "/yr").replace("yr-1", "/yr").replace(".s**-1", "/s").replace("s-1", "/s").replace("//", "/");
    match short.to_ascii_lowercase().as_str() {
        "degree" | "degrees" | "deg" => "deg".into(),
        "radian" | "radians" | "rad" => "rad".into(),
        "hourangle" | "h" | "hour" | "hours" => "hour".into(),
        "julianyear" | "a" | "year" | "yr" => "yr".into(),
        "kelvin" | "k" => "K".into(),
        "logk" | "log(k)" | "log10k" | "log10(k)" | "dex(k)" => "log10(K)".into(),
        "dex(cm/s2)" | "log(cms**-2)" | "log(cm.s**-2)" | "[cm/s2]" => "log(cm.s**-2)".into(),
        "mag(ab)" | "abmag" => "mag(AB)".into(),
        "mag(vega)" | "vegamag" => "mag(Vega)".into(),
        _ => short,
    }
}

const REQUIRED: [&str; 3] = ["ra", "dec", "magnitude"];

fn find(
    spec: Option<&ColumnSpec>,
    named: bool,
    quantity: &'static str,
    units: &[(&str, Scale)],
    file: &mut Vec<FileColumn>,
    present: &str,
    path: &str,
) -> Result<Option<Values>, ReadError> {
    let required = REQUIRED.contains(&quantity);
    let Some(spec) = spec else {
        return if required { Err(ReadError::NotMapped { path: path.into(), quantity }) } else { Ok(None) };
    };
    let scale_of = |unit: &str| units.iter().find(|(name, _)| *name == plain(unit)).map(|(_, scale)| *scale);
    let Some(scale) = scale_of(&spec.unit) else {
        let allowed = units.iter().map(|(u, _)| *u).filter(|u| !u.is_empty()).collect::<Vec<_>>().join(", ");
        return Err(ReadError::Unit { path: path.into(), name: spec.name.clone(), quantity, unit: spec.unit.clone(), allowed });
    };
    let Some(at) = file.iter().position(|c| c.name == spec.name) else {
        // An optional column of a profile may be missing: it is filled and reported.
        return if required || named {
            Err(ReadError::MissingColumn { path: path.into(), name: spec.name.clone(), quantity, present: present.into() })
        } else {
            Ok(None)
        };
    };
    let found = plain(&file[at].unit);
    // `mag` in a file does not say which system.
    let silent = found.is_empty() || found == "mag" || found == plain(&spec.unit);
    if !silent && scale_of(&found) != Some(scale) {
        return Err(ReadError::UnitConflict {
            path: path.into(),
            name: spec.name.clone(),
            quantity,
            found: file[at].unit.clone(),
            given: spec.unit.clone(),
        });
    }
    let column = file.swap_remove(at);
    Ok(Some(Values { name: column.name, scale, cells: column.cells }))
}

impl Profile {
    /// Band of its magnitudes.
    #[must_use]
    pub fn band(self) -> Option<&'static str> {
        match self {
            Self::CsstC9Star => Some("sdss_g"),
            Self::GaiaDr3 => Some("gaia_g"),
            Self::Custom => None,
        }
    }
    /// Epoch of its positions \[Julian year\]: that of Gaia DR3; assumed for the Cycle 9 table, whose bright part is Gaia.
    #[must_use]
    pub fn epoch_year(self) -> f64 {
        2016.0
    }
    /// Its mapping.
    #[must_use]
    pub fn columns(self) -> Columns {
        let column = |name: &str, unit: &str| Some(ColumnSpec { name: name.into(), unit: unit.into() });
        match self {
            Self::CsstC9Star => Columns {
                ra: column("RA", "deg"),
                dec: column("Dec", "deg"),
                magnitude: column("app_sdss_g", "mag(AB)"),
                teff: column("teff", "K"),
                logg: column("grav", "dex"),
                feh: column("feh", "dex"),
                pmra: column("pmra", "mas/yr"),
                pmdec: column("pmdec", "mas/yr"),
                parallax: column("parallax", "mas"),
                radial_velocity: column("RV", "km/s"),
                ..Columns::default()
            },
            Self::GaiaDr3 => Columns {
                id: column("source_id", "1"),
                ra: column("ra", "deg"),
                dec: column("dec", "deg"),
                magnitude: column("phot_g_mean_mag", "mag(Vega)"),
                teff: column("teff_gspphot", "K"),
                logg: column("logg_gspphot", "dex"),
                feh: column("mh_gspphot", "dex"),
                bp_rp: column("bp_rp", "mag"),
                pmra: column("pmra", "mas/yr"),
                pmdec: column("pmdec", "mas/yr"),
                parallax: column("parallax", "mas"),
                radial_velocity: column("radial_velocity", "km/s"),
                epoch: column("ref_epoch", "yr"),
                ..Columns::default()
            },
            Self::Custom => Columns::default(),
        }
    }
}
