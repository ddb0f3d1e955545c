//! Validation of the tables of a workbook against a schema, and of their shape without one.
//!
//! The way: `schema` (the parameter) -> `plan` (fields and rules, checked) -> `sheet` (which column is which field) ->
//! `check` (row by row) -> `report` (errors and exact counts). Error codes are those of Frictionless. Invariant: counts
//! are exact, lists are capped, and no message holds the content of a cell. Deliberately absent: repairs.

mod builtin;
mod cells;
mod check;
pub(super) mod formats;
mod plan;
mod report;
mod schema;
mod sheet;

#[cfg(test)]
mod tests;

pub(super) use check::validate;
pub(super) use plan::Plan;
pub(super) use report::{MAX_ERRORS, Report, Tally};
pub(super) use schema::SchemaChoice;
