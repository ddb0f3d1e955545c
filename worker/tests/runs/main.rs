//! A whole worker on the embedded store and the in-process broker: how runs
//! begin, end and are stopped.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail its test")]

extern crate zerogate_worker as worker;

mod ends;
mod faults;
mod files;
mod lives;
mod stand;
mod unsteady;
