//! Models of the worker's permits for loom: no wake-up is lost, and no room is
//! returned twice or never.
//!
//! Invariant: a model does what the code it names does, in the same order and
//! with the same orderings.
//!
//! Deliberately absent: the decisions. A booking here is one slot.

#![forbid(unsafe_code)]

/// Walks through every order in which the model's threads can be interrupted
/// up to three times; a fault of such a size needs no more (loom's own advice
/// is two or three), and without a bound three threads take hours.
#[cfg(test)]
fn every_order(model: impl Fn() + Sync + Send + 'static) {
    const INTERRUPTIONS: usize = 3;
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(INTERRUPTIONS);
    builder.check(model);
}

#[cfg(test)]
mod booked;
#[cfg(test)]
mod edges;
#[cfg(test)]
mod notify;
#[cfg(test)]
mod slots;
