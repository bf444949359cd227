//! What a row says of a star, and what is filled in: temperatures from colours.

use crate::table::held;
use sim_core::source::Motion;

/// Temperature where neither it nor a colour is known \[K\] (assumed).
pub(super) const TEFF_K: f64 = 5500.0;
/// Surface gravity where it is not known \[dex\] (assumed: a dwarf).
pub(super) const LOGG: f64 = 4.5;
/// Metallicity where it is not known \[dex\] (assumed: solar).
pub(super) const FEH: f64 = 0.0;

/// A star of a catalogue.
pub(super) struct Star {
    pub(super) teff_k: f64,
    pub(super) log_g: f64,
    pub(super) feh: f64,
    pub(super) parallax_mas: f64,
    pub(super) radial_velocity_km_s: f64,
}

impl Star {
    /// Its motion for an observer, from the place it has at `epoch_year`; `None` where nothing is known to move it.
    pub(super) fn motion(&self, (pm_ra_mas_yr, pm_dec_mas_yr): (f64, f64), epoch_year: f64) -> Option<Motion> {
        let motion = Motion {
            pm_ra_mas_yr,
            pm_dec_mas_yr,
            parallax_mas: self.parallax_mas,
            radial_velocity_km_s: self.radial_velocity_km_s,
            epoch_year,
        };
        let moves = pm_ra_mas_yr != 0.0 || pm_dec_mas_yr != 0.0 || self.parallax_mas > 0.0;
        moves.then_some(motion)
    }
}

/// BP-RP and effective temperature \[K\] of M0, M1, M2, M3, M4, M5, M6 dwarfs.
const M_DWARFS: [(f64, f64); 7] =
    [(1.84, 3850.0), (2.09, 3660.0), (2.23, 3560.0), (2.5, 3430.0), (2.94, 3210.0), (3.35, 3060.0), (4.16, 2810.0)];
/// BP-RP and effective temperature \[K\] of B9, A0, A2, A5, A7 dwarfs.
const A_DWARFS: [(f64, f64); 5] = [(-0.12, 10_700.0), (-0.037, 9700.0), (0.068, 8840.0), (0.194, 8100.0), (0.263, 7760.0)];

/// Effective temperature \[K\] from BP-RP; see the formula of [`super`].
pub(super) fn teff_from_bp_rp(c: f64, feh: f64) -> f64 {
    let warm = |c: f64| {
        let m = feh.clamp(-2.5, 0.5);
        5040.0 / (0.4929 + 0.5092 * c - 0.0353 * c * c + 0.0192 * m - 0.0020 * m * m - 0.0395 * m * c)
    };
    if c > 1.5 {
        let (colour, teff): (Vec<f64>, Vec<f64>) = std::iter::once((1.5, warm(1.5))).chain(M_DWARFS).unzip();
        return held(&colour, &teff, c);
    }
    if c > 0.39 {
        return warm(c);
    }
    let (colour, teff): (Vec<f64>, Vec<f64>) = A_DWARFS.into_iter().chain(std::iter::once((0.39, warm(0.39)))).unzip();
    held(&colour, &teff, c)
}
