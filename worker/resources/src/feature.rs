//! What is switched off, and why.
