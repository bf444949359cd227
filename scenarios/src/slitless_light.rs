//! The light of a slitless detector: sources drawn out by its gratings, the truth of their spectra, the sky where two gratings meet.

use crate::scenario::TruthSpec;
use instruments::description::DetectorSpec;
use instruments::optics::slitless::{self, Cutout, OrderLight, SpectrumPixel};
use instruments::optics::{Imaging, Rendered};
use ndarray::Array2;
use sim_core::exposure::Exposure;
use sim_core::frame::Frame;
use sim_core::ledger::{Ledger, LedgerLine};
use sim_core::plane::Light;
use sim_core::source::Source;
use std::collections::BTreeMap;

/// Truth of a slitless frame.
#[derive(Debug, Clone, Default)]
pub struct Spectra {
    /// Every order that touches the window.
    pub orders: Vec<OrderLight>,
    /// Source, order, grating and noiseless spectrum of the brighter ones.
    pub pixels: Vec<(u64, i32, usize, Vec<SpectrumPixel>)>,
    /// Own light of the orders that the scenario wants to see alone, and all other light in their boxes \[electron\].
    pub images: Vec<(Cutout, Array2<f32>)>,
}

/// Expected electrons of an order whose noiseless spectrum is written.
const SPECTRUM_ELECTRONS: f64 = 300.0;

/// Draws the sources of a slitless detector, and what `truth` asks for of their spectra.
///
/// # Errors
/// As [`slitless::disperse`].
pub fn draw(imaging: &Imaging<'_>, spec: &DetectorSpec, sources: &[Source], truth: &TruthSpec) -> anyhow::Result<(Rendered, Spectra)> {
    let gratings = slitless::gratings(spec)?;
    let drawn = slitless::disperse(imaging, &gratings, sources, truth.order_images_above_electron, &|_, _| {})?;
    let light = &drawn.rendered.light;
    let images = drawn.cutouts.into_iter().map(|cutout| {
        let others = cutout.others(light);
        (cutout, others)
    });
    let mut spectra = Spectra { orders: drawn.orders, pixels: Vec::new(), images: images.collect() };
    if truth.objects {
        let by_id: BTreeMap<u64, &Source> = sources.iter().map(|source| (source.id, source)).collect();
        for (number, grating) in gratings.iter().enumerate() {
            for order in &grating.orders {
                let mine = |light: &&OrderLight| (light.grating, light.order) == (number, order.number);
                let bright = spectra.orders.iter().filter(mine).filter(|light| light.electrons_in_frame >= SPECTRUM_ELECTRONS);
                let of: Vec<&Source> = bright.filter_map(|light| by_id.get(&light.id).copied()).collect();
                let drawn = slitless::one_dimensional(imaging, order, &grating.opening, &of)?;
                spectra.pixels.extend(of.iter().zip(drawn).map(|(source, pixels)| (source.id, order.number, number, pixels)));
            }
        }
    }
    Ok((drawn.rendered, spectra))
}

/// Adds what the borders of gratings change in the sky: the effect `sky` adds that of a whole grating.
pub fn add_borders(light: &mut Frame<Light>, exposure: &Exposure, columns: &[f32]) -> LedgerLine {
    let sky = (exposure.sky_electron_s * exposure.time_s) as f32;
    let mut sum = 0.0;
    for mut row in light.pixels.rows_mut() {
        for (pixel, column) in row.iter_mut().zip(columns) {
            *pixel += sky * (column - 1.0);
            sum += f64::from(sky * (column - 1.0));
        }
    }
    let ledger = Ledger { added: sum.max(0.0), lost: (-sum).max(0.0) };
    LedgerLine { name: "borders of gratings".into(), plane: "light".into(), unit: "electron".into(), ledger }
}
