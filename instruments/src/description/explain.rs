//! An instrument in words: the resolved chain, every number with its provenance, the assumed ones marked.

use super::{DetectorKind, Instrument, ProvenanceLine, ThroughputSet};
use crate::effects::registry;
use sim_core::quantity::Status;
use std::collections::BTreeMap;
use std::fmt::Write;

fn word(status: Status) -> &'static str {
    match status {
        Status::Measured => "measured",
        Status::Published => "published",
        Status::PublicCode => "public code",
        Status::Required => "required",
        Status::Derived => "derived",
        Status::Assumed => "ASSUMED",
    }
}

/// The resolved instrument as text. Assumed numbers carry `!` and are counted at the end.
#[must_use]
pub fn explain(instrument: &Instrument) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_all(&mut out, instrument);
    out
}

fn write_all(out: &mut String, instrument: &Instrument) -> std::fmt::Result {
    let set = match instrument.throughput {
        ThroughputSet::Curves => "curves",
        ThroughputSet::Table => "band table",
    };
    writeln!(
        out,
        "instrument {}: {} detectors, {} cm2, throughput from {set}",
        instrument.name,
        instrument.detectors.len(),
        instrument.area_cm2
    )?;
    writeln!(out, "\nchain, in the order of action:")?;
    let chain = &instrument.chain;
    let steps = [("light", &chain.light, Some("detect")), ("charge", &chain.charge, Some("digitise")), ("counts", &chain.counts, None)];
    for (plane, names, crossing) in steps {
        for name in names.iter().map(String::as_str).chain(crossing) {
            let twin = registry::find(name).map_or("", |s| s.twin);
            let arrow = if crossing == Some(name) { "->" } else { "  " };
            let off = if chain.off.iter().any(|o| o == name) { "off; " } else { "" };
            writeln!(out, "  {plane:<6} {arrow} {name:<12} {off}twin: {twin}")?;
        }
    }
    bands(out, instrument)?;
    detectors(out, instrument)?;
    writeln!(out, "\nnumbers (! = assumed):")?;
    for line in &instrument.provenance {
        number(out, line)?;
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in &instrument.provenance {
        *counts.entry(word(line.status)).or_default() += 1;
    }
    let text: Vec<String> = counts.iter().map(|(status, n)| format!("{n} {status}")).collect();
    writeln!(out, "\n{} numbers: {}", instrument.provenance.len(), text.join(", "))?;
    writeln!(out, "files:")?;
    for (name, hash) in &instrument.hashes {
        writeln!(out, "  {name} sha256 {hash}")?;
    }
    Ok(())
}

fn number(out: &mut String, line: &ProvenanceLine) -> std::fmt::Result {
    let mark = if line.status == Status::Assumed { '!' } else { ' ' };
    let unit = if line.unit == "1" { "" } else { &line.unit };
    writeln!(out, "{mark} {:<44} {} {unit}  [{}] {}", line.key, line.value, word(line.status), line.source)
}

fn bands(out: &mut String, instrument: &Instrument) -> std::fmt::Result {
    writeln!(out, "\nbands: pivot, peak, zero point (AB magnitude of 1 electron/s):")?;
    for (name, band) in &instrument.bands {
        let b = &band.bandpass;
        let peak = b.efficiency().iter().copied().fold(0.0, f64::max);
        let (low, high) = b.range_nm();
        let zero = b.zero_point(instrument.area_cm2);
        writeln!(out, "  {name:<4} {low:7.1}..{high:7.1} nm  pivot {:7.1} nm  peak {peak:.3}  zero point {zero:.2}", b.pivot_nm())?;
    }
    Ok(())
}

fn detectors(out: &mut String, instrument: &Instrument) -> std::fmt::Result {
    writeln!(out, "\ndetectors: number, band, pixels, CRPIX:")?;
    for (number, spec) in &instrument.detectors {
        let g = &spec.geometry;
        let kind = if spec.kind == DetectorKind::Slitless { "  slitless" } else { "" };
        writeln!(out, "  {number:>4} {:<4} {} x {}  ({}, {}){kind}", g.filter, g.nx, g.ny, g.crpix1, g.crpix2)?;
    }
    Ok(())
}
