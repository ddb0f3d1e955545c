//! How many tasks at once.
