//! Active nuclei of the synthetic field's galaxies.
//!
//! # Effect
//! Some galaxies have a point of light in the middle: a Seyfert nucleus with broad lines that wanders as quasars do, or one whose broad lines are hidden.
//! # Formula
//! Per slice of distance and bin of M the numbers are n1 = V Phi(M, z) of [`crate::quasars::Luminosity`], n2 = n1 p / (1 - p) of [`hidden_share`]; a galaxy has the part w / sum of
//! w n of them, w = m^0.65 where L(M) < L_Edd, else 0, the sum over galaxies of all magnitudes (16 to 28.75). With broad lines those fainter than M = -18 alone:
//! brighter ones are quasars of the field, with hosts of their own. Hidden ones of all M.
//! # Symbols
//! M = M_g(z = 2) of the nucleus without what hides it, -30 to -17; V volume of the slice; n galaxies; m stellar mass; lg L = 36 - 0.4 M_i(z = 2), L_Edd = 1.26e38 erg / s
//! times 0.002 m.
//! # Source
//! Hosts: the chance of an accretion rate per mass is a power law of index -0.65 whatever the mass (Aird et al. 2012, ApJ 746, 90). L: Shen et al. 2009 (ApJ 697, 1656). Black holes: 0.002 of the
//! mass of a bulge (Marconi & Hunt 2003, ApJ 589, L21), here of the galaxy; each as remembered. End at the Eddington limit: Aird et al. 2012. M = -17 at the faint end is L_X = 1e42 erg / s (2 to 10 keV), what is
//! usually called active.
//! # Limits
//! Redshifts to 6: farther out the counts have too few galaxies for them. A galaxy has one nucleus at most, which loses some of the heaviest galaxies near z = 2 (below 1 % of all).
//! The function is extrapolated below M = -22 (z > 0.7) and below z = 0.68. Star-forming and quiescent galaxies alike; galaxies of clusters have none. The host keeps its light and
//! its limits of magnitude. Wander is held at that of M_i = -21, where its sample ended (assumed). No dust of their own for those with broad lines.
//! # Twin
//! None.

use super::FieldSpec;
use super::counts::GalaxyCounts;
use super::galaxies::GalaxyModel;
use super::galaxy_law::SLICES;
use super::grid::Cell;
use super::supernovae::Host;
use crate::Library;
use crate::cosmos::SHELLS;
use crate::draw::Draw;
use crate::quasars::{FAINTEST_QUASAR, HiddenSpectra, Luminosity, QuasarSpectra, Wander, hidden_share, lg_mass};
use serde::{Deserialize, Serialize};
use sim_core::source::{Brightness, Component, Profile};
use sim_core::spectrum::{Extinction, Sed};
use sim_core::stream::StreamKey;
use std::sync::Arc;

/// Bins of M: the first edge, the step and how many.
const BRIGHTEST: f64 = -30.0;
const STEP: f64 = 0.25;
const BINS: usize = 52;
/// Power of the mass of the host.
const MASS_POWER: f64 = 0.65;
/// Farthest nuclei.
const FARTHEST: f64 = 6.0;
/// lg of the Eddington luminosity over the mass of the galaxy \[erg / s / solar mass\].
const LG_EDDINGTON: f64 = 35.40;
/// Scatter of the lines of hidden nuclei \[mag\]: 0.38 dex.
const LINE_SCATTER_MAG: f64 = 0.95;
/// Brightest M_i at which the wander of nuclei is evaluated.
const WANDER_FAINTEST: f64 = -21.0;

/// Active nuclei of the field's galaxies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NucleusSpec {
    /// Factor on their number, 0 to 100; 0 for none.
    pub scale: f64,
    /// Faintest mean i magnitude of a nucleus, 14 to 40.
    pub faint: f64,
    /// Whether the brightness of those with broad lines changes with the date.
    pub variable: bool,
}

impl Default for NucleusSpec {
    fn default() -> Self {
        Self { scale: 0.0, faint: 28.0, variable: true }
    }
}

/// What holds at every place of the sky.
pub(super) struct NucleusModel {
    spectra: QuasarSpectra,
    hidden: HiddenSpectra,
    luminosity: Luminosity,
    /// By slice: nuclei of a galaxy of weight 1 in a bin of M and all fainter ones, with broad lines and hidden.
    fainter: Vec<[Vec<f64>; 2]>,
}

pub(super) struct NucleusField<'a> {
    pub spec: &'a FieldSpec,
    pub key: StreamKey,
    pub library: &'a Library,
    pub extinction: Option<Arc<Extinction>>,
    pub model: &'a NucleusModel,
    pub mjd: f64,
}

fn middle(bin: usize) -> f64 {
    BRIGHTEST + STEP * (bin as f64 + 0.5)
}

/// Weight of a mass \[lg solar\].
fn weight(lg_mass: f64) -> f64 {
    10.0_f64.powf(MASS_POWER * (lg_mass - 11.0))
}

/// The brightest bin that a galaxy of a mass \[lg solar\] can have.
fn first_bin(luminosity: &Luminosity, lg_mass: f64) -> usize {
    let brightest_i = 90.0 - 2.5 * (lg_mass + LG_EDDINGTON);
    let g = brightest_i - luminosity.absolute_i(0.0);
    ((g - middle(0)) / STEP).ceil().clamp(0.0, BINS as f64) as usize
}

impl NucleusModel {
    pub(super) fn new(galaxies: &GalaxyModel, library: &Library) -> Self {
        let spectra = QuasarSpectra::new();
        let luminosity = Luminosity::new(&spectra, &library.bands, library.bands.sdss_i());
        let (counts, background) = (GalaxyCounts::load(), &galaxies.structure.background);
        let width = galaxies.structure.shells.width / SLICES as f64;
        let (bright, faint, step) = (counts.range().0, counts.range().1, 0.05);
        let numbers: Vec<(f64, f64)> = (0..((faint - bright) / step) as usize)
            .map(|k| (bright + step * (k as f64 + 0.5), counts.between_deg2(bright + step * k as f64, bright + step * (k + 1) as f64)))
            .collect();
        let fainter = (0..SHELLS * SLICES)
            .map(|slice| {
                // Weights of the galaxies that can have a bin but not the one before, then of all that can have it.
                let mut hosts = [0.0; BINS + 1];
                for &(i, deg2) in &numbers {
                    let (p, all) = (galaxies.law.prospect(slice, i), deg2 * galaxies.law.share(slice, i));
                    for (part, mass) in [(1.0 - p.quiescent, p.mass[0]), (p.quiescent, p.mass[1])] {
                        hosts[first_bin(&luminosity, mass)] += part * all * weight(mass);
                    }
                }
                let mut sum = 0.0;
                let (near, far) = (background.redshift(width * slice as f64), background.redshift(width * (slice + 1) as f64));
                let z = 0.5 * (near + far);
                let mut of_type = [vec![0.0; BINS + 1], vec![0.0; BINS + 1]];
                for bin in 0..BINS {
                    sum += hosts[bin];
                    let (g, share) = (middle(bin), hidden_share(&luminosity, middle(bin), z));
                    let all = if sum > 0.0 && z < FARTHEST { STEP * luminosity.nuclei_mag_deg2(g, near, far) / sum } else { 0.0 };
                    of_type[0][bin] = if g > FAINTEST_QUASAR { all } else { 0.0 };
                    of_type[1][bin] = all * share / (1.0 - share);
                }
                for column in &mut of_type {
                    for bin in (0..BINS).rev() {
                        column[bin] += column[bin + 1];
                    }
                }
                of_type
            })
            .collect();
        Self { spectra, hidden: HiddenSpectra::default(), luminosity, fainter }
    }
    /// Expected nuclei of a galaxy of a mass \[lg solar\] in a slice: with broad lines, hidden, and the brightest bin it can have.
    fn expected(&self, slice: usize, lg_mass: f64) -> ([f64; 2], usize) {
        let (first, weight) = (first_bin(&self.luminosity, lg_mass), weight(lg_mass));
        ([0, 1].map(|kind| weight * self.fainter[slice][kind][first]), first)
    }
}

impl NucleusField<'_> {
    /// The nucleus of a galaxy, if it has one.
    pub(super) fn of(&self, cell: &Cell, number: u64, host: &Host) -> Option<Component> {
        let model = self.model;
        let ([broad, hidden], first) = model.expected(host.slice, host.lg_mass);
        let mut draw = Draw::new(self.key.with(cell.number).stream(number));
        if !draw.chance(self.spec.nuclei.scale * (broad + hidden)) {
            return None;
        }
        let is_hidden = draw.chance(hidden / (broad + hidden));
        let fainter = &model.fainter[host.slice][usize::from(is_hidden)];
        let below = draw.uniform() * fainter[first];
        let bin = fainter.partition_point(|&f| f > below).max(1) - 1;
        let g = BRIGHTEST + STEP * (bin as f64 + draw.uniform());
        let (mass, scatter) = (draw.normal(), draw.normal());
        let (absolute_i, z) = (model.luminosity.absolute_i(g), host.redshift);
        let i = model.luminosity.apparent(g, z);
        let band = self.library.bands.sdss_i();
        let whole = model.spectra.at(QuasarSpectra::kind(absolute_i), 0.0, z);
        let sed = |template| Sed { template, redshift: z, extinction: self.extinction.clone() };
        let (sed, mean, change) = if is_hidden {
            let seen = sed(model.hidden.of(&whole));
            let lost = -2.5 * (band.mean_fnu(&seen) / band.mean_fnu(&sed(whole))).log10();
            (seen, i + lost + LINE_SCATTER_MAG * scatter, 0.0)
        } else {
            let as_bright = absolute_i.min(WANDER_FAINTEST);
            let key = self.key.with(cell.number).with(number);
            let wander = || Wander::of(band.pivot_nm(), z, as_bright, lg_mass(as_bright, mass)).at(key, self.mjd);
            (sed(whole), i, if self.spec.nuclei.variable { wander() } else { 0.0 })
        };
        (mean < self.spec.nuclei.faint).then(|| Component {
            profile: Profile::Point,
            sed,
            brightness: Brightness::Ab { magnitude: mean + change, band: band.clone() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LensingSpec, Population};
    use super::*;
    use crate::Footprint;
    use sim_core::source::{Source, SourceKind};

    fn spec() -> FieldSpec {
        let mut spec = FieldSpec { seed: Some(20_270_101), ..FieldSpec::default() };
        (spec.stars.scale, spec.galaxies.faint, spec.galaxies.clustering) = (0.0, 26.5, false);
        spec.lensing = LensingSpec::None;
        (spec.nuclei.scale, spec.nuclei.faint) = (1.0, 40.0);
        spec
    }

    fn magnitude(c: &Component) -> f64 {
        match c.brightness {
            Brightness::Ab { magnitude, .. } => magnitude,
            Brightness::Electrons(_) => unreachable!("a synthetic source has a magnitude"),
        }
    }

    fn nucleus(s: &Source) -> Option<(f64, &str)> {
        let name = |c: &Component| c.sed.template.name.starts_with("quasar") || c.sed.template.name.starts_with("hidden");
        s.components.last().filter(|c| name(c)).map(|c| (magnitude(c), c.sed.template.name.as_str()))
    }

    /// What a source is, without the numbers of its spectra.
    fn brief(s: &Source, components: usize) -> String {
        let of = |c: &Component| format!("{} {:?} {:?}", c.sed.template.name, c.profile, magnitude(c));
        let light: Vec<String> = s.components[..components].iter().map(of).collect();
        format!("{} {:?} {} {light:?}", s.id, s.position, s.redshift)
    }

    fn at(spec: &FieldSpec, cone: (f64, f64, f64), mjd: f64) -> Vec<Source> {
        let library = Library::load();
        Population::new(spec, &library).unwrap().within(&Footprint::new(cone.0, cone.1, cone.2).unwrap(), &library, mjd)
    }

    #[test]
    fn galaxies_stay_to_the_bit_but_for_their_nuclei_and_broad_ones_alone_vary() {
        let (cone, s) = ((150.0, 2.0, 0.1), spec());
        let mut without = s.clone();
        without.nuclei.scale = 0.0;
        let (early, late, plain) = (at(&s, cone, 60_000.0), at(&s, cone, 61_000.0), at(&without, cone, 60_000.0));
        assert!(early.len() == plain.len() && early.len() == late.len() && plain.iter().all(|s| nucleus(s).is_none()));
        let mut found = [0, 0];
        for ((a, b), p) in early.iter().zip(&late).zip(&plain) {
            assert_eq!(brief(a, p.components.len()), brief(p, p.components.len()));
            match (nucleus(a), nucleus(b)) {
                (None, None) => assert_eq!(a.components.len(), p.components.len()),
                (Some((m, name)), Some((n, _))) => {
                    assert_eq!(a.components.len(), p.components.len() + 1);
                    let hidden = name.starts_with("hidden");
                    assert!(hidden == (m == n), "{name} {m} {n}");
                    found[usize::from(hidden)] += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        // Hidden ones are two to five times as many, and those brighter than M = -18 besides.
        println!("broad and hidden nuclei: {found:?}");
        assert!(found[0] > 20 && (3.0..30.0).contains(&(f64::from(found[1]) / f64::from(found[0]))), "{found:?}");
        let mut fainter = s.clone();
        fainter.nuclei.faint = 24.0;
        assert!(at(&fainter, cone, 60_000.0).iter().filter(|s| nucleus(s).is_some()).count() < 200);
        // Another footprint has the same objects.
        let whole = |s: &Source| brief(s, s.components.len());
        let by_id: std::collections::BTreeMap<u64, String> = early.iter().map(|s| (s.id, whole(s))).collect();
        let other = at(&s, (150.05, 2.03, 0.06), 60_000.0);
        let both: Vec<&Source> = other.iter().filter(|s| by_id.contains_key(&s.id)).collect();
        assert!(both.len() > 500 && both.iter().all(|s| by_id[&s.id] == whole(s)), "{}", both.len());
    }

    #[test]
    fn nuclei_join_the_quasars_without_a_step_and_their_numbers_are_the_functions() {
        let library = Library::load();
        let spec = spec();
        let galaxies = GalaxyModel::new(&spec, 1, &library);
        let model = NucleusModel::new(&galaxies, &library);
        let (counts, background) = (GalaxyCounts::load(), &galaxies.structure.background);
        let width = galaxies.structure.shells.width / SLICES as f64;
        let (mut lost, mut sum) = (0.0, 0.0);
        for slice in (2..SHELLS * SLICES).step_by(7) {
            let (near, far) = (background.redshift(width * slice as f64), background.redshift(width * (slice + 1) as f64));
            let z = 0.5 * (near + far);
            if z > 5.0 {
                break;
            }
            // Nuclei of all galaxies in bins on both sides of the join, per deg2.
            let (mut got, join) = ([[0.0; 2]; 2], ((FAINTEST_QUASAR - BRIGHTEST) / STEP) as usize);
            for k in 0..260 {
                let i = 16.025 + 0.05 * f64::from(k);
                let (p, all) = (galaxies.law.prospect(slice, i), counts.between_deg2(i - 0.025, i + 0.025) * galaxies.law.share(slice, i));
                for (part, mass) in [(1.0 - p.quiescent, p.mass[0]), (p.quiescent, p.mass[1])] {
                    let ([broad, hidden], first) = model.expected(slice, mass);
                    sum += all * part * (broad + hidden);
                    lost += all * part * (broad + hidden - 1.0).max(0.0);
                    for (side, bin) in [(0, join - 1), (1, join)] {
                        for (kind, got) in got[side].iter_mut().enumerate() {
                            let column = &model.fainter[slice][kind];
                            *got += if bin >= first { all * part * weight(mass) * (column[bin] - column[bin + 1]) } else { 0.0 };
                        }
                    }
                }
            }
            let wanted = STEP * model.luminosity.nuclei_mag_deg2(middle(join), near, far);
            let share = hidden_share(&model.luminosity, middle(join), z);
            assert!(got[0][0] == 0.0 && (got[1][0] / wanted - 1.0).abs() < 1e-6, "z {z}: {got:?} against {wanted}");
            assert!((got[1][1] / wanted * (1.0 - share) / share - 1.0).abs() < 1e-6, "z {z}: {got:?}");
            // Quasars in the bin before are fewer by the slope of the function alone: a factor 10^(0.4 x 0.54 x 0.25) = 1.13 at most.
            let quasars = STEP * model.luminosity.density_mpc3(middle(join - 1), z) / model.luminosity.density_mpc3(-18.0, z);
            let nuclei =
                STEP * model.luminosity.nuclei_mag_deg2(middle(join), near, far) / model.luminosity.nuclei_mag_deg2(-18.0, near, far);
            assert!((1.0..1.14).contains(&(nuclei / quasars)), "z {z}: {}", nuclei / quasars);
        }
        // A galaxy has one nucleus at most.
        assert!(lost < 0.01 * sum, "{lost} of {sum}");
    }

    #[test]
    fn drawn_nuclei_have_the_expected_number_of_both_kinds() {
        let library = Library::load();
        let spec = spec();
        let sources = at(&spec, (10.0, -40.0, 0.3), 60_000.0);
        let galaxies: Vec<&Source> =
            sources.iter().filter(|s| s.kind == SourceKind::Galaxy && (0.3..FARTHEST).contains(&s.redshift)).collect();
        let model = GalaxyModel::new(&spec, 1, &library);
        let nuclei = NucleusModel::new(&model, &library);
        let (background, counts) = (&model.structure.background, GalaxyCounts::load());
        let width = model.structure.shells.width / SLICES as f64;
        let mut wanted = [0.0; 2];
        for slice in 0..SHELLS * SLICES {
            if background.redshift(width * slice as f64) < 0.3 {
                continue;
            }
            for k in 0..190 {
                let i = 17.025 + 0.05 * f64::from(k);
                let (p, all) = (model.law.prospect(slice, i), counts.between_deg2(i - 0.025, i + 0.025) * model.law.share(slice, i));
                for (part, mass) in [(1.0 - p.quiescent, p.mass[0]), (p.quiescent, p.mass[1])] {
                    let expected = nuclei.expected(slice, mass).0;
                    let limit = (expected[0] + expected[1]).max(1.0);
                    (0..2).for_each(|kind| wanted[kind] += part * all * expected[kind] / limit);
                }
            }
        }
        let area = Footprint::new(10.0, -40.0, 0.3).unwrap().area_deg2();
        for (kind, name) in ["quasar", "hidden"].into_iter().enumerate() {
            let got = galaxies.iter().filter(|s| nucleus(s).is_some_and(|n| n.1.starts_with(name))).count() as f64;
            let mean = wanted[kind] * area;
            // Poisson, and 2 % for galaxies on the border of the redshift.
            assert!(got > 100.0 && (got - mean).abs() < 4.5 * mean.sqrt() + 0.02 * mean, "{name}: {got} against {mean}");
        }
        let bright = galaxies.iter().filter(|s| nucleus(s).is_some_and(|n| n.0 < 26.0)).count() as f64 / area;
        println!("nuclei per deg2, z 0.3 to 6: broad {:.0}, hidden {:.0}; of i < 26: {bright:.0}", wanted[0], wanted[1]);
    }
}
