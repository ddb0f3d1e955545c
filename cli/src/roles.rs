//! The long-running roles: each connects its parts, waits for a signal, and
//! ends in good order.

pub(crate) mod coordinator;
pub(crate) mod dev;
pub(crate) mod worker;

pub(crate) mod assembly;
pub(crate) mod signals;
