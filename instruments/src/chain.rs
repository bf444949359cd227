//! The forward chain of a detector: light to counts, in the order of the instrument file.
