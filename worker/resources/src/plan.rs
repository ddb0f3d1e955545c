//! How many workers the work needs.
