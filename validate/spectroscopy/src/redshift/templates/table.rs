//! The compiled tables of numbers the templates are made of (`data/redshift/SOURCES.md`).

/// Rows of a table of text fields, its heading left out.
pub(crate) fn rows(text: &'static str) -> Vec<Vec<&'static str>> {
    text.lines().skip(1).filter(|l| !l.trim().is_empty()).map(|l| l.split(',').map(str::trim).collect()).collect()
}

/// A field as a number; the tables are compiled in and a test reads them all.
pub(crate) fn number(field: &str) -> f64 {
    field.parse().unwrap_or(f64::NAN)
}

/// Rows of numbers.
pub(crate) fn numbers(text: &'static str) -> Vec<Vec<f64>> {
    rows(text).iter().map(|row| row.iter().map(|f| number(f)).collect()).collect()
}

/// Linear between rows, held at the ends.
pub(crate) fn held(x: &[f64], y: &[f64], at: f64) -> f64 {
    let k = x.partition_point(|&v| v <= at);
    if k == 0 {
        return y[0];
    }
    if k == x.len() {
        return y[k - 1];
    }
    y[k - 1] + (at - x[k - 1]) / (x[k] - x[k - 1]) * (y[k] - y[k - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_the_tables_is_one() {
        for text in [include_str!("../../../data/redshift/stellar_locus.csv"), include_str!("../../../data/redshift/solar.csv")] {
            assert!(numbers(text).iter().flatten().all(|v| v.is_finite()));
        }
        for text in [
            include_str!("../../../data/redshift/emission_lines.csv"),
            include_str!("../../../data/redshift/quasar_lines.csv"),
            include_str!("../../../data/redshift/stellar_features.csv"),
        ] {
            assert!(rows(text).iter().all(|r| number(r[1]) > 0.0));
        }
        assert_eq!(held(&[1.0, 2.0], &[5.0, 7.0], 1.5), 6.0);
    }
}
