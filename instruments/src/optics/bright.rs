//! The bright points of a catalogue, in pixels: what ghosts and scattered light are made of.

use super::Imaging;
use super::colour::{BandQuadrature, Palette};
use super::error::OpticsError;
use super::render;
use super::scene::Resolver;
use sim_core::frame::BrightPoint;
use sim_core::source::Source;

/// Sources of at least `least_electrons`, where they are and with the electrons that the drawing gives them.
pub(super) fn points(imaging: &Imaging<'_>, sources: &[Source], least_electrons: f64) -> Result<Vec<BrightPoint>, OpticsError> {
    let band = BandQuadrature::new(imaging.band, 1);
    let references = render::references(sources);
    let resolver = Resolver {
        band: &band,
        references: &references,
        wcs: imaging.wcs,
        pixel_scale_arcsec: imaging.geometry.pixel_scale_arcsec,
        zero_electrons: imaging.band.ab_zero_electron_s(imaging.area_cm2) * imaging.time_s,
        achromatic: true,
    };
    let mut palette = Palette::default();
    let mut out = Vec::new();
    for source in sources {
        if let Some(figure) = resolver.figure(source, &mut palette)? {
            let electrons: f64 = figure.parts.iter().map(|p| p.electrons).sum();
            if electrons >= least_electrons {
                out.push(BrightPoint { x: figure.x, y: figure.y, electrons });
            }
        }
    }
    Ok(out)
}
