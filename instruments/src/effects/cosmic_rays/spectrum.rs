//! What comes: kinds of particles, their shares and energies.
//!
//! # Formula
//! Primary protons and helium: the local interstellar spectrum J(P) = 1.9e4 P^-2.78 / (1 + 0.4866 P^-2.51), modulated by the
//! force field, J(T) = J(T + f) T (T + 2 m) / ((T + f)(T + f + 2 m)), f = (Z/A) modulation, above the geomagnetic cut-off.
//! Secondary protons (albedo, and made in the spacecraft): 1/T from 30 MeV to the cut-off. Stopping protons: 1/T, 0.3 to
//! 8 MeV. Soft electrons: 1/T, 20 keV to 2 MeV, born in the silicon. Particles of a shower: pions, 1/T, 0.2 to 3 GeV.
//! # Source
//! Burger, Potgieter & Heber 2000 (J. Geophys. Res. 105, 27447) in the form of Usoskin et al. 2005 (J. Geophys. Res. 110,
//! A12108). A second proton population below the cut-off is measured by AMS-01 at 380 km (Alcaraz et al. 2000, Phys.
//! Lett. B 472, 215). Miles et al. 2021 (ApJ 918, 86) find 534 +- 117 MeV for the typical particle in HST's CCDs, between
//! our two proton populations. The other laws are assumptions that span the range of losses.

use super::dice::Dice;
use super::silicon::{ALPHA_MASS_KEV, ELECTRON_MASS_KEV, PION_MASS_KEV, PROTON_MASS_KEV};

/// Kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Galactic proton.
    Proton,
    /// Galactic helium nucleus.
    Helium,
    /// Proton from the atmosphere or the spacecraft.
    Secondary,
    /// Electron of some 10 to 1000 keV that wanders in the silicon.
    Electron,
    /// Slow proton that stops in or near the silicon.
    Stopping,
    /// One of several particles from a collision in matter nearby.
    Shower,
}

impl Kind {
    /// Name, in truth tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Proton => "proton",
            Self::Helium => "helium",
            Self::Secondary => "secondary",
            Self::Electron => "electron",
            Self::Stopping => "stopping",
            Self::Shower => "shower",
        }
    }
}

/// A moving particle.
#[derive(Debug, Clone, Copy)]
pub struct Particle {
    /// Mass \[keV\].
    pub mass_kev: f64,
    /// Charge number.
    pub charge: f64,
    /// Kinetic energy \[keV\].
    pub kinetic_kev: f64,
}

impl Particle {
    /// An electron.
    #[must_use]
    pub fn electron(kinetic_kev: f64) -> Self {
        Self { mass_kev: ELECTRON_MASS_KEV, charge: 1.0, kinetic_kev }
    }
    /// Momentum times velocity \[keV\].
    #[must_use]
    pub fn p_beta_kev(&self) -> f64 {
        self.kinetic_kev * (self.kinetic_kev + 2.0 * self.mass_kev) / (self.kinetic_kev + self.mass_kev)
    }
}

/// Shares of the kinds, of all events; the rest are galactic protons.
#[derive(Debug, Clone, Copy)]
pub struct Shares {
    /// Helium.
    pub helium: f64,
    /// Secondary protons.
    pub secondary: f64,
    /// Soft electrons.
    pub electron: f64,
    /// Stopping protons.
    pub stopping: f64,
    /// Showers.
    pub shower: f64,
}

/// Energies and shares.
#[derive(Debug, Clone)]
pub struct Spectrum {
    shares: Shares,
    /// Kinetic energy per nucleon \[keV\] at equal steps of probability.
    proton: Vec<f64>,
    helium: Vec<f64>,
    /// Kinetic energy of a proton at the cut-off \[keV\].
    cutoff_kev: f64,
}

/// Modulated flux against kinetic energy per nucleon \[GeV\].
fn modulated(t: f64, shift: f64) -> f64 {
    const NUCLEON_GEV: f64 = 0.938;
    let at = t + shift;
    let p = (at * (at + 2.0 * NUCLEON_GEV)).sqrt();
    1.9e4 * p.powf(-2.78) / (1.0 + 0.4866 * p.powf(-2.51)) * t * (t + 2.0 * NUCLEON_GEV) / (at * (at + 2.0 * NUCLEON_GEV))
}

/// Quantiles of the modulated flux above `low` \[GeV per nucleon\], in keV per nucleon.
fn quantiles(low: f64, shift: f64) -> Vec<f64> {
    const NODES: usize = 600;
    let (from, to) = (low.max(1e-2).ln(), 300.0_f64.ln());
    let energy = |i: usize| (from + (to - from) * i as f64 / NODES as f64).exp();
    let mut sum = vec![0.0];
    for i in 0..NODES {
        // In ln T: flux times T.
        let step = 0.5 * (modulated(energy(i), shift) * energy(i) + modulated(energy(i + 1), shift) * energy(i + 1));
        sum.push(sum[i] + step);
    }
    let total = sum[NODES];
    (0..=512)
        .map(|k| {
            let wanted = total * f64::from(k) / 512.0;
            let i = sum.partition_point(|&s| s < wanted).clamp(1, NODES);
            let part = (wanted - sum[i - 1]) / (sum[i] - sum[i - 1]);
            (energy(i - 1) + part * (energy(i) - energy(i - 1))) * 1e6
        })
        .collect()
}

impl Spectrum {
    /// The spectrum behind a cut-off rigidity \[GV\] for a modulation \[MV\].
    #[must_use]
    pub fn new(shares: Shares, modulation_mv: f64, cutoff_gv: f64) -> Self {
        let mass = PROTON_MASS_KEV * 1e-6;
        let kinetic = |p: f64| (p * p + mass * mass).sqrt() - mass;
        let shift = modulation_mv * 1e-3;
        let cutoff = kinetic(cutoff_gv);
        Self {
            shares,
            proton: quantiles(cutoff, shift),
            // Half the charge per nucleon: half the momentum per nucleon at a rigidity, half the modulation.
            helium: quantiles(kinetic(0.5 * cutoff_gv), 0.5 * shift),
            cutoff_kev: (cutoff * 1e6).max(60e3),
        }
    }
    /// The kind of an event.
    #[must_use]
    pub fn kind(&self, uniform: f64) -> Kind {
        let Shares { helium, secondary, electron, stopping, shower } = self.shares;
        let mut left = uniform;
        for (share, kind) in [
            (helium, Kind::Helium),
            (secondary, Kind::Secondary),
            (electron, Kind::Electron),
            (stopping, Kind::Stopping),
            (shower, Kind::Shower),
        ] {
            if left < share {
                return kind;
            }
            left -= share;
        }
        Kind::Proton
    }
    /// A particle of a kind.
    pub fn particle(&self, kind: Kind, dice: &mut Dice) -> Particle {
        let from = |table: &[f64], u: f64| {
            let at = u * (table.len() - 1) as f64;
            let i = (at as usize).min(table.len() - 2);
            table[i] + (at - i as f64) * (table[i + 1] - table[i])
        };
        let proton = |kinetic_kev| Particle { mass_kev: PROTON_MASS_KEV, charge: 1.0, kinetic_kev };
        match kind {
            Kind::Proton => proton(from(&self.proton, dice.uniform())),
            Kind::Helium => Particle { mass_kev: ALPHA_MASS_KEV, charge: 2.0, kinetic_kev: 4.0 * from(&self.helium, dice.uniform()) },
            Kind::Secondary => proton(dice.log_uniform(30e3, self.cutoff_kev)),
            Kind::Electron => Particle::electron(dice.log_uniform(20.0, 2000.0)),
            Kind::Stopping => proton(dice.log_uniform(300.0, 8000.0)),
            Kind::Shower => Particle { mass_kev: PION_MASS_KEV, charge: 1.0, kinetic_kev: dice.log_uniform(0.2e6, 3e6) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::stream::StreamKey;

    fn spectrum(cutoff_gv: f64) -> Spectrum {
        Spectrum::new(Shares { helium: 0.05, secondary: 0.35, electron: 0.1, stopping: 0.01, shower: 0.02 }, 550.0, cutoff_gv)
    }

    #[test]
    fn no_primary_is_below_the_cut_off() {
        let s = spectrum(5.0);
        // 5 GV: sqrt(25 + 0.938^2) - 0.938 = 4.149 GeV; helium 2.5 GeV/c per nucleon: 1.732 GeV per nucleon.
        assert!((s.proton[0] / 4.149e6 - 1.0).abs() < 1e-3 && (s.helium[0] / 1.732e6 - 1.0).abs() < 1e-3);
        assert!(s.proton.windows(2).all(|w| w[1] > w[0]));
    }

    #[test]
    fn shares_are_the_frequencies_of_the_kinds() {
        let s = spectrum(5.0);
        let n = 10_000;
        let count = |kind| (0..n).filter(|i| s.kind((f64::from(*i) + 0.5) / f64::from(n)) == kind).count();
        assert_eq!([count(Kind::Helium), count(Kind::Secondary), count(Kind::Electron)], [500, 3500, 1000]);
        assert_eq!([count(Kind::Stopping), count(Kind::Shower), count(Kind::Proton)], [100, 200, 4700]);
    }

    #[test]
    fn the_modulated_spectrum_peaks_at_some_hundred_mev() {
        // Solar minimum proton spectra peak at 300-500 MeV (e.g. BESS, AMS); force field 550 MV.
        let s = spectrum(0.1);
        let mut dice = Dice::new(StreamKey::new(1).stream(1));
        let mut energies: Vec<f64> = (0..4001).map(|_| s.particle(Kind::Proton, &mut dice).kinetic_kev).collect();
        energies.sort_by(f64::total_cmp);
        let median = energies[2000];
        assert!(median > 0.5e6 && median < 3e6, "{median}");
    }
}
