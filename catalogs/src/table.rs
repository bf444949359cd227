//! The comma-separated tables that are compiled in. They are ours: a fault in one is a broken build, not user error.

/// Rows of numbers of a table with a header line; a text cell becomes NaN.
pub(crate) fn numbers(text: &str) -> Vec<Vec<f64>> {
    text.lines()
        .skip(1)
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.split(',').map(|cell| cell.trim().parse().unwrap_or(f64::NAN)).collect())
        .collect()
}

/// Two columns of a table.
pub(crate) fn columns(text: &str, x: usize, y: usize) -> (Vec<f64>, Vec<f64>) {
    numbers(text).into_iter().map(|row| (row[x], row[y])).unzip()
}

/// Linear interpolation, held at both ends.
pub(crate) fn held(x: &[f64], y: &[f64], at: f64) -> f64 {
    if at <= x[0] {
        return y[0];
    }
    if at >= x[x.len() - 1] {
        return y[y.len() - 1];
    }
    let i = x.partition_point(|&v| v <= at).clamp(1, x.len() - 1);
    y[i - 1] + (y[i] - y[i - 1]) * (at - x[i - 1]) / (x[i] - x[i - 1])
}

/// Linear interpolation in values of an even grid at a fractional index, held at both ends.
pub(crate) fn along(values: &[f64], place: f64) -> f64 {
    let last = values.len() - 1;
    let place = place.clamp(0.0, last as f64);
    let k = (place as usize).min(last - 1);
    values[k] + (place - k as f64) * (values[k + 1] - values[k])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_by_column_and_held_beyond_its_ends() {
        let (x, y) = columns("a,b,c\n1,x,10\n3,y,30\n", 0, 2);
        assert_eq!((held(&x, &y, 2.0), held(&x, &y, 0.0), held(&x, &y, 9.0)), (20.0, 10.0, 30.0));
    }
}
