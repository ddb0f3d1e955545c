//! The workflow types of Zero Gate as pure functions: JSON in, JSON out.
//!
//! Reading order: [`Run`] and [`Error`] (what a run may use, how it fails), the catalogue ([`WorkflowType`]), then
//! one module per type. Invariant: the same input gives the same bytes, on any machine and any number of threads.
//! Deliberately absent: brokers, stores, async, clocks, environment, files. The `as_of` of an input is its only time.

#![expect(
    clippy::cast_precision_loss,
    reason = "counts become floats everywhere in statistics; every cap keeps them far below 2^53"
)]

mod advanced;
mod catalogue;
mod demand;
mod document;
mod files;
mod imports;
mod money;
mod number;
mod problem;
mod run;
mod schema;
mod strength;
mod threads;
mod vader;

mod email;
mod excel;
mod grant;
mod relationship;
mod sponsor;

pub use advanced::{Wish, wants_advanced};
pub use catalogue::{Bounds, Category, WorkflowType, catalogue, find};
pub use demand::{Demand, demand};
pub use files::{FileLink, Files, NoFiles, Sink, Source, id_of, sha256_of};
pub use grant::{sample_grant, with_grant_simulation};
pub use problem::{Error, Problem};
pub use relationship::karate_club;
pub use run::Run;
pub use sponsor::{fit_bgbb, sample_sponsors};
pub use vader::{METHOD as VADER_METHOD, Scores, polarity_scores};
