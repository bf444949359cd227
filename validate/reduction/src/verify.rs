//! Whether references still hold: calibration exposures they were not made of, reduced with them, must show nothing of them.
//!
//! # Formula
//! A reference that is wrong by the factor `1 + e` leaves `e` times its own pattern in a reduced frame. So each figure is the share of
//! the reference that is found in a frame, from least squares over its pixels, 0 (or a ratio, 1) when the reference holds, with its error.
//! - bias, dark, flat: residual on the pattern of the master ([`images::Reduced::share`]);
//! - gain: variance of a reduced flat over what gain and read noise predict, the amplifier that stands out most; and the levels of the
//!   amplifiers under the even lamp;
//! - linearity: rates of flats of different times, the amplifier that differs most;
//! - traps: trails in the overscan of a raw flat on the trails that the traps predict ([`trails`]).
//! # Limits
//! A lamp that drifts looks like non-linearity. What is common to reference and frame (a wrong level of all amplifiers) shows only in the variance.
//! Crosstalk, brighter-fatter shifts and fringes are not looked at here: one frame does not measure them to a few per cent.

pub mod images;
pub mod trails;

use crate::error::ReductionError;
use crate::level1::reduce_frame;
use crate::options::Options;
use crate::set::{CalibrationSet, DetectorCalibration, Master};
use instruments::product::level0::{Level0Info, read_level0, read_level0_info};
use serde::Serialize;
use sim_core::exposure::ExposureKind;
use sim_core::knowledge::Measured;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One figure of one reference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// Type of the reference, e.g. `MFLAT`.
    pub code: &'static str,
    /// Its file, without `.fits`.
    pub reference: String,
    /// Name of the figure.
    pub figure: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// The exposure it was measured on, and where on it.
    pub subject: String,
    /// Departure from what a right reference gives.
    pub offset: Measured,
}

/// Names and meanings of the figures, with the type of reference they are about.
pub const FIGURES: [(&str, &str, &str); 10] = [
    ("bias_pattern", "MBIAS", "share of the bias pattern left in a reduced bias"),
    ("dark_pattern", "MDARK", "share of the dark left in a reduced dark"),
    ("flat_pattern", "MFLAT", "share of the flat's pattern left in a reduced flat"),
    ("flat_level", "MFLAT", "median of the flat minus 1"),
    ("amplifier_level", "MBIAS", "level of the amplifier that stands out most in a reduced flat, relative"),
    ("gain_all", "MBIAS", "variance of a reduced flat over the predicted one, minus 1"),
    ("gain_amplifier", "MBIAS", "the same, the amplifier that stands out most"),
    ("linearity", "MLIN", "rate of the longest flat over that of the shortest, minus 1, the amplifier that stands out most"),
    ("trails_columns", "MTRAP", "trails along columns over what the traps predict, minus 1"),
    ("trails_rows", "MTRAP", "trails along rows over what the traps predict, minus 1"),
];

/// Levels of the amplifiers in a reduced flat.
struct FlatLevels {
    detector: u16,
    time_s: f64,
    label: String,
    levels: Vec<(usize, Measured)>,
}

/// Looks at calibration exposures with the references of a set. Exposures that the set has no calibration for are an error.
///
/// # Errors
/// When an exposure cannot be read or reduced.
pub fn verify(exposures: &[PathBuf], set: &CalibrationSet) -> Result<Vec<Check>, ReductionError> {
    let mut checks = Vec::new();
    // Levels of the flats of every detector, for the figure that needs two.
    let mut flats: Vec<FlatLevels> = Vec::new();
    let mut biases = BTreeMap::new();
    for path in biases_first(exposures)? {
        let level0 = read_level0(path)?;
        let info = level0.info.clone();
        let calibration = set.of(&info)?;
        if info.observation.kind == ExposureKind::Bias {
            biases.insert(info.geometry.number, trails::of_frame(&level0.frame().pixels, &calibration));
        }
        let mut found = Figures { calibration: &calibration, info: &info, checks: &mut checks };
        if let ExposureKind::Flat { .. } = info.observation.kind
            && let Some(traps) = &calibration.knowledge_for("cti", &info)?.traps
        {
            let raw = level0.frame().pixels;
            let bias = biases.get(&info.geometry.number);
            for (name, offset) in ["trails_columns", "trails_rows"].into_iter().zip(trails::offsets(&raw, bias, &calibration, traps)) {
                offset.into_iter().for_each(|offset| found.add(name, "", offset));
            }
        }
        let level1 = reduce_frame(level0, &calibration, &Options::default())?;
        let frame = images::Reduced::new(&level1, &calibration.layout);
        match info.observation.kind {
            ExposureKind::Bias => found.pattern("bias_pattern", &frame, Master::Bias)?,
            ExposureKind::Dark => found.pattern("dark_pattern", &frame, Master::Dark)?,
            ExposureKind::Flat { .. } => {
                found.flat(&frame)?;
                flats.push(FlatLevels {
                    detector: info.geometry.number,
                    time_s: info.observation.time_s,
                    label: found.label(),
                    levels: frame.levels(),
                });
            }
            ExposureKind::Science | ExposureKind::ChargeInjection { .. } | ExposureKind::TrapPumping { .. } => {}
        }
    }
    for FlatLevels { detector, time_s, label, levels } in &flats {
        let others = flats.iter().filter(|f| f.detector == *detector);
        let shortest = others.min_by(|a, b| a.time_s.total_cmp(&b.time_s)).filter(|shortest| shortest.time_s < *time_s);
        if let Some(FlatLevels { levels: base, .. }) = shortest {
            let ratio = |(amplifier, level): &(usize, Measured)| {
                let (_, short) = base.iter().find(|(other, _)| other == amplifier)?;
                let error = (level.error / level.value).hypot(short.error / short.value);
                Some((*amplifier, Measured { value: level.value / short.value - 1.0, error }))
            };
            let (code, figure, meaning) = figure("linearity");
            if let Some((amplifier, offset)) = most_striking(levels.iter().filter_map(ratio)) {
                let subject = format!("{label}, amplifier {}", amplifier + 1);
                checks.push(Check { code, reference: String::new(), figure, meaning, subject, offset });
            }
        }
    }
    Ok(checks)
}

/// Exposures with the bias frames in front.
fn biases_first(exposures: &[PathBuf]) -> Result<Vec<&PathBuf>, ReductionError> {
    let mut sorted = Vec::new();
    for path in exposures {
        sorted.push((read_level0_info(path)?.observation.kind != ExposureKind::Bias, path));
    }
    sorted.sort_by_key(|(later, _)| *later);
    Ok(sorted.into_iter().map(|(_, path)| path).collect())
}

fn figure(name: &str) -> (&'static str, &'static str, &'static str) {
    match FIGURES.iter().find(|(figure, ..)| *figure == name) {
        Some(&(figure, code, meaning)) => (code, figure, meaning),
        None => unreachable!("figures are in the table: {name}"),
    }
}

/// The value that lies furthest from 0 in its errors.
fn most_striking(values: impl Iterator<Item = (usize, Measured)>) -> Option<(usize, Measured)> {
    values.max_by(|(_, a), (_, b)| (a.value / a.error).abs().total_cmp(&(b.value / b.error).abs()))
}

/// Figures of one exposure on their way into the list.
struct Figures<'a> {
    calibration: &'a DetectorCalibration,
    info: &'a Level0Info,
    checks: &'a mut Vec<Check>,
}

impl Figures<'_> {
    fn label(&self) -> String {
        let Level0Info { geometry, observation, .. } = self.info;
        let kind = observation.kind.code().to_lowercase();
        format!("{kind} {} s, {}, chip {}", observation.time_s, geometry.filter, geometry.number)
    }
    fn add(&mut self, name: &str, place: &str, offset: Measured) {
        let (code, figure, meaning) = figure(name);
        let subject = format!("{}{place}", self.label());
        let reference = self.calibration.name_of(code).unwrap_or_default();
        self.checks.push(Check { code, reference, figure, meaning, subject, offset });
    }
    /// Share of a master's pattern in a frame that should have nothing left.
    fn pattern(&mut self, name: &str, frame: &images::Reduced<'_>, master: Master) -> Result<(), ReductionError> {
        let Some(reference) = self.calibration.reference(master)? else { return Ok(()) };
        let share = match master {
            // The bias is in counts, reduced frames in electrons; its level goes with the overscan.
            Master::Bias => frame.share(true, &|amplifier, y, x| {
                let gain = self.calibration.gain[amplifier].value;
                (gain * f64::from(reference.image[(y, x)]), gain * gain * f64::from(reference.variance[(y, x)]))
            }),
            _ => frame.share(false, &|_, y, x| (f64::from(reference.image[(y, x)]), f64::from(reference.variance[(y, x)]))),
        };
        share.into_iter().for_each(|share| self.add(name, "", share));
        Ok(())
    }
    fn flat(&mut self, frame: &images::Reduced<'_>) -> Result<(), ReductionError> {
        let calibration = self.calibration;
        let levels = frame.levels();
        let (sum, weight) =
            levels.iter().fold((0.0, 0.0), |(sum, weight), (_, m)| (sum + m.value / m.error.powi(2), weight + m.error.powi(-2)));
        let mean = sum / weight;
        let stands_out = levels.iter().map(|(a, m)| (*a, Measured { value: m.value / mean - 1.0, error: m.error / mean }));
        if let Some((amplifier, offset)) = most_striking(stands_out).filter(|_| levels.len() > 1) {
            self.add("amplifier_level", &format!(", amplifier {}", amplifier + 1), offset);
        }
        let variances = frame.variances();
        let weight: f64 = variances.iter().map(|(_, m)| m.error.powi(-2)).sum();
        if weight > 0.0 {
            let value = variances.iter().map(|(_, m)| m.value * m.error.powi(-2)).sum::<f64>() / weight;
            self.add("gain_all", "", Measured { value, error: weight.powf(-0.5) });
        }
        if let Some((amplifier, offset)) = most_striking(variances.into_iter()) {
            self.add("gain_amplifier", &format!(", amplifier {}", amplifier + 1), offset);
        }
        if let Some(flat) = calibration.reference(Master::Flat)? {
            let share = frame.share(true, &|_, y, x| {
                let response = f64::from(flat.image[(y, x)]);
                (mean * (response - 1.0) / response, (mean / response).powi(2) * f64::from(flat.variance[(y, x)]))
            });
            share.into_iter().for_each(|share| self.add("flat_pattern", "", share));
            let value = f64::from(crate::masters::median_of(&flat.image)) - 1.0;
            let pixels = flat.variance.len() as f64;
            let error = (flat.variance.iter().map(|&v| f64::from(v)).sum::<f64>() / pixels / pixels).sqrt();
            self.add("flat_level", "", Measured { value, error });
        }
        Ok(())
    }
}
