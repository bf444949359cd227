//! Master bias and read noise.

use super::{Maker, pairs};
use crate::amplifiers::add_pairs;
use crate::combine::Combine;
use crate::error::ReductionError;
use crate::photon_transfer::{self, PairSums};
use instruments::product::level0::Level0Info;
use ndarray::Array2;
use sim_core::knowledge::Measured;

impl Maker<'_> {
    /// Master bias \[ADU\], read noise by tile \[ADU\], variance of the combination in units of a frame's.
    pub(super) fn bias(&mut self, frames: &[Level0Info]) -> Result<(Array2<f32>, Vec<Measured>, f64), ReductionError> {
        if frames.len() < 3 {
            return Err(ReductionError::TooFew {
                detector: self.detector,
                what: "the master bias",
                need: "three bias frames",
                found: frames.len(),
            });
        }
        let pairs = pairs(&(0..frames.len()).collect::<Vec<_>>());
        let mut sums = vec![vec![PairSums::default(); self.layout.tiles.len()]; pairs.len()];
        let mut image = Array2::zeros((self.rows, self.columns));
        self.bands(frames.len(), 1).visit(&|k, rows| self.read(&frames[k], rows), &mut |rows, band| {
            let row = |y: usize| self.rows_of(band, y, None);
            add_pairs(self.layout, rows.clone(), &row, &pairs, &mut sums);
            self.combine(Combine::Median, rows, &row, None, &mut image);
            Ok(())
        })?;
        let mut noise = Vec::new();
        for (tile, place) in self.layout.tiles.iter().enumerate() {
            let of_tile: Vec<PairSums> = sums.iter().map(|pair| pair[tile]).collect();
            let what = || format!("read noise of amplifier {} [ADU]", place.amplifier + 1);
            let measured = photon_transfer::read_noise_adu(&of_tile).ok_or_else(|| self.failed(what(), 0.0, "measurable: two pixels"))?;
            if !(measured.value > 0.0 && measured.value.is_finite()) {
                return Err(self.failed(what(), measured.value, "above 0"));
            }
            noise.push(measured);
        }
        Ok((image, noise, Combine::Median.variance_factor(frames.len())))
    }
}
