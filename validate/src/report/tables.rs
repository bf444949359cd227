//! Numbers of the report as rows of text: rounding to their errors happens here and nowhere else.

use crate::criteria::{Outcome, Verdict, VerdictLine};
use crate::measures::cosmic_rays::{Ceiling, Ratio};
use crate::measures::effect::EffectMeasures;
use crate::measures::reference::ReferenceMeasures;
use crate::measures::{FrameMeasures, MEASURES, Measure, Measures};
use minijinja::{Value, context};

/// A number with as many digits as its error (or its size) justifies.
pub fn number(value: f64, error: Option<f64>) -> String {
    let digits = match error {
        Some(e) if e > 0.0 => (1.0 - e.log10().floor()).clamp(0.0, 6.0) as usize,
        _ if value == value.round() && value.abs() < 1e7 => 0,
        _ if value.abs() >= 100.0 => 1,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let zero = text.trim_start_matches('-').chars().all(|c| c == '0' || c == '.');
    if zero { text.trim_start_matches('-').into() } else { text.replace('-', "\u{2212}") }
}

/// Value and error.
pub fn with_error(m: &Measure) -> String {
    match m.error {
        Some(e) if e > 0.0 => format!("{} \u{b1} {}", number(m.value, m.error), number(e, m.error)),
        _ => number(m.value, None),
    }
}

fn range(line: &VerdictLine) -> String {
    let plain = |v: f64| format!("{v}").replace('-', "\u{2212}");
    let base = match (line.criterion.min, line.criterion.max) {
        (Some(low), Some(high)) => format!("{} to {}", plain(low), plain(high)),
        (Some(low), None) => format!("\u{2265} {}", plain(low)),
        (None, Some(high)) => format!("\u{2264} {}", plain(high)),
        (None, None) => String::new(),
    };
    if line.criterion.allow_sigma > 0.0 { format!("{base} (\u{b1} {}\u{3c3})", line.criterion.allow_sigma) } else { base }
}

/// Verdict lines grouped by measure, in the order of the criteria.
pub fn verdict_groups(verdict: &Verdict) -> Vec<Value> {
    let mut groups: Vec<(String, Vec<&VerdictLine>)> = Vec::new();
    for line in &verdict.lines {
        let key = line.criterion.measure.clone();
        match groups.iter_mut().find(|g| g.0 == key) {
            Some(group) => group.1.push(line),
            None => groups.push((key, vec![line])),
        }
    }
    let word = |o: Outcome| match o {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::NotMeasured => "not measured",
    };
    groups
        .iter()
        .map(|(_, lines)| {
            let rows: Vec<Value> = lines
                .iter()
                .map(|l| {
                    context! {
                        subject => l.subject,
                        value => l.measure.as_ref().map_or_else(|| "\u{2013}".to_string(), with_error),
                        unit => l.unit,
                        count => l.measure.as_ref().and_then(|m| m.count),
                        range => range(l),
                        outcome => word(l.outcome),
                        class => word(l.outcome).replace(' ', "-"),
                        required => l.criterion.required,
                        source => l.criterion.source,
                    }
                })
                .collect();
            context! { measure => lines[0].criterion.measure, meaning => lines[0].meaning, rows }
        })
        .collect()
}

/// One row per frame with the numbers that matter most.
pub fn overview(frames: &[FrameMeasures]) -> Vec<Value> {
    frames
        .iter()
        .map(|f| {
            let cell =
                |name: &str| f.values.get(name).map_or_else(|| "\u{2013}".to_string(), |m| number(m.value, m.error.map(|e| 10.0 * e)));
            context! {
                label => f.label,
                id => f.label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect::<String>(),
                cells => [
                    "sky_electron_s", "psf_fwhm_px", "detections", "recovery_isolated_snr5", "photometry_pull_mean",
                    "photometry_pull_std", "astrometry_pull_std", "zero_point_offset", "noise_ratio", "depth_5sigma",
                ].map(cell).to_vec(),
            }
        })
        .collect()
}

/// All measures as rows.
pub fn measures(values: &Measures) -> Vec<Value> {
    MEASURES
        .iter()
        .filter_map(|(name, unit, meaning)| {
            values.get(name).map(|m| context! { name, unit, meaning, value => with_error(m), count => m.count })
        })
        .collect()
}

/// Effects before and after they were undone, a row each: pixels, then stars.
pub fn effects(effects: &[EffectMeasures]) -> Vec<Value> {
    let row = |e: &EffectMeasures| {
        let value = |name: String, scale: f64| e.values.get(&name).map(|m| (scale * m.value, m.error.map(|error| scale * error)));
        let change = |quantity: &str, scale: f64, digits: usize, with_error: bool| {
            let plain = |v: f64| {
                let text = format!("{v:.digits$}");
                if text.chars().all(|c| "-0.".contains(c)) { text.replace('-', "") } else { text.replace('-', "\u{2212}") }
            };
            let (was, is) = (value(format!("effect_{quantity}_before"), scale), value(format!("effect_{quantity}_after"), scale));
            match (was, is) {
                (Some((was, _)), Some((is, error))) => {
                    let error = error.filter(|_| with_error).map_or_else(String::new, |e| format!(" \u{b1} {}", plain(e)));
                    format!("{} \u{2192} {}{error}", plain(was), plain(is))
                }
                _ => "\u{2013}".into(),
            }
        };
        let left = value("effect_left".into(), 100.0).map_or_else(|| "\u{2013}".into(), |(v, _)| format!("{v:.1}"));
        let pixels = [change("pixels", 1.0, 0, false), change("rms", 1.0, 3, false), left].to_vec();
        let stars = [change("flux", 100.0, 2, true), change("size", 100.0, 2, true), change("shift", 1.0, 4, false)];
        let stars = [stars.to_vec(), vec![change("ellipticity", 1.0, 4, false)]].concat();
        let measured = e.values.get("effect_flux_after").and_then(|m| m.count);
        context! { effect => e.effect, frame => e.frame, pixels, stars, measured }
    };
    effects.iter().map(row).collect()
}

/// Figures of references, a row each.
pub fn references(references: &[ReferenceMeasures]) -> Vec<Value> {
    let row = |r: &ReferenceMeasures| {
        let offset = r.values.get("reference_offset").map_or_else(|| "\u{2013}".to_string(), with_error);
        context! { figure => r.figure, meaning => r.meaning, reference => r.reference, subject => r.subject, offset }
    };
    references.iter().map(row).collect()
}

/// The measures of a frame.
pub fn facts(f: &FrameMeasures) -> Vec<Value> {
    measures(&f.values)
}

/// The noise budget as rows.
pub fn noise(f: &FrameMeasures) -> Vec<Value> {
    let total: f64 = f.noise.predicted.iter().map(|p| p.variance).sum();
    f.noise
        .predicted
        .iter()
        .map(|p| context! { name => p.name, variance => format!("{:.2}", p.variance), share => format!("{:.1}", 100.0 * p.variance / total) })
        .collect()
}

/// A total with thousands separated by thin spaces.
fn grouped(value: f64) -> String {
    if value != 0.0 && value.abs() < 1000.0 {
        return format!("{value:.3}");
    }
    let digits = format!("{value:.0}");
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |d| ("\u{2212}", d));
    let mut out = String::from(sign);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push('\u{2009}');
        }
        out.push(c);
    }
    out
}

/// The ledger as rows.
pub fn ledger(f: &FrameMeasures) -> Vec<Value> {
    f.ledger
        .iter()
        .map(|l| {
            context! {
                name => l.name, plane => l.plane, unit => l.unit,
                added => grouped(l.ledger.added), lost => grouped(l.ledger.lost), net => grouped(l.ledger.net()),
            }
        })
        .collect()
}

/// Scores of cosmic rays as rows; every number with its ceiling.
pub fn cosmic_rays(f: &FrameMeasures) -> Vec<Value> {
    let dash = || "\u{2013}".to_string();
    let percent = |r: &Ratio| {
        let (value, error) = r.fraction();
        if r.whole == 0 { dash() } else { format!("{:.2} \u{b1} {:.2}", 100.0 * value, 100.0 * error) }
    };
    f.cosmic_rays
        .iter()
        .map(|r| {
            let limit = |of: fn(&Ceiling) -> f64| r.ceiling.as_ref().map_or_else(dash, |c| format!("{:.2}", 100.0 * of(c)));
            let s = &r.score;
            context! {
                what => r.what, truth => r.truth, pixels => s.recall.whole, hits => s.events.whole,
                recall => percent(&s.recall), recall_ceiling => limit(|c| c.recall),
                precision => percent(&s.precision), precision_ceiling => limit(|c| c.precision),
                f1 => format!("{:.2}", 100.0 * s.f1()), f1_ceiling => limit(Ceiling::f1),
                near => format!("{} / {}", percent(&s.recall_near), percent(&s.precision_near)),
                events => percent(&s.events),
                damage => if s.source_damage.whole == 0 { dash() } else { format!("{:.1e} of {}", s.source_damage.value(), s.source_damage.whole) },
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_two_digits_of_their_error() {
        assert_eq!(number(26.3041, Some(0.0123)), "26.304");
        assert_eq!(number(-0.0123, Some(0.02)), "\u{2212}0.012");
        assert_eq!(number(512.0, None), "512");
        assert_eq!(number(-0.00003, Some(0.05)), "0.000");
        assert_eq!(grouped(1_234_567.0), "1\u{2009}234\u{2009}567");
    }
}
