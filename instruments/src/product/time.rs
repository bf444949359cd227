//! Modified Julian date and civil date, proleptic Gregorian calendar.
//!
//! Closed algorithm: days are counted in eras of 400 years (146,097 days) that begin on 1 March, so that the leap
//! day is the last of its year (E. G. Richards, "Calendars", Explanatory Supplement to the Astronomical Almanac,
//! 3rd ed., 2013, section 15.11; the same arithmetic as C++20 `std::chrono`). UTC without leap seconds: a second
//! inside a leap second cannot be named, as in the official 14-digit times.

/// Days from 0000-03-01 to 1858-11-17, the epoch of the modified Julian date.
const EPOCH_DAYS: i64 = 678_881;
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// A civil date and time, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    /// Year.
    pub year: i64,
    /// Month, 1-12.
    pub month: i64,
    /// Day, 1-31.
    pub day: i64,
    /// Hour, 0-23.
    pub hour: i64,
    /// Minute, 0-59.
    pub minute: i64,
    /// Second, 0-59.
    pub second: i64,
    /// Millisecond, 0-999.
    pub millisecond: i64,
}

/// Integer modified Julian day of a civil date.
fn day_from_date(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - EPOCH_DAYS
}

/// Civil date (year, month, day) of an integer modified Julian day.
fn date_from_day(mjd: i64) -> (i64, i64, i64) {
    let days = mjd + EPOCH_DAYS;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

impl Civil {
    /// The civil time of a modified Julian date \[d\], to the nearest millisecond.
    #[must_use]
    pub fn from_mjd(mjd: f64) -> Self {
        let whole = mjd.floor();
        let mut day = whole as i64;
        let mut ms = ((mjd - whole) * DAY_MS as f64).round() as i64;
        if ms == DAY_MS {
            day += 1;
            ms = 0;
        }
        let (year, month, day) = date_from_day(day);
        Self { year, month, day, hour: ms / 3_600_000, minute: ms / 60_000 % 60, second: ms / 1000 % 60, millisecond: ms % 1000 }
    }
    /// The same, to the nearest second.
    #[must_use]
    pub fn from_mjd_rounded(mjd: f64) -> Self {
        Self { millisecond: 0, ..Self::from_mjd(mjd + 0.5 / 86_400.0) }
    }
    /// Modified Julian date \[d\].
    #[must_use]
    pub fn mjd(&self) -> f64 {
        let ms = ((self.hour * 60 + self.minute) * 60 + self.second) * 1000 + self.millisecond;
        day_from_date(self.year, self.month, self.day) as f64 + ms as f64 / DAY_MS as f64
    }
    /// `YYYYMMDDhhmmss`, as in file names.
    #[must_use]
    pub fn compact(&self) -> String {
        format!("{:04}{:02}{:02}{:02}{:02}{:02}", self.year, self.month, self.day, self.hour, self.minute, self.second)
    }
    /// `YYYY-MM-DDThh:mm:ss.sss`, as in headers.
    #[must_use]
    pub fn iso(&self) -> String {
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}",
            self.year, self.month, self.day, self.hour, self.minute, self.second, self.millisecond
        )
    }
    /// Reads 14 digits; `None` when they are no date.
    #[must_use]
    pub fn parse_compact(text: &str) -> Option<Self> {
        if text.len() != 14 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let part = |from: usize, to: usize| text[from..to].parse::<i64>().ok();
        Self {
            year: part(0, 4)?,
            month: part(4, 6)?,
            day: part(6, 8)?,
            hour: part(8, 10)?,
            minute: part(10, 12)?,
            second: part(12, 14)?,
            millisecond: 0,
        }
        .checked()
    }
    /// Reads `YYYY-MM-DDThh:mm:ss[.sss]`; `None` when it is no date.
    #[must_use]
    pub fn parse_iso(text: &str) -> Option<Self> {
        if !text.is_ascii() || text.len() < 19 {
            return None;
        }
        let (whole, fraction) = text.split_at(19);
        let marks = whole.bytes().enumerate().all(|(i, b)| match i {
            4 | 7 => b == b'-',
            10 => b == b'T',
            13 | 16 => b == b':',
            _ => b.is_ascii_digit(),
        });
        let millisecond = match fraction.strip_prefix('.') {
            None if fraction.is_empty() => 0,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                format!("{digits:0<3}")[..3].parse().ok()?
            }
            _ => return None,
        };
        if !marks {
            return None;
        }
        let digits: String = whole.bytes().filter(u8::is_ascii_digit).map(char::from).collect();
        Self::parse_compact(&digits).map(|c| Self { millisecond, ..c })
    }
    fn checked(self) -> Option<Self> {
        let fits = self.hour < 24 && self.minute < 60 && self.second < 60;
        let round_trip = (1..=12).contains(&self.month)
            && date_from_day(day_from_date(self.year, self.month, self.day)) == (self.year, self.month, self.day);
        (fits && round_trip).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_dates_have_their_modified_julian_day() {
        // Definition of the MJD; J2000 and the 1985 January 1 example of the Explanatory Supplement; leap days.
        for (mjd, iso) in [
            (0.0, "1858-11-17T00:00:00.000"),
            (51_544.5, "2000-01-01T12:00:00.000"),
            (46_066.0, "1985-01-01T00:00:00.000"),
            (51_603.0, "2000-02-29T00:00:00.000"),
            (40_587.0, "1970-01-01T00:00:00.000"),
        ] {
            assert_eq!(Civil::from_mjd(mjd).iso(), iso);
            assert_eq!(Civil::parse_iso(iso).unwrap().mjd(), mjd);
        }
    }

    #[test]
    fn every_day_of_eight_centuries_comes_back_and_follows_its_neighbour() {
        let mut before = date_from_day(-100_000);
        for mjd in -99_999..200_000 {
            let date = date_from_day(mjd);
            assert_eq!(day_from_date(date.0, date.1, date.2), mjd);
            assert!(date > before, "{mjd}");
            before = date;
        }
    }

    #[test]
    fn rounding_carries_into_the_next_day() {
        let almost_midnight = 60_000.0 + 86_399.7 / 86_400.0;
        assert_eq!(Civil::from_mjd_rounded(almost_midnight).compact(), Civil::from_mjd(60_001.0).compact());
        assert_eq!(Civil::from_mjd(60_000.0 + 0.999_999_999_9).iso(), Civil::from_mjd(60_001.0).iso());
    }

    #[test]
    fn impossible_dates_are_refused() {
        for text in ["20270229000000", "20271301000000", "20270101240000", "2027010100000", "2027010100000x", "20270100000000"] {
            assert_eq!(Civil::parse_compact(text), None, "{text}");
        }
        for text in ["2027-01-01 00:00:00", "2027-01-01T00:00:00.", "2027-01-01T00:00", "2027-02-30T00:00:00"] {
            assert_eq!(Civil::parse_iso(text), None, "{text}");
        }
    }
}
