//! Makes the survey camera's throughput curves from published band numbers.
//! `cargo run --release -p instruments --example make_msc_bands`
//!
//! # Formula
//! total = mirror x filter x detector. detector = coating (1 - exp(-a(l + s) d)), a absorption of silicon at 300 K,
//! d = 40 um thickness, s = 19.4 nm shift of the absorption edge of a cooled device. filter = p S((l - b) / w + 1/2)
//! S((r - l) / w + 1/2), S(t) = 3 t^2 - 2 t^3 on 0..1, w = 8 nm. Half-power wavelengths b and r and the transmission p
//! are solved by Newton's method so that peak, pivot and zero point are the published ones; z and y have no red edge
//! (the silicon ends them): b and p from pivot and zero point, the peak is left as a check.
//! Gratings, first order: e = p (1 - (1 - f) ((L - l) / (L - h))^2) S((l - b) / wb + 1/2) S((r - l) / wr + 1/2), L the wavelength of the peak p, f the published share of
//! it at the blue edge h (no fall beyond L); edges b and r are where the curve is half its peak at the published wavelengths.
//! # Source
//! Numbers: `data/msc/bands/rule/*.csv`, each with its source. Thickness, shift and edge width are assumed.
//! # Limits
//! The real filters' ripples and edges are not public in machine-readable form under a free licence.

use sim_core::bandpass::Bandpass;
use std::fmt::Write;
use std::path::Path;

const THICKNESS_CM: f64 = 40e-4;
const SHIFT_NM: f64 = 19.4;
const EDGE_NM: f64 = 8.0;
const AREA_CM2: f64 = std::f64::consts::PI * 1e4;
const RED_END_NM: f64 = 1100.0;

type Anyhow<T> = Result<T, Box<dyn std::error::Error>>;

fn table(path: &Path) -> Anyhow<Vec<Vec<String>>> {
    let text = std::fs::read_to_string(path)?;
    let rows = text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()).skip(1);
    Ok(rows.map(|l| l.split(',').map(str::to_string).collect()).collect())
}

fn numbers(rows: &[Vec<String>], column: usize) -> Anyhow<Vec<f64>> {
    Ok(rows.iter().map(|r| r[column].parse()).collect::<Result<_, _>>()?)
}

fn interpolate(x: &[f64], y: &[f64], at: f64) -> f64 {
    let i = x.partition_point(|&v| v <= at).clamp(1, x.len() - 1);
    y[i - 1] + (at - x[i - 1]) / (x[i] - x[i - 1]) * (y[i] - y[i - 1])
}

fn step(t: f64) -> f64 {
    let t = t.clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

struct Factors {
    wavelength_nm: Vec<f64>,
    mirror: Vec<f64>,
    coating: Vec<f64>,
    silicon_nm: Vec<f64>,
    ln_absorption: Vec<f64>,
}

impl Factors {
    fn mirror(&self, l: f64) -> f64 {
        interpolate(&self.wavelength_nm, &self.mirror, l)
    }
    fn detector(&self, l: f64) -> f64 {
        let absorption = interpolate(&self.silicon_nm, &self.ln_absorption, l + SHIFT_NM).exp();
        interpolate(&self.wavelength_nm, &self.coating, l) * (1.0 - (-absorption * THICKNESS_CM).exp())
    }
    /// Rows of 1 nm: wavelength, mirror, filter, detector.
    fn rows(&self, filter: [f64; 3]) -> Vec<[f64; 4]> {
        let [blue, red, p] = filter;
        let red_end = red.min(RED_END_NM);
        let (first, last) = ((blue - EDGE_NM).floor() as i32, (red_end + EDGE_NM).ceil() as i32);
        (first..=last)
            .map(f64::from)
            .map(|l| [l, self.mirror(l), p * step((l - blue) / EDGE_NM + 0.5) * step((red_end - l) / EDGE_NM + 0.5), self.detector(l)])
            .collect()
    }
    /// Peak, pivot, zero point.
    fn measure(&self, filter: [f64; 3]) -> Anyhow<[f64; 3]> {
        let rows = self.rows(filter);
        let total: Vec<f64> = rows.iter().map(|r| r[1] * r[2] * r[3]).collect();
        let peak = total.iter().copied().fold(0.0, f64::max);
        let band = Bandpass::new("band", rows.iter().map(|r| r[0]).collect(), total)?;
        Ok([peak, band.pivot_nm(), band.zero_point(AREA_CM2)])
    }
}

/// What a grating's curve must give.
struct GratingRule {
    peak: f64,
    peak_nm: f64,
    blue_nm: f64,
    red_nm: f64,
    blue_fraction: f64,
    blue_width_nm: f64,
    red_width_nm: f64,
}

impl GratingRule {
    /// Total efficiency with the edges at two wavelengths.
    fn at(&self, l: f64, [blue, red]: [f64; 2]) -> f64 {
        let below = ((self.peak_nm - l) / (self.peak_nm - self.blue_nm)).max(0.0);
        let slope = (1.0 - (1.0 - self.blue_fraction) * below * below).max(0.0);
        self.peak * slope * step((l - blue) / self.blue_width_nm + 0.5) * step((red - l) / self.red_width_nm + 0.5)
    }
    /// Edges that make the curve half its peak where it must be, by bisection.
    fn edges(&self) -> [f64; 2] {
        let half = |centre: f64, width: f64, excess: &dyn Fn(f64) -> f64| {
            let (mut low, mut high) = (centre - width, centre + width);
            for _ in 0..60 {
                let middle = 0.5 * (low + high);
                if excess(middle) > 0.0 { low = middle } else { high = middle }
            }
            0.5 * (low + high)
        };
        // A blue edge farther to the red leaves less; a red edge more.
        let blue = half(self.blue_nm, self.blue_width_nm, &|edge| self.at(self.blue_nm, [edge, 1e9]) - 0.5 * self.peak);
        let red = half(self.red_nm, self.red_width_nm, &|edge| 0.5 * self.peak - self.at(self.red_nm, [0.0, edge]));
        [blue, red]
    }
}

/// Makes the curves of the gratings.
fn gratings(folder: &Path) -> Anyhow<()> {
    for row in table(&folder.join("rule/gratings.csv"))? {
        let n: Vec<f64> = row[1..].iter().map(|f| f.parse()).collect::<Result<_, _>>()?;
        let [peak, peak_nm, blue_nm, red_nm, blue_fraction, blue_width_nm, red_width_nm] = n[..] else {
            return Err("gratings.csv: eight columns".into());
        };
        let rule = GratingRule { peak, peak_nm, blue_nm, red_nm, blue_fraction, blue_width_nm, red_width_nm };
        let edges = rule.edges();
        let top = (200..1200).map(|l| rule.at(f64::from(l), edges)).fold(0.0, f64::max);
        println!(
            "{:<4} edges {:.2} {:.2}: peak {top:.4}, at the half wavelengths {:.4} {:.4}, published {peak}",
            row[0],
            edges[0],
            edges[1],
            rule.at(blue_nm, edges),
            rule.at(red_nm, edges)
        );
        let mut text = format!(
            "# Throughput of the survey camera's {} gratings in their first order, made by instruments/examples/make_msc_bands.rs from rule/gratings.csv.\n\
             # column wavelength_nm [nm] derived: 1 nm sampling\n\
             # column efficiency [1] derived: from the peak, the wavelengths of half of it and the efficiency at the blue edge of the CESS curves \
             (Wen et al. 2024, MNRAS 528, 2770)\n\
             wavelength_nm,efficiency\n",
            row[0]
        );
        let (first, last) = ((edges[0] - 0.5 * blue_width_nm).floor() as i32, (edges[1] + 0.5 * red_width_nm).ceil() as i32);
        for l in first..=last {
            writeln!(text, "{l},{:.5}", rule.at(f64::from(l), edges))?;
        }
        std::fs::write(folder.join(format!("{}.csv", row[0])), text)?;
    }
    Ok(())
}

/// Solves a linear system of at most 3 equations by elimination.
fn solve(mut a: Vec<Vec<f64>>) -> Vec<f64> {
    let n = a.len();
    for i in 0..n {
        let pivot = (i..n).max_by(|&p, &q| a[p][i].abs().total_cmp(&a[q][i].abs())).unwrap_or(i);
        a.swap(i, pivot);
        let row = a[i].clone();
        for (_, other) in a.iter_mut().enumerate().filter(|(j, _)| *j != i) {
            let f = other[i] / row[i];
            other.iter_mut().zip(&row).for_each(|(o, r)| *o -= f * r);
        }
    }
    (0..n).map(|i| a[i][n] / a[i][i]).collect()
}

fn main() -> Anyhow<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/msc/bands");
    let smooth = table(&folder.join("rule/factors.csv"))?;
    let silicon = table(&folder.join("rule/silicon.csv"))?;
    let factors = Factors {
        wavelength_nm: numbers(&smooth, 0)?,
        mirror: numbers(&smooth, 1)?,
        coating: numbers(&smooth, 2)?,
        silicon_nm: numbers(&silicon, 0)?,
        ln_absorption: numbers(&silicon, 1)?.into_iter().map(f64::ln).collect(),
    };
    gratings(&folder)?;
    for row in table(&folder.join("rule/published.csv"))? {
        let n: Vec<f64> = row[1..].iter().map(|f| f.parse()).collect::<Result<_, _>>()?;
        let target = [n[0], n[1], n[2]];
        let open = n[4] == 0.0;
        let mut filter = [n[3], if open { RED_END_NM } else { n[4] }, 0.95];
        // Unknowns and equations: all three, or (b, p) from (pivot, zero point).
        let (unknowns, equations): (&[usize], &[usize]) = if open { (&[0, 2], &[1, 2]) } else { (&[0, 1, 2], &[0, 1, 2]) };
        for _ in 0..60 {
            let at = factors.measure(filter)?;
            let mut system: Vec<Vec<f64>> = equations.iter().map(|_| Vec::new()).collect();
            for &u in unknowns {
                let (mut moved, h) = (filter, if u == 2 { 1e-3 } else { 0.5 });
                moved[u] += h;
                let changed = factors.measure(moved)?;
                equations.iter().zip(&mut system).for_each(|(&e, row)| row.push((changed[e] - at[e]) / h));
            }
            equations.iter().zip(&mut system).for_each(|(&e, row)| row.push(target[e] - at[e]));
            for (&u, d) in unknowns.iter().zip(solve(system)) {
                let most = if u == 2 { 0.03 } else { 3.0 };
                filter[u] += d.clamp(-most, most);
            }
        }
        let got = factors.measure(filter)?;
        println!(
            "{:<4} b {:.2} r {:.2} p {:.3}: peak, pivot, zero point {got:.3?}, published {target:?}",
            row[0], filter[0], filter[1], filter[2]
        );
        let mut text = format!(
            "# Throughput of the survey camera's {} band, made by instruments/examples/make_msc_bands.rs from rule/*.csv.\n\
             # column wavelength_nm [nm] derived: 1 nm sampling\n\
             # column mirror [1] assumed: all mirrors together, see rule/factors.csv\n\
             # column filter [1] derived: edges {:.2} and {:.2} nm and transmission {:.4} solved for the peak, pivot and zero point \
             of the CESS curves (Wen et al. 2024, MNRAS 528, 2770)\n\
             # column detector [1] assumed: quantum efficiency of a 40 um silicon device, see rule/factors.csv and rule/silicon.csv\n\
             wavelength_nm,mirror,filter,detector\n",
            row[0], filter[0], filter[1], filter[2]
        );
        for [l, mirror, glass, detector] in factors.rows(filter) {
            writeln!(text, "{l:.0},{mirror:.5},{glass:.5},{detector:.5}")?;
        }
        std::fs::write(folder.join(format!("{}.csv", row[0])), text)?;
    }
    Ok(())
}
