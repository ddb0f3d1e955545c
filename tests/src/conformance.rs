//! One suite per seam, run on every backend: a behaviour is not real until it is in here.
//!
//! Unlike the harness beside it, this part knows the traits of `shared`: it tests them from within.

#![expect(
    clippy::missing_panics_doc,
    reason = "a conformance test panics where a backend is wrong; that is its whole purpose"
)]

pub mod broker;
pub mod store;
