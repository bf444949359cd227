//! `catalog`: look into a catalogue, make a partition of it, check it, plot it.

use anyhow::{Context, bail};
use catalogs::examine::{self, Conversion};
use catalogs::read::{CatalogSpec, ColumnSpec, FillReport, Format, ObjectKind, OnBadRow, PROFILES, Profile, Scatter};
use catalogs::region::Polygon;
use catalogs::synthetic::FieldSpec;
use catalogs::{Footprint, Library, Region};
use clap::{Args, Subcommand};
use instruments::product::time::Civil;
use sim_core::source::SourceKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub enum Catalog {
    /// Say what is in a table: format, rows, columns, units, types, ranges, what is missing, and which ready profile fits.
    Inspect {
        #[command(flatten)]
        file: TableFile,
        /// Look at so many rows at most.
        #[arg(long, value_name = "N")]
        rows: Option<u64>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Turn any table into a partition by HEALPix cell (a folder in the layout of HATS), or, when OUT ends with .parquet, into one file.
    Convert {
        #[command(flatten)]
        input: Input,
        /// Folder or .parquet file to make; it is there whole or not at all.
        #[arg(long)]
        out: PathBuf,
        /// Only the objects in this piece of sky.
        #[command(flatten)]
        sky: Sky,
        /// Rows of a cell at most; a cell of order 9 may have more.
        #[arg(long, value_name = "N", default_value_t = 1_000_000)]
        cell_rows: u64,
    },
    /// Look at every row as a simulation would: values in range, units, ids that are there twice, missing cells. Exit 1 when rows are bad.
    Check {
        #[command(flatten)]
        input: Input,
        /// Julian year to which the positions are moved.
        #[arg(long, value_name = "YEAR", default_value_t = 2027.0)]
        epoch: f64,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make the objects of one kind of a synthetic field, as they are on a date, as a Parquet table.
    Make {
        /// .parquet file to write.
        #[arg(long)]
        out: PathBuf,
        /// Cone: right ascension, declination, radius, in deg.
        #[arg(long, value_name = "RA,DEC,R", value_delimiter = ',', num_args = 1, allow_hyphen_values = true)]
        cone: Vec<f64>,
        /// Seed of the sky.
        #[arg(long)]
        seed: u64,
        /// Which objects: star, galaxy, quasar or supernova.
        #[arg(long, value_parser = kind, value_name = "star|galaxy|quasar|supernova")]
        kind: SourceKind,
        /// Date, as YYYY-MM-DD, YYYY-MM-DDThh:mm:ss or modified Julian date, for what varies; J2000 when absent.
        #[arg(long, value_parser = date, default_value = "51544.5")]
        date: f64,
        /// TOML file with the parameters of the population, as under [catalog.field] of a scenario.
        #[arg(long)]
        field: Option<PathBuf>,
    },
    /// Make the strong lenses of a synthetic field, as a Parquet table, with a picture of the brightest.
    Lenses {
        /// .parquet file to write.
        #[arg(long)]
        out: PathBuf,
        /// Cone: right ascension, declination, radius, in deg; 0.5642 is 1 deg2.
        #[arg(long, value_name = "RA,DEC,R", value_delimiter = ',', num_args = 1, allow_hyphen_values = true)]
        cone: Vec<f64>,
        /// Seed of the sky.
        #[arg(long)]
        seed: u64,
        /// TOML file with the parameters of the population, as under [catalog.field] of a scenario; lenses.scale is 1 where it and lenses.quasars are 0.
        #[arg(long)]
        field: Option<PathBuf>,
        /// .png file of the brightest lenses.
        #[arg(long)]
        gallery: Option<PathBuf>,
        /// How many lenses the picture shows at most.
        #[arg(long, value_name = "N", default_value_t = 40)]
        pictures: usize,
    },
    /// Draw a sky map, counts by magnitude beside published ones, and colours, as SVG.
    Plot {
        #[command(flatten)]
        input: Input,
        /// SVG file to write.
        #[arg(long)]
        out: PathBuf,
        /// Only the objects in this piece of sky.
        #[command(flatten)]
        sky: Sky,
        /// Area on which the objects stand, in deg2; estimated when absent.
        #[arg(long, value_name = "DEG2")]
        area: Option<f64>,
        /// Three columns of magnitudes a,b,c, for the colours a - b and b - c.
        #[arg(long, value_name = "A,B,C", value_delimiter = ',', num_args = 1)]
        colours: Option<Vec<String>>,
    },
}

/// A table.
#[derive(Debug, Args)]
pub struct TableFile {
    /// File, or folder of a partition.
    path: PathBuf,
    /// Format, when neither the first bytes nor the name say it.
    #[arg(long, value_parser = format)]
    format: Option<Format>,
}

/// A catalogue and how to understand it.
#[derive(Debug, Args)]
pub struct Input {
    #[command(flatten)]
    file: TableFile,
    /// Ready mapping of columns; that which fits when absent.
    #[arg(long, value_parser = profile)]
    profile: Option<Profile>,
    /// Column of a quantity with its unit, e.g. ra=ALPHA_J2000:deg; repeatable; quantities as in catalog.columns.
    #[arg(long, value_name = "QUANTITY=NAME:UNIT")]
    column: Vec<String>,
    /// Band of the magnitudes; that of the profile when absent.
    #[arg(long)]
    band: Option<String>,
    /// Kind of the objects; that of the profile when absent.
    #[arg(long, value_parser = object_kind, value_name = "star|galaxy")]
    kind: Option<ObjectKind>,
    /// Places for rows that have none: spread over a cone about right ascension, declination, with a radius, all in deg, by a seed.
    #[arg(long, value_name = "RA,DEC,R,SEED", value_delimiter = ',', num_args = 1, allow_hyphen_values = true)]
    scatter: Option<Vec<f64>>,
    /// What to do with a bad row and a missing cell.
    #[arg(long, value_parser = on_error, default_value = "stop", value_name = "skip|stop")]
    on_error: OnBadRow,
}

/// A piece of sky.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct Sky {
    /// Cone: right ascension, declination, radius, in deg.
    #[arg(long, value_name = "RA,DEC,R", value_delimiter = ',', num_args = 1, allow_hyphen_values = true)]
    cone: Option<Vec<f64>>,
    /// Polygon: right ascension and declination of its corners, in deg.
    #[arg(long, value_name = "RA,DEC,RA,DEC,...", value_delimiter = ',', num_args = 1, allow_hyphen_values = true)]
    polygon: Option<Vec<f64>>,
}

fn format(name: &str) -> Result<Format, String> {
    serde_json::from_value(serde_json::Value::String(name.into()))
        .map_err(|_| "the formats are fits, csv, ecsv, text, votable, parquet, hdf5, ebf, hats".into())
}

fn object_kind(name: &str) -> Result<ObjectKind, String> {
    serde_json::from_value(serde_json::Value::String(name.into())).map_err(|_| "star or galaxy".into())
}

fn kind(name: &str) -> Result<SourceKind, String> {
    match name {
        "star" => Ok(SourceKind::Star),
        "galaxy" => Ok(SourceKind::Galaxy),
        "quasar" => Ok(SourceKind::Quasar),
        "supernova" => Ok(SourceKind::Supernova),
        _ => Err("star, galaxy, quasar or supernova".into()),
    }
}

/// A modified Julian date.
fn date(text: &str) -> Result<f64, String> {
    let civil = Civil::parse_iso(text).or_else(|| Civil::parse_iso(&format!("{text}T00:00:00"))).map(|c| c.mjd());
    civil
        .or_else(|| text.parse().ok())
        .filter(|mjd: &f64| (0.0..=200_000.0).contains(mjd))
        .ok_or_else(|| format!("`{text}` is no date: YYYY-MM-DD, YYYY-MM-DDThh:mm:ss or a modified Julian date, 0..200000"))
}

fn profile(name: &str) -> Result<Profile, String> {
    let known = || PROFILES.iter().map(|p| p.0).collect::<Vec<_>>().join(", ");
    Profile::named(name).ok_or_else(|| format!("the profiles are {}, custom", known()))
}

fn on_error(name: &str) -> Result<OnBadRow, String> {
    match name {
        "skip" => Ok(OnBadRow::Skip),
        "stop" => Ok(OnBadRow::Stop),
        _ => Err("skip or stop".into()),
    }
}

/// The population of `--field`, with the seed.
fn field_spec(path: Option<&Path>, seed: u64) -> anyhow::Result<FieldSpec> {
    let spec = match path {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            toml::from_str::<FieldSpec>(&text).with_context(|| path.display().to_string())?
        }
        None => FieldSpec::default(),
    };
    Ok(FieldSpec { seed: Some(seed), ..spec })
}

/// A cone from `--cone`.
fn cone(values: &[f64]) -> anyhow::Result<Footprint> {
    let [ra, dec, radius] = values[..] else { bail!("--cone takes RA,DEC,R: three numbers, {} were given", values.len()) };
    Ok(Footprint::new(ra, dec, radius)?)
}

impl Sky {
    fn region(&self) -> anyhow::Result<Option<Region>> {
        if let Some(values) = &self.cone {
            return Ok(Some(Region::Cone(cone(values)?)));
        }
        let Some(values) = &self.polygon else { return Ok(None) };
        if values.len() % 2 != 0 {
            bail!("--polygon takes pairs RA,DEC: an even number of numbers, {} were given", values.len());
        }
        let corners: Vec<(f64, f64)> = values.chunks_exact(2).map(|c| (c[0], c[1])).collect();
        Ok(Some(Region::Polygon(Polygon::new(&corners)?)))
    }
}

impl Input {
    fn spec(&self) -> anyhow::Result<CatalogSpec> {
        let mut columns = toml::Table::new();
        for text in &self.column {
            let form = || format!("--column {text}: give QUANTITY=NAME:UNIT, e.g. ra=ALPHA_J2000:deg");
            let (quantity, column) = text.split_once('=').with_context(form)?;
            let (name, unit) = column.rsplit_once(':').with_context(form)?;
            let column = toml::Value::try_from(ColumnSpec::new(name, unit))?;
            columns.insert(quantity.into(), column);
        }
        let columns = toml::Value::Table(columns).try_into().context("--column")?;
        let profile = match self.profile {
            Some(profile) => profile,
            None => {
                let fields = catalogs::tables::fields(&self.file.path, self.file.format)?;
                let names: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
                Profile::fitting(&names).map_or(Profile::Custom, |p| p.1)
            }
        };
        let scatter = match self.scatter.as_deref() {
            None => None,
            Some(&[ra_deg, dec_deg, radius_deg, seed]) if seed >= 0.0 && seed.fract() == 0.0 => {
                Some(Scatter { ra_deg, dec_deg, radius_deg, seed: seed as u64 })
            }
            Some(values) => bail!("--scatter takes RA,DEC,R,SEED, three numbers and a whole one; {} were given", values.len()),
        };
        Ok(CatalogSpec {
            scatter,
            path: self.file.path.clone(),
            format: self.file.format,
            profile,
            columns,
            band: self.band.clone(),
            kind: self.kind,
            on_bad_row: self.on_error,
            ..CatalogSpec::default()
        })
    }
}

impl Catalog {
    pub fn run(&self, quiet: bool) -> anyhow::Result<ExitCode> {
        match self {
            Self::Inspect { file: TableFile { path, format }, rows, json } => {
                let found = examine::inspect(path, *format, *rows)?;
                if *json {
                    println!("{}", serde_json::to_string_pretty(&found)?);
                } else {
                    print!("{found}");
                }
                Ok(ExitCode::SUCCESS)
            }
            Self::Convert { input, out, sky, cell_rows } => {
                let mut spec = input.spec()?;
                let mut told = 0;
                let mut progress = |rows: u64| {
                    if !quiet && rows / 10_000_000 > told {
                        told = rows / 10_000_000;
                        eprintln!("{} million rows", rows / 1_000_000);
                    }
                };
                let report = if out.extension().is_some_and(|e| e == "parquet") {
                    if sky.region()?.is_some() {
                        bail!("--cone and --polygon go with a folder, not with one .parquet file");
                    }
                    examine::rewrite(&spec, out, &mut progress)?
                } else {
                    if *cell_rows == 0 {
                        bail!("--cell-rows 0 is outside 1..");
                    }
                    // A position is all that is needed.
                    if spec.columns.ra.is_none() && spec.profile == Profile::Custom {
                        spec.columns.ra = Some(ColumnSpec::new("ra", "deg"));
                        spec.columns.dec = spec.columns.dec.or_else(|| Some(ColumnSpec::new("dec", "deg")));
                    }
                    let job = Conversion { spec, out: out.clone(), region: sky.region()?, most_rows: *cell_rows, held_bytes: None };
                    examine::convert(&job, &mut progress)?
                };
                println!("{report}");
                Ok(ExitCode::SUCCESS)
            }
            Self::Check { input, epoch, json } => {
                let report: FillReport = catalogs::read::check(&input.spec()?, *epoch, &Library::load())?;
                if *json {
                    println!("{}", serde_json::to_string_pretty(&report)?);
                } else {
                    println!("{report}");
                }
                let bad = report.skipped_rows > 0 || !report.missing_cells.is_empty();
                Ok(if bad { ExitCode::from(1) } else { ExitCode::SUCCESS })
            }
            Self::Make { out, cone, seed, kind, date, field } => {
                let footprint = self::cone(cone)?;
                let spec = field_spec(field.as_deref(), *seed)?;
                let count = examine::make(&spec, &footprint, *kind, *date, &Library::load(), out)?;
                println!("{}: {count} objects on {:.4} deg2", out.display(), footprint.area_deg2());
                Ok(ExitCode::SUCCESS)
            }
            Self::Lenses { out, cone, seed, field, gallery, pictures } => {
                let footprint = self::cone(cone)?;
                let mut spec = field_spec(field.as_deref(), *seed)?;
                if spec.lenses.scale == 0.0 && spec.lenses.quasars == 0.0 {
                    spec.lenses.scale = 1.0;
                }
                let gallery = gallery.as_deref().map(|path| (path, *pictures));
                let report = examine::lenses(&spec, &footprint, &Library::load(), out, gallery)?;
                println!("{}: {} strong lenses on {:.4} deg2", out.display(), report.lenses, footprint.area_deg2());
                if let Some((path, _)) = gallery {
                    println!("{}: the {} brightest", path.display(), report.pictures);
                }
                Ok(ExitCode::SUCCESS)
            }
            Self::Plot { input, out, sky, area, colours } => {
                if colours.as_ref().is_some_and(|c| c.len() != 3) {
                    bail!("--colours takes three columns: A,B,C");
                }
                if out.extension().is_none_or(|e| e != "svg") {
                    bail!("--out {}: the picture is SVG; give it a name that ends with .svg", out.display());
                }
                let report = examine::plot(&input.spec()?, sky.region()?.as_ref(), *area, colours.as_deref(), out)?;
                println!(
                    "{}: {} objects on {:.4} deg2 about ra {:.4} deg, dec {:.4} deg; {} rows without position or magnitude",
                    out.display(),
                    report.rows,
                    report.area_deg2,
                    report.middle.0,
                    report.middle.1,
                    report.bad
                );
                for cell in &report.missing_cells {
                    println!("cell {cell} has no file that can be read: it is not in the picture");
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}
