//! The worker of Zero Gate.
//!
//! ```text
//!  1 submit ─▶ 2 validate ─▶ 3 store ─▶ 4 dispatch ─▶ 5 broker          (coordinator)
//!                                                       │ slip, bell
//!                                                       ▼
//!            ┌───────────────────────────────  6 gate: a permit, or the shortage
//!            │                                          │ permit
//!            │                                          ▼
//!   permit   │                                 fetch: one slip
//!   returned │                                          │
//!            │                                          ▼
//!            │   7 execute: decode ─▶ claim ─▶ acknowledge ─▶ prepare ─▶ attempt ─▶ classify
//!            │                                                               │
//!            └──────────────  8 report ─▶ settle  ◀──────────────────────────┘
//!                             │
//!                             ▼
//!                      9 resolve (inside the store's finish) ─▶ step 4
//! ```
//!
//! Steps 6, 7 and 8 happen here. Read in this order: [`handler`] is what a
//! team implements; [`gate`] decides whether anything may start; `fetch` turns
//! permits into slips; `execute` turns slips into reports; `ledger` carries
//! claims and reports to the store; `leases` keeps what runs alive; `files`
//! brings what they read and takes what they make; `service` starts and drains
//! it all. [`isolation`] runs what parses foreign bytes in
//! child processes, with files in a [`workroom`].
//!
//! Invariant: a worker owns nothing that it cannot run now. It takes no
//! message without a permit, runs nothing without a lease, and reports only
//! under the token of that lease.
//!
//! Deliberately absent: HTTP for clients, configuration, and any knowledge of
//! which store or broker stands behind the seams.

pub mod handler;
pub mod registry;

mod fetch;
pub mod gate;

mod execute;

mod batch;
mod leases;
mod ledger;

mod files;

pub mod account;
pub mod alerts;

mod conditions;
mod edges;
mod figures;
mod heartbeat;
mod knowledge;
mod monitor;
mod orders;
mod tally;
mod vitals;

mod http;
pub mod options;
pub mod service;

pub mod isolation;
pub mod workroom;

pub mod builtin;
pub mod diagnostic;

pub use handler::{Control, Handler, HandlerError, Problem, Run, describe};
pub use options::Options;
pub use registry::Registry;
pub use service::{DrainReport, Handle, Seams, Worker};
pub use workflows::{FileLink, Sink};
