//! What makes a folder of cells a partition: positions in degrees, and the files that say what it is.

use super::convert::{Conversion, ConversionReport, NUMBER};
use crate::read::{Bound, Columns, ReadError};
use crate::tables::{self, Cells, Chunk, Field, Kind, PROPERTIES, ParquetSink, TableError};
use sim_core::table::ColumnData;
use std::path::Path;

/// Positions as HATS wants them: 64-bit degrees.
pub(super) struct Placing {
    names: (String, String),
    /// Columns that take the position over: replaced, or appended.
    replaced: Option<(usize, usize)>,
    appended: bool,
}

impl Placing {
    pub(super) fn new(columns: &Columns, fields: &mut Vec<Field>, bound: &Bound) -> Self {
        if let (Some(ra), Some(dec), Some(a), Some(d)) = (&columns.ra, &columns.dec, &bound.ra, &bound.dec)
            && let (Some(x), Some(y)) = (a.place(), d.place())
        {
            let names = (ra.name.clone(), dec.name.clone());
            let as_is = [(a, x), (d, y)].iter().all(|(c, k)| c.scale.is_one() && fields[*k].kind != Kind::Text);
            for k in [x, y] {
                fields[k].unit = "deg".into();
                fields[k].kind = if as_is { fields[k].kind } else { Kind::Float64 };
            }
            return Self { names, replaced: (!as_is).then_some((x, y)), appended: false };
        }
        let free = |stem: &str, fields: &[Field]| {
            let taken = fields.iter().any(|f| f.name == stem);
            if taken { format!("{stem}_icrs") } else { stem.to_string() }
        };
        let names = (free("ra", fields), free("dec", fields));
        fields.extend([Field::new(&names.0, "deg", Kind::Float64), Field::new(&names.1, "deg", Kind::Float64)]);
        Self { names, replaced: None, appended: true }
    }
    pub(super) fn put(&self, chunk: &mut Chunk, places: &[Option<(f64, f64)>]) {
        let column =
            |get: &dyn Fn((f64, f64)) -> f64| Cells::whole(ColumnData::F64(places.iter().map(|p| p.map_or(f64::NAN, get)).collect()));
        if let Some((x, y)) = self.replaced {
            chunk.columns[x] = column(&|p| p.0);
            chunk.columns[y] = column(&|p| p.1);
        } else if self.appended {
            chunk.columns.extend([column(&|p| p.0), column(&|p| p.1)]);
        }
    }
}

/// The files that say what the partition is.
pub(super) fn describe(
    job: &Conversion,
    folder: &Path,
    cells: &[tables::CellId],
    placing: &Placing,
    fields: &[Field],
    report: &ConversionReport,
) -> Result<(), ReadError> {
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|e| TableError::new(path.display(), e))
    };
    let name = job.out.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let sky: f64 = cells.iter().map(|c| 1.0 / (12.0 * 4.0_f64.powi(i32::from(c.order)))).sum();
    let mut text = String::from("#HATS catalog\n");
    for (key, value) in [
        ("obs_collection", name),
        ("dataproduct_type", "object".into()),
        ("hats_nrows", report.written.to_string()),
        ("hats_col_ra", placing.names.0.clone()),
        ("hats_col_dec", placing.names.1.clone()),
        ("hats_col_healpix", NUMBER.into()),
        ("hats_col_healpix_order", "29".into()),
        ("hats_npix_suffix", ".parquet".into()),
        ("hats_max_rows", job.most_rows.to_string()),
        ("hats_order", report.order.to_string()),
        ("moc_sky_fraction", format!("{sky:.10}")),
        ("hats_builder", concat!("skyloop ", env!("CARGO_PKG_VERSION")).into()),
        ("hats_version", "v1.0".into()),
    ] {
        text.push_str(&format!("{key}={value}\n"));
    }
    // Both names: readers of version 0.4 look for the second.
    write(PROPERTIES, text.clone())?;
    write("properties", text)?;
    let mut sorted = cells.to_vec();
    sorted.sort_by_key(|c| c.range().start);
    let lines: String = sorted.iter().map(|c| format!("{},{}\n", c.order, c.pixel)).collect();
    write("partition_info.csv", format!("Norder,Npix\n{lines}"))?;
    let json = serde_json::to_string_pretty(report).map_err(|e| TableError::new(folder.display(), e))?;
    write("conversion.json", json)?;
    // The columns alone: a file without rows.
    ParquetSink::create(&folder.join("dataset").join("_common_metadata"), fields)?.finish()?;
    std::fs::remove_dir(folder.join("spill")).map_err(|e| TableError::new(folder.display(), e))?;
    Ok(())
}
