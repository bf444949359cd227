//! Master flat.

use super::defects::median_of;
use super::flat_levels::FlatLevels;
use super::{MadeDark, MadeFlat, Maker};
use crate::amplifiers::spread;
use crate::combine::Combine;
use crate::error::ReductionError;
use crate::shutter_fit::ShutterMap;
use instruments::product::level0::Level0Info;
use ndarray::Array2;
use sim_core::knowledge::Measured;

impl Maker<'_> {
    /// Response, from the best exposed set of flats.
    pub(super) fn flat(
        &mut self,
        frames: &[Level0Info],
        levels: &FlatLevels,
        bias: &Array2<f32>,
        (gain, read_noise): (&[Measured], &[Measured]),
        dark: Option<&MadeDark>,
        shutter: Option<&ShutterMap>,
    ) -> Result<MadeFlat, ReductionError> {
        // The best exposed set: the most light in all.
        let light = |members: &[usize]| members.iter().map(|&k| levels.level(k)).sum::<f64>();
        let Some(members) = levels.equal.iter().max_by(|a, b| light(a).total_cmp(&light(b))) else { unreachable!("pairs were found") };
        if let Some(&dim) = members.iter().find(|&&k| levels.level(k).is_nan() || levels.level(k) <= 0.0) {
            return Err(self.failed(format!("mean level of {}", frames[dim].path.display()), levels.level(dim), "above 0 ADU"));
        }
        let time_s = levels.settings[members[0]].0;
        let gains: Vec<f64> = gain.iter().map(|m| m.value).collect();
        let mean_gain = levels.gain.iter().map(|m| m.value).sum::<f64>() / levels.gain.len() as f64;
        // Electrons of the mean pixel of every frame: scales each to about 1.
        let scales: Vec<f64> = members.iter().map(|&k| levels.level(k) * mean_gain).collect();
        let read = read_noise.iter().map(|m| m.value).fold(0.0, f64::max);
        let faintest = scales.iter().copied().fold(f64::INFINITY, f64::min);
        let noise = |_, level: f64| (read * read + (level * faintest).max(0.0)).sqrt() / faintest;
        let across = shutter.map(|map| map.across(self.columns));
        self.clean_first(members.iter().map(|&k| &frames[k]))?;
        let mut response = Array2::zeros((self.rows, self.columns));
        self.bands(members.len(), 2 + usize::from(dark.is_some())).visit(
            &|k, rows| self.read(&frames[members[k]], rows),
            &mut |rows, band| {
                let row = |y: usize| {
                    let gain = spread(self.layout, y, self.columns, &gains);
                    let mut relative_time = vec![1.0; self.columns];
                    if let (Some(map), Some(across)) = (shutter, &across) {
                        map.row(across, y, self.rows, |x, excess, _| relative_time[x] = (time_s + excess) / time_s);
                    }
                    let mut stack = self.rows_of(band, y, Some(bias));
                    for (row, scale) in stack.iter_mut().zip(&scales) {
                        for (x, value) in row.iter_mut().enumerate() {
                            let dark = dark.map_or(0.0, |d| f64::from(d.rate[(y, x)]) * time_s);
                            *value = ((f64::from(*value) * gain[x] - dark) / (relative_time[x] * scale)) as f32;
                        }
                    }
                    stack
                };
                self.combine(Combine::Mean, rows, &row, Some(&noise), &mut response);
                Ok(())
            },
        )?;
        let middle = median_of(&response);
        if middle.is_nan() || middle <= 0.0 {
            return Err(self.failed("median of the flat", f64::from(middle), "above 0"));
        }
        response.par_mapv_inplace(|v| v / middle);
        let level_electron = scales.iter().sum::<f64>() / scales.len() as f64 * f64::from(middle);
        self.notes.push(format!("flat: clipped mean of {} frames of {time_s} s, {level_electron:.0} electron each", members.len()));
        Ok(MadeFlat { response, level_electron, time_s, factor: Combine::Mean.variance_factor(members.len()) })
    }
}
