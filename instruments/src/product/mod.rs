//! Data products: names, headers and readers of level-0 and level-1 files.
