//! Zero Gate's coordinator: takes work in over HTTP, keeps it in the store,
//! sends what is ready to the broker.
//!
//! ```text
//!             this package                       the store           the broker       a worker
//!
//!  client ──▶ 1 submit     api/                      │                   │                │
//!             2 validate   submit/, model::plan      │                   │                │
//!             ─────────────────────────────────▶ 3 store                 │                │
//!             4 dispatch   dispatch/   ◀──────── ready ones              │                │
//!             ─────────────────────────────────────────────────▶ 5 slip, bell ──────▶ 6 gate
//!                                                    │ ◀───────────── 7 claim, execute ───┤
//!                                                    │ ◀───────────── 8 report ───────────┘
//!             4 dispatch   dispatch/   ◀──────── 9 resolve
//!
//!  at every step that can be lost: upkeep (sweep, re-publication)
//!  beside the steps: files (api/files), and collect (blobs that nobody needs)
//! ```
//!
//! Replicas are stateless and may be any number: what one of them knows
//! beyond a request (`fleet`, `watchers`) is a cache or a waiting client.
//!
//! Invariant: no loop here is needed for correctness by any other; each may
//! die at any point and nothing but time is lost.
//!
//! Deliberately absent: the run of a task, any knowledge of a backend, and
//! the sources of configuration.

mod options;
mod service;

mod app;
mod catalogue;
mod features;
mod fleet;

mod api;
mod submit;

mod dispatch;
mod series;
mod upkeep;

mod collect;

mod news;
mod watchers;

pub use options::{Options, Render};
pub use service::{Coordinator, Error, Handle, Seams};
