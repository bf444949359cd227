//! Settings of the calibration, with their ranges.

use super::error::CalibrationError;
use serde::{Deserialize, Serialize};

/// Settings; all defaults are choices of this project, tried on painted frames.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Largest error of the guessed place of an order, both ways \[pixel\], 1 to 40.
    pub search_px: f64,
    /// Largest relative error of the guessed dispersion, 0 to 0.1.
    pub search_scale: f64,
    /// Columns that share one point of the ridge, 1 to 64.
    pub bin: usize,
    /// Rows either side of the ridge that its profile is fitted to, 3 to 20.
    pub half_window: usize,
    /// Rows either side of the ridge added up for lines, 2 to 20.
    pub half_box: f64,
    /// Least signal to noise of a point of the ridge, 3 or more.
    pub point_snr: f64,
    /// Degree of the trace, 0 to 6.
    pub trace_degree: usize,
    /// Points and lines further than this many errors from their fit are rejected, 2 to 10.
    pub clip: f64,
    /// Least signal to noise of a line, 3 or more.
    pub line_snr: f64,
    /// Degree of the wavelength in t, 1 to 4.
    pub dispersion_degree: usize,
    /// Least error given to a line's place, for what its model leaves out \[pixel\], 0 to 1.
    pub line_floor_px: f64,
    /// Least error given to a point of the ridge \[pixel\], 0 to 1.
    pub point_floor_px: f64,
    /// Degree of the field polynomials, 0 to 3.
    pub field_degree: usize,
    /// Highest degree in the field of powers of t above the first, 0 to 3.
    pub field_degree_high: usize,
    /// Rows either side of the trace in the wide box of sensitivities, 5 to 60.
    pub wide_half_box: f64,
    /// Rows either side to which the curve of growth is measured, above `wide_half_box`, to 120.
    pub growth_half_box: f64,
    /// Distance of spline knots \[nm\], 0.5 to 50.
    pub knot_nm: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            search_px: 15.0,
            search_scale: 0.03,
            bin: 8,
            half_window: 6,
            half_box: 4.5,
            point_snr: 8.0,
            trace_degree: 2,
            clip: 4.0,
            line_snr: 6.0,
            dispersion_degree: 3,
            line_floor_px: 0.02,
            point_floor_px: 0.01,
            field_degree: 2,
            field_degree_high: 1,
            wide_half_box: 16.0,
            growth_half_box: 32.0,
            knot_nm: 3.0,
        }
    }
}

impl Settings {
    /// Checks all ranges.
    ///
    /// # Errors
    /// The first setting out of its range.
    pub fn check(&self) -> Result<(), CalibrationError> {
        let within = |key, value: f64, low: f64, high: f64, allowed| {
            if value >= low && value <= high { Ok(()) } else { Err(CalibrationError::Setting { key, value: value.to_string(), allowed }) }
        };
        within("search_px", self.search_px, 1.0, 40.0, "1 to 40")?;
        within("search_scale", self.search_scale, 0.0, 0.1, "0 to 0.1")?;
        within("bin", self.bin as f64, 1.0, 64.0, "1 to 64")?;
        within("half_window", self.half_window as f64, 3.0, 20.0, "3 to 20")?;
        within("half_box", self.half_box, 2.0, 20.0, "2 to 20")?;
        within("point_snr", self.point_snr, 3.0, 1e6, "3 to 1e6")?;
        within("trace_degree", self.trace_degree as f64, 0.0, 6.0, "0 to 6")?;
        within("clip", self.clip, 2.0, 10.0, "2 to 10")?;
        within("line_snr", self.line_snr, 3.0, 1e6, "3 to 1e6")?;
        within("dispersion_degree", self.dispersion_degree as f64, 1.0, 4.0, "1 to 4")?;
        within("line_floor_px", self.line_floor_px, 0.0, 1.0, "0 to 1")?;
        within("point_floor_px", self.point_floor_px, 0.0, 1.0, "0 to 1")?;
        within("field_degree", self.field_degree as f64, 0.0, 3.0, "0 to 3")?;
        within("field_degree_high", self.field_degree_high as f64, 0.0, 3.0, "0 to 3")?;
        within("wide_half_box", self.wide_half_box, 5.0, 60.0, "5 to 60")?;
        within("growth_half_box", self.growth_half_box, self.wide_half_box + 4.0, 120.0, "wide_half_box + 4 to 120")?;
        within("knot_nm", self.knot_nm, 0.5, 50.0, "0.5 to 50")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_range_and_others_are_named() {
        assert!(Settings::default().check().is_ok());
        let wrong = Settings { dispersion_degree: 9, ..Settings::default() };
        assert_eq!(wrong.check().unwrap_err().to_string(), "setting dispersion_degree = 9: allowed 1 to 4");
        assert!(serde_json::from_str::<Settings>(r#"{"no_such": 1}"#).is_err());
    }
}
