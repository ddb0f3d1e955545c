//! A whole worker on the embedded store and the in-process broker: how runs
//! begin, end and are stopped.

extern crate zerogate_worker as worker;

mod ends;
mod lives;
mod stand;
