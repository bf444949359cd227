//! Fringing: light of long waves interferes with itself in the silicon layer of the detector.
//!
//! # Effect
//! Silicon becomes transparent near 1 um: light is reflected at the rear and again at the front of the layer, and adds to what
//! comes in, stronger or weaker by the thickness of the layer at this pixel. Narrow lines make fringes, a broad spectrum
//! averages them away.
//! # Formula
//! Absorbed light over its mean over all phases: f = (1 - rho^2) / (1 - 2 rho cos delta + rho^2), rho = sqrt(R1 R2) exp(-alpha d),
//! delta = 4 pi n d / lambda. Through a band, F_S(d) = integral S T f dlambda / integral S T dlambda. Science: n <- n F_c + b t h (F_l - F_c);
//! lamp: n <- n F_lamp. h = `line_fraction` (1 + `line_spread` (2 w - 1)), w uniform, one draw per exposure.
//! d = d0 + (P / 2) (0.6 (u cos phi + v sin phi) / sqrt 2 + 0.4 (u^2 + v^2 - 1)) + bumps, a Gaussian field of `bump_rms` and correlation
//! exp(-r^2 / 2 L^2)
//! # Symbols
//! n expected electrons \[electron\]; lambda wavelength \[nm\]; alpha absorption \[1 / um\] and n (in delta) index of silicon; R1 `front_reflectance`,
//! R2 `back_reflectance` \[1\], inside the silicon; d0 `thickness`, P `thickness_range` \[um\]; L `bump_length` \[pixel\]; u, v detector position in
//! (-1, 1); T total efficiency; S photons per wavelength: constant for the continuum F_c, `line_wavelength` alone for F_l, a Gaussian for F_lamp;
//! b sky \[electron / s\], its gradient that of the effect `sky`; t exposure time \[s\]
//! # Source
//! Interference in a film: Born & Wolf, Principles of Optics, sect. 7.6; of CCDs: Malumuth et al. 2003 (Proc. SPIE 4854, 567), Walsh et al.
//! 2003 (ST-ECF ISR ACS 2003-12: thickness varies by microns over a chip). Silicon: Green 2008 (`data/materials/silicon.csv`). The sky's
//! line above the atmosphere is that of metastable helium, 1083.3 nm: up to six times the zodiacal light in filters of HST WFC3/IR
//! that hold it (WFC3 Data Handbook, 7.10; Brammer et al. 2014, WFC3 ISR 2014-03); there is no hydroxyl at 400 km.
//! # Limits
//! One layer (no gate structure), normal incidence, fixed thickness and temperature. The continuum is smooth: zodiacal light has
//! Fraunhofer lines, whose fringes are of the order of those of F_c. F_c - 1 is below 1e-4 in z and y for 40 um (FIGURES.md), so the
//! light of stars and galaxies hardly fringes; emission lines of objects do, and are not drawn. The line's light is a share of
//! the sky that the scenario states, not light on top.
//! # Twin
//! Approximate: the fringe frame, scaled to the exposure by a clipped fit beside a polynomial of degree 4, is subtracted; the
//! error of the scale and of the frame go into the variance. The lamp's fringes stay in the flat: below 1e-4 for a lamp broader than 30 nm.

pub mod amplitude;
mod apply;
mod correct;
pub mod model;
mod silicon;
mod thickness;

pub use correct::strength;
pub use silicon::Silicon;

use super::parameters::Parameter;
use super::registry::{Entry, Need, Twin};
use sim_core::plane::Light;

static PARAMETERS: [Parameter; 12] = [
    Parameter { key: "thickness", unit: "um", low: 1.0, high: 1000.0, meaning: "mean thickness of the silicon" },
    Parameter { key: "thickness_range", unit: "um", low: 0.0, high: 20.0, meaning: "smooth variation of the thickness over the detector" },
    Parameter { key: "bump_rms", unit: "um", low: 0.0, high: 2.0, meaning: "rms of the irregular part of the thickness" },
    Parameter { key: "bump_length", unit: "pixel", low: 8.0, high: 1e5, meaning: "correlation length of the irregular part" },
    Parameter { key: "front_reflectance", unit: "1", low: 0.0, high: 0.99, meaning: "reflectance of the lit face, from inside" },
    Parameter { key: "back_reflectance", unit: "1", low: 0.0, high: 0.99, meaning: "reflectance of the rear face, from inside" },
    Parameter { key: "edge_shift", unit: "nm", low: -100.0, high: 100.0, meaning: "shift of the absorption edge of a cooled device" },
    Parameter { key: "line_wavelength", unit: "nm", low: 300.0, high: 1160.0, meaning: "wavelength of the sky's emission line" },
    Parameter { key: "line_fraction", unit: "1", low: 0.0, high: 1.0, meaning: "mean share of the line in the sky's electrons" },
    Parameter { key: "line_spread", unit: "1", low: 0.0, high: 1.0, meaning: "largest relative change of that share between exposures" },
    Parameter { key: "lamp_wavelength", unit: "nm", low: 200.0, high: 1160.0, meaning: "centre of the flat lamp's spectrum" },
    Parameter { key: "lamp_width", unit: "nm", low: 0.01, high: 1e5, meaning: "full width at half maximum of the flat lamp's spectrum" },
];

/// Registry entry.
pub const ENTRY: Entry<Light> = Entry {
    name: "fringing",
    needs: &[Need::Time, Need::Dice],
    after: &["sky", "lamp", "trails", "ghosts", "scattered_light"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::Approximate { make: correct::make, residual: 0.05 },
    page: include_str!("mod.rs"),
};
