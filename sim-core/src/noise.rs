//! Bulk draws by index: uniforms, normals, Poisson. STUB: being written.
use crate::stream::Stream;

/// Standard normals of word indices `first..first + out.len()`.
pub fn normals(stream: &Stream, first: u64, out: &mut [f32]) {
    let _ = (stream, first, out);
    unimplemented!()
}

/// Uniforms in (0, 1) of word indices `first..first + out.len()`.
pub fn uniforms(stream: &Stream, first: u64, out: &mut [f32]) {
    let _ = (stream, first, out);
    unimplemented!()
}

/// Replaces each expected value by a Poisson draw, pixel `i` using word `first + i`.
/// The draw is the Poisson quantile of the pixel's uniform: monotone in the mean.
pub fn poisson(stream: &Stream, first: u64, pixels: &mut [f32]) {
    let _ = (stream, first, pixels);
    unimplemented!()
}
