//! What an input is likely to need, from the lengths of its lists alone.

use std::time::Duration;

use serde_json::Value;

use super::limits::DRAWS;
use crate::Demand;
use crate::demand::imported;

/// Bytes per entry: its JSON, its Rust form and its part of the result (measured on 100,000 interactions).
const ENTRY_BYTES: u64 = 1_200;
/// Bytes per sponsor: mostly its part of the result.
const SPONSOR_BYTES: u64 = 12_000;
/// Bytes that the smallest run takes.
const BASE_BYTES: u64 = 256 << 10;
/// Nanoseconds per entry: reading, checking, sorting, two looks at each contact.
const ENTRY_NANOS: u64 = 5_000;
/// Nanoseconds per draw of an amount.
const DRAW_NANOS: u64 = 100;
/// Nanoseconds to fit the models.
const FIT_NANOS: u64 = 50_000_000;

/// Imported rows count where they stand in the input; those of files by the usual length of a row.
pub(crate) fn demand(input: &Value, file_bytes: u64) -> Demand {
    let length = |name: &str| input[name].as_array().map_or(0, Vec::len) as u64;
    let lists = ["gifts", "asks", "interactions", "ties", "influence"];
    let rows = imported(input, file_bytes);
    let entries = lists.into_iter().map(length).sum::<u64>() + rows;
    let sponsors = length("sponsors");
    let draws = sponsors * u64::from(DRAWS);
    let nanos = FIT_NANOS + ENTRY_NANOS * (entries + sponsors) + DRAW_NANOS * draws;
    Demand {
        memory_bytes: BASE_BYTES + SPONSOR_BYTES * sponsors + ENTRY_BYTES * entries,
        cores: 1,
        duration: Duration::from_nanos(nanos),
    }
}
