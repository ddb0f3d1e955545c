//! The long-running roles: each connects its parts, waits for a signal, and
//! ends in good order.

pub mod coordinator;
pub mod dev;
pub mod worker;

pub mod assembly;
pub mod signals;
