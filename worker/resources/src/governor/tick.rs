//! What a tick is told, and what it decides.
//!
//! Invariant: plain data; everything from outside that a decision may rest on
//! is a member of [`Tick`].

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::model::Level;

use crate::{
    alert::Note,
    feature::{Change, Effect},
    level::Transition,
    pattern::Hour,
    sample::RawSample,
    stuck::Escape,
};

/// One look at the world.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tick {
    /// Now, since the worker's start.
    pub at: Duration,
    /// What the source read; `None` if it read nothing.
    pub sample: Option<RawSample>,
    /// The hour, counted since the Unix epoch; `None` where the time of day is
    /// not known.
    pub hour: Option<Hour>,
    /// Resident memory of the worker's process, in bytes.
    pub resident: u64,
    /// Runs since the tick before that the store committed as completed, and
    /// as failed.
    pub ended: (u32, u32),
    /// 95 of 100 tasks that started since the tick before had waited no longer.
    pub waited_p95: Option<Duration>,
    /// Workers of the fleet, as last heard.
    pub workers: u32,
    /// Tasks that are believed to wait for a worker, as last heard.
    pub backlog: u32,
}

/// What a tick decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[must_use]
pub struct Ticked {
    /// The overall level.
    pub level: Level,
    /// Levels that changed.
    pub transitions: Vec<Transition>,
    /// Features that changed.
    pub features: Vec<Change>,
    /// What switching features off has freed.
    pub effects: Vec<Effect>,
    /// What people are to be told.
    pub notes: Vec<Note>,
    /// Tasks at once from now on.
    pub slots: u32,
    /// The health score, 0 to 100.
    pub health: f64,
    /// What to do about a gate that nothing opens.
    pub escape: Option<Escape>,
    /// When to look again.
    pub next: Duration,
}
