//! Excel processing: workbooks that tenants send, as typed and judged tables.
//!
//! The way of a run: `guard` (is it safe to open) -> `read` (cells) -> `header` and `infer` (tables) -> `judge`
//! (`validation` with `rules`, `quality`, `totals`, `entities`) -> `output`. Invariant: no input makes it panic, allocate
//! without bound or run without end. Deliberately absent: formulas are never evaluated, external links never followed.

mod cell;
mod container;
mod dates;
mod entities;
mod exact;
mod guard;
mod judge;
mod limits;
mod markup;
mod numbers;
mod quality;
mod rules;
mod table;
mod texts;
mod totals;
mod validation;

#[cfg(test)]
mod handmade;
