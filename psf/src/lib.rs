//! psf
