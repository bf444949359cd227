//! The zones of the population, read from their table.

use super::law::CountLaw;
use crate::solar_system::colour::Taxon;

const TABLE: &str = include_str!("../../../data/solar_system/zones.csv");

/// One zone.
#[derive(Debug, Clone)]
pub(super) struct Zone {
    /// First letters of the names of its bodies.
    pub prefix: &'static str,
    /// Kept as a list; else drawn where it is asked for.
    pub listed: bool,
    pub a_au: (f64, f64),
    pub q_au: (f64, f64),
    pub e_sigma: f64,
    pub i_sigma_deg: f64,
    pub law: CountLaw,
    /// Mean longitude from Jupiter and its standard deviation \[deg\].
    pub resonance_deg: Option<(f64, f64)>,
    pub surfaces: Vec<(Taxon, f64)>,
}

/// All zones; their order is part of every number.
pub(super) fn zones() -> Vec<Zone> {
    TABLE.lines().filter(|l| !l.starts_with('#')).skip(1).filter(|l| !l.is_empty()).map(zone).collect()
}

fn zone(line: &'static str) -> Zone {
    let cells: Vec<&'static str> = line.split(',').collect();
    let number = |k: usize| cells[k].parse().unwrap_or(f64::NAN);
    let surfaces = cells[17].split_whitespace().filter_map(|part| {
        let (name, share) = part.split_once(':')?;
        let taxon = match name {
            "s" => Taxon::S,
            "c" => Taxon::C,
            "v" => Taxon::V,
            "d" => Taxon::D,
            _ => Taxon::Red,
        };
        Some((taxon, share.parse().ok()?))
    });
    Zone {
        prefix: cells[1],
        listed: cells[2] == "1",
        a_au: (number(3), number(4)),
        q_au: (number(5), number(6)),
        e_sigma: number(7),
        i_sigma_deg: number(8),
        law: CountLaw::new(number(9), number(10), number(11), &[(number(12), number(13))], number(14)),
        resonance_deg: (!cells[15].is_empty()).then(|| (number(15), number(16))),
        surfaces: surfaces.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_of_the_table_is_whole() {
        let zones = zones();
        assert_eq!(zones.len(), 8);
        for z in &zones {
            assert!(z.a_au.0 > 0.5 && z.a_au.1 >= z.a_au.0 && z.q_au.0 < z.q_au.1 && z.e_sigma > 0.0 && z.i_sigma_deg > 0.0, "{z:?}");
            assert!((z.surfaces.iter().map(|s| s.1).sum::<f64>() - 1.0).abs() < 1e-12, "{z:?}");
        }
        let near = &zones[3].law;
        // Granvik et al. 2018: 962 of H < 17.75 and 802,000 of H < 25.
        assert!((near.brighter(17.75) - 962.0).abs() < 1e-6 && (near.brighter(25.0) / 802e3 - 1.0).abs() < 0.01);
        // Uehata et al. 2022: 110,000 at L5 of D > 1 km.
        assert!(
            (zones[5].law.brighter(18.5) / 110e3 - 1.0).abs() < 0.01
                && (zones[4].law.brighter(18.5) / zones[5].law.brighter(18.5) - 1.4).abs() < 0.01
        );
    }
}
