//! From sources to what is drawn: positions in pixels, linear maps, electrons, colour weights, and the truth row.
//!
//! # Formula
//! electrons = time N_AB(area) 10^(-0.4 m) (band flux / reference-band flux) mu, or as given x mu.
//! # Source
//! Conventions of `sim_core::source`; see [`super::shape`] and [`super::colour`].
//! # Limits
//! Flux and size only are magnified; nothing is moved.

use super::Imaging;
use super::colour::{BandQuadrature, Hue, Palette, Weights};
use super::error::OpticsError;
use super::knots;
use super::picture::SIDE_MAX;
use super::plan::Extent;
use super::sersic::INDEX_RANGE;
use super::shape::{self, Map};
use super::slitless::{self, Piece, Streak};
use sim_core::dispersion::Opening;
use sim_core::source::{Brightness, Component, Position, Profile, Shear, Source};
use sim_core::spectrum::Sed;
use sim_core::truth::TruthRow;
use sim_core::wcs::Wcs;
use std::collections::HashMap;
use std::sync::Arc;

/// The light distribution of a part.
#[derive(Debug, Clone)]
pub(crate) enum Light {
    Point,
    Sersic(f64),
    /// Positions in units of the part's map.
    Knots(Arc<[[f64; 2]]>),
    /// Pixels; the map is that of one image pixel.
    Picture(Arc<ndarray::Array2<f32>>),
}

/// A streak shorter than this is planned as a point \[pixel\].
const POINT_LENGTH: f64 = 48.0;

/// A component ready to be drawn.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) light: Light,
    /// Detector pixels per half-light radius (or image pixel) of the circular profile.
    pub(crate) map: Map,
    pub(crate) electrons: f64,
    pub(crate) weights: Weights,
    /// Spectrum and its photons by the quadrature that the electrons are of, where it is drawn out.
    pub(crate) sed: Option<(Sed, f64)>,
    /// Largest share of its light within a resolution element; 1 for an image.
    pub(crate) concentration: f64,
}

impl Part {
    /// Sizes for planning.
    pub(crate) fn extent(&self, streak: Option<&Streak>) -> Extent {
        let (major, minor) = shape::stretches(&self.map);
        // Along a spectrum each wavelength has its own colour: the polynomials reach these values at the ends of the band.
        let colour = if streak.is_some() { [1.0, 1.8, 2.3, 2.7] } else { self.weights };
        let length = streak.map_or(0.0, |s| s.extent.0.hypot(s.extent.1));
        // A piece of a few pixels is a point.
        let (concentration, length) = if length < POINT_LENGTH { (1.0, 0.0) } else { (self.concentration, length) };
        let extent = |index, radius_px| Extent { electrons: self.electrons, concentration, length, index, radius_px, colour };
        match &self.light {
            Light::Point => extent(None, (0.0, 0.0)),
            Light::Sersic(n) => extent(Some(*n), (major, minor)),
            Light::Knots(at) => {
                let far = at.iter().map(|p| p[0].hypot(p[1])).fold(0.0, f64::max);
                extent(None, (far * major, 0.0))
            }
            Light::Picture(pixels) => {
                let (ny, nx) = pixels.dim();
                let half_diagonal = 0.5 * (nx as f64).hypot(ny as f64);
                extent(None, (half_diagonal * major, 0.0))
            }
        }
    }
}

/// A source ready to be drawn.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) parts: Vec<Part>,
    /// The line that its light is drawn out along, if it is; its middle is (x, y).
    pub(crate) streak: Option<Streak>,
    pub(crate) truth: TruthRow,
}

/// The light distribution of a profile and its map without lensing \[arcsec\], checked.
pub(crate) fn light_of(id: u64, profile: &Profile) -> Result<(Light, Map, f64, Shear), OpticsError> {
    let size = |value: f64, key| {
        if value > 0.0 && value <= 3600.0 {
            Ok(value)
        } else {
            Err(OpticsError::Source { id, key, value, unit: "arcsec", range: "0 (exclusive) to 3600" })
        }
    };
    let scaled = |map: Map, s: f64| map.map(|row| row.map(|v| v * s));
    Ok(match profile {
        Profile::Point => (Light::Point, [[0.0; 2]; 2], 0.0, Shear::default()),
        Profile::Sersic { index, half_light_radius_arcsec, shear } => {
            if !(*index >= INDEX_RANGE.0 && *index <= INDEX_RANGE.1) {
                return Err(OpticsError::Source { id, key: "sersic.index", value: *index, unit: "", range: "0.3..6.2" });
            }
            let radius = size(*half_light_radius_arcsec, "sersic.half_light_radius")?;
            (Light::Sersic(*index), scaled(shape::shear_map(id, "sersic.shear", *shear)?, radius), radius, *shear)
        }
        Profile::Knots { count, half_light_radius_arcsec, shear } => {
            if !(1..=100_000).contains(count) {
                let value = f64::from(*count);
                return Err(OpticsError::Source { id, key: "knots.count", value, unit: "", range: "1..100000" });
            }
            let radius = size(*half_light_radius_arcsec, "knots.half_light_radius")?;
            let map = scaled(shape::shear_map(id, "knots.shear", *shear)?, radius);
            (Light::Knots(knots::positions(id, *count).into()), map, radius, *shear)
        }
        Profile::Image { pixels, axes_arcsec } => {
            let (ny, nx) = pixels.dim();
            if !(2..=SIDE_MAX).contains(&ny) || !(2..=SIDE_MAX).contains(&nx) {
                let value = nx.max(ny) as f64;
                return Err(OpticsError::Source { id, key: "image.size", value, unit: "pixel", range: "2..512 a side" });
            }
            let total: f64 = pixels.iter().map(|&v| f64::from(v)).sum();
            if !(total.is_finite() && total > 0.0) {
                return Err(OpticsError::Source { id, key: "image.sum", value: total, unit: "", range: "finite and > 0" });
            }
            // The side of a square of the same area.
            let side = (axes_arcsec[0][0] * axes_arcsec[1][1] - axes_arcsec[0][1] * axes_arcsec[1][0]).abs().sqrt();
            size(side, "image.axes")?;
            (Light::Picture(pixels.clone()), *axes_arcsec, 0.0, Shear::default())
        }
    })
}

/// What turns sources into figures.
pub(crate) struct Resolver<'a> {
    pub(crate) band: &'a BandQuadrature,
    pub(crate) references: &'a HashMap<usize, BandQuadrature>,
    pub(crate) wcs: &'a Wcs,
    /// Pixel scale for shapes of sources placed in pixels \[arcsec\].
    pub(crate) pixel_scale_arcsec: f64,
    /// Electrons of a source of AB magnitude 0 with constant f_nu in the exposure.
    pub(crate) zero_electrons: f64,
    /// Whether the PSF has one wavelength node.
    pub(crate) achromatic: bool,
    /// The piece of a spectrum that is drawn, and the grating's share of the light.
    pub(crate) piece: Option<(&'a Piece<'a>, &'a Opening)>,
}

impl<'a> Resolver<'a> {
    /// For a camera, with the quadrature of its band and those of the bands magnitudes are in.
    pub(crate) fn new(
        imaging: &Imaging<'a>,
        band: &'a BandQuadrature,
        references: &'a HashMap<usize, BandQuadrature>,
        achromatic: bool,
        piece: Option<(&'a Piece<'a>, &'a Opening)>,
    ) -> Self {
        Self {
            band,
            references,
            wcs: imaging.wcs,
            pixel_scale_arcsec: imaging.geometry.pixel_scale_arcsec,
            zero_electrons: imaging.band.ab_zero_electron_s(imaging.area_cm2) * imaging.time_s,
            achromatic,
            piece,
        }
    }
    /// A source in pixels, or `None` when it is not in front of the camera.
    pub(crate) fn figure(&self, source: &Source, palette: &mut Palette) -> Result<Option<Figure>, OpticsError> {
        let id = source.id;
        let (lens, mu) = shape::lens_map(id, &source.lensing)?;
        let coordinate = |key, value: f64, unit, range: &'static str, ok: bool| {
            if ok { Ok(()) } else { Err(OpticsError::Source { id, key, value, unit, range }) }
        };
        let (x, y, ra_deg, dec_deg, pixels_per_arcsec) = match source.position {
            Position::Pixel { x, y } => {
                coordinate("position.x", x, "pixel", "-1e6..1e6", x.abs() < 1e6)?;
                coordinate("position.y", y, "pixel", "-1e6..1e6", y.abs() < 1e6)?;
                let (ra, dec) = self.wcs.sky_from_pixel(x, y);
                let s = 1.0 / self.pixel_scale_arcsec;
                (x, y, ra, dec, [[s, 0.0], [0.0, s]])
            }
            Position::Sky { ra_deg, dec_deg } => {
                coordinate("position.ra", ra_deg, "deg", "-360..360", ra_deg.abs() <= 360.0)?;
                coordinate("position.dec", dec_deg, "deg", "-90..90", dec_deg.abs() <= 90.0)?;
                let (seen_ra, seen_dec) = source.seen.unwrap_or((ra_deg, dec_deg));
                let Some((x, y)) = self.wcs.pixel_from_sky(seen_ra, seen_dec) else { return Ok(None) };
                if !(x.abs() < 1e6 && y.abs() < 1e6) {
                    return Ok(None);
                }
                let Some(map) = shape::inverse(&self.wcs.jacobian(x, y)) else { return Ok(None) };
                (x, y, ra_deg, dec_deg, map)
            }
        };
        let share = self.piece.map_or(1.0, |(_, opening)| opening.share(x));
        if share == 0.0 {
            return Ok(None);
        }
        let outer = shape::product(&pixels_per_arcsec, &lens);
        let mut parts = Vec::with_capacity(source.components.len());
        let (mut largest, mut brightest) = (0.0_f64, None::<(f64, &Component, Shear)>);
        for component in &source.components {
            let (light, inner, radius, shear) = light_of(id, &component.profile)?;
            let (electrons, hue) = self.electrons(id, component, palette)?;
            let electrons = electrons * mu * share;
            largest = largest.max(radius);
            if brightest.is_none_or(|(most, _, _)| electrons > most) {
                brightest = Some((electrons, component, shear));
            }
            let sed = self.piece.map(|_| (component.sed.clone(), hue.photons));
            let weights = if self.achromatic { super::colour::GREY } else { hue.weights };
            let concentration = if sed.is_some() { hue.concentration } else { 1.0 };
            parts.push(Part { light, map: shape::product(&outer, &inner), electrons, weights, sed, concentration });
        }
        let electrons: f64 = parts.iter().map(|p| p.electrons).sum();
        let (index, shear, spectrum) = match brightest {
            Some((_, component, shear)) => {
                let index = if let Profile::Sersic { index, .. } = component.profile { index } else { 0.0 };
                (index, shear, component.sed.template.name.clone())
            }
            None => (0.0, Shear::default(), String::new()),
        };
        let truth = TruthRow {
            id,
            kind: source.kind,
            ra_deg,
            dec_deg,
            x,
            y,
            magnitude: -2.5 * (electrons / self.zero_electrons).log10(),
            electrons,
            electrons_in_frame: 0.0,
            half_light_radius_arcsec: largest,
            sersic_index: index,
            bulge_fraction: if parts.len() > 1 && electrons > 0.0 { parts[0].electrons / electrons } else { 0.0 },
            shape_g1: shear.g1,
            shape_g2: shear.g2,
            lens_g1: source.lensing.shear.g1,
            lens_g2: source.lensing.shear.g2,
            kappa: source.lensing.kappa,
            redshift: source.redshift,
            spectrum,
        };
        parts.retain(|p| p.electrons > 0.0);
        let streak = self.piece.map(|(piece, _)| piece.streak(x, y));
        let (dx, dy) = streak.as_ref().map_or((0.0, 0.0), |s| s.middle);
        // Light that is not drawn out is an image.
        let streak = streak.filter(|s| s.extent.0.hypot(s.extent.1) > slitless::BEND);
        Ok(Some(Figure { x: x + dx, y: y + dy, parts, streak, truth }))
    }

    fn electrons(&self, id: u64, component: &Component, palette: &mut Palette) -> Result<(f64, Hue), OpticsError> {
        match &component.brightness {
            Brightness::Electrons(electrons) => {
                if self.piece.is_some() {
                    let range = "AB magnitudes: the electrons of a spectrum are the order's";
                    return Err(OpticsError::Source { id, key: "brightness", value: *electrons, unit: "electron", range });
                }
                if !(electrons.is_finite() && *electrons >= 0.0) {
                    return Err(OpticsError::Source {
                        id,
                        key: "brightness",
                        value: *electrons,
                        unit: "electron",
                        range: "finite and >= 0",
                    });
                }
                if self.achromatic {
                    return Ok((*electrons, Hue { ratio: 1.0, weights: super::colour::GREY, photons: 0.0, concentration: 1.0 }));
                }
                let hue = palette.hue(&component.sed, self.band, None);
                if hue.ratio == 0.0 {
                    // Light was asked for that this spectrum does not have here: no colour is better than another.
                    return Err(OpticsError::Dark { id, spectrum: component.sed.template.name.clone(), band: "of the detector".into() });
                }
                Ok((*electrons, hue))
            }
            Brightness::Ab { magnitude, band } => {
                if !(*magnitude > -35.0 && *magnitude < 60.0) {
                    return Err(OpticsError::Source { id, key: "magnitude", value: *magnitude, unit: "mag", range: "-35..60" });
                }
                let hue = palette.hue(&component.sed, self.band, self.references.get(&(Arc::as_ptr(band) as usize)));
                if !hue.ratio.is_finite() {
                    return Err(OpticsError::Dark { id, spectrum: component.sed.template.name.clone(), band: band.name.clone() });
                }
                Ok((self.zero_electrons * 10.0_f64.powf(-0.4 * magnitude) * hue.ratio, hue))
            }
        }
    }
}
