//! File names of the products: written in one form, read in every published one.
//!
//! Sources: csst_proto (chapter "simulation": regular expression with 9-digit observation numbers), csst-dfs-commons
//! and csst-dfs-api-local (Cycles 6-8, 11 digits, `L1_V01`), public Cycle 9 file names (`WIDE`, 11 and 14 digits).

use super::error::ProductError;
use super::time::Civil;
use serde::{Deserialize, Serialize};
use sim_core::exposure::Exposure;

/// How names are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameStyle {
    /// Digits of the observation number: 9, 11 or 14.
    pub obsid_width: usize,
    /// Version, `V01`.
    pub version: String,
}

impl Default for NameStyle {
    /// Cycle 6-9: 11 digits, `V01`.
    fn default() -> Self {
        Self { obsid_width: 11, version: "V01".into() }
    }
}

/// Gratings of the survey camera, by the names that FILTER has: a detector behind one makes spectra of everything, without a slit.
pub const GRATING_FILTERS: [&str; 3] = ["GU", "GV", "GI"];

/// The three files of a level-1 image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level1Part {
    /// Rate.
    Image,
    /// Inverse variance.
    Weight,
    /// Quality flags.
    Flags,
}

impl Level1Part {
    /// The part's three letters.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Image => "img",
            Self::Weight => "wht",
            Self::Flags => "flg",
        }
    }
}

/// A product's name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductName {
    /// Facility: `MSC`, `TESTBENCH`.
    pub facility: String,
    /// Project: `MS`, the main survey.
    pub project: String,
    /// Type: `SCIE`, `BIAS`, `DARK`, `FLAT`, `CINJ`, `PUMP` are written; `SCI`, `WIDE`, `CRS` and others are read.
    pub kind: String,
    /// Start of the exposure, to the second.
    pub start: Civil,
    /// End of the exposure, to the second.
    pub stop: Civil,
    /// Observation number.
    pub obsid: u64,
    /// Digits it is written with.
    pub obsid_width: usize,
    /// Detector number.
    pub detector: u16,
    /// Part of a level-1 image, if it is one.
    pub part: Option<Level1Part>,
    /// Level: 0, 1 or 2.
    pub level: u8,
    /// Version: `V01`, or `1` in old cycles.
    pub version: String,
}

impl ProductName {
    /// The level-0 name of an exposure of a detector.
    #[must_use]
    pub fn level0(instrument: &str, exposure: &Exposure, detector: u16, style: &NameStyle) -> Self {
        Self {
            facility: instrument.to_uppercase().replace('_', "-"),
            project: "MS".into(),
            kind: exposure.kind.code().into(),
            start: Civil::from_mjd_rounded(exposure.start_mjd),
            stop: Civil::from_mjd_rounded(exposure.start_mjd + exposure.time_s / 86_400.0),
            obsid: exposure.id,
            obsid_width: style.obsid_width,
            detector,
            part: None,
            level: 0,
            version: style.version.clone(),
        }
    }
    /// The name of a level-1 file made from this level-0 file: a part of an image, or `None` for the one file of a detector behind gratings.
    #[must_use]
    pub fn level1(&self, part: Option<Level1Part>) -> Self {
        Self { part, level: 1, ..self.clone() }
    }
    /// The file name.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.fits", self.stem())
    }
    /// The file name without `.fits`: 68 characters in the Cycle 9 form, which is all that a FITS string card holds.
    #[must_use]
    pub fn stem(&self) -> String {
        let part = self.part.map_or_else(String::new, |p| format!("_{}", p.code()));
        format!(
            "CSST_{}_{}_{}_{}_{}_{:0width$}_{:02}{part}_L{}_{}",
            self.facility,
            self.project,
            self.kind,
            self.start.compact(),
            self.stop.compact(),
            self.obsid,
            self.detector,
            self.level,
            self.version,
            width = self.obsid_width,
        )
    }
    /// Takes a file name (without folder) apart: observation numbers of any width, level-1 parts, old versions.
    ///
    /// # Errors
    /// When a part is missing or malformed.
    pub fn parse(name: &str) -> Result<Self, ProductError> {
        let wrong = |part: &'static str, value: &str, allowed: &'static str| ProductError::Name {
            name: name.into(),
            part,
            value: value.into(),
            allowed,
        };
        let stem = name.strip_suffix(".fits").ok_or_else(|| wrong("extension", name, "`.fits`"))?;
        let words: Vec<&str> = stem.split('_').collect();
        if words.len() != 10 && words.len() != 11 {
            return Err(wrong("number of parts", &words.len().to_string(), "10, or 11 for a level-1 image"));
        }
        if words[0] != "CSST" {
            return Err(wrong("mission", words[0], "`CSST`"));
        }
        let word = |index: usize, part: &'static str| {
            let ok = !words[index].is_empty() && words[index].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if ok { Ok(words[index].to_string()) } else { Err(wrong(part, words[index], "letters and digits")) }
        };
        let time =
            |index: usize, part| Civil::parse_compact(words[index]).ok_or_else(|| wrong(part, words[index], "a date YYYYMMDDhhmmss"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let obsid = Some(words[6]).filter(|w| digits(w)).and_then(|w| w.parse().ok());
        let detector = Some(words[7]).filter(|w| w.len() == 2 && digits(w)).and_then(|w| w.parse().ok());
        let part = match words.len() {
            11 => Some(match words[8] {
                "img" => Level1Part::Image,
                "wht" => Level1Part::Weight,
                "flg" => Level1Part::Flags,
                other => return Err(wrong("part", other, "img, wht or flg")),
            }),
            _ => None,
        };
        let level_word = words[words.len() - 2];
        let level = level_word.strip_prefix('L').and_then(|l| l.parse().ok()).filter(|l: &u8| *l <= 2);
        let version = words[words.len() - 1];
        if !digits(version.strip_prefix('V').unwrap_or(version)) {
            return Err(wrong("version", version, "`V` and digits, or digits"));
        }
        let out = Self {
            facility: word(1, "facility")?,
            project: word(2, "project")?,
            kind: word(3, "type")?,
            start: time(4, "start")?,
            stop: time(5, "stop")?,
            obsid: obsid.ok_or_else(|| wrong("obsid", words[6], "digits below 2^64"))?,
            obsid_width: words[6].len(),
            detector: detector.ok_or_else(|| wrong("detector", words[7], "two digits"))?,
            part,
            level: level.ok_or_else(|| wrong("level", level_word, "L0, L1 or L2"))?,
            version: version.into(),
        };
        if out.stop < out.start {
            return Err(wrong("stop", words[5], "at or after the start"));
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::exposure::{ExposureKind, Pointing};

    fn exposure() -> Exposure {
        Exposure {
            id: 10_100_300_001,
            kind: ExposureKind::Science,
            pointing: Pointing { ra_deg: 90.0, dec_deg: 24.5, rotation_deg: -113.4333 },
            start_mjd: Civil::parse_iso("2028-01-01T00:00:00").unwrap().mjd(),
            time_s: 150.0,
            sky_electron_s: 0.0,
        }
    }

    #[test]
    fn a_name_is_written_in_the_cycle_9_form_and_read_back() {
        let name = ProductName::level0("msc", &exposure(), 12, &NameStyle::default());
        assert_eq!(name.file_name(), "CSST_MSC_MS_SCIE_20280101000000_20280101000230_10100300001_12_L0_V01.fits");
        assert_eq!(ProductName::parse(&name.file_name()).unwrap(), name);
        let image = name.level1(Some(Level1Part::Weight));
        assert_eq!(image.file_name(), "CSST_MSC_MS_SCIE_20280101000000_20280101000230_10100300001_12_wht_L1_V01.fits");
        assert_eq!(ProductName::parse(&image.file_name()).unwrap(), image);
        let spectra = name.level1(None);
        assert_eq!(spectra.file_name(), "CSST_MSC_MS_SCIE_20280101000000_20280101000230_10100300001_12_L1_V01.fits");
        assert_eq!(ProductName::parse(&spectra.file_name()).unwrap(), spectra);
    }

    #[test]
    fn the_published_names_of_all_cycles_are_read_and_written_back() {
        for name in [
            "CSST_MSC_MS_SCI_20270626203558_20270626203828_100000066_01_L0_1.fits",
            "CSST_MSC_MS_WIDE_20280101000000_20280101000230_10100300001_12_L0_V01.fits",
            "CSST_MSC_MS_BIAS_20280101000000_20280101000000_10109200100412_30_L0_V01.fits",
        ] {
            let parsed = ProductName::parse(name).unwrap();
            assert_eq!(parsed.file_name(), name);
        }
    }

    #[test]
    fn the_width_of_the_observation_number_is_configured() {
        let mut exposure = exposure();
        exposure.id = 66;
        for width in [9, 11, 14] {
            let name = ProductName::level0("msc", &exposure, 1, &NameStyle { obsid_width: width, version: "V01".into() });
            let back = ProductName::parse(&name.file_name()).unwrap();
            assert_eq!((back.obsid, back.obsid_width), (66, width));
        }
    }

    #[test]
    fn a_malformed_name_says_which_part_is_wrong() {
        let good = "CSST_MSC_MS_SCIE_20280101000000_20280101000230_10100300001_12_L0_V01.fits";
        for (from, to, part) in [
            ("20280101000230", "20280132000230", "stop"),
            ("20280101000230", "20271231000230", "stop"),
            ("10100300001", "1010030000x", "obsid"),
            ("_12_", "_1_", "detector"),
            ("_L0_", "_L7_", "level"),
            ("V01", "V", "version"),
            (".fits", ".fit", "extension"),
            ("CSST_MSC", "CSST", "number of parts"),
            ("_12_L0", "_12_xyz_L0", "part"),
        ] {
            let error = ProductName::parse(&good.replace(from, to)).unwrap_err();
            assert!(matches!(&error, ProductError::Name { part: p, .. } if *p == part), "{to}: {error}");
        }
    }
}
