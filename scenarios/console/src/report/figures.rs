//! Figures of the report.

use crate::answers::History;
use crate::spread::{Five, Spread};
use plotters::prelude::*;
use validate::ValidateError;
use validate::report::charts::{Axes, FIRST, INK, MUTED, REFERENCE, SECOND, draw};

/// Width of a figure \[pixel\].
const WIDTH: u32 = 620;
/// Height of a row of boxes \[pixel\].
const ROW: u32 = 26;

/// Units made and failed over time.
pub fn pace(history: &History) -> Result<String, ValidateError> {
    let hours = history.bin_s / 3600.0;
    let (unit, bin) = if hours * history.made.len() as f64 > 3.0 { ("h", hours) } else { ("min", history.bin_s / 60.0) };
    let most = history.made.iter().zip(&history.failed).map(|(a, b)| a + b).max().unwrap_or(1).max(1);
    let (x, label) = (format!("Time since the first event, {unit}"), format!("Units in {:.3} {unit}", bin));
    let axes = Axes::linear(&x, &label, 0.0..bin * history.made.len() as f64, 0.0..1.05 * f64::from(most));
    draw((WIDTH, 320), &axes, |chart| {
        for (k, (made, failed)) in history.made.iter().zip(&history.failed).enumerate() {
            let (from, to, made, failed) = (bin * k as f64, bin * (k as f64 + 0.9), f64::from(*made), f64::from(*failed));
            chart.draw_series([Rectangle::new([(from, 0.0), (to, made)], FIRST.mix(0.8).filled())])?;
            if failed > 0.0 {
                chart.draw_series([Rectangle::new([(from, made), (to, made + failed)], SECOND.filled())])?;
            }
        }
        Ok(())
    })
}

/// A row of boxes: name, five numbers, mark.
type Row = (String, Five, f64);

/// Processor time of groups, with what was expected.
pub fn cost(groups: &[Spread]) -> Result<String, ValidateError> {
    let rows = groups.iter().filter_map(|g| Some((g.group.clone(), g.cpu_s?, g.expected_s))).collect();
    boxes("Processor time of a unit, s", rows)
}

/// Memory of groups, with what was planned.
pub fn memory(groups: &[Spread]) -> Result<String, ValidateError> {
    let rows = groups.iter().filter_map(|g| Some((g.group.clone(), g.peak_mb?, g.planned_mb))).collect();
    boxes("Peak memory of the process, MB", rows)
}

/// Boxes with whiskers along a logarithmic axis, the first on top.
fn boxes(label: &str, rows: Vec<Row>) -> Result<String, ValidateError> {
    let log = |v: f64| v.max(1e-4).log10();
    let values = || rows.iter().flat_map(|(_, five, mark)| five.iter().chain([mark]).map(|v| log(*v)));
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let margin = (0.06 * (high - low)).max(0.05);
    // Names stand at the left, before the least value.
    let begin = low - margin - 0.16 * (high - low + 2.0 * margin);
    let mut axes = Axes::linear(label, "", begin..high + margin, 0.0..rows.len() as f64);
    (axes.x_log, axes.y_hidden) = (true, true);
    draw((WIDTH, 80 + ROW * rows.len() as u32), &axes, |chart| {
        for (k, (name, five, mark)) in rows.iter().enumerate() {
            let y = (rows.len() - k) as f64 - 0.5;
            let [least, lower, median, upper, greatest] = five.map(log);
            chart.draw_series([PathElement::new([(least, y), (greatest, y)], MUTED.stroke_width(1))])?;
            chart.draw_series([Rectangle::new([(lower, y - 0.28), (upper, y + 0.28)], FIRST.mix(0.55).filled())])?;
            chart.draw_series([PathElement::new([(median, y - 0.34), (median, y + 0.34)], INK.stroke_width(2))])?;
            chart.draw_series([TriangleMarker::new((log(*mark), y - 0.1), 5, REFERENCE.filled())])?;
            chart.draw_series([Text::new(name.clone(), (begin, y + 0.3), ("sans-serif", 15).into_font().color(&INK))])?;
        }
        Ok(())
    })
}
