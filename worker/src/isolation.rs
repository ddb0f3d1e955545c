//! Runs of types that parse foreign bytes, each in a child process of this same program.
//!
//! ```text
//!  worker                                               child (warm, one run at a time)
//!  builtin ─▶ pool ─▶ process ── order, input, stop ──▶ child ─▶ limits ─▶ the type's run
//!               │        ▲                                │
//!               │        └──── progress, answer, account ─┘
//!               └── verdict, when it dies instead
//! ```
//!
//! Read in this order: [`Pool`] is what a worker asks; `process` holds one child; `verdict` says what its death
//! means; `child` is the other side, under `limits` and confined by `confine`; `codec` and `message` lie between.
//!
//! Invariant: no input ends the worker, harms a neighbour's run or outlives its bounds; what a run cost is its own,
//! although its child is reused. Deliberately absent: fetching and storing files; the network; the async runtime.

mod codec;
mod message;

mod options;
mod pool;

mod process;

mod nursery;
mod oom;
mod pipes;
mod verdict;

mod child;
mod confine;
mod limits;
pub(crate) mod probe;

use std::time::Duration;

pub use options::{Options, Program};
pub use pool::{Job, Outcome, Pool};
pub use process::Watch;

/// The first and only argument of a program that is to serve as a child.
pub const ARGUMENT: &str = "zerogate-isolated";

/// What one run cost. Of a run whose child died, the peak is the last one seen (looked for every 20 ms).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Highest resident size of the child during the run, in bytes.
    pub peak_bytes: u64,
    /// Processor time.
    pub cpu: Duration,
    /// Time by the clock on the wall.
    pub wall: Duration,
}

/// Serves as a child, and never returns, if this process was started as one. Call it first in `main`, before the
/// async runtime and before reading arguments: a worker starts its own program again for types that parse foreign
/// bytes.
pub fn serve_if_asked() {
    let mut arguments = std::env::args_os().skip(1);
    let asked = arguments.next().is_some_and(|first| first == ARGUMENT);
    if asked && arguments.next().is_none() {
        child::serve();
    }
}
