//! Optical constants of silicon from the data file.

/// Refractive index and absorption over wavelength.
#[derive(Debug, Clone)]
pub struct Silicon {
    wavelength_nm: Vec<f64>,
    index: Vec<f64>,
    ln_absorption_per_um: Vec<f64>,
}

impl Silicon {
    /// The table of `data/materials/silicon.csv`.
    #[must_use]
    pub fn load() -> Self {
        let mut silicon = Self { wavelength_nm: Vec::new(), index: Vec::new(), ln_absorption_per_um: Vec::new() };
        let text = include_str!("../../../data/materials/silicon.csv");
        for line in text.lines().filter(|l| !l.starts_with('#')).skip(1) {
            let mut numbers = line.split(',').filter_map(|word| word.parse::<f64>().ok());
            if let (Some(w), Some(n), Some(a)) = (numbers.next(), numbers.next(), numbers.next()) {
                silicon.wavelength_nm.push(w);
                silicon.index.push(n);
                silicon.ln_absorption_per_um.push((a * 1e-4).ln());
            }
        }
        silicon
    }
    fn between(&self, values: &[f64], wavelength_nm: f64) -> f64 {
        let x = &self.wavelength_nm;
        let at = wavelength_nm.clamp(x[0], x[x.len() - 1]);
        let i = x.partition_point(|&v| v <= at).clamp(1, x.len() - 1);
        values[i - 1] + (at - x[i - 1]) / (x[i] - x[i - 1]) * (values[i] - values[i - 1])
    }
    /// Refractive index; beyond the table that of its end.
    #[must_use]
    pub fn index(&self, wavelength_nm: f64) -> f64 {
        self.between(&self.index, wavelength_nm)
    }
    /// Absorption \[1 / um\]; beyond the table that of its end.
    #[must_use]
    pub fn absorption_per_um(&self, wavelength_nm: f64) -> f64 {
        self.between(&self.ln_absorption_per_um, wavelength_nm).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_and_interpolated() {
        let silicon = Silicon::load();
        assert!(silicon.wavelength_nm.len() > 20 && silicon.wavelength_nm.is_sorted());
        assert_eq!(silicon.index(1000.0), 3.572);
        assert!((silicon.absorption_per_um(1000.0) * 1e4 / 64.0 - 1.0).abs() < 1e-12);
        // Half way in the logarithm between 64 and 39.9 per cm.
        assert!((silicon.absorption_per_um(1010.0) * 1e4 / (64.0_f64 * 39.9).sqrt() - 1.0).abs() < 1e-12);
        assert_eq!(silicon.index(100.0), silicon.index(500.0));
    }
}
