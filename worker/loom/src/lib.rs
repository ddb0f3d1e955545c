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

/// Whether loom finds the deadlock of a model that is broken on purpose: an
/// ignored test of this name. In a process of its own, because loom aborts
/// where threads that sleep for ever hold something.
#[cfg(test)]
fn is_noticed(broken: &str) -> bool {
    let run = std::process::Command::new(std::env::current_exe().unwrap())
        .args([broken, "--exact", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    !run.status.success() && said.contains("deadlock; threads")
}

#[cfg(test)]
mod booked;
#[cfg(test)]
mod edges;
#[cfg(test)]
mod notify;
#[cfg(test)]
mod slots;
