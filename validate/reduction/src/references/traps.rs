//! Charge traps (`MTRAP`): species per direction of transfer, at the date of the exposures they were measured on, and which of these said what.

use super::{Evidence, Outcome, ReferenceKind, Stage};
use crate::error::ReductionError;
use crate::injected_lines::Readout;
use crate::keywords::FILL;
use crate::set::{Units, finite, known_error};
use crate::trap_evidence::{Combined, Pumped, Readings};
use crate::trap_fit::TrapFit;
use instruments::effects::charge_injection::Pattern;
use sim_core::exposure::ExposureKind;
use sim_core::fits::{Data, Hdu, Header};
use sim_core::knowledge::{EvidenceKind, Knowledge, Measured, PumpedSpecies, PumpedTraps};
use sim_core::knowledge::{TransferTraps, TrapEvidence, TrapKnowledge, TrapMeasurement, TrapSpecies};
use sim_core::table::{Column, ColumnData, Table};
use std::sync::Arc;

/// Table entry.
pub(super) const KIND: ReferenceKind = ReferenceKind {
    code: "MTRAP",
    keyword: "R_CTI",
    what: "charge traps",
    steps: &["cti"],
    stage: Stage::Charge,
    cleans: true,
    measure,
    write,
    read,
};

/// Units of the two directions.
const PARALLEL: &str = "PARALLEL";
const SERIAL: &str = "SERIAL";
/// What they were measured on: for people, not read back.
const EVIDENCE: &str = "EVIDENCE";
const PUMPED: &str = "PUMPED";
const DIPOLES: &str = "DIPOLES";

/// Darks that are looked at for hot pixels: enough for the median, few enough for the memory.
const DARKS: usize = 5;
/// Hot pixels are looked for above so many standard deviations of a median of darks.
const HOT_SIGMA: f64 = 60.0;

fn readings(evidence: &Evidence<'_>, gain: &[Measured], read_noise: &[Measured]) -> Result<Readings, ReductionError> {
    let Some(layout) = evidence.group.all().next().map(|info| info.layout.clone()) else { return Ok(Readings::default()) };
    let bare = Readout { layout: &layout, bias: Some(&evidence.bias.image), zero: &[], gain, read_noise };
    let mut readings = Readings::of_layout(&layout);
    let mut zero = vec![0.0; layout.amplifier_count];
    for info in &evidence.group.bias {
        let raw = evidence.raw(info)?.frame().pixels;
        readings.add_bias(&raw, &bare);
        zero.iter_mut().zip(bare.zero_of(&raw)).for_each(|(sum, of)| *sum += of / evidence.group.bias.len() as f64);
    }
    let readout = Readout { zero: &zero, ..bare };
    for info in &evidence.group.flat {
        readings.add_flat(&evidence.raw(info)?.frame().pixels, &readout);
    }
    for info in &evidence.group.injected {
        if let Some(pattern) = Pattern::of(&info.observation.kind) {
            readings.add_injected(&evidence.raw(info)?.frame().pixels, &readout, &pattern);
        }
    }
    let room = evidence.options.memory_bytes / (layout.rows * layout.columns * size_of::<u16>()).max(1);
    // The longest darks: the hot pixels of others are another brightness.
    let longest = evidence.group.dark.iter().map(|d| d.observation.time_s).fold(0.0, f64::max);
    let darks = evidence.group.dark.iter().filter(|d| d.observation.time_s == longest).take(DARKS.min(room));
    let darks = darks.map(|info| Ok(evidence.raw(info)?.pixels)).collect::<Result<Vec<_>, ReductionError>>()?;
    if !darks.is_empty() {
        let noise = read_noise.iter().map(|r| r.value).fold(0.0, f64::max);
        readings.add_darks(&darks, &readout, HOT_SIGMA * noise);
    }
    for info in &evidence.group.pumped {
        if let ExposureKind::TrapPumping { level_electron, cycles, phase_time_s } = info.observation.kind {
            let clocking = info.primary.f64("LINETIME").zip(info.primary.f64("PUMPFRAC"));
            let pumped = Pumped { phase_time_s, time_s: info.observation.time_s, cycles, level_electron, clocking };
            readings.pumped.add(&evidence.raw(info)?.frame().pixels, &readout, &pumped);
        }
    }
    Ok(readings)
}

fn measure(evidence: &Evidence<'_>, knowledge: &mut Knowledge) -> Result<Outcome, ReductionError> {
    let (Some(gain), Some(read_noise)) = (&knowledge.gain, &knowledge.read_noise) else {
        return Ok(Outcome::Skipped("gain and read noise are not known".into()));
    };
    let mut options = evidence.options.traps;
    if let Some(full_well_electron) = evidence.group.flat.first().and_then(|f| f.header.f64("FULLWELL")) {
        options.full_well_electron = full_well_electron;
    }
    let Combined { traps, measurement, fits } = match readings(evidence, gain, read_noise)?.combine(&options, &|_| true) {
        Ok(found) => found,
        Err(reason) => return Ok(Outcome::Skipped(reason)),
    };
    let used = |e: &TrapEvidence| e.skipped.is_empty();
    let list = |along_columns: bool| {
        let words: Vec<String> = measurement
            .evidence
            .iter()
            .filter(|e| e.along_columns == along_columns)
            .map(|e| match used(e) {
                true => format!("{} ({} frames, chi2 {:.2})", e.kind.code(), e.frames, e.reduced_chi2),
                false => format!("{} SKIPPED ({})", e.kind.code(), e.skipped),
            })
            .collect();
        words.join(", ")
    };
    let note = format!(
        "traps: {} species along columns from {}; {} along rows from {}",
        traps.parallel.species.len(),
        list(true),
        traps.serial.species.len(),
        list(false)
    );
    let chi2 = |fit: &Option<TrapFit>| fit.as_ref().map_or(FILL, |f| finite(f.reduced_chi2));
    let mut quality = vec![
        ("CHI2PAR", chi2(&fits[0]), "chi2/dof along columns; -9999: no evidence"),
        ("CHI2SER", chi2(&fits[1]), "chi2/dof along rows; -9999: no evidence"),
    ];
    let of = |kind: EvidenceKind, along_columns: bool| {
        let found = measurement.evidence.iter().find(|e| (e.kind, e.along_columns) == (kind, along_columns) && used(e));
        found.map_or(FILL, |e| finite(e.reduced_chi2))
    };
    for (key, kind, along_columns, what) in [
        ("EPERPAR", EvidenceKind::FlatTrails, true, "chi2 of trails of flats along columns; -9999: not used"),
        ("EPERSER", EvidenceKind::FlatTrails, false, "chi2 of trails of flats along rows; -9999: not used"),
        ("FPRSER", EvidenceKind::FirstPixels, false, "chi2 of first pixels of rows; -9999: not used"),
        ("CINJPAR", EvidenceKind::InjectedLines, true, "chi2 of injected lines; -9999: not used"),
        ("HOTPAR", EvidenceKind::HotPixels, true, "chi2 of hot pixels; -9999: not used"),
        ("PUMPPAR", EvidenceKind::Pumping, true, "chi2 of pumped release times; -9999: not used"),
    ] {
        quality.push((key, of(kind, along_columns), what));
    }
    knowledge.traps = Some(Arc::new(traps));
    knowledge.trap_measurement = Some(Arc::new(measurement));
    Ok(Outcome::Measured { quality, note })
}

/// The tables of what the traps were measured on.
fn measurement_tables(measurement: &TrapMeasurement) -> Vec<Hdu> {
    let all = &measurement.evidence;
    let texts = |f: &dyn Fn(&TrapEvidence) -> String| ColumnData::Text(all.iter().map(f).collect());
    let ints = |f: &dyn Fn(&TrapEvidence) -> usize| ColumnData::I32(all.iter().map(|e| f(e) as i32).collect());
    let table = Table {
        name: EVIDENCE.into(),
        columns: vec![
            Column::new("EVIDENCE", "", "EPER, FPR, CINJ, HOTPIX or PUMP", texts(&|e| e.kind.code().into())),
            Column::new("DIRECTION", "", "of the transfer", texts(&|e| if e.along_columns { PARALLEL } else { SERIAL }.into())),
            Column::new("FRAMES", "", "frames looked at", ints(&|e| e.frames)),
            Column::new("NUMBERS", "", "numbers in the fit; 0: not used", ints(&|e| e.numbers)),
            Column::new(
                "CHI2",
                "1",
                "chi-square per number; -9999: not used",
                ColumnData::F64(all.iter().map(|e| finite(e.reduced_chi2)).collect()),
            ),
            Column::new("SAYS", "", "what it constrains", texts(&|e| e.kind.constrains().into())),
            Column::new("SKIPPED", "", "why it was not used", texts(&|e| e.skipped.clone())),
        ],
    };
    let mut units = vec![Hdu::new(EVIDENCE, Header::default(), Data::Table(table))];
    if let Some(PumpedTraps { level_electron, species, histogram }) = &measurement.pumped {
        let f64s = |f: &dyn Fn(&PumpedSpecies) -> f64| ColumnData::F64(species.iter().map(f).collect());
        let mut header = Header::default();
        header.set("LEVEL", *level_electron, "[electron] charge of a pumped pixel");
        let table = Table {
            name: PUMPED.into(),
            columns: vec![
                Column::new("RELEASE", "pixel", "release time in transfers along columns", f64s(&|s| s.release.value)),
                Column::new("RELEASE_ERR", "pixel", "standard error; -9999: not known", f64s(&|s| finite(s.release.error))),
                Column::new("DENSITY", "1/pixel", "traps in a pixel, all phases", f64s(&|s| s.density.value)),
                Column::new("DENSITY_ERR", "1/pixel", "standard error; -9999: not known", f64s(&|s| finite(s.density.error))),
            ],
        };
        units.push(Hdu::new(PUMPED, header, Data::Table(table)));
        let table = Table {
            name: DIPOLES.into(),
            columns: vec![
                Column::new(
                    "RELEASE",
                    "pixel",
                    "centre of the bin: release time in transfers",
                    ColumnData::F64(histogram.iter().map(|h| h.0).collect()),
                ),
                Column::new("TRAPS", "", "single traps in the bin", ColumnData::I32(histogram.iter().map(|h| h.1 as i32).collect())),
            ],
        };
        units.push(Hdu::new(DIPOLES, Header::default(), Data::Table(table)));
    }
    units
}

fn write(knowledge: &Knowledge) -> Option<Vec<Hdu>> {
    let traps = knowledge.traps.as_ref()?;
    let unit = |name: &str, of: &TransferTraps| {
        let mut header = Header::default();
        header.set("EXPONENT", of.exponent, "filled volume goes as charge to this power");
        header.set("FULLWELL", of.full_well_electron, "[electron] charge that fills the volume of a pixel");
        header.set("NOTCH", of.notch_electron, "[electron] charge that meets no traps");
        header.set("BLOCKS", traps.blocks as i64, "blocks of the path in the correction; 0 is exact");
        header.set("NITER", traps.iterations as i64, "iterations of the correction");
        let column = |name: &str, unit: &str, what: &str, f: &dyn Fn(&TrapSpecies) -> f64| {
            Column::new(name, unit, what, ColumnData::F64(of.species.iter().map(f).collect()))
        };
        let table = Table {
            name: name.into(),
            columns: vec![
                column("DENSITY", "1/pixel", "traps in a pixel", &|s| s.density.value),
                column("DENSITY_ERR", "1/pixel", "standard error; -9999: not known", &|s| finite(s.density.error)),
                column("RELEASE", "pixel", "release time in transfers", &|s| s.release.value),
                column("RELEASE_ERR", "pixel", "standard error; -9999: not known", &|s| finite(s.release.error)),
                column("DEPTH", "1", "fraction of the volume below the traps", &|s| s.depth),
                column("CAPTURE", "pixel", "capture time in transfers; 0: at once", &|s| s.capture),
            ],
        };
        Hdu::new(name, header, Data::Table(table))
    };
    let mut units = vec![unit(PARALLEL, &traps.parallel), unit(SERIAL, &traps.serial)];
    units.extend(knowledge.trap_measurement.iter().flat_map(|m| measurement_tables(m)));
    Some(units)
}

fn read(units: &mut Units, knowledge: &mut Knowledge) -> Result<(), ReductionError> {
    let (mut blocks, mut iterations) = (0, 0);
    let mut direction = |name: &str| -> Result<TransferTraps, ReductionError> {
        let (header, table) = units.table(name)?;
        let column =
            |column: &'static str| table.f64s(column).ok_or_else(|| units.missing(&format!("{name}.{column}"), "a numeric column"));
        let number = |key: &'static str, low: f64| {
            let found = header.f64(key).filter(|v| v.is_finite() && *v >= low);
            found.ok_or_else(|| units.missing(&format!("{name}.{key}"), "a number not below 0"))
        };
        let measured = |value: f64, error: f64| Measured { value, error: known_error(error) };
        let (density, density_error) = (column("DENSITY")?, column("DENSITY_ERR")?);
        let (release, release_error) = (column("RELEASE")?, column("RELEASE_ERR")?);
        let depth = column("DEPTH")?;
        // References from before capture times were known have none.
        let capture = table.f64s("CAPTURE").unwrap_or_else(|| vec![0.0; density.len()]);
        if density.iter().any(|d| d.is_nan() || *d < 0.0) || release.iter().any(|t| t.is_nan() || *t <= 0.0) {
            return Err(units.missing(&format!("{name}.DENSITY or RELEASE"), "densities not below 0, release times above 0"));
        }
        let species = (0..density.len())
            .map(|s| TrapSpecies {
                density: measured(density[s], density_error[s]),
                release: measured(release[s], release_error[s]),
                depth: depth[s],
                capture: capture[s],
            })
            .collect();
        (blocks, iterations) = (number("BLOCKS", 0.0)? as usize, number("NITER", 1.0)? as usize);
        let (exponent, full_well_electron) = (number("EXPONENT", f64::MIN_POSITIVE)?, number("FULLWELL", 1.0)?);
        Ok(TransferTraps { species, exponent, full_well_electron, notch_electron: number("NOTCH", 0.0)? })
    };
    let (parallel, serial) = (direction(PARALLEL)?, direction(SERIAL)?);
    knowledge.traps = Some(Arc::new(TrapKnowledge { parallel, serial, blocks, iterations }));
    Ok(())
}
