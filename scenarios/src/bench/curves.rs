//! Cost against the number of objects, of detectors and of workers.

use super::{Workload, ccd};
use anyhow::Context as _;
use cpu_time::ProcessTime;
use plotters::prelude::*;
use std::time::Instant;

/// Parts of the field's objects that are drawn.
const SHARES: [f64; 5] = [0.0, 0.125, 0.25, 0.5, 1.0];
/// Numbers of detectors, one after the other.
const DETECTORS: [usize; 3] = [1, 2, 4];
/// Imaging detectors of the survey camera that take part, in this order.
const CHIPS: [u16; 4] = [7, 8, 9, 15];

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Point {
    /// Objects, detectors or workers.
    pub count: usize,
    /// CPU seconds of the process.
    pub cpu_s: f64,
    /// Wall seconds.
    pub wall_s: f64,
}

/// Result of `bench curves`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Curves {
    /// Against objects, one detector on one thread.
    pub objects: Vec<Point>,
    /// Against detectors, one after the other on one thread.
    pub detectors: Vec<Point>,
    /// Against workers at once, each with one detector on one thread.
    pub workers: Vec<Point>,
}

/// One chip on one thread, its files removed.
fn chip(work: &Workload<'_>) -> anyhow::Result<usize> {
    let folder = tempfile::tempdir()?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    Ok(pool.install(|| ccd(work, folder.path()))?.objects)
}

fn timed(run: impl FnOnce() -> anyhow::Result<usize>) -> anyhow::Result<Point> {
    let (cpu, wall) = (ProcessTime::now(), Instant::now());
    let count = run()?;
    Ok(Point { count, cpu_s: cpu.elapsed().as_secs_f64(), wall_s: wall.elapsed().as_secs_f64() })
}

/// As many chips at once, each on one thread.
fn at_once(work: &Workload<'_>, workers: usize) -> anyhow::Result<usize> {
    std::thread::scope(|scope| {
        let chips = (0..workers).map(|k| Workload { detector: CHIPS[k % CHIPS.len()], ..*work });
        let running: Vec<_> = chips.map(|work| scope.spawn(move || chip(&work))).collect();
        for one in running {
            one.join().ok().context("a worker panicked")??;
        }
        Ok(workers)
    })
}

/// Measures all three; `told` hears of each measurement. `workers` are tried up to that many.
///
/// # Errors
/// As [`ccd`].
pub fn curves(work: &Workload<'_>, workers: usize, told: &mut dyn FnMut(&str, &Point)) -> anyhow::Result<Curves> {
    let mut result = Curves { objects: vec![], detectors: vec![], workers: vec![] };
    let first = Workload { detector: CHIPS[0], ..*work };
    // The first run finds memory and files that nobody has touched yet; it is not counted.
    chip(&Workload { share: 0.0, ..first })?;
    for share in SHARES {
        let point = timed(|| chip(&Workload { share, ..first }))?;
        told("objects", &point);
        result.objects.push(point);
    }
    for count in DETECTORS {
        let each = |k: usize| chip(&Workload { detector: CHIPS[k % CHIPS.len()], ..*work });
        let point = timed(|| (0..count).try_for_each(|k| each(k).map(drop)).map(|()| count))?;
        told("detectors", &point);
        result.detectors.push(point);
    }
    for count in 1..=workers {
        let point = timed(|| at_once(work, count))?;
        told("workers", &point);
        result.workers.push(point);
    }
    Ok(result)
}

impl Curves {
    /// Time that as many workers would take for a detector each if none was in the way of another, over the time they take: the mean of the
    /// detectors' own times is that of the curve over detectors.
    #[must_use]
    pub fn efficiency(&self, workers: usize) -> Option<f64> {
        let alone = self.detectors.iter().find(|p| p.count == workers)?;
        let together = self.workers.iter().find(|p| p.count == workers)?;
        Some(alone.wall_s / (together.wall_s * workers as f64))
    }

    /// The three curves as a picture (SVG).
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn svg(&self) -> anyhow::Result<String> {
        let mut svg = String::new();
        let drawn = |svg: &mut String| -> Result<(), Box<dyn std::error::Error>> {
            let area = SVGBackend::with_string(svg, (1260, 440)).into_drawing_area();
            area.fill(&WHITE)?;
            let panels = area.split_evenly((1, 3));
            panel(&panels[0], ("Objects", "objects in the field"), &self.objects)?;
            panel(&panels[1], ("Detectors, one after the other", "detectors"), &self.detectors)?;
            panel(&panels[2], ("Workers at once, one detector each", "workers"), &self.workers)?;
            area.present()?;
            Ok(())
        };
        drawn(&mut svg).map_err(|error| anyhow::anyhow!("the curves cannot be drawn: {error}"))?;
        Ok(svg)
    }
}

const INK: RGBColor = RGBColor(40, 42, 46);
const MUTED: RGBColor = RGBColor(120, 122, 126);
const GRID: RGBColor = RGBColor(228, 229, 231);
const CPU: RGBColor = RGBColor(32, 96, 161);
const WALL: RGBColor = RGBColor(192, 74, 16);

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn panel(area: &Area<'_>, (title, axis): (&str, &str), points: &[Point]) -> Result<(), Box<dyn std::error::Error>> {
    let most = points.iter().map(|p| p.count).max().unwrap_or(1) as f64;
    let longest = points.iter().map(|p| p.cpu_s.max(p.wall_s)).fold(1e-3, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18).into_font().color(&INK))
        .margin(14)
        .x_label_area_size(44)
        .y_label_area_size(58)
        .build_cartesian_2d(0.0..1.06 * most, 0.0..1.12 * longest)?;
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(MUTED)
        .x_desc(axis)
        .y_desc("seconds")
        .x_labels(if most < 8.0 { most as usize + 1 } else { 5 })
        .x_label_formatter(&|v| format!("{v:.0}"))
        .y_label_formatter(&|v| format!("{}", (v * 100.0).round() / 100.0))
        .label_style(("sans-serif", 13).into_font().color(&MUTED))
        .axis_desc_style(("sans-serif", 15).into_font().color(&INK))
        .draw()?;
    let curve = |value: fn(&Point) -> f64| points.iter().map(|p| (p.count as f64, value(p))).collect::<Vec<_>>();
    for (name, colour, line) in [("CPU", CPU, curve(|p| p.cpu_s)), ("wall clock", WALL, curve(|p| p.wall_s))] {
        chart
            .draw_series(LineSeries::new(line.iter().copied(), colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(2)));
        chart.draw_series(line.iter().map(|&at| Circle::new(at, 4, colour.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .label_font(("sans-serif", 14).into_font().color(&INK))
        .draw()?;
    Ok(())
}

impl std::fmt::Display for Curves {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, points) in [("objects", &self.objects), ("detectors", &self.detectors), ("workers", &self.workers)] {
            writeln!(f, "{name:<10} {:>9} {:>9}", "CPU s", "wall s")?;
            for p in points {
                writeln!(f, "{:<10} {:>9.3} {:>9.3}", p.count, p.cpu_s, p.wall_s)?;
            }
        }
        if let [none, .., all] = &self.objects[..] {
            let each = (all.cpu_s - none.cpu_s) / (all.count - none.count).max(1) as f64;
            writeln!(f, "one object more: {:.1} microseconds of CPU; no object: {:.2} s", 1e6 * each, none.cpu_s)?;
        }
        for workers in self.workers.iter().map(|p| p.count) {
            if let Some(efficiency) = self.efficiency(workers) {
                writeln!(f, "{workers} workers: {:.0} % efficient", 100.0 * efficiency)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test an error is a failure")]
    use super::*;

    fn measured() -> Curves {
        let point = |count, cpu_s, wall_s| Point { count, cpu_s, wall_s };
        Curves {
            objects: vec![point(0, 2.0, 2.0), point(1000, 4.0, 4.0)],
            detectors: vec![point(1, 4.0, 4.0), point(2, 9.0, 9.0)],
            workers: vec![point(1, 4.0, 4.0), point(2, 9.5, 5.0)],
        }
    }

    #[test]
    fn two_workers_are_measured_against_their_detectors_one_after_the_other() {
        let curves = measured();
        assert_eq!(curves.efficiency(2), Some(0.9));
        assert_eq!(curves.efficiency(3), None);
        assert!(curves.to_string().contains("one object more: 2000.0 microseconds"), "{curves}");
    }

    #[test]
    fn the_picture_has_three_panels_with_two_lines_each() {
        let svg = measured().svg().unwrap();
        assert_eq!(svg.matches("wall clock").count(), 3);
        assert_eq!(svg.matches("<circle").count(), 12);
    }
}
