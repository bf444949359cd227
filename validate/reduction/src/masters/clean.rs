//! Calibration exposures with what is known of the readout and of the charge undone, before masters are made of them.
//!
//! A dark or flat must have gone through the same steps as the frames it corrects: a trail of a hot pixel left in the dark would be
//! subtracted from frames whose trails were put back; and trails and brighter-fatter take from the variance of flats, so that the
//! gain comes out too large. Cleaned frames are kept as float32 in a temporary folder, read back in bands of rows.

use crate::amplifiers::spread;
use crate::error::ReductionError;
use crate::steps::Walk;
use instruments::product::level0::{Level0Info, read_level0};
use ndarray::Array2;
use rayon::prelude::*;
use sim_core::knowledge::{Knowledge, Measured, Reference};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// Science pixels of a frame after overscan and bias subtraction, with all that `knowledge` has undone \[ADU\].
pub(crate) fn counts(info: &Level0Info, knowledge: &Knowledge, bias: &Arc<Reference>) -> Result<Array2<f32>, ReductionError> {
    let raw = read_level0(&info.path)?.frame();
    let count = knowledge.layout.amplifier_count;
    let unit = || vec![Measured { value: 1.0, error: 0.0 }; count];
    let known = Knowledge {
        exposure_time_s: info.observation.time_s,
        // Before the gain is known, counts stand for charge.
        gain: Some(knowledge.gain.clone().unwrap_or_else(unit)),
        read_noise: Some(knowledge.read_noise.clone().unwrap_or_else(unit)),
        bias: Some(Arc::clone(bias)),
        ..knowledge.clone()
    };
    let of_step = |_: &str| Ok(known.clone());
    let mut walk = Walk::new(&of_step, &info.path);
    let charge = walk.charge(raw)?;
    let charge = walk.recover(charge, info.observation.kind, &crate::options::Options::default())?;
    let gain: Vec<f64> = known.gain.iter().flatten().map(|g| g.value).collect();
    let mut pixels = charge.pixels;
    let (_, columns) = pixels.dim();
    pixels.axis_iter_mut(ndarray::Axis(0)).into_par_iter().enumerate().for_each(|(y, mut row)| {
        for (v, g) in row.iter_mut().zip(spread(&knowledge.layout, y, columns, &gain)) {
            *v = (f64::from(*v) / g) as f32;
        }
    });
    Ok(pixels)
}

/// Cleans frames once and keeps them.
#[derive(Debug)]
pub(crate) struct Cleaner {
    knowledge: Knowledge,
    bias: Arc<Reference>,
    folder: TempDir,
}

impl Cleaner {
    /// Keeps frames below `scratch`, for as long as it lives.
    pub(crate) fn new(knowledge: Knowledge, bias: &Arc<Reference>, scratch: &Path) -> Result<Self, ReductionError> {
        let folder = tempfile::Builder::new().prefix(".clean").tempdir_in(scratch);
        let folder = folder.map_err(|source| ReductionError::Io { path: scratch.into(), source })?;
        Ok(Self { knowledge, bias: Arc::clone(bias), folder })
    }
    /// Whether charge transfer is undone in what it cleans.
    pub(crate) fn undoes_transfer(&self) -> bool {
        self.knowledge.traps.is_some()
    }
    /// Cleans a frame, unless that was done before.
    pub(crate) fn clean(&self, info: &Level0Info) -> Result<(), ReductionError> {
        let path = self.folder.path().join(info.name.stem());
        if path.exists() {
            return Ok(());
        }
        let failed = |source| ReductionError::Io { path: path.clone(), source };
        let pixels = counts(info, &self.knowledge, &self.bias)?;
        let mut file = std::io::BufWriter::with_capacity(1 << 20, File::create(&path).map_err(failed)?);
        for row in pixels.rows() {
            let bytes: Vec<u8> = row.iter().flat_map(|v| v.to_le_bytes()).collect();
            file.write_all(&bytes).map_err(failed)?;
        }
        file.into_inner().map_err(|e| failed(e.into_error()))?;
        Ok(())
    }
    /// Rows of a cleaned frame \[ADU\].
    pub(crate) fn rows(&self, info: &Level0Info, rows: &Range<usize>) -> Result<Array2<f32>, ReductionError> {
        self.clean(info)?;
        let path = self.folder.path().join(info.name.stem());
        let failed = |source| ReductionError::Io { path: path.clone(), source };
        let columns = info.window.nx;
        let mut file = File::open(&path).map_err(failed)?;
        file.seek(SeekFrom::Start((rows.start * columns * size_of::<f32>()) as u64)).map_err(failed)?;
        let mut bytes = vec![0; rows.len() * columns * size_of::<f32>()];
        file.read_exact(&mut bytes).map_err(failed)?;
        let values = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let Ok(band) = Array2::from_shape_vec((rows.len(), columns), values) else { unreachable!("as many bytes as pixels were read") };
        Ok(band)
    }
}
