//! The panels of a plot: sky map, counts, colours.

use super::plot::{Gathered, MAP_ORDER, PlotReport};
use crate::direction::{dot, vector};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::ops::Range;

const INK: RGBColor = RGBColor(40, 42, 46);
const MUTED: RGBColor = RGBColor(120, 122, 126);
const GRID: RGBColor = RGBColor(228, 229, 231);
const OURS: RGBColor = RGBColor(32, 96, 161);
const PUBLISHED: RGBColor = RGBColor(192, 74, 16);
/// Field below which the map is drawn from the positions \[deg\].
const SMALL_FIELD_DEG: f64 = 3.0;
/// Boxes along an axis of the maps.
const BOXES: usize = 96;

type Drawn = Result<(), Box<dyn std::error::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Axis<'a> = (Range<f64>, &'a str);

/// An empty chart with its axes; with `powers` so many labels on the y axis, which has the logarithm of what is shown.
fn chart<'a, 'b>(
    area: &'a Area<'b>,
    title: &str,
    x: Axis<'_>,
    y: Axis<'_>,
    powers: Option<usize>,
) -> Result<Chart<'a, 'b>, Box<dyn std::error::Error>> {
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18).into_font().color(&INK))
        .margin(14)
        .x_label_area_size(44)
        .y_label_area_size(if powers.is_some() { 64 } else { 58 })
        .build_cartesian_2d(x.0, y.0)?;
    let power = |v: &f64| format!("1e{}", v.round());
    let mut mesh = chart.configure_mesh();
    mesh.bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(MUTED)
        .x_desc(x.1)
        .y_desc(y.1)
        .label_style(("sans-serif", 13).into_font().color(&MUTED))
        .axis_desc_style(("sans-serif", 15).into_font().color(&INK));
    let plain = |v: &f64| {
        // No zero with a sign, no zeros at the end.
        let rounded = (v * 1000.0).round() / 1000.0 + 0.0;
        rounded.to_string()
    };
    mesh.x_label_formatter(&plain).y_label_formatter(&plain);
    if let Some(labels) = powers {
        mesh.y_labels(labels).y_label_formatter(&power);
    }
    mesh.draw()?;
    Ok(chart)
}

/// A light to dark blue.
fn shade(t: f64) -> RGBColor {
    let mix = |a: f64, b: f64| (a + (b - a) * t.clamp(0.0, 1.0)) as u8;
    RGBColor(mix(222.0, 8.0), mix(235.0, 48.0), mix(247.0, 107.0))
}

/// Number of objects in the cells of the map: around the middle when they lie within 60 deg, else the whole sky (Hammer-Aitoff).
pub(super) fn sky_map(area: &Area<'_>, g: &Gathered, middle: (f64, f64)) -> Drawn {
    let layer = cdshealpix::nested::get(MAP_ORDER);
    let centre = vector(middle.0, middle.1);
    let cells: Vec<(usize, f64, f64)> = (0..g.cells.len())
        .filter(|&k| g.cells[k] > 0)
        .map(|k| {
            let (lon, lat) = layer.center(k as u64);
            (k, lon.to_degrees(), lat.to_degrees())
        })
        .collect();
    let cosine = |ra: f64, dec: f64| dot(&vector(ra, dec), &centre);
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
        let words = "no positions in this catalogue: no map";
        area.draw(&Text::new(words, (150, 220), ("sans-serif", 18).into_font().color(&MUTED)))?;
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
    let x_name = if local { "west of the middle [deg]" } else { "Hammer-Aitoff, west to the right [deg]" };
    let mut chart = chart(area, &(title + galactic), (rx.clone(), x_name), (ry.clone(), "north [deg]"), None)?;
    if local && side < SMALL_FIELD_DEG {
        return small_field(&mut chart, g, &project, (rx, ry), side);
    }
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

/// The map of a field in which the cells would be too coarse, from the positions themselves.
fn small_field(
    chart: &mut Chart<'_, '_>,
    g: &Gathered,
    project: &dyn Fn(f64, f64) -> (f64, f64),
    (rx, ry): (Range<f64>, Range<f64>),
    side: f64,
) -> Drawn {
    // Some eight objects in a box.
    let boxes = ((g.places.kept.len() as f64 / 8.0).sqrt() as usize).clamp(8, BOXES);
    let width = side / boxes as f64;
    let mut map = std::collections::BTreeMap::<(i64, i64), u64>::new();
    for (ra, dec) in &g.places.kept {
        let (x, y) = project(*ra, *dec);
        *map.entry((((x - rx.start) / width).floor() as i64, ((y - ry.start) / width).floor() as i64)).or_default() += g.places.step;
    }
    let most = map.values().max().copied().unwrap_or(1);
    chart.draw_series(map.iter().map(|((i, j), n)| {
        let (x, y) = (rx.start + *i as f64 * width, ry.start + *j as f64 * width);
        Rectangle::new([(x, y), (x + width, y + width)], shade(*n as f64 / most as f64).filled())
    }))?;
    let note = format!("darkest: {} per deg2", thousands((most as f64 / (width * width)).round() as u64));
    let at = (rx.start + 0.02 * side, ry.start + 0.66 * side);
    chart.draw_series(std::iter::once(Text::new(note, at, ("sans-serif", 14).into_font().color(&INK))))?;
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

pub(super) fn counts_chart(area: &Area<'_>, report: &PlotReport, band: Option<&str>) -> Drawn {
    let values = || report.counts.iter().flat_map(|c| [Some(c.1), c.2]).flatten().filter(|v| *v > 0.0).map(f64::log10);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    if !low.is_finite() {
        return Ok(());
    }
    let x = report.counts[0].0 - 0.5..report.counts[report.counts.len() - 1].0 + 0.5;
    let band = band.unwrap_or("the catalogue's band");
    let (title, x_name) = (format!("{:.4} deg2", report.area_deg2), format!("magnitude, {band}"));
    let powers = Some((high.ceil() - low.floor()) as usize + 1);
    let y = (low.floor()..high.ceil(), "objects per mag and deg2");
    let mut chart = chart(area, &title, (x.clone(), &x_name), y, powers)?;
    let published: Vec<(f64, f64)> = report.counts.iter().filter_map(|c| Some((c.0, c.2.filter(|v| *v > 0.0)?.log10()))).collect();
    chart.draw_series(LineSeries::new(published.clone(), PUBLISHED.stroke_width(2)))?;
    let ours = report.counts.iter().filter(|c| c.1 > 0.0).map(|c| (c.0, c.1.log10()));
    chart.draw_series(ours.map(|p| Circle::new(p, 4, OURS.filled())))?;
    let source = report.published.clone().unwrap_or_else(|| "no published counts (stars: one direction, V 15 to 25)".into());
    let at = |line: f64| (x.start + 0.03 * (x.end - x.start), high.ceil() - (0.05 + 0.06 * line) * (high.ceil() - low.floor()));
    chart.draw_series([
        Text::new("this catalogue".to_string(), at(0.0), ("sans-serif", 15).into_font().color(&OURS)),
        Text::new(source, at(1.0), ("sans-serif", 15).into_font().color(&PUBLISHED)),
    ])?;
    Ok(())
}

pub(super) fn colour_chart(area: &Area<'_>, colours: &[(f32, f32)], x_name: &str, y_name: &str) -> Drawn {
    // From the half to the ninety-nine and a half per cent of each colour, and a fifth more.
    let range = |get: &dyn Fn(&(f32, f32)) -> f32| {
        let mut v: Vec<f32> = colours.iter().map(get).collect();
        v.sort_by(f32::total_cmp);
        let (low, high) = (f64::from(v[v.len() / 200]), f64::from(v[v.len() - 1 - v.len() / 200]));
        let pad = 0.2 * (high - low).max(0.05);
        low - pad..high + pad
    };
    let (rx, ry) = (range(&|c| c.0), range(&|c| c.1));
    let title = format!("{} objects", thousands(colours.len() as u64));
    let (x_name, y_name) = (format!("{x_name} [mag]"), format!("{y_name} [mag]"));
    let mut chart = chart(area, &title, (rx.clone(), &x_name), (ry.clone(), &y_name), None)?;
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
