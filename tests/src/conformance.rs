//! One suite per seam, run on every backend: a behaviour is not real until it is in here.

pub mod broker;
