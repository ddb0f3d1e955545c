//! Sponsor analysis: how strong a relationship is, how likely and how large the next gift, and what to do next.
//!
//! The way of a run: `input` -> `book` (checked, filed by sponsor, one currency) -> `strength`, `rfm`, `influence` ->
//! `funding` (the ladder of models) -> `amount` -> `advice` -> `output`. Each record is judged by its own figures and by
//! models fitted to all; nothing depends on ids or on the order of the input.
//! Deliberately absent: hand-set probabilities, clocks, rates of exchange.

mod advice;
mod amount;
mod book;
mod funding;
mod influence;
mod input;
mod limits;
mod model;
mod periods;
mod rfm;
mod strength {
    pub(super) const COMPONENTS: [&str; 8] = ["a"; 8];
}
