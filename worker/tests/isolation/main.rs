//! Real child processes of a real program (the example `own_worker`): how they die, what they may use, what they
//! cost, and what becomes of them when their worker dies.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail its test")]

extern crate zerogate_worker as worker;

mod bench;
mod costs;
mod deaths;
mod files;
mod lives;
mod stand;
