//! Pictures of a catalogue: where its objects are, how many by magnitude beside the published counts, and colours.

use crate::Region;
use crate::read::{self, Bound, CatalogSpec, Cell, ColumnSpec, Columns, ReadError};
use crate::region::healpix_29;
use crate::synthetic::counts::{GalaxyCounts, star_count_deg2};
use crate::tables::{self, Field, Hats, Kind, RowSource, TableError};
use plotters::prelude::*;
use serde::Serialize;
use sim_core::source::SourceKind;
use std::path::Path;

const INK: RGBColor = RGBColor(40, 42, 46);
const MUTED: RGBColor = RGBColor(120, 122, 126);
const GRID: RGBColor = RGBColor(228, 229, 231);
const OURS: RGBColor = RGBColor(32, 96, 161);
const PUBLISHED: RGBColor = RGBColor(192, 74, 16);
/// Size of a panel \[pixel\].
const PANEL: (u32, u32) = (640, 480);
/// Width of a magnitude bin.
const BIN_MAG: f64 = 0.5;
/// Order of the density map: 0.00328 deg2 per cell, 50 MB.
const MAP_ORDER: u8 = 10;
/// Boxes along an axis of the maps.
const BOXES: usize = 96;

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
    /// Colours plotted: x and y.
    pub colours: Option<(String, String)>,
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

fn open(spec: &CatalogSpec, region: Option<&Region>) -> Result<Box<dyn RowSource>, ReadError> {
    if spec.format == Some(tables::Format::Hats) || (spec.format.is_none() && spec.path.is_dir()) {
        let mut hats = Hats::open(&spec.path)?;
        hats.skip_missing = true;
        return Ok(match region {
            Some(region) => Box::new(hats.within(&region.ranges(0.0))?),
            None => Box::new(hats.all()?),
        });
    }
    Ok(tables::open(&spec.path, spec.format)?)
}

/// What the passes over the rows gather.
struct Gathered {
    cells: Vec<u32>,
    sum: [f64; 3],
    magnitudes: Vec<u64>,
    colours: Vec<(f32, f32)>,
    rows: u64,
    bad: u64,
    in_galactic: bool,
}

/// Colours kept at most: beyond, every second one goes.
const MOST_COLOURS: usize = 400_000;

fn gather(spec: &CatalogSpec, region: Option<&Region>, sets: Option<&[String]>) -> Result<Gathered, ReadError> {
    let mut source = open(spec, region)?;
    let all = spec.columns.over(&spec.profile.columns());
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
    let bound = Bound::new(&columns, &Columns::default(), source.fields(), &path)?;
    source.select(&bound.chosen)?;
    let mut g = Gathered {
        cells: vec![0; 12 << (2 * MAP_ORDER)],
        sum: [0.0; 3],
        magnitudes: vec![0; 90],
        colours: Vec::new(),
        rows: 0,
        bad: 0,
        in_galactic: bound.ra.is_none(),
    };
    let (mut step, mut turn) = (1u64, 0u64);
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
                let v = crate::footprint::vector(ra, dec);
                (0..3).for_each(|k| g.sum[k] += v[k]);
            }
            let bin = ((magnitude + 10.0) / BIN_MAG).floor();
            if bin >= 0.0 && (bin as usize) < g.magnitudes.len() {
                g.magnitudes[bin as usize] += 1;
            }
            g.rows += 1;
            if let (Some(a), Some(b), Some(c)) = (value(&m.bp_rp), value(&m.e_bv), value(&m.a_v)) {
                turn += 1;
                if turn % step == 0 {
                    g.colours.push(((a - b) as f32, (b - c) as f32));
                    if g.colours.len() > MOST_COLOURS {
                        let mut k = 0;
                        g.colours.retain(|_| {
                            k += 1;
                            k % 2 == 0
                        });
                        step *= 2;
                    }
                }
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
    let sets = bands(open(spec, region)?.fields(), colours)?;
    let g = gather(spec, region, sets.as_deref())?;
    let norm = g.sum.iter().map(|x| x * x).sum::<f64>().sqrt();
    let middle =
        (g.sum[1].atan2(g.sum[0]).to_degrees().rem_euclid(360.0), (g.sum[2] / norm.max(1e-300)).clamp(-1.0, 1.0).asin().to_degrees());
    let area = area_deg2
        .or_else(|| region.and_then(|r| if let Region::Cone(c) = r { Some(c.area_deg2()) } else { None }))
        .or_else(|| spec.scatter.map(|s| 41_252.961 * (0.5 * s.radius_deg.to_radians()).sin().powi(2)))
        .unwrap_or_else(|| estimated_area(&g.cells, g.rows));
    let kind = read::kind_of(spec);
    // A mean direction well inside the sphere: the objects are spread over the sky, and stars have no one density.
    let is_local = norm > 0.98 * g.rows as f64;
    let counts = counts(&g, area, kind, is_local.then_some(middle));
    let report = PlotReport {
        rows: g.rows,
        bad: g.bad,
        area_deg2: area,
        middle,
        counts,
        colours: sets.as_ref().map(|s| (format!("{} - {}", s[0], s[1]), format!("{} - {}", s[1], s[2]))),
    };
    let panels = if g.colours.is_empty() { 2 } else { 3 };
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (PANEL.0 * panels, PANEL.1)).into_drawing_area();
        let drawn: Result<(), Box<dyn std::error::Error>> = (|| {
            root.fill(&WHITE)?;
            let areas = root.split_evenly((1, panels as usize));
            sky_map(&areas[0], &g, middle)?;
            counts_chart(&areas[1], &report, spec, kind)?;
            if let (Some(area), Some((x, y))) = (areas.get(2), &report.colours) {
                colour_chart(area, &g.colours, x, y)?;
            }
            root.present()?;
            Ok(())
        })();
        drawn.map_err(|e| TableError::new(out.display(), e))?;
    }
    std::fs::write(out, svg).map_err(|e| TableError::new(out.display(), e))?;
    Ok(report)
}

fn counts(g: &Gathered, area: f64, kind: SourceKind, middle: Option<(f64, f64)>) -> Vec<(f64, f64, Option<f64>)> {
    let galaxies = GalaxyCounts::load();
    let (l, b) = middle.map_or((0.0, 0.0), |m| sofars::coords::icrs2g(m.0.to_radians(), m.1.to_radians()));
    let (l, b) = (l.to_degrees(), b.to_degrees());
    let published = |from: f64, to: f64| match kind {
        SourceKind::Star => (from >= 5.0 && to <= 28.0 && b.abs() >= 20.0)
            .then(|| (star_count_deg2(l, b, to).total() - star_count_deg2(l, b, from).total()) / (to - from)),
        SourceKind::Galaxy => {
            let (bright, faint) = galaxies.range();
            (from >= bright - 1.0 && to <= faint).then(|| galaxies.between_deg2(from, to) / (to - from))
        }
    };
    let first = g.magnitudes.iter().position(|c| *c > 0).unwrap_or(0);
    let last = g.magnitudes.iter().rposition(|c| *c > 0).map_or(0, |k| k + 1);
    (first..last)
        .map(|k| {
            let from = k as f64 * BIN_MAG - 10.0;
            (from + 0.5 * BIN_MAG, g.magnitudes[k] as f64 / area / BIN_MAG, published(from, from + BIN_MAG))
        })
        .collect()
}

type Drawn = Result<(), Box<dyn std::error::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// A light to dark blue.
fn shade(t: f64) -> RGBColor {
    let mix = |a: f64, b: f64| (a + (b - a) * t.clamp(0.0, 1.0)) as u8;
    RGBColor(mix(222.0, 8.0), mix(235.0, 48.0), mix(247.0, 107.0))
}

/// Number of objects in the cells of the map: around the middle when they lie within 60 deg, else the whole sky (Hammer-Aitoff).
fn sky_map(area: &Area<'_>, g: &Gathered, middle: (f64, f64)) -> Drawn {
    let layer = cdshealpix::nested::get(MAP_ORDER);
    let centre = crate::footprint::vector(middle.0, middle.1);
    let cells: Vec<(usize, f64, f64)> = (0..g.cells.len())
        .filter(|&k| g.cells[k] > 0)
        .map(|k| {
            let (lon, lat) = layer.center(k as u64);
            (k, lon.to_degrees(), lat.to_degrees())
        })
        .collect();
    let cosine = |ra: f64, dec: f64| crate::footprint::vector(ra, dec).iter().zip(centre).map(|(a, b)| a * b).sum::<f64>();
    let least = cells.iter().map(|c| cosine(c.1, c.2)).fold(1.0, f64::min);
    let local = least > 0.5;
    let project = |ra: f64, dec: f64| {
        let turn = (ra - middle.0 + 540.0).rem_euclid(360.0) - 180.0;
        if local {
            // Gnomonic, east to the left.
            let (sd, cd) = dec.to_radians().sin_cos();
            let (s0, c0) = middle.1.to_radians().sin_cos();
            let (st, ct) = turn.to_radians().sin_cos();
            let w = (s0 * sd + c0 * cd * ct).max(1e-3);
            (-(cd * st / w).to_degrees(), ((c0 * sd - s0 * cd * ct) / w).to_degrees())
        } else {
            let (half, d) = (0.5 * turn.to_radians(), dec.to_radians());
            let w = (2.0 / (1.0 + d.cos() * half.cos())).sqrt();
            (-(2.0 * w * d.cos() * half.sin()).to_degrees(), (w * d.sin()).to_degrees())
        }
    };
    if cells.is_empty() {
        area.draw(&Text::new("no positions in this catalogue", (40, 40), ("sans-serif", 18).into_font().color(&INK)))?;
        return Ok(());
    }
    let places: Vec<(usize, (f64, f64))> = cells.iter().map(|c| (c.0, project(c.1, c.2))).collect();
    let cell_deg = 58.6 / 2.0_f64.powi(i32::from(MAP_ORDER));
    let (rx, ry) = if local {
        let edge = |get: &dyn Fn(&(f64, f64)) -> f64| {
            let low = places.iter().map(|p| get(&p.1)).fold(f64::INFINITY, f64::min) - cell_deg;
            low..places.iter().map(|p| get(&p.1)).fold(f64::NEG_INFINITY, f64::max) + cell_deg
        };
        (edge(&|p| p.0), edge(&|p| p.1))
    } else {
        (-165.0..165.0, -115.0..115.0)
    };
    // Equal scales on both axes.
    let side = (rx.end - rx.start).max((ry.end - ry.start) / 0.7);
    let (mx, my) = (0.5 * (rx.start + rx.end), 0.5 * (ry.start + ry.end));
    let (rx, ry) = (mx - 0.5 * side..mx + 0.5 * side, my - 0.35 * side..my + 0.35 * side);
    let title = format!("{} objects about ra {:.3} deg, dec {:.3} deg", thousands(g.rows), middle.0, middle.1);
    let galactic = if g.in_galactic { " (positions were galactic)" } else { "" };
    let mut chart = ChartBuilder::on(area)
        .caption(title + galactic, ("sans-serif", 18).into_font().color(&INK))
        .margin(14)
        .x_label_area_size(44)
        .y_label_area_size(58)
        .build_cartesian_2d(rx.clone(), ry.clone())?;
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(MUTED)
        .x_desc(if local { "west of the middle [deg]" } else { "Hammer-Aitoff, west to the right [deg]" })
        .y_desc("north [deg]")
        .label_style(("sans-serif", 13).into_font().color(&MUTED))
        .axis_desc_style(("sans-serif", 15).into_font().color(&INK))
        .draw()?;
    // Cells gathered in boxes not smaller than themselves.
    let boxes = ((side / cell_deg / 1.5) as usize).clamp(1, BOXES);
    let width = side / boxes as f64;
    let mut map = std::collections::BTreeMap::<(i64, i64), (u64, u64)>::new();
    for (k, (x, y)) in &places {
        let entry = map.entry((((x - rx.start) / width).floor() as i64, ((y - ry.start) / width).floor() as i64)).or_default();
        entry.0 += u64::from(g.cells[*k]);
        entry.1 += 1;
    }
    let per_cell = |entry: &(u64, u64)| entry.0 as f64 / entry.1 as f64;
    let most = map.values().map(per_cell).fold(0.0, f64::max);
    chart.draw_series(map.iter().map(|((i, j), entry)| {
        let (x, y) = (rx.start + *i as f64 * width, ry.start + *j as f64 * width);
        Rectangle::new([(x, y), (x + width, y + width)], shade(per_cell(entry) / most).filled())
    }))?;
    let density = most / (41_252.96 / g.cells.len() as f64);
    let note = format!("darkest: {} per deg2", thousands(density.round() as u64));
    chart.draw_series(std::iter::once(Text::new(
        note,
        (rx.start + 0.02 * side, ry.start + 0.66 * side),
        ("sans-serif", 14).into_font().color(&INK),
    )))?;
    Ok(())
}

fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (k, c) in digits.chars().enumerate() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

fn counts_chart(area: &Area<'_>, report: &PlotReport, spec: &CatalogSpec, kind: SourceKind) -> Drawn {
    let values = || report.counts.iter().flat_map(|c| [Some(c.1), c.2]).flatten().filter(|v| *v > 0.0).map(f64::log10);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    if !low.is_finite() {
        return Ok(());
    }
    let x = report.counts[0].0 - 0.5..report.counts[report.counts.len() - 1].0 + 0.5;
    let band = spec.band.clone().or_else(|| spec.profile.band().map(Into::into)).unwrap_or_else(|| "the catalogue's band".into());
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{:.4} deg2", report.area_deg2), ("sans-serif", 18).into_font().color(&INK))
        .margin(14)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(x.clone(), low.floor()..high.ceil())?;
    let power = |v: &f64| format!("1e{}", v.round());
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(MUTED)
        .y_labels((high.ceil() - low.floor()) as usize + 1)
        .y_label_formatter(&power)
        .x_desc(format!("magnitude, {band}"))
        .y_desc("objects per mag and deg2")
        .label_style(("sans-serif", 13).into_font().color(&MUTED))
        .axis_desc_style(("sans-serif", 15).into_font().color(&INK))
        .draw()?;
    let published: Vec<(f64, f64)> = report.counts.iter().filter_map(|c| Some((c.0, c.2.filter(|v| *v > 0.0)?.log10()))).collect();
    chart.draw_series(LineSeries::new(published.clone(), PUBLISHED.stroke_width(2)))?;
    let ours = report.counts.iter().filter(|c| c.1 > 0.0).map(|c| (c.0, c.1.log10()));
    chart.draw_series(ours.map(|p| Circle::new(p, 4, OURS.filled())))?;
    let source = match kind {
        SourceKind::Star => "Bahcall & Soneira 1980, in V",
        SourceKind::Galaxy => "COSMOS2020 (Weaver et al. 2022), in i",
    };
    let source = if published.is_empty() { "no published counts (stars: one direction, |b| >= 20 deg)" } else { source };
    let at = |line: f64| (x.start + 0.03 * (x.end - x.start), high.ceil() - (0.05 + 0.06 * line) * (high.ceil() - low.floor()));
    chart.draw_series([
        Text::new("this catalogue", at(0.0), ("sans-serif", 15).into_font().color(&OURS)),
        Text::new(source, at(1.0), ("sans-serif", 15).into_font().color(&PUBLISHED)),
    ])?;
    Ok(())
}

fn colour_chart(area: &Area<'_>, colours: &[(f32, f32)], x_name: &str, y_name: &str) -> Drawn {
    // From the half to the ninety-nine and a half per cent of each colour, and a fifth more.
    let range = |get: &dyn Fn(&(f32, f32)) -> f32| {
        let mut v: Vec<f32> = colours.iter().map(get).collect();
        v.sort_by(f32::total_cmp);
        let (low, high) = (f64::from(v[v.len() / 200]), f64::from(v[v.len() - 1 - v.len() / 200]));
        let pad = 0.2 * (high - low).max(0.05);
        low - pad..high + pad
    };
    let (rx, ry) = (range(&|c| c.0), range(&|c| c.1));
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{} objects", thousands(colours.len() as u64)), ("sans-serif", 18).into_font().color(&INK))
        .margin(14)
        .x_label_area_size(44)
        .y_label_area_size(58)
        .build_cartesian_2d(rx.clone(), ry.clone())?;
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(MUTED)
        .x_desc(format!("{x_name} [mag]"))
        .y_desc(format!("{y_name} [mag]"))
        .label_style(("sans-serif", 13).into_font().color(&MUTED))
        .axis_desc_style(("sans-serif", 15).into_font().color(&INK))
        .draw()?;
    let boxes = if colours.len() > 5000 { BOXES } else { 48 };
    let (wx, wy) = ((rx.end - rx.start) / boxes as f64, (ry.end - ry.start) / boxes as f64);
    let mut map = std::collections::BTreeMap::<(i64, i64), u64>::new();
    for c in colours {
        let (i, j) = ((f64::from(c.0) - rx.start) / wx, (f64::from(c.1) - ry.start) / wy);
        if (0.0..boxes as f64).contains(&i) && (0.0..boxes as f64).contains(&j) {
            *map.entry((i as i64, j as i64)).or_default() += 1;
        }
    }
    let most = map.values().max().copied().unwrap_or(1) as f64;
    chart.draw_series(map.iter().map(|((i, j), n)| {
        let (x, y) = (rx.start + *i as f64 * wx, ry.start + *j as f64 * wy);
        Rectangle::new([(x, y), (x + wx, y + wy)], shade((1.0 + *n as f64).ln() / (1.0 + most).ln()).filled())
    }))?;
    Ok(())
}
