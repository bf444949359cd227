//! validate/reduction
