//! How much there really is.
