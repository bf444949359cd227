//! Emission lines and the groups in which they are tied.
//!
//! # Source
//! Vacuum wavelengths: NIST, doublets unresolved here at their means. Ratios: case B at 10 000 K (Osterbrock & Ferland 2006) for `balmer`;
//! 1 : 2.98 for
//! \[O III\], 1 : 3 for \[N II\] (atomic); others typical of star-forming galaxies (assumed). `data/redshift/emission_lines.csv`.
//! # Limits
//! Dust between lines of one group is taken up by the group `red` (H alpha with \[N II\] and \[S II\] alone), no other freedom.

use super::table::{number, rows};

const LINES: &str = include_str!("../../../data/redshift/emission_lines.csv");

/// A line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) nm: f64,
    /// Flux per unit of the group's amplitude.
    pub(crate) ratio: f64,
}

/// Lines of fixed ratios.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LineGroup {
    pub(crate) name: String,
    pub(crate) lines: Vec<Line>,
    /// Wavelength at which the prior's continuum is taken \[nm\].
    pub(crate) reference_nm: f64,
    /// Half-normal prior of the amplitude: equivalent width at rest \[nm\].
    pub(crate) prior_ew_nm: f64,
}

/// Groups by name with the width of their prior \[nm\] (assumed: what faint star-forming galaxies have).
pub(crate) fn groups(wanted: &[(&str, f64)]) -> Vec<LineGroup> {
    let all = rows(LINES);
    wanted
        .iter()
        .map(|&(name, prior_ew_nm)| {
            let lines: Vec<Line> = all
                .iter()
                .filter(|r| r[2] == name)
                .map(|r| Line { name: r[0].to_string(), nm: number(r[1]), ratio: number(r[3]) })
                .collect();
            let reference_nm = lines.iter().find(|l| l.ratio == 1.0).map_or(lines[0].nm, |l| l.nm);
            LineGroup { name: name.to_string(), lines, reference_nm, prior_ew_nm }
        })
        .collect()
}

/// Name, vacuum wavelength \[nm\], members (wavelength \[nm\], share of the flux).
pub(crate) type Reported = (&'static str, f64, &'static [(f64, f64)]);

/// Lines (or unresolved blends) whose fluxes are reported: name, vacuum wavelength \[nm\], members (wavelength, share).
pub(crate) const REPORTED: [Reported; 13] = [
    ("Ly_alpha", 121.567, &[(121.567, 1.0)]),
    ("C_IV_155", 154.95, &[(154.82, 0.6), (155.08, 0.4)]),
    ("C_III_191", 190.81, &[(190.67, 0.45), (190.87, 0.55)]),
    ("Mg_II_280", 279.91, &[(279.64, 0.6), (280.35, 0.4)]),
    ("O_II_373", 372.86, &[(372.71, 0.5), (372.99, 0.5)]),
    ("H_delta", 410.29, &[(410.29, 1.0)]),
    ("H_gamma", 434.17, &[(434.17, 1.0)]),
    ("H_beta", 486.27, &[(486.27, 1.0)]),
    ("O_III_501", 500.82, &[(496.03, 0.251), (500.82, 0.749)]),
    ("H_alpha_N_II", 656.46, &[(656.46, 1.0)]),
    ("S_II_673", 672.5, &[(671.83, 0.55), (673.27, 0.45)]),
    ("S_III_907", 907.11, &[(907.11, 1.0)]),
    ("S_III_953", 953.32, &[(953.32, 1.0)]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_groups_have_their_lines() {
        let g = groups(&[("balmer", 2.0), ("o_iii", 5.0)]);
        assert_eq!(g[0].reference_nm, 486.27);
        assert_eq!(g[0].lines.len(), 6);
        assert!((g[1].lines.iter().map(|l| l.ratio).sum::<f64>() - 1.445).abs() < 1e-9);
    }
}
