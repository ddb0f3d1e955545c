//! Which rows are the same entity: probabilistic record linkage after Fellegi and Sunter.
//!
//! The way: `settings` (what to compare) -> `normal` (comparable forms) -> `blocks` (which pairs) -> `compare` (levels
//! of agreement) -> `model` (weights by expectation maximisation) -> `cluster` (union-find) -> `output`.
//! Invariant: the partition does not depend on the order of rows, and rows with different trusted identifiers are
//! never joined. Deliberately absent: randomness, threads, knowledge about particular names.

mod blocks;
mod cluster;
mod compare;
mod model;
mod normal;
mod output;
mod resolve;
mod settings;

#[cfg(test)]
mod tests;

pub(in crate::excel) use blocks::{MAX_BLOCK, MAX_PAIRS};
pub(in crate::excel) use output::{MAX_BYTES, MAX_ENTITIES, MAX_PAIRS_LISTED, Rows, fill};
pub(in crate::excel) use resolve::{MAX_VALUES, resolve};
pub(in crate::excel) use settings::{Entities, Plan};
