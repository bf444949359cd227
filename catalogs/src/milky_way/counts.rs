//! Published star counts, against which the model is held.
//!
//! # Effect
//! None: a measure.
//! # Formula
//! [`PublishedCounts`]: lg N linear in V and in |b| between the table's rows. [`SurveyCounts`]: stars counted in a field of a survey.
//! # Symbols
//! N stars / deg2 brighter than V, mean over longitude.
//! # Source
//! Cox (ed.) 2000, Allen's Astrophysical Quantities, 4th edition, chapter 19, as in `stellar_cnts.txt` of EXOSIMS. Surveys: Pan-STARRS DR1 (Chambers et al. 2016,
//! arXiv:1612.05560) at b = 60 and -63 deg, Gaia at l = 235, b = -31 deg (`data/milky_way/SOURCES.md`).
//! # Limits
//! V 15 to 25, |b| 0 to 90 deg. Stars of Pan-STARRS were selected with 12 to 16 mag in all of g, r, i, z: where that takes more than 3 % of them, and where
//! they saturate (13 mag), the counts are those of the selection alone.
//! # Twin
//! None.

use crate::direction::{dot, vector};
use crate::table::{held, numbers};

/// The table.
#[derive(Debug, Clone)]
pub struct PublishedCounts {
    rows: Vec<Vec<f64>>,
    magnitudes: Vec<f64>,
}

impl Default for PublishedCounts {
    fn default() -> Self {
        Self::load()
    }
}

impl PublishedCounts {
    /// The table compiled in.
    #[must_use]
    pub fn load() -> Self {
        let rows = numbers(include_str!("../../data/milky_way/counts_allen.csv"));
        Self { rows, magnitudes: (15..=25).map(f64::from).collect() }
    }
    /// Magnitudes covered.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        (self.magnitudes[0], self.magnitudes[self.magnitudes.len() - 1])
    }
    /// Stars per deg2 brighter than V at a galactic latitude \[deg\].
    #[must_use]
    pub fn brighter_deg2(&self, b_deg: f64, v: f64) -> f64 {
        let at_v: Vec<f64> = self.rows.iter().map(|r| held(&self.magnitudes, &r[1..], v)).collect();
        let latitudes: Vec<f64> = self.rows.iter().map(|r| r[0]).collect();
        10.0_f64.powf(held(&latitudes, &at_v, b_deg.abs()))
    }
}

/// Stars counted in a field of a survey, by magnitude in a band.
#[derive(Debug, Clone)]
pub struct SurveyCounts {
    /// Where they are from.
    pub source: &'static str,
    /// Middle of the field, right ascension and declination \[deg\].
    pub middle: (f64, f64),
    /// Its area \[deg2\].
    pub area_deg2: f64,
    /// Middles of bins of magnitude, and the stars in them.
    pub bins: Vec<(f64, f64)>,
    /// Width of the bins \[mag\].
    pub width: f64,
    /// Magnitudes between which all stars of the field were counted.
    pub complete: (f64, f64),
}

/// Bands of the table of Pan-STARRS, each with the magnitude to which the selection is complete.
const PAN_STARRS: [(&str, f64); 4] = [("sdss_g", 16.0), ("sdss_r", 14.5), ("sdss_i", 14.0), ("sdss_z", 14.0)];
/// How near a field's middle its counts stand for \[deg\].
const NEAR_DEG: f64 = 5.0;

impl SurveyCounts {
    /// The fields in a band: magnitudes of Pan-STARRS for SDSS g r i z, of SDSS for Gaia's stars.
    #[must_use]
    pub fn of(band: &str) -> Vec<Self> {
        let column = |rows: &[Vec<f64>], place: usize| rows.iter().map(|r| (r[0], r[place])).collect();
        let mut fields = Vec::new();
        if let Some(k) = PAN_STARRS.iter().position(|b| b.0 == band) {
            let rows = numbers(include_str!("../../data/milky_way/counts_panstarrs.csv"));
            // Boxes of right ascension and declination: 177.01 to 180.37, -1.51 to 1.52 deg; 11.60 to 14.89, -1.52 to 1.56 deg.
            for (place, middle, area_deg2) in [(1 + k, (178.69, 0.005), 10.180), (5 + k, (13.245, 0.02), 10.132)] {
                let (bins, complete) = (column(&rows, place), (13.0, PAN_STARRS[k].1));
                fields.push(Self { source: "Pan-STARRS DR1", middle, area_deg2, bins, width: 0.5, complete });
            }
        }
        if band == "sdss_g" {
            let rows = numbers(include_str!("../../data/milky_way/counts_gaia.csv"));
            let (bins, complete) = (column(&rows, 1), (15.0, 20.0));
            fields.push(Self { source: "Gaia", middle: (81.562, -31.387), area_deg2: 3.770, bins, width: 1.0, complete });
        }
        fields
    }
    /// The field about a place (right ascension, declination) \[deg\], if there is one.
    #[must_use]
    pub fn near(band: &str, (ra_deg, dec_deg): (f64, f64)) -> Option<Self> {
        let place = vector(ra_deg, dec_deg);
        Self::of(band).into_iter().find(|f| dot(&place, &vector(f.middle.0, f.middle.1)) > NEAR_DEG.to_radians().cos())
    }
    /// Stars per mag and deg2 between two magnitudes, where all were counted.
    #[must_use]
    pub fn per_mag_deg2(&self, bright: f64, faint: f64) -> Option<f64> {
        let within = |m: f64| (self.complete.0..=self.complete.1).contains(&m);
        (within(bright) && within(faint)).then(|| {
            let share = |middle: f64| {
                let (from, to) = (middle - 0.5 * self.width, middle + 0.5 * self.width);
                (to.min(faint) - from.max(bright)).max(0.0) / self.width
            };
            self.bins.iter().map(|(middle, stars)| stars * share(*middle)).sum::<f64>() / self.area_deg2 / (faint - bright)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_by_latitude_and_magnitude() {
        let table = PublishedCounts::load();
        // lg N = 3.092 at V = 20, b = 90 deg; 2.781 at V = 15, b = 20 deg.
        assert!((table.brighter_deg2(90.0, 20.0).log10() - 3.092).abs() < 1e-9);
        assert!((table.brighter_deg2(-20.0, 15.0).log10() - 2.781).abs() < 1e-9);
        assert!((table.brighter_deg2(75.0, 20.5).log10() - 0.25 * (3.226 + 3.389 + 3.092 + 3.245)).abs() < 1e-9);
    }
    #[test]
    fn fields_of_surveys_are_found_by_place_and_band_and_are_silent_where_they_are_incomplete() {
        let north = SurveyCounts::near("sdss_g", (180.0, 2.0)).unwrap();
        // 461 stars of g 15 to 15.5 and 565 to 16 in a box of 3.36 deg by 3.03.
        assert!((north.per_mag_deg2(15.0, 16.0).unwrap() - (461.0 + 565.0) / (3.36 * 3.03)).abs() < 0.1);
        assert!((north.per_mag_deg2(15.5, 15.75).unwrap() - 565.0 / 0.5 / (3.36 * 3.03)).abs() < 0.1);
        assert!(north.per_mag_deg2(15.5, 16.5).is_none() && north.per_mag_deg2(12.5, 13.5).is_none());
        assert!(SurveyCounts::near("sdss_z", (14.0, 0.0)).unwrap().per_mag_deg2(14.0, 15.0).is_none());
        assert!(SurveyCounts::near("sdss_g", (80.0, -30.0)).unwrap().source == "Gaia");
        assert!(SurveyCounts::near("bessell_v", (180.0, 2.0)).is_none() && SurveyCounts::near("sdss_g", (192.0, 27.0)).is_none());
    }
}
