//! Sponsor analysis.

mod model;
