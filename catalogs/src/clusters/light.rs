//! The light of a cluster: its brightest galaxy, the others, and the light between them.
//!
//! # Effect
//! A halo's mass says how many galaxies of which luminosity it holds.
//! # Formula
//! Brightest: L_c = L_0 (M / M_1)^g1 / (1 + M / M_1)^(g1 - g2), scatter 0.143 dex. Others: dN / dL = phi / L_s (L / L_s)^alpha exp(-(L / L_s)^2), L_s =
//! 0.562 L_c, lg phi = -0.766 + 1.008 y - 0.094 y^2, y = lg M - 12, alpha = -2 + 0.501 (1 - 2 / pi arctan(2.106 (lg M - 14.28))). Evolution: brighter by
//! 0.85 (z - 0.1) mag. Half-light radius of the brightest: 4.57 kpc 10^(-0.352 (M_r + 22)). Between galaxies: a share f of all light, exponential, with
//! half-light radius 243 kpc (M / 2e14)^(1/3) and brightness F / (2 pi h^2 q) exp(-r / h), h = R / 1.678.
//! # Symbols
//! M halo mass \[solar / h\]; L luminosity in r shifted by 0.1 \[solar / h2\], the Sun there 4.76; M_r absolute magnitude there for h = 0.7; q axis ratio.
//! # Source
//! Luminosities: Cacciato et al. 2009 (MNRAS 394, 929), table 3, WMAP3, as in the package halotools. Sun: Blanton et al. 2003 (ApJ 592, 819). Evolution of old
//! galaxies: Bernardi et al. 2003 (AJ 125, 1849), r. Radius: Shen et al. 2003 (MNRAS 343, 978) for early types at -22; its slope for brightest galaxies:
//! Bernardi et al. 2007 (AJ 133, 1741), R ~ L^0.88. Between galaxies: Zibetti et al. 2005 (MNRAS 358, 949): share (10.9 +- 5.0) % within 500 kpc and
//! 27.5 to 32 mag per square arcsec in r from 100 to 700 kpc at z = 0.25, which an exponential of h = 145 kpc joins.
//! # Limits
//! Galaxies above 10^8.5 solar / h2; the fits are to haloes within 180 times the mean density and at low redshift, used for 200 and to z = 2. Assumed:
//! 2e14 solar / h for the clusters of Zibetti et al., growth of the diffuse light's radius with that of the halo (its
//! brightness at 100 kpc is then 0.5 mag below theirs, within the scatter of their share); no evolution of its share; one colour, that of the oldest galaxies.
//! # Twin
//! None.

use crate::draw::Draw;

/// The Sun in r shifted by 0.1 \[mag\].
const SUN_MAG: f64 = 4.76;
/// Brightening of old galaxies \[mag / unit of redshift\].
const EVOLUTION_MAG: f64 = 0.85;
/// Faintest members \[solar / h2\].
const LEAST_LUMINOSITY: f64 = 3.162_277_660_168_38e8;
/// Scatter of the brightest galaxy \[dex\].
const BRIGHTEST_DEX: f64 = 0.143;
/// Largest luminosity over the characteristic one.
const MOST: f64 = 4.0;
/// Half-light radius of an exponential over its scale.
pub const EXPONENTIAL_HALF: f64 = 1.678_346_990_016_66;

/// The galaxies of haloes of a mass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Luminosities {
    /// Median luminosity of the brightest galaxy \[solar / h2\].
    pub brightest: f64,
    /// Characteristic luminosity of the others \[solar / h2\].
    pub characteristic: f64,
    norm: f64,
    slope: f64,
}

impl Luminosities {
    /// For a mass \[solar / h\].
    #[must_use]
    pub fn new(mass: f64) -> Self {
        let r = mass / 10.0_f64.powf(11.07);
        let (g1, g2) = (3.273, 0.255);
        let brightest = 10.0_f64.powf(9.935) * (r / (1.0 + r)).powf(g1) * (1.0 + r).powf(g2);
        let y = mass.log10() - 12.0;
        let turn = 2.0 / std::f64::consts::PI * (2.106 * (mass.log10() - 14.28)).atan();
        Self {
            brightest,
            characteristic: 0.562 * brightest,
            norm: 10.0_f64.powf(-0.766 + 1.008 * y - 0.094 * y * y),
            slope: -2.0 + 0.501 * (1.0 - turn),
        }
    }
    /// Sum over the luminosities \[in characteristic ones\] from x on of x^power times their number.
    fn moment(&self, least: f64, power: f64) -> f64 {
        let (low, high) = (least.max(1e-6).ln(), MOST.ln());
        if low >= high {
            return 0.0;
        }
        let steps = 200;
        let width = (high - low) / f64::from(steps);
        let f = |y: f64| ((self.slope + 1.0 + power) * y - (2.0 * y).exp()).exp();
        let sum: f64 = (0..steps).map(|k| f(low + width * (f64::from(k) + 0.5))).sum();
        self.norm * sum * width
    }
    /// Mean number of members, without the brightest, above a luminosity \[solar / h2\].
    #[must_use]
    pub fn members_above(&self, luminosity: f64) -> f64 {
        self.moment(luminosity / self.characteristic, 0.0)
    }
    /// Mean number of all members that are drawn.
    #[must_use]
    pub fn members(&self, least: f64) -> f64 {
        self.members_above(least.max(LEAST_LUMINOSITY))
    }
    /// Light of the median brightest galaxy and of all others \[solar / h2\].
    #[must_use]
    pub fn total(&self) -> f64 {
        self.brightest + self.characteristic * self.moment(LEAST_LUMINOSITY / self.characteristic, 1.0)
    }
    /// Luminosity of a brightest galaxy \[solar / h2\].
    pub fn draw_brightest(&self, draw: &mut Draw) -> f64 {
        self.brightest * 10.0_f64.powf(BRIGHTEST_DEX * draw.normal())
    }
    /// Luminosity of a member above a luminosity \[solar / h2\].
    pub fn draw_member(&self, least: f64, draw: &mut Draw) -> f64 {
        let low = (least.max(LEAST_LUMINOSITY) / self.characteristic).min(0.99 * MOST);
        // A power of x between two ends, thinned by the exponential.
        let power = self.slope + 1.0;
        let (a, b) = (low.powf(power), MOST.powf(power));
        loop {
            let u = draw.uniform();
            let x = if power.abs() < 1e-9 { low * (MOST / low).powf(u) } else { (a + u * (b - a)).powf(1.0 / power) };
            if draw.uniform() * (-low * low).exp() < (-x * x).exp() {
                return x * self.characteristic;
            }
        }
    }
}

/// Absolute magnitude in r shifted by 0.1 of a luminosity \[solar / h2\] at a redshift, for a Hubble constant \[100 km / s / Mpc\].
#[must_use]
pub fn absolute_magnitude(luminosity: f64, z: f64, h: f64) -> f64 {
    SUN_MAG - 2.5 * luminosity.log10() + 5.0 * h.log10() - EVOLUTION_MAG * (z - 0.1)
}

/// Luminosity \[solar / h2\] of an absolute magnitude, the other way round.
#[must_use]
pub fn luminosity(magnitude: f64, z: f64, h: f64) -> f64 {
    10.0_f64.powf(-0.4 * (magnitude - SUN_MAG - 5.0 * h.log10() + EVOLUTION_MAG * (z - 0.1)))
}

/// Half-light radius of a brightest galaxy \[kpc\] of a luminosity \[solar / h2\].
#[must_use]
pub fn brightest_radius_kpc(luminosity: f64) -> f64 {
    4.57 * 10.0_f64.powf(-0.352 * (absolute_magnitude(luminosity, 0.1, 0.7) + 22.0))
}

/// Half-light radius of the light between galaxies \[kpc\], for a mass \[solar / h\].
#[must_use]
pub fn diffuse_radius_kpc(mass: f64) -> f64 {
    145.0 * EXPONENTIAL_HALF * (mass / 2e14).cbrt()
}

/// Share of the diffuse light in all light of a cluster.
pub fn draw_diffuse_share(draw: &mut Draw) -> f64 {
    (0.109 + 0.05 * draw.normal()).clamp(0.02, 0.30)
}

/// Luminosity of the light between galaxies, from its share in all light and the luminosity of the galaxies.
#[must_use]
pub fn diffuse_luminosity(share: f64, galaxies: f64) -> f64 {
    share / (1.0 - share) * galaxies
}

/// Brightness of unit flux at an elliptical radius, of an exponential with a half-light radius: per square of the radius' unit.
#[must_use]
pub fn exponential_brightness(radius: f64, half_light_radius: f64) -> f64 {
    let scale = half_light_radius / EXPONENTIAL_HALF;
    (-radius / scale).exp() / (2.0 * std::f64::consts::PI * scale * scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cosmos::{Background, Cosmology};
    use sim_core::stream::StreamKey;

    #[test]
    fn a_cluster_of_1e14_has_the_members_of_the_published_function() {
        let light = Luminosities::new(1e14);
        // By hand: M / M_1 = 851, L_c = 8.61e9 x (851 / 852)^3.273 x 852^0.255 = 4.80e10; phi = 10^(-0.766 + 2.016 - 0.376) = 7.48; alpha = -1.329.
        assert!((light.brightest / 4.80e10 - 1.0).abs() < 0.01, "{:e}", light.brightest);
        assert!((light.norm / 7.48 - 1.0).abs() < 0.01 && (light.slope + 1.329).abs() < 0.005, "{} {}", light.norm, light.slope);
        // More massive: more members, brighter centre.
        let rich = Luminosities::new(1e15);
        assert!(rich.members_above(1e10) > 5.0 * light.members_above(1e10) && rich.brightest > 1.7 * light.brightest);
        assert!((5.0..30.0).contains(&light.members_above(1e10)), "{}", light.members_above(1e10));
    }

    #[test]
    fn drawn_luminosities_follow_the_function() {
        let light = Luminosities::new(3e14);
        let (n, least) = (20_000_u64, 2e9);
        let drawn: Vec<f64> = (0..n).map(|k| light.draw_member(least, &mut Draw::new(StreamKey::new(8).stream(k)))).collect();
        for cut in [5e9, 2e10, 5e10] {
            let expected = light.members_above(cut) / light.members_above(least);
            let found = drawn.iter().filter(|l| **l > cut).count() as f64 / n as f64;
            // Binomial, five sigma, and 0.2 % for the sums' steps.
            assert!((found - expected).abs() < 5.0 * (expected / n as f64).sqrt() + 0.002, "{cut:e}: {found} {expected}");
        }
        assert!(drawn.iter().all(|l| *l >= 0.999_999 * least));
    }

    #[test]
    fn the_light_between_galaxies_has_the_published_surface_brightness() {
        // Zibetti et al. 2005: 27.5 at 100 kpc and about 32 at 700 kpc, observed r, clusters at z = 0.25 of 15 and more red members.
        let (mass, z) = (2e14, 0.25);
        let background = Background::new(Cosmology::default());
        let luminosity = diffuse_luminosity(0.109, Luminosities::new(mass).total());
        // Old galaxies: r at z = 0.25 is fainter than shifted-r by 0.2 mag or so beside the stretch of 1.1 (Blanton & Roweis 2007, figure 5: k 0.1 to 0.25).
        let magnitude = absolute_magnitude(luminosity, z, 0.6766) + background.modulus(z) + 0.1;
        let radius = diffuse_radius_kpc(mass);
        let at = |kpc: f64| {
            let scale = background.arcsec_per_kpc(z);
            magnitude - 2.5 * exponential_brightness(kpc * scale, radius * scale).log10()
        };
        assert!((at(100.0) - 27.5).abs() < 0.7, "{}", at(100.0));
        assert!((at(700.0) - 32.0).abs() < 1.0, "{}", at(700.0));
    }

    #[test]
    fn the_diffuse_share_is_a_share_of_all_light() {
        let galaxies = Luminosities::new(2e14).total();
        let diffuse = diffuse_luminosity(0.2, galaxies);
        assert!((diffuse / (diffuse + galaxies) - 0.2).abs() < 1e-12);
        let shares: Vec<f64> = (0..4000).map(|k| draw_diffuse_share(&mut Draw::new(StreamKey::new(2).stream(k)))).collect();
        let mean = shares.iter().sum::<f64>() / 4000.0;
        // sigma 0.05 / sqrt(4000) = 0.0008, and 0.0013 for the cut at 0.02 (1.8 sigma).
        assert!((mean - 0.109).abs() < 0.006 && shares.iter().all(|s| (0.02..=0.30).contains(s)), "{mean}");
    }

    #[test]
    fn half_of_an_exponential_lies_within_its_half_light_radius() {
        let steps = 4000;
        let sum: f64 = (0..steps)
            .map(|k| {
                let r = 3.0 * (f64::from(k) + 0.5) / f64::from(steps);
                exponential_brightness(r, 3.0) * 2.0 * std::f64::consts::PI * r * 3.0 / f64::from(steps)
            })
            .sum();
        assert!((sum - 0.5).abs() < 1e-6, "{sum}");
    }
}
