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
    let all = electrons(imaging, sources)?;
    Ok(all.into_iter().flatten().filter(|point| point.electrons >= least_electrons).collect())
}

/// Place and electrons of every source in front of the camera.
pub(super) fn electrons(imaging: &Imaging<'_>, sources: &[Source]) -> Result<Vec<Option<BrightPoint>>, OpticsError> {
    let band = BandQuadrature::new(imaging.band, 1);
    let references = render::references(sources);
    let resolver = Resolver::new(imaging, &band, &references, true, None);
    let mut palette = Palette::default();
    let mut point = |source: &Source| -> Result<Option<BrightPoint>, OpticsError> {
        let figure = resolver.figure(source, &mut palette)?;
        Ok(figure.map(|f| BrightPoint { x: f.x, y: f.y, electrons: f.parts.iter().map(|p| p.electrons).sum() }))
    };
    sources.iter().map(&mut point).collect()
}
