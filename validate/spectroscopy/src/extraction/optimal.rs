//! Optimal extraction: each column fitted by the profile.
//!
//! # Formula
//! `f = sum (P D / V) / sum (P^2 / V)`, `var f = 1 / sum (P^2 / V)`; a pixel is left out when `(D - f P)^2 > k^2 (V + (0.1 f P + 0.02 f)^2)`, the worst first.
//! # Symbols
//! P  share of the light in a pixel;  D, V  its rate and variance, by the model f P;  k  limit of rejection
//! # Source
//! Horne 1986 (PASP 98, 609). First guess of f: median of D / P weighted by P / root V, which a hit on less than half of the light does not move.
//! # Limits
//! Pixels are rejected against the profile across the trace alone, so a line, however sharp, stays; a hit with the profile's shape stays too. The parts of
//! the profile in the limit (0.1 of the pixel, 0.02 of the column; assumed) allow for profiles that are not quite right. Below half of the profile an element has no value.

use super::boxed::Element;
use super::elements::{Patch, PatchColumn};
use super::profile::{Profile, STEP};
use super::psf::unpixelled;
use super::weighted_median::weighted_median;
use sim_core::flags::COSMIC_RAY;

/// Uncertainty of the profile in a pixel, of the pixel and of the column (assumed).
const TOLERANCE: (f64, f64) = (0.1, 0.02);

/// One column within `half` rows of the trace; rejected pixels become not good and get the flag of a cosmic ray. `reject` in sigma, infinite for none.
pub fn column(column: &mut PatchColumn, profile: &Profile, half: f64, reject: f64, time_s: f64) -> Element {
    let w = column.wavelength_nm;
    let table = profile.bracket(w);
    let below = |d: f64| (1.0 - table.2) * table.0.at(d) + table.2 * table.1.at(d);
    let share = |d: f64| below(d + 0.5) - below(d - 0.5);
    let mut used: Vec<(usize, f64)> = Vec::with_capacity(column.pixels.len());
    let (mut flags, mut whole) = (0, 0.0);
    for (i, p) in column.pixels.iter().enumerate().filter(|(_, p)| p.distance.abs() <= half + 0.5) {
        flags |= p.flags;
        let s = share(p.distance);
        whole += s;
        if p.good && s > 0.0 {
            used.push((i, s));
        }
    }
    // The frame's edge cuts the profile too: what is missing counts as lost.
    whole = whole.max(below(half) - below(-half));
    let each = used.iter().map(|&(i, s)| (column.pixels[i].rate / s, s / column.pixels[i].variance.sqrt()));
    let mut rate = weighted_median(each.collect()).unwrap_or(0.0);
    loop {
        for &(i, s) in &used {
            let p = &mut column.pixels[i];
            p.variance = p.variance_of(rate.max(0.0) * s, time_s);
        }
        let worst = used
            .iter()
            .enumerate()
            .map(|(k, &(i, s))| {
                let p = &column.pixels[i];
                let slack = TOLERANCE.0 * rate * s + TOLERANCE.1 * rate;
                (k, (p.rate - rate * s).powi(2) / (p.variance + slack * slack))
            })
            .max_by(|a, b| a.1.total_cmp(&b.1));
        match worst {
            Some((k, excess)) if excess > reject * reject && used.len() > 2 => {
                let (i, _) = used.swap_remove(k);
                column.pixels[i].good = false;
                column.pixels[i].flags |= COSMIC_RAY as u16;
                flags |= COSMIC_RAY as u16;
                rate = fit(column, &used).rate;
            }
            _ => break,
        }
    }
    let enclosed: f64 = used.iter().map(|u| u.1).sum();
    if enclosed < 0.5 * whole || used.is_empty() {
        return Element { flags, ..Element::NONE };
    }
    // Twice: the variance of the fit's own model.
    rate = fit(column, &used).rate;
    for &(i, s) in &used {
        let p = &mut column.pixels[i];
        p.variance = p.variance_of(rate.max(0.0) * s, time_s);
    }
    Element { flags, ..fit(column, &used) }
}

fn fit(column: &PatchColumn, used: &[(usize, f64)]) -> Element {
    let (mut top, mut bottom, mut contamination, mut background, mut lever) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for &(i, s) in used {
        let p = &column.pixels[i];
        let weight = s / p.variance;
        top += weight * p.rate;
        bottom += weight * s;
        contamination += weight * p.contamination;
        background += weight * p.background;
        lever += weight;
    }
    let (contamination, background, lever) = (contamination / bottom, background / bottom, lever / bottom);
    Element { rate: top / bottom, variance: 1.0 / bottom, contamination, background, lever, flags: 0, partial: false }
}

/// All columns.
#[must_use]
pub fn extract(patch: &mut Patch, profile: &Profile, half: f64, reject: f64) -> Vec<Element> {
    let time_s = patch.time_s;
    patch.columns.iter_mut().map(|c| column(c, profile, half, reject, time_s)).collect()
}

/// The profile of the data themselves, one for the whole trace: least squares of all columns, each scaled by its rate (smoothed over five columns).
/// `None` when the spectrum has less than `least` sigma in all, or a cell within `half` rows has no pixel. `within` is the share of the light in those rows: what is
/// beyond cannot be told from one spectrum.
#[must_use]
pub fn data_profile(patch: &Patch, elements: &[Element], half: f64, least: f64, within: f64) -> Option<Profile> {
    let usable = |e: &&Element| e.rate.is_finite();
    let (light, variance) = elements.iter().filter(usable).fold((0.0, 0.0), |s, e| (s.0 + e.rate, s.1 + e.variance));
    let significant = light > least * variance.sqrt();
    if !significant {
        return None;
    }
    let steps = (half / STEP).ceil() as usize;
    let (mut top, mut bottom) = (vec![0.0; 2 * steps + 1], vec![0.0; 2 * steps + 1]);
    for (i, c) in patch.columns.iter().enumerate() {
        let near = &elements[i.saturating_sub(2)..(i + 3).min(elements.len())];
        let (sum, n) = near.iter().filter(usable).fold((0.0, 0.0), |s, e| (s.0 + e.rate, s.1 + 1.0));
        let f = sum / n;
        if f.is_nan() || f <= 0.0 {
            continue;
        }
        for p in c.pixels.iter().filter(|p| p.good) {
            let at = p.distance / STEP + steps as f64;
            if at < 0.0 || at as usize + 1 > 2 * steps {
                continue;
            }
            let (k, part) = (at as usize, at.fract());
            for (k, w) in [(k, 1.0 - part), (k + 1, part)] {
                top[k] += w * p.rate * f / p.variance;
                bottom[k] += w * f * f / p.variance;
            }
        }
    }
    Some(Profile { wavelength_nm: vec![0.0], tables: vec![unpixelled(&top, &bottom, steps)?.holding(within)] })
}
