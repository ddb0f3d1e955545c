//! Placeholder until reading is merged.
mod entities;
