//! The look of all charts: one place for sizes, type and colours.
//!
//! Colours are sentinels that become CSS variables, so that the page's light and dark schemes apply to the charts.

use crate::error::ValidateError;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::ops::Range;

/// Text.
pub const INK: RGBColor = RGBColor(16, 17, 18);
/// Axes and secondary text.
pub const MUTED: RGBColor = RGBColor(112, 113, 114);
/// Grid lines.
pub const GRID: RGBColor = RGBColor(224, 225, 226);
/// First series.
pub const FIRST: RGBColor = RGBColor(32, 96, 161);
/// Second series.
pub const SECOND: RGBColor = RGBColor(192, 74, 16);
/// Reference lines.
pub const REFERENCE: RGBColor = RGBColor(46, 125, 80);

const VARIABLES: [(RGBColor, &str); 6] =
    [(INK, "--ink"), (MUTED, "--muted"), (GRID, "--grid"), (FIRST, "--first"), (SECOND, "--second"), (REFERENCE, "--reference")];

/// A chart's axes.
pub struct Axes<'a> {
    /// Label of x with its unit.
    pub x: &'a str,
    /// Label of y with its unit.
    pub y: &'a str,
    /// Range of x.
    pub x_range: Range<f64>,
    /// Range of y.
    pub y_range: Range<f64>,
    /// Ticks of x stand for powers of ten.
    pub x_log: bool,
    /// Ticks of y stand for powers of ten.
    pub y_log: bool,
    /// No ticks, grid and room for labels along y (bars).
    pub y_hidden: bool,
}

impl<'a> Axes<'a> {
    /// Linear axes.
    #[must_use]
    pub fn linear(x: &'a str, y: &'a str, x_range: Range<f64>, y_range: Range<f64>) -> Self {
        Self { x, y, x_range, y_range, x_log: false, y_log: false, y_hidden: false }
    }
}

/// A Cartesian chart on an SVG.
pub type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Font of tick labels.
#[must_use]
pub fn small_font(colour: &RGBColor) -> TextStyle<'_> {
    ("sans-serif", 15).into_font().color(colour)
}

/// Tick label of a number: as many digits as its step needs.
fn tick(value: f64, span: f64) -> String {
    let step = span / 6.0;
    let digits = if step >= 1.0 { 0 } else { (-step.log10()).ceil().clamp(0.0, 6.0) as usize };
    let text = format!("{value:.digits$}");
    // Typographic minus; and no minus at all before zero.
    let zero = text.trim_start_matches('-').chars().all(|c| c == '0' || c == '.');
    if zero { text.trim_start_matches('-').into() } else { text.replace('-', "\u{2212}") }
}

fn power(value: f64) -> String {
    let number = 10f64.powf(value);
    if (0.009..20_000.0).contains(&number) {
        if number >= 0.999 { format!("{number:.0}") } else { format!("{number:.2}") }
    } else {
        format!("{number:.0e}")
    }
}

/// Draws a chart and returns its SVG, with CSS colours and a fluid width.
///
/// # Errors
/// When the chart or its body cannot be drawn.
pub fn draw(
    size: (u32, u32),
    axes: &Axes<'_>,
    body: impl FnOnce(&mut Chart<'_>) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<String, ValidateError> {
    let mut svg = String::new();
    {
        let root: DrawingArea<SVGBackend<'_>, Shift> = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin_top(12)
            .margin_right(18)
            .margin_bottom(4)
            .margin_left(4)
            .x_label_area_size(52)
            .y_label_area_size(if axes.y_hidden { 12 } else { 70 })
            .build_cartesian_2d(axes.x_range.clone(), axes.y_range.clone())
            .map_err(ValidateError::report)?;
        let (x_span, y_span) = (axes.x_range.end - axes.x_range.start, axes.y_range.end - axes.y_range.start);
        let x_format = |v: &f64| if axes.x_log { power(*v) } else { tick(*v, x_span) };
        let y_format = |v: &f64| if axes.y_log { power(*v) } else { tick(*v, y_span) };
        let mut mesh = chart.configure_mesh();
        if axes.y_hidden {
            mesh.disable_y_mesh().disable_y_axis();
        }
        mesh.bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(MUTED)
            .x_labels(if axes.x_log { (x_span.ceil() as usize + 1).max(2) } else { 7 })
            .y_labels(if axes.y_log { (y_span.ceil() as usize + 1).max(2) } else { 6 })
            .x_label_formatter(&x_format)
            .y_label_formatter(&y_format)
            .label_style(small_font(&MUTED))
            .axis_desc_style(("sans-serif", 16).into_font().color(&INK))
            .x_desc(axes.x)
            .y_desc(axes.y)
            .draw()
            .map_err(ValidateError::report)?;
        body(&mut chart).map_err(ValidateError::report)?;
        root.present().map_err(ValidateError::report)?;
    }
    Ok(themed(&svg, size))
}

/// Replaces the sentinel colours and lets the picture take the width of its column.
fn themed(svg: &str, size: (u32, u32)) -> String {
    let mut out = svg.to_string();
    for (colour, variable) in VARIABLES {
        out = out.replace(&format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2), &format!("var({variable})"));
    }
    out.replacen(&format!("width=\"{}\" height=\"{}\"", size.0, size.1), "role=\"img\"", 1)
}

/// Labels series in a corner of the plot, right-aligned lines in their colour.
///
/// # Errors
/// When they cannot be drawn.
pub fn legend(chart: &Chart<'_>, lines: &[(&str, RGBColor)], left: bool, top: bool) -> Result<(), Box<dyn std::error::Error>> {
    use plotters::style::text_anchor::{HPos, Pos, VPos};
    let area = chart.plotting_area();
    let (xs, ys) = area.get_pixel_range();
    let root = area.strip_coord_spec();
    let width = xs.end - xs.start;
    let height = ys.end - ys.start;
    for (i, (text, colour)) in lines.iter().enumerate() {
        let y = if top { 8 + 20 * i as i32 } else { height - 10 - 20 * (lines.len() - i) as i32 };
        let (x, anchor) = if left { (10, HPos::Left) } else { (width - 10, HPos::Right) };
        let style = ("sans-serif", 15).into_font().color(colour).pos(Pos::new(anchor, VPos::Top));
        root.draw(&Text::new((*text).to_string(), (x, y), style))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_have_the_digits_their_step_needs_and_zero_has_no_sign() {
        assert_eq!(tick(0.25, 1.0), "0.2");
        assert_eq!(tick(-0.000_000_1, 1.0), "0.0");
        assert_eq!(tick(-12.0, 40.0), "\u{2212}12");
        assert_eq!(power(2.0), "100");
    }
}
