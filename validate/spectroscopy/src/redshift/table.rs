//! Results as tables.

use super::result::{Class, SourceRedshift, Status};
use sim_core::table::{Column, ColumnData, Table};

/// One row a source: redshift, class, probabilities, temperature, signal to noise.
#[must_use]
pub fn source_table(results: &[SourceRedshift]) -> Table {
    let f = |name: &str, unit: &str, text: &str, value: &dyn Fn(&SourceRedshift) -> f64| {
        Column::new(name, unit, text, ColumnData::F64(results.iter().map(value).collect()))
    };
    let i = |name: &str, text: &str, value: &dyn Fn(&SourceRedshift) -> i32| {
        Column::new(name, "", text, ColumnData::I32(results.iter().map(value).collect()))
    };
    let t = |name: &str, text: &str, value: &dyn Fn(&SourceRedshift) -> &'static str| {
        Column::new(name, "", text, ColumnData::Text(results.iter().map(|r| value(r).to_string()).collect()))
    };
    let star = |get: &dyn Fn(&super::StarParameters) -> f64, r: &SourceRedshift| r.star.as_ref().map_or(f64::NAN, get);
    let columns = vec![
        Column::new("ID", "", "number of the source", ColumnData::I64(results.iter().map(|r| r.id as i64).collect())),
        t("STATUS", "measured, or why there is no redshift", &|r| match r.status {
            Status::Measured => "measured",
            Status::NoUsableSamples => "no_usable_samples",
            Status::TooFewSamples => "too_few_samples",
            Status::NoSignal => "no_signal",
        }),
        t("CLASS", "most probable class", &|r| match r.class {
            Some(Class::Star) => "star",
            Some(Class::Galaxy) => "galaxy",
            Some(Class::Quasar) => "quasar",
            None => "",
        }),
        f("P_STAR", "", "probability of a star", &|r| r.class_probability[0]),
        f("P_GALAXY", "", "probability of a galaxy", &|r| r.class_probability[1]),
        f("P_QUASAR", "", "probability of a quasar", &|r| r.class_probability[2]),
        f("Z", "", "redshift", &|r| r.z),
        f("Z_ERR", "", "standard error of the redshift", &|r| r.z_error),
        f("RELIABILITY", "", "probability that Z is right to three of its errors, 0.005 (1 + z) at least, 0.02 at most", &|r| {
            r.reliability
        }),
        i("RELIABLE", "1 where RELIABILITY reaches the threshold", &|r| i32::from(r.reliable)),
        f("Z2", "", "second-best redshift", &|r| r.z_second),
        f("P_Z2", "", "probability about Z2", &|r| r.z_second_probability),
        f("CHI2_STAR", "", "least chi2 of stars", &|r| r.chi2[0]),
        f("CHI2_GALAXY", "", "least chi2 of galaxies", &|r| r.chi2[1]),
        f("CHI2_QUASAR", "", "least chi2 of quasars", &|r| r.chi2[2]),
        i("N_SAMPLE", "samples in chi2", &|r| r.samples as i32),
        i("N_REJECT", "elements of the spectra left out", &|r| r.rejected as i32),
        f("SNR_GU", "", "median signal to noise per element in GU", &|r| r.snr[0]),
        f("SNR_GV", "", "median signal to noise per element in GV", &|r| r.snr[1]),
        f("SNR_GI", "", "median signal to noise per element in GI", &|r| r.snr[2]),
        f("TEFF", "K", "effective temperature if a star", &|r| star(&|p| p.teff_k, r)),
        f("TEFF_ERR", "K", "standard error of TEFF", &|r| star(&|p| p.teff_error_k, r)),
        f("TEFF_LO", "K", "16th percentile of TEFF", &|r| star(&|p| p.teff_range_k.0, r)),
        f("TEFF_HI", "K", "84th percentile of TEFF", &|r| star(&|p| p.teff_range_k.1, r)),
        f("P_WD", "", "probability of a white dwarf if a star", &|r| star(&|p| p.white_dwarf, r)),
        f("Z_MAX", "", "largest redshift tried", &|r| r.z_max),
    ];
    Table { name: "REDSHIFT".into(), columns }
}

/// One row a line of a source.
#[must_use]
pub fn line_table(results: &[SourceRedshift]) -> Table {
    let rows: Vec<(u64, &super::LineFlux)> = results.iter().flat_map(|r| r.lines.iter().map(|l| (r.id, l))).collect();
    let f = |name: &str, unit: &str, text: &str, value: &dyn Fn(&super::LineFlux) -> f64| {
        Column::new(name, unit, text, ColumnData::F64(rows.iter().map(|(_, l)| value(l)).collect()))
    };
    let columns = vec![
        Column::new("ID", "", "number of the source", ColumnData::I64(rows.iter().map(|(id, _)| *id as i64).collect())),
        Column::new("LINE", "", "line or unresolved blend", ColumnData::Text(rows.iter().map(|(_, l)| l.name.clone()).collect())),
        f("WAVELENGTH", "nm", "vacuum wavelength at rest", &|l| l.wavelength_nm),
        f("FLUX", "erg s-1 cm-2", "flux, negative for absorption", &|l| l.flux),
        f("FLUX_ERR", "erg s-1 cm-2", "standard error of the flux", &|l| l.flux_error),
        f("EW", "nm", "equivalent width at rest, positive for emission", &|l| l.ew_nm),
        f("EW_ERR", "nm", "standard error of EW", &|l| l.ew_error_nm),
    ];
    Table { name: "LINES".into(), columns }
}
