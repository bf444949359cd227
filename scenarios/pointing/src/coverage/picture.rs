//! A map as a picture: the whole sky, and each region of the plan beside it.

use super::{Coverage, CoverageError};
use crate::area::ecliptic_pole;
use crate::focal_plane::Attitude;
use cdshealpix::nested;
use plotters::prelude::*;
use sim_core::direction::{Vector, angle, cross, degrees, dot, unit, vector};
use std::path::Path;

const INK: RGBColor = RGBColor(40, 42, 46);
const MUTED: RGBColor = RGBColor(120, 122, 126);
const GRID: RGBColor = RGBColor(228, 229, 231);
const ECLIPTIC: RGBColor = RGBColor(192, 74, 16);
const GALAXY: RGBColor = RGBColor(110, 80, 150);
/// Side of a panel \[pixel\].
const PANEL: i32 = 420;
/// Height of the heading \[pixel\].
const HEAD: i32 = 76;
/// Room round a panel's map \[pixel\]: left, top, right, bottom.
const ROOM: [i32; 4] = [58, 40, 14, 50];
/// Side of a sample \[pixel\].
const SAMPLE: i32 = 2;
/// Regions shown at most, the largest first.
const MOST_REGIONS: usize = 5;
/// Cells nearer than this belong to one region \[deg\].
const JOIN_DEG: f64 = 3.0;

/// What a picture shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Band.
    pub band: String,
    /// Heading.
    pub title: String,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// A piece of the plan: where it is and how far it reaches \[deg\].
struct Region {
    axis: Vector,
    radius_deg: f64,
    cells: usize,
}

/// Parts the cells into regions, the largest first.
fn regions(map: &Coverage, seen: &[u64]) -> Vec<Region> {
    // Cells of order 6 (0.9 deg) stand for theirs.
    let mut parents: Vec<(u64, usize)> = Vec::new();
    for cell in seen {
        let parent = cell >> (2 * map.order.saturating_sub(6));
        match parents.last_mut() {
            Some(last) if last.0 == parent => last.1 += 1,
            _ => parents.push((parent, 1)),
        }
    }
    let place = |cell: u64| {
        let (lon, lat) = nested::center(map.order.min(6), cell);
        vector(lon.to_degrees(), lat.to_degrees())
    };
    let mut open: Vec<(Vector, usize)> = parents.iter().map(|p| (place(p.0), p.1)).collect();
    let mut out = Vec::new();
    while let Some(first) = open.pop() {
        let mut members = vec![first];
        let mut next = 0;
        while next < members.len() {
            let at = members[next].0;
            next += 1;
            let (near, far): (Vec<_>, Vec<_>) = open.into_iter().partition(|o| angle(&o.0, &at).to_degrees() < JOIN_DEG);
            members.extend(near);
            open = far;
        }
        let sum = members.iter().fold([0.0; 3], |s: Vector, m| std::array::from_fn(|k| s[k] + m.1 as f64 * m.0[k]));
        let axis = if dot(&sum, &sum) > 1e-9 { unit(sum) } else { members[0].0 };
        let radius_deg = members.iter().map(|m| angle(&m.0, &axis).to_degrees()).fold(0.0, f64::max) + 0.5;
        out.push(Region { axis, radius_deg, cells: members.iter().map(|m| m.1).sum() });
    }
    out.sort_by(|a, b| b.cells.cmp(&a.cells).then(degrees(&a.axis).0.total_cmp(&degrees(&b.axis).0)));
    out
}

/// Colour of a depth: light blue to dark, in steps.
fn shade(depth: u32, most: u32) -> RGBColor {
    let t = if most <= 1 { 1.0 } else { f64::from(depth.min(most) - 1) / f64::from(most - 1) };
    let mix = |a: f64, b: f64| (a + (b - a) * t) as u8;
    RGBColor(mix(198.0, 8.0), mix(219.0, 48.0), mix(239.0, 107.0))
}

struct Canvas<'m> {
    map: &'m Coverage,
    depth: &'m [u32],
    most: u32,
}

impl Canvas<'_> {
    fn depth_at(&self, p: &Vector) -> u32 {
        let (ra, dec) = degrees(p);
        let cell = nested::hash(self.map.order, ra.to_radians(), dec.to_radians());
        self.map.cells.binary_search(&cell).map_or(0, |k| self.depth[k])
    }
    /// Fills a window of pixels with the depths of the directions they show: runs of one colour are one rectangle.
    fn fill(&self, area: &Area<'_>, (x0, y0, width, height): (i32, i32, i32, i32), sky: &dyn Fn(f64, f64) -> Option<Vector>) -> Drawn {
        let at = |i: i32, j: i32| {
            let (u, v) =
                ((f64::from(i) + 0.5) * f64::from(SAMPLE) / f64::from(width), (f64::from(j) + 0.5) * f64::from(SAMPLE) / f64::from(height));
            sky(2.0 * u - 1.0, 1.0 - 2.0 * v).map_or(0, |p| self.depth_at(&p))
        };
        let columns = width / SAMPLE;
        for j in 0..height / SAMPLE {
            let mut run = (0, at(0, j));
            for i in 1..=columns {
                let depth = if i < columns { at(i, j) } else { u32::MAX };
                if depth != run.1 {
                    if run.1 > 0 {
                        let corners = [(x0 + run.0 * SAMPLE, y0 + j * SAMPLE), (x0 + i * SAMPLE, y0 + (j + 1) * SAMPLE)];
                        area.draw(&Rectangle::new(corners, shade(run.1, self.most).filled()))?;
                    }
                    run = (i, depth);
                }
            }
        }
        Ok(())
    }
}

fn label(area: &Area<'_>, text: impl Into<String>, at: (i32, i32), size: i32, colour: RGBColor) -> Drawn {
    area.draw(&Text::new(text.into(), at, ("sans-serif", size).into_font().color(&colour)))?;
    Ok(())
}

/// Hammer-Aitoff of a place \[deg\] in -1..1, right ascension 180 in the middle, growing to the left.
fn hammer(ra: f64, dec: f64) -> (f64, f64) {
    let (half, d) = (0.5 * (180.0 - ra).to_radians(), dec.to_radians());
    let w = 1.0 / (1.0 + d.cos() * half.cos()).sqrt();
    (w * d.cos() * half.sin(), w * d.sin())
}

fn hammer_back(x: f64, y: f64) -> Option<Vector> {
    if x * x + y * y > 1.0 {
        return None;
    }
    let z2 = 1.0 - 0.5 * (x * x + y * y);
    let z = (2.0 * z2).sqrt();
    let half = (z * x).atan2(2.0 * z2 - 1.0);
    Some(vector(180.0 - 2.0 * half.to_degrees(), (y * z).clamp(-1.0, 1.0).asin().to_degrees()))
}

fn whole_sky(area: &Area<'_>, canvas: &Canvas<'_>, parts: &[Region], (x0, y0): (i32, i32)) -> Drawn {
    let (width, height) = (2 * PANEL - ROOM[2] - 20, PANEL - 30);
    // A sky is twice as wide as high.
    let (width, height) = (width.min(2 * height), (width / 2).min(height));
    let (left, top) = (x0 + 20, y0 + 24);
    let pixel =
        |(x, y): (f64, f64)| (left + ((x + 1.0) * 0.5 * f64::from(width)) as i32, top + ((1.0 - y) * 0.5 * f64::from(height)) as i32);
    let line = |points: Vec<(f64, f64)>, colour: RGBColor, wide: u32| -> Drawn {
        let mut part: Vec<(i32, i32)> = Vec::new();
        for p in points {
            let p = pixel(hammer(p.0, p.1));
            if part.last().is_some_and(|q: &(i32, i32)| (q.0 - p.0).abs() > width / 4) {
                area.draw(&PathElement::new(std::mem::take(&mut part), colour.stroke_width(wide)))?;
            }
            part.push(p);
        }
        area.draw(&PathElement::new(part, colour.stroke_width(wide)))?;
        Ok(())
    };
    for k in 0..=12 {
        line((-90..=90).map(|d| (30.0 * f64::from(k), f64::from(d))).collect(), GRID, 1)?;
    }
    for k in -2..=2 {
        line((0..=360).map(|a| (f64::from(a), 30.0 * f64::from(k))).collect(), GRID, 1)?;
    }
    let circle = |pole: Vector| -> Vec<(f64, f64)> {
        let a = unit(cross(&pole, &[0.0, 0.0, 1.0]));
        let b = cross(&pole, &a);
        (0..=720)
            .map(|k| (0.5 * f64::from(k)).to_radians().sin_cos())
            .map(|(s, c)| degrees(&std::array::from_fn(|i| c * a[i] + s * b[i])))
            .collect()
    };
    line(circle(ecliptic_pole()), ECLIPTIC, 1)?;
    // North galactic pole: ra 192.8595, dec 27.1283 (ESA 1997, Hipparcos, 1.5.3).
    line(circle(vector(192.859_5, 27.128_3)), GALAXY, 1)?;
    canvas.fill(area, (left, top, width / SAMPLE * SAMPLE, height / SAMPLE * SAMPLE), &hammer_back)?;
    for ra in [330, 270, 210, 150, 90, 30] {
        let (x, y) = pixel(hammer(f64::from(ra), 0.0));
        label(area, format!("{ra}"), (x - 10, y + 3), 12, MUTED)?;
    }
    for dec in [-60, -30, 30, 60] {
        let (x, y) = pixel(hammer(180.0, f64::from(dec)));
        label(area, format!("{dec:+}"), (x + 3, y + 2), 12, MUTED)?;
    }
    for (k, region) in parts.iter().enumerate() {
        let (ra, dec) = degrees(&region.axis);
        let at = pixel(hammer(ra, dec));
        let size = (region.radius_deg / 180.0 * 0.5 * f64::from(width)) as i32 + 7;
        area.draw(&Circle::new(at, size, INK.stroke_width(1)))?;
        label(area, format!("{}", k + 1), (at.0 + size + 2, at.1 - size - 2), 15, INK)?;
    }
    label(area, "ecliptic", (x0 + 20, y0 + 2), 13, ECLIPTIC)?;
    label(area, "galactic plane", (x0 + 84, y0 + 2), 13, GALAXY)?;
    label(area, "Hammer-Aitoff, right ascension grows to the left [deg]", (x0 + 190, y0 + 2), 13, MUTED)
}

fn region_panel(area: &Area<'_>, canvas: &Canvas<'_>, (number, region): (usize, &Region), (x0, y0): (i32, i32)) -> Drawn {
    let side = (PANEL - ROOM[0] - ROOM[2]).min(PANEL - ROOM[1] - ROOM[3]) / SAMPLE * SAMPLE;
    let (left, top) = (x0 + ROOM[0], y0 + ROOM[1]);
    let (ra, dec) = degrees(&region.axis);
    let attitude = Attitude::new(ra, dec, 0.0);
    let reach = region.radius_deg.min(75.0).to_radians().tan().to_degrees();
    // Gnomonic, north up, east to the left: x of the mosaic at angle 0 is west.
    canvas.fill(area, (left, top, side, side), &|u, v| Some(attitude.sky_from_mosaic(u * reach, v * reach)))?;
    area.draw(&Rectangle::new([(left, top), (left + side, top + side)], MUTED.stroke_width(1)))?;
    label(area, format!("{number}: ra {ra:.2}, dec {dec:+.2} deg"), (left, y0 + 16), 16, INK)?;
    // Ticks at round numbers, four or so to a side.
    let raw = reach / 2.0;
    let power = 10.0_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].iter().map(|k| k * power).find(|s| *s >= raw).unwrap_or(raw);
    for k in -4..=4 {
        let value = f64::from(k) * step;
        if value.abs() > reach {
            continue;
        }
        let along = (0.5 * (1.0 + value / reach) * f64::from(side)) as i32;
        let text = if step < 1.0 { format!("{value:.1}") } else { format!("{value:.0}") };
        area.draw(&PathElement::new(vec![(left + along, top + side), (left + along, top + side + 5)], MUTED.stroke_width(1)))?;
        label(area, text.clone(), (left + along - 4 * text.len() as i32, top + side + 8), 12, MUTED)?;
        area.draw(&PathElement::new(vec![(left - 5, top + side - along), (left, top + side - along)], MUTED.stroke_width(1)))?;
        label(area, text.clone(), (left - 8 - 7 * text.len() as i32, top + side - along - 6), 12, MUTED)?;
    }
    label(area, "west and north of the middle [deg]", (left + side / 2 - 104, top + side + 24), 13, INK)
}

/// Draws the exposures of a band into an SVG: the whole sky, then the largest regions.
///
/// # Errors
/// When the map has no such band or the file cannot be written.
pub fn picture(map: &Coverage, shown: &Shown, path: &Path) -> Result<(), CoverageError> {
    let depth = &map.exposures[map.band(&shown.band)?];
    let fault = |reason: String| CoverageError::File { path: path.display().to_string(), reason };
    let seen: Vec<u64> = map.cells_at_depth(&shown.band, 1)?.collect();
    let mut parts = regions(map, &seen);
    let hidden = parts.len().saturating_sub(MOST_REGIONS);
    parts.truncate(MOST_REGIONS);
    // One in a hundred thousand cells is deeper: that is not a step of the colours.
    let mut sorted: Vec<u32> = depth.iter().copied().filter(|n| *n > 0).collect();
    sorted.sort_unstable();
    let most = sorted.get(sorted.len().saturating_sub(1 + sorted.len() / 200)).copied().unwrap_or(1);
    let canvas = Canvas { map, depth, most };
    // The sky takes two places of the first row.
    let places = 2 + parts.len() as i32;
    let rows = (places + 2) / 3;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, ((3 * PANEL) as u32, (HEAD + rows * PANEL) as u32)).into_drawing_area();
        let drawn: Drawn = (|| {
            root.fill(&WHITE)?;
            label(&root, &shown.title, (20, 14), 20, INK)?;
            let mut x = 20;
            label(&root, format!("exposures in {}", shown.band), (x, 46), 15, INK)?;
            x += 140;
            let stride = most.div_ceil(10).max(1);
            for n in (1..=most).filter(|n| *n == 1 || *n == most || n % stride == 0) {
                root.draw(&Rectangle::new([(x, 44), (x + 18, 62)], shade(n, most).filled()))?;
                let text = if n == most && sorted.last().is_some_and(|l| *l > most) { format!("{n} and more") } else { n.to_string() };
                label(&root, text.clone(), (x + 23, 46), 14, INK)?;
                x += 36 + 8 * text.len() as i32;
            }
            let deg2 = |n: u32| depth.iter().filter(|d| **d >= n).count() as f64 * map.cell_deg2();
            let half = most.div_ceil(2);
            let mut levels = vec![1, half, most];
            levels.dedup();
            let areas: Vec<String> = levels.iter().map(|n| format!("{n} or more: {:.2} deg2", deg2(*n))).collect();
            let more = if hidden > 0 { format!(" ({hidden} more regions)") } else { String::new() };
            label(&root, format!("{}{more}", areas.join(", ")), (x + 20, 46), 14, MUTED)?;
            whole_sky(&root, &canvas, &parts, (0, HEAD))?;
            for (k, region) in parts.iter().enumerate() {
                let place = k as i32 + 2;
                region_panel(&root, &canvas, (k + 1, region), (place % 3 * PANEL, HEAD + place / 3 * PANEL))?;
            }
            root.present()?;
            Ok(())
        })();
        drawn.map_err(|e| fault(e.to_string()))?;
    }
    sim_core::files::write_atomically(path, svg.as_bytes()).map_err(|e| fault(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_projection_of_the_sky_comes_back() {
        for (ra, dec) in [(180.0, 0.0), (10.0, 20.0), (350.0, -60.0), (180.0, 90.0), (200.0, -89.0), (1.0, 1.0)] {
            let (x, y) = hammer(ra, dec);
            let back = hammer_back(x * (1.0 - 1e-12), y * (1.0 - 1e-12)).unwrap();
            assert!(angle(&back, &vector(ra, dec)) < 1e-5, "{ra} {dec}: {:?}", degrees(&back));
        }
        assert!(hammer_back(0.8, 0.8).is_none());
    }
}
