//! Optics: how sources become light on a detector.
