//! What a worker knows of its resources, and what it decides on that ground.
//!
//! In reading order: a [`source`] reads raw counters into a [`sample`]; the
//! [`capacity`] rule and the [`meter`] make measurements of two samples;
//! [`level`] and [`forecast`] judge them under a [`profile`]; the
//! [`admission`] ledger reserves room with learned [`estimate`]s within the
//! dynamic [`limit`]; [`feature`]s give way by category; [`alert`]s tell
//! people, [`health`], [`bottleneck`] and [`plan`] sum up; the [`governor`]
//! puts all of it together, and its [`record`] can be replayed.
//!
//! Invariant: everything but [`source`] is a pure function of what it was
//! told: no clock, no system call, no randomness. The same events give the
//! same decisions, bit for bit. Times are monotonic, since the worker's start.
//!
//! Deliberately absent: broker, store, threads and async. The worker drives
//! this.

pub mod sample;
pub mod source;

pub mod capacity;
pub mod history;
pub mod meter;

pub mod profile;

pub mod forecast;
pub mod level;
pub mod pattern;

pub mod admission;
pub mod estimate;
pub mod limit;
pub mod stuck;

pub mod feature;

pub mod alert;
pub mod bottleneck;
pub mod health;
pub mod plan;
pub mod report;

pub mod governor;
pub mod record;
