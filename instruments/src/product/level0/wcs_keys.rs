//! The world coordinates of the trimmed window in the header of a raw frame.
//!
//! They are the primary system of a trimmed frame. In a frame with scans they would not hold across amplifiers, so they are
//! the alternate system `T` there.

use sim_core::detector::Scans;
use sim_core::fits::{FitsError, Header};
use sim_core::wcs::Wcs;

/// Letter of the alternate WCS that holds the trimmed window's system in a raw frame with scans.
const TRIMMED_WCS: &str = "T";
/// WCS keywords that may carry the letter.
const WCS_STEMS: [&str; 12] =
    ["WCSAXES", "WCSNAME", "CTYPE", "CUNIT", "CRPIX", "CRVAL", "CD", "PV", "LONPOLE", "LATPOLE", "RADESYS", "EQUINOX"];

fn is_wcs_key(key: &str) -> bool {
    WCS_STEMS.iter().any(|stem| key.strip_prefix(stem).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'_')))
}

/// Writes the system of the trimmed window.
pub fn write(header: &mut Header, wcs: &Wcs, scans: Scans) {
    let mut plain = Header::default();
    wcs.write(&mut plain);
    let alternate = scans == Scans::Full;
    if alternate {
        header.set("WCSNAMET", "TRIMMED WINDOW", "system of the window without scans");
    }
    for (key, value, comment) in plain.cards {
        let key = if alternate && is_wcs_key(&key) { key + TRIMMED_WCS } else { key };
        header.set(&key, value, &comment);
    }
}

/// Reads the system of the trimmed window.
///
/// # Errors
/// When a keyword is missing or malformed.
pub fn read(header: &Header, scans: Scans) -> Result<Wcs, FitsError> {
    match scans {
        Scans::Trimmed => Wcs::read(header),
        Scans::Full => {
            let mut plain = Header::default();
            for (key, value, comment) in &header.cards {
                if let Some(stem) = key.strip_suffix(TRIMMED_WCS).filter(|stem| is_wcs_key(stem)) {
                    plain.set(stem, value.clone(), comment);
                }
            }
            Wcs::read(&plain)
        }
    }
}

/// Removes the system of the trimmed window.
pub fn remove(header: &mut Header, scans: Scans) {
    let stem = |key: &str| match scans {
        Scans::Trimmed => Some(key.to_string()),
        Scans::Full => key.strip_suffix(TRIMMED_WCS).map(str::to_string),
    };
    header.cards.retain(|card| !stem(&card.0).is_some_and(|stem| is_wcs_key(&stem)));
}
