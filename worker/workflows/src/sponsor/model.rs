//! The probability models of sponsor analysis, each a pure function of numbers.
//!
//! Reading order: `special` and `simplex` (tools), `shrinkage` (rung 0), `bgbb` (rung 1) with `bgnbd` as a second
//! opinion, `logistic` (rung 2), `gamma_gamma` (amounts). Deliberately absent: sponsors, dates, currencies.

pub(super) mod bgbb;
pub(super) mod bgnbd;
pub(super) mod gamma_gamma;
pub(super) mod logistic;
pub(super) mod shrinkage;
mod simplex;
pub(super) mod special;

#[cfg(test)]
mod tests;
