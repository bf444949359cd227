//! Where stars are in the Galaxy.
//!
//! # Effect
//! Stars thin out with height and towards the anticentre.
//! # Formula
//! Disks: exp(-(max(R, 5.3 kpc) - R0) / L - (|Z| - Z0) / H). Halo: (s / R0)^-2.62 up to s = 27.8 kpc, s^-3.8 beyond, s^2 = R^2 + (Z / 0.71)^2, nothing
//! beyond 100 kpc. Both are 1 at the Sun. Bulge: exp(-q / 2), q^2 = ((x / 1580 pc)^2 + (y / 620 pc)^2)^2 + (Z / 430 pc)^4, times exp(-(R - 2400 pc)^2 / 2 (500 pc)^2) beyond
//! R = 2400 pc, nothing where q > 12 or R > 3400 pc; x along the bar, whose near end is 13.4 deg ahead of the centre (l > 0). 1 in the centre. H of the thin disk: 90 pc for M < 2.3, 300 pc for M > 5.1, a straight line between, giants 250 pc.
//! # Symbols
//! R, Z cylindrical coordinates about the Galactic centre; R0 = 8.2 kpc, Z0 = 25 pc the Sun's; L, H scale length and height.
//! # Source
//! Disks: Juric et al. 2008 (ApJ 673, 864), table 10 with the correction for binaries: thin 2600, 300 pc, height of the thick one 900 pc. Length of the thick one 2200 pc,
//! both flat within 5.3 kpc: Koshimoto, Baba & Bennett 2021 (ApJ 917, 78), numbers as in the program synthpop; 2.0 +- 0.2 kpc in Bland-Hawthorn & Gerhard 2016, and 3600 pc in
//! Juric et al., with which anticentre counts are too high and those of the inner Galaxy too (`FIGURES.md`). Heights of the
//! brighter stars: Bahcall & Soneira 1980. Halo: Sesar, Juric & Ivezic 2011 (ApJ 731, 4). R0, Z0: Bland-Hawthorn & Gerhard 2016 (ARA&A 54, 529).
//! Bulge: Dwek et al. 1995 (ApJ 445, 716), model G2 of the light that COBE/DIRBE saw, numbers as remembered; its end as in Robin et al. 2003 (A&A 409, 523).
//! # Limits
//! No nuclear disk, long thin bar, X shape, spiral arms, flare, warp or streams. Lines of sight with |b| > 17.5 deg or 25 deg from the centre in longitude meet no bulge.
//! # Twin
//! None.

/// Distance of the Sun from the Galactic centre \[pc\].
pub const SUN_R_PC: f64 = 8200.0;
/// Height of the Sun above the plane \[pc\].
pub const SUN_Z_PC: f64 = 25.0;
/// Within this radius disks are as dense as there \[pc\].
const DISK_FLAT_PC: f64 = 5300.0;
/// Where the halo ends \[pc\].
const HALO_END_PC: f64 = 100_000.0;
const HALO_BREAK_PC: f64 = 27_800.0;
const HALO_FLATTENING: f64 = 0.71;
const HALO_INNER: f64 = 2.62;
const HALO_OUTER: f64 = 3.8;

/// A line of sight.
#[derive(Debug, Clone, Copy)]
pub struct Sightline {
    /// Unit vector: towards the centre, towards l = 90 deg, north.
    pub direction: [f64; 3],
}

/// A place in the Galaxy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Distance from the axis \[pc\].
    pub(super) r_pc: f64,
    /// Height above the plane \[pc\].
    pub(super) z_pc: f64,
    /// Cartesian, the Sun at (-R0, 0, Z0) \[pc\].
    pub(super) xyz_pc: [f64; 3],
}

impl Sightline {
    /// Towards galactic longitude and latitude \[deg\].
    #[must_use]
    pub fn new(l_deg: f64, b_deg: f64) -> Self {
        let (sl, cl) = l_deg.to_radians().sin_cos();
        let (sb, cb) = b_deg.to_radians().sin_cos();
        Self { direction: [cb * cl, cb * sl, sb] }
    }
    pub(super) fn at(&self, distance_pc: f64) -> Place {
        let [x, y, z] = self.direction.map(|u| u * distance_pc);
        let xyz_pc = [x - SUN_R_PC, y, z + SUN_Z_PC];
        Place { r_pc: (xyz_pc[0] * xyz_pc[0] + y * y).sqrt(), z_pc: xyz_pc[2], xyz_pc }
    }
}

/// Shape of a component.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    Disk { length_pc: f64, height_pc: f64 },
    Halo,
    Bulge,
}

/// Scale lengths of the bulge along, across and above the bar \[pc\].
const BULGE_PC: [f64; 3] = [1580.0, 620.0, 430.0];
/// Angle between the bar and the line from the centre to the Sun \[deg\].
const BAR_DEG: f64 = 13.4;
/// Where the bulge begins to end, over which length, and where it has ended \[pc\]; its last contour.
const BULGE_END_PC: (f64, f64, f64) = (2400.0, 500.0, 3400.0);
const BULGE_LAST: f64 = 12.0;

/// The bulge over its centre.
fn bulge(place: &Place) -> f64 {
    let (start, width, end) = BULGE_END_PC;
    if place.r_pc > end {
        return 0.0;
    }
    let (sine, cosine) = BAR_DEG.to_radians().sin_cos();
    let [x, y, z] = place.xyz_pc;
    let along = (y * sine - x * cosine) / BULGE_PC[0];
    let across = (x * sine + y * cosine) / BULGE_PC[1];
    let q = (along * along + across * across).hypot((z / BULGE_PC[2]).powi(2));
    if q > BULGE_LAST { 0.0 } else { (-0.5 * q - 0.5 * ((place.r_pc - start).max(0.0) / width).powi(2)).exp() }
}

impl Shape {
    /// Density relative to the Sun's place, of the bulge to its centre.
    pub(super) fn at(&self, place: &Place) -> f64 {
        match *self {
            Self::Disk { length_pc, height_pc } => {
                (-(place.r_pc.max(DISK_FLAT_PC) - SUN_R_PC) / length_pc - (place.z_pc.abs() - SUN_Z_PC) / height_pc).exp()
            }
            Self::Bulge => bulge(place),
            Self::Halo => {
                let s = place.r_pc.hypot(place.z_pc / HALO_FLATTENING);
                if s > HALO_END_PC {
                    return 0.0;
                }
                let inner = (SUN_R_PC / s.min(HALO_BREAK_PC)).powf(HALO_INNER);
                if s > HALO_BREAK_PC { inner * (HALO_BREAK_PC / s).powf(HALO_OUTER) } else { inner }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn densities_are_one_at_the_sun_and_fall_by_e_over_a_scale() {
        let disk = Shape::Disk { length_pc: 2600.0, height_pc: 300.0 };
        let here = Sightline::new(0.0, 90.0).at(0.0);
        assert!((disk.at(&here) - 1.0).abs() < 1e-12 && (Shape::Halo.at(&here) - 1.0).abs() < 1e-4);
        assert!((disk.at(&Sightline::new(0.0, 90.0).at(300.0)) - (-1.0_f64).exp()).abs() < 1e-12);
        // Downwards 50 pc is the mirror image of the Sun.
        assert!((disk.at(&Sightline::new(0.0, -90.0).at(50.0)) - 1.0).abs() < 1e-12);
        assert!((disk.at(&Sightline::new(180.0, 0.0).at(2600.0)) - (-1.0_f64).exp()).abs() < 1e-12);
        // Flat within 5.3 kpc: 2.9 kpc inwards and beyond.
        let inner = [2900.0, 5000.0, 8200.0].map(|d| disk.at(&Sightline::new(0.0, 0.0).at(d)));
        assert!(inner.iter().all(|rho| (rho / (2900.0_f64 / 2600.0).exp() - 1.0).abs() < 1e-12), "{inner:?}");
        // l = 90 deg, 8.2 kpc away: R = sqrt 2 R0.
        let side = Sightline::new(90.0, 0.0).at(SUN_R_PC);
        assert!((side.r_pc / SUN_R_PC - 2.0_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn the_bulge_is_a_box_along_its_bar_and_ends() {
        let at = |x: f64, y: f64, z: f64| Shape::Bulge.at(&Place { r_pc: x.hypot(y), z_pc: z, xyz_pc: [x, y, z] });
        let (s, c) = 13.4_f64.to_radians().sin_cos();
        // By hand, one scale along, across and above, and two at once: q = 1, 1, 1, sqrt 2.
        let want = (-0.5_f64).exp();
        for (x, y, z) in [(-1580.0 * c, 1580.0 * s, 0.0), (620.0 * s, 620.0 * c, 0.0), (0.0, 0.0, -430.0)] {
            assert!((at(x, y, z) - want).abs() < 1e-12, "{x} {y} {z}");
        }
        assert!((at(620.0 * s, 620.0 * c, 430.0) - (-0.5 * 2.0_f64.sqrt()).exp()).abs() < 1e-12);
        assert!(at(-2900.0 * c, 2900.0 * s, 0.0) < 0.61 * (-0.5 * (2900.0_f64 / 1580.0).powi(2)).exp() && at(3401.0, 0.0, 0.0) == 0.0);
        // Lines of sight outside its limits meet none of it.
        for (l, b) in [(0.0, 17.5), (0.0, -17.5), (6.0, 18.0), (25.0, 0.0), (-25.0, 3.0), (180.0, 0.0)] {
            let line = Sightline::new(l, b);
            assert!((0..400).all(|k| Shape::Bulge.at(&line.at(50.0 * f64::from(k))) == 0.0), "{l} {b}");
        }
    }

    #[test]
    fn the_halo_breaks_without_a_step_and_is_flattened() {
        let at = |s: f64| Shape::Halo.at(&Place { r_pc: s, z_pc: 0.0, xyz_pc: [s, 0.0, 0.0] });
        assert!((at(27_800.0 - 1e-6) / at(27_800.0 + 1e-6) - 1.0).abs() < 1e-8);
        assert!((at(16_400.0) - 2.0_f64.powf(-2.62)).abs() < 1e-12 && (at(80_000.0) / at(40_000.0) - 2.0_f64.powf(-3.8)).abs() < 1e-12);
        assert_eq!(at(100_001.0), 0.0);
        let up = Shape::Halo.at(&Place { r_pc: 0.0, z_pc: 7100.0, xyz_pc: [0.0, 0.0, 7100.0] });
        assert!((up / at(10_000.0) - 1.0).abs() < 1e-12);
    }
}
