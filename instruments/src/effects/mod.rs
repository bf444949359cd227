//! Every effect, its correction beside it, and the registry that lists them.
