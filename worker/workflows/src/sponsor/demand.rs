//! What an input is likely to need, from the lengths of its lists alone.

use serde_json::Value;

use super::limits::DRAWS;
use crate::Demand;

/// Bytes per entry: its JSON, its Rust form and its part of the result (measured on 100,000 interactions).
const ENTRY_BYTES: u64 = 1_200;
/// Bytes per sponsor: mostly its part of the result.
const SPONSOR_BYTES: u64 = 12_000;
/// Bytes that the smallest run takes.
const BASE_BYTES: u64 = 4 << 20;
/// Nanoseconds per entry: reading, checking, sorting, two looks at each contact.
const ENTRY_NANOS: u64 = 5_000;
/// Nanoseconds per draw of an amount.
const DRAW_NANOS: u64 = 100;
/// Nanoseconds to fit the models.
const FIT_NANOS: u64 = 50_000_000;

/// Imported rows count where they stand in the input; a file's are unknown before it is opened.
pub(crate) fn demand(input: &Value) -> Demand {
    let length = |value: &Value| value.as_array().map_or(0, Vec::len) as u64;
    let lists = ["gifts", "asks", "interactions", "ties", "influence"];
    let imports = input["imports"].as_array().into_iter().flatten();
    let rows: u64 = imports.map(|i| length(&i["records"])).sum();
    let entries = lists.iter().map(|list| length(&input[list])).sum::<u64>() + rows;
    let sponsors = length(&input["sponsors"]);
    let draws = sponsors * u64::from(DRAWS);
    Demand {
        memory_bytes: BASE_BYTES + SPONSOR_BYTES * sponsors + ENTRY_BYTES * entries,
        duration_ms: (FIT_NANOS + ENTRY_NANOS * (entries + sponsors) + DRAW_NANOS * draws)
            .div_ceil(1_000_000),
    }
}
