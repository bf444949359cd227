//! The figures of a frame. Each returns title, SVG and a caption that says what is shown and how to read it.

use super::charts::{Axes, FIRST, GRID, INK, MUTED, REFERENCE, SECOND, draw, legend};
use crate::error::ValidateError;
use crate::measures::charge_transfer::TransferBin;
use crate::measures::completeness::CompletenessBin;
use crate::measures::{FrameMeasures, Histogram};
use plotters::prelude::*;
use sim_core::knowledge::Measured;

const SIZE: (u32, u32) = (620, 390);
/// Most points of a scatter figure: enough to see, few enough to keep the page small.
const MOST_POINTS: usize = 900;

type Figure = (String, String, String);

/// All figures for which there is something to show.
pub fn of_frame(f: &FrameMeasures) -> Result<Vec<Figure>, ValidateError> {
    let mut out = Vec::new();
    if !f.completeness.star_by_magnitude.is_empty() || !f.completeness.galaxy_by_magnitude.is_empty() {
        out.push(completeness(f)?);
    }
    if !f.completeness.isolated_by_snr.is_empty() {
        out.push(recovery(f)?);
    }
    if f.photometry.len() >= 3 {
        out.push(photometry(f)?);
    }
    if let Some(h) = f.histograms.iter().find(|h| h.name == "PSF photometry" && h.moments.is_some()) {
        let caption = "Pulls of forced PSF photometry, (measured \u{2212} true) / error, of isolated stars with SNR 5 to 200 that did not set the scale. The curve is the unit normal: a wider histogram means underestimated errors, a shifted one a bias.";
        out.push(("Photometric pulls".into(), histogram(h)?, caption.into()));
    }
    if f.astrometry.len() >= 3 {
        out.push(astrometry_scatter(f)?);
        out.push(astrometry_noise(f)?);
    }
    if f.growth.is_some() {
        out.push(growth(f)?);
    }
    if f.noise.measured > 0.0 {
        out.push(noise(f)?);
    }
    if let Some(h) = f.histograms.iter().find(|h| h.name == "Blank sky") {
        let caption = "Pixels between the sources, in units of the error the weight map states. The curve is the unit normal; logarithmic, so that tails can be seen: hot pixels and faint sources to the right; to the left what weights made from the pixel's own value overstate.";
        out.push(("Blank sky against the weight map".into(), log_histogram(h)?, caption.into()));
    }
    if let Some(h) = f.histograms.iter().find(|h| h.name == "Level 1 minus truth") {
        let caption = "All good pixels: (level 1 \u{2212} noiseless truth) / expected noise, logarithmic. The curve is the unit normal.";
        out.push(("Level 1 minus truth".into(), log_histogram(h)?, caption.into()));
    }
    if !f.transfer.is_empty() {
        out.push(transfer(f, "Light of stars", "Light gained, per cent", &|b| b.light, 100.0)?);
        out.push(transfer(f, "Places of stars along the columns", "Shift from the register, pixel", &|b| b.centroid_px, 1.0)?);
        out.push(transfer(f, "Shapes of stars along the columns", "Change of ellipticity", &|b| b.ellipticity, 1.0)?);
    }
    Ok(out)
}

/// Stars by distance from the register, before and after the correction of charge transfer.
fn transfer(
    f: &FrameMeasures,
    title: &str,
    y: &str,
    of: &dyn Fn(&TransferBin) -> [Measured; 2],
    scale: f64,
) -> Result<Figure, ValidateError> {
    let ends = f.transfer.iter().flat_map(|b| of(b).map(|v| [(v.value - v.error) * scale, (v.value + v.error) * scale])).flatten();
    let (low, high) = ends.fold((0.0_f64, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
    let room = 0.12 * (high - low).max(1e-6);
    let far = f.transfer.iter().map(|b| b.distance_rows).fold(0.0, f64::max) * 1.15;
    let axes = Axes::linear("Distance from the register, rows", y, 0.0..far, low - room..high + room);
    let svg = draw(SIZE, &axes, |chart| {
        chart.draw_series(LineSeries::new([(0.0, 0.0), (far, 0.0)], MUTED.stroke_width(1)))?;
        for (when, colour) in [(0, SECOND), (1, FIRST)] {
            let mut classes: Vec<f64> = f.transfer.iter().map(|b| b.low_electron).collect();
            classes.dedup();
            for (number, class) in classes.iter().enumerate() {
                let bins = f.transfer.iter().filter(|b| b.low_electron == *class);
                let points: Vec<(f64, Measured)> = bins.map(|b| (b.distance_rows + 25.0 * number as f64, of(b)[when])).collect();
                chart.draw_series(LineSeries::new(
                    points.iter().map(|(x, b)| (*x, b.value * scale)),
                    colour.stroke_width(1 + number as u32),
                ))?;
                for &(x, b) in &points {
                    let bar = [(x, (b.value - b.error) * scale), (x, (b.value + b.error) * scale)];
                    chart.draw_series(LineSeries::new(bar, colour.stroke_width(1)))?;
                    chart.draw_series([Circle::new((x, b.value * scale), 2 + number as i32, colour.filled())])?;
                }
            }
        }
        legend(chart, &[("as read out", SECOND), ("charge transfer undone", FIRST)], true, true)
    })?;
    let caption = "Means of stars of 300 to 1000, 1000 to 3000 and more electrons (small to large dots) against the noiseless truth, with standard errors, by distance from the serial register: as read out, and with charge transfer undone by traps fitted to flats.";
    Ok((title.into(), svg, caption.into()))
}

fn points_with_errors(
    chart: &mut super::charts::Chart<'_>,
    bins: &[CompletenessBin],
    log: bool,
    colour: RGBColor,
) -> Result<(), Box<dyn std::error::Error>> {
    let centre = |b: &CompletenessBin| if log { 0.5 * (b.low.log10() + b.high.log10()) } else { 0.5 * (b.low + b.high) };
    chart.draw_series(LineSeries::new(bins.iter().map(|b| (centre(b), b.fraction)), colour.stroke_width(2)))?;
    chart.draw_series(bins.iter().map(|b| {
        PathElement::new(
            [(centre(b), (b.fraction - b.error).max(0.0)), (centre(b), (b.fraction + b.error).min(1.04))],
            colour.stroke_width(1),
        )
    }))?;
    chart.draw_series(bins.iter().map(|b| Circle::new((centre(b), b.fraction), 3, colour.filled())))?;
    Ok(())
}

fn completeness(f: &FrameMeasures) -> Result<Figure, ValidateError> {
    let (stars, galaxies) = (&f.completeness.star_by_magnitude, &f.completeness.galaxy_by_magnitude);
    let both = || stars.iter().chain(galaxies);
    let low = both().map(|b| b.low).fold(f64::INFINITY, f64::min).max(16.0);
    let high = both().map(|b| b.high).fold(0.0, f64::max).max(low + 1.0);
    let axes = Axes::linear("True AB magnitude", "Fraction found", low..high, 0.0..1.05);
    let svg = draw(SIZE, &axes, |chart| {
        chart.draw_series(LineSeries::new([(low, 0.5), (high, 0.5)], GRID.stroke_width(2)))?;
        let inside = |bins: &[CompletenessBin]| bins.iter().filter(|b| b.low >= low).copied().collect::<Vec<_>>();
        points_with_errors(chart, &inside(galaxies), false, SECOND)?;
        points_with_errors(chart, &inside(stars), false, FIRST)?;
        let mut lines = Vec::new();
        if !stars.is_empty() {
            lines.push(("stars", FIRST));
        }
        if !galaxies.is_empty() {
            lines.push(("galaxies", SECOND));
        }
        legend(chart, &lines, true, false)
    })?;
    let caption = "Fraction of true objects with a detection within 2 pixels, in half-magnitude bins; bars are 68 % binomial intervals. Blended and contaminated objects count.";
    Ok(("Completeness".into(), svg, caption.into()))
}

fn recovery(f: &FrameMeasures) -> Result<Figure, ValidateError> {
    let bins = &f.completeness.isolated_by_snr;
    let mut axes = Axes::linear("Expected signal-to-noise of the PSF flux", "Fraction found", 0.0..3.0, 0.0..1.05);
    axes.x_log = true;
    let svg = draw(SIZE, &axes, |chart| {
        let five = 5f64.log10();
        chart.draw_series(LineSeries::new([(five, 0.0), (five, 1.05)], REFERENCE.stroke_width(1)))?;
        chart.draw_series(LineSeries::new([(five, 0.95), (3.0, 0.95)], REFERENCE.stroke_width(1)))?;
        let inside: Vec<_> = bins.iter().filter(|b| b.high <= 1000.0).copied().collect();
        points_with_errors(chart, &inside, true, FIRST)?;
        legend(chart, &[("required: 95 % above SNR 5", REFERENCE)], false, false)
    })?;
    let caption = "Isolated true point sources against the signal-to-noise a PSF fit would have (true flux, measured sky noise). All above SNR 5 together must lie above the green line.";
    Ok(("Recovery of isolated stars".into(), svg, caption.into()))
}

/// Every n-th element, so that at most `MOST_POINTS` remain.
fn thin<T: Copy>(points: &[T]) -> Vec<T> {
    let step = points.len().div_ceil(MOST_POINTS).max(1);
    points.iter().step_by(step).copied().collect()
}

fn photometry(f: &FrameMeasures) -> Result<Figure, ValidateError> {
    let points: Vec<_> = f.photometry.iter().filter(|p| p.snr > 3.0).copied().collect();
    let low = points.iter().map(|p| p.magnitude).fold(f64::INFINITY, f64::min).floor();
    let high = points.iter().map(|p| p.magnitude).fold(0.0, f64::max).ceil().max(low + 1.0);
    let axes = Axes::linear("True AB magnitude", "Measured \u{2212} true magnitude", low..high, -0.42..0.42);
    // Median expected error per half magnitude.
    let band: Vec<(f64, f64)> = (0..((high - low) * 2.0) as usize)
        .filter_map(|k| {
            let (a, b) = (low + 0.5 * k as f64, low + 0.5 * (k + 1) as f64);
            let mut snr: Vec<f64> = points.iter().filter(|p| p.magnitude >= a && p.magnitude < b).map(|p| p.snr).collect();
            (!snr.is_empty()).then(|| (0.5 * (a + b), 1.0857 / crate::statistics::median64(&mut snr)))
        })
        .collect();
    let svg = draw(SIZE, &axes, |chart| {
        let outline: Vec<(f64, f64)> =
            band.iter().map(|p| (p.0, p.1.min(0.42))).chain(band.iter().rev().map(|p| (p.0, -p.1.min(0.42)))).collect();
        chart.draw_series([Polygon::new(outline, FIRST.mix(0.16))])?;
        chart.draw_series(LineSeries::new([(low, 0.0), (high, 0.0)], MUTED.stroke_width(1)))?;
        let inside =
            |calibrator: bool| thin(&points).into_iter().filter(move |p| p.calibrator == calibrator && p.difference_mag.abs() < 0.42);
        chart.draw_series(inside(false).map(|p| Circle::new((p.magnitude, p.difference_mag), 2, FIRST.mix(0.55).filled())))?;
        chart.draw_series(inside(true).map(|p| Circle::new((p.magnitude, p.difference_mag), 2, SECOND.filled())))?;
        legend(chart, &[("judged", FIRST), ("set the scale", SECOND)], true, true)
    })?;
    let caption = "Forced PSF photometry of isolated, unsaturated stars on good pixels. The band is one expected standard error: two thirds of the points should lie inside. Orange stars played the photometric standards and are not judged.";
    Ok(("Photometry against truth".into(), svg, caption.into()))
}

fn normal_curve(scale: f64, steps: usize) -> impl Iterator<Item = (f64, f64)> {
    (0..=steps).map(move |k| {
        let x = -5.0 + 10.0 * k as f64 / steps as f64;
        (x, scale * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt())
    })
}

fn moments_text(h: &Histogram) -> String {
    h.moments.map_or_else(String::new, |m| {
        format!("mean {:+.3} \u{b1} {:.3}, std {:.3} \u{b1} {:.3}, n = {}", m.mean, m.mean_error, m.std, m.std_error, m.count)
            .replace("-", "\u{2212}")
    })
}

/// A pull histogram with the unit normal.
pub fn histogram(h: &Histogram) -> Result<String, ValidateError> {
    let width = (h.high - h.low) / h.counts.len() as f64;
    let total: u64 = h.counts.iter().sum::<u64>().max(1);
    let density = |c: u64| c as f64 / total as f64 / width;
    let top = h.counts.iter().map(|&c| density(c)).fold(0.4, f64::max) * 1.22;
    let axes = Axes::linear("Pull (standard deviations)", "Density", -5.0..5.0, 0.0..top);
    draw(SIZE, &axes, |chart| {
        chart.draw_series(h.counts.iter().enumerate().map(|(i, &c)| {
            let x = h.low + i as f64 * width;
            Rectangle::new([(x, 0.0), (x + width, density(c))], FIRST.mix(0.45).filled())
        }))?;
        chart.draw_series(LineSeries::new(normal_curve(1.0, 120), SECOND.stroke_width(2)))?;
        legend(chart, &[(&moments_text(h), INK), ("unit normal", SECOND)], false, true)
    })
}

/// A pull histogram with a logarithmic count axis.
fn log_histogram(h: &Histogram) -> Result<String, ValidateError> {
    let width = (h.high - h.low) / h.counts.len() as f64;
    let total: u64 = h.counts.iter().sum::<u64>().max(1);
    let floor = -7.0_f64.min((total as f64 * width).log10());
    let value = |c: u64| (c as f64 / total as f64 / width).log10().max(floor);
    let mut axes = Axes::linear("Pull (standard deviations)", "Density", -5.0..5.0, floor..0.7);
    axes.y_log = true;
    draw(SIZE, &axes, |chart| {
        chart.draw_series(h.counts.iter().enumerate().filter(|(_, c)| **c > 0).map(|(i, &c)| {
            let x = h.low + i as f64 * width;
            Rectangle::new([(x, floor), (x + width, value(c))], FIRST.mix(0.45).filled())
        }))?;
        let curve = normal_curve(1.0, 160).map(|(x, y)| (x, y.log10())).filter(|p| p.1 > floor);
        chart.draw_series(LineSeries::new(curve, SECOND.stroke_width(2)))?;
        legend(chart, &[(&moments_text(h), INK), ("unit normal", SECOND)], false, true)
    })
}

fn astrometry_scatter(f: &FrameMeasures) -> Result<Figure, ValidateError> {
    let mas = f.pixel_scale_arcsec * 1000.0;
    let points: Vec<(f64, f64, f64)> =
        f.astrometry.iter().filter(|p| p.snr > 10.0).map(|p| (p.dx_px * mas, p.dy_px * mas, p.snr)).collect();
    let mut sizes: Vec<f64> = points.iter().map(|p| p.0.abs().max(p.1.abs())).collect();
    sizes.sort_by(f64::total_cmp);
    let reach = sizes.get(sizes.len() * 97 / 100).copied().unwrap_or(5.0).clamp(0.5, 100.0) * 1.15;
    // Equal scales on both axes: the plot is that much wider than high.
    let wide = reach * 528.0 / 352.0;
    let axes = Axes::linear("Column, measured \u{2212} true (mas)", "Row, measured \u{2212} true (mas)", -wide..wide, -reach..reach);
    let svg = draw((620, 420), &axes, |chart| {
        chart.draw_series(LineSeries::new([(-wide, 0.0), (wide, 0.0)], MUTED.stroke_width(1)))?;
        chart.draw_series(LineSeries::new([(0.0, -reach), (0.0, reach)], MUTED.stroke_width(1)))?;
        let inside = |low: f64, high: f64| {
            thin(&points).into_iter().filter(move |p| p.2 >= low && p.2 < high && p.0.abs() < reach && p.1.abs() < reach)
        };
        chart.draw_series(inside(0.0, 50.0).map(|p| Circle::new((p.0, p.1), 2, FIRST.mix(0.45).filled())))?;
        chart.draw_series(inside(50.0, f64::INFINITY).map(|p| Circle::new((p.0, p.1), 2, SECOND.filled())))?;
        legend(chart, &[("SNR 10 to 50", FIRST), ("SNR above 50", SECOND)], true, true)
    })?;
    let caption = "Centroids of isolated stars from the PSF fit, minus their true positions (smooth offset of the PSF's origin removed). Round and centred when neither axis is biased.";
    Ok(("Positions".into(), svg, caption.into()))
}

fn astrometry_noise(f: &FrameMeasures) -> Result<Figure, ValidateError> {
    let mas = f.pixel_scale_arcsec * 1000.0;
    let edges = [5.0, 8.0, 12.0, 20.0, 30.0, 50.0, 80.0, 120.0, 200.0, 300.0, 500.0, 1000.0];
    let mut measured = Vec::new();
    let mut predicted = Vec::new();
    for edge in edges.windows(2) {
        let inside: Vec<_> = f.astrometry.iter().filter(|p| p.snr >= edge[0] && p.snr < edge[1]).collect();
        if inside.len() < 4 {
            continue;
        }
        let x = 0.5 * (edge[0].log10() + edge[1].log10());
        let mut both: Vec<f64> = inside.iter().flat_map(|p| [p.dx_px.abs(), p.dy_px.abs()]).collect();
        let mut errors: Vec<f64> = inside.iter().flat_map(|p| [p.x_error_px, p.y_error_px]).collect();
        let n = both.len() as f64;
        // Median modulus of a normal is 0.6745 sigma; its relative error 0.823 / sqrt(n).
        let sigma = crate::statistics::median64(&mut both) / 0.6745 * mas;
        measured.push((x, sigma.log10(), std::f64::consts::LOG10_E * 1.17 / n.sqrt()));
        predicted.push((x, (crate::statistics::median64(&mut errors) * mas).log10()));
    }
    let all = || measured.iter().map(|p| p.1).chain(predicted.iter().map(|p| p.1));
    let low = all().fold(f64::INFINITY, f64::min).min(0.5).floor();
    let high = all().fold(f64::NEG_INFINITY, f64::max).max(low + 1.0).ceil();
    let mut axes = Axes::linear("Expected signal-to-noise", "Scatter per axis (mas)", 0.6..3.0, low..high);
    (axes.x_log, axes.y_log) = (true, true);
    let svg = draw(SIZE, &axes, |chart| {
        chart.draw_series(LineSeries::new(predicted.iter().copied(), SECOND.stroke_width(2)))?;
        chart.draw_series(measured.iter().map(|p| PathElement::new([(p.0, p.1 - p.2), (p.0, p.1 + p.2)], FIRST.stroke_width(1))))?;
        chart.draw_series(measured.iter().map(|p| Circle::new((p.0, p.1), 3, FIRST.filled())))?;
        legend(chart, &[("measured", FIRST), ("predicted by the fit (Cram\u{e9}r\u{2013}Rao)", SECOND)], false, true)
    })?;
    let caption = "Robust scatter of the positions against the error the PSF fit predicts. Points above the line at high signal-to-noise show the floor of the PSF model.";
    Ok(("Centroid noise".into(), svg, caption.into()))
}

fn growth(f: &FrameMeasures) -> Result<Figure, ValidateError> {
    let Some(g) = &f.growth else { return Err(ValidateError::report("no growth curve")) };
    let mut axes = Axes::linear("Radius (pixel)", "Fraction of the light inside", -0.6..1.62, 0.0..1.05);
    axes.x_log = true;
    let stated = (crate::measures::depth::APERTURE_ARCSEC / f.pixel_scale_arcsec).log10();
    let svg = draw(SIZE, &axes, |chart| {
        chart.draw_series(LineSeries::new([(-0.6, 0.8), (1.62, 0.8)], REFERENCE.stroke_width(1)))?;
        chart.draw_series(LineSeries::new([(stated, 0.0), (stated, 1.05)], REFERENCE.stroke_width(1)))?;
        chart.draw_series(LineSeries::new(g.radius_px.iter().zip(&g.fraction).map(|(r, v)| (r.log10(), *v)), FIRST.stroke_width(2)))?;
        chart.draw_series(
            g.radius_px
                .iter()
                .zip(&g.fraction)
                .filter(|(r, _)| crate::level2::aperture::RADII_PX.contains(r))
                .map(|(r, v)| Circle::new((r.log10(), *v), 3, FIRST.filled())),
        )?;
        legend(chart, &[("80 %, and r = 0.15\u{2033}", REFERENCE), ("dots: the official apertures", FIRST)], false, false)
    })?;
    let caption = format!(
        "Growth curve of {} bright stars, pixel included; 1 at 40 pixels. Its value at an aperture is that aperture's correction.",
        g.stars
    );
    Ok(("Growth curve".into(), svg, caption))
}

fn noise(f: &FrameMeasures) -> Result<Figure, ValidateError> {
    let predicted: f64 = f.noise.predicted.iter().map(|p| p.variance).sum();
    let top = predicted.max(f.noise.measured).max(f.noise.stated) * 1.28;
    let mut axes = Axes::linear("Variance of blank sky (electron\u{b2} per pixel)", "", 0.0..top, 0.0..3.0);
    axes.y_hidden = true;
    let shades = [0.85, 0.65, 0.5, 0.35, 0.25, 0.15];
    let svg = draw((620, 300), &axes, |chart| {
        let mut bar = |row: f64, from: f64, to: f64, colour: RGBAColor| {
            chart.draw_series([Rectangle::new([(from, row + 0.22), (to, row + 0.72)], colour.filled())]).map(|_| ())
        };
        let mut at = 0.0;
        for (term, shade) in f.noise.predicted.iter().zip(shades) {
            bar(2.0, at, at + term.variance, FIRST.mix(shade))?;
            at += term.variance;
        }
        bar(1.0, 0.0, f.noise.stated, REFERENCE.mix(0.7))?;
        bar(0.0, 0.0, f.noise.measured, SECOND.mix(0.8))?;
        let (m, e) = (f.noise.measured, f.noise.measured_error);
        chart.draw_series([PathElement::new([(m - e, 0.47), (m + e, 0.47)], INK.stroke_width(2))])?;
        let measured = crate::measures::Measure { value: m, error: Some(e), count: None };
        let label = |x: f64, y: f64, text: String| Text::new(text, (x, y), ("sans-serif", 15).into_font().color(&INK));
        chart.draw_series([
            label(0.0, 2.93, if predicted > 0.0 { format!("predicted {predicted:.1}") } else { "not predicted".into() }),
            label(0.0, 1.93, format!("stated by the weight map {:.1}", f.noise.stated)),
            label(0.0, 0.93, format!("measured {}", super::tables::with_error(&measured))),
        ])?;
        Ok(())
    })?;
    let parts: Vec<String> = f.noise.predicted.iter().filter(|p| p.variance > 0.0).map(|p| p.name.to_lowercase()).collect();
    let caption = if parts.is_empty() {
        "Variance of one pixel of blank sky: what the weight map states and what is measured between the sources.".to_string()
    } else {
        format!(
            "Variance of one pixel of blank sky. The predicted bar stacks, from the left and darkest first: {}. All three should end at the same place.",
            parts.join(", ")
        )
    };
    Ok(("Noise budget".into(), svg, caption))
}
