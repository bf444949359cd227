//! Trails: satellites that cross the field during an exposure, and asteroids that move.
//!
//! # Effect
//! A sunlit satellite crosses the whole field in seconds and leaves a straight line, blurred because it is nearer than infinity.
//! An asteroid moves by a second of arc or two during an exposure: a short dash.
//! # Formula
//! Satellites: Poisson number of mean `satellite_rate` t 2 R, lines of uniform direction and distance from the axis;
//! range d uniform between near and far, m = M + 5 lg(d / 1000 km) + `satellite_scatter` z, angular rate omega = v / d,
//! electrons per pixel of length = N0 10^(-0.4 m) p / omega, spread over the projection of a disc of diameter
//! sqrt(D^2 + s^2) / d. Asteroids: number of mean `asteroid_density` 10^(a (m_faint - 23)) pi R^2 from density in \[1 / deg2\] above 23 mag,
//! magnitudes by 10^(a m) down to m_faint = `asteroid_faint`, dashes of length rate x t of uniform direction. Both are convolved
//! with a Gaussian of `psf_sigma` and one pixel.
//! # Symbols
//! t exposure time \[s\]; R `field_radius` \[deg\]; M `satellite_magnitude`, AB in the band at 1000 km \[mag\]; z standard normal; v `relative_speed` \[km / s\]; D `aperture` and s
//! `satellite_size` \[m\]; N0 electrons per second of AB magnitude 0, constant f_nu, aperture pi D^2 / 4; p pixel \[deg\]; a `asteroid_slope`
//! \[1 / mag\]; rate of an asteroid `asteroid_rate` (1 + `asteroid_rate_scatter` z), at least a tenth of the mean \[arcsec / h\]
//! Where the frame comes with lists of what moves ([`sim_core::moving::Movers`], from orbits: `[moving]` in the scenario), these are drawn
//! instead, kind by kind, and by the same lines: the population above stands in where no orbits are given.
//! # Source
//! Rate: Kruk et al. 2023 (Nature Astronomy 7, 262): 4.3 % of ACS/WFC exposures of 11 min crossed in 2018-2021; a convex field of perimeter
//! P sees rate t P / pi lines. Blur: a disc of angle D / d is the aperture seen from the satellite, as in Tyson et al. 2020 (AJ 160, 226). Asteroids:
//! Gladman et al. 2009 (Icarus 202, 104): 210 / deg2 above R = 23 at opposition, slope 0.27.
//! # Limits
//! Of the population without orbits: satellites cross in less than the exposure, at constant brightness, without tumbling, in straight lines (a trail of 1 deg
//! bends by less than a pixel for orbits 500 km apart seen for 2 s). Asteroids lie at the density of opposition in the ecliptic
//! whatever the pointing; the scenario sets it; no distortion of the field. Of all: the lines of an exposure are the same in all
//! detectors: their key has no detector. The square pixel is a box across the line, exact along the axes.
//! # Twin
//! Flag only, SATELLITE: lines through the whole window are found by a fast Radon transform of the binned, source-clipped frame
//! (see `detect`) and flagged over their width. Their light is not subtracted: its noise would stay, and brightness along real
//! trails varies. Asteroids are not flagged on a single exposure: a dash of 1 to 2 arcsec is a source like others,
//! told apart by its move from exposure to exposure. Cost: FIGURES.md.

mod apply;
mod correct;
pub mod detect;
pub mod model;
mod population;
pub mod radon;
mod truth;

pub use apply::Trails;
pub use population::Trail;
pub use truth::{TrailRow, TrailTruth, trail_table};

use super::parameters::Parameter;
use super::registry::{Entry, Need, Twin};
use sim_core::plane::Light;

static PARAMETERS: [Parameter; 16] = [
    Parameter {
        key: "field_radius",
        unit: "deg",
        low: 1e-4,
        high: 10.0,
        meaning: "radius of a circle about the axis that holds all detectors",
    },
    Parameter {
        key: "satellite_rate",
        unit: "1/deg/s",
        low: 0.0,
        high: 1e4,
        meaning: "satellites per second crossing a field of unit width",
    },
    Parameter { key: "satellite_magnitude", unit: "mag", low: -10.0, high: 30.0, meaning: "mean AB magnitude at 1000 km, in the band" },
    Parameter { key: "satellite_scatter", unit: "mag", low: 0.0, high: 10.0, meaning: "standard deviation of that magnitude" },
    Parameter { key: "satellite_size", unit: "m", low: 0.0, high: 200.0, meaning: "size of a satellite" },
    Parameter { key: "range_near", unit: "km", low: 1.0, high: 1e5, meaning: "least distance of a satellite" },
    Parameter { key: "range_far", unit: "km", low: 1.0, high: 1e5, meaning: "greatest distance of a satellite" },
    Parameter { key: "relative_speed", unit: "km/s", low: 0.01, high: 20.0, meaning: "speed across the line of sight" },
    Parameter { key: "aperture", unit: "m", low: 0.01, high: 100.0, meaning: "diameter of the unobstructed telescope" },
    Parameter {
        key: "psf_sigma",
        unit: "arcsec",
        low: 0.01,
        high: 10.0,
        meaning: "standard deviation of the Gaussian that stands for the PSF",
    },
    Parameter { key: "asteroid_density", unit: "1/deg2", low: 0.0, high: 1e7, meaning: "asteroids above magnitude 23 per square degree" },
    Parameter { key: "asteroid_slope", unit: "1/mag", low: 0.0, high: 2.0, meaning: "slope of the logarithm of their counts" },
    Parameter { key: "asteroid_bright", unit: "mag", low: 0.0, high: 35.0, meaning: "brightest asteroid" },
    Parameter { key: "asteroid_faint", unit: "mag", low: 0.0, high: 35.0, meaning: "faintest asteroid" },
    Parameter { key: "asteroid_rate", unit: "arcsec/h", low: 0.0, high: 1e6, meaning: "mean rate of motion" },
    Parameter { key: "asteroid_rate_scatter", unit: "1", low: 0.0, high: 1.0, meaning: "relative standard deviation of the rate" },
];

/// Registry entry.
pub const ENTRY: Entry<Light> = Entry {
    name: "trails",
    needs: &[Need::Time, Need::Dice],
    after: &["sky", "lamp"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::FlagOnly(correct::make),
    page: include_str!("mod.rs"),
};
