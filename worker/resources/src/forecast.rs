//! What is coming.
