//! A whole worker on the embedded store and the in-process broker: how runs
//! begin, end and are stopped; what its gate does on measurements that a test
//! feeds it, and whom its alerts reach.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail its test")]

extern crate zerogate_worker as worker;

mod alerts;
mod dial;
mod ends;
mod faults;
mod files;
mod gated;
mod lives;
mod receiver;
mod stand;
mod unsteady;
mod watched;

/// As in the program itself: what a run takes is counted, and nothing that
/// merely happens at the same time is taken for it.
#[global_allocator]
static ALLOCATOR: worker::account::Counting = worker::account::Counting;
