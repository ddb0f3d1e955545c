//! Step 6: whether a task may start now.
//!
//! The gate is asked before a message is taken. It answers with a permit,
//! which reserves the room until it is dropped, or with the shortage that
//! stands in the way, as data that operators see. With the message in hand the
//! permit is resized to what its tasks are likely to need, before they are
//! claimed.
//!
//! Invariant: room is reserved by [`Gate::admit`] and returned by dropping the
//! [`Permit`], and by nothing else. Asking [`Gate::would_admit`] changes
//! nothing.
//!
//! Deliberately absent: what is asked of the broker with a permit in hand.

mod fixed;
mod log;
mod resource;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use shared::{model::Route, store::query::Slots};

pub use fixed::FixedGate;
pub(crate) use log::DecisionLog;
pub(crate) use resource::ResourceGate;

/// Why there is no gate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The history cannot be kept so long.
    #[error(transparent)]
    History(#[from] resources::history::BadRetention),
    /// The decision log cannot be begun.
    #[error("the decision log {0}: {1}; name a file that this user may write")]
    Log(std::path::PathBuf, std::io::Error),
}

/// Which gate a worker goes by.
#[derive(Clone, Debug, Default)]
pub enum Choice {
    /// A fixed number of slots; resources are neither looked at nor judged,
    /// and features are not switched.
    Off,
    /// A fixed number of slots; resources are judged, and what the gate would
    /// have refused is counted.
    Shadow,
    /// Resources decide.
    #[default]
    Enforce,
    /// A gate of the team's own.
    Own(Arc<dyn Gate>),
}

/// The answer of the gate.
#[derive(Debug)]
#[must_use]
pub enum Admission {
    /// Room is reserved for one slip.
    Granted(Permit),
    /// This stands in the way.
    Blocked(Shortage),
}

/// What there is too little of.
#[derive(Clone, Debug, PartialEq)]
pub struct Shortage {
    /// The resource, such as `slots`.
    pub resource: &'static str,
    /// How much would be in use with this task.
    pub value: f64,
    /// How much may be.
    pub limit: f64,
}

impl From<resources::admission::Shortage> for Shortage {
    fn from(shortage: resources::admission::Shortage) -> Self {
        Self {
            resource: shortage.resource.as_str(),
            value: shortage.value,
            limit: shortage.limit,
        }
    }
}

/// Work in hand does not fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Misfit {
    /// What is short: `too_large` if the work can never run here.
    pub shortage: Shortage,
    /// The memory that it needs, in bytes.
    pub bytes: u64,
}

/// How large the work of one slip is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// log2 of the longest input in bytes, rounded up.
    pub bucket: u8,
}

/// What the runs of one slip cost: what estimates learn from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// How many runs there were.
    pub runs: u32,
    /// The highest peak of one run in bytes, where it is known exactly.
    pub peak_bytes: Option<u64>,
    /// Processor time of all runs.
    pub cpu: Duration,
    /// Time by the clock on the wall of all runs.
    pub wall: Duration,
    /// A run ended for want of memory.
    pub out_of_memory: bool,
}

impl Spent {
    /// Adds a run.
    pub fn add(&mut self, run: &Self) {
        self.runs += run.runs;
        self.peak_bytes = self.peak_bytes.max(run.peak_bytes);
        self.cpu += run.cpu;
        self.wall += run.wall;
        self.out_of_memory |= run.out_of_memory;
    }
}

/// Room for one slip, returned when this is dropped.
#[must_use]
pub struct Permit {
    booking: u64,
    book: Arc<dyn Book>,
    spent: Option<Spent>,
    /// Another gate's permit, returned with this one.
    under: Option<Box<Permit>>,
}

/// Where a gate keeps the room of its permits.
pub trait Book: Send + Sync {
    /// Makes the booking as large as work of this size needs, or says what is
    /// short; the booking then stays as it was.
    fn resize(&self, booking: u64, size: Size) -> Result<(), Misfit>;

    /// The permit of this booking was dropped; its runs cost so much, if any
    /// ran to an end.
    fn returned(&self, booking: u64, spent: Option<Spent>);

    /// The work was given up and does not stop: its slot is free, its memory
    /// is not. `true` if the permit is to be kept until the work ends; a book
    /// without memory has nothing to keep.
    fn abandoned(&self, _booking: u64) -> bool {
        false
    }
}

impl Permit {
    /// A permit that `book` takes back under this number.
    pub fn new(booking: u64, book: Arc<dyn Book>) -> Self {
        Self {
            booking,
            book,
            spent: None,
            under: None,
        }
    }

    /// A permit that also returns another gate's.
    pub(crate) fn over(under: Self, booking: u64, book: Arc<dyn Book>) -> Self {
        let mut permit = Self::new(booking, book);
        permit.under = Some(Box::new(under));
        permit
    }

    /// Makes the room as large as work of this size needs. Refused, the permit
    /// stays as it was: the work does not fit here now.
    pub fn resize(&self, size: Size) -> Result<(), Misfit> {
        self.book.resize(self.booking, size)
    }

    /// The work was given up and does not stop: frees its slot, not its memory.
    /// Gives the permit back, to be kept until the work ends, if it still means
    /// anything.
    #[must_use]
    pub fn abandon(mut self) -> Option<Self> {
        self.under = None;
        self.book.abandoned(self.booking).then_some(self)
    }

    /// Notes what a run under this permit cost.
    pub fn note(&mut self, run: &Spent) {
        self.spent.get_or_insert_default().add(run);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.book.returned(self.booking, self.spent);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("booking", &self.booking)
            .finish_non_exhaustive()
    }
}

/// Decides what may start.
#[async_trait]
pub trait Gate: Send + Sync + fmt::Debug + 'static {
    /// Reserves room for one slip of this route, or says what is short.
    fn admit(&self, route: &Route) -> Admission;

    /// Whether [`admit`](Self::admit) would grant now; reserves nothing. The
    /// worker listens to exactly the bells for which this is true.
    fn would_admit(&self, route: &Route) -> bool;

    /// The most permits that can ever be out at once, bypasses included: the
    /// worker keeps so many flows.
    fn most(&self) -> u32;

    /// The slots, for heartbeats and metrics.
    fn slots(&self) -> Slots;

    /// Grows whenever the answer for some route may have changed.
    fn version(&self) -> u64;

    /// Waits until [`version`](Self::version) differs from `seen`, and returns
    /// it.
    async fn version_after(&self, seen: u64) -> u64;
}
