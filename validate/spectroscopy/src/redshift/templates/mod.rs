//! The templates: made from physical blocks and published numbers, once, when a [`super::Redshifter`] is made.
//!
//! # Formula
//! Each class is a set of continua (on a ladder of smoothings), of broad parts with a prior on their strength, and of groups of narrow
//! lines.
//! # Source
//! `stars.rs`, `populations.rs`, `quasar.rs`, `lines.rs`; numbers in `data/redshift/` with `SOURCES.md`.
//! # Limits
//! None of the spectra of the simulator's library is used; the colours of the stellar locus, the mean solar spectrum and the case B ratios
//! are the same
//! published facts in both.

pub(crate) mod grid;
pub(crate) mod library;
pub(crate) mod lines;
pub(crate) mod populations;
pub(crate) mod quasar;
pub(crate) mod stars;
pub(crate) mod table;

use grid::Bank;
use lines::LineGroup;
use stars::{StarMaker, Surface};

/// A part of a spectrum with a prior: wavelength at rest of its prior's continuum \[nm\], half-normal width in units of continuum /
/// `continuum_at`.
#[derive(Debug, Clone)]
pub(crate) struct Broad {
    pub(crate) reference_nm: f64,
    pub(crate) continuum: f64,
    pub(crate) prior: f64,
}

/// The templates of a class.
#[derive(Debug, Clone)]
pub(crate) struct TemplateSet {
    /// Continua, then the broad parts.
    pub(crate) bank: Bank,
    pub(crate) continua: usize,
    pub(crate) broad: Vec<Broad>,
    pub(crate) groups: Vec<LineGroup>,
    /// Whole galaxies, as amplitudes of continua and groups; empty for other classes.
    pub(crate) library: Vec<Vec<f64>>,
}

impl TemplateSet {
    /// Parts in the fit.
    pub(crate) fn parts(&self) -> usize {
        self.bank.parts + self.groups.len()
    }
}

/// A star: temperature \[K\], with metal lines and without.
#[derive(Debug, Clone)]
pub(crate) struct Star {
    pub(crate) teff: f64,
    pub(crate) white_dwarf: bool,
    pub(crate) set: TemplateSet,
}

/// All templates.
#[derive(Debug, Clone)]
pub(crate) struct Templates {
    pub(crate) galaxy: TemplateSet,
    pub(crate) quasar: TemplateSet,
    pub(crate) stars: Vec<Star>,
}

/// Ages \[yr\] and colour excesses \[mag\] of the galaxies' populations (chosen to span galaxies' spectra at R of 250).
const POPULATIONS: [(f64, f64); 8] = [(5e6, 0.0), (5e6, 0.4), (1e8, 0.0), (1e8, 0.3), (6e8, 0.1), (2e9, 0.0), (1e10, 0.0), (1e10, 0.3)];

/// Whole galaxies.
const GALAXIES: usize = 400;

impl Templates {
    /// Makes all templates.
    pub(crate) fn new() -> Self {
        let nm = grid::wavelengths();
        let maker = StarMaker::new();
        let dwarfs = populations::Dwarfs::new(&maker, &nm);
        let continua: Vec<Vec<f64>> = POPULATIONS.iter().map(|&(age, e)| dwarfs.population(&maker, age, e)).collect();
        let groups =
            lines::groups(&[("balmer", 2.0), ("o_iii", 4.0), ("o_ii", 3.0), ("red", 4.0), ("ly_alpha", 6.0), ("ultraviolet", 0.7)]);
        let light: Vec<f64> = POPULATIONS.iter().map(|&(age, _)| dwarfs.with_light(&maker, age, 0.0).1).collect();
        let library = library::galaxies(&POPULATIONS, &light, &groups, GALAXIES);
        let galaxy = TemplateSet { bank: Bank::new(&continua, 8), continua: continua.len(), broad: vec![], groups, library };
        let mut parts: Vec<Vec<f64>> = [-2.0, -1.5, -0.5].iter().map(|s| quasar::continuum(&nm, *s)).collect();
        parts.push(quasar::bump(&nm));
        parts.push(dwarfs.population(&maker, 1e10, 0.0));
        let continua = parts.len();
        let mut broad = Vec::new();
        for (group, reference_nm) in [("lyman", 121.6), ("carbon", 154.6), ("magnesium", 280.0), ("balmer", 486.0)] {
            for width in [0.5, 1.1] {
                parts.push(quasar::broad(&nm, group, width));
                broad.push(Broad { reference_nm, continuum: quasar::composite_continuum(reference_nm), prior: 1.5 });
            }
        }
        let groups = lines::groups(&[("o_iii", 2.0), ("o_ii", 0.5)]);
        let quasar = TemplateSet { bank: Bank::new(&parts, 16), continua, broad, groups, library: vec![] };
        let mut stars: Vec<Star> = (0..60)
            .map(|k| 2800.0 * 1.05_f64.powi(k))
            .filter(|t| *t <= 50_000.0)
            .map(|teff| {
                let strong = maker.spectrum(&nm, teff, Surface::Metals(1.3));
                let weak = maker.spectrum(&nm, teff, Surface::Metals(0.0));
                star(teff, false, &[weak, strong])
            })
            .collect();
        for teff in [8000.0, 12_000.0, 18_000.0, 28_000.0, 45_000.0] {
            stars.push(star(teff, true, &[maker.spectrum(&nm, teff, Surface::WhiteDwarf)]));
        }
        Self { galaxy, quasar, stars }
    }
}

fn star(teff: f64, white_dwarf: bool, spectra: &[Vec<f64>]) -> Star {
    let set = TemplateSet { bank: Bank::new(spectra, 2), continua: spectra.len(), broad: vec![], groups: vec![], library: vec![] };
    Star { teff, white_dwarf, set }
}
