//! Pictures of a catalogue: where its objects are, how many by magnitude beside the published counts, and colours.

use super::charts::{colour_chart, counts_chart, sky_map};
use crate::Region;
use crate::milky_way::{PublishedCounts, SurveyCounts};
use crate::read::{self, Bound, CatalogSpec, Cell, ColumnSpec, Columns, ObjectKind, ReadError};
use crate::region::healpix_29;
use crate::synthetic::counts::GalaxyCounts;
use crate::tables::{self, Field, Hats, Kind, RowSource, TableError};
use plotters::prelude::{IntoDrawingArea, SVGBackend, WHITE};
use serde::Serialize;
use std::path::Path;

/// Size of a panel \[pixel\].
const PANEL: (u32, u32) = (640, 480);
/// Width of a magnitude bin.
const BIN_MAG: f64 = 0.5;
/// Order of the density map: 0.00328 deg2 per cell, 50 MB.
pub(super) const MAP_ORDER: u8 = 10;

/// What was plotted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlotReport {
    /// Rows with a position and a magnitude.
    pub rows: u64,
    /// Rows without.
    pub bad: u64,
    /// Area \[deg2\]: given, of the region, or estimated from the density of cells.
    pub area_deg2: f64,
    /// Middle of the objects \[deg\].
    pub middle: (f64, f64),
    /// Magnitude, objects per mag and deg2, the published number where there is one.
    pub counts: Vec<(f64, f64, Option<f64>)>,
    /// Where the published numbers are from.
    pub published: Option<String>,
    /// Colours plotted: x and y.
    pub colours: Option<(String, String)>,
    /// Cells of a partition without a file that can be read: they are not in the picture.
    pub missing_cells: Vec<String>,
}

/// Three bands of a catalogue, for two colours.
fn bands(fields: &[Field], given: Option<&[String]>) -> Result<Option<Vec<String>>, TableError> {
    let names: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
    if let Some(given) = given {
        if let Some(name) = given.iter().find(|n| !names.contains(&n.as_str())) {
            return Err(TableError::new("--colours", format!("no column `{name}`; the file has {}", names.join(", "))));
        }
        if let Some(f) =
            fields.iter().find(|f| given.contains(&f.name) && !f.unit.is_empty() && !f.unit.to_ascii_lowercase().contains("mag"))
        {
            return Err(TableError::new("--colours", format!("column `{}` is in `{}`: a magnitude is needed", f.name, f.unit)));
        }
        return Ok(Some(given.to_vec()));
    }
    let known = [
        ["phot_bp_mean_mag", "phot_g_mean_mag", "phot_rp_mean_mag"],
        ["mag_csst_g", "mag_csst_r", "mag_csst_i"],
        ["mag_true_g_lsst", "mag_true_r_lsst", "mag_true_i_lsst"],
        ["mag_g_lsst", "mag_r_lsst", "mag_i_lsst"],
        ["sdss_g", "sdss_r", "sdss_i"],
        ["g", "r", "i"],
    ];
    Ok(known.into_iter().find(|set| set.iter().all(|n| names.contains(n))).map(|set| set.map(Into::into).to_vec()))
}

/// The table, and the cells of a partition that are passed over.
fn open(spec: &CatalogSpec, region: Option<&Region>) -> Result<(Box<dyn RowSource>, Vec<String>), ReadError> {
    if spec.format == Some(tables::Format::Hats) || (spec.format.is_none() && spec.path.is_dir()) {
        let mut hats = Hats::open(&spec.path)?;
        hats.skip_missing = true;
        let part = match region {
            Some(region) => hats.within(&region.ranges(0.0))?,
            None => hats.all()?,
        };
        let missing = part.missing.clone();
        return Ok((Box::new(part), missing));
    }
    Ok((tables::open(&spec.path, spec.format)?, Vec::new()))
}

/// What the passes over the rows gather.
pub(super) struct Gathered {
    pub(super) cells: Vec<u32>,
    pub(super) sum: [f64; 3],
    pub(super) magnitudes: Vec<u64>,
    pub(super) colours: Sample<(f32, f32)>,
    /// Positions \[deg\], some of them where there are many.
    pub(super) places: Sample<(f64, f64)>,
    pub(super) rows: u64,
    pub(super) bad: u64,
    pub(super) in_galactic: bool,
    missing_cells: Vec<String>,
}

/// Colours and positions kept at most: beyond, every second one goes.
const MOST_KEPT: usize = 400_000;

/// Every so many-th of what came, evenly.
pub(super) struct Sample<T> {
    pub(super) kept: Vec<T>,
    /// Each stands for so many.
    pub(super) step: u64,
    turn: u64,
}

impl<T> Sample<T> {
    fn new() -> Self {
        Self { kept: Vec::new(), step: 1, turn: 0 }
    }
    fn take(&mut self, one: T) {
        self.turn += 1;
        if !self.turn.is_multiple_of(self.step) {
            return;
        }
        self.kept.push(one);
        if self.kept.len() > MOST_KEPT {
            let mut k = 0;
            self.kept.retain(|_| {
                k += 1;
                k % 2 == 0
            });
            self.step *= 2;
        }
    }
}

fn gather(spec: &CatalogSpec, region: Option<&Region>, sets: Option<&[String]>) -> Result<Gathered, ReadError> {
    let (mut source, missing_cells) = open(spec, region)?;
    let all = spec.columns.over(&spec.profile.columns_in(spec.band.as_deref()));
    // Three further magnitudes ride in quantities that are not used here.
    let band = |k: usize| sets.and_then(|s| s.get(k)).map(|n| ColumnSpec::new(n, "mag"));
    let columns = Columns {
        ra: all.ra.clone(),
        dec: all.dec.clone(),
        l: all.l.clone(),
        b: all.b.clone(),
        magnitude: all.magnitude.clone(),
        absolute_magnitude: all.absolute_magnitude.clone(),
        distance: all.distance.clone(),
        distance_modulus: all.distance_modulus.clone(),
        bp_rp: band(0),
        e_bv: band(1),
        a_v: band(2),
        ..Columns::default()
    };
    for (_, column) in columns.entries() {
        if let Some(place) = source.position(&column.name) {
            source.take_as(place, Kind::Float64);
        }
    }
    let path = source.path().to_string();
    if columns.magnitude.is_none() && columns.absolute_magnitude.is_none() {
        let reason = "no ready profile fits and no column of magnitudes is given: --profile NAME, or --column ra=NAME:deg --column dec=NAME:deg --column magnitude=NAME:mag(AB)";
        return Err(TableError::new(path, reason).into());
    }
    let bound = Bound::new(&columns, &Columns::default(), source.fields(), &path)?;
    source.select(&bound.chosen)?;
    let mut g = Gathered {
        cells: vec![0; 12 << (2 * MAP_ORDER)],
        sum: [0.0; 3],
        magnitudes: vec![0; 90],
        colours: Sample::new(),
        places: Sample::new(),
        rows: 0,
        bad: 0,
        in_galactic: bound.ra.is_none(),
        missing_cells,
    };
    while let Some(chunk) = source.next_chunk()? {
        let m = bound.on(&chunk);
        for row in 0..chunk.rows {
            let value = |v: &Option<read::Values<'_>>| match v.as_ref().map(|v| v.at(row)) {
                Some(Cell::Number(x)) if x.is_finite() => Some(x),
                _ => None,
            };
            let place = match (value(&m.ra), value(&m.dec), value(&m.l), value(&m.b)) {
                (Some(ra), Some(dec), ..) => Some((ra, dec)),
                (_, _, Some(l), Some(b)) => {
                    let (ra, dec) = sofars::coords::g2icrs(l.to_radians(), b.to_radians());
                    Some((ra.to_degrees().rem_euclid(360.0), dec.to_degrees()))
                }
                _ => None,
            };
            let modulus = || value(&m.distance_modulus).or_else(|| value(&m.distance).map(|d| 10.0 + 5.0 * d.log10()));
            let magnitude = value(&m.magnitude).or_else(|| Some(value(&m.absolute_magnitude)? + modulus()?));
            let no_places = m.ra.is_none() && m.l.is_none();
            let place = place.filter(|p| (0.0..=360.0).contains(&p.0) && (-90.0..=90.0).contains(&p.1));
            let (Some(magnitude), true) = (magnitude, place.is_some() || no_places) else {
                g.bad += 1;
                continue;
            };
            if let Some((ra, dec)) = place {
                if region.is_some_and(|r| !r.contains(ra, dec)) {
                    continue;
                }
                g.cells[(healpix_29(ra, dec) >> (2 * u32::from(29 - MAP_ORDER))) as usize] += 1;
                g.places.take((ra, dec));
                let v = crate::direction::vector(ra, dec);
                (0..3).for_each(|k| g.sum[k] += v[k]);
            }
            let bin = ((magnitude + 10.0) / BIN_MAG).floor();
            if bin >= 0.0 && (bin as usize) < g.magnitudes.len() {
                g.magnitudes[bin as usize] += 1;
            }
            g.rows += 1;
            if let (Some(a), Some(b), Some(c)) = (value(&m.bp_rp), value(&m.e_bv), value(&m.a_v)) {
                g.colours.take(((a - b) as f32, (b - c) as f32));
            }
        }
    }
    Ok(g)
}

/// The area on which the objects stand \[deg2\]: rows over the density of the cell in which the median row lies. Cells at the edge are
/// partly filled, the median row's is not.
fn estimated_area(cells: &[u32], rows: u64) -> f64 {
    let mut order = MAP_ORDER;
    let mut counts: Vec<u64> = cells.iter().map(|c| u64::from(*c)).collect();
    loop {
        let mut filled: Vec<u64> = counts.iter().copied().filter(|c| *c > 0).collect();
        filled.sort_unstable();
        let total: u64 = filled.iter().sum();
        let mut seen = 0;
        let median = filled.iter().copied().find(|c| {
            seen += c;
            2 * seen >= total
        });
        match median {
            Some(median) if median >= 100 || order == 0 => {
                return rows as f64 / median as f64 * 41_252.961_249_419 / (12.0 * 4.0_f64.powi(i32::from(order)));
            }
            None => return f64::NAN,
            _ => {
                counts = counts.chunks_exact(4).map(|c| c.iter().sum()).collect();
                order -= 1;
            }
        }
    }
}

/// Draws sky map, counts and colours into an SVG.
///
/// # Errors
/// When the catalogue cannot be read or the picture not be written.
pub fn plot(
    spec: &CatalogSpec,
    region: Option<&Region>,
    area_deg2: Option<f64>,
    colours: Option<&[String]>,
    out: &Path,
) -> Result<PlotReport, ReadError> {
    let sets = bands(&tables::fields(&spec.path, spec.format)?, colours)?;
    let g = gather(spec, region, sets.as_deref())?;
    let norm = g.sum.iter().map(|x| x * x).sum::<f64>().sqrt();
    let middle =
        (g.sum[1].atan2(g.sum[0]).to_degrees().rem_euclid(360.0), (g.sum[2] / norm.max(1e-300)).clamp(-1.0, 1.0).asin().to_degrees());
    let area = area_deg2
        .or_else(|| region.and_then(|r| if let Region::Cone(c) = r { Some(c.area_deg2()) } else { None }))
        .or_else(|| spec.scatter.map(|s| 41_252.961 * (0.5 * s.radius_deg.to_radians()).sin().powi(2)))
        .unwrap_or_else(|| estimated_area(&g.cells, g.rows));
    if area.is_nan() && g.rows > 0 {
        return Err(TableError::new(
            spec.path.display(),
            "no positions in this catalogue: give the area on which its objects stand (--area DEG2)",
        )
        .into());
    }
    let kind = read::kind_of(spec);
    // A mean direction well inside the sphere: the objects are spread over the sky, and stars have no one density.
    let is_local = norm > 0.98 * g.rows as f64;
    let band = spec.band.clone().or_else(|| spec.profile.band().map(Into::into));
    let published = Published::of(kind, band.as_deref(), is_local.then_some(middle));
    let counts = counts(&g, area, &published);
    let report = PlotReport {
        rows: g.rows,
        bad: g.bad,
        area_deg2: area,
        middle,
        published: published.source().filter(|_| counts.iter().any(|c| c.2.is_some())),
        counts,
        missing_cells: g.missing_cells.clone(),
        colours: sets.as_ref().map(|s| (format!("{} - {}", s[0], s[1]), format!("{} - {}", s[1], s[2]))),
    };
    let panels = if g.colours.kept.is_empty() { 2 } else { 3 };
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (PANEL.0 * panels, PANEL.1)).into_drawing_area();
        let drawn: Result<(), Box<dyn std::error::Error>> = (|| {
            root.fill(&WHITE)?;
            let areas = root.split_evenly((1, panels as usize));
            sky_map(&areas[0], &g, middle)?;
            counts_chart(&areas[1], &report, band.as_deref())?;
            if let (Some(area), Some((x, y))) = (areas.get(2), &report.colours) {
                colour_chart(area, &g.colours.kept, x, y)?;
            }
            root.present()?;
            Ok(())
        })();
        drawn.map_err(|e| TableError::new(out.display(), e))?;
    }
    std::fs::write(out, svg).map_err(|e| TableError::new(out.display(), e))?;
    Ok(report)
}

/// Published counts of what a catalogue has.
enum Published {
    /// Stars in V, at a galactic latitude \[deg\].
    Stars(PublishedCounts, f64),
    /// Stars of a field of a survey that lies there, in a band.
    Survey(SurveyCounts, String),
    /// Galaxies in a band.
    Galaxies(GalaxyCounts, String),
    /// Stars all over the sky.
    None,
}

impl Published {
    /// For a kind of objects, in a band (galaxies of other bands beside those in i, stars beside those of a survey there or in V), at a middle (ra, dec) \[deg\].
    fn of(kind: ObjectKind, band: Option<&str>, middle: Option<(f64, f64)>) -> Self {
        let latitude = |m: (f64, f64)| sofars::coords::icrs2g(m.0.to_radians(), m.1.to_radians()).1.to_degrees();
        match (kind, middle) {
            (ObjectKind::Star, Some(m)) => match band.and_then(|b| Some((SurveyCounts::near(b, m)?, b))) {
                Some((counts, band)) => Self::Survey(counts, band.into()),
                None => Self::Stars(PublishedCounts::load(), latitude(m)),
            },
            (ObjectKind::Star, None) => Self::None,
            (ObjectKind::Galaxy, _) => match band.and_then(|b| Some((GalaxyCounts::of(b)?, b))) {
                Some((counts, band)) => Self::Galaxies(counts, band.into()),
                None => Self::Galaxies(GalaxyCounts::load(), "sdss_i".into()),
            },
        }
    }
    fn source(&self) -> Option<String> {
        match self {
            Self::Stars(..) => Some("Allen's Astrophysical Quantities, in V, mean over longitude".into()),
            Self::Survey(counts, band) => {
                Some(format!("{} about RA {}, Dec {} deg, in {band}", counts.source, counts.middle.0, counts.middle.1))
            }
            Self::Galaxies(_, band) => Some(format!("compilation of Driver et al. 2016, in {band}")),
            Self::None => None,
        }
    }
    /// Objects per mag and deg2 between two magnitudes.
    fn per_mag_deg2(&self, from: f64, to: f64) -> Option<f64> {
        match self {
            Self::Stars(counts, b) => (from >= counts.range().0 && to <= counts.range().1)
                .then(|| (counts.brighter_deg2(*b, to) - counts.brighter_deg2(*b, from)) / (to - from)),
            Self::Survey(counts, _) => counts.per_mag_deg2(from, to),
            Self::Galaxies(counts, _) => counts.covers(from, to).then(|| counts.between_deg2(from, to) / (to - from)),
            Self::None => None,
        }
    }
}

fn counts(g: &Gathered, area: f64, published: &Published) -> Vec<(f64, f64, Option<f64>)> {
    let first = g.magnitudes.iter().position(|c| *c > 0).unwrap_or(0);
    let last = g.magnitudes.iter().rposition(|c| *c > 0).map_or(0, |k| k + 1);
    (first..last)
        .map(|k| {
            let from = k as f64 * BIN_MAG - 10.0;
            (from + 0.5 * BIN_MAG, g.magnitudes[k] as f64 / area / BIN_MAG, published.per_mag_deg2(from, from + BIN_MAG))
        })
        .collect()
}
