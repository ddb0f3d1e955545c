//! What a worker and its child say to each other; the bodies of the frames are the input and the result.
//!
//! Invariant: both ends are the same binary, so these need no versions; the greeting proves that they are.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};
use workflows::{Bounds, FileLink};

/// From the worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ask {
    /// Run this; the body is the input.
    Run(Box<Order>),
    /// The run of this number is to end early.
    Stop(u64),
}

/// One run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Order {
    /// Counts the runs of this child, from 1.
    pub(super) number: u64,
    pub(super) workflow_type: String,
    pub(super) memory_bytes: u64,
    pub(super) cpu_seconds: u64,
    pub(super) output_bytes: u64,
    pub(super) advanced: bool,
    pub(super) contact_key: [u8; 32],
    /// Where the files of the input lie.
    pub(super) inputs: BTreeMap<String, PathBuf>,
    /// Where made files go; none can be made without it.
    pub(super) folder: Option<PathBuf>,
}

impl Order {
    pub(super) fn bounded_by(&mut self, bounds: &Bounds) {
        self.memory_bytes = bounds.memory_bytes;
        self.cpu_seconds = bounds.cpu_seconds;
        self.output_bytes = bounds.output_bytes;
    }
}

/// From the child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Say {
    /// It serves: the version of its program, and what it uses at rest.
    Ready(String, Account),
    /// How far the run is.
    Progress(f64, String),
    /// The run ended; the body is the result, if there is one. Files it made, with their names in the folder.
    Ended(End, Vec<(String, FileLink)>),
    /// Everything of the run is freed; the child waits for the next order.
    Idle(Account),
}

/// What a run cost.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Account {
    /// Highest resident size of the child during the run, in bytes.
    pub(super) peak_bytes: u64,
    /// Resident size now.
    pub(super) resident_bytes: u64,
    /// Processor time of the run, in nanoseconds.
    pub(super) cpu_nanos: u64,
    /// Processor time of the child since it began, in nanoseconds.
    pub(super) cpu_total_nanos: u64,
}

/// How a run ended, if it came to its end.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum End {
    Result,
    /// Pointers and details.
    InvalidInput(Vec<(String, String)>),
    LimitExceeded(String),
    Stopped,
    Internal(String),
    /// The panic's text, if it is a constant of the program.
    Panicked(Option<String>),
}
