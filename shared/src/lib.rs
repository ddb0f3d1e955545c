//! What Zero Gate's roles share: the model, and the seams behind which the
//! outside world stands.
//!
//! Read in this order. [`model`] is the language: ids, states, plans; it does
//! no I/O. [`store`] and [`broker`] are the two seams; each is one trait with
//! two backends and one conformance suite; [`blobs`] is where bytes lie that
//! are too large for the store. [`wire`] is the message between
//! coordinator and worker. The rest is the ground both roles stand on.
//!
//! Deliberately absent: any knowledge of HTTP, of handlers, or of where the
//! configuration comes from.

pub mod model;
pub mod wire;

pub mod blobs;
pub mod broker;
pub mod store;

pub mod clock;
pub mod fault;
pub mod lifecycle;
pub mod telemetry;
